//! The log: an operation's life in lines, the ids of requests, and the library's own file.

use crate::support::{ASTRID, COFFEE, LOAD, Store, buy, buy_pending, eventually, id_of, parse, resolved};
use engage_point_shop::{Client, Code, Level, OperationId};
use engage_sandbox::{Effect, Fault, FaultResponse, Operation};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

/// Returns the lines of a client from now on, with their levels.
fn lines(client: &Client, level: Level) -> Receiver<(Level, Value)> {
    let (send, receive) = mpsc::channel();
    client.set_log(level, Some(Box::new(move |level, line| drop(send.send((level, parse(line.as_bytes()))))))).unwrap();
    receive
}

/// Receives lines until one of this event about this operation.
fn until(lines: &Receiver<(Level, Value)>, event: &str, id: OperationId) -> (Level, Value) {
    loop {
        let (level, line) =
            lines.recv_timeout(Duration::from_secs(60)).unwrap_or_else(|_| panic!("no line of {event}"));
        if line["event"] == event && line["operationId"] == id.to_string() {
            return (level, line);
        }
    }
}

#[test]
fn life_of_a_pending_operation_is_logged_without_debug() {
    let store = Store::open();
    let client = store.durable_client();
    let lines = lines(&client, Level::Info);
    let history = |status| {
        store.sandbox.clear_faults();
        store.sandbox.arm(Fault::on(Operation::Purchases, Effect::Status(FaultResponse::status(status))).times(0));
    };
    history(503);
    store.sandbox.arm(Fault::on(Operation::Purchase, Effect::ResetAfterCommit));
    let pending = buy_pending(&client, LOAD, COFFEE, &json!({ "reference": "1" }));
    let id = pending.operation().unwrap();
    let (level, sent) = until(&lines, "purchase.sent", id);
    assert_eq!((level, &sent["path"], &sent["attempt"]), (Level::Info, &json!("purchase"), &json!(1)), "{sent}");
    let (level, first) = until(&lines, "operation.pending", id);
    assert_eq!(level, Level::Warn);
    assert!(first["nextQueryMs"].is_u64() && first["time"].is_string() && first["action"] == "wait", "{first}");
    // The administrator is needed: the key was revoked while the operation is pending.
    history(401);
    let (level, rejected) = loop {
        let (level, line) = until(&lines, "operation.pending", id);
        if line["action"] == "administrator" {
            break (level, line);
        }
    };
    assert_eq!(level, Level::Error, "{rejected}");
    store.sandbox.clear_faults();
    let (level, resolved) = until(&lines, "operation.resolved", id);
    assert_eq!((level, &resolved["outcome"]), (Level::Info, &json!("completed")), "{resolved}");
    // Queries for the caller do not count, and each of them may have been one.
    assert!(resolved["queries"].is_u64(), "{resolved}");
}

#[test]
fn same_reason_of_a_pending_operation_is_logged_once() {
    let store = Store::open();
    let client = store.durable_client();
    let lines = lines(&client, Level::Info);
    store.sandbox.arm(Fault::on(Operation::Purchases, Effect::Status(FaultResponse::status(503))).times(0));
    store.sandbox.arm(Fault::on(Operation::Purchase, Effect::ResetAfterCommit));
    let pending = buy_pending(&client, LOAD, COFFEE, &json!({ "reference": "1" }));
    let id = pending.operation().unwrap();
    eventually("several queries fail", || {
        let operation = parse(&client.get_operation(id).unwrap());
        (operation["retryCount"].as_u64() >= Some(4)).then_some(())
    });
    store.sandbox.clear_faults();
    resolved(&client, id);
    let mut reasons = Vec::new();
    loop {
        let (_, line) = lines.recv_timeout(Duration::from_secs(60)).unwrap();
        match line["event"].as_str().unwrap() {
            "operation.pending" => reasons.push(line["code"].clone()),
            "operation.resolved" => break,
            _ => {}
        }
    }
    assert!(!reasons.is_empty() && reasons.windows(2).all(|two| two[0] != two[1]), "{reasons:?}");
}

