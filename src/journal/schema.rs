//! The journal's tables, their version and the steps between versions. Steps go forward only and
//! never drop a record.

/// `EPSj`: marks the file as ours (bytes 68 to 71 of the file).
pub(crate) const APPLICATION_ID: i32 = 0x4550_536A;

/// The version this library writes (bytes 60 to 63 of the file).
#[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)]
pub(crate) const VERSION: i32 = STEPS.len() as i32;

/// A new journal. It has what the steps give, in the same order; a test compares the two.
pub(super) const NEWEST: &str = "CREATE TABLE operation (
        id               BLOB PRIMARY KEY NOT NULL,
        kind             TEXT NOT NULL,
        contact          BLOB,
        item             BLOB,
        assignment       BLOB,
        channel          TEXT,
        reference        TEXT,
        state            TEXT NOT NULL,
        code             INTEGER NOT NULL,
        http_status      INTEGER,
        engage_code      TEXT,
        attempts         INTEGER NOT NULL,
        recorded_at      INTEGER NOT NULL,
        in_flight_until  INTEGER NOT NULL,
        next_query_at    INTEGER NOT NULL,
        query_count      INTEGER NOT NULL,
        processing_from  INTEGER,
        processing_until INTEGER,
        earlier_in_doubt INTEGER NOT NULL,
        rewards_before   BLOB,
        resolved_at      INTEGER,
        acknowledged_at  INTEGER,
        response         TEXT,
        revision         INTEGER NOT NULL,
        tenant           TEXT,
        progress         TEXT NOT NULL DEFAULT '{}',
        written_by       INTEGER NOT NULL DEFAULT 0,
        checksum         INTEGER NOT NULL DEFAULT 0
     ) STRICT;
     CREATE INDEX unacknowledged ON operation (contact, item) WHERE acknowledged_at IS NULL;
     CREATE INDEX acknowledged ON operation (acknowledged_at) WHERE acknowledged_at IS NOT NULL;
     CREATE INDEX reward ON operation (assignment) WHERE assignment IS NOT NULL;
     CREATE INDEX by_reference ON operation (reference) WHERE reference IS NOT NULL;
     CREATE TABLE fact (name TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) STRICT;
     CREATE TABLE state (
        id                INTEGER PRIMARY KEY NOT NULL,
        journal           BLOB NOT NULL,
        is_copy           INTEGER NOT NULL,
        writes            INTEGER NOT NULL,
        records           INTEGER NOT NULL,
        sum               INTEGER NOT NULL,
        generations       BLOB NOT NULL,
        written_at        INTEGER NOT NULL,
        incomplete_before INTEGER,
        closed            INTEGER NOT NULL,
        checksum          INTEGER NOT NULL
     ) STRICT;
     CREATE TABLE unreadable (at INTEGER NOT NULL, content TEXT NOT NULL) STRICT;";

/// Step `n` brings version `n` to `n + 1`.
pub(crate) const STEPS: &[&str] = &[PURCHASES, REDEEMS, TERMS, PROGRESS, CENSUS];

/// Version 1: purchases.
const PURCHASES: &str = "CREATE TABLE operation (
        id              BLOB PRIMARY KEY NOT NULL,
        contact         BLOB NOT NULL,
        item            BLOB NOT NULL,
        reference       TEXT,
        state           TEXT NOT NULL,
        code            INTEGER NOT NULL,
        http_status     INTEGER,
        engage_code     TEXT,
        attempts        INTEGER NOT NULL,
        recorded_at     INTEGER NOT NULL,
        quiet_until     INTEGER NOT NULL,
        next_at         INTEGER NOT NULL,
        rounds          INTEGER NOT NULL,
        settled_at      INTEGER,
        acknowledged_at INTEGER,
        answer          TEXT,
        revision        INTEGER NOT NULL
     ) STRICT;
     CREATE UNIQUE INDEX by_reference ON operation (contact, item, reference) WHERE reference IS NOT NULL;
     CREATE INDEX unacknowledged ON operation (contact, item) WHERE acknowledged_at IS NULL;
     CREATE INDEX acknowledged ON operation (acknowledged_at) WHERE acknowledged_at IS NOT NULL;";

