//! The life of an intent as pure functions of (intent, evidence, clock). `evidence` has the rules;
//! this module applies them.

use super::clock::Clocks;
use super::code::Code;
use super::domain::{Millis, Operation};
use super::error::{Detail, Error, Result};
use super::evidence::{
    AbsenceRule, AttemptResult, QueryResult, QueryTime, Reason, RedeemedBy, RedeemedReward, RejectionRule,
    RejectionWeight, after_absence, after_rejection, redeemed_by,
};
use super::intent::{self, Durability, Intent, IntentState};
use super::retry::{Timing, wait_ms};

/// The least wait between status queries of an operation in manual review, in ms.
const REVIEW_INTERVAL_MS: Millis = 3_600_000;
/// Processing windows of earlier attempts that a record keeps. A person decides about a redeem with
/// more attempts, unless its time lies in one that is kept.
const EARLIER_WINDOWS: usize = 16;

/// An intent, and when its next status query is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Next {
    /// The intent to be stored.
    pub intent: Intent,
    /// Wait before the next status query, in ms. Zero: query at once, in the same job.
    pub delay_ms: Millis,
}

/// The decision after a status query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AfterQuery {
    /// Store this intent.
    Store(Box<Next>),
    /// Make one more attempt with the same id.
    Resend {
        /// The query has proven that the earlier attempts had no effect.
        excluded: bool,
    },
}

/// Returns the intent after an attempt.
pub(crate) fn after_attempt(intent: &Intent, result: AttemptResult, clocks: Clocks, timing: Timing<'_>) -> Next {
    let mut seen = intent.clone();
    seen.progress.last_code = Some(result.code().number());
    let is_purchase = matches!(intent.operation, Operation::Purchase(_));
    match result {
        AttemptResult::Completed { response } => last(completed(&seen, response, clocks)),
        AttemptResult::Rejected { reason, documented } => match after_rejection(&seen, reason.code, documented) {
            RejectionRule::Declined => last(declined(&seen, reason, clocks)),
            RejectionRule::Confirm if is_purchase || seen.operation.contact().is_some() => {
                let next = pending(&rejected(seen, &reason), in_doubt(reason), clocks, timing);
                Next { delay_ms: 0, ..next }
            }
            // Without a contact no status query is possible. A6.
            RejectionRule::Confirm if RejectionWeight::of(reason.code) == RejectionWeight::Credentials => {
                last(declined(&seen, reason, clocks))
            }
            RejectionRule::Confirm => ambiguous(&seen, reason, None, clocks, timing),
            RejectionRule::ConfirmLate => pending(&rejected(seen, &reason), in_doubt(reason), clocks, timing),
            RejectionRule::Retry => pending(&seen, in_doubt(reason), clocks, timing),
        },
        AttemptResult::AlreadyRedeemed(reason) => match (seen.earlier_in_doubt, seen.operation.contact()) {
            // No earlier attempt of this till can have been processed, so somebody else has used
            // the reward (A4).
            (false, _) => last(declined(&seen, Reason { code: Code::AlreadyRedeemed, ..reason }, clocks)),
            // A status query may give the time of the redeem.
            (true, Some(_)) => {
                seen.progress.redeemed_seen = true;
                let next = pending(&seen, Reason { code: Code::Pending, ..reason }, clocks, timing);
                Next { delay_ms: 0, ..next }
            }
            (true, None) => ambiguous(&seen, reason, None, clocks, timing),
        },
        AttemptResult::Processing(reason) => {
            seen.progress.processing_seen = true;
            pending(&seen, reason, clocks, timing)
        }
        AttemptResult::Over(reason) => {
            seen.progress.processing_seen |= reason.code == Code::PendingAssignmentError;
            if !seen.earlier_in_doubt {
                // A5: nothing is in flight any more.
                seen.in_flight_until = clocks.now();
                seen.progress.in_flight_window_ms = 0;
            }
            pending(&seen, reason, clocks, timing)
        }
        AttemptResult::InDoubt(reason) => pending(&seen, reason, clocks, timing),
        AttemptResult::Reset(reason) => {
            let next = pending(&seen, reason, clocks, timing);
            // Engage: "retries are safe in case of network issues". A redeem has no idempotency
            // key.
            if is_purchase { Next { delay_ms: 0, ..next } } else { next }
        }
        // Only the first attempt proves it: an earlier attempt of this intent may have left.
        AttemptResult::NotSent(reason) if seen.state == IntentState::Recorded => {
            let before = seen.progress.declined_before.as_ref().and_then(reason_of);
            last(match before {
                Some(before) => declined(&seen, before, clocks),
                None => final_outcome(&seen, IntentState::NotSent, reason, clocks),
            })
        }
        AttemptResult::NotSent(reason) => {
            pending(&seen, Reason { code: pending_code(reason.code), ..reason }, clocks, timing)
        }
    }
}

