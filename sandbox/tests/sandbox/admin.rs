//! The sandbox's own routes.

use engage_sandbox::seed::demo::{ASTRID, BJORN, COFFEE};
use engage_sandbox::{Effect, Fault, FaultResponse, Operation, Sandbox};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::{Connection, with_headers};

fn start() -> (Sandbox, Connection) {
    let sandbox = Sandbox::builder().start();
    let admin = Connection::open(&sandbox);
    (sandbox, admin)
}

#[test]
fn the_sandboxs_routes_need_no_key_and_no_header() {
    let (_sandbox, mut admin) = start();
    admin.send(&with_headers("GET", "/_sandbox/health", "", ""));
    assert_eq!(admin.response().unwrap().json(), json!({ "status": "ok" }));
    assert_eq!(
        admin.get("/_sandbox/nothing").json()["error"],
        "the sandbox has no such route. See GET /_sandbox/openapi.json"
    );
}

#[test]
fn the_state_and_the_ledger_hold_every_change() {
    let (_sandbox, mut admin) = start();
    let id = Uuid::new_v4();
    admin.buy(ASTRID, id, COFFEE);
    let state = admin.get("/_sandbox/state").json();
    assert_eq!(state["members"][0]["contactId"], json!(ASTRID));
    assert_eq!((&state["members"][0]["balance"], &state["members"][0]["held"]), (&json!(1100), &json!(0)));
    assert_eq!(state["purchases"][0]["purchaseId"], json!(id));
    assert_eq!(state["assignments"][0]["purchaseId"], json!(id));
    assert_eq!(state["items"].as_array().unwrap().len(), engage_sandbox::Seed::demo().items.len());
    let ledger = admin.get("/_sandbox/ledger").json();
    let fields: Vec<&String> = ledger[0].as_object().unwrap().keys().collect();
    let expected =
        ["assignmentId", "balanceAfter", "contactId", "itemId", "kind", "points", "purchaseId", "seq", "time"];
    assert_eq!(fields, expected);
    assert_eq!(
        (&ledger[0]["assignmentId"], &ledger[1]["assignmentId"]),
        (&Value::Null, &state["assignments"][0]["id"])
    );
    assert_eq!((&ledger[0]["kind"], &ledger[1]["kind"]), (&json!("deduct"), &json!("assign")));
}

#[test]
fn the_log_holds_requests_and_responses_without_secrets() {
    let (sandbox, mut admin) = start();
    let fault = Fault::on(Operation::Points, Effect::CloseAfterCommit);
    assert_eq!(admin.post("/_sandbox/faults", &json!(fault)).status, 201);
    let id = Uuid::new_v4();
    admin.buy(BJORN, id, COFFEE);
    admin.get("/api/v3/contacts/id?email=astrid%40example.com&apikey=demo-key&contactType=Member");
    assert!(admin.try_get(&format!("/api/v3/point-accounts?contactId={ASTRID}")).is_err());

    let mut admin = Connection::open(&sandbox);
    let response = admin.get("/_sandbox/requests");
    assert!(!response.body.contains("example.com") && !response.body.contains("demo-key"), "{}", response.body);
    let log = response.json();
    assert_eq!((&log[0]["operation"], &log[0]["status"]), (&json!("purchase"), &json!(422)));
    assert_eq!((&log[0]["purchaseId"], &log[0]["key"], &log[0]["seq"]), (&json!(id), &json!("right"), &json!(1)));
    assert_eq!(log[1]["path"], "/api/v3/contacts/id?email=***&apikey=***&contactType=Member");
    assert_eq!((&log[2]["status"], &log[2]["fault"]), (&json!("no response"), &json!("response-lost")));
    assert_eq!(log.as_array().unwrap().len(), 3);
}

