//! Runs one scenario: a sandbox, a network and a folder of its own, the till, and a record of the
//! steps and failures.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::cost::Cost;
use super::holder::Held;
use super::press::{Config, Exit, Press, RunningTill, set};
use super::relay::Relay;
use super::report::{Failure, Step};
use super::scenarios::Scenario;
use super::search::Search;
use super::till::{ReportedOutcome, Till, Values};
use super::{Session, StepEvent};
use crate::log::RequestEntry;
use crate::seed::demo;
use crate::{Builder, Fault, Member, Operation, Sandbox};

/// The time within which a program must send a request.
const REQUEST: Duration = Duration::from_secs(30);

/// The time within which a person must make a till send a request.
const MANUAL_REQUEST: Duration = Duration::from_secs(600);

/// The time within which a killed process must end.
const DIES_WITHIN: Duration = Duration::from_secs(5);

/// The time within which a till asks Engage about a sale in doubt. The library's first two waits
/// take up to 10 s and up to 30 s, after the in-flight window of a short request time-out.
const ASKS_WITHIN: Duration = Duration::from_secs(45);

/// The receipts of the next customers. Later presses repeat the last one.
pub(super) const NEXT_RECEIPTS: [&str; 12] = [
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

/// The address of the dashboard that leads a person, if it is free.
const DASHBOARD: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8600);

/// Starts the sandbox of a scenario that a person carries out.
fn guided(session: &Session<'_>, builder: Builder) -> io::Result<Sandbox> {
    let builder = builder.guide(&session.terminal);
    if session.plan.manual_at.port() == 0 {
        return builder.try_start();
    }
    let started = builder.clone().http(DASHBOARD).try_start();
    started.or_else(|_| builder.try_start())
}

/// A sale: the basket for which the cashier presses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sale {
    pub reference: &'static str,
    pub contact: Uuid,
    pub item: Uuid,
}

pub(super) struct Runner<'a> {
    pub(super) session: &'a Session<'a>,
    pub scenario: &'a Scenario,
    pub sandbox: Sandbox,
    folder: PathBuf,
    pub(super) network: Option<Relay>,
    /// The configuration of the till. A scenario may change it.
    pub ca: PathBuf,
    pub key: String,
    pub journal: PathBuf,
    pub(super) began: Instant,
    presses: usize,
    /// The resident tills, at most one a slot.
    pub(super) tills: BTreeMap<usize, RunningTill>,
    /// The next customers of the queue are this member.
    pub(super) next_customer: Uuid,
    pub(super) served: usize,
    pub(super) sales: Vec<Sale>,
    /// The last request before the end of each member's last press.
    pressed_until: BTreeMap<Uuid, u64>,
    pub(super) steps: Vec<Step>,
    pub(super) failures: Vec<Failure>,
    pub(super) skipped: Option<String>,
    pub(super) void: Option<String>,
    pub(super) unstartable: Option<String>,
}

