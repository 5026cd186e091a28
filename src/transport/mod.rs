//! HTTP: one agent a client, its connections, root certificates, deadlines and cancellation. The
//! transport knows nothing of Engage. It returns a status and bytes, or how the request failed and
//! whether any of it may have left the till.

mod adapter;
mod call;
mod clock;
mod connect;
mod connection;
mod context;
mod head;
mod inspect;
mod resolve;
mod socket;
mod stream;
mod tls;
mod tunnel;
mod validity;

pub(crate) use call::{Call, Cancellation, EndReason, SLICE};
pub(crate) use head::http_date;
pub(crate) use inspect::Step;

use crate::config::Config;
use crate::core::error::{Result, chain};
use crate::core::id::{OperationId, RequestId};
use crate::log::{Field, Level, Log};
use crate::rt::Instant;
use crate::secret::{Secret, Wiped};
use adapter::{AddressSource, ConnectionSource};
use connect::Connections;
use context::{NetworkError, RequestContext};
use std::io::{self, Read};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use ureq::http::{self, HeaderMap};
use ureq::{Agent, Body};

/// A request of Engage's API.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// The resource, for the log and the metrics: `purchases`.
    pub name: &'static str,
    /// From the first slash, query included, percent-encoded. It may hold the value by which a
    /// member is searched.
    pub path: Secret,
    /// A POST has a body, a GET has none.
    pub body: Option<Vec<u8>>,
    /// The library's own id of the request, and the header that carries it.
    pub id: (RequestId, String),
    /// The operation that the log names.
    pub operation: Option<OperationId>,
}

/// A response, from the server or from any device in its place.
#[derive(Debug, Clone)]
pub(crate) struct Response {
    pub status: u16,
    pub content_type: Option<String>,
    pub retry_after: Option<String>,
    /// The `Date` header.
    pub date: Option<String>,
    /// The server's own ids of the request.
    pub request_ids: Vec<RequestId>,
    pub extent: Extent,
    pub body: Vec<u8>,
}

/// What the headers say of a response that is not all, or not of now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Extent {
    /// A cache kept it (RFC 9111, 5.1): its `Date` and content are of an earlier time.
    pub is_cached: bool,
    /// There is another page (RFC 8288), or may be.
    pub has_next: bool,
    /// The number of elements in all pages.
    pub total: Option<u64>,
}

impl Extent {
    /// `header` gives the value of a header.
    fn of(header: impl Fn(&str) -> Option<String>) -> Self {
        // What is not a number counts as old.
        let is_cached = header("age").is_some_and(|age| age.trim().parse() != Ok(0_u64));
        let link = header("link").unwrap_or_default().to_ascii_lowercase().replace([' ', '"', '\''], "");
        let range = header("content-range").and_then(|range| Some(range.rsplit_once('/')?.1.to_owned()));
        let total = ["x-total-count", "x-total"].iter().find_map(|name| header(name)).or(range);
        // Others' names for it have no common form: each means a page.
        let is_page = ["x-pagination", "x-next-page", "x-has-more", "x-continuation-token"]
            .iter()
            .any(|name| header(name).is_some_and(|value| !matches!(value.trim(), "" | "0" | "false")));
        let total = total.and_then(|total| total.trim().parse().ok());
        Self { is_cached, has_next: is_page || link.contains("rel=next"), total }
    }
}

/// The headers by which servers name a request.
const REQUEST_ID_HEADERS: [&str; 4] = ["x-request-id", "request-id", "x-correlation-id", "traceparent"];

/// A request without a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub kind: FailureKind,
    /// Whether bytes of the request may have left the till.
    pub may_have_left: bool,
    /// Whether a byte of a response has arrived.
    pub response_began: bool,
    pub cause: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailureKind {
    TimedOut,
    Cancelled,
    Dns,
    Offline,
    /// rustls rejected the server's certificate, or the server sent an alert.
    Tls,
    /// The connection ended during the handshake.
    TlsEnded,
    /// The proxy requires another login.
    ProxyLogin,
    /// The proxy opens no tunnel.
    Proxy,
    /// The connection ended before the response was complete.
    Lost,
    /// The response is not HTTP.
    NotHttp,
    /// The response has a `Content-Encoding` that the request does not accept.
    Encoded,
    TooLarge,
    /// There was no memory for the response.
    OutOfMemory,
}

