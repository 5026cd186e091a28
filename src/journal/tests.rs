//! The journal on a real disk: its transactions, checkpoints and ends.

use super::*;
use crate::core::domain::{Purchase, Redeem};
use crate::core::id::ItemId;
use connection::open_immutable;
use std::sync::mpsc;

/// A journal in a folder of its own.
pub(super) struct Place {
    pub path: PathBuf,
    _folder: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { path: folder.path().join("points.db"), _folder: folder }
    }

    fn open_with(&self, more: &str) -> Result<Journal> {
        open_at(&self.path, more)
    }

    pub fn open(&self) -> Journal {
        self.open_with("").unwrap()
    }

    /// Returns the number of records in the database file itself.
    fn in_file(&self) -> i64 {
        let file = open_immutable(&self.path).unwrap();
        file.query_row("SELECT count(*) FROM operation", (), |row| row.get(0)).unwrap()
    }

    pub fn beside(&self, end: &str) -> PathBuf {
        paths::beside(&self.path, end)
    }

    /// Cuts the index of the log, or makes it as large as it was.
    pub fn set_index(&self, bytes: u64) {
        std::fs::OpenOptions::new().write(true).open(self.beside("-shm")).unwrap().set_len(bytes).unwrap();
    }
}

/// Opens the journal at a path. `more` is added to the configuration.
pub(super) fn open_at(path: &Path, more: &str) -> Result<Journal> {
    open_with_log(path, more, &Log::default())
}

fn open_with_log(path: &Path, more: &str, log: &Log) -> Result<Journal> {
    let config = format!(
        r#"{{"baseUrl":"https://a.voyado.com","apiKey":"k","userAgent":"A/1","journalPath":{:?}{more}}}"#,
        path.display().to_string()
    );
    Journal::open(&Config::parse(&config).unwrap(), log).map(Option::unwrap)
}

fn memory() -> Journal {
    let config = r#"{"baseUrl":"https://a.voyado.com","apiKey":"k","userAgent":"A/1","journal":"memory"}"#;
    Journal::open(&Config::parse(config).unwrap(), &Log::default()).unwrap().unwrap()
}

pub(super) fn purchase() -> Intent {
    let (contact, item) = (ContactId::from_uuid(Uuid::new_v4()), ItemId::from_uuid(Uuid::new_v4()));
    let operation = Operation::Purchase(Purchase { id: OperationId::fresh(), contact, item });
    Intent { tenant: Some("https://a.voyado.com".to_owned()), ..Intent::new(operation, None, 1_000, 2) }
}

fn state(journal: &Journal) -> State {
    let writer = rt::lock(&journal.content.writer);
    read_state(&writer.as_ref().unwrap().connection).unwrap().unwrap()
}

fn save(journal: &Journal) -> Intent {
    let intent = purchase();
    assert!(journal.save(&intent, Durability::Synced).unwrap());
    intent
}

fn rest_for(journal: &Journal, time: Duration) {
    *rt::lock(&journal.content.last_write) = Instant::now().checked_sub(time).unwrap();
}

/// Makes a checkpoint as if the log had grown.
fn checkpoint_now(journal: &Journal) -> Result<()> {
    journal.content.wal_writes.store(WAL_WRITES, Ordering::Relaxed);
    journal.checkpoint_if_due()
}

/// Gives a thread work that hangs until the sender is used or dropped.
pub(super) fn hang(helper: &IoThread) -> mpsc::Sender<()> {
    let ((release, held), (starter, begun)) = (mpsc::channel::<()>(), mpsc::channel());
    let hung = helper.finish(Duration::ZERO, move || {
        starter.send(()).unwrap();
        held.recv().is_ok()
    });
    assert_eq!(hung.unwrap_err().code(), Code::JournalTimedOut);
    begun.recv().unwrap();
    release
}

#[test]
fn write_counts_and_leaves_the_journal_open() {
    let place = Place::new();
    let journal = place.open();
    let before = state(&journal);
    save(&journal);
    let after = state(&journal);
    assert_eq!((after.writes, after.records), (before.writes + 1, before.records + 1));
    assert!(!after.closed && after.written_at > 1_600_000_000_000);
    assert_eq!(journal.content.wal_writes.load(Ordering::Relaxed), 1);
    drop(journal);
    // A dropped journal is closed: one file and its seal.
    assert!(!place.beside("-wal").exists() && !place.beside("-shm").exists() && place.beside("-seal").exists());
    let again = place.open();
    assert!(state(&again).closed);
    save(&again);
    assert!(!state(&again).closed);
}

