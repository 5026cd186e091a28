//! Recognises in one pass the list that Engage sends: a JSON array of objects that have the
//! required fields, each once. Nothing is built, copied or unescaped. A text that is not recognised
//! is read again by serde, which decides (`shape`): escaped names, deep nesting, and every fault.
//!
//! Blocks of 64 bytes are compared at once, with a bit for each byte. Only the bytes at which a
//! token begins are then read one by one.

use wide::u8x16;

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

/// The nesting within a field that is recognised; an empty array may be one level deeper.
const DEPTH: u32 = 16;

/// Returns whether a text is surely a list of objects that have these fields.
pub(super) fn is_list(json: &str, fields: &[Field]) -> bool {
    let mut reader = Reader { text: json.as_bytes(), ..Reader::default() };
    let element = |reader: &mut Reader<'_>, token: Token| (token.1 == b'{').then(|| reader.object(fields, DEPTH))?;
    let begins = reader.token().is_some_and(|token| token.1 == b'[');
    let is_list = begins && reader.members(b']', element).is_some();
    is_list && reader.next().is_none() && !reader.is_malformed
}

/// Where a token begins, and its first byte.
type Token = (usize, u8);

/// Reads values by their tokens: both quotes of each string; outside of strings `{}[]:,` and where
/// a number or a word begins. None: not recognised.
#[derive(Default)]
struct Reader<'a> {
    text: &'a [u8],
    /// The end of the block that was read last.
    end: usize,
    /// Its tokens that are still to be returned.
    bits: u64,
    /// All bits: the block ended within a string.
    in_string: u64,
    /// 1: the block ended within a number or a word.
    in_scalar: u64,
    /// 1: the block ended with a backslash, which escapes the next byte.
    escaped: u64,
    /// A backslash was read.
    has_escapes: bool,
    /// A control character where none may be, or a wrong escape, was read.
    is_malformed: bool,
}

impl Reader<'_> {
    /// Reads members and the commas between them, up to and with `close`.
    fn members(&mut self, close: u8, mut member: impl FnMut(&mut Self, Token) -> Option<()>) -> Option<()> {
        let mut token = self.token()?;
        if token.1 == close {
            return Some(());
        }
        loop {
            member(self, token)?;
            match self.token()?.1 {
                b',' => token = self.token()?,
                end => return (end == close).then_some(()),
            }
        }
    }

    /// Reads an object behind its brace.
    fn object(&mut self, fields: &[Field], depth: u32) -> Option<()> {
        // One bit for each field.
        let mut missing = (1_u32 << fields.len()) - 1;
        self.members(b'}', |reader, token| {
            let name = token.0 + 1..reader.string(token)? - 1;
            let token = reader.token().filter(|token| token.1 == b':').and_then(|_| reader.token())?;
            let value = token.0..reader.value(token, depth)?;
            let name = &reader.text[name];
            if let Some(at) = fields.iter().position(|(field, _)| field.as_bytes().eq_ignore_ascii_case(name)) {
                let is_right = missing >> at & 1 == 1 && holds(&reader.text[value], fields[at].1);
                missing &= !(1 << at);
                return is_right.then_some(());
            }
            (!reader.has_escapes || !name.contains(&b'\\')).then_some(())
        })?;
        (missing == 0).then_some(())
    }

    /// Reads a value and returns where it ends; of an object or an array, where it begins.
    fn value(&mut self, token: Token, depth: u32) -> Option<usize> {
        match token.1 {
            b'"' => self.string(token),
            b'{' => self.object(&[], depth.checked_sub(1)?).map(|()| token.0),
            b'[' => self
                .members(b']', |reader, token| reader.value(token, depth.checked_sub(1)?).map(drop))
                .map(|()| token.0),
            _ => scalar(&self.text[token.0..]).map(|length| token.0 + length),
        }
    }

    /// Returns where a string ends: its quotes are tokens, and nothing between them is one.
    #[inline]
    fn string(&mut self, token: Token) -> Option<usize> {
        if token.1 == b'"' { self.next().map(|end| end + 1) } else { None }
    }

    #[inline]
    fn token(&mut self) -> Option<Token> {
        self.next().map(|at| (at, self.text[at]))
    }

    /// Returns the next place. None: the text has ended.
    #[inline]
    fn next(&mut self) -> Option<usize> {
        while self.bits == 0 {
            self.read_block()?;
        }
        let at = self.bits.trailing_zeros() as usize;
        self.bits &= self.bits - 1;
        Some(self.end - 64 + at)
    }

    #[inline(never)]
    fn read_block(&mut self) -> Option<()> {
        let rest = self.text.get(self.end..).filter(|rest| !rest.is_empty())?;
        let block = Block::of(rest);
        let backslashes = block.equal(b'\\');
        let mut quotes = block.equal(b'"');
        if backslashes | self.escaped != 0 {
            quotes &= !self.escapes(backslashes);
        }
        let in_string = prefix_xor(quotes) ^ self.in_string;
        // The braces and brackets, and four characters that are nothing outside of strings.
        let operators = block.mask(|bytes| is(bytes | u8x16::splat(0x26), 0x7F) | is(bytes, b',') | is(bytes, b':'));
        let mut spaces = block.equal(b' ');
        let control = block.mask(|bytes| bytes.min(u8x16::splat(0x1F)).simd_eq(bytes));
        if control != 0 {
            let breaks = block.equal(b'\n') | block.equal(b'\r') | block.equal(b'\t');
            self.is_malformed |= control & (in_string | !breaks) != 0;
            spaces |= control;
        }
        let scalars = !(operators | spaces | quotes | in_string);
        self.bits = quotes | operators & !in_string | scalars & !(scalars << 1 | self.in_scalar);
        self.in_scalar = scalars >> 63;
        self.in_string = 0_u64.wrapping_sub(in_string >> 63);
        self.end += 64;
        Some(())
    }

    /// Returns which bytes are escaped, and checks the escapes.
    fn escapes(&mut self, mut backslashes: u64) -> u64 {
        self.has_escapes = true;
        let mut escaped = std::mem::take(&mut self.escaped);
        backslashes &= !escaped;
        while backslashes != 0 {
            let at = backslashes.trailing_zeros();
            self.is_malformed |= match &self.text[self.end + at as usize + 1..] {
                [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => false,
                [b'u', a, b, c, d, ..] => ![a, b, c, d].iter().all(|digit| digit.is_ascii_hexdigit()),
                _ => true,
            };
            let next = (1_u64 << at) << 1;
            self.escaped = u64::from(next == 0);
            escaped |= next;
            backslashes &= (backslashes - 1) & !next;
        }
        escaped
    }
}

