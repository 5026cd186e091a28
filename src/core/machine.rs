//! The life of an intent as pure functions of (intent, evidence, clock).

use super::admission::Clocks;
use super::code::Code;
use super::domain::{Millis, Operation};
use super::error::{Detail, Error, Result};
use super::evidence::{Evidence, Reason, Redemption};
use super::intent::{Durability, Intent, IntentState};
use super::retry::{LONGEST_RETRY_AFTER_MS, RetryRules, Timing, wait_ms, widest};

/// The next action about an intent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NextAction {
    /// The outcome is known, or the POS has acknowledged the operation.
    Nothing,
    /// Wait until this time.
    Wait(Millis),
    /// Send a status query.
    QueryStatus,
}

/// Returns the next action about an intent that has no request of this process under way.
pub(crate) fn next(intent: &Intent, now: Millis) -> NextAction {
    if intent.state.is_final() || intent.is_acknowledged() {
        NextAction::Nothing
    } else if now < intent.next_query_at {
        NextAction::Wait(intent.next_query_at)
    } else {
        NextAction::QueryStatus
    }
}

/// Whether a status query that found nothing allows one more attempt with the same id. Never while an
/// earlier attempt may be under way, and never past the resend limit.
pub(crate) fn may_resend(intent: &Intent, queried_at: Millis, rules: &RetryRules) -> bool {
    !intent.state.is_final()
        && intent.code != Code::PendingAmbiguous
        && queried_at >= intent.in_flight_until
        && !past_resend_limit(intent, queried_at, rules)
}

fn past_resend_limit(intent: &Intent, now: Millis, rules: &RetryRules) -> bool {
    now.saturating_sub(intent.recorded_at) > rules.resend_limit_ms
}

/// Returns the intent that must be durable before one more attempt. `excluded`: a status query has proven
/// that the earlier attempts are over and without effect.
pub(crate) fn next_attempt(intent: &Intent, excluded: bool, clocks: Clocks) -> Intent {
    let processing_window = match (excluded, intent.processing_window, clocks.processing_window()) {
        (true, _, processing_window) => processing_window,
        (false, Some((from, _)), Some((_, until))) => Some((from, until)),
        (false, ..) => None,
    };
    Intent {
        state: IntentState::InDoubt,
        in_flight_until: clocks.now + clocks.in_flight_window,
        next_query_at: clocks.now + clocks.in_flight_window,
        detail: Detail { attempts: intent.detail.attempts + 1, ..intent.detail.clone() },
        processing_window,
        earlier_in_doubt: !excluded,
        revision: intent.revision + 1,
        ..intent.clone()
    }
}

/// Returns the intent after an attempt. `Absent` and `Unseen` do not come from an attempt.
pub(crate) fn after_attempt(intent: &Intent, evidence: Evidence, now: Millis, timing: Timing<'_>) -> Intent {
    match evidence {
        Evidence::Completed { response } => completed(intent, response, now),
        // The response to this attempt says nothing about an earlier attempt that may have been processed.
        Evidence::Declined(reason) if intent.earlier_in_doubt => {
            let code = match reason.code {
                Code::Unauthorized | Code::Forbidden => Code::PendingCredentials,
                _ => Code::PendingAmbiguous,
            };
            pending(intent, Reason { code, ..reason }, now, timing)
        }
        Evidence::Declined(reason) => final_outcome(intent, IntentState::Declined, reason, now),
        Evidence::Redeemed(found) => {
            let reason = |code| Reason { detail: found.detail.clone(), ..Reason::of(code) };
            match (intent.earlier_in_doubt, intent.operation.contact()) {
                // No earlier attempt of this till can have been processed, so somebody else has used the reward.
                (false, _) => final_outcome(intent, IntentState::Declined, reason(Code::AlreadyRedeemed), now),
                // A status query may give the time of the redeem.
                (true, Some(_)) => Intent { next_query_at: now, ..pending(intent, reason(Code::Pending), now, timing) },
                (true, None) => pending(intent, reason(Code::PendingAmbiguous), now, timing),
            }
        }
        // Only the first attempt proves it: an earlier attempt of this intent may have left.
        Evidence::NotSent(reason) if intent.state == IntentState::Recorded => {
            final_outcome(intent, IntentState::NotSent, reason, now)
        }
        Evidence::NotSent(reason) => Intent {
            // Nothing left the till, so nothing is in flight.
            in_flight_until: now,
            ..pending(intent, Reason { code: pending_code(reason.code), ..reason }, now, timing)
        },
        Evidence::InDoubt(reason) => {
            // These two responses say that the attempt is over. Any other leaves it under way.
            let attempt_over = matches!(reason.code, Code::PendingAssignmentError | Code::PendingRateLimited);
            let after = pending(intent, reason, now, timing);
            Intent { in_flight_until: if attempt_over { now } else { after.in_flight_until }, ..after }
        }
        Evidence::Absent | Evidence::Unseen => pending(intent, Reason::of(Code::Pending), now, timing),
    }
}

