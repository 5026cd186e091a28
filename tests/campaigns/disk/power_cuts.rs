//! Power cuts: a till's run is recorded once. For every moment of the run the tests build the disks
//! that a cut could leave. Each journal must open, resolve and agree with the till's output and the
//! sandbox at that moment.

use crate::fixture::{COFFEE, Counts, Fixture, NEW_YEAR_2099, Place, campaign, press, sample, with_short_wait};
use crate::full;
use crate::judge::Record;
use crate::random::Random;
use crate::shim::Event;
use crate::till::TillCall;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use uuid::Uuid;

/// A drive tears at sectors: each sector is written or not.
const SECTOR: usize = 512;

/// The part of the unsynced writes that survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Lost,
    Kept,
    /// The first writes, up to a number.
    Prefix,
    /// Any of the writes.
    Subset,
    /// Any sectors of any writes.
    Torn,
    /// The same as `Torn`, in files that have already grown to their new lengths. The missing
    /// sectors are zeros.
    Grown,
}

/// The fate of the files' bytes, and of the folder's entries.
const FATES: [(Fate, Fate); 8] = [
    (Fate::Lost, Fate::Lost),
    (Fate::Kept, Fate::Kept),
    (Fate::Lost, Fate::Kept),
    (Fate::Kept, Fate::Lost),
    (Fate::Prefix, Fate::Prefix),
    (Fate::Subset, Fate::Subset),
    (Fate::Torn, Fate::Kept),
    (Fate::Grown, Fate::Subset),
];

/// Returns which of `count` things survive.
fn survivors(random: &mut Random, fate: Fate, count: usize) -> Vec<bool> {
    let first = random.place(count + 1);
    (0..count)
        .map(|at| match fate {
            Fate::Lost => false,
            Fate::Prefix => at < first,
            Fate::Subset => random.one_in(2),
            // Both are decided sector by sector later.
            Fate::Kept | Fate::Torn | Fate::Grown => true,
        })
        .collect()
}

#[derive(Debug, Clone)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Truncate(usize),
}

#[derive(Debug, Clone, Default)]
struct File {
    durable: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Entry {
    Add(PathBuf, usize),
    Remove(PathBuf),
    /// Atomic: a cut leaves the old name or the new one.
    Rename {
        from: PathBuf,
        to: PathBuf,
        number: usize,
    },
}

/// The durable content of the disk, and the content that may survive.
#[derive(Debug, Clone, Default)]
struct Disk {
    files: Vec<File>,
    /// The content that the till sees.
    seen: BTreeMap<PathBuf, usize>,
    /// The content that a cut certainly leaves, without `unsynced`.
    durable: BTreeMap<PathBuf, usize>,
    unsynced: Vec<Entry>,
}

impl Disk {
    /// Reads a folder as durable content, without the WAL's index.
    fn of(folder: &Path) -> Disk {
        let mut disk = Disk::default();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if !path.to_string_lossy().ends_with("-shm") {
                disk.seen.insert(path.clone(), disk.files.len());
                disk.files.push(File { durable: std::fs::read(path).unwrap(), unsynced: Vec::new() });
            }
        }
        disk.durable = disk.seen.clone();
        disk
    }

    fn file(&mut self, path: &Path) -> &mut File {
        let number = *self.seen.get(path).unwrap_or_else(|| panic!("{} is used and is not there", path.display()));
        &mut self.files[number]
    }

    fn apply(&mut self, event: &Event) {
        match event {
            Event::Create(path) => {
                self.seen.insert(path.clone(), self.files.len());
                self.unsynced.push(Entry::Add(path.clone(), self.files.len()));
                self.files.push(File::default());
            }
            Event::Write { path, at, bytes } => {
                self.file(path).unsynced.push(Change::Write { at: *at, bytes: bytes.clone() });
            }
            Event::Truncate(path, length) => self.file(path).unsynced.push(Change::Truncate(*length)),
            Event::Sync(path) => {
                let file = self.file(path);
                for change in std::mem::take(&mut file.unsynced) {
                    change.apply(&mut file.durable, |_| true);
                }
            }
            Event::Unlink(path) => {
                self.seen.remove(path);
                self.unsynced.push(Entry::Remove(path.clone()));
            }
            Event::Rename { from, to } => {
                let number = self.seen.remove(from).unwrap_or_else(|| panic!("{} is not there", from.display()));
                self.seen.insert(to.clone(), number);
                self.unsynced.push(Entry::Rename { from: from.clone(), to: to.clone(), number });
            }
            Event::SyncFolder(_) => {
                for entry in std::mem::take(&mut self.unsynced) {
                    entry.apply(&mut self.durable);
                }
            }
            Event::Output(_) | Event::Sent { .. } | Event::Got { .. } | Event::Fault { .. } | Event::Operations(_) => {}
        }
    }

