//! SIGKILL at every system call of open, purchase, settle, acknowledge and close, then a restart, then the verdict.
//! A scenario's number of points varies a little from run to run, because threads do: points beyond the end are runs that end well.

use crate::campaign::{Random, Store, alone, full, in_parallel, recover, setting};
use crate::till::{Told, build_folder, compile, run_till, told_by};
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

/// What is being done when the kill comes.
struct Scenario {
    name: &'static str,
    /// What the till reaches until it is killed. Afterwards it is Engage in any case.
    reaches: Reaches,
    /// What happened before: tills that lived through it.
    prepare: fn(&Store, config: &str) -> Vec<Told>,
    script: &'static [Call],
    /// What the cashier presses after the restart, when all is settled.
    again: Option<Call>,
    /// How many deductions there are in the end, at least and at most.
    deductions: (usize, usize),
}

#[derive(Clone, Copy, PartialEq)]
enum Reaches {
    Https,
    Http,
    /// A port where nobody listens.
    Nobody,
    /// A port that takes the connection and never says a word.
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
const HASTY_COFFEE: Call = Call::Buy(demo::LOAD, demo::COFFEE, "R1", 100);
const TOTE: Call = Call::Buy(demo::LOAD, demo::TOTE_BAG, "R2", 5_000);
const NO_POINTS: Call = Call::Buy(demo::BJORN, demo::GIFT_CARD, "R1", 5_000);
const ACKNOWLEDGE: Call = Call::Do("ackall");
const CLOSE: Call = Call::Do("close");

const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "purchase-https",
        reaches: Reaches::Https,
        prepare: nothing,
        script: &[COFFEE, ACKNOWLEDGE, CLOSE],
        again: Some(COFFEE),
        deductions: (1, 1),
    },
    Scenario {
        name: "purchase-http-nameless",
        reaches: Reaches::Http,
        prepare: nothing,
        script: &[Call::Buy(demo::LOAD, demo::COFFEE, "", 5_000), CLOSE],
        again: None,
        deductions: (0, 1),
    },
    Scenario {
        name: "declined",
        reaches: Reaches::Http,
        prepare: nothing,
        script: &[NO_POINTS, ACKNOWLEDGE, CLOSE],
        again: Some(NO_POINTS),
        deductions: (0, 0),
    },
    Scenario {
        name: "answer-lost",
        reaches: Reaches::Https,
        prepare: |store, _| {
            store.sandbox.arm(Fault::on(Operation::Purchase, Effect::ResetAfterCommit));
            Vec::new()
        },
        script: &[COFFEE, ACKNOWLEDGE, CLOSE],
        again: Some(COFFEE),
        deductions: (1, 1),
    },
    Scenario {
        name: "settle-lost-request",
        reaches: Reaches::Https,
        prepare: |store, config| pending(store, config, Effect::CloseBeforeCommit),
        script: &[Call::Do("settle:5000"), Call::Do("unsettled"), ACKNOWLEDGE, CLOSE],
        again: Some(COFFEE),
        deductions: (1, 1),
    },
    Scenario {
        name: "settle-lost-answer",
        reaches: Reaches::Http,
        prepare: |store, config| pending(store, config, Effect::CloseAfterCommit),
        script: &[Call::Do("settle:5000"), Call::Do("unsettled"), ACKNOWLEDGE, CLOSE],
        again: Some(COFFEE),
        deductions: (1, 1),
    },
    // What was told "not sent" stays so, also when the till is killed right after it said so.
    Scenario {
        name: "offline",
        reaches: Reaches::Nobody,
        prepare: nothing,
        script: &[COFFEE, Call::Do("unsettled"), CLOSE],
        again: None,
        deductions: (0, 1),
    },
    Scenario {
        name: "withdrawn",
        reaches: Reaches::Silence,
        prepare: nothing,
        script: &[HASTY_COFFEE, Call::Do("unsettled"), CLOSE],
        again: None,
        deductions: (0, 1),
    },
    Scenario {
        name: "close-under-way",
        reaches: Reaches::Http,
        prepare: |store, _| {
            store.sandbox.arm(Fault::on(Operation::Purchase, Effect::StallAfterCommit));
            Vec::new()
        },
        script: &[HASTY_COFFEE, CLOSE, Call::Do("reopen"), CLOSE],
        again: Some(COFFEE),
        deductions: (1, 1),
    },
    Scenario {
        name: "checkpoint",
        reaches: Reaches::Http,
        prepare: long_log,
        script: &[COFFEE, ACKNOWLEDGE, CLOSE],
        again: Some(COFFEE),
        deductions: (1, 1),
    },
    Scenario {
        name: "acknowledge",
        reaches: Reaches::Http,
        prepare: |_, config| told_by(config, &[&COFFEE.word()]),
        script: &[Call::Do("unsettled"), ACKNOWLEDGE, Call::Do("unsettled"), CLOSE],
        again: Some(COFFEE),
        deductions: (1, 1),
    },
    Scenario {
        name: "open-existing",
        reaches: Reaches::Http,
        prepare: |_, config| told_by(config, &[&COFFEE.word(), "ackall", &TOTE.word(), "close"]),
        script: &[CLOSE, Call::Do("reopen"), CLOSE],
        again: Some(COFFEE),
        deductions: (2, 2),
    },
];

