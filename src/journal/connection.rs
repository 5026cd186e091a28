//! Connections to the database file, each set up for its use.

use super::failure::failed;
use super::files::LOCK_WAIT;
use crate::core::code::Code;
use crate::core::error::{Error, Result};
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, MAIN_DB, OpenFlags};
use std::path::Path;
use std::time::Instant;

/// Opens the database for reading and writing.
pub(super) fn connect(path: &Path) -> Result<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_PRIVATE_CACHE;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| failed(&error))?;
    connection.busy_timeout(LOCK_WAIT).map_err(|error| failed(&error))?;
    // SQLite falls back to reading where it may not write; a journal that cannot be written is
    // none.
    if connection.is_readonly(MAIN_DB).map_err(|error| failed(&error))? {
        return Err(Error::of(Code::JournalReadOnly));
    }
    plan_once(&connection)?;
    Ok(connection)
}

/// Keeps SQLite from looking at the values of a query as it plans it. Our partial indexes give it a
/// reason to, and then it plans the query anew for each value: two thirds of a purchase's time in
/// the journal.
pub(super) fn plan_once(connection: &Connection) -> Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop).map_err(|error| failed(&error))
}

/// Sets a connection up for writing to a write-ahead log.
pub(super) fn into_wal(connection: Connection, path: &Path) -> Result<Connection> {
    // SQLite does not wait for a lock when it changes the mode.
    let until = Instant::now() + LOCK_WAIT;
    let mode: String = loop {
        let set = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0));
        match set.map_err(|error| failed(&error)) {
            Ok(mode) => break mode,
            Err(error) if error.code() != Code::JournalLocked || Instant::now() >= until => return Err(error),
            Err(_) => std::thread::park_timeout(std::time::Duration::from_millis(5)),
        }
    };
    if mode != "wal" {
        return Err(Error::new(
            Code::JournalCannotOpen,
            format!(
                "the journal {} cannot be kept safe here: its file system does not support shared memory (a network share?); use a local disk",
                path.display()
            ),
        ));
    }
    connection.pragma_update(None, "synchronous", "FULL").map_err(|error| failed(&error))?;
    // The checkpoint is made while no caller waits, in no commit.
    connection.pragma_update(None, "wal_autocheckpoint", 0).map_err(|error| failed(&error))?;
    keep_wal(&connection, true)?;
    Ok(connection)
}

/// Whether the write-ahead log stays when its last connection closes. It is kept grown while the
/// journal is in use: appending to a file of fixed size needs one disk write less.
pub(super) fn keep_wal(connection: &Connection, keep: bool) -> Result<()> {
    let set = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep);
    set.map(drop).map_err(|error| failed(&error))
}

/// Opens the database file for reading, without its write-ahead log and without a lock.
pub(super) fn open_immutable(path: &Path) -> rusqlite::Result<Connection> {
    open_uri(path, "immutable=1")
}

/// Opens the journal of a program that runs, or that a crash has ended, for reading. Neither the
/// journal nor a file beside it is written.
pub(super) fn open_shared(path: &Path) -> rusqlite::Result<Connection> {
    let connection = open_uri(path, "readonly_shm=1")?;
    connection.busy_timeout(LOCK_WAIT)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(connection)
}

fn open_uri(path: &Path, parameter: &str) -> rusqlite::Result<Connection> {
    let bytes = path.as_os_str().as_encoded_bytes();
    let encoded = percent_encode(bytes, NON_ALPHANUMERIC).to_string().replace("%2F", "/").replace("%5C", "/");
    let root = if cfg!(windows) { "/" } else { "" };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(format!("file:{root}{encoded}?{parameter}"), flags)
}
