//! The simulated disk: the journal's methods over records in memory, with the promises and failures
//! of the real one. A test gives both the same operations and compares their results.

use super::engage;
use super::plan::{Fault, WriteFailure};
use super::scheduler;
use super::state::{self, MINUTE, MS, Promise, SECOND, note, state};
use super::system::{Instant, Mutex};
use crate::config::{Config, JournalPlace};
use crate::core::admission::{Admission, Candidates};
use crate::core::check::{JournalFacts, Place};
use crate::core::code::{Code, Outcome};
use crate::core::domain::{Millis, Operation};
use crate::core::error::{Error, Result};
use crate::core::granted_reward::Owner;
use crate::core::id::{AssignmentId, ContactId, OperationId};
use crate::core::intent::{Durability, Intent, IntentState};
use crate::journal::{Backup, Filter, Page};
use crate::log::Log;
use crate::stats::Histogram;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::TryLockError;
use std::time::Duration;

/// The plans' resend limit is two hours. A review before this is too early.
const EARLY: u64 = 100 * MINUTE;

/// One write, with the record that it replaced.
struct Written {
    id: OperationId,
    before: Option<Intent>,
}

/// The disk of one till.
#[derive(Default)]
pub(crate) struct Disk {
    pub records: BTreeMap<OperationId, Intent>,
    /// The row of each record.
    rows: BTreeMap<OperationId, u64>,
    /// Writes that are not synced.
    unsynced: Vec<Written>,
    /// Records that are on the disk whatever happens, with their number of attempts.
    durable: BTreeMap<OperationId, u32>,
    /// When each record was first written, in true time.
    began: BTreeMap<OperationId, u64>,
    /// When the record of each attempt of a redeem was written, and for how long the attempt may be
    /// processed, in µs.
    attempts: BTreeMap<OperationId, Vec<(u64, u64)>>,
    /// A record in the write-ahead log whose commit failed: a restart may find it.
    ghost: Option<Intent>,
    /// SQLite's lock.
    locked: bool,
    writes: u64,
    reads: u64,
    /// Facts about the journal itself. A power cut does not lose them: they are repeated.
    facts: BTreeMap<String, String>,
}

#[derive(Default)]
pub(crate) struct Disks {
    pub tills: Vec<Disk>,
    pub faults: Vec<Fault>,
    /// The longest sync, in µs.
    pub sync_us: u64,
}

thread_local! {
    static DISKS: RefCell<Disks> = RefCell::default();
}

pub(crate) fn disks<T>(work: impl FnOnce(&mut Disks) -> T) -> T {
    DISKS.with_borrow_mut(work)
}

pub(crate) fn replace(new: Disks) -> Disks {
    DISKS.replace(new)
}

fn disk<T>(till: usize, work: impl FnOnce(&mut Disk) -> T) -> T {
    disks(|disks| work(&mut disks.tills[till]))
}

/// Returns all records of a till.
pub(crate) fn records(till: usize) -> Vec<Intent> {
    disk(till, |disk| disk.records.values().cloned().collect())
}

/// Whether the record of the last attempt of an operation is durable.
pub(crate) fn is_durable(till: usize, id: OperationId) -> bool {
    disk(till, |disk| {
        let attempts = disk.records.get(&id).map(|intent| intent.detail.attempts);
        attempts.is_some_and(|attempts| disk.durable.get(&id) == Some(&attempts))
    })
}

/// Whether a press has started an operation and nothing is known of its attempt yet.
pub(crate) fn is_recorded(till: usize, id: OperationId) -> bool {
    disk(till, |disk| disk.records.get(&id).is_some_and(|intent| intent.state == IntentState::Recorded))
}

/// Returns another redeem of the same reward that is pending and not in review.
pub(crate) fn other_redeem(till: usize, id: OperationId) -> Option<OperationId> {
    disk(till, |disk| {
        let Some(Operation::Redeem(ours)) = disk.records.get(&id).map(|intent| intent.operation) else { return None };
        let is_other = |it: &&Intent| {
            let same = matches!(it.operation, Operation::Redeem(redeem) if redeem.assignment == ours.assignment);
            same && it.id() != id && !it.state.is_final() && !it.needs_review()
        };
        disk.records.values().find(is_other).map(Intent::id)
    })
}

