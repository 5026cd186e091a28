//! The journal: what must survive a crash, in SQLite. It stores and finds records; what they mean
//! and what to do about them is `shop`'s business. A write made with [`Durability::Synced`] is on
//! the disk when the call returns (invariant 2).

mod failure;
mod open;
mod queries;
mod rows;
mod schema;

pub(crate) use queries::Filter;

use crate::config::JournalPlace;
use crate::core::admission::{Admission, Candidates};
use crate::core::code::Code;
use crate::core::domain::{AssignmentId, ContactId, Millis, Operation, OperationId};
use crate::core::error::{Error, Result};
use crate::core::intent::{Durability, Intent, IntentState};
use crate::rt::{Instant, Mutex, MutexGuard};
use failure::{failed, is_sync_failure};
use open::Writer;
use rows::{find, integer, many, write};
use rusqlite::{Connection, Row};
use std::path::PathBuf;
use std::sync::TryLockError;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use uuid::Uuid;

/// After how many writes the write-ahead log is moved into the file, and how large it then is at
/// most: a write has ten pages, or fewer.
const WAL_WRITES: u32 = 200;
const WAL_BYTES: u64 = 2 << 20;

pub(crate) struct Journal {
    /// None for a journal in memory.
    path: Option<PathBuf>,
    writer: Mutex<Writer>,
    /// Only reads, so that looking does not wait for a write that waits for the disk. None for a
    /// journal in memory.
    reader: Option<Mutex<Connection>>,
    /// Writes since the write-ahead log was last moved into the file.
    wal_writes: AtomicU32,
}

impl Journal {
    /// Opens the journal and brings it to this version. None when the configuration names no place
    /// for one.
    pub fn open(place: &JournalPlace) -> Result<Option<Self>> {
        let journal = match place {
            JournalPlace::None => return Ok(None),
            JournalPlace::Memory => Self {
                path: None,
                writer: Mutex::new(Writer::in_memory()?),
                reader: None,
                wal_writes: AtomicU32::new(0),
            },
            JournalPlace::File(path) => {
                let (writer, reader) = open::open(path)?;
                // What earlier runs have left there is moved too.
                let wal_writes = if open::wal_bytes(path) < WAL_BYTES { 0 } else { WAL_WRITES };
                Self {
                    path: Some(path.clone()),
                    writer: Mutex::new(writer),
                    reader: Some(Mutex::new(reader)),
                    wal_writes: AtomicU32::new(wal_writes),
                }
            }
        };
        Ok(Some(journal))
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Reads something.
    fn read<T>(&self, reading: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        match &self.reader {
            Some(reader) => reading(&reader.lock().unwrap_or_else(std::sync::PoisonError::into_inner)),
            None => reading(&self.writer().connection),
        }
    }

    /// Finds what a wish may already mean, lets `decide` choose, and makes a start durable; all in
    /// one transaction, so that two presses at the same instant, in two threads or two processes,
    /// are one intent.
    pub fn admit(
        &self,
        operation: &Operation,
        reference: Option<&str>,
        decide: impl Fn(Candidates) -> Result<Admission>,
    ) -> Result<Admission> {
        self.write_with(Durability::Synced, |connection| admit(connection, operation, reference, &decide))
    }

    /// What a wish would mean now, without carrying it out. None if the journal stays busy for
    /// longer than `patience`.
    pub fn peek(
        &self,
        operation: &Operation,
        reference: Option<&str>,
        decide: impl FnOnce(Candidates) -> Result<Admission>,
        limit: Duration,
    ) -> Option<Result<Admission>> {
        fn lock<T>(mutex: &Mutex<T>, until: Instant) -> Option<MutexGuard<'_, T>> {
            loop {
                match mutex.try_lock() {
                    Ok(guard) => return Some(guard),
                    Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
                    Err(TryLockError::WouldBlock) if Instant::now() >= until => return None,
                    Err(TryLockError::WouldBlock) => std::thread::park_timeout(Duration::from_millis(1)),
                }
            }
        }
        let until = Instant::now() + limit;
        let found = match &self.reader {
            Some(reader) => candidates(&*lock(reader, until)?, operation, reference),
            None => candidates(&lock(&self.writer, until)?.connection, operation, reference),
        };
        Some(found.and_then(decide))
    }

