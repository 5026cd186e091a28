//! The command line of the binary.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Output, Stdio};

use engage_sandbox::http_client::Request;
use serde_json::{Value, json};

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
        let ports = ["--http", "0", "--https", "0"];
        let mut child =
            command().args(ports).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
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
        .args(["--http", "0.0.0.0:0", "--https", "0", "--allow-non-loopback", "--until-stdin-closes"])
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
    let misspelt = dir.path().join("misspelt.json");
    std::fs::write(&misspelt, r#"{"items": [{"costt": 10}]}"#).unwrap();
    let misspelt = misspelt.to_str().unwrap();
    let misspelt_script = dir.path().join("misspelt.yaml");
    std::fs::write(&misspelt_script, "faults:\n  - match: {operation: any}\n    effect: {closeAfterComit: {}}\n")
        .unwrap();
    let misspelt_script = misspelt_script.to_str().unwrap();
    for (arguments, why) in [
        (vec!["--colour"], "--colour"),
        (vec!["--sed", "x"], "a similar argument exists: '--seed'"),
        (vec!["statsu"], "a similar subcommand exists: 'status'"),
        (
            vec!["--seed", misspelt],
            "line 1: items[0].costt: unknown field `costt`. Did you mean `cost`? Expected one of",
        ),
        (
            vec!["--script", misspelt_script],
            "faults[0].effect: unknown variant `closeAfterComit`. Did you mean `closeAfterCommit`?",
        ),
        (vec!["--http", "here"], "--http"),
        (vec!["--http", "0.0.0.0:0"], "--allow-non-loopback"),
        (vec!["--https", "[::]:0"], "--allow-non-loopback"),
        (vec!["--key", ""], "--key"),
        (vec!["--key", "two parts"], "--key"),
        (vec!["--seed", "no-such-file.json"], "no-such-file.json"),
        (vec!["--script", "no-such-file.yaml"], "no-such-file.yaml"),
        (vec!["--script", script], "script.yaml: line 3: faults[0].effect: unknown variant `stop`"),
        // The place is named once.
        (vec!["--script", script], "wrongLength, emptyBody, rawResponse\n"),
        (vec!["--seed", seed], "line 2: items[0].cost: invalid type"),
    ] {
        let Output { status, stdout, stderr } = command().args(&arguments).output().unwrap();
        let stderr = String::from_utf8(stderr).unwrap();
        assert_eq!(status.code(), Some(2), "{arguments:?} {stderr}");
        assert!(stderr.contains(why), "{arguments:?} {stderr}");
        assert!(stdout.is_empty());
    }
}

/// Runs a command at a started sandbox, and returns the exit code and the output.
fn at(started: &Started, arguments: &[&str]) -> (Option<i32>, String) {
    // The scheme may be left out.
    let address = started.field("http").strip_prefix("http://").unwrap();
    let output = command().args(arguments).args(["--at", address]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.code(), said)
}

