//! The compiled shims, and the record that `shim.c` writes.

use crate::till;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// The disk shim.
pub static DISK: LazyLock<PathBuf> = LazyLock::new(|| build("shim"));
/// The clock shim.
pub static CLOCK: LazyLock<PathBuf> = LazyLock::new(|| build("clock"));

fn build(name: &str) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/campaigns/disk/{name}.c"));
    let library = till::build_folder().join(format!("{name}.so"));
    till::compile(&source, &library, &["-shared", "-fPIC", "-ldl", "-pthread"]);
    library
}

/// A recorded event. Events are in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Create(PathBuf),
    Write {
        path: PathBuf,
        at: usize,
        bytes: Vec<u8>,
    },
    Truncate(PathBuf, usize),
    Sync(PathBuf),
    /// The entries of a folder became durable.
    SyncFolder(PathBuf),
    Unlink(PathBuf),
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    /// Standard output: the caller's knowledge.
    Output(String),
    Sent {
        socket: u32,
        bytes: Vec<u8>,
    },
    Got {
        socket: u32,
        bytes: Vec<u8>,
    },
    /// The operation that was made to fail.
    Fault {
        operation: String,
        path: PathBuf,
    },
    /// At the end: the number of operations that could have failed.
    Operations(usize),
}

impl Event {
    /// Reads a record, complete or cut off by a kill.
    pub fn read(record: &Path) -> Vec<Event> {
        let all = std::fs::read(record).unwrap();
        let mut rest = &all[..];
        let mut events = Vec::new();
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line = std::str::from_utf8(&rest[..end]).unwrap();
            rest = &rest[end + 1..];
            let words: Vec<&str> = line.split(' ').collect();
            let number = |n: usize| words[n].parse::<usize>().unwrap_or_else(|_| panic!("not a record's line: {line}"));
            let path = || PathBuf::from(words[1]);
            let content = match words[0] {
                "write" => number(3) + 1,
                "output" => number(1) + 1,
                "sent" | "got" => number(2) + 1,
                _ => 0,
            };
            if rest.len() < content {
                // The process ended within this record.
                break;
            }
            let mut bytes = |n: usize| {
                let (bytes, behind) = rest.split_at(number(n));
                rest = &behind[1..];
                bytes.to_vec()
            };
            events.push(match words[0] {
                "create" => Event::Create(path()),
                "write" => Event::Write { path: path(), at: number(2), bytes: bytes(3) },
                "truncate" => Event::Truncate(path(), number(2)),
                "sync" => Event::Sync(path()),
                "folder" => Event::SyncFolder(path()),
                "unlink" => Event::Unlink(path()),
                "rename" => Event::Rename { from: path(), to: PathBuf::from(words[2]) },
                "output" => Event::Output(String::from_utf8(bytes(1)).unwrap()),
                "sent" => Event::Sent { socket: words[1].parse().unwrap(), bytes: bytes(2) },
                "got" => Event::Got { socket: words[1].parse().unwrap(), bytes: bytes(2) },
                "fault" => Event::Fault { operation: words[2].to_owned(), path: PathBuf::from(words[3]) },
                "operations" => Event::Operations(number(1)),
                _ => panic!("not a record's line: {line}"),
            });
        }
        events
    }

    /// Whether the path is a WAL's index. Its content is made again after a crash.
    pub fn is_of_index(&self) -> bool {
        let (Event::Create(path)
        | Event::Write { path, .. }
        | Event::Truncate(path, _)
        | Event::Sync(path)
        | Event::Unlink(path)
        | Event::Rename { from: path, .. }) = self
        else {
            return false;
        };
        path.to_string_lossy().ends_with("-shm")
    }
}

/// File functions of the C library that the shim does not cover, and the reason.
const LEFT_ALONE: &[(&str, &str)] = &[
    ("closedir", "the folder of certificates"),
    ("dirfd", "the folder of certificates"),
    ("dlopen", "not the journal's"),
    ("flock", "the lock of the log file"),
    ("getcwd", "touches no file"),
    ("lseek64", "moves a position"),
    ("mkdir", "SQLite's dot-file locks, not used"),
    ("mmap64", "the index of the WAL, made again after a crash"),
    ("mremap", "the index of the WAL, made again after a crash"),
    ("munmap", "the index of the WAL, made again after a crash"),
    ("opendir", "the folder of certificates"),
    ("readdir64", "the folder of certificates"),
    ("readlink", "follows links on the way to the journal"),
    ("realpath", "the folder of certificates"),
    ("rmdir", "SQLite's dot-file locks, not used"),
    ("syscall", "futexes"),
    ("utimes", "SQLite's dot-file locks, not used"),
];

/// The known file functions. The shim must cover each one that the library uses, or a reason must
/// be given.
const FILE_FUNCTIONS: &str = "access chmod chown close closedir copy_file_range creat dirfd dlopen dup dup2 dup3 faccessat \
    fallocate fallocate64 fchmod fchmodat fchown fchownat fcntl fcntl64 fdatasync fdopen fflush flock fopen fopen64 fread fstat \
    fstat64 fstatat fstatat64 fsync ftruncate ftruncate64 fwrite getcwd ioctl lchown link linkat lockf lockf64 lseek lseek64 lstat \
    lstat64 mkdir mkdirat mkostemp mkstemp mmap mmap64 mremap msync munmap open open64 open_by_handle_at openat openat64 opendir \
    posix_fadvise posix_fallocate posix_fallocate64 pread pread64 preadv preadv2 preadv64 pwrite pwrite64 pwritev pwritev2 pwritev64 \
    read readdir readdir64 readlink readlinkat readv realpath remove rename renameat renameat2 rmdir sendfile sendfile64 splice \
    stat stat64 statx symlink symlinkat sync sync_file_range syncfs syscall truncate truncate64 unlink unlinkat utimensat utimes \
    write writev recv recvfrom recvmsg send sendto sendmsg sendmmsg";

fn symbols(of: &Path, which: &str) -> Vec<String> {
    let output = Command::new("nm").args(["-D", which]).arg(of).output().expect("nm is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let names = text.lines().filter_map(|line| line.split_whitespace().last());
    names.map(|name| name.split('@').next().unwrap_or(name).to_owned()).collect()
}

#[test]
fn disk_shim_covers_every_file_function_of_the_library() {
    let library = till::till().parent().unwrap().join("libengage_point_shop.so.1");
    let known = symbols(&DISK, "--defined-only");
    let used = symbols(&library, "--undefined-only");
    let files: Vec<&str> = FILE_FUNCTIONS.split_whitespace().collect();
    let mut used: Vec<&str> = used.iter().map(String::as_str).filter(|name| files.contains(name)).collect();
    used.sort_unstable();
    assert!(used.contains(&"pwrite64") && used.contains(&"fsync"), "{used:?}");
    let missing: Vec<_> = used
        .iter()
        .filter(|name| !known.iter().any(|known| known == *name) && !LEFT_ALONE.iter().any(|(left, _)| left == *name))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    println!(
        "campaign shim: {} functions of the library's {} for files stood in for, 0 violations",
        used.len() - left(&used),
        used.len()
    );
}

fn left(used: &[&str]) -> usize {
    used.iter().filter(|name| LEFT_ALONE.iter().any(|(left, _)| left == *name)).count()
}
