//! The command: runs seeds, prints what held, and prints the story of a run.

use super::engage::Rules;
use super::plan::{Action, Fate, Fault, Plan, Slot, WriteFailure};
use super::scenario::{self, Outcomes};
use super::seeds;
use super::shrink::{self, Failure};
use super::state::{HOUR, MS, Promise};
use super::worlds::{self, WORLDS, World};
use std::collections::BTreeMap;
use std::time::Instant;

/// Sums over runs.
#[derive(Default)]
struct Sums {
    runs: u64,
    steps: u64,
    now: u64,
    requests: u64,
    operations: u64,
    reviews: u64,
    outcomes: [u64; 4],
    bad: u64,
    /// The first seed with an operation in review.
    first_review: Option<u64>,
    /// By promise: runs that break it, and the first of their seeds.
    broken: BTreeMap<Promise, (u64, u64, String)>,
}

impl Sums {
    fn add(&mut self, seed: u64, run: Outcomes) {
        self.runs += 1;
        self.steps += run.steps;
        self.now += run.now;
        self.requests += run.requests;
        self.operations += run.operations;
        self.reviews += run.reviews;
        if run.reviews > 0 {
            self.first_review.get_or_insert(seed);
        }
        for (sum, count) in self.outcomes.iter_mut().zip(run.outcomes) {
            *sum += count;
        }
        self.bad += u64::from(!run.violations.is_empty());
        let mut seen = std::collections::BTreeSet::new();
        for violation in run.violations {
            if seen.insert(violation.promise) {
                let entry = self.broken.entry(violation.promise).or_insert((0, seed, violation.text.clone()));
                entry.0 += 1;
                if seed < entry.1 {
                    (entry.1, entry.2) = (seed, violation.text);
                }
            }
        }
    }

    fn merge(&mut self, other: Sums) {
        self.runs += other.runs;
        self.steps += other.steps;
        self.now += other.now;
        self.requests += other.requests;
        self.operations += other.operations;
        self.reviews += other.reviews;
        self.first_review = self.first_review.into_iter().chain(other.first_review).min();
        for (sum, count) in self.outcomes.iter_mut().zip(other.outcomes) {
            *sum += count;
        }
        self.bad += other.bad;
        for (promise, (count, seed, text)) in other.broken {
            let entry = self.broken.entry(promise).or_insert((0, seed, text.clone()));
            entry.0 += count;
            if seed < entry.1 {
                (entry.1, entry.2) = (seed, text);
            }
        }
    }
}

fn run_seed(world: &World, seed: u64, mild: bool) -> Outcomes {
    scenario::run(&worlds::plan(world, seed, mild), seed, false)
}

/// Runs seeds on all processors.
fn run_seeds(world: &'static World, first: u64, count: u64, mild: bool, threads: u64) -> Sums {
    let workers: Vec<_> = (0..threads)
        .map(|thread| {
            std::thread::spawn(move || {
                let mut sums = Sums::default();
                for seed in (first..first + count).filter(|seed| seed % threads == thread) {
                    sums.add(seed, run_seed(world, seed, mild));
                }
                sums
            })
        })
        .collect();
    let mut sums = Sums::default();
    for worker in workers {
        match worker.join() {
            Ok(part) => sums.merge(part),
            Err(_) => println!("a thread of the simulation itself has failed"),
        }
    }
    sums
}

#[allow(clippy::cast_precision_loss)] // For people.
fn print(world: &World, sums: &Sums, seconds: f64) {
    println!(
        "{:<16} {} runs, {} with violations, {} steps, {} h of virtual time, {:.0} runs/s, {:.1} million steps/s",
        world.name,
        sums.runs,
        sums.bad,
        sums.steps,
        sums.now / HOUR,
        sums.runs as f64 / seconds,
        sums.steps as f64 / seconds / 1e6,
    );
    let [completed, declined, pending, not_sent] = sums.outcomes;
    println!(
        "{:<16} calls: {completed} completed, {declined} declined, {pending} pending, {not_sent} not sent; \
         {} operations, {:.2} requests each, {:.2} % in review (first seed {:?})",
        "",
        sums.operations,
        sums.requests as f64 / sums.operations.max(1) as f64,
        sums.reviews as f64 * 100.0 / sums.operations.max(1) as f64,
        sums.first_review,
    );
    for (promise, (count, seed, text)) in &sums.broken {
        println!("{:<16} broken: {} in {count} runs, first seed {seed}: {text}", "", promise.text());
    }
}

