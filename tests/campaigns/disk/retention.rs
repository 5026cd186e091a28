//! The journal's retention: an acknowledged record is deleted after its retention by the till's
//! clock and Engage's. Any other record is kept. The size of the write-ahead log is tested too.

use crate::fixture::{COFFEE, Fixture, MEMBER, Place, press};
use crate::journal_paths::{DAY_MS, RunningTill};
use crate::judge::Record;
use crate::power_cuts::offline;
use engage_point_shop::{Client, ContactId, ItemId, Outcome};
use engage_sandbox::{Effect, Fault, FaultResponse, Operation};
use serde_json::json;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn records_past_retention_are_deleted_if_acknowledged() {
    let (fixture, place) = (Fixture::new(), Place::new());
    let config = fixture.config(&place.journal(), &json!({ "retentionDays": 30, "retryScheduleMs": [86_400_000] }));
    let mut till = RunningTill::start(&config, &place, 0);
    assert_eq!(till.make(&press(COFFEE, "acknowledged")).code(), Some(0));
    let id = till.make("list").json("operations")[0]["operationId"].as_str().unwrap().to_owned();
    assert_eq!(till.make(&format!("ack:{id}")).code(), Some(0));
    assert_eq!(till.make(&press(COFFEE, "not-acknowledged")).code(), Some(0));
    // Engage's responses say nothing from now on: the next purchase stays pending, but Engage's
    // clock is known.
    let says_nothing = FaultResponse {
        body: Some(r#"[{"status":"Unknown"}]"#.to_owned()),
        content_type: Some("application/json".to_owned()),
        ..FaultResponse::status(200)
    };
    fixture.sandbox.arm(Fault::on(Operation::Any, Effect::Status(says_nothing)).times(0));
    assert_eq!(till.make(&format!("purchase:{MEMBER}:{COFFEE}:pending:250")).code().map(|code| code / 100), Some(-5));
    till.end();
    let held = || {
        let mut references: Vec<String> =
            Record::read_journal(&place.journal()).into_iter().filter_map(|record| record.reference).collect();
        references.sort();
        references
    };
    let others = ["not-acknowledged", "pending"];
    // The till's clock, and Engage's. Both must say that the retention is over: either may be wrong
    // by years.
    for (till_days, engage_days) in [(-400, 0), (4000, 0), (0, 4000), (29, 29), (4000, 29), (-400, 31)] {
        open_and_query(&fixture, &config, &place, till_days, engage_days);
        assert_eq!(held(), ["acknowledged", others[0], others[1]], "after {engage_days} days at Engage");
    }
    for (till_days, engage_days) in [(31, 31), (4000, 4000)] {
        open_and_query(&fixture, &config, &place, till_days, engage_days);
        assert_eq!(held(), others, "after {engage_days} days at Engage");
    }
    println!("campaign retention: 8 points tried, 0 violations");
}

/// Opens the journal on a day, and sends a status query, whose response has Engage's day.
fn open_and_query(fixture: &Fixture, config: &str, place: &Place, till_days: i64, engage_days: i64) {
    fixture.sandbox.set_clock_offset(engage_days * DAY_MS);
    let mut till = RunningTill::start(config, place, till_days * DAY_MS);
    let result = till.make("resolve:2000");
    assert_eq!((result.code(), result.json("pending")), (Some(0), &json!(1)));
    // Waits for the worker, which deletes the records after the query.
    assert_eq!(till.make("close").code(), Some(0));
    till.end();
}

/// How often the write-ahead log must begin anew, and after how many sales at most. A checkpoint
/// comes every 200 writes, and a sale has two. A reader at the moment of a checkpoint puts the new
/// beginning off until the next one.
const RESTARTS: u32 = 3;
const MOST_SALES: usize = 20_000;

/// Returns how often a write-ahead log has begun anew: its header counts that.
fn restarts(journal: &Path) -> u32 {
    let log = std::fs::read(format!("{}-wal", journal.display())).unwrap();
    u32::from_be_bytes(log[12..16].try_into().unwrap())
}

#[test]
fn write_ahead_log_of_busy_journal_begins_anew() {
    const THREADS: usize = 4;
    let (fixture, place) = (Fixture::new(), Place::new());
    let client = Client::open(&offline(&fixture, &place)).unwrap();
    let (contact, item) = (ContactId::parse(MEMBER, "contact").unwrap(), ItemId::parse(COFFEE, "item").unwrap());
    let (sales, before) = (AtomicUsize::new(0), restarts(&place.journal()));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            let (client, sales, journal) = (&client, &sales, place.journal());
            scope.spawn(move || {
                loop {
                    let sale = sales.fetch_add(1, Ordering::Relaxed);
                    if sale >= MOST_SALES || sale % 50 == 49 && restarts(&journal) - before >= RESTARTS {
                        break;
                    }
                    let options = json!({ "reference": format!("{sale}"), "waitMs": 60_000 }).to_string();
                    let error = client.purchase(contact, item, Some(&options)).unwrap_err();
                    // On a busy machine the connection is not rejected in time.
                    assert_eq!(error.code().row().outcome, Outcome::NotSent, "{error:?}");
                }
                sales.store(MOST_SALES, Ordering::Relaxed);
            });
        }
    });
    let bytes = |suffix: &str| std::fs::metadata(format!("{}{suffix}", place.journal().display())).unwrap().len();
    let (often, log) = (restarts(&place.journal()) - before, bytes("-wal") >> 10);
    assert!(often >= RESTARTS, "the write-ahead log has {log} KB and began anew {often} times");
    println!("campaign write-ahead-log: {often} points tried, 0 violations, {log} KB");
    client.close();
    assert!(!place.folder().join("journal.db-wal").exists(), "a closed journal has no write-ahead log");
}
