//! A copy of the journal in one file, made while the journal is in use. The copy is marked, so that
//! it is never used as a live journal by accident. Its path never names half a copy: the copy is
//! made beside it and renamed.

use super::checksums;
use super::connection::{connect, keep_wal};
use super::failure::failed;
use super::files::Files;
use super::io_thread::IoThread;
use super::paths::{self, beside};
use super::state::State;
use crate::core::code::Code;
use crate::core::error::{Error, Result, chain};
use crate::rt::{self, Mutex};
use rusqlite::{Connection, InterruptHandle, OpenFlags, Transaction, TransactionBehavior};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// What was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Backup {
    /// The size of the copy.
    pub bytes: u64,
    /// The records in it.
    pub operations: u64,
}

/// The content of a file whose name is taken and whose copy is not whole yet. No SQLite and no
/// journal begins like this.
const UNFINISHED: &[u8] = b"This copy of a journal of engage_point_shop was not finished. Delete it.\n";

/// How far a copy is.
enum Progress {
    Begins,
    Copies(InterruptHandle),
    /// Its caller has left, so that nobody learns of it.
    Left,
    Ended(Result<Backup>),
}

/// Makes a copy on a helper's thread, and waits for it at most `limit`. A copy that is not whole by
/// then is deleted as soon as the disk lets that be done.
pub(super) fn make_within(
    helper: &IoThread,
    limit: Duration,
    path: &Path,
    copy: impl FnOnce(&dyn Fn(&Connection) -> Result<()>) -> Result<Backup> + Send + 'static,
) -> Result<Backup> {
    let progress = Arc::new(Mutex::new(Progress::Begins));
    let (of_work, made) = (progress.clone(), path.to_owned());
    let waited = helper.call(limit, move || {
        let begin = |connection: &Connection| {
            let mut progress = rt::lock(&of_work);
            if matches!(*progress, Progress::Left) {
                return Err(Error::of(Code::Cancelled));
            }
            *progress = Progress::Copies(connection.get_interrupt_handle());
            Ok(())
        };
        let result = copy(&begin);
        let mut progress = rt::lock(&of_work);
        if matches!(*progress, Progress::Left) {
            if result.is_ok() {
                let _ = std::fs::remove_file(made);
            }
        } else {
            *progress = Progress::Ended(result);
        }
    });
    let mut progress = rt::lock(&progress);
    match (std::mem::replace(&mut *progress, Progress::Left), waited) {
        (Progress::Ended(result), _) => result,
        (before, Err(error)) => {
            if let Progress::Copies(handle) = before {
                handle.interrupt();
            }
            Err(error)
        }
        (_, Ok(())) => Err(Error::of(Code::Internal)),
    }
}

/// Copies an open journal into a new file. `begin` is called before the long part, and ends the
/// copy if its caller has left.
pub(super) fn make(files: &Files, path: &Path, begin: impl Fn(&Connection) -> Result<()>) -> Result<Backup> {
    check_name(path)?;
    let rejected = |error: Error| {
        Error::new(error.code(), format!("the copy {} cannot be made: {}", path.display(), error.message()))
            .with_cause(error.cause().to_vec())
    };
    paths::check(path, &beside(path, "-seal")).map_err(rejected)?;
    // SQLite would take it for a part of the copy.
    if let Some(stray) =
        ["-wal", "-journal"].iter().map(|end| beside(path, end)).find(|file| std::fs::symlink_metadata(file).is_ok())
    {
        return Err(Error::new(
            Code::JournalCannotOpen,
            format!("{} lies beside the place of the copy; name another file", stray.display()),
        ));
    }
    let Some(reserved) = paths::create(path).map_err(rejected)? else {
        return Err(Error::new(
            Code::JournalCannotOpen,
            format!("the copy {} exists already and was left untouched; name a new file", path.display()),
        ));
    };
    let part = beside(path, "-part");
    let run = || {
        (&*reserved).write_all(UNFINISHED).map_err(|error| undurable(path, &error))?;
        drop(reserved);
        // The copy is of the files that the next start will open.
        files.check_index()?;
        files.check_paths()?;
        let connection = connect(&files.path)?;
        keep_wal(&connection, true)?;
        begin(&connection)?;
        // Of an earlier copy to the same path that a crash has ended.
        let _ = std::fs::remove_file(&part);
        if paths::create(&part).map_err(rejected)?.is_none() {
            return Err(Error::new(Code::JournalCannotOpen, format!("{} cannot be replaced", part.display())));
        }
        let operations = copy(&connection, &part)?;
        let bytes = paths::publish(&part, path).map_err(|error| undurable(path, &error))?;
        Ok(Backup { bytes, operations })
    };
    let made = run();
    if made.is_err() {
        // Both were made by this call, and neither is a whole copy.
        for file in [&part, path] {
            let _ = std::fs::remove_file(file);
        }
    }
    made
}

