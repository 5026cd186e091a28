//! The simulated machine: coroutines in the place of threads, virtual time, and a scheduler that a
//! seed drives. One coroutine runs at a time, and all of a run are on one thread of the system, so
//! a run is exact.

use super::random::Rng;
use generator::{Generator, Gn};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Virtual time in µs since the start of the run.
pub(crate) type Micros = u64;
/// The stack of a coroutine, in machine words. A build without optimization needs the most.
const STACK_WORDS: usize = 0x1_0000;
/// So long a task that can run waits for its turn at once, in µs.
const SLOW: Micros = 500_000;
/// A run that takes more steps than this has a thread that never waits.
const STEP_LIMIT: u64 = 1_000_000;

type Work = Box<dyn FnOnce() + Send>;

/// A blocked wait of a task. A wake-up with an older number does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wakeup {
    task: usize,
    number: u64,
}

enum Timer {
    Wake(Wakeup),
    Event(Box<dyn FnOnce()>),
}

/// What the clock does next.
enum Next {
    Nothing,
    /// Time went on, and no timer has ended.
    Later,
    At(Micros, Timer),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Runnable,
    Blocked,
    Ended,
}

struct Task {
    state: State,
    work: Option<Work>,
    /// The simulated process that the task belongs to; 0 is the simulation itself.
    process: usize,
    wakeup: u64,
    /// The last wait ended by its time.
    timed_out: bool,
    priority: u64,
}

/// How the scheduler chooses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice {
    /// In 256 steps, how often time goes on although a task can run: that task is slow.
    pub clock: u64,
    /// In 256 steps, how often the running task goes on.
    pub stay: u64,
    /// Tasks have priorities, which change at random steps.
    pub priorities: bool,
}

struct Machine {
    now: Micros,
    sequence: u64,
    timers: BTreeMap<(Micros, u64), Timer>,
    tasks: Vec<Task>,
    runnable: Vec<usize>,
    current: usize,
    live: usize,
    /// The running task has given its turn to the clock.
    clock_due: bool,
    steps: u64,
    choice: Choice,
    /// Chooses tasks and times.
    order: Rng,
    /// Gives random numbers to the simulated programs.
    numbers: Rng,
    panics: Vec<String>,
    /// By process.
    pauses: BTreeMap<usize, Pauses>,
}

/// The times in which a process did not run.
#[derive(Clone, Copy, Default)]
struct Pauses {
    /// It does not run now.
    paused: bool,
    /// Of them, those in which its monotonic clock stood.
    suspended: Micros,
    all: Micros,
}

impl Machine {
    fn new(seed: u64, choice: Choice) -> Self {
        Self {
            now: 0,
            sequence: 0,
            timers: BTreeMap::new(),
            tasks: Vec::new(),
            runnable: Vec::new(),
            current: 0,
            live: 0,
            clock_due: false,
            steps: 0,
            choice,
            order: Rng::new(seed, 1),
            numbers: Rng::new(seed, 2),
            panics: Vec::new(),
            pauses: BTreeMap::new(),
        }
    }

    /// Chooses the next task. None: time goes on.
    fn choose(&mut self, current: Option<usize>) -> Option<usize> {
        self.steps += 1;
        if self.runnable.is_empty() {
            return None;
        }
        if self.choice.clock > 0 && !self.timers.is_empty() && self.order.below(256) < self.choice.clock {
            return None;
        }
        if self.choice.priorities {
            if let Some(current) = current
                && self.order.below(32) == 0
            {
                self.tasks[current].priority = self.order.next();
            }
            let tasks = &self.tasks;
            return self.runnable.iter().copied().max_by_key(|task| tasks[*task].priority);
        }
        if let Some(current) = current
            && (self.runnable.len() == 1 || self.order.below(256) < self.choice.stay)
        {
            return Some(current);
        }
        let place = self.order.below(self.runnable.len() as u64);
        Some(self.runnable[usize::try_from(place).unwrap_or(0)])
    }

    /// Returns the next timer. While a task can run, time goes on by less than the time to a timer
    /// that is far away: no thread is that slow.
    fn next_timer(&mut self) -> Next {
        let Some((at, _)) = self.timers.first_key_value().map(|(key, _)| *key) else { return Next::Nothing };
        if !self.runnable.is_empty() && at > self.now + SLOW {
            self.now += SLOW;
            return Next::Later;
        }
        self.timers.pop_first().map_or(Next::Nothing, |((at, _), timer)| Next::At(at, timer))
    }

    /// A task of a paused process runs when its process does.
    fn make_runnable(&mut self, task: usize) {
        self.tasks[task].state = State::Runnable;
        if !self.pauses_of(self.tasks[task].process).paused {
            self.runnable.push(task);
        }
    }

    fn pauses_of(&self, process: usize) -> Pauses {
        self.pauses.get(&process).copied().unwrap_or_default()
    }

