//! `POST /api/v3/point-shop-items/purchase` and `GET /api/v3/point-shop-item-purchases`: spending points, and what became of it.

use super::error_response::{self, ErrorBody};
use super::shape::{self, Object};
use super::{Engage, get, server_clock};
use crate::core::code::{Code, Outcome};
use crate::core::domain::Purchase;
use crate::core::domain::{AssignmentId, ContactId};
use crate::core::error::{Detail, Error, Result};
use crate::core::evidence::{Evidence, Reason};
use crate::core::reward_match::Grant;
use crate::secret::Secret;
use crate::transport::{Call, Failure, FailureKind, Request, Response};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::sync::Arc;
use uuid::Uuid;

impl Engage {
    /// Spends the points. Never repeated in here.
    pub(super) fn purchase(&self, operation: &Purchase, call: &Arc<Call>) -> Evidence {
        let body = Map::from_iter([
            ("contactId".to_owned(), Value::String(operation.contact.to_string())),
            ("pointShopItemPurchaseId".to_owned(), Value::String(operation.id.to_string())),
            (self.api_mapping.item_id_field.clone(), Value::String(operation.item.to_string())),
        ]);
        let request = Request {
            path: Secret::new("/api/v3/point-shop-items/purchase".into()),
            body: Some(Value::Object(body).to_string().into_bytes()),
            operation: Some(operation.id),
        };
        match self.send(&request, call) {
            Ok(response) => self.judge_answer(operation, response),
            Err(failure) => judge_failure(&failure),
        }
    }

    fn judge_answer(&self, operation: &Purchase, response: Response) -> Evidence {
        if !matches!(response.status, 200 | 201) {
            let body = ErrorBody::of(&response);
            let code = error_response::purchase(response.status, &body);
            let reason = Reason {
                code,
                detail: error_response::detail(&response, &body),
                cause: error_response::cause(&response, &body),
            };
            return match code.row().outcome {
                Outcome::Declined => Evidence::Declined(reason),
                _ => Evidence::InDoubt(reason),
            };
        }
        let detail = Detail { http_status: Some(response.status), ..Detail::default() };
        let body = shape::body_without_bom(response.body);
        let unknown =
            || Evidence::InDoubt(Reason { detail: detail.clone(), ..Reason::of(Code::PendingInvalidResponse) });
        let Ok(text) = String::from_utf8(body) else { return unknown() };
        match serde_json::from_str::<&RawValue>(&text) {
            Ok(raw) => self.judge_purchase(operation, raw, detail),
            Err(_) if text.trim_start().starts_with('<') => {
                let cause = vec![error_response::web_page(response.status)];
                Evidence::InDoubt(Reason { code: Code::PendingInvalidResponse, detail, cause })
            }
            Err(_) => unknown(),
        }
    }

    /// A purchase of Engage's, wherever it came from: is it ours, and what does its status say?
    fn judge_purchase(&self, operation: &Purchase, raw: &RawValue, detail: Detail) -> Evidence {
        let unknown = |code| Evidence::InDoubt(Reason { detail: detail.clone(), ..Reason::of(code) });
        let Some(fields) = Object::read(raw) else { return unknown(Code::PendingInvalidResponse) };
        let says_otherwise = |field: &str, ours: Uuid| fields.guid(&[field]).is_some_and(|theirs| theirs != ours);
        let about_another =
            fields.guid(&self.api_mapping.purchase_id_fields).is_some_and(|theirs| theirs != operation.id.uuid())
                || says_otherwise("contactId", operation.contact.uuid())
                || says_otherwise(&self.api_mapping.item_id_field, operation.item.uuid());
        if about_another {
            return unknown(Code::PendingInvalidResponse);
        }
        match fields.text(&[&self.api_mapping.status_field]) {
            Some(status) if status == self.api_mapping.completed => {
                Evidence::Completed { response: raw.get().to_owned() }
            }
            Some(status) if status == self.api_mapping.failed => {
                Evidence::Declined(Reason { detail, ..Reason::of(Code::PurchaseFailed) })
            }
            Some(status) if status == self.api_mapping.processing => unknown(Code::PendingProcessing),
            _ => unknown(Code::PendingInvalidResponse),
        }
    }

