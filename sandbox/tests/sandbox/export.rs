//! The request log as HAR and as curl lines.

use std::process::Command;

use engage_sandbox::seed::demo::{ASTRID, COFFEE};
use engage_sandbox::{Effect, Fault, Operation, Sandbox};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::Connection;

/// Returns a sandbox with a search, a purchase and a failed read of points.
fn used() -> (Sandbox, Uuid) {
    let sandbox = Sandbox::builder().start();
    let mut till = Connection::open(&sandbox);
    let id = Uuid::new_v4();
    till.get("/api/v3/contacts/id?email=astrid%40example.com");
    till.buy(ASTRID, id, COFFEE);
    sandbox.arm(Fault::on(Operation::Points, Effect::CloseAfterCommit));
    assert!(till.try_get(&format!("/api/v3/point-accounts?contactId={ASTRID}")).is_err());
    (sandbox, id)
}

fn export(sandbox: &Sandbox, path: &str) -> String {
    let body = Connection::open(sandbox).get(path).body;
    assert!(!body.contains("demo-key") && !body.contains("example.com"), "{body}");
    body
}

#[test]
fn the_log_is_an_http_archive_without_secrets() {
    let (sandbox, id) = used();
    let har: Value = serde_json::from_str(&export(&sandbox, "/_sandbox/requests.har")).unwrap();
    assert_eq!(har["log"]["version"], "1.2");
    let entries = har["log"]["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 3);
    for entry in entries {
        // The members that HAR 1.2 requires of an entry, and their types.
        for (pointer, right) in [
            ("/startedDateTime", Value::is_string as fn(&Value) -> bool),
            ("/time", Value::is_u64),
            ("/request/method", Value::is_string),
            ("/request/url", Value::is_string),
            ("/request/httpVersion", Value::is_string),
            ("/request/cookies", Value::is_array),
            ("/request/headers", Value::is_array),
            ("/request/queryString", Value::is_array),
            ("/request/headersSize", Value::is_i64),
            ("/request/bodySize", Value::is_i64),
            ("/response/status", Value::is_u64),
            ("/response/statusText", Value::is_string),
            ("/response/httpVersion", Value::is_string),
            ("/response/cookies", Value::is_array),
            ("/response/headers", Value::is_array),
            ("/response/content/size", Value::is_u64),
            ("/response/content/mimeType", Value::is_string),
            ("/response/redirectURL", Value::is_string),
            ("/response/headersSize", Value::is_i64),
            ("/response/bodySize", Value::is_i64),
            ("/cache", Value::is_object),
            ("/timings/send", Value::is_u64),
            ("/timings/wait", Value::is_u64),
            ("/timings/receive", Value::is_u64),
        ] {
            assert!(entry.pointer(pointer).is_some_and(right), "{pointer} in {entry}");
        }
        let key = json!({ "name": "apikey", "value": "***" });
        assert!(entry["request"]["headers"].as_array().unwrap().contains(&key), "{entry}");
    }
    assert_eq!(entries[0]["request"]["queryString"], json!([{ "name": "email", "value": "***" }]));
    let bought = &entries[1];
    assert!(bought["request"]["url"].as_str().unwrap().starts_with(&sandbox.https_url()), "{bought}");
    let sent: Value = serde_json::from_str(bought["request"]["postData"]["text"].as_str().unwrap()).unwrap();
    assert_eq!(sent["pointShopItemPurchaseId"], json!(id));
    let got: Value = serde_json::from_str(bought["response"]["content"]["text"].as_str().unwrap()).unwrap();
    assert_eq!((&got["status"], &bought["response"]["status"]), (&json!("Completed"), &json!(200)));
    assert_eq!(
        (&entries[2]["response"]["status"], &entries[2]["comment"]),
        (&json!(0), &json!("no response, fault response-lost"))
    );
}

#[test]
fn a_curl_line_repeats_its_request() {
    let (sandbox, id) = used();
    let script = export(&sandbox, "/_sandbox/requests.sh");
    let line = script.lines().find(|line| line.contains("pointShopItemPurchaseId")).unwrap();
    sandbox.reset();
    let run = Command::new("sh")
        .args(["-c", line])
        .env("ENGAGE_KEY", sandbox.api_key())
        .env("ENGAGE_CA", sandbox.ca_file())
        .output()
        .unwrap();
    assert!(run.status.success(), "{line}\n{}", String::from_utf8_lossy(&run.stderr));
    let response: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!((&response["pointShopItemPurchaseId"], &response["status"]), (&json!(id), &json!("Completed")));
    assert_eq!(sandbox.balance(ASTRID), Some(1100));
}

#[test]
fn a_tills_values_in_a_curl_line_are_quoted() {
    let sandbox = Sandbox::builder().start();
    let mut till = Connection::open(&sandbox);
    till.get("/api/v3/'$(touch$IFS'pwned')'?a=%27");
    let script = export(&sandbox, "/_sandbox/requests.sh");
    let line = script.lines().find(|line| line.starts_with("curl")).unwrap();
    let arguments = Command::new("sh").args(["-c", &line.replacen("curl", "printf '%s\\n'", 1)]).output().unwrap();
    let last = String::from_utf8(arguments.stdout).unwrap().lines().last().unwrap().to_owned();
    assert_eq!(last, format!("{}/api/v3/'$(touch$IFS'pwned')'?a=***", sandbox.https_url()));
}
