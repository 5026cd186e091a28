//! Writes the C header, the table of codes in the documentation, and the bindings' codes.
//! cbindgen writes the functions; the introduction and the constants are added here.

mod bindings;
mod functions;
mod java;
mod node;
mod pascal;
mod schema;
mod support;

use crate::run::{Result, root};
use engage_point_shop::code::{Action, Row, TABLE};
use engage_point_shop::ffi::EPS_ABI_VERSION;
use engage_point_shop::{EVENTS, FIELDS, Level, Outcome, VERSION};
use std::fmt::Write;
use std::fs;

/// Each class of codes: its number divided by 100, its meaning, and the POS's next step.
const CLASSES: &[(i32, &str)] = &[
    (0, "0, completed: go on, then acknowledge."),
    (-1, "-1xx, the caller's mistake: fix the program."),
    (-2, "-2xx, configuration or credentials: call the administrator."),
    (-3, "-3xx, declined: nothing was deducted. Inform the member."),
    (-4, "-4xx, not sent, or a read that failed: try again."),
    (-5, "-5xx, pending: the outcome is not known yet. Let the sale go on. The library resolves it."),
    (-6, "-6xx, the journal cannot be used: nothing was sent. Call the administrator."),
    (-9, "-9xx, a fault of the library: report it."),
];

/// Each outcome: its name behind the prefix, and its meaning.
const OUTCOMES: &[(Outcome, &str, &str)] = &[
    (Outcome::Completed, "COMPLETED", "Engage has completed the operation, or a read has succeeded."),
    (Outcome::Declined, "DECLINED", "Engage has declined the operation; nothing was deducted."),
    (Outcome::Pending, "PENDING", "The outcome is not known yet. Never treat it as failed."),
    (Outcome::NotSent, "NOT_SENT", "No attempt has left the till, or a read failed. Try again."),
];

/// Each action and its meaning.
const ACTIONS: &[(Action, &str)] = &[
    (Action::Continue, "The POS goes on."),
    (Action::TellMember, "The cashier informs the member."),
    (Action::Retry, "The POS or the cashier may try again."),
    (Action::Administrator, "The administrator corrects the till, the network or the key."),
    (Action::FixProgram, "The vendor of the POS corrects the program."),
    (Action::Wait, "Nobody acts: the library resolves the operation."),
    (Action::Review, "A person decides about the operation."),
];

/// Each log level: its name behind the prefix, and the lines that it adds.
const LEVELS: &[(Level, &str, &str)] = &[
    (Level::Off, "OFF", "No lines."),
    (Level::Error, "ERROR", "Faults that need an administrator: the journal fails, the key is rejected."),
    (Level::Warn, "WARN", "Reads and status queries that failed, log lines that were dropped."),
    (Level::Info, "INFO", "Every attempt, and its outcome."),
    (Level::Debug, "DEBUG", "Every read and every request."),
];

pub fn run(check: bool) -> Result {
    let table = ("<!-- codes: written by `cargo xtask header` -->\n", "<!-- end of codes -->");
    let lists = ("// Codes: written by `cargo xtask header`.\n", "// End of codes.");
    update("include/engage_point_shop.h", check, |_| header())?;
    update("docs/codes.md", check, |found| between(found, table, &codes_table()))?;
    let events = ("<!-- events: written by `cargo xtask header` -->\n", "<!-- end of events -->");
    update("docs/log-events.md", check, |found| between(found, events, &events_table()))?;
    support::pages(check)?;
    update("include/engage_point_shop.hpp", check, |found| between(found, lists, &bindings::cpp()))?;
    update("bindings/csharp/Codes.cs", check, |_| Ok(bindings::csharp()))?;
    update("bindings/python/engage_point_shop/codes.py", check, |_| Ok(bindings::python()))?;
    let (functions, schema) = (functions::functions(&header()?), schema::Schema::read()?);
    for (path, text) in java::files(&functions, &schema).into_iter().chain(node::files(&functions, &schema)) {
        update(&path, check, |_| Ok(text))?;
    }
    let places = ("  // Functions: written by `cargo xtask header`.\n", "  // End of functions.");
    update("bindings/pascal/engagepointshop.pas", check, |found| {
        between(&between(found, lists, &pascal::declarations(&functions))?, places, &pascal::searches(&functions))
    })
}

/// Writes a file's new text, which `wanted` makes of its present text. With `check` a difference
/// fails.
fn update(name: &str, check: bool, wanted: impl FnOnce(&str) -> Result<String>) -> Result {
    let path = root().join(name);
    let found = fs::read_to_string(&path).unwrap_or_default();
    let wanted = wanted(&found).map_err(|error| format!("{name} {error}"))?;
    if found == wanted {
        return Ok(());
    }
    if check {
        return Err(format!(
            "{name} is not up to date; run `cargo xtask header` and commit it\n{}",
            difference(&found, &wanted)
        ));
    }
    fs::write(&path, wanted).map_err(|error| format!("{name}: {error}"))?;
    println!("wrote {name}");
    Ok(())
}

