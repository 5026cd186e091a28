//! The effect of each fault on the store and on the connection's bytes.

use std::io::ErrorKind;
use std::num::NonZeroUsize;
use std::time::Duration;

use engage_sandbox::seed::demo::{ASTRID, BJORN, COFFEE};
use engage_sandbox::{Effect, Fault, FaultResponse, Item, Member, Operation, Sandbox};
use serde_json::json;
use uuid::Uuid;

use crate::client::{Connection, purchase, request};

const LONG: Duration = Duration::from_secs(60);

/// A purchase request under a fault.
struct FaultedRequest {
    sandbox: Sandbox,
    till: Connection,
}

impl FaultedRequest {
    fn by(effect: Effect) -> FaultedRequest {
        let sandbox = Sandbox::builder().start();
        sandbox.arm(Fault::on(Operation::Purchase, effect));
        let mut till = Connection::open(&sandbox);
        till.send(&purchase(ASTRID, Uuid::new_v4(), COFFEE));
        FaultedRequest { sandbox, till }
    }

    /// Returns whether the store has processed the purchase.
    fn committed(&self) -> bool {
        let committed = self.sandbox.balance(ASTRID) == Some(1100);
        assert_eq!(self.sandbox.ledger().len(), if committed { 2 } else { 0 });
        committed
    }

    fn logged_status(&self) -> Option<u16> {
        self.sandbox.requests()[0].status
    }
}

#[test]
fn a_status_before_commit_leaves_the_store_unchanged() {
    let mut request = FaultedRequest::by(Effect::Status(FaultResponse::error(500, "PromotionAssignmentError")));
    let response = request.till.response().unwrap();
    assert_eq!(response.outcome(), (500, Some("PromotionAssignmentError".to_owned())));
    assert!(!request.committed());
}

#[test]
fn a_status_after_commit_hides_the_purchase() {
    let mut request = FaultedRequest::by(Effect::StatusAfterCommit(FaultResponse {
        content_type: Some("text/html".to_owned()),
        body: Some("<h1>Gateway</h1>".to_owned()),
        headers: [("Retry-After".to_owned(), "7".to_owned())].into(),
        ..FaultResponse::status(504)
    }));
    let response = request.till.response().unwrap();
    assert_eq!((response.status, response.body.as_str()), (504, "<h1>Gateway</h1>"));
    assert!(response.head.contains("content-type: text/html\r\n") && response.head.contains("retry-after: 7\r\n"));
    assert!(request.committed());
    assert_eq!(request.logged_status(), Some(504));
}

#[test]
fn a_reset_fault_resets_the_connection() {
    for (effect, committed) in [(Effect::ResetBeforeCommit, false), (Effect::ResetAfterCommit, true)] {
        let mut request = FaultedRequest::by(effect);
        let (bytes, ended) = request.till.rest();
        assert_eq!((bytes.as_str(), ended.unwrap_err().kind()), ("", ErrorKind::ConnectionReset));
        assert_eq!(request.committed(), committed);
        assert_eq!(request.logged_status(), None);
    }
}

#[test]
fn a_close_ends_the_connection_without_a_response() {
    for (effect, committed) in [(Effect::CloseBeforeCommit, false), (Effect::CloseAfterCommit, true)] {
        let mut request = FaultedRequest::by(effect);
        let (bytes, ended) = request.till.rest();
        assert_eq!((bytes.as_str(), ended.unwrap_err().kind()), ("", ErrorKind::UnexpectedEof));
        assert_eq!(request.committed(), committed);
    }
}

#[test]
fn a_stall_lasts_until_the_faults_are_cleared() {
    for (effect, committed) in [(Effect::StallBeforeCommit, false), (Effect::StallAfterCommit, true)] {
        let mut request = FaultedRequest::by(effect);
        request.sandbox.wait_for(LONG, |entry| entry.fault.is_some()).unwrap();
        assert_eq!(Connection::open(&request.sandbox).get("/_sandbox/health").status, 200);
        request.sandbox.clear_faults();
        let (bytes, ended) = request.till.rest();
        assert_eq!((bytes.as_str(), ended.unwrap_err().kind()), ("", ErrorKind::UnexpectedEof));
        assert_eq!(request.committed(), committed);
    }
}

