//! What a caller reads, acknowledges and decides, without a request to Engage.

use super::{Executor, PEEK_WAIT, is_of_journal, newer};
use crate::core::admission::{self, Admission, Command};
use crate::core::code::Code;
use crate::core::error::{Error, Result};
use crate::core::id::{AssignmentId, OperationId};
use crate::core::intent::{Durability, Intent, IntentState, ReviewDecision};
use crate::core::machine::{self, Next};
use crate::journal::{Backup, Filter, Page};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// The cause where a wait ends before the record of its operation.
const NO_RECORD: &str = "no record could be made within the wait: it was short, another program held the journal, \
                         the disk did not respond, or 256 requests were in progress";

impl Executor {
    /// Returns an operation, if the journal holds it. `limit`: the wait of a call that has its own.
    pub fn get(&self, id: OperationId, limit: Option<Duration>) -> Result<Option<Intent>> {
        // In this order: a write in between is then found in the journal.
        let reported = self.reported(id);
        match self.journal.get_within(id, limit) {
            Ok(stored) => Ok(newer(reported, stored)),
            // A journal that fails hides no completion that was reported.
            Err(error) => reported.map(Some).ok_or(error),
        }
    }

    /// Returns everything that is pending or not acknowledged, oldest first.
    pub fn unacknowledged(&self) -> Result<Vec<Intent>> {
        let completions = self.completions();
        let intents = self.journal.unacknowledged()?;
        let completed = |intent: &Intent| completions.get(&intent.id()).cloned();
        Ok(intents.into_iter().filter_map(|intent| newer(completed(&intent), Some(intent))).collect())
    }

    /// Lists what the journal holds, with the completions that are not stored yet.
    pub fn list(&self, filter: &Filter) -> Result<Page> {
        self.persist_all();
        self.journal.list(filter)
    }

    /// Copies the journal into a new file, with the completions that are not stored yet.
    pub fn backup(&self, path: &Path) -> Result<Backup> {
        self.persist_all();
        self.journal.backup(path)
    }

    /// Returns a completion that was reported and is not stored yet.
    pub(super) fn reported(&self, id: OperationId) -> Option<Intent> {
        self.lock().not_persisted.get(&id).filter(|intent| intent.state == IntentState::Completed).cloned()
    }

    /// Returns the completions that were reported and are not stored yet. Mostly there is none.
    pub(super) fn completions(&self) -> BTreeMap<OperationId, Intent> {
        let scheduler = self.lock();
        let completed = scheduler.not_persisted.iter().filter(|(_, intent)| intent.state == IntentState::Completed);
        completed.map(|(id, intent)| (*id, intent.clone())).collect()
    }

    /// Returns an operation of the journal.
    pub(super) fn recorded(&self, id: OperationId) -> Result<Intent> {
        self.journal.get(id)?.ok_or_else(|| Error::of(Code::UnknownOperation).with_operation(id))
    }

    /// Stores the reward that a completed purchase gave. Returns false if the reward is known to be
    /// another's by now, or the purchase has changed.
    pub fn attribute(&self, purchase: &Intent, reward: AssignmentId, limit: Duration) -> Result<bool> {
        let stored = match self.reported(purchase.id()) {
            Some(reported) => self.persist_reported(&reported, Some(limit))?,
            None => purchase.clone(),
        };
        let revision = stored.revision + 1;
        self.journal.attribute(&Intent { reward: Some(reward), revision, ..stored }, limit)
    }

    /// Acknowledges an operation: [`machine::acknowledge`], carried out.
    pub fn acknowledge(&self, id: OperationId) -> Result<Intent> {
        loop {
            let intent = match self.reported(id) {
                Some(reported) => self.persist_reported(&reported, None)?,
                None => self.recorded(id)?,
            };
            let Some(acknowledged) = machine::acknowledge(&intent, !self.is_of_tenant(&intent), self.clocks())? else {
                return Ok(intent);
            };
            if self.journal.save_within_wait(&acknowledged, Durability::Synced)? {
                self.notifier.push(&acknowledged);
                return Ok(acknowledged);
            }
        }
    }