fn nothing(_: &Store, _: &str) -> Vec<Told> {
    Vec::new()
}

/// A till that left a purchase pending, whose request or answer was lost.
fn pending(store: &Store, config: &str, lost: Effect) -> Vec<Told> {
    store.sandbox.arm(Fault::on(Operation::Purchase, lost));
    store.sandbox.arm(Fault::on(Operation::Purchases, Effect::Status(FaultResponse::status(503))).times(0));
    let mut told = Vec::new();
    // On a busy computer the wait may end before the journal answered; the same press again is the same purchase.
    while told.iter().all(|call: &Told| call.json("operationId").is_null()) {
        told.extend(told_by(config, &[&HASTY_COFFEE.word()]));
    }
    store.sandbox.clear_faults();
    told
}

/// Brings a journal whose write-ahead log is due to be moved into the file, so that the next life does it after its first purchase.
/// Refusals have filled it: they are in no ledger, so one journal does for all.
fn long_log(_: &Store, config: &str) -> Vec<Told> {
    const DUE: u64 = 2 << 20;
    static FILLED: LazyLock<(Store, PathBuf)> = LazyLock::new(|| {
        let store = Store::open();
        let journal = store.journal("long-log");
        let config = store.config(&journal, &store.sandbox.http_url());
        let refused = format!("purchase:{}:{}:F#:5000", demo::BJORN, demo::GIFT_CARD);
        told_by(&config, &["loop:200", &refused]);
        told_by(&config, &["ackall"]);
        let log = std::fs::metadata(journal.with_extension("db-wal")).expect("it is kept").len();
        assert!(log >= DUE, "the log has {log} bytes");
        (store, journal)
    });
    let to = journal_of(config);
    for part in ["db", "db-wal"] {
        std::fs::copy(FILLED.1.with_extension(part), to.with_extension(part)).expect("both are there");
    }
    Vec::new()
}

fn journal_of(config: &str) -> PathBuf {
    let config: Value = serde_json::from_str(config).expect("we made it");
    config["journalPath"].as_str().expect("we gave it").into()
}

