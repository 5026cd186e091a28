//! Faults: the requests they apply to, and their effects.
//! "Before commit" means that the store does not process the request. "After commit" means that the
//! store processes it, and the fault changes the response only.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderName, HeaderValue, TRANSFER_ENCODING};
use hyper::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::Time;
use crate::ledger::Invalid;
use crate::random;

/// A complete response.
pub(crate) type HttpResponse = Response<Bytes>;

/// The kinds of request that Engage serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Operation {
    /// List the items that a member can buy.
    Items,
    /// Buy an item.
    Purchase,
    /// List a member's purchases.
    Purchases,
    /// List a member's rewards.
    Rewards,
    /// Redeem a reward.
    Redeem,
    /// Find a member.
    Contacts,
    /// Read a member's points.
    Points,
    /// In a fault: every kind of request.
    Any,
}

/// A fault: the requests it applies to, and its effect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The requests it applies to.
    #[serde(rename = "match")]
    pub on: RequestMatch,
    /// The effect.
    pub effect: Effect,
}

impl Fault {
    /// Returns a fault that applies once, to the next request of this kind.
    pub fn on(operation: Operation, effect: Effect) -> Fault {
        Fault { on: RequestMatch { operation, contact_id: None, item_id: None, nth: 1, times: 1 }, effect }
    }

    /// Applies the fault only to requests that name this contact or redeem one of its rewards.
    #[must_use]
    pub fn contact(mut self, contact: Uuid) -> Fault {
        self.on.contact_id = Some(contact);
        self
    }

    /// Applies the fault only to purchases of this item and to redeems of its rewards.
    #[must_use]
    pub fn item(mut self, item: Uuid) -> Fault {
        self.on.item_id = Some(item);
        self
    }

    /// Applies the fault from the n-th matching request on, counted from 1.
    #[must_use]
    pub fn nth(mut self, nth: u32) -> Fault {
        self.on.nth = nth;
        self
    }

    /// Applies the fault to so many requests; 0: to all.
    #[must_use]
    pub fn times(mut self, times: u32) -> Fault {
        self.on.times = times;
        self
    }

    /// Returns the first invalid field.
    pub(crate) fn check(&self) -> Result<(), Invalid> {
        if self.on.nth == 0 {
            return Err(Invalid::new("match.nth", "must be 1 or more"));
        }
        self.effect.check().map_err(|wrong| Invalid { field: format!("effect.{}", wrong.field), why: wrong.why })
    }
}

/// The requests that a fault applies to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RequestMatch {
    /// The kind of request.
    pub operation: Operation,
    /// The contact that the request names. `None`: any.
    #[serde(default)]
    pub contact_id: Option<Uuid>,
    /// The item that the request buys, or whose reward it redeems. `None`: any, or none.
    #[serde(default)]
    pub item_id: Option<Uuid>,
    /// The first request that the fault applies to, counted from 1 among the matching requests.
    #[serde(default = "once")]
    pub nth: u32,
    /// The number of requests that the fault applies to; 0: no limit.
    #[serde(default = "once")]
    pub times: u32,
}

fn once() -> u32 {
    1
}

