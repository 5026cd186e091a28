//! The named checks of `eps_check`, decided from facts that the runtime has gathered. A check whose
//! fact is missing is *unknown*, never *ok*.

use super::code::Code;
use super::domain::{Millis, Operation};
use super::error::{Error, Result};
use super::intent::Intent;
use std::fmt::Write;

/// What a check has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Status {
    /// Nothing is to be done.
    Ok,
    /// The check could not be done, or not in time.
    Unknown,
    /// A sale works, and somebody should act soon.
    Warn,
    /// A sale may not work.
    Fail,
}

impl Status {
    /// Returns the name that the JSON uses.
    pub const fn name(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Unknown => "unknown",
            Status::Warn => "warn",
            Status::Fail => "fail",
        }
    }
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Check {
    /// Its name, which never changes.
    pub name: &'static str,
    /// What it has found.
    pub status: Status,
    /// What was found, with numbers.
    pub message: String,
    /// Who does what; None where there is nothing.
    pub action: Option<&'static str>,
    /// Since when, where that is known.
    pub since_ms: Option<Millis>,
}

/// A fact. None: it was not gathered within the wait, or an earlier step failed.
pub(crate) type Fact<T> = Option<Result<T>>;

/// Where the journal is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Place {
    /// Not configured.
    #[default]
    None,
    /// In memory.
    Memory,
    /// A file that is a copy, opened for reading.
    Copy,
    /// A file.
    File,
}

/// The till's own certificate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum ClientCertificate {
    /// Not configured.
    #[default]
    None,
    /// Its validity cannot be read.
    Unread,
    /// It is valid until this time.
    Until(Millis),
}

/// What the journal's disk and files say.
#[derive(Debug, Clone)]
pub(crate) struct JournalFacts {
    /// How long a synced write took, in ms.
    pub written_ms: Result<Millis>,
    /// Whether no record is missing.
    pub whole: Result<()>,
    /// The free space of the disk for this user; None where the system does not say it.
    pub free_bytes: Option<u64>,
}

/// The server's end of a TLS connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer {
    /// `TLS 1.3`.
    pub version: &'static str,
    /// The number of certificates that the server has sent.
    pub chain: usize,
    /// When the first of them expires.
    pub expires_at: Option<Millis>,
}

/// The operations that are pending or not acknowledged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Operations {
    /// Of this tenant, without those in review.
    pub pending: usize,
    /// The oldest of them: when it was recorded, and why it is pending.
    pub oldest_pending: Option<(Millis, Code)>,
    /// Those in manual review.
    pub review: usize,
    /// When the oldest of them was recorded.
    pub oldest_review: Option<Millis>,
    /// Those whose outcome is known and not acknowledged.
    pub unacknowledged: usize,
    /// When the outcome of the oldest of them became known.
    pub oldest_unacknowledged: Option<Millis>,
    /// Pending ones of another tenant.
    pub foreign: usize,
    /// The points of the pending purchases, as far as they are known.
    pub points: u64,
    /// The pending purchases whose points are not known.
    pub without_points: usize,
}

impl Operations {
    /// Counts what is pending or not acknowledged. `tenant`: the client's.
    pub fn of(intents: &[Intent], tenant: &str) -> Self {
        let mut counts = Self::default();
        let older = |known: Option<Millis>, at: Millis| Some(known.map_or(at, |known| known.min(at)));
        for intent in intents.iter().filter(|intent| !intent.is_acknowledged()) {
            if intent.state.is_final() {
                counts.unacknowledged += 1;
                let at = intent.resolved_at.unwrap_or(intent.recorded_at);
                counts.oldest_unacknowledged = older(counts.oldest_unacknowledged, at);
                continue;
            }
            if intent.tenant.as_deref().is_some_and(|theirs| theirs != tenant) {
                counts.foreign += 1;
                continue;
            }
            if let Operation::Purchase(_) = intent.operation {
                match intent.progress.points {
                    Some(points) => counts.points = counts.points.saturating_add(points),
                    None => counts.without_points += 1,
                }
            }
            if intent.needs_review() {
                counts.review += 1;
                counts.oldest_review = older(counts.oldest_review, intent.recorded_at);
            } else {
                counts.pending += 1;
                if counts.oldest_pending.is_none_or(|(at, _)| intent.recorded_at < at) {
                    counts.oldest_pending = Some((intent.recorded_at, intent.code));
                }
            }
        }
        counts
    }
}