#[test]
fn log_is_moved_when_it_has_grown_or_rests() {
    let place = Place::new();
    let journal = place.open();
    for (writes, rest, is_moved) in
        [(WAL_WRITES - 1, IDLE / 2, false), (WAL_WRITES, Duration::ZERO, true), (1, IDLE, true), (0, IDLE, false)]
    {
        let before = place.in_file();
        let id = save(&journal).id();
        journal.content.wal_writes.store(writes, Ordering::Relaxed);
        rest_for(&journal, rest);
        journal.checkpoint_if_due().unwrap();
        assert_eq!(place.in_file() > before, is_moved, "{writes} writes and {rest:?}");
        let left = if is_moved { 0 } else { writes };
        assert_eq!(journal.content.wal_writes.load(Ordering::Relaxed), left);
        assert!(journal.get(id).unwrap().is_some());
    }
    let files = journal.content.files.as_ref().unwrap();
    journal.content.wal_writes.store(WAL_WRITES, Ordering::Relaxed);
    journal.checkpoint_if_due().unwrap();
    assert!(!files.is_changed().unwrap(), "its own checkpoint is known");
    assert_eq!(Seal::read(files.seal().unwrap()).unwrap().unwrap().durable, state(&journal).writes);
}

#[test]
fn checkpoint_is_whole_unless_a_reader_needs_the_log() {
    let place = Place::new();
    let journal = place.open();
    save(&journal);
    let reader = Connection::open(&place.path).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM operation").unwrap();
    let read = |reader: &Connection| reader.query_row("SELECT count(*) FROM operation", (), |row| row.get::<_, i64>(0));
    assert_eq!(read(&reader).unwrap(), 1);
    save(&journal);
    let is_whole = || run_checkpoint(&rt::lock(&journal.content.writer).as_ref().unwrap().connection).unwrap();
    assert!(!is_whole());
    reader.execute_batch("COMMIT").unwrap();
    assert!(is_whole());
}

#[test]
fn content_of_another_program_is_noticed_before_a_write() {
    let place = Place::new();
    let journal = place.open();
    save(&journal);
    let foreign = Connection::open(&place.path).unwrap();
    let checkpoint = || foreign.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(())).unwrap();
    // A checkpoint changes the file and not the content.
    checkpoint();
    save(&journal);
    assert!(!journal.content.files.as_ref().unwrap().is_changed().unwrap());
    assert_eq!(foreign.execute("UPDATE operation SET attempts = attempts + 1", ()).unwrap(), 2);
    checkpoint();
    assert_eq!(journal.save(&purchase(), Durability::Synced).unwrap_err().code(), Code::JournalReplaced);
    assert_eq!(journal.compact().unwrap_err().code(), Code::JournalReplaced);
}