fn print_run(plan: &Plan, seed: u64) {
    let run = scenario::run(plan, seed, true);
    println!("{}", serde_json::to_string(plan).unwrap_or_default());
    for line in &run.trace {
        println!("{line}");
    }
    for violation in &run.violations {
        println!("broken: {}: {}", violation.promise.text(), violation.text);
    }
    println!("{} steps, {} s, digest {:016x}", run.steps, run.now / 1_000_000, run.digest);
}

/// Finds the first seed of a world that breaks a promise, makes its plan small, and prints its
/// story. With a name, the plan is kept.
fn shrink_seed(world: &World, failure: Failure<'_>, first: u64, keep: Option<(&str, &str)>) {
    let promise = failure.promise;
    let found = (first..first + 1_000_000)
        .map(|seed| (seed, worlds::plan(world, seed, false)))
        .find(|(seed, plan)| shrink::failing(plan, failure, *seed, 0).is_some());
    let Some((seed, plan)) = found else {
        println!("no seed of {} breaks promise {}", world.name, promise.text());
        return;
    };
    let Some((small, order)) = shrink::shrink(&plan, failure, seed) else { return };
    println!("world {}, seed {seed}, promise {}; order {order}", world.name, promise.text());
    for line in seeds::story(&small, order) {
        println!("{line}");
    }
    if let Some((name, fault)) = keep {
        let path = seeds_folder().join(format!("{name}.json"));
        if let Err(error) = seeds::keep(&path, world.name, promise, fault, &small, order) {
            println!("{error}");
        }
    }
}

fn seeds_folder() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/simulation/seeds")
}

/// Returns the names of the worlds that keep the assumptions.
pub fn world_names() -> Vec<&'static str> {
    WORLDS.iter().filter(|world| world.without.is_none()).map(|world| world.name).collect()
}

/// Runs one seed of a world twice, once with its trace. Returns the digests of both.
pub fn run_twice(world: &str, seed: u64) -> (u64, u64) {
    let Some(world) = worlds::world(world) else { return (0, 1) };
    let plan = worlds::plan(world, seed, false);
    (scenario::run(&plan, seed, false).digest, scenario::run(&plan, seed, true).digest)
}

/// Runs seeds of every world that keeps the assumptions, until so many steps are made. Returns the
/// steps, and each violation with its world and seed.
pub fn run_steps(first: u64, steps: u64) -> (u64, Vec<String>) {
    let (mut made, mut broken) = (0, Vec::new());
    for seed in first.. {
        for world in WORLDS.iter().filter(|world| world.without.is_none()) {
            let run = run_seed(world, seed, false);
            made += run.steps;
            for violation in run.violations {
                broken.push(format!("{} {seed}: {}: {}", world.name, violation.promise.text(), violation.text));
            }
        }
        if made >= steps {
            break;
        }
    }
    (made, broken)
}

/// Runs seeds of every world that keeps the assumptions until so many steps are made. False: a
/// promise broke.
fn run_campaign(steps: u64, first: u64) -> bool {
    let began = Instant::now();
    let mut sums = Sums::default();
    let (mut next, chunk) = (first, 200);
    while sums.steps < steps {
        for world in WORLDS.iter().filter(|world| world.without.is_none()) {
            let part = run_seeds(world, next, chunk, false, 2);
            if !part.broken.is_empty() {
                print(world, &part, began.elapsed().as_secs_f64());
            }
            sums.merge(part);
        }
        next += chunk;
    }
    let worlds = world_names().len();
    println!(
        "campaign simulation: {} runs of {worlds} worlds, {} steps, {} h of virtual time, {:.0} s; {} runs with violations",
        sums.runs,
        sums.steps,
        sums.now / HOUR,
        began.elapsed().as_secs_f64(),
        sums.bad,
    );
    for promise in Promise::ALL {
        let held = if sums.broken.contains_key(&promise) { "BROKEN" } else { "held" };
        println!("campaign simulation: {held}: {}", promise.text());
    }
    sums.bad == 0
}

