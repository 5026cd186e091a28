//! The codes, outcomes and log levels as the bindings spell them: the same table that makes the C header.

use super::{BANDS, LEVELS, OUTCOMES, rows};
use engage_point_shop::code::Row;
use engage_point_shop::ffi::EPS_ABI_VERSION;
use std::fmt::Write;

/// `include/engage_point_shop.hpp` gets this between its marks.
pub fn cpp() -> String {
    let mut text = String::new();
    let mut list = |comment: &str, name: &str, entries: &[Entry]| {
        let _ = write!(text, "\n/// {comment}\nenum class {name} : std::int32_t {{\n");
        for entry in entries {
            if let Some(band) = entry.band {
                let _ = write!(text, "\n    // {band}\n");
            }
            let short = entry.short.to_ascii_lowercase();
            let _ = writeln!(text, "    /// {}\n    {short} = {},", entry.meaning, entry.macro_name);
        }
        text.push_str("};\n");
    };
    list("What a code says about the points.", "Outcome", &outcomes());
    list("How much is logged.", "Level", &levels());
    list(
        "What a call came to. A newer library may give a number that is not listed here.",
        "[[nodiscard]] Code",
        &codes(),
    );
    text.push('\n');
    text
}

/// `bindings/csharp/Codes.cs`.
pub fn csharp() -> String {
    let mut text = format!(
        "// Made by `cargo xtask header` from the library's table of codes; do not edit.\n\nnamespace EngagePointShop\n{{\n    \
         internal static class Abi\n    {{\n        internal const uint Version = {EPS_ABI_VERSION};\n    }}\n"
    );
    let mut list = |comment: &str, name: &str, entries: &[Entry]| {
        let _ = write!(text, "\n    /// <summary>{comment}</summary>\n    public enum {name}\n    {{\n");
        for entry in entries {
            if let Some(band) = entry.band {
                let _ = write!(text, "\n        // {band}\n");
            }
            let meaning = entry.meaning.replace('&', "&amp;").replace('<', "&lt;");
            let _ = writeln!(
                text,
                "        /// <summary>{meaning}</summary>\n        {} = {},",
                camel(&entry.short),
                entry.number
            );
        }
        text.push_str("    }\n");
    };
    list("What a code says about the points.", "Outcome", &outcomes());
    list("How much is logged.", "LogLevel", &levels());
    list("What a call came to. A newer library may give a number that is not listed here.", "Code", &codes());
    text.push_str("}\n");
    text
}

/// `bindings/python/engage_point_shop/codes.py`.
pub fn python() -> String {
    let mut text = format!(
        "\"\"\"Made by `cargo xtask header` from the library's table of codes; do not edit.\"\"\"\n\nfrom enum import IntEnum\n\n\
         ABI_VERSION = {EPS_ABI_VERSION}\n"
    );
    let mut list = |comment: &str, name: &str, entries: &[Entry]| {
        let _ = write!(text, "\n\nclass {name}(IntEnum):\n    \"\"\"{comment}\"\"\"\n\n");
        for entry in entries {
            if let Some(band) = entry.band {
                let _ = write!(text, "\n    # {band}\n");
            }
            let _ = writeln!(text, "    {} = {}\n    \"\"\"{}\"\"\"", entry.short, entry.number, entry.meaning);
        }
    };
    list("What a code says about the points.", "Outcome", &outcomes());
    list("How much is logged.", "LogLevel", &levels());
    list("What a call came to. A newer library may give a number that is not listed here.", "Code", &codes());
    text
}

/// One name, number and meaning, and the band that begins with it.
struct Entry {
    macro_name: String,
    /// Without the macro's prefix: `NOT_SENT`.
    short: String,
    number: i32,
    meaning: &'static str,
    band: Option<&'static str>,
}

fn entry(prefix: &str, short: &str, number: i32, meaning: &'static str) -> Entry {
    Entry { macro_name: format!("{prefix}{short}"), short: short.to_owned(), number, meaning, band: None }
}

fn outcomes() -> Vec<Entry> {
    OUTCOMES.iter().map(|(outcome, name, meaning)| entry("EPS_OUTCOME_", name, *outcome as i32, meaning)).collect()
}

fn levels() -> Vec<Entry> {
    LEVELS.iter().map(|(level, name, meaning)| entry("EPS_LOG_", name, *level as i32, meaning)).collect()
}

fn codes() -> Vec<Entry> {
    let mut entries = Vec::new();
    for (band, meaning) in BANDS {
        let of = |row: &Row| entry("EPS_", row.name.trim_start_matches("EPS_"), row.code.number(), row.meaning);
        let first = entries.len();
        entries.extend(rows(*band).map(of));
        if let Some(first) = entries.get_mut(first) {
            first.band = Some(meaning);
        }
    }
    entries
}

/// `NOT_SENT` as `NotSent`.
fn camel(name: &str) -> String {
    let words = name.split('_').map(|word| {
        let (first, rest) = word.split_at(1);
        first.to_owned() + &rest.to_ascii_lowercase()
    });
    words.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use engage_point_shop::code::TABLE;

    #[test]
    fn every_code_is_in_every_binding_with_its_number() {
        let (cpp, csharp, python) = (cpp(), csharp(), python());
        for row in TABLE {
            let short = row.name.trim_start_matches("EPS_");
            let number = row.code.number();
            assert_eq!(
                cpp.matches(&format!(" {} = {}", short.to_ascii_lowercase(), row.name)).count(),
                1,
                "{}",
                row.name
            );
            assert_eq!(csharp.matches(&format!(" {} = {number},", camel(short))).count(), 1, "{}", row.name);
            assert_eq!(python.matches(&format!("    {short} = {number}\n")).count(), 1, "{}", row.name);
        }
    }
}
