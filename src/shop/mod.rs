//! Purchases and redeems: from a wish to a known end. `decide` is pure, `engine` carries out, `work` is what there is to do, `ticket` is
//! where a caller waits; `reward` tells which reward a purchase gave.

pub(crate) mod decide;
mod engine;
#[cfg(test)]
mod model;
#[cfg(test)]
mod redeem_model;
pub(crate) mod reward;
mod ticket;
mod work;

use crate::code::Code;
use crate::config::Config;
use crate::engage::{Channel, Engage, Order, PurchaseOrder, Receipt, RedeemOrder, Reward};
use crate::error::{Error, Result};
use crate::id::{AssignmentId, ContactId, ItemId, OperationId};
use crate::journal::{Durability, Journal, Record};
use crate::log::Log;
use crate::stats::Stats;
use crate::transport::{Call, Interrupt};
use decide::Wish;
use engine::Engine;
use reward::{Certainty, Seen};
use serde::Serialize;
use serde_json::value::RawValue;
use std::sync::Arc;
use std::time::Instant;

/// How long a caller is willing to wait, and what may end it sooner.
pub(crate) struct Patience<'a> {
    pub deadline: Instant,
    pub interrupt: &'a Interrupt,
    pub epoch: u64,
}

/// The intents of one client.
pub(crate) struct Shop {
    engine: Option<Arc<Engine>>,
    engage: Arc<Engage>,
    /// What members had before they buy.
    seen: Seen,
}

/// What `eps_find_reward` answers.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Found<'a> {
    certainty: Certainty,
    assignment_id: Option<AssignmentId>,
    /// As Engage sent it.
    reward: Option<&'a RawValue>,
    receipt: Option<Receipt>,
    /// All that may be it.
    candidates: Vec<&'a RawValue>,
}

impl Shop {
    pub fn open(config: &Arc<Config>, engage: &Arc<Engage>, log: &Arc<Log>, stats: &Arc<Stats>) -> Result<Self> {
        let engine = Journal::open(&config.journal)?
            .map(|journal| Engine::start(config.clone(), journal, engage.clone(), log.clone(), stats.clone()))
            .transpose()?;
        Ok(Self { engine, engage: engage.clone(), seen: Seen::default() })
    }

    fn engine(&self) -> Result<&Arc<Engine>> {
        self.engine.as_ref().ok_or_else(Config::no_journal)
    }

    /// Buys an item, or follows the purchase this already is. The record, and whether it was there before.
    pub fn purchase(
        &self,
        contact: ContactId,
        item: ItemId,
        id: Option<OperationId>,
        reference: Option<String>,
        patience: &Patience<'_>,
    ) -> Result<(Record, bool)> {
        let order = PurchaseOrder { purchase: id.unwrap_or_else(OperationId::fresh), contact, item };
        let rewards_before = self.seen.take(contact);
        self.carry_out(&Wish { order: order.into(), named: id.is_some(), reference, rewards_before }, patience)
    }

    /// Uses a reward, or follows the redeem this already is. The record, and whether it was there before.
    pub fn redeem(
        &self,
        contact: Option<ContactId>,
        assignment: AssignmentId,
        channel: Channel,
        reference: Option<String>,
        patience: &Patience<'_>,
    ) -> Result<(Record, bool)> {
        let order = RedeemOrder { operation: OperationId::fresh(), contact, assignment, channel };
        self.carry_out(&Wish { order: order.into(), named: false, reference, rewards_before: None }, patience)
    }

    fn carry_out(&self, wish: &Wish, patience: &Patience<'_>) -> Result<(Record, bool)> {
        let engine = self.engine()?;
        let ticket = engine.begin(wish.clone())?;
        match ticket.wait(patience.deadline, patience.interrupt, patience.epoch) {
            ticket::Waited::NeverBegun { not_sent, pending } => engine.given_up(wish, not_sent, pending),
            waited => waited.told(),
        }
    }

