//! Listeners, TLS and connections: every request goes past the faults to Engage's routes or the sandbox's own.
//! When a fault asks for it, a connection is taken back from hyper and its bare bytes are ours.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, DATE, HeaderMap, USER_AGENT};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, StatusCode, Version};
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::server::TlsStream;
use tower_service::Service;

use crate::clock::Clock;
use crate::fault::{Plan, Raw, Reply, Serve, Struck, Then};
use crate::log::{Answered, KeySeen, Message, RequestEntry, redacted};
use crate::state::App;
use crate::tenant::{Arrival, Tenant};
use crate::tls::Tls;
use crate::{admin, api, export, page};

/// No request is larger.
const MAX_BODY: usize = 1024 * 1024;

/// What serves requests, shared by all connections.
#[derive(Clone)]
pub(crate) struct Server {
    app: Arc<App>,
    /// The sandbox's own routes.
    own: Router,
    connections: Arc<AtomicU64>,
}

impl Server {
    pub fn new(app: Arc<App>, tls: &Arc<Tls>) -> Server {
        let own = admin::routes(&app, tls).merge(export::routes(&app)).merge(page::routes(&app));
        Server { app, own, connections: Arc::default() }
    }

    /// Accepts connections for ever.
    pub async fn listen(self, listener: TcpListener, tls: Option<Arc<Tls>>) {
        loop {
            let Ok((tcp, _)) = listener.accept().await else {
                // No more file descriptors, most likely: some will be freed.
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            };
            let _ = tcp.set_nodelay(true);
            let (server, tls) = (self.clone(), tls.clone());
            tokio::spawn(async move {
                match tls {
                    None => server.connection(tcp).await,
                    Some(tls) => {
                        if let Ok(stream) = tls.next().accept(tcp).await {
                            server.connection(stream).await;
                        }
                    }
                }
            });
        }
    }

    /// Serves one connection until either side ends it.
    async fn connection<S: Wire>(self, mut stream: S) {
        let number = self.connections.fetch_add(1, Ordering::Relaxed) + 1;
        let on = Arc::new(On { number, origin: stream.origin().into() });
        loop {
            let service = service_fn(|request| self.clone().answer(Arc::clone(&on), request));
            let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            let Err(error) = (&mut connection).await else { return };
            let Some(takeover) = error.source().and_then(|source| source.downcast_ref::<Takeover>()).cloned() else {
                return;
            };
            let parts = connection.into_parts();
            stream = parts.io.into_inner();
            let goes_on = takeover.act(&mut stream).await;
            // A pipelined request that hyper has read already is lost with it.
            if !goes_on || !parts.read_buf.is_empty() {
                return;
            }
        }
    }

    /// One request: the log, the faults, the routes.
    async fn answer(mut self, on: Arc<On>, request: Request<Incoming>) -> Result<Response, Takeover> {
        let (head, body) = request.into_parts();
        let body = match Limited::new(body, MAX_BODY).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => {
                let too_large = serde_json::json!({ "message": "Too large" });
                return Ok(api::json(StatusCode::PAYLOAD_TOO_LARGE, &too_large).map(Body::from));
            }
            Err(_) => return Err(Takeover::Close),
        };
        if admin::is_own(head.uri.path()) {
            let response = match self.own.call(Request::from_parts(head, Body::from(body))).await {
                Ok(response) => response,
                Err(never) => match never {},
            };
            return Ok(match self.app.kept().await {
                Ok(()) => response,
                Err(why) => not_kept(&why).map(Body::from),
            });
        }

        let began = Instant::now();
        let keep_alive = keeps_alive(&head);
        let (tenant, key) = self.app.tenant_of(&head.headers);
        let Arrival { seq, effect, plan, clearings } = tenant.arrive(entry(&tenant, key, &on, &head, &body));
        let note = |status, headers: &HeaderMap, body: &Bytes| {
            let response = Message::of_answer(headers, body);
            tenant.answered(seq, Answered { status, took: began.elapsed(), response });
        };
        let turn = Turn { app: Arc::clone(&self.app), tenant: Arc::clone(&tenant), key, head, body };
        let served = if plan.before.is_zero() && plan.after.is_zero() {
            turn.serve(plan).await
        } else {
            // A task of its own: Engage would not drop the work because the client has left.
            tokio::spawn(turn.serve(plan)).await.map_err(|_| Takeover::Close)?
        };
        let clock = tenant.clock();
        let struck = match effect {
            None => Struck::Answer(served),
            Some(effect) => effect.strike(served, clock.now(), keep_alive),
        };
        match struck {
            Struck::Answer(mut reply) => {
                if clock != Clock::default() {
                    reply.headers_mut().entry(DATE).or_insert_with(|| clock.now().http_date());
                }
                note(reply.status().as_u16(), reply.headers(), reply.body());
                Ok(reply.map(Body::from))
            }
            Struck::Raw(raw) => {
                if let Some(status) = raw.status {
                    note(status, &HeaderMap::new(), &raw.bytes);
                }
                Err(Takeover::Raw(raw))
            }
            Struck::Reset => Err(Takeover::Reset),
            Struck::Close => Err(Takeover::Close),
            Struck::Stall => Err(Takeover::Stall { tenant, clearings }),
        }
    }
}

