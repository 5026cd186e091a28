//! Several stores in one process, each with its key.

use engage_sandbox::seed::demo::{ASTRID, COFFEE};
use engage_sandbox::{ApiMapping, Effect, Fault, FaultResponse, KeySeen, Operation, Sandbox, Seed};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::{Connection, Response as Seen, purchase, with_headers};

fn get(till: &mut Connection, header: &str, path: &str) -> Seen {
    till.send(&with_headers(
        "GET",
        path,
        &format!("{header}\r\nUser-Agent: T/1\r\nContent-Type: application/json\r\n"),
        "",
    ));
    till.response().unwrap()
}

#[test]
fn each_key_has_its_own_ledger_faults_clock_and_log() {
    let sandbox = Sandbox::builder().start();
    let other = sandbox.add_store("other", Seed::demo()).unwrap();
    let mut till = Connection::open(&sandbox);
    let points = format!("/api/v3/point-accounts?contactId={ASTRID}");

    till.buy(ASTRID, Uuid::new_v4(), COFFEE);
    assert_eq!((sandbox.balance(ASTRID), other.balance(ASTRID)), (Some(1100), Some(1200)));
    assert_eq!(get(&mut till, "apikey: other", &points).json()[0]["balance"], 1200.0);

    other.arm(Fault::on(Operation::Points, Effect::Status(FaultResponse::status(503))));
    assert_eq!(till.get(&points).status, 200);
    assert_eq!(get(&mut till, "x-api-key: other", &points).status, 503);

    other.set_clock_offset(75 * 365 * 24 * 3_600_000);
    let items = format!("/api/v3/point-shop-items?contactId={ASTRID}");
    assert!(!till.get(&items).json().as_array().unwrap().is_empty());
    assert!(
        get(&mut till, "apikey: other", &items)
            .json()
            .as_array()
            .unwrap()
            .iter()
            .all(|item| item["id"] != json!(COFFEE))
    );

    let keys =
        |entries: Vec<engage_sandbox::RequestEntry>| entries.into_iter().map(|entry| entry.key).collect::<Vec<_>>();
    assert_eq!(keys(sandbox.requests()), [KeySeen::Right; 3]);
    assert_eq!(keys(other.requests()), [KeySeen::Right; 3]);
    // The first store rejects a request without a store's key.
    assert_eq!(get(&mut till, "apikey: third", &points).status, 401);
    assert_eq!(sandbox.requests()[3].key, KeySeen::Wrong);
    assert_eq!(other.requests().len(), 3);
}

#[test]
fn stores_are_added_and_removed_and_every_route_takes_one() {
    let sandbox = Sandbox::builder().start();
    let mut admin = Connection::open(&sandbox);
    let added = json!({ "key": "other", "seed": { "members": [{ "contactId": ASTRID, "points": 7 }] } });
    assert_eq!(admin.post("/_sandbox/stores", &added).status, 201);
    assert_eq!(
        admin.post("/_sandbox/stores", &added).json(),
        json!({ "error": "key: is in use by another store", "field": "key" })
    );
    assert_eq!(admin.post("/_sandbox/stores", &json!({ "key": "two parts" })).status, 400);
    assert_eq!(admin.get("/_sandbox/stores").json(), json!([{ "key": "demo-key" }, { "key": "other" }]));

    assert_eq!(admin.get("/_sandbox/state?store=other").json()["members"][0]["balance"], 7);
    admin.send(&with_headers("GET", "/_sandbox/state", "X-Sandbox-Store: other\r\n", ""));
    assert_eq!(admin.response().unwrap().json()["items"], json!([]));
    assert_eq!(admin.get("/_sandbox/ledger?store=third").status, 404);

    for (store, status) in [("other", 204), ("other", 404), ("demo-key", 400)] {
        admin.send(&with_headers("DELETE", &format!("/_sandbox/stores?store={store}"), "", ""));
        assert_eq!(admin.response().unwrap().status, status);
    }
    assert!(sandbox.store("other").is_none());
}

