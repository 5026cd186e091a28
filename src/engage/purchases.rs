//! `POST /api/v3/point-shop-items/purchase` and `GET /api/v3/point-shop-item-purchases`: spending points, and what became of it.

use super::errors::{self, ErrorBody};
use super::order::{Facts, PurchaseOrder, Verdict};
use super::shape::{self, Object};
use super::{Engage, get, time};
use crate::code::{Code, Outcome};
use crate::error::{Detail, Error, Result};
use crate::id::{AssignmentId, ContactId};
use crate::secret::Secret;
use crate::time::Millis;
use crate::transport::{Answer, Call, Failure, FailureKind, Request};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::sync::Arc;
use uuid::Uuid;

impl Engage {
    /// Spends the points. Never repeated in here.
    pub(super) fn purchase(&self, order: &PurchaseOrder, call: &Arc<Call>) -> Verdict {
        let body = Map::from_iter([
            ("contactId".to_owned(), Value::String(order.contact.to_string())),
            ("pointShopItemPurchaseId".to_owned(), Value::String(order.purchase.to_string())),
            (self.wire.item_id_field.clone(), Value::String(order.item.to_string())),
        ]);
        let request = Request {
            path: Secret::new("/api/v3/point-shop-items/purchase".into()),
            body: Some(Value::Object(body).to_string().into_bytes()),
            operation: Some(order.purchase),
        };
        match self.send(&request, call) {
            Ok(answer) => self.judge_answer(order, answer),
            Err(failure) => judge_failure(&failure),
        }
    }

    fn judge_answer(&self, order: &PurchaseOrder, answer: Answer) -> Verdict {
        if !matches!(answer.status, 200 | 201) {
            let body = ErrorBody::of(&answer);
            let code = errors::purchase(answer.status, &body);
            let facts = Facts { code, detail: errors::detail(&answer, &body), cause: errors::cause(&answer, &body) };
            return match code.row().outcome {
                Outcome::Declined => Verdict::Declined(facts),
                _ => Verdict::Unknown(facts),
            };
        }
        let detail = Detail { http_status: Some(answer.status), ..Detail::default() };
        let body = shape::body_without_bom(answer.body);
        let unknown = || Verdict::Unknown(Facts { detail: detail.clone(), ..Facts::of(Code::PendingInvalidResponse) });
        let Ok(text) = String::from_utf8(body) else { return unknown() };
        match serde_json::from_str::<&RawValue>(&text) {
            Ok(raw) => self.judge_purchase(order, raw, detail),
            Err(_) if text.trim_start().starts_with('<') => {
                let cause = vec![errors::web_page(answer.status)];
                Verdict::Unknown(Facts { code: Code::PendingInvalidResponse, detail, cause })
            }
            Err(_) => unknown(),
        }
    }

    /// A purchase of Engage's, wherever it came from: is it ours, and what does its status say?
    fn judge_purchase(&self, order: &PurchaseOrder, raw: &RawValue, detail: Detail) -> Verdict {
        let unknown = |code| Verdict::Unknown(Facts { detail: detail.clone(), ..Facts::of(code) });
        let Some(fields) = Object::read(raw) else { return unknown(Code::PendingInvalidResponse) };
        let says_otherwise = |field: &str, ours: Uuid| fields.guid(&[field]).is_some_and(|theirs| theirs != ours);
        let about_another =
            fields.guid(&self.wire.purchase_id_fields).is_some_and(|theirs| theirs != order.purchase.uuid())
                || says_otherwise("contactId", order.contact.uuid())
                || says_otherwise(&self.wire.item_id_field, order.item.uuid());
        if about_another {
            return unknown(Code::PendingInvalidResponse);
        }
        match fields.text(&[&self.wire.status_field]) {
            Some(status) if status == self.wire.completed => Verdict::Completed { answer: raw.get().to_owned() },
            Some(status) if status == self.wire.failed => {
                Verdict::Declined(Facts { detail, ..Facts::of(Code::PurchaseFailed) })
            }
            Some(status) if status == self.wire.processing => unknown(Code::PendingProcessing),
            _ => unknown(Code::PendingInvalidResponse),
        }
    }