#[test]
fn every_fault_is_listed_as_it_was_armed() {
    let (_sandbox, mut admin) = start();
    let effects = [
        json!({ "delay": { "ms": 5 } }),
        json!({ "slow": { "ms": 5, "pointOfNoReturnMs": 1 } }),
        json!({ "redeemedElsewhere": {} }),
        json!({ "wrongDate": { "offsetMs": -60_000 } }),
        json!({ "status": { "status": 503, "message": "m", "errorCode": "c" } }),
        json!({ "statusAfterCommit": { "status": 200, "body": "b", "contentType": "t/t", "headers": { "a": "b" } } }),
        json!({ "resetBeforeCommit": {} }),
        json!({ "resetAfterCommit": {} }),
        json!({ "closeBeforeCommit": {} }),
        json!({ "closeAfterCommit": {} }),
        json!({ "stallBeforeCommit": {} }),
        json!({ "stallAfterCommit": {} }),
        json!({ "truncate": { "bytes": 3 } }),
        json!({ "drip": { "bytesPerWrite": 1, "intervalMs": 2 } }),
        json!({ "garbage": {} }),
        json!({ "html": {} }),
        json!({ "wrongLength": { "delta": -1 } }),
        json!({ "emptyBody": { "status": 204 } }),
        json!({ "rawResponse": { "text": "x", "keepAlive": true } }),
    ];
    for effect in &effects {
        let fault = json!({ "match": { "operation": "any" }, "effect": effect });
        let response = admin.post("/_sandbox/faults", &fault);
        assert_eq!(response.status, 201, "{response:?}");
    }
    let armed = admin.get("/_sandbox/faults").json();
    for (armed, effect) in armed.as_array().unwrap().iter().zip(&effects) {
        let (name, parameters) = effect.as_object().unwrap().iter().next().unwrap();
        for (parameter, value) in parameters.as_object().unwrap() {
            assert_eq!(&armed["effect"][name][parameter], value);
        }
        assert_eq!(
            armed["match"],
            json!({ "operation": "any", "contactId": null, "itemId": null, "nth": 1, "times": 1 })
        );
    }
    assert_eq!(armed.as_array().unwrap().len(), effects.len());
    admin.send(&with_headers("DELETE", "/_sandbox/faults", "", ""));
    assert_eq!(admin.response().unwrap().status, 204);
    assert_eq!(admin.get("/_sandbox/faults").json(), json!([]));
}

#[test]
fn invalid_input_is_rejected_with_its_field_and_line() {
    let (_sandbox, mut admin) = start();
    let fault = |on: &str, effect: &str| format!("{{\"match\": {on},\n\"effect\": {effect}}}");
    let any = "{\"operation\": \"any\"}";
    for (path, body, field, line) in [
        ("faults", fault("{\"operation\": \"buy\"}", "{}"), json!("match.operation"), json!(1)),
        ("faults", fault("{\"operation\": \"any\", \"n\": 1}", "{}"), json!("match.n"), json!(1)),
        ("faults", fault("{\"operation\": \"any\", \"nth\": 0}", "{\"html\": {}}"), json!("match.nth"), Value::Null),
        ("faults", fault(any, "{\"explode\": {}}"), json!("effect"), json!(2)),
        ("faults", fault(any, "{\"delay\": {\"s\": 1}}"), json!("effect.delay.s"), json!(2)),
        ("faults", fault(any, "{\"delay\": {}}"), json!("effect.delay.ms"), json!(2)),
        ("faults", fault(any, "{\"html\": {\"s\": 1}}"), json!("effect.html.s"), json!(2)),
        ("faults", fault(any, "{\"drip\": {\"bytesPerWrite\": 0}}"), json!("effect.drip.bytesPerWrite"), json!(2)),
        ("faults", fault(any, "{\"status\": {\"status\": 99}}"), json!("effect.status.status"), Value::Null),
        (
            "faults",
            fault(any, "{\"status\": {\"status\": 200, \"headers\": {\"Content-Length\": \"1\"}}}"),
            json!("effect.status.headers.Content-Length"),
            Value::Null,
        ),
        ("clock", "{\n\"offset\": 1}".to_owned(), json!("offset"), json!(2)),
        ("clock", "{\"offsetMs\": \"1\"}".to_owned(), json!("offsetMs"), json!(1)),
        ("limits", "{\"requestsPerSecond\": -1}".to_owned(), json!("requestsPerSecond"), json!(1)),
        ("restore", "{\n\"shop\": 1}".to_owned(), json!("shop"), json!(2)),
        (
            "members",
            format!(
                "{{\"contactId\": \"{}\", \"faults\": {{\"any\": {{\"status\": {{\"status\": 99}}}}}}}}",
                Uuid::new_v4()
            ),
            json!("faults.any.status.status"),
            Value::Null,
        ),
        ("members", "{}".to_owned(), json!("contactId"), json!(1)),
        ("members", format!("{{\"contactId\": \"{ASTRID}\"}}"), json!("contactId"), Value::Null),
        ("items", "[".to_owned(), Value::Null, json!(1)),
        ("items", String::new(), Value::Null, json!(1)),
    ] {
        admin.send(&with_headers("POST", &format!("/_sandbox/{path}"), "", &body));
        let response = admin.response().unwrap();
        let error = response.json();
        assert_eq!((response.status, &error["field"], &error["line"]), (400, &field, &line), "{path} {body}: {error}");
        assert!(!error["error"].as_str().unwrap().is_empty());
    }
}