/// Returns the decision after a status query. `after_reset`: the attempt before it ended by one.
pub(crate) fn after_query(
    intent: &Intent,
    result: QueryResult,
    time: QueryTime,
    after_reset: bool,
    clocks: Clocks,
    timing: Timing<'_>,
) -> AfterQuery {
    let mut seen = intent.clone();
    seen.progress.last_code = Some(result.code().number());
    seen.progress.last_query_at_ms = Some(clocks.now());
    seen.progress.age_ms = time.age_ms;
    let rejection = seen.progress.rejection.as_ref().and_then(reason_of);
    let mut query = QueryDecision { seen, rejection, time, clocks, timing };
    match result {
        QueryResult::Completed { response } => query.completed(response),
        QueryResult::Failed(reason) => query.declined(reason),
        QueryResult::Processing(reason) => {
            query.seen.progress.processing_seen = true;
            query.wait(reason)
        }
        QueryResult::Absent | QueryResult::NoHistory | QueryResult::Unreadable(_) | QueryResult::NoEvidence(_) => {
            query.without_row(&result, after_reset)
        }
        QueryResult::Similar { response, cause } => {
            let reason = Reason { cause: vec![cause], ..Reason::of(Code::Pending) };
            query.ambiguous(reason, response)
        }
        QueryResult::NotRedeemed => query.not_redeemed(),
        QueryResult::Redeemed(found) => query.redeemed(found),
        QueryResult::Unseen | QueryResult::Impossible => query.without_reward(&result),
    }
}

/// An intent after a status query, and all that decides what comes next.
struct QueryDecision<'a> {
    seen: Intent,
    /// The noted rejection of an attempt.
    rejection: Option<Reason>,
    time: QueryTime,
    clocks: Clocks,
    timing: Timing<'a>,
}