    /// Acknowledges all operations of a reference, or none.
    pub fn acknowledge_reference(&self, reference: &str) -> Result<Vec<Intent>> {
        let reported: Vec<Intent> = self.lock().not_persisted.values().cloned().collect();
        for intent in reported.iter().filter(|intent| intent.reference.as_deref() == Some(reference)) {
            self.persist_again(intent.clone())?;
        }
        let clocks = self.clocks();
        let acknowledge =
            |intent: &Intent| machine::acknowledge_of_reference(intent, !self.is_of_tenant(intent), clocks);
        let changed = self.journal.change_reference(reference, acknowledge)?;
        for intent in &changed {
            self.notifier.push(intent);
        }
        Ok(changed)
    }

    /// Stores the decision of a person about an operation in manual review, and acknowledges it.
    pub fn resolve_review(&self, id: OperationId, review: &ReviewDecision) -> Result<Intent> {
        loop {
            let intent = match self.reported(id) {
                Some(reported) => self.persist_reported(&reported, None)?,
                None => self.recorded(id)?,
            };
            let clocks = self.clocks();
            let review = ReviewDecision { at_ms: clocks.now(), ..review.clone() };
            let Some(resolved) = machine::resolve_review(&intent, review, !self.is_of_tenant(&intent), clocks)? else {
                return Ok(intent);
            };
            if self.journal.save_within_wait(&resolved, Durability::Synced)? {
                self.publish(&Next { intent: resolved.clone(), delay_ms: 0 });
                return Ok(resolved);
            }
        }
    }

    /// Whether an operation belongs to the configured tenant.
    pub fn is_of_tenant(&self, intent: &Intent) -> bool {
        intent.tenant.as_deref().is_none_or(|tenant| tenant == self.config.tenant)
    }

    /// Returns the result of a command that no worker took in time. The command is void, but its
    /// intent may exist from an earlier call.
    pub fn abandoned(&self, command: &Command, not_sent: Code, pending: Code) -> Result<(Intent, bool)> {
        let decide = |candidates| admission::admit(command, &candidates, self.clocks(), self.admission_rules());
        // Before the journal: a completion that is stored meanwhile is in neither of them after it.
        let completions = self.completions();
        let peeked = self.journal.peek(&command.operation, command.reference.as_deref(), decide, PEEK_WAIT);
        // A journal that fails or hangs hides no completion that was reported.
        if peeked.as_ref().is_none_or(|result| result.as_ref().is_err_and(is_of_journal))
            && let Some(intent) = completions.values().find(|intent| admission::is_meant(command, intent))
        {
            return Ok((intent.clone(), true));
        }
        match peeked {
            Some(Ok(Admission::Existing(intent))) => {
                let intent = completions.get(&intent.id()).cloned().unwrap_or(intent);
                machine::outcome_of(intent, pending).map(|intent| (intent, true))
            }
            // A lost record may be of the same sale.
            Some(Ok(Admission::New(intent))) if intent.progress.query_first => Err(Error::of(pending)),
            // A decline of an earlier press stays one, as long as nothing has left for this press.
            Some(Ok(Admission::New(intent))) => Err(match intent.progress.declined_before {
                Some(before) => {
                    let code = Code::from_number(before.code).unwrap_or(Code::Declined);
                    intent.operation.named_in(Error::of(code))
                }
                None if not_sent == Code::TimedOut => Error::of(not_sent).with_cause(vec![NO_RECORD.to_owned()]),
                None => Error::of(not_sent),
            }),
            Some(Ok(Admission::Uncertain(..))) => Err(Error::of(not_sent)),
            Some(Err(error)) => Err(error),
            None => Err(Error::of(pending)),
        }
    }
}
