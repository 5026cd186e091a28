//! `eps_read_metrics`: the text is strict OpenMetrics, it counts what happens, and the alert rules
//! and the dashboard name only metrics that it has.
#![allow(clippy::float_cmp)] // The values are whole numbers.

use crate::support::{ASTRID, COFFEE, LOAD, Store, buy, buy_pending, resolved};
use engage_point_shop::Client;
use engage_sandbox::{Effect, Fault, FaultResponse, Operation};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// One metric family: its type, and its samples with their labels.
#[derive(Debug, Default)]
struct Family {
    kind: String,
    samples: Vec<(String, BTreeMap<String, String>, f64)>,
}

/// Parses a text by the rules of OpenMetrics 1.0 that this text can break. Panics with the line.
fn parse(text: &str) -> BTreeMap<String, Family> {
    let body = text.strip_suffix("# EOF\n").expect("the text ends with # EOF");
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut current = String::new();
    let mut seen = BTreeSet::new();
    for line in body.lines() {
        assert!(!line.is_empty() && line == line.trim(), "{line:?}");
        if let Some(comment) = line.strip_prefix("# ") {
            let (word, rest) = comment.split_once(' ').unwrap_or_else(|| panic!("{line:?}"));
            let (name, value) = rest.split_once(' ').unwrap_or_else(|| panic!("{line:?}"));
            match word {
                "TYPE" => {
                    assert!(["counter", "gauge", "histogram", "info"].contains(&value), "{line:?}");
                    let family = Family { kind: value.to_owned(), ..Family::default() };
                    assert!(families.insert(name.to_owned(), family).is_none(), "{line:?}: twice");
                    name.clone_into(&mut current);
                }
                "UNIT" => assert!(name == current && name.ends_with(&format!("_{value}")), "{line:?}"),
                "HELP" => assert!(name == current && value.ends_with('.'), "{line:?}"),
                _ => panic!("{line:?}"),
            }
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line:?}"));
        assert!(seen.insert(series.to_owned()), "{line:?}: twice");
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line:?}"));
        let (name, labels) = match series.split_once('{') {
            None => (series, BTreeMap::new()),
            Some((name, labels)) => (name, labels_of(labels.strip_suffix('}').unwrap())),
        };
        let family = families.get_mut(&current).unwrap_or_else(|| panic!("{line:?} is of no family"));
        let suffix = name.strip_prefix(&current).unwrap_or_else(|| panic!("{line:?} is not of {current}"));
        let allowed: &[&str] = match family.kind.as_str() {
            "counter" => &["_total"],
            "gauge" => &[""],
            "info" => &["_info"],
            _ => &["_bucket", "_count", "_sum"],
        };
        assert!(allowed.contains(&suffix) && value.is_finite(), "{line:?}");
        assert!(family.kind != "counter" || value >= 0.0, "{line:?}");
        family.samples.push((name.to_owned(), labels, value));
    }
    for (name, family) in families.iter().filter(|(_, family)| family.kind == "histogram") {
        check_histogram(name, family);
    }
    families
}

fn labels_of(text: &str) -> BTreeMap<String, String> {
    text.split(',')
        .map(|label| {
            let (name, value) = label.split_once('=').unwrap_or_else(|| panic!("{label:?}"));
            let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
            let value = value.filter(|value| !value.contains(['"', '\\', '\n'])).unwrap_or_else(|| panic!("{label:?}"));
            (name.to_owned(), value.to_owned())
        })
        .collect()
}

/// The buckets grow, the last one is +Inf, and it is the count.
fn check_histogram(name: &str, family: &Family) {
    let mut series: BTreeMap<Option<String>, Vec<(f64, f64)>> = BTreeMap::new();
    for (sample, labels, value) in &family.samples {
        let buckets = series.entry(labels.get("call").cloned()).or_default();
        if sample.ends_with("_bucket") {
            let bound = if labels["le"] == "+Inf" { f64::INFINITY } else { labels["le"].parse().unwrap() };
            assert!(buckets.last().is_none_or(|last| last.0 < bound && last.1 <= *value), "{name} {labels:?}");
            buckets.push((bound, *value));
        } else if sample.ends_with("_count") {
            assert_eq!(buckets.last(), Some(&(f64::INFINITY, *value)), "{name} {labels:?}");
        }
    }
}

