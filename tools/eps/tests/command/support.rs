//! A sandbox, a till's configuration and runs of the binary.

use engage_point_shop::{Client, ContactId, ItemId};
use engage_sandbox::seed::demo;
use engage_sandbox::{Effect, Fault, FaultResponse, Operation, Sandbox};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use uuid::Uuid;

pub const LOAD: ContactId = ContactId::from_uuid(demo::LOAD);
pub const COFFEE: ItemId = ItemId::from_uuid(demo::COFFEE);

/// An item of the sandbox by the last byte of its id.
pub fn item(last: u8) -> ItemId {
    ItemId::from_uuid(Uuid::from_u128(0xb000_0000_0000_4000_8000_0000_0000_0000 | u128::from(last)))
}

/// Purchased, and the status is 502: pending.
pub const GATEWAY_ERROR: u8 = 0x26;

pub struct Store {
    pub sandbox: Sandbox,
    pub folder: tempfile::TempDir,
}

impl Store {
    pub fn open() -> Self {
        let sandbox = Sandbox::builder().requests_per_second(None).start();
        Self { sandbox, folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns a till's configuration. The till queries nothing by itself within an hour.
    pub fn config(&self, extra: &Value) -> Value {
        let mut config = json!({
            "baseUrl": self.sandbox.https_url(),
            "apiKey": self.sandbox.api_key(),
            "userAgent": "TestPOS/1.0",
            "caFile": self.sandbox.ca_file(),
            "systemTrust": false,
            "requestTimeoutMs": 5_000,
            "historyLagMs": 0,
            "retryScheduleMs": [3_600_000],
            "startupJitterMs": 3_600_000,
            "tenant": "store",
            "preconnect": false,
            "journalPath": self.path("journal.db"),
        });
        let map = config.as_object_mut().unwrap();
        map.extend(extra.as_object().cloned().unwrap_or_else(Map::new));
        map.retain(|_, value| !value.is_null());
        config
    }

    /// Writes the configuration's file.
    pub fn write_config(&self, extra: &Value) -> PathBuf {
        let path = self.path("till.json");
        std::fs::write(&path, self.config(extra).to_string()).unwrap();
        path
    }

    pub fn till(&self) -> Client {
        self.till_with(&json!({}))
    }

    pub fn till_with(&self, extra: &Value) -> Client {
        self.write_config(extra);
        Client::open(&self.config(extra).to_string()).unwrap()
    }

    /// Buys an item whose response proves nothing, with a till that ends. Returns the id of the
    /// pending operation, which nobody queries by itself. `number`: the end of the id.
    pub fn buy_pending(&self, item: ItemId, reference: &str, extra: &Value, number: u8) -> String {
        // The till may query once while its caller leaves.
        let effect = Effect::Status(FaultResponse::status(503));
        self.sandbox.arm(Fault::on(Operation::Purchases, effect).times(0));
        let till = Client::open(&self.config(extra).to_string()).unwrap();
        let id = Uuid::from_u128(0xd000_0000_0000_4000_8000_0000_0000_0000 | u128::from(number));
        let options = json!({ "reference": reference, "purchaseId": id, "submit": true }).to_string();
        let submitted = till.purchase(LOAD, item, Some(&options)).unwrap_err();
        let id = submitted.operation().unwrap();
        eventually("the response is recorded", || {
            let operation = parse(&till.get_operation(id).unwrap());
            (operation["lastCode"].is_i64()).then_some(())
        });
        till.close();
        self.sandbox.clear_faults();
        id.to_string()
    }

    /// Runs the binary with the till's configuration.
    pub fn eps(&self, arguments: &[&str]) -> Run {
        eps(&[&["--config", self.path("till.json").to_str().unwrap()], arguments].concat())
    }
}

/// Buys, and returns the operation's id.
pub fn buy(client: &Client, item: ItemId, reference: &str) -> String {
    let options = json!({ "reference": reference }).to_string();
    let result = client.purchase(LOAD, item, Some(&options));
    let json = result.unwrap_or_else(|error| error.to_json());
    // A completion is reported before it is stored; a list stores it.
    client.list_operations(None).unwrap();
    parse(&json)["operationId"].as_str().unwrap().to_owned()
}

pub fn parse(json: &[u8]) -> Value {
    serde_json::from_slice(json).unwrap()
}

pub struct Run {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Run {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {} {}", self.out, self.err))
    }

    /// Checks the exit code, and returns the run.
    #[track_caller]
    pub fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    pub fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.out.contains(part) || self.err.contains(part), "{part:?} in\n{}\n{}", self.out, self.err);
        }
        // A line of JSON stands whole, to be copied.
        let is_wide = |line: &&str| line.chars().count() > 80 && !line.trim_start().starts_with('"');
        assert_eq!(self.out.lines().find(is_wide), None, "wider than 80 columns:\n{}", self.out);
        self
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eps"));
    command.args(arguments).stdin(Stdio::null()).env_remove("ENGAGE_API_KEY");
    command
}

pub fn eps(arguments: &[&str]) -> Run {
    command(arguments).output().unwrap().into()
}

/// A process that ends with the test.
pub struct Running(pub std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The files of a folder and their contents.
pub fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

/// Checks that a folder has the same files with the same contents as before.
#[track_caller]
pub fn unchanged(folder: &Path, before: &BTreeMap<PathBuf, Vec<u8>>) {
    let now = contents(folder);
    assert_eq!(now.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    let changed: Vec<&PathBuf> = now.keys().filter(|path| now.get(*path) != before.get(*path)).collect();
    assert!(changed.is_empty(), "{changed:?} changed");
}

/// Waits until a check finds something. Panics after ten seconds.
pub fn eventually<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = check() {
            return found;
        }
        assert!(Instant::now() < until, "{what}: not within 10 s");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}