#[test]
fn journal_of_a_newer_version_is_neither_read_nor_written() {
    let place = Place::new();
    let journal = place.open();
    let intent = save(&journal);
    Connection::open(&place.path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    for code in [
        journal.save(&purchase(), Durability::Synced).unwrap_err().code(),
        journal.get(intent.id()).unwrap_err().code(),
        journal.compact().unwrap_err().code(),
    ] {
        assert_eq!(code, Code::JournalNewer);
    }
    journal.content.wal_writes.store(WAL_WRITES, Ordering::Relaxed);
    assert_eq!(journal.checkpoint_if_due().unwrap_err().code(), Code::JournalNewer);
    journal.close();
    assert_eq!(place.open_with("").map(drop).unwrap_err().code(), Code::JournalNewer);
}

/// Windows moves no file that is open.
#[cfg(unix)]
#[test]
fn commit_beside_moved_files_may_come_back() {
    let place = Place::new();
    let journal = place.open();
    let (seal, aside) = (place.beside("-seal"), place.beside(".aside"));
    let move_seal = || std::fs::rename(&seal, &aside).unwrap();
    let intent = purchase();
    let decide = |_| {
        move_seal();
        Ok(Admission::New(intent.clone()))
    };
    let admitted = journal.admit(&intent.operation, None, decide).unwrap();
    let Admission::Uncertain(withdrawn, error) = admitted else { panic!("{admitted:?}") };
    assert_eq!((withdrawn.state, error.code()), (IntentState::NotSent, Code::JournalReplaced));
    std::fs::rename(&aside, &seal).unwrap();
    for (durability, is_written) in [(Durability::Synced, false), (Durability::Buffered, true)] {
        let written = journal.content.write_with(durability, |connection, state| {
            move_seal();
            write(connection, &purchase(), state)
        });
        assert_eq!(written.is_ok(), is_written, "{durability:?}");
        std::fs::rename(&aside, &seal).unwrap();
    }
}

#[test]
fn compacted_journal_is_smaller_and_whole() {
    let place = Place::new();
    let journal = place.open();
    let padding = "x".repeat(20_000);
    for _ in 0..20 {
        let intent = Intent { response: Some(format!("{{\"a\":\"{padding}\"}}")), ..purchase() };
        let acknowledged = Intent { acknowledged_at: Some(5_000), state: IntentState::Completed, ..intent };
        assert!(journal.save(&acknowledged, Durability::Synced).unwrap());
    }
    save(&journal);
    journal.content.wal_writes.store(WAL_WRITES, Ordering::Relaxed);
    journal.checkpoint_if_due().unwrap();
    assert_eq!(journal.prune(6_000, 0, 9_000).unwrap(), 20);
    let (before, after) = journal.compact().unwrap();
    assert!(before > 400_000 && after < before / 4, "{before} {after}");
    assert_eq!(std::fs::metadata(&place.path).unwrap().len(), after);
    journal.close();
    assert_eq!(place.open().unacknowledged().unwrap().len(), 1);
    assert_eq!(memory().compact().unwrap_err().code(), Code::BadConfig);
    assert_eq!(memory().backup(&place.beside(".copy")).unwrap_err().code(), Code::BadConfig);
}

#[test]
fn stamp_of_a_wrong_clock_is_set_anew_and_not_pruned() {
    let journal = memory();
    let acknowledged = |at| Intent { acknowledged_at: Some(at), state: IntentState::Completed, ..purchase() };
    let (wrong, old, recent) = (acknowledged(7), acknowledged(1_500), acknowledged(2_500));
    for intent in [&wrong, &old, &recent] {
        assert!(journal.save(intent, Durability::Synced).unwrap());
    }
    assert_eq!(journal.prune(2_000, 1_000, 3_000).unwrap(), 1);
    let found = journal.get(wrong.id()).unwrap().unwrap();
    assert_eq!((found.acknowledged_at, found.revision), (Some(3_000), wrong.revision + 1));
    assert!(journal.get(old.id()).unwrap().is_none() && journal.get(recent.id()).unwrap().is_some());
}

#[test]
fn peek_into_a_busy_journal_ends_in_time() {
    let journal = memory();
    let command = purchase();
    let decide = |_| Err(Error::of(Code::Offline));
    let peek = |limit| journal.peek(&command.operation, None, decide, Duration::from_millis(limit));
    assert_eq!(peek(0).unwrap().unwrap_err().code(), Code::Offline);
    let busy = rt::lock(&journal.content.writer);
    assert!(peek(20).is_none());
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| peek(60_000).map(|found| found.unwrap_err().code()));
        drop(busy);
        assert_eq!(waits.join().unwrap(), Some(Code::Offline));
    });
    let place = Place::new();
    let journal = place.open();
    let _hung = hang(journal.reading.as_ref().unwrap());
    let peek = |limit| journal.peek(&command.operation, None, decide, Duration::from_millis(limit));
    assert!(peek(20).is_none());
    // A cancellation is no time-out.
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| peek(600_000).map(|found| found.unwrap_err().code()));
        while !waits.is_finished() {
            journal.cancel_waits();
            std::thread::yield_now();
        }
        assert_eq!(waits.join().unwrap(), Some(Code::Cancelled));
    });
}

#[test]
fn reward_has_one_owner() {
    let journal = memory();
    let reward = AssignmentId::from_uuid(Uuid::new_v4());
    let first = save(&journal);
    let redeem = Redeem {
        id: OperationId::fresh(),
        contact: None,
        assignment: reward,
        channel: crate::core::domain::Channel::Pos,
    };
    let used = Intent { state: IntentState::Completed, ..Intent::new(Operation::Redeem(redeem), None, 1_000, 2) };
    assert!(journal.save(&used, Durability::Synced).unwrap());
    let second = save(&journal);
    let limit = Duration::from_secs(60);
    // It was used after the first purchase, and before the second.
    assert_eq!(journal.owner(reward, &first, limit).unwrap(), Owner::Nobody);
    assert_eq!(journal.owner(reward, &second, limit).unwrap(), Owner::Redeem);
    let taken = |of: &Intent| Intent { reward: Some(reward), revision: of.revision + 1, ..of.clone() };
    assert!(!journal.attribute(&taken(&second), limit).unwrap());
    assert!(journal.attribute(&taken(&first), limit).unwrap());
    assert_eq!(journal.owner(reward, &second, limit).unwrap(), Owner::Purchase);
    assert_eq!(journal.owner(reward, &first, limit).unwrap(), Owner::Nobody);
    assert_eq!(journal.others_without_reward(&used, limit).unwrap(), 0, "a redeem has no others");
}

