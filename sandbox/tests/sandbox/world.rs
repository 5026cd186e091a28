//! Undocumented behaviour: a late or paged history, an id that is checked last, and members who
//! leave.

use engage_sandbox::seed::demo::{ASTRID, BJORN, COFFEE, LOAD, TOTE_BAG};
use engage_sandbox::{Member, Sandbox};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::{Connection, Response};

fn shop() -> (Sandbox, Connection) {
    let sandbox = Sandbox::builder().start();
    let till = Connection::open(&sandbox);
    (sandbox, till)
}

fn history(till: &mut Connection, contact: Uuid) -> Response {
    till.get(&format!("/api/v3/point-shop-item-purchases?contactId={contact}"))
}

fn world(till: &mut Connection, world: &Value) {
    assert_eq!(till.post("/_sandbox/world", world).status, 200);
}

#[test]
fn late_history_shows_a_purchase_after_its_lag() {
    let (sandbox, mut till) = shop();
    world(&mut till, &json!({ "historyLagMs": 60_000 }));
    sandbox.set_clock(engage_sandbox::Clock::Stands(sandbox.clock().now()));
    till.buy(ASTRID, Uuid::new_v4(), COFFEE);
    assert_eq!(history(&mut till, ASTRID).status, 404);
    sandbox.set_clock(sandbox.clock().advanced(60_000));
    assert_eq!(history(&mut till, ASTRID).json().as_array().unwrap().len(), 1);
}

#[test]
fn paged_history_holds_the_newest_rows_and_counts_all() {
    let (_sandbox, mut till) = shop();
    world(&mut till, &json!({ "historyPageRows": 2 }));
    let ids: Vec<Uuid> = (0..3).map(|_| Uuid::new_v4()).collect();
    for &id in &ids {
        till.buy(LOAD, id, COFFEE);
    }
    let page = history(&mut till, LOAD).json();
    assert_eq!(page["totalCount"], 3);
    assert_eq!(page["items"].as_array().unwrap().len(), 2);
    assert_eq!(page["items"][0]["pointShopItemPurchaseId"], json!(ids[2]));
}

#[test]
fn id_checked_last_declines_the_repeat_of_a_purchase() {
    let (sandbox, mut till) = shop();
    world(&mut till, &json!({ "idCheckedLast": true }));
    let poor = Member::new("Poor", 100);
    let contact = poor.contact_id;
    sandbox.add_member(poor).unwrap();
    let id = Uuid::new_v4();
    assert_eq!(till.buy(contact, id, COFFEE).status, 200);
    assert_ne!(till.buy(contact, id, COFFEE).status, 200);
    assert_eq!(sandbox.balance(contact), Some(0));
    world(&mut till, &json!({}));
    assert_eq!(till.buy(contact, id, COFFEE).status, 200);
    assert_eq!(sandbox.balance(contact), Some(0));
}

#[test]
fn merged_member_is_unknown_and_the_other_one_has_everything() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("shop.db");
    let sandbox = Sandbox::builder().state_file(&file).start();
    let mut till = Connection::open(&sandbox);
    let id = Uuid::new_v4();
    till.buy(ASTRID, id, COFFEE);
    let merge = json!({ "contactId": ASTRID, "into": BJORN });
    assert_eq!(till.post("/_sandbox/departures", &merge).status, 204);
    assert_eq!(till.post("/_sandbox/departures", &merge).status, 400);
    let check = |sandbox: &Sandbox, till: &mut Connection| {
        assert_eq!(history(till, ASTRID).outcome(), (400, Some("InvalidContact".to_owned())));
        assert_ne!(till.buy(ASTRID, id, COFFEE).status, 200);
        assert_eq!((sandbox.balance(ASTRID), sandbox.balance(BJORN)), (None, Some(1_180)));
        assert_eq!(history(till, BJORN).json()[0]["pointShopItemPurchaseId"], json!(id));
    };
    check(&sandbox, &mut till);
    let snapshot = sandbox.snapshot();
    drop((till, sandbox));

    let sandbox = Sandbox::builder().state_file(&file).start();
    let mut till = Connection::open(&sandbox);
    check(&sandbox, &mut till);
    sandbox.restore(snapshot).unwrap();
    check(&sandbox, &mut till);
    till.buy(BJORN, Uuid::new_v4(), TOTE_BAG);
    assert_eq!(sandbox.balance(BJORN), Some(680));
}

#[test]
fn erased_member_is_unknown() {
    let (sandbox, mut till) = shop();
    till.buy(ASTRID, Uuid::new_v4(), COFFEE);
    assert_eq!(till.post("/_sandbox/departures", &json!({ "contactId": ASTRID })).status, 204);
    assert_eq!(history(&mut till, ASTRID).status, 400);
    assert_eq!(sandbox.balance(ASTRID), None);
    assert_eq!(till.get("/api/v3/contacts/id?email=astrid%40example.com&contactType=Member").status, 404);
}

#[test]
fn an_id_bound_to_its_item_is_rejected_for_another_one() {
    let (sandbox, mut till) = shop();
    let id = Uuid::new_v4();
    assert_eq!(till.buy(LOAD, id, COFFEE).status, 200);
    // By default the id means its purchase, whatever the item.
    assert_eq!(till.buy(LOAD, id, TOTE_BAG).json()["pointShopItemId"], json!(COFFEE));
    world(&mut till, &json!({ "idBoundToItem": true }));
    assert_eq!(till.buy(LOAD, id, TOTE_BAG).status, 400);
    assert_eq!(till.buy(LOAD, id, COFFEE).status, 200);
    assert_eq!(sandbox.balance(LOAD), Some(99_900));
}
