//! Engage's own semantics.

use std::thread;

use engage_sandbox::ledger::{Channel, RedemptionChannel, Reward, ValueType};
use engage_sandbox::seed::demo::{
    ASTRID, BJORN, COFFEE, ELSA, EXPIRED, FAILS, GIFT_CARD, LOAD, NOT_STARTED, ONLY_BJORN, PROMOTION_EXPIRED,
    PROMOTION_REMOVED, SLOW, TIMES_OUT, TOTE_BAG,
};
use engage_sandbox::{Item, LedgerKind, Member, Sandbox, Seed};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::{Connection, with_headers};

fn shop() -> (Sandbox, Connection) {
    let sandbox = Sandbox::builder().start();
    let till = Connection::open(&sandbox);
    (sandbox, till)
}

fn code(status: u16, code: &str) -> (u16, Option<String>) {
    (status, Some(code.to_owned()))
}

fn ids(list: &Value, field: &str) -> Vec<Uuid> {
    list.as_array().unwrap().iter().map(|entry| entry[field].as_str().unwrap().parse().unwrap()).collect()
}

#[test]
fn the_items_listed_are_those_the_member_may_buy_now() {
    let (sandbox, mut till) = shop();
    let path = |contact| format!("/api/v3/point-shop-items?contactId={contact}");
    let items = till.get(&path(ASTRID)).json();
    assert_eq!(
        ids(&items, "id"),
        [COFFEE, TOTE_BAG, GIFT_CARD, PROMOTION_REMOVED, PROMOTION_EXPIRED, SLOW, FAILS, TIMES_OUT]
    );
    assert_eq!(
        items[0],
        json!({
            "id": COFFEE, "name": "Free coffee", "cost": 100, "pointDefinitionId": 1,
            "promotionId": "c0000000-0000-4000-8000-000000000001",
            "validFrom": "2020-01-01T00:00:00.000Z", "validTo": "2100-01-01T00:00:00.000Z",
            "presentation": { "title": "Free coffee", "description": "Free coffee", "imageUrl": null, "link": null }
        })
    );
    assert!(ids(&till.get(&path(BJORN)).json(), "id").contains(&ONLY_BJORN));

    sandbox.set_clock_offset(75 * 365 * 24 * 3_600_000);
    assert!(!ids(&till.get(&path(ASTRID)).json(), "id").contains(&COFFEE));
}

#[test]
fn an_unknown_contact_is_invalid() {
    let (_sandbox, mut till) = shop();
    for route in ["point-shop-items", "point-shop-item-purchases", "promotion-assignments", "point-accounts"] {
        for query in ["", "?contactId=", "?contactId=astrid", &format!("?contactId={COFFEE}")] {
            let response = till.get(&format!("/api/v3/{route}{query}"));
            assert_eq!(response.outcome(), code(400, "InvalidContact"), "{route}{query}");
        }
    }
}

#[test]
fn a_purchase_deducts_the_points_and_assigns_the_reward() {
    let (sandbox, mut till) = shop();
    let id = Uuid::new_v4();
    let response = till.buy(ASTRID, id, GIFT_CARD);
    let purchase = response.json();
    assert_eq!(response.status, 200);
    assert_eq!(purchase["pointShopItemPurchaseId"], json!(id));
    assert_eq!(purchase["status"], "Completed");
    assert_eq!(sandbox.balance(ASTRID), Some(200));

    let ledger = sandbox.ledger();
    assert_eq!(ledger.len(), 2);
    assert_eq!(
        (ledger[0].seq, ledger[0].kind, ledger[0].points, ledger[0].balance_after),
        (1, LedgerKind::Deduct, 1000, 200)
    );
    assert_eq!((ledger[1].seq, ledger[1].kind, ledger[1].points), (2, LedgerKind::Assign, 0));

    let rewards =
        till.get(&format!("/api/v3/promotion-assignments?contactId={ASTRID}&redemptionChannelType=POS")).json();
    assert_eq!(rewards[0]["id"], json!(sandbox.assignments(ASTRID)[0].id));
    assert_eq!(rewards[0]["redeemed"], false);
    assert_eq!(rewards[0]["redemptionChannels"][0]["value"], json!({ "amount": 100, "currency": "SEK" }));
}

