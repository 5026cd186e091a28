//! `POST /api/v3/point-shop-items/purchase` and `GET /api/v3/point-shop-item-purchases`: spending points, and what became of it.

use super::errors::{self, ErrorBody};
use super::shape;
use super::{Engage, get};
use crate::code::{Code, Outcome};
use crate::error::{Detail, Error, Result};
use crate::id::{ContactId, ItemId, OperationId};
use crate::secret::Secret;
use crate::transport::{Answer, Call, Failure, FailureKind, Request};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

/// The points to be spent: Engage's idempotency key is `purchase` + `contact`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PurchaseOrder {
    pub purchase: OperationId,
    pub contact: ContactId,
    pub item: ItemId,
}

/// What a request that spends, or a look at the history, has proven.
#[derive(Debug, Clone)]
pub(crate) enum Verdict {
    /// Engage has completed it. The answer is the purchase as Engage sent it.
    Done { answer: String },
    /// Engage said no, definitely.
    Refused(Facts),
    /// Anything else after bytes may have left.
    Unknown(Facts),
    /// Nothing has left the till.
    NotSent(Facts),
    /// The history was read and does not hold it.
    Absent,
}

/// What is known of a verdict other than done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    pub code: Code,
    pub detail: Detail,
    pub cause: Vec<String>,
}

impl Verdict {
    /// The code a log line shows.
    pub fn code(&self) -> Code {
        match self {
            Verdict::Done { .. } => Code::Ok,
            Verdict::Refused(facts) | Verdict::Unknown(facts) | Verdict::NotSent(facts) => facts.code,
            Verdict::Absent => Code::Pending,
        }
    }
}

impl Facts {
    pub fn of(code: Code) -> Self {
        Self { code, detail: Detail::default(), cause: Vec::new() }
    }
}

impl Engage {
    /// Spends the points. Never repeated in here.
    pub fn purchase(&self, order: &PurchaseOrder, call: &Arc<Call>) -> Verdict {
        let body = Map::from_iter([
            ("contactId".to_owned(), Value::String(order.contact.to_string())),
            ("pointShopItemPurchaseId".to_owned(), Value::String(order.purchase.to_string())),
            (self.wire.item_id_field.clone(), Value::String(order.item.to_string())),
        ]);
        let request = Request {
            path: Secret::new("/api/v3/point-shop-items/purchase".into()),
            body: Some(Value::Object(body).to_string().into_bytes()),
        };
        match self.transport.send(&request, call) {
            Ok(answer) => self.judge_answer(order, answer),
            Err(failure) => judge_failure(&failure),
        }
    }

    fn judge_answer(&self, order: &PurchaseOrder, answer: Answer) -> Verdict {
        if !matches!(answer.status, 200 | 201) {
            let body = ErrorBody::of(&answer);
            let code = errors::purchase(answer.status, &body);
            let facts = Facts { code, detail: errors::detail(&answer, &body), cause: Vec::new() };
            return match code.row().outcome {
                Outcome::Refused => Verdict::Refused(facts),
                _ => Verdict::Unknown(facts),
            };
        }
        let detail = Detail { http_status: Some(answer.status), ..Detail::default() };
        let body = shape::body_without_bom(answer.body);
        let unknown = || Verdict::Unknown(Facts { detail: detail.clone(), ..Facts::of(Code::PendingBadAnswer) });
        let Ok(text) = String::from_utf8(body) else { return unknown() };
        match serde_json::from_str::<&RawValue>(&text) {
            Ok(raw) => self.judge_purchase(order, raw, detail),
            Err(_) => unknown(),
        }
    }

