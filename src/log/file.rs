//! The library's own log file. Each line is one write at the file's end, and the file is opened for
//! it, so that any number of processes may write the same file. At the limit the file is renamed
//! and begun anew, by the process that has the lock on `<file>-lock`. A line that another process
//! writes at that moment goes into the renamed file.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

pub(super) struct LogFile {
    pub path: PathBuf,
    /// The size at which the file is renamed.
    pub bytes: u64,
    /// The number of files, the newest one included.
    pub files: u64,
}

impl LogFile {
    /// A file that is not a log, such as a journal that is reached by a link, is left untouched.
    pub fn write(&self, line: &str) -> io::Result<()> {
        if std::fs::metadata(&self.path).is_ok_and(|about| about.len() >= self.bytes) {
            // A failure leaves the file longer than its limit, and the next line tries again.
            let _ = self.rotate();
        }
        let mut file = open(&self.path)?;
        check(&file)?;
        file.write_all(format!("{line}\n").as_bytes())
    }

    fn rotate(&self) -> io::Result<()> {
        let lock = open(&self.beside("-lock"))?;
        if lock.try_lock().is_err() {
            // Another process does it.
            return Ok(());
        }
        let rotated = self.rotate_locked();
        // Not by the close alone: a child that was forked meanwhile has the file open too.
        lock.unlock()?;
        rotated
    }

    fn rotate_locked(&self) -> io::Result<()> {
        if std::fs::metadata(&self.path)?.len() < self.bytes {
            // Another process has done it.
            return Ok(());
        }
        for file in (1..self.files).map(|number| self.beside(&format!(".{number}"))).chain([self.path.clone()]) {
            if std::fs::symlink_metadata(&file).is_ok_and(|about| about.is_file()) {
                check(&File::open(file)?)?;
            }
        }
        for number in (1..self.files).rev() {
            let older = match number {
                1 => self.path.clone(),
                number => self.beside(&format!(".{}", number - 1)),
            };
            match std::fs::rename(older, self.beside(&format!(".{number}"))) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        match self.files {
            1 => std::fs::remove_file(&self.path),
            _ => Ok(()),
        }
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(suffix);
        name.into()
    }
}

/// Opens a file for writing at its end. It is private to the user, and is never a link or a pipe.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    {
        use nix::libc::{O_NOFOLLOW, O_NONBLOCK};
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600).custom_flags(O_NOFOLLOW | O_NONBLOCK);
    }
    options.open(path)
}

/// Checks that a file is a log: empty, or lines of JSON objects. A power cut may leave zeros, and a
/// person an empty line.
fn check(mut file: &File) -> io::Result<()> {
    let mut first = [0];
    match file.read(&mut first)? {
        1 if !matches!(first[0], b'{' | 0 | b'\r' | b'\n') => {
            Err(io::Error::new(io::ErrorKind::InvalidData, "the file is not a log"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(path: &Path) -> Vec<String> {
        std::fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    #[test]
    fn file_at_its_limit_is_renamed_and_the_oldest_is_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let file = LogFile { path: folder.path().join("till.log"), bytes: 10, files: 3 };
        for number in 0..8 {
            file.write(&format!("{{no {number}")).unwrap();
        }
        // Two lines of seven bytes reach the limit.
        assert_eq!(lines_of(&file.path), ["{no 6", "{no 7"]);
        assert_eq!(lines_of(&file.beside(".1")), ["{no 4", "{no 5"]);
        assert_eq!(lines_of(&file.beside(".2")), ["{no 2", "{no 3"]);
        assert!(!file.beside(".3").exists());
        let one = LogFile { path: folder.path().join("one.log"), bytes: 10, files: 1 };
        (0..3).for_each(|number| one.write(&format!("{{no {number}")).unwrap());
        assert_eq!(lines_of(&one.path), ["{no 2"]);
    }

    /// Wine finds the end and writes there in two steps.
    #[cfg(unix)]
    #[test]
    fn writers_of_one_file_lose_no_line_at_a_rotation() {
        const LINES: usize = 300;
        let folder = tempfile::tempdir().unwrap();
        let file = LogFile { path: folder.path().join("till.log"), bytes: 500, files: 100 };
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let file = &file;
                scope.spawn(move || (0..LINES).for_each(|line| file.write(&format!("{{{writer} {line}")).unwrap()));
            }
        });
        let mut lines = lines_of(&file.path);
        for number in 1..100 {
            lines.extend(lines_of(&file.beside(&format!(".{number}"))));
        }
        lines.sort_unstable();
        lines.dedup();
        assert_eq!(lines.len(), 4 * LINES, "each line is whole and there once");
    }

    #[cfg(unix)]
    #[test]
    fn link_in_place_of_the_file_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (target, path) = (folder.path().join("target"), folder.path().join("till.log"));
        std::os::unix::fs::symlink(&target, &path).unwrap();
        LogFile { path, bytes: 10, files: 2 }.write("{}").unwrap_err();
        assert!(!target.exists());
    }

    #[test]
    fn file_that_is_no_log_is_neither_written_nor_renamed() {
        let folder = tempfile::tempdir().unwrap();
        let file = LogFile { path: folder.path().join("till.log"), bytes: 4, files: 3 };
        let journal = file.beside(".2");
        std::fs::write(&journal, "SQLite format 3\0").unwrap();
        (0..5).for_each(|_| file.write("{}").unwrap());
        assert_eq!(lines_of(&file.path).len(), 5, "nothing takes the journal's place");
        for left in ["\0\0", "\n", "\r\n"] {
            std::fs::write(&file.path, left).unwrap();
            LogFile { bytes: 1000, path: file.path.clone(), ..file }.write("{}").unwrap();
        }
        std::fs::rename(&journal, &file.path).unwrap();
        assert_eq!(file.write("{}").unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(std::fs::read(&file.path).unwrap(), b"SQLite format 3\0");
    }
}
