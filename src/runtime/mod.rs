//! The runtime of a client: it carries out what `core` decides, with threads, clocks, the journal
//! and Engage. `executor` has the workers, `waiter` the callers that wait.

mod check;
mod executor;
mod named_calls;
mod notifier;
mod reward_snapshots;
mod waiter;

pub(crate) use named_calls::{NamedCall, NamedCalls};
pub use notifier::Notify;
pub(crate) use waiter::{Until, WaitLimit};

use crate::api::{self, FoundReward};
use crate::config::Config;
use crate::core::admission::Command;
use crate::core::code::Code;
use crate::core::domain::{Channel, Operation, Purchase, Redeem};
use crate::core::error::{Error, Result};
use crate::core::granted_reward::{self, Certainty, Reward};
use crate::core::id::{AssignmentId, ContactId, ItemId, OperationId};
use crate::core::intent::{Intent, IntentState, ReviewDecision};
use crate::core::machine;
use crate::engage::Engage;
#[cfg(not(feature = "simulation"))]
use crate::journal::Journal;
use crate::journal::{Backup, Filter, Page};
use crate::log::Log;
use crate::rt::{self, BootTime, Mutex};
#[cfg(feature = "simulation")]
use crate::simulation::disk::Journal;
use crate::stats::Stats;
use crate::transport::Call;
use executor::Executor;
use reward_snapshots::RewardSnapshots;
use serde_json::value::RawValue;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use waiter::WaitResult;

/// A list of items that is larger is not kept, in bytes.
const KEPT_ITEMS_BYTES: usize = 256 << 10;

/// The operations of one client.
pub(crate) struct Runtime {
    /// None on a client without a journal.
    executor: Option<Arc<Executor>>,
    config: Arc<Config>,
    engage: Arc<Engage>,
    stats: Arc<Stats>,
    snapshots: RewardSnapshots,
    /// The last list of items, for the points of a purchase.
    items: Mutex<Vec<u8>>,
}

impl Runtime {
    pub fn open(config: &Arc<Config>, engage: &Arc<Engage>, log: &Arc<Log>, stats: &Arc<Stats>) -> Result<Self> {
        let executor = Journal::open(config, log)?
            .map(|journal| Executor::start(config.clone(), journal, engage.clone(), log.clone(), stats.clone()))
            .transpose()?;
        Ok(Self {
            executor,
            config: config.clone(),
            engage: engage.clone(),
            stats: stats.clone(),
            snapshots: RewardSnapshots::default(),
            items: Mutex::default(),
        })
    }

    fn executor(&self) -> Result<&Arc<Executor>> {
        self.executor.as_ref().ok_or_else(Config::no_journal)
    }

    /// Buys an item. Returns the intent, and whether it existed before the call.
    pub fn purchase(
        &self,
        contact: ContactId,
        item: ItemId,
        id: Option<OperationId>,
        reference: Option<String>,
        until: Until,
        limit: &WaitLimit<'_>,
    ) -> Result<(Intent, bool)> {
        let derived = match (&id, &reference) {
            (None, Some(reference)) if self.config.tenant_ids => {
                Some(OperationId::derived(&self.config.tenant, reference, contact, item))
            }
            _ => None,
        };
        let purchase = Purchase { id: id.or(derived).unwrap_or_else(OperationId::fresh), contact, item };
        let command = Command {
            operation: purchase.into(),
            named: id.is_some(),
            derived: derived.is_some(),
            reference,
            rewards_before: self.snapshots.take(contact),
            points: self.points_of(item),
        };
        self.carry_out(&command, until, limit)
    }

    /// Uses a reward. Returns the intent, and whether it existed before the call.
    pub fn redeem(
        &self,
        contact: Option<ContactId>,
        assignment: AssignmentId,
        channel: Channel,
        reference: Option<String>,
        until: Until,
        limit: &WaitLimit<'_>,
    ) -> Result<(Intent, bool)> {
        let redeem = Redeem { id: OperationId::fresh(), contact, assignment, channel };
        let operation = redeem.into();
        let command =
            Command { operation, named: false, derived: false, reference, rewards_before: None, points: None };
        self.carry_out(&command, until, limit)
    }

