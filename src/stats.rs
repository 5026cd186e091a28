//! Counters of one client since it was opened, for the POS's own monitoring.

use crate::core::domain::{Millis, Operation};
use crate::core::intent::IntentState;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A counter that any thread may raise.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The time of the last event of a kind, by the till's clock. Zero: there was none.
#[derive(Debug, Default)]
struct LastTime(AtomicU64);

impl LastTime {
    fn set(&self, at: Millis) {
        self.0.store(at, Ordering::Relaxed);
    }

    fn get(&self) -> Option<Millis> {
        Some(self.0.load(Ordering::Relaxed)).filter(|at| *at > 0)
    }
}

/// The upper limits of a histogram's buckets, in ms.
pub(crate) const BOUNDS_MS: [u64; 12] = [1, 2, 5, 10, 25, 50, 100, 250, 1_000, 5_000, 15_000, 60_000];

/// How often something took how long.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    /// One a bound.
    buckets: [Counter; BOUNDS_MS.len()],
    count: Counter,
    sum_us: AtomicU64,
}

impl Histogram {
    pub fn observe(&self, took: Duration) {
        if let Some(at) = BOUNDS_MS.iter().position(|bound| took <= Duration::from_millis(*bound)) {
            self.buckets[at].add();
        }
        self.count.add();
        let us = took.as_micros().try_into().unwrap_or(u64::MAX);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    /// Returns how many took at most each bound, how many there were, and the sum in µs.
    pub fn read(&self) -> ([u64; BOUNDS_MS.len()], u64, u64) {
        let mut sum = 0;
        let cumulative = self.buckets.each_ref().map(|bucket| {
            sum += bucket.get();
            sum
        });
        // An observation that is under way may be in a bucket and not in the count yet.
        (cumulative, self.count.get().max(sum), self.sum_us.load(Ordering::Relaxed))
    }
}

/// The resources of Engage's API that requests go to.
pub(crate) const RESOURCES: [&str; 7] = ["contact", "points", "items", "purchase", "purchases", "rewards", "redeem"];

/// `api` and `metrics` say in which words they are reported.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    pub reads: Counter,
    pub purchases: Counter,
    pub redeems: Counter,
    pub status_queries: Counter,
    pub completed: Counter,
    pub declined: Counter,
    pub not_sent: Counter,
    /// Attempts with an id that was sent before.
    pub retries: Counter,
    pub rate_limited: Counter,
    /// Requests by resource.
    pub requests: [Histogram; RESOURCES.len()],
    last_response: LastTime,
    last_success: LastTime,
    last_rate_limited: LastTime,
}

impl Stats {
    /// Counts an attempt.
    pub fn sent(&self, operation: &Operation) {
        match operation {
            Operation::Purchase(_) => self.purchases.add(),
            Operation::Redeem(_) => self.redeems.add(),
        }
    }

    /// Counts an outcome that became known.
    pub fn resolved(&self, state: IntentState) {
        match state {
            IntentState::Completed => self.completed.add(),
            IntentState::Declined => self.declined.add(),
            IntentState::NotSent => self.not_sent.add(),
            IntentState::Recorded | IntentState::InDoubt => {}
        }
    }

    /// Counts a request to a resource.
    pub fn request(&self, resource: &str, took: Duration) {
        if let Some(at) = RESOURCES.iter().position(|name| *name == resource) {
            self.requests[at].observe(took);
        }
    }

    /// Counts a response that came at a time of the till's clock.
    pub fn response(&self, status: u16, at: Millis) {
        self.last_response.set(at);
        match status {
            200..=299 => self.last_success.set(at),
            429 => {
                self.rate_limited.add();
                self.last_rate_limited.set(at);
            }
            _ => {}
        }
    }

    pub fn last_response_at(&self) -> Option<Millis> {
        self.last_response.get()
    }

    pub fn last_success_at(&self) -> Option<Millis> {
        self.last_success.get()
    }

    pub fn last_rate_limited_at(&self) -> Option<Millis> {
        self.last_rate_limited.get()
    }
}
