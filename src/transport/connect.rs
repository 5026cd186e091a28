//! Makes connections to the server: its address, a socket, the proxy's tunnel, TLS; and says why there is none.
//! One connection can be made in advance, so that the first call finds it.

use super::FailureKind;
use super::call::{self, Call};
use super::clock::{self, ServerTime};
use super::connection::Connection;
use super::head::Head;
use super::resolve::Names;
use super::socket::Socket;
use super::stream::Stream;
use super::tls::{self, Security};
use super::tunnel;
use crate::config::Config;
use crate::config::Proxy;
use crate::core::error::{Result, chain};
use rustls::pki_types::UnixTime;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a server may take to say what time it is.
const ASKING: Duration = Duration::from_secs(2);

pub(crate) struct Connections {
    host: String,
    port: u16,
    pub names: Names,
    proxy: Option<Proxy>,
    /// None: `http://`.
    security: Option<Security>,
    user_agent: String,
    spare: Mutex<Spare>,
    changed: Condvar,
}

/// The connection that is made in advance.
#[derive(Default)]
enum Spare {
    #[default]
    None,
    Coming {
        /// A call waits for it already; another one makes its own.
        awaited: bool,
    },
    Here(Connection),
}

impl Connections {
    pub fn new(config: &Config) -> Result<Self> {
        let (host, port) = config.base_url.host_and_port();
        let proxy = Proxy::of(&config.proxy, &config.base_url)?;
        Ok(Self {
            host: host.to_owned(),
            port,
            names: Names::behind(proxy.as_ref().map(|proxy| (proxy.host.clone(), proxy.port))),
            proxy,
            security: Security::of(config)?,
            user_agent: config.user_agent.clone(),
            spare: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    /// A connection for the current request: the one made in advance, or a new one.
    pub fn connection(&self, addresses: &[SocketAddr]) -> io::Result<Connection> {
        match self.take_spare()? {
            Some(connection) => Ok(connection),
            None => self.connect(addresses).map(Connection::new),
        }
    }

    /// Makes a connection in advance, for as long as `call` lasts. That it cannot be made harms nothing: the call that needs one will say so.
    pub fn preconnect(self: &Arc<Self>, call: Arc<Call>) {
        let connections = self.clone();
        *self.lock() = Spare::Coming { awaited: false };
        let started = std::thread::Builder::new().name("eps-warm".into()).spawn(move || {
            let _quiet = crate::panics::quiet_thread();
            let made = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let connect = || {
                    connections
                        .names
                        .addresses(&connections.host, connections.port)
                        .and_then(|found| connections.connect(&found))
                };
                call::scope(&call, None, connect).0
            }));
            *connections.lock() =
                made.ok().and_then(io::Result::ok).map_or(Spare::None, |stream| Spare::Here(Connection::new(stream)));
            connections.changed.notify_all();
        });
        if started.is_err() {
            *self.lock() = Spare::None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Spare> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection made in advance. One that is under way is waited for: it cannot come later than one that is begun now.
    fn take_spare(&self) -> io::Result<Option<Connection>> {
        let call = call::current()?;
        let mut spare = self.lock();
        let mut waiting = false;
        loop {
            match &mut *spare {
                Spare::Coming { awaited } if waiting || !*awaited => (*awaited, waiting) = (true, true),
                Spare::None | Spare::Coming { .. } => return Ok(None),
                Spare::Here(_) => {
                    let Spare::Here(mut connection) = std::mem::take(&mut *spare) else { return Ok(None) };
                    return Ok(connection.is_good().then_some(connection));
                }
            }
            match call.slice() {
                Ok(slice) => spare = self.changed.wait_timeout(spare, slice).unwrap_or_else(PoisonError::into_inner).0,
                Err(ended) => {
                    if let Spare::Coming { awaited } = &mut *spare {
                        *awaited = false;
                    }
                    return Err(call::fail_ended(ended));
                }
            }
        }
    }

    fn connect(&self, addresses: &[SocketAddr]) -> io::Result<Stream> {
        let (socket, told) = self.reach(addresses)?;
        let Some(security) = &self.security else { return Ok(Stream::plain(socket)) };
        let began = Instant::now();
        let stream = Stream::secure(socket, &security.config, &self.host)
            .map_err(|error| self.explained(&error, security, addresses, told))?;
        call::note_times(|times| times.tls = Some(began.elapsed()));
        Ok(stream)
    }

    /// A way to the server; through a proxy with what it says the time is.
    fn reach(&self, addresses: &[SocketAddr]) -> io::Result<(Socket, Option<ServerTime>)> {
        let mut socket = Socket::connect(addresses).inspect_err(|_| {
            self.names.forget(&self.host, self.port);
            if let Some(proxy) = &self.proxy {
                call::explain(format!("that is {proxy}"));
            }
        })?;
        let Some(proxy) = &self.proxy else { return Ok((socket, None)) };
        let began = Instant::now();
        let told = tunnel::open(proxy, &mut socket, &self.host, self.port, &self.user_agent)?;
        call::note_times(|times| times.tunnel = Some(began.elapsed()));
        Ok((socket, told))
    }

    /// Notes why a handshake failed, to the last link of the chain.
    fn explained(
        &self,
        error: &io::Error,
        security: &Security,
        at: &[SocketAddr],
        told: Option<ServerTime>,
    ) -> io::Error {
        let inner = error.get_ref();
        let Some(evidence) = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) else {
            // The socket has noted its own failures already; what is left is a server that hung up.
            return call::fail(
                FailureKind::TlsEnded,
                inner.map_or_else(|| vec![error.to_string()], |inner| chain(inner)),
            );
        };
        let mut cause = chain(evidence);
        match tls::valid_time(evidence) {
            Some(valid) => cause.push(clock::evidence(valid, self.ask_time(security, at, valid).or(told))),
            None => cause.extend(tls::advice(evidence).map(str::to_owned)),
        }
        call::fail(FailureKind::Tls, cause)
    }

    /// The server's clock, by its own word: asked on a connection of its own, without the key or anything of the request.
    fn ask_time(&self, security: &Security, addresses: &[SocketAddr], valid: UnixTime) -> Option<ServerTime> {
        let ask = || {
            let (socket, _) = self.reach(addresses).ok()?;
            let mut stream = Stream::secure(socket, &security.at(valid), &self.host).ok()?;
            let (host, agent) = (&self.host, &self.user_agent);
            let question =
                format!("HEAD / HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\nConnection: close\r\n\r\n");
            stream.write_all(question.as_bytes()).ok()?;
            Head::read(&mut stream).ok()??.date()
        };
        call::aside(ASKING, ask).ok()?.map(|time| ServerTime { by: "the server's clock", time })
    }
}
