//! `probe`: what a tenant does differently from what the library assumes. It calls Engage as a till
//! does, through the library, and sees the responses as they come. `shape` says what a response
//! looks like, `findings` what that means; this module carries out.

mod findings;
mod purchase;
mod report;
mod shape;

use crate::cli::Probe;
use crate::engage::contact_id;
use crate::failure::{Exit, Failure};
use crate::fields::parse;
use crate::output::{Output, Report};
use crate::progress::Progress;
use crate::till::Till;
use crate::{Result, fields};
use engage_point_shop::{Client, Config, ContactId, Error};
use findings::Evidence;
use serde_json::{Value, json};
use shape::{Body, List, Response};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use uuid::Uuid;

/// Names that Voyado's pages or their v2 state for the same thing.
const KEY_HEADERS: &[&str] = &["apikey", "x-api-key", "Authorization"];
const REWARDS_PATHS: &[&str] = &[
    "/api/v3/promotion-assignments?contactId={contactId}&redemptionChannelType={channel}",
    "/api/v2/contacts/{contactId}/promotions?redemptionChannelType={channel}",
];

/// A client and the responses that it gets.
struct Watched {
    client: Client,
    seen: Arc<Mutex<Vec<(&'static str, Response)>>>,
}

impl Watched {
    fn open(config: &str) -> Result<Self> {
        let client = Client::open(config)?;
        let seen = Arc::<Mutex<Vec<_>>>::default();
        let notes = seen.clone();
        client.set_observer(Box::new(move |exchange| {
            let response = Response {
                status: exchange.status,
                content_type: exchange.content_type.map(str::to_owned),
                has_date: exchange.date.is_some(),
                took_ms: exchange.took.as_millis().try_into().unwrap_or(u64::MAX),
                body: Body::read(exchange.body),
            };
            notes.lock().unwrap_or_else(PoisonError::into_inner).push((exchange.method, response));
        }))?;
        Ok(Self { client, seen })
    }

    /// Returns the first response to a request of a method.
    fn first(&self, method: &str) -> Option<Response> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter().find(|(of, _)| *of == method).map(|(_, response)| response.clone())
    }
}

/// One probe: the till, what was seen, and every response for the report.
struct Session<'a> {
    till: &'a Till,
    contact: ContactId,
    evidence: Evidence,
    calls: Vec<(String, Response)>,
}

