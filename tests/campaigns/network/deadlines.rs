//! No call outlives its wait, a cancel or a close, whatever phase of the request hangs. The
//! reported outcome stays true after the hang: not sent is never sent, pending ends as one
//! deduction.

use crate::connect_proxy::{self, ConnectProxy, Reaction};
use crate::cutting_proxy::{Break, Kind, Proxy, Side};
use crate::name_resolution::Shim;
use crate::support::{COFFEE, LOAD, Store, buy_pending, eventually, parse, resolved, unacknowledged};
use crate::{Overshoot, alone, till};
use engage_point_shop::{Client, Code, Error, OperationId};
use engage_sandbox::{Effect, Fault, Operation};
use serde_json::json;
use socket2::{Domain, Socket, Type};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The time that a close may take.
const CLOSING: Duration = Duration::from_millis(2_200);
/// Longer than anything here, so that only the tested end ends a call.
const FOREVER_MS: u64 = 30_000;

/// Whether the request has left when the phase hangs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    No,
    /// All of it, and the sandbox has received it.
    Yes,
    /// The library has begun to pass the request to the system.
    Perhaps,
}

/// A phase of a request that can hang.
trait Phase {
    const NAME: &'static str;
    const LEFT: Left;
    /// The request timeout: longer than any wait.
    const REQUEST_TIMEOUT_MS: u64 = FOREVER_MS;
    /// Makes the next request hang, and returns the base URL for it.
    fn hang(&mut self, store: &Store) -> String;
    fn end_hang(&mut self, store: &Store);
    /// Returns the proxy before the server.
    fn proxy(&self) -> Option<String> {
        None
    }
}

fn port(url: &str) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], url.rsplit(':').next().unwrap().parse().unwrap()))
}

struct Resolving(Shim);

impl Phase for Resolving {
    const NAME: &'static str = "resolving";
    const LEFT: Left = Left::No;

    fn hang(&mut self, store: &Store) -> String {
        self.0.hang_resolution();
        store.sandbox.https_url()
    }

    fn end_hang(&mut self, _: &Store) {
        self.0.end_hanging_resolution();
    }
}

/// A listener with a full queue, so that the next connection gets no reaction at all.
#[derive(Default)]
struct Connecting {
    listener: Option<TcpListener>,
    waiting: Vec<Socket>,
    served: Option<Proxy>,
}

/// Connects to a listener until it no longer accepts.
fn fill(address: SocketAddr) -> Vec<Socket> {
    let mut waiting = Vec::new();
    loop {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let accepted = socket.connect_timeout(&address.into(), Duration::from_millis(200)).is_ok();
        if !accepted {
            return waiting;
        }
        waiting.push(socket);
    }
}

impl Phase for Connecting {
    const NAME: &'static str = "connecting";
    const LEFT: Left = Left::No;

    fn hang(&mut self, _: &Store) -> String {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        socket.listen(1).unwrap();
        let listener: TcpListener = socket.into();
        let address = listener.local_addr().unwrap();
        self.waiting = fill(address);
        self.listener = Some(listener);
        format!("https://localhost:{}", address.port())
    }

    fn end_hang(&mut self, store: &Store) {
        self.waiting.clear();
        self.served = Some(Proxy::serve(self.listener.take().unwrap(), port(&store.sandbox.https_url())));
    }
}

/// The connection is open, and the server never sends a byte.
struct Silent<const TLS: bool> {
    proxy: Option<Proxy>,
}

impl<const TLS: bool> Silent<TLS> {
    fn hang(&mut self, store: &Store) -> String {
        let upstream = port(&if TLS { store.sandbox.https_url() } else { store.sandbox.http_url() });
        let proxy = Proxy::start(upstream);
        proxy.break_next(Break { from: Side::Server, after: 0, kind: Kind::Stall });
        let scheme = if TLS { "https" } else { "http" };
        let url = format!("{scheme}://localhost:{}", proxy.address.port());
        self.proxy = Some(proxy);
        url
    }

