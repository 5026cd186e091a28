//! Compares what a tenant sent with the API mapping: findings, and the mapping that would fit. No
//! I/O.

use super::shape::{Body, List, Response, guid, is_guid, is_time, kind, word};
use crate::fields::{field, first};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What a finding means for the configuration.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    Same,
    /// Set this key of `apiMapping`, or with `historyLagMs` of the configuration, to a value.
    Set(&'static str, Value),
    NotSupported,
    /// The responses did not show it.
    NotSeen,
}

/// One line of the report.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    pub subject: &'static str,
    pub assumed: String,
    pub found: String,
    pub verdict: Verdict,
}

/// The purchase of stage 2.
#[derive(Debug, Clone, Default)]
pub struct Bought {
    pub purchase_id: Uuid,
    pub item: Uuid,
    pub cost: f64,
    pub balance_before: Option<f64>,
    pub balance_after: Option<f64>,
    /// How long after the response the history showed it.
    pub history_lag_ms: Option<u64>,
}

/// Everything that was seen.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    pub contact: Uuid,
    /// The API mapping of the configuration, every key.
    pub mapping: Value,
    pub history_lag_ms: u64,
    /// The header that worked.
    pub key_header: Option<String>,
    /// The path that worked.
    pub rewards_path: Option<String>,
    pub points: Option<Response>,
    pub items: Option<Response>,
    /// The last response of the history, of the rewards.
    pub history: Option<Response>,
    pub rewards: Option<Response>,
    pub unknown_contact: Option<Response>,
    pub malformed_contact: Option<Response>,
    pub unknown_item: Option<Response>,
    /// The field of a request that names the item, as the unknown item has shown.
    pub item_field: Option<String>,
    pub purchase: Option<Response>,
    pub repeat: Option<Response>,
    pub redeem: Option<Response>,
    pub bought: Option<Bought>,
    /// The rewards that are new since the purchase.
    pub new_rewards: Vec<Uuid>,
}

/// Returns the rows of a list.
pub fn rows(response: Option<&Response>) -> Vec<Value> {
    let json = response.filter(|it| it.status == 200).and_then(|it| it.body.json());
    json.and_then(List::read).map(|list| list.rows).unwrap_or_default()
}

/// Returns the member's points, of all accounts.
pub fn balance(points: Option<&Response>) -> Option<f64> {
    let rows = rows(points);
    let balances: Vec<f64> = rows.iter().filter_map(|row| field(row, "balance")?.as_f64()).collect();
    (!balances.is_empty()).then(|| balances.iter().sum())
}

/// Returns the cost of an item that the member is offered.
pub fn cost(items: Option<&Response>, item: Uuid) -> Option<f64> {
    rows(items).iter().find(|row| row.get("id").and_then(guid) == Some(item))?.get("cost")?.as_f64()
}

/// Returns the ids of the rewards, by any of the names.
pub fn reward_ids(rewards: Option<&Response>, mapping: &Value) -> Vec<Uuid> {
    let names = names(mapping, "rewardIdFields");
    let of = |row: &Value| names.iter().find_map(|name| guid(field(row, name)?));
    rows(rewards).iter().filter_map(of).collect()
}

fn names(mapping: &Value, key: &str) -> Vec<String> {
    match &mapping[key] {
        Value::String(name) => vec![name.clone()],
        other => other.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect(),
    }
}

/// Decides about everything that was seen, in the order of the calls.
pub fn findings(evidence: &Evidence) -> Vec<Finding> {
    let mut found = Vec::new();
    key_header(evidence, &mut found);
    reads(evidence, &mut found);
    errors(evidence, &mut found);
    lists(evidence, &mut found);
    purchase_fields(evidence, &mut found);
    reward_fields(evidence, &mut found);
    stage_two(evidence, &mut found);
    found
}

