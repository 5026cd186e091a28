//! A socket with TLS on it or without: bytes in, bytes out, and whether it is still good for a request.

use super::FailureKind;
use super::call;
use super::socket::Socket;
use crate::core::error::chain;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use std::io::{self, Read, Write};
use std::ops::Range;
use std::sync::Arc;

/// rustls reads 4 KB at a time; the socket is read this much at once.
const INBOX: usize = 32 << 10;

pub(crate) struct Stream {
    tls: Option<Box<ClientConnection>>,
    socket: Socket,
    inbox: Inbox,
}

/// What the socket has given and rustls has not taken yet.
#[derive(Default)]
struct Inbox {
    bytes: Vec<u8>,
    unread: Range<usize>,
}

impl Inbox {
    /// Where new bytes go, once all the old ones are taken.
    fn space(&mut self) -> &mut [u8] {
        self.bytes.resize(INBOX, 0);
        &mut self.bytes
    }
}

impl Read for Inbox {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let bytes = (&self.bytes[self.unread.clone()]).read(into)?;
        self.unread.start += bytes;
        Ok(bytes)
    }
}

impl Stream {
    pub fn plain(socket: Socket) -> Self {
        Self { tls: None, socket, inbox: Inbox::default() }
    }

    /// Does the handshake with the server of this name. rustls' verdict comes as it is, inside the error.
    pub fn secure(mut socket: Socket, config: &Arc<ClientConfig>, host: &str) -> io::Result<Self> {
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(bare).map_err(|error| call::fail(FailureKind::Tls, chain(&error)))?;
        let mut tls = ClientConnection::new(config.clone(), name).map_err(io::Error::other)?;
        while tls.is_handshaking() {
            tls.complete_io(&mut socket)?;
        }
        Ok(Self { tls: Some(Box::new(tls)), socket, inbox: Inbox::default() })
    }

    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Whether nothing has been received that nobody has read: an answer nobody asked for, which the next request would get.
    pub fn is_quiet(&mut self) -> bool {
        let Some(tls) = &mut self.tls else { return true };
        while is_quiet(tls) {
            if self.inbox.unread.is_empty() {
                return true;
            }
            // Session tickets and the like may come in at any time; an end of the stream or data may not.
            if !matches!(tls.read_tls(&mut self.inbox), Ok(1..)) {
                return false;
            }
        }
        false
    }

    pub fn is_open(&mut self) -> bool {
        if !self.is_quiet() {
            return false;
        }
        match self.socket.idle_state() {
            Some(open) => open,
            None if self.tls.is_none() => false,
            None => {
                let Ok(bytes) = self.socket.read_now(self.inbox.space()) else { return false };
                self.inbox.unread = 0..bytes;
                self.is_quiet()
                    && self.tls.as_ref().is_none_or(|tls| !tls.wants_write())
                    && self.socket.idle_state() == Some(true)
            }
        }
    }
}

/// Whether nothing is there to be read and more may come.
fn is_quiet(tls: &mut ClientConnection) -> bool {
    tls.process_new_packets().is_ok_and(|state| state.plaintext_bytes_to_read() == 0 && !state.peer_has_closed())
}

impl Read for Stream {
    /// One read; 0 is the peer's end of the stream.
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return self.socket.read(into) };
        loop {
            match tls.reader().read(into) {
                Ok(bytes) => return Ok(bytes),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(call::fail(FailureKind::Lost, vec![error.to_string()])),
            }
            if self.inbox.unread.is_empty() {
                self.inbox.unread = 0..self.socket.read(self.inbox.space())?;
            }
            if tls.read_tls(&mut self.inbox)? == 0 {
                // Without close_notify: rustls reports it at the next read as UnexpectedEof.
            }
            if let Err(error) = tls.process_new_packets() {
                // With TLS 1.3 a server says only now that it wants another certificate.
                let (kind, advice) = match (&error, super::tls::advice(&error)) {
                    (rustls::Error::AlertReceived(_), Some(advice)) => (FailureKind::Tls, Some(advice.to_owned())),
                    _ => (FailureKind::Lost, None),
                };
                return Err(call::fail(kind, chain(&error).into_iter().chain(advice).collect()));
            }
            while tls.wants_write() {
                tls.write_tls(&mut self.socket)?;
            }
        }
    }
}

impl Write for Stream {
    /// Sends all of it: nothing is kept back.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.socket.write_all(bytes)?,
            Some(tls) => {
                tls.writer().write_all(bytes)?;
                while tls.wants_write() {
                    tls.write_tls(&mut self.socket)?;
                }
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