    fn carry_out(&self, command: &Command, until: Until, limit: &WaitLimit<'_>) -> Result<(Intent, bool)> {
        let executor = self.executor()?;
        loop {
            let waiter = executor.enqueue(command.clone(), until)?;
            return match waiter.wait(limit) {
                WaitResult::NeverTaken { not_sent, pending } => executor.abandoned(command, not_sent, pending),
                // Another caller's shorter wait has withdrawn the request. This caller still waits.
                WaitResult::Intent { intent, existing: true, .. }
                    if intent.state == IntentState::NotSent && intent.code == Code::TimedOut && !limit.is_over() =>
                {
                    continue;
                }
                result => result.into_result(),
            };
        }
    }

    /// Sets or removes the function that gets each change of an operation.
    pub fn set_notify(&self, notify: Option<Notify>) -> Result<()> {
        self.executor()?.set_notify(notify);
        Ok(())
    }

    /// Queries the status of every pending operation now, or of one. Returns how many are resolved
    /// and how many still pending.
    pub fn resolve_pending(&self, only: Option<OperationId>, limit: &WaitLimit<'_>) -> Result<(usize, usize)> {
        let waiters = self.executor()?.request_status_queries(only, limit)?;
        let (mut resolved, mut pending) = (0, 0);
        for waiter in waiters {
            match waiter.wait(limit) {
                WaitResult::Intent { intent, .. } if intent.state.is_final() => resolved += 1,
                _ => pending += 1,
            }
        }
        if limit.is_cancelled() {
            return Err(Error::of(if limit.cancellation.is_closed() { Code::Closed } else { Code::Cancelled }));
        }
        Ok((resolved, pending))
    }

    /// Returns everything that is pending or not acknowledged, oldest first.
    pub fn unacknowledged(&self) -> Result<Vec<Intent>> {
        self.executor()?.unacknowledged()
    }

    /// Returns an operation. `limit`: the wait of a call that has its own.
    pub fn get(&self, id: OperationId, limit: Option<Duration>) -> Result<Intent> {
        self.executor()?.get(id, limit)?.ok_or_else(|| Error::of(Code::UnknownOperation).with_operation(id))
    }

    /// Acknowledges an operation. A second call changes nothing.
    pub fn acknowledge(&self, id: OperationId) -> Result<Intent> {
        self.executor()?.acknowledge(id)
    }

    /// Acknowledges all operations of a reference, or none.
    pub fn acknowledge_reference(&self, reference: &str) -> Result<Vec<Intent>> {
        self.executor()?.acknowledge_reference(reference)
    }

    /// Stores the decision of a person about an operation in manual review.
    pub fn resolve_review(&self, id: OperationId, review: &ReviewDecision) -> Result<Intent> {
        self.executor()?.resolve_review(id, review)
    }

    /// Lists what the journal holds.
    pub fn list(&self, filter: &Filter) -> Result<Page> {
        self.executor()?.list(filter)
    }

    /// Copies the journal into a new file.
    pub fn backup(&self, path: &Path) -> Result<Backup> {
        self.executor()?.backup(path)
    }

    /// Gives the space of deleted records back to the disk. Returns the size before and after.
    pub fn compact(&self) -> Result<(u64, u64)> {
        self.executor()?.journal.compact()
    }

    /// Lists a member's rewards, and keeps their ids as a snapshot.
    pub fn rewards(&self, contact: ContactId, channel: Channel, call: &Arc<Call>) -> Result<Vec<u8>> {
        let listed_at = BootTime::now();
        let list = self.engage.rewards(contact, channel, call)?;
        if channel == Channel::Pos {
            let rewards: Vec<Reward> = self.engage.read_rewards(&list).into_iter().map(|(_, reward)| reward).collect();
            self.snapshots.store(contact, listed_at, &rewards);
        }
        Ok(list)
    }

