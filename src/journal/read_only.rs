//! Connects to a journal for reading only, also beside its owner or after a crash. Neither the
//! journal nor a file beside it is written.

use super::connection::{open_immutable, open_shared};
use super::failure::failed;
use super::migrate::newer;
use super::paths::{self, beside};
use super::schema;
use super::state::State;
use crate::core::code::Code;
use crate::core::error::{Error, Result, chain};
use rusqlite::Connection;
use std::cmp::Ordering;
use std::fs;
use std::path::Path;

/// Connects to a journal of this version. Returns its state too, unless that is damaged.
pub(super) fn connect(path: &Path, seal_path: &Path) -> Result<(Connection, Option<State>)> {
    if let Err(error) = fs::metadata(path) {
        let says = format!("the journal {} cannot be read", path.display());
        return Err(Error::new(Code::JournalCannotOpen, says).with_cause(chain(&error)));
    }
    paths::check(path, seal_path)?;
    let exists = |end| fs::symlink_metadata(beside(path, end)).is_ok();
    let has_wal = exists("-wal");
    if has_wal && !exists("-shm") {
        let says = format!(
            "the journal {} has a write-ahead log (-wal) without its index (-shm), which only a client that writes can \
             make; start the till",
            path.display()
        );
        return Err(Error::new(Code::JournalCannotOpen, says));
    }
    let connection = if has_wal { open_shared(path) } else { open_immutable(path) };
    let connection = connection.map_err(|error| failed(&error))?;
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let application = number("application_id").map_err(|error| failed(&error))?;
    if application != schema::APPLICATION_ID {
        return Err(Error::new(
            Code::JournalForeign,
            format!("{} is not a journal of this library and was left untouched", path.display()),
        ));
    }
    let version = number("user_version").map_err(|error| failed(&error))?;
    match version.cmp(&schema::VERSION) {
        Ordering::Equal => {}
        Ordering::Greater => return Err(newer(version)),
        Ordering::Less => {
            return Err(Error::new(
                Code::JournalCannotOpen,
                format!(
                    "the journal {} is of an earlier version of this library and was left untouched; a till of this \
                     version brings it to its version when it opens it",
                    path.display()
                ),
            ));
        }
    }
    let state = State::read(&connection).ok().flatten();
    Ok((connection, state))
}
