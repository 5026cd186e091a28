//! The journal: what must survive a crash, in SQLite. It stores and finds records; what they mean and what to do about them
//! is `shop`'s business. A write made with [`Durability::Now`] is on the disk when the call returns (invariant 2).

mod record;
mod schema;

pub(crate) use record::{Operation, Record, State};

use crate::code::Code;
use crate::config::JournalPlace;
use crate::engage::{Channel, Order, PurchaseOrder, RedeemOrder};
use crate::error::{Detail, Error, Result, chain};
use crate::id::{AssignmentId, ContactId, ItemId, OperationId};
use crate::time::Millis;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags, OptionalExtension, Row, TransactionBehavior, ffi, params};
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long another process may hold the journal locked before a call gives up. Writes take milliseconds.
const LOCK_WAIT: Duration = Duration::from_secs(2);
/// After how many writes the write-ahead log is moved into the file, and how large it then is at most: a write has ten pages, or fewer.
const LOG_WRITES: u32 = 200;
const LOG_BYTES: u64 = 2 << 20;

/// What a commit promises when it returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// It survives a power cut.
    Now,
    /// It survives the process; a power cut may undo it. Only for what Engage can be asked again.
    Later,
}

/// What the journal already holds that a wish may mean.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    pub by_id: Option<Record>,
    pub by_reference: Option<Record>,
    /// Unacknowledged intents of the same contact and item, or of the same reward, oldest first.
    pub unacknowledged: Vec<Record>,
}

/// What to do about a wish, decided inside the transaction that read the candidates.
#[derive(Debug)]
pub(crate) enum Intention {
    /// Write this record (a new one, or an old one started again) and send its request.
    Start(Record),
    /// It is an intent already; follow it.
    Join(Record),
    /// Neither recorded for sure nor taken back for sure: the disk failed in the commit, and again when the record was withdrawn.
    /// Nothing may be sent, but the record may come to life in the next run. It carries the withdrawal, to be saved as soon as possible.
    Doubtful(Record, Error),
}

pub(crate) struct Journal {
    /// None for a journal in memory.
    path: Option<PathBuf>,
    writer: Mutex<Writer>,
    /// Only reads, so that looking does not wait for a write that waits for the disk. None for a journal in memory.
    reader: Option<Mutex<Connection>>,
    /// Writes since the write-ahead log was last moved into the file.
    in_log: AtomicU32,
}

/// The one connection that writes: of two, each would read again from the file what the other has changed.
struct Writer {
    connection: Connection,
    durability: Durability,
}

impl Writer {
    /// From now on a commit promises this.
    fn promise(&mut self, durability: Durability) -> Result<()> {
        if self.durability != durability {
            // Never prepared in advance: preparing it already changes the setting.
            let pragma = match durability {
                Durability::Now => "PRAGMA synchronous = FULL",
                Durability::Later => "PRAGMA synchronous = NORMAL",
            };
            self.connection.execute_batch(pragma).map_err(|error| failed(&error))?;
            self.durability = durability;
        }
        Ok(())
    }
}