impl QueryDecision<'_> {
    /// The history shows no row of the purchase, or it could not be read.
    fn without_row(self, result: &QueryResult, after_reset: bool) -> AfterQuery {
        match (after_absence(&self.seen, result, self.time, after_reset), &self.rejection) {
            (AbsenceRule::Declined, Some(reason)) => self.declined(reason.clone()),
            (AbsenceRule::Resend, _) if self.may_resend() => {
                let is_absent = matches!(result, QueryResult::Absent | QueryResult::NoHistory);
                let excluded = is_absent && self.seen.progress.query_first && self.time.history_complete;
                AfterQuery::Resend { excluded }
            }
            _ => {
                let reason = self.reason_without_row(result);
                let complete_in = Some(self.time.until_complete_ms).filter(|_| self.ends_by_a_history(result));
                self.wait_for(reason, complete_in)
            }
        }
    }

    /// Whether a complete history ends the operation. An empty one proves nothing about a contact
    /// that Engage may have erased (see [`after_absence`]).
    fn ends_by_a_history(&self, result: &QueryResult) -> bool {
        match &self.rejection {
            Some(reason) => {
                RejectionWeight::of(reason.code) != RejectionWeight::Contact && *result != QueryResult::NoHistory
            }
            None => self.seen.progress.query_first,
        }
    }

    /// A failed query does not end a review, and takes nothing back that a response has said.
    fn reason_without_row(&self, result: &QueryResult) -> Reason {
        let seen = &self.seen;
        match result {
            QueryResult::Unreadable(reason) | QueryResult::NoEvidence(reason) => {
                match seen.needs_review() || self.rejection.is_some() || seen.progress.redeemed_seen {
                    true => Reason { cause: reason.cause.clone(), ..self.unchanged() },
                    false => in_doubt(reason.clone()),
                }
            }
            _ => self.unchanged(),
        }
    }

    /// The list shows the reward, and it is not redeemed.
    fn not_redeemed(self) -> AfterQuery {
        let (seen, time) = (&self.seen, self.time);
        match &self.rejection {
            Some(reason) if !seen.earlier_in_doubt || time.history_complete => self.declined(reason.clone()),
            None if time.in_flight_over
                && !time.past_resend_limit
                && !seen.progress.redeemed_seen
                && seen.code != Code::PendingNeedsReview =>
            {
                AfterQuery::Resend { excluded: time.history_complete && !seen.progress.end_unknown }
            }
            // The reward is not redeemed, so that nothing is ambiguous.
            _ if seen.code == Code::PendingAmbiguous && !seen.progress.redeemed_seen => {
                self.wait(Reason { code: Code::Pending, ..self.unchanged() })
            }
            rejection => {
                let complete_in = rejection.as_ref().map(|_| time.until_complete_ms);
                self.wait_for(self.unchanged(), complete_in)
            }
        }
    }

    /// The list shows the reward as redeemed.
    fn redeemed(self, found: RedeemedReward) -> AfterQuery {
        let end_unknown = self.seen.progress.end_unknown;
        let mut seen = self.seen.clone();
        // The last attempt left at the start of its window or later, nobody knows when.
        seen.progress.window_lost |=
            end_unknown && seen.processing_window.is_some_and(|(from, _)| found.on >= Some(from));
        match redeemed_by(&seen, &found) {
            RedeemedBy::Us => self.completed(found.reward.unwrap_or_default()),
            RedeemedBy::Other => {
                let reason = Reason { detail: found.detail, ..Reason::of(Code::AlreadyRedeemed) };
                let declined = declined(&self.seen, reason, self.clocks);
                store(last(Intent { response: found.reward, ..declined }))
            }
            // Its process may record the end yet.
            RedeemedBy::Unclear if end_unknown && !self.time.in_flight_over => self.wait(self.unchanged()),
            RedeemedBy::Unclear => {
                let reason = Reason { detail: found.detail, ..Reason::of(Code::Pending) };
                self.ambiguous(reason, found.reward)
            }
        }
    }

    /// The list does not show the reward (`Unseen`), or there is no list to query.
    fn without_reward(self, result: &QueryResult) -> AfterQuery {
        let seen = &self.seen;
        match &self.rejection {
            Some(reason) if !seen.earlier_in_doubt && *result == QueryResult::Unseen => self.declined(reason.clone()),
            None if seen.progress.redeemed_seen => self.ambiguous(self.unchanged(), seen.response.clone()),
            None if self.time.in_flight_over && self.may_resend() => AfterQuery::Resend { excluded: false },
            _ => self.wait(self.unchanged()),
        }
    }

    fn may_resend(&self) -> bool {
        !self.time.past_resend_limit && !self.seen.needs_review()
    }

    /// Returns the reason that is known so far. The first reason for the doubt stays the reason.
    fn unchanged(&self) -> Reason {
        Reason {
            code: self.seen.code,
            detail: Detail { retry_after_ms: None, ..self.seen.detail.clone() },
            cause: self.seen.progress.cause.clone(),
        }
    }

    fn wait(&self, reason: Reason) -> AfterQuery {
        self.wait_for(reason, None)
    }

    /// `complete_in_ms`: when the history will be complete that ends the operation.
    fn wait_for(&self, reason: Reason, complete_in_ms: Option<Millis>) -> AfterQuery {
        // A review that a query has begun does not end by the next one.
        let code = match self.time.past_resend_limit && reason.code != Code::PendingAmbiguous {
            true => Code::PendingNeedsReview,
            false => reason.code,
        };
        let mut next = pending(&self.seen, Reason { code, ..reason }, self.clocks, self.timing);
        next.intent.progress.expected_by_ms = None;
        if next.intent.needs_review() {
            next.delay_ms = next.delay_ms.max(REVIEW_INTERVAL_MS);
        } else if let Some(complete_in_ms) = complete_in_ms.filter(|ms| *ms > 0) {
            // One query soon after the history is complete.
            next.delay_ms = next.delay_ms.min(complete_in_ms + 1_000);
            next.intent.progress.expected_by_ms = Some(self.clocks.now() + complete_in_ms);
        }
        store(next)
    }

    fn completed(&self, response: String) -> AfterQuery {
        store(last(completed(&self.seen, response, self.clocks)))
    }

    fn declined(&self, reason: Reason) -> AfterQuery {
        store(last(declined(&self.seen, reason, self.clocks)))
    }

    fn ambiguous(&self, reason: Reason, reward: Option<String>) -> AfterQuery {
        store(ambiguous(&self.seen, reason, reward, self.clocks, self.timing))
    }
}

