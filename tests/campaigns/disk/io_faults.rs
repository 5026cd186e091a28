//! Every file operation of a till's run fails once and always, one after the other, until a run
//! meets no fault. No request leaves without a durable record. The code states the true outcome and
//! the reason. Afterwards every operation is resolved.

use crate::fixture::{COFFEE, Counts, Fixture, MEMBER, NEW_YEAR_2099, Place, TillRun, campaign, press, sample};
use crate::full;
use crate::journal_format::write_checksums;
use crate::judge::Record;
use crate::shim::Event;
use crate::till::{TillCall, run_till};
use engage_point_shop::code::{TABLE, outcome};
use engage_point_shop::{Client, Code, ContactId, ItemId, OperationId, Outcome};
use engage_sandbox::{Effect, Fault, LedgerKind, Operation};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// A member without purchases.
const OTHER: &str = "a0000000-0000-4000-8000-000000000001";
const ERRNOS: [&str; 5] = ["EIO", "ENOSPC", "EROFS", "EACCES", "SHORT"];

/// A run: the till's script, and the state before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scenario {
    /// A new journal: a purchase, all acknowledged, another purchase.
    Sale,
    /// A declined purchase: a second request would deduct, once the item can be bought.
    Refusal,
    /// The journal holds a purchase whose response was lost.
    Lost,
}

#[derive(Debug, Clone)]
struct Point {
    scenario: Scenario,
    errno: &'static str,
    ever: bool,
    n: usize,
}

impl Point {
    fn fail(&self) -> String {
        format!("{}:{}:{}", self.n, self.errno, if self.ever { "ever" } else { "once" })
    }
}

impl Scenario {
    /// Prepares the state before the run, on a good disk.
    fn prepare(self, fixture: &Fixture, place: &Place) -> Vec<TillCall> {
        if self != Scenario::Lost {
            return Vec::new();
        }
        let calls = fixture.leave_pending(place, "before");
        place.take_events();
        calls
    }

    fn script(self) -> Vec<String> {
        let item = if self == Scenario::Refusal { NEW_YEAR_2099 } else { COFFEE };
        ["resolve:2000", &press(item, "R1"), "list", "resolve:2000", "ackall", &press(COFFEE, "R2"), "close"]
            .map(|command| command.replace(":10000", ":2000"))
            .to_vec()
    }
}

#[test]
fn file_operation_fails_once_or_always_keeps_the_promises() {
    let mut points = Vec::new();
    for scenario in [Scenario::Sale, Scenario::Refusal, Scenario::Lost] {
        for errno in ERRNOS {
            let operations = count(scenario, errno);
            // Threads make the number vary a little.
            let all: Vec<usize> = (1..=operations + 10).collect();
            for ever in [false, true] {
                // Each wait for a lock that always fails takes two seconds, or SQLite's ten
                // seconds.
                let most = match (errno, ever) {
                    ("EACCES", true) => 1,
                    ("EACCES", false) => 6,
                    _ => 16,
                };
                let chosen = match full() {
                    true if errno == "EACCES" && ever => sample(&all, 12),
                    true => all.clone(),
                    false => sample(&all, most),
                };
                points.extend(chosen.into_iter().map(|n| Point { scenario, errno, ever, n }));
            }
        }
    }
    campaign("faults", &points, "", |fixture, point| {
        fail_at(fixture, point).map_err(|violation| format!("{:?} at {}: {violation}", point.scenario, point.fail()))
    });
}

/// Returns how many operations can fail in this way.
fn count(scenario: Scenario, errno: &str) -> usize {
    let (fixture, place) = (Fixture::new(), Place::new());
    scenario.prepare(&fixture, &place);
    fixture.run(&place, Some(&format!("1000000:{errno}:once")), &scenario.script());
    operations(&place)
}

/// Returns how many operations of the last run could have failed.
fn operations(place: &Place) -> usize {
    let operations = place.take_events().into_iter().rev().find_map(|event| match event {
        Event::Operations(number) => Some(number),
        _ => None,
    });
    operations.expect("the till says how many operations it made")
}

