//! One run: the POS programs of a plan against the library, and the promises that must hold in
//! every run.

use super::book::{self, Basket, book};
use super::disk::{self, Disk, Disks};
use super::engage::{self, CONTACTS, Engage, ITEMS, Reward, Status, deductions};
use super::network::{self, Network};
use super::plan::{Action, Fault, Plan, Slot};
use super::scheduler::{self, Choice, Micros};
use super::state::{self, Crash, HOUR, MINUTE, MS, Process, Promise, SECOND, State, note, state, violation};
use crate::core::code::{Code, Outcome};
use crate::core::error::Error;
use crate::core::intent::{Intent, IntentState};
use crate::log::Level;
use crate::{AssignmentId, Client, ContactId, ItemId, OperationId};
use serde_json::Value;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A call may outlive its wait by this (invariant 8).
const LATE: Micros = 50 * MS;
/// After the faults, an intent that is neither final nor in review by then is pending for ever.
/// Beyond the resend limit.
const END: Micros = 2 * HOUR;

/// The clients that are open, by place in the plan: the process and its client.
type Open = (usize, Arc<Client>);

thread_local! {
    static CLIENTS: RefCell<Vec<Option<Open>>> = const { RefCell::new(Vec::new()) };
    /// Slots whose client is being opened.
    static OPENING: RefCell<Vec<bool>> = const { RefCell::new(Vec::new()) };
    /// Whether this version of the library knows a configuration key.
    static KNOWN_KEYS: RefCell<BTreeMap<&'static str, bool>> = const { RefCell::new(BTreeMap::new()) };
}

fn client_of(slot: usize) -> Option<Open> {
    CLIENTS.with_borrow(|clients| clients[slot].clone())
}

fn set_client(slot: usize, client: Option<Open>) {
    let before = CLIENTS.with_borrow_mut(|clients| std::mem::replace(&mut clients[slot], client));
    // Dropped outside: the last owner closes the client.
    drop(before);
}

const BASE: &str = "\"baseUrl\":\"http://127.0.0.1:9\",\"userAgent\":\"Simulation/1\",\"apiKey\":\"k\",\"preconnect\":false,\
                    \"proxy\":\"none\",\"systemTrust\":false";

/// Whether the library has a configuration key: worlds use keys that are newer than some versions.
fn knows(key: &'static str, value: &str) -> bool {
    KNOWN_KEYS.with_borrow_mut(|known| {
        let parses = || crate::Config::parse(&format!("{{{BASE},\"{key}\":{value}}}")).is_ok();
        *known.entry(key).or_insert_with(parses)
    })
}

fn config(slot: &Slot) -> String {
    let Slot { till, request_timeout_ms, retry_schedule_ms, resend_limit_ms, .. } = slot;
    let mut json = format!(
        "{{{BASE},\"journalPath\":\"/simulated/till-{till}\",\"requestTimeoutMs\":{request_timeout_ms},\
         \"retryScheduleMs\":{retry_schedule_ms:?},\"startupJitterMs\":2000,\"resendLimitMs\":{resend_limit_ms}"
    );
    if let Some(lag) = slot.history_lag_ms
        && knows("historyLagMs", "1000")
    {
        json.push_str(&format!(",\"historyLagMs\":{lag}"));
    }
    json.push('}');
    json
}

/// Opens the client of a slot in a new process.
fn open(slot: usize, plan: &Slot) -> bool {
    let process = state(|state| {
        state.processes.push(Process { till: plan.till, slot, opened_at: scheduler::now(), ..Process::default() });
        state.processes.len() - 1
    });
    let before = scheduler::process();
    scheduler::enter(process);
    note(2, || "the POS starts and opens the client".into());
    let client = Client::open(&config(plan));
    let opened = match client {
        Ok(client) if !state::is_dead(process) => {
            if plan.logs {
                let keep = move |line: &str| state(|state| state.processes[process].log.push(line.to_owned()));
                let _ = client.set_log(Level::Info, Some(Box::new(move |_, line| keep(line))));
            }
            set_client(slot, Some((process, Arc::new(client))));
            true
        }
        Ok(client) => {
            client.close();
            false
        }
        Err(error) => {
            note(2, || format!("the client cannot be opened: {error}"));
            if error.code().number() > -600 {
                violation(Promise::Alive, format!("the client cannot be opened: {error}"));
            }
            state(|state| state.processes[process].dead = true);
            false
        }
    };
    scheduler::enter(before);
    opened
}

