//! The journal: what must survive a crash, in SQLite. It stores and finds records; what they mean
//! and what to do about them is `core`'s business. A write made with [`Durability::Synced`] is on
//! the disk when the call returns (invariant 2), in the file that the next start will open.
//!
//! `paths` checks the path, `files` owns the open files and their locks, `open` opens and checks,
//! `checksums`, `state` and `seal` prove that nothing is missing, `recover` accepts a loss,
//! `backup` copies, `io_thread` keeps callers from a disk that hangs.

mod backup;
mod checksums;
mod connection;
mod failure;
mod files;
mod health;
mod inspect;
mod io_thread;
mod migrate;
mod open;
mod paths;
mod queries;
mod read_only;
mod recover;
mod rows;
mod schema;
mod seal;
mod state;
mod time_text;

pub(crate) use backup::Backup;
pub(crate) use inspect::inspect;
pub(crate) use queries::{Filter, Page, Place};

use crate::config::{Config, JournalPlace, JournalRecovery};
use crate::core::admission::{Admission, Candidates};
use crate::core::code::Code;
use crate::core::domain::{Millis, Operation};
use crate::core::error::{Error, Result};
use crate::core::granted_reward::Owner;
use crate::core::id::{AssignmentId, ContactId, OperationId};
use crate::core::intent::{Durability, Intent, IntentState};
use crate::log::{Field, Level, Log};
use crate::rt::{self, Instant, Mutex};
use crate::stats::Histogram;
use failure::{failed, is_sync_failure, unsealed};
use files::{Files, Shared};
use io_thread::IoThread;
use migrate::check_version;
use open::{Opened, Report, Settings, Writer, read_state};
use rows::{all, find, integer, readable, select, write};
use rusqlite::{Connection, Row};
use seal::Seal;
use state::State;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, TryLockError};
use std::time::Duration;
use uuid::Uuid;

/// After how many writes a checkpoint is made, and how large the write-ahead log is then at most: a
/// write has ten pages, or fewer.
const WAL_WRITES: u32 = 200;
const WAL_BYTES: u64 = 2 << 20;
/// After this long without a write a checkpoint is made. The log keeps its size, and a purchase its
/// speed.
const IDLE: Duration = Duration::from_secs(60);
/// How long a compaction may take.
const COMPACT_WAIT: Duration = Duration::from_secs(600);
/// A call waits for the disk at least so long, also at the end of its wait or without one: a read
/// changes threads. Invariant 8 allows 50 ms.
const LEAST_WAIT: Duration = Duration::from_millis(30);
/// How long before a purchase another one may have been acknowledged whose reward is listed late.
const REWARD_LAG: Millis = 24 * 60 * 60 * 1000;
/// How long a close waits for the disk.
const CLOSE_WAIT: Duration = Duration::from_millis(500);

pub(crate) struct Journal {
    content: Arc<Content>,
    /// Reads in the place of a caller. None for a journal in memory.
    reading: Option<IoThread>,
    /// Writes in the place of a caller, so that a read does not wait for it.
    writing: Option<IoThread>,
    /// Copies the journal in the place of a caller.
    copying: Option<IoThread>,
    /// How long a caller waits for the disk.
    wait: Duration,
    /// When a loss of records was accepted last.
    incomplete_before: Option<Millis>,
    is_closed: AtomicBool,
}

struct Content {
    tenant: String,
    /// None after the close, and for a copy.
    writer: Mutex<Option<Writer>>,
    /// Only reads, so that a query does not wait for a write that waits for the disk. None after
    /// the close, and for a journal in memory.
    reader: Mutex<Option<Connection>>,
    /// None for a journal in memory, and for a copy. After the connections: it is closed last.
    files: Option<Shared>,
    is_memory: bool,
    is_copy: bool,
    /// Writes since the last checkpoint, and the time of the last write.
    wal_writes: AtomicU32,
    last_write: Mutex<Instant>,
    commits: Histogram,
}

