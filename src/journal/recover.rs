//! What is done with a journal that has lost records, once the configuration accepts the loss: all
//! that can be read is kept, nothing is deleted, and the time is marked.

use super::checksums;
use super::connection::keep_log;
use super::failure::failed;
use super::files::Shared;
use super::place::move_aside;
use super::rows::{self, select};
use super::seal::Seal;
use super::state::State;
use crate::core::error::Result;
use crate::core::intent::Intent;
use crate::rt;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior, params};
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
fn incomplete(state: State, writes: u64) -> State {
    let mut state =
        State { writes, written_at: rt::wall_now(), incomplete_before: Some(rt::wall_now()), closed: false, ..state };
    state.begin_generation(rt::random());
    State { writes: state.writes + 1, ..state }
}

/// Makes a journal whole with the records that are there. A record that was changed is kept for
/// review, and one that cannot be read is moved to the table `unreadable`.
pub(super) fn repair(connection: &Connection, seal: Option<Seal>) -> Result<State> {
    transaction(connection, |connection| {
        let state = State::read(connection)?.unwrap_or_else(State::fresh);
        let writes = state.writes.max(seal.map_or(0, |seal| seal.written));
        for row in checksums::verify(connection)?.damaged {
            if rows::is_readable(connection, row)? {
                connection.execute("UPDATE operation SET tenant = ?1 WHERE rowid = ?2", (DAMAGED, row))?;
            } else {
                keep_unreadable(connection, row)?;
            }
        }
        drop_foreign(connection)?;
        connection.execute_batch("REINDEX")?;
        let state = rows::count_anew(connection, incomplete(state, writes))?;
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
        let writes = state.writes;
        let state = State { journal: Uuid::new_v4().into_bytes(), is_copy: false, ..incomplete(state, writes) };
        state.write(connection)?;
        Ok(state)
    })
}

/// Reads what can be read of a journal that SQLite finds damaged, and moves its files aside.
pub(super) fn salvage(path: &Path, seal_path: &Path) -> Result<Vec<Intent>> {
    let files = Shared::open(path, seal_path)?;
    let opening = files.opening()?;
    if *opening.users > 0 || !files.is_unused()? {
        return Err(super::failure::locked());
    }
    let mut records = Vec::new();
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if let Ok(connection) = Connection::open_with_flags(path, flags) {
        // Its write-ahead log stays for support.
        let _ = keep_log(&connection, true);
        // From both ends, up to what is damaged.
        for order in [select!("NOT INDEXED ORDER BY rowid"), select!("NOT INDEXED ORDER BY rowid DESC")] {
            let _ = read_while_possible(&connection, order, &mut records);
        }
    }
    // Windows does not rename an open file.
    drop(opening);
    drop(files);
    move_aside(path)?;
    Ok(records)
}

fn read_while_possible(connection: &Connection, sql: &str, records: &mut Vec<Intent>) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(sql)?;
    let mut found = statement.query(())?;
    while let Some(row) = found.next()? {
        if let Ok(intent) = rows::record(row)?
            && !records.iter().any(|known| known.id() == intent.id())
        {
            records.push(intent);
        }
    }
    Ok(())
}

/// Puts salvaged records into a new journal.
pub(super) fn restore(connection: &Connection, records: &[Intent]) -> Result<State> {
    transaction(connection, |connection| {
        let mut state = incomplete(State::read(connection)?.unwrap_or_else(State::fresh), 0);
        for intent in records {
            // A record that cannot be written is in the file that was moved aside.
            let _ = rows::insert(connection, intent, &mut state);
        }
        let state = rows::count_anew(connection, state)?;
        state.write(connection)?;
        Ok(state)
    })
}
