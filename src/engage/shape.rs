//! Checks the shape of an answer without building a tree of it; the bytes themselves are passed on as they came.

use super::errors::{ErrorBody, without_bom};
use crate::code::Code;
use crate::error::{Detail, Error, Result};
use crate::transport::Answer;
use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use uuid::Uuid;

/// A GUID in an answer; only that it is one matters.
pub(crate) struct Guid;

impl<'de> Deserialize<'de> for Guid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Guid;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a GUID")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> std::result::Result<Guid, E> {
                Uuid::try_parse(text).map(|_| Guid).map_err(|_| E::custom("not a GUID"))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// One of Engage's objects, read by the names its fields may have. A field that is null, of another type or not there is none.
#[derive(Default)]
pub(super) struct Object<'a>(HashMap<Cow<'a, str>, &'a RawValue>);

impl<'a> Object<'a> {
    /// None if it is no object.
    pub fn read(raw: &'a RawValue) -> Option<Self> {
        serde_json::from_str(raw.get()).ok().map(Self)
    }

    /// The first of `names` that holds a `T`.
    pub fn one<T: Deserialize<'a>>(&self, names: &[impl AsRef<str>]) -> Option<T> {
        let of = |name: &str| serde_json::from_str::<Option<T>>(self.0.get(name)?.get()).ok().flatten();
        names.iter().find_map(|name| of(name.as_ref()))
    }

    /// A text that is not empty.
    pub fn text(&self, names: &[impl AsRef<str>]) -> Option<String> {
        let of = |name: &_| self.one::<String>(std::slice::from_ref(name)).filter(|text| !text.is_empty());
        names.iter().find_map(of)
    }

    /// A text, or a number in its digits: Engage writes some values as either.
    pub fn digits(&self, names: &[impl AsRef<str>]) -> Option<String> {
        self.text(names).or_else(|| self.one::<serde_json::Number>(names).map(|number| number.to_string()))
    }

    pub fn guid(&self, names: &[impl AsRef<str>]) -> Option<Uuid> {
        let of = |name: &_| Uuid::try_parse(&self.text(std::slice::from_ref(name))?).ok();
        names.iter().find_map(of)
    }
}

/// The body of a read that must be a JSON array of `T`s, verbatim.
pub(crate) fn check_list<T: for<'de> Deserialize<'de>>(answer: Answer, what: &str) -> Result<Vec<u8>> {
    let Ok(text) = std::str::from_utf8(without_bom(&answer.body)) else {
        return Err(bad(&answer, format!("the {what} are not UTF-8")));
    };
    let seen = Cell::new(0);
    let mut json = serde_json::Deserializer::from_str(text);
    let checked = Each::<T> { seen: &seen, kind: PhantomData }.deserialize(&mut json).and_then(|()| json.end());
    if let Err(error) = checked {
        let (line, column) = (error.line(), error.column());
        let place = match error.is_data() && seen.get() > 0 {
            true => format!("element {} of the {what}", seen.get()),
            false => format!("the {what}"),
        };
        // serde's own words may quote a value, so only the kind of the fault is repeated.
        let fault = match error.classify() {
            serde_json::error::Category::Eof => "end too early",
            serde_json::error::Category::Data => "lack a documented field or have it in another type",
            _ => "are not JSON",
        };
        return Err(bad(&answer, format!("{place} {fault} (line {line}, column {column})")));
    }
    Ok(body_without_bom(answer.body))
}

/// The body of a read that must be a JSON string with a GUID in it, verbatim.
pub(crate) fn check_guid(answer: Answer, what: &str) -> Result<Vec<u8>> {
    match serde_json::from_slice::<Guid>(without_bom(&answer.body)) {
        Ok(_) => Ok(body_without_bom(answer.body)),
        Err(_) => Err(bad(&answer, format!("the {what} is not a GUID in quotes"))),
    }
}

/// Takes an envelope `{"items": […], …}` off; anything else stays as it is, to be judged by its own check.
pub(crate) fn without_envelope(answer: Answer) -> Answer {
    #[derive(serde::Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow)]
        items: &'a serde_json::value::RawValue,
    }
    if without_bom(&answer.body).trim_ascii_start().first() != Some(&b'{') {
        return answer;
    }
    let items =
        serde_json::from_slice::<Envelope<'_>>(without_bom(&answer.body)).map(|it| it.items.get().as_bytes().to_vec());
    match items {
        Ok(body) => Answer { body, ..answer },
        Err(_) => answer,
    }
}

pub(crate) fn body_without_bom(mut body: Vec<u8>) -> Vec<u8> {
    let skipped = body.len() - without_bom(&body).len();
    body.drain(..skipped);
    body
}

fn bad(answer: &Answer, says: String) -> Error {
    let page = match ErrorBody::of(answer) {
        ErrorBody::Html => ": a web page answered, so a web filter, a captive portal or a proxy is on the way",
        ErrorBody::Empty => ": the answer is empty",
        _ => "",
    };
    Error::new(Code::BadAnswer, says + page).with_detail(Detail {
        http_status: Some(answer.status),
        attempts: 1,
        ..Detail::default()
    })
}

/// Reads each element of an array as a `T` and drops it.
struct Each<'a, T> {
    seen: &'a Cell<usize>,
    kind: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Each<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Each<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<(), A::Error> {
        loop {
            self.seen.set(self.seen.get() + 1);
            if seq.next_element::<T>()?.is_none() {
                return Ok(());
            }
        }
    }
}
