//! How deep a JSON text is nested: hosts read it with parsers that have limits.

/// How deep a response that a host reads may be nested. Parsers of JSON stop at depths from 64
/// upwards; Engage's own responses have at most 4 levels.
pub(crate) const MAX_DEPTH: usize = 128;

/// Returns how deep a JSON text is nested.
pub(crate) fn depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_of_json_ignores_brackets_in_strings() {
        assert_eq!(depth("1"), 0);
        assert_eq!(depth(r#"{"a":[1,{"b":2}],"c":[]}"#), 3);
        assert_eq!(depth(r#"["[[[[", "\"[["]"#), 1);
        assert_eq!(depth(&"[".repeat(100_000)), 100_000);
    }
}
