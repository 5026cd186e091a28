//! Counters of one client since it was opened, for the POS's own monitoring.

use crate::engage::Order;
use crate::journal::State;
use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Debug, Default)]
pub(crate) struct Stats {
    reads: AtomicU64,
    purchases: AtomicU64,
    redeems: AtomicU64,
    looks: AtomicU64,
    completed: AtomicU64,
    declined: AtomicU64,
    not_sent: AtomicU64,
}

/// What `eps_read_stats` answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Snapshot {
    version: &'static str,
    /// Requests that read, made for a caller.
    reads: u64,
    /// Requests that spend points.
    purchases_sent: u64,
    /// Requests that use a reward.
    redeems_sent: u64,
    /// Looks at what became of a request.
    status_queries: u64,
    completed: u64,
    declined: u64,
    not_sent: u64,
    /// In the journal now: outcome not known.
    pub pending: Option<u64>,
    /// In the journal now: outcome known, not acknowledged.
    pub unacknowledged: Option<u64>,
}

impl Stats {
    fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub fn read(&self) {
        Self::count(&self.reads);
    }

    pub fn sent(&self, order: &Order) {
        Self::count(match order {
            Order::Purchase(_) => &self.purchases,
            Order::Redeem(_) => &self.redeems,
        });
    }

    pub fn looked(&self) {
        Self::count(&self.looks);
    }

    pub fn settled(&self, state: State) {
        match state {
            State::Completed => Self::count(&self.completed),
            State::Declined => Self::count(&self.declined),
            State::NotSent => Self::count(&self.not_sent),
            State::Recorded | State::InDoubt => {}
        }
    }

    pub fn snapshot(&self) -> Snapshot {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Snapshot {
            version: crate::VERSION,
            reads: get(&self.reads),
            purchases_sent: get(&self.purchases),
            redeems_sent: get(&self.redeems),
            status_queries: get(&self.looks),
            completed: get(&self.completed),
            declined: get(&self.declined),
            not_sent: get(&self.not_sent),
            pending: None,
            unacknowledged: None,
        }
    }
}
