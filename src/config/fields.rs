//! Reads a JSON object of settings (the configuration, a call's options) field by field. An error
//! names the key, the type that was found and the values that are allowed. A value is never
//! printed, because it may be a secret.

use crate::core::code::Code;
use crate::core::error::{Error, Result};
use crate::secret::Secret;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::fmt;
use std::ops::RangeInclusive;

/// An object being read. A key that is asked for is known; [`Fields::finish`] rejects the rest.
pub(crate) struct Fields {
    code: Code,
    what: &'static str,
    values: Values,
    known: Vec<&'static str>,
}

impl Fields {
    /// Parses `text`. `code` is the code of every error; `what` names the object in messages
    /// (`config_json`). A byte order mark is skipped. A repeated key, at any depth, is an error.
    pub fn parse(text: &str, code: Code, what: &'static str) -> Result<Self> {
        let repeated = RefCell::new(None);
        let mut json = serde_json::Deserializer::from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
        let parsed = UniqueKeys { repeated: &repeated }.deserialize(&mut json);
        match parsed.and_then(|value| json.end().map(|()| value)) {
            Ok(Value::Object(values)) => Ok(Self { code, what, values: Values(values), known: Vec::new() }),
            Ok(other) => Err(Error::new(code, format!("{what} must be a JSON object, not {}", kind(&other)))),
            Err(error) => Err(Error::new(
                code,
                match repeated.take() {
                    Some(key) => format!("{what}: {} is repeated; give it once", shown(&key)),
                    None => format!(
                        "{what} is not JSON: line {}, column {}: {}",
                        error.line(),
                        error.column(),
                        reason(&error)
                    ),
                },
            )),
        }
    }

    /// Returns an object without any key, for absent options.
    pub fn empty(code: Code, what: &'static str) -> Self {
        Self { code, what, values: Values::default(), known: Vec::new() }
    }

    fn take(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.values.0.remove(key).filter(|value| !value.is_null())
    }

    fn wrong(&self, key: &str, expected: &str, found: &Value) -> Error {
        Error::new(self.code, format!("{}: {key} must be {expected}, not {}", self.what, kind(found)))
    }

    /// Returns an error about one key of this object.
    pub fn error(&self, key: &str, says: &str) -> Error {
        Error::new(self.code, format!("{}: {key} {says}", self.what))
    }