#[test]
fn a_stall_or_a_delay_does_not_delay_the_shutdown() {
    for effect in [Effect::StallBeforeCommit, Effect::Delay { ms: 3_600_000 }] {
        let request = FaultedRequest::by(effect);
        request.sandbox.wait_for(LONG, |entry| entry.fault.is_some()).unwrap();
        let FaultedRequest { sandbox, mut till } = request;
        let before = std::time::Instant::now();
        drop(sandbox);
        assert!(till.rest().1.is_err());
        assert!(before.elapsed() < Duration::from_secs(2));
    }
}

#[test]
fn a_delayed_purchase_is_made_after_a_disconnect() {
    let request = FaultedRequest::by(Effect::Delay { ms: 300 });
    request.sandbox.wait_for(LONG, |entry| entry.fault == Some("delay")).unwrap();
    drop(request.till);
    let deadline = std::time::Instant::now() + LONG;
    while request.sandbox.balance(ASTRID) != Some(1100) {
        assert!(std::time::Instant::now() < deadline, "the purchase was lost");
        std::thread::yield_now();
    }
    assert_eq!(request.sandbox.requests()[0].status, None);
}

#[test]
fn a_truncated_response_ends_after_the_given_bytes() {
    for bytes in [0, 1, 40, 200] {
        let mut request = FaultedRequest::by(Effect::Truncate { bytes });
        let (got, ended) = request.till.rest();
        assert_eq!(got.len(), bytes);
        assert!("HTTP/1.1 200 OK\r\n".starts_with(got.get(..17).unwrap_or(&got)));
        assert_eq!(ended.unwrap_err().kind(), ErrorKind::UnexpectedEof);
        assert!(request.committed());
    }
}

#[test]
fn a_dripping_response_is_whole_and_keeps_the_connection() {
    let bytes_per_write = NonZeroUsize::new(7).unwrap();
    let mut request = FaultedRequest::by(Effect::Drip { bytes_per_write, interval_ms: 1 });
    assert_eq!(request.till.response().unwrap().json()["status"], "Completed");
    assert!(request.committed());
    assert_eq!(request.till.buy(ASTRID, Uuid::new_v4(), COFFEE).status, 200);
    let requests = request.sandbox.requests();
    assert_eq!(requests[0].connection, requests[1].connection);
}

#[test]
fn responses_of_a_fault_do_not_reach_the_store() {
    for (effect, status, start) in [
        (Effect::Garbage, 200, "{\"id\""),
        (Effect::Html, 200, "<!DOCTYPE html>"),
        (Effect::EmptyBody { status: 503 }, 503, ""),
        (raw("HTTP/1.1 299 Odd\r\nContent-Length: 3\r\n\r\nodd", false), 299, "odd"),
    ] {
        let mut request = FaultedRequest::by(effect);
        let response = request.till.response().unwrap();
        assert_eq!(response.status, status);
        assert!(response.body.starts_with(start), "{response:?}");
        assert!(serde_json::from_str::<serde_json::Value>(&response.body).is_err());
        assert!(!request.committed());
        assert_eq!(request.logged_status(), Some(status));
    }
}

fn raw(text: &str, keep_alive: bool) -> Effect {
    Effect::RawResponse { text: text.to_owned(), keep_alive }
}

#[test]
fn a_raw_response_is_sent_unchanged_with_keep_alive() {
    let text = "HTTP/1.1 200 OK\r\nX:  y \r\nContent-Length: 0\r\n\r\n";
    let mut request = FaultedRequest::by(raw(text, false));
    let (got, ended) = request.till.rest();
    assert_eq!((got.as_str(), ended.is_ok()), (text, true));

    let mut request = FaultedRequest::by(raw(text, true));
    assert_eq!(request.till.response().unwrap().status, 200);
    assert_eq!(request.till.buy(ASTRID, Uuid::new_v4(), COFFEE).status, 200);
}

#[test]
fn a_wrong_length_is_off_by_its_delta() {
    for (delta, whole) in [(5, false), (-5, true)] {
        let mut request = FaultedRequest::by(Effect::WrongLength { delta });
        assert_eq!(request.till.response().is_ok(), whole);
        assert_eq!(request.till.rest().0.len(), if whole { 5 } else { 0 });
        assert!(request.committed());
    }
}

