//! The judge: each rule is violated by one case, and only by it.

use std::fs;
use std::process::{Command, Output};
use std::time::Duration;

use engage_sandbox::judge::{Attempts, Case, Journal, judge};
use engage_sandbox::seed::demo::{ASTRID, BJORN, COFFEE, TOTE_BAG};
use engage_sandbox::{LedgerEntry, RequestEntry, Sandbox, Time};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::Connection;

const ONE: &str = "10000000-0000-4000-8000-000000000001";
const TWO: &str = "10000000-0000-4000-8000-000000000002";
const REWARD: &str = "d0000000-0000-4000-8000-000000000001";

fn line(kind: &str, purchase: &str) -> Value {
    json!({ "seq": 1, "time": "2026-01-01T00:00:00.000Z", "kind": kind, "contactId": ASTRID, "purchaseId": purchase, "itemId": COFFEE,
            "assignmentId": (kind != "deduct").then_some(REWARD), "points": if kind == "deduct" { 100 } else { 0 }, "balanceAfter": 1100 })
}

fn purchase(id: &str, outcome: &str) -> Value {
    json!({ "operationId": id, "kind": "purchase", "outcome": outcome, "purchaseId": id, "contactId": ASTRID, "itemId": COFFEE,
            "reference": format!("receipt {id}"), "acknowledgedAtMs": null, "more": "of a later version" })
}

fn used(id: &str, outcome: &str) -> Value {
    json!({ "operationId": id, "kind": "redeem", "outcome": outcome, "purchaseId": null, "assignmentId": REWARD })
}

fn with(mut operation: Value, key: &str, value: &Value) -> Value {
    operation[key] = value.clone();
    operation
}

/// Returns the rules that a case violates, each with its reason.
fn broken(ledger: &[Value], journals: &[Vec<Value>], resolved: bool, partial: bool) -> Vec<(&'static str, String)> {
    let ledger: Vec<LedgerEntry> = serde_json::from_value(json!(ledger)).unwrap();
    let journals: Vec<Journal> = journals
        .iter()
        .zip(["till 1", "till 2"])
        .map(|(operations, name)| Journal::from_json(name, json!(operations).to_string().as_bytes()).unwrap())
        .collect();
    let verdict = judge(&Case { ledger: &ledger, journals: &journals, resolved, partial, attempts: None });
    assert_eq!(verdict.pass, verdict.reasons().next().is_none());
    verdict.reasons().map(|(rule, why)| (rule, why.to_owned())).collect()
}

#[test]
fn consistent_journals_and_ledger_pass() {
    let ledger = [line("deduct", ONE), line("assign", ONE), line("redeem", ONE)];
    let till = vec![purchase(ONE, "pending"), purchase(ONE, "completed"), used(TWO, "pending"), used(TWO, "completed")];
    assert_eq!(broken(&ledger, std::slice::from_ref(&till), true, false), []);
    // Pending allows both. A till may send an operation again that was not sent before.
    assert_eq!(
        broken(
            &ledger[..1],
            &[vec![purchase(ONE, "notSent"), purchase(ONE, "pending"), purchase(TWO, "pending")]],
            false,
            false
        ),
        []
    );
    // Two tills may use the same receipt number.
    let other = with(purchase(TWO, "declined"), "reference", &purchase(ONE, "completed")["reference"]);
    assert_eq!(broken(&ledger[..2], &[vec![purchase(ONE, "completed")], vec![other]], true, false), []);
    // Another party redeemed the reward first.
    assert_eq!(broken(&ledger, &[till, vec![used(ONE, "declined")]], true, false), []);
}

