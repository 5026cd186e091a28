//! Locks on ranges of a file that belong to an open file, and not to the process.
//!
//! SQLite's own locks on Unix are POSIX locks: the process loses all of them on a file as soon as
//! any code in it closes any descriptor of that file. Open file description locks do not have this
//! fault. On Windows a lock belongs to its handle, so that SQLite's own locks hold.

use std::fs::File;
use std::io;

/// Whether others may hold a lock on the same range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LockKind {
    /// Others may hold shared locks.
    Shared,
    /// No other open file may hold a lock.
    Exclusive,
}

/// Takes a lock on `length` bytes from `start`. Returns false if another open file holds the range.
#[cfg(target_os = "linux")]
pub(crate) fn try_lock(file: &File, kind: LockKind, start: u32, length: u32) -> io::Result<bool> {
    use nix::libc::{F_RDLCK, F_WRLCK};

    let kind = match kind {
        LockKind::Shared => F_RDLCK,
        LockKind::Exclusive => F_WRLCK,
    };
    match set(file, kind, start, length) {
        Ok(()) => Ok(true),
        Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EACCES) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Releases a lock. To close the file is not enough: a forked child may hold it open too.
#[cfg(target_os = "linux")]
pub(crate) fn unlock(file: &File, start: u32, length: u32) {
    let _ = set(file, nix::libc::F_UNLCK, start, length);
}

#[cfg(target_os = "linux")]
fn set(file: &File, kind: i32, start: u32, length: u32) -> nix::Result<()> {
    use nix::fcntl::{FcntlArg, fcntl};
    use nix::libc;

    let range = libc::flock {
        l_type: libc::c_short::try_from(kind).unwrap_or_default(),
        l_whence: libc::c_short::try_from(libc::SEEK_SET).unwrap_or_default(),
        l_start: libc::off_t::from(start.cast_signed()),
        l_len: libc::off_t::from(length.cast_signed()),
        l_pid: 0,
    };
    fcntl(file, FcntlArg::F_OFD_SETLK(&range)).map(drop)
}

/// Returns true: Windows' own locks hold, and other systems have no such lock.
#[cfg(not(target_os = "linux"))]
#[allow(clippy::unnecessary_wraps)]
pub(crate) fn try_lock(_: &File, _: LockKind, _: u32, _: u32) -> io::Result<bool> {
    Ok(true)
}

/// Does nothing.
#[cfg(not(target_os = "linux"))]
pub(crate) fn unlock(_: &File, _: u32, _: u32) {}

/// Returns a number of this process that every copy of the library in it computes alike, and that
/// hardly any other process has: not even one with the same id in another container.
#[cfg(target_os = "linux")]
pub(crate) fn process_number() -> u64 {
    let mut number = fnv(0xCBF2_9CE4_8422_2325, &std::process::id().to_le_bytes());
    if let Ok(namespace) = std::fs::read_link("/proc/self/ns/pid") {
        number = fnv(number, namespace.as_os_str().as_encoded_bytes());
    }
    // The 22nd field is the time of the process's start. The second one may hold spaces.
    if let Ok(text) = std::fs::read_to_string("/proc/self/stat")
        && let Some((_, fields)) = text.rsplit_once(')')
        && let Some(start) = fields.split_ascii_whitespace().nth(19)
    {
        number = fnv(number, start.as_bytes());
    }
    number
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn process_number() -> u64 {
    std::process::id().into()
}

#[cfg(target_os = "linux")]
fn fnv(start: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(start, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3))
}
