//! A journal whose loss was accepted. A later press may be the second one of a lost sale, so that
//! Engage's history is read before anything is sent, and nothing is deducted twice.

use crate::fixture::{COFFEE, Fixture, MEMBER, begin_sale_without_response, files_of, write_files};
use engage_point_shop::{AssignmentId, Client, Code, ContactId, Error, ItemId, OperationId};
use engage_sandbox::Operation;
use serde_json::{Value, json};
use std::path::PathBuf;

/// A member without purchases.
const OTHER: &str = "a0000000-0000-4000-8000-000000000001";

fn parse(json: &[u8]) -> Value {
    serde_json::from_slice(json).unwrap()
}

fn buy(client: &Client, contact: &str, options: &Value) -> Result<Value, Error> {
    let (contact, item) = (ContactId::parse(contact, "contact").unwrap(), ItemId::parse(COFFEE, "item").unwrap());
    client.purchase(contact, item, Some(&options.to_string())).map(|json| parse(&json))
}

fn redeem(client: &Client, reward: AssignmentId, reference: &str) -> Result<Value, Error> {
    let contact = ContactId::parse(MEMBER, "contact").unwrap();
    client.redeem_reward(Some(contact), reward, Some(&sale(reference).to_string())).map(|json| parse(&json))
}

/// Buys, and returns the reward that the purchase gave.
fn reward_of(client: &Client, reference: &str) -> AssignmentId {
    let mut options = sale(reference);
    options["snapshotRewards"] = json!(true);
    let bought = buy(client, MEMBER, &options).unwrap();
    let id = OperationId::parse(bought["operationId"].as_str().unwrap(), "id").unwrap();
    let found = parse(&client.find_reward(id, None).unwrap());
    AssignmentId::parse(found["assignmentId"].as_str().unwrap(), "reward").unwrap()
}

/// A sale with a wait that no machine is too slow for.
fn sale(reference: &str) -> Value {
    json!({ "reference": reference, "waitMs": 60_000 })
}

/// Returns the number of requests that spend.
fn attempts(fixture: &Fixture) -> usize {
    let spends = |operation| matches!(operation, Some(Operation::Purchase | Operation::Redeem));
    fixture.sandbox.requests().iter().filter(|request| spends(request.operation)).count()
}

/// Sells R1, and R2 whose response is lost; `more` is made between. Then all but the seal of the
/// journal is lost. Returns the journal, and a client that has accepted the loss.
fn lose_everything(fixture: &Fixture, config: &Value, more: impl FnOnce(&Client)) -> (PathBuf, Client) {
    let journal = fixture.place("lost");
    let client = fixture.open_with(&journal, config).unwrap();
    buy(&client, MEMBER, &sale("R1")).unwrap();
    more(&client);
    let sold = fixture.deductions();
    begin_sale_without_response(fixture, &client, "R2");
    let mut files = files_of(&journal);
    client.close();
    drop(client);
    fixture.sandbox.clear_faults();
    files.retain(|suffix, _| *suffix == "-seal");
    write_files(&journal, &files);
    assert_eq!(fixture.open_with(&journal, config).map(drop).unwrap_err().code(), Code::JournalIncomplete);
    let mut accepting = config.clone();
    accepting["journalRecovery"] = json!("accept");
    let client = fixture.open_with(&journal, &accepting).unwrap();
    assert_eq!(fixture.deductions(), sold + 1);
    (journal, client)
}

#[test]
fn lost_sale_of_derived_id_is_adopted_as_completed() {
    let fixture = Fixture::new();
    let (_, client) = lose_everything(&fixture, &json!({ "idScope": "tenant" }), |_| ());
    let sent = attempts(&fixture);
    for reference in ["R1", "R2"] {
        let adopted = buy(&client, MEMBER, &sale(reference)).unwrap();
        assert_eq!((&adopted["outcome"], &adopted["attempts"]), (&json!("completed"), &json!(0)), "{adopted:#}");
        assert!(!adopted["purchase"].is_null(), "{adopted:#}");
    }
    assert_eq!((attempts(&fixture), fixture.deductions()), (sent, 2), "nothing was sent for them");
    let bought = buy(&client, MEMBER, &sale("R3")).unwrap();
    assert_eq!((&bought["attempts"], fixture.deductions()), (&json!(1), 3), "{bought:#}");
    client.close();
}

