//! The network between the till and the sandbox: relays bytes until it is cut, then rejects
//! connections.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use socket2::{Domain, Socket, Type};

/// A relay. Dropping it cuts it.
pub(super) struct Relay {
    at: SocketAddr,
    /// Has the address while the relay is cut: another connection of this computer would take it.
    /// It does not listen, so that the system rejects connections to it. Windows has no such
    /// socket beside one that listens.
    _held: Option<Socket>,
    to: SocketAddr,
    line: Option<OpenRelay>,
}

impl Relay {
    /// Returns a relay to an address.
    pub fn new(at: SocketAddr, to: SocketAddr) -> io::Result<Relay> {
        let held = if cfg!(unix) { Some(bind(at)?) } else { None };
        let at = held.as_ref().and_then(|socket| socket.local_addr().ok()?.as_socket()).unwrap_or(at);
        let line = OpenRelay::open(at, to)?;
        Ok(Relay { at: line.at, to, _held: held, line: Some(line) })
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

/// Binds a socket that may share its address with one that does not listen.
fn bind(at: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(at), Type::STREAM, None)?;
    if cfg!(unix) {
        socket.set_reuse_address(true)?;
    }
    socket.bind(&at.into())?;
    Ok(socket)
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
        let socket = bind(at)?;
        socket.listen(128)?;
        let listener = TcpListener::from(socket);
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

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_cut_relay_keeps_its_address() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut relay = Relay::new("127.0.0.1:0".parse().unwrap(), server.local_addr().unwrap()).unwrap();
        TcpStream::connect(relay.at()).unwrap();
        relay.cut();
        assert_eq!(TcpStream::connect(relay.at()).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        // The system gives a connection only an address that a socket without options could have.
        let other = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        assert_eq!(other.bind(&relay.at().into()).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        relay.restore().unwrap();
        TcpStream::connect(relay.at()).unwrap();
        let _ = server.accept().unwrap();
    }
}
