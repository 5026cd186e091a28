//! The checks of a journal's path and files before anything opens them: a file that is not a plain
//! file of this user's is rejected, and never waited for.

use super::time_text;
use crate::core::code::Code;
use crate::core::error::{Error, Result, chain};
use crate::os::ProcessFile;
use crate::rt;
use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};

/// Returns the path of a file beside the journal: `-wal`, the write-ahead log; `-shm`, its index;
/// `-seal`; `-journal`, which exists only while the journal is made.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Checks the journal's folder, the journal and the files beside it.
pub(super) fn check(path: &Path, seal: &Path) -> Result<()> {
    for file in [path, seal] {
        check_name(file)?;
    }
    check_folder(path)?;
    for file in [path.to_path_buf(), beside(path, "-wal"), beside(path, "-shm"), beside(path, "-journal"), seal.into()]
    {
        check_file(&file)?;
    }
    Ok(())
}

/// Checks that a path names no device of Windows.
pub(super) fn check_name(path: &Path) -> Result<()> {
    if cfg!(windows) && is_device(path) {
        return Err(rejected(path, "is a device's name; name a file"));
    }
    Ok(())
}

/// Whether Windows takes a path for a device in any folder: `COM1.db` is the serial port.
fn is_device(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_uppercase();
    let stem = name.split(['.', ':']).next().unwrap_or_default().trim_end();
    let numbered = |prefix: &str| {
        stem.strip_prefix(prefix).is_some_and(|rest| {
            let mut digits = rest.chars();
            matches!((digits.next(), digits.next()), (Some('0'..='9' | '¹' | '²' | '³'), None))
        })
    };
    matches!(stem, "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$") || numbered("COM") || numbered("LPT")
}

fn rejected(path: &Path, says: &str) -> Error {
    Error::new(Code::JournalUnsafe, format!("the journal's file {} {says}", path.display()))
}

fn cannot(path: &Path, says: &str, error: &io::Error) -> Error {
    Error::new(Code::JournalCannotOpen, format!("the journal {} cannot be opened: {says}", path.display()))
        .with_cause(chain(error))
}

#[cfg(unix)]
fn check_folder(path: &Path) -> Result<()> {
    use std::os::unix::fs::MetadataExt;

    let folder = path.parent().unwrap_or(Path::new("/"));
    // A missing folder is reported when the file is made.
    let Ok(about) = std::fs::metadata(folder) else { return Ok(()) };
    if about.mode() & 0o1002 == 0o002 {
        let says = "lies in a folder in which every user may replace it; take the others' permission to write \
                    from the folder (chmod o-w)";
        return Err(rejected(path, says));
    }
    Ok(())
}

#[cfg(unix)]
pub(super) fn check_file(path: &Path) -> Result<()> {
    use std::os::unix::fs::MetadataExt;

    // A failure is reported by the open, with its reason.
    let Ok(about) = std::fs::symlink_metadata(path) else { return Ok(()) };
    if about.is_dir() {
        return Err(Error::new(
            Code::JournalCannotOpen,
            format!("the journal {} is a folder; journalPath must name a file", path.display()),
        ));
    }
    if about.file_type().is_symlink() {
        return Err(rejected(path, "is a symbolic link; name the file itself"));
    }
    if !about.is_file() {
        return Err(rejected(path, "is a pipe, a socket or a device; name a regular file"));
    }
    let user = nix::unistd::geteuid().as_raw();
    if is_of_another(about.uid(), user) {
        let says = format!("belongs to user {0} and not to user {user}; run this program as user {0}", about.uid());
        return Err(rejected(path, &says));
    }
    if about.mode() & 0o022 != 0 {
        let says = format!("may be written by other users (mode {:03o}); set the mode 600", about.mode() & 0o777);
        return Err(rejected(path, &says));
    }
    if about.nlink() > 1 {
        return Err(rejected(
            path,
            "has a second name (a hard link), beside which its write-ahead log would not be found; copy it to a file of its own",
        ));
    }
    Ok(())
}

/// Whether a file's owner is somebody else. Root may change any file anyway.
#[cfg(unix)]
fn is_of_another(owner: u32, user: u32) -> bool {
    owner != user && owner != 0
}

/// On Windows the folder's permissions decide, for this file as for those beside it
/// (docs/targets.md).
#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps)]
fn check_folder(_: &Path) -> Result<()> {
    Ok(())
}

