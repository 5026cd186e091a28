//! Checks the shape of a response without building a tree of it. The bytes are passed on unchanged.

use super::error_response::{ErrorBody, without_bom};
use super::list_check::{self, Field, Kind};
use crate::config::ApiMapping;
use crate::core::code::Code;
use crate::core::error::{Detail, Error, Result};
use crate::core::nesting::is_parsable;
use crate::transport::{EndReason, Extent, Response};
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use uuid::Uuid;

/// One of Engage's objects, read by the names that a field may have. A field that is null or of
/// another type counts as absent, and so does one that comes twice with different values: which of
/// them Engage means is not known.
#[derive(Default)]
pub(super) struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Object<'a> {
    /// Reads an object. None for another JSON value.
    pub fn read(raw: &'a RawValue) -> Option<Self> {
        serde_json::from_str(raw.get()).ok()
    }

    /// Returns the raw values of a name, in any case.
    fn all(&self, name: &str) -> impl Iterator<Item = &'a RawValue> {
        self.0.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    /// Returns the raw value of a name. A name with dots is a path.
    fn raw(&self, name: &str) -> Option<&'a RawValue> {
        let mut values = self.all(name);
        match (values.next(), name.split_once('.')) {
            (Some(value), _) => values.all(|other| other.get() == value.get()).then_some(value),
            (None, Some((first, rest))) => Object::read(self.raw(first)?)?.raw(rest),
            (None, None) => None,
        }
    }

    /// Returns the value of the first of `names` that holds a `T`.
    pub fn one<T: Deserialize<'a>>(&self, names: &[impl AsRef<str>]) -> Option<T> {
        let of = |name: &str| serde_json::from_str::<Option<T>>(self.raw(name)?.get()).ok().flatten();
        names.iter().find_map(|name| of(name.as_ref()))
    }

    /// Returns a text that is not empty.
    pub fn text(&self, names: &[impl AsRef<str>]) -> Option<String> {
        let of = |name: &_| self.one::<String>(std::slice::from_ref(name)).filter(|text| !text.is_empty());
        names.iter().find_map(of)
    }

    /// Returns a text, or a number with its digits as they came: Engage writes some values as
    /// either.
    pub fn digits(&self, names: &[impl AsRef<str>]) -> Option<String> {
        let number = |raw: &RawValue| raw.get().starts_with(|first: char| first.is_ascii_digit() || first == '-');
        self.text(names).or_else(|| {
            let raw = names.iter().find_map(|name| self.raw(name.as_ref()).filter(|raw| number(raw)))?;
            Some(raw.get().to_owned())
        })
    }

    /// Returns a truth value: a boolean, 0 or 1, or one of them as a text.
    pub fn flag(&self, names: &[impl AsRef<str>]) -> Option<bool> {
        names.iter().find_map(|name| flag(self.raw(name.as_ref())?))
    }

    pub fn guid(&self, names: &[impl AsRef<str>]) -> Option<Uuid> {
        let of = |name: &_| Uuid::try_parse(&self.text(std::slice::from_ref(name))?).ok();
        names.iter().find_map(of)
    }
}

/// The most elements of a list and fields of an object that are read. Engage's have far fewer; a
/// response could have as many as the till has no memory for.
const MOST: usize = 100_000;

/// The elements of a list of at most [`MOST`].
struct List<'a>(Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for List<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = List<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of at most {MOST} elements")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> std::result::Result<Self::Value, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = list.next_element()? {
                    if elements.len() == MOST {
                        return Err(A::Error::invalid_length(MOST + 1, &self));
                    }
                    elements.push(element);
                }
                Ok(List(elements))
            }
        }
        deserializer.deserialize_seq(Reader)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "an object of at most {MOST} fields")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some((Name(name), value)) = map.next_entry()? {
                    if fields.len() == MOST {
                        return Err(A::Error::invalid_length(MOST + 1, &self));
                    }
                    fields.push((name, value));
                }
                Ok(Object(fields))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// A name, which is copied only if it has escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// Reads a truth value.
fn flag(raw: &RawValue) -> Option<bool> {
    match raw.get().trim_matches('"').to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" => Some(true),
        "false" | "0" | "no" => Some(false),
        _ => None,
    }
}