/// Whether another channel has used the reward of a redeem within a minute of the time in which an
/// attempt of it might be processed. A7 excludes that. An attempt is decided up to a minute before
/// its record is written: the disk may hang.
pub(crate) fn is_reward_shared(till: usize, id: &str) -> bool {
    disk(till, |disk| {
        disk.records.values().filter(|intent| intent.id().to_string() == id).any(|intent| {
            let Operation::Redeem(redeem) = intent.operation else { return false };
            let Some(used) = engage::used_elsewhere(&redeem.assignment.to_string()) else { return false };
            let attempts = disk.attempts.get(&intent.id()).into_iter().flatten();
            let before = engage::signed(2 * MINUTE);
            // An attempt that a pause held up may be processed so much later.
            let paused = state::processes_of(till).into_iter().map(scheduler::paused).max().unwrap_or(0);
            let mut near = attempts
                .map(|(at, window)| engage::signed(*at) - before..=engage::signed(at + window + MINUTE + paused));
            near.any(|near| near.contains(&used))
        })
    })
}

/// The power of a till fails: unsynced writes may be lost, from the last one on.
pub(crate) fn power_cut(till: usize, random: u64) {
    disk(till, |disk| {
        let kept = usize::try_from(random % (disk.unsynced.len() as u64 + 1)).unwrap_or(0);
        while disk.unsynced.len() > kept {
            let Some(written) = disk.unsynced.pop() else { break };
            match written.before {
                Some(before) => disk.records.insert(written.id, before),
                None => disk.records.remove(&written.id),
            };
        }
        disk.unsynced.clear();
        if let Some(ghost) = disk.ghost.take()
            && random & 0x1_0000 != 0
        {
            disk.begin_row(ghost.id());
            disk.records.insert(ghost.id(), ghost);
        }
        disk.synced();
        disk.locked = false;
    });
}

impl Disk {
    fn synced(&mut self) {
        self.unsynced.clear();
        let records = &self.records;
        self.durable = records.iter().map(|(id, intent)| (*id, intent.detail.attempts)).collect();
    }

    /// Gives a new record its row: as SQLite, the one behind the last.
    fn begin_row(&mut self, id: OperationId) {
        if !self.records.contains_key(&id) {
            let last = self.records.keys().map(|id| self.row(*id)).max();
            self.rows.insert(id, last.unwrap_or(0) + 1);
        }
    }

    fn row(&self, id: OperationId) -> u64 {
        self.rows.get(&id).copied().unwrap_or(0)
    }

    /// Returns the records that fit, in the order of recording.
    fn ordered(&self, fits: impl Fn(&Intent) -> bool) -> Vec<Intent> {
        let mut intents: Vec<Intent> = self.records.values().filter(|intent| fits(intent)).cloned().collect();
        intents.sort_by_key(|intent| self.row(intent.id()));
        intents
    }

    fn put(&mut self, intent: &Intent) {
        // The next frame of the write-ahead log takes the ghost's place.
        self.ghost = None;
        // The till may have been suspended since the press.
        let pressed_at = state(|state| state.processes[scheduler::process()].pressed_at);
        let began = *self.began.entry(intent.id()).or_insert(pressed_at);
        let before = self.records.get(&intent.id());
        if intent.code == Code::PendingNeedsReview
            && before.is_some_and(|before| before.code != Code::PendingNeedsReview)
            && scheduler::now() - began < EARLY
        {
            let minutes = (scheduler::now() - began) / MINUTE;
            let text = format!("{} asks for review after {minutes} minutes", intent.id());
            state::violation(Promise::ReviewLate, text);
        }
        let completion = |it: &Intent| (it.state, it.resolved_at, it.response.clone());
        if let Some(before) = before.filter(|before| before.state == IntentState::Completed)
            && completion(before) != completion(intent)
        {
            state::violation(Promise::CompletedStays, format!("the completion of {} is replaced", intent.id()));
        }
        let attempt = |intent: &Intent| (intent.detail.attempts, intent.state == IntentState::Recorded);
        if matches!(intent.operation, Operation::Redeem(_)) && before.is_none_or(|it| attempt(it) != attempt(intent)) {
            let window = intent.progress.in_flight_window_ms * MS;
            self.attempts.entry(intent.id()).or_default().push((scheduler::now(), window));
        }
        let mut stored = intent.clone();
        // The columns that the table does not have.
        crate::VERSION.clone_into(&mut stored.progress.writer_version);
        stored.detail.retry_after_ms = None;
        self.begin_row(intent.id());
        let before = self.records.insert(intent.id(), stored);
        self.unsynced.push(Written { id: intent.id(), before });
    }

