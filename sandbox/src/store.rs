//! A store of a sandbox: a key and, behind one lock, its ledger, faults, log, clock, rate limit and
//! API mapping.
//! A request takes the lock when it arrives and when it is served, never across an await.

use std::collections::VecDeque;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Deserializer, Serialize};
use tokio::sync::watch;
use uuid::Uuid;

use crate::api_mapping::ApiMapping;
use crate::clock::{Clock, Time};
use crate::effects::name_of;
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
use crate::world::{MemberDeparture, World};

/// A store that a sandbox serves: the Engage of one key. Its methods block, but never for a request
/// in progress.
#[derive(Debug)]
pub struct Store {
    key: String,
    seed: Seed,
    requests_per_second: Option<u32>,
    state: Mutex<State>,
    /// The state before the last reset.
    before_reset: Mutex<Option<Box<BeforeReset>>>,
    logged: Condvar,
    /// The number of times the faults were cleared. A stalled connection waits for a change of this
    /// number.
    clearings: watch::Sender<u64>,
}

/// The state of a store before a reset, to undo the reset.
#[derive(Debug)]
struct BeforeReset {
    snapshot: Snapshot,
    faults: Faults,
    log: VecDeque<RequestEntry>,
    /// The webhook delivers nothing until the reset is undone.
    webhook: Option<Arc<webhook::Set>>,
    verdict: Option<(Time, Result<Verdict, String>)>,
}

/// The state behind the lock.
#[derive(Debug)]
pub(crate) struct State {
    pub ledger: Ledger,
    pub faults: Faults,
    pub log: RequestLog,
    pub clock: Clock,
    pub rate: RateLimit,
    pub redeem_gives_up_after_ms: u32,
    pub api_mapping: Arc<ApiMapping>,
    pub world: World,
    webhook: Option<Arc<webhook::Set>>,
    /// The judge's last verdict and its time, or the reason why its input was invalid.
    pub verdict: Option<(Time, Result<Verdict, String>)>,
    file: Option<StoreFile>,
}

/// The state file that persists a store's changes, and the store's key in it.
#[derive(Clone, Debug)]
pub(crate) struct StoreFile {
    pub key: String,
    pub state_file: Arc<StateFile>,
}

/// The settings of a store that are persisted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// The rate above which the status is 429. `None`: no limit.
    pub requests_per_second: Option<u32>,
    /// The time after which Engage stops a redeem that has not passed its point of no return.
    pub redeem_gives_up_after_ms: u32,
    /// The API mapping.
    pub api_mapping: ApiMapping,
    /// The undocumented behaviour.
    #[serde(default)]
    pub world: World,
}

impl Settings {
    fn start(requests_per_second: Option<u32>) -> Settings {
        Settings {
            requests_per_second,
            redeem_gives_up_after_ms: 4_500,
            api_mapping: ApiMapping::default(),
            world: World::default(),
        }
    }
}

/// A change of the limits. A limit that is not named stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LimitsChange {
    /// The rate above which the status is 429. `Some(None)`: no limit.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub requests_per_second: Option<Option<u32>>,
    /// The time after which Engage stops a redeem that has not passed its point of no return.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redeem_gives_up_after_ms: Option<u32>,
}

#[expect(clippy::option_option, reason = "`null` removes the limit, a missing field keeps it")]
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<u32>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl LimitsChange {
    /// Applies the change.
    pub(crate) fn change(self, settings: &mut Settings) {
        settings.requests_per_second = self.requests_per_second.unwrap_or(settings.requests_per_second);
        settings.redeem_gives_up_after_ms = self.redeem_gives_up_after_ms.unwrap_or(settings.redeem_gives_up_after_ms);
    }
}

