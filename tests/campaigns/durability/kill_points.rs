//! SIGKILL at every system call of open, purchase, resolve, acknowledge and close, then a restart,
//! then the judge. Threads make a scenario's number of points vary a little from run to run. A
//! point beyond the end is a complete run.

use crate::campaign::{Store, alone, full, in_parallel, recover, seed, setting};
use crate::random::Random;
use crate::till::{TillCall, build_folder, compile, run_script, run_till};
use engage_sandbox::seed::demo;
use engage_sandbox::{Effect, Fault, FaultResponse, Operation};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// The action during which the kill comes.
struct Scenario {
    name: &'static str,
    /// The URL that the till uses until it is killed. Afterwards the till uses the sandbox.
    reaches: Server,
    /// Tills that ran before, and were not killed.
    prepare: fn(&Store, config: &str) -> Vec<TillCall>,
    script: &'static [Call],
    /// The press after the restart, when all is resolved.
    again: Option<Call>,
    /// The number of deductions in the end, at least and at most.
    deductions: (usize, usize),
}

#[derive(Clone, Copy, PartialEq)]
enum Server {
    Https,
    Http,
    /// A port without a server.
    Nobody,
    /// A port that accepts the connection and never responds.
    Silence,
}

#[derive(Clone, Copy)]
enum Call {
    /// Contact, item, reference, the cashier's wait.
    Buy(Uuid, Uuid, &'static str, u32),
    Do(&'static str),
}

impl Call {
    fn word(self) -> String {
        match self {
            Call::Buy(contact, item, reference, wait) => format!("purchase:{contact}:{item}:{reference}:{wait}"),
            Call::Do(word) => word.to_owned(),
        }
    }
}

const COFFEE: Call = Call::Buy(demo::LOAD, demo::COFFEE, "R1", 5_000);
const COFFEE_WITH_SHORT_WAIT: Call = Call::Buy(demo::LOAD, demo::COFFEE, "R1", 100);
const TOTE: Call = Call::Buy(demo::LOAD, demo::TOTE_BAG, "R2", 5_000);
const CAKE: Call = Call::Buy(demo::BJORN, demo::ONLY_BJORN, "R0", 5_000);
const NO_POINTS: Call = Call::Buy(demo::BJORN, demo::GIFT_CARD, "R1", 5_000);
const ACKNOWLEDGE: Call = Call::Do("ackall");
const CLOSE: Call = Call::Do("close");

const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "purchase-https",
        reaches: Server::Https,
        prepare: nothing,
        script: &[COFFEE, ACKNOWLEDGE, CLOSE],
        again: Some(COFFEE),
        deductions: (1, 1),
    },
    Scenario {
        name: "purchase-http-nameless",
        reaches: Server::Http,
        prepare: nothing,
        script: &[Call::Buy(demo::LOAD, demo::COFFEE, "", 5_000), CLOSE],
        again: None,
        deductions: (0, 1),
    },
    // If the response is lost, only a history with a row proves the decline of the repeat.
    Scenario {
        name: "declined",
        reaches: Server::Http,
        prepare: |_, config| run_script(config, &[&CAKE.word(), "ackall", "close"]),
        script: &[NO_POINTS, ACKNOWLEDGE, CLOSE],
        again: Some(NO_POINTS),
        deductions: (1, 1),
    },
    Scenario {
        name: "response-lost",
        reaches: Server::Https,
        prepare: |store, _| {
            store.sandbox.arm(Fault::on(Operation::Purchase, Effect::ResetAfterCommit));
            Vec::new()
        },
        script: &[COFFEE, ACKNOWLEDGE, CLOSE],
        again: Some(COFFEE),
        deductions: (1, 1),
    },
    Scenario {
        name: "resolve-lost-request",
        reaches: Server::Https,
        prepare: |store, config| pending(store, config, Effect::CloseBeforeCommit),
        script: &[Call::Do("resolve:5000"), Call::Do("list"), ACKNOWLEDGE, CLOSE],
        again: Some(COFFEE),
        deductions: (1, 1),
    },
    Scenario {
        name: "resolve-lost-response",
        reaches: Server::Http,
        prepare: |store, config| pending(store, config, Effect::CloseAfterCommit),
        script: &[Call::Do("resolve:5000"), Call::Do("list"), ACKNOWLEDGE, CLOSE],
        again: Some(COFFEE),
        deductions: (1, 1),
    },
    // An outcome "not sent" stays, also when the till is killed right after it reported the
    // outcome.
    Scenario {
        name: "offline",
        reaches: Server::Nobody,
        prepare: nothing,
        script: &[COFFEE, Call::Do("list"), CLOSE],
        again: None,
        deductions: (0, 1),
    },
    Scenario {
        name: "withdrawn",
        reaches: Server::Silence,
        prepare: nothing,
        script: &[COFFEE_WITH_SHORT_WAIT, Call::Do("list"), CLOSE],
        again: None,
        deductions: (0, 1),
    },
    Scenario {
        name: "close-under-way",
        reaches: Server::Http,
        prepare: |store, _| {
            store.sandbox.arm(Fault::on(Operation::Purchase, Effect::StallAfterCommit));
            Vec::new()
        },
        script: &[COFFEE_WITH_SHORT_WAIT, CLOSE, Call::Do("reopen"), CLOSE],
        again: Some(COFFEE),
        deductions: (1, 1),
    },
    Scenario {
        name: "checkpoint",
        reaches: Server::Http,
        prepare: full_wal,
        script: &[COFFEE, ACKNOWLEDGE, CLOSE],
        again: Some(COFFEE),
        deductions: (1, 1),
    },
    Scenario {
        name: "acknowledge",
        reaches: Server::Http,
        prepare: |_, config| run_script(config, &[&COFFEE.word()]),
        script: &[Call::Do("list"), ACKNOWLEDGE, Call::Do("list"), CLOSE],
        again: Some(COFFEE),
        deductions: (1, 1),
    },
    Scenario {
        name: "open-existing",
        reaches: Server::Http,
        prepare: |_, config| run_script(config, &[&COFFEE.word(), "ackall", &TOTE.word(), "close"]),
        script: &[CLOSE, Call::Do("reopen"), CLOSE],
        again: Some(COFFEE),
        deductions: (2, 2),
    },
];

