//! The workers of a client. They carry out what `core` decides: journal writes, requests to Engage,
//! and their times. A caller only waits. No attempt is made before its intent is durable (invariant
//! 2).
//!
//! This file has the workers. `commands` begins a purchase or a redeem and handles the result of an
//! attempt, `status_queries` queries and repeats, `publish` stores a result and notifies, `records`
//! is what a caller reads, acknowledges and decides, `lost_records` is for a journal with a loss.

mod commands;
mod lost_records;
mod publish;
mod records;
mod status_queries;

use super::Journal;
use super::notifier::{Notifier, Notify};
use super::waiter::{Until, WaitLimit, Waiter};
use crate::config::Config;
use crate::core::admission::Command;
use crate::core::clock::{Clocks, Limits, Observation};
use crate::core::code::Code;
use crate::core::domain::{Millis, millis};
use crate::core::error::{Error, Result};
use crate::core::id::{OperationId, RequestId};
use crate::core::intent::Intent;
use crate::core::retry::{Timing, startup_wait};
use crate::core::scheduler::{self, Job};
use crate::engage::{Engage, History};
use crate::log::{Field, Level, Log};
use crate::rt::{self, BootTime, Condvar, Instant, Mutex, MutexGuard};
use crate::stats::Stats;
use crate::transport::{Call, Cancellation};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Threads of one client at most: each attempt under way has one, so that a server that hangs holds
/// up no sale. A till needs a few, a store server more.
const WORKERS: usize = 256;
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

/// The journal's fact that names the origin whose history has responded as Engage's.
const OWN_HISTORY: &str = "ownHistory";
/// The journal's fact that states when a loss of records was first known, by Engage's clock: the
/// time of the loss by the till's clock, a space and this time.
const LOSS_SEEN: &str = "lossSeen";
/// Tolerance between Engage's clock as it was computed and as it stamps a purchase, in ms.
const STAMP_TOLERANCE_MS: Millis = 60_000;

type Scheduler = scheduler::Scheduler<Waiter>;

/// The purchases of a member, read for one of them.
struct ReadHistory<'a> {
    history: &'a History,
    queried_at: Duration,
    /// The jitter of that one. With the same for all, the next query again serves them all.
    random: u64,
    /// Engage's own ids of the query.
    request_ids: &'a [RequestId],
}

/// A status query that was made.
#[derive(Clone, Copy)]
struct SentQuery {
    seen: Observation,
    /// When it was sent.
    at: Duration,
    attended: Option<u32>,
    /// The attempt before it ended by a reset.
    after_reset: bool,
    random: u64,
}

pub(crate) struct Executor {
    pub journal: Journal,
    engage: Arc<Engage>,
    log: Arc<Log>,
    stats: Arc<Stats>,
    config: Arc<Config>,
    limits: Limits,
    /// The origin of the scheduler's times. They go on while the till is suspended.
    started: BootTime,
    /// Ends the requests under way when the client closes.
    cancellation: Arc<Cancellation>,
    /// Records whose retention is over were deleted once since the open.
    pruned: AtomicBool,
    /// When the loss of records was first known, by Engage's clock. Zero: not yet.
    loss_seen: AtomicU64,
    scheduler: Mutex<Scheduler>,
    changed: Condvar,
    /// Gives each change of an operation to the POS's function.
    notifier: Notifier,
    /// What was logged last of each operation that is pending or not stored yet: its code, and
    /// whether that is its outcome.
    logged: Mutex<BTreeMap<OperationId, (Code, bool)>>,
}

