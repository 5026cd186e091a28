//! The workers of a client. They carry out what `core` decides: journal writes, requests to Engage,
//! and their times. A caller only waits. No attempt is made before its intent is durable (invariant
//! 2).

use super::Journal;
use super::notifier::{Notifier, Notify};
use super::waiter::{Until, Waiter};
use crate::config::Config;
use crate::core::admission::{self, Admission, AdmissionRules, Command};
use crate::core::clock::{Clocks, Limits, Observation};
use crate::core::code::Code;
use crate::core::domain::{Millis, Operation, millis};
use crate::core::error::{Error, Result};
use crate::core::evidence::{self, AttemptResult, QueryResult, QueryTime};
use crate::core::id::{ContactId, OperationId};
use crate::core::intent::{Durability, Intent, IntentState, ReviewDecision};
use crate::core::machine::{self, AfterQuery, Next};
use crate::core::retry::Timing;
use crate::core::scheduler::{self, Job, ResolveJob};
use crate::engage::{Engage, History};
use crate::journal::{Backup, Filter};
use crate::log::{Field, Level, Log};
use crate::rt::{self, Condvar, Instant, Mutex, MutexGuard};
use crate::stats::Stats;
use crate::transport::{Call, Cancellation};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
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
}

/// A status query that was made.
#[derive(Clone, Copy)]
struct Query {
    seen: Observation,
    /// When it was sent.
    at: Duration,
    attended: Option<u32>,
    /// The attempt before it ended by a reset.
    immediate: bool,
    random: u64,
}

pub(crate) struct Executor {
    pub journal: Journal,
    engage: Arc<Engage>,
    log: Arc<Log>,
    stats: Arc<Stats>,
    config: Arc<Config>,
    limits: Limits,
    /// The origin of the scheduler's monotonic times.
    started: Instant,
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
        let pending = journal.pending()?;
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
            notifier: Notifier::new(&config.tenant),
            journal,
            engage,
            log,
            stats,
            config,
            limits,
            started: Instant::now(),
            cancellation: Arc::default(),
            pruned: AtomicBool::new(false),
            loss_seen: AtomicU64::new(loss_seen),
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
    pub fn submit(self: &Arc<Self>, command: Command, until: Until) -> Result<Arc<Waiter>> {
        let waiter = Waiter::new(self.call(), until);
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
        match self.journal.get(id) {
            Ok(stored) => Ok(newer(reported, stored)),
            // A journal that fails hides no completion that was reported.
            Err(error) => reported.map(Some).ok_or(error),
        }
    }

    /// Returns everything that is pending or not acknowledged, oldest first.
    pub fn unacknowledged(&self) -> Result<Vec<Intent>> {
        let completions = self.completions();
        let intents = self.journal.unacknowledged()?;
        let completed = |intent: &Intent| completions.get(&intent.id()).cloned();
        Ok(intents.into_iter().filter_map(|intent| newer(completed(&intent), Some(intent))).collect())
    }

    /// Lists what the journal holds, with the completions that are not stored yet.
    pub fn list(&self, filter: &Filter) -> Result<Vec<Intent>> {
        self.persist_all();
        self.journal.list(filter)
    }

    /// Copies the journal into a new file, with the completions that are not stored yet.
    pub fn backup(&self, path: &Path) -> Result<Backup> {
        self.persist_all();
        self.journal.backup(path)
    }

    /// Stores what could not be stored before. The journal keeps its older record of an intent that
    /// cannot be stored now either.
    fn persist_all(&self) {
        // The lock is released before the loop: storing takes it again.
        let not_persisted = self.lock().not_persisted.clone();
        for intent in not_persisted.into_values() {
            let _ = self.persist_again(intent);
        }
    }

    /// Returns a completion that was reported and is not stored yet.
    fn reported(&self, id: OperationId) -> Option<Intent> {
        self.lock().not_persisted.get(&id).filter(|intent| intent.state == IntentState::Completed).cloned()
    }