fn store(next: Next) -> AfterQuery {
    AfterQuery::Store(Box::new(next))
}

/// Returns the intent that must be durable before one more attempt. `excluded`: the earlier
/// attempts had no effect.
pub(crate) fn next_attempt(intent: &Intent, excluded: bool, clocks: Clocks) -> Intent {
    let mut next = Intent {
        state: IntentState::InDoubt,
        in_flight_until: clocks.now() + clocks.in_flight_window_ms,
        next_query_at: clocks.now() + clocks.in_flight_window_ms,
        detail: Detail { attempts: intent.detail.attempts + 1, ..intent.detail.clone() },
        processing_window: clocks.processing_window(),
        // A1 lets a purchase be repeated; its earlier attempts stay in doubt.
        earlier_in_doubt: !excluded,
        revision: intent.revision + 1,
        ..intent.clone()
    };
    let progress = &mut next.progress;
    progress.query_first = false;
    progress.window_lost |= progress.end_unknown;
    match (excluded, intent.processing_window) {
        (true, _) => (progress.earlier_windows, progress.window_lost) = (Vec::new(), false),
        (false, Some(window)) => progress.earlier_windows.push(window),
        (false, None) => progress.window_lost = true,
    }
    if progress.earlier_windows.len() > EARLIER_WINDOWS {
        progress.earlier_windows.remove(0);
        progress.window_lost = true;
    }
    next.progress.end_unknown = true;
    next.progress.in_flight_window_ms = clocks.in_flight_window_ms;
    next.progress.last_attempt_at_ms = Some(clocks.now());
    next
}

/// Returns the durability that a state needs before anybody is notified. A power cut that undid
/// *declined* or *not sent* would lead to a purchase after all. A completed purchase would only be
/// found completed again.
pub(crate) fn durability(intent: &Intent) -> Durability {
    match intent.state {
        IntentState::Declined | IntentState::NotSent => Durability::Synced,
        // A status query of a redeem is less conclusive: it may end in manual review.
        IntentState::Completed if matches!(intent.operation, Operation::Redeem(_)) => Durability::Synced,
        IntentState::Recorded | IntentState::InDoubt | IntentState::Completed => Durability::Buffered,
    }
}

