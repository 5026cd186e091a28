//! Certification: scripted scenarios against a vendor's own till program, judged by what it tells the cashier and by the ledger.
//! Each scenario has a sandbox and a folder of its own, so they all run at once and none can spoil another.

mod relay;
mod report;
mod runner;
mod scenarios;
mod till;

use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::clock::Clock;

pub use report::{Grade, Report, ScenarioResult, Step};
pub use till::{BadTemplate, ReportedOutcome, Template};

use runner::Runner;
use scenarios::SCENARIOS;

/// What to certify, and how.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The till program.
    pub till: Template,
    /// How long the till is told to keep the cashier waiting.
    pub wait: Duration,
    /// How much longer a press may take: to start, to look after earlier sales, to print.
    pub grace: Duration,
    /// How long an outcome may stay unknown once the faults have ended.
    pub resolve_timeout: Duration,
    /// How many presses may run at once.
    pub jobs: usize,
    /// Only the scenarios of these names; empty: all.
    pub only: Vec<String>,
}

impl Plan {
    /// All scenarios, with the usual times.
    pub fn new(till: Template) -> Plan {
        Plan {
            till,
            wait: Duration::from_secs(3),
            grace: Duration::from_secs(10),
            resolve_timeout: Duration::from_secs(150),
            jobs: 8,
            only: Vec::new(),
        }
    }
}

/// The names and titles of the scenarios.
pub fn list() -> impl Iterator<Item = (&'static str, &'static str)> {
    SCENARIOS.iter().map(|scenario| (scenario.name, scenario.title))
}

/// Plays the scenarios. `played` is told of each as it ends.
/// An error: a scenario of that name does not exist, or the program cannot be started at all.
pub fn certify(plan: &Plan, on_result: &(dyn Fn(&ScenarioResult) + Sync)) -> Result<Report, String> {
    if let Some(unknown) = plan.only.iter().find(|name| list().all(|(known, _)| known != *name)) {
        return Err(format!("there is no scenario {unknown}; see --list"));
    }
    let began = Clock::default().now();
    let clock = Instant::now();
    let permits = Permits::new(plan.jobs);
    let wanted =
        SCENARIOS.iter().filter(|scenario| plan.only.is_empty() || plan.only.iter().any(|name| name == scenario.name));
    let results: Vec<_> = thread::scope(|scope| {
        let running: Vec<_> = wanted
            .map(|scenario| {
                let permits = &permits;
                scope.spawn(move || {
                    let mut runner = Runner::new(plan, permits).map_err(|error| error.to_string())?;
                    (scenario.run)(&mut runner);
                    let result = runner.end(scenario)?;
                    on_result(&result);
                    Ok(result)
                })
            })
            .collect();
        running
            .into_iter()
            .map(|running| running.join().unwrap_or_else(|_| Err("a scenario panicked".to_owned())))
            .collect()
    });
    let scenarios = results.into_iter().collect::<Result<Vec<ScenarioResult>, String>>()?;
    Ok(Report {
        command: plan.till.to_string(),
        began,
        took: clock.elapsed(),
        complete: plan.only.is_empty(),
        scenarios,
    })
}

/// So many presses at once, so that a small computer does not make a quick till look slow.
#[derive(Debug)]
struct Permits {
    free: Mutex<usize>,
    changed: Condvar,
}

/// Gives its permits back when dropped.
struct Permit<'a>(&'a Permits, usize);

impl Permits {
    fn new(count: usize) -> Permits {
        // Two presses at once are a scenario.
        Permits { free: Mutex::new(count.max(2)), changed: Condvar::new() }
    }

    fn take(&self, count: usize) -> Permit<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self.changed.wait_while(free, |free| *free < count).unwrap_or_else(PoisonError::into_inner);
        *free -= count;
        Permit(self, count)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += self.1;
        self.0.changed.notify_all();
    }
}