    fn end_hang(&mut self) {
        self.proxy.as_ref().unwrap().release();
    }
}

impl Phase for Silent<true> {
    const NAME: &'static str = "TLS handshake";
    const LEFT: Left = Left::No;

    fn hang(&mut self, store: &Store) -> String {
        self.hang(store)
    }

    fn end_hang(&mut self, _: &Store) {
        self.end_hang();
    }
}

impl Phase for Silent<false> {
    const NAME: &'static str = "receiving the head";
    const LEFT: Left = Left::Yes;

    fn hang(&mut self, store: &Store) -> String {
        self.hang(store)
    }

    fn end_hang(&mut self, _: &Store) {
        self.end_hang();
    }
}

/// The proxy reads CONNECT and sends nothing.
struct Tunnelling(Option<ConnectProxy>);

impl Phase for Tunnelling {
    const NAME: &'static str = "asking the proxy";
    const LEFT: Left = Left::No;

    fn hang(&mut self, store: &Store) -> String {
        self.0 = Some(ConnectProxy::start(connect_proxy::upstream(store), Reaction::Hang));
        store.sandbox.https_url()
    }

    fn end_hang(&mut self, _: &Store) {
        self.0.as_ref().unwrap().release();
    }

    fn proxy(&self) -> Option<String> {
        self.0.as_ref().map(ConnectProxy::url)
    }
}

struct Sending {
    shim: Shim,
    proxy: Option<Proxy>,
}

impl Phase for Sending {
    const NAME: &'static str = "sending";
    const LEFT: Left = Left::Perhaps;
    /// A purchase that is never sent is sent again only after this time.
    const REQUEST_TIMEOUT_MS: u64 = 1_500;

    fn hang(&mut self, store: &Store) -> String {
        let proxy = Proxy::start(port(&store.sandbox.http_url()));
        let address = proxy.address;
        self.shim.block_sending(address.port());
        self.proxy = Some(proxy);
        format!("http://{address}")
    }

    fn end_hang(&mut self, _: &Store) {
        self.shim.end_blocked_sending(self.proxy.as_ref().unwrap().address.port());
    }
}

/// The response comes a few bytes at a time, and takes longer than any wait.
struct SlowBody;

impl Phase for SlowBody {
    const NAME: &'static str = "receiving the body";
    const LEFT: Left = Left::Yes;

    fn hang(&mut self, store: &Store) -> String {
        let few = 4.try_into().unwrap();
        store.sandbox.arm(Fault::on(Operation::Any, Effect::Drip { bytes_per_write: few, interval_ms: 5 }));
        store.sandbox.https_url()
    }

    fn end_hang(&mut self, store: &Store) {
        store.sandbox.clear_faults();
    }
}

/// The event that ends a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    WaitMs(u64),
    Cancel,
    Close,
}

const ENDS: [End; 6] = [End::WaitMs(0), End::WaitMs(1), End::WaitMs(100), End::WaitMs(500), End::Cancel, End::Close];

impl End {
    fn wait_ms(self) -> u64 {
        if let End::WaitMs(wait) = self { wait } else { FOREVER_MS }
    }

    /// Returns the code of a call that has sent nothing, and the code of a call that may have.
    fn codes(self) -> (Code, Code) {
        match self {
            End::WaitMs(_) => (Code::TimedOut, Code::PendingWaitEnded),
            End::Cancel => (Code::Cancelled, Code::PendingCancelled),
            End::Close => (Code::Closed, Code::PendingClosed),
        }
    }
}

/// Makes a call and ends it. Returns its result and the time that it took after its end was due.
fn end_call<T: Send>(
    client: &Client,
    end: End,
    under_way: impl Fn(),
    call: impl FnOnce() -> Result<T, Error> + Send,
) -> (Result<T, Error>, Duration, Duration) {
    std::thread::scope(|scope| {
        let began = Instant::now();
        let caller = scope.spawn(move || (call(), Instant::now()));
        let (due, closing) = match end {
            End::WaitMs(wait) => (began + Duration::from_millis(wait), Duration::ZERO),
            End::Cancel | End::Close => {
                under_way();
                let due = Instant::now();
                match end {
                    End::Cancel => client.cancel().unwrap(),
                    _ => client.close(),
                }
                (due, if end == End::Close { due.elapsed() } else { Duration::ZERO })
            }
        };
        let (result, returned) = caller.join().unwrap();
        (result, returned.saturating_duration_since(due), closing)
    })
}

