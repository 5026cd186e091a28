//! Eight processes on four journals buy at random. Engage fails at random, and the processes are
//! killed and started again at random. In the end the faults stop and every journal is resolved.
//! The sum of deductions is then the sum of completed intents.

use crate::campaign::{Store, alone, full, recover, seed, setting};
use crate::random::Random;
use crate::till::{TillCall, run_till};
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
/// Pairs of members of a journal, and the number of receipts of a pair before the next pair's turn.
const VISITS: usize = 64;
const RECEIPTS: u64 = 30;

/// The state that all processes of one journal share.
struct Till {
    journal: PathBuf,
    config: String,
    contacts: Vec<Uuid>,
    calls: Mutex<Vec<TillCall>>,
    /// The number of the newest receipt. Older receipts are sometimes pressed again.
    receipt: AtomicU64,
    /// Purchase ids that the POS made, with their contact and item.
    named: Mutex<Vec<(Uuid, Uuid, Uuid)>>,
}

impl Till {
    /// Returns the member of a receipt.
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
fn random_kills_and_faults_deduct_only_completed_intents() {
    let _alone = alone();
    let seconds = setting("EPS_RANDOM_KILLS_SECONDS").unwrap_or(if full() { 600 } else { 10 });
    let seed = seed();
    // Printed first, so that the seed is known whatever happens.
    println!("campaign random-kills: seed {seed}, {seconds} s");
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
                        lived = run_one_process(till, &mut random, until, counts);
                    }
                    lived
                })
            })
            .collect();
        let requests = arm_faults(&store, Random::new(seed), until, &counts);
        let ran = processes.into_iter().try_for_each(|process| process.join().expect("it judges"));
        (requests, ran)
    });
    let verdict = ran.and_then(|()| end(&store, &tills, requests));
    let presses: usize = tills.iter().map(|till| presses(&till.calls.lock().expect("no thread panics with it"))).sum();
    let [lives, kills, faults] =
        [&counts.lives, &counts.kills, &counts.faults].map(|count| count.load(Ordering::Relaxed));
    let found = verdict.as_ref().copied().unwrap_or_default();
    println!(
        "campaign random-kills: {presses} points tried, {} violations, {lives} processes, {kills} kills, {faults} faults, {} intents, {} requests that spend, {} deductions; seed {seed}",
        u8::from(verdict.is_err()),
        found.intents,
        found.posts,
        found.deductions
    );
    if let Err(why) = verdict {
        panic!("campaign random-kills: {why}\n  replay: EPS_SEED={seed} EPS_RANDOM_KILLS_SECONDS={seconds}");
    }
    assert!(kills > 0 && found.deductions > 0, "nothing happened");
}

fn presses(calls: &[TillCall]) -> usize {
    calls.iter().filter(|call| matches!(call.verb(), "purchase" | "named")).count()
}

/// Makes a journal and its members in pairs: one with points for everything, one with few points. A
/// member's history is read as a whole. Therefore there are enough members to keep each history
/// short.
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
    Till { journal, config, contacts, calls: Mutex::default(), receipt: AtomicU64::new(1), named: Mutex::default() }
}

/// The state of a till's process after a call.
#[derive(Clone, Copy, PartialEq)]
enum AfterCall {
    /// The call ended.
    Ended,
    /// The call did not end in its time.
    Late,
    /// The process has ended.
    Dead,
}

/// Runs a process from its start to its end, which is usually a kill. Its calls are kept. An early
/// end and a call that does not return are violations.
fn run_one_process(till: &Till, random: &mut Random, until: Instant, counts: &Counts) -> Result<(), String> {
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
            // A line that a kill has cut off has no line end.
            while hear.read_line(&mut line).is_ok() && line.ends_with('\n') && send.send(line.clone()).is_ok() {
                line.clear();
            }
        });
        let (mut killed, mut hangs) = (false, false);
        // The first call is the open.
        for _ in 0..2 + random.below(15) {
            let will_kill = random.one_in(3);
            let limit = if will_kill { Duration::from_micros(random.below(40_000)) } else { ENDLESS };
            let then = wait_for_end(&lines, &mut heard, limit);
            killed = will_kill && then == AfterCall::Late;
            hangs = !will_kill && then == AfterCall::Late;
            if then != AfterCall::Ended
                || Instant::now() > until
                || writeln!(input, "{}", command(till, random)).is_err()
            {
                break;
            }
        }
        if killed || hangs {
            child.kill().expect("it is ours");
            counts.kills.fetch_add(1, Ordering::Relaxed);
        }
        drop(input);
        // The rest of the output, complete or cut off.
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
    till.calls.lock().expect("no thread panics with it").extend(TillCall::parse(&heard));
    Ok(())
}