#[test]
fn a_fault_applies_to_matching_requests_only() {
    let sandbox = Sandbox::builder().start();
    let mut till = Connection::open(&sandbox);
    let status = |status| Effect::Status(FaultResponse::status(status));
    let items = |contact| format!("/api/v3/point-shop-items?contactId={contact}");
    let points = format!("/api/v3/point-accounts?contactId={ASTRID}");
    let mut statuses = |paths: &[&String]| -> Vec<u16> { paths.iter().map(|path| till.get(path).status).collect() };
    let (astrid, bjorn) = (items(ASTRID), items(BJORN));

    sandbox.arm(Fault::on(Operation::Items, status(503)).contact(ASTRID).nth(2).times(2));
    assert_eq!(statuses(&[&astrid, &bjorn, &points, &astrid, &astrid, &astrid]), [200, 200, 200, 503, 503, 200]);
    assert!(sandbox.faults().is_empty());

    sandbox.arm(Fault::on(Operation::Any, status(502)).times(0));
    assert_eq!(statuses(&[&astrid, &points, &"/elsewhere".to_owned()]), [502, 502, 502]);
    assert_eq!(sandbox.faults()[0].applied, 3);
    sandbox.clear_faults();
    assert_eq!(statuses(&[&astrid]), [200]);

    // Two faults match: they apply one after the other.
    sandbox.arm(Fault::on(Operation::Points, status(501)));
    sandbox.arm(Fault::on(Operation::Points, status(502)));
    assert_eq!(statuses(&[&points, &points, &points]), [501, 502, 200]);
}

#[test]
fn a_fault_matches_the_contact_of_every_kind_of_request() {
    let sandbox = Sandbox::builder().start();
    let mut till = Connection::open(&sandbox);
    till.buy(ASTRID, Uuid::new_v4(), COFFEE);
    let assignment = sandbox.assignments(ASTRID)[0].id;
    sandbox.arm(Fault::on(Operation::Any, Effect::Status(FaultResponse::status(503))).contact(ASTRID).times(0));
    let redeem = format!("/api/v3/promotion-assignments/{assignment}/redeem");
    let redeem = till.post(&redeem, &json!({ "redemptionChannel": "POS" })).status;
    let rewards = till.get(&format!("/api/v2/contacts/{ASTRID}/promotions")).status;
    let bought = till.buy(ASTRID, Uuid::new_v4(), COFFEE).status;
    assert_eq!([redeem, rewards, bought], [503; 3]);
    assert_eq!(till.get(&format!("/api/v2/contacts/{BJORN}/promotions")).status, 200);
}

#[test]
fn faults_come_before_every_other_check() {
    let sandbox = Sandbox::builder().key("another").start();
    let mut till = Connection::open(&sandbox);
    sandbox.arm(Fault::on(Operation::Purchases, Effect::Status(FaultResponse::status(418))));
    assert_eq!(till.get("/api/v3/point-shop-item-purchases").status, 418);
    assert_eq!(till.get("/api/v3/point-shop-item-purchases").status, 401);
}

#[test]
fn a_fault_works_over_plain_http_as_well() {
    use std::io::{Read, Write};
    let sandbox = Sandbox::builder().start();
    sandbox.arm(Fault::on(Operation::Points, Effect::ResetBeforeCommit));
    sandbox.arm(Fault::on(Operation::Points, Effect::CloseBeforeCommit));
    for expected in [Err(ErrorKind::ConnectionReset), Ok(0)] {
        let mut tcp = std::net::TcpStream::connect(sandbox.http_url().strip_prefix("http://").unwrap()).unwrap();
        tcp.set_read_timeout(Some(LONG)).unwrap();
        tcp.write_all(request("GET", "/api/v3/point-accounts", "").as_bytes()).unwrap();
        assert_eq!(tcp.read(&mut [0; 16]).map_err(|error| error.kind()), expected);
    }
}

/// Returns a sandbox in which Astrid has a reward, with the path to redeem it.
fn rewarded(sandbox: &Sandbox) -> String {
    Connection::open(sandbox).buy(ASTRID, Uuid::new_v4(), COFFEE);
    format!("/api/v3/promotion-assignments/{}/redeem", sandbox.assignments(ASTRID)[0].id)
}

