//! Status queries, and the attempt with the same id that one may lead to.

use super::{Executor, FIRST_QUERY_DELAY, OWN_HISTORY, RETRY, ReadHistory, SentQuery};
use crate::core::clock::Limits;
use crate::core::code::Code;
use crate::core::domain::{Operation, millis};
use crate::core::error::Result;
use crate::core::evidence::{self, QueryResult, QueryTime};
use crate::core::id::ContactId;
use crate::core::intent::{Durability, Intent};
use crate::core::machine::{self, AfterQuery, Next};
use crate::core::retry::Timing;
use crate::core::scheduler::ResolveJob;
use crate::engage::History;
use crate::rt::{self};
use crate::transport::Call;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Executor {
    /// Resolves an intent and notifies its waiters. `read`: the purchases of its member, if they
    /// were read already.
    pub(super) fn resolve_and_publish(&self, resolve: ResolveJob, read: Option<&ReadHistory<'_>>) {
        let next = catch_unwind(AssertUnwindSafe(|| self.resolve(resolve, read)));
        match next {
            Ok(Ok(Some(next))) => self.publish(&next),
            // Another process has acknowledged and pruned it.
            Ok(Ok(None)) => {
                self.lock().forget(resolve.id);
            }
            Ok(Err(error)) => {
                self.log_journal_failure(resolve.id, &error);
                self.release(resolve.id, RETRY);
            }
            Err(_) => self.release(resolve.id, RETRY),
        }
    }

    /// Sends one status query about an intent, and one more attempt where that is right. None: the
    /// journal does not hold it any more.
    pub(super) fn resolve(&self, resolve: ResolveJob, read: Option<&ReadHistory<'_>>) -> Result<Option<Next>> {
        let not_persisted = self.lock().not_persisted.get(&resolve.id).cloned();
        if let Some(intent) = not_persisted {
            return self.persist_again(intent).map(|intent| Some(Next { intent, delay_ms: 0 }));
        }
        let Some(intent) = self.journal.get(resolve.id)? else { return Ok(None) };
        if intent.state.is_final() || intent.is_acknowledged() {
            return Ok(Some(Next { intent, delay_ms: 0 }));
        }
        if !self.is_of_tenant(&intent) {
            return Ok(None);
        }
        let now = self.monotonic();
        let mut scheduler = self.lock();
        let seen = scheduler.observe(&intent, now);
        if read.is_none()
            && resolve.attended.is_none()
            && !resolve.requested
            && let Some(wait) = scheduler.spend_unattended(now, &self.config.retry)
        {
            return Ok(Some(Next { intent, delay_ms: millis(wait) }));
        }
        if let Some(entry) = scheduler.entries.get_mut(&resolve.id) {
            entry.attended_queries += u32::from(resolve.attended.is_some());
        }
        drop(scheduler);
        let random = read.map_or_else(rt::random, |read| read.random);
        let query = |at| SentQuery { seen, at, attended: resolve.attended, after_reset: false, random };
        let next = match (read, intent.operation) {
            (Some(read), Operation::Purchase(purchase)) => {
                // The response says nothing about an attempt that began after the query.
                if !seen.is_before(read.queried_at) {
                    return Ok(Some(Next { intent, delay_ms: millis(FIRST_QUERY_DELAY) }));
                }
                let result = self.engage.purchase_in(&purchase, read.history);
                let result = self.with_lost_sales(&intent, read.history, result)?;
                self.handle_query_result(intent.with_request_ids(read.request_ids), &result, query(read.queried_at))?
            }
            (None, Operation::Purchase(purchase)) => {
                let call = self.call();
                let history = self.history(purchase.contact, &call);
                let request_ids = call.request_ids();
                let others = self.lock().take_same_contact(resolve.id);
                // Before this purchase's own next attempt, which may take long.
                for other in others {
                    let read = ReadHistory { history: &history, queried_at: now, random, request_ids: &request_ids };
                    self.resolve_and_publish(other, Some(&read));
                }
                let result = self.engage.purchase_in(&purchase, &history);
                let result = self.with_lost_sales(&intent, &history, result)?;
                self.handle_query_result(intent.with_request_ids(&request_ids), &result, query(now))?
            }
            (_, Operation::Redeem(_)) => {
                let call = self.call();
                let result = self.query(&intent, &call);
                self.handle_query_result(intent.with_request_ids(&call.request_ids()), &result, query(now))?
            }
        };
        Ok(Some(next))
    }

    /// Reads the purchases of a member.
    pub(super) fn history(&self, contact: ContactId, call: &Arc<Call>) -> History {
        let known = self.engage.has_own_history();
        let history = self.engage.history(contact, call);
        if !known && self.engage.has_own_history() {
            // Lost, it is learned again.
            let _ = self.journal.set_fact(OWN_HISTORY, &self.config.base_url.origin());
        }
        self.stats.status_queries.add();
        self.note_rate(match &history {
            History::NoEvidence(reason) => Some(reason),
            _ => None,
        });
        history
    }

    /// Sends one status query about one intent.
    pub(super) fn query(&self, intent: &Intent, call: &Arc<Call>) -> QueryResult {
        let mut result = self.engage.query_status(&intent.operation, call);
        self.stats.status_queries.add();
        if let (QueryResult::Redeemed(found), Operation::Redeem(redeem)) = (&mut result, intent.operation) {
            found.compare(intent, self.journal.redeems(redeem.assignment).ok().as_deref());
        }
        self.note_rate(match &result {
            QueryResult::NoEvidence(reason) => Some(reason),
            _ => None,
        });
        result
    }

    /// Slows the unattended queries down after a 429, and up again after any other response.
    pub(super) fn note_rate(&self, failure: Option<&evidence::Reason>) {
        let now = self.monotonic();
        let mut scheduler = self.lock();
        match failure {
            Some(reason) if reason.code == Code::PendingRateLimited => {
                scheduler.throttle.on_rate_limited(now, reason.detail.retry_after_ms, rt::random());
            }
            Some(_) => {}
            None => scheduler.throttle.accepted(),
        }
    }

    /// Adds the result of a status query, and makes one more attempt where that is right.
    pub(super) fn handle_query_result(&self, intent: Intent, result: &QueryResult, query: SentQuery) -> Result<Next> {
        let SentQuery { seen, at, attended, after_reset, random } = query;
        let (now, clocks) = self.moment();
        let engage = clocks.engage.map(|(earliest, _)| earliest);
        let loss_seen = Some(self.loss_seen.load(Ordering::Relaxed)).filter(|seen| *seen > 0);
        let time: QueryTime = seen.query_time(&intent, at, engage, Limits { loss_seen, ..self.limits });
        let mut intent = match (intent.processing_window, clocks.engage) {
            (None, Some(engage)) => Intent { processing_window: seen.backdated(&intent, now, engage), ..intent },
            _ => intent,
        };
        // Its window may be by a time of Engage's that was wrong.
        let corrected_at = self.engage.server_time_corrected_at().map(|at| at.since(self.started));
        intent.progress.window_lost |= corrected_at.is_some_and(|at| seen.is_before(at));
        let completed = matches!(result, QueryResult::Completed { .. })
            || matches!(result, QueryResult::Redeemed(found)
                if evidence::redeemed_by(&intent, found) == evidence::RedeemedBy::Us);
        let transition = |intent: &Intent| {
            let timing = Timing { rules: &self.config.retry, attended, random };
            machine::after_query(intent, result.clone(), time, after_reset, clocks, timing)
        };
        match transition(&intent) {
            AfterQuery::Store(_) => {
                let store = |intent: &Intent| match transition(intent) {
                    AfterQuery::Store(next) => Some(*next),
                    AfterQuery::Resend { .. } => None,
                };
                Ok(self.apply_and_store(intent, store, completed))
            }
            AfterQuery::Resend { excluded } => {
                // Made before the write, so that the attempt ends within its in-flight window
                // however long the write takes.
                let call = self.call();
                if after_reset {
                    call.require_new_connection();
                }
                let again = machine::next_attempt(&intent, excluded, clocks);
                if !self.journal.save(&again, Durability::Synced)? {
                    // Another process resolves it.
                    let intent = self.recorded(intent.id())?;
                    return Ok(Next { intent, delay_ms: millis(FIRST_QUERY_DELAY) });
                }
                self.stats.retries.add();
                self.lock().observe_attempt(&again, now);
                let (again, result) = self.attempt(again, &call, || None);
                // One repeat after a reset, and not another one after that.
                Ok(match after_reset {
                    true => self.store_attempt_result(again, &result, attended),
                    false => self.handle_attempt_result(again, &result, attended),
                })
            }
        }
    }
}
