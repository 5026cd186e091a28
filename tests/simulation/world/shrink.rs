//! Makes a failing plan smaller: what can be left out without losing the failure is left out.

use super::plan::{Action, Fault, Plan};
use super::scenario::{self, Outcomes};
use super::state::Promise;

/// Orders of the threads that are tried for each smaller plan.
const ORDERS: u64 = 60;

/// A promise that breaks, with a part of the violation's text.
#[derive(Clone, Copy)]
pub(crate) struct Failure<'a> {
    pub promise: Promise,
    pub text: &'a str,
}

/// Returns an order of the threads in which the plan breaks the promise.
pub(crate) fn failing(plan: &Plan, failure: Failure<'_>, seed: u64, orders: u64) -> Option<(u64, Outcomes)> {
    let tried = std::iter::once(seed).chain((0..orders).map(|number| seed.wrapping_add(1 + number * 7_919)));
    tried.map(|seed| (seed, scenario::run(plan, seed, false))).find(|(_, run)| {
        run.violations.iter().any(|it| it.promise == failure.promise && it.text.contains(failure.text))
    })
}

fn without_slot(plan: &Plan, slot: usize) -> Plan {
    let mut plan = plan.clone();
    plan.slots.remove(slot);
    plan.faults.retain(|fault| !matches!(fault, Fault::Crash { slot: of, .. } if *of == slot));
    for fault in &mut plan.faults {
        if let Fault::Crash { slot: of, .. } = fault
            && *of > slot
        {
            *of -= 1;
        }
    }
    let tills: Vec<usize> = plan.slots.iter().map(|slot| slot.till).collect();
    plan.faults.retain(|fault| match fault {
        Fault::Clock { till, .. }
        | Fault::Pause { till, .. }
        | Fault::Write { till, .. }
        | Fault::Read { till, .. } => tills.contains(till),
        _ => true,
    });
    plan
}

/// Returns plans that are a little smaller, the largest steps first.
fn smaller(plan: &Plan) -> Vec<Plan> {
    let mut plans = Vec::new();
    if plan.slots.len() > 1 {
        plans.extend((0..plan.slots.len()).map(|slot| without_slot(plan, slot)));
    }
    for (place, slot) in plan.slots.iter().enumerate() {
        for caller in 0..slot.callers.len() {
            let mut less = plan.clone();
            less.slots[place].callers.remove(caller);
            plans.push(less);
        }
    }
    for fault in 0..plan.faults.len() {
        let mut less = plan.clone();
        less.faults.remove(fault);
        plans.push(less);
    }
    for (place, slot) in plan.slots.iter().enumerate() {
        for (caller, actions) in slot.callers.iter().enumerate() {
            for action in 0..actions.len() {
                let mut less = plan.clone();
                less.slots[place].callers[caller].remove(action);
                plans.push(less);
            }
        }
    }
    plans.extend(simpler(plan));
    plans.retain(|other| other != plan);
    plans
}

/// Returns plans with a simpler value.
fn simpler(plan: &Plan) -> Vec<Plan> {
    let mut plans = Vec::new();
    let mut change = |change: &dyn Fn(&mut Plan)| {
        let mut less = plan.clone();
        change(&mut less);
        plans.push(less);
    };
    let usual = super::engage::Rules { points: 100_000, ..super::engage::Rules::default() };
    change(&|plan| plan.rules = usual.clone());
    change(&|plan| plan.rules.lag_ms = 0);
    change(&|plan| plan.rules.reward_lag_ms = 0);
    change(&|plan| plan.rules.checks_first = false);
    change(&|plan| plan.rules.code_place = usual.code_place);
    change(&|plan| plan.rules.history = usual.history);
    change(&|plan| plan.rules.nothing = usual.nothing);
    change(&|plan| plan.rules.no_codes = false);
    change(&|plan| plan.rules.points = usual.points);
    change(&|plan| plan.rules.earlier_purchases = 0);
    change(&|plan| plan.rules.redeem = usual.redeem);
    change(&|plan| plan.rules.merged_without_code = false);
    change(&|plan| plan.slow_threads = 0);
    change(&|plan| plan.sync_us = 0);
    change(&|plan| plan.sync_us = 2_000);
    change(&|plan| plan.priorities = false);
    change(&|plan| plan.stay = 250);
    change(&|plan| plan.calm_after_s = 60);
    change(&|plan| plan.gifts = 0);
    for place in 0..plan.slots.len() {
        change(&|plan| plan.slots[place].opens_at_ms = 0);
        change(&|plan| plan.slots[place].request_timeout_ms = 5_000);
        change(&|plan| plan.slots[place].retry_schedule_ms = vec![1_000, 5_000, 60_000]);
        for caller in 0..plan.slots[place].callers.len() {
            for action in 0..plan.slots[place].callers[caller].len() {
                change(&|plan| match &mut plan.slots[place].callers[caller][action] {
                    Action::Purchase { snapshot, .. } => *snapshot = false,
                    Action::Sleep { ms } => *ms = 0,
                    _ => {}
                });
                change(&|plan| match &mut plan.slots[place].callers[caller][action] {
                    Action::Purchase { acknowledge, .. } => *acknowledge = false,
                    Action::Sleep { ms } => *ms /= 1_000,
                    _ => {}
                });
                change(&|plan| {
                    if let Action::Purchase { wait_ms, .. } = &mut plan.slots[place].callers[caller][action] {
                        *wait_ms = 8_000;
                    }
                });
                change(&|plan| {
                    if let Action::Purchase { contact, item, .. } = &mut plan.slots[place].callers[caller][action]
                        && *contact < 2
                    {
                        (*contact, *item) = (0, 0);
                    }
                });
            }
        }
    }
    plans
}

/// Makes a failing plan as small as it gets. Returns it with an order of its threads that fails.
pub(crate) fn shrink(plan: &Plan, failure: Failure<'_>, seed: u64) -> Option<(Plan, u64)> {
    let (mut seed, _) = failing(plan, failure, seed, 0)?;
    let mut plan = plan.clone();
    // A bound, so that a change and its opposite do not follow each other for ever.
    for _ in 0..300 {
        let better = smaller(&plan).into_iter().find_map(|less| {
            let (seed, _) = failing(&less, failure, seed, ORDERS)?;
            Some((less, seed))
        });
        let Some(better) = better else { break };
        (plan, seed) = better;
    }
    Some((plan, seed))
}