    /// Returns a disk that a cut at this moment may leave.
    fn after_a_cut(&self, (bytes, entries): (Fate, Fate), random: &mut Random) -> Vec<(PathBuf, Vec<u8>)> {
        let mut names = self.durable.clone();
        for (entry, through) in self.unsynced.iter().zip(survivors(random, entries, self.unsynced.len())) {
            if through {
                entry.apply(&mut names);
            }
        }
        let mut left = Vec::new();
        for (path, number) in names {
            let file = &self.files[number];
            let mut content = file.durable.clone();
            if bytes == Fate::Grown {
                let mut whole = content.clone();
                file.unsynced.iter().for_each(|change| change.apply(&mut whole, |_| true));
                content.resize(whole.len().max(content.len()), 0);
            }
            for (change, through) in file.unsynced.iter().zip(survivors(random, bytes, file.unsynced.len())) {
                let torn = matches!(bytes, Fate::Torn | Fate::Grown);
                if through {
                    change.apply(&mut content, |_| !torn || random.one_in(2));
                }
            }
            left.push((path, content));
        }
        left
    }
}

impl Entry {
    fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Entry::Add(path, number) => names.insert(path.clone(), *number),
            Entry::Remove(path) => names.remove(path),
            Entry::Rename { from, to, number } => {
                names.remove(from);
                names.insert(to.clone(), *number)
            }
        };
    }
}

impl Change {
    /// Changes the sectors that `through` selects.
    fn apply(&self, content: &mut Vec<u8>, mut through: impl FnMut(usize) -> bool) {
        match self {
            Change::Truncate(length) => {
                if through(0) {
                    content.resize(*length, 0);
                }
            }
            Change::Write { at, bytes } => {
                let mut from = *at;
                while from < at + bytes.len() {
                    let to = ((from / SECTOR + 1) * SECTOR).min(at + bytes.len());
                    if through(from / SECTOR) {
                        content.resize(content.len().max(to), 0);
                        content[from..to].copy_from_slice(&bytes[from - at..to - at]);
                    }
                    from = to;
                }
            }
        }
    }
}

/// An attempt, as it left the till.
#[derive(Debug, Clone)]
struct Post {
    bytes: Vec<u8>,
    id: Uuid,
    /// The event with the first byte, and with the last.
    first: usize,
    last: usize,
}

