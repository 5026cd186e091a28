//! Every file operation of a till's life fails once and for ever, one after the other, until a life meets no fault any more.
//! Nothing is sent without a durable record, the code tells the truth and the reason, and afterwards everything settles.

use crate::fixture::{Bench, COFFEE, Counts, Life, MEMBER, NEW_YEAR_2099, Place, campaign, impatient, press, sample};
use crate::full;
use crate::judge::Record;
use crate::shim::Event;
use crate::till::{Told, run_till};
use engage_point_shop::code::{TABLE, outcome};
use engage_point_shop::{Client, Code, ContactId, ItemId, OperationId, Outcome};
use engage_sandbox::{Effect, Fault, Operation};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};
use uuid::Uuid;

const TROUBLES: [&str; 5] = ["EIO", "ENOSPC", "EROFS", "EACCES", "SHORT"];

/// A life: what a till does, and what there was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Story {
    /// On a new journal: a purchase, all acknowledged, another one.
    Sale,
    /// A refusal: a second request, once the item can be bought, would deduct.
    Refusal,
    /// The journal holds a purchase whose answer was lost.
    Lost,
}

#[derive(Debug, Clone)]
struct Point {
    story: Story,
    trouble: &'static str,
    ever: bool,
    n: usize,
}

impl Point {
    fn fail(&self) -> String {
        format!("{}:{}:{}", self.n, self.trouble, if self.ever { "ever" } else { "once" })
    }
}

impl Story {
    /// Brings about what there was before, on a good disk.
    fn prepare(self, bench: &Bench, place: &Place) -> Vec<Told> {
        if self != Story::Lost {
            return Vec::new();
        }
        bench.lose_an_answer();
        let mut told = Vec::new();
        // Closed before it is settled. On a busy computer the request may not have left by then; the next press is the same sale.
        while bench.posts() == 0 {
            assert!(told.len() < 100, "the request does not leave: {told:?}");
            told.extend(bench.life(place, None, &[impatient(&press(COFFEE, "before")), "close".to_owned()]).told);
            place.take_events();
        }
        told
    }

    fn script(self) -> Vec<String> {
        let item = if self == Story::Refusal { NEW_YEAR_2099 } else { COFFEE };
        ["settle:2000", &press(item, "R1"), "unsettled", "settle:2000", "ackall", &press(COFFEE, "R2"), "close"]
            .map(|command| command.replace(":10000", ":2000"))
            .to_vec()
    }
}

#[test]
fn every_file_operation_may_fail_once_or_for_ever() {
    let mut points = Vec::new();
    for story in [Story::Sale, Story::Refusal, Story::Lost] {
        for trouble in TROUBLES {
            let operations = count(story, trouble);
            // Threads make the number vary a little.
            let all: Vec<usize> = (1..=operations + 10).collect();
            for ever in [false, true] {
                // Waiting out a lock that is refused for ever takes its two, or SQLite's own ten seconds each time.
                let most = match (trouble, ever) {
                    ("EACCES", true) => 1,
                    ("EACCES", false) => 6,
                    _ => 16,
                };
                let chosen = match full() {
                    true if trouble == "EACCES" && ever => sample(&all, 12),
                    true => all.clone(),
                    false => sample(&all, most),
                };
                points.extend(chosen.into_iter().map(|n| Point { story, trouble, ever, n }));
            }
        }
    }
    campaign("faults", &points, "", |bench, point| {
        fail_at(bench, point).map_err(|violation| format!("{:?} at {}: {violation}", point.story, point.fail()))
    });
}

/// How many operations can fail in this way.
fn count(story: Story, trouble: &str) -> usize {
    let (bench, place) = (Bench::new(), Place::new());
    story.prepare(&bench, &place);
    bench.life(&place, Some(&format!("1000000:{trouble}:once")), &story.script());
    let operations = place.take_events().into_iter().rev().find_map(|event| match event {
        Event::Operations(number) => Some(number),
        _ => None,
    });
    operations.expect("the till says how many operations it made")
}

