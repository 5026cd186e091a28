//! The result of a certification and of each of its scenarios.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use super::cost::Cost;
use crate::clock::Time;
use crate::junit::{TestCase, TestEnd, junit};

/// The time for which a certificate is valid.
const VALIDITY_MS: i64 = 365 * 24 * 60 * 60 * 1000;

/// The till as its vendor names it, and the library that it uses. The report shows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TillFacts {
    /// The till's name.
    pub name: Option<String>,
    /// The till's version.
    pub version: Option<String>,
    /// The till's vendor.
    pub vendor: Option<String>,
    /// The version of the library.
    pub library_version: Option<String>,
    /// The name of the library's file and its SHA-256.
    pub library_checksum: Option<(String, String)>,
}

/// The result of a certification.
#[derive(Clone, Debug)]
pub struct Report {
    /// The till.
    pub till: TillFacts,
    /// The till's command line, with its placeholders.
    pub command: String,
    /// The settings of the run: name and value.
    pub settings: Vec<(&'static str, String)>,
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
    /// The cost of a failure.
    pub cost: Cost,
    /// The duration.
    pub took: Duration,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// The grade.
    pub grade: Grade,
    /// The requests as an HTTP archive, if the scenario has not passed.
    pub har: Option<Value>,
}

/// The grade of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grade {
    /// Every expectation holds.
    Passed,
    /// At least one expectation does not hold.
    Failed(Vec<Failure>),
    /// The scenario could not be carried out, for this reason: it proves nothing.
    Void(String),
    /// The scenario does not apply, for this reason.
    Skipped(String),
}

/// An expectation that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The cost of this failure.
    pub cost: Cost,
    /// The reason in one sentence.
    pub why: String,
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

/// The verdict of a certification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every scenario passed.
    Certified,
    /// Every scenario passed or does not apply.
    WithExceptions,
    /// Every chosen scenario passed. It is no certificate.
    PassedChosen,
    /// At least one scenario failed or is void.
    NotCertified,
}

impl Verdict {
    /// Returns the verdict as text.
    pub fn text(self) -> &'static str {
        match self {
            Verdict::Certified => "Certified",
            Verdict::WithExceptions => "Certified with exceptions",
            Verdict::PassedChosen => "Passed, in the chosen scenarios",
            Verdict::NotCertified => "Not certified",
        }
    }

    /// Returns the meaning in one sentence.
    pub fn means(self) -> &'static str {
        match self {
            Verdict::Certified => "The till keeps every promise to the member, the cashier and Engage that was tested.",
            Verdict::WithExceptions => "The till keeps every promise that was tested. Some were not: see below.",
            Verdict::PassedChosen => "Only some of the scenarios were run. A certificate needs all of them.",
            Verdict::NotCertified => "The till must be mended, and all scenarios must be run again.",
        }
    }

    /// Returns the name in the JSON report.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Certified => "certified",
            Verdict::WithExceptions => "certifiedWithExceptions",
            Verdict::PassedChosen => "passedChosen",
            Verdict::NotCertified => "notCertified",
        }
    }
}

impl ScenarioResult {
    /// Returns the failures; empty if the scenario did not fail.
    pub fn failures(&self) -> &[Failure] {
        match &self.grade {
            Grade::Failed(failures) => failures,
            Grade::Passed | Grade::Void(_) | Grade::Skipped(_) => &[],
        }
    }

    /// Returns `passed`, `failed`, `void` or `skipped`.
    pub fn label(&self) -> &'static str {
        match self.grade {
            Grade::Passed => "passed",
            Grade::Failed(_) => "failed",
            Grade::Void(_) => "void",
            Grade::Skipped(_) => "skipped",
        }
    }

    /// Returns the reasons why the scenario has not passed.
    pub fn reasons(&self) -> Vec<&str> {
        match &self.grade {
            Grade::Passed => Vec::new(),
            Grade::Failed(failures) => failures.iter().map(|failure| failure.why.as_str()).collect(),
            Grade::Void(why) | Grade::Skipped(why) => vec![why],
        }
    }

    /// Returns the risks of the failures in words, the worst first.
    pub fn risks(&self) -> Vec<String> {
        let costs: BTreeSet<Cost> = self.failures().iter().map(|failure| failure.cost).collect();
        costs.into_iter().map(|cost| cost.risk(self.title)).collect()
    }
}