impl Journal {
    /// Opens the journal and brings it to this version. None when the configuration names no place for one.
    pub fn open(place: &JournalPlace) -> Result<Option<Self>> {
        match place {
            JournalPlace::None => Ok(None),
            JournalPlace::Memory => {
                let mut connection = Connection::open_in_memory().map_err(|error| failed(&error))?;
                plan_once(&connection)?;
                migrate(&mut connection)?;
                let writer = Writer { connection, durability: Durability::Now };
                Ok(Some(Self { path: None, writer: Mutex::new(writer), reader: None, in_log: AtomicU32::new(0) }))
            }
            JournalPlace::File(path) => open_file(path).map(Some),
        }
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads something.
    fn read<T>(&self, reading: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        match &self.reader {
            Some(reader) => reading(&reader.lock().unwrap_or_else(PoisonError::into_inner)),
            None => reading(&self.writer().connection),
        }
    }

    /// Finds what a wish may already mean, lets `decide` choose, and makes a start durable; all in one transaction,
    /// so that two presses at the same instant, in two threads or two processes, are one intent.
    pub fn intend(
        &self,
        order: &Order,
        reference: Option<&str>,
        decide: impl Fn(Candidates) -> Result<Intention>,
    ) -> Result<Intention> {
        self.write_with(Durability::Now, |connection| intend(connection, order, reference, &decide))
    }

    /// What a wish would mean now, without carrying it out. None if the journal stays busy for longer than `patience`.
    pub fn peek(
        &self,
        order: &Order,
        reference: Option<&str>,
        decide: impl FnOnce(Candidates) -> Result<Intention>,
        patience: Duration,
    ) -> Option<Result<Intention>> {
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
        let until = Instant::now() + patience;
        let found = match &self.reader {
            Some(reader) => candidates(&*lock(reader, until)?, order, reference),
            None => candidates(&lock(&self.writer, until)?.connection, order, reference),
        };
        Some(found.and_then(decide))
    }

    /// Writes a record that was read at the revision before its own. False: somebody else has written it since.
    pub fn save(&self, record: &Record, durability: Durability) -> Result<bool> {
        self.write_with(durability, |connection| write(connection, record))
    }

    /// Does some writing. SQLite goes on reading only where it could once not open a file for writing, so then a fresh
    /// connection finds out whether that is still so.
    fn write_with<T>(&self, durability: Durability, writing: impl Fn(&Connection) -> Result<T>) -> Result<T> {
        let mut writer = self.writer();
        writer.promise(durability)?;
        self.in_log.fetch_add(1, Ordering::Relaxed);
        match (writing(&writer.connection), &self.path) {
            (Err(error), Some(path)) if error.code() == Code::JournalReadOnly => {
                *writer = self::writer(connect(path)?, path)?;
                writer.promise(durability)?;
                writing(&writer.connection)
            }
            (result, _) => result,
        }
    }

    /// Moves the write-ahead log into the file when it has grown: several syncs, so no caller may wait for it. Nothing else is
    /// written meanwhile, or the log would have new records at its end whenever it is done, and go on growing.
    pub fn tidy(&self) -> Result<()> {
        if self.path.is_none() || self.in_log.load(Ordering::Relaxed) < LOG_WRITES {
            return Ok(());
        }
        let writer = self.writer();
        self.in_log.store(0, Ordering::Relaxed);
        let moved = writer.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", (), |_| Ok(()));
        moved.map_err(|error| failed(&error))
    }

    pub fn get(&self, id: OperationId) -> Result<Option<Record>> {
        self.read(|connection| find(connection, id))
    }

    /// Everything that is pending or not acknowledged, oldest first.
    pub fn unacknowledged(&self) -> Result<Vec<Record>> {
        let sql = "SELECT * FROM operation WHERE acknowledged_at IS NULL ORDER BY recorded_at, id";
        self.read(|connection| many(connection, sql, ()))
    }

    /// The ids of everything whose outcome is not known, with the time settling looks at it next.
    pub fn pending(&self) -> Result<Vec<(OperationId, Millis)>> {
        let sql = "SELECT id, next_at FROM operation
                   WHERE acknowledged_at IS NULL AND state IN ('recorded', 'unknown') ORDER BY next_at";
        let pending = |row: &Row<'_>| Ok((OperationId::from_uuid(row.get(0)?), millis(row, 1)?));
        self.read(|connection| {
            connection
                .prepare_cached(sql)
                .and_then(|mut statement| statement.query_map((), pending)?.collect())
                .map_err(|error| failed(&error))
        })
    }

    /// Whether a reward is known to be another's than this purchase's: another purchase gave it, or it was redeemed before.
    pub fn is_taken(&self, reward: AssignmentId, purchase: &Record) -> Result<bool> {
        let sql = "SELECT 1 FROM operation WHERE assignment = ?1 AND id != ?2
                   AND (kind = 'purchase' OR kind = 'redeem' AND state = 'done' AND recorded_at < ?3)";
        self.read(|connection| {
            connection
                .prepare_cached(sql)
                .and_then(|mut statement| {
                    statement.exists((reward.uuid(), purchase.id().uuid(), integer(purchase.recorded_at)))
                })
                .map_err(|error| failed(&error))
        })
    }

    /// Drops acknowledged records that were acknowledged before a time; never any other (invariant 6).
    pub fn prune(&self, before: Millis) -> Result<usize> {
        let sql = "DELETE FROM operation WHERE acknowledged_at IS NOT NULL AND acknowledged_at < ?1";
        self.write_with(Durability::Later, |connection| {
            connection.execute(sql, (integer(before),)).map_err(|error| failed(&error))
        })
    }
}

fn open_file(path: &Path) -> Result<Journal> {
    create(path)?;
    check_header(path)?;
    let mut first = connect(path)?;
    migrate(&mut first)?;
    let writer = writer(first, path)?;
    let reader = connect(path)?;
    keep_log(&reader)?;
    // What earlier runs have left in it: the file does not shrink, so this may be none of it.
    let log = std::fs::metadata(beside(path, "-wal")).map_or(0, |file| file.len());
    let in_log = AtomicU32::new(if log < LOG_BYTES { 0 } else { LOG_WRITES });
    Ok(Journal { path: Some(path.to_owned()), writer: Mutex::new(writer), reader: Some(Mutex::new(reader)), in_log })
}

/// The write-ahead log is not moved by whoever closes last, and is kept grown: appending to a file of fixed size needs one disk write less.
fn keep_log(connection: &Connection) -> Result<()> {
    let set = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    set.map(drop).map_err(|error| failed(&error))
}

/// Sets a connection up for writing to a write-ahead log.
fn writer(connection: Connection, path: &Path) -> Result<Writer> {
    // SQLite does not wait for a lock when it changes the mode, and another process may be opening the same new journal.
    let until = Instant::now() + LOCK_WAIT;
    let mode: String = loop {
        let set = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0));
        match set.map_err(|error| failed(&error)) {
            Ok(mode) => break mode,
            Err(error) if error.code() != Code::JournalLocked || Instant::now() >= until => return Err(error),
            Err(_) => std::thread::park_timeout(Duration::from_millis(5)),
        }
    };
    if mode != "wal" {
        return Err(Error::new(
            Code::JournalCannotOpen,
            format!(
                "the journal {} cannot be kept safe here: its file system does not support shared memory (a network share?); use a local disk",
                path.display()
            ),
        ));
    }
    connection.pragma_update(None, "synchronous", "FULL").map_err(|error| failed(&error))?;
    // The log is moved into the file by `Journal::tidy`, in nobody's commit.
    connection.pragma_update(None, "wal_autocheckpoint", 0).map_err(|error| failed(&error))?;
    keep_log(&connection)?;
    Ok(Writer { connection, durability: Durability::Now })
}