impl<'a> Runner<'a> {
    pub fn new(session: &'a Session<'a>, scenario: &'a Scenario) -> io::Result<Runner<'a>> {
        let manual = matches!(session.plan.till, Till::Manual);
        let folder = session.folder.join(scenario.name);
        std::fs::create_dir(&folder)?;
        // A real till is configured once: all its scenarios have one root certificate.
        let ca = if manual { session.folder.join("ca") } else { folder.join("ca") };
        let mut at = session.plan.manual_at;
        let network_at = manual.then_some(at);
        at.set_port(0);
        let builder = Sandbox::builder().requests_per_second(None).ca_dir(&ca);
        let sandbox = if manual { guided(session, builder.https(at)) } else { builder.try_start() }?;
        let next = Member {
            email: Some("next@example.com".to_owned()),
            custom_key: Some("1999".to_owned()),
            ..Member::new("The next customer", 1_000_000)
        };
        let next_customer = next.contact_id;
        sandbox.add_member(next).map_err(io::Error::other)?;
        let mut runner = Runner {
            session,
            scenario,
            ca: sandbox.ca_file().to_owned(),
            key: sandbox.api_key().to_owned(),
            journal: folder.join("journal.db"),
            sandbox,
            folder,
            network: None,
            began: Instant::now(),
            presses: 0,
            tills: BTreeMap::new(),
            next_customer,
            served: 0,
            sales: Vec::new(),
            pressed_until: BTreeMap::new(),
            steps: Vec::new(),
            failures: Vec::new(),
            skipped: None,
            void: None,
            unstartable: None,
        };
        if let Some(at) = network_at {
            session.terminal.show_dashboard(&runner.sandbox.http_url());
            runner.connect(at)?;
        }
        Ok(runner)
    }

    /// Returns a builder of another sandbox of this scenario.
    pub fn another_sandbox(&self) -> Builder {
        Sandbox::builder().requests_per_second(None).ca_dir(&self.folder.join("other-ca"))
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
        let permit = self.session.permits.take(1);
        let before = self.requests_for(sale);
        let Some(press) = self.start(sale, 0) else { return ReportedOutcome::Other(-1) };
        let ended = self.end_of(press);
        drop(permit);
        self.pressed(sale, &ended, before)
    }

    /// Presses for two sales at the same time, on one till or on two tills with one journal.
    pub fn press_at_once(&mut self, sales: [Sale; 2], tills: [usize; 2]) -> [ReportedOutcome; 2] {
        let permit = self.session.permits.take(2);
        let before = sales.map(|sale| self.requests_for(sale));
        let started = [0, 1].map(|at| self.start(sales[at], tills[at]));
        let [Some(one), Some(two)] = started else { return [ReportedOutcome::Other(-1); 2] };
        let [one, two] = [one, two].map(|press| self.end_of(press));
        drop(permit);
        [self.pressed(sales[0], &one, before[0]), self.pressed(sales[1], &two, before[1])]
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
        let began = Instant::now();
        let deadline = began + self.session.plan.resolve_timeout;
        let mut pause = Duration::from_millis(250);
        let mut asks_a_person = false;
        loop {
            // A person serves one customer, and then waits.
            if !asks_a_person {
                let reported = self.press_next_customer();
                let allowed = [ReportedOutcome::Completed, ReportedOutcome::Pending];
                self.expect(reported, &allowed, "the next customer's purchase is independent of the pending one");
                asks_a_person = self.is_manual();
            }
            let search = self.search(sale, expected);
            if self.is_over() || search == Search::Ended && self.deductions(sale) == due {
                return;
            }
            let is_idle = matches!(search, Search::NotBegun | Search::Forgotten);
            if is_idle && began.elapsed() >= ASKS_WITHIN || Instant::now() >= deadline {
                let why = match (search, due) {
                    (Search::Ended | Search::GoesOn, _) => {
                        "the purchase is not resolved, although the till has asked Engage"
                    }
                    (Search::Forgotten, _) => {
                        "the till asked Engage before it ended, and has not shown the outcome since. Write it to {shown}"
                    }
                    (_, 0) => "the till has never asked Engage: the member waits for a reward that does not come",
                    (..) => "the till has never asked Engage: the member may have paid points and gets no reward",
                };
                let others = if self.served == 1 { "sale" } else { "sales" };
                let why = format!("{}: after {} other {others} {why}", sale.reference, self.served);
                return self.fail(Cost::Lost, &why);
            }
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_secs(5));
        }
    }

    /// Returns the till's search for the outcome. A person does not see at which moment the till
    /// asks.
    fn search(&self, sale: Sale, expected: ReportedOutcome) -> Search {
        let reported = self.pressed_until.get(&sale.contact).copied().unwrap_or_default();
        let is_shown = self.shown(sale).contains(&expected.to_string());
        Search::of(&self.sandbox.requests(), sale, reported, is_shown || self.is_manual())
    }

    /// Presses, and kills the till as soon as a request that is `wanted` has reached the sandbox.
    pub fn press_and_kill(&mut self, sale: Sale, when: &str, wanted: impl Fn(&RequestEntry) -> bool) {
        let _permit = self.session.permits.take(1);
        let seen = self.sandbox.requests().last().map_or(0, |request| request.seq);
        let Some(press) = self.start(sale, 0) else { return };
        let limit = if self.is_manual() { MANUAL_REQUEST } else { REQUEST };
        let arrived = self.sandbox.wait_for(limit, |request| request.seq > seen && wanted(request));
        let held = arrived.as_ref().and_then(|request| request.peer).map(|peer| self.held(peer));
        let (ended, _killed) = self.cut_power(press);
        self.end_press(sale);
        self.record(&format!("{}: the cashier presses. The power is cut {when}.", sale.reference), Some(&ended));
        if arrived.is_none() {
            let limit = limit.as_secs();
            return self
                .fail(Cost::Lost, &format!("{}: the till sent no such request within {limit} s", sale.reference));
        }
        self.check_power_cut(held.as_ref());
    }

