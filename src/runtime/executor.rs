//! The workers of a client. They carry out what `core` decides: journal writes, requests to Engage, and
//! their times. A caller only waits. No attempt is made before its intent is durable (invariant 2).

use super::Journal;
use super::waiter::Waiter;
use crate::config::Config;
use crate::core::admission::{self, Admission, Clocks, Command};
use crate::core::code::Code;
use crate::core::domain::{Millis, Operation, OperationId, millis};
use crate::core::error::{Error, Result};
use crate::core::evidence::Evidence;
use crate::core::intent::{Durability, Intent, IntentState};
use crate::core::machine::{self, NextAction};
use crate::core::retry::Timing;
use crate::core::scheduler::{self, Job};
use crate::engage::Engage;
use crate::log::{Field, Level, Log};
use crate::rt::{self, Condvar, Instant, Mutex, MutexGuard};
use crate::stats::Stats;
use crate::transport::{Call, Cancellation};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// Purchases that one client may have under way. A till needs one, a store server more.
const WORKERS: usize = 32;
/// A worker without work for this long ends, except the last one.
const IDLE: Duration = Duration::from_secs(5);
/// How often the journal is searched for pending intents of processes that ended.
const SCAN: Duration = Duration::from_secs(60);
/// How long `close` waits for the workers.
const CLOSE_WAIT: Duration = Duration::from_secs(2);
/// When work that failed for a reason of the till (the disk, a panic) is retried.
const RETRY: Duration = Duration::from_secs(10);
/// How long a returning caller may wait for the journal. Invariant 8 allows 50 ms in all.
const PEEK_WAIT: Duration = Duration::from_millis(30);
/// How long after another caller's attempt the first status query is sent.
const FIRST_QUERY_DELAY: Duration = Duration::from_millis(250);

type Scheduler = scheduler::Scheduler<Waiter>;

pub(crate) struct Executor {
    pub journal: Journal,
    engage: Arc<Engage>,
    log: Arc<Log>,
    stats: Arc<Stats>,
    config: Arc<Config>,
    clock: ClockWatch,
    /// The origin of the scheduler's monotonic times.
    started: Instant,
    /// Ends the requests under way when the client closes.
    cancellation: Arc<Cancellation>,
    scheduler: Mutex<Scheduler>,
    changed: Condvar,
}