/// The effect of a fault on a request. In JSON an object with one member: `{"delay": {"ms": 200}}`,
/// `{"resetAfterCommit": {}}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Effect {
    /// The store processes the request late, even if the client has closed the connection.
    Delay {
        /// The delay.
        ms: u32,
    },
    /// Engage is slow. A redeem has status 504 `RequestTimeOut` and is not redeemed unless it
    /// passes its point of no return in time.
    Slow {
        /// The whole processing time.
        ms: u32,
        /// The time after which the store has changed. The default is the end of the processing
        /// time.
        #[serde(default)]
        point_of_no_return_ms: Option<u32>,
    },
    /// Another party redeems the reward just before this request. Other requests are served
    /// normally.
    #[serde(with = "no_parameters")]
    RedeemedElsewhere,
    /// The store processes the request. The response has a wrong `Date` header.
    WrongDate {
        /// The error of the header.
        offset_ms: i64,
    },
    /// The store does not process the request. The fault's response replaces Engage's.
    Status(FaultResponse),
    /// The store processes the request. The fault's response replaces Engage's.
    StatusAfterCommit(FaultResponse),
    /// The connection is reset (RST).
    #[serde(with = "no_parameters")]
    ResetBeforeCommit,
    /// The store processes the request. Then the connection is reset (RST).
    #[serde(with = "no_parameters")]
    ResetAfterCommit,
    /// The connection is closed (FIN) without a response.
    #[serde(with = "no_parameters")]
    CloseBeforeCommit,
    /// The store processes the request. Then the connection is closed (FIN) without a response.
    #[serde(with = "no_parameters")]
    CloseAfterCommit,
    /// The connection stays open without a response until the faults are cleared or the client
    /// closes it.
    #[serde(with = "no_parameters")]
    StallBeforeCommit,
    /// The store processes the request. Then the connection behaves as in `StallBeforeCommit`.
    #[serde(with = "no_parameters")]
    StallAfterCommit,
    /// The store processes the request. The connection is closed (FIN) after the first bytes of the
    /// response.
    Truncate {
        /// The number of bytes that are sent, status line and headers included.
        bytes: usize,
    },
    /// The store processes the request. The response is sent a few bytes at a time.
    Drip {
        /// The number of bytes of one write.
        bytes_per_write: NonZeroUsize,
        /// The interval between two writes.
        interval_ms: u32,
    },
    /// The store does not process the request. The response is 200 with `application/json` and
    /// invalid JSON.
    #[serde(with = "no_parameters")]
    Garbage,
    /// The store does not process the request. The response is 200 with the HTML page of a web
    /// filter.
    #[serde(with = "no_parameters")]
    Html,
    /// The store processes the request. The response has a wrong Content-Length, and the connection
    /// is closed after it.
    WrongLength {
        /// The error of the header.
        delta: i32,
    },
    /// The store does not process the request. The response has a status and no body.
    EmptyBody {
        /// The status.
        status: u16,
    },
    /// The store does not process the request. The response is these bytes.
    RawResponse {
        /// The bytes.
        text: String,
        /// Whether the connection stays open; else it is closed.
        #[serde(default)]
        keep_alive: bool,
    },
}

/// A response that a fault sends.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FaultResponse {
    /// The HTTP status, 200 to 999.
    pub status: u16,
    /// Engage's error code in the JSON body.
    #[serde(default)]
    pub error_code: Option<String>,
    /// The message in the JSON body.
    #[serde(default)]
    pub message: Option<String>,
    /// The media type. The default is `application/json`.
    #[serde(default)]
    pub content_type: Option<String>,
    /// The body, in place of the JSON body.
    #[serde(default)]
    pub body: Option<String>,
    /// Additional headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}

impl FaultResponse {
    /// Returns a response with this status. The message in its body names a fault.
    pub fn status(status: u16) -> FaultResponse {
        FaultResponse { status, ..FaultResponse::default() }
    }

    /// Returns a response with this status and one of Engage's error codes.
    pub fn error(status: u16, error_code: &str) -> FaultResponse {
        FaultResponse { error_code: Some(error_code.to_owned()), ..FaultResponse::status(status) }
    }

    fn build(&self) -> Result<HttpResponse, Invalid> {
        let body = self.body.clone().unwrap_or_else(|| {
            let message = self.message.as_deref().unwrap_or("A fault armed in the sandbox");
            match &self.error_code {
                Some(code) => serde_json::json!({ "errorCode": code, "message": message }).to_string(),
                None => serde_json::json!({ "message": message }).to_string(),
            }
        });
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = final_status(self.status)?;
        let content_type = HeaderValue::from_str(self.content_type.as_deref().unwrap_or("application/json"));
        let content_type = content_type.map_err(|_| Invalid::new("contentType", "is not a header value"))?;
        response.headers_mut().insert(CONTENT_TYPE, content_type);
        for (name, value) in &self.headers {
            let field = format!("headers.{name}");
            let name = HeaderName::try_from(name).map_err(|_| Invalid::new(&field, "is not a header name"))?;
            let value = HeaderValue::try_from(value).map_err(|_| Invalid::new(&field, "is not a header value"))?;
            if name == CONTENT_LENGTH || name == TRANSFER_ENCODING {
                return Err(Invalid::new(&field, "is set by the server. Use wrongLength or rawResponse"));
            }
            response.headers_mut().insert(name, value);
        }
        Ok(response)
    }
}

