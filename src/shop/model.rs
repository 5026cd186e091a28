//! The purchase's state machine, model-checked: the real functions of `decide`, and around them an environment as small as can be.
//!
//! What is real: `intend`, `next`, `may_send_again`, `claim`, `after_send`, `after_look`, `durability`, `acknowledge`, `told`
//! and `bounded`. What is copied is the *order* in which `engine` carries them out, one action for each of its steps: the intent is
//! durable → the request is out → the answer is in → the outcome is written → the callers are told. A crash fits between any two.
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
//! - the till's clock does not jump (`bounded` is called, but never has anything to do).

use super::decide::{self, Pace, Step, Wish};
use crate::code::{Code, Outcome};
use crate::config::SettleRules;
use crate::engage::{Facts, PurchaseOrder, Verdict};
use crate::error::Detail;
use crate::id::{ContactId, ItemId, OperationId};
use crate::journal::{Candidates, Durability, Intention, Millis, Record, State};
use stateright::{Checker, HasDiscoveries, Model, Property};
use std::collections::{BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
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
const PATIENCE: usize = 150;

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
const ENDS: &str = "once the faults stop, every intent gets to a known end";
const PROMISES: [&str; 12] =
    [ONE_DEDUCTION, ONE_PER_BASKET, REFUSED, NOT_SENT, DONE, STAYS, ALONE, LOOKED, DURABLE, REPLAY, OPEN, ENDS];

/// What must happen somewhere, or else the model proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Situation {
    DoneByLook,
    RefusedByLook,
    ResendCompletes,
    ResendFindsIt,
    NotSentProven,
    SecondPressJoins,
    NeedsPerson,
    PowerCutLosesWrite,
    StartedAgain,
    LostTheRace,
    RefusedForPoints,
    LateDelivery,
}

const SITUATIONS: [(Situation, &str); 12] = [
    (Situation::DoneByLook, "done by a look after the answer was lost"),
    (Situation::RefusedByLook, "refused by a look"),
    (Situation::ResendCompletes, "a second request completes it"),
    (Situation::ResendFindsIt, "a second request finds the purchase of the first"),
    (Situation::NotSentProven, "told not sent"),
    (Situation::SecondPressJoins, "a second press joins"),
    (Situation::NeedsPerson, "a person is needed"),
    (Situation::PowerCutLosesWrite, "a power cut loses a write"),
    (Situation::StartedAgain, "an intent that was not sent is started again"),
    (Situation::LostTheRace, "a write loses against another's"),
    (Situation::RefusedForPoints, "refused because the other till spent the points"),
    (Situation::LateDelivery, "delivered after its till crashed"),
];

/// A record without its texts: what the decisions depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Rec {
    intent: u8,
    reference: bool,
    state: State,
    code: Code,
    recorded: u8,
    quiet: u8,
    next: u8,
    acknowledged: bool,
    revision: u8,
}

impl Rec {
    fn full(self) -> Record {
        Record {
            order: order(self.intent),
            reference: self.reference.then(|| "basket".into()),
            state: self.state,
            code: self.code,
            detail: Detail::default(),
            recorded_at: self.recorded.into(),
            quiet_until: self.quiet.into(),
            next_at: self.next.into(),
            rounds: 0,
            settled_at: self.state.is_settled().then_some(0),
            acknowledged_at: self.acknowledged.then_some(0),
            answer: None,
            cause: Vec::new(),
            revision: self.revision.into(),
        }
    }

    fn of(record: &Record) -> Self {
        let tick = |time: Millis| u8::try_from(time).expect("a few ticks from the present");
        Self {
            intent: u8::try_from(record.order.purchase.uuid().as_u128() - 1).expect("one of ours"),
            reference: record.reference.is_some(),
            state: record.state,
            code: record.code,
            recorded: tick(record.recorded_at),
            quiet: tick(record.quiet_until),
            next: tick(record.next_at),
            acknowledged: record.acknowledged_at.is_some(),
            revision: tick(record.revision),
        }
    }

    fn pending(self) -> bool {
        !self.state.is_settled() && !self.acknowledged
    }
}

fn order(intent: u8) -> PurchaseOrder {
    PurchaseOrder {
        purchase: OperationId::from_uuid(Uuid::from_u128(u128::from(intent) + 1)),
        contact: ContactId::from_uuid(Uuid::from_u128(101)),
        item: ItemId::from_uuid(Uuid::from_u128(102)),
    }
}

/// A verdict without its texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Word {
    Done,
    Refused(Code),
    Unknown(Code),
    NotSent(Code),
    Absent,
}

impl Word {
    fn verdict(self) -> Verdict {
        match self {
            Word::Done => Verdict::Done { answer: String::new() },
            Word::Refused(code) => Verdict::Refused(Facts::of(code)),
            Word::Unknown(code) => Verdict::Unknown(Facts::of(code)),
            Word::NotSent(code) => Verdict::NotSent(Facts::of(code)),
            Word::Absent => Verdict::Absent,
        }
    }
}

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
    begun: u8,
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
    seen: Rec,
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
    crashes: u8,
    cuts: u8,
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
    Answer { process: usize, job: usize, serve: Serve },
    Write { process: usize, job: usize, roll: u64, disk: bool },
    Publish { process: usize, job: usize },
    Settle { id: usize, completes: bool },
    Acknowledge { journal: usize, intent: u8 },
    Crash(usize),
    PowerCut(usize),
    Restart(usize),
    Tick,
}

/// A configuration of the environment.
struct Till {
    name: &'static str,
    mutation: Mutation,
    /// The process of each press.
    presses: &'static [usize],
    /// The journal of each process.
    journals: [usize; 2],
    reference: bool,
    /// The POS gives the purchase id, the same on every press of a till.
    named: bool,
    points: u8,
    faults: u8,
    crashes: u8,
    cuts: u8,
    acknowledges: bool,
    rolls: &'static [u64],
    rules: SettleRules,
    happened: AtomicU32,
    /// States from which the fault-free continuation is known to end.
    ending: Mutex<HashSet<u64>>,
}
