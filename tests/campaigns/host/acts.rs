//! A till that sells while another program on its computer does something to the journal. Then the
//! till is killed, starts again, and the cashier presses the same sales again.

use crate::fixture::{COFFEE, Files, Fixture, MEMBER, SUFFIXES, beside, code_of_sale, files_of};
use crate::full;
use crate::till::{TillCall, build_folder, compile, run_till};
use engage_point_shop::Outcome;
use engage_point_shop::code::outcome;
use engage_sandbox::{Effect, Fault, Operation};
use rusqlite::{Connection, OpenFlags};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

/// When the act comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// Before the press.
    Before,
    /// While the request is under way.
    During,
    /// After a sale, before the next one.
    After,
}

type Act = (&'static str, fn(&Fixture, &Path, &Files, u32));

fn sqlite(journal: &Path, flags: OpenFlags) {
    if let Ok(connection) = Connection::open_with_flags(journal, flags) {
        let _: Result<i64, _> = connection.query_row("SELECT count(*) FROM operation", (), |row| row.get(0));
    }
}

fn cut(path: &Path, length: u64) {
    if let Ok(file) = OpenOptions::new().write(true).open(path) {
        file.set_len(length).unwrap();
    }
}

fn signal(process: u32, name: &str) {
    assert!(Command::new("kill").args([name, &process.to_string()]).status().unwrap().success());
}

/// Limits a running process, as an administrator or a container does.
fn limit(process: u32, limit: &str) {
    let prlimit = Command::new("prlimit").args(["--pid", &process.to_string(), limit]).status();
    assert!(prlimit.expect("prlimit is part of util-linux").success());
}

/// The file whose presence freezes the disk of a till with this journal.
fn frozen(journal: &Path) -> PathBuf {
    beside(journal, ".frozen")
}

/// The disk of `freeze.c`.
static FREEZE: LazyLock<PathBuf> = LazyLock::new(|| {
    let (source, made) = (Path::new(env!("CARGO_MANIFEST_DIR")), build_folder().join("freeze.so"));
    compile(&source.join("tests/campaigns/host/freeze.c"), &made, &["-shared", "-fPIC", "-ldl"]);
    made
});

/// Returns the disk that can be frozen, to be preloaded.
pub fn freeze() -> &'static Path {
    &FREEZE
}

/// The acts. The last argument is the till's process.
const ACTS: &[Act] = &[
    ("nothing", |_, _, _, _| {}),
    ("a second client", |fixture, journal, _, _| {
        if let Ok(client) = fixture.open(journal) {
            client.close();
        }
    }),
    ("SQLite reads and writes", |_, journal, _, _| sqlite(journal, OpenFlags::SQLITE_OPEN_READ_WRITE)),
    ("SQLite reads", |_, journal, _, _| sqlite(journal, OpenFlags::SQLITE_OPEN_READ_ONLY)),
    ("SQLite makes a checkpoint", |_, journal, _, _| {
        let connection = Connection::open(journal).unwrap();
        let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()));
    }),
    ("a backup reads all files", |_, journal, _, _| drop(files_of(journal))),
    ("all files are deleted", |_, journal, _, _| {
        for suffix in ["", "-wal", "-shm", "-seal"] {
            let _ = std::fs::remove_file(beside(journal, suffix));
        }
    }),
    ("the journal is deleted", |_, journal, _, _| drop(std::fs::remove_file(journal))),
    ("the log is deleted", |_, journal, _, _| drop(std::fs::remove_file(beside(journal, "-wal")))),
    ("the index is deleted", |_, journal, _, _| drop(std::fs::remove_file(beside(journal, "-shm")))),
    ("the seal is deleted", |_, journal, _, _| drop(std::fs::remove_file(beside(journal, "-seal")))),
    ("the journal is moved", |_, journal, _, _| drop(std::fs::rename(journal, beside(journal, ".bak")))),
    ("the journal is cut to nothing", |_, journal, _, _| cut(journal, 0)),
    ("the log is cut to nothing", |_, journal, _, _| cut(&beside(journal, "-wal"), 0)),
    ("the log is cut to its header", |_, journal, _, _| cut(&beside(journal, "-wal"), 32)),
    (CUT_INDEX, |_, journal, _, _| cut(&beside(journal, "-shm"), 0)),
    ("the seal is cut to nothing", |_, journal, _, _| cut(&beside(journal, "-seal"), 0)),
    ("the journal is replaced by its copy", |_, journal, _, _| {
        std::fs::copy(journal, beside(journal, ".copy")).unwrap();
        std::fs::rename(beside(journal, ".copy"), journal).unwrap();
    }),
    ("an older journal is put over it", |_, journal, older, _| std::fs::write(journal, &older[""]).unwrap()),
    ("an older log is put over it", |_, journal, older, _| {
        std::fs::write(beside(journal, "-wal"), &older["-wal"]).unwrap();
    }),
    ("all files of an older time are put over it", |_, journal, older, _| {
        for suffix in SUFFIXES {
            std::fs::write(beside(journal, suffix), &older[suffix]).unwrap();
        }
    }),
    ("it may not be written", |_, journal, _, _| {
        for suffix in ["", "-wal", "-shm"] {
            let _ = Command::new("chmod").arg("000").arg(beside(journal, suffix)).status();
        }
    }),
    ("the till is stopped for a moment", |fixture, journal, _, till| {
        signal(till, "-STOP");
        if let Ok(client) = fixture.open_with(journal, &json!({ "waitMs": 300 })) {
            client.close();
        }
        signal(till, "-CONT");
    }),
    ("the till gets a signal that it ignores", |_, _, _, till| signal(till, "-WINCH")),
    ("the disk is frozen for a moment", |_, journal, _, _| {
        std::fs::write(frozen(journal), "").unwrap();
        // Longer than the response takes.
        std::thread::park_timeout(Duration::from_millis(400));
        std::fs::remove_file(frozen(journal)).unwrap();
    }),
    ("the disk is frozen until the end", |_, journal, _, _| std::fs::write(frozen(journal), "").unwrap()),
    ("a client with a shorter time-out sells the same", |fixture, journal, _, _| {
        let times = json!({ "requestTimeoutMs": 200, "waitMs": 300 });
        if let Ok(client) = fixture.open_with(journal, &times) {
            let _ = code_of_sale(&client, "R3");
            client.close();
        }
    }),
    ("a client of another tenant opens it", |fixture, journal, _, _| {
        if let Ok(client) = fixture.open_with(journal, &json!({ "tenant": "https://other.voyado.com" })) {
            let _ = client.resolve_pending(None);
            client.close();
        }
    }),
    (NEWER, |_, journal, _, _| {
        let connection = Connection::open(journal).unwrap();
        connection.busy_timeout(Duration::from_secs(60)).unwrap();
        let version: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        let newer =
            format!("BEGIN IMMEDIATE; CREATE TABLE newer (content); PRAGMA user_version = {}; COMMIT", version + 1);
        connection.execute_batch(&newer).unwrap();
    }),
    ("no further file may be opened", |_, _, _, till| limit(till, "--nofile=3:3")),
    ("no file may grow", |_, _, _, till| limit(till, "--fsize=0:0")),
    (NO_MEMORY, |_, _, _, till| limit(till, "--as=1:1")),
];

