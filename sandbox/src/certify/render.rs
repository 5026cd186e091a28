//! The report as JSON for programs, and as an HTML page for a retailer.

use std::time::Duration;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::{Value, json};

use super::cost::Cost;
use super::report::{Failure, Report, ScenarioResult, Step, Verdict};
use crate::clock::Time;

impl Report {
    /// Returns the report as JSON. `certificate.schema.json` describes it.
    pub fn json(&self) -> Value {
        let till = &self.till;
        let settings: serde_json::Map<String, Value> =
            self.settings.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect();
        json!({
            "tool": "engage-sandbox",
            "version": env!("CARGO_PKG_VERSION"),
            "till": { "name": till.name, "version": till.version, "vendor": till.vendor, "command": self.command },
            "library": {
                "version": till.library_version,
                "file": till.library_checksum.as_ref().map(|(file, _)| file),
                "sha256": till.library_checksum.as_ref().map(|(_, sha256)| sha256),
            },
            "settings": settings,
            "began": self.began,
            "validUntil": self.valid_until(),
            "tookMs": ms(self.took),
            "verdict": self.verdict().name(),
            "complete": self.complete,
            "passed": self.count("passed"),
            "failed": self.count("failed"),
            "void": self.count("void"),
            "skipped": self.count("skipped"),
            "scenarios": self.scenarios.iter().map(ScenarioResult::json).collect::<Value>(),
        })
    }

    /// Renders one HTML page for people. The page loads nothing from other servers.
    pub fn html(&self) -> String {
        let verdict = self.verdict();
        let class = match verdict {
            Verdict::Certified | Verdict::PassedChosen => "passed",
            Verdict::WithExceptions => "skipped",
            Verdict::NotCertified => "failed",
        };
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { (verdict.text()) ": till certification" }
                    style { (PreEscaped(include_str!("../dashboard/style.css"))) (PreEscaped(include_str!("report.css"))) }
                }
                body.report {
                    header {
                        h1 {
                            "Till certification" @if let Some(name) = &self.till.name { ": " (name) }
                            @if let Some(version) = &self.till.version { " " (version) }
                        }
                    }
                    main {
                        section class={ "verdict " (class) } {
                            h2 { (verdict.text()) }
                            p { (self.summary()) "." }
                            p { (verdict.means()) }
                            @if let Some(until) = self.valid_until() {
                                p { "The certificate is valid until " (until.to_string()[..10]) "." }
                            }
                        }
                        (self.exceptions())
                        (self.facts())
                        p {
                            "In each scenario the till sells a reward for points to a member while a fault occurs. "
                            "The till passes if it reports only correct outcomes to the cashier, and in time. "
                            "The ledger must hold exactly one deduction for each sale that completed. "
                            "The scenarios are grouped by the cost of a failure."
                        }
                        @for cost in Cost::ALL { (self.group(cost)) }
                    }
                }
            }
        };
        page.into_string()
    }

    /// Returns the counts of the scenarios in words, without those that are zero.
    fn summary(&self) -> String {
        let more = [("failed", "failed"), ("void", "not proved"), ("skipped", "skipped")];
        let more = more.map(|(label, word)| (self.count(label), word)).into_iter().filter(|(count, _)| *count > 0);
        let first = match (self.count("passed"), self.scenarios.len()) {
            (1, 1) => "The scenario passed".to_owned(),
            (passed, all) if passed == all => format!("All {all} scenarios passed"),
            (passed, all) => format!("{passed} of {all} scenarios passed"),
        };
        more.fold(first, |text, (count, word)| format!("{text}, {count} {word}"))
    }

    /// Names what keeps the till from a certificate, and what the certificate leaves out.
    fn exceptions(&self) -> Markup {
        let risks: Vec<(&ScenarioResult, String)> = self
            .scenarios
            .iter()
            .flat_map(|result| result.risks().into_iter().map(move |risk| (result, risk)))
            .collect();
        html! {
            @if !risks.is_empty() {
                section.exceptions {
                    h2 { "The risks of this till" }
                    ul.reasons { @for (result, risk) in &risks { li { a href={ "#" (result.name) } { "It " (risk) } } } }
                }
            }
            @for (label, heading) in [
                ("void", "Not proved: these scenarios could not be carried out"),
                ("skipped", "Not covered: these scenarios were left out"),
            ] {
                @if self.count(label) > 0 {
                    section.exceptions {
                        h2 { (heading) }
                        ul {
                            @for result in self.with(label) {
                                li { a href={ "#" (result.name) } { (result.title) } ": " (result.reasons().join("; ")) }
                            }
                        }
                    }
                }
            }
        }
    }

    fn facts(&self) -> Markup {
        let till = &self.till;
        let named = [("Till", &till.name), ("Version", &till.version), ("Vendor", &till.vendor)];
        html! {
            dl.facts {
                @for (name, value) in named { @if let Some(value) = value { dt { (name) } dd { (value) } } }
                dt { "Command" } dd { code { (self.command) } }
                @if let Some(version) = &till.library_version { dt { "Library" } dd { (version) } }
                @if let Some((file, sha256)) = &till.library_checksum {
                    dt { "SHA-256 of " (file) } dd { code { (sha256) } }
                }
                dt { "Tested on" } dd { (minute(self.began)) }
                @if let Some(until) = self.valid_until() { dt { "Valid until" } dd { (minute(until)) } }
                dt { "Duration" } dd { (format!("{:.0} s", self.took.as_secs_f64())) }
                dt { "Tested with" } dd { "engage-sandbox " (env!("CARGO_PKG_VERSION")) }
                @for (name, value) in &self.settings { dt { (setting(name)) } dd { (value) } }
            }
        }
    }

    /// Renders the scenarios whose failure has this cost.
    fn group(&self, cost: Cost) -> Markup {
        let results: Vec<&ScenarioResult> = self.scenarios.iter().filter(|result| result.cost == cost).collect();
        html! {
            @if !results.is_empty() {
                @let passed = results.iter().filter(|result| result.label() == "passed").count();
                h2.group {
                    (cost.heading()) " if one of these fails "
                    span.quiet { (passed) " of " (results.len()) " passed" }
                }
                @for result in results { (result.html()) }
            }
        }
    }
}