    pub fn string(&mut self, key: &'static str) -> Result<Option<String>> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::String(text)) if text.is_empty() => {
                Err(self.error(key, "is empty; give it a value or leave it out"))
            }
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong(key, "a string", &other)),
        }
    }

    pub fn required_string(&mut self, key: &'static str, example: &str) -> Result<String> {
        match self.string(key)? {
            Some(text) => Ok(text),
            None => Err(self.error(key, &format!("is missing; for example {example}"))),
        }
    }

    /// Reads one of several words. The first one is the default.
    pub fn choice<T: Copy>(&mut self, key: &'static str, choices: &[(&str, T)]) -> Result<T> {
        let word = self.string(key)?;
        let chosen = match &word {
            None => choices.first(),
            Some(word) => choices.iter().find(|(name, _)| name == word),
        };
        chosen.map(|&(_, value)| value).ok_or_else(|| {
            let words: Vec<String> = choices.iter().map(|(name, _)| format!("\"{name}\"")).collect();
            self.error(key, &format!("must be {}", words.join(" or ")))
        })
    }

    pub fn flag(&mut self, key: &'static str, default: bool) -> Result<bool> {
        match self.take(key) {
            None => Ok(default),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(other) => Err(self.wrong(key, "true or false", &other)),
        }
    }

    pub fn optional_flag(&mut self, key: &'static str) -> Result<Option<bool>> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(other) => Err(self.wrong(key, "true or false", &other)),
        }
    }

    pub fn integer(&mut self, key: &'static str, default: u64, range: RangeInclusive<u64>) -> Result<u64> {
        match self.take(key) {
            None => Ok(default),
            Some(value) => self.in_range(key, &value, &range),
        }
    }

    pub fn integers(&mut self, key: &'static str, default: &[u64], range: RangeInclusive<u64>) -> Result<Vec<u64>> {
        match self.take(key) {
            None => Ok(default.to_vec()),
            Some(Value::Array(values)) if (1..=16).contains(&values.len()) => {
                values.iter().map(|value| self.in_range(key, value, &range)).collect()
            }
            Some(Value::Array(_)) => Err(self.error(key, "must hold 1 to 16 numbers")),
            Some(other) => Err(self.wrong(key, "an array of whole numbers", &other)),
        }
    }

    /// Reads an array of texts, or one text as an array of one.
    pub fn strings(&mut self, key: &'static str, default: Vec<String>) -> Result<Vec<String>> {
        let Some(value) = self.take(key) else { return Ok(default) };
        let expected = "an array of one or more strings, none of them empty";
        let texts: Option<Vec<String>> = match &value {
            Value::String(text) => Some(vec![text.clone()]),
            Value::Array(values) => values.iter().map(|value| value.as_str().map(str::to_owned)).collect(),
            _ => return Err(self.wrong(key, "an array of strings", &value)),
        };
        match texts {
            Some(texts) if !texts.is_empty() && !texts.contains(&String::new()) => Ok(texts),
            _ => Err(self.error(key, &format!("must be {expected}"))),
        }
    }

    /// Reads an object inside this one. An absent object is empty.
    pub fn object(&mut self, key: &'static str, what: &'static str) -> Result<Self> {
        match self.take(key) {
            None => Ok(Self::empty(self.code, what)),
            Some(Value::Object(values)) => {
                Ok(Self { code: self.code, what, values: Values(values), known: Vec::new() })
            }
            Some(other) => Err(self.wrong(key, "an object", &other)),
        }
    }

    fn in_range(&self, key: &str, value: &Value, range: &RangeInclusive<u64>) -> Result<u64> {
        let allowed = format!("a whole number from {} to {}", range.start(), range.end());
        match value.as_u64() {
            Some(number) if range.contains(&number) => Ok(number),
            _ if value.is_number() => Err(self.error(key, &format!("must be {allowed}, not {value}"))),
            _ => Err(self.wrong(key, &allowed, value)),
        }
    }

    /// Rejects a key that was not asked for.
    pub fn finish(self) -> Result<()> {
        let Some(unknown) = self.values.0.keys().next() else { return Ok(()) };
        let allowed = match self.known.len() {
            0 => "no key is allowed here".to_owned(),
            _ => format!("allowed: {}", self.known.join(", ")),
        };
        let meant = self.known.iter().map(|known| (differences(shown(unknown), known), *known)).min();
        let meant = meant.filter(|(count, known)| *count <= 2 && 2 * count < known.len());
        let hint = meant.map_or_else(String::new, |(_, known)| format!("did you mean {known}? "));
        Err(Error::new(self.code, format!("{}: unknown key {}; {hint}{allowed}", self.what, shown(unknown))))
    }
}

/// Returns how many letters must be added, removed or replaced to make one key of another, apart
/// from case and underscores.
fn differences(one: &str, other: &str) -> usize {
    let [one, other] = [one, other].map(|key| key.replace('_', "").to_ascii_lowercase());
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.bytes().enumerate() {
        let (mut left, mut above_left) = (at + 1, at);
        for (cell, known) in std::iter::zip(row.iter_mut().skip(1), other.bytes()) {
            left = (above_left + usize::from(letter != known)).min(left + 1).min(*cell + 1);
            above_left = std::mem::replace(cell, left);
        }
    }
    row.last().copied().unwrap_or_default()
}

/// The values that were not read yet.
#[derive(Default)]
struct Values(Map<String, Value>);

impl Drop for Values {
    /// Overwrites the texts: after an error, one of them may be a secret that nobody has read.
    fn drop(&mut self) {
        for (_, value) in std::mem::take(&mut self.0) {
            if let Value::String(text) = value {
                drop(Secret::new(text));
            }
        }
    }
}

/// Reads any JSON value and rejects an object that has a key twice. serde_json's own `Value` keeps
/// the last one.
#[derive(Clone, Copy)]
struct UniqueKeys<'a> {
    /// Gets the key that is repeated.
    repeated: &'a RefCell<Option<String>>,
}

impl<'de> DeserializeSeed<'de> for UniqueKeys<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> std::result::Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for UniqueKeys<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> std::result::Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> std::result::Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = elements.next_element_seed(self)? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> std::result::Result<Value, A::Error> {
        let mut values = Values::default();
        while let Some(key) = members.next_key::<String>()? {
            if values.0.contains_key(&key) {
                *self.repeated.borrow_mut() = Some(key);
                return Err(A::Error::custom("a key is repeated"));
            }
            let value = members.next_value_seed(self)?;
            values.0.insert(key, value);
        }
        Ok(Value::Object(std::mem::take(&mut values.0)))
    }
}

