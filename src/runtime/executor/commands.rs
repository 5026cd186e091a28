//! A command of a caller: its intent, its first attempt, and the result of any attempt.

use super::{Executor, FIRST_QUERY_DELAY, RETRY, SentQuery, is_of_journal};
use crate::core::admission::{self, Admission, AdmissionRules, Command};
use crate::core::code::Code;
use crate::core::domain::{Operation, millis};
use crate::core::error::Error;
use crate::core::evidence::AttemptResult;
use crate::core::id::OperationId;
use crate::core::intent::Intent;
use crate::core::machine::{self, Next};
use crate::core::scheduler::ResolveJob;
use crate::log::{Field, Level};
use crate::rt::{self, Instant};
use crate::runtime::waiter::Waiter;
use crate::transport::Call;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

impl Executor {
    /// Records the intent, makes its first attempt, and notifies the caller.
    pub(super) fn start_intent(&self, command: &Command, waiter: &Arc<Waiter>) {
        if waiter.departed().is_some() {
            return;
        }
        let (began, clocks) = self.moment();
        let reference = command.reference.as_deref();
        // Taken under the journal's lock and before a write: until then the command is void if the
        // caller returns, however long another program holds the journal.
        let decide = |candidates| match waiter.take() {
            true => admission::admit(command, &candidates, clocks, self.admission_rules()),
            false => Err(Error::of(Code::TimedOut)),
        };
        // Before the journal, as in `get`.
        let completions = self.completions();
        match self.journal.admit(&command.operation, reference, decide) {
            Err(error) => {
                let is_meant = |intent: &&Intent| is_of_journal(&error) && admission::is_meant(command, intent);
                match completions.values().find(is_meant) {
                    Some(intent) => {
                        waiter.mark_existing();
                        waiter.notify(intent);
                    }
                    None => waiter.fail(error),
                }
            }
            Ok(Admission::Existing(intent)) => self.join_existing(intent, waiter, &completions),
            Ok(Admission::Uncertain(withdrawn, error)) => {
                self.log_journal_failure(withdrawn.id(), &error);
                let mut shown = machine::not_persisted(withdrawn.clone());
                shown.progress.cause = error.cause().to_vec();
                let now = self.monotonic();
                let mut scheduler = self.lock();
                scheduler.mark_taken(&withdrawn, waiter, now);
                scheduler.not_persisted.insert(withdrawn.id(), withdrawn);
                drop(scheduler);
                self.publish(&Next { intent: shown, delay_ms: 0 });
            }
            Ok(Admission::New(intent)) => self.start_new(intent, waiter, began),
        }
    }

    /// Gives the caller an intent that was recorded before, and queries one that is pending.
    pub(super) fn join_existing(
        &self,
        intent: Intent,
        waiter: &Arc<Waiter>,
        completions: &BTreeMap<OperationId, Intent>,
    ) {
        waiter.mark_existing();
        // A completion may have been reported, and stored since.
        let newer = if intent.state.is_final() { None } else { self.get(intent.id(), None).ok().flatten() };
        let intent = newer.or_else(|| completions.get(&intent.id()).cloned()).unwrap_or(intent);
        waiter.notify(&intent);
        if !intent.state.is_final() {
            let now = self.monotonic();
            let mut scheduler = self.lock();
            let seen = scheduler.observe(&intent, now);
            let in_flight = !seen.query_time(&intent, now, None, self.limits).in_flight_over;
            // An attempt under way elsewhere needs a moment before a query can find it.
            let due = now + if in_flight { FIRST_QUERY_DELAY } else { Duration::ZERO };
            scheduler.wait_for(intent.id(), waiter, Some(due), Waiter::share);
            drop(scheduler);
            self.changed.notify_one();
        }
    }

