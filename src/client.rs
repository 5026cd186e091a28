//! The client: one method a call of the API. It checks options, makes reads on the caller's own
//! thread, and gives purchases and redeems to the runtime.

mod operator;

pub use operator::{Exchange, Observer};

use crate::api::{self, JournalCopy, Resolution};
use crate::config::{Config, Fields, LogFile, LogLevel};
use crate::core::check;
use crate::core::code::{Code, Outcome};
use crate::core::domain::Channel;
use crate::core::error::{Error, Result};
use crate::core::id::{AssignmentId, ContactId, ItemId, OperationId};
use crate::core::intent::{Intent, IntentState, ReviewDecision};
use crate::core::machine;
use crate::engage::{ContactKey, Engage};
use crate::journal::{Filter, Place};
use crate::log::{Field, Level, Log, Sink};
use crate::metrics::{self, Readings};
use crate::rt::Instant;
pub use crate::runtime::Notify;
use crate::runtime::{NamedCall, NamedCalls, Runtime, Until, WaitLimit};
use crate::secret::Secret;
use crate::stats::Stats;
use crate::texts::Language;
use crate::transport::{Call, Cancellation};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A client of one Engage tenant. Every method may be called from any thread at any time.
pub struct Client {
    config: Arc<Config>,
    engage: Arc<Engage>,
    runtime: Runtime,
    log: Arc<Log>,
    stats: Arc<Stats>,
    /// Ends every call that is blocked on this client.
    cancellation: Arc<Cancellation>,
    /// The calls under way that the POS may cancel one by one.
    named_calls: NamedCalls,
}

const OPTIONS: &str = "options_json";
/// Limit of a reference, in bytes. The journal keeps it.
const REFERENCE_BYTES: usize = 200;

/// Limit of the name of a call, in bytes.
const CALL_ID_BYTES: usize = 64;

/// The options that every call has.
struct Options<'a> {
    fields: Fields,
    scope: Scope<'a>,
}

/// How long a call waits, and what cancels it.
struct Scope<'a> {
    wait: Duration,
    named: Option<NamedCall<'a>>,
    client: &'a Arc<Cancellation>,
}

impl Scope<'_> {
    fn cancellation(&self) -> &Arc<Cancellation> {
        self.named.as_ref().map_or(self.client, NamedCall::cancellation)
    }

    fn limit(&self) -> WaitLimit<'_> {
        let cancellation = self.cancellation();
        WaitLimit { deadline: Instant::now() + self.wait, cancellation, generation: cancellation.generation() }
    }
}

impl Client {
    /// Opens a client from `config_json`. It does not wait for the network: a till opens offline.
    pub fn open(config_json: &str) -> Result<Self> {
        Self::open_with(Config::parse(config_json)?)
    }

    fn open_with(config: Config) -> Result<Self> {
        let config = Arc::new(config);
        let (log, stats) = (Arc::<Log>::default(), Arc::<Stats>::default());
        if let Some(LogFile { path, level, bytes, files }) = &config.log_file {
            log.write_to(path.clone(), level_of(*level), *bytes, *files);
        }
        let engage = Arc::new(Engage::new(&config, &log, &stats)?);
        let runtime = Runtime::open(&config, &engage, &log, &stats)?;
        let cancellation = Arc::default();
        if config.preconnect {
            engage.preconnect(&cancellation);
        }
        Ok(Self { config, engage, runtime, log, stats, cancellation, named_calls: NamedCalls::default() })
    }

    /// Ends every call, waits a bounded time for requests under way, and closes the journal.
    /// Pending operations stay in the journal and are resolved after the next open.
    pub fn close(&self) {
        if self.cancellation.close() {
            self.runtime.cancel_waits();
            self.runtime.close();
            self.log.close();
        }
    }

    /// Ends every call that is blocked on this client.
    pub fn cancel(&self) -> Result<()> {
        self.check_open()?;
        self.cancellation.cancel_all();
        self.runtime.cancel_waits();
        Ok(())
    }

    /// Ends the calls that were made with this `callId`. Other calls go on.
    pub fn cancel_call(&self, call_id: &str) -> Result<()> {
        self.check_open()?;
        self.named_calls.cancel(call_id);
        Ok(())
    }

