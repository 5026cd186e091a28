//! Commits, checkpoints, and what a close leaves.

use super::*;

/// Uses the connection that writes.
fn with_writer<T>(journal: &Journal, work: impl FnOnce(&mut Writer) -> T) -> T {
    work(rt::lock(&journal.content.writer).as_mut().unwrap())
}

/// Whether the next commit is synced.
fn is_synced(journal: &Journal) -> bool {
    let read = |writer: &mut Writer| writer.connection.pragma_query_value(None, "synchronous", |row| row.get(0));
    with_writer(journal, read).map(|full: i64| full == 2).unwrap()
}

fn sealed(journal: &Journal) -> Seal {
    Seal::read(journal.content.files.as_ref().unwrap().seal().unwrap()).unwrap().unwrap()
}

fn save_buffered(journal: &Journal) -> Intent {
    let intent = purchase();
    assert!(journal.save(&intent, Durability::Buffered).unwrap());
    intent
}

#[test]
fn commit_is_as_durable_as_it_promises() {
    let place = Place::new();
    let journal = place.open();
    for (durability, durable) in
        [(Durability::Buffered, 0), (Durability::Synced, 2), (Durability::Buffered, 2), (Durability::Synced, 4)]
    {
        assert!(journal.save(&purchase(), durability).unwrap());
        assert_eq!((is_synced(&journal), sealed(&journal).durable), (durability == Durability::Synced, durable));
    }
    // What has no caller to promise anything to is synced too.
    save_buffered(&journal);
    journal.compact().unwrap();
    assert!(is_synced(&journal));
    save_buffered(&journal);
    rest_for(&journal, IDLE);
    journal.checkpoint_if_due().unwrap();
    assert!(is_synced(&journal));
    save_buffered(&journal);
    let files = journal.content.files.as_ref().unwrap();
    with_writer(&journal, |writer| leave_one_file(files, writer)).unwrap();
    assert!(is_synced(&journal));
}

#[test]
fn only_a_whole_checkpoint_makes_buffered_writes_durable() {
    let place = Place::new();
    let journal = place.open();
    save(&journal);
    let reader = Connection::open(&place.path).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM operation").unwrap();
    save_buffered(&journal);
    for (command, durable) in [("", 1), ("COMMIT", 2)] {
        reader.execute_batch(command).unwrap();
        checkpoint_now(&journal).unwrap();
        assert_eq!(sealed(&journal).durable, durable, "a seal that is ahead of the disk reports a power cut as a loss");
    }
}

