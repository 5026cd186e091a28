//! Failures of SQLite and of the seal as ours.

use crate::core::code::Code;
use crate::core::error::{Error, chain};
use rusqlite::{ErrorCode, ffi};
use std::io;
use std::path::Path;

/// A failure of SQLite as a code of the class -6xx.
pub(super) fn failed(error: &rusqlite::Error) -> Error {
    let code = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Code::JournalFull,
        // The shared memory beside the journal could not be made as large as it must be.
        _ if extended_code(error) == Some(ffi::SQLITE_IOERR_SHMSIZE) => Code::JournalFull,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
            Code::JournalLocked
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Code::JournalDamaged,
        Some(ErrorCode::ReadOnly) => Code::JournalReadOnly,
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => Code::JournalCannotOpen,
        _ => Code::Journal,
    };
    Error::new(code, message(code)).with_cause(chain(error))
}

/// The error of a lock that is not given back in time.
pub(super) fn locked() -> Error {
    Error::new(Code::JournalLocked, message(Code::JournalLocked))
}

/// The error of a seal that cannot be read or written.
pub(super) fn unsealed(path: &Path, error: &io::Error) -> Error {
    let code = match error.kind() {
        io::ErrorKind::StorageFull => Code::JournalFull,
        io::ErrorKind::ReadOnlyFilesystem => Code::JournalReadOnly,
        _ => Code::Journal,
    };
    Error::new(code, format!("the journal's seal {} cannot be written", path.display())).with_cause(chain(error))
}

fn message(code: Code) -> String {
    let way_out = match code {
        Code::JournalDamaged => {
            " Keep its files for support. To go on with the records that can be read, set \"journalRecovery\" to \
             \"accept\": the damaged files are moved aside, and what was pending in them is found in Engage's history \
             (eps_list_purchases)."
        }
        Code::JournalFull => " Free some space; the next call works again.",
        Code::JournalLocked => " Close what holds it (a backup, another program); the next call works again.",
        _ => "",
    };
    format!("{}{way_out}", code.row().meaning)
}

fn extended_code(error: &rusqlite::Error) -> Option<i32> {
    error.sqlite_error().map(|error| error.extended_code)
}

pub(super) fn is_sync_failure(error: &rusqlite::Error) -> bool {
    matches!(extended_code(error), Some(ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sqlite(code: i32) -> rusqlite::Error {
        rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)
    }

    #[test]
    fn failure_of_sqlite_has_its_code() {
        for (error, code) in [
            (ffi::SQLITE_FULL, Code::JournalFull),
            (ffi::SQLITE_IOERR_SHMSIZE, Code::JournalFull),
            (ffi::SQLITE_BUSY, Code::JournalLocked),
            (ffi::SQLITE_BUSY_RECOVERY, Code::JournalLocked),
            (ffi::SQLITE_LOCKED, Code::JournalLocked),
            (ffi::SQLITE_PROTOCOL, Code::JournalLocked),
            (ffi::SQLITE_CORRUPT, Code::JournalDamaged),
            (ffi::SQLITE_NOTADB, Code::JournalDamaged),
            (ffi::SQLITE_READONLY, Code::JournalReadOnly),
            (ffi::SQLITE_CANTOPEN, Code::JournalCannotOpen),
            (ffi::SQLITE_PERM, Code::JournalCannotOpen),
            (ffi::SQLITE_IOERR, Code::Journal),
            (ffi::SQLITE_IOERR_READ, Code::Journal),
        ] {
            let failure = failed(&sqlite(error));
            assert_eq!(failure.code(), code, "{error}");
            assert!(failure.message().starts_with(code.row().meaning) && !failure.cause().is_empty());
        }
        assert_eq!(failed(&rusqlite::Error::InvalidQuery).code(), Code::Journal);
        assert!(locked().message().contains("Close what holds it") && locked().code() == Code::JournalLocked);
    }

    #[test]
    fn failed_sync_is_no_other_failure() {
        for (error, is_sync) in [
            (ffi::SQLITE_IOERR_FSYNC, true),
            (ffi::SQLITE_IOERR_DIR_FSYNC, true),
            (ffi::SQLITE_IOERR_WRITE, false),
            (ffi::SQLITE_IOERR, false),
            (ffi::SQLITE_FULL, false),
        ] {
            assert_eq!(is_sync_failure(&sqlite(error)), is_sync, "{error}");
        }
        assert!(!is_sync_failure(&rusqlite::Error::InvalidQuery));
    }

    #[test]
    fn failure_of_the_seal_has_its_code() {
        for (kind, code) in [
            (io::ErrorKind::StorageFull, Code::JournalFull),
            (io::ErrorKind::ReadOnlyFilesystem, Code::JournalReadOnly),
            (io::ErrorKind::PermissionDenied, Code::Journal),
        ] {
            let failure = unsealed(Path::new("/a/points.db-seal"), &kind.into());
            assert!(failure.code() == code && failure.message().contains("/a/points.db-seal"));
        }
    }
}
