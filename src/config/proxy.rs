//! The proxy between a till and the server: the one of the configuration, of the environment or of
//! the system.

use super::base_url::BaseUrl;
use crate::core::code::Code;
use crate::core::error::{Error, Result};
use crate::secret::{Secret, Wiped};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::fmt;
use std::net::IpAddr;
use ureq::http::uri::Authority;

/// The proxy setting of the configuration.
#[derive(Debug, Clone)]
pub(crate) enum ProxySetting {
    /// The key is absent: the environment's variables apply, or else the system's settings.
    Environment,
    None,
    Named(Proxy),
}

/// An HTTP proxy that opens tunnels (CONNECT).
#[derive(Debug, Clone)]
pub(crate) struct Proxy {
    pub host: String,
    pub port: u16,
    /// The value of `Proxy-Authorization`.
    pub login: Option<Secret>,
    named_by: &'static str,
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the proxy {}:{} ({})", self.host, self.port, self.named_by)
    }
}

impl Proxy {
    /// Reads `http://user:password@host:port`. `named_by` is the key or variable that holds it. The
    /// error continues a message that begins with that name.
    pub fn parse(text: &str, named_by: &'static str) -> std::result::Result<Self, &'static str> {
        let rest = match text.split_once("://") {
            None => text,
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some(_) => return Err("must be http://user:password@host:port; no other kind of proxy is supported"),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (login, place) = match rest.rsplit_once('@') {
            None => (None, rest),
            Some((login, place)) => (Some(basic(login)?), place),
        };
        let place = Some(place).filter(|place| !place.contains(['/', '?', '#'])).unwrap_or_default();
        let place: Authority = place
            .parse()
            .map_err(|_| "is not of the form http://user:password@host:port (write special characters as %XX)")?;
        let has_port = place.as_str().len() > place.host().len();
        if place.host().is_empty() || (has_port && place.port_u16().is_none_or(|port| port == 0)) {
            return Err("has no host name, or a port that is not a number from 1 to 65535");
        }
        Ok(Self { host: place.host().to_owned(), port: place.port_u16().unwrap_or(80), login, named_by })
    }

    /// Returns the proxy for a server, if there is one. `system` returns the servers and the
    /// exceptions of the system's settings.
    pub fn of(
        setting: &ProxySetting,
        server: &BaseUrl,
        system: impl FnOnce() -> Option<(String, String)>,
    ) -> Result<Option<Self>> {
        match setting {
            ProxySetting::None => Ok(None),
            // A plain http:// request would give the proxy the API key.
            ProxySetting::Named(_) if !server.is_https() => Err(Error::new(
                Code::BadConfig,
                "config_json: proxy cannot be used with an http:// baseUrl, because the API key would be sent \
                 unencrypted. Use https:// in baseUrl, or set proxy to \"none\"",
            )),
            ProxySetting::Named(proxy) => Ok(Some(proxy.clone())),
            ProxySetting::Environment => {
                Self::of_environment(server, |name| std::env::var(name).ok().map(Secret::new), system)
            }
        }
    }

    /// Reads the environment as most programs do, and the system's settings where it names no
    /// proxy. A server on this computer gets no proxy.
    fn of_environment(
        server: &BaseUrl,
        read: impl Fn(&str) -> Option<Secret>,
        system: impl FnOnce() -> Option<(String, String)>,
    ) -> Result<Option<Self>> {
        const PROXIES: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
        let set = |name: &&str| read(name).filter(|value| !value.expose().is_empty());
        let (host, port) = server.host_and_port();
        let excepted =
            ["no_proxy", "NO_PROXY"].iter().find_map(set).is_some_and(|list| is_excepted(list.expose(), host, port));
        if server.is_loopback() || excepted {
            return Ok(None);
        }
        let instead = "set proxy in config_json to the proxy, or to \"none\" for no proxy";
        let Some((name, value)) = PROXIES.iter().find_map(|name| Some((*name, set(name)?))) else {
            let Some((servers, exceptions)) = system() else { return Ok(None) };
            return Self::of_system(&servers, &exceptions, host).map_err(|says| {
                Error::new(Code::BadConfig, format!("the proxy in Windows' settings {says}; {instead}"))
            });
        };
        Self::parse(value.expose(), name)
            .map(Some)
            .map_err(|says| Error::new(Code::BadConfig, format!("the environment's {name} {says}; {instead}")))
    }

    /// Reads Windows' form of a proxy: `host:port`, or one for each scheme as in
    /// `http=a:80;https=b:80`.
    fn of_system(servers: &str, exceptions: &str, host: &str) -> std::result::Result<Option<Self>, &'static str> {
        let entries = || servers.split([';', ' ']).filter(|entry| !entry.is_empty());
        let named = entries().find_map(|entry| entry.strip_prefix("https="));
        let Some(server) = named.or_else(|| entries().find(|entry| !entry.contains('='))) else { return Ok(None) };
        if exceptions.split([';', ' ']).any(|entry| is_system_exception(entry, host)) {
            return Ok(None);
        }
        Self::parse(server, "Windows' settings").map(Some)
    }
}

/// Returns whether an entry of Windows' exceptions names a host: a name in which `*` stands for any
/// text, or `<local>` for every name without a dot.
fn is_system_exception(entry: &str, host: &str) -> bool {
    if entry.eq_ignore_ascii_case("<local>") {
        return !host.contains(['.', ':']);
    }
    let (entry, host) = (entry.to_ascii_lowercase(), host.to_ascii_lowercase());
    let entry = entry.split_once("://").map_or(&*entry, |(_, name)| name);
    let mut parts = entry.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = host.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() && !entry.is_empty() };
    for part in parts {
        let Some((_, behind)) = rest.split_once(part) else { return false };
        rest = behind;
    }
    rest.ends_with(last)
}