fn final_status(status: u16) -> Result<StatusCode, Invalid> {
    StatusCode::from_u16(status)
        .ok()
        .filter(|status| !status.is_informational())
        .ok_or_else(|| Invalid::new("status", "must be a final HTTP status (200 to 999)"))
}

impl Effect {
    /// Returns the effect's name in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Effect::Delay { .. } => "delay",
            Effect::Slow { .. } => "slow",
            Effect::RedeemedElsewhere => "redeemedElsewhere",
            Effect::WrongDate { .. } => "wrongDate",
            Effect::Status(_) => "status",
            Effect::StatusAfterCommit(_) => "statusAfterCommit",
            Effect::ResetBeforeCommit => "resetBeforeCommit",
            Effect::ResetAfterCommit => "resetAfterCommit",
            Effect::CloseBeforeCommit => "closeBeforeCommit",
            Effect::CloseAfterCommit => "closeAfterCommit",
            Effect::StallBeforeCommit => "stallBeforeCommit",
            Effect::StallAfterCommit => "stallAfterCommit",
            Effect::Truncate { .. } => "truncate",
            Effect::Drip { .. } => "drip",
            Effect::Garbage => "garbage",
            Effect::Html => "html",
            Effect::WrongLength { .. } => "wrongLength",
            Effect::EmptyBody { .. } => "emptyBody",
            Effect::RawResponse { .. } => "rawResponse",
        }
    }

    /// Returns the first invalid field.
    pub(crate) fn check(&self) -> Result<(), Invalid> {
        let of = |wrong: Invalid| Invalid { field: format!("{}.{}", self.name(), wrong.field), why: wrong.why };
        match self {
            Effect::Status(response) | Effect::StatusAfterCommit(response) => response.build().map(|_| ()).map_err(of),
            Effect::EmptyBody { status } => final_status(*status).map(|_| ()).map_err(of),
            _ => Ok(()),
        }
    }

    /// Returns when and how the store processes the request. `gives_up_after`: the time after which
    /// Engage stops a redeem.
    pub(crate) fn plan(&self, operation: Option<Operation>, gives_up_after: Duration) -> ServePlan {
        let ms = |ms: u32| Duration::from_millis(ms.into());
        match self {
            Effect::Delay { ms: late } => ServePlan { before: ms(*late), ..ServePlan::default() },
            Effect::Slow { ms: takes, point_of_no_return_ms } => {
                let takes = ms(*takes);
                let changes = point_of_no_return_ms.map_or(takes, ms).min(takes);
                if operation == Some(Operation::Redeem) && changes > gives_up_after {
                    ServePlan { before: gives_up_after, serve: StoreAccess::RedeemTimeout, after: Duration::ZERO }
                } else {
                    ServePlan { before: changes, serve: StoreAccess::Normal, after: takes.saturating_sub(changes) }
                }
            }
            Effect::RedeemedElsewhere => ServePlan { serve: StoreAccess::AfterForeignRedeem, ..ServePlan::default() },
            Effect::WrongDate { .. }
            | Effect::StatusAfterCommit(_)
            | Effect::ResetAfterCommit
            | Effect::CloseAfterCommit
            | Effect::StallAfterCommit
            | Effect::Truncate { .. }
            | Effect::Drip { .. }
            | Effect::WrongLength { .. } => ServePlan::default(),
            Effect::Status(_)
            | Effect::ResetBeforeCommit
            | Effect::CloseBeforeCommit
            | Effect::StallBeforeCommit
            | Effect::Garbage
            | Effect::Html
            | Effect::EmptyBody { .. }
            | Effect::RawResponse { .. } => ServePlan { serve: StoreAccess::Skipped, ..ServePlan::default() },
        }
    }

    /// Returns what the client receives in place of `served`. `served` is empty if the store did
    /// not process the request.
    pub(crate) fn apply(self, mut served: HttpResponse, now: Time, keep_alive: bool) -> Delivery {
        match self {
            Effect::Delay { .. } | Effect::Slow { .. } | Effect::RedeemedElsewhere => Delivery::Response(served),
            Effect::WrongDate { offset_ms } => {
                served.headers_mut().insert(DATE, now.plus_millis(offset_ms).http_date());
                Delivery::Response(served)
            }
            Effect::Status(response) | Effect::StatusAfterCommit(response) => match response.build() {
                Ok(built) => Delivery::Response(built),
                Err(_) => Delivery::Close,
            },
            Effect::ResetBeforeCommit | Effect::ResetAfterCommit => Delivery::Reset,
            Effect::CloseBeforeCommit | Effect::CloseAfterCommit => Delivery::Close,
            Effect::StallBeforeCommit | Effect::StallAfterCommit => Delivery::Stall,
            Effect::Truncate { bytes: limit } => {
                let (status, mut bytes) = raw(&served, 0);
                bytes.truncate(limit);
                Delivery::Bytes(RawBytes { status, bytes, pace: None, then: AfterWrite::Close })
            }
            Effect::Drip { bytes_per_write, interval_ms } => {
                let (status, bytes) = raw(&served, 0);
                let pace = Some((bytes_per_write, Duration::from_millis(interval_ms.into())));
                let then = if keep_alive { AfterWrite::KeepAlive } else { AfterWrite::Shutdown };
                Delivery::Bytes(RawBytes { status, bytes, pace, then })
            }
            Effect::Garbage => fixed_response("application/json", "{\"id\": \"3f2\u{0}\u{fffd}<<< not JSON"),
            Effect::Html => fixed_response(
                "text/html; charset=utf-8",
                "<!DOCTYPE html><html><head><title>Web filter</title></head><body><h1>Access denied</h1></body></html>",
            ),
            Effect::WrongLength { delta } => {
                let (status, bytes) = raw(&served, delta.into());
                Delivery::Bytes(RawBytes { status, bytes, pace: None, then: AfterWrite::Shutdown })
            }
            Effect::EmptyBody { status } => {
                let mut response = HttpResponse::default();
                *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
                Delivery::Response(response)
            }
            Effect::RawResponse { text, keep_alive } => {
                let status = text.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse().ok());
                let then = if keep_alive { AfterWrite::KeepAlive } else { AfterWrite::Shutdown };
                Delivery::Bytes(RawBytes { status, bytes: text.into(), pace: None, then })
            }
        }
    }
}

