//! `eps_check` against a real sandbox, real sockets and real files: each fault is found by its own
//! check, and the call ends within its wait.

use crate::support::{ASTRID, COFFEE, LOAD, Store, buy, buy_pending, code_of, eventually, parse};
use engage_point_shop::{Client, Code};
use engage_sandbox::{Effect, Fault, FaultResponse, Operation};
use serde_json::{Value, json};
use std::thread;

fn check(client: &Client, options: &Value) -> Value {
    parse(&client.check(Some(&options.to_string())).unwrap())
}

fn check_of<'a>(report: &'a Value, name: &str) -> &'a Value {
    let checks = report["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name} in {report:#}"))
}

#[track_caller]
fn assert_found(report: &Value, name: &str, status: &str, part: &str) {
    let check = check_of(report, name);
    assert_eq!(check["status"], status, "{report:#}");
    assert!(check["message"].as_str().unwrap().contains(part), "{part:?} is not in {check:#}");
}

#[test]
fn till_that_can_sell_has_every_check_ok() {
    let store = Store::open();
    let client = store.durable_client();
    let report = check(&client, &json!({}));
    for check in report["checks"].as_array().unwrap() {
        assert_eq!(check["status"], "ok", "{check:#}");
        assert!(check["action"].is_null(), "{check:#}");
    }
    assert_eq!((&report["status"], &report["pendingPoints"]), (&json!("ok"), &json!(0)), "{report:#}");
    assert_found(&report, "journal", "ok", "durable after");
    assert_found(&report, "tls", "ok", "TLS 1.3");
    assert_found(&report, "certificate", "ok", "days more");
    assert_found(&report, "key", "ok", "accepted");
    assert_eq!(store.posts(), 0, "a check spends nothing");
    let offline = check(&client, &json!({ "offline": true }));
    assert_eq!(offline["status"], "ok", "{offline:#}");
    assert!(offline["checks"].as_array().unwrap().iter().all(|check| check["name"] != "key"), "{offline:#}");
}

#[test]
fn fault_of_the_network_is_found_by_its_own_check() {
    let store = Store::open();
    let table: [(Value, &str, &str); 6] = [
        (json!({ "apiKey": "wrong" }), "key", "401"),
        (json!({ "proxy": "http://127.0.0.1:9" }), "connect", "the proxy 127.0.0.1:9 (proxy)"),
        (json!({ "proxy": "http://no-such-proxy.invalid:3128" }), "name", "no-such-proxy.invalid"),
        (json!({ "proxy": store.sandbox.http_url() }), "proxy", "CONNECT"),
        (json!({ "baseUrl": "https://127.0.0.1:9" }), "connect", "No connection"),
        (json!({ "caFile": null, "systemTrust": true }), "tls", "not trusted here"),
    ];
    for (config, name, part) in table {
        let client = store.client_with(&config);
        let report = check(&client, &json!({}));
        assert_eq!(report["status"], "fail", "{config} {report:#}");
        assert_found(&report, name, "fail", part);
        let step = ["name", "connect", "tls", "key"];
        let failed = step.iter().position(|step| *step == name);
        for later in failed.into_iter().flat_map(|at| &step[at + 1..]) {
            assert_found(&report, later, "unknown", "earlier step");
        }
    }
}

#[test]
fn response_that_is_not_engages_fails_the_key() {
    let store = Store::open();
    let client = store.client();
    let page = FaultResponse { content_type: Some("text/html".into()), ..FaultResponse::status(404) };
    let page = FaultResponse { body: Some("<html>no such page</html>".into()), ..page };
    for (response, status, part) in [
        (page, "fail", "not Engage's"),
        (FaultResponse::status(403), "fail", "403"),
        (FaultResponse::status(429), "warn", "429"),
        (FaultResponse::status(503), "warn", "5xx"),
    ] {
        store.sandbox.arm(Fault::on(Operation::Purchases, Effect::Status(response)).times(0));
        assert_found(&check(&client, &json!({})), "key", status, part);
        store.sandbox.clear_faults();
    }
    assert_found(&check(&client, &json!({})), "rateLimit", "warn", "1 responses");
}

#[test]
fn server_that_hangs_is_unknown_at_the_end_of_the_wait() {
    let store = Store::open();
    let client = store.client_with(&json!({ "requestTimeoutMs": 600_000 }));
    store.sandbox.arm(Fault::on(Operation::Purchases, Effect::StallBeforeCommit).times(0));
    let report = check(&client, &json!({ "waitMs": 300 }));
    let key = check_of(&report, "key");
    assert_eq!((&key["status"], &report["status"]), (&json!("unknown"), &json!("warn")), "{report:#}");
    // Nothing at all can be done without a wait, and nothing is called ok that was not done.
    let report = check(&client, &json!({ "waitMs": 0 }));
    for name in ["name", "connect", "tls", "certificate", "key"] {
        assert_eq!(check_of(&report, name)["status"], "unknown", "{report:#}");
    }
}

