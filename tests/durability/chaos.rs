//! Eight processes on four journals buy at random while Engage fails at random and they are killed and started again at random.
//! In the end the faults stop, every journal is settled, and the sum of deductions is the sum of completed intents.

use crate::campaign::{Random, Store, alone, full, recover, setting};
use crate::till::{Told, run_till};
use engage_sandbox::seed::demo;
use engage_sandbox::{Effect, Fault, FaultResponse, Member, Operation, RequestEntry};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};
use uuid::Uuid;

const JOURNALS: usize = 4;
const PROCESSES: usize = 8;
/// Pairs of members of a journal, and how many receipts each is there for before the next one's turn.
const VISITS: usize = 64;
const RECEIPTS: u64 = 30;

/// What all processes of one journal share.
struct Till {
    journal: PathBuf,
    config: String,
    contacts: Vec<Uuid>,
    told: Mutex<Vec<Told>>,
    /// The number of the newest receipt; the older ones are pressed again now and then.
    receipt: AtomicU64,
    /// Purchase ids that the POS made, with what they were made for.
    named: Mutex<Vec<(Uuid, Uuid, Uuid)>>,
}

impl Till {
    /// Who is there at a receipt.
    fn member(&self, receipt: u64, poor: bool) -> Uuid {
        let visit = usize::try_from(receipt / RECEIPTS).unwrap_or_default() % VISITS;
        self.contacts[2 * visit + usize::from(poor)]
    }
}

#[derive(Default)]
struct Counts {
    lives: AtomicU64,
    kills: AtomicU64,
    faults: AtomicU64,
}

#[test]
fn random_kills_and_faults_in_eight_processes_deduct_exactly_what_was_completed() {
    let _alone = alone();
    let seconds = setting("EPS_CHAOS_SECONDS").unwrap_or(if full() { 600 } else { 10 });
    let seed = Random::seed();
    // Said first, so that it is there whatever happens.
    println!("campaign chaos: seed {seed}, {seconds} s");
    let store = Store::open();
    let tills: Vec<Till> = (0..JOURNALS).map(|number| open_shop(&store, number)).collect();
    let counts = Counts::default();
    let until = Instant::now() + Duration::from_secs(seconds);
    let (requests, ran) = std::thread::scope(|scope| {
        let processes: Vec<_> = (0..PROCESSES)
            .map(|process| {
                let (till, counts) = (&tills[process % JOURNALS], &counts);
                scope.spawn(move || {
                    let mut random = Random::new(seed ^ ((process as u64 + 1) << 32));
                    let mut lived = Ok(());
                    while lived.is_ok() && Instant::now() < until {
                        lived = one_life(till, &mut random, until, counts);
                    }
                    lived
                })
            })
            .collect();
        let requests = make_trouble(&store, Random::new(seed), until, &counts);
        let ran = processes.into_iter().try_for_each(|process| process.join().expect("it judges"));
        (requests, ran)
    });
    let verdict = ran.and_then(|()| end(&store, &tills, requests));
    let presses: usize = tills.iter().map(|till| presses(&till.told.lock().expect("nobody panics with it"))).sum();
    let [lives, kills, faults] =
        [&counts.lives, &counts.kills, &counts.faults].map(|count| count.load(Ordering::Relaxed));
    let found = verdict.as_ref().copied().unwrap_or_default();
    println!(
        "campaign chaos: {presses} points tried, {} violations, {lives} processes, {kills} kills, {faults} faults, {} intents, {} requests that spend, {} deductions; seed {seed}",
        u8::from(verdict.is_err()),
        found.intents,
        found.posts,
        found.deductions
    );
    if let Err(why) = verdict {
        panic!("campaign chaos: {why}\n  replay: EPS_SEED={seed} EPS_CHAOS_SECONDS={seconds}");
    }
    assert!(kills > 0 && found.deductions > 0, "nothing happened");
}

fn presses(told: &[Told]) -> usize {
    told.iter().filter(|call| matches!(call.verb(), "purchase" | "named")).count()
}