/// A request to a store, to be served.
struct Turn {
    app: Arc<App>,
    tenant: Arc<Tenant>,
    key: KeySeen,
    head: Parts,
    body: Bytes,
}

impl Turn {
    /// The store's answer, once what it rests on is in the state file.
    async fn serve(self, plan: Plan) -> Reply {
        // A sleep of no time is one of a millisecond.
        if !plan.before.is_zero() {
            tokio::time::sleep(plan.before).await;
        }
        let Turn { app, tenant, key, head, body } = &self;
        let reply = match plan.serve {
            Serve::Not => Reply::default(),
            Serve::GiveUp => api::given_up(),
            Serve::Usual => api::answer(tenant, *key, head, body),
            Serve::AfterSomebodyElse => {
                let state = &mut *tenant.state();
                if let Some(assignment) = api::asked(state, head, body).assignment_id {
                    state.redeem_elsewhere(assignment);
                }
                api::answer_under(state, *key, head, body)
            }
        };
        let kept = app.kept().await;
        if !plan.after.is_zero() {
            tokio::time::sleep(plan.after).await;
        }
        match kept {
            Ok(()) => reply,
            Err(why) => not_kept(&why),
        }
    }
}

/// In place of every answer, once the state file cannot be written any more: what is in it is the truth.
fn not_kept(why: &str) -> Reply {
    let body =
        serde_json::json!({ "message": format!("the sandbox cannot write its state file, start it anew: {why}") });
    api::json(StatusCode::INTERNAL_SERVER_ERROR, &body)
}

/// The connection that a request came on.
#[derive(Debug)]
struct On {
    number: u64,
    origin: Arc<str>,
}

fn entry(tenant: &Tenant, key: KeySeen, on: &On, head: &Parts, body: &Bytes) -> RequestEntry {
    let state = tenant.state();
    let api::Asked { operation, contact_id, purchase_id, item_id, assignment_id } = api::asked(&state, head, body);
    let [ids, words] = state.dialect.harmless_parameters();
    let agent = head.headers.get(USER_AGENT);
    RequestEntry {
        operation,
        method: head.method.to_string(),
        path: redacted(&head.uri, &ids, &words),
        purchase_id,
        contact_id,
        item_id,
        assignment_id,
        key,
        user_agent: agent.map(|agent| String::from_utf8_lossy(agent.as_bytes()).into_owned()),
        connection: on.number,
        origin: Arc::clone(&on.origin),
        request: Message::of_request(&head.headers, body),
        ..RequestEntry::default()
    }
}

fn keeps_alive(head: &Parts) -> bool {
    let says = |word: &str| {
        let values = head.headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|value| value.trim().eq_ignore_ascii_case(word))
    };
    if head.version == Version::HTTP_10 { says("keep-alive") } else { !says("close") }
}

/// A connection's bytes, plain or under TLS.
trait Wire: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Scheme, host and port at which the sandbox was called.
    fn origin(&self) -> String;
    fn tcp(&self) -> &TcpStream;
}

impl Wire for TcpStream {
    fn origin(&self) -> String {
        self.local_addr().map(|at| format!("http://{at}")).unwrap_or_default()
    }

    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Wire for TlsStream<TcpStream> {
    fn origin(&self) -> String {
        let Ok(at) = self.tcp().local_addr() else { return String::new() };
        if at.ip().is_loopback() { format!("https://localhost:{}", at.port()) } else { format!("https://{at}") }
    }

    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// Why a connection is taken back from hyper, and what happens to it then.
#[derive(Clone, Debug)]
enum Takeover {
    Raw(Raw),
    Reset,
    Close,
    Stall { tenant: Arc<Tenant>, clearings: u64 },
}

impl fmt::Display for Takeover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a fault takes the connection")
    }
}

impl Error for Takeover {}

impl Takeover {
    /// Returns whether the connection goes on; if not, dropping it closes it without a TLS goodbye.
    async fn act<S: Wire>(self, stream: &mut S) -> bool {
        match self {
            Takeover::Close => false,
            Takeover::Reset => {
                let _ = SockRef::from(stream.tcp()).set_linger(Some(Duration::ZERO));
                false
            }
            Takeover::Stall { tenant, clearings } => {
                tokio::select! {
                    () = tenant.cleared_since(clearings) => {}
                    () = client_leaves(stream) => {}
                }
                false
            }
            Takeover::Raw(raw) => {
                let written = write(stream, &raw).await.is_ok();
                if raw.then == Then::Finish {
                    let _ = stream.shutdown().await;
                }
                written && raw.then == Then::GoOn
            }
        }
    }
}

async fn client_leaves<S: Wire>(stream: &mut S) {
    let mut ignored = [0; 1024];
    while stream.read(&mut ignored).await.is_ok_and(|count| count > 0) {}
}

async fn write<S: Wire>(stream: &mut S, raw: &Raw) -> io::Result<()> {
    let Some((bytes_per_write, interval)) = raw.pace else {
        stream.write_all(&raw.bytes).await?;
        return stream.flush().await;
    };
    for chunk in raw.bytes.chunks(bytes_per_write.get()) {
        stream.write_all(chunk).await?;
        stream.flush().await?;
        tokio::time::sleep(interval).await;
    }
    Ok(())
}
