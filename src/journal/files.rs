//! The open files of each journal of this process, in one place: who may open them, who may write
//! next, and whether they are still the files on the disk.
//!
//! SQLite opens the journal beside this. Nothing else in the library opens or closes the journal's
//! files, because a closed descriptor drops SQLite's locks (see `os`). On Windows, where a lock
//! belongs to its handle, `file_id_at` does.

use super::failure::unsealed;
use super::paths::{self, beside};
use super::seal::Seal;
use crate::core::code::Code;
use crate::core::error::{Error, Result, chain};
use crate::os::{FileId, LockKind, ProcessFile, file_id, file_id_at, process_number, read_at, try_lock, unlock};
use crate::rt::{self, Instant, Mutex, MutexGuard};
use once_cell::sync::OnceCell;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, TryLockError, Weak};
use std::time::{Duration, SystemTime};

/// How long a lock of another thread or process is waited for. Writes take milliseconds.
pub(super) const LOCK_WAIT: Duration = Duration::from_secs(2);

/// SQLite's shared range (`SHARED_FIRST` and `SHARED_SIZE` of its os.h). While any lock is on it,
/// no SQLite becomes the last user of the journal and deletes the write-ahead log.
const SQLITE_SHARED: (u32, u32) = (0x4000_0002, 510);
/// SQLite's mark in the index that it is in use (`UNIX_SHM_DMS` of its os_unix.c). While any lock
/// is on it, no SQLite begins the index anew.
const SQLITE_INDEX_IN_USE: (u32, u32) = (128, 1);
/// Held while a process opens or closes the journal.
const OPENER: (u32, u32) = (0x4000_0400, 1);
/// Held while a process writes.
const WRITER: (u32, u32) = (0x4000_0401, 1);
/// One byte for each process, from here on.
const PROCESSES: (u32, u32) = (0x4001_0000, 0x3FFE_0000);

/// The size of the index that SQLite maps first.
const INDEX_BYTES: u64 = 32 << 10;

/// The open files of one journal. All its clients in this process share them.
pub(super) struct Files {
    pub path: PathBuf,
    pub seal_path: PathBuf,
    pub db: ProcessFile,
    seal: OnceCell<ProcessFile>,
    log: Mutex<Option<LogFiles>>,
    /// How the database file was when this process knew its content last.
    seen: Mutex<Option<(SystemTime, u64)>>,
    writing: Mutex<()>,
    /// The clients that have it open. Held while one of them opens or closes it.
    users: Mutex<usize>,
}

/// The write-ahead log and its index.
struct LogFiles {
    log: ProcessFile,
    index: ProcessFile,
    /// The largest size of the index so far. It never shrinks while it is in use.
    index_bytes: u64,
}

/// It is locked for moments only: a disk that hangs holds up nobody on another one.
struct Registry {
    /// The turn to open the files of a journal, by its path.
    turns: Vec<(PathBuf, Weak<Mutex<()>>)>,
    open: Vec<(FileId, Arc<Files>)>,
    /// Descriptors of journals that another copy of the library has open. To close one would drop
    /// the locks of that copy.
    parked: Vec<(FileId, ProcessFile)>,
}

static REGISTRY: Mutex<Registry> = Mutex::new(Registry { turns: Vec::new(), open: Vec::new(), parked: Vec::new() });

impl Registry {
    fn files(&self, key: FileId) -> Option<Arc<Files>> {
        self.open.iter().find(|(known, _)| *known == key).map(|(_, files)| files.clone())
    }
}

/// Returns the turn to open the files of a journal. While somebody has it, nobody else in this
/// process opens them or puts others in their place.
fn turn_of(path: &Path) -> Arc<Mutex<()>> {
    // The same folder by another name is the same place.
    let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
    let place = folder.zip(path.file_name()).map_or_else(|| path.to_owned(), |(folder, name)| folder.join(name));
    let mut registry = rt::lock(&REGISTRY);
    registry.turns.retain(|(_, turn)| turn.strong_count() > 0);
    let known = registry.turns.iter().find(|(known, _)| *known == place).and_then(|(_, turn)| turn.upgrade());
    known.unwrap_or_else(|| {
        let turn = Arc::default();
        registry.turns.push((place, Arc::downgrade(&turn)));
        turn
    })
}

/// One client's share in the files. They are closed with the last one.
pub(super) struct Shared {
    files: Arc<Files>,
    /// Whether it is one of the users.
    is_user: AtomicBool,
}

impl std::ops::Deref for Shared {
    type Target = Files;