fn parsed(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_default()
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

/// A number of a contact or an item as the constants have it.
fn at<'a>(names: &[&'a str], number: u8) -> &'a str {
    names[usize::from(number) % names.len()]
}

/// The call of one cashier.
struct Call {
    process: usize,
    began: Micros,
    /// The time in which its process had not run before.
    paused: Micros,
    basket: Option<Basket>,
    wait_ms: u64,
    /// Requests of all tills so far.
    requests: u64,
    /// Operations that the journal has declined by the key, when the call begins.
    declined_by_key: Vec<String>,
}

impl Call {
    fn begin(process: usize, basket: Option<Basket>, wait_ms: u64) -> Self {
        let began = scheduler::now();
        if let Some(basket) = &basket {
            state(|state| state.processes[process].pressed_at = began);
            book(|book| book.enter(basket));
        }
        let by_key =
            |it: &Intent| it.state == IntentState::Declined && matches!(it.code, Code::Unauthorized | Code::Forbidden);
        let records = disk::records(state::till_of(process)).into_iter().filter(by_key);
        let declined_by_key = records.map(|intent| intent.id().to_string()).collect();
        let requests = network::network(|network| network.requests);
        Self { process, began, paused: scheduler::paused(process), basket, wait_ms, requests, declined_by_key }
    }

    /// Checks the time of a call, and returns whether another call on the same basket ran
    /// meanwhile.
    fn end(&self, calm: bool) -> bool {
        let paused = scheduler::paused(self.process) - self.paused;
        let (took, wait) = (scheduler::now() - self.began - paused, self.wait_ms);
        if calm && took > wait * MS + LATE && !state::is_dead(self.process) {
            violation(Promise::InTime, format!("a call with waitMs {wait} took {} ms", took / MS));
        }
        self.basket.as_ref().is_some_and(|basket| book(|book| book.leave(basket, self.began)))
    }
}

/// Takes down what a client reports of an operation, and checks it.
fn reported(process: usize, began: Micros, id: &str, outcome: Outcome, what: &str) {
    if id.is_empty() || state::is_dead(process) {
        return;
    }
    note(3, || format!("the library reports {} of {id} ({what})", outcome.name()));
    let now = scheduler::now();
    match outcome {
        Outcome::Completed => {
            if !engage::is_completed(id) && !may_be_anothers(state::till_of(process), id) {
                violation(
                    Promise::Completed,
                    format!("{id} is reported completed ({what}), and Engage has not completed it"),
                );
            }
            book(|book| book.completed(process, id, now));
        }
        Outcome::Declined => book(|book| book.declined(id, now, what)),
        Outcome::Pending => book(|book| book.pending(id, process)),
        Outcome::NotSent => {}
    }
    if outcome != Outcome::Completed && book(|book| book.was_completed(process, id, began)) {
        let text = format!("{id} was reported completed, and the same client then reports {what}");
        violation(Promise::CompletedStays, text);
    }
}

/// Whether nobody could say who has used the reward of a redeem: A7 does not hold for it.
fn may_be_anothers(till: usize, id: &str) -> bool {
    !engage::engage(|engage| engage.rules.rewards_shared) && disk::is_reward_shared(till, id)
}

fn reported_object(process: usize, began: Micros, object: &Value) {
    let outcome = match object["outcome"].as_str() {
        Some("completed") => Outcome::Completed,
        Some("declined") => Outcome::Declined,
        Some("notSent") => Outcome::NotSent,
        _ => Outcome::Pending,
    };
    reported(process, began, &text(object, "operationId"), outcome, object["name"].as_str().unwrap_or_default());
}

/// Whether a call got a decline by the key that was stored before it began, and sent nothing.
fn is_from_memory(call: &Call, error: &Error, id: &str) -> bool {
    let nothing_asked = network::network(|network| network.requests) == call.requests;
    let by_key = matches!(error.code(), Code::Unauthorized | Code::Forbidden);
    // A press during the query that confirms the decline gets the query's result.
    by_key && nothing_asked && call.declined_by_key.iter().any(|declined| declined == id)
}

