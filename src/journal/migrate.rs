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
                for step in &STEPS[usize::try_from(version).unwrap_or_default()..] {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::id::OperationId;
    use crate::core::intent::IntentState;
    use crate::journal::checksums::verify;
    use uuid::Uuid;

    const TENANT: &str = "https://a.voyado.com";

    /// Returns a journal of a version with one purchase that its first version has recorded.
    fn journal_of(version: i32) -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        for (number, step) in STEPS[..usize::try_from(version).unwrap()].iter().enumerate() {
            connection.execute_batch(step).unwrap();
            if number == 0 {
                let id = Uuid::from_u128(1);
                // In the order and with the words of that version.
                let sql = "INSERT INTO operation VALUES
                           (?1, ?1, ?1, 'R-1', 'unknown', 14, NULL, NULL, 2, 1000, 31000, 5000, 3, NULL, NULL, NULL, 4)";
                connection.execute(sql, (id,)).unwrap();
            }
        }
        connection.pragma_update(None, "user_version", version).unwrap();
        connection
    }

    fn number(connection: &Connection, pragma: &str) -> i32 {
        connection.pragma_query_value(None, pragma, |row| row.get(0)).unwrap()
    }

    #[test]
    fn purchase_of_each_earlier_version_is_kept_and_gets_a_tenant() {
        for version in 1..VERSION {
            let mut connection = journal_of(version);
            assert_eq!(migrate(&mut connection, TENANT).unwrap(), 1, "version {version}");
            assert_eq!(
                (number(&connection, "user_version"), number(&connection, "application_id")),
                (VERSION, 0x4550_536A)
            );
            let id = OperationId::from_uuid(Uuid::from_u128(1));
            let intent = rows::find(&connection, id).unwrap().unwrap();
            assert_eq!((intent.tenant.as_deref(), intent.reference.as_deref()), (Some(TENANT), Some("R-1")));
            assert_eq!((intent.state, intent.query_count, intent.revision), (IntentState::InDoubt, 3, 4));
            assert_eq!((intent.in_flight_until, intent.progress.in_flight_window_ms), (31_000, 30_000));
            let (state, records) = (State::read(&connection).unwrap().unwrap(), verify(&connection).unwrap());
            assert_eq!((records.count, records.damaged.len(), records.sum), (1, 0, state.sum));
            // The next start finds nothing to do.
            assert_eq!(migrate(&mut connection, "https://b.voyado.com").unwrap(), 0);
            assert_eq!(rows::find(&connection, id).unwrap(), Some(intent));
            assert_eq!(State::read(&connection).unwrap(), Some(state));
        }
    }

    #[test]
    fn new_journal_is_empty_and_a_newer_one_is_left_as_it_is() {
        let mut connection = Connection::open_in_memory().unwrap();
        assert_eq!(migrate(&mut connection, TENANT).unwrap(), 0);
        let state = State::read(&connection).unwrap().unwrap();
        assert_eq!((state.writes, state.records, state.sum, state.closed), (0, 0, 0, false));
        check_version(&connection).unwrap();
        connection.pragma_update(None, "user_version", VERSION + 1).unwrap();
        for error in [migrate(&mut connection, TENANT).unwrap_err(), check_version(&connection).unwrap_err()] {
            assert_eq!(error.code(), Code::JournalNewer);
            let says = format!("version {} and this library knows versions up to {VERSION}", VERSION + 1);
            assert!(error.message().contains(&says), "{error}");
        }
        assert_eq!(number(&connection, "user_version"), VERSION + 1);
    }
}
