//! What a response proves that is not a success. The code decides before the HTTP status.

use crate::core::code::{Code, Outcome};
use crate::core::error::{Detail, Error};
use crate::core::evidence::{AttemptResult, Reason};
use crate::transport::{Failure, FailureKind, Response, http_date};
use serde_json::Value;
use serde_json::value::RawValue;

/// A longer JSON text is no error of Engage's, and is not parsed: its tree would take a hundred
/// times its size.
const LONGEST_ERROR: usize = 64 << 10;

/// The body of a response that is not a success. Its shape is documented nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ErrorBody {
    /// JSON.
    Json {
        /// Engage's documented codes in it, in the order of [`KNOWN`]; else any code in a usual
        /// field.
        codes: Vec<String>,
        /// The body says one documented code and nothing against it: see [`is_clear`].
        is_clear: bool,
    },
    Empty,
    Html,
    /// Anything else, and JSON that is too long for an error.
    Text,
}

impl ErrorBody {
    pub fn of(response: &Response) -> Self {
        let body = without_bom(&response.body).trim_ascii();
        if body.is_empty() {
            return ErrorBody::Empty;
        }
        if let Some(value) = parse(body) {
            let codes = codes(&value, &String::from_utf8_lossy(body));
            return ErrorBody::Json { is_clear: is_clear(&value, &codes), codes };
        }
        let html = body.first() == Some(&b'<')
            || response.content_type.as_deref().is_some_and(|kind| kind.to_ascii_lowercase().contains("html"));
        if html { ErrorBody::Html } else { ErrorBody::Text }
    }

    /// Returns the code that decides.
    pub fn engage_code(&self) -> Option<&str> {
        match self {
            ErrorBody::Json { codes, .. } => codes.first().map(String::as_str),
            _ => None,
        }
    }

    /// Whether Engage may have sent it. A page or a text is a proxy's or a filter's until proven
    /// otherwise.
    pub fn may_be_engage(&self) -> bool {
        matches!(self, ErrorBody::Json { .. } | ErrorBody::Empty)
    }
}

/// Whether an error has a code of Engage, or an `errorCode` in the first place, as Engage's errors
/// do. Gateways have other names.
pub(crate) fn has_engages_form(response: &Response) -> bool {
    let Some(value) = parse(without_bom(&response.body)) else { return false };
    let code = ["errorCode", "ErrorCode"].iter().find_map(|key| value.get(*key)?.as_str());
    code.is_some_and(is_code) || ErrorBody::of(response).engage_code().is_some_and(is_documented)
}

fn parse(body: &[u8]) -> Option<Value> {
    if body.len() > LONGEST_ERROR { None } else { serde_json::from_slice(body).ok() }
}

pub(crate) fn without_bom(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body)
}

/// Returns the documented codes of a body: whole tokens of any string or name, in any case, at any
/// depth. Without one, the code that stands in a usual field.
fn codes(value: &Value, body: &str) -> Vec<String> {
    let mut found = vec![false; KNOWN.len()];
    let mut visit = |text: &str, _: bool| {
        for token in text.split(|character: char| !character.is_ascii_alphanumeric()) {
            if let Some(at) = KNOWN.iter().position(|(name, _)| name.eq_ignore_ascii_case(token)) {
                found[at] = true;
            }
        }
    };
    visit_texts(value, &mut visit);
    // Of a name that stands twice the parser keeps one value.
    visit(body, true);
    let known: Vec<String> =
        KNOWN.iter().zip(found).filter(|(_, found)| *found).map(|((name, _), _)| (*name).to_owned()).collect();
    match known.is_empty() {
        true => usual_code(value, 3).filter(|code| is_code(code)).map(str::to_owned).into_iter().collect(),
        false => known,
    }
}