/// Everything that the checks are decided from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    /// The till's clock.
    pub now: Millis,
    /// The day of the build. No clock that is right is before it.
    pub built_at: Millis,
    /// The library's version.
    pub version: &'static str,
    /// Whether the server is asked.
    pub online: bool,
    /// Where the journal is.
    pub place: Place,
    /// When a loss of records was accepted last.
    pub lost_at: Option<Millis>,
    /// What the journal's disk says.
    pub journal: Fact<JournalFacts>,
    /// What is pending or not acknowledged.
    pub operations: Fact<Operations>,
    /// The proxy and where it came from.
    pub proxy: Option<String>,
    /// The till's own certificate.
    pub client_certificate: ClientCertificate,
    /// The addresses of the server's name, or of the proxy's.
    pub addresses: Fact<String>,
    /// How long the connection took, in ms.
    pub connected_ms: Fact<Millis>,
    /// The server's end of the TLS connection; None without TLS.
    pub peer: Fact<Option<Peer>>,
    /// The HTTP status of a read that spends nothing.
    pub key: Fact<u16>,
    /// Whether a key is configured.
    pub has_key: bool,
    /// How far the till's clock is ahead of the server's, in ms.
    pub skew_ms: Option<i64>,
    /// When the last response came, by the till's clock.
    pub last_response_at: Option<Millis>,
    /// The responses with status 429 since the open, and when the last one came.
    pub rate_limited: (u64, Option<Millis>),
}

const MINUTE: Millis = 60_000;
const HOUR: Millis = 60 * MINUTE;
const DAY: Millis = 24 * HOUR;
const MIB: u64 = 1 << 20;

/// Free space of the disk below which the check warns and fails. The journal of a year is smaller.
const FREE: (u64, u64) = (200 * MIB, 20 * MIB);
/// A synced write that takes longer than this, in ms, delays each sale.
const SLOW_WRITE_MS: Millis = 1_000;
/// Age of the oldest pending operation above which the check warns and fails.
const PENDING: (Millis, Millis) = (15 * MINUTE, 4 * HOUR);
/// Age of the oldest unacknowledged operation above which the check warns.
const UNACKNOWLEDGED: Millis = HOUR;
/// Difference of the clocks above which the check warns and fails.
const SKEW: (Millis, Millis) = (2 * MINUTE, HOUR);
/// Validity of a certificate below which the check warns and fails.
const VALIDITY: (Millis, Millis) = (14 * DAY, 2 * DAY);
/// After the last 429 the check warns for this time.
const RATE_LIMITED: Millis = 10 * MINUTE;

/// Returns how far the till's clock is ahead of the server's, which is between two times.
pub(crate) fn skew(till: Millis, server: Option<(Millis, Millis)>) -> Option<i64> {
    let (earliest, latest) = server?;
    let off = match till {
        till if till < earliest => -i64::try_from(earliest - till).unwrap_or(i64::MAX),
        till => i64::try_from(till.saturating_sub(latest)).unwrap_or(i64::MAX),
    };
    Some(off)
}

/// Returns the checks, those that ask no server first.
pub(crate) fn checks(facts: &Facts) -> Vec<Check> {
    let offline = [version, journal, owner, whole, tenant, disk, pending, review, unacknowledged, proxy];
    let online = [name, connect, tls, certificate, key];
    let mut checks: Vec<Check> = offline.iter().map(|check| check(facts)).collect();
    checks.push(client_certificate(facts));
    if facts.online {
        checks.extend(online.iter().map(|check| check(facts)));
    }
    checks.push(rate_limit(facts));
    checks.extend(clock(facts));
    checks.extend(last_contact(facts));
    checks
}

