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
    /// Those of which Engage has said that it knows no such contact.
    pub without_contact: usize,
    /// Pending ones of another tenant.
    pub foreign: usize,
    /// The points of the pending purchases, as far as they are known.
    pub points: u64,
    /// The pending purchases whose points are not known.
    pub without_points: usize,
}

impl Operations {
    /// Counts what is pending or not acknowledged. `tenant`: the client's. `says_no_contact`:
    /// whether a code of Engage means that there is no such contact.
    pub fn of(intents: &[Intent], tenant: &str, says_no_contact: fn(&str) -> bool) -> Self {
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
            counts.without_contact += usize::from(intent.detail.engage_code.as_deref().is_some_and(says_no_contact));
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
    /// The wait of the check, in ms.
    pub wait_ms: Millis,
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

/// A step that has not ended after a wait below this, in ms, may be slow; after a longer one, the
/// other end does not respond.
const SHORT_WAIT: Millis = 3_000;

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

#[cold]
#[inline(never)]
fn since(check: Check, at: Option<Millis>) -> Check {
    Check { since_ms: at, ..check }
}

/// Returns a check that needs what an earlier one has found missing.
#[cold]
#[inline(never)]
fn not_done(name: &'static str) -> Check {
    let message = "This was not done: an earlier step did not succeed.";
    found(name, Status::Unknown, message, "The administrator acts on the earlier step.")
}

/// Returns the check of a step that was under way at the end of the wait. `action`: what to do if
/// the wait was long enough for a sale.
#[cold]
#[inline(never)]
fn hung(facts: &Facts, name: &'static str, what: &str, action: &'static str) -> Check {
    let message = format!("{what} within {} ms.", facts.wait_ms);
    match facts.wait_ms {
        ..SHORT_WAIT => found(name, Status::Unknown, message, "Ask again with a longer waitMs."),
        _ => found(name, Status::Fail, message, action),
    }
}

/// Returns the check of a failure.
#[cold]
#[inline(never)]
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

const NAME_SERVER: &str =
    "The administrator checks the host name in baseUrl, and the till's name server: docs/operating/network.";
const SERVER: &str = "The administrator checks the host and the port in baseUrl, the network, and that the firewall \
    lets the till out: docs/operating/network.";
const PROXY: &str = "The administrator checks the proxy's address, and that the proxy runs and the till may reach it: \
    docs/operating/network.";
const TLS: &str = "The administrator checks the port in baseUrl, and every filter on the way: docs/operating/network.";
const SLOW_ENGAGE: &str = "Ask again with a longer waitMs. If this lasts, the administrator calls Voyado's support.";

/// Returns who does what about a failure.
#[cold]
#[inline(never)]
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
        Code::DnsFailed => NAME_SERVER,
        Code::Offline | Code::ConnectionLost | Code::TimedOut => SERVER,
        Code::ProxyFailed | Code::ProxyLogin => "The administrator corrects the proxy's address, rules or login.",
        Code::TlsFailed => {
            "The administrator corrects what the message names: the clock, a filter that inspects TLS, or a certificate."
        }
        Code::Unauthorized => {
            "The administrator puts a valid API key into the configuration and restarts the POS: \
             docs/support/EPS_UNAUTHORIZED."
        }
        Code::Forbidden => {
            "The administrator has Voyado give the API key the rights of the Point Shop: docs/support/EPS_FORBIDDEN."
        }
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

#[cold]
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
        (Place::File, None) => failed(NAME, &Error::of(Code::JournalTimedOut)),
        (Place::File, Some(Err(error))) => failed(NAME, error),
        (Place::File, Some(Ok(journal))) => match &journal.written_ms {
            Err(error) if error.code() == Code::JournalReplaced => not_done(NAME),
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
        (Place::File, _) => Err(not_done(name)),
        _ => Err(ok(name, "There is no live journal in a file.")),
    }
}

#[cold]
fn owner(facts: &Facts) -> Check {
    const NAME: &str = "owner";
    match in_file(facts, NAME) {
        Err(check) => check,
        Ok(journal) => match &journal.written_ms {
            Err(error) if error.code() == Code::JournalReplaced => failed(NAME, error),
            Err(_) => not_done(NAME),
            Ok(_) => ok(NAME, "The files on the disk are those that are open."),
        },
    }
}

#[cold]
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

#[cold]
fn disk(facts: &Facts) -> Check {
    const NAME: &str = "disk";
    let free = match in_file(facts, NAME) {
        Err(check) => return check,
        Ok(journal) => match journal.free_bytes {
            None => {
                let message = "The system does not say how much space the journal's disk has.";
                return found(NAME, Status::Unknown, message, "The administrator checks the disk's free space.");
            }
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
        (None, _) => not_done(name),
        (Some(Err(error)), _) => failed(name, error),
        (Some(Ok(operations)), _) => decide(operations),
    }
}

#[cold]
fn tenant(facts: &Facts) -> Check {
    const NAME: &str = "tenant";
    of_operations(facts, NAME, |operations| match operations.foreign {
        0 => ok(NAME, "No pending operation belongs to another tenant."),
        foreign => {
            let whose = counted(foreign, "pending operation belongs", "pending operations belong");
            let message = format!("{whose} to another tenant. This till does not resolve that.");
            let action = "The administrator sets tenant or baseUrl back, or has the operations reviewed.";
            found(NAME, Status::Warn, message, action)
        }
    })
}

const MERGED_OR_ERASED: &str = "The member may be merged or erased. The store finds the member's present contact id \
    in Engage: docs/support/EPS_PENDING has the steps.";
const STILL_ASKING: &str = "The library goes on asking. The administrator acts on the other checks of this list; if \
    all are ok, docs/support has a page for the code.";

#[cold]
fn pending(facts: &Facts) -> Check {
    const NAME: &str = "pending";
    of_operations(facts, NAME, |operations| {
        let Some((at, code)) = operations.oldest_pending else {
            return ok(NAME, "No operation is pending.");
        };
        let age = facts.now.saturating_sub(at);
        let mut message = format!(
            "{} pending, the oldest for {} ({}).",
            counted(operations.pending, "operation is", "operations are"),
            span(age),
            code.row().name
        );
        if operations.without_points > 0 {
            let _ = write!(message, " The points of {} are not known.", operations.without_points);
        }
        if operations.without_contact > 0 {
            let _ = write!(message, " Engage no longer knows the member of {}.", operations.without_contact);
        }
        let status = match age {
            age if age >= PENDING.1 => Status::Fail,
            age if age >= PENDING.0 || operations.without_contact > 0 => Status::Warn,
            _ => Status::Ok,
        };
        let check = match (status, code) {
            (Status::Ok, _) => ok(NAME, message),
            _ if operations.without_contact > 0 => found(NAME, status, message, MERGED_OR_ERASED),
            (_, Code::PendingCredentials) => found(NAME, status, message, action(Code::Unauthorized)),
            _ => found(NAME, status, message, STILL_ASKING),
        };
        since(check, Some(at))
    })
}

#[cold]
fn review(facts: &Facts) -> Check {
    const NAME: &str = "review";
    of_operations(facts, NAME, |operations| match operations.review {
        0 => ok(NAME, "No operation needs a review."),
        review => {
            let message = counted(review, "operation needs", "operations need") + " a decision of a person.";
            let action =
                "The store compares the member's purchases in Engage with the receipt, and stores the decision.";
            since(found(NAME, Status::Warn, message, action), operations.oldest_review)
        }
    })
}

#[cold]
fn unacknowledged(facts: &Facts) -> Check {
    const NAME: &str = "unacknowledged";
    of_operations(facts, NAME, |operations| {
        let Some(at) = operations.oldest_unacknowledged else {
            return ok(NAME, "Every outcome is acknowledged.");
        };
        let age = facts.now.saturating_sub(at);
        let message = format!(
            "The POS has not acknowledged {}, the oldest for {}.",
            counted(operations.unacknowledged, "outcome", "outcomes"),
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

#[cold]
fn proxy(facts: &Facts) -> Check {
    const NAME: &str = "proxy";
    match (&facts.proxy, proxy_failure(facts)) {
        (_, Some(error)) => failed(NAME, error),
        (Some(proxy), None) => ok(NAME, format!("Requests go through {proxy}.")),
        (None, None) => ok(NAME, "Requests go straight to the server: no proxy is configured."),
    }
}

#[cold]
fn client_certificate(facts: &Facts) -> Check {
    const NAME: &str = "clientCertificate";
    match facts.client_certificate {
        ClientCertificate::None => ok(NAME, "No client certificate is configured."),
        ClientCertificate::Unread => {
            let message = "The end of the till's certificate cannot be read.";
            found(NAME, Status::Unknown, message, "The administrator checks the file that clientCertFile names.")
        }
        ClientCertificate::Until(at) => {
            let action = "The administrator renews the file that clientCertFile names, and restarts the POS.";
            validity(NAME, "The till's certificate", at, facts.now, action)
        }
    }
}

/// Decides the validity of a certificate.
#[cold]
#[inline(never)]
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

/// Decides a check of one step of a connection, which follows a step that has ended well. `silent`:
/// how the step hangs, and what to do about it.
fn step<T>(
    facts: &Facts,
    name: &'static str,
    fact: Option<&Result<T>>,
    silent: (&str, &'static str),
    decide: impl FnOnce(&T) -> Check,
) -> Check {
    match fact {
        Some(Ok(value)) => decide(value),
        Some(Err(error)) if error.code() != Code::TimedOut => failed(name, error),
        _ => hung(facts, name, silent.0, silent.1),
    }
}

#[cold]
fn name(facts: &Facts) -> Check {
    const NAME: &str = "name";
    if facts.place == Place::File && facts.journal.is_none() {
        return not_done(NAME);
    }
    let whose = if facts.proxy.is_some() { "proxy's" } else { "server's" };
    let check = step(facts, NAME, facts.addresses.as_ref(), ("No name server responded", NAME_SERVER), |addresses| {
        ok(NAME, format!("The {whose} name has the addresses {addresses}."))
    });
    match (&facts.addresses, &facts.proxy) {
        (Some(Err(error)), Some(proxy)) if error.code() == Code::DnsFailed => {
            found(NAME, Status::Fail, format!("The name of {proxy} could not be resolved."), PROXY)
        }
        _ => check,
    }
}

#[cold]
fn connect(facts: &Facts) -> Check {
    const NAME: &str = "connect";
    if !matches!(facts.addresses, Some(Ok(_))) || proxy_failure(facts).is_some() {
        return not_done(NAME);
    }
    let made = |ms: &Millis| ok(NAME, format!("A connection was made in {ms} ms."));
    let Some(proxy) = &facts.proxy else {
        return step(facts, NAME, facts.connected_ms.as_ref(), ("The server did not respond", SERVER), made);
    };
    let silent = format!("No connection was made through {proxy}");
    match &facts.connected_ms {
        Some(Err(error)) if matches!(error.code(), Code::Offline | Code::ConnectionLost) => {
            let why = error.cause().first().map_or("no response", String::as_str);
            found(NAME, Status::Fail, format!("No connection to {proxy} could be made ({why})."), PROXY)
        }
        connected => step(facts, NAME, connected.as_ref(), (&silent, PROXY), made),
    }
}

#[cold]
fn tls(facts: &Facts) -> Check {
    const NAME: &str = "tls";
    if !matches!(facts.connected_ms, Some(Ok(_))) {
        return not_done(NAME);
    }
    step(
        facts,
        NAME,
        facts.peer.as_ref(),
        ("A connection was made, and the server did not respond to TLS", TLS),
        |peer| match peer {
            Some(peer) => ok(NAME, format!("The connection has {}.", peer.version)),
            None => ok(NAME, "The connection has no TLS: baseUrl is http:// on this computer."),
        },
    )
}

#[cold]
fn certificate(facts: &Facts) -> Check {
    const NAME: &str = "certificate";
    match &facts.peer {
        Some(Ok(None)) => ok(NAME, "There is no certificate without TLS."),
        Some(Ok(Some(Peer { chain, expires_at: Some(at), .. }))) => {
            let whose = format!("The server's chain of {}", counted(*chain, "certificate", "certificates"));
            let action = "The server's operator renews the certificate.";
            validity(NAME, &whose, *at, facts.now, action)
        }
        Some(Ok(Some(_))) => {
            let message = "The end of the server's certificate cannot be read.";
            found(NAME, Status::Unknown, message, "The server's operator checks the certificate.")
        }
        // The failure is that of TLS.
        _ => not_done(NAME),
    }
}

/// What to do about a rejected key, where the till has none.
const RELAY: &str = "The till has no key. The relay's operator checks the till's certificate and the relay's key: \
    docs/support/EPS_FORBIDDEN. Without a relay, apiKey is missing.";

#[cold]
fn key(facts: &Facts) -> Check {
    const NAME: &str = "key";
    if !matches!(facts.peer, Some(Ok(_))) {
        return not_done(NAME);
    }
    let silent = ("Engage did not respond to a read", SLOW_ENGAGE);
    let check = step(facts, NAME, facts.key.as_ref(), silent, |status| match facts.has_key {
        true => ok(NAME, format!("Engage accepted the API key (status {status} to a read for no member).")),
        false => ok(NAME, format!("A relay adds the API key (status {status} to a read for no member).")),
    });
    match &facts.key {
        Some(Err(error)) if matches!(error.code(), Code::Unauthorized | Code::Forbidden) => {
            let engage_code = error.detail().engage_code.as_deref();
            let message = engage_code.map_or(check.message.clone(), |code| format!("{} ({code})", check.message));
            Check { message, action: if facts.has_key { check.action } else { Some(RELAY) }, ..check }
        }
        _ => check,
    }
}

#[cold]
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
#[cold]
fn clock(facts: &Facts) -> Option<Check> {
    const NAME: &str = "clock";
    let set = "The administrator sets the till's clock, and has a time server keep it.";
    if facts.now < facts.built_at {
        let message = format!("The till's clock is at least {} behind.", span(facts.built_at - facts.now));
        return Some(found(NAME, Status::Fail, message, set));
    }
    let Some(skew) = facts.skew_ms else { return facts.online.then(|| not_done(NAME)) };
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
#[cold]
fn last_contact(facts: &Facts) -> Option<Check> {
    const NAME: &str = "lastContact";
    let Some(at) = facts.last_response_at else { return facts.online.then(|| not_done(NAME)) };
    let message = format!("The last response came {} ago.", span(facts.now.saturating_sub(at)));
    Some(since(ok(NAME, message), Some(at)))
}

/// Returns a number with its noun.
#[cold]
#[inline(never)]
fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Returns a time as people read it.
#[cold]
#[inline(never)]
fn span(ms: Millis) -> String {
    match ms {
        ms if ms < 2 * MINUTE => format!("{} s", ms / 1_000),
        ms if ms < 2 * HOUR => format!("{} min", ms / MINUTE),
        ms if ms < 2 * DAY => format!("{} h", ms / HOUR),
        ms => format!("{} days", (ms + DAY / 2) / DAY),
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
        ("pending", Status::Warn, "knows the member of 2", |facts| {
            count(facts, |counts| {
                counts.oldest_pending = Some((NOW, Code::Pending));
                counts.without_contact = 2;
            });
        }),
        ("pending", Status::Fail, "4 h", |facts| {
            count(facts, |counts| counts.oldest_pending = Some((NOW - PENDING.1, Code::Pending)));
        }),
        ("review", Status::Warn, "1 operation needs", |facts| count(facts, |counts| counts.review = 1)),
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
        ("name", Status::Fail, "the proxy p:1 could not", |facts| {
            facts.proxy = Some("the proxy p:1".into());
            facts.addresses = Some(error(Code::DnsFailed));
        }),
        ("connect", Status::Fail, "No connection", |facts| facts.connected_ms = Some(error(Code::Offline))),
        ("connect", Status::Fail, "to the proxy p:1 could", |facts| {
            facts.proxy = Some("the proxy p:1".into());
            facts.connected_ms = Some(error(Code::Offline));
        }),
        ("connect", Status::Unknown, "earlier step", |facts| facts.connected_ms = Some(error(Code::ProxyFailed))),
        ("tls", Status::Fail, "handshake", |facts| facts.peer = Some(error(Code::TlsFailed))),
        ("certificate", Status::Fail, "2 certificates is valid for 24 h", |facts| {
            let peer = Peer { version: "TLS 1.3", chain: 2, expires_at: Some(NOW + DAY) };
            facts.peer = Some(Ok(Some(peer)));
        }),
        ("certificate", Status::Unknown, "", |facts| facts.peer = Some(error(Code::TlsFailed))),
        ("key", Status::Fail, "401", |facts| facts.key = Some(error(Code::Unauthorized))),
        ("key", Status::Fail, "(Blocked)", |facts| {
            let detail = crate::core::error::Detail { engage_code: Some("Blocked".into()), ..Default::default() };
            facts.key = Some(Err(Error::of(Code::Forbidden).with_detail(detail)));
        }),
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

    /// The facts of a till whose connection hangs at a step, which is returned.
    fn hanging(step: usize, wait_ms: Millis) -> Facts {
        let mut facts = Facts { wait_ms, skew_ms: None, last_response_at: None, key: None, ..healthy() };
        if step < 3 {
            facts.peer = None;
        }
        if step < 2 {
            facts.connected_ms = None;
        }
        if step < 1 {
            facts.addresses = None;
        }
        facts
    }

    #[test]
    fn step_that_hangs_says_what_to_do_about_it() {
        let steps = [("name", "name server"), ("connect", "firewall"), ("tls", "filter"), ("key", "Voyado's support")];
        for (at, (name, advice)) in steps.into_iter().enumerate() {
            let facts = hanging(at, 10_000);
            let check = check_of(&facts, name);
            assert_eq!(check.status, Status::Fail, "{check:?}");
            assert!(check.message.contains("within 10000 ms"), "{check:?}");
            assert!(check.action.is_some_and(|action| action.contains(advice)), "{check:?}");
            let is_slow = check.action.is_some_and(|action| action.contains("longer waitMs"));
            assert_eq!(is_slow, name == "key", "only a response may be late: {check:?}");
            // A step that has ended by its own limit hangs too.
            let ended = match name {
                "name" => Facts { addresses: Some(error(Code::TimedOut)), ..hanging(at, 10_000) },
                "connect" => Facts { connected_ms: Some(error(Code::TimedOut)), ..hanging(at, 10_000) },
                "tls" => Facts { peer: Some(error(Code::TimedOut)), ..hanging(at, 10_000) },
                _ => Facts { key: Some(error(Code::TimedOut)), ..hanging(at, 10_000) },
            };
            assert_eq!(check_of(&ended, name), check);
            let short = check_of(&hanging(at, 300), name);
            assert_eq!(short.status, Status::Unknown, "{short:?}");
            assert_eq!(short.action, Some("Ask again with a longer waitMs."), "{short:?}");
            for (later, _) in &steps[at + 1..] {
                assert!(check_of(&facts, later).message.contains("earlier step"));
            }
        }
        let facts = Facts { proxy: Some("the proxy p:1".into()), ..hanging(1, 10_000) };
        let check = check_of(&facts, "connect");
        assert!(check.message.contains("through the proxy p:1 within"), "{check:?}");
        assert!(check.action.is_some_and(|action| action.contains("proxy's address")), "{check:?}");
    }

    #[test]
    fn rejected_key_of_a_relay_is_not_a_fault_of_the_key() {
        for code in [Code::Unauthorized, Code::Forbidden] {
            let mut facts = Facts { key: Some(error(code)), ..healthy() };
            assert!(check_of(&facts, "key").action.is_some_and(|action| action.contains("API key")));
            facts.has_key = false;
            assert!(check_of(&facts, "key").action.is_some_and(|action| action.contains("till's certificate")));
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