/// Runs the kept plans, then seeds of the worlds that keep the assumptions, each world for as many
/// steps as the others, until a promise breaks or the time is over. Returns the violation.
fn find_violation(seconds: u64, first: u64) -> Option<String> {
    if let Err(broken) = seeds::run_kept(&seeds_folder(), false) {
        return broken.lines().next().map(|line| format!("kept plan {line}"));
    }
    let began = Instant::now();
    // By world: the steps so far, and the next seed.
    let mut worlds: Vec<(u64, u64, &World)> =
        WORLDS.iter().filter(|world| world.without.is_none()).map(|world| (0, first, world)).collect();
    while began.elapsed().as_secs() < seconds {
        let (steps, seed, world) = worlds.iter_mut().min_by_key(|(steps, ..)| *steps)?;
        let run = run_seed(world, *seed, false);
        if let Some(violation) = run.violations.into_iter().next() {
            let (name, promise) = (world.name, violation.promise.text());
            return Some(format!("world {name}, seed {seed}, promise {promise}: {}", violation.text));
        }
        (*steps, *seed) = (*steps + run.steps, *seed + 1);
    }
    None
}

/// What the operations of some runs cost.
pub struct Cost {
    /// The requests an operation.
    pub requests: f64,
    /// The share of operations that a person must review.
    pub reviews: f64,
}

/// Returns the cost of the operations of a world's first seeds. `mild`: in mild weather.
pub fn cost(world: &str, seeds: u64, mild: bool) -> Option<Cost> {
    let world = worlds::world(world)?;
    let mut sums = Sums::default();
    (0..seeds).for_each(|seed| sums.add(seed, run_seed(world, seed, mild)));
    #[allow(clippy::cast_precision_loss)] // For a comparison with a small number.
    let each = |count: u64| count as f64 / sums.operations as f64;
    (sums.operations > 0).then(|| Cost { requests: each(sums.requests), reviews: each(sums.reviews) })
}

/// A till that leaves pending redeems, each of a reward of its own, and is started again.
fn restart(redeems: u8) -> Plan {
    let gift = |gift: u8| Action::UseGift { gift, receipt: Some(gift.into()), wait_ms: 300, name_contact: true };
    let mut actions: Vec<Action> = (0..redeems).map(gift).collect();
    actions.push(Action::Reopen { after_ms: 1_000 });
    let slot = Slot {
        request_timeout_ms: 20_000,
        retry_schedule_ms: vec![10_000, 30_000, 60_000, 300_000],
        resend_limit_ms: 2 * 3_600_000,
        callers: vec![actions],
        ..Slot::default()
    };
    let outage = Fault::Outage { from_ms: 0, until_ms: 10_000, fate: Fate::LoseResponse };
    let rules = Rules { points: 100_000, earlier_purchases: 1, ..Rules::default() };
    Plan { rules, slots: vec![slot], faults: vec![outage], calm_after_s: 100, gifts: redeems, ..Plan::default() }
}

/// Returns when the status queries of pending redeems were sent, in ms after the till was started
/// again. Nobody waits for them.
pub fn queries_after_a_restart(redeems: u8, seed: u64) -> Vec<u64> {
    let run = scenario::run(&restart(redeems), seed, false);
    let last = run.processes.into_iter().next_back().unwrap_or_default();
    last.queries.into_iter().map(|at| at / MS).collect()
}

/// Returns the promises that break where callers leave at the moment at which their purchases are
/// sent.
pub fn broken_at_the_gate(seed: u64) -> Vec<String> {
    let mut plan = restart(0);
    plan.faults.clear();
    // A connection takes up to 20 ms.
    plan.slots[0].callers = (0..4)
        .map(|caller| (0..6).map(|sale| worlds::sale(10 * caller + sale, (u64::from(sale) * 7 + seed) % 20)).collect())
        .collect();
    let run = scenario::run(&plan, seed, false);
    run.violations.into_iter().map(|violation| format!("{}: {}", violation.promise.text(), violation.text)).collect()
}

