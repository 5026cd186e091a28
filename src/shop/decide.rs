//! The life of an intent as pure functions of (record, event, clock): no I/O, no randomness of their own.
//! What they promise is model-checked; what carries them out is `engine`.

use crate::code::Code;
use crate::config::RetryRules;
use crate::engage::{Facts, LONGEST_RETRY_AFTER_MS, Order, Redeemed, Verdict};
use crate::error::{Detail, Error, Result};
use crate::id::AssignmentId;
use crate::journal::{Candidates, Durability, Intention, Record, State};
use crate::time::Millis;

/// What a caller wants bought or used.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    /// With the id the POS gave, or else a fresh one.
    pub order: Order,
    /// Whether the POS gave the id.
    pub named: bool,
    pub reference: Option<String>,
    /// For a purchase: the rewards the member has, if they were looked at.
    pub rewards_before: Option<Vec<AssignmentId>>,
}

/// What time it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// Here.
    pub now: Millis,
    /// How long from now a request that starts now may be under way.
    pub quiet: Millis,
    /// At Engage, at the earliest and at the latest, if that is known.
    pub engage: Option<(Millis, Millis)>,
}

impl Times {
    /// When, by Engage's clock, a request that starts now may be at work there.
    fn asked(self) -> Option<(Millis, Millis)> {
        self.engage.map(|(earliest, latest)| (earliest, latest + self.quiet))
    }
}

/// Counts back from what time it is at Engage now to the time when a request may have been at work there, for an intent that did
/// not know it then. Only where the till's clock has run steadily since, which is for the caller to know.
pub(crate) fn counted_back(record: Record, times: Times) -> Record {
    let Some((earliest, latest)) = times.engage.filter(|_| record.asked.is_none()) else { return record };
    let from = earliest.saturating_sub(times.now.saturating_sub(record.recorded_at));
    let until = (latest + record.quiet_until).saturating_sub(times.now);
    Record { asked: Some((from, until)), ..record }
}

/// Which intent a wish means: one there is already, or a new one (invariants 3 and 7).
pub(crate) fn intend(wish: &Wish, candidates: Candidates, times: Times) -> Result<Intention> {
    let bound = |code, says: &str, record: &Record| Err(record.order.named_in(Error::new(code, says)));
    if wish.named
        && let Some(record) = candidates.by_id
    {
        if record.order != wish.order {
            let says =
                "purchaseId was used on this till for another contact or another item; make a fresh one (eps_new_id)";
            return bound(Code::PurchaseIdConflict, says, &record);
        }
        if let Some(reference) = &wish.reference
            && record.reference.as_ref() != Some(reference)
        {
            let says = "purchaseId was used on this till with another reference, or with none";
            return bound(Code::ReferenceConflict, says, &record);
        }
        return Ok(join(record, times));
    }
    if let Some(record) = candidates.by_reference {
        if wish.named {
            let says = "reference, contact and item already belong to another purchase id; leave purchaseId out to follow that purchase";
            return bound(Code::ReferenceConflict, says, &record);
        }
        return Ok(join(record, times));
    }
    // A refused intent is not followed: the member may have got the points since. Neither is one a person has to look at.
    let is_open = |record: &&Record| {
        record.reference.is_none() && record.state != State::Declined && !record.needs_review() && is_same(record, wish)
    };
    if wish.reference.is_none()
        && !wish.named
        && let Some(record) = candidates.unacknowledged.iter().find(is_open)
    {
        return Ok(join(record.clone(), times));
    }
    if let Order::Redeem(_) = wish.order
        && let Some(record) = candidates.unacknowledged.iter().find(|it| !it.state.is_settled() && !it.needs_review())
    {
        // A second request now would make it impossible to tell whose answer is whose.
        return bound(Code::RewardInUse, Code::RewardInUse.row().meaning, record);
    }
    Ok(Intention::Start(Record {
        asked: times.asked(),
        rewards_before: wish.rewards_before.clone(),
        ..Record::new(wish.order, wish.reference.clone(), times.now, times.now + times.quiet)
    }))
}

/// Whether an intent is about the same as a wish, apart from its id.
fn is_same(record: &Record, wish: &Wish) -> bool {
    match (&record.order, &wish.order) {
        (Order::Purchase(ours), Order::Purchase(theirs)) => (ours.contact, ours.item) == (theirs.contact, theirs.item),
        (Order::Redeem(ours), Order::Redeem(theirs)) => {
            (ours.assignment, ours.channel) == (theirs.assignment, theirs.channel)
        }
        _ => false,
    }
}

