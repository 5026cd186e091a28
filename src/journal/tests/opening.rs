//! What an open makes of the files that it finds: new, left by a crash, moved, old or damaged.

use super::*;

const ACCEPT: &str = r#","journalRecovery":"accept""#;

/// Opens a journal, and returns the events that were logged.
fn open_logged(place: &Place, more: &str) -> (Journal, Vec<String>) {
    let log = Log::default();
    let (send, receive) = mpsc::channel();
    log.set(Level::Debug, Some(Box::new(move |_, line| send.send(line.to_owned()).unwrap())));
    let journal = open_with_log(&place.path, more, &log).unwrap();
    log.close();
    let event = |line: String| {
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        line["event"].as_str().unwrap().to_owned()
    };
    (journal, receive.iter().map(event).collect())
}

fn sealed(place: &Place) -> Seal {
    Seal::read(&std::fs::File::open(place.beside("-seal")).unwrap()).unwrap().unwrap()
}

/// Copies a file of one journal to the same place beside another.
fn copy_file(from: &Place, to: &Place, end: &str) {
    std::fs::copy(from.beside(end), to.beside(end)).unwrap();
}

/// Changes the database as another program does.
fn change(place: &Place, sql: &str) {
    Connection::open(&place.path).unwrap().execute_batch(&format!("PRAGMA synchronous = OFF; {sql}")).unwrap();
}

/// Makes a file private, as the journal's files are.
fn make_private(path: &Path) {
    #[cfg(unix)]
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let _ = path;
}

#[test]
fn new_journal_has_its_seal_and_log_before_the_first_purchase() {
    let place = Place::new();
    let journal = place.open();
    assert_eq!((sealed(&place).journal, sealed(&place).written), (state(&journal).journal, 0));
    assert!(journal.sizes().unwrap().1 > 0);
}

#[test]
fn power_cut_sets_the_seal_back_and_promises_no_more() {
    let place = Place::new();
    let journal = place.open();
    let save_buffered = || assert!(journal.save(&purchase(), Durability::Buffered).unwrap());
    save_buffered();
    save_buffered();
    let image = killed(&place);
    save_buffered();
    copy_file(&place, &image, "-seal");
    assert_eq!((sealed(&image).durable, sealed(&image).written), (0, 3));
    let again = image.open();
    assert!(again.incomplete_before().is_none());
    assert_eq!((sealed(&image).durable, sealed(&image).written), (0, 2));
    save(&again);
    assert_eq!((sealed(&image).durable, sealed(&image).written), (3, 3));
}

#[test]
fn first_write_makes_a_lost_journal_known() {
    for (writes, missing, overwritten) in
        [(0, None, Code::JournalForeign), (1, Some(Code::JournalIncomplete), Code::JournalDamaged)]
    {
        let place = Place::new();
        let journal = place.open();
        for _ in 0..writes {
            save(&journal);
        }
        let alone = Place::new();
        copy_file(&place, &alone, "-seal");
        std::fs::write(&alone.path, b"another program's".repeat(9)).unwrap();
        make_private(&alone.path);
        assert_eq!(code_of(alone.open_with("")), Some(overwritten), "{writes} writes");
        std::fs::remove_file(&alone.path).unwrap();
        assert_eq!(code_of(alone.open_with("")), missing, "{writes} writes");
    }
}

#[test]
fn database_of_another_program_is_left_untouched() {
    let place = Place::new();
    change(&place, "CREATE TABLE sale (id); PRAGMA application_id = 7");
    make_private(&place.path);
    let before = std::fs::read(&place.path).unwrap();
    assert_eq!(code_of(place.open_with("")), Some(Code::JournalForeign));
    assert_eq!(code_of(place.open_with(ACCEPT)), Some(Code::JournalForeign));
    assert_eq!(std::fs::read(&place.path).unwrap(), before);
}

