//! Tables of what was seen and what follows from it.

use super::*;
use crate::probe::default_mapping;

const CONTACT: &str = "a0000000-0000-4000-8000-000000000001";
const ITEM: &str = "b0000000-0000-4000-8000-000000000001";
const PROMOTION: &str = "c0000000-0000-4000-8000-000000000001";
const PURCHASE: &str = "d0000000-0000-4000-8000-000000000001";
const REWARD: &str = "e0000000-0000-4000-8000-000000000001";
const OTHER: &str = "f0000000-0000-4000-8000-000000000001";

fn id(text: &str) -> Uuid {
    Uuid::try_parse(text).unwrap()
}

#[allow(clippy::unnecessary_wraps)] // As the evidence has it.
fn response(status: u16, body: &Value) -> Option<Response> {
    let content_type = Some("application/json".to_owned());
    Some(Response { status, content_type, has_date: true, took_ms: 1, body: Body::Json(body.clone()) })
}

fn purchase(with: &Value) -> Value {
    let mut row = json!({
        "id": OTHER, "pointShopItemPurchaseId": PURCHASE, "contactId": CONTACT, "pointShopItemId": ITEM,
        "promotionId": PROMOTION, "status": "Completed", "createdOn": "2026-03-20T13:53:08Z",
    });
    change(&mut row, with);
    row
}

fn reward(with: &Value) -> Value {
    let mut row = json!({
        "id": REWARD, "promotionId": PROMOTION, "heading": "Coffee", "description": "x", "redeemed": false,
        "redeemedOn": null, "expiresOn": null, "barcode": "1", "redemptionChannels": [{ "type": "POS" }],
    });
    change(&mut row, with);
    row
}

/// Adds fields, and removes those that are null.
fn change(row: &mut Value, with: &Value) {
    let row = row.as_object_mut().unwrap();
    for (key, value) in with.as_object().unwrap() {
        match value {
            Value::String(word) if word == "(missing)" => row.remove(key),
            _ => row.insert(key.clone(), value.clone()),
        };
    }
}

/// A tenant that does everything as assumed, and a purchase in it.
fn evidence() -> Evidence {
    Evidence {
        contact: id(CONTACT),
        mapping: default_mapping().unwrap(),
        history_lag_ms: 600_000,
        key_header: Some("apikey".into()),
        rewards_path: Some(default_mapping().unwrap()["rewardsPath"].as_str().unwrap().into()),
        points: response(200, &json!([{ "balance": 400.0 }])),
        items: response(200, &json!([{ "id": ITEM, "cost": 100, "promotionId": PROMOTION }])),
        history: response(200, &json!([purchase(&json!({}))])),
        rewards: response(200, &json!([reward(&json!({}))])),
        unknown_contact: response(400, &json!({ "errorCode": "InvalidContact" })),
        malformed_contact: response(400, &json!({ "errorCode": "InvalidContact" })),
        unknown_item: response(404, &json!({})),
        purchase: response(200, &purchase(&json!({}))),
        repeat: response(200, &purchase(&json!({}))),
        bought: Some(Bought {
            purchase_id: id(PURCHASE),
            item: id(ITEM),
            cost: 100.0,
            balance_before: Some(500.0),
            balance_after: Some(400.0),
            history_lag_ms: Some(100),
        }),
        new_rewards: vec![id(REWARD)],
        ..Evidence::default()
    }
}