impl Journal {
    /// Opens the journal and brings it to this version. None when the configuration names no place
    /// for one.
    pub fn open(config: &Config, log: &Log) -> Result<Option<Self>> {
        let tenant = config.tenant.clone();
        let opened = match &config.journal {
            JournalPlace::None => return Ok(None),
            JournalPlace::Memory => return Self::in_memory(config).map(Some),
            JournalPlace::File(path) => {
                let seal_path = config.seal_path.clone().unwrap_or_else(|| paths::beside(path, "-seal"));
                let settings = Settings {
                    path: path.clone(),
                    seal_path,
                    tenant: tenant.clone(),
                    role: config.journal_role,
                    accepts_loss: config.journal_recovery == JournalRecovery::Accept,
                };
                // A file that another program holds is waited for before and after SQLite opens it.
                let held = if cfg!(windows) { files::LOCK_WAIT } else { Duration::ZERO };
                open_within(settings, config.wait.max(files::LOCK_WAIT) + held)?
            }
        };
        report(opened.report, log);
        let Opened { writer, reader, files, incomplete_before, .. } = opened;
        // A log that an earlier run has left grown is moved too.
        let wal_writes =
            if files.as_ref().is_some_and(|files| files.wal_bytes() >= WAL_BYTES) { WAL_WRITES } else { 0 };
        Ok(Some(Self {
            content: Arc::new(Content {
                tenant,
                is_copy: writer.is_none(),
                writer: Mutex::new(writer),
                reader: Mutex::new(Some(reader)),
                files,
                is_memory: false,
                wal_writes: AtomicU32::new(wal_writes),
                last_write: Mutex::new(Instant::now()),
                commits: Histogram::default(),
            }),
            reading: Some(IoThread::new("eps-journal-read")),
            writing: Some(IoThread::new("eps-journal-write")),
            copying: Some(IoThread::new("eps-journal-copy")),
            wait: config.wait,
            incomplete_before,
            is_closed: AtomicBool::new(false),
        }))
    }

    fn in_memory(config: &Config) -> Result<Self> {
        let content = Content {
            writer: Mutex::new(Some(Writer::in_memory(&config.tenant)?)),
            tenant: config.tenant.clone(),
            reader: Mutex::default(),
            files: None,
            is_memory: true,
            is_copy: false,
            wal_writes: AtomicU32::default(),
            last_write: Mutex::new(Instant::now()),
            commits: Histogram::default(),
        };
        Ok(Self {
            content: Arc::new(content),
            reading: None,
            writing: None,
            copying: None,
            wait: config.wait,
            incomplete_before: None,
            is_closed: AtomicBool::new(false),
        })
    }

    /// Returns when a loss of records was accepted. A sale from before that time may have been made
    /// although the journal does not know it.
    pub fn incomplete_before(&self) -> Option<Millis> {
        self.incomplete_before
    }

    /// Ends the wait of every caller that waits for the disk.
    pub fn cancel_waits(&self) {
        for helper in self.reading.iter().chain(&self.writing).chain(&self.copying) {
            helper.cancel();
        }
    }

    /// Closes the files, and leaves all of the journal in one file if this was its last client.
    /// Does not wait long for a disk that hangs.
    pub fn close(&self) {
        let content = self.content.clone();
        if let Some(helper) = &self.writing
            && !self.is_closed.swap(true, Ordering::Relaxed)
        {
            let _ = helper.finish(CLOSE_WAIT, move || content.close());
        }
    }

    /// Copies the journal into a new file, which is marked as a copy.
    pub fn backup(&self, path: &Path) -> Result<Backup> {
        let Some(helper) = &self.copying else {
            return Err(Error::new(
                Code::BadConfig,
                "the journal is in memory, which has no copy; a journal in a file needs journalPath in config_json",
            ));
        };
        if self.content.is_copy {
            return Err(Error::new(Code::JournalCopy, "the journal is a copy itself; copy its file"));
        }
        let (content, copy) = (self.content.clone(), path.to_owned());
        // A thread and a connection of its own: other calls do not wait for it.
        backup::make_within(helper, self.own_wait(), path, move |begin| match &content.files {
            Some(files) => backup::make(files, &copy, begin),
            None => Err(Error::of(Code::Closed)),
        })
    }

    /// Gives the space of deleted records back to the disk. Returns the size of the database file
    /// before and after.
    pub fn compact(&self) -> Result<(u64, u64)> {
        let Some(helper) = &self.copying else {
            return Err(Error::new(Code::BadConfig, "the journal is in memory, which has no file"));
        };
        let content = self.content.clone();
        helper.call(COMPACT_WAIT, move || content.compact())?
    }

    /// How long the library's own work waits for the disk: an open, a write.
    fn own_wait(&self) -> Duration {
        self.wait.max(files::LOCK_WAIT)
    }

