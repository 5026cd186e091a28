//! The library's journal, read as the list of its operations. The file is copied first, so that a
//! till that uses it is not disturbed.

use std::fs;
use std::path::Path;

use rusqlite::{Connection, Row};
use uuid::Uuid;

use crate::judge::{Journal, Kind, Operation, Outcome};

/// `EPSj`, the mark of a journal.
const APPLICATION_ID: i32 = 0x4550_536A;

/// The codes of a pending operation that a person must decide: EPS_PENDING_NEEDS_REVIEW and
/// EPS_PENDING_AMBIGUOUS.
const NEEDS_REVIEW: [i32; 2] = [-520, -522];

/// Returns whether the file is a SQLite database, as a journal is.
pub fn is_database(content: &[u8]) -> bool {
    content.starts_with(b"SQLite format 3\0")
}

/// Reads the operations of a journal file with its write-ahead log.
pub fn read(name: &str, path: &Path) -> Result<Journal, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let copy = folder.path().join("journal.db");
    for suffix in ["", "-wal"] {
        let beside = |path: &Path| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            name
        };
        match fs::copy(beside(path), beside(&copy)) {
            Err(error) if suffix.is_empty() => return Err(error.to_string()),
            _ => {}
        }
    }
    operations(&copy).map(|operations| Journal { name: name.to_owned(), operations }).map_err(|error| error.to_string())
}

fn operations(path: &Path) -> rusqlite::Result<Vec<Operation>> {
    let database = Connection::open(path)?;
    if database.pragma_query_value(None, "application_id", |row| row.get::<_, i32>(0))? != APPLICATION_ID {
        return Err(rusqlite::Error::InvalidPath("the database is no journal of the library".into()));
    }
    let columns = "id, kind, contact, item, assignment, reference, state, code, recorded_at, acknowledged_at";
    let mut rows = database.prepare(&format!("SELECT {columns} FROM operation ORDER BY recorded_at, rowid"))?;
    rows.query_map([], operation)?.collect()
}

fn operation(row: &Row<'_>) -> rusqlite::Result<Operation> {
    let id =
        |name: &str| row.get::<_, Option<Vec<u8>>>(name).map(|bytes| bytes.and_then(|id| Uuid::from_slice(&id).ok()));
    let operation_id = id("id")?.unwrap_or_default();
    let kind = if row.get::<_, String>("kind")? == "redeem" { Kind::Redeem } else { Kind::Purchase };
    let outcome = match row.get::<_, String>("state")?.as_str() {
        "completed" => Outcome::Completed,
        "declined" => Outcome::Declined,
        "notSent" => Outcome::NotSent,
        // Another state is one of a newer version, and the outcome is not known.
        _ => Outcome::Pending,
    };
    let acknowledged: Option<i64> = row.get("acknowledged_at")?;
    Ok(Operation {
        operation_id,
        kind,
        outcome,
        purchase_id: (kind == Kind::Purchase).then_some(operation_id),
        contact_id: id("contact")?,
        item_id: id("item")?,
        assignment_id: id("assignment")?,
        reference: row.get("reference")?,
        needs_review: outcome == Outcome::Pending && NEEDS_REVIEW.contains(&row.get("code")?),
        recorded_at_ms: row.get("recorded_at")?,
        acknowledged_at_ms: acknowledged.and_then(|time| u64::try_from(time).ok()),
    })
}
