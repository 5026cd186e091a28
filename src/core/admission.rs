//! Which intent a command means: a new one, an existing one, or a conflict.

use super::clock::Clocks;
use super::code::Code;
use super::domain::{Millis, Operation};
use super::error::{Detail, Error, Result};
use super::evidence::RejectionWeight;
use super::id::AssignmentId;
use super::intent::{self, Intent, IntentState, Progress};

/// A purchase or a redeem that a caller asks for.
#[derive(Debug, Clone)]
pub(crate) struct Command {
    /// The operation, with the id of the POS or a fresh one.
    pub operation: Operation,
    /// Whether the POS gave the id.
    pub named: bool,
    /// Whether the id is derived from tenant, reference, contact and item (`idScope`).
    pub derived: bool,
    /// The POS's own name for the sale.
    pub reference: Option<String>,
    /// Of a purchase: the member's rewards, if they were listed before.
    pub rewards_before: Option<Vec<AssignmentId>>,
}

/// What admission needs to know of the configuration.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AdmissionRules<'a> {
    /// Whose operations these are.
    pub tenant: &'a str,
    /// How long after its acknowledgement a reference still means the same operation, in ms.
    pub reference_window_ms: Millis,
    /// When the journal lost records, by the till's clock, while a press may mean one of them.
    pub lost_at: Option<Millis>,
}

impl AdmissionRules<'_> {
    fn is_ours(&self, intent: &Intent) -> bool {
        intent.tenant.as_deref().is_none_or(|tenant| tenant == self.tenant)
    }
}

/// Intents in the journal that a command may mean.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    /// The intent with the command's id.
    pub by_id: Option<Intent>,
    /// Intents of the same kind with the command's reference, for the same item or the same reward,
    /// newest first.
    pub by_reference: Vec<Intent>,
    /// Unacknowledged intents of the same contact and item, or of the same reward, oldest first.
    pub unacknowledged: Vec<Intent>,
}

/// The decision about a command. The journal carries it out in the transaction that read the
/// candidates.
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

/// Decides which intent a command means (invariants 3 and 7).
pub(crate) fn admit(
    command: &Command,
    candidates: Candidates,
    clocks: Clocks,
    rules: AdmissionRules<'_>,
) -> Result<Admission> {
    if let Some(intent) = candidates.by_id {
        return by_purchase_id(command, intent, clocks, rules);
    }
    if let Some(intent) = by_reference(command, &candidates.by_reference, rules)? {
        return existing_or_again(intent.clone(), false, clocks, rules);
    }
    // A declined intent does not count: the member may have got the points since. An intent in
    // manual review counts: it may have been deducted.
    let is_open = |intent: &&Intent| {
        rules.is_ours(intent)
            && intent.reference.is_none()
            && (intent.state != IntentState::Declined || by_credentials(intent))
            && is_same(intent, command)
    };
    if command.reference.is_none()
        && !command.named
        && let Some(intent) = candidates.unacknowledged.iter().find(is_open)
    {
        return existing_or_again(intent.clone(), false, clocks, rules);
    }
    let is_under_way = |intent: &&Intent| rules.is_ours(intent) && !intent.state.is_final() && !intent.needs_review();
    if let Operation::Redeem(_) = command.operation
        && let Some(intent) = candidates.unacknowledged.iter().find(is_under_way)
    {
        // With a second request under way, no response could be assigned to its operation.
        return Err(conflict(Code::RewardInUse, Code::RewardInUse.row().meaning, intent));
    }
    Ok(Admission::New(new_intent(command, &candidates.by_reference, clocks, rules)))
}

fn conflict(code: Code, message: &str, intent: &Intent) -> Error {
    intent.operation.named_in(Error::new(code, message))
}

/// Decides about a press whose purchase id is in the journal.
fn by_purchase_id(command: &Command, intent: Intent, clocks: Clocks, rules: AdmissionRules<'_>) -> Result<Admission> {
    if !rules.is_ours(&intent) || intent.operation != command.operation {
        let message =
            "purchaseId was used on this till for another contact, item or tenant; make a fresh one (eps_new_id)";
        return Err(conflict(Code::PurchaseIdConflict, message, &intent));
    }
    if let Some(reference) = &command.reference
        && intent.reference.as_ref() != Some(reference)
    {
        let message = "purchaseId was used on this till with another reference, or with none";
        return Err(conflict(Code::ReferenceConflict, message, &intent));
    }
    // A derived id is the same at the next press, so that a decline must not keep it. Engage
    // decides anew.
    let again = command.derived
        && intent.state == IntentState::Declined
        && RejectionWeight::of(intent.code) != RejectionWeight::Failed;
    existing_or_again(intent, again, clocks, rules)
}

