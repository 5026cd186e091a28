//! Holds the simulated disk to the real journal: both get one random list of operations, and must
//! give the same.

use super::disk::{self, Disk, Disks, Journal};
use super::random::Rng;
use super::scheduler::{self, Choice};
use super::state::{self, Process, State};
use crate::config::Config;
use crate::core::admission::{Admission, Candidates};
use crate::core::code::{Code, Outcome};
use crate::core::domain::{Channel, Operation, Purchase, Redeem};
use crate::core::error::{Detail, Error};
use crate::core::id::{AssignmentId, ContactId, ItemId, OperationId};
use crate::core::intent::{Durability, Intent, IntentState, Progress};
use crate::journal::Filter;
use crate::log::Log;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use uuid::Uuid;

fn id(kind: u128, number: u64) -> Uuid {
    Uuid::from_u128((kind << 64) | u128::from(number) | (4 << 76) | (8 << 60))
}

fn operation(rng: &mut Rng) -> Operation {
    let own = OperationId::from_uuid(id(1, 1 + rng.below(8)));
    let contact = ContactId::from_uuid(id(2, 1 + rng.below(2)));
    if rng.chance(60) {
        Operation::Purchase(Purchase { id: own, contact, item: ItemId::from_uuid(id(3, 1 + rng.below(2))) })
    } else {
        let assignment = AssignmentId::from_uuid(id(4, 1 + rng.below(2)));
        let contact = Some(contact).filter(|_| rng.chance(70));
        Operation::Redeem(Redeem { id: own, contact, assignment, channel: Channel::Pos })
    }
}

fn reference(rng: &mut Rng) -> Option<String> {
    rng.pick(&[None, Some("a"), Some("b")]).map(str::to_owned)
}

fn intent(rng: &mut Rng) -> Intent {
    let now = 1_000 + rng.below(50);
    let operation = operation(rng);
    let optional = |rng: &mut Rng| Some(now + rng.below(20)).filter(|_| rng.chance(40));
    Intent {
        state: rng.pick(&IntentState::ALL),
        code: rng.pick(&[
            Code::Ok,
            Code::Pending,
            Code::PendingNeedsReview,
            Code::Declined,
            Code::AlreadyRedeemed,
            Code::TimedOut,
        ]),
        detail: Detail {
            http_status: rng.pick(&[None, Some(200), Some(404)]),
            engage_code: rng.pick(&[None, Some("X")]).map(str::to_owned),
            attempts: 1,
            retry_after_ms: Some(3),
        },
        next_query_at: now + rng.below(40),
        resolved_at: optional(rng),
        acknowledged_at: optional(rng),
        processing_window: optional(rng).map(|from| (from, from + 5)),
        earlier_in_doubt: rng.chance(50),
        reward: match operation {
            Operation::Purchase(_) => Some(AssignmentId::from_uuid(id(4, 1 + rng.below(2)))).filter(|_| rng.chance(30)),
            Operation::Redeem(_) => None,
        },
        response: rng.pick(&[None, Some("{}")]).map(str::to_owned),
        progress: Progress { last_code: Some(3), cause: vec!["kept".into()], ..Progress::default() },
        tenant: rng.pick(&[None, Some("t")]).map(str::to_owned),
        revision: 1 + rng.below(3),
        ..Intent::new(operation, reference(rng), now, now + 10)
    }
}

