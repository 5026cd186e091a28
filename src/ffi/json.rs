//! Reads values of JSON texts and writes JSON strings, for programs without a JSON library.

use crate::core::code::Code;
use crate::core::error::{Error, Result};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Returns the value at a pointer (RFC 6901): a string without its quotes and escapes, anything
/// else as it stands in `json`.
pub(crate) fn get(json: &[u8], pointer: &str) -> Result<Vec<u8>> {
    if json.is_empty() {
        return Err(Error::new(Code::EmptyArgument, "buffer is empty: pass the result of a call, before its disposal"));
    }
    let not_json = |_| Error::new(Code::BadOptions, "buffer does not hold JSON");
    let mut value: &RawValue = serde_json::from_slice(json).map_err(not_json)?;
    for token in tokens(pointer)? {
        value = child(value.get(), &token).ok_or_else(|| {
            Error::new(Code::BadOptions, format!("buffer has no value at pointer {}", shown(pointer)))
        })?;
    }
    let text = value.get();
    if !text.starts_with('"') {
        return Ok(text.into());
    }
    let unquoted: std::result::Result<String, _> = serde_json::from_str(text);
    unquoted.map(String::into_bytes).map_err(|_| {
        Error::new(Code::BadOptions, format!("the string at pointer {} is half a character", shown(pointer)))
    })
}

/// Returns a text as a JSON string.
pub(crate) fn quote(text: &str) -> Vec<u8> {
    serde_json::Value::from(text).to_string().into_bytes()
}

/// Returns the keys and indexes of a pointer.
fn tokens(pointer: &str) -> Result<Vec<String>> {
    let wrong = |says| Error::new(Code::BadOptions, format!("pointer {} {says}", shown(pointer)));
    if !pointer.is_empty() && !pointer.starts_with('/') {
        return Err(wrong("must be empty or begin with /, for example \"/operationId\""));
    }
    let unescaped = |token: &str| {
        let escapes = token.split('~').skip(1);
        match escapes.into_iter().all(|rest| rest.starts_with(['0', '1'])) {
            true => Ok(token.replace("~1", "/").replace("~0", "~")),
            false => Err(wrong("has a ~ without 0 or 1 behind it")),
        }
    };
    pointer.split('/').skip(1).map(unescaped).collect()
}

/// Returns a member of an object or an element of an array.
fn child<'a>(json: &'a str, token: &str) -> Option<&'a RawValue> {
    match json.as_bytes().first()? {
        b'{' => serde_json::from_str::<BTreeMap<String, &RawValue>>(json).ok()?.remove(token),
        b'[' => {
            let is_index = token == "0" || (!token.starts_with('0') && token.bytes().all(|byte| byte.is_ascii_digit()));
            let index: usize = token.parse().ok().filter(|_| is_index)?;
            serde_json::from_str::<Vec<&RawValue>>(json).ok()?.get(index).copied()
        }
        _ => None,
    }
}

/// Returns the beginning of a pointer for a message.
fn shown(pointer: &str) -> String {
    format!("{:?}", pointer.chars().take(100).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#" {"a":{"b":[10, 500.00,"x\n\u00e5\"y",null,{"":true}]},"m/n":1,"~t":2,"e":"","d":1,"d":2} "#;

    fn at(pointer: &str) -> String {
        String::from_utf8(get(JSON.as_bytes(), pointer).unwrap_or_else(|error| panic!("{error}"))).unwrap()
    }

    #[test]
    fn get_existing_value_returns_it_unquoted_or_as_it_stands() {
        for (pointer, value) in [
            ("/a/b/0", "10"),
            ("/a/b/1", "500.00"),
            ("/a/b/2", "x\nå\"y"),
            ("/a/b/3", "null"),
            ("/a/b/4/", "true"),
            ("/a/b/4", r#"{"":true}"#),
            ("/m~1n", "1"),
            ("/~0t", "2"),
            ("/e", ""),
            ("/d", "2"),
            ("", JSON.trim()),
        ] {
            assert_eq!(at(pointer), value, "{pointer}");
        }
        assert_eq!(get(br#""4711""#, "").unwrap(), b"4711");
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert_eq!(get(deep.as_bytes(), "/0").unwrap().len(), deep.len() - 2);
    }

    #[test]
    fn get_absent_value_or_wrong_pointer_is_bad_options() {
        for pointer in ["/x", "/a/b/5", "/a/b/-", "/a/b/01", "/a/b/+1", "/a/b/", "/a/b/0/0", "/e/0", "a", "/~2", "/a~"]
        {
            let error = get(JSON.as_bytes(), pointer).unwrap_err();
            assert_eq!(error.code(), Code::BadOptions, "{pointer}");
            assert!(error.message().contains("pointer"), "{}", error.message());
        }
        for json in ["{", "x", "{} {}", "\u{feff}{}", r#"{"a":1"#] {
            assert_eq!(get(json.as_bytes(), "/a").unwrap_err().code(), Code::BadOptions, "{json}");
        }
        assert_eq!(get(br#""\ud800""#, "").unwrap_err().code(), Code::BadOptions);
        assert_eq!(get(b"\"\xff\"", "").unwrap_err().code(), Code::BadOptions);
        assert_eq!(get(b"", "").unwrap_err().code(), Code::EmptyArgument);
    }

    #[test]
    fn quote_any_text_is_read_back_unchanged() {
        for text in ["", "4711/2", "\"},{\"waitMs\":1", "a\\b\n\t\u{1}\u{7f}å\u{2028}😀"] {
            assert_eq!(get(&quote(text), "").unwrap(), text.as_bytes());
        }
        assert_eq!(quote("a\"b"), br#""a\"b""#);
    }
}
