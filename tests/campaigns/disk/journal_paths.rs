//! A journal at an unusable path: the code is right, the message names a remedy, nothing is sent,
//! and all files stay unchanged. A second part: a clock that jumps by days while a purchase is
//! pending.

use crate::fixture::{COFFEE, Counts, Fixture, MEMBER, Place, campaign, press};
use crate::shim::CLOCK;
use crate::till::{TillCall, run_till, till};
use engage_point_shop::{Client, Code};
use engage_sandbox::LedgerKind;
use rusqlite::Connection;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs::Permissions;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Returns every file below a folder, and its content.
fn content(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.insert(path.clone(), b"a folder".to_vec());
            found.extend(content(&path));
        } else {
            found.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    found
}

/// Opens a till and checks the code and the remedy in the message.
fn open_fails(what: &str, fixture: &Fixture, place: &Place, mut till: Command, code: Code, says: &[&str]) {
    let before = content(&place.folder());
    let output = till.output().unwrap();
    let calls = TillCall::parse(&String::from_utf8_lossy(&output.stdout));
    assert_eq!(output.status.code(), Some(3), "{what}: {calls:?} {}", String::from_utf8_lossy(&output.stderr));
    let open = &calls[0];
    assert_eq!(open.code(), Some(code.number()), "{what}: {open:?}");
    let message = open.json("message").as_str().unwrap();
    for part in says {
        assert!(message.contains(part), "{what} says {message:?}, without {part:?}");
    }
    assert!(fixture.sandbox.requests().is_empty(), "{what}: something was sent");
    let after = content(&place.folder());
    let names = |content: &BTreeMap<PathBuf, Vec<u8>>| content.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&before), names(&after), "{what}: files were left behind or taken away");
    assert!(before == after, "{what}: a file was changed");
}

/// Makes a journal with one purchase, closed.
fn make_journal(fixture: &Fixture, place: &Place) {
    let run = fixture.run(place, None, &[press(COFFEE, "R1"), "ackall".to_owned(), "close".to_owned()]);
    assert_eq!(run.exit, Some(0));
    // The whole journal is in the one file.
    let files: Vec<_> = content(&place.folder()).into_keys().collect();
    assert_eq!(files, ["journal.db", "journal.db-seal"].map(|file| place.folder().join(file)));
    fixture.sandbox.reset();
}

#[test]
fn unusable_journal_path_is_reported_and_left_untouched() {
    let fixture = Fixture::new();
    let plain = |place: &Place| run_till(&fixture.config(&place.journal(), &json!({})), &[]);
    let mut tried = 0;
    let mut strange = |what: &str, make: &dyn Fn(&Place), code: Code, says: &[&str]| {
        let place = Place::new();
        make(&place);
        open_fails(what, &fixture, &place, plain(&place), code, says);
        tried += 1;
    };
    let foreign = ["not a journal of this library", "untouched", "journalPath"];
    strange(
        "a folder",
        &|place| std::fs::create_dir(place.journal()).unwrap(),
        Code::JournalCannotOpen,
        &["is a folder", "journalPath"],
    );
    strange(
        "a text file",
        &|place| std::fs::write(place.journal(), "a shopping list\n".repeat(40)).unwrap(),
        Code::JournalForeign,
        &foreign,
    );
    strange(
        "a short text file",
        &|place| std::fs::write(place.journal(), "milk\n").unwrap(),
        Code::JournalForeign,
        &foreign,
    );
    strange(
        "another program's database",
        &|place| {
            let connection = Connection::open(place.journal()).unwrap();
            connection.execute_batch("CREATE TABLE receipts (id); INSERT INTO receipts VALUES (1)").unwrap();
        },
        Code::JournalForeign,
        &foreign,
    );
    strange(
        "written by a newer version",
        &|place| {
            make_journal(&fixture, place);
            let connection = Connection::open(place.journal()).unwrap();
            let version: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
            connection.query_row("PRAGMA journal_mode = DELETE", (), |_| Ok(())).unwrap();
            connection.pragma_update(None, "user_version", version + 1).unwrap();
        },
        Code::JournalNewer,
        &["version", "Install the newer library"],
    );
    strange(
        "its first bytes overwritten",
        &|place| {
            make_journal(&fixture, place);
            change(&place.journal(), |bytes| bytes[..16].fill(b'x'));
        },
        Code::JournalDamaged,
        &["Restore it", "journalRecovery"],
    );
    strange(
        "its page size overwritten",
        &|place| {
            make_journal(&fixture, place);
            change(&place.journal(), |bytes| bytes[16..18].copy_from_slice(&[0x12, 0x34]));
        },
        Code::JournalDamaged,
        &["Keep its files", "journalRecovery"],
    );
    strange(
        "its table of contents overwritten",
        &|place| {
            make_journal(&fixture, place);
            change(&place.journal(), |bytes| bytes[100..4096].fill(0xa5));
        },
        Code::JournalDamaged,
        &["Keep its files", "journalRecovery"],
    );
    strange(
        "cut off in its first page",
        &|place| {
            make_journal(&fixture, place);
            change(&place.journal(), |bytes| bytes.truncate(1000));
        },
        Code::JournalDamaged,
        &["Keep its files", "journalRecovery"],
    );
    let place = Place::new();
    let missing = place.folder().join("missing").join("journal.db");
    let till = run_till(&fixture.config(&missing, &json!({})), &[]);
    open_fails("a missing folder", &fixture, &place, till, Code::JournalCannotOpen, &["does not exist", "create it"]);
    println!("campaign places: {} points tried, 0 violations", tried + 1);
}

