//! `ureq`'s connection, made of our socket and rustls: one write a request, small buffers, and the gate of the call
//! in front of the first byte of a request.

use super::FailureKind;
use super::call;
use super::resolve::{Names, host_and_port};
use super::socket::Socket;
use crate::error::chain;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport};

const INPUT_BUFFER: usize = 16 << 10;
const OUTPUT_BUFFER: usize = 4 << 10;
/// More than a whole request of ours; beyond it the buffered bytes are sent before the request is complete.
const COALESCE: usize = 32 << 10;

pub(crate) struct Dialer {
    tls: Arc<ClientConfig>,
    names: Names,
}

impl Dialer {
    pub fn new(tls: Arc<ClientConfig>, names: Names) -> Self {
        Self { tls, names }
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dialer")
    }
}

impl Connector<()> for Dialer {
    type Out = Connection;

    fn connect(&self, details: &ConnectionDetails, _: Option<()>) -> Result<Option<Connection>, ureq::Error> {
        let (host, port) = host_and_port(details.uri)?;
        let socket = Socket::connect(&details.addrs).inspect_err(|_| self.names.forget(host, port))?;
        let tls = match details.needs_tls() {
            true => Some(Box::new(handshake(&self.tls, host)?)),
            false => None,
        };
        let mut connection =
            Connection { buffers: LazyBuffers::new(INPUT_BUFFER, OUTPUT_BUFFER), unsent: Vec::new(), tls, socket };
        connection.complete_handshake()?;
        Ok(Some(connection))
    }
}

fn handshake(config: &Arc<ClientConfig>, host: &str) -> io::Result<ClientConnection> {
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(bare).map_err(|error| call::fail(FailureKind::Tls, chain(&error)))?;
    ClientConnection::new(config.clone(), name).map_err(|error| call::fail(FailureKind::Tls, chain(&error)))
}

/// A connection of the pool.
pub(crate) struct Connection {
    buffers: LazyBuffers,
    /// What `ureq` has written and has not been sent: head and body go out together.
    unsent: Vec<u8>,
    tls: Option<Box<ClientConnection>>,
    socket: Socket,
}

impl Connection {
    fn complete_handshake(&mut self) -> io::Result<()> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        while tls.is_handshaking() {
            if let Err(error) = tls.complete_io(&mut self.socket) {
                // The socket notes its own failures first; what is left is a server that hangs up or rustls' verdict.
                let kind = match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                    Some(_) => FailureKind::Tls,
                    None => FailureKind::TlsEnded,
                };
                let cause = error.get_ref().map_or_else(|| vec![error.to_string()], |inner| chain(inner));
                return Err(call::fail(kind, cause));
            }
        }
        Ok(())
    }

    /// Sends what is buffered. The call's gate is passed here: before it nothing of the request has left.
    fn send(&mut self) -> io::Result<()> {
        if self.unsent.is_empty() {
            return Ok(());
        }
        if !call::current()?.begin_sending() {
            return Err(call::fail(FailureKind::Interrupted, Vec::new()));
        }
        match &mut self.tls {
            None => self.socket.write_all(&self.unsent)?,
            Some(tls) => {
                tls.writer().write_all(&self.unsent)?;
                while tls.wants_write() {
                    tls.write_tls(&mut self.socket)?;
                }
            }
        }
        self.unsent.clear();
        Ok(())
    }

    /// One read; 0 is the peer's end of the stream.
    fn receive(&mut self) -> io::Result<usize> {
        let into = self.buffers.input_append_buf();
        if into.is_empty() {
            // Full, and still no line of it made sense.
            let says = "the head of the answer, or a line of it, is longer than 16 KB";
            return Err(call::fail(FailureKind::NotHttp, vec![says.into()]));
        }
        let Some(tls) = &mut self.tls else { return self.socket.read(into) };
        loop {
            match tls.reader().read(into) {
                Ok(bytes) => return Ok(bytes),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(call::fail(FailureKind::Lost, vec![error.to_string()])),
            }
            if tls.read_tls(&mut self.socket)? == 0 {
                // Without close_notify: rustls reports it at the next read as UnexpectedEof.
            }
            if let Err(error) = tls.process_new_packets() {
                return Err(call::fail(FailureKind::Lost, chain(&error)));
            }
            while tls.wants_write() {
                tls.write_tls(&mut self.socket)?;
            }
        }
    }
}

impl Transport for Connection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), ureq::Error> {
        let output = &self.buffers.output()[..amount];
        self.unsent.extend_from_slice(output);
        if self.unsent.len() > COALESCE {
            self.send()?;
        }
        Ok(())
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, ureq::Error> {
        self.send()?;
        let received = self.receive()?;
        self.buffers.input_appended(received);
        Ok(received > 0)
    }

    fn is_open(&mut self) -> bool {
        if !self.unsent.is_empty() {
            return false;
        }
        // What rustls has deciphered and nobody has read is an answer nobody asked for: the next request would get it.
        if let Some(tls) = &mut self.tls
            && !is_quiet(tls)
        {
            return false;
        }
        match (self.socket.idle_state(), &mut self.tls) {
            (Some(open), _) => open,
            (None, None) => false,
            // Session tickets and the like may come in at any time; an end of the stream or data may not.
            (None, Some(tls)) => {
                let mut unasked = [0; 4096];
                let Ok(bytes) = self.socket.read_now(&mut unasked) else { return false };
                let mut unread = &unasked[..bytes];
                while !unread.is_empty() {
                    if !matches!(tls.read_tls(&mut unread), Ok(1..)) {
                        return false;
                    }
                    if !is_quiet(tls) {
                        return false;
                    }
                }
                !tls.wants_write() && self.socket.idle_state() == Some(true)
            }
        }
    }

    fn is_tls(&self) -> bool {
        self.tls.is_some()
    }
}

/// Whether nothing is there to be read and more may come.
fn is_quiet(tls: &mut ClientConnection) -> bool {
    tls.process_new_packets().is_ok_and(|state| state.plaintext_bytes_to_read() == 0 && !state.peer_has_closed())
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connection")
    }
}
