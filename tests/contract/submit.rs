//! Calls that do not block: the option "submit", the notify function, and single calls that are
//! cancelled.

use crate::support::{ASTRID, BJORN, COFFEE, LOAD, Store, buy, code_of, eventually, id_of, parse, problem};
use engage_point_shop::{AssignmentId, Client, Code, OperationId};
use engage_sandbox::seed::demo;
use engage_sandbox::{Effect, Fault, Operation};
use serde_json::{Value, json};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

/// Returns the changes that a client gives from now on.
fn changes(client: &Client) -> Receiver<Value> {
    let (send, receive) = mpsc::channel();
    client.set_notify(Some(Box::new(move |json| drop(send.send(parse(json.as_bytes())))))).unwrap();
    receive
}

/// Receives changes until one of this outcome.
fn until(changes: &Receiver<Value>, outcome: &str) -> Value {
    loop {
        let change = changes.recv_timeout(LONG).unwrap_or_else(|_| panic!("no change with the outcome {outcome}"));
        if change["outcome"] == outcome {
            return change;
        }
    }
}

#[test]
fn submitted_purchase_returns_before_the_response() {
    let store = Store::open();
    let client = store.client_with(&json!({ "journalPath": store.journal(), "requestTimeoutMs": 3_000 }));
    let changes = changes(&client);
    store.sandbox.arm(Fault::on(Operation::Purchase, Effect::StallBeforeCommit));
    let error = buy(&client, ASTRID, COFFEE, &json!({ "reference": "1", "submit": true })).unwrap_err();
    assert_eq!(error.code(), Code::PendingSubmitted);
    let object = &problem(&error)["operation"];
    assert_eq!((&object["outcome"], &object["existing"]), (&json!("pending"), &json!(false)), "{object}");
    assert_eq!(error.operation(), Some(id_of(object)));
    // It is durable, and its outcome comes by itself.
    assert_eq!(parse(&client.get_operation(id_of(object)).unwrap())["reference"], "1");
    assert_eq!(id_of(&until(&changes, "pending")), id_of(object));
    let completed = until(&changes, "completed");
    assert_eq!(id_of(&completed), id_of(object));
    // A second press is the operation that exists.
    let again = buy(&client, ASTRID, COFFEE, &json!({ "reference": "1", "submit": true })).unwrap();
    assert_eq!((&again["outcome"], &again["existing"]), (&json!("completed"), &json!(true)));
    assert_eq!(store.deductions(), [id_of(object).uuid()]);
}

