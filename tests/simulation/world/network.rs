//! The simulated network between a till and Engage, in the place of `Transport::send`.

use super::book::book;
use super::disk;
use super::engage::{self, Arriving};
use super::plan::{Fate, Fault};
use super::scheduler::{self, Micros, Wakeup};
use super::state::{self, MS, Promise, SECOND, note, state, violation};
use crate::core::id::OperationId;
use crate::transport::{Call, EndReason, Failure, FailureKind, Request, Response};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// One attempt as it left.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub at: Micros,
    /// It has not arrived, and will.
    pub under_way: bool,
    /// Its connection was reset, so it may be repeated at once.
    pub reset: bool,
    pub task: usize,
}

#[derive(Default)]
pub(crate) struct Network {
    pub faults: Vec<Fault>,
    posts: u64,
    gets: u64,
    /// Attempts by operation.
    pub sent: BTreeMap<String, Vec<Sent>>,
    /// Contact and item of each purchase id.
    about: BTreeMap<String, (String, String)>,
    /// When a till has last received a history that it could read, by process and contact.
    histories: BTreeMap<(usize, String), Micros>,
    /// Tasks that wait for a response, so that a cancellation can wake them.
    waiting: Vec<Wakeup>,
    pub requests: u64,
}

impl Network {
    pub fn new(faults: Vec<Fault>) -> Self {
        Self { faults, ..Self::default() }
    }
}

thread_local! {
    static NETWORK: RefCell<Network> = RefCell::default();
}

pub(crate) fn network<T>(work: impl FnOnce(&mut Network) -> T) -> T {
    NETWORK.with_borrow_mut(work)
}

pub(crate) fn replace(new: Network) -> Network {
    NETWORK.replace(new)
}

/// Returns when the first attempt of an operation was sent.
pub(crate) fn first_sent(id: &str) -> Micros {
    network(|network| network.sent.get(id).and_then(|sent| sent.first().map(|sent| sent.at)).unwrap_or(0))
}

/// Wakes all tasks that wait for the network: a call was cancelled or withdrawn.
pub(crate) fn cancelled() {
    let waiting = network(|network| std::mem::take(&mut network.waiting));
    waiting.into_iter().for_each(scheduler::wake);
}

/// Returns the fate of the next request.
fn fate(post: bool) -> Option<Fate> {
    if state(|state| state.calm) {
        return None;
    }
    let now = scheduler::now() / MS;
    network(|network| {
        let count = if post { &mut network.posts } else { &mut network.gets };
        *count += 1;
        let count = *count;
        network.faults.iter().find_map(|fault| match fault {
            Fault::Request { post: of, number, fate } if *of == post && *number == count => Some(*fate),
            Fault::Outage { from_ms, until_ms, fate } if (*from_ms..*until_ms).contains(&now) => Some(*fate),
            _ => None,
        })
    })
}

/// Waits until a time, or until the call ends.
fn pause(call: &Call, until: Micros) -> Result<(), EndReason> {
    loop {
        if let Some(ended) = call.end_reason() {
            return Err(ended);
        }
        if scheduler::now() >= until {
            return Ok(());
        }
        let wakeup = scheduler::wakeup();
        network(|network| network.waiting.push(wakeup));
        scheduler::wait(wakeup, Some(until.min(call.deadline().in_run())));
        network(|network| network.waiting.retain(|other| *other != wakeup));
    }
}

/// A place for the response of one request.
#[derive(Default)]
struct Mailbox {
    outcome: Option<Result<Response, FailureKind>>,
    reader: Option<Wakeup>,
}

fn deliver(mailbox: &Rc<RefCell<Mailbox>>, outcome: Result<Response, FailureKind>) {
    let reader = {
        let mut mailbox = mailbox.borrow_mut();
        mailbox.outcome.get_or_insert(outcome);
        mailbox.reader.take()
    };
    reader.into_iter().for_each(scheduler::wake);
}

fn text_of(body: &[u8], key: &str) -> String {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    body[key].as_str().unwrap_or_default().to_owned()
}

