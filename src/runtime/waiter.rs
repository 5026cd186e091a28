//! A caller that waits for an intent. Workers do the work, so the caller can return at any time
//! (invariant 8).

use crate::core::code::Code;
use crate::core::error::{Error, Result};
use crate::core::intent::Intent;
use crate::core::machine;
use crate::rt::{self, Condvar, Instant, Mutex, MutexGuard};
use crate::transport::{Call, Cancellation, SLICE};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

/// After the wait, how long a withdrawn request may take to become durably *not sent*. Invariant 8
/// allows 50 ms in all.
const GRACE: Duration = Duration::from_millis(35);

/// How long a caller waits, and what may end the wait sooner.
pub(crate) struct WaitLimit<'a> {
    pub deadline: Instant,
    pub cancellation: &'a Cancellation,
    /// The generation of the cancellation at the start of the call.
    pub generation: u64,
}

impl WaitLimit<'_> {
    /// Returns how long the call may still wait.
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Whether the wait is over.
    pub fn is_over(&self) -> bool {
        self.is_cancelled() || Instant::now() >= self.deadline
    }

    /// Whether the call was cancelled, or the client closed.
    pub fn is_cancelled(&self) -> bool {
        self.cancellation.generation() != self.generation
    }
}

/// Until when a caller waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// The outcome is known.
    Resolved,
    /// The intent is durable.
    Durable,
}

pub(crate) struct Waiter {
    until: Until,
    state: Mutex<WaiterState>,
    changed: Condvar,
    /// Who has the command. A worker takes it within the journal's transaction, where it waits for
    /// no lock.
    command: AtomicU8,
    /// The intent's first request, when this waiter starts it. The caller may withdraw it until it
    /// is sent.
    pub call: Arc<Call>,
}

/// Neither a worker nor a caller who left has taken the command.
const FREE: u8 = 0;
/// A worker records it. Before that nothing is recorded.
const TAKEN: u8 = 1;
/// The caller has left, and the command is void.
const VOID: u8 = 2;

#[derive(Default)]
#[allow(clippy::struct_excessive_bools)] // Four independent facts.
struct WaiterState {
    /// The newest revision of the intent.
    intent: Option<Intent>,
    /// The intent existed before the call.
    existing: bool,
    failure: Option<Error>,
    /// Nothing more will come.
    finished: bool,
    /// Why the caller stopped waiting.
    departed: Option<Code>,
    /// Other callers wait for the same intent, so it may not be withdrawn.
    shared: bool,
}

/// The end of a wait.
pub(crate) enum WaitResult {
    /// The newest revision of the intent, and why the wait ended if the outcome is not known.
    Intent {
        intent: Box<Intent>,
        existing: bool,
        reason: Code,
    },
    Failed(Error),
    /// No worker has taken the command, and none will. The journal may hold its intent from before.
    NeverTaken {
        not_sent: Code,
        pending: Code,
    },
    /// The wait ended before the journal responded.
    Nothing {
        reason: Code,
    },
}

impl Waiter {
    pub fn new(call: Arc<Call>, until: Until) -> Arc<Self> {
        Arc::new(Self { until, state: Mutex::default(), changed: Condvar::new(), command: AtomicU8::new(FREE), call })
    }

    fn lock(&self) -> MutexGuard<'_, WaiterState> {
        rt::lock(&self.state)
    }

    /// Gives the caller a newer revision of the intent.
    pub fn notify(&self, intent: &Intent) {
        let mut state = self.lock();
        // A result of an earlier start of the same intent may come late.
        if state.intent.as_ref().is_some_and(|known| known.revision > intent.revision) {
            return;
        }
        state.finished |= intent.state.is_final() || intent.needs_review();
        state.intent = Some(intent.clone());
        let finished = state.finished || self.until == Until::Durable;
        drop(state);
        // The caller waits for the end. A wake-up for less would cost two changes of thread.
        if finished {
            self.changed.notify_all();
        }
    }

    /// Takes the command for a worker. False: the caller has returned, and the command is void.
    pub fn take(&self) -> bool {
        self.claim(TAKEN)
    }

    fn claim(&self, by: u8) -> bool {
        let claimed = self.command.compare_exchange(FREE, by, Ordering::AcqRel, Ordering::Acquire);
        claimed.is_ok() || claimed == Err(by)
    }

    /// Marks that the intent existed before the call.
    pub fn mark_existing(&self) {
        let mut state = self.lock();
        state.existing = true;
    }

    /// Marks that another caller waits for the same intent.
    pub fn share(&self) {
        self.lock().shared = true;
    }

    /// Ends the wait with an error.
    pub fn fail(&self, error: Error) {
        let mut state = self.lock();
        state.failure = Some(error);
        state.finished = true;
        drop(state);
        self.changed.notify_all();
    }

    /// Returns why the caller stopped waiting, if so.
    pub fn departed(&self) -> Option<Code> {
        self.lock().departed
    }

    /// Waits for the outcome, at most until the limit. A request that has not left by then is
    /// withdrawn, so that the outcome is a proven *not sent* and not *pending*.
    pub fn wait(&self, limit: &WaitLimit<'_>) -> WaitResult {
        let mut state = self.lock();
        let reason = loop {
            // The intent is durable before its first notification.
            if state.finished || (self.until == Until::Durable && state.intent.is_some()) {
                break None;
            }
            if limit.is_cancelled() {
                break Some(match limit.cancellation.is_closed() {
                    true => (Code::Closed, Code::PendingClosed),
                    false => (Code::Cancelled, Code::PendingCancelled),
                });
            }
            let now = Instant::now();
            if now >= limit.deadline {
                break Some((Code::TimedOut, Code::PendingWaitEnded));
            }
            state = rt::wait_timeout(&self.changed, state, SLICE.min(limit.deadline - now));
        };
        if let Some((not_sent, pending)) = reason
            && !state.existing
            && self.claim(VOID)
        {
            state.departed = Some(not_sent);
            return WaitResult::NeverTaken { not_sent, pending };
        }
        if let Some((not_sent, _)) = reason
            && !state.existing
            && !state.shared
        {
            state.departed = Some(not_sent);
            let withdrawn = self.call.withdraw();
            let until = Instant::now() + GRACE;
            while withdrawn && !state.finished && Instant::now() < until {
                state = rt::wait_timeout(&self.changed, state, SLICE);
            }
        }
        let pending = match (reason, self.until) {
            (Some((_, pending)), _) => pending,
            (None, Until::Durable) => Code::PendingSubmitted,
            (None, Until::Resolved) => Code::Pending,
        };
        if let Some(error) = state.failure.take() {
            return WaitResult::Failed(error);
        }
        match state.intent.take() {
            Some(intent) => WaitResult::Intent { intent: Box::new(intent), existing: state.existing, reason: pending },
            None => WaitResult::Nothing { reason: pending },
        }
    }
}

impl WaitResult {
    /// Returns the intent and whether it existed, or the error that the caller gets. A submitted
    /// intent is returned while it is pending too.
    pub fn into_result(self) -> Result<(Intent, bool)> {
        match self {
            WaitResult::Intent { intent, existing, reason: Code::PendingSubmitted } => Ok((*intent, existing)),
            WaitResult::Intent { intent, existing, reason } => {
                machine::outcome_of(*intent, reason).map(|intent| (intent, existing))
            }
            WaitResult::Failed(error) => Err(error),
            WaitResult::Nothing { reason } | WaitResult::NeverTaken { pending: reason, .. } => Err(Error::of(reason)),
        }
    }
}
