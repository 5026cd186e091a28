//! `ureq`'s connection, made of our stream: one write a request, small buffers, the gate of the call in front of the first byte
//! of a request, and the head's secret part, which `ureq` never sees.

use super::FailureKind;
use super::call;
use super::connect::Connections;
use super::stream::Stream;
use crate::secret::Wiped;
use std::fmt;
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport};

const INPUT_BUFFER: usize = 16 << 10;
const OUTPUT_BUFFER: usize = 4 << 10;
/// More than a whole request of ours; beyond it the buffered bytes are sent before the request is complete.
const COALESCE: usize = 32 << 10;
/// How long a connection may be idle where the server does not want less: shorter than what lies between forgets one.
const IDLE_MS: u64 = 50_000;

/// Where `ureq` gets its connections.
pub(crate) struct ConnectionSource(pub Arc<Connections>);

impl fmt::Debug for ConnectionSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConnectionSource")
    }
}

impl Connector<()> for ConnectionSource {
    type Out = Connection;

    fn connect(&self, details: &ConnectionDetails, _: Option<()>) -> Result<Option<Connection>, ureq::Error> {
        Ok(Some(self.0.connection(&details.addrs)?))
    }
}

/// A connection of the pool.
pub(crate) struct Connection {
    buffers: LazyBuffers,
    /// What is to be sent: head and body go out together. It holds the key, and what a member is searched by.
    unsent: Wiped,
    stream: Stream,
    used: Instant,
    /// An answer has come, and nobody has looked since whether the connection is still good.
    answered: bool,
    idle_limit: Arc<AtomicU64>,
}

impl Connection {
    pub fn new(stream: Stream) -> Self {
        Self {
            buffers: LazyBuffers::new(INPUT_BUFFER, OUTPUT_BUFFER),
            unsent: Wiped::default(),
            stream,
            used: Instant::now(),
            answered: false,
            idle_limit: Arc::new(IDLE_MS.into()),
        }
    }

    /// Whether the next request may be sent on it.
    pub fn is_good(&mut self) -> bool {
        let idle = self.used.elapsed().as_millis();
        self.unsent.is_empty() && idle < self.idle_limit.load(Ordering::Relaxed).into() && self.stream.is_open()
    }

    /// Sends what is buffered. The call's gate is passed here: before it nothing of the request has left.
    fn send(&mut self) -> Result<(), ureq::Error> {
        if self.unsent.is_empty() {
            return Ok(());
        }
        if !call::current()?.begin_sending() {
            return Err(call::fail(FailureKind::Interrupted, Vec::new()).into());
        }
        call::note_connection(&self.idle_limit);
        self.stream.write_all(&self.unsent)?;
        self.unsent.clear();
        Ok(())
    }
}

impl Transport for Connection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), ureq::Error> {
        let mut output = &self.buffers.output()[..amount];
        if let Some(head) = call::take_head() {
            // The request's first bytes. `ureq` was given the target "/"; ours takes its place, with our header lines.
            let space = output.iter().position(|byte| *byte == b' ').map_or(0, |at| at + 1);
            let line = output.windows(2).position(|two| two == b"\r\n").map_or(space, |at| at + 2);
            self.unsent.push(&output[..space]);
            self.unsent.push(&head);
            output = &output[line..];
        }
        self.unsent.push(output);
        if self.unsent.len() > COALESCE {
            self.send()?;
        }
        Ok(())
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, ureq::Error> {
        self.send()?;
        let into = self.buffers.input_append_buf();
        if into.is_empty() {
            // Full, and still no line of it made sense.
            let says = "the head of the answer, or a line of it, is longer than 16 KB";
            return Err(call::fail(FailureKind::NotHttp, vec![says.into()]).into());
        }
        let received = self.stream.read(into)?;
        self.buffers.input_appended(received);
        (self.used, self.answered) = (Instant::now(), true);
        Ok(received > 0)
    }

    fn is_open(&mut self) -> bool {
        // `ureq` asks as it puts the connection back and again as it takes it out. Only then it is worth a look at the socket.
        match std::mem::take(&mut self.answered) {
            true => self.unsent.is_empty() && self.stream.is_quiet(),
            false => self.is_good(),
        }
    }

    fn is_tls(&self) -> bool {
        self.stream.is_tls()
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connection")
    }
}