fn fail_at(bench: &Bench, point: &Point) -> Result<Counts, String> {
    let place = Place::new();
    let mut told = point.story.prepare(bench, &place);
    let posts_before = bench.posts();
    let life = bench.life(&place, Some(&point.fail()), &point.story.script());
    let events = place.take_events();
    if !matches!(life.exit, Some(0 | 3)) {
        return Err(format!("the till ended with {:?}: {}", life.exit, life.stderr));
    }
    bench.in_2099();
    nothing_was_sent_unless_told(bench, &life, posts_before)?;
    let mut counts = the_reason_is_told(point, &life, &events)?;
    if !point.ever {
        the_same_till_works_again(&life, &events)?;
    }
    // An open that failed has been judged above.
    told.extend(life.told.into_iter().filter(|told| told.verb() != "open"));
    told.extend(bench.recover(&place)?);
    let doubtful = forget_the_doubtful(&place, &mut told);
    bench.judge(&place, told.clone()).map_err(|violation| format!("{violation}\ntold: {told:#?}"))?;
    counts.insert("recoveries".to_owned(), 1);
    counts.insert("doubtful intents that had left no trace".to_owned(), doubtful);
    Ok(counts)
}

/// When the sync of an intent fails and taking it back fails too, the caller is told that it is pending, because it may come to life.
/// It need not: then there is no record, and the judge will not accept a request or a deduction.
fn forget_the_doubtful(place: &Place, told: &mut Vec<Told>) -> usize {
    let records = Record::read_journal(&place.journal());
    let before = told.len();
    told.retain(|told| {
        let id: Option<Uuid> = told.json("operationId").as_str().and_then(|id| id.parse().ok());
        told.code() != Some(Code::PendingNotPersisted.number()) || records.iter().any(|record| Some(record.id) == id)
    });
    before - told.len()
}

/// No intent has a request that spends, whose every press was told that nothing was sent.
fn nothing_was_sent_unless_told(bench: &Bench, life: &Life, posts_before: usize) -> Result<(), String> {
    let presses = life.told.iter().filter(|told| told.verb() == "purchase");
    let told_of = presses.filter(|told| outcome(told.code().unwrap_or(0)) != Outcome::NotSent).count();
    let requests = bench.sandbox.requests();
    let posts = requests.iter().filter(|request| request.method == "POST");
    let sent: BTreeSet<_> = posts.skip(posts_before).map(|request| request.purchase_id).collect();
    if sent.len() > told_of + posts_before {
        return Err(format!(
            "requests that spend for {sent:?}, and only {told_of} presses were told of one: {:?}",
            life.told
        ));
    }
    Ok(())
}

/// The call that met the fault is answered in the right band and, if it failed, for the right reason.
fn the_reason_is_told(point: &Point, life: &Life, events: &[Event]) -> Result<Counts, String> {
    let Some(at) = events.iter().position(|event| matches!(event, Event::Fault { .. })) else {
        return Ok([("lives without a fault".to_owned(), 1)].into());
    };
    let Event::Fault { operation, path } = &events[at] else { unreachable!() };
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let what = format!("{operation} of {file}");
    let allowed = reasons(point.trouble, operation, &file);
    let general = reasons(point.trouble, "", "");
    let mut first = true;
    let mut counts: Counts = [("faults met".to_owned(), 1)].into();
    for told in &life.told {
        let Some(code) = told.code() else { return Err(format!("{what}: no answer to {told:?}")) };
        let name = TABLE.iter().find(|row| row.code.number() == code).map_or("?", |row| row.name);
        match code {
            // Nothing was sent and a journal's reason, or pending.
            -699..=-600 => {
                *counts.entry(format!("told {name}")).or_default() += 1;
                // A fault that stays meets later calls in other operations.
                let allowed = if point.ever && !first { general } else { allowed };
                first = false;
                *counts.entry("reasons told exactly".to_owned()).or_default() +=
                    usize::from(allowed[0].number() == code);
                if !allowed.iter().any(|allowed| allowed.number() == code) {
                    return Err(format!("{what} is told as {name} {} {}", told.json("message"), told.json("cause")));
                }
                if told.json("message").as_str().unwrap_or_default().is_empty() {
                    return Err(format!("{what}: {name} without a message"));
                }
            }
            -599..=-500 => *counts.entry(format!("told {name}")).or_default() += 1,
            0 => {}
            // A busy computer did not get round to sending it in time, and says so.
            _ if code == Code::TimedOut.number() => {}
            // The refusal of this story, on Engage's word.
            _ if code == Code::PurchaseNotAllowed.number() && point.story == Story::Refusal => {}
            _ => return Err(format!("{what} is told as {name}: {told:?}")),
        }
    }
    Ok(counts)
}

