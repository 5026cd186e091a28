//! The state file: everything acknowledged is kept, whatever ends the sandbox.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread;

use engage_sandbox::seed::demo::{ASTRID, COFFEE, LOAD, SLOW};
use engage_sandbox::{Clock, LedgerKind, Sandbox, Seed, Snapshot, Time};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::{Connection, purchase, request};

fn open(file: &Path) -> Sandbox {
    Sandbox::builder().state_file(file).start()
}

#[test]
fn a_state_file_restores_every_store() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("shop.db");
    let slow = Uuid::new_v4();
    let before = {
        let sandbox = open(&file);
        let other = sandbox.add_store("other", Seed::demo()).unwrap();
        sandbox.add_store("removed", Seed::demo()).unwrap();
        let mut till = Connection::open(&sandbox);
        till.send(&crate::client::with_headers("DELETE", "/_sandbox/stores?store=removed", "", ""));
        assert_eq!(till.response().unwrap().status, 204);
        sandbox.set_clock(Clock::Stands(Time::from_millis(1_800_000_000_000)));
        till.buy(ASTRID, Uuid::new_v4(), COFFEE);
        till.buy(ASTRID, slow, SLOW);
        let redeem = format!("/api/v3/promotion-assignments/{}/redeem", sandbox.assignments(ASTRID)[0].id);
        assert_eq!(till.post(&redeem, &json!({ "redemptionChannel": "POS" })).status, 200);
        sandbox.set(|settings| settings.api_mapping.envelope = true).unwrap();
        sandbox.set_requests_per_second(Some(7));
        other.add_member(engage_sandbox::Member::new("New", 3)).unwrap();
        (sandbox.snapshot(), other.snapshot(), sandbox.ledger())
    };

    let sandbox = open(&file);
    let other = sandbox.store("other").unwrap();
    assert!(sandbox.store("removed").is_none());
    assert_eq!((sandbox.snapshot(), other.snapshot(), sandbox.ledger()), before);
    sandbox.set_clock(sandbox.clock().advanced(1_500));
    assert_eq!(sandbox.ledger().last().unwrap().purchase_id, slow);
    sandbox.reset();
    drop((other, sandbox));

    let sandbox = open(&file);
    assert_eq!((sandbox.balance(ASTRID), sandbox.ledger().len()), (Some(1200), 0));
    assert_eq!(sandbox.store("other").unwrap().snapshot(), before.1);
}

#[test]
fn a_snapshot_is_restored_and_an_invalid_one_is_not() {
    let sandbox = Sandbox::builder().start();
    let mut till = Connection::open(&sandbox);
    till.buy(ASTRID, Uuid::new_v4(), COFFEE);
    let response = till.post("/_sandbox/snapshot", &json!(null));
    let snapshot: Value = response.json();
    till.buy(ASTRID, Uuid::new_v4(), COFFEE);
    sandbox.set_clock_offset(5);
    assert_eq!(till.post("/_sandbox/restore", &snapshot).status, 204);
    assert_eq!((sandbox.balance(ASTRID), sandbox.ledger().len()), (Some(1100), 2));
    assert_eq!(json!(sandbox.snapshot()), snapshot);

    for (pointer, wrong, field) in [
        ("/store/purchases/0/contactId", json!(COFFEE), "store.purchases[0].contactId"),
        ("/store/purchases/0/cost", json!(5000), "store.purchases[0].cost"),
        ("/store/assignments/0/itemId", json!(ASTRID), "store.assignments[0].itemId"),
        ("/store/members/0/contactId", json!("x"), "store.members[0].contactId"),
        ("/settings/apiMapping/rewardsPath", json!("/"), "settings.apiMapping.rewardsPath"),
    ] {
        let mut broken = snapshot.clone();
        *broken.pointer_mut(pointer).unwrap() = wrong;
        let response = till.post("/_sandbox/restore", &broken);
        assert_eq!((response.status, &response.json()["field"]), (400, &json!(field)), "{response:?}");
    }
    assert_eq!(sandbox.balance(ASTRID), Some(1100));
    serde_json::from_value::<Snapshot>(snapshot).unwrap();
}

#[test]
fn a_state_file_in_use_or_of_another_program_is_rejected() {
    let dir = tempfile::tempdir().unwrap();
    let rejection = |file: &Path| Sandbox::builder().state_file(file).try_start().unwrap_err().to_string();
    let file = dir.path().join("shop.db");
    let sandbox = open(&file);
    assert!(
        rejection(&file).ends_with("shop.db is in use by another sandbox. Stop that sandbox, or use another file"),
        "{}",
        rejection(&file)
    );
    drop(sandbox);
    drop(open(&file));

    let text = dir.path().join("notes.txt");
    std::fs::write(&text, "Not a database, and long enough to be read as one if it were.".repeat(20)).unwrap();
    assert!(rejection(&text).ends_with("notes.txt is not a state file. Use another file"), "{}", rejection(&text));
    assert!(std::fs::read_to_string(&text).unwrap().starts_with("Not a database"));
    let newer = dir.path().join("newer.db");
    drop(open(&newer));
    rusqlite::Connection::open(&newer).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert!(rejection(&newer).contains("format 99"), "{}", rejection(&newer));
    assert!(rejection(&dir.path().join("no/such/folder.db")).contains("folder.db"));
}