/// 64 bytes of the text.
struct Block([u8x16; 4]);

impl Block {
    /// Returns the first bytes of a text. A shorter one is filled up with spaces.
    fn of(text: &[u8]) -> Self {
        let mut padded = [b' '; 64];
        let bytes = text.first_chunk().unwrap_or_else(|| {
            padded[..text.len()].copy_from_slice(text);
            &padded
        });
        let sixteen = |at: usize| u8x16::new(bytes.as_chunks().0[at]);
        Self([sixteen(0), sixteen(1), sixteen(2), sixteen(3)])
    }

    /// Returns a bit for each byte that a comparison marks.
    #[inline]
    fn mask(&self, compare: impl Fn(u8x16) -> u8x16) -> u64 {
        let bits = |at: usize| u64::from(compare(self.0[at]).to_bitmask()) << (16 * at);
        bits(0) | bits(1) | bits(2) | bits(3)
    }

    #[inline]
    fn equal(&self, byte: u8) -> u64 {
        self.mask(|bytes| is(bytes, byte))
    }
}

/// Marks the bytes that are `byte`.
fn is(bytes: u8x16, byte: u8) -> u8x16 {
    bytes.simd_eq(u8x16::splat(byte))
}

/// Returns for each bit whether an odd number of bits is set up to and with it.
fn prefix_xor(bits: u64) -> u64 {
    let with = |bits: u64, shift: u32| bits ^ bits << shift;
    with(with(with(with(with(with(bits, 1), 2), 4), 8), 16), 32)
}

