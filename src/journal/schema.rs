//! The journal's tables, their version and the steps between versions. Steps go forward only and never drop a record.

/// `EPSj`: marks the file as ours (bytes 68 to 71 of the file).
pub(crate) const APPLICATION_ID: i32 = 0x4550_536A;

/// The version this library writes (bytes 60 to 63 of the file).
#[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)]
pub(crate) const VERSION: i32 = STEPS.len() as i32;

/// Step `n` brings version `n` to `n + 1`.
pub(crate) const STEPS: &[&str] = &["CREATE TABLE operation (
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
     CREATE INDEX acknowledged ON operation (acknowledged_at) WHERE acknowledged_at IS NOT NULL;"];
