//! HTTP: one agent a client, its connections, trust, deadlines and cancelling. It knows nothing of Engage's meaning:
//! it answers with a status and bytes, or says how the request failed and whether any of it may have left.

mod call;
mod clock;
mod connect;
mod connection;
mod head;
mod resolve;
mod socket;
mod stream;
mod tls;
mod tunnel;

#[cfg(feature = "simulation")]
pub(crate) use call::Ended;
pub(crate) use call::{Call, Cancellation, SLICE};
pub(crate) use head::http_date;

use crate::config::Config;
use crate::core::domain::OperationId;
use crate::core::error::{Result, chain};
use crate::log::{Field, Level, Log};
use crate::rt::Instant;
use crate::secret::{Secret, Wiped};
use call::Current;
use connect::Connections;
use connection::ConnectionSource;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;
use ureq::http::{self, HeaderMap};
use ureq::{Agent, Body};

/// A request of Engage's API.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// From the first slash, query included, already encoded. What a member is searched by is in it.
    pub path: Secret,
    /// A POST has a body, a GET has none.
    pub body: Option<Vec<u8>>,
    /// What it is made for, in the log.
    pub operation: Option<OperationId>,
}

/// What a server answered, whoever it is.
#[derive(Debug, Clone)]
pub(crate) struct Response {
    pub status: u16,
    pub content_type: Option<String>,
    pub retry_after: Option<String>,
    /// The server's clock, as its `Date` header says.
    pub date: Option<String>,
    pub body: Vec<u8>,
}

/// A request without an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub kind: FailureKind,
    /// Whether bytes of the request may have left the till.
    pub may_have_left: bool,
    pub cause: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailureKind {
    TimedOut,
    Interrupted,
    Dns,
    Offline,
    /// rustls refused the server, or the server refused us with an alert.
    Tls,
    /// The connection ended during the handshake.
    TlsEnded,
    /// The proxy wants another login.
    ProxyLogin,
    /// The proxy makes no tunnel.
    Proxy,
    /// The connection ended before the answer was complete.
    Lost,
    /// What came is not HTTP.
    NotHttp,
    TooLarge,
}

pub(crate) struct Transport {
    agent: Agent,
    connections: Arc<Connections>,
    /// What `ureq` is told to ask for: the server and "/".
    url: String,
    /// What stands before a path.
    prefix: String,
    /// Our header lines, the key's among them, from behind the path of the first line.
    headers: Wiped,
    max_response_bytes: u64,
    log: Arc<Log>,
}

/// How long a connection made in advance may take.
const WARMING: Duration = Duration::from_secs(10);