    /// Reads something, on a thread of the journal unless it is in memory.
    fn read<T: Send + 'static>(&self, reading: impl FnOnce(&Connection) -> Result<T> + Send + 'static) -> Result<T> {
        self.read_within(self.wait, reading)
    }

    fn read_within<T: Send + 'static>(
        &self,
        limit: Duration,
        reading: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        match &self.reading {
            Some(helper) => {
                let content = self.content.clone();
                helper.call(limit.max(LEAST_WAIT), move || content.read(reading))?
            }
            None => self.content.read(reading),
        }
    }

    /// Finds what a command may already mean, lets `decide` choose, and makes a start durable; all
    /// in one transaction, so that two presses at the same instant, in two threads or two
    /// processes, are one intent.
    pub fn admit(
        &self,
        operation: &Operation,
        reference: Option<&str>,
        decide: impl Fn(Candidates) -> Result<Admission>,
    ) -> Result<Admission> {
        self.content.admit(operation, reference, decide)
    }

    /// Returns what a command would mean now, without carrying it out. None if the journal stays
    /// busy for longer than `limit`, or no thread could be started for the read.
    pub fn peek(
        &self,
        operation: &Operation,
        reference: Option<&str>,
        decide: impl FnOnce(Candidates) -> Result<Admission>,
        limit: Duration,
    ) -> Option<Result<Admission>> {
        let found = if self.content.is_memory {
            let until = Instant::now() + limit;
            let writer = loop {
                match self.content.writer.try_lock() {
                    Ok(guard) => break guard,
                    Err(TryLockError::Poisoned(poisoned)) => break poisoned.into_inner(),
                    Err(TryLockError::WouldBlock) if Instant::now() >= until => return None,
                    Err(TryLockError::WouldBlock) => std::thread::park_timeout(Duration::from_millis(1)),
                }
            };
            candidates(&writer.as_ref()?.connection, operation, reference)
        } else {
            let (operation, reference) = (*operation, reference.map(str::to_owned));
            self.read_within(limit, move |connection| candidates(connection, &operation, reference.as_deref()))
        };
        match found {
            Err(error) if matches!(error.code(), Code::JournalTimedOut | Code::OutOfMemory) => None,
            found => Some(found.and_then(decide)),
        }
    }

    /// Writes a record that was read at the revision before its own. False: somebody else has
    /// written it since.
    pub fn save(&self, intent: &Intent, durability: Durability) -> Result<bool> {
        self.content.write_with(durability, |connection, state| write(connection, intent, state))
    }

    /// As [`Journal::save`], for a caller that must not wait for a disk that hangs. After a
    /// time-out the write may still be made.
    pub fn save_within_wait(&self, intent: &Intent, durability: Durability) -> Result<bool> {
        self.save_within(intent, durability, self.own_wait())
    }

    /// As [`Journal::save_within_wait`], for a call with a wait of its own.
    pub fn save_within(&self, intent: &Intent, durability: Durability, limit: Duration) -> Result<bool> {
        let intent = intent.clone();
        self.write_within(limit, durability, move |connection, state| write(connection, &intent, state))
    }

    /// Does some writing in one transaction, in the place of a caller that must not wait for a disk
    /// that hangs.
    fn write_within_wait<T: Send + 'static>(
        &self,
        durability: Durability,
        writing: impl Fn(&Connection, &mut State) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.write_within(self.own_wait(), durability, writing)
    }

    fn write_within<T: Send + 'static>(
        &self,
        limit: Duration,
        durability: Durability,
        writing: impl Fn(&Connection, &mut State) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let Some(helper) = &self.writing else { return self.content.write_with(durability, writing) };
        let content = self.content.clone();
        helper.call(limit.max(LEAST_WAIT), move || content.write_with(durability, writing))?
    }

    /// Makes a checkpoint when the write-ahead log has grown, or when nothing was written for a
    /// minute: the database file then holds all records. That takes several syncs, so no caller may
    /// wait for it.
    pub fn checkpoint_if_due(&self) -> Result<()> {
        self.content.checkpoint_if_due()
    }

    pub fn get(&self, id: OperationId) -> Result<Option<Intent>> {
        self.get_within(id, None)
    }

    /// As [`Journal::get`]. `limit`: the wait of a call that has its own.
    pub fn get_within(&self, id: OperationId, limit: Option<Duration>) -> Result<Option<Intent>> {
        self.read_within(limit.unwrap_or(self.wait), move |connection| find(connection, id))
    }

    /// Returns everything that is pending or not acknowledged, in the order of recording, also
    /// another tenant's. A damaged record is left out.
    pub fn unacknowledged(&self) -> Result<Vec<Intent>> {
        // `+`: sorting these few costs less than reading all records in their order.
        let sql = select!("WHERE acknowledged_at IS NULL ORDER BY +rowid");
        self.read(move |connection| readable(connection, sql, ()))
    }

    /// Returns the ids of this tenant's pending operations, those that are due first first, with
    /// the member of a purchase. `limit`: the wait of a call that has its own.
    pub fn pending(&self, limit: Option<Duration>) -> Result<Vec<(OperationId, Option<ContactId>)>> {
        if self.content.is_copy {
            return Ok(Vec::new());
        }
        let sql = "SELECT id, CASE kind WHEN 'purchase' THEN contact END FROM operation
                   WHERE acknowledged_at IS NULL AND state IN ('recorded', 'inDoubt') AND tenant = ?1
                   ORDER BY next_query_at";
        let pending = |row: &Row<'_>| {
            let contact = row.get::<_, Option<Uuid>>(1)?.map(ContactId::from_uuid);
            Ok::<_, rusqlite::Error>((OperationId::from_uuid(row.get(0)?), contact))
        };
        let tenant = self.content.tenant.clone();
        self.read_within(limit.unwrap_or_else(|| self.own_wait()), move |connection| {
            let read = || {
                let mut statement = connection.prepare_cached(sql)?;
                let mut rows = statement.query((tenant,))?;
                let mut found = Vec::new();
                while let Some(row) = rows.next()? {
                    // A damaged row does not hide the others.
                    found.extend(pending(row).ok());
                }
                Ok(found)
            };
            read().map_err(|error| failed(&error))
        })
    }

    /// Returns which other operation has a reward than this purchase.
    pub fn owner(&self, reward: AssignmentId, purchase: &Intent, limit: Duration) -> Result<Owner> {
        let id = purchase.id();
        self.read_within(limit, move |connection| owner(connection, reward, id))
    }

    /// Returns the number of other purchases of the same item for the same member that may have
    /// given a reward, and whose reward is not known. One that was acknowledged counts until a day
    /// before this purchase: its reward may be listed late.
    pub fn others_without_reward(&self, purchase: &Intent, limit: Duration) -> Result<usize> {
        // Two conditions with an index each.
        let sql = "SELECT count(*) FROM operation
                   WHERE (acknowledged_at IS NULL OR acknowledged_at IS NOT NULL AND acknowledged_at >= ?4)
                   AND contact = ?1 AND item = ?2 AND kind = 'purchase' AND id != ?3 AND assignment IS NULL
                   AND state IN ('recorded', 'inDoubt', 'completed')";
        let Operation::Purchase(ours) = purchase.operation else { return Ok(0) };
        let since = integer(purchase.recorded_at.saturating_sub(REWARD_LAG));
        let values = (ours.contact.uuid(), ours.item.uuid(), ours.id.uuid(), since);
        self.read_within(limit, move |connection| {
            let count = connection
                .prepare_cached(sql)
                .and_then(|mut statement| statement.query_row(values, |row| row.get::<_, i64>(0)));
            count.map(|count| usize::try_from(count).unwrap_or(0)).map_err(|error| failed(&error))
        })
    }

    /// Stores the reward of a purchase. Returns false if the reward is known to be another's by
    /// now, or the purchase has changed.
    pub fn attribute(&self, purchase: &Intent, limit: Duration) -> Result<bool> {
        let purchase = purchase.clone();
        self.write_within(limit, Durability::Buffered, move |connection, state| {
            if let Some(reward) = purchase.reward
                && owner(connection, reward, purchase.id())? != Owner::Nobody
            {
                return Ok(false);
            }
            write(connection, &purchase, state)
        })
    }

    /// Returns all redeems of a reward, in the order of recording.
    pub fn redeems(&self, reward: AssignmentId) -> Result<Vec<Intent>> {
        let sql = select!("WHERE kind = 'redeem' AND assignment = ?1 ORDER BY rowid");
        self.read(move |connection| all(connection, sql, (reward.uuid(),)))
    }

    /// Deletes records that were acknowledged before a time; never any other (invariant 6). A stamp
    /// from before `sane` is that of a wrong clock and is set to `now`.
    pub fn prune(&self, before: Millis, sane: Millis, now: Millis) -> Result<usize> {
        let wrong = select!("WHERE acknowledged_at IS NOT NULL AND acknowledged_at < ?1");
        self.content.write_with(Durability::Buffered, |connection, state| {
            for intent in readable(connection, wrong, (integer(sane),))? {
                let revision = intent.revision + 1;
                write(connection, &Intent { acknowledged_at: Some(now), revision, ..intent }, state)?;
            }
            rows::delete(connection, before, state)
        })
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.close();
    }
}

