//! Takes out of a bundle what must not leave the till: the key, logins, and what identifies a
//! person. No I/O. A field passes only if it is named here; a free text is searched.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use ring::hmac;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt::Write;
use uuid::Uuid;

/// The fields of an operation that say nothing about a person.
const OPERATION: &[&str] = &[
    "operationId",
    "kind",
    "outcome",
    "state",
    "code",
    "name",
    "purchaseId",
    "itemId",
    "channel",
    "attempts",
    "httpStatus",
    "engageCode",
    "needsReview",
    "recordedAtMs",
    "resolvedAtMs",
    "acknowledgedAtMs",
    "foreign",
    "expectedByMs",
    "lastQueryAtMs",
    "nextQueryAtMs",
    "lastCode",
    "firstPendingCode",
    "retryCount",
    "requestIds",
    "writerVersion",
    "action",
];
/// Those that identify a person or a sale. They are hashed.
const HASHED: &[&str] = &["contactId", "reference", "assignmentId"];

/// The texts of a configuration that are no secret.
const CONFIG: &[&str] = &[
    "userAgent",
    "tenant",
    "journal",
    "journalPath",
    "sealPath",
    "journalRole",
    "journalRecovery",
    "idScope",
    "language",
    "logFile",
    "logLevel",
    "caFile",
];

/// A text in the place of a secret.
const SET: &str = "(set)";
const MASK: &str = "(removed)";
/// A secret, an id or a reference that is shorter is replaced in its own field only.
const SHORTEST_SECRET: usize = 3;
const SHORTEST: usize = 5;

pub struct Redactor {
    key: hmac::Key,
    with_ids: bool,
    /// Texts that must not be in a bundle, and what stands in their place.
    known: BTreeMap<String, String>,
    /// Ids that may stay.
    harmless: Vec<Uuid>,
}