    fn deref(&self) -> &Files {
        &self.files
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if self.is_user.load(Ordering::Relaxed) {
            *rt::lock(&self.files.users) -= 1;
        }
        // Under the registry's lock: nobody begins to share the files while they are closed.
        let mut registry = rt::lock(&REGISTRY);
        // The registry's and this one.
        if Arc::strong_count(&self.files) == 2 {
            registry.open.retain(|(_, files)| !Arc::ptr_eq(files, &self.files));
            self.files.release();
        }
    }
}

impl Shared {
    /// Opens the files of a journal, or shares those that this process has open. The journal and
    /// the seal are made where they are missing.
    pub fn open(path: &Path, seal_path: &Path) -> Result<Self> {
        let turn = turn_of(path);
        let _turn = rt::lock(&turn);
        paths::check(path, seal_path)?;
        let made = paths::create(path)?;
        let key = file_id_at(path).map_err(|error| unreadable(path, &error))?;
        // In a statement of its own, so that the registry is locked for a moment only.
        let known = rt::lock(&REGISTRY).files(key);
        if let Some(files) = known {
            if files.seal_path != seal_path {
                return Err(Error::new(
                    Code::BadConfig,
                    format!(
                        "config_json: sealPath is {} in another client of this journal; give the same one",
                        files.seal_path.display()
                    ),
                ));
            }
            return Ok(Self { files, is_user: AtomicBool::new(false) });
        }
        let parked = || {
            let mut registry = rt::lock(&REGISTRY);
            let at = registry.parked.iter().position(|(parked, _)| *parked == key)?;
            Some(registry.parked.swap_remove(at).1)
        };
        let db = match made.or_else(parked) {
            Some(file) => file,
            None => paths::open(path)?,
        };
        let key = file_id(&db).map_err(|error| unreadable(path, &error))?;
        if !try_lock(&db, LockKind::Exclusive, process_byte(), 1).map_err(|error| unreadable(path, &error))? {
            rt::lock(&REGISTRY).parked.push((key, db));
            return Err(Error::new(
                Code::JournalSecondCopy,
                format!(
                    "another copy of this library in this process has the journal {} open; load the library once, \
                     or give each copy a journal of its own",
                    path.display()
                ),
            ));
        }
        let files = Arc::new(Files {
            path: path.to_owned(),
            seal_path: seal_path.to_owned(),
            db,
            seal: OnceCell::new(),
            log: Mutex::default(),
            seen: Mutex::default(),
            writing: Mutex::default(),
            users: Mutex::default(),
        });
        rt::lock(&REGISTRY).open.push((key, files.clone()));
        Ok(Self { files, is_user: AtomicBool::new(false) })
    }
}

/// Puts a new journal in the place of another, whose files are moved aside. A kill leaves the rest
/// to the next call. Returns false if another process has put it in place.
pub(super) fn put_in_place(path: &Path, fresh: &Path) -> Result<bool> {
    // Nobody in this process opens the journal meanwhile.
    let turn = turn_of(path);
    let _turn = rt::lock(&turn);
    paths::check_file(fresh)?;
    let Some(file) = paths::open_to_move(fresh)? else { return Ok(false) };
    let key = file_id(&file).map_err(|error| unreadable(fresh, &error))?;
    // The lock of an opener, on the file that is going to be the journal.
    let until = Instant::now() + LOCK_WAIT;
    while !try_lock(&file, LockKind::Exclusive, OPENER.0, OPENER.1).map_err(|error| unreadable(fresh, &error))? {
        pause(until)?;
    }
    let id_at = |path: &Path| match file_id_at(path) {
        Ok(id) => Ok(Some(id)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(path, &error)),
    };
    if id_at(fresh)? != Some(key) {
        return Ok(false);
    }
    if let Some(key) = id_at(path)? {
        let is_open = rt::lock(&REGISTRY).files(key).is_some();
        let is_used = is_open || {
            let old = paths::open(path)?;
            let (first, count) = SQLITE_SHARED;
            !try_lock(&old, LockKind::Exclusive, first, count).map_err(|error| unreadable(path, &error))?
        };
        if is_used {
            return Err(super::failure::locked());
        }
    }
    paths::move_aside(path)?;
    let swap = || {
        std::fs::rename(fresh, path)?;
        paths::sync_folder(path)
    };
    swap().map_err(|error| {
        Error::new(Code::JournalCannotOpen, format!("the new journal {} cannot be put in place", path.display()))
            .with_cause(chain(&error))
    })?;
    Ok(true)
}

impl Shared {
    /// Becomes one of the users.
    pub fn join(&self, opening: &mut Opening<'_>) {
        *opening.users += 1;
        self.is_user.store(true, Ordering::Relaxed);
    }

