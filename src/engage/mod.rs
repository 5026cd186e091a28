//! Engage's API as types: one file a resource. It makes requests and says what their responses
//! prove. The runtime decides when a request is made.

mod check;
mod contacts;
mod error_response;
mod items;
mod list_check;
mod points;
mod purchases;
mod redeem;
mod rewards;
mod server_clock;
mod shape;

pub(crate) use contacts::ContactKey;
pub(crate) use error_response::says_no_contact;
pub(crate) use purchases::History;
pub(crate) use rewards::Receipt;

use crate::config::{ApiMapping, Config};
use crate::core::domain::{Millis, Operation};
use crate::core::error::Result;
use crate::core::evidence::{AttemptResult, QueryResult};
use crate::core::id::{ContactId, OperationId, RequestId};
use crate::log::{Field, Level, Log};
use crate::rt::{self, BootTime, Instant, Mutex, lock};
use crate::secret::Secret;
use crate::stats::Stats;
use crate::transport::{Call, Cancellation, Failure, Request, Response, Transport};
use error_response::ErrorBody;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use server_clock::ServerClock;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The least time between two probes of the history.
const PROBE_INTERVAL: Duration = Duration::from_secs(60);

pub(crate) struct Engage {
    transport: Transport,
    api_mapping: ApiMapping,
    clock: ServerClock,
    /// The history of this origin has responded as Engage's before, so that its 404 means an empty
    /// history.
    own_history: AtomicBool,
    /// When the last probe of the history got a response that is not Engage's.
    failed_probe: Mutex<Option<Instant>>,
    log: Arc<Log>,
    stats: Arc<Stats>,
    /// The lists whose odd elements were logged.
    reported: Mutex<BTreeSet<&'static str>>,
    observer: Mutex<Option<Observer>>,
}

/// A request and its response, as it came.
#[derive(Debug, Clone, Copy)]
pub struct Exchange<'a> {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// The status of the response.
    pub status: u16,
    /// Its content type.
    pub content_type: Option<&'a str>,
    /// Its `Date`.
    pub date: Option<&'a str>,
    /// Its body.
    pub body: &'a [u8],
    /// How long the request took.
    pub took: Duration,
}