#[cfg(not(unix))]
pub(super) fn check_file(path: &Path) -> Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(about) if about.is_dir() => Err(Error::new(
            Code::JournalCannotOpen,
            format!("the journal {} is a folder; journalPath must name a file", path.display()),
        )),
        Ok(about) if about.file_type().is_symlink() => Err(rejected(path, "is a symbolic link; name the file itself")),
        Ok(about) if !about.is_file() => Err(rejected(path, "is not a regular file; name a regular file")),
        _ => Ok(()),
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    {
        use nix::libc::{O_NOFOLLOW, O_NONBLOCK};
        use std::os::unix::fs::OpenOptionsExt;
        // The check before the open may be out of date; these never follow a link or wait for a
        // pipe.
        options.mode(0o600).custom_flags(O_NOFOLLOW | O_NONBLOCK);
    }
    #[cfg(windows)]
    {
        use std::os::windows::fs::OpenOptionsExt;
        const READ_AND_WRITE: u32 = 0x1 | 0x2;
        // Nobody may delete or rename the file while it is open.
        options.share_mode(READ_AND_WRITE);
    }
    options
}

/// Makes the file, private to the user, and its directory entry durable. None: it exists already.
pub(super) fn create(path: &Path) -> Result<Option<ProcessFile>> {
    match ProcessFile::open(options().create_new(true), path) {
        Ok(file) => {
            file.sync_all().map_err(|error| cannot(path, "the new file cannot be made durable", &error))?;
            sync_folder(path).map_err(|error| cannot(path, "its folder entry cannot be made durable", &error))?;
            Ok(Some(file))
        }
        Err(error) => match error.kind() {
            io::ErrorKind::AlreadyExists => Ok(None),
            io::ErrorKind::NotFound => Err(cannot(path, "its folder does not exist; create it first", &error)),
            io::ErrorKind::PermissionDenied => Err(cannot(path, "no permission to create it", &error)),
            io::ErrorKind::StorageFull => Err(Error::of(Code::JournalFull).with_cause(chain(&error))),
            io::ErrorKind::ReadOnlyFilesystem => Err(Error::of(Code::JournalReadOnly).with_cause(chain(&error))),
            _ => Err(cannot(path, "it cannot be created", &error)),
        },
    }
}

/// Opens a file that exists for reading and writing.
pub(super) fn open(path: &Path) -> Result<ProcessFile> {
    ProcessFile::open(&options(), path).map_err(|error| not_opened(path, &error))
}

fn not_opened(path: &Path, error: &io::Error) -> Error {
    match error.kind() {
        _ if is_held(error) => held(path, error, &[]),
        io::ErrorKind::ReadOnlyFilesystem => Error::of(Code::JournalReadOnly).with_cause(chain(error)),
        io::ErrorKind::PermissionDenied if is_readable(path) => {
            Error::of(Code::JournalReadOnly).with_cause(chain(error))
        }
        _ => Error::new(Code::JournalCannotOpen, format!("the journal {} cannot be read", path.display()))
            .with_cause(chain(error)),
    }
}

/// Whether there is something at a path. A failure says neither.
pub(super) fn exists(path: &Path) -> Result<bool> {
    match std::fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(cannot(path, "it cannot be read", &error)),
    }
}

/// Opens a file that is going to be renamed. None: it does not exist.
pub(super) fn open_to_move(path: &Path) -> Result<Option<ProcessFile>> {
    #[allow(unused_mut)] // Windows shares it otherwise.
    let mut options = options();
    #[cfg(windows)]
    {
        use std::os::windows::fs::OpenOptionsExt;
        const READ_WRITE_AND_RENAME: u32 = 0x1 | 0x2 | 0x4;
        options.share_mode(READ_WRITE_AND_RENAME);
    }
    match ProcessFile::open(&options, path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(cannot(path, "it cannot be read", &error)),
    }
}

/// Whether another program has the file open and does not share it, as virus scanners and backups
/// on Windows do: ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION.
fn is_held(error: &io::Error) -> bool {
    cfg!(windows) && matches!(error.raw_os_error(), Some(32 | 33))
}

/// Returns the error of a file that another program holds. `programs`: their names, if known.
fn held(path: &Path, error: &io::Error, programs: &[String]) -> Error {
    let by = if programs.is_empty() { "another program".to_owned() } else { programs.join(", ") };
    Error::new(
        Code::JournalLocked,
        format!(
            "the journal's file {} is held by {by}, which does not share it. Exempt the journal's folder from the \
             virus scanner and the backup, or close that program; the next call works again",
            path.display()
        ),
    )
    .with_cause(chain(error))
}

/// A file of the journal that another program holds.
pub(super) struct Held {
    path: PathBuf,
    error: io::Error,
}

