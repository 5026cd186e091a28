//! The promises of a purchase, one test each: existing intents, references, the two deadlines,
//! resolving, acknowledging.

use crate::support::{
    ASTRID, BJORN, COFFEE, LOAD, Store, buy, buy_pending, code_of, eventually, id_of, parse, problem, resolved,
    unacknowledged,
};
use engage_point_shop::{Client, Code, ItemId, OperationId};
use engage_sandbox::seed::demo;
use engage_sandbox::{Effect, Fault, FaultResponse, Operation};
use serde_json::json;
use std::sync::Barrier;
use std::time::{Duration, Instant};

#[test]
fn purchase_without_a_journal_is_a_config_error() {
    let store = Store::open();
    let client = store.client_with(&json!({ "journal": null }));
    client.list_items(ASTRID, None).unwrap();
    let error = buy(&client, ASTRID, COFFEE, &json!({})).unwrap_err();
    assert_eq!(error.code(), Code::BadConfig);
    assert!(error.message().contains("journalPath"), "{error}");
    assert_eq!(store.posts(), 0);
}

#[test]
fn invalid_options_are_rejected_before_any_request() {
    let store = Store::open();
    let client = store.client();
    for (options, code, says) in [
        (json!({ "purchaseID": "x" }), Code::BadOptions, "purchaseId"),
        (json!({ "purchaseId": "x" }), Code::NotAGuid, "purchaseId"),
        (json!({ "purchaseId": 7 }), Code::BadOptions, "purchaseId"),
        (json!({ "reference": "" }), Code::BadOptions, "reference"),
        (json!({ "reference": "a\nb" }), Code::BadOptions, "control"),
        (json!({ "reference": "x".repeat(201) }), Code::BadOptions, "200"),
        (json!({ "waitMs": 600_001 }), Code::BadOptions, "600000"),
    ] {
        let error = buy(&client, ASTRID, COFFEE, &options).unwrap_err();
        assert_eq!(error.code(), code, "{options}");
        assert!(error.message().contains(says), "{options}: {error}");
    }
    assert_eq!(code_of(client.purchase(ASTRID, COFFEE, Some("{"))), Code::BadOptions);
    assert_eq!(code_of(client.list_items(ASTRID, Some(r#"{"reference":"x"}"#))), Code::BadOptions);
    assert!(store.sandbox.requests().is_empty());
    assert!(unacknowledged(&client).is_empty());
}

#[test]
fn second_press_returns_the_existing_purchase() {
    let store = Store::open();
    let client = store.client();
    let first = buy(&client, ASTRID, COFFEE, &json!({})).unwrap();
    let second = buy(&client, ASTRID, COFFEE, &json!({})).unwrap();
    assert_eq!(first["operationId"], second["operationId"]);
    assert_eq!((&first["existing"], &second["existing"]), (&json!(false), &json!(true)));
    assert_eq!(store.posts(), 1);
    // After the acknowledgement the sale is over, and the next press is a new purchase.
    client.acknowledge(id_of(&first)).unwrap();
    let third = buy(&client, ASTRID, COFFEE, &json!({})).unwrap();
    assert_ne!(first["operationId"], third["operationId"]);
    assert_eq!(store.deductions().len(), 2);
}

/// A response that names a code by the way, or a code of another operation, declines nothing.
#[test]
fn deducted_purchase_is_completed_whatever_its_response_names() {
    let failed = "PointShopItemPurchaseFailed";
    let bodies = [
        json!({ "message": format!("See {failed} for the reasons of a failure.") }),
        json!({ "possibleCodes": [failed, "PromotionAssignmentPromotionExpired"] }),
        json!({ "errors": { failed: false } }),
        json!({ "errorCode": failed, "purchase": { "status": "Completed" } }),
        json!({ "errorCode": "ContactNotFound" }),
        json!({ "errorCode": "PromotionAlreadyRedeemed" }),
        json!({ "errorCode": "MultipleMatches" }),
        json!({ "errorCode": failed, "more": "x".repeat(64 << 10) }),
    ];
    let store = Store::open();
    let client = store.client();
    for (at, body) in bodies.iter().enumerate() {
        for status in [200, 400, 402, 404, 409, 422] {
            let response = FaultResponse {
                body: Some(body.to_string()),
                content_type: Some("application/json".into()),
                ..FaultResponse::status(status)
            };
            store.sandbox.arm(Fault::on(Operation::Purchase, Effect::StatusAfterCommit(response)));
            let before = store.deductions().len();
            let reference = format!("{at} {status}");
            let id = match buy(&client, LOAD, COFFEE, &json!({ "reference": reference })) {
                Ok(bought) => id_of(&bought),
                Err(error) => {
                    assert_eq!(problem(&error)["outcome"], "pending", "{status} {body}: {error}");
                    id_of(&problem(&error))
                }
            };
            assert_eq!(resolved(&client, id)["outcome"], "completed", "{status} {body}");
            assert_eq!(store.deductions().len(), before + 1, "{status} {body}");
        }
    }
}

#[test]
fn simultaneous_presses_are_one_purchase() {
    let store = Store::open();
    for (round, with) in
        [json!({}), json!({ "reference": "R1" }), json!({ "purchaseId": OperationId::fresh() })].iter().enumerate()
    {
        let one = store.durable_client();
        let other = store.durable_client();
        let barrier = Barrier::new(8);
        let ids: Vec<OperationId> = std::thread::scope(|scope| {
            let presses: Vec<_> = (0..8)
                .map(|press| {
                    let client: &Client = if press % 2 == 0 { &one } else { &other };
                    let barrier = &barrier;
                    scope.spawn(move || {
                        barrier.wait();
                        id_of(&buy(client, LOAD, COFFEE, with).unwrap())
                    })
                })
                .collect();
            presses.into_iter().map(|press| press.join().unwrap()).collect()
        });
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        assert_eq!(store.deductions().len(), round + 1);
        one.acknowledge(ids[0]).unwrap();
    }
}

#[test]
fn same_reference_contact_and_item_are_one_purchase() {
    let store = Store::open();
    let client = store.durable_client();
    let receipt = json!({ "reference": "receipt 4711" });
    let first = buy(&client, ASTRID, COFFEE, &receipt).unwrap();
    client.acknowledge(id_of(&first)).unwrap();
    client.close();
    // The same holds after an acknowledgement and a restart.
    let client = store.durable_client();
    let again = buy(&client, ASTRID, COFFEE, &receipt).unwrap();
    assert_eq!(first["operationId"], again["operationId"]);
    // Another member, another item or another reference is another purchase.
    buy(&client, BJORN, COFFEE, &receipt).unwrap_err();
    let tote = buy(&client, ASTRID, ItemId::from_uuid(demo::TOTE_BAG), &receipt).unwrap();
    let next = buy(&client, ASTRID, COFFEE, &json!({ "reference": "receipt 4712" })).unwrap();
    assert_ne!(tote["operationId"], next["operationId"]);
    assert_eq!(store.deductions().len(), 3);
}

#[test]
fn contradicting_reference_and_purchase_id_are_rejected() {
    let store = Store::open();
    let client = store.client();
    let id = OperationId::fresh();
    buy(&client, ASTRID, COFFEE, &json!({ "reference": "R", "purchaseId": id })).unwrap();
    let posts = store.posts();
    let other = OperationId::fresh();
    assert_eq!(
        code_of(buy(&client, ASTRID, COFFEE, &json!({ "reference": "R", "purchaseId": other }))),
        Code::ReferenceConflict
    );
    assert_eq!(
        code_of(buy(&client, ASTRID, COFFEE, &json!({ "reference": "S", "purchaseId": id }))),
        Code::ReferenceConflict
    );
    assert_eq!(store.posts(), posts);
}

#[test]
fn declined_purchase_pressed_again_is_sent_as_a_new_one() {
    let store = Store::open();
    let client = store.client();
    let gift = ItemId::from_uuid(demo::GIFT_CARD);
    let declined = |with: &serde_json::Value| code_of(buy(&client, BJORN, gift, with));
    assert_eq!(declined(&json!({ "reference": "R" })), Code::PurchaseNotAllowed);
    assert_eq!(declined(&json!({ "reference": "R" })), Code::PurchaseNotAllowed);
    assert_eq!(store.posts(), 2, "the reason may not hold any more, so a new purchase is sent");
    assert_eq!(declined(&json!({})), Code::PurchaseNotAllowed);
    assert_eq!(declined(&json!({})), Code::PurchaseNotAllowed);
    assert_eq!(store.posts(), 4, "the member may have got the points");
    assert_eq!(unacknowledged(&client).len(), 4, "each decline is listed until it is acknowledged");
}

#[test]
fn purchase_not_sent_is_retried_with_the_same_id() {
    let store = Store::open();
    let closed_port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let id = OperationId::fresh();
    let offline =
        store.client_with(&json!({ "baseUrl": format!("https://{closed_port}"), "journalPath": store.journal() }));
    let error = buy(&offline, ASTRID, COFFEE, &json!({ "purchaseId": id })).unwrap_err();
    assert_eq!(error.code(), Code::Offline);
    assert!(error.cause().iter().any(|cause| cause.contains(&closed_port.to_string())), "{:?}", error.cause());
    assert_eq!(unacknowledged(&offline)[0]["outcome"], "notSent");
    offline.close();
    let online = store.durable_client();
    let bought = buy(&online, ASTRID, COFFEE, &json!({ "purchaseId": id })).unwrap();
    assert_eq!(bought["attempts"], 2);
    assert_eq!(store.deductions(), [id.uuid()]);
}

#[test]
fn request_after_the_wait_continues_and_is_journaled() {
    let store = Store::open();
    let client = store.client_with(&json!({ "requestTimeoutMs": 60_000 }));
    store.sandbox.arm(Fault::on(Operation::Purchase, Effect::Delay { ms: 3_000 }));
    let error = buy_pending(&client, ASTRID, COFFEE, &json!({}));
    assert_eq!(error.code(), Code::PendingWaitEnded);
    let id = error.operation().unwrap();
    assert_eq!(unacknowledged(&client)[0]["outcome"], "pending");
    assert_eq!(code_of(client.acknowledge(id)), Code::StillPending);
    // No call waits for it.
    assert_eq!(resolved(&client, id)["outcome"], "completed");
    assert_eq!(store.posts(), 1, "its own result came; nothing was sent again");
    assert!(!store.sandbox.requests().iter().any(|request| request.operation == Some(Operation::Purchases)));
    client.acknowledge(id).unwrap();
    assert!(unacknowledged(&client).is_empty());
}

#[test]
fn processing_purchase_is_followed_to_completion() {
    for (item, outcome) in [(demo::SLOW, "completed"), (demo::TIMES_OUT, "completed")] {
        let store = Store::open();
        let client = store.client();
        let operation = buy(&client, ASTRID, ItemId::from_uuid(item), &json!({})).unwrap();
        assert_eq!(operation["outcome"], outcome);
        assert_eq!(store.posts(), 1, "queried, not sent again");
        assert_eq!(store.deductions().len(), 1);
    }
}

#[test]
fn cancel_stops_unsent_purchases_and_leaves_sent_pending() {
    let store = Store::open();
    let client = store.client();
    store.sandbox.arm(Fault::on(Operation::Any, Effect::StallBeforeCommit).times(0));
    std::thread::scope(|scope| {
        let press = scope.spawn(|| buy(&client, ASTRID, COFFEE, &json!({ "waitMs": 60_000 })));
        let read = scope.spawn(|| client.list_items(ASTRID, Some(r#"{"waitMs":60000}"#)));
        store.wait_for_request(Operation::Items);
        eventually("the purchase is on its way", || {
            (unacknowledged(&client).len() == 1 && client.read_stats().is_ok()).then_some(())
        });
        store.wait_for_request(Operation::Purchase);
        client.cancel().unwrap();
        assert_eq!(code_of(read.join().unwrap()), Code::Cancelled);
        assert_eq!(code_of(press.join().unwrap()), Code::PendingCancelled);
    });
    // The cancellation does not affect a later call.
    store.sandbox.clear_faults();
    client.list_items(ASTRID, None).unwrap();
}

#[test]
fn sale_that_waits_for_a_locked_journal_is_not_sent() {
    let store = Store::open();
    let client = store.durable_client();
    let holder = rusqlite::Connection::open(store.journal()).unwrap();
    for with in [json!({ "reference": "R", "waitMs": 200 }), json!({ "reference": "S", "waitMs": 200, "submit": true })]
    {
        holder.execute_batch("BEGIN IMMEDIATE").unwrap();
        let error = buy(&client, ASTRID, COFFEE, &with).unwrap_err();
        assert_eq!(problem(&error)["outcome"], "notSent", "{with}: {error}");
        let says =
            error.code() == Code::JournalLocked || problem(&error)["cause"][0].as_str().unwrap().contains("journal");
        assert!(says, "{with}: {error:?}");
        holder.execute_batch("ROLLBACK").unwrap();
    }
    // Only what is pressed again is bought.
    let bought = buy(&client, ASTRID, COFFEE, &json!({ "reference": "R" })).unwrap();
    assert_eq!(
        (bought["outcome"].as_str(), bought["existing"].as_bool()),
        (Some("completed"), Some(false)),
        "{bought}"
    );
    assert_eq!(unacknowledged(&client).len(), 1);
    assert_eq!(store.posts(), 1);
}

#[test]
fn pending_purchase_after_restart_is_resolved_and_listed() {
    let store = Store::open();
    let client = store.durable_client();
    store.sandbox.arm(Fault::on(Operation::Purchase, Effect::StallAfterCommit));
    let error = buy_pending(&client, ASTRID, COFFEE, &json!({ "reference": "R" }));
    let id = error.operation().unwrap();
    client.close();
    let client = store.durable_client();
    let operation = resolved(&client, id);
    assert_eq!(operation["outcome"], "completed");
    assert_eq!(operation["purchase"]["status"], "Completed");
    assert_eq!(unacknowledged(&client)[0]["reference"], "R");
    assert_eq!(store.posts(), 1);
}

#[test]
fn resolve_pending_queries_at_once_and_counts_results() {
    let store = Store::open();
    // The background is so slow that only the call can have resolved it.
    let client = store.client_with(&json!({ "retryScheduleMs": [86_400_000] }));
    store.sandbox.arm(Fault::on(Operation::Purchase, Effect::ResetAfterCommit));
    store.sandbox.arm(Fault::on(Operation::Purchases, Effect::Status(FaultResponse::status(503))).times(0));
    buy_pending(&client, ASTRID, COFFEE, &json!({}));
    let result = parse(&client.resolve_pending(Some(r#"{"waitMs":200}"#)).unwrap());
    assert_eq!(result, json!({ "resolved": 0, "pending": 1 }));
    store.sandbox.clear_faults();
    let result = parse(&client.resolve_pending(None).unwrap());
    assert_eq!(result, json!({ "resolved": 1, "pending": 0 }));
    assert_eq!(unacknowledged(&client)[0]["outcome"], "completed");
}

/// With the journal in a file, which a thread reads.
#[test]
fn resolve_pending_without_a_wait_starts_the_queries() {
    let store = Store::open();
    let client = store.client_with(&json!({ "journalPath": store.journal(), "retryScheduleMs": [86_400_000] }));
    store.sandbox.arm(Fault::on(Operation::Purchase, Effect::ResetAfterCommit));
    store.sandbox.arm(Fault::on(Operation::Purchases, Effect::Status(FaultResponse::status(503))).times(0));
    let id = buy_pending(&client, ASTRID, COFFEE, &json!({})).operation().unwrap();
    store.sandbox.clear_faults();
    // A busy machine may read the journal too late once.
    eventually("the journal is read", || client.resolve_pending(Some(r#"{"waitMs":0}"#)).ok());
    assert_eq!(resolved(&client, id)["outcome"], "completed");
}

#[test]
fn client_without_a_wait_reads_its_journal() {
    let store = Store::open();
    let client = store.client_with(&json!({ "journalPath": store.journal(), "waitMs": 0 }));
    buy(&client, ASTRID, COFFEE, &json!({ "reference": "R", "waitMs": 5_000 })).unwrap();
    // A busy machine may read the journal too late once.
    let listed = eventually("the journal is read", || client.list_unacknowledged(None).ok());
    let listed = parse(&listed);
    assert_eq!(listed["operations"].as_array().map(Vec::len), Some(1), "{listed}");
}

#[test]
fn purchase_in_flight_is_not_sent_again() {
    let store = Store::open();
    let client = store.client_with(&json!({ "requestTimeoutMs": 700 }));
    // Not processed, and no response: only a second request can help, but not within the in-flight
    // window.
    store.sandbox.arm(Fault::on(Operation::Purchase, Effect::StallBeforeCommit));
    let began = Instant::now();
    let operation = buy(&client, ASTRID, COFFEE, &json!({})).unwrap();
    assert!(began.elapsed() >= Duration::from_millis(700), "sent again after {:?}", began.elapsed());
    assert_eq!(operation["attempts"], 2);
    assert_eq!(store.posts(), 2);
    assert_eq!(store.deductions().len(), 1);
    let log = store.sandbox.requests();
    let last_post = log.iter().rposition(|request| request.method == "POST").unwrap();
    assert_eq!(log[last_post - 1].operation, Some(Operation::Purchases), "a status query comes right before");
}

#[test]
fn purchase_reset_in_flight_is_repeated_at_once() {
    let store = Store::open();
    // The in-flight window is 66 s, far longer than the wait of the call.
    let client = store.client_with(&json!({ "requestTimeoutMs": 60_000 }));
    for effect in [Effect::CloseBeforeCommit, Effect::ResetBeforeCommit, Effect::ResetAfterCommit] {
        let posts = store.posts();
        let deducted = store.deductions().len();
        store.sandbox.arm(Fault::on(Operation::Purchase, effect.clone()));
        buy(&client, ASTRID, COFFEE, &json!({ "reference": format!("{effect:?}") })).unwrap();
        assert!(store.posts() - posts <= 2, "{effect:?}");
        assert_eq!(store.deductions().len(), deducted + 1, "{effect:?}");
    }
}

#[test]
fn purchase_past_the_resend_limit_needs_review() {
    let store = Store::open();
    let client = store.client_with(&json!({ "resendLimitMs": 0, "requestTimeoutMs": 300 }));
    store.sandbox.arm(Fault::on(Operation::Purchase, Effect::StallBeforeCommit));
    let error = buy(&client, ASTRID, COFFEE, &json!({})).unwrap_err();
    assert_eq!(error.code(), Code::PendingNeedsReview);
    let id = error.operation().unwrap();
    assert_eq!(unacknowledged(&client)[0]["needsReview"], true);
    assert_eq!(store.posts(), 1);
    client.acknowledge(id).unwrap();
    assert!(unacknowledged(&client).is_empty());
}

#[test]
fn outputs_of_a_client_never_contain_the_key() {
    let store = Store::open();
    let key = "marker-key-8d1f";
    let client = store.client_with(&json!({ "apiKey": key, "journalPath": store.journal() }));
    let (send, receive) = std::sync::mpsc::channel();
    client
        .set_log(engage_point_shop::Level::Debug, Some(Box::new(move |_, line| send.send(line.to_owned()).unwrap())))
        .unwrap();
    let mut said = String::new();
    said += &String::from_utf8(client.list_items(ASTRID, None).unwrap_err().to_json()).unwrap();
    said += &String::from_utf8(buy(&client, ASTRID, COFFEE, &json!({})).unwrap_err().to_json()).unwrap();
    said += &String::from_utf8(client.read_stats().unwrap()).unwrap();
    client.close();
    said.extend(receive.iter());
    assert!(said.contains("EPS_UNAUTHORIZED"));
    for entry in std::fs::read_dir(store.folder.path()).unwrap() {
        said += &String::from_utf8_lossy(&std::fs::read(entry.unwrap().path()).unwrap());
    }
    assert!(!said.contains(key));
}

#[test]
fn close_returns_in_time_and_later_calls_are_rejected() {
    let store = Store::open();
    let client = store.durable_client();
    store.sandbox.arm(Fault::on(Operation::Any, Effect::StallBeforeCommit).times(0));
    std::thread::scope(|scope| {
        let press = scope.spawn(|| buy(&client, ASTRID, COFFEE, &json!({ "waitMs": 60_000 })));
        let read = scope.spawn(|| client.list_items(ASTRID, Some(r#"{"waitMs":60000}"#)));
        store.wait_for_request(Operation::Purchase);
        store.wait_for_request(Operation::Items);
        let began = Instant::now();
        client.close();
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
        assert_eq!(code_of(read.join().unwrap()), Code::Closed);
        assert_eq!(code_of(press.join().unwrap()), Code::PendingClosed);
    });
    assert_eq!(code_of(client.list_items(ASTRID, None)), Code::Closed);
    assert_eq!(code_of(buy(&client, ASTRID, COFFEE, &json!({}))), Code::Closed);
    assert_eq!(code_of(client.list_unacknowledged(None)), Code::Closed);
}

#[test]
fn hanging_request_does_not_delay_the_next_purchase() {
    let store = Store::open();
    let client = store.client();
    store.sandbox.arm(Fault::on(Operation::Any, Effect::StallBeforeCommit).contact(demo::ASTRID).times(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| buy(&client, ASTRID, COFFEE, &json!({ "waitMs": 900, "purchaseId": OperationId::fresh() })));
        }
        store.wait_for_request(Operation::Purchase);
        for _ in 0..20 {
            let began = Instant::now();
            buy(&client, LOAD, COFFEE, &json!({ "purchaseId": OperationId::fresh() })).unwrap();
            assert!(began.elapsed() < Duration::from_millis(800), "{:?}", began.elapsed());
        }
    });
}

/// A member without purchases has a history of 404, as a wrong route has. Which it is decides
/// whether a refusal without a code is a decline.
#[test]
fn refusal_is_confirmed_by_the_404_of_engages_history_only() {
    let json = |status, body: &str| FaultResponse { body: Some(body.into()), ..FaultResponse::status(status) };
    let empty = || FaultResponse {
        body: Some(String::new()),
        content_type: Some("text/plain".into()),
        ..FaultResponse::status(404)
    };
    let no_route = || json(404, r#"{"message":"no Route matched with those values"}"#);
    let not_valid = || json(400, r#"{"errors":{"contactId":["The value 'none' is not valid."]}}"#);
    let page = FaultResponse { content_type: Some("text/html".into()), ..json(404, "<html>404</html>") };
    let cached =
        FaultResponse { headers: [("age".into(), "9".into())].into(), ..FaultResponse::error(404, "NotFound") };
    for (history, of_nobody, outcome) in [
        (json(404, r#"{"errorCode":"NotFound","message":"x"}"#), empty(), "declined"),
        (empty(), FaultResponse::error(400, "InvalidContact"), "declined"),
        (empty(), not_valid(), "declined"),
        (json(404, "{}"), not_valid(), "declined"),
        (no_route(), no_route(), "pending"),
        (empty(), empty(), "pending"),
        (page, not_valid(), "pending"),
        (cached, not_valid(), "pending"),
    ] {
        let store = Store::open();
        let client = store.client_with(&json!({ "retryScheduleMs": [86_400_000] }));
        store.sandbox.arm(Fault::on(Operation::Purchase, Effect::Status(json(422, "{}"))));
        store.sandbox.arm(Fault::on(Operation::Purchases, Effect::Status(history.clone())));
        store.sandbox.arm(Fault::on(Operation::Purchases, Effect::Status(of_nobody)).times(0));
        let error = match outcome {
            "pending" => buy_pending(&client, ASTRID, COFFEE, &json!({})),
            _ => buy(&client, ASTRID, COFFEE, &json!({})).unwrap_err(),
        };
        assert_eq!(problem(&error)["outcome"], outcome, "{history:?}: {error}");
        assert_eq!(store.posts(), 1);
    }
}
