//! The client: one method a call of the API. It checks options, reads on the caller's own thread, and hands what spends to the shop.

use crate::code::Code;
use crate::config::Config;
use crate::engage::{Channel, ContactKey, Engage};
use crate::error::{Error, Result};
use crate::fields::Fields;
use crate::id::{AssignmentId, ContactId, ItemId, OperationId};
use crate::journal::{Operation, Record, State};
use crate::log::{Field, Level, Log, Sink};
use crate::secret::Secret;
use crate::shop::{Patience, Shop};
use crate::stats::Stats;
use crate::transport::{Call, Interrupt};
use serde::Serialize;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A connection to one Engage tenant. All methods may be called from any thread at any time.
pub struct Client {
    config: Arc<Config>,
    engage: Arc<Engage>,
    shop: Shop,
    log: Arc<Log>,
    stats: Arc<Stats>,
    /// Ends every call now blocked on this client.
    interrupt: Arc<Interrupt>,
}

const OPTIONS: &str = "options_json";
/// The journal keeps it; a receipt number fits many times.
const REFERENCE_BYTES: usize = 200;

/// What every call's options may hold.
struct Options {
    fields: Fields,
    wait: Duration,
}

impl Client {
    /// Opens a client from `config_json`. The network is not waited for: a till opens offline.
    pub fn open(config_json: &str) -> Result<Self> {
        let config = Arc::new(Config::parse(config_json)?);
        let (log, stats) = (Arc::<Log>::default(), Arc::<Stats>::default());
        let engage = Arc::new(Engage::new(&config, &log)?);
        let shop = Shop::open(&config, &engage, &log, &stats)?;
        let interrupt = Arc::default();
        if config.warm {
            engage.warm(&interrupt);
        }
        Ok(Self { config, engage, shop, log, stats, interrupt })
    }

    /// Ends every call, waits a bounded time for what is under way, and lets go of the journal. Pending operations
    /// stay in the journal and are settled after the next open.
    pub fn close(&self) {
        if self.interrupt.close() {
            self.shop.close();
            self.log.close();
        }
    }

    /// Every call now blocked on this client returns.
    pub fn cancel(&self) -> Result<()> {
        self.open_still()?;
        self.interrupt.fire();
        Ok(())
    }

    /// Finds a member by `key` (`email`, `mobilePhone`, `socialSecurityNumber`, `customKey`, `any`): the contact's id as a JSON string.
    /// Options: `contactType`, `waitMs`.
    pub fn find_contact(&self, key: &str, value: &str, options: Option<&str>) -> Result<Vec<u8>> {
        let key = ContactKey::parse(key)?;
        let value = Secret::new(value.to_owned());
        self.read("contact.found", None, options, |call, fields| {
            let kind = fields.string("contactType")?;
            Ok(move |engage: &Engage| engage.contact(key, &value, kind.as_deref(), &call))
        })
    }

    /// The member's point accounts: Engage's JSON array. Options: `waitMs`.
    pub fn list_points(&self, contact: ContactId, options: Option<&str>) -> Result<Vec<u8>> {
        self.read("points.listed", Some(contact), options, |call, _| {
            Ok(move |engage: &Engage| engage.points(contact, &call))
        })
    }

    /// The member's rewards: Engage's JSON array. Options: `channel` (`POS`, `ECOM`, `OTHER`; default `POS`), `waitMs`.
    pub fn list_rewards(&self, contact: ContactId, options: Option<&str>) -> Result<Vec<u8>> {
        self.read("rewards.listed", Some(contact), options, |call, fields| {
            let channel = channel(fields)?;
            Ok(move |_: &Engage| self.shop.rewards(contact, channel, &call))
        })
    }

    /// The items a member can buy now: Engage's JSON array. Options: `waitMs`.
    pub fn list_items(&self, contact: ContactId, options: Option<&str>) -> Result<Vec<u8>> {
        self.read("items.listed", Some(contact), options, |call, _| {
            Ok(move |engage: &Engage| engage.items(contact, &call))
        })
    }

