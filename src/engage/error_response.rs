//! What an answer that is not a success means. The code is looked at first and the HTTP status second.

use crate::core::code::Code;
use crate::core::error::{Detail, Error};
use crate::transport::{Failure, FailureKind, Response, http_date};
use serde_json::Value;

/// What the body of an error answer is. Its shape is documented nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ErrorBody {
    /// JSON, with Engage's code if one was found.
    Json(Option<String>),
    Empty,
    Html,
    Text,
}

impl ErrorBody {
    pub fn of(response: &Response) -> Self {
        let body = without_bom(&response.body).trim_ascii();
        if body.is_empty() {
            return ErrorBody::Empty;
        }
        if let Ok(value) = serde_json::from_slice::<Value>(body) {
            return ErrorBody::Json(find_code(&value, 3).filter(|code| is_code(code)).map(str::to_owned));
        }
        let html = body.first() == Some(&b'<')
            || response.content_type.as_deref().is_some_and(|kind| kind.to_ascii_lowercase().contains("html"));
        if html { ErrorBody::Html } else { ErrorBody::Text }
    }

    pub fn engage_code(&self) -> Option<&str> {
        match self {
            ErrorBody::Json(code) => code.as_deref(),
            _ => None,
        }
    }

    /// Whether it can be Engage that speaks. A page or a text is a proxy's or a filter's until proven otherwise.
    pub fn may_be_engage(&self) -> bool {
        matches!(self, ErrorBody::Json(_) | ErrorBody::Empty)
    }
}

pub(crate) fn without_bom(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body)
}

fn find_code(value: &Value, depth: u8) -> Option<&str> {
    let inside = |value| if depth == 0 { None } else { find_code(value, depth - 1) };
    match value {
        Value::Object(map) => ["errorCode", "ErrorCode", "code", "Code"]
            .iter()
            .find_map(|key| map.get(*key)?.as_str())
            .or_else(|| ["errors", "Errors", "error"].iter().find_map(|key| inside(map.get(*key)?))),
        Value::Array(values) => values.iter().find_map(inside),
        _ => None,
    }
}

