//! Reads a JSON object of settings (the configuration, a call's options) field by field.
//! Whatever is wrong, the error names the key, says what was found and what is allowed; a value is never printed, it may be a secret.

use crate::core::code::Code;
use crate::core::error::{Error, Result};
use crate::secret::Secret;
use serde_json::{Map, Value};
use std::ops::RangeInclusive;

/// An object being read. Every key that is asked for is known; [`Fields::finish`] refuses the rest.
pub(crate) struct Fields {
    code: Code,
    what: &'static str,
    values: Map<String, Value>,
    known: Vec<&'static str>,
}

impl Fields {
    /// `code` is the code of every error, `what` names the object in messages (`config_json`).
    pub fn parse(text: &str, code: Code, what: &'static str) -> Result<Self> {
        match serde_json::from_str(text) {
            Ok(Value::Object(values)) => Ok(Self { code, what, values, known: Vec::new() }),
            Ok(other) => Err(Error::new(code, format!("{what} must be a JSON object, not {}", kind(&other)))),
            Err(error) => Err(Error::new(
                code,
                format!("{what} is not JSON: line {}, column {}: {}", error.line(), error.column(), reason(&error)),
            )),
        }
    }

    /// An object without any key, for absent options.
    pub fn empty(code: Code, what: &'static str) -> Self {
        Self { code, what, values: Map::new(), known: Vec::new() }
    }

    fn take(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.values.remove(key).filter(|value| !value.is_null())
    }

    fn wrong(&self, key: &str, expected: &str, found: &Value) -> Error {
        Error::new(self.code, format!("{}: {key} must be {expected}, not {}", self.what, kind(found)))
    }

    /// An error about one key of this object.
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

    pub fn strings(&mut self, key: &'static str, default: Vec<String>) -> Result<Vec<String>> {
        let Some(value) = self.take(key) else { return Ok(default) };
        let texts = value
            .as_array()
            .map(|values| values.iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>());
        match (texts, value.as_array()) {
            (Some(texts), Some(values))
                if !texts.is_empty() && texts.len() == values.len() && !texts.contains(&String::new()) =>
            {
                Ok(texts)
            }
            (None, _) => Err(self.wrong(key, "an array of strings", &value)),
            _ => Err(self.error(key, "must be an array of one or more strings, none of them empty")),
        }
    }

    /// An object inside this one; its complaints name it. Absent is empty.
    pub fn object(&mut self, key: &'static str, what: &'static str) -> Result<Self> {
        match self.take(key) {
            None => Ok(Self::empty(self.code, what)),
            Some(Value::Object(values)) => Ok(Self { code: self.code, what, values, known: Vec::new() }),
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

    /// Refuses what was not asked for.
    pub fn finish(self) -> Result<()> {
        let Some(unknown) = self.values.keys().next() else { return Ok(()) };
        let allowed = match self.known.len() {
            0 => "no key is allowed here".to_owned(),
            _ => format!("allowed: {}", self.known.join(", ")),
        };
        // Only a key that looks like one is repeated: anything else may be a misplaced secret.
        let shown = match unknown.len() <= 40 && unknown.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            true => unknown.as_str(),
            false => "(not printable)",
        };
        Err(Error::new(self.code, format!("{}: unknown key {shown}; {allowed}", self.what)))
    }
}

impl Drop for Fields {
    /// What nobody has taken may be a secret: it is there when an error has ended the reading.
    fn drop(&mut self) {
        for (_, value) in std::mem::take(&mut self.values) {
            if let Value::String(text) = value {
                drop(Secret::new(text));
            }
        }
    }
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

/// The parser's complaint without the position, which is said apart.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}
