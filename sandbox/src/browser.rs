//! Keeps web pages of other sites away from the sandbox's own routes. A browser on the developer's
//! computer would otherwise let any page change a store, or read it by DNS rebinding.

use std::net::IpAddr;

use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, header};

/// Returns why a request to the sandbox's own routes comes from another site, if it does.
pub(crate) fn foreign(head: &Parts) -> Option<&'static str> {
    let host = text(&head.headers, header::HOST.as_str());
    if !host.is_none_or(is_local_name) {
        return Some(
            "the Host header names another server. Use an IP address, localhost or a name without a dot for the sandbox",
        );
    }
    // A page of another site cannot read the response to a GET.
    if matches!(head.method, Method::GET | Method::HEAD) {
        return None;
    }
    let is_cross_site =
        text(&head.headers, "sec-fetch-site").is_some_and(|site| !matches!(site, "same-origin" | "none"));
    let is_own = |origin: &str| origin.split_once("://").map(|(_, rest)| rest) == host;
    let is_other_origin = text(&head.headers, header::ORIGIN.as_str()).is_some_and(|origin| !is_own(origin));
    (is_cross_site || is_other_origin).then_some("a web page of another site may not change the sandbox")
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

/// Returns whether a Host header can only mean a computer of the developer's network: an attacker
/// can let any name with a dot mean this computer.
fn is_local_name(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split(':').next().unwrap_or_default(),
    };
    let name = name.trim_end_matches('.');
    name.parse::<IpAddr>().is_ok()
        || !name.is_empty()
            && (!name.contains('.') || name.to_ascii_lowercase().ends_with(".localhost"))
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}