    /// As the journal's `write`: revision 1 is inserted, any other replaces the revision before.
    fn write(&mut self, intent: &Intent) -> Result<bool> {
        let stored = self.records.get(&intent.id());
        match (intent.revision, stored) {
            (1, Some(_)) => return Err(Error::of(Code::Journal)),
            (1, None) => {}
            (revision, Some(stored)) if stored.revision + 1 == revision && is_update(stored, intent) => {}
            _ => return Ok(false),
        }
        self.put(intent);
        Ok(true)
    }

    fn undo(&mut self, to: usize) -> Option<Intent> {
        let mut last = None;
        while self.unsynced.len() > to {
            let written = self.unsynced.pop()?;
            last = match written.before {
                Some(before) => self.records.insert(written.id, before),
                None => self.records.remove(&written.id),
            };
        }
        last
    }

    fn candidates(&self, operation: &Operation, reference: Option<&str>) -> Candidates {
        let same = |intent: &&Intent| match (&intent.operation, operation) {
            (Operation::Purchase(a), Operation::Purchase(b)) => (a.contact, a.item) == (b.contact, b.item),
            (Operation::Redeem(a), Operation::Redeem(b)) => a.assignment == b.assignment,
            _ => false,
        };
        let mut unacknowledged: Vec<Intent> =
            self.records.values().filter(same).filter(|intent| !intent.is_acknowledged()).cloned().collect();
        unacknowledged.sort_by_key(|intent| (intent.recorded_at, intent.id()));
        let about = |intent: &&Intent| match (&intent.operation, operation) {
            (Operation::Purchase(a), Operation::Purchase(b)) => a.item == b.item,
            (Operation::Redeem(a), Operation::Redeem(b)) => a.assignment == b.assignment,
            _ => false,
        };
        let of_reference = |intent: &&Intent| reference.is_some() && intent.reference.as_deref() == reference;
        let mut by_reference: Vec<Intent> = self.records.values().filter(about).filter(of_reference).cloned().collect();
        by_reference.sort_by_key(|intent| (std::cmp::Reverse(intent.recorded_at), intent.id()));
        Candidates {
            by_id: match operation {
                Operation::Purchase(purchase) => self.records.get(&purchase.id).cloned(),
                Operation::Redeem(_) => None,
            },
            by_reference,
            unacknowledged,
            redeemed: matches!(operation, Operation::Redeem(_))
                && self
                    .records
                    .values()
                    .filter(about)
                    .any(|intent| intent.state == IntentState::Completed || intent.code == Code::AlreadyRedeemed),
        }
    }
}

/// The columns that an update compares. The reward of a redeem is not among them.
fn is_update(stored: &Intent, intent: &Intent) -> bool {
    match (&stored.operation, &intent.operation) {
        (Operation::Purchase(a), Operation::Purchase(b)) => a == b,
        (Operation::Redeem(a), Operation::Redeem(b)) => (a.contact, a.channel) == (b.contact, b.channel),
        _ => false,
    }
}

/// SQLite's lock between processes, which ends with its process.
struct FileLock(usize);

impl FileLock {
    const WAIT: u64 = 2 * SECOND;

