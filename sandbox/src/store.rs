//! One store of a running sandbox: a key, and behind one lock its ledger, faults, log, clock, rate and dialect.
//! A request takes the lock once when it comes in and once when it is served, never across an await.

use std::collections::VecDeque;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Deserializer, Serialize};
use tokio::sync::watch;
use uuid::Uuid;

use crate::api_mapping::ApiMapping;
use crate::clock::{Clock, Time};
use crate::fault::{ActiveChaos, ArmedFault, Chaos, Effect, Fault, Faults, ServePlan};
use crate::judge::Verdict;
use crate::ledger::{
    Assignment, BalanceChange, Channel, Contents, Invalid, Item, Ledger, LedgerEntry, Member, Purchase,
    PurchaseDecline, PurchaseResult, RedeemDecline,
};
use crate::log::{RequestEntry, RequestLog, ResponseRecord};
use crate::script::Script;
use crate::seed::Seed;
use crate::state_file::{Event, StateFile, StoredState, Write};
use crate::webhook::{self, Webhook};

/// A store that a sandbox serves: the Engage of one key. Every method blocks, but never for a request in progress.
#[derive(Debug)]
pub struct Store {
    key: String,
    seed: Seed,
    requests_per_second: Option<u32>,
    state: Mutex<State>,
    logged: Condvar,
    /// How often the faults were cleared: what stalls, stalls until this changes.
    clearings: watch::Sender<u64>,
}

/// Everything behind the lock.
#[derive(Debug)]
pub(crate) struct State {
    pub ledger: Ledger,
    pub faults: Faults,
    pub log: RequestLog,
    pub clock: Clock,
    pub rate: RateLimit,
    pub redeem_gives_up_after_ms: u32,
    pub api_mapping: Arc<ApiMapping>,
    webhook: Option<Arc<webhook::Set>>,
    /// What the judge said last, and when; or why it could not read what it was given.
    pub verdict: Option<(Time, Result<Verdict, String>)>,
    file: Option<StoreFile>,
}

/// Where a store's changes are stored, and under which name.
#[derive(Clone, Debug)]
pub(crate) struct StoreFile {
    pub key: String,
    pub state_file: Arc<StateFile>,
}

/// What of a store is no member, item, purchase or reward and yet outlasts the process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// Above which rate to answer 429; `None`: never.
    pub requests_per_second: Option<u32>,
    /// When Engage gives up a redeem that has not passed its point of no return.
    pub redeem_gives_up_after_ms: u32,
    /// How the store spells what is assumed.
    pub api_mapping: ApiMapping,
}

impl Settings {
    fn start(requests_per_second: Option<u32>) -> Settings {
        Settings { requests_per_second, redeem_gives_up_after_ms: 4_500, api_mapping: ApiMapping::default() }
    }
}

/// A change of the limits; what is not named stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LimitsChange {
    /// Above which rate to answer 429; `Some(None)`: never.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub requests_per_second: Option<Option<u32>>,
    /// When Engage gives up a redeem that has not passed its point of no return.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redeem_gives_up_after_ms: Option<u32>,
}

#[expect(clippy::option_option, reason = "`null` says something, a missing field does not")]
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<u32>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl LimitsChange {
    /// Makes the change.
    pub(crate) fn change(self, settings: &mut Settings) {
        settings.requests_per_second = self.requests_per_second.unwrap_or(settings.requests_per_second);
        settings.redeem_gives_up_after_ms = self.redeem_gives_up_after_ms.unwrap_or(settings.redeem_gives_up_after_ms);
    }
}

/// A store at a moment: restored, it is what it was then. Faults and the request log are not part of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Snapshot {
    /// Members, items, purchases, rewards and the ledger.
    pub store: Contents,
    /// The clock.
    pub clock: Clock,
    /// The rest.
    pub settings: Settings,
}

