//! The base URL of Engage or of a relay.

/// `https://host[:port][/path]`, checked.
#[derive(Debug, Clone)]
pub(crate) struct BaseUrl(ureq::http::Uri);

impl BaseUrl {
    /// Checks a base URL. The error continues a message that begins with the key's name.
    pub fn parse(text: &str) -> std::result::Result<Self, &'static str> {
        let url: ureq::http::Uri = text.parse().map_err(|_| "is not a URL; for example \"https://acme.voyado.com\"")?;
        let host = url
            .host()
            .filter(|host| !host.is_empty())
            .ok_or("has no host name; for example \"https://acme.voyado.com\"")?;
        let authority = url.authority().map_or("", |authority| authority.as_str());
        if authority.contains('@') {
            return Err("must not have a user name or password");
        }
        // `port_u16` is None for a port above 65535, and the scheme's port would be used.
        if authority.len() > host.len() && url.port_u16().is_none_or(|port| port == 0) {
            return Err("has a port that is not a number from 1 to 65535");
        }
        if url.query().is_some() {
            return Err("must not have a query");
        }
        match url.scheme_str() {
            Some("https") => {}
            Some("http") if is_loopback(host) => {}
            Some("http") => return Err("must be https:// (http:// is allowed for loopback addresses only)"),
            _ => return Err("must start with https://"),
        }
        Ok(Self(url))
    }

    pub fn is_https(&self) -> bool {
        self.0.scheme_str() == Some("https")
    }

    pub fn is_loopback(&self) -> bool {
        is_loopback(self.host_and_port().0)
    }

    pub fn host_and_port(&self) -> (&str, u16) {
        (self.0.host().unwrap_or_default(), self.0.port_u16().unwrap_or(if self.is_https() { 443 } else { 80 }))
    }

    /// Returns scheme, host and port: `https://acme.voyado.com`.
    pub fn origin(&self) -> String {
        format!("{}://{}", self.0.scheme_str().unwrap_or_default(), self.0.authority().map_or("", |at| at.as_str()))
    }

    /// Returns the path that stands before the path of every request, without a trailing slash.
    pub fn prefix(&self) -> &str {
        self.0.path().trim_end_matches('/')
    }
}

/// Returns whether a host is this computer by its name or address. The addresses of a name are
/// checked again before a connection is made.
fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_url_are_read() {
        let parts = |text: &str| {
            let url = BaseUrl::parse(text).unwrap();
            let (host, port) = url.host_and_port();
            (url.is_https(), host.to_owned(), port, url.prefix().to_owned())
        };
        assert_eq!(parts("https://a.voyado.com"), (true, "a.voyado.com".into(), 443, String::new()));
        assert_eq!(parts("https://a.voyado.com:8443/b/c/"), (true, "a.voyado.com".into(), 8443, "/b/c".into()));
        assert_eq!(parts("http://localhost/"), (false, "localhost".into(), 80, String::new()));
    }

    #[test]
    fn plain_http_is_accepted_for_loopback_only() {
        for good in [
            "https://a.voyado.com",
            "https://a.voyado.com/",
            "http://127.0.0.1:8080",
            "http://localhost",
            "http://[::1]:9",
            "https://a.voyado.com:65535",
        ] {
            assert!(BaseUrl::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "http://a.voyado.com",
            "ftp://a",
            "a.voyado.com",
            "https://",
            "",
            "https://u:p@a.com",
            "https://a.com/?k=1",
            "http://127.0.0.1.evil.com",
            "http://localhost.evil.com",
            "http://128.0.0.1",
            "https://a.voyado.com:0",
            "https://a.voyado.com:65536",
            "https://a.voyado.com:70000/x",
            "https://a.voyado.com:",
            "https://[::1]:99999",
        ] {
            assert!(BaseUrl::parse(bad).is_err(), "{bad}");
        }
    }
}
