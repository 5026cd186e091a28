//! Certification: scenarios run a vendor's till, and check its reported outcomes and the ledger.
//! Each scenario has its own sandbox and folder. All scenarios run at the same time and do not
//! affect each other, unless a person is at the till.

mod cost;
mod holder;
pub(crate) mod manual;
mod press;
mod programs;
mod relay;
mod render;
mod report;
mod rules;
mod runner;
mod scenarios;
mod search;
mod till;
mod trial;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::nearest::did_you_mean;

pub use cost::Cost;
pub use programs::Programs;
pub use report::{Failure, Grade, Report, ScenarioResult, Step, TillFacts, Verdict};
pub use till::{BadTemplate, ReportedOutcome, Resident, Sell, Template, Till};

use manual::Terminal;
use runner::Runner;
use scenarios::{SCENARIOS, Scenario};

/// The till to certify, and the limits.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The till.
    pub till: Till,
    /// What the report says of the till.
    pub facts: TillFacts,
    /// The time that the till lets the cashier wait.
    pub wait: Duration,
    /// The additional time that a press may take: to start, to resolve earlier sales, to print.
    pub grace: Duration,
    /// The time within which an operation must be resolved once the faults have ended.
    pub resolve_timeout: Duration,
    /// The number of presses that may run at the same time.
    pub jobs: usize,
    /// The names of the scenarios to run, with `*` for any text; empty: all.
    pub only: Vec<String>,
    /// The address that a real till connects to.
    pub manual_at: SocketAddr,
    /// The programs that run. Another thread may stop them.
    pub programs: Arc<Programs>,
}

impl Plan {
    /// Returns a plan with all scenarios and the default times.
    pub fn new(till: impl Into<Till>) -> Plan {
        Plan {
            till: till.into(),
            facts: TillFacts::default(),
            wait: Duration::from_secs(3),
            grace: Duration::from_secs(10),
            resolve_timeout: Duration::from_secs(150),
            jobs: 8,
            only: Vec::new(),
            manual_at: SocketAddr::from(([127, 0, 0, 1], 8443)),
            programs: Arc::default(),
        }
    }

    fn wanted(&self) -> Result<Vec<&'static Scenario>, String> {
        if let Some(unknown) = self.only.iter().find(|pattern| list().all(|listed| !matches(pattern, listed.name))) {
            let meant = did_you_mean(unknown, list().map(|listed| listed.name));
            return Err(format!("the scenario {unknown} does not exist. {meant}See --list"));
        }
        let is_wanted = |name: &str| self.only.is_empty() || self.only.iter().any(|pattern| matches(pattern, name));
        Ok(SCENARIOS.iter().filter(|scenario| is_wanted(scenario.name)).collect())
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        let ms = |time: Duration| format!("{} ms", time.as_millis());
        vec![
            ("mode", self.till.mode().to_owned()),
            ("wait", ms(self.wait)),
            ("grace", ms(self.grace)),
            ("resolveTimeout", ms(self.resolve_timeout)),
            ("jobs", self.jobs.to_string()),
        ]
    }
}

/// Returns whether a name matches a pattern, in which `*` is any text.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(name) = name.strip_prefix(start) else { return false };
    (0..=name.len()).any(|at| name.get(at..).is_some_and(|tail| matches(rest, tail)))
}

/// A scenario of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The scenario's name.
    pub name: &'static str,
    /// The scenario in one sentence.
    pub title: &'static str,
    /// The cost of a failure.
    pub cost: Cost,
}

/// Returns the scenarios.
pub fn list() -> impl Iterator<Item = Listed> {
    SCENARIOS.iter().map(|&Scenario { cost, name, title, .. }| Listed { name, title, cost })
}

/// A step of a scenario, as it happens.
#[derive(Clone, Copy, Debug)]
pub struct StepEvent<'a> {
    /// The scenario's name.
    pub scenario: &'static str,
    /// The step in one sentence.
    pub what: &'a str,
}

/// Receives the progress of a certification.
pub trait Progress: Sync {
    /// A step has ended.
    fn step(&self, _: StepEvent<'_>) {}
    /// A scenario has ended.
    fn scenario(&self, _: &ScenarioResult) {}
}

/// Ignores the progress.
impl Progress for () {}

/// The parts that all scenarios share.
struct Session<'a> {
    plan: &'a Plan,
    permits: Permits,
    folder: &'a Path,
    terminal: Arc<Terminal>,
    on_step: &'a (dyn Fn(StepEvent<'_>) + Sync),
}

impl Session<'_> {
    fn run(&self, scenario: &Scenario, progress: &dyn Progress) -> Result<ScenarioResult, String> {
        let mut runner = Runner::new(self, scenario).map_err(|error| error.to_string())?;
        (scenario.run)(&mut runner);
        let result = runner.end()?;
        progress.scenario(&result);
        Ok(result)
    }
}

/// Runs the scenarios. Returns an error if a scenario's name does not exist, or if the program
/// cannot be started or ends before its first request.
pub fn certify(plan: &Plan, progress: &dyn Progress) -> Result<Report, String> {
    let wanted = plan.wanted()?;
    let began = Clock::default().now();
    let clock = Instant::now();
    let folder = tempfile::Builder::new().prefix("engage-certify-").tempdir().map_err(|error| error.to_string())?;
    plan.programs.set_folder(folder.path());
    let session = Session {
        plan,
        permits: Permits::new(plan.jobs),
        folder: folder.path(),
        terminal: Arc::default(),
        on_step: &|event| progress.step(event),
    };
    trial::trial(&session)?;
    let results: Vec<_> = if matches!(plan.till, Till::Manual) {
        session.terminal.read();
        // A person does one thing after the other.
        let of = wanted.len();
        let run = |(number, scenario): (usize, &&'static Scenario)| {
            session.terminal.begin(scenario.name, scenario.title, number, of);
            session.run(scenario, progress)
        };
        (1..).zip(&wanted).map(run).collect()
    } else {
        thread::scope(|scope| {
            let run = |scenario: &'static Scenario| scope.spawn(|| session.run(scenario, progress));
            let running: Vec<_> = wanted.iter().map(|scenario| run(scenario)).collect();
            let end = |running: thread::ScopedJoinHandle<'_, _>| {
                running.join().unwrap_or_else(|_| Err("a scenario panicked".to_owned()))
            };
            running.into_iter().map(end).collect()
        })
    };
    let scenarios = results.into_iter().collect::<Result<Vec<ScenarioResult>, String>>()?;
    Ok(Report {
        till: plan.facts.clone(),
        command: plan.till.to_string(),
        settings: plan.settings(),
        began,
        took: clock.elapsed(),
        complete: scenarios.len() == SCENARIOS.len(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_names() {
        for (pattern, name, fits) in [
            ("sale", "sale", true),
            ("sale", "two-sales", false),
            ("*sale*", "two-sales", true),
            ("power-cut-*", "power-cut-twice", true),
            ("power-cut-*", "network-cut", false),
            ("*-cut-*-due", "power-cut-response-due", true),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }
}
