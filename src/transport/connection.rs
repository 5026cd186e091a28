//! A connection of `ureq`'s pool.
//! It sends each request in one write. The call's gate stands before the first byte, and the secret
//! part of the head is inserted here, so that `ureq` never has it.

use super::FailureKind;
use super::context::{self, NetworkError, RequestContext};
use super::stream::Stream;
use crate::rt::BootTime;
use crate::secret::Wiped;
use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use ureq::unversioned::transport::{Buffers, LazyBuffers, NextTimeout, Transport};

const INPUT_BUFFER: usize = 16 << 10;
const OUTPUT_BUFFER: usize = 4 << 10;
/// More than a whole request. Beyond it, buffered bytes are sent before the request is complete.
const COALESCE_LIMIT: usize = 32 << 10;
/// The idle limit where the server does not set a shorter one: less than the time after which a
/// device on the way drops an idle connection.
const IDLE_LIMIT_MS: u64 = 50_000;

/// A connection of `ureq`'s pool.
pub(crate) struct Connection {
    buffers: LazyBuffers,
    /// Head and body of a request, which are sent together. They hold the API key and the value by
    /// which a member is searched.
    unsent: Wiped,
    stream: Stream,
    last_used: BootTime,
    /// A response has arrived, and the connection was not checked since.
    has_responded: bool,
    idle_limit: Arc<AtomicU64>,
}

impl Connection {
    pub fn new(stream: Stream) -> Self {
        Self {
            buffers: LazyBuffers::new(INPUT_BUFFER, OUTPUT_BUFFER),
            unsent: Wiped::default(),
            stream,
            last_used: BootTime::now(),
            has_responded: false,
            idle_limit: Arc::new(IDLE_LIMIT_MS.into()),
        }
    }

    /// Returns whether the next request may be sent on the connection.
    pub fn is_usable(&mut self) -> bool {
        let idle = self.last_used.elapsed().as_millis();
        self.unsent.is_empty() && idle < self.idle_limit.load(Ordering::Relaxed).into() && self.stream.is_open()
    }

    /// Sends the buffered bytes. The call's gate is passed here: before it nothing of the request
    /// has left.
    fn send(&mut self, context: &RequestContext) -> io::Result<()> {
        if self.unsent.is_empty() {
            return Ok(());
        }
        if !context.call.begin_sending() {
            return Err(NetworkError::new(FailureKind::Cancelled, Vec::new()).into());
        }
        context.set_connection(&self.idle_limit);
        self.stream.during(&context.call).write_all(&self.unsent)?;
        self.unsent.clear();
        Ok(())
    }
}

impl Transport for Connection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), ureq::Error> {
        let context = context::current()?;
        let mut output = &self.buffers.output()[..amount];
        if let Some(head) = context.take_head() {
            // The request's first bytes. `ureq` was given the target "/". The library's target and
            // header lines take its place.
            let space = output.iter().position(|byte| *byte == b' ').map_or(0, |at| at + 1);
            let line = output.windows(2).position(|two| two == b"\r\n").map_or(space, |at| at + 2);
            self.unsent.push(&output[..space]);
            self.unsent.push(&head);
            output = &output[line..];
        }
        self.unsent.push(output);
        if self.unsent.len() > COALESCE_LIMIT {
            self.send(&context)?;
        }
        Ok(())
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, ureq::Error> {
        let context = context::current()?;
        self.send(&context)?;
        let into = self.buffers.input_append_buf();
        if into.is_empty() {
            // The buffer is full and holds no complete line.
            let says = "the head of the response, or a line of it, is longer than 16 KB";
            return Err(io::Error::from(NetworkError::new(FailureKind::NotHttp, vec![says.into()])).into());
        }
        let received = self.stream.during(&context.call).read(into)?;
        self.buffers.input_appended(received);
        if received > 0 {
            context.set_response_began();
        }
        (self.last_used, self.has_responded) = (BootTime::now(), true);
        Ok(received > 0)
    }

    fn is_open(&mut self) -> bool {
        // `ureq` asks when it puts the connection back and again when it takes it out. Only the
        // second time is worth a system call.
        match std::mem::take(&mut self.has_responded) {
            true => self.unsent.is_empty() && self.stream.is_quiet(),
            false => {
                !context::current().is_ok_and(|context| context.call.requires_new_connection()) && self.is_usable()
            }
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