fn nothing(_: &Store, _: &str) -> Vec<TillCall> {
    Vec::new()
}

/// Runs a till that leaves a purchase pending, because its request or response was lost.
fn pending(store: &Store, config: &str, lost: Effect) -> Vec<TillCall> {
    store.sandbox.arm(Fault::on(Operation::Purchase, lost));
    store.sandbox.arm(Fault::on(Operation::Purchases, Effect::Status(FaultResponse::status(503))).times(0));
    let mut calls = Vec::new();
    // On a busy machine the wait may end before the journal is ready. The same press again is the
    // same purchase.
    while calls.iter().all(|call: &TillCall| call.json("operationId").is_null()) {
        calls.extend(run_script(config, &[&COFFEE_WITH_SHORT_WAIT.word()]));
    }
    store.sandbox.clear_faults();
    calls
}

/// Provides a journal whose write-ahead log is due for a checkpoint, so that the next run makes it
/// after its first purchase. Declined purchases have filled the log. They are in no ledger, so that
/// one journal serves all runs.
fn full_wal(_: &Store, config: &str) -> Vec<TillCall> {
    const DUE: u64 = 2 << 20;
    static FILLED: LazyLock<(Store, PathBuf)> = LazyLock::new(|| {
        let store = Store::open();
        let journal = store.journal("long-log");
        let config = store.config(&journal, &store.sandbox.http_url());
        let declined = format!("purchase:{}:{}:F#:5000", demo::BJORN, demo::GIFT_CARD);
        run_script(&config, &["loop:200", &declined]);
        run_script(&config, &["ackall"]);
        let log = std::fs::metadata(journal.with_extension("db-wal")).expect("it is kept").len();
        assert!(log >= DUE, "the log has {log} bytes");
        (store, journal)
    });
    let to = journal_of(config);
    for part in ["db", "db-wal", "db-seal"] {
        std::fs::copy(FILLED.1.with_extension(part), to.with_extension(part)).expect("all are there");
    }
    Vec::new()
}