fn read(client: &Client) -> BTreeMap<String, Family> {
    parse(std::str::from_utf8(&client.read_metrics().unwrap()).unwrap())
}

/// Returns the value of a sample with these labels.
fn value(families: &BTreeMap<String, Family>, sample: &str, labels: &[(&str, &str)]) -> f64 {
    let all = families.values().flat_map(|family| &family.samples);
    let has = |found: &BTreeMap<String, String>| labels.iter().all(|(name, value)| found[*name] == *value);
    let mut found = all.filter(|(name, labels, _)| name == sample && has(labels));
    found.next().unwrap_or_else(|| panic!("no {sample} with {labels:?} in {families:#?}")).2
}

/// Returns a client that has sold, waits and was throttled, so that every metric has a value.
fn busy(store: &Store) -> Client {
    let client = store.client_with(&json!({ "journalPath": store.journal(), "retryScheduleMs": [86_400_000] }));
    client.list_items(LOAD, None).unwrap();
    buy(&client, ASTRID, COFFEE, &json!({ "reference": "completed" })).unwrap();
    store.sandbox.arm(Fault::on(Operation::Purchases, Effect::Status(FaultResponse::status(429))));
    client.list_purchases(ASTRID, None).unwrap_err();
    store.sandbox.arm(Fault::on(Operation::Purchase, Effect::StallBeforeCommit));
    buy_pending(&client, LOAD, COFFEE, &json!({ "reference": "pending" }));
    client
}

#[test]
fn metrics_count_what_has_happened() {
    let store = Store::open();
    let client = busy(&store);
    let metrics = read(&client);
    let completed = [("state", "completed"), ("code", "EPS_OK")];
    assert_eq!(value(&metrics, "eps_operations", &completed), 1.0);
    let cost = |client: &Client| -> Value { crate::support::parse(&client.list_items(LOAD, None).unwrap()) };
    let id = COFFEE.to_string();
    let points =
        cost(&client).as_array().unwrap().iter().find(|item| item["id"] == id.as_str()).unwrap()["cost"].clone();
    assert_eq!(Some(value(&metrics, "eps_pending_points", &[])), points.as_f64());
    assert_eq!(value(&metrics, "eps_rate_limited_total", &[]), 1.0);
    assert_eq!(value(&metrics, "eps_outcomes_total", &[("outcome", "completed")]), 1.0);
    assert_eq!(value(&metrics, "eps_request_duration_seconds_count", &[("call", "items")]), 1.0);
    assert_eq!(value(&metrics, "eps_request_duration_seconds_count", &[("call", "redeem")]), 0.0);
    assert!(value(&metrics, "eps_journal_commit_duration_seconds_count", &[]) >= 2.0);
    assert!(value(&metrics, "eps_wal_bytes", &[]) > 0.0 && value(&metrics, "eps_journal_bytes", &[]) > 0.0);
    let now = value(&metrics, "eps_last_success_timestamp_seconds", &[]);
    assert!(value(&metrics, "eps_certificate_expiry_timestamp_seconds", &[]) > now);
    assert!(value(&metrics, "eps_clock_skew_seconds", &[]).abs() < 60.0);
    assert_eq!(value(&metrics, "eps_build_info", &[("version", engage_point_shop::VERSION)]), 1.0);
}

#[test]
fn metrics_without_a_journal_are_valid() {
    let store = Store::open();
    let metrics = read(&store.client_with(&json!({ "journal": null })));
    assert!(!metrics.contains_key("eps_operations") && metrics.contains_key("eps_build"), "{metrics:#?}");
}