    /// Tries now to learn every pending outcome: how many became known, and how many are still pending.
    pub fn settle(&self, patience: &Patience<'_>) -> Result<(usize, usize)> {
        let tickets = self.engine()?.ask_all()?;
        let (mut settled, mut pending) = (0, 0);
        for ticket in tickets {
            match ticket.wait(patience.deadline, patience.interrupt, patience.epoch) {
                ticket::Waited::Record { record, .. } if record.state.is_settled() => settled += 1,
                _ => pending += 1,
            }
        }
        if patience.interrupt.epoch() != patience.epoch {
            return Err(Error::of(if patience.interrupt.is_closed() { Code::Closed } else { Code::Cancelled }));
        }
        Ok((settled, pending))
    }

    /// Everything that is pending or not acknowledged.
    pub fn unsettled(&self) -> Result<Vec<Record>> {
        self.engine()?.unacknowledged()
    }

    pub fn get(&self, id: OperationId) -> Result<Record> {
        self.engine()?.get(id)?.ok_or_else(|| Error::of(Code::UnknownOperation).with_operation(id))
    }

    /// Ends the POS's interest in an operation. Twice is as good as once.
    pub fn acknowledge(&self, id: OperationId) -> Result<Record> {
        self.engine()?.acknowledge(id)
    }

    /// Lists a member's rewards, and remembers what there were.
    pub fn rewards(&self, contact: ContactId, channel: Channel, call: &Arc<Call>) -> Result<Vec<u8>> {
        let asked = Instant::now();
        let list = self.engage.rewards(contact, channel, call)?;
        if channel == Channel::Pos {
            self.note(contact, asked, &list);
        }
        Ok(list)
    }

    fn note(&self, contact: ContactId, asked: Instant, list: &[u8]) {
        let rewards: Vec<Reward> = self.engage.read_rewards(list).into_iter().map(|(_, reward)| reward).collect();
        self.seen.note(contact, asked, &rewards);
    }

    /// Looks at a member's rewards before a purchase, unless that was done lately. Without an answer the purchase goes on.
    pub fn look_before(&self, contact: ContactId, call: &Arc<Call>) {
        if !self.seen.has(contact) {
            let _ = self.rewards(contact, Channel::Pos, call);
        }
    }

    /// Finds the reward that a purchase gave: [`Found`] as JSON.
    pub fn find_reward(&self, id: OperationId, call: &Arc<Call>) -> Result<Vec<u8>> {
        let engine = self.engine()?;
        let record = self.get(id)?;
        let Order::Purchase(order) = record.order else {
            return Err(record.order.named_in(Error::of(Code::NotAPurchase)));
        };
        let record = decide::told(record, Code::Pending)?;
        let mut given = self.engage.given(record.answer.as_deref().unwrap_or_default());
        // Once found, it is not doubted again.
        given.assignment = record.reward.or(given.assignment);
        let list = self.rewards(order.contact, Channel::Pos, call)?;
        let (raws, rewards): (Vec<&RawValue>, Vec<Reward>) = self.engage.read_rewards(&list).into_iter().unzip();
        // A reward that the journal cannot tell about may be anybody's; saying so is the lesser evil.
        let is_taken = |reward| engine.journal.is_taken(reward, &record).unwrap_or(false);
        let (certainty, places) = reward::choose(&given, record.rewards_before.as_deref(), &rewards, is_taken);
        let certain = !matches!(certainty, Certainty::Ambiguous | Certainty::None);
        let found = places.first().copied().filter(|_| certain);
        let assignment = found.and_then(|at| rewards[at].id).or(given.assignment);
        if assignment.is_some() && assignment != record.reward {
            let noted = Record { reward: assignment, revision: record.revision + 1, ..record };
            // For a reprint. Lost against another writer, or to a power cut, it is found again.
            let _ = engine.journal.save(&noted, Durability::Later);
        }
        let reward = found.map(|at| raws[at]);
        let found = Found {
            certainty,
            assignment_id: assignment,
            reward,
            receipt: reward.and_then(|reward| self.engage.receipt(reward, Channel::Pos)),
            candidates: places.into_iter().map(|at| raws[at]).collect(),
        };
        Ok(serde_json::to_vec(&found).unwrap_or_default())
    }

    pub fn close(&self) {
        if let Some(engine) = &self.engine {
            engine.close();
        }
    }
}
