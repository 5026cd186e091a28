//! Keeps the library loaded on Windows: its threads may run after `FreeLibrary`.

/// Pins the module that holds this function, so that `FreeLibrary` never unmaps code that a thread
/// of the library runs. On Unix the linker's option `nodelete` does the same.
#[cfg(windows)]
pub(crate) fn keep_loaded() {
    use std::ffi::c_void;
    use std::sync::Once;

    const PIN: u32 = 0x1;
    const FROM_ADDRESS: u32 = 0x4;

    #[link(name = "kernel32")]
    unsafe extern "system" {
        fn GetModuleHandleExW(flags: u32, address: *const c_void, module: *mut *mut c_void) -> i32;
    }

    static PINNED: Once = Once::new();
    PINNED.call_once(|| {
        let mut module = std::ptr::null_mut();
        let address = keep_loaded as fn() as *const c_void;
        // SAFETY: the address is of this module's code, and `module` is valid for the call. The
        // call fails only for a module that the loader does not know, which FreeLibrary cannot
        // unmap.
        unsafe { GetModuleHandleExW(PIN | FROM_ADDRESS, address, &raw mut module) };
    });
}

/// Does nothing: the shared library is linked with `nodelete`.
#[cfg(not(windows))]
pub(crate) const fn keep_loaded() {}