#[derive(Default)]
struct Tally {
    points: usize,
    overshoot: Overshoot,
    longest_close: Duration,
    /// Nothing had left, but the evidence was not durable in time. The caller got pending, which is
    /// true but weaker than promised.
    unproven: usize,
    violations: Vec<String>,
}

impl Tally {
    fn expect(&mut self, what: &str, holds: bool, says: impl FnOnce() -> String) {
        if !holds {
            self.violations.push(format!("{what}: {}", says()));
        }
    }
}

impl Tally {
    fn conclude(self, phase: &str) {
        let Self { points, overshoot, longest_close, unproven, violations } = self;
        println!(
            "campaign deadlines, {phase}: {points} points tried, {} violations; {overshoot}; closing {} ms at most; {unproven} unproven",
            violations.len(),
            longest_close.as_millis()
        );
        assert!(violations.is_empty(), "the first of {}: {}", violations.len(), violations[0]);
        assert!(unproven * 2 < points, "{phase}: {unproven} of {points} were not proven to be not sent");
    }
}

fn reads(client: &Client) -> u64 {
    parse(&client.read_stats().unwrap())["reads"].as_u64().unwrap()
}

fn posts(store: &Store, id: OperationId) -> usize {
    let requests = store.sandbox.requests();
    requests.iter().filter(|entry| entry.method == "POST" && entry.purchase_id == Some(id.uuid())).count()
}

fn deducted(store: &Store, id: OperationId) -> usize {
    store.deductions().iter().filter(|deducted| **deducted == id.uuid()).count()
}

fn list<P: Phase>(phase: &mut P, end: End, tally: &mut Tally) {
    let store = Store::open();
    let what = format!("{}, list_items, {end:?}", P::NAME);
    let base_url = phase.hang(&store);
    let client =
        store.client_with(&json!({ "baseUrl": base_url, "proxy": phase.proxy(), "requestTimeoutMs": FOREVER_MS }));
    let options = json!({ "waitMs": end.wait_ms() }).to_string();
    let under_way = || eventually("the read is under way", || (reads(&client) == 1).then_some(()));
    let (result, over, closing) = end_call(&client, end, under_way, || client.list_items(LOAD, Some(&options)));
    let code = result.as_ref().map_or_else(Error::code, |_| Code::Ok);
    let late = tally.overshoot.note(over, Duration::ZERO);
    tally.points += 1;
    tally.longest_close = tally.longest_close.max(closing);
    tally.expect(&what, late.is_ok(), || late.unwrap_err());
    tally.expect(&what, closing <= CLOSING, || format!("closing took {closing:?}"));
    tally.expect(&what, code == end.codes().0, || format!("returned {}", code.row().name));
    phase.end_hang(&store);
    if end != End::Close {
        let next = client.list_items(LOAD, None);
        tally.expect(&what, next.is_ok(), || format!("the next list is {}", next.unwrap_err()));
    }
}