    /// Returns the completions that were reported and are not stored yet. Mostly there is none.
    fn completions(&self) -> BTreeMap<OperationId, Intent> {
        let scheduler = self.lock();
        let completed = scheduler.not_persisted.iter().filter(|(_, intent)| intent.state == IntentState::Completed);
        completed.map(|(id, intent)| (*id, intent.clone())).collect()
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
            let Some(acknowledged) = machine::acknowledge(&intent, !self.is_of_tenant(&intent), self.clocks())? else {
                return Ok(intent);
            };
            if self.journal.save_within_wait(&acknowledged, Durability::Synced)? {
                self.notifier.push(&acknowledged);
                return Ok(acknowledged);
            }
        }
    }

    /// Acknowledges all operations of a reference, or none.
    pub fn acknowledge_reference(&self, reference: &str) -> Result<Vec<Intent>> {
        let reported: Vec<Intent> = self.lock().not_persisted.values().cloned().collect();
        for intent in reported.iter().filter(|intent| intent.reference.as_deref() == Some(reference)) {
            self.persist_again(intent.clone())?;
        }
        let clocks = self.clocks();
        let changed = self.journal.change_reference(reference, |intent| match self.is_of_tenant(intent) {
            true => machine::acknowledge(intent, false, clocks),
            false => Ok(None),
        })?;
        for intent in &changed {
            self.notifier.push(intent);
        }
        Ok(changed)
    }

    /// Sets or removes the function that gets each change of an operation.
    pub fn set_notify(self: &Arc<Self>, notify: Option<Notify>) {
        let executor = Arc::downgrade(self);
        // Weak: the notifier belongs to the executor.
        let list = move || executor.upgrade().map_or(Ok(Vec::new()), |executor| executor.unacknowledged());
        self.notifier.set(notify.map(|notify| (notify, Box::new(list) as Box<_>)));
    }

    /// Stores the decision of a person about an operation in manual review, and acknowledges it.
    pub fn resolve_review(&self, id: OperationId, review: &ReviewDecision) -> Result<Intent> {
        loop {
            let intent = match self.reported(id) {
                Some(reported) => self.persist_reported(&reported)?,
                None => self.recorded(id)?,
            };
            let clocks = self.clocks();
            let review = ReviewDecision { at_ms: clocks.now(), ..review.clone() };
            let Some(resolved) = machine::resolve_review(&intent, review, !self.is_of_tenant(&intent), clocks)? else {
                return Ok(intent);
            };
            if self.journal.save_within_wait(&resolved, Durability::Synced)? {
                self.publish(&Next { intent: resolved.clone(), delay_ms: 0 });
                return Ok(resolved);
            }
        }
    }

    /// Whether an operation belongs to the configured tenant.
    pub fn is_of_tenant(&self, intent: &Intent) -> bool {
        intent.tenant.as_deref().is_none_or(|tenant| tenant == self.config.tenant)
    }

    /// Returns the result of a command that no worker took in time. The command is void, but its
    /// intent may exist from an earlier call.
    pub fn abandoned(&self, command: &Command, not_sent: Code, pending: Code) -> Result<(Intent, bool)> {
        let decide = |candidates| admission::admit(command, &candidates, self.clocks(), self.admission_rules());
        // Before the journal: a completion that is stored meanwhile is in neither of them after it.
        let completions = self.completions();
        let peeked = self.journal.peek(&command.operation, command.reference.as_deref(), decide, PEEK_WAIT);
        // A journal that fails or hangs hides no completion that was reported.
        if peeked.as_ref().is_none_or(|result| result.as_ref().is_err_and(is_of_journal))
            && let Some(intent) = completions.values().find(|intent| admission::is_meant(command, intent))
        {
            return Ok((intent.clone(), true));
        }
        match peeked {
            Some(Ok(Admission::Existing(intent))) => {
                let intent = completions.get(&intent.id()).cloned().unwrap_or(intent);
                machine::outcome_of(intent, pending).map(|intent| (intent, true))
            }
            // A lost record may be of the same sale.
            Some(Ok(Admission::New(intent))) if intent.progress.query_first => Err(Error::of(pending)),
            // A decline of an earlier press stays one, as long as nothing has left for this press.
            Some(Ok(Admission::New(intent))) => Err(match intent.progress.declined_before {
                Some(before) => {
                    let code = Code::from_number(before.code).unwrap_or(Code::Declined);
                    intent.operation.named_in(Error::of(code))
                }
                None => Error::of(not_sent),
            }),
            Some(Ok(Admission::Uncertain(..))) => Err(Error::of(not_sent)),
            Some(Err(error)) => Err(error),
            None => Err(Error::of(pending)),
        }
    }

    /// Requests a status query of every pending intent, one a member, within the budget of
    /// requested queries. Returns a waiter for each intent.
    pub fn request_status_queries(self: &Arc<Self>) -> Result<Vec<Arc<Waiter>>> {
        let pending = self.journal.pending()?;
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
                self.lock().resolved(resolve);
                self.changed.notify_one();
            }
            Job::Scan => {
                let pending = catch_unwind(AssertUnwindSafe(|| {
                    self.prune();
                    self.journal.pending()
                }));
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

    /// Resolves an intent and notifies its waiters. `read`: the purchases of its member, if they
    /// were read already.
    fn resolve_and_publish(&self, resolve: ResolveJob, read: Option<&ReadHistory<'_>>) {
        let next = catch_unwind(AssertUnwindSafe(|| self.resolve(resolve, read)));
        match next {
            Ok(Ok(Some(next))) => self.publish(&next),
            // Another process has acknowledged and pruned it.
            Ok(Ok(None)) => {
                self.lock().forget(resolve.id);
            }
            Ok(Err(error)) => {
                self.log_journal_failure(resolve.id, &error);
                self.release(resolve.id, RETRY);
            }
            Err(_) => self.release(resolve.id, RETRY),
        }
    }

    /// Records the intent, makes its first attempt, and notifies the caller.
    fn start_intent(&self, command: &Command, waiter: &Arc<Waiter>) {
        if !waiter.take() {
            return;
        }
        let clocks = self.clocks();
        let reference = command.reference.as_deref();
        let decide = |candidates| admission::admit(command, &candidates, clocks, self.admission_rules());
        // Before the journal, as in `get`.
        let completions = self.completions();
        match self.journal.admit(&command.operation, reference, decide) {
            Err(error) => {
                let is_meant = |intent: &&Intent| is_of_journal(&error) && admission::is_meant(command, intent);
                match completions.values().find(is_meant) {
                    Some(intent) => {
                        waiter.mark_existing();
                        waiter.notify(intent);
                    }
                    None => waiter.fail(error),
                }
            }
            Ok(Admission::Existing(intent)) => self.join_existing(intent, waiter, &completions),
            Ok(Admission::Uncertain(withdrawn, error)) => {
                self.log_journal_failure(withdrawn.id(), &error);
                let mut shown = machine::not_persisted(withdrawn.clone());
                shown.progress.cause = error.cause().to_vec();
                let now = self.monotonic();
                let mut scheduler = self.lock();
                scheduler.mark_taken(&withdrawn, waiter, now);
                scheduler.not_persisted.insert(withdrawn.id(), withdrawn);
                drop(scheduler);
                self.publish(&Next { intent: shown, delay_ms: 0 });
            }
            Ok(Admission::New(intent)) => self.start_new(intent, waiter),
        }
    }

    /// Gives the caller an intent that was recorded before, and queries one that is pending.
    fn join_existing(&self, intent: Intent, waiter: &Arc<Waiter>, completions: &BTreeMap<OperationId, Intent>) {
        waiter.mark_existing();
        // A completion may have been reported, and stored since.
        let newer = if intent.state.is_final() { None } else { self.get(intent.id()).ok().flatten() };
        let intent = newer.or_else(|| completions.get(&intent.id()).cloned()).unwrap_or(intent);
        waiter.notify(&intent);
        if !intent.state.is_final() {
            let now = self.monotonic();
            let mut scheduler = self.lock();
            let seen = scheduler.observe(&intent, now);
            let in_flight = !seen.query_time(&intent, now, None, self.limits).in_flight_over;
            // An attempt under way elsewhere needs a moment before a query can find it.
            let due = now + if in_flight { FIRST_QUERY_DELAY } else { Duration::ZERO };
            scheduler.wait_for(intent.id(), waiter, Some(due), Waiter::share);
            drop(scheduler);
            self.changed.notify_one();
        }
    }

    /// Makes the first attempt of a new intent, or its first query where it may have been made
    /// before.
    fn start_new(&self, intent: Intent, waiter: &Arc<Waiter>) {
        // First, so that a late result of an earlier start finds a newer revision.
        waiter.notify(&intent);
        self.notifier.push(&intent);
        let query_first = intent.progress.query_first;
        if query_first {
            // There is no request that the caller could withdraw.
            waiter.share();
        }
        let now = self.monotonic();
        let mut scheduler = self.lock();
        scheduler.mark_taken(&intent, waiter, now);
        match query_first {
            true => drop(scheduler.observe(&intent, now)),
            false => scheduler.observe_attempt(&intent, now),
        }
        drop(scheduler);
        if query_first {
            self.resolve_and_publish(ResolveJob { id: intent.id(), requested: true, attended: Some(0) }, None);
            return;
        }
        let result = self.attempt(&intent, &waiter.call, || waiter.departed());
        let next = self.after_attempt(intent, &result, Some(0));
        self.publish(&next);
    }

    /// Sends one status query about an intent, and one more attempt where that is right. None: the
    /// journal does not hold it any more.
    fn resolve(&self, resolve: ResolveJob, read: Option<&ReadHistory<'_>>) -> Result<Option<Next>> {
        let not_persisted = self.lock().not_persisted.get(&resolve.id).cloned();
        if let Some(intent) = not_persisted {
            return self.persist_again(intent).map(|intent| Some(Next { intent, delay_ms: 0 }));
        }
        let Some(intent) = self.journal.get(resolve.id)? else { return Ok(None) };
        if intent.state.is_final() || intent.is_acknowledged() {
            return Ok(Some(Next { intent, delay_ms: 0 }));
        }
        if !self.is_of_tenant(&intent) {
            return Ok(None);
        }
        let now = self.monotonic();
        let mut scheduler = self.lock();
        let seen = scheduler.observe(&intent, now);
        if read.is_none() && resolve.attended.is_none() && !resolve.requested {
            let min_interval = Duration::from_millis(self.config.retry.schedule_ms[0]);
            let wait = scheduler
                .throttle
                .wait(now)
                .or_else(|| (!scheduler.budget.spend(now, min_interval)).then_some(min_interval));
            if let Some(wait) = wait {
                // Less than a millisecond is rounded up: a delay of zero would run in a circle.
                return Ok(Some(Next { intent, delay_ms: millis(wait) + 1 }));
            }
            scheduler.throttle.spend(now);
        }
        if let Some(entry) = scheduler.entries.get_mut(&resolve.id) {
            entry.attended_queries += u32::from(resolve.attended.is_some());
        }
        drop(scheduler);
        let random = read.map_or_else(rt::random, |read| read.random);
        let query = |at| Query { seen, at, attended: resolve.attended, immediate: false, random };
        let next = match (read, intent.operation) {
            (Some(read), Operation::Purchase(purchase)) => {
                // The response says nothing about an attempt that began after the query.
                if !seen.is_before(read.queried_at) {
                    return Ok(Some(Next { intent, delay_ms: millis(FIRST_QUERY_DELAY) }));
                }
                let result = self.engage.purchase_in(&purchase, read.history);
                let result = self.with_lost_sales(&intent, read.history, result)?;
                self.after_query(intent, &result, query(read.queried_at))?
            }
            (None, Operation::Purchase(purchase)) => {
                let history = self.history(purchase.contact);
                let others = self.lock().take_same_contact(resolve.id);
                // Before this purchase's own next attempt, which may take long.
                for other in others {
                    let read = ReadHistory { history: &history, queried_at: now, random };
                    self.resolve_and_publish(other, Some(&read));
                }
                let result = self.engage.purchase_in(&purchase, &history);
                let result = self.with_lost_sales(&intent, &history, result)?;
                self.after_query(intent, &result, query(now))?
            }
            (_, Operation::Redeem(_)) => {
                let result = self.query(&intent);
                self.after_query(intent, &result, query(now))?
            }
        };
        Ok(Some(next))
    }

    /// Adds to the absence of a purchase whether its member has bought the same item under an id
    /// that the journal does not know: that may be the same sale, whose record was lost.
    fn with_lost_sales(&self, intent: &Intent, history: &History, result: QueryResult) -> Result<QueryResult> {
        let absent = matches!(result, QueryResult::Absent | QueryResult::Unreadable(_));
        let Operation::Purchase(purchase) = intent.operation else { return Ok(result) };
        if !absent || !intent.progress.query_first || intent.progress.shared_id {
            return Ok(result);
        }
        // Not long before the press, and not in this run.
        let made = match self.engage.server_now() {
            Some((earliest, latest)) => {
                let pressed = if intent.progress.recorded_by_engage { intent.recorded_at } else { earliest };
                let run = millis(self.monotonic());
                pressed.min(earliest).saturating_sub(self.loss_window())
                    ..=latest.saturating_sub(run) + STAMP_TOLERANCE_MS
            }
            None => 0..=Millis::MAX,
        };
        let mut similar = Vec::new();
        for row in self.engage.similar_in(&purchase, history, &made) {
            let mut is_known = false;
            for id in &row.ids {
                is_known |= self.journal.get(OperationId::from_uuid(*id))?.is_some();
            }
            if !is_known {
                similar.push(row);
            }
        }
        Ok(match similar.as_slice() {
            [] => result,
            rows => QueryResult::Similar {
                response: Some(rows[0].response.to_owned()).filter(|_| rows.len() == 1),
                cause: format!(
                    "the journal has lost records, and the member's history has {} purchases of this item that it does \
                     not know; compare them with the receipt (eps_list_purchases) and decide (eps_resolve_review)",
                    rows.len()
                ),
            },
        })
    }

    /// Reads the purchases of a member.
    fn history(&self, contact: ContactId) -> History {
        let known = self.engage.has_own_history();
        let history = self.engage.history(contact, &self.call());
        if !known && self.engage.has_own_history() {
            // Lost, it is learned again.
            let _ = self.journal.set_fact(OWN_HISTORY, &self.config.base_url.origin());
        }
        self.stats.status_queries.add();
        self.note_rate(match &history {
            History::NoEvidence(reason) => Some(reason),
            _ => None,
        });
        history
    }

    /// Sends one status query about one intent.
    fn query(&self, intent: &Intent) -> QueryResult {
        let mut result = self.engage.query_status(&intent.operation, &self.call());
        self.stats.status_queries.add();
        if let (QueryResult::Redeemed(found), Operation::Redeem(redeem)) = (&mut result, intent.operation) {
            found.compare(intent, self.journal.redeems(redeem.assignment).ok().as_deref());
        }
        self.note_rate(match &result {
            QueryResult::NoEvidence(reason) => Some(reason),
            _ => None,
        });
        result
    }

    /// Slows the unattended queries down after a 429, and up again after any other response.
    fn note_rate(&self, failure: Option<&evidence::Reason>) {
        let now = self.monotonic();
        let mut scheduler = self.lock();
        match failure {
            Some(reason) if reason.code == Code::PendingRateLimited => {
                scheduler.throttle.on_rate_limited(now, reason.detail.retry_after_ms, rt::random());
            }
            Some(_) => {}
            None => scheduler.throttle.accepted(),
        }
    }

    /// Adds the result of a status query, and makes one more attempt where that is right.
    fn after_query(&self, intent: Intent, result: &QueryResult, query: Query) -> Result<Next> {
        let Query { seen, at, attended, immediate, random } = query;
        let clocks = self.clocks();
        let engage = clocks.engage.map(|(earliest, _)| earliest);
        let loss_seen = Some(self.loss_seen.load(Ordering::Relaxed)).filter(|seen| *seen > 0);
        let time: QueryTime = seen.query_time(&intent, at, engage, Limits { loss_seen, ..self.limits });
        let intent = match (intent.processing_window, clocks.engage) {
            (None, Some(engage)) => {
                Intent { processing_window: seen.backdated(&intent, self.monotonic(), engage), ..intent }
            }
            _ => intent,
        };
        let completed = matches!(result, QueryResult::Completed { .. })
            || matches!(result, QueryResult::Redeemed(found)
                if evidence::redeemed_by(&intent, found) == evidence::RedeemedBy::Us);
        let transition = |intent: &Intent| {
            let timing = Timing { rules: &self.config.retry, attended, random };
            machine::after_query(intent, result.clone(), time, immediate, clocks, timing)
        };
        match transition(&intent) {
            AfterQuery::Store(_) => {
                let store = |intent: &Intent| match transition(intent) {
                    AfterQuery::Store(next) => Some(*next),
                    AfterQuery::Resend { .. } => None,
                };
                Ok(self.learn(intent, store, completed))
            }
            AfterQuery::Resend { excluded } => {
                // Made before the write, so that the attempt ends within its in-flight window
                // however long the write takes.
                let call = self.call();
                if immediate {
                    call.require_new_connection();
                }
                let again = machine::next_attempt(&intent, excluded, clocks);
                let begins = self.monotonic();
                if !self.journal.save(&again, Durability::Synced)? {
                    // Another process resolves it.
                    let intent = self.recorded(intent.id())?;
                    return Ok(Next { intent, delay_ms: millis(FIRST_QUERY_DELAY) });
                }
                self.lock().observe_attempt(&again, begins);
                let result = self.attempt(&again, &call, || None);
                // One repeat after a reset, and not another one after that.
                Ok(match immediate {
                    true => self.learn_attempt(again, &result, attended),
                    false => self.after_attempt(again, &result, attended),
                })
            }
        }
    }

    /// Adds the result of an attempt, and sends the status query that it calls for at once.
    fn after_attempt(&self, intent: Intent, result: &AttemptResult, attended: Option<u32>) -> Next {
        let reset = matches!(result, AttemptResult::Reset(_));
        let next = self.learn_attempt(intent, result, attended);
        if next.delay_ms > 0 || next.intent.state.is_final() || next.intent.needs_review() || self.lock().closing {
            return next;
        }
        // The waiters get the code that is known so far, and go on waiting.
        self.notify_waiters(&next.intent);
        let now = self.monotonic();
        let seen = self.lock().observe(&next.intent, now);
        let result = self.query(&next.intent);
        let query = Query { seen, at: now, attended, immediate: reset, random: rt::random() };
        match self.after_query(next.intent.clone(), &result, query) {
            Ok(next) => next,
            Err(error) => {
                self.log_journal_failure(next.intent.id(), &error);
                Next { delay_ms: millis(RETRY), ..next }
            }
        }
    }

    fn learn_attempt(&self, intent: Intent, result: &AttemptResult, attended: Option<u32>) -> Next {
        if let AttemptResult::Over(reason) = result {
            self.note_rate(Some(reason));
        }
        let clocks = self.clocks();
        let transition =
            |intent: &Intent| Some(machine::after_attempt(intent, result.clone(), clocks, self.timing(attended)));
        self.learn(intent, transition, matches!(result, AttemptResult::Completed { .. }))
    }

    /// Gives the waiters of a pending intent its newest revision.
    fn notify_waiters(&self, intent: &Intent) {
        self.notifier.push(intent);
        let waiters = self.lock().entries.get(&intent.id()).map(|entry| entry.waiters.clone());
        for waiter in waiters.unwrap_or_default() {
            waiter.notify(intent);
        }
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

    /// Stores a completion that was reported, over what another writer has stored without knowing
    /// of it.
    fn persist_reported(&self, reported: &Intent) -> Result<Intent> {
        let stored = loop {
            let stored = self.recorded(reported.id())?;
            if stored.state.is_final() {
                break stored;
            }
            let next = Intent { revision: stored.revision + 1, ..reported.clone() };
            if self.journal.save_within_wait(&next, machine::durability(&next))? {
                break next;
            }
        };
        self.lock().not_persisted.remove(&stored.id());
        Ok(stored)
    }

    /// Makes one attempt. Its intent is durable. `departed` says why the caller withdrew it, if so.
    fn attempt(&self, intent: &Intent, call: &Arc<Call>, departed: impl Fn() -> Option<Code>) -> AttemptResult {
        let began = Instant::now();
        let mut result = self.engage.attempt(&intent.operation, call);
        self.stats.sent(&intent.operation);
        if let AttemptResult::NotSent(reason) = &mut result {
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
                ("code", Field::Code(result.code())),
                ("ms", Field::Number(millis(began.elapsed()))),
            ],
        );
        result
    }

    /// Adds evidence to an intent and stores it. If another thread or process has stored the intent
    /// meanwhile, the evidence is added to that. An outcome that could not be stored is not
    /// reported, except a completion.
    fn learn(&self, mut intent: Intent, transition: impl Fn(&Intent) -> Option<Next>, completed: bool) -> Next {
        let stored = loop {
            // Of another writer's intent the evidence may say nothing any more.
            let Some(next) = transition(&intent) else { break Next { intent, delay_ms: millis(FIRST_QUERY_DELAY) } };
            let durability = machine::durability(&next.intent);
            if next.intent.state == IntentState::Completed && durability == Durability::Buffered {
                self.report_completion(&next.intent);
            }
            let error = match self.journal.save(&next.intent, durability) {
                Ok(true) => {
                    // The intent that is stored may be older than a completion that another thread
                    // has reported.
                    if let Some(reported) =
                        self.reported(intent.id()).filter(|_| next.intent.state != IntentState::Completed)
                    {
                        intent = next.intent;
                        match self.persist_reported(&reported) {
                            Ok(stored) => break Next { intent: stored, delay_ms: 0 },
                            Err(error) => {
                                self.log_journal_failure(intent.id(), &error);
                                return Next { intent: reported, delay_ms: 0 };
                            }
                        }
                    }
                    break next;
                }
                Ok(false) => match self.journal.get(intent.id()) {
                    Ok(Some(theirs)) if evidence::is_overtaken(&intent, &theirs, completed) => {
                        break Next { intent: theirs, delay_ms: millis(FIRST_QUERY_DELAY) };
                    }
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
            return match next.intent.state {
                // It is stored later.
                IntentState::Completed => {
                    self.lock().not_persisted.insert(next.intent.id(), next.intent.clone());
                    next
                }
                _ => Next { intent: machine::not_persisted(next.intent), ..next },
            };
        };
        if stored.intent.state.is_final() {
            self.lock().not_persisted.remove(&stored.intent.id());
        }
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

    /// Notifies all waiters of a completed purchase before it is stored, so that a slow disk does
    /// not delay them.
    fn report_completion(&self, intent: &Intent) {
        let mut scheduler = self.lock();
        scheduler.not_persisted.insert(intent.id(), intent.clone());
        let waiters = scheduler.entries.get_mut(&intent.id()).map(|entry| std::mem::take(&mut entry.waiters));
        drop(scheduler);
        self.notifier.push(intent);
        for waiter in waiters.unwrap_or_default() {
            waiter.notify(intent);
        }
    }

    /// Notifies all waiters of an intent, and schedules the next status query.
    fn publish(&self, next: &Next) {
        let intent = &next.intent;
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
        let not_persisted = scheduler.not_persisted.contains_key(&intent.id());
        let query_due = (!resolved || not_persisted) && !outdated;
        if query_due {
            let delay = if not_persisted { RETRY } else { Duration::from_millis(next.delay_ms) };
            scheduler.schedule(intent.id(), now + delay);
        } else if !outdated {
            scheduler.forget(intent.id());
            self.stats.resolved(intent.state);
        }
        drop(scheduler);
        if query_due {
            self.changed.notify_one();
        }
        if !outdated {
            self.notifier.push(intent);
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

    fn admission_rules(&self) -> AdmissionRules<'_> {
        AdmissionRules {
            tenant: &self.config.tenant,
            reference_window_ms: self.config.reference_window_ms,
            lost_at: self.lost_at(),
        }
    }

    /// How long after a loss a press may mean a lost sale, in ms: as long as a reference means its
    /// sale, and as long as a lost purchase could be sent.
    fn loss_window(&self) -> Millis {
        self.config.reference_window_ms.max(self.config.retry.resend_limit_ms)
    }

    /// Returns when records were lost, by the till's clock, while a press may mean one of them.
    /// Only Engage's clock ends that time.
    fn lost_at(&self) -> Option<Millis> {
        let lost_at = self.journal.incomplete_before()?;
        let seen = self.loss_seen.load(Ordering::Relaxed);
        let is_over = self.clocks().engage.is_some_and(|(now, _)| seen > 0 && now > seen + self.loss_window());
        (!is_over).then_some(lost_at)
    }

    /// Stores when a loss was first known, as soon as Engage's clock is.
    fn note_loss(&self) {
        if let Some(lost_at) = self.journal.incomplete_before()
            && self.loss_seen.load(Ordering::Relaxed) == 0
            && let Some((_, now)) = self.clocks().engage
            && self.journal.set_fact(LOSS_SEEN, &format!("{lost_at} {now}")).is_ok()
        {
            self.loss_seen.store(now, Ordering::Relaxed);
        }
    }

    fn clocks(&self) -> Clocks {
        let engage = self.engage.server_now().filter(|(earliest, _)| *earliest >= rt::BUILT_AT);
        Clocks { till: rt::wall_now(), engage, in_flight_window_ms: self.in_flight_window() }
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
    (-699..=-600).contains(&error.code().number())
}

/// Returns the completion that was reported but not stored, unless the stored intent is final.
fn newer(reported: Option<Intent>, stored: Option<Intent>) -> Option<Intent> {
    match (reported, stored) {
        (Some(_), Some(stored)) if stored.state.is_final() => Some(stored),
        (reported, stored) => reported.or(stored),
    }
}
