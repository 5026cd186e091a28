//! `POST /api/v3/point-shop-items/purchase` and `GET /api/v3/point-shop-item-purchases`: a
//! purchase, and the status query about it.

use super::error_response::{self, ErrorBody};
use super::shape::{self, Object};
use super::{Engage, contact_path, get, server_clock};
use crate::core::code::{Code, Outcome};
use crate::core::domain::{Millis, Purchase};
use crate::core::error::{Detail, Error, Result};
use crate::core::evidence::{AttemptResult, QueryResult, Reason};
use crate::core::granted_reward::Grant;
use crate::core::id::{AssignmentId, ContactId};
use crate::rt::{Instant, lock};
use crate::secret::Secret;
use crate::transport::{Call, Failure, FailureKind, Request, Response};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::ops::RangeInclusive;
use std::sync::Arc;
use uuid::Uuid;

/// The purchases of a member, as one status query has read them.
pub(crate) enum History {
    /// Engage's list.
    Rows {
        rows: Vec<Box<RawValue>>,
        /// Elements that are no objects.
        unreadable: usize,
        /// The list has all rows, and is not a page of them.
        complete: bool,
    },
    /// The history's own 404, or an empty list.
    None,
    /// The query failed, or its response is not complete.
    NoEvidence(Reason),
}

impl Engage {
    /// Makes one attempt. This module never repeats it.
    pub(super) fn purchase(&self, purchase: &Purchase, call: &Arc<Call>) -> AttemptResult {
        let mapping = &self.api_mapping;
        let body = Map::from_iter([
            (mapping.contact_id_field.clone(), Value::String(purchase.contact.to_string())),
            (mapping.purchase_id_field.clone(), Value::String(purchase.id.to_string())),
            (mapping.item_id_field.clone(), Value::String(purchase.item.to_string())),
        ]);
        let request = Request {
            name: "purchase",
            path: Secret::new(mapping.purchase_path.clone()),
            body: Some(Value::Object(body).to_string().into_bytes()),
            id: self.request_id(),
            operation: Some(purchase.id),
        };
        match self.send(&request, call) {
            Ok(response) => self.purchase_result(purchase, &response),
            Err(failure) => failed_attempt(&failure),
        }
    }

    fn purchase_result(&self, purchase: &Purchase, response: &Response) -> AttemptResult {
        if !matches!(response.status, 200..=202) {
            return error_response::purchase(response);
        }
        let detail = Detail { http_status: Some(response.status), ..Detail::default() };
        let in_doubt = |code, cause| AttemptResult::InDoubt(Reason { code, detail: detail.clone(), cause });
        let text = std::str::from_utf8(super::error_response::without_bom(&response.body)).unwrap_or_default();
        let Ok(raw) = serde_json::from_str::<&RawValue>(text) else {
            let page = text.trim_start().starts_with('<').then(|| error_response::web_page(response.status));
            return in_doubt(Code::PendingInvalidResponse, page.into_iter().collect());
        };
        match self.read_row(purchase, raw) {
            Row::Completed => AttemptResult::Completed { response: shape::for_hosts(raw) },
            Row::Failed => {
                let reason = Reason { detail, ..Reason::of(Code::PurchaseFailed) };
                AttemptResult::Rejected { reason, documented: true }
            }
            Row::Processing => AttemptResult::Processing(Reason { detail, ..Reason::of(Code::PendingProcessing) }),
            // A success without a status: a code in the body may say more.
            Row::Unclear(cause) => match error_response::purchase(response) {
                AttemptResult::InDoubt(_) => in_doubt(Code::PendingInvalidResponse, vec![cause]),
                result => result,
            },
        }
    }

