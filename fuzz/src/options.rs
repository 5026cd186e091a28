//! `options_json` of every call, and the other texts that a caller passes. An invalid text is the
//! caller's mistake, and the error names it. A valid text leads to a request to an unreachable
//! server.

use super::{check, client, contact, item};
use engage_point_shop::{AssignmentId, Client, Code, Error, OperationId};
use serde_json::{Value, json};
use std::cell::RefCell;

/// The discard port. No server listens on it here.
const DISCARD: u16 = 9;
/// The limit exists because a client keeps every purchase that it was asked for.
const CALLS_A_CLIENT: usize = 500;

thread_local! {
    static CLIENT: RefCell<Option<(Client, usize)>> = const { RefCell::new(None) };
}

pub fn run(data: &[u8]) {
    let Some((which, rest)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    CLIENT.with_borrow_mut(|kept| {
        let (client, calls) = kept.get_or_insert_with(|| (client(DISCARD, &json!({})), 0));
        call(client, *which, text);
        *calls += 1;
        if *calls == CALLS_A_CLIENT {
            *kept = None;
        }
    });
}

fn call(client: &Client, which: u8, text: &str) {
    let options = Some(text);
    let assignment = AssignmentId::parse("c0000000-0000-4000-8000-000000000001", "assignment").unwrap();
    let operation = OperationId::fresh();
    let result: Result<Value, Error> = match which % 12 {
        0 => check(client.list_items(contact(), options)),
        1 => check(client.list_points(contact(), options)),
        2 => check(client.list_rewards(contact(), options)),
        3 => check(client.list_purchases(contact(), options)),
        4 => check(client.purchase(contact(), item(), options)),
        5 => check(client.redeem_reward(Some(contact()), assignment, options)),
        6 => check(client.find_reward(operation, options)),
        7 => check(client.find_contact("email", "a@example.com", options)),
        8 => check(client.find_contact(text, "a@example.com", None)),
        9 => check(client.find_contact("any", text, None)),
        10 => check(client.list_unacknowledged(options)),
        _ => check(client.resolve_pending(options)),
    };
    if let Err(error) = result {
        let code = error.code().number();
        let expected =
            (-199..=-100).contains(&code) || (-499..=-400).contains(&code) || error.code() == Code::PendingWaitEnded;
        assert!(expected, "{error}");
    }
}
