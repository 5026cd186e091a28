//! One request's way through the network: until when, who may end it early, and whether anything has left the till.
//! The gate here is what lets the library say *not sent* with proof (invariant 4).

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How often a wait looks whether it was interrupted. Invariant 8 allows 50 ms.
pub(crate) const SLICE: Duration = Duration::from_millis(10);

/// A counter that ends every call begun before it moved.
#[derive(Debug, Default)]
pub(crate) struct Interrupt {
    epoch: AtomicU64,
    closed: AtomicBool,
}

impl Interrupt {
    /// Ends all calls that are under way now; later ones are not touched.
    pub fn fire(&self) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }

    /// Ends all calls, because there will be no more. False when that was said before.
    pub fn close(&self) -> bool {
        let first = !self.closed.swap(true, Ordering::SeqCst);
        self.fire();
        first
    }

    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
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
    interrupt: Arc<Interrupt>,
    epoch: u64,
    gate: AtomicU8,
}

impl Call {
    pub fn new(deadline: Instant, interrupt: &Arc<Interrupt>) -> Self {
        Self { deadline, interrupt: interrupt.clone(), epoch: interrupt.epoch(), gate: AtomicU8::new(IDLE) }
    }

    /// The same call for a request that is sent once more.
    pub fn again(&self) -> Self {
        Self {
            deadline: self.deadline,
            interrupt: self.interrupt.clone(),
            epoch: self.epoch,
            gate: AtomicU8::new(IDLE),
        }
    }

    pub fn ended(&self) -> Option<Ended> {
        if self.interrupt.epoch() != self.epoch || self.gate.load(Ordering::SeqCst) == WITHDRAWN {
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
    /// A connection was made for it; false means one from the pool is used.
    pub fresh: bool,
    pub failure: Option<Failed>,
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
pub(crate) fn scope<T>(call: &Arc<Call>, work: impl FnOnce() -> T) -> (T, Current) {
    struct Clear;
    impl Drop for Clear {
        fn drop(&mut self) {
            CURRENT.set(None);
        }
    }
    CURRENT.set(Some(Current { call: call.clone(), fresh: false, failure: None }));
    let clear = Clear;
    let result = work();
    let current = CURRENT.take().expect("set above, and scopes are not nested");
    drop(clear);
    (result, current)
}

/// The current request's call. Without one (which does not happen) every wait ends at once.
pub(crate) fn current() -> io::Result<Arc<Call>> {
    CURRENT.with_borrow(|current| match current {
        Some(current) => Ok(current.call.clone()),
        None => Err(io::Error::other("no request is under way on this thread")),
    })
}

pub(crate) fn note_fresh_connection() {
    CURRENT.with_borrow_mut(|current| {
        if let Some(current) = current {
            current.fresh = true;
        }
    });
}

/// Notes why the request fails and makes the error that carries it through `ureq`. The first note stays: it is nearest to the cause.
pub(crate) fn fail(kind: super::FailureKind, cause: Vec<String>) -> io::Error {
    CURRENT.with_borrow_mut(|current| {
        if let Some(current) = current
            && current.failure.is_none()
        {
            current.failure = Some(Failed { kind, cause });
        }
    });
    io::Error::other("the request was given up")
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
        let interrupt = Arc::new(Interrupt::default());
        for _ in 0..2_000 {
            let call = Call::new(Instant::now() + Duration::from_secs(9), &interrupt);
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
        let interrupt = Arc::new(Interrupt::default());
        let deadline = Instant::now() + Duration::from_secs(9);
        let before = Call::new(deadline, &interrupt);
        interrupt.fire();
        let after = Call::new(deadline, &interrupt);
        assert_eq!(before.ended(), Some(Ended::Interrupted));
        assert_eq!(after.ended(), None);
    }
}