/// Notes an attempt that leaves, and checks the promises about it.
fn leaves(request: &Request, body: &[u8], id: &str) -> usize {
    if let Some(operation) = request.operation
        && !disk::is_durable(state::till_of(scheduler::process()), operation)
    {
        violation(Promise::DurableFirst, format!("a request of {id} leaves and its record is not durable"));
    }
    if !request.path.expose().contains("promotion-assignments") {
        let about = (text_of(body, "contactId"), text_of(body, "pointShopItemId"));
        let before = network(|network| network.about.insert(id.to_owned(), about.clone()));
        if before.is_some_and(|before| before != about) {
            violation(Promise::OneIdOneSale, format!("{id} is sent for another contact or item"));
        }
    }
    if let Some(operation) = request.operation {
        judge_press(operation, id);
    }
    let (place, earlier) = network(|network| {
        let sent = network.sent.entry(id.to_owned()).or_default();
        let earlier = sent.iter().any(|sent| sent.under_way && !sent.reset);
        sent.push(Sent { at: scheduler::now(), under_way: true, reset: false, task: scheduler::task() });
        (sent.len() - 1, earlier)
    });
    note(30, || format!("sends attempt {} of {id}", place + 1));
    let process = scheduler::process();
    let resent = request.operation.filter(|id| place > 0 && !disk::is_recorded(state::till_of(process), *id));
    if resent.is_some() && !request.path.expose().contains("promotion-assignments") {
        let contact = text_of(body, "contactId");
        let queried = network(|network| {
            let before = network.sent.get(id).and_then(|sent| sent.get(place - 1)).map(|sent| sent.at);
            network.histories.get(&(process, contact)).copied().zip(before).is_some_and(|(at, before)| at > before)
        });
        if !queried {
            violation(Promise::QueryFirst, format!("{id} is sent again, and no history was read since"));
        }
    }
    if earlier {
        violation(Promise::OneAttempt, format!("{id} is sent while an earlier attempt of it is under way"));
    }
    place
}

/// Checks an attempt against what the presses returned, and against the other redeems of its
/// reward.
fn judge_press(operation: OperationId, id: &str) {
    let till = state::till_of(scheduler::process());
    let all_over = book(|book| book.baskets.get(id).and_then(|basket| book.not_sent_since(basket)));
    if disk::is_recorded(till, operation) && all_over.is_some() {
        violation(Promise::NotSent, format!("{id} leaves, and every press on it returned that nothing has left"));
    }
    if let Some(other) = disk::other_redeem(till, operation) {
        violation(Promise::OneAttempt, format!("{id} is sent while {other} of the same reward is pending"));
    }
}

fn no_longer_under_way(id: &str, place: usize) {
    network(|network| {
        if let Some(sent) = network.sent.get_mut(id).and_then(|sent| sent.get_mut(place)) {
            sent.under_way = false;
        }
    });
}