fn journal_of(config: &str) -> PathBuf {
    let config: Value = serde_json::from_str(config).expect("we made it");
    config["journalPath"].as_str().expect("we gave it").into()
}

/// Returns the program that kills.
static KILL_AT: LazyLock<PathBuf> = LazyLock::new(|| {
    let program = build_folder().join("kill_at");
    compile(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/campaigns/durability/kill_at.c"), &program, &[]);
    program
});

/// The place of a kill: `before pwrite64`. `None`: the till had ended by then.
pub type Hit = Option<String>;

/// Runs a till that is killed at a point, 0 for never. Returns its calls, the place of the kill,
/// and all points in order if there was no kill.
pub fn killed_at(point: usize, config: &str, script: &[String]) -> (Vec<TillCall>, Hit, Vec<String>) {
    let script: Vec<&str> = script.iter().map(String::as_str).collect();
    let till = run_till(config, &script);
    let output = Command::new(&*KILL_AT)
        .arg(point.to_string())
        .arg("BEGIN open")
        .arg(till.get_program())
        .args(till.get_args())
        .output()
        .expect("kill_at runs");
    let says = String::from_utf8_lossy(&output.stderr);
    let of = |start: &str| -> Vec<String> {
        let lines = says.lines().filter_map(|line| line.strip_prefix(start));
        lines.map(|rest| rest.split_once(' ').map_or(rest, |(_, what)| what).to_owned()).collect()
    };
    let (hit, points) = (of("kill_at: killed at ").pop(), of("kill_at: point "));
    assert!(
        hit.is_some() || output.status.success(),
        "neither killed nor through: {:?} {says}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout)
    );
    (TillCall::parse(&String::from_utf8_lossy(&output.stdout)), hit, points)
}

struct Job {
    scenario: &'static Scenario,
    point: usize,
    /// The point of the recovery at which a second kill comes.
    again_at: Option<usize>,
}

/// The result of one kill, or of two.
struct KillResult {
    hits: Vec<String>,
    deductions: usize,
}

fn try_one(store: &Store, job: &Job) -> Result<KillResult, String> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let scenario = job.scenario;
    store.sandbox.reset();
    let journal = store.journal(&NUMBER.fetch_add(1, Ordering::Relaxed).to_string());
    let config = store.config(&journal, &url(store, scenario, false));
    let mut calls = (scenario.prepare)(store, &config);
    let before = store.config(&journal, &url(store, scenario, true));
    let script: Vec<String> = scenario.script.iter().map(|call| call.word()).collect();
    let (of_first, hit, _) = killed_at(job.point, &before, &script);
    calls.extend(of_first);
    let mut hits: Vec<String> = hit.into_iter().collect();
    let again = scenario.again.map(Call::word);
    if let Some(point) = job.again_at {
        let (of_second, hit, _) = killed_at(point, &config, &recovery());
        calls.extend(of_second);
        hits.extend(hit);
    }
    store.sandbox.clear_faults();
    let report = |why: String| {
        let replay = job.again_at.map_or(String::new(), |point| format!(" EPS_KILL_AGAIN_AT={point}"));
        format!(
            "{why}\n  replay: EPS_KILL={} EPS_KILL_AT={}{replay}; killed {hits:?}\n  calls: {calls:#?}",
            scenario.name, job.point
        )
    };
    let recovered = recover(&config, again.as_deref()).map_err(report)?;
    let after: Vec<_> = recovered.iter().map(|call| (call.verb().to_owned(), call.code())).collect();
    let all: Vec<TillCall> = calls.iter().cloned().chain(recovered).collect();
    let found = store.judge(&store.sandbox.requests(), vec![(journal.clone(), all)], true).map_err(report)?;
    let (least, most) = scenario.deductions;
    if !(least..=most).contains(&found.deductions) {
        return Err(report(format!("{} deductions; after the restart: {after:?}", found.deductions)));
    }
    std::fs::remove_dir_all(journal.parent().expect("it has its own folder"))
        .map_err(|error| report(error.to_string()))?;
    Ok(KillResult { deductions: found.deductions, hits })
}

