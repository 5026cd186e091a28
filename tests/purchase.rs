//! The promises of a purchase, one test each: joining, references, the two deadlines, settling, acknowledging.

mod support;

use engage_point_shop::{Client, Code, ItemId, OperationId};
use engage_sandbox::seed::demo;
use engage_sandbox::{Effect, Fault, FaultResponse, Operation};
use serde_json::json;
use std::sync::Barrier;
use std::time::{Duration, Instant};
use support::{ASTRID, BJORN, COFFEE, LOAD, Store, buy, code_of, eventually, id_of, parse, settled, unsettled};

#[test]
fn without_a_journal_nothing_that_spends_is_possible() {
    let store = Store::open();
    let client = store.client_with(&json!({ "journal": null }));
    client.list_items(ASTRID, None).unwrap();
    let error = buy(&client, ASTRID, COFFEE, &json!({})).unwrap_err();
    assert_eq!(error.code(), Code::BadConfig);
    assert!(error.message().contains("journalPath"), "{error}");
    assert_eq!(store.posts(), 0);
}

#[test]
fn options_are_checked_before_anything_is_sent() {
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
    assert!(unsettled(&client).is_empty());
}

#[test]
fn a_second_press_joins_the_first_intent() {
    let store = Store::open();
    let client = store.client();
    let first = buy(&client, ASTRID, COFFEE, &json!({})).unwrap();
    let second = buy(&client, ASTRID, COFFEE, &json!({})).unwrap();
    assert_eq!(first["operationId"], second["operationId"]);
    assert_eq!((&first["existing"], &second["existing"]), (&json!(false), &json!(true)));
    assert_eq!(store.posts(), 1);
    // Acknowledged: the sale is over, and the next press is the next purchase.
    client.acknowledge(id_of(&first)).unwrap();
    let third = buy(&client, ASTRID, COFFEE, &json!({})).unwrap();
    assert_ne!(first["operationId"], third["operationId"]);
    assert_eq!(store.deductions().len(), 2);
}