/// Returns the intent after a status query.
pub(crate) fn after_query(intent: &Intent, evidence: Evidence, now: Millis, timing: Timing<'_>) -> Intent {
    match evidence {
        Evidence::Completed { response } => completed(intent, response, now),
        Evidence::Declined(reason) => final_outcome(intent, IntentState::Declined, reason, now),
        // A failed query does not end the review. A purchase that Engage shows does.
        Evidence::InDoubt(reason) if intent.needs_review() && reason.code != Code::PendingProcessing => {
            pending(intent, Reason { code: intent.code, ..reason }, now, timing)
        }
        Evidence::InDoubt(reason) => pending(intent, reason, now, timing),
        Evidence::NotSent(reason) => pending(intent, Reason { code: pending_code(reason.code), ..reason }, now, timing),
        Evidence::Redeemed(found) => match redeemer(intent.processing_window, found.on) {
            Redeemer::Us => completed(intent, found.reward.unwrap_or_default(), now),
            Redeemer::Other => {
                let reason = Reason { detail: found.detail, ..Reason::of(Code::AlreadyRedeemed) };
                Intent { response: found.reward, ..final_outcome(intent, IntentState::Declined, reason, now) }
            }
            Redeemer::Unclear => ambiguous(intent, found, now, timing),
        },
        // Engage has said before that the reward is redeemed. No query can prove more.
        Evidence::Unseen if intent.detail.engage_code.as_deref() == Some(ALREADY_REDEEMED) => {
            ambiguous(intent, Redemption { detail: intent.detail.clone(), ..Redemption::default() }, now, timing)
        }
        Evidence::Absent | Evidence::Unseen => {
            let code = match past_resend_limit(intent, now, timing.rules) && now >= intent.in_flight_until {
                true => Code::PendingNeedsReview,
                // The reward is not redeemed after all, so nothing is ambiguous.
                false if matches!(evidence, Evidence::Absent) && intent.code == Code::PendingAmbiguous => Code::Pending,
                // The first reason for the doubt stays the reason.
                false => intent.code,
            };
            let mut after = pending(
                intent,
                Reason { code, detail: intent.detail.clone(), cause: intent.cause.clone() },
                now,
                timing,
            );
            // A query within the in-flight window allows no new attempt, so it is spared.
            if !timing.attended && !after.needs_review() {
                after.next_query_at = after.next_query_at.max(intent.in_flight_until.min(now + widest(timing.rules)));
            }
            after
        }
    }
}

/// Engage's code for a reward that is used.
const ALREADY_REDEEMED: &str = "PromotionAlreadyRedeemed";
/// Tolerance of clocks, in ms: the `Date` header may be a relay's. A redeem that is nearer than this to
/// the processing window, and not within it, proves nothing.
const NEAR_MS: Millis = 60_000;

/// The party that has used a redeemed reward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Redeemer {
    /// This till.
    Us,
    /// Somebody else.
    Other,
    /// Nothing proves either.
    Unclear,
}

/// Decides who has used a reward. Within the processing window it was this till: anybody else would have
/// had to use the same reward in these seconds. All times are Engage's.
fn redeemer(processing_window: Option<(Millis, Millis)>, on: Option<Millis>) -> Redeemer {
    match (processing_window, on) {
        (Some((from, until)), Some(on)) if (from..=until).contains(&on) => Redeemer::Us,
        (Some((from, until)), Some(on)) if on + NEAR_MS < from || until + NEAR_MS < on => Redeemer::Other,
        _ => Redeemer::Unclear,
    }
}

/// Returns the intent of a redeem that is either completed or declined, without a proof of either.
fn ambiguous(intent: &Intent, found: Redemption, now: Millis, timing: Timing<'_>) -> Intent {
    let reason = Reason { detail: found.detail, ..Reason::of(Code::PendingAmbiguous) };
    Intent { response: found.reward, ..pending(intent, reason, now, timing) }
}