/// Returns the worst status. What could not be checked is at least a warning.
pub(crate) fn overall(checks: &[Check]) -> Status {
    match checks.iter().map(|check| check.status).max() {
        None | Some(Status::Ok) => Status::Ok,
        Some(Status::Unknown) => Status::Warn,
        Some(worst) => worst,
    }
}

fn ok(name: &'static str, message: impl Into<String>) -> Check {
    Check { name, status: Status::Ok, message: message.into(), action: None, since_ms: None }
}

fn found(name: &'static str, status: Status, message: impl Into<String>, action: &'static str) -> Check {
    Check { name, status, message: message.into(), action: Some(action), since_ms: None }
}

fn since(check: Check, at: Option<Millis>) -> Check {
    Check { since_ms: at, ..check }
}

fn unknown(name: &'static str) -> Check {
    let action = "Ask again with a longer waitMs; if that does not help, act on the check before this one.";
    found(name, Status::Unknown, "This was not done: the wait ended, or an earlier step failed.", action)
}

/// Returns the check of a failure.
fn failed(name: &'static str, error: &Error) -> Check {
    let mut message = error.message().to_owned();
    if let Some(last) = error.cause().last().filter(|last| !message.contains(last.as_str())) {
        message = format!("{message} ({last})");
    }
    let status = match error.code() {
        Code::TimedOut | Code::JournalTimedOut | Code::Cancelled | Code::Closed => Status::Unknown,
        Code::RateLimited | Code::ServerError | Code::JournalLocked => Status::Warn,
        _ => Status::Fail,
    };
    found(name, status, message, action(error.code()))
}

/// Returns who does what about a failure.
fn action(code: Code) -> &'static str {
    match code {
        Code::JournalFull => "The administrator frees space on the journal's disk.",
        Code::JournalLocked => "The administrator closes the program that holds the journal, such as a backup.",
        Code::JournalReplaced => {
            "The administrator stops the program that replaced the journal's files, puts them back and restarts the POS."
        }
        Code::JournalTimedOut => "The administrator checks the disk: it did not respond within the wait.",
        Code::JournalIncomplete | Code::JournalDamaged => {
            "The administrator keeps the journal's files and calls support before the next sale for points."
        }
        Code::JournalCannotOpen | Code::JournalReadOnly | Code::JournalUnsafe => {
            "The administrator lets the POS's user write in the journal's folder."
        }
        Code::DnsFailed => "The administrator corrects the name server of the till, or the host name.",
        Code::Offline | Code::ConnectionLost | Code::TimedOut => {
            "The administrator checks the network, and opens the firewall for the host and the port."
        }
        Code::ProxyFailed | Code::ProxyLogin => "The administrator corrects the proxy's address, rules or login.",
        Code::TlsFailed => {
            "The administrator corrects what the message names: the clock, a filter that inspects TLS, or a certificate."
        }
        Code::Unauthorized => "The administrator puts a valid API key into the configuration and restarts the POS.",
        Code::Forbidden => "The administrator has Voyado give the API key the rights of the Point Shop.",
        Code::RateLimited => "Nobody, if it passes; else the administrator has Voyado check the load of the API key.",
        Code::ServerError | Code::SystemConfiguration => "The administrator calls Voyado's support if this lasts.",
        Code::InvalidResponse | Code::Declined | Code::InvalidRequest => {
            "The administrator checks baseUrl and apiMapping, and every proxy and filter on the way."
        }
        _ => "The administrator calls support with this message.",
    }
}

fn version(facts: &Facts) -> Check {
    ok("version", format!("The library has version {}.", facts.version))
}