/// Whether an object says by a field of its own that it is no success: an error, or `success:
/// false`.
pub(super) fn denies_success(raw: &RawValue) -> bool {
    let Some(fields) = Object::read(raw) else { return true };
    let any =
        |names: &[&str], says: &dyn Fn(&RawValue) -> bool| names.iter().flat_map(|name| fields.all(name)).any(says);
    let is_filled = |value: &RawValue| !matches!(value.get(), "null" | "[]" | "{}" | "\"\"" | "false");
    let is_bad = |value: &RawValue| {
        let text = serde_json::from_str::<String>(value.get()).unwrap_or_default().to_ascii_lowercase();
        ["error", "failed", "failure", "rejected", "denied"].contains(&text.as_str())
    };
    any(&["error", "errors", "errorCode", "fault", "exception"], &is_filled)
        || any(&["success", "succeeded", "isSuccess", "ok"], &|value| flag(value) == Some(false))
        || any(&["status", "result", "outcome"], &is_bad)
}

/// Returns the body of a read that must be a JSON array of objects with these fields, unchanged. An
/// element that lacks one is left out; the number of those comes beside the list. `end_reason` says
/// why the call is over, if it is.
pub(crate) fn check_list(
    response: Response,
    what: &str,
    fields: &[Field],
    end_reason: impl Fn() -> Option<EndReason>,
) -> Result<(Vec<u8>, usize)> {
    let Ok(text) = std::str::from_utf8(without_bom(&response.body)) else {
        return Err(bad(&response, format!("the {what} are not UTF-8")));
    };
    if list_check::is_list(text, fields) {
        return Ok((body_without_bom(response.body), 0));
    }
    match read_list(text, what, fields, end_reason) {
        Ok(None) => Ok((body_without_bom(response.body), 0)),
        Ok(Some(good)) => Ok(good),
        Err(ReadEnd::Bad(says)) => Err(bad(&response, says)),
        Err(ReadEnd::Over(EndReason::TimedOut)) => Err(Error::of(Code::TimedOut)),
        Err(ReadEnd::Over(EndReason::Cancelled)) => Err(Error::of(Code::Cancelled)),
    }
}

/// Why a list is not read.
#[derive(Debug, PartialEq, Eq)]
enum ReadEnd {
    /// It is not as documented; with the reason in text.
    Bad(String),
    /// The call is over.
    Over(EndReason),
}

/// Reads a list by serde. Returns the elements that have these fields, and the number of the
/// others. None: all have them.
fn read_list(
    text: &str,
    what: &str,
    fields: &[Field],
    end_reason: impl Fn() -> Option<EndReason>,
) -> std::result::Result<Option<(Vec<u8>, usize)>, ReadEnd> {
    let List(elements) = serde_json::from_str(text).map_err(|error| {
        // The message has the place and the kind of the fault, and never the value.
        let says = match error.classify() {
            Category::Eof => "end too early",
            Category::Data if text.trim_start().starts_with('[') => "have too many elements",
            Category::Data => "are not a JSON array",
            Category::Syntax | Category::Io => "are not JSON",
        };
        ReadEnd::Bad(format!("the {what} {says} (line {}, column {})", error.line(), error.column()))
    })?;
    let mut good = Vec::new();
    for (at, raw) in elements.iter().enumerate() {
        if let Some(reason) = (at % 64 == 0).then(&end_reason).flatten() {
            return Err(ReadEnd::Over(reason));
        }
        if has_fields(raw, fields) {
            good.push(*raw);
        }
    }
    match elements.len() - good.len() {
        0 => Ok(None),
        // A list of which nothing is understood is an error, and no empty list.
        _ if good.is_empty() => {
            let says =
                format!("no element of the {what} has the documented fields, each once and in its documented type");
            Err(ReadEnd::Bad(says))
        }
        skipped => Ok(Some((serde_json::to_vec(&good).unwrap_or_default(), skipped))),
    }
}

/// Returns one of Engage's objects for hosts, unchanged; empty if a host could not parse it.
pub(super) fn for_hosts(raw: &RawValue) -> String {
    if is_parsable(raw.get()) { raw.get().to_owned() } else { String::new() }
}

/// Whether an element is an object with these fields, each once, that a host can read. Numbers
/// count by value: `500.0` is a whole one.
fn has_fields(raw: &RawValue, fields: &[Field]) -> bool {
    let Some(object) = Object::read(raw) else { return false };
    if !is_parsable(raw.get()) {
        return false;
    }
    fields.iter().all(|(name, kind)| match kind {
        _ if object.all(name).count() > 1 => false,
        Kind::Guid => object.guid(&[name]).is_some(),
        Kind::Number => object.one::<f64>(&[name]).is_some(),
        Kind::Natural => object.one::<f64>(&[name]).is_some_and(|value| value >= 0.0 && value.fract() == 0.0),
    })
}