/// Returns the mapping with everything that the findings set, and that differs from `defaults`.
pub fn proposal(evidence: &Evidence, findings: &[Finding], defaults: &Value) -> Value {
    let mut mapping = evidence.mapping.as_object().cloned().unwrap_or_default();
    for finding in findings {
        if let Verdict::Set(key, value) = &finding.verdict
            && mapping.contains_key(*key)
        {
            mapping.insert((*key).to_owned(), value.clone());
        }
    }
    let differs = |(key, value): &(String, Value)| defaults[key] != *value;
    Value::Object(mapping.into_iter().filter(differs).collect::<Map<String, Value>>())
}

fn finding(subject: &'static str, assumed: impl Into<String>, found: impl Into<String>, verdict: Verdict) -> Finding {
    Finding { subject, assumed: assumed.into(), found: found.into(), verdict }
}

fn key_header(evidence: &Evidence, found: &mut Vec<Finding>) {
    let assumed = evidence.mapping["keyHeader"].as_str().unwrap_or_default();
    found.push(match &evidence.key_header {
        Some(header) if header.eq_ignore_ascii_case(assumed) => finding("key header", assumed, header, Verdict::Same),
        Some(header) => finding("key header", assumed, header, Verdict::Set("keyHeader", json!(header))),
        None => finding("key header", assumed, "no header that was tried works", Verdict::NotSupported),
    });
}