/// Checks an error of a call that spends.
fn reported_error(call: &Call, error: &Error, overlapped: bool) {
    let problem = parsed(&error.to_json());
    let (row, id) = (error.code().row(), text(&problem, "operationId"));
    note(4, || format!("the library reports {} {} {id}", row.outcome.name(), row.name));
    // A press on a closed client says nothing of what was pending before it was closed.
    let says_not_sent = row.outcome == Outcome::NotSent && error.code() != Code::Closed;
    if let Some(basket) = call.basket.filter(|_| !says_not_sent || state::is_dead(call.process)) {
        book(|book| book.may_leave(&basket));
    }
    if state::is_dead(call.process) {
        return;
    }
    if error.code() == Code::Internal {
        violation(Promise::Alive, format!("an internal error: {error}"));
    }
    book(|book| book.outcomes[row.outcome as usize] += 1);
    // A conflict names another operation: it says nothing about that one.
    let mistake = (-199..=-100).contains(&row.code.number());
    if mistake {
        return;
    }
    reported(call.process, call.began, &id, row.outcome, row.name);
    // An operation of which nothing leaves within the wait stays declined. Promise 13 demands that
    // something leaves.
    let wait_ended = scheduler::now() >= call.began + call.wait_ms * MS;
    if !wait_ended && is_from_memory(call, error, &id) {
        violation(
            Promise::DeclineEnds,
            format!("{id} is declined ({}) from memory, and the key may be right now", row.name),
        );
    }
    if row.outcome == Outcome::NotSent && !id.is_empty() {
        let all_over = call.basket.and_then(|basket| book(|book| book.not_sent_since(&basket)));
        let sent_before = network::network(|network| {
            let is_wrong = |at| at < call.began || !overlapped || all_over.is_some_and(|since| at >= since);
            network.sent.get(&id).is_some_and(|sent| sent.iter().any(|sent| is_wrong(sent.at)))
        });
        if sent_before {
            violation(
                Promise::NotSent,
                format!("{id} is reported not sent ({}), and an attempt of it has left", row.name),
            );
        }
    }
    // A client that cannot read the journal knows of an earlier press only from its memory.
    if row.code.number() <= -600 {
        let basket = call.basket.filter(|basket| basket.receipt.is_some());
        for id in
            basket.map(|basket| book(|book| book.completed_of(call.process, &basket, call.began))).unwrap_or_default()
        {
            hidden(call.process, &id, error);
        }
    } else if row.outcome == Outcome::NotSent
        && id.is_empty()
        && let Some(basket) = call.basket.as_ref().filter(|basket| basket.receipt.is_some())
        && book(|book| book.is_open(basket, call.began))
    {
        let text = format!(
            "a press on receipt {:?} is reported not sent ({}), and its purchase has been sent",
            basket.receipt, row.name
        );
        violation(Promise::NotSent, text);
    }
}

fn check_after_completion(client: &Client, process: usize, id: &str) {
    let began = scheduler::now();
    let Ok(operation) = OperationId::parse(id, "id") else { return };
    match client.get_operation(operation) {
        Ok(object) => reported_object(process, began, &parsed(&object)),
        Err(error) if error.code().number() <= -600 => hidden(process, id, &error),
        Err(error) if error.code() == Code::Closed => {}
        Err(error) if !state::is_dead(process) => {
            let text =
                format!("{id} was reported completed, and the same client then reports {}", error.code().row().name);
            violation(Promise::CompletedStays, text);
        }
        Err(_) => {}
    }
}

/// A journal that cannot be read may not hide a completion that only the memory has.
fn hidden(process: usize, id: &str, error: &Error) {
    let till = state::till_of(process);
    let stored = disk::records(till).iter().any(|intent| intent.state.is_final() && intent.id().to_string() == id);
    if !stored && !state::is_dead(process) {
        let name = error.code().row().name;
        let text = format!("{id} was reported completed and is not stored, and the same client then reports {name}");
        violation(Promise::CompletedShown, text);
    }
}

fn acknowledge(client: &Client, process: usize, id: &str) {
    let began = scheduler::now();
    let Ok(operation) = OperationId::parse(id, "id") else { return };
    let completed = book(|book| book.was_completed(process, id, began + 1));
    book(|book| book.acknowledging(id, began));
    match client.acknowledge(operation) {
        Ok(object) => {
            let object = parsed(&object);
            note(5, || format!("acknowledged {id}"));
            if !state::is_dead(process) {
                book(|book| book.acknowledged(id, scheduler::now()));
            }
            reported_object(process, began, &object);
        }
        // Nothing can be stored: the acknowledgement fails. The completion must still be shown.
        Err(error) if error.code().number() <= -600 && completed => check_after_completion(client, process, id),
        Err(error) if error.code().number() <= -600 || error.code() == Code::Closed => {}
        Err(error) if completed && !state::is_dead(process) => {
            let name = error.code().row().name;
            violation(
                Promise::CompletedStays,
                format!("{id} was reported completed, and its acknowledgement gives {name}"),
            );
        }
        Err(_) => {}
    }
}

