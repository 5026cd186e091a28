//! The purchase: from a wish to a known end. `decide` is pure, `engine` carries out, `ticket` is where a caller waits.

pub(crate) mod decide;
mod engine;
#[cfg(test)]
mod model;
mod ticket;

use crate::code::Code;
use crate::config::Config;
use crate::engage::{Engage, PurchaseOrder};
use crate::error::{Error, Result};
use crate::id::{ContactId, ItemId, OperationId};
use crate::journal::{Journal, Record};
use crate::log::Log;
use crate::stats::Stats;
use crate::transport::Interrupt;
use decide::Wish;
use engine::{Engine, now_ms};
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
}

impl Shop {
    pub fn open(config: &Arc<Config>, engage: &Arc<Engage>, log: &Arc<Log>, stats: &Arc<Stats>) -> Result<Self> {
        let engine = Journal::open(&config.journal)?
            .map(|journal| Engine::start(config.clone(), journal, engage.clone(), log.clone(), stats.clone()))
            .transpose()?;
        Ok(Self { engine })
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
        let engine = self.engine()?;
        let wish = Wish { order, named: id.is_some(), reference };
        let ticket = engine.begin(wish.clone())?;
        match ticket.wait(patience.deadline, patience.interrupt, patience.epoch) {
            ticket::Waited::NeverBegun { not_sent, pending } => engine.given_up(&wish, not_sent, pending),
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
        self.engine()?.journal.unacknowledged()
    }

    pub fn get(&self, id: OperationId) -> Result<Record> {
        self.engine()?.journal.get(id)?.ok_or_else(|| Error::of(Code::UnknownOperation).with_operation(id))
    }

    /// Ends the POS's interest in an operation. Twice is as good as once.
    pub fn acknowledge(&self, id: OperationId) -> Result<Record> {
        let engine = self.engine()?;
        loop {
            let record = self.get(id)?;
            let Some(acknowledged) = decide::acknowledge(&record, now_ms())? else { return Ok(record) };
            if engine.journal.save(&acknowledged, crate::journal::Durability::Now)? {
                return Ok(acknowledged);
            }
        }
    }

    pub fn close(&self) {
        if let Some(engine) = &self.engine {
            engine.close();
        }
    }
}
