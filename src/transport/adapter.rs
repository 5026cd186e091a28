//! The library's side of two of `ureq`'s extension points: resolver and connector.

use super::connect::Connections;
use super::connection::Connection;
use super::context;
use std::fmt;
use std::io;
use std::sync::Arc;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{ConnectionDetails, Connector, NextTimeout};

/// Limit of `ureq`'s list of addresses.
const MAX_ADDRESSES: usize = 16;

/// Gives `ureq` the addresses of the server, or of the proxy in its place.
#[derive(Clone)]
pub(super) struct AddressSource(pub Arc<Connections>);

impl fmt::Debug for AddressSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AddressSource")
    }
}

impl Resolver for AddressSource {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut addresses = self.empty();
        let found = self.0.addresses(&*context::current()?).map_err(io::Error::from)?;
        for address in found.into_iter().take(MAX_ADDRESSES) {
            addresses.push(address);
        }
        Ok(addresses)
    }
}

/// Gives `ureq` its connections.
pub(super) struct ConnectionSource(pub Arc<Connections>);

impl fmt::Debug for ConnectionSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConnectionSource")
    }
}

impl Connector<()> for ConnectionSource {
    type Out = Connection;

    fn connect(&self, details: &ConnectionDetails, _: Option<()>) -> Result<Option<Connection>, ureq::Error> {
        let connection = self.0.connection(&details.addrs, &*context::current()?).map_err(io::Error::from)?;
        Ok(Some(connection))
    }
}