#[test]
fn submitted_redeem_reports_its_outcome_to_the_function() {
    let store = Store::open();
    let client = store.client();
    let changes = changes(&client);
    buy(&client, ASTRID, COFFEE, &json!({})).unwrap();
    let reward = AssignmentId::from_uuid(store.sandbox.assignments(demo::ASTRID).pop().unwrap().id);
    // The attempt may have ended before the call returns.
    let id = match client.redeem_reward(Some(ASTRID), reward, Some(r#"{"submit":true}"#)) {
        Ok(redeemed) => id_of(&parse(&redeemed)),
        Err(error) => error.operation().unwrap(),
    };
    let redeemed = loop {
        let change = until(&changes, "completed");
        if id_of(&change) == id {
            break change;
        }
    };
    assert_eq!(redeemed["kind"], "redeem");
}

#[test]
fn submitted_purchase_without_attempts_is_not_sent() {
    let store = Store::open();
    let client = store.client_with(&json!({ "baseUrl": "https://127.0.0.1:9" }));
    let changes = changes(&client);
    // The attempt may have ended before the call returns.
    let code = code_of(buy(&client, ASTRID, COFFEE, &json!({ "submit": true })));
    assert!(matches!(code, Code::PendingSubmitted | Code::Offline), "{code:?}");
    assert_eq!(until(&changes, "notSent")["name"], "EPS_OFFLINE");
}

#[test]
fn changes_of_one_operation_come_in_order_and_once() {
    let store = Store::open();
    let client = store.client();
    let changes = changes(&client);
    // The function first gets what the journal holds, on a busy machine after the first sale.
    let first = buy(&client, LOAD, COFFEE, &json!({})).unwrap();
    client.acknowledge(id_of(&first)).unwrap();
    while changes.recv_timeout(LONG).unwrap()["acknowledgedAtMs"].is_null() {}
    for _ in 0..20 {
        let bought = buy(&client, LOAD, COFFEE, &json!({})).unwrap();
        client.acknowledge(id_of(&bought)).unwrap();
        let seen: Vec<(Value, bool)> = (0..3)
            .map(|_| changes.recv_timeout(LONG).unwrap())
            .inspect(|change| assert_eq!(id_of(change), id_of(&bought)))
            .map(|change| (change["outcome"].clone(), change["acknowledgedAtMs"].is_null()))
            .collect();
        let wanted = [("pending", true), ("completed", true), ("completed", false)];
        assert_eq!(seen, wanted.map(|(outcome, open)| (json!(outcome), open)));
    }
    client.close();
    assert!(changes.try_recv().is_err());
}

#[test]
fn function_set_later_gets_what_is_not_acknowledged() {
    let store = Store::open();
    let bought = buy(&store.durable_client(), ASTRID, COFFEE, &json!({ "reference": "before" })).unwrap();
    let client = store.durable_client();
    let first = changes(&client);
    assert_eq!(id_of(&until(&first, "completed")), id_of(&bought));
    // Another function begins anew, and the removed one gets nothing more.
    let second = changes(&client);
    assert_eq!(id_of(&until(&second, "completed")), id_of(&bought));
    client.acknowledge(id_of(&bought)).unwrap();
    assert!(!second.recv_timeout(LONG).unwrap()["acknowledgedAtMs"].is_null());
    assert!(first.recv_timeout(LONG).is_err(), "a removed function was called");
    let third = changes(&client);
    client.set_notify(None).unwrap();
    assert!(third.recv_timeout(LONG).is_err(), "what is acknowledged came again");
}

#[test]
fn slow_function_gets_the_last_state_of_every_operation() {
    const MANY: usize = 550;
    let store = Store::open();
    let client = store.client();
    let (send, receive) = mpsc::channel();
    let (release, gate) = mpsc::channel::<()>();
    client
        .set_notify(Some(Box::new(move |json| {
            let _ = gate.recv();
            send.send(parse(json.as_bytes())).unwrap();
        })))
        .unwrap();
    // Two changes each: more than may wait.
    for _ in 0..MANY {
        buy(&client, LOAD, COFFEE, &json!({ "purchaseId": OperationId::fresh() })).unwrap();
    }
    drop(release);
    let mut completed = std::collections::BTreeSet::new();
    while completed.len() < MANY {
        let change = receive.recv_timeout(LONG).unwrap();
        if change["outcome"] == "completed" {
            completed.insert(id_of(&change));
        }
    }
}

#[test]
fn notify_function_without_a_journal_is_an_error() {
    let client = Store::open().client_with(&json!({ "journal": null }));
    assert_eq!(code_of(client.set_notify(Some(Box::new(|_| ())))), Code::BadConfig);
}

#[test]
fn cancelled_call_ends_and_the_other_cashiers_goes_on() {
    let store = Store::open();
    let client = store.client_with(&json!({ "requestTimeoutMs": 60_000 }));
    for operation in [Operation::Items, Operation::Purchase] {
        store.sandbox.arm(Fault::on(operation, Effect::StallBeforeCommit).contact(demo::BJORN).times(0));
    }
    let options = |name: &str| json!({ "callId": name, "waitMs": 60_000 }).to_string();
    let (one, other) = (options("one"), options("other"));
    thread::scope(|scope| {
        let read = scope.spawn(|| client.list_items(BJORN, Some(&one)));
        let bought = scope.spawn(|| client.purchase(BJORN, COFFEE, Some(&one)));
        let goes_on = scope.spawn(|| client.list_items(BJORN, Some(&other)));
        store.wait_for_request(Operation::Purchase);
        eventually("both reads have left", || {
            let requests = store.sandbox.requests();
            let reads = requests.iter().filter(|request| request.operation == Some(Operation::Items)).count();
            (reads == 2).then_some(())
        });
        client.cancel_call("nobody's").unwrap();
        client.cancel_call("one").unwrap();
        assert_eq!(code_of(read.join().unwrap()), Code::Cancelled);
        assert_eq!(code_of(bought.join().unwrap()), Code::PendingCancelled);
        assert!(!goes_on.is_finished(), "the other call was cancelled too");
        client.cancel_call("other").unwrap();
        assert_eq!(code_of(goes_on.join().unwrap()), Code::Cancelled);
    });
    // The name is free again.
    store.sandbox.clear_faults();
    client.list_items(ASTRID, Some(&options("one"))).unwrap();
}