/// Follows an intent, or starts it again where nothing of it has ever left.
fn join(record: Record, times: Times) -> Intention {
    if record.state != State::NotSent {
        return Intention::Join(record);
    }
    Intention::Start(Record {
        state: State::Recorded,
        code: Code::Pending,
        detail: Detail { attempts: record.detail.attempts + 1, ..Detail::default() },
        recorded_at: times.now,
        quiet_until: times.now + times.quiet,
        next_at: times.now,
        rounds: 0,
        asked: times.asked(),
        doubt: false,
        resolved_at: None,
        acknowledged_at: None,
        revision: record.revision + 1,
        ..record
    })
}

/// What to do next about an intent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The outcome is known, or a person has taken over.
    Rest,
    /// Nothing before this time.
    Wait(Millis),
    /// Ask Engage for the purchases of the contact.
    Look,
}

/// The next step of an intent that no request of this process is under way for.
pub(crate) fn next(record: &Record, now: Millis) -> Step {
    if record.state.is_settled() || record.is_closed() {
        Step::Rest
    } else if now < record.next_at {
        Step::Wait(record.next_at)
    } else {
        Step::Look
    }
}

/// After a look that did not find the purchase: whether it may be sent once more, with the same id.
/// Not while an earlier request may still be under way, and never once it is older than the replay limit.
pub(crate) fn may_send_again(record: &Record, looked_at: Millis, rules: &RetryRules) -> bool {
    !record.state.is_settled()
        && record.code != Code::PendingAmbiguous
        && looked_at >= record.quiet_until
        && !too_old(record, looked_at, rules)
}

fn too_old(record: &Record, now: Millis, rules: &RetryRules) -> bool {
    now.saturating_sub(record.recorded_at) > rules.resend_limit_ms
}

/// The record that must be durable before the request is sent once more. `excluded`: a look has proven that nothing has come
/// of the requests before, which are all over.
pub(crate) fn claim(record: &Record, excluded: bool, times: Times) -> Record {
    let asked = match (excluded, record.asked, times.asked()) {
        (true, _, asked) => asked,
        (false, Some((from, _)), Some((_, until))) => Some((from, until)),
        (false, ..) => None,
    };
    Record {
        state: State::InDoubt,
        quiet_until: times.now + times.quiet,
        next_at: times.now + times.quiet,
        detail: Detail { attempts: record.detail.attempts + 1, ..record.detail.clone() },
        asked,
        doubt: !excluded,
        revision: record.revision + 1,
        ..record.clone()
    }
}

/// How the next look is timed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace<'a> {
    pub rules: &'a RetryRules,
    /// A caller is waiting for it.
    pub attended: bool,
    /// A random number, for the jitter.
    pub roll: u64,
}

/// The record after a request that spends (`Absent` and `Unseen` do not come from one).
pub(crate) fn after_send(record: &Record, verdict: Verdict, now: Millis, pace: Pace<'_>) -> Record {
    match verdict {
        Verdict::Completed { answer } => done(record, answer, now),
        // What this request was told says nothing about one before it that may have been processed.
        Verdict::Declined(facts) if record.doubt => {
            let code = match facts.code {
                Code::Unauthorized | Code::Forbidden => Code::PendingCredentials,
                _ => Code::PendingAmbiguous,
            };
            unknown(record, Facts { code, ..facts }, now, pace)
        }
        Verdict::Declined(facts) => settled(record, State::Declined, facts, now),
        Verdict::Redeemed(found) => {
            let facts = |code| Facts { detail: found.detail.clone(), ..Facts::of(code) };
            match (record.doubt, record.order.contact()) {
                // Before this request, and no earlier one of ours can have been processed: somebody else has used it.
                (false, _) => settled(record, State::Declined, facts(Code::AlreadyRedeemed), now),
                // A look may tell when it was.
                (true, Some(_)) => Record { next_at: now, ..unknown(record, facts(Code::Pending), now, pace) },
                (true, None) => unknown(record, facts(Code::PendingAmbiguous), now, pace),
            }
        }
        // Only the very first request of a start proves it: an earlier one of this intent may have left.
        Verdict::NotSent(facts) if record.state == State::Recorded => settled(record, State::NotSent, facts, now),
        Verdict::NotSent(facts) => Record {
            // Nothing left, so there is nothing to keep quiet for.
            quiet_until: now,
            ..unknown(record, Facts { code: pending_code(facts.code), ..facts }, now, pace)
        },
        Verdict::Unknown(facts) => {
            // These two answers say that the request is over and nothing came of it; any other leaves it under way.
            let over = matches!(facts.code, Code::PendingAssignmentError | Code::PendingRateLimited);
            let after = unknown(record, facts, now, pace);
            Record { quiet_until: if over { now } else { after.quiet_until }, ..after }
        }
        Verdict::Absent | Verdict::Unseen => unknown(record, Facts::of(Code::Pending), now, pace),
    }
}

