//! Compares each record with the checksum that was stored with it.

use super::rows;
use rusqlite::Connection;

/// The records that a journal has.
pub(super) struct Records {
    pub count: u64,
    pub sum: u64,
    /// The rows that do not have the content that was written.
    pub damaged: Vec<i64>,
}

/// Reads every record and compares it with its checksum.
pub(super) fn verify(connection: &Connection) -> rusqlite::Result<Records> {
    let mut records = Records { count: 0, sum: 0, damaged: Vec::new() };
    let mut statement = connection.prepare(rows::select!("NOT INDEXED ORDER BY rowid"))?;
    let mut found = statement.query(())?;
    while let Some(row) = found.next()? {
        let stated = rows::stated_checksum(row);
        records.count += 1;
        records.sum = records.sum.wrapping_add(stated.unwrap_or_default());
        if stated != Some(rows::checksum_of(row)?) {
            records.damaged.push(row.get(rows::ROWID)?);
        }
    }
    Ok(records)
}