/// Whether the fields that have no key in the mapping are there.
fn reads(evidence: &Evidence, found: &mut Vec<Finding>) {
    type Needed<'a> = (&'static str, &'a Option<Response>, &'static [(&'static str, fn(&Value) -> bool)]);
    let needed: [Needed<'_>; 2] = [
        ("points", &evidence.points, &[("balance", Value::is_number)]),
        ("items", &evidence.items, &[("id", is_guid), ("cost", Value::is_number)]),
    ];
    for (subject, response, fields) in needed {
        let Some(response) = response else { continue };
        let assumed = format!("200 with {}", fields.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", "));
        let rows = rows(Some(response));
        let missing = fields.iter().find(|(name, fits)| rows.iter().any(|row| !row.get(*name).is_some_and(fits)));
        let (what, verdict) = match (response.status, missing) {
            (200, None) if response.body.json().and_then(List::read).is_some() => (kind(&response.body), Verdict::Same),
            (200, Some((name, _))) => (format!("a row lacks {name}"), Verdict::NotSupported),
            (status, _) => (format!("{status}, {}", kind(&response.body)), Verdict::NotSupported),
        };
        found.push(finding(subject, assumed, what, verdict));
    }
    for response in [&evidence.points, &evidence.items].into_iter().flatten() {
        if !response.has_date {
            found.push(finding("Date header", "on every response", "missing", Verdict::NotSupported));
            return;
        }
    }
}

/// What the library makes of the errors of a read.
fn errors(evidence: &Evidence, found: &mut Vec<Finding>) {
    if let Some(response) = &evidence.malformed_contact {
        let code = code_in(&response.body, "InvalidContact");
        let what =
            format!("{}, {}{}", response.status, kind(&response.body), if code { ", InvalidContact" } else { "" });
        // By this the library knows that a 404 is the history's own.
        let verdict = if code || response.status == 200 { Verdict::Same } else { Verdict::NotSupported };
        found.push(finding("malformed contact", "400 InvalidContact", what, verdict));
    }
    if let Some(response) = &evidence.unknown_contact {
        let what = format!("{}, {}", response.status, kind(&response.body));
        let fits = matches!(response.status, 200 | 400 | 404) && !matches!(response.body, Body::Html | Body::Text);
        let verdict = if fits { Verdict::Same } else { Verdict::NotSupported };
        found.push(finding("unknown contact", "400 or 404", what, verdict));
    }
    if let Some(response) = &evidence.history {
        let what = format!("{}, {}", response.status, kind(&response.body));
        let is_json = response.content_type.as_deref().is_some_and(|kind| kind.to_ascii_lowercase().contains("json"));
        let fits = match (response.status, &response.body) {
            (200, Body::Json(value)) => List::read(value).is_some(),
            (404, Body::Json(_)) => true,
            (404, Body::Empty) => is_json,
            _ => false,
        };
        let verdict = if fits { Verdict::Same } else { Verdict::NotSupported };
        found.push(finding("history", "a list, or 404 when empty", what, verdict));
    }
}

pub(super) fn code_in(body: &Body, code: &str) -> bool {
    body.json().is_some_and(|value| {
        value.to_string().split(|c: char| !c.is_ascii_alphanumeric()).any(|token| token.eq_ignore_ascii_case(code))
    })
}

/// The envelopes and pages of all lists.
fn lists(evidence: &Evidence, found: &mut Vec<Finding>) {
    let responses = [&evidence.points, &evidence.items, &evidence.history, &evidence.rewards];
    let lists: Vec<List> = responses
        .into_iter()
        .flatten()
        .filter(|response| response.status == 200)
        .filter_map(|response| List::read(response.body.json()?))
        .collect();
    let known = |key: &str, name: &str| names(&evidence.mapping, key).iter().any(|it| it.eq_ignore_ascii_case(name));
    let mut around: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    let mut note = |key: &'static str, name: &str| {
        let all = around.entry(key).or_default();
        if !all.iter().any(|it| it.eq_ignore_ascii_case(name)) {
            all.push(name.to_owned());
        }
    };
    for list in &lists {
        if let Some(envelope) = &list.envelope {
            note("envelopeFields", envelope);
            list.number(&["total"]).into_iter().for_each(|(name, _)| note("totalCountFields", name));
            list.number(&["offset", "skip"]).into_iter().for_each(|(name, _)| note("offsetFields", name));
        }
    }
    for (key, seen) in around {
        let new: Vec<&String> = seen.iter().filter(|name| !known(key, name)).collect();
        let mut all = names(&evidence.mapping, key);
        all.extend(new.iter().map(|name| (*name).clone()));
        let verdict = if new.is_empty() { Verdict::Same } else { Verdict::Set(key, json!(all)) };
        found.push(finding(key, names(&evidence.mapping, key).join(", "), seen.join(", "), verdict));
    }
    if let Some(list) = evidence.history.as_ref().and_then(|it| List::read(it.body.json()?)) {
        // A name that the library does not know may say that there are further pages.
        let keys = ["totalCountFields", "offsetFields"];
        let is_known = |name: &String| {
            name.eq_ignore_ascii_case("count")
                || keys.iter().any(|key| known(key, name))
                || [list.number(&["total"]), list.number(&["offset", "skip"])]
                    .into_iter()
                    .flatten()
                    .any(|it| it.0 == name)
        };
        let unknown: Vec<&str> =
            list.numbers.keys().chain(&list.others).filter(|name| !is_known(name)).map(String::as_str).collect();
        if !unknown.is_empty() {
            let what = format!("{}: no absence of a purchase is believed", unknown.join(", "));
            found.push(finding("names beside the history", "a count and an offset", what, Verdict::NotSupported));
        }
        #[allow(clippy::cast_precision_loss)] // A page is far shorter than 2^53.
        let rows = list.rows.len() as f64;
        let is_page = list.number(&["total"]).is_some_and(|(_, total)| total > rows)
            || (list.rows.len() >= 100 && list.rows.len().is_multiple_of(100));
        if is_page {
            let what = format!("a page of {rows}; an older purchase stays pending until a person decides");
            found.push(finding("history length", "all purchases", what, Verdict::NotSupported));
        }
    }
}

/// The words that stand for an end of a purchase, in lower case.
const COMPLETED: &[&str] = &["completed", "complete", "done", "succeeded", "success", "finished", "ok", "approved"];
const PROCESSING: &[&str] = &["processing", "pending", "inprogress", "working", "started", "created", "queued"];
const FAILED: &[&str] = &["failed", "failure", "error", "rejected", "declined", "cancelled", "broken", "aborted"];

