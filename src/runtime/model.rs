//! The purchase's state machine, model-checked: the real functions of `decide`, and around them an environment as small as can be.
//!
//! What is real: `intend`, `next`, `may_send_again`, `claim`, `after_send`, `after_look`, `durability`, `acknowledge`, `told`
//! and `bounded`. What is copied is the *order* in which `engine` carries them out, one action for each of its steps: the intent is
//! durable → the request is out → the answer is in → the outcome is written → the callers are told; of a completed purchase they are told
//! before it is written. A crash fits between any two.
//!
//! The environment: one member, one item, two processes (two tills with a journal each, or two processes on one journal), an Engage
//! that knows a purchase by its id, and a network that loses, delays, cuts off, garbles and repeats. Times are relative to the
//! present and forget what is long past, revisions likewise, so that the space is finite without a bound on time. Faults are
//! bounded in number; silence (a request that never arrives) is not.
//!
//! What is assumed, because no client could do without it:
//! - a request is dead once the quiet time from its start is over (the quiet time is 3 ticks, the request's time-out 2);
//! - a till's own step (a write, a wake-up) takes less than the margin of the quiet time over the time-out (1 tick);
//! - Engage treats a purchase id as documented, and the copies a proxy makes of a request are refused if one of them was;
//! - a power cut undoes all writes made with `Later` since the last with `Now`, and no other;
//! - a history may lag behind (a fault), but a purchase it has shown stays in it;
//! - the till's clock does not jump (`bounded` is called, but never has anything to do).

use crate::core::admission::{self, Admission, Candidates, Clocks, Command};
use crate::core::code::{Code, Outcome};
use crate::core::domain::Millis;
use crate::core::domain::{ContactId, ItemId, OperationId};
use crate::core::domain::{Operation, Purchase};
use crate::core::error::Detail;
use crate::core::evidence::{Evidence, Reason};
use crate::core::intent::{Durability, Intent, IntentState};
use crate::core::machine::{self as decide, NextAction};
use crate::core::retry::{RetryRules, Timing};
use stateright::{Checker, HasDiscoveries, Model, Property};
use std::collections::{BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use uuid::Uuid;

/// The present. All times of a state are relative to it.
const NOW: u8 = 100;
/// How long a request may be under way, and how long its till waits for it.
const QUIET: u8 = 3;
const TIMEOUT: u8 = 2;
/// Presses of a configuration, at most; an intent has the number of the press that started it.
const PRESSES: usize = 3;
/// Each intent, and under `Mutation::NewId` each second id.
const IDS: usize = 2 * PRESSES;
/// Steps after which a fault-free continuation must have ended.
const CLOSE_WAIT: usize = 150;

/// A way to get the engine or a decision wrong. The model must notice each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mutation {
    None,
    /// A look that failed counts as one that found nothing.
    ResendWithoutLook,
    /// A resend does not wait until the request before is dead.
    IgnoreQuiet,
    RefusedLater,
    NotSentLater,
    /// A refusal is told before it is written.
    RefusedAhead,
    /// A caller that goes is told "not sent" whether or not the request has left.
    NotSentWithoutGate,
    /// What a look does not find is called refused.
    AbsentIsRefused,
    /// A 5xx answer is called refused.
    ServerErrorIsRefused,
    /// A resend gets an id of its own.
    NewId,
    /// The intent is written without waiting for the disk.
    SendBeforeDurable,
    NoReplayLimit,
    /// Settling gives up after the first round.
    GiveUp,
    /// A caller takes news of the intent that are older than its own start of it.
    StaleNews,
}

/// The promises, by the name the checker shows.
const ONE_DEDUCTION: &str = "at most one deduction per intent";
const ONE_PER_BASKET: &str = "at most one deduction per basket";
const REFUSED: &str = "told refused: nothing is ever deducted";
const NOT_SENT: &str = "told not sent: nothing of that start has left or ever leaves";
const DONE: &str = "told done: Engage has completed it";
const STAYS: &str = "what is settled stays settled";
const ALONE: &str = "no request while the one before may be under way";
const LOOKED: &str = "no second request without a look that found nothing";
const DURABLE: &str = "no request without a durable record";
const REPLAY: &str = "no request after the replay limit";
const OPEN: &str = "one open intent per basket";
const PERSON: &str = "who needs a person needs one until Engage answers about the purchase";
const ENDS: &str = "once the faults stop, every intent gets to a known end";
const PROMISES: [&str; 13] =
    [ONE_DEDUCTION, ONE_PER_BASKET, REFUSED, NOT_SENT, DONE, STAYS, ALONE, LOOKED, DURABLE, REPLAY, OPEN, PERSON, ENDS];

/// What must happen somewhere, or else the model proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Situation {
    DoneByLook,
    RefusedByLook,
    ResendCompletes,
    ResendFindsIt,
    NotSentProven,
    SecondPressJoins,
    NeedsReview,
    PowerCutLosesWrite,
    StartedAgain,
    LostTheRace,
    RefusedForPoints,
    LateDelivery,
    ToldAhead,
}

const SITUATIONS: [(Situation, &str); 13] = [
    (Situation::DoneByLook, "done by a look after the answer was lost"),
    (Situation::RefusedByLook, "refused by a look"),
    (Situation::ResendCompletes, "a second request completes it"),
    (Situation::ResendFindsIt, "a second request finds the purchase of the first"),
    (Situation::NotSentProven, "told not sent"),
    (Situation::SecondPressJoins, "a second press joins"),
    (Situation::NeedsReview, "a person is needed"),
    (Situation::PowerCutLosesWrite, "a power cut loses a write"),
    (Situation::StartedAgain, "an intent that was not sent is started again"),
    (Situation::LostTheRace, "a write loses against another's"),
    (Situation::RefusedForPoints, "refused because the other till spent the points"),
    (Situation::LateDelivery, "delivered after its till crashed"),
    (Situation::ToldAhead, "told done before it is written"),
];

/// A record without its texts: what the decisions depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Rec {
    intent: u8,
    state: IntentState,
    code: Code,
    recorded: u8,
    in_flight_window: u8,
    next: u8,
    acknowledged: bool,
    revision: u8,
}

impl Rec {
    fn full(self) -> Intent {
        Intent {
            operation: operation(self.intent),
            reference: None,
            state: self.state,
            code: self.code,
            detail: Detail::default(),
            recorded_at: self.recorded.into(),
            in_flight_until: self.in_flight_window.into(),
            next_query_at: self.next.into(),
            query_count: 0,
            resolved_at: self.state.is_final().then_some(0),
            acknowledged_at: self.acknowledged.then_some(0),
            processing_window: None,
            earlier_in_doubt: false,
            rewards_before: None,
            reward: None,
            response: None,
            cause: Vec::new(),
            revision: self.revision.into(),
        }
    }

