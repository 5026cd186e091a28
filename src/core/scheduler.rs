//! The queue of a client: commands first, then pending intents when they are due.
//! All times are monotonic, since an origin that the runtime chooses, and go on while the machine
//! is suspended. `W` is the runtime's waiter.

use super::admission::Command;
use super::clock::Observation;
use super::id::{ContactId, OperationId};
use super::intent::Intent;
use super::retry::{RequestBudget, RetryBudget, RetryRules, Throttle};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Workers that may resolve unattended intents at once.
const BACKGROUND: usize = 2;
/// Workers that may resolve intents at once, attended ones included. The others are kept for
/// commands, so that a server that hangs does not hold up a sale.
const RESOLVING: usize = 16;

/// The state of the queue.
pub(crate) struct Scheduler<W> {
    /// Commands that no worker has taken.
    pub commands: VecDeque<(Command, Arc<W>)>,
    /// Pending intents.
    pub entries: BTreeMap<OperationId, Entry<W>>,
    /// The due times of the entries that no worker has.
    due_times: BTreeSet<(Duration, OperationId)>,
    /// Workers that exist.
    pub workers: usize,
    /// Workers that wait for work.
    pub idle: usize,
    /// Workers that resolve intents.
    resolving: usize,
    /// Workers that resolve unattended intents.
    background: usize,
    /// Intents that are known and not stored yet: a completed purchase, which is reported before,
    /// and the withdrawal of an intent whose commit failed, which is not reported.
    pub not_persisted: BTreeMap<OperationId, Intent>,
    /// When the journal is searched again for intents of other processes.
    pub next_scan: Option<Duration>,
    /// The budget of unattended status queries.
    pub budget: RetryBudget,
    /// The budget of requested status queries.
    pub requests: RequestBudget,
    /// Stops unattended status queries after a 429.
    pub throttle: Throttle,
    /// The client is being closed.
    pub closing: bool,
}

impl<W> Default for Scheduler<W> {
    fn default() -> Self {
        Self {
            commands: VecDeque::new(),
            entries: BTreeMap::new(),
            due_times: BTreeSet::new(),
            workers: 0,
            idle: 0,
            resolving: 0,
            background: 0,
            not_persisted: BTreeMap::new(),
            next_scan: None,
            budget: RetryBudget::default(),
            requests: RequestBudget::default(),
            throttle: Throttle::default(),
            closing: false,
        }
    }
}

/// A pending intent.
pub(crate) struct Entry<W> {
    /// When the next status query is due.
    pub due: Duration,
    /// A worker has it.
    pub busy: bool,
    /// A caller asked: query now, before the schedule.
    pub requested: bool,
    /// The revision of the intent at its last start. Results of an older revision belong to an
    /// earlier start.
    pub started: u64,
    /// Callers that wait for the outcome.
    pub waiters: Vec<Arc<W>>,
    /// Status queries made for a waiting caller, since one waits.
    pub attended_queries: u32,
    /// What this run has seen of the intent.
    pub observation: Option<Observation>,
    /// The member of a purchase. One status query serves all purchases of a member.
    pub contact: Option<ContactId>,
}

/// One piece of work for a worker.
pub(crate) enum Job<W> {
    /// Carry out a command.
    Start(Command, Arc<W>),
    /// Resolve a pending intent.
    Resolve(ResolveJob),
    /// Search the journal for intents of other processes.
    Scan,
}

/// A pending intent that a worker has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ResolveJob {
    /// The operation.
    pub id: OperationId,
    /// A caller asked for it.
    pub requested: bool,
    /// A caller waits for it: the number of queries made for it so far.
    pub attended: Option<u32>,
}

