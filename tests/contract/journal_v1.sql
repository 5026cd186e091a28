CREATE TABLE operation (
    id BLOB PRIMARY KEY NOT NULL, contact BLOB NOT NULL, item BLOB NOT NULL, reference TEXT, state TEXT NOT NULL,
    code INTEGER NOT NULL, http_status INTEGER, engage_code TEXT, attempts INTEGER NOT NULL, recorded_at INTEGER NOT NULL,
    quiet_until INTEGER NOT NULL, next_at INTEGER NOT NULL, rounds INTEGER NOT NULL, settled_at INTEGER,
    acknowledged_at INTEGER, answer TEXT, revision INTEGER NOT NULL) STRICT;
CREATE UNIQUE INDEX by_reference ON operation (contact, item, reference) WHERE reference IS NOT NULL;
CREATE INDEX unacknowledged ON operation (contact, item) WHERE acknowledged_at IS NULL;
CREATE INDEX acknowledged ON operation (acknowledged_at) WHERE acknowledged_at IS NOT NULL;
PRAGMA application_id = 0x4550536A;
PRAGMA user_version = 1;
