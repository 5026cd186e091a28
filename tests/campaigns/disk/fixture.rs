//! A fixture: one sandbox, reused for many short runs of a till, each in a fresh folder. Several
//! fixtures work side by side.

use crate::judge::{self, Case, Journal, Record};
use crate::shim::{DISK, Event};
use crate::till::{TillCall, run_till};
use engage_sandbox::{Effect, Fault, Operation, Sandbox};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A member with enough points, and an item that can be bought.
pub const MEMBER: &str = "a0000000-0000-4000-8000-000000000003";
pub const COFFEE: &str = "b0000000-0000-4000-8000-000000000001";
/// An item that is declined now, and can be bought after [`Fixture::in_2099`].
pub const NEW_YEAR_2099: &str = "b0000000-0000-4000-8000-000000000005";
/// In ms since 1970. Every other item can be bought at that time too.
const SUMMER_OF_2099: i64 = 4_086_547_200_000;

/// The request timeout of the tills. The in-flight window is a tenth longer.
pub const REQUEST_MS: u64 = 300;

/// The number of fixtures at the same time. Most of a run is waiting.
const FIXTURES: usize = 6;

pub struct Fixture {
    pub sandbox: Sandbox,
}

/// One run of a till.
pub struct TillRun {
    pub calls: Vec<TillCall>,
    /// `None`: a signal killed the till.
    pub exit: Option<i32>,
    pub stderr: String,
}

impl Fixture {
    pub fn new() -> Self {
        Self { sandbox: Sandbox::builder().requests_per_second(None).start() }
    }

    /// Returns the configuration of a till of this fixture.
    pub fn config(&self, journal: &Path, extra: &Value) -> String {
        let mut config = json!({
            "baseUrl": self.sandbox.http_url(),
            "apiKey": self.sandbox.api_key(),
            "userAgent": "TestPOS/1.0",
            "journalPath": journal,
            "requestTimeoutMs": REQUEST_MS,
            // The sandbox's history has no lag.
            "historyLagMs": 0,
            "retryScheduleMs": [20, 40, 80],
            "startupJitterMs": 0,
            // One journal meets sandboxes at several addresses.
            "tenant": "store",
        });
        let extra = extra.as_object().cloned().unwrap_or_else(Map::new);
        config.as_object_mut().unwrap().extend(extra);
        config.to_string()
    }

    /// Runs a till in this place, with `fail` on a bad disk. The shim's record goes beside the
    /// folder.
    pub fn run(&self, place: &Place, fail: Option<&str>, script: &[String]) -> TillRun {
        Self::run_at(&self.config(&place.journal(), &json!({})), place, fail, script)
    }

