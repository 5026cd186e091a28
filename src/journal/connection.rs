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

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn number(connection: &Connection, pragma: &str) -> i64 {
        connection.pragma_query_value(None, pragma, |row| row.get(0)).unwrap()
    }

    fn keeps_wal(connection: &Connection) -> bool {
        connection.db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE).unwrap()
    }

    fn place() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        // Characters that a URI has other meanings for; Windows allows no question mark.
        let path = folder.path().join(if cfg!(windows) { "a b%2F#.db" } else { "a b%2F?#.db" });
        std::fs::write(&path, "").unwrap();
        (folder, path)
    }

    #[test]
    fn connection_for_writing_is_durable_and_waits() {
        let (_folder, path) = place();
        let connection = connect(&path).unwrap();
        assert!(connection.db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG).unwrap());
        assert_eq!(u128::try_from(number(&connection, "busy_timeout")).unwrap(), LOCK_WAIT.as_millis());
        // As an SQLite that was built with other defaults has it.
        connection.pragma_update(None, "synchronous", "NORMAL").unwrap();
        let connection = into_wal(connection, &path).unwrap();
        let full = 2;
        assert_eq!((number(&connection, "synchronous"), number(&connection, "wal_autocheckpoint")), (full, 0));
        assert!(keeps_wal(&connection));
        keep_wal(&connection, false).unwrap();
        assert!(!keeps_wal(&connection));
    }

    #[test]
    fn mode_is_changed_once_no_other_connection_holds_a_lock() {
        let (_folder, path) = place();
        let holder = connect(&path).unwrap();
        holder.execute_batch("CREATE TABLE a(b); BEGIN EXCLUSIVE").unwrap();
        let connection = connect(&path).unwrap();
        connection.busy_timeout(std::time::Duration::ZERO).unwrap();
        let began = Instant::now();
        assert_eq!(into_wal(connection, &path).unwrap_err().code(), Code::JournalLocked);
        assert!(began.elapsed() >= LOCK_WAIT);
        let connection = connect(&path).unwrap();
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| into_wal(connection, &path).map(drop));
            holder.execute_batch("COMMIT").unwrap();
            waits.join().unwrap().unwrap();
        });
        std::fs::write(&path, [b'x'; 4096]).unwrap();
        let foreign = connect(&path).unwrap();
        assert_eq!(into_wal(foreign, &path).unwrap_err().code(), Code::JournalDamaged);
    }

    #[test]
    fn connection_for_reading_writes_nothing() {
        let (_folder, path) = place();
        let writer = into_wal(connect(&path).unwrap(), &path).unwrap();
        writer.execute_batch("CREATE TABLE a(b); INSERT INTO a VALUES(7)").unwrap();
        let reader = open_shared(&path).unwrap();
        assert_eq!(u128::try_from(number(&reader, "busy_timeout")).unwrap(), LOCK_WAIT.as_millis());
        assert!(keeps_wal(&reader) && reader.is_readonly(MAIN_DB).unwrap());
        assert_eq!(reader.query_row("SELECT b FROM a", (), |row| row.get::<_, i64>(0)).unwrap(), 7);
        // Without the log there is no table yet.
        assert!(open_immutable(&path).unwrap().query_row("SELECT b FROM a", (), |_| Ok(())).is_err());
    }
}
