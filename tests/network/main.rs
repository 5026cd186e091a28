//! The network cut, reset and stalled at every byte, each phase of a call hanging, and answers no server should give.
//! Judged from outside only: by the sandbox's ledger and requests, by what callers were told, and by the clock.

mod certificates;
mod connections;
mod cut;
mod deadlines;
mod host_edges;
mod names;
mod nginx;
mod odd_server;
mod proxy;
mod reality;
mod relay;
mod secrets;
mod storm;
#[path = "../support/mod.rs"]
mod support;
#[allow(dead_code)]
#[path = "../support/till.rs"]
mod till;
mod trust;
mod tunnel;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A call returns this long after its wait at most (invariant 8). More is counted.
const PROMISED: Duration = Duration::from_millis(50);
/// Beyond this a campaign fails. The machine may be busy with other things than this test.
const TOLERATED: Duration = Duration::from_millis(250);

/// Whether every point is to be tried, and not only a sample.
fn full() -> bool {
    std::env::var("EPS_BUDGET").is_ok_and(|budget| budget == "full")
}

/// One campaign at a time: they measure how long calls take.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How much longer than promised calls took.
#[derive(Debug, Default, Clone)]
struct Overshoot {
    calls: usize,
    above_promised: usize,
    most: Duration,
}

impl Overshoot {
    /// Notes a call that may take `allowed`, and says so when it took far too long.
    fn note(&mut self, took: Duration, allowed: Duration) -> Result<(), String> {
        let over = took.saturating_sub(allowed);
        self.calls += 1;
        self.above_promised += usize::from(over > PROMISED);
        self.most = self.most.max(over);
        if over > TOLERATED { Err(format!("the call took {took:?} instead of {allowed:?}")) } else { Ok(()) }
    }

    fn add(&mut self, other: &Overshoot) {
        self.calls += other.calls;
        self.above_promised += other.above_promised;
        self.most = self.most.max(other.most);
    }
}

impl std::fmt::Display for Overshoot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let most = self.most.as_millis();
        write!(f, "{} calls at most {most} ms over, {} of them above 50 ms", self.calls, self.above_promised)
    }
}