#[test]
fn presses_at_the_same_instant_are_one_purchase() {
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
fn the_same_reference_contact_and_item_always_mean_the_same_purchase() {
    let store = Store::open();
    let client = store.durable_client();
    let receipt = json!({ "reference": "receipt 4711" });
    let first = buy(&client, ASTRID, COFFEE, &receipt).unwrap();
    client.acknowledge(id_of(&first)).unwrap();
    client.close();
    // After an acknowledgement and a restart too.
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
fn a_reference_and_a_purchase_id_that_contradict_each_other_are_the_callers_mistake() {
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
fn a_refusal_stays_a_refusal_for_its_reference_and_does_not_stand_in_the_way_of_the_next_press() {
    let store = Store::open();
    let client = store.client();
    let gift = ItemId::from_uuid(demo::GIFT_CARD);
    let refused = |with: &serde_json::Value| code_of(buy(&client, BJORN, gift, with));
    assert_eq!(refused(&json!({ "reference": "R" })), Code::PurchaseNotAllowed);
    assert_eq!(refused(&json!({ "reference": "R" })), Code::PurchaseNotAllowed);
    assert_eq!(store.posts(), 1, "the same intent, so the same answer");
    assert_eq!(refused(&json!({})), Code::PurchaseNotAllowed);
    assert_eq!(refused(&json!({})), Code::PurchaseNotAllowed);
    assert_eq!(store.posts(), 3, "a press without a reference asks again: the member may have got the points");
}

#[test]
fn what_was_not_sent_may_be_tried_again_with_the_same_id() {
    let store = Store::open();
    let closed_port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let id = OperationId::fresh();
    let offline =
        store.client_with(&json!({ "baseUrl": format!("https://{closed_port}"), "journalPath": store.journal() }));
    let error = buy(&offline, ASTRID, COFFEE, &json!({ "purchaseId": id })).unwrap_err();
    assert_eq!(error.code(), Code::Offline);
    assert!(error.cause().iter().any(|cause| cause.contains(&closed_port.to_string())), "{:?}", error.cause());
    assert_eq!(unsettled(&offline)[0]["outcome"], "notSent");
    offline.close();
    let online = store.durable_client();
    let bought = buy(&online, ASTRID, COFFEE, &json!({ "purchaseId": id })).unwrap();
    assert_eq!(bought["attempts"], 2);
    assert_eq!(store.deductions(), [id.uuid()]);
}

#[test]
fn at_the_end_of_the_wait_the_request_goes_on_and_its_answer_is_journaled() {
    let store = Store::open();
    let client = store.client();
    store.sandbox.arm(Fault::on(Operation::Purchase, Effect::Delay { ms: 400 }));
    let began = Instant::now();
    let error = buy(&client, ASTRID, COFFEE, &json!({ "waitMs": 150 })).unwrap_err();
    assert!(
        began.elapsed() < Duration::from_millis(390),
        "the wait is 150 ms, not the request's 400: {:?}",
        began.elapsed()
    );
    assert_eq!(error.code(), Code::PendingWaitEnded);
    let id = error.operation().unwrap();
    assert_eq!(unsettled(&client)[0]["outcome"], "pending");
    assert_eq!(code_of(client.acknowledge(id)), Code::StillPending);
    // Nobody asks for it.
    assert_eq!(settled(&client, id)["outcome"], "completed");
    assert_eq!(store.posts(), 1, "its own answer came; nothing was sent again");
    assert!(!store.sandbox.requests().iter().any(|request| request.operation == Some(Operation::Purchases)));
    client.acknowledge(id).unwrap();
    assert!(unsettled(&client).is_empty());
}

#[test]
fn a_purchase_that_is_still_processing_is_followed_to_its_end() {
    for (item, outcome) in [(demo::SLOW, "completed"), (demo::TIMES_OUT, "completed")] {
        let store = Store::open();
        let client = store.client();
        let operation = buy(&client, ASTRID, ItemId::from_uuid(item), &json!({})).unwrap();
        assert_eq!(operation["outcome"], outcome);
        assert_eq!(store.posts(), 1, "looked at, not sent again");
        assert_eq!(store.deductions().len(), 1);
    }
}

#[test]
fn cancel_withdraws_what_has_not_left_and_leaves_pending_what_has() {
    let store = Store::open();
    let client = store.client();
    store.sandbox.arm(Fault::on(Operation::Any, Effect::StallBeforeCommit).times(0));
    std::thread::scope(|scope| {
        let press = scope.spawn(|| buy(&client, ASTRID, COFFEE, &json!({ "waitMs": 60_000 })));
        let read = scope.spawn(|| client.list_items(ASTRID, Some(r#"{"waitMs":60000}"#)));
        store.sandbox.wait_for(Duration::from_secs(10), |request| request.operation == Some(Operation::Items));
        eventually("the purchase is on its way", || {
            (unsettled(&client).len() == 1 && client.read_stats().is_ok()).then_some(())
        });
        store.sandbox.wait_for(Duration::from_secs(10), |request| request.operation == Some(Operation::Purchase));
        client.cancel().unwrap();
        assert_eq!(code_of(read.join().unwrap()), Code::Cancelled);
        assert_eq!(code_of(press.join().unwrap()), Code::PendingCancelled);
    });
    // A call made after it is not touched by it.
    store.sandbox.clear_faults();
    client.list_items(ASTRID, None).unwrap();
}

#[test]
fn a_restart_settles_what_the_last_run_left_and_the_pos_finds_it() {
    let store = Store::open();
    let client = store.durable_client();
    store.sandbox.arm(Fault::on(Operation::Purchase, Effect::StallAfterCommit));
    let error = buy(&client, ASTRID, COFFEE, &json!({ "reference": "R", "waitMs": 300 })).unwrap_err();
    let id = error.operation().unwrap();
    client.close();
    let client = store.durable_client();
    let operation = settled(&client, id);
    assert_eq!(operation["outcome"], "completed");
    assert_eq!(operation["purchase"]["status"], "Completed");
    assert_eq!(unsettled(&client)[0]["reference"], "R");
    assert_eq!(store.posts(), 1);
}

#[test]
fn settling_asks_at_once_and_says_what_became_known() {
    let store = Store::open();
    // So slow a background that only the call can have done it.
    let client = store.client_with(&json!({ "retryScheduleMs": [86_400_000] }));
    store.sandbox.arm(Fault::on(Operation::Purchase, Effect::ResetAfterCommit));
    store.sandbox.arm(Fault::on(Operation::Purchases, Effect::Status(FaultResponse::status(503))).times(0));
    buy(&client, ASTRID, COFFEE, &json!({ "waitMs": 200 })).unwrap_err();
    let answer = parse(&client.resolve_pending(Some(r#"{"waitMs":200}"#)).unwrap());
    assert_eq!(answer, json!({ "resolved": 0, "pending": 1 }));
    store.sandbox.clear_faults();
    let answer = parse(&client.resolve_pending(None).unwrap());
    assert_eq!(answer, json!({ "resolved": 1, "pending": 0 }));
    assert_eq!(unsettled(&client)[0]["outcome"], "completed");
}

#[test]
fn nothing_is_sent_again_while_the_first_request_may_be_under_way() {
    let store = Store::open();
    let client = store.client_with(&json!({ "requestTimeoutMs": 700 }));
    // Lost before it was processed: only a second request can help, but not before the first one's time is over.
    store.sandbox.arm(Fault::on(Operation::Purchase, Effect::CloseBeforeCommit));
    let began = Instant::now();
    let operation = buy(&client, ASTRID, COFFEE, &json!({})).unwrap();
    assert!(began.elapsed() >= Duration::from_millis(700), "sent again after {:?}", began.elapsed());
    assert_eq!(operation["attempts"], 2);
    assert_eq!(store.posts(), 2);
    assert_eq!(store.deductions().len(), 1);
    let log = store.sandbox.requests();
    let last_post = log.iter().rposition(|request| request.method == "POST").unwrap();
    assert_eq!(log[last_post - 1].operation, Some(Operation::Purchases), "a look comes right before");
}

#[test]
fn beyond_the_replay_limit_nothing_is_sent_and_a_person_is_asked() {
    let store = Store::open();
    let client = store.client_with(&json!({ "resendLimitMs": 0, "requestTimeoutMs": 300 }));
    store.sandbox.arm(Fault::on(Operation::Purchase, Effect::CloseBeforeCommit));
    let error = buy(&client, ASTRID, COFFEE, &json!({})).unwrap_err();
    assert_eq!(error.code(), Code::PendingNeedsReview);
    let id = error.operation().unwrap();
    assert_eq!(unsettled(&client)[0]["needsReview"], true);
    assert_eq!(store.posts(), 1);
    client.acknowledge(id).unwrap();
    assert!(unsettled(&client).is_empty());
}

#[test]
fn a_clients_answers_never_hold_the_key() {
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
fn closing_is_bounded_and_every_call_after_it_says_so() {
    let store = Store::open();
    let client = store.durable_client();
    store.sandbox.arm(Fault::on(Operation::Any, Effect::StallBeforeCommit).times(0));
    std::thread::scope(|scope| {
        let press = scope.spawn(|| buy(&client, ASTRID, COFFEE, &json!({ "waitMs": 60_000 })));
        let read = scope.spawn(|| client.list_items(ASTRID, Some(r#"{"waitMs":60000}"#)));
        store.sandbox.wait_for(Duration::from_secs(10), |request| request.operation == Some(Operation::Purchase));
        store.sandbox.wait_for(Duration::from_secs(10), |request| request.operation == Some(Operation::Items));
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
fn a_hanging_request_does_not_hold_up_the_next_purchase() {
    let store = Store::open();
    let client = store.client();
    store.sandbox.arm(Fault::on(Operation::Any, Effect::StallBeforeCommit).contact(demo::ASTRID).times(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| buy(&client, ASTRID, COFFEE, &json!({ "waitMs": 900, "purchaseId": OperationId::fresh() })));
        }
        store.sandbox.wait_for(Duration::from_secs(10), |request| request.operation == Some(Operation::Purchase));
        for _ in 0..20 {
            let began = Instant::now();
            buy(&client, LOAD, COFFEE, &json!({ "purchaseId": OperationId::fresh() })).unwrap();
            assert!(began.elapsed() < Duration::from_millis(800), "{:?}", began.elapsed());
        }
    });
}