/// What a cashier remembers from one action to the next.
#[derive(Default)]
struct Memory {
    /// The last completed purchase: its id and its contact.
    bought: Option<(String, u8)>,
}

fn spend(
    plan: &Plan,
    open: &Open,
    basket: Basket,
    wait_ms: u64,
    make: impl FnOnce(&Client) -> crate::Result<Vec<u8>>,
) -> Option<String> {
    let (process, client) = open;
    let call = Call::begin(*process, Some(basket), wait_ms);
    let result = make(client);
    let overlapped = call.end(plan.slow_threads == 0);
    match result {
        Ok(object) => {
            let object = parsed(&object);
            let id = text(&object, "operationId");
            book(|book| {
                book.outcomes[Outcome::Completed as usize] += 1;
                book.may_leave(&basket);
            });
            reported(*process, call.began, &id, Outcome::Completed, "EPS_OK");
            if state::is_dead(*process) {
                return None;
            }
            let old = book(|book| book.is_acknowledged_before(&id, scheduler::now().saturating_sub(12 * HOUR)));
            if let Some(sale) = book(|book| book.sale_of(&id, &basket)).filter(|_| old) {
                let receipt = basket.receipt;
                let text = format!(
                    "sale {} on receipt {receipt:?} is reported as bought by {id}, which is sale {sale}",
                    basket.sale
                );
                violation(Promise::OneBasket, text);
            }
            check_after_completion(client, *process, &id);
            Some(id)
        }
        Err(error) => {
            let id = text(&parsed(&error.to_json()), "operationId");
            // A conflict names another operation.
            let mistake = (-199..=-100).contains(&error.code().number());
            if !id.is_empty() && !mistake && !state::is_dead(*process) {
                book(|book| book.sale_of(&id, &basket));
            }
            reported_error(&call, &error, overlapped);
            let in_vain = error.code() == Code::TimedOut || is_from_memory(&call, &error, &id);
            if in_vain && wait_ms >= 3_000 && plan.is_quick() && !state::is_dead(*process) {
                let text = format!("a sale is not sent within {wait_ms} ms, and nothing is slow but responses");
                violation(Promise::AlwaysAWorker, text);
            }
            None
        }
    }
}

fn receipt_option(receipt: Option<u32>) -> String {
    receipt.map_or(String::new(), |receipt| format!(",\"reference\":\"receipt {receipt}\""))
}

