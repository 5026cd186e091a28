//! One request's way through the network: until when, who may end it early, and whether anything has left the till.
//! The gate here is what lets the library say *not sent* with proof (invariant 4).

use crate::rt::Instant;
use crate::secret::Wiped;
use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

/// How often a wait looks whether it was interrupted. Invariant 8 allows 50 ms.
pub(crate) const SLICE: Duration = Duration::from_millis(10);

/// A counter that ends every call begun before it moved.
#[derive(Debug, Default)]
pub(crate) struct Cancellation {
    generation: AtomicU64,
    closed: AtomicBool,
}

impl Cancellation {
    /// Ends all calls that are under way now; later ones are not touched.
    pub fn cancel_all(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// Ends all calls, because there will be no more. False when that was said before.
    pub fn close(&self) -> bool {
        let first = !self.closed.swap(true, Ordering::SeqCst);
        self.cancel_all();
        first
    }

    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }
}

const IDLE: u8 = 0;
const SENDING: u8 = 1;
const WITHDRAWN: u8 = 2;

/// Why a request ended before its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    TimedOut,
    /// [`Interrupt::fire`] was called, or the request was withdrawn before it was sent.
    Interrupted,
}

/// One request's deadline, interrupt and gate.
#[derive(Debug)]
pub(crate) struct Call {
    deadline: Instant,
    cancellation: Arc<Cancellation>,
    generation: u64,
    gate: AtomicU8,
}

impl Call {
    pub fn new(deadline: Instant, cancellation: &Arc<Cancellation>) -> Self {
        Self {
            deadline,
            cancellation: cancellation.clone(),
            generation: cancellation.generation(),
            gate: AtomicU8::new(IDLE),
        }
    }

    /// The same call for a request that is sent once more.
    pub fn again(&self) -> Self {
        self.within(Duration::MAX)
    }

    /// The same call for something that may take so long at most.
    fn within(&self, limit: Duration) -> Self {
        let sooner = Instant::now().checked_add(limit).unwrap_or(self.deadline);
        Self {
            deadline: self.deadline.min(sooner),
            cancellation: self.cancellation.clone(),
            generation: self.generation,
            gate: AtomicU8::new(IDLE),
        }
    }

    #[cfg(feature = "simulation")]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    pub fn ended(&self) -> Option<Ended> {
        if self.cancellation.generation() != self.generation || self.gate.load(Ordering::SeqCst) == WITHDRAWN {
            Some(Ended::Interrupted)
        } else if Instant::now() >= self.deadline {
            Some(Ended::TimedOut)
        } else {
            None
        }
    }

    /// How long the next wait may last, or why there is none.
    pub fn slice(&self) -> Result<Duration, Ended> {
        match self.ended() {
            Some(ended) => Err(ended),
            None => {
                Ok(SLICE.min(self.deadline.saturating_duration_since(Instant::now())).max(Duration::from_millis(1)))
            }
        }
    }

    /// Passes the gate: from now on bytes of the request may be on their way. False when it was withdrawn before.
    pub fn begin_sending(&self) -> bool {
        self.gate.compare_exchange(IDLE, SENDING, Ordering::SeqCst, Ordering::SeqCst) != Err(WITHDRAWN)
    }

    /// Shuts the gate. True proves that nothing of the request has left, nor ever will.
    pub fn withdraw(&self) -> bool {
        self.gate.compare_exchange(IDLE, WITHDRAWN, Ordering::SeqCst, Ordering::SeqCst) != Err(SENDING)
    }

    /// Whether bytes of the request may have left.
    pub fn may_have_left(&self) -> bool {
        self.gate.load(Ordering::SeqCst) == SENDING
    }
}

/// What the layers below `ureq` know of the current request and `ureq` cannot carry.
pub(crate) struct Current {
    pub call: Arc<Call>,
    /// The request's target and our header lines, until they are sent.
    head: Option<Wiped>,
    /// A connection was made for it; false means one that was there already is used.
    pub fresh: bool,
    pub failure: Option<Failed>,
    /// How long the connection in use may be idle, in ms: the server's to say.
    idle_limit: Option<Arc<AtomicU64>>,
    pub times: Times,
}

impl Current {
    fn new(call: &Arc<Call>, head: Option<Wiped>) -> Self {
        Self { call: call.clone(), head, fresh: false, failure: None, idle_limit: None, times: Times::default() }
    }
}

/// How long the parts of a request took. None: there was no such part.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Times {
    pub resolve: Option<Duration>,
    pub connect: Option<Duration>,
    pub tunnel: Option<Duration>,
    pub tls: Option<Duration>,
}

