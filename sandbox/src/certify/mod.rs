//! Certification: scenarios run a vendor's till program, and check its reported outcomes and the
//! ledger.
//! Each scenario has its own sandbox and folder. All scenarios run at the same time and do not
//! affect each other.

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

/// The till program to certify, and the limits.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The till program.
    pub till: Template,
    /// The time that the till lets the cashier wait.
    pub wait: Duration,
    /// The additional time that a press may take: to start, to resolve earlier sales, to print.
    pub grace: Duration,
    /// The time within which an operation must be resolved once the faults have ended.
    pub resolve_timeout: Duration,
    /// The number of presses that may run at the same time.
    pub jobs: usize,
    /// The names of the scenarios to run; empty: all.
    pub only: Vec<String>,
}

impl Plan {
    /// Returns a plan with all scenarios and the default times.
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

/// Returns the names and titles of the scenarios.
pub fn list() -> impl Iterator<Item = (&'static str, &'static str)> {
    SCENARIOS.iter().map(|scenario| (scenario.name, scenario.title))
}

/// Runs the scenarios, and calls `on_result` at the end of each.
/// Returns an error if a scenario's name does not exist or the program cannot be started.
pub fn certify(plan: &Plan, on_result: &(dyn Fn(&ScenarioResult) + Sync)) -> Result<Report, String> {
    if let Some(unknown) = plan.only.iter().find(|name| list().all(|(known, _)| known != *name)) {
        return Err(format!("the scenario {unknown} does not exist. See --list"));
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

/// Limits the number of presses at the same time, so that a computer with few cores does not delay
/// a fast till.
#[derive(Debug)]
struct Permits {
    free: Mutex<usize>,
    changed: Condvar,
}

/// Returns its permits when dropped.
struct Permit<'a>(&'a Permits, usize);

impl Permits {
    fn new(count: usize) -> Permits {
        // One scenario presses twice at the same time.
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
