//! Walks over a JSON text once: is it JSON, is it an array of objects, and does each have the fields that are asked for?
//! Nothing is built, copied or unescaped on the way; an answer is mostly text, and that is stepped over eight bytes at a time.

use uuid::Uuid;

/// What a field must hold.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// A string with a GUID in it.
    Guid,
    /// A whole number from 0.
    Natural,
    /// Any number.
    Number,
}

/// A field that every object of a list must have, and once.
pub(super) type Field = (&'static str, Kind);

/// The first thing that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    pub kind: FaultKind,
    /// How many bytes are in order.
    pub at: usize,
    /// The element it is in, from 1; 0: in none.
    pub element: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FaultKind {
    /// The text ends too early.
    End,
    /// It is not JSON.
    Syntax,
    /// It is JSON, but not of this shape.
    Shape,
}

/// Nothing of Engage's is nested a tenth as deep.
const DEPTH: usize = 128;

/// Checks a JSON array of objects that have these fields.
pub(super) fn check_list(json: &str, fields: &[Field]) -> Result<(), Fault> {
    let mut walk = Walk { text: json.as_bytes(), at: 0, element: 0 };
    walk.list(fields).map_err(|kind| Fault { kind, at: walk.at, element: walk.element })
}

struct Walk<'a> {
    text: &'a [u8],
    at: usize,
    element: usize,
}

type NextAction<T = ()> = Result<T, FaultKind>;

impl<'a> Walk<'a> {
    fn list(&mut self, fields: &[Field]) -> NextAction {
        if self.token()? != b'[' {
            return Err(FaultKind::Shape);
        }
        self.at += 1;
        if self.token()? == b']' {
            self.at += 1;
        } else {
            loop {
                self.element += 1;
                self.object(fields)?;
                if self.separator(b']')? {
                    break;
                }
            }
        }
        self.element = 0;
        self.space();
        if self.at == self.text.len() { Ok(()) } else { Err(FaultKind::Syntax) }
    }

    /// An object with these fields, each once.
    fn object(&mut self, fields: &[Field]) -> NextAction {
        if self.token()? != b'{' {
            // Whether it is JSON at all is said first.
            return self.value(DEPTH).and(Err(FaultKind::Shape));
        }
        self.at += 1;
        // One bit a field.
        let mut snapshots = 0_u32;
        if self.token()? == b'}' {
            self.at += 1;
        } else {
            loop {
                let name = self.name()?;
                let processing_window = fields.iter().position(|(field, _)| field.as_bytes() == name);
                if let Some(at) = processing_window {
                    let (bit, from) = (1 << at, self.at);
                    self.value(DEPTH)?;
                    if snapshots & bit != 0 || !holds(&self.text[from..self.at], fields[at].1) {
                        return Err(FaultKind::Shape);
                    }
                    snapshots |= bit;
                } else {
                    self.value(DEPTH)?;
                }
                if self.separator(b'}')? {
                    break;
                }
                self.token()?;
            }
        }
        if snapshots.count_ones() as usize == fields.len() { Ok(()) } else { Err(FaultKind::Shape) }
    }

