//! Using a reward: once, whatever gets lost on the way, and never "declined" when it may have been ours. Against the running sandbox over TLS.

mod support;

use engage_point_shop::{AssignmentId, Client, Code, ContactId, Error, ItemId, OperationId};
use engage_sandbox::seed::demo;
use engage_sandbox::{Effect, Fault, FaultResponse, LedgerKind, Operation};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};
use support::{ASTRID, COFFEE, Store, buy, code_of, id_of, parse, problem, settled, unsettled};

fn redeem(client: &Client, contact: Option<ContactId>, reward: AssignmentId, with: &Value) -> Result<Value, Error> {
    client.redeem_reward(contact, reward, Some(&with.to_string())).map(|answer| parse(&answer))
}

/// Buys a coffee for Astrid, notes that, and gives the reward.
fn reward(store: &Store, client: &Client) -> AssignmentId {
    let bought = buy(client, ASTRID, COFFEE, &json!({})).unwrap();
    client.acknowledge(id_of(&bought)).unwrap();
    let newest = store.sandbox.assignments(demo::ASTRID).pop().unwrap();
    // A look at the rewards, as a till makes it: it also tells the library what time it is at Engage.
    client.list_rewards(ASTRID, None).unwrap();
    AssignmentId::from_uuid(newest.id)
}

fn redeemed(store: &Store) -> usize {
    store.sandbox.ledger().iter().filter(|entry| entry.kind == LedgerKind::Redeem).count()
}

fn redeem_requests(store: &Store) -> usize {
    store.sandbox.requests().iter().filter(|request| request.operation == Some(Operation::Redeem)).count()
}

/// A list with the reward as it may look, in place of the true one.
fn looks(reward: AssignmentId, fields: &Value) -> Effect {
    let mut element = json!({ "id": reward });
    element.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let body = json!([element]).to_string();
    Effect::Status(FaultResponse {
        body: Some(body),
        content_type: Some("application/json".into()),
        ..FaultResponse::status(200)
    })
}

/// `seconds` from now, as Engage writes it.
fn written(seconds: i64) -> String {
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
    let time = time::OffsetDateTime::from_unix_timestamp(now + seconds).unwrap();
    let (hour, minute, second) = time.to_hms();
    format!("{}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", time.year(), u8::from(time.month()), time.day())
}

/// A client of an Engage that does not say which reward a purchase gave.
fn comparing(store: &Store) -> Client {
    store.client_with(&json!({ "apiMapping": { "assignmentIdFields": ["notSaid"] } }))
}

#[test]
fn a_reward_is_used_once_and_a_second_press_joins() {
    let store = Store::open();
    let client = store.client();
    let reward = reward(&store, &client);
    let first = redeem(&client, Some(ASTRID), reward, &json!({})).unwrap();
    assert_eq!(first["kind"], "redeem");
    assert_eq!(first["outcome"], "completed");
    assert_eq!(first["assignmentId"], json!(reward));
    assert_eq!(first["channel"], "POS");
    assert_eq!(first["existing"], false);
    assert_eq!(first["purchaseId"], Value::Null);
    assert_eq!(first["reward"]["redeemed"], true);
    let second = redeem(&client, Some(ASTRID), reward, &json!({})).unwrap();
    assert_eq!(second["existing"], true);
    assert_eq!(second["operationId"], first["operationId"]);
    assert_eq!((redeemed(&store), redeem_requests(&store)), (1, 1));
}

#[test]
fn the_same_reference_is_the_same_redeem_and_a_new_one_is_refused_by_engage() {
    let store = Store::open();
    let client = store.durable_client();
    let reward = reward(&store, &client);
    let first = redeem(&client, Some(ASTRID), reward, &json!({ "reference": "receipt 1" })).unwrap();
    client.acknowledge(id_of(&first)).unwrap();
    // With or without the contact: a reward has one owner.
    let again = redeem(&client, None, reward, &json!({ "reference": "receipt 1" })).unwrap();
    assert_eq!(again["operationId"], first["operationId"]);
    assert_eq!(redeem_requests(&store), 1);
    let other = redeem(&client, Some(ASTRID), reward, &json!({ "reference": "receipt 2" })).unwrap_err();
    assert_eq!(other.code(), Code::AlreadyRedeemed);
    assert_eq!(problem(&other)["outcome"], "declined");
    assert_eq!(problem(&other)["engageCode"], "PromotionAlreadyRedeemed");
    assert_eq!(problem(&other)["purchaseId"], Value::Null);
    assert_eq!(redeemed(&store), 1);
}