    /// Stops the tasks of a process, and their timers where its monotonic clock stands.
    fn pause(&mut self, process: usize, time: Micros, suspended: bool) {
        self.pauses.entry(process).or_default().paused = true;
        let tasks = &self.tasks;
        self.runnable.retain(|task| tasks[*task].process != process);
        if suspended {
            let is_of = |timer: &Timer| matches!(timer, Timer::Wake(wakeup) if tasks[wakeup.task].process == process);
            let timers = std::mem::take(&mut self.timers).into_iter();
            self.timers =
                timers.map(|((at, number), it)| ((at + if is_of(&it) { time } else { 0 }, number), it)).collect();
        }
    }

    fn go_on(&mut self, process: usize, time: Micros, suspended: bool) {
        let pauses = self.pauses.entry(process).or_default();
        pauses.paused = false;
        pauses.all += time;
        pauses.suspended += if suspended { time } else { 0 };
        let is_ready = |task: &Task| task.process == process && task.state == State::Runnable;
        self.runnable.extend((0..self.tasks.len()).filter(|number| is_ready(&self.tasks[*number])));
    }

    fn remove_runnable(&mut self, task: usize) {
        self.runnable.retain(|other| *other != task);
    }

    fn wake(&mut self, wakeup: Wakeup, timed_out: bool) {
        let task = &mut self.tasks[wakeup.task];
        if task.wakeup == wakeup.number && task.state == State::Blocked {
            task.timed_out = timed_out;
            self.make_runnable(wakeup.task);
        }
    }
}

thread_local! {
    static MACHINE: RefCell<Machine> =
        RefCell::new(Machine::new(0, Choice { clock: 0, stay: 0, priorities: false }));
    /// Coroutines whose work has ended, for the next tasks: a stack is costly to make.
    static FREE: RefCell<Vec<Generator<'static, (), ()>>> = const { RefCell::new(Vec::new()) };
}

fn machine<T>(work: impl FnOnce(&mut Machine) -> T) -> T {
    MACHINE.with_borrow_mut(work)
}

/// Gives the thread to the scheduler's loop.
#[allow(deprecated)] // The scoped form would have to be carried into every lock.
fn leave() {
    generator::yield_with(());
}

/// The body of a coroutine: it carries out the work of one task after the other.
fn body() {
    loop {
        let work = machine(|machine| machine.tasks[machine.current].work.take());
        if let Some(work) = work
            && let Err(panic) = catch_unwind(AssertUnwindSafe(work))
        {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
            machine(|machine| machine.panics.push(text.unwrap_or_default()));
        }
        machine(|machine| {
            let current = machine.current;
            machine.tasks[current].state = State::Ended;
            machine.remove_runnable(current);
            machine.live -= 1;
        });
        leave();
    }
}

/// A run's end.
pub(crate) struct Ended {
    pub now: Micros,
    pub steps: u64,
    pub panics: Vec<String>,
    /// Tasks that never ended, or a run without an end.
    pub stuck: Option<String>,
}

/// Runs `main` as the first task, until every task has ended.
pub(crate) fn run(seed: u64, choice: Choice, main: impl FnOnce() + Send + 'static) -> Ended {
    MACHINE.set(Machine::new(seed, choice));
    spawn_in(0, main);
    let mut coroutines: Vec<Option<Generator<'static, (), ()>>> = Vec::new();
    let mut next: Option<usize> = Some(0);
    let stuck = loop {
        let task = match next.take() {
            Some(task) => task,
            None => match machine(|machine| {
                if machine.live == 0 {
                    return None;
                }
                let task = if std::mem::take(&mut machine.clock_due) { None } else { machine.choose(None) };
                Some(task.ok_or_else(|| machine.next_timer()))
            }) {
                None => break None,
                Some(Ok(task)) => task,
                Some(Err(Next::Nothing)) => break Some("every thread waits, and nothing will wake it".to_owned()),
                Some(Err(Next::Later)) => continue,
                Some(Err(Next::At(at, timer))) => {
                    machine(|machine| machine.now = machine.now.max(at));
                    match timer {
                        Timer::Wake(wakeup) => machine(|machine| machine.wake(wakeup, true)),
                        Timer::Event(event) => event(),
                    }
                    continue;
                }
            },
        };
        if machine(|machine| machine.steps > STEP_LIMIT) {
            break Some("a thread runs without end".to_owned());
        }
        while coroutines.len() <= task {
            let free = FREE.with_borrow_mut(Vec::pop);
            coroutines.push(Some(free.unwrap_or_else(|| Gn::new_opt(STACK_WORDS, body))));
        }
        machine(|machine| machine.current = task);
        if let Some(coroutine) = &mut coroutines[task] {
            coroutine.resume();
        }
        next = machine(|machine| {
            if machine.tasks[task].state == State::Ended {
                FREE.with_borrow_mut(|free| free.extend(coroutines[task].take()));
            }
            // A task that gave its turn away has chosen the next one already.
            (machine.current != task).then_some(machine.current)
        });
    };
    // A stack that is still in use cannot be unwound: its guards would run on.
    coroutines.into_iter().flatten().for_each(std::mem::forget);
    let machine = MACHINE.replace(Machine::new(0, choice));
    let ended = Ended { now: machine.now, steps: machine.steps, panics: machine.panics, stuck };
    if ended.stuck.is_some() {
        std::mem::forget((machine.tasks, machine.timers));
    }
    ended
}