/// The purchases that were seen: those of the history and the response of the purchase itself.
fn purchases(evidence: &Evidence) -> Vec<Value> {
    let mut all = rows(evidence.history.as_ref());
    for response in [&evidence.purchase, &evidence.repeat].into_iter().flatten() {
        all.extend(response.body.json().filter(|_| matches!(response.status, 200..=202)).cloned());
    }
    all.retain(Value::is_object);
    all
}

/// Returns the name of the first field that fits in any row, those of the mapping first.
fn named(rows: &[Value], assumed: &[String], fits: impl Fn(&str, &Value) -> bool) -> Option<String> {
    let has = |name: &String| rows.iter().any(|row| field(row, name).is_some_and(|value| fits(name, value)));
    if let Some(name) = assumed.iter().find(|name| has(name)) {
        return Some(name.clone());
    }
    let fields = rows.iter().filter_map(Value::as_object).flatten();
    fields.into_iter().find(|(name, value)| fits(name, value)).map(|(name, _)| name.clone())
}

/// Adds the finding about one field.
fn of_field(evidence: &Evidence, key: &'static str, name: Option<String>, found: &mut Vec<Finding>) {
    let assumed = names(&evidence.mapping, key);
    let is_list = evidence.mapping[key].is_array();
    let (what, verdict) = match name {
        None => ("not seen".to_owned(), Verdict::NotSeen),
        Some(name) if assumed.iter().any(|it| it.eq_ignore_ascii_case(&name)) => (name, Verdict::Same),
        Some(name) => (name.clone(), Verdict::Set(key, if is_list { json!([name]) } else { json!(name) })),
    };
    found.push(finding(key, assumed.join(", "), what, verdict));
}

fn purchase_fields(evidence: &Evidence, found: &mut Vec<Finding>) {
    let rows = purchases(evidence);
    let item_rows = self::rows(evidence.items.as_ref());
    let items: Vec<Uuid> = item_rows.iter().filter_map(|row| guid(row.get("id")?)).collect();
    let promotions: Vec<Uuid> = item_rows.iter().filter_map(|row| guid(row.get("promotionId")?)).collect();
    let bought = evidence.bought.as_ref();
    if rows.is_empty() && evidence.item_field.is_none() {
        let what = "no purchase was seen; buy one with --buy ITEM";
        found.push(finding("purchase fields", "as apiMapping says", what, Verdict::NotSeen));
        return;
    }
    let assumed = |key: &str| names(&evidence.mapping, key);
    let is = |ids: &[Uuid], value: &Value| guid(value).is_some_and(|id| ids.contains(&id));
    of_field(
        evidence,
        "contactIdField",
        named(&rows, &assumed("contactIdField"), |_, value| is(&[evidence.contact], value)),
        found,
    );
    let in_rows = named(&rows, &assumed("itemIdField"), |_, value| {
        is(&items, value) || bought.is_some_and(|bought| is(&[bought.item], value))
    });
    of_field(evidence, "itemIdField", in_rows.or_else(|| evidence.item_field.clone()), found);
    purchase_id(evidence, &rows, found);
    let template = named(&rows, &assumed("promotionIdFields"), |_, value| is(&promotions, value));
    of_field(evidence, "promotionIdFields", template, found);
    let made = named(&rows, &assumed("createdOnFields"), |_, value| is_time(value));
    of_field(evidence, "createdOnFields", made, found);
    let rewards = reward_ids(evidence.rewards.as_ref(), &evidence.mapping);
    let reward = named(&rows, &assumed("assignmentIdFields"), |name, value| {
        is(&rewards, value) && !name.eq_ignore_ascii_case("id")
    });
    of_field(evidence, "assignmentIdFields", reward, found);
    status(evidence, &rows, found);
}