impl<W> Scheduler<W> {
    /// Takes the next job and marks it as taken.
    pub fn take(&mut self, now: Duration) -> Option<Job<W>> {
        if self.closing {
            return None;
        }
        if let Some((command, waiter)) = self.commands.pop_front() {
            return Some(Job::Start(command, waiter));
        }
        if self.next_scan.is_some_and(|at| at <= now) {
            self.next_scan = None;
            return Some(Job::Scan);
        }
        if self.resolving >= RESOLVING {
            return None;
        }
        let background_full = self.background >= BACKGROUND;
        let mut due = self.due_times.iter().take_while(|(due, _)| *due <= now);
        let entries = &self.entries;
        let attended = |id| entries.get(id).is_some_and(|entry| !entry.waiters.is_empty());
        let id = due.find(|(_, id)| !background_full || attended(id))?.1;
        let resolve = self.take_due(id)?;
        self.resolving += 1;
        if resolve.attended.is_none() {
            self.background += 1;
        }
        Some(Job::Resolve(resolve))
    }

    /// Notes that a worker has ended [`Job::Resolve`].
    pub fn end_resolve(&mut self, resolve: ResolveJob) {
        self.resolving -= 1;
        if resolve.attended.is_none() {
            self.background -= 1;
        }
    }

    fn take_due(&mut self, id: OperationId) -> Option<ResolveJob> {
        let entry = self.entries.get_mut(&id)?;
        self.due_times.remove(&(entry.due, id));
        entry.busy = true;
        entry.drop_departed();
        let attended = match entry.waiters.is_empty() {
            true => {
                entry.attended_queries = 0;
                None
            }
            false => Some(entry.attended_queries),
        };
        Some(ResolveJob { id, requested: std::mem::take(&mut entry.requested), attended })
    }

    /// Takes one unattended status query from the throttle and the budget. Returns the wait until
    /// the next try where there is none.
    pub fn spend_unattended(&mut self, now: Duration, rules: &RetryRules) -> Option<Duration> {
        let min_interval = Duration::from_millis(rules.schedule_ms[0]);
        let wait = self.throttle.wait(now);
        let wait = wait.or_else(|| (!self.budget.spend(now, min_interval)).then_some(min_interval));
        if wait.is_none() {
            self.throttle.spend(now);
        }
        // Less than a millisecond is rounded up: a delay of zero would run in a circle.
        wait.map(|wait| Duration::from_millis(super::domain::millis(wait) + 1))
    }

    /// Takes the other purchases of a member that no worker has: the response about one serves them
    /// all.
    pub fn take_same_contact(&mut self, id: OperationId) -> Vec<ResolveJob> {
        let Some(contact) = self.entries.get(&id).and_then(|entry| entry.contact) else { return Vec::new() };
        let others: Vec<_> = self
            .entries
            .iter()
            .filter(|(other, entry)| **other != id && !entry.busy && entry.contact == Some(contact))
            .map(|(other, _)| *other)
            .collect();
        others.into_iter().filter_map(|other| self.take_due(other)).collect()
    }

    /// Returns when the next job is due that a worker may take.
    pub fn next_due(&self) -> Option<Duration> {
        let background_full = self.background >= BACKGROUND;
        let attended = |id| self.entries.get(id).is_some_and(|entry| !entry.waiters.is_empty());
        let free = self.resolving < RESOLVING;
        let first = self.due_times.iter().find(|(_, id)| free && (!background_full || attended(id)));
        [first.map(|(due, _)| *due), self.next_scan].into_iter().flatten().min()
    }

    /// Whether an entry is due that a further worker could take.
    pub fn has_due(&self, now: Duration) -> bool {
        self.next_due().is_some_and(|due| due <= now)
    }

    /// Whether an entry waits for its time.
    pub fn has_due_times(&self) -> bool {
        !self.due_times.is_empty()
    }

    /// Schedules the next status query of an intent that no worker has.
    pub fn schedule(&mut self, id: OperationId, due: Duration) {
        let entry = self.entries.entry(id).or_insert_with(|| Entry::new(due));
        self.due_times.remove(&(entry.due, id));
        (entry.due, entry.busy) = (due, false);
        self.due_times.insert((due, id));
    }

