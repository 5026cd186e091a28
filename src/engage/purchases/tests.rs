//! A row for each response to a purchase and each form of a history.

use super::*;
use crate::config::Config;
use crate::core::id::{ItemId, OperationId};
use crate::log::Log;

const ID: &str = "00000000-0000-4000-8000-000000000001";
const CONTACT: &str = "00000000-0000-4000-8000-000000000002";
const ITEM: &str = "00000000-0000-4000-8000-000000000003";
const OTHER: &str = "00000000-0000-4000-8000-000000000009";

fn uuid(text: &str) -> Uuid {
    Uuid::try_parse(text).unwrap()
}

fn ours() -> Purchase {
    Purchase {
        id: OperationId::from_uuid(uuid(ID)),
        contact: ContactId::from_uuid(uuid(CONTACT)),
        item: ItemId::from_uuid(uuid(ITEM)),
    }
}

/// An Engage that no request is sent to.
pub(in crate::engage) fn engage(mapping: &str) -> Engage {
    let config = format!(
        r#"{{"baseUrl":"http://127.0.0.1:9","apiKey":"k","userAgent":"Test/1","journal":"memory","apiMapping":{mapping}}}"#
    );
    Engage::new(&Config::parse(&config).unwrap(), &Arc::new(Log::default()), &Arc::default()).unwrap()
}

pub(in crate::engage) fn response(status: u16, body: &str) -> Response {
    Response {
        status,
        content_type: Some("application/json".into()),
        retry_after: None,
        date: None,
        request_ids: Vec::new(),
        extent: crate::transport::Extent::default(),
        body: body.as_bytes().to_vec(),
    }
}

fn row(fields: &str) -> String {
    format!("{{{fields}}}")
}