/// The tool that kills.
static KILLAT: LazyLock<PathBuf> = LazyLock::new(|| {
    let program = build_folder().join("killat");
    compile(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/durability/killat.c"), &program, &[]);
    program
});

/// Where a kill struck: `before pwrite64`. None: the till was through by then.
pub type Hit = Option<String>;

/// Runs a till that is killed at a point, 0 for never. What it told, where it was struck, and the points in order if it was not.
pub fn killed_at(point: usize, config: &str, script: &[String]) -> (Vec<Told>, Hit, Vec<String>) {
    let script: Vec<&str> = script.iter().map(String::as_str).collect();
    let till = run_till(config, &script);
    let output = Command::new(&*KILLAT)
        .arg(point.to_string())
        .arg("BEGIN open")
        .arg(till.get_program())
        .args(till.get_args())
        .output()
        .expect("killat runs");
    let says = String::from_utf8_lossy(&output.stderr);
    let of = |start: &str| -> Vec<String> {
        let lines = says.lines().filter_map(|line| line.strip_prefix(start));
        lines.map(|rest| rest.split_once(' ').map_or(rest, |(_, what)| what).to_owned()).collect()
    };
    let (hit, points) = (of("killat: killed at ").pop(), of("killat: point "));
    assert!(
        hit.is_some() || output.status.success(),
        "neither killed nor through: {:?} {says}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout)
    );
    (Told::parse(&String::from_utf8_lossy(&output.stdout)), hit, points)
}

struct Job {
    scenario: &'static Scenario,
    point: usize,
    /// At which point of the recovery a second kill comes.
    again_at: Option<usize>,
}

/// What came of one kill, or of two.
struct Struck {
    hits: Vec<String>,
    deductions: usize,
}

fn try_one(store: &Store, job: &Job) -> Result<Struck, String> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let scenario = job.scenario;
    store.sandbox.reset();
    let journal = store.journal(&NUMBER.fetch_add(1, Ordering::Relaxed).to_string());
    let config = store.config(&journal, &url(store, scenario, false));
    let mut told = (scenario.prepare)(store, &config);
    let before = store.config(&journal, &url(store, scenario, true));
    let script: Vec<String> = scenario.script.iter().map(|call| call.word()).collect();
    let (of_first, hit, _) = killed_at(job.point, &before, &script);
    told.extend(of_first);
    let mut hits: Vec<String> = hit.into_iter().collect();
    let again = scenario.again.map(Call::word);
    if let Some(point) = job.again_at {
        let (of_second, hit, _) = killed_at(point, &config, &recovery());
        told.extend(of_second);
        hits.extend(hit);
    }
    store.sandbox.clear_faults();
    let report = |why: String| {
        let replay = job.again_at.map_or(String::new(), |point| format!(" EPS_KILL_AGAIN_AT={point}"));
        format!(
            "{why}\n  replay: EPS_KILL={} EPS_KILL_AT={}{replay}; killed {hits:?}\n  told: {told:#?}",
            scenario.name, job.point
        )
    };
    let recovered = recover(&config, again.as_deref()).map_err(report)?;
    let after: Vec<_> = recovered.iter().map(|call| (call.verb().to_owned(), call.code())).collect();
    let all: Vec<Told> = told.iter().cloned().chain(recovered).collect();
    let found = store.judge(&store.sandbox.requests(), vec![(journal.clone(), all)], true).map_err(report)?;
    let (least, most) = scenario.deductions;
    if !(least..=most).contains(&found.deductions) {
        return Err(report(format!("{} deductions; after the restart: {after:?}", found.deductions)));
    }
    std::fs::remove_dir_all(journal.parent().expect("it has its own folder"))
        .map_err(|error| report(error.to_string()))?;
    Ok(Struck { deductions: found.deductions, hits })
}

/// What a till reaches, before the kill or after it.
fn url(store: &Store, scenario: &Scenario, before: bool) -> String {
    match scenario.reaches {
        Reaches::Nobody if before => "http://127.0.0.1:1".to_owned(),
        Reaches::Silence if before => store.silent_url(),
        Reaches::Http | Reaches::Nobody => store.sandbox.http_url(),
        Reaches::Https | Reaches::Silence => store.sandbox.https_url(),
    }
}

/// The script that a second kill interrupts.
fn recovery() -> Vec<String> {
    ["settle:5000", "unsettled", "ackall", "close"].map(str::to_owned).into()
}

/// The system calls of a scenario in order, from a run that is not killed: the longest of three.
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

/// What changes what others see: the disk, the network, what the caller was told.
fn matters(point: &str) -> bool {
    ["write", "pwrite64", "fdatasync", "fsync", "ftruncate", "sendto", "recvfrom", "connect", "unlink", "openat"]
        .contains(&point.split(' ').nth(1).unwrap_or_default())
}