pub(crate) struct Transport {
    agent: Agent,
    connections: Arc<Connections>,
    /// The URL that `ureq` is given: the server and "/".
    url: String,
    /// The path of `baseUrl`, which stands before the path of every request.
    prefix: String,
    /// The end of the request line, and the library's header lines with the API key.
    headers: Wiped,
    max_response_bytes: u64,
    log: Arc<Log>,
}

/// Limit of making a connection in advance.
const PRECONNECT_LIMIT: Duration = Duration::from_secs(10);

impl Transport {
    /// Makes the transport of a client. `carried` are the headers of every request.
    pub fn new<'a>(config: &Config, carried: impl Iterator<Item = (&'a str, &'a str)>, log: &Arc<Log>) -> Result<Self> {
        let settings = Agent::config_builder()
            // Every status is a response. Its meaning is decided above the transport.
            .http_status_as_error(false)
            // A redirect would send the API key to another server.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .max_idle_connections(32)
            .max_idle_connections_per_host(32)
            // The connection has its own, shorter idle limit.
            .max_idle_age(Duration::from_secs(3_600))
            .input_buffer_size(16 << 10)
            .output_buffer_size(4 << 10)
            .user_agent("")
            .accept("application/json")
            .accept_encoding("identity")
            .build();
        let connections = Arc::new(Connections::new(config)?);
        let mut headers = Wiped::default();
        headers.push(b" HTTP/1.1\r\n");
        for (name, value) in carried {
            for part in [name, ": ", value, "\r\n"] {
                headers.push(part.as_bytes());
            }
        }
        Ok(Self {
            agent: Agent::with_parts(
                settings,
                ConnectionSource(connections.clone()),
                AddressSource(connections.clone()),
            ),
            connections,
            url: config.base_url.origin() + "/",
            prefix: config.base_url.prefix().to_owned(),
            headers,
            max_response_bytes: config.max_response_bytes,
            log: log.clone(),
        })
    }

    /// Makes a connection in the background, for the first call.
    pub fn preconnect(&self, cancellation: &Arc<Cancellation>) {
        self.connections.preconnect(Arc::new(Call::new(Instant::now() + PRECONNECT_LIMIT, cancellation)));
    }

    /// Makes one request in the simulated network.
    #[cfg(feature = "simulation")]
    #[allow(clippy::unused_self)]
    pub fn send(&self, request: &Request, call: &Arc<Call>) -> std::result::Result<Response, Failure> {
        crate::simulation::network::send(request, call)
    }

    /// Makes one request. A GET on a pooled connection that turns out to be closed is repeated at
    /// once on a new one. A POST is not: the journal decides about it.
    #[cfg(not(feature = "simulation"))]
    pub fn send(&self, request: &Request, call: &Arc<Call>) -> std::result::Result<Response, Failure> {
        let mut call = call.clone();
        let mut attempt = 0;
        loop {
            attempt += 1;
            let began = Instant::now();
            let context = Rc::new(RequestContext::new(&call, Some(self.head(request))));
            let result = context::enter(&context, || self.run(request, &context));
            if self.log.wants(Level::Debug) {
                self.log_request(request, attempt, began.elapsed(), &result, &context);
            }
            let NetworkError { kind, cause } = match result {
                Ok(response) => return Ok(response),
                Err(error) => classify(&error),
            };
            let is_repeatable = request.body.is_none() && kind == FailureKind::Lost;
            if is_repeatable && !context.is_new_connection() && call.end_reason().is_none() {
                call = Arc::new(call.again());
                continue;
            }
            let (may_have_left, response_began) = (call.may_have_left(), context.response_began());
            return Err(Failure { kind, may_have_left, response_began, cause });
        }
    }

    /// Logs one request with the durations of its parts.
    fn log_request(
        &self,
        request: &Request,
        attempt: u64,
        took: Duration,
        result: &std::result::Result<Response, ureq::Error>,
        context: &RequestContext,
    ) {
        let method = if request.body.is_some() { "POST" } else { "GET" };
        let mut fields = vec![
            ("path", Field::Word(request.name)),
            ("method", Field::Word(method)),
            ("requestId", Field::Request(&request.id.0)),
            ("attempt", Field::Number(attempt)),
            ("reused", Field::Flag(!context.is_new_connection())),
            ("ms", Field::Ms(took)),
        ];
        fields.extend(request.operation.map(|id| ("operationId", Field::Operation(id))));
        let timings = context.timings();
        let parts = [
            ("resolveMs", timings.resolve),
            ("connectMs", timings.connect),
            ("proxyMs", timings.tunnel),
            ("tlsMs", timings.tls),
        ];
        fields.extend(parts.into_iter().filter_map(|(name, part)| Some((name, Field::Ms(part?)))));
        if let Ok(response) = result {
            fields.push(("httpStatus", Field::Number(response.status.into())));
            fields.push(("bytes", Field::Number(response.body.len() as u64)));
        }
        self.log.write(Level::Debug, "request", &fields);
    }

    /// Returns the target of a request and the library's header lines. `ureq` does not get them,
    /// because it leaves copies in memory.
    fn head(&self, request: &Request) -> Wiped {
        let (id, header) = (request.id.0.as_str().as_bytes(), request.id.1.as_bytes());
        let parts =
            [self.prefix.as_bytes(), request.path.expose().as_bytes(), &self.headers, header, b": ", id, b"\r\n"];
        let mut head = Wiped::with_capacity(parts.iter().map(|part| part.len()).sum());
        for part in parts {
            head.push(part);
        }
        head
    }

    fn run(&self, request: &Request, context: &RequestContext) -> std::result::Result<Response, ureq::Error> {
        let response = match &request.body {
            None => self.agent.get(&self.url).call()?,
            Some(body) => self.agent.post(&self.url).send(body.as_slice())?,
        };
        self.read(response, context)
    }

    fn read(
        &self,
        mut response: http::Response<Body>,
        context: &RequestContext,
    ) -> std::result::Result<Response, ureq::Error> {
        let text = |headers: &HeaderMap, name: &str| {
            headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let headers = response.headers();
        let (content_type, retry_after) = (text(headers, "content-type"), text(headers, "retry-after"));
        let date = text(headers, "date");
        let extent = Extent::of(|name| text(headers, name));
        let mut request_ids = Vec::new();
        for id in REQUEST_ID_HEADERS.iter().filter_map(|name| RequestId::read(&text(headers, name)?)) {
            // A server may give one id under several names.
            if !request_ids.contains(&id) {
                request_ids.push(id);
            }
        }
        if let Some(kept) = text(headers, "keep-alive").as_deref().and_then(kept_for) {
            context.limit_idling(kept);
        }
        let status = response.status().as_u16();
        if let Some(coding) = text(headers, "content-encoding").filter(|_| !is_retryable(status))
            && !coding.trim().eq_ignore_ascii_case("identity")
        {
            return Err(io::Error::from(encoded(&coding)).into());
        }
        let announced = response.body().content_length().unwrap_or(0).min(self.max_response_bytes);
        // One byte more, for the terminating NUL of the C buffer.
        let mut body = Vec::new();
        reserve(&mut body, usize::try_from(announced).unwrap_or(0) + 1)?;
        // One byte more than the limit, so that a response of exactly the limit passes.
        let mut reader = response.body_mut().with_config().limit(self.max_response_bytes + 1).reader();
        let mut chunk = [0; CHUNK];
        loop {
            let read = reader.read(&mut chunk)?;
            if read == 0 {
                break;
            }
            // One byte more, for the terminating NUL of the C buffer.
            reserve(&mut body, read + 1)?;
            body.extend_from_slice(&chunk[..read]);
        }
        if body.len() as u64 > self.max_response_bytes {
            return Err(ureq::Error::BodyExceedsLimit(self.max_response_bytes));
        }
        Ok(Response { status, content_type, retry_after, date, request_ids, extent, body })
    }
}