/// The threads whose opens hang, for each path. The next one waits for them, so that threads do not
/// pile up.
static HANGING: Mutex<Option<HashMap<PathBuf, Arc<IoThread>>>> = Mutex::new(None);

/// Opens on a thread that can be left behind.
fn open_within(settings: Settings, limit: Duration) -> Result<Opened> {
    let path = settings.path.clone();
    let helper = rt::lock(&HANGING)
        .get_or_insert_default()
        .entry(path.clone())
        .or_insert_with(|| Arc::new(IoThread::new("eps-journal-open")))
        .clone();
    let opened = helper.call(limit, move || open::open(&settings));
    drop(helper);
    let mut hanging = rt::lock(&HANGING);
    let helpers = hanging.get_or_insert_default();
    // The map's, if no other open of this path is under way. A helper whose work hangs stays, and
    // is used again.
    if opened.is_ok() && helpers.get(&path).is_some_and(|helper| Arc::strong_count(helper) == 1) {
        helpers.remove(&path);
    }
    drop(hanging);
    match opened {
        Ok(opened) => opened,
        // Without a message of its own.
        Err(error) if error.message() == Code::JournalTimedOut.row().meaning => Err(Error::new(
            Code::JournalTimedOut,
            format!("the disk of the journal {} did not respond within the wait; check the disk", path.display()),
        )),
        Err(error) => Err(error),
    }
}