fn fail_at(fixture: &Fixture, point: &Point) -> Result<Counts, String> {
    let place = Place::new();
    let mut calls = point.scenario.prepare(fixture, &place);
    let posts_before = fixture.posts();
    let run = fixture.run(&place, Some(&point.fail()), &point.scenario.script());
    let events = place.take_events();
    if !matches!(run.exit, Some(0 | 3)) {
        return Err(format!("the till ended with {:?}: {}", run.exit, run.stderr));
    }
    fixture.in_2099();
    attempts_left_only_for_reported_presses(fixture, &run, posts_before)?;
    let mut counts = reported_reason_is_right(point, &run, &events)?;
    if !point.ever {
        the_same_till_works_again(&run, &events)?;
    }
    // A failed open was checked above.
    calls.extend(run.calls.into_iter().filter(|call| call.verb() != "open"));
    calls.extend(fixture.recover(&place)?);
    let unrecorded = drop_unrecorded(&place, &mut calls);
    fixture.judge(&place, calls.clone()).map_err(|violation| format!("{violation}\ncalls: {calls:#?}"))?;
    counts.insert("recoveries".to_owned(), 1);
    counts.insert("unrecorded intents that had left no trace".to_owned(), unrecorded);
    Ok(counts)
}

/// The sync of an intent fails, and removing the intent fails too. The caller then gets pending,
/// because the record may still be there. It need not be: then there is no record, and the judge
/// accepts no request and no deduction.
fn drop_unrecorded(place: &Place, calls: &mut Vec<TillCall>) -> usize {
    let records = Record::read_journal(&place.journal());
    let before = calls.len();
    calls.retain(|call| {
        let id: Option<Uuid> = call.json("operationId").as_str().and_then(|id| id.parse().ok());
        call.code() != Some(Code::PendingNotPersisted.number()) || records.iter().any(|record| Some(record.id) == id)
    });
    before - calls.len()
}

/// Checks that no request left for an intent whose presses all returned not sent.
fn attempts_left_only_for_reported_presses(
    fixture: &Fixture,
    run: &TillRun,
    posts_before: usize,
) -> Result<(), String> {
    let presses = run.calls.iter().filter(|call| call.verb() == "purchase");
    let reported = presses.filter(|call| outcome(call.code().unwrap_or(0)) != Outcome::NotSent).count();
    let requests = fixture.sandbox.requests();
    let posts = requests.iter().filter(|request| request.method == "POST");
    let sent: BTreeSet<_> = posts.skip(posts_before).map(|request| request.purchase_id).collect();
    if sent.len() > reported + posts_before {
        return Err(format!(
            "requests that spend for {sent:?}, and only {reported} presses reported one: {:?}",
            run.calls
        ));
    }
    Ok(())
}

/// Checks that the call with the fault returns a code of the right class and, if it failed, the
/// right reason.
fn reported_reason_is_right(point: &Point, run: &TillRun, events: &[Event]) -> Result<Counts, String> {
    let Some(at) = events.iter().position(|event| matches!(event, Event::Fault { .. })) else {
        return Ok([("lives without a fault".to_owned(), 1)].into());
    };
    let Event::Fault { operation, path } = &events[at] else { unreachable!() };
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let what = format!("{operation} of {file}");
    let allowed = reasons(point.errno, operation, &file, point.ever);
    let general = reasons(point.errno, "", "", point.ever);
    let mut first = true;
    let mut counts: Counts = [("faults met".to_owned(), 1)].into();
    for call in &run.calls {
        let Some(code) = call.code() else { return Err(format!("{what}: no result of {call:?}")) };
        let name = TABLE.iter().find(|row| row.code.number() == code).map_or("?", |row| row.name);
        match code {
            // Not sent with a journal reason, or pending.
            -699..=-600 => {
                *counts.entry(format!("returned {name}")).or_default() += 1;
                // A permanent fault meets later calls in other operations.
                let allowed = if point.ever && !first { general } else { allowed };
                first = false;
                *counts.entry("reasons reported exactly".to_owned()).or_default() +=
                    usize::from(allowed[0].number() == code);
                if !allowed.iter().any(|allowed| allowed.number() == code) {
                    return Err(format!(
                        "{what} is reported as {name} {} {}",
                        call.json("message"),
                        call.json("cause")
                    ));
                }
                if call.json("message").as_str().unwrap_or_default().is_empty() {
                    return Err(format!("{what}: {name} without a message"));
                }
            }
            -599..=-500 => *counts.entry(format!("returned {name}")).or_default() += 1,
            0 => {}
            // A busy machine did not send the request in time, and the code states that.
            _ if code == Code::TimedOut.number() => {}
            // The sandbox declines this purchase.
            _ if code == Code::PurchaseNotAllowed.number() && point.scenario == Scenario::Refusal => {}
            _ => return Err(format!("{what} is reported as {name}: {call:?}")),
        }
    }
    Ok(counts)
}

