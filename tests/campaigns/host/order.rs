//! Lists have the order in which the journal recorded the sales, whatever the clocks say: in use,
//! in its copies, and after a restart.

use crate::fixture::{Fixture, MEMBER, buy};
use engage_point_shop::{Client, ContactId, ItemId};
use serde_json::{Value, json};

const SALES: usize = 8;

fn parse(json: &[u8]) -> Value {
    serde_json::from_slice(json).unwrap()
}

/// Returns the operations of a list.
fn operations(list: &Value) -> &[Value] {
    list["operations"].as_array().unwrap()
}

fn references(operations: &[Value]) -> Vec<&str> {
    operations.iter().map(|operation| operation["reference"].as_str().unwrap()).collect()
}

/// Returns all operations, in pages of three. `between` is done after each page.
fn pages(client: &Client, filter: &Value, between: impl Fn()) -> Vec<Value> {
    let (mut all, mut after) = (Vec::new(), Value::Null);
    loop {
        let mut options = filter.clone();
        options["limit"] = json!(3);
        if !after.is_null() {
            options["after"] = after;
        }
        let page = parse(&client.list_operations(Some(&options.to_string())).unwrap());
        all.extend_from_slice(operations(&page));
        after = page["next"].clone();
        if after.is_null() {
            return all;
        }
        between();
    }
}

#[test]
fn lists_have_the_order_of_recording() {
    let fixture = Fixture::new();
    let (journal, copy) = (fixture.place("journal"), fixture.place("copy"));
    let client = fixture.open(&journal).unwrap();
    // Engage's clock, which states whole seconds, is known from the first response on.
    let sold: Vec<String> = (0..SALES).map(|number| format!("R{number}")).collect();
    for reference in &sold {
        let bought = buy(&client, reference).unwrap();
        assert!(bought["resolvedAtMs"].as_u64() >= bought["recordedAtMs"].as_u64(), "{bought:#}");
    }
    let check = |client: &Client, between: &dyn Fn()| {
        let list = parse(&client.list_unacknowledged(None).unwrap());
        assert_eq!(references(operations(&list)), sold, "unacknowledged");
        for filter in [json!({}), json!({ "acknowledged": false }), json!({ "outcome": "completed" })] {
            assert_eq!(references(&pages(client, &filter, between)), sold, "pages of {filter}");
        }
    };
    check(&client, &|| drop(client.compact_journal().unwrap()));
    client.backup_journal(copy.to_str().unwrap(), None).unwrap();
    client.close();
    drop(client);
    check(&fixture.open(&journal).unwrap(), &|| ());
    let copied = fixture.open_with(&copy, &json!({ "journalRole": "takeOver" })).unwrap();
    check(&copied, &|| ());
    copied.close();
}

#[test]
fn operations_of_one_receipt_have_the_order_of_recording() {
    let fixture = Fixture::new();
    let client = fixture.open(&fixture.place("journal")).unwrap();
    let contact = ContactId::parse(MEMBER, "contact").unwrap();
    let receipt = json!({ "reference": "receipt" }).to_string();
    // Items that are sold and items that are not.
    let pressed = [8, 1, 7, 4, 2, 5].map(|number| format!("b0000000-0000-4000-8000-00000000000{number}"));
    for item in &pressed {
        let _ = client.purchase(contact, ItemId::parse(item, "item").unwrap(), Some(&receipt));
    }
    let items = |list: &[u8]| -> Vec<String> {
        operations(&parse(list)).iter().map(|it| it["itemId"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(items(&client.list_unacknowledged(Some(&receipt)).unwrap()), pressed);
    assert_eq!(items(&client.list_operations(Some(&receipt)).unwrap()), pressed);
    assert_eq!(items(&client.acknowledge_reference("receipt", None).unwrap()), pressed);
    client.close();
}

/// The first byte of a page of a database file that is a leaf of a table.
const TABLE_LEAF: u8 = 13;

#[test]
fn records_around_a_damaged_page_keep_their_order() {
    let fixture = Fixture::new();
    let journal = fixture.place("journal");
    let client = fixture.open(&journal).unwrap();
    let sold: Vec<String> = (10..40).map(|number| format!("receipt {number}")).collect();
    for reference in &sold {
        let _ = buy(&client, reference);
    }
    client.close();
    drop(client);
    let mut file = std::fs::read(&journal).unwrap();
    let holds = |page: &[u8], reference: &str| page.windows(reference.len()).any(|part| part == reference.as_bytes());
    let damaged = file.chunks_mut(4096).find(|page| page[0] == TABLE_LEAF && holds(page, "receipt 25")).unwrap();
    damaged[..64].fill(0xFF);
    std::fs::write(&journal, &file).unwrap();
    let client = fixture.open_with(&journal, &json!({ "journalRecovery": "accept" })).unwrap();
    let listed = pages(&client, &json!({}), || ());
    let left = references(&listed);
    let expected: Vec<&String> = sold.iter().filter(|reference| left.contains(&reference.as_str())).collect();
    assert_eq!(left, expected);
    assert!((20..30).contains(&left.len()), "{left:?}");
    assert_eq!((left[0], left[left.len() - 1]), (&*sold[0], &*sold[29]));
    client.close();
}
