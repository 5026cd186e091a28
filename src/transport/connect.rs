//! Makes connections to the server (address, socket, the proxy's tunnel, TLS) and explains a failed
//! attempt. One connection can be made in advance, so that the first call finds it.

use super::FailureKind;
use super::call::Call;
use super::clock::{self, ServerTime};
use super::connection::Connection;
use super::context::{NetworkError, RequestContext};
use super::head::Head;
use super::resolve::NameCache;
use super::socket::Socket;
use super::stream::Stream;
use super::tls::{self, Security};
use super::tunnel;
use crate::config::{Config, Proxy};
use crate::core::check::Peer;
use crate::core::error::{Result, chain};
use crate::os;
use crate::rt::{self, Condvar, Instant, Mutex, MutexGuard};
use rustls::pki_types::UnixTime;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Limit of the side request that asks the server for its time.
const TIME_REQUEST_LIMIT: Duration = Duration::from_secs(2);

pub(crate) struct Connections {
    host: String,
    port: u16,
    names: NameCache,
    /// Of checks, which ask anew.
    pub(super) checked_names: NameCache,
    pub(super) proxy: Option<Proxy>,
    /// None: `http://`.
    pub(super) security: Option<Security>,
    /// The server's end of the newest connection.
    pub(super) peer: Mutex<Option<Peer>>,
    user_agent: String,
    preconnected: Mutex<Preconnected>,
    changed: Condvar,
}

/// The connection that is made in advance.
#[derive(Default)]
enum Preconnected {
    #[default]
    None,
    Connecting {
        /// A call waits for the connection. Other calls make their own.
        awaited: bool,
    },
    Ready(Connection),
}