/// Engage's codes are identifiers. Anything else may be free text about a person and is not repeated (invariant 10).
fn is_code(text: &str) -> bool {
    (1..=80).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// The codes that mean the same wherever they come.
const KNOWN: &[(&str, Code)] = &[
    ("PromotionAssignmentContactNotFound", Code::ContactNotFound),
    ("PromotionAssignmentPromotionNotFound", Code::PromotionNotFound),
    ("PromotionAssignmentPromotionExpired", Code::PromotionExpired),
    ("PromotionAssignmentError", Code::PendingAssignmentError),
    ("PointShopItemPurchaseProcessingTimedOut", Code::PendingProcessing),
    ("PointShopItemPurchaseFailed", Code::PurchaseFailed),
    ("InvalidContact", Code::InvalidContact),
    ("ContactNotFound", Code::ContactNotFound),
    ("InvalidEmailAddress", Code::InvalidEmail),
    ("InvalidPhoneNumber", Code::InvalidPhone),
    ("InvalidSocialSecurityNumber", Code::InvalidSocialSecurityNumber),
    ("InvalidContactType", Code::InvalidContactType),
    ("InvalidSearchQuery", Code::InvalidSearch),
    ("MultipleMatches", Code::MultipleMatches),
    ("NotAValidRedemptionChannel", Code::InvalidChannel),
    ("InvalidPromotionIdNoData", Code::InvalidReward),
    ("PromotionNotFound", Code::RewardNotFound),
    ("PromotionNotAssociatedWithContact", Code::RewardNotOfContact),
    ("PromotionAlreadyRedeemed", Code::AlreadyRedeemed),
    ("PromotionNotValidForRedemptionChannel", Code::RewardNotForChannel),
];

fn known(body: &ErrorBody) -> Option<Code> {
    let code = body.engage_code()?;
    KNOWN.iter().find(|(name, _)| *name == code).map(|(_, code)| *code)
}

/// What an answer to a purchase that is not a success means.
pub(crate) fn purchase(status: u16, body: &ErrorBody) -> Code {
    spending(status, body, Code::ItemNotFound, Code::PurchaseNotAllowed)
}

/// What an answer to a redeem that is not a success means.
pub(crate) fn redeem(status: u16, body: &ErrorBody) -> Code {
    spending(status, body, Code::RewardNotFound, Code::Declined)
}

/// The documented rows first; whatever is not a definite no of Engage's is pending (invariant 4).
/// `absent` is what a 404 without a code says, `impossible` a 422.
fn spending(status: u16, body: &ErrorBody, absent: Code, impossible: Code) -> Code {
    if let Some(code) = known(body) {
        return code;
    }
    match status {
        429 => Code::PendingRateLimited,
        500..=599 => Code::PendingServerError,
        _ if !body.may_be_engage() => Code::PendingInvalidResponse,
        401 => Code::Unauthorized,
        403 => Code::Forbidden,
        400 if body.engage_code().is_none() => Code::InvalidRequest,
        404 if body.engage_code().is_none() => absent,
        422 => impossible,
        400 | 404 => Code::Declined,
        _ => Code::Pending,
    }
}

/// What an answer to a read that is not a success means.
pub(crate) fn read(status: u16, body: &ErrorBody) -> Code {
    match status {
        // Documented as a 500 that no retry cures.
        500 if body.engage_code() == Some("InvalidSystemConfiguration") => Code::SystemConfiguration,
        429 => Code::RateLimited,
        // 408 and 425 ask for another try; load balancers send a 408 to an idle connection.
        408 | 425 | 500..=599 => Code::ServerError,
        _ if !body.may_be_engage() => Code::InvalidResponse,
        401 => Code::Unauthorized,
        403 => Code::Forbidden,
        400..=499 => known(body)
            .filter(|code| code.row().outcome == crate::core::code::Outcome::Declined)
            .unwrap_or(Code::Declined),
        _ => Code::InvalidResponse,
    }
}

/// The error of a read that got an answer other than a success.
pub(crate) fn read_error(response: &Response) -> Error {
    let body = ErrorBody::of(response);
    let code = read(response.status, &body);
    let message = match (&body, response.status) {
        (ErrorBody::Html, _) => format!("{} ({})", code.row().meaning, web_page(response.status)),
        (_, 300..=399) => format!(
            "the server answered {}, a redirect, which is not followed: it would carry the key along; check baseUrl",
            response.status
        ),
        _ => code.row().meaning.to_owned(),
    };
    Error::new(code, message).with_detail(detail(response, &body))
}

/// What to say of a page in the place of Engage's answer.
pub(crate) fn web_page(status: u16) -> String {
    format!("a web page with status {status}: a web filter, a proxy or a wrong baseUrl")
}

/// Why an answer to a request that spends is what it is, where its code does not say it.
pub(crate) fn cause(response: &Response, body: &ErrorBody) -> Vec<String> {
    if *body == ErrorBody::Html { vec![web_page(response.status)] } else { Vec::new() }
}

pub(crate) fn detail(response: &Response, body: &ErrorBody) -> Detail {
    Detail {
        http_status: Some(response.status),
        engage_code: body.engage_code().map(str::to_owned),
        attempts: 1,
        retry_after_ms: response
            .retry_after
            .as_deref()
            .and_then(|after| retry_after_ms(after, response.date.as_deref())),
    }
}

/// A longer `Retry-After` is taken for this.
pub(crate) const LONGEST_RETRY_AFTER_MS: u64 = 3_600_000;

/// `Retry-After`, in seconds or as a date. A date is compared with the answer's own, because a till's clock may be off by days.
fn retry_after_ms(after: &str, date: Option<&str>) -> Option<u64> {
    let seconds = match after.trim().parse::<u64>() {
        Ok(seconds) => seconds,
        Err(_) => u64::try_from((http_date(after)? - http_date(date?)?).whole_seconds()).unwrap_or(0),
    };
    Some(seconds.saturating_mul(1_000).min(LONGEST_RETRY_AFTER_MS))
}

/// The code of a request without an answer of which nothing has left the till, or of any read.
pub(crate) fn failure_code(kind: FailureKind) -> Code {
    match kind {
        FailureKind::TimedOut => Code::TimedOut,
        FailureKind::Cancelled => Code::Cancelled,
        FailureKind::Dns => Code::DnsFailed,
        FailureKind::Offline => Code::Offline,
        FailureKind::Tls | FailureKind::TlsEnded => Code::TlsFailed,
        FailureKind::ProxyLogin => Code::ProxyLogin,
        FailureKind::Proxy => Code::ProxyFailed,
        FailureKind::Lost => Code::ConnectionLost,
        FailureKind::NotHttp | FailureKind::Encoded => Code::InvalidResponse,
        FailureKind::TooLarge => Code::ResponseTooLarge,
    }
}

pub(crate) fn failure(failure: Failure) -> Error {
    let code = failure_code(failure.kind);
    let message = match (failure.kind, failure.cause.last()) {
        // The last link says most, and what to do.
        (FailureKind::Tls | FailureKind::Proxy | FailureKind::ProxyLogin | FailureKind::Encoded, Some(last)) => {
            format!("{}: {last}", failure_message(failure.kind))
        }
        _ => failure_message(failure.kind).to_owned(),
    };
    Error::new(code, message).with_cause(failure.cause).with_detail(Detail { attempts: 1, ..Detail::default() })
}

fn failure_message(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Tls => "the TLS handshake failed",
        FailureKind::ProxyLogin | FailureKind::Proxy => "the proxy opens no tunnel to the server",
        FailureKind::TlsEnded => {
            "the connection ended during the TLS handshake: not a TLS server, or a device on the way cuts it"
        }
        FailureKind::Encoded => "the response is compressed",
        FailureKind::NotHttp => "the server does not speak HTTP. Check baseUrl, and any proxy",
        _ => failure_code(kind).row().meaning,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &str, content_type: &str) -> ErrorBody {
        ErrorBody::of(&Response {
            status: 400,
            content_type: Some(content_type.into()),
            retry_after: None,
            date: None,
            body: text.as_bytes().to_vec(),
        })
    }

    #[test]
    fn the_code_is_found_in_every_shape_an_error_body_may_have() {
        let json = "application/json";
        let code = |name: &str| ErrorBody::Json(Some(name.into()));
        assert_eq!(body(r#"{"errorCode":"A"}"#, json), code("A"));
        assert_eq!(body(r#"{"Message":"x","code":"B"}"#, json), code("B"));
        assert_eq!(body(r#"{"errors":[{"errorCode":"C"}]}"#, json), code("C"));
        assert_eq!(body(r#"{"error":{"code":"D"}}"#, json), code("D"));
        assert_eq!(body("\u{feff}{\"errorCode\":\"E\"}", json), code("E"));
        assert_eq!(body(r#""a bare string""#, json), ErrorBody::Json(None));
        assert_eq!(body(r#"{"errorCode":"astrid@example.com"}"#, json), ErrorBody::Json(None));
        assert_eq!(body("", json), ErrorBody::Empty);
        assert_eq!(body("  \r\n", json), ErrorBody::Empty);
        assert_eq!(body("<html>", json), ErrorBody::Html);
        assert_eq!(body("blocked", "text/html; charset=utf-8"), ErrorBody::Html);
        assert_eq!(body("no healthy upstream", "text/plain"), ErrorBody::Text);
    }

    #[test]
    fn retry_after_is_read_in_both_forms_and_never_by_the_tills_clock() {
        let date = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        let rows = [
            ("5", None, Some(5_000)),
            (" 120 ", date, Some(120_000)),
            ("0", None, Some(0)),
            ("Sun, 06 Nov 1994 08:49:57 GMT", date, Some(20_000)),
            ("Sun, 06 Nov 1994 08:49:07 GMT", date, Some(0)),
            ("Mon, 07 Nov 1994 08:49:37 GMT", date, Some(LONGEST_RETRY_AFTER_MS)),
            ("99999999999999999999", date, None),
            ("18446744073709551615", None, Some(LONGEST_RETRY_AFTER_MS)),
            ("Sun, 06 Nov 1994 08:49:57 GMT", None, None),
            ("Sun, 06 Nov 1994 08:49:57 GMT", Some("yesterday"), None),
            ("soon", date, None),
            ("-1", date, None),
            ("1.5", date, None),
            ("", date, None),
        ];
        for (after, date, ms) in rows {
            assert_eq!(retry_after_ms(after, date), ms, "{after:?} {date:?}");
        }
    }

    #[test]
    fn every_row_of_the_purchase_table_has_its_code() {
        let json = |code: &str| ErrorBody::Json(Some(code.into()));
        let none = ErrorBody::Json(None);
        let rows = [
            (400, json("PromotionAssignmentContactNotFound"), Code::ContactNotFound),
            (400, json("PromotionAssignmentPromotionNotFound"), Code::PromotionNotFound),
            (400, json("PromotionAssignmentPromotionExpired"), Code::PromotionExpired),
            (400, json("PromotionAssignmentError"), Code::PendingAssignmentError),
            (500, json("PromotionAssignmentError"), Code::PendingAssignmentError),
            (400, none.clone(), Code::InvalidRequest),
            (400, json("SomethingNew"), Code::Declined),
            (404, none.clone(), Code::ItemNotFound),
            (404, json("SomethingNew"), Code::Declined),
            (409, json("PointShopItemPurchaseProcessingTimedOut"), Code::PendingProcessing),
            (404, json("PointShopItemPurchaseProcessingTimedOut"), Code::PendingProcessing),
            (409, json("PointShopItemPurchaseFailed"), Code::PurchaseFailed),
            (409, json("SomethingNew"), Code::Pending),
            (422, none.clone(), Code::PurchaseNotAllowed),
            (429, none.clone(), Code::PendingRateLimited),
            (500, none.clone(), Code::PendingServerError),
            (502, ErrorBody::Html, Code::PendingServerError),
            (503, ErrorBody::Empty, Code::PendingServerError),
            (504, json("RequestTimeOut"), Code::PendingServerError),
            (401, ErrorBody::Empty, Code::Unauthorized),
            (403, none, Code::Forbidden),
            (403, ErrorBody::Html, Code::PendingInvalidResponse),
            (404, ErrorBody::Html, Code::PendingInvalidResponse),
            (400, ErrorBody::Text, Code::PendingInvalidResponse),
            (302, ErrorBody::Empty, Code::Pending),
            (408, ErrorBody::Empty, Code::Pending),
        ];
        for (status, body, code) in rows {
            assert_eq!(purchase(status, &body), code, "{status} {body:?}");
        }
    }

    #[test]
    fn no_answer_but_a_definite_no_is_ever_called_refused() {
        for status in 100..=999 {
            for body in [ErrorBody::Html, ErrorBody::Text] {
                let code = purchase(status, &body);
                assert_eq!(code.row().outcome, crate::core::code::Outcome::Pending, "{status} {body:?} is {code:?}");
            }
        }
    }
}
