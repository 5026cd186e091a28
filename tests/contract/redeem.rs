//! Redeems against the running sandbox over TLS: a reward is used once, whatever is lost. A redeem
//! that may have been the till's own is never "declined".

use crate::support::{
    ASTRID, COFFEE, Store, buy, code_of, eventually, id_of, parse, pending, problem, resolved, unacknowledged,
};
use engage_point_shop::{AssignmentId, Client, Code, ContactId, Error, ItemId, OperationId};
use engage_sandbox::seed::demo;
use engage_sandbox::{Effect, Fault, FaultResponse, LedgerKind, Operation};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn redeem(client: &Client, contact: Option<ContactId>, reward: AssignmentId, with: &Value) -> Result<Value, Error> {
    client.redeem_reward(contact, reward, Some(&with.to_string())).map(|json| parse(&json))
}

fn redeem_pending(client: &Client, reward: AssignmentId, reference: &str) -> Error {
    pending(|wait_ms| redeem(client, Some(ASTRID), reward, &json!({ "reference": reference, "waitMs": wait_ms })))
}

/// Buys a coffee for Astrid, acknowledges it, and returns the reward.
fn reward(store: &Store, client: &Client) -> AssignmentId {
    let bought = buy(client, ASTRID, COFFEE, &json!({})).unwrap();
    client.acknowledge(id_of(&bought)).unwrap();
    let newest = store.sandbox.assignments(demo::ASTRID).pop().unwrap();
    // Lists the rewards, as a till does. The library learns Engage's time from the response.
    client.list_rewards(ASTRID, None).unwrap();
    AssignmentId::from_uuid(newest.id)
}

fn redeemed(store: &Store) -> usize {
    store.sandbox.ledger().iter().filter(|entry| entry.kind == LedgerKind::Redeem).count()
}

fn redeem_requests(store: &Store) -> usize {
    store.sandbox.requests().iter().filter(|request| request.operation == Some(Operation::Redeem)).count()
}

/// Returns a fault that lists the reward with these fields.
fn rewards_effect(reward: AssignmentId, fields: &Value) -> Effect {
    let mut element = json!({ "id": reward });
    element.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let body = json!([element]).to_string();
    Effect::Status(FaultResponse {
        body: Some(body),
        content_type: Some("application/json".into()),
        ..FaultResponse::status(200)
    })
}

/// Returns the time `seconds` from now, in Engage's format.
fn written(seconds: i64) -> String {
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
    let time = time::OffsetDateTime::from_unix_timestamp(now + seconds).unwrap();
    let (hour, minute, second) = time.to_hms();
    format!("{}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", time.year(), u8::from(time.month()), time.day())
}

/// Returns a client of an Engage that does not state the reward of a purchase.
fn comparing(store: &Store) -> Client {
    store.client_with(&json!({ "apiMapping": { "assignmentIdFields": ["notSaid"] } }))
}

