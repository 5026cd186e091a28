//! The life of an intent as pure functions of (record, event, clock): no I/O, no randomness of their own.
//! What they promise is model-checked; what carries them out is `engine`.

use crate::code::Code;
use crate::config::SettleRules;
use crate::engage::{Facts, LONGEST_RETRY_AFTER_MS, PurchaseOrder, Verdict};
use crate::error::{Detail, Error, Result};
use crate::journal::{Candidates, Durability, Intention, Millis, Record, State};

/// What a caller wants bought.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    /// With the id the POS gave, or else a fresh one.
    pub order: PurchaseOrder,
    /// Whether the POS gave the id.
    pub named: bool,
    pub reference: Option<String>,
}

/// Which intent a wish means: one there is already, or a new one (invariants 3 and 7).
pub(crate) fn intend(wish: &Wish, candidates: Candidates, now: Millis, quiet: Millis) -> Result<Intention> {
    if wish.named
        && let Some(record) = candidates.by_id
    {
        if record.order != wish.order {
            return Err(Error::new(
                Code::PurchaseIdBound,
                "purchaseId was used on this till for another contact or another item; make a fresh one (eps_new_id)",
            )
            .with_operation(record.id()));
        }
        if let Some(reference) = &wish.reference
            && record.reference.as_ref() != Some(reference)
        {
            return Err(Error::new(
                Code::ReferenceBound,
                "purchaseId was used on this till with another reference, or with none",
            )
            .with_operation(record.id()));
        }
        return Ok(join(record, now, quiet));
    }
    if wish.reference.is_some() {
        match candidates.by_reference {
            Some(record) if wish.named => {
                return Err(Error::new(
                    Code::ReferenceBound,
                    "reference, contact and item already belong to another purchase id; leave purchaseId out to follow that purchase",
                )
                .with_operation(record.id()));
            }
            Some(record) => return Ok(join(record, now, quiet)),
            None => {}
        }
    } else if !wish.named {
        // A refused intent is not followed: the member may have got the points since. Neither is one a person has to look at.
        let open = candidates
            .unacknowledged
            .into_iter()
            .find(|record| record.reference.is_none() && record.state != State::Refused && !record.needs_person());
        if let Some(record) = open {
            return Ok(join(record, now, quiet));
        }
    }
    Ok(Intention::Start(Record::new(wish.order, wish.reference.clone(), now, now + quiet)))
}