impl Connections {
    pub fn new(config: &Config) -> Result<Self> {
        let (host, port) = config.base_url.host_and_port();
        let proxy = Proxy::of(&config.proxy, &config.base_url, os::system_proxy)?;
        Ok(Self {
            host: host.to_owned(),
            port,
            names: NameCache::default(),
            checked_names: NameCache::default(),
            proxy,
            security: Security::of(config)?,
            peer: Mutex::default(),
            user_agent: config.user_agent.clone(),
            preconnected: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    /// Returns the host and port to which a socket is connected: the proxy's, if there is one.
    pub(super) fn endpoint(&self) -> (&str, u16) {
        self.proxy.as_ref().map_or((&self.host, self.port), |proxy| (&proxy.host, proxy.port))
    }

    /// Returns the addresses to connect to, in the order to try.
    pub fn addresses(&self, context: &RequestContext) -> std::result::Result<Vec<SocketAddr>, NetworkError> {
        self.addresses_by(&self.names, context)
    }

    pub(super) fn addresses_by(
        &self,
        names: &NameCache,
        context: &RequestContext,
    ) -> std::result::Result<Vec<SocketAddr>, NetworkError> {
        let (host, port) = self.endpoint();
        let began = Instant::now();
        let mut addresses = names.lookup(host, port, &context.call)?;
        context.record_timing(|timings| timings.resolve = Some(began.elapsed()));
        if self.security.is_none() {
            addresses = loopback_only(host, addresses)?;
        }
        Ok(addresses)
    }

    /// Returns a connection for a request: the one made in advance, or a new one.
    pub fn connection(
        &self,
        addresses: &[SocketAddr],
        context: &RequestContext,
    ) -> std::result::Result<Connection, NetworkError> {
        match self.take_preconnected(&context.call)? {
            Some(connection) => Ok(connection),
            None => self.connect(addresses, context).map(Connection::new),
        }
    }

    /// Makes a connection in advance, within the limits of `call`. A failure is not reported here:
    /// the first call makes its own connection and reports why it cannot.
    pub fn preconnect(self: &Arc<Self>, call: Arc<Call>) {
        let connections = self.clone();
        *self.lock() = Preconnected::Connecting { awaited: false };
        let spawned = rt::spawn("eps-preconnect", move || {
            let connect = || {
                let context = RequestContext::new(&call, None);
                connections.connect(&connections.addresses(&context)?, &context)
            };
            let made = std::panic::catch_unwind(std::panic::AssertUnwindSafe(connect));
            *connections.lock() = match made {
                Ok(Ok(stream)) => Preconnected::Ready(Connection::new(stream)),
                _ => Preconnected::None,
            };
            connections.changed.notify_all();
        });
        if spawned.is_err() {
            *self.lock() = Preconnected::None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Preconnected> {
        rt::lock(&self.preconnected)
    }

    /// Takes the connection made in advance. The call waits for one that is under way: a connection
    /// that is begun now would be made later.
    fn take_preconnected(&self, call: &Call) -> std::result::Result<Option<Connection>, NetworkError> {
        let mut preconnected = self.lock();
        let mut waiting = false;
        loop {
            match &mut *preconnected {
                Preconnected::Connecting { awaited } if waiting || !*awaited => (*awaited, waiting) = (true, true),
                Preconnected::None | Preconnected::Connecting { .. } => return Ok(None),
                Preconnected::Ready(_) => {
                    let Preconnected::Ready(mut connection) = std::mem::take(&mut *preconnected) else {
                        return Ok(None);
                    };
                    return Ok(connection.is_usable().then_some(connection));
                }
            }
            match call.slice() {
                Ok(slice) => preconnected = rt::wait_timeout(&self.changed, preconnected, slice),
                Err(reason) => {
                    if let Preconnected::Connecting { awaited } = &mut *preconnected {
                        *awaited = false;
                    }
                    return Err(reason.into());
                }
            }
        }
    }

    fn connect(&self, addresses: &[SocketAddr], context: &RequestContext) -> std::result::Result<Stream, NetworkError> {
        let (socket, proxy_time) = self.open_socket(addresses, context)?;
        self.secure(socket, proxy_time, addresses, context)
    }

    /// Performs the TLS handshake, if the server has TLS.
    pub(super) fn secure(
        &self,
        socket: Socket,
        proxy_time: Option<ServerTime>,
        addresses: &[SocketAddr],
        context: &RequestContext,
    ) -> std::result::Result<Stream, NetworkError> {
        let Some(security) = &self.security else { return Ok(Stream::plain(socket)) };
        let began = Instant::now();
        let stream = Stream::secure(socket, &security.config, &self.host, &context.call)
            .map_err(|error| self.explain_handshake(&error, security, addresses, proxy_time, context))?;
        context.record_timing(|timings| timings.tls = Some(began.elapsed()));
        *rt::lock(&self.peer) = stream.peer();
        Ok(stream)
    }

    /// Opens a socket to the server. Through a proxy, the proxy's time is returned too.
    pub(super) fn open_socket(
        &self,
        addresses: &[SocketAddr],
        context: &RequestContext,
    ) -> std::result::Result<(Socket, Option<ServerTime>), NetworkError> {
        let socket = Socket::connect(addresses, context).map_err(|mut error| {
            let (host, port) = self.endpoint();
            self.names.forget(host, port);
            if let Some(proxy) = &self.proxy {
                error.cause.push(format!("the address is that of {proxy}"));
            }
            error
        })?;
        let Some(proxy) = &self.proxy else { return Ok((socket, None)) };
        let began = Instant::now();
        let time = tunnel::open(proxy, &socket, &self.host, self.port, &self.user_agent, &context.call)?;
        context.record_timing(|timings| timings.tunnel = Some(began.elapsed()));
        Ok((socket, time))
    }

    /// Returns why a handshake failed, down to the last link of the chain.
    fn explain_handshake(
        &self,
        error: &io::Error,
        security: &Security,
        addresses: &[SocketAddr],
        proxy_time: Option<ServerTime>,
        context: &RequestContext,
    ) -> NetworkError {
        if let Some(error) = NetworkError::of(error) {
            return error.clone();
        }
        let inner = error.get_ref();
        let Some(tls_error) = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) else {
            // The server has closed the connection.
            let cause = inner.map_or_else(|| vec![error.to_string()], |inner| chain(inner));
            return NetworkError::new(FailureKind::TlsEnded, cause);
        };
        let mut cause = chain(tls_error);
        match tls::violated_validity(tls_error) {
            Some(limit) => {
                let time = self.request_time(security, addresses, limit, context).or(proxy_time);
                cause.push(clock::explain_validity(limit, time));
            }
            None => cause.extend(tls::advice(tls_error).map(str::to_owned)),
        }
        NetworkError::new(FailureKind::Tls, cause)
    }

    /// Asks the server for its time on a separate connection, without the API key, the till's
    /// certificate or anything of the request.
    fn request_time(
        &self,
        security: &Security,
        addresses: &[SocketAddr],
        valid: UnixTime,
        context: &RequestContext,
    ) -> Option<ServerTime> {
        let context = context.within(TIME_REQUEST_LIMIT);
        let (socket, _) = self.open_socket(addresses, &context).ok()?;
        let mut stream = Stream::secure(socket, &security.at(valid), &self.host, &context.call).ok()?;
        let (host, agent) = (&self.host, &self.user_agent);
        let request = format!("HEAD / HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\nConnection: close\r\n\r\n");
        let mut stream = stream.during(&context.call);
        stream.write_all(request.as_bytes()).ok()?;
        let time = Head::read(&mut stream).ok()??.date()?;
        Some(ServerTime { by: "the server's clock", time })
    }
}

/// Removes every address that is not loopback: plain `http://` sends the API key unencrypted, and a
/// name such as `localhost` may resolve to any address.
fn loopback_only(host: &str, addresses: Vec<SocketAddr>) -> std::result::Result<Vec<SocketAddr>, NetworkError> {
    let (loopback, other): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|address| address.ip().is_loopback());
    match other.first() {
        Some(other) if loopback.is_empty() => Err(NetworkError::new(
            FailureKind::Dns,
            vec![format!(
                "{host} resolves to {}, which is not a loopback address: http:// would send the API key unencrypted. \
                 Use https:// or http://127.0.0.1 in baseUrl",
                other.ip()
            )],
        )),
        _ => Ok(loopback),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connections(config: &str) -> Connections {
        Connections::new(&Config::parse(config).unwrap()).unwrap()
    }

    fn addresses(connections: &Connections) -> Vec<SocketAddr> {
        let call = Arc::new(Call::new(Instant::now() + Duration::from_secs(9), &Arc::default()));
        connections.addresses(&RequestContext::new(&call, None)).unwrap()
    }

    #[test]
    fn name_behind_a_proxy_is_not_looked_up() {
        let behind = connections(
            r#"{"baseUrl": "https://engage.invalid", "userAgent": "A/1", "proxy": "http://localhost:3128"}"#,
        );
        let found = addresses(&behind);
        assert!(found.iter().all(|address| address.ip().is_loopback() && address.port() == 3128), "{found:?}");
    }

    #[test]
    fn plain_http_keeps_loopback_addresses_only() {
        let parse = |list: &[&str]| list.iter().map(|text| text.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let mixed = parse(&["192.0.2.1:80", "127.0.0.1:80", "[::1]:80"]);
        assert_eq!(loopback_only("localhost", mixed).unwrap(), parse(&["127.0.0.1:80", "[::1]:80"]));
        let error = loopback_only("localhost", parse(&["192.0.2.1:80"])).unwrap_err();
        assert_eq!(error.kind, FailureKind::Dns);
        assert!(error.cause[0].contains("localhost resolves to 192.0.2.1"), "{:?}", error.cause);
    }
}