    /// Lists a member's rewards before a purchase, unless a recent snapshot exists. A failure does
    /// not stop the purchase.
    pub fn snapshot_rewards(&self, contact: ContactId, call: &Arc<Call>) {
        if !self.snapshots.has(contact) {
            let _ = self.rewards(contact, Channel::Pos, call);
        }
    }

    /// Finds the reward that a purchase gave: [`FoundReward`] as JSON.
    pub fn find_reward(&self, id: OperationId, call: &Arc<Call>) -> Result<Vec<u8>> {
        let executor = self.executor()?;
        let journal = &executor.journal;
        let (mut intent, purchase) = self.completed_purchase(id, call)?;
        let list = self.rewards(purchase.contact, Channel::Pos, call)?;
        let (raws, rewards): (Vec<&RawValue>, Vec<Reward>) = self.engage.read_rewards(&list).into_iter().unzip();
        loop {
            let grant = self.engage.grant(intent.response.as_deref().unwrap_or_default());
            let others = journal.others_without_reward(&intent, call.remaining())?;
            let owner = |reward| journal.owner(reward, &intent, call.remaining());
            let before = intent.rewards_before.as_deref();
            let (certainty, places) = granted_reward::choose(&grant, intent.reward, before, &rewards, others, owner)?;
            let certain = !matches!(certainty, Certainty::Ambiguous | Certainty::None);
            let found = places.first().copied().filter(|_| certain);
            let assignment = found.and_then(|at| rewards[at].id).or(intent.reward).or(grant.assignment);
            if let Some(reward) = assignment.filter(|_| intent.reward.is_none()) {
                let stored = executor.attribute(&intent, reward, call.remaining());
                // What Engage names is known without the journal. Another one is stored before it
                // is returned, so that no other purchase gets the same one.
                if grant.assignment.is_none() && !stored? {
                    intent = self.completed_purchase(id, call)?.0;
                    continue;
                }
            }
            let reward = found.map(|at| raws[at]);
            return Ok(api::to_json(&FoundReward {
                certainty,
                assignment_id: assignment,
                reward,
                receipt: reward.and_then(|reward| self.engage.receipt(reward, Channel::Pos)).map(Into::into),
                candidates: places.into_iter().map(|at| raws[at]).collect(),
            }));
        }
    }

    /// Returns a purchase that is completed, or the error that says what it is.
    fn completed_purchase(&self, id: OperationId, call: &Call) -> Result<(Intent, Purchase)> {
        let intent = self.get(id, Some(call.remaining()))?;
        let Operation::Purchase(purchase) = intent.operation else {
            return Err(intent.operation.named_in(Error::of(Code::NotAPurchase)));
        };
        Ok((machine::outcome_of(intent, Code::Pending)?, purchase))
    }

    /// Lists the items that a member can buy, and keeps their points for a purchase.
    pub fn items(&self, contact: ContactId, call: &Arc<Call>) -> Result<Vec<u8>> {
        let list = self.engage.items(contact, call)?;
        let kept: &[u8] = if list.len() <= KEPT_ITEMS_BYTES { &list } else { &[] };
        let mut items = rt::lock(&self.items);
        items.clear();
        items.extend_from_slice(kept);
        Ok(list)
    }

    /// Returns the points of an item, if the last list has it.
    fn points_of(&self, item: ItemId) -> Option<u64> {
        #[derive(serde::Deserialize)]
        struct Listed<'a> {
            #[serde(borrow)]
            id: std::borrow::Cow<'a, str>,
            cost: u64,
        }
        let list = rt::lock(&self.items);
        let listed: Vec<Listed<'_>> = serde_json::from_slice(&list).ok()?;
        listed.iter().find(|listed| listed.id.parse() == Ok(item.uuid())).map(|listed| listed.cost)
    }

    /// Ends the wait of every caller that waits for the disk.
    pub fn cancel_waits(&self) {
        if let Some(executor) = &self.executor {
            executor.journal.cancel_waits();
        }
    }

    /// Ends the workers.
    pub fn close(&self) {
        if let Some(executor) = &self.executor {
            executor.close();
        }
    }
}