#[test]
fn journal_without_its_seal_is_taken_over_only_on_demand() {
    let place = Place::new();
    let journal = place.open();
    save(&journal);
    checkpoint_now(&journal).unwrap();
    let crashed = killed(&place);
    journal.close();
    let closed = killed(&place);
    let journal = place.open();
    save(&journal);
    let reopened = killed(&place);
    let with = |from: &Place, ends: &[&str]| {
        let image = Place::new();
        for end in ends {
            copy_file(from, &image, end);
        }
        image
    };
    for (what, image, code) in [
        ("closed, alone", with(&closed, &[""]), Some(Code::JournalCopy)),
        ("closed, with its seal", with(&closed, &["", "-seal"]), None),
        ("closed before, with its log", with(&reopened, &["", "-wal"]), Some(Code::JournalIncomplete)),
        ("crashed, with its log", with(&crashed, &["", "-wal"]), Some(Code::JournalIncomplete)),
        ("crashed, alone", with(&crashed, &[""]), Some(Code::JournalIncomplete)),
    ] {
        assert_eq!(code_of(image.open_with("")), code, "{what}");
    }
    let moved = with(&closed, &[""]);
    let (journal, events) = open_logged(&moved, r#","journalRole":"takeOver""#);
    assert_eq!(events, ["journal.takenOver"]);
    assert!(journal.incomplete_before().is_some() && sealed(&moved).durable == state(&journal).writes);
}

#[test]
fn empty_log_is_no_log() {
    let place = Place::new();
    let journal = place.open();
    save(&journal);
    let older = Place::new();
    copy_file(&place, &older, "-seal");
    for _ in 0..3 {
        save(&journal);
    }
    checkpoint_now(&journal).unwrap();
    // A kill leaves the log. Without it, writes that it had may be missing.
    for (log_bytes, code) in [(None, None), (Some(0), Some(Code::JournalIncomplete))] {
        let image = killed(&place);
        copy_file(&older, &image, "-seal");
        if let Some(bytes) = log_bytes {
            std::fs::OpenOptions::new().write(true).open(image.beside("-wal")).unwrap().set_len(bytes).unwrap();
        }
        assert_eq!(code_of(image.open_with("")), code, "{log_bytes:?}");
    }
}

#[test]
fn log_that_a_crash_has_left_grown_is_moved_soon() {
    let place = Place::new();
    save(&place.open());
    let journal = place.open();
    save(&journal);
    for (bytes, writes) in [(WAL_BYTES - 1, 0), (WAL_BYTES, WAL_WRITES)] {
        let image = killed(&place);
        std::fs::OpenOptions::new().write(true).open(image.beside("-wal")).unwrap().set_len(bytes).unwrap();
        let again = image.open();
        assert_eq!(again.content.wal_writes.load(Ordering::Relaxed), writes, "{bytes} bytes");
        again.checkpoint_if_due().unwrap();
        assert_eq!(image.in_file(), if writes > 0 { 2 } else { 1 }, "{bytes} bytes");
    }
}

#[test]
fn journal_of_an_older_version_needs_no_seal() {
    let used = Place::new();
    save(&used.open());
    let old = Place::new();
    copy_file(&used, &old, "-seal");
    change(&old, &schema::STEPS[..4].concat());
    change(
        &old,
        "INSERT INTO operation VALUES (randomblob(16), 'purchase', randomblob(16), randomblob(16), NULL, NULL, NULL,
             'inDoubt', 1, NULL, NULL, 1, 1000, 2, 3, 0, NULL, NULL, 0, NULL, NULL, NULL, NULL, 1, NULL, '{}');
         PRAGMA application_id = 0x4550536A; PRAGMA user_version = 4",
    );
    make_private(&old.path);
    let (journal, events) = open_logged(&old, "");
    assert_eq!(events, ["journal.adopted"]);
    assert!(journal.incomplete_before().is_none() && journal.pending(None).unwrap().len() == 1);
    assert_eq!(sealed(&old).journal, state(&journal).journal);
}

