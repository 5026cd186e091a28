//! The intent: the durable record of an operation, written before its first request.

use super::code::Code;
use super::domain::{AssignmentId, Millis, Operation, OperationId};
use super::error::Detail;

/// The state of an intent. The journal and the JSON use its names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum IntentState {
    /// Durable. Its first request may have been sent.
    Recorded,
    /// An attempt may have been processed and its response is not known.
    InDoubt,
    /// Engage has completed it.
    Completed,
    /// Engage has declined it; nothing was deducted.
    Declined,
    /// Nothing has left the till. The same intent may be started again.
    NotSent,
}

impl IntentState {
    /// All states.
    pub const ALL: [IntentState; 5] = [
        IntentState::Recorded,
        IntentState::InDoubt,
        IntentState::Completed,
        IntentState::Declined,
        IntentState::NotSent,
    ];

    /// Returns the name in the journal and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            IntentState::Recorded => "recorded",
            IntentState::InDoubt => "inDoubt",
            IntentState::Completed => "completed",
            IntentState::Declined => "declined",
            IntentState::NotSent => "notSent",
        }
    }

    /// Returns the state of a name.
    pub fn from_name(name: &str) -> Option<IntentState> {
        IntentState::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether the outcome is known.
    pub const fn is_final(self) -> bool {
        matches!(self, IntentState::Completed | IntentState::Declined | IntentState::NotSent)
    }
}

/// What a commit promises when it returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// The write survives a power cut.
    Synced,
    /// The write survives the process. A power cut may undo it, so Engage must know it too.
    Buffered,
}

/// One operation and all that is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Intent {
    /// The purchase or the redeem. It never changes.
    pub operation: Operation,
    /// The POS's own name for the sale: a basket or receipt number.
    pub reference: Option<String>,
    /// The state.
    pub state: IntentState,
    /// The reason for the state: `Ok` when completed, `Pending` before anything is known.
    pub code: Code,
    /// The last response's status and code, and the number of attempts.
    pub detail: Detail,
    /// When the intent was recorded, by the till's clock.
    pub recorded_at: Millis,
    /// No attempt may be sent before this time: an earlier one may still be under way until then.
    pub in_flight_until: Millis,
    /// When the next status query is due.
    pub next_query_at: Millis,
    /// Number of status queries so far. It chooses the step of the retry schedule.
    pub query_count: u32,
    /// When the outcome became known.
    pub resolved_at: Option<Millis>,
    /// When the POS acknowledged the outcome.
    pub acknowledged_at: Option<Millis>,
    /// Of a redeem, by Engage's clock: the time in which Engage may have processed an attempt, if known.
    pub processing_window: Option<(Millis, Millis)>,
    /// Of a redeem: an attempt before the last one is in doubt.
    pub earlier_in_doubt: bool,
    /// Of a purchase: the member's rewards before it, if they were listed.
    pub rewards_before: Option<Vec<AssignmentId>>,
    /// Of a purchase: the reward it gave, once that is certain.
    pub reward: Option<AssignmentId>,
    /// Engage's purchase or reward, as it came; of an ambiguous redeem the reward as it is.
    pub response: Option<String>,
    /// The cause of the last failure, outermost first. The journal does not keep it.
    pub cause: Vec<String>,
    /// Grows with each write. A writer that read an older revision loses.
    pub revision: u64,
}

impl Intent {
    /// Makes a new intent whose first attempt may be under way until `in_flight_until`.
    pub fn new(operation: Operation, reference: Option<String>, now: Millis, in_flight_until: Millis) -> Self {
        Self {
            operation,
            reference,
            state: IntentState::Recorded,
            code: Code::Pending,
            detail: Detail { attempts: 1, ..Detail::default() },
            recorded_at: now,
            in_flight_until,
            next_query_at: now,
            query_count: 0,
            resolved_at: None,
            acknowledged_at: None,
            processing_window: None,
            earlier_in_doubt: false,
            rewards_before: None,
            reward: None,
            response: None,
            cause: Vec::new(),
            revision: 1,
        }
    }

    /// Returns the operation's id.
    pub fn id(&self) -> OperationId {
        self.operation.id()
    }

    /// Whether the POS has acknowledged the outcome.
    pub fn is_acknowledged(&self) -> bool {
        self.acknowledged_at.is_some()
    }

    /// Whether a person must decide.
    pub fn needs_review(&self) -> bool {
        matches!(self.code, Code::PendingNeedsReview | Code::PendingAmbiguous)
    }
}