/// Returns a key for a message. Only a key that looks like one is shown: another text may be a
/// misplaced secret.
fn shown(key: &str) -> &str {
    let is_key = key.len() <= 40 && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_key { key } else { "(not printable)" }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// Returns the parser's message without the position, which the caller adds.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Fields {
        Fields::parse(text, Code::BadOptions, "options").unwrap()
    }

    fn message<T>(result: Result<T>) -> String {
        result.map(|_| ()).unwrap_err().message().to_owned()
    }

    #[test]
    fn texts_are_a_list_or_one_text() {
        let read = |text: &str| fields(text).strings("names", vec!["default".into()]);
        assert_eq!(read("{}").unwrap(), ["default"]);
        assert_eq!(read(r#"{"names":null}"#).unwrap(), ["default"]);
        assert_eq!(read(r#"{"names":"a"}"#).unwrap(), ["a"]);
        assert_eq!(read(r#"{"names":["a","b"]}"#).unwrap(), ["a", "b"]);
        for text in [r#"{"names":[]}"#, r#"{"names":["a",""]}"#, r#"{"names":[1]}"#, r#"{"names":""}"#] {
            assert!(message(read(text)).contains("one or more strings, none of them empty"), "{text}");
        }
        assert!(message(read(r#"{"names":7}"#)).contains("an array of strings, not a number"));
    }

    #[test]
    fn flag_is_a_boolean_or_absent() {
        let flag = |text: &str| fields(text).optional_flag("on");
        assert_eq!(
            [flag("{}"), flag(r#"{"on":true}"#), flag(r#"{"on":false}"#)].map(Result::unwrap),
            [None, Some(true), Some(false)]
        );
        assert!(message(flag(r#"{"on":"yes"}"#)).contains("true or false, not a string"));
        let with_default = |text: &str, default| fields(text).flag("on", default).unwrap();
        assert_eq!([with_default("{}", true), with_default("{}", false)], [true, false]);
        assert!(!with_default(r#"{"on":false}"#, true) && with_default(r#"{"on":true}"#, false));
    }

    #[test]
    fn key_that_may_be_a_secret_is_not_shown() {
        let unknown = |key: &str| message(fields(&format!("{{\"{key}\":1}}")).finish());
        let (longest, longer) = ("a".repeat(40), "a".repeat(41));
        assert!(unknown(&longest).contains(&longest) && unknown("a_b").contains("unknown key a_b"));
        assert!(unknown(&longer).contains("(not printable)") && unknown("a b").contains("(not printable)"));
        assert!(unknown("a").ends_with("no key is allowed here"));
        let mut known = fields(r#"{"a":1,"b":2}"#);
        assert_eq!(known.integer("a", 0, 0..=9).unwrap(), 1);
        assert!(message(known.finish()).ends_with("unknown key b; allowed: a"));
    }

    #[test]
    fn misspelt_key_is_named_with_the_one_that_is_meant() {
        let unknown = |key: &str| {
            let mut read = fields(&format!("{{\"{key}\":1}}"));
            for known in ["apiKey", "waitMs", "requestTimeoutMs", "logFile", "logFiles", "by"] {
                let _ = read.take(known);
            }
            message(read.finish())
        };
        for (key, meant) in [
            ("waitMS", "waitMs"),
            ("api_key", "apiKey"),
            ("API_KEY", "apiKey"),
            ("requestTimeout", "requestTimeoutMs"),
            ("reqestTimoutMs", "requestTimeoutMs"),
            ("logfiles", "logFiles"),
            ("logFle", "logFile"),
            ("wiatMs", "waitMs"),
            ("BY", "by"),
        ] {
            let says = unknown(key);
            assert!(says.contains(&format!("unknown key {key}; did you mean {meant}? allowed: apiKey, ")), "{says}");
        }
        for key in ["timeout", "me", "apis", "aaiKyeyy", "logs"] {
            assert!(!unknown(key).contains("mean"), "{key}: {}", unknown(key));
        }
    }

    #[test]
    fn every_kind_of_value_is_read_once() {
        let text = r#"{"a":[null,true,-1,1,0.5,"x",{"b":{}}]}"#;
        let mut read = fields(text);
        assert_eq!(read.take("a").unwrap().to_string(), r#"[null,true,-1,1,0.5,"x",{"b":{}}]"#);
        for (value, kind) in [("true", "a boolean"), ("[]", "an array"), ("{}", "an object"), ("7", "a number")] {
            let wrong = message(fields(&format!("{{\"a\":{value}}}")).string("a"));
            assert!(wrong.ends_with(&format!("a must be a string, not {kind}")), "{wrong}");
        }
        let inner = message(Fields::parse(r#"{"a":[{"b":1,"b":2}]}"#, Code::BadOptions, "options").map(|_| ()));
        assert!(inner.contains("b is repeated"), "{inner}");
    }
}
