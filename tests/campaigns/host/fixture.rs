//! A sandbox, a folder for a journal, and a till that sells by reference.

use engage_point_shop::{Client, Code, ContactId, Error, ItemId};
use engage_sandbox::{Effect, Fault, LedgerKind, Operation, Sandbox};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A member with enough points, and an item that can be bought.
pub const MEMBER: &str = "a0000000-0000-4000-8000-000000000003";
pub const COFFEE: &str = "b0000000-0000-4000-8000-000000000001";

pub struct Fixture {
    pub sandbox: Sandbox,
    folder: tempfile::TempDir,
}

impl Fixture {
    pub fn new() -> Self {
        Self { sandbox: Sandbox::builder().requests_per_second(None).start(), folder: tempfile::tempdir().unwrap() }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Makes an empty folder for a journal and returns the journal's path.
    pub fn place(&self, name: &str) -> PathBuf {
        let folder = self.folder().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        folder.join("journal.db")
    }

    pub fn config(&self, journal: &Path, extra: &Value) -> String {
        let mut config = json!({
            "baseUrl": self.sandbox.http_url(),
            "apiKey": self.sandbox.api_key(),
            "userAgent": "TestPOS/1.0",
            "journalPath": journal,
            "requestTimeoutMs": 2_000,
            "historyLagMs": 0,
            "retryScheduleMs": [20, 40, 80],
            "startupJitterMs": 0,
            "preconnect": false,
            "waitMs": 5_000,
        });
        let extra = extra.as_object().cloned().unwrap_or_else(Map::new);
        config.as_object_mut().unwrap().extend(extra);
        config.to_string()
    }

    pub fn open(&self, journal: &Path) -> Result<Client, Error> {
        Client::open(&self.config(journal, &json!({})))
    }

    pub fn open_with(&self, journal: &Path, extra: &Value) -> Result<Client, Error> {
        Client::open(&self.config(journal, extra))
    }

    /// Returns the number of deductions so far.
    pub fn deductions(&self) -> usize {
        self.sandbox.ledger().iter().filter(|entry| entry.kind == LedgerKind::Deduct).count()
    }
}

/// Buys by a reference.
pub fn buy(client: &Client, reference: &str) -> Result<Value, Error> {
    let (contact, item) = (ContactId::parse(MEMBER, "contact").unwrap(), ItemId::parse(COFFEE, "item").unwrap());
    let options = json!({ "reference": reference }).to_string();
    client.purchase(contact, item, Some(&options)).map(|json| serde_json::from_slice(&json).unwrap())
}

/// Begins a sale that Engage makes and whose response does not come.
pub fn begin_sale_without_response(fixture: &Fixture, client: &Client, reference: &str) {
    let before = fixture.deductions();
    fixture.sandbox.arm(Fault::on(Operation::Purchase, Effect::StallAfterCommit));
    let (contact, item) = (ContactId::parse(MEMBER, "contact").unwrap(), ItemId::parse(COFFEE, "item").unwrap());
    let options = json!({ "reference": reference, "submit": true }).to_string();
    assert_eq!(client.purchase(contact, item, Some(&options)).unwrap_err().code(), Code::PendingSubmitted);
    let until = Instant::now() + Duration::from_secs(60);
    while fixture.deductions() == before {
        assert!(Instant::now() < until, "the sale does not reach Engage");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// Buys by a reference and returns the code.
pub fn code_of_sale(client: &Client, reference: &str) -> Code {
    buy(client, reference).map_or_else(|error| error.code(), |_| Code::Ok)
}

/// The files of a journal and their content.
pub type Files = BTreeMap<&'static str, Vec<u8>>;

pub const SUFFIXES: [&str; 3] = ["", "-wal", "-seal"];

pub fn beside(journal: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", journal.display()))
}

/// Reads the files as they are now: what a killed process leaves.
pub fn files_of(journal: &Path) -> Files {
    SUFFIXES
        .into_iter()
        .filter_map(|suffix| std::fs::read(beside(journal, suffix)).ok().map(|content| (suffix, content)))
        .collect()
}

/// Writes files into a folder that has no others.
pub fn write_files(journal: &Path, files: &Files) {
    use std::os::unix::fs::OpenOptionsExt;
    for suffix in ["", "-wal", "-shm", "-seal", "-journal"] {
        let _ = std::fs::remove_file(beside(journal, suffix));
    }
    for (suffix, content) in files {
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(beside(journal, suffix)).unwrap();
        std::io::Write::write_all(&mut file, content).unwrap();
    }
}