impl Held {
    /// Returns the first of the journal's files that another program holds. Windows only: on Unix
    /// no program can hold a file so, and closing the file would drop SQLite's locks.
    pub fn first(path: &Path, seal: &Path) -> Option<Self> {
        if cfg!(not(windows)) {
            return None;
        }
        let beside = ["", "-wal", "-shm", "-journal"].map(|suffix| beside(path, suffix));
        beside.into_iter().chain([seal.to_path_buf()]).find_map(|path| match options().open(&path) {
            Err(error) if is_held(&error) => Some(Self { path, error }),
            _ => None,
        })
    }

    /// Returns the error, which names the programs if the system knows them. That takes a while.
    pub fn into_error(self) -> Error {
        held(&self.path, &self.error, &crate::os::programs_with(&self.path))
    }
}

#[cfg(unix)]
fn is_readable(path: &Path) -> bool {
    nix::unistd::access(path, nix::unistd::AccessFlags::R_OK).is_ok()
}

#[cfg(not(unix))]
fn is_readable(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|about| about.permissions().readonly())
}

#[cfg(unix)]
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    std::fs::File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
}

/// Does nothing: NTFS journals its directory entries.
#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps)]
pub(super) fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Makes a new file durable and gives it its name. Returns its size.
pub(super) fn publish(fresh: &Path, path: &Path) -> io::Result<u64> {
    // Windows syncs only a file that may be written.
    let file = OpenOptions::new().write(true).open(fresh)?;
    file.sync_all()?;
    let bytes = file.metadata()?.len();
    drop(file);
    std::fs::rename(fresh, path)?;
    sync_folder(path)?;
    Ok(bytes)
}

