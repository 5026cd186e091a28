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
    /// Of a purchase: its cost in points, if the item was listed before.
    pub points: Option<u64>,
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
    /// Of a redeem: another operation of the journal has redeemed the reward, or has found that it
    /// was redeemed.
    pub redeemed: bool,
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
    candidates: &Candidates,
    clocks: Clocks,
    rules: AdmissionRules<'_>,
) -> Result<Admission> {
    let admission = choose(command, candidates, clocks, rules)?;
    // An intent that starts, or starts again.
    if let Admission::New(ours) = &admission {
        if let Some(other) = may_be_the_same(command, candidates, rules) {
            let message = if rules.is_ours(other) {
                "an operation with this reference is pending or not acknowledged for another contact; wait for its outcome and acknowledge it, or use another reference for another sale"
            } else {
                "the same sale is pending or not acknowledged for another tenant; open the journal with that tenant's configuration, or have a person decide it (eps_resolve_review) and acknowledge it"
            };
            return Err(conflict(Code::ReferenceConflict, message, other));
        }
        // Of another tenant too: a reward is Engage's, and the configuration may have changed.
        let in_use = |other: &&Intent| other.id() != ours.id() && !other.state.is_final() && !other.needs_review();
        if let Operation::Redeem(_) = ours.operation
            && let Some(other) = candidates.unacknowledged.iter().find(in_use)
        {
            // With a second request under way, no response could be assigned to its operation.
            return Err(conflict(Code::RewardInUse, Code::RewardInUse.row().meaning, other));
        }
    }
    Ok(admission)
}

/// Returns an operation that this sale may be, though it is another one by its contact or by its
/// tenant: the member may have got another contact id (a merge), and the configuration may have
/// changed between two presses.
fn may_be_the_same<'a>(command: &Command, candidates: &'a Candidates, rules: AdmissionRules<'_>) -> Option<&'a Intent> {
    let is_open = |other: &&Intent| may_be_deducted(other) && !other.is_acknowledged();
    let is_another = |other: &&Intent| !rules.is_ours(other) || !is_same(other, command);
    let by_reference = candidates.by_reference.iter().filter(is_open).find(is_another);
    // Without a reference the same contact and item are the same sale.
    let is_unnamed = command.reference.is_none() && !command.named;
    let is_foreign = |other: &&Intent| is_unnamed && other.reference.is_none() && !rules.is_ours(other);
    let is_purchase = matches!(command.operation, Operation::Purchase(_));
    by_reference.or_else(|| candidates.unacknowledged.iter().filter(|_| is_purchase).filter(is_open).find(is_foreign))
}

/// Whether an intent has taken effect, or may have.
fn may_be_deducted(intent: &Intent) -> bool {
    !matches!(intent.state, IntentState::Declined | IntentState::NotSent)
}

/// Returns the intent that a command means of several that are about the same: one that may be
/// deducted before one of which nothing was. A withdrawal that is stored late leaves two.
fn meant<'a>(mut intents: impl Iterator<Item = &'a Intent> + Clone) -> Option<&'a Intent> {
    let first = intents.clone().next();
    intents.find(|intent| may_be_deducted(intent)).or(first)
}

fn conflict(code: Code, message: &str, intent: &Intent) -> Error {
    intent.operation.named_in(Error::new(code, message))
}

/// Decides about a press whose purchase id is in the journal.
fn by_purchase_id(
    command: &Command,
    intent: &Intent,
    redeemed: bool,
    clocks: Clocks,
    rules: AdmissionRules<'_>,
) -> Result<Admission> {
    if !rules.is_ours(intent) || intent.operation != command.operation {
        let message =
            "purchaseId was used on this till for another contact, item or tenant; make a fresh one (eps_new_id)";
        return Err(conflict(Code::PurchaseIdConflict, message, intent));
    }
    if let Some(reference) = &command.reference
        && intent.reference.as_ref() != Some(reference)
    {
        let message = "purchaseId was used on this till with another reference, or with none";
        return Err(conflict(Code::ReferenceConflict, message, intent));
    }
    // A derived id is the same at the next press, so that a decline must not keep it. Engage
    // decides anew.
    let again = command.derived
        && intent.state == IntentState::Declined
        && RejectionWeight::of(intent.code) != RejectionWeight::Failed;
    existing_or_again(intent.clone(), again, redeemed, clocks, rules)
}