    fn take(till: usize) -> Result<Self> {
        let until = scheduler::now() + Self::WAIT;
        loop {
            if disk(till, |disk| !std::mem::replace(&mut disk.locked, true)) {
                return Ok(Self(till));
            }
            if scheduler::now() > until {
                return Err(Error::of(Code::JournalLocked));
            }
            scheduler::sleep(MS);
        }
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // A dead process's lock may have a new owner after a power cut, which waits then: no more
        // than a delay.
        disk(self.0, |disk| disk.locked = false);
    }
}

/// The journal of one client.
pub(crate) struct Journal {
    till: usize,
    process: usize,
    tenant: String,
    writer: Mutex<()>,
    reader: Mutex<()>,
    commits: Histogram,
}

fn failed() -> Error {
    Error::of(Code::Journal)
}

impl Journal {
    pub fn open(config: &Config, _: &Log) -> Result<Option<Self>> {
        let JournalPlace::File(path) = &config.journal else { return Ok(None) };
        let till = path.to_string_lossy().rsplit('-').next().and_then(|number| number.parse().ok()).unwrap_or(0);
        let journal = Self {
            till,
            process: scheduler::process(),
            tenant: config.tenant.clone(),
            writer: Mutex::new(()),
            reader: Mutex::new(()),
            commits: Histogram::default(),
        };
        journal.alive()?;
        Ok(Some(journal))
    }

    pub fn close(&self) {}

    pub fn cancel_waits(&self) {}

    pub fn incomplete_before(&self) -> Option<Millis> {
        None
    }

    /// The simulation has no files to copy to.
    pub fn backup(&self, _: &Path) -> Result<Backup> {
        Err(Error::of(Code::BadConfig))
    }

    pub fn compact(&self) -> Result<(u64, u64)> {
        Err(Error::of(Code::BadConfig))
    }

    pub fn place(&self) -> Place {
        Place::Memory
    }

    pub fn examine(&self, _: Duration) -> Result<JournalFacts> {
        Err(Error::of(Code::BadConfig))
    }

    pub fn counts(&self) -> Result<Vec<(String, i32, u64)>> {
        Err(Error::of(Code::BadConfig))
    }

    pub fn commit_times(&self) -> &Histogram {
        &self.commits
    }

    pub fn sizes(&self) -> Option<(u64, u64)> {
        None
    }

    /// A caller's write, which the real journal makes on a thread of its own.
    pub fn save_within_wait(&self, intent: &Intent, durability: Durability) -> Result<bool> {
        self.save(intent, durability)
    }

    pub fn save_within(&self, intent: &Intent, durability: Durability, _limit: Duration) -> Result<bool> {
        self.save(intent, durability)
    }

    pub fn get_within(&self, id: OperationId, _limit: Option<Duration>) -> Result<Option<Intent>> {
        self.get(id)
    }

    fn alive(&self) -> Result<()> {
        if state::is_dead(self.process) { Err(failed()) } else { Ok(()) }
    }

    /// A moment at which the process may die.
    fn effect(&self) -> Result<()> {
        scheduler::step();
        state::effect();
        self.alive()
    }

    fn next_failure(&self) -> Option<WriteFailure> {
        let calm = state(|state| state.calm);
        disks(|disks| {
            let disk = &mut disks.tills[self.till];
            disk.writes += 1;
            let writes = disk.writes;
            disks.faults.iter().find_map(|fault| match fault {
                Fault::Write { till, number, failure } if *till == self.till && *number == writes && !calm => {
                    Some(*failure)
                }
                _ => None,
            })
        })
    }

    fn sync_time(&self) {
        let sync_us = disks(|disks| disks.sync_us);
        if sync_us > 0 {
            scheduler::sleep(scheduler::below(sync_us) + 1);
        }
    }

