//! The listeners, TLS and the connections. Every request passes the faults before it reaches
//! Engage's routes.
//! A fault may take a connection back from hyper to write raw bytes to it.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
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

use crate::app::App;
use crate::clock::Clock;
use crate::fault::{AfterWrite, Delivery, HttpResponse, RawBytes, ServePlan, StoreAccess};
use crate::log::{KeySeen, Message, RequestEntry, ResponseRecord, redacted};
use crate::store::{Arrival, Store};
use crate::tls::Tls;
use crate::{admin, api, browser, dashboard, export, pictures};

/// The largest body of a request, in bytes.
const MAX_BODY: usize = 1024 * 1024;

/// Serves the requests of all connections.
#[derive(Clone)]
pub(crate) struct Server {
    app: Arc<App>,
    /// The sandbox's own routes.
    own: Router,
    connections: Arc<AtomicU64>,
}

impl Server {
    pub fn new(app: Arc<App>, tls: &Arc<Tls>) -> Server {
        let own = admin::routes(&app, tls)
            .merge(export::routes(&app))
            .merge(dashboard::routes(&app, tls))
            .merge(pictures::routes());
        Server { app, own, connections: Arc::default() }
    }

    /// Accepts connections until the task is aborted.
    pub async fn listen(self, listener: TcpListener, tls: Option<Arc<Tls>>) {
        loop {
            let Ok((tcp, _)) = listener.accept().await else {
                // Most likely all file descriptors are in use. Some become free later.
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

    /// Serves one connection until either side closes it.
    async fn connection<S: ConnectionStream>(self, mut stream: S) {
        let number = self.connections.fetch_add(1, Ordering::Relaxed) + 1;
        let on =
            Arc::new(ConnectionInfo { number, origin: stream.origin().into(), peer: stream.tcp().peer_addr().ok() });
        loop {
            let service = service_fn(|request| self.clone().respond(Arc::clone(&on), request));
            let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            let Err(error) = (&mut connection).await else { return };
            let Some(takeover) = error.source().and_then(|source| source.downcast_ref::<Takeover>()).cloned() else {
                return;
            };
            let parts = connection.into_parts();
            stream = parts.io.into_inner();
            let goes_on = takeover.act(&mut stream).await;
            // A pipelined request that hyper has read already is lost with the connection.
            if !goes_on || !parts.read_buf.is_empty() {
                return;
            }
        }
    }

    /// Serves one request to the sandbox's own routes.
    async fn respond_to_own(mut self, head: Parts, body: Bytes) -> Response {
        if let Some(why) = browser::foreign(&head) {
            let error = serde_json::json!({ "error": why });
            return api::json(StatusCode::FORBIDDEN, &error).map(Body::from);
        }
        let response = match self.own.call(Request::from_parts(head, Body::from(body))).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        match self.app.persisted().await {
            Ok(()) => response,
            Err(why) => not_persisted(&why).map(Body::from),
        }
    }

    /// Serves one request: records it, applies the faults and calls the routes.
    async fn respond(self, on: Arc<ConnectionInfo>, request: Request<Incoming>) -> Result<Response, Takeover> {
        let (mut head, body) = request.into_parts();
        head.extensions.insert(pictures::Origin(Arc::clone(&on.origin)));
        let body = match Limited::new(body, MAX_BODY).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => {
                let too_large = serde_json::json!({ "message": "The request body is larger than 1 MiB" });
                return Ok(api::json(StatusCode::PAYLOAD_TOO_LARGE, &too_large).map(Body::from));
            }
            Err(_) => return Err(Takeover::Close),
        };
        if admin::is_own(head.uri.path()) {
            return Ok(self.respond_to_own(head, body).await);
        }

        let began = Instant::now();
        let keep_alive = keeps_alive(&head);
        let (store, key) = self.app.store_of(&head.headers);
        let Arrival { seq, effect, plan, clearings } = store.record_request(entry(&store, key, &on, &head, &body));
        let record = |status, headers: &HeaderMap, body: &Bytes| {
            let response = Message::of_response(headers, body);
            store.record_response(seq, ResponseRecord { status, took: began.elapsed(), response });
        };
        let served_request = ServedRequest { app: Arc::clone(&self.app), store: Arc::clone(&store), key, head, body };
        let served = if plan.before.is_zero() && plan.after.is_zero() {
            served_request.serve(plan).await
        } else {
            // A separate task goes on when the client disconnects, as Engage does.
            tokio::spawn(served_request.serve(plan)).await.map_err(|_| Takeover::Close)?
        };
        let clock = store.clock();
        let delivery = match effect {
            None => Delivery::Response(served),
            Some(effect) => effect.apply(served, clock.now(), keep_alive),
        };
        match delivery {
            Delivery::Response(mut response) => {
                if clock != Clock::default() {
                    response.headers_mut().entry(DATE).or_insert_with(|| clock.now().http_date());
                }
                record(response.status().as_u16(), response.headers(), response.body());
                Ok(response.map(Body::from))
            }
            Delivery::Bytes(raw) => {
                if let Some(status) = raw.status {
                    record(status, &HeaderMap::new(), &raw.bytes);
                }
                Err(Takeover::RawBytes(raw))
            }
            Delivery::Reset => Err(Takeover::Reset),
            Delivery::Close => Err(Takeover::Close),
            Delivery::Stall => Err(Takeover::Stall { store, clearings }),
        }
    }
}

/// A request that a store serves.
struct ServedRequest {
    app: Arc<App>,
    store: Arc<Store>,
    key: KeySeen,
    head: Parts,
    body: Bytes,
}

impl ServedRequest {
    /// Returns the store's response once its changes are in the state file.
    async fn serve(self, plan: ServePlan) -> HttpResponse {
        // A sleep of zero would take a millisecond.
        if !plan.before.is_zero() {
            tokio::time::sleep(plan.before).await;
        }
        let ServedRequest { app, store, key, head, body } = &self;
        let response = match plan.serve {
            StoreAccess::Skipped => HttpResponse::default(),
            StoreAccess::RedeemTimeout => api::redeem_timeout(),
            StoreAccess::Normal => api::respond(store, *key, head, body),
            StoreAccess::AfterForeignRedeem => {
                let state = &mut *store.state();
                if let Some(assignment) = api::parse_request(state, head, body).assignment_id {
                    state.redeem_elsewhere(assignment);
                }
                api::respond_locked(state, *key, head, body)
            }
        };
        let kept = app.persisted().await;
        if !plan.after.is_zero() {
            tokio::time::sleep(plan.after).await;
        }
        match kept {
            Ok(()) => response,
            Err(why) => not_persisted(&why),
        }
    }
}

/// Returns the response after a failed write of the state file. The store in memory differs from
/// the file then.
fn not_persisted(why: &str) -> HttpResponse {
    let body = serde_json::json!({ "message": format!("The sandbox cannot write its state file: {why}. Restart the sandbox.") });
    api::json(StatusCode::INTERNAL_SERVER_ERROR, &body)
}

/// The connection of a request.
#[derive(Debug)]
struct ConnectionInfo {
    number: u64,
    origin: Arc<str>,
    peer: Option<SocketAddr>,
}

fn entry(store: &Store, key: KeySeen, on: &ConnectionInfo, head: &Parts, body: &Bytes) -> RequestEntry {
    let state = store.state();
    let api::ParsedRequest { operation, contact_id, purchase_id, item_id, assignment_id } =
        api::parse_request(&state, head, body);
    let [ids, fixed] = state.api_mapping.harmless_parameters();
    let agent = head.headers.get(USER_AGENT);
    RequestEntry {
        operation,
        method: head.method.to_string(),
        path: redacted(&head.uri, &ids, &fixed),
        purchase_id,
        contact_id,
        item_id,
        assignment_id,
        key,
        user_agent: agent.map(|agent| String::from_utf8_lossy(agent.as_bytes()).into_owned()),
        connection: on.number,
        origin: Arc::clone(&on.origin),
        peer: on.peer,
        reason: operation.is_none().then(|| api::mistake_in_route(&state, head)).flatten(),
        request: Message::of_request(&head.headers, body),
        ..RequestEntry::default()
    }
}

fn keeps_alive(head: &Parts) -> bool {
    let contains = |option: &str| {
        let values = head.headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|value| value.trim().eq_ignore_ascii_case(option))
    };
    if head.version == Version::HTTP_10 { contains("keep-alive") } else { !contains("close") }
}

/// A connection, plain or with TLS.
trait ConnectionStream: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Returns the scheme, host and port of the sandbox's side.
    fn origin(&self) -> String;
    fn tcp(&self) -> &TcpStream;
}