/// The field with the id that the till made: certain only after a purchase.
fn purchase_id(evidence: &Evidence, rows: &[Value], found: &mut Vec<Finding>) {
    const KEY: &str = "purchaseIdFields";
    let assumed = names(&evidence.mapping, KEY);
    let name = match &evidence.bought {
        Some(bought) => named(rows, &assumed, |_, value| guid(value) == Some(bought.purchase_id)),
        None => named(rows, &assumed, |name, value| {
            is_guid(value) && assumed.iter().any(|it| it.eq_ignore_ascii_case(name))
        }),
    };
    match (name, &evidence.bought) {
        (None, Some(_)) if !rows.is_empty() => {
            let what = "no field holds the id that was sent";
            found.push(finding(KEY, assumed.join(", "), what, Verdict::NotSupported));
        }
        (name, _) => of_field(evidence, KEY, name, found),
    }
}

/// The field and the words of a purchase's status.
fn status(evidence: &Evidence, rows: &[Value], found: &mut Vec<Finding>) {
    let lower = |value: &Value| word(value).unwrap_or_default().to_ascii_lowercase();
    let mapped = |key: &str, word: &str| names(&evidence.mapping, key).iter().any(|it| it.eq_ignore_ascii_case(word));
    let is_word = |word: &str| {
        [COMPLETED, PROCESSING, FAILED].iter().any(|words| words.contains(&word))
            || ["statusCompleted", "statusProcessing", "statusFailed"].iter().any(|key| mapped(key, word))
    };
    let assumed = names(&evidence.mapping, "statusField");
    let by_name = |name: &str, value: &Value| {
        let name = name.to_ascii_lowercase();
        word(value).is_some()
            && (assumed.iter().any(|it| it.eq_ignore_ascii_case(&name))
                || name.contains("status")
                || name.contains("state"))
    };
    // Points went off the balance for this one.
    let bought = evidence.bought.as_ref().filter(|bought| is_deducted(bought) == Some(true));
    let is_ours = |row: &&Value| {
        let id = bought.map(|bought| bought.purchase_id);
        id.is_some() && row.as_object().is_some_and(|fields| fields.values().any(|it| guid(it) == id))
    };
    // Its only word is its status, whatever that is called.
    let only_word = || {
        let fields = rows.iter().find(is_ours)?.as_object()?.iter();
        let words: Vec<&String> =
            fields.filter(|(_, value)| value.is_string() && word(value).is_some()).map(|(name, _)| name).collect();
        if let [only] = words[..] { Some(only.clone()) } else { None }
    };
    let name = named(rows, &assumed, by_name)
        .or_else(|| named(rows, &[], |_, value| is_word(&lower(value))))
        .or_else(only_word);
    match (&name, bought) {
        (None, Some(_)) => {
            let what = "no field of the purchase is a word";
            found.push(finding("statusField", assumed.join(", "), what, Verdict::NotSupported));
        }
        _ => of_field(evidence, "statusField", name.clone(), found),
    }
    let Some(name) = name else { return };
    let of = |row: &Value| field(row, &name).and_then(word);
    // The history comes first: it is newer than the response of the purchase.
    let certain = rows.iter().find(is_ours).and_then(of);
    let mut seen: Vec<String> = rows.iter().filter_map(of).collect();
    seen.sort();
    seen.dedup();
    for (key, words) in [("statusCompleted", COMPLETED), ("statusProcessing", PROCESSING), ("statusFailed", FAILED)] {
        let taken_elsewhere = |word: &str| {
            ["statusCompleted", "statusProcessing", "statusFailed"].iter().any(|it| *it != key && mapped(it, word))
        };
        let is_certain = |word: &str| key == "statusCompleted" && certain.as_deref() == Some(word);
        let fits = |word: &&String| {
            is_certain(word)
                || mapped(key, word)
                || (!taken_elsewhere(word)
                    && certain.as_deref() != Some(word)
                    && words.contains(&word.to_ascii_lowercase().as_str()))
        };
        let fitting: Vec<&String> = seen.iter().filter(fits).collect();
        let new: Vec<&String> = fitting.iter().filter(|word| !mapped(key, word)).copied().collect();
        let mut all = names(&evidence.mapping, key);
        all.extend(new.iter().map(|word| (*word).clone()));
        let what = fitting.iter().map(|word| word.as_str()).collect::<Vec<_>>().join(", ");
        let verdict = match (fitting.is_empty(), new.is_empty()) {
            (true, _) => Verdict::NotSeen,
            (_, true) => Verdict::Same,
            _ => Verdict::Set(key, json!(all)),
        };
        let what = if what.is_empty() { "not seen".to_owned() } else { what };
        found.push(finding(key, names(&evidence.mapping, key).join(", "), what, verdict));
    }
    let is_known = |word: &&String| {
        let word = word.as_str();
        certain.as_deref() == Some(word) || is_word(&word.to_ascii_lowercase())
    };
    let unknown: Vec<&str> = seen.iter().filter(|word| !is_known(word)).map(String::as_str).collect();
    if !unknown.is_empty() {
        let what = format!("{}: choose its key by hand", unknown.join(", "));
        found.push(finding("other statuses", "none", what, Verdict::NotSupported));
    }
}