#[test]
fn purchases_of_the_same_item_wait_for_a_reward_for_a_day() {
    const DAY: Millis = 86_400_000;
    let journal = memory();
    let ours = Intent { recorded_at: 2 * DAY, ..purchase() };
    let Operation::Purchase(same) = ours.operation else { unreachable!() };
    let other = |acknowledged_at, state| Intent {
        operation: Operation::Purchase(Purchase { id: OperationId::fresh(), ..same }),
        acknowledged_at,
        state,
        ..ours.clone()
    };
    let others = [
        (other(None, IntentState::Completed), 1),
        (other(None, IntentState::InDoubt), 2),
        (other(None, IntentState::Declined), 2),
        (other(Some(DAY), IntentState::Completed), 3),
        (other(Some(DAY - 1), IntentState::Completed), 3),
        (Intent { reward: Some(AssignmentId::from_uuid(Uuid::new_v4())), ..other(None, IntentState::Completed) }, 3),
        (purchase(), 3),
    ];
    assert!(journal.save(&ours, Durability::Synced).unwrap());
    for (intent, count) in &others {
        assert!(journal.save(intent, Durability::Synced).unwrap());
        assert_eq!(journal.others_without_reward(&ours, Duration::from_secs(60)).unwrap(), *count);
    }
}

#[test]
fn what_an_open_did_is_logged() {
    let events = |done: Report| {
        let log = Log::default();
        let (send, receive) = mpsc::channel();
        log.set(Level::Debug, Some(Box::new(move |_, line| send.send(line.to_owned()).unwrap())));
        report(done, &log);
        log.close();
        let event = |line: String| serde_json::from_str::<serde_json::Value>(&line).unwrap()["event"].to_string();
        receive.iter().map(event).collect::<Vec<_>>()
    };
    assert_eq!(events(Report::default()), Vec::<String>::new());
    let all = Report { adopted: 1, accepted: true, taken_over: true };
    assert_eq!(events(all), ["\"journal.adopted\"", "\"journal.lossAccepted\"", "\"journal.takenOver\""]);
    assert_eq!(events(Report { accepted: true, ..Report::default() }), ["\"journal.lossAccepted\""]);
}

/// Windows cuts no file that is mapped into memory.
#[cfg(unix)]
#[test]
fn index_cut_in_a_transaction_ends_no_process() {
    let place = Place::new();
    let journal = place.open();
    let result: Result<()> = journal.content.write_with(Durability::Synced, |_, _| {
        place.set_index(0);
        Err(Error::of(Code::Journal))
    });
    assert_eq!(result.unwrap_err().code(), Code::Journal);
    // Nothing touches the memory any more, also where another program makes the file anew.
    place.set_index(64 << 10);
    let write = || journal.content.write_with(Durability::Synced, |_, _| Ok(()));
    assert_eq!(write().unwrap_err().code(), Code::JournalReplaced);
    assert_eq!(journal.pending(None).unwrap_err().code(), Code::JournalReplaced);
    journal.close();
}

/// Files as a till leaves them that is killed now.
fn killed(place: &Place) -> Place {
    let image = Place::new();
    for end in ["", "-wal", "-shm", "-seal"] {
        let _ = std::fs::copy(place.beside(end), image.beside(end));
    }
    image
}

fn code_of(opened: Result<Journal>) -> Option<Code> {
    opened.map(drop).err().map(|error| error.code())
}

#[test]
fn first_bytes_say_whether_a_file_is_a_new_or_a_foreign_journal() {
    for (bytes, has_rollback, code) in [
        (vec![], false, None),
        // SQLite rolls it back, and there is nothing to roll back.
        (vec![0; 200], true, Some(Code::JournalDamaged)),
        (vec![0; 200], false, Some(Code::JournalForeign)),
        ([vec![0; 99], vec![1]].concat(), true, Some(Code::JournalForeign)),
        (b"SQLite format 3\0".to_vec(), false, Some(Code::JournalForeign)),
        (b"a text".repeat(40), false, Some(Code::JournalForeign)),
    ] {
        let place = Place::new();
        let what = format!("{} bytes, {has_rollback}", bytes.len());
        let write = |path: PathBuf, bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            #[cfg(unix)]
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        };
        write(place.path.clone(), &bytes);
        if has_rollback {
            write(place.beside("-journal"), b"");
        }
        let opened = place.open_with("");
        assert_eq!(opened.as_ref().err().map(Error::code), code, "{what}");
        assert!(opened.is_ok() || std::fs::read(&place.path).unwrap() == bytes, "{what}: left untouched");
    }
}

