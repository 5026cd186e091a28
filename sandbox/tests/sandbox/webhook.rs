//! The webhook, received by a listener on this computer.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use engage_sandbox::seed::demo::{ASTRID, COFFEE, SLOW};
use engage_sandbox::{Clock, Sandbox, Time};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::{Connection, with_headers};

const LONG: Duration = Duration::from_secs(60);

/// A received delivery: the head, in lower case, and the body.
type Received = (String, String);

/// A web service that rejects the first `rejected` deliveries and accepts the others.
fn listener(rejected: usize) -> (String, Receiver<Received>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hooks/points", listener.local_addr().unwrap());
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for (n, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                reader.read_line(&mut head).unwrap();
            }
            let head = head.to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            let mut body = vec![0; length.parse().unwrap()];
            reader.read_exact(&mut body).unwrap();
            let status = if n < rejected { "500 No" } else { "204 Yes" };
            stream.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").as_bytes()).unwrap();
            if sender.send((head, String::from_utf8(body).unwrap())).is_err() {
                return;
            }
        }
    });
    (url, receiver)
}

fn balances(received: &Receiver<Received>, count: usize) -> Vec<f64> {
    let body = |_| serde_json::from_str::<Value>(&received.recv_timeout(LONG).unwrap().1).unwrap();
    (0..count).map(body).map(|body| body["payload"]["balance"].as_f64().unwrap()).collect()
}

#[test]
fn a_balance_change_is_delivered_and_signed() {
    let sandbox = Sandbox::builder().start();
    sandbox.set_clock(Clock::Stands(Time::from_millis(1_800_000_000_123)));
    let (url, received) = listener(0);
    let mut till = Connection::open(&sandbox);
    let secret = "whsec_c2VjcmV0IG9mIHRoZSB0ZXN0";
    let set = till.post("/_sandbox/webhook", &json!({ "url": url, "secret": secret }));
    assert_eq!((set.status, set.body.contains("whsec_")), (200, false));
    till.buy(ASTRID, Uuid::new_v4(), COFFEE);

    let (head, body) = received.recv_timeout(LONG).unwrap();
    assert!(head.starts_with("post /hooks/points http/1.1"), "{head}");
    let event: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&event["eventType"], &event["tenant"]), (&json!("point.balance.updated"), &json!("demo-key")));
    assert_eq!((&event["payload"]["contactId"], &event["payload"]["balance"]), (&json!(ASTRID), &json!(1100.0)));
    let header = |name: &str| {
        let line = head.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {head}")).trim_start_matches(": ").to_owned()
    };
    assert_eq!(header("svix-id"), event["id"].as_str().unwrap());
    assert_eq!(header("svix-timestamp"), "1800000000");
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"secret of the test");
    let signed = ring::hmac::sign(&key, format!("{}.1800000000.{body}", header("svix-id")).as_bytes());
    let expected = format!("v1,{}", base64::Engine::encode(&base64::prelude::BASE64_STANDARD, signed));
    assert_eq!(header("svix-signature"), expected.to_ascii_lowercase());
}

#[test]
fn held_returned_and_deducted_points_are_delivered() {
    let sandbox = Sandbox::builder().start();
    let (url, received) = listener(0);
    let mut till = Connection::open(&sandbox);
    till.post("/_sandbox/webhook", &json!({ "url": url }));
    till.buy(ASTRID, Uuid::new_v4(), SLOW);
    till.buy(ASTRID, Uuid::new_v4(), engage_sandbox::seed::demo::FAILS);
    // The points are held, and held and returned at once. The end of the slow purchase does not
    // change the spendable points.
    assert_eq!(balances(&received, 3), [1150.0, 1100.0, 1150.0]);
    sandbox.set_clock_offset(60_000);
    till.buy(ASTRID, Uuid::new_v4(), COFFEE);
    assert_eq!(balances(&received, 1), [1050.0]);
}

#[test]
fn events_are_repeated_and_reordered_on_request() {
    let sandbox = Sandbox::builder().start();
    let (url, received) = listener(0);
    let mut till = Connection::open(&sandbox);
    let mut set = |webhook: Value| assert_eq!(till.post("/_sandbox/webhook", &webhook).status, 200);
    set(json!({ "url": url, "reorder": true }));
    let mut buyer = Connection::open(&sandbox);
    buyer.buy(ASTRID, Uuid::new_v4(), COFFEE);
    buyer.buy(ASTRID, Uuid::new_v4(), COFFEE);
    assert_eq!(balances(&received, 2), [1000.0, 1100.0]);
    set(json!({ "url": url, "repeat": 2 }));
    buyer.buy(ASTRID, Uuid::new_v4(), COFFEE);
    let ids: Vec<String> = (0..3).map(|_| received.recv_timeout(LONG).unwrap().1).collect();
    assert!(ids.iter().all(|body| *body == ids[0]), "{ids:?}");
}

#[test]
fn a_rejected_delivery_is_tried_again() {
    let sandbox = Sandbox::builder().start();
    let (url, received) = listener(2);
    let mut till = Connection::open(&sandbox);
    till.post("/_sandbox/webhook", &json!({ "url": url }));
    till.buy(ASTRID, Uuid::new_v4(), COFFEE);
    assert_eq!(balances(&received, 3), [1100.0; 3]);
    till.send(&with_headers("DELETE", "/_sandbox/webhook", "", ""));
    assert_eq!(till.response().unwrap().status, 204);
    assert_eq!(till.get("/_sandbox/webhook").json(), json!(null));
}

#[test]
fn a_webhook_stays_on_this_computer() {
    let sandbox = Sandbox::builder().start();
    let mut admin = Connection::open(&sandbox);
    for (webhook, field) in [
        (json!({ "url": "http://192.0.2.1/" }), "url"),
        (json!({ "url": "http://example.com/" }), "url"),
        (json!({ "url": "https://127.0.0.1/" }), "url"),
        (json!({ "url": "/hook" }), "url"),
        (json!({ "url": "http://127.0.0.1/", "secret": "open sesame" }), "secret"),
        (json!({ "url": "http://[::1]:1/", "times": 2 }), "times"),
    ] {
        let response = admin.post("/_sandbox/webhook", &webhook);
        assert_eq!((response.status, &response.json()["field"]), (400, &json!(field)), "{response:?}");
    }
}

#[test]
fn an_undone_reset_brings_the_webhook_back() {
    let sandbox = Sandbox::builder().start();
    let (url, received) = listener(0);
    let mut till = Connection::open(&sandbox);
    till.post("/_sandbox/webhook", &json!({ "url": url }));
    till.buy(ASTRID, Uuid::new_v4(), COFFEE);
    assert_eq!(balances(&received, 1), [1100.0]);
    assert_eq!(till.post("/_sandbox/reset", &json!({})).status, 204);
    assert_eq!(till.get("/_sandbox/webhook").json(), Value::Null);
    till.buy(ASTRID, Uuid::new_v4(), COFFEE);
    assert_eq!(till.post("/_sandbox/undo-reset", &json!({})).status, 204);
    let set = till.get("/_sandbox/webhook").json();
    assert_eq!((&set["url"], &set["delivered"]), (&json!(url), &json!(1)));
    till.buy(ASTRID, Uuid::new_v4(), COFFEE);
    // Nothing of the time between was delivered.
    assert_eq!(balances(&received, 1), [1000.0]);
    // A second reset lets the first webhook go.
    sandbox.reset();
    sandbox.reset();
    assert!(sandbox.undo_reset());
    assert_eq!(till.get("/_sandbox/webhook").json(), Value::Null);
}