    /// Writes a record that was read at the revision before its own. False: somebody else has
    /// written it since.
    pub fn save(&self, intent: &Intent, durability: Durability) -> Result<bool> {
        self.write_with(durability, |connection| write(connection, intent))
    }

    /// Does some writing. SQLite goes on reading only where it could once not open a file for
    /// writing, so then a fresh connection finds out whether that is still so.
    fn write_with<T>(&self, durability: Durability, writing: impl Fn(&Connection) -> Result<T>) -> Result<T> {
        let mut writer = self.writer();
        writer.promise(durability)?;
        self.wal_writes.fetch_add(1, Ordering::Relaxed);
        match (writing(&writer.connection), &self.path) {
            (Err(error), Some(path)) if error.code() == Code::JournalReadOnly => {
                *writer = Writer::again(path)?;
                writer.promise(durability)?;
                writing(&writer.connection)
            }
            (result, _) => result,
        }
    }

    /// Moves the write-ahead log into the file when it has grown: several syncs, so no caller may
    /// wait for it. Nothing else is written meanwhile, or the log would have new records at its end
    /// whenever it is done, and go on growing.
    pub fn checkpoint_if_due(&self) -> Result<()> {
        if self.path.is_none() || self.wal_writes.load(Ordering::Relaxed) < WAL_WRITES {
            return Ok(());
        }
        let writer = self.writer();
        self.wal_writes.store(0, Ordering::Relaxed);
        let moved = writer.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", (), |_| Ok(()));
        moved.map_err(|error| failed(&error))
    }

    pub fn get(&self, id: OperationId) -> Result<Option<Intent>> {
        self.read(|connection| find(connection, id))
    }

    /// Everything that is pending or not acknowledged, oldest first.
    pub fn unacknowledged(&self) -> Result<Vec<Intent>> {
        let sql = "SELECT * FROM operation WHERE acknowledged_at IS NULL ORDER BY recorded_at, id";
        self.read(|connection| many(connection, sql, ()))
    }

    /// Returns the ids of the pending operations, those that are due first first, with the member
    /// of a purchase.
    pub fn pending(&self) -> Result<Vec<(OperationId, Option<ContactId>)>> {
        let sql = "SELECT id, CASE kind WHEN 'purchase' THEN contact END FROM operation
                   WHERE acknowledged_at IS NULL AND state IN ('recorded', 'inDoubt') ORDER BY next_query_at";
        let pending = |row: &Row<'_>| {
            let contact = row.get::<_, Option<Uuid>>(1)?.map(ContactId::from_uuid);
            Ok((OperationId::from_uuid(row.get(0)?), contact))
        };
        self.read(|connection| {
            connection
                .prepare_cached(sql)
                .and_then(|mut statement| statement.query_map((), pending)?.collect())
                .map_err(|error| failed(&error))
        })
    }

    /// Whether a reward is known to be another's than this purchase's: another purchase gave it, or
    /// it was redeemed before.
    pub fn is_taken(&self, reward: AssignmentId, purchase: &Intent) -> Result<bool> {
        let sql = "SELECT 1 FROM operation WHERE assignment = ?1 AND id != ?2
                   AND (kind = 'purchase' OR kind = 'redeem' AND state = 'completed' AND recorded_at < ?3)";
        self.read(|connection| {
            connection
                .prepare_cached(sql)
                .and_then(|mut statement| {
                    statement.exists((reward.uuid(), purchase.id().uuid(), integer(purchase.recorded_at)))
                })
                .map_err(|error| failed(&error))
        })
    }

    /// Deletes records that were acknowledged before a time; never any other (invariant 6). A stamp
    /// from before `sane` is that of a wrong clock and is set to `now`.
    pub fn prune(&self, before: Millis, sane: Millis, now: Millis) -> Result<usize> {
        let correct =
            "UPDATE operation SET acknowledged_at = ?2 WHERE acknowledged_at IS NOT NULL AND acknowledged_at < ?1";
        let delete = "DELETE FROM operation WHERE acknowledged_at IS NOT NULL AND acknowledged_at < ?1";
        self.write_with(Durability::Buffered, |connection| {
            connection
                .execute(correct, (integer(sane), integer(now)))
                .and_then(|_| connection.execute(delete, (integer(before),)))
                .map_err(|error| failed(&error))
        })
    }
}