/// Makes the file, private to the user, and its directory entry durable. An existing file is not touched.
/// On Windows its folder's permissions decide, for this file as for those that SQLite puts beside it (docs/targets.md).
fn create(path: &Path) -> Result<()> {
    let cannot = |says: &str, error: &std::io::Error| {
        Error::new(Code::JournalCannotOpen, format!("the journal {} cannot be opened: {says}", path.display()))
            .with_cause(chain(error))
    };
    if path.is_dir() {
        return Err(Error::new(
            Code::JournalCannotOpen,
            format!("the journal {} is a folder; journalPath must name a file", path.display()),
        ));
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(file) => {
            file.sync_all().map_err(|error| cannot("the new file cannot be made durable", &error))?;
            sync_folder(path).map_err(|error| cannot("its folder entry cannot be made durable", &error))
        }
        Err(error) => match error.kind() {
            std::io::ErrorKind::AlreadyExists => Ok(()),
            std::io::ErrorKind::NotFound => Err(cannot("its folder does not exist; create it first", &error)),
            std::io::ErrorKind::PermissionDenied => Err(cannot("no permission to create it", &error)),
            std::io::ErrorKind::StorageFull => Err(Error::of(Code::JournalFull).with_cause(chain(&error))),
            std::io::ErrorKind::ReadOnlyFilesystem => Err(Error::of(Code::JournalReadOnly).with_cause(chain(&error))),
            _ => Err(cannot("it cannot be created", &error)),
        },
    }
}

#[cfg(unix)]
fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// NTFS journals its directory entries; there is nothing to sync.
#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps)]
fn sync_folder(_: &Path) -> std::io::Result<()> {
    Ok(())
}

