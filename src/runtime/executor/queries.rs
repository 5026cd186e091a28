//! Status queries: which operation one is about, and what it has shown.

use super::{Executor, FIRST_QUERY_DELAY, OWN_HISTORY, Query, RETRY, ReadHistory, STAMP_TOLERANCE_MS};
use crate::core::clock::Limits;
use crate::core::code::Code;
use crate::core::domain::{Millis, Operation, millis};
use crate::core::error::Result;
use crate::core::evidence::{self, QueryResult, QueryTime};
use crate::core::id::{ContactId, OperationId};
use crate::core::intent::{Durability, Intent};
use crate::core::machine::{self, AfterQuery, Next};
use crate::core::retry::Timing;
use crate::core::scheduler::ResolveJob;
use crate::engage::History;
use crate::rt::{self};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::time::Duration;

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
        if read.is_none() && resolve.attended.is_none() && !resolve.requested {
            let min_interval = Duration::from_millis(self.config.retry.schedule_ms[0]);
            let wait = scheduler
                .throttle
                .wait(now)
                .or_else(|| (!scheduler.budget.spend(now, min_interval)).then_some(min_interval));
            if let Some(wait) = wait {
                // Less than a millisecond is rounded up: a delay of zero would run in a circle.
                return Ok(Some(Next { intent, delay_ms: millis(wait) + 1 }));
            }
            scheduler.throttle.spend(now);
        }
        if let Some(entry) = scheduler.entries.get_mut(&resolve.id) {
            entry.attended_queries += u32::from(resolve.attended.is_some());
        }
        drop(scheduler);
        let random = read.map_or_else(rt::random, |read| read.random);
        let query = |at| Query { seen, at, attended: resolve.attended, immediate: false, random };
        let next = match (read, intent.operation) {
            (Some(read), Operation::Purchase(purchase)) => {
                // The response says nothing about an attempt that began after the query.
                if !seen.is_before(read.queried_at) {
                    return Ok(Some(Next { intent, delay_ms: millis(FIRST_QUERY_DELAY) }));
                }
                let result = self.engage.purchase_in(&purchase, read.history);
                let result = self.with_lost_sales(&intent, read.history, result)?;
                self.after_query(intent, &result, query(read.queried_at))?
            }
            (None, Operation::Purchase(purchase)) => {
                let history = self.history(purchase.contact);
                let others = self.lock().take_same_contact(resolve.id);
                // Before this purchase's own next attempt, which may take long.
                for other in others {
                    let read = ReadHistory { history: &history, queried_at: now, random };
                    self.resolve_and_publish(other, Some(&read));
                }
                let result = self.engage.purchase_in(&purchase, &history);
                let result = self.with_lost_sales(&intent, &history, result)?;
                self.after_query(intent, &result, query(now))?
            }
            (_, Operation::Redeem(_)) => {
                let result = self.query(&intent);
                self.after_query(intent, &result, query(now))?
            }
        };
        Ok(Some(next))
    }

    /// Adds to the absence of a purchase whether its member has bought the same item under an id
    /// that the journal does not know: that may be the same sale, whose record was lost.
    pub(super) fn with_lost_sales(
        &self,
        intent: &Intent,
        history: &History,
        result: QueryResult,
    ) -> Result<QueryResult> {
        let absent = matches!(result, QueryResult::Absent | QueryResult::Unreadable(_));
        let Operation::Purchase(purchase) = intent.operation else { return Ok(result) };
        if !absent || !intent.progress.query_first || intent.progress.shared_id {
            return Ok(result);
        }
        // Not long before the press, and not in this run.
        let made = match self.engage.server_now() {
            Some((earliest, latest)) => {
                let pressed = if intent.progress.recorded_by_engage { intent.recorded_at } else { earliest };
                let run = millis(self.monotonic());
                pressed.min(earliest).saturating_sub(self.loss_window())
                    ..=latest.saturating_sub(run) + STAMP_TOLERANCE_MS
            }
            None => 0..=Millis::MAX,
        };
        let mut similar = Vec::new();
        for row in self.engage.similar_in(&purchase, history, &made) {
            let mut is_known = false;
            for id in &row.ids {
                is_known |= self.journal.get(OperationId::from_uuid(*id))?.is_some();
            }
            if !is_known {
                similar.push(row);
            }
        }
        Ok(match similar.as_slice() {
            [] => result,
            rows => QueryResult::Similar {
                response: Some(rows[0].response.to_owned()).filter(|_| rows.len() == 1),
                cause: format!(
                    "the journal has lost records, and the member's history has {} purchases of this item that it does \
                     not know; compare them with the receipt (eps_list_purchases) and decide (eps_resolve_review)",
                    rows.len()
                ),
            },
        })
    }

    /// Reads the purchases of a member.
    pub(super) fn history(&self, contact: ContactId) -> History {
        let known = self.engage.has_own_history();
        let history = self.engage.history(contact, &self.call());
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
    pub(super) fn query(&self, intent: &Intent) -> QueryResult {
        let mut result = self.engage.query_status(&intent.operation, &self.call());
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
    pub(super) fn after_query(&self, intent: Intent, result: &QueryResult, query: Query) -> Result<Next> {
        let Query { seen, at, attended, immediate, random } = query;
        let clocks = self.clocks();
        let engage = clocks.engage.map(|(earliest, _)| earliest);
        let loss_seen = Some(self.loss_seen.load(Ordering::Relaxed)).filter(|seen| *seen > 0);
        let time: QueryTime = seen.query_time(&intent, at, engage, Limits { loss_seen, ..self.limits });
        let intent = match (intent.processing_window, clocks.engage) {
            (None, Some(engage)) => {
                Intent { processing_window: seen.backdated(&intent, self.monotonic(), engage), ..intent }
            }
            _ => intent,
        };
        let completed = matches!(result, QueryResult::Completed { .. })
            || matches!(result, QueryResult::Redeemed(found)
                if evidence::redeemed_by(&intent, found) == evidence::RedeemedBy::Us);
        let transition = |intent: &Intent| {
            let timing = Timing { rules: &self.config.retry, attended, random };
            machine::after_query(intent, result.clone(), time, immediate, clocks, timing)
        };
        match transition(&intent) {
            AfterQuery::Store(_) => {
                let store = |intent: &Intent| match transition(intent) {
                    AfterQuery::Store(next) => Some(*next),
                    AfterQuery::Resend { .. } => None,
                };
                Ok(self.learn(intent, store, completed))
            }
            AfterQuery::Resend { excluded } => {
                // Made before the write, so that the attempt ends within its in-flight window
                // however long the write takes.
                let call = self.call();
                if immediate {
                    call.require_new_connection();
                }
                let again = machine::next_attempt(&intent, excluded, clocks);
                let begins = self.monotonic();
                if !self.journal.save(&again, Durability::Synced)? {
                    // Another process resolves it.
                    let intent = self.recorded(intent.id())?;
                    return Ok(Next { intent, delay_ms: millis(FIRST_QUERY_DELAY) });
                }
                self.lock().observe_attempt(&again, begins);
                let result = self.attempt(&again, &call, || None);
                // One repeat after a reset, and not another one after that.
                Ok(match immediate {
                    true => self.learn_attempt(again, &result, attended),
                    false => self.after_attempt(again, &result, attended),
                })
            }
        }
    }
}