#[test]
fn a_slow_redeem_before_its_point_of_no_return_times_out() {
    for (ms, point_of_no_return_ms, status, redeemed) in
        [(300, None, 504, false), (300, Some(200), 504, false), (300, Some(20), 200, true), (20, None, 200, true)]
    {
        let sandbox = Sandbox::builder().start();
        let mut till = Connection::open(&sandbox);
        let path = rewarded(&sandbox);
        assert_eq!(till.post("/_sandbox/limits", &json!({ "redeemGivesUpAfterMs": 100 })).status, 200);
        sandbox.arm(Fault::on(Operation::Redeem, Effect::Slow { ms, point_of_no_return_ms }));
        let response = till.post(&path, &json!({ "redemptionChannel": "POS" }));
        assert_eq!(response.status, status, "{ms} {point_of_no_return_ms:?}");
        assert_eq!(response.json()["errorCode"] == "RequestTimeOut", !redeemed);
        assert_eq!(sandbox.assignments(ASTRID)[0].redeemed_on.is_some(), redeemed);
    }
    assert_eq!(Sandbox::builder().start().settings().redeem_gives_up_after_ms, 4_500);
}

#[test]
fn a_slow_purchase_never_times_out() {
    let mut request = FaultedRequest::by(Effect::Slow { ms: 20, point_of_no_return_ms: None });
    request.sandbox.set(|settings| settings.redeem_gives_up_after_ms = 1).unwrap();
    assert_eq!(request.till.response().unwrap().status, 200);
    assert!(request.committed());
}

#[test]
fn a_reward_can_be_redeemed_by_another_party_before() {
    let sandbox = Sandbox::builder().start();
    let mut till = Connection::open(&sandbox);
    let path = rewarded(&sandbox);
    sandbox.arm(Fault::on(Operation::Redeem, Effect::RedeemedElsewhere).item(COFFEE));
    let response = till.post(&path, &json!({ "redemptionChannel": "POS" }));
    assert_eq!(response.outcome(), (409, Some("PromotionAlreadyRedeemed".to_owned())));
    assert_eq!(sandbox.ledger().last().unwrap().kind, engage_sandbox::LedgerKind::RedeemElsewhere);
    assert!(sandbox.assignments(ASTRID)[0].redeemed_on.is_some());
}

#[test]
fn the_date_of_a_response_can_be_wrong() {
    let sandbox = Sandbox::builder().start();
    sandbox.set_clock(engage_sandbox::Clock::Stands("2037-01-01T00:00:00Z".parse().unwrap()));
    sandbox.arm(Fault::on(Operation::Purchase, Effect::WrongDate { offset_ms: -24 * 3_600_000 }));
    let head = Connection::open(&sandbox).buy(ASTRID, Uuid::new_v4(), COFFEE).head;
    assert_eq!(head.matches("date: ").count(), 1, "{head}");
    assert!(head.contains("date: wed, 31 dec 2036 00:00:00 gmt"), "{head}");
}

#[test]
fn an_armed_fault_comes_before_a_permanent_one() {
    let sandbox = Sandbox::builder().start();
    let mut till = Connection::open(&sandbox);
    let status = |status| Effect::Status(FaultResponse::status(status));
    let item = Item { faults: [(Operation::Purchase, status(410))].into(), ..Item::new("Cursed", 1) };
    let member = Member { faults: [(Operation::Any, status(418))].into(), ..Member::new("Cursed", 10) };
    let (cursed_item, cursed) = (item.id, member.contact_id);
    sandbox.add_item(item).unwrap();
    sandbox.add_member(member).unwrap();
    let mut buy = |contact, item| till.buy(contact, Uuid::new_v4(), item).status;
    assert_eq!([buy(ASTRID, cursed_item), buy(ASTRID, cursed_item), buy(cursed, cursed_item)], [410; 3]);
    assert_eq!([buy(cursed, COFFEE), buy(ASTRID, COFFEE)], [418, 200]);
    sandbox.arm(Fault::on(Operation::Purchase, status(411)).item(cursed_item));
    assert_eq!([buy(ASTRID, COFFEE), buy(ASTRID, cursed_item), buy(ASTRID, cursed_item)], [200, 411, 410]);
    sandbox.clear_faults();
    assert_eq!(buy(ASTRID, cursed_item), 410);

    let useless = Item { faults: [(Operation::Points, status(410))].into(), ..Item::new("Useless", 1) };
    assert_eq!(sandbox.add_item(useless).unwrap_err().field, "faults.points");
}
