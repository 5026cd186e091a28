//! Shared parts of the tests: a running sandbox and clients of it, over TLS unless stated
//! otherwise.
#![allow(dead_code)]

use engage_point_shop::{Client, Code, ContactId, Error, ItemId, OperationId};
use engage_sandbox::seed::demo;
use engage_sandbox::{LedgerKind, Operation, Sandbox};
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use uuid::Uuid;

pub const ASTRID: ContactId = ContactId::from_uuid(demo::ASTRID);
pub const BJORN: ContactId = ContactId::from_uuid(demo::BJORN);
pub const LOAD: ContactId = ContactId::from_uuid(demo::LOAD);
pub const COFFEE: ItemId = ItemId::from_uuid(demo::COFFEE);

pub struct Store {
    pub sandbox: Sandbox,
    pub folder: tempfile::TempDir,
}

impl Store {
    pub fn open() -> Self {
        let sandbox = Sandbox::builder().requests_per_second(None).start();
        Self { sandbox, folder: tempfile::tempdir().unwrap() }
    }

    pub fn journal(&self) -> PathBuf {
        self.folder.path().join("journal.db")
    }

    /// Returns a configuration for this store: HTTPS, only its root certificate, a short retry
    /// schedule, a journal in memory unless `extra` names one.
    pub fn config(&self, extra: &Value) -> String {
        let mut config = json!({
            "baseUrl": self.sandbox.https_url(),
            "apiKey": self.sandbox.api_key(),
            "userAgent": "TestPOS/1.0",
            "caFile": self.sandbox.ca_file(),
            "systemTrust": false,
            "requestTimeoutMs": 1_000,
            // The sandbox's history has no lag.
            "historyLagMs": 0,
            "retryScheduleMs": [20, 40, 80],
            "startupJitterMs": 0,
            // Tests reach one store by several addresses.
            "tenant": "store",
            // Tests that break "the next connection" mean the connection of their call.
            "preconnect": false,
        });
        let config_map = config.as_object_mut().unwrap();
        let extra = extra.as_object().cloned().unwrap_or_else(Map::new);
        if !extra.contains_key("journalPath") && !extra.contains_key("journal") {
            config_map.insert("journal".into(), "memory".into());
        }
        config_map.extend(extra);
        // A null removes a key.
        config_map.retain(|_, value| !value.is_null());
        config.to_string()
    }

    pub fn client(&self) -> Client {
        self.client_with(&json!({}))
    }

    pub fn client_with(&self, extra: &Value) -> Client {
        Client::open(&self.config(extra)).unwrap()
    }

    /// Returns a client with its journal in the store's file.
    pub fn durable_client(&self) -> Client {
        self.client_with(&json!({ "journalPath": self.journal() }))
    }

    pub fn deductions(&self) -> Vec<Uuid> {
        let ledger = self.sandbox.ledger();
        ledger.iter().filter(|entry| entry.kind == LedgerKind::Deduct).map(|entry| entry.purchase_id).collect()
    }

    /// Waits until a request of this operation has reached the sandbox. Panics after a minute.
    pub fn wait_for_request(&self, operation: Operation) {
        let request = self.sandbox.wait_for(Duration::from_secs(60), |request| request.operation == Some(operation));
        assert!(request.is_some(), "{operation:?}: no request within a minute");
    }

    /// Returns the number of requests that spend at the sandbox.
    pub fn posts(&self) -> usize {
        self.sandbox.requests().iter().filter(|request| request.method == "POST").count()
    }
}

/// Parses a result as JSON.
pub fn parse(result: &[u8]) -> Value {
    serde_json::from_slice(result).unwrap()
}

/// Returns the problem object of an error.
pub fn problem(error: &Error) -> Value {
    parse(&error.to_json())
}

/// Buys, and returns the operation object or the error.
pub fn buy(client: &Client, contact: ContactId, item: ItemId, with: &Value) -> Result<Value, Error> {
    client.purchase(contact, item, Some(&with.to_string())).map(|json| parse(&json))
}

/// Presses until the operation is pending, and returns the error. A press gets its wait: shorter
/// than the request's time-out, so that a stalled request is pending. On a busy machine such a wait
/// may end before the request has left, and the operation is then not sent.
pub fn pending(press: impl Fn(u64) -> Result<Value, Error>) -> Error {
    for wait_ms in (200..900).step_by(100) {
        let error = press(wait_ms).expect_err("a pending operation");
        match problem(&error)["outcome"].as_str() {
            Some("pending") => return error,
            found => assert_eq!(found, Some("notSent"), "{error}"),
        }
    }
    panic!("no request has left within its wait");
}

/// Buys, and returns the error of the pending operation.
pub fn buy_pending(client: &Client, contact: ContactId, item: ItemId, with: &Value) -> Error {
    pending(|wait_ms| {
        let mut with = with.clone();
        with["waitMs"] = json!(wait_ms);
        buy(client, contact, item, &with)
    })
}

pub fn id_of(operation: &Value) -> OperationId {
    OperationId::parse(operation["operationId"].as_str().unwrap(), "operationId").unwrap()
}

pub fn unacknowledged(client: &Client) -> Vec<Value> {
    parse(&client.list_unacknowledged(None).unwrap())["operations"].as_array().unwrap().clone()
}

/// Waits until the operation's outcome is known, and returns the operation.
pub fn resolved(client: &Client, id: OperationId) -> Value {
    eventually("the operation is resolved", || {
        let operation = parse(&client.get_operation(id).unwrap());
        (operation["outcome"] != "pending").then_some(operation)
    })
}

/// Waits for an expected event. Panics when it has not come after a minute.
pub fn eventually<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = check() {
            return found;
        }
        assert!(Instant::now() < until, "{what}: not within a minute");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

#[track_caller]
pub fn code_of<T: std::fmt::Debug>(result: Result<T, Error>) -> Code {
    match result {
        Ok(value) => panic!("an error was expected, not {value:?}"),
        Err(error) => error.code(),
    }
}