impl State {
    fn of(snapshot: Snapshot) -> Result<State, Invalid> {
        let of = |part: &str, invalid: Invalid| Invalid { field: format!("{part}.{}", invalid.field), ..invalid };
        let Snapshot { store, clock, settings } = snapshot;
        settings.api_mapping.check().map_err(|invalid| of("settings.apiMapping", invalid))?;
        Ok(State {
            ledger: Ledger::of(store).map_err(|invalid| of("store", invalid))?,
            faults: Faults::default(),
            log: RequestLog::default(),
            clock,
            rate: RateLimit::new(settings.requests_per_second),
            redeem_gives_up_after_ms: settings.redeem_gives_up_after_ms,
            api_mapping: Arc::new(settings.api_mapping),
            webhook: None,
            verdict: None,
            file: None,
        })
    }

    pub fn settings(&self) -> Settings {
        Settings {
            requests_per_second: self.rate.limit(),
            redeem_gives_up_after_ms: self.redeem_gives_up_after_ms,
            api_mapping: (*self.api_mapping).clone(),
        }
    }

    fn set(&mut self, settings: Settings) {
        if settings.requests_per_second != self.rate.limit() {
            self.rate = RateLimit::new(settings.requests_per_second);
        }
        self.redeem_gives_up_after_ms = settings.redeem_gives_up_after_ms;
        self.api_mapping = Arc::new(settings.api_mapping);
    }

    /// Does again what was done.
    fn replay(&mut self, event: Event) -> Result<(), Invalid> {
        match event {
            Event::Purchase { at, contact_id, purchase_id, item_id } => {
                let _ = self.ledger.purchase(at, contact_id, purchase_id, item_id);
            }
            Event::Redeem { at, assignment_id, channel } => {
                let _ = self.ledger.redeem(at, assignment_id, channel);
            }
            Event::RedeemElsewhere { at, assignment_id } => {
                self.ledger.redeem_elsewhere(at, assignment_id);
            }
            Event::Member(member) => self.ledger.add_member(member)?,
            Event::Item(item) => self.ledger.add_item(item)?,
            Event::Clock { at, clock } => {
                self.ledger.process_due(at);
                self.clock = clock;
            }
            Event::Settings(settings) => self.set(settings),
        }
        Ok(())
    }

    /// Buys an item, or finds the purchase this id was used for before.
    pub fn purchase(
        &mut self,
        contact_id: Uuid,
        purchase_id: Uuid,
        item_id: Uuid,
    ) -> Result<PurchaseResult<'_>, PurchaseDecline> {
        let at = self.now();
        let bought = self.ledger.purchase(at, contact_id, purchase_id, item_id)?;
        if !matches!(bought, PurchaseResult::Existing(_)) {
            persist(self.file.as_ref(), || Event::Purchase { at, contact_id, purchase_id, item_id });
        }
        Ok(bought)
    }

    /// Uses a reward.
    pub fn redeem(&mut self, assignment_id: Uuid, channel: Channel) -> Result<&Assignment, RedeemDecline> {
        let at = self.now();
        let redeemed = self.ledger.redeem(at, assignment_id, channel)?;
        persist(self.file.as_ref(), || Event::Redeem { at, assignment_id, channel });
        Ok(redeemed)
    }

    /// Somebody else uses a reward, if it can still be used.
    pub fn redeem_elsewhere(&mut self, assignment_id: Uuid) {
        let at = self.now();
        if self.ledger.redeem_elsewhere(at, assignment_id) {
            persist(self.file.as_ref(), || Event::RedeemElsewhere { at, assignment_id });
        }
    }

    pub fn now(&self) -> Time {
        self.clock.now()
    }
}

/// Keeps a change, if there is a file to keep it in. Called under the lock, so that the file has the changes in their order.
fn persist(file: Option<&StoreFile>, event: impl FnOnce() -> Event) {
    if let Some(StoreFile { key, state_file }) = file {
        state_file.write(Write::Event { key: key.clone(), event: event() });
    }
}

/// Keeps all that the store is now, in place of what was stored of it.
fn persist_all(file: Option<&StoreFile>, seed: &Seed, snapshot: Snapshot) {
    if let Some(StoreFile { key, state_file }) = file {
        state_file.write(Write::Store { key: key.clone(), seed: seed.clone(), snapshot });
    }
}

/// A request that has come in: its number in the log and the fault that strikes it.
pub(crate) struct Arrival {
    pub seq: u64,
    pub effect: Option<Effect>,
    pub plan: ServePlan,
    /// How often the faults had been cleared by then.
    pub clearings: u64,
}

