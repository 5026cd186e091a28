//! `doctor` and `stats --metrics`.

use super::support::{COFFEE, GATEWAY_ERROR, LOAD, Store, buy, item};
use engage_sandbox::seed::demo;
use engage_sandbox::{Effect, Fault, FaultResponse, MemberDeparture, Operation};
use serde_json::{Value, json};
use std::net::TcpListener;

fn status<'a>(result: &'a Value, name: &str) -> &'a str {
    let check = result["checks"].as_array().unwrap().iter().find(|check| check["name"] == name);
    check.map_or("missing", |check| check["status"].as_str().unwrap())
}

#[test]
fn sound_till_is_found_sound_beside_itself_and_alone() {
    let store = Store::open();
    let till = store.till();
    buy(&till, COFFEE, "receipt");
    let result = store.eps(&["doctor", "--json"]).json();
    assert_eq!((status(&result, "journal"), status(&result, "key")), ("ok", "ok"), "{result:#}");
    till.close();
    drop(till);
    let result = store.eps(&["doctor", "--json"]).json();
    assert_eq!((status(&result, "journal"), status(&result, "key")), ("ok", "ok"), "{result:#}");
    store.eps(&["doctor", "--offline"]).says(&["ok", "journal"]);
}

#[test]
fn each_broken_part_has_its_exit_code_and_action() {
    let store = Store::open();
    store.till().close();
    let doctor = |extra: &Value| {
        store.write_config(extra);
        store.eps(&["doctor", "--wait-ms", "5000"])
    };
    doctor(&json!({ "apiKey": "wrong" })).ends(4).says(&["fail", "key", "→ The administrator"]);
    doctor(&json!({ "baseUrl": "http://127.0.0.1:1", "caFile": null })).ends(3).says(&["fail", "→"]);
    doctor(&json!({ "caFile": "/nowhere/ca.pem" })).ends(2).says(&["configuration", "/nowhere/ca.pem"]);
    doctor(&json!({ "journalPath": store.path("missing/journal.db") })).ends(5).says(&["fail", "journal"]);
    std::fs::write(store.path("foreign.db"), vec![7; 4096]).unwrap();
    doctor(&json!({ "journalPath": store.path("foreign.db") })).ends(5).says(&["EPS_JOURNAL"]);
}