    /// Carries out one transaction.
    fn transact<T>(
        &self,
        name: &'static str,
        durability: Durability,
        change: impl FnOnce(&mut Disk) -> Result<T>,
    ) -> Result<(T, Option<Intent>, Option<WriteFailure>)> {
        let _writer = self.writer.lock();
        let _lock = FileLock::take(self.till)?;
        self.effect()?;
        let failure = self.next_failure();
        if let Some(failure) = failure {
            note(10, || format!("this write ({name}) has the failure {failure:?}"));
        }
        match failure {
            Some(WriteFailure::Fails) => return Err(failed()),
            Some(WriteFailure::Hangs { ms }) => scheduler::sleep(ms * MS),
            _ => {}
        }
        self.alive()?;
        // In WAL mode no other connection reads a commit before its sync is over.
        let (result, before) = disk(self.till, |disk| {
            let before = disk.unsynced.len();
            (change(disk), before)
        });
        let result = result?;
        let wrote = disk(self.till, |disk| disk.unsynced.len() > before);
        if !wrote || durability == Durability::Buffered {
            self.effect()?;
            return Ok((result, None, None));
        }
        // The change is hidden during the sync: taken back, and made again.
        let written: Vec<Intent> = disk(self.till, |disk| {
            let ids: Vec<OperationId> = disk.unsynced[before..].iter().map(|written| written.id).collect();
            let written = ids.iter().filter_map(|id| disk.records.get(id).cloned()).collect();
            disk.undo(before);
            written
        });
        self.sync_time();
        let alive = self.effect();
        if alive.is_err() {
            // It was on its way to the disk.
            if scheduler::below(2) == 0 {
                disk(self.till, |disk| {
                    written.iter().for_each(|intent| disk.put(intent));
                    disk.synced();
                });
            }
            return Err(failed());
        }
        if matches!(failure, Some(WriteFailure::SyncFails | WriteFailure::SyncAndWithdrawalFail)) {
            let ghost = written.into_iter().next();
            disk(self.till, |disk| disk.ghost.clone_from(&ghost));
            return Ok((result, ghost, failure));
        }
        disk(self.till, |disk| {
            written.iter().for_each(|intent| disk.put(intent));
            disk.synced();
        });
        self.effect()?;
        Ok((result, None, None))
    }

    fn read<T>(&self, reading: impl FnOnce(&Disk) -> T) -> Result<T> {
        let _reader = self.reader.lock();
        self.read_unlocked(reading)
    }

    fn read_unlocked<T>(&self, reading: impl FnOnce(&Disk) -> T) -> Result<T> {
        scheduler::step();
        self.alive()?;
        let calm = state(|state| state.calm);
        let fails = disks(|disks| {
            let disk = &mut disks.tills[self.till];
            disk.reads += 1;
            let reads = disk.reads;
            let fails =
                |fault: &Fault| matches!(fault, Fault::Read { till, number } if *till == self.till && *number == reads);
            !calm && disks.faults.iter().any(fails)
        });
        if fails {
            note(11, || "this read of the journal fails".into());
            return Err(failed());
        }
        disk(self.till, |disk| Ok(reading(disk)))
    }

    pub fn admit(
        &self,
        operation: &Operation,
        reference: Option<&str>,
        decide: impl Fn(Candidates) -> Result<Admission>,
    ) -> Result<Admission> {
        let change = |disk: &mut Disk| {
            let admission = decide(disk.candidates(operation, reference))?;
            if let Admission::New(intent) = &admission
                && !disk.write(intent)?
            {
                return Err(failed());
            }
            Ok(admission)
        };
        let (admission, ghost, failure) = self.transact("admit", Durability::Synced, change)?;
        let Some(ghost) = ghost else {
            if let Admission::New(intent) = &admission {
                note(12, || format!("the intent {} is durable", intent.id()));
            }
            return Ok(admission);
        };
        let withdrawn = Intent { state: IntentState::NotSent, code: Code::Journal, ..ghost };
        if failure == Some(WriteFailure::SyncAndWithdrawalFail) {
            return Ok(Admission::Uncertain(withdrawn, failed()));
        }
        disk(self.till, |disk| {
            disk.put(&withdrawn);
            disk.synced();
        });
        Err(failed())
    }

