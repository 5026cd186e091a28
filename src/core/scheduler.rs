//! The queue of a client: commands first, then pending intents when they are due.
//! All times are monotonic, since an origin that the runtime chooses. `W` is the runtime's waiter.

use super::admission::Command;
use super::domain::OperationId;
use super::intent::Intent;
use super::retry::RetryBudget;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Workers that may resolve unattended intents at once.
const BACKGROUND: usize = 2;

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
    /// Workers that resolve unattended intents.
    pub background: usize,
    /// Intents that are known and not stored yet: a completed purchase, which is reported before, and the
    /// withdrawal of an intent whose commit failed, which is not reported.
    pub not_persisted: BTreeMap<OperationId, Intent>,
    /// When the journal is searched again for intents of other processes.
    pub next_scan: Option<Duration>,
    /// The budget of unattended status queries.
    pub budget: RetryBudget,
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
            background: 0,
            not_persisted: BTreeMap::new(),
            next_scan: None,
            budget: RetryBudget::default(),
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
    /// The revision of the intent at its last start. Results of an older revision belong to an earlier start.
    pub started: u64,
    /// Callers that wait for the outcome.
    pub waiters: Vec<Arc<W>>,
}

/// One piece of work for a worker.
pub(crate) enum Job<W> {
    /// Carry out a command.
    Start(Command, Arc<W>),
    /// Resolve a pending intent.
    Resolve {
        /// The operation.
        id: OperationId,
        /// A caller asked for it.
        requested: bool,
        /// A caller waits for it.
        attended: bool,
    },
    /// Search the journal for intents of other processes.
    Scan,
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
        let background_full = self.background >= BACKGROUND;
        let mut due = self.due_times.iter().take_while(|(due, _)| *due <= now);
        let entries = &self.entries;
        let attended = |id| entries.get(id).is_some_and(|entry| !entry.waiters.is_empty());
        let next = *due.find(|(_, id)| !background_full || attended(id))?;
        self.due_times.remove(&next);
        let entry = self.entries.get_mut(&next.1)?;
        entry.busy = true;
        entry.drop_departed();
        let (requested, attended) = (std::mem::take(&mut entry.requested), !entry.waiters.is_empty());
        if !attended {
            self.background += 1;
        }
        Some(Job::Resolve { id: next.1, requested, attended })
    }

    /// Returns when the next job is due.
    pub fn next_due(&self) -> Option<Duration> {
        let first = self.due_times.first().map(|(due, _)| *due);
        [first, self.next_scan].into_iter().flatten().min()
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

    /// Marks a started intent as taken, and adds the caller that started it.
    pub fn occupy(&mut self, intent: &Intent, waiter: &Arc<W>, now: Duration) {
        let id = intent.id();
        let entry = self.entries.entry(id).or_insert_with(|| Entry::new(now));
        self.due_times.remove(&(entry.due, id));
        (entry.busy, entry.started) = (true, intent.revision);
        entry.waiters.push(waiter.clone());
    }

    /// Adds a caller to a pending intent and schedules a query at `due`. `share` is called for each caller that
    /// waits for it already.
    pub fn wait_for(&mut self, id: OperationId, waiter: &Arc<W>, due: Duration, share: impl Fn(&W)) {
        let entry = self.entries.entry(id).or_insert_with(|| Entry::new(due));
        for other in &entry.waiters {
            share(other);
        }
        entry.waiters.push(waiter.clone());
        if entry.busy {
            // Its request is under way. The response is what there is to wait for.
            return;
        }
        entry.requested = true;
        self.schedule(id, due);
    }
}

impl<W> Entry<W> {
    fn new(due: Duration) -> Self {
        Self { due, busy: false, requested: false, started: 0, waiters: Vec::new() }
    }

    /// Drops callers that no longer wait: only the entry holds their waiter.
    pub fn drop_departed(&mut self) {
        self.waiters.retain(|waiter| Arc::strong_count(waiter) > 1);
    }
}