fn fixed_response(content_type: &'static str, body: &'static str) -> Delivery {
    let mut response = Response::new(Bytes::from(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    Delivery::Response(response)
}

/// Returns the bytes of a response. `delta` is the error of its Content-Length.
fn raw(reply: &HttpResponse, delta: i64) -> (Option<u16>, Bytes) {
    let body = reply.body();
    let length = i64::try_from(body.len()).unwrap_or(i64::MAX).saturating_add(delta).max(0);
    let mut bytes = BytesMut::with_capacity(256 + body.len());
    bytes.put_slice(format!("HTTP/1.1 {}\r\n", reply.status()).as_bytes());
    for (name, value) in reply.headers().iter().filter(|(name, _)| *name != CONTENT_LENGTH) {
        bytes.put_slice(name.as_str().as_bytes());
        bytes.put_slice(b": ");
        bytes.put_slice(value.as_bytes());
        bytes.put_slice(b"\r\n");
    }
    bytes.put_slice(format!("content-length: {length}\r\n\r\n").as_bytes());
    bytes.put_slice(body);
    (Some(reply.status().as_u16()), bytes.freeze())
}

/// When and how the store processes a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ServePlan {
    pub before: Duration,
    pub serve: StoreAccess,
    pub after: Duration,
}

/// Whether and how the store processes a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum StoreAccess {
    #[default]
    Normal,
    /// The store does not process the request.
    Skipped,
    /// The store does not process the request, and Engage reports a timeout.
    RedeemTimeout,
    /// Another party redeems the same reward just before.
    AfterForeignRedeem,
}