fn journal(facts: &Facts) -> Check {
    const NAME: &str = "journal";
    let configure = "The administrator names a file as journalPath in the configuration.";
    match (facts.place, &facts.journal) {
        (Place::None, _) => {
            found(NAME, Status::Fail, "No journal is configured: a call that spends points fails.", configure)
        }
        (Place::Memory, _) => {
            let message = "The journal is in memory: what is pending is lost with the process.";
            found(NAME, Status::Warn, message, configure)
        }
        (Place::Copy, _) => {
            let message = "The journal is a copy that is open for reading: a call that spends points fails.";
            found(NAME, Status::Warn, message, "The administrator sells with the live journal, or takes the copy over.")
        }
        (Place::File, None) => unknown(NAME),
        (Place::File, Some(Err(error))) => failed(NAME, error),
        (Place::File, Some(Ok(journal))) => match &journal.written_ms {
            Err(error) if error.code() == Code::JournalReplaced => unknown(NAME),
            Err(error) => failed(NAME, error),
            Ok(ms) if *ms > SLOW_WRITE_MS => {
                let message = format!("A write was durable only after {ms} ms.");
                found(NAME, Status::Warn, message, "The administrator checks the disk, and the virus scanner's rules.")
            }
            Ok(ms) => ok(NAME, format!("A write was durable after {ms} ms.")),
        },
    }
}

/// Returns the facts of a journal in a file, or the check of a journal that has none.
fn in_file<'a>(facts: &'a Facts, name: &'static str) -> std::result::Result<&'a JournalFacts, Check> {
    match (facts.place, &facts.journal) {
        (Place::File, Some(Ok(journal))) => Ok(journal),
        (Place::File, _) => Err(unknown(name)),
        _ => Err(ok(name, "There is no live journal in a file.")),
    }
}

fn owner(facts: &Facts) -> Check {
    const NAME: &str = "owner";
    match in_file(facts, NAME) {
        Err(check) => check,
        Ok(journal) => match &journal.written_ms {
            Err(error) if error.code() == Code::JournalReplaced => failed(NAME, error),
            Err(_) => unknown(NAME),
            Ok(_) => ok(NAME, "The files on the disk are those that are open."),
        },
    }
}

fn whole(facts: &Facts) -> Check {
    const NAME: &str = "whole";
    match in_file(facts, NAME) {
        Err(check) => check,
        Ok(journal) => match (&journal.whole, facts.lost_at) {
            (Err(error), _) => failed(NAME, error),
            (Ok(()), Some(at)) => {
                let message = "No record is missing since a loss of records was accepted.";
                let action = "The administrator compares sales from before that time with the members' purchases.";
                since(found(NAME, Status::Warn, message, action), Some(at))
            }
            (Ok(()), None) => ok(NAME, "No record is missing."),
        },
    }
}

fn disk(facts: &Facts) -> Check {
    const NAME: &str = "disk";
    let free = match in_file(facts, NAME) {
        Err(check) => return check,
        Ok(journal) => match journal.free_bytes {
            None => return unknown(NAME),
            Some(free) => free,
        },
    };
    let message = format!("The journal's disk has {} MB free.", free / MIB);
    match free {
        free if free >= FREE.0 => ok(NAME, message),
        free => {
            let status = if free >= FREE.1 { Status::Warn } else { Status::Fail };
            found(NAME, status, message, action(Code::JournalFull))
        }
    }
}

/// Decides a check from the operations of the journal.
fn of_operations(facts: &Facts, name: &'static str, decide: impl FnOnce(&Operations) -> Check) -> Check {
    match (&facts.operations, facts.place) {
        (_, Place::None) => ok(name, "There is no journal."),
        (None, _) => unknown(name),
        (Some(Err(error)), _) => failed(name, error),
        (Some(Ok(operations)), _) => decide(operations),
    }
}

fn tenant(facts: &Facts) -> Check {
    const NAME: &str = "tenant";
    of_operations(facts, NAME, |operations| match operations.foreign {
        0 => ok(NAME, "No pending operation belongs to another tenant."),
        foreign => {
            let message = format!("{foreign} pending operations belong to another tenant and are not resolved here.");
            let action = "The administrator sets tenant or baseUrl back, or has the operations reviewed.";
            found(NAME, Status::Warn, message, action)
        }
    })
}