/// Returns the intent that a press means by its reference, if any.
fn by_reference<'a>(
    command: &Command,
    candidates: &'a [Intent],
    rules: AdmissionRules<'_>,
) -> Result<Option<&'a Intent>> {
    for intent in candidates.iter().filter(|intent| rules.is_ours(intent)) {
        if !is_same(intent, command) {
            // The member may have got another contact id (a merge), so this may be the same sale.
            let may_be_deducted = !matches!(intent.state, IntentState::Declined | IntentState::NotSent);
            if may_be_deducted && !intent.is_acknowledged() {
                let message = "an operation with this reference is pending or not acknowledged for another contact; \
                               wait for its outcome and acknowledge it, or use another reference for another sale";
                return Err(conflict(Code::ReferenceConflict, message, intent));
            }
            continue;
        }
        match intent.state {
            // The reason of a decline may not hold any more. Its purchase id stays declined, so a
            // fresh one is used.
            IntentState::Declined if !by_credentials(intent) => {}
            _ if command.named => {
                let message = "reference, contact and item already belong to another purchase id; \
                               leave purchaseId out to get that purchase";
                return Err(conflict(Code::ReferenceConflict, message, intent));
            }
            _ => return Ok(Some(intent)),
        }
    }
    Ok(None)
}

/// Returns the intent of a new sale. After a loss of records the sale may be one that was lost.
fn new_intent(command: &Command, by_reference: &[Intent], clocks: Clocks, rules: AdmissionRules<'_>) -> Intent {
    let now = clocks.now();
    let intent = Intent {
        tenant: Some(rules.tenant.to_owned()),
        processing_window: clocks.processing_window(),
        rewards_before: command.rewards_before.clone(),
        progress: Progress { shared_id: command.named || command.derived, ..first_attempt(clocks) },
        ..Intent::new(command.operation, command.reference.clone(), now, now + clocks.in_flight_window_ms)
    };
    // What was declined since the loss, by Engage or by a person, is this sale's last word on it.
    let is_decided = |intent: &Intent, at| {
        rules.is_ours(intent) && is_same(intent, command) && intent.progress.lost_at_ms == Some(at)
    };
    match rules.lost_at.filter(|at| !by_reference.iter().any(|intent| is_decided(intent, *at))) {
        Some(at) => Intent { detail: Detail::default(), ..query_first(intent, at) },
        None => intent,
    }
}

/// Returns an intent that may be the second one of a lost record: its attempts are not known, so
/// that a status query comes before another one.
fn query_first(intent: Intent, lost_at: Millis) -> Intent {
    Intent {
        state: IntentState::InDoubt,
        processing_window: None,
        progress: Progress {
            lost_at_ms: Some(lost_at),
            query_first: true,
            last_attempt_at_ms: None,
            ..intent.progress
        },
        ..intent
    }
}

fn first_attempt(clocks: Clocks) -> Progress {
    Progress {
        in_flight_window_ms: clocks.in_flight_window_ms,
        last_attempt_at_ms: Some(clocks.now()),
        recorded_by_engage: clocks.engage.is_some(),
        writer_version: crate::version::VERSION.to_owned(),
        ..Progress::default()
    }
}

/// Whether an intent was declined by the API key, which may be corrected since.
fn by_credentials(intent: &Intent) -> bool {
    intent.state == IntentState::Declined && RejectionWeight::of(intent.code) == RejectionWeight::Credentials
}