fn report(report: Report, log: &Log) {
    if report.adopted > 0 {
        log.write(Level::Warn, "journal.adopted", &[("records", Field::Number(report.adopted))]);
    }
    if report.accepted {
        log.write(Level::Error, "journal.lossAccepted", &[("code", Field::Code(Code::JournalIncomplete))]);
    }
    if report.taken_over {
        log.write(Level::Warn, "journal.takenOver", &[("code", Field::Code(Code::JournalCopy))]);
    }
}

/// What became of a transaction that writes.
enum Commit<T> {
    Written(T),
    /// A restart may find it, although it failed: its sync failed, or the files are no longer those
    /// on the disk.
    MayComeBack(T, Error),
}

impl Content {
    fn read<T>(&self, reading: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        if let Some(files) = &self.files {
            files.check_index()?;
        }
        if self.is_memory {
            return match &*rt::lock(&self.writer) {
                Some(writer) => reading(&writer.connection),
                None => Err(Error::of(Code::Closed)),
            };
        }
        match &*rt::lock(&self.reader) {
            Some(reader) => check_version(reader).and_then(|()| reading(reader)),
            None => Err(Error::of(Code::Closed)),
        }
    }

    fn admit(
        &self,
        operation: &Operation,
        reference: Option<&str>,
        decide: impl Fn(Candidates) -> Result<Admission>,
    ) -> Result<Admission> {
        let attempt = self.try_commit(Durability::Synced, &|connection, state| {
            let admission = decide(candidates(connection, operation, reference)?)?;
            if let Admission::New(intent) = &admission
                && !write(connection, intent, state)?
            {
                // Invariant 2: without its record no request is sent.
                let message = "the intent was not written: its id exists already in the journal";
                return Err(Error::new(Code::Journal, message));
            }
            Ok(admission)
        })?;
        match attempt {
            Commit::Written(admission) => Ok(admission),
            Commit::MayComeBack(Admission::New(intent), error) => self.withdraw(intent, error),
            Commit::MayComeBack(_, error) => Err(error),
        }
    }

    /// Withdraws an intent whose commit failed. A crash now would bring the record back. Writing
    /// something else in its place prevents that.
    fn withdraw(&self, intent: Intent, error: Error) -> Result<Admission> {
        let withdrawn = Intent { state: IntentState::NotSent, code: Code::Journal, ..intent };
        let written = self.write_with(Durability::Synced, |connection, state| {
            // A commit that was made is overwritten, one that was not is made.
            let found = find(connection, withdrawn.id())?.map_or(0, |found| found.revision);
            let revision = if found < withdrawn.revision { withdrawn.revision } else { found + 1 };
            write(connection, &Intent { revision, ..withdrawn.clone() }, state)
        });
        match written {
            Ok(true) => Err(error),
            _ => Ok(Admission::Uncertain(withdrawn, error)),
        }
    }