/// The acts under which a till sells on.
const HARMLESS: [&str; 10] = [
    "nothing",
    "a second client",
    "SQLite reads and writes",
    "SQLite reads",
    "SQLite makes a checkpoint",
    "a backup reads all files",
    "the till is stopped for a moment",
    "the till gets a signal that it ignores",
    "a client of another tenant opens it",
    "the disk is frozen for a moment",
];

/// SQLite maps the index into memory. One that is cut within a transaction can end the process by
/// SIGBUS: docs/durability.md. A purchase is stored after it was reported, so that a transaction
/// may be under way although no call is.
const CUT_INDEX: &str = "the index is cut to nothing";
const SIGBUS: i32 = 7;
/// As a newer library in another program does.
const NEWER: &str = "a newer version brings it to its own";
const JOURNAL_NEWER: i32 = -613;
/// Rust ends the process where a small piece of memory is missing: docs/durability.md.
const NO_MEMORY: &str = "there is no further memory";
const SIGABRT: i32 = 6;
const PENDING: i32 = -500;

struct RunningTill {
    child: Child,
    output: BufReader<ChildStdout>,
    journal: PathBuf,
    /// A till before it was ended by a signal that its act may bring.
    was_ended: bool,
}

impl RunningTill {
    fn start(config: &str, journal: &Path) -> Self {
        let mut till = run_till(config, &["stdin"]);
        till.env("LD_PRELOAD", &*FREEZE).env("FREEZE", frozen(journal)).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = till.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output, journal: journal.to_owned(), was_ended: false }
    }

    /// Returns the result of the next call. None: the till has ended.
    fn result(&mut self) -> Option<TillCall> {
        let mut lines = String::new();
        while !lines.contains("\nEND ") || !lines.ends_with('\n') {
            if self.output.read_line(&mut lines).unwrap() == 0 {
                return None;
            }
        }
        Some(TillCall::parse(&lines).remove(0))
    }

    fn press(&mut self, reference: &str) {
        let _ = writeln!(self.child.stdin.as_mut().unwrap(), "purchase:{MEMBER}:{COFFEE}:{reference}:4000");
    }

    /// Returns the code of the next call after an act. A till that was ended by a signal that the
    /// act may bring is started again, and its call has no known outcome.
    fn code_after(&mut self, act: &str, config: &str) -> Result<i32, String> {
        if let Some(call) = self.result() {
            return call.code().ok_or_else(|| "the till has ended".to_owned());
        }
        let status = self.child.wait().unwrap();
        if !matches!((act, status.signal()), (CUT_INDEX, Some(SIGBUS)) | (NO_MEMORY, Some(SIGABRT))) {
            return Err(format!("the till has ended: {status}"));
        }
        *self = Self { was_ended: true, ..Self::start(config, &self.journal) };
        match self.result().and_then(|open| open.code()) {
            Some(0) => Ok(PENDING),
            code => Err(format!("the open after the signal returns {code:?}")),
        }
    }

    fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn survive(fixture: &Fixture, act: &Act, moment: Moment) -> Result<String, String> {
    let (name, act) = act;
    let journal = fixture.place(&format!("{moment:?}-{}", name.replace(' ', "-")));
    let config = fixture.config(&journal, &json!({}));
    let before = fixture.deductions();
    let mut till = RunningTill::start(&config, &journal);
    assert_eq!(till.result().and_then(|open| open.code()), Some(0));
    let mut codes: BTreeMap<String, i32> = BTreeMap::new();
    let mut sell = |till: &mut RunningTill, reference: &str| -> Result<(), String> {
        till.press(reference);
        let result = till.result().and_then(|call| call.code()).ok_or("the till has ended")?;
        codes.insert(reference.to_owned(), result);
        Ok(())
    };
    sell(&mut till, "R0")?;
    let older = files_of(&journal);
    for reference in ["R1", "R2"] {
        sell(&mut till, reference)?;
    }
    let process = till.child.id();
    match moment {
        Moment::Before => act(fixture, &journal, &older, process),
        Moment::During => {
            fixture.sandbox.arm(Fault::on(Operation::Purchase, Effect::Delay { ms: 300 }));
            till.press("R3");
            std::thread::park_timeout(Duration::from_millis(100));
            act(fixture, &journal, &older, process);
            codes.insert("R3".to_owned(), till.code_after(name, &config)?);
        }
        Moment::After => {
            sell(&mut till, "R3")?;
            act(fixture, &journal, &older, process);
        }
    }
    let sell = |till: &mut RunningTill, reference: &str| -> Result<i32, String> {
        till.press(reference);
        till.code_after(name, &config)
    };
    for reference in ["R3", "R4"] {
        let code = sell(&mut till, reference)?;
        codes.entry(reference.to_owned()).and_modify(|known| *known = (*known).max(code)).or_insert(code);
    }
    let after = if till.was_ended { ", after a signal" } else { "" };
    till.kill();
    let _ = std::fs::remove_file(frozen(&journal));
    // What the act took away for a moment comes back; the rest is as the act left it.
    for suffix in ["", "-wal", "-shm", "-seal"] {
        let _ = Command::new("chmod").arg("600").arg(beside(&journal, suffix)).stderr(Stdio::null()).status();
    }
    if HARMLESS.contains(name) && codes.values().any(|code| outcome(*code) != Outcome::Completed) {
        return Err(format!("the till does not sell on: {codes:?}"));
    }
    if *name == NEWER && codes["R4"] != JOURNAL_NEWER {
        return Err(format!("the till writes into the journal of a newer version: {codes:?}"));
    }
    let sold = fixture.deductions() - before;
    let completed = codes.values().filter(|code| outcome(**code) == Outcome::Completed).count();
    let pending = codes.values().filter(|code| outcome(**code) == Outcome::Pending).count();
    if sold < completed || sold > completed + pending {
        return Err(format!("{sold} deductions, and the cashier got {codes:?}"));
    }
    let mut till = RunningTill::start(&config, &journal);
    let opened = till.result().and_then(|open| open.code()).ok_or("the till has ended")?;
    if opened != 0 && HARMLESS.contains(name) {
        return Err(format!("the next open returns {opened}"));
    }
    if opened != 0 {
        return match opened {
            -699..=-600 => Ok(format!("open {opened}{after}")),
            code => Err(format!("the next open returns {code}")),
        };
    }
    for reference in codes.keys() {
        sell(&mut till, reference)?;
    }
    till.kill();
    let deductions = fixture.deductions() - before;
    // All newer files are missing: no witness is left, and idScope is the guard.
    let no_witness = matches!(*name, "all files are deleted" | "all files of an older time are put over it");
    if deductions > codes.len() && !no_witness {
        return Err(format!("{deductions} deductions for {} sales: {codes:?}", codes.len()));
    }
    Ok(format!("whole{after}"))
}

#[test]
fn act_of_another_program_never_deducts_twice() {
    let fixture = Fixture::new();
    let moments: &[Moment] =
        if full() { &[Moment::Before, Moment::During, Moment::After] } else { &[Moment::Before, Moment::During] };
    let (mut points, mut violations) = (0, Vec::new());
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    for moment in moments {
        for act in ACTS {
            points += 1;
            match survive(&fixture, act, *moment) {
                Ok(end) => *ends.entry(end).or_default() += 1,
                Err(violation) => violations.push(format!("{} ({moment:?}): {violation}", act.0)),
            }
            fixture.sandbox.clear_faults();
        }
    }
    println!("campaign acts: {points} points tried, {} violations, {ends:?}", violations.len());
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}