#[test]
fn an_api_mapping_renames_the_assumed_names_only() {
    let sandbox = Sandbox::builder().start();
    let mut admin = Connection::open(&sandbox);
    let api_mapping = json!({
        "keyHeader": "X-Voyado-Key", "itemIdField": "itemId", "purchaseIdFields": ["purchaseKey", "id"],
        "statusField": "state", "statusCompleted": "Finished",
        "rewardsPath": "/api/v3/contacts/{contactId}/promotions?kind={channel}",
        "assignmentIdFields": ["promotionAssignmentId"], "redeemedFields": ["isRedeemed"], "envelope": true,
    });
    assert_eq!(admin.post("/_sandbox/api-mapping", &api_mapping).json()["statusFailed"], "Failed");
    let wrong =
        |admin: &mut Connection, body: Value| admin.post("/_sandbox/api-mapping", &body).json()["field"].clone();
    assert_eq!(wrong(&mut admin, json!({ "rewardsPath": "/api/v3/rewards" })), "rewardsPath");
    assert_eq!(wrong(&mut admin, json!({ "keyHeader": "a b" })), "keyHeader");
    assert_eq!(wrong(&mut admin, json!({ "titleFields": [] })), "titleFields");

    let mut till = Connection::open(&sandbox);
    let id = Uuid::new_v4();
    let usual = purchase(ASTRID, id, COFFEE);
    till.send(&usual);
    assert_eq!(till.response().unwrap().status, 401);
    till.send(&usual.replace("apikey", "X-Voyado-Key"));
    assert!(till.response().unwrap().body.contains("itemId is missing"));
    let body = json!({ "contactId": ASTRID, "pointShopItemPurchaseId": id, "itemId": COFFEE });
    let headers = "X-Voyado-Key: demo-key\r\nUser-Agent: T/1\r\nContent-Type: application/json\r\n";
    till.send(&with_headers("POST", "/api/v3/point-shop-items/purchase", headers, &body.to_string()));
    let bought = till.response().unwrap().json();
    let assignment = json!(sandbox.assignments(ASTRID)[0].id);
    assert_eq!(
        (&bought["purchaseKey"], &bought["state"], &bought["itemId"]),
        (&json!(id), &json!("Finished"), &json!(COFFEE))
    );
    assert_eq!(bought["promotionAssignmentId"], assignment);
    assert!(bought.get("status").is_none() && bought.get("pointShopItemPurchaseId").is_none());

    let rewards = get(&mut till, "X-Voyado-Key: demo-key", &format!("/api/v3/contacts/{ASTRID}/promotions?kind=POS"));
    let rewards = rewards.json();
    assert_eq!((&rewards["totalCount"], &rewards["items"][0]["id"]), (&json!(1), &assignment));
    assert_eq!(rewards["items"][0]["isRedeemed"], false);
    let usual = get(&mut till, "X-Voyado-Key: demo-key", &format!("/api/v3/promotion-assignments?contactId={ASTRID}"));
    assert_eq!(usual.status, 404);
    let log = sandbox.requests();
    assert!(log[3].path.ends_with("?kind=POS") && log[3].contact_id == Some(ASTRID));
    assert!(log.iter().flat_map(|entry| entry.request.headers.values()).all(|value| value != "demo-key"));

    sandbox.reset();
    assert_eq!(sandbox.settings().api_mapping, ApiMapping::default());
}

#[test]
fn the_default_purchase_does_not_name_its_reward() {
    let sandbox = Sandbox::builder().start();
    let bought = Connection::open(&sandbox).buy(ASTRID, Uuid::new_v4(), COFFEE).json();
    let fields: Vec<&String> = bought.as_object().unwrap().keys().collect();
    assert_eq!(
        fields,
        ["contactId", "cost", "createdOn", "id", "pointShopItemId", "pointShopItemPurchaseId", "promotionId", "status"]
    );
}

#[test]
fn the_log_is_read_after_a_given_request() {
    let sandbox = Sandbox::builder().start();
    let mut till = Connection::open(&sandbox);
    till.buy(ASTRID, Uuid::new_v4(), COFFEE);
    let log = till.get("/_sandbox/requests").json();
    assert_eq!((&log[0]["itemId"], log.as_array().unwrap().len()), (&json!(COFFEE), 1));
    assert_eq!(till.get("/_sandbox/requests?after=1").json(), json!([]));
    assert_eq!(till.get("/_sandbox/requests?after=x").json()["field"], "after");
}