/// The ends of the names of files beside a journal.
const BESIDE: [&str; 7] = ["-wal", "-shm", "-journal", "-seal", "-part", "-restoring", "-restored"];

/// Rejects a path that SQLite or this library would take for a file beside a journal.
fn check_name(path: &Path) -> Result<()> {
    let is_moved_aside = path.file_name().is_some_and(|name| name.to_string_lossy().contains("-damaged-"));
    let says = match path.to_str() {
        None => return Err(Error::new(Code::BadUtf8, "path is not valid UTF-8")),
        Some(_) if !path.is_absolute() => "must be absolute",
        Some(name) if is_moved_aside || BESIDE.iter().any(|end| name.ends_with(end)) => {
            "is the name of a file beside a journal; end it with .db"
        }
        Some(_) => return Ok(()),
    };
    Err(Error::new(Code::JournalCannotOpen, format!("path {} of the copy {says}", path.display())))
}

/// Copies the content, marks the copy, and proves that it is whole. Returns the number of records.
fn copy(connection: &Connection, part: &Path) -> Result<u64> {
    let name = part.to_str().ok_or_else(|| Error::new(Code::BadUtf8, "path is not valid UTF-8"))?;
    let run = || {
        connection.execute("VACUUM INTO ?1", (name,))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let copy = Connection::open_with_flags(part, flags)?;
        // No file beside it, which a kill would leave.
        copy.pragma_update(None, "journal_mode", "MEMORY")?;
        let transaction = Transaction::new_unchecked(&copy, TransactionBehavior::Immediate)?;
        let state = State::read(&transaction)?;
        let records = checksums::verify(&transaction)?;
        let whole = state
            .filter(|state| records.damaged.is_empty() && (records.count, records.sum) == (state.records, state.sum));
        let Some(state) = whole else { return Ok(None) };
        let state = State { is_copy: true, closed: true, ..state };
        state.write(&transaction)?;
        transaction.commit()?;
        copy.close().map_err(|(_, error)| error)?;
        Ok(Some(state.records))
    };
    run().map_err(|error| failed(&error))?.ok_or_else(|| {
        let message = "the journal has damaged records, so that no copy was made; close the client and open it again, \
                       which reports what can be read";
        Error::new(Code::JournalDamaged, message)
    })
}

fn undurable(path: &Path, error: &std::io::Error) -> Error {
    let code = match error.kind() {
        std::io::ErrorKind::StorageFull => Code::JournalFull,
        _ => Code::Journal,
    };
    Error::new(code, format!("the copy {} cannot be made durable", path.display())).with_cause(chain(error))
}

#[cfg(test)]
mod tests {
    use super::{Backup, UNFINISHED, check_name, make, make_within};
    use crate::core::code::Code;
    use crate::core::error::{Error, Result};
    use crate::core::intent::Durability;
    use crate::journal::io_thread::IoThread;
    use crate::journal::tests::{open_at as open, purchase};
    use rusqlite::Connection;
    use std::path::Path;
    use std::sync::{Arc, mpsc};
    use std::time::Duration;

    /// Makes a copy whose caller leaves once it has begun.
    fn left(
        helper: &Arc<IoThread>,
        path: &Path,
        copy: impl FnOnce(&dyn Fn(&Connection) -> Result<()>) -> Result<Backup> + Send + 'static,
    ) {
        let (begins, wait) = mpsc::channel();
        let (caller, path) = (helper.clone(), path.to_owned());
        let caller = std::thread::spawn(move || {
            let copy = move |begin: &dyn Fn(&Connection) -> Result<()>| {
                copy(&|connection| begin(connection).inspect(|()| begins.send(()).unwrap()))
            };
            make_within(&caller, Duration::from_secs(60), &path, copy).unwrap_err().code()
        });
        wait.recv().unwrap();
        helper.cancel();
        assert_eq!(caller.join().unwrap(), Code::Cancelled);
    }

