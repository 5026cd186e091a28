//! A TCP connection whose every wait ends in time: no wait is longer than a slice, and after each the current call is looked at.
//! On Unix reading and writing themselves wait for a slice, which is a system call less than asking first; on Windows, where a socket
//! is not to be used after its time-out, they do not wait and a poll does. Addresses are tried side by side, a little apart.

use super::FailureKind;
use super::call;
use rustix::event::{PollFd, PollFlags, Timespec};
#[cfg(unix)]
use rustix::net::RecvFlags;
use socket2::{Domain, Protocol, Socket as Raw, Type};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// The next address is tried when the one before has not answered for this long (RFC 8305 recommends 250 ms).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
}

impl Socket {
    /// Connects to the first of `addresses` that answers.
    pub fn connect(addresses: &[SocketAddr]) -> io::Result<Self> {
        let call = call::current()?;
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
                return Err(call::fail(FailureKind::Offline, causes));
            }
            let slice = call.slice().map_err(call::fail_ended)?;
            let ready: Vec<bool> = {
                let mut fds: Vec<PollFd<'_>> =
                    attempts.iter().map(|(_, raw)| PollFd::new(raw, PollFlags::OUT)).collect();
                poll(&mut fds, slice)?;
                fds.iter().map(|fd| !fd.revents().is_empty()).collect()
            };
            let mut at = 0;
            for is_ready in ready {
                // Asked for of all: Windows before version 2004 does not report a refused connection as ready.
                let error = attempts[at].1.take_error().unwrap_or_else(Some);
                if !is_ready && error.is_none() {
                    at += 1;
                    continue;
                }
                let (address, raw) = attempts.remove(at);
                match error {
                    None => {
                        call::note_fresh_connection();
                        call::note_times(|times| times.connect = Some(began.elapsed()));
                        #[cfg(unix)]
                        wait_by_slices(&raw)?;
                        let stream: TcpStream = raw.into();
                        stream.set_nodelay(true)?;
                        return Ok(Self { stream });
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

    /// Whether the idle connection can still be used. `Some(true)`: yes. `Some(false)`: no.
    /// `None`: bytes have come in unasked, and the layer above has to look at them.
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

    /// Reads what is there without waiting.
    #[cfg(unix)]
    pub fn read_now(&mut self, into: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::net::recv(&self.stream, into, RecvFlags::DONTWAIT)?.1)
    }

    #[cfg(not(unix))]
    pub fn read_now(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.stream.read(into)
    }

    /// Reads or writes until something comes of it or the call ends.
    fn attempt(&self, flags: PollFlags, mut act: impl FnMut(&TcpStream) -> io::Result<usize>) -> io::Result<usize> {
        let call = call::current()?;
        loop {
            let slice = call.slice().map_err(call::fail_ended)?;
            match act(&self.stream) {
                // Nothing yet, or a signal came. On Unix it has waited.
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                    if cfg!(not(unix)) {
                        poll(&mut [PollFd::new(&self.stream, flags)], slice)?;
                    }
                }
                Err(error) => return Err(call::fail(FailureKind::Lost, vec![error.to_string()])),
                Ok(bytes) => return Ok(bytes),
            }
        }
    }
}

/// Reading and writing wait for a slice, and then say that they would block.
#[cfg(unix)]
fn wait_by_slices(raw: &Raw) -> io::Result<()> {
    raw.set_nonblocking(false)?;
    raw.set_read_timeout(Some(call::SLICE))?;
    raw.set_write_timeout(Some(call::SLICE))
}

impl Read for Socket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.attempt(PollFlags::IN, |mut stream| stream.read(into))
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.attempt(PollFlags::OUT, |mut stream| stream.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
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

/// True when a descriptor is ready (or broken, which reading or writing will tell).
fn poll(fds: &mut [PollFd<'_>], limit: Duration) -> io::Result<bool> {
    // Rounded up: a wait that ends before its time would spin.
    let limit = Timespec::try_from(limit).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
    match rustix::event::poll(fds, Some(&limit)) {
        Ok(ready) => Ok(ready > 0),
        Err(error) if error == rustix::io::Errno::INTR => Ok(false),
        Err(error) => Err(call::fail(FailureKind::Lost, vec![error.to_string()])),
    }
}
