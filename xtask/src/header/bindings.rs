//! The codes, outcomes and log levels of the bindings, from the table that makes the C header.

use super::{ACTIONS, CLASSES, LEVELS, OUTCOMES, rows, wrapped};
use engage_point_shop::code::Row;
use engage_point_shop::ffi::EPS_ABI_VERSION;
use engage_point_shop::{Code, VERSION, texts_in_languages};
use std::fmt::Write;

pub const ACTION: &str = "Who acts on a code. An action that is newer than this binding is the administrator's.";
pub const OWN_TEXTS: &str = "What the cashier reads and what the member is shown of a problem that the binding reports itself, in each language. It was interrupted; it is not available; it is not clear yet.";
pub const CODES: &str = "The results of a call. A newer library may return other numbers.";

/// Returns the part of `include/engage_point_shop.hpp` between its marks.
pub fn cpp() -> String {
    let mut text = String::new();
    let mut list = |comment: &str, name: &str, entries: &[Entry]| {
        let _ = write!(text, "\n/// {comment}\nenum class {name} : std::int32_t {{\n");
        for entry in entries {
            if let Some(class) = entry.class {
                let _ = write!(text, "\n    // {class}\n");
            }
            let short = entry.short.to_ascii_lowercase();
            let meaning = wrapped(entry.meaning, 92).join("\n    /// ");
            let _ = writeln!(text, "    /// {meaning}\n    {short} = {},", entry.macro_name);
        }
        text.push_str("};\n");
    };
    list("The outcome of a code.", "Outcome", &outcomes());
    list("The log levels. Each level includes the levels above it.", "Level", &levels());
    list(CODES, "[[nodiscard]] Code", &codes());
    let _ = write!(text, "\n/// {ACTION}\nenum class Action : std::int32_t {{\n");
    for (action, meaning) in ACTIONS {
        let _ = writeln!(text, "    /// {meaning}\n    {},", snake(action.name()));
    }
    text.push_str("};\n\nnamespace detail {\n\n/// The actions by their names.\n");
    text.push_str("inline constexpr std::pair<std::string_view, Action> actions[] = {\n");
    for (action, _) in ACTIONS {
        let _ = writeln!(text, "    {{\"{}\", Action::{}}},", action.name(), snake(action.name()));
    }
    text.push_str("};\n\n} // namespace detail\n\n");
    text
}

/// Returns `bindings/csharp/Codes.cs`.
pub fn csharp() -> String {
    let mut text = format!(
        "// Made by `cargo xtask header` from the library's table of codes; do not edit.\n\n\
         using System.Collections.Generic;\nusing System.Reflection;\n\n\
         [assembly: AssemblyTitle(\"EngagePointShop\")]\n\
         [assembly: AssemblyProduct(\"engage-point-shop\")]\n\
         [assembly: AssemblyVersion(\"{VERSION}.0\")]\n\
         [assembly: AssemblyFileVersion(\"{VERSION}.0\")]\n\
         [assembly: AssemblyInformationalVersion(\"{VERSION}\")]\n\n\
         namespace EngagePointShop\n{{\n    \
         internal static class Abi\n    {{\n        internal const uint Version = {EPS_ABI_VERSION};\n    }}\n"
    );
    let mut list = |comment: &str, name: &str, entries: &[Entry]| {
        let _ = write!(text, "\n    /// <summary>{comment}</summary>\n    public enum {name}\n    {{\n");
        for entry in entries {
            if let Some(class) = entry.class {
                let _ = write!(text, "\n        // {class}\n");
            }
            let meaning = format!("<summary>{}</summary>", entry.meaning.replace('&', "&amp;").replace('<', "&lt;"));
            let meaning = wrapped(&meaning, 88).join("\n        /// ");
            let _ = writeln!(text, "        /// {meaning}\n        {} = {},", camel(&entry.short), entry.number);
        }
        text.push_str("    }\n");
    };
    list("The outcome of a code.", "Outcome", &outcomes());
    list("The log levels. Each level includes the levels above it.", "LogLevel", &levels());
    list(CODES, "Code", &codes());
    let summary = wrapped(&format!("<summary>{ACTION}</summary>"), 88).join("\n    /// ");
    let _ = write!(text, "\n    /// {summary}\n    public enum CodeAction\n    {{\n");
    for (action, meaning) in ACTIONS {
        let _ = writeln!(text, "        /// <summary>{meaning}</summary>\n        {action:?},");
    }
    let summary = wrapped(&format!("<summary>{OWN_TEXTS}</summary>"), 88).join("\n    /// ");
    let _ = write!(text, "    }}\n\n    /// {summary}\n    internal static class Texts\n    {{\n");
    text.push_str("        internal static readonly Dictionary<string, string[]> Of = new Dictionary<string, string[]>\n        {\n");
    for (language, texts) in own_texts() {
        let texts = texts.join("\",\n                \"");
        let _ = write!(
            text,
            "            [\"{language}\"] = new[]\n            {{\n                \"{texts}\",\n            }},\n"
        );
    }
    text.push_str("        };\n    }\n}\n");
    text
}

