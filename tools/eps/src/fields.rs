//! Reads fields of JSON objects as the library does: names match in any case, and a name may be a
//! path with dots.

use crate::Result;
use crate::failure::{Exit, Failure};
use serde_json::Value;
use uuid::Uuid;

/// Parses JSON that the library has made.
pub fn parse(json: &[u8]) -> Result<Value> {
    serde_json::from_slice(json).map_err(|error| Failure::new(Exit::Found, format!("the result is not JSON: {error}")))
}

/// Returns the field of a path.
pub fn field<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(object, |at, name| {
        at.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    })
}

/// Returns the first field of a mapping's names that is there and not null.
pub fn first<'a>(object: &'a Value, names: &Value) -> Option<&'a Value> {
    let one = names.as_str().map(|name| vec![name]);
    let names = one.unwrap_or_else(|| names.as_array().into_iter().flatten().filter_map(Value::as_str).collect());
    names.into_iter().filter_map(|name| field(object, name)).find(|value| !value.is_null())
}

/// Returns the GUIDs of a mapping's names.
pub fn guids(object: &Value, names: &Value) -> Vec<Uuid> {
    let names = names.as_array().into_iter().flatten().filter_map(Value::as_str);
    names.filter_map(|name| Uuid::try_parse(field(object, name)?.as_str()?).ok()).collect()
}

/// Returns a string field, or an empty text.
pub fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object[name].as_str().unwrap_or_default()
}

/// Returns a value as people read it.
pub fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