    /// Kills the till, or asks a person to cut its power. A till that a command has not killed goes
    /// on until the killed tills are dropped.
    fn cut_power(&mut self, press: Press) -> (Exit, Vec<RunningTill>) {
        if self.is_manual() {
            self.session
                .terminal
                .confirm("Cut the till's power now, or end its program by force. Press Enter when it is off.");
            self.session.terminal.confirm("Start the till again. Press Enter when it is ready.");
        }
        let mut killed = self.kill_tills();
        let mut ended = press.kill();
        for till in &mut killed {
            ended.printed.push_str(&till.printed());
        }
        (ended, killed)
    }

    /// Returns the connection of a till with its holders.
    fn held(&self, peer: SocketAddr) -> Held {
        let server = SocketAddr::from(([127, 0, 0, 1], self.https_port()));
        let (till, server) = self.network.as_ref().and_then(|relay| relay.till_of(peer)).unwrap_or((peer, server));
        Held::find(till, server)
    }

    /// A power cut proves something only if the process that held the connection has ended.
    fn check_power_cut(&mut self, held: Option<&Held>) {
        let Some(held) = held.filter(|held| !held.by.is_empty()) else {
            // A real till may be another computer.
            if !self.is_manual() {
                let why =
                    "the power cut is not proved: no process of this computer holds the till's connection to Engage";
                self.void.get_or_insert(why.to_owned());
            }
            return;
        };
        let began = Instant::now();
        let mut survivor = held.survivor();
        while survivor.is_some() && began.elapsed() < DIES_WITHIN {
            thread::sleep(Duration::from_millis(10));
            survivor = held.survivor();
        }
        if let Some(alive) = survivor {
            self.void.get_or_insert(format!(
                "the power was not cut: process {} ({}) held the connection to Engage, and it still runs after the till \
                 was killed. A till that keeps running is certified with --start, --kill and --sell",
                alive.id, alive.name
            ));
        }
    }

    fn https_port(&self) -> u16 {
        self.sandbox.https_url().rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or_default()
    }

    /// Presses for the next customer, and kills the till.
    pub fn press_next_customer_and_kill(&mut self, when: &str, wanted: impl Fn(&RequestEntry) -> bool) {
        let next = self.next_sale();
        self.press_and_kill(next, when, wanted);
    }

    /// Presses, and cuts the network as soon as the purchase has reached the sandbox.
    pub fn press_and_cut(&mut self, sale: Sale) -> ReportedOutcome {
        let permit = self.session.permits.take(1);
        let before = self.requests_for(sale);
        let Some(press) = self.start(sale, 0) else { return ReportedOutcome::Other(-1) };
        let limit = if self.is_manual() { MANUAL_REQUEST } else { REQUEST };
        let arrived = self.sandbox.wait_for(limit, is_purchase);
        self.cut_network();
        let ended = self.end_of(press);
        drop(permit);
        if arrived.is_none() {
            self.fail(Cost::Lost, &format!("{}: no purchase reached Engage", sale.reference));
        }
        self.pressed(sale, &ended, before)
    }

