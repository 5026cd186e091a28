//! Faults of real networks: dead reused connections, malformed responses, dead addresses. A read
//! returns Engage's list or a code of the -4xx class. A purchase is completed, or pending and then
//! completed, and is sent once.

use crate::cutting_proxy::{Kind, Proxy};
use crate::name_resolution::Shim;
use crate::scripted_server::{ITEMS, Scripted, ScriptedServer, Then, purchase_json};
use crate::support::{COFFEE, LOAD, Store, eventually, parse, resolved};
use crate::{Overshoot, alone, full};
use engage_point_shop::{Client, Code, Error, OperationId, Outcome};
use engage_sandbox::{Effect, Fault, Operation};
use serde_json::json;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// The value of a response for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Validity {
    /// Engage's response, in a form that HTTP allows.
    Good,
    /// Not reliable.
    Bad,
    /// No outcome is required. A reported outcome must be true.
    Either,
}

type Make = fn(body: &[u8]) -> Scripted;

fn closing(bytes: impl Into<Vec<u8>>) -> Scripted {
    Scripted { bytes: bytes.into(), then: Then::Close }
}

fn staying(bytes: impl Into<Vec<u8>>) -> Scripted {
    Scripted { bytes: bytes.into(), then: Then::KeepOpen }
}

fn text(body: &[u8]) -> &str {
    std::str::from_utf8(body).unwrap()
}

/// Returns a complete response with more header lines, each ended by CRLF.
fn with(lines: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{lines}\r\n");
    [head.as_bytes(), body].concat()
}

fn chunked(body: &[u8], size: usize, end: &str) -> Vec<u8> {
    let mut bytes = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for chunk in body.chunks(size) {
        bytes.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        bytes.extend(chunk);
        bytes.extend(b"\r\n");
    }
    bytes.extend(end.as_bytes());
    bytes
}

/// Returns the body as gzip, stored and not compressed.
fn gzip(body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap();
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1];
    bytes.extend(length.to_le_bytes());
    bytes.extend((!length).to_le_bytes());
    bytes.extend(body);
    let mut crc = !0_u32;
    for byte in body {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    bytes.extend((!crc).to_le_bytes());
    bytes.extend(u32::from(length).to_le_bytes());
    bytes
}

fn raw(head: &str, body: &[u8]) -> Vec<u8> {
    [head.as_bytes(), body].concat()
}