impl Transport {
    /// `carried`: the headers of every request.
    pub fn new<'a>(config: &Config, carried: impl Iterator<Item = (&'a str, &'a str)>, log: &Arc<Log>) -> Result<Self> {
        let settings = Agent::config_builder()
            // Every status is an answer; deciding what it means is not ours.
            .http_status_as_error(false)
            // A redirect would carry the key along.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .max_idle_connections(32)
            .max_idle_connections_per_host(32)
            // The connection itself knows how long it may be idle.
            .max_idle_age(Duration::from_secs(3_600))
            .input_buffer_size(16 << 10)
            .output_buffer_size(4 << 10)
            .user_agent("")
            .accept("application/json")
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
            agent: Agent::with_parts(settings, ConnectionSource(connections.clone()), connections.names.clone()),
            connections,
            url: config.base_url.origin() + "/",
            prefix: config.base_url.prefix().to_owned(),
            headers,
            max_response_bytes: config.max_response_bytes,
            log: log.clone(),
        })
    }

    /// Makes a connection aside, for the first call to find.
    pub fn preconnect(&self, cancellation: &Arc<Cancellation>) {
        self.connections.preconnect(Arc::new(Call::new(Instant::now() + WARMING, cancellation)));
    }

    /// Makes one request in the simulated network.
    #[cfg(feature = "simulation")]
    #[allow(clippy::unused_self)]
    pub fn send(&self, request: &Request, call: &Arc<Call>) -> std::result::Result<Response, Failure> {
        crate::simulation::network::send(request, call)
    }

    /// Makes one request. A GET on a pooled connection that turns out dead is repeated at once on a fresh one;
    /// a POST never is: that is the journal's to decide.
    #[cfg(not(feature = "simulation"))]
    pub fn send(&self, request: &Request, call: &Arc<Call>) -> std::result::Result<Response, Failure> {
        let mut call = call.clone();
        let mut attempt = 0;
        loop {
            attempt += 1;
            let began = Instant::now();
            let (result, current) = call::scope(&call, Some(self.head(request)), || self.run(request));
            if self.log.wants(Level::Debug) {
                self.note(request, attempt, began.elapsed(), &result, &current);
            }
            let error = match result {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            let (kind, cause) = match current.failure {
                Some(failed) => (failed.kind, failed.cause),
                None => classify(&error),
            };
            if request.body.is_none() && kind == FailureKind::Lost && !current.fresh && call.ended().is_none() {
                call = Arc::new(call.again());
                continue;
            }
            return Err(Failure { kind, may_have_left: call.may_have_left(), cause });
        }
    }

    /// One request in the log, with how long its parts took.
    fn note(
        &self,
        request: &Request,
        attempt: u64,
        took: Duration,
        result: &std::result::Result<Response, ureq::Error>,
        current: &Current,
    ) {
        let method = if request.body.is_some() { "POST" } else { "GET" };
        let mut fields = vec![
            ("method", Field::Word(method)),
            ("attempt", Field::Number(attempt)),
            ("reused", Field::Flag(!current.fresh)),
            ("ms", Field::Ms(took)),
        ];
        fields.extend(request.operation.map(|id| ("operationId", Field::Operation(id))));
        let times = current.times;
        let parts = [
            ("resolveMs", times.resolve),
            ("connectMs", times.connect),
            ("proxyMs", times.tunnel),
            ("tlsMs", times.tls),
        ];
        fields.extend(parts.into_iter().filter_map(|(name, part)| Some((name, Field::Ms(part?)))));
        if let Ok(response) = result {
            fields.push(("httpStatus", Field::Number(response.status.into())));
            fields.push(("bytes", Field::Number(response.body.len() as u64)));
        }
        self.log.write(Level::Debug, "request", &fields);
    }

    /// The target of a request and our header lines. `ureq` and what it is made of are not given them, because they leave copies behind.
    fn head(&self, request: &Request) -> Wiped {
        let parts = [self.prefix.as_bytes(), request.path.expose().as_bytes(), &self.headers];
        let mut head = Wiped::with_capacity(parts.iter().map(|part| part.len()).sum());
        for part in parts {
            head.push(part);
        }
        head
    }

    fn run(&self, request: &Request) -> std::result::Result<Response, ureq::Error> {
        let response = match &request.body {
            None => self.agent.get(&self.url).call()?,
            Some(body) => self.agent.post(&self.url).send(body.as_slice())?,
        };
        self.read(response)
    }

    fn read(&self, mut response: http::Response<Body>) -> std::result::Result<Response, ureq::Error> {
        let text = |headers: &HeaderMap, name: &str| {
            headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let headers = response.headers();
        let (content_type, retry_after) = (text(headers, "content-type"), text(headers, "retry-after"));
        let date = text(headers, "date");
        if let Some(kept) = text(headers, "keep-alive").as_deref().and_then(kept_for) {
            call::limit_idling(kept);
        }
        let status = response.status().as_u16();
        let announced = response.body().content_length().unwrap_or(0).min(self.max_response_bytes);
        // One more, for the NUL that C gets behind it.
        let mut body = Vec::with_capacity(usize::try_from(announced).unwrap_or(0) + 1);
        // One more than allowed, so that an answer of exactly the cap passes.
        response.body_mut().with_config().limit(self.max_response_bytes + 1).reader().read_to_end(&mut body)?;
        if body.len() as u64 > self.max_response_bytes {
            return Err(ureq::Error::BodyExceedsLimit(self.max_response_bytes));
        }
        Ok(Response { status, content_type, retry_after, date, body })
    }
}

/// How long a server keeps an idle connection, less what an answer may take to come here: `timeout=5, max=100`.
fn kept_for(keep_alive: &str) -> Option<Duration> {
    let timeout = keep_alive.split(',').find_map(|field| field.trim().strip_prefix("timeout="))?;
    let seconds = timeout.trim().parse::<u32>().ok()?;
    Some(Duration::from_secs(seconds.into()).saturating_sub(Duration::from_secs(1)))
}

/// What `ureq` says when no layer of ours noted a reason.
fn classify(error: &ureq::Error) -> (FailureKind, Vec<String>) {
    let kind = match error {
        ureq::Error::BodyExceedsLimit(_) => FailureKind::TooLarge,
        ureq::Error::Timeout(_) => FailureKind::TimedOut,
        ureq::Error::HostNotFound => FailureKind::Dns,
        ureq::Error::ConnectionFailed => FailureKind::Offline,
        ureq::Error::Protocol(_) | ureq::Error::Http(_) | ureq::Error::LargeResponseHeader(..) => FailureKind::NotHttp,
        _ => FailureKind::Lost,
    };
    (kind, chain(error))
}
