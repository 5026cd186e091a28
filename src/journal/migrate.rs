//! Brings a journal to the version of this library.

use super::failure::failed;
use super::rows;
use super::schema::{APPLICATION_ID, NEWEST, STEPS, VERSION};
use super::state::State;
use crate::core::code::Code;
use crate::core::error::{Error, Result};
use rusqlite::{Connection, TransactionBehavior};

/// The error of a journal of a newer version.
pub(super) fn newer(version: i32) -> Error {
    Error::new(
        Code::JournalNewer,
        format!(
            "the journal has version {version} and this library knows versions up to {VERSION}; it was left untouched. \
             Install the newer library in every program that opens this journal, and start them again"
        ),
    )
}

/// Checks that no newer library has brought the journal to its version while this one has it open.
pub(super) fn check_version(connection: &Connection) -> Result<()> {
    let version = connection
        .prepare_cached("PRAGMA user_version")
        .and_then(|mut statement| statement.query_row((), |row| row.get(0)))
        .map_err(|error| failed(&error))?;
    if version > VERSION { Err(newer(version)) } else { Ok(()) }
}

/// Brings a journal to this version. Returns the number of records of an older version, which got
/// this tenant.
pub(super) fn migrate(connection: &mut Connection, tenant: &str) -> Result<u64> {
    let step = |connection: &mut Connection| -> rusqlite::Result<Result<u64>> {
        // Exclusive: two processes may open a new journal at the same instant.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
        let version: i32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version > VERSION {
            return Ok(Err(newer(version)));
        }
        let mut adopted = 0;
        if version < VERSION {
            if version == 0 {
                transaction.execute_batch(NEWEST)?;
            } else {
                for step in &STEPS[usize::try_from(version).unwrap_or(0)..] {
                    transaction.execute_batch(step)?;
                }
                // Records of an older version do not name their tenant.
                let adopt = "UPDATE operation SET tenant = ?1 WHERE tenant IS NULL";
                adopted = transaction.execute(adopt, (tenant,))? as u64;
            }
            let state = rows::count_anew(&transaction, State::fresh())?;
            state.write(&transaction)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
            transaction.commit()?;
        }
        Ok(Ok(adopted))
    };
    step(connection).map_err(|error| failed(&error))?
}