impl Store {
    /// A new store.
    pub(crate) fn new(
        key: String,
        seed: Seed,
        requests_per_second: Option<u32>,
        state_file: Option<&Arc<StateFile>>,
    ) -> Result<Store, Invalid> {
        let settings = Settings::start(requests_per_second);
        let start = Snapshot { store: seed.ledger()?.contents(), clock: Clock::default(), settings };
        let mut state = State::of(start.clone())?;
        state.file = state_file.map(|state_file| StoreFile { key: key.clone(), state_file: Arc::clone(state_file) });
        persist_all(state.file.as_ref(), &seed, start);
        Ok(Store::with(key, seed, requests_per_second, state))
    }

    /// A store as it is in the file. `seed`, if there is one, is what a reset will bring back.
    pub(crate) fn resume(
        stored: StoredState,
        seed: Option<Seed>,
        requests_per_second: Option<u32>,
        state_file: &Arc<StateFile>,
    ) -> Result<Store, Invalid> {
        let StoredState { key, seed: old_seed, snapshot, events } = stored;
        let mut state = State::of(snapshot)?;
        for event in events {
            state.replay(event)?;
        }
        state.file = Some(StoreFile { key: key.clone(), state_file: Arc::clone(state_file) });
        Ok(Store::with(key, seed.unwrap_or(old_seed), requests_per_second, state))
    }