    /// Is a user no longer. Returns whether it was the last one.
    pub fn leave(&self, opening: &mut Opening<'_>) -> bool {
        if self.is_user.swap(false, Ordering::Relaxed) {
            *opening.users -= 1;
        }
        *opening.users == 0
    }
}

fn process_byte() -> u32 {
    let (first, count) = PROCESSES;
    first + u32::try_from(process_number() % u64::from(count)).unwrap_or_default()
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    Error::new(Code::Journal, format!("the journal's file {} cannot be read", path.display())).with_cause(chain(error))
}

fn replaced(path: &Path, says: &str) -> Error {
    Error::new(
        Code::JournalReplaced,
        format!(
            "the journal's file {} {says} while it was open. Nothing was sent. Find the program that did it, put the \
             file back, and open the client again",
            path.display()
        ),
    )
}

/// The turn to write. No other thread and no other process with this library writes meanwhile.
pub(super) struct Turn<'a> {
    files: &'a Files,
    range: (u32, u32),
    _thread: MutexGuard<'a, ()>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        unlock(&self.files.db, self.range.0, self.range.1);
    }
}

/// The right to open or close the journal, and the number of clients that have it open.
pub(super) struct Opening<'a> {
    files: &'a Files,
    pub users: MutexGuard<'a, usize>,
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        unlock(&self.files.db, OPENER.0, OPENER.1);
    }
}

