//! The rules of Engage's pages, against the running sandbox over TLS: the requests, and the results
//! of each response.

use crate::support::{ASTRID, BJORN, COFFEE, Store, buy, buy_pending, code_of, eventually, parse, problem};
use engage_point_shop::{Client, Code, ContactId, ItemId, OperationId, Outcome};
use engage_sandbox::seed::demo;
use engage_sandbox::{Effect, Fault, FaultResponse, KeySeen, Operation};
use serde_json::json;

#[test]
fn calls_carry_key_user_agent_and_content_type() {
    let store = Store::open();
    let client = store.client();
    client.list_items(ASTRID, None).unwrap();
    buy(&client, ASTRID, COFFEE, &json!({})).unwrap();
    client.list_purchases(ASTRID, None).unwrap();
    let requests = store.sandbox.requests();
    assert_eq!(requests.len(), 3);
    for request in requests {
        assert_eq!(request.status, Some(200), "{} {}: without Content-Type it is 500", request.method, request.path);
        assert_eq!(request.key, KeySeen::Right);
        assert_eq!(request.user_agent.as_deref(), Some("TestPOS/1.0"));
    }
}

#[test]
fn items_are_passed_on_unchanged() {
    let store = Store::open();
    let extra = r#"[ {"id":"b0000000-0000-4000-8000-000000000001","cost":100,"newField":{"a":[1, 2]},"presentation":null,"validTo":null} ]"#;
    store.sandbox.arm(Fault::on(
        Operation::Items,
        Effect::Status(FaultResponse {
            body: Some(extra.into()),
            content_type: Some("application/json".into()),
            ..FaultResponse::status(200)
        }),
    ));
    assert_eq!(store.client().list_items(ASTRID, None).unwrap(), extra.as_bytes());
}