    /// The member's purchases as Engage sent them: a JSON array. Documented: a 404 is an empty history.
    pub fn purchases(&self, contact: ContactId, call: &Arc<Call>) -> Result<Vec<u8>> {
        let response = get(self, format!("/api/v3/point-shop-item-purchases?contactId={contact}"), call)?;
        match response.status {
            // Nothing in an element is documented but that it has a status.
            200 => shape::check_list(response, "purchases", &[]),
            404 if ErrorBody::of(&response).may_be_engage() => Ok(b"[]".to_vec()),
            _ => Err(error_response::read_error(&response)),
        }
    }

    /// Looks a purchase up in the member's history.
    pub(super) fn find_purchase(&self, operation: &Purchase, call: &Arc<Call>) -> Evidence {
        let history = match self.purchases(operation.contact, call) {
            Ok(history) => history,
            // A member Engage does not know has bought nothing; sending it again gets the definite no.
            Err(error) if error.code() == Code::InvalidContact => return Evidence::Absent,
            Err(error) => return Evidence::InDoubt(failed_query(&error)),
        };
        let Ok(elements) = serde_json::from_slice::<Vec<&RawValue>>(&history) else {
            return Evidence::InDoubt(Reason::of(Code::PendingInvalidResponse));
        };
        for raw in elements {
            let Some(fields) = Object::read(raw) else { continue };
            // Any of the fields may carry it: a history element has an id of its own beside it.
            let mut names = self.api_mapping.purchase_id_fields.iter();
            let ours = names.any(|name| fields.guid(&[name]) == Some(operation.id.uuid()));
            if ours {
                return self.judge_purchase(operation, raw, Detail { http_status: Some(200), ..Detail::default() });
            }
        }
        Evidence::Absent
    }
}

impl Engage {
    /// Reads a completed purchase.
    pub fn grant(&self, purchase: &str) -> Grant {
        let Some(fields) = serde_json::from_str::<&RawValue>(purchase).ok().and_then(Object::read) else {
            return Grant::default();
        };
        Grant {
            assignment: fields.guid(&self.api_mapping.assignment_id_fields).map(AssignmentId::from_uuid),
            promotion: fields.guid(&self.api_mapping.promotion_id_fields),
            made_on: fields.text(&self.api_mapping.created_on_fields).as_deref().and_then(server_clock::of_engage),
        }
    }
}

/// A request that spends and has no answer: what had left decides.
pub(super) fn judge_failure(failure: &Failure) -> Evidence {
    let reason = |code| Reason { code, detail: Detail::default(), cause: failure.cause.clone() };
    if !failure.may_have_left {
        return Evidence::NotSent(reason(error_response::failure_code(failure.kind)));
    }
    let mut reason = reason(match failure.kind {
        FailureKind::NotHttp | FailureKind::Encoded | FailureKind::TooLarge => Code::PendingInvalidResponse,
        FailureKind::Cancelled => Code::PendingClosed,
        _ => Code::PendingConnectionLost,
    });
    if failure.kind == FailureKind::TimedOut {
        reason.cause.push("no answer within requestTimeoutMs".into());
    }
    Evidence::InDoubt(reason)
}

/// A look that failed says nothing about what became of the order but why it is not known yet.
pub(super) fn failed_query(error: &Error) -> Reason {
    let code = match error.code() {
        Code::Unauthorized | Code::Forbidden => Code::PendingCredentials,
        Code::RateLimited => Code::PendingRateLimited,
        Code::ServerError => Code::PendingServerError,
        Code::InvalidResponse | Code::ResponseTooLarge => Code::PendingInvalidResponse,
        Code::Cancelled => Code::PendingClosed,
        other if other.row().outcome == Outcome::Declined => Code::Pending,
        _ => Code::PendingConnectionLost,
    };
    Reason { code, detail: error.detail().clone(), cause: error.cause().to_vec() }
}
