//! The simulation as a test: `cargo test --features simulation --test simulation`. The program of
//! the same name runs as many seeds as wanted.

use engage_point_shop::simulation;
use std::path::Path;

#[test]
fn seed_run_twice_gives_the_same_run() {
    for world in simulation::world_names() {
        for seed in 0..40 {
            let (first, second) = simulation::run_twice(world, seed);
            assert_eq!(first, second, "{world}, seed {seed}");
        }
    }
}

#[test]
fn simulated_disk_same_operations_gives_the_journals_results() {
    for seed in 0..40 {
        let folder = tempfile::tempdir().unwrap();
        let compared = simulation::compare_with_journal(&folder.path().join("journal"), seed, 300);
        assert_eq!(compared, Ok(()));
    }
}

#[test]
fn kept_seeds_run_again_hold() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/simulation/seeds");
    let held = simulation::run_kept(&folder, false);
    assert!(held.is_ok(), "{}", held.unwrap_err());
}

#[test]
fn worlds_that_keep_the_assumptions_hold() {
    let (steps, broken) = simulation::run_steps(0, 1_000_000);
    assert!(steps >= 1_000_000);
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn pending_purchases_of_a_member_share_their_queries() {
    // Dozens of one member are pending. An own query of each would take 5 and more.
    let each = simulation::cost("hanging", 30, false).unwrap().requests;
    assert!(each < 3.0, "{each} requests an operation");
}

#[test]
fn mild_weather_costs_few_requests_and_reviews() {
    let cost = simulation::cost("documented", 200, true).unwrap();
    assert!(cost.requests <= 1.35, "{} requests an operation", cost.requests);
    assert!(cost.reviews < 0.001, "{} of the operations in review", cost.reviews);
}

#[test]
fn first_queries_after_a_restart_are_spread() {
    let first: Vec<u64> =
        (0..40).filter_map(|seed| simulation::queries_after_a_restart(1, seed).first().copied()).collect();
    assert_eq!(first.len(), 40);
    // startupJitterMs is 2 s in the simulation.
    for quarter in 0..4 {
        let found = first.iter().filter(|at| **at / 500 == quarter).count();
        assert!(found > 0, "none of the first queries is in quarter {quarter}: {first:?}");
    }
}

#[test]
fn queries_without_a_caller_keep_to_the_budget() {
    for seed in 0..10 {
        let queries = simulation::queries_after_a_restart(30, seed);
        // Ten are in stock. After them, one each 10 s.
        let within = |ms| queries.iter().filter(|at| **at < ms).count();
        assert_eq!(within(9_000), 10, "seed {seed}: {queries:?}");
        assert!(within(60_000) <= 10 + 6, "seed {seed}: {queries:?}");
        assert!(queries.len() >= 30, "each redeem has its turn");
    }
}

#[test]
fn caller_who_leaves_at_the_gate_gets_the_truth() {
    for seed in 0..2_000 {
        assert_eq!(simulation::broken_at_the_gate(seed), [""; 0], "seed {seed}");
    }
}

#[test]
fn journal_that_fails_is_named_in_the_log() {
    for seed in 0..10 {
        let log = simulation::log_of_a_failing_disk(seed);
        let count = |event: &str| log.iter().filter(|line| line.contains(event)).count();
        assert!(count("journal.failed") > 0, "seed {seed}: {log:?}");
        // It was reported at once, and stored later.
        assert_eq!(count("operation.resolved"), 1, "seed {seed}: {log:?}");
    }
}
