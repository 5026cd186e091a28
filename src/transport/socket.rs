//! A TCP connection whose every wait is bounded: no wait is longer than a slice, and after each
//! slice the call is checked. On Unix, reading and writing wait for a slice themselves, which saves
//! a system call. On Windows, a socket must not be used after its timeout, so a poll waits instead.
//! Addresses are tried side by side, with a delay between their starts.

use super::FailureKind;
use super::call::Call;
#[cfg(unix)]
use super::call::SLICE;
use super::context::{NetworkError, RequestContext};
use crate::os::limit_unacknowledged;
use crate::rt::Instant;
use rustix::event::{PollFd, PollFlags, Timespec};
#[cfg(unix)]
use rustix::net::RecvFlags;
use socket2::{Domain, Protocol, Socket as Raw, TcpKeepalive, Type};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// The next address is tried if the one before has not connected within this time (RFC 8305
/// recommends 250 ms).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// An idle connection is probed after this time.
const KEEPALIVE_TIME: Duration = Duration::from_secs(15);
/// The time between two probes without a reply.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// The connection is closed after this number of probes without a reply.
const KEEPALIVE_PROBES: u32 = 3;
/// A connection whose data is not acknowledged for this time is closed. A purchase is then queried
/// and repeated on another one, within the wait of a cashier.
const UNACKNOWLEDGED_LIMIT: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
}

impl Socket {
    /// Connects to the first of `addresses` that accepts.
    pub fn connect(addresses: &[SocketAddr], context: &RequestContext) -> Result<Self, NetworkError> {
        let began = Instant::now();
        let mut waiting = addresses.iter();
        let mut attempts: Vec<(SocketAddr, Raw)> = Vec::new();
        let mut last_start: Option<Instant> = None;
        let mut causes: Vec<String> = Vec::new();
        loop {
            let due = attempts.is_empty() || last_start.is_none_or(|at| at.elapsed() >= ATTEMPT_DELAY);
            if due && let Some(&address) = waiting.next() {
                match begin_connect(address) {
                    Ok(raw) => {
                        attempts.push((address, raw));
                        last_start = Some(Instant::now());
                    }
                    Err(error) => causes.push(format!("{address}: {error}")),
                }
                continue;
            }
            if attempts.is_empty() {
                return Err(NetworkError::new(FailureKind::Offline, causes));
            }
            let slice = context.call.slice()?;
            let ready: Vec<bool> = {
                let mut fds: Vec<PollFd<'_>> =
                    attempts.iter().map(|(_, raw)| PollFd::new(raw, PollFlags::OUT)).collect();
                poll(&mut fds, slice).map_err(|error| lost(&error))?;
                fds.iter().map(|fd| !fd.revents().is_empty()).collect()
            };
            let mut at = 0;
            for is_ready in ready {
                // Every attempt is checked: Windows before version 2004 does not report a rejected
                // connection as ready.
                let error = attempts[at].1.take_error().unwrap_or_else(Some);
                if !is_ready && error.is_none() {
                    at += 1;
                    continue;
                }
                let (address, raw) = attempts.remove(at);
                match error {
                    None => {
                        context.set_new_connection();
                        context.record_timing(|timings| timings.connect = Some(began.elapsed()));
                        return Self::connected(raw).map_err(|error| lost(&error));
                    }
                    Some(error) => {
                        causes.push(format!("{address}: {error}"));
                        // The next address need not wait for one that has failed.
                        last_start = None;
                    }
                }
            }
        }
    }

    fn connected(raw: Raw) -> io::Result<Self> {
        #[cfg(unix)]
        wait_by_slices(&raw)?;
        detect_dead_peer(&raw);
        let stream: TcpStream = raw.into();
        stream.set_nodelay(true)?;
        Ok(Self { stream })
    }

    /// Returns whether the idle connection can still be used. None: bytes have arrived unasked, and
    /// the layer above must check them.
    pub fn idle_state(&self) -> Option<bool> {
        match self.peek_now(&mut [0]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Some(true),
            Ok(bytes) if bytes > 0 => None,
            _ => Some(false),
        }
    }

