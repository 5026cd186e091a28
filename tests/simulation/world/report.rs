//! The command: runs seeds, prints what held, and tells the story of a run.

use super::plan::Plan;
use super::random::Rng;
use super::scenario::{self, Outcomes};
use super::state::{HOUR, Promise};
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
         {} operations, {:.2} requests each, {:.2} % in review",
        "",
        sums.operations,
        sums.requests as f64 / sums.operations.max(1) as f64,
        sums.reviews as f64 * 100.0 / sums.operations.max(1) as f64,
    );
    for (promise, (count, seed, text)) in &sums.broken {
        println!("{:<16} broken: {} in {count} runs, first seed {seed}: {text}", "", promise.text());
    }
}

fn tell(plan: &Plan, seed: u64) {
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

const USAGE: &str = "simulation run WORLD|all|held FIRST COUNT [mild] [one-thread]
simulation trace WORLD SEED";

/// Carries out the command of the program's arguments.
pub fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |place: usize| words.get(place).and_then(|text| text.parse::<u64>().ok());
    match words.first().copied() {
        Some("run") => {
            let (name, first, count) = (words.get(1).copied(), number(2).unwrap_or(0), number(3).unwrap_or(1_000));
            let mild = words.contains(&"mild");
            let threads = if words.contains(&"one-thread") { 1 } else { 2 };
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
            let world = words.get(1).and_then(|name| worlds::world(name));
            if let (Some(world), Some(seed)) = (world, number(2)) {
                tell(&worlds::plan(world, seed, false), seed);
            }
        }
        _ => println!("{USAGE}"),
    }
    let _ = Rng::default();
}