    /// A purchase of Engage's, wherever it came from: is it ours, and what does its status say?
    fn judge_purchase(&self, order: &PurchaseOrder, raw: &RawValue, detail: Detail) -> Verdict {
        let unknown = |code| Verdict::Unknown(Facts { detail: detail.clone(), ..Facts::of(code) });
        let Ok(fields) = serde_json::from_str::<Purchase<'_>>(raw.get()) else {
            return unknown(Code::PendingBadAnswer);
        };
        let says_otherwise = |field: &str, ours: Uuid| guid(&fields, field).is_some_and(|theirs| theirs != ours);
        let about_another = self.purchase_id(&fields).is_some_and(|theirs| theirs != order.purchase.uuid())
            || says_otherwise("contactId", order.contact.uuid())
            || says_otherwise(&self.wire.item_id_field, order.item.uuid());
        if about_another {
            return unknown(Code::PendingBadAnswer);
        }
        match text(&fields, &self.wire.status_field) {
            Some(status) if status == self.wire.completed => Verdict::Done { answer: raw.get().to_owned() },
            Some(status) if status == self.wire.failed => {
                Verdict::Refused(Facts { detail, ..Facts::of(Code::PurchaseFailed) })
            }
            Some(status) if status == self.wire.processing => unknown(Code::PendingProcessing),
            _ => unknown(Code::PendingBadAnswer),
        }
    }

    /// The id the till made. A field that holds no GUID is not it.
    fn purchase_id(&self, fields: &Purchase<'_>) -> Option<Uuid> {
        self.wire.purchase_id_fields.iter().find_map(|field| guid(fields, field))
    }

    /// The member's purchases as Engage sent them: a JSON array. Documented: a 404 is an empty history.
    pub fn purchases(&self, contact: ContactId, call: &Arc<Call>) -> Result<Vec<u8>> {
        let answer = get(self, format!("/api/v3/point-shop-item-purchases?contactId={contact}"), call)?;
        match answer.status {
            200 => shape::check_list::<Element>(answer, "purchases"),
            404 if ErrorBody::of(&answer).may_be_engage() => Ok(b"[]".to_vec()),
            _ => Err(errors::read_error(&answer)),
        }
    }

    /// Looks a purchase up in the member's history.
    pub fn find_purchase(&self, order: &PurchaseOrder, call: &Arc<Call>) -> Verdict {
        let history = match self.purchases(order.contact, call) {
            Ok(history) => history,
            // A member Engage does not know has bought nothing; sending it again gets the definite no.
            Err(error) if error.code() == Code::InvalidContact => return Verdict::Absent,
            Err(error) => return Verdict::Unknown(unknown_history(&error)),
        };
        let Ok(elements) = serde_json::from_slice::<Vec<&RawValue>>(&history) else {
            return Verdict::Unknown(Facts::of(Code::PendingBadAnswer));
        };
        for raw in elements {
            let Ok(fields) = serde_json::from_str::<Purchase<'_>>(raw.get()) else { continue };
            // Any of the fields may carry it: a history element has an id of its own beside it.
            let ours =
                self.wire.purchase_id_fields.iter().any(|field| guid(&fields, field) == Some(order.purchase.uuid()));
            if ours {
                return self.judge_purchase(order, raw, Detail { http_status: Some(200), ..Detail::default() });
            }
        }
        Verdict::Absent
    }
}

/// An element of the history: an object. Nothing in it is documented but that it has a status.
#[derive(Deserialize)]
struct Element {}

type Purchase<'a> = HashMap<std::borrow::Cow<'a, str>, &'a RawValue>;

fn text<'a>(fields: &Purchase<'a>, name: &str) -> Option<std::borrow::Cow<'a, str>> {
    fields.get(name).and_then(|raw| serde_json::from_str(raw.get()).ok())
}

fn guid(fields: &Purchase<'_>, name: &str) -> Option<Uuid> {
    text(fields, name).and_then(|text| Uuid::try_parse(&text).ok())
}

/// A request that spends and has no answer: what had left decides.
fn judge_failure(failure: &Failure) -> Verdict {
    let facts = |code| Facts { code, detail: Detail::default(), cause: failure.cause.clone() };
    if !failure.may_have_left {
        return Verdict::NotSent(facts(errors::failure_code(failure.kind)));
    }
    let mut facts = facts(match failure.kind {
        FailureKind::NotHttp | FailureKind::TooLarge => Code::PendingBadAnswer,
        FailureKind::Interrupted => Code::PendingClosed,
        _ => Code::PendingConnectionLost,
    });
    if failure.kind == FailureKind::TimedOut {
        facts.cause.push("no answer within requestTimeoutMs".into());
    }
    Verdict::Unknown(facts)
}

/// A look at the history that failed says nothing about the purchase but why it is not known yet.
fn unknown_history(error: &Error) -> Facts {
    let code = match error.code() {
        Code::Unauthorized | Code::Forbidden => Code::PendingCredentials,
        Code::RateLimited => Code::PendingRateLimited,
        Code::ServerError => Code::PendingServerError,
        Code::BadAnswer | Code::AnswerTooLarge => Code::PendingBadAnswer,
        Code::Cancelled => Code::PendingClosed,
        other if other.row().outcome == Outcome::Refused => Code::Pending,
        _ => Code::PendingConnectionLost,
    };
    Facts { code, detail: error.detail().clone(), cause: error.cause().to_vec() }
}