/// The reason a layer below `ureq` gave up.
#[derive(Debug)]
pub(crate) struct Failed {
    pub kind: super::FailureKind,
    pub cause: Vec<String>,
}

thread_local! {
    // ureq is synchronous: connector, resolver and transport run on the thread that makes the request.
    static CURRENT: RefCell<Option<Current>> = const { RefCell::new(None) };
}

/// Runs `work` with `call` as this thread's current request; gives back what the layers below noted.
pub(crate) fn scope<T>(call: &Arc<Call>, head: Option<Wiped>, work: impl FnOnce() -> T) -> (T, Current) {
    /// Puts back what was the current request before, also after a panic.
    struct Restore(Option<Current>);
    impl Drop for Restore {
        fn drop(&mut self) {
            CURRENT.set(self.0.take());
        }
    }
    let restore = Restore(CURRENT.replace(Some(Current::new(call, head))));
    let result = work();
    let current = CURRENT.take().unwrap_or_else(|| Current::new(call, None));
    drop(restore);
    (result, current)
}

/// Runs `work` as something beside the current request, which may take so long at most and whose failure is its own.
pub(crate) fn aside<T>(limit: Duration, work: impl FnOnce() -> T) -> io::Result<T> {
    let call = Arc::new(current()?.within(limit));
    Ok(scope(&call, None, work).0)
}

/// The current request's call. Without one (which does not happen) every wait ends at once.
pub(crate) fn current() -> io::Result<Arc<Call>> {
    CURRENT.with_borrow(|current| match current {
        Some(current) => Ok(current.call.clone()),
        None => Err(io::Error::other("no request is under way on this thread")),
    })
}

fn with<T: Default>(work: impl FnOnce(&mut Current) -> T) -> T {
    CURRENT.with_borrow_mut(|current| current.as_mut().map(work).unwrap_or_default())
}

/// The request's target and our header lines, the first time it is asked for.
pub(crate) fn take_head() -> Option<Wiped> {
    with(|current| current.head.take())
}

pub(crate) fn note_fresh_connection() {
    with(|current| current.fresh = true);
}

pub(crate) fn note_times(note: impl FnOnce(&mut Times)) {
    with(|current| note(&mut current.times));
}

/// Notes which connection is used.
pub(crate) fn note_connection(idle_limit: &Arc<AtomicU64>) {
    with(|current| current.idle_limit = Some(idle_limit.clone()));
}

/// The server has said how long it keeps the connection that is used.
pub(crate) fn limit_idling(limit: Duration) {
    let ms = limit.as_millis().try_into().unwrap_or(u64::MAX);
    with(|current| {
        if let Some(connection) = &current.idle_limit {
            connection.store(ms, Ordering::Relaxed);
        }
    });
}

/// Notes why the request fails and makes the error that carries it through `ureq`. The first note stays: it is nearest to the cause.
pub(crate) fn fail(kind: super::FailureKind, cause: Vec<String>) -> io::Error {
    with(|current| {
        current.failure.get_or_insert(Failed { kind, cause });
    });
    io::Error::other("the request was given up")
}

/// Adds to the cause of the failure that was noted.
pub(crate) fn explain(text: String) {
    with(|current| {
        if let Some(failure) = &mut current.failure {
            failure.cause.push(text);
        }
    });
}

pub(crate) fn fail_ended(ended: Ended) -> io::Error {
    fail(
        match ended {
            Ended::TimedOut => super::FailureKind::TimedOut,
            Ended::Interrupted => super::FailureKind::Interrupted,
        },
        Vec::new(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gate_is_passed_or_shut_but_never_both() {
        let cancellation = Arc::new(Cancellation::default());
        for _ in 0..2_000 {
            let call = Call::new(Instant::now() + Duration::from_secs(9), &cancellation);
            let (sent, withdrawn) = std::thread::scope(|scope| {
                let sender = scope.spawn(|| call.begin_sending());
                (call.withdraw(), sender.join().unwrap())
            });
            assert!(sent != withdrawn);
            assert_eq!(call.may_have_left(), !sent, "withdraw gave {sent}, begin_sending gave {withdrawn}");
        }
    }

    #[test]
    fn firing_ends_the_calls_under_way_and_no_later_one() {
        let cancellation = Arc::new(Cancellation::default());
        let deadline = Instant::now() + Duration::from_secs(9);
        let before = Call::new(deadline, &cancellation);
        cancellation.cancel_all();
        let after = Call::new(deadline, &cancellation);
        assert_eq!(before.ended(), Some(Ended::Interrupted));
        assert_eq!(after.ended(), None);
    }
}