/// Returns the codes that a fault may be reported as. The first is exact. SQLite does not
/// distinguish the others.
fn reasons(errno: &str, operation: &str, file: &str, ever: bool) -> &'static [Code] {
    let content = operation.starts_with("pwrite") && file.ends_with("-wal");
    match errno {
        // SQLite has one error for every fault of the WAL's index. The usual cause is a full disk.
        // With every later lock failing too, the first reason may be a lock's.
        _ if file.ends_with("-shm") && !operation.starts_with("fcntl") && !(errno == "EACCES" && ever) => {
            &[Code::JournalFull, Code::Journal, Code::JournalCannotOpen, Code::JournalReadOnly, Code::JournalDamaged]
        }
        "ENOSPC" | "SHORT" if content => &[Code::JournalFull],
        "ENOSPC" | "SHORT" => &[Code::JournalFull, Code::Journal, Code::JournalCannotOpen],
        "EROFS" => &[Code::JournalReadOnly, Code::Journal, Code::JournalCannotOpen],
        // The lock of a process on the journal is held only by another copy of the library in it.
        "EACCES" if operation.starts_with("fcntl") && file == "journal.db" && !ever => {
            &[Code::JournalLocked, Code::JournalSecondCopy, Code::Journal]
        }
        // SQLite waits ten seconds for a read lock of the index, as long as the call itself.
        "EACCES" if ever && (operation.is_empty() || operation.starts_with("fcntl")) => &[
            Code::JournalLocked,
            Code::JournalTimedOut,
            Code::JournalSecondCopy,
            Code::Journal,
            Code::JournalFull,
            Code::JournalCannotOpen,
        ],
        // Another process holds the lock. For a read lock of the index, SQLite reports a protocol
        // error.
        "EACCES" if operation.starts_with("fcntl") => {
            &[Code::JournalLocked, Code::Journal, Code::JournalFull, Code::JournalCannotOpen]
        }
        "EACCES" if ever => {
            &[Code::JournalCannotOpen, Code::Journal, Code::JournalReadOnly, Code::JournalLocked, Code::JournalTimedOut]
        }
        "EACCES" => &[Code::JournalCannotOpen, Code::Journal, Code::JournalReadOnly, Code::JournalLocked],
        // SQLite takes a failed read for damage.
        _ => &[Code::Journal, Code::JournalCannotOpen, Code::JournalDamaged, Code::JournalReadOnly],
    }
}

/// Checks that after a single fault the last press succeeds, unless the fault met that press.
fn the_same_till_works_again(run: &TillRun, events: &[Event]) -> Result<(), String> {
    let fault = events.iter().position(|event| matches!(event, Event::Fault { .. }));
    let last = events
        .iter()
        .position(|event| matches!(event, Event::Output(text) if text.starts_with("BEGIN") && text.contains(":R2:")));
    let (Some(fault), Some(last)) = (fault, last) else { return Ok(()) };
    let response =
        run.calls.iter().find(|call| call.verb() == "purchase" && call.argument(3) == "R2").and_then(TillCall::code);
    if fault < last && response != Some(0) {
        return Err(format!("a fault that applied once, and the next sale returns {response:?}: {:?}", run.calls));
    }
    Ok(())
}

#[test]
fn damaged_journal_moved_aside_on_a_bad_disk_keeps_its_bytes() {
    let mut points = Vec::new();
    for errno in ERRNOS {
        let (fixture, place) = (Fixture::new(), Place::new());
        damaged_journal(&fixture, &place);
        accept(&fixture, &place, Some(&format!("1000000:{errno}:once")));
        let all: Vec<usize> = (1..=operations(&place) + 5).collect();
        for ever in [false, true] {
            let most = if errno == "EACCES" { 4 } else { 12 };
            let chosen = if full() && (errno != "EACCES" || !ever) { all.clone() } else { sample(&all, most) };
            points.extend(chosen.into_iter().map(|n| Point { scenario: Scenario::Sale, errno, ever, n }));
        }
    }
    campaign("aside", &points, "", |fixture, point| {
        move_aside_at(fixture, point).map_err(|violation| format!("{}: {violation}", point.fail()))
    });
}