/// Takes the rows from an index.
const LACKING: &str = "PRAGMA writable_schema = ON;
    UPDATE sqlite_schema SET sql = replace(sql, 'IS NULL', 'IS NOT NULL') WHERE name = 'unacknowledged';
    PRAGMA writable_schema = RESET; REINDEX unacknowledged; PRAGMA writable_schema = ON;
    UPDATE sqlite_schema SET sql = replace(sql, 'IS NOT NULL', 'IS NULL') WHERE name = 'unacknowledged'";

#[test]
fn accepted_damage_is_repaired_and_reported_once() {
    for (what, harm, says, listed) in [
        ("a changed record", "UPDATE operation SET attempts = 7 WHERE rowid = 1", "1 records are damaged", 3),
        ("an unreadable record", "UPDATE operation SET contact = NULL WHERE rowid = 1", "1 records are damaged", 2),
        (
            "a trigger",
            r#"CREATE TRIGGER "odd""name" AFTER INSERT ON operation BEGIN SELECT 1; END"#,
            "triggers or views",
            3,
        ),
        ("a view", "CREATE VIEW odd AS SELECT 1", "triggers or views", 3),
        ("an index that lacks a row", LACKING, "its indexes are damaged", 3),
    ] {
        let place = Place::new();
        let journal = place.open();
        for _ in 0..3 {
            save(&journal);
        }
        journal.close();
        change(&place, harm);
        let before = std::fs::read(&place.path).unwrap();
        let error = place.open_with("").map(drop).unwrap_err();
        assert!(error.code() == Code::JournalDamaged && error.message().contains(says), "{what}: {error}");
        assert_eq!(std::fs::read(&place.path).unwrap(), before, "{what}: nothing was changed");
        let (accepted, events) = open_logged(&place, ACCEPT);
        assert_eq!(events, ["journal.lossAccepted"], "{what}");
        assert_eq!(accepted.unacknowledged().unwrap().len(), listed, "{what}");
        assert!(accepted.incomplete_before().is_some());
        assert_eq!(sealed(&place).durable, state(&accepted).writes, "{what}");
        let image = killed(&place);
        accepted.close();
        for place in [&place, &image] {
            let (again, events) = open_logged(place, ACCEPT);
            assert_eq!((events, again.unacknowledged().unwrap().len()), (vec![], listed), "{what}");
            assert!(again.incomplete_before().is_some());
        }
    }
}

#[test]
fn damaged_records_are_kept_for_review_and_never_sent() {
    let place = Place::new();
    let journal = place.open();
    let (changed, unreadable, whole) = (save(&journal), save(&journal), save(&journal));
    journal.close();
    change(
        &place,
        "UPDATE operation SET attempts = 7 WHERE rowid = 1;
         UPDATE operation SET contact = NULL WHERE rowid = 2",
    );
    let journal = place.open_with(ACCEPT).unwrap();
    assert_eq!(journal.get(changed.id()).unwrap().unwrap().tenant.as_deref(), Some("a damaged record"));
    assert_eq!(journal.pending(None).unwrap(), [(whole.id(), whole.operation.contact())]);
    assert!(journal.get(unreadable.id()).unwrap().is_none());
    let sql = "SELECT count(*), max(content) FROM unreadable";
    let read = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?));
    let (count, content) = Connection::open(&place.path).unwrap().query_row(sql, (), read).unwrap();
    // Each value as a literal, so that a person can put it back.
    let begin = format!("X'{}','purchase',NULL,X'", unreadable.id().uuid().simple().to_string().to_uppercase());
    assert!(count == 1 && content.starts_with(&begin), "{count} {content}");
}

#[test]
fn journal_found_again_is_not_the_accepted_one() {
    let place = Place::new();
    let journal = place.open();
    save(&journal);
    let restored = killed(&place);
    save(&journal);
    copy_file(&place, &restored, "-seal");
    save(&journal);
    save(&journal);
    assert_eq!(code_of(restored.open_with("")), Some(Code::JournalIncomplete));
    let accepted = restored.open_with(ACCEPT).unwrap();
    // It goes on behind what the seal knows.
    assert_eq!((state(&accepted).writes, sealed(&restored).durable), (3, 3));
    let found = killed(&place);
    copy_file(&restored, &found, "-seal");
    let error = found.open_with("").map(drop).unwrap_err();
    assert!(error.code() == Code::JournalIncomplete && error.message().contains("different ways"), "{error}");
}