    /// Finds a member by `key` (`email`, `mobilePhone`, `socialSecurityNumber`, `customKey`,
    /// `any`). Returns the contact id as a JSON string. Options: `contactType`, `waitMs`.
    pub fn find_contact(&self, key: &str, value: &str, options: Option<&str>) -> Result<Vec<u8>> {
        let key = ContactKey::parse(key)?;
        let value = Secret::new(value.to_owned());
        self.read("contact.found", None, options, |call, fields| {
            let kind = fields.string("contactType")?;
            Ok(move |engage: &Engage| engage.contact(key, &value, kind.as_deref(), &call))
        })
    }

    /// Lists the member's point accounts: Engage's JSON array. Options: `waitMs`.
    pub fn list_points(&self, contact: ContactId, options: Option<&str>) -> Result<Vec<u8>> {
        self.read("points.listed", Some(contact), options, |call, _| {
            Ok(move |engage: &Engage| engage.points(contact, &call))
        })
    }

    /// Lists the member's rewards: Engage's JSON array. Options: `channel` (`POS`, `ECOM`, `OTHER`;
    /// default `POS`), `waitMs`.
    pub fn list_rewards(&self, contact: ContactId, options: Option<&str>) -> Result<Vec<u8>> {
        self.read("rewards.listed", Some(contact), options, |call, fields| {
            let channel = channel(fields)?;
            Ok(move |_: &Engage| self.runtime.rewards(contact, channel, &call))
        })
    }

    /// Lists the items that a member can buy now: Engage's JSON array. Options: `waitMs`.
    pub fn list_items(&self, contact: ContactId, options: Option<&str>) -> Result<Vec<u8>> {
        self.read("items.listed", Some(contact), options, |call, _| {
            Ok(move |_: &Engage| self.runtime.items(contact, &call))
        })
    }

    /// Lists the member's purchases: Engage's JSON array, empty if there are none. Options:
    /// `waitMs`.
    pub fn list_purchases(&self, contact: ContactId, options: Option<&str>) -> Result<Vec<u8>> {
        self.read("purchases.listed", Some(contact), options, |call, _| {
            Ok(move |engage: &Engage| engage.purchases(contact, &call))
        })
    }

    /// Buys an item: the operation object. Options: `callId`, `purchaseId`, `reference`,
    /// `snapshotRewards`, `submit`, `waitMs`.
    pub fn purchase(&self, contact: ContactId, item: ItemId, options: Option<&str>) -> Result<Vec<u8>> {
        self.check_open()?;
        let mut options = self.options(options)?;
        let id = options.fields.string("purchaseId")?;
        let id = id.map(|id| OperationId::parse(&id, "purchaseId")).transpose()?;
        let reference = reference(&mut options.fields)?;
        let snapshot_rewards = options.fields.flag("snapshotRewards", false)?;
        let until = until(&mut options.fields)?;
        let limit = options.scope.limit();
        options.fields.finish()?;
        if snapshot_rewards {
            self.runtime.snapshot_rewards(contact, &self.call(&options.scope));
        }
        let (intent, existing) = self.runtime.purchase(contact, item, id, reference, until, &limit)?;
        self.result(intent, existing)
    }

    /// Finds the reward that a completed purchase gave. Options: `waitMs`.
    pub fn find_reward(&self, id: OperationId, options: Option<&str>) -> Result<Vec<u8>> {
        self.read("reward.found", None, options, |call, _| Ok(move |_: &Engage| self.runtime.find_reward(id, &call)))
    }

    /// Uses a reward: the operation object. Options: `callId`, `channel`, `reference`, `submit`,
    /// `waitMs`.
    pub fn redeem_reward(
        &self,
        contact: Option<ContactId>,
        assignment: AssignmentId,
        options: Option<&str>,
    ) -> Result<Vec<u8>> {
        self.check_open()?;
        let mut options = self.options(options)?;
        let channel = channel(&mut options.fields)?;
        let reference = reference(&mut options.fields)?;
        let until = until(&mut options.fields)?;
        let limit = options.scope.limit();
        options.fields.finish()?;
        let (intent, existing) = self.runtime.redeem(contact, assignment, channel, reference, until, &limit)?;
        self.result(intent, existing)
    }