/// Returns the attempts of a recording. Each is one write of the till, or a few in a row on one
/// connection.
fn posts_of(events: &[Event]) -> Vec<Post> {
    let mut open: BTreeMap<u32, Post> = BTreeMap::new();
    let mut posts = Vec::new();
    for (at, event) in events.iter().enumerate() {
        let Event::Sent { socket, bytes } = event else { continue };
        let post =
            open.entry(*socket).or_insert_with(|| Post { bytes: Vec::new(), id: Uuid::nil(), first: at, last: at });
        post.bytes.extend(bytes);
        let text = String::from_utf8_lossy(&post.bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if body.len() < length.unwrap_or(0) {
            continue;
        }
        let mut post = open.remove(socket).unwrap();
        if text.starts_with("POST ") {
            let json: serde_json::Value = serde_json::from_str(body).unwrap();
            post.id = json["pointShopItemPurchaseId"].as_str().unwrap().parse().unwrap();
            post.last = at;
            posts.push(post);
        }
    }
    posts
}

/// A recorded run of a till.
struct Recording {
    name: &'static str,
    /// The state before the run: the disk, and the requests at the sandbox.
    disk: Disk,
    before: Vec<Post>,
    output_before: String,
    folder: PathBuf,
    events: Vec<Event>,
    posts: Vec<Post>,
}

fn record(name: &'static str, prepare: impl FnOnce(&Fixture, &Place), online: bool, script: &[String]) -> Recording {
    let (fixture, place) = (Fixture::new(), Place::new());
    prepare(&fixture, &place);
    let earlier = place.take_events();
    let (before, output_before) = (posts_of(&earlier), heard(&earlier));
    let disk = Disk::of(&place.folder());
    let config = if online { fixture.config(&place.journal(), &json!({})) } else { offline(&fixture, &place) };
    let run = Fixture::run_at(&config, &place, None, script);
    assert_eq!(run.exit, Some(0), "{name}: {:?} {}", run.calls, run.stderr);
    let events: Vec<Event> = place.take_events().into_iter().filter(|event| !event.is_of_index()).collect();
    assert!(!online || !posts_of(&events).is_empty() || !before.is_empty(), "{name}: no request has left");
    Recording { name, disk, before, output_before, folder: place.folder(), posts: posts_of(&events), events }
}

/// Makes a used journal with a purchase that could not be sent. The sandbox knows nothing of it.
fn used(fixture: &Fixture, place: &Place) {
    let script = [press(COFFEE, "before"), "ackall".to_owned(), "close".to_owned()];
    Fixture::run_at(&offline(fixture, place), place, None, &script);
}

/// Returns a configuration without a network: a port that was free a moment ago rejects
/// connections.
pub fn offline(fixture: &Fixture, place: &Place) -> String {
    let nowhere = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    fixture.config(&place.journal(), &json!({ "baseUrl": format!("http://{nowhere}") }))
}

fn recordings() -> Vec<Recording> {
    let script = |press: &str| -> Vec<String> {
        [press, "list", "resolve:10000", "list", "ackall", "close"].map(str::to_owned).to_vec()
    };
    vec![
        record("a new journal, completed", |_, _| {}, true, &script(&press(COFFEE, "R1"))),
        record("completed", used, true, &script(&press(COFFEE, "R1"))),
        record("declined", used, true, &script(&press(NEW_YEAR_2099, "R1"))),
        record("not sent", used, false, &script(&press(COFFEE, "R1"))),
        record(
            "response lost, then resolved",
            |fixture, place| {
                used(fixture, place);
                fixture.lose_a_response();
            },
            true,
            &script(&with_short_wait(&press(COFFEE, "R1"))),
        ),
        record(
            "request lost, then sent again",
            |fixture, place| {
                used(fixture, place);
                fixture.lose_a_request();
            },
            true,
            &script(&press(COFFEE, "R1")),
        ),
        record(
            "left pending by the run before",
            |fixture, place| {
                fixture.leave_pending(place, "R1");
            },
            true,
            &["resolve:10000", "list", "ackall", "close"].map(str::to_owned),
        ),
        record("the log moved into the file", full_log, true, &{
            let mut script = vec!["loop:5".to_owned(), press(COFFEE, "R#")];
            script.extend(["ackall".to_owned()]);
            script
        }),
    ]
}

/// Fills the write-ahead log with purchases that cannot be sent, until the next run begins with a
/// checkpoint.
fn full_log(fixture: &Fixture, place: &Place) {
    let config = offline(fixture, place);
    let log = || std::fs::metadata(place.folder().join("journal.db-wal")).map_or(0, |about| about.len());
    for round in 0.. {
        assert!(round < 200, "the log does not fill");
        let press = press(COFFEE, &format!("B{round}-#"));
        // Each writes about 15 pages.
        let script = ["loop:2".to_owned(), press, "ackall".to_owned()];
        Fixture::run_at(&config, place, None, &script);
        if log() >= 2 << 20 {
            break;
        }
    }
}

/// A moment of a recording, the fate of the unsynced writes, and whether the requests without a
/// response had arrived.
struct Cut<'a> {
    recording: &'a Recording,
    at: usize,
    fate: usize,
    arrived: bool,
    seed: u64,
}

