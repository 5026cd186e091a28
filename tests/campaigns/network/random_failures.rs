//! Many threads on one client while the network and the server fail at random, for seconds. Every
//! reported outcome must agree with the ledger at the end, when all is resolved.

use crate::alone;
use crate::cutting_proxy::{Break, Kind, Proxy, Side};
use crate::full;
use crate::random::Random;
use crate::support::{COFFEE, Store, eventually, parse, unacknowledged};
use engage_point_shop::{Client, Code, ContactId, Error, OperationId, Outcome};
use engage_sandbox::{Effect, Fault, FaultResponse, Member, Operation};
use serde_json::json;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const THREADS: u64 = 32;
const WAIT_MS: u64 = 150;

/// A press and its result.
struct Press {
    contact: ContactId,
    reference: Option<String>,
    id: Option<OperationId>,
    code: Code,
}

fn seed() -> u64 {
    match std::env::var("EPS_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => uuid_seed(),
    }
}

fn uuid_seed() -> u64 {
    OperationId::fresh().uuid().as_u64_pair().1
}

/// A failure of the server or of the connection.
fn fail_at_random(random: &mut Random, store: &Store, proxy: &Proxy) {
    let effect = match random.below(14) {
        0 => Effect::Delay { ms: 200 },
        1 => Effect::Status(FaultResponse::status(503)),
        2 => Effect::StatusAfterCommit(FaultResponse::status(502)),
        3 => Effect::ResetBeforeCommit,
        4 => Effect::ResetAfterCommit,
        5 => Effect::CloseBeforeCommit,
        6 => Effect::CloseAfterCommit,
        7 => Effect::StallBeforeCommit,
        8 => Effect::StallAfterCommit,
        9 => Effect::Truncate { bytes: usize::try_from(random.below(600)).unwrap() },
        10 => Effect::Garbage,
        11 => Effect::Html,
        12 => Effect::WrongLength { delta: 3 },
        _ => {
            let from = if random.below(2) == 0 { Side::Client } else { Side::Server };
            let kind = [Kind::Cut, Kind::Reset, Kind::Stall][usize::try_from(random.below(3)).unwrap()];
            proxy.break_next(Break { from, after: usize::try_from(random.below(2_500)).unwrap(), kind });
            return;
        }
    };
    store.sandbox.arm(Fault::on(Operation::Any, effect));
}

/// Runs one thread's presses and reads. Returns the presses, and the results that were wrong at
/// once.
fn press(
    client: &Client,
    contacts: &[ContactId],
    mut random: Random,
    until: Instant,
    thread: u64,
) -> (Vec<Press>, Vec<String>) {
    let (mut presses, mut wrong) = (Vec::new(), Vec::new());
    let mut round = 0;
    while Instant::now() < until {
        round += 1;
        let contact = contacts[usize::try_from(random.below(contacts.len() as u64)).unwrap()];
        let began = Instant::now();
        if random.below(3) == 0 {
            match client.list_items(contact, Some(&json!({ "waitMs": WAIT_MS }).to_string())) {
                Ok(list) if parse(&list).as_array().is_none_or(|list| list.len() < 5) => {
                    wrong.push("a list that is cut short".to_owned());
                }
                Err(error) if !(-499..=-400).contains(&error.code().number()) => wrong.push(error.to_string()),
                _ => {}
            }
        } else {
            // Half of the presses share a reference with other threads.
            let reference = match random.below(2) {
                0 => None,
                _ => Some(format!("R{}-{}", contact, round / 4)),
            };
            let id = reference.is_none().then(OperationId::fresh);
            let mut options = json!({ "waitMs": WAIT_MS });
            match (&reference, id) {
                (Some(reference), _) => options["reference"] = json!(reference),
                (None, id) => options["purchaseId"] = json!(id),
            }
            let result = client.purchase(contact, COFFEE, Some(&options.to_string()));
            let code = result.as_ref().map_or_else(Error::code, |_| Code::Ok);
            let id = match &result {
                Ok(operation) => OperationId::parse(parse(operation)["operationId"].as_str().unwrap(), "id").ok(),
                Err(error) => error.operation().or(id),
            };
            presses.push(Press { contact, reference, id, code });
        }
        let over = began.elapsed().saturating_sub(Duration::from_millis(WAIT_MS));
        if over > Duration::from_secs(1) {
            wrong.push(format!("thread {thread}: a call took {over:?} more than its wait"));
        }
    }
    (presses, wrong)
}