    /// Returns the operation object of a purchase or a redeem. Of one that was submitted and is
    /// pending it is a part of the error.
    fn result(&self, intent: Intent, existing: bool) -> Result<Vec<u8>> {
        let object = api::operation_result(&intent, existing, &self.config);
        let is_pending = !intent.state.is_final();
        match machine::outcome_of(intent, Code::PendingSubmitted) {
            Ok(_) => Ok(object),
            Err(error) if is_pending => Err(error.with_object(object)),
            Err(error) => Err(error),
        }
    }

    /// Lists everything that is pending or not acknowledged, in the order of recording:
    /// `{"operations": […]}`.
    /// Options: `reference`.
    pub fn list_unacknowledged(&self, options: Option<&str>) -> Result<Vec<u8>> {
        self.check_open()?;
        let mut fields = fields(options)?;
        let reference = reference(&mut fields)?;
        fields.finish()?;
        let mut intents = self.runtime.unacknowledged()?;
        if reference.is_some() {
            intents.retain(|intent| intent.reference == reference);
        }
        Ok(api::operations(&intents, &self.config))
    }

    /// Lists what the journal holds, in the order of recording:
    /// `{"operations": […], "next": cursor or null}`.
    /// Options: `since`, `until`, `outcome`, `acknowledged`, `reference`, `limit`, `after`.
    pub fn list_operations(&self, options: Option<&str>) -> Result<Vec<u8>> {
        self.check_open()?;
        let mut fields = fields(options)?;
        let filter = filter(&mut fields)?;
        fields.finish()?;
        let page = self.runtime.list(&filter)?;
        let next = page.next.map(|(row, id)| format!("{row}.{id}"));
        Ok(api::operation_page(&page.intents, next.as_deref(), &self.config))
    }

    /// Stores the decision of a person about an operation in manual review, and acknowledges it:
    /// the operation object. `resolution`: `completed` or `declined`. Options: `by`, `note`.
    pub fn resolve_review(&self, id: OperationId, resolution: &str, options: Option<&str>) -> Result<Vec<u8>> {
        self.check_open()?;
        let mut fields = fields(options)?;
        if !matches!(resolution, "completed" | "declined") {
            return Err(Error::new(Code::BadOptions, "resolution must be \"completed\" or \"declined\""));
        }
        let (by, note) = (text(&mut fields, "by")?, text(&mut fields, "note")?);
        fields.finish()?;
        let review = ReviewDecision { resolution: resolution.to_owned(), by, note, at_ms: 0 };
        Ok(api::operation(&self.runtime.resolve_review(id, &review)?, &self.config))
    }

    /// Acknowledges all operations of a reference, or none: `{"operations": […]}`.
    pub fn acknowledge_reference(&self, reference: &str, options: Option<&str>) -> Result<Vec<u8>> {
        self.check_open()?;
        fields(options)?.finish()?;
        Ok(api::operations(&self.runtime.acknowledge_reference(reference)?, &self.config))
    }

    /// Copies the journal into a new file while it is in use: `{"path", "bytes", "operations"}`.
    /// The copy is marked as one.
    pub fn backup_journal(&self, path: &str, options: Option<&str>) -> Result<Vec<u8>> {
        self.check_open()?;
        fields(options)?.finish()?;
        let backup = self.runtime.backup(Path::new(path))?;
        let (bytes, operations) = (backup.bytes, backup.operations);
        self.log.write(Level::Info, "journal.copied", &[("records", Field::Number(operations))]);
        Ok(api::to_json(&JournalCopy { path, bytes, operations }))
    }

    /// Returns the last known state of an operation: the operation object.
    pub fn get_operation(&self, id: OperationId) -> Result<Vec<u8>> {
        self.check_open()?;
        Ok(api::operation(&self.runtime.get(id, None)?, &self.config))
    }

    /// Queries every pending outcome now: `{"resolved": n, "pending": n}`. Options: `waitMs`.
    pub fn resolve_pending(&self, options: Option<&str>) -> Result<Vec<u8>> {
        self.check_open()?;
        let options = self.options(options)?;
        let limit = options.scope.limit();
        options.fields.finish()?;
        let (resolved, pending) = self.runtime.resolve_pending(None, &limit)?;
        Ok(api::to_json(&Resolution { resolved, pending }))
    }

