//! Carries out what `decide` decides: the journal's writes, Engage's requests, and when. All of it happens on threads of its own;
//! a caller only waits. A request that spends is never made before its record is durable (invariant 2).

use super::decide::{self, Pace, Step, Times, Wish};
use super::ticket::Ticket;
use super::work::{Job, Work};
use crate::code::Code;
use crate::config::Config;
use crate::engage::{Engage, Order, Verdict};
use crate::error::{Error, Result};
use crate::id::OperationId;
use crate::journal::{Durability, Intention, Journal, Record, State};
use crate::log::{Field, Level, Log};
use crate::stats::Stats;
use crate::time::{self, Millis, millis};
use crate::transport::{Call, Interrupt};
use once_cell::sync::OnceCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Purchases under way at once on one client. A till makes one at a time; a store server may make more.
const WORKERS: usize = 32;
/// A worker that has had nothing to do for this long ends, but for the last one.
const IDLE: Duration = Duration::from_secs(5);
/// How often the journal is looked through for intents of other processes that ended.
const SCAN: Duration = Duration::from_secs(60);
/// How long closing waits for what is under way.
const PATIENCE: Duration = Duration::from_secs(2);
/// When work that failed for a reason of the till's own (the disk, a panic) is taken up again.
const RETRY: Duration = Duration::from_secs(10);
/// How long the journal may be busy when a caller is leaving. Invariant 8 allows 50 ms in all.
const GLANCE: Duration = Duration::from_millis(30);
/// How long a purchase that another process or thread has just begun is left alone before it is looked for.
const HEAD_START: Duration = Duration::from_millis(250);

pub(crate) struct Engine {
    pub journal: Journal,
    pub engage: Arc<Engage>,
    pub log: Arc<Log>,
    pub stats: Arc<Stats>,
    config: Arc<Config>,
    clock: Clock,
    /// Ends the requests under way, when the client is closed.
    interrupt: Arc<Interrupt>,
    work: Mutex<Work>,
    changed: Condvar,
}