impl Executor {
    /// Takes over the pending intents of the last run and starts a worker.
    pub fn start(
        config: Arc<Config>,
        journal: Journal,
        engage: Arc<Engage>,
        log: Arc<Log>,
        stats: Arc<Stats>,
    ) -> Result<Arc<Self>> {
        let pending = journal.pending(None)?;
        if journal.fact(OWN_HISTORY)?.is_some_and(|origin| origin == config.base_url.origin()) {
            engage.note_own_history();
        }
        let loss_seen = match journal.incomplete_before() {
            Some(lost_at) => journal.fact(LOSS_SEEN)?.and_then(|fact| seen_in(&fact, lost_at)).unwrap_or(0),
            None => 0,
        };
        let limits = Limits {
            history_lag_ms: config.history_lag_ms,
            resend_limit_ms: config.retry.resend_limit_ms,
            built_at: rt::BUILT_AT,
            loss_seen: None,
        };
        let executor = Arc::new(Self {
            notifier: Notifier::new(&config),
            logged: Mutex::default(),
            journal,
            engage,
            log,
            stats,
            config,
            limits,
            started: BootTime::now(),
            cancellation: Arc::default(),
            pruned: AtomicBool::new(false),
            loss_seen: AtomicU64::new(loss_seen),
            scheduler: Mutex::default(),
            changed: Condvar::new(),
        });
        let mut scheduler = executor.lock();
        let now = executor.monotonic();
        for (id, _) in pending {
            scheduler.schedule(id, now + startup_wait(&executor.config.retry, rt::random()));
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
    pub fn enqueue(self: &Arc<Self>, command: Command, until: Until) -> Result<Arc<Waiter>> {
        let waiter = Waiter::new(self.call(), until);
        let mut scheduler = self.lock();
        if scheduler.closing {
            return Err(Error::of(Code::Closed));
        }
        scheduler.commands.push_back((command, waiter.clone()));
        scheduler.budget.earn();
        if let Err(error) = self.ensure_worker(&mut scheduler) {
            // No worker has seen it, so that nothing is sent.
            scheduler.commands.pop_back();
            return Err(error);
        }
        drop(scheduler);
        self.changed.notify_one();
        Ok(waiter)
    }

    /// Sets or removes the function that gets each change of an operation.
    pub fn set_notify(self: &Arc<Self>, notify: Option<Notify>) {
        let executor = Arc::downgrade(self);
        // Weak: the notifier belongs to the executor.
        let list = move || executor.upgrade().map_or(Ok(Vec::new()), |executor| executor.unacknowledged());
        self.notifier.set(notify.map(|notify| (notify, Box::new(list) as Box<_>)));
    }

    /// Requests a status query of every pending intent or of one, one a member, within the budget
    /// of requested queries. Returns a waiter for each intent.
    pub fn request_status_queries(
        self: &Arc<Self>,
        only: Option<OperationId>,
        limit: &WaitLimit<'_>,
    ) -> Result<Vec<Arc<Waiter>>> {
        let mut pending = self.journal.pending(Some(limit.remaining()))?;
        pending.retain(|(id, _)| only.is_none_or(|only| only == *id));
        let now = self.monotonic();
        let mut scheduler = self.lock();
        if scheduler.closing {
            return Err(Error::of(Code::Closed));
        }
        let mut contacts = BTreeSet::new();
        let mut waiters = Vec::with_capacity(pending.len());
        for (id, contact) in pending {
            let waiter = Waiter::new(self.call(), Until::Resolved);
            waiter.mark_existing();
            let first_of_member = contact.is_none_or(|contact| contacts.insert(contact));
            let due = (first_of_member && scheduler.requests.spend(now)).then_some(now);
            scheduler.wait_for(id, &waiter, due, Waiter::share);
            waiters.push(waiter);
        }
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
        self.notifier.close();
        self.journal.close();
    }

    /// Spawns a worker if none is free: a request that hangs must not hold up the next one.
    fn ensure_worker(self: &Arc<Self>, scheduler: &mut Scheduler) -> Result<()> {
        // Beside the commands, one worker keeps the time of the next query.
        let keeps_time = scheduler.has_due(self.monotonic()) || (scheduler.workers == 0 && scheduler.has_due_times());
        let waiting = scheduler.commands.len() + usize::from(keeps_time);
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
            Err(error) => Err(Error::without_thread(&error)),
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
                self.prune_once();
                self.note_loss();
                scheduler = self.lock();
                idle_since = self.monotonic();
                continue;
            }
            if scheduler.closing || (now.saturating_sub(idle_since) >= IDLE && scheduler.idle > 0) {
                break;
            }
            // The last worker without work stays, so that it need not wake for its own end.
            let longest = if scheduler.idle > 0 { IDLE } else { SCAN };
            let wait = scheduler.next_due().map_or(longest, |due| due.saturating_sub(now).min(longest));
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
            Job::Resolve(resolve) => {
                self.resolve_and_publish(resolve, None);
                self.lock().end_resolve(resolve);
                self.changed.notify_one();
            }
            Job::Scan => {
                let pending = catch_unwind(AssertUnwindSafe(|| {
                    self.prune();
                    self.journal.pending(None)
                }));
                let now = self.monotonic();
                let mut scheduler = self.lock();
                scheduler.next_scan = Some(now + SCAN);
                for (id, _) in pending.ok().and_then(Result::ok).unwrap_or_default() {
                    scheduler.adopt(id, now + Duration::from_millis(rt::random() % 10_000));
                }
            }
        }
    }