/// The body of a response is read in pieces of this size, in bytes.
const CHUNK: usize = 16 << 10;

/// Makes room for a part of a body. The server decides its size, so a lack of memory is an error.
fn reserve(body: &mut Vec<u8>, additional: usize) -> io::Result<()> {
    body.try_reserve(additional).map_err(|_| NetworkError::new(FailureKind::OutOfMemory, Vec::new()).into())
}

/// Returns whether the status alone says enough: too many requests, or an error of the server.
const fn is_retryable(status: u16) -> bool {
    status == 429 || status >= 500
}

/// Returns the error of a response in a coding that the request does not accept.
fn encoded(coding: &str) -> NetworkError {
    // Only a name is repeated: the header is a foreign text.
    let is_name =
        coding.len() <= 40 && coding.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_, ".contains(&byte));
    let coding = if is_name { coding } else { "(not printable)" };
    let says = format!(
        "the response has Content-Encoding {coding}, but the request accepts only identity. Check the proxy or relay"
    );
    NetworkError::new(FailureKind::Encoded, vec![says])
}

/// Returns how long the server keeps an idle connection (`timeout=5, max=100`), less one second for
/// the response's way.
fn kept_for(keep_alive: &str) -> Option<Duration> {
    let timeout = keep_alive.split(',').find_map(|field| field.trim().strip_prefix("timeout="))?;
    let seconds = timeout.trim().parse::<u32>().ok()?;
    Some(Duration::from_secs(seconds.into()).saturating_sub(Duration::from_secs(1)))
}

