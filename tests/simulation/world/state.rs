//! The state of the simulated machines: their processes, clocks and crashes; the trace and the
//! violations of a run.

use super::scheduler::{self, Micros};
use std::cell::RefCell;

/// The time at the start of a run, in ms since 1970: January 2027.
pub(crate) const START_MS: u64 = 1_800_000_000_000;
pub(crate) const MS: Micros = 1_000;
pub(crate) const SECOND: Micros = 1_000 * MS;
pub(crate) const MINUTE: Micros = 60 * SECOND;
pub(crate) const HOUR: Micros = 60 * MINUTE;

/// A promise of the design, by the number of its invariant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Promise {
    /// 1: at most one deduction per intent and per receipt.
    OneDeduction,
    /// 2: no attempt leaves before its record is durable.
    DurableFirst,
    /// 3: a purchase id is never used for another contact or item.
    OneIdOneSale,
    /// 4: declined, not sent and completed are reported on evidence.
    Declined,
    NotSent,
    Completed,
    /// 4: a decline lasts no longer than its reason.
    DeclineEnds,
    /// 5: every intent reaches an end by itself.
    Ends,
    /// 5: a person is asked only past the resend limit.
    ReviewLate,
    /// 6: nothing is forgotten before it is acknowledged.
    Kept,
    /// 7: a second press on the same basket is the first intent; another sale is not.
    OneBasket,
    /// 8: no call outlives its wait by more than 50 ms.
    InTime,
    /// 9: nothing panics or runs without end.
    Alive,
    /// 11: a completed outcome is never replaced.
    CompletedStays,
    /// 11: a failing journal hides no completion that was reported.
    CompletedShown,
    /// 12: an attempt is not sent while an earlier one of its intent is under way.
    OneAttempt,
    /// 13: a sale is sent at once, whatever else is pending.
    AlwaysAWorker,
    /// 14: a purchase in doubt is sent again only after a history that could be read.
    QueryFirst,
}

impl Promise {
    pub const ALL: [Promise; 18] = [
        Promise::OneDeduction,
        Promise::DurableFirst,
        Promise::OneIdOneSale,
        Promise::Declined,
        Promise::NotSent,
        Promise::Completed,
        Promise::DeclineEnds,
        Promise::Ends,
        Promise::ReviewLate,
        Promise::Kept,
        Promise::OneBasket,
        Promise::InTime,
        Promise::Alive,
        Promise::CompletedStays,
        Promise::CompletedShown,
        Promise::OneAttempt,
        Promise::AlwaysAWorker,
        Promise::QueryFirst,
    ];

    /// Returns the number and the promise in words.
    pub fn text(self) -> &'static str {
        match self {
            Promise::OneDeduction => "1 one deduction per intent and per receipt",
            Promise::DurableFirst => "2 durable before it is sent",
            Promise::OneIdOneSale => "3 one purchase id, one contact and item",
            Promise::Declined => "4a declined only if nothing was deducted",
            Promise::NotSent => "4b not sent only if nothing was sent",
            Promise::Completed => "4c completed only if Engage has completed it",
            Promise::DeclineEnds => "4d a decline lasts no longer than its reason",
            Promise::Ends => "5 every intent reaches an end",
            Promise::ReviewLate => "5b review only past the resend limit",
            Promise::Kept => "6 nothing is forgotten",
            Promise::OneBasket => "7 one basket, one intent",
            Promise::InTime => "8 no call outlives its wait by 50 ms",
            Promise::Alive => "9 nothing panics or runs without end",
            Promise::CompletedStays => "11 a completed outcome stays",
            Promise::CompletedShown => "11b a failing journal hides no completion",
            Promise::OneAttempt => "12 one attempt at a time",
            Promise::AlwaysAWorker => "13 a sale always has a worker",
            Promise::QueryFirst => "14 a query before another attempt",
        }
    }

    /// Returns the number alone: "4a".
    pub fn number(self) -> &'static str {
        self.text().split(' ').next().unwrap_or_default()
    }

    pub fn from_number(number: &str) -> Option<Promise> {
        Promise::ALL.into_iter().find(|promise| promise.number() == number)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Violation {
    pub promise: Promise,
    pub text: String,
}

/// One simulated process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Process {
    /// The machine it runs on.
    pub till: usize,
    /// Its place in the plan.
    pub slot: usize,
    pub dead: bool,
    pub opened_at: Micros,
    /// When its last call that spends began.
    pub pressed_at: Micros,
    /// When it has sent status queries, since it was opened.
    pub queries: Vec<Micros>,
    /// The lines of its log.
    pub log: Vec<String>,
}

/// A crash that the plan names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crash {
    pub slot: usize,
    /// The effect of the process at which it dies.
    pub effect: u64,
    pub power: bool,
}

