//! Two processes and many threads on one journal. The same press at the same instant is one
//! purchase. A new journal is created once. One process resolves the pending operations of another.

use crate::campaign::{Store, alone, full};
use crate::till::{TillCall, run_till};
use engage_sandbox::seed::demo;
use engage_sandbox::{Effect, Fault, Operation};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Duration;
use uuid::Uuid;

/// A till that gets its commands while it runs.
struct RunningTill {
    child: Child,
    input: ChildStdin,
    hear: Lines<BufReader<ChildStdout>>,
    heard: String,
}

impl RunningTill {
    fn start(config: &str, script: &[&str]) -> RunningTill {
        let mut child =
            run_till(config, script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the till starts");
        let input = child.stdin.take().expect("piped");
        let hear = BufReader::new(child.stdout.take().expect("piped")).lines();
        RunningTill { child, input, hear, heard: String::new() }
    }

    fn send(&mut self, line: &str) {
        writeln!(self.input, "{line}").expect("the till reads");
    }

    /// Reads until a line with this start has come this many times.
    fn hear(&mut self, start: &str, times: usize) {
        for _ in 0..times {
            loop {
                let line = self.hear.next().expect("the till goes on").expect("text");
                self.heard += &line;
                self.heard.push('\n');
                if line.starts_with(start) {
                    break;
                }
            }
        }
    }

    /// Ends the till as its script does and returns its calls.
    fn end(self) -> Vec<TillCall> {
        let RunningTill { mut child, input, hear, mut heard } = self;
        drop(input);
        for line in hear {
            heard += &line.expect("text");
            heard.push('\n');
        }
        assert!(child.wait().expect("it ends").success(), "{heard}");
        TillCall::parse(&heard)
    }

    fn kill(mut self) -> Vec<TillCall> {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
        let heard = std::mem::take(&mut self.heard);
        TillCall::parse(&heard)
    }
}

fn verdict(store: &Store, journal: &Path, calls: Vec<TillCall>) -> usize {
    let requests = store.sandbox.requests();
    let judged = store.judge(&requests, vec![(journal.to_owned(), calls)], true);
    judged.unwrap_or_else(|why| panic!("{why}")).deductions
}

#[test]
fn same_press_in_two_processes_is_one_purchase() {
    let _alone = alone();
    let rounds: usize = if full() { 600 } else { 45 };
    let store = Store::open();
    let journal = store.journal("shared");
    let config = store.config(&journal, &store.sandbox.https_url());
    let mut tills =
        [RunningTill::start(&config, &["stdin", "close"]), RunningTill::start(&config, &["stdin", "close"])];
    for till in &mut tills {
        till.hear("END open", 1);
    }
    let (contact, item) = (demo::LOAD, demo::COFFEE);
    let (mut lost, mut presses) = (0, 0);
    for round in 1..=rounds {
        let press = match round % 3 {
            0 => format!("purchase:{contact}:{item}:R{round}:5000"),
            1 => format!("purchase:{contact}:{item}::5000"),
            _ => format!("named:{contact}:{item}:{}:5000", Uuid::new_v4()),
        };
        if round % 5 == 0 {
            // The response is lost: the presses wait for the result of the status query.
            store.sandbox.arm(Fault::on(Operation::Purchase, Effect::ResetAfterCommit));
            lost += 1;
        }
        let marks: Vec<usize> = tills.iter().map(|till| till.heard.len()).collect();
        for till in &mut tills {
            till.send(&format!("threads:4:{press}"));
        }
        let mut ids = BTreeSet::new();
        for (till, mark) in tills.iter_mut().zip(marks) {
            till.hear("END ", 4);
            for call in TillCall::parse(&till.heard[mark..]) {
                assert_eq!(call.code(), Some(0), "round {round}: {call:?}");
                ids.insert(call.json("operationId").as_str().expect("an id").to_owned());
                presses += 1;
            }
        }
        assert_eq!(ids.len(), 1, "round {round}, {press}: {ids:?}");
        assert_eq!(store.sandbox.purchases(contact).len(), round, "round {round}, {press}");
        let id = ids.first().expect("one");
        tills[round % 2].send(&format!("ack:{id}"));
        tills[round % 2].hear("END ack", 1);
    }
    let calls: Vec<TillCall> = tills.into_iter().flat_map(RunningTill::end).collect();
    let deductions = verdict(&store, &journal, calls);
    assert_eq!(deductions, rounds);
    println!(
        "campaign two-processes: {rounds} points tried, 0 violations, {presses} presses in 2 processes of 4 threads, {lost} responses lost, {deductions} deductions"
    );
}

#[test]
fn new_journal_opened_by_two_processes_is_created_once() {
    let _alone = alone();
    let rounds: usize = if full() { 300 } else { 30 };
    let store = Store::open();
    for round in 0..rounds {
        store.sandbox.reset();
        let journal = store.journal(&format!("new-{round}"));
        let config = store.config(&journal, &store.sandbox.http_url());
        let press = format!("purchase:{}:{}:R1:5000", demo::LOAD, demo::COFFEE);
        let mut tills: Vec<RunningTill> =
            (0..3).map(|_| RunningTill::start(&config, &["wait-stdin", &press, "close"])).collect();
        for till in &mut tills {
            till.hear("BEGIN wait-stdin", 1);
        }
        for till in &mut tills {
            till.send("");
        }
        let calls: Vec<TillCall> = tills.into_iter().flat_map(RunningTill::end).collect();
        for call in calls.iter().filter(|call| call.verb() != "wait-stdin") {
            assert_eq!(call.code(), Some(0), "round {round}: {call:?}");
        }
        assert_eq!(verdict(&store, &journal, calls), 1, "round {round}");
    }
    println!("campaign new-journal: {rounds} points tried, 0 violations, 3 processes each");
}

#[test]
fn pending_purchase_of_killed_process_is_resolved_by_another() {
    let _alone = alone();
    let rounds = if full() { 60 } else { 8 };
    let store = Store::open();
    for round in 0..rounds {
        store.sandbox.reset();
        let journal = store.journal(&format!("left-{round}"));
        let config = store.config(&journal, &store.sandbox.https_url());
        // The second process opens before the first dies, so that resolving does not happen at
        // open.
        let mut second = RunningTill::start(&config, &["stdin", "close"]);
        second.hear("END open", 1);
        let lost = if round % 2 == 0 { Effect::StallAfterCommit } else { Effect::StallBeforeCommit };
        store.sandbox.arm(Fault::on(Operation::Purchase, lost));
        let mut first = RunningTill::start(&config, &["stdin"]);
        first.send(&format!("purchase:{}:{}:R1:60000", demo::LOAD, demo::COFFEE));
        let sent =
            store.sandbox.wait_for(Duration::from_secs(60), |request| request.operation == Some(Operation::Purchase));
        let id = sent.expect("the request comes in").purchase_id.expect("it names the purchase");
        first.hear("BEGIN purchase", 1);
        let mut calls = first.kill();
        second.send("resolve:10000");
        second.send(&format!("get:{id}"));
        let of_second = second.end();
        let got = of_second.iter().find(|call| call.verb() == "get").expect("it was asked");
        assert_eq!(got.json("outcome"), "completed", "round {round}: {got:?}");
        calls.extend(of_second);
        assert_eq!(verdict(&store, &journal, calls), 1, "round {round}");
    }
    println!("campaign killed-and-resolved: {rounds} points tried, 0 violations");
}