/// Version 2: redeems beside the purchases, which have a reward and may lack a contact.
const REDEEMS: &str = "DROP INDEX by_reference;
     DROP INDEX unacknowledged;
     DROP INDEX acknowledged;
     ALTER TABLE operation RENAME TO purchase;
     CREATE TABLE operation (
        id              BLOB PRIMARY KEY NOT NULL,
        kind            TEXT NOT NULL,
        contact         BLOB,
        item            BLOB,
        assignment      BLOB,
        channel         TEXT,
        reference       TEXT,
        state           TEXT NOT NULL,
        code            INTEGER NOT NULL,
        http_status     INTEGER,
        engage_code     TEXT,
        attempts        INTEGER NOT NULL,
        recorded_at     INTEGER NOT NULL,
        quiet_until     INTEGER NOT NULL,
        next_at         INTEGER NOT NULL,
        rounds          INTEGER NOT NULL,
        asked_from      INTEGER,
        asked_until     INTEGER,
        doubt           INTEGER NOT NULL,
        rewards_before  BLOB,
        settled_at      INTEGER,
        acknowledged_at INTEGER,
        answer          TEXT,
        revision        INTEGER NOT NULL
     ) STRICT;
     INSERT INTO operation
        SELECT id, 'purchase', contact, item, NULL, NULL, reference, state, code, http_status, engage_code, attempts, recorded_at,
               quiet_until, next_at, rounds, NULL, NULL, 0, NULL, settled_at, acknowledged_at, answer, revision
        FROM purchase;
     DROP TABLE purchase;
     CREATE UNIQUE INDEX purchase_reference ON operation (contact, item, reference) WHERE kind = 'purchase' AND reference IS NOT NULL;
     CREATE UNIQUE INDEX redeem_reference ON operation (assignment, reference) WHERE kind = 'redeem' AND reference IS NOT NULL;
     CREATE INDEX unacknowledged ON operation (contact, item) WHERE acknowledged_at IS NULL;
     CREATE INDEX acknowledged ON operation (acknowledged_at) WHERE acknowledged_at IS NOT NULL;
     CREATE INDEX reward ON operation (assignment) WHERE assignment IS NOT NULL;";

/// Version 3: the columns and the states have the names of the glossary.
const TERMS: &str = "ALTER TABLE operation RENAME COLUMN quiet_until TO in_flight_until;
     ALTER TABLE operation RENAME COLUMN next_at TO next_query_at;
     ALTER TABLE operation RENAME COLUMN rounds TO query_count;
     ALTER TABLE operation RENAME COLUMN asked_from TO processing_from;
     ALTER TABLE operation RENAME COLUMN asked_until TO processing_until;
     ALTER TABLE operation RENAME COLUMN doubt TO earlier_in_doubt;
     ALTER TABLE operation RENAME COLUMN settled_at TO resolved_at;
     ALTER TABLE operation RENAME COLUMN answer TO response;
     UPDATE operation SET state = 'inDoubt' WHERE state = 'unknown';
     UPDATE operation SET state = 'completed' WHERE state = 'done';
     UPDATE operation SET state = 'declined' WHERE state = 'refused';";

/// Version 4: the tenant of a record, what is known of its attempts, and facts about the journal
/// itself. A declined operation no longer blocks its reference, so references are not unique.
const PROGRESS: &str = "ALTER TABLE operation ADD COLUMN tenant TEXT;
     ALTER TABLE operation ADD COLUMN progress TEXT NOT NULL DEFAULT '{}';
     UPDATE operation SET progress =
        '{\"inFlightWindowMs\":' || min(max(in_flight_until - recorded_at, 0), 660000) || '}';
     DROP INDEX purchase_reference;
     DROP INDEX redeem_reference;
     CREATE INDEX by_reference ON operation (reference) WHERE reference IS NOT NULL;
     CREATE TABLE fact (name TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) STRICT;";

/// Version 5: the journal's count of its own records, so that a loss is noticed. `unreadable` keeps
/// what could not be read when the loss was accepted. `open` computes the checksums of the records
/// that exist.
const CENSUS: &str = "ALTER TABLE operation ADD COLUMN written_by INTEGER NOT NULL DEFAULT 0;
     ALTER TABLE operation ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
     CREATE TABLE state (
        id                INTEGER PRIMARY KEY NOT NULL,
        journal           BLOB NOT NULL,
        is_copy           INTEGER NOT NULL,
        writes            INTEGER NOT NULL,
        records           INTEGER NOT NULL,
        sum               INTEGER NOT NULL,
        generations       BLOB NOT NULL,
        written_at        INTEGER NOT NULL,
        incomplete_before INTEGER,
        closed            INTEGER NOT NULL,
        checksum          INTEGER NOT NULL
     ) STRICT;
     CREATE TABLE unreadable (at INTEGER NOT NULL, content TEXT NOT NULL) STRICT;";

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;

    /// Returns the definitions of all tables and indices, without their spaces.
    fn definitions(batches: &[&str]) -> Vec<(String, String)> {
        let connection = Connection::open_in_memory().unwrap();
        for batch in batches {
            connection.execute_batch(batch).unwrap();
        }
        let sql = "SELECT name, coalesce(sql, '') FROM sqlite_schema ORDER BY name";
        let mut statement = connection.prepare(sql).unwrap();
        let definition = |row: &rusqlite::Row<'_>| {
            let text: String = row.get(1)?;
            Ok((row.get(0)?, text.split_whitespace().collect()))
        };
        statement.query_map((), definition).unwrap().collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn new_journal_has_what_the_steps_give() {
        assert_eq!(definitions(&[NEWEST]), definitions(STEPS));
    }
}