fn of_id(id: &str, status: &str) -> String {
    row(&format!(r#""pointShopItemPurchaseId":"{id}","status":"{status}""#))
}

#[test]
fn success_says_by_its_status_what_became_of_the_purchase() {
    let engage = engage("{}");
    let result = |status, body: &str| engage.purchase_result(&ours(), &response(status, body));
    for status in [200, 201, 202] {
        let body = of_id(ID, "Completed");
        assert_eq!(result(status, &body), AttemptResult::Completed { response: body.clone() }, "{status}");
    }
    let failed = result(200, &of_id(ID, "failed"));
    let AttemptResult::Rejected { reason, documented: true } = failed else { panic!("{failed:?}") };
    assert_eq!((reason.code, reason.detail.http_status), (Code::PurchaseFailed, Some(200)));
    let processing = result(202, &of_id(ID, "PROCESSING"));
    let AttemptResult::Processing(reason) = processing else { panic!("{processing:?}") };
    assert_eq!((reason.code, reason.detail.http_status), (Code::PendingProcessing, Some(202)));
    let coded = result(200, r#"{"errorCode":"PointShopItemPurchaseProcessingTimedOut"}"#);
    assert!(matches!(coded, AttemptResult::Processing(_)), "{coded:?}");
    assert!(matches!(result(203, &of_id(ID, "Completed")), AttemptResult::InDoubt(_)));
    for (body, cause) in [
        ("<html>", Some("a web page with status 200: a web filter, a proxy or a wrong baseUrl")),
        ("no JSON", None),
        ("[]", Some("the purchase is not a JSON object")),
        ("{}", Some("the purchase has no status, or several")),
    ] {
        let result = result(200, body);
        let AttemptResult::InDoubt(reason) = result else { panic!("{body}: {result:?}") };
        assert_eq!((reason.code, reason.detail.http_status), (Code::PendingInvalidResponse, Some(200)), "{body}");
        assert_eq!(reason.cause.first().map(String::as_str), cause, "{body}");
    }
}

#[test]
fn purchase_that_contradicts_itself_proves_nothing() {
    let engage = engage("{}");
    let id = format!(r#""pointShopItemPurchaseId":"{ID}""#);
    let deducted_or_not = [
        format!(r#"{id},"status":"Completed","status":"Failed""#),
        format!(r#"{id},"status":"Failed","status":"Completed""#),
        format!(r#"{id},"status":"Completed","Status":"Failed""#),
        format!(r#"{id},"status":"Completed","st\u0061tus":"Failed""#),
        format!(r#"{id},"status":"Failed","status":null"#),
        format!(r#"{id},"status":"Failed","purchase":{{{id},"status":"completed"}}"#),
    ];
    for fields in deducted_or_not {
        let result = engage.purchase_result(&ours(), &response(200, &row(&fields)));
        assert!(
            matches!(&result, AttemptResult::InDoubt(reason) if reason.code == Code::PendingInvalidResponse),
            "{fields}: {result:?}"
        );
        let found = engage.purchase_in(&ours(), &rows(&[row(&fields)], 0, true));
        assert!(matches!(found, QueryResult::Processing(_)), "{fields}: {found:?}");
    }
    // A row with two ids may be any purchase's.
    let two_ids = row(&format!(r#""pointShopItemPurchaseId":"{OTHER}",{id},"status":"Failed""#));
    let found = engage.purchase_in(&ours(), &rows(&[two_ids], 0, true));
    assert!(matches!(found, QueryResult::Unreadable(_)), "{found:?}");
    // The preferred field names another purchase. Completed, it may be either.
    let of = |status: &str| row(&format!(r#""pointShopItemPurchaseId":"{OTHER}","id":"{ID}","status":"{status}""#));
    let result = engage.purchase_result(&ours(), &response(200, &of("Failed")));
    assert!(matches!(result, AttemptResult::InDoubt(_)), "{result:?}");
    let found = engage.purchase_in(&ours(), &rows(&[of("Failed")], 0, true));
    assert!(matches!(found, QueryResult::Processing(_)), "{found:?}");
    assert!(matches!(
        engage.purchase_result(&ours(), &response(200, &of("Completed"))),
        AttemptResult::Completed { .. }
    ));
    // What a host could not parse is not given out; the outcome stays.
    let deep = row(&format!(r#"{id},"status":"Completed","x":{}1{}"#, "[".repeat(200), "]".repeat(200)));
    let result = engage.purchase_result(&ours(), &response(200, &deep));
    assert_eq!(result, AttemptResult::Completed { response: String::new() });
    // Twice the same is no contradiction.
    let same = row(&format!(r#"{id},"status":"Completed","Status":"Completed""#));
    assert!(matches!(engage.purchase_result(&ours(), &response(200, &same)), AttemptResult::Completed { .. }));
}

#[test]
fn row_is_ours_by_its_id_and_item() {
    let said = |engage: &Engage, fields: &str| {
        let raw = RawValue::from_string(row(fields)).unwrap();
        match engage.read_row(&ours(), &raw) {
            Row::Completed => "completed".to_owned(),
            Row::Failed => "failed".to_owned(),
            Row::Processing => "processing".to_owned(),
            Row::Unclear(cause) => cause,
        }
    };
    let plain = engage("{}");
    let long = "a".repeat(41);
    let completed = r#""status":"Completed""#;
    for (fields, expected) in [
        (completed.to_owned(), "completed"),
        (format!(r#"{completed},"id":"{ID}""#), "completed"),
        (format!(r#"{completed},"id":"{OTHER}","pointShopItemPurchaseId":"{ID}""#), "completed"),
        (format!(r#"{completed},"id":"{OTHER}""#), "the purchase has another purchase id"),
        (format!(r#"{completed},"id":"{ID}","contactId":"{OTHER}""#), "completed"),
        (format!(r#"{completed},"contactId":"{OTHER}""#), "the purchase is of another contact or item"),
        (format!(r#"{completed},"contactId":"{CONTACT}""#), "completed"),
        (
            format!(r#"{completed},"id":"{ID}","pointShopItemId":"{OTHER}""#),
            "the purchase is of another contact or item",
        ),
        (format!(r#"{completed},"id":"{ID}","pointShopItemId":"{ITEM}""#), "completed"),
        (r#""status":"Boxed""#.to_owned(), "the status Boxed is not known"),
        (format!(r#""status":"{}""#, &long[..40]), &format!("the status {} is not known", &long[..40])),
        (format!(r#""status":"{long}""#), "the status is not known"),
        (r#""status":"a b""#.to_owned(), "the status is not known"),
    ] {
        assert_eq!(said(&plain, &fields), expected, "{fields}");
    }
    let numbers = engage(r#"{"itemIdField":"id","statusCompleted":["Done","1"]}"#);
    assert_eq!(said(&numbers, &format!(r#""status":1,"id":"{ID}""#)), "completed", "the id field names no item too");
}

fn rows(rows: &[String], unreadable: usize, complete: bool) -> History {
    let rows = rows.iter().map(|row| RawValue::from_string(row.clone()).unwrap()).collect();
    History::Rows { rows, unreadable, complete }
}

#[test]
fn history_of_each_form_says_what_it_proves() {
    let engage = engage("{}");
    let of = |status| of_id(ID, status);
    let other = || of_id(OTHER, "Completed");
    let without_id = || row(r#""status":"Completed""#);
    let foreign = || row(&format!(r#""id":"{OTHER}","contactId":"{OTHER}","status":"Completed""#));
    let said = |history: &History| {
        let result = engage.purchase_in(&ours(), history);
        let (name, code) = match &result {
            QueryResult::Completed { .. } => ("completed", result.code()),
            QueryResult::Failed(reason) => ("failed", reason.code),
            QueryResult::Processing(reason) => ("processing", reason.code),
            QueryResult::Absent => ("absent", Code::Pending),
            QueryResult::NoHistory => ("none", Code::Pending),
            QueryResult::Unreadable(reason) => ("unreadable", reason.code),
            QueryResult::NoEvidence(reason) => ("no evidence", reason.code),
            other => panic!("{other:?}"),
        };
        (name, code)
    };
    let failed = Reason::of(Code::ServerError);
    for (history, expected) in [
        (History::None, ("none", Code::Pending)),
        (History::NoEvidence(failed), ("no evidence", Code::ServerError)),
        (rows(&[other(), of("Completed")], 0, true), ("completed", Code::Ok)),
        (rows(&[of("Failed"), of("Completed")], 3, false), ("completed", Code::Ok)),
        (rows(&[of("Failed"), of("Failed")], 0, true), ("failed", Code::PurchaseFailed)),
        (rows(&[of("Failed")], 0, false), ("processing", Code::Pending)),
        (rows(&[of("Failed")], 1, true), ("processing", Code::Pending)),
        (rows(&[of("Failed"), without_id()], 0, true), ("processing", Code::Pending)),
        (rows(&[of("Failed"), of("Processing")], 0, true), ("processing", Code::PendingProcessing)),
        (rows(&[of("Processing"), of("Failed")], 0, true), ("processing", Code::PendingProcessing)),
        (rows(&[of("Boxed"), of("Processing")], 0, true), ("processing", Code::PendingInvalidResponse)),
        (rows(&[other()], 0, true), ("absent", Code::Pending)),
        (rows(&[other()], 0, false), ("no evidence", Code::PendingInvalidResponse)),
        (rows(&[other()], 1, true), ("unreadable", Code::Pending)),
        (rows(&[other(), without_id()], 0, true), ("unreadable", Code::Pending)),
        (rows(&[other(), foreign()], 0, true), ("unreadable", Code::Pending)),
        (rows(&["7".to_owned(), other()], 0, true), ("unreadable", Code::Pending)),
    ] {
        let shown = match &history {
            History::Rows { rows, .. } => format!("{rows:?}"),
            _ => String::new(),
        };
        assert_eq!(said(&history), expected, "{shown}");
    }
    let QueryResult::Unreadable(reason) = engage.purchase_in(&ours(), &rows(&[without_id(), foreign()], 3, true))
    else {
        panic!("readable")
    };
    assert_eq!(reason.cause, ["5 rows of the history could not be read"]);
    let QueryResult::Failed(reason) = engage.purchase_in(&ours(), &rows(&[of("Failed")], 0, true)) else {
        panic!("not failed")
    };
    assert_eq!(reason.detail.http_status, Some(200));
}

#[test]
fn similar_purchase_is_of_the_item_in_the_time_and_not_failed() {
    let engage = engage("{}");
    let like = |item: &str, status: &str, created: &str| {
        row(&format!(r#""id":"{OTHER}","pointShopItemId":"{item}","status":"{status}","createdOn":"{created}""#))
    };
    let at = |second| format!("1970-01-01T00:00:{second:02}Z");
    for (one, expected) in [
        (like(ITEM, "Completed", &at(10)), true),
        (like(ITEM, "Processing", &at(20)), true),
        (like(ITEM, "Completed", &at(9)), false),
        (like(ITEM, "Completed", &at(21)), false),
        (like(ITEM, "FAILED", &at(10)), false),
        (like(OTHER, "Completed", &at(10)), false),
        (like(ITEM, "Completed", "yesterday"), true),
        (row(&format!(r#""id":"{OTHER}""#)), true),
        ("7".to_owned(), false),
    ] {
        let history = rows(std::slice::from_ref(&one), 0, true);
        let found = engage.similar_in(&ours(), &history, &(10_000..=20_000));
        assert_eq!(found.len(), usize::from(expected), "{one}");
        if let Some(found) = found.first() {
            assert_eq!((found.ids.as_slice(), found.response), (&[uuid(OTHER)][..], &*one));
        }
    }
    assert!(engage.similar_in(&ours(), &History::None, &(0..=1)).is_empty());
}

#[test]
fn grant_names_the_reward_where_engage_does() {
    let grant = engage("{}")
        .grant(&format!(r#"{{"assignmentId":"{OTHER}","promotionId":"{ITEM}","createdOn":"1970-01-01T00:00:10Z"}}"#));
    assert_eq!(grant.assignment, Some(AssignmentId::from_uuid(uuid(OTHER))));
    assert_eq!((grant.promotion, grant.made_on), (Some(uuid(ITEM)), Some(10_000)));
    assert_eq!(engage("{}").grant("7"), Grant::default());
}

#[test]
fn attempt_without_a_response_proves_what_its_failure_says() {
    use FailureKind::{Cancelled, Encoded, Lost, NotHttp, Offline, OutOfMemory, TimedOut, TooLarge};
    let of = |kind, may_have_left, response_began| {
        failed_attempt(&Failure { kind, may_have_left, response_began, cause: vec!["cause".into()] })
    };
    for (kind, code) in [(Offline, Code::Offline), (TimedOut, Code::TimedOut), (Cancelled, Code::Cancelled)] {
        let result = of(kind, false, false);
        assert!(matches!(&result, AttemptResult::NotSent(reason) if reason.code == code), "{result:?}");
    }
    for (kind, code) in [
        (NotHttp, Code::PendingInvalidResponse),
        (Encoded, Code::PendingInvalidResponse),
        (TooLarge, Code::PendingInvalidResponse),
        (Cancelled, Code::PendingClosed),
        (OutOfMemory, Code::PendingOutOfMemory),
        (Lost, Code::PendingConnectionLost),
        (TimedOut, Code::PendingConnectionLost),
        (Offline, Code::PendingConnectionLost),
    ] {
        let result = of(kind, true, true);
        assert!(matches!(&result, AttemptResult::InDoubt(reason) if reason.code == code), "{result:?}");
    }
    let reset = of(Lost, true, false);
    assert!(matches!(&reset, AttemptResult::Reset(reason) if reason.cause == ["cause"]), "{reset:?}");
    let AttemptResult::InDoubt(reason) = of(TimedOut, true, false) else { panic!("known") };
    assert_eq!(reason.cause, ["cause", "no response within requestTimeoutMs"]);
}

#[test]
fn failed_query_keeps_the_code_of_a_rejection() {
    for (code, expected) in [
        (Code::Unauthorized, Code::Unauthorized),
        (Code::Forbidden, Code::Forbidden),
        (Code::RateLimited, Code::PendingRateLimited),
        (Code::ServerError, Code::PendingServerError),
        (Code::InvalidResponse, Code::PendingInvalidResponse),
        (Code::ResponseTooLarge, Code::PendingInvalidResponse),
        (Code::Cancelled, Code::PendingClosed),
        (Code::InvalidContact, Code::Pending),
        (Code::Offline, Code::PendingConnectionLost),
    ] {
        let error = Error::of(code).with_cause(vec!["cause".into()]);
        let reason = failed_query(&error);
        assert_eq!((reason.code, reason.cause.as_slice()), (expected, &["cause".to_owned()][..]), "{code:?}");
    }
}

#[test]
fn own_404_is_json_or_empty() {
    let of = |body: &str, content_type: &str| {
        let engage = engage("{}");
        let response = Response { content_type: Some(content_type.into()), ..response(404, body) };
        (engage.may_be_own_404(&response), engage.has_own_history())
    };
    assert_eq!(of("{}", "text/plain"), (true, false));
    assert_eq!(of("", "Application/JSON"), (true, false));
    assert_eq!(of("", "text/plain"), (true, false));
    assert_eq!(of("not found", "application/json"), (false, false));
    assert_eq!(of("<p>not found</p>", "application/json"), (false, false));
    for engages in [
        r#"{"errorCode":"InvalidContact"}"#,
        r#"{"title":"InvalidContact"}"#,
        r#"{"errorCode":"NotFound","message":"x"}"#,
        "\u{feff}{\"ErrorCode\":\"NoPurchases\"}",
    ] {
        assert_eq!(of(engages, "application/json"), (true, true), "{engages}");
    }
    for gateways in [
        r#"{"message":"no Route matched with those values"}"#,
        r#"{"statusCode":404,"message":"Resource not found"}"#,
        r#"{"error":{"code":"ResourceNotFound"}}"#,
        r#"{"errorCode":"a page that does not exist"}"#,
        r#"{"errorCode":404}"#,
        r#"{"code":"NotFound"}"#,
    ] {
        assert_eq!(of(gateways, "application/json"), (true, false), "{gateways}");
    }
}

#[test]
fn probe_of_the_history_is_made_again_after_a_minute() {
    let engage = engage("{}");
    assert!(engage.may_probe());
    *lock(&engage.failed_probe) = Some(Instant::now());
    assert!(!engage.may_probe());
    *lock(&engage.failed_probe) = Instant::now().checked_sub(super::super::PROBE_INTERVAL);
    assert!(engage.may_probe());
}