#[test]
fn an_answer_that_is_lost_is_found_again_and_the_reward_is_ours() {
    for effect in
        [Effect::ResetAfterCommit, Effect::CloseAfterCommit, Effect::StatusAfterCommit(FaultResponse::status(504))]
    {
        let store = Store::open();
        let client = store.client();
        let reward = reward(&store, &client);
        store.sandbox.arm(Fault::on(Operation::Redeem, effect));
        let operation = redeem(&client, Some(ASTRID), reward, &json!({})).unwrap();
        assert_eq!(operation["outcome"], "completed");
        assert_eq!(operation["reward"]["redeemed"], true);
        assert_eq!((redeemed(&store), redeem_requests(&store)), (1, 1), "looked at, not sent again");
    }
}

#[test]
fn a_redeem_that_is_a_tills_very_first_request_is_known_as_ours_too() {
    let store = Store::open();
    let reward = reward(&store, &store.client());
    // Nothing has told this till what time it is at Engage when it sends; the look does.
    let client = store.durable_client();
    store.sandbox.arm(Fault::on(Operation::Redeem, Effect::ResetAfterCommit));
    let operation = redeem(&client, Some(ASTRID), reward, &json!({})).unwrap();
    assert_eq!(operation["outcome"], "completed");
    assert_eq!(redeem_requests(&store), 1);
}

#[test]
fn a_request_that_was_lost_is_sent_again_once_a_look_says_that_the_reward_is_unused() {
    let store = Store::open();
    let client = store.client();
    let reward = reward(&store, &client);
    store.sandbox.arm(Fault::on(Operation::Redeem, Effect::CloseBeforeCommit));
    let operation = redeem(&client, Some(ASTRID), reward, &json!({})).unwrap();
    assert_eq!((&operation["outcome"], &operation["attempts"]), (&json!("completed"), &json!(2)));
    assert_eq!((redeemed(&store), redeem_requests(&store)), (1, 2));
}

#[test]
fn a_restart_settles_a_redeem_that_was_left_under_way() {
    let store = Store::open();
    let client = store.durable_client();
    let reward = reward(&store, &client);
    store.sandbox.arm(Fault::on(Operation::Redeem, Effect::StallAfterCommit));
    let error = redeem(&client, Some(ASTRID), reward, &json!({ "reference": "R", "waitMs": 200 })).unwrap_err();
    assert_eq!(error.code(), Code::PendingWaitEnded);
    let id = error.operation().unwrap();
    client.close();
    let client = store.durable_client();
    assert_eq!(settled(&client, id)["outcome"], "completed");
    let left = unsettled(&client);
    assert_eq!((&left[0]["kind"], &left[0]["reference"]), (&json!("redeem"), &json!("R")));
    client.acknowledge(id).unwrap();
    assert_eq!((redeemed(&store), redeem_requests(&store)), (1, 1));
}

/// Redeems with an answer that is lost, then lets every look see `fields` of the reward.
fn lost_then_seen(fields: &Value) -> (Store, Result<Value, Error>, Client) {
    let store = Store::open();
    let client = store.client();
    let reward = reward(&store, &client);
    store.sandbox.arm(Fault::on(Operation::Redeem, Effect::ResetBeforeCommit));
    store.sandbox.arm(Fault::on(Operation::Rewards, looks(reward, fields)).times(0));
    let result = redeem(&client, Some(ASTRID), reward, &json!({}));
    (store, result, client)
}

#[test]
fn a_reward_that_was_used_well_before_or_after_our_request_was_used_by_somebody_else() {
    for seconds in [-86_400, -120, 3_600] {
        let (store, result, client) =
            lost_then_seen(&json!({ "redeemed": true, "redeemedOn": written(seconds), "heading": "Coffee" }));
        let error = result.unwrap_err();
        assert_eq!(error.code(), Code::AlreadyRedeemed, "{seconds}");
        let operation = parse(&client.get_operation(error.operation().unwrap()).unwrap());
        assert_eq!((&operation["outcome"], &operation["reward"]["heading"]), (&json!("declined"), &json!("Coffee")));
        assert_eq!(redeem_requests(&store), 1);
    }
}