#[test]
fn list_without_usable_item_is_an_invalid_response() {
    let store = Store::open();
    let client = store.client();
    for (body, says) in [
        (r#"[{"id":"not-a-guid","cost":5}]"#, "no element"),
        (r#"[{"id":"b0000000-0000-4000-8000-000000000001","cost":"5"}]"#, "no element"),
        (r#"[{"id":"b0000000-0000-4000-8000-000000000001","cost":-5}]"#, "no element"),
        (r#"{"elements":[]}"#, "not a JSON array"),
        (r"[null]", "no element"),
        (r#"[{"id":"b0000000-0000-4000-8000-000000000001","cost":1}"#, "too early"),
        ("[] []", "not JSON"),
    ] {
        store.sandbox.arm(Fault::on(
            Operation::Items,
            Effect::Status(FaultResponse {
                body: Some(body.into()),
                content_type: Some("application/json".into()),
                ..FaultResponse::status(200)
            }),
        ));
        let error = client.list_items(ASTRID, None).unwrap_err();
        assert_eq!(error.code(), Code::InvalidResponse, "{body}");
        assert!(error.message().contains(says), "{body}: {}", error.message());
    }
}

#[test]
fn list_in_every_usual_form_is_read_without_its_odd_elements() {
    let store = Store::open();
    let client = store.client();
    let item = r#"{"id":"b0000000-0000-4000-8000-000000000001","cost":1}"#;
    for (body, list) in [
        (format!("[{item}]"), format!("[{item}]")),
        (format!(r#"{{"items":[{item}],"totalCount":1}}"#), format!("[{item}]")),
        (format!(r#"{{"Items":[{item}]}}"#), format!("[{item}]")),
        (format!(r#"{{"count":1,"data":[{item}]}}"#), format!("[{item}]")),
        (r#"{"items":[]}"#.to_owned(), "[]".to_owned()),
        (format!(r#"[{item},{{"cost":5}},null]"#), format!("[{item}]")),
        (item.replace(":1", ":500.0"), String::new()),
    ] {
        let body = if list.is_empty() { format!("[{body}]") } else { body };
        let list = if list.is_empty() { body.clone() } else { list };
        store.sandbox.arm(Fault::on(
            Operation::Items,
            Effect::Status(FaultResponse {
                body: Some(body.clone()),
                content_type: Some("application/json".into()),
                ..FaultResponse::status(200)
            }),
        ));
        assert_eq!(String::from_utf8(client.list_items(ASTRID, None).unwrap()).unwrap(), list, "{body}");
    }
}

#[test]
fn empty_history_is_a_list_and_a_web_page_is_an_error() {
    let store = Store::open();
    let client = store.client();
    assert_eq!(client.list_purchases(ASTRID, None).unwrap(), b"[]");
    store.sandbox.arm(Fault::on(
        Operation::Purchases,
        Effect::Status(FaultResponse {
            body: Some("<html>404</html>".into()),
            content_type: Some("text/html".into()),
            ..FaultResponse::status(404)
        }),
    ));
    assert_eq!(code_of(client.list_purchases(ASTRID, None)), Code::InvalidResponse);
}

/// The result of a read whose response has another status or body.
#[test]
fn failed_read_has_the_code_of_its_cause() {
    let store = Store::open();
    let client = store.client();
    let rows = [
        (Effect::Status(FaultResponse::error(401, "Unauthorized")), Code::Unauthorized),
        (Effect::Status(FaultResponse::error(403, "Forbidden")), Code::Forbidden),
        (Effect::Status(FaultResponse::error(400, "InvalidContact")), Code::InvalidContact),
        (Effect::Status(FaultResponse::error(400, "SomethingNew")), Code::Declined),
        (Effect::Status(FaultResponse::status(429)), Code::RateLimited),
        (Effect::Status(FaultResponse::status(500)), Code::ServerError),
        (Effect::Status(FaultResponse::status(503)), Code::ServerError),
        (Effect::Status(FaultResponse::status(302)), Code::InvalidResponse),
        (Effect::EmptyBody { status: 200 }, Code::InvalidResponse),
        (Effect::Garbage, Code::InvalidResponse),
        (Effect::Html, Code::InvalidResponse),
        (Effect::Truncate { bytes: 200 }, Code::ConnectionLost),
        (Effect::RawResponse { text: "SSH-2.0-OpenSSH_9.2\r\n".into(), keep_alive: false }, Code::InvalidResponse),
    ];
    for (effect, code) in rows {
        // Twice: a read is repeated at once when a pooled connection turns out dead.
        store.sandbox.clear_faults();
        store.sandbox.arm(Fault::on(Operation::Items, effect.clone()).times(2));
        let error = client.list_items(ASTRID, None).unwrap_err();
        assert_eq!(error.code(), code, "{effect:?} became {error}");
        let outcome = code.row().outcome;
        assert!(matches!(outcome, Outcome::NotSent | Outcome::Declined), "a read is never pending");
    }
    store.sandbox.clear_faults();
    store.sandbox.arm(Fault::on(Operation::Items, Effect::Html));
    let error = client.list_items(ASTRID, None).unwrap_err();
    assert!(error.message().contains("web page"), "{error}");
}

#[test]
fn redirect_is_not_followed() {
    let store = Store::open();
    let elsewhere = Store::open();
    let location = format!("{}/api/v3/point-shop-items", elsewhere.sandbox.http_url());
    let response = FaultResponse {
        headers: [("Location".to_owned(), location)].into_iter().collect(),
        ..FaultResponse::status(302)
    };
    store.sandbox.arm(Fault::on(Operation::Items, Effect::Status(response)));
    let error = store.client().list_items(ASTRID, None).unwrap_err();
    assert!(error.message().contains("redirect"), "{error}");
    assert!(elsewhere.sandbox.requests().is_empty());
}

#[test]
fn response_above_the_size_limit_is_an_error() {
    let store = Store::open();
    let list = |bytes: usize| {
        let body = format!("[{}]", " ".repeat(bytes - 2));
        Effect::Status(FaultResponse {
            body: Some(body),
            content_type: Some("application/json".into()),
            ..FaultResponse::status(200)
        })
    };
    let client = store.client_with(&json!({ "maxResponseBytes": 2048 }));
    store.sandbox.arm(Fault::on(Operation::Items, list(2048)));
    assert_eq!(client.list_items(ASTRID, None).unwrap().len(), 2048);
    store.sandbox.arm(Fault::on(Operation::Items, list(2049)));
    assert_eq!(code_of(client.list_items(ASTRID, None)), Code::ResponseTooLarge);
}

/// The table of purchase errors, row by row. `wait` is short, because a pending purchase would be
/// followed to its end.
#[test]
fn documented_purchase_errors_have_their_codes() {
    let item = |id| ItemId::from_uuid(id);
    let short = json!({ "waitMs": 400, "purchaseId": null });
    let rows: Vec<(&str, Option<Effect>, ContactId, ItemId, Code)> = vec![
        ("unknown contact", None, ContactId::from_uuid(uuid::Uuid::from_u128(1)), COFFEE, Code::ContactNotFound),
        ("promotion removed", None, ASTRID, item(demo::PROMOTION_REMOVED), Code::PromotionNotFound),
        ("promotion expired", None, ASTRID, item(demo::PROMOTION_EXPIRED), Code::PromotionExpired),
        ("unknown item", None, ASTRID, item(uuid::Uuid::from_u128(2)), Code::ItemNotFound),
        ("not enough points", None, BJORN, item(demo::GIFT_CARD), Code::PurchaseNotAllowed),
        ("outside the window", None, ASTRID, item(demo::EXPIRED), Code::PurchaseNotAllowed),
        ("not eligible", None, ASTRID, item(demo::ONLY_BJORN), Code::PurchaseNotAllowed),
        ("failed", None, ASTRID, item(demo::FAILS), Code::PurchaseFailed),
        ("a new code", Some(Effect::Status(FaultResponse::error(400, "SomethingNew"))), ASTRID, COFFEE, Code::Declined),
        (
            "wrong key",
            Some(Effect::Status(FaultResponse::error(401, "Unauthorized"))),
            ASTRID,
            COFFEE,
            Code::Unauthorized,
        ),
        ("no right", Some(Effect::Status(FaultResponse::error(403, "Forbidden"))), ASTRID, COFFEE, Code::Forbidden),
    ];
    for (what, effect, contact, item, code) in rows {
        let store = Store::open();
        let client = store.client();
        if let Some(effect) = effect {
            store.sandbox.arm(Fault::on(Operation::Purchase, effect));
        }
        let error = buy(&client, contact, item, &short).unwrap_err();
        assert_eq!(error.code(), code, "{what}: {error}");
        assert_eq!(code.row().outcome, Outcome::Declined);
        assert!(store.deductions().is_empty(), "{what}: declined, so nothing is deducted");
        let problem = problem(&error);
        assert!(problem["httpStatus"].is_u64(), "{what}: {problem}");
        assert!(problem["operationId"].is_string(), "{what}: {problem}");
    }
}

/// The rows that leave the purchase in doubt: pending is returned, and the purchase is then
/// resolved with one deduction.
#[test]
fn unclear_response_is_pending_then_resolved_once() {
    let error = |status, code| Effect::Status(FaultResponse::error(status, code));
    let after = |status| Effect::StatusAfterCommit(FaultResponse::status(status));
    let rows = [
        ("an internal error, 500", error(500, "PromotionAssignmentError"), Code::PendingAssignmentError),
        ("an internal error, 400", error(400, "PromotionAssignmentError"), Code::PendingAssignmentError),
        ("still processing", error(409, "PointShopItemPurchaseProcessingTimedOut"), Code::PendingProcessing),
        ("an unknown conflict", error(409, "SomethingNew"), Code::Pending),
        ("too many requests", Effect::Status(FaultResponse::status(429)), Code::PendingRateLimited),
        ("500 before", Effect::Status(FaultResponse::status(500)), Code::PendingServerError),
        ("500 after", after(500), Code::PendingServerError),
        ("502 after", after(502), Code::PendingServerError),
        ("503 after", after(503), Code::PendingServerError),
        ("504 after", after(504), Code::PendingServerError),
        ("garbage", Effect::Garbage, Code::PendingInvalidResponse),
        ("a web page", Effect::Html, Code::PendingInvalidResponse),
        ("nothing, 200", Effect::EmptyBody { status: 200 }, Code::PendingInvalidResponse),
        ("cut off", Effect::Truncate { bytes: 150 }, Code::PendingConnectionLost),
        ("reset before", Effect::ResetBeforeCommit, Code::PendingConnectionLost),
        ("reset after", Effect::ResetAfterCommit, Code::PendingConnectionLost),
        ("closed before", Effect::CloseBeforeCommit, Code::PendingConnectionLost),
        ("closed after", Effect::CloseAfterCommit, Code::PendingConnectionLost),
    ];
    for (what, effect, code) in rows {
        let store = Store::open();
        let client = store.client();
        store.sandbox.arm(Fault::on(Operation::Purchase, effect));
        // The history cannot be read during the wait, so that the outcome comes from the first
        // response alone.
        store.sandbox.arm(Fault::on(Operation::Purchases, Effect::StallBeforeCommit).times(0));
        let id = buy_pending(&client, ASTRID, COFFEE, &json!({})).operation().unwrap();
        is_pending_with(&client, id, code, what);
        store.sandbox.clear_faults();
        let operation = crate::support::resolved(&client, id);
        assert_eq!(operation["outcome"], "completed", "{what}");
        assert_eq!(store.deductions(), [id.uuid()], "{what}");
    }
}

/// Waits for the reason why an operation is pending.
fn is_pending_with(client: &Client, id: OperationId, code: Code, what: &str) {
    let first = eventually("a response", || parse(&client.get_operation(id).unwrap())["firstPendingCode"].as_i64());
    assert_eq!(first, i64::from(code.number()), "{what}");
}

#[test]
fn unknown_status_is_pending_and_failed_is_declined() {
    for (status, code) in [
        ("Teleported", Code::PendingInvalidResponse),
        ("Processing", Code::PendingProcessing),
        ("Failed", Code::PurchaseFailed),
    ] {
        let store = Store::open();
        let client = store.client();
        let id = OperationId::fresh();
        let body = json!({ "pointShopItemPurchaseId": id, "contactId": ASTRID, "status": status }).to_string();
        store.sandbox.arm(Fault::on(
            Operation::Purchase,
            Effect::Status(FaultResponse {
                body: Some(body),
                content_type: Some("application/json".into()),
                ..FaultResponse::status(200)
            }),
        ));
        store.sandbox.arm(Fault::on(Operation::Purchases, Effect::StallBeforeCommit).times(0));
        let with = json!({ "purchaseId": id });
        if code == Code::PurchaseFailed {
            assert_eq!(code_of(buy(&client, ASTRID, COFFEE, &with)), code);
            continue;
        }
        buy_pending(&client, ASTRID, COFFEE, &with);
        is_pending_with(&client, id, code, status);
    }
}

#[test]
fn response_with_another_purchase_id_is_ignored() {
    let other = OperationId::fresh();
    for body in [
        json!({ "pointShopItemPurchaseId": other, "status": "Completed" }),
        json!({ "contactId": BJORN, "status": "Completed" }),
        json!({ "pointShopItemId": other, "status": "Failed" }),
    ] {
        let store = Store::open();
        let client = store.client();
        store.sandbox.arm(Fault::on(
            Operation::Purchase,
            Effect::Status(FaultResponse {
                body: Some(body.to_string()),
                content_type: Some("application/json".into()),
                ..FaultResponse::status(200)
            }),
        ));
        store.sandbox.arm(Fault::on(Operation::Purchases, Effect::StallBeforeCommit).times(0));
        let id = buy_pending(&client, ASTRID, COFFEE, &json!({})).operation().unwrap();
        is_pending_with(&client, id, Code::PendingInvalidResponse, &body.to_string());
    }
}

#[test]
fn repeated_purchase_ids_follow_the_idempotency_table() {
    let store = Store::open();
    let (one, other) = (store.client(), store.client());
    let id = OperationId::fresh();
    let named = json!({ "purchaseId": id });
    // Same id, same contact, two tills without a common journal: the existing purchase, nothing is
    // deducted twice.
    let first = buy(&one, ASTRID, COFFEE, &named).unwrap();
    let second = buy(&other, ASTRID, COFFEE, &named).unwrap();
    assert_eq!(first["purchase"]["id"], second["purchase"]["id"]);
    assert_eq!(store.deductions(), [id.uuid()]);
    // Same id, another contact, from a till without the id in its journal: Engage declines.
    let third = store.client();
    assert_eq!(code_of(buy(&third, BJORN, COFFEE, &named)), Code::InvalidRequest);
    // The same from the till that has the id: rejected before anything is sent.
    let posts = store.posts();
    assert_eq!(code_of(buy(&one, BJORN, COFFEE, &named)), Code::PurchaseIdConflict);
    let tote = ItemId::from_uuid(demo::TOTE_BAG);
    assert_eq!(code_of(buy(&one, ASTRID, tote, &named)), Code::PurchaseIdConflict);
    assert_eq!(store.posts(), posts);
    // A new id, same contact: a new purchase.
    buy(&one, ASTRID, COFFEE, &json!({ "purchaseId": OperationId::fresh() })).unwrap();
    assert_eq!(store.deductions().len(), 2);
}

#[test]
fn wrong_key_missing_key_and_no_ca_have_different_codes() {
    let store = Store::open();
    let wrong = store.client_with(&json!({ "apiKey": "wrong" }));
    assert_eq!(code_of(wrong.list_items(ASTRID, None)), Code::Unauthorized);
    let none = store.client_with(&json!({ "apiKey": null }));
    assert_eq!(code_of(none.list_items(ASTRID, None)), Code::Unauthorized);

    let other = Store::open();
    let other_root = store.client_with(&json!({ "caFile": other.sandbox.ca_file() }));
    let error = other_root.list_items(ASTRID, None).unwrap_err();
    assert_eq!(error.code(), Code::TlsFailed);
    assert!(error.cause().iter().any(|cause| cause.contains("certificate")), "{:?}", error.cause());
    assert_eq!(code_of(buy(&other_root, ASTRID, COFFEE, &json!({}))), Code::TlsFailed);
    assert_eq!(store.sandbox.requests().len(), 2, "nothing of the two untrusting calls has arrived");
}

#[test]
fn invalid_ca_file_is_named() {
    let store = Store::open();
    let open = |file: &std::path::Path| Client::open(&store.config(&json!({ "caFile": file }))).err().unwrap();
    let missing = store.folder.path().join("missing.pem");
    assert_eq!(open(&missing).code(), Code::NoCaCertificates);
    assert!(open(&missing).message().contains("missing.pem"));
    let empty = store.folder.path().join("empty.pem");
    std::fs::write(&empty, "nothing").unwrap();
    assert!(open(&empty).message().contains("BEGIN CERTIFICATE"));
    let none = Client::open(&store.config(&json!({ "caFile": null }))).err().unwrap();
    assert_eq!(none.code(), Code::NoCaCertificates);
    assert!(none.message().contains("systemTrust"));
}

#[test]
fn purchase_returns_the_operation_and_the_engage_object() {
    let store = Store::open();
    let client = store.client();
    let operation = buy(&client, ASTRID, COFFEE, &json!({ "reference": "receipt 1" })).unwrap();
    assert_eq!(operation["outcome"], "completed");
    assert_eq!(operation["code"], 0);
    assert_eq!(operation["reference"], "receipt 1");
    assert_eq!(operation["existing"], false);
    assert_eq!(operation["purchase"]["status"], "Completed");
    assert_eq!(operation["purchase"]["pointShopItemPurchaseId"], operation["purchaseId"]);
    let history = parse(&client.list_purchases(ASTRID, None).unwrap());
    assert_eq!(history[0]["pointShopItemPurchaseId"], operation["purchaseId"]);
}