#[test]
fn journal_after_power_cut_opens_and_matches_the_ledger() {
    let seed = std::env::var("EPS_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| u64::from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos()));
    let recordings = recordings();
    let mut cuts = Vec::new();
    for recording in &recordings {
        let of_recording: Vec<usize> = match full() {
            true => interesting(recording),
            false => sample(&interesting(recording), 32),
        };
        for (index, at) in of_recording.into_iter().enumerate() {
            for fate in 0..FATES.len() {
                // The sample's moments share the fates.
                if full() || fate % 4 == index % 4 {
                    for arrived in possible_arrivals(recording, at) {
                        cuts.push(Cut { recording, at, fate, arrived: *arrived, seed });
                    }
                }
            }
        }
    }
    campaign("power", &cuts, &format!("; seed {seed}"), |fixture, cut| {
        survive(fixture, cut).map_err(|violation| {
            let Cut { recording, at, fate, arrived, .. } = cut;
            format!(
                "\"{}\" cut after event {at} ({}), {:?}, arrived {arrived}, EPS_SEED={seed}: {violation}",
                recording.name,
                at.checked_sub(1).map_or_else(String::new, |last| brief(&recording.events[last])),
                FATES[*fate],
            )
        })
    });
}

/// Returns the moments to cut at: all of them. For the long recording: those around the checkpoint,
/// and a sample of the others.
fn interesting(recording: &Recording) -> Vec<usize> {
    let all: Vec<usize> = (0..=recording.events.len()).collect();
    if all.len() < 400 {
        return all;
    }
    let moves: Vec<usize> = (0..recording.events.len())
        .filter(|at| matches!(&recording.events[*at], Event::Write { path, .. } if path.ends_with("journal.db")))
        .collect();
    assert!(!moves.is_empty(), "the log was moved into the file in \"{}\"", recording.name);
    let (first, last) = (moves.first().copied().unwrap_or(0), moves.last().copied().unwrap_or(0));
    all.iter().copied().filter(|at| (first.saturating_sub(20)..last + 60).contains(at) || at % 8 == 0).collect()
}

/// Returns whether a request without a response may have arrived: from its last byte until the
/// first byte of the response.
fn possible_arrivals(recording: &Recording, at: usize) -> &'static [bool] {
    let open = recording.posts.iter().any(|post| post.last < at && !has_response(recording, post, at));
    if open { &[false, true] } else { &[true] }
}

/// Returns whether bytes of the response before the cut prove that the request had arrived.
fn has_response(recording: &Recording, post: &Post, at: usize) -> bool {
    recording.events[post.last..at].iter().any(|event| matches!(event, Event::Got { .. }))
}

fn survive(fixture: &Fixture, cut: &Cut<'_>) -> Result<Counts, String> {
    let Cut { recording, at, .. } = *cut;
    let events = &recording.events[..at];
    let place = Place::new();
    let mut disk = recording.disk.clone();
    for event in events {
        disk.apply(event);
    }
    let mut random = Random::new(cut.seed ^ (at as u64) << 20 ^ (cut.fate as u64) << 8);
    for (path, content) in disk.after_a_cut(FATES[cut.fate], &mut random) {
        std::fs::write(place.folder().join(path.strip_prefix(&recording.folder).unwrap()), content).unwrap();
    }
    // The sandbox's state at the cut.
    recording.before.iter().for_each(|post| replay(fixture, post));
    let left: Vec<&Post> = recording.posts.iter().filter(|post| post.first < at).collect();
    for post in &left {
        if post.last < at && (cut.arrived || has_response(recording, post, at)) {
            replay(fixture, post);
        }
    }
    fixture.in_2099();

    let mut calls = TillCall::parse(&recording.output_before);
    calls.extend(TillCall::parse(&heard(events)));
    let after = fixture.recover(&place)?;
    acknowledged_stays(&calls, &after)?;
    let records = Record::read_journal(&place.journal());
    if let Some(post) = left.iter().find(|post| !records.iter().any(|record| record.id == post.id)) {
        return Err(format!("the request for {} had left, and the journal has no record of it", post.id));
    }
    calls.extend(after);
    let found = fixture.judge(&place, calls.clone()).map_err(|violation| format!("{violation}\ncalls: {calls:#?}"))?;
    Ok([
        ("deductions".to_owned(), found.deductions),
        ("cuts after a request had left".to_owned(), usize::from(!left.is_empty())),
    ]
    .into())
}

/// Returns the till's output.
fn heard(events: &[Event]) -> String {
    events.iter().filter_map(|event| if let Event::Output(text) = event { Some(text.as_str()) } else { None }).collect()
}

