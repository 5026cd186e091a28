//! The last requests with their responses. The log keeps no value that identifies a person, and no
//! key.
//! A request has no status before its response is recorded, and never has one if a fault removed
//! the response.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::Uri;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use serde::{Serialize, Serializer};
use serde_json::Value;
use uuid::Uuid;

use crate::clock::Time;
use crate::fault::Operation;

/// One request of the log.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestEntry {
    /// The number of the request: 1, 2, 3 …
    pub seq: u64,
    /// The time at which the whole request had arrived.
    pub time: Time,
    /// The kind of request. `None`: the route is not one of Engage's.
    pub operation: Option<Operation>,
    /// The HTTP method.
    pub method: String,
    /// The path and the query. In the query only ids and fixed values are kept.
    pub path: String,
    /// The status of the response. `None`, in JSON "no response": none, or not yet.
    #[serde(serialize_with = "status_or_no_response")]
    pub status: Option<u16>,
    /// The purchase id of a purchase.
    pub purchase_id: Option<Uuid>,
    /// The contact that the request names.
    pub contact_id: Option<Uuid>,
    /// The item of a purchase, or of the reward that is redeemed.
    pub item_id: Option<Uuid>,
    /// The reward of a redeem.
    pub assignment_id: Option<Uuid>,
    /// Whether the request's key was right. The key itself is never kept.
    pub key: KeySeen,
    /// The User-Agent header.
    pub user_agent: Option<String>,
    /// The number of the connection.
    pub connection: u64,
    /// The name of the fault that was applied; see [`crate::effects`].
    pub fault: Option<&'static str>,
    /// The time up to the response, in milliseconds.
    pub took_ms: Option<u64>,
    /// The error code and the message of a response with a 4xx or 5xx status, or the mistake in the
    /// route.
    pub reason: Option<String>,
    /// The scheme, host and port of the request.
    #[serde(skip)]
    pub origin: Arc<str>,
    /// The till's end of the connection.
    #[serde(skip)]
    pub peer: Option<SocketAddr>,
    /// The headers and the body of the request, without secrets.
    #[serde(skip)]
    pub request: Message,
    /// The headers and the body of the response.
    #[serde(skip)]
    pub response: Message,
}

impl RequestEntry {
    fn bodies(&self) -> usize {
        self.request.body.len() + self.response.body.len()
    }
}

/// The headers and the body of a request or a response, as far as the log keeps them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message {
    /// The headers. The value of a header that may hold a secret is [`HIDDEN`].
    pub headers: HeaderMap,
    /// At most [`Message::LIMIT`] bytes of the body. Empty once newer bodies need the space.
    pub body: Bytes,
    /// The length of the whole body.
    pub size: usize,
}

/// The replacement of a value that is not kept.
pub const HIDDEN: &str = "***";

impl Message {
    /// The number of bytes kept of a body.
    pub const LIMIT: usize = 8 * 1024;

    /// Returns a request's message. Its body is kept if it is JSON, with ids, fixed values and
    /// booleans only.
    pub(crate) fn of_request(headers: &HeaderMap, body: &[u8]) -> Message {
        let kept = match serde_json::from_slice::<Value>(body) {
            _ if body.is_empty() => Bytes::new(),
            Ok(mut json) => {
                hide(&mut json);
                Bytes::from(json.to_string())
            }
            Err(_) => Bytes::from_static(HIDDEN.as_bytes()),
        };
        Message { size: body.len(), ..Message::new(headers, &kept) }
    }

    /// Returns a response's message. The sandbox made its body, so that the body holds no secret.
    pub(crate) fn of_response(headers: &HeaderMap, body: &Bytes) -> Message {
        Message::new(headers, body)
    }

    fn new(headers: &HeaderMap, body: &Bytes) -> Message {
        let mut headers = headers.clone();
        for (name, value) in &mut headers {
            if !HARMLESS.contains(name) {
                *value = HeaderValue::from_static(HIDDEN);
            }
        }
        let kept =
            if body.len() > Message::LIMIT { Bytes::copy_from_slice(&body[..Message::LIMIT]) } else { body.clone() };
        Message { headers, body: kept, size: body.len() }
    }
}

const HARMLESS: [HeaderName; 11] = [
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::DATE,
    header::HOST,
    header::LOCATION,
    header::RETRY_AFTER,
    header::TRANSFER_ENCODING,
    header::USER_AGENT,
];

fn hide(json: &mut Value) {
    match json {
        Value::Null | Value::Bool(_) => {}
        Value::String(text) if Uuid::parse_str(text).is_ok() || is_fixed_value(text) => {}
        Value::Array(list) => list.iter_mut().for_each(hide),
        Value::Object(object) => object.values_mut().for_each(hide),
        Value::Number(_) | Value::String(_) => *json = HIDDEN.into(),
    }
}

