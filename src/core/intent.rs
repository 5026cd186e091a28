//! The intent: the durable record of an operation, written before its first request.

use super::code::Code;
use super::domain::{Millis, Operation};
use super::error::Detail;
use super::id::{AssignmentId, OperationId, RequestId};
use serde::{Deserialize, Serialize};

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

/// A rejection that does not prove *declined* by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rejection {
    /// The number of the code that the rejection would give.
    pub code: i32,
    /// The HTTP status of the rejection.
    pub http_status: Option<u16>,
    /// Engage's own code, if the rejection had one.
    pub engage_code: Option<String>,
}

/// The decision of a person about an operation in manual review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReviewDecision {
    /// `completed` or `declined`.
    pub resolution: String,
    /// The person, as the POS names them.
    pub by: Option<String>,
    /// A note.
    pub note: Option<String>,
    /// When it was decided, by the till's clock.
    pub at_ms: Millis,
}

/// What is known of an intent's attempts and status queries. The journal keeps it as JSON, so that
/// a newer version can add a field without a schema step.
// Each is an independent fact of the record; together they are no state.
#[allow(clippy::struct_excessive_bools)]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Progress {
    /// How long the last attempt may be under way after its start, in ms: the writer's request
    /// time-out and a tenth.
    pub in_flight_window_ms: Millis,
    /// When the last attempt began, by the till's clock.
    pub last_attempt_at_ms: Option<Millis>,
    /// When the last status query was sent, by the till's clock.
    pub last_query_at_ms: Option<Millis>,
    /// The number of the code of the last attempt or status query.
    pub last_code: Option<i32>,
    /// The number of the first pending code.
    pub first_pending_code: Option<i32>,
    /// The last rejection that was no proof by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejection: Option<Rejection>,
    /// A decline by the API key (401, 403) of an earlier press.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub declined_before: Option<Rejection>,
    /// Engage has said that it processes the operation. A missing row then proves nothing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub processing_seen: bool,
    /// The purchase id is the POS's own or a derived one, so that another till or a lost journal
    /// may have used it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub shared_id: bool,
    /// Records of the journal were lost at this time, by the till's clock, and one of them may have
    /// been of the same sale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost_at_ms: Option<Millis>,
    /// No attempt of this record was made since: a status query comes before it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub query_first: bool,
    /// The age of the intent at its last write, in ms, by clocks that ran steadily.
    pub age_ms: Millis,
    /// `recorded_at` is by Engage's clock.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub recorded_by_engage: bool,
    /// Engage has said that the reward is redeemed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub redeemed_seen: bool,
    /// Of a redeem: the processing windows of the attempts before the last one that may have been
    /// processed, by Engage's clock, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub earlier_windows: Vec<(Millis, Millis)>,
    /// Of a redeem: an earlier attempt may have been processed at a time that is not known.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub window_lost: bool,
    /// It is not recorded that the last attempt ended within its in-flight window. Its process was
    /// suspended, stopped or killed, and may have sent it later.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub end_unknown: bool,
    /// When the redeem was recorded, another operation of the journal had redeemed the reward or
    /// had found it redeemed. No clock could say so for certain.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub redeemed_before: bool,
    /// Of a purchase: its cost in points, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub points: Option<u64>,
    /// When the outcome can be expected at the latest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_by_ms: Option<Millis>,
    /// The cause of the last failure, outermost first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cause: Vec<String>,
    /// Engage's own request ids, newest last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub request_ids: Vec<String>,
    /// The decision of a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review: Option<ReviewDecision>,
    /// The version of the library that wrote the intent last.
    pub writer_version: String,
}

/// The request ids that are kept of an operation.
const REQUEST_IDS: usize = 5;

/// One operation and all that is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Intent {
    /// The purchase or the redeem. It never changes.
    pub operation: Operation,
    /// The tenant whose operation it is; None in a journal of an older version.
    pub tenant: Option<String>,
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
    /// Of a redeem, by Engage's clock: the time in which Engage may have processed the last
    /// attempt, if known.
    pub processing_window: Option<(Millis, Millis)>,
    /// An attempt before the last one is in doubt.
    pub earlier_in_doubt: bool,
    /// Of a purchase: the member's rewards before it, if they were listed.
    pub rewards_before: Option<Vec<AssignmentId>>,
    /// Of a purchase: the reward it gave, once that is certain.
    pub reward: Option<AssignmentId>,
    /// Engage's purchase or reward, as it came; of an ambiguous redeem the reward as it is.
    pub response: Option<String>,
    /// What is known of the attempts and the status queries.
    pub progress: Progress,
    /// Grows with each write. A writer that read an older revision loses.
    pub revision: u64,
}

impl Intent {
    /// Makes a new intent whose first attempt may be under way until `in_flight_until`.
    pub fn new(operation: Operation, reference: Option<String>, now: Millis, in_flight_until: Millis) -> Self {
        Self {
            operation,
            tenant: None,
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
            progress: Progress::default(),
            revision: 1,
        }
    }

    /// Returns the intent with the request ids that Engage has given, the newest ones.
    #[must_use]
    pub fn with_request_ids(mut self, ids: &[RequestId]) -> Self {
        let known = &mut self.progress.request_ids;
        for id in ids {
            known.retain(|known| known != id.as_str());
            known.push(id.as_str().to_owned());
        }
        known.drain(..known.len().saturating_sub(REQUEST_IDS));
        self
    }

    /// Returns the operation's id.
    pub fn id(&self) -> OperationId {
        self.operation.id()
    }

    /// Whether the POS has acknowledged the outcome.
    pub fn is_acknowledged(&self) -> bool {
        self.acknowledged_at.is_some()
    }

    /// Returns when the outcome of a pending operation can be expected at the latest, where that is
    /// known: a rejection of a repeat waits for a complete history.
    pub fn expected_by(&self) -> Option<Millis> {
        self.progress.expected_by_ms
    }

    /// Whether a person must decide.
    pub fn needs_review(&self) -> bool {
        matches!(self.code, Code::PendingNeedsReview | Code::PendingAmbiguous)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::domain::Purchase;
    use crate::core::id::{ContactId, ItemId};
    use uuid::Uuid;

    #[test]
    fn state_has_one_name_for_both_ways() {
        let names = IntentState::ALL.map(|state| IntentState::from_name(state.name()));
        assert_eq!(names, IntentState::ALL.map(Some));
        assert_eq!(IntentState::from_name("pending"), None);
    }

    #[test]
    fn new_intent_is_the_first_attempt_of_nobody_yet() {
        let id = Uuid::from_u128(1);
        let purchase =
            Purchase { id: OperationId::from_uuid(id), contact: ContactId::from_uuid(id), item: ItemId::from_uuid(id) };
        let intent = Intent::new(purchase.into(), Some("R".into()), 7, 9);
        assert_eq!((intent.state, intent.code, intent.revision), (IntentState::Recorded, Code::Pending, 1));
        assert_eq!((intent.detail.attempts, intent.query_count, intent.in_flight_until), (1, 0, 9));
        assert!(!intent.is_acknowledged() && !intent.needs_review() && intent.expected_by().is_none());
    }
}