fn act(plan: &Plan, slot: usize, action: &Action, memory: &mut Memory) {
    let Some(open) = client_of(slot) else { return };
    let (process, client) = &open;
    scheduler::enter(*process);
    let till = state::till_of(*process);
    match action {
        Action::Purchase { contact, item, receipt, wait_ms, sale, snapshot, acknowledge: stored } => {
            let basket = Basket { till, contact: *contact, item: *item, receipt: *receipt, sale: *sale, redeem: false };
            let options =
                format!("{{\"waitMs\":{wait_ms},\"snapshotRewards\":{snapshot}{}}}", receipt_option(*receipt));
            note(6, || format!("the cashier sells item {item} to member {contact}: {options}"));
            let (Ok(member), Ok(thing)) =
                (ContactId::parse(at(&CONTACTS, *contact), "contact"), ItemId::parse(at(&ITEMS, *item), "item"))
            else {
                return;
            };
            let id = spend(plan, &open, basket, *wait_ms, |client| client.purchase(member, thing, Some(&options)));
            if let Some(id) = id {
                if *stored {
                    acknowledge(client, *process, &id);
                    check_after_completion(client, *process, &id);
                }
                memory.bought = Some((id, *contact));
            }
        }
        Action::UseReward { wait_ms } => {
            let Some((id, contact)) = memory.bought.clone() else { return };
            let Ok(operation) = OperationId::parse(&id, "id") else { return };
            let Ok(found) = client.find_reward(operation, Some("{\"waitMs\":3000}")) else { return };
            let found = parsed(&found);
            let Ok(reward) = AssignmentId::parse(&text(&found, "assignmentId"), "id") else { return };
            if !state::is_dead(*process)
                && !engage::engage(|engage| {
                    let row = engage.ledger.iter().find(|row| row.id == id);
                    row.is_some_and(|row| engage.rewards[row.reward].id == reward.to_string())
                })
            {
                note(7, || format!("the library names a reward that {id} did not give: {reward}"));
            }
            let options = format!("{{\"waitMs\":{wait_ms},\"reference\":\"use {id}\"}}");
            note(6, || format!("the cashier uses the reward {reward}: {options}"));
            let basket = Basket { till, contact, item: 0, receipt: None, sale: 0, redeem: true };
            let member = ContactId::parse(at(&CONTACTS, contact), "contact").ok();
            spend(plan, &open, basket, *wait_ms, |client| client.redeem_reward(member, reward, Some(&options)));
        }
        Action::UseGift { gift, receipt, wait_ms, name_contact } => {
            let Ok(reward) = AssignmentId::parse(&engage::gift_id(usize::from(*gift)), "id") else { return };
            let options = format!("{{\"waitMs\":{wait_ms}{}}}", receipt_option(*receipt));
            note(6, || format!("the cashier uses the gift {gift}: {options}"));
            let member = ContactId::parse(CONTACTS[0], "contact").ok().filter(|_| *name_contact);
            let basket = Basket { till, contact: 0, item: *gift, receipt: *receipt, sale: 0, redeem: true };
            spend(plan, &open, basket, *wait_ms, |client| client.redeem_reward(member, reward, Some(&options)));
        }
        Action::AcknowledgeAll => {
            let began = scheduler::now();
            let Ok(list) = client.list_unacknowledged(None) else { return };
            for object in parsed(&list)["operations"].as_array().into_iter().flatten() {
                reported_object(*process, began, object);
                if object["outcome"] != "pending" {
                    acknowledge(client, *process, &text(object, "operationId"));
                }
            }
        }
        Action::Resolve { wait_ms } => {
            let call = Call::begin(*process, None, *wait_ms);
            let options = format!("{{\"waitMs\":{wait_ms}}}");
            let _ = client.resolve_pending(Some(&options));
            call.end(plan.slow_threads == 0);
        }
        Action::CancelAll => {
            note(6, || "the cashier cancels".into());
            let _ = client.cancel();
            network::cancelled();
        }
        Action::Sleep { ms } => scheduler::sleep(ms * MS),
        Action::Reopen { after_ms } => {
            note(6, || "the POS closes the client".into());
            let began = scheduler::now();
            client.close();
            network::cancelled();
            let took = scheduler::now() - began;
            if plan.slow_threads == 0 && took > 2 * SECOND + LATE {
                violation(Promise::InTime, format!("closing took {} ms", took / MS));
            }
            if client_of(slot).is_some_and(|(now, _)| now == *process) {
                state(|state| state.processes[*process].dead = true);
                set_client(slot, None);
                scheduler::enter(0);
                scheduler::sleep(after_ms * MS);
                open_until_it_works(slot, &plan.slots[slot]);
            }
        }
    }
}

fn open_until_it_works(slot: usize, plan: &Slot) {
    if client_of(slot).is_some() || OPENING.with_borrow_mut(|opening| std::mem::replace(&mut opening[slot], true)) {
        return;
    }
    for _ in 0..20 {
        if open(slot, plan) {
            break;
        }
        scheduler::sleep(5 * SECOND);
    }
    OPENING.with_borrow_mut(|opening| opening[slot] = false);
}

/// Restarts the processes that a crash has killed.
fn watch_for_crashes(plan: &Arc<Plan>) {
    loop {
        // A crash is noticed after a moment.
        if state(|state| state.crashed.is_empty()) {
            state::await_change(scheduler::now() + HOUR);
        }
        scheduler::sleep(scheduler::below(500 * MS));
        let crashed = state(|state| std::mem::take(&mut state.crashed));
        for (process, _) in crashed {
            let slot = state(|state| state.processes[process].slot);
            if let Some((_, client)) = client_of(slot).filter(|(open, _)| *open == process) {
                set_client(slot, None);
                // Its threads end; nothing that they do has an effect.
                scheduler::spawn_in(process, move || client.close());
                network::cancelled();
            }
            let plan = plan.clone();
            scheduler::spawn_in(0, move || {
                scheduler::sleep(scheduler::below(20 * SECOND));
                // After the faults the scenario itself opens every till.
                if !state(|state| state.calm) && plan.starts_again(slot) {
                    open_until_it_works(slot, &plan.slots[slot]);
                }
            });
        }
        if state(|state| state.calm && state.crashed.is_empty()) {
            return;
        }
    }
}