#[test]
fn members_and_items_can_be_added() {
    let (sandbox, mut admin) = start();
    let (contact, item) = (Uuid::new_v4(), Uuid::new_v4());
    let member = json!({ "contactId": contact, "name": "New", "points": 10 });
    assert_eq!(admin.post("/_sandbox/members", &member).status, 201);
    let item_json = json!({
        "id": item, "name": "Sweet", "cost": 4, "promotionId": Uuid::new_v4(), "stock": 1,
        "behaviour": { "processing": { "forMs": 60_000, "response": "timedOut", "ends": "failed" } },
    });
    assert_eq!(admin.post("/_sandbox/items", &item_json).status, 201);
    assert_eq!(admin.buy(contact, Uuid::new_v4(), item).status, 409);
    assert_eq!(admin.buy(contact, Uuid::new_v4(), item).status, 422);
    assert_eq!(admin.post("/_sandbox/clock", &json!({ "offsetMs": 60_000 })).json()["offsetMs"], 60_000);
    assert_eq!(sandbox.balance(contact), Some(10));
}

#[test]
fn a_reset_restores_the_start() {
    let (sandbox, mut admin) = start();
    admin.buy(ASTRID, Uuid::new_v4(), COFFEE);
    sandbox.arm(Fault::on(Operation::Any, Effect::Status(FaultResponse::status(500))));
    admin.post("/_sandbox/limits", &json!({ "requestsPerSecond": 0 }));
    admin.post("/_sandbox/clock", &json!({ "offsetMs": 9_000_000_000_000_000_i64 }));
    assert_eq!(admin.post("/_sandbox/reset", &json!(null)).status, 204);
    let state = admin.get("/_sandbox/state").json();
    assert_eq!((&state["clockOffsetMs"], &state["requestsPerSecond"]), (&json!(0), &json!(200)));
    assert_eq!(state["purchases"], json!([]));
    assert_eq!(sandbox.balance(ASTRID), Some(1200));
    assert!(sandbox.ledger().is_empty() && sandbox.requests().is_empty() && sandbox.faults().is_empty());
    assert_eq!(admin.get(&format!("/api/v3/point-accounts?contactId={ASTRID}")).status, 200);
}

#[test]
fn web_page_of_another_site_changes_and_reads_nothing() {
    let sandbox = Sandbox::builder().start();
    let mut admin = Connection::open(&sandbox);
    let mut send = |method: &str, path: &str, headers: &str| {
        let host = if headers.contains("Host:") { "" } else { "Host: localhost\r\n" };
        admin.send(&format!("{method} {path} HTTP/1.1\r\n{host}{headers}Content-Length: 2\r\n\r\n{{}}"));
        admin.response().unwrap().status
    };
    for (method, path, headers, status) in [
        ("POST", "/_sandbox/reset", "Origin: http://evil.example\r\n", 403),
        ("POST", "/_sandbox/reset", "Origin: null\r\n", 403),
        ("POST", "/_sandbox/world", "Sec-Fetch-Site: cross-site\r\nContent-Type: text/plain\r\n", 403),
        ("DELETE", "/_sandbox/faults", "Sec-Fetch-Site: same-site\r\n", 403),
        ("GET", "/_sandbox/stores", "Host: rebound.evil.example\r\n", 403),
        ("GET", "/", "Host: 127.0.0.1.evil.example:8080\r\n", 403),
        ("GET", "/_sandbox/stores", "Host: 127.0.0.1:8080\r\n", 200),
        ("GET", "/_sandbox/stores", "Host: [::1]:8080\r\n", 200),
        ("GET", "/_sandbox/stores", "Host: sandbox:8080\r\n", 200),
        ("GET", "/_sandbox/stores", "Host: till.localhost\r\n", 200),
        ("POST", "/_sandbox/world", "Origin: https://localhost\r\nSec-Fetch-Site: same-origin\r\n", 200),
        ("POST", "/_sandbox/world", "Sec-Fetch-Site: none\r\n", 200),
        ("POST", "/_sandbox/world", "", 200),
    ] {
        assert_eq!(send(method, path, headers), status, "{method} {path} {headers}");
    }
}
