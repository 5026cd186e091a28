//! `list`, `show`, `resolve`, `review`, `history` and `rewards`.

use super::support::{COFFEE, GATEWAY_ERROR, LOAD, Store, buy, contents, eventually, item, parse, unchanged};
use serde_json::{Value, json};

#[test]
fn reading_beside_a_running_till_changes_no_byte() {
    let store = Store::open();
    let till = store.till();
    let done = buy(&till, COFFEE, "receipt 1");
    let open = store.buy_pending(item(GATEWAY_ERROR), "receipt 2", &json!({}), 17);
    let before = contents(store.folder.path());
    let list = store.eps(&["list"]).ends(1).says(&[&done, &open, "receipt 1", "completed", "pending"]);
    assert!(!list.out.contains('\x1b'), "no colour without a terminal");
    store.eps(&["list", "--pending"]).ends(1).says(&[&open]);
    store.eps(&["list", "--review"]).ends(0).says(&["No operation."]);
    store.eps(&["show", &done]).ends(0).says(&["EPS_OK 0", "recorded; the first attempt follows", "Time line"]);
    store.eps(&["show", &open]).ends(1).says(&["EPS_PENDING_SERVER_ERROR", "the library resolves it"]);
    store.eps(&["stats"]).ends(0).says(&["EPS_PENDING_SERVER_ERROR", "pending", "completed"]);
    store.eps(&["journal", "check"]).ends(0).says(&["whole", "2 records", "in use"]);
    store.eps(&["export"]).ends(0);
    store.eps(&["history", &LOAD.to_string()]).ends(1).says(&[&open, "resolvable", "same"]);
    unchanged(store.folder.path(), &before);
    // The till goes on as if nobody had read.
    buy(&till, COFFEE, "receipt 3");
    let json = store.eps(&["list", "--all", "--json"]).ends(1).json();
    assert_eq!(json["operations"].as_array().unwrap().len(), 3);
}

#[test]
fn reading_a_closed_journal_leaves_one_file_and_its_seal() {
    let store = Store::open();
    let till = store.till();
    let done = buy(&till, COFFEE, "receipt");
    till.close();
    drop(till);
    let before = contents(store.folder.path());
    store.eps(&["list"]).ends(0).says(&[&done]);
    store.eps(&["journal", "check"]).ends(0).says(&["whole", "closed"]);
    unchanged(store.folder.path(), &before);
}

#[test]
fn reading_what_a_crash_has_left_changes_no_byte() {
    let store = Store::open();
    let till = store.till();
    let done = buy(&till, COFFEE, "receipt");
    // The files as they are while the till runs, which is how a crash leaves them.
    let crashed = tempfile::tempdir().unwrap();
    for (path, bytes) in contents(store.folder.path()) {
        std::fs::write(crashed.path().join(path.file_name().unwrap()), bytes).unwrap();
    }
    store.write_config(&json!({ "journalPath": crashed.path().join("journal.db") }));
    let before = contents(crashed.path());
    assert!(before.keys().any(|path| path.ends_with("journal.db-wal")));
    store.eps(&["list"]).ends(0).says(&[&done]);
    store.eps(&["show", &done]).ends(0);
    store.eps(&["journal", "check"]).ends(0).says(&["whole", "in use, or its last program was ended"]);
    unchanged(crashed.path(), &before);
    std::fs::remove_file(crashed.path().join("journal.db-shm")).unwrap();
    store.eps(&["list"]).ends(5).says(&["without its index"]);
    store.till_with(&json!({ "journalPath": crashed.path().join("journal.db") })).close();
    store.eps(&["list"]).ends(0).says(&[&done]);
}

#[test]
fn resolve_beside_a_running_till_reaches_the_till() {
    let store = Store::open();
    let till = store.till();
    let first = store.buy_pending(item(GATEWAY_ERROR), "receipt 1", &json!({}), 18);
    let second = store.buy_pending(item(GATEWAY_ERROR), "receipt 2", &json!({}), 19);
    store.eps(&["resolve", &first]).ends(0).says(&[&first, "completed"]);
    let pending = store.eps(&["list", "--pending", "--json"]).ends(1).json();
    assert_eq!(pending["operations"][0]["operationId"], second.as_str());
    store.eps(&["resolve"]).ends(0).says(&[&second, "completed"]);
    let id = engage_point_shop::OperationId::parse(&first, "id").unwrap();
    assert_eq!(parse(&till.get_operation(id).unwrap())["outcome"], "completed");
}