impl Files {
    /// Waits for the turn to write.
    pub fn writing(&self) -> Result<Turn<'_>> {
        let until = Instant::now() + LOCK_WAIT;
        let thread = lock_until(&self.writing, until)?;
        self.lock_until(WRITER, until)?;
        Ok(Turn { files: self, range: WRITER, _thread: thread })
    }

    /// Waits until no other thread or process opens or closes the journal.
    pub fn opening(&self) -> Result<Opening<'_>> {
        let until = Instant::now() + LOCK_WAIT;
        let users = lock_until(&self.users, until)?;
        self.lock_until(OPENER, until)?;
        Ok(Opening { files: self, users })
    }

    /// Returns the seal's file, which is made if it is missing.
    pub fn seal(&self) -> Result<&File> {
        let seal = self.seal.get_or_try_init(|| {
            if let Some(file) = paths::create(&self.seal_path)? {
                return Ok(file);
            }
            let file = paths::open(&self.seal_path)?;
            match Seal::is_foreign(&file).map_err(|error| unsealed(&self.seal_path, &error))? {
                false => Ok(file),
                true => Err(Error::new(
                    Code::JournalForeign,
                    format!(
                        "{} is not the seal of a journal and was left untouched; name another file as sealPath, or move \
                         that one away",
                        self.seal_path.display()
                    ),
                )),
            }
        });
        seal.map(|seal| &**seal)
    }

    /// Returns the seal, if there is one.
    pub fn existing_seal(&self) -> Result<Option<Seal>> {
        // A path that cannot be read does not make the journal a copy without a seal.
        if self.seal.get().is_none() && !paths::exists(&self.seal_path)? {
            return Ok(None);
        }
        Seal::read(self.seal()?).map_err(|error| unsealed(&self.seal_path, &error))
    }

    /// Whether the path still names the open database file.
    pub fn is_in_place(&self) -> bool {
        same_file(&self.path, &self.db).is_ok()
    }

    /// Whether no SQLite and no other process has the journal open.
    pub fn is_unused(&self) -> Result<bool> {
        let unused = try_lock(&self.db, LockKind::Exclusive, SQLITE_SHARED.0, SQLITE_SHARED.1)
            .map_err(|error| unreadable(&self.path, &error))?;
        unlock(&self.db, SQLITE_SHARED.0, SQLITE_SHARED.1);
        Ok(unused)
    }

    fn lock_until(&self, range: (u32, u32), until: Instant) -> Result<()> {
        loop {
            let taken = try_lock(&self.db, LockKind::Exclusive, range.0, range.1);
            if taken.map_err(|error| unreadable(&self.path, &error))? {
                return Ok(());
            }
            pause(until)?;
        }
    }

    /// Keeps every SQLite from deleting the write-ahead log or beginning its index anew, until
    /// [`Files::release`]. The journal is in use: both files exist.
    pub fn hold(&self) -> Result<()> {
        let mut held = rt::lock(&self.log);
        if held.is_none() {
            let (log, index) = (paths::open(&beside(&self.path, "-wal"))?, paths::open(&beside(&self.path, "-shm"))?);
            let lock = |file: &File, range: (u32, u32)| match try_lock(file, LockKind::Shared, range.0, range.1) {
                Ok(true) => Ok(()),
                Ok(false) => Err(Error::of(Code::JournalLocked)),
                Err(error) => Err(unreadable(&self.path, &error)),
            };
            lock(&self.db, SQLITE_SHARED)?;
            lock(&index, SQLITE_INDEX_IN_USE)?;
            *held = Some(LogFiles { log, index, index_bytes: INDEX_BYTES });
        }
        drop(held);
        self.content_is_known()
    }

    /// Lets go of the write-ahead log, so that SQLite may delete it. The descriptors stay open.
    pub fn let_go(&self) {
        unlock(&self.db, SQLITE_SHARED.0, SQLITE_SHARED.1);
        if let Some(files) = &*rt::lock(&self.log) {
            unlock(&files.index, SQLITE_INDEX_IN_USE.0, SQLITE_INDEX_IN_USE.1);
        }
    }

    /// Closes the write-ahead log and its index, which no connection of this process uses any more.
    pub fn close_wal(&self) {
        *rt::lock(&self.log) = None;
    }

    /// Gives every lock back: a forked child may keep the files open.
    fn release(&self) {
        self.let_go();
        unlock(&self.db, process_byte(), 1);
    }

    /// Returns whether the database file was changed by anybody else since its content was known.
    pub fn is_changed(&self) -> Result<bool> {
        Ok(*rt::lock(&self.seen) != Some(self.change()?))
    }

    /// Marks that the content of the database file is known: it was checked, or this process wrote
    /// it.
    pub fn content_is_known(&self) -> Result<()> {
        let change = self.change()?;
        *rt::lock(&self.seen) = Some(change);
        Ok(())
    }

    fn change(&self) -> Result<(SystemTime, u64)> {
        let about = self.db.metadata();
        about.and_then(|about| Ok((about.modified()?, about.len()))).map_err(|error| unreadable(&self.path, &error))
    }

    /// Checks that the files in use are those that the next start will open.
    pub fn check_paths(&self) -> Result<()> {
        same_file(&self.path, &self.db)?;
        if let Some(seal) = self.seal.get() {
            same_file(&self.seal_path, seal)?;
        }
        if let Some(files) = &*rt::lock(&self.log) {
            same_file(&beside(&self.path, "-wal"), &files.log)?;
            same_file(&beside(&self.path, "-shm"), &files.index)?;
        }
        Ok(())
    }

    /// Checks the paths, and that no file has become smaller: SQLite would write behind a gap, or
    /// read memory that is not there any more. The caller holds SQLite's lock for writing.
    pub fn check_in_use(&self) -> Result<()> {
        self.check_paths()?;
        let mut held = rt::lock(&self.log);
        let Some(files) = &mut *held else { return Ok(()) };
        let (log_path, index_path) = (beside(&self.path, "-wal"), beside(&self.path, "-shm"));
        let size = |path: &Path, file: &File| {
            file.metadata().map(|about| about.len()).map_err(|error| unreadable(path, &error))
        };
        let index_bytes = size(&index_path, &files.index)?;
        if index_bytes < files.index_bytes {
            files.index_bytes = u64::MAX;
            return Err(replaced(&index_path, "was cut"));
        }
        files.index_bytes = index_bytes;
        let in_use = LogInUse::read(&files.index).map_err(|error| unreadable(&index_path, &error))?;
        let Some(in_use) = in_use else { return Ok(()) };
        if size(&log_path, &files.log)? < in_use.bytes() {
            return Err(replaced(&log_path, "was cut"));
        }
        if in_use.frames > 0 {
            let mut salts = [0; 8];
            read_at(&files.log, &mut salts, 16).map_err(|error| unreadable(&log_path, &error))?;
            if salts != in_use.salts {
                return Err(replaced(&log_path, "was overwritten"));
            }
        }
        Ok(())
    }

    /// Checks that no memory that SQLite has mapped has lost its file. One that was cut stays so,
    /// whatever another program makes of it.
    pub fn check_index(&self) -> Result<()> {
        let mut held = rt::lock(&self.log);
        let Some(files) = &mut *held else { return Ok(()) };
        match files.index.metadata() {
            Ok(about) if about.len() >= files.index_bytes => Ok(()),
            Ok(_) => {
                files.index_bytes = u64::MAX;
                Err(replaced(&beside(&self.path, "-shm"), "was cut"))
            }
            Err(error) => Err(unreadable(&self.path, &error)),
        }
    }

    /// Whether memory that SQLite has mapped has lost its file. A failure to read the file's state
    /// is no loss.
    pub fn is_index_cut(&self) -> bool {
        self.check_index().is_err_and(|error| error.code() == Code::JournalReplaced)
    }

    /// Returns the size of the write-ahead log. It holds less after a checkpoint, but does not
    /// shrink.
    pub fn wal_bytes(&self) -> u64 {
        rt::lock(&self.log).as_ref().and_then(|files| files.log.metadata().ok()).map_or(0, |about| about.len())
    }
}