/// Looks at the first bytes without SQLite, so that a file that is not ours is not so much as locked.
fn check_header(path: &Path) -> Result<()> {
    let mut head = Vec::with_capacity(100);
    File::open(path).and_then(|file| file.take(100).read_to_end(&mut head)).map_err(|error| {
        Error::new(Code::JournalCannotOpen, format!("the journal {} cannot be read", path.display()))
            .with_cause(chain(&error))
    })?;
    // Made, and the power went before its first transaction was whole: as good as new, or SQLite rolls it back to that.
    if head.is_empty() || head.iter().all(|byte| *byte == 0) && beside(path, "-journal").exists() {
        return Ok(());
    }
    let number = |at: usize| head.get(at..at + 4).map(|four| i32::from_be_bytes([four[0], four[1], four[2], four[3]]));
    let (Some(version), Some(application)) = (number(60), number(68)) else {
        return Err(foreign(path));
    };
    if !head.starts_with(b"SQLite format 3\0") {
        // Ours, with its first bytes overwritten, cannot be told from anybody's file.
        return Err(foreign(path));
    }
    if application != schema::APPLICATION_ID {
        return Err(foreign(path));
    }
    if version > schema::VERSION {
        return Err(newer(version));
    }
    Ok(())
}

/// A file of SQLite's beside the journal: `-wal`, the write-ahead log; `-journal`, what a transaction outside it overwrites,
/// which there is only while the journal is made.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn foreign(path: &Path) -> Error {
    Error::new(
        Code::JournalForeign,
        format!(
            "{} is not a journal of this library and was left untouched; name another file as journalPath, or restore the journal",
            path.display()
        ),
    )
}

fn newer(version: i32) -> Error {
    Error::new(
        Code::JournalNewer,
        format!(
            "the journal has version {version} and this library knows versions up to {}; it was left untouched. Install the newer library again",
            schema::VERSION
        ),
    )
}

fn connect(path: &Path) -> Result<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_PRIVATE_CACHE;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| failed(&error))?;
    connection.busy_timeout(LOCK_WAIT).map_err(|error| failed(&error))?;
    // SQLite falls back to reading where it may not write; a journal that cannot be written is none.
    if connection.is_readonly(MAIN_DB).map_err(|error| failed(&error))? {
        return Err(Error::of(Code::JournalReadOnly));
    }
    plan_once(&connection)?;
    Ok(connection)
}

/// Keeps SQLite from looking at the values of a query as it plans it. Our partial indexes give it a reason to,
/// and then it plans the query anew for each value: two thirds of a purchase's time in the journal.
fn plan_once(connection: &Connection) -> Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop).map_err(|error| failed(&error))
}

fn migrate(connection: &mut Connection) -> Result<()> {
    let step = |connection: &mut Connection| -> rusqlite::Result<Result<()>> {
        // Exclusive: two processes may open a new journal at the same instant.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
        let version: i32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version > schema::VERSION {
            return Ok(Err(newer(version)));
        }
        if version < schema::VERSION {
            for step in &schema::STEPS[usize::try_from(version).unwrap_or(0)..] {
                transaction.execute_batch(step)?;
            }
            transaction.pragma_update(None, "application_id", schema::APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", schema::VERSION)?;
            transaction.commit()?;
        }
        Ok(Ok(()))
    };
    step(connection).map_err(|error| failed(&error))?
}

/// A failure of SQLite as a code of the -6xx band.
fn failed(error: &rusqlite::Error) -> Error {
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

fn is_sync_failure(error: &rusqlite::Error) -> bool {
    matches!(extended_code(error), Some(ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC))
}

fn find(connection: &Connection, id: OperationId) -> Result<Option<Record>> {
    one(connection, "SELECT * FROM operation WHERE id = ?1", (id.uuid(),))
}

fn one(connection: &Connection, sql: &str, values: impl rusqlite::Params) -> Result<Option<Record>> {
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.query_row(values, record).optional())
        .map_err(|error| failed(&error))
}

fn many(connection: &Connection, sql: &str, values: impl rusqlite::Params) -> Result<Vec<Record>> {
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.query_map(values, record)?.collect())
        .map_err(|error| failed(&error))
}