/// Returns the difference: the lines to remove, then the lines to put in their place.
fn difference(found: &str, wanted: &str) -> String {
    const SHOWN: usize = 20;
    let (found, wanted): (Vec<_>, Vec<_>) = (found.lines().collect(), wanted.lines().collect());
    let before = found.iter().zip(&wanted).take_while(|(found, wanted)| found == wanted).count();
    let (found, wanted) = (&found[before..], &wanted[before..]);
    let behind = found.iter().rev().zip(wanted.iter().rev()).take_while(|(found, wanted)| found == wanted).count();
    let mut text = format!("@@ line {} @@\n", before + 1);
    for (sign, lines) in [('-', &found[..found.len() - behind]), ('+', &wanted[..wanted.len() - behind])] {
        for line in lines.iter().take(SHOWN) {
            let _ = writeln!(text, "{sign}{line}");
        }
        if lines.len() > SHOWN {
            let _ = writeln!(text, "{sign} … and {} more lines", lines.len() - SHOWN);
        }
    }
    text
}

/// Returns the header's text.
pub fn header() -> Result<String> {
    let mut config = cbindgen::Config::from_root_or_default(root());
    config.header = Some(include_str!("header/introduction.txt").trim_end().to_owned());
    config.after_includes = Some(constants());
    let exports = ["src/ffi/buffer.rs", "src/ffi/handle.rs", "src/ffi/exports.rs"];
    let mut builder = cbindgen::Builder::new().with_config(config);
    for file in exports {
        builder = builder.with_src(root().join(file));
    }
    let mut bytes = Vec::new();
    builder.generate().map_err(|error| format!("cbindgen: {error}"))?.write(&mut bytes);
    String::from_utf8(bytes).map(|text| with_convention(&text)).map_err(|error| format!("cbindgen: {error}"))
}

/// States the calling convention of every function and of every type of a function. MSVC takes it
/// only directly before the name, where cbindgen writes nothing.
fn with_convention(header: &str) -> String {
    let mut text = header.replace("typedef void (*eps_", "typedef void (EPS_CALL *eps_");
    let mut from = 0;
    while let Some(found) = text[from..].find("\nEPS_API") {
        let declared = from + found;
        let Some(bracket) = text[declared..].find('(') else { break };
        let name = text[..declared + bracket].rfind("eps_").unwrap_or(declared);
        text.insert_str(name, "EPS_CALL ");
        from = declared + bracket;
    }
    text
}

fn constants() -> String {
    let mut text = String::new();
    let number = |at: usize| VERSION.split('.').nth(at).unwrap_or("0");
    let _ = write!(
        text,
        r#"
/* How the functions are imported. Define EPS_STATIC when you link the static library on Windows. */
#ifndef EPS_API
#if defined(_WIN32) && !defined(EPS_STATIC)
#define EPS_API __declspec(dllimport)
#else
#define EPS_API
#endif
#endif

/* The calling convention of every function and callback: cdecl, also in a program whose default is
 * another one (/Gz, -mrtd). A callback with another convention does not compile. */
#ifndef EPS_CALL
#if defined(_WIN32)
#define EPS_CALL __cdecl
#else
#define EPS_CALL
#endif
#endif

/* Marks a function that spends. Its code is the outcome, so that a compiler warns of a program that
 * ignores it. */
#ifndef EPS_MUST_CHECK
#if defined(__GNUC__)
#define EPS_MUST_CHECK __attribute__((warn_unused_result))
#elif defined(_MSC_VER)
#include <sal.h>
#define EPS_MUST_CHECK _Check_return_
#else
#define EPS_MUST_CHECK
#endif
#endif

/* The version of this header. eps_version() returns the library's. */
#define EPS_VERSION "{VERSION}"
#define EPS_VERSION_MAJOR {}
#define EPS_VERSION_MINOR {}
#define EPS_VERSION_PATCH {}

/* The version of this interface, an argument of eps_client_open. The number changes only when
 * programs that were compiled against an older header stop working. */
#define EPS_ABI_VERSION {EPS_ABI_VERSION}u

/* The outcomes: the values of eps_outcome. */
"#,
        number(0),
        number(1),
        number(2),
    );
    for (outcome, name, meaning) in OUTCOMES {
        define(&mut text, &format!("EPS_OUTCOME_{name}"), *outcome as i32, meaning);
    }
    text.push_str("\n/* The log levels of eps_set_log. Each level includes the levels above it. */\n");
    for (level, name, meaning) in LEVELS {
        define(&mut text, &format!("EPS_LOG_{name}"), *level as i32, meaning);
    }
    text.push_str("\n/* Codes. The class of a code says what the POS does next. A number is never used again. */\n");
    for (class, meaning) in CLASSES {
        let _ = write!(text, "\n/* {meaning} */\n");
        for row in rows(*class) {
            define(&mut text, row.name, row.code.number(), row.meaning);
        }
    }
    text
}