/// A journal and its members, by turns: one with points for everything, one who soon has none left. A member's history is asked for
/// as a whole, so there are enough of them to keep each short.
fn open_shop(store: &Store, number: usize) -> Till {
    let contacts: Vec<Uuid> = [1_000_000, 1_500]
        .into_iter()
        .cycle()
        .take(2 * VISITS)
        .map(|points| {
            let contact_id = Uuid::new_v4();
            let name = format!("Member {number} with {points}");
            let member = Member { contact_id, name, points, ..Member::default() };
            store.sandbox.add_member(member).expect("a fresh id");
            contact_id
        })
        .collect();
    let journal = store.journal(&number.to_string());
    let https = number.is_multiple_of(2);
    let config = store.config(&journal, &if https { store.sandbox.https_url() } else { store.sandbox.http_url() });
    Till { journal, config, contacts, told: Mutex::default(), receipt: AtomicU64::new(1), named: Mutex::default() }
}

/// How a till's life goes on after a call.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    /// The call ended.
    Ended,
    /// It did not end in the time it was given.
    Late,
    /// The till is gone.
    Gone,
}

/// A process from its start to its end, which is a kill more often than not. What it told is kept.
/// It is a violation when it ends by itself before its script, or when a call does not return.
fn one_life(till: &Till, random: &mut Random, until: Instant, counts: &Counts) -> Result<(), String> {
    let mut child = run_till(&till.config, &["stdin", "close"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the till starts");
    counts.lives.fetch_add(1, Ordering::Relaxed);
    let mut input = child.stdin.take().expect("piped");
    let mut hear = BufReader::new(child.stdout.take().expect("piped"));
    let (send, lines) = channel();
    let mut heard = String::new();
    let (killed, hangs) = std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut line = String::new();
            // What a kill has cut off has no end of line.
            while hear.read_line(&mut line).is_ok() && line.ends_with('\n') && send.send(line.clone()).is_ok() {
                line.clear();
            }
        });
        let (mut killed, mut hangs) = (false, false);
        // The first call is the open.
        for _ in 0..2 + random.below(15) {
            let doomed = random.one_in(3);
            let patience = if doomed { Duration::from_micros(random.below(40_000)) } else { ENDLESS };
            let then = wait_for_end(&lines, &mut heard, patience);
            killed = doomed && then == Then::Late;
            hangs = !doomed && then == Then::Late;
            if then != Then::Ended || Instant::now() > until || writeln!(input, "{}", command(till, random)).is_err() {
                break;
            }
        }
        if killed || hangs {
            child.kill().expect("it is ours");
            counts.kills.fetch_add(1, Ordering::Relaxed);
        }
        drop(input);
        // To the end of its output, whole or cut off.
        for line in &lines {
            heard += &line;
        }
        (killed, hangs)
    });
    let status = child.wait().expect("it ends");
    if hangs {
        return Err(format!("a call did not return within {ENDLESS:?}:\n{heard}"));
    }
    if !killed && !status.success() {
        return Err(format!("a till ended by itself with {status:?}:\n{heard}"));
    }
    till.told.lock().expect("nobody panics with it").extend(Told::parse(&heard));
    Ok(())
}

/// Far beyond the longest wait that is asked for, and closing.
const ENDLESS: Duration = Duration::from_secs(30);

fn wait_for_end(lines: &Receiver<String>, heard: &mut String, patience: Duration) -> Then {
    let until = Instant::now() + patience;
    loop {
        match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                heard.push_str(&line);
                if line.starts_with("END") {
                    return Then::Ended;
                }
            }
            Err(RecvTimeoutError::Timeout) => return Then::Late,
            Err(RecvTimeoutError::Disconnected) => return Then::Gone,
        }
    }
}

/// What a cashier does next.
fn command(till: &Till, random: &mut Random) -> String {
    let contact = till.member(till.receipt.load(Ordering::Relaxed), random.one_in(3));
    let item = *random.pick(&[
        demo::COFFEE,
        demo::COFFEE,
        demo::COFFEE,
        demo::COFFEE,
        demo::TOTE_BAG,
        demo::SLOW,
        demo::FAILS,
        demo::TIMES_OUT,
    ]);
    let wait = *random.pick(&[0, 5, 50, 400, 1_500]);
    let press = match random.below(20) {
        0..=6 => {
            let newest = match random.one_in(2) {
                true => till.receipt.fetch_add(1, Ordering::Relaxed),
                false => till.receipt.load(Ordering::Relaxed),
            };
            // The same receipt is always of the same member and item here, or else it would be another purchase.
            let receipt = newest.saturating_sub(random.below(4)).max(1);
            let contact = till.member(receipt, receipt.is_multiple_of(3));
            let item = if receipt % 5 == 0 { demo::SLOW } else { demo::COFFEE };
            format!("purchase:{contact}:{item}:R{receipt}:{wait}")
        }
        7..=9 => format!("purchase:{contact}:{item}::{wait}"),
        10..=12 => {
            let mut named = till.named.lock().expect("nobody panics with it");
            if named.is_empty() || random.one_in(2) {
                named.push((Uuid::new_v4(), contact, item));
            }
            let from = named.len().saturating_sub(4);
            let (id, contact, item) = *random.pick(&named[from..]);
            format!("named:{contact}:{item}:{id}:{wait}")
        }
        13..=14 => return format!("settle:{wait}"),
        15 => return "unsettled".into(),
        16..=18 => return "ackall\nstats".into(),
        _ => return "reopen".into(),
    };
    if random.one_in(8) { format!("threads:2:{press}") } else { press }
}