/// Whether the purchase took its cost off the balance.
pub fn is_deducted(bought: &Bought) -> Option<bool> {
    let (before, after) = (bought.balance_before?, bought.balance_after?);
    Some((before - after - bought.cost).abs() < 0.001)
}

fn reward_fields(evidence: &Evidence, found: &mut Vec<Finding>) {
    let assumed_path = evidence.mapping["rewardsPath"].as_str().unwrap_or_default();
    match &evidence.rewards_path {
        Some(path) if path == assumed_path => {
            found.push(finding("rewardsPath", assumed_path, "works", Verdict::Same));
        }
        Some(path) => {
            found.push(finding("rewardsPath", assumed_path, path, Verdict::Set("rewardsPath", json!(path))));
        }
        None => {
            let what = "no path that was tried lists rewards";
            found.push(finding("rewardsPath", assumed_path, what, Verdict::NotSupported));
            return;
        }
    }
    let rows = rows(evidence.rewards.as_ref());
    if rows.is_empty() {
        found.push(finding("reward fields", "as apiMapping says", "the member has no reward", Verdict::NotSeen));
        return;
    }
    let assumed = |key: &str| names(&evidence.mapping, key);
    let hint = |words: &'static [&'static str]| {
        move |name: &str| words.iter().any(|word| name.to_ascii_lowercase().contains(word))
    };
    let promotions: Vec<Uuid> =
        self::rows(evidence.items.as_ref()).iter().filter_map(|row| guid(row.get("promotionId")?)).collect();
    let template =
        named(&rows, &assumed("promotionIdFields"), |_, value| guid(value).is_some_and(|id| promotions.contains(&id)));
    let known = template.as_deref().map(str::to_ascii_lowercase);
    let id = named(&rows, &assumed("rewardIdFields"), |name, value| {
        is_guid(value) && known.as_deref() != Some(&name.to_ascii_lowercase())
    });
    of_field(evidence, "rewardIdFields", id, found);
    // One name of both is enough: a purchase's may be the same.
    if found.iter().all(|it| it.subject != "promotionIdFields" || it.verdict == Verdict::NotSeen) {
        found.retain(|it| it.subject != "promotionIdFields");
        of_field(evidence, "promotionIdFields", template, found);
    }
    let is_used = hint(&["redeem", "used"]);
    let used = named(&rows, &assumed("redeemedFields"), |name, value| {
        value.is_boolean() && (is_used(name) || assumed("redeemedFields").contains(&name.to_owned()))
    });
    of_field(evidence, "redeemedFields", used, found);
    let used_on =
        named(&rows, &assumed("redeemedOnFields"), |name, value| is_used(name) && (is_time(value) || value.is_null()));
    let used_on_name = used_on.clone().unwrap_or_default();
    of_field(evidence, "redeemedOnFields", used_on, found);
    let channels = named(&rows, &assumed("channelsField"), |_, value| {
        let types = value.as_array().into_iter().flatten().filter_map(|it| it.get("type")?.as_str());
        types.into_iter().any(|name| ["POS", "ECOM", "OTHER"].contains(&name.to_ascii_uppercase().as_str()))
    });
    of_field(evidence, "channelsField", channels, found);
    let title = named(&rows, &assumed("titleFields"), |name, value| {
        value.is_string() && assumed("titleFields").iter().any(|it| it.eq_ignore_ascii_case(name))
    });
    of_field(evidence, "titleFields", title, found);
    let expires = named(&rows, &assumed("expiresOnFields"), |name, value| {
        let is_assumed = assumed("expiresOnFields").iter().any(|it| it.eq_ignore_ascii_case(name));
        (is_time(value) && !name.eq_ignore_ascii_case(&used_on_name)) || (is_assumed && value.is_null())
    });
    of_field(evidence, "expiresOnFields", expires, found);
    for key in ["descriptionFields", "barcodeFields"] {
        let present = assumed(key).into_iter().find(|name| rows.iter().any(|row| first(row, &json!([name])).is_some()));
        of_field(evidence, key, present, found);
    }
}

