//! Checks the shape of a response without building a tree of it. The bytes are passed on unchanged.

use super::error_response::{ErrorBody, without_bom};
use super::list_check::{self, FaultKind, Field};
use crate::core::code::Code;
use crate::core::error::{Detail, Error, Result};
use crate::transport::Response;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashMap;
use uuid::Uuid;

/// One of Engage's objects, read by the names that a field may have. A field that is null or of
/// another type counts as absent.
#[derive(Default)]
pub(super) struct Object<'a>(HashMap<Cow<'a, str>, &'a RawValue>);

impl<'a> Object<'a> {
    /// Reads an object. None for another JSON value.
    pub fn read(raw: &'a RawValue) -> Option<Self> {
        serde_json::from_str(raw.get()).ok().map(Self)
    }

    /// Returns the value of the first of `names` that holds a `T`.
    pub fn one<T: Deserialize<'a>>(&self, names: &[impl AsRef<str>]) -> Option<T> {
        let of = |name: &str| serde_json::from_str::<Option<T>>(self.0.get(name)?.get()).ok().flatten();
        names.iter().find_map(|name| of(name.as_ref()))
    }

    /// Returns a text that is not empty.
    pub fn text(&self, names: &[impl AsRef<str>]) -> Option<String> {
        let of = |name: &_| self.one::<String>(std::slice::from_ref(name)).filter(|text| !text.is_empty());
        names.iter().find_map(of)
    }

    /// Returns a text, or the digits of a number: Engage writes some values as either.
    pub fn digits(&self, names: &[impl AsRef<str>]) -> Option<String> {
        self.text(names).or_else(|| self.one::<serde_json::Number>(names).map(|number| number.to_string()))
    }

    pub fn guid(&self, names: &[impl AsRef<str>]) -> Option<Uuid> {
        let of = |name: &_| Uuid::try_parse(&self.text(std::slice::from_ref(name))?).ok();
        names.iter().find_map(of)
    }
}

/// Whether an object says by a field of its own that it is no success: an error, or `success:
/// false`.
pub(super) fn denies_success(raw: &RawValue) -> bool {
    let Some(fields) = Object::read(raw) else { return true };
    let filled = |name: &str| {
        fields.0.get(name).is_some_and(|value| !matches!(value.get(), "null" | "[]" | "{}" | "\"\"" | "false"))
    };
    ["error", "errors", "errorCode", "Error", "Errors", "ErrorCode"].iter().any(|name| filled(name))
        || ["success", "succeeded", "Success"].iter().any(|name| fields.one::<bool>(&[name]) == Some(false))
}

/// Returns the body of a read that must be a JSON array of objects with these fields, unchanged.
pub(crate) fn check_list(response: Response, what: &str, fields: &[Field]) -> Result<Vec<u8>> {
    let Ok(text) = std::str::from_utf8(without_bom(&response.body)) else {
        return Err(bad(&response, format!("the {what} are not UTF-8")));
    };
    let Err(fault) = list_check::check_list(text, fields) else { return Ok(body_without_bom(response.body)) };
    let (line, column) = line_and_column(text, fault.at);
    // The message has the place and the kind of the fault, and never the value.
    let place = match (fault.kind, fault.element) {
        (FaultKind::Shape, 1..) => format!("element {} of the {what}", fault.element),
        _ => format!("the {what}"),
    };
    let says = match fault.kind {
        FaultKind::Shape => "lack a documented field or have it in another type",
        FaultKind::End => "end too early",
        FaultKind::Syntax => "are not JSON",
    };
    Err(bad(&response, format!("{place} {says} (line {line}, column {column})")))
}

/// Returns line and column, both from 1. The column is in bytes.
fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let lines = text.as_bytes()[..at].split(|byte| *byte == b'\n');
    lines.fold((0, 0), |(line, _), bytes| (line + 1, bytes.len() + 1))
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
pub(super) struct Elements {
    pub elements: Vec<Box<RawValue>>,
    /// The list has all elements. A page announces more, or is as long as a page is by default.
    pub complete: bool,
}

/// Engage's pages have this many elements by default (documented for v2).
const PAGE: usize = 100;

/// Returns the elements of a list or of an envelope (`items`, `Items`, `data`) around one. None if
/// it is neither.
pub(super) fn elements(response: &Response) -> Option<Elements> {
    let body = without_bom(&response.body).trim_ascii();
    if body.first() == Some(&b'[') {
        let elements: Vec<Box<RawValue>> = serde_json::from_slice(body).ok()?;
        let complete = elements.is_empty() || !elements.len().is_multiple_of(PAGE);
        return Some(Elements { elements, complete });
    }
    let fields: HashMap<Cow<'_, str>, &RawValue> = serde_json::from_slice(body).ok()?;
    let list = ENVELOPES.iter().find_map(|name| fields.get(*name))?;
    let elements: Vec<Box<RawValue>> = serde_json::from_str(list.get()).ok()?;
    let number =
        |names: [&str; 2]| names.iter().find_map(|name| serde_json::from_str::<f64>(fields.get(*name)?.get()).ok());
    let total = number(["totalCount", "TotalCount"]);
    let offset = number(["offset", "Offset"]).unwrap_or(0.0);
    #[allow(clippy::cast_precision_loss)] // A page is far shorter than 2^53.
    let end = offset + elements.len() as f64;
    let complete = match total {
        Some(total) => offset == 0.0 && end >= total,
        None => offset == 0.0 && (elements.is_empty() || !elements.len().is_multiple_of(PAGE)),
    };
    Some(Elements { elements, complete })
}

/// The names under which an envelope carries its list.
const ENVELOPES: [&str; 3] = ["items", "Items", "data"];

/// Removes an envelope around a list. Anything else stays as it is, for its own check.
pub(crate) fn without_envelope(response: Response) -> Response {
    if without_bom(&response.body).trim_ascii_start().first() != Some(&b'{') {
        return response;
    }
    let fields = serde_json::from_slice::<HashMap<Cow<'_, str>, &RawValue>>(without_bom(&response.body));
    let list = fields.ok().and_then(|fields| {
        ENVELOPES.iter().find_map(|name| fields.get(*name)).map(|list| list.get().as_bytes().to_vec())
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
