//! What is done with a journal that has lost records, once the configuration accepts the loss: all
//! that can be read is kept, nothing is deleted, and the time is marked.

use super::checksums;
use super::connection::{connect, keep_wal, open_immutable};
use super::failure::{failed, unsealed};
use super::files::{Shared, put_in_place};
use super::migrate::migrate;
use super::paths::{self, beside};
use super::rows::{self, select};
use super::seal::Seal;
use super::state::State;
use crate::core::code::Code;
use crate::core::error::{Error, Result, chain};
use crate::core::intent::Intent;
use crate::rt;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior, params};
use std::collections::BTreeMap;
use std::path::Path;
use uuid::Uuid;

/// The tenant of a record whose content was changed. No configuration has it, so the record is
/// listed for review and never sent.
const DAMAGED: &str = "a damaged record";

fn transaction<T>(connection: &Connection, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
    let run = || {
        let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
        let value = work(&transaction)?;
        transaction.commit()?;
        Ok(value)
    };
    run().map_err(|error| failed(&error))
}

/// Returns the state of a journal from which records may be missing as of now.
fn incomplete(state: State) -> State {
    let mut state =
        State { written_at: rt::wall_now(), incomplete_before: Some(rt::wall_now()), closed: false, ..state };
    state.begin_generation(rt::random());
    State { writes: state.writes + 1, ..state }
}

/// Makes a journal whole with the records that are there. A record that was changed is kept for
/// review, and one that cannot be read is moved to the table `unreadable`.
pub(super) fn repair(connection: &Connection, seal: Option<Seal>) -> Result<State> {
    transaction(connection, |connection| {
        let state = State::read(connection)?.unwrap_or_else(State::fresh);
        let writes = seal.map_or(state.writes, |seal| seal.written.max(state.writes));
        for row in checksums::verify(connection)?.damaged {
            if rows::is_readable(connection, row)? {
                connection.execute("UPDATE operation SET tenant = ?1 WHERE rowid = ?2", (DAMAGED, row))?;
            } else {
                keep_unreadable(connection, row)?;
            }
        }
        drop_foreign(connection)?;
        connection.execute_batch("REINDEX")?;
        let state = rows::count_anew(connection, incomplete(State { writes, ..state }))?;
        state.write(connection)?;
        Ok(state)
    })
}