impl Redactor {
    /// `key`: random, of this bundle only, so that nobody can try ids.
    pub fn new(key: &[u8], with_ids: bool) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        Self { key, with_ids, known: BTreeMap::new(), harmless: Vec::new() }
    }

    /// Learns a text that must not be in the bundle, in each form that a log may have it in.
    pub fn learn_secret(&mut self, secret: &str) {
        if secret.len() < SHORTEST_SECRET {
            return;
        }
        let decoded = percent_decode_str(secret).decode_utf8_lossy().into_owned();
        for form in [secret.to_owned(), decoded] {
            let encoded = utf8_percent_encode(&form, NON_ALPHANUMERIC).to_string();
            let quoted = Value::from(form.as_str()).to_string();
            let quoted = quoted.trim_matches('"').to_owned();
            let base64 = BASE64_STANDARD.encode(&form).trim_end_matches('=').to_owned();
            for text in [base64, encoded, quoted.replace('/', "\\/"), quoted, form] {
                self.known.insert(text, MASK.to_owned());
            }
        }
    }

    /// Learns the login of a proxy's URL.
    pub fn learn_login(&mut self, url: &str) {
        let Some((login, _)) = login(url) else { return };
        self.learn_secret(login);
        login.splitn(2, ':').for_each(|part| self.learn_secret(part));
    }

    /// Learns the secrets of a configuration.
    pub fn learn_config(&mut self, config: &Map<String, Value>) {
        let text = |key: &str| config.get(key).and_then(Value::as_str).unwrap_or_default();
        for key in ["apiKey", "clientKeyFile", "clientCertFile"] {
            self.learn_secret(text(key));
        }
        self.learn_login(text("proxy"));
        self.learn_login(text("baseUrl"));
    }

    /// Learns the ids and references of an operation.
    pub fn learn_operation(&mut self, operation: &Value) {
        for key in ["operationId", "itemId"] {
            self.harmless.extend(operation[key].as_str().and_then(|id| Uuid::try_parse(id).ok()));
        }
        for key in HASHED.iter().filter(|_| !self.with_ids).collect::<Vec<_>>() {
            if let Some(text) = operation[*key].as_str().filter(|text| text.len() >= SHORTEST) {
                self.known.insert(text.to_owned(), self.hash(key, text));
            }
        }
    }

    fn hash(&self, key: &str, text: &str) -> String {
        // One id has one hash, however it is spelled.
        let spelled = Uuid::try_parse(text).map_or_else(|_| text.to_owned(), |id| id.to_string());
        let tag = hmac::sign(&self.key, spelled.as_bytes());
        let word = key.trim_end_matches("Id");
        tag.as_ref()[..8].iter().fold(format!("{word}-"), |mut hash, byte| {
            let _ = write!(hash, "{byte:02x}");
            hash
        })
    }

    /// Returns an operation without what identifies a person.
    pub fn operation(&self, operation: &Value) -> Value {
        let mut kept = Map::new();
        for (key, value) in operation.as_object().into_iter().flatten() {
            let value = match (key.as_str(), value) {
                (key, value) if OPERATION.contains(&key) => value.clone(),
                (key, Value::String(text)) if HASHED.contains(&key) => match self.with_ids {
                    true => value.clone(),
                    false => self.hash(key, text).into(),
                },
                ("cause", Value::Array(causes)) => {
                    causes.iter().filter_map(Value::as_str).map(|cause| self.text(cause)).collect()
                }
                ("review", Value::Object(review)) => {
                    review.iter().filter(|(key, _)| matches!(key.as_str(), "resolution" | "atMs")).map(own).collect()
                }
                _ => continue,
            };
            kept.insert(key.clone(), value);
        }
        Value::Object(kept)
    }

    /// Returns a configuration without key and logins.
    pub fn config(&self, config: &Map<String, Value>) -> Value {
        let one = |(key, value): (&String, &Value)| {
            let shown = match (key.as_str(), value) {
                ("apiMapping", Value::Object(mapping)) => mapping.iter().map(mapping_field).collect(),
                (_, Value::Number(_) | Value::Bool(_)) | ("retryScheduleMs", Value::Array(_)) => value.clone(),
                ("proxy", Value::String(text)) if text == "none" => value.clone(),
                ("proxy" | "baseUrl", Value::String(text)) => origin(text).into(),
                (key, Value::String(text)) if CONFIG.contains(&key) => self.text(text).into(),
                _ => SET.into(),
            };
            (key.clone(), shown)
        };
        config.iter().map(one).collect()
    }

    /// Returns a free text, as a line of a log, without known secrets, persons' ids and what may be
    /// an address or a number of a person.
    pub fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        // A longer text first: a shorter one may be a part of it.
        let mut known: Vec<_> = self.known.iter().collect();
        known.sort_by_key(|(secret, _)| std::cmp::Reverse(secret.len()));
        for (secret, instead) in known {
            text = replace(&text, secret, instead);
        }
        self.without_ids(&without_named_secrets(&text))
    }

    /// Replaces GUIDs that may be a person's, addresses and long numbers.
    fn without_ids(&self, text: &str) -> String {
        let mut kept = String::with_capacity(text.len());
        let is_word = |c: char| c.is_alphanumeric() || "-+@._{}%".contains(c);
        let mut rest = text;
        while let Some(start) = rest.find(is_word) {
            let end = rest[start..].find(|c| !is_word(c)).map_or(rest.len(), |end| start + end);
            kept.push_str(&rest[..start]);
            kept.push_str(&self.word(&rest[start..end]));
            rest = &rest[end..];
        }
        kept + rest
    }

    fn word(&self, word: &str) -> String {
        if self.with_ids {
            return word.to_owned();
        }
        let bare = word.trim_matches(['.', '-']);
        if let Ok(id) = Uuid::try_parse(bare) {
            return if self.harmless.contains(&id) { word.to_owned() } else { self.hash("id", bare) };
        }
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        let is_number = bare.bytes().all(|byte| byte.is_ascii_digit() || b"+-".contains(&byte));
        let is_long = word.len() > 36 && word.bytes().filter(|byte| *byte == b'-').count() >= 4;
        if is_date(word) {
            return word.to_owned();
        }
        if word.contains('@') || word.contains("%40") || is_long || (is_number && matches!(digits, 8..=12)) {
            return MASK.to_owned();
        }
        word.to_owned()
    }

    /// Returns whether a text holds a known secret.
    pub fn leaks(&self, text: &str) -> bool {
        let text = text.to_ascii_lowercase();
        self.known.keys().any(|secret| text.contains(&secret.to_ascii_lowercase()))
    }
}

/// Returns whether a word is a log's date, 2026-11-25. A personal number has no such form, and a
/// member's birthday is older.
fn is_date(word: &str) -> bool {
    let parts: Vec<&str> = word.split('-').collect();
    let is_number =
        |(part, length): (&&str, usize)| part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_recent = ["202", "203"].iter().any(|decade| word.starts_with(decade));
    is_recent && parts.len() == 3 && parts.iter().zip([4, 2, 2]).all(is_number)
}