    /// Schedules an intent that no worker has and that has no time: another process has left it.
    pub fn adopt(&mut self, id: OperationId, due: Duration) {
        let is_known = |entry: &Entry<W>| entry.busy || self.due_times.contains(&(entry.due, id));
        if !self.entries.get(&id).is_some_and(is_known) {
            self.schedule(id, due);
        }
    }

    /// Forgets an intent, and with it its due time: one without an entry would stop the queue.
    pub fn forget(&mut self, id: OperationId) -> Option<Entry<W>> {
        let entry = self.entries.remove(&id)?;
        self.due_times.remove(&(entry.due, id));
        Some(entry)
    }

    /// Marks a started intent as taken, and adds the caller that started it.
    pub fn mark_taken(&mut self, intent: &Intent, waiter: &Arc<W>, now: Duration) {
        let id = intent.id();
        let entry = self.entries.entry(id).or_insert_with(|| Entry::new(now));
        self.due_times.remove(&(entry.due, id));
        (entry.busy, entry.started) = (true, intent.revision);
        entry.waiters.push(waiter.clone());
    }

    /// Notes an intent that was read from the journal, and returns what this run has seen of it.
    pub fn observe(&mut self, intent: &Intent, now: Duration) -> Observation {
        let entry = self.entries.entry(intent.id()).or_insert_with(|| Entry::new(now));
        entry.contact = purchase_contact(intent);
        *entry.observation.insert(Observation::read(entry.observation, intent, now))
    }

    /// Notes an attempt that begins now.
    pub fn observe_attempt(&mut self, intent: &Intent, now: Duration) {
        let entry = self.entries.entry(intent.id()).or_insert_with(|| Entry::new(now));
        entry.contact = purchase_contact(intent);
        entry.observation = Some(Observation::attempt(entry.observation, intent, now));
    }

    /// Notes that the attempt has ended. Returns whether within its in-flight window.
    pub fn observe_end(&mut self, intent: &Intent, now: Duration) -> bool {
        let entry = self.entries.get_mut(&intent.id());
        entry.and_then(|entry| entry.observation.as_mut()).is_some_and(|seen| seen.end(intent, now))
    }

    /// Adds a caller to a pending intent and schedules a query at `due`. `share` is called for each
    /// caller that waits for it already.
    pub fn wait_for(&mut self, id: OperationId, waiter: &Arc<W>, due: Option<Duration>, share: impl Fn(&W)) {
        let entry = self.entries.entry(id).or_insert_with(|| Entry::new(due.unwrap_or(Duration::MAX)));
        for other in &entry.waiters {
            share(other);
        }
        entry.waiters.push(waiter.clone());
        let Some(due) = due.filter(|_| !entry.busy) else {
            // Its request is under way, or the schedule decides. The response is what there is to
            // wait for.
            return;
        };
        entry.requested = true;
        self.schedule(id, due);
    }
}

fn purchase_contact(intent: &Intent) -> Option<ContactId> {
    match intent.operation {
        super::domain::Operation::Purchase(purchase) => Some(purchase.contact),
        super::domain::Operation::Redeem(_) => None,
    }
}

impl<W> Entry<W> {
    fn new(due: Duration) -> Self {
        Self {
            due,
            busy: false,
            requested: false,
            started: 0,
            waiters: Vec::new(),
            attended_queries: 0,
            observation: None,
            contact: None,
        }
    }

