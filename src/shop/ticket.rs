//! A caller that waits for an intent. The work is done by others, so that the caller is free to go at any time (invariant 8).

use crate::code::Code;
use crate::error::{Error, Result};
use crate::journal::Record;
use crate::transport::{Call, Interrupt, SLICE};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long after the wait a withdrawn request may take to become durably *not sent*. Invariant 8 allows 50 ms in all.
const GRACE: Duration = Duration::from_millis(35);

pub(crate) struct Ticket {
    state: Mutex<State>,
    changed: Condvar,
    /// The intent's first request, when this ticket is the one that starts it. The caller may withdraw it until it is sent.
    pub call: Arc<Call>,
}

#[derive(Default)]
#[allow(clippy::struct_excessive_bools)] // Four things that are true or not, independently.
struct State {
    /// The newest record of the intent.
    record: Option<Record>,
    joined: bool,
    /// A worker has taken it up. Until then nothing is recorded, and the caller may go as if it had never come.
    begun: bool,
    failed: Option<Error>,
    /// Nothing better will come.
    finished: bool,
    /// Why the caller went, once it did.
    gone: Option<Code>,
    /// Other callers follow the same intent, so it may not be withdrawn.
    shared: bool,
}

/// What a wait came to.
pub(crate) enum Waited {
    /// The newest record, whether the intent was there before, and why the caller stopped waiting if nothing is known.
    Record {
        record: Box<Record>,
        joined: bool,
        reason: Code,
    },
    Failed(Error),
    /// Nobody took the wish up, and nobody will. What it means if it is an intent already, only the journal knows.
    NeverBegun {
        not_sent: Code,
        pending: Code,
    },
    /// The wait ended before the journal answered.
    Nothing {
        reason: Code,
    },
}

impl Ticket {
    pub fn new(call: Arc<Call>) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), changed: Condvar::new(), call })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// News of the intent.
    pub fn tell(&self, record: &Record) {
        let mut state = self.lock();
        // News of an earlier start of the same intent may come late.
        if state.record.as_ref().is_some_and(|known| known.revision > record.revision) {
            return;
        }
        state.finished |= record.state.is_settled() || record.needs_review();
        state.record = Some(record.clone());
        let finished = state.finished;
        drop(state);
        // Whoever waits, waits for the end; waking it for less costs two changes of thread.
        if finished {
            self.changed.notify_all();
        }
    }

    /// Takes the wish up. False: the caller has gone, and it is not to be carried out.
    pub fn begin(&self) -> bool {
        let mut state = self.lock();
        state.begun = state.gone.is_none();
        state.begun
    }

    /// It follows an intent that is there already.
    pub fn joins(&self) {
        let mut state = self.lock();
        (state.joined, state.begun) = (true, true);
    }

    /// Another caller follows the same intent from now on.
    pub fn share(&self) {
        self.lock().shared = true;
    }

    /// There will be no news.
    pub fn fail(&self, error: Error) {
        let mut state = self.lock();
        state.failed = Some(error);
        state.finished = true;
        drop(state);
        self.changed.notify_all();
    }

    /// Why the caller is no longer there, if so.
    pub fn gone(&self) -> Option<Code> {
        self.lock().gone
    }

    /// Waits for the outcome until `deadline` or until `interrupt` moves from `epoch`.
    /// A request that has not left by then is withdrawn, so that the answer is a proven *not sent* instead of *pending*.
    pub fn wait(&self, deadline: Instant, interrupt: &Interrupt, epoch: u64) -> Waited {
        let mut state = self.lock();
        let reason = loop {
            if state.finished {
                break None;
            }
            if interrupt.epoch() != epoch {
                break Some(match interrupt.is_closed() {
                    true => (Code::Closed, Code::PendingClosed),
                    false => (Code::Cancelled, Code::PendingCancelled),
                });
            }
            let now = Instant::now();
            if now >= deadline {
                break Some((Code::TimedOut, Code::PendingWaitEnded));
            }
            state =
                self.changed.wait_timeout(state, SLICE.min(deadline - now)).unwrap_or_else(PoisonError::into_inner).0;
        };
        if let Some((not_sent, pending)) = reason
            && !state.begun
        {
            state.gone = Some(not_sent);
            return Waited::NeverBegun { not_sent, pending };
        }
        if let Some((not_sent, _)) = reason
            && !state.joined
            && !state.shared
        {
            state.gone = Some(not_sent);
            let withdrawn = self.call.withdraw();
            let until = Instant::now() + GRACE;
            while withdrawn && !state.finished && Instant::now() < until {
                state = self.changed.wait_timeout(state, SLICE).unwrap_or_else(PoisonError::into_inner).0;
            }
        }
        let pending = reason.map_or(Code::Pending, |(_, pending)| pending);
        if let Some(error) = state.failed.take() {
            return Waited::Failed(error);
        }
        match state.record.take() {
            Some(record) => Waited::Record { record: Box::new(record), joined: state.joined, reason: pending },
            None => Waited::Nothing { reason: pending },
        }
    }
}

impl Waited {
    pub fn told(self) -> Result<(Record, bool)> {
        match self {
            Waited::Record { record, joined, reason } => {
                super::decide::told(*record, reason).map(|record| (record, joined))
            }
            Waited::Failed(error) => Err(error),
            Waited::Nothing { reason } | Waited::NeverBegun { pending: reason, .. } => Err(Error::of(reason)),
        }
    }
}