/// Replaces a text in any case.
fn replace(text: &str, part: &str, instead: &str) -> String {
    let (lower, part) = (text.to_ascii_lowercase(), part.to_ascii_lowercase());
    let (mut kept, mut from) = (String::with_capacity(text.len()), 0);
    for (at, _) in lower.match_indices(&part) {
        kept.push_str(&text[from..at]);
        kept.push_str(instead);
        from = at + part.len();
    }
    kept + &text[from..]
}

/// The words before a secret that this till need not know, as a key that was replaced yesterday.
const NAMES: &[&str] = &[
    "apikey",
    "api-key",
    "api_key",
    "password",
    "passwd",
    "pwd",
    "secret",
    "token",
    "authorization",
    "bearer",
    "basic",
];

/// Removes what stands behind a word for a secret, and the login of a URL.
fn without_named_secrets(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let is_space = |c: char| c.is_whitespace() || "\"'\\:=".contains(c);
    let (mut kept, mut from) = (String::with_capacity(text.len()), 0);
    while let Some((name, at)) =
        NAMES.iter().filter_map(|name| Some((name, from + lower[from..].find(name)?))).min_by_key(|(_, at)| *at)
    {
        let behind = at + name.len();
        let value = behind + lower[behind..].find(|c| !is_space(c)).unwrap_or(lower.len() - behind);
        kept.push_str(&text[from..value]);
        from = value;
        let is_named = NAMES.iter().any(|name| lower[value..].starts_with(name));
        if value > behind && !is_named {
            let end = |c: char| c.is_whitespace() || "\"',;&}".contains(c);
            from = value + lower[value..].find(end).unwrap_or(lower.len() - value);
            if from > value {
                kept.push_str(MASK);
            }
        }
    }
    kept.push_str(&text[from..]);
    without_logins(&kept)
}

fn without_logins(text: &str) -> String {
    let mut parts = text.split("://");
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| c.is_whitespace() || "/\"'".contains(c)).unwrap_or(part.len());
        let host = part[..end].rfind('@').map_or(0, |at| at + 1);
        kept.push_str("://");
        kept.push_str(&part[host..]);
    }
    kept
}

fn own((key, value): (&String, &Value)) -> (String, Value) {
    (key.clone(), value.clone())
}

/// Returns the login of a URL, and the rest behind it.
fn login(url: &str) -> Option<(&str, &str)> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default().rsplit_once('@')
}

/// Returns scheme, host and port of a URL.
fn origin(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let host = login(url).map_or_else(|| rest.split('/').next().unwrap_or_default(), |(_, host)| host);
    let host = host.split(['/', '?', '#']).next().unwrap_or_default();
    format!("{scheme}://{host}")
}

