//! Counters of one client since it was opened, for the POS's own monitoring.

use crate::core::domain::Operation;
use crate::core::intent::IntentState;
use std::sync::atomic::{AtomicU64, Ordering};

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

/// `api` says in which words they are reported.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    pub reads: Counter,
    pub purchases: Counter,
    pub redeems: Counter,
    pub status_queries: Counter,
    pub completed: Counter,
    pub declined: Counter,
    pub not_sent: Counter,
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
}