/// A function of `decide` that adds a verdict to a record.
type After = fn(&Record, Verdict, Millis, Pace<'_>) -> Record;

impl Engine {
    /// Takes up what the last run left and starts settling it.
    pub fn start(
        config: Arc<Config>,
        journal: Journal,
        engage: Arc<Engage>,
        log: Arc<Log>,
        stats: Arc<Stats>,
    ) -> Result<Arc<Self>> {
        journal.prune(time::now().saturating_sub(millis(config.retention)))?;
        let left = journal.pending()?;
        let engine = Arc::new(Self {
            journal,
            engage,
            log,
            stats,
            config,
            clock: Clock::start(),
            interrupt: Arc::default(),
            work: Mutex::default(),
            changed: Condvar::new(),
        });
        let mut work = engine.lock();
        let spread = engine.config.settle.startup_jitter_ms;
        for (id, _) in left {
            // Spread out, so that a thousand tills that open at eight do not ask at once.
            work.schedule(id, Instant::now() + Duration::from_millis(roll() % (spread + 1)));
        }
        work.next_scan = Some(Instant::now() + SCAN);
        engine.hire(&mut work)?;
        drop(work);
        Ok(engine)
    }

    fn lock(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request that may take its full time, whatever any caller's wait is.
    fn call(&self) -> Arc<Call> {
        Arc::new(Call::new(Instant::now() + self.config.request_timeout, &self.interrupt))
    }

    /// Hands a wish to the workers.
    pub fn begin(self: &Arc<Self>, wish: Wish) -> Result<Arc<Ticket>> {
        let ticket = Ticket::new(self.call());
        let mut work = self.lock();
        if work.closing {
            return Err(Error::of(Code::Closed));
        }
        work.wishes.push_back((wish, ticket.clone()));
        work.budget.earn();
        self.staff(&mut work)?;
        drop(work);
        self.changed.notify_one();
        Ok(ticket)
    }

    /// What is known of an operation.
    pub fn get(&self, id: OperationId) -> Result<Option<Record>> {
        // In this order: what is written meanwhile is found in the journal.
        let told = self.told_ahead(id);
        Ok(newer(told, self.journal.get(id)?))
    }

    /// Everything that is pending or not acknowledged, oldest first.
    pub fn unacknowledged(&self) -> Result<Vec<Record>> {
        let unwritten = self.lock().unwritten.clone();
        let told = |id| unwritten.get(&id).filter(|record| record.state == State::Completed).cloned();
        let records = self.journal.unacknowledged()?;
        Ok(records.into_iter().filter_map(|record| newer(told(record.id()), Some(record))).collect())
    }

    /// What was told of an operation and is not in the journal yet.
    fn told_ahead(&self, id: OperationId) -> Option<Record> {
        self.lock().unwritten.get(&id).filter(|record| record.state == State::Completed).cloned()
    }

    /// What the journal holds of an operation.
    fn recorded(&self, id: OperationId) -> Result<Record> {
        self.journal.get(id)?.ok_or_else(|| Error::of(Code::UnknownOperation).with_operation(id))
    }

    /// Ends the POS's interest in an operation: [`decide::acknowledge`], carried out.
    pub fn acknowledge(&self, id: OperationId) -> Result<Record> {
        loop {
            let record = match self.told_ahead(id) {
                Some(told) => self.write_told(&told)?,
                None => self.recorded(id)?,
            };
            let Some(acknowledged) = decide::acknowledge(&record, time::now())? else { return Ok(record) };
            if self.journal.save(&acknowledged, Durability::Now)? {
                return Ok(acknowledged);
            }
        }
    }

    /// What is told of a wish that nobody took up in time: it is not carried out, but it may be an intent already.
    pub fn given_up(&self, wish: &Wish, not_sent: Code, pending: Code) -> Result<(Record, bool)> {
        let decide = |candidates| decide::intend(wish, candidates, self.times());
        match self.journal.peek(&wish.order, wish.reference.as_deref(), decide, GLANCE) {
            Some(Ok(Intention::Join(record))) => {
                let record = self.told_ahead(record.id()).unwrap_or(record);
                decide::told(record, pending).map(|record| (record, true))
            }
            Some(Ok(_)) => Err(Error::of(not_sent)),
            Some(Err(error)) => Err(error),
            None => Err(Error::of(pending)),
        }
    }

    /// Asks for every pending intent now; one ticket each.
    pub fn ask_all(self: &Arc<Self>) -> Result<Vec<Arc<Ticket>>> {
        let pending = self.journal.pending()?;
        let mut work = self.lock();
        if work.closing {
            return Err(Error::of(Code::Closed));
        }
        let tickets = pending
            .into_iter()
            .map(|(id, _)| {
                let ticket = Ticket::new(self.call());
                ticket.joins();
                work.follow(id, &ticket, Duration::ZERO);
                ticket
            })
            .collect();
        let _ = self.staff(&mut work);
        drop(work);
        self.changed.notify_all();
        Ok(tickets)
    }

    /// Ends the workers. What is under way stays pending in the journal.
    pub fn close(&self) {
        let mut work = self.lock();
        work.closing = true;
        let wishes = std::mem::take(&mut work.wishes);
        self.interrupt.fire();
        self.changed.notify_all();
        let until = Instant::now() + PATIENCE;
        while work.workers > 0 {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            work = self.changed.wait_timeout(work, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        let followers: Vec<_> = work.slots.values_mut().flat_map(|slot| std::mem::take(&mut slot.followers)).collect();
        drop(work);
        for (_, ticket) in wishes {
            ticket.fail(Error::of(Code::Closed));
        }
        for ticket in followers {
            ticket.fail(Error::of(Code::PendingClosed));
        }
    }

    /// Sees to it that somebody is free for what is waiting: a request that hangs must not hold up the next one.
    fn staff(self: &Arc<Self>, work: &mut Work) -> Result<()> {
        let waiting = work.wishes.len() + usize::from(!work.agenda.is_empty());
        if waiting > work.idle && work.workers < WORKERS { self.hire(work) } else { Ok(()) }
    }

    fn hire(self: &Arc<Self>, work: &mut Work) -> Result<()> {
        let engine = self.clone();
        let hired = std::thread::Builder::new().name("eps-worker".into()).spawn(move || engine.run());
        match hired {
            Ok(_) => {
                work.workers += 1;
                Ok(())
            }
            // The ones there are will get to it.
            Err(_) if work.workers > 0 => Ok(()),
            Err(error) => {
                Err(Error::new(Code::Internal, "no thread could be started").with_cause(vec![error.to_string()]))
            }
        }
    }

    /// A worker's life.
    fn run(self: Arc<Self>) {
        let _quiet = crate::panics::quiet_thread();
        let mut work = self.lock();
        let mut bored = Instant::now();
        loop {
            let now = Instant::now();
            if let Some(job) = work.take(now) {
                // Without another thread this one gets to it later.
                let _ = self.staff(&mut work);
                drop(work);
                self.carry_out(job);
                self.tidy();
                work = self.lock();
                bored = Instant::now();
                continue;
            }
            if work.closing || (now.duration_since(bored) >= IDLE && work.idle > 0) {
                break;
            }
            let wait = work.next_due().map_or(IDLE, |due| due.saturating_duration_since(now).min(IDLE));
            work.idle += 1;
            work = self
                .changed
                .wait_timeout(work, wait.max(Duration::from_millis(1)))
                .unwrap_or_else(PoisonError::into_inner)
                .0;
            work.idle -= 1;
        }
        work.workers -= 1;
        drop(work);
        self.changed.notify_all();
    }

    fn carry_out(&self, job: Job) {
        match job {
            Job::Begin(wish, ticket) => {
                let survived = catch_unwind(AssertUnwindSafe(|| self.start_intent(&wish, &ticket)));
                if survived.is_err() {
                    ticket.fail(wish.order.named_in(Error::of(Code::Internal)));
                    self.release(wish.order.id(), Instant::now() + RETRY);
                }
            }
            Job::Settle { id, asked, attended } => {
                let next = catch_unwind(AssertUnwindSafe(|| self.settle(id, asked, attended)));
                if !attended {
                    self.lock().background -= 1;
                }
                match next {
                    Ok(Ok(Some(record))) => self.publish(&record),
                    // Gone from the journal: acknowledged and pruned by another process.
                    Ok(Ok(None)) => {
                        self.lock().slots.remove(&id);
                    }
                    Ok(Err(error)) => {
                        self.complain(id, &error);
                        self.release(id, Instant::now() + RETRY);
                    }
                    Err(_) => self.release(id, Instant::now() + RETRY),
                }
            }
            Job::Scan => {
                let pending = catch_unwind(AssertUnwindSafe(|| self.journal.pending()));
                let mut work = self.lock();
                work.next_scan = Some(Instant::now() + SCAN);
                for (id, _) in pending.ok().and_then(Result::ok).unwrap_or_default() {
                    if !work.slots.contains_key(&id) {
                        work.schedule(id, Instant::now() + Duration::from_millis(roll() % 10_000));
                    }
                }
            }
        }
    }

    /// Records the intent, sends its first request, and tells the caller.
    fn start_intent(&self, wish: &Wish, ticket: &Arc<Ticket>) {
        if !ticket.begin() {
            return;
        }
        let times = self.times();
        let reference = wish.reference.as_deref();
        let intention = self.journal.intend(&wish.order, reference, |found| decide::intend(wish, found, times));
        match intention {
            Err(error) => ticket.fail(error),
            Ok(Intention::Join(record)) => {
                ticket.joins();
                // Its outcome may have been told ahead, and written since.
                let newer = if record.state.is_settled() { None } else { self.get(record.id()).ok().flatten() };
                let record = newer.unwrap_or(record);
                ticket.tell(&record);
                if !record.state.is_settled() {
                    // A request that is under way elsewhere needs a moment before a look can find anything.
                    let head_start = if times.now < record.quiet_until { HEAD_START } else { Duration::ZERO };
                    self.lock().follow(record.id(), ticket, head_start);
                    self.changed.notify_one();
                }
            }
            Ok(Intention::Doubtful(withdrawn, error)) => {
                self.complain(withdrawn.id(), &error);
                let told = Record { cause: error.cause().to_vec(), ..decide::unrecorded(withdrawn.clone()) };
                let mut work = self.lock();
                work.occupy(&withdrawn, ticket);
                work.unwritten.insert(withdrawn.id(), withdrawn);
                drop(work);
                self.publish(&told);
            }
            Ok(Intention::Start(record)) => {
                // Told first, so that late news of an earlier start finds that it knows better.
                ticket.tell(&record);
                self.lock().occupy(&record, ticket);
                let verdict = self.send(&record, &ticket.call, || ticket.gone());
                self.publish(&self.learn(record, decide::after_send, &verdict, true));
            }
        }
    }

    /// One look at an intent, and one more request where that is right. None: the journal does not hold it any more.
    fn settle(&self, id: OperationId, asked: bool, attended: bool) -> Result<Option<Record>> {
        let quiet = self.quiet();
        let rules = &self.config.settle;
        let unwritten = self.lock().unwritten.get(&id).cloned();
        if let Some(record) = unwritten {
            return self.write_now(record).map(Some);
        }
        let Some(record) = self.journal.get(id)? else { return Ok(None) };
        let record = decide::bounded(record, time::now(), quiet, rules);
        match decide::next(&record, time::now()) {
            Step::Rest => return Ok(Some(record)),
            Step::Wait(_) if !asked => return Ok(Some(record)),
            Step::Wait(_) | Step::Look => {}
        }
        let trickle = Duration::from_millis(rules.spacing_ms[0]);
        if !attended && !self.lock().budget.spend(Instant::now(), trickle) {
            return Ok(Some(Record { next_at: time::now() + millis(trickle), ..record }));
        }
        // The time before the look: what it does not find was not there then.
        let looked_at = time::now();
        let verdict = self.engage.look(&record.order, &self.call());
        self.stats.looked();
        let record = if self.clock.is_steady_since(record.recorded_at) {
            decide::counted_back(record, self.times())
        } else {
            record
        };
        let nothing_came = matches!(verdict, Verdict::Absent | Verdict::Unseen);
        if !(nothing_came && decide::may_send_again(&record, looked_at, rules)) {
            return Ok(Some(self.learn(record, decide::after_look, &verdict, attended)));
        }
        // From before the claim, so that the request is over when its quiet time is, however long the write takes.
        let call = self.call();
        let claimed = decide::claim(&record, matches!(verdict, Verdict::Absent), self.times());
        if !self.journal.save(&claimed, Durability::Now)? {
            // Another process is on it.
            return self.journal.get(id);
        }
        let verdict = self.send(&claimed, &call, || None);
        Ok(Some(self.learn(claimed, decide::after_send, &verdict, attended)))
    }

    /// Saves what could not be written, now that the disk may work again.
    fn write_now(&self, unwritten: Record) -> Result<Record> {
        if unwritten.state == State::Completed {
            return self.write_told(&unwritten);
        }
        let saved = self.journal.save(&unwritten, decide::durability(&unwritten));
        let known = match saved {
            Ok(true) => unwritten,
            // Another process may have found it in the log and brought it to life.
            _ => match self.journal.get(unwritten.id())? {
                Some(theirs) if theirs.revision >= unwritten.revision => theirs,
                _ => return Err(saved.err().unwrap_or_else(|| Error::of(Code::Journal))),
            },
        };
        self.lock().unwritten.remove(&known.id());
        Ok(known)
    }

    /// Writes a completed purchase that was told already, over whatever somebody has written who did not know of it.
    fn write_told(&self, told: &Record) -> Result<Record> {
        let known = loop {
            let written = self.recorded(told.id())?;
            if written.state.is_settled() {
                break written;
            }
            let next = Record { revision: written.revision + 1, ..told.clone() };
            if self.journal.save(&next, decide::durability(&next))? {
                break next;
            }
        };
        self.lock().unwritten.remove(&known.id());
        Ok(known)
    }

    /// Makes the request that spends. The record is durable already. `gone` tells why the caller withdrew it, if so.
    fn send(&self, record: &Record, call: &Arc<Call>, gone: impl Fn() -> Option<Code>) -> Verdict {
        let began = Instant::now();
        let mut verdict = self.engage.spend(&record.order, call);
        self.stats.sent(&record.order);
        if let Verdict::NotSent(facts) = &mut verdict {
            match gone() {
                Some(reason) => facts.code = reason,
                // Nobody withdrew it, so it was the end of the client.
                None if facts.code == Code::Cancelled => facts.code = Code::Closed,
                None => {}
            }
        }
        self.log.write(
            Level::Info,
            match record.order {
                Order::Purchase(_) => "purchase.sent",
                Order::Redeem(_) => "redeem.sent",
            },
            &[
                ("operationId", Field::Operation(record.id())),
                ("attempt", Field::Number(record.detail.attempts.into())),
                ("code", Field::Code(verdict.code())),
                ("ms", Field::Number(millis(began.elapsed()))),
            ],
        );
        verdict
    }

    /// Writes what a request has taught. If another thread or process has written meanwhile, it is added to that.
    /// What could not be written is not told, unless it is true whatever the journal says.
    fn learn(&self, mut record: Record, after: After, verdict: &Verdict, attended: bool) -> Record {
        let known = loop {
            let learned = after(&record, verdict.clone(), time::now(), self.pace(attended));
            let durability = decide::durability(&learned);
            if learned.state == State::Completed && durability == Durability::Later {
                self.tell_ahead(&learned);
            }
            let error = match self.journal.save(&learned, durability) {
                Ok(true) => break learned,
                Ok(false) => match self.journal.get(record.id()) {
                    Ok(Some(theirs)) if decide::is_overtaken(&record, &theirs, verdict) => break theirs,
                    Ok(Some(theirs)) => {
                        record = theirs;
                        continue;
                    }
                    Ok(None) => Error::of(Code::UnknownOperation),
                    Err(error) => error,
                },
                Err(error) => error,
            };
            self.complain(record.id(), &error);
            return match learned.state {
                // Engage has completed it: settling can only find that again.
                State::Completed => learned,
                _ => decide::unrecorded(learned),
            };
        };
        self.lock().unwritten.remove(&known.id());
        known
    }

    /// After a job, when nobody waits.
    fn tidy(&self) {
        if let Ok(Err(error)) = catch_unwind(AssertUnwindSafe(|| self.journal.tidy())) {
            self.log.write(Level::Error, "journal.failed", &[("code", Field::Code(error.code()))]);
        }
    }

    fn complain(&self, id: OperationId, error: &Error) {
        let fields = [("operationId", Field::Operation(id)), ("code", Field::Code(error.code()))];
        self.log.write(Level::Error, "journal.failed", &fields);
    }

    /// Tells everybody who follows of a completed purchase, which is true whether or not it gets into the journal: nobody waits for a
    /// disk that is busy.
    fn tell_ahead(&self, record: &Record) {
        let mut work = self.lock();
        work.unwritten.insert(record.id(), record.clone());
        let followers = work.slots.get_mut(&record.id()).map(|slot| std::mem::take(&mut slot.followers));
        drop(work);
        for ticket in followers.unwrap_or_default() {
            ticket.tell(record);
        }
    }

    /// Tells everybody who follows, and plans the next look.
    fn publish(&self, record: &Record) {
        let mut work = self.lock();
        let settled = record.state.is_settled() || record.is_closed();
        let outdated = work.slots.get(&record.id()).is_some_and(|slot| record.revision < slot.started);
        let followers = match work.slots.get_mut(&record.id()) {
            None => Vec::new(),
            // Started again meanwhile: whoever waits for the new start does not take old news, and the slot is the new start's.
            Some(slot) if outdated => slot.followers.clone(),
            Some(slot) if settled || record.needs_review() => std::mem::take(&mut slot.followers),
            Some(slot) => {
                slot.drop_gone();
                slot.followers.clone()
            }
        };
        let unwritten = settled && work.unwritten.contains_key(&record.id());
        let planned = (!settled || unwritten) && !outdated;
        if planned {
            let wait = Duration::from_millis(record.next_at.saturating_sub(time::now()));
            work.schedule(record.id(), Instant::now() + if unwritten { RETRY } else { wait });
        } else if !outdated {
            work.slots.remove(&record.id());
            self.stats.settled(record.state);
        }
        drop(work);
        if planned {
            self.changed.notify_one();
        }
        for ticket in followers {
            ticket.tell(record);
        }
    }

    /// Gives a slot back after a failure, to be looked at again.
    fn release(&self, id: OperationId, due: Instant) {
        self.lock().schedule(id, due);
        self.changed.notify_one();
    }

    fn times(&self) -> Times {
        Times { now: time::now(), quiet: self.quiet(), engage: self.engage.server_now() }
    }

    fn pace(&self, attended: bool) -> Pace<'_> {
        Pace { rules: &self.config.settle, attended, roll: roll() }
    }

    /// How long after its start a request of ours may still be under way: its time-out and a margin.
    fn quiet(&self) -> Millis {
        let timeout = millis(self.config.request_timeout);
        timeout + timeout / 10
    }
}

/// What was told, unless the journal has it: somebody else may have written less, and later.
fn newer(told: Option<Record>, written: Option<Record>) -> Option<Record> {
    match (told, written) {
        (Some(_), Some(written)) if written.state.is_settled() => Some(written),
        (told, written) => told.or(written),
    }
}

/// Watches whether the till's clock is set while we run.
struct Clock {
    started: Instant,
    wall: Millis,
}

impl Clock {
    /// Clocks are corrected by a little all the time.
    const LITTLE_MS: Millis = 1_000;

    fn start() -> Self {
        Self { started: Instant::now(), wall: time::now() }
    }

    /// Whether a time that was written down in this run is still right by the till's clock.
    fn is_steady_since(&self, time: Millis) -> bool {
        let expected = self.wall + millis(self.started.elapsed());
        time >= self.wall && time::now().abs_diff(expected) <= Self::LITTLE_MS
    }
}

/// A number that differs from till to till and from time to time: SplitMix64, from a random start.
fn roll() -> u64 {
    static STATE: OnceCell<AtomicU64> = OnceCell::new();
    const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
    let state = STATE.get_or_init(|| Uuid::new_v4().as_u64_pair().1.into());
    let mixed = state.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}