/// The part of the write-ahead log that is in use, from the header of its index
/// (<https://sqlite.org/walformat.html>, "The WAL-Index Header").
struct LogInUse {
    frames: u32,
    page_bytes: u32,
    /// As they stand in the header of the log.
    salts: [u8; 8],
}

impl LogInUse {
    /// None: no connection has used the log yet, or one changes the header now.
    fn read(index: &File) -> io::Result<Option<Self>> {
        let mut bytes = [0; 96];
        read_at(index, &mut bytes, 0)?;
        let (first, second) = bytes.split_at(48);
        if first != second || first[12] != 1 {
            return Ok(None);
        }
        let page = u16::from_ne_bytes([first[14], first[15]]);
        let mut salts = [0; 8];
        salts.copy_from_slice(&first[32..40]);
        Ok(Some(Self {
            frames: u32::from_ne_bytes([first[16], first[17], first[18], first[19]]),
            // 1 stands for 65536.
            page_bytes: if page == 1 { 65_536 } else { page.into() },
            salts,
        }))
    }

    fn bytes(&self) -> u64 {
        const LOG_HEADER: u64 = 32;
        const FRAME_HEADER: u64 = 24;
        match self.frames {
            0 => 0,
            frames => LOG_HEADER + u64::from(frames) * (FRAME_HEADER + u64::from(self.page_bytes)),
        }
    }
}

/// Checks that a path still names an open file.
fn same_file(path: &Path, file: &File) -> Result<()> {
    let open = file_id(file).map_err(|error| unreadable(path, &error))?;
    match file_id_at(path) {
        Ok(there) if there == open => Ok(()),
        Ok(_) => Err(replaced(path, "was replaced")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(replaced(path, "was moved or deleted")),
        Err(error) => Err(unreadable(path, &error)),
    }
}

fn lock_until<T>(mutex: &Mutex<T>, until: Instant) -> Result<MutexGuard<'_, T>> {
    loop {
        match mutex.try_lock() {
            Ok(guard) => return Ok(guard),
            Err(TryLockError::Poisoned(poisoned)) => return Ok(PoisonError::into_inner(poisoned)),
            Err(TryLockError::WouldBlock) => pause(until)?,
        }
    }
}

