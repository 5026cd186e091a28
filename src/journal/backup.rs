//! A copy of the journal in one file, made while the journal is in use. The copy is marked, so that
//! it is never used as a live journal by accident.

use super::census::State;
use super::failure::failed;
use super::place;
use crate::core::code::Code;
use crate::core::error::{Error, Result, chain};
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use std::path::Path;

/// What was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Backup {
    /// The size of the copy.
    #[allow(dead_code)]
    pub bytes: u64,
    /// The records in it.
    #[allow(dead_code)]
    pub operations: u64,
}

/// Copies the journal of a connection into a new file.
pub(super) fn make(connection: &Connection, path: &Path) -> Result<Backup> {
    if !path.is_absolute() {
        return Err(Error::new(Code::JournalCannotOpen, "path of the copy must be absolute"));
    }
    place::check(path, &place::beside(path, "-seal"))?;
    // SQLite writes into an empty file, which is made here so that nothing is overwritten.
    if place::create(path)?.is_none() {
        return Err(Error::new(
            Code::JournalCannotOpen,
            format!("the copy {} exists already; name a new file", path.display()),
        ));
    }
    let made = copy(connection, path);
    if made.is_err() {
        // It was made by this call, and holds no whole copy.
        let _ = std::fs::remove_file(path);
    }
    made
}

fn copy(connection: &Connection, path: &Path) -> Result<Backup> {
    let name = path.to_str().ok_or_else(|| Error::new(Code::BadUtf8, "path is not valid UTF-8"))?;
    let run = || {
        connection.execute("VACUUM INTO ?1", (name,))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let copy = Connection::open_with_flags(path, flags)?;
        let transaction = Transaction::new_unchecked(&copy, TransactionBehavior::Immediate)?;
        let state = State::read(&transaction)?.unwrap_or_else(State::fresh);
        let state = State { is_copy: true, closed: true, ..state };
        state.write(&transaction)?;
        transaction.commit()?;
        copy.close().map_err(|(_, error)| error)?;
        Ok(state.records)
    };
    let operations = run().map_err(|error| failed(&error))?;
    let synced = || {
        let file = std::fs::File::open(path)?;
        file.sync_all()?;
        place::sync_folder(path)?;
        Ok(file.metadata()?.len())
    };
    let bytes = synced().map_err(|error: std::io::Error| {
        Error::new(Code::Journal, format!("the copy {} cannot be made durable", path.display()))
            .with_cause(chain(&error))
    })?;
    Ok(Backup { bytes, operations })
}
