//! Runs one scenario: a sandbox, a network and a folder of its own, the till, and a record of the
//! steps and failures.
//! This module checks the rules of every scenario: the time of a press, the reported outcome, one
//! purchase id a sale.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use uuid::Uuid;

use super::relay::Relay;
use super::report::{Grade, ScenarioResult, Step};
use super::scenarios::Scenario;
use super::till::{Exit, ReportedOutcome, Running};
use super::{Permits, Plan};
use crate::judge::{Case, Journal, judge};
use crate::ledger::LedgerKind;
use crate::log::{KeySeen, RequestEntry};
use crate::seed::demo;
use crate::{Fault, Member, Operation, Sandbox};

/// The time within which a program must send a request.
const REQUEST: Duration = Duration::from_secs(30);

/// The time within which a till asks Engage about a sale in doubt.
const ASKS_WITHIN: Duration = Duration::from_secs(30);

/// The receipts of the next customers. Later presses repeat the last one.
const NEXT_RECEIPTS: [&str; 12] = [
    "receipt 4801",
    "receipt 4802",
    "receipt 4803",
    "receipt 4804",
    "receipt 4805",
    "receipt 4806",
    "receipt 4807",
    "receipt 4808",
    "receipt 4809",
    "receipt 4810",
    "receipt 4811",
    "receipt 4812",
];

/// A sale: the basket for which the cashier presses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sale {
    pub reference: &'static str,
    pub contact: Uuid,
    pub item: Uuid,
}

pub(super) struct Runner<'a> {
    plan: &'a Plan,
    permits: &'a Permits,
    pub sandbox: Sandbox,
    folder: TempDir,
    network: Option<Relay>,
    /// The configuration of the till. A scenario may change it.
    pub ca: PathBuf,
    pub key: String,
    pub journal: PathBuf,
    began: Instant,
    presses: usize,
    /// The next customers of the queue are this member.
    next_customer: Uuid,
    served: usize,
    sales: Vec<Sale>,
    /// The last request before the end of each member's last press.
    pressed_until: BTreeMap<Uuid, u64>,
    steps: Vec<Step>,
    failures: Vec<String>,
    skipped: Option<String>,
    unstartable: Option<String>,
}