impl ScenarioResult {
    fn json(&self) -> Value {
        let step = |step: &Step| json!({ "atMs": ms(step.at), "what": step.what, "tookMs": step.took.map(ms), "printed": step.printed });
        let failure = |failure: &Failure| json!({ "cost": failure.cost.name(), "why": failure.why });
        json!({
            "name": self.name,
            "title": self.title,
            "cost": self.cost.name(),
            "result": self.label(),
            "reasons": self.reasons(),
            "failures": self.failures().iter().map(failure).collect::<Value>(),
            "risks": self.risks(),
            "har": self.har_file(),
            "tookMs": ms(self.took),
            "steps": self.steps.iter().map(step).collect::<Value>(),
        })
    }

    /// Returns the name of the file with the requests, if there is one.
    pub fn har_file(&self) -> Option<String> {
        self.har.as_ref().map(|_| format!("{}.har", self.name))
    }

    fn html(&self) -> Markup {
        html! {
            details.scenario id=(self.name) open[matches!(self.label(), "failed" | "void")] {
                summary {
                    span class={ "badge " (self.label()) } { (if self.label() == "void" { "not proved" } else { self.label() }) }
                    " " (self.title) " "
                    span.quiet { (seconds(self.took)) }
                }
                @if !self.reasons().is_empty() {
                    ul.reasons { @for why in self.reasons() { li { (why) } } }
                }
                @if let Some(file) = self.har_file() { p { a href=(file) { "The requests as an HTTP archive" } } }
                ol.steps { @for step in &self.steps { li { (step.html()) } } }
            }
        }
    }
}

impl Step {
    fn html(&self) -> Markup {
        html! {
            span.quiet { (seconds(self.at)) } " " (self.what)
            @if let Some(took) = self.took { " " span.quiet { "(" (seconds(took)) ")" } }
            @if !self.printed.is_empty() {
                details { summary { "Output" } pre { (self.printed) } }
            }
        }
    }
}

/// Returns the label of a setting.
fn setting(name: &str) -> &str {
    match name {
        "mode" => "Kind of till",
        "wait" => "Wait of the cashier",
        "grace" => "Allowed above the wait",
        "resolveTimeout" => "Time to resolve a sale",
        "jobs" => "Presses at the same time",
        other => other,
    }
}

/// Returns a time without its seconds.
fn minute(time: Time) -> String {
    format!("{} UTC", time.to_string()[..16].replace('T', " "))
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