/// Whether a body says its code as Engage does: the only documented one in it, as the whole of a
/// text. A sentence that names a code, or a list of possible ones, does not, nor a body that names
/// a completed purchase too.
fn is_clear(value: &Value, codes: &[String]) -> bool {
    let [code] = codes else { return false };
    let (mut is_said, mut is_contradicted) = (false, false);
    visit_texts(value, &mut |text, is_value| {
        is_said |= is_value && text.eq_ignore_ascii_case(code);
        is_contradicted |= is_value && text.eq_ignore_ascii_case("completed");
    });
    is_said && !is_contradicted
}

/// Whether a text at any depth may be one of these words.
pub(crate) fn may_have_value(raw: &RawValue, words: &[String]) -> bool {
    let Some(value) = parse(raw.get().as_bytes()) else { return true };
    let mut is_there = false;
    visit_texts(&value, &mut |text, is_value| {
        is_there |= is_value && words.iter().any(|word| text.eq_ignore_ascii_case(word));
    });
    is_there
}

/// Visits each text: a value, or the name of a field.
fn visit_texts(value: &Value, visit: &mut impl FnMut(&str, bool)) {
    match value {
        Value::String(text) => visit(text, true),
        Value::Array(values) => values.iter().for_each(|value| visit_texts(value, visit)),
        Value::Object(map) => map.iter().for_each(|(name, value)| {
            visit(name, false);
            visit_texts(value, visit);
        }),
        _ => {}
    }
}

fn usual_code(value: &Value, depth: u8) -> Option<&str> {
    let inside = |value| if depth == 0 { None } else { usual_code(value, depth - 1) };
    match value {
        Value::Object(map) => ["errorCode", "ErrorCode", "code", "Code"]
            .iter()
            .find_map(|key| map.get(*key)?.as_str())
            .or_else(|| ["errors", "Errors", "error"].iter().find_map(|key| inside(map.get(*key)?))),
        Value::Array(values) => values.iter().find_map(inside),
        _ => None,
    }
}