/// Drops triggers and views, which only another program makes.
fn drop_foreign(connection: &Connection) -> rusqlite::Result<()> {
    let sql = "SELECT 'DROP ' || type || ' \"' || replace(name, '\"', '\"\"') || '\"' FROM sqlite_schema
               WHERE type IN ('trigger', 'view')";
    let drops: Vec<String> =
        connection.prepare(sql)?.query_map((), |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    drops.iter().try_for_each(|drop| connection.execute_batch(drop))
}

/// Moves a row to the table `unreadable`, each value as an SQL literal.
fn keep_unreadable(connection: &Connection, row: i64) -> rusqlite::Result<()> {
    let mut statement = connection.prepare("SELECT * FROM operation WHERE rowid = ?1")?;
    let names: Vec<String> = statement.column_names().map(|name| format!("quote({name})")).collect();
    drop(statement);
    statement = connection.prepare(&format!("SELECT {} FROM operation WHERE rowid = ?1", names.join("||','||")))?;
    let content: String = statement.query_row((row,), |row| row.get(0))?;
    connection.execute(
        "INSERT INTO unreadable (at, content) VALUES (?1, ?2)",
        params![rt::wall_now().cast_signed(), content],
    )?;
    connection.execute("DELETE FROM operation WHERE rowid = ?1", (row,)).map(drop)
}

/// Makes a copy live. Its original may have recorded more since, so that records may be missing.
pub(super) fn take_over(connection: &Connection) -> Result<State> {
    transaction(connection, |connection| {
        let state = State::read(connection)?.unwrap_or_else(State::fresh);
        let state = State { journal: Uuid::new_v4().into_bytes(), is_copy: false, ..incomplete(state) };
        state.write(connection)?;
        Ok(state)
    })
}

/// The name of a new journal while it is built, and once it is whole. From then on the next open
/// puts it in the place of the damaged one.
const RESTORING: &str = "-restoring";
const RESTORED: &str = "-restored";

/// Builds a new journal beside one that SQLite finds damaged, with the records that can be read.
/// The damaged one stays as it is until [`finish`].
pub(super) fn rebuild(path: &Path, seal_path: &Path, tenant: &str) -> Result<()> {
    let files = Shared::open(path, seal_path)?;
    let opening = files.opening()?;
    if *opening.users != 0 || !files.is_unused()? {
        return Err(super::failure::locked());
    }
    let (fresh, whole) = (beside(path, RESTORING), beside(path, RESTORED));
    // Another process may have built it, and put it in place too.
    if paths::exists(&whole)? || !files.is_in_place() {
        return Ok(());
    }
    let seal = files.existing_seal()?;
    let records = salvage(path);
    // Of an earlier open that ended.
    let _ = std::fs::remove_file(&fresh);
    if paths::create(&fresh)?.is_none() {
        return Err(Error::new(Code::JournalCannotOpen, format!("{} cannot be replaced", fresh.display())));
    }
    let mut connection = connect(&fresh)?;
    // No file beside it, which a kill would leave.
    let set = connection.pragma_update(None, "journal_mode", "MEMORY");
    set.map_err(|error| failed(&error))?;
    migrate(&mut connection, tenant)?;
    let state = restore(&connection, &records, seal)?;
    connection.close().map_err(|(_, error)| failed(&error))?;
    if seal.is_none() {
        let begun = Seal::of(&state, None, true).begin(files.seal()?);
        begun.map_err(|error| unsealed(seal_path, &error))?;
    }
    paths::publish(&fresh, &whole).map(drop).map_err(|error| {
        Error::new(Code::Journal, format!("the new journal {} cannot be made durable", whole.display()))
            .with_cause(chain(&error))
    })
}

/// Puts a new journal that [`rebuild`] has built in the place of the damaged one, which is moved
/// aside. Returns whether it did. A kill at any point leaves this to the next open.
pub(super) fn finish(path: &Path, seal_path: &Path) -> Result<bool> {
    let whole = beside(path, RESTORED);
    if !paths::exists(&whole)? || !is_of_seal(&whole, seal_path)? {
        return Ok(false);
    }
    put_in_place(path, &whole)
}

/// Whether a file is the new journal that belongs to a seal, and not somebody's own file.
fn is_of_seal(whole: &Path, seal_path: &Path) -> Result<bool> {
    let read = open_immutable(whole).and_then(|connection| State::read(&connection));
    let state = match read.map_err(|error| failed(&error)) {
        Err(error) if error.code() != Code::JournalDamaged => return Err(error),
        state => state.ok().flatten(),
    };
    if !paths::exists(seal_path)? {
        return Ok(false);
    }
    let seal = std::fs::File::open(seal_path).and_then(|file| Seal::read(&file));
    let seal = seal.map_err(|error| unsealed(seal_path, &error))?;
    Ok(state.zip(seal).is_some_and(|(state, seal)| {
        state.incomplete_before.is_some() && state.journal == seal.journal && state.writes >= seal.written
    }))
}

/// Reads what can be read of a journal that SQLite finds damaged, by its rows.
fn salvage(path: &Path) -> BTreeMap<i64, Intent> {
    let mut records = BTreeMap::new();
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if let Ok(connection) = Connection::open_with_flags(path, flags) {
        // Its write-ahead log stays for support.
        let _ = keep_wal(&connection, true);
        // From both ends, up to what is damaged.
        for order in [select!("NOT INDEXED ORDER BY rowid"), select!("NOT INDEXED ORDER BY rowid DESC")] {
            let _ = read_while_possible(&connection, order, &mut records);
        }
    }
    records
}

fn read_while_possible(
    connection: &Connection,
    sql: &str,
    records: &mut BTreeMap<i64, Intent>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(sql)?;
    let mut found = statement.query(())?;
    while let Some(row) = found.next()? {
        if let Ok(intent) = rows::record(row)? {
            records.insert(row.get(rows::ROWID)?, intent);
        }
    }
    Ok(())
}

/// Puts salvaged records into a new journal. It continues the history of the seal, so that it is
/// whole beside it.
fn restore(connection: &Connection, records: &BTreeMap<i64, Intent>, seal: Option<Seal>) -> Result<State> {
    transaction(connection, |connection| {
        let fresh = State::fresh();
        let mut state = incomplete(match seal {
            None => fresh,
            Some(seal) => {
                let generations = vec![(seal.generation, seal.durable)];
                State { journal: seal.journal, generations, writes: seal.written, ..fresh }
            }
        });
        for intent in records.values() {
            // A record that cannot be written is in the file that was moved aside.
            let _ = rows::insert(connection, intent, &mut state);
        }
        let state = rows::count_anew(connection, state)?;
        state.write(connection)?;
        Ok(state)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::schema;
    use crate::journal::tests::Place;

    fn state(writes: u64) -> State {
        State { journal: [1; 16], writes, incomplete_before: Some(5), ..State::fresh() }
    }

    #[test]
    fn journal_that_was_built_is_known_by_the_seal() {
        let place = Place::new();
        let seal_path = place.beside("-seal");
        let is_known = |state: Option<State>| {
            let _ = std::fs::remove_file(&place.path);
            let whole = Connection::open(&place.path).unwrap();
            whole.execute_batch("PRAGMA synchronous = OFF").unwrap();
            whole.execute_batch(schema::NEWEST).unwrap();
            if let Some(state) = state {
                state.write(&whole).unwrap();
            }
            drop(whole);
            is_of_seal(&place.path, &seal_path)
        };
        assert!(!is_known(Some(state(7))).unwrap(), "there is no seal");
        std::fs::write(&seal_path, "").unwrap();
        assert!(!is_known(Some(state(7))).unwrap(), "the seal is empty");
        let seal = std::fs::OpenOptions::new().write(true).open(&seal_path).unwrap();
        Seal::of(&state(7), None, true).begin(&seal).unwrap();
        for (what, state, is_of_it) in [
            ("as far as the seal", Some(state(7)), true),
            ("behind it", Some(state(8)), true),
            ("an older one", Some(state(6)), false),
            ("another journal", Some(State { journal: [2; 16], ..state(7) }), false),
            ("a copy of the journal", Some(State { incomplete_before: None, ..state(7) }), false),
            ("its count is missing", None, false),
        ] {
            assert_eq!(is_known(state).unwrap(), is_of_it, "{what}");
        }
        std::fs::write(&place.path, "a text that is no database".repeat(20)).unwrap();
        assert!(!is_of_seal(&place.path, &seal_path).unwrap());
        // What cannot be read now is no other file.
        std::fs::remove_file(&place.path).unwrap();
        std::fs::create_dir(&place.path).unwrap();
        assert!(is_of_seal(&place.path, &seal_path).is_err());
    }

    #[test]
    fn journal_in_use_or_built_already_is_not_built_anew() {
        let place = Place::new();
        let (seal_path, whole) = (place.beside("-seal"), place.beside(RESTORED));
        let build = || rebuild(&place.path, &seal_path, "a");
        let journal = place.open();
        assert_eq!(build().unwrap_err().code(), Code::JournalLocked);
        journal.close();
        drop(journal);
        let reader = Connection::open(&place.path).unwrap();
        let read = || reader.query_row("SELECT count(*) FROM operation", (), |_| Ok(()));
        read().unwrap();
        // Elsewhere nothing shows that another SQLite has it open.
        #[cfg(target_os = "linux")]
        assert_eq!(build().unwrap_err().code(), Code::JournalLocked);
        assert!(!whole.exists());
        drop(reader);
        std::fs::write(&whole, "of another process").unwrap();
        build().unwrap();
        assert_eq!(std::fs::read(&whole).unwrap(), b"of another process");
        std::fs::remove_file(&whole).unwrap();
        build().unwrap();
        assert!(whole.exists());
    }
}