#[test]
fn unreachable_engage_or_a_wrong_key_has_its_exit_code() {
    let store = Store::open();
    store.buy_pending(item(GATEWAY_ERROR), "receipt", &json!({}), 20);
    store.write_config(&json!({ "apiKey": "wrong" }));
    store.eps(&["history", &LOAD.to_string()]).ends(4).says(&["EPS_UNAUTHORIZED"]);
    store.eps(&["resolve", "--wait-ms", "500"]).ends(4).says(&["pending"]);
    store.write_config(&json!({ "baseUrl": "http://127.0.0.1:1", "caFile": null }));
    store.eps(&["history", &LOAD.to_string()]).ends(3).says(&["EPS_OFFLINE"]);
    store.eps(&["resolve", "--wait-ms", "500"]).ends(3).says(&["pending"]);
    store.eps(&["list"]).ends(1);
}

#[test]
fn key_comes_from_the_environment_where_the_file_has_none() {
    let store = Store::open();
    store.till().close();
    let path = store.write_config(&json!({ "apiKey": null }));
    let history = || super::support::command(&["history", &LOAD.to_string(), "--config", path.to_str().unwrap()]);
    assert_eq!(history().output().unwrap().status.code(), Some(4));
    let run = history().env("ENGAGE_API_KEY", store.sandbox.api_key()).output().unwrap();
    assert_eq!(run.status.code(), Some(0), "{}", String::from_utf8_lossy(&run.stderr));
}

#[test]
fn review_is_decided_once_with_name_and_note() {
    let store = Store::open();
    // Past the resend limit as soon as its in-flight window is over.
    let extra = json!({ "resendLimitMs": 0, "requestTimeoutMs": 1_000 });
    let till = store.till_with(&extra);
    let id = store.buy_pending(item(0x3b), "receipt", &extra, 21);
    store.eps(&["review", &id, "--declined", "--by", "Eva", "--note", "n"]).ends(1).says(&["EPS_STILL_PENDING"]);
    eventually("the purchase is in review", || {
        let _ = till.resolve_pending(Some(r#"{"waitMs":1000}"#));
        (store.eps(&["list", "--review"]).code == 6).then_some(())
    });
    store.eps(&["list"]).ends(6).says(&["review", &id]);
    store.eps(&["show", &id]).ends(6).says(&["EPS_PENDING_NEEDS_REVIEW", "a person decides"]);
    let review = |more: &[&str]| store.eps(&[&["review", &id], more].concat());
    assert_eq!(review(&["--by", "Eva", "--note", "n"]).code, 2);
    assert_eq!(review(&["--completed", "--declined", "--by", "Eva", "--note", "n"]).code, 2);
    review(&["--declined", "--by", "Eva", "--note", "not in the history"]).ends(0).says(&["declined"]);
    store.eps(&["show", &id]).ends(0).says(&["reviewed as declined by Eva: not in the history"]);
    review(&["--completed", "--by", "Eva", "--note", "n"]).ends(1);
}

#[test]
fn rewards_show_both_views() {
    let store = Store::open();
    let till = store.till();
    let first = buy(&till, COFFEE, "receipt 1");
    buy(&till, COFFEE, "receipt 2");
    let id = engage_point_shop::OperationId::parse(&first, "id").unwrap();
    let reward = parse(&till.find_reward(id, None).unwrap());
    let candidates = reward["candidates"].as_array().unwrap();
    let assignment = candidates[0]["id"].as_str().unwrap();
    let reward = engage_point_shop::AssignmentId::parse(assignment, "id").unwrap();
    till.redeem_reward(Some(LOAD), reward, None).unwrap();
    let run = store.eps(&["rewards", &LOAD.to_string(), "--json"]).ends(0).json();
    let lines: Vec<&Value> = run["lines"].as_array().unwrap().iter().collect();
    assert_eq!(lines.len(), 2, "{run}");
    assert!(lines.iter().any(|line| line["id"] == assignment && line["journal"] == "redeem completed"), "{run}");
    store.eps(&["rewards", &LOAD.to_string()]).ends(0).says(&[assignment, "redeemed", "usable"]);
}
