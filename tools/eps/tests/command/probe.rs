//! `probe` against every dialect and world of the sandbox: the mapping that it prints makes a
//! purchase pass there.

use super::support::{COFFEE, LOAD, Run, Store, parse};
use engage_point_shop::{AssignmentId, Client, ContactId, OperationId};
use engage_sandbox::seed::demo;
use engage_sandbox::{ApiMapping, LedgerKind};
use serde_json::{Value, json};
use std::io::{Read, Write};

const ASTRID: ContactId = ContactId::from_uuid(demo::ASTRID);

fn speaks(store: &Store, words: &Value) {
    store.sandbox.set_api_mapping(serde_json::from_value::<ApiMapping>(words.clone()).unwrap()).unwrap();
}

/// Sets undocumented behaviour of the sandbox.
fn world(store: &Store, world: &Value) {
    let address = store.sandbox.http_url();
    let mut stream = std::net::TcpStream::connect(address.strip_prefix("http://").unwrap()).unwrap();
    let body = world.to_string();
    let head = format!(
        "POST /_sandbox/world HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
}

fn probe(store: &Store, more: &[&str]) -> Run {
    let (contact, item) = (ASTRID.to_string(), COFFEE.to_string());
    store.eps(&[&["probe", "--as", &contact, "--buy", &item, "--yes"], more].concat())
}

/// A till that assumes what the library assumes.
fn assumed() -> Value {
    json!({ "historyLagMs": null })
}

fn deductions(store: &Store) -> usize {
    store.sandbox.ledger().iter().filter(|entry| entry.kind == LedgerKind::Deduct).count()
}

/// Sells and redeems with a till that has the printed settings.
#[track_caller]
fn sells(store: &Store, settings: &Value) {
    let mut config = store.config(settings);
    config["journalPath"] = json!(store.path("sells.db"));
    let till = Client::open(&config.to_string()).unwrap();
    let options = json!({ "reference": "receipt", "waitMs": 5_000 }).to_string();
    let bought = till.purchase(LOAD, COFFEE, Some(&options));
    let bought = parse(&bought.unwrap_or_else(|error| error.to_json()));
    assert_eq!(bought["outcome"], "completed", "{settings} {bought:#}");
    let id = OperationId::parse(bought["operationId"].as_str().unwrap(), "id").unwrap();
    let found = parse(&till.find_reward(id, None).unwrap());
    let reward = AssignmentId::parse(found["assignmentId"].as_str().unwrap(), "id").unwrap();
    let redeemed = parse(&till.redeem_reward(Some(LOAD), reward, None).unwrap_or_else(|error| error.to_json()));
    assert_eq!(redeemed["outcome"], "completed", "{settings} {redeemed:#}");
}

#[test]
fn assumed_tenant_is_found_the_same_and_reads_spend_nothing() {
    let store = Store::open();
    store.write_config(&assumed());
    let reads = store.eps(&["probe", "--as", &ASTRID.to_string()]).ends(0);
    assert_eq!(deductions(&store), 0);
    for secret in [ASTRID.to_string().as_str(), store.sandbox.api_key(), "astrid", "Astrid"] {
        assert!(!reads.out.contains(secret), "{secret}: {}", reads.out);
    }
    reads.says(&["items", "[].cost", "integer", "history", "404", "same"]);
    let run = probe(&store, &["--json", "--redeem"]).ends(0);
    let report = run.json();
    assert_eq!((&report["settings"], &report["stopped"]), (&json!({ "apiMapping": {} }), &Value::Null), "{report:#}");
    assert_eq!((deductions(&store), store.sandbox.balance(demo::ASTRID)), (1, Some(1_100)));
    let redeemed = store.sandbox.ledger().iter().filter(|entry| entry.kind == LedgerKind::Redeem).count();
    assert_eq!(redeemed, 1);
    assert!(!run.out.contains(&ASTRID.to_string()), "{}", run.out);
    sells(&store, &report["settings"]);
}

#[test]
fn printed_mapping_sells_in_every_dialect() {
    let path = "/api/v9/members/{contactId}/rewards?where={channel}";
    let other_words = json!({
        "keyHeader": "x-loyalty-key", "itemIdField": "shopItem", "purchaseIdFields": ["reference"],
        "statusField": "state", "statusCompleted": "DONE", "statusProcessing": "WORKING", "statusFailed": "BROKEN",
        "rewardsPath": path, "promotionIdFields": ["template"], "createdOnFields": ["bought"],
        "redeemedFields": ["used"], "redeemedOnFields": ["usedAt"], "titleFields": ["caption"],
        "descriptionFields": ["words"], "expiresOnFields": ["until"], "envelope": true,
    });
    let v2 = "/api/v2/contacts/{contactId}/promotions?redemptionChannelType={channel}";
    let guesses = format!("rewardsPath={path}");
    let all: &[&str] = &["--try", "keyHeader=x-loyalty-key", "--try", &guesses];
    let dialects: Vec<(Value, &[&str], i32)> = vec![
        (json!({ "keyHeader": "x-api-key" }), &[], 1),
        (json!({ "envelope": true }), &[], 0),
        (json!({ "rewardsPath": v2 }), &[], 1),
        (json!({ "assignmentIdFields": ["rewardId"] }), &[], 1),
        (json!({ "itemIdField": "article" }), &["--try", "itemIdField=article"], 1),
        (json!({ "statusCompleted": "7", "statusField": "kind" }), &[], 1),
        (other_words, all, 1),
    ];
    for (words, more, code) in dialects {
        let store = Store::open();
        speaks(&store, &words);
        store.write_config(&assumed());
        let run = probe(&store, &[&["--json", "--history-wait-ms", "5000"], more].concat());
        let report = run.json();
        assert_eq!((run.code, &report["stopped"]), (code, &Value::Null), "{words}\n{report:#}");
        assert_eq!(deductions(&store), 1, "{words}");
        sells(&store, &report["settings"]);
        if words.get("titleFields").is_some() {
            // With the printed mapping the probe has nothing left to say.
            let mut settings = report["settings"].clone();
            settings["historyLagMs"] = Value::Null;
            store.write_config(&settings);
            probe(&store, &["--json"]).ends(0);
        }
    }
}

#[test]
fn printed_mapping_sells_in_every_world() {
    let worlds = [
        (json!({ "historyLagMs": 1_500 }), 0, "history lag"),
        (json!({ "historyPageRows": 1 }), 2, "history length"),
        (json!({ "idCheckedLast": true }), 0, "same id again"),
    ];
    for (behaviour, code, subject) in worlds {
        let store = Store::open();
        store.write_config(&assumed());
        if code == 2 {
            probe(&store, &["--json"]).ends(0);
        }
        world(&store, &behaviour);
        let run = probe(&store, &["--json"]);
        let report = run.json();
        assert_eq!(run.code, code, "{behaviour}\n{report:#}");
        let findings = report["findings"].as_array().unwrap();
        assert!(findings.iter().any(|finding| finding["subject"] == subject), "{report:#}");
        sells(&store, &report["settings"]);
    }
}

#[test]
fn history_that_is_later_than_the_wait_is_named_with_the_option() {
    let store = Store::open();
    store.write_config(&assumed());
    world(&store, &json!({ "historyLagMs": 600_000 }));
    probe(&store, &["--history-wait-ms", "100"]).ends(2).says(&["STOPPED", "--history-wait-ms"]);
}

#[test]
fn unknown_member_is_named_and_not_the_tenant() {
    let store = Store::open();
    store.till().close();
    let run = store.eps(&["probe", "--as", "a0000000-0000-4000-8000-0000000000ff"]);
    run.ends(2).says(&["knows no member a0000000-0000-4000-8000-0000000000ff", "--as"]);
}

#[test]
fn surprise_stops_the_probe_before_it_spends_more() {
    let store = Store::open();
    store.write_config(&assumed());
    speaks(&store, &json!({ "itemIdField": "article" }));
    probe(&store, &[]).ends(2).says(&["STOPPED", "--try itemIdField"]);
    assert_eq!(deductions(&store), 0);
    let contact = ASTRID.to_string();
    let buy = |item: &str| store.eps(&["probe", "--as", &contact, "--buy", item]);
    buy(&COFFEE.to_string()).ends(2).says(&["nothing was bought", "Spend 100 points"]);
    buy("b0000000-0000-4000-8000-0000000000ff").ends(2).says(&["not offered this item"]);
    store.write_config(&json!({ "apiKey": "wrong" }));
    probe(&store, &[]).ends(4).says(&["rejects the key"]);
    store.write_config(&json!({ "baseUrl": "http://127.0.0.1:1", "caFile": null }));
    probe(&store, &[]).ends(3);
    assert_eq!(deductions(&store), 0);
}