/// Returns the length of the number or the word at the beginning of a text.
fn scalar(text: &[u8]) -> Option<usize> {
    let end = text.iter().position(|byte| matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t'))?;
    match &text[..end] {
        b"true" | b"false" | b"null" => true,
        [b'1'..=b'9', rest @ ..] if rest.iter().all(u8::is_ascii_digit) => true,
        other => serde_json::from_slice::<serde::de::IgnoredAny>(other).is_ok(),
    }
    .then_some(end)
}

/// Returns whether a JSON value is surely of a kind.
fn holds(value: &[u8], kind: Kind) -> bool {
    match kind {
        Kind::Guid => matches!(value, [b'"', text @ .., b'"'] if text.len() == 36 && is_guid(text)),
        Kind::Natural => std::str::from_utf8(value).is_ok_and(|digits| digits.parse::<u64>().is_ok()),
        Kind::Number => serde_json::from_slice::<f64>(value).is_ok(),
    }
}

/// Returns whether 36 bytes have the form that Engage writes, 8-4-4-4-12.
fn is_guid(text: &[u8]) -> bool {
    const DASHES: u64 = 1 << 8 | 1 << 13 | 1 << 18 | 1 << 23;
    let block = Block::of(text);
    let within = |bytes: u8x16, from, to| bytes.max(u8x16::splat(from)).min(u8x16::splat(to)).simd_eq(bytes);
    let digits = block.mask(|bytes| within(bytes, b'0', b'9') | within(bytes | u8x16::splat(0x20), b'a', b'f'));
    block.equal(b'-') == DASHES && digits == ((1 << 36) - 1) & !DASHES
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use uuid::Uuid;

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
            {"id":"b0000000-0000-4000-8000-000000000001","cost":18446744073709551615,"long text":"Köp en kaffe, få en till; gäller alla dagar"}]"#,
    ];

    /// Returns a text with one byte less, more or other at a place, and cut there.
    fn changed(list: &str, at: usize) -> impl Iterator<Item = String> {
        let list = list.as_bytes();
        let with = |from: usize, bytes: &[u8]| [&list[..at], bytes, &list[from..]].concat();
        let mut all = vec![list[..at].to_vec(), with(at + 1, b"")];
        for byte in b"\"\\{}[],:0-.eu \x01\tx" {
            all.extend([with(at, &[*byte]), with(at + 1, &[*byte])]);
        }
        all.into_iter().filter_map(|bytes| String::from_utf8(bytes).ok())
    }

    #[test]
    fn list_changed_in_one_byte_passes_as_by_a_tree() {
        for list in LISTS {
            assert!(passes_by_tree(list) && is_list(list, FIELDS), "{list}");
            for variant in (0..list.len()).flat_map(|at| changed(list, at)) {
                // serde reads an escaped name and a GUID without dashes.
                assert!(passes_by_tree(&variant) || !is_list(&variant, FIELDS), "{variant}");
            }
        }
    }

    #[test]
    fn list_at_every_place_of_a_block_is_recognised() {
        for shift in 0..130 {
            let list = format!("{}{}", " ".repeat(shift), LISTS[3]);
            assert!(is_list(&list, FIELDS), "{shift}");
            for at in (0..list.len()).filter(|at| list.is_char_boundary(*at)) {
                assert!(!is_list(&list[..at], FIELDS), "{shift} {at}");
            }
        }
    }

    #[test]
    fn string_of_any_length_is_read_to_its_end() {
        for length in 0..140 {
            for at in 0..=length {
                for special in ["", "å", "\\\"", "\\u00E5", "\\\\"] {
                    let text = format!("{}{special}{}", "x".repeat(at), "y".repeat(length - at));
                    assert!(is_list(&format!("[{{\"a\":\"{text}\"}}]"), &[]), "{text}");
                    for fault in ["\n\"", "\\\"", "\\x\"", "\\u00e\"", ""] {
                        assert!(!is_list(&format!("[{{\"a\":\"{text}{fault}}}]"), &[]), "{text}{fault}");
                    }
                }
            }
        }
    }

    #[test]
    fn nesting_is_recognised_to_its_limit() {
        let nested =
            |open: &str, close: &str, depth| format!("[{{\"a\":{}7{}}}]", open.repeat(depth), close.repeat(depth));
        for (open, close) in [("[", "]"), ("{\"b\":", "}"), ("[{\"b\":", "}]")] {
            let most = 16 / (open.matches(['[', '{']).count());
            assert!(is_list(&nested(open, close, most), &[]), "{open}");
            assert!(!is_list(&nested(open, close, most + 1), &[]), "{open}");
        }
    }

    #[test]
    fn what_serde_must_decide_is_not_recognised() {
        let good = r#"{"id":"b0000000-0000-4000-8000-000000000001","cost":5}"#;
        for list in [
            String::new(),
            "{}".to_owned(),
            "[] []".to_owned(),
            format!("[{good},7]"),
            format!("[{good},{{\"cost\":5}}]"),
            format!("[{}]", good.replace('5', "5,\"cost\":5")),
            format!("[{}]", good.replace("cost", "c\\u006fst")),
            format!("[{}]", good.replace('5', "5,\"a\":\"\u{1f}\"")),
            format!("[{}]", good.replace('5', "5,\u{1f}\"a\":0")),
            format!("[{}]", good.replace('5', "5,\"\\u0063ost\":6")),
            format!("[{}]", good.replace('5', "-5")),
            format!("[{}]", good.replace('5', "{}")),
            format!("[{}]", good.replace('5', "18446744073709551616")),
            format!("[{}]", good.replace('5', &format!("5,\"a\":{}{}", "[".repeat(20), "]".repeat(20)))),
        ] {
            assert!(!is_list(&list, FIELDS), "{list}");
        }
        let balance = |text: &str| is_list(&format!("[{{\"balance\":{text}}}]"), &[("balance", Kind::Number)]);
        assert!(balance("-1.5e3") && !balance("1e999") && !balance("\"1\"") && !balance("null"));
    }
}
