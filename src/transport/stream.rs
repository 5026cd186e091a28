//! A socket with or without TLS: it reads, writes and reports whether it can serve another request.

use super::FailureKind;
use super::call::Call;
use super::context::NetworkError;
use super::socket::Socket;
use super::validity;
use crate::core::check::Peer;
use crate::core::error::chain;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ProtocolVersion};
use std::io::{self, Read, Write};
use std::ops::Range;
use std::sync::Arc;

/// Size of one read of the socket. rustls itself reads only 4 KB at a time.
const RECEIVE_BUFFER: usize = 32 << 10;

pub(crate) struct Stream {
    tls: Option<Box<ClientConnection>>,
    socket: Socket,
    received: ReceiveBuffer,
}

/// Bytes that the socket has delivered and rustls has not taken yet.
#[derive(Default)]
struct ReceiveBuffer {
    bytes: Vec<u8>,
    unread: Range<usize>,
}

impl ReceiveBuffer {
    /// Returns the space for new bytes, once all old ones are taken.
    fn space(&mut self) -> &mut [u8] {
        self.bytes.resize(RECEIVE_BUFFER, 0);
        &mut self.bytes
    }
}

impl Read for ReceiveBuffer {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let bytes = (&self.bytes[self.unread.clone()]).read(into)?;
        self.unread.start += bytes;
        Ok(bytes)
    }
}

impl Stream {
    pub fn plain(socket: Socket) -> Self {
        Self { tls: None, socket, received: ReceiveBuffer::default() }
    }

    /// Performs the handshake with the server of this name. An error of rustls is returned
    /// unchanged, inside the `io::Error`.
    pub fn secure(socket: Socket, config: &Arc<ClientConfig>, host: &str, call: &Call) -> io::Result<Self> {
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(bare).map_err(|error| NetworkError::new(FailureKind::Tls, chain(&error)))?;
        let mut tls = ClientConnection::new(config.clone(), name).map_err(io::Error::other)?;
        while tls.is_handshaking() {
            tls.complete_io(&mut socket.during(call))?;
        }
        Ok(Self { tls: Some(Box::new(tls)), socket, received: ReceiveBuffer::default() })
    }

    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Returns what is known of the server's end. None without TLS.
    pub fn peer(&self) -> Option<Peer> {
        let tls = self.tls.as_ref()?;
        let chain = tls.peer_certificates().unwrap_or_default();
        Some(Peer {
            version: match tls.protocol_version() {
                Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
                Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
                _ => "TLS",
            },
            chain: chain.len(),
            expires_at: chain.iter().filter_map(|certificate| validity::not_after(certificate)).min(),
        })
    }

    /// Returns whether nothing was received that nobody has read. An unrequested response would be
    /// taken for the next request's.
    pub fn is_quiet(&mut self) -> bool {
        let Some(tls) = &mut self.tls else { return true };
        while is_quiet(tls) {
            if self.received.unread.is_empty() {
                return true;
            }
            // Session tickets may arrive at any time. Data or an end of the stream may not.
            if !matches!(tls.read_tls(&mut self.received), Ok(1..)) {
                return false;
            }
        }
        false
    }

    /// Returns whether the connection can serve another request.
    pub fn is_open(&mut self) -> bool {
        if !self.is_quiet() {
            return false;
        }
        match self.socket.idle_state() {
            Some(open) => open,
            None if self.tls.is_none() => false,
            None => {
                let Ok(bytes) = self.socket.read_now(self.received.space()) else { return false };
                self.received.unread = 0..bytes;
                self.is_quiet()
                    && self.tls.as_ref().is_none_or(|tls| !tls.wants_write())
                    && self.socket.idle_state() == Some(true)
            }
        }
    }

    /// Returns the stream for reading and writing within the limits of a call.
    pub fn during<'a>(&'a mut self, call: &'a Call) -> BoundedStream<'a> {
        BoundedStream { stream: self, call }
    }
}

/// Returns whether nothing can be read and more may arrive.
fn is_quiet(tls: &mut ClientConnection) -> bool {
    tls.process_new_packets().is_ok_and(|state| state.plaintext_bytes_to_read() == 0 && !state.peer_has_closed())
}

/// A stream within the limits of a call.
pub(super) struct BoundedStream<'a> {
    stream: &'a mut Stream,
    call: &'a Call,
}

impl Read for BoundedStream<'_> {
    /// Reads once. 0 is the peer's end of the stream.
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let Stream { tls, socket, received } = &mut *self.stream;
        let mut socket = socket.during(self.call);
        let Some(tls) = tls else { return socket.read(into) };
        loop {
            match tls.reader().read(into) {
                Ok(bytes) => return Ok(bytes),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(NetworkError::new(FailureKind::Lost, vec![error.to_string()]).into()),
            }
            if received.unread.is_empty() {
                received.unread = 0..socket.read(received.space())?;
            }
            if tls.read_tls(received)? == 0 {
                // No close_notify: rustls reports it at the next read as UnexpectedEof.
            }
            if let Err(error) = tls.process_new_packets() {
                // With TLS 1.3 a server reports only now that it does not accept the certificate.
                let (kind, advice) = match (&error, super::tls::advice(&error)) {
                    (rustls::Error::AlertReceived(_), Some(advice)) => (FailureKind::Tls, Some(advice.to_owned())),
                    _ => (FailureKind::Lost, None),
                };
                return Err(NetworkError::new(kind, chain(&error).into_iter().chain(advice).collect()).into());
            }
            while tls.wants_write() {
                tls.write_tls(&mut socket)?;
            }
        }
    }
}

impl Write for BoundedStream<'_> {
    /// Sends all bytes before it returns.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut socket = self.stream.socket.during(self.call);
        match &mut self.stream.tls {
            None => socket.write_all(bytes)?,
            Some(tls) => {
                tls.writer().write_all(bytes)?;
                while tls.wants_write() {
                    tls.write_tls(&mut socket)?;
                }
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
