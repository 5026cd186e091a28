//! The proxy of the system's settings.

/// Returns the servers and the exceptions of the proxy that Windows names for the user or, else,
/// for the machine (`netsh winhttp`). A configuration script (PAC) is not read: it is a program.
#[cfg(windows)]
pub(crate) fn system_proxy() -> Option<(String, String)> {
    let library = windows::library()?;
    windows::of_user(&library).or_else(|| windows::of_machine(&library))
}

/// Returns none: Unix has the environment's variables.
#[cfg(not(windows))]
pub(crate) fn system_proxy() -> Option<(String, String)> {
    None
}

#[cfg(windows)]
mod windows {
    use crate::os::system_functions::SystemLibrary;
    use std::ffi::c_void;
    use std::ptr;

    const NAMED_PROXY: u32 = 3;

    /// `WINHTTP_CURRENT_USER_IE_PROXY_CONFIG` of winhttp.h.
    #[repr(C)]
    struct UserSettings {
        detects: i32,
        script: *mut u16,
        servers: *mut u16,
        exceptions: *mut u16,
    }

    /// `WINHTTP_PROXY_INFO` of winhttp.h.
    #[repr(C)]
    struct MachineSettings {
        kind: u32,
        servers: *mut u16,
        exceptions: *mut u16,
    }

    #[link(name = "kernel32")]
    unsafe extern "system" {
        fn GlobalFree(memory: *mut c_void) -> *mut c_void;
    }

    pub(super) fn library() -> Option<SystemLibrary> {
        SystemLibrary::load("winhttp.dll")
    }

    pub(super) fn of_user(library: &SystemLibrary) -> Option<(String, String)> {
        let read = library.find(c"WinHttpGetIEProxyConfigForCurrentUser")?;
        // SAFETY: the function of this name has this signature (winhttp.h).
        let read: unsafe extern "system" fn(*mut UserSettings) -> i32 = unsafe { std::mem::transmute(read) };
        let nothing = ptr::null_mut();
        let mut found = UserSettings { detects: 0, script: nothing, servers: nothing, exceptions: nothing };
        // SAFETY: the struct is valid for the call.
        if unsafe { read(&raw mut found) } == 0 {
            return None;
        }
        taken(found.script);
        let (servers, exceptions) = (taken(found.servers), taken(found.exceptions));
        servers.map(|servers| (servers, exceptions.unwrap_or_default()))
    }

    pub(super) fn of_machine(library: &SystemLibrary) -> Option<(String, String)> {
        let read = library.find(c"WinHttpGetDefaultProxyConfiguration")?;
        // SAFETY: the function of this name has this signature (winhttp.h).
        let read: unsafe extern "system" fn(*mut MachineSettings) -> i32 = unsafe { std::mem::transmute(read) };
        let mut found = MachineSettings { kind: 0, servers: ptr::null_mut(), exceptions: ptr::null_mut() };
        // SAFETY: the struct is valid for the call.
        if unsafe { read(&raw mut found) } == 0 {
            return None;
        }
        let (servers, exceptions) = (taken(found.servers), taken(found.exceptions));
        servers.filter(|_| found.kind == NAMED_PROXY).map(|servers| (servers, exceptions.unwrap_or_default()))
    }

    /// Returns a text that Windows allocated, and frees it. None: there is no text.
    fn taken(text: *mut u16) -> Option<String> {
        if text.is_null() {
            return None;
        }
        let mut length = 0;
        // SAFETY: Windows ended the text with a NUL, and nothing is read behind it.
        while unsafe { text.add(length).read() } != 0 {
            length += 1;
        }
        // SAFETY: the text has this length, and is read before it is freed.
        let read = String::from_utf16_lossy(unsafe { std::slice::from_raw_parts(text, length) });
        // SAFETY: the text belongs to the caller (winhttp.h), and is not used again.
        unsafe { GlobalFree(text.cast()) };
        Some(read).filter(|text| !text.is_empty())
    }
}
