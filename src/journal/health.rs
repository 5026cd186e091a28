//! What a check and the metrics ask of the journal: its disk, its files and its records.

use super::failure::failed;
use super::rows::unsigned;
use super::{Content, Journal, open};
use crate::core::check::{JournalFacts, Place};
use crate::core::code::Code;
use crate::core::domain::millis;
use crate::core::error::{Error, Result};
use crate::core::intent::Durability;
use crate::os;
use crate::rt::{self, Instant};
use crate::stats::Histogram;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The journal's fact that each check writes, so that its write is a real one.
const CHECKED: &str = "checkedAt";

impl Journal {
    /// Returns where the journal is.
    pub fn place(&self) -> Place {
        match &*self.content {
            Content { is_memory: true, .. } => Place::Memory,
            Content { is_copy: true, .. } => Place::Copy,
            _ => Place::File,
        }
    }

    /// Writes to the disk as a purchase does, and checks the files. Waits at most `limit`.
    pub fn examine(&self, limit: Duration) -> Result<JournalFacts> {
        let Some(helper) = self.writing.as_ref().filter(|_| !self.content.is_copy) else {
            return Ok(JournalFacts { written_ms: Ok(0), whole: Ok(()), free_bytes: None });
        };
        let content = self.content.clone();
        helper.call(limit, move || content.examine())
    }

    /// Counts the records by state and code.
    pub fn counts(&self) -> Result<Vec<(String, i32, u64)>> {
        let sql = "SELECT state, code, count(*) FROM operation GROUP BY state, code ORDER BY state, code";
        self.read(move |connection| {
            let count = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, unsigned(row, 2)?));
            let read = || -> rusqlite::Result<_> { connection.prepare_cached(sql)?.query_map((), count)?.collect() };
            read().map_err(|error| failed(&error))
        })
    }

    /// Returns how long the commits took.
    pub fn commit_times(&self) -> &Histogram {
        &self.content.commits
    }

    /// Returns the sizes of the journal and of its write-ahead log, in bytes. None for a journal in
    /// memory and for a copy.
    pub fn sizes(&self) -> Option<(u64, u64)> {
        let files = self.content.files.as_ref()?;
        Some((files.db.metadata().ok()?.len(), files.wal_bytes()))
    }
}

impl Content {
    fn examine(&self) -> JournalFacts {
        let began = Instant::now();
        let sql = "INSERT INTO fact (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2";
        let written = self.write_with(Durability::Synced, |connection, _| {
            let values = (CHECKED, rt::wall_now().to_string());
            connection.execute(sql, values).map(drop).map_err(|error| failed(&error))
        });
        // The write-ahead log has grown.
        self.wal_writes.fetch_add(1, Ordering::Relaxed);
        JournalFacts {
            written_ms: written.map(|()| millis(began.elapsed())),
            whole: self.check_whole(),
            free_bytes: self.files.as_ref().and_then(|files| os::free_bytes(files.path.parent()?)),
        }
    }

    fn check_whole(&self) -> Result<()> {
        let Some(files) = &self.files else { return Ok(()) };
        let _turn = files.writing()?;
        files.check_index()?;
        match open::is_whole(&files.path, files.seal()?)? {
            true => Ok(()),
            false => Err(Error::of(Code::JournalIncomplete)),
        }
    }
}