fn define(text: &mut String, name: &str, number: i32, meaning: &str) {
    let number = if number < 0 { format!("({number})") } else { number.to_string() };
    // The wrapped lines and their frame stay within 100 columns.
    let comment = wrapped(meaning, 92).join("\n *  ");
    let _ = writeln!(text, "/** {comment} */\n#define {name} {number}");
}

/// Breaks a text into lines of at most `width` characters.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for part in text.split(' ') {
        let last = lines.len() - 1;
        if lines[last].is_empty() {
            lines[last].push_str(part);
        } else if lines[last].chars().count() + 1 + part.chars().count() <= width {
            lines[last].push(' ');
            lines[last].push_str(part);
        } else {
            lines.push(part.to_owned());
        }
    }
    lines
}

fn rows(class: i32) -> impl Iterator<Item = &'static Row> {
    TABLE.iter().filter(move |row| row.code.number() / 100 == class)
}

/// Returns the table of codes for the documentation.
fn codes_table() -> String {
    let mut table = "\n| Code | Name | Outcome | Action | Meaning |\n|---:|---|---|---|---|\n".to_owned();
    for row in TABLE {
        let outcome = match row.outcome {
            Outcome::NotSent => "not sent",
            other => other.name(),
        };
        let (number, action) = (row.code.number(), row.action().name());
        let _ = writeln!(table, "| {number} | `{}` | {outcome} | {action} | {} |", row.name, row.meaning);
    }
    table.push('\n');
    table
}

/// Returns the tables of the log's events and fields for the documentation.
fn events_table() -> String {
    let mut table = "\n| Event | Level | Meaning | Fields |\n|---|---|---|---|\n".to_owned();
    for event in EVENTS {
        let fields: Vec<String> = event.fields.iter().map(|field| format!("`{field}`")).collect();
        let _ = writeln!(table, "| `{}` | {} | {} | {} |", event.name, event.levels, event.meaning, fields.join(", "));
    }
    table.push_str("\n| Field | Meaning |\n|---|---|\n");
    for (field, meaning) in FIELDS {
        let _ = writeln!(table, "| `{field}` | {meaning} |");
    }
    table.push('\n');
    table
}

/// Returns a file's text with a new part between two marks.
fn between(found: &str, (begin, end): (&str, &str), text: &str) -> Result<String> {
    let missing = || format!("lacks the marks {begin:?} and {end:?}");
    let from = found.find(begin).ok_or_else(missing)? + begin.len();
    let to = found.find(end).filter(|to| *to >= from).ok_or_else(missing)?;
    Ok(format!("{}{text}{}", &found[..from], &found[to..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn difference_two_texts_shows_removed_and_added_lines() {
        assert_eq!(difference("a\nb\nc\n", "a\nx\ny\nc\n"), "@@ line 2 @@\n-b\n+x\n+y\n");
        assert_eq!(difference("a\na\n", "a\n"), "@@ line 2 @@\n-a\n");
        assert_eq!(difference("", "a\n"), "@@ line 1 @@\n+a\n");
        let long = "x\n".repeat(25);
        assert!(difference("", &long).ends_with("+ … and 5 more lines\n"));
    }

    #[test]
    fn header_every_code_is_in_exactly_one_class() {
        let printed: usize = CLASSES.iter().map(|(class, _)| rows(*class).count()).sum();
        assert_eq!(printed, TABLE.len());
        let text = constants();
        for row in TABLE {
            assert_eq!(text.matches(&format!("#define {} ", row.name)).count(), 1, "{}", row.name);
        }
    }

    #[test]
    fn convention_stands_before_each_name_and_callback() {
        let before = "\nEPS_API int32_t eps_a(eps_client *client);\n\nEPS_API\nconst char *eps_b(void);\n\
                      typedef void (*eps_log_fn)(void *user);\n/* eps_a(1) */\n";
        let after = "\nEPS_API int32_t EPS_CALL eps_a(eps_client *client);\n\nEPS_API\nconst char *EPS_CALL eps_b(void);\n\
                     typedef void (EPS_CALL *eps_log_fn)(void *user);\n/* eps_a(1) */\n";
        assert_eq!(with_convention(before), after);
    }

    #[test]
    fn wrapped_long_text_keeps_its_words_within_the_width() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("one", 2), ["one"]);
    }

    #[test]
    fn between_marks_missing_is_an_error() {
        let marks = ("<begin>\n", "<end>");
        assert!(between("# A readme\n", marks, "").unwrap_err().contains("marks"));
        assert!(between("<end><begin>\n", marks, "").unwrap_err().contains("marks"));
        let with = between("a\n<begin>\nyesterday\n<end>\nb\n", marks, "today\n").unwrap();
        assert_eq!(with, "a\n<begin>\ntoday\n<end>\nb\n");
    }
}
