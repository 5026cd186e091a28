//! The report of a certification: JSON and JUnit for programs, and an HTML page for a retailer.

use std::time::Duration;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::{Value, json};

use crate::clock::Time;
use crate::junit::{TestCase, junit};

/// The result of a certification.
#[derive(Clone, Debug)]
pub struct Report {
    /// The till's command line, with its placeholders.
    pub command: String,
    /// The start.
    pub began: Time,
    /// The duration.
    pub took: Duration,
    /// Whether every scenario ran. Only then is a till certified.
    pub complete: bool,
    /// The scenarios, in their order.
    pub scenarios: Vec<ScenarioResult>,
}

/// The result of one scenario.
#[derive(Clone, Debug)]
pub struct ScenarioResult {
    /// The scenario's name.
    pub name: &'static str,
    /// The scenario in one sentence.
    pub title: &'static str,
    /// The duration.
    pub took: Duration,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// The grade.
    pub grade: Grade,
}

/// The grade of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grade {
    /// Every expectation holds.
    Passed,
    /// At least one expectation does not hold, for these reasons.
    Failed(Vec<String>),
    /// The scenario does not apply, for this reason.
    Skipped(String),
}

/// One step of a scenario.
#[derive(Clone, Debug)]
pub struct Step {
    /// The time since the start of the scenario.
    pub at: Duration,
    /// The step in one sentence.
    pub what: String,
    /// The till's run time, if the step ran the till.
    pub took: Option<Duration>,
    /// The end of the till's output.
    pub printed: String,
}

impl ScenarioResult {
    /// Returns the reasons of a failure; empty if the scenario did not fail.
    pub fn failures(&self) -> &[String] {
        match &self.grade {
            Grade::Failed(why) => why,
            Grade::Passed | Grade::Skipped(_) => &[],
        }
    }

    /// Returns `passed`, `failed` or `skipped`.
    pub fn label(&self) -> &'static str {
        match self.grade {
            Grade::Passed => "passed",
            Grade::Failed(_) => "failed",
            Grade::Skipped(_) => "skipped",
        }
    }

    /// Returns the reasons of a failure or of a skipped scenario.
    pub fn reasons(&self) -> &[String] {
        match &self.grade {
            Grade::Skipped(why) => std::slice::from_ref(why),
            _ => self.failures(),
        }
    }
}

impl Report {
    /// Returns whether no scenario failed.
    pub fn pass(&self) -> bool {
        self.scenarios.iter().all(|result| result.failures().is_empty())
    }

    /// Returns the verdict as text.
    pub fn verdict(&self) -> &'static str {
        match (self.pass(), self.complete) {
            (false, _) => "Not certified",
            (true, true) => "Certified",
            (true, false) => "Passed, in the chosen scenarios",
        }
    }

    /// Counts the scenarios with this label: `passed`, `failed` or `skipped`.
    pub fn count(&self, label: &str) -> usize {
        self.scenarios.iter().filter(|result| result.label() == label).count()
    }

    /// Returns the report as JSON.
    pub fn json(&self) -> Value {
        let step = |step: &Step| json!({ "atMs": ms(step.at), "what": step.what, "tookMs": step.took.map(ms), "printed": step.printed });
        let scenario = |result: &ScenarioResult| {
            json!({
                "name": result.name,
                "title": result.title,
                "result": result.label(),
                "reasons": result.reasons(),
                "tookMs": ms(result.took),
                "steps": result.steps.iter().map(step).collect::<Value>(),
            })
        };
        json!({
            "tool": "engage-sandbox",
            "version": env!("CARGO_PKG_VERSION"),
            "command": self.command,
            "began": self.began,
            "tookMs": ms(self.took),
            "pass": self.pass(),
            "complete": self.complete,
            "passed": self.count("passed"),
            "failed": self.count("failed"),
            "skipped": self.count("skipped"),
            "scenarios": self.scenarios.iter().map(scenario).collect::<Value>(),
        })
    }

    /// Returns the report as JUnit XML.
    pub fn junit(&self) -> String {
        let case = |result: &ScenarioResult| TestCase {
            name: format!("{}: {}", result.name, result.title),
            took: result.took,
            failures: result.failures().to_vec(),
        };
        junit("engage-sandbox certify", &self.scenarios.iter().map(case).collect::<Vec<_>>())
    }

    /// Renders one HTML page for people. The page loads nothing from other servers.
    pub fn html(&self) -> String {
        let verdict = self.verdict();
        let class = if self.pass() { "passed" } else { "failed" };
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { (verdict) ": till certification" }
                    style { (PreEscaped(include_str!("../dashboard/style.css"))) }
                }
                body.report {
                    header { h1 { "Till certification" } }
                    main {
                        section class={ "verdict " (class) } {
                            h2 { (verdict) }
                            p {
                                (self.count("passed")) " of " (self.scenarios.len()) " scenarios passed, "
                                (self.count("failed")) " failed, " (self.count("skipped")) " skipped."
                            }
                        }
                        dl.facts {
                            dt { "Till" } dd { code { (self.command) } }
                            dt { "Date" } dd { (self.began) }
                            dt { "Took" } dd { (format!("{:.0} s", self.took.as_secs_f64())) }
                            dt { "By" } dd { "engage-sandbox " (env!("CARGO_PKG_VERSION")) }
                        }
                        p {
                            "In each scenario the till sells a reward for points to a member while a fault occurs. "
                            "The till passes if it reports only correct outcomes to the cashier, and in time. "
                            "The ledger must hold exactly one deduction for each sale that completed."
                        }
                        @for result in &self.scenarios { (result.html()) }
                    }
                }
            }
        };
        page.into_string()
    }
}

impl ScenarioResult {
    fn html(&self) -> Markup {
        html! {
            details.scenario id=(self.name) open[!self.failures().is_empty()] {
                summary {
                    span class={ "badge " (self.label()) } { (self.label()) } " " (self.title) " "
                    span.quiet { (seconds(self.took)) }
                }
                @if !self.reasons().is_empty() {
                    ul.reasons { @for why in self.reasons() { li { (why) } } }
                }
                ol.steps { @for step in &self.steps { li { (step.html()) } } }
            }
        }
    }
}

impl Step {
    fn html(&self) -> Markup {
        html! {
            span.quiet { (seconds(self.at)) } " " (self.what)
            @if let Some(took) = self.took { " " span.quiet { "ran " (seconds(took)) } }
            @if !self.printed.is_empty() {
                details { summary { "Output" } pre { (self.printed) } }
            }
        }
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
