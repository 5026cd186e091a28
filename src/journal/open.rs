//! Makes and opens the journal's file, and gives the connections to it. A file that is not ours, or
//! a newer version's, is not touched.

use super::failure::failed;
use super::schema;
use crate::core::code::Code;
use crate::core::error::{Error, Result, chain};
use crate::core::intent::Durability;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, MAIN_DB, OpenFlags, TransactionBehavior};
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long another process may hold the journal locked before a call gives up. Writes take
/// milliseconds.
const LOCK_WAIT: Duration = Duration::from_secs(2);

/// The one connection that writes: of two, each would read again from the file what the other has
/// changed.
pub(super) struct Writer {
    pub connection: Connection,
    durability: Durability,
}

impl Writer {
    pub fn in_memory() -> Result<Self> {
        let mut connection = Connection::open_in_memory().map_err(|error| failed(&error))?;
        plan_once(&connection)?;
        migrate(&mut connection)?;
        Ok(Self { connection, durability: Durability::Synced })
    }

    /// To a journal that is there already, and of this version.
    pub fn again(path: &Path) -> Result<Self> {
        Self::into_wal(connect(path)?, path)
    }

    /// From now on a commit promises this.
    pub fn promise(&mut self, durability: Durability) -> Result<()> {
        if self.durability != durability {
            // Never prepared in advance: preparing it already changes the setting.
            let pragma = match durability {
                Durability::Synced => "PRAGMA synchronous = FULL",
                Durability::Buffered => "PRAGMA synchronous = NORMAL",
            };
            self.connection.execute_batch(pragma).map_err(|error| failed(&error))?;
            self.durability = durability;
        }
        Ok(())
    }

    /// Sets a connection up for writing to a write-ahead log.
    fn into_wal(connection: Connection, path: &Path) -> Result<Self> {
        // SQLite does not wait for a lock when it changes the mode, and another process may be
        // opening the same new journal.
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
        keep_wal(&connection)?;
        Ok(Self { connection, durability: Durability::Synced })
    }
}

/// Opens the journal and brings it to this version: the connection that writes, and one that only
/// reads.
pub(super) fn open(path: &Path) -> Result<(Writer, Connection)> {
    create(path)?;
    check_header(path)?;
    let mut first = connect(path)?;
    migrate(&mut first)?;
    let writer = Writer::into_wal(first, path)?;
    let reader = connect(path)?;
    keep_wal(&reader)?;
    Ok((writer, reader))
}

/// How large the write-ahead log is. It does not shrink, so what is in it may be less.
pub(super) fn wal_bytes(path: &Path) -> u64 {
    std::fs::metadata(beside(path, "-wal")).map_or(0, |file| file.len())
}

/// The write-ahead log is not moved by whoever closes last, and is kept grown: appending to a file
/// of fixed size needs one disk write less.
fn keep_wal(connection: &Connection) -> Result<()> {
    let set = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    set.map(drop).map_err(|error| failed(&error))
}

/// Makes the file, private to the user, and its directory entry durable. An existing file is not
/// touched. On Windows its folder's permissions decide, for this file as for those that SQLite puts
/// beside it (docs/targets.md).
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

/// Looks at the first bytes without SQLite, so that a file that is not ours is not so much as
/// locked.
fn check_header(path: &Path) -> Result<()> {
    let mut head = Vec::with_capacity(100);
    File::open(path).and_then(|file| file.take(100).read_to_end(&mut head)).map_err(|error| {
        Error::new(Code::JournalCannotOpen, format!("the journal {} cannot be read", path.display()))
            .with_cause(chain(&error))
    })?;
    // Made, and the power went before its first transaction was whole: as good as new, or SQLite
    // rolls it back to that.
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

/// A file of SQLite's beside the journal: `-wal`, the write-ahead log; `-journal`, what a
/// transaction outside it overwrites, which there is only while the journal is made.
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
    // SQLite falls back to reading where it may not write; a journal that cannot be written is
    // none.
    if connection.is_readonly(MAIN_DB).map_err(|error| failed(&error))? {
        return Err(Error::of(Code::JournalReadOnly));
    }
    plan_once(&connection)?;
    Ok(connection)
}

/// Keeps SQLite from looking at the values of a query as it plans it. Our partial indexes give it a
/// reason to, and then it plans the query anew for each value: two thirds of a purchase's time in
/// the journal.
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