fn pending(facts: &Facts) -> Check {
    const NAME: &str = "pending";
    of_operations(facts, NAME, |operations| {
        let Some((at, code)) = operations.oldest_pending else {
            return ok(NAME, "No operation is pending.");
        };
        let age = facts.now.saturating_sub(at);
        let mut message = format!(
            "{} operations are pending, the oldest for {} ({}).",
            operations.pending,
            span(age),
            code.row().name
        );
        if operations.without_points > 0 {
            let _ = write!(message, " The points of {} are not known.", operations.without_points);
        }
        let check = match age {
            age if age < PENDING.0 => ok(NAME, message),
            age => {
                let status = if age < PENDING.1 { Status::Warn } else { Status::Fail };
                let act = match code {
                    Code::PendingCredentials => action(Code::Unauthorized),
                    _ => "The library goes on asking; the administrator acts on the other checks of this list.",
                };
                found(NAME, status, message, act)
            }
        };
        since(check, Some(at))
    })
}

fn review(facts: &Facts) -> Check {
    const NAME: &str = "review";
    of_operations(facts, NAME, |operations| match operations.review {
        0 => ok(NAME, "No operation needs a review."),
        review => {
            let message = format!("{review} operations need a decision of a person.");
            let action =
                "The store compares the member's purchases in Engage with the receipt, and stores the decision.";
            since(found(NAME, Status::Warn, message, action), operations.oldest_review)
        }
    })
}

fn unacknowledged(facts: &Facts) -> Check {
    const NAME: &str = "unacknowledged";
    of_operations(facts, NAME, |operations| {
        let Some(at) = operations.oldest_unacknowledged else {
            return ok(NAME, "Every outcome is acknowledged.");
        };
        let age = facts.now.saturating_sub(at);
        let message = format!(
            "The POS has not acknowledged {} outcomes, the oldest for {}.",
            operations.unacknowledged,
            span(age)
        );
        let check = if age < UNACKNOWLEDGED {
            ok(NAME, message)
        } else {
            let action = "The POS's vendor has the program acknowledge each outcome that it has stored.";
            found(NAME, Status::Warn, message, action)
        };
        since(check, Some(at))
    })
}

/// Returns the failure of the proxy, if the connection failed there.
fn proxy_failure(facts: &Facts) -> Option<&Error> {
    let error = facts.connected_ms.as_ref()?.as_ref().err()?;
    matches!(error.code(), Code::ProxyFailed | Code::ProxyLogin).then_some(error)
}

fn proxy(facts: &Facts) -> Check {
    const NAME: &str = "proxy";
    match (&facts.proxy, proxy_failure(facts)) {
        (_, Some(error)) => failed(NAME, error),
        (Some(proxy), None) => ok(NAME, format!("Requests go through {proxy}.")),
        (None, None) => ok(NAME, "Requests go straight to the server: no proxy is configured."),
    }
}

fn client_certificate(facts: &Facts) -> Check {
    const NAME: &str = "clientCertificate";
    match facts.client_certificate {
        ClientCertificate::None => ok(NAME, "No client certificate is configured."),
        ClientCertificate::Unread => unknown(NAME),
        ClientCertificate::Until(at) => {
            let action = "The administrator renews the file that clientCertFile names, and restarts the POS.";
            validity(NAME, "The till's certificate", at, facts.now, action)
        }
    }
}

/// Decides the validity of a certificate.
fn validity(name: &'static str, whose: &str, expires_at: Millis, now: Millis, action: &'static str) -> Check {
    let left = expires_at.saturating_sub(now);
    let message = match left {
        0 => format!("{whose} has expired, {} ago.", span(now.saturating_sub(expires_at))),
        left => format!("{whose} is valid for {} more.", span(left)),
    };
    match left {
        left if left >= VALIDITY.0 => ok(name, message),
        left if left >= VALIDITY.1 => found(name, Status::Warn, message, action),
        _ => found(name, Status::Fail, message, action),
    }
}

/// Decides a check of one step of a connection.
fn step<T>(name: &'static str, fact: Option<&Result<T>>, decide: impl FnOnce(&T) -> Check) -> Check {
    match fact {
        None => unknown(name),
        Some(Err(error)) => failed(name, error),
        Some(Ok(value)) => decide(value),
    }
}

fn name(facts: &Facts) -> Check {
    step("name", facts.addresses.as_ref(), |addresses| {
        let whose = if facts.proxy.is_some() { "proxy's" } else { "server's" };
        ok("name", format!("The {whose} name has the addresses {addresses}."))
    })
}

