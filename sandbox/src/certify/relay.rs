//! The network between the till and the sandbox: relays bytes until it is cut, then rejects
//! connections.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

/// A relay. Dropping it cuts it.
pub(super) struct Relay {
    at: SocketAddr,
    to: SocketAddr,
    line: Option<OpenRelay>,
}

impl Relay {
    /// Returns a relay to an address.
    pub fn new(at: SocketAddr, to: SocketAddr) -> io::Result<Relay> {
        let line = OpenRelay::open(at, to)?;
        Ok(Relay { at: line.at, to, line: Some(line) })
    }

    /// Returns the till's end of the connection whose other end the server sees, and the end that
    /// the till connects to.
    pub fn till_of(&self, seen: SocketAddr) -> Option<(SocketAddr, SocketAddr)> {
        let connections = self.line.as_ref()?.connections.lock().unwrap_or_else(PoisonError::into_inner);
        let till = connections.iter().find(|(_, server)| server.local_addr().is_ok_and(|at| at == seen));
        Some((till?.0.peer_addr().ok()?, self.at))
    }

    /// Returns the address that the till connects to.
    pub fn at(&self) -> SocketAddr {
        self.at
    }

    /// Closes every connection and rejects new ones.
    pub fn cut(&mut self) {
        self.line = None;
    }

    /// Accepts connections again, at the same address.
    pub fn restore(&mut self) -> io::Result<()> {
        self.line = Some(OpenRelay::open(self.at, self.to)?);
        Ok(())
    }
}

/// A relay that accepts connections.
struct OpenRelay {
    at: SocketAddr,
    closing: Arc<AtomicBool>,
    connections: Arc<Mutex<Vec<(TcpStream, TcpStream)>>>,
    accepting: Option<JoinHandle<()>>,
}

impl OpenRelay {
    fn open(at: SocketAddr, to: SocketAddr) -> io::Result<OpenRelay> {
        let listener = TcpListener::bind(at)?;
        let at = listener.local_addr()?;
        let (closing, connections) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (close, open) = (Arc::clone(&closing), Arc::clone(&connections));
        let accepting = thread::spawn(move || {
            for till in listener.incoming() {
                if close.load(Ordering::SeqCst) {
                    return;
                }
                let _ = till.and_then(|till| connect(till, to, &open));
            }
        });
        Ok(OpenRelay { at, closing, connections, accepting: Some(accepting) })
    }
}

impl Drop for OpenRelay {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::SeqCst);
        // This connection wakes the listener's thread, so that the thread ends before this function
        // returns.
        let _ = TcpStream::connect(self.at);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
        for (till, server) in self.connections.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = till.shutdown(Shutdown::Both);
            let _ = server.shutdown(Shutdown::Both);
        }
    }
}

fn connect(till: TcpStream, to: SocketAddr, open: &Mutex<Vec<(TcpStream, TcpStream)>>) -> io::Result<()> {
    let server = TcpStream::connect(to)?;
    open.lock().unwrap_or_else(PoisonError::into_inner).push((till.try_clone()?, server.try_clone()?));
    for (mut from, mut to) in [(till.try_clone()?, server.try_clone()?), (server, till)] {
        thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
        });
    }
    Ok(())
}
