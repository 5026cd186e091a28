//! A copy of the journal in one file, made while the journal is in use. The copy is marked, so that
//! it is never used as a live journal by accident.

use super::failure::failed;
use super::place;
use super::state::State;
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

#[cfg(test)]
mod tests {
    use crate::config::Config;
    use crate::core::code::Code;
    use crate::core::domain::{Operation, Purchase};
    use crate::core::id::{ContactId, ItemId, OperationId};
    use crate::core::intent::{Durability, Intent};
    use crate::journal::Journal;
    use crate::log::Log;
    use std::path::Path;

    fn open(path: &Path, more: &str) -> crate::core::error::Result<Journal> {
        let config = format!(
            r#"{{"baseUrl":"https://a.voyado.com","apiKey":"k","userAgent":"A/1","journalPath":{:?}{more}}}"#,
            path.display().to_string()
        );
        Journal::open(&Config::parse(&config).unwrap(), &Log::default()).map(Option::unwrap)
    }

    fn purchase() -> Intent {
        let contact = ContactId::from_uuid(uuid::Uuid::new_v4());
        let item = ItemId::from_uuid(uuid::Uuid::new_v4());
        let operation = Operation::Purchase(Purchase { id: OperationId::fresh(), contact, item });
        Intent { tenant: Some("https://a.voyado.com".to_owned()), ..Intent::new(operation, None, 1, 2) }
    }

    #[test]
    fn backup_is_one_marked_file_that_overwrites_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (path, copy) = (folder.path().join("points.db"), folder.path().join("copy.db"));
        let journal = open(&path, "").unwrap();
        assert!(journal.save(&purchase(), Durability::Synced).unwrap());
        let backup = journal.backup(&copy).unwrap();
        assert_eq!((backup.operations, backup.bytes), (1, std::fs::metadata(&copy).unwrap().len()));
        assert_eq!(journal.backup(&copy).unwrap_err().code(), Code::JournalCannotOpen);
        assert_eq!(journal.backup(Path::new("copy.db")).unwrap_err().code(), Code::JournalCannotOpen);
        assert!(journal.save(&purchase(), Durability::Synced).unwrap());
        journal.close();

        assert_eq!(open(&copy, "").map(drop).unwrap_err().code(), Code::JournalCopy);
        let reader = open(&copy, r#","journalRole":"copy""#).unwrap();
        assert_eq!(reader.unacknowledged().unwrap().len(), 1);
        assert_eq!(reader.pending().unwrap(), []);
        assert_eq!(reader.save(&purchase(), Durability::Synced).unwrap_err().code(), Code::JournalCopy);
        reader.close();
        let live = open(&copy, r#","journalRole":"takeOver""#).unwrap();
        assert!(live.incomplete_before().is_some());
        assert_eq!(live.pending().unwrap().len(), 1);
        assert!(live.save(&purchase(), Durability::Synced).unwrap());
        live.close();
        assert_eq!(open(&copy, "").unwrap().unacknowledged().unwrap().len(), 2);
        assert_eq!(open(&path, "").unwrap().unacknowledged().unwrap().len(), 2);
    }
}