/// Returns the URL that a till uses, before the kill or after it.
fn url(store: &Store, scenario: &Scenario, before: bool) -> String {
    match scenario.reaches {
        Server::Nobody if before => "http://127.0.0.1:1".to_owned(),
        Server::Silence if before => store.silent_url(),
        Server::Http | Server::Nobody => store.sandbox.http_url(),
        Server::Https | Server::Silence => store.sandbox.https_url(),
    }
}

/// The script that a second kill ends.
fn recovery() -> Vec<String> {
    ["resolve:5000", "list", "ackall", "close"].map(str::to_owned).into()
}

/// Returns the system calls of a scenario in order: the longest of three runs without a kill.
fn points_of(store: &Store, scenario: &Scenario) -> Vec<String> {
    let runs = (0..3).map(|run| {
        store.sandbox.reset();
        let journal = store.journal(&format!("count-{}-{run}", scenario.name));
        (scenario.prepare)(store, &store.config(&journal, &url(store, scenario, false)));
        let script: Vec<String> = scenario.script.iter().map(|call| call.word()).collect();
        killed_at(0, &store.config(&journal, &url(store, scenario, true)), &script).2
    });
    let points = runs.max_by_key(Vec::len).expect("three runs");
    assert!(points.len() > 100, "{}: only {} points", scenario.name, points.len());
    points
}

/// Returns whether a system call has an outside effect: the disk, the network, the till's output.
fn matters(point: &str) -> bool {
    ["write", "pwrite64", "fdatasync", "fsync", "ftruncate", "sendto", "recvfrom", "connect", "unlink", "openat"]
        .contains(&point.split(' ').nth(1).unwrap_or_default())
}

/// Returns an evenly spaced sample of a list.
fn spread<T: Copy>(of: &[T], wanted: usize) -> Vec<T> {
    let wanted = wanted.min(of.len());
    (0..wanted).map(|n| of[n * of.len() / wanted]).collect()
}

/// Returns the points to try: all with a full budget, else the most relevant ones.
pub fn chosen(points: &[String]) -> Vec<usize> {
    let all: Vec<usize> = (1..=points.len() + points.len() / 20 + 5).collect();
    if full() {
        return all;
    }
    let important: Vec<usize> = (1..=points.len()).filter(|at| matters(&points[at - 1])).collect();
    // An outcome that the caller has got must already be durable.
    let mut sample: Vec<usize> = (1..=points.len()).filter(|at| points[at - 1] == "after write").collect();
    sample.extend(spread(&important, 8));
    sample.extend(spread(&all, 3));
    sample.sort_unstable();
    sample.dedup();
    sample
}

/// Returns the scenarios to try: all, or the one that `EPS_KILL` names.
fn scenarios() -> Vec<&'static Scenario> {
    let named = std::env::var("EPS_KILL").ok();
    SCENARIOS.iter().filter(|scenario| named.as_deref().is_none_or(|name| name == scenario.name)).collect()
}

/// Returns the part of a campaign that `EPS_KILL_PART` names, as `2/5`. The parts of one seed
/// together have every point.
fn part(jobs: Vec<Job>) -> Vec<Job> {
    let Ok(part) = std::env::var("EPS_KILL_PART") else { return jobs };
    let numbers = part.split_once('/').and_then(|(part, of)| Some((part.parse().ok()?, of.parse().ok()?)));
    let (part, of): (usize, usize) = numbers.unwrap_or_else(|| panic!("EPS_KILL_PART={part} is not like 2/5"));
    assert!((1..=of).contains(&part), "EPS_KILL_PART={part}/{of} names no part");
    jobs.into_iter().skip(part - 1).step_by(of).collect()
}