    /// Makes the first attempt of a new intent, or its first query where it may have been made
    /// before. `began`: when the clocks of its record were read.
    pub(super) fn start_new(&self, intent: Intent, waiter: &Arc<Waiter>, began: Duration) {
        // First, so that a late result of an earlier start finds a newer revision.
        waiter.notify(&intent);
        self.notifier.push(&intent);
        let query_first = intent.progress.query_first;
        if query_first {
            // There is no request that the caller could withdraw.
            waiter.share();
        }
        let now = self.monotonic();
        let mut scheduler = self.lock();
        scheduler.mark_taken(&intent, waiter, now);
        match query_first {
            true => drop(scheduler.observe(&intent, now)),
            false => scheduler.observe_attempt(&intent, began),
        }
        drop(scheduler);
        if query_first {
            self.resolve_and_publish(ResolveJob { id: intent.id(), requested: true, attended: Some(0) }, None);
            return;
        }
        let (intent, result) = self.attempt(intent, &waiter.call, || waiter.departed());
        let next = self.handle_attempt_result(intent, &result, Some(0));
        self.publish(&next);
    }

    /// Adds the result of an attempt, and sends the status query that it calls for at once.
    pub(super) fn handle_attempt_result(&self, intent: Intent, result: &AttemptResult, attended: Option<u32>) -> Next {
        let reset = matches!(result, AttemptResult::Reset(_));
        let next = self.store_attempt_result(intent, result, attended);
        if next.delay_ms > 0 || next.intent.state.is_final() || next.intent.needs_review() || self.lock().closing {
            return next;
        }
        // The waiters get the code that is known so far, and go on waiting.
        self.notify_waiters(&next.intent);
        let now = self.monotonic();
        let seen = self.lock().observe(&next.intent, now);
        let call = self.call();
        let result = self.query(&next.intent, &call);
        let next = Next { intent: next.intent.with_request_ids(&call.request_ids()), ..next };
        let query = SentQuery { seen, at: now, attended, after_reset: reset, random: rt::random() };
        match self.handle_query_result(next.intent.clone(), &result, query) {
            Ok(next) => next,
            Err(error) => {
                self.log_journal_failure(next.intent.id(), &error);
                Next { delay_ms: millis(RETRY), ..next }
            }
        }
    }

    pub(super) fn store_attempt_result(&self, intent: Intent, result: &AttemptResult, attended: Option<u32>) -> Next {
        if let AttemptResult::Over(reason) = result {
            self.note_rate(Some(reason));
        }
        let clocks = self.clocks();
        let transition =
            |intent: &Intent| Some(machine::after_attempt(intent, result.clone(), clocks, self.timing(attended)));
        self.apply_and_store(intent, transition, matches!(result, AttemptResult::Completed { .. }))
    }

    /// Makes one attempt, and notes in the intent how it ended. The intent is durable. `departed`
    /// says why the caller withdrew it, if so.
    pub(super) fn attempt(
        &self,
        mut intent: Intent,
        call: &Arc<Call>,
        departed: impl Fn() -> Option<Code>,
    ) -> (Intent, AttemptResult) {
        let began = Instant::now();
        let mut result = self.engage.attempt(&intent.operation, call);
        let now = self.monotonic();
        intent.progress.end_unknown = !self.lock().observe_end(&intent, now);
        self.stats.sent(&intent.operation);
        if let AttemptResult::NotSent(reason) = &mut result {
            match departed() {
                Some(code) => reason.code = code,
                // No caller withdrew it, so the client is closing.
                None if reason.code == Code::Cancelled => reason.code = Code::Closed,
                None => {}
            }
        }
        let (event, path) = match intent.operation {
            Operation::Purchase(_) => ("purchase.sent", "purchase"),
            Operation::Redeem(_) => ("redeem.sent", "redeem"),
        };
        let ids = call.request_ids();
        let mut fields = vec![
            ("operationId", Field::Operation(intent.id())),
            ("path", Field::Word(path)),
            ("attempt", Field::Number(intent.detail.attempts.into())),
            ("code", Field::Code(result.code())),
            ("ms", Field::Number(millis(began.elapsed()))),
        ];
        fields.extend(ids.last().map(|id| ("engageRequestId", Field::Request(id))));
        self.log.write(Level::Info, event, &fields);
        (intent.with_request_ids(&ids), result)
    }

    pub(super) fn admission_rules(&self) -> AdmissionRules<'_> {
        AdmissionRules {
            tenant: &self.config.tenant,
            reference_window_ms: self.config.reference_window_ms,
            lost_at: self.lost_at(),
        }
    }
}