    fn with(key: String, seed: Seed, requests_per_second: Option<u32>, state: State) -> Store {
        let (logged, clearings) = (Condvar::new(), watch::Sender::new(0));
        Store { key, seed, requests_per_second, state: Mutex::new(state), logged, clearings }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a request has come in, and finds the fault that strikes it: one that was armed before one that stands.
    pub(crate) fn record_request(&self, mut entry: RequestEntry) -> Arrival {
        let state = &mut *self.state();
        let (operation, contact, item) = (entry.operation, entry.contact_id, entry.item_id);
        let effect = state.faults.next(operation, contact, item);
        let effect = effect.or_else(|| state.ledger.permanent_fault(operation?, contact, item).cloned());
        entry.time = state.now();
        entry.fault = effect.as_ref().map(Effect::name);
        let gives_up_after = Duration::from_millis(state.redeem_gives_up_after_ms.into());
        let plan = effect.as_ref().map(|effect| effect.plan(operation, gives_up_after)).unwrap_or_default();
        let seq = state.log.push(entry);
        let clearings = *self.clearings.borrow();
        self.logged.notify_all();
        Arrival { seq, effect, plan, clearings }
    }

    /// Notes what a request is record.
    pub(crate) fn record_response(&self, seq: u64, record: ResponseRecord) {
        self.state().log.record_response(seq, record);
        self.logged.notify_all();
    }

    /// Returns once the faults have been cleared more often than `clearings` times.
    pub(crate) async fn cleared_since(&self, clearings: u64) {
        let _ = self.clearings.subscribe().wait_for(|now| *now > clearings).await;
    }

    fn disarm(&self, state: &mut State) {
        state.faults.clear();
        self.clearings.send_modify(|clearings| *clearings += 1);
    }

    /// The key to send.
    pub fn api_key(&self) -> &str {
        &self.key
    }

    /// What happened to anybody's points and rewards.
    pub fn ledger(&self) -> Vec<LedgerEntry> {
        let state = &mut *self.state();
        let now = state.clock.now();
        state.ledger.entries(now).to_vec()
    }

    /// What a member can spend now; `None`: no such member.
    pub fn balance(&self, contact: Uuid) -> Option<u32> {
        let state = &mut *self.state();
        let now = state.clock.now();
        state.ledger.account(now, contact).map(|account| account.balance)
    }

    /// What a member has bought, the newest first.
    pub fn purchases(&self, contact: Uuid) -> Vec<Purchase> {
        let state = &mut *self.state();
        let now = state.clock.now();
        state.ledger.purchases_of(now, contact).into_iter().flatten().cloned().collect()
    }

    /// The rewards that a member was given, the oldest first.
    pub fn assignments(&self, contact: Uuid) -> Vec<Assignment> {
        let state = &mut *self.state();
        let now = state.clock.now();
        state.ledger.assignments(now).iter().filter(|assignment| assignment.contact_id == contact).cloned().collect()
    }

    /// The last requests, the oldest first; those to `/_sandbox/` are not among them.
    pub fn requests(&self) -> Vec<RequestEntry> {
        self.state().log.entries().iter().cloned().collect()
    }

    /// Waits until the log holds a request that satisfies `wanted`, and returns the first. `None`: not in time.
    /// `wanted` must not call the sandbox.
    pub fn wait_for(&self, timeout: Duration, wanted: impl Fn(&RequestEntry) -> bool) -> Option<RequestEntry> {
        let deadline = Instant::now() + timeout;
        let mut state = self.state();
        loop {
            if let Some(entry) = state.log.entries().iter().find(|entry| wanted(entry)) {
                return Some(entry.clone());
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            state = self.logged.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Arms a fault and returns its number.
    ///
    /// # Panics
    ///
    /// When the fault could never work, such as an answer with status 99.
    pub fn arm(&self, fault: Fault) -> u64 {
        let armed = self.state().faults.arm(fault);
        armed.unwrap_or_else(|invalid| panic!("not a fault: {invalid}"))
    }

    /// The faults that have not yet struck for the last time.
    pub fn faults(&self) -> Vec<ArmedFault> {
        self.state().faults.armed().to_vec()
    }

    /// Lets chaos reign, from its first decision on, or ends it.
    pub fn set_chaos(&self, chaos: Option<Chaos>) -> Result<(), Invalid> {
        self.state().faults.set_chaos(chaos)
    }

    /// The chaos that reigns and how far it has come.
    pub fn chaos(&self) -> Option<ActiveChaos> {
        self.state().faults.chaos().cloned()
    }

    /// Applies a script, but for what it says of TLS. The faults and the chaos of before are gone.
    pub(crate) fn apply(&self, script: Script) -> Result<(), Invalid> {
        let Script { faults, tls: _, chaos, clock, limits, api_mapping } = script;
        for fault in &faults {
            fault.check()?;
        }
        self.set(|settings| {
            if let Some(limits) = limits {
                limits.change(settings);
            }
            if let Some(api_mapping) = api_mapping {
                settings.api_mapping = api_mapping;
            }
        })?;
        if let Some(change) = clock {
            self.set_clock(change.of(self.clock()));
        }
        let mut state = self.state();
        self.disarm(&mut state);
        for fault in faults {
            state.faults.arm(fault)?;
        }
        state.faults.set_chaos(chaos)
    }

    /// Disarms every fault, ends chaos, and closes every connection that a fault has stalled.
    pub fn clear_faults(&self) {
        self.disarm(&mut self.state());
    }

    /// Back to the start: the seed, no faults, an empty log, the computer's clock, the first rate limit, the usual dialect.
    pub fn reset(&self) {
        let settings = Settings::start(self.requests_per_second);
        // The seed made a store once, so it makes one again.
        let Ok(ledger) = self.seed.ledger() else { return };
        let _ = self.restore(Snapshot { store: ledger.contents(), clock: Clock::default(), settings });
    }

    /// All that the store is now; see [`Snapshot`].
    pub fn snapshot(&self) -> Snapshot {
        let mut state = self.state();
        let now = state.now();
        state.ledger.process_due(now);
        Snapshot { store: state.ledger.contents(), clock: state.clock, settings: state.settings() }
    }

    /// Makes the store what it was, with no faults and an empty log, unless the snapshot contradicts itself.
    pub fn restore(&self, snapshot: Snapshot) -> Result<(), Invalid> {
        let restored = State::of(snapshot.clone())?;
        let mut state = self.state();
        let (mut log, file) = (std::mem::take(&mut state.log), state.file.take());
        log.clear();
        persist_all(file.as_ref(), &self.seed, snapshot);
        *state = State { log, file, ..restored };
        self.disarm(&mut state);
        Ok(())
    }

    /// Tells balance changes from now on to this webhook, or to none.
    pub(crate) fn set_webhook(&self, webhook: Option<Webhook>) -> Result<Option<Arc<webhook::Set>>, Invalid> {
        if let Some(webhook) = &webhook {
            webhook.check()?;
        }
        let set = webhook
            .map(|webhook| Arc::new(webhook::Set { webhook, delivered: AtomicU64::new(0), failed: AtomicU64::new(0) }));
        let mut state = self.state();
        state.ledger.note_balance_changes(set.is_some());
        state.webhook.clone_from(&set);
        Ok(set)
    }

    /// The webhook that is set.
    pub(crate) fn webhook(&self) -> Option<Arc<webhook::Set>> {
        self.state().webhook.clone()
    }

    /// The balance changes since the last time; `None`: this webhook is no longer the one that is set.
    pub(crate) fn balance_changes(&self, set: &Arc<webhook::Set>) -> Option<Vec<BalanceChange>> {
        let mut state = self.state();
        state.webhook.as_ref().filter(|current| Arc::ptr_eq(current, set))?;
        let now = state.now();
        Some(state.ledger.take_balance_changes(now))
    }

    /// Notes what the judge said, for the page.
    pub(crate) fn note_verdict(&self, verdict: Result<Verdict, String>) {
        let state = &mut *self.state();
        state.verdict = Some((state.now(), verdict));
    }

    /// The clock.
    pub fn clock(&self) -> Clock {
        self.state().clock
    }

    /// Replaces the clock.
    pub fn set_clock(&self, clock: Clock) {
        let state = &mut *self.state();
        // What was over by the old clock stays over.
        let at = state.clock.now();
        state.ledger.process_due(at);
        state.clock = clock;
        persist(state.file.as_ref(), || Event::Clock { at, clock });
    }

    /// Moves the clock away from the computer's.
    pub fn set_clock_offset(&self, offset_ms: i64) {
        self.set_clock(Clock::Runs { offset_ms });
    }

    /// The rate, when a redeem is given up, and how the store spells what is assumed.
    pub fn settings(&self) -> Settings {
        self.state().settings()
    }

    /// Changes the settings.
    pub fn set(&self, change: impl FnOnce(&mut Settings)) -> Result<(), Invalid> {
        let mut state = self.state();
        let mut settings = state.settings();
        change(&mut settings);
        settings.api_mapping.check()?;
        state.set(settings.clone());
        persist(state.file.as_ref(), || Event::Settings(settings));
        Ok(())
    }

    /// Above which rate to answer 429; `None`: never.
    pub fn set_requests_per_second(&self, limit: Option<u32>) {
        // The dialect is what it was.
        let _ = self.set(|settings| settings.requests_per_second = limit);
    }

    /// Changes how the store spells what is assumed.
    pub fn set_api_mapping(&self, api_mapping: ApiMapping) -> Result<(), Invalid> {
        self.set(|settings| settings.api_mapping = api_mapping)
    }

    /// Adds a member, unless the id is taken.
    pub fn add_member(&self, member: Member) -> Result<(), Invalid> {
        let mut state = self.state();
        state.ledger.add_member(member.clone())?;
        persist(state.file.as_ref(), || Event::Member(member));
        Ok(())
    }

    /// Adds an item, unless the id is taken or the item contradicts itself.
    pub fn add_item(&self, item: Item) -> Result<(), Invalid> {
        let mut state = self.state();
        state.ledger.add_item(item.clone())?;
        persist(state.file.as_ref(), || Event::Item(item));
        Ok(())
    }
}

/// At most so many requests in any second, or any number.
#[derive(Debug)]
pub(crate) struct RateLimit {
    limit: Option<u32>,
    accepted: VecDeque<Instant>,
}

impl RateLimit {
    pub fn new(limit: Option<u32>) -> RateLimit {
        RateLimit { limit, accepted: VecDeque::new() }
    }

    pub fn limit(&self) -> Option<u32> {
        self.limit
    }

    /// Whether a request may pass. What is turned away does not count.
    pub fn accepts(&mut self, now: Instant) -> bool {
        let Some(limit) = self.limit else { return true };
        while self.accepted.front().is_some_and(|&then| now.duration_since(then) >= Duration::from_secs(1)) {
            self.accepted.pop_front();
        }
        let accepted = u32::try_from(self.accepted.len()).is_ok_and(|count| count < limit);
        if accepted {
            self.accepted.push_back(now);
        }
        accepted
    }
}