#[test]
fn a_repeated_purchase_id_returns_the_existing_purchase() {
    let (sandbox, mut till) = shop();
    let id = Uuid::new_v4();
    let first = till.buy(ASTRID, id, COFFEE).json();
    assert_eq!(till.buy(ASTRID, id, COFFEE).json(), first);
    assert_eq!(till.buy(ASTRID, id, TOTE_BAG).json(), first);
    assert_eq!(sandbox.balance(ASTRID), Some(1100));
}

#[test]
fn one_purchase_id_from_many_tills_deducts_once() {
    let sandbox = Sandbox::builder().start();
    let id = Uuid::new_v4();
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| assert_eq!(Connection::open(&sandbox).buy(LOAD, id, COFFEE).status, 200));
        }
    });
    assert_eq!(sandbox.balance(LOAD), Some(99_900));
    assert_eq!(sandbox.purchases(LOAD).len(), 1);
}

#[test]
fn a_purchase_id_of_another_contact_is_declined_without_code() {
    let (sandbox, mut till) = shop();
    let id = Uuid::new_v4();
    till.buy(ASTRID, id, COFFEE);
    assert_eq!(till.buy(LOAD, id, COFFEE).outcome(), (400, None));
    assert_eq!(sandbox.balance(LOAD), Some(100_000));
}

#[test]
fn every_declined_purchase_has_its_code_and_no_deduction() {
    let (sandbox, mut till) = shop();
    let id = Uuid::new_v4();
    for (contact, item, outcome) in [
        (COFFEE, COFFEE, code(400, "PromotionAssignmentContactNotFound")),
        (ASTRID, PROMOTION_REMOVED, code(400, "PromotionAssignmentPromotionNotFound")),
        (ASTRID, PROMOTION_EXPIRED, code(400, "PromotionAssignmentPromotionExpired")),
        (ASTRID, ASTRID, (404, None)),
        (ASTRID, EXPIRED, (422, None)),
        (ASTRID, NOT_STARTED, (422, None)),
        (ASTRID, ONLY_BJORN, (422, None)),
        (BJORN, COFFEE, (422, None)),
        (ASTRID, FAILS, code(409, "PointShopItemPurchaseFailed")),
    ] {
        assert_eq!(till.buy(contact, id, item).outcome(), outcome, "{item}");
    }
    assert!(sandbox.ledger().is_empty());
    assert_eq!((sandbox.balance(ASTRID), sandbox.balance(BJORN)), (Some(1200), Some(80)));
}

#[test]
fn a_malformed_purchase_has_status_400() {
    let (_sandbox, mut till) = shop();
    let path = "/api/v3/point-shop-items/purchase";
    for body in [json!(null), json!([]), json!({}), json!({ "contactId": 7 })] {
        assert_eq!(till.post(path, &body).outcome(), (400, None), "{body}");
    }
    till.send(&crate::client::request("POST", path, "{"));
    assert_eq!(till.response().unwrap().outcome(), (400, None));
    let body = json!({ "contactId": ASTRID, "pointShopItemPurchaseId": "1", "pointShopItemId": COFFEE });
    assert!(till.post(path, &body).body.contains("pointShopItemPurchaseId"));
}