#[test]
fn every_rule_has_a_case_that_violates_only_it() {
    let deduct = line("deduct", ONE);
    let redeem = line("redeem", ONE);
    let ledger = || vec![deduct.clone()];
    let same_sale = with(purchase(TWO, "completed"), "reference", &purchase(ONE, "completed")["reference"]);
    let other_member = with(purchase(ONE, "completed"), "contactId", &json!(BJORN));
    let other_item = with(purchase(ONE, "completed"), "itemId", &json!(TOTE_BAG));
    let acknowledged = with(purchase(ONE, "pending"), "acknowledgedAtMs", &json!(1));
    let cases = vec![
        (
            [ledger(), ledger()].concat(),
            vec![vec![purchase(ONE, "completed")]],
            "one-deduction",
            "was deducted 2 times",
        ),
        (
            vec![deduct.clone(), line("deduct", TWO)],
            vec![vec![purchase(ONE, "completed"), same_sale]],
            "one-purchase-a-sale",
            "became 2 purchases",
        ),
        (ledger(), vec![vec![other_member]], "own-purchase", "deducted from another member"),
        (ledger(), vec![vec![other_item]], "own-purchase", "for another item"),
        (ledger(), vec![vec![]], "deduction-is-known", "deducted 100 points"),
        (vec![], vec![vec![purchase(ONE, "completed")]], "completed-is-deducted", "and nothing was deducted"),
        (ledger(), vec![vec![purchase(ONE, "declined")]], "declined-is-not-deducted", "till 1: 1000"),
        (ledger(), vec![vec![purchase(ONE, "notSent")]], "declined-is-not-deducted", "is not sent, and"),
        (
            ledger(),
            vec![vec![purchase(ONE, "declined"), purchase(ONE, "completed")]],
            "outcome-stays",
            "was declined and became completed",
        ),
        (
            vec![redeem.clone(), redeem.clone()],
            vec![vec![used(ONE, "completed")]],
            "redeemed-once",
            "was redeemed 2 times",
        ),
        (
            vec![redeem.clone()],
            vec![vec![used(ONE, "completed")], vec![used(TWO, "completed")]],
            "redeemed-once",
            "2 operations report",
        ),
        (vec![redeem], vec![vec![used(ONE, "declined")]], "redeemed-once", "no till reports it"),
        (vec![], vec![vec![used(ONE, "completed")]], "redeemed-once", "was not redeemed"),
        (vec![], vec![vec![acknowledged]], "acknowledged-is-known", "is pending and already acknowledged"),
    ];
    for (ledger, journals, rule, why) in cases {
        let broken = broken(&ledger, &journals, false, false);
        let [(name, reason)] = &broken[..] else { panic!("{rule}: {broken:#?}") };
        assert_eq!(*name, rule);
        assert!(reason.contains(why), "{rule}: {reason} does not contain: {why}");
    }
    assert_eq!(broken(&[], &[vec![purchase(ONE, "pending")]], true, false)[0].0, "nothing-open");
    let review = with(purchase(ONE, "pending"), "needsReview", &json!(true));
    assert_eq!(broken(&[], &[vec![review]], true, false), []);
    // An export without the acknowledged operations is incomplete.
    assert_eq!(broken(&[deduct, line("redeem", ONE)], &[vec![]], true, true), []);
}

#[test]
fn an_export_in_any_form_is_read_and_a_mistake_is_found() {
    let list = json!([purchase(ONE, "pending"), purchase(TWO, "completed")]);
    let lines = format!("{}\n{}\n", purchase(ONE, "pending"), purchase(TWO, "completed"));
    for export in [list.to_string(), json!({ "operations": list }).to_string(), lines] {
        assert_eq!(Journal::from_json("", export.as_bytes()).unwrap().operations.len(), 2, "{export}");
    }
    assert_eq!(Journal::from_json("", b"").unwrap().operations, []);
    for (export, why) in [
        (format!("{}\n{{\"operationId\": 4}}", purchase(ONE, "completed")), "line 2: operationId: invalid type"),
        (
            "{\"operations\": [\n{\"operationId\": \"4\"}]}".to_owned(),
            "line 2: operations[0].operationId: UUID parsing",
        ),
        ("{\"operations\": [".to_owned(), "line 1: operations: EOF"),
        ("[{}]".to_owned(), "line 1: [0].operationId: missing field"),
    ] {
        let error = Journal::from_json("", export.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(why), "{error} is not {why}");
    }
}