/// What the client receives after a fault has been applied.
#[derive(Debug)]
pub(crate) enum Delivery {
    /// A normal response.
    Response(HttpResponse),
    /// Raw bytes on the connection.
    Bytes(RawBytes),
    /// A reset (RST).
    Reset,
    /// A close (FIN).
    Close,
    /// No response, on an open connection.
    Stall,
}

/// Raw bytes for a connection.
#[derive(Clone, Debug)]
pub(crate) struct RawBytes {
    /// The status in the bytes, if they have one.
    pub status: Option<u16>,
    pub bytes: Bytes,
    /// The number of bytes of one write, and the interval between two writes.
    pub pace: Option<(NonZeroUsize, Duration)>,
    pub then: AfterWrite,
}

/// The state of a connection after raw bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterWrite {
    /// It is closed (FIN), without TLS close_notify.
    Close,
    /// It is shut down in order.
    Shutdown,
    /// It serves the next request.
    KeepAlive,
}

/// An armed fault and its counters.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ArmedFault {
    /// The number of the fault: 1, 2, 3 …
    pub id: u64,
    /// The fault.
    #[serde(flatten)]
    pub fault: Fault,
    /// The number of matching requests since the fault was armed.
    pub seen: u64,
    /// The number of requests that the fault was applied to.
    pub applied: u64,
}

/// Random faults. The same seed gives the same decisions for the same sequence of requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Chaos {
    /// The seed of the decisions.
    pub seed: u64,
    /// The possible effects and their rates.
    pub rates: Vec<ChaosRate>,
}

/// One possible effect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChaosRate {
    /// The part of the requests that it applies to, 0 to 1.
    pub rate: f64,
    /// The kind of request.
    #[serde(default = "any")]
    pub operation: Operation,
    /// The effect.
    pub effect: Effect,
}

fn any() -> Operation {
    Operation::Any
}

impl Chaos {
    /// Returns the first invalid field.
    pub(crate) fn check(&self) -> Result<(), Invalid> {
        for (index, ChaosRate { rate, effect, .. }) in self.rates.iter().enumerate() {
            let of = |field: &str| format!("rates[{index}].{field}");
            if !(0.0..=1.0).contains(rate) {
                return Err(Invalid::new(&of("rate"), "must be between 0 and 1"));
            }
            effect
                .check()
                .map_err(|wrong| Invalid { field: of(&format!("effect.{}", wrong.field)), why: wrong.why })?;
        }
        match self.rates.iter().map(|rate| rate.rate).sum::<f64>() {
            ..=1.0 => Ok(()),
            _ => Err(Invalid::new("rates", "must not add up to more than 1")),
        }
    }

    /// Returns the effect for the n-th request.
    fn decide(&self, n: u64, operation: Operation) -> Option<&Effect> {
        let mut left = random::fraction(self.seed, n);
        let rates = self.rates.iter().filter(|rate| [Operation::Any, operation].contains(&rate.operation));
        let mut selected = rates.filter(|ChaosRate { rate, .. }| {
            left -= rate;
            left < 0.0
        });
        selected.next().map(|rate| &rate.effect)
    }
}

/// The active chaos and its counters.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ActiveChaos {
    /// The chaos.
    #[serde(flatten)]
    pub chaos: Chaos,
    /// The number of requests that the chaos has decided about.
    pub seen: u64,
    /// The number of requests that the chaos was applied to.
    pub applied: u64,
}

/// The armed faults and the active chaos. A fault that has reached its number of requests is
/// removed.
#[derive(Debug, Default)]
pub struct Faults {
    armed: Vec<ArmedFault>,
    count: u64,
    chaos: Option<ActiveChaos>,
}