    /// The member's purchases: Engage's JSON array, empty if there are none. Options: `waitMs`.
    pub fn list_purchases(&self, contact: ContactId, options: Option<&str>) -> Result<Vec<u8>> {
        self.read("purchases.listed", Some(contact), options, |call, _| {
            Ok(move |engage: &Engage| engage.purchases(contact, &call))
        })
    }

    /// Buys an item: the operation object. Options: `purchaseId`, `reference`, `snapshotRewards`, `waitMs`.
    pub fn purchase(&self, contact: ContactId, item: ItemId, options: Option<&str>) -> Result<Vec<u8>> {
        self.open_still()?;
        let mut options = self.options(options)?;
        let id = options.fields.string("purchaseId")?;
        let id = id.map(|id| OperationId::parse(&id, "purchaseId")).transpose()?;
        let reference = reference(&mut options.fields)?;
        let snapshot_rewards = options.fields.flag("snapshotRewards", false)?;
        let patience = self.patience(options.wait);
        options.fields.finish()?;
        if snapshot_rewards {
            self.shop.look_before(contact, &self.call(options.wait));
        }
        let (record, existing) = self.shop.purchase(contact, item, id, reference, &patience)?;
        Ok(json(&record.operation().existing(existing)))
    }

    /// Tells which reward a completed purchase gave. Options: `waitMs`.
    pub fn find_reward(&self, id: OperationId, options: Option<&str>) -> Result<Vec<u8>> {
        self.read("reward.found", None, options, |call, _| Ok(move |_: &Engage| self.shop.find_reward(id, &call)))
    }

    /// Uses a reward: the operation object. Options: `channel`, `reference`, `waitMs`.
    pub fn redeem_reward(
        &self,
        contact: Option<ContactId>,
        assignment: AssignmentId,
        options: Option<&str>,
    ) -> Result<Vec<u8>> {
        self.open_still()?;
        let mut options = self.options(options)?;
        let channel = channel(&mut options.fields)?;
        let reference = reference(&mut options.fields)?;
        let patience = self.patience(options.wait);
        options.fields.finish()?;
        let (record, existing) = self.shop.redeem(contact, assignment, channel, reference, &patience)?;
        Ok(json(&record.operation().existing(existing)))
    }

