//! Faults: which request they strike, and what becomes of its answer.
//! "Before commit" means that the store never saw the request; "after commit" means that it did, and only the answer suffers.

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

/// An answer, whole.
pub(crate) type HttpResponse = Response<Bytes>;

/// What a request asks Engage for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Operation {
    /// What a member can buy.
    Items,
    /// Buy it.
    Purchase,
    /// What a member has bought.
    Purchases,
    /// A member's rewards.
    Rewards,
    /// Use one.
    Redeem,
    /// Find a member.
    Contacts,
    /// A member's points.
    Points,
    /// In a match: whatever is asked for.
    Any,
}

/// A fault: which requests, and what happens to them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Which requests.
    #[serde(rename = "match")]
    pub on: RequestMatch,
    /// What happens to them.
    pub effect: Effect,
}

impl Fault {
    /// Strikes the next request of this kind, once.
    pub fn on(operation: Operation, effect: Effect) -> Fault {
        Fault { on: RequestMatch { operation, contact_id: None, item_id: None, nth: 1, times: 1 }, effect }
    }

    /// Only requests that name this contact, or redeem one of its rewards.
    #[must_use]
    pub fn contact(mut self, contact: Uuid) -> Fault {
        self.on.contact_id = Some(contact);
        self
    }

    /// Only purchases of this item, or redeems of a reward that came with it.
    #[must_use]
    pub fn item(mut self, item: Uuid) -> Fault {
        self.on.item_id = Some(item);
        self
    }

    /// Not before the n-th matching request, counted from 1.
    #[must_use]
    pub fn nth(mut self, nth: u32) -> Fault {
        self.on.nth = nth;
        self
    }

    /// So many times; 0: for ever.
    #[must_use]
    pub fn times(mut self, times: u32) -> Fault {
        self.on.times = times;
        self
    }

    /// Says why it could never work, if so.
    pub(crate) fn check(&self) -> Result<(), Invalid> {
        if self.on.nth == 0 {
            return Err(Invalid::new("match.nth", "counts from 1"));
        }
        self.effect.check().map_err(|wrong| Invalid { field: format!("effect.{}", wrong.field), why: wrong.why })
    }
}

/// Which requests a fault strikes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RequestMatch {
    /// What they ask for.
    pub operation: Operation,
    /// Whom they are about; `None`: anybody.
    #[serde(default)]
    pub contact_id: Option<Uuid>,
    /// Which item they buy, or with which the reward came that they redeem; `None`: any, or none.
    #[serde(default)]
    pub item_id: Option<Uuid>,
    /// The first to be struck, counted from 1 among the matching requests since the fault was armed.
    #[serde(default = "once")]
    pub nth: u32,
    /// How many are struck; 0: for ever.
    #[serde(default = "once")]
    pub times: u32,
}

fn once() -> u32 {
    1
}

/// What happens to a request that a fault strikes. In JSON an object with one member:
/// `{"delay": {"ms": 200}}`, `{"resetAfterCommit": {}}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Effect {
    /// Served late, even if the client has left meanwhile.
    Delay {
        /// How late.
        ms: u32,
    },
    /// Engage itself is slow. A redeem is given up (504 `RequestTimeOut`, not redeemed) unless it passes its point of no return in time.
    Slow {
        /// How long it takes.
        ms: u32,
        /// When the store has changed for good; at the end unless told otherwise.
        #[serde(default)]
        point_of_no_return_ms: Option<u32>,
    },
    /// Somebody else redeems the reward just before. Any other request is served as usual.
    #[serde(with = "no_parameters")]
    RedeemedElsewhere,
    /// Served; the `Date` of the answer is off.
    WrongDate {
        /// By how much.
        offset_ms: i64,
    },
    /// Answered without the store.
    Status(FaultResponse),
    /// Served, and the answer replaced.
    StatusAfterCommit(FaultResponse),
    /// The connection is reset (RST).
    #[serde(with = "no_parameters")]
    ResetBeforeCommit,
    /// Served, then the connection is reset (RST).
    #[serde(with = "no_parameters")]
    ResetAfterCommit,
    /// The connection is closed (FIN) without an answer.
    #[serde(with = "no_parameters")]
    CloseBeforeCommit,
    /// Served, then the connection is closed (FIN) without an answer.
    #[serde(with = "no_parameters")]
    CloseAfterCommit,
    /// The connection stays open and silent until the faults are cleared or the client leaves; then it is closed.
    #[serde(with = "no_parameters")]
    StallBeforeCommit,
    /// Served, and the answer kept back as in `StallBeforeCommit`.
    #[serde(with = "no_parameters")]
    StallAfterCommit,
    /// Served; the connection is closed (FIN) after so many bytes of the raw answer.
    Truncate {
        /// How many come through, status line and headers included.
        bytes: usize,
    },
    /// Served; the raw answer comes a few bytes at a time.
    Drip {
        /// How many at a time.
        bytes_per_write: NonZeroUsize,
        /// How far apart.
        interval_ms: u32,
    },
    /// 200 and `application/json`, but not JSON, without the store.
    #[serde(with = "no_parameters")]
    Garbage,
    /// 200 and a web filter's HTML page, without the store.
    #[serde(with = "no_parameters")]
    Html,
    /// Served; the answer's Content-Length is off, and the connection is closed behind it.
    WrongLength {
        /// By how much.
        delta: i32,
    },
    /// A status and nothing else, without the store.
    EmptyBody {
        /// The status.
        status: u16,
    },
    /// These bytes, without the store.
    RawResponse {
        /// The bytes.
        text: String,
        /// Whether the connection goes on afterwards; else it is closed.
        #[serde(default)]
        keep_alive: bool,
    },
}

