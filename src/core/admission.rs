//! Which intent a command means: a new one, an existing one, or a conflict.

use super::code::Code;
use super::domain::{AssignmentId, Millis, Operation};
use super::error::{Detail, Error, Result};
use super::intent::{Intent, IntentState};

/// A purchase or a redeem that a caller asks for.
#[derive(Debug, Clone)]
pub(crate) struct Command {
    /// The operation, with the id of the POS or a fresh one.
    pub operation: Operation,
    /// Whether the POS gave the id.
    pub named: bool,
    /// The POS's own name for the sale.
    pub reference: Option<String>,
    /// Of a purchase: the member's rewards, if they were listed before.
    pub rewards_before: Option<Vec<AssignmentId>>,
}

/// Intents in the journal that a command may mean.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    /// The intent with the command's id.
    pub by_id: Option<Intent>,
    /// The intent with the command's reference, for the same contact and item or the same reward.
    pub by_reference: Option<Intent>,
    /// Unacknowledged intents of the same contact and item, or of the same reward, oldest first.
    pub unacknowledged: Vec<Intent>,
}

/// The decision about a command. The journal carries it out in the transaction that read the candidates.
#[derive(Debug)]
pub(crate) enum Admission {
    /// Write this intent and send its request. It is a new one, or one of which nothing has left.
    New(Intent),
    /// The command means this intent.
    Existing(Intent),
    /// The commit failed, and so did its withdrawal, so that a restart may find the intent. Nothing
    /// may be sent. The withdrawal is saved as soon as the disk allows it.
    Uncertain(Intent, Error),
}

/// The time by the clocks that a decision may use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clocks {
    /// The till's clock.
    pub now: Millis,
    /// How long an attempt that starts now may be under way, in ms.
    pub in_flight_window: Millis,
    /// Engage's clock, at the earliest and at the latest, if known.
    pub engage: Option<(Millis, Millis)>,
}

impl Clocks {
    /// Returns when, by Engage's clock, Engage may process an attempt that starts now.
    pub fn processing_window(self) -> Option<(Millis, Millis)> {
        self.engage.map(|(earliest, latest)| (earliest, latest + self.in_flight_window))
    }
}

/// Fills in the processing window of an intent that was recorded while Engage's clock was not known.
/// The till's clock must have run steadily since; the caller checks that.
pub(crate) fn backdated(intent: Intent, clocks: Clocks) -> Intent {
    let Some((earliest, latest)) = clocks.engage.filter(|_| intent.processing_window.is_none()) else {
        return intent;
    };
    let from = earliest.saturating_sub(clocks.now.saturating_sub(intent.recorded_at));
    let until = (latest + intent.in_flight_until).saturating_sub(clocks.now);
    Intent { processing_window: Some((from, until)), ..intent }
}

/// Decides which intent a command means (invariants 3 and 7).
pub(crate) fn admit(command: &Command, candidates: Candidates, clocks: Clocks) -> Result<Admission> {
    let conflict = |code, message: &str, intent: &Intent| Err(intent.operation.named_in(Error::new(code, message)));
    if command.named
        && let Some(intent) = candidates.by_id
    {
        if intent.operation != command.operation {
            let message =
                "purchaseId was used on this till for another contact or another item; make a fresh one (eps_new_id)";
            return conflict(Code::PurchaseIdConflict, message, &intent);
        }
        if let Some(reference) = &command.reference
            && intent.reference.as_ref() != Some(reference)
        {
            let message = "purchaseId was used on this till with another reference, or with none";
            return conflict(Code::ReferenceConflict, message, &intent);
        }
        return Ok(existing_or_again(intent, clocks));
    }
    if let Some(intent) = candidates.by_reference {
        if command.named {
            let message = "reference, contact and item already belong to another purchase id; leave purchaseId out to follow that purchase";
            return conflict(Code::ReferenceConflict, message, &intent);
        }
        return Ok(existing_or_again(intent, clocks));
    }
    // A declined intent does not count: the member may have got the points since. An intent in manual
    // review does not count either.
    let is_open = |intent: &&Intent| {
        intent.reference.is_none()
            && intent.state != IntentState::Declined
            && !intent.needs_review()
            && is_same(intent, command)
    };
    if command.reference.is_none()
        && !command.named
        && let Some(intent) = candidates.unacknowledged.iter().find(is_open)
    {
        return Ok(existing_or_again(intent.clone(), clocks));
    }
    if let Operation::Redeem(_) = command.operation
        && let Some(intent) = candidates.unacknowledged.iter().find(|it| !it.state.is_final() && !it.needs_review())
    {
        // With a second request under way, no response could be assigned to its operation.
        return conflict(Code::RewardInUse, Code::RewardInUse.row().meaning, intent);
    }
    Ok(Admission::New(Intent {
        processing_window: clocks.processing_window(),
        rewards_before: command.rewards_before.clone(),
        ..Intent::new(command.operation, command.reference.clone(), clocks.now, clocks.now + clocks.in_flight_window)
    }))
}

/// Whether an intent and a command are about the same, apart from the id.
fn is_same(intent: &Intent, command: &Command) -> bool {
    match (&intent.operation, &command.operation) {
        (Operation::Purchase(ours), Operation::Purchase(theirs)) => {
            (ours.contact, ours.item) == (theirs.contact, theirs.item)
        }
        (Operation::Redeem(ours), Operation::Redeem(theirs)) => {
            (ours.assignment, ours.channel) == (theirs.assignment, theirs.channel)
        }
        _ => false,
    }
}

/// Returns the existing intent, or starts it again where nothing of it has left the till.
fn existing_or_again(intent: Intent, clocks: Clocks) -> Admission {
    if intent.state != IntentState::NotSent {
        return Admission::Existing(intent);
    }
    Admission::New(Intent {
        state: IntentState::Recorded,
        code: Code::Pending,
        detail: Detail { attempts: intent.detail.attempts + 1, ..Detail::default() },
        recorded_at: clocks.now,
        in_flight_until: clocks.now + clocks.in_flight_window,
        next_query_at: clocks.now,
        query_count: 0,
        processing_window: clocks.processing_window(),
        earlier_in_doubt: false,
        resolved_at: None,
        acknowledged_at: None,
        revision: intent.revision + 1,
        ..intent
    })
}
