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
    // Root may change any file anyway.
    if about.uid() != user && about.uid() != 0 {
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
    ProcessFile::open(&options(), path).map_err(|error| match error.kind() {
        _ if is_held(&error) => held(path, &error, &[]),
        io::ErrorKind::ReadOnlyFilesystem => Error::of(Code::JournalReadOnly).with_cause(chain(&error)),
        io::ErrorKind::PermissionDenied if is_readable(path) => {
            Error::of(Code::JournalReadOnly).with_cause(chain(&error))
        }
        _ => Error::new(Code::JournalCannotOpen, format!("the journal {} cannot be read", path.display()))
            .with_cause(chain(&error)),
    })
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
}