/// Returns the intent that a command means, whatever other operations there are.
fn choose(command: &Command, candidates: &Candidates, clocks: Clocks, rules: AdmissionRules<'_>) -> Result<Admission> {
    let is_ours = |intent: &Intent| rules.is_ours(intent);
    let redeemed = candidates.redeemed;
    if let Some(intent) = &candidates.by_id {
        return by_purchase_id(command, intent, redeemed, clocks, rules);
    }
    // A declined intent does not count: its reason may not hold any more. Its purchase id stays
    // declined, so a fresh one is used. An intent in manual review counts, because it may have been
    // deducted.
    let counts = |intent: &&Intent| {
        is_ours(intent) && (intent.state != IntentState::Declined || by_credentials(intent)) && is_same(intent, command)
    };
    if let Some(intent) = meant(candidates.by_reference.iter().filter(counts)) {
        if command.named {
            let message = "reference, contact and item already belong to another purchase id; leave purchaseId out to get that purchase";
            return Err(conflict(Code::ReferenceConflict, message, intent));
        }
        return existing_or_again(intent.clone(), false, redeemed, clocks, rules);
    }
    let is_open = |intent: &&Intent| intent.reference.is_none() && counts(intent);
    if command.reference.is_none()
        && !command.named
        && let Some(intent) = meant(candidates.unacknowledged.iter().filter(is_open))
    {
        return existing_or_again(intent.clone(), false, redeemed, clocks, rules);
    }
    Ok(Admission::New(new_intent(command, candidates, clocks, rules)))
}

/// Returns the intent of a new sale. After a loss of records the sale may be one that was lost.
fn new_intent(command: &Command, candidates: &Candidates, clocks: Clocks, rules: AdmissionRules<'_>) -> Intent {
    let now = clocks.now();
    let intent = Intent {
        tenant: Some(rules.tenant.to_owned()),
        processing_window: clocks.processing_window(),
        rewards_before: command.rewards_before.clone(),
        progress: Progress {
            shared_id: command.named || command.derived,
            points: command.points,
            ..first_attempt(candidates.redeemed, clocks)
        },
        ..Intent::new(command.operation, command.reference.clone(), now, now + clocks.in_flight_window_ms)
    };
    // What was declined since the loss, by Engage or by a person, is this sale's last word on it.
    let is_decided = |intent: &Intent, at| {
        rules.is_ours(intent) && is_same(intent, command) && intent.progress.lost_at_ms == Some(at)
    };
    match rules.lost_at.filter(|at| !candidates.by_reference.iter().any(|intent| is_decided(intent, *at))) {
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
            end_unknown: false,
            ..intent.progress
        },
        ..intent
    }
}

