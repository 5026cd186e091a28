//! Every call returns within its wait while the disk hangs.

use crate::acts::freeze;
use crate::fixture::{COFFEE, Fixture, MEMBER};
use crate::till;
use engage_point_shop::Code;
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// The calls of `frozen.c`: 16 in each of two rounds, an open, and two closes.
const CALLS: usize = 35;
/// No call waits so long by itself, but one with the patient configuration does.
const FUSE: Duration = Duration::from_secs(60);
const PATIENT_MS: u32 = 600_000;

#[test]
fn every_call_keeps_its_wait_while_the_disk_hangs() {
    let fixture = Fixture::new();
    let (journal, flag) = (fixture.place("frozen"), fixture.folder().join("freeze"));
    let impatient = fixture.config(&journal, &json!({ "waitMs": 200 }));
    let patient = fixture.config(&journal, &json!({ "waitMs": PATIENT_MS }));
    let program = Command::new(till::link("tests/campaigns/host/frozen.c"));
    let calls = calls_of(program, &flag, &[&impatient, &patient, flag.to_str().unwrap(), MEMBER, COFFEE]);
    assert_eq!(calls.len(), CALLS, "the call after the last of these hangs: {calls:?}");
    for call in &calls {
        let (name, code) = call.split_once(' ').unwrap();
        let code = Code::from_number(code.parse().unwrap()).unwrap();
        let expected: &[Code] = match name.split_once('/').unwrap().0 {
            // What must be durable is not reported as done.
            "purchase" | "redeem_reward" => &[Code::PendingWaitEnded, Code::TimedOut],
            "acknowledge" | "acknowledge_reference" => &[Code::JournalTimedOut, Code::JournalLocked],
            // On a slow machine a short wait ends before a read does.
            _ => &[Code::Ok, Code::JournalTimedOut, Code::TimedOut],
        };
        assert!(expected.contains(&code), "{name} returned {code:?}: {calls:?}");
    }
    assert_eq!(fixture.deductions(), 1, "nothing is sent that is not recorded");
}

/// Returns what a program prints on a disk that the flag freezes, until it ends or hangs.
fn calls_of(mut program: Command, flag: &Path, arguments: &[&str]) -> Vec<String> {
    program.args(arguments).env("LD_PRELOAD", freeze()).env("FREEZE", flag).stdout(Stdio::piped());
    let mut child = program.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (sender, returned) = mpsc::channel();
    std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let mut calls = Vec::new();
    while let Ok(line) = returned.recv_timeout(FUSE) {
        calls.push(line);
    }
    let _ = child.kill();
    let _ = child.wait();
    calls
}

#[test]
fn journal_on_a_sound_disk_is_used_beside_one_that_hangs() {
    let fixture = Fixture::new();
    let flag = fixture.folder().join("freeze");
    let config = |name: &str| fixture.config(&fixture.place(name), &json!({ "waitMs": 4_000 }));
    let (sound, frozen, third) = (config("sound"), config("frozen"), config("third"));
    let mut program = Command::new(till::link("tests/campaigns/host/frozen_beside.c"));
    program.env("FREEZE_BELOW", fixture.folder().join("frozen"));
    let calls = calls_of(program, &flag, &[&sound, &frozen, &third, flag.to_str().unwrap(), MEMBER, COFFEE]);
    let timed_out = Code::JournalTimedOut.number();
    let expected = [
        "open 0".to_owned(),
        format!("open-frozen {timed_out}"),
        "open-third 0".to_owned(),
        "purchase 0".to_owned(),
        "close-third 0".to_owned(),
        "close 0".to_owned(),
    ];
    assert_eq!(calls, expected);
}