/// Returns the reason that a layer of the transport has given, or that of `ureq` itself.
fn classify(error: &ureq::Error) -> NetworkError {
    if let ureq::Error::Io(error) = error
        && let Some(reason) = NetworkError::of(error)
    {
        return reason.clone();
    }
    let kind = match error {
        ureq::Error::BodyExceedsLimit(_) => FailureKind::TooLarge,
        ureq::Error::Timeout(_) => FailureKind::TimedOut,
        ureq::Error::HostNotFound => FailureKind::Dns,
        ureq::Error::ConnectionFailed => FailureKind::Offline,
        ureq::Error::Protocol(_) | ureq::Error::Http(_) | ureq::Error::LargeResponseHeader(..) => FailureKind::NotHttp,
        _ => FailureKind::Lost,
    };
    NetworkError::new(kind, chain(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_say_what_is_old_or_not_all() {
        let of = |name: &'static str, value: &'static str| Extent::of(|it| (it == name).then(|| value.to_owned()));
        let whole = Extent::default();
        assert_eq!(Extent::of(|_| None), whole);
        for (name, value, expected) in [
            ("age", "0", whole),
            ("age", "1", Extent { is_cached: true, ..whole }),
            ("age", "a while", Extent { is_cached: true, ..whole }),
            ("link", "</next?page=2>; rel=\"next\"", Extent { has_next: true, ..whole }),
            ("link", "</a>; rel=prev, </b>; REL = next", Extent { has_next: true, ..whole }),
            ("link", "</a>; rel=\"prev\"", whole),
            ("x-total-count", " 7 ", Extent { total: Some(7), ..whole }),
            ("x-total", "8", Extent { total: Some(8), ..whole }),
            ("content-range", "items 0-0/2", Extent { total: Some(2), ..whole }),
            ("x-pagination", "{\"TotalCount\":7}", Extent { has_next: true, ..whole }),
            ("x-next-page", "2", Extent { has_next: true, ..whole }),
            ("x-next-page", "", whole),
            ("x-has-more", "false", whole),
            ("x-continuation-token", "abc", Extent { has_next: true, ..whole }),
            ("content-range", "items 0-0/*", whole),
        ] {
            assert_eq!(of(name, value), expected, "{name}: {value}");
        }
    }
}