    /// The name of a field without its quotes, and everything up to its value.
    fn name(&mut self) -> NextAction<&'a [u8]> {
        let name = self.string()?;
        if self.token()? != b':' {
            return Err(FaultKind::Syntax);
        }
        self.at += 1;
        self.token()?;
        Ok(name)
    }

    /// Any value; `deep` is how many levels it may have.
    fn value(&mut self, deep: usize) -> NextAction {
        match self.token()? {
            b'"' => self.string().map(drop),
            b'{' | b'[' if deep == 0 => Err(FaultKind::Syntax),
            b'{' => self.members(b'}', |walk| {
                walk.name()?;
                walk.value(deep - 1)
            }),
            b'[' => self.members(b']', |walk| walk.value(deep - 1)),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => self.number(),
        }
    }

    fn members(&mut self, close: u8, member: impl Fn(&mut Self) -> NextAction) -> NextAction {
        self.at += 1;
        if self.token()? == close {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.token()?;
            member(self)?;
            if self.separator(close)? {
                return Ok(());
            }
        }
    }

    /// Behind a member: true when it was the last.
    #[inline]
    fn separator(&mut self, close: u8) -> NextAction<bool> {
        let found = self.token()?;
        if found != b',' && found != close {
            return Err(FaultKind::Syntax);
        }
        self.at += 1;
        Ok(found == close)
    }

    /// A string; what is between its quotes.
    fn string(&mut self) -> NextAction<&'a [u8]> {
        if self.peek()? != b'"' {
            return Err(FaultKind::Syntax);
        }
        self.at += 1;
        let from = self.at;
        loop {
            while let Some(eight) = self.text.get(self.at..).and_then(<[u8]>::first_chunk) {
                let special = special(u64::from_le_bytes(*eight));
                if special != 0 {
                    self.at += (special.trailing_zeros() / 8) as usize;
                    break;
                }
                self.at += 8;
            }
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Ok(&self.text[from..self.at - 1]);
                }
                b'\\' => {
                    self.at += 1;
                    self.escape()?;
                }
                0..0x20 => return Err(FaultKind::Syntax),
                _ => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> NextAction {
        let digits = match self.peek()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 0,
            b'u' => 4,
            _ => return Err(FaultKind::Syntax),
        };
        self.at += 1;
        for _ in 0..digits {
            if !self.peek()?.is_ascii_hexdigit() {
                return Err(FaultKind::Syntax);
            }
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> NextAction {
        if self.peek()? == b'-' {
            self.at += 1;
        }
        match self.peek()? {
            b'0' => self.at += 1,
            _ => self.digits()?,
        }
        if let Some(b'.') = self.text.get(self.at) {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.text.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.text.get(self.at) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    /// One digit or more.
    fn digits(&mut self) -> NextAction {
        if !self.peek()?.is_ascii_digit() {
            return Err(FaultKind::Syntax);
        }
        while let Some(b'0'..=b'9') = self.text.get(self.at) {
            self.at += 1;
        }
        Ok(())
    }

    fn word(&mut self, word: &[u8]) -> NextAction {
        for byte in word {
            if self.peek()? != *byte {
                return Err(FaultKind::Syntax);
            }
            self.at += 1;
        }
        Ok(())
    }

    /// The byte the next token begins with.
    #[inline]
    fn token(&mut self) -> NextAction<u8> {
        let found = self.peek()?;
        if found > b' ' {
            return Ok(found);
        }
        self.space();
        self.peek()
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.text.get(self.at) {
            self.at += 1;
        }
    }

    #[inline]
    fn peek(&self) -> NextAction<u8> {
        self.text.get(self.at).copied().ok_or(FaultKind::End)
    }
}

/// Marks the bytes that end a string or cannot stand in one as they are: `"`, `\` and below a space. The lowest mark is exact.
#[inline]
fn special(eight: u64) -> u64 {
    const ONES: u64 = u64::MAX / 0xFF;
    let each = |byte: u8| ONES * u64::from(byte);
    // Of a byte below 0x80, subtracting leaves the highest bit only if it was smaller.
    let control = eight.wrapping_sub(each(b' '));
    let quote = (eight ^ each(b'"')).wrapping_sub(ONES);
    let backslash = (eight ^ each(b'\\')).wrapping_sub(ONES);
    (control | quote | backslash) & !eight & each(0x80)
}

/// Whether a value, which is JSON, is of a kind.
fn holds(value: &[u8], kind: Kind) -> bool {
    match kind {
        Kind::Guid => match value {
            [b'"', text @ .., b'"'] => is_guid(text) || Uuid::try_parse_ascii(text).is_ok(),
            _ => false,
        },
        Kind::Natural => std::str::from_utf8(value).is_ok_and(|digits| digits.parse::<u64>().is_ok()),
        Kind::Number => value.first().is_some_and(|first| first.is_ascii_digit() || *first == b'-'),
    }
}

/// The form Engage writes, 8-4-4-4-12.
fn is_guid(text: &[u8]) -> bool {
    text.len() == 36
        && [text[8], text[13], text[18], text[23]] == *b"----"
        && text.iter().filter(|byte| byte.is_ascii_hexdigit()).count() == 32
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    const FIELDS: &[Field] = &[("id", Kind::Guid), ("cost", Kind::Natural)];

    /// The same verdict, by the way of a tree.
    fn verdict_by_tree(json: &str) -> bool {
        let is_item = |value: &Value| {
            let guid = value["id"].as_str().is_some_and(|text| Uuid::try_parse(text).is_ok());
            value.is_object() && guid && value["cost"].is_u64()
        };
        serde_json::from_str::<Value>(json).is_ok_and(|list| list.as_array().is_some_and(|all| all.iter().all(is_item)))
    }

    const LISTS: &[&str] = &[
        "[]",
        " [ ] \n",
        r#"[{"id":"b0000000-0000-4000-8000-000000000001","cost":5}]"#,
        r#"[ {"cost" : 0 , "more": {"a":[1,-2.5e+3,true,false,null,"\u00e5\n\"\\",{}],"b":""}, "id":"B0000000-0000-4000-8000-00000000000A"},
            {"id":"b0000000000040008000000000000001","cost":18446744073709551615,"long text":"Köp en kaffe, få en till; gäller alla dagar"}]"#,
    ];

    #[test]
    fn every_list_that_differs_from_a_good_one_in_a_byte_is_judged_as_by_a_tree() {
        for list in LISTS {
            assert!(verdict_by_tree(list) && check_list(list, FIELDS).is_ok(), "{list}");
            for at in 0..list.len() {
                let mut variants: Vec<Vec<u8>> = vec![list.as_bytes()[..at].to_vec()];
                for byte in b"\"\\{}[],:0-.eu \x01x" {
                    let (mut put, mut replaced) = (list.as_bytes().to_vec(), list.as_bytes().to_vec());
                    put.insert(at, *byte);
                    replaced[at] = *byte;
                    variants.extend([put, replaced]);
                }
                for variant in variants.into_iter().filter_map(|bytes| String::from_utf8(bytes).ok()) {
                    assert_eq!(check_list(&variant, FIELDS).is_ok(), verdict_by_tree(&variant), "{variant}");
                }
            }
        }
    }

    #[test]
    fn a_fault_is_told_by_its_kind_and_its_element() {
        let good = r#"{"id":"b0000000-0000-4000-8000-000000000001","cost":5}"#;
        let cases = [
            ("", FaultKind::End, 0),
            ("{}", FaultKind::Shape, 0),
            ("[", FaultKind::End, 0),
            ("[] []", FaultKind::Syntax, 0),
            (&format!("[{good},"), FaultKind::End, 2),
            (&format!("[{good},7]"), FaultKind::Shape, 2),
            (&format!("[{good},7 7]"), FaultKind::Shape, 2),
            (&format!("[{good},seven]"), FaultKind::Syntax, 2),
            (&format!("[{good},{{\"cost\":5}}]"), FaultKind::Shape, 2),
            (&format!("[{}]", good.replace('5', "5,\"cost\":5")), FaultKind::Shape, 1),
            (&format!("[{}]", good.replace('5', "-5")), FaultKind::Shape, 1),
            (&format!("[{}]", good.replace('5', "18446744073709551616")), FaultKind::Shape, 1),
            (&format!("[{}{}]", "[".repeat(200), "]".repeat(200)), FaultKind::Syntax, 1),
        ];
        for (json, kind, element) in cases {
            let fault = check_list(json, FIELDS).unwrap_err();
            assert_eq!((fault.kind, fault.element), (kind, element), "{json}");
        }
    }

    #[test]
    fn a_string_is_stepped_over_whatever_its_length_and_wherever_it_ends() {
        for length in 0..40 {
            for at in 0..=length {
                for special in ["", "å", "\\\"", "\\u00E5"] {
                    let text = format!("{}{special}{}", "x".repeat(at), "y".repeat(length - at));
                    assert!(check_list(&format!("[{{\"{text}\":\"{text}\"}}]"), &[]).is_ok(), "{text}");
                    assert!(check_list(&format!("[{{\"a\":\"{text}\n\"}}]"), &[]).is_err(), "{text}");
                    assert!(check_list(&format!("[{{\"a\":\"{text}"), &[]).is_err(), "{text}");
                }
            }
        }
    }
}