#[test]
fn lost_sale_of_named_id_is_adopted_as_completed() {
    let fixture = Fixture::new();
    let named = json!({ "purchaseId": OperationId::fresh(), "waitMs": 60_000 });
    let (_, client) = lose_everything(&fixture, &json!({}), |client| {
        buy(client, MEMBER, &named).unwrap();
    });
    let sent = attempts(&fixture);
    let adopted = buy(&client, MEMBER, &named).unwrap();
    assert_eq!((&adopted["outcome"], &adopted["attempts"]), (&json!("completed"), &json!(0)), "{adopted:#}");
    assert_eq!((attempts(&fixture), fixture.deductions()), (sent, 3), "nothing was sent for it");
    // The way to buy one more at once: an id that no lost sale can have.
    let fresh = json!({ "purchaseId": OperationId::fresh(), "waitMs": 60_000 });
    let bought = buy(&client, MEMBER, &fresh).unwrap();
    assert_eq!((&bought["attempts"], fixture.deductions()), (&json!(1), 4), "{bought:#}");
    client.close();
}

#[test]
fn lost_sale_of_random_id_is_left_to_a_person() {
    let fixture = Fixture::new();
    let (journal, client) = lose_everything(&fixture, &json!({}), |_| ());
    let sent = attempts(&fixture);
    let [first, second] = ["R1", "R2"].map(|reference| {
        let error = buy(&client, MEMBER, &sale(reference)).unwrap_err();
        assert_eq!(error.code(), Code::PendingAmbiguous, "{reference}: {error:?}");
        error.operation().unwrap()
    });
    assert_eq!((attempts(&fixture), fixture.deductions()), (sent, 2), "nothing was sent for them");
    let shown = parse(&client.get_operation(first).unwrap());
    assert_eq!(shown["needsReview"], true, "{shown:#}");
    assert!(shown["cause"][0].as_str().unwrap().contains("2 purchases of this item"), "{shown:#}");
    // A person finds one of them to be of R1, and none to be of R2.
    client.resolve_review(first, "completed", None).unwrap();
    client.resolve_review(second, "declined", None).unwrap();
    let again = buy(&client, MEMBER, &sale("R1")).unwrap();
    assert_eq!((&again["operationId"], fixture.deductions()), (&json!(first), 2), "{again:#}");
    let bought = buy(&client, MEMBER, &sale("R2")).unwrap();
    assert_eq!((&bought["existing"], fixture.deductions()), (&json!(false), 3), "{bought:#}");
    client.close();
    drop(client);
    // The doubt outlives a start.
    let client = fixture.open(&journal).unwrap();
    assert_eq!(buy(&client, MEMBER, &sale("R4")).unwrap_err().code(), Code::PendingAmbiguous);
    assert_eq!(fixture.deductions(), 3);
    client.close();
}

#[test]
fn new_sale_after_a_loss_waits_for_a_whole_history() {
    let fixture = Fixture::new();
    let (_, client) = lose_everything(&fixture, &json!({}), |_| ());
    let bought = buy(&client, OTHER, &sale("R3")).unwrap();
    assert_eq!((&bought["existing"], &bought["attempts"]), (&json!(false), &json!(1)), "{bought:#}");
    assert_eq!(fixture.deductions(), 3);
    let requests = fixture.sandbox.requests();
    let mut of_member = requests.iter().filter(|request| request.contact_id.is_some_and(|id| id.to_string() == OTHER));
    assert_eq!(of_member.next().unwrap().operation, Some(Operation::Purchases), "the history comes first");
    client.close();
}

#[test]
fn lost_redeem_is_never_declined_as_used_by_another() {
    let fixture = Fixture::new();
    let mut rewards = Vec::new();
    let (_, client) = lose_everything(&fixture, &json!({}), |client| {
        rewards = ["A", "B"].map(|reference| reward_of(client, reference)).to_vec();
        redeem(client, rewards[0], "A").unwrap();
    });
    let sent = attempts(&fixture);
    let error = redeem(&client, rewards[0], "A").unwrap_err();
    assert_eq!(error.code(), Code::PendingAmbiguous, "{error:?}");
    assert_eq!(attempts(&fixture), sent, "nothing was sent for it");
    let used = redeem(&client, rewards[1], "B").unwrap();
    assert_eq!((&used["outcome"], attempts(&fixture)), (&json!("completed"), sent + 1), "{used:#}");
    client.close();
}
