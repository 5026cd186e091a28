//! Name resolution that cannot delay a call beyond its deadline. The system is asked on a separate
//! thread and its addresses are kept. Old addresses are used while new ones are resolved.

use super::FailureKind;
use super::call::Call;
use super::context::NetworkError;
use crate::rt::{self, Condvar, Instant, Mutex, MutexGuard};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

/// Addresses older than this are resolved again in the background: the system's resolver reports no
/// lifetime.
const FRESH_FOR: Duration = Duration::from_secs(60);
/// A failure is kept for this time, so that calls in a queue do not each wait for the resolver.
const FAILURE_KEPT_FOR: Duration = Duration::from_millis(500);

#[derive(Debug, Clone, Default)]
pub(crate) struct NameCache {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    names: Mutex<HashMap<(String, u16), Name>>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Name {
    addresses: Vec<SocketAddr>,
    resolved_at: Option<Instant>,
    failed: Option<(Instant, String)>,
    /// A thread asks the system now.
    resolving: bool,
}

impl NameCache {
    fn lock(&self) -> MutexGuard<'_, HashMap<(String, u16), Name>> {
        rt::lock(&self.shared.names)
    }

    /// Returns the addresses of a host in the order to try, within the limits of `call`.
    pub fn lookup(&self, host: &str, port: u16, call: &Call) -> Result<Vec<SocketAddr>, NetworkError> {
        self.resolve(host, port, call).map(interleave)
    }

    fn resolve(&self, host: &str, port: u16, call: &Call) -> Result<Vec<SocketAddr>, NetworkError> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(ip) = bare.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        let failed = |cause: String| Err(NetworkError::new(FailureKind::Dns, vec![cause]));
        let key = (bare.to_owned(), port);
        let began = Instant::now();
        let mut names = self.lock();
        loop {
            let name = names.entry(key.clone()).or_default();
            let is_fresh = name.resolved_at.is_some_and(|at| at.elapsed() < FRESH_FOR);
            if !name.addresses.is_empty() {
                let addresses = name.addresses.clone();
                if !is_fresh && !name.resolving {
                    name.resolving = self.spawn_resolver(&key);
                }
                return Ok(addresses);
            }
            if let Some((at, reason)) = &name.failed
                && (*at >= began || at.elapsed() < FAILURE_KEPT_FOR)
            {
                return failed(format!("{bare}: {reason}"));
            }
            if !name.resolving {
                name.resolving = self.spawn_resolver(&key);
                if !name.resolving {
                    return failed("the system has no thread for the name resolution".into());
                }
            }
            let slice = call.slice()?;
            names = rt::wait_timeout(&self.shared.changed, names, slice);
        }
    }

    /// Asks the system in the background. A resolver that hangs is left alone. At most one runs for
    /// a name.
    fn spawn_resolver(&self, key: &(String, u16)) -> bool {
        let cache = self.clone();
        let key = key.clone();
        let resolve = move || {
            let found = (key.0.as_str(), key.1).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
            let mut names = cache.lock();
            let name = names.entry(key).or_default();
            name.resolving = false;
            match found {
                Ok(addresses) if !addresses.is_empty() => {
                    name.addresses = addresses;
                    name.resolved_at = Some(Instant::now());
                    name.failed = None;
                }
                Ok(_) => name.failed = Some((Instant::now(), "the name has no address".into())),
                Err(error) => name.failed = Some((Instant::now(), error.to_string())),
            }
            drop(names);
            cache.shared.changed.notify_all();
        };
        rt::spawn("eps-resolve", resolve).is_ok()
    }

    /// Forgets the addresses of a host when none can be reached, so that the next call asks again.
    pub fn forget(&self, host: &str, port: u16) {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if let Some(name) = self.lock().get_mut(&(bare.to_owned(), port)) {
            name.addresses.clear();
        }
    }
}

/// Returns the addresses in the system's order with the two families in turn, so that a family that
/// is not reachable costs one attempt (RFC 8305).
fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let Some(first) = addresses.first() else { return addresses };
    let first_is_v6 = first.is_ipv6();
    let (one, other): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let mut other = other.into_iter();
    let mut mixed = Vec::new();
    for address in one {
        mixed.push(address);
        mixed.extend(other.next());
    }
    mixed.extend(other);
    mixed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns_in_the_systems_order() {
        let parse = |list: &[&str]| list.iter().map(|text| text.parse().unwrap()).collect::<Vec<SocketAddr>>();
        assert_eq!(
            interleave(parse(&["[::1]:1", "[::2]:1", "[::3]:1", "127.0.0.1:1"])),
            parse(&["[::1]:1", "127.0.0.1:1", "[::2]:1", "[::3]:1"])
        );
    }

    fn addresses(names: &NameCache) -> Vec<SocketAddr> {
        let call = Call::new(Instant::now() + Duration::from_secs(9), &Arc::default());
        names.lookup("localhost", 7, &call).unwrap()
    }

    #[test]
    fn old_addresses_are_used_while_new_ones_are_resolved() {
        let names = NameCache::default();
        let real = addresses(&names);
        assert!(real.iter().all(|address| address.ip().is_loopback() && address.port() == 7), "{real:?}");
        let old: SocketAddr = "127.0.0.99:7".parse().unwrap();
        let remember = |age: Duration| {
            let mut names = names.lock();
            let name = names.get_mut(&("localhost".to_owned(), 7)).unwrap();
            (name.addresses, name.resolved_at) = (vec![old], Instant::now().checked_sub(age));
        };
        remember(FRESH_FOR / 2);
        assert_eq!(
            (addresses(&names), addresses(&names)),
            (vec![old], vec![old]),
            "fresh addresses are not resolved again"
        );
        remember(FRESH_FOR * 2);
        assert_eq!(addresses(&names), [old]);
        // The resolution in the background ends by itself and replaces the old addresses.
        let mut known = names.lock();
        while known.values().any(|name| name.resolving) {
            known = names.shared.changed.wait(known).unwrap();
        }
        drop(known);
        assert_eq!(addresses(&names), real);
    }
}