/// Engage's codes are identifiers. Anything else may be free text about a person and is not
/// repeated (invariant 10).
fn is_code(text: &str) -> bool {
    (1..=80).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// Engage's documented codes. In a body with several the first one decides, so a code that means
/// *pending* comes before one that means *declined*.
const KNOWN: &[(&str, Code)] = &[
    ("PointShopItemPurchaseProcessingTimedOut", Code::PendingProcessing),
    ("PromotionAssignmentError", Code::PendingAssignmentError),
    ("PromotionAlreadyRedeemed", Code::AlreadyRedeemed),
    ("PointShopItemPurchaseFailed", Code::PurchaseFailed),
    ("PromotionAssignmentContactNotFound", Code::ContactNotFound),
    ("PromotionAssignmentPromotionNotFound", Code::PromotionNotFound),
    ("PromotionAssignmentPromotionExpired", Code::PromotionExpired),
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
    ("PromotionNotValidForRedemptionChannel", Code::RewardNotForChannel),
    ("InvalidSystemConfiguration", Code::SystemConfiguration),
];

/// The codes that are documented for a purchase that is rejected.
const PURCHASE_REJECTIONS: &[&str] = &[
    "PointShopItemPurchaseFailed",
    "PromotionAssignmentContactNotFound",
    "PromotionAssignmentPromotionNotFound",
    "PromotionAssignmentPromotionExpired",
];
/// The codes that are documented for a redeem that is rejected.
const REDEEM_REJECTIONS: &[&str] = &[
    "PromotionAlreadyRedeemed",
    "NotAValidRedemptionChannel",
    "InvalidPromotionIdNoData",
    "PromotionNotFound",
    "PromotionNotAssociatedWithContact",
    "PromotionNotValidForRedemptionChannel",
];

/// Whether Engage documents a code.
pub(crate) fn is_documented(code: &str) -> bool {
    KNOWN.iter().any(|(name, _)| *name == code)
}

/// Whether a code of Engage means that there is no such contact.
pub(crate) fn says_no_contact(code: &str) -> bool {
    let known = KNOWN.iter().find(|(name, _)| *name == code);
    matches!(known, Some((_, Code::InvalidContact | Code::ContactNotFound)))
}

/// Returns the documented code that decides, and what it means.
fn known(body: &ErrorBody) -> Option<(&'static str, Code)> {
    let code = body.engage_code()?;
    KNOWN.iter().find(|(name, _)| *name == code).copied()
}

/// Returns what a response to a purchase that is not a success proves.
pub(crate) fn purchase(response: &Response) -> AttemptResult {
    attempt(response, PURCHASE_REJECTIONS, Code::ItemNotFound, Code::PurchaseNotAllowed)
}

/// Returns what a response to a redeem that is not a success proves.
pub(crate) fn redeem(response: &Response) -> AttemptResult {
    attempt(response, REDEEM_REJECTIONS, Code::RewardNotFound, Code::Declined)
}

/// The code first, the status second. `rejections` are the codes that are documented for the
/// operation; one of another operation is as good as none. `absent` is the code of a 404 without a
/// documented code, `impossible` of a 422.
fn attempt(response: &Response, rejections: &[&str], absent: Code, impossible: Code) -> AttemptResult {
    let body = ErrorBody::of(response);
    let reason = |code| Reason { code, detail: detail(response, &body), cause: cause(response, &body) };
    // A 5xx is not a decision about the operation, and neither is a 429.
    let decides =
        matches!(body, ErrorBody::Json { is_clear: true, .. }) && matches!(response.status, 200..=428 | 430..=499);
    match known(&body) {
        Some((_, code @ Code::PendingProcessing)) => return AttemptResult::Processing(reason(code)),
        Some((_, code @ Code::PendingAssignmentError)) => return AttemptResult::Over(reason(code)),
        Some((name, code)) if decides && rejections.contains(&name) => {
            return match code {
                Code::AlreadyRedeemed => AttemptResult::AlreadyRedeemed(reason(code)),
                _ => AttemptResult::Rejected { reason: reason(code), documented: true },
            };
        }
        _ => {}
    }
    let rejected = |code| AttemptResult::Rejected { reason: reason(code), documented: false };
    let other = known(&body).map(|(_, code)| code).filter(|code| code.row().outcome == Outcome::Declined);
    match response.status {
        429 => AttemptResult::Over(reason(Code::PendingRateLimited)),
        500..=599 => AttemptResult::InDoubt(reason(Code::PendingServerError)),
        _ if !body.may_be_engage() => AttemptResult::InDoubt(reason(Code::PendingInvalidResponse)),
        // A6 is about these five.
        401 => rejected(Code::Unauthorized),
        403 => rejected(Code::Forbidden),
        400 | 404 | 422 if let Some(code) = other => rejected(code),
        400 if body.engage_code().is_none() => rejected(Code::InvalidRequest),
        404 if body.engage_code().is_none() => rejected(absent),
        422 => rejected(impossible),
        400 | 404 => rejected(Code::Declined),
        _ => AttemptResult::InDoubt(reason(Code::Pending)),
    }
}

/// Returns the code of a response to a read that is not a success.
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
        // Each documented 404 of a read has a code. A gateway and a wrong path have none, nor has a
        // status about the form of a request.
        404..=421 | 423..=499 if body.engage_code().is_none() => Code::InvalidResponse,
        400..=499 => match known(body) {
            Some((_, code)) if code.row().outcome == Outcome::Declined => code,
            _ => Code::Declined,
        },
        _ => Code::InvalidResponse,
    }
}

/// Returns the error of a read whose response is not a success.
pub(crate) fn read_error(response: &Response) -> Error {
    let body = ErrorBody::of(response);
    let code = read(response.status, &body);
    let message = match (&body, response.status) {
        (ErrorBody::Html, _) => format!("{} ({})", code.row().meaning, web_page(response.status)),
        (_, 404) if code == Code::InvalidResponse => {
            "the server responded with status 404 and no error of Engage's: a gateway, or a path in baseUrl that does not belong there; check baseUrl".to_owned()
        }
        (_, 300..=399) => format!(
            "the server responded with status {}, a redirect, which is not followed because it would carry the key along; check baseUrl",
            response.status
        ),
        _ => code.row().meaning.to_owned(),
    };
    Error::new(code, message).with_detail(detail(response, &body))
}