fn candidates(connection: &Connection, order: &Order, reference: Option<&str>) -> Result<Candidates> {
    match order {
        Order::Purchase(order) => {
            let (contact, item) = (order.contact.uuid(), order.item.uuid());
            let by_reference =
                "SELECT * FROM operation WHERE kind = 'purchase' AND contact = ?1 AND item = ?2 AND reference = ?3";
            let unacknowledged = "SELECT * FROM operation
                 WHERE kind = 'purchase' AND contact = ?1 AND item = ?2 AND acknowledged_at IS NULL ORDER BY recorded_at, id";
            Ok(Candidates {
                by_id: find(connection, order.purchase)?,
                by_reference: match reference {
                    None => None,
                    Some(reference) => one(connection, by_reference, (contact, item, reference))?,
                },
                unacknowledged: many(connection, unacknowledged, (contact, item))?,
            })
        }
        Order::Redeem(order) => {
            let assignment = order.assignment.uuid();
            let by_reference = "SELECT * FROM operation WHERE kind = 'redeem' AND assignment = ?1 AND reference = ?2";
            let unacknowledged = "SELECT * FROM operation
                 WHERE kind = 'redeem' AND assignment = ?1 AND acknowledged_at IS NULL ORDER BY recorded_at, id";
            Ok(Candidates {
                by_id: None,
                by_reference: match reference {
                    None => None,
                    Some(reference) => one(connection, by_reference, (assignment, reference))?,
                },
                unacknowledged: many(connection, unacknowledged, (assignment,))?,
            })
        }
    }
}

/// A transaction that writes, rolled back unless it is committed. As `rusqlite`'s, but with its statements prepared once.
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
fn intend(
    connection: &Connection,
    order: &Order,
    reference: Option<&str>,
    decide: &impl Fn(Candidates) -> Result<Intention>,
) -> Result<Intention> {
    let transaction = Transaction::begin(connection).map_err(|error| failed(&error))?;
    let candidates = candidates(connection, order, reference)?;
    let intention = decide(candidates)?;
    if let Intention::Start(record) = &intention {
        let written = write(connection, record)?;
        debug_assert!(written, "nobody can have written between the read and the write of one transaction");
    }
    let Err(error) = transaction.commit() else { return Ok(intention) };
    // A commit whose write failed has left nothing; one whose sync failed is in the log, and a crash now would bring it back to life.
    // Writing something else in its place prevents that.
    if let Intention::Start(record) = intention
        && is_sync_failure(&error)
    {
        let withdrawn = Record { state: State::NotSent, code: Code::Journal, ..record };
        if write(connection, &withdrawn).is_err() {
            return Ok(Intention::Doubtful(withdrawn, failed(&error)));
        }
    }
    Err(failed(&error))
}

const INSERT: &str = "INSERT INTO operation
    (id, kind, contact, item, assignment, channel, reference, state, code, http_status, engage_code,
     attempts, recorded_at, quiet_until, next_at, rounds, asked_from, asked_until, doubt,
     rewards_before, settled_at, acknowledged_at, answer, revision)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,
            ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19,
            ?20, ?21, ?22, ?23, ?24)";

/// What an intent is about never changes. This is for a record that is also found by the same as before: each column that
/// is set, changed or not, is a page more to be written where an index has it.
const UPDATE: &str = "UPDATE operation SET state = ?8, code = ?9, http_status = ?10, engage_code = ?11,
    attempts = ?12, recorded_at = ?13, quiet_until = ?14, next_at = ?15, rounds = ?16, asked_from = ?17, asked_until = ?18, doubt = ?19,
    rewards_before = ?20, settled_at = ?21, answer = ?23, revision = ?24
    WHERE id = ?1 AND kind = ?2 AND contact IS ?3 AND item IS ?4 AND channel IS ?6 AND revision = ?24 - 1
          AND assignment IS ?5 AND reference IS ?7 AND acknowledged_at IS ?22";

/// For any other: a reward was found, it is acknowledged, or it is started again under another reference.
const UPDATE_ALL: &str = "UPDATE operation SET assignment = ?5, reference = ?7, state = ?8, code = ?9, http_status = ?10,
    engage_code = ?11, attempts = ?12, recorded_at = ?13, quiet_until = ?14, next_at = ?15, rounds = ?16, asked_from = ?17,
    asked_until = ?18, doubt = ?19, rewards_before = ?20, settled_at = ?21, acknowledged_at = ?22, answer = ?23, revision = ?24
    WHERE id = ?1 AND kind = ?2 AND contact IS ?3 AND item IS ?4 AND channel IS ?6 AND revision = ?24 - 1";

/// Inserts revision 1, or updates the revision before. False when that is not what the journal holds.
fn write(connection: &Connection, record: &Record) -> Result<bool> {
    match record.revision {
        1 => write_by(INSERT, connection, record),
        _ => Ok(write_by(UPDATE, connection, record)? || write_by(UPDATE_ALL, connection, record)?),
    }
}