/// Returns the body of a read that must be a JSON string with a GUID in it, unchanged.
pub(crate) fn check_guid(response: Response, what: &str) -> Result<Vec<u8>> {
    let text = serde_json::from_slice::<String>(without_bom(&response.body));
    match text.is_ok_and(|text| Uuid::try_parse(&text).is_ok()) {
        true => Ok(body_without_bom(response.body)),
        false => Err(bad(&response, format!("the {what} is not a GUID in quotes"))),
    }
}

/// The elements of a list, however it is wrapped.
pub(super) struct Elements<'a> {
    pub elements: Vec<&'a RawValue>,
    /// The list has all elements. A page announces more, or is as long as a page is by default.
    pub complete: bool,
}

/// Engage's pages have this many elements by default (documented for v2).
const PAGE: usize = 100;

/// Returns the elements of a list, or of an envelope around one. None if it is neither.
pub(super) fn elements<'a>(response: &'a Response, mapping: &ApiMapping) -> Option<Elements<'a>> {
    let body = std::str::from_utf8(without_bom(&response.body)).ok()?.trim();
    let Extent { is_cached, has_next, total } = response.extent;
    let is_all = |count: usize| !is_cached && !has_next && total.is_none_or(|total| count as u64 >= total);
    let whole = |count: usize| is_all(count) && (count == 0 || !count.is_multiple_of(PAGE));
    if body.starts_with('[') {
        let List(elements) = serde_json::from_str(body).ok()?;
        let complete = whole(elements.len());
        return Some(Elements { elements, complete });
    }
    let envelope = Object::read(serde_json::from_str(body).ok()?)?;
    let List(elements) = envelope.one(&mapping.envelope_fields)?;
    let number = |names: &[String]| envelope.digits(names).and_then(|digits| digits.parse::<f64>().ok());
    let offset = number(&mapping.offset_fields).unwrap_or(0.0);
    let counted = match number(&mapping.total_count_fields) {
        // A page is far shorter than 2^53.
        #[allow(clippy::cast_precision_loss)]
        Some(total) => total >= 0.0 && elements.len() as f64 >= total && is_all(elements.len()),
        // A number that cannot be read may be any.
        None => {
            !mapping.total_count_fields.iter().any(|name| envelope.all(name).next().is_some()) && whole(elements.len())
        }
    };
    // A field that is not known may say that there are further pages.
    let names = [&mapping.envelope_fields, &mapping.total_count_fields, &mapping.offset_fields];
    let is_known = |key: &str| {
        key.eq_ignore_ascii_case("count")
            || names.iter().any(|names| names.iter().any(|name| key.eq_ignore_ascii_case(name)))
    };
    let lists = mapping.envelope_fields.iter().filter(|name| envelope.raw(name).is_some()).count();
    let complete = offset == 0.0 && counted && lists == 1 && envelope.0.iter().all(|(key, _)| is_known(key));
    Some(Elements { elements, complete })
}

/// Removes an envelope around a list. Anything else stays as it is, for its own check.
pub(crate) fn without_envelope(response: Response, mapping: &ApiMapping) -> Response {
    if without_bom(&response.body).trim_ascii_start().first() != Some(&b'{') {
        return response;
    }
    let list = std::str::from_utf8(without_bom(&response.body)).ok().and_then(|body| {
        let envelope = Object::read(serde_json::from_str(body).ok()?)?;
        envelope.one::<&RawValue>(&mapping.envelope_fields).map(|list| list.get().as_bytes().to_vec())
    });
    match list {
        Some(body) => Response { body, ..response },
        None => response,
    }
}

pub(crate) fn body_without_bom(mut body: Vec<u8>) -> Vec<u8> {
    let skipped = body.len() - without_bom(&body).len();
    body.drain(..skipped);
    body
}

fn bad(response: &Response, says: String) -> Error {
    let page = match ErrorBody::of(response) {
        ErrorBody::Html => {
            ": the response is a web page. Check for a web filter, a captive portal or a proxy on the way"
        }
        ErrorBody::Empty => ": the response is empty",
        _ => "",
    };
    Error::new(Code::InvalidResponse, says + page).with_detail(Detail {
        http_status: Some(response.status),
        attempts: 1,
        ..Detail::default()
    })
}

#[cfg(test)]
mod tests;