/// The journal's methods, as both have them.
macro_rules! carry_out {
    ($journal:expr, $rng:expr) => {{
        let (journal, mut rng) = ($journal, $rng.clone());
        let code = |error: &Error| error.code();
        match rng.below(13) {
            0..=2 => {
                let intent = intent(&mut rng);
                let (choice, given) = (rng.below(3), Mutex::new(String::new()));
                let decide = |candidates: Candidates| {
                    *given.lock().unwrap() = format!("{candidates:?}");
                    match choice {
                        0 => Err(Error::of(Code::ReferenceConflict)),
                        1 => Ok(Admission::Existing(intent.clone())),
                        _ => Ok(Admission::New(Intent { revision: intent.revision.min(2), ..intent.clone() })),
                    }
                };
                let admission = journal.admit(&intent.operation, intent.reference.as_deref(), decide);
                format!("{choice} {:?} {:?}", given.into_inner().unwrap(), admission.as_ref().map_err(code))
            }
            3..=5 => {
                let durability = rng.pick(&[Durability::Synced, Durability::Buffered]);
                format!("{:?}", journal.save(&intent(&mut rng), durability).as_ref().map_err(code))
            }
            6 => format!("{:?}", journal.get(operation(&mut rng).id()).as_ref().map_err(code)),
            7 => {
                // The order of equal times is the index's own.
                let pending = journal.pending(None).map(|mut pending| {
                    pending.sort();
                    pending
                });
                format!("{:?} {:?}", journal.unacknowledged().as_ref().map_err(code), pending.as_ref().map_err(code))
            }
            8 => {
                let purchase = intent(&mut rng);
                let reward = AssignmentId::from_uuid(id(4, 1 + rng.below(2)));
                let (mut candidates, reference) = (String::new(), reference(&mut rng));
                let peeked = journal.peek(
                    &purchase.operation,
                    reference.as_deref(),
                    |found| {
                        candidates = format!("{found:?}");
                        Err(Error::of(Code::Offline))
                    },
                    Duration::from_millis(30),
                );
                let peeked = peeked.map(|result| result.map_err(|error| error.code()).err());
                let taken = journal.owner(reward, &purchase, Duration::from_secs(60));
                let redeemed = journal.redeems(reward);
                format!(
                    "{:?} {:?} {peeked:?} {candidates}",
                    taken.as_ref().map_err(code),
                    redeemed.as_ref().map_err(code)
                )
            }
            9 => {
                let filter = Filter {
                    since: Some(1_000 + rng.below(30)).filter(|_| rng.chance(30)),
                    until: Some(1_020 + rng.below(30)).filter(|_| rng.chance(30)),
                    outcome: rng.pick(&[None, None, Some(Outcome::Completed), Some(Outcome::Pending)]),
                    acknowledged: rng.pick(&[None, Some(true), Some(false)]),
                    reference: reference(&mut rng),
                    limit: 1 + usize::try_from(rng.below(4)).unwrap_or(0),
                    after: Some((rng.below(12), operation(&mut rng).id())).filter(|_| rng.chance(30)),
                };
                format!("{:?}", journal.list(&filter).as_ref().map_err(code))
            }
            10 => {
                let (name, stop) = (rng.pick(&["a", "b"]), rng.chance(30));
                let changed = journal.change_reference(name, |intent| match intent.state {
                    IntentState::Declined if stop => Err(Error::of(Code::StillPending)),
                    IntentState::NotSent => Ok(None),
                    _ => Ok(Some(Intent {
                        acknowledged_at: Some(1_040),
                        revision: intent.revision + 1,
                        ..intent.clone()
                    })),
                });
                let names = |intents: &Vec<Intent>| {
                    let names = intents.iter().map(|intent| (intent.id(), intent.revision, intent.acknowledged_at));
                    names.collect::<Vec<_>>()
                };
                format!("{:?}", changed.as_ref().map(names).map_err(code))
            }
            11 => {
                let set = journal.set_fact("name", &rng.below(9).to_string());
                format!("{:?} {:?}", set.map_err(|error| error.code()), journal.fact("name").as_ref().map_err(code))
            }
            _ => format!("{:?}", journal.prune(1_000 + rng.below(60), 1_005, 1_030).as_ref().map_err(code)),
        }
    }};
}

fn compare(path: &Path, seed: u64, count: u64) -> Result<(), String> {
    let opened = |error: Error| format!("the journal cannot be opened: {error}");
    let config = |path: &Path| {
        Config::parse(
            &serde_json::json!({
                "baseUrl": "http://127.0.0.1:9", "userAgent": "Simulation/1", "tenant": "t", "journalPath": path,
            })
            .to_string(),
        )
        .map_err(opened)
    };
    let log = Log::default();
    let real = crate::journal::Journal::open(&config(path)?, &log).map_err(opened)?;
    let simulated = Journal::open(&config(Path::new("/simulated/till-0"))?, &log).map_err(opened)?;
    let (Some(real), Some(simulated)) = (real, simulated) else { return Err("there is no journal".into()) };
    for number in 0..count {
        let rng = Rng::new(seed, 1_000 + number);
        let (theirs, ours): (String, String) = (carry_out!(&real, rng), carry_out!(&simulated, rng));
        if theirs != ours {
            return Err(format!(
                "operation {number} of seed {seed}:\nthe journal:        {theirs}\nthe simulated disk: {ours}"
            ));
        }
    }
    Ok(())
}

/// Gives `count` operations of a seed to the journal at `path` and to the simulated disk. An error
/// names the first operation whose results differ.
pub fn compare_with_journal(path: &Path, seed: u64, count: u64) -> Result<(), String> {
    state::replace(State {
        processes: vec![Process::default()],
        clock_offsets: vec![0],
        effects: vec![0],
        ..State::default()
    });
    disk::replace(Disks { tills: vec![Disk::default()], ..Disks::default() });
    let result = Arc::new(Mutex::new(Err("the comparison has not ended".to_owned())));
    let (into, path) = (result.clone(), path.to_owned());
    let choice = Choice { clock: 0, stay: 255, priorities: false };
    let ended = scheduler::run(seed, choice, move || *into.lock().unwrap() = compare(&path, seed, count));
    if let Some(panic) = ended.panics.first() {
        return Err(format!("a panic: {panic}"));
    }
    result.lock().unwrap().clone()
}