/// What a trouble may be told as: its own code first, then those that SQLite leaves no way to tell better.
fn reasons(trouble: &str, operation: &str, file: &str) -> &'static [Code] {
    let content = operation.starts_with("pwrite") && file.ends_with("-wal");
    match trouble {
        // SQLite has one word for all that can happen to the index of the log, and it is nearly always a full disk.
        _ if file.ends_with("-shm") && !operation.starts_with("fcntl") => {
            &[Code::JournalFull, Code::Journal, Code::JournalCannotOpen, Code::JournalReadOnly, Code::JournalDamaged]
        }
        "ENOSPC" | "SHORT" if content => &[Code::JournalFull],
        "ENOSPC" | "SHORT" => &[Code::JournalFull, Code::Journal, Code::JournalCannotOpen],
        "EROFS" => &[Code::JournalReadOnly, Code::Journal, Code::JournalCannotOpen],
        // Declined by another process' lock; where it is the index' lock for reading, SQLite calls it a broken protocol. For ever, the
        // same trouble meets a look at the index next, or an opening.
        "EACCES" if operation.is_empty() || operation.starts_with("fcntl") => {
            &[Code::JournalLocked, Code::Journal, Code::JournalFull, Code::JournalCannotOpen]
        }
        "EACCES" => &[Code::JournalCannotOpen, Code::Journal, Code::JournalReadOnly, Code::JournalLocked],
        // SQLite takes a read that fails for damage.
        _ => &[Code::Journal, Code::JournalCannotOpen, Code::JournalDamaged, Code::JournalReadOnly],
    }
}

/// After a fault that struck once, the last press is as good as any, unless the fault struck in it.
fn the_same_till_works_again(life: &Life, events: &[Event]) -> Result<(), String> {
    let fault = events.iter().position(|event| matches!(event, Event::Fault { .. }));
    let last = events
        .iter()
        .position(|event| matches!(event, Event::Told(text) if text.starts_with("BEGIN") && text.contains(":R2:")));
    let (Some(fault), Some(last)) = (fault, last) else { return Ok(()) };
    let answer =
        life.told.iter().find(|told| told.verb() == "purchase" && told.argument(3) == "R2").and_then(Told::code);
    if fault < last && answer != Some(0) {
        return Err(format!(
            "a fault that struck once, and the next sale is answered with {answer:?}: {:?}",
            life.told
        ));
    }
    Ok(())
}

/// A till that is told one command after the other, and how long each took.
struct Driven(Child, BufReader<ChildStdout>);

impl Driven {
    fn start(bench: &Bench, place: &Place) -> Self {
        let mut till = run_till(&bench.config(&place.journal(), &json!({})), &["stdin"]);
        let mut child = till.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self(child, output)
    }

    fn told(&mut self) -> (Told, Duration) {
        let began = Instant::now();
        let mut lines = String::new();
        while !lines.contains("\nEND ") {
            assert_ne!(self.1.read_line(&mut lines).unwrap(), 0, "the till has ended: {lines}");
        }
        (Told::parse(&lines).remove(0), began.elapsed())
    }

    fn make(&mut self, command: &str) -> (Told, Duration) {
        writeln!(self.0.stdin.as_mut().unwrap(), "{command}").unwrap();
        self.told()
    }
}

