//! Name resolution that cannot hold up a call: the system is asked on a thread of its own, the answer is remembered,
//! and an old answer is used at once while a new one is fetched aside.

use super::FailureKind;
use super::call::{self, SLICE};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// The system's resolver tells no lifetime; a name older than this is asked again, aside.
const FRESH: Duration = Duration::from_secs(60);
/// How long a failed look-up is answered from memory, so that callers in a queue do not each wait for it.
const FAILED: Duration = Duration::from_millis(500);

#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    shared: Arc<Shared>,
    /// Whom to ask for in the place of every server: the proxy that finds it.
    proxy: Option<(String, u16)>,
}

#[derive(Debug, Default)]
struct Shared {
    names: Mutex<HashMap<(String, u16), Name>>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Name {
    addresses: Vec<SocketAddr>,
    learned: Option<Instant>,
    failed: Option<(Instant, String)>,
    asking: bool,
}

impl Names {
    pub fn behind(proxy: Option<(String, u16)>) -> Self {
        Self { proxy, ..Self::default() }
    }

    /// Whose address is needed to reach a server.
    fn way_to<'a>(&'a self, host: &'a str, port: u16) -> (&'a str, u16) {
        self.proxy.as_ref().map_or((host, port), |(host, port)| (host.as_str(), *port))
    }

    /// Where to connect to for a server, in the order to try.
    pub fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let (host, port) = self.way_to(host, port);
        let began = Instant::now();
        let addresses = self.lookup(host, port)?;
        call::note_times(|times| times.resolve = Some(began.elapsed()));
        Ok(interleave(addresses))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(String, u16), Name>> {
        self.shared.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The addresses of a host, waiting no longer than the current call may.
    fn lookup(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(ip) = bare.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        let call = call::current()?;
        let key = (bare.to_owned(), port);
        let began = Instant::now();
        let mut names = self.lock();
        loop {
            let name = names.entry(key.clone()).or_default();
            let fresh = name.learned.is_some_and(|at| at.elapsed() < FRESH);
            if !name.addresses.is_empty() {
                let addresses = name.addresses.clone();
                if !fresh && !name.asking {
                    name.asking = self.ask(&key);
                }
                return Ok(addresses);
            }
            if let Some((at, reason)) = &name.failed
                && (*at >= began || at.elapsed() < FAILED)
            {
                return Err(call::fail(FailureKind::Dns, vec![format!("{bare}: {reason}")]));
            }
            if !name.asking {
                name.asking = self.ask(&key);
                if !name.asking {
                    return Err(call::fail(FailureKind::Dns, vec!["no thread for the look-up".into()]));
                }
            }
            call.slice().map_err(call::fail_ended)?;
            names = self.shared.changed.wait_timeout(names, SLICE).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Starts a look-up aside. One that hangs is left alone; at most one a name is under way.
    fn ask(&self, key: &(String, u16)) -> bool {
        let asker = self.clone();
        let key = key.clone();
        std::thread::Builder::new()
            .name("eps-resolve".into())
            .spawn(move || {
                let response = (key.0.as_str(), key.1).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
                let mut names = asker.lock();
                let name = names.entry(key).or_default();
                name.asking = false;
                match response {
                    Ok(addresses) if !addresses.is_empty() => {
                        name.addresses = addresses;
                        name.learned = Some(Instant::now());
                        name.failed = None;
                    }
                    Ok(_) => name.failed = Some((Instant::now(), "the name has no address".into())),
                    Err(error) => name.failed = Some((Instant::now(), error.to_string())),
                }
                drop(names);
                asker.shared.changed.notify_all();
            })
            .is_ok()
    }

    /// Forgets the addresses for a server when none of them can be reached, so that the next call asks again.
    pub fn forget(&self, host: &str, port: u16) {
        let (host, port) = self.way_to(host, port);
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if let Some(name) = self.lock().get_mut(&(bare.to_owned(), port)) {
            name.addresses.clear();
        }
    }
}

impl Resolver for Names {
    fn resolve(&self, uri: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let (host, port) = host_and_port(uri)?;
        let mut addresses = self.empty();
        for address in self.addresses(host, port)?.into_iter().take(16) {
            addresses.push(address);
        }
        Ok(addresses)
    }
}

pub(crate) fn host_and_port(uri: &Uri) -> Result<(&str, u16), ureq::Error> {
    let host = uri.host().ok_or_else(|| ureq::Error::BadUri("no host".into()))?;
    Ok((host, uri.port_u16().unwrap_or(if uri.scheme_str() == Some("http") { 80 } else { 443 })))
}

/// The system's order, with the two families in turn, so that one dead family costs one attempt (RFC 8305).
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

    fn addresses(names: &Names) -> Vec<SocketAddr> {
        let call = Arc::new(call::Call::new(Instant::now() + Duration::from_secs(9), &Arc::default()));
        call::scope(&call, None, || names.addresses("localhost", 7)).0.unwrap()
    }

    #[test]
    fn an_old_answer_is_used_at_once_and_a_new_one_is_fetched_aside() {
        let names = Names::default();
        let real = addresses(&names);
        assert!(real.iter().all(|address| address.ip().is_loopback() && address.port() == 7), "{real:?}");
        let old: SocketAddr = "127.0.0.99:7".parse().unwrap();
        let remember = |age: Duration| {
            let mut names = names.lock();
            let name = names.get_mut(&("localhost".to_owned(), 7)).unwrap();
            (name.addresses, name.learned) = (vec![old], Instant::now().checked_sub(age));
        };
        remember(FRESH / 2);
        assert_eq!(
            (addresses(&names), addresses(&names)),
            (vec![old], vec![old]),
            "a fresh answer is not asked for again"
        );
        remember(FRESH * 2);
        assert_eq!(addresses(&names), [old]);
        // The look-up aside has begun: it ends by itself, and its answer takes the old one's place.
        let mut known = names.lock();
        while known.values().any(|name| name.asking) {
            known = names.shared.changed.wait(known).unwrap();
        }
        drop(known);
        assert_eq!(addresses(&names), real);
    }

    #[test]
    fn behind_a_proxy_only_the_proxy_is_looked_up() {
        let names = Names::behind(Some(("localhost".to_owned(), 3128)));
        let call = Arc::new(call::Call::new(Instant::now() + Duration::from_secs(9), &Arc::default()));
        let found = call::scope(&call, None, || names.addresses("engage.invalid", 443)).0.unwrap();
        assert!(found.iter().all(|address| address.ip().is_loopback() && address.port() == 3128), "{found:?}");
    }
}