/// Returns the acknowledged intent; None if it was acknowledged before. `foreign`: it belongs to
/// another tenant. What is acknowledged while pending is never resolved any more, so that a person
/// decides it first.
pub(crate) fn acknowledge(intent: &Intent, foreign: bool, clocks: Clocks) -> Result<Option<Intent>> {
    if intent.is_acknowledged() {
        return Ok(None);
    }
    if !intent.state.is_final() && !intent.needs_review() {
        let message = if foreign {
            "the operation is pending for another tenant; open the journal with that tenant's configuration, or have a person decide it (eps_resolve_review)"
        } else {
            "the operation is pending; acknowledge it once its outcome is known (eps_resolve_pending queries it now)"
        };
        return Err(intent.operation.named_in(Error::new(Code::StillPending, message)));
    }
    Ok(Some(Intent { acknowledged_at: Some(clocks.now()), revision: intent.revision + 1, ..intent.clone() }))
}

/// As [`acknowledge`], for each operation of a reference. A review stays until a person decides it
/// or takes its operation over by id.
pub(crate) fn acknowledge_of_reference(intent: &Intent, foreign: bool, clocks: Clocks) -> Result<Option<Intent>> {
    if intent.needs_review() && !intent.is_acknowledged() {
        let message = "the operation is in manual review; have a person decide it (eps_resolve_review)";
        return Err(intent.operation.named_in(Error::new(Code::StillPending, message)));
    }
    acknowledge(intent, foreign, clocks)
}

/// Returns the intent after the decision of a person, acknowledged. None if the outcome is known
/// already: it stands.
pub(crate) fn resolve_review(
    intent: &Intent,
    review: intent::ReviewDecision,
    foreign: bool,
    clocks: Clocks,
) -> Result<Option<Intent>> {
    if intent.state.is_final() {
        return Ok(None);
    }
    if !intent.needs_review() && !foreign {
        let message = "the operation is pending and not in manual review; its outcome will become known by itself";
        return Err(intent.operation.named_in(Error::new(Code::StillPending, message)));
    }
    let mut next = match review.resolution.as_str() {
        "completed" => completed(intent, intent.response.clone().unwrap_or_default(), clocks),
        _ => declined(intent, Reason { detail: intent.detail.clone(), ..Reason::of(Code::Declined) }, clocks),
    };
    next.progress.review = Some(review);
    next.acknowledged_at = Some(clocks.now());
    Ok(Some(next))
}

/// Returns what the caller gets: the intent if completed, else the error that says declined, not
/// sent or pending. `reason` says why the wait ended; it is used where no better code is known.
pub(crate) fn outcome_of(intent: Intent, reason: Code) -> Result<Intent> {
    if intent.state == IntentState::Completed {
        return Ok(intent);
    }
    let nothing_known = !intent.state.is_final() && intent.code == Code::Pending && intent.detail.http_status.is_none();
    let code = if nothing_known { reason } else { intent.code };
    let meaning = code.row().meaning;
    let error = match (code, intent.progress.cause.last()) {
        // The last link says most, and what to do. A POS may show the message alone.
        (Code::TlsFailed | Code::ProxyFailed | Code::ProxyLogin, Some(last)) => {
            let short = meaning.split_once(';').map_or(meaning, |(short, _)| short);
            Error::new(code, format!("{}: {last}", short.trim_end_matches('.')))
        }
        _ => Error::of(code),
    };
    Err(intent.operation.named_in(error.with_detail(intent.detail).with_cause(intent.progress.cause)))
}

/// Returns the intent as a caller must see it when the journal could not store its outcome.
pub(crate) fn not_persisted(intent: Intent) -> Intent {
    Intent { state: IntentState::InDoubt, code: Code::PendingNotPersisted, response: None, resolved_at: None, ..intent }
}

fn last(intent: Intent) -> Next {
    Next { intent, delay_ms: 0 }
}

