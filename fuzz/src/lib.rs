//! The fuzz targets: one module per target, each with `run`. `run` takes any bytes and panics when
//! a promise is broken. `cargo xtask fuzz` runs them under libFuzzer.
//! `tests/contract/fuzz_seeds.rs` runs the seeds as a plain test.

pub mod boundary;
pub mod configuration;
pub mod journal;
pub mod options;
pub mod responses;

use engage_point_shop::{Client, ContactId, Error, ItemId};
use serde_json::{Value, json};

fn contact() -> ContactId {
    ContactId::parse("a0000000-0000-4000-8000-000000000001", "contact").unwrap()
}

fn item() -> ItemId {
    ItemId::parse("b0000000-0000-4000-8000-000000000001", "item").unwrap()
}

/// A client of a server on this machine. The client resolves nothing in the background.
fn client(port: u16, more: &Value) -> Client {
    let mut config = json!({
        "baseUrl": format!("http://127.0.0.1:{port}"), "userAgent": "Fuzz/1.0", "apiKey": "k", "journal": "memory", "preconnect": false,
        "requestTimeoutMs": 1_000, "waitMs": 50, "retryScheduleMs": [86_400_000], "startupJitterMs": 3_600_000,
    });
    let fields = config.as_object_mut().unwrap();
    fields.extend(more.as_object().unwrap().clone());
    fields.retain(|_, value| !value.is_null());
    Client::open(&config.to_string()).unwrap()
}

/// Checks an error: it is a problem object with a code, a name and a message.
fn check_error(error: &Error) {
    let problem: Value = serde_json::from_slice(&error.to_json()).unwrap();
    assert!(problem["code"].as_i64().is_some_and(|code| code < 0), "{problem}");
    assert_eq!(problem["name"], error.code().row().name);
    assert!(!error.message().is_empty());
}

/// Checks a result: it is JSON.
fn check(result: Result<Vec<u8>, Error>) -> Result<Value, Error> {
    match result {
        Ok(result) => Ok(serde_json::from_slice(&result).expect("a result is JSON")),
        Err(error) => {
            check_error(&error);
            Err(error)
        }
    }
}