#[test]
fn a_journal_that_is_held_for_ever_is_told_as_locked_in_time_and_works_when_it_is_let_go() {
    // A lock is waited for two seconds; the rest is what a busy computer needs.
    const IN_TIME: Duration = Duration::from_secs(4);
    let locked = Some(Code::JournalLocked.number());
    let (bench, place) = (Bench::new(), Place::new());
    let mut till = Driven::start(&bench, &place);
    assert_eq!(till.told().0.code(), Some(0));
    let (mut longest, mut all_told) = (Duration::ZERO, Vec::new());

    // Somebody writes and does not end.
    let holder = Connection::open(place.journal()).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    for reference in ["R1", "R1", "R2"] {
        let (told, took) = till.make(&press(COFFEE, reference));
        assert_eq!(told.code(), locked, "{told:?}");
        assert!(told.json("message").as_str().unwrap().contains("Close what holds it"), "{told:?}");
        assert!(took < IN_TIME, "{took:?}");
        longest = longest.max(took);
        all_told.push(told);
    }
    // What only reads goes on.
    assert_eq!(till.make("unsettled").0.code(), Some(0));
    assert_eq!(bench.posts(), 0);
    holder.execute_batch("ROLLBACK").unwrap();
    let (told, _) = till.make(&press(COFFEE, "R1"));
    assert_eq!(told.code(), Some(0), "{told:?}");
    all_told.push(told);
    drop(till.0.stdin.take());
    assert!(till.0.wait().unwrap().success());

    // Somebody has the whole journal for himself when the till opens.
    holder.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; PRAGMA user_version = 1;").unwrap();
    let mut till = Driven::start(&bench, &place);
    let (told, took) = till.told();
    assert_eq!(told.code(), locked, "{told:?}");
    assert!(took < IN_TIME, "{took:?}");
    assert_eq!(till.0.wait().unwrap().code(), Some(3));
    drop(holder);
    all_told.extend(bench.recover(&place).unwrap());
    bench.judge(&place, all_told).unwrap();
    println!("campaign lock: 4 points tried, 0 violations, at most {} ms", longest.max(took).as_millis());
}

#[test]
fn a_completed_purchase_is_told_while_its_outcome_waits_for_the_disk_and_known_to_every_call() {
    let (bench, place) = (Bench::new(), Place::new());
    let client = &Client::open(&bench.config(&place.journal(), &json!({ "requestTimeoutMs": 5_000 }))).unwrap();
    let (contact, item) = (ContactId::parse(MEMBER, "contact").unwrap(), ItemId::parse(COFFEE, "item").unwrap());
    let object = |bytes: Vec<u8>| serde_json::from_slice::<Value>(&bytes).unwrap();
    bench.sandbox.arm(Fault::on(Operation::Purchase, Effect::Delay { ms: 1_000 }));
    let sale = || client.purchase(contact, item, Some(r#"{"reference": "R1", "waitMs": 2000}"#));
    let (told, holder) = std::thread::scope(|scope| {
        let sale = scope.spawn(sale);
        while bench.posts() == 0 {
            std::thread::park_timeout(Duration::from_millis(1));
        }
        // From the request to long after its answer nothing can be written.
        let holder = Connection::open(place.journal()).unwrap();
        holder.execute_batch("BEGIN IMMEDIATE").unwrap();
        (object(sale.join().unwrap().unwrap()), holder)
    });
    assert_eq!(told["state"], "completed");
    let written: String = holder.query_row("SELECT state FROM operation", (), |row| row.get(0)).unwrap();
    assert_eq!(written, "recorded", "the journal was not held in time");

    let id = OperationId::parse(told["operationId"].as_str().unwrap(), "operation").unwrap();
    let known = || object(client.get_operation(id).unwrap());
    assert_eq!(known()["state"], "completed");
    assert_eq!(object(client.list_unacknowledged(None).unwrap())["operations"][0]["state"], "completed");
    // It could not be written, nor can it be now: that is told, and what was told is not taken back.
    assert_eq!(client.acknowledge(id).unwrap_err().code(), Code::JournalLocked);
    assert_eq!(known()["state"], "completed");
    // Another till's look has found nothing meanwhile, and wrote that.
    holder
        .execute_batch("UPDATE operation SET state = 'unknown', code = -512, revision = revision + 1; COMMIT")
        .unwrap();
    assert_eq!(known()["state"], "completed");
    assert_eq!(object(client.acknowledge(id).unwrap()), known());
    assert!(known()["acknowledgedAtMs"].is_u64());
    assert_eq!(object(client.list_unacknowledged(None).unwrap())["operations"], json!([]));
    client.close();
    println!("campaign ahead: 1 points tried, 0 violations");
}