#[test]
fn the_route_and_the_command_judge_the_running_sandbox() {
    let sandbox = Sandbox::builder().start();
    let mut till = Connection::open(&sandbox);
    let id = Uuid::new_v4();
    till.buy(ASTRID, id, COFFEE);
    let export = |outcome| json!({ "operations": [purchase(&id.to_string(), outcome)] });
    let verdict = till.post("/_sandbox/judge", &json!({ "journals": [export("completed")], "resolved": true })).json();
    assert_eq!((&verdict["pass"], &verdict["found"]["deductions"]), (&json!(true), &json!(1)));
    let bad = till.post("/_sandbox/judge", &json!({ "journals": [{ "operations": [{}] }] }));
    assert_eq!((bad.status, &bad.json()["field"]), (400, &json!("journals[0].operations[0].operationId")));

    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("till.json"), export("completed").to_string()).unwrap();
    fs::write(path("liar.json"), export("declined").to_string()).unwrap();
    fs::write(path("ledger.json"), till.get("/_sandbox/ledger").body).unwrap();
    fs::write(path("bad.json"), "{\n\"operations\": 1}").unwrap();
    let run = |ledger: &str, journals: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_engage-sandbox"));
        command.args([
            "judge",
            "--resolved",
            "--ledger",
            ledger,
            "--junit",
            &path("junit.xml"),
            "--json",
            &path("verdict.json"),
        ]);
        let Output { status, stdout, stderr } =
            command.arg("--journal").args(journals.iter().map(|name| path(name))).output().unwrap();
        let text = String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap();
        (status.code().unwrap(), text)
    };
    for ledger in [sandbox.http_url(), path("ledger.json")] {
        let (code, output) = run(&ledger, &["till.json"]);
        assert_eq!((code, &*output), (0, "pass: 1 operations (0 pending), 1 deductions, 0 redeemed rewards\n"));
        let (code, output) = run(&ledger, &["liar.json"]);
        assert_eq!(code, 1);
        assert!(output.starts_with("FAIL") && output.contains("declined-is-not-deducted: liar: "), "{output}");
        let junit = fs::read_to_string(path("junit.xml")).unwrap();
        assert!(
            junit.contains("failures=\"1\"") && junit.contains("is declined, and the points were deducted"),
            "{junit}"
        );
        let verdict: Value = serde_json::from_str(&fs::read_to_string(path("verdict.json")).unwrap()).unwrap();
        assert_eq!(verdict["pass"], false);
    }
    for (ledger, journal, why) in [
        (path("ledger.json"), "bad.json", "bad.json: line 2: operations: invalid type"),
        (path("nowhere.json"), "till.json", "nowhere.json: No such file"),
        (path("till.json"), "till.json", "invalid type: map"),
        (sandbox.https_url(), "till.json", "http address"),
        (format!("{}/api", sandbox.http_url()), "till.json", "/api returned status 404"),
    ] {
        let (code, output) = run(&ledger, &[journal]);
        assert!(code == 2 && output.contains(why), "{code} {output} is not: {why}");
    }
}

#[test]
fn judge_reads_a_journal_file_with_its_log() {
    let sandbox = Sandbox::builder().start();
    let mut till = Connection::open(&sandbox);
    let id = Uuid::new_v4();
    till.buy(ASTRID, id, COFFEE);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("till.db");
    let journal = rusqlite::Connection::open(&path).unwrap();
    // The purchase stays in the write-ahead log while the connection is open.
    journal.pragma_update(None, "journal_mode", "wal").unwrap();
    journal.pragma_update(None, "application_id", 0x4550_536A).unwrap();
    journal
        .execute_batch(
            "CREATE TABLE operation (id, kind, contact, item, assignment, reference, state, code, recorded_at, acknowledged_at)",
        )
        .unwrap();
    let judge = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_engage-sandbox"));
        command.args(["judge", "--resolved", "--ledger", &sandbox.http_url(), "--journal"]).arg(&path);
        let Output { status, stdout, stderr } = command.output().unwrap();
        (status.code().unwrap(), String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap())
    };
    let (code, said) = judge();
    assert!(code == 1 && said.contains("deduction-is-known: purchase"), "{said}");
    let purchase = (id.as_bytes(), ASTRID.as_bytes(), COFFEE.as_bytes());
    journal
        .execute(
            "INSERT INTO operation VALUES (?1, 'purchase', ?2, ?3, NULL, 'receipt 1', 'inDoubt', -520, 1, 2)",
            purchase,
        )
        .unwrap();
    // It is handed over to a person, who has acknowledged it.
    let (code, said) = judge();
    assert!(code == 0 && said.starts_with("pass: 1 operations (1 pending)"), "{said}");
    for (change, rule) in [
        ("state = 'inDoubt', code = -501, acknowledged_at = NULL", "nothing-open"),
        ("state = 'declined'", "declined-is-not-deducted: till: "),
        ("state = 'completed', item = contact", "own-purchase: till: "),
    ] {
        journal.execute(&format!("UPDATE operation SET {change}"), []).unwrap();
        let (code, said) = judge();
        assert!(code == 1 && said.contains(rule), "{change}: {said}");
    }
    journal.pragma_update(None, "application_id", 7).unwrap();
    let (code, said) = judge();
    assert!(
        code == 2 && said.contains("till.db: the database is no journal") || said.contains("no journal of the library"),
        "{said}"
    );
}