#[test]
fn a_purchase_in_progress_ends_by_the_clock() {
    let (sandbox, mut till) = shop();
    let id = Uuid::new_v4();
    assert_eq!(till.buy(ASTRID, id, SLOW).json()["status"], "Processing");
    assert_eq!(sandbox.balance(ASTRID), Some(1150));
    assert!(sandbox.ledger().is_empty());

    sandbox.set_clock_offset(10_000);
    let history = till.get(&format!("/api/v3/point-shop-item-purchases?contactId={ASTRID}")).json();
    assert_eq!(history[0]["status"], "Completed");
    assert_eq!(sandbox.ledger()[0].purchase_id, id);
    assert_eq!(till.buy(ASTRID, id, SLOW).json()["status"], "Completed");
    assert_eq!(sandbox.balance(ASTRID), Some(1150));
}

#[test]
fn a_purchase_that_timed_out_can_still_complete() {
    let (sandbox, mut till) = shop();
    let id = Uuid::new_v4();
    let timed_out = code(409, "PointShopItemPurchaseProcessingTimedOut");
    assert_eq!(till.buy(ASTRID, id, TIMES_OUT).outcome(), timed_out);
    sandbox.set_clock_offset(10_000);
    assert_eq!(till.buy(ASTRID, id, TIMES_OUT).json()["status"], "Completed");
    assert_eq!(sandbox.balance(ASTRID), Some(1150));
}

#[test]
fn a_purchase_that_failed_is_in_the_history_and_cost_nothing() {
    let (sandbox, mut till) = shop();
    let id = Uuid::new_v4();
    till.buy(ASTRID, id, FAILS);
    let history = till.get(&format!("/api/v3/point-shop-item-purchases?contactId={ASTRID}")).json();
    assert_eq!(history[0]["status"], "Failed");
    assert_eq!(till.buy(ASTRID, id, FAILS).json()["status"], "Failed");
    assert_eq!(sandbox.balance(ASTRID), Some(1200));
}

#[test]
fn the_history_is_newest_first_and_404_when_empty() {
    let (_sandbox, mut till) = shop();
    let path = format!("/api/v3/point-shop-item-purchases?contactId={ASTRID}");
    assert_eq!(till.get(&path).outcome(), (404, None));
    let (older, newer) = (Uuid::new_v4(), Uuid::new_v4());
    till.buy(ASTRID, older, COFFEE);
    till.buy(ASTRID, newer, COFFEE);
    assert_eq!(ids(&till.get(&path).json(), "pointShopItemPurchaseId"), [newer, older]);
}

#[test]
fn a_reward_is_redeemed_once() {
    let (sandbox, mut till) = shop();
    till.buy(ASTRID, Uuid::new_v4(), COFFEE);
    let assignment = sandbox.assignments(ASTRID)[0].id;
    let path = format!("/api/v3/promotion-assignments/{assignment}/redeem");
    let pos = json!({ "redemptionChannel": "POS" });

    let invalid = code(400, "NotAValidRedemptionChannel");
    assert_eq!(till.post(&path, &json!({ "redemptionChannel": "SHOP" })).outcome(), invalid);
    let other = code(409, "PromotionNotValidForRedemptionChannel");
    assert_eq!(till.post(&path, &json!({ "redemptionChannel": "ECOM" })).outcome(), other);
    assert_eq!(till.post(&path, &pos).json()["redeemed"], true);
    assert_eq!(till.post(&path, &pos).outcome(), code(409, "PromotionAlreadyRedeemed"));
    for id in [COFFEE.to_string(), "coffee".to_owned()] {
        let response = till.post(&format!("/api/v3/promotion-assignments/{id}/redeem"), &pos);
        assert_eq!(response.outcome(), code(404, "PromotionNotFound"));
    }

    assert_eq!(sandbox.ledger().iter().filter(|entry| entry.kind == LedgerKind::Redeem).count(), 1);
    assert!(sandbox.assignments(ASTRID)[0].redeemed_on.is_some());
}