/// Returns a field of an API mapping. The fixed values of a path's query may be a relay's secret.
fn mapping_field((key, value): (&String, &Value)) -> (String, Value) {
    let Some(path) = value.as_str().filter(|text| text.starts_with('/')) else { return own((key, value)) };
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let parameters =
        query.split('&').filter(|parameter| !parameter.is_empty()).map(|parameter| match parameter.split_once('=') {
            Some((_, value)) if value.starts_with('{') => parameter.to_owned(),
            Some((name, _)) => format!("{name}={SET}"),
            None => SET.to_owned(),
        });
    let parameters: Vec<String> = parameters.collect();
    let shown = if parameters.is_empty() { path.to_owned() } else { format!("{path}?{}", parameters.join("&")) };
    (key.clone(), shown.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const CONTACT: &str = "a0000000-0000-4000-8000-000000000003";
    const OPERATION_ID: &str = "d0000000-0000-4000-8000-000000000001";

    fn redactor(with_ids: bool) -> Redactor {
        let mut redactor = Redactor::new(b"a key of this bundle", with_ids);
        redactor.learn_config(
            json!({ "apiKey": "hush-key", "proxy": "http://user1:secret1@proxy:3128", "baseUrl": "https://a.voyado.com" })
                .as_object()
                .unwrap(),
        );
        redactor
            .learn_operation(&json!({ "operationId": OPERATION_ID, "contactId": CONTACT, "reference": "till-7-0815" }));
        redactor
    }

    #[test]
    fn free_text_loses_secrets_persons_and_long_numbers() {
        let redactor = redactor(false);
        for secret in [
            "hush-key",
            "user1:secret1",
            CONTACT,
            "A0000000-0000-4000-8000-000000000003",
            "a0000000000040008000000000000003",
            "{a0000000-0000-4000-8000-000000000003}",
            "e0000000-0000-4000-8000-0000000000ff",
            "till-7-0815",
            "eva@example.com",
            "eva%40example.com",
            "+46701234567",
            "19850101-1234",
        ] {
            let line = redactor.text(&format!(r#"{{"event":"x","a":"{secret}","atMs":1774014788003}} {secret}."#));
            assert!(!line.contains(secret), "{secret}: {line}");
            assert!(line.contains("1774014788003") && line.contains("\"event\":\"x\""), "{line}");
        }
        assert!(redactor.text(OPERATION_ID).contains(OPERATION_ID));
        assert_eq!(redactor.text("2026-03-20T13:53:08.003Z"), "2026-03-20T13:53:08.003Z");
    }

    #[test]
    fn secret_is_removed_in_every_form_of_a_log() {
        let mut redactor = redactor(false);
        redactor.learn_secret("a+key/88%21");
        redactor.learn_login("http://user88:pr0xy%21zz@proxy:3128");
        for secret in [
            "a+key/88%21",
            "a+key/88!",
            "A+KEY/88%21",
            "a%2Bkey%2F88%2521",
            r"a+key\/88%21",
            "YStrZXkvODglMjE",
            "pr0xy!zz",
            "pr0xy%21zz",
            "dXNlcjg4OnByMHh5IXp6",
            "user88",
        ] {
            let line = redactor.text(&format!("sent {secret} to it"));
            assert!(!line.contains(secret) && !redactor.leaks(&line), "{secret}: {line}");
            assert!(redactor.leaks(secret), "{secret}");
        }
        for (line, kept) in [
            (r#"{"apiKey":"yesterday-55","a":1}"#, r#"{"apiKey":"(removed)","a":1}"#),
            ("apikey: yesterday-55 end", "apikey: (removed) end"),
            ("Authorization: Bearer ey.J0.x end", "Authorization: Bearer (removed) end"),
            (r#""password" : "x y""#, r#""password" : "(removed) y""#),
            ("https://eva:pw@host:1/x", "https://host:1/x"),
            ("https://host/a@b", "https://host/(removed)"),
            ("no token", "no token"),
        ] {
            assert_eq!(redactor.text(line), kept);
        }
    }

    #[test]
    fn same_contact_has_one_hash_in_a_bundle_only() {
        let (one, other) = (redactor(false), Redactor::new(b"another", false));
        let hash = |redactor: &Redactor, id: &str| redactor.operation(&json!({ "contactId": id }))["contactId"].clone();
        assert_eq!(hash(&one, CONTACT), hash(&one, &CONTACT.to_uppercase()));
        assert_ne!(hash(&one, CONTACT), hash(&other, CONTACT));
        assert_eq!(hash(&redactor(true), CONTACT), CONTACT);
    }

    #[test]
    fn operation_keeps_listed_fields_only() {
        let operation = json!({
            "operationId": OPERATION_ID, "contactId": CONTACT, "reference": "till-7-0815", "code": -520, "new": "x",
            "purchase": { "name": "Eva" }, "review": { "resolution": "declined", "by": "Eva", "note": "n", "atMs": 1 },
            "cause": ["the contact a0000000-0000-4000-8000-000000000003"],
        });
        let kept = redactor(false).operation(&operation);
        assert_eq!((&kept["code"], &kept["review"]), (&json!(-520), &json!({ "resolution": "declined", "atMs": 1 })));
        let text = kept.to_string();
        for absent in ["Eva", CONTACT, "till-7-0815", "new"] {
            assert!(!text.contains(absent), "{absent}: {text}");
        }
    }

    #[test]
    fn configuration_keeps_names_and_numbers() {
        let config = json!({
            "apiKey": "hush-key", "proxy": "http://user1:secret1@proxy:3128", "baseUrl": "https://relay.acme/se-cret/x",
            "waitMs": 5, "clientKeyFile": "/secret/key.pem", "newText": "unknown", "journalPath": "/var/lib/x.db",
            "apiMapping": { "keyHeader": "x-api-key", "itemsPath": "/x?contactId={contactId}&code=azure-secret" },
        });
        let kept = redactor(false).config(config.as_object().unwrap());
        assert_eq!((&kept["waitMs"], &kept["proxy"]), (&json!(5), &json!("http://proxy:3128")));
        assert_eq!(kept["apiMapping"]["itemsPath"], "/x?contactId={contactId}&code=(set)");
        let text = kept.to_string();
        for absent in ["hush", "secret", "se-cret", "unknown"] {
            assert!(!text.contains(absent), "{absent}: {text}");
        }
    }
}
