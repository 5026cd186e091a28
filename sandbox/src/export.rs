//! The request log in the formats of other tools: HAR 1.2 for browsers and proxies, and curl lines
//! for a shell.
//! The log holds no secrets. A curl line takes the key from `$ENGAGE_KEY`.

use std::fmt::Write;
use std::sync::Arc;

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;
use hyper::StatusCode;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, LOCATION};
use serde_json::{Value, json};

use crate::admin::ForStore;
use crate::app::App;
use crate::log::{HIDDEN, Message, RequestEntry};

/// Returns the export's routes.
pub(crate) fn routes(app: &Arc<App>) -> Router {
    Router::new()
        .route("/_sandbox/requests.har", get(requests_har))
        .route("/_sandbox/requests.sh", get(requests_sh))
        .with_state(Arc::clone(app))
}

async fn requests_har(ForStore(store): ForStore) -> impl IntoResponse {
    let har = har(store.state().log.entries());
    ([(CONTENT_TYPE, "application/json")], har.to_string())
}

async fn requests_sh(ForStore(store): ForStore) -> impl IntoResponse {
    let state = store.state();
    let script = curl(state.log.entries(), &state.api_mapping.key_headers());
    drop(state);
    ([(CONTENT_TYPE, "text/x-shellscript; charset=utf-8")], script)
}

/// Returns the requests as an HTTP archive, version 1.2. A request without a response has status 0,
/// as in browsers.
pub(crate) fn har<'a>(entries: impl IntoIterator<Item = &'a RequestEntry>) -> Value {
    let entries: Value = entries.into_iter().map(har_entry).collect();
    let creator = json!({ "name": "engage-sandbox", "version": env!("CARGO_PKG_VERSION") });
    json!({ "log": { "version": "1.2", "creator": creator, "entries": entries } })
}

fn har_entry(entry: &RequestEntry) -> Value {
    let query = entry.path.split_once('?').map_or("", |(_, query)| query);
    let query = form_urlencoded::parse(query.as_bytes()).map(|(name, value)| json!({ "name": name, "value": value }));
    let mut request = json!({
        "method": entry.method,
        "url": url(entry),
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": headers(&entry.request.headers),
        "queryString": query.collect::<Value>(),
        "headersSize": -1,
        "bodySize": entry.request.size,
    });
    if !entry.request.body.is_empty() {
        request["postData"] = json!({ "mimeType": mime_type(&entry.request), "text": text(&entry.request) });
    }
    let status = entry.status.unwrap_or(0);
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default();
    let location = entry.response.headers.get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or_default();
    let response = json!({
        "status": status,
        "statusText": reason,
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": headers(&entry.response.headers),
        "content": {
            "size": entry.response.size,
            "mimeType": mime_type(&entry.response),
            "text": text(&entry.response),
        },
        "redirectURL": location,
        "headersSize": -1,
        "bodySize": entry.response.size,
    });
    let took = entry.took_ms.unwrap_or(0);
    let no_response = entry.status.is_none().then_some("no response");
    let comment = [no_response, entry.fault].into_iter().flatten().collect::<Vec<_>>().join(", fault ");
    json!({
        "startedDateTime": entry.time,
        "time": took,
        "request": request,
        "response": response,
        "cache": {},
        "timings": { "send": 0, "wait": took, "receive": 0 },
        "connection": entry.connection.to_string(),
        "comment": comment,
    })
}

fn url(entry: &RequestEntry) -> String {
    format!("{}{}", entry.origin, entry.path)
}

fn headers(headers: &HeaderMap) -> Value {
    let pairs = headers
        .iter()
        .map(|(name, value)| json!({ "name": name.as_str(), "value": String::from_utf8_lossy(value.as_bytes()) }));
    pairs.collect()
}

fn mime_type(message: &Message) -> String {
    let of = message.headers.get(CONTENT_TYPE);
    of.map_or_else(|| "x-unknown".to_owned(), |value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn text(message: &Message) -> String {
    String::from_utf8_lossy(&message.body).into_owned()
}

/// Returns the requests as a shell script with one curl line a request.
fn curl<'a>(entries: impl IntoIterator<Item = &'a RequestEntry>, key_headers: &[&str]) -> String {
    let mut script = String::from(
        "#!/bin/sh\n# ENGAGE_KEY: the API key. ENGAGE_CA: the file with the root certificate. Hidden values are ***.\n",
    );
    for entry in entries {
        let status = entry.status.map_or_else(|| "no response".to_owned(), |status| status.to_string());
        let took = entry.took_ms.map(|ms| format!(" in {ms} ms")).unwrap_or_default();
        let fault = entry.fault.map(|fault| format!(", fault {fault}")).unwrap_or_default();
        let _ = writeln!(script, "\n# {}: {status}{took}{fault}\n{}", entry.seq, curl_line(entry, key_headers));
    }
    script
}

pub(crate) fn curl_line(entry: &RequestEntry, key_headers: &[&str]) -> String {
    let mut parts = vec!["curl -sS".to_owned()];
    if entry.origin.starts_with("https:") {
        parts.push(r#"--cacert "$ENGAGE_CA""#.to_owned());
    }
    if entry.method != "GET" {
        parts.push(format!("-X {}", quoted(&entry.method)));
    }
    for (name, value) in &entry.request.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        if key_headers.contains(&name.as_str()) {
            parts.push(format!(r#"-H "{name}: $ENGAGE_KEY""#));
        } else if value != HIDDEN && *name != HOST && *name != CONTENT_LENGTH {
            parts.push(format!("-H {}", quoted(&format!("{name}: {value}"))));
        }
    }
    if !entry.request.body.is_empty() {
        parts.push(format!("--data-binary {}", quoted(&text(&entry.request))));
    }
    parts.push(quoted(&url(entry)));
    parts.join(" ")
}

/// Quotes a text for a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