/// An answer made up by a fault.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FaultResponse {
    /// The HTTP status, 200 to 999.
    pub status: u16,
    /// Engage's code, in a JSON body.
    #[serde(default)]
    pub error_code: Option<String>,
    /// A message, in a JSON body.
    #[serde(default)]
    pub message: Option<String>,
    /// Instead of `application/json`.
    #[serde(default)]
    pub content_type: Option<String>,
    /// Instead of the JSON body.
    #[serde(default)]
    pub body: Option<String>,
    /// More headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}

impl FaultResponse {
    /// Only a status; the body says that a fault made it.
    pub fn status(status: u16) -> FaultResponse {
        FaultResponse { status, ..FaultResponse::default() }
    }

    /// A status with one of Engage's error codes.
    pub fn error(status: u16, error_code: &str) -> FaultResponse {
        FaultResponse { error_code: Some(error_code.to_owned()), ..FaultResponse::status(status) }
    }

    fn reply(&self) -> Result<HttpResponse, Invalid> {
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
                return Err(Invalid::new(&field, "is the server's own; see wrongLength and rawResponse"));
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
        .ok_or_else(|| Invalid::new("status", "is no final HTTP status (200 to 999)"))
}

impl Effect {
    /// Its name in JSON.
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

    /// Says why it could never work, if so.
    pub(crate) fn check(&self) -> Result<(), Invalid> {
        let of = |wrong: Invalid| Invalid { field: format!("{}.{}", self.name(), wrong.field), why: wrong.why };
        match self {
            Effect::Status(answer) | Effect::StatusAfterCommit(answer) => answer.reply().map(|_| ()).map_err(of),
            Effect::EmptyBody { status } => final_status(*status).map(|_| ()).map_err(of),
            _ => Ok(()),
        }
    }

    /// When and how the request is served, before the answer suffers. `gives_up_after`: when Engage gives a redeem up.
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

    /// What goes back in place of `served`, the store's own answer, which is empty if the store was not asked.
    pub(crate) fn apply(self, mut served: HttpResponse, now: Time, keep_alive: bool) -> Delivery {
        match self {
            Effect::Delay { .. } | Effect::Slow { .. } | Effect::RedeemedElsewhere => Delivery::Response(served),
            Effect::WrongDate { offset_ms } => {
                served.headers_mut().insert(DATE, now.plus_millis(offset_ms).http_date());
                Delivery::Response(served)
            }
            Effect::Status(answer) | Effect::StatusAfterCommit(answer) => match answer.reply() {
                Ok(reply) => Delivery::Response(reply),
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

/// The bytes of a response on the wire, its Content-Length off by `delta`.
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

/// When and how a request is served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ServePlan {
    pub before: Duration,
    pub serve: StoreAccess,
    pub after: Duration,
}

/// How a request is served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum StoreAccess {
    #[default]
    Normal,
    /// The store never sees it.
    Skipped,
    /// Engage gives it up. The store never sees it.
    RedeemTimeout,
    /// Just after somebody else has redeemed the same reward.
    AfterForeignRedeem,
}

/// What goes back to the client after a fault has struck.
#[derive(Debug)]
pub(crate) enum Delivery {
    /// An ordinary answer.
    Response(HttpResponse),
    /// Bytes of our own on the bare connection.
    Bytes(RawBytes),
    /// RST.
    Reset,
    /// FIN.
    Close,
    /// Silence.
    Stall,
}

/// Bytes for the bare connection.
#[derive(Clone, Debug)]
pub(crate) struct RawBytes {
    /// The status they say, if they say one.
    pub status: Option<u16>,
    pub bytes: Bytes,
    /// How many at a time, and how far apart.
    pub pace: Option<(NonZeroUsize, Duration)>,
    pub then: AfterWrite,
}

/// What becomes of a connection after bytes of our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterWrite {
    /// Cut: FIN, and over TLS no goodbye.
    Close,
    /// Ended in good order.
    Shutdown,
    /// It serves the next request.
    KeepAlive,
}

/// A fault and how far it has come.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ArmedFault {
    /// 1, 2, 3 …
    pub id: u64,
    /// The fault.
    #[serde(flatten)]
    pub fault: Fault,
    /// How many requests matched since it was armed.
    pub seen: u64,
    /// How many of them it struck.
    pub struck: u64,
}

/// Faults by chance: the same seed decides the same for the same sequence of requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Chaos {
    /// What the decisions follow from.
    pub seed: u64,
    /// What may happen, and how often.
    pub rates: Vec<ChaosRate>,
}

