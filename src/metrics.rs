//! The text of `eps_read_metrics`: OpenMetrics 1.0.

use crate::core::check::Operations;
use crate::core::code::Code;
use crate::core::domain::Millis;
use crate::stats::{BOUNDS_MS, Histogram, RESOURCES, Stats};
use std::fmt::Write;

/// What the counters do not hold. None: not known.
#[derive(Default)]
pub(crate) struct Readings<'a> {
    /// The till's clock.
    pub now: Millis,
    /// The records of the journal: state, code and number.
    pub counts: Vec<(String, i32, u64)>,
    pub operations: Option<Operations>,
    /// The bytes of the journal and of its write-ahead log.
    pub sizes: Option<(u64, u64)>,
    pub commits: Option<&'a Histogram>,
    pub skew_ms: Option<i64>,
    pub certificate_expires_at: Option<Millis>,
    pub dropped_lines: u64,
}

/// Returns the metrics of a client.
pub(crate) fn text(stats: &Stats, readings: &Readings<'_>) -> Vec<u8> {
    let mut page = Page::default();
    page.journal(readings);
    page.requests(stats);
    page.server(stats, readings);
    page.family("eps_log_dropped_lines", "counter", "lines", "Log lines that a slow log function has lost.");
    page.sample("eps_log_dropped_lines_total", "", readings.dropped_lines);
    page.family("eps_build", "info", "", "The library.");
    let labels = format!("version=\"{}\"", crate::version::VERSION);
    page.sample("eps_build_info", &labels, 1);
    page.0.push_str("# EOF\n");
    page.0.into_bytes()
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, unit: &str, help: &str) {
        let _ = writeln!(self.0, "# TYPE {name} {kind}");
        if !unit.is_empty() {
            let _ = writeln!(self.0, "# UNIT {name} {unit}");
        }
        let _ = writeln!(self.0, "# HELP {name} {help}");
    }

    fn sample(&mut self, name: &str, labels: &str, value: impl std::fmt::Display) {
        let _ = match labels {
            "" => writeln!(self.0, "{name} {value}"),
            labels => writeln!(self.0, "{name}{{{labels}}} {value}"),
        };
    }

    /// A gauge with one value, which is left out where it is not known.
    fn gauge(&mut self, name: &str, unit: &str, help: &str, value: Option<impl std::fmt::Display>) {
        if let Some(value) = value {
            self.family(name, "gauge", unit, help);
            self.sample(name, "", value);
        }
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, "counter", "", help);
        self.sample(&format!("{name}_total"), "", value);
    }

    fn journal(&mut self, readings: &Readings<'_>) {
        if !readings.counts.is_empty() {
            self.family("eps_operations", "gauge", "", "Operations in the journal by state and code.");
            for (state, code, count) in &readings.counts {
                let name = Code::from_number(*code).map_or("EPS_UNKNOWN", |code| code.row().name);
                self.sample("eps_operations", &format!("state=\"{state}\",code=\"{name}\""), count);
            }
        }
        if let Some(operations) = &readings.operations {
            let age = |at: Option<Millis>| seconds(at.map_or(0, |at| readings.now.saturating_sub(at)));
            let pending = operations.oldest_pending.map(|(at, _)| at);
            let help = "Age of the oldest pending operation; 0 without one.";
            self.gauge("eps_oldest_pending_age_seconds", "seconds", help, Some(age(pending)));
            let help = "Time since the oldest unacknowledged outcome became known; 0 without one.";
            let oldest = age(operations.oldest_unacknowledged);
            self.gauge("eps_oldest_unacknowledged_age_seconds", "seconds", help, Some(oldest));
            self.gauge("eps_review_operations", "", "Operations in manual review.", Some(operations.review));
            let help = "Points of pending purchases, as far as they are known.";
            self.gauge("eps_pending_points", "", help, Some(operations.points));
        }
        self.gauge("eps_journal_bytes", "bytes", "Size of the journal.", readings.sizes.map(|(journal, _)| journal));
        let help = "Size of the journal's write-ahead log.";
        self.gauge("eps_wal_bytes", "bytes", help, readings.sizes.map(|(_, log)| log));
        if let Some(commits) = readings.commits {
            let name = "eps_journal_commit_duration_seconds";
            self.family(name, "histogram", "seconds", "Duration of the journal's commits.");
            self.histogram(name, "", commits);
        }
    }

    fn requests(&mut self, stats: &Stats) {
        let name = "eps_request_duration_seconds";
        self.family(name, "histogram", "seconds", "Duration of the requests by resource.");
        for (resource, requests) in RESOURCES.iter().zip(&stats.requests) {
            self.histogram(name, &format!("call=\"{resource}\""), requests);
        }
        self.family("eps_outcomes", "counter", "", "Outcomes that became known.");
        for (outcome, count) in
            [("completed", &stats.completed), ("declined", &stats.declined), ("notSent", &stats.not_sent)]
        {
            self.sample("eps_outcomes_total", &format!("outcome=\"{outcome}\""), count.get());
        }
        self.counter("eps_status_queries", "Status queries.", stats.status_queries.get());
        self.counter("eps_retries", "Attempts with an id that was sent before.", stats.retries.get());
        self.counter("eps_rate_limited", "Responses with status 429.", stats.rate_limited.get());
    }

    fn server(&mut self, stats: &Stats, readings: &Readings<'_>) {
        let name = "eps_last_success_timestamp_seconds";
        let help = "Time of the last response with a success.";
        self.gauge(name, "seconds", help, stats.last_success_at().map(seconds));
        let skew = readings.skew_ms.map(|ms| {
            let sign = if ms < 0 { "-" } else { "" };
            format!("{sign}{}", seconds(ms.unsigned_abs()))
        });
        let help = "How far the till's clock is ahead of Engage's.";
        self.gauge("eps_clock_skew_seconds", "seconds", help, skew);
        let name = "eps_certificate_expiry_timestamp_seconds";
        let help = "Time at which the first certificate of the server's chain expires.";
        self.gauge(name, "seconds", help, readings.certificate_expires_at.map(seconds));
    }

    fn histogram(&mut self, name: &str, labels: &str, histogram: &Histogram) {
        let (buckets, count, sum_us) = histogram.read();
        let comma = if labels.is_empty() { "" } else { "," };
        let bounds = BOUNDS_MS.map(seconds);
        let all = [("+Inf".to_owned(), count)];
        for (bound, count) in bounds.into_iter().zip(buckets).chain(all) {
            self.sample(&format!("{name}_bucket"), &format!("{labels}{comma}le=\"{bound}\""), count);
        }
        self.sample(&format!("{name}_count"), labels, count);
        let sum = format!("{}.{:06}", sum_us / 1_000_000, sum_us % 1_000_000);
        self.sample(&format!("{name}_sum"), labels, sum);
    }
}

/// Returns ms in seconds, exactly: `0.25`, `5.0`.
fn seconds(ms: Millis) -> String {
    let text = format!("{}.{:03}", ms / 1_000, ms % 1_000);
    let text = text.trim_end_matches('0');
    if text.ends_with('.') { format!("{text}0") } else { text.to_owned() }
}