/// The state of a store at one time, to be restored later. Faults and the request log are not part
/// of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Snapshot {
    /// Members, items, purchases, rewards and the ledger.
    pub store: Contents,
    /// The clock.
    pub clock: Clock,
    /// The settings.
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
            world: settings.world,
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
            world: self.world,
        }
    }

    fn set(&mut self, settings: Settings) {
        if settings.requests_per_second != self.rate.limit() {
            self.rate = RateLimit::new(settings.requests_per_second);
        }
        self.redeem_gives_up_after_ms = settings.redeem_gives_up_after_ms;
        self.api_mapping = Arc::new(settings.api_mapping);
        self.world = settings.world;
    }

    /// Applies an event of the state file.
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
            Event::Departure { at, departure } => self.ledger.depart(at, departure)?,
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

    /// Buys an item, or returns the existing purchase with this id.
    pub fn purchase(
        &mut self,
        contact_id: Uuid,
        purchase_id: Uuid,
        item_id: Uuid,
    ) -> Result<PurchaseResult<'_>, PurchaseDecline> {
        let at = self.now();
        if self.world.id_checked_last {
            self.ledger.check_purchase(at, contact_id, item_id)?;
        }
        let result = self.ledger.purchase(at, contact_id, purchase_id, item_id)?;
        if self.world.id_bound_to_item
            && matches!(result, PurchaseResult::Existing(existing) if existing.item_id != item_id)
        {
            return Err(PurchaseDecline::PurchaseIdOfAnotherItem);
        }
        if !matches!(result, PurchaseResult::Existing(_)) {
            persist(self.file.as_ref(), || Event::Purchase { at, contact_id, purchase_id, item_id });
        }
        Ok(result)
    }

    /// Redeems a reward.
    pub fn redeem(&mut self, assignment_id: Uuid, channel: Channel) -> Result<&Assignment, RedeemDecline> {
        let at = self.now();
        let redeemed = self.ledger.redeem(at, assignment_id, channel)?;
        persist(self.file.as_ref(), || Event::Redeem { at, assignment_id, channel });
        Ok(redeemed)
    }

    /// Redeems a reward as another party, if it is not redeemed yet.
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

/// Persists an event, if there is a state file. The caller holds the lock, so that the events are
/// in order.
fn persist(file: Option<&StoreFile>, event: impl FnOnce() -> Event) {
    if let Some(StoreFile { key, state_file }) = file {
        state_file.write(Write::Event { key: key.clone(), event: event() });
    }
}

/// Persists a snapshot in place of the store's earlier snapshot and events.
fn persist_all(file: Option<&StoreFile>, seed: &Seed, snapshot: Snapshot) {
    if let Some(StoreFile { key, state_file }) = file {
        state_file.write(Write::Store { key: key.clone(), seed: seed.clone(), snapshot });
    }
}

/// A request that has arrived: its number in the log and the fault that applies.
pub(crate) struct Arrival {
    pub seq: u64,
    pub effect: Option<Effect>,
    pub plan: ServePlan,
    /// The number of times the faults had been cleared before.
    pub clearings: u64,
}

impl Store {
    /// Returns a new store.
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

    /// Returns a store of the state file. `seed`, if given, is used by the next reset.
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
        let before_reset = Mutex::default();
        Store { key, seed, requests_per_second, state: Mutex::new(state), before_reset, logged, clearings }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a request, and returns the fault that applies. An armed fault comes before a
    /// permanent one.
    pub(crate) fn record_request(&self, mut entry: RequestEntry) -> Arrival {
        let state = &mut *self.state();
        let (operation, contact, item) = (entry.operation, entry.contact_id, entry.item_id);
        let effect = state.faults.next(operation, contact, item);
        let effect = effect.or_else(|| state.ledger.permanent_fault(operation?, contact, item).cloned());
        entry.time = state.now();
        entry.fault = effect.as_ref().map(name_of);
        let gives_up_after = Duration::from_millis(state.redeem_gives_up_after_ms.into());
        let plan = effect.as_ref().map(|effect| effect.plan(operation, gives_up_after)).unwrap_or_default();
        let seq = state.log.push(entry);
        let clearings = *self.clearings.borrow();
        self.logged.notify_all();
        Arrival { seq, effect, plan, clearings }
    }

    /// Records the response to a request.
    pub(crate) fn record_response(&self, seq: u64, record: ResponseRecord) {
        self.state().log.record_response(seq, record);
        self.logged.notify_all();
    }

    /// Waits until the faults have been cleared more often than `clearings` times.
    pub(crate) async fn cleared_since(&self, clearings: u64) {
        let _ = self.clearings.subscribe().wait_for(|now| *now > clearings).await;
    }

    fn disarm(&self, state: &mut State) {
        state.faults.clear();
        self.clearings.send_modify(|clearings| *clearings += 1);
    }

    /// Returns the store's key.
    pub fn api_key(&self) -> &str {
        &self.key
    }

