//! The report of a certification: as JSON and JUnit for programs, and as a page that a retailer can be shown.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use crate::clock::Time;
use crate::junit::{TestCase, escaped, junit};

/// A certification that was carried out.
#[derive(Clone, Debug)]
pub struct Report {
    /// The till's command line, with its placeholders.
    pub command: String,
    /// When it began.
    pub began: Time,
    /// How long it took.
    pub took: Duration,
    /// Whether every scenario was result: only then is a till certified.
    pub complete: bool,
    /// The scenarios, in their order.
    pub scenarios: Vec<ScenarioResult>,
}

/// A scenario that was result.
#[derive(Clone, Debug)]
pub struct ScenarioResult {
    /// Its name.
    pub name: &'static str,
    /// What happens in it, in a sentence.
    pub title: &'static str,
    /// How long it took.
    pub took: Duration,
    /// What was done, in order.
    pub steps: Vec<Step>,
    /// How it went.
    pub grade: Grade,
}

/// How a scenario went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grade {
    /// As it must.
    Passed,
    /// Not so: why.
    Failed(Vec<String>),
    /// It does not apply: why.
    Skipped(String),
}

/// Something that was done.
#[derive(Clone, Debug)]
pub struct Step {
    /// When, since the scenario began.
    pub at: Duration,
    /// What.
    pub what: String,
    /// How long the till ran, if it did.
    pub took: Option<Duration>,
    /// The last of what the till printed.
    pub printed: String,
}

impl ScenarioResult {
    /// Why it failed; empty: it did not.
    pub fn failures(&self) -> &[String] {
        match &self.grade {
            Grade::Failed(why) => why,
            Grade::Passed | Grade::Skipped(_) => &[],
        }
    }

    /// `passed`, `failed` or `skipped`.
    pub fn word(&self) -> &'static str {
        match self.grade {
            Grade::Passed => "passed",
            Grade::Failed(_) => "failed",
            Grade::Skipped(_) => "skipped",
        }
    }

    /// Why it failed or was skipped.
    pub fn reasons(&self) -> &[String] {
        match &self.grade {
            Grade::Skipped(why) => std::slice::from_ref(why),
            _ => self.failures(),
        }
    }
}

impl Report {
    /// Whether no scenario failed.
    pub fn pass(&self) -> bool {
        self.scenarios.iter().all(|result| result.failures().is_empty())
    }

    /// The verdict, in words.
    pub fn verdict(&self) -> &'static str {
        match (self.pass(), self.complete) {
            (false, _) => "Not certified",
            (true, true) => "Certified",
            (true, false) => "Passed, in the scenarios that were chosen",
        }
    }

    /// How many scenarios ended so: `passed`, `failed`, `skipped`.
    pub fn count(&self, word: &str) -> usize {
        self.scenarios.iter().filter(|result| result.word() == word).count()
    }

    /// ForStore programs.
    pub fn json(&self) -> Value {
        let step = |step: &Step| json!({ "atMs": ms(step.at), "what": step.what, "tookMs": step.took.map(ms), "printed": step.printed });
        let scenario = |result: &ScenarioResult| {
            json!({
                "name": result.name,
                "title": result.title,
                "result": result.word(),
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

    /// ForStore CI.
    pub fn junit(&self) -> String {
        let case = |result: &ScenarioResult| TestCase {
            name: format!("{}: {}", result.name, result.title),
            took: result.took,
            failures: result.failures().to_vec(),
        };
        junit("engage-sandbox certify", &self.scenarios.iter().map(case).collect::<Vec<_>>())
    }

    /// ForStore people: one page without anything from elsewhere.
    pub fn html(&self) -> String {
        let verdict = self.verdict();
        let class = if self.pass() { "passed" } else { "failed" };
        let mut html = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{verdict}: till certification</title>\n\
             <style>\n{}</style>\n</head>\n<body class=\"report\">\n<header><h1>Till certification</h1></header>\n<main>\n\
             <section class=\"verdict {class}\"><h2>{verdict}</h2>\n<p>{} of {} scenarios passed, {} failed, {} skipped.</p></section>\n\
             <dl class=\"facts\"><dt>Till</dt><dd><code>{}</code></dd><dt>Date</dt><dd>{}</dd><dt>Took</dt><dd>{:.0} s</dd>\
             <dt>By</dt><dd>engage-sandbox {}</dd></dl>\n\
             <p>In each scenario the till sells a reward for points to a member while something goes wrong. It passes if the cashier is \
             never told what is not so, in time, and if the member’s points are deducted exactly as often as something was sold.</p>\n",
            include_str!("../dashboard/style.css"),
            self.count("passed"),
            self.scenarios.len(),
            self.count("failed"),
            self.count("skipped"),
            escaped(&self.command),
            escaped(&self.began.to_string()),
            self.took.as_secs_f64(),
            env!("CARGO_PKG_VERSION"),
        );
        for result in &self.scenarios {
            result.write_html(&mut html);
        }
        html + "</main>\n</body>\n</html>\n"
    }
}

impl ScenarioResult {
    fn write_html(&self, html: &mut String) {
        let open = if self.failures().is_empty() { "" } else { " open" };
        let _ = writeln!(
            html,
            "<details class=\"scenario\" id=\"{}\"{open}><summary><span class=\"badge {word}\">{word}</span> {} \
             <span class=\"quiet\">{:.1} s</span></summary>",
            escaped(self.name),
            escaped(self.title),
            self.took.as_secs_f64(),
            word = self.word(),
        );
        if !self.reasons().is_empty() {
            html.push_str("<ul class=\"reasons\">");
            for why in self.reasons() {
                let _ = write!(html, "<li>{}</li>", escaped(why));
            }
            html.push_str("</ul>\n");
        }
        html.push_str("<ol class=\"steps\">\n");
        for step in &self.steps {
            let took = step.took.map(|took| format!(" <span class=\"quiet\">ran {:.1} s</span>", took.as_secs_f64()));
            let _ = write!(
                html,
                "<li><span class=\"quiet\">{:.1} s</span> {}{}",
                step.at.as_secs_f64(),
                escaped(&step.what),
                took.unwrap_or_default()
            );
            if !step.printed.is_empty() {
                let _ = write!(
                    html,
                    "<details><summary>What it printed</summary><pre>{}</pre></details>",
                    escaped(&step.printed)
                );
            }
            html.push_str("</li>\n");
        }
        html.push_str("</ol></details>\n");
    }
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