/// Runs a campaign and prints its result in one line. `EPS_KILL_SECONDS` limits its duration.
fn campaign(name: &str, mut jobs: Vec<Job>, seed: u64) {
    // The order is random, so that a campaign that is cut short has tried some of every kind.
    let mut random = Random::new(seed);
    for at in (1..jobs.len()).rev() {
        let with = usize::try_from(random.below(at as u64 + 1)).unwrap_or_default();
        jobs.swap(at, with);
    }
    let planned = jobs.len();
    let jobs = part(jobs);
    let until = setting("EPS_KILL_SECONDS").map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let (results, failed) = in_parallel(8, &jobs, |store, job| match until {
        Some(until) if Instant::now() > until => Ok(None),
        _ => try_one(store, job).map(Some),
    });
    let results: Vec<KillResult> = results.into_iter().flatten().collect();
    let mut calls: BTreeMap<&str, usize> = BTreeMap::new();
    for hit in results.iter().flat_map(|one| &one.hits) {
        *calls.entry(hit.split(' ').nth(1).unwrap_or_default()).or_default() += 1;
    }
    let kills: usize = calls.values().sum();
    let deductions: usize = results.iter().map(|one| one.deductions).sum();
    let mut calls: Vec<_> = calls.into_iter().collect();
    calls.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let top: Vec<String> = calls.iter().take(14).map(|(call, count)| format!("{call} {count}")).collect();
    println!(
        "campaign {name}: {} points tried of {planned}, {} violations, {kills} kills ({}), {deductions} deductions; seed {seed}",
        results.len(),
        usize::from(failed.is_some()),
        top.join(", ")
    );
    if let Some(why) = failed {
        panic!("campaign {name}: {why}");
    }
    assert!(kills > 0, "nothing was killed");
}

#[test]
fn kill_at_any_system_call_loses_and_doubles_nothing() {
    let _alone = alone();
    let store = Store::open();
    let mut jobs = Vec::new();
    for scenario in scenarios() {
        let points = match setting("EPS_KILL_AT") {
            Some(at) => vec![usize::try_from(at).unwrap_or_default()],
            None => chosen(&points_of(&store, scenario)),
        };
        let again_at = setting("EPS_KILL_AGAIN_AT").and_then(|at| at.try_into().ok());
        jobs.extend(points.into_iter().map(|point| Job { scenario, point, again_at }));
    }
    campaign("kill", jobs, seed());
}

#[test]
fn second_kill_during_recovery_loses_and_doubles_nothing() {
    let _alone = alone();
    let store = Store::open();
    let seed = seed();
    let mut random = Random::new(seed);
    let mut jobs = Vec::new();
    // The longest recovery sends a whole purchase again.
    let lost = SCENARIOS.iter().find(|scenario| scenario.name == "resolve-lost-request").expect("it is in the table");
    let longest = points_of(&store, lost).len();
    for scenario in scenarios().into_iter().filter(|scenario| scenario.again.is_some() && scenario.name != "declined") {
        let points = points_of(&store, scenario);
        let important: Vec<usize> = (1..=points.len()).filter(|at| matters(&points[at - 1])).collect();
        // Full budget: every point of the recovery after kills around the request. Else a few
        // pairs.
        let around = |call: &str| -> Vec<usize> {
            important.iter().copied().filter(|at| points[at - 1].ends_with(call)).collect()
        };
        if full() {
            let sent = around("sendto");
            let firsts: Vec<usize> =
                sent.last().copied().into_iter().chain(around("recvfrom").last().copied()).collect();
            for point in firsts {
                jobs.extend((1..=longest + 5).map(|second| Job { scenario, point, again_at: Some(second) }));
            }
        } else {
            for _ in 0..6 {
                let point = *random.pick(&important);
                let second = usize::try_from(random.below(longest as u64)).unwrap_or_default() + 1;
                jobs.push(Job { scenario, point, again_at: Some(second) });
            }
        }
    }
    campaign("kill-twice", jobs, seed);
}