fn stage_two(evidence: &Evidence, found: &mut Vec<Finding>) {
    if let Some(response) = &evidence.unknown_item {
        let what = format!("{}, {}", response.status, kind(&response.body));
        let verdict = if matches!(response.status, 400 | 404 | 422) { Verdict::Same } else { Verdict::NotSupported };
        found.push(finding("unknown item", "404", what, verdict));
    }
    if let Some(response) = &evidence.purchase {
        let what = format!("{}, {}", response.status, kind(&response.body));
        let fits = matches!(response.status, 200..=202) && response.body.json().is_some_and(Value::is_object);
        found.push(finding(
            "purchase",
            "200 to 202, object",
            what,
            if fits { Verdict::Same } else { Verdict::NotSupported },
        ));
    }
    let Some(bought) = &evidence.bought else { return };
    if let Some(deducted) = is_deducted(bought) {
        let (what, verdict) = match deducted {
            true => ("the cost", Verdict::Same),
            false => ("not the cost", Verdict::NotSupported),
        };
        found.push(finding("points deducted", "the cost, once", what, verdict));
    }
    if let Some(response) = &evidence.repeat {
        let what = format!("{}, {}", response.status, kind(&response.body));
        // Whatever it says: the balance proves that nothing was deducted again.
        found.push(finding("same id again", "the same purchase", what, Verdict::Same));
    }
    match bought.history_lag_ms {
        Some(lag) if lag <= evidence.history_lag_ms => {
            let assumed = format!("at most {} ms", evidence.history_lag_ms);
            found.push(finding("history lag", assumed, format!("{lag} ms"), Verdict::Same));
        }
        Some(lag) => {
            let assumed = format!("at most {} ms", evidence.history_lag_ms);
            let verdict = Verdict::Set("historyLagMs", json!((lag * 2).min(86_400_000)));
            found.push(finding("history lag", assumed, format!("{lag} ms"), verdict));
        }
        None => found.push(finding("history lag", "shown in time", "not shown within the wait", Verdict::NotSupported)),
    }
    let (what, verdict) = match evidence.new_rewards.len() {
        0 => ("no new reward in the list".to_owned(), Verdict::NotSupported),
        count => (format!("{count} new"), Verdict::Same),
    };
    found.push(finding("reward of the purchase", "one new reward", what, verdict));
    if let Some(response) = &evidence.redeem {
        let what = format!("{}, {}", response.status, kind(&response.body));
        let verdict = if response.status == 200 { Verdict::Same } else { Verdict::NotSupported };
        found.push(finding("redeem", "200", what, verdict));
    }
}

#[cfg(test)]
#[path = "findings_tests.rs"]
mod tests;
