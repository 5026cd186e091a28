//! Scripts and chaos.

use engage_sandbox::seed::demo::{ASTRID, COFFEE};
use engage_sandbox::{Chaos, ChaosRate, Effect, Fault, FaultResponse, Operation, Sandbox, Script};
use serde_json::json;
use uuid::Uuid;

use crate::client::{Connection, handshake, with_headers};

const SCRIPT: &str = "
# The second purchase is bought and its response lost.
faults:
  - match: {operation: purchase, nth: 2}
    effect: {closeAfterCommit: {}}
tls:
  - certificate: expired
limits: {redeemGivesUpAfterMs: 50}
clock: {set: 2030-01-01T00:00:00Z, frozen: true}
apiMapping: {statusCompleted: Finished}
";

#[test]
fn a_script_applies_all_its_faults_and_settings() {
    let sandbox = Sandbox::builder().script(Script::parse(SCRIPT).unwrap()).start();
    assert!(handshake(&sandbox.https_url(), sandbox.ca_pem()).is_err());
    let mut till = Connection::open(&sandbox);
    assert_eq!(till.buy(ASTRID, Uuid::new_v4(), COFFEE).json()["status"], "Finished");
    till.send(&crate::client::purchase(ASTRID, Uuid::new_v4(), COFFEE));
    assert!(till.response().is_err());
    assert_eq!(sandbox.balance(ASTRID), Some(1000));
    assert_eq!(sandbox.clock().now().to_string(), "2030-01-01T00:00:00.000Z");
    assert_eq!(sandbox.settings().redeem_gives_up_after_ms, 50);
}

#[test]
fn a_script_replaces_the_one_before() {
    let sandbox = Sandbox::builder().start();
    let mut admin = Connection::open(&sandbox);
    sandbox.arm(Fault::on(Operation::Any, Effect::Status(FaultResponse::status(503))).times(0));
    admin.send(&with_headers("POST", "/_sandbox/script", "", SCRIPT));
    assert_eq!(admin.response().unwrap().status, 204);
    assert_eq!(sandbox.faults().len(), 1);
    assert_eq!(admin.get("/_sandbox/tls").json()[0]["certificate"], "expired");
    assert_eq!(admin.post("/_sandbox/script", &json!({ "chaos": { "seed": 1, "rates": [] } })).status, 204);
    assert!(sandbox.faults().is_empty());
    assert_eq!(admin.get("/_sandbox/tls").json(), json!([]));
    assert_eq!(admin.get("/_sandbox/chaos").json()["seed"], 1);

    admin.send(&with_headers("POST", "/_sandbox/script", "", "faults:\n- effect: {html: {}}\n"));
    let wrong = admin.response().unwrap();
    assert_eq!((wrong.status, &wrong.json()["line"]), (400, &json!(2)), "{wrong:?}");
    assert_eq!(admin.get("/_sandbox/chaos").json()["seed"], 1);
}

fn chaos(seed: u64) -> Chaos {
    let rate = |rate, status| ChaosRate {
        rate,
        operation: Operation::Any,
        effect: Effect::Status(FaultResponse::status(status)),
    };
    let items = ChaosRate { operation: Operation::Items, ..rate(0.3, 502) };
    Chaos { seed, rates: vec![rate(0.2, 503), rate(0.1, 504), items] }
}

/// Returns the statuses of two hundred requests under chaos.
fn statuses(seed: u64) -> Vec<u16> {
    let sandbox = Sandbox::builder().requests_per_second(None).start();
    sandbox.set_chaos(Some(chaos(seed))).unwrap();
    let mut till = Connection::open(&sandbox);
    let paths = ["point-accounts", "point-shop-items"].map(|route| format!("/api/v3/{route}?contactId={ASTRID}"));
    (0..200).map(|n| till.get(&paths[n % 2]).status).collect()
}

#[test]
fn the_same_seed_of_chaos_gives_the_same_decisions() {
    let first = statuses(42);
    assert_eq!(statuses(42), first);
    assert_ne!(statuses(43), first);
    let (points, items): (Vec<_>, Vec<_>) = first.iter().enumerate().partition(|(n, _)| n % 2 == 0);
    let count =
        |statuses: &[(usize, &u16)], status| statuses.iter().filter(|(_, response)| **response == status).count();
    assert!((10..30).contains(&count(&points, 503)) && (10..30).contains(&count(&items, 503)), "{first:?}");
    assert!((3..20).contains(&count(&points, 504)) && (3..20).contains(&count(&items, 504)), "{first:?}");
    assert!((15..45).contains(&count(&items, 502)) && count(&points, 502) == 0, "{first:?}");
}

#[test]
fn an_armed_fault_does_not_change_chaos() {
    let sandbox = Sandbox::builder().requests_per_second(None).start();
    sandbox.set_chaos(Some(chaos(42))).unwrap();
    sandbox.arm(Fault::on(Operation::Any, Effect::Status(FaultResponse::status(418))).nth(3).times(4));
    let mut till = Connection::open(&sandbox);
    let paths = ["point-accounts", "point-shop-items"].map(|route| format!("/api/v3/{route}?contactId={ASTRID}"));
    let actual: Vec<u16> = (0..20).map(|n| till.get(&paths[n % 2]).status).collect();
    let mut expected = statuses(42)[..20].to_vec();
    expected[2..6].fill(418);
    assert_eq!(actual, expected);
    assert_eq!(sandbox.chaos().unwrap().seen, 20);
    sandbox.clear_faults();
    assert!(sandbox.chaos().is_none());
}

#[test]
fn invalid_chaos_is_rejected() {
    let sandbox = Sandbox::builder().start();
    let mut admin = Connection::open(&sandbox);
    let effect = json!({ "html": {} });
    for (rates, field) in [
        (json!([{ "rate": 1.5, "effect": effect }]), "rates[0].rate"),
        (json!([{ "rate": 0.6, "effect": effect }, { "rate": 0.6, "effect": effect }]), "rates"),
        (json!([{ "rate": 0.1, "effect": { "emptyBody": { "status": 99 } } }]), "rates[0].effect.emptyBody.status"),
    ] {
        let response = admin.post("/_sandbox/chaos", &json!({ "seed": 1, "rates": rates }));
        assert_eq!((response.status, &response.json()["field"]), (400, &json!(field)), "{response:?}");
    }
    assert_eq!(admin.get("/_sandbox/chaos").json(), json!(null));
}