#[test]
fn what_does_not_respond_is_named_with_what_to_do() {
    let store = Store::open();
    store.till().close();
    // A listener that accepts and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = |scheme: &str| format!("{scheme}://{}", silent.local_addr().unwrap());
    let action = |extra: &Value, wait_ms: &str, name: &str| {
        store.write_config(extra);
        let result = store.eps(&["doctor", "--wait-ms", wait_ms, "--json"]).ends(3).json();
        let check = result["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap().clone();
        (check["status"].as_str().unwrap().to_owned(), check["action"].as_str().unwrap().to_owned())
    };
    let proxy = json!({ "proxy": url("http") });
    for (extra, name, advice) in [
        (&proxy, "connect", "checks the proxy's address"),
        (&json!({ "baseUrl": url("https") }), "tls", "docs/operating/network"),
    ] {
        let (status, action) = action(extra, "3000", name);
        assert!(status == "fail" && action.contains(advice), "{status} {action}");
    }
    let (status, action) = action(&proxy, "100", "connect");
    assert_eq!((&*status, &*action), ("unknown", "Ask again with a longer waitMs."));
    // An action that several checks share is printed once.
    let run = store.eps(&["doctor", "--wait-ms", "100"]);
    assert_eq!(run.out.matches('→').count(), 3, "{}", run.out);
}

#[test]
fn rejection_by_a_relay_is_no_fault_of_the_key() {
    let store = Store::open();
    store.till().close();
    let body = Some(r#"{"errorCode":"RelayCertificateRequired"}"#.into());
    let response = FaultResponse { body, ..FaultResponse::status(403) };
    store.sandbox.arm(Fault::on(Operation::Purchases, Effect::Status(response)).times(0));
    store.write_config(&json!({ "apiKey": null }));
    store.eps(&["doctor"]).ends(4).says(&["RelayCertificateRequired", "docs/support/EPS_FORBIDDEN"]);
}

#[test]
fn member_who_was_merged_is_found_and_the_purchase_too() {
    let store = Store::open();
    store.till().close();
    let id = store.buy_pending(item(GATEWAY_ERROR), "receipt", &json!({}), 17);
    store.sandbox.depart(MemberDeparture { contact_id: demo::LOAD, into: Some(demo::ASTRID) }).unwrap();
    store.eps(&["resolve", &id]).ends(1);
    let result = store.eps(&["doctor", "--json"]).ends(1).json();
    assert_eq!(status(&result, "pending"), "warn", "{result:#}");
    store.eps(&["doctor"]).says(&["no longer", "docs/support/EPS_PENDING"]);
    store.eps(&["history", &LOAD.to_string()]).says(&["If the member was merged", "docs/support/EPS_PENDING"]);
    store.eps(&["history", &demo::ASTRID.to_string()]).ends(1).says(&[&id, "Completed", "pending", "merged"]);
}

#[test]
fn misspelt_key_is_named_with_the_one_that_is_meant() {
    let store = Store::open();
    store.write_config(&json!({ "waitMS": 1 }));
    store.eps(&["doctor"]).ends(2).says(&["unknown key waitMS; did you mean waitMs?"]);
}

/// The checks of the journal, but the one that says why it does not open.
const OF_THE_JOURNAL: [&str; 7] = ["owner", "whole", "tenant", "disk", "pending", "review", "unacknowledged"];

#[test]
fn journal_that_does_not_open_leaves_its_checks_unknown() {
    let store = Store::open();
    store.write_config(&json!({ "journalPath": store.path("missing/journal.db") }));
    let result = store.eps(&["doctor", "--json"]).ends(5).json();
    assert_eq!((status(&result, "journal"), status(&result, "key")), ("fail", "ok"), "{result:#}");
    for name in OF_THE_JOURNAL {
        assert_eq!(status(&result, name), "unknown", "{name}: {result:#}");
    }
}

#[test]
fn journal_of_a_new_till_is_made_at_its_first_start() {
    let store = Store::open();
    store.write_config(&json!({ "journalPath": store.path("new.db") }));
    let result = store.eps(&["doctor", "--json"]).ends(0).json();
    assert_eq!((status(&result, "journal"), status(&result, "key")), ("ok", "ok"), "{result:#}");
    assert!(!store.path("new.db").exists(), "the doctor makes none");
    store.eps(&["doctor"]).says(&["There is no journal yet", "new.db"]);
    store.write_config(&json!({ "journalPath": store.path("missing/journal.db") }));
    store.eps(&["doctor"]).ends(5).says(&["missing/journal.db", "docs/support/EPS_JOURNAL"]);
}

#[test]
fn log_file_that_cannot_be_written_is_found() {
    let store = Store::open();
    store.till().close();
    let log = store.path("till.log");
    let doctor = || store.eps(&["doctor", "--offline", "--json"]).json();
    store.write_config(&json!({ "logFile": log }));
    assert_eq!(status(&doctor(), "logFile"), "ok");
    assert!(!log.exists(), "a check makes no file");
    store.write_config(&json!({ "logFile": store.path("missing/till.log") }));
    assert_eq!(status(&doctor(), "logFile"), "fail");
    store.write_config(&json!({ "logFile": store.folder.path() }));
    assert_eq!(status(&doctor(), "logFile"), "fail");
    #[cfg(unix)]
    {
        assert!(std::process::Command::new("mkfifo").arg(&log).status().unwrap().success());
        store.write_config(&json!({ "logFile": log }));
        let run = store.eps(&["doctor", "--offline", "--json"]).ends(1);
        assert!(run.out.contains("is not a regular file"), "{}", run.out);
    }
}

#[test]
fn pending_purchase_shows_in_the_metrics() {
    let store = Store::open();
    store.write_config(&json!({}));
    store.buy_pending(item(GATEWAY_ERROR), "receipt", &json!({}), 17);
    let run = store.eps(&["stats", "--metrics"]).ends(0);
    assert!(run.out.ends_with("# EOF\n") && run.out.contains("# TYPE"), "{}", run.out);
}
