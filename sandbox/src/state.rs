//! What every connection of a running sandbox shares, behind one lock.
//! A request takes the lock once when it comes in and once when it is served, never across an await.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::clock::{Clock, Time};
use crate::fault::{Effect, Faults};
use crate::log::{Answered, RequestEntry, RequestLog};
use crate::seed::Seed;
use crate::store::{Invalid, Store};

/// Everything behind the lock.
#[derive(Debug)]
pub(crate) struct State {
    pub store: Store,
    pub faults: Faults,
    pub log: RequestLog,
    pub clock: Clock,
    pub rate: RateLimit,
}

impl State {
    pub fn now(&self) -> Time {
        self.clock.now()
    }
}

/// A running sandbox.
#[derive(Debug)]
pub(crate) struct App {
    /// The key that every request to Engage's routes must carry.
    pub key: String,
    seed: Seed,
    requests_per_second: Option<u32>,
    state: Mutex<State>,
    logged: Condvar,
    /// How often the faults were cleared: what stalls, stalls until this changes.
    clearings: watch::Sender<u64>,
}

/// A request that has come in: its number in the log and the fault that strikes it.
pub(crate) struct Arrival {
    pub seq: u64,
    pub effect: Option<Effect>,
    /// How often the faults had been cleared by then.
    pub clearings: u64,
}

impl App {
    pub fn new(key: String, seed: Seed, requests_per_second: Option<u32>) -> Result<App, Invalid> {
        let state = State {
            store: seed.store()?,
            faults: Faults::default(),
            log: RequestLog::default(),
            clock: Clock::default(),
            rate: RateLimit::new(requests_per_second),
        };
        Ok(App {
            key,
            seed,
            requests_per_second,
            state: Mutex::new(state),
            logged: Condvar::new(),
            clearings: watch::Sender::new(0),
        })
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a request has come in, and finds the fault that strikes it.
    pub fn arrive(&self, mut entry: RequestEntry) -> Arrival {
        let mut state = self.state();
        let effect = state.faults.next(entry.operation, entry.contact_id);
        entry.time = state.now();
        entry.fault = effect.as_ref().map(Effect::name);
        let seq = state.log.push(entry);
        let clearings = *self.clearings.borrow();
        drop(state);
        self.logged.notify_all();
        Arrival { seq, effect, clearings }
    }

    /// Notes what a request is answered.
    pub fn answered(&self, seq: u64, answered: Answered) {
        self.state().log.answered(seq, answered);
        self.logged.notify_all();
    }

    /// Waits for a request that satisfies `wanted`, past ones included.
    pub fn wait_for(&self, timeout: Duration, wanted: &dyn Fn(&RequestEntry) -> bool) -> Option<RequestEntry> {
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

    /// Disarms the faults and lets go of what they stall.
    pub fn clear_faults(&self) {
        self.disarm(&mut self.state());
    }

    fn disarm(&self, state: &mut State) {
        state.faults.clear();
        self.clearings.send_modify(|clearings| *clearings += 1);
    }

    /// Returns once the faults have been cleared more often than `clearings` times.
    pub async fn cleared_since(&self, clearings: u64) {
        let _ = self.clearings.subscribe().wait_for(|now| *now > clearings).await;
    }

    /// Back to the start: the seed, no faults, an empty log, the computer's clock, the first rate limit.
    pub fn reset(&self) {
        // The seed made a store once, so it makes one again.
        let store = self.seed.store().unwrap_or_default();
        let mut state = self.state();
        state.store = store;
        state.log.clear();
        state.clock = Clock::default();
        state.rate = RateLimit::new(self.requests_per_second);
        self.disarm(&mut state);
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