    /// Does some writing in one transaction.
    fn write_with<T>(
        &self,
        durability: Durability,
        writing: impl Fn(&Connection, &mut State) -> Result<T>,
    ) -> Result<T> {
        match self.try_commit(durability, &writing)? {
            Commit::Written(value) => Ok(value),
            Commit::MayComeBack(_, error) => Err(error),
        }
    }

    fn try_commit<T>(
        &self,
        durability: Durability,
        writing: &impl Fn(&Connection, &mut State) -> Result<T>,
    ) -> Result<Commit<T>> {
        if self.is_copy {
            return Err(Error::of(Code::JournalCopy));
        }
        let mut slot = rt::lock(&self.writer);
        let writer = slot.as_mut().ok_or_else(|| Error::of(Code::Closed))?;
        let _turn = self.files.as_ref().map(|files| files.writing()).transpose()?;
        if let Some(files) = &self.files {
            // Before SQLite reads the memory that it has mapped.
            files.check_index()?;
        }
        match (self.commit(writer, durability, writing), &self.files) {
            // SQLite goes on reading only where it could once not open a file for writing, so then
            // a fresh connection finds out whether that is still so.
            (Err(error), Some(files)) if error.code() == Code::JournalReadOnly => {
                writer.reconnect(&files.path)?;
                self.commit(writer, durability, writing)
            }
            (result, _) => result,
        }
    }

    fn commit<T>(
        &self,
        writer: &mut Writer,
        durability: Durability,
        writing: &impl Fn(&Connection, &mut State) -> Result<T>,
    ) -> Result<Commit<T>> {
        writer.promise(durability)?;
        let connection = &writer.connection;
        let files = self.files.as_deref();
        let transaction = Transaction::begin(connection, files).map_err(|error| failed(&error))?;
        if let Some(files) = files {
            check(files, connection)?;
        }
        let changes = connection.total_changes();
        let before = read_state(connection)?.ok_or_else(|| Error::of(Code::JournalDamaged))?;
        let mut state = before.clone();
        if !writer.has_generation {
            state.begin_generation(rt::random());
        }
        let value = writing(connection, &mut state)?;
        if (state.records, state.sum) == (before.records, before.sum) {
            if connection.total_changes() != changes {
                // A fact, and no record.
                transaction.commit().map_err(|error| failed(&error))?;
            }
            return Ok(Commit::Written(value));
        }
        state.writes += 1;
        state.written_at = rt::wall_now();
        state.closed = false;
        state.write(connection).map_err(|error| failed(&error))?;
        self.wal_writes.fetch_add(1, Ordering::Relaxed);
        *rt::lock(&self.last_write) = Instant::now();
        let began = Instant::now();
        let committed = transaction.commit();
        self.commits.observe(began.elapsed());
        if let Err(error) = committed {
            return if is_sync_failure(&error) {
                Ok(Commit::MayComeBack(value, failed(&error)))
            } else {
                Err(failed(&error))
            };
        }
        writer.has_generation = true;
        let Some(files) = &self.files else { return Ok(Commit::Written(value)) };
        // A seal that could not be written is only older.
        let _ = seal(files, &state, durability == Durability::Synced);
        match files.check_paths() {
            Err(error) if durability == Durability::Synced => Ok(Commit::MayComeBack(value, error)),
            _ => Ok(Commit::Written(value)),
        }
    }

    fn checkpoint_if_due(&self) -> Result<()> {
        let Some(files) = &self.files else { return Ok(()) };
        let due = self.wal_writes.load(Ordering::Relaxed);
        let is_idle = due > 0 && rt::lock(&self.last_write).elapsed() >= IDLE;
        if due < WAL_WRITES && !is_idle {
            return Ok(());
        }
        let mut slot = rt::lock(&self.writer);
        let Some(writer) = slot.as_mut() else { return Ok(()) };
        // Nothing is written meanwhile, or the log would have new records at its end and go on
        // growing.
        let _turn = files.writing()?;
        self.wal_writes.store(0, Ordering::Relaxed);
        checkpoint(files, &writer.connection)?;
        if is_idle {
            writer.promise(Durability::Synced)?;
            begin_wal(&writer.connection, files)?;
        }
        Ok(())
    }

