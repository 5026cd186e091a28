//! How long the journal remembers: an acknowledged record goes at the first open after its retention, any other never.

use crate::bench::{Bench, COFFEE, MEMBER, Place, press};
use crate::judge::Record;
use crate::places::{DAY_MS, Strings};
use engage_sandbox::{Effect, Fault, Operation};
use serde_json::json;

#[test]
fn acknowledged_records_go_after_their_retention_and_others_never() {
    let (bench, place) = (Bench::new(), Place::new());
    let config = bench.config(&place.journal(), &json!({ "retentionDays": 30, "settleSpacingMs": [86_400_000] }));
    let mut till = Strings::start(&config, &place, 0);
    assert_eq!(till.make(&press(COFFEE, "acknowledged")).code(), Some(0));
    let id = till.make("unsettled").json("operations")[0]["operationId"].as_str().unwrap().to_owned();
    assert_eq!(till.make(&format!("ack:{id}")).code(), Some(0));
    assert_eq!(till.make(&press(COFFEE, "not-acknowledged")).code(), Some(0));
    // From now on nothing is answered: the next stays pending.
    bench.sandbox.arm(Fault::on(Operation::Any, Effect::StallBeforeCommit).times(0));
    assert_eq!(till.make(&format!("purchase:{MEMBER}:{COFFEE}:pending:250")).code().map(|code| code / 100), Some(-5));
    till.end();
    let held = || {
        let mut references: Vec<String> =
            Record::read_journal(&place.journal()).into_iter().filter_map(|record| record.reference).collect();
        references.sort();
        references
    };
    let others = ["not-acknowledged", "pending"];
    // A clock that went back, a restart the same day, and the last day of its time: it stays.
    for days in [-400, 0, 29] {
        Strings::start(&config, &place, days * DAY_MS).end();
        assert_eq!(held(), ["acknowledged", others[0], others[1]], "after {days} days");
    }
    for days in [31, 4000] {
        Strings::start(&config, &place, days * DAY_MS).end();
        assert_eq!(held(), others, "after {days} days");
    }
    println!("campaign retention: 5 points tried, 0 violations");
}