#[test]
fn declined_by_the_key_is_an_error_of_the_administrators() {
    let store = Store::open();
    let client = store.client_with(&json!({ "apiKey": "wrong" }));
    let lines = lines(&client, Level::Error);
    let declined = buy(&client, ASTRID, COFFEE, &json!({})).unwrap_err();
    assert_eq!(declined.code(), Code::Unauthorized);
    let (level, line) = until(&lines, "operation.resolved", declined.operation().unwrap());
    assert_eq!(
        (level, &line["code"], &line["outcome"]),
        (Level::Error, &json!("EPS_UNAUTHORIZED"), &json!("declined"))
    );
}

#[test]
fn request_ids_of_engage_are_kept_and_free_text_is_not() {
    let store = Store::open();
    let client = store.durable_client();
    let lines = lines(&client, Level::Debug);
    let headers = [
        ("x-request-id", "engage-7f3a"),
        ("x-correlation-id", "engage-7f3a"),
        ("request-id", "astrid@example.com"),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let response = FaultResponse { headers, ..FaultResponse::status(503) };
    store.sandbox.arm(Fault::on(Operation::Purchase, Effect::StatusAfterCommit(response)));
    let pending = buy(&client, ASTRID, COFFEE, &json!({ "reference": "1", "waitMs": 20_000 }));
    let id = pending.map_or_else(|error| error.operation().unwrap(), |operation| id_of(&operation));
    let ids = resolved(&client, id)["requestIds"].clone();
    assert_eq!(ids, json!(["engage-7f3a", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"]));
    let (_, sent) = until(&lines, "purchase.sent", id);
    assert_eq!(sent["engageRequestId"], ids[1], "{sent}");
}

/// Serves empty lists on loopback, and gives the head of each request.
fn heads() -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut head = String::new();
            while stream.read_line(&mut head).unwrap_or(0) > 2 {}
            if send.send(head).is_err() {
                return;
            }
            let response = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\
                            Connection: close\r\n\r\n[]";
            stream.get_mut().write_all(response.as_bytes()).unwrap();
        }
    });
    (url, receive)
}

#[test]
fn each_request_carries_a_new_id_in_the_configured_header() {
    let (url, heads) = heads();
    let mapping = json!({ "requestIdHeader": "x-till-request" });
    let config = json!({ "baseUrl": url, "userAgent": "A/1", "preconnect": false, "apiMapping": mapping });
    let client = Client::open(&config.to_string()).unwrap();
    let lines = lines(&client, Level::Debug);
    client.list_items(ASTRID, None).unwrap();
    client.list_items(ASTRID, None).unwrap();
    client.close();
    let logged: Vec<String> = lines
        .try_iter()
        .filter(|(_, line)| line["event"] == "request")
        .map(|(_, line)| line["requestId"].as_str().unwrap().to_owned())
        .collect();
    let id = |head: String| head.lines().find_map(|line| line.strip_prefix("x-till-request: ")).unwrap().to_owned();
    let sent: Vec<String> = heads.iter().take(2).map(id).collect();
    assert_eq!(logged, sent, "the log names each request as it was sent");
    assert_ne!(sent[0], sent[1]);
}

#[test]
fn log_file_holds_the_lines_of_its_level_and_no_secret() {
    let store = Store::open();
    let path = store.folder.path().join("till.log");
    let client = store.client_with(&json!({ "logFile": path, "logLevel": "info" }));
    client.find_contact("email", "astrid@example.com", None).unwrap();
    let bought = buy(&client, ASTRID, COFFEE, &json!({ "reference": "receipt 4711" })).unwrap();
    client.close();
    let text = std::fs::read_to_string(&path).unwrap();
    let events: Vec<Value> = text.lines().map(|line| parse(line.as_bytes())["event"].clone()).collect();
    assert_eq!(events, ["purchase.sent", "operation.resolved"], "{text}");
    assert!(text.contains(&id_of(&bought).to_string()));
    for secret in [store.sandbox.api_key(), "astrid@example.com", "4711"] {
        assert!(!text.contains(secret), "{text}");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn log_file_that_cannot_be_written_stops_no_sale() {
    let store = Store::open();
    let client = store.client_with(&json!({ "logFile": store.folder.path().join("missing").join("till.log") }));
    buy(&client, ASTRID, COFFEE, &json!({})).unwrap();
    eventually("the lines are counted", || {
        let metrics = String::from_utf8(client.read_metrics().unwrap()).unwrap();
        metrics.contains("\neps_log_dropped_lines_total 2\n").then_some(())
    });
}
