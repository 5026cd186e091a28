//! Finding the member, the points and the rewards, against the running sandbox over TLS.

use crate::support::{ASTRID, BJORN, COFFEE, Store, buy, code_of, parse};
use engage_point_shop::{Client, Code, ContactId};
use engage_sandbox::{Effect, Fault, FaultResponse, Operation};
use serde_json::{Value, json};

fn find(client: &Client, key: &str, value: &str) -> Result<Value, engage_point_shop::Error> {
    client.find_contact(key, value, None).map(|json| parse(&json))
}

#[test]
fn member_is_found_by_every_key_including_a_plus_sign() {
    let store = Store::open();
    let client = store.client();
    for (key, value) in [
        ("email", "astrid@example.com"),
        ("mobilePhone", "+46701234567"),
        ("customKey", "1001"),
        ("any", "astrid@example.com"),
        ("any", "+46701234567"),
    ] {
        assert_eq!(find(&client, key, value).unwrap(), json!(ASTRID), "{key}");
    }
}

#[test]
fn documented_search_errors_have_their_codes() {
    let store = Store::open();
    let client = store.client();
    assert_eq!(code_of(find(&client, "email", "nobody@example.com")), Code::ContactNotFound);
    assert_eq!(code_of(find(&client, "name", "Astrid")), Code::BadKey);
    for (status, engage_code, code) in [
        (400, "InvalidEmailAddress", Code::InvalidEmail),
        (400, "InvalidPhoneNumber", Code::InvalidPhone),
        (400, "InvalidSocialSecurityNumber", Code::InvalidSocialSecurityNumber),
        (400, "InvalidContactType", Code::InvalidContactType),
        (400, "InvalidSearchQuery", Code::InvalidSearch),
        (404, "ContactNotFound", Code::ContactNotFound),
        (409, "MultipleMatches", Code::MultipleMatches),
        (500, "InvalidSystemConfiguration", Code::SystemConfiguration),
        (500, "SomethingElse", Code::ServerError),
    ] {
        store.sandbox.arm(Fault::on(Operation::Contacts, Effect::Status(FaultResponse::error(status, engage_code))));
        let error = find(&client, "email", "astrid@example.com").unwrap_err();
        assert_eq!(error.code(), code, "{engage_code}");
        assert_eq!(error.detail().engage_code.as_deref(), Some(engage_code));
        assert!(!String::from_utf8(error.to_json()).unwrap().contains("astrid"));
    }
}

#[test]
fn search_response_without_guid_is_an_invalid_response() {
    let store = Store::open();
    let client = store.client();
    for body in ["\"someone\"", "null", "{}", "", "[\"a0000000-0000-4000-8000-000000000001\"]"] {
        let response = FaultResponse {
            body: Some(body.into()),
            content_type: Some("application/json".into()),
            ..FaultResponse::status(200)
        };
        store.sandbox.arm(Fault::on(Operation::Contacts, Effect::Status(response)));
        assert_eq!(code_of(find(&client, "any", "x")), Code::InvalidResponse, "{body}");
    }
}

#[test]
fn points_after_purchase_are_reduced_by_the_cost() {
    let store = Store::open();
    let client = store.client();
    let balance = || parse(&client.list_points(ASTRID, None).unwrap())[0]["balance"].as_f64().unwrap();
    let before = balance();
    buy(&client, ASTRID, COFFEE, &json!({})).unwrap();
    assert!((before - balance() - 100.0).abs() < 1e-9);
}

#[test]
fn bought_reward_is_listed() {
    let store = Store::open();
    let client = store.client();
    let list = || parse(&client.list_rewards(ASTRID, None).unwrap()).as_array().unwrap().clone();
    let before = list().len();
    buy(&client, ASTRID, COFFEE, &json!({})).unwrap();
    let after = list();
    assert_eq!(after.len(), before + 1);
    assert!(after[0]["id"].is_string());
    assert_eq!(code_of(client.list_rewards(ASTRID, Some(r#"{"channel":"TILL"}"#))), Code::BadOptions);
    assert_eq!(parse(&client.list_rewards(BJORN, Some(r#"{"channel":"ECOM"}"#)).unwrap()), json!([]));
}

#[test]
fn list_in_an_envelope_is_unwrapped() {
    let store = Store::open();
    let client = store.client();
    let body = json!({ "items": [{ "id": 1, "balance": 12.5 }], "totalCount": 1, "offset": 0, "count": 1 });
    let response = FaultResponse {
        body: Some(body.to_string()),
        content_type: Some("application/json".into()),
        ..FaultResponse::status(200)
    };
    store.sandbox.arm(Fault::on(Operation::Points, Effect::Status(response)));
    assert_eq!(parse(&client.list_points(ASTRID, None).unwrap())[0]["balance"], 12.5);
}

#[test]
fn unknown_contact_is_an_error() {
    let store = Store::open();
    let nobody = ContactId::from_uuid(uuid::Uuid::from_u128(7));
    let code = code_of(store.client().list_points(nobody, None));
    assert_eq!(code.row().outcome, engage_point_shop::Outcome::Declined, "{code:?}");
}