    /// Marks that the POS has stored the outcome: the operation object. A second call changes
    /// nothing.
    pub fn acknowledge(&self, id: OperationId) -> Result<Vec<u8>> {
        self.check_open()?;
        Ok(api::operation(&self.runtime.acknowledge(id)?, &self.config))
    }

    /// Returns counters since the open, and the counts of the journal.
    pub fn read_stats(&self) -> Result<Vec<u8>> {
        self.check_open()?;
        let counts = self.runtime.unacknowledged().ok().map(|intents| {
            let is_pending = |state| matches!(state, IntentState::Recorded | IntentState::InDoubt);
            let pending = intents.iter().filter(|intent| is_pending(intent.state)).count();
            (pending as u64, (intents.len() - pending) as u64)
        });
        Ok(api::stats(&self.stats, counts))
    }

    /// Checks everything that a sale needs: `{"status", "checks": […], "pendingPoints"}`. Options:
    /// `callId`, `offline`, `waitMs`.
    pub fn check(&self, options: Option<&str>) -> Result<Vec<u8>> {
        self.check_open()?;
        let mut options = self.options(options)?;
        let offline = options.fields.flag("offline", false)?;
        let call = self.call(&options.scope);
        options.fields.finish()?;
        let facts = self.runtime.gather_facts(!offline, &call).map_err(|error| self.closed_or(error))?;
        let points = facts.operations.as_ref().and_then(|found| found.as_ref().ok()).map(|found| found.points);
        Ok(api::checks(&check::checks(&facts), points))
    }

    /// Returns the metrics of this client and its journal: OpenMetrics text.
    pub fn read_metrics(&self) -> Result<Vec<u8>> {
        self.check_open()?;
        Ok(self.runtime.with_readings(|readings| {
            metrics::text(&self.stats, &Readings { dropped_lines: self.log.dropped_lines(), ..readings })
        }))
    }

    /// Sets or removes the log function. After the return the old one is not called again.
    pub fn set_log(&self, level: Level, sink: Option<Sink>) -> Result<()> {
        self.check_open()?;
        self.log.set(level, sink);
        Ok(())
    }

    /// Sets or removes the function that gets each change of an operation, as its operation object.
    /// After the return the old one is not called again.
    pub fn set_notify(&self, notify: Option<Notify>) -> Result<()> {
        self.check_open()?;
        self.runtime.set_notify(notify)
    }

    /// Makes a read on the caller's own thread. `prepare` takes the options and returns the
    /// request. The request is made after all options have been checked.
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
        self.check_open()?;
        let mut options = self.options(options)?;
        let began = Instant::now();
        let call = self.call(&options.scope);
        let request = prepare(call, &mut options.fields)?;
        options.fields.finish()?;
        self.stats.reads.add();
        let result = request(&self.engage).map_err(|error| self.closed_or(error));
        let code = result.as_ref().map_or_else(Error::code, |_| Code::Ok);
        let ms = began.elapsed().as_millis().try_into().unwrap_or(u64::MAX);
        let mut fields = vec![("code", Field::Code(code)), ("ms", Field::Number(ms))];
        fields.extend(contact.map(|contact| ("contactId", Field::Contact(contact))));
        self.log.write(if code == Code::Ok { Level::Debug } else { Level::Warn }, event, &fields);
        result
    }

    /// Returns the error of a call that was cancelled, where the client was closed.
    fn closed_or(&self, error: Error) -> Error {
        match error.code() {
            Code::Cancelled if self.cancellation.is_closed() => Error::of(Code::Closed),
            _ => error,
        }
    }

    /// Returns the call of a request that is made while the caller waits.
    fn call(&self, scope: &Scope<'_>) -> Arc<Call> {
        let limit = scope.wait.min(self.config.request_timeout);
        Arc::new(Call::new(Instant::now() + limit, scope.cancellation()))
    }

    /// Whether every call returns what it was given, for the tests of a binding.
    pub(crate) fn echoes(&self) -> bool {
        self.config.echoes
    }

    /// Returns the language of the texts for the cashier and the member.
    pub(crate) fn language(&self) -> Language {
        self.config.language
    }

    fn check_open(&self) -> Result<()> {
        if self.cancellation.is_closed() { Err(Error::of(Code::Closed)) } else { Ok(()) }
    }

    fn options(&self, options: Option<&str>) -> Result<Options<'_>> {
        let mut fields = match options {
            None => Fields::empty(Code::BadOptions, OPTIONS),
            Some(text) => Fields::parse(text, Code::BadOptions, OPTIONS)?,
        };
        let default = self.config.wait.as_millis().try_into().unwrap_or(u64::MAX);
        let wait = Duration::from_millis(fields.integer("waitMs", default, 0..=600_000)?);
        let name = fields.string("callId")?;
        if name.as_ref().is_some_and(|name| name.len() > CALL_ID_BYTES) {
            return Err(fields.error("callId", "must have at most 64 bytes"));
        }
        let client = &self.cancellation;
        let named = name.map(|name| self.named_calls.begin(name, client));
        Ok(Options { fields, scope: Scope { wait, named, client } })
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.close();
    }
}

