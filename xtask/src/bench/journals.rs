//! Journals of a given size: copies of a record that the library has written. They are put into a
//! journal of version 4, which has no checksums yet; the library itself brings it to its own.

use super::lab::{Lab, Peer};
use crate::run::Result;
use rusqlite::Connection;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// The state of the copies.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Records {
    /// Completed and acknowledged, each with another reference.
    Acknowledged,
    /// Pending: an attempt is in doubt.
    Pending,
}

/// Makes a journal with `number` copies, and the few records that the library wrote first.
pub fn make(lab: &Lab, shop: &Peer, records: Records, number: u32) -> Result<PathBuf> {
    let path = lab.folder.join(format!("{number}{}.db", if records == Records::Pending { "-pending" } else { "" }));
    discard(&path);
    lab.anywhere().run(&shop.with("EPS_BENCH_JOURNAL", &path), "purchase", 1)?;
    if number > 0 {
        multiply(&path, records, number).map_err(|error| format!("{}: {error}", path.display()))?;
        let _ = fs::remove_file(format!("{}-seal", path.display()));
        // The library counts the records of the older version, and makes their checksums.
        lab.anywhere().run(&shop.with("EPS_BENCH_JOURNAL", &path), "purchase", 1)?;
        // Writes that are not on the disk yet would disturb the measurement.
        File::open(&path).and_then(|file| file.sync_all()).map_err(|error| error.to_string())?;
    }
    Ok(path)
}

/// Removes a journal, its WAL, its shared-memory file and its seal.
pub fn discard(path: &Path) {
    for suffix in ["", "-wal", "-shm", "-seal"] {
        let _ = fs::remove_file(format!("{}{suffix}", path.display()));
    }
}

fn multiply(path: &Path, records: Records, number: u32) -> rusqlite::Result<()> {
    let connection = Connection::open(path)?;
    // The fastest settings: the copies need no durability.
    connection.query_row("PRAGMA journal_mode = MEMORY", (), |_| Ok(()))?;
    connection.execute_batch(
        "PRAGMA synchronous = OFF;
         ALTER TABLE operation DROP COLUMN written_by;
         ALTER TABLE operation DROP COLUMN checksum;
         DROP TABLE state;
         DROP TABLE unreadable;
         PRAGMA user_version = 4;",
    )?;
    let mut columns = connection.prepare("SELECT name FROM pragma_table_info('operation')")?;
    let columns: Vec<String> = columns.query_map((), |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let copied: Vec<&str> = columns
        .iter()
        .map(|column| match (column.as_str(), records) {
            ("id" | "contact", _) => "randomblob(16)",
            ("reference", Records::Acknowledged) => "'receipt ' || i",
            ("acknowledged_at", Records::Acknowledged) => "resolved_at",
            ("state", Records::Pending) => "'inDoubt'",
            ("code", Records::Pending) => "-500",
            ("response" | "resolved_at", Records::Pending) => "NULL",
            (column, _) => column,
        })
        .collect();
    connection.execute(
        &format!(
            "WITH RECURSIVE count (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM count WHERE i < ?1)
             INSERT INTO operation ({}) SELECT {} FROM count, (SELECT * FROM operation WHERE state = 'completed' LIMIT 1)",
            columns.join(", "),
            copied.join(", ")
        ),
        [number],
    )?;
    Ok(())
}