fn connect(facts: &Facts) -> Check {
    if proxy_failure(facts).is_some() {
        return unknown("connect");
    }
    step("connect", facts.connected_ms.as_ref(), |ms| ok("connect", format!("A connection was made in {ms} ms.")))
}

fn tls(facts: &Facts) -> Check {
    step("tls", facts.peer.as_ref(), |peer| match peer {
        Some(peer) => ok("tls", format!("The connection has {}.", peer.version)),
        None => ok("tls", "The connection has no TLS: baseUrl is http:// on this computer."),
    })
}

fn certificate(facts: &Facts) -> Check {
    const NAME: &str = "certificate";
    match &facts.peer {
        Some(Ok(None)) => ok(NAME, "There is no certificate without TLS."),
        Some(Ok(Some(Peer { chain, expires_at: Some(at), .. }))) => {
            let whose = format!("The server's chain of {chain} certificates");
            let action = "The server's operator renews the certificate.";
            validity(NAME, &whose, *at, facts.now, action)
        }
        // The failure is that of TLS.
        _ => unknown(NAME),
    }
}

fn key(facts: &Facts) -> Check {
    step("key", facts.key.as_ref(), |status| match facts.has_key {
        true => ok("key", format!("Engage accepted the API key: a read has status {status}.")),
        false => ok("key", format!("No API key is configured, and a read has status {status}: a relay adds the key.")),
    })
}

fn rate_limit(facts: &Facts) -> Check {
    const NAME: &str = "rateLimit";
    let (count, last) = facts.rate_limited;
    let message = format!("{count} responses had status 429 since the client was opened.");
    let is_recent = last.is_some_and(|at| facts.now.saturating_sub(at) < RATE_LIMITED);
    let check = match is_recent {
        true => found(NAME, Status::Warn, message, action(Code::RateLimited)),
        false => ok(NAME, message),
    };
    since(check, last)
}

/// None: nothing was asked that could show it.
fn clock(facts: &Facts) -> Option<Check> {
    const NAME: &str = "clock";
    let set = "The administrator sets the till's clock, and has a time server keep it.";
    if facts.now < facts.built_at {
        let message = format!("The till's clock is at least {} behind.", span(facts.built_at - facts.now));
        return Some(found(NAME, Status::Fail, message, set));
    }
    let Some(skew) = facts.skew_ms else { return facts.online.then(|| unknown(NAME)) };
    let off = skew.unsigned_abs();
    let direction = if skew < 0 { "behind" } else { "ahead of" };
    let message = format!("The till's clock is {} {direction} Engage's.", span(off));
    Some(match off {
        off if off < SKEW.0 => ok(NAME, message),
        off if off < SKEW.1 => found(NAME, Status::Warn, message, set),
        _ => found(NAME, Status::Fail, message, set),
    })
}

/// None: nothing was asked that could show it.
fn last_contact(facts: &Facts) -> Option<Check> {
    const NAME: &str = "lastContact";
    let Some(at) = facts.last_response_at else { return facts.online.then(|| unknown(NAME)) };
    let message = format!("The last response came {} ago.", span(facts.now.saturating_sub(at)));
    Some(since(ok(NAME, message), Some(at)))
}