fn events(plan: &Plan) {
    for fault in &plan.faults {
        match *fault {
            Fault::Clock { till, at_ms, offset_ms } => scheduler::after(at_ms * MS, move || {
                note(8, || format!("till {till}'s clock is {offset_ms} ms ahead now"));
                state(|state| state.clock_offsets[till] = offset_ms);
            }),
            Fault::Pause { till, at_ms, ms, suspended } => scheduler::after(at_ms * MS, move || {
                note(8, || format!("till {till} does not run for {ms} ms; suspended: {suspended}"));
                scheduler::pause(&state::processes_of(till), ms * MS, suspended);
            }),
            Fault::Merge { at_ms } => scheduler::after(at_ms * MS, || {
                note(8, || "the member is merged into another".into());
                engage::engage(|engage| engage.merged = true);
            }),
            Fault::Expire { at_ms } => scheduler::after(at_ms * MS, || {
                note(8, || "the promotion ends".into());
                engage::engage(|engage| engage.expired = true);
            }),
            Fault::OtherUses { gift, at_ms } => scheduler::after(at_ms * MS, move || {
                note(8, || format!("another channel uses gift {gift}"));
                let now = scheduler::now();
                // At the start of the run: an hour before it.
                let done = if at_ms == 0 { -engage::signed(HOUR) } else { engage::signed(now) };
                engage::engage(|engage| {
                    if let Some(reward) = engage.rewards.get_mut(usize::from(gift)) {
                        reward.used.get_or_insert((engage::ANOTHER_CHANNEL.into(), now, done));
                    }
                });
            }),
            _ => {}
        }
    }
}

/// The first task of a run.
fn main(plan: &Arc<Plan>) {
    events(plan);
    let cashiers = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    for (place, slot) in plan.slots.iter().enumerate() {
        let (plan, cashiers) = (plan.clone(), cashiers.clone());
        let opens_at = slot.opens_at_ms * MS;
        cashiers.fetch_add(slot.callers.len(), std::sync::atomic::Ordering::SeqCst);
        scheduler::spawn_in(0, move || {
            scheduler::sleep(opens_at);
            open_until_it_works(place, &plan.slots[place]);
            for caller in 0..plan.slots[place].callers.len() {
                let (plan, cashiers) = (plan.clone(), cashiers.clone());
                scheduler::spawn_in(0, move || {
                    let mut memory = Memory::default();
                    for action in &plan.slots[place].callers[caller] {
                        for _ in 0..60 {
                            if client_of(place).is_some() {
                                break;
                            }
                            scheduler::sleep(SECOND);
                        }
                        act(&plan, place, action, &mut memory);
                        scheduler::enter(0);
                    }
                    cashiers.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                    state::changed();
                });
            }
        });
    }
    let (watched, watching) = (plan.clone(), Arc::new(std::sync::atomic::AtomicBool::new(true)));
    let watches = watching.clone();
    scheduler::spawn_in(0, move || {
        watch_for_crashes(&watched);
        watches.store(false, std::sync::atomic::Ordering::SeqCst);
    });
    while scheduler::now() < plan.calm_after_s * SECOND || cashiers.load(std::sync::atomic::Ordering::SeqCst) > 0 {
        let calm_at = plan.calm_after_s * SECOND;
        state::await_change(if scheduler::now() < calm_at { calm_at } else { scheduler::now() + HOUR });
    }
    note(9, || "the faults end".into());
    state(|state| state.calm = true);
    state::changed();
    scheduler::sleep(30 * SECOND);
    while watching.load(std::sync::atomic::Ordering::SeqCst) {
        scheduler::sleep(SECOND);
    }
    await_ends(plan);
    let unknown = unknown_pending();
    close_all(plan);
    judge(unknown);
}

