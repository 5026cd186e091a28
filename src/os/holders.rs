//! Names the programs that have a file open.

/// Returns the names and process ids of the programs that have a file open, as far as Windows'
/// Restart Manager knows them.
#[cfg(windows)]
pub(crate) fn programs_with(path: &std::path::Path) -> Vec<String> {
    windows::programs_with(path).unwrap_or_default()
}

/// Returns none: on Unix no program holds a file so that others cannot open it.
#[cfg(not(windows))]
pub(crate) fn programs_with(_: &std::path::Path) -> Vec<String> {
    Vec::new()
}

#[cfg(windows)]
mod windows {
    use crate::os::system_functions::SystemLibrary;
    use std::ffi::c_void;
    use std::os::windows::ffi::OsStrExt;
    use std::path::Path;
    use std::ptr;

    const NO_ERROR: u32 = 0;
    /// The programs that a message names at most.
    const SHOWN: usize = 4;

    /// `RM_PROCESS_INFO` of restartmanager.h.
    #[repr(C)]
    #[derive(Clone, Copy)]
    struct ProcessInfo {
        id: u32,
        started: [u32; 2],
        name: [u16; 256],
        service: [u16; 64],
        kind: u32,
        status: u32,
        session: u32,
        is_restartable: i32,
    }

    type Start = unsafe extern "system" fn(*mut u32, u32, *mut u16) -> u32;
    type Register =
        unsafe extern "system" fn(u32, u32, *const *const u16, u32, *const c_void, u32, *const *const u16) -> u32;
    type List = unsafe extern "system" fn(u32, *mut u32, *mut u32, *mut ProcessInfo, *mut u32) -> u32;
    type End = unsafe extern "system" fn(u32) -> u32;

    pub(super) fn programs_with(path: &Path) -> Option<Vec<String>> {
        let manager = SystemLibrary::load("rstrtmgr.dll")?;
        // SAFETY: the functions of these names have these signatures (restartmanager.h).
        let (start, register, list, end) = unsafe {
            (
                std::mem::transmute::<*mut c_void, Start>(manager.find(c"RmStartSession")?),
                std::mem::transmute::<*mut c_void, Register>(manager.find(c"RmRegisterResources")?),
                std::mem::transmute::<*mut c_void, List>(manager.find(c"RmGetList")?),
                std::mem::transmute::<*mut c_void, End>(manager.find(c"RmEndSession")?),
            )
        };
        let file: Vec<u16> = path.as_os_str().encode_wide().chain([0]).collect();
        // CCH_RM_SESSION_KEY characters and a NUL.
        let (mut session, mut key) = (0, [0_u16; 33]);
        // SAFETY: both pointers are valid for the call, and the key has room for its characters.
        if unsafe { start(&raw mut session, 0, key.as_mut_ptr()) } != NO_ERROR {
            return None;
        }
        let files = [file.as_ptr()];
        let empty = ProcessInfo {
            id: 0,
            started: [0; 2],
            name: [0; 256],
            service: [0; 64],
            kind: 0,
            status: 0,
            session: 0,
            is_restartable: 0,
        };
        let mut found = vec![empty; SHOWN];
        let (mut needed, mut count, mut reasons) = (0, u32::try_from(SHOWN).unwrap_or(0), 0);
        // SAFETY: the session is open. The file's name ends with a NUL, and `found` has room for
        // `count` elements.
        let listed = unsafe {
            let registered = register(session, 1, files.as_ptr(), 0, ptr::null(), 0, ptr::null());
            let listed = registered == NO_ERROR
                && list(session, &raw mut needed, &raw mut count, found.as_mut_ptr(), &raw mut reasons) == NO_ERROR;
            end(session);
            listed
        };
        if !listed {
            return None;
        }
        found.truncate(usize::try_from(count).unwrap_or(0));
        let own = std::process::id();
        let named = found.iter().filter(|process| process.id != own).map(|process| {
            let length = process.name.iter().position(|letter| *letter == 0).unwrap_or(process.name.len());
            format!("{} (process {})", String::from_utf16_lossy(&process.name[..length]), process.id)
        });
        Some(named.collect())
    }
}