/// Returns the violations of the rules of the purchase requests. Each request has a time in ms,
/// a member and, if it has a response, a status.
fn broken_attempts(
    journal: &[Value],
    requests: &[(i64, Uuid, Option<u16>)],
    partial: bool,
) -> Vec<(&'static str, String)> {
    let journal = Journal::from_json("till 1", json!(journal).to_string().as_bytes()).unwrap();
    let requests: Vec<RequestEntry> = (1..)
        .zip(requests)
        .map(|(seq, &(time, contact, status))| RequestEntry {
            seq,
            time: Time::from_millis(time),
            purchase_id: ONE.parse().ok(),
            contact_id: Some(contact),
            status,
            ..RequestEntry::default()
        })
        .collect();
    let attempts = Some(Attempts { requests: &requests, in_flight_window: Duration::from_millis(1100) });
    let verdict = judge(&Case { ledger: &[], journals: &[journal], resolved: false, partial, attempts });
    assert_eq!(verdict.rules.len(), 12);
    verdict.reasons().map(|(rule, why)| (rule, why.to_owned())).collect()
}

#[test]
fn purchase_requests_without_record_or_window_are_violations() {
    let journal = [with(purchase(ONE, "pending"), "recordedAtMs", &json!(5000))];
    let none = None::<u16>;
    for requests in [
        // One repeat at once, because the connection was reset, and two for each window.
        &[(5010, ASTRID, none), (5020, ASTRID, none), (6100, ASTRID, none), (6110, ASTRID, none)][..],
        // A response allows the next request at once, and that one's repeat.
        &[(5010, ASTRID, none), (5020, ASTRID, Some(503)), (5040, ASTRID, none), (5050, ASTRID, none)],
        // The first request arrived long after it was sent.
        &[(6090, ASTRID, none), (6100, ASTRID, none), (6110, ASTRID, none), (6120, ASTRID, none)],
    ] {
        assert_eq!(broken_attempts(&journal, requests, false), []);
    }
    assert_eq!(broken_attempts(&[], &[(5010, ASTRID, none)], true), []);
    for (journal, requests, rule, why) in [
        (&[][..], vec![(5010, ASTRID, none)], "attempt-is-recorded", "no journal holds it"),
        (&journal, vec![(5010, BJORN, none)], "attempt-is-recorded", "till 1: purchase 1000"),
        (
            &journal,
            vec![(5010, ASTRID, none), (5020, ASTRID, none), (6099, ASTRID, none)],
            "in-flight-window",
            "3 times without a response within 1099 ms, and 2 times are allowed, in request 3",
        ),
        (
            &journal,
            vec![
                (5010, ASTRID, none),
                (5020, ASTRID, Some(503)),
                (5030, ASTRID, none),
                (5040, ASTRID, none),
                (5050, ASTRID, none),
                (5060, ASTRID, none),
            ],
            "in-flight-window",
            "5 times without a response within 60 ms, and 4 times are allowed, in request 6",
        ),
    ] {
        let broken = broken_attempts(journal, &requests, false);
        let [(name, reason)] = &broken[..] else { panic!("{rule}: {broken:#?}") };
        assert!(*name == rule && reason.contains(why), "{name}: {reason} does not contain: {why}");
    }
}