/// Makes a journal with one purchase and a write-ahead log, which SQLite cannot read. Returns the
/// bytes of both files.
fn damaged_journal(fixture: &Fixture, place: &Place) -> [Vec<u8>; 2] {
    let run = fixture.run(place, None, &[press(COFFEE, "R1")]);
    assert_eq!(run.calls.last().and_then(TillCall::code), Some(0), "{:?}", run.calls);
    place.take_events();
    let mut bytes = std::fs::read(place.journal()).unwrap();
    bytes[..16].fill(b'x');
    std::fs::write(place.journal(), &bytes).unwrap();
    [bytes, std::fs::read(place.folder().join("journal.db-wal")).unwrap()]
}

/// Runs a till that goes on with the records that can be read, and sells to another member: of the
/// same member's sales one may be lost.
fn accept(fixture: &Fixture, place: &Place, fail: Option<&str>) -> TillRun {
    let config = fixture.config(&place.journal(), &json!({ "journalRecovery": "accept" }));
    Fixture::run_at(&config, place, fail, &[press_of_other("R2"), "close".to_owned()])
}

fn press_of_other(reference: &str) -> String {
    press(COFFEE, reference).replace(MEMBER, OTHER)
}

fn move_aside_at(fixture: &Fixture, point: &Point) -> Result<Counts, String> {
    let place = Place::new();
    let damaged = damaged_journal(fixture, &place);
    let files_are_there = |when: &str| {
        let files = std::fs::read_dir(place.folder()).unwrap().map(|entry| entry.unwrap().path());
        let files: Vec<(PathBuf, Vec<u8>)> = files.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect();
        match damaged.iter().position(|bytes| !files.iter().any(|(_, content)| content == bytes)) {
            None => Ok(()),
            Some(at) => Err(format!(
                "{when}, the damaged {} is missing: {:?}",
                ["journal", "write-ahead log"][at],
                files.iter().map(|(path, _)| path).collect::<Vec<_>>()
            )),
        }
    };
    let run = accept(fixture, &place, Some(&point.fail()));
    if !matches!(run.exit, Some(0 | 3)) {
        return Err(format!("the till ended with {:?}: {:?} {}", run.exit, run.calls, run.stderr));
    }
    files_are_there("after the fault")?;
    let again = accept(fixture, &place, None);
    files_are_there("after the next open")?;
    let sale = again.calls.iter().find(|call| call.verb() == "purchase").and_then(TillCall::code);
    let deductions = fixture.sandbox.ledger().iter().filter(|entry| entry.kind == LedgerKind::Deduct).count();
    if (again.exit, sale, deductions) != (Some(0), Some(0), 2) {
        return Err(format!("{deductions} deductions, first {:?}, then {:?}", run.calls, again.calls));
    }
    let opened = usize::from(run.calls[0].code() == Some(0));
    Ok([("opens in spite of the fault".to_owned(), opened)].into())
}

#[test]
fn journal_whose_rebuild_is_killed_keeps_its_records() {
    let (fixture, place) = (Fixture::new(), Place::new());
    unreadable_state(&fixture, &place);
    rebuild(&fixture, &place, "1000000:KILL:once");
    let all: Vec<usize> = (1..=operations(&place) + 5).collect();
    let points = if full() { all } else { sample(&all, 40) };
    campaign("rebuild-kills", &points, "", |fixture, n| {
        kill_rebuild_at(fixture, *n).map_err(|violation| format!("killed before operation {n}: {violation}"))
    });
}

/// Makes a journal with two purchases whose own count cannot be read. Returns the calls, and the
/// bytes of the journal.
fn unreadable_state(fixture: &Fixture, place: &Place) -> (Vec<TillCall>, Vec<u8>) {
    let sales = [press(COFFEE, "A"), press(COFFEE, "B"), "close".to_owned()];
    let run = fixture.run(place, None, &sales);
    assert_eq!(run.exit, Some(0), "{:?}", run.calls);
    place.take_events();
    let journal = Connection::open(place.journal()).unwrap();
    let page: usize = journal
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'state'", (), |row| row.get::<_, i64>(0))
        .map(|page| page.try_into().unwrap())
        .unwrap();
    drop(journal);
    let mut bytes = std::fs::read(place.journal()).unwrap();
    bytes[(page - 1) * 4096..page * 4096].fill(0xff);
    std::fs::write(place.journal(), &bytes).unwrap();
    (run.calls, bytes)
}