/// Returns a time as people read it.
fn span(ms: Millis) -> String {
    match ms {
        ms if ms < 2 * MINUTE => format!("{} s", ms / 1_000),
        ms if ms < 2 * HOUR => format!("{} min", ms / MINUTE),
        ms if ms < 2 * DAY => format!("{} h", ms / HOUR),
        ms => format!("{} days", ms / DAY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = 1_800_000_000_000;

    /// The facts of a till that can sell.
    fn healthy() -> Facts {
        let peer = Peer { version: "TLS 1.3", chain: 2, expires_at: Some(NOW + 60 * DAY) };
        Facts {
            now: NOW,
            built_at: NOW - DAY,
            version: "1.2.3",
            online: true,
            place: Place::File,
            journal: Some(Ok(JournalFacts { written_ms: Ok(7), whole: Ok(()), free_bytes: Some(FREE.0) })),
            operations: Some(Ok(Operations::default())),
            addresses: Some(Ok("192.0.2.1".into())),
            connected_ms: Some(Ok(30)),
            peer: Some(Ok(Some(peer))),
            key: Some(Ok(404)),
            has_key: true,
            skew_ms: Some(-900),
            last_response_at: Some(NOW - 5),
            ..Facts::default()
        }
    }

    fn error<T>(code: Code) -> Result<T> {
        Err(Error::of(code))
    }

    fn check_of(facts: &Facts, name: &str) -> Check {
        checks(facts).into_iter().find(|check| check.name == name).unwrap_or_else(|| panic!("no {name}"))
    }

    #[test]
    fn healthy_till_has_every_check_ok() {
        let checks = checks(&healthy());
        assert_eq!(checks.len(), 19);
        for check in &checks {
            assert_eq!((check.status, check.action), (Status::Ok, None), "{check:?}");
        }
        assert_eq!(overall(&checks), Status::Ok);
    }

    #[test]
    fn till_without_facts_has_no_network_check_ok() {
        let facts = Facts { online: true, place: Place::File, ..Facts::default() };
        for check in checks(&facts) {
            let may_be_ok = ["version", "proxy", "clientCertificate", "rateLimit"].contains(&check.name);
            assert_eq!(check.status, if may_be_ok { Status::Ok } else { Status::Unknown }, "{check:?}");
            assert!(may_be_ok || check.action.is_some());
        }
        assert_eq!(overall(&checks(&facts)), Status::Warn, "what is not known is not ok");
        let offline = Facts { online: false, ..facts };
        assert!(checks(&offline).iter().all(|check| !["key", "clock", "lastContact"].contains(&check.name)));
    }

    type Fault = fn(&mut Facts);

    /// A check, its status and a part of its message after a fault.
    const FAULTS: &[(&str, Status, &str, Fault)] = &[
        ("journal", Status::Fail, "No journal", |facts| facts.place = Place::None),
        ("journal", Status::Warn, "in memory", |facts| facts.place = Place::Memory),
        ("journal", Status::Warn, "copy", |facts| facts.place = Place::Copy),
        ("journal", Status::Fail, "full", |facts| write(facts, Err(Error::of(Code::JournalFull)))),
        ("journal", Status::Fail, "not written", |facts| write(facts, Err(Error::of(Code::JournalReadOnly)))),
        ("journal", Status::Warn, "locked", |facts| write(facts, Err(Error::of(Code::JournalLocked)))),
        ("journal", Status::Warn, "1001 ms", |facts| write(facts, Ok(1_001))),
        ("journal", Status::Unknown, "within the wait", |facts| facts.journal = Some(error(Code::JournalTimedOut))),
        ("owner", Status::Fail, "no longer", |facts| write(facts, Err(Error::of(Code::JournalReplaced)))),
        ("whole", Status::Fail, "missing", |facts| {
            edit(facts, |journal| journal.whole = Err(Error::of(Code::JournalIncomplete)));
        }),
        ("whole", Status::Warn, "accepted", |facts| facts.lost_at = Some(NOW - DAY)),
        ("disk", Status::Warn, "199 MB", |facts| edit(facts, |journal| journal.free_bytes = Some(FREE.0 - 1))),
        ("disk", Status::Fail, "19 MB", |facts| edit(facts, |journal| journal.free_bytes = Some(FREE.1 - 1))),
        ("disk", Status::Unknown, "", |facts| edit(facts, |journal| journal.free_bytes = None)),
        ("tenant", Status::Warn, "2 pending", |facts| count(facts, |counts| counts.foreign = 2)),
        ("pending", Status::Warn, "15 min (EPS_PENDING_CONNECTION_LOST)", |facts| {
            count(facts, |counts| counts.oldest_pending = Some((NOW - PENDING.0, Code::PendingConnectionLost)));
        }),
        ("pending", Status::Fail, "4 h", |facts| {
            count(facts, |counts| counts.oldest_pending = Some((NOW - PENDING.1, Code::Pending)));
        }),
        ("review", Status::Warn, "1 operations", |facts| count(facts, |counts| counts.review = 1)),
        ("unacknowledged", Status::Warn, "2 h", |facts| {
            count(facts, |counts| counts.oldest_unacknowledged = Some(NOW - 2 * HOUR));
        }),
        ("proxy", Status::Fail, "proxy", |facts| facts.connected_ms = Some(error(Code::ProxyLogin))),
        ("clientCertificate", Status::Warn, "3 days", |facts| {
            facts.client_certificate = ClientCertificate::Until(NOW + 3 * DAY);
        }),
        ("clientCertificate", Status::Fail, "expired, 90 min", |facts| {
            facts.client_certificate = ClientCertificate::Until(NOW - 90 * MINUTE);
        }),
        ("name", Status::Fail, "resolved", |facts| facts.addresses = Some(error(Code::DnsFailed))),
        ("connect", Status::Fail, "No connection", |facts| facts.connected_ms = Some(error(Code::Offline))),
        ("connect", Status::Unknown, "earlier step", |facts| facts.connected_ms = Some(error(Code::ProxyFailed))),
        ("tls", Status::Fail, "handshake", |facts| facts.peer = Some(error(Code::TlsFailed))),
        ("certificate", Status::Fail, "2 certificates is valid for 24 h", |facts| {
            let peer = Peer { version: "TLS 1.3", chain: 2, expires_at: Some(NOW + DAY) };
            facts.peer = Some(Ok(Some(peer)));
        }),
        ("certificate", Status::Unknown, "", |facts| facts.peer = Some(error(Code::TlsFailed))),
        ("key", Status::Fail, "401", |facts| facts.key = Some(error(Code::Unauthorized))),
        ("key", Status::Fail, "403", |facts| facts.key = Some(error(Code::Forbidden))),
        ("key", Status::Warn, "429", |facts| facts.key = Some(error(Code::RateLimited))),
        ("key", Status::Warn, "5xx", |facts| facts.key = Some(error(Code::ServerError))),
        ("key", Status::Fail, "not Engage's", |facts| facts.key = Some(error(Code::InvalidResponse))),
        ("rateLimit", Status::Warn, "3 responses", |facts| facts.rate_limited = (3, Some(NOW - MINUTE))),
        ("clock", Status::Warn, "2 min ahead", |facts| facts.skew_ms = Some(120_000)),
        ("clock", Status::Fail, "3 days behind", |facts| facts.skew_ms = Some(-3 * 86_400_000)),
        ("clock", Status::Fail, "at least 300 days", |facts| facts.now = facts.built_at - 300 * DAY),
        ("clock", Status::Unknown, "", |facts| facts.skew_ms = None),
        ("lastContact", Status::Unknown, "", |facts| facts.last_response_at = None),
    ];

    #[test]
    fn each_fault_is_found_by_its_own_check() {
        for (name, status, part, fault) in FAULTS {
            let mut facts = healthy();
            fault(&mut facts);
            let check = check_of(&facts, name);
            assert_eq!(check.status, *status, "{check:?}");
            assert!(check.message.contains(part), "{part:?} is not in {check:?}");
            assert!(check.action.is_some_and(|action| action.ends_with('.')), "{check:?}");
        }
    }

    fn write(facts: &mut Facts, written_ms: Result<Millis>) {
        edit(facts, |journal| journal.written_ms = written_ms);
    }

    fn edit(facts: &mut Facts, change: impl FnOnce(&mut JournalFacts)) {
        if let Some(Ok(journal)) = &mut facts.journal {
            change(journal);
        }
    }

    fn count(facts: &mut Facts, change: impl FnOnce(&mut Operations)) {
        if let Some(Ok(operations)) = &mut facts.operations {
            change(operations);
        }
    }

    #[test]
    fn skew_within_the_servers_uncertainty_is_none() {
        let server = Some((NOW, NOW + 1_000));
        assert_eq!(skew(NOW + 500, server), Some(0));
        assert_eq!(skew(NOW - 7, server), Some(-7));
        assert_eq!(skew(NOW + 1_007, server), Some(7));
        assert_eq!(skew(NOW, None), None);
    }
}