/// The record after a look at the history.
pub(crate) fn after_look(record: &Record, verdict: Verdict, now: Millis, pace: Pace<'_>) -> Record {
    match verdict {
        Verdict::Completed { answer } => done(record, answer, now),
        Verdict::Declined(facts) => settled(record, State::Declined, facts, now),
        // A look that failed does not take back that a person has to look; Engage knowing the purchase does.
        Verdict::Unknown(facts) if record.needs_review() && facts.code != Code::PendingProcessing => {
            unknown(record, Facts { code: record.code, ..facts }, now, pace)
        }
        Verdict::Unknown(facts) => unknown(record, facts, now, pace),
        Verdict::NotSent(facts) => unknown(record, Facts { code: pending_code(facts.code), ..facts }, now, pace),
        Verdict::Redeemed(found) => match redeemer(record.asked, found.on) {
            Redeemer::Us => done(record, found.reward.unwrap_or_default(), now),
            Redeemer::SomebodyElse => {
                let facts = Facts { detail: found.detail, ..Facts::of(Code::AlreadyRedeemed) };
                Record { answer: found.reward, ..settled(record, State::Declined, facts, now) }
            }
            Redeemer::CannotTell => ambiguous(record, found, now, pace),
        },
        // Engage has said before that it is redeemed, and there is no more to be learned.
        Verdict::Unseen if record.detail.engage_code.as_deref() == Some(ALREADY_REDEEMED) => {
            ambiguous(record, Redeemed { detail: record.detail.clone(), ..Redeemed::default() }, now, pace)
        }
        Verdict::Absent | Verdict::Unseen => {
            let code = match too_old(record, now, pace.rules) && now >= record.quiet_until {
                true => Code::PendingNeedsReview,
                // Not redeemed after all, so nothing is ambiguous.
                false if matches!(verdict, Verdict::Absent) && record.code == Code::PendingAmbiguous => Code::Pending,
                // The reason it became unknown stays the reason.
                false => record.code,
            };
            let mut after =
                unknown(record, Facts { code, detail: record.detail.clone(), cause: record.cause.clone() }, now, pace);
            // A second look before the quiet time is over could not lead to anything but a find.
            if !pace.attended && !after.needs_review() {
                after.next_at = after.next_at.max(record.quiet_until.min(now + widest(pace.rules)));
            }
            after
        }
    }
}

/// Engage's word for a reward that is used.
const ALREADY_REDEEMED: &str = "PromotionAlreadyRedeemed";
/// A `Date` may be a relay's, whose clock is not quite Engage's. What is nearer than this to the time of our requests, and not
/// within, proves nothing.
const NEAR_MS: Millis = 60_000;

/// Who has used a reward that is found redeemed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Redeemer {
    Us,
    SomebodyElse,
    CannotTell,
}

/// Within the time in which a request of ours may have been at work, it was ours: anybody else would have had to use the very same
/// reward in these seconds. Well before or after, it cannot have been. All by Engage's clock.
fn redeemer(asked: Option<(Millis, Millis)>, on: Option<Millis>) -> Redeemer {
    match (asked, on) {
        (Some((from, until)), Some(on)) if (from..=until).contains(&on) => Redeemer::Us,
        (Some((from, until)), Some(on)) if on + NEAR_MS < from || until + NEAR_MS < on => Redeemer::SomebodyElse,
        _ => Redeemer::CannotTell,
    }
}

/// The record of a redeem of which nobody can tell whether it is done or refused, with what is known.
fn ambiguous(record: &Record, found: Redeemed, now: Millis, pace: Pace<'_>) -> Record {
    let facts = Facts { detail: found.detail, ..Facts::of(Code::PendingAmbiguous) };
    Record { answer: found.reward, ..unknown(record, facts, now, pace) }
}

/// How sure the journal must be before anybody is told. A refusal or a "not sent" that a power cut undid would be
/// settled as if it were pending, and bought after all; a completed purchase would only be found completed again.
pub(crate) fn durability(record: &Record) -> Durability {
    match record.state {
        State::Declined | State::NotSent => Durability::Now,
        // What a look would find then is less clear: it may have to ask a person.
        State::Completed if matches!(record.order, Order::Redeem(_)) => Durability::Now,
        State::Recorded | State::InDoubt | State::Completed => Durability::Later,
    }
}