#[test]
fn what_nothing_tells_is_ambiguous_and_handed_over_to_a_person() {
    for fields in [
        json!({ "redeemed": true }),
        json!({ "redeemed": true, "redeemedOn": "yesterday" }),
        // Near, but not within the time of our request: clocks differ by that much.
        json!({ "redeemed": true, "redeemedOn": written(-30) }),
    ] {
        let (store, result, client) = lost_then_seen(&fields);
        let error = result.unwrap_err();
        assert_eq!(error.code(), Code::PendingAmbiguous, "{fields}");
        let id = error.operation().unwrap();
        let operation = parse(&client.get_operation(id).unwrap());
        assert_eq!((&operation["outcome"], &operation["needsReview"]), (&json!("pending"), &json!(true)));
        assert_eq!(operation["reward"]["redeemed"], true, "what is known is told");
        assert_eq!(redeem_requests(&store), 1, "it is not sent again");
        client.acknowledge(id).unwrap();
        assert!(unsettled(&client).is_empty());
    }
}

#[test]
fn without_a_contact_a_lost_request_is_sent_again_and_a_lost_answer_is_ambiguous() {
    let store = Store::open();
    let client = store.client();
    let first = reward(&store, &client);
    let operation = redeem(&client, None, first, &json!({})).unwrap();
    assert_eq!((&operation["outcome"], &operation["contactId"]), (&json!("completed"), &Value::Null));

    let second = reward(&store, &client);
    store.sandbox.arm(Fault::on(Operation::Redeem, Effect::CloseBeforeCommit));
    let operation = redeem(&client, None, second, &json!({})).unwrap();
    assert_eq!((&operation["outcome"], &operation["attempts"]), (&json!("completed"), &json!(2)));

    let third = reward(&store, &client);
    store.sandbox.arm(Fault::on(Operation::Redeem, Effect::CloseAfterCommit));
    let error = redeem(&client, None, third, &json!({})).unwrap_err();
    assert_eq!(error.code(), Code::PendingAmbiguous);
    assert_eq!(error.detail().engage_code.as_deref(), Some("PromotionAlreadyRedeemed"));
    assert_eq!(redeemed(&store), 3);
}

#[test]
fn while_a_redeem_is_pending_no_other_of_the_same_reward_is_sent() {
    let store = Store::open();
    let client = store.client_with(&json!({ "requestTimeoutMs": 60_000 }));
    let reward = reward(&store, &client);
    store.sandbox.arm(Fault::on(Operation::Redeem, Effect::StallBeforeCommit));
    let pending =
        redeem(&client, Some(ASTRID), reward, &json!({ "reference": "receipt 1", "waitMs": 300 })).unwrap_err();
    assert_eq!(pending.code(), Code::PendingWaitEnded);
    for with in [json!({ "reference": "receipt 2" }), json!({}), json!({ "channel": "OTHER" })] {
        let error = redeem(&client, Some(ASTRID), reward, &with).unwrap_err();
        assert_eq!(error.code(), Code::RewardInUse, "{with}");
        assert_eq!(error.operation(), pending.operation(), "it says which one");
    }
    assert_eq!(redeem_requests(&store), 1);
    store.sandbox.clear_faults();
}

#[test]
fn what_was_not_sent_may_be_tried_again() {
    let store = Store::open();
    let client = store.durable_client();
    let reward = reward(&store, &client);
    client.close();
    let closed_port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let offline =
        store.client_with(&json!({ "baseUrl": format!("https://{closed_port}"), "journalPath": store.journal() }));
    let error = redeem(&offline, Some(ASTRID), reward, &json!({})).unwrap_err();
    assert_eq!(error.code(), Code::Offline);
    offline.close();
    let client = store.durable_client();
    let operation = redeem(&client, Some(ASTRID), reward, &json!({})).unwrap();
    assert_eq!(operation["operationId"], json!(error.operation().unwrap()));
    assert_eq!(redeemed(&store), 1);
}