/// One thing that may happen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChaosRate {
    /// To which part of the requests, 0 to 1.
    pub rate: f64,
    /// To requests of which kind.
    #[serde(default = "any")]
    pub operation: Operation,
    /// What happens to them.
    pub effect: Effect,
}

fn any() -> Operation {
    Operation::Any
}

impl Chaos {
    /// Says why it could never work, if so.
    pub(crate) fn check(&self) -> Result<(), Invalid> {
        for (index, ChaosRate { rate, effect, .. }) in self.rates.iter().enumerate() {
            let of = |field: &str| format!("rates[{index}].{field}");
            if !(0.0..=1.0).contains(rate) {
                return Err(Invalid::new(&of("rate"), "is not between 0 and 1"));
            }
            effect
                .check()
                .map_err(|wrong| Invalid { field: of(&format!("effect.{}", wrong.field)), why: wrong.why })?;
        }
        match self.rates.iter().map(|rate| rate.rate).sum::<f64>() {
            ..=1.0 => Ok(()),
            _ => Err(Invalid::new("rates", "add up to more than 1")),
        }
    }

    /// The effect for the n-th request.
    fn decide(&self, n: u64, operation: Operation) -> Option<&Effect> {
        let mut left = random::fraction(self.seed, n);
        let rates = self.rates.iter().filter(|rate| [Operation::Any, operation].contains(&rate.operation));
        let mut struck = rates.filter(|ChaosRate { rate, .. }| {
            left -= rate;
            left < 0.0
        });
        struck.next().map(|rate| &rate.effect)
    }
}

/// The chaos that reigns and how far it has come.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ActiveChaos {
    /// The chaos.
    #[serde(flatten)]
    pub chaos: Chaos,
    /// How many requests it has decided about.
    pub seen: u64,
    /// How many of them it struck.
    pub struck: u64,
}

/// The armed faults, of which one that has struck for the last time is gone, and chaos.
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
        self.armed.push(ArmedFault { id: self.count, fault, seen: 0, struck: 0 });
        Ok(self.count)
    }

    /// Lets chaos reign, from its first decision on, or ends it.
    pub fn set_chaos(&mut self, chaos: Option<Chaos>) -> Result<(), Invalid> {
        if let Some(chaos) = &chaos {
            chaos.check()?;
        }
        self.chaos = chaos.map(|chaos| ActiveChaos { chaos, seen: 0, struck: 0 });
        Ok(())
    }

    /// The chaos that reigns.
    pub fn chaos(&self) -> Option<&ActiveChaos> {
        self.chaos.as_ref()
    }

    /// The effect for a request: that of the first armed fault whose turn it is, else chaos's. Every matching fault counts the
    /// request, and so does chaos, so that what it decides does not depend on the faults.
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
                armed.struck += 1;
            }
            *times == 0 || armed.struck < u64::from(*times)
        });
        if let (Some(reigning), Some(operation)) = (&mut self.chaos, operation) {
            reigning.seen += 1;
            if effect.is_none() {
                effect = reigning.chaos.decide(reigning.seen, operation).cloned();
                reigning.struck += u64::from(effect.is_some());
            }
        }
        effect
    }

    /// The armed faults, the oldest first.
    pub fn armed(&self) -> &[ArmedFault] {
        &self.armed
    }

    /// Disarms every fault and ends chaos.
    pub fn clear(&mut self) {
        self.armed.clear();
        self.chaos = None;
    }
}

/// `{}`, the parameters of an effect that has none.
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

/// What always happens to the requests about one member or one item, by what they ask for.
pub type PermanentFaults = BTreeMap<Operation, Effect>;

/// The effect for a request: its own before that for any.
pub(crate) fn permanent_effect(faults: &PermanentFaults, operation: Operation) -> Option<&Effect> {
    faults.get(&operation).or_else(|| faults.get(&Operation::Any))
}

/// Says which could never work.
pub(crate) fn check_permanent(faults: &PermanentFaults, allowed: &[Operation]) -> Result<(), Invalid> {
    for (operation, effect) in faults {
        let name = serde_json::to_value(operation).unwrap_or_default();
        let field = format!("faults.{}", name.as_str().unwrap_or_default());
        if !allowed.is_empty() && !allowed.contains(operation) {
            return Err(Invalid::new(&field, "never happens to an item: only purchase, redeem and any do"));
        }
        effect.check().map_err(|wrong| Invalid { field: format!("{field}.{}", wrong.field), why: wrong.why })?;
    }
    Ok(())
}