fn change(path: &Path, how: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(path).unwrap();
    how(&mut bytes);
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn empty_file_becomes_a_private_journal() {
    let fixture = Fixture::new();
    let place = Place::new();
    std::fs::write(place.journal(), "").unwrap();
    fixture.recover(&place).unwrap();
    let place = Place::new();
    let client = Client::open(&fixture.config(&place.journal(), &json!({}))).unwrap();
    let modes = || -> BTreeMap<String, u32> {
        let files = std::fs::read_dir(place.folder()).unwrap().map(Result::unwrap);
        files.map(|file| (file.file_name().into_string().unwrap(), file.metadata().unwrap().mode() & 0o777)).collect()
    };
    let private = |files: &[&str]| files.iter().map(|file| ((*file).to_owned(), 0o600)).collect::<BTreeMap<_, _>>();
    assert_eq!(modes(), private(&["journal.db", "journal.db-seal", "journal.db-shm", "journal.db-wal"]));
    client.close();
    assert_eq!(modes(), private(&["journal.db", "journal.db-seal"]));
}

/// Runs a till without privileges. When the test runs as root, the till is another user's process
/// from a readable copy.
fn ordinary_till(config: &str, place: &Place, script: &[&str]) -> Command {
    let is_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    if !is_root {
        return run_till(config, script);
    }
    let folder = place.folder().parent().unwrap().join("program");
    std::fs::create_dir_all(&folder).unwrap();
    let library = "libengage_point_shop.so.1";
    std::fs::copy(till(), folder.join("till")).unwrap();
    std::fs::copy(till().with_file_name(library), folder.join(library)).unwrap();
    for path in [folder.parent().unwrap(), &folder, &folder.join("till"), &folder.join(library)] {
        std::fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(folder.join("till"));
    command.env("LD_LIBRARY_PATH", folder).arg(config).args(script);
    command
}

#[test]
fn read_only_journal_is_reported_and_nothing_is_sent() {
    let fixture = Fixture::new();
    let config = |place: &Place| fixture.config(&place.journal(), &json!({}));
    // A folder without write permission.
    let place = Place::new();
    std::fs::set_permissions(place.folder(), Permissions::from_mode(0o555)).unwrap();
    let till = ordinary_till(&config(&place), &place, &[]);
    open_fails("a read-only folder", &fixture, &place, till, Code::JournalCannotOpen, &["no permission"]);

    // A read-only journal in a writable folder.
    let place = Place::new();
    make_journal(&fixture, &place);
    std::fs::set_permissions(place.folder(), Permissions::from_mode(0o1777)).unwrap();
    std::fs::set_permissions(place.journal(), Permissions::from_mode(0o444)).unwrap();
    let before = std::fs::read(place.journal()).unwrap();
    let press = press(COFFEE, "R2");
    let output = ordinary_till(&config(&place), &place, &[&press]).output().unwrap();
    let calls = TillCall::parse(&String::from_utf8_lossy(&output.stdout));
    let code = calls[0].code();
    assert_eq!(code, Some(Code::JournalReadOnly.number()), "{calls:?} {}", String::from_utf8_lossy(&output.stderr));
    assert!(fixture.sandbox.requests().is_empty());
    assert!(std::fs::read(place.journal()).unwrap() == before, "the file was changed");

    // A journal without read permission.
    std::fs::set_permissions(place.journal(), Permissions::from_mode(0o000)).unwrap();
    let output = ordinary_till(&config(&place), &place, &[&press]).output().unwrap();
    let calls = TillCall::parse(&String::from_utf8_lossy(&output.stdout));
    assert_eq!(calls[0].code(), Some(Code::JournalCannotOpen.number()), "{calls:?}");
    assert!(fixture.sandbox.requests().is_empty());
}

/// A till whose clock the test moves, and that waits for the next command.
pub struct RunningTill {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
    clock: PathBuf,
}

impl RunningTill {
    pub fn start(config: &str, place: &Place, offset_ms: i64) -> Self {
        let clock = place.folder().with_file_name("clock");
        std::fs::write(&clock, offset_ms.to_string()).unwrap();
        let mut child = run_till(config, &["stdin"])
            .env("LD_PRELOAD", &*CLOCK)
            .env("EPS_CLOCK_OFFSET_FILE", &clock)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut this = Self { child, output, clock };
        assert_eq!(this.next_call().code(), Some(0), "open");
        this
    }

    /// Returns the result of the next call.
    fn next_call(&mut self) -> TillCall {
        let mut lines = String::new();
        while !lines.contains("\nEND ") {
            assert_ne!(self.output.read_line(&mut lines).unwrap(), 0, "the till has ended: {lines}");
        }
        TillCall::parse(&lines).remove(0)
    }

    pub fn make(&mut self, command: &str) -> TillCall {
        writeln!(self.child.stdin.as_mut().unwrap(), "{command}").unwrap();
        self.next_call()
    }

    /// The file is replaced as a whole, so that every later query reads the new value.
    pub fn set_clock(&self, offset_ms: i64) {
        let fresh = self.clock.with_extension("new");
        std::fs::write(&fresh, offset_ms.to_string()).unwrap();
        std::fs::rename(fresh, &self.clock).unwrap();
    }

    pub fn end(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}

pub const DAY_MS: i64 = 86_400_000;

/// A jump of the clock while a purchase is pending: before and after, in days from now.
#[derive(Debug)]
struct Jump {
    from: i64,
    to: i64,
    request_is_lost: bool,
    restart: bool,
    /// Whether the till resolves the purchase, or only waits.
    resolve_command: bool,
}

#[test]
fn purchase_with_clock_jump_is_resolved_once() {
    let mut jumps = Vec::new();
    for (from, to) in [(0, 30), (30, 0), (0, 0), (-30, 0), (0, -30)] {
        for number in 0..8 {
            let [request_is_lost, restart, resolve_command] = [1, 2, 4].map(|bit| number & bit != 0);
            jumps.push(Jump { from, to, request_is_lost, restart, resolve_command });
        }
    }
    campaign("clock", &jumps, "", |fixture, jump| {
        resolves_soon(fixture, jump).map_err(|violation| format!("{jump:?}: {violation}"))
    });
}

fn resolves_soon(fixture: &Fixture, jump: &Jump) -> Result<Counts, String> {
    let place = Place::new();
    let config = fixture.config(&place.journal(), &json!({ "resendLimitMs": 365 * DAY_MS }));
    if jump.request_is_lost {
        fixture.lose_a_request();
    } else {
        fixture.lose_a_response();
    }
    let mut till = RunningTill::start(&config, &place, jump.from * DAY_MS);
    // On a busy machine the first wait may end before the request has left.
    let mut wait_ms = 250;
    while fixture.posts() == 0 {
        if wait_ms > 60_000 {
            return Err("the purchase was not sent".to_owned());
        }
        till.make(&format!("purchase:{MEMBER}:{COFFEE}:R1:{wait_ms}"));
        wait_ms *= 2;
    }
    till.set_clock(jump.to * DAY_MS);
    if jump.restart {
        till.end();
        till = RunningTill::start(&config, &place, jump.to * DAY_MS);
    }
    fixture.sandbox.clear_faults();
    if jump.resolve_command {
        let resolved = till.make("resolve:60000");
        if resolved.json("pending") != &json!(0) {
            return Err(format!("a minute later: {resolved:?}"));
        }
    } else {
        let until = Instant::now() + Duration::from_secs(60);
        while till.make("list").json("operations")[0]["outcome"] == "pending" {
            if Instant::now() > until {
                return Err("a minute later it is still pending, without a resolve command".to_owned());
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }
    let again = till.make(&press(COFFEE, "R1"));
    till.end();
    let deductions = fixture.sandbox.ledger().iter().filter(|entry| entry.kind == LedgerKind::Deduct).count();
    if (again.code(), deductions) != (Some(0), 1) {
        return Err(format!("{deductions} deductions, and the same press returns {again:?}"));
    }
    Ok([("deductions".to_owned(), deductions)].into())
}
