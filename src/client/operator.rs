//! What the tool of those who operate tills needs beside the C API. A POS needs none of it.

use super::{Client, OPTIONS};
use crate::api::{self, JournalState, Resolution};
use crate::config::{Config, Fields, JournalPlace, JournalRole};
use crate::core::code::Code;
use crate::core::error::Result;
use crate::core::id::OperationId;
pub use crate::engage::{Exchange, Observer};
use crate::journal;

impl Client {
    /// Opens a client that only reads its journal, also beside a till that uses it. It writes no
    /// file and sends nothing by itself. A call that spends fails.
    pub fn open_to_read(config_json: &str) -> Result<Self> {
        let config = Config::parse(config_json)?;
        Self::open_with(Config { journal_role: JournalRole::Inspect, preconnect: false, ..config })
    }

    /// Sets the function that sees each response of Engage as it came.
    pub fn set_observer(&self, observer: Observer) -> Result<()> {
        self.check_open()?;
        self.engage.set_observer(observer);
        Ok(())
    }

    /// Queries the outcome of one pending operation now: `{"resolved": n, "pending": n}`. Options:
    /// `waitMs`.
    pub fn resolve_operation(&self, id: OperationId, options: Option<&str>) -> Result<Vec<u8>> {
        self.check_open()?;
        let options = self.options(options)?;
        let limit = options.scope.limit();
        options.fields.finish()?;
        self.runtime.get(id, Some(limit.remaining()))?;
        let (resolved, pending) = self.runtime.resolve_pending(Some(id), &limit)?;
        Ok(api::to_json(&Resolution { resolved, pending }))
    }

    /// Gives the space of deleted records back to the disk: `{"bytesBefore", "bytesAfter"}`.
    pub fn compact_journal(&self) -> Result<Vec<u8>> {
        self.check_open()?;
        let (before, after) = self.runtime.compact()?;
        Ok(api::compaction(before, after))
    }

    /// Proves that the journal of a configuration is whole, or says what is wrong with it. Nothing
    /// is changed.
    pub fn check_journal(config_json: &str) -> Result<Vec<u8>> {
        let config = Config::parse(config_json)?;
        let JournalPlace::File(path) = &config.journal else {
            return Err(Fields::empty(Code::BadConfig, OPTIONS).error("journalPath", "is missing"));
        };
        let found = journal::inspect(path, config.seal_path.as_deref())?;
        Ok(api::to_json(&JournalState {
            whole: found.fault.is_none(),
            fault: found.fault,
            records: found.records,
            damaged: found.damaged,
            is_copy: found.is_copy,
            is_closed: found.is_closed,
            written_at_ms: found.written_at,
            incomplete_before_ms: found.incomplete_before,
            bytes: found.bytes,
            wal_bytes: found.wal_bytes,
        }))
    }
}