impl<'a> Runner<'a> {
    pub fn new(plan: &'a Plan, permits: &'a Permits) -> io::Result<Runner<'a>> {
        let sandbox = Sandbox::builder().requests_per_second(None).try_start()?;
        let folder = tempfile::Builder::new().prefix("engage-certify-").tempdir()?;
        let next = Member::new("The next customer", 1_000_000);
        let next_customer = next.contact_id;
        sandbox.add_member(next).map_err(io::Error::other)?;
        Ok(Runner {
            plan,
            permits,
            ca: sandbox.ca_file().to_owned(),
            key: sandbox.api_key().to_owned(),
            journal: folder.path().join("journal.db"),
            sandbox,
            folder,
            network: None,
            began: Instant::now(),
            presses: 0,
            next_customer,
            served: 0,
            sales: Vec::new(),
            pressed_until: BTreeMap::new(),
            steps: Vec::new(),
            failures: Vec::new(),
            skipped: None,
            unstartable: None,
        })
    }

    // --- Actions ---

    /// Arms a fault and records it in one sentence.
    pub fn arm(&mut self, what: &str, fault: Fault) {
        self.sandbox.arm(fault);
        self.note(what);
    }

    /// Ends the faults.
    pub fn clear_faults(&mut self) {
        self.sandbox.clear_faults();
        self.note("The faults have ended.");
    }

    /// Presses and returns the reported outcome.
    pub fn press(&mut self, sale: Sale) -> ReportedOutcome {
        let permit = self.permits.take(1);
        let before = self.requests_for(sale);
        let Some(till) = self.start(sale) else { return ReportedOutcome::Other(-1) };
        let ended = till.wait(self.limit());
        drop(permit);
        self.pressed(sale, &ended, before);
        ended.reported
    }

    /// Presses for two sales at the same time.
    pub fn press_at_once(&mut self, sales: [Sale; 2]) -> [ReportedOutcome; 2] {
        let permit = self.permits.take(2);
        let before = sales.map(|sale| self.requests_for(sale));
        let [Some(one), Some(two)] = sales.map(|sale| self.start(sale)) else {
            return [ReportedOutcome::Other(-1); 2];
        };
        let ended = [one, two].map(|till| till.wait(self.limit()));
        drop(permit);
        for ((sale, ended), before) in sales.into_iter().zip(&ended).zip(before) {
            self.pressed(sale, ended, before);
        }
        ended.map(|ended| ended.reported)
    }

    /// Presses for the next customer of the queue.
    pub fn press_next_customer(&mut self) -> ReportedOutcome {
        let next = self.next_sale();
        self.press(next)
    }

    fn next_sale(&mut self) -> Sale {
        let receipt = self.served.min(NEXT_RECEIPTS.len() - 1);
        self.served += 1;
        Sale { reference: NEXT_RECEIPTS[receipt], contact: self.next_customer, item: demo::COFFEE }
    }

    /// Serves other customers until the till has found out by itself what became of the sale, which
    /// is not pressed again. `expected` is the outcome.
    pub fn serve_others_until_resolved(&mut self, sale: Sale, expected: ReportedOutcome) {
        let due = usize::from(expected == ReportedOutcome::Completed);
        let since = self.pressed_until.get(&sale.contact).copied().unwrap_or_default();
        let began = Instant::now();
        let deadline = began + self.plan.resolve_timeout;
        let mut pause = Duration::from_millis(250);
        loop {
            let reported = self.press_next_customer();
            let allowed = [ReportedOutcome::Completed, ReportedOutcome::Pending];
            self.expect(reported, &allowed, "the next customer's purchase is independent of the pending one");
            let has_found_out = self.has_found_out(sale, since);
            if self.unstartable.is_some() || has_found_out && self.deductions(sale) == due {
                return;
            }
            let never_asks = !has_found_out && began.elapsed() >= ASKS_WITHIN;
            if never_asks || Instant::now() >= deadline {
                let why = match (has_found_out, due) {
                    (true, _) => "and the purchase is not resolved, although the till asked Engage",
                    (false, 0) => "and the till never asked Engage: the member waits for a reward that does not come",
                    (false, _) => "and the till never asked Engage: the member may have paid points and gets no reward",
                };
                let served = self.served;
                return self.fail(&format!("{}: other sales followed ({served}), {why}", sale.reference));
            }
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_secs(5));
        }
    }

    /// Returns whether a response after request `since` has given the till the outcome of the sale:
    /// a history, or a repeat of the purchase.
    fn has_found_out(&self, sale: Sale, since: u64) -> bool {
        let requests = self.sandbox.requests();
        requests.iter().filter(|request| request.seq > since && request.contact_id == Some(sale.contact)).any(
            |request| {
                matches!(request.operation, Some(Operation::Purchases | Operation::Purchase))
                    && request.status == Some(200)
            },
        )
    }

    /// Presses, and kills the till as soon as a request that is `wanted` has reached the sandbox.
    pub fn press_and_kill(&mut self, sale: Sale, when: &str, wanted: impl Fn(&RequestEntry) -> bool) {
        let _permit = self.permits.take(1);
        let seen = self.sandbox.requests().last().map_or(0, |request| request.seq);
        let Some(till) = self.start(sale) else { return };
        let arrived = self.sandbox.wait_for(REQUEST, |request| request.seq > seen && wanted(request)).is_some();
        let ended = till.kill();
        self.end_press(sale);
        self.record(&format!("{}: pressed. The power is cut {when}.", sale.reference), Some(&ended));
        if !arrived {
            self.fail(&format!("{}: the till sent no such request within {} s", sale.reference, REQUEST.as_secs()));
        }
    }

    /// Presses for the next customer, and kills the till.
    pub fn press_next_customer_and_kill(&mut self, when: &str, wanted: impl Fn(&RequestEntry) -> bool) {
        let next = self.next_sale();
        self.press_and_kill(next, when, wanted);
    }

    /// Presses, and cuts the network as soon as the purchase has reached the sandbox.
    pub fn press_and_cut(&mut self, sale: Sale) -> ReportedOutcome {
        let permit = self.permits.take(1);
        let before = self.requests_for(sale);
        let Some(till) = self.start(sale) else { return ReportedOutcome::Other(-1) };
        let arrived = self.sandbox.wait_for(REQUEST, is_purchase);
        self.cut_network();
        let ended = till.wait(self.limit());
        drop(permit);
        if arrived.is_none() {
            self.fail(&format!("{}: no purchase reached Engage", sale.reference));
        }
        self.pressed(sale, &ended, before);
        ended.reported
    }

    /// Presses until the outcome is final, as a cashier or the next start does, and expects this
    /// outcome.
    pub fn resolve(&mut self, sale: Sale, expected: ReportedOutcome) {
        let deadline = Instant::now() + self.plan.resolve_timeout;
        let mut pause = Duration::from_millis(250);
        loop {
            let reported = self.press(sale);
            if self.unstartable.is_some() || reported == expected {
                return;
            }
            if !matches!(reported, ReportedOutcome::Pending | ReportedOutcome::NotSent) {
                return self
                    .fail(&format!("{}: the till reports {reported}; the outcome is {expected}", sale.reference));
            }
            if Instant::now() >= deadline {
                let timeout = self.plan.resolve_timeout.as_secs();
                return self
                    .fail(&format!("{}: not resolved within {timeout} s after the end of the faults", sale.reference));
            }
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_secs(5));
        }
    }

    /// Waits while Engage processes a request.
    pub fn wait_for(&mut self, time: Duration) {
        thread::sleep(time);
        self.note(&format!("{} s pass.", time.as_secs()));
    }

    /// Adds a network between the till and the sandbox. The network can be cut.
    pub fn add_network(&mut self) -> io::Result<()> {
        let port = self.sandbox.https_url().rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or_default();
        self.network = Some(Relay::new(SocketAddr::from(([127, 0, 0, 1], port)))?);
        Ok(())
    }

    pub fn cut_network(&mut self) {
        if let Some(network) = &mut self.network {
            network.cut();
        }
        self.note("The network is cut.");
    }

    pub fn restore_network(&mut self) {
        let restored = self.network.as_mut().map_or(Ok(()), Relay::restore);
        if let Err(error) = restored {
            self.fail(&format!("the network could not be restored: {error}"));
        }
        self.note("The network is restored.");
    }

    /// Returns the path of a file in this scenario's folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns whether the till's command line has this placeholder. Without it the scenario does
    /// not apply.
    pub fn requires(&mut self, placeholder: &str) -> bool {
        let has = self.plan.till.mentions(placeholder);
        if !has {
            self.skipped = Some(format!("the till's command line has no {placeholder}"));
        }
        has
    }

    pub fn wait(&self) -> Duration {
        self.plan.wait
    }

    pub fn note(&mut self, what: &str) {
        self.record(what, None);
    }

    // --- Expectations ---

    pub fn fail(&mut self, why: &str) {
        if self.failures.iter().all(|known| known != why) {
            self.failures.push(why.to_owned());
        }
    }

    /// Checks the reported outcome. `why` explains why only the allowed outcomes are correct.
    pub fn expect(&mut self, reported: ReportedOutcome, allowed: &[ReportedOutcome], why: &str) {
        // A late or failed start is recorded already.
        if !allowed.contains(&reported) && reported != ReportedOutcome::TimedOut {
            self.fail(&format!("the till reports {reported}; {why}"));
        }
    }

    /// Checks the number of deductions of each sale. Any other deduction is a failure.
    pub fn expect_deducted(&mut self, expected: &[(Sale, usize)]) {
        for &(sale, due) in expected {
            let found = self.deductions(sale);
            self.note(&format!("The ledger: {} is deducted {}.", sale.reference, times(found)));
            if found != due {
                self.fail(&format!("{}: deducted {}; due: {}", sale.reference, times(found), times(due)));
            }
        }
        self.expect_next_customer_deducted();
        let ledger = self.sandbox.ledger();
        let all = ledger.iter().filter(|entry| entry.kind == LedgerKind::Deduct);
        let next_customer = self.next_customer;
        let others = all.filter(|entry| entry.contact_id != next_customer).filter(|entry| {
            expected.iter().all(|(sale, _)| (sale.contact, sale.item) != (entry.contact_id, entry.item_id))
        });
        for entry in others {
            self.fail(&format!(
                "member {} was deducted for item {}, which no sale asked for",
                entry.contact_id, entry.item_id
            ));
        }
    }

    /// The next customers are deducted at most once a receipt.
    fn expect_next_customer_deducted(&mut self) {
        let next = Sale { reference: "", contact: self.next_customer, item: demo::COFFEE };
        let (found, receipts) = (self.deductions(next), self.served.min(NEXT_RECEIPTS.len()));
        if found > receipts {
            self.fail(&format!("{receipts} next customers were served, and deducted {}", times(found)));
        }
    }

    /// Returns the number of deductions of a sale.
    fn deductions(&self, sale: Sale) -> usize {
        let ledger = self.sandbox.ledger();
        let deducted = ledger.iter().filter(|entry| entry.kind == LedgerKind::Deduct);
        deducted.filter(|entry| (entry.contact_id, entry.item_id) == (sale.contact, sale.item)).count()
    }

    /// Returns the number of purchase requests for this member that have reached the sandbox.
    pub fn requests_for(&self, sale: Sale) -> usize {
        let requests = self.sandbox.requests();
        requests.iter().filter(|request| is_purchase(request) && request.contact_id == Some(sale.contact)).count()
    }

    /// Checks the rules of every scenario, and ends the scenario.
    pub fn end(mut self, scenario: &Scenario) -> Result<ScenarioResult, String> {
        if let Some(why) = self.unstartable {
            return Err(why);
        }
        self.one_purchase_id_a_sale();
        self.requests_are_in_order();
        self.export_is_true();
        let grade = match (self.skipped, self.failures.is_empty()) {
            (Some(why), _) => Grade::Skipped(why),
            (None, true) => Grade::Passed,
            (None, false) => Grade::Failed(self.failures),
        };
        Ok(ScenarioResult {
            name: scenario.name,
            title: scenario.title,
            took: self.began.elapsed(),
            steps: self.steps,
            grade,
        })
    }

    fn one_purchase_id_a_sale(&mut self) {
        let contacts: BTreeSet<Uuid> = self.sales.iter().map(|sale| sale.contact).collect();
        for contact in contacts {
            let requests = self.sandbox.requests();
            let ids: BTreeSet<Uuid> = requests
                .iter()
                .filter(|request| request.contact_id == Some(contact))
                .filter_map(|request| request.purchase_id)
                .collect();
            let sales = self.sales.iter().filter(|sale| sale.contact == contact).count();
            if ids.len() > sales {
                let what = if sales == 1 { "1 sale was".to_owned() } else { format!("{sales} sales were") };
                self.fail(&format!("{what} sent with {} purchase ids, and each may be deducted", ids.len()));
            }
        }
    }

    /// Checks the headers that Engage requires of every request.
    fn requests_are_in_order(&mut self) {
        for request in self.sandbox.requests() {
            if request.user_agent.is_none_or(|agent| agent.trim().is_empty()) {
                self.fail("a request has no User-Agent header, which Engage requires");
            }
            let is_json = |value: &hyper::header::HeaderValue| value.as_bytes().starts_with(b"application/json");
            if !request.request.headers.get("content-type").is_some_and(is_json) {
                self.fail("a request has no Content-Type: application/json, which Engage requires");
            }
            if request.key == KeySeen::Missing {
                self.fail("a request has no API key");
            }
        }
    }

    /// Judges the till's exported journal against the ledger, if there is an export.
    fn export_is_true(&mut self) {
        let Ok(json) = fs::read(self.file("export.json")) else { return };
        match Journal::from_json("", &json) {
            Err(error) => self.fail(&format!("the till's export is invalid: {error}")),
            Ok(journal) => {
                let ledger = self.sandbox.ledger();
                let case =
                    Case { ledger: &ledger, journals: &[journal], resolved: false, partial: true, attempts: None };
                for (rule, why) in judge(&case).reasons() {
                    self.fail(&format!("the till's export: {rule}: {why}"));
                }
            }
        }
    }

    // --- Internals ---

    fn limit(&self) -> Duration {
        self.plan.wait + self.plan.grace
    }

    fn start(&mut self, sale: Sale) -> Option<Running> {
        if !self.sales.contains(&sale) {
            self.sales.push(sale);
        }
        self.presses += 1;
        let path = |path: &PathBuf| path.display().to_string();
        let url = match &self.network {
            Some(network) => format!("https://localhost:{}", network.port()),
            None => self.sandbox.https_url(),
        };
        let values = [
            url,
            path(&self.ca),
            self.key.clone(),
            sale.contact.to_string(),
            sale.item.to_string(),
            sale.reference.to_owned(),
            path(&self.journal),
            self.plan.wait.as_millis().to_string(),
            path(&self.file("export.json")),
        ];
        match self.plan.till.start(&values, &self.file(&format!("press-{}.txt", self.presses))) {
            Ok(running) => Some(running),
            Err(error) => {
                self.unstartable = Some(format!("the till cannot be started: {}: {error}", self.plan.till.program()));
                None
            }
        }
    }

    /// Records the outcome of a press, and checks it against the ledger.
    fn pressed(&mut self, sale: Sale, ended: &Exit, requests_before: usize) {
        let name = sale.reference;
        self.end_press(sale);
        self.record(&format!("{name}: pressed. The till reports: {}.", ended.reported), Some(ended));
        let deducted = self.deductions(sale);
        let sent = self.requests_for(sale) > requests_before;
        match ended.reported {
            ReportedOutcome::Completed if deducted == 0 => {
                self.fail(&format!("{name}: the till reports completed, and nothing was deducted"));
            }
            ReportedOutcome::Declined | ReportedOutcome::NotSent if sent && deducted > 0 => {
                self.fail(&format!("{name}: the till reports {}, and the points were deducted", ended.reported));
            }
            ReportedOutcome::TimedOut => {
                let limit = self.limit().as_secs_f64();
                self.fail(&format!(
                    "{name}: the till still runs after {limit:.1} s, and the wait is {:.1} s",
                    self.plan.wait.as_secs_f64()
                ));
            }
            _ => {}
        }
    }

    fn end_press(&mut self, sale: Sale) {
        let last = self.sandbox.requests().last().map_or(0, |request| request.seq);
        self.pressed_until.insert(sale.contact, last);
    }

    fn record(&mut self, what: &str, ended: Option<&Exit>) {
        let step = Step {
            at: self.began.elapsed(),
            what: what.to_owned(),
            took: ended.map(|ended| ended.took),
            printed: ended.map(|ended| ended.printed.clone()).unwrap_or_default(),
        };
        self.steps.push(step);
    }
}

pub(super) fn is_purchase(request: &RequestEntry) -> bool {
    request.operation == Some(Operation::Purchase)
}

fn times(count: usize) -> String {
    match count {
        0 => "not at all".to_owned(),
        1 => "once".to_owned(),
        count => format!("{count} times"),
    }
}