    /// Returns the entries of the ledger.
    pub fn ledger(&self) -> Vec<LedgerEntry> {
        let state = &mut *self.state();
        let now = state.clock.now();
        state.ledger.entries(now).to_vec()
    }

    /// Returns the points that a member can spend now. `None`: no such member.
    pub fn balance(&self, contact: Uuid) -> Option<u32> {
        let state = &mut *self.state();
        let now = state.clock.now();
        state.ledger.account(now, contact).map(|account| account.balance)
    }

    /// Returns the purchases of a member, the newest first.
    pub fn purchases(&self, contact: Uuid) -> Vec<Purchase> {
        let state = &mut *self.state();
        let now = state.clock.now();
        state.ledger.purchases_of(now, contact).into_iter().flatten().cloned().collect()
    }

    /// Returns the rewards of a member, the oldest first.
    pub fn assignments(&self, contact: Uuid) -> Vec<Assignment> {
        let state = &mut *self.state();
        let now = state.clock.now();
        state.ledger.assignments(now).iter().filter(|assignment| assignment.contact_id == contact).cloned().collect()
    }

    /// Returns the last requests, the oldest first, without those to `/_sandbox/`.
    pub fn requests(&self) -> Vec<RequestEntry> {
        self.state().log.entries().iter().cloned().collect()
    }

    /// Waits until the log holds a request that satisfies `wanted`, and returns the first such
    /// request. `None`: the timeout passed. `wanted` must not call the sandbox.
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
    /// If the fault is invalid, such as a response with status 99.
    pub fn arm(&self, fault: Fault) -> u64 {
        let armed = self.state().faults.arm(fault);
        armed.unwrap_or_else(|invalid| panic!("the fault is invalid: {invalid}"))
    }

    /// Returns the armed faults.
    pub fn faults(&self) -> Vec<ArmedFault> {
        self.state().faults.armed().to_vec()
    }

    /// Starts chaos from its first decision, or ends it.
    pub fn set_chaos(&self, chaos: Option<Chaos>) -> Result<(), Invalid> {
        self.state().faults.set_chaos(chaos)
    }

    /// Returns the active chaos.
    pub fn chaos(&self) -> Option<ActiveChaos> {
        self.state().faults.chaos().cloned()
    }

