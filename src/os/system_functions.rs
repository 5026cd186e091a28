//! Functions of Windows that are looked up when they are needed, so that no start of a till needs
//! their libraries.

use std::ffi::{CStr, c_char, c_void};
use std::ptr;

/// Only from the system's own folder: never from the current one.
const SEARCH_SYSTEM32: u32 = 0x800;

#[link(name = "kernel32")]
unsafe extern "system" {
    fn LoadLibraryExW(name: *const u16, reserved: *mut c_void, flags: u32) -> *mut c_void;
    fn GetProcAddress(module: *mut c_void, name: *const c_char) -> *mut c_void;
}

/// A library of the system. It is never freed, so its functions stay.
pub(super) struct SystemLibrary(*mut c_void);

impl SystemLibrary {
    /// Returns none where the system has no library of this name.
    pub fn load(name: &str) -> Option<Self> {
        let name: Vec<u16> = name.encode_utf16().chain([0]).collect();
        // SAFETY: the name ends with a NUL.
        let module = unsafe { LoadLibraryExW(name.as_ptr(), ptr::null_mut(), SEARCH_SYSTEM32) };
        (!module.is_null()).then_some(Self(module))
    }

    /// Returns the address of a function.
    pub fn find(&self, name: &CStr) -> Option<*mut c_void> {
        // SAFETY: the module is loaded, and the name ends with a NUL.
        let found = unsafe { GetProcAddress(self.0, name.as_ptr()) };
        (!found.is_null()).then_some(found)
    }
}
