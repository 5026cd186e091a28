//! Shared parts of the campaigns: a store with a journal on disk, the budget, a random number with
//! a seed, and workers.

use crate::judge::{self, Case, Found, Journal, Record};
use crate::till::{TillCall, run_script};
use engage_sandbox::{RequestEntry, Sandbox};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// `requestTimeoutMs` of every till here. The in-flight window is a tenth more.
pub const REQUEST_MS: u64 = 300;
pub const IN_FLIGHT_WINDOW: Duration = Duration::from_millis(REQUEST_MS + REQUEST_MS / 10);

/// Returns whether every point is tried instead of a sample.
pub fn full() -> bool {
    std::env::var("EPS_BUDGET").is_ok_and(|budget| budget == "full")
}

/// Returns a number from the environment.
pub fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

/// Runs one campaign at a time.
pub fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the seed of this run: `EPS_SEED`, else a fresh one.
pub fn seed() -> u64 {
    setting("EPS_SEED").unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().1 >> 32)
}

/// A sandbox and a folder for journals.
pub struct Store {
    pub sandbox: Sandbox,
    folder: tempfile::TempDir,
    silent: TcpListener,
}

impl Store {
    pub fn open() -> Self {
        Self {
            sandbox: Sandbox::builder().requests_per_second(None).start(),
            folder: tempfile::tempdir().expect("a temporary folder"),
            silent: TcpListener::bind("127.0.0.1:0").expect("a free port"),
        }
    }

    /// Returns the URL of a port that accepts connections and never responds.
    pub fn silent_url(&self) -> String {
        format!("https://{}", self.silent.local_addr().expect("it listens"))
    }

    /// Returns a path for a new journal.
    pub fn journal(&self, name: &str) -> PathBuf {
        let folder = self.folder.path().join(name);
        std::fs::create_dir_all(&folder).expect("the folder is ours");
        folder.join("journal.db")
    }

    pub fn config(&self, journal: &Path, url: &str) -> String {
        json!({
            "baseUrl": url,
            "apiKey": self.sandbox.api_key(),
            "userAgent": "TestPOS/1.0",
            "caFile": self.sandbox.ca_file(),
            "systemTrust": false,
            "requestTimeoutMs": REQUEST_MS,
            // The sandbox's history has no lag.
            "historyLagMs": 0,
            "retryScheduleMs": [20, 40, 80],
            "startupJitterMs": 0,
            // A till reaches one store by several addresses.
            "tenant": "store",
            "journalPath": journal,
        })
        .to_string()
    }

    /// Judges the journals and the ledger at this moment.
    pub fn judge(
        &self,
        requests: &[RequestEntry],
        journals: Vec<(PathBuf, Vec<TillCall>)>,
        resolved: bool,
    ) -> Result<Found, String> {
        let journals: Vec<Journal> =
            journals.into_iter().map(|(path, calls)| Journal { records: Record::read_journal(&path), calls }).collect();
        let ledger = self.sandbox.ledger();
        judge::judge(&Case {
            ledger: &ledger,
            requests,
            journals: &journals,
            in_flight_window: IN_FLIGHT_WINDOW,
            resolved,
        })
    }
}

/// Runs the till after the faults ended: it resolves every outcome, lists them and acknowledges
/// them. All of it must succeed. `again` is pressed when all is known, more than once, because on a
/// busy machine a press may end as "not sent".
pub fn recover(config: &str, again: Option<&str>) -> Result<Vec<TillCall>, String> {
    let mut script = vec!["resolve:60000", "list"];
    script.extend(again.iter().flat_map(|press| [*press; 4]));
    script.extend(["ackall", "list", "close"]);
    let calls = run_script(config, &script);
    for call in &calls {
        let may_fail = ["purchase", "named", "redeem"].contains(&call.verb());
        if call.code() != Some(0) && !may_fail {
            return Err(format!("after the faults ended: {call:?}"));
        }
        if call.verb() == "resolve" && call.json("pending") != 0 {
            return Err(format!(
                "not all is resolved after the faults ended: {:?}; {}",
                call.result,
                pending_for(&calls)
            ));
        }
    }
    let pending = pending_for(&calls);
    if !pending.is_empty() {
        return Err(format!("resolved, and still pending: {pending}"));
    }
    let left = calls.iter().rev().find(|call| call.verb() == "list");
    if left.is_none_or(|call| call.json("operations") != &json!([])) {
        return Err(format!("acknowledged, and still listed: {left:?}"));
    }
    Ok(calls)
}

/// Returns why operations are pending in the first list: each reason with its count and one
/// example. Empty if none is pending.
fn pending_for(calls: &[TillCall]) -> String {
    let shown = calls.iter().find(|call| call.verb() == "list").map_or(&Value::Null, |call| call.json("operations"));
    let mut reasons: BTreeMap<String, (usize, &Value)> = BTreeMap::new();
    for operation in
        shown.as_array().expect("the script has a list command").iter().filter(|one| one["outcome"] == "pending")
    {
        let reason = format!("{} {}", operation["name"], operation["httpStatus"]);
        reasons.entry(reason).or_insert((0, operation)).0 += 1;
    }
    let lines: Vec<String> =
        reasons.iter().map(|(reason, (count, one))| format!("{count} of {reason}, such as {one}")).collect();
    lines.join("; ")
}

/// Does every job on one of several workers with its own store, and stops at the first failure.
/// Most of a job is waiting for an in-flight window, so that there are more workers than
/// processors.
pub fn in_parallel<J: Sync, R: Send>(
    workers: usize,
    jobs: &[J],
    work: impl Fn(&Store, &J) -> Result<R, String> + Sync,
) -> (Vec<R>, Option<String>) {
    let next = AtomicUsize::new(0);
    let (results, failed) = (Mutex::new(Vec::new()), Mutex::new(None));
    std::thread::scope(|scope| {
        for _ in 0..workers.min(jobs.len()) {
            scope.spawn(|| {
                let store = Store::open();
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match work(&store, job) {
                        Ok(result) => results.lock().expect("no worker panics with it").push(result),
                        Err(why) => {
                            next.store(jobs.len(), Ordering::Relaxed);
                            failed.lock().expect("no worker panics with it").get_or_insert(why);
                        }
                    }
                }
            });
        }
    });
    (results.into_inner().expect("the workers have ended"), failed.into_inner().expect("the workers have ended"))
}