fn purchase<P: Phase>(phase: &mut P, end: End, tally: &mut Tally) {
    let store = Store::open();
    let what = format!("{}, purchase, {end:?}", P::NAME);
    let base_url = phase.hang(&store);
    let config = json!({
        "baseUrl": base_url, "proxy": phase.proxy(), "requestTimeoutMs": P::REQUEST_TIMEOUT_MS, "journalPath": store.journal(),
    });
    let client = store.client_with(&config);
    let id = OperationId::fresh();
    let options = json!({ "waitMs": end.wait_ms(), "purchaseId": id }).to_string();
    let under_way = || {
        eventually("the purchase is recorded", || (unacknowledged(&client).len() == 1).then_some(()));
        if P::LEFT == Left::Yes {
            eventually("the request has arrived", || (posts(&store, id) == 1).then_some(()));
        }
    };
    let (result, over, closing) = end_call(&client, end, under_way, || client.purchase(LOAD, COFFEE, Some(&options)));
    let code = result.as_ref().map_or_else(Error::code, |_| Code::Ok);
    let late = tally.overshoot.note(over, Duration::ZERO);
    tally.points += 1;
    tally.longest_close = tally.longest_close.max(closing);
    tally.expect(&what, late.is_ok(), || late.unwrap_err());
    tally.expect(&what, closing <= CLOSING, || format!("closing took {closing:?}"));
    let (not_sent, pending) = end.codes();
    let soon = matches!(end, End::WaitMs(0 | 1));
    let allowed = match P::LEFT {
        Left::Yes if !soon => code == pending,
        _ => code == not_sent || code == pending,
    };
    tally.expect(&what, allowed, || format!("returned {}", code.row().name));
    tally.unproven += usize::from(P::LEFT == Left::No && code == pending);
    phase.end_hang(&store);
    // After a close, the next run resolves the pending operations.
    let client = if end == End::Close { store.client_with(&config) } else { client };
    if code == not_sent {
        // A press that ended before a worker started it has left no record.
        let true_now = match client.get_operation(id) {
            Ok(operation) => parse(&operation)["outcome"] == "notSent",
            Err(error) => soon && error.code() == Code::UnknownOperation,
        };
        tally.expect(&what, true_now, || "the journal does not say that it is not sent".to_owned());
    }
    // Another purchase by the same path: every late request of the first arrives before its
    // response.
    let other = json!({ "purchaseId": OperationId::fresh() }).to_string();
    let bought = client.purchase(LOAD, COFFEE, Some(&other));
    tally.expect(&what, bought.is_ok(), || format!("the next purchase is {}", bought.unwrap_err()));
    if code == not_sent || P::LEFT == Left::No {
        let (posts, deducted) = (posts(&store, id), deducted(&store, id));
        tally.expect(&what, posts + deducted == 0, || format!("{posts} POSTs of what was not sent"));
    } else {
        let outcome = resolved(&client, id)["outcome"].clone();
        let deducted = deducted(&store, id);
        let sent_or_not = (outcome == "completed" && deducted == 1) || (outcome == "notSent" && deducted == 0);
        tally.expect(&what, sent_or_not, || format!("pending ended as {outcome} with {deducted} deductions"));
        tally.expect(&what, posts(&store, id) <= 1, || format!("{} POSTs", posts(&store, id)));
    }
    client.close();
}

fn campaign<P: Phase>(phase: &mut P) {
    let mut tally = Tally::default();
    for end in ENDS {
        list(phase, end, &mut tally);
        purchase(phase, end, &mut tally);
    }
    tally.conclude(P::NAME);
}

#[test]
fn call_with_hanging_name_resolution_returns_in_time() {
    let _alone = alone();
    if let Some(shim) = Shim::inside("deadlines::call_with_hanging_name_resolution_returns_in_time") {
        campaign(&mut Resolving(shim));
    }
}

#[test]
fn call_with_hanging_connect_returns_in_time() {
    let _alone = alone();
    campaign(&mut Connecting::default());
}

#[test]
fn call_with_hanging_tls_handshake_returns_in_time() {
    let _alone = alone();
    campaign(&mut Silent::<true> { proxy: None });
}

#[test]
fn call_with_hanging_proxy_returns_in_time() {
    let _alone = alone();
    campaign(&mut Tunnelling(None));
}

#[test]
fn call_with_blocked_send_returns_in_time() {
    let _alone = alone();
    if let Some(shim) = Shim::inside("deadlines::call_with_blocked_send_returns_in_time") {
        campaign(&mut Sending { shim, proxy: None });
    }
}

#[test]
fn call_with_missing_response_head_returns_in_time() {
    let _alone = alone();
    campaign(&mut Silent::<false> { proxy: None });
}