    /// Applies a script except its TLS faults. Earlier faults and chaos end.
    pub(crate) fn apply(&self, script: Script) -> Result<(), Invalid> {
        let Script { faults, tls: _, chaos, clock, limits, api_mapping, world } = script;
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
            settings.world = world.unwrap_or(settings.world);
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

    /// Restores the start: the seed, no faults, an empty log, the computer's clock, the first
    /// limits and the default API mapping. [`Store::undo_reset`] undoes it.
    pub fn reset(&self) {
        let settings = self.start_settings();
        // The seed was valid before, so that it is valid now.
        let Ok(ledger) = self.seed.ledger() else { return };
        let snapshot = self.snapshot();
        let before = {
            let state = &mut *self.state();
            let (faults, log) = (std::mem::take(&mut state.faults), state.log.take());
            BeforeReset { snapshot, faults, log, webhook: state.webhook.clone(), verdict: state.verdict.take() }
        };
        *self.before_reset() = Some(Box::new(before));
        let _ = self.restore(Snapshot { store: ledger.contents(), clock: Clock::default(), settings });
    }

    /// Restores the state before the last reset, with its faults, its log and its webhook. Returns
    /// whether there was one.
    pub fn undo_reset(&self) -> bool {
        // The lock is held to the end, so that the webhook is set here or there at every time.
        let mut before_reset = self.before_reset();
        let Some(before) = before_reset.take() else { return false };
        let BeforeReset { snapshot, faults, log, webhook, verdict } = *before;
        // The snapshot was taken from a valid state.
        let _ = self.restore(snapshot);
        let state = &mut *self.state();
        state.faults = faults;
        state.log.put_back(log);
        state.ledger.note_balance_changes(webhook.is_some());
        (state.webhook, state.verdict) = (webhook, verdict);
        true
    }

    /// Returns whether a reset can be undone.
    pub fn can_undo_reset(&self) -> bool {
        self.before_reset().is_some()
    }

    fn before_reset(&self) -> MutexGuard<'_, Option<Box<BeforeReset>>> {
        self.before_reset.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the present state; see [`Snapshot`].
    pub fn snapshot(&self) -> Snapshot {
        let mut state = self.state();
        let now = state.now();
        state.ledger.process_due(now);
        Snapshot { store: state.ledger.contents(), clock: state.clock, settings: state.settings() }
    }

    /// Restores a snapshot, with no faults and an empty log. Returns an error if the snapshot
    /// contradicts itself.
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

    /// Sets the webhook that receives balance changes from now on, or removes it.
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

    /// Removes the webhook, and that before the last reset.
    pub(crate) fn end_webhooks(&self) {
        *self.before_reset() = None;
        self.state().webhook = None;
    }

    /// Returns the webhook.
    pub(crate) fn webhook(&self) -> Option<Arc<webhook::Set>> {
        self.state().webhook.clone()
    }

    /// Returns the balance changes since the last call. `None`: the webhook is not set any more,
    /// and no undone reset can bring it back.
    pub(crate) fn balance_changes(&self, set: &Arc<webhook::Set>) -> Option<Vec<BalanceChange>> {
        let is_set = |webhook: &Option<Arc<webhook::Set>>| webhook.as_ref().is_some_and(|one| Arc::ptr_eq(one, set));
        let before_reset = self.before_reset();
        let mut state = self.state();
        if is_set(&state.webhook) {
            let now = state.now();
            return Some(state.ledger.take_balance_changes(now));
        }
        before_reset.as_ref().is_some_and(|before| is_set(&before.webhook)).then(Vec::new)
    }

    /// Records the judge's verdict for the dashboard.
    pub(crate) fn note_verdict(&self, verdict: Result<Verdict, String>) {
        let state = &mut *self.state();
        state.verdict = Some((state.now(), verdict));
    }

    /// Returns the clock.
    pub fn clock(&self) -> Clock {
        self.state().clock
    }

    /// Replaces the clock.
    pub fn set_clock(&self, clock: Clock) {
        let state = &mut *self.state();
        // A purchase whose time passed by the old clock ends before the change.
        let at = state.clock.now();
        state.ledger.process_due(at);
        state.clock = clock;
        persist(state.file.as_ref(), || Event::Clock { at, clock });
    }

    /// Sets the clock's offset from the computer's clock.
    pub fn set_clock_offset(&self, offset_ms: i64) {
        self.set_clock(Clock::Runs { offset_ms });
    }

    /// Returns the settings after a reset.
    pub(crate) fn start_settings(&self) -> Settings {
        Settings::start(self.requests_per_second)
    }

    /// Returns the settings.
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

    /// Sets the undocumented behaviour.
    pub fn set_world(&self, world: World) {
        // This cannot fail, because the API mapping does not change.
        let _ = self.set(|settings| settings.world = world);
    }

    /// Sets the rate above which the status is 429. `None`: no limit.
    pub fn set_requests_per_second(&self, limit: Option<u32>) {
        // This cannot fail, because the API mapping does not change.
        let _ = self.set(|settings| settings.requests_per_second = limit);
    }

    /// Replaces the API mapping.
    pub fn set_api_mapping(&self, api_mapping: ApiMapping) -> Result<(), Invalid> {
        self.set(|settings| settings.api_mapping = api_mapping)
    }

    /// Adds a member. Returns an error if the id is in use.
    pub fn add_member(&self, member: Member) -> Result<(), Invalid> {
        let mut state = self.state();
        state.ledger.add_member(member.clone())?;
        persist(state.file.as_ref(), || Event::Member(member));
        Ok(())
    }

    /// Lets a member leave. Returns an error if there is no such member.
    pub fn depart(&self, departure: MemberDeparture) -> Result<(), Invalid> {
        let state = &mut *self.state();
        let at = state.now();
        state.ledger.depart(at, departure)?;
        persist(state.file.as_ref(), || Event::Departure { at, departure });
        Ok(())
    }

    /// Adds an item. Returns an error if the id is in use or the item is invalid.
    pub fn add_item(&self, item: Item) -> Result<(), Invalid> {
        let mut state = self.state();
        state.ledger.add_item(item.clone())?;
        persist(state.file.as_ref(), || Event::Item(item));
        Ok(())
    }
}

/// Limits the requests of any one second.
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

    /// Returns whether a request may pass. A rejected request does not count.
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