/// Moves the files of a damaged journal to names with the time. Nothing is overwritten, and a
/// failure leaves the files where they were.
pub(super) fn move_aside(path: &Path) -> Result<()> {
    // The journal comes last: SQLite deletes a write-ahead log that it finds beside a new one.
    let files = ["-wal", "-shm", "-journal", ""].map(|suffix| beside(path, suffix));
    let time = format!("-damaged-{}", time_text::compact(rt::wall_now()));
    let mut suffix = time.clone();
    let mut number = 1;
    while files.iter().any(|file| std::fs::symlink_metadata(beside(file, &suffix)).is_ok()) {
        number += 1;
        suffix = format!("{time}-{number}");
    }
    for (at, file) in files.iter().enumerate() {
        match std::fs::rename(file, beside(file, &suffix)) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                for moved in files[..at].iter().rev() {
                    let _ = std::fs::rename(beside(moved, &suffix), moved);
                }
                return Err(cannot(file, "the damaged file cannot be moved aside", &error));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_name_of_windows_is_recognised_with_any_extension() {
        for device in ["COM1.db", "nul", "Lpt9.db", "aux.points.db", "con .db", "com².db", "CONIN$"] {
            assert!(is_device(&Path::new("folder").join(device)), "{device}");
        }
        for file in ["points.db", "COM10.db", "COMA.db", "common.db", "null.db", "LPT.db"] {
            assert!(!is_device(Path::new(file)), "{file}");
        }
    }

    #[test]
    fn message_names_the_programs_that_hold_a_file() {
        let says = |programs: &[String]| {
            let error = held(Path::new("points.db"), &io::ErrorKind::Other.into(), programs);
            assert_eq!(error.code(), Code::JournalLocked);
            error.message().to_owned()
        };
        assert!(says(&[]).contains("points.db is held by another program, which"));
        assert!(says(&["scan.exe".to_owned(), "copy.exe".to_owned()]).contains("is held by scan.exe, copy.exe, which"));
    }

    #[test]
    fn file_that_can_only_be_read_has_a_code_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let (file, missing) = (folder.path().join("points.db"), folder.path().join("missing.db"));
        std::fs::write(&file, "").unwrap();
        #[cfg(windows)]
        {
            let mut permissions = std::fs::metadata(&file).unwrap().permissions();
            permissions.set_readonly(true);
            std::fs::set_permissions(&file, permissions).unwrap();
        }
        for (kind, path, code) in [
            (io::ErrorKind::ReadOnlyFilesystem, &missing, Code::JournalReadOnly),
            (io::ErrorKind::PermissionDenied, &file, Code::JournalReadOnly),
            (io::ErrorKind::PermissionDenied, &missing, Code::JournalCannotOpen),
            (io::ErrorKind::NotFound, &file, Code::JournalCannotOpen),
        ] {
            assert_eq!(not_opened(path, &kind.into()).code(), code, "{kind:?}, {}", path.display());
        }
    }

    /// Writes a file with the damaged journal's name at each of the next times.
    fn take_names(path: &Path, end: &str, number: &str) {
        for seconds in 0..60 {
            let time = time_text::compact(rt::wall_now() + seconds * 1_000);
            std::fs::write(beside(path, &format!("{end}-damaged-{time}{number}")), "kept").unwrap();
        }
    }

    fn contents(folder: &Path) -> Vec<(String, String)> {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let content = |path: PathBuf| {
            (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(path).unwrap())
        };
        entries.map(content).collect()
    }

    #[test]
    fn journal_that_is_moved_aside_overwrites_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("points.db");
        for (taken, number, end) in [("", "", ""), ("-wal", "-2", "-2"), ("-shm", "-3", "-3")] {
            let before: Vec<_> = contents(folder.path());
            for end in ["", "-wal"] {
                std::fs::write(beside(&path, end), "damaged").unwrap();
            }
            move_aside(&path).unwrap();
            let after = contents(folder.path());
            assert!(before.iter().all(|file| after.contains(file)), "{number}");
            let moved = after.iter().filter(|file| !before.contains(file)).collect::<Vec<_>>();
            assert_eq!(moved.len(), 2);
            let time = "-damaged-20261125-140359".len();
            assert!(moved.iter().all(|(name, content)| content == "damaged" && name.ends_with(end)), "{moved:?}");
            assert!(moved.iter().any(|(name, _)| name.len() == "points.db".len() + time + end.len()), "{moved:?}");
            take_names(&path, taken, number);
        }
    }

    #[cfg(unix)]
    mod unix {
        use super::*;
        use std::os::unix::fs::{PermissionsExt, symlink};

        fn with_mode(path: &Path, mode: u32) {
            std::fs::write(path, "").unwrap();
            std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        }

        #[test]
        fn file_that_others_may_change_is_rejected() {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("points.db");
            for (mode, is_safe) in [(0o600, true), (0o644, true), (0o611, true), (0o602, false), (0o620, false)] {
                with_mode(&path, mode);
                let code = check_file(&path).err().map(|error| error.code());
                assert_eq!(code, (!is_safe).then_some(Code::JournalUnsafe), "{mode:o}");
            }
            with_mode(&path, 0o600);
            std::fs::hard_link(&path, folder.path().join("second.db")).unwrap();
            let error = check_file(&path).unwrap_err();
            assert!(error.code() == Code::JournalUnsafe && error.message().contains("second name"), "{error}");
            let root = 0;
            for (owner, user, is_safe) in
                [(root, root, true), (7, 7, true), (root, 7, true), (8, 7, false), (7, root, false), (1, 7, false)]
            {
                assert_eq!(!is_of_another(owner, user), is_safe, "owner {owner}, user {user}");
            }
        }

        #[test]
        fn new_file_is_private_and_no_link_is_followed() {
            let folder = tempfile::tempdir().unwrap();
            let (path, link) = (folder.path().join("points.db"), folder.path().join("link.db"));
            assert!(create(&path).unwrap().is_some() && create(&path).unwrap().is_none());
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            symlink(&path, &link).unwrap();
            assert_eq!(open(&link).map(drop).unwrap_err().code(), Code::JournalCannotOpen);
            assert_eq!(open_to_move(&link).map(drop).unwrap_err().code(), Code::JournalCannotOpen);
            assert!(open_to_move(&path).unwrap().is_some() && open_to_move(&beside(&path, "2")).unwrap().is_none());
        }

        #[test]
        fn path_that_cannot_be_looked_up_is_not_missing() {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("points.db");
            std::fs::write(&file, "").unwrap();
            assert!(exists(&file).unwrap() && !exists(&folder.path().join("missing.db")).unwrap());
            assert_eq!(exists(&file.join("below.db")).unwrap_err().code(), Code::JournalCannotOpen);
            sync_folder(&file).unwrap();
            assert!(sync_folder(&folder.path().join("missing").join("points.db")).is_err());
        }

        #[test]
        fn file_that_cannot_be_moved_aside_leaves_the_others_in_place() {
            let folder = tempfile::tempdir().unwrap();
            // The new name of -journal is too long, and those of the files before it are not.
            let path = folder.path().join("p".repeat(225));
            for end in ["", "-wal", "-shm", "-journal"] {
                std::fs::write(beside(&path, end), end).unwrap();
            }
            let mut before = contents(folder.path());
            assert_eq!(move_aside(&path).unwrap_err().code(), Code::JournalCannotOpen);
            let mut after = contents(folder.path());
            before.sort();
            after.sort();
            assert_eq!(after, before);
        }
    }
}