#[test]
fn second_redeem_press_returns_the_existing_operation() {
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
fn redeem_with_new_reference_is_declined_by_engage() {
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
fn redeem_with_lost_response_is_completed_by_a_query() {
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
        assert_eq!((redeemed(&store), redeem_requests(&store)), (1, 1), "queried, not sent again");
    }
}

#[test]
fn first_request_redeem_with_lost_response_is_completed() {
    let store = Store::open();
    let reward = reward(&store, &store.client());
    // The till does not know Engage's time when it sends. The status query provides it.
    let client = store.durable_client();
    store.sandbox.arm(Fault::on(Operation::Redeem, Effect::ResetAfterCommit));
    let operation = redeem(&client, Some(ASTRID), reward, &json!({})).unwrap();
    assert_eq!(operation["outcome"], "completed");
    assert_eq!(redeem_requests(&store), 1);
}

#[test]
fn lost_redeem_is_sent_again_when_reward_is_unused() {
    let store = Store::open();
    let client = store.client();
    let reward = reward(&store, &client);
    store.sandbox.arm(Fault::on(Operation::Redeem, Effect::CloseBeforeCommit));
    let operation = redeem(&client, Some(ASTRID), reward, &json!({})).unwrap();
    assert_eq!((&operation["outcome"], &operation["attempts"]), (&json!("completed"), &json!(2)));
    assert_eq!((redeemed(&store), redeem_requests(&store)), (1, 2));
}

#[test]
fn redeem_in_flight_at_restart_is_resolved() {
    let store = Store::open();
    let client = store.durable_client();
    let reward = reward(&store, &client);
    store.sandbox.arm(Fault::on(Operation::Redeem, Effect::StallAfterCommit));
    let error = redeem_pending(&client, reward, "R");
    assert_eq!(error.code(), Code::PendingWaitEnded);
    let id = error.operation().unwrap();
    client.close();
    let client = store.durable_client();
    assert_eq!(resolved(&client, id)["outcome"], "completed");
    let left = unacknowledged(&client);
    assert_eq!((&left[0]["kind"], &left[0]["reference"]), (&json!("redeem"), &json!("R")));
    client.acknowledge(id).unwrap();
    assert_eq!((redeemed(&store), redeem_requests(&store)), (1, 1));
}

/// Redeems with a lost response. Every status query then sees `fields` of the reward.
fn lost_then_seen(fields: &Value, options: &Value) -> (Store, Result<Value, Error>, Client) {
    let store = Store::open();
    let client = store.client();
    let reward = reward(&store, &client);
    store.sandbox.arm(Fault::on(Operation::Redeem, Effect::ResetBeforeCommit));
    store.sandbox.arm(Fault::on(Operation::Rewards, rewards_effect(reward, fields)).times(0));
    let result = redeem(&client, Some(ASTRID), reward, options);
    (store, result, client)
}

#[test]
fn reward_used_at_another_time_is_declined() {
    for seconds in [-86_400, -120] {
        let (store, result, client) = lost_then_seen(
            &json!({ "redeemed": true, "redeemedOn": written(seconds), "heading": "Coffee" }),
            &json!({}),
        );
        let error = result.unwrap_err();
        assert_eq!(error.code(), Code::AlreadyRedeemed, "{seconds}");
        let operation = parse(&client.get_operation(error.operation().unwrap()).unwrap());
        assert_eq!((&operation["outcome"], &operation["reward"]["heading"]), (&json!("declined"), &json!("Coffee")));
        assert_eq!(redeem_requests(&store), 1);
    }
}

#[test]
fn redeem_without_evidence_needs_review() {
    for fields in [
        json!({ "redeemed": true }),
        json!({ "redeemed": true, "redeemedOn": "yesterday" }),
        // A date without a time.
        json!({ "redeemed": true, "redeemedOn": "2020-01-01T00:00:00Z" }),
        // Midnight in a country east of Greenwich, and a time that has not come yet.
        json!({ "redeemed": true, "redeemedOn": "2020-01-01T22:00:00Z" }),
        json!({ "redeemed": true, "redeemedOn": written(3_600) }),
        // Near, but not within the time of the till's request: clocks differ by that much.
        json!({ "redeemed": true, "redeemedOn": written(-30) }),
    ] {
        let (store, result, client) = lost_then_seen(&fields, &json!({}));
        let error = result.unwrap_err();
        assert_eq!(error.code(), Code::PendingAmbiguous, "{fields}");
        let id = error.operation().unwrap();
        let operation = parse(&client.get_operation(id).unwrap());
        assert_eq!((&operation["outcome"], &operation["needsReview"]), (&json!("pending"), &json!(true)));
        assert_eq!(operation["reward"]["redeemed"], true, "the operation shows the reward's state");
        assert_eq!(redeem_requests(&store), 1, "it is not sent again");
        client.acknowledge(id).unwrap();
        assert!(unacknowledged(&client).is_empty());
    }
}

/// A web filter on the way has a clock of its own.
#[test]
fn page_with_another_clock_declines_no_redeem() {
    let store = Store::open();
    let client = store.client();
    let reward = reward(&store, &client);
    let page = FaultResponse {
        body: Some("<html>Blocked".to_owned()),
        content_type: Some("text/html".to_owned()),
        headers: [("date".to_owned(), httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(600)))].into(),
        ..FaultResponse::status(403)
    };
    store.sandbox.arm(Fault::on(Operation::Items, Effect::Status(page)));
    assert_eq!(code_of(client.list_items(ASTRID, None)), Code::InvalidResponse);
    store.sandbox.arm(Fault::on(Operation::Redeem, Effect::ResetAfterCommit));
    let redeemed = redeem(&client, Some(ASTRID), reward, &json!({})).unwrap();
    assert_eq!(redeemed["outcome"], "completed", "{redeemed}");
    assert_eq!(redeem_requests(&store), 1);
}