#[test]
fn commands_change_a_running_sandbox() {
    let mut started = Started::with(&["--until-stdin-closes"]);
    let done = |arguments: &[&str]| {
        let (code, said) = at(&started, arguments);
        assert_eq!(code, Some(0), "{arguments:?}: {said}");
        said
    };
    assert_eq!(done(&["arm", "purchase", "response-lost", "--times", "2"]), "fault 1 is armed\n");
    assert_eq!(done(&["arm", "any", r#"{"delay": {"ms": 5}}"#]), "fault 2 is armed\n");
    let status = done(&["status"]);
    assert_eq!(status, "response-lost: next 2 purchase requests (fault 1)\ndelay: next request (fault 2)\n");
    assert_eq!(done(&["clear", "1"]), "off: response-lost (fault 1)\n");
    assert_eq!(done(&["clear"]), "off: delay (fault 2)\n");
    assert_eq!(done(&["clear"]), "nothing has changed\n");
    assert_eq!(done(&["status"]), "Nothing is active: Engage behaves as documented.\n");
    assert_eq!(done(&["reset"]), "the store is reset\n");
    assert_eq!(done(&["undo-reset"]), "the reset is undone\n");
    assert_eq!(done(&["limit", "10/s"]), "limit: 10/s\n");
    assert_eq!(done(&["world", "late-history"]), "world: late-history\n");
    assert_eq!(done(&["world", "id-checked-last"]), "world: id-checked-last, in place of late-history\n");
    assert_eq!(done(&["world", "documented"]), "off: world id-checked-last\n");
    done(&["world", "late-history"]);
    assert_eq!(done(&["certificate", "certificate-expired"]), "certificate-expired: next connection\n");
    assert!(done(&["clock", "2030-01-01T00:00:00Z"]).starts_with("2030-01-01T"));
    assert!(done(&["clock", "+1d"]).starts_with("2030-01-02T"));
    let status = done(&["status"]);
    for part in ["limit: 10/s\n", "world: late-history\n", "clock: +"] {
        assert!(status.contains(part), "{part} is not in {status}");
    }
    // The certificates are those of all stores, as the dashboard says before a reset.
    let reset = done(&["reset"]);
    assert!(reset.starts_with("the store is reset\noff: limit 10/s\noff: world late-history\n"), "{reset}");
    assert!(reset.ends_with("still active: certificate-expired: next connection\n"), "{reset}");
    let certificate = "certificate-expired: next connection\n";
    let undo = "The store was reset. The command undo-reset restores it.\n";
    assert_eq!(done(&["status"]), format!("{certificate}{undo}"));
    assert!(done(&["undo-reset"]).contains("world: late-history\n"));
    let status = done(&["status"]);
    assert!(status.contains("limit: 10/s\n") && status.contains("clock: +"), "{status}");
    assert_eq!(done(&["certificate", "off"]), "off: certificate-expired next connection\n");
    for (arguments, why) in [
        (vec!["clear", "7"], "no fault has the number 7"),
        (vec!["arm", "purchase", "magic"], "the effect magic is unknown. Use one of response-lost,"),
        (vec!["arm", "purchase", "respons-lost"], "the effect respons-lost is unknown. Did you mean response-lost? "),
        (vec!["arm", "purchse", "response-lost"], "Did you mean `purchase`?"),
        (vec!["world", "late-histroy"], "late-history"),
        (vec!["arm", "purchases", "web-page", "--nth", "0"], "match.nth: must be 1 or more"),
        (vec!["arm", "purchase", "slow", "--item", "x"], "engage-sandbox: match.itemId: UUID parsing failed"),
        (vec!["clock", "soon"], "the clock cannot be set to soon. Use +1d,"),
        (vec!["undo-reset"], "no reset can be undone"),
        (vec!["limit", "much"], "the limit much is not a number"),
        (vec!["world", "flat"], "late-history"),
    ] {
        let (code, said) = at(&started, &arguments);
        assert!(code == Some(2) && said.contains(why), "{arguments:?}: {code:?} {said}");
    }
    // The reader of the output may end before it.
    let mut unread =
        command().args(["certify", "--list"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(unread.stdout.take());
    let output = unread.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let nobody = command().args(["status", "--at", "http://127.0.0.1:1"]).output().unwrap();
    assert!(String::from_utf8(nobody.stderr).unwrap().contains("no sandbox runs at http://127.0.0.1:1"));
    drop(started.stdin.take());
    started.end();
}

/// Sends a request to a started sandbox, and returns the response.
fn send(started: &Started, method: &str, path: &str, body: &str) -> Vec<u8> {
    let url = format!("{}{path}", started.field("http"));
    let headers = "apikey: demo-key\r\nUser-Agent: Test/1.0\r\n";
    Request { method, url: &url, headers, body, timeout: None }.send().unwrap().body
}

#[test]
fn status_has_the_words_of_the_dashboard_and_json_on_request() {
    let mut started = Started::with(&["--until-stdin-closes"]);
    for (path, body) in [
        ("faults", json!({ "match": { "operation": "purchase", "times": 3 }, "effect": { "closeAfterCommit": {} } })),
        ("chaos", json!({ "seed": 1, "rates": [{ "rate": 0.25, "effect": { "html": {} } }] })),
        ("tls", json!({ "certificate": "expired", "connections": 0 })),
        ("limits", json!({ "requestsPerSecond": 9, "redeemGivesUpAfterMs": 100 })),
        ("world", json!({ "historyLagMs": 60_000 })),
        ("clock", json!({ "set": "2030-01-01T00:00:00Z", "frozen": true })),
        ("api-mapping", json!({ "statusField": "state" })),
        ("webhook", json!({ "url": "http://127.0.0.1:9/hook" })),
    ] {
        send(&started, "POST", &format!("/_sandbox/{path}"), &body.to_string());
    }
    let (code, said) = at(&started, &["status"]);
    let page = String::from_utf8(send(&started, "GET", "/", "")).unwrap();
    let chips: Vec<(&str, &str)> = page
        .split("<span><b>")
        .skip(1)
        .map(|chip| chip.split("</span>").next().unwrap().split_once("</b> ").unwrap())
        .collect();
    assert_eq!((code, chips.len(), said.lines().count()), (Some(0), 9, 9), "{said}{chips:?}");
    for (line, (name, extent)) in said.lines().zip(chips) {
        assert!(line.starts_with(&format!("{name}: {extent}")), "{line} is not {name} {extent}");
    }
    assert!(!said.contains('{') && !said.contains("closeAfterCommit"), "{said}");
    let (_, json) = at(&started, &["status", "--json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["faults"][0]["effect"], json!({ "closeAfterCommit": {} }));
    assert_eq!((&json["limits"]["requestsPerSecond"], &json["clock"]["frozen"]), (&json!(9), &json!(true)));
    assert_eq!(json["active"].as_array().unwrap().len(), 9);
    drop(started.stdin.take());
    started.end();
}

#[test]
fn tail_prints_each_request_with_the_reason_of_its_rejection() {
    let mut started = Started::with(&["--until-stdin-closes"]);
    let mut tail = command();
    tail.args(["tail", "--at", started.field("http")]).stdout(Stdio::piped());
    let mut tail = tail.spawn().unwrap();
    let lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    // Requests follow each other until the first one after the start of `tail` is printed.
    let request = |path: &str| {
        let mut stream = std::net::TcpStream::connect(started.field("http").strip_prefix("http://").unwrap()).unwrap();
        let line = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\napikey: wrong\r\nConnection: close\r\n\r\n");
        stream.write_all(line.as_bytes()).unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
    };
    let (send, printed) = std::sync::mpsc::channel();
    std::thread::spawn(move || lines.map_while(Result::ok).all(|line| send.send(line).is_ok()));
    let line = loop {
        request("/api/v3/point-accounts?contactId=7");
        if let Ok(line) = printed.try_recv() {
            break line;
        }
    };
    assert!(line.contains(" GET /api/v3/point-accounts?contactId=*** 401 in "), "{line}");
    assert!(line.contains(", reason: "), "{line}");
    request("/api/v3/point-shop-item?contactId=7");
    request("/api/v3/point-shop-items/purchase");
    let mut printed = printed.iter().skip_while(|line| line.contains("point-accounts"));
    let line = printed.next().unwrap();
    assert!(line.contains(" GET /api/v3/point-shop-item?contactId=*** 404 in "), "{line}");
    assert!(line.ends_with("reason: no such route; did you mean /api/v3/point-shop-items?"), "{line}");
    let line = printed.next().unwrap();
    assert!(line.ends_with("reason: the route takes POST, not GET"), "{line}");
    tail.kill().unwrap();
    tail.wait().unwrap();
    drop(started.stdin.take());
    started.end();
}

#[test]
fn the_start_is_printed_for_programs_and_shells() {
    let mut started = Started::with(&["--until-stdin-closes", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&started.line).unwrap();
    assert_eq!(json["till"]["baseUrl"], json["https"]);
    assert_eq!((&json["key"], &json["till"]["caFile"]), (&"demo-key".into(), &json["ca"]));
    assert!(Path::new(json["till"]["journalPath"].as_str().unwrap()).is_absolute());
    drop(started.stdin.take());
    started.end();
    let arguments = ["--http", "0", "--https", "0", "--until-stdin-closes", "--print-env"];
    let output = command().args(arguments).stdin(Stdio::null()).output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let names: Vec<&str> = lines.lines().map(|line| line.split_once('=').unwrap().0).collect();
    assert_eq!(names[..2], ["export ENGAGE_SANDBOX", "export ENGAGE_URL"]);
    assert_eq!(names[2..], ["export ENGAGE_CA", "export ENGAGE_KEY", "export ENGAGE_CONFIG"]);
}

#[test]
fn a_port_alone_and_a_port_in_use_are_understood() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = command().args(["--http", &port, "--https", "0"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.code() == Some(1) && said.contains(&format!("cannot listen on 127.0.0.1:{port}: ")),
        "{said}"
    );
    assert!(said.contains("port 0 for a free port"), "{said}");
}