impl ConnectionStream for TcpStream {
    fn origin(&self) -> String {
        self.local_addr().map(|at| format!("http://{at}")).unwrap_or_default()
    }

    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl ConnectionStream for TlsStream<TcpStream> {
    fn origin(&self) -> String {
        let Ok(at) = self.tcp().local_addr() else { return String::new() };
        if at.ip().is_loopback() { format!("https://localhost:{}", at.port()) } else { format!("https://{at}") }
    }

    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// The reason why a connection is taken back from hyper.
#[derive(Clone, Debug)]
enum Takeover {
    RawBytes(RawBytes),
    Reset,
    Close,
    Stall { store: Arc<Store>, clearings: u64 },
}

impl fmt::Display for Takeover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a fault has taken the connection")
    }
}

impl Error for Takeover {}

impl Takeover {
    /// Acts on the connection, and returns whether it stays open. Otherwise dropping it closes it
    /// without TLS close_notify.
    async fn act<S: ConnectionStream>(self, stream: &mut S) -> bool {
        match self {
            Takeover::Close => false,
            Takeover::Reset => {
                let _ = SockRef::from(stream.tcp()).set_linger(Some(Duration::ZERO));
                false
            }
            Takeover::Stall { store, clearings } => {
                tokio::select! {
                    () = store.cleared_since(clearings) => {}
                    () = client_leaves(stream) => {}
                }
                false
            }
            Takeover::RawBytes(raw) => {
                let written = write(stream, &raw).await.is_ok();
                if raw.then == AfterWrite::Shutdown {
                    let _ = stream.shutdown().await;
                }
                written && raw.then == AfterWrite::KeepAlive
            }
        }
    }
}

async fn client_leaves<S: ConnectionStream>(stream: &mut S) {
    let mut ignored = [0; 1024];
    while stream.read(&mut ignored).await.is_ok_and(|count| count > 0) {}
}

async fn write<S: ConnectionStream>(stream: &mut S, raw: &RawBytes) -> io::Result<()> {
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