/// Lets another task run, or not: one step.
pub(crate) fn step() {
    let goes_on = machine(|machine| {
        let current = machine.current;
        match machine.choose(Some(current)) {
            // Else a task that never waits would keep the thread.
            _ if machine.steps > STEP_LIMIT => false,
            Some(task) if task == current => true,
            Some(task) => {
                machine.current = task;
                false
            }
            None => {
                machine.clock_due = true;
                false
            }
        }
    });
    if !goes_on {
        leave();
    }
}

/// Returns a wakeup for the next wait of this task.
pub(crate) fn wakeup() -> Wakeup {
    machine(|machine| {
        let current = machine.current;
        machine.tasks[current].wakeup += 1;
        Wakeup { task: current, number: machine.tasks[current].wakeup }
    })
}

/// Blocks this task until somebody wakes the wakeup, or until a time. True: the time has come.
pub(crate) fn wait(wakeup: Wakeup, until: Option<Micros>) -> bool {
    let key = machine(|machine| {
        let task = &mut machine.tasks[wakeup.task];
        (task.state, task.timed_out) = (State::Blocked, false);
        machine.remove_runnable(wakeup.task);
        until.map(|until| {
            machine.sequence += 1;
            let key = (until.max(machine.now), machine.sequence);
            machine.timers.insert(key, Timer::Wake(wakeup));
            key
        })
    });
    leave();
    machine(|machine| {
        let timed_out = machine.tasks[wakeup.task].timed_out;
        if let Some(key) = key.filter(|_| !timed_out) {
            machine.timers.remove(&key);
        }
        timed_out
    })
}

/// Ends a wait.
pub(crate) fn wake(wakeup: Wakeup) {
    machine(|machine| machine.wake(wakeup, false));
}

pub(crate) fn sleep(micros: Micros) {
    if micros == 0 {
        step();
    } else {
        let until = now() + micros;
        wait(wakeup(), Some(until));
    }
}

/// Carries out an event after a time. It may not wait.
pub(crate) fn after(micros: Micros, event: impl FnOnce() + 'static) {
    machine(|machine| {
        machine.sequence += 1;
        machine.timers.insert((machine.now + micros, machine.sequence), Timer::Event(Box::new(event)));
    });
}

/// Starts a task in a process.
pub(crate) fn spawn_in(process: usize, work: impl FnOnce() + Send + 'static) {
    machine(|machine| {
        let priority = machine.order.next();
        let work: Option<Work> = Some(Box::new(work));
        let task = Task { state: State::Runnable, work, process, wakeup: 0, timed_out: false, priority };
        machine.tasks.push(task);
        machine.make_runnable(machine.tasks.len() - 1);
        machine.live += 1;
    });
}

pub(crate) fn now() -> Micros {
    machine(|machine| machine.now)
}

/// Returns a number that is random to the simulated programs.
pub(crate) fn random() -> u64 {
    machine(|machine| machine.numbers.next())
}

/// Returns a number below `limit` for the simulated world.
pub(crate) fn below(limit: u64) -> u64 {
    machine(|machine| machine.order.below(limit))
}

/// Returns the process of the running task.
pub(crate) fn process() -> usize {
    machine(|machine| machine.tasks.get(machine.current).map_or(0, |task| task.process))
}

/// Moves the running task into a process.
pub(crate) fn enter(process: usize) {
    machine(|machine| {
        let current = machine.current;
        machine.tasks[current].process = process;
    });
    await_process();
}

/// Gives the turn away if the running task's process is paused.
fn await_process() {
    let paused = machine(|machine| {
        let current = machine.current;
        let paused = machine.pauses_of(machine.tasks[current].process).paused;
        if paused {
            machine.remove_runnable(current);
        }
        paused
    });
    if paused {
        leave();
    }
}

/// Pauses processes for a time. `suspended`: their machine is, so that their monotonic clock
/// stands. Else they are stopped by a signal.
pub(crate) fn pause(processes: &[usize], time: Micros, suspended: bool) {
    let running = |process: &usize| !machine(|machine| machine.pauses_of(*process).paused);
    for process in processes.iter().copied().filter(running).collect::<Vec<_>>() {
        machine(|machine| machine.pause(process, time, suspended));
        after(time, move || machine(|machine| machine.go_on(process, time, suspended)));
    }
}

/// As [`pause`], from a task of one of them.
pub(crate) fn pause_here(processes: &[usize], time: Micros, suspended: bool) {
    pause(processes, time, suspended);
    await_process();
}

/// Returns the time in which the running task's process was suspended.
pub(crate) fn suspended() -> Micros {
    machine(|machine| machine.tasks.get(machine.current).map_or(0, |task| machine.pauses_of(task.process).suspended))
}

/// Returns the time in which a process did not run.
pub(crate) fn paused(process: usize) -> Micros {
    machine(|machine| machine.pauses_of(process).all)
}

/// Returns the running task's number, for the trace.
pub(crate) fn task() -> usize {
    machine(|machine| machine.current)
}

/// Returns the number of tasks that have not ended.
pub(crate) fn live() -> usize {
    machine(|machine| machine.live)
}
