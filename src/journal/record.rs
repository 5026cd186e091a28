//! What the journal holds: one record an intent.

use crate::code::Code;
use crate::engage::Order;
use crate::error::Detail;
use crate::id::{AssignmentId, ContactId, ItemId, OperationId};
use crate::time::Millis;
use serde::Serialize;
use serde_json::value::RawValue;

/// Where an intent stands. The words are the journal's and the JSON's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum State {
    /// Durable, and its first request may have been sent.
    Recorded,
    /// A request was sent, and what became of it is not known.
    InDoubt,
    Completed,
    Declined,
    /// Proven: nothing has left the till. The same intent may be started again.
    NotSent,
}

impl State {
    pub const ALL: [State; 5] = [State::Recorded, State::InDoubt, State::Completed, State::Declined, State::NotSent];

    pub const fn word(self) -> &'static str {
        match self {
            State::Recorded => "recorded",
            State::InDoubt => "inDoubt",
            State::Completed => "completed",
            State::Declined => "declined",
            State::NotSent => "notSent",
        }
    }

    pub fn from_word(word: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.word() == word)
    }

    /// Whether the outcome is known.
    pub const fn is_settled(self) -> bool {
        matches!(self, State::Completed | State::Declined | State::NotSent)
    }
}

/// One intent and all that is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub order: Order,
    /// The POS's own name for the sale: a basket or receipt number.
    pub reference: Option<String>,
    pub state: State,
    /// Why it is in this state; `Ok` when done, and `Pending` before anything is known.
    pub code: Code,
    pub detail: Detail,
    pub recorded_at: Millis,
    /// No request that spends may be sent before this time: an earlier one may still be under way until then.
    pub quiet_until: Millis,
    /// When settling looks at it next.
    pub next_at: Millis,
    /// Settling rounds so far; chooses the spacing.
    pub rounds: u32,
    pub resolved_at: Option<Millis>,
    pub acknowledged_at: Option<Millis>,
    /// Of a redeem, by Engage's clock: from when until when a request of ours may have been at work there, if that is known.
    pub asked: Option<(Millis, Millis)>,
    /// Of a redeem: a request before the last one may have been processed, and no look has said that it was not.
    pub doubt: bool,
    /// Of a purchase: the rewards that the member had before it, if they were looked at.
    pub rewards_before: Option<Vec<AssignmentId>>,
    /// Of a purchase: the reward it gave, once that is certain.
    pub reward: Option<AssignmentId>,
    /// Engage's purchase or reward, verbatim, once done; of an ambiguous redeem the reward as it is.
    pub answer: Option<String>,
    /// What the last request failed with, outermost first. Told, not kept.
    pub cause: Vec<String>,
    /// Grows with every write; a writer that read an older one loses.
    pub revision: u64,
}

impl Record {
    /// A fresh intent whose first request may be under way until `quiet_until`.
    pub fn new(order: Order, reference: Option<String>, now: Millis, quiet_until: Millis) -> Self {
        Self {
            order,
            reference,
            state: State::Recorded,
            code: Code::Pending,
            detail: Detail { attempts: 1, ..Detail::default() },
            recorded_at: now,
            quiet_until,
            next_at: now,
            rounds: 0,
            resolved_at: None,
            acknowledged_at: None,
            asked: None,
            doubt: false,
            rewards_before: None,
            reward: None,
            answer: None,
            cause: Vec::new(),
            revision: 1,
        }
    }

    pub fn id(&self) -> OperationId {
        self.order.id()
    }

    /// Nobody has to do anything about it any more.
    pub fn is_closed(&self) -> bool {
        self.acknowledged_at.is_some()
    }

    pub fn needs_review(&self) -> bool {
        matches!(self.code, Code::PendingNeedsReview | Code::PendingAmbiguous)
    }
}

/// The operation object of the C API.
#[allow(clippy::struct_field_names)]
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Operation<'a> {
    operation_id: OperationId,
    kind: &'static str,
    outcome: &'static str,
    state: &'static str,
    code: i32,
    name: &'static str,
    purchase_id: Option<OperationId>,
    contact_id: Option<ContactId>,
    item_id: Option<ItemId>,
    /// The reward that is redeemed, or that the purchase gave.
    assignment_id: Option<AssignmentId>,
    channel: Option<&'static str>,
    reference: Option<&'a str>,
    attempts: u32,
    http_status: Option<u16>,
    engage_code: Option<&'a str>,
    needs_review: bool,
    recorded_at_ms: Millis,
    resolved_at_ms: Option<Millis>,
    acknowledged_at_ms: Option<Millis>,
    /// Only in the answer to a purchase or a redeem: it had been asked for before.
    #[serde(skip_serializing_if = "Option::is_none")]
    existing: Option<bool>,
    purchase: Option<&'a RawValue>,
    reward: Option<&'a RawValue>,
}

impl Record {
    pub fn operation(&self) -> Operation<'_> {
        let row = self.code.row();
        let answer = self.answer.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let (purchase, redeem) = match self.order {
            Order::Purchase(order) => (Some(order), None),
            Order::Redeem(order) => (None, Some(order)),
        };
        Operation {
            operation_id: self.id(),
            kind: self.order.kind(),
            outcome: row.outcome.word(),
            state: self.state.word(),
            code: self.code.number(),
            name: row.name,
            purchase_id: purchase.map(|order| order.purchase),
            contact_id: self.order.contact(),
            item_id: purchase.map(|order| order.item),
            assignment_id: redeem.map(|order| order.assignment).or(self.reward),
            channel: redeem.map(|order| order.channel.word()),
            reference: self.reference.as_deref(),
            attempts: self.detail.attempts,
            http_status: self.detail.http_status,
            engage_code: self.detail.engage_code.as_deref(),
            needs_review: self.needs_review(),
            recorded_at_ms: self.recorded_at,
            resolved_at_ms: self.resolved_at,
            acknowledged_at_ms: self.acknowledged_at,
            existing: None,
            purchase: answer.filter(|_| purchase.is_some()),
            reward: answer.filter(|_| redeem.is_some()),
        }
    }
}

impl Operation<'_> {
    /// Says whether the purchase had been asked for before.
    pub fn existing(self, existing: bool) -> Self {
        Self { existing: Some(existing), ..self }
    }
}