fn rebuild(fixture: &Fixture, place: &Place, fail: &str) -> TillRun {
    let config = fixture.config(&place.journal(), &json!({ "journalRecovery": "accept" }));
    Fixture::run_at(&config, place, Some(fail), &["close".to_owned()])
}

fn kill_rebuild_at(fixture: &Fixture, n: usize) -> Result<Counts, String> {
    let place = Place::new();
    let (mut calls, damaged) = unreadable_state(fixture, &place);
    let run = rebuild(fixture, &place, &format!("{n}:KILL:once"));
    place.take_events();
    let killed = usize::from(run.exit.is_none());
    let script = ["list", &press_of_other("R2"), "close"].map(str::to_owned);
    // The first sale after a loss waits for the in-flight window.
    let plain = fixture.config(&place.journal(), &json!({ "requestTimeoutMs": 1_000 }));
    let mut again = Fixture::run_at(&plain, &place, None, &script);
    let whole = usize::from(again.exit == Some(0));
    if whole == 0 {
        let damage = [Code::JournalDamaged.number(), Code::JournalIncomplete.number()].map(Some);
        if !damage.contains(&again.calls[0].code()) {
            return Err(format!("the next open returns {:?}", again.calls));
        }
        let accepting = json!({ "requestTimeoutMs": 1_000, "journalRecovery": "accept" });
        again = Fixture::run_at(&fixture.config(&place.journal(), &accepting), &place, None, &script);
    }
    let listed = again.calls.iter().find(|call| call.verb() == "list").map(|call| call.json("operations"));
    let listed = listed.ok_or_else(|| format!("no list: {:?} {}", again.calls, again.stderr))?;
    let lost: Vec<&str> = ["A", "B"]
        .into_iter()
        .filter(|sale| !listed.as_array().is_some_and(|all| all.iter().any(|one| one["reference"] == **sale)))
        .collect();
    if !lost.is_empty() {
        return Err(format!("{lost:?} are lost, {listed}"));
    }
    let mut files = std::fs::read_dir(place.folder()).unwrap().map(|entry| entry.unwrap().path());
    if !files.any(|path| std::fs::read(path).unwrap() == damaged) {
        return Err("the damaged journal is missing".to_owned());
    }
    calls.extend(again.calls.into_iter().filter(|call| call.verb() != "open"));
    fixture.judge(&place, calls.clone()).map_err(|violation| format!("{violation}\ncalls: {calls:#?}"))?;
    Ok([("kills".to_owned(), killed), ("next opens without a further acceptance".to_owned(), whole)].into())
}

/// A till that gets one command after the other, and the duration of each.
struct RunningTill(Child, BufReader<ChildStdout>);

impl RunningTill {
    fn start(fixture: &Fixture, place: &Place) -> Self {
        let mut till = run_till(&fixture.config(&place.journal(), &json!({})), &["stdin"]);
        let mut child = till.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self(child, output)
    }

    fn next_call(&mut self) -> (TillCall, Duration) {
        let began = Instant::now();
        let mut lines = String::new();
        while !lines.contains("\nEND ") {
            assert_ne!(self.1.read_line(&mut lines).unwrap(), 0, "the till has ended: {lines}");
        }
        (TillCall::parse(&lines).remove(0), began.elapsed())
    }

    fn make(&mut self, command: &str) -> (TillCall, Duration) {
        writeln!(self.0.stdin.as_mut().unwrap(), "{command}").unwrap();
        self.next_call()
    }
}

