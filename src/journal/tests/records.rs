//! What a check, the metrics and an inspection say of the journal on a disk.

use super::*;
use crate::core::check::{self, JournalFacts};
use std::collections::BTreeMap;

const AS_COPY: &str = r#","journalRole":"copy""#;

/// A journal with one purchase and a copy of it.
fn copied() -> (Place, Journal, Place) {
    let (place, copy) = (Place::new(), Place::new());
    let journal = place.open();
    save(&journal);
    journal.backup(&copy.path).unwrap();
    (place, journal, copy)
}

fn execute(place: &Place, sql: &str) {
    Connection::open(&place.path).unwrap().execute_batch(sql).unwrap();
}

/// The files in the journal's folder with their content. SQLite marks its readers in the index.
fn files(place: &Place) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let entries = std::fs::read_dir(place.path.parent().unwrap()).unwrap();
    let content = |path: &PathBuf| std::fs::read(path).ok().filter(|_| *path != place.beside("-shm"));
    entries.map(|entry| entry.unwrap().path()).map(|path| (path.clone(), content(&path))).collect()
}

fn inspected(place: &Place) -> inspect::Inspection {
    let before = files(place);
    let found = inspect(&place.path, None).unwrap();
    assert!(files(place) == before, "an inspection writes nothing");
    found
}

#[test]
fn metrics_count_the_records_and_the_bytes() {
    let (place, journal, copy) = copied();
    save(&journal);
    let declined = Intent { state: IntentState::Declined, code: Code::AlreadyRedeemed, ..purchase() };
    assert!(journal.save(&declined, Durability::Synced).unwrap());
    let counts = |state: &str, code: Code, count| (state.to_owned(), code.number(), count);
    assert_eq!(
        journal.counts().unwrap(),
        [counts("declined", Code::AlreadyRedeemed, 1), counts("recorded", Code::Pending, 2)]
    );
    let bytes = |path: PathBuf| std::fs::metadata(path).unwrap().len();
    assert_eq!(journal.sizes(), Some((bytes(place.path.clone()), bytes(place.beside("-wal")))));
    assert_eq!(journal.place(), check::Place::File);
    let read = copy.open_with(AS_COPY).unwrap();
    for (journal, place, count) in [(read, check::Place::Copy, 1), (memory(), check::Place::Memory, 0)] {
        assert_eq!((journal.place(), journal.sizes()), (place, None));
        assert_eq!(journal.counts().unwrap().iter().map(|(.., count)| count).sum::<u64>(), count);
    }
}

#[test]
fn check_writes_to_the_disk_and_proves_the_records() {
    let limit = Duration::from_secs(60);
    let (place, journal, copy) = copied();
    let codes = |facts: JournalFacts| {
        (facts.written_ms.err().map(|error| error.code()), facts.whole.err().map(|error| error.code()))
    };
    let moved = || journal.content.wal_writes.load(Ordering::Relaxed);
    let (before, writes) = (state(&journal), moved());
    let facts = journal.examine(limit).unwrap();
    assert_eq!(facts.free_bytes.is_some(), cfg!(any(unix, windows)));
    assert_eq!((codes(facts), moved()), ((None, None), writes + 1));
    assert!(journal.fact("checkedAt").unwrap().unwrap().parse::<u64>().unwrap() > 1_600_000_000_000);
    assert_eq!(state(&journal), before, "a check is no record");
    // Neither has a disk to write to.
    for journal in [copy.open_with(AS_COPY).unwrap(), memory()] {
        let facts = journal.examine(limit).unwrap();
        assert!(facts.written_ms.unwrap() == 0 && facts.whole.is_ok() && facts.free_bytes.is_none());
        assert_eq!(journal.fact("checkedAt").unwrap(), None);
    }
    execute(&place, "UPDATE operation SET attempts = 9");
    assert_eq!(codes(journal.examine(limit).unwrap()), (None, Some(Code::JournalIncomplete)));
    // Windows cuts no file that is mapped into memory.
    if cfg!(unix) {
        place.set_index(0);
        let replaced = Some(Code::JournalReplaced);
        assert_eq!(codes(journal.examine(limit).unwrap()), (replaced, replaced));
    }
}