    #[cfg(unix)]
    fn peek_now(&self, into: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::net::recv(&self.stream, into, RecvFlags::DONTWAIT | RecvFlags::PEEK)?.1)
    }

    #[cfg(not(unix))]
    fn peek_now(&self, into: &mut [u8]) -> io::Result<usize> {
        self.stream.peek(into)
    }

    /// Reads the received bytes without waiting.
    #[cfg(unix)]
    pub fn read_now(&self, into: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::net::recv(&self.stream, into, RecvFlags::DONTWAIT)?.1)
    }

    #[cfg(not(unix))]
    pub fn read_now(&self, into: &mut [u8]) -> io::Result<usize> {
        (&self.stream).read(into)
    }

    /// Returns the socket for reading and writing within the limits of a call.
    pub fn during<'a>(&'a self, call: &'a Call) -> BoundedSocket<'a> {
        BoundedSocket { stream: &self.stream, call }
    }
}

/// A socket within the limits of a call.
pub(super) struct BoundedSocket<'a> {
    stream: &'a TcpStream,
    call: &'a Call,
}

impl BoundedSocket<'_> {
    /// Reads or writes until bytes have moved or the call is over.
    fn attempt(&self, flags: PollFlags, mut act: impl FnMut(&TcpStream) -> io::Result<usize>) -> io::Result<usize> {
        loop {
            let slice = self.call.slice()?;
            match act(self.stream) {
                // No bytes yet, or a signal arrived. On Unix the socket has waited.
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                    if cfg!(not(unix)) {
                        poll(&mut [PollFd::new(self.stream, flags)], slice).map_err(|error| lost(&error))?;
                    }
                }
                Err(error) => return Err(lost(&error).into()),
                Ok(bytes) => return Ok(bytes),
            }
        }
    }
}

impl Read for BoundedSocket<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.attempt(PollFlags::IN, |mut stream| stream.read(into))
    }
}

impl Write for BoundedSocket<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.attempt(PollFlags::OUT, |mut stream| stream.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn lost(error: &io::Error) -> NetworkError {
    NetworkError::new(FailureKind::Lost, vec![error.to_string()])
}

/// Lets reading and writing wait for a slice and then report `WouldBlock`.
#[cfg(unix)]
fn wait_by_slices(raw: &Raw) -> io::Result<()> {
    raw.set_nonblocking(false)?;
    raw.set_read_timeout(Some(SLICE))?;
    raw.set_write_timeout(Some(SLICE))
}

/// Lets the system detect a peer that has disappeared, before the next request is sent to it. A
/// system that lacks an option serves without it.
fn detect_dead_peer(raw: &Raw) {
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_TIME).with_interval(KEEPALIVE_INTERVAL);
    let _ = raw.set_tcp_keepalive(&keepalive.with_retries(KEEPALIVE_PROBES));
    let _ = limit_unacknowledged(raw, UNACKNOWLEDGED_LIMIT);
}

fn begin_connect(address: SocketAddr) -> io::Result<Raw> {
    let raw = Raw::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    raw.set_nonblocking(true)?;
    match raw.connect(&address.into()) {
        Ok(()) => Ok(raw),
        Err(error) if in_progress(&error) => Ok(raw),
        Err(error) => Err(error),
    }
}

fn in_progress(error: &io::Error) -> bool {
    #[cfg(unix)]
    let in_progress = error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error());
    #[cfg(not(unix))]
    let in_progress = false;
    in_progress || error.kind() == ErrorKind::WouldBlock
}

/// Returns true when a descriptor is ready, or broken, which the next read or write reports.
fn poll(fds: &mut [PollFd<'_>], limit: Duration) -> io::Result<bool> {
    let limit = Timespec::try_from(limit).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
    match rustix::event::poll(fds, Some(&limit)) {
        Ok(ready) => Ok(ready > 0),
        Err(error) if error == rustix::io::Errno::INTR => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use socket2::SockRef;
    use std::net::TcpListener;
    use std::sync::Arc;

    #[test]
    fn connected_socket_has_keepalive_and_user_timeout() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let call = Arc::new(Call::new(Instant::now() + Duration::from_secs(9), &Arc::default()));
        let context = RequestContext::new(&call, None);
        let socket = Socket::connect(&[server.local_addr().unwrap()], &context).unwrap();
        let options = SockRef::from(&socket.stream);
        assert!(options.keepalive().unwrap());
        assert_eq!(options.tcp_keepalive_time().unwrap(), KEEPALIVE_TIME);
        assert_eq!(options.tcp_keepalive_interval().unwrap(), KEEPALIVE_INTERVAL);
        assert_eq!(options.tcp_keepalive_retries().unwrap(), KEEPALIVE_PROBES);
        assert_eq!(options.tcp_user_timeout().unwrap(), Some(UNACKNOWLEDGED_LIMIT));
    }
}