/// The binary with a state file. Dropping it kills it, like a power cut.
struct Process {
    child: Child,
    address: String,
}

impl Process {
    fn start(file: &Path) -> Process {
        Process::spawn(&mut Command::new(env!("CARGO_BIN_EXE_engage-sandbox")), file)
    }

    fn spawn(command: &mut Command, file: &Path) -> Process {
        let mut child = command
            .args(["--http", "0", "--https", "0", "--until-stdin-closes", "--state"])
            .arg(file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.split_whitespace().find_map(|part| part.strip_prefix("http=http://")).unwrap().to_owned();
        Process { child, address }
    }

    /// Kills the binary, with SIGKILL on Unix.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn send(stream: &mut TcpStream, raw: &str) -> Option<(u16, String)> {
        stream.write_all(raw.as_bytes()).ok()?;
        let mut reader = BufReader::new(stream);
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            let start = head.len();
            if reader.read_line(&mut head).ok()? == 0 {
                return None;
            }
            if let Some(value) = head[start..].to_ascii_lowercase().strip_prefix("content-length: ") {
                length = value.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        Some((head.split(' ').nth(1)?.parse().ok()?, String::from_utf8(body).ok()?))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_sandbox_killed_under_load_loses_nothing_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("shop.db");
    let acknowledged = Mutex::new(Vec::new());
    let asked = Mutex::new(HashSet::new());
    for round in 1..=3 {
        let process = Mutex::new(Process::start(&file));
        let address = process.lock().unwrap().address.clone();
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let mut stream = TcpStream::connect(&address).unwrap();
                    loop {
                        let id = Uuid::new_v4();
                        asked.lock().unwrap().insert(id);
                        match Process::send(&mut stream, &purchase(LOAD, id, COFFEE)) {
                            Some((200, _)) => {
                                let mut acknowledged = acknowledged.lock().unwrap();
                                acknowledged.push(id);
                                if acknowledged.len() == round * 60 {
                                    process.lock().unwrap().kill();
                                }
                            }
                            Some((status @ (429 | 422), _)) => assert!(status == 429, "out of points"),
                            Some(other) => panic!("{other:?}"),
                            None => return,
                        }
                    }
                });
            }
        });
    }

    // The first check reads the ledger by HTTP, the second one reads the file after another kill.
    let mut process = Process::start(&file);
    let mut stream = TcpStream::connect(&process.address).unwrap();
    let points = request("GET", &format!("/api/v3/point-accounts?contactId={LOAD}"), "");
    let balance: Value = serde_json::from_str(&Process::send(&mut stream, &points).unwrap().1).unwrap();
    process.kill();
    let sandbox = open(&file);
    let ledger = sandbox.ledger();
    let deducted: Vec<Uuid> =
        ledger.iter().filter(|entry| entry.kind == LedgerKind::Deduct).map(|entry| entry.purchase_id).collect();
    let (acknowledged, asked) = (acknowledged.into_inner().unwrap(), asked.into_inner().unwrap());
    assert!(acknowledged.len() >= 180);
    for id in &acknowledged {
        assert_eq!(deducted.iter().filter(|deducted| *deducted == id).count(), 1, "{id} was acknowledged");
    }
    assert!(deducted.iter().all(|id| asked.contains(id)));
    let spent = 100 * u32::try_from(deducted.len()).unwrap();
    assert_eq!(sandbox.balance(LOAD), Some(100_000 - spent));
    assert_eq!(balance[0]["balance"], json!(f64::from(100_000 - spent)));
    assert_eq!(sandbox.purchases(LOAD).len(), deducted.len());
}

#[cfg(unix)]
#[test]
fn a_state_file_that_cannot_grow_ends_responses_without_loss() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("shop.db");
    drop(open(&file));
    // The limit of the file size has the effect of a full disk.
    let limited = ["-c", "trap '' XFSZ; ulimit -f 600; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_engage-sandbox")];
    let mut process = Process::spawn(Command::new("sh").args(limited), &file);
    let mut stream = TcpStream::connect(&process.address).unwrap();
    let mut acknowledged = Vec::new();
    let rejection = loop {
        let id = Uuid::new_v4();
        match Process::send(&mut stream, &purchase(LOAD, id, COFFEE)).unwrap() {
            (200, _) => acknowledged.push(id),
            (429, _) => {}
            (status, body) => break (status, body),
        }
    };
    assert!(rejection.0 == 500 && rejection.1.contains("cannot write its state file"), "{rejection:?}");
    let points = request("GET", &format!("/api/v3/point-accounts?contactId={LOAD}"), "");
    assert_eq!(Process::send(&mut stream, &points).unwrap().0, 500);
    process.kill();
    let kept: Vec<Uuid> = open(&file).ledger().iter().map(|entry| entry.purchase_id).collect();
    assert!(!acknowledged.is_empty() && acknowledged.iter().all(|id| kept.contains(id)));
}