    /// Reads one purchase of Engage's: whether it is this one, and what its status says.
    fn read_row(&self, purchase: &Purchase, raw: &RawValue) -> Row {
        let mapping = &self.api_mapping;
        let Some(fields) = Object::read(raw) else { return Row::Unclear("the purchase is not a JSON object".into()) };
        let differs = |field: &str, ours: Uuid| fields.guid(&[field]).is_some_and(|theirs| theirs != ours);
        let ids: Vec<Uuid> = mapping.purchase_id_fields.iter().filter_map(|name| fields.guid(&[name])).collect();
        if !ids.is_empty() && !ids.contains(&purchase.id.uuid()) {
            return Row::Unclear("the purchase has another purchase id".into());
        }
        // A field that may hold the purchase id cannot name the item too.
        let item_field = &mapping.item_id_field;
        let item_differs =
            !mapping.purchase_id_fields.contains(item_field) && differs(item_field, purchase.item.uuid());
        // With the purchase id the contact may be another: the member's new one after a merge.
        let contact_differs = ids.is_empty() && differs(&mapping.contact_id_field, purchase.contact.uuid());
        if contact_differs || item_differs {
            return Row::Unclear("the purchase is of another contact or item".into());
        }
        let Some(status) = fields.digits(&[&mapping.status_field]) else {
            return Row::Unclear(format!("the purchase has no {}, or several", mapping.status_field));
        };
        let is = |names: &[String]| names.iter().any(|name| status.eq_ignore_ascii_case(name));
        match () {
            () if is(&mapping.completed) => Row::Completed,
            () if is(&mapping.failed) && error_response::may_have_value(raw, &mapping.completed) => {
                Row::Unclear("the purchase is failed and completed".into())
            }
            // The first of the fields names the purchase; a later one may be the row's own id.
            () if is(&mapping.failed) && ids.first().is_none_or(|id| *id == purchase.id.uuid()) => Row::Failed,
            () if is(&mapping.failed) => Row::Unclear("the purchase has another purchase id too".into()),
            () if is(&mapping.processing) => Row::Processing,
            () => Row::Unclear(match status.bytes().all(|byte| byte.is_ascii_alphanumeric()) && status.len() <= 40 {
                true => format!("the status {status} is not known"),
                false => "the status is not known".into(),
            }),
        }
    }

    /// Lists the member's purchases as Engage sent them: a JSON array. Documented: a 404 is an
    /// empty history.
    pub fn purchases(&self, contact: ContactId, call: &Arc<Call>) -> Result<Vec<u8>> {
        let response = self.purchase_list(contact, call)?;
        match response.status {
            // Nothing in an element is documented but that it has a status.
            200 => {
                let list = self.checked_list(response, "purchases", &[], call)?;
                self.note_own_history();
                Ok(list)
            }
            404 if ErrorBody::of(&response).may_be_engage() => Ok(b"[]".to_vec()),
            _ => Err(error_response::read_error(&response)),
        }
    }

    fn purchase_list(&self, contact: ContactId, call: &Arc<Call>) -> Result<Response> {
        get(self, "purchases", contact_path(&self.api_mapping.purchases_path, contact), call)
    }

    /// Sends the status query of a member's purchases. One response serves all pending purchases of
    /// the member.
    pub fn history(&self, contact: ContactId, call: &Arc<Call>) -> History {
        let response = match self.purchase_list(contact, call) {
            Ok(response) => response,
            Err(error) => return History::NoEvidence(failed_query(&error)),
        };
        let invalid = |cause: &str| {
            History::NoEvidence(Reason { cause: vec![cause.to_owned()], ..Reason::of(Code::PendingInvalidResponse) })
        };
        match response.status {
            200 => {}
            404 if response.extent.is_cached => return invalid("the 404 is a cache's copy (Age) and not of now"),
            404 if self.may_be_own_404(&response) && self.has_own_history_now(call) => return History::None,
            404 => return invalid("the 404 is not that of Engage's history: a gateway or a wrong baseUrl"),
            _ => return History::NoEvidence(failed_query(&error_response::read_error(&response))),
        }
        let Some(list) = shape::elements(&response, &self.api_mapping) else {
            return invalid("the history is not a JSON list");
        };
        self.note_own_history();
        if list.elements.is_empty() && list.complete {
            return History::None;
        }
        let is_row = |raw: &&&RawValue| raw.get().trim_start().starts_with('{');
        let rows: Vec<_> = list.elements.iter().filter(is_row).map(|raw| (*raw).to_owned()).collect();
        let unreadable = list.elements.len() - rows.len();
        History::Rows { rows, unreadable, complete: list.complete }
    }