/// Returns the text about a web page in the place of Engage's response.
pub(crate) fn web_page(status: u16) -> String {
    format!("a web page with status {status}: a web filter, a proxy or a wrong baseUrl")
}

/// Returns the cause of a response to an attempt, where its code does not say it.
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

/// `Retry-After`, in seconds or as a date. A date is compared with the response's own, because a
/// till's clock may be off by days.
fn retry_after_ms(after: &str, date: Option<&str>) -> Option<u64> {
    let seconds = match after.trim().parse::<u64>() {
        Ok(seconds) => seconds,
        Err(_) => u64::try_from((http_date(after)? - http_date(date?)?).whole_seconds()).unwrap_or(0),
    };
    Some(seconds.saturating_mul(1_000).min(LONGEST_RETRY_AFTER_MS))
}

/// Returns the code of a request without a response: of an attempt that has not left, or of a read.
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
        FailureKind::OutOfMemory => Code::OutOfMemory,
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

    fn response(status: u16, text: &str, content_type: &str) -> Response {
        Response {
            status,
            content_type: Some(content_type.into()),
            retry_after: None,
            date: None,
            request_ids: Vec::new(),
            extent: crate::transport::Extent::default(),
            body: text.as_bytes().to_vec(),
        }
    }

    fn json(status: u16, text: &str) -> Response {
        response(status, text, "application/json")
    }

    #[test]
    fn escaped_code_and_one_that_stands_twice_are_found() {
        let found = |text: &str| codes(&serde_json::from_str(text).unwrap(), text);
        let code = "PromotionAssignmentError";
        for text in [
            r#"{"message":"\u0050romotionAssignmentError"}"#,
            r#"{"\u0050romotionAssignmentError":1}"#,
            r#"[{"a":["\u0050romotionAssignmentError"]}]"#,
            r#"{"code":"PromotionAssignmentError","code":"Other"}"#,
        ] {
            assert_eq!(found(text), [code], "{text}");
        }
        assert_eq!(found(r#"{"code":"Other"}"#), ["Other"]);
    }

    #[test]
    fn decline_that_is_not_clear_needs_a_query() {
        let code = "PointShopItemPurchaseFailed";
        let is_documented = |status, text: &str| match purchase(&json(status, text)) {
            AttemptResult::Rejected { documented, .. } => Some(documented),
            _ => None,
        };
        for text in [
            format!(r#"{{"errorCode":"{code}"}}"#),
            format!(r#"{{"errors":{{"item":["{}"]}}}}"#, code.to_lowercase()),
            format!(r#""{code}""#),
        ] {
            assert_eq!(is_documented(409, &text), Some(true), "{text}");
            assert_eq!(is_documented(200, &text), Some(true), "{text}");
            for status in [429, 500, 502, 999] {
                assert_eq!(is_documented(status, &text), None, "{status} {text}");
            }
        }
        for text in [
            format!(r#"{{"message":"This is no {code}."}}"#),
            format!(r#"{{"{code}":false}}"#),
            format!(r#"{{"possibleErrorCodes":["{code}","PromotionAssignmentPromotionExpired"]}}"#),
            format!(r#"{{"errorCode":"{code}","purchase":{{"status":"Completed"}}}}"#),
        ] {
            assert_eq!(is_documented(400, &text), Some(false), "{text}");
            for status in [200, 402, 409, 500] {
                assert_eq!(is_documented(status, &text), None, "{status} {text}");
            }
        }
    }

    #[test]
    fn code_of_another_operation_declines_nothing() {
        let of = |result: AttemptResult| match result {
            AttemptResult::Rejected { documented, .. } => Some(documented),
            AttemptResult::InDoubt(_) => None,
            other => panic!("{other:?}"),
        };
        for (name, code) in KNOWN.iter().filter(|(_, code)| code.row().outcome == Outcome::Declined) {
            let body = |status| json(status, &format!(r#"{{"errorCode":"{name}"}}"#));
            for status in [400, 404, 422, 409, 402, 410, 200] {
                let unclear = matches!(status, 400 | 404 | 422).then_some(false);
                if !PURCHASE_REJECTIONS.contains(name) {
                    assert_eq!(of(purchase(&body(status))), unclear, "{status} {name} {code:?}");
                }
                if !REDEEM_REJECTIONS.contains(name) {
                    assert_eq!(of(redeem(&body(status))), unclear, "{status} {name} {code:?}");
                }
            }
        }
        for name in PURCHASE_REJECTIONS.iter().chain(REDEEM_REJECTIONS) {
            assert!(is_documented(name), "{name}");
        }
    }

    #[test]
    fn json_too_long_for_an_error_is_not_parsed() {
        let of = |length: usize| {
            let start = r#"{"errorCode":"PointShopItemPurchaseFailed","x":""#;
            let text = format!("{start}{}\"}}", "x".repeat(length - start.len() - 2));
            assert_eq!(text.len(), length);
            purchase(&json(409, &text))
        };
        assert!(matches!(of(LONGEST_ERROR), AttemptResult::Rejected { documented: true, .. }));
        let longer = of(LONGEST_ERROR + 1);
        assert!(
            matches!(&longer, AttemptResult::InDoubt(reason) if reason.code == Code::PendingInvalidResponse),
            "{longer:?}"
        );
        let row = |length: usize| {
            let raw = RawValue::from_string(format!("[{}1]", " ".repeat(length - 3))).unwrap();
            may_have_value(&raw, &["Completed".into()])
        };
        assert!(!row(LONGEST_ERROR) && row(LONGEST_ERROR + 1));
    }

    #[test]
    fn pending_code_in_every_shape_is_pending() {
        for code in ["PointShopItemPurchaseProcessingTimedOut", "PromotionAssignmentError"] {
            let lower = code.to_lowercase();
            let shapes = [
                format!(r#"{{"errorCode":"{code}"}}"#),
                format!(r#"{{"message":"{code}"}}"#),
                format!(r#"{{"title":"Conflict","detail":"{code}: gave up"}}"#),
                format!(r#"{{"errors":[{{"errorCode":"{code}"}}]}}"#),
                format!(r#"{{"errors":{{"{code}":["x"]}}}}"#),
                format!(r#"{{"a":{{"b":{{"c":{{"d":{{"e":"{code}"}}}}}}}}}}"#),
                format!(r#"["{code}"]"#),
                format!(r#""{code}""#),
                format!(r#"{{"errorCode":"{lower}"}}"#),
                format!(r#"{{"errorCode":"Engage.{code}"}}"#),
                format!(r#"{{"errorCode":"ValidationError","message":"ERR_{code}"}}"#),
                format!(r#"{{"errorCode":"PromotionAssignmentPromotionExpired","inner":"{code}"}}"#),
                format!("\u{feff}{{\"errorCode\":\"{code}\"}}"),
            ];
            for shape in shapes {
                for status in [400, 401, 403, 404, 409, 422, 429, 500, 503] {
                    let result = purchase(&json(status, &shape));
                    assert_eq!(result.code().row().outcome, Outcome::Pending, "{status} {shape} is {result:?}");
                }
            }
        }
    }

    #[test]
    fn code_in_every_shape_is_found_and_free_text_is_not() {
        let found = |text: &str| ErrorBody::of(&json(400, text)).engage_code().map(str::to_owned);
        let known = Some("PromotionAssignmentPromotionExpired".to_owned());
        assert_eq!(found(r#"{"errorCode":"PromotionAssignmentPromotionExpired"}"#), known);
        assert_eq!(found(r#"{"detail":"promotionassignmentpromotionexpired."}"#), known);
        assert_eq!(found(r#"{"errorCode":"SomethingNew"}"#), Some("SomethingNew".into()));
        assert_eq!(found(r#"{"error":{"code":"D"}}"#), Some("D".into()));
        assert_eq!(found(r#""a bare string""#), None);
        assert_eq!(found(r#"{"errorCode":"astrid@example.com"}"#), None);
        assert_eq!(
            found(r#"{"errorCode":"PromotionAssignmentPromotionExpiredSoon"}"#),
            Some("PromotionAssignmentPromotionExpiredSoon".into())
        );
        let body = |text, kind| ErrorBody::of(&response(400, text, kind));
        assert_eq!(body("", "application/json"), ErrorBody::Empty);
        assert_eq!(body("  \r\n", "application/json"), ErrorBody::Empty);
        assert_eq!(body("<html>", "application/json"), ErrorBody::Html);
        assert_eq!(body("blocked", "text/html; charset=utf-8"), ErrorBody::Html);
        assert_eq!(body("no healthy upstream", "text/plain"), ErrorBody::Text);
        let untyped = Response { content_type: None, ..response(400, "no healthy upstream", "") };
        assert_eq!(ErrorBody::of(&untyped), ErrorBody::Text);
        for status in [401, 403, 404] {
            assert_eq!(read(status, &ErrorBody::Text), Code::InvalidResponse, "{status}");
        }
        assert_eq!(detail(&untyped, &ErrorBody::Text).attempts, 1);
    }

    #[test]
    fn retry_after_of_both_forms_ignores_the_tills_clock() {
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
    fn response_of_each_row_of_the_purchase_table_proves_its_row() {
        let code = |name: &str| format!(r#"{{"errorCode":"{name}"}}"#);
        let documented = |code| ("documented", code);
        let rows = [
            (400, code("PromotionAssignmentContactNotFound"), documented(Code::ContactNotFound)),
            (400, code("PromotionAssignmentPromotionNotFound"), documented(Code::PromotionNotFound)),
            (400, code("PromotionAssignmentPromotionExpired"), documented(Code::PromotionExpired)),
            (409, code("PointShopItemPurchaseFailed"), documented(Code::PurchaseFailed)),
            (404, code("PointShopItemPurchaseFailed"), documented(Code::PurchaseFailed)),
            (400, code("PromotionAssignmentError"), ("over", Code::PendingAssignmentError)),
            (500, code("PromotionAssignmentError"), ("over", Code::PendingAssignmentError)),
            (409, code("PointShopItemPurchaseProcessingTimedOut"), ("processing", Code::PendingProcessing)),
            (404, code("PointShopItemPurchaseProcessingTimedOut"), ("processing", Code::PendingProcessing)),
            (400, "{}".into(), ("rejected", Code::InvalidRequest)),
            (400, code("SomethingNew"), ("rejected", Code::Declined)),
            (400, code("InvalidContact"), ("rejected", Code::InvalidContact)),
            (404, "{}".into(), ("rejected", Code::ItemNotFound)),
            (404, String::new(), ("rejected", Code::ItemNotFound)),
            (422, "{}".into(), ("rejected", Code::PurchaseNotAllowed)),
            (401, String::new(), ("rejected", Code::Unauthorized)),
            (403, "{}".into(), ("rejected", Code::Forbidden)),
            (429, "{}".into(), ("over", Code::PendingRateLimited)),
            (409, code("SomethingNew"), ("inDoubt", Code::Pending)),
            (500, "{}".into(), ("inDoubt", Code::PendingServerError)),
            (502, "<html>".into(), ("inDoubt", Code::PendingServerError)),
            (504, code("RequestTimeOut"), ("inDoubt", Code::PendingServerError)),
            (403, "<html>".into(), ("inDoubt", Code::PendingInvalidResponse)),
            (404, "<html>".into(), ("inDoubt", Code::PendingInvalidResponse)),
            (400, "blocked".into(), ("inDoubt", Code::PendingInvalidResponse)),
            (302, String::new(), ("inDoubt", Code::Pending)),
            (405, String::new(), ("inDoubt", Code::Pending)),
            (410, "{}".into(), ("inDoubt", Code::Pending)),
        ];
        for (status, body, expected) in rows {
            let result = purchase(&json(status, &body));
            let kind = match &result {
                AttemptResult::Rejected { documented: true, .. } => "documented",
                AttemptResult::Rejected { .. } => "rejected",
                AttemptResult::Over(_) => "over",
                AttemptResult::Processing(_) => "processing",
                AttemptResult::InDoubt(_) => "inDoubt",
                _ => "other",
            };
            assert_eq!((kind, result.code()), expected, "{status} {body}");
        }
    }

    #[test]
    fn page_or_text_at_any_status_is_pending() {
        for status in 100..=999 {
            for (body, kind) in [("<html>PromotionAssignmentPromotionExpired", "text/html"), ("no", "text/plain")] {
                let result = purchase(&response(status, body, kind));
                assert_eq!(result.code().row().outcome, Outcome::Pending, "{status} {body} is {result:?}");
            }
        }
    }

    #[test]
    fn code_in_a_usual_field_is_found_three_levels_deep() {
        let found = |text: &str| ErrorBody::of(&json(400, text)).engage_code().map(str::to_owned);
        for name in ["errorCode", "ErrorCode", "code", "Code"] {
            assert_eq!(found(&format!(r#"{{"{name}":"New"}}"#)), Some("New".into()));
        }
        for name in ["errors", "Errors", "error"] {
            assert_eq!(found(&format!(r#"{{"{name}":[{{"code":"New"}}]}}"#)), Some("New".into()));
        }
        assert_eq!(found(r#"{"errors":[{"errors":{"code":"Deep"}}]}"#), Some("Deep".into()));
        assert_eq!(found(r#"{"errors":[{"errors":[{"code":"TooDeep"}]}]}"#), None);
        let (longest, longer) = ("a".repeat(80), "a".repeat(81));
        assert_eq!(found(&format!(r#"{{"code":"{longest}"}}"#)), Some(longest));
        assert_eq!(found(&format!(r#"{{"code":"{longer}"}}"#)), None);
        assert_eq!(found(r#"{"code":""}"#), None);
        assert!(says_no_contact("InvalidContact") && says_no_contact("ContactNotFound") && !says_no_contact("Other"));
        assert!(is_documented("MultipleMatches") && !is_documented("multipleMatches") && !is_documented("Other"));
    }

    #[test]
    fn rejection_without_a_documented_code_is_by_its_status() {
        let empty = "{}";
        let other = r#"{"errorCode":"SomethingNew"}"#;
        let member = r#"{"errorCode":"MultipleMatches"}"#;
        for (status, body, of_purchase, of_redeem) in [
            (400, empty, Code::InvalidRequest, Code::InvalidRequest),
            (404, empty, Code::ItemNotFound, Code::RewardNotFound),
            (422, empty, Code::PurchaseNotAllowed, Code::Declined),
            (422, other, Code::PurchaseNotAllowed, Code::Declined),
            (400, other, Code::Declined, Code::Declined),
            (404, other, Code::Declined, Code::Declined),
            (400, member, Code::MultipleMatches, Code::MultipleMatches),
            (404, member, Code::MultipleMatches, Code::MultipleMatches),
            (401, empty, Code::Unauthorized, Code::Unauthorized),
            (403, empty, Code::Forbidden, Code::Forbidden),
        ] {
            for (result, code) in
                [(purchase(&json(status, body)), of_purchase), (redeem(&json(status, body)), of_redeem)]
            {
                let AttemptResult::Rejected { reason, documented: false } = &result else {
                    panic!("{status}: {result:?}")
                };
                assert_eq!((reason.code, reason.detail.http_status), (code, Some(status)), "{body}");
            }
        }
        for (status, body, code) in [
            (405, empty, Code::Pending),
            (302, empty, Code::Pending),
            (500, empty, Code::PendingServerError),
            (599, empty, Code::PendingServerError),
            (404, "<html>", Code::PendingInvalidResponse),
        ] {
            let result = purchase(&response(status, body, "text/html"));
            assert!(matches!(&result, AttemptResult::InDoubt(reason) if reason.code == code), "{status}: {result:?}");
        }
        assert!(
            matches!(purchase(&json(429, empty)), AttemptResult::Over(reason) if reason.code == Code::PendingRateLimited)
        );
        let already = r#"{"errorCode":"PromotionAlreadyRedeemed"}"#;
        assert!(matches!(redeem(&json(409, already)), AttemptResult::AlreadyRedeemed(_)));
        assert!(!matches!(purchase(&json(409, already)), AttemptResult::AlreadyRedeemed(_)));
        // Said by the way or by a gateway, it is looked up.
        let by_the_way = r#"{"message":"Another cause of PromotionAlreadyRedeemed."}"#;
        let result = redeem(&json(400, by_the_way));
        assert!(matches!(result, AttemptResult::Rejected { documented: false, .. }), "{result:?}");
        assert!(matches!(redeem(&json(409, by_the_way)), AttemptResult::InDoubt(_)));
        assert!(matches!(redeem(&json(502, already)), AttemptResult::InDoubt(_)));
    }

    #[test]
    fn read_that_fails_has_its_code_and_message() {
        for (status, body, code) in [
            (429, "", Code::RateLimited),
            (408, "", Code::ServerError),
            (425, "", Code::ServerError),
            (500, r#"{"errorCode":"InvalidSystemConfiguration"}"#, Code::SystemConfiguration),
            (501, r#"{"errorCode":"InvalidSystemConfiguration"}"#, Code::ServerError),
            (500, "{}", Code::ServerError),
            (599, "", Code::ServerError),
            (404, "<html>", Code::InvalidResponse),
            (404, "", Code::InvalidResponse),
            (404, "{}", Code::InvalidResponse),
            (404, r#"{"errorCode":"ContactNotFound"}"#, Code::ContactNotFound),
            (404, r#"{"errorCode":"SomethingNew"}"#, Code::Declined),
            (401, "", Code::Unauthorized),
            (403, "{}", Code::Forbidden),
            (400, r#"{"errorCode":"InvalidContact"}"#, Code::InvalidContact),
            (400, r#"{"errorCode":"PromotionAssignmentError"}"#, Code::Declined),
            (405, "", Code::InvalidResponse),
            (414, "", Code::InvalidResponse),
            (421, "{}", Code::InvalidResponse),
            (422, "{}", Code::Declined),
            (423, "{}", Code::InvalidResponse),
            (499, "{}", Code::InvalidResponse),
            (499, r#"{"errorCode":"SomethingNew"}"#, Code::Declined),
            (302, "{}", Code::InvalidResponse),
        ] {
            let error = read_error(&json(status, body));
            assert_eq!((error.code(), error.detail().http_status), (code, Some(status)), "{body}");
            assert_eq!(error.message().contains("a redirect"), status == 302);
            assert_eq!(error.message().contains("a web page with status 404"), body == "<html>");
            let is_no_path = status == 404 && matches!(body, "" | "{}");
            assert_eq!(error.message().contains("check baseUrl") && status == 404, is_no_path, "{body}");
        }
        let page = cause(&json(404, "<html>"), &ErrorBody::Html);
        assert_eq!(page, [web_page(404)]);
        assert!(cause(&json(404, "{}"), &ErrorBody::Empty).is_empty());
    }

    #[test]
    fn request_without_a_response_names_its_cause() {
        let of = |kind, cause: &[&str]| {
            let cause = cause.iter().map(|it| (*it).to_owned()).collect();
            failure(Failure { kind, may_have_left: false, response_began: false, cause })
        };
        let tls = of(FailureKind::Tls, &["outer", "inner"]);
        assert_eq!((tls.code(), tls.message()), (Code::TlsFailed, "the TLS handshake failed: inner"));
        assert_eq!((tls.cause().len(), tls.detail().attempts), (2, 1));
        assert_eq!(of(FailureKind::Tls, &[]).message(), "the TLS handshake failed");
        assert!(!of(FailureKind::Offline, &["no route"]).message().contains("no route"));
    }
}