#[derive(Default)]
pub(crate) struct State {
    /// By process number; the first is the simulation itself.
    pub processes: Vec<Process>,
    /// Of each till, in ms: its clock is so much ahead of the true time.
    pub clock_offsets: Vec<i64>,
    pub crashes: Vec<Crash>,
    /// Effects so far, by place in the plan.
    pub effects: Vec<u64>,
    /// Crashes that have happened and that the scenario has not seen yet: process, power cut.
    pub crashed: Vec<(usize, bool)>,
    /// Tasks that wait for a change.
    pub waiting: Vec<scheduler::Wakeup>,
    /// The faults of the plan are over.
    pub calm: bool,
    pub trace: Option<Vec<String>>,
    /// A sum of everything that happened, to compare two runs.
    pub digest: u64,
    pub violations: Vec<Violation>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

pub(crate) fn state<T>(work: impl FnOnce(&mut State) -> T) -> T {
    STATE.with_borrow_mut(work)
}

pub(crate) fn replace(new: State) -> State {
    STATE.replace(new)
}

/// Returns the true time in ms since 1970.
pub(crate) fn true_ms() -> u64 {
    START_MS + scheduler::now() / MS
}

/// Returns the time by the clock of a process's till, in ms since 1970.
pub(crate) fn wall(process: usize) -> u64 {
    let offset = state(|state| {
        let till = state.processes.get(process).map_or(0, |process| process.till);
        state.clock_offsets.get(till).copied().unwrap_or(0)
    });
    true_ms().saturating_add_signed(offset)
}

/// Waits until a process is killed, a cashier has ended or the faults are over, at most until a
/// time.
pub(crate) fn await_change(until: Micros) {
    let wakeup = scheduler::wakeup();
    state(|state| state.waiting.push(wakeup));
    scheduler::wait(wakeup, Some(until));
    state(|state| state.waiting.retain(|other| *other != wakeup));
}

/// Wakes the tasks that wait for a change.
pub(crate) fn changed() {
    let waiting = state(|state| std::mem::take(&mut state.waiting));
    waiting.into_iter().for_each(scheduler::wake);
}

pub(crate) fn is_dead(process: usize) -> bool {
    state(|state| state.processes.get(process).is_some_and(|process| process.dead))
}

pub(crate) fn till_of(process: usize) -> usize {
    state(|state| state.processes.get(process).map_or(0, |process| process.till))
}

/// Returns the processes of a till.
pub(crate) fn processes_of(till: usize) -> Vec<usize> {
    state(|state| (1..state.processes.len()).filter(|number| state.processes[*number].till == till).collect())
}

/// Writes a line of the trace. `what` numbers the kind of the event for the digest.
pub(crate) fn note(what: u64, text: impl FnOnce() -> String) {
    let (now, process, task) = (scheduler::now(), scheduler::process(), scheduler::task());
    let traced = state(|state| {
        for part in [what, now, process as u64, task as u64] {
            state.digest = (state.digest ^ part).wrapping_mul(0x0100_0000_01B3).rotate_left(23);
        }
        state.trace.is_some()
    });
    if traced {
        let text = text();
        let (name, till) = (process, till_of(process));
        let who = if process == 0 { "the world".to_owned() } else { format!("till {till}, process {name}") };
        let line = format!("{:>11.3} s  {who}: {text}", seconds(now));
        state(|state| state.trace.as_mut().map(|trace| trace.push(line)));
    }
}

#[allow(clippy::cast_precision_loss)] // Times of a run are far below 2^52 µs.
fn seconds(time: Micros) -> f64 {
    time as f64 / 1e6
}

pub(crate) fn violation(promise: Promise, text: String) {
    note(99, || format!("PROMISE {} BROKEN: {text}", promise.text()));
    state(|state| state.violations.push(Violation { promise, text }));
}

/// Counts an effect of the running process, and kills the process where the plan says so. False: it
/// is dead.
pub(crate) fn effect() -> bool {
    let process = scheduler::process();
    let died = state(|state| {
        let this = state.processes.get(process).cloned()?;
        if this.dead || process == 0 {
            return None;
        }
        let count = &mut state.effects[this.slot];
        *count += 1;
        let count = *count;
        let crash = state.crashes.iter().find(|crash| crash.slot == this.slot && crash.effect == count);
        crash.copied().filter(|_| !state.calm)
    });
    if let Some(crash) = died {
        kill(process, crash.power);
    }
    !is_dead(process)
}

/// Kills a process, or with a power cut every process of its till.
pub(crate) fn kill(process: usize, power: bool) {
    note(1, || if power { "the power fails".into() } else { "the process is killed".into() });
    state(|state| {
        let till = state.processes[process].till;
        for (number, other) in state.processes.iter_mut().enumerate().skip(1) {
            if !other.dead && (number == process || (power && other.till == till)) {
                other.dead = true;
                state.crashed.push((number, power));
            }
        }
    });
    if power {
        super::disk::power_cut(till_of(process), scheduler::below(1 << 32));
    }
    changed();
}