/// A sample of a list: as many as wanted, evenly.
fn spread<T: Copy>(of: &[T], wanted: usize) -> Vec<T> {
    let wanted = wanted.min(of.len());
    (0..wanted).map(|n| of[n * of.len() / wanted]).collect()
}

/// The points to try: all with a full budget, else those that matter most.
pub fn chosen(points: &[String]) -> Vec<usize> {
    let all: Vec<usize> = (1..=points.len() + points.len() / 20 + 5).collect();
    if full() {
        return all;
    }
    let important: Vec<usize> = (1..=points.len()).filter(|at| matters(&points[at - 1])).collect();
    // Right after the caller was told something, it must be true already.
    let mut sample: Vec<usize> = (1..=points.len()).filter(|at| points[at - 1] == "after write").collect();
    sample.extend(spread(&important, 8));
    sample.extend(spread(&all, 3));
    sample.sort_unstable();
    sample.dedup();
    sample
}

/// The scenarios to try: all, or the one named by `EPS_KILL`.
fn scenarios() -> Vec<&'static Scenario> {
    let named = std::env::var("EPS_KILL").ok();
    SCENARIOS.iter().filter(|scenario| named.as_deref().is_none_or(|name| name == scenario.name)).collect()
}

/// Carries a campaign out and says in one line what came of it. `EPS_KILL_SECONDS` bounds it.
fn campaign(name: &str, mut jobs: Vec<Job>, seed: u64) {
    // In no order, so that a campaign that is cut short has tried a little of everything.
    let mut random = Random::new(seed);
    for at in (1..jobs.len()).rev() {
        let with = usize::try_from(random.below(at as u64 + 1)).unwrap_or_default();
        jobs.swap(at, with);
    }
    let planned = jobs.len();
    let until = setting("EPS_KILL_SECONDS").map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let (struck, failed) = in_parallel(8, &jobs, |store, job| match until {
        Some(until) if Instant::now() > until => Ok(None),
        _ => try_one(store, job).map(Some),
    });
    let struck: Vec<Struck> = struck.into_iter().flatten().collect();
    let mut calls: BTreeMap<&str, usize> = BTreeMap::new();
    for hit in struck.iter().flat_map(|one| &one.hits) {
        *calls.entry(hit.split(' ').nth(1).unwrap_or_default()).or_default() += 1;
    }
    let kills: usize = calls.values().sum();
    let deductions: usize = struck.iter().map(|one| one.deductions).sum();
    let mut calls: Vec<_> = calls.into_iter().collect();
    calls.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let top: Vec<String> = calls.iter().take(14).map(|(call, count)| format!("{call} {count}")).collect();
    println!(
        "campaign {name}: {} points tried of {planned}, {} violations, {kills} kills ({}), {deductions} deductions; seed {seed}",
        struck.len(),
        usize::from(failed.is_some()),
        top.join(", ")
    );
    if let Some(why) = failed {
        panic!("campaign {name}: {why}");
    }
    assert!(kills > 0, "nothing was killed");
}

#[test]
fn a_kill_at_any_system_call_loses_nothing_and_deducts_nothing_twice() {
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
    campaign("kill", jobs, Random::seed());
}

#[test]
fn a_second_kill_during_the_recovery_changes_nothing() {
    let _alone = alone();
    let store = Store::open();
    let seed = Random::seed();
    let mut random = Random::new(seed);
    let mut jobs = Vec::new();
    // How long a recovery is, at most: the whole of a purchase is sent again in it.
    let lost = SCENARIOS.iter().find(|scenario| scenario.name == "settle-lost-request").expect("it is in the table");
    let longest = points_of(&store, lost).len();
    for scenario in scenarios().into_iter().filter(|scenario| scenario.again.is_some() && scenario.name != "declined") {
        let points = points_of(&store, scenario);
        let important: Vec<usize> = (1..=points.len()).filter(|at| matters(&points[at - 1])).collect();
        // Full: every point of the recovery after kills around the request; else a few pairs.
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
