//! `doctor` and `stats --metrics`.

use super::support::{COFFEE, GATEWAY_ERROR, Store, buy, item};
use serde_json::{Value, json};

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