fn write_by(sql: &str, connection: &Connection, record: &Record) -> Result<bool> {
    let (item, assignment, channel) = match record.order {
        Order::Purchase(order) => (Some(order.item), record.reward, None),
        Order::Redeem(order) => (None, Some(order.assignment), Some(order.channel.word())),
    };
    // By number: 24 names would be looked up twice a purchase.
    let written = connection.prepare_cached(sql).and_then(|mut statement| {
        statement.execute(params![
            record.id().uuid(),
            record.order.kind(),
            record.order.contact().map(ContactId::uuid),
            item.map(ItemId::uuid),
            assignment.map(AssignmentId::uuid),
            channel,
            record.reference,
            record.state.word(),
            record.code.number(),
            record.detail.http_status,
            record.detail.engage_code,
            record.detail.attempts,
            integer(record.recorded_at),
            integer(record.quiet_until),
            integer(record.next_at),
            record.rounds,
            record.asked.map(|(from, _)| integer(from)),
            record.asked.map(|(_, until)| integer(until)),
            record.doubt,
            record.rewards_before.as_deref().map(pack),
            record.settled_at.map(integer),
            record.acknowledged_at.map(integer),
            record.answer,
            integer(record.revision),
        ])
    });
    written.map(|rows| rows == 1).map_err(|error| failed(&error))
}

/// Ids one after the other, 16 bytes each.
fn pack(ids: &[AssignmentId]) -> Vec<u8> {
    ids.iter().flat_map(|id| id.uuid().into_bytes()).collect()
}

fn unpack(bytes: &[u8]) -> Vec<AssignmentId> {
    let (ids, _) = bytes.as_chunks::<16>();
    ids.iter().map(|id| AssignmentId::from_uuid(Uuid::from_bytes(*id))).collect()
}

fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    let word: String = row.get("state")?;
    let number: i32 = row.get("code")?;
    // A state or a code of a newer version is as unknown to us as the outcome: it is pending (invariant 4).
    let state = State::from_word(&word).unwrap_or(State::Unknown);
    let code = Code::from_number(number).unwrap_or(Code::Pending);
    let optional = |name: &str| row.get::<_, Option<i64>>(name).map(|time| time.map(natural));
    let assignment = row.get::<_, Option<Uuid>>("assignment")?.map(AssignmentId::from_uuid);
    let id = OperationId::from_uuid(row.get::<_, Uuid>("id")?);
    let (order, reward) = match (assignment, row.get::<_, Option<String>>("channel")?) {
        (Some(assignment), Some(channel)) => {
            let contact = row.get::<_, Option<Uuid>>("contact")?.map(ContactId::from_uuid);
            let channel = Channel::from_word(&channel).unwrap_or(Channel::Other);
            (Order::Redeem(RedeemOrder { operation: id, contact, assignment, channel }), None)
        }
        (reward, _) => {
            let contact = ContactId::from_uuid(row.get::<_, Uuid>("contact")?);
            let item = ItemId::from_uuid(row.get::<_, Uuid>("item")?);
            (Order::Purchase(PurchaseOrder { purchase: id, contact, item }), reward)
        }
    };
    Ok(Record {
        order,
        reference: row.get("reference")?,
        state,
        code,
        detail: Detail {
            http_status: row.get("http_status")?,
            engage_code: row.get("engage_code")?,
            attempts: row.get("attempts")?,
            retry_after_ms: None,
        },
        recorded_at: millis(row, "recorded_at")?,
        quiet_until: millis(row, "quiet_until")?,
        next_at: millis(row, "next_at")?,
        rounds: row.get("rounds")?,
        asked: optional("asked_from")?.zip(optional("asked_until")?),
        doubt: row.get("doubt")?,
        rewards_before: row.get::<_, Option<Vec<u8>>>("rewards_before")?.as_deref().map(unpack),
        reward,
        settled_at: optional("settled_at")?,
        acknowledged_at: optional("acknowledged_at")?,
        answer: row.get("answer")?,
        cause: Vec::new(),
        revision: millis(row, "revision")?,
    })
}

fn millis(row: &Row<'_>, column: impl rusqlite::RowIndex) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(natural)
}

/// SQLite's integers are signed; ours are times and counts.
fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn natural(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