/// Whether a command with a reference or an id means an intent.
pub(crate) fn is_meant(command: &Command, intent: &Intent) -> bool {
    let same_id = command.named && intent.id() == command.operation.id();
    let same_reference = command.reference.is_some() && command.reference == intent.reference;
    is_same(intent, command) && (same_id || same_reference)
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

/// Returns the existing intent, or starts it again where nothing of it was deducted and the reason
/// may not hold any more.
fn existing_or_again(intent: Intent, again: bool, clocks: Clocks, rules: AdmissionRules<'_>) -> Result<Admission> {
    let declined = by_credentials(&intent);
    if !again && !declined && intent.state != IntentState::NotSent {
        return match (intent.acknowledged_at, &intent.reference) {
            (Some(at), Some(reference)) if clocks.now().saturating_sub(at) > rules.reference_window_ms => {
                let message = format!(
                    "the reference {reference:?} belongs to an operation that was acknowledged before; put the date \
                     and the line into the reference, or pass a purchaseId of your own"
                );
                Err(intent.operation.named_in(Error::new(Code::ReferenceReused, message)))
            }
            _ => Ok(Admission::Existing(intent)),
        };
    }
    let before = declined.then(|| intent::Rejection {
        code: intent.code.number(),
        http_status: intent.detail.http_status,
        engage_code: intent.detail.engage_code.clone(),
    });
    let attempts = intent.detail.attempts;
    // Newer revisions of the record may be lost.
    let lost_at = rules.lost_at.filter(|at| intent.progress.lost_at_ms != Some(*at) || intent.progress.query_first);
    let next = Intent {
        state: IntentState::Recorded,
        code: Code::Pending,
        detail: Detail { attempts: attempts + 1, ..Detail::default() },
        recorded_at: clocks.now(),
        in_flight_until: clocks.now() + clocks.in_flight_window_ms,
        next_query_at: clocks.now(),
        query_count: 0,
        processing_window: clocks.processing_window(),
        earlier_in_doubt: false,
        resolved_at: None,
        acknowledged_at: None,
        progress: Progress {
            declined_before: before,
            shared_id: intent.progress.shared_id || lost_at.is_some(),
            lost_at_ms: intent.progress.lost_at_ms,
            ..first_attempt(clocks)
        },
        revision: intent.revision + 1,
        ..intent
    };
    Ok(Admission::New(match lost_at {
        Some(at) => Intent { detail: Detail { attempts, ..Detail::default() }, ..query_first(next, at) },
        None => next,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::domain::Purchase;
    use crate::core::id::{ContactId, ItemId, OperationId};
    use uuid::Uuid;

    const TENANT: &str = "https://a.voyado.com";
    const CLOCKS: Clocks = Clocks { till: 5_000, engage: Some((7_000, 7_100)), in_flight_window_ms: 66_000 };

    fn rules(lost_at: Option<Millis>) -> AdmissionRules<'static> {
        AdmissionRules { tenant: TENANT, reference_window_ms: 43_200_000, lost_at }
    }

    fn command(named: bool) -> Command {
        let id = Uuid::from_u128(1);
        let purchase =
            Purchase { id: OperationId::fresh(), contact: ContactId::from_uuid(id), item: ItemId::from_uuid(id) };
        Command {
            operation: purchase.into(),
            named,
            derived: false,
            reference: Some("R1".to_owned()),
            rewards_before: None,
        }
    }

    fn admitted(command: &Command, candidates: Candidates, lost_at: Option<Millis>) -> Intent {
        match admit(command, candidates, CLOCKS, rules(lost_at)).unwrap() {
            Admission::New(intent) => intent,
            other => panic!("{other:?}"),
        }
    }

    fn by_reference(intent: &Intent) -> Candidates {
        Candidates { by_reference: vec![intent.clone()], ..Candidates::default() }
    }

    #[test]
    fn press_after_a_loss_of_records_is_queried_first() {
        let plain = admitted(&command(false), Candidates::default(), None);
        assert_eq!((plain.state, plain.detail.attempts), (IntentState::Recorded, 1));
        assert!(!plain.progress.query_first && plain.processing_window.is_some());
        for named in [false, true] {
            let doubt = admitted(&command(named), Candidates::default(), Some(9));
            assert_eq!((doubt.state, doubt.detail.attempts), (IntentState::InDoubt, 0));
            assert_eq!((doubt.progress.lost_at_ms, doubt.progress.query_first), (Some(9), true));
            assert_eq!((doubt.progress.shared_id, doubt.processing_window), (named, None));
        }
    }

    #[test]
    fn sale_declined_since_the_loss_is_not_queried_again() {
        let doubt = admitted(&command(false), Candidates::default(), Some(9));
        let declined = Intent { state: IntentState::Declined, code: Code::Declined, ..doubt };
        assert!(!admitted(&command(false), by_reference(&declined), Some(9)).progress.query_first);
        // Another loss, or a decline from before it.
        assert!(admitted(&command(false), by_reference(&declined), Some(10)).progress.query_first);
        let mut before = declined;
        before.progress.lost_at_ms = None;
        assert!(admitted(&command(false), by_reference(&before), Some(9)).progress.query_first);
    }

    #[test]
    fn record_not_sent_before_a_loss_is_queried_first() {
        let plain = admitted(&command(false), Candidates::default(), None);
        let not_sent = Intent { state: IntentState::NotSent, code: Code::Offline, ..plain };
        // A newer revision may be lost, with an attempt under the same id.
        let doubt = admitted(&command(false), by_reference(&not_sent), Some(9));
        assert_eq!((doubt.id(), doubt.state, doubt.detail.attempts), (not_sent.id(), IntentState::InDoubt, 1));
        assert!(doubt.progress.query_first && doubt.progress.shared_id);
        assert_eq!(doubt.revision, not_sent.revision + 1);
        let mut since = not_sent;
        since.progress.lost_at_ms = Some(9);
        assert_eq!(admitted(&command(false), by_reference(&since), Some(9)).state, IntentState::Recorded);
        // Its commit failed, so that nothing was queried.
        since.progress.query_first = true;
        assert!(admitted(&command(false), by_reference(&since), Some(9)).progress.query_first);
    }
}