/// Returns the response of a proxy, a filter or a gateway instead of Engage's.
fn page(status: &str, kind: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

const JSON: &str = "Content-Type: application/json\r\n";

/// Returns every malformed response, by its name in a failure.
fn malformed_responses() -> Vec<(&'static str, Validity, Make)> {
    vec![
        ("plain", Validity::Good, |b| staying(with("", b))),
        ("100 before it", Validity::Good, |b| staying(raw("HTTP/1.1 100 Continue\r\n\r\n", &with("", b)))),
        ("103 before it", Validity::Good, |b| {
            staying(raw("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", &with("", b)))
        }),
        ("199 before it", Validity::Either, |b| staying(raw("HTTP/1.1 199 Misc\r\n\r\n", &with("", b)))),
        ("102 alone", Validity::Bad, |_| closing("HTTP/1.1 102 Processing\r\n\r\n")),
        ("101 Switching Protocols", Validity::Bad, |b| {
            closing(raw("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", b))
        }),
        ("chunked", Validity::Good, |b| staying(chunked(b, 7, "0\r\n\r\n"))),
        ("chunked, a byte at a time", Validity::Good, |b| staying(chunked(b, 1, "0\r\n\r\n"))),
        ("chunked with a trailer", Validity::Either, |b| staying(chunked(b, 9, "0\r\nX-Sum: 1\r\n\r\n"))),
        ("chunked without its end", Validity::Bad, |b| closing(chunked(b, 9, ""))),
        ("chunked, cut in a chunk", Validity::Bad, |b| {
            let mut bytes = chunked(b, 64, "0\r\n\r\n");
            bytes.truncate(bytes.len() - 20);
            closing(bytes)
        }),
        ("chunked with a size that is no number", Validity::Bad, |b| closing(chunked(b, 9, "zz\r\n\r\n"))),
        ("chunked with a size beyond 64 bits", Validity::Bad, |b| {
            closing(raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", b))
        }),
        ("no length", Validity::Good, |b| closing(raw(&format!("HTTP/1.1 200 OK\r\n{JSON}\r\n"), b))),
        ("no length, and cut", Validity::Bad, |b| {
            closing(raw(&format!("HTTP/1.1 200 OK\r\n{JSON}\r\n"), &b[..b.len() - 9]))
        }),
        ("HTTP/1.0", Validity::Good, |b| closing(raw(&format!("HTTP/1.0 200 OK\r\n{JSON}\r\n"), b))),
        ("HTTP/1.0 with a length", Validity::Good, |b| {
            closing(raw(&format!("HTTP/1.0 200 OK\r\n{JSON}Content-Length: {}\r\n\r\n", b.len()), b))
        }),
        (SILENCE, Validity::Bad, |_| closing("")),
        ("half a status line", Validity::Bad, |_| closing("HTTP/1.1 20")),
        ("half a head", Validity::Bad, |_| closing("HTTP/1.1 200 OK\r\nContent-Le")),
        ("a head and no body", Validity::Bad, |b| closing(with("", b)[..with("", b).len() - b.len()].to_vec())),
        ("half a body", Validity::Bad, |b| closing(with("", b)[..with("", b).len() - b.len() / 2].to_vec())),
        ("a length too long by one", Validity::Bad, |b| {
            closing(raw(&format!("HTTP/1.1 200 OK\r\n{JSON}Content-Length: {}\r\n\r\n", b.len() + 1), b))
        }),
        ("a length too short by one", Validity::Bad, |b| {
            closing(raw(&format!("HTTP/1.1 200 OK\r\n{JSON}Content-Length: {}\r\n\r\n", b.len() - 1), b))
        }),
        ("a negative length", Validity::Bad, |b| closing(raw("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", b))),
        ("a length that is no number", Validity::Bad, |b| {
            closing(raw("HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", b))
        }),
        ("a length of 2^63", Validity::Bad, |b| {
            closing(raw("HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\n", b))
        }),
        ("two lengths that differ", Validity::Either, |b| closing(with("Content-Length: 3\r\n", b))),
        ("a length and chunks", Validity::Either, |b| {
            let body = chunked(b, 9, "0\r\n\r\n");
            let text = String::from_utf8(body).unwrap();
            closing(text.replacen("Transfer", "Content-Length: 4\r\nTransfer", 1))
        }),
        ("a BOM", Validity::Good, |b| staying(with("", &[b"\xEF\xBB\xBF", b].concat()))),
        ("white space around it", Validity::Good, |b| staying(with("", format!(" \r\n{}\n ", text(b)).as_bytes()))),
        ("UTF-16", Validity::Bad, |b| {
            let wide: Vec<u8> = text(b).encode_utf16().flat_map(u16::to_le_bytes).collect();
            staying(with("", &wide))
        }),
        ("empty", Validity::Bad, |_| staying(with("", b""))),
        ("null", Validity::Bad, |_| staying(with("", b"null"))),
        ("a NUL after it", Validity::Bad, |b| staying(with("", &[b, b"\0".as_slice()].concat()))),
        ("twice", Validity::Bad, |b| staying(with("", &[b, b].concat()))),
        ("gzip that was not requested", Validity::Bad, |b| staying(with("Content-Encoding: gzip\r\n", &gzip(b)))),
        ("gzip that does not say so", Validity::Bad, |b| staying(with("", &gzip(b)))),
        ("text that says it is gzip", Validity::Either, |b| staying(with("Content-Encoding: gzip\r\n", b))),
        ("headers in unusual case", Validity::Good, |b| {
            staying(raw(&format!("HTTP/1.1 200 OK\r\ncOnTeNt-lEnGtH:{}\r\nCONTENT-TYPE:x\r\n\r\n", b.len()), b))
        }),
        ("no reason phrase", Validity::Good, |b| {
            staying(raw(&format!("HTTP/1.1 200\r\nContent-Length: {}\r\n\r\n", b.len()), b))
        }),
        ("bare line feeds", Validity::Either, |b| {
            closing(raw(&format!("HTTP/1.1 200 OK\nContent-Length: {}\n\n", b.len()), b))
        }),
        ("a folded header", Validity::Either, |b| staying(with("X-Folded: a\r\n b\r\n", b))),
        ("a header that is Latin-1", Validity::Either, |b| {
            let head = with("X-Name: \x01\r\n", b);
            staying(head.into_iter().map(|byte| if byte == 1 { 0xE5 } else { byte }).collect::<Vec<_>>())
        }),
        ("a NUL in a header", Validity::Either, |b| staying(with("X-Name: a\0b\r\n", b))),
        ("a header without a colon", Validity::Bad, |b| closing(with("nonsense\r\n", b))),
        ("200 headers", Validity::Either, |b| staying(with(&"X-One: 1\r\n".repeat(200), b))),
        ("a header of 70 KB", Validity::Either, |b| staying(with(&format!("X-Long: {}\r\n", "x".repeat(70_000)), b))),
        ("a redirect", Validity::Bad, |_| {
            staying("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")
        }),
        ("200 with a web page", Validity::Bad, |_| staying(with("", b"<html>Welcome to our free Wi-Fi</html>"))),
        ("400 with a text", Validity::Bad, |_| staying(page("400 Bad Request", "text/plain", "bad request"))),
        ("401 with a web page", Validity::Bad, |_| {
            staying(page("401 Unauthorized", "text/html", "<html>Log in</html>"))
        }),
        ("403 with a web page", Validity::Bad, |_| staying(page("403 Forbidden", "text/html", "<html>Blocked</html>"))),
        ("404 with a web page", Validity::Bad, |_| staying(page("404 Not Found", "text/html", "<html>IIS</html>"))),
        ("407 with a web page", Validity::Bad, |_| {
            staying(page("407 Proxy Authentication", "text/html", "<html></html>"))
        }),
        ("408 with nothing", Validity::Bad, |_| closing(page("408 Request Timeout", "text/plain", ""))),
        ("422 with a text", Validity::Bad, |_| staying(page("422 Unprocessable", "text/plain", "no"))),
        ("429 with nothing", Validity::Bad, |_| staying(page("429 Too Many Requests", "text/plain", ""))),
        ("502 with a web page", Validity::Bad, |_| staying(page("502 Bad Gateway", "text/html", "<html>nginx</html>"))),
        ("511 with a web page", Validity::Bad, |_| {
            staying(page("511 Network Authentication", "text/html", "<html></html>"))
        }),
        ("204", Validity::Bad, |_| staying("HTTP/1.1 204 No Content\r\n\r\n")),
        ("206 with the body", Validity::Bad, |b| {
            staying(raw(&format!("HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\n\r\n", b.len()), b))
        }),
        ("304", Validity::Bad, |_| closing("HTTP/1.1 304 Not Modified\r\n\r\n")),
        ("status 99", Validity::Bad, |b| closing(raw("HTTP/1.1 99 Low\r\n\r\n", b))),
        ("status 1000", Validity::Bad, |b| closing(raw("HTTP/1.1 1000 High\r\n\r\n", b))),
        ("status 999", Validity::Bad, |b| closing(raw("HTTP/1.1 999 Scripted\r\n\r\n", b))),
        ("HTTP/2 preface", Validity::Bad, |b| closing(raw("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b))),
        ("HTTP/3.7", Validity::Bad, |b| closing(raw("HTTP/3.7 200 OK\r\n\r\n", b))),
        ("not HTTP", Validity::Bad, |_| closing("220 smtp.example.com ESMTP\r\n")),
        ("TLS to a plain client", Validity::Bad, |_| closing(vec![0x15, 3, 1, 0, 2, 2, 40])),
        ("another response behind it", Validity::Either, |b| staying([with("", b), with("", b)].concat())),
        ("bytes without end in a header", Validity::Bad, |_| Scripted {
            bytes: b"HTTP/1.1 200 OK\r\nX-Long: ".to_vec(),
            then: Then::Endless(vec![b'x'; 16 << 10]),
        }),
        ("headers without end", Validity::Bad, |_| Scripted {
            bytes: b"HTTP/1.1 200 OK\r\n".to_vec(),
            then: Then::Endless(b"X-One: 1\r\n".repeat(1_000)),
        }),
        ("informational responses without end", Validity::Bad, |_| Scripted {
            bytes: Vec::new(),
            then: Then::Endless(b"HTTP/1.1 100 Continue\r\n\r\n".repeat(1_000)),
        }),
        ("a body without end", Validity::Bad, |_| Scripted {
            bytes: format!("HTTP/1.1 200 OK\r\n{JSON}\r\n[").into_bytes(),
            then: Then::Endless(vec![b' '; 16 << 10]),
        }),
        ("chunks without end", Validity::Bad, |_| Scripted {
            bytes: format!("HTTP/1.1 200 OK\r\n{JSON}Transfer-Encoding: chunked\r\n\r\n").into_bytes(),
            then: Then::Endless(b"1\r\n \r\n".repeat(1_000)),
        }),
        ("a chunk size without end", Validity::Bad, |_| Scripted {
            bytes: format!("HTTP/1.1 200 OK\r\n{JSON}Transfer-Encoding: chunked\r\n\r\n").into_bytes(),
            then: Then::Endless(vec![b'0'; 16 << 10]),
        }),
        ("a body larger than the cap", Validity::Bad, |_| staying(with("", &vec![b' '; 70_000]))),
    ]
}

/// The limit for a read of a malformed response. An endless response ends by this limit at the
/// latest.
const READ_WAIT: Duration = Duration::from_secs(1);
/// Shorter than the time until the status query, so that the outcome comes from the response alone.
const PURCHASE_WAIT: Duration = Duration::from_millis(200);
const CAP: u64 = 64 << 10;

fn client_of(server: &ScriptedServer) -> Client {
    let config = json!({
        "baseUrl": format!("http://{}", server.address), "apiKey": "k", "userAgent": "TestPOS/1.0", "journal": "memory",
        "requestTimeoutMs": 1_500, "retryScheduleMs": [86_400_000], "startupJitterMs": 0, "maxResponseBytes": CAP, "preconnect": false,
    });
    Client::open(&config.to_string()).unwrap()
}

fn code_of<T>(result: &Result<T, Error>) -> Code {
    result.as_ref().map_or_else(Error::code, |_| Code::Ok)
}

/// Checks that the list is Engage's own or an error.
fn malformed_list(
    server: &ScriptedServer,
    is: Validity,
    make: Make,
    overshoot: &mut Overshoot,
) -> Result<Code, String> {
    let client = client_of(server);
    server.respond_next(make(ITEMS.as_bytes()));
    let began = Instant::now();
    let result = client.list_items(LOAD, Some(&json!({ "waitMs": READ_WAIT.as_millis() }).to_string()));
    overshoot.note(began.elapsed(), READ_WAIT)?;
    let code = code_of(&result);
    match &result {
        Ok(list) if is == Validity::Bad => return Err(format!("{} was passed on", String::from_utf8_lossy(list))),
        Ok(list) if String::from_utf8_lossy(list).trim() != ITEMS => {
            return Err(format!("{} is not Engage's list", String::from_utf8_lossy(list)));
        }
        Err(error) if is == Validity::Good => return Err(format!("{error} {:?}", error.cause())),
        Err(error) if !(-499..=-400).contains(&code.number()) => return Err(format!("{error} is not a failed read")),
        _ => {}
    }
    match client.list_items(LOAD, None) {
        Ok(list) if list == ITEMS.as_bytes() => Ok(code),
        other => Err(format!("the next list is {:?}", other.map(|list| String::from_utf8_lossy(&list).into_owned()))),
    }
}

/// Checks the outcome: completed where the response states it, else pending and then completed
/// without a second request.
fn malformed_purchase(
    name: &str,
    server: &ScriptedServer,
    is: Validity,
    make: Make,
    overshoot: &mut Overshoot,
) -> Result<Code, String> {
    let client = client_of(server);
    let id = OperationId::fresh();
    let response = purchase_json(&id.to_string(), &LOAD.to_string(), &COFFEE.to_string()).to_string();
    server.respond_next(make(response.as_bytes()));
    let options = json!({ "purchaseId": id, "waitMs": PURCHASE_WAIT.as_millis() }).to_string();
    let began = Instant::now();
    let result = client.purchase(LOAD, COFFEE, Some(&options));
    overshoot.note(began.elapsed(), PURCHASE_WAIT)?;
    let code = code_of(&result);
    match code.row().outcome {
        Outcome::Completed if is != Validity::Bad || name == SILENCE => {}
        Outcome::Pending if is != Validity::Good => {}
        _ => return Err(format!("returned {}", code.row().name)),
    }
    let outcome = eventually("the purchase ends", || {
        client.resolve_pending(Some(r#"{"waitMs":100}"#)).unwrap();
        let operation = parse(&client.get_operation(id).unwrap());
        (operation["outcome"] != "pending").then(|| operation["outcome"].clone())
    });
    let posts = server.posts(&id.to_string());
    if outcome == "completed" && posts == 1 {
        Ok(code)
    } else {
        Err(format!("it ended as {outcome} after {posts} POSTs"))
    }
}

#[test]
fn malformed_response_is_never_taken_for_an_outcome() {
    let _alone = alone();
    let server = ScriptedServer::start();
    let mut overshoot = Overshoot::default();
    let (mut points, mut violations) = (0, Vec::new());
    for (name, is, make) in malformed_responses() {
        let list = malformed_list(&server, is, make, &mut overshoot);
        let purchase = malformed_purchase(name, &server, is, make, &mut overshoot);
        if full() {
            println!("  {name} ({is:?}): list {list:?}, purchase {purchase:?}");
        }
        for (call, verdict) in [("list_items", list), ("purchase", purchase)] {
            points += 1;
            violations.extend(verdict.err().map(|says| format!("{name}, {call}: {says}")));
        }
    }
    println!("campaign malformed-responses: {points} points tried, {} violations; {overshoot}", violations.len());
    assert!(violations.is_empty(), "{violations:#?}");
}

/// No byte of a response: a status query and, if needed, one repeat follow at once.
const SILENCE: &str = "nothing at all";

/// An error response: the code of a read, the code of a purchase, and the retry time.
type Row = (&'static str, &'static str, &'static str, Code, Code, Option<u64>);

#[test]
fn gateway_errors_have_their_code_and_retry_time() {
    const THEN: &str = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: Sun, 06 Nov 1994 08:50:07 GMT\r\n";
    const PAST: &str = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: Sun, 06 Nov 1994 08:40:07 GMT\r\n";
    const DATELESS: &str = "Retry-After: Sun, 06 Nov 1994 08:50:07 GMT\r\n";
    const PAGE: &str = "Content-Type: text/html\r\n";
    use Code::{Declined, PendingServerError, RateLimited, ServerError};
    use Code::{
        InvalidRequest, InvalidResponse, ItemNotFound, PendingInvalidResponse, PendingProcessing, PendingRateLimited,
    };
    let rows: &[Row] = &[
        ("429 Too Many Requests", "Retry-After: 7\r\n", "", RateLimited, PendingRateLimited, Some(7_000)),
        ("429 Too Many Requests", THEN, "\"hush\"", RateLimited, PendingRateLimited, Some(30_000)),
        ("429 Too Many Requests", DATELESS, "{}", RateLimited, PendingRateLimited, None),
        ("429 Too Many Requests", PAGE, "<html>hush</html>", RateLimited, PendingRateLimited, None),
        ("503 Service Unavailable", "Retry-After: 120\r\n", "hush", ServerError, PendingServerError, Some(120_000)),
        ("503 Service Unavailable", PAST, "", ServerError, PendingServerError, Some(0)),
        ("504 Gateway Timeout", "", r#"{"errorCode":"RequestTimeOut"}"#, ServerError, PendingServerError, None),
        ("504 Gateway Timeout", PAGE, "<html>hush</html>", ServerError, PendingServerError, None),
        ("502 Bad Gateway", PAGE, "<html>hush</html>", ServerError, PendingServerError, None),
        ("500 Internal Server Error", "", "\"An error has occurred, hush\"", ServerError, PendingServerError, None),
        ("400 Bad Request", "", "\"hush\"", Declined, InvalidRequest, None),
        ("400 Bad Request", "", "\u{feff}\"hush\"", Declined, InvalidRequest, None),
        ("400 Bad Request", "", "", Declined, InvalidRequest, None),
        ("400 Bad Request", "", "hush", InvalidResponse, PendingInvalidResponse, None),
        ("404 Not Found", "", "\"hush\"", InvalidResponse, ItemNotFound, None),
        ("404 Not Found", PAGE, "<html>hush</html>", InvalidResponse, PendingInvalidResponse, None),
        ("403 Forbidden", PAGE, "<html>hush</html>", InvalidResponse, PendingInvalidResponse, None),
        ("200 OK", PAGE, "<html>hush</html>", InvalidResponse, PendingInvalidResponse, None),
        (
            "404 Conflict",
            "",
            r#"{"errorCode":"PointShopItemPurchaseProcessingTimedOut","message":"hush"}"#,
            Declined,
            PendingProcessing,
            None,
        ),
    ];
    let _alone = alone();
    let server = ScriptedServer::start();
    let wait = json!({ "waitMs": PURCHASE_WAIT.as_millis() }).to_string();
    for (status, lines, body, read, bought, retry_after_ms) in rows {
        let text = format!("HTTP/1.1 {status}\r\n{lines}Content-Length: {}\r\n\r\n{body}", body.len());
        let client = client_of(&server);
        server.respond_next(staying(text.as_bytes()));
        let one = client.list_items(LOAD, None).unwrap_err();
        server.respond_next(staying(text.as_bytes()));
        let other = client.purchase(LOAD, COFFEE, Some(&wait)).unwrap_err();
        assert_eq!((one.code(), other.code()), (*read, *bought), "{text}");
        for error in [one, other] {
            assert_eq!(
                error.detail().http_status.map(|number| number.to_string()).as_deref(),
                status.get(..3),
                "{text}"
            );
            assert_eq!(error.detail().retry_after_ms, *retry_after_ms, "{text}: {error}");
            assert!(!String::from_utf8(error.to_json()).unwrap().contains("hush"), "{text}: {error}");
            let is_page = body.starts_with('<');
            let says = error.message().to_owned() + &error.cause().concat();
            let names_page = says.contains("a web page ") || says.contains("is a web page");
            assert_eq!(names_page, is_page, "{text}: {error}");
        }
    }
}

fn port_of(url: &str) -> u16 {
    url.rsplit(':').next().unwrap().parse().unwrap()
}

/// A store, and a proxy before its HTTP or HTTPS port with the base URL that leads through it.
fn through_proxy(tls: bool) -> (Store, Proxy, String) {
    let store = Store::open();
    let url = if tls { store.sandbox.https_url() } else { store.sandbox.http_url() };
    let proxy = Proxy::start(SocketAddr::from(([127, 0, 0, 1], port_of(&url))));
    let scheme = if tls { "https" } else { "http" };
    let base_url = format!("{scheme}://localhost:{}", proxy.address.port());
    (store, proxy, base_url)
}

#[test]
fn dead_reused_connection_costs_no_call() {
    let _alone = alone();
    let rounds = if full() { 50 } else { 8 };
    let (mut points, mut first_try) = (0, 0);
    for tls in [false, true] {
        for kind in [Kind::Cut, Kind::Reset] {
            let (store, proxy, base_url) = through_proxy(tls);
            let client = store.client_with(&json!({ "baseUrl": base_url }));
            for _ in 0..rounds {
                client.list_items(LOAD, None).unwrap();
                assert!(proxy.connections() > 0, "the connection is kept");
                proxy.end_all(kind);
                client.list_items(LOAD, None).unwrap();
                proxy.end_all(kind);
                let id = OperationId::fresh();
                let options = json!({ "purchaseId": id }).to_string();
                let operation = parse(&client.purchase(LOAD, COFFEE, Some(&options)).unwrap());
                assert_eq!(operation["outcome"], "completed");
                let deducted = store.deductions().iter().filter(|deducted| **deducted == id.uuid()).count();
                assert_eq!(deducted, 1, "tls {tls}, {kind:?}");
                points += 2;
                first_try += usize::from(store.posts() == store.deductions().len());
            }
        }
    }
    println!("campaign dead-connections: {points} points tried, 0 violations; {first_try} purchases sent once");
}

/// Accepts connections on an address and closes them, or forwards them to the sandbox.
fn serve_on(address: IpAddr, port: u16, upstream: SocketAddr) -> Proxy {
    Proxy::serve(TcpListener::bind((address, port)).unwrap(), upstream)
}

/// Returns a port where `address` has a listener with a full queue, so that connecting to it hangs.
fn unresponsive_port(address: IpAddr, port: u16) -> (socket2::Socket, Vec<socket2::Socket>) {
    let new = || socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let at = SocketAddr::new(address, port).into();
    let listener = new();
    listener.bind(&at).unwrap();
    listener.listen(1).unwrap();
    let mut waiting = Vec::new();
    loop {
        let socket = new();
        if socket.connect_timeout(&at, Duration::from_millis(100)).is_err() {
            return (listener, waiting);
        }
        waiting.push(socket);
    }
}

#[test]
fn dead_address_delays_and_never_fails_a_call() {
    let _alone = alone();
    let Some(shim) = Shim::inside("malformed_responses::dead_address_delays_and_never_fails_a_call") else {
        return;
    };
    let store = Store::open();
    let upstream = SocketAddr::from(([127, 0, 0, 1], port_of(&store.sandbox.https_url())));
    let v4 = |last: u8| IpAddr::from([127, 0, 0, last]);
    let v6: IpAddr = "::1".parse().unwrap();
    let has_v6 = TcpListener::bind((v6, 0)).is_ok();
    let free_port = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut points = 0;
    let mut slowest = Duration::ZERO;
    // The listening addresses, the addresses without any reaction, and the addresses of the name.
    // All others reject connections.
    let cases: [(IpAddr, Option<IpAddr>, Vec<IpAddr>); 7] = [
        (v4(1), None, vec![v6, v4(1)]),
        (v4(1), None, vec![v4(1), v6]),
        (v6, None, vec![v4(1), v6]),
        (v6, None, vec![v4(5), v4(6), v6, v4(7)]),
        (v4(1), None, vec![v4(5), v4(6), v4(1)]),
        (v4(1), Some(v4(9)), vec![v4(9), v4(1)]),
        (v4(1), Some(v4(9)), vec![v4(9), v4(5), v6, v4(1)]),
    ];
    for (listening, hole, addresses) in cases {
        if listening == v6 && !has_v6 {
            println!("campaign addresses: no IPv6 here, {addresses:?} is left out");
            continue;
        }
        let port = free_port();
        let _proxy = serve_on(listening, port, upstream);
        let _hole = hole.map(|address| unresponsive_port(address, port));
        shim.set_addresses(&addresses);
        let client = store.client_with(&json!({ "baseUrl": format!("https://localhost:{port}") }));
        let began = Instant::now();
        client.list_items(LOAD, None).unwrap_or_else(|error| panic!("{addresses:?}: {error} {:?}", error.cause()));
        // An address without any reaction gets 250 ms before the next address is tried.
        let allowed = Duration::from_millis(if hole.is_some() { 250 } else { 0 }) + crate::TOLERATED;
        assert!(began.elapsed() < allowed, "{addresses:?}: {:?}", began.elapsed());
        slowest = slowest.max(began.elapsed());
        let id = OperationId::fresh();
        let options = json!({ "purchaseId": id }).to_string();
        client.purchase(LOAD, COFFEE, Some(&options)).unwrap();
        assert_eq!(resolved(&client, id)["attempts"], 1);
        points += 2;
    }
    // No server listens on any address: not sent is proven, and every address is in the cause.
    shim.set_addresses(&[v4(5), v6]);
    let client = store.client_with(&json!({ "baseUrl": format!("https://localhost:{}", free_port()) }));
    let error = client.purchase(LOAD, COFFEE, None).unwrap_err();
    assert_eq!(error.code(), Code::Offline);
    assert_eq!(error.cause().len(), 2, "{:?}", error.cause());
    println!("campaign addresses: {points} points tried, 0 violations; the slowest read {} ms", slowest.as_millis());
}

#[test]
fn server_that_closes_at_once_receives_nothing_over_tls() {
    let _alone = alone();
    let store = Store::open();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || listener.incoming().for_each(drop::<std::io::Result<TcpStream>>));
    let client = store.client_with(&json!({ "baseUrl": format!("https://localhost:{port}") }));
    for _ in 0..if full() { 500 } else { 20 } {
        let error = client.purchase(LOAD, COFFEE, Some(&json!({ "purchaseId": OperationId::fresh() }).to_string()));
        let code = error.unwrap_err().code();
        // The end of the stream or a reset, whichever the till sees first.
        assert!(matches!(code, Code::TlsFailed | Code::ConnectionLost), "{code:?}");
    }
}

/// Returns two responses in one write. The first has exactly `length` bytes, so that the second is
/// already there at the next request.
fn two_responses(length: usize) -> String {
    let response =
        |status: &str, body: &str| format!("HTTP/1.1 {status}\r\n{JSON}Content-Length: {:6}\r\n\r\n{body}", body.len());
    let short = response("200 OK", &ITEMS.replace("Kaffe", "")).len();
    let list = ITEMS.replace("Kaffe", &"x".repeat(length - short));
    response("200 OK", &list) + &response("422 Unprocessable Entity", r#"{"errorCode":"NotEnoughPoints"}"#)
}

#[test]
fn unsolicited_response_is_not_taken_for_the_next_one() {
    let _alone = alone();
    // Lengths around the sizes of buffers and TLS records. The rest waits in the HTTP layer, in the
    // TLS layer or in the socket.
    let mut lengths = vec![300, 1_000, 40_000];
    for size in [4 << 10, 8 << 10, 16 << 10, 32 << 10, 48 << 10, 64 << 10] {
        lengths.extend(size - 1..=size + 1);
    }
    let mut violations = Vec::new();
    let mut points = 0;
    for tls in [false, true] {
        for &length in &lengths {
            let store = Store::open();
            let base_url = if tls { store.sandbox.https_url() } else { store.sandbox.http_url() };
            let client = store.client_with(&json!({ "baseUrl": base_url }));
            let text = two_responses(length);
            store.sandbox.arm(Fault::on(Operation::Items, Effect::RawResponse { text, keep_alive: true }));
            let listed = client.list_items(LOAD, None);
            let bought = client.purchase(LOAD, COFFEE, None);
            points += 1;
            if listed.is_err() || bought.is_err() || store.deductions().len() != 1 || store.posts() != 1 {
                let (listed, bought, deducted) = (code_of(&listed), code_of(&bought), store.deductions().len());
                violations.push(format!(
                    "TLS {tls}, after a response of {length} bytes ({listed:?}): returned {bought:?}, deducted {deducted} times"
                ));
            }
        }
    }
    println!("campaign unsolicited-responses: {points} points tried, {} violations", violations.len());
    assert!(violations.is_empty(), "{violations:#?}");
}