/// Arms faults until the time is over, then takes them all away. All requests that came in meanwhile, in order:
/// the sandbox keeps the last 10 000 only.
fn make_trouble(store: &Store, mut random: Random, until: Instant, counts: &Counts) -> BTreeMap<u64, RequestEntry> {
    let mut requests = BTreeMap::new();
    let mut looked = Instant::now();
    while Instant::now() < until {
        // Nothing satisfies it: this is the pace of the trouble, and nothing depends on it.
        store.sandbox.wait_for(Duration::from_millis(20 + random.below(60)), |_| false);
        if store.sandbox.faults().len() < 6 {
            store.sandbox.arm(fault(&mut random));
            counts.faults.fetch_add(1, Ordering::Relaxed);
        }
        if random.one_in(20) {
            // Ends what is stalled.
            store.sandbox.clear_faults();
        }
        if looked.elapsed() > Duration::from_secs(2) {
            collect(store, &mut requests);
            looked = Instant::now();
        }
    }
    store.sandbox.clear_faults();
    requests
}

fn collect(store: &Store, requests: &mut BTreeMap<u64, RequestEntry>) {
    // What was collected before may have been answered since.
    requests.extend(store.sandbox.requests().into_iter().map(|request| (request.seq, request)));
}

/// What may happen to a request. None of them lies about what Engage did: a refusal is Engage's own.
fn fault(random: &mut Random) -> Fault {
    let effect = match random.below(19) {
        0 => Effect::ResetBeforeCommit,
        1 | 2 => Effect::ResetAfterCommit,
        3 => Effect::CloseBeforeCommit,
        4 | 5 => Effect::CloseAfterCommit,
        6 => Effect::StallBeforeCommit,
        7 => Effect::StallAfterCommit,
        8 | 9 => Effect::Delay { ms: u32::try_from(random.below(600)).unwrap_or_default() },
        10 => Effect::Status(FaultResponse::status(*random.pick(&[500, 502, 503, 504]))),
        11 => Effect::StatusAfterCommit(FaultResponse::status(*random.pick(&[500, 502, 503, 504]))),
        12 => Effect::Status(FaultResponse::status(429)),
        13 => Effect::Garbage,
        14 => Effect::Html,
        15 => Effect::EmptyBody { status: *random.pick(&[200, 502]) },
        16 => Effect::Truncate { bytes: usize::try_from(random.below(600)).unwrap_or_default() },
        17 => Effect::Drip { bytes_per_write: NonZeroUsize::new(20).expect("not 0"), interval_ms: 5 },
        _ => Effect::WrongLength { delta: *random.pick(&[-20, 20]) },
    };
    let on = *random.pick(&[Operation::Purchase, Operation::Purchase, Operation::Purchases, Operation::Any]);
    Fault::on(on, effect).times(1 + u32::try_from(random.below(3)).unwrap_or_default())
}

/// The faults have ended: every journal is opened once more and settled, and all is judged.
fn end(
    store: &Store,
    tills: &[Till],
    mut requests: BTreeMap<u64, RequestEntry>,
) -> Result<crate::judge::Found, String> {
    for till in tills {
        let told = recover(&till.config, None)?;
        till.told.lock().expect("nobody panics with it").extend(told);
    }
    collect(store, &mut requests);
    let requests: Vec<RequestEntry> = requests.into_values().collect();
    let journals = tills
        .iter()
        .map(|till| (till.journal.clone(), till.told.lock().expect("nobody panics with it").clone()))
        .collect();
    store.judge(&requests, journals, true)
}