impl Report {
    /// Returns the verdict.
    pub fn verdict(&self) -> Verdict {
        let (failed, void, skipped) = (self.count("failed"), self.count("void"), self.count("skipped"));
        match (failed + void, self.complete, skipped) {
            (1.., ..) => Verdict::NotCertified,
            (0, false, _) => Verdict::PassedChosen,
            (0, true, 0) => Verdict::Certified,
            (0, true, _) => Verdict::WithExceptions,
        }
    }

    /// Returns the end of the certificate's validity. `None`: the till is not certified.
    pub fn valid_until(&self) -> Option<Time> {
        let is_certified = matches!(self.verdict(), Verdict::Certified | Verdict::WithExceptions);
        is_certified.then(|| self.began.plus_millis(VALIDITY_MS))
    }

    /// Counts the scenarios with this label: `passed`, `failed`, `void` or `skipped`.
    pub fn count(&self, label: &str) -> usize {
        self.with(label).count()
    }

    /// Returns the scenarios with this label.
    pub fn with(&self, label: &str) -> impl Iterator<Item = &ScenarioResult> {
        self.scenarios.iter().filter(move |result| result.label() == label)
    }

    /// Returns the counts of the scenarios as text.
    pub fn counts(&self) -> String {
        let count = |label| format!("{} {label}", self.count(label));
        ["passed", "failed", "void", "skipped"].map(count).join(", ")
    }

    /// Returns the report as JUnit XML.
    pub fn junit(&self) -> String {
        let case = |result: &ScenarioResult| TestCase {
            name: format!("{}: {}", result.name, result.title),
            took: result.took,
            end: match &result.grade {
                Grade::Passed => TestEnd::Passed,
                Grade::Failed(failures) => {
                    TestEnd::Failed(failures.iter().map(|failure| failure.why.clone()).collect())
                }
                Grade::Void(why) => TestEnd::Error(why.clone()),
                Grade::Skipped(why) => TestEnd::Skipped(why.clone()),
            },
        };
        junit("engage-sandbox certify", self.began, &self.scenarios.iter().map(case).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_counts_skipped_and_void_scenarios() {
        let failed = Grade::Failed(vec![Failure { cost: Cost::Twice, why: "twice".to_owned() }]);
        let (skipped, void) = (Grade::Skipped("none".to_owned()), Grade::Void("void".to_owned()));
        let verdict = |grades: &[&Grade], complete| {
            let scenario = |grade: &&Grade| ScenarioResult {
                name: "sale",
                title: "A sale",
                cost: Cost::False,
                took: Duration::ZERO,
                steps: Vec::new(),
                grade: (*grade).clone(),
                har: None,
            };
            let report = Report {
                till: TillFacts::default(),
                command: String::new(),
                settings: Vec::new(),
                began: Time::default(),
                took: Duration::ZERO,
                complete,
                scenarios: grades.iter().map(scenario).collect(),
            };
            (report.verdict(), report.html())
        };
        for (grades, complete, expected) in [
            (vec![&Grade::Passed], true, Verdict::Certified),
            (vec![&Grade::Passed, &skipped], true, Verdict::WithExceptions),
            (vec![&Grade::Passed, &skipped, &void], true, Verdict::NotCertified),
            (vec![&Grade::Passed, &failed], true, Verdict::NotCertified),
            (vec![&Grade::Passed], false, Verdict::PassedChosen),
        ] {
            let (found, page) = verdict(&grades, complete);
            assert_eq!(found, expected, "{grades:?}");
            let top = page.split("In each scenario").next().unwrap();
            assert_eq!(page.contains("Valid until"), matches!(found, Verdict::Certified | Verdict::WithExceptions));
            assert_eq!(top.contains("Not covered"), grades.contains(&&skipped), "{top}");
            assert_eq!(top.contains("Not proved"), grades.contains(&&void), "{top}");
            assert_eq!(top.contains("deducts twice when a sale"), grades.contains(&&failed), "{top}");
        }
    }
}