/// Returns the durability that a state needs before anybody is notified. A power cut that undid *declined* or
/// *not sent* would lead to a purchase after all. A completed purchase would only be found completed again.
pub(crate) fn durability(intent: &Intent) -> Durability {
    match intent.state {
        IntentState::Declined | IntentState::NotSent => Durability::Synced,
        // A status query of a redeem is less conclusive: it may end in manual review.
        IntentState::Completed if matches!(intent.operation, Operation::Redeem(_)) => Durability::Synced,
        IntentState::Recorded | IntentState::InDoubt | IntentState::Completed => Durability::Buffered,
    }
}

/// Returns the acknowledged intent; None if it was acknowledged before.
pub(crate) fn acknowledge(intent: &Intent, now: Millis) -> Result<Option<Intent>> {
    if intent.is_acknowledged() {
        return Ok(None);
    }
    if !intent.state.is_final() && !intent.needs_review() {
        let message = "the operation is pending; it can be acknowledged once its outcome is known (eps_resolve_pending tries now)";
        return Err(intent.operation.named_in(Error::new(Code::StillPending, message)));
    }
    Ok(Some(Intent { acknowledged_at: Some(now), revision: intent.revision + 1, ..intent.clone() }))
}

/// Returns what the caller gets: the intent if completed, else the error that says declined, not sent or
/// pending. `reason` says why the wait ended; it is used where no better code is known.
pub(crate) fn outcome_of(intent: Intent, reason: Code) -> Result<Intent> {
    if intent.state == IntentState::Completed {
        return Ok(intent);
    }
    let nothing_known = !intent.state.is_final() && intent.code == Code::Pending && intent.detail.http_status.is_none();
    let code = if nothing_known { reason } else { intent.code };
    Err(intent.operation.named_in(Error::of(code).with_detail(intent.detail).with_cause(intent.cause)))
}

/// Whether evidence about `ours` is void for `theirs`, which another writer has stored since: it is final,
/// or it was sent again. A completion is never void unless the stored intent is final.
pub(crate) fn is_overtaken(ours: &Intent, theirs: &Intent, evidence: &Evidence) -> bool {
    let sent_again = theirs.detail.attempts != ours.detail.attempts;
    theirs.state.is_final() || (sent_again && !matches!(evidence, Evidence::Completed { .. }))
}

/// Returns the intent as a caller must see it when the journal could not store its outcome.
pub(crate) fn not_persisted(intent: Intent) -> Intent {
    Intent { state: IntentState::InDoubt, code: Code::PendingNotPersisted, response: None, resolved_at: None, ..intent }
}

fn completed(intent: &Intent, response: String, now: Millis) -> Intent {
    Intent {
        state: IntentState::Completed,
        code: Code::Ok,
        response: Some(response),
        resolved_at: Some(now),
        detail: Detail { http_status: None, engage_code: None, ..intent.detail.clone() },
        revision: intent.revision + 1,
        ..intent.clone()
    }
}

fn final_outcome(intent: &Intent, state: IntentState, reason: Reason, now: Millis) -> Intent {
    Intent {
        state,
        code: reason.code,
        resolved_at: Some(now),
        detail: Detail { attempts: intent.detail.attempts, ..reason.detail },
        cause: reason.cause,
        revision: intent.revision + 1,
        ..intent.clone()
    }
}

fn pending(intent: &Intent, reason: Reason, now: Millis, timing: Timing<'_>) -> Intent {
    let wait = wait_ms(intent.query_count, timing).max(reason.detail.retry_after_ms.unwrap_or(0));
    Intent {
        state: IntentState::InDoubt,
        code: reason.code,
        detail: Detail { attempts: intent.detail.attempts, ..reason.detail },
        cause: reason.cause,
        next_query_at: now + wait,
        query_count: intent.query_count.saturating_add(1),
        revision: intent.revision + 1,
        ..intent.clone()
    }
}

/// Returns the pending code of a request that did not leave the till.
fn pending_code(code: Code) -> Code {
    match code {
        Code::Cancelled => Code::PendingClosed,
        _ => Code::PendingConnectionLost,
    }
}

/// Brings an intent's times into bounds after the till's clock went back. A time further ahead than any
/// schedule is due now.
pub(crate) fn bounded(intent: Intent, now: Millis, in_flight_window: Millis, rules: &RetryRules) -> Intent {
    // Engage's Retry-After may exceed the schedule.
    let requested = if intent.code == Code::PendingRateLimited { LONGEST_RETRY_AFTER_MS } else { 0 };
    let planned = intent.next_query_at <= now + widest(rules).max(in_flight_window).max(requested);
    Intent {
        in_flight_until: intent.in_flight_until.min(now + in_flight_window),
        next_query_at: if planned { intent.next_query_at } else { now },
        ..intent
    }
}
