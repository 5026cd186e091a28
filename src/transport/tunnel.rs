//! The tunnel through a proxy. It is opened on the library's own socket, so that a proxy that hangs
//! keeps no call beyond its deadline (invariant 8).

use super::FailureKind;
use super::call::Call;
use super::clock::ServerTime;
use super::context::NetworkError;
use super::head::Head;
use super::socket::Socket;
use crate::config::Proxy;
use crate::secret::Wiped;
use std::io::{self, Write};

/// Opens a tunnel to a server. Nothing of a request passes here. Returns the time of the proxy's
/// clock, if its response has a `Date`.
pub(super) fn open(
    proxy: &Proxy,
    socket: &Socket,
    host: &str,
    port: u16,
    user_agent: &str,
    call: &Call,
) -> Result<Option<ServerTime>, NetworkError> {
    let mut request = Wiped::default();
    request.push(
        format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: {user_agent}\r\n").as_bytes(),
    );
    if let Some(login) = &proxy.login {
        request.push(b"Proxy-Authorization: ");
        request.push(login.expose().as_bytes());
        request.push(b"\r\n");
    }
    request.push(b"\r\n");
    let failed = |kind, message: String| Err(NetworkError::new(kind, vec![format!("{proxy} {message}")]));
    let mut socket = socket.during(call);
    let read = socket.write_all(&request).and_then(|()| Head::read(&mut socket));
    let Some(head) = read.map_err(|error| network_error(&error))? else {
        return failed(
            FailureKind::Proxy,
            "did not respond with HTTP, or closed the connection before its response".into(),
        );
    };
    let page = if head.is_web_page() { ", with a web page: a web filter" } else { "" };
    match head.status {
        200..=299 if head.has_more => failed(FailureKind::Proxy, "sent more than its response".into()),
        200..=299 => Ok(head.date().map(|time| ServerTime { by: "the proxy's clock", time })),
        // Some proxies send 401 in the place of 407.
        401 | 407 => failed(
            FailureKind::ProxyLogin,
            format!("rejected CONNECT with status {}: it {}", head.status, login_problem(proxy, &head)),
        ),
        status => failed(
            FailureKind::Proxy,
            format!("rejected CONNECT {host}:{port} with status {status}{page}. {}", advice(status)),
        ),
    }
}

/// Returns the reason that an error of the socket carries. Another error is the proxy's.
fn network_error(error: &io::Error) -> NetworkError {
    let other = || NetworkError::new(FailureKind::Proxy, vec![error.to_string()]);
    NetworkError::of(error).cloned().unwrap_or_else(other)
}

fn login_problem(proxy: &Proxy, head: &Head) -> &'static str {
    let offers_basic = |offer: &str| offer.split(',').any(|one| one.trim().to_ascii_lowercase().starts_with("basic"));
    let mut offers = head.values("proxy-authenticate").peekable();
    match proxy.login {
        _ if offers.peek().is_some() && !offers.any(offers_basic) => {
            "wants a login of a kind that is not supported (only Basic is)"
        }
        None => "wants a user and a password: http://user:password@host:port",
        Some(_) => "does not accept this user and password",
    }
}

/// Returns what to do about a status of CONNECT.
fn advice(status: u16) -> &'static str {
    match status {
        403 => "Check the proxy's rules: it does not allow this server.",
        500..=599 => "Check the proxy: it could not reach the server.",
        _ => "Check the proxy's address: it makes no tunnels, or not to this server.",
    }
}
