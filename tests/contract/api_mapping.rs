//! The API mapping is configuration: the whole flow against a sandbox that names every undocumented
//! part otherwise.

use crate::support::{ASTRID, COFFEE, Store, buy, code_of, id_of, parse};
use engage_point_shop::{AssignmentId, Client, Code, ContactId};
use engage_sandbox::seed::demo;
use engage_sandbox::{ApiMapping, Effect, Fault, LedgerKind, Operation};
use serde_json::{Value, json};

/// One object for both sides: the library's `apiMapping` and the sandbox's mapping.
fn other_words() -> Value {
    json!({
        "keyHeader": "x-loyalty-key",
        "itemIdField": "shopItem",
        "purchaseIdFields": ["reference"],
        "statusField": "state",
        "statusCompleted": "DONE",
        "statusProcessing": "WORKING",
        "statusFailed": "BROKEN",
        "rewardsPath": "/api/v9/members/{contactId}/rewards?where={channel}",
        "promotionIdFields": ["template"],
        "createdOnFields": ["bought"],
        "redeemedFields": ["used"],
        "redeemedOnFields": ["usedAt"],
        "titleFields": ["caption"],
        "descriptionFields": ["words"],
        "expiresOnFields": ["until"],
    })
}

fn speaks(store: &Store, words: &Value, envelope: bool) {
    let mut words = words.clone();
    words["envelope"] = envelope.into();
    store.sandbox.set_api_mapping(serde_json::from_value::<ApiMapping>(words).unwrap()).unwrap();
}

/// Runs the flow: member, items, points, purchase, history, reward, redeem. Both requests that
/// spend lose their response and are resolved.
fn flow(client: &Client, store: &Store, certainty: &str) {
    let member = parse(&client.find_contact("email", "astrid@example.com", None).unwrap());
    let member = ContactId::parse(member.as_str().unwrap(), "contactId").unwrap();
    assert_eq!(parse(&client.list_items(member, None).unwrap())[0]["id"], json!(COFFEE));
    assert_eq!(parse(&client.list_points(member, None).unwrap())[0]["balance"], 1200.0);
    store.sandbox.arm(Fault::on(Operation::Purchase, Effect::ResetAfterCommit));
    let bought = buy(client, member, COFFEE, &json!({ "reference": "receipt 1" })).unwrap();
    assert_eq!((&bought["outcome"], &bought["attempts"]), (&json!("completed"), &json!(1)));
    assert_eq!(parse(&client.list_purchases(member, None).unwrap()).as_array().unwrap().len(), 1);
    let found = parse(&client.find_reward(id_of(&bought), None).unwrap());
    assert_eq!((&found["certainty"], &found["receipt"]["title"]), (&json!(certainty), &json!("Free coffee")));
    let reward = AssignmentId::parse(found["assignmentId"].as_str().unwrap(), "assignmentId").unwrap();
    store.sandbox.arm(Fault::on(Operation::Redeem, Effect::ResetAfterCommit));
    let used = parse(&client.redeem_reward(Some(member), reward, None).unwrap());
    assert_eq!((&used["outcome"], &used["attempts"]), (&json!("completed"), &json!(1)));
    for operation in [&bought, &used] {
        client.acknowledge(id_of(operation)).unwrap();
    }
    assert_eq!(store.sandbox.balance(demo::ASTRID), Some(1100));
    let redeemed = store.sandbox.ledger().iter().filter(|entry| entry.kind == LedgerKind::Redeem).count();
    assert_eq!(redeemed, 1);
}

#[test]
fn flow_with_default_api_mapping_completes() {
    let store = Store::open();
    flow(&store.client(), &store, "onlyCandidate");
}

#[test]
fn flow_with_configured_api_mapping_completes() {
    for envelope in [false, true] {
        let store = Store::open();
        speaks(&store, &other_words(), envelope);
        flow(&store.client_with(&json!({ "apiMapping": other_words() })), &store, "onlyCandidate");
    }
}

#[test]
fn reward_id_under_a_configured_name_is_explicit() {
    let store = Store::open();
    let mut words = other_words();
    words["assignmentIdFields"] = json!(["rewardId"]);
    speaks(&store, &words, false);
    flow(&store.client_with(&json!({ "apiMapping": words })), &store, "explicit");
}

#[test]
fn flow_with_unmapped_names_loses_no_purchase() {
    let store = Store::open();
    speaks(&store, &other_words(), false);
    // The key's header first: no call works without it.
    assert_eq!(code_of(store.client().list_items(ASTRID, None)), Code::Unauthorized);
    // An unknown status is pending, and stays so until the status is configured.
    let mut words = other_words();
    words["statusCompleted"] = json!("Completed");
    let client = store.client_with(&json!({ "apiMapping": words, "journalPath": store.journal() }));
    let error = buy(&client, ASTRID, COFFEE, &json!({ "reference": "receipt 1", "waitMs": 300 })).unwrap_err();
    assert_eq!(error.code(), Code::PendingInvalidResponse);
    client.close();
    let client = store.client_with(&json!({ "apiMapping": other_words(), "journalPath": store.journal() }));
    let bought = buy(&client, ASTRID, COFFEE, &json!({ "reference": "receipt 1" })).unwrap();
    assert_eq!((&bought["outcome"], &bought["operationId"]), (&json!("completed"), &json!(error.operation().unwrap())));
    assert_eq!(store.deductions().len(), 1);
}