/// Far more than the longest wait of a script, and closing.
const ENDLESS: Duration = Duration::from_secs(30);

fn wait_for_end(lines: &Receiver<String>, heard: &mut String, limit: Duration) -> AfterCall {
    let until = Instant::now() + limit;
    loop {
        match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                heard.push_str(&line);
                if line.starts_with("END") {
                    return AfterCall::Ended;
                }
            }
            Err(RecvTimeoutError::Timeout) => return AfterCall::Late,
            Err(RecvTimeoutError::Disconnected) => return AfterCall::Dead,
        }
    }
}

/// Returns the next command of a cashier.
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
            // A receipt always has the same member and item here. Otherwise it would be another
            // purchase.
            let receipt = newest.saturating_sub(random.below(4)).max(1);
            let contact = till.member(receipt, receipt.is_multiple_of(3));
            let item = if receipt % 5 == 0 { demo::SLOW } else { demo::COFFEE };
            format!("purchase:{contact}:{item}:R{receipt}:{wait}")
        }
        7..=9 => format!("purchase:{contact}:{item}::{wait}"),
        10..=12 => {
            let mut named = till.named.lock().expect("no thread panics with it");
            if named.is_empty() || random.one_in(2) {
                named.push((Uuid::new_v4(), contact, item));
            }
            let from = named.len().saturating_sub(4);
            let (id, contact, item) = *random.pick(&named[from..]);
            format!("named:{contact}:{item}:{id}:{wait}")
        }
        13..=14 => return format!("resolve:{wait}"),
        15 => return "list".into(),
        16..=18 => return "ackall\nstats".into(),
        _ => return "reopen".into(),
    };
    if random.one_in(8) { format!("threads:2:{press}") } else { press }
}

/// Arms faults until the time is over, then removes them. Returns all requests of that time in
/// order. The sandbox itself keeps only the last 10,000.
fn arm_faults(store: &Store, mut random: Random, until: Instant, counts: &Counts) -> BTreeMap<u64, RequestEntry> {
    let mut requests = BTreeMap::new();
    let mut collected = Instant::now();
    while Instant::now() < until {
        // The pace of the faults. No check depends on it.
        std::thread::park_timeout(Duration::from_millis(20 + random.below(60)));
        if store.sandbox.faults().len() < 6 {
            store.sandbox.arm(fault(&mut random));
            counts.faults.fetch_add(1, Ordering::Relaxed);
        }
        if random.one_in(20) {
            // Ends stalled requests.
            store.sandbox.clear_faults();
        }
        if collected.elapsed() > Duration::from_secs(2) {
            collect(store, &mut requests);
            collected = Instant::now();
        }
    }
    store.sandbox.clear_faults();
    requests
}

fn collect(store: &Store, requests: &mut BTreeMap<u64, RequestEntry>) {
    // A request that was collected earlier may have a response since.
    requests.extend(store.sandbox.requests().into_iter().map(|request| (request.seq, request)));
}

/// Returns a random fault. No fault misreports Engage's state: an error is Engage's own.
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

/// Opens and resolves every journal after the faults have ended, and judges all.
fn end(
    store: &Store,
    tills: &[Till],
    mut requests: BTreeMap<u64, RequestEntry>,
) -> Result<crate::judge::Found, String> {
    for till in tills {
        let calls = recover(&till.config, None)?;
        till.calls.lock().expect("no thread panics with it").extend(calls);
    }
    collect(store, &mut requests);
    let requests: Vec<RequestEntry> = requests.into_values().collect();
    let journals = tills
        .iter()
        .map(|till| (till.journal.clone(), till.calls.lock().expect("no thread panics with it").clone()))
        .collect();
    store.judge(&requests, journals, true)
}
