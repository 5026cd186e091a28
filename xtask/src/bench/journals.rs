//! Journals of a given size, made by multiplying a record that the library itself has written.

use super::lab::{Lab, Peer};
use crate::run::Result;
use rusqlite::Connection;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// What the copies are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Records {
    /// Completed and acknowledged, each with a reference of its own.
    Acknowledged,
    /// Sent, and what became of them is not known.
    Unsettled,
}

/// A journal with this many records, and the few that the library wrote to begin with.
pub fn make(lab: &Lab, shop: &Peer, records: Records, number: u32) -> Result<PathBuf> {
    let path = lab.folder.join(format!("{number}{}.db", if records == Records::Unsettled { "-unsettled" } else { "" }));
    discard(&path);
    lab.anywhere().run(&shop.with("EPS_BENCH_JOURNAL", &path), "purchase", 1)?;
    if number > 0 {
        multiply(&path, records, number).map_err(|error| format!("{}: {error}", path.display()))?;
        // What is still on its way to the disk would be in the way of what is measured.
        File::open(&path).and_then(|file| file.sync_all()).map_err(|error| error.to_string())?;
    }
    Ok(path)
}

/// The file, and what SQLite keeps beside it.
pub fn discard(path: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{suffix}", path.display()));
    }
}

fn multiply(path: &Path, records: Records, number: u32) -> rusqlite::Result<()> {
    let connection = Connection::open(path)?;
    // Into the file, and quickly: it is no till's yet.
    connection.query_row("PRAGMA journal_mode = MEMORY", (), |_| Ok(()))?;
    connection.execute_batch("PRAGMA synchronous = OFF")?;
    let mut columns = connection.prepare("SELECT name FROM pragma_table_info('operation')")?;
    let columns: Vec<String> = columns.query_map((), |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let copied: Vec<&str> = columns
        .iter()
        .map(|column| match (column.as_str(), records) {
            ("id" | "contact", _) => "randomblob(16)",
            ("reference", Records::Acknowledged) => "'receipt ' || i",
            ("acknowledged_at", Records::Acknowledged) => "resolved_at",
            ("state", Records::Unsettled) => "'unknown'",
            ("code", Records::Unsettled) => "-500",
            ("answer" | "resolved_at", Records::Unsettled) => "NULL",
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