    fn compact(&self) -> Result<(u64, u64)> {
        let Some(files) = &self.files else { return Err(Error::of(Code::JournalCopy)) };
        let mut slot = rt::lock(&self.writer);
        let writer = slot.as_mut().ok_or_else(|| Error::of(Code::Closed))?;
        // A purchase waits meanwhile, as for any other write.
        let _turn = files.writing()?;
        files.check_index()?;
        writer.promise(Durability::Synced)?;
        let size = || files.db.metadata().map(|about| about.len()).unwrap_or_default();
        let before = size();
        let transaction = Transaction::begin(&writer.connection, Some(files)).map_err(|error| failed(&error))?;
        check(files, &writer.connection)?;
        drop(transaction);
        writer.connection.execute_batch("VACUUM").map_err(|error| failed(&error))?;
        checkpoint(files, &writer.connection)?;
        Ok((before, size()))
    }

    fn close(&self) {
        let (reader, writer) = (rt::lock(&self.reader).take(), rt::lock(&self.writer).take());
        let (Some(files), Some(mut writer)) = (&self.files, writer) else { return };
        let opening = files.opening();
        drop(reader);
        if let Ok(mut opening) = opening
            && files.leave(&mut opening)
        {
            // A failure leaves the journal as a crash does.
            let _ = leave_one_file(files, &mut writer);
            if writer.is_unusable(files) {
                // To close it would end the process (see `Transaction`).
                std::mem::forget(writer);
                return;
            }
            // Windows deletes no file that is open here, and SQLite would try for seconds. On Unix
            // closing a file that SQLite has open would drop its locks.
            if cfg!(windows) {
                files.close_wal();
            }
            drop(writer);
            files.close_wal();
        } else if writer.is_unusable(files) {
            std::mem::forget(writer);
        }
    }
}

/// Checks that the files are those on the disk, that nobody else has changed the content, and that
/// the journal has this version. The connection holds SQLite's lock for writing, so that no foreign
/// SQLite changes the log meanwhile.
fn check(files: &Files, connection: &Connection) -> Result<()> {
    files.check_in_use()?;
    check_version(connection)?;
    if files.is_changed()? {
        // Another process makes checkpoints too.
        if !open::is_whole(&files.path, files.seal()?)? {
            return Err(Error::new(
                Code::JournalReplaced,
                format!(
                    "the content of the journal {} was changed by another program while it was open. Nothing was \
                     sent. Put the journal back and open the client again",
                    files.path.display()
                ),
            ));
        }
        files.content_is_known()?;
    }
    Ok(())
}

fn seal(files: &Files, state: &State, durable: bool) -> Result<()> {
    let file = files.seal()?;
    let write = || Seal::of(state, Seal::read(file)?, durable).write(file);
    write().map_err(|error| unsealed(&files.seal_path, &error))
}

/// Moves the write-ahead log into the database file. The seal is synced afterwards: it then knows
/// all of it as durable.
fn checkpoint(files: &Files, connection: &Connection) -> Result<()> {
    files.check_index()?;
    files.check_in_use()?;
    check_version(connection)?;
    let is_whole = run_checkpoint(connection)?;
    files.content_is_known()?;
    if is_whole && let Some(state) = read_state(connection)? {
        seal(files, &state, true)?;
    }
    files.seal()?.sync_all().map_err(|error| unsealed(&files.seal_path, &error))
}

/// Returns whether all of the log is in the database file.
fn run_checkpoint(connection: &Connection) -> Result<bool> {
    let sql = "PRAGMA wal_checkpoint(PASSIVE)";
    let result = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?));
    let (busy, frames, moved) = connection.query_row(sql, (), result).map_err(|error| failed(&error))?;
    Ok(busy == 0 && frames == moved)
}

/// Writes the state as it is. SQLite syncs the header of a write-ahead log that begins anew, and
/// the folder of a new one: the next purchase then does not wait for that.
fn begin_wal(connection: &Connection, files: &Files) -> Result<()> {
    let transaction = Transaction::begin(connection, Some(files)).map_err(|error| failed(&error))?;
    if let Some(state) = read_state(connection)? {
        state.write(connection).map_err(|error| failed(&error))?;
    }
    transaction.commit().map_err(|error| failed(&error))
}