/// Follows an intent, or starts it again where nothing of it has ever left.
fn join(record: Record, now: Millis, quiet: Millis) -> Intention {
    if record.state != State::NotSent {
        return Intention::Join(record);
    }
    Intention::Start(Record {
        state: State::Recorded,
        code: Code::Pending,
        detail: Detail { attempts: record.detail.attempts + 1, ..Detail::default() },
        recorded_at: now,
        quiet_until: now + quiet,
        next_at: now,
        rounds: 0,
        settled_at: None,
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
pub(crate) fn may_send_again(record: &Record, looked_at: Millis, rules: &SettleRules) -> bool {
    !record.state.is_settled() && looked_at >= record.quiet_until && !too_old(record, looked_at, rules)
}

fn too_old(record: &Record, now: Millis, rules: &SettleRules) -> bool {
    now.saturating_sub(record.recorded_at) > rules.replay_limit_ms
}

/// The record that must be durable before the request is sent once more.
pub(crate) fn claim(record: &Record, now: Millis, quiet: Millis) -> Record {
    Record {
        state: State::Unknown,
        quiet_until: now + quiet,
        next_at: now + quiet,
        detail: Detail { attempts: record.detail.attempts + 1, ..record.detail.clone() },
        revision: record.revision + 1,
        ..record.clone()
    }
}

/// How the next look is timed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace<'a> {
    pub rules: &'a SettleRules,
    /// A caller is waiting for it.
    pub attended: bool,
    /// A random number, for the jitter.
    pub roll: u64,
}

/// The record after a request that spends (`Absent` does not come from one).
pub(crate) fn after_send(record: &Record, verdict: Verdict, now: Millis, pace: Pace<'_>) -> Record {
    match verdict {
        Verdict::Done { answer } => done(record, answer, now),
        Verdict::Refused(facts) => settled(record, State::Refused, facts, now),
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
        Verdict::Absent => unknown(record, Facts::of(Code::Pending), now, pace),
    }
}

/// The record after a look at the history.
pub(crate) fn after_look(record: &Record, verdict: Verdict, now: Millis, pace: Pace<'_>) -> Record {
    match verdict {
        Verdict::Done { answer } => done(record, answer, now),
        Verdict::Refused(facts) => settled(record, State::Refused, facts, now),
        // A look that failed does not take back that a person has to look; Engage knowing the purchase does.
        Verdict::Unknown(facts) if record.needs_person() && facts.code != Code::PendingProcessing => {
            unknown(record, Facts { code: Code::PendingNeedsPerson, ..facts }, now, pace)
        }
        Verdict::Unknown(facts) => unknown(record, facts, now, pace),
        Verdict::NotSent(facts) => unknown(record, Facts { code: pending_code(facts.code), ..facts }, now, pace),
        Verdict::Absent => {
            let code = match too_old(record, now, pace.rules) && now >= record.quiet_until {
                true => Code::PendingNeedsPerson,
                // The reason it became unknown stays the reason.
                false => record.code,
            };
            let mut after =
                unknown(record, Facts { code, detail: record.detail.clone(), cause: record.cause.clone() }, now, pace);
            // A second look before the quiet time is over could not lead to anything but a find.
            if !pace.attended && code != Code::PendingNeedsPerson {
                after.next_at = after.next_at.max(record.quiet_until.min(now + widest(pace.rules)));
            }
            after
        }
    }
}

/// How sure the journal must be before anybody is told. A refusal or a "not sent" that a power cut undid would be
/// settled as if it were pending, and bought after all; a completed purchase would only be found completed again.
pub(crate) fn durability(record: &Record) -> Durability {
    match record.state {
        State::Refused | State::NotSent => Durability::Now,
        State::Recorded | State::Unknown | State::Done => Durability::Later,
    }
}

/// The acknowledged record, or why it cannot be acknowledged.
pub(crate) fn acknowledge(record: &Record, now: Millis) -> Result<Option<Record>> {
    if record.is_closed() {
        return Ok(None);
    }
    if !record.state.is_settled() && !record.needs_person() {
        return Err(Error::new(
            Code::StillPending,
            "the operation is pending; it can be acknowledged once its outcome is known (eps_settle tries now)",
        )
        .with_operation(record.id()));
    }
    Ok(Some(Record { acknowledged_at: Some(now), revision: record.revision + 1, ..record.clone() }))
}

/// What a caller is told about a record: the record when it is done, else the error that says refused, not sent or pending.
/// `reason` is why the caller stops waiting; it is told where nothing better is known.
pub(crate) fn told(record: Record, reason: Code) -> Result<Record> {
    if record.state == State::Done {
        return Ok(record);
    }
    let nothing_known =
        !record.state.is_settled() && record.code == Code::Pending && record.detail.http_status.is_none();
    let code = if nothing_known { reason } else { record.code };
    let operation = record.id();
    Err(Error::of(code).with_detail(record.detail).with_cause(record.cause).with_operation(operation))
}

/// Whether what a request has taught about `ours` is not to be added to `theirs`, which somebody else has written since:
/// it is settled, or sent again, and then only a completed purchase is still news.
pub(crate) fn is_overtaken(ours: &Record, theirs: &Record, verdict: &Verdict) -> bool {
    let sent_again = theirs.detail.attempts != ours.detail.attempts;
    theirs.state.is_settled() || (sent_again && !matches!(verdict, Verdict::Done { .. }))
}

/// The record as a caller must see it when the journal could not take what was learned.
pub(crate) fn unrecorded(record: Record) -> Record {
    Record { state: State::Unknown, code: Code::PendingUnrecorded, answer: None, settled_at: None, ..record }
}

fn done(record: &Record, answer: String, now: Millis) -> Record {
    Record {
        state: State::Done,
        code: Code::Ok,
        answer: Some(answer),
        settled_at: Some(now),
        detail: Detail { http_status: None, engage_code: None, ..record.detail.clone() },
        revision: record.revision + 1,
        ..record.clone()
    }
}

fn settled(record: &Record, state: State, facts: Facts, now: Millis) -> Record {
    Record {
        state,
        code: facts.code,
        settled_at: Some(now),
        detail: Detail { attempts: record.detail.attempts, ..facts.detail },
        cause: facts.cause,
        revision: record.revision + 1,
        ..record.clone()
    }
}

fn unknown(record: &Record, facts: Facts, now: Millis, pace: Pace<'_>) -> Record {
    let wait = wait_ms(record.rounds, pace).max(facts.detail.retry_after_ms.unwrap_or(0));
    Record {
        state: State::Unknown,
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

fn widest(rules: &SettleRules) -> Millis {
    rules.spacing_ms.iter().copied().max().unwrap_or(0)
}

/// Brings a record into bounds after the clock went back: a time far in the future would hold it up for days.
/// What lies further ahead than anything is ever planned is due now; the look that follows writes the quiet time down.
pub(crate) fn bounded(record: Record, now: Millis, quiet: Millis, rules: &SettleRules) -> Record {
    // Engage may have asked for more patience than we would have had.
    let asked_for = if record.code == Code::PendingRateLimited { LONGEST_RETRY_AFTER_MS } else { 0 };
    let planned = record.next_at <= now + widest(rules).max(quiet).max(asked_for);
    Record {
        quiet_until: record.quiet_until.min(now + quiet),
        next_at: if planned { record.next_at } else { now },
        ..record
    }
}