/// Sends a recorded request to the sandbox and waits until it is processed.
fn replay(fixture: &Fixture, post: &Post) {
    let address = fixture.sandbox.http_url();
    let mut stream = TcpStream::connect(address.strip_prefix("http://").unwrap()).unwrap();
    stream.write_all(&post.bytes).unwrap();
    let dealt_with = fixture
        .sandbox
        .wait_for(Duration::from_secs(60), |entry| entry.purchase_id == Some(post.id) && entry.status.is_some());
    assert!(dealt_with.is_some(), "the sandbox does not response");
}

/// Checks that an acknowledged operation is not listed again.
fn acknowledged_stays(before: &[TillCall], after: &[TillCall]) -> Result<(), String> {
    for call in before.iter().filter(|call| call.verb() == "ack" && call.code() == Some(0)) {
        let shown = after.iter().filter(|call| call.verb() == "list");
        if shown
            .filter_map(|call| call.json("operations").as_array())
            .flatten()
            .any(|one| one["operationId"] == call.argument(1))
        {
            return Err(format!("{} was acknowledged and is listed again", call.argument(1)));
        }
    }
    Ok(())
}

fn brief(event: &Event) -> String {
    match event {
        Event::Write { path, at, bytes } => format!("write {} {at} {}", path.display(), bytes.len()),
        Event::Output(text) => text.chars().take(60).collect(),
        Event::Sent { bytes, .. } => format!("sent {} bytes", bytes.len()),
        Event::Got { bytes, .. } => format!("got {} bytes", bytes.len()),
        other => format!("{other:?}"),
    }
}

/// Counts the syncs that a purchase waits for: before its request leaves, and between the response
/// and the caller.
fn waits_of(recording: &Recording, reference: &str) -> (usize, usize) {
    let events = &recording.events;
    let position = |start: &str| {
        let is =
            |event: &Event| matches!(event, Event::Output(text) if text.starts_with(start) && text.contains(reference));
        events.iter().position(is).unwrap_or_else(|| panic!("no {start} of {reference}"))
    };
    let (begin, end) = (position("BEGIN purchase"), position("END purchase"));
    let sent =
        begin + events[begin..end].iter().position(|event| matches!(event, Event::Sent { .. })).expect("a request");
    let got =
        begin + events[begin..end].iter().rposition(|event| matches!(event, Event::Got { .. })).expect("a response");
    let syncs =
        |events: &[Event]| events.iter().filter(|event| matches!(event, Event::Sync(_) | Event::SyncFolder(_))).count();
    // The last disk operation before the request is the sync of the intent. The seal needs none.
    let is_of_seal =
        |event: &&Event| matches!(event, Event::Write { path, .. } if path.to_string_lossy().ends_with("-seal"));
    let before: Vec<String> = events[begin + 1..sent].iter().filter(|event| !is_of_seal(event)).map(brief).collect();
    assert!(before.last().is_some_and(|last| last.starts_with("Sync")), "{before:#?}");
    assert!(before.iter().any(|event| event.starts_with("write")), "{before:#?}");
    (syncs(&events[begin..sent]), syncs(&events[got..end]))
}

#[test]
fn purchase_syncs_once_before_the_request_and_not_after() {
    // Acknowledging waits for the outcome's record, which is written after the caller got the
    // outcome. Therefore the next purchase is measured alone.
    let script = [("R1", COFFEE), ("R2", COFFEE), ("R3", COFFEE), ("R4", NEW_YEAR_2099)]
        .map(|(reference, item)| [press(item, reference), "ackall".to_owned()])
        .concat();
    let recording = record("the steady state", used, true, &script);
    // Not even the first purchase waits for the folder: the open has begun the write-ahead log.
    assert_eq!(waits_of(&recording, "R1"), (1, 0));
    assert_eq!(waits_of(&recording, "R2"), (1, 0));
    assert_eq!(waits_of(&recording, "R3"), (1, 0));
    // A power cut must not undo a declined outcome.
    assert_eq!(waits_of(&recording, "R4"), (1, 1));
    println!("campaign syncs: 4 points tried, 0 violations, 1 / 0 for a completed purchase, 1 / 1 for a declined one");
}