    /// Deletes them as soon as Engage's clock is known, and then with each scan.
    fn prune_once(&self) {
        if !self.pruned.load(Ordering::Relaxed) && self.engage.server_now().is_some() {
            self.pruned.store(true, Ordering::Relaxed);
            let _ = catch_unwind(AssertUnwindSafe(|| self.prune()));
        }
    }

    /// Deletes records whose retention is over by both clocks, the till's and Engage's: either may
    /// be wrong by years.
    fn prune(&self) {
        let Some((engage, _)) = self.engage.server_now() else { return };
        let now = engage.min(rt::wall_now());
        if now < rt::BUILT_AT {
            return;
        }
        let before = now.saturating_sub(millis(self.config.retention));
        if let Err(error) = self.journal.prune(before, rt::BUILT_AT, now) {
            self.log.write(Level::Error, "journal.failed", &[("code", Field::Code(error.code()))]);
        }
    }

    fn clocks(&self) -> Clocks {
        self.moment().1
    }

    /// Returns the clocks, and the time at which they were read. The till may be suspended between
    /// any two readings.
    fn moment(&self) -> (Duration, Clocks) {
        let (now, engage) = self.engage.server_time();
        let engage = engage.filter(|(earliest, _)| *earliest >= rt::BUILT_AT);
        let clocks = Clocks { till: rt::wall_now(), engage, in_flight_window_ms: self.in_flight_window() };
        (now.since(self.started), clocks)
    }

    fn timing(&self, attended: Option<u32>) -> Timing<'_> {
        Timing { rules: &self.config.retry, attended, random: rt::random() }
    }

    /// Returns how long after its start an attempt may be under way, in ms: the request time-out
    /// and a tenth.
    fn in_flight_window(&self) -> Millis {
        let timeout = millis(self.config.request_timeout);
        timeout + timeout / 10
    }
}

/// Returns when a loss was first known, if a fact is about this loss.
fn seen_in(fact: &str, lost_at: Millis) -> Option<Millis> {
    let (of, seen) = fact.split_once(' ')?;
    (of.parse() == Ok(lost_at)).then(|| seen.parse().ok())?
}

/// Whether the journal has failed, and no decision about a command.
fn is_of_journal(error: &Error) -> bool {
    // Also where no thread could be started for a read of it.
    (-699..=-600).contains(&error.code().number()) || error.code() == Code::OutOfMemory
}

/// Returns the completion that was reported but not stored, unless the stored intent is final.
fn newer(reported: Option<Intent>, stored: Option<Intent>) -> Option<Intent> {
    match (reported, stored) {
        (Some(_), Some(stored)) if stored.state.is_final() => Some(stored),
        (reported, stored) => reported.or(stored),
    }
}