#[test]
fn broken_texts_are_rejected_by_the_parser() {
    let store = Store::open();
    let good = String::from_utf8(busy(&store).read_metrics().unwrap()).unwrap();
    for (from, to) in [
        ("# EOF\n", ""),
        ("eps_rate_limited_total", "eps_rate_limited"),
        ("# TYPE eps_retries counter\n", ""),
        ("le=\"0.005\"", "le=\"7\""),
        ("# UNIT eps_wal_bytes bytes", "# UNIT eps_wal_bytes seconds"),
        ("eps_review_operations 0", "eps_review_operations NaN"),
    ] {
        let broken = good.replacen(from, to, 1);
        assert_ne!(good, broken, "{from}");
        assert!(std::panic::catch_unwind(|| parse(&broken)).is_err(), "{from} as {to}");
    }
}

/// Returns the metrics that a query names.
fn names_in(query: &str) -> BTreeSet<String> {
    let words = query.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with("eps_")).map(str::to_owned).collect()
}

fn file(name: &str) -> String {
    std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// Returns every string of a JSON value under a key.
fn texts<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get(key).and_then(Value::as_str));
            members.values().for_each(|member| texts(member, key, found));
        }
        Value::Array(elements) => elements.iter().for_each(|element| texts(element, key, found)),
        _ => {}
    }
}

#[test]
fn alerts_and_dashboard_name_only_metrics_that_exist() {
    let store = Store::open();
    let client = busy(&store);
    let families = read(&client);
    let samples: BTreeSet<&String> =
        families.values().flat_map(|family| &family.samples).map(|(name, ..)| name).collect();
    let dashboard: Value = serde_json::from_str(&file("packaging/monitoring/dashboard.json")).unwrap();
    let mut queries = Vec::new();
    texts(&dashboard, "expr", &mut queries);
    let rules = file("packaging/monitoring/alerts.yml");
    let expressions: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("expr: ")).collect();
    assert!(queries.len() >= 8 && expressions.len() >= 8, "{queries:?} {expressions:?}");
    for query in queries.iter().chain(&expressions) {
        let names = names_in(query);
        assert!(!names.is_empty(), "{query} names no metric");
        for name in names {
            assert!(samples.contains(&name), "{query} names {name}");
        }
    }
}

#[test]
fn each_alert_has_a_page_that_says_what_to_do() {
    let rules = file("packaging/monitoring/alerts.yml");
    let page = file("docs/alerts.md");
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    let links: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("runbook_url: ")).collect();
    assert!(alerts.len() >= 8 && alerts.len() == links.len(), "{alerts:?} {links:?}");
    for (alert, link) in alerts.iter().zip(links) {
        assert!(page.contains(&format!("\n## {alert}\n")), "docs/alerts.md lacks {alert}");
        let anchor = format!("docs/alerts.md#{}", alert.to_ascii_lowercase());
        assert_eq!(link, anchor, "{alert}");
    }
    assert_eq!(page.matches("\n## ").count(), alerts.len(), "docs/alerts.md has a page without an alert");
}

#[test]
fn resolved_purchase_leaves_the_pending_metrics() {
    let store = Store::open();
    let client = store.durable_client();
    store.sandbox.arm(Fault::on(Operation::Purchase, Effect::ResetAfterCommit));
    store.sandbox.arm(Fault::on(Operation::Purchases, Effect::Status(FaultResponse::status(503))).times(0));
    let pending = buy_pending(&client, LOAD, COFFEE, &json!({ "reference": "pending" }));
    store.sandbox.clear_faults();
    resolved(&client, pending.operation().unwrap());
    let metrics = read(&client);
    assert_eq!(value(&metrics, "eps_oldest_pending_age_seconds", &[]), 0.0);
    assert_eq!(value(&metrics, "eps_pending_points", &[]), 0.0);
    assert!(value(&metrics, "eps_status_queries_total", &[]) >= 1.0);
}