fn candidates(connection: &Connection, operation: &Operation, reference: Option<&str>) -> Result<Candidates> {
    let newest_first = "ORDER BY recorded_at DESC, id LIMIT 200";
    match operation {
        Operation::Purchase(purchase) => {
            let (contact, item) = (purchase.contact.uuid(), purchase.item.uuid());
            let by_reference = "SELECT * FROM operation
                 WHERE reference = ?1 AND kind = 'purchase' AND item = ?2";
            let unacknowledged = "SELECT * FROM operation
                 WHERE kind = 'purchase' AND contact = ?1 AND item = ?2 AND acknowledged_at IS NULL ORDER BY recorded_at, id";
            Ok(Candidates {
                by_id: find(connection, purchase.id)?,
                by_reference: match reference {
                    None => Vec::new(),
                    Some(reference) => many(connection, &format!("{by_reference} {newest_first}"), (reference, item))?,
                },
                unacknowledged: many(connection, unacknowledged, (contact, item))?,
            })
        }
        Operation::Redeem(redeem) => {
            let assignment = redeem.assignment.uuid();
            let by_reference = "SELECT * FROM operation
                 WHERE reference = ?1 AND kind = 'redeem' AND assignment = ?2";
            let unacknowledged = "SELECT * FROM operation
                 WHERE kind = 'redeem' AND assignment = ?1 AND acknowledged_at IS NULL ORDER BY recorded_at, id";
            Ok(Candidates {
                by_id: None,
                by_reference: match reference {
                    None => Vec::new(),
                    Some(reference) => {
                        many(connection, &format!("{by_reference} {newest_first}"), (reference, assignment))?
                    }
                },
                unacknowledged: many(connection, unacknowledged, (assignment,))?,
            })
        }
    }
}

/// A transaction that writes, rolled back unless it is committed. As `rusqlite`'s, but with its
/// statements prepared once.
struct Transaction<'a>(&'a Connection);

impl<'a> Transaction<'a> {
    fn begin(connection: &'a Connection) -> rusqlite::Result<Self> {
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute(()).map(|_| Self(connection))
    }

    fn commit(self) -> rusqlite::Result<()> {
        self.0.prepare_cached("COMMIT")?.execute(()).map(drop)
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        // Not open any more: it was committed, or SQLite itself has given it up.
        if !self.0.is_autocommit() {
            let _ = self.0.execute_batch("ROLLBACK");
        }
    }
}

/// [`Journal::intend`] on a connection.
fn admit(
    connection: &Connection,
    operation: &Operation,
    reference: Option<&str>,
    decide: &impl Fn(Candidates) -> Result<Admission>,
) -> Result<Admission> {
    let transaction = Transaction::begin(connection).map_err(|error| failed(&error))?;
    let candidates = candidates(connection, operation, reference)?;
    let admission = decide(candidates)?;
    if let Admission::New(intent) = &admission {
        let written = write(connection, intent)?;
        if !written {
            // Invariant 2: without its record no request is sent.
            return Err(Error::new(Code::Journal, "the intent was not written: its id exists already in the journal"));
        }
    }
    let Err(error) = transaction.commit() else { return Ok(admission) };
    // A commit whose write failed has left nothing; one whose sync failed is in the log, and a
    // crash now would bring it back to life. Writing something else in its place prevents that.
    if let Admission::New(intent) = admission
        && is_sync_failure(&error)
    {
        let withdrawn = Intent { state: IntentState::NotSent, code: Code::Journal, ..intent };
        if write(connection, &withdrawn).is_err() {
            return Ok(Admission::Uncertain(withdrawn, failed(&error)));
        }
    }
    Err(failed(&error))
}
