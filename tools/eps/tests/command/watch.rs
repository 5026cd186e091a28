//! `watch`: the changes of another process.

use super::support::{COFFEE, GATEWAY_ERROR, Running, Store, buy, command, item};
use engage_point_shop::OperationId;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::Stdio;

#[test]
fn changes_of_another_process_are_printed_as_they_happen() {
    let store = Store::open();
    let till = store.till();
    let first = store.buy_pending(item(GATEWAY_ERROR), "receipt 1", &json!({}), 17);
    let config = store.path("till.json");
    let arguments = ["--config", config.to_str().unwrap(), "watch", "--json", "--every-ms", "50", "--count", "3"];
    let mut watching = Running(command(&arguments).stdout(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(watching.0.stdout.take().unwrap()).lines();
    let mut next = || {
        let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        (
            line["operationId"].as_str().unwrap().to_owned(),
            line["outcome"].as_str().unwrap().to_owned(),
            line["acknowledgedAtMs"].is_u64(),
        )
    };
    assert_eq!(next(), (first.clone(), "pending".into(), false), "what is there at the start");
    let second = buy(&till, COFFEE, "receipt 2");
    assert_eq!(next(), (second.clone(), "completed".into(), false));
    till.acknowledge(OperationId::parse(&second, "id").unwrap()).unwrap();
    assert_eq!(next(), (second, "completed".into(), true));
    store.eps(&["resolve"]).ends(0);
    assert_eq!(next(), (first, "completed".into(), false));
    assert_eq!(watching.0.wait().unwrap().code(), Some(0));
}