/// Sends a request through the simulated network.
pub(crate) fn send(request: &Request, call: &Arc<Call>) -> Result<Response, Failure> {
    let process = scheduler::process();
    let failed = |kind| Failure { kind, may_have_left: call.may_have_left(), response_began: false, cause: Vec::new() };
    let ended = |ended| {
        failed(match ended {
            EndReason::TimedOut => FailureKind::TimedOut,
            EndReason::Cancelled => FailureKind::Cancelled,
        })
    };
    if !state::effect() {
        return Err(failed(FailureKind::Offline));
    }
    let post = request.body.is_some();
    let fate = fate(post);
    if let Some(fate) = fate {
        note(31, || format!("this {} has the fate {fate:?}", if post { "POST" } else { "GET" }));
    }
    network(|network| network.requests += 1);
    if !post {
        let now = scheduler::now();
        state(|state| {
            let process = &mut state.processes[process];
            process.queries.push(now - process.opened_at);
        });
    }
    let connection = match fate {
        Some(Fate::SlowConnection { ms }) => ms * MS,
        _ => scheduler::below(20 * MS),
    };
    pause(call, scheduler::now() + connection).map_err(ended)?;
    if fate == Some(Fate::Offline) || !state::effect() {
        return Err(failed(FailureKind::Offline));
    }
    scheduler::step();
    if !call.begin_sending() {
        return Err(failed(FailureKind::Cancelled));
    }
    if let Some(Fate::Pause { ms, suspended }) = fate {
        let till = state::till_of(process);
        note(32, || format!("the till does not run for {ms} ms, at the gate; suspended: {suspended}"));
        scheduler::pause_here(&state::processes_of(till), ms * MS, suspended);
    }
    let id = request.operation.map(|id| id.to_string()).unwrap_or_default();
    let place = request.body.as_ref().map(|body| leaves(request, body, &id));
    let mailbox = Rc::new(RefCell::new(Mailbox::default()));
    let arrives = |after: Micros, counted: bool, response_after: Option<Micros>| {
        let arriving = Arriving {
            path: request.path.expose().to_owned(),
            body: request.body.clone(),
            operation: id.clone(),
            sent_at: scheduler::now(),
            fate,
        };
        let (mailbox, place) = (mailbox.clone(), place.filter(|_| counted));
        engage::engage(|engage| engage.to_come += 1);
        scheduler::after(after, move || {
            engage::engage(|engage| engage.to_come -= 1);
            if let Some(place) = place {
                no_longer_under_way(&arriving.operation, place);
            }
            let response = engage::handle(&arriving);
            if let Some(after) = response_after {
                scheduler::after(after, move || deliver(&mailbox, Ok(response)));
            }
        });
    };
    let usual = || scheduler::below(20 * MS) + MS;
    let lost = || place.map(|place| no_longer_under_way(&id, place));
    match fate {
        Some(Fate::LoseRequest) => {
            lost();
        }
        Some(Fate::LoseResponse) => arrives(usual(), true, None),
        Some(Fate::Pause { .. }) => arrives(scheduler::below(3 * SECOND), true, None),
        Some(Fate::SlowRequest { ms }) => {
            arrives((ms * MS).min(call.deadline().in_run().saturating_sub(scheduler::now())), true, Some(usual()));
        }
        Some(Fate::LateRequest { ms }) => arrives(ms * MS, true, Some(usual())),
        Some(Fate::SlowResponse { ms }) => arrives(usual(), true, Some(ms * MS)),
        Some(Fate::Reset { arrived }) => {
            if arrived {
                arrives(usual(), true, None);
            } else {
                lost();
            }
            let mailbox = mailbox.clone();
            let (id, place) = (id.clone(), place);
            scheduler::after(usual(), move || {
                network(|network| {
                    if let Some(place) = place
                        && let Some(sent) = network.sent.get_mut(&id).and_then(|sent| sent.get_mut(place))
                    {
                        sent.reset = true;
                    }
                });
                deliver(&mailbox, Err(FailureKind::Lost));
            });
        }
        Some(Fate::Repeat { after_ms }) => {
            arrives(usual(), true, Some(usual()));
            arrives(after_ms * MS, false, None);
        }
        Some(Fate::Gateway { status, page, arrived: false }) => {
            lost();
            let mailbox = mailbox.clone();
            scheduler::after(usual(), move || deliver(&mailbox, Ok(engage::gateway(status, page))));
        }
        _ => arrives(usual(), true, Some(usual())),
    }
    // A process that dies now leaves its request on the way.
    state::effect();
    loop {
        if state::is_dead(process) {
            return Err(failed(FailureKind::Lost));
        }
        if let Some(outcome) = mailbox.borrow_mut().outcome.take() {
            state::effect();
            if state::is_dead(process) {
                return Err(failed(FailureKind::Lost));
            }
            if let (false, Ok(Response { status: 200 | 404, .. })) = (post, &outcome) {
                let contact = request.path.expose().split("contactId=").nth(1);
                let contact = contact.and_then(|rest| rest.split('&').next()).unwrap_or_default().to_owned();
                let now = scheduler::now();
                network(|network| network.histories.insert((process, contact), now));
            }
            return outcome.map_err(failed);
        }
        if let Some(ended_by) = call.end_reason() {
            return Err(ended(ended_by));
        }
        let wakeup = scheduler::wakeup();
        mailbox.borrow_mut().reader = Some(wakeup);
        network(|network| network.waiting.push(wakeup));
        scheduler::wait(wakeup, Some(call.deadline().in_run()));
        network(|network| network.waiting.retain(|other| *other != wakeup));
    }
}