    pub fn peek(
        &self,
        operation: &Operation,
        reference: Option<&str>,
        decide: impl FnOnce(Candidates) -> Result<Admission>,
        limit: Duration,
    ) -> Option<Result<Admission>> {
        let until = Instant::now() + limit;
        let _reader = loop {
            match self.reader.try_lock() {
                Ok(guard) => break guard,
                Err(TryLockError::Poisoned(poisoned)) => break poisoned.into_inner(),
                Err(TryLockError::WouldBlock) if Instant::now() >= until => return None,
                Err(TryLockError::WouldBlock) => scheduler::sleep(MS),
            }
        };
        Some(self.read_unlocked(|disk| disk.candidates(operation, reference)).and_then(decide))
    }

    pub fn save(&self, intent: &Intent, durability: Durability) -> Result<bool> {
        let (written, ghost, _) = self.transact("save", durability, |disk| disk.write(intent))?;
        if ghost.is_some() {
            return Err(failed());
        }
        note(13, || {
            let (id, state, code) = (intent.id(), intent.state.name(), intent.code.row().name);
            let result = if written { "saved" } else { "not saved, another revision is there" };
            format!("{result}: {id} revision {} {state} {code} ({durability:?})", intent.revision)
        });
        Ok(written)
    }

    #[allow(clippy::unnecessary_wraps, clippy::unused_self)] // As the journal's.
    pub fn checkpoint_if_due(&self) -> Result<()> {
        Ok(())
    }

    pub fn get(&self, id: OperationId) -> Result<Option<Intent>> {
        self.read(|disk| disk.records.get(&id).cloned())
    }

    pub fn unacknowledged(&self) -> Result<Vec<Intent>> {
        self.read(|disk| disk.ordered(|intent| !intent.is_acknowledged()))
    }

    pub fn pending(&self, _limit: Option<Duration>) -> Result<Vec<(OperationId, Option<ContactId>)>> {
        self.read(|disk| {
            let is_of_tenant = |it: &Intent| it.tenant.as_deref() == Some(&self.tenant);
            let pending =
                disk.records.values().filter(|it| is_of_tenant(it) && !it.is_acknowledged() && !it.state.is_final());
            let contact = |intent: &Intent| match intent.operation {
                Operation::Purchase(purchase) => Some(purchase.contact),
                Operation::Redeem(_) => None,
            };
            let mut pending: Vec<_> = pending.map(|it| (it.next_query_at, it.id(), contact(it))).collect();
            pending.sort();
            pending.into_iter().map(|(_, id, contact)| (id, contact)).collect()
        })
    }

    pub fn list(&self, filter: &Filter) -> Result<Page> {
        let outcome = |state: IntentState| match state {
            IntentState::Completed => Outcome::Completed,
            IntentState::Declined => Outcome::Declined,
            IntentState::NotSent => Outcome::NotSent,
            IntentState::Recorded | IntentState::InDoubt => Outcome::Pending,
        };
        self.read(|disk| {
            // The row of a record that is there, or else the rows from that of a deleted one.
            let after = filter.after.map(|(row, id)| match disk.records.contains_key(&id) {
                true => disk.row(id),
                false => row.saturating_sub(1),
            });
            let fits = |intent: &Intent| {
                filter.since.is_none_or(|since| intent.recorded_at >= since)
                    && filter.until.is_none_or(|until| intent.recorded_at < until)
                    && filter.outcome.is_none_or(|wanted| outcome(intent.state) == wanted)
                    && filter.acknowledged.is_none_or(|wanted| intent.is_acknowledged() == wanted)
                    && (filter.reference.is_none() || intent.reference == filter.reference)
                    && after.is_none_or(|after| disk.row(intent.id()) > after)
            };
            let mut intents = disk.ordered(fits);
            intents.truncate(filter.limit);
            let end = intents.last().map(|intent| (disk.row(intent.id()), intent.id()));
            let next = end.filter(|_| intents.len() == filter.limit);
            Page { intents, next }
        })
    }