#[test]
fn rewards_are_listed_by_channel_in_v2_as_in_v3() {
    let (sandbox, mut till) = shop();
    let online = RedemptionChannel {
        channel: Channel::Ecom,
        value_type: ValueType::Percent,
        value: json!(10),
        instruction: None,
    };
    let item = Item {
        reward: Reward { redemption_channels: vec![online], ..Reward::default() },
        ..Item::new("Online only", 1)
    };
    let online = item.id;
    sandbox.add_item(item).unwrap();
    till.buy(ASTRID, Uuid::new_v4(), COFFEE);
    till.buy(ASTRID, Uuid::new_v4(), online);
    for (channel, count) in [("?", 2), ("?redemptionChannelType=POS", 1), ("?redemptionChannelType=OTHER", 0)] {
        let v2 = till.get(&format!("/api/v2/contacts/{ASTRID}/promotions{channel}")).json();
        let v3 = till.get(&format!("/api/v3/promotion-assignments{channel}&contactId={ASTRID}")).json();
        assert_eq!(v2.as_array().unwrap().len(), count, "{channel}");
        assert_eq!(v2, v3);
    }
    let response = till.get(&format!("/api/v2/contacts/{ASTRID}/promotions?redemptionChannelType=SHOP"));
    assert_eq!(response.outcome(), code(400, "NotAValidRedemptionChannel"));
}

#[test]
fn a_member_is_found_by_one_key() {
    let (sandbox, mut till) = shop();
    let mut find = |query: &str| till.get(&format!("/api/v3/contacts/id?{query}"));
    for query in ["email=astrid%40example.com", "mobilePhone=%2B46701234567", "customKey=1001", "any=1001"] {
        assert_eq!(find(query).json(), json!(ASTRID), "{query}");
    }
    for (query, outcome) in [
        ("", code(400, "InvalidSearchQuery")),
        ("email=a%40example.com&any=1", code(400, "InvalidSearchQuery")),
        ("customKey=", code(400, "InvalidSearchQuery")),
        ("email=astrid", code(400, "InvalidEmailAddress")),
        ("mobilePhone=astrid", code(400, "InvalidPhoneNumber")),
        ("socialSecurityNumber=1", code(400, "InvalidSocialSecurityNumber")),
        ("customKey=1001&contactType=Alien", code(400, "InvalidContactType")),
        ("customKey=1001&contactType=Contact", code(404, "ContactNotFound")),
        ("customKey=9", code(404, "ContactNotFound")),
    ] {
        assert_eq!(find(query).outcome(), outcome, "{query}");
    }
    sandbox.add_member(Member { custom_key: Some("1001".to_owned()), ..Member::new("Twin", 0) }).unwrap();
    assert_eq!(find("customKey=1001").outcome(), code(409, "MultipleMatches"));
}

#[test]
fn the_points_are_a_decimal() {
    let (_sandbox, mut till) = shop();
    till.buy(ASTRID, Uuid::new_v4(), COFFEE);
    let response = till.get(&format!("/api/v3/point-accounts?contactId={ASTRID}"));
    assert!(response.body.contains("\"balance\":1100.0"), "{response:?}");
}

#[test]
fn the_base_rules_are_checked_in_order() {
    let (_sandbox, mut till) = shop();
    let path = format!("/api/v3/point-accounts?contactId={ASTRID}");
    for (headers, outcome) in [
        ("", code(401, "Unauthorized")),
        ("apikey: other\r\n", code(401, "Unauthorized")),
        ("apikey: demo-key\r\n", code(400, "UserAgentMissing")),
        ("apikey: demo-key\r\nUser-Agent: \r\n", code(400, "UserAgentMissing")),
        ("apikey: demo-key\r\nUser-Agent: T/1\r\n", (500, None)),
        ("apikey: demo-key\r\nUser-Agent: T/1\r\nContent-Type: text/plain\r\n", (500, None)),
        ("x-api-key: demo-key\r\nUser-Agent: T/1\r\nContent-Type: Application/JSON; charset=utf-8\r\n", (200, None)),
    ] {
        till.send(&with_headers("GET", &path, headers, ""));
        assert_eq!(till.response().unwrap().outcome(), outcome, "{headers}");
    }
}