/// A completion wins over everything that was stored before, and is shown again (invariant 11).
fn completed(intent: &Intent, response: String, clocks: Clocks) -> Intent {
    let corrected = matches!(intent.state, IntentState::Declined | IntentState::NotSent);
    Intent {
        state: IntentState::Completed,
        code: Code::Ok,
        response: Some(response),
        resolved_at: Some(clocks.now()),
        acknowledged_at: intent.acknowledged_at.filter(|_| !corrected),
        detail: Detail { http_status: None, engage_code: None, ..intent.detail.clone() },
        revision: intent.revision + 1,
        ..intent.clone()
    }
}

fn declined(intent: &Intent, reason: Reason, clocks: Clocks) -> Intent {
    final_outcome(intent, IntentState::Declined, reason, clocks)
}

fn final_outcome(intent: &Intent, state: IntentState, reason: Reason, clocks: Clocks) -> Intent {
    let mut next = Intent {
        state,
        code: reason.code,
        resolved_at: Some(clocks.now()),
        detail: Detail { attempts: intent.detail.attempts, ..reason.detail },
        revision: intent.revision + 1,
        ..intent.clone()
    };
    next.progress.cause = reason.cause;
    next
}

fn pending(intent: &Intent, reason: Reason, clocks: Clocks, timing: Timing<'_>) -> Next {
    let delay_ms = wait_ms(intent.query_count, timing).max(reason.detail.retry_after_ms.unwrap_or(0));
    let mut next = Intent {
        state: IntentState::InDoubt,
        code: reason.code,
        detail: Detail { attempts: intent.detail.attempts, ..reason.detail },
        next_query_at: clocks.now() + delay_ms,
        // Queries made for a waiting caller do not use up the schedule.
        query_count: intent.query_count.saturating_add(u32::from(timing.attended.is_none())),
        revision: intent.revision + 1,
        ..intent.clone()
    };
    next.progress.first_pending_code.get_or_insert(reason.code.number());
    next.progress.cause = reason.cause;
    Next { intent: next, delay_ms }
}

/// Returns the intent that is either completed or declined, without a proof of either: of a redeem,
/// or of a purchase whose record may be a lost one's second.
fn ambiguous(intent: &Intent, reason: Reason, reward: Option<String>, clocks: Clocks, timing: Timing<'_>) -> Next {
    let next = pending(intent, Reason { code: Code::PendingAmbiguous, ..reason }, clocks, timing);
    Next { intent: Intent { response: reward, ..next.intent }, delay_ms: next.delay_ms.max(REVIEW_INTERVAL_MS) }
}

/// Notes a rejection that is no proof by itself.
fn rejected(mut intent: Intent, reason: &Reason) -> Intent {
    intent.progress.rejection = Some(intent::Rejection {
        code: reason.code.number(),
        http_status: reason.detail.http_status,
        engage_code: reason.detail.engage_code.clone(),
    });
    intent
}

/// Returns the reason of a noted rejection.
fn reason_of(rejection: &intent::Rejection) -> Option<Reason> {
    let detail =
        Detail { http_status: rejection.http_status, engage_code: rejection.engage_code.clone(), ..Detail::default() };
    Code::from_number(rejection.code).map(|code| Reason { detail, ..Reason::of(code) })
}

/// Returns the pending form of a reason.
fn in_doubt(reason: Reason) -> Reason {
    Reason { code: pending_code(reason.code), ..reason }
}

/// Returns the pending code of a request that was rejected, failed or did not leave.
fn pending_code(code: Code) -> Code {
    use super::code::Outcome;
    match code {
        Code::Unauthorized | Code::Forbidden => Code::PendingCredentials,
        Code::RateLimited => Code::PendingRateLimited,
        Code::ServerError => Code::PendingServerError,
        Code::InvalidResponse | Code::ResponseTooLarge => Code::PendingInvalidResponse,
        Code::Cancelled | Code::Closed => Code::PendingClosed,
        code => match code.row().outcome {
            Outcome::Pending => code,
            Outcome::Completed | Outcome::Declined => Code::Pending,
            Outcome::NotSent => Code::PendingConnectionLost,
        },
    }
}

#[cfg(test)]
mod tests;