    pub fn change_reference(
        &self,
        reference: &str,
        change: impl Fn(&Intent) -> Result<Option<Intent>>,
    ) -> Result<Vec<Intent>> {
        let (intents, ghost, _) = self.transact("change reference", Durability::Synced, |disk| {
            let mut intents = disk.ordered(|intent| intent.reference.as_deref() == Some(reference));
            let before = disk.unsynced.len();
            for intent in &mut intents {
                let changed = change(intent).inspect_err(|_| {
                    disk.undo(before);
                })?;
                if let Some(changed) = changed {
                    disk.write(&changed)?;
                    *intent = changed;
                }
            }
            Ok(intents)
        })?;
        if ghost.is_some() { Err(failed()) } else { Ok(intents) }
    }

    pub fn fact(&self, name: &str) -> Result<Option<String>> {
        self.read(|disk| disk.facts.get(name).cloned())
    }

    pub fn set_fact(&self, name: &str, value: &str) -> Result<()> {
        self.transact("set fact", Durability::Buffered, |disk| {
            disk.facts.insert(name.to_owned(), value.to_owned());
            Ok(())
        })?;
        Ok(())
    }

    pub fn others_without_reward(&self, purchase: &Intent, _limit: Duration) -> Result<usize> {
        let Operation::Purchase(ours) = purchase.operation else { return Ok(0) };
        let since = purchase.recorded_at.saturating_sub(86_400_000);
        self.read(|disk| {
            let is_other = |intent: &&Intent| match intent.operation {
                Operation::Purchase(other) => {
                    (other.contact, other.item) == (ours.contact, ours.item)
                        && other.id != ours.id
                        && intent.acknowledged_at.is_none_or(|at| at >= since)
                        && intent.reward.is_none()
                        && !matches!(intent.state, IntentState::Declined | IntentState::NotSent)
                }
                Operation::Redeem(_) => false,
            };
            disk.records.values().filter(is_other).count()
        })
    }

    pub fn attribute(&self, purchase: &Intent, limit: Duration) -> Result<bool> {
        match purchase.reward {
            Some(reward) if self.owner(reward, purchase, limit)? != Owner::Nobody => Ok(false),
            _ => self.save(purchase, Durability::Buffered),
        }
    }

    pub fn owner(&self, reward: AssignmentId, purchase: &Intent, _limit: Duration) -> Result<Owner> {
        self.read(|disk| {
            let others = || disk.records.values().filter(|intent| intent.id() != purchase.id());
            let gave =
                |intent: &Intent| matches!(intent.operation, Operation::Purchase(_)) && intent.reward == Some(reward);
            let used = |intent: &Intent| {
                matches!(intent.operation, Operation::Redeem(redeem) if redeem.assignment == reward)
                    && intent.state == IntentState::Completed
                    && disk.records.contains_key(&purchase.id())
                    && disk.row(intent.id()) < disk.row(purchase.id())
            };
            match () {
                () if others().any(gave) => Owner::Purchase,
                () if others().any(used) => Owner::Redeem,
                () => Owner::Nobody,
            }
        })
    }

    pub fn redeems(&self, reward: AssignmentId) -> Result<Vec<Intent>> {
        self.read(|disk| {
            disk.ordered(|it| matches!(it.operation, Operation::Redeem(redeem) if redeem.assignment == reward))
        })
    }

    pub fn prune(&self, before: Millis, sane: Millis, now: Millis) -> Result<usize> {
        let (count, _, _) = self.transact("prune", Durability::Buffered, |disk| {
            let wrong = |intent: &&Intent| intent.acknowledged_at.is_some_and(|at| at < sane);
            let wrong: Vec<Intent> = disk.records.values().filter(wrong).cloned().collect();
            for intent in wrong {
                disk.put(&Intent { acknowledged_at: Some(now), ..intent });
            }
            let old = |intent: &&Intent| intent.acknowledged_at.is_some_and(|at| at < before);
            let ids: Vec<OperationId> = disk.records.values().filter(old).map(Intent::id).collect();
            for id in &ids {
                let record = disk.records.remove(id);
                disk.unsynced.push(Written { id: *id, before: record });
            }
            Ok(ids.len())
        })?;
        Ok(count)
    }
}