#[test]
fn check_under_way_ends_when_it_is_cancelled() {
    let store = Store::open();
    let client = store.client_with(&json!({ "requestTimeoutMs": 600_000 }));
    store.sandbox.arm(Fault::on(Operation::Purchases, Effect::StallBeforeCommit).times(0));
    let options = json!({ "waitMs": 600_000, "callId": "doctor" }).to_string();
    for cancel in [|client: &Client| client.cancel_call("doctor"), Client::cancel] {
        let before = store.sandbox.requests().len();
        thread::scope(|scope| {
            let call = scope.spawn(|| client.check(Some(&options)));
            eventually("the check reads", || (store.sandbox.requests().len() > before).then_some(()));
            cancel(&client).unwrap();
            assert_eq!(code_of(call.join().unwrap()), Code::Cancelled);
        });
    }
    let call = thread::scope(|scope| {
        let before = store.sandbox.requests().len();
        let call = scope.spawn(|| client.check(Some(&options)));
        eventually("the check reads", || (store.sandbox.requests().len() > before).then_some(()));
        client.close();
        call.join().unwrap()
    });
    assert_eq!(code_of(call), Code::Closed);
}

#[test]
fn journal_whose_file_was_taken_away_fails_its_owner() {
    let store = Store::open();
    let client = store.durable_client();
    buy(&client, ASTRID, COFFEE, &json!({ "reference": "1" })).unwrap();
    assert_found(&check(&client, &json!({ "offline": true })), "owner", "ok", "those that are open");
    std::fs::rename(store.journal(), store.folder.path().join("away.db")).unwrap();
    let report = check(&client, &json!({ "offline": true }));
    assert_eq!(report["status"], "fail");
    assert_found(&report, "owner", "fail", "was moved or deleted");
}

#[test]
fn pending_purchase_adds_its_points_and_its_age() {
    let store = Store::open();
    let client = store.client_with(&json!({ "journalPath": store.journal() }));
    let items = parse(&client.list_items(LOAD, None).unwrap());
    let coffee = COFFEE.to_string();
    let item = items.as_array().unwrap().iter().find(|item| item["id"] == coffee.as_str()).unwrap();
    store.sandbox.arm(Fault::on(Operation::Purchase, Effect::StallAfterCommit).times(0));
    store.sandbox.arm(Fault::on(Operation::Purchases, Effect::Status(FaultResponse::status(503))).times(0));
    let pending = buy_pending(&client, LOAD, COFFEE, &json!({ "reference": "pending" }));
    let report = check(&client, &json!({ "offline": true }));
    assert_eq!(report["pendingPoints"], item["cost"], "{report:#}");
    assert_found(&report, "pending", "ok", "1 operation is");
    let operation = parse(&client.get_operation(pending.operation().unwrap()).unwrap());
    assert_eq!(check_of(&report, "pending")["sinceMs"], operation["recordedAtMs"]);
    client.close();
    // To another tenant it is foreign, and no longer this till's exposure.
    let other = store.client_with(&json!({ "journalPath": store.journal(), "tenant": "another" }));
    let report = check(&other, &json!({ "offline": true }));
    assert_found(&report, "tenant", "warn", "1 pending operation belongs");
    assert_eq!(report["pendingPoints"], 0);
}

#[test]
fn wait_of_a_check_is_kept_while_the_network_hangs() {
    // A listener that accepts nothing and says nothing: the TLS handshake hangs.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let store = Store::open();
    let url = format!("https://{}", silent.local_addr().unwrap());
    let client = store.client_with(&json!({ "baseUrl": url, "requestTimeoutMs": 600_000 }));
    let report = check(&client, &json!({ "waitMs": 200 }));
    assert_found(&report, "connect", "ok", "was made");
    assert_eq!(check_of(&report, "tls")["status"], "unknown", "{report:#}");
    // A wait that is long enough for a sale makes it a fault of the server or of a filter.
    let report = check(&client, &json!({ "waitMs": 3_000 }));
    assert_found(&report, "tls", "fail", "did not respond to TLS");
    let action = check_of(&report, "tls")["action"].as_str().unwrap();
    assert!(action.contains("docs/operating/network") && !action.contains("waitMs"), "{action}");
}