impl Session<'_> {
    /// Returns a configuration with another API mapping. Without a journal nothing can spend.
    fn config(&self, mapping: &Value, journal: Option<&Path>) -> String {
        let mut all = self.till.values.get("apiMapping").cloned().unwrap_or_else(|| json!({}));
        if let (Some(all), Some(changes)) = (all.as_object_mut(), mapping.as_object()) {
            all.extend(changes.clone());
        }
        self.till.with(&json!({
            "apiMapping": all, "journalPath": journal, "journal": null, "sealPath": null, "preconnect": false,
            "startupJitterMs": 3_600_000, "idScope": null, "journalRole": null, "journalRecovery": null,
        }))
    }

    /// Makes one read as a till does, and returns its response.
    fn read<T>(
        &mut self,
        name: &str,
        mapping: &Value,
        call: impl Fn(&Client) -> engage_point_shop::Result<T>,
    ) -> Result<Response> {
        let watched = Watched::open(&self.config(mapping, None))?;
        let result = call(&watched.client);
        match (watched.first("GET"), result) {
            (Some(response), _) => {
                self.calls.push((name.to_owned(), response.clone()));
                Ok(response)
            }
            (None, Err(error)) => Err(error.into()),
            (None, Ok(_)) => Err(Failure::new(Exit::Found, format!("{name}: no response was seen"))),
        }
    }

    fn points(&mut self, name: &str, mapping: &Value) -> Result<Response> {
        let contact = self.contact;
        self.read(name, mapping, |client| client.list_points(contact, None))
    }

    fn rewards(&mut self, name: &str, mapping: &Value) -> Result<Response> {
        let contact = self.contact;
        self.read(name, mapping, |client| client.list_rewards(contact, None))
    }

    fn history(&mut self, name: &str, mapping: &Value) -> Result<Response> {
        let contact = self.contact;
        self.read(name, mapping, |client| client.list_purchases(contact, None))
    }

    /// Returns the mapping that fits what was seen so far.
    fn mapping(&self) -> Result<Value> {
        Ok(findings::proposal(&self.evidence, &findings::findings(&self.evidence), &default_mapping()?))
    }

    /// Stage 1: reads only.
    fn reads(&mut self, probe: &Probe) -> Result<()> {
        let contact = self.contact;
        let header = self.key_header(probe)?;
        let mapping = json!({ "keyHeader": header });
        self.evidence.key_header = Some(header);
        self.evidence.points = Some(self.points("points", &mapping)?);
        self.evidence.history = Some(self.history("history", &mapping)?);
        let unknown = ContactId::from_uuid(Uuid::new_v4());
        let response = self.read("unknown contact", &mapping, |client| client.list_purchases(unknown, None))?;
        self.evidence.unknown_contact = Some(response);
        let path = self.evidence.mapping["purchasesPath"].as_str().unwrap_or_default();
        let malformed = path.replace("{contactId}", "none-{contactId}");
        let with_malformed = json!({ "keyHeader": mapping["keyHeader"], "purchasesPath": malformed });
        let response =
            self.read("malformed contact", &with_malformed, |client| client.list_purchases(unknown, None))?;
        self.evidence.malformed_contact = Some(response);
        let assumed = self.evidence.mapping["rewardsPath"].as_str().unwrap_or_default().to_owned();
        let paths = candidates(&assumed, probe, "rewardsPath", REWARDS_PATHS);
        for path in paths {
            let mapping = json!({ "keyHeader": mapping["keyHeader"], "rewardsPath": path });
            let response = self.read("rewards", &mapping, |client| client.list_rewards(contact, None))?;
            let is_list = response.status == 200 && response.body.json().and_then(List::read).is_some();
            if is_list || self.evidence.rewards.is_none() {
                self.evidence.rewards = Some(response);
            }
            if is_list {
                self.evidence.rewards_path = Some(path);
                break;
            }
        }
        Ok(())
    }

    /// Finds the header that carries the key, by the list of items.
    fn key_header(&mut self, probe: &Probe) -> Result<String> {
        let contact = self.contact;
        let assumed = self.evidence.mapping["keyHeader"].as_str().unwrap_or_default().to_owned();
        let has_key = self.till.values.contains_key("apiKey");
        let headers = candidates(&assumed, probe, "keyHeader", if has_key { KEY_HEADERS } else { &[] });
        for header in headers {
            let mapping = json!({ "keyHeader": header });
            let response = self.read("items", &mapping, |client| client.list_items(contact, None))?;
            if response.status == 400 && findings::code_in(&response.body, "InvalidContact") {
                return Err(Failure::new(
                    Exit::Usage,
                    format!(
                        "Engage knows no member {contact} (InvalidContact). Give the contact id of a test member to --as"
                    ),
                ));
            }
            if !matches!(response.status, 401 | 403) {
                self.evidence.items = Some(response);
                return Ok(header);
            }
            self.calls.pop();
        }
        Err(Failure::new(
            Exit::Credentials,
            "Engage rejects the key in every header that was tried. Check the key, or name the header by \
             --try keyHeader=NAME",
        ))
    }
}

/// Returns what is tried for a key of the mapping: the configured value first.
fn candidates(assumed: &str, probe: &Probe, key: &str, known: &[&str]) -> Vec<String> {
    let guesses = probe.guesses.iter().filter(|(of, _)| of == key).map(|(_, value)| value.as_str());
    let mut all: Vec<String> = Vec::new();
    for value in std::iter::once(assumed).chain(guesses).chain(known.iter().copied()) {
        if !all.iter().any(|it| it.eq_ignore_ascii_case(value)) {
            all.push(value.to_owned());
        }
    }
    all
}

/// Returns the library's API mapping.
fn default_mapping() -> Result<Value> {
    let config = Config::parse(r#"{"baseUrl":"https://a.voyado.com","userAgent":"eps/1"}"#)?;
    fields::parse(config.api_mapping().as_bytes())
}

pub fn run(till: &Till, probe: &Probe, output: Output) -> Result<Report> {
    let contact = contact_id(&probe.contact)?;
    let item = probe.buy.as_deref().map(|item| engage_point_shop::ItemId::parse(item, "ITEM").map_err(Error::from));
    let item = item.transpose()?;
    let mapping = till.api_mapping()?;
    let history_lag_ms = till.values.get("historyLagMs").and_then(Value::as_u64).unwrap_or(600_000);
    let evidence = Evidence {
        contact: Uuid::try_parse(&contact.to_string()).unwrap_or_default(),
        mapping,
        history_lag_ms,
        ..Evidence::default()
    };
    let mut session = Session { till, contact, evidence, calls: Vec::new() };
    let progress = Progress::start("asking Engage");
    session.reads(probe)?;
    drop(progress);
    let surprise = match item {
        Some(item) => session.spend(item, probe)?,
        None => None,
    };
    let secrets = [contact.to_string(), till.values.get("apiKey").map(fields::shown).unwrap_or_default()];
    report::make(&session.evidence, &session.calls, surprise.as_ref(), &default_mapping()?, &secrets, output)
}

/// Returns the operation of a call, completed or not.
fn operation(result: engage_point_shop::Result<Vec<u8>>) -> Result<Value> {
    match result {
        Ok(json) => parse(&json),
        Err(error) => parse(&error.to_json()),
    }
}
