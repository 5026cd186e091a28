//! The command line of the binary.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Output, Stdio};

fn command() -> Command {
    Command::new(env!("CARGO_BIN_EXE_engage-sandbox"))
}

/// A started binary and the line that it printed.
struct Started {
    child: Child,
    stdin: Option<ChildStdin>,
    line: String,
}

impl Started {
    fn with(arguments: &[&str]) -> Started {
        let mut child = command().args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        Started { stdin: child.stdin.take(), child, line }
    }

    fn field(&self, name: &str) -> &str {
        self.line.split_whitespace().find_map(|part| part.strip_prefix(name)?.strip_prefix('=')).unwrap()
    }

    /// Waits for the end, and returns the exit code and the further output.
    fn end(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), rest)
    }
}

#[test]
fn a_started_sandbox_prints_one_line_and_leaves_no_files() {
    let mut started = Started::with(&["--until-stdin-closes", "--key", "other"]);
    assert!(started.line.starts_with("engage-sandbox ready http=http://127.0.0.1:"), "{}", started.line);
    assert!(started.field("https").starts_with("https://localhost:"));
    assert_eq!(started.field("key"), "other");
    let ca = Path::new(started.field("ca")).to_owned();
    assert!(std::fs::read_to_string(&ca).unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
    drop(started.stdin.take());
    assert_eq!(started.end(), (Some(0), String::new()));
    assert!(!ca.parent().unwrap().exists());
}

#[test]
fn each_given_key_has_a_store() {
    let mut started = Started::with(&["--until-stdin-closes", "--key", "one", "--key", "two"]);
    assert_eq!(started.field("key"), "one");
    let mut stream = std::net::TcpStream::connect(started.field("http").strip_prefix("http://").unwrap()).unwrap();
    stream.write_all(b"GET /_sandbox/stores HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    assert!(response.ends_with(r#"[{"key":"one"},{"key":"two"}]"#), "{response}");
    drop(started.stdin.take());
    started.end();
}

#[cfg(unix)]
#[test]
fn a_signal_ends_the_sandbox_and_the_end_of_stdin_does_not() {
    for signal in ["-TERM", "-INT"] {
        let mut started = Started::with(&[]);
        drop(started.stdin.take());
        let ca = Path::new(started.field("ca")).to_owned();
        let pid = started.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        assert_eq!(started.end().0, Some(0));
        assert!(!ca.exists());
    }
}

#[test]
fn a_seed_and_a_file_for_the_certificate_are_used() {
    let dir = tempfile::tempdir().unwrap();
    let (seed, ca) = (dir.path().join("seed.json"), dir.path().join("ca.pem"));
    std::fs::write(&seed, "{}").unwrap();
    let arguments = ["--until-stdin-closes", "--seed", seed.to_str().unwrap(), "--ca-out", ca.to_str().unwrap()];
    let mut started = Started::with(&arguments);
    assert_eq!(Path::new(started.field("ca")), ca);
    drop(started.stdin.take());
    started.end();
    assert!(ca.exists());
}

#[test]
fn address_for_other_computers_is_warned_of() {
    let output = command()
        .args(["--http", "0.0.0.0:0", "--allow-non-loopback", "--until-stdin-closes"])
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && stderr.contains("other computers can reach 0.0.0.0:0"), "{stderr}");
}

#[test]
fn a_bad_argument_or_seed_ends_it_with_2_and_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let seed = dir.path().join("seed.json");
    std::fs::write(&seed, "{\n  \"items\": [{\"cost\": \"ten\"}]\n}").unwrap();
    let seed = seed.to_str().unwrap();
    let script = dir.path().join("script.yaml");
    std::fs::write(&script, "faults:\n  - match: {operation: any}\n    effect: {stop: {}}\n").unwrap();
    let script = script.to_str().unwrap();
    for (arguments, why) in [
        (vec!["--colour"], "--colour"),
        (vec!["--http", "here"], "--http"),
        (vec!["--http", "0.0.0.0:0"], "--allow-non-loopback"),
        (vec!["--https", "[::]:0"], "--allow-non-loopback"),
        (vec!["--key", ""], "--key"),
        (vec!["--key", "two parts"], "--key"),
        (vec!["--seed", "no-such-file.json"], "no-such-file.json"),
        (vec!["--script", "no-such-file.yaml"], "no-such-file.yaml"),
        (vec!["--script", script], "script.yaml: line 3: faults[0].effect: unknown variant `stop`"),
        (vec!["--seed", seed], "line 2: items[0].cost: invalid type"),
    ] {
        let Output { status, stdout, stderr } = command().args(&arguments).output().unwrap();
        let stderr = String::from_utf8(stderr).unwrap();
        assert_eq!(status.code(), Some(2), "{arguments:?} {stderr}");
        assert!(stderr.contains(why), "{arguments:?} {stderr}");
        assert!(stdout.is_empty());
    }
}
