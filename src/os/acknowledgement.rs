//! How long sent bytes may stay without an acknowledgement.

use socket2::Socket;
use std::io;
use std::time::Duration;

/// Lets the system close a connection whose bytes are not acknowledged for `limit`.
#[cfg(target_os = "linux")]
pub(crate) fn limit_unacknowledged(socket: &Socket, limit: Duration) -> io::Result<()> {
    socket.set_tcp_user_timeout(Some(limit))
}

/// Lets the system close a connection whose bytes are not acknowledged for `limit`. Windows has it
/// since version 10.
#[cfg(windows)]
pub(crate) fn limit_unacknowledged(socket: &Socket, limit: Duration) -> io::Result<()> {
    use std::os::windows::io::AsRawSocket;

    const IPPROTO_TCP: i32 = 6;
    /// The time until a connection without acknowledgements is closed, in s.
    const TCP_MAXRT: i32 = 5;
    const LENGTH: i32 = 4;

    #[link(name = "ws2_32")]
    unsafe extern "system" {
        fn setsockopt(socket: usize, level: i32, name: i32, value: *const u8, length: i32) -> i32;
    }

    let seconds = u32::try_from(limit.as_secs()).unwrap_or(u32::MAX).to_ne_bytes();
    let raw = usize::try_from(socket.as_raw_socket()).unwrap_or(usize::MAX);
    // SAFETY: the socket is open, and the system reads LENGTH bytes of `seconds` during the call.
    match unsafe { setsockopt(raw, IPPROTO_TCP, TCP_MAXRT, seconds.as_ptr(), LENGTH) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Does nothing: the system has no such limit.
#[cfg(not(any(target_os = "linux", windows)))]
pub(crate) fn limit_unacknowledged(_: &Socket, _: Duration) -> io::Result<()> {
    Ok(())
}