    fn of(intent: &Intent) -> Self {
        let tick = |time: Millis| u8::try_from(time).expect("a few ticks from the present");
        Self {
            intent: u8::try_from(intent.id().uuid().as_u128() - 1).expect("one of ours"),
            state: intent.state,
            code: intent.code,
            recorded: tick(intent.recorded_at),
            in_flight_window: tick(intent.in_flight_until),
            next: tick(intent.next_query_at),
            acknowledged: intent.acknowledged_at.is_some(),
            revision: tick(intent.revision),
        }
    }

    fn pending(self) -> bool {
        !self.state.is_final() && !self.acknowledged
    }
}

fn operation(intent: u8) -> Operation {
    Operation::Purchase(Purchase {
        id: OperationId::from_uuid(Uuid::from_u128(u128::from(intent) + 1)),
        contact: ContactId::from_uuid(Uuid::from_u128(101)),
        item: ItemId::from_uuid(Uuid::from_u128(102)),
    })
}

const TIMES: Clocks = Clocks { now: NOW as Millis, in_flight_window: QUIET as Millis, engage: None };

/// A verdict without its texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Word {
    Done,
    Declined(Code),
    Unknown(Code),
    NotSent(Code),
    Absent,
}

impl Word {
    fn evidence(self) -> Evidence {
        match self {
            Word::Done => Evidence::Completed { response: String::new() },
            Word::Declined(code) => Evidence::Declined(Reason::of(code)),
            Word::Unknown(code) => Evidence::InDoubt(Reason::of(code)),
            Word::NotSent(code) => Evidence::NotSent(Reason::of(code)),
            Word::Absent => Evidence::Absent,
        }
    }
}