#[test]
fn write_goes_on_where_sqlite_had_fallen_back_to_reading() {
    let place = Place::new();
    let journal = place.open();
    save_buffered(&journal);
    let only_reads = Connection::open_with_flags(&place.path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    with_writer(&journal, |writer| writer.connection = only_reads);
    let id = save_buffered(&journal).id();
    assert!(journal.get(id).unwrap().is_some() && !is_synced(&journal));
    save(&journal);
    assert!(is_synced(&journal));
}

#[test]
fn commit_that_sqlite_undoes_leaves_no_record() {
    let journal = memory();
    let sql = "PRAGMA foreign_keys = ON;
               CREATE TABLE other (name PRIMARY KEY, of REFERENCES other (name) DEFERRABLE INITIALLY DEFERRED);
               CREATE TRIGGER failing AFTER INSERT ON operation WHEN new.state = 'recorded'
               BEGIN INSERT INTO other VALUES ('a', 'missing'); END";
    with_writer(&journal, |writer| writer.connection.execute_batch(sql)).unwrap();
    let intent = purchase();
    let admitted = journal.admit(&intent.operation, None, |_| Ok(Admission::New(intent.clone())));
    assert_eq!(admitted.unwrap_err().code(), Code::Journal);
    assert!(journal.get(intent.id()).unwrap().is_none());
}

#[test]
fn withdrawn_intent_takes_the_place_of_what_may_come_back() {
    let journal = memory();
    let error = || Error::of(Code::Journal);
    let at = |revision, intent: &Intent| Intent { revision, ..intent.clone() };
    let (new, made, changed, again) = (purchase(), save(&journal), save(&journal), save(&journal));
    assert!(journal.save(&at(2, &changed), Durability::Synced).unwrap());
    for (intent, revision) in [(new, 1), (made, 2), (changed, 3), (at(2, &again), 2), (at(2, &again), 3)] {
        let withdrawn = journal.content.withdraw(intent.clone(), error());
        assert_eq!(withdrawn.unwrap_err().code(), Code::Journal);
        let found = journal.get(intent.id()).unwrap().unwrap();
        assert_eq!((found.state, found.revision), (IntentState::NotSent, revision));
    }
    let missing = at(2, &purchase());
    let withdrawn = journal.content.withdraw(missing, error()).unwrap();
    assert!(matches!(withdrawn, Admission::Uncertain(..)), "its first revision is missing: {withdrawn:?}");
}

#[test]
fn client_has_one_generation_and_a_close_is_a_write() {
    let place = Place::new();
    let journal = place.open();
    let history = |journal: &Journal| (state(journal).writes, state(journal).generations.len());
    save(&journal);
    save(&journal);
    assert_eq!(history(&journal), (2, 1));
    let image = killed(&place);
    journal.close();
    let again = place.open();
    assert_eq!(history(&again), (3, 1));
    save(&again);
    assert_eq!(history(&again), (4, 2));
    // One that only closes what a crash has left writes too.
    image.open().close();
    let closed = image.open();
    assert!(history(&closed) == (3, 2) && state(&closed).closed);
    assert_eq!((sealed(&closed).written, sealed(&closed).durable), (3, 3));
}

#[test]
fn till_that_sells_is_not_idle() {
    let place = Place::new();
    let journal = place.open();
    rest_for(&journal, IDLE);
    save(&journal);
    journal.checkpoint_if_due().unwrap();
    assert_eq!(place.in_file(), 0);
}

#[test]
fn log_begins_anew_while_the_till_rests() {
    let place = Place::new();
    let journal = place.open();
    // The number of the checkpoint in the log's header.
    let begun = || std::fs::read(place.beside("-wal")).unwrap()[12..16].to_vec();
    let first = begun();
    save(&journal);
    checkpoint_now(&journal).unwrap();
    assert_eq!(begun(), first, "a till that sells waits for nothing more");
    save(&journal);
    let second = begun();
    assert_ne!(second, first);
    rest_for(&journal, IDLE);
    journal.checkpoint_if_due().unwrap();
    assert_ne!(begun(), second);
}

#[test]
fn commits_are_timed_and_stamped() {
    let journal = memory();
    let stamped = State { written_at: 5, ..state(&journal) };
    with_writer(&journal, |writer| stamped.write(&writer.connection)).unwrap();
    save(&journal);
    assert_eq!(journal.commit_times().read().1, 1);
    assert!(state(&journal).written_at > 1_600_000_000_000, "a loss is reported with the time of the last write");
}

/// Windows moves no file that is open.
#[cfg(unix)]
#[test]
fn files_that_are_not_in_use_any_more_are_not_written() {
    let place = Place::new();
    let journal = place.open();
    save(&journal);
    let (seal, aside) = (place.beside("-seal"), place.beside(".aside"));
    std::fs::rename(&seal, &aside).unwrap();
    let intent = purchase();
    let is_replaced = |result: Result<()>| assert_eq!(result.unwrap_err().code(), Code::JournalReplaced);
    is_replaced(journal.save(&intent, Durability::Synced).map(drop));
    is_replaced(checkpoint_now(&journal));
    is_replaced(journal.compact().map(drop));
    std::fs::rename(&aside, &seal).unwrap();
    assert!(place.in_file() == 0 && journal.get(intent.id()).unwrap().is_none());
    checkpoint_now(&journal).unwrap();
    assert_eq!(place.in_file(), 1);
    save(&journal);
    std::fs::OpenOptions::new().write(true).open(place.beside("-wal")).unwrap().set_len(32).unwrap();
    is_replaced(journal.save(&intent, Durability::Synced).map(drop));
}

/// Windows cuts no file that is mapped into memory.
#[cfg(unix)]
#[test]
fn index_that_was_cut_is_not_touched_again() {
    let place = Place::new();
    let journal = place.open();
    save(&journal);
    place.set_index(0);
    assert_eq!(journal.compact().unwrap_err().code(), Code::JournalReplaced);
    journal.close();
    // Found together with a file that was moved, and then made anew.
    let place = Place::new();
    let journal = place.open();
    save(&journal);
    place.set_index(0);
    std::fs::rename(place.beside("-seal"), place.beside(".aside")).unwrap();
    assert_eq!(checkpoint_now(&journal).unwrap_err().code(), Code::JournalReplaced);
    std::fs::rename(place.beside(".aside"), place.beside("-seal")).unwrap();
    place.set_index(64 << 10);
    assert_eq!(journal.save(&purchase(), Durability::Synced).unwrap_err().code(), Code::JournalReplaced);
    journal.close();
}

#[test]
fn client_that_is_not_the_last_one_closes_what_it_can() {
    let place = Place::new();
    let (first, last) = (place.open(), place.open());
    save(&first);
    first.close();
    assert!(place.beside("-wal").exists());
    last.close();
    assert!(!place.beside("-wal").exists(), "SQLite deletes it with its last connection");
}

/// Windows cuts no file that is mapped into memory.
#[cfg(unix)]
#[test]
fn transaction_on_a_cut_index_is_left_alone_at_the_close() {
    for has_other in [true, false] {
        let place = Place::new();
        let (journal, other) = (place.open(), has_other.then(|| place.open()));
        save(&journal);
        let cut: Result<()> = journal.content.write_with(Durability::Synced, |_, _| {
            place.set_index(0);
            Err(Error::of(Code::Journal))
        });
        assert_eq!(cut.unwrap_err().code(), Code::Journal);
        journal.close();
        drop(other);
    }
}

#[test]
fn close_moves_the_log_while_another_program_reads() {
    let place = Place::new();
    let journal = place.open();
    save(&journal);
    // SQLite itself moves the log with its last connection only.
    let reader = Connection::open(&place.path).unwrap();
    reader.query_row("SELECT count(*) FROM operation", (), |_| Ok(())).unwrap();
    journal.close();
    assert_eq!(place.in_file(), 1);
    assert_eq!(journal.sizes().unwrap().1, 0, "the log is let go");
}

#[test]
fn close_leaves_a_newer_journal_as_a_crash_does() {
    let place = Place::new();
    let journal = place.open();
    save(&journal);
    let newer = Connection::open(&place.path).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    journal.close();
    let read = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
    assert_eq!(newer.query_row("SELECT writes, closed FROM state", (), read).unwrap(), (1, 0));
}

#[test]
fn save_in_a_callers_place_says_whether_it_wrote() {
    let place = Place::new();
    let journal = place.open();
    let save = |is_own: bool, intent: &Intent, durability| {
        if is_own {
            return journal.save_within_wait(intent, durability).unwrap();
        }
        journal.save_within(intent, durability, Duration::from_secs(60)).unwrap()
    };
    for is_own in [true, false] {
        let intent = purchase();
        let at = |revision| Intent { revision, ..intent.clone() };
        assert!(save(is_own, &at(1), Durability::Synced));
        assert!(!save(is_own, &at(3), Durability::Buffered), "somebody else has written it");
        assert!(save(is_own, &at(2), Durability::Buffered));
        assert_eq!(journal.get(intent.id()).unwrap().unwrap().revision, 2);
    }
}

fn redeem(assignment: AssignmentId, state: IntentState, code: Code, at: Millis) -> Intent {
    let channel = crate::core::domain::Channel::Pos;
    let operation = Operation::Redeem(Redeem { id: OperationId::fresh(), contact: None, assignment, channel });
    Intent { state, code, tenant: purchase().tenant, ..Intent::new(operation, Some("sale 1".to_owned()), at, 2) }
}

#[test]
fn command_finds_the_operations_that_it_may_mean() {
    let journal = memory();
    let find = |operation: &Operation, reference: Option<&str>| {
        let mut found = None;
        let decide = |candidates| {
            found = Some(candidates);
            Err(Error::of(Code::Offline))
        };
        journal.peek(operation, reference, decide, Duration::ZERO).unwrap().unwrap_err();
        let Candidates { by_id, by_reference, unacknowledged, redeemed } = found.unwrap();
        let ids = |intents: Vec<Intent>| intents.iter().map(Intent::id).collect::<Vec<_>>();
        (by_id.map(|intent| intent.id()), ids(by_reference), ids(unacknowledged), redeemed)
    };
    let Operation::Purchase(command) = purchase().operation else { unreachable!() };
    let saved = |intent: Intent| {
        assert!(journal.save(&intent, Durability::Synced).unwrap());
        intent.id()
    };
    let same = |at, reference: &str, acknowledged_at| {
        let operation = Operation::Purchase(Purchase { id: OperationId::fresh(), ..command });
        saved(Intent { acknowledged_at, ..Intent::new(operation, Some(reference.to_owned()), at, 2) })
    };
    let (newer, older) = (same(3_000, "sale 1", None), same(1_000, "sale 1", None));
    let (done, other) = (same(2_000, "sale 1", Some(9_000)), same(4_000, "sale 2", None));
    saved(Intent { reference: Some("sale 1".to_owned()), ..purchase() });
    let again = Operation::Purchase(Purchase { id: done, ..command });
    let unacknowledged = vec![older, newer, other];
    assert_eq!(find(&again, Some("sale 1")), (Some(done), vec![newer, done, older], unacknowledged.clone(), false));
    assert_eq!(find(&Operation::Purchase(command), None), (None, vec![], unacknowledged, false));

    let reward = AssignmentId::from_uuid(Uuid::new_v4());
    let command = redeem(reward, IntentState::Recorded, Code::Pending, 1_000).operation;
    let declined = saved(redeem(reward, IntentState::Declined, Code::Offline, 1_000));
    assert_eq!(find(&command, Some("sale 1")), (None, vec![declined], vec![declined], false));
    let completed = saved(redeem(reward, IntentState::Completed, Code::Ok, 2_000));
    assert_eq!(find(&command, Some("sale 1")), (None, vec![completed, declined], vec![declined, completed], true));
    let reward = AssignmentId::from_uuid(Uuid::new_v4());
    saved(redeem(reward, IntentState::Declined, Code::AlreadyRedeemed, 1_000));
    assert!(find(&redeem(reward, IntentState::Recorded, Code::Pending, 1_000).operation, None).3);
}

#[test]
fn pending_and_redeemed_operations_are_listed() {
    let journal = memory();
    let reward = AssignmentId::from_uuid(Uuid::new_v4());
    let (first, second) = (purchase(), redeem(reward, IntentState::InDoubt, Code::Pending, 1_000));
    let used = redeem(reward, IntentState::Completed, Code::Ok, 1_000);
    let elsewhere = Intent { tenant: Some("https://b.voyado.com".to_owned()), ..purchase() };
    let (first, second) = (Intent { next_query_at: 9, ..first }, Intent { next_query_at: 8, ..second });
    for intent in [&first, &second, &used, &elsewhere] {
        assert!(journal.save(intent, Durability::Synced).unwrap());
    }
    let member = first.operation.contact();
    assert!(member.is_some());
    assert_eq!(journal.pending(None).unwrap(), [(second.id(), None), (first.id(), member)]);
    let redeems = journal.redeems(reward).unwrap();
    assert_eq!(redeems.iter().map(Intent::id).collect::<Vec<_>>(), [second.id(), used.id()]);
}
