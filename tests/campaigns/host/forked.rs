//! A till forks children that live on, and is killed. They hold nothing of its journal.

use crate::acts::freeze;
use crate::fixture::{COFFEE, Fixture, MEMBER, code_of_sale};
use crate::till::{build_folder, compile, link};
use engage_point_shop::Code;
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

const FUSE: Duration = Duration::from_secs(60);
/// Where a process marks that it writes (`WRITER` of the journal's files).
const WRITER: u64 = 0x4000_0401;

static TILL: LazyLock<PathBuf> = LazyLock::new(|| link("tests/campaigns/host/forked.c"));

/// Whether a process has the turn to write on a frozen disk, by the system's list of locks.
fn is_writing(journal: &Path, flag: &Path) -> bool {
    let Ok(about) = std::fs::metadata(journal) else { return false };
    let file = format!(":{} {WRITER} {WRITER}", about.ino());
    flag.exists() && std::fs::read_to_string("/proc/locks").unwrap().lines().any(|lock| lock.ends_with(&file))
}

/// Returns the locks that a process would keep alive.
fn locks_of(process: &str) -> Vec<String> {
    let mut locks = Vec::new();
    for about in std::fs::read_dir(format!("/proc/{process}/fdinfo")).unwrap() {
        let text = std::fs::read_to_string(about.unwrap().path()).unwrap();
        locks.extend(text.lines().filter(|line| line.starts_with("lock:")).map(str::to_owned));
    }
    locks
}

/// Sells in a till that forks children and is killed while it writes. `preloaded`: what is loaded
/// into the till beside the disk that can be frozen. Returns how many children there were.
fn kill_till_with_children(preloaded: &[&Path]) -> usize {
    let fixture = Fixture::new();
    let (journal, flag) = (fixture.place("forked"), fixture.folder().join("freeze"));
    let preload: Vec<&str> = preloaded.iter().chain(&[freeze()]).map(|path| path.to_str().unwrap()).collect();
    let mut program = Command::new(&*TILL);
    program.args([&fixture.config(&journal, &json!({})), flag.to_str().unwrap(), MEMBER, COFFEE]);
    program.env("LD_PRELOAD", preload.join(":")).env("FREEZE", &flag).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut till = program.spawn().unwrap();
    let (mut input, output) = (till.stdin.take().unwrap(), till.stdout.take().unwrap());
    let until = Instant::now() + FUSE;
    while !is_writing(&journal, &flag) {
        assert!(Instant::now() < until && till.try_wait().unwrap().is_none(), "the till does not write");
        std::thread::park_timeout(Duration::from_millis(2));
    }
    input.write_all(b"\n").unwrap();
    let mut children = Vec::new();
    let lines = BufReader::new(output).lines();
    for line in lines.map(Result::unwrap).take_while(|line| line != "all started") {
        children.push(line.strip_prefix("started ").unwrap().to_owned());
    }
    till.kill().unwrap();
    till.wait().unwrap();
    std::fs::remove_file(&flag).unwrap();

    for child in &children {
        assert_eq!(locks_of(child), Vec::<String>::new(), "a child of the till");
    }
    let client = fixture.open(&journal).unwrap();
    for reference in ["receipt 1", "receipt 2"] {
        assert_eq!(code_of_sale(&client, reference), Code::Ok, "{reference}");
    }
    client.close();
    assert_eq!(fixture.deductions(), 2);
    // The children lived until here.
    for child in &children {
        assert!(Path::new(&format!("/proc/{child}/exe")).exists(), "a child has ended");
    }
    children.len()
}

#[test]
fn child_that_outlives_its_till_holds_no_lock() {
    assert_eq!(kill_till_with_children(&[]), 2);
}

#[test]
fn child_forked_within_an_open_holds_no_lock() {
    let (source, made) = (Path::new(env!("CARGO_MANIFEST_DIR")), build_folder().join("fork_at_open.so"));
    compile(&source.join("tests/campaigns/host/fork_at_open.c"), &made, &["-shared", "-fPIC", "-ldl"]);
    // The journal, its seal, its write-ahead log and its index.
    assert!(kill_till_with_children(&[&made]) >= 6);
}
