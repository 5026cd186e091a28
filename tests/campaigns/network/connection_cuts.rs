//! One purchase, or one list of items, for every byte at which its connection can break, in both
//! directions and in three ways. A reported outcome must be true then and later. A pending
//! purchase must end as exactly one deduction.

use crate::cutting_proxy::{Break, Kind, Proxy, Side};
use crate::support::{COFFEE, LOAD, Store, parse, resolved};
use crate::{Overshoot, alone, full};
use engage_point_shop::{Client, Code, OperationId, Outcome};
use engage_sandbox::LedgerKind;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Points at the same time. Most of a point's time is waiting.
const WORKERS: usize = 16;
/// Points on one sandbox before the last comparison with its ledger.
const BATCH: usize = 60;
const REQUEST_TIMEOUT: Duration = Duration::from_millis(300);
/// The wait of a purchase: shorter than the time before a second request.
const WAIT: Duration = Duration::from_millis(80);
/// The wait of a read that can succeed.
const READ_WAIT: Duration = Duration::from_secs(3);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Request {
    Purchase,
    Items,
}

/// The connection that breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Scenario {
    request: Request,
    tls: bool,
    /// It has served a request before.
    warm: bool,
}

#[derive(Debug, Clone, Copy)]
struct Point {
    scenario: Scenario,
    plan: Break,
}

/// The result of one point.
struct Trial {
    point: Point,
    /// `None`: a read.
    purchase: Option<PurchaseResult>,
    code: Code,
    began_ms: u64,
    applied: bool,
}

/// The journal's final record of a purchase.
struct PurchaseResult {
    id: OperationId,
    completed: bool,
    attempts: u64,
}

#[derive(Default)]
struct Report {
    points: usize,
    applied: usize,
    codes: BTreeMap<&'static str, usize>,
    overshoot: Overshoot,
    /// Presses that ended before the intent was recorded.
    untraced: usize,
    violations: Vec<String>,
}

/// A sandbox with a proxy before each of its ports.
struct Fixture {
    store: Store,
    plain: Proxy,
    tls: Proxy,
    items: Vec<u8>,
}

impl Fixture {
    fn new() -> Self {
        let store = Store::open();
        let port = |url: &str| url.rsplit(':').next().unwrap().parse::<u16>().unwrap();
        let address = |url: &str| SocketAddr::from(([127, 0, 0, 1], port(url)));
        let plain = Proxy::start(address(&store.sandbox.http_url()));
        let tls = Proxy::start(address(&store.sandbox.https_url()));
        let items = store.client().list_items(LOAD, None).unwrap();
        Self { store, plain, tls, items }
    }

    fn proxy(&self, scenario: Scenario) -> &Proxy {
        if scenario.tls { &self.tls } else { &self.plain }
    }

    /// Returns a client that connects through the proxy, and plans the break of the connection of
    /// the next call.
    fn prepare(&self, point: Point) -> Client {
        let proxy = self.proxy(point.scenario);
        let base_url = match point.scenario.tls {
            true => format!("https://localhost:{}", proxy.address.port()),
            false => format!("http://{}", proxy.address),
        };
        let client = self.store.client_with(&json!({
            "baseUrl": base_url, "requestTimeoutMs": REQUEST_TIMEOUT.as_millis(), "retryScheduleMs": [20, 40, 60],
        }));
        if point.scenario.warm {
            client.list_items(LOAD, None).unwrap();
            proxy.break_now(point.plan);
        } else {
            proxy.break_next(point.plan);
        }
        client
    }

    fn posts(&self, id: OperationId) -> Vec<u64> {
        let requests = self.store.sandbox.requests();
        let ours =
            |entry: &&engage_sandbox::RequestEntry| entry.method == "POST" && entry.purchase_id == Some(id.uuid());
        requests.iter().filter(ours).map(|entry| u64::try_from(entry.time.millis()).unwrap()).collect()
    }

    fn deducted(&self, id: OperationId) -> usize {
        self.store.deductions().iter().filter(|deducted| **deducted == id.uuid()).count()
    }
}

/// Records the exchange of a scenario without a break: the client's bytes and the server's bytes.
fn exchange(fixture: &Fixture, scenario: Scenario) -> [Vec<u8>; 2] {
    let plan = Break { from: Side::Client, after: usize::MAX, kind: Kind::Stall };
    let client = fixture.prepare(Point { scenario, plan });
    match scenario.request {
        Request::Purchase => {
            client.purchase(LOAD, COFFEE, Some(&json!({ "purchaseId": OperationId::fresh() }).to_string()))
        }
        Request::Items => client.list_items(LOAD, None),
    }
    .unwrap();
    fixture.proxy(scenario).seen()
}

/// Returns the offsets at which a TLS record or a head ends.
fn borders(bytes: &[u8], tls: bool) -> Vec<usize> {
    let mut borders = vec![0, bytes.len()];
    if tls {
        let mut at = 0;
        while let Some(length) = bytes.get(at + 3..at + 5) {
            at += 5 + usize::from(u16::from_be_bytes([length[0], length[1]]));
            borders.push(at.min(bytes.len()));
        }
    } else {
        borders.extend(bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4));
    }
    borders
}