/// Waits until every intent of every till is final or in review.
fn await_ends(plan: &Plan) {
    // Every till is open, or nobody resolves its intents.
    for (place, slot) in plan.slots.iter().enumerate().filter(|(place, _)| plan.starts_again(*place)) {
        open_until_it_works(place, slot);
        while OPENING.with_borrow(|opening| opening[place]) {
            scheduler::sleep(SECOND);
        }
    }
    let limit = plan.slots.iter().map(|slot| slot.resend_limit_ms).max().unwrap_or(0) * MS;
    let until = scheduler::now() + limit + END;
    let tills = disk::disks(|disks| disks.tills.len());
    loop {
        let open: Vec<_> = (0..tills)
            .flat_map(disk::records)
            .filter(|intent| !intent.state.is_final() && !intent.needs_review() && !intent.is_acknowledged())
            .collect();
        // What was reported pending and could not be stored is stored when the disk allows it.
        if open.is_empty() && unknown_pending().is_empty() && engage::engage(|engage| engage.to_come == 0) {
            return;
        }
        if scheduler::now() > until {
            for intent in open {
                let (id, state, code) = (intent.id(), intent.state.name(), intent.code.row().name);
                let hours = (scheduler::now() - plan.calm_after_s * SECOND) / HOUR;
                violation(Promise::Ends, format!("{id} is {state} ({code}) {hours} hours after the last fault"));
            }
            return;
        }
        scheduler::sleep(20 * SECOND);
    }
}

fn close_all(plan: &Plan) {
    for place in 0..plan.slots.len() {
        if let Some((process, client)) = client_of(place) {
            for id in book(|book| book.completed_by(process)) {
                scheduler::enter(process);
                check_after_completion(&client, process, &id);
                scheduler::enter(0);
            }
            client.close();
            network::cancelled();
            set_client(place, None);
        }
    }
    let until = scheduler::now() + 30 * MINUTE;
    while scheduler::live() > 1 && scheduler::now() < until {
        scheduler::sleep(SECOND);
    }
}

/// Returns the operations that a process which still runs has reported pending, and that its
/// journal does not have.
fn unknown_pending() -> Vec<String> {
    let pending = book(|book| book.all_pending());
    let is_unknown = |(id, process): &(String, usize)| {
        let records = disk::records(state::till_of(*process));
        let known = records.iter().any(|intent| intent.id().to_string() == *id);
        !known && !state::is_dead(*process) && !book(|book| book.is_acknowledged(id))
    };
    pending.into_iter().filter(is_unknown).map(|(id, _)| id).collect()
}

/// Compares what was reported with the ledger. `unknown`: operations that no journal got.
fn judge(unknown: Vec<String>) {
    let tills = disk::disks(|disks| disks.tills.len());
    for till in 0..tills {
        let records = disk::records(till);
        for intent in &records {
            let id = intent.id().to_string();
            let (state, code) = (intent.state.name(), intent.code.row().name);
            let deducted = deductions(&id);
            let done = deducted.iter().any(|(_, status)| *status == Status::Completed);
            match intent.state {
                IntentState::Completed if !done && !may_be_anothers(till, &id) => {
                    violation(Promise::Completed, format!("the journal has {id} completed, and Engage does not"));
                }
                IntentState::Declined if !deducted.is_empty() => {
                    violation(
                        Promise::Declined,
                        format!("the journal has {id} {state} ({code}), and Engage has deducted"),
                    );
                }
                IntentState::NotSent if !deducted.is_empty() => {
                    violation(
                        Promise::NotSent,
                        format!("the journal has {id} {state} ({code}), and Engage has deducted"),
                    );
                }
                _ => {}
            }
            if intent.needs_review() {
                book(|book| book.reviews += 1);
            }
            book(|book| book.operations += 1);
        }
    }
    for (id, at, code) in book(|book| book.all_declined()) {
        // Only an operation that the key has declined is sent again by the next press.
        let by_key = [Code::Unauthorized, Code::Forbidden].iter().any(|it| it.row().name == code);
        if deductions(&id).iter().any(|(sent_at, _)| !by_key || *sent_at <= at) {
            violation(Promise::Declined, format!("{id} was reported declined ({code}), and Engage has deducted"));
        }
    }
    // The same id, deducted twice.
    let ids: Vec<String> = network::network(|network| network.sent.keys().cloned().collect());
    for id in &ids {
        let times = deductions(id).len();
        if times > 1 {
            violation(Promise::OneDeduction, format!("{id} was deducted {times} times"));
        }
    }
    // The same receipt, bought twice. The two contact ids of a merged member count as one.
    let mut bought: BTreeMap<Basket, Vec<(Micros, Basket, String)>> = BTreeMap::new();
    for (id, basket) in book(|book| book.baskets.clone()) {
        if basket.receipt.is_some() && !basket.redeem && engage::is_completed(&id) {
            let first = Basket { contact: basket.person(), ..basket };
            bought.entry(first).or_default().push((network::first_sent(&id), basket, id));
        }
    }
    for (basket, mut sales) in bought {
        sales.sort();
        let is_same_sale = |(_, one, id): &(Micros, Basket, String), (sent, other, _): &(Micros, Basket, String)| {
            // Under the member's other id it is another sale, once the POS has acknowledged the
            // first one: the library knows nothing of merges, and then blocks no longer.
            one.contact == other.contact || !book(|book| book.is_acknowledging_before(id, *sent))
        };
        let twice = (1..sales.len()).any(|at| sales[..at].iter().any(|one| is_same_sale(one, &sales[at])));
        if twice {
            let ids: Vec<&String> = sales.iter().map(|(_, _, id)| id).collect();
            let text =
                format!("receipt {:?}, sale {} was bought {} times: {ids:?}", basket.receipt, basket.sale, ids.len());
            violation(Promise::OneDeduction, text);
        }
    }
    for id in unknown {
        violation(Promise::Ends, format!("{id} was reported pending, and the journal never gets it"));
    }
    // Completed, and no journal knows.
    for id in ids {
        let known = (0..tills).any(|till| disk::records(till).iter().any(|intent| intent.id().to_string() == id));
        if engage::is_completed(&id) && !known && !book(|book| book.is_acknowledged(&id)) {
            violation(Promise::Kept, format!("Engage has completed {id}, and no journal has it"));
        }
    }
}

