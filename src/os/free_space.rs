//! The free space of a disk.

use std::path::Path;

/// Returns the bytes that this user may still write in a folder.
#[cfg(unix)]
pub(crate) fn free_bytes(folder: &Path) -> Option<u64> {
    let about = nix::sys::statvfs::statvfs(folder).ok()?;
    #[allow(clippy::useless_conversion)] // The types differ from system to system.
    u64::from(about.blocks_available()).checked_mul(u64::from(about.fragment_size()))
}

#[cfg(windows)]
pub(crate) fn free_bytes(folder: &Path) -> Option<u64> {
    use std::os::windows::ffi::OsStrExt;

    #[link(name = "kernel32")]
    unsafe extern "system" {
        fn GetDiskFreeSpaceExW(folder: *const u16, free_to_user: *mut u64, all: *mut u64, free: *mut u64) -> i32;
    }
    let name: Vec<u16> = folder.as_os_str().encode_wide().chain([0]).collect();
    let mut free = 0;
    // SAFETY: the name ends with a NUL, the number outlives the call, and NULL is allowed for the
    // others.
    let done = unsafe { GetDiskFreeSpaceExW(name.as_ptr(), &raw mut free, std::ptr::null_mut(), std::ptr::null_mut()) };
    (done != 0).then_some(free)
}
