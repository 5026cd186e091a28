//! One store of a running sandbox: a key, and behind one lock its ledger, faults, log, clock, rate and dialect.
//! A request takes the lock once when it comes in and once when it is served, never across an await.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use uuid::Uuid;

use crate::clock::{Clock, Time};
use crate::dialect::Dialect;
use crate::fault::{Armed, Effect, Fault, Faults};
use crate::log::{Answered, RequestEntry, RequestLog};
use crate::seed::Seed;
use crate::store::{Assignment, Invalid, Item, LedgerEntry, Member, Purchase, Store};

/// A store that a sandbox serves: the Engage of one key. Every method blocks, but never for a request in progress.
#[derive(Debug)]
pub struct Tenant {
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
    pub store: Store,
    pub faults: Faults,
    pub log: RequestLog,
    pub clock: Clock,
    pub rate: RateLimit,
    pub dialect: Arc<Dialect>,
}

impl State {
    fn new(seed: &Seed, requests_per_second: Option<u32>) -> Result<State, Invalid> {
        Ok(State {
            store: seed.store()?,
            faults: Faults::default(),
            log: RequestLog::default(),
            clock: Clock::default(),
            rate: RateLimit::new(requests_per_second),
            dialect: Arc::default(),
        })
    }

    pub fn now(&self) -> Time {
        self.clock.now()
    }
}

/// A request that has come in: its number in the log and the fault that strikes it.
pub(crate) struct Arrival {
    pub seq: u64,
    pub effect: Option<Effect>,
    /// How often the faults had been cleared by then.
    pub clearings: u64,
}

impl Tenant {
    pub(crate) fn new(key: String, seed: Seed, requests_per_second: Option<u32>) -> Result<Tenant, Invalid> {
        let state = Mutex::new(State::new(&seed, requests_per_second)?);
        let (logged, clearings) = (Condvar::new(), watch::Sender::new(0));
        Ok(Tenant { key, seed, requests_per_second, state, logged, clearings })
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a request has come in, and finds the fault that strikes it.
    pub(crate) fn arrive(&self, mut entry: RequestEntry) -> Arrival {
        let mut state = self.state();
        let effect = state.faults.next(entry.operation, entry.contact_id, entry.item_id);
        entry.time = state.now();
        entry.fault = effect.as_ref().map(Effect::name);
        let seq = state.log.push(entry);
        let clearings = *self.clearings.borrow();
        drop(state);
        self.logged.notify_all();
        Arrival { seq, effect, clearings }
    }

    /// Notes what a request is answered.
    pub(crate) fn answered(&self, seq: u64, answered: Answered) {
        self.state().log.answered(seq, answered);
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
        state.store.ledger(now).to_vec()
    }

    /// What a member can spend now; `None`: no such member.
    pub fn balance(&self, contact: Uuid) -> Option<u32> {
        let state = &mut *self.state();
        let now = state.clock.now();
        state.store.account(now, contact).map(|account| account.balance)
    }

    /// What a member has bought, the newest first.
    pub fn purchases(&self, contact: Uuid) -> Vec<Purchase> {
        let state = &mut *self.state();
        let now = state.clock.now();
        state.store.purchases_of(now, contact).into_iter().flatten().cloned().collect()
    }

    /// The rewards that a member was given, the oldest first.
    pub fn assignments(&self, contact: Uuid) -> Vec<Assignment> {
        let state = &mut *self.state();
        let now = state.clock.now();
        state.store.assignments(now).iter().filter(|assignment| assignment.contact_id == contact).cloned().collect()
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
    pub fn faults(&self) -> Vec<Armed> {
        self.state().faults.armed().to_vec()
    }

    /// Disarms every fault and closes every connection that one has stalled.
    pub fn clear_faults(&self) {
        self.disarm(&mut self.state());
    }

    /// Back to the start: the seed, no faults, an empty log, the computer's clock, the first rate limit, the usual dialect.
    pub fn reset(&self) {
        // The seed made a store once, so it makes one again.
        let Ok(fresh) = State::new(&self.seed, self.requests_per_second) else { return };
        let mut state = self.state();
        let mut log = std::mem::take(&mut state.log);
        log.clear();
        *state = State { log, ..fresh };
        self.disarm(&mut state);
    }

    /// The clock.
    pub fn clock(&self) -> Clock {
        self.state().clock
    }

    /// Replaces the clock.
    pub fn set_clock(&self, clock: Clock) {
        let state = &mut *self.state();
        // What was over by the old clock stays over.
        state.store.settle(state.clock.now());
        state.clock = clock;
    }

    /// Moves the clock away from the computer's.
    pub fn set_clock_offset(&self, offset_ms: i64) {
        self.set_clock(Clock::Runs { offset_ms });
    }

    /// Above which rate to answer 429; `None`: never.
    pub fn set_requests_per_second(&self, limit: Option<u32>) {
        self.state().rate = RateLimit::new(limit);
    }

    /// How the store spells what is assumed.
    pub fn dialect(&self) -> Arc<Dialect> {
        Arc::clone(&self.state().dialect)
    }

    /// Changes how the store spells what is assumed.
    pub fn set_dialect(&self, dialect: Dialect) -> Result<(), Invalid> {
        dialect.check()?;
        self.state().dialect = Arc::new(dialect);
        Ok(())
    }

    /// Adds a member, unless the id is taken.
    pub fn add_member(&self, member: Member) -> Result<(), Invalid> {
        self.state().store.add_member(member)
    }

    /// Adds an item, unless the id is taken or the item contradicts itself.
    pub fn add_item(&self, item: Item) -> Result<(), Invalid> {
        self.state().store.add_item(item)
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