/// Returns the error code and the message of a body.
fn reason(body: &[u8]) -> Option<String> {
    let json: Value = serde_json::from_slice(body).ok()?;
    let parts = ["errorCode", "message", "title"].into_iter().filter_map(|name| json[name].as_str());
    let reason = parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ");
    (!reason.is_empty()).then_some(reason)
}

/// The response to a request.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ResponseRecord {
    pub status: u16,
    pub took: Duration,
    pub response: Message,
}

#[expect(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn status_or_no_response<S: Serializer>(status: &Option<u16>, serializer: S) -> Result<S::Ok, S::Error> {
    match status {
        Some(status) => serializer.serialize_u16(*status),
        None => serializer.serialize_str("no response"),
    }
}

/// The check of a request's key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum KeySeen {
    /// The key of the store.
    Right,
    /// Another key.
    Wrong,
    /// No key.
    #[default]
    Missing,
}

/// The last 10,000 requests. The newest of them have their bodies, within a limit.
#[derive(Debug, Default)]
pub struct RequestLog {
    entries: VecDeque<RequestEntry>,
    count: u64,
    /// The bytes of the kept bodies, and the number of the first request whose bodies are kept.
    bodies: usize,
    first_with_bodies: u64,
    /// A new id since older entries were removed or put back; nil: none yet.
    era: Uuid,
}

impl RequestLog {
    /// The number of kept requests.
    pub const LIMIT: usize = 10_000;

    /// The number of kept bytes of bodies.
    pub const BODIES: usize = 16 * 1024 * 1024;

    /// Adds a request without a response, and returns its number.
    pub fn push(&mut self, entry: RequestEntry) -> u64 {
        if self.entries.len() == RequestLog::LIMIT
            && let Some(oldest) = self.entries.pop_front()
        {
            self.bodies -= oldest.bodies();
        }
        self.count += 1;
        self.bodies += entry.bodies();
        self.entries.push_back(RequestEntry { seq: self.count, ..entry });
        self.drop_bodies();
        self.count
    }

    /// Records the response to a request.
    pub(crate) fn record_response(&mut self, seq: u64, mut record: ResponseRecord) {
        if seq < self.first_with_bodies {
            record.response.body = Bytes::new();
        }
        let length = record.response.body.len();
        let Some(entry) = self.entry(seq) else { return };
        entry.status = Some(record.status);
        entry.took_ms = Some(u64::try_from(record.took.as_millis()).unwrap_or(u64::MAX));
        let of_route = entry.reason.take();
        entry.reason = (record.status >= 400).then(|| reason(&record.response.body).or(of_route)).flatten();
        entry.response = record.response;
        self.bodies += length;
        self.drop_bodies();
    }

    /// Returns the requests, the oldest first.
    pub fn entries(&self) -> &VecDeque<RequestEntry> {
        &self.entries
    }

    /// Removes every request. The numbers go on, so that no late response is recorded for another
    /// request.
    pub fn clear(&mut self) {
        self.take();
    }

    /// Removes every request and returns them, the oldest first.
    pub(crate) fn take(&mut self) -> VecDeque<RequestEntry> {
        self.era = Uuid::nil();
        self.bodies = 0;
        self.first_with_bodies = self.count + 1;
        std::mem::take(&mut self.entries)
    }

    /// Puts requests back that were taken. Requests that came later stay, up to the limit.
    pub(crate) fn put_back(&mut self, mut taken: VecDeque<RequestEntry>) {
        self.era = Uuid::nil();
        let first_with_bodies = taken.iter().find(|entry| entry.bodies() > 0).map(|entry| entry.seq);
        taken.append(&mut self.entries);
        let excess = taken.len().saturating_sub(RequestLog::LIMIT);
        self.entries = taken.split_off(excess);
        self.bodies = self.entries.iter().map(RequestEntry::bodies).sum();
        self.first_with_bodies = first_with_bodies.unwrap_or(self.first_with_bodies);
        self.drop_bodies();
    }

    /// Returns an id that changes when older entries are removed or put back. No other log has it.
    pub(crate) fn era(&mut self) -> Uuid {
        if self.era.is_nil() {
            self.era = Uuid::new_v4();
        }
        self.era
    }

    fn entry(&mut self, seq: u64) -> Option<&mut RequestEntry> {
        let first = self.entries.front()?.seq;
        self.entries.get_mut(usize::try_from(seq.checked_sub(first)?).ok()?)
    }

    /// Drops the oldest bodies above the limit.
    fn drop_bodies(&mut self) {
        while self.bodies > RequestLog::BODIES {
            let seq = self.first_with_bodies;
            self.first_with_bodies += 1;
            if let Some(entry) = self.entry(seq) {
                let freed = entry.bodies();
                (entry.request.body, entry.response.body) = (Bytes::new(), Bytes::new());
                self.bodies -= freed;
            }
        }
    }
}