    /// Whether the history of this origin is known to be Engage's. If it is not known yet, one
    /// request asks for the history of no contact at all: Engage is documented to respond with 400,
    /// and what has no history responds as before.
    fn has_own_history_now(&self, call: &Arc<Call>) -> bool {
        if !self.has_own_history() && self.may_probe() {
            let response = get(self, "purchases", self.api_mapping.purchases_path.replace("{contactId}", "none"), call);
            let is_engages = |it: &Response| match it.status {
                400 => matches!(ErrorBody::of(it), ErrorBody::Json { .. }),
                _ => error_response::has_engages_form(it),
            };
            match response.as_ref().map(is_engages) {
                Ok(true) => self.note_own_history(),
                Ok(false) => *lock(&self.failed_probe) = Some(Instant::now()),
                Err(_) => {}
            }
        }
        self.has_own_history()
    }

    /// Returns what a history proves about a purchase. Completed by any row; failed only if every
    /// row is.
    pub fn purchase_in(&self, purchase: &Purchase, history: &History) -> QueryResult {
        let (rows, unreadable, complete) = match history {
            History::Rows { rows, unreadable, complete } => (rows, *unreadable, *complete),
            History::None => return QueryResult::NoHistory,
            History::NoEvidence(reason) => return QueryResult::NoEvidence(reason.clone()),
        };
        let detail = Detail { http_status: Some(200), ..Detail::default() };
        let mut found: Option<QueryResult> = None;
        let mut unreadable = unreadable;
        for raw in rows {
            let Some(fields) = Object::read(raw) else {
                unreadable += 1;
                continue;
            };
            // Any of the fields may carry it: a row may have an id of its own beside it.
            let mut names = self.api_mapping.purchase_id_fields.iter();
            if !names.any(|name| fields.guid(&[name]) == Some(purchase.id.uuid())) {
                // A row without a readable id may be any purchase's, and one of another contact
                // says nothing about this one's history.
                let has_id = fields.guid(&self.api_mapping.purchase_id_fields).is_some();
                let contact = fields.guid(&[&self.api_mapping.contact_id_field]);
                let foreign = contact.is_some_and(|contact| contact != purchase.contact.uuid());
                unreadable += usize::from(!has_id || foreign);
                continue;
            }
            let row = match self.read_row(purchase, raw) {
                Row::Completed => return QueryResult::Completed { response: shape::for_hosts(raw) },
                Row::Failed => {
                    QueryResult::Failed(Reason { detail: detail.clone(), ..Reason::of(Code::PurchaseFailed) })
                }
                Row::Processing => {
                    QueryResult::Processing(Reason { detail: detail.clone(), ..Reason::of(Code::PendingProcessing) })
                }
                Row::Unclear(cause) => QueryResult::Processing(Reason {
                    detail: detail.clone(),
                    cause: vec![cause],
                    ..Reason::of(Code::PendingInvalidResponse)
                }),
            };
            found = Some(match (found, row) {
                (None | Some(QueryResult::Failed(_)), row) => row,
                (Some(before), _) => before,
            });
        }
        match found {
            // Failed counts only if every row is, and not all of them were read.
            Some(QueryResult::Failed(reason)) if !complete || unreadable > 0 => {
                QueryResult::Processing(Reason { code: Code::Pending, ..reason })
            }
            Some(result) => result,
            None if !complete => QueryResult::NoEvidence(Reason {
                cause: vec!["the history is a page and not all of it".into()],
                ..Reason::of(Code::PendingInvalidResponse)
            }),
            None if unreadable > 0 => QueryResult::Unreadable(Reason {
                cause: vec![format!("{unreadable} rows of the history could not be read")],
                ..Reason::of(Code::Pending)
            }),
            None => QueryResult::Absent,
        }
    }