/// Returns every byte, or a sample that includes the borders.
fn offsets(bytes: &[u8], tls: bool) -> BTreeSet<usize> {
    // Signatures differ by a byte or two from one handshake to the next.
    let end = bytes.len() + 3;
    if full() {
        return (0..=end).collect();
    }
    let evenly = (0..6).map(|part| part * end / 6);
    let around = borders(bytes, tls).into_iter().flat_map(|at| [at.saturating_sub(1), at, at + 1]);
    evenly.chain(around).collect()
}

fn points(request: Request) -> Vec<Point> {
    let fixture = Fixture::new();
    let mut points = Vec::new();
    for (tls, warm) in [(false, false), (false, true), (true, false), (true, true)] {
        let scenario = Scenario { request, tls, warm };
        let [from_client, from_server] = exchange(&fixture, scenario);
        for (from, bytes) in [(Side::Client, &from_client), (Side::Server, &from_server)] {
            for after in offsets(bytes, tls) {
                for kind in [Kind::Cut, Kind::Reset, Kind::Stall] {
                    points.push(Point { scenario, plan: Break { from, after, kind } });
                }
            }
        }
    }
    points
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().try_into().unwrap()
}

/// Buys while the connection breaks, and checks the reported outcome.
fn purchase(
    fixture: &Fixture,
    point: Point,
    overshoot: &mut Overshoot,
    untraced: &mut usize,
) -> (Trial, Result<(), String>) {
    let client = fixture.prepare(point);
    let id = OperationId::fresh();
    let options = json!({ "purchaseId": id, "waitMs": WAIT.as_millis() }).to_string();
    let (began, began_ms) = (Instant::now(), now_ms());
    let result = client.purchase(LOAD, COFFEE, Some(&options));
    let late = overshoot.note(began.elapsed(), WAIT);
    let code = result.as_ref().map_or_else(engage_point_shop::Error::code, |_| Code::Ok);
    let applied = fixture.proxy(point.scenario).applied();
    let reported = match code.row().outcome {
        Outcome::Completed if fixture.deducted(id) != 1 => {
            Err(format!("reported completed with {} deductions", fixture.deducted(id)))
        }
        Outcome::NotSent if !fixture.posts(id).is_empty() => Err("reported not sent, and a POST has arrived".into()),
        Outcome::Declined => Err("reported declined, and the sandbox has declined nothing".into()),
        _ => Ok(()),
    };
    // A press that no worker had started leaves no record. It is not sent, without a trace.
    let operation = match client.get_operation(id).map_err(|error| error.code()) {
        Err(Code::UnknownOperation) if code.row().outcome == Outcome::NotSent => {
            *untraced += 1;
            json!({ "outcome": "notSent", "attempts": 0 })
        }
        _ => resolved(&client, id),
    };
    let ended = operation["outcome"].as_str().unwrap().to_owned();
    let expected = match code.row().outcome {
        Outcome::NotSent => "notSent",
        _ => "completed",
    };
    let resolved_as_expected = match ended == expected {
        true => Ok(()),
        // Pending is true too: the evidence came too late for the caller.
        false if ended == "notSent" && code.row().outcome == Outcome::Pending => Ok(()),
        false => Err(format!("returned {}, and the operation ended as {ended}", code.row().name)),
    };
    fixture.proxy(point.scenario).release();
    client.close();
    let purchase =
        Some(PurchaseResult { id, completed: ended == "completed", attempts: operation["attempts"].as_u64().unwrap() });
    (Trial { point, purchase, code, began_ms, applied }, reported.and(resolved_as_expected).and(late))
}

/// Lists while the connection breaks. The result is the whole list or an error code.
fn items(fixture: &Fixture, point: Point, overshoot: &mut Overshoot) -> (Trial, Result<(), String>) {
    let client = fixture.prepare(point);
    let wait = if point.plan.kind == Kind::Stall { WAIT } else { READ_WAIT };
    let (began, began_ms) = (Instant::now(), now_ms());
    let result = client.list_items(LOAD, Some(&json!({ "waitMs": wait.as_millis() }).to_string()));
    let late = overshoot.note(began.elapsed(), wait.min(REQUEST_TIMEOUT));
    let applied = fixture.proxy(point.scenario).applied();
    let code = result.as_ref().map_or_else(engage_point_shop::Error::code, |_| Code::Ok);
    let reported = match &result {
        Ok(items) if *items != fixture.items => Err("another list than Engage's was passed on".into()),
        Err(_) if !(-499..=-400).contains(&code.number()) => Err(format!("a read that broke is {}", code.row().name)),
        Err(error) if point.scenario.warm && applied && point.plan.kind != Kind::Stall => {
            Err(format!("a read on a reused connection that broke was not repeated: {error} {:?}", error.cause()))
        }
        _ => Ok(()),
    };
    fixture.proxy(point.scenario).release();
    let next = match client.list_items(LOAD, None) {
        Ok(items) if items == fixture.items => Ok(()),
        other => Err(format!("the next list is {:?}", other.map(|items| items.len()))),
    };
    client.close();
    (Trial { point, purchase: None, code, began_ms, applied }, reported.and(late).and(next))
}

