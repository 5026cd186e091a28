//! What the workers of a client have to do and in which order: wishes first, then the intents whose outcome is not known, when they are
//! due. No I/O and no thread: the engine holds it behind its lock.

use super::decide::Wish;
use super::ticket::Ticket;
use crate::id::OperationId;
use crate::journal::Record;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Workers that may settle what nobody waits for, at once.
const BACKGROUND: usize = 2;
/// Settling requests in stock when nothing was sold for long.
const BURST: f64 = 10.0;

#[derive(Default)]
pub(super) struct Work {
    pub wishes: VecDeque<(Wish, Arc<Ticket>)>,
    pub slots: HashMap<OperationId, Slot>,
    /// When the slots that nobody works on are due.
    pub agenda: BTreeSet<(Instant, OperationId)>,
    pub workers: usize,
    pub idle: usize,
    pub background: usize,
    /// What is true and not in the journal yet: a completed purchase, which is told before; and the withdrawal of an intent that the disk
    /// neither took nor gave back, which nobody is told before.
    pub unwritten: HashMap<OperationId, Record>,
    pub next_scan: Option<Instant>,
    pub budget: Budget,
    pub closing: bool,
}

/// An intent whose outcome is not known.
pub(super) struct Slot {
    pub due: Instant,
    pub busy: bool,
    /// Look now, whatever the schedule says: somebody asked.
    pub asked: bool,
    /// The revision of the record it was last started with. News of an older one is about an earlier start.
    pub started: u64,
    pub followers: Vec<Arc<Ticket>>,
}

/// At most a tenth of the requests are for settling what nobody waits for: thousands of tills share one key.
pub(super) struct Budget {
    tokens: f64,
    last: Option<Instant>,
}

impl Default for Budget {
    fn default() -> Self {
        Self { tokens: BURST, last: None }
    }
}

impl Budget {
    pub fn earn(&mut self) {
        self.tokens = (self.tokens + 0.1).min(BURST);
    }

    /// `trickle` is how far apart requests beyond the budget are, so that every intent gets its turn.
    pub fn spend(&mut self, now: Instant, trickle: Duration) -> bool {
        if self.tokens < 1.0 && self.last.is_some_and(|last| now.duration_since(last) < trickle) {
            return false;
        }
        self.tokens = (self.tokens - 1.0).max(0.0);
        self.last = Some(now);
        true
    }
}

pub(super) enum Job {
    Begin(Wish, Arc<Ticket>),
    Settle { id: OperationId, asked: bool, attended: bool },
    Scan,
}

impl Work {
    /// The next thing to do, marked as taken.
    pub fn take(&mut self, now: Instant) -> Option<Job> {
        if self.closing {
            return None;
        }
        if let Some((wish, ticket)) = self.wishes.pop_front() {
            return Some(Job::Begin(wish, ticket));
        }
        if self.next_scan.is_some_and(|at| at <= now) {
            self.next_scan = None;
            return Some(Job::Scan);
        }
        let background_full = self.background >= BACKGROUND;
        let due = self.agenda.iter().take_while(|(due, _)| *due <= now);
        let slots = &self.slots;
        let entry = *due
            .into_iter()
            .find(|(_, id)| !background_full || slots.get(id).is_some_and(|slot| !slot.followers.is_empty()))?;
        self.agenda.remove(&entry);
        let slot = self.slots.get_mut(&entry.1)?;
        slot.busy = true;
        slot.drop_gone();
        let (asked, attended) = (std::mem::take(&mut slot.asked), !slot.followers.is_empty());
        if !attended {
            self.background += 1;
        }
        Some(Job::Settle { id: entry.1, asked, attended })
    }

    pub fn next_due(&self) -> Option<Instant> {
        let first = self.agenda.first().map(|(due, _)| *due);
        [first, self.next_scan].into_iter().flatten().min()
    }

    /// Plans the next look at an intent that nobody works on now.
    pub fn schedule(&mut self, id: OperationId, due: Instant) {
        let slot = self.slots.entry(id).or_insert_with(|| Slot::new(due));
        self.agenda.remove(&(slot.due, id));
        (slot.due, slot.busy) = (due, false);
        self.agenda.insert((due, id));
    }

    /// Marks a fresh intent as worked on, for the caller that started it.
    pub fn occupy(&mut self, record: &Record, ticket: &Arc<Ticket>) {
        let id = record.id();
        let slot = self.slots.entry(id).or_insert_with(|| Slot::new(Instant::now()));
        self.agenda.remove(&(slot.due, id));
        (slot.busy, slot.started) = (true, record.revision);
        slot.followers.push(ticket.clone());
    }

    /// Adds a caller to a pending intent and has it looked at now.
    pub fn follow(&mut self, id: OperationId, ticket: &Arc<Ticket>, head_start: Duration) {
        let due = Instant::now() + head_start;
        let slot = self.slots.entry(id).or_insert_with(|| Slot::new(due));
        for other in &slot.followers {
            other.share();
        }
        slot.followers.push(ticket.clone());
        if slot.busy {
            // Its request is under way; its answer is what there is to wait for.
            return;
        }
        slot.asked = true;
        self.schedule(id, due);
    }
}

impl Slot {
    fn new(due: Instant) -> Self {
        Self { due, busy: false, asked: false, started: 0, followers: Vec::new() }
    }

    /// Forgets callers that have gone: nobody but the slot holds their ticket.
    pub fn drop_gone(&mut self) {
        self.followers.retain(|ticket| Arc::strong_count(ticket) > 1);
    }
}