    /// Drops callers that no longer wait: only the entry holds their waiter.
    pub fn drop_departed(&mut self) {
        self.waiters.retain(|waiter| Arc::strong_count(waiter) > 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn intent_of_another_process_is_adopted_though_a_caller_waits() {
        let [left, busy, later, unknown] = [1, 2, 3, 4].map(|id| OperationId::from_uuid(Uuid::from_u128(id)));
        let s = Duration::from_secs;
        let mut scheduler = Scheduler::<()>::default();
        // A caller waits, and no query is due.
        scheduler.wait_for(left, &Arc::new(()), None, |()| ());
        scheduler.schedule(busy, s(1));
        let Some(Job::Resolve(job)) = scheduler.take(s(1)) else { panic!("nothing was taken") };
        scheduler.schedule(later, s(9));
        for id in [left, busy, later, unknown] {
            scheduler.adopt(id, s(5));
        }
        assert_eq!((job.id, scheduler.next_due()), (busy, Some(s(5))));
        scheduler.end_resolve(job);
        let Some(Job::Resolve(job)) = scheduler.take(s(5)) else { panic!("nothing was taken") };
        assert_eq!((job.id, scheduler.next_due()), (left, Some(s(5))));
        scheduler.end_resolve(job);
        let Some(Job::Resolve(job)) = scheduler.take(s(5)) else { panic!("nothing was taken") };
        scheduler.end_resolve(job);
        assert_eq!((job.id, scheduler.next_due()), (unknown, Some(s(9))));
    }

    #[test]
    fn forgotten_intent_does_not_stop_the_queue() {
        let [forgotten, other] = [1, 2].map(|id| OperationId::from_uuid(Uuid::from_u128(id)));
        let (soon, now) = (Duration::from_secs(1), Duration::from_secs(3));
        let mut scheduler = Scheduler::<()>::default();
        scheduler.schedule(forgotten, soon);
        scheduler.schedule(other, Duration::from_secs(2));
        assert!(scheduler.forget(forgotten).is_some());
        assert_eq!(scheduler.next_due(), Some(Duration::from_secs(2)));
        let Some(Job::Resolve(resolve)) = scheduler.take(now) else { panic!("nothing was taken") };
        assert_eq!(resolve.id, other);
        assert_eq!(scheduler.next_due(), None);
    }

    fn id(number: u128) -> OperationId {
        OperationId::from_uuid(Uuid::from_u128(number))
    }

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn purchase(number: u128, contact: u128) -> Intent {
        let contact = ContactId::from_uuid(Uuid::from_u128(contact));
        let item = crate::core::id::ItemId::from_uuid(Uuid::from_u128(1));
        Intent::new(crate::core::domain::Purchase { id: id(number), contact, item }.into(), None, 0, 0)
    }

    fn taken(scheduler: &mut Scheduler<u8>, now: u64) -> Option<ResolveJob> {
        match scheduler.take(s(now)) {
            Some(Job::Resolve(job)) => Some(job),
            Some(_) => panic!("another job"),
            None => None,
        }
    }

    #[test]
    fn new_queue_has_no_work_and_no_workers() {
        let mut scheduler = Scheduler::<u8>::default();
        assert_eq!((scheduler.workers, scheduler.idle, scheduler.resolving, scheduler.background), (0, 0, 0, 0));
        assert_eq!((taken(&mut scheduler, 9), scheduler.next_due()), (None, None));
        assert!(!scheduler.has_due(s(9)) && !scheduler.has_due_times());
    }

    #[test]
    fn scan_is_taken_once_when_it_is_due() {
        let mut scheduler = Scheduler::<u8> { next_scan: Some(s(60)), ..Scheduler::default() };
        assert_eq!(scheduler.next_due(), Some(s(60)));
        assert!(scheduler.take(s(59)).is_none() && !scheduler.has_due(s(59)) && scheduler.has_due(s(60)));
        assert!(matches!(scheduler.take(s(60)), Some(Job::Scan)));
        assert!(scheduler.take(s(60)).is_none());
        scheduler.next_scan = Some(s(70));
        scheduler.closing = true;
        assert!(scheduler.take(s(99)).is_none(), "nothing is begun while the client closes");
    }

    #[test]
    fn two_workers_at_most_resolve_what_nobody_waits_for() {
        let mut scheduler = Scheduler::<u8>::default();
        (1..=4).for_each(|number| scheduler.schedule(id(number), s(1)));
        let first = taken(&mut scheduler, 1).unwrap();
        assert_eq!(scheduler.next_due(), Some(s(1)));
        let second = taken(&mut scheduler, 1).unwrap();
        assert_eq!((first.id, second.id, first.attended), (id(1), id(2), None));
        assert_eq!((taken(&mut scheduler, 1), scheduler.next_due()), (None, None));
        // A caller's does not wait for them.
        let caller = Arc::new(1);
        scheduler.wait_for(id(4), &caller, Some(s(2)), |_| ());
        assert_eq!(scheduler.next_due(), Some(s(2)));
        let attended = taken(&mut scheduler, 2).unwrap();
        assert_eq!((attended.id, attended.attended, attended.requested), (id(4), Some(0), true));
        scheduler.end_resolve(attended);
        assert_eq!(taken(&mut scheduler, 9), None);
        scheduler.end_resolve(second);
        assert_eq!(taken(&mut scheduler, 9).map(|job| job.id), Some(id(3)));
        assert_eq!((scheduler.resolving, scheduler.background), (2, 2));
    }

    #[test]
    fn sixteen_workers_at_most_resolve() {
        let mut scheduler = Scheduler::<u8>::default();
        let callers: Vec<_> = (0..17).map(Arc::new).collect();
        for (number, caller) in (1..).zip(&callers) {
            scheduler.wait_for(id(number), caller, Some(s(1)), |_| ());
        }
        let jobs: Vec<_> = (0..15).map(|_| taken(&mut scheduler, 1).unwrap()).collect();
        assert!(scheduler.has_due(s(1)));
        assert!(taken(&mut scheduler, 1).is_some() && !scheduler.has_due(s(1)));
        assert_eq!(taken(&mut scheduler, 1), None);
        assert!(scheduler.has_due_times());
        scheduler.end_resolve(jobs[0]);
        assert_eq!(taken(&mut scheduler, 1).map(|job| job.id), Some(id(17)));
    }

    #[test]
    fn intent_is_scheduled_at_one_time_only() {
        let mut scheduler = Scheduler::<u8>::default();
        scheduler.schedule(id(1), s(1));
        scheduler.schedule(id(1), s(5));
        assert_eq!((scheduler.next_due(), taken(&mut scheduler, 4)), (Some(s(5)), None));
        let caller = Arc::new(1);
        scheduler.mark_taken(&Intent { revision: 7, ..purchase(1, 8) }, &caller, s(2));
        assert!(!scheduler.has_due_times());
        let entry = &scheduler.entries[&id(1)];
        assert_eq!((entry.busy, entry.started, entry.waiters.len(), entry.attended_queries), (true, 7, 1, 0));
        // A worker has it: the caller waits for its response.
        scheduler.wait_for(id(1), &caller, Some(s(3)), |_| ());
        assert!(!scheduler.has_due_times() && !scheduler.entries[&id(1)].requested);
        scheduler.schedule(id(1), s(6));
        assert!(!scheduler.entries[&id(1)].busy && scheduler.entries[&id(1)].due == s(6));
        assert_eq!(taken(&mut scheduler, 6).map(|job| job.attended), Some(Some(0)));
        assert!(scheduler.entries[&id(1)].busy);
    }

    #[test]
    fn callers_that_left_are_dropped_and_their_queries_forgotten() {
        let mut scheduler = Scheduler::<u8>::default();
        let (left, here) = (Arc::new(1), Arc::new(2));
        scheduler.wait_for(id(1), &left, Some(s(1)), |_| panic!("nobody waited"));
        scheduler.wait_for(id(1), &here, None, |other| assert_eq!(*other, 1));
        scheduler.entries.get_mut(&id(1)).unwrap().attended_queries = 3;
        drop(left);
        assert_eq!(taken(&mut scheduler, 1).map(|job| (job.attended, job.requested)), Some((Some(3), true)));
        assert_eq!(scheduler.entries[&id(1)].waiters, [Arc::clone(&here)]);
        drop(here);
        scheduler.schedule(id(1), s(2));
        assert_eq!(taken(&mut scheduler, 2).map(|job| (job.attended, job.requested)), Some((None, false)));
        assert_eq!(scheduler.entries[&id(1)].attended_queries, 0);
    }

    #[test]
    fn waiting_callers_learn_that_another_one_waits() {
        let mut scheduler = Scheduler::<u8>::default();
        let shared = std::cell::RefCell::new(Vec::new());
        for caller in [1, 2, 3] {
            let waiter = Arc::new(caller);
            scheduler.wait_for(id(1), &waiter, None, |other| shared.borrow_mut().push(*other));
        }
        assert_eq!(*shared.borrow(), [1, 1, 2]);
    }

    #[test]
    fn purchases_of_a_member_are_taken_together() {
        let mut scheduler = Scheduler::<u8>::default();
        for (number, contact) in [(1, 8), (2, 8), (3, 9), (4, 8), (5, 8)] {
            scheduler.schedule(id(number), s(number.try_into().unwrap()));
            match number {
                4 => scheduler.observe_attempt(&purchase(number, contact), s(0)),
                _ => drop(scheduler.observe(&purchase(number, contact), s(0))),
            }
        }
        scheduler.schedule(id(6), s(9));
        assert_eq!(taken(&mut scheduler, 1).map(|job| job.id), Some(id(1)));
        assert_eq!(taken(&mut scheduler, 2).map(|job| job.id), Some(id(2)));
        let others: Vec<_> = scheduler.take_same_contact(id(1)).iter().map(|job| job.id).collect();
        assert_eq!(others, [id(4), id(5)]);
        assert_eq!(scheduler.next_due(), None, "both workers are busy");
        assert!(scheduler.take_same_contact(id(6)).is_empty());
    }

    #[test]
    fn query_without_a_caller_needs_the_budget_and_no_429() {
        let mut scheduler = Scheduler::<u8>::default();
        let rules =
            |seconds: u64| RetryRules { schedule_ms: vec![seconds * 1_000], startup_jitter_ms: 0, resend_limit_ms: 0 };
        // A millisecond more: a delay of zero would run in a circle.
        let wait = |seconds| Some(s(seconds) + Duration::from_millis(1));
        assert!((0..10).all(|_| scheduler.spend_unattended(s(0), &rules(10)).is_none()));
        assert_eq!(scheduler.spend_unattended(s(9), &rules(10)), wait(10));
        assert_eq!(scheduler.spend_unattended(s(10), &rules(10)), None);
        scheduler.throttle.on_rate_limited(s(20), Some(60_000), 0);
        assert_eq!(scheduler.spend_unattended(s(30), &rules(10)), wait(50));
        // The 429 keeps the next ones apart too.
        assert_eq!(scheduler.spend_unattended(s(80), &rules(1)), None);
        assert_eq!(scheduler.spend_unattended(s(82), &rules(1)), wait(8));
    }

    #[test]
    fn attempt_of_this_run_is_seen_as_its_own() {
        let mut scheduler = Scheduler::<u8>::default();
        let intent = purchase(1, 8);
        scheduler.observe_attempt(&intent, s(5));
        let seen = scheduler.observe(&intent, s(9));
        assert_eq!(seen, Observation::attempt(None, &intent, s(5)));
        let mut intent = intent;
        intent.progress.in_flight_window_ms = 66_000;
        assert!(scheduler.observe_end(&intent, s(71)) && !scheduler.observe_end(&intent, s(77)));
        assert!(!scheduler.observe_end(&purchase(2, 8), s(6)), "an attempt that nobody has seen");
    }
}