/// Sees each response. A caller's thread or a worker calls it.
pub type Observer = Box<dyn Fn(&Exchange<'_>) + Send>;

impl Engage {
    pub fn new(config: &Config, log: &Arc<Log>, stats: &Arc<Stats>) -> Result<Self> {
        Ok(Self {
            transport: Transport::new(config, headers(config), log)?,
            api_mapping: config.api_mapping.clone(),
            clock: ServerClock::default(),
            own_history: AtomicBool::new(false),
            failed_probe: Mutex::default(),
            log: log.clone(),
            stats: stats.clone(),
            reported: Mutex::default(),
            observer: Mutex::default(),
        })
    }

    /// Sets the function that sees each response.
    pub fn set_observer(&self, observer: Observer) {
        *lock(&self.observer) = Some(observer);
    }

    /// Makes one attempt. This module never repeats it.
    pub fn attempt(&self, operation: &Operation, call: &Arc<Call>) -> AttemptResult {
        match operation {
            Operation::Purchase(purchase) => self.purchase(purchase, call),
            Operation::Redeem(redeem) => self.redeem(redeem, call),
        }
    }

    /// Sends a status query about an operation.
    pub fn query_status(&self, operation: &Operation, call: &Arc<Call>) -> QueryResult {
        match operation {
            Operation::Purchase(purchase) => self.purchase_in(purchase, &self.history(purchase.contact, call)),
            Operation::Redeem(redeem) => self.query_redeem(redeem, call),
        }
    }

    /// Whether the history of this origin has responded as Engage's.
    pub fn has_own_history(&self) -> bool {
        self.own_history.load(Ordering::Relaxed)
    }

    /// Notes that the history responded as Engage's: a list, or an error with a code of Engage.
    pub fn note_own_history(&self) {
        self.own_history.store(true, Ordering::Relaxed);
    }

    /// Whether a 404 of the history may be Engage's own: JSON, or empty. One in the form of
    /// Engage's errors shows that the history is Engage's.
    fn may_be_own_404(&self, response: &Response) -> bool {
        if error_response::has_engages_form(response) {
            self.note_own_history();
        }
        ErrorBody::of(response).may_be_engage()
    }

    /// Returns the body of a list without its envelope, checked. Elements that are left out are
    /// logged, once a list.
    fn checked_list(
        &self,
        response: Response,
        what: &'static str,
        fields: &[list_check::Field],
        call: &Call,
    ) -> Result<Vec<u8>> {
        let response = shape::without_envelope(response, &self.api_mapping);
        let (list, skipped) = shape::check_list(response, what, fields, || call.end_reason())?;
        if skipped > 0 && lock(&self.reported).insert(what) {
            let fields = [("list", Field::Word(what)), ("skipped", Field::Number(skipped as u64))];
            self.log.write(Level::Warn, "api.unknown", &fields);
        }
        Ok(list)
    }

    /// Whether the probe of the history may be sent now: not within a minute of one that failed.
    /// Callers at the same time each send one: a purchase needs its result now.
    fn may_probe(&self) -> bool {
        lock(&self.failed_probe).is_none_or(|at| at.elapsed() >= PROBE_INTERVAL)
    }

    /// Returns the time at the server in ms since 1970, at the earliest and at the latest. None
    /// without a recent `Date`.
    pub fn server_now(&self) -> Option<(Millis, Millis)> {
        self.clock.now().1
    }

    /// Returns the same, with the boot time for which it holds.
    pub fn server_time(&self) -> (BootTime, Option<(Millis, Millis)>) {
        self.clock.now()
    }

    /// Returns when a response last showed that [`Self::server_now`] had been wrong.
    pub fn server_time_corrected_at(&self) -> Option<BootTime> {
        self.clock.corrected_at()
    }

    fn send(&self, request: &Request, call: &Arc<Call>) -> std::result::Result<Response, Failure> {
        let (began, sent_at) = (Instant::now(), BootTime::now());
        let result = self.transport.send(request, call);
        self.stats.request(request.name, began.elapsed());
        let response = result?;
        call.note_request_ids(&response.request_ids);
        self.stats.response(response.status, rt::wall_now());
        if let Some(date) = response.date.as_deref().filter(|_| !response.extent.is_cached && is_engages(&response)) {
            self.clock.learn(date, sent_at);
        }
        if let Some(observer) = &*lock(&self.observer) {
            observer(&Exchange {
                method: if request.body.is_some() { "POST" } else { "GET" },
                status: response.status,
                content_type: response.content_type.as_deref(),
                date: response.date.as_deref(),
                body: &response.body,
                took: began.elapsed(),
            });
        }
        Ok(response)
    }

    /// Returns a new id for a request, and the header that carries it.
    fn request_id(&self) -> (RequestId, String) {
        (OperationId::fresh().into(), self.api_mapping.request_id_header.clone())
    }

    /// Makes a connection in the background for the first call. No request is made.
    pub fn preconnect(&self, cancellation: &Arc<Cancellation>) {
        self.transport.preconnect(cancellation);
    }
}

/// Whether a response is surely Engage's: a success in JSON, or an error with a documented code. A
/// relay and a web filter have other clocks.
fn is_engages(response: &Response) -> bool {
    match response.status {
        200..=299 => {
            matches!(error_response::without_bom(&response.body).trim_ascii_start().first(), Some(b'[' | b'{' | b'"'))
        }
        _ => ErrorBody::of(response).engage_code().is_some_and(error_response::is_documented),
    }
}

/// Returns the headers of every request (Engage's base rules). `Content-Type` is mandatory on a GET
/// too: without it Engage responds with 500. No cache on the way may respond in Engage's place.
fn headers(config: &Config) -> impl Iterator<Item = (&str, &str)> {
    let key = config.api_key.as_ref().map(|key| (config.api_mapping.key_header.as_str(), key.expose()));
    let user_agent = ("User-Agent", config.user_agent.as_str());
    [user_agent, ("Content-Type", "application/json"), ("Cache-Control", "no-cache")].into_iter().chain(key)
}

fn get(engage: &Engage, name: &'static str, path: String, call: &Arc<Call>) -> Result<Response> {
    engage
        .send(&Request { name, path: Secret::new(path), body: None, id: engage.request_id(), operation: None }, call)
        .map_err(error_response::failure)
}

/// A read whose only success is 200.
fn get_ok(engage: &Engage, name: &'static str, path: String, call: &Arc<Call>) -> Result<Response> {
    let response = get(engage, name, path, call)?;
    if response.status == 200 { Ok(response) } else { Err(error_response::read_error(&response)) }
}

/// All characters but the unreserved ones of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Fills a member into a path of the API mapping.
fn contact_path(path: &str, contact: ContactId) -> String {
    path.replace("{contactId}", &contact.to_string())
}

/// Adds `name=value` to a query, percent-encoded: a `+` of a phone number must arrive.
fn push_query(path: &mut String, name: &str, value: &str) {
    path.push(if path.contains('?') { '&' } else { '?' });
    path.push_str(name);
    path.push('=');
    path.extend(utf8_percent_encode(value, RESERVED));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_engages_own_response_shows_its_clock() {
        let of = |status, body| is_engages(&purchases::tests::response(status, body));
        for (status, body) in
            [(200, " [1]"), (201, "{}"), (200, "\u{feff}\"x\""), (404, r#"{"errorCode":"InvalidContact"}"#)]
        {
            assert!(of(status, body), "{status} {body}");
        }
        let filters =
            [(200, "<html>"), (200, ""), (204, ""), (403, "{}"), (429, "slow down"), (502, r#"{"code":"Bad"}"#)];
        for (status, body) in filters {
            assert!(!of(status, body), "{status} {body}");
        }
    }

    #[test]
    fn every_byte_of_a_value_arrives() {
        let mut path = "/x".to_owned();
        push_query(&mut path, "mobilePhone", "+46 70-123");
        push_query(&mut path, "any", "å&b=c%");
        assert_eq!(path, "/x?mobilePhone=%2B46%2070-123&any=%C3%A5%26b%3Dc%25");
    }
}