/// Returns the log of a till whose disk fails as the outcome of a purchase is stored.
pub fn log_of_a_failing_disk(seed: u64) -> Vec<String> {
    let mut plan = restart(0);
    plan.slots[0].logs = true;
    plan.slots[0].callers = vec![vec![worlds::sale(1, 8_000), Action::Sleep { ms: 1_000 }]];
    plan.faults = vec![Fault::Write { till: 0, number: 2, failure: WriteFailure::Fails }];
    scenario::run(&plan, seed, false).processes.into_iter().flat_map(|process| process.log).collect()
}

/// Prints for each assumption a run that breaks a promise when only this assumption does not hold.
fn run_assumptions(limit: u64) {
    for world in WORLDS {
        let Some(assumption) = world.without else { continue };
        let broken = (0..limit).find_map(|seed| {
            let run = run_seed(world, seed, false);
            let violation = run.violations.into_iter().next()?;
            Some(format!("seed {seed}: {}: {}", violation.promise.text(), violation.text))
        });
        let result = broken.unwrap_or_else(|| format!("nothing broke in {limit} runs"));
        println!("{assumption} off ({}): {result}", world.text);
    }
}

const USAGE: &str = "simulation campaign STEPS [FIRST]
simulation assumptions [RUNS]
simulation find SECONDS [FIRST]
simulation run WORLD|all|held FIRST COUNT [mild] [one-thread]
simulation trace WORLD SEED [mild]
simulation shrink WORLD PROMISE FIRST [NAME FAULT] [text=PART]
simulation seeds [close]";

/// Carries out the command of the program's arguments.
pub fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let given: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |place: usize| given.get(place).and_then(|text| text.parse::<u64>().ok());
    match given.first().copied() {
        Some("run") => {
            let (name, first, count) = (given.get(1).copied(), number(2).unwrap_or(0), number(3).unwrap_or(1_000));
            let mild = given.contains(&"mild");
            let threads = if given.contains(&"one-thread") { 1 } else { 2 };
            let chosen = WORLDS.iter().filter(|world| match name {
                Some("all") | None => true,
                Some("held") => world.without.is_none(),
                Some(name) => world.name == name,
            });
            for world in chosen {
                let began = Instant::now();
                let sums = run_seeds(world, first, count, mild, threads);
                print(world, &sums, began.elapsed().as_secs_f64());
            }
        }
        Some("trace") => {
            let world = given.get(1).and_then(|name| worlds::world(name));
            if let (Some(world), Some(seed)) = (world, number(2)) {
                print_run(&worlds::plan(world, seed, given.contains(&"mild")), seed);
            }
        }
        Some("shrink") => {
            let world = given.get(1).and_then(|name| worlds::world(name));
            let promise = given.get(2).and_then(|number| Promise::from_number(number));
            if let (Some(world), Some(promise)) = (world, promise) {
                let text = given.iter().find_map(|it| it.strip_prefix("text=")).unwrap_or_default();
                let keep = given.get(4).copied().zip(given.get(5).copied()).filter(|(name, _)| !name.contains('='));
                shrink_seed(world, Failure { promise, text }, number(3).unwrap_or(0), keep);
            }
        }
        Some("campaign") => {
            if !run_campaign(number(1).unwrap_or(100_000), number(2).unwrap_or(0)) {
                std::process::exit(1);
            }
        }
        Some("find") => {
            let began = Instant::now();
            let found = find_violation(number(1).unwrap_or(60), number(2).unwrap_or(0));
            let seconds = began.elapsed().as_secs_f64();
            match found {
                Some(text) => println!("found after {seconds:.1} s: {text}"),
                None => println!("nothing found in {seconds:.1} s"),
            }
        }
        Some("assumptions") => run_assumptions(number(1).unwrap_or(20_000)),
        Some("seeds") => match seeds::run_kept(&seeds_folder(), given.contains(&"close")) {
            Ok(held) => held.iter().for_each(|name| println!("holds: {name}")),
            Err(broken) => println!("broken:\n{broken}"),
        },
        _ => println!("{USAGE}"),
    }
}
