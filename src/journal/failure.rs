//! SQLite's failures as ours.

use crate::core::code::Code;
use crate::core::error::{Error, chain};
use rusqlite::{ErrorCode, ffi};

/// A failure of SQLite as a code of the -6xx band.
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
    let way_out = match code {
        Code::JournalDamaged => {
            " Keep the file for support, move it and its -wal aside together, and open again: a new journal is made. What was pending is then Engage's to tell (eps_list_purchases)."
        }
        Code::JournalFull => " Free some space; the next call works again.",
        Code::JournalLocked => " Close what holds it (a backup, another program); the next call works again.",
        _ => "",
    };
    Error::new(code, format!("{}{way_out}", code.row().meaning)).with_cause(chain(error))
}

fn extended_code(error: &rusqlite::Error) -> Option<i32> {
    error.sqlite_error().map(|error| error.extended_code)
}

pub(super) fn is_sync_failure(error: &rusqlite::Error) -> bool {
    matches!(extended_code(error), Some(ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC))
}