fn level_of(level: LogLevel) -> Level {
    match level {
        LogLevel::Error => Level::Error,
        LogLevel::Warn => Level::Warn,
        LogLevel::Info => Level::Info,
        LogLevel::Debug => Level::Debug,
    }
}

/// Reads the channel; the default is the till's.
fn channel(fields: &mut Fields) -> Result<Channel> {
    let Some(word) = fields.string("channel")? else { return Ok(Channel::Pos) };
    Channel::from_name(&word).ok_or_else(|| fields.error("channel", "must be \"POS\", \"ECOM\" or \"OTHER\""))
}

/// Reads until when a purchase or a redeem waits.
fn until(fields: &mut Fields) -> Result<Until> {
    Ok(if fields.flag("submit", false)? { Until::Durable } else { Until::Resolved })
}

/// Reads the POS's own name for a sale.
fn reference(fields: &mut Fields) -> Result<Option<String>> {
    let reference = fields.string("reference")?;
    if reference.as_ref().is_some_and(|text| text.len() > REFERENCE_BYTES || text.chars().any(char::is_control)) {
        return Err(fields.error("reference", "must have at most 200 bytes and no control characters"));
    }
    Ok(reference)
}

/// Reads a short text that the journal keeps.
fn text(fields: &mut Fields, key: &'static str) -> Result<Option<String>> {
    let text = fields.string(key)?;
    if text.as_ref().is_some_and(|text| text.len() > REFERENCE_BYTES || text.chars().any(char::is_control)) {
        return Err(fields.error(key, "must have at most 200 bytes and no control characters"));
    }
    Ok(text)
}

/// Reads the options of a call that does not wait.
fn fields(options: Option<&str>) -> Result<Fields> {
    options.map_or_else(
        || Ok(Fields::empty(Code::BadOptions, OPTIONS)),
        |text| Fields::parse(text, Code::BadOptions, OPTIONS),
    )
}

/// Reads what `eps_list_operations` lists.
fn filter(fields: &mut Fields) -> Result<Filter> {
    let time = |fields: &mut Fields, key| -> Result<Option<u64>> {
        let given = fields.integer(key, u64::MAX, 0..=u64::MAX)?;
        Ok(Some(given).filter(|time| *time != u64::MAX))
    };
    let (since, until) = (time(fields, "since")?, time(fields, "until")?);
    let outcome = match fields.string("outcome")?.as_deref() {
        None => None,
        Some(name) => Some(
            [Outcome::Completed, Outcome::Declined, Outcome::Pending, Outcome::NotSent]
                .into_iter()
                .find(|outcome| outcome.name() == name)
                .ok_or_else(|| fields.error("outcome", "must be completed, declined, pending or notSent"))?,
        ),
    };
    let acknowledged = fields.optional_flag("acknowledged")?;
    let reference = reference(fields)?;
    let limit = fields.integer("limit", 100, 1..=1000)?;
    let after = match fields.string("after")? {
        None => None,
        Some(cursor) => {
            Some(read_cursor(&cursor).ok_or_else(|| fields.error("after", "is not the \"next\" of an earlier list"))?)
        }
    };
    let limit = usize::try_from(limit).unwrap_or(1000);
    Ok(Filter { since, until, outcome, acknowledged, reference, limit, after })
}

fn read_cursor(cursor: &str) -> Option<Place> {
    let (row, id) = cursor.split_once('.')?;
    Some((row.parse().ok()?, OperationId::parse(id, "after").ok()?))
}