    /// Returns the purchases of a history that may be of the same sale as this one, under another
    /// id: of the same item, not failed, and made in a time. One without a time counts.
    pub fn similar_in<'h>(
        &self,
        purchase: &Purchase,
        history: &'h History,
        made: &RangeInclusive<Millis>,
    ) -> Vec<SimilarPurchase<'h>> {
        let History::Rows { rows, .. } = history else { return Vec::new() };
        let mapping = &self.api_mapping;
        let similar = |raw: &'h RawValue| {
            let fields = Object::read(raw)?;
            let item = fields.guid(&[&mapping.item_id_field]);
            let status = fields.digits(&[&mapping.status_field]).unwrap_or_default();
            let made_on = fields.text(&mapping.created_on_fields);
            let is_made = |text: &str| server_clock::of_engage(text).is_none_or(|at| made.contains(&at));
            if item.is_some_and(|item| item != purchase.item.uuid())
                || mapping.failed.iter().any(|name| status.eq_ignore_ascii_case(name))
                || !made_on.as_deref().is_none_or(is_made)
            {
                return None;
            }
            let ids = mapping.purchase_id_fields.iter().filter_map(|name| fields.guid(&[name])).collect();
            Some(SimilarPurchase { ids, response: raw.get() })
        };
        rows.iter().filter_map(|raw| similar(raw)).collect()
    }

    /// Reads the fields of a completed purchase that say which reward it gave.
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

/// A purchase of the same item and member as another.
pub(crate) struct SimilarPurchase<'h> {
    /// The ids in it, one of which is the purchase id.
    pub ids: Vec<Uuid>,
    /// Engage's own JSON.
    pub response: &'h str,
}

/// What one purchase of Engage's says.
enum Row {
    Completed,
    Failed,
    Processing,
    /// It is another purchase, or its status is not known; with the cause.
    Unclear(String),
}

/// Returns what an attempt without a response proves.
pub(super) fn failed_attempt(failure: &Failure) -> AttemptResult {
    let reason = |code| Reason { code, detail: Detail::default(), cause: failure.cause.clone() };
    if !failure.may_have_left {
        return AttemptResult::NotSent(reason(error_response::failure_code(failure.kind)));
    }
    match failure.kind {
        FailureKind::NotHttp | FailureKind::Encoded | FailureKind::TooLarge => {
            AttemptResult::InDoubt(reason(Code::PendingInvalidResponse))
        }
        FailureKind::Cancelled => AttemptResult::InDoubt(reason(Code::PendingClosed)),
        FailureKind::OutOfMemory => AttemptResult::InDoubt(reason(Code::PendingOutOfMemory)),
        FailureKind::Lost if !failure.response_began => AttemptResult::Reset(reason(Code::PendingConnectionLost)),
        FailureKind::TimedOut => {
            let mut reason = reason(Code::PendingConnectionLost);
            reason.cause.push("no response within requestTimeoutMs".into());
            AttemptResult::InDoubt(reason)
        }
        _ => AttemptResult::InDoubt(reason(Code::PendingConnectionLost)),
    }
}

/// Returns why a status query gave no evidence. A rejection keeps its code: it may confirm the
/// rejection of an attempt.
pub(super) fn failed_query(error: &Error) -> Reason {
    let code = match error.code() {
        code @ (Code::Unauthorized | Code::Forbidden) => code,
        Code::RateLimited => Code::PendingRateLimited,
        Code::ServerError => Code::PendingServerError,
        Code::InvalidResponse | Code::ResponseTooLarge => Code::PendingInvalidResponse,
        Code::Cancelled => Code::PendingClosed,
        other if other.row().outcome == Outcome::Declined => Code::Pending,
        _ => Code::PendingConnectionLost,
    };
    Reason { code, detail: error.detail().clone(), cause: error.cause().to_vec() }
}

#[cfg(test)]
pub(super) mod tests;