    #[test]
    fn copy_whose_caller_has_left_is_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("copy.db");
        let helper = Arc::new(IoThread::new("eps-test"));
        let (release, held) = mpsc::channel::<()>();
        let made = path.clone();
        left(&helper, &path, move |begin| {
            let connection = Connection::open_in_memory().unwrap();
            begin(&connection)?;
            held.recv().unwrap();
            assert_eq!(begin(&connection).unwrap_err().code(), Code::Cancelled);
            std::fs::write(&made, "a copy").unwrap();
            Ok(Backup { bytes: 6, operations: 0 })
        });
        release.send(()).unwrap();
        // The helper does one job after the other.
        helper.call(Duration::from_secs(60), || ()).unwrap();
        assert!(!path.exists());
        let made = make_within(&helper, Duration::from_secs(60), &path, |_| Ok(Backup { bytes: 6, operations: 0 }));
        assert_eq!(made.unwrap().bytes, 6);
    }

    #[test]
    fn copy_under_way_ends_when_its_caller_leaves() {
        let folder = tempfile::tempdir().unwrap();
        let helper = IoThread::new("eps-test");
        let code = loop {
            let (ended, ends) = mpsc::channel();
            let left = make_within(&helper, Duration::from_millis(200), &folder.path().join("copy.db"), move |begin| {
                let connection = Connection::open_in_memory().unwrap();
                begin(&connection)?;
                // It ends by the interrupt only.
                let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";
                let read = connection.query_row(endless, (), |row| row.get::<_, i64>(0));
                ended.send(read.unwrap_err().sqlite_error_code()).unwrap();
                Err(Error::of(Code::Cancelled))
            });
            assert_eq!(left.unwrap_err().code(), Code::JournalTimedOut);
            // On a busy machine the wait may end before the copy begins.
            if let Ok(code) = ends.recv() {
                break code;
            }
        };
        assert_eq!(code, Some(rusqlite::ErrorCode::OperationInterrupted));
    }

    #[test]
    fn half_a_copy_says_so_and_replaced_files_are_not_copied() {
        let folder = tempfile::tempdir().unwrap();
        let (path, copy) = (folder.path().join("points.db"), folder.path().join("copy.db"));
        let journal = open(&path, "").unwrap();
        assert!(journal.save(&purchase(), Durability::Synced).unwrap());
        let files = journal.content.files.as_ref().unwrap();
        let left = make(files, &copy, |_| {
            assert_eq!(std::fs::read(&copy).unwrap(), UNFINISHED);
            Err(Error::of(Code::Cancelled))
        });
        assert!(left.unwrap_err().code() == Code::Cancelled && !copy.exists());
        // Windows moves no file that is open.
        let ends = if cfg!(windows) { &[][..] } else { &["", "-wal", "-shm", "-seal"] };
        for end in ends {
            let (file, aside) = (super::beside(&path, end), folder.path().join("aside"));
            std::fs::rename(&file, &aside).unwrap();
            std::fs::copy(&aside, &file).unwrap();
            assert_eq!(journal.backup(&copy).unwrap_err().code(), Code::JournalReplaced, "{end}");
            std::fs::rename(&aside, &file).unwrap();
        }
        assert!(!copy.exists());
        assert_eq!(journal.backup(&copy).unwrap().operations, 1);
        journal.close();
    }

    /// Windows cuts no file that is mapped into memory.
    #[cfg(unix)]
    #[test]
    fn no_copy_is_made_of_a_journal_whose_index_was_cut() {
        let folder = tempfile::tempdir().unwrap();
        let (path, copy) = (folder.path().join("points.db"), folder.path().join("copy.db"));
        let journal = open(&path, "").unwrap();
        assert!(journal.save(&purchase(), Durability::Synced).unwrap());
        // SQLite would read memory that is not there any more, which ends the process.
        std::fs::OpenOptions::new().write(true).open(super::beside(&path, "-shm")).unwrap().set_len(0).unwrap();
        assert_eq!(journal.backup(&copy).unwrap_err().code(), Code::JournalReplaced);
        assert!(!copy.exists() && !folder.path().join("copy.db-part").exists());
    }

    #[test]
    fn name_of_a_copy_is_absolute_and_not_that_of_a_file_beside() {
        let drive = if cfg!(windows) { "C:" } else { "" };
        for (name, is_good) in [("/a/copy.db", true), ("/", true), ("copy.db", false), ("/a/x-damaged-1", false)] {
            let name = if is_good { format!("{drive}{name}") } else { name.to_owned() };
            assert_eq!(check_name(Path::new(&name)).is_ok(), is_good, "{name}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn copy_is_rejected_in_a_folder_of_everybody() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let journal = open(&folder.path().join("points.db"), "").unwrap();
        let open_folder = folder.path().join("open");
        std::fs::create_dir(&open_folder).unwrap();
        std::fs::set_permissions(&open_folder, PermissionsExt::from_mode(0o777)).unwrap();
        let error = journal.backup(&open_folder.join("copy.db")).unwrap_err();
        assert!(error.code() == Code::JournalUnsafe && error.message().starts_with("the copy "), "{error:?}");
        assert_eq!(std::fs::read_dir(&open_folder).unwrap().count(), 0);
    }

    #[test]
    fn copy_is_rejected_where_it_would_harm() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("points.db");
        let journal = open(&path, "").unwrap();
        std::fs::write(folder.path().join("stray.db-journal"), "x").unwrap();
        let before = std::fs::read_dir(folder.path()).unwrap().count();
        for name in [
            "points.db",
            "points.db-journal",
            "points.db-wal",
            "points.db-seal",
            "points.db-restored",
            "points.db-restoring",
            "points.db-damaged-20260101T000000Z",
            "copy-part",
            "stray.db",
            "no/c",
        ] {
            let error = journal.backup(&folder.path().join(name)).unwrap_err();
            assert_eq!(error.code(), Code::JournalCannotOpen, "{name}: {error:?}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), before);
        assert!(journal.save(&purchase(), Durability::Synced).unwrap());
    }

    #[test]
    fn damaged_record_prevents_a_copy() {
        let folder = tempfile::tempdir().unwrap();
        let (path, copy) = (folder.path().join("points.db"), folder.path().join("copy.db"));
        let journal = open(&path, "").unwrap();
        assert!(journal.save(&purchase(), Durability::Synced).unwrap());
        let other = rusqlite::Connection::open(&path).unwrap();
        assert_eq!(other.execute("UPDATE operation SET attempts = 9", ()).unwrap(), 1);
        drop(other);
        assert_eq!(journal.backup(&copy).unwrap_err().code(), Code::JournalDamaged);
        assert!(!copy.exists() && !folder.path().join("copy.db-part").exists());
    }

    #[test]
    fn backup_is_one_marked_file_that_overwrites_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (path, copy) = (folder.path().join("points.db"), folder.path().join("copy.db"));
        let journal = open(&path, "").unwrap();
        assert!(journal.save(&purchase(), Durability::Synced).unwrap());
        let backup = journal.backup(&copy).unwrap();
        assert_eq!((backup.operations, backup.bytes), (1, std::fs::metadata(&copy).unwrap().len()));
        assert_eq!(journal.backup(&copy).unwrap_err().code(), Code::JournalCannotOpen);
        assert_eq!(journal.backup(Path::new("copy.db")).unwrap_err().code(), Code::JournalCannotOpen);
        assert!(journal.save(&purchase(), Durability::Synced).unwrap());
        journal.close();

        assert_eq!(open(&copy, "").map(drop).unwrap_err().code(), Code::JournalCopy);
        let reader = open(&copy, r#","journalRole":"copy""#).unwrap();
        assert_eq!(reader.unacknowledged().unwrap().len(), 1);
        assert_eq!(reader.pending(None).unwrap(), []);
        assert_eq!(reader.save(&purchase(), Durability::Synced).unwrap_err().code(), Code::JournalCopy);
        reader.close();
        let live = open(&copy, r#","journalRole":"takeOver""#).unwrap();
        assert!(live.incomplete_before().is_some());
        assert_eq!(live.pending(None).unwrap().len(), 1);
        assert!(live.save(&purchase(), Durability::Synced).unwrap());
        live.close();
        assert_eq!(open(&copy, "").unwrap().unacknowledged().unwrap().len(), 2);
        assert_eq!(open(&path, "").unwrap().unacknowledged().unwrap().len(), 2);
    }
}
