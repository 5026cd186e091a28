//! SIGKILL at every system call of a redeem, of resolving it and of the calls after it, then a
//! restart. There is only one till. The reward is used exactly once, and the till knows that the
//! redeem was its own. No kill may leave the redeem declined, ambiguous or in manual review.

use crate::campaign::{Store, alone, in_parallel, recover};
use crate::kill_points::{chosen, killed_at};
use crate::till::{TillCall, run_script};
use engage_sandbox::seed::demo;
use engage_sandbox::{Effect, Fault, LedgerKind, Operation};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Scenario {
    Plain,
    /// The response is lost after Engage has redeemed the reward.
    ResponseLost,
    /// An earlier run has left the redeem pending, because its request was lost.
    Resolve,
}

struct Setup {
    journal: PathBuf,
    config: String,
    press: String,
    script: Vec<String>,
    calls: Vec<TillCall>,
}

/// Prepares a reward that another till bought, and the state that the scenario needs before the
/// kill.
fn set_up(store: &Store, scenario: Scenario) -> Setup {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    store.sandbox.reset();
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let other = store.config(&store.journal(&format!("other-{number}")), &store.sandbox.http_url());
    run_script(&other, &[&format!("purchase:{}:{}:R0:5000", demo::LOAD, demo::COFFEE), "close"]);
    let reward = store.sandbox.assignments(demo::LOAD).pop().expect("it was bought").id;
    let journal = store.journal(&format!("redeem-{number}"));
    let config = store.config(&journal, &store.sandbox.https_url());
    let press = |wait: u32| format!("redeem:{}:{reward}:R1:{wait}", demo::LOAD);
    let rewards = format!("rewards:{}", demo::LOAD);
    let mut calls = Vec::new();
    match scenario {
        Scenario::Plain => {}
        Scenario::ResponseLost => drop(store.sandbox.arm(Fault::on(Operation::Redeem, Effect::ResetAfterCommit))),
        Scenario::Resolve => {
            store.sandbox.arm(Fault::on(Operation::Redeem, Effect::CloseBeforeCommit));
            // On a busy machine the wait may end before the journal is ready. The same press again
            // is the same redeem.
            while calls.iter().all(|call: &TillCall| call.json("operationId").is_null()) {
                calls.extend(run_script(&config, &[&rewards, &press(100), "close"]));
            }
            store.sandbox.clear_faults();
        }
    }
    let words = match scenario {
        Scenario::Resolve => vec!["resolve:5000".to_owned(), "list".into(), "ackall".into(), "close".into()],
        _ => vec![rewards, press(5_000), "ackall".into(), "close".into()],
    };
    Setup { journal, config, press: press(5_000), script: words, calls }
}

fn redeemed(store: &Store) -> usize {
    store.sandbox.ledger().iter().filter(|entry| entry.kind == LedgerKind::Redeem).count()
}

fn try_one(store: &Store, (scenario, point): (Scenario, usize)) -> Result<bool, String> {
    // Without Engage's clock nothing shows whose redeem it is. On a busy machine the call that
    // learns the clock may end by its wait: then all begins again.
    let (Setup { journal, config, press, mut calls, .. }, (of_first, hit, _)) = (0..100)
        .find_map(|_| {
            let setup = set_up(store, scenario);
            let run = killed_at(point, &setup.config, &setup.script);
            let is_slow = |call: &TillCall| call.verb() == "rewards" && call.code().is_some_and(|code| code != 0);
            (!setup.calls.iter().chain(&run.0).any(is_slow)).then_some((setup, run))
        })
        .ok_or("no call reaches Engage within its wait")?;
    calls.extend(of_first);
    store.sandbox.clear_faults();
    let report = |why: String| format!("{why}\n  {scenario:?}, point {point}, killed {hit:?}\n  calls: {calls:#?}");
    let recovered = recover(&config, Some(&press)).map_err(report)?;
    for call in calls.iter().chain(&recovered) {
        let wrong = match call.verb() {
            // Completed, pending or not sent. There is no other till that could have used the
            // reward.
            "redeem" => call.code().is_some_and(|code| (-399..=-300).contains(&code) || code == -520 || code == -522),
            "list" => call.json("operations").as_array().is_some_and(|shown| {
                shown.iter().any(|one| one["needsReview"] == true || one["outcome"] == "declined")
            }),
            _ => false,
        };
        if wrong {
            return Err(report(format!("returned {call:?}")));
        }
    }
    let used = redeemed(store);
    if used != 1 {
        return Err(report(format!("{used} redeems in the ledger; after the restart: {recovered:#?}")));
    }
    std::fs::remove_dir_all(journal.parent().expect("it has its own folder"))
        .map_err(|error| report(error.to_string()))?;
    Ok(hit.is_some())
}

#[test]
fn redeem_killed_at_any_system_call_is_completed_once() {
    let _alone = alone();
    let store = Store::open();
    let mut jobs = Vec::new();
    for scenario in [Scenario::Plain, Scenario::ResponseLost, Scenario::Resolve] {
        let Setup { config, script, .. } = set_up(&store, scenario);
        let (_, _, points) = killed_at(0, &config, &script);
        assert!(points.len() > 100, "{scenario:?}: only {} points", points.len());
        jobs.extend(chosen(&points).into_iter().map(|point| (scenario, point)));
    }
    let (applied, failed) = in_parallel(8, &jobs, |store, job| try_one(store, *job));
    let kills = applied.iter().filter(|hit| **hit).count();
    let violations = usize::from(failed.is_some());
    println!("campaign kill-redeem: {} points tried, {violations} violations, {kills} kills", applied.len());
    if let Some(why) = failed {
        panic!("campaign kill-redeem: {why}");
    }
    assert!(kills > 0, "nothing was killed");
}