const SCHEME: &[u8] = b"Basic ";

/// Returns the value of `Proxy-Authorization` for `user:password`, which may hold `%XX`.
fn basic(login: &str) -> std::result::Result<Secret, &'static str> {
    let mut plain = Wiped::default();
    let mut bytes = login.bytes();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'%' => {
                let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
                let (Some(high), Some(low)) = (digit(bytes.next()), digit(bytes.next())) else {
                    return Err(
                        "has a % in its user or password that is not followed by two hexadecimal digits; write %25",
                    );
                };
                u8::try_from(high * 16 + low).unwrap_or_default()
            }
            byte => byte,
        };
        if byte.is_ascii_control() {
            return Err("has a control character in its user or password");
        }
        plain.push(&[byte]);
    }
    if !plain.contains(&b':') {
        plain.push(b":");
    }
    let mut value = vec![0; SCHEME.len() + plain.len().div_ceil(3) * 4];
    value[..SCHEME.len()].copy_from_slice(SCHEME);
    let encoded = BASE64_STANDARD.encode_slice(&*plain, &mut value[SCHEME.len()..]);
    debug_assert!(encoded.is_ok(), "three bytes are four characters");
    Ok(Secret::new(String::from_utf8(value).unwrap_or_default()))
}

/// Returns whether `NO_PROXY` names a server: `*`, a domain with its subdomains, an address, or a
/// range of addresses (`10.0.0.0/8`). All but the range may have a port.
fn is_excepted(list: &str, host: &str, port: u16) -> bool {
    let bare = |text: &str| text.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    let host = bare(host);
    let address = host.parse::<IpAddr>().ok();
    list.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| {
        if entry == "*" {
            return true;
        }
        if let (Some((range, bits)), Some(address)) = (entry.split_once('/'), address) {
            let range = range.parse::<IpAddr>();
            return range.is_ok_and(|range| bits.parse().is_ok_and(|bits| is_within(address, range, bits)));
        }
        let (name, only) = match entry.rsplit_once(':') {
            Some((name, digits)) if !name.contains(':') || name.ends_with(']') => match digits.parse::<u16>() {
                Ok(only) => (name, Some(only)),
                Err(_) => (entry, None),
            },
            _ => (entry, None),
        };
        let name = bare(name.trim_start_matches("*.").trim_start_matches('.'));
        let same = name == host
            || (address.is_none() && host.strip_suffix(name.as_str()).is_some_and(|below| below.ends_with('.')));
        same && only.is_none_or(|only| only == port) && !name.is_empty()
    })
}