/// The result of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcomes {
    pub violations: Vec<state::Violation>,
    pub trace: Vec<String>,
    pub digest: u64,
    pub steps: u64,
    pub now: Micros,
    pub requests: u64,
    pub operations: u64,
    pub reviews: u64,
    /// Calls by outcome.
    pub outcomes: [u64; 4],
    pub processes: Vec<Process>,
}

/// Runs a plan with an order of its threads.
pub(crate) fn run(plan: &Plan, seed: u64, trace: bool) -> Outcomes {
    let tills = plan.slots.iter().map(|slot| slot.till + 1).max().unwrap_or(1);
    let crashes = plan.faults.iter().filter_map(|fault| match *fault {
        Fault::Crash { slot, effect, power } => Some(Crash { slot, effect, power }),
        _ => None,
    });
    state::replace(State {
        processes: vec![Process::default()],
        clock_offsets: vec![0; tills],
        crashes: crashes.collect(),
        effects: vec![0; plan.slots.len()],
        trace: trace.then(Vec::new),
        ..State::default()
    });
    disk::replace(Disks {
        tills: (0..tills).map(|_| Disk::default()).collect(),
        faults: plan.faults.clone(),
        sync_us: plan.sync_us,
    });
    let gifts = 0..usize::from(plan.gifts);
    engage::replace(Engage {
        rules: plan.rules.clone(),
        rewards: gifts
            .map(|gift| Reward { id: engage::gift_id(gift), contact: CONTACTS[0].to_owned(), used: None })
            .collect(),
        ..Engage::default()
    });
    network::replace(Network::new(plan.faults.clone()));
    book::replace();
    CLIENTS.set(vec![None; plan.slots.len()]);
    OPENING.set(vec![false; plan.slots.len()]);
    let choice = Choice { clock: plan.slow_threads, stay: plan.stay, priorities: plan.priorities };
    let shared = Arc::new(plan.clone());
    let ended = scheduler::run(seed, choice, move || main(&shared));
    let state = state::replace(State::default());
    let mut violations = state.violations;
    let alive = |text| state::Violation { promise: Promise::Alive, text };
    violations.extend(ended.panics.into_iter().map(|text| alive(format!("a panic: {text}"))));
    violations.extend(ended.stuck.into_iter().map(alive));
    let book = book::replace();
    if !violations.is_empty() {
        // A client that is still there belongs to a run that has no end.
        CLIENTS.with_borrow_mut(|clients| clients.drain(..).for_each(std::mem::forget));
    }
    let digest = [ended.now, ended.steps].into_iter().fold(state.digest, |sum, part| (sum ^ part).rotate_left(17));
    Outcomes {
        violations,
        trace: state.trace.unwrap_or_default(),
        digest,
        steps: ended.steps,
        now: ended.now,
        requests: network::network(|network| network.requests),
        operations: book.operations,
        reviews: book.reviews,
        outcomes: book.outcomes,
        processes: state.processes,
    }
}