    /// The member's purchases as Engage sent them: a JSON array. Documented: a 404 is an empty history.
    pub fn purchases(&self, contact: ContactId, call: &Arc<Call>) -> Result<Vec<u8>> {
        let answer = get(self, format!("/api/v3/point-shop-item-purchases?contactId={contact}"), call)?;
        match answer.status {
            // Nothing in an element is documented but that it has a status.
            200 => shape::check_list(answer, "purchases", &[]),
            404 if ErrorBody::of(&answer).may_be_engage() => Ok(b"[]".to_vec()),
            _ => Err(errors::read_error(&answer)),
        }
    }

    /// Looks a purchase up in the member's history.
    pub(super) fn find_purchase(&self, order: &PurchaseOrder, call: &Arc<Call>) -> Verdict {
        let history = match self.purchases(order.contact, call) {
            Ok(history) => history,
            // A member Engage does not know has bought nothing; sending it again gets the definite no.
            Err(error) if error.code() == Code::InvalidContact => return Verdict::Absent,
            Err(error) => return Verdict::Unknown(unknown_look(&error)),
        };
        let Ok(elements) = serde_json::from_slice::<Vec<&RawValue>>(&history) else {
            return Verdict::Unknown(Facts::of(Code::PendingInvalidResponse));
        };
        for raw in elements {
            let Some(fields) = Object::read(raw) else { continue };
            // Any of the fields may carry it: a history element has an id of its own beside it.
            let mut names = self.wire.purchase_id_fields.iter();
            let ours = names.any(|name| fields.guid(&[name]) == Some(order.purchase.uuid()));
            if ours {
                return self.judge_purchase(order, raw, Detail { http_status: Some(200), ..Detail::default() });
            }
        }
        Verdict::Absent
    }
}

/// What a completed purchase says about the reward it gave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Given {
    /// The reward itself, where Engage says so.
    pub assignment: Option<AssignmentId>,
    /// The template the reward is made from.
    pub promotion: Option<Uuid>,
    /// When the purchase was made, by Engage's clock.
    pub made_on: Option<Millis>,
}

impl Engage {
    /// Reads a completed purchase.
    pub fn given(&self, purchase: &str) -> Given {
        let Some(fields) = serde_json::from_str::<&RawValue>(purchase).ok().and_then(Object::read) else {
            return Given::default();
        };
        Given {
            assignment: fields.guid(&self.wire.assignment_id_fields).map(AssignmentId::from_uuid),
            promotion: fields.guid(&self.wire.promotion_id_fields),
            made_on: fields.text(&self.wire.created_on_fields).as_deref().and_then(time::of_engage),
        }
    }
}

/// A request that spends and has no answer: what had left decides.
pub(super) fn judge_failure(failure: &Failure) -> Verdict {
    let facts = |code| Facts { code, detail: Detail::default(), cause: failure.cause.clone() };
    if !failure.may_have_left {
        return Verdict::NotSent(facts(errors::failure_code(failure.kind)));
    }
    let mut facts = facts(match failure.kind {
        FailureKind::NotHttp | FailureKind::TooLarge => Code::PendingInvalidResponse,
        FailureKind::Interrupted => Code::PendingClosed,
        _ => Code::PendingConnectionLost,
    });
    if failure.kind == FailureKind::TimedOut {
        facts.cause.push("no answer within requestTimeoutMs".into());
    }
    Verdict::Unknown(facts)
}

/// A look that failed says nothing about what became of the order but why it is not known yet.
pub(super) fn unknown_look(error: &Error) -> Facts {
    let code = match error.code() {
        Code::Unauthorized | Code::Forbidden => Code::PendingCredentials,
        Code::RateLimited => Code::PendingRateLimited,
        Code::ServerError => Code::PendingServerError,
        Code::InvalidResponse | Code::ResponseTooLarge => Code::PendingInvalidResponse,
        Code::Cancelled => Code::PendingClosed,
        other if other.row().outcome == Outcome::Declined => Code::Pending,
        _ => Code::PendingConnectionLost,
    };
    Facts { code, detail: error.detail().clone(), cause: error.cause().to_vec() }
}