/// Returns a journal of forty sales that SQLite finds damaged in the middle.
fn damaged_in_the_middle() -> Place {
    let place = Place::new();
    let journal = place.open();
    for number in 10..50 {
        let response = Some(format!("{{\"a\":\"{}\"}}", "x".repeat(1_000)));
        let intent = Intent { reference: Some(format!("sale {number}")), response, ..purchase() };
        assert!(journal.save(&intent, Durability::Buffered).unwrap());
    }
    checkpoint_now(&journal).unwrap();
    let image = Place::new();
    copy_file(&place, &image, "");
    copy_file(&place, &image, "-seal");
    let mut bytes = std::fs::read(&image.path).unwrap();
    // A leaf of a table, whose first byte says so.
    let page =
        bytes.chunks_exact_mut(4_096).find(|page| page[0] == 13 && page.windows(7).any(|part| part == b"sale 30"));
    page.unwrap()[..8].fill(0xFF);
    std::fs::write(&image.path, bytes).unwrap();
    image
}

fn references(journal: &Journal) -> Vec<String> {
    journal.unacknowledged().unwrap().into_iter().filter_map(|intent| intent.reference).collect()
}

fn files_aside(place: &Place) -> usize {
    let names = std::fs::read_dir(place.path.parent().unwrap()).unwrap();
    names.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains("-damaged-")).count()
}

#[test]
fn journal_that_sqlite_cannot_read_is_built_anew_from_both_ends() {
    for has_seal in [true, false] {
        let place = damaged_in_the_middle();
        let before = sealed(&place);
        if !has_seal {
            std::fs::remove_file(place.beside("-seal")).unwrap();
        }
        assert_eq!(code_of(place.open_with("")), Some(Code::JournalDamaged), "seal: {has_seal}");
        assert_eq!(files_aside(&place), 0);
        // Of an open that was killed while it built one.
        std::fs::write(place.beside("-restoring"), "half").unwrap();
        let (accepted, events) = open_logged(&place, ACCEPT);
        assert_eq!(events, ["journal.lossAccepted"]);
        let found = references(&accepted);
        assert!(found.first().unwrap() == "sale 10" && found.last().unwrap() == "sale 49", "{found:?}");
        assert!((34..40).contains(&found.len()) && !found.contains(&"sale 30".to_owned()), "{found:?}");
        assert!(accepted.incomplete_before().is_some() && files_aside(&place) > 0);
        assert!(!place.beside("-restored").exists() && !place.beside("-restoring").exists());
        // Its history goes on where there is a seal that knows it.
        assert_eq!(state(&accepted).journal == before.journal, has_seal);
        let image = killed(&place);
        accepted.close();
        for place in [&place, &image] {
            let again = place.open();
            assert!(references(&again) == found && again.incomplete_before().is_some());
        }
    }
}

#[test]
fn journal_that_a_killed_open_has_built_is_put_in_place() {
    let place = damaged_in_the_middle();
    recover::rebuild(&place.path, &place.beside("-seal"), "a").unwrap();
    assert!(place.beside("-restored").exists() && files_aside(&place) == 0);
    let (journal, events) = open_logged(&place, "");
    assert_eq!(events, ["journal.lossAccepted"]);
    assert!(journal.incomplete_before().is_some() && references(&journal).len() > 30);
    assert!(!place.beside("-restored").exists() && files_aside(&place) > 0);
    // Somebody's own file of that name stays.
    let healthy = Place::new();
    save(&healthy.open());
    std::fs::write(healthy.beside("-restored"), "mine").unwrap();
    assert!(healthy.open().incomplete_before().is_none());
    assert_eq!(std::fs::read(healthy.beside("-restored")).unwrap(), b"mine");
}