#[test]
fn locked_journal_returns_in_time_and_works_when_released() {
    // A lock is waited for two seconds. The rest is for a busy machine.
    const IN_TIME: Duration = Duration::from_secs(4);
    let locked = Some(Code::JournalLocked.number());
    let (fixture, place) = (Fixture::new(), Place::new());
    let mut till = RunningTill::start(&fixture, &place);
    assert_eq!(till.next_call().0.code(), Some(0));
    let (mut longest, mut calls) = (Duration::ZERO, Vec::new());

    // Another connection writes and does not commit.
    let holder = Connection::open(place.journal()).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    for reference in ["R1", "R1", "R2"] {
        let (call, took) = till.make(&press(COFFEE, reference));
        assert_eq!(call.code(), locked, "{call:?}");
        assert!(call.json("message").as_str().unwrap().contains("Close what holds it"), "{call:?}");
        assert!(took < IN_TIME, "{took:?}");
        longest = longest.max(took);
        calls.push(call);
    }
    // Reads go on.
    assert_eq!(till.make("list").0.code(), Some(0));
    assert_eq!(fixture.posts(), 0);
    holder.execute_batch("ROLLBACK").unwrap();
    let (call, _) = till.make(&press(COFFEE, "R1"));
    assert_eq!(call.code(), Some(0), "{call:?}");
    calls.push(call);
    drop(till.0.stdin.take());
    assert!(till.0.wait().unwrap().success());

    // Another connection locks the whole journal before the till opens it.
    holder.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; PRAGMA user_version = 1;").unwrap();
    let mut till = RunningTill::start(&fixture, &place);
    let (call, took) = till.next_call();
    assert_eq!(call.code(), locked, "{call:?}");
    assert!(took < IN_TIME, "{took:?}");
    assert_eq!(till.0.wait().unwrap().code(), Some(3));
    drop(holder);
    calls.extend(fixture.recover(&place).unwrap());
    fixture.judge(&place, calls).unwrap();
    println!("campaign lock: 4 points tried, 0 violations, at most {} ms", longest.max(took).as_millis());
}

#[test]
fn completed_purchase_with_slow_disk_is_reported_at_once() {
    let (fixture, place) = (Fixture::new(), Place::new());
    let client = &Client::open(&fixture.config(&place.journal(), &json!({ "requestTimeoutMs": 5_000 }))).unwrap();
    let (contact, item) = (ContactId::parse(MEMBER, "contact").unwrap(), ItemId::parse(COFFEE, "item").unwrap());
    let object = |bytes: Vec<u8>| serde_json::from_slice::<Value>(&bytes).unwrap();
    fixture.sandbox.arm(Fault::on(Operation::Purchase, Effect::Delay { ms: 1_000 }));
    let sale = || client.purchase(contact, item, Some(r#"{"reference": "R1", "waitMs": 2000}"#));
    let (operation, holder) = std::thread::scope(|scope| {
        let sale = scope.spawn(sale);
        while fixture.posts() == 0 {
            std::thread::park_timeout(Duration::from_millis(1));
        }
        // No write is possible from the request until long after its response.
        let holder = Connection::open(place.journal()).unwrap();
        holder.execute_batch("BEGIN IMMEDIATE").unwrap();
        (object(sale.join().unwrap().unwrap()), holder)
    });
    assert_eq!(operation["state"], "completed");
    let written: String = holder.query_row("SELECT state FROM operation", (), |row| row.get(0)).unwrap();
    assert_eq!(written, "recorded", "the journal was not held in time");

    let id = OperationId::parse(operation["operationId"].as_str().unwrap(), "operation").unwrap();
    let known = || object(client.get_operation(id).unwrap());
    assert_eq!(known()["state"], "completed");
    assert_eq!(object(client.list_unacknowledged(None).unwrap())["operations"][0]["state"], "completed");
    // The completion is not persisted and cannot be persisted now. The call reports it, and a
    // reported completion stays.
    assert_eq!(client.acknowledge(id).unwrap_err().code(), Code::JournalLocked);
    assert_eq!(known()["state"], "completed");
    // Meanwhile another till's status query has found nothing, and has persisted that.
    holder.execute_batch("UPDATE operation SET state = 'inDoubt', code = -512, revision = revision + 1").unwrap();
    write_checksums(&holder);
    holder.execute_batch("COMMIT").unwrap();
    assert_eq!(known()["state"], "completed");
    assert_eq!(object(client.acknowledge(id).unwrap()), known());
    assert!(known()["acknowledgedAtMs"].is_u64());
    assert_eq!(object(client.list_unacknowledged(None).unwrap())["operations"], json!([]));
    client.close();
    println!("campaign ahead: 1 points tried, 0 violations");
}