/// Returns `bindings/python/engage_point_shop/codes.py`.
pub fn python() -> String {
    let mut text = format!(
        "\"\"\"Made by `cargo xtask header` from the library's table of codes; do not edit.\"\"\"\n\nfrom enum import Enum, IntEnum\n\n\
         ABI_VERSION = {EPS_ABI_VERSION}\n"
    );
    let mut list = |comment: &str, name: &str, entries: &[Entry]| {
        let _ = write!(text, "\n\nclass {name}(IntEnum):\n    \"\"\"{comment}\"\"\"\n\n");
        for entry in entries {
            if let Some(class) = entry.class {
                let _ = write!(text, "\n    # {class}\n");
            }
            let meaning = wrapped(entry.meaning, 90).join("\n    ");
            let _ = writeln!(text, "    {} = {}\n    \"\"\"{meaning}\"\"\"", entry.short, entry.number);
        }
    };
    list("The outcome of a code.", "Outcome", &outcomes());
    list("The log levels. Each level includes the levels above it.", "LogLevel", &levels());
    list(CODES, "Code", &codes());
    let _ = write!(text, "\n\nclass Action(str, Enum):\n    \"\"\"{ACTION}\"\"\"\n\n");
    for (action, meaning) in ACTIONS {
        let name = snake(action.name()).to_ascii_uppercase();
        let _ = writeln!(text, "    {name} = \"{}\"\n    \"\"\"{meaning}\"\"\"", action.name());
    }
    text
}

/// A name, its number and its meaning.
pub struct Entry {
    pub macro_name: String,
    /// Without the macro's prefix: `NOT_SENT`.
    pub short: String,
    pub number: i32,
    pub meaning: &'static str,
    /// The meaning of the class, at the class's first code.
    pub class: Option<&'static str>,
}

fn entry(prefix: &str, short: &str, number: i32, meaning: &'static str) -> Entry {
    Entry { macro_name: format!("{prefix}{short}"), short: short.to_owned(), number, meaning, class: None }
}

pub fn outcomes() -> Vec<Entry> {
    OUTCOMES.iter().map(|(outcome, name, meaning)| entry("EPS_OUTCOME_", name, *outcome as i32, meaning)).collect()
}

pub fn levels() -> Vec<Entry> {
    LEVELS.iter().map(|(level, name, meaning)| entry("EPS_LOG_", name, *level as i32, meaning)).collect()
}

pub fn codes() -> Vec<Entry> {
    let mut entries = Vec::new();
    for (class, meaning) in CLASSES {
        let of = |row: &Row| entry("EPS_", row.name.trim_start_matches("EPS_"), row.code.number(), row.meaning);
        let first = entries.len();
        entries.extend(rows(*class).map(of));
        if let Some(first) = entries.get_mut(first) {
            first.class = Some(meaning);
        }
    }
    entries
}

/// Returns each language and the texts of [`OWN_TEXTS`]: by turns the cashier's and the member's.
pub fn own_texts() -> Vec<(&'static str, Vec<&'static str>)> {
    let texts = |code| texts_in_languages(code).map(|[_, cashier, member]| [cashier, member]);
    let kinds = texts(Code::Cancelled).zip(texts(Code::BadLogLevel)).zip(texts(Code::Internal));
    let languages = texts_in_languages(Code::Cancelled).map(|[language, ..]| language);
    languages.zip(kinds.map(|((first, second), third)| [first, second, third].concat())).collect()
}

/// Returns `tell_member` for `tellMember`; `continue_`, because `continue` is a keyword.
pub fn snake(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    if text == "continue" { text + "_" } else { text }
}

/// Returns `NotSent` for `NOT_SENT`.
fn camel(name: &str) -> String {
    let parts = name.split('_').map(|part| {
        let (first, rest) = part.split_at(1);
        first.to_owned() + &rest.to_ascii_lowercase()
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use engage_point_shop::code::TABLE;

    #[test]
    fn bindings_every_code_is_listed_with_its_number() {
        let (cpp, csharp, python) = (cpp(), csharp(), python());
        let schema = super::super::schema::Schema::read().unwrap();
        let generated = |files: Vec<(String, String)>, end: &str| {
            files.into_iter().find(|(path, _)| path.ends_with(end)).unwrap().1
        };
        let java = generated(super::super::java::files(&[], &schema), "/Code.java");
        let actions = generated(super::super::java::files(&[], &schema), "/Action.java");
        let node = generated(super::super::node::files(&[], &schema), "/codes.js");
        let types = generated(super::super::node::files(&[], &schema), "/types.d.ts");
        let pascal = super::super::pascal::declarations(&[]);
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
            assert_eq!(java.matches(&format!(" int {short} = {number};")).count(), 1, "{}", row.name);
            assert_eq!(node.matches(&format!("  {short}: {number},\n")).count(), 1, "{}", row.name);
            assert_eq!(types.matches(&format!(" {short}: {number};\n")).count(), 1, "{}", row.name);
            assert_eq!(pascal.matches(&format!("  {} = {number};\n", row.name)).count(), 1, "{}", row.name);
            // The lists of actions are complete.
            let action = row.action();
            assert!(cpp.contains(&format!("{{\"{}\", Action::", action.name())), "{action:?}");
            assert!(csharp.contains(&format!("        {action:?},")), "{action:?}");
            assert!(python.contains(&format!(" = \"{}\"\n", action.name())), "{action:?}");
            assert!(actions.contains(&format!("(\"{}\"),", action.name())), "{action:?}");
            assert!(node.contains(&format!(": \"{}\",", action.name())), "{action:?}");
        }
    }
}