#[test]
fn every_documented_error_of_a_redeem_has_its_code() {
    let store = Store::open();
    let client = store.client();
    for (status, engage_code, code) in [
        (400, "NotAValidRedemptionChannel", Code::InvalidChannel),
        (400, "InvalidPromotionIdNoData", Code::InvalidReward),
        (404, "PromotionNotFound", Code::RewardNotFound),
        (404, "PromotionNotAssociatedWithContact", Code::RewardNotOfContact),
        (409, "PromotionAlreadyRedeemed", Code::AlreadyRedeemed),
        (409, "PromotionNotValidForRedemptionChannel", Code::RewardNotForChannel),
        (400, "SomethingNew", Code::Declined),
        (401, "Unauthorized", Code::Unauthorized),
        (403, "Forbidden", Code::Forbidden),
    ] {
        store.sandbox.arm(Fault::on(Operation::Redeem, Effect::Status(FaultResponse::error(status, engage_code))));
        let reward = AssignmentId::from_uuid(OperationId::fresh().uuid());
        let error = redeem(&client, Some(ASTRID), reward, &json!({})).unwrap_err();
        assert_eq!(error.code(), code, "{engage_code}");
        assert_eq!(problem(&error)["outcome"], "declined");
        assert_eq!(error.detail().engage_code.as_deref(), Some(engage_code));
    }
    // A template is no reward.
    let template = AssignmentId::from_uuid("c0000000-0000-4000-8000-000000000001".parse().unwrap());
    assert_eq!(code_of(redeem(&client, Some(ASTRID), template, &json!({}))), Code::RewardNotFound);
    assert_eq!(code_of(redeem(&client, Some(ASTRID), template, &json!({ "channel": "TV" }))), Code::BadOptions);
}

#[test]
fn a_success_that_is_not_engages_is_pending() {
    for effect in [Effect::Html, Effect::Garbage] {
        let store = Store::open();
        let client = store.client();
        let reward = reward(&store, &client);
        store.sandbox.arm(Fault::on(Operation::Redeem, effect));
        let error = redeem(&client, Some(ASTRID), reward, &json!({ "waitMs": 300 })).unwrap_err();
        assert_eq!(error.code(), Code::PendingInvalidResponse);
        let operation = settled(&client, error.operation().unwrap());
        assert_eq!(operation["outcome"], "completed", "looked at, unused, and sent again");
        assert_eq!(redeemed(&store), 1);
    }
}

/// `find_reward` of a purchase.
fn found(client: &Client, operation: &Value) -> Value {
    parse(&client.find_reward(id_of(operation), None).unwrap())
}

#[test]
fn a_purchase_leads_to_its_reward_by_the_rewards_before_and_after() {
    let store = Store::open();
    let client = comparing(&store);
    // The first of its promotion is the only one.
    let first = buy(&client, ASTRID, COFFEE, &json!({ "reference": "1" })).unwrap();
    let only = found(&client, &first);
    assert_eq!(only["certainty"], "onlyCandidate");
    assert_eq!(only["reward"]["id"], only["assignmentId"]);
    assert_eq!(only["receipt"]["title"], only["reward"]["heading"]);
    // Looking for it was a look before the second.
    let second = buy(&client, ASTRID, COFFEE, &json!({ "reference": "2" })).unwrap();
    let new = found(&client, &second);
    assert_eq!(new["certainty"], "newSincePurchase");
    assert_ne!(new["assignmentId"], only["assignmentId"]);
    // Found once, it stays found, and the operation tells it for a reprint.
    assert_eq!(found(&client, &second)["assignmentId"], new["assignmentId"]);
    let operation = parse(&client.get_operation(id_of(&second)).unwrap());
    assert_eq!(operation["assignmentId"], new["assignmentId"]);
}