/// The acknowledged record, or why it cannot be acknowledged.
pub(crate) fn acknowledge(record: &Record, now: Millis) -> Result<Option<Record>> {
    if record.is_closed() {
        return Ok(None);
    }
    if !record.state.is_settled() && !record.needs_review() {
        let says = "the operation is pending; it can be acknowledged once its outcome is known (eps_resolve_pending tries now)";
        return Err(record.order.named_in(Error::new(Code::StillPending, says)));
    }
    Ok(Some(Record { acknowledged_at: Some(now), revision: record.revision + 1, ..record.clone() }))
}

/// What a caller is told about a record: the record when it is done, else the error that says refused, not sent or pending.
/// `reason` is why the caller stops waiting; it is told where nothing better is known.
pub(crate) fn told(record: Record, reason: Code) -> Result<Record> {
    if record.state == State::Completed {
        return Ok(record);
    }
    let nothing_known =
        !record.state.is_settled() && record.code == Code::Pending && record.detail.http_status.is_none();
    let code = if nothing_known { reason } else { record.code };
    Err(record.order.named_in(Error::of(code).with_detail(record.detail).with_cause(record.cause)))
}

/// Whether what a request has taught about `ours` is not to be added to `theirs`, which somebody else has written since:
/// it is settled, or sent again, and then only a completed purchase is still news.
pub(crate) fn is_overtaken(ours: &Record, theirs: &Record, verdict: &Verdict) -> bool {
    let sent_again = theirs.detail.attempts != ours.detail.attempts;
    theirs.state.is_settled() || (sent_again && !matches!(verdict, Verdict::Completed { .. }))
}

/// The record as a caller must see it when the journal could not take what was learned.
pub(crate) fn unrecorded(record: Record) -> Record {
    Record { state: State::InDoubt, code: Code::PendingNotPersisted, answer: None, resolved_at: None, ..record }
}

fn done(record: &Record, answer: String, now: Millis) -> Record {
    Record {
        state: State::Completed,
        code: Code::Ok,
        answer: Some(answer),
        resolved_at: Some(now),
        detail: Detail { http_status: None, engage_code: None, ..record.detail.clone() },
        revision: record.revision + 1,
        ..record.clone()
    }
}

fn settled(record: &Record, state: State, facts: Facts, now: Millis) -> Record {
    Record {
        state,
        code: facts.code,
        resolved_at: Some(now),
        detail: Detail { attempts: record.detail.attempts, ..facts.detail },
        cause: facts.cause,
        revision: record.revision + 1,
        ..record.clone()
    }
}

fn unknown(record: &Record, facts: Facts, now: Millis, pace: Pace<'_>) -> Record {
    let wait = wait_ms(record.rounds, pace).max(facts.detail.retry_after_ms.unwrap_or(0));
    Record {
        state: State::InDoubt,
        code: facts.code,
        detail: Detail { attempts: record.detail.attempts, ..facts.detail },
        cause: facts.cause,
        next_at: now + wait,
        rounds: record.rounds.saturating_add(1),
        revision: record.revision + 1,
        ..record.clone()
    }
}

/// The code of a settling request that did not get through: it is still pending, whatever the reason.
fn pending_code(code: Code) -> Code {
    match code {
        Code::Cancelled => Code::PendingClosed,
        _ => Code::PendingConnectionLost,
    }
}

/// Full jitter over Engage's spacing; while somebody waits, much sooner (Engage: "a user-invoked call may be shorter").
fn wait_ms(rounds: u32, pace: Pace<'_>) -> Millis {
    let spacing = &pace.rules.spacing_ms;
    let step = usize::try_from(rounds).unwrap_or(usize::MAX).min(spacing.len() - 1);
    let background = spacing[step];
    if pace.attended {
        let ceiling = (500 << rounds.min(3)).min(background);
        return ceiling / 2 + pace.roll % (ceiling / 2 + 1);
    }
    pace.roll % (background + 1)
}

fn widest(rules: &RetryRules) -> Millis {
    rules.spacing_ms.iter().copied().max().unwrap_or(0)
}

/// Brings a record into bounds after the clock went back: a time far in the future would hold it up for days.
/// What lies further ahead than anything is ever planned is due now; the look that follows writes the quiet time down.
pub(crate) fn bounded(record: Record, now: Millis, quiet: Millis, rules: &RetryRules) -> Record {
    // Engage may have asked for more patience than we would have had.
    let asked_for = if record.code == Code::PendingRateLimited { LONGEST_RETRY_AFTER_MS } else { 0 };
    let planned = record.next_at <= now + widest(rules).max(quiet).max(asked_for);
    Record {
        quiet_until: record.quiet_until.min(now + quiet),
        next_at: if planned { record.next_at } else { now },
        ..record
    }
}