/// A function of `machine` that adds evidence to an intent.
type Transition = fn(&Intent, Evidence, Millis, Timing<'_>) -> Intent;

impl Executor {
    /// Takes over the pending intents of the last run and starts a worker.
    pub fn start(
        config: Arc<Config>,
        journal: Journal,
        engage: Arc<Engage>,
        log: Arc<Log>,
        stats: Arc<Stats>,
    ) -> Result<Arc<Self>> {
        journal.prune(rt::wall_now().saturating_sub(millis(config.retention)))?;
        let pending = journal.pending()?;
        let executor = Arc::new(Self {
            journal,
            engage,
            log,
            stats,
            config,
            clock: ClockWatch::start(),
            started: Instant::now(),
            cancellation: Arc::default(),
            scheduler: Mutex::default(),
            changed: Condvar::new(),
        });
        let mut scheduler = executor.lock();
        let jitter = executor.config.retry.startup_jitter_ms;
        let now = executor.monotonic();
        for (id, _) in pending {
            // With jitter, so that a thousand tills that open at eight do not query at once.
            scheduler.schedule(id, now + Duration::from_millis(rt::random() % (jitter + 1)));
        }
        scheduler.next_scan = Some(now + SCAN);
        executor.spawn_worker(&mut scheduler)?;
        drop(scheduler);
        Ok(executor)
    }

    fn lock(&self) -> MutexGuard<'_, Scheduler> {
        rt::lock(&self.scheduler)
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    /// Returns a call that may take its full time, independent of any caller's wait.
    fn call(&self) -> Arc<Call> {
        Arc::new(Call::new(Instant::now() + self.config.request_timeout, &self.cancellation))
    }

    /// Queues a command for the workers.
    pub fn submit(self: &Arc<Self>, command: Command) -> Result<Arc<Waiter>> {
        let waiter = Waiter::new(self.call());
        let mut scheduler = self.lock();
        if scheduler.closing {
            return Err(Error::of(Code::Closed));
        }
        scheduler.commands.push_back((command, waiter.clone()));
        scheduler.budget.earn();
        self.ensure_worker(&mut scheduler)?;
        drop(scheduler);
        self.changed.notify_one();
        Ok(waiter)
    }

    /// Returns an operation, if the journal holds it.
    pub fn get(&self, id: OperationId) -> Result<Option<Intent>> {
        // In this order: a write in between is then found in the journal.
        let reported = self.reported(id);
        Ok(newer(reported, self.journal.get(id)?))
    }

    /// Returns everything that is pending or not acknowledged, oldest first.
    pub fn unacknowledged(&self) -> Result<Vec<Intent>> {
        let not_persisted = self.lock().not_persisted.clone();
        let completed = |id| not_persisted.get(&id).filter(|intent| intent.state == IntentState::Completed).cloned();
        let intents = self.journal.unacknowledged()?;
        Ok(intents.into_iter().filter_map(|intent| newer(completed(intent.id()), Some(intent))).collect())
    }

    /// Returns a completion that was reported and is not stored yet.
    fn reported(&self, id: OperationId) -> Option<Intent> {
        self.lock().not_persisted.get(&id).filter(|intent| intent.state == IntentState::Completed).cloned()
    }

    /// Returns an operation of the journal.
    fn recorded(&self, id: OperationId) -> Result<Intent> {
        self.journal.get(id)?.ok_or_else(|| Error::of(Code::UnknownOperation).with_operation(id))
    }

    /// Acknowledges an operation: [`machine::acknowledge`], carried out.
    pub fn acknowledge(&self, id: OperationId) -> Result<Intent> {
        loop {
            let intent = match self.reported(id) {
                Some(reported) => self.persist_reported(&reported)?,
                None => self.recorded(id)?,
            };
            let Some(acknowledged) = machine::acknowledge(&intent, rt::wall_now())? else { return Ok(intent) };
            if self.journal.save(&acknowledged, Durability::Synced)? {
                return Ok(acknowledged);
            }
        }
    }

    /// Returns the result of a command that no worker took in time. The command is void, but its intent may exist
    /// from an earlier call.
    pub fn abandoned(&self, command: &Command, not_sent: Code, pending: Code) -> Result<(Intent, bool)> {
        let decide = |candidates| admission::admit(command, candidates, self.clocks());
        match self.journal.peek(&command.operation, command.reference.as_deref(), decide, PEEK_WAIT) {
            Some(Ok(Admission::Existing(intent))) => {
                let intent = self.reported(intent.id()).unwrap_or(intent);
                machine::outcome_of(intent, pending).map(|intent| (intent, true))
            }
            Some(Ok(_)) => Err(Error::of(not_sent)),
            Some(Err(error)) => Err(error),
            None => Err(Error::of(pending)),
        }
    }

    /// Requests a status query of every pending intent. Returns a waiter for each.
    pub fn request_all(self: &Arc<Self>) -> Result<Vec<Arc<Waiter>>> {
        let pending = self.journal.pending()?;
        let now = self.monotonic();
        let mut scheduler = self.lock();
        if scheduler.closing {
            return Err(Error::of(Code::Closed));
        }
        let waiters = pending
            .into_iter()
            .map(|(id, _)| {
                let waiter = Waiter::new(self.call());
                waiter.mark_existing();
                scheduler.wait_for(id, &waiter, now, Waiter::share);
                waiter
            })
            .collect();
        let _ = self.ensure_worker(&mut scheduler);
        drop(scheduler);
        self.changed.notify_all();
        Ok(waiters)
    }

    /// Ends the workers. An operation under way stays pending in the journal.
    pub fn close(&self) {
        let mut scheduler = self.lock();
        scheduler.closing = true;
        let commands = std::mem::take(&mut scheduler.commands);
        self.cancellation.cancel_all();
        self.changed.notify_all();
        let until = Instant::now() + CLOSE_WAIT;
        while scheduler.workers > 0 {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            scheduler = rt::wait_timeout(&self.changed, scheduler, left);
        }
        let waiters: Vec<_> =
            scheduler.entries.values_mut().flat_map(|entry| std::mem::take(&mut entry.waiters)).collect();
        drop(scheduler);
        for (_, waiter) in commands {
            waiter.fail(Error::of(Code::Closed));
        }
        for waiter in waiters {
            waiter.fail(Error::of(Code::PendingClosed));
        }
    }

    /// Spawns a worker if none is free: a request that hangs must not hold up the next one.
    fn ensure_worker(self: &Arc<Self>, scheduler: &mut Scheduler) -> Result<()> {
        let waiting = scheduler.commands.len() + usize::from(scheduler.has_due_times());
        if waiting > scheduler.idle && scheduler.workers < WORKERS { self.spawn_worker(scheduler) } else { Ok(()) }
    }

    fn spawn_worker(self: &Arc<Self>, scheduler: &mut Scheduler) -> Result<()> {
        let executor = self.clone();
        match rt::spawn("eps-worker", move || executor.run()) {
            Ok(()) => {
                scheduler.workers += 1;
                Ok(())
            }
            // Existing workers process it.
            Err(_) if scheduler.workers > 0 => Ok(()),
            Err(error) => {
                Err(Error::new(Code::Internal, "no thread could be started").with_cause(vec![error.to_string()]))
            }
        }
    }

    /// The loop of a worker.
    fn run(self: Arc<Self>) {
        let mut scheduler = self.lock();
        let mut idle_since = self.monotonic();
        loop {
            let now = self.monotonic();
            if let Some(job) = scheduler.take(now) {
                // If no thread can be spawned, this worker takes the next job later.
                let _ = self.ensure_worker(&mut scheduler);
                drop(scheduler);
                self.carry_out(job);
                self.checkpoint_if_due();
                scheduler = self.lock();
                idle_since = self.monotonic();
                continue;
            }
            if scheduler.closing || (now.saturating_sub(idle_since) >= IDLE && scheduler.idle > 0) {
                break;
            }
            let wait = scheduler.next_due().map_or(IDLE, |due| due.saturating_sub(now).min(IDLE));
            scheduler.idle += 1;
            scheduler = rt::wait_timeout(&self.changed, scheduler, wait.max(Duration::from_millis(1)));
            scheduler.idle -= 1;
        }
        scheduler.workers -= 1;
        drop(scheduler);
        self.changed.notify_all();
    }

    fn carry_out(&self, job: Job<Waiter>) {
        match job {
            Job::Start(command, waiter) => {
                let survived = catch_unwind(AssertUnwindSafe(|| self.start_intent(&command, &waiter)));
                if survived.is_err() {
                    waiter.fail(command.operation.named_in(Error::of(Code::Internal)));
                    self.release(command.operation.id(), RETRY);
                }
            }
            Job::Resolve { id, requested, attended } => {
                let next = catch_unwind(AssertUnwindSafe(|| self.resolve(id, requested, attended)));
                if !attended {
                    self.lock().background -= 1;
                }
                match next {
                    Ok(Ok(Some(intent))) => self.publish(&intent),
                    // Another process has acknowledged and pruned it.
                    Ok(Ok(None)) => {
                        self.lock().entries.remove(&id);
                    }
                    Ok(Err(error)) => {
                        self.log_journal_failure(id, &error);
                        self.release(id, RETRY);
                    }
                    Err(_) => self.release(id, RETRY),
                }
            }
            Job::Scan => {
                let pending = catch_unwind(AssertUnwindSafe(|| self.journal.pending()));
                let now = self.monotonic();
                let mut scheduler = self.lock();
                scheduler.next_scan = Some(now + SCAN);
                for (id, _) in pending.ok().and_then(Result::ok).unwrap_or_default() {
                    if !scheduler.entries.contains_key(&id) {
                        scheduler.schedule(id, now + Duration::from_millis(rt::random() % 10_000));
                    }
                }
            }
        }
    }

    /// Records the intent, makes its first attempt, and notifies the caller.
    fn start_intent(&self, command: &Command, waiter: &Arc<Waiter>) {
        if !waiter.take() {
            return;
        }
        let clocks = self.clocks();
        let reference = command.reference.as_deref();
        let decide = |candidates| admission::admit(command, candidates, clocks);
        match self.journal.admit(&command.operation, reference, decide) {
            Err(error) => waiter.fail(error),
            Ok(Admission::Existing(intent)) => {
                waiter.mark_existing();
                // A completion may have been reported, and stored since.
                let newer = if intent.state.is_final() { None } else { self.get(intent.id()).ok().flatten() };
                let intent = newer.unwrap_or(intent);
                waiter.notify(&intent);
                if !intent.state.is_final() {
                    // An attempt under way elsewhere needs a moment before a query can find it.
                    let delay = if clocks.now < intent.in_flight_until { FIRST_QUERY_DELAY } else { Duration::ZERO };
                    let due = self.monotonic() + delay;
                    self.lock().wait_for(intent.id(), waiter, due, Waiter::share);
                    self.changed.notify_one();
                }
            }
            Ok(Admission::Uncertain(withdrawn, error)) => {
                self.log_journal_failure(withdrawn.id(), &error);
                let shown = Intent { cause: error.cause().to_vec(), ..machine::not_persisted(withdrawn.clone()) };
                let now = self.monotonic();
                let mut scheduler = self.lock();
                scheduler.occupy(&withdrawn, waiter, now);
                scheduler.not_persisted.insert(withdrawn.id(), withdrawn);
                drop(scheduler);
                self.publish(&shown);
            }
            Ok(Admission::New(intent)) => {
                // First, so that a late result of an earlier start finds a newer revision.
                waiter.notify(&intent);
                let now = self.monotonic();
                self.lock().occupy(&intent, waiter, now);
                let evidence = self.attempt(&intent, &waiter.call, || waiter.departed());
                self.publish(&self.learn(intent, machine::after_attempt, &evidence, true));
            }
        }
    }

    /// Sends one status query about an intent, and one more attempt where that is right. None: the journal does
    /// not hold it any more.
    fn resolve(&self, id: OperationId, requested: bool, attended: bool) -> Result<Option<Intent>> {
        let rules = &self.config.retry;
        let not_persisted = self.lock().not_persisted.get(&id).cloned();
        if let Some(intent) = not_persisted {
            return self.persist_again(intent).map(Some);
        }
        let Some(intent) = self.journal.get(id)? else { return Ok(None) };
        let intent = machine::bounded(intent, rt::wall_now(), self.in_flight_window(), rules);
        match machine::next(&intent, rt::wall_now()) {
            NextAction::Nothing => return Ok(Some(intent)),
            NextAction::Wait(_) if !requested => return Ok(Some(intent)),
            NextAction::Wait(_) | NextAction::QueryStatus => {}
        }
        let min_interval = Duration::from_millis(rules.schedule_ms[0]);
        if !attended && !self.lock().budget.spend(self.monotonic(), min_interval) {
            return Ok(Some(Intent { next_query_at: rt::wall_now() + millis(min_interval), ..intent }));
        }
        // The time before the query: what the query does not find was not there then.
        let queried_at = rt::wall_now();
        let evidence = self.engage.query_status(&intent.operation, &self.call());
        self.stats.status_queries.add();
        let intent = if self.clock.is_steady_since(intent.recorded_at) {
            admission::backdated(intent, self.clocks())
        } else {
            intent
        };
        let nothing_found = matches!(evidence, Evidence::Absent | Evidence::Unseen);
        if !(nothing_found && machine::may_resend(&intent, queried_at, rules)) {
            return Ok(Some(self.learn(intent, machine::after_query, &evidence, attended)));
        }
        // Made before the write, so that the attempt ends within its in-flight window however long the write takes.
        let call = self.call();
        let again = machine::next_attempt(&intent, matches!(evidence, Evidence::Absent), self.clocks());
        if !self.journal.save(&again, Durability::Synced)? {
            // Another process resolves it.
            return self.journal.get(id);
        }
        let evidence = self.attempt(&again, &call, || None);
        Ok(Some(self.learn(again, machine::after_attempt, &evidence, attended)))
    }

    /// Stores an intent that could not be stored before.
    fn persist_again(&self, intent: Intent) -> Result<Intent> {
        if intent.state == IntentState::Completed {
            return self.persist_reported(&intent);
        }
        let saved = self.journal.save(&intent, machine::durability(&intent));
        let stored = match saved {
            Ok(true) => intent,
            // Another process may have found it in the write-ahead log and taken it over.
            _ => match self.journal.get(intent.id())? {
                Some(theirs) if theirs.revision >= intent.revision => theirs,
                _ => return Err(saved.err().unwrap_or_else(|| Error::of(Code::Journal))),
            },
        };
        self.lock().not_persisted.remove(&stored.id());
        Ok(stored)
    }

    /// Stores a completion that was reported, over what another writer has stored without knowing of it.
    fn persist_reported(&self, reported: &Intent) -> Result<Intent> {
        let stored = loop {
            let stored = self.recorded(reported.id())?;
            if stored.state.is_final() {
                break stored;
            }
            let next = Intent { revision: stored.revision + 1, ..reported.clone() };
            if self.journal.save(&next, machine::durability(&next))? {
                break next;
            }
        };
        self.lock().not_persisted.remove(&stored.id());
        Ok(stored)
    }

    /// Makes one attempt. Its intent is durable. `departed` says why the caller withdrew it, if so.
    fn attempt(&self, intent: &Intent, call: &Arc<Call>, departed: impl Fn() -> Option<Code>) -> Evidence {
        let began = Instant::now();
        let mut evidence = self.engage.spend(&intent.operation, call);
        self.stats.sent(&intent.operation);
        if let Evidence::NotSent(reason) = &mut evidence {
            match departed() {
                Some(code) => reason.code = code,
                // No caller withdrew it, so the client is closing.
                None if reason.code == Code::Cancelled => reason.code = Code::Closed,
                None => {}
            }
        }
        self.log.write(
            Level::Info,
            match intent.operation {
                Operation::Purchase(_) => "purchase.sent",
                Operation::Redeem(_) => "redeem.sent",
            },
            &[
                ("operationId", Field::Operation(intent.id())),
                ("attempt", Field::Number(intent.detail.attempts.into())),
                ("code", Field::Code(evidence.code())),
                ("ms", Field::Number(millis(began.elapsed()))),
            ],
        );
        evidence
    }

    /// Adds evidence to an intent and stores it. If another thread or process has stored the intent meanwhile, the
    /// evidence is added to that. An outcome that could not be stored is not reported, except a completion.
    fn learn(&self, mut intent: Intent, transition: Transition, evidence: &Evidence, attended: bool) -> Intent {
        let stored = loop {
            let next = transition(&intent, evidence.clone(), rt::wall_now(), self.timing(attended));
            let durability = machine::durability(&next);
            if next.state == IntentState::Completed && durability == Durability::Buffered {
                self.report_completion(&next);
            }
            let error = match self.journal.save(&next, durability) {
                Ok(true) => break next,
                Ok(false) => match self.journal.get(intent.id()) {
                    Ok(Some(theirs)) if machine::is_overtaken(&intent, &theirs, evidence) => break theirs,
                    Ok(Some(theirs)) => {
                        intent = theirs;
                        continue;
                    }
                    Ok(None) => Error::of(Code::UnknownOperation),
                    Err(error) => error,
                },
                Err(error) => error,
            };
            self.log_journal_failure(intent.id(), &error);
            return match next.state {
                // Engage has completed it, so a later query finds the same.
                IntentState::Completed => next,
                _ => machine::not_persisted(next),
            };
        };
        self.lock().not_persisted.remove(&stored.id());
        stored
    }

    /// Checkpoints the write-ahead log after a job, while no caller waits.
    fn checkpoint_if_due(&self) {
        if let Ok(Err(error)) = catch_unwind(AssertUnwindSafe(|| self.journal.checkpoint_if_due())) {
            self.log.write(Level::Error, "journal.failed", &[("code", Field::Code(error.code()))]);
        }
    }

    fn log_journal_failure(&self, id: OperationId, error: &Error) {
        let fields = [("operationId", Field::Operation(id)), ("code", Field::Code(error.code()))];
        self.log.write(Level::Error, "journal.failed", &fields);
    }

    /// Notifies all waiters of a completed purchase before it is stored, so that a slow disk does not delay them.
    fn report_completion(&self, intent: &Intent) {
        let mut scheduler = self.lock();
        scheduler.not_persisted.insert(intent.id(), intent.clone());
        let waiters = scheduler.entries.get_mut(&intent.id()).map(|entry| std::mem::take(&mut entry.waiters));
        drop(scheduler);
        for waiter in waiters.unwrap_or_default() {
            waiter.notify(intent);
        }
    }

    /// Notifies all waiters of an intent, and schedules the next status query.
    fn publish(&self, intent: &Intent) {
        let now = self.monotonic();
        let mut scheduler = self.lock();
        let resolved = intent.state.is_final() || intent.is_acknowledged();
        let outdated = scheduler.entries.get(&intent.id()).is_some_and(|entry| intent.revision < entry.started);
        let waiters = match scheduler.entries.get_mut(&intent.id()) {
            None => Vec::new(),
            // Started again meanwhile: the entry and its waiters belong to the new start.
            Some(entry) if outdated => entry.waiters.clone(),
            Some(entry) if resolved || intent.needs_review() => std::mem::take(&mut entry.waiters),
            Some(entry) => {
                entry.drop_departed();
                entry.waiters.clone()
            }
        };
        let not_persisted = resolved && scheduler.not_persisted.contains_key(&intent.id());
        let scheduled = (!resolved || not_persisted) && !outdated;
        if scheduled {
            let wait = Duration::from_millis(intent.next_query_at.saturating_sub(rt::wall_now()));
            scheduler.schedule(intent.id(), now + if not_persisted { RETRY } else { wait });
        } else if !outdated {
            scheduler.entries.remove(&intent.id());
            self.stats.resolved(intent.state);
        }
        drop(scheduler);
        if scheduled {
            self.changed.notify_one();
        }
        for waiter in waiters {
            waiter.notify(intent);
        }
    }

    /// Schedules an intent again after a failure.
    fn release(&self, id: OperationId, delay: Duration) {
        let due = self.monotonic() + delay;
        self.lock().schedule(id, due);
        self.changed.notify_one();
    }

    fn clocks(&self) -> Clocks {
        Clocks { now: rt::wall_now(), in_flight_window: self.in_flight_window(), engage: self.engage.server_now() }
    }

    fn timing(&self, attended: bool) -> Timing<'_> {
        Timing { rules: &self.config.retry, attended, random: rt::random() }
    }

    /// Returns how long after its start an attempt may be under way, in ms: the request time-out and a tenth.
    fn in_flight_window(&self) -> Millis {
        let timeout = millis(self.config.request_timeout);
        timeout + timeout / 10
    }
}

/// Returns the completion that was reported but not stored, unless the stored intent is final.
fn newer(reported: Option<Intent>, stored: Option<Intent>) -> Option<Intent> {
    match (reported, stored) {
        (Some(_), Some(stored)) if stored.state.is_final() => Some(stored),
        (reported, stored) => reported.or(stored),
    }
}

/// Detects changes of the till's clock while the client is open.
struct ClockWatch {
    started: Instant,
    wall: Millis,
}

impl ClockWatch {
    /// Corrections up to this are usual, in ms.
    const TOLERANCE_MS: Millis = 1_000;

    fn start() -> Self {
        Self { started: Instant::now(), wall: rt::wall_now() }
    }

    /// Whether a wall time of this run is still right by the till's clock.
    fn is_steady_since(&self, time: Millis) -> bool {
        let expected = self.wall + millis(self.started.elapsed());
        time >= self.wall && rt::wall_now().abs_diff(expected) <= Self::TOLERANCE_MS
    }
}