fn pause(until: Instant) -> Result<()> {
    if Instant::now() >= until {
        return Err(super::failure::locked());
    }
    std::thread::park_timeout(Duration::from_millis(1));
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::fs::OpenOptions;

    /// An open file of its own, as another process or another copy of the library has it.
    fn other(path: &Path) -> File {
        OpenOptions::new().read(true).write(true).open(path).unwrap()
    }

    fn is_free(path: &Path, range: (u32, u32)) -> bool {
        try_lock(&other(path), LockKind::Exclusive, range.0, range.1).unwrap()
    }

    fn place() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("points.db");
        let seal = beside(&path, "-seal");
        (folder, path, seal)
    }

    fn code<T>(result: Result<T>) -> Option<Code> {
        result.err().map(|error| error.code())
    }

    #[test]
    fn turn_is_that_of_the_place_and_lives_as_long_as_it_is_used() {
        let (folder, path, _) = place();
        let turn = turn_of(&path);
        let other_name = folder.path().join("..").join(folder.path().file_name().unwrap()).join("points.db");
        assert!(Arc::ptr_eq(&turn, &turn_of(&other_name)));
        assert!(!Arc::ptr_eq(&turn, &turn_of(&folder.path().join("other.db"))));
        let known = |path: &Path| rt::lock(&REGISTRY).turns.iter().any(|(known, _)| *known == path);
        let canonical = folder.path().canonicalize().unwrap().join("points.db");
        assert!(known(&canonical));
        drop(turn);
        drop(turn_of(&folder.path().join("third.db")));
        assert!(!known(&canonical));
    }

    #[test]
    fn second_copy_is_rejected_until_the_first_has_closed() {
        let (_folder, path, seal) = place();
        let first = Shared::open(&path, &seal).unwrap();
        assert!(process_byte() >= PROCESSES.0 && process_byte() < PROCESSES.0 + PROCESSES.1);
        assert!(!is_free(&path, (process_byte(), 1)));
        // The byte of another process is its own.
        assert!(is_free(&path, (process_byte() - 1, 1)) && is_free(&path, (process_byte() + 1, 1)));
        drop(first);
        let copy = other(&path);
        assert!(try_lock(&copy, LockKind::Exclusive, process_byte(), 1).unwrap());
        let key = file_id_at(&path).unwrap();
        let parked = || rt::lock(&REGISTRY).parked.iter().filter(|(parked, _)| *parked == key).count();
        for _ in 0..2 {
            assert_eq!(code(Shared::open(&path, &seal)), Some(Code::JournalSecondCopy));
            assert_eq!(parked(), 1);
        }
        // Of another journal nothing is parked, and nothing is taken.
        let (_other_folder, other_path, other_seal) = place();
        drop(Shared::open(&other_path, &other_seal).unwrap());
        assert_eq!(parked(), 1);
        unlock(&copy, process_byte(), 1);
        drop(Shared::open(&path, &seal).unwrap());
        assert_eq!(parked(), 0);
    }

    #[test]
    fn turns_to_write_and_to_open_are_given_back() {
        let (_folder, path, seal) = place();
        let shared = Shared::open(&path, &seal).unwrap();
        let again = Shared::open(&path, &seal).unwrap();
        assert!(Arc::ptr_eq(&shared.files, &again.files));
        assert_eq!(code(Shared::open(&path, &beside(&path, "2-seal"))), Some(Code::BadConfig));
        let (writing, mut opening) = (shared.writing().unwrap(), shared.opening().unwrap());
        assert!(!is_free(&path, WRITER) && !is_free(&path, OPENER));
        shared.join(&mut opening);
        again.join(&mut opening);
        assert!(!shared.leave(&mut opening) && *opening.users == 1);
        // Who has left once leaves no second time.
        assert!(!shared.leave(&mut opening));
        drop((writing, opening));
        assert!(is_free(&path, WRITER) && is_free(&path, OPENER));
        // A client that ends without leaving is no user any more.
        drop(again);
        let mut opening = shared.opening().unwrap();
        assert!(*opening.users == 0 && shared.leave(&mut opening));
    }

    #[test]
    fn turn_is_waited_for_until_another_process_has_given_it_back() {
        let (_folder, path, seal) = place();
        let shared = Shared::open(&path, &seal).unwrap();
        let holder = other(&path);
        assert!(try_lock(&holder, LockKind::Exclusive, WRITER.0, WRITER.1).unwrap());
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| shared.writing().map(drop));
            while shared.writing.try_lock().is_ok() {
                std::thread::yield_now();
            }
            unlock(&holder, WRITER.0, WRITER.1);
            waits.join().unwrap().unwrap();
        });
        for range in [WRITER, OPENER] {
            assert!(try_lock(&holder, LockKind::Exclusive, range.0, range.1).unwrap());
        }
        let began = Instant::now();
        std::thread::scope(|scope| {
            let writes = scope.spawn(|| (code(shared.writing()), began.elapsed()));
            let opens = scope.spawn(|| (code(shared.opening()), began.elapsed()));
            for (code, time) in [writes.join().unwrap(), opens.join().unwrap()] {
                assert!(code == Some(Code::JournalLocked) && time >= LOCK_WAIT, "{code:?} after {time:?}");
            }
        });
    }

    #[test]
    fn journal_is_unused_when_no_sqlite_has_it_open() {
        let (_folder, path, seal) = place();
        let shared = Shared::open(&path, &seal).unwrap();
        assert!(shared.is_unused().unwrap());
        let sqlite = other(&path);
        assert!(try_lock(&sqlite, LockKind::Shared, SQLITE_SHARED.0, 1).unwrap(), "the question holds nobody up");
        assert!(!shared.is_unused().unwrap());
        unlock(&sqlite, SQLITE_SHARED.0, 1);
        assert!(shared.is_unused().unwrap());
    }

    #[test]
    fn link_is_rejected_and_nothing_is_made() {
        let (folder, path, seal) = place();
        std::os::unix::fs::symlink(folder.path().join("target.db"), &seal).unwrap();
        assert_eq!(code(Shared::open(&path, &seal)), Some(Code::JournalUnsafe));
        assert!(!path.exists() && !folder.path().join("target.db").exists());
    }

    #[test]
    fn last_client_gives_all_locks_back() {
        let (_folder, path, seal) = place();
        let shared = Shared::open(&path, &seal).unwrap();
        // As a forked child that keeps the file open.
        let child = shared.db.try_clone().unwrap();
        for end in ["-wal", "-shm"] {
            std::fs::write(beside(&path, end), vec![0; 32 << 10]).unwrap();
        }
        let (index, own) = (beside(&path, "-shm"), (process_byte(), 1));
        shared.hold().unwrap();
        assert!(!is_free(&path, SQLITE_SHARED) && !is_free(&index, SQLITE_INDEX_IN_USE) && !is_free(&path, own));
        shared.let_go();
        assert!(is_free(&path, SQLITE_SHARED) && is_free(&index, SQLITE_INDEX_IN_USE));
        shared.close_wal();
        shared.hold().unwrap();
        drop(Shared::open(&path, &seal).unwrap());
        assert!(!is_free(&path, SQLITE_SHARED), "another client has it open");
        drop(shared);
        assert!(is_free(&path, SQLITE_SHARED) && is_free(&index, SQLITE_INDEX_IN_USE) && is_free(&path, own));
        drop(child);
        // From when the registry has forgotten them another client may open them anew, although
        // they are not closed yet.
        let shared = Shared::open(&path, &seal).unwrap();
        shared.hold().unwrap();
        let not_closed_yet = shared.files.clone();
        rt::lock(&REGISTRY).open.retain(|(_, files)| !Arc::ptr_eq(files, &not_closed_yet));
        drop(shared);
        assert!(is_free(&path, SQLITE_SHARED) && is_free(&index, SQLITE_INDEX_IN_USE) && is_free(&path, own));
    }

    #[test]
    fn changed_cut_and_replaced_files_are_noticed() {
        let (folder, path, seal) = place();
        let shared = Shared::open(&path, &seal).unwrap();
        shared.seal().unwrap();
        shared.content_is_known().unwrap();
        assert!(!shared.is_changed().unwrap() && shared.is_in_place());
        other(&path).set_len(1).unwrap();
        assert!(shared.is_changed().unwrap());
        for end in ["-wal", "-shm"] {
            std::fs::write(beside(&path, end), vec![0; 32 << 10]).unwrap();
        }
        assert_eq!(shared.wal_bytes(), 0);
        shared.hold().unwrap();
        assert_eq!(shared.wal_bytes(), 32 << 10);
        shared.check_paths().unwrap();
        for end in ["", "-seal", "-wal", "-shm"] {
            let (file, aside) = (beside(&path, end), beside(&path, "-aside"));
            std::fs::rename(&file, &aside).unwrap();
            assert_eq!(code(shared.check_paths()), Some(Code::JournalReplaced), "{end} is missing");
            std::fs::copy(&aside, &file).unwrap();
            assert_eq!(code(shared.check_paths()), Some(Code::JournalReplaced), "{end} is a copy");
            std::fs::rename(&aside, &file).unwrap();
            shared.check_paths().unwrap();
        }
        let aside = beside(&path, "-aside");
        std::fs::rename(&path, &aside).unwrap();
        assert!(code(shared.check_in_use()) == Some(Code::JournalReplaced) && !shared.is_in_place());
        std::fs::rename(&aside, &path).unwrap();
        assert!(shared.is_in_place());
        // A path that cannot be read says nothing of its file.
        let hidden = folder.path().with_extension("hidden");
        std::fs::rename(folder.path(), &hidden).unwrap();
        std::fs::write(folder.path(), "").unwrap();
        assert_eq!(code(shared.check_paths()), Some(Code::Journal));
        std::fs::remove_file(folder.path()).unwrap();
        std::fs::rename(&hidden, folder.path()).unwrap();
        other(&beside(&path, "-shm")).set_len(64 << 10).unwrap();
        shared.check_in_use().unwrap();
        other(&beside(&path, "-shm")).set_len(32 << 10).unwrap();
        assert!(shared.is_index_cut());
        // Memory that was cut stays so.
        other(&beside(&path, "-shm")).set_len(128 << 10).unwrap();
        assert!(shared.is_index_cut());
        assert_eq!(code(shared.check_in_use()), Some(Code::JournalReplaced));
    }

    /// Returns a journal whose log has a number of frames, and its files beside it.
    fn with_frames(frames: u32) -> (tempfile::TempDir, PathBuf, Shared) {
        let (folder, path, seal) = place();
        let shared = Shared::open(&path, &seal).unwrap();
        let mut header = [0; 48];
        header[12] = 1;
        header[14..16].copy_from_slice(&4096_u16.to_ne_bytes());
        header[16..20].copy_from_slice(&frames.to_ne_bytes());
        header[32..40].copy_from_slice(b"saltsalt");
        let mut index = [header, header].concat();
        index.resize(32 << 10, 0);
        std::fs::write(beside(&path, "-shm"), index).unwrap();
        std::fs::write(beside(&path, "-wal"), [&[0; 16], &b"saltsalt"[..], &[0; 5_000]].concat()).unwrap();
        shared.hold().unwrap();
        (folder, path, shared)
    }

    #[test]
    fn index_that_was_cut_stays_so_when_it_grows_again() {
        for by_write in [true, false] {
            let (_folder, path, shared) = with_frames(0);
            let index = other(&beside(&path, "-shm"));
            let check = || if by_write { shared.check_in_use() } else { shared.check_index() };
            check().unwrap();
            index.set_len((32 << 10) - 1).unwrap();
            assert_eq!(code(check()), Some(Code::JournalReplaced));
            index.set_len(64 << 10).unwrap();
            assert_eq!(code(check()), Some(Code::JournalReplaced));
        }
    }

    #[test]
    fn log_that_was_cut_or_overwritten_is_noticed_at_one_frame() {
        let (_folder, path, shared) = with_frames(1);
        let log = other(&beside(&path, "-wal"));
        shared.check_in_use().unwrap();
        log.set_len(32 + 24 + 4_096 - 1).unwrap();
        assert_eq!(code(shared.check_in_use()), Some(Code::JournalReplaced));
        log.set_len(5_000).unwrap();
        shared.check_in_use().unwrap();
        crate::os::write_at(&log, b"other", 16).unwrap();
        assert_eq!(code(shared.check_in_use()), Some(Code::JournalReplaced));
        // What is not in use may begin anew.
        let (_folder, path, shared) = with_frames(0);
        other(&beside(&path, "-wal")).set_len(0).unwrap();
        shared.check_in_use().unwrap();
    }

    #[test]
    fn part_of_the_log_in_use_is_read_from_its_index() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index");
        let read = |header: &[u8; 48], second: &[u8; 48]| {
            std::fs::write(&path, [&header[..], second].concat()).unwrap();
            LogInUse::read(&File::open(&path).unwrap()).unwrap()
        };
        let mut header = [0; 48];
        assert!(read(&header, &header).is_none(), "no connection has begun it");
        header[12] = 1;
        header[14..16].copy_from_slice(&4096_u16.to_ne_bytes());
        header[16..20].copy_from_slice(&3_u32.to_ne_bytes());
        header[32..40].copy_from_slice(b"saltsalt");
        let in_use = read(&header, &header).unwrap();
        assert_eq!((in_use.frames, in_use.page_bytes, &in_use.salts), (3, 4096, b"saltsalt"));
        assert_eq!(in_use.bytes(), 32 + 3 * (24 + 4096));
        let mut long = header;
        long[16..20].copy_from_slice(&0x0403_0201_u32.to_ne_bytes());
        assert_eq!(read(&long, &long).unwrap().frames, 0x0403_0201);
        assert!(read(&header, &[0; 48]).is_none(), "a connection changes it");
        header[14..16].copy_from_slice(&1_u16.to_ne_bytes());
        assert_eq!(read(&header, &header).unwrap().bytes(), 32 + 3 * (24 + 65_536));
        header[16..20].copy_from_slice(&0_u32.to_ne_bytes());
        assert_eq!(read(&header, &header).unwrap().bytes(), 0);
    }

    #[test]
    fn new_journal_takes_the_place_of_one_that_nobody_uses() {
        let (folder, path, seal) = place();
        let fresh = beside(&path, "-restored");
        assert!(!put_in_place(&path, &fresh).unwrap(), "another process has put it in place");
        std::fs::write(&path, "old").unwrap();
        let write = || {
            let mut options = OpenOptions::new();
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            std::io::Write::write_all(
                &mut options.write(true).create(true).truncate(true).open(&fresh).unwrap(),
                b"new",
            )
            .unwrap();
        };
        write();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let shared = Shared::open(&path, &seal).unwrap();
        assert_eq!(code(put_in_place(&path, &fresh)), Some(Code::JournalLocked), "this process has it open");
        drop(shared);
        let sqlite = other(&path);
        assert!(try_lock(&sqlite, LockKind::Shared, SQLITE_SHARED.0, 1).unwrap());
        assert_eq!(code(put_in_place(&path, &fresh)), Some(Code::JournalLocked), "an SQLite has it open");
        drop(sqlite);
        let opener = other(&fresh);
        assert!(try_lock(&opener, LockKind::Exclusive, OPENER.0, OPENER.1).unwrap());
        let began = Instant::now();
        assert_eq!(code(put_in_place(&path, &fresh)), Some(Code::JournalLocked), "another process opens it");
        assert!(began.elapsed() >= LOCK_WAIT);
        drop(opener);
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        std::fs::write(beside(&path, "-wal"), "log").unwrap();
        assert!(put_in_place(&path, &fresh).unwrap());
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert!(!beside(&path, "-wal").exists() && !fresh.exists());
        let aside = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(aside.filter(|name| name.to_string_lossy().contains("-damaged-")).count(), 2);
        // A link is never followed.
        std::fs::rename(&path, beside(&path, "-target")).unwrap();
        std::os::unix::fs::symlink(beside(&path, "-target"), &fresh).unwrap();
        assert_eq!(code(put_in_place(&path, &fresh)), Some(Code::JournalUnsafe));
    }
}