/// Returns the path and query of a URI without values that may identify a person or a key. `ids`
/// and `fixed` name the parameters that are kept.
pub fn redacted(uri: &Uri, ids: &[&str], fixed: &[&str]) -> String {
    let Some(query) = uri.query() else { return uri.path().to_owned() };
    let is_harmless = |name: &str, value: &str| {
        let is_among = |known: &[&str]| known.iter().any(|known| known.eq_ignore_ascii_case(name));
        (is_among(ids) && Uuid::parse_str(value).is_ok()) || (is_among(fixed) && is_fixed_value(value))
    };
    let pairs: Vec<String> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((name, value)) if is_harmless(name, value) => pair.to_owned(),
            Some((name, _)) => format!("{name}=***"),
            None => "***".to_owned(),
        })
        .collect();
    format!("{}?{}", uri.path(), pairs.join("&"))
}

fn is_fixed_value(text: &str) -> bool {
    text.len() < 16 && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_keeps_only_ids_and_fixed_values() {
        let id = "a0000000-0000-4000-8000-000000000001";
        for (query, kept) in [
            (format!("contactId={id}&redemptionChannelType=POS"), format!("contactId={id}&redemptionChannelType=POS")),
            ("contactId=a@example.com".to_owned(), "contactId=***".to_owned()),
            ("email=a&ANY=&secret".to_owned(), "email=***&ANY=***&***".to_owned()),
            ("contactType=0701234567".to_owned(), "contactType=***".to_owned()),
        ] {
            let uri: Uri = format!("/api?{query}").parse().unwrap();
            assert_eq!(
                redacted(&uri, &["contactId"], &["redemptionChannelType", "contactType"]),
                format!("/api?{kept}")
            );
        }
    }

    #[test]
    fn a_message_keeps_no_key_and_no_personal_value() {
        let id = "a0000000-0000-4000-8000-000000000001";
        let headers: HeaderMap = [("apikey", "secret"), ("x-store-key", "secret"), ("user-agent", "AcmePOS/1.5")]
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .into_iter()
            .collect();
        let body = format!(r#"{{"contactId":"{id}","redemptionChannel":"POS","phone":46701234567,"more":["a@b.se"]}}"#);
        let kept = Message::of_request(&headers, body.as_bytes());
        assert_eq!(kept.headers["apikey"], HIDDEN);
        assert_eq!(kept.headers["x-store-key"], HIDDEN);
        assert_eq!(kept.headers["user-agent"], "AcmePOS/1.5");
        let json: Value = serde_json::from_slice(&kept.body).unwrap();
        let expected =
            serde_json::json!({ "contactId": id, "redemptionChannel": "POS", "phone": HIDDEN, "more": [HIDDEN] });
        assert_eq!(json, expected);
        assert_eq!(Message::of_request(&headers, b"phone=46701234567").body, HIDDEN.as_bytes());
        let long = Bytes::from(vec![b'x'; Message::LIMIT + 1]);
        let kept = Message::of_response(&headers, &long);
        assert_eq!((kept.body.len(), kept.size), (Message::LIMIT, Message::LIMIT + 1));
    }

    fn record(status: u16, body: &Bytes) -> ResponseRecord {
        ResponseRecord {
            status,
            response: Message { body: body.clone(), ..Message::default() },
            ..ResponseRecord::default()
        }
    }

    #[test]
    fn the_log_at_its_limit_records_a_late_response_correctly() {
        let (mut log, nothing) = (RequestLog::default(), Bytes::new());
        for _ in 0..=RequestLog::LIMIT {
            log.push(RequestEntry::default());
        }
        log.record_response(1, record(200, &nothing));
        log.record_response(2, record(201, &nothing));
        assert_eq!(log.entries().len(), RequestLog::LIMIT);
        assert_eq!(log.entries().iter().filter_map(|entry| entry.status).collect::<Vec<_>>(), [201]);
        log.clear();
        log.record_response(3, record(202, &nothing));
        log.push(RequestEntry::default());
        assert_eq!(log.entries()[0].status, None);
    }

    #[test]
    fn bodies_are_kept_while_they_fit() {
        let mut log = RequestLog::default();
        let quarter = Bytes::from(vec![0; RequestLog::BODIES / 4]);
        for _ in 0..6 {
            let request = Message { body: quarter.clone(), ..Message::default() };
            log.push(RequestEntry { request, ..RequestEntry::default() });
        }
        let kept =
            |log: &RequestLog| log.entries().iter().map(|entry| entry.bodies() / quarter.len()).collect::<Vec<_>>();
        assert_eq!(kept(&log), [0, 0, 1, 1, 1, 1]);
        // A response's body counts. The body of a response is not kept if the request's body was
        // dropped.
        log.record_response(6, record(200, &quarter));
        log.record_response(1, record(200, &quarter));
        assert_eq!(kept(&log), [0, 0, 0, 1, 1, 2]);
        log.clear();
        assert_eq!(log.bodies, 0);
    }
}