fn is_within(address: IpAddr, range: IpAddr, bits: u32) -> bool {
    let same = |one: u128, other: u128, all: u32| bits <= all && (bits == 0 || (one ^ other) >> (all - bits) == 0);
    match (address, range) {
        (IpAddr::V4(one), IpAddr::V4(other)) => same(one.to_bits().into(), other.to_bits().into(), 32),
        (IpAddr::V6(one), IpAddr::V6(other)) => same(one.to_bits(), other.to_bits(), 128),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(url: &str) -> BaseUrl {
        BaseUrl::parse(url).unwrap()
    }

    #[test]
    fn proxy_is_read_and_its_login_is_never_printed() {
        let proxy = Proxy::parse("http://till:hush%40%3A%C3%A5@proxy.local:3128/", "proxy").unwrap();
        assert_eq!((proxy.host.as_str(), proxy.port), ("proxy.local", 3128));
        // till:hush@:å
        assert_eq!(proxy.login.as_ref().unwrap().expose(), "Basic dGlsbDpodXNoQDrDpQ==");
        assert!(!format!("{proxy:?} {proxy}").contains("hush") && !format!("{proxy:?}").contains("dGls"));
        assert_eq!(Proxy::parse("proxy.local", "x").unwrap().port, 80);
        assert_eq!(Proxy::parse("HTTP://[::1]:8080", "x").unwrap().host, "[::1]");
        assert!(Proxy::parse("user@proxy:1", "x").unwrap().login.is_some());
        for bad in [
            "https://proxy:1",
            "socks5://proxy:1",
            "http://",
            "http://a/b",
            "http://a:0",
            "http://a:x",
            "http://a:65536",
            "http://u%4:p@a:1",
            "http://u:p%0d%0a@a:1",
            "http://a b:1",
            "",
        ] {
            let says = Proxy::parse(bad, "x").unwrap_err();
            assert!(!says.contains("u:p"), "{bad}: {says}");
        }
    }

    #[test]
    fn range_of_addresses_ends_at_its_bits() {
        let within =
            |address: &str, range: &str, bits| is_within(address.parse().unwrap(), range.parse().unwrap(), bits);
        assert!(within("10.1.2.3", "192.168.0.0", 0), "no bit is compared");
        assert!(within("10.1.2.3", "10.1.2.2", 31) && !within("10.1.2.3", "10.1.2.2", 32));
        assert!(!within("10.1.2.3", "10.1.2.3", 33), "no address has 33 bits");
        assert!(within("fd00::1", "fd00::", 127) && !within("fd00::1", "fd00::", 128));
        assert!(within("fd00::1", "fd00::1", 128) && !within("fd00::1", "fd00::1", 129));
        assert!(!within("10.1.2.3", "fd00::", 0), "another kind of address");
    }

    #[test]
    fn login_is_basic_and_has_a_colon() {
        let value = |login| basic(login).map(|secret| secret.expose().to_owned());
        // The value is that of "till:".
        assert_eq!(value("till").unwrap(), "Basic dGlsbDo=");
        assert_eq!(value("%74ill:").unwrap(), "Basic dGlsbDo=");
        assert!(value("t%7Fll").is_err() && value("t%7").is_err() && value("t%7x").is_err());
    }

    #[test]
    fn environment_is_read_but_never_for_this_computer() {
        let of = |url: &str, variables: &[(&str, &str)]| {
            let read = |name: &str| {
                variables.iter().find(|(key, _)| *key == name).map(|(_, value)| Secret::new((*value).to_owned()))
            };
            Proxy::of_environment(&server(url), read, || None).map(|proxy| proxy.map(|proxy| proxy.host))
        };
        let some = |host: &str| Some(host.to_owned());
        let url = "https://acme.voyado.com";
        assert_eq!(of(url, &[]).unwrap(), None);
        assert_eq!(of(url, &[("HTTPS_PROXY", "http://a:1"), ("ALL_PROXY", "b:1")]).unwrap(), some("a"));
        assert_eq!(of(url, &[("https_proxy", "c:1"), ("HTTPS_PROXY", "a:1")]).unwrap(), some("c"));
        assert_eq!(of(url, &[("https_proxy", ""), ("ALL_PROXY", "b:1")]).unwrap(), some("b"));
        assert_eq!(of(url, &[("HTTP_PROXY", "a:1")]).unwrap(), None, "HTTP_PROXY is for http:// servers");
        for local in ["https://localhost:1", "https://127.0.0.1:1", "https://[::1]"] {
            assert_eq!(of(local, &[("ALL_PROXY", "b:1")]).unwrap(), None, "{local}");
        }
        let error = of(url, &[("ALL_PROXY", "socks5://u:hush@b:1")]).unwrap_err();
        assert_eq!(error.code(), Code::BadConfig);
        assert!(error.message().contains("ALL_PROXY") && !error.message().contains("hush"), "{error}");
        for (list, excepted) in [
            ("voyado.com", true),
            (".voyado.com", true),
            ("*.voyado.com", true),
            ("a.com, acme.voyado.com ", true),
            ("*", true),
            ("ACME.voyado.com:443", true),
            ("acme.voyado.com:444", false),
            ("oyado.com", false),
            ("me.voyado.com", false),
            ("", false),
            (",", false),
            ("10.0.0.0/8", false),
            (".", false),
        ] {
            let proxy = of(url, &[("ALL_PROXY", "b:1"), ("NO_PROXY", list)]).unwrap();
            assert_eq!(proxy.is_none(), excepted, "{list}");
        }
        for (list, excepted) in [
            ("10.0.0.0/8", true),
            ("10.1.2.3", true),
            ("10.1.2.3:8443", true),
            ("10.1.2.4/31", false),
            ("10.1.2.2/31", true),
            ("0.0.0.0/0", true),
            ("10.0.0.0/33", false),
            ("fd00::/8", false),
            ("2.3", false),
        ] {
            let proxy = of("https://10.1.2.3:8443", &[("ALL_PROXY", "b:1"), ("NO_PROXY", list)]).unwrap();
            assert_eq!(proxy.is_none(), excepted, "{list}");
        }
        let proxy = of("https://[fd00::7]", &[("ALL_PROXY", "b:1"), ("NO_PROXY", "fd00::/8")]).unwrap();
        assert!(proxy.is_none());
    }

    #[test]
    fn settings_of_windows_apply_where_the_environment_is_empty() {
        let of = |url: &str, variables: &[(&str, &str)], system: (&str, &str)| {
            let read = |name: &str| {
                variables.iter().find(|(key, _)| *key == name).map(|(_, value)| Secret::new((*value).to_owned()))
            };
            let system = || Some((system.0.to_owned(), system.1.to_owned()));
            Proxy::of_environment(&server(url), read, system).map(|proxy| proxy.map(|proxy| proxy.host))
        };
        let url = "https://acme.voyado.com";
        for (servers, host) in [
            ("a:1", Some("a")),
            ("http://a:1", Some("a")),
            ("http=b:1;https=a:1", Some("a")),
            ("http=b:1;a:1", Some("a")),
            ("http=b:1 https=a:1", Some("a")),
            ("http=b:1;socks=c:1", None),
            ("", None),
        ] {
            assert_eq!(of(url, &[], (servers, "")).unwrap().as_deref(), host, "{servers}");
        }
        assert_eq!(of(url, &[("ALL_PROXY", "b:1")], ("a:1", "")).unwrap().as_deref(), Some("b"));
        assert_eq!(of(url, &[("NO_PROXY", "voyado.com")], ("a:1", "")).unwrap(), None);
        assert_eq!(of("https://127.0.0.1:1", &[], ("a:1", "")).unwrap(), None);
        let error = of(url, &[], ("a:x", "")).unwrap_err();
        assert!(error.message().contains("Windows' settings"), "{error}");
        for (exceptions, excepted) in [
            ("acme.voyado.com", true),
            ("*.voyado.com", true),
            ("x;*.VOYADO.com", true),
            ("https://acme.*", true),
            ("*", true),
            ("acme*com", true),
            ("a*e.v*o.com", true),
            ("<local>", false),
            ("voyado.com", false),
            ("acme.voyado", false),
            ("*.voyado", false),
            ("a*x*com", false),
            ("", false),
            (";", false),
        ] {
            assert_eq!(of(url, &[], ("a:1", exceptions)).unwrap().is_none(), excepted, "{exceptions}");
        }
        assert_eq!(of("https://relay", &[], ("a:1", "<LOCAL>")).unwrap(), None);
    }
}
