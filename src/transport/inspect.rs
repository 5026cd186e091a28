//! Makes a connection step by step for a check, so that the step that fails is known.

use super::call::Call;
use super::context::{NetworkError, RequestContext};
use super::{Failure, Transport};
use crate::core::check::{ClientCertificate, Peer};
use crate::core::domain::{Millis, millis};
use crate::rt::{self, Instant};
use std::sync::Arc;

/// What one step of a connection has found.
pub(crate) enum Step {
    /// The addresses of the server's name, or of the proxy's.
    Name(Result<String, Failure>),
    /// How long the connection took, in ms, through the proxy.
    Connected(Result<Millis, Failure>),
    /// The server's end of the TLS connection; None without TLS.
    Secured(Result<Option<Peer>, Failure>),
}

impl Transport {
    /// Makes a connection without a request, and reports each step. A step after one that failed is
    /// not reported.
    pub fn inspect(&self, call: &Arc<Call>, report: &mut dyn FnMut(Step)) {
        let connections = &self.connections;
        let context = RequestContext::new(call, None);
        let (host, port) = connections.endpoint();
        connections.checked_names.forget(host, port);
        let addresses = match connections.addresses_by(&connections.checked_names, &context) {
            Ok(addresses) => addresses,
            Err(error) => return report(Step::Name(Err(error.into()))),
        };
        let shown: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
        report(Step::Name(Ok(shown.join(", "))));
        let began = Instant::now();
        let (socket, proxy_time) = match connections.open_socket(&addresses, &context) {
            Ok(opened) => opened,
            Err(error) => return report(Step::Connected(Err(error.into()))),
        };
        report(Step::Connected(Ok(millis(began.elapsed()))));
        let secured = connections.secure(socket, proxy_time, &addresses, &context);
        report(Step::Secured(secured.map(|stream| stream.peer()).map_err(Failure::from)));
    }

    /// Returns the proxy and where it came from.
    pub fn proxy(&self) -> Option<String> {
        self.connections.proxy.as_ref().map(ToString::to_string)
    }

    /// Returns the validity of the till's own certificate.
    pub fn client_certificate(&self) -> ClientCertificate {
        self.connections.security.as_ref().map(|security| security.client_certificate).unwrap_or_default()
    }

    /// Returns the server's end of the newest connection. None before the first one, and without
    /// TLS.
    pub fn newest_peer(&self) -> Option<Peer> {
        *rt::lock(&self.connections.peer)
    }
}

impl From<NetworkError> for Failure {
    fn from(NetworkError { kind, cause }: NetworkError) -> Self {
        Self { kind, may_have_left: false, response_began: false, cause }
    }
}
