//! The effects of the magic values.

use engage_sandbox::magic::{self, Kind, MAGDA};
use engage_sandbox::seed::demo::ASTRID;
use engage_sandbox::{LedgerKind, Sandbox, Status};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::{Connection, purchase};

fn item(number: u8) -> Uuid {
    format!("b0000000-0000-4000-8000-0000000000{number:02x}").parse().unwrap()
}

fn member(number: u8) -> Uuid {
    format!("a0000000-0000-4000-8000-0000000000{number:02x}").parse().unwrap()
}

/// Buys an item for Astrid, and returns the status and code of the response, if one arrives, and
/// the purchase's status.
fn bought(sandbox: &Sandbox, number: u8) -> (Option<(u16, Value)>, Option<Status>) {
    let mut till = Connection::open(sandbox);
    till.send(&purchase(ASTRID, Uuid::new_v4(), item(number)));
    let response = till.response().ok().map(|response| {
        let body: Value = serde_json::from_str(&response.body).unwrap_or_default();
        (response.status, if response.status == 200 { body["status"].clone() } else { body["errorCode"].clone() })
    });
    (response, sandbox.purchases(ASTRID).first().map(|purchase| purchase.status))
}

#[test]
fn a_purchase_of_a_magic_item_ends_as_documented() {
    let sandbox = Sandbox::builder().start();
    let code = |status: u16, code: &str| Some((status, json!(code)));
    let plain = |status: u16| Some((status, Value::Null));
    for (number, response, status) in [
        (0x22, None, Some(Status::Completed)),
        (0x23, None, None),
        (0x24, None, Some(Status::Completed)),
        (0x25, None, Some(Status::Completed)),
        (0x26, plain(502), Some(Status::Completed)),
        (0x27, code(200, "Processing"), Some(Status::Processing)),
        (0x28, code(200, "Processing"), Some(Status::Processing)),
        (0x29, code(409, "PointShopItemPurchaseProcessingTimedOut"), Some(Status::Processing)),
        (0x2a, code(409, "PointShopItemPurchaseProcessingTimedOut"), Some(Status::Processing)),
        (0x30, code(400, "PromotionAssignmentContactNotFound"), None),
        (0x31, code(400, "PromotionAssignmentPromotionNotFound"), None),
        (0x32, code(400, "PromotionAssignmentPromotionExpired"), None),
        (0x33, code(500, "PromotionAssignmentError"), None),
        (0x34, code(400, "PromotionAssignmentError"), None),
        (0x35, code(409, "PointShopItemPurchaseFailed"), None),
        (0x36, plain(400), None),
        (0x37, plain(404), None),
        (0x38, plain(422), None),
        (0x39, code(401, "Unauthorized"), None),
        (0x3a, plain(500), None),
        (0x3b, code(504, "RequestTimeOut"), None),
    ] {
        assert_eq!(bought(&sandbox, number), (response, status), "{number:x}");
        let later = sandbox.clock().advanced(30_000);
        sandbox.set_clock(later);
        let ended = sandbox.purchases(ASTRID).first().map(|purchase| purchase.status);
        match number {
            0x27 | 0x29 => assert_eq!(ended, Some(Status::Completed)),
            0x28 | 0x2a => assert_eq!(ended, Some(Status::Failed)),
            _ => assert_eq!(ended, status),
        }
        sandbox.reset();
    }
}

#[test]
fn a_redeem_of_a_magic_reward_ends_as_documented() {
    let sandbox = Sandbox::builder().start();
    for (number, response, redeemed) in [
        (0x40, Some((409, "PromotionAlreadyRedeemed")), true),
        (0x41, None, true),
        (0x42, Some((504, "RequestTimeOut")), false),
        (0x45, Some((404, "PromotionNotFound")), false),
        (0x46, Some((404, "PromotionNotAssociatedWithContact")), false),
        (0x47, Some((409, "PromotionNotValidForRedemptionChannel")), false),
        (0x48, Some((400, "InvalidPromotionIdNoData")), false),
        (0x49, Some((400, "NotAValidRedemptionChannel")), false),
    ] {
        sandbox.set(|settings| settings.redeem_gives_up_after_ms = 10).unwrap();
        assert_eq!(bought(&sandbox, number).1, Some(Status::Completed));
        let reward = &sandbox.assignments(ASTRID)[0];
        let path = format!("/api/v3/promotion-assignments/{}/redeem", reward.id);
        let mut till = Connection::open(&sandbox);
        till.send(&crate::client::request("POST", &path, r#"{"redemptionChannel":"POS"}"#));
        let outcome = till.response().ok().map(|response| response.outcome());
        assert_eq!(outcome, response.map(|(status, code)| (status, Some(code.to_owned()))), "{number:x}");
        let kinds = sandbox.ledger().into_iter().filter(|entry| entry.points == 0 && entry.kind != LedgerKind::Assign);
        assert_eq!(kinds.count(), usize::from(redeemed), "{number:x}");
        sandbox.reset();
    }
}

#[test]
fn a_stalled_purchase_has_no_response_until_disconnect() {
    let sandbox = Sandbox::builder().start();
    for (number, status) in [(0x20, None), (0x21, Some(Status::Completed))] {
        let mut till = Connection::open(&sandbox);
        till.send(&purchase(ASTRID, Uuid::new_v4(), item(number)));
        let long = std::time::Duration::from_secs(60);
        sandbox.wait_for(long, |request| request.item_id == Some(item(number))).unwrap();
        // The request is served already, because a later request is.
        Connection::open(&sandbox).get("/api/v3/point-accounts");
        drop(till);
        let deadline = std::time::Instant::now() + long;
        while sandbox.purchases(ASTRID).first().map(|purchase| purchase.status) != status {
            assert!(std::time::Instant::now() < deadline);
            std::thread::yield_now();
        }
        assert!(sandbox.requests().iter().all(|request| request.item_id.is_none() || request.status.is_none()));
    }
}

#[test]
fn a_magic_member_has_the_same_fault_for_every_request() {
    let sandbox = Sandbox::builder().start();
    for path in ["/api/v3/point-accounts?contactId=", "/api/v3/point-shop-items?contactId="] {
        let get = |number| Connection::open(&sandbox).try_get(&format!("{path}{}", member(number)));
        assert!(get(0x11).is_err());
        assert_eq!(get(0x13).unwrap().status, 503);
        assert!(get(0x14).unwrap().body.contains("Web filter"));
        assert_eq!(get(0x15).unwrap().status, 429);
    }
    let mut till = Connection::open(&sandbox);
    let mut find = |key: u32| till.get(&format!("/api/v3/contacts/id?customKey={key}")).outcome();
    assert_eq!(find(2016), (500, Some("InvalidSystemConfiguration".to_owned())));
    assert_eq!(find(2017), (409, Some("MultipleMatches".to_owned())));
}

#[test]
fn magda_sees_every_magic_item_and_other_members_none() {
    let sandbox = Sandbox::builder().start();
    let mut till = Connection::open(&sandbox);
    let mut shown = |contact| till.get(&format!("/api/v3/point-shop-items?contactId={contact}")).body;
    let (to_magda, to_astrid) = (shown(MAGDA), shown(ASTRID));
    for magic in magic::all().iter().filter(|magic| magic.kind == Kind::Item) {
        assert!(to_magda.contains(&magic.id.to_string()) && !to_astrid.contains(&magic.id.to_string()), "{magic:?}");
    }
    let listed = till.get("/_sandbox/magic").json();
    assert_eq!(listed.as_array().unwrap().len(), magic::all().len());
    assert_eq!(listed[0]["kind"], "member");
}