/// The findings that ask for something, and the mapping.
fn decide(evidence: &Evidence) -> (Vec<(&'static str, Verdict)>, Value) {
    let found = findings(evidence);
    let mapping = proposal(evidence, &found, &default_mapping().unwrap());
    let asks = found.into_iter().filter(|it| !matches!(it.verdict, Verdict::Same | Verdict::NotSeen));
    (asks.map(|it| (it.subject, it.verdict)).collect(), mapping)
}

#[test]
fn assumed_tenant_needs_no_mapping() {
    let (asks, mapping) = decide(&evidence());
    assert_eq!((asks, mapping), (vec![], json!({})));
    let only_reads =
        Evidence { bought: None, purchase: None, repeat: None, unknown_item: None, new_rewards: vec![], ..evidence() };
    assert_eq!(decide(&only_reads), (vec![], json!({})));
}

#[test]
fn each_other_name_of_a_purchase_is_proposed() {
    let missing = "(missing)";
    let cases = [
        (json!({ "pointShopItemId": missing, "shopItem": ITEM }), json!({ "itemIdField": "shopItem" })),
        (json!({ "pointShopItemPurchaseId": missing, "ref": PURCHASE }), json!({ "purchaseIdFields": ["ref"] })),
        (json!({ "status": missing, "state": "Completed" }), json!({ "statusField": "state" })),
        (
            json!({ "status": missing, "kind": "7" }),
            json!({ "statusField": "kind", "statusCompleted": ["Completed", "7"] }),
        ),
        (json!({ "status": missing, "result": "completed" }), json!({ "statusField": "result" })),
        (json!({ "status": "DONE" }), json!({ "statusCompleted": ["Completed", "DONE"] })),
        // Only the deduction says what an unknown word or a number means.
        (json!({ "status": "Klar" }), json!({ "statusCompleted": ["Completed", "Klar"] })),
        (json!({ "status": 2 }), json!({ "statusCompleted": ["Completed", "2"] })),
        (json!({ "createdOn": missing, "bought": "2026-03-20T13:53:08Z" }), json!({ "createdOnFields": ["bought"] })),
        (json!({ "contactId": missing, "member": CONTACT }), json!({ "contactIdField": "member" })),
        (json!({ "reward": REWARD }), json!({ "assignmentIdFields": ["reward"] })),
        (json!({ "Status": "completed", "status": missing }), json!({})),
        (json!({ "pointShopItemPurchaseId": missing, "id": PURCHASE }), json!({})),
    ];
    for (with, expected) in cases {
        let row = purchase(&with);
        let evidence = Evidence {
            history: response(200, &json!([row])),
            purchase: response(200, &row),
            repeat: response(200, &row),
            ..evidence()
        };
        assert_eq!(decide(&evidence).1, expected, "{with}");
    }
}

#[test]
fn each_other_name_of_a_reward_is_proposed() {
    let missing = "(missing)";
    let cases = [
        (json!({ "id": missing, "assignment": REWARD }), json!({ "rewardIdFields": ["assignment"] })),
        (json!({ "redeemed": missing, "used": false }), json!({ "redeemedFields": ["used"] })),
        (json!({ "redeemedOn": missing, "usedAt": null }), json!({ "redeemedOnFields": ["usedAt"] })),
        (json!({ "expiresOn": missing, "until": "2027-01-01T00:00:00Z" }), json!({ "expiresOnFields": ["until"] })),
        (json!({ "redemptionChannels": missing, "places": [{ "type": "pos" }] }), json!({ "channelsField": "places" })),
    ];
    for (with, expected) in cases {
        let evidence = Evidence { rewards: response(200, &json!([reward(&with)])), ..evidence() };
        assert_eq!(decide(&evidence).1, expected, "{with}");
    }
}

#[test]
fn words_of_other_purchases_are_sorted_by_their_meaning() {
    let rows = json!([
        purchase(&json!({})),
        purchase(&json!({ "status": "Working" })),
        purchase(&json!({ "status": "BROKEN" })),
        purchase(&json!({ "status": "Odd" }))
    ]);
    let (asks, mapping) = decide(&Evidence { history: response(200, &rows), ..evidence() });
    assert_eq!(mapping["statusProcessing"], json!(["Processing", "Working"]));
    assert_eq!(mapping["statusFailed"], json!(["Failed", "BROKEN"]));
    assert!(asks.contains(&("other statuses", Verdict::NotSupported)), "{asks:?}");
}

#[test]
fn word_without_a_deduction_is_never_completed() {
    let row = purchase(&json!({ "status": "Klar" }));
    let mut evidence =
        Evidence { history: response(200, &json!([row])), purchase: response(200, &row), repeat: None, ..evidence() };
    evidence.bought.as_mut().unwrap().balance_after = Some(500.0);
    let (asks, mapping) = decide(&evidence);
    assert_eq!(mapping, json!({}));
    assert!(asks.contains(&("points deducted", Verdict::NotSupported)), "{asks:?}");
    evidence.bought.as_mut().unwrap().balance_after = Some(300.0);
    assert!(decide(&evidence).0.contains(&("points deducted", Verdict::NotSupported)), "deducted twice");
}

#[test]
fn envelopes_and_pages_are_seen() {
    let envelope = |total: u64| json!({ "rows": [purchase(&json!({}))], "total": total, "skip": 0 });
    let (asks, mapping) = decide(&Evidence { history: response(200, &envelope(1)), ..evidence() });
    assert_eq!(mapping["envelopeFields"], json!(["items", "data", "rows"]));
    assert_eq!(mapping["totalCountFields"], json!(["totalCount", "total"]));
    assert_eq!(mapping["offsetFields"], json!(["offset", "skip"]));
    assert!(asks.iter().all(|(_, verdict)| *verdict != Verdict::NotSupported), "{asks:?}");
    let (asks, _) = decide(&Evidence { history: response(200, &envelope(7)), ..evidence() });
    assert!(asks.contains(&("history length", Verdict::NotSupported)), "{asks:?}");
}

#[test]
fn unknown_name_beside_the_history_is_not_supported() {
    let page = json!({ "items": [purchase(&json!({}))], "totalCount": 1, "count": 1, "nextPage": null });
    let (asks, _) = decide(&Evidence { history: response(200, &page), ..evidence() });
    assert_eq!(asks, [("names beside the history", Verdict::NotSupported)]);
}

#[test]
fn what_no_mapping_can_say_is_not_supported() {
    let html = |status| Some(Response { body: Body::Html, ..response(status, &Value::Null).unwrap() });
    let cases: Vec<(&str, Evidence)> = vec![
        ("key header", Evidence { key_header: None, ..evidence() }),
        ("points", Evidence { points: response(200, &json!([{ "points": 1 }])), ..evidence() }),
        ("items", Evidence { items: response(200, &json!([{ "id": "x", "cost": 1 }])), ..evidence() }),
        ("items", Evidence { items: html(200), ..evidence() }),
        ("history", Evidence { history: html(404), ..evidence() }),
        ("history", Evidence { history: response(500, &json!({})), ..evidence() }),
        ("malformed contact", Evidence { malformed_contact: response(404, &json!({})), ..evidence() }),
        ("unknown contact", Evidence { unknown_contact: html(404), ..evidence() }),
        ("rewardsPath", Evidence { rewards_path: None, ..evidence() }),
        ("unknown item", Evidence { unknown_item: response(200, &json!({})), ..evidence() }),
        ("purchase", Evidence { purchase: response(200, &json!([])), ..evidence() }),
        ("redeem", Evidence { redeem: response(202, &json!({})), ..evidence() }),
        ("reward of the purchase", Evidence { new_rewards: vec![], ..evidence() }),
    ];
    for (subject, evidence) in cases {
        let (asks, _) = decide(&evidence);
        assert!(asks.contains(&(subject, Verdict::NotSupported)), "{subject}: {asks:?}");
    }
}

#[test]
fn paths_headers_and_a_late_history_are_proposed() {
    let mut late =
        Evidence { key_header: Some("x-api-key".into()), rewards_path: Some("/r/{contactId}".into()), ..evidence() };
    late.bought.as_mut().unwrap().history_lag_ms = Some(700_000);
    let (asks, mapping) = decide(&late);
    assert_eq!(mapping, json!({ "keyHeader": "x-api-key", "rewardsPath": "/r/{contactId}" }));
    assert!(asks.contains(&("history lag", Verdict::Set("historyLagMs", json!(1_400_000)))), "{asks:?}");
}