    /// Does the same as [`Fixture::run`] with a configuration of its own.
    pub fn run_at(config: &str, place: &Place, fail: Option<&str>, script: &[String]) -> TillRun {
        let script: Vec<&str> = script.iter().map(String::as_str).collect();
        let mut till = run_till(config, &script);
        till.env("LD_PRELOAD", &*DISK).env("EPS_DISK_PREFIX", place.folder()).env("EPS_DISK_RECORD", place.record());
        if let Some(fail) = fail {
            till.env("EPS_DISK_FAIL", fail);
        }
        let output = till.output().unwrap();
        TillRun {
            calls: TillCall::parse(&String::from_utf8_lossy(&output.stdout)),
            exit: output.status.code(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs a till in the same folder on a good disk. The till opens, resolves, acknowledges all,
    /// sells once more and closes.
    pub fn recover(&self, place: &Place) -> Result<Vec<TillCall>, String> {
        let last = press(COFFEE, "the-next-sale");
        let script = ["resolve:10000", "list", "ackall", &last, "close"].map(str::to_owned);
        let script: Vec<&str> = script.iter().map(String::as_str).collect();
        // The wait is long enough for a busy machine.
        let config = self.config(&place.journal(), &json!({ "requestTimeoutMs": 5_000 }));
        let output = run_till(&config, &script).output().unwrap();
        let calls = TillCall::parse(&String::from_utf8_lossy(&output.stdout));
        if output.status.code() != Some(0) {
            return Err(format!(
                "the journal does not open again: {calls:?} {}",
                String::from_utf8_lossy(&output.stderr)
            ));
        }
        match calls.iter().find(|call| call.command == last).and_then(TillCall::code) {
            Some(0) => Ok(calls),
            code => Err(format!("the next sale returns {code:?}: {calls:?}")),
        }
    }

    /// Checks all rules after a recovery.
    pub fn judge(&self, place: &Place, calls: Vec<TillCall>) -> Result<judge::Found, String> {
        let journals = [Journal { records: Record::read_journal(&place.journal()), calls }];
        judge::judge(&Case {
            ledger: &self.sandbox.ledger(),
            requests: &self.sandbox.requests(),
            journals: &journals,
            // The in-flight window counts from before the request leaves. A busy machine may use
            // most of the window for that.
            in_flight_window: Duration::from_millis(REQUEST_MS / 3),
            resolved: true,
        })
    }

    pub fn posts(&self) -> usize {
        self.sandbox.requests().iter().filter(|request| request.method == "POST").count()
    }

    /// Moves the sandbox's clock, so that the item that was declined can be bought. A repeated
    /// request then shows as a deduction.
    pub fn in_2099(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        self.sandbox.set_clock_offset(SUMMER_OF_2099 - i64::try_from(now).unwrap());
    }

    /// Makes the next purchase request fail before it arrives.
    pub fn lose_a_request(&self) {
        self.sandbox.arm(Fault::on(Operation::Purchase, Effect::StallBeforeCommit));
    }

    /// Makes the next purchase complete and its response fail.
    pub fn lose_a_response(&self) {
        self.sandbox.arm(Fault::on(Operation::Purchase, Effect::StallAfterCommit));
    }

    /// Runs a till that closes before its purchase is resolved. On a busy machine the request may
    /// not have left by then: the next run presses the same sale, and waits longer.
    pub fn leave_pending(&self, place: &Place, reference: &str) -> Vec<TillCall> {
        self.lose_a_response();
        let (mut calls, mut wait_ms) = (Vec::new(), 250);
        while self.posts() == 0 {
            assert!(wait_ms < 60_000, "the request does not leave: {calls:?}");
            let config = self.config(&place.journal(), &json!({ "requestTimeoutMs": (2 * wait_ms).max(REQUEST_MS) }));
            let press = press(COFFEE, reference).replace(":10000", &format!(":{wait_ms}"));
            calls.extend(Self::run_at(&config, place, None, &[press, "close".to_owned()]).calls);
            wait_ms *= 2;
        }
        calls
    }
}

/// Returns the same press with a wait that ends before Engage responds, and not before the request
/// leaves.
pub fn with_short_wait(press: &str) -> String {
    press.replace(":10000", ":250")
}

/// Returns a press at the till.
pub fn press(item: &str, reference: &str) -> String {
    format!("purchase:{MEMBER}:{item}:{reference}:10000")
}

/// A folder for a journal, and the shim's record beside it.
pub struct Place(tempfile::TempDir);

impl Place {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("till")).unwrap();
        Self(folder)
    }

    pub fn folder(&self) -> PathBuf {
        self.0.path().join("till")
    }

    pub fn journal(&self) -> PathBuf {
        self.folder().join("journal.db")
    }

    fn record(&self) -> PathBuf {
        self.0.path().join("record")
    }

    /// Returns the entries that were recorded since the last call.
    pub fn take_events(&self) -> Vec<Event> {
        if !self.record().exists() {
            return Vec::new();
        }
        let events = Event::read(&self.record());
        std::fs::remove_file(self.record()).unwrap();
        events
    }
}

/// Counts of a campaign beside its points.
pub type Counts = BTreeMap<String, usize>;

/// Tries every point on fixtures side by side, prints the summary and panics with the first
/// violation. All violations go into a file of the folder EPS_DISK_VIOLATIONS, if it is set.
pub fn campaign<T: Sync>(
    name: &str,
    points: &[T],
    further: &str,
    check: impl Fn(&Fixture, &T) -> Result<Counts, String> + Sync,
) {
    let next = AtomicUsize::new(0);
    let found: Mutex<(Counts, Vec<String>)> = Mutex::default();
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..FIXTURES.min(points.len()) {
            scope.spawn(|| {
                let fixture = Fixture::new();
                while let Some(point) = points.get(next.fetch_add(1, Ordering::Relaxed)) {
                    fixture.sandbox.reset();
                    let result = check(&fixture, point);
                    let mut found = found.lock().unwrap();
                    match result {
                        Ok(counts) => counts.into_iter().for_each(|(what, n)| *found.0.entry(what).or_default() += n),
                        Err(violation) => found.1.push(violation),
                    }
                }
            });
        }
    });
    let (counts, violations) = found.into_inner().unwrap();
    let counts: Vec<String> = counts.iter().map(|(what, n)| format!("{n} {what}")).collect();
    println!(
        "campaign {name}: {} points tried, {} violations, {}{further} ({:.1} s)",
        points.len(),
        violations.len(),
        counts.join(", "),
        began.elapsed().as_secs_f32(),
    );
    if let Ok(folder) = std::env::var("EPS_DISK_VIOLATIONS") {
        std::fs::write(Path::new(&folder).join(format!("{name}.txt")), violations.join("\n\n")).unwrap();
    }
    if let Some(first) = violations.first() {
        panic!("{first}");
    }
}

/// Returns at most `most` of `all`, evenly spaced, always the same.
pub fn sample<T: Clone>(all: &[T], most: usize) -> Vec<T> {
    if all.len() <= most {
        return all.to_vec();
    }
    (0..most).map(|at| all[at * all.len() / most].clone()).collect()
}
