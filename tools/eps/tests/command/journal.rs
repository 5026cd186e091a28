//! `export`, `backup`, `journal check` and `journal compact`.

use super::support::{COFFEE, GATEWAY_ERROR, Store, buy, contents, item, parse, unchanged};
use engage_point_shop::Client;
use engage_sandbox::judge::{Case, Journal, judge};
use serde_json::json;

#[test]
fn export_passes_the_judge() {
    let store = Store::open();
    let till = store.till();
    for number in 0..3 {
        buy(&till, COFFEE, &format!("receipt {number}"));
    }
    let path = store.path("export.json");
    store.eps(&["export", "-o", path.to_str().unwrap()]).ends(0).says(&["3 operations"]);
    let journal = Journal::from_json("till", &std::fs::read(&path).unwrap()).unwrap();
    let case = |journals: &[Journal]| {
        let ledger = store.sandbox.ledger();
        judge(&Case { ledger: &ledger, journals, resolved: true, partial: false, attempts: None }).pass
    };
    assert!(case(&[journal]));
    assert!(!case(&[Journal::from_json("till", b"{\"operations\":[]}").unwrap()]));
    store.eps(&["export", "-o", path.to_str().unwrap()]).ends(2).says(&["exists"]);
}

#[test]
fn backup_beside_a_running_till_is_a_marked_copy() {
    let store = Store::open();
    let till = store.till();
    let id = buy(&till, COFFEE, "receipt");
    let copy = store.path("copy.db");
    store.eps(&["backup", copy.to_str().unwrap()]).ends(0).says(&["1 operations"]);
    store.eps(&["backup", copy.to_str().unwrap()]).ends(5).says(&["exists already"]);
    store.write_config(&json!({ "journalPath": copy }));
    store.eps(&["list"]).ends(0).says(&[&id]);
    store.eps(&["journal", "check"]).ends(0).says(&["it is a copy"]);
    store.eps(&["resolve"]).ends(5).says(&["EPS_JOURNAL_COPY"]);
    buy(&till, COFFEE, "receipt 2");
}

#[test]
fn damaged_journal_is_reported_and_still_listed() {
    let store = Store::open();
    let till = store.till();
    let id = buy(&till, COFFEE, "another");
    buy(&till, COFFEE, "receipt");
    till.close();
    drop(till);
    let path = store.path("journal.db");
    let mut bytes = std::fs::read(&path).unwrap();
    // The record, and its row of the index.
    while let Some(at) = bytes.windows(7).position(|window| window == b"receipt") {
        bytes[at] = b'R';
    }
    std::fs::write(&path, &bytes).unwrap();
    let before = contents(store.folder.path());
    store.eps(&["journal", "check"]).ends(5).says(&["NOT WHOLE", "1 records are damaged"]);
    store.eps(&["list"]).says(&[&id]);
    std::fs::remove_file(store.path("journal.db-seal")).unwrap();
    store.eps(&["journal", "check"]).ends(5).says(&["its seal is missing or damaged"]);
    assert_eq!(contents(store.folder.path()).len(), before.len() - 1);
}

#[test]
fn missing_foreign_or_older_journal_is_left_as_it_is() {
    let store = Store::open();
    let path = store.path("journal.db");
    store.write_config(&json!({}));
    for command in [&["list"][..], &["resolve"], &["backup", "/nowhere/x"], &["journal", "compact"]] {
        store.eps(command).ends(5).says(&["EPS_JOURNAL_CANNOT_OPEN"]);
        assert!(!path.exists());
    }
    std::fs::write(&path, vec![7; 8192]).unwrap();
    let before = contents(store.folder.path());
    store.eps(&["list"]).ends(5);
    store.eps(&["resolve"]).ends(5);
    unchanged(store.folder.path(), &before);
    std::fs::remove_file(&path).unwrap();
    store.till().close();
    let older = std::process::Command::new("python3")
        .args([
            "-c",
            "import sqlite3,sys; sqlite3.connect(sys.argv[1]).execute('PRAGMA user_version = 1').connection.commit()",
        ])
        .arg(&path)
        .status();
    assert!(older.unwrap().success());
    let before = std::fs::read(&path).unwrap();
    store.eps(&["list"]).ends(5).says(&["earlier version"]);
    store.eps(&["resolve"]).ends(5).says(&["earlier version"]);
    assert_eq!(std::fs::read(&path).unwrap(), before);
    store.write_config(&json!({ "journalPath": null, "journal": "memory" }));
    store.eps(&["list"]).ends(5).says(&["no journalPath"]);
}

#[test]
fn compact_beside_a_running_till_loses_nothing() {
    let store = Store::open();
    let till = store.till();
    for number in 0..20 {
        buy(&till, COFFEE, &format!("receipt {number}"));
    }
    let sizes = store.eps(&["journal", "compact", "--json"]).ends(0).json();
    assert!(sizes["bytesBefore"].is_u64() && sizes["bytesAfter"].is_u64(), "{sizes}");
    let pending = store.buy_pending(item(GATEWAY_ERROR), "after", &json!({}), 17);
    till.close();
    drop(till);
    store.eps(&["journal", "check"]).ends(0).says(&["whole", "21 records"]);
    let again = Client::open(&store.config(&json!({})).to_string()).unwrap();
    let operations = parse(&again.list_operations(None).unwrap());
    assert_eq!(operations["operations"].as_array().unwrap().len(), 21);
    let operations = operations["operations"].as_array().unwrap();
    assert!(operations.iter().any(|operation| operation["operationId"] == pending.as_str()));
}

#[test]
fn journal_of_a_running_or_killed_till_is_not_closed() {
    let store = Store::open();
    let till = store.till();
    buy(&till, COFFEE, "receipt");
    till.close();
    drop(till);
    let is_closed = || store.eps(&["journal", "check", "--json"]).ends(0).json()["isClosed"].clone();
    assert_eq!(is_closed(), true);
    // A till that has written nothing since its start.
    let till = store.till();
    assert_eq!(is_closed(), false);
    store.eps(&["journal", "check"]).says(&["in use, or its last program was ended"]);
    let killed = store.path("killed");
    std::fs::create_dir(&killed).unwrap();
    for name in ["journal.db", "journal.db-seal", "journal.db-wal", "journal.db-shm"] {
        std::fs::copy(store.path(name), killed.join(name)).unwrap();
    }
    till.close();
    drop(till);
    assert_eq!(is_closed(), true);
    store.write_config(&json!({ "journalPath": killed.join("journal.db") }));
    assert_eq!(is_closed(), false, "a copy of the files is that of a killed till");
}
