//! What a response looks like: its kind, and the names and types of its fields. No value leaves
//! this module but words of a status, a type and a code. No I/O.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

/// A response as it came.
#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    pub content_type: Option<String>,
    pub has_date: bool,
    pub took_ms: u64,
    pub body: Body,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    Json(Value),
    Empty,
    Html,
    Text,
}

impl Body {
    pub fn read(bytes: &[u8]) -> Self {
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes).trim_ascii();
        if bytes.is_empty() {
            return Body::Empty;
        }
        match serde_json::from_slice(bytes) {
            Ok(value) => Body::Json(value),
            Err(_) if bytes[0] == b'<' => Body::Html,
            Err(_) => Body::Text,
        }
    }

    pub fn json(&self) -> Option<&Value> {
        match self {
            Body::Json(value) => Some(value),
            _ => None,
        }
    }
}

/// A list, and the names around it.
#[derive(Debug, Clone, Default)]
pub struct List {
    pub rows: Vec<Value>,
    /// The field that holds the list. None: a bare array.
    pub envelope: Option<String>,
    /// The other fields of the envelope: the numbers.
    pub numbers: BTreeMap<String, f64>,
    /// Other names, which the library takes for a sign of further pages.
    pub others: Vec<String>,
}

impl List {
    /// Reads a list, bare or in an envelope.
    pub fn read(value: &Value) -> Option<Self> {
        if let Value::Array(rows) = value {
            return Some(Self { rows: rows.clone(), ..Self::default() });
        }
        let object = value.as_object()?;
        let (name, rows) = object.iter().find_map(|(name, value)| Some((name, value.as_array()?)))?;
        let number = |(name, value): (&String, &Value)| Some((name.clone(), value.as_f64()?));
        let others = object.iter().filter(|(key, value)| *key != name && !value.is_number());
        Some(Self {
            rows: rows.clone(),
            envelope: Some(name.clone()),
            numbers: object.iter().filter_map(number).collect(),
            others: others.map(|(key, _)| key.clone()).collect(),
        })
    }

    /// Returns the first number whose name holds one of the words.
    pub fn number(&self, words: &[&str]) -> Option<(&str, f64)> {
        let holds = |name: &str| words.iter().any(|word| name.to_ascii_lowercase().contains(word));
        self.numbers.iter().find(|(name, _)| holds(name)).map(|(name, number)| (name.as_str(), *number))
    }
}

/// Returns array, envelope, page, object, empty, web page or text.
pub fn kind(body: &Body) -> String {
    match body {
        Body::Empty => "no body".into(),
        Body::Html => "a web page".into(),
        Body::Text => "text, not JSON".into(),
        Body::Json(value) => match (value, List::read(value)) {
            (Value::Array(rows), _) => format!("array of {}", rows.len()),
            (_, Some(list)) => {
                let total = list.number(&["total"]).map_or(0.0, |(_, total)| total);
                let rows = list.rows.len();
                #[allow(clippy::cast_precision_loss)] // A page is far shorter than 2^53.
                let word = if total > rows as f64 { "page" } else { "envelope" };
                format!("{word} of {rows} in {}", list.envelope.unwrap_or_default())
            }
            (Value::Object(_), None) => "object".into(),
            _ => type_of(value).into(),
        },
    }
}

pub fn is_guid(value: &Value) -> bool {
    guid(value).is_some()
}

pub fn guid(value: &Value) -> Option<Uuid> {
    Uuid::try_parse(value.as_str()?).ok()
}

pub fn is_time(value: &Value) -> bool {
    value.as_str().is_some_and(|text| {
        OffsetDateTime::parse(text, &Rfc3339).is_ok()
            || (text.len() >= 19 && text.as_bytes()[10] == b'T' && text.as_bytes()[..4].iter().all(u8::is_ascii_digit))
    })
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) if is_guid(value) => "guid",
        Value::String(_) if is_time(value) => "time",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The names of fields whose words say something about the API and nothing about a member.