impl Faults {
    /// Arms a fault and returns its number.
    pub fn arm(&mut self, fault: Fault) -> Result<u64, Invalid> {
        fault.check()?;
        self.count += 1;
        self.armed.push(ArmedFault { id: self.count, fault, seen: 0, applied: 0 });
        Ok(self.count)
    }

    /// Starts chaos from its first decision, or ends it.
    pub fn set_chaos(&mut self, chaos: Option<Chaos>) -> Result<(), Invalid> {
        if let Some(chaos) = &chaos {
            chaos.check()?;
        }
        self.chaos = chaos.map(|chaos| ActiveChaos { chaos, seen: 0, applied: 0 });
        Ok(())
    }

    /// Returns the active chaos.
    pub fn chaos(&self) -> Option<&ActiveChaos> {
        self.chaos.as_ref()
    }

    /// Returns the effect for a request: that of the first armed fault that applies, else that of
    /// chaos. Every matching fault and chaos count the request, so that the decisions of chaos do
    /// not depend on the faults.
    pub fn next(&mut self, operation: Option<Operation>, contact: Option<Uuid>, item: Option<Uuid>) -> Option<Effect> {
        let mut effect = None;
        self.armed.retain_mut(|armed| {
            let RequestMatch { operation: wanted, contact_id, item_id, nth, times } = &armed.fault.on;
            let matches = (*wanted == Operation::Any || Some(*wanted) == operation)
                && (contact_id.is_none() || *contact_id == contact)
                && (item_id.is_none() || *item_id == item);
            armed.seen += u64::from(matches);
            if matches && effect.is_none() && armed.seen >= u64::from(*nth) {
                effect = Some(armed.fault.effect.clone());
                armed.applied += 1;
            }
            *times == 0 || armed.applied < u64::from(*times)
        });
        if let (Some(chaos), Some(operation)) = (&mut self.chaos, operation) {
            chaos.seen += 1;
            if effect.is_none() {
                effect = chaos.chaos.decide(chaos.seen, operation).cloned();
                chaos.applied += u64::from(effect.is_some());
            }
        }
        effect
    }

    /// Returns the armed faults, the oldest first.
    pub fn armed(&self) -> &[ArmedFault] {
        &self.armed
    }

    /// Disarms one fault. Returns whether it was armed.
    pub fn remove(&mut self, id: u64) -> bool {
        let before = self.armed.len();
        self.armed.retain(|armed| armed.id != id);
        self.armed.len() < before
    }

    /// Disarms every fault and ends chaos.
    pub fn clear(&mut self) {
        self.armed.clear();
        self.chaos = None;
    }
}

/// `{}`, the parameters of an effect without parameters.
mod no_parameters {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct NoParameters {}

    pub fn serialize<S: Serializer>(serializer: S) -> Result<S::Ok, S::Error> {
        NoParameters {}.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
        NoParameters::deserialize(deserializer).map(|_| ())
    }
}

/// The permanent effects on the requests about one member or one item, by kind of request.
pub type PermanentFaults = BTreeMap<Operation, Effect>;

/// Returns the effect for a kind of request. An effect for that kind comes before one for any kind.
pub(crate) fn permanent_effect(faults: &PermanentFaults, operation: Operation) -> Option<&Effect> {
    faults.get(&operation).or_else(|| faults.get(&Operation::Any))
}

/// Returns the first invalid field.
pub(crate) fn check_permanent(faults: &PermanentFaults, allowed: &[Operation]) -> Result<(), Invalid> {
    for (operation, effect) in faults {
        let name = serde_json::to_value(operation).unwrap_or_default();
        let field = format!("faults.{}", name.as_str().unwrap_or_default());
        if !allowed.is_empty() && !allowed.contains(operation) {
            return Err(Invalid::new(&field, "does not apply to an item. Use purchase, redeem or any"));
        }
        effect.check().map_err(|wrong| Invalid { field: format!("{field}.{}", wrong.field), why: wrong.why })?;
    }
    Ok(())
}