#[test]
fn rewards_first_looks_before_it_buys_and_an_ambiguity_is_said() {
    let store = Store::open();
    // Another till's reward of the same promotion is there, and this till has not looked before.
    buy(&store.client(), ASTRID, COFFEE, &json!({ "reference": "1" })).unwrap();
    let two = comparing(&store);
    let bought = buy(&two, ASTRID, COFFEE, &json!({ "reference": "2" })).unwrap();
    let answer = found(&two, &bought);
    assert_eq!(answer["certainty"], "ambiguous");
    assert_eq!((&answer["assignmentId"], &answer["reward"]), (&Value::Null, &Value::Null));
    assert_eq!(answer["candidates"].as_array().unwrap().len(), 2);
    // With a look before there is no doubt.
    let third = comparing(&store);
    let bought = buy(&third, ASTRID, COFFEE, &json!({ "reference": "3", "snapshotRewards": true })).unwrap();
    assert_eq!(found(&third, &bought)["certainty"], "newSincePurchase");
    // A look that fails does not keep the till from selling.
    store.sandbox.arm(Fault::on(Operation::Rewards, Effect::Status(FaultResponse::status(503))));
    buy(&comparing(&store), ASTRID, COFFEE, &json!({ "reference": "4", "snapshotRewards": true })).unwrap();
}

#[test]
fn what_engage_states_needs_no_comparison() {
    let store = Store::open();
    let client = store.client();
    let id = OperationId::fresh();
    let stated = OperationId::fresh();
    let body = json!({ "pointShopItemPurchaseId": id, "status": "Completed", "promotionAssignmentId": stated });
    let answer = FaultResponse {
        body: Some(body.to_string()),
        content_type: Some("application/json".into()),
        ..FaultResponse::status(200)
    };
    store.sandbox.arm(Fault::on(Operation::Purchase, Effect::StatusAfterCommit(answer)));
    let bought = buy(&client, ASTRID, COFFEE, &json!({ "purchaseId": id })).unwrap();
    let answer = found(&client, &bought);
    assert_eq!((&answer["certainty"], &answer["assignmentId"]), (&json!("explicit"), &json!(stated)));
    assert_eq!(answer["reward"], Value::Null, "it is not in the list, and nothing is made up");
}

#[test]
fn a_receipt_has_what_the_reward_says_in_whatever_kind_of_value() {
    let store = Store::open();
    let client = store.client();
    let id = OperationId::fresh();
    let stated = AssignmentId::from_uuid(OperationId::fresh().uuid());
    for (value_type, value) in [
        ("PERCENT", json!(20)),
        ("MONEY", json!({ "amount": 100, "currency": "SEK" })),
        ("EXTERNALOFFER", json!("K7")),
        ("MANUAL", json!("Ask")),
        ("SWIPE", Value::Null),
    ] {
        let reward = json!({
            "heading": "Kaffe å la carte", "description": "One cup", "expiresOn": "2027-01-01T00:00:00Z", "barcode": 7_312_345,
            "redemptionChannels": [
                { "type": "ECOM", "valueType": "PERCENT", "value": 1, "instruction": "not here" },
                { "type": "POS", "valueType": value_type, "value": value, "instruction": "Press coffee" },
            ],
        });
        store.sandbox.arm(Fault::on(Operation::Rewards, looks(stated, &reward)));
        let body = json!({ "pointShopItemPurchaseId": id, "status": "Completed", "assignmentId": stated }).to_string();
        let answer = FaultResponse {
            body: Some(body),
            content_type: Some("application/json".into()),
            ..FaultResponse::status(200)
        };
        store.sandbox.arm(Fault::on(Operation::Purchase, Effect::Status(answer)));
        let bought = buy(&client, ASTRID, COFFEE, &json!({ "purchaseId": id })).unwrap();
        let expected = json!({
            "title": "Kaffe å la carte", "description": "One cup", "expiresOn": "2027-01-01T00:00:00Z", "barcode": "7312345",
            "instruction": "Press coffee", "valueType": value_type, "value": value,
        });
        assert_eq!(found(&client, &bought)["receipt"], expected);
        store.sandbox.clear_faults();
    }
}

#[test]
fn a_reward_is_looked_for_only_where_there_can_be_one() {
    let store = Store::open();
    let client = comparing(&store);
    let reward = reward(&store, &client);
    let used = redeem(&client, Some(ASTRID), reward, &json!({})).unwrap();
    assert_eq!(code_of(client.find_reward(id_of(&used), None)), Code::NotAPurchase);
    assert_eq!(code_of(client.find_reward(OperationId::fresh(), None)), Code::UnknownOperation);
    let refused = buy(&client, support::BJORN, ItemId::from_uuid(demo::GIFT_CARD), &json!({})).unwrap_err();
    assert_eq!(code_of(client.find_reward(refused.operation().unwrap(), None)), Code::PurchaseNotAllowed);
    // Not there yet is no error.
    let bought = buy(&client, ASTRID, COFFEE, &json!({ "reference": "1" })).unwrap();
    let none = FaultResponse {
        body: Some("[]".into()),
        content_type: Some("application/json".into()),
        ..FaultResponse::status(200)
    };
    store.sandbox.arm(Fault::on(Operation::Rewards, Effect::Status(none)));
    assert_eq!(found(&client, &bought)["certainty"], "none");
    // And the used one from before is not taken for it.
    assert_eq!(found(&client, &bought)["certainty"], "newSincePurchase");
}