/// A whole receipt is acknowledged by the POS, and a review by a person only.
#[test]
fn review_of_a_receipt_is_not_acknowledged_with_it() {
    let (_store, result, client) = lost_then_seen(&json!({ "redeemed": true }), &json!({ "reference": "R" }));
    let id = result.unwrap_err().operation().unwrap();
    let error = client.acknowledge_reference("R", None).unwrap_err();
    assert_eq!((error.code(), error.operation()), (Code::StillPending, Some(id)));
    assert_eq!(unacknowledged(&client).len(), 1);
    client.resolve_review(id, "completed", None).unwrap();
    client.acknowledge_reference("R", None).unwrap();
}

#[test]
fn redeem_without_contact_and_lost_response_is_ambiguous() {
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
fn second_redeem_of_a_pending_reward_is_rejected() {
    let store = Store::open();
    let client = store.client_with(&json!({ "requestTimeoutMs": 60_000 }));
    let reward = reward(&store, &client);
    store.sandbox.arm(Fault::on(Operation::Redeem, Effect::StallBeforeCommit));
    let pending = redeem_pending(&client, reward, "receipt 1");
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
fn redeem_not_sent_is_retried_as_the_same_operation() {
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
fn documented_redeem_errors_have_their_codes() {
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
fn redeem_with_foreign_success_body_is_pending() {
    for effect in [Effect::Html, Effect::Garbage] {
        let store = Store::open();
        let client = store.client();
        let reward = reward(&store, &client);
        store.sandbox.arm(Fault::on(Operation::Redeem, effect));
        let error = redeem(&client, Some(ASTRID), reward, &json!({ "waitMs": 300 })).unwrap_err();
        assert_eq!(error.code(), Code::PendingInvalidResponse);
        let operation = resolved(&client, error.operation().unwrap());
        assert_eq!(operation["outcome"], "completed", "queried, unused, and sent again");
        assert_eq!(redeemed(&store), 1);
    }
}

/// `find_reward` of a purchase.
fn found(client: &Client, operation: &Value) -> Value {
    parse(&client.find_reward(id_of(operation), None).unwrap())
}

#[test]
fn reward_is_found_by_rewards_before_and_after() {
    let store = Store::open();
    let client = comparing(&store);
    // The first reward of its promotion is the only candidate.
    let first = buy(&client, ASTRID, COFFEE, &json!({ "reference": "1" })).unwrap();
    let only = found(&client, &first);
    assert_eq!(only["certainty"], "onlyCandidate");
    assert_eq!(only["reward"]["id"], only["assignmentId"]);
    assert_eq!(only["receipt"]["title"], only["reward"]["heading"]);
    // Finding the reward took a snapshot before the second purchase.
    let second = buy(&client, ASTRID, COFFEE, &json!({ "reference": "2" })).unwrap();
    let new = found(&client, &second);
    assert_eq!(new["certainty"], "newSincePurchase");
    assert_ne!(new["assignmentId"], only["assignmentId"]);
    // A found reward stays found, and the operation has it for a reprint.
    assert_eq!(found(&client, &second)["assignmentId"], new["assignmentId"]);
    let operation = parse(&client.get_operation(id_of(&second)).unwrap());
    assert_eq!(operation["assignmentId"], new["assignmentId"]);
}

#[test]
fn reward_of_an_earlier_purchase_is_no_candidate() {
    let store = Store::open();
    let extra = json!({ "journalPath": store.journal(), "apiMapping": { "assignmentIdFields": ["notSaid"] } });
    let mut given = Vec::new();
    for reference in ["1", "2"] {
        // A new client has no snapshot: only the journal says which reward the first one gave.
        let client = store.client_with(&extra);
        let bought = buy(&client, ASTRID, COFFEE, &json!({ "reference": reference })).unwrap();
        let result = found(&client, &bought);
        assert_eq!(result["certainty"], "onlyCandidate", "{reference}");
        given.push(result["assignmentId"].clone());
        client.close();
    }
    assert_ne!(given[0], given[1]);
}

#[test]
fn reward_without_snapshot_is_ambiguous_and_with_one_new() {
    let store = Store::open();
    // Another till's reward of the same promotion exists, and this till has no snapshot.
    buy(&store.client(), ASTRID, COFFEE, &json!({ "reference": "1" })).unwrap();
    let two = comparing(&store);
    let bought = buy(&two, ASTRID, COFFEE, &json!({ "reference": "2" })).unwrap();
    let result = found(&two, &bought);
    assert_eq!(result["certainty"], "ambiguous");
    assert_eq!((&result["assignmentId"], &result["reward"]), (&Value::Null, &Value::Null));
    assert_eq!(result["candidates"].as_array().unwrap().len(), 2);
    // With a snapshot the reward is certain.
    let third = comparing(&store);
    let bought = buy(&third, ASTRID, COFFEE, &json!({ "reference": "3", "snapshotRewards": true })).unwrap();
    assert_eq!(found(&third, &bought)["certainty"], "newSincePurchase");
    // A snapshot that fails does not prevent the sale.
    store.sandbox.arm(Fault::on(Operation::Rewards, Effect::Status(FaultResponse::status(503))));
    buy(&comparing(&store), ASTRID, COFFEE, &json!({ "reference": "4", "snapshotRewards": true })).unwrap();
}

#[test]
fn one_reward_is_not_given_to_two_purchases() {
    let store = Store::open();
    let client = comparing(&store);
    let [first, second] = ["1", "2"].map(|line| buy(&client, ASTRID, COFFEE, &json!({ "reference": line })).unwrap());
    // The list lags: it has one of the two rewards.
    let both = parse(&comparing(&store).list_rewards(ASTRID, None).unwrap());
    let lagging = FaultResponse {
        body: Some(json!([both[0]]).to_string()),
        content_type: Some("application/json".into()),
        ..FaultResponse::status(200)
    };
    store.sandbox.arm(Fault::on(Operation::Rewards, Effect::Status(lagging)).times(0));
    for purchase in [&first, &second] {
        let result = found(&client, purchase);
        assert_eq!((&result["certainty"], &result["assignmentId"]), (&json!("ambiguous"), &Value::Null), "{result}");
    }
    // Nor does an acknowledged purchase give up its reward.
    client.acknowledge(id_of(&first)).unwrap();
    assert_eq!(found(&client, &second)["certainty"], "ambiguous");
}

/// Returns a fault that responds as a cache on the way does: with a copy of ten minutes ago.
fn copy_of_a_cache(body: &Value) -> Effect {
    let old = httpdate::fmt_http_date(SystemTime::now() - Duration::from_secs(600));
    Effect::Status(FaultResponse {
        body: Some(body.to_string()),
        headers: [("date".to_owned(), old), ("age".to_owned(), "600".to_owned())].into(),
        ..FaultResponse::status(200)
    })
}

#[test]
fn redeem_is_not_decided_by_the_clock_of_a_cache() {
    let store = Store::open();
    let client = store.client();
    let reward = reward(&store, &client);
    store.sandbox.arm(Fault::on(Operation::Items, copy_of_a_cache(&json!([]))));
    assert_eq!(client.list_items(ASTRID, None).unwrap(), b"[]");
    store.sandbox.arm(Fault::on(Operation::Redeem, Effect::ResetAfterCommit));
    let redeemed = redeem(&client, Some(ASTRID), reward, &json!({ "waitMs": 60_000 })).unwrap();
    assert_eq!(redeemed["outcome"], "completed", "{redeemed}");
    assert_eq!(redeem_requests(&store), 1);
    let asked = store.sandbox.requests().into_iter().filter(|request| request.operation.is_some());
    for request in asked {
        assert!(request.request.headers.contains_key("cache-control"), "{}", request.path);
    }
}

#[test]
fn unused_reward_of_a_cache_is_not_redeemed_again() {
    let store = Store::open();
    // The in-flight window ends soon; then a list of now would let the redeem be sent again.
    let client = store.client_with(&json!({ "requestTimeoutMs": 1_000, "retryScheduleMs": [86_400_000] }));
    let reward = reward(&store, &client);
    store.sandbox.arm(Fault::on(Operation::Redeem, Effect::ResetAfterCommit));
    let unused = copy_of_a_cache(&json!([{ "id": reward, "redeemed": false }]));
    store.sandbox.arm(Fault::on(Operation::Rewards, unused).times(0));
    let id = redeem_pending(&client, reward, "R").operation().unwrap();
    for _ in 0..4 {
        client.resolve_pending(Some(r#"{"waitMs":500}"#)).unwrap();
    }
    assert_eq!(redeem_requests(&store), 1);
    store.sandbox.clear_faults();
    eventually("the list of now is read", || {
        let left = parse(&client.resolve_pending(None).unwrap());
        (left["pending"] == 0).then_some(())
    });
    assert_eq!(resolved(&client, id)["outcome"], "completed");
    assert_eq!((redeemed(&store), redeem_requests(&store)), (1, 1));
}

#[test]
fn reward_stated_by_engage_is_explicit() {
    let store = Store::open();
    let client = store.client();
    let id = OperationId::fresh();
    let stated = OperationId::fresh();
    let body = json!({ "pointShopItemPurchaseId": id, "status": "Completed", "promotionAssignmentId": stated });
    let response = FaultResponse {
        body: Some(body.to_string()),
        content_type: Some("application/json".into()),
        ..FaultResponse::status(200)
    };
    store.sandbox.arm(Fault::on(Operation::Purchase, Effect::StatusAfterCommit(response)));
    let bought = buy(&client, ASTRID, COFFEE, &json!({ "purchaseId": id })).unwrap();
    let result = found(&client, &bought);
    assert_eq!((&result["certainty"], &result["assignmentId"]), (&json!("explicit"), &json!(stated)));
    assert_eq!(result["reward"], Value::Null, "it is not in the list, and nothing is made up");
}

#[test]
fn receipt_has_every_value_type_of_a_reward() {
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
        store.sandbox.arm(Fault::on(Operation::Rewards, rewards_effect(stated, &reward)));
        let body = json!({ "pointShopItemPurchaseId": id, "status": "Completed", "assignmentId": stated }).to_string();
        let response = FaultResponse {
            body: Some(body),
            content_type: Some("application/json".into()),
            ..FaultResponse::status(200)
        };
        store.sandbox.arm(Fault::on(Operation::Purchase, Effect::Status(response)));
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
fn find_reward_without_completed_purchase_is_an_error() {
    let store = Store::open();
    let client = comparing(&store);
    let reward = reward(&store, &client);
    let used = redeem(&client, Some(ASTRID), reward, &json!({})).unwrap();
    assert_eq!(code_of(client.find_reward(id_of(&used), None)), Code::NotAPurchase);
    assert_eq!(code_of(client.find_reward(OperationId::fresh(), None)), Code::UnknownOperation);
    let declined = buy(&client, crate::support::BJORN, ItemId::from_uuid(demo::GIFT_CARD), &json!({})).unwrap_err();
    assert_eq!(code_of(client.find_reward(declined.operation().unwrap(), None)), Code::PurchaseNotAllowed);
    // A reward that is not there yet is no error.
    let bought = buy(&client, ASTRID, COFFEE, &json!({ "reference": "1" })).unwrap();
    let none = FaultResponse {
        body: Some("[]".into()),
        content_type: Some("application/json".into()),
        ..FaultResponse::status(200)
    };
    store.sandbox.arm(Fault::on(Operation::Rewards, Effect::Status(none)));
    assert_eq!(found(&client, &bought)["certainty"], "none");
    // The used reward from before is not taken for it.
    assert_eq!(found(&client, &bought)["certainty"], "newSincePurchase");
}

#[test]
fn redeem_without_waiter_is_resolved_in_the_background() {
    let store = Store::open();
    let client = store.client_with(&json!({ "requestTimeoutMs": 60_000 }));
    let reward = reward(&store, &client);
    store.sandbox.arm(Fault::on(Operation::Redeem, Effect::Delay { ms: 3_000 }));
    let error = redeem_pending(&client, reward, "R");
    assert_eq!(error.code(), Code::PendingWaitEnded);
    let id = error.operation().unwrap();
    assert_eq!(resolved(&client, id)["outcome"], "completed");
    assert_eq!(parse(&client.read_stats().unwrap())["redeemsSent"], 1);
    assert_eq!(redeemed(&store), 1);
}

/// The table of version 1 of the journal, which had purchases only.
const VERSION_1: &str = include_str!("journal_v1.sql");

#[test]
fn journal_of_version_1_is_migrated_with_every_record() {
    let store = Store::open();
    let (done, open) = (OperationId::fresh(), OperationId::fresh());
    let old = rusqlite::Connection::open(store.journal()).unwrap();
    old.execute_batch(VERSION_1).unwrap();
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    for (id, reference, state, code, result) in
        [(done, "receipt 1", "done", 0, Some(r#"{"status":"Completed"}"#)), (open, "receipt 2", "unknown", -512, None)]
    {
        old.execute(
            "INSERT INTO operation VALUES (?1, ?2, ?3, ?4, ?5, ?6, NULL, NULL, 1, ?7, 0, 0, 0, NULL, NULL, ?8, 1)",
            (id.uuid(), ASTRID.uuid(), COFFEE.uuid(), reference, state, code, now, result),
        )
        .unwrap();
    }
    drop(old);
    let client = store.durable_client();
    let kept = parse(&client.get_operation(done).unwrap());
    assert_eq!((&kept["kind"], &kept["outcome"]), (&json!("purchase"), &json!("completed")));
    assert_eq!((&kept["reference"], &kept["purchase"]["status"]), (&json!("receipt 1"), &json!("Completed")));
    // The pending purchase is resolved: Engage does not know it, so that it is sent again with its
    // own id.
    assert_eq!(resolved(&client, open)["outcome"], "completed");
    assert_eq!(store.deductions(), [open.uuid()]);
    let again = buy(&client, ASTRID, COFFEE, &json!({ "reference": "receipt 1" })).unwrap();
    assert_eq!(again["operationId"], json!(done));
    // The migrated journal holds redeems.
    let reward = reward(&store, &client);
    redeem(&client, Some(ASTRID), reward, &json!({})).unwrap();
    assert_eq!(unacknowledged(&client).len(), 3);
}