    /// Presses until the outcome is final, as a cashier or the next start does, and expects this
    /// outcome.
    pub fn resolve(&mut self, sale: Sale, expected: ReportedOutcome) {
        let deadline = Instant::now() + self.session.plan.resolve_timeout;
        let mut pause = Duration::from_millis(250);
        loop {
            let reported = self.press(sale);
            if self.is_over() || reported == expected {
                return;
            }
            if !matches!(reported, ReportedOutcome::Pending | ReportedOutcome::NotSent) {
                let name = sale.reference;
                return self
                    .fail(Cost::False, &format!("{name}: the till reports {reported}; the outcome is {expected}"));
            }
            if Instant::now() >= deadline {
                let timeout = self.session.plan.resolve_timeout.as_secs();
                let name = sale.reference;
                return self
                    .fail(Cost::Lost, &format!("{name}: not resolved within {timeout} s after the end of the faults"));
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
        match self.network {
            Some(_) => Ok(()),
            None => self.connect(SocketAddr::from(([127, 0, 0, 1], 0))),
        }
    }

    /// Relays connections to this address to the sandbox.
    fn connect(&mut self, at: SocketAddr) -> io::Result<()> {
        self.network = Some(Relay::new(at, SocketAddr::new(at.ip(), self.https_port()))?);
        Ok(())
    }

    /// Ends the till before its files are changed.
    pub fn end_till(&mut self) {
        self.kill_tills();
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
            self.void.get_or_insert(format!("the network could not be restored: {error}"));
        }
        self.note("The network is restored.");
    }

    /// Returns the path of a file in this scenario's folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Returns the outcomes of a sale that the till has shown after the press, in order.
    pub fn shown(&self, sale: Sale) -> Vec<String> {
        let lines = std::fs::read_to_string(self.file("shown.txt")).unwrap_or_default();
        let of_sale = lines.lines().filter_map(|line| line.split_once('\t'));
        of_sale.filter(|(receipt, _)| *receipt == sale.reference).map(|(_, outcome)| outcome.to_owned()).collect()
    }

    /// Ends a scenario that cannot be carried out.
    pub fn cannot(&mut self, error: &dyn std::fmt::Display) {
        self.void.get_or_insert(format!("the scenario cannot be carried out: {error}"));
    }

    /// Returns whether the till's command line has this placeholder. Without it the scenario does
    /// not apply.
    pub fn requires(&mut self, placeholder: &str) -> bool {
        let has = self.session.plan.till.mentions(placeholder);
        if !has {
            self.skipped = Some(match self.is_manual() {
                true => "a person cannot carry it out".to_owned(),
                false => format!("the till's command line has no {placeholder}"),
            });
        }
        has
    }

    pub fn wait(&self) -> Duration {
        self.session.plan.wait
    }

    pub fn note(&mut self, what: &str) {
        self.record(what, None);
    }

    // --- Internals ---

    pub(super) fn limit(&self) -> Duration {
        self.session.plan.wait + self.session.plan.grace
    }

    fn is_manual(&self) -> bool {
        matches!(self.session.plan.till, Till::Manual)
    }

    /// Returns whether the scenario cannot go on.
    pub(super) fn is_over(&self) -> bool {
        let left = self.is_manual() && (self.session.terminal.skips() || self.session.terminal.is_closed());
        self.unstartable.is_some() || self.void.is_some() || left
    }

    /// Returns the values of the placeholders for a sale.
    fn values(&self, sale: Sale) -> Values {
        let path = |path: &Path| path.display().to_string();
        let mut values = Values::default();
        for (name, value) in [
            ("{url}", self.url()),
            ("{ca}", path(&self.ca)),
            ("{key}", self.key.clone()),
            ("{contact}", sale.contact.to_string()),
            ("{item}", sale.item.to_string()),
            ("{reference}", sale.reference.to_owned()),
            ("{journal}", path(&self.journal)),
            ("{wait}", self.session.plan.wait.as_millis().to_string()),
            ("{export}", path(&self.file("export.json"))),
            ("{shown}", path(&self.file("shown.txt"))),
        ] {
            set(&mut values, name, value);
        }
        values
    }

    fn url(&self) -> String {
        match &self.network {
            Some(network) => {
                let at = network.at();
                if at.ip().is_loopback() { format!("https://localhost:{}", at.port()) } else { format!("https://{at}") }
            }
            None => self.sandbox.https_url(),
        }
    }

    fn config(&self) -> Config {
        [self.url(), self.ca.display().to_string(), self.key.clone(), self.journal.display().to_string()]
    }

    /// Begins a press on one of the tills.
    pub(super) fn start(&mut self, sale: Sale, till: usize) -> Option<Press> {
        if self.is_over() {
            return None;
        }
        if !self.sales.contains(&sale) {
            self.sales.push(sale);
        }
        self.presses += 1;
        let mut values = self.values(sale);
        let started = match &self.session.plan.till {
            Till::OneShot(template) => {
                let output = self.file(&format!("press-{}.txt", self.presses));
                self.session.plan.programs.start(&mut template.command(&values), &output).map(Press::Program)
            }
            Till::Resident(_) => self.start_at_resident(&mut values, till),
            Till::Manual => Ok(self.start_at_cashier(sale)),
        };
        match started {
            Ok(press) => Some(press),
            Err(error) => {
                let program = self.session.plan.till.program();
                self.unstartable = Some(format!("the till cannot be started: {program}: {error}"));
                None
            }
        }
    }

    /// Begins a press on a resident till, which is started if it does not run with the present
    /// configuration.
    fn start_at_resident(&mut self, values: &mut Values, till: usize) -> io::Result<Press> {
        let Till::Resident(resident) = &self.session.plan.till else {
            return Ok(Press::ended(ReportedOutcome::Killed));
        };
        let (config, limit) = (self.config(), self.limit());
        let runs =
            self.tills.get_mut(&till).is_some_and(|running| running.config == config && running.has_ended().is_none());
        if !runs {
            self.tills.remove(&till);
            let output = self.file(&format!("till-{}.txt", self.presses));
            let programs = &self.session.plan.programs;
            match RunningTill::start(resident, programs, values, config, &output, limit)? {
                Ok(running) => drop(self.tills.insert(till, running)),
                Err(exit) => return Ok(Press::Ended(exit)),
            }
        }
        let output = self.file(&format!("press-{}.txt", self.presses));
        let Some(running) = self.tills.get_mut(&till) else { return Ok(Press::ended(ReportedOutcome::Killed)) };
        set(values, "{port}", running.port.to_string());
        set(values, "{pid}", running.id().to_string());
        running.sell(&resident.sell, &self.session.plan.programs, values, &output, limit)
    }

    /// Asks a person for a sale.
    fn start_at_cashier(&self, sale: Sale) -> Press {
        self.session.terminal.configure(&self.config());
        let state = &mut *self.sandbox.state();
        let now = state.clock.now();
        let item = state.ledger.items().iter().find(|item| item.id == sale.item).map(|item| item.name.clone());
        let member = state.ledger.account(now, sale.contact).map(|account| account.member.name.clone());
        // A real till keeps its journal: each scenario has receipts of its own.
        let receipt = format!("{}-{}", sale.reference, self.scenario.name);
        self.session.terminal.instruct(&[
            format!("Sell on {receipt}:"),
            format!("  reward {} ({})", item.unwrap_or_default(), sale.item),
            format!("  member {} ({})", member.unwrap_or_default(), sale.contact),
        ]);
        Press::Cashier { began: Instant::now() }
    }

    pub(super) fn end_of(&mut self, press: Press) -> Exit {
        let mut ended = press.wait(self.limit(), &self.session.terminal);
        for till in self.tills.values_mut() {
            if ended.reported == ReportedOutcome::Other(-1) {
                // The till may have ended with an exit code.
                ended.reported = till.ends().unwrap_or(ended.reported);
            }
            ended.printed.push_str(&till.printed());
        }
        ended
    }

    /// Kills the resident tills, and returns them.
    fn kill_tills(&mut self) -> Vec<RunningTill> {
        let Till::Resident(resident) = &self.session.plan.till else { return Vec::new() };
        let mut tills: Vec<RunningTill> = std::mem::take(&mut self.tills).into_values().collect();
        for till in &mut tills {
            let mut values = self.values(Sale { reference: "", contact: Uuid::nil(), item: Uuid::nil() });
            set(&mut values, "{pid}", till.id().to_string());
            set(&mut values, "{port}", till.port.to_string());
            let command = resident.kill.as_ref().map(|kill| (kill, &values));
            if let Err(error) = till.kill(command, &self.file("kill.txt"), self.limit()) {
                self.void.get_or_insert(format!("the till could not be killed: {error}"));
            }
        }
        tills
    }

    /// Records the outcome of a press, and checks it against the ledger.
    fn pressed(&mut self, sale: Sale, ended: &Exit, requests_before: usize) -> ReportedOutcome {
        let name = sale.reference;
        let reported = ended.reported;
        self.end_press(sale);
        self.record(&format!("{name}: the cashier presses. The till reports: {reported}."), Some(ended));
        if self.is_over() {
            return reported;
        }
        let deducted = self.deductions(sale);
        let sent = self.requests_for(sale) > requests_before;
        match reported {
            ReportedOutcome::Completed if deducted == 0 => {
                self.fail(Cost::False, &format!("{name}: the till reports completed, and nothing was deducted"));
            }
            ReportedOutcome::Declined | ReportedOutcome::NotSent if sent && deducted > 0 => {
                self.fail(Cost::False, &format!("{name}: the till reports {reported}, and the points were deducted"));
            }
            ReportedOutcome::TimedOut => {
                let (limit, wait) = (self.limit().as_secs_f64(), self.session.plan.wait.as_secs_f64());
                self.fail(
                    Cost::Queue,
                    &format!("{name}: the till still runs after {limit:.1} s, and the wait is {wait:.1} s"),
                );
            }
            _ => {}
        }
        reported
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
        (self.session.on_step)(StepEvent { scenario: self.scenario.name, what });
        self.steps.push(step);
    }
}

pub(super) fn is_purchase(request: &RequestEntry) -> bool {
    request.operation == Some(Operation::Purchase)
}