fn first_attempt(redeemed: bool, clocks: Clocks) -> Progress {
    Progress {
        redeemed_before: redeemed,
        in_flight_window_ms: clocks.in_flight_window_ms,
        end_unknown: true,
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
fn existing_or_again(
    intent: Intent,
    again: bool,
    redeemed: bool,
    clocks: Clocks,
    rules: AdmissionRules<'_>,
) -> Result<Admission> {
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
            ..first_attempt(redeemed, clocks)
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
    use crate::core::domain::{Channel, Purchase, Redeem};
    use crate::core::id::{ContactId, ItemId, OperationId};
    use uuid::Uuid;

    const CLOCKS: Clocks = Clocks { till: 1_000, engage: None, in_flight_window_ms: 66_000 };
    const RULES: AdmissionRules<'_> = AdmissionRules { tenant: "t", reference_window_ms: 43_200_000, lost_at: None };

    fn redeem(id: u128) -> Operation {
        let assignment = AssignmentId::from_uuid(Uuid::from_u128(9));
        let contact = Some(ContactId::from_uuid(Uuid::from_u128(8)));
        Operation::Redeem(Redeem {
            id: OperationId::from_uuid(Uuid::from_u128(id)),
            contact,
            assignment,
            channel: Channel::Pos,
        })
    }

    fn command(operation: Operation, reference: Option<&str>) -> Command {
        let reference = reference.map(str::to_owned);
        Command { operation, named: false, derived: false, reference, rewards_before: None, points: None }
    }

    fn stored(operation: Operation, reference: Option<&str>, state: IntentState, code: Code) -> Intent {
        Intent { state, code, ..Intent::new(operation, reference.map(str::to_owned), 0, 0) }
    }

    #[test]
    fn redeem_starts_only_while_no_other_is_under_way() {
        let pending = stored(redeem(1), None, IntentState::InDoubt, Code::Pending);
        let not_sent = stored(redeem(2), Some("a"), IntentState::NotSent, Code::TimedOut);
        let by_key = stored(redeem(2), Some("a"), IntentState::Declined, Code::Unauthorized);
        let admitted = |reference, of_reference: Option<Intent>, other: &Intent| {
            let candidates = Candidates {
                by_reference: of_reference.into_iter().collect(),
                unacknowledged: vec![other.clone()],
                ..Candidates::default()
            };
            admit(&command(redeem(3), reference), &candidates, CLOCKS, RULES)
        };
        for (reference, before) in [(Some("b"), None), (Some("a"), Some(&not_sent)), (Some("a"), Some(&by_key))] {
            let result = admitted(reference, before.cloned(), &pending);
            assert_eq!(result.err().map(|error| error.code()), Some(Code::RewardInUse), "{before:?}");
        }
        let in_review = Intent { code: Code::PendingAmbiguous, ..pending.clone() };
        let done = Intent { state: IntentState::Completed, ..pending.clone() };
        let foreign = Intent { tenant: Some("other".into()), ..pending };
        let result = admitted(Some("a"), Some(not_sent.clone()), &foreign);
        assert_eq!(result.err().map(|error| error.code()), Some(Code::RewardInUse), "pending for another tenant");
        for other in [in_review, done] {
            let result = admitted(Some("a"), Some(not_sent.clone()), &other);
            assert!(matches!(result, Ok(Admission::New(intent)) if intent.id() == not_sent.id()), "{other:?}");
        }
    }

    #[test]
    fn redeem_notes_that_the_reward_was_known_as_redeemed() {
        let not_sent = stored(redeem(2), Some("a"), IntentState::NotSent, Code::TimedOut);
        for redeemed in [false, true] {
            for (reference, by_reference) in [(None, Vec::new()), (Some("a"), vec![not_sent.clone()])] {
                let candidates = Candidates { by_reference, redeemed, ..Candidates::default() };
                let admission = admit(&command(redeem(3), reference), &candidates, CLOCKS, RULES);
                let Ok(Admission::New(intent)) = admission else { panic!("{admission:?}") };
                assert_eq!(intent.progress.redeemed_before, redeemed);
            }
        }
    }

    #[test]
    fn intent_that_may_be_deducted_is_meant_before_others() {
        let not_sent = stored(redeem(1), Some("a"), IntentState::NotSent, Code::Journal);
        let completed = stored(redeem(2), Some("a"), IntentState::Completed, Code::Ok);
        let pending = stored(redeem(2), Some("a"), IntentState::InDoubt, Code::Pending);
        for other in [completed, pending] {
            for mut stored in [vec![not_sent.clone(), other.clone()], vec![other.clone(), not_sent.clone()]] {
                let candidates = Candidates { by_reference: stored.clone(), ..Candidates::default() };
                let admission = admit(&command(redeem(3), Some("a")), &candidates, CLOCKS, RULES);
                assert!(matches!(admission, Ok(Admission::Existing(intent)) if intent == other), "by reference");
                for intent in &mut stored {
                    intent.reference = None;
                }
                let candidates = Candidates { unacknowledged: stored, ..Candidates::default() };
                let admission = admit(&command(redeem(3), None), &candidates, CLOCKS, RULES);
                assert!(matches!(admission, Ok(Admission::Existing(intent)) if intent.id() == other.id()), "{other:?}");
            }
        }
    }

    #[test]
    fn reference_blocks_another_contact_until_acknowledged() {
        let id = Uuid::from_u128(1);
        let purchase = |contact| {
            Operation::Purchase(Purchase {
                id: OperationId::from_uuid(id),
                contact: ContactId::from_uuid(Uuid::from_u128(contact)),
                item: ItemId::from_uuid(id),
            })
        };
        let again = stored(purchase(2), Some("a"), IntentState::NotSent, Code::TimedOut);
        let admitted = |first: Intent| {
            let admitted = |by_reference: Vec<Intent>| {
                let candidates = Candidates { by_reference, ..Candidates::default() };
                admit(&command(purchase(2), Some("a")), &candidates, CLOCKS, RULES)
            };
            let started_again = admitted(vec![again.clone(), first.clone()]);
            let started = admitted(vec![first]);
            assert_eq!(started.is_ok(), started_again.is_ok(), "a second start is no other sale");
            started
        };
        let completed = stored(purchase(1), Some("a"), IntentState::Completed, Code::Ok);
        let result = admitted(completed.clone());
        assert_eq!(result.err().map(|error| error.code()), Some(Code::ReferenceConflict));
        assert!(matches!(
            admitted(Intent { acknowledged_at: Some(1), ..completed }),
            Ok(Admission::New(intent)) if intent.operation == purchase(2)
        ));
        let declined = stored(purchase(1), Some("a"), IntentState::Declined, Code::PurchaseFailed);
        assert!(matches!(admitted(declined), Ok(Admission::New(_))));
        let pending = stored(purchase(1), Some("a"), IntentState::InDoubt, Code::Pending);
        let foreign = Intent { tenant: Some("other".into()), ..pending };
        assert!(admitted(foreign.clone()).unwrap_err().code() == Code::ReferenceConflict, "pending for another tenant");
        let completed = Intent { state: IntentState::Completed, ..foreign.clone() };
        assert!(
            admitted(completed.clone()).unwrap_err().code() == Code::ReferenceConflict,
            "bought for another tenant"
        );
        let reviewed = Intent { acknowledged_at: Some(1), ..completed };
        let declined = Intent { state: IntentState::Declined, ..foreign };
        for other in [reviewed, declined] {
            assert!(matches!(admitted(other), Ok(Admission::New(_))), "another tenant's reference");
        }
    }

    const CLOCKS_OF_ENGAGE: Clocks = Clocks { engage: Some((7_000, 7_100)), ..CLOCKS };

    fn purchase_command(named: bool) -> Command {
        let id = Uuid::from_u128(1);
        let purchase =
            Purchase { id: OperationId::fresh(), contact: ContactId::from_uuid(id), item: ItemId::from_uuid(id) };
        Command {
            operation: purchase.into(),
            named,
            derived: false,
            reference: Some("R1".to_owned()),
            rewards_before: None,
            points: None,
        }
    }

    fn admitted(command: &Command, candidates: &Candidates, lost_at: Option<Millis>) -> Intent {
        match admit(command, candidates, CLOCKS_OF_ENGAGE, AdmissionRules { lost_at, ..RULES }).unwrap() {
            Admission::New(intent) => intent,
            other => panic!("{other:?}"),
        }
    }

    fn by_reference(intent: &Intent) -> Candidates {
        Candidates { by_reference: vec![intent.clone()], ..Candidates::default() }
    }

    #[test]
    fn press_after_a_loss_of_records_is_queried_first() {
        let plain = admitted(&purchase_command(false), &Candidates::default(), None);
        assert_eq!((plain.state, plain.detail.attempts), (IntentState::Recorded, 1));
        assert!(!plain.progress.query_first && plain.processing_window.is_some());
        for named in [false, true] {
            let doubt = admitted(&purchase_command(named), &Candidates::default(), Some(9));
            assert_eq!((doubt.state, doubt.detail.attempts), (IntentState::InDoubt, 0));
            assert_eq!((doubt.progress.lost_at_ms, doubt.progress.query_first), (Some(9), true));
            assert_eq!((doubt.progress.shared_id, doubt.processing_window), (named, None));
        }
    }

    #[test]
    fn sale_declined_since_the_loss_is_not_queried_again() {
        let doubt = admitted(&purchase_command(false), &Candidates::default(), Some(9));
        let declined = Intent { state: IntentState::Declined, code: Code::Declined, ..doubt };
        assert!(!admitted(&purchase_command(false), &by_reference(&declined), Some(9)).progress.query_first);
        // Of another tenant, or of another contact.
        let foreign = Intent { tenant: Some("other".into()), ..declined.clone() };
        assert!(admitted(&purchase_command(false), &by_reference(&foreign), Some(9)).progress.query_first);
        let Operation::Purchase(purchase) = declined.operation else { panic!("a redeem") };
        let contact = ContactId::from_uuid(Uuid::from_u128(5));
        let other = Intent { operation: Purchase { contact, ..purchase }.into(), ..declined.clone() };
        assert!(admitted(&purchase_command(false), &by_reference(&other), Some(9)).progress.query_first);
        // Another loss, or a decline from before it.
        assert!(admitted(&purchase_command(false), &by_reference(&declined), Some(10)).progress.query_first);
        let mut before = declined;
        before.progress.lost_at_ms = None;
        assert!(admitted(&purchase_command(false), &by_reference(&before), Some(9)).progress.query_first);
    }

    #[test]
    fn record_not_sent_before_a_loss_is_queried_first() {
        let plain = admitted(&purchase_command(false), &Candidates::default(), None);
        let not_sent = Intent { state: IntentState::NotSent, code: Code::Offline, ..plain };
        // A newer revision may be lost, with an attempt under the same id.
        let doubt = admitted(&purchase_command(false), &by_reference(&not_sent), Some(9));
        assert_eq!((doubt.id(), doubt.state, doubt.detail.attempts), (not_sent.id(), IntentState::InDoubt, 1));
        assert!(doubt.progress.query_first && doubt.progress.shared_id);
        assert_eq!(doubt.revision, not_sent.revision + 1);
        let mut since = not_sent;
        since.progress.lost_at_ms = Some(9);
        assert_eq!(admitted(&purchase_command(false), &by_reference(&since), Some(9)).state, IntentState::Recorded);
        // Its commit failed, so that nothing was queried.
        since.progress.query_first = true;
        assert!(admitted(&purchase_command(false), &by_reference(&since), Some(9)).progress.query_first);
    }

    fn code_of(result: Result<Admission>) -> Option<Code> {
        result.err().map(|error| error.code())
    }

    fn named(intent: &Intent) -> Command {
        Command { named: true, ..command(intent.operation, intent.reference.as_deref()) }
    }

    #[test]
    fn purchase_id_means_its_own_sale_only() {
        let plain = admitted(&purchase_command(false), &Candidates::default(), None);
        let pending = Intent { state: IntentState::InDoubt, ..plain };
        let other_item = match pending.operation {
            Operation::Purchase(purchase) => Purchase { item: ItemId::from_uuid(Uuid::from_u128(5)), ..purchase },
            Operation::Redeem(_) => panic!("a redeem"),
        };
        let foreign = Intent { tenant: Some("other".into()), ..pending.clone() };
        let without = Command { reference: None, ..named(&pending) };
        let other = Command { reference: Some("other".into()), ..named(&pending) };
        for (command, stored, expected) in [
            (named(&pending), &pending, None),
            (without, &pending, None),
            (Command { operation: other_item.into(), ..named(&pending) }, &pending, Some(Code::PurchaseIdConflict)),
            (named(&pending), &foreign, Some(Code::PurchaseIdConflict)),
            (other, &pending, Some(Code::ReferenceConflict)),
        ] {
            let candidates = Candidates { by_id: Some(stored.clone()), ..Candidates::default() };
            let result = admit(&command, &candidates, CLOCKS, RULES);
            if let Ok(admission) = &result {
                assert!(matches!(admission, Admission::Existing(intent) if *intent == pending));
            }
            assert_eq!(code_of(result), expected, "{command:?}");
        }
        let result = admit(&named(&pending), &by_reference(&pending), CLOCKS, RULES);
        assert_eq!(code_of(result), Some(Code::ReferenceConflict), "the reference has another purchase id");
    }

    #[test]
    fn derived_id_that_was_declined_is_sent_again() {
        let plain = admitted(&purchase_command(false), &Candidates::default(), None);
        for (derived, state, code, again) in [
            (true, IntentState::Declined, Code::PromotionExpired, true),
            (true, IntentState::Declined, Code::PurchaseFailed, false),
            (true, IntentState::Completed, Code::Ok, false),
            (false, IntentState::Declined, Code::PromotionExpired, false),
            (false, IntentState::Declined, Code::Forbidden, true),
            (false, IntentState::NotSent, Code::Offline, true),
        ] {
            let stored = Intent { state, code, query_count: 9, acknowledged_at: Some(1), ..plain.clone() };
            let candidates = Candidates { by_id: Some(stored.clone()), ..Candidates::default() };
            let command = Command { derived, ..command(stored.operation, stored.reference.as_deref()) };
            match admit(&command, &candidates, CLOCKS, RULES).unwrap() {
                Admission::New(next) => {
                    assert!(again, "{state:?} {code:?}");
                    assert_eq!((next.detail.attempts, next.revision, next.query_count), (2, 2, 0));
                    assert_eq!((next.state, next.acknowledged_at), (IntentState::Recorded, None));
                    let by_key = (code == Code::Forbidden).then(|| code.number());
                    assert_eq!(next.progress.declined_before.map(|it| it.code), by_key);
                }
                _ => assert!(!again, "{state:?} {code:?}"),
            }
        }
    }

    #[test]
    fn acknowledged_reference_is_used_up_after_its_window() {
        let plain = admitted(&purchase_command(false), &Candidates::default(), None);
        let window = RULES.reference_window_ms;
        for (state, waited, expected) in [
            (IntentState::Completed, window, None),
            (IntentState::Completed, window + 1, Some(Code::ReferenceReused)),
            (IntentState::NotSent, window + 1, None),
        ] {
            let stored = Intent { state, code: Code::Offline, acknowledged_at: Some(1_000), ..plain.clone() };
            let clocks = Clocks { till: 1_000 + waited, ..CLOCKS };
            let result = admit(&purchase_command(false), &by_reference(&stored), clocks, RULES);
            assert_eq!(code_of(result), expected, "{state:?} {waited}");
        }
    }

    #[test]
    fn command_without_reference_means_no_sale_with_one() {
        let operation = purchase_command(false).operation;
        for (reference, expected) in [(None, true), (Some("a"), false)] {
            let pending = stored(operation, reference, IntentState::InDoubt, Code::Pending);
            let candidates = Candidates { unacknowledged: vec![pending], ..Candidates::default() };
            let admission = admit(&command(operation, None), &candidates, CLOCKS, RULES).unwrap();
            assert_eq!(matches!(admission, Admission::Existing(_)), expected, "{reference:?}");
        }
    }

    #[test]
    fn command_is_about_the_id_or_the_reference() {
        let ours = purchase_command(false).operation;
        let Operation::Purchase(purchase) = ours else { panic!("a redeem") };
        let other_id: Operation = Purchase { id: OperationId::fresh(), ..purchase }.into();
        let other_item: Operation = Purchase { item: ItemId::from_uuid(Uuid::from_u128(5)), ..purchase }.into();
        for (operation, named, reference, expected) in [
            (ours, true, None, true),
            (ours, false, None, false),
            (ours, true, Some("b"), true),
            (other_id, true, None, false),
            (other_id, false, Some("a"), true),
            (other_id, false, Some("b"), false),
            (other_item, false, Some("a"), false),
        ] {
            let command = Command { named, ..command(operation, reference) };
            let stored = stored(ours, Some("a"), IntentState::InDoubt, Code::Pending);
            assert_eq!(is_meant(&command, &stored), expected, "{command:?}");
        }
        let no_reference = stored(ours, None, IntentState::InDoubt, Code::Pending);
        assert!(!is_meant(&command(other_id, None), &no_reference), "no reference is none in common");
    }
}