#[test]
fn a_redeem_that_is_given_up_by_everybody_settles_in_the_background() {
    let store = Store::open();
    let client = store.client();
    let reward = reward(&store, &client);
    store.sandbox.arm(Fault::on(Operation::Redeem, Effect::Delay { ms: 400 }));
    let error = redeem(&client, Some(ASTRID), reward, &json!({ "waitMs": 100 })).unwrap_err();
    assert_eq!(error.code(), Code::PendingWaitEnded);
    let id = error.operation().unwrap();
    assert_eq!(settled(&client, id)["outcome"], "completed");
    assert_eq!(parse(&client.read_stats().unwrap())["redeemsSent"], 1);
    assert_eq!(redeemed(&store), 1);
}

/// The table of version 1 of the journal, which knew purchases only.
const VERSION_1: &str = "CREATE TABLE operation (
        id BLOB PRIMARY KEY NOT NULL, contact BLOB NOT NULL, item BLOB NOT NULL, reference TEXT, state TEXT NOT NULL,
        code INTEGER NOT NULL, http_status INTEGER, engage_code TEXT, attempts INTEGER NOT NULL, recorded_at INTEGER NOT NULL,
        quiet_until INTEGER NOT NULL, next_at INTEGER NOT NULL, rounds INTEGER NOT NULL, settled_at INTEGER,
        acknowledged_at INTEGER, answer TEXT, revision INTEGER NOT NULL) STRICT;
     CREATE UNIQUE INDEX by_reference ON operation (contact, item, reference) WHERE reference IS NOT NULL;
     CREATE INDEX unacknowledged ON operation (contact, item) WHERE acknowledged_at IS NULL;
     CREATE INDEX acknowledged ON operation (acknowledged_at) WHERE acknowledged_at IS NOT NULL;
     PRAGMA application_id = 0x4550536A;
     PRAGMA user_version = 1;";

#[test]
fn a_journal_of_the_first_version_is_taken_over_with_every_record() {
    let store = Store::open();
    let (done, open) = (OperationId::fresh(), OperationId::fresh());
    let old = rusqlite::Connection::open(store.journal()).unwrap();
    old.execute_batch(VERSION_1).unwrap();
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    for (id, reference, state, code, answer) in
        [(done, "receipt 1", "done", 0, Some(r#"{"status":"Completed"}"#)), (open, "receipt 2", "unknown", -512, None)]
    {
        old.execute(
            "INSERT INTO operation VALUES (?1, ?2, ?3, ?4, ?5, ?6, NULL, NULL, 1, ?7, 0, 0, 0, NULL, NULL, ?8, 1)",
            (id.uuid(), ASTRID.uuid(), COFFEE.uuid(), reference, state, code, now, answer),
        )
        .unwrap();
    }
    drop(old);
    let client = store.durable_client();
    let kept = parse(&client.get_operation(done).unwrap());
    assert_eq!((&kept["kind"], &kept["outcome"]), (&json!("purchase"), &json!("completed")));
    assert_eq!((&kept["reference"], &kept["purchase"]["status"]), (&json!("receipt 1"), &json!("Completed")));
    // What was under way is settled: Engage does not know it, so it is sent again, with its own id.
    assert_eq!(settled(&client, open)["outcome"], "completed");
    assert_eq!(store.deductions(), [open.uuid()]);
    let again = buy(&client, ASTRID, COFFEE, &json!({ "reference": "receipt 1" })).unwrap();
    assert_eq!(again["operationId"], json!(done));
    // And it holds redeems from now on.
    let reward = reward(&store, &client);
    redeem(&client, Some(ASTRID), reward, &json!({})).unwrap();
    assert_eq!(unsettled(&client).len(), 3);
}