/// A function of `decide` that adds a verdict to a record.
type After = fn(&Intent, Evidence, Millis, Timing<'_>) -> Intent;

/// What a worker of a process is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Stage {
    /// The record is durable and the gate is not passed.
    Ready,
    /// The gate is passed, or shut for good; the answer, once it is in.
    Sent(Option<Word>),
    Looking,
    Looked(Word),
    /// Written; nobody is told yet.
    Publish,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Job {
    rec: Rec,
    /// When the request or the look began.
    taken: u8,
    stage: Stage,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Process {
    up: bool,
    jobs: Vec<Job>,
}

/// A record as the journal shows it and as it is on the disk for sure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Kept {
    snapshots: Rec,
    sure: Option<Rec>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Caller {
    Idle,
    Waiting {
        intent: u8,
        /// The revision it was told of when it came.
        since: u8,
        /// It started the intent and nobody else follows: it may withdraw the request.
        alone: bool,
        /// It has withdrawn it and waits a moment more.
        going: bool,
    },
    Told {
        intent: u8,
        outcome: Outcome,
    },
    /// Its process ended.
    Gone,
}

/// A request in the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Post {
    id: u8,
    /// When it is dead.
    until: u8,
    /// The process that waits for the answer; none for a copy or after a crash.
    from: Option<u8>,
    copy: bool,
    again: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Status {
    Processing,
    Completed,
    Failed,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct World {
    journals: [Vec<Kept>; 2],
    processes: [Process; 2],
    callers: [Caller; PRESSES],
    posts: Vec<Post>,
    points: u8,
    purchases: [Option<Status>; IDS],
    deductions: [u8; IDS],
    /// Whether a request of the intent's present start has left, and whether a caller was told "not sent" of that start.
    left: [bool; PRESSES],
    denied: [bool; PRESSES],
    faults: u8,
    /// The promises a step has broken.
    broken: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Handling {
    /// As documented: the existing one, or a new one at once.
    Complete,
    /// A new one that takes its time.
    Process,
    /// A definite no before there is a purchase.
    Refuse,
    /// 429: not processed.
    Busy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Passage {
    Answered,
    /// A gateway answers in Engage's place.
    Garbled,
    Lost,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Serve {
    Truth,
    Fails,
    /// The history lags behind.
    Stale,
}

/// One step of the engine, of Engage, of the network, or a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Press(usize),
    Leave(usize),
    Send { process: usize, job: usize },
    NoRoute { process: usize, job: usize },
    CutOff { process: usize, job: usize },
    Deliver(usize, Handling, Passage),
    Repeat(usize),
    Look { process: usize, intent: u8 },
    Response { process: usize, job: usize, serve: Serve },
    Write { process: usize, job: usize, random: u64, disk: bool },
    Tell { process: usize, job: usize },
    Publish { process: usize, job: usize },
    Resolve { id: usize, completes: bool },
    Acknowledge { journal: usize, intent: u8 },
    Crash(usize),
    PowerCut(usize),
    Restart(usize),
    Tick,
}

/// What the POS names a purchase by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Naming {
    Nothing,
    /// The basket's reference.
    Reference,
    /// A purchase id of its own, the same on every press of a till.
    Id,
}

/// A configuration of the environment.
struct Till {
    name: &'static str,
    mutation: Mutation,
    /// The process of each press.
    presses: &'static [usize],
    /// The journal of each process.
    journals: [usize; 2],
    naming: Naming,
    points: u8,
    faults: u8,
    acknowledges: bool,
    /// The last caller stays until it is told, and no proxy repeats a request: a smaller space.
    patient: bool,
    /// Nothing ever goes wrong for the second process, nor does it take time: it is there to spend the points.
    rival: bool,
    rolls: &'static [u64],
    rules: RetryRules,
    happened: AtomicU32,
    /// States from which the fault-free continuation is known to end.
    ending: Mutex<HashSet<u64>>,
}

/// A condition on the promise of this number.
fn kept<const N: usize>(_: &Till, world: &World) -> bool {
    world.broken & (1 << N) == 0
}

/// A condition on the situation of this number.
fn reached<const N: usize>(till: &Till, _: &World) -> bool {
    till.happened.load(Ordering::Relaxed) & (1 << N) != 0
}

impl World {
    fn breaks(&mut self, promise: &str) {
        let at = PROMISES.iter().position(|name| *name == promise).expect("one of the promises");
        self.broken |= 1 << at;
    }

    fn find(&self, journal: usize, intent: u8) -> Option<Rec> {
        self.journals[journal].iter().map(|kept| kept.snapshots).find(|rec| rec.intent == intent)
    }

    /// What `Journal::save` does: revision 1 is inserted, a later one replaces the one before; a sure write makes all before it sure.
    fn save(&mut self, journal: usize, rec: Rec, durability: Durability) -> bool {
        let kept = &mut self.journals[journal];
        match kept.iter_mut().find(|kept| kept.snapshots.intent == rec.intent) {
            None if rec.revision == 1 => {
                kept.push(Kept { snapshots: rec, sure: None });
            }
            Some(kept) if kept.snapshots.revision + 1 == rec.revision => kept.snapshots = rec,
            _ => return false,
        }
        if durability == Durability::Synced {
            for kept in kept {
                kept.sure = Some(kept.snapshots);
            }
        }
        true
    }

    /// The callers that wait for an intent in a process, by number.
    fn waiting(&self, presses: &[usize], process: usize, intent: u8) -> Vec<usize> {
        let follows = |press: &usize| {
            presses[*press] == process
                && matches!(self.callers[*press], Caller::Waiting { intent: theirs, .. } if theirs == intent)
        };
        (0..presses.len()).filter(follows).collect()
    }

    /// Whether somebody follows an intent that was there before.
    fn processing_window(&self, presses: &[usize], process: usize, intent: u8) -> bool {
        let existing = |press: usize| matches!(self.callers[press], Caller::Waiting { alone: false, .. });
        self.waiting(presses, process, intent).into_iter().any(existing)
    }

    /// Ends a process: its workers and callers are no more, its requests go on.
    fn end(&mut self, presses: &[usize], process: usize) {
        self.processes[process].up = false;
        self.processes[process].jobs.clear();
        for (press, at) in presses.iter().enumerate() {
            if *at == process && matches!(self.callers[press], Caller::Waiting { .. }) {
                self.callers[press] = Caller::Gone;
            }
        }
        self.forget_sender(process, None);
    }

    /// Nobody waits for the answer to these requests any more.
    fn forget_sender(&mut self, process: usize, intent: Option<u8>) {
        for post in &mut self.posts {
            if post.from.is_some_and(|from| usize::from(from) == process)
                && intent.is_none_or(|intent| usize::from(intent) == usize::from(post.id) % PRESSES)
            {
                post.from = None;
            }
        }
    }

    fn live(&self, id: usize) -> bool {
        matches!(self.purchases[id], Some(Status::Processing | Status::Completed))
    }
}

impl Till {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            mutation: Mutation::None,
            presses: &[0, 0],
            journals: [0, 1],
            naming: Naming::Reference,
            points: 1,
            faults: 1,
            acknowledges: false,
            patient: false,
            rival: false,
            rolls: &[1],
            rules: limit(3),
            happened: AtomicU32::new(0),
            ending: Mutex::default(),
        }
    }

    fn saw(&self, situation: Situation) {
        self.happened.fetch_or(1 << situation as u32, Ordering::Relaxed);
    }

    fn timing(&self, attended: bool, random: u64) -> Timing<'_> {
        Timing { rules: &self.rules, attended, random }
    }

    fn durability(&self, intent: &Intent) -> Durability {
        match (self.mutation, intent.state) {
            (Mutation::RefusedLater, IntentState::Declined) | (Mutation::NotSentLater, IntentState::NotSent) => {
                Durability::Buffered
            }
            _ => decide::durability(intent),
        }
    }

    fn may_resend(&self, rec: Rec, queried_at: u8) -> bool {
        let (mut intent, mut rules) = (rec.full(), self.rules.clone());
        match self.mutation {
            Mutation::IgnoreQuiet => intent.in_flight_until = 0,
            Mutation::NoReplayLimit => rules.resend_limit_ms = Millis::MAX,
            _ => {}
        }
        decide::may_resend(&intent, queried_at.into(), &rules)
    }

    /// Whether a process may look at an intent now: it is due, or somebody asked, and no worker is on it.
    fn may_look(&self, world: &World, process: usize, rec: Rec, processing_window: bool) -> bool {
        let given_up = self.mutation == Mutation::GiveUp && rec.state == IntentState::InDoubt;
        rec.pending()
            && !given_up
            && world.processes[process].jobs.iter().all(|job| job.rec.intent != rec.intent)
            && match decide::next(&rec.full(), NOW.into()) {
                NextAction::Nothing => false,
                NextAction::QueryStatus => true,
                NextAction::Wait(_) => processing_window && world.processing_window(self.presses, process, rec.intent),
            }
    }

    /// `Journal::intend` and what `start_intent` does up to the request.
    fn press(&self, world: &mut World, press: usize) {
        let process = self.presses[press];
        let journal = self.journals[process];
        let first = self.presses.iter().position(|at| *at == process).unwrap_or(press);
        let id = u8::try_from(if self.naming == Naming::Id { first } else { press }).expect("a few presses");
        let reference = || (self.naming == Naming::Reference).then(|| "basket".to_owned());
        let command = Command {
            operation: operation(id),
            named: self.naming == Naming::Id,
            reference: reference(),
            rewards_before: None,
        };
        let full = |rec: Rec| Intent { reference: reference(), ..rec.full() };
        let snapshots = || world.journals[journal].iter().map(|kept| kept.snapshots);
        let candidates = Candidates {
            by_id: snapshots().find(|rec| rec.intent == id).map(full),
            by_reference: snapshots().find(|_| self.naming == Naming::Reference).map(full),
            unacknowledged: snapshots().filter(|rec| !rec.acknowledged).map(full).collect(),
        };
        match admission::admit(&command, candidates, TIMES) {
            Err(_) => world.callers[press] = Caller::Gone,
            Ok(Admission::Uncertain(..)) => unreachable!("only a disk that fails makes it"),
            Ok(Admission::Existing(intent)) => {
                let rec = Rec::of(&intent);
                self.saw(Situation::SecondPressJoins);
                for other in world.waiting(self.presses, process, rec.intent) {
                    if let Caller::Waiting { alone, .. } = &mut world.callers[other] {
                        *alone = false;
                    }
                }
                world.callers[press] =
                    Caller::Waiting { intent: rec.intent, since: rec.revision, alone: false, going: false };
                if intent.state.is_final() || intent.needs_review() {
                    self.notify(world, process, rec);
                }
            }
            Ok(Admission::New(intent)) => {
                let rec = Rec::of(&intent);
                let sure = if self.mutation == Mutation::SendBeforeDurable {
                    Durability::Buffered
                } else {
                    Durability::Synced
                };
                if rec.revision > 1 {
                    self.saw(Situation::StartedAgain);
                }
                assert!(world.save(journal, rec, sure), "the write is in the transaction of the read");
                let at = usize::from(rec.intent);
                (world.left[at], world.denied[at]) = (false, false);
                world.processes[process].jobs.push(Job { rec, taken: NOW, stage: Stage::Ready });
                world.callers[press] =
                    Caller::Waiting { intent: rec.intent, since: rec.revision, alone: true, going: false };
            }
        }
    }

    /// `Ticket::wait` after the caller's deadline.
    fn leave(&self, world: &mut World, press: usize) {
        let Caller::Waiting { intent, since, alone, going } = world.callers[press] else { return };
        let process = self.presses[press];
        if alone && !going {
            let first = world.processes[process].jobs.iter_mut().find(|job| {
                job.rec.intent == intent
                    && match self.mutation {
                        Mutation::NotSentWithoutGate => matches!(job.stage, Stage::Ready | Stage::Sent(None)),
                        _ => job.stage == Stage::Ready,
                    }
                    && job.rec.state == IntentState::Recorded
            });
            if let Some(job) = first {
                job.stage = Stage::Sent(Some(Word::NotSent(Code::TimedOut)));
                world.callers[press] = Caller::Waiting { intent, since, alone, going: true };
                return;
            }
        }
        let newest = Intent::new(operation(intent), None, NOW.into(), NOW.into());
        let outcome = decide::outcome_of(newest, Code::PendingWaitEnded)
            .map_or_else(|error| error.code().row().outcome, |_| Outcome::Completed);
        world.callers[press] = Caller::Told { intent, outcome };
    }

    /// `Engine::publish`: everybody who follows hears what is known.
    fn notify(&self, world: &mut World, process: usize, rec: Rec) {
        let intent = rec.full();
        if !intent.state.is_final() && !intent.needs_review() {
            return;
        }
        let outcome = decide::outcome_of(intent, Code::Pending)
            .map_or_else(|error| error.code().row().outcome, |_| Outcome::Completed);
        for press in world.waiting(self.presses, process, rec.intent) {
            let Caller::Waiting { intent, since, .. } = world.callers[press] else { continue };
            if rec.revision < since && self.mutation != Mutation::StaleNews {
                continue;
            }
            world.callers[press] = Caller::Told { intent, outcome };
            if outcome == Outcome::NotSent {
                self.saw(Situation::NotSentProven);
                // Of the present start, or of one before it that this caller has nothing to do with?
                let journal = world.find(self.journals[process], intent).expect("records stay");
                if journal.state == IntentState::NotSent || since > rec.revision {
                    if world.left[usize::from(intent)] {
                        world.breaks(NOT_SENT);
                    }
                    world.denied[usize::from(intent)] = true;
                }
            }
        }
    }

    /// `Engine::send`, past the gate.
    fn send(&self, world: &mut World, process: usize, at: usize) {
        let job = &mut world.processes[process].jobs[at];
        job.stage = Stage::Sent(None);
        let (rec, taken) = (job.rec, job.taken);
        let intent = usize::from(rec.intent);
        let again = rec.state != IntentState::Recorded;
        let kept = world.journals[self.journals[process]].iter().find(|kept| kept.snapshots.intent == rec.intent);
        if kept.and_then(|kept| kept.sure).is_none_or(|sure| sure.revision < rec.revision) {
            world.breaks(DURABLE);
        }
        if world.posts.iter().any(|post| !post.copy && usize::from(post.id) % PRESSES == intent) {
            world.breaks(ALONE);
        }
        if world.denied[intent] {
            world.breaks(NOT_SENT);
        }
        // The age is judged when the look begins; the look and the way to the gate take a time-out each.
        if again && u64::from(NOW - rec.recorded) > self.rules.resend_limit_ms + 2 * u64::from(TIMEOUT) {
            world.breaks(REPLAY);
        }
        world.left[intent] = true;
        let id = if again && self.mutation == Mutation::NewId { intent + PRESSES } else { intent };
        world.posts.push(Post {
            id: u8::try_from(id).expect("a few ids"),
            until: taken + QUIET,
            from: u8::try_from(process).ok(),
            copy: false,
            again,
        });
    }

    /// Engage gets a request.
    fn deliver(&self, world: &mut World, at: usize, handling: Handling, passage: Passage) {
        let post = world.posts.remove(at);
        let id = usize::from(post.id);
        if post.from.is_none() && !post.copy && world.processes.iter().any(|process| !process.up) {
            self.saw(Situation::LateDelivery);
        }
        if post.again && world.purchases[id].is_some() {
            self.saw(Situation::ResendFindsIt);
        }
        let word = match (world.purchases[id], handling) {
            (Some(Status::Completed), _) => Word::Done,
            (Some(Status::Processing), _) => Word::Unknown(Code::PendingProcessing),
            (Some(Status::Failed), _) => Word::Declined(Code::PurchaseFailed),
            (None, Handling::Busy) => Word::Unknown(Code::PendingRateLimited),
            (None, Handling::Refuse) => Word::Declined(Code::PromotionExpired),
            (None, _) if world.points == 0 => {
                if world.purchases.iter().enumerate().any(|(other, status)| other != id && status.is_some()) {
                    self.saw(Situation::RefusedForPoints);
                }
                Word::Declined(Code::PurchaseNotAllowed)
            }
            (None, Handling::Complete | Handling::Process) => {
                world.points -= 1;
                world.deductions[id] += 1;
                if handling == Handling::Process {
                    world.purchases[id] = Some(Status::Processing);
                    Word::Unknown(Code::PendingProcessing)
                } else {
                    if post.again {
                        self.saw(Situation::ResendCompletes);
                    }
                    world.purchases[id] = Some(Status::Completed);
                    Word::Done
                }
            }
        };
        if world.purchases[id].is_none() && matches!(word, Word::Declined(_)) {
            world.posts.retain(|other| other.id != post.id);
        }
        let Some(from) = post.from else { return };
        let word = match passage {
            Passage::Answered => word,
            Passage::Garbled if self.mutation == Mutation::ServerErrorIsRefused => Word::Declined(Code::Declined),
            Passage::Garbled => Word::Unknown(Code::PendingServerError),
            Passage::Lost => return,
        };
        let jobs = &mut world.processes[usize::from(from)].jobs;
        let waiting =
            jobs.iter_mut().find(|job| usize::from(job.rec.intent) == id % PRESSES && job.stage == Stage::Sent(None));
        if let Some(job) = waiting {
            job.stage = Stage::Sent(Some(word));
        }
    }

    /// Engage answers a look.
    fn response(&self, world: &mut World, process: usize, at: usize, serve: Serve) {
        let intent = usize::from(world.processes[process].jobs[at].rec.intent);
        let word = match (serve, world.purchases[intent]) {
            (Serve::Fails, _) if self.mutation == Mutation::ResendWithoutLook => {
                Word::Unknown(Code::PendingInvalidResponse)
            }
            (Serve::Fails, _) => Word::Unknown(Code::PendingConnectionLost),
            (Serve::Stale, _) | (Serve::Truth, None) => Word::Absent,
            (Serve::Truth, Some(Status::Completed)) => Word::Done,
            (Serve::Truth, Some(Status::Processing)) => Word::Unknown(Code::PendingProcessing),
            (Serve::Truth, Some(Status::Failed)) => Word::Declined(Code::PurchaseFailed),
        };
        world.processes[process].jobs[at].stage = Stage::Looked(word);
    }

    /// What follows an answer: `learn`, or the claim of one more request.
    /// What the callers are told of an answer before it is written, if somebody waits for it.
    fn ahead(&self, world: &World, process: usize, at: usize) -> Option<Rec> {
        let job = world.processes[process].jobs[at];
        let (word, after): (_, After) = match job.stage {
            Stage::Sent(Some(word)) => (word, decide::after_attempt),
            Stage::Looked(word) => (word, decide::after_query),
            _ => return None,
        };
        let learned = after(&job.rec.full(), word.evidence(), NOW.into(), self.timing(true, 1));
        let early = match learned.state {
            IntentState::Completed => decide::durability(&learned) == Durability::Buffered,
            IntentState::Declined => self.mutation == Mutation::RefusedAhead,
            _ => false,
        };
        let waited_for = || !world.waiting(self.presses, process, job.rec.intent).is_empty();
        (early && waited_for()).then(|| Rec::of(&learned))
    }

    fn write(&self, world: &mut World, process: usize, at: usize, random: u64, disk: bool) {
        let journal = self.journals[process];
        let job = world.processes[process].jobs[at];
        let intent = job.rec.intent;
        let attended = !world.waiting(self.presses, process, intent).is_empty();
        let (word, after): (_, After) = match job.stage {
            Stage::Sent(Some(word)) => (word, decide::after_attempt),
            Stage::Looked(word) => (word, decide::after_query),
            _ => return,
        };
        let status_queried = matches!(job.stage, Stage::Looked(_));
        let nothing = word == Word::Absent
            || self.mutation == Mutation::ResendWithoutLook && word == Word::Unknown(Code::PendingInvalidResponse);
        if status_queried
            && nothing
            && self.mutation != Mutation::AbsentIsRefused
            && self.may_resend(job.rec, job.taken)
        {
            if !disk {
                // The engine complains and takes it up again later.
                world.processes[process].jobs.remove(at);
                return;
            }
            let claimed = Rec::of(&decide::next_attempt(&job.rec.full(), true, TIMES));
            let job = if world.save(journal, claimed, Durability::Synced) {
                if word != Word::Absent {
                    world.breaks(LOOKED);
                }
                Job { rec: claimed, taken: NOW, stage: Stage::Ready }
            } else {
                self.saw(Situation::LostTheRace);
                let theirs = world.find(journal, intent).expect("records stay");
                Job { rec: theirs, taken: NOW, stage: Stage::Publish }
            };
            world.processes[process].jobs[at] = job;
            return;
        }
        let mut rec = job.rec;
        let known = loop {
            let evidence = match word {
                Word::Absent if self.mutation == Mutation::AbsentIsRefused => {
                    Word::Declined(Code::ItemNotFound).evidence()
                }
                word => word.evidence(),
            };
            let learned = after(&rec.full(), evidence, NOW.into(), self.timing(attended, random));
            if !disk {
                break match learned.state {
                    IntentState::Completed => learned,
                    _ => decide::not_persisted(learned),
                };
            }
            if world.save(journal, Rec::of(&learned), self.durability(&learned)) {
                if status_queried && job.rec.state != learned.state {
                    match learned.state {
                        IntentState::Completed => self.saw(Situation::DoneByLook),
                        IntentState::Declined => self.saw(Situation::RefusedByLook),
                        _ => {}
                    }
                }
                break learned;
            }
            self.saw(Situation::LostTheRace);
            rec = world.find(journal, intent).expect("records stay");
            if rec.state.is_final() {
                break rec.full();
            }
        };
        if known.needs_review() {
            self.saw(Situation::NeedsReview);
        }
        world.processes[process].jobs[at] = Job { rec: Rec::of(&known), taken: NOW, stage: Stage::Publish };
    }

    fn query_status(&self, world: &mut World, process: usize, intent: u8) {
        let rec = world.find(self.journals[process], intent).expect("enabled for a record");
        let rec = Rec::of(&decide::bounded(rec.full(), NOW.into(), QUIET.into(), &self.rules));
        world.processes[process].jobs.push(Job { rec, taken: NOW, stage: Stage::Looking });
    }

    fn power_cut(&self, world: &mut World, journal: usize) {
        if world.journals[journal].iter().any(|kept| kept.sure != Some(kept.snapshots)) {
            self.saw(Situation::PowerCutLosesWrite);
        }
        world.journals[journal].retain_mut(|kept| match kept.sure {
            Some(sure) => {
                kept.snapshots = sure;
                true
            }
            None => false,
        });
        for process in 0..world.processes.len() {
            if self.journals[process] == journal {
                world.end(self.presses, process);
            }
        }
    }

    /// Nothing of this till's own is overdue, so time may pass.
    fn may_tick(&self, world: &World) -> bool {
        let on_time = |job: &Job| job.stage == Stage::Publish || job.taken + TIMEOUT > NOW;
        let rival = u8::try_from(self.presses.len() - 1).expect("a few presses");
        let swift =
            !self.rival || world.processes[1].jobs.is_empty() && world.posts.iter().all(|post| post.id != rival);
        swift && world.processes.iter().flat_map(|process| &process.jobs).all(on_time)
    }

    /// A tick passes: everything is one tick further back, and what has run out ends.
    fn tick(world: &mut World) {
        let back = |rec: &mut Rec| {
            rec.recorded -= 1;
            rec.in_flight_window -= 1;
            rec.next -= 1;
        };
        for kept in world.journals.iter_mut().flatten() {
            back(&mut kept.snapshots);
            kept.sure.as_mut().map(back);
        }
        for post in &mut world.posts {
            post.until -= 1;
        }
        world.posts.retain(|post| post.until > NOW);
        for process in 0..world.processes.len() {
            for at in 0..world.processes[process].jobs.len() {
                let job = &mut world.processes[process].jobs[at];
                back(&mut job.rec);
                job.taken -= 1;
                if job.taken + TIMEOUT > NOW {
                    continue;
                }
                let intent = job.rec.intent;
                match job.stage {
                    Stage::Ready => job.stage = Stage::Sent(Some(Word::NotSent(Code::TimedOut))),
                    Stage::Looking => job.stage = Stage::Looked(Word::Unknown(Code::PendingConnectionLost)),
                    Stage::Sent(None) => {
                        job.stage = Stage::Sent(Some(Word::Unknown(Code::PendingConnectionLost)));
                        world.forget_sender(process, Some(intent));
                    }
                    _ => {}
                }
            }
        }
    }

    /// What differs in nothing that any later step depends on becomes the same.
    fn canonical(&self, world: &mut World) {
        let oldest = NOW - u8::try_from(self.rules.resend_limit_ms).unwrap_or(20) - 2 * TIMEOUT - 1;
        let checkpoint_if_due = |rec: &mut Rec, in_flight_window: u8| {
            rec.recorded = rec.recorded.max(oldest);
            rec.in_flight_window = rec.in_flight_window.max(in_flight_window);
            rec.next = rec.next.max(NOW);
            if rec.state.is_final() {
                (rec.in_flight_window, rec.next) = (NOW, NOW);
            }
            if matches!(rec.state, IntentState::Completed | IntentState::Declined) {
                rec.recorded = NOW;
            }
        };
        for journal in 0..world.journals.len() {
            let ours = |process: &usize| self.journals[*process] == journal;
            for at in 0..world.journals[journal].len() {
                let intent = world.journals[journal][at].snapshots.intent;
                let jobs = || {
                    let processes = (0..world.processes.len()).filter(ours);
                    processes.flat_map(|process| &world.processes[process].jobs).filter(|job| job.rec.intent == intent)
                };
                // A look that began in the quiet time must still find it in the quiet time.
                let status_queries = jobs().any(|job| matches!(job.stage, Stage::Looking | Stage::Looked(_)));
                let in_flight_window = if status_queries { NOW - 2 * QUIET } else { NOW };
                let kept = &world.journals[journal][at];
                let revisions: BTreeSet<u8> = jobs()
                    .map(|job| job.rec.revision)
                    .chain([kept.snapshots.revision])
                    .chain(kept.sure.map(|sure| sure.revision))
                    .collect();
                // Only their order counts, and whether there was one before.
                let rank = |revision: u8| 2 + u8::try_from(revisions.range(..revision).count()).expect("a few");
                let kept = &mut world.journals[journal][at];
                checkpoint_if_due(&mut kept.snapshots, in_flight_window);
                kept.snapshots.revision = rank(kept.snapshots.revision);
                if let Some(sure) = &mut kept.sure {
                    checkpoint_if_due(sure, in_flight_window);
                    sure.revision = rank(sure.revision);
                }
                for process in (0..world.processes.len()).filter(ours) {
                    for job in &mut world.processes[process].jobs {
                        if job.rec.intent == intent {
                            checkpoint_if_due(&mut job.rec, NOW - 2 * QUIET);
                            job.rec.next = NOW;
                            job.rec.revision = rank(job.rec.revision);
                            if job.stage == Stage::Publish {
                                (job.rec.in_flight_window, job.rec.recorded, job.taken) = (NOW, NOW, NOW);
                            }
                        }
                    }
                }
                for (press, process) in self.presses.iter().enumerate() {
                    if let Caller::Waiting { intent: theirs, since, .. } = &mut world.callers[press]
                        && *theirs == intent
                        && ours(process)
                    {
                        *since = rank(*since).max(2);
                    }
                }
            }
        }
        for process in &mut world.processes {
            process.jobs.sort_by_key(|job| (job.rec.intent, job.rec.revision));
        }
        world.posts.sort_unstable();
    }

    /// The promises that can be read off two states in a row.
    fn judge(&self, before: &World, world: &mut World, action: Action) {
        for intent in 0..PRESSES {
            if world.deductions[intent] + world.deductions[intent + PRESSES] > 1 {
                world.breaks(ONE_DEDUCTION);
            }
        }
        for journal in 0..world.journals.len() {
            let bought = |press: &usize| {
                let process = self.presses[*press];
                self.journals[process] == journal
                    && (process == journal || self.journals[0] == self.journals[1])
                    && (world.live(*press) || world.live(*press + PRESSES))
            };
            if self.naming != Naming::Nothing && (0..self.presses.len()).filter(bought).count() > 1 {
                world.breaks(ONE_PER_BASKET);
            }
            let open = |kept: &&Kept| {
                kept.snapshots.pending() && u64::from(NOW - kept.snapshots.recorded) <= self.rules.resend_limit_ms
            };
            if world.journals[journal].iter().filter(open).count() > 1 {
                world.breaks(OPEN);
            }
            for kept in &before.journals[journal] {
                let found = world.purchases[usize::from(kept.snapshots.intent)].is_some();
                let person = |rec: Rec| rec.full().needs_review() || rec.state.is_final();
                let excused = found || matches!(action, Action::PowerCut(_) | Action::Press(_));
                if person(kept.snapshots) && !excused && !world.find(journal, kept.snapshots.intent).is_some_and(person)
                {
                    world.breaks(PERSON);
                }
                let now = world.find(journal, kept.snapshots.intent).map(|rec| rec.state);
                let allowed = match kept.snapshots.state {
                    IntentState::Recorded | IntentState::InDoubt => true,
                    IntentState::Completed => {
                        now == Some(IntentState::Completed) || matches!(action, Action::PowerCut(_))
                    }
                    IntentState::Declined => now == Some(IntentState::Declined),
                    IntentState::NotSent => {
                        now == Some(IntentState::NotSent)
                            || now == Some(IntentState::Recorded) && matches!(action, Action::Press(_))
                    }
                };
                if !allowed {
                    world.breaks(STAYS);
                }
            }
        }
        for caller in world.callers {
            let Caller::Told { intent, outcome } = caller else { continue };
            let intent = usize::from(intent);
            match outcome {
                Outcome::Completed if world.purchases[intent] != Some(Status::Completed) => world.breaks(DONE),
                Outcome::Declined if world.live(intent) || world.live(intent + PRESSES) => world.breaks(REFUSED),
                _ => {}
            }
        }
    }

    fn apply(&self, before: &World, action: Action) -> World {
        let mut world = before.clone();
        match action {
            Action::Press(press) => self.press(&mut world, press),
            Action::Leave(press) => self.leave(&mut world, press),
            Action::Send { process, job } => self.send(&mut world, process, job),
            Action::NoRoute { process, job } => {
                world.faults -= 1;
                world.processes[process].jobs[job].stage = Stage::Sent(Some(Word::NotSent(Code::Offline)));
            }
            Action::CutOff { process, job } => {
                world.faults -= 1;
                let job = &mut world.processes[process].jobs[job];
                job.stage = Stage::Sent(Some(Word::Unknown(Code::PendingConnectionLost)));
                let intent = job.rec.intent;
                world.forget_sender(process, Some(intent));
            }
            Action::Deliver(post, handling, passage) => {
                world.faults -= u8::from(matches!(handling, Handling::Refuse | Handling::Busy));
                world.faults -= u8::from(passage != Passage::Answered);
                self.deliver(&mut world, post, handling, passage);
            }
            Action::Repeat(post) => {
                world.faults -= 1;
                let post = world.posts[post];
                world.posts.push(Post { from: None, copy: true, ..post });
            }
            Action::Look { process, intent } => self.query_status(&mut world, process, intent),
            Action::Response { process, job, serve } => {
                world.faults -= u8::from(serve != Serve::Truth);
                self.response(&mut world, process, job, serve);
            }
            Action::Write { process, job, random, disk } => {
                world.faults -= u8::from(!disk);
                self.write(&mut world, process, job, random, disk);
            }
            Action::Tell { process, job } => {
                let rec = self.ahead(&world, process, job).expect("enabled for such a record");
                self.notify(&mut world, process, rec);
                self.saw(Situation::ToldAhead);
            }
            Action::Publish { process, job } => {
                let job = world.processes[process].jobs.remove(job);
                self.notify(&mut world, process, job.rec);
            }
            Action::Resolve { id, completes } => {
                world.purchases[id] = Some(if completes { Status::Completed } else { Status::Failed });
                world.points += u8::from(!completes);
            }
            Action::Acknowledge { journal, intent } => {
                let rec = world.find(journal, intent).expect("enabled for a record");
                if let Ok(Some(intent)) = decide::acknowledge(&rec.full(), NOW.into()) {
                    assert!(world.save(journal, Rec::of(&intent), Durability::Synced));
                }
            }
            Action::Crash(process) => {
                world.faults -= 1;
                world.end(self.presses, process);
            }
            Action::PowerCut(journal) => {
                world.faults -= 1;
                self.power_cut(&mut world, journal);
            }
            Action::Restart(process) => world.processes[process].up = true,
            Action::Tick => Self::tick(&mut world),
        }
        self.judge(before, &mut world, action);
        // Where nobody listens, telling is nothing.
        for process in 0..world.processes.len() {
            let mut jobs = std::mem::take(&mut world.processes[process].jobs);
            jobs.retain(|job| {
                job.stage != Stage::Publish || !world.waiting(self.presses, process, job.rec.intent).is_empty()
            });
            world.processes[process].jobs = jobs;
        }
        self.canonical(&mut world);
        world
    }

    /// The next step when nothing goes wrong any more. None: there is nothing left to do.
    fn calm(&self, world: &World) -> Option<Action> {
        if let Some(process) = world.processes.iter().position(|process| !process.up) {
            return Some(Action::Restart(process));
        }
        if !world.posts.is_empty() {
            return Some(Action::Deliver(0, Handling::Complete, Passage::Answered));
        }
        for (process, jobs) in world.processes.iter().map(|process| &process.jobs).enumerate() {
            for (job, stage) in jobs.iter().map(|job| job.stage).enumerate() {
                return Some(match stage {
                    Stage::Ready => Action::Send { process, job },
                    Stage::Sent(None) => continue,
                    Stage::Looking => Action::Response { process, job, serve: Serve::Truth },
                    Stage::Sent(Some(_)) | Stage::Looked(_) => Action::Write { process, job, random: 1, disk: true },
                    Stage::Publish => Action::Publish { process, job },
                });
            }
        }
        if let Some(id) = world.purchases.iter().position(|status| *status == Some(Status::Processing)) {
            return Some(Action::Resolve { id, completes: true });
        }
        // A look for somebody who waits takes less than a tick, and nobody waits for ever.
        if let Some(press) = world.callers.iter().position(|caller| matches!(caller, Caller::Waiting { .. })) {
            return Some(Action::Leave(press));
        }
        for process in 0..world.processes.len() {
            for kept in &world.journals[self.journals[process]] {
                if self.may_look(world, process, kept.snapshots, false) && !self.for_a_person(kept.snapshots) {
                    return Some(Action::Look { process, intent: kept.snapshots.intent });
                }
            }
        }
        let busy = world.processes.iter().any(|process| !process.jobs.is_empty());
        let open = |kept: &Kept| kept.snapshots.pending() && !self.for_a_person(kept.snapshots);
        (busy || world.journals.iter().flatten().any(open)).then_some(Action::Tick)
    }

    /// Past the replay limit, and said so.
    fn for_a_person(&self, rec: Rec) -> bool {
        rec.full().needs_review() && u64::from(NOW - rec.recorded) > self.rules.resend_limit_ms
    }

    /// Whether the fault-free continuation leads every intent to a known end.
    fn ends(&self, world: &World) -> bool {
        let print = |world: &World| {
            let mut hasher = DefaultHasher::new();
            world.hash(&mut hasher);
            hasher.finish()
        };
        let mut path = Vec::new();
        let mut at = world.clone();
        for _ in 0..CLOSE_WAIT {
            let known = print(&at);
            if self.ending.lock().unwrap_or_else(PoisonError::into_inner).contains(&known) {
                break;
            }
            path.push(known);
            let Some(action) = self.calm(&at) else { break };
            at = self.apply(&at, action);
        }
        let ended = path.len() < CLOSE_WAIT;
        if ended {
            self.ending.lock().unwrap_or_else(PoisonError::into_inner).extend(path);
        }
        ended
    }
}

impl Model for Till {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let process = Process { up: true, jobs: Vec::new() };
        vec![World {
            journals: [Vec::new(), Vec::new()],
            processes: [process.clone(), process],
            callers: [Caller::Idle; PRESSES],
            posts: Vec::new(),
            points: self.points,
            purchases: [None; IDS],
            deductions: [0; IDS],
            left: [false; PRESSES],
            denied: [false; PRESSES],
            faults: self.faults,
            broken: 0,
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        let faulty = world.faults > 0;
        for (press, process) in self.presses.iter().enumerate() {
            match world.callers[press] {
                Caller::Idle if world.processes[*process].up => actions.push(Action::Press(press)),
                Caller::Waiting { .. } if !(self.patient && press + 1 == self.presses.len()) => {
                    actions.push(Action::Leave(press));
                }
                _ => {}
            }
        }
        for (process, state) in world.processes.iter().enumerate() {
            if !self.presses.contains(&process) {
                continue;
            }
            if !state.up {
                actions.push(Action::Restart(process));
                continue;
            }
            let steady = self.rival && process == 1;
            let faulty = faulty && !steady;
            for (job, stage) in state.jobs.iter().map(|job| job.stage).enumerate() {
                match stage {
                    Stage::Ready => {
                        actions.push(Action::Send { process, job });
                        if faulty {
                            actions.push(Action::NoRoute { process, job });
                        }
                    }
                    Stage::Sent(None) if faulty => actions.push(Action::CutOff { process, job }),
                    Stage::Sent(None) => {}
                    Stage::Looking => {
                        actions.push(Action::Response { process, job, serve: Serve::Truth });
                        if faulty {
                            actions.push(Action::Response { process, job, serve: Serve::Fails });
                            actions.push(Action::Response { process, job, serve: Serve::Stale });
                        }
                    }
                    Stage::Sent(Some(_)) | Stage::Looked(_) => {
                        if self.ahead(world, process, job).is_some() {
                            actions.push(Action::Tell { process, job });
                        }
                        for random in self.rolls {
                            actions.push(Action::Write { process, job, random: *random, disk: true });
                        }
                        if faulty {
                            actions.push(Action::Write { process, job, random: 1, disk: false });
                        }
                    }
                    Stage::Publish => actions.push(Action::Publish { process, job }),
                }
            }
            for kept in &world.journals[self.journals[process]] {
                if self.may_look(world, process, kept.snapshots, true) {
                    actions.push(Action::Look { process, intent: kept.snapshots.intent });
                }
            }
            if world.faults > 0 && !steady {
                actions.push(Action::Crash(process));
            }
        }
        for (journal, kept) in world.journals.iter().enumerate() {
            if world.faults > 0 && !kept.is_empty() && !(self.rival && journal == 1) {
                actions.push(Action::PowerCut(journal));
            }
            for snapshots in kept.iter().map(|kept| kept.snapshots).filter(|_| self.acknowledges) {
                if !snapshots.acknowledged && (snapshots.state.is_final() || snapshots.full().needs_review()) {
                    actions.push(Action::Acknowledge { journal, intent: snapshots.intent });
                }
            }
        }
        for (at, post) in world.posts.iter().enumerate() {
            let fresh = world.purchases[usize::from(post.id)].is_none() && world.points > 0;
            let heard = post.from.is_some();
            let faulty = faulty && !(self.rival && usize::from(post.id) % PRESSES == self.presses.len() - 1);
            actions.push(Action::Deliver(at, Handling::Complete, Passage::Answered));
            if faulty && heard {
                actions.push(Action::Deliver(at, Handling::Complete, Passage::Garbled));
                actions.push(Action::Deliver(at, Handling::Complete, Passage::Lost));
            }
            if fresh {
                actions.push(Action::Deliver(at, Handling::Process, Passage::Answered));
            }
            if fresh && faulty {
                actions.push(Action::Deliver(at, Handling::Refuse, Passage::Answered));
                actions.push(Action::Deliver(at, Handling::Busy, Passage::Answered));
            }
            if faulty && !post.copy && !self.patient {
                actions.push(Action::Repeat(at));
            }
        }
        for id in (0..IDS).filter(|id| world.purchases[*id] == Some(Status::Processing)) {
            actions.push(Action::Resolve { id, completes: true });
            actions.push(Action::Resolve { id, completes: false });
        }
        if self.may_tick(world) {
            actions.push(Action::Tick);
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        Some(self.apply(world, action))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let kept: [fn(&Self, &World) -> bool; 12] = [
            kept::<0>, kept::<1>, kept::<2>, kept::<3>, kept::<4>, kept::<5>, kept::<6>, kept::<7>, kept::<8>,
            kept::<9>, kept::<10>, kept::<11>,
        ];
        let reached: [fn(&Self, &World) -> bool; 13] = [
            reached::<0>,
            reached::<1>,
            reached::<2>,
            reached::<3>,
            reached::<4>,
            reached::<5>,
            reached::<6>,
            reached::<7>,
            reached::<8>,
            reached::<9>,
            reached::<10>,
            reached::<11>,
            reached::<12>,
        ];
        let promises = PROMISES.iter().zip(kept).map(|(name, condition)| Property::always(name, condition));
        let ends = Property::always(ENDS, Self::ends);
        let situations =
            SITUATIONS.iter().zip(reached).map(|((_, name), condition)| Property::sometimes(name, condition));
        promises.chain([ends]).chain(situations).collect()
    }
}

fn limit(resend_limit_ms: Millis) -> RetryRules {
    RetryRules { schedule_ms: vec![1], startup_jitter_ms: 0, resend_limit_ms }
}

/// What one configuration came to.
struct Outcomes {
    states: usize,
    depth: usize,
    reached: u32,
}

/// Visits every state of a configuration; a broken promise is an error that tells the way to it.
fn check(till: Till, promises: &[&'static str]) -> Result<Outcomes, String> {
    let began = Instant::now();
    let (name, mutation) = (till.name, till.mutation);
    let names = promises.iter().copied().collect();
    let checker = till.checker().threads(2).finish_when(HasDiscoveries::AnyOf(names)).spawn_bfs().join();
    let (states, depth) = (checker.unique_state_count(), checker.max_depth());
    if mutation == Mutation::None {
        println!("model: {name}: {states} unique states, depth {depth}, {:.1} s", began.elapsed().as_secs_f64());
    }
    let discoveries = checker.discoveries();
    for &promise in promises {
        if let Some(path) = discoveries.get(promise) {
            let steps = path.clone().into_actions();
            let steps: Vec<_> = steps.iter().map(|step| format!("  {step:?}")).collect();
            return Err(format!(
                "{name}: broken: {promise}, after
{}",
                steps.join(
                    "
"
                )
            ));
        }
    }
    Ok(Outcomes { states, depth, reached: checker.model().happened.load(Ordering::Relaxed) })
}

/// The configurations, each with as many faults as its space allows.
fn configurations(full: bool) -> Vec<Till> {
    let (more, basket) = (u8::from(full), || limit(if full { 3 } else { 1 }));
    let base = |name| Till { points: 2, patient: true, ..Till::new(name) };
    let two = |name| Till { presses: &[0, 1], ..base(name) };
    let one = |name| Till { presses: &[0], rolls: &[0, 1], patient: false, points: 1, faults: 2 + more, ..base(name) };
    vec![
        Till { rival: true, points: 1, faults: more, ..two("two tills, points for one") },
        Till { journals: [0, 0], faults: 0, rival: !full, rules: basket(), ..two("two processes, one journal") },
        Till { patient: !full, ..base("double press, one basket") },
        Till { naming: Naming::Nothing, faults: 0, rules: basket(), ..base("double press, no reference") },
        Till { naming: Naming::Id, faults: more, patient: !full, ..base("double press, the POS's own id") },
        one("one press"),
        Till { acknowledges: true, rules: limit(1), ..one("one press, a short replay limit") },
    ]
}

/// Each mutation, the promise it must break, and a configuration that is enough for it.
fn mutations() -> Vec<(Mutation, &'static str, Till)> {
    let base = |name| Till { points: 2, patient: true, ..Till::new(name) };
    let one = || Till { presses: &[0], ..base("one press") };
    let two = || Till { patient: false, ..base("double press") };
    let tills = || Till { presses: &[0, 1], rival: true, points: 1, ..base("two tills") };
    vec![
        (Mutation::ResendWithoutLook, LOOKED, one()),
        (Mutation::IgnoreQuiet, ALONE, one()),
        (Mutation::RefusedLater, STAYS, tills()),
        (Mutation::NotSentLater, STAYS, two()),
        (Mutation::RefusedAhead, REFUSED, tills()),
        (Mutation::NotSentWithoutGate, NOT_SENT, two()),
        (Mutation::AbsentIsRefused, REFUSED, one()),
        (Mutation::ServerErrorIsRefused, REFUSED, one()),
        (Mutation::NewId, ONE_DEDUCTION, Till { faults: 2, ..one() }),
        (Mutation::SendBeforeDurable, DURABLE, one()),
        (Mutation::NoReplayLimit, REPLAY, Till { rules: limit(1), ..one() }),
        (Mutation::GiveUp, ENDS, one()),
        (Mutation::StaleNews, NOT_SENT, two()),
    ]
}

#[test]
fn the_model_keeps_every_promise_and_notices_every_mutation() {
    let full = std::env::var("EPS_BUDGET").is_ok_and(|budget| budget == "full");
    let (mut states, mut depth, mut reached) = (0, 0, 0);
    for till in configurations(full) {
        let outcome = check(till, &PROMISES).unwrap_or_else(|broken| panic!("{broken}"));
        states += outcome.states;
        depth = depth.max(outcome.depth);
        reached |= outcome.reached;
    }
    let missing: Vec<_> = SITUATIONS.iter().filter(|(situation, _)| reached & (1 << *situation as u32) == 0).collect();
    assert!(missing.is_empty(), "never happened, so nothing is proven about it: {missing:?}");
    let mutations = mutations();
    let caught = mutations.len();
    for (mutation, promise, till) in mutations {
        match check(Till { mutation, ..till }, &[promise]) {
            Ok(outcome) => panic!("{mutation:?} breaks nothing in {} states", outcome.states),
            Err(_) => println!("model: caught {mutation:?}, which breaks: {promise}"),
        }
    }
    println!(
        "model: {states} unique states, depth {depth}, {} promises held, {} situations reached, {caught} mutations caught",
        PROMISES.len(),
        SITUATIONS.len()
    );
}