#[test]
fn seal_without_its_journal_reports_the_loss() {
    let place = Place::new();
    let journal = place.open();
    save(&journal);
    journal.close();
    drop(journal);
    std::fs::remove_file(&place.path).unwrap();
    let error = place.open_with("").map(drop).unwrap_err();
    assert_eq!(error.code(), Code::JournalIncomplete);
    assert!(error.message().contains("1 records had been written") && error.message().contains(". 0 records can"));
    // The first bytes are another's, and the seal knows better.
    std::fs::write(&place.path, "another program's".repeat(9)).unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(&place.path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    assert_eq!(code_of(place.open_with("")), Some(Code::JournalDamaged));
    std::fs::remove_file(&place.path).unwrap();
    let accepted = place.open_with(r#","journalRecovery":"accept""#).unwrap();
    assert!(accepted.incomplete_before().is_some() && accepted.unacknowledged().unwrap().is_empty());
    accepted.close();
    assert!(place.open().incomplete_before().is_some());
    // A journal in which nothing was written yet is as good as none.
    let unused = Place::new();
    unused.open().close();
    std::fs::remove_file(&unused.path).unwrap();
    assert!(unused.open().incomplete_before().is_none());
}

#[test]
fn damaged_record_is_reported_with_the_number_of_the_others() {
    let place = Place::new();
    let journal = place.open();
    for _ in 0..3 {
        save(&journal);
    }
    journal.close();
    let foreign = Connection::open(&place.path).unwrap();
    assert_eq!(foreign.execute("UPDATE operation SET attempts = 7 WHERE rowid = 2", ()).unwrap(), 1);
    drop(foreign);
    let error = place.open_with("").map(drop).unwrap_err();
    assert!(error.code() == Code::JournalDamaged && error.message().contains(". 2 records can be read"), "{error}");
}

#[test]
fn killed_journal_opens_whole_and_its_seal_goes_on() {
    let place = Place::new();
    let journal = place.open();
    save(&journal);
    let image = killed(&place);
    let again = image.open();
    assert!(again.incomplete_before().is_none());
    let files = again.content.files.as_ref().unwrap();
    let written = || Seal::read(files.seal().unwrap()).unwrap().unwrap().written;
    assert_eq!(written(), state(&again).writes);
    assert_eq!(*files.opening().unwrap().users, 1);
    let second = image.open();
    assert_eq!(*files.opening().unwrap().users, 2);
    save(&second);
    assert_eq!(written(), state(&again).writes);
    second.close();
    assert_eq!(again.unacknowledged().unwrap().len(), 2);
    assert!(open::is_whole(&image.path, files.seal().unwrap()).unwrap());
    let foreign = Connection::open(&image.path).unwrap();
    assert_eq!(foreign.execute("UPDATE operation SET attempts = 7", ()).unwrap(), 2);
    assert!(!open::is_whole(&image.path, files.seal().unwrap()).unwrap());
}

#[test]
fn only_a_copy_opens_as_a_copy() {
    let as_copy = r#","journalRole":"copy""#;
    let place = Place::new();
    let journal = place.open();
    save(&journal);
    assert_eq!(code_of(place.open_with(as_copy)), Some(Code::BadConfig), "it is in use");
    let copy = Place::new();
    journal.backup(&copy.path).unwrap();
    assert_eq!(copy.open_with(as_copy).unwrap().unacknowledged().unwrap().len(), 1);
    journal.close();
    assert_eq!(code_of(place.open_with(as_copy)), Some(Code::BadConfig), "its seal is there");
    let moved = Place::new();
    std::fs::copy(&place.path, &moved.path).unwrap();
    assert_eq!(moved.open_with(as_copy).unwrap().unacknowledged().unwrap().len(), 1);
    #[cfg(unix)]
    {
        std::fs::set_permissions(&moved.path, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
        assert_eq!(code_of(moved.open_with(as_copy)), Some(Code::JournalUnsafe));
    }
}

mod opening;
mod records;
mod waiting;
mod writing;
