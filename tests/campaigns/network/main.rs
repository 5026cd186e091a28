//! The network is cut, reset and stalled at every byte, each phase of a call hangs, and servers
//! send malformed responses. The judges use only outside evidence: the sandbox's ledger and
//! requests, the returned outcomes, and the clock.

mod certificates;
mod connect_proxy;
mod connection_cuts;
mod connections;
mod cutting_proxy;
mod deadlines;
mod host_edges;
mod malformed_responses;
mod name_resolution;
mod nginx;
#[path = "../../support/random.rs"]
mod random;
mod random_failures;
mod relay;
mod scripted_server;
mod secrets;
mod server_certificates;
#[path = "../../support/mod.rs"]
mod support;
#[allow(dead_code)]
#[path = "../../support/till.rs"]
mod till;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The limit after its wait at which a call returns (invariant 8). Calls above it are counted.
const PROMISED: Duration = Duration::from_millis(50);
/// The limit at which a campaign fails. The machine may be busy with other work.
const TOLERATED: Duration = Duration::from_millis(250);

/// Returns whether every point is tried, and not only a sample.
fn full() -> bool {
    std::env::var("EPS_BUDGET").is_ok_and(|budget| budget == "full")
}

/// Runs one campaign at a time, because campaigns measure how long calls take.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts calls that took longer than promised.
#[derive(Debug, Default, Clone)]
struct Overshoot {
    calls: usize,
    above_promised: usize,
    most: Duration,
}

impl Overshoot {
    /// Records a call that may take `allowed`, and returns an error when it took far too long.
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
