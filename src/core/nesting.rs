//! What hosts can parse: they read JSON with parsers that have limits.

/// How deep a response that a host reads may be nested. Parsers of JSON stop at depths from 64
/// upwards; Engage's own responses have at most 4 levels.
const MAX_DEPTH: usize = 128;
/// How long a number may be, in characters. Python stops at 4,300 digits.
const MAX_NUMBER: usize = 1_000;

/// Whether every host can parse a JSON text.
pub(crate) fn is_parsable(text: &str) -> bool {
    let (mut depth, mut number, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        number = if byte.is_ascii_digit() && !in_string { number + 1 } else { 0 };
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH || number > MAX_NUMBER {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_parsable_up_to_a_depth_and_a_length_of_numbers() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(is_parsable(&nested(MAX_DEPTH)) && !is_parsable(&nested(MAX_DEPTH + 1)));
        assert!(is_parsable(&format!("[{}]", vec!["{\"a\":[]}"; 300].join(","))));
        let digits = |count| "7".repeat(count);
        assert!(is_parsable(&digits(MAX_NUMBER)) && !is_parsable(&digits(MAX_NUMBER + 1)));
        assert!(is_parsable(&format!("[{0},{0}.{0}]", digits(MAX_NUMBER))));
        // Nothing in a string counts.
        let text = format!(r#""[\"{}{}""#, nested(MAX_DEPTH), digits(MAX_NUMBER + 1));
        assert!(is_parsable(&text), "{text}");
    }
}