#[test]
fn inspection_says_whether_the_journal_is_whole_and_closed() {
    let place = Place::new();
    let journal = place.open();
    save(&journal);
    let found = inspected(&place);
    assert_eq!((found.fault, found.records, found.damaged), (None, 1, 0));
    assert!(!found.is_closed && !found.is_copy && found.incomplete_before.is_none());
    assert_eq!(found.written_at, state(&journal).written_at);
    let bytes = |path: PathBuf| std::fs::metadata(path).unwrap().len();
    assert_eq!((found.bytes, found.wal_bytes), (bytes(place.path.clone()), bytes(place.beside("-wal"))));
    // Its record is in the log only.
    let image = killed(&place);
    assert_eq!(image.in_file(), 0);
    let found = inspected(&image);
    assert_eq!((found.fault, found.records, found.is_closed), (None, 1, false));
    journal.close();
    let found = inspected(&place);
    assert_eq!((found.fault, found.records, found.wal_bytes, found.is_closed), (None, 1, 0, true));
    // It is open again, and nothing was written yet.
    let journal = place.open();
    assert!(state(&journal).closed && !inspected(&place).is_closed);
    journal.close();
}

#[test]
fn inspection_says_what_is_wrong_with_a_journal() {
    let closed = || {
        let place = Place::new();
        let journal = place.open();
        save(&journal);
        save(&journal);
        journal.close();
        place
    };
    let damaged = closed();
    execute(&damaged, "UPDATE operation SET attempts = 9 WHERE rowid = 2");
    let found = inspected(&damaged);
    assert_eq!((found.fault.as_deref(), found.records, found.damaged), (Some("1 records are damaged"), 2, 1));
    let uncounted = closed();
    execute(&uncounted, "DELETE FROM state");
    let found = inspected(&uncounted);
    assert_eq!((found.fault.as_deref(), found.records), (Some("its own count of records is damaged"), 2));
    assert!(found.is_closed && !found.is_copy && found.written_at == 0);
    let unsealed = closed();
    std::fs::remove_file(unsealed.beside("-seal")).unwrap();
    assert!(inspected(&unsealed).fault.unwrap().starts_with("its seal is missing"));
    // A copy never has one.
    let (_place, _journal, copy) = copied();
    let found = inspected(&copy);
    assert_eq!((found.fault, found.is_copy, found.is_closed, found.records), (None, true, true, 1));
}

#[test]
fn file_that_cannot_be_inspected_is_left_as_it_is() {
    type Change = fn(&Place);
    let cases: [(Change, Code, &str); 6] = [
        (|place| std::fs::remove_file(&place.path).unwrap(), Code::JournalCannotOpen, "cannot be read"),
        (|place| std::fs::remove_file(place.beside("-shm")).unwrap(), Code::JournalCannotOpen, "start the till"),
        (|place| pragma(place, "application_id", 7), Code::JournalForeign, "is not a journal"),
        (|place| pragma(place, "user_version", schema::VERSION + 1), Code::JournalNewer, "newer library"),
        (|place| pragma(place, "user_version", schema::VERSION - 1), Code::JournalCannotOpen, "earlier version"),
        (open_to_everybody, Code::JournalUnsafe, "set the mode 600"),
    ];
    let place = Place::new();
    let journal = place.open();
    save(&journal);
    for (change, code, says) in &cases[..if cfg!(unix) { 6 } else { 5 }] {
        let image = killed(&place);
        change(&image);
        let before = files(&image);
        let error = inspect(&image.path, None).unwrap_err();
        assert!(error.code() == *code && error.message().contains(says), "{error:?}, without {says:?}");
        assert!(files(&image) == before, "{says}");
    }
}

fn pragma(place: &Place, name: &str, value: i32) {
    let connection = Connection::open(&place.path).unwrap();
    // The log stays, as a kill leaves it.
    connection::keep_wal(&connection, true).unwrap();
    connection.pragma_update(None, name, value).unwrap();
}

fn open_to_everybody(place: &Place) {
    #[cfg(unix)]
    std::fs::set_permissions(&place.path, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    #[cfg(not(unix))]
    let _ = place;
}