/// Marks the journal as closed and moves the log into the file. SQLite deletes the log as the
/// connection closes.
fn leave_one_file(files: &Files, writer: &mut Writer) -> Result<()> {
    let _turn = files.writing()?;
    files.check_index()?;
    writer.promise(Durability::Synced)?;
    let connection = &writer.connection;
    let transaction = Transaction::begin(connection, Some(files)).map_err(|error| failed(&error))?;
    check(files, connection)?;
    if let Some(mut state) = read_state(connection)?.filter(|state| state.writes > 0 && !state.closed) {
        if !writer.has_generation {
            state.begin_generation(rt::random());
        }
        state.writes += 1;
        state.closed = true;
        state.write(connection).map_err(|error| failed(&error))?;
        transaction.commit().map_err(|error| failed(&error))?;
        seal(files, &state, true)?;
    } else {
        drop(transaction);
    }
    checkpoint(files, connection)?;
    files.let_go();
    connection::keep_wal(connection, false)
}

/// Returns which other operation has a reward than this purchase.
fn owner(connection: &Connection, reward: AssignmentId, purchase: OperationId) -> Result<Owner> {
    // In the order of recording: times are whole seconds of Engage's clock.
    let sql = "SELECT max(kind = 'purchase') FROM operation WHERE assignment = ?1 AND id != ?2
               AND (kind = 'purchase' OR kind = 'redeem' AND state = 'completed'
                    AND rowid < (SELECT rowid FROM operation WHERE id = ?2))";
    let is_purchase = connection.prepare_cached(sql).and_then(|mut statement| {
        statement.query_row((reward.uuid(), purchase.uuid()), |row| row.get::<_, Option<bool>>(0))
    });
    Ok(match is_purchase.map_err(|error| failed(&error))? {
        None => Owner::Nobody,
        Some(true) => Owner::Purchase,
        Some(false) => Owner::Redeem,
    })
}

fn candidates(connection: &Connection, operation: &Operation, reference: Option<&str>) -> Result<Candidates> {
    match operation {
        Operation::Purchase(purchase) => {
            let (contact, item) = (purchase.contact.uuid(), purchase.item.uuid());
            let by_reference = select!(
                "WHERE reference = ?1 AND kind = 'purchase' AND item = ?2 ORDER BY recorded_at DESC, id LIMIT 200"
            );
            let unacknowledged = select!(
                "WHERE kind = 'purchase' AND contact = ?1 AND item = ?2 AND acknowledged_at IS NULL
                 ORDER BY recorded_at, id"
            );
            Ok(Candidates {
                by_id: find(connection, purchase.id)?,
                by_reference: match reference {
                    None => Vec::new(),
                    Some(reference) => all(connection, by_reference, (reference, item))?,
                },
                unacknowledged: all(connection, unacknowledged, (contact, item))?,
                redeemed: false,
            })
        }
        Operation::Redeem(redeem) => {
            let assignment = redeem.assignment.uuid();
            let by_reference = select!(
                "WHERE reference = ?1 AND kind = 'redeem' AND assignment = ?2 ORDER BY recorded_at DESC, id LIMIT 200"
            );
            let unacknowledged = select!(
                "WHERE kind = 'redeem' AND assignment = ?1 AND acknowledged_at IS NULL ORDER BY recorded_at, id"
            );
            let redeemed = "SELECT 1 FROM operation
                            WHERE assignment = ?1 AND kind = 'redeem' AND (state = 'completed' OR code = ?2)";
            Ok(Candidates {
                by_id: None,
                by_reference: match reference {
                    None => Vec::new(),
                    Some(reference) => all(connection, by_reference, (reference, assignment))?,
                },
                unacknowledged: all(connection, unacknowledged, (assignment,))?,
                redeemed: connection
                    .prepare_cached(redeemed)
                    .and_then(|mut statement| statement.exists((assignment, Code::AlreadyRedeemed.number())))
                    .map_err(|error| failed(&error))?,
            })
        }
    }
}

/// A transaction that writes, rolled back unless it is committed. As `rusqlite`'s, but with its
/// statements prepared once.
struct Transaction<'a> {
    connection: &'a Connection,
    files: Option<&'a Files>,
}

impl<'a> Transaction<'a> {
    fn begin(connection: &'a Connection, files: Option<&'a Files>) -> rusqlite::Result<Self> {
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute(()).map(|_| Self { connection, files })
    }

    fn commit(self) -> rusqlite::Result<()> {
        self.connection.prepare_cached("COMMIT")?.execute(()).map(drop)
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.connection.is_autocommit() {
            // It was committed, or SQLite itself has given it up.
            return;
        }
        // A rollback reads the index, and one that is cut ends the process. The transaction stays
        // open then, and nothing uses the connection any more.
        if self.files.is_none_or(|files| !files.is_index_cut()) {
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }
}

#[cfg(test)]
mod tests;
