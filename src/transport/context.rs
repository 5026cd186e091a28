//! The value that one request carries through the layers below `ureq`, and the error by which a
//! layer ends it.
//!
//! The context is an argument of every function of the transport but those that `ureq` calls.
//! `ureq` hands nothing of a request to its resolver, its connector or a pooled connection. For
//! these three, in `adapter` and `connection`, the context of the request under way is kept for the
//! thread. That is sound because `ureq` is synchronous: it calls all three on the thread that makes
//! the request.

use super::FailureKind;
use super::call::{Call, EndReason};
use crate::secret::Wiped;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// One request's call, its secret head and the facts that the layers record about it.
pub(crate) struct RequestContext {
    pub call: Arc<Call>,
    /// The request's target and the library's header lines, until they are sent.
    head: Cell<Option<Wiped>>,
    /// A connection was made for the request. False means that an existing one is used.
    new_connection: Cell<bool>,
    /// At least one byte of the response has arrived.
    response_began: Cell<bool>,
    timings: Cell<Timings>,
    /// The idle limit of the connection in use, in ms. The server's response may shorten it.
    idle_limit: RefCell<Option<Arc<AtomicU64>>>,
}

/// How long the parts of a request took. None: there was no such part.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Timings {
    pub resolve: Option<Duration>,
    pub connect: Option<Duration>,
    pub tunnel: Option<Duration>,
    pub tls: Option<Duration>,
}

impl RequestContext {
    pub fn new(call: &Arc<Call>, head: Option<Wiped>) -> Self {
        Self {
            call: call.clone(),
            head: Cell::new(head),
            new_connection: Cell::default(),
            response_began: Cell::default(),
            timings: Cell::default(),
            idle_limit: RefCell::default(),
        }
    }

    /// Returns a context for a side request that may take at most `limit`.
    pub fn within(&self, limit: Duration) -> Self {
        Self::new(&Arc::new(self.call.within(limit)), None)
    }

    /// Returns the request's target and the library's header lines, the first time it is called.
    pub fn take_head(&self) -> Option<Wiped> {
        self.head.take()
    }

    pub fn set_new_connection(&self) {
        self.new_connection.set(true);
    }

    pub fn is_new_connection(&self) -> bool {
        self.new_connection.get()
    }

    pub fn set_response_began(&self) {
        self.response_began.set(true);
    }

    pub fn response_began(&self) -> bool {
        self.response_began.get()
    }

    pub fn record_timing(&self, record: impl FnOnce(&mut Timings)) {
        let mut timings = self.timings.get();
        record(&mut timings);
        self.timings.set(timings);
    }

    pub fn timings(&self) -> Timings {
        self.timings.get()
    }

    /// Names the connection in use by its idle limit.
    pub fn set_connection(&self, idle_limit: &Arc<AtomicU64>) {
        *self.idle_limit.borrow_mut() = Some(idle_limit.clone());
    }

    /// Shortens the idle limit of the connection in use to the server's.
    pub fn limit_idling(&self, limit: Duration) {
        let ms = limit.as_millis().try_into().unwrap_or(u64::MAX);
        if let Some(connection) = &*self.idle_limit.borrow() {
            connection.store(ms, Ordering::Relaxed);
        }
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Rc<RequestContext>>> = const { RefCell::new(None) };
}

/// Runs a call of `ureq` with `context` as the thread's current one.
pub(super) fn enter<T>(context: &Rc<RequestContext>, work: impl FnOnce() -> T) -> T {
    /// Restores the context that was current before, also after a panic.
    struct Restore(Option<Rc<RequestContext>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            CURRENT.set(self.0.take());
        }
    }
    let _restore = Restore(CURRENT.replace(Some(context.clone())));
    work()
}

/// Returns the context of the request that `ureq` makes on this thread.
pub(super) fn current() -> io::Result<Rc<RequestContext>> {
    CURRENT.with_borrow(Clone::clone).ok_or_else(|| io::Error::other("no request is under way on this thread"))
}

/// The reason why a layer below `ureq` ended the request. It travels through `ureq` inside an
/// [`io::Error`].
#[derive(Debug, Clone)]
pub(crate) struct NetworkError {
    pub kind: FailureKind,
    /// From the general to the particular. The last link says what to do.
    pub cause: Vec<String>,
}

impl NetworkError {
    pub fn new(kind: FailureKind, cause: Vec<String>) -> Self {
        Self { kind, cause }
    }

    /// Returns the reason that an error carries, if a layer of this library made it.
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.cause.last().map_or("the request ended early", String::as_str))
    }
}

impl std::error::Error for NetworkError {}

impl From<NetworkError> for io::Error {
    fn from(error: NetworkError) -> Self {
        io::Error::other(error)
    }
}

impl From<EndReason> for NetworkError {
    fn from(reason: EndReason) -> Self {
        let kind = match reason {
            EndReason::TimedOut => FailureKind::TimedOut,
            EndReason::Cancelled => FailureKind::Cancelled,
        };
        Self::new(kind, Vec::new())
    }
}

impl From<EndReason> for io::Error {
    fn from(reason: EndReason) -> Self {
        NetworkError::from(reason).into()
    }
}