#[test]
fn a_response_is_dated_by_the_stores_clock() {
    let (sandbox, mut till) = shop();
    let path = format!("/api/v3/point-accounts?contactId={ASTRID}");
    assert!(!till.get(&path).head.contains("15 jan 2027"));
    sandbox.set_clock(engage_sandbox::Clock::Stands(engage_sandbox::Time::from_millis(1_800_000_000_000)));
    let head = till.get(&path).head;
    assert!(head.contains("date: fri, 15 jan 2027 08:00:00 gmt") && head.matches("date: ").count() == 1, "{head}");
}

#[test]
fn above_the_rate_the_status_is_429() {
    let sandbox = Sandbox::builder().requests_per_second(Some(0)).start();
    let mut till = Connection::open(&sandbox);
    let path = format!("/api/v3/point-accounts?contactId={ASTRID}");
    assert_eq!(till.get(&path).status, 429);
    sandbox.set_requests_per_second(None);
    assert_eq!(till.get(&path).status, 200);
}

#[test]
fn an_unknown_route_is_404_without_a_body() {
    let (_sandbox, mut till) = shop();
    let response = till.get("/api/v4/point-shop-items");
    assert_eq!((response.status, response.body.as_str()), (404, ""));
}

#[test]
fn dropping_a_sandbox_frees_its_ports_at_once() {
    let address = |url: String| url.rsplit('/').next().unwrap().replace("localhost", "127.0.0.1").parse().unwrap();
    let sandbox = Sandbox::builder().start();
    let mut till = Connection::open(&sandbox);
    till.get("/_sandbox/health");
    let (http, https) = (address(sandbox.http_url()), address(sandbox.https_url()));
    let ca_file = sandbox.ca_file().to_owned();
    assert_eq!(std::fs::read_to_string(&ca_file).unwrap(), sandbox.ca_pem());
    drop(sandbox);
    assert!(!ca_file.exists());
    assert!(till.rest().1.is_err());
    let again = Sandbox::builder().seed(Seed::empty()).http(http).https(https).try_start().unwrap();
    assert_eq!(again.balance(ASTRID), None);
}

#[test]
fn demo_rewards_have_pictures_codes_and_every_type_of_value() {
    let (_sandbox, mut till) = shop();
    let items = till.get(&format!("/api/v3/point-shop-items?contactId={ELSA}")).json();
    let pictured: Vec<&Value> =
        items.as_array().unwrap().iter().filter(|item| item["presentation"]["imageUrl"].is_string()).collect();
    assert_eq!(pictured.len(), 5);
    let mut types = Vec::new();
    for item in pictured {
        let url = item["presentation"]["imageUrl"].as_str().unwrap();
        assert!(url.starts_with("https://localhost:") && url.contains("/_sandbox/pictures/"), "{url}");
        let picture = till.get(&url[url.find("/_sandbox").unwrap()..]);
        assert!(picture.head.contains("image/svg+xml") && picture.body.starts_with("<svg "), "{picture:?}");
        let id = item["id"].as_str().unwrap().parse().unwrap();
        assert_eq!(till.buy(ELSA, Uuid::new_v4(), id).status, 200);
        let rewards = till.get(&format!("/api/v3/promotion-assignments?contactId={ELSA}")).json();
        let reward = rewards.as_array().unwrap().iter().find(|reward| reward["name"] == item["name"]).unwrap();
        assert!(reward["barcode"].is_string() && reward["expiresOn"].is_string(), "{reward}");
        assert_eq!(reward["imageUrl"], url);
        types.push(reward["redemptionChannels"][0]["valueType"].as_str().unwrap().to_owned());
    }
    types.sort();
    assert_eq!(types, ["EXTERNALOFFER", "MANUAL", "MONEY", "PERCENT", "SWIPE"]);
    assert_eq!(till.get("/_sandbox/pictures/nothing.svg").status, 404);
}