const WORDS: &[&str] = &["status", "state", "type", "valuetype", "code", "errorcode"];

/// Returns the fields of a value by their paths, with the types that they have and the words of
/// those that are no person's.
pub fn fields(value: &Value) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, (BTreeSet<&'static str>, BTreeSet<String>)> = BTreeMap::new();
    visit(value, "", &mut found);
    let line = |(path, (types, words)): (String, (BTreeSet<&'static str>, BTreeSet<String>))| {
        let types = types.into_iter().collect::<Vec<_>>().join("|");
        let words = words.into_iter().collect::<Vec<_>>().join(", ");
        (path, if words.is_empty() { types } else { format!("{types}: {words}") })
    };
    found.into_iter().map(line).collect()
}

type Found = BTreeMap<String, (BTreeSet<&'static str>, BTreeSet<String>)>;

fn visit(value: &Value, path: &str, found: &mut Found) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| visit(value, &format!("{path}[]"), found)),
        Value::Object(fields) => {
            for (name, value) in fields {
                let name = if is_name(name) { name.as_str() } else { "(name)" };
                visit(value, &if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }, found);
            }
        }
        _ => {}
    }
    if !path.is_empty() && !path.ends_with("[]") {
        let entry = found.entry(path.to_owned()).or_default();
        entry.0.insert(type_of(value));
        let last = path.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
        if WORDS.contains(&last.as_str()) {
            entry.1.extend(word(value));
        }
    }
}

/// Returns a value that is a word or a small number.
pub fn word(value: &Value) -> Option<String> {
    let word = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) if number.as_u64().is_some_and(|number| number < 1_000) => number.to_string(),
        _ => return None,
    };
    let is_word = !word.is_empty() && word.len() <= 40 && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (is_word && word.bytes().filter(u8::is_ascii_digit).count() <= 4).then_some(word)
}

fn is_name(name: &str) -> bool {
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-$".contains(&byte));
    is_plain && name.len() <= 60 && name.bytes().filter(u8::is_ascii_digit).count() <= 4
}

/// Returns the words of an error body that may be names of fields.
pub fn names_in(body: &Body) -> Vec<String> {
    let Body::Json(value) = body else { return Vec::new() };
    let text = value.to_string();
    let words = text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| (3..=40).contains(&word.len()) && word.starts_with(|c: char| c.is_ascii_lowercase()));
    let mut names: Vec<String> = words.map(str::to_owned).collect();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_have_types_and_no_value_of_a_person() {
        let value = json!([
            { "id": "a0000000-0000-4000-8000-000000000001", "name": "Eva Ek", "status": "Completed", "on": null,
              "a0000000-0000-4000-8000-000000000002": 1, "sub": { "type": "POS", "amount": 1.5 } },
            { "id": "a0000000-0000-4000-8000-000000000003", "status": "4670123456789", "on": "2026-03-20T13:53:08Z" },
        ]);
        let found = fields(&value);
        let shown = format!("{found:?}");
        for secret in ["Eva", "a0000000", "4670123456789", "2026"] {
            assert!(!shown.contains(secret), "{shown}");
        }
        assert_eq!(found["[].status"], "string: Completed");
        assert_eq!(found["[].on"], "null|time");
        assert_eq!(found["[].sub.type"], "string: POS");
        assert_eq!(found["[].id"], "guid");
    }

    #[test]
    fn kind_of_each_body_is_named() {
        let kind = |text: &str| kind(&Body::read(text.as_bytes()));
        assert_eq!(kind("[1,2]"), "array of 2");
        assert_eq!(kind(r#"{"rows":[1],"total":1}"#), "envelope of 1 in rows");
        assert_eq!(kind(r#"{"rows":[1],"total":5}"#), "page of 1 in rows");
        assert_eq!(kind(""), "no body");
        assert_eq!(kind("<html>"), "a web page");
        assert_eq!(kind("oops"), "text, not JSON");
    }
}
