//! The effects by name. A button, a list, the log and the command line use the same name.

use crate::fault::{Effect, FaultResponse};
use crate::tls::BadCertificate;

/// An effect with a name.
#[derive(Clone, Copy, Debug)]
pub struct NamedEffect {
    /// The name, such as `response-lost`.
    pub name: &'static str,
    /// Whether the store processes the request.
    pub processed: bool,
    /// The consequence for the till. It goes on after "processed, and" or "not processed, and".
    pub what: &'static str,
    make: fn() -> Effect,
}

impl NamedEffect {
    /// Returns the effect.
    pub fn effect(&self) -> Effect {
        (self.make)()
    }
}

const fn processed(name: &'static str, what: &'static str, make: fn() -> Effect) -> NamedEffect {
    NamedEffect { name, processed: true, what, make }
}

const fn not_processed(name: &'static str, what: &'static str, make: fn() -> Effect) -> NamedEffect {
    NamedEffect { name, processed: false, what, make }
}

const FOUR: std::num::NonZeroUsize = std::num::NonZeroUsize::new(4).unwrap();

/// The effects by name, at least one of each kind.
#[rustfmt::skip]
pub const NAMED: [NamedEffect; 22] = [
    processed("response-lost", "the connection is closed without a response", || Effect::CloseAfterCommit),
    processed("no-response", "no response arrives", || Effect::StallAfterCommit),
    processed("response-reset", "the connection is reset", || Effect::ResetAfterCommit),
    processed("response-truncated", "the response ends after 200 bytes", || Effect::Truncate { bytes: 200 }),
    processed("gateway-timeout", "a gateway returns 504", || Effect::StatusAfterCommit(FaultResponse::status(504))),
    processed("slow", "the request is processed 5 s late", || Effect::Delay { ms: 5000 }),
    processed("overload", "Engage takes 6 s: a redeem times out with 504", || Effect::Slow { ms: 6000, point_of_no_return_ms: None }),
    processed("response-dripped", "4 bytes of the response arrive every 50 ms", || Effect::Drip { bytes_per_write: FOUR, interval_ms: 50 }),
    processed("wrong-length", "the response is 10 bytes shorter than it says", || Effect::WrongLength { delta: 10 }),
    processed("wrong-date", "the response's date is two days ahead", || Effect::WrongDate { offset_ms: 172_800_000 }),
    processed("redeemed-elsewhere", "another till redeems the reward just before", || Effect::RedeemedElsewhere),
    not_processed("request-lost", "the connection is reset", || Effect::ResetBeforeCommit),
    not_processed("request-closed", "the connection is closed", || Effect::CloseBeforeCommit),
    not_processed("request-stalled", "no response arrives", || Effect::StallBeforeCommit),
    not_processed("web-page", "a web filter's page arrives with 200", || Effect::Html),
    not_processed("garbage", "invalid JSON arrives with 200", || Effect::Garbage),
    not_processed("empty-body", "an empty response arrives with 200", || Effect::EmptyBody { status: 200 }),
    not_processed("not-http", "the bytes that arrive are not HTTP", || Effect::RawResponse { text: "220 mail.example ESMTP\r\n".to_owned(), keep_alive: false }),
    not_processed("server-error", "Engage returns 500", || Effect::Status(FaultResponse::status(500))),
    not_processed("unavailable", "Engage returns 503", || Effect::Status(FaultResponse::status(503))),
    not_processed("too-many-requests", "Engage returns 429", || Effect::Status(FaultResponse::status(429))),
    not_processed("unauthorized", "Engage rejects the key with 401", || Effect::Status(FaultResponse::error(401, "Unauthorized"))),
];

/// Returns the effect with this name.
pub fn named(name: &str) -> Option<&'static NamedEffect> {
    NAMED.iter().find(|named| named.name == name)
}

/// Returns the name of an effect. Without one of its own, an effect has the name of its kind in
/// JSON.
pub fn name_of(effect: &Effect) -> &'static str {
    NAMED.iter().find(|named| named.effect() == *effect).map_or_else(|| effect.name(), |named| named.name)
}

/// The certificates that no till should accept, by name.
pub const CERTIFICATES: [(&str, BadCertificate, &str); 4] = [
    ("certificate-expired", BadCertificate::Expired, "valid until yesterday"),
    ("certificate-not-yet-valid", BadCertificate::NotYetValid, "valid from tomorrow"),
    ("certificate-unknown-ca", BadCertificate::UnknownCa, "signed by an unknown root"),
    ("certificate-wrong-host", BadCertificate::WrongHost, "for another host"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_name_is_unique_and_leads_to_its_effect_and_back() {
        let names: BTreeSet<_> = NAMED.iter().map(|named| named.name).collect();
        assert_eq!(names.len(), NAMED.len());
        for entry in &NAMED {
            assert_eq!(name_of(&entry.effect()), entry.name);
            assert!(entry.effect().check().is_ok(), "{}", entry.name);
        }
        assert_eq!(name_of(&Effect::Delay { ms: 1 }), "delay");
        assert!(named("flood").is_none());
    }

    #[test]
    fn each_kind_of_effect_has_a_name() {
        let kinds: BTreeSet<_> = NAMED.iter().map(|named| named.effect().name()).collect();
        // The number of variants of `Effect`.
        assert_eq!(kinds.len(), 19);
    }
}
