//! Checks in one pass that a text is a JSON array of objects with the required fields. Nothing is
//! built, copied or unescaped. A response is mostly strings, which are read eight bytes at a time.

use uuid::Uuid;

/// The required type of a field.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// A string that holds a GUID.
    Guid,
    /// A whole number from 0.
    Natural,
    /// Any number.
    Number,
}

/// A field that every object of a list must have exactly once.
pub(super) type Field = (&'static str, Kind);

/// The first fault of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    pub kind: FaultKind,
    /// The number of bytes before the fault.
    pub at: usize,
    /// The element that has the fault, from 1. 0: no element.
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

/// Limit of nesting. Engage's responses are nested less than a tenth as deep.
const DEPTH: usize = 128;

/// Checks a JSON array of objects that have these fields.
pub(super) fn check_list(json: &str, fields: &[Field]) -> Result<(), Fault> {
    let mut checker = Checker { text: json.as_bytes(), at: 0, element: 0 };
    checker.list(fields).map_err(|kind| Fault { kind, at: checker.at, element: checker.element })
}

struct Checker<'a> {
    text: &'a [u8],
    at: usize,
    element: usize,
}

type Checked<T = ()> = Result<T, FaultKind>;

impl<'a> Checker<'a> {
    fn list(&mut self, fields: &[Field]) -> Checked {
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

    /// Checks an object with these fields, each once.
    fn object(&mut self, fields: &[Field]) -> Checked {
        if self.token()? != b'{' {
            // A syntax fault inside the value is reported first.
            return self.value(DEPTH).and(Err(FaultKind::Shape));
        }
        self.at += 1;
        // One bit for each field.
        let mut seen = 0_u32;
        if self.token()? == b'}' {
            self.at += 1;
        } else {
            loop {
                let name = self.name()?;
                let required = fields.iter().position(|(field, _)| field.as_bytes() == name);
                if let Some(at) = required {
                    let (bit, from) = (1 << at, self.at);
                    self.value(DEPTH)?;
                    if seen & bit != 0 || !holds(&self.text[from..self.at], fields[at].1) {
                        return Err(FaultKind::Shape);
                    }
                    seen |= bit;
                } else {
                    self.value(DEPTH)?;
                }
                if self.separator(b'}')? {
                    break;
                }
                self.token()?;
            }
        }
        if seen.count_ones() as usize == fields.len() { Ok(()) } else { Err(FaultKind::Shape) }
    }

    /// Returns the name of a field without its quotes, and steps to its value.
    fn name(&mut self) -> Checked<&'a [u8]> {
        let name = self.string()?;
        if self.token()? != b':' {
            return Err(FaultKind::Syntax);
        }
        self.at += 1;
        self.token()?;
        Ok(name)
    }

    /// Checks any value. `depth` is the number of levels that it may have.
    fn value(&mut self, depth: usize) -> Checked {
        match self.token()? {
            b'"' => self.string().map(drop),
            b'{' | b'[' if depth == 0 => Err(FaultKind::Syntax),
            b'{' => self.members(b'}', |checker| {
                checker.name()?;
                checker.value(depth - 1)
            }),
            b'[' => self.members(b']', |checker| checker.value(depth - 1)),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => self.number(),
        }
    }

    fn members(&mut self, close: u8, member: impl Fn(&mut Self) -> Checked) -> Checked {
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

    /// Steps over the character after a member. Returns true after the last member.
    #[inline]
    fn separator(&mut self, close: u8) -> Checked<bool> {
        let found = self.token()?;
        if found != b',' && found != close {
            return Err(FaultKind::Syntax);
        }
        self.at += 1;
        Ok(found == close)
    }

    /// Checks a string and returns the bytes between its quotes.
    fn string(&mut self) -> Checked<&'a [u8]> {
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

    fn escape(&mut self) -> Checked {
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

    fn number(&mut self) -> Checked {
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

    /// Checks one digit or more.
    fn digits(&mut self) -> Checked {
        if !self.peek()?.is_ascii_digit() {
            return Err(FaultKind::Syntax);
        }
        while let Some(b'0'..=b'9') = self.text.get(self.at) {
            self.at += 1;
        }
        Ok(())
    }

    fn literal(&mut self, literal: &[u8]) -> Checked {
        for byte in literal {
            if self.peek()? != *byte {
                return Err(FaultKind::Syntax);
            }
            self.at += 1;
        }
        Ok(())
    }

    /// Returns the first byte of the next token.
    #[inline]
    fn token(&mut self) -> Checked<u8> {
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
    fn peek(&self) -> Checked<u8> {
        self.text.get(self.at).copied().ok_or(FaultKind::End)
    }
}

/// Marks the bytes that end a string or need an escape in one: `"`, `\` and control characters. The
/// lowest mark is exact.
#[inline]
fn special(eight: u64) -> u64 {
    const ONES: u64 = u64::MAX / 0xFF;
    let each = |byte: u8| ONES * u64::from(byte);
    // Subtracting from a byte below 0x80 sets its highest bit only if the byte was smaller.
    let control = eight.wrapping_sub(each(b' '));
    let quote = (eight ^ each(b'"')).wrapping_sub(ONES);
    let backslash = (eight ^ each(b'\\')).wrapping_sub(ONES);
    (control | quote | backslash) & !eight & each(0x80)
}

/// Returns whether a JSON value is of a kind.
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

/// Returns whether a text has the form that Engage writes, 8-4-4-4-12.
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

    /// Checks a list by serde_json's tree.
    fn passes_by_tree(json: &str) -> bool {
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
    fn list_changed_in_one_byte_passes_as_by_a_tree() {
        for list in LISTS {
            assert!(passes_by_tree(list) && check_list(list, FIELDS).is_ok(), "{list}");
            for at in 0..list.len() {
                let mut variants: Vec<Vec<u8>> = vec![list.as_bytes()[..at].to_vec()];
                for byte in b"\"\\{}[],:0-.eu \x01x" {
                    let (mut put, mut replaced) = (list.as_bytes().to_vec(), list.as_bytes().to_vec());
                    put.insert(at, *byte);
                    replaced[at] = *byte;
                    variants.extend([put, replaced]);
                }
                for variant in variants.into_iter().filter_map(|bytes| String::from_utf8(bytes).ok()) {
                    assert_eq!(check_list(&variant, FIELDS).is_ok(), passes_by_tree(&variant), "{variant}");
                }
            }
        }
    }

    #[test]
    fn fault_is_reported_by_its_kind_and_element() {
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
    fn string_of_any_length_is_read_to_its_end() {
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