    /// Everything pending or not acknowledged, oldest first: `{"operations": […]}`.
    pub fn list_unacknowledged(&self, options: Option<&str>) -> Result<Vec<u8>> {
        #[derive(Serialize)]
        struct Unsettled<'a> {
            operations: Vec<Operation<'a>>,
        }
        self.open_still()?;
        no_options(options)?;
        let records = self.shop.unsettled()?;
        Ok(json(&Unsettled { operations: records.iter().map(Record::operation).collect() }))
    }

    /// The last known state of an operation: the operation object.
    pub fn get_operation(&self, id: OperationId) -> Result<Vec<u8>> {
        self.open_still()?;
        Ok(json(&self.shop.get(id)?.operation()))
    }

    /// Tries now to learn every pending outcome: `{"resolved": n, "pending": n}`. Options: `waitMs`.
    pub fn resolve_pending(&self, options: Option<&str>) -> Result<Vec<u8>> {
        #[derive(Serialize)]
        struct Resolved {
            resolved: usize,
            pending: usize,
        }
        self.open_still()?;
        let options = self.options(options)?;
        let patience = self.patience(options.wait);
        options.fields.finish()?;
        let (resolved, pending) = self.shop.settle(&patience)?;
        Ok(json(&Resolved { resolved, pending }))
    }

    /// The POS has noted the outcome: the operation object. Acknowledging twice is as good as once.
    pub fn acknowledge(&self, id: OperationId) -> Result<Vec<u8>> {
        self.open_still()?;
        Ok(json(&self.shop.acknowledge(id)?.operation()))
    }

    /// Counters since open, and what the journal holds now.
    pub fn read_stats(&self) -> Result<Vec<u8>> {
        self.open_still()?;
        let mut snapshot = self.stats.snapshot();
        if let Ok(records) = self.shop.unsettled() {
            let pending =
                records.iter().filter(|record| matches!(record.state, State::Recorded | State::InDoubt)).count() as u64;
            snapshot.pending = Some(pending);
            snapshot.unacknowledged = Some(records.len() as u64 - pending);
        }
        Ok(json(&snapshot))
    }

    /// Sets or removes the log function. When this returns the old one is not entered again.
    pub fn set_log(&self, level: Level, sink: Option<Sink>) -> Result<()> {
        self.open_still()?;
        self.log.set(level, sink);
        Ok(())
    }

    /// A read, on the caller's own thread. `prepare` takes its options and gives the request, which is made once all options are known good.
    fn read<'c, R>(
        &'c self,
        event: &'static str,
        contact: Option<ContactId>,
        options: Option<&str>,
        prepare: impl FnOnce(Arc<Call>, &mut Fields) -> Result<R>,
    ) -> Result<Vec<u8>>
    where
        R: FnOnce(&Engage) -> Result<Vec<u8>> + 'c,
    {
        self.open_still()?;
        let mut options = self.options(options)?;
        let began = Instant::now();
        let call = self.call(options.wait);
        let request = prepare(call, &mut options.fields)?;
        options.fields.finish()?;
        self.stats.read();
        let result = request(&self.engage).map_err(|error| match error.code() {
            Code::Cancelled if self.interrupt.is_closed() => Error::of(Code::Closed),
            _ => error,
        });
        let code = result.as_ref().map_or_else(Error::code, |_| Code::Ok);
        let ms = began.elapsed().as_millis().try_into().unwrap_or(u64::MAX);
        let mut fields = vec![("code", Field::Code(code)), ("ms", Field::Number(ms))];
        fields.extend(contact.map(|contact| ("contactId", Field::Contact(contact))));
        self.log.write(if code == Code::Ok { Level::Debug } else { Level::Warn }, event, &fields);
        result
    }

    /// A request that is made while the caller waits.
    fn call(&self, wait: Duration) -> Arc<Call> {
        Arc::new(Call::new(Instant::now() + wait.min(self.config.request_timeout), &self.interrupt))
    }

    fn open_still(&self) -> Result<()> {
        if self.interrupt.is_closed() { Err(Error::of(Code::Closed)) } else { Ok(()) }
    }

    fn options(&self, options: Option<&str>) -> Result<Options> {
        let mut fields = match options {
            None => Fields::empty(Code::BadOptions, OPTIONS),
            Some(text) => Fields::parse(text, Code::BadOptions, OPTIONS)?,
        };
        let default = self.config.wait.as_millis().try_into().unwrap_or(u64::MAX);
        let wait = Duration::from_millis(fields.integer("waitMs", default, 0..=600_000)?);
        Ok(Options { fields, wait })
    }

    fn patience(&self, wait: Duration) -> Patience<'_> {
        Patience { deadline: Instant::now() + wait, interrupt: &self.interrupt, epoch: self.interrupt.epoch() }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.close();
    }
}

/// The channel a reward is used on: at a till, the till's.
fn channel(fields: &mut Fields) -> Result<Channel> {
    let Some(word) = fields.string("channel")? else { return Ok(Channel::Pos) };
    Channel::from_word(&word).ok_or_else(|| fields.error("channel", "must be \"POS\", \"ECOM\" or \"OTHER\""))
}

/// The POS's own name for a sale.
fn reference(fields: &mut Fields) -> Result<Option<String>> {
    let reference = fields.string("reference")?;
    if reference.as_ref().is_some_and(|text| text.len() > REFERENCE_BYTES || text.chars().any(char::is_control)) {
        return Err(fields.error("reference", "must have at most 200 bytes and no control characters"));
    }
    Ok(reference)
}

/// Options of a call that has none yet.
fn no_options(options: Option<&str>) -> Result<()> {
    options.map_or(Ok(()), |text| Fields::parse(text, Code::BadOptions, OPTIONS)?.finish())
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}