#[test]
fn outcomes_under_random_failures_match_the_ledger() {
    let _alone = alone();
    let seed = seed();
    let length = Duration::from_secs(if full() { 25 } else { 4 });
    let store = Store::open();
    let contacts: Vec<ContactId> = (0..8)
        .map(|_| {
            let member = Member::new("Storm", 1_000_000);
            let id = member.contact_id;
            store.sandbox.add_member(member).unwrap();
            ContactId::from_uuid(id)
        })
        .collect();
    let port = store.sandbox.https_url().rsplit(':').next().unwrap().parse().unwrap();
    let proxy = Proxy::start(SocketAddr::from(([127, 0, 0, 1], port)));
    let client = store.client_with(&json!({
        "baseUrl": format!("https://localhost:{}", proxy.address.port()), "requestTimeoutMs": 400,
    }));
    let until = Instant::now() + length;
    let (presses, mut violations, failures) = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (client, contacts) = (&client, &contacts);
                scope.spawn(move || press(client, contacts, Random::new(seed ^ (thread + 1)), until, thread))
            })
            .collect();
        let mut random = Random::new(seed);
        let mut failures = 0;
        while Instant::now() < until {
            fail_at_random(&mut random, &store, &proxy);
            failures += 1;
            if failures % 8 == 0 {
                proxy.release();
                store.sandbox.clear_faults();
            }
            std::thread::park_timeout(Duration::from_millis(5 + random.below(20)));
        }
        let (mut presses, mut wrong) = (Vec::new(), Vec::new());
        for thread in threads {
            let (of_thread, one_wrong) = thread.join().unwrap();
            presses.extend(of_thread);
            wrong.extend(one_wrong);
        }
        (presses, wrong, failures)
    });
    proxy.release();
    store.sandbox.clear_faults();
    eventually("everything is resolved", || {
        client.resolve_pending(Some(r#"{"waitMs":1000}"#)).unwrap();
        unacknowledged(&client).iter().all(|operation| operation["outcome"] != "pending").then_some(())
    });
    let records: BTreeMap<String, serde_json::Value> = unacknowledged(&client)
        .into_iter()
        .map(|operation| (operation["operationId"].as_str().unwrap().to_owned(), operation))
        .collect();
    let mut deductions: BTreeMap<String, usize> = BTreeMap::new();
    for id in store.deductions() {
        *deductions.entry(id.to_string()).or_default() += 1;
    }
    let mut codes: BTreeMap<&str, usize> = BTreeMap::new();
    let mut add_violation = |says: String| violations.push(says);
    for (id, record) in &records {
        let deducted = deductions.get(id).copied().unwrap_or(0);
        if deducted != usize::from(record["outcome"] == "completed") {
            add_violation(format!("{id} is {} and was deducted {deducted} times", record["outcome"]));
        }
    }
    for id in deductions.keys().filter(|id| !records.contains_key(*id)) {
        add_violation(format!("{id} was deducted and is not in the journal"));
    }
    let mut by_reference: BTreeMap<(ContactId, &str), OperationId> = BTreeMap::new();
    for press in &presses {
        *codes.entry(press.code.row().name).or_default() += 1;
        if !matches!(press.code.number(), 0 | -599..=-400) {
            add_violation(format!("{:?} was reported as {}", press.id, press.code.row().name));
        }
        let Some(id) = press.id else {
            // Without an operation nothing can have been sent: the journal was not ready.
            continue;
        };
        let outcome = records.get(&id.to_string()).map_or(&serde_json::Value::Null, |record| &record["outcome"]);
        match press.code.row().outcome {
            Outcome::Completed if outcome != "completed" => {
                add_violation(format!("{id} was reported completed and is {outcome}"));
            }
            // A reference that was not sent may be pressed again and bought then. A purchase id may
            // not.
            Outcome::NotSent if outcome != "notSent" && !outcome.is_null() && press.reference.is_none() => {
                add_violation(format!("{id} was reported as {} and is {outcome}", press.code.row().name));
            }
            _ => {}
        }
        if let Some(reference) = &press.reference
            && *by_reference.entry((press.contact, reference)).or_insert(id) != id
        {
            add_violation(format!("{reference} means more than one purchase"));
        }
    }
    println!(
        "campaign random-failures: {} points tried, {} violations, {} presses returned {codes:?}, {failures} failures, {} deductions; seed {seed}",
        presses.len(),
        violations.len(),
        presses.len(),
        deductions.len()
    );
    assert!(violations.is_empty(), "seed {seed}, the first of {}: {}", violations.len(), violations[0]);
    assert!(deductions.len() > 50 && codes.len() > 3, "a storm that did not storm");
}
