//! HTTP: one agent a client, its connections, trust, deadlines and cancelling. It knows nothing of Engage's meaning:
//! it answers with a status and bytes, or says how the request failed and whether any of it may have left.

mod call;
mod connector;
mod resolve;
mod socket;
mod tls;

pub(crate) use call::{Call, Interrupt, SLICE};

use crate::config::Config;
use crate::error::{Result, chain};
use std::sync::Arc;
use ureq::http::{HeaderMap, Response};
use ureq::{Agent, Body};

/// A request of Engage's API.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// From the first slash, query included, already encoded.
    pub path: String,
    /// A POST has a body, a GET has none.
    pub body: Option<Vec<u8>>,
}

/// What a server answered, whoever it is.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub status: u16,
    pub content_type: Option<String>,
    pub retry_after: Option<String>,
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
    /// The connection ended before the answer was complete.
    Lost,
    /// What came is not HTTP.
    NotHttp,
    TooLarge,
}

pub(crate) struct Transport {
    agent: Agent,
    base: String,
    headers: Vec<(String, String)>,
    max_answer_bytes: u64,
}

impl Transport {
    pub fn new(config: &Config) -> Result<Self> {
        let names = resolve::Names::default();
        let settings = Agent::config_builder()
            // Every status is an answer; deciding what it means is not ours.
            .http_status_as_error(false)
            // A redirect would carry the key along.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .max_idle_connections(32)
            .max_idle_connections_per_host(32)
            .input_buffer_size(16 << 10)
            .output_buffer_size(4 << 10)
            .user_agent("")
            .accept("application/json")
            .build();
        let dialer = connector::Dialer::new(tls::client_config(config)?, names.clone());
        Ok(Self {
            agent: Agent::with_parts(settings, dialer, names),
            base: config.base_url.as_str().to_owned(),
            headers: crate::engage::headers(config),
            max_answer_bytes: config.max_answer_bytes,
        })
    }

    /// Makes one request. A GET on a pooled connection that turns out dead is repeated at once on a fresh one;
    /// a POST never is: that is the journal's to decide.
    pub fn send(&self, request: &Request, call: &Arc<Call>) -> std::result::Result<Answer, Failure> {
        let mut call = call.clone();
        loop {
            let (result, current) = call::scope(&call, || self.run(request));
            let error = match result {
                Ok(answer) => return Ok(answer),
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

    fn run(&self, request: &Request) -> std::result::Result<Answer, ureq::Error> {
        let url = format!("{}{}", self.base, request.path);
        let response = match &request.body {
            None => self.with_headers(self.agent.get(&url)).call()?,
            Some(body) => self.with_headers(self.agent.post(&url)).send(body.as_slice())?,
        };
        self.read(response)
    }

    fn with_headers<B>(&self, mut builder: ureq::RequestBuilder<B>) -> ureq::RequestBuilder<B> {
        for (name, value) in &self.headers {
            builder = builder.header(name, value);
        }
        builder
    }

    fn read(&self, mut response: Response<Body>) -> std::result::Result<Answer, ureq::Error> {
        let text = |headers: &HeaderMap, name: &str| {
            headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let headers = response.headers();
        let (content_type, retry_after) = (text(headers, "content-type"), text(headers, "retry-after"));
        let status = response.status().as_u16();
        // One more than allowed, so that an answer of exactly the cap passes.
        let body = response.body_mut().with_config().limit(self.max_answer_bytes + 1).read_to_vec()?;
        if body.len() as u64 > self.max_answer_bytes {
            return Err(ureq::Error::BodyExceedsLimit(self.max_answer_bytes));
        }
        Ok(Answer { status, content_type, retry_after, body })
    }
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