/// Compares the reported outcomes with the ledger, when no request can arrive any more.
fn judge(fixture: &Fixture, trials: &[Trial], violations: &mut Vec<String>) {
    for proxy in [&fixture.plain, &fixture.tls] {
        proxy.drained();
    }
    let mut ours = HashSet::new();
    for trial in trials {
        let Some(PurchaseResult { id, completed, attempts }) = trial.purchase else { continue };
        ours.insert(id.uuid());
        let (posts, deducted) = (fixture.posts(id), fixture.deducted(id));
        let mut add_violation = |says: String| violations.push(format!("{:?}: {says}", trial.point));
        if completed && deducted != 1 {
            add_violation(format!("the journal says completed, deducted {deducted} times"));
        }
        if !completed && posts.len() + deducted > 0 {
            add_violation(format!("returned {} (not sent), then {} POSTs", trial.code.row().name, posts.len()));
        }
        let in_flight_until = trial.began_ms + u64::try_from(REQUEST_TIMEOUT.as_millis()).unwrap();
        // A connection that ends before a byte of the response allows one repeat at once. The third
        // request to arrive waits for the in-flight window.
        if let Some(last) = posts.last()
            && (attempts > 2 || posts.len() > 2)
            && *last < in_flight_until
        {
            add_violation(format!("sent a third time {} ms after the press", last - trial.began_ms));
        }
    }
    let ledger = fixture.store.sandbox.ledger();
    for entry in ledger.iter().filter(|entry| entry.kind == LedgerKind::Deduct) {
        if !ours.contains(&entry.purchase_id) {
            violations.push(format!("a deduction without a purchase: {entry:?}"));
        }
    }
}

fn campaign(name: &str, request: Request) {
    let _alone = alone();
    let points = points(request);
    let next = AtomicUsize::new(0);
    let reports = Mutex::new(Report::default());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                let fixture = Fixture::new();
                let mut report = Report::default();
                let mut trials = Vec::new();
                loop {
                    let point = points.get(next.fetch_add(1, Ordering::Relaxed)).copied();
                    if trials.len() == BATCH || point.is_none() {
                        judge(&fixture, &trials, &mut report.violations);
                        trials.clear();
                        fixture.store.sandbox.reset();
                    }
                    let Some(point) = point else { break };
                    let (trial, verdict) = match request {
                        Request::Purchase => purchase(&fixture, point, &mut report.overshoot, &mut report.untraced),
                        Request::Items => items(&fixture, point, &mut report.overshoot),
                    };
                    report.points += 1;
                    report.applied += usize::from(trial.applied);
                    *report.codes.entry(trial.code.row().name).or_default() += 1;
                    report.violations.extend(verdict.err().map(|says| format!("{point:?}: {says}")));
                    trials.push(trial);
                }
                let mut all = reports.lock().unwrap();
                all.points += report.points;
                all.applied += report.applied;
                all.untraced += report.untraced;
                all.overshoot.add(&report.overshoot);
                all.violations.extend(report.violations);
                for (code, count) in report.codes {
                    *all.codes.entry(code).or_default() += count;
                }
            });
        }
    });
    let Report { points, applied, codes, overshoot, untraced, violations } = reports.into_inner().unwrap();
    println!(
        "campaign {name}: {points} points tried, {} violations, {applied} broke; {overshoot}; {untraced} without a trace; returned {codes:?}",
        violations.len()
    );
    assert!(violations.is_empty(), "{name}, the first of {}: {}", violations.len(), violations[0]);
    assert!(applied * 2 > points, "{name}: only {applied} of {points} connections broke");
}

#[test]
fn purchase_cut_at_any_byte_is_reported_truly_and_deducted_once() {
    campaign("cut-purchase", Request::Purchase);
}

#[test]
fn list_cut_at_any_byte_is_complete_or_an_error() {
    campaign("cut-items", Request::Items);
}

#[test]
fn committed_purchase_without_response_is_sent_once() {
    let _alone = alone();
    let fixture = Fixture::new();
    for (tls, warm) in [(false, true), (true, true), (false, false)] {
        for kind in [Kind::Cut, Kind::Reset, Kind::Stall] {
            // The connection breaks before the first byte of the response, on connections without
            // an earlier response.
            let point = Point {
                scenario: Scenario { request: Request::Purchase, tls, warm },
                plan: Break { from: Side::Server, after: 0, kind },
            };
            let client = fixture.prepare(point);
            let id = OperationId::fresh();
            let options = json!({ "purchaseId": id, "waitMs": 5_000 }).to_string();
            let operation = parse(&client.purchase(LOAD, COFFEE, Some(&options)).unwrap());
            assert_eq!(operation["outcome"], "completed", "{point:?}");
            assert_eq!(operation["attempts"], 1, "{point:?}");
            assert_eq!((fixture.posts(id).len(), fixture.deducted(id)), (1, 1), "{point:?}");
            assert!(fixture.proxy(point.scenario).applied(), "{point:?}");
        }
    }
}