#[test]
fn call_with_slow_response_body_returns_in_time() {
    let _alone = alone();
    campaign(&mut SlowBody);
}

/// Builds the C program of `timed_call.c` against the public header and the shared library.
fn timed_call_program() -> PathBuf {
    let libraries = till::till().parent().unwrap();
    let program = till::build_folder().join("hang");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let include = format!("-I{}", root.join("include").display());
    let library = libraries.join("libengage_point_shop.so.1").display().to_string();
    let rpath = format!("-Wl,--disable-new-dtags,-rpath,{}", libraries.display());
    till::compile(
        &root.join("tests/campaigns/network/timed_call.c"),
        &program,
        &[&include, &library, &rpath, "-pthread"],
    );
    program
}

#[test]
fn c_call_with_hanging_name_resolution_returns_in_time() {
    let _alone = alone();
    let shim = Shim::beside();
    let program = timed_call_program();
    let mut tally = Tally::default();
    for end in ENDS {
        for kind in ["items", "purchase"] {
            let store = Store::open();
            let what = format!("C, {kind}, {end:?}");
            let word = match end {
                End::WaitMs(wait) => wait.to_string(),
                End::Cancel => "cancel".into(),
                End::Close => "close".into(),
            };
            let config = store.config(&json!({ "journalPath": store.journal() }));
            shim.hang_resolution();
            let mut command = Command::new(&program);
            command.args([&config, &LOAD.to_string(), &COFFEE.to_string(), kind, &word]);
            let mut child = shim.preload(&mut command).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            let mut line = String::new();
            BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
            shim.end_hanging_resolution();
            child.stdin.take().unwrap().write_all(b"\n").unwrap();
            let status = child.wait().unwrap();
            tally.expect(&what, status.success(), || format!("{status}: {line}"));
            let report = parse(line.as_bytes());
            let over = Duration::from_secs_f64((report["over"].as_f64().unwrap() / 1e3).max(0.0));
            let late = tally.overshoot.note(over, Duration::ZERO);
            let ending = Duration::from_secs_f64(report["ending"].as_f64().unwrap() / 1e3);
            let code = Code::from_number(i32::try_from(report["code"].as_i64().unwrap()).unwrap()).unwrap();
            tally.points += 1;
            tally.longest_close = tally.longest_close.max(ending);
            tally.expect(&what, late.is_ok(), || late.unwrap_err());
            tally.expect(&what, ending <= CLOSING, || format!("ending the call took {ending:?}"));
            let (not_sent, pending) = end.codes();
            let unproven = kind == "purchase" && code == pending;
            tally.unproven += usize::from(unproven);
            tally.expect(&what, code == not_sent || unproven, || format!("returned {}", code.row().name));
            // Only the purchase after the hang.
            let expected = usize::from(end != End::Close);
            let (posts, deducted) = (store.posts(), store.deductions().len());
            tally.expect(&what, (posts, deducted) == (expected, expected), || {
                format!("{posts} POSTs, {deducted} deductions")
            });
        }
    }
    tally.conclude("the C API, resolving");
}

#[test]
fn late_response_without_waiter_is_journaled() {
    let _alone = alone();
    let store = Store::open();
    let client = store.client_with(&json!({ "requestTimeoutMs": FOREVER_MS }));
    // The connection is made first, so that the wait is not spent on connecting.
    client.list_items(LOAD, None).unwrap();
    store.sandbox.arm(Fault::on(Operation::Purchase, Effect::Delay { ms: 3_000 }));
    let id = OperationId::fresh();
    let error = buy_pending(&client, LOAD, COFFEE, &json!({ "purchaseId": id }));
    assert_eq!(error.code(), Code::PendingWaitEnded);
    assert_eq!(deducted(&store, id), 0, "the response cannot have been there yet");
    assert_eq!(resolved(&client, id)["outcome"], "completed");
    assert_eq!((posts(&store, id), deducted(&store, id)), (1, 1));
    assert!(store.sandbox.requests().iter().all(|entry| entry.operation != Some(Operation::Purchases)));
}
