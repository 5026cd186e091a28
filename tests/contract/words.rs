//! The language of the project: banned words, the length of comment lines, the length of test
//! names. A failure prints the file and the line of each breach.

use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Words that the project does not use, and the word to use instead (`docs/glossary.md`).
/// A word matches whole words in any case, also inside an identifier.
const BANNED: &[(&str, &str)] = &[
    ("told", "reported, returned"),
    ("tell", "report, return"),
    ("tells", "reports, returns"),
    ("telling", "reporting, returning"),
    ("wish", "request, command"),
    ("wishes", "requests, commands"),
    ("whoever", "a noun"),
    ("whomever", "a noun"),
    ("whom", "a noun"),
    ("hire", "spawn"),
    ("hires", "spawns"),
    ("hired", "spawned"),
    ("staff", "workers"),
    ("settle", "resolve"),
    ("settles", "resolves"),
    ("settled", "resolved"),
    ("settling", "resolving"),
    ("unsettled", "pending, unacknowledged"),
    ("patience", "deadline, timeout"),
    ("lesser evil", "the reason"),
    ("a look", "a status query"),
    ("look at", "read, check"),
    ("looks at", "reads, checks"),
    ("looked at", "read, checked"),
    ("answer", "response (HTTP), result"),
    ("answers", "responses (HTTP), results"),
    ("answered", "responded, returned"),
    ("answering", "responding"),
    ("unanswered", "without a response"),
    ("refuse", "decline, reject"),
    ("refuses", "declines, rejects"),
    ("refused", "declined, rejected"),
    ("band", "class (of codes)"),
    ("bands", "classes (of codes)"),
    ("apiMapping", "API mapping"),
    ("quiet time", "in-flight window"),
    ("quiet until", "in-flight until"),
    ("replay limit", "resend limit"),
    ("needs a person", "manual review"),
    ("needs person", "manual review"),
    ("joins", "is the existing operation"),
    ("joined", "existing"),
    ("tidy", "checkpoint"),
    ("gone", "cancelled, closed, missing"),
    ("trickle", "minimum interval"),
    ("agenda", "scheduler"),
];

/// Where a banned word has another meaning, or is data: the start of a path, the word, the text
/// of the line that has it. An empty text stands for every line.
const EXEMPT: &[(&str, &str, &str)] = &[
    // The glossary lists the old words.
    ("docs/glossary.md", "", ""),
    // This list.
    ("tests/contract/words.rs", "", ""),
    // The operating system's term for a rejected TCP connection.
    ("", "refused", "onnection refused"),
    ("", "refused", "ConnectionRefused"),
    ("", "refused", "ECONNREFUSED"),
    // A value of the configuration.
    ("src/config/mod.rs", "refuse", "\"refuse"),
    ("docs/", "refuse", "\"refuse\""),
    // The name of an action, which the header has.
    ("", "tell", "tellMember"),
    ("", "tell", "TellMember"),
    // A value of the configuration's journalRecovery.
    ("", "refuse", "journalRecovery"),
    ("src/config/mod.rs", "refuse", ""),
    ("src/journal/schema.rs", "refused", "'refused'"),
    ("", "tell", "tell_member"),
    ("", "tell", "TELL_MEMBER"),
    // The default of "journalRecovery".
    ("", "refuse", "\"refuse\""),
    // Columns of older journals, which a migration renames.
    ("src/journal/schema.rs", "refused", "'refused'"),
    ("src/journal/schema.rs", "answer", "answer "),
    ("src/journal/schema.rs", "answer", ", answer, "),
    ("src/journal/schema.rs", "settled", "settled_at"),
    ("src/journal/schema.rs", "quiet until", "quiet_until"),
];

/// The files and folders with text for people.
const PLACES: &[&str] = &[
    "src",
    "include",
    "docs",
    "bindings",
    "examples",
    "packaging",
    "sandbox/src",
    "sandbox/tests",
    "tools",
    "xtask/src",
    "tests",
    "fuzz/src",
    "benches",
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "Cargo.toml",
];

const TEXT: &[&str] = &[
    "rs", "c", "h", "hpp", "cpp", "cs", "py", "java", "js", "ts", "pas", "go", "lua", "md", "toml", "html", "css",
    "json", "conf", "sh",
];
const CODE: &[&str] = &["rs", "c", "h", "hpp", "cpp", "cs", "py", "java", "js", "ts", "pas", "go", "lua"];

/// In characters.
const MAX_COMMENT_LINE: usize = 100;
const MAX_TEST_NAME: usize = 60;

#[test]
fn project_text_has_no_banned_words() {
    report(
        "Banned words. Use the word of docs/glossary.md.",
        &breaches(TEXT, |file, text| {
            let exempt = |word: &str, line: &str| {
                EXEMPT.iter().any(|(start, of, part)| {
                    file.starts_with(start) && (of.is_empty() || *of == word) && line.contains(part)
                })
            };
            let mut found = banned(text);
            found.retain(|(_, word, line)| !exempt(word, line));
            found.into_iter().map(|(at, word, _)| (at, format!("\"{word}\": {}", instead(word)))).collect()
        }),
    );
}

#[test]
fn comment_lines_have_at_most_100_columns() {
    report("Comment lines that are too long. Break the line.", &breaches(CODE, |_, text| long_comments(text)));
}

#[test]
fn test_names_have_at_most_60_characters() {
    report("Test names that are too long. Shorten the name.", &breaches(&["rs"], |_, text| long_names(text)));
}

#[test]
fn snippet_with_a_breach_is_reported_with_its_line() {
    let words = |text: &str| banned(text).into_iter().map(|(at, word, _)| (at, word)).collect::<Vec<_>>();
    assert_eq!(words("fine\nHe TOLD it.\nfn told_by()\nstruct ToldTwice;"), [(2, "told"), (3, "told"), (4, "told")]);
    assert_eq!(words("needsPerson\nneeds_a_person\nquiet\ntime"), [(1, "needs person"), (2, "needs a person")]);
    assert_eq!(words("A look\na. Look\nuntold, storytelling, band-aid"), [(1, "a look"), (3, "band")]);
    let long = "x".repeat(96);
    assert_eq!(long_comments(&format!("// {long}x\n// {long}xx\nlet a = \"{long}xx\";\n/*\n * {long}xx */")).len(), 2);
    assert_eq!(long_names(&format!("#[test]\n#[ignore]\nfn {}() {{}}\nfn {long}() {{}}", "y".repeat(61))).len(), 1);
    assert_eq!(long_names(&format!("#[test]\nfn {}() {{}}", "y".repeat(60))), []);
}

/// Fails with a line per breach, and the number of breaches of each folder.
#[track_caller]
fn report(title: &str, breaches: &[(String, usize, String)]) {
    if breaches.is_empty() {
        return;
    }
    let mut text = format!("{title}\n");
    let mut folders = std::collections::BTreeMap::new();
    for (file, line, what) in breaches {
        writeln!(text, "{file}:{line}: {what}").unwrap();
        *folders.entry(PLACES.iter().find(|place| file.starts_with(**place)).unwrap()).or_insert(0) += 1;
    }
    panic!("{text}{} breaches: {folders:?}", breaches.len());
}

/// Applies a rule to every file with one of these extensions: path, line and fault.
fn breaches(extensions: &[&str], rule: impl Fn(&str, &str) -> Vec<(usize, String)>) -> Vec<(String, usize, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for place in PLACES {
        collect(&root.join(place), extensions, &mut files);
    }
    assert!(files.len() > 20, "only {} files were found", files.len());
    let mut found = Vec::new();
    for path in files {
        let file = path.strip_prefix(root).unwrap().display().to_string();
        let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
        // The fuzz seeds and recorded data are not always UTF-8.
        let text = String::from_utf8_lossy(&bytes);
        found.extend(rule(&file, &text).into_iter().map(|(line, what)| (file.clone(), line, what)));
    }
    found
}

/// Adds the files at and below a path. A missing path adds none.
fn collect(path: &Path, extensions: &[&str], files: &mut Vec<PathBuf>) {
    if path.is_dir() {
        // Build output and virtual environments are no sources.
        if path.file_name().is_some_and(|name| name == "target" || name == "__pycache__" || name == "obj") {
            return;
        }
        let mut entries: Vec<PathBuf> = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for entry in &entries {
            collect(entry, extensions, files);
        }
    } else if path.is_file() && path.extension().is_some_and(|found| extensions.iter().any(|one| found == *one)) {
        files.push(path.to_owned());
    }
}

fn instead(word: &str) -> &str {
    BANNED.iter().find(|(banned, _)| *banned == word).map_or("", |(_, instead)| instead)
}

/// Returns each banned word with its line number and its line.
fn banned(text: &str) -> Vec<(usize, &'static str, &str)> {
    let phrases: Vec<(&str, Vec<&str>)> = BANNED.iter().map(|(word, _)| (*word, word.split(' ').collect())).collect();
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let words = words(line);
        for (word, phrase) in &phrases {
            let hits = words.windows(phrase.len()).filter(|window| window.iter().eq(phrase.iter()));
            found.extend(hits.map(|_| (at + 1, *word, line)));
        }
    }
    found
}

/// Splits a line into lower-case words, also at the borders inside identifiers. Punctuation is
/// an empty word, so that no phrase crosses it.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in line.chars() {
        if c.is_alphabetic() {
            if !before.is_alphabetic() || (before.is_lowercase() && c.is_uppercase()) {
                words.push(String::new());
            }
            words.last_mut().unwrap().extend(c.to_lowercase());
        } else if !matches!(c, ' ' | '_' | '-') {
            words.push(String::new());
        }
        before = c;
    }
    words
}

/// Returns the comment lines that are too long. A line with code before the comment is no comment
/// line.
fn long_comments(text: &str) -> Vec<(usize, String)> {
    let mut inside = false;
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let start = line.trim_start();
        let comment = inside || start.starts_with("//") || start.starts_with("/*") || start.starts_with("# ");
        if inside || start.starts_with("/*") {
            inside = !line.contains("*/");
        }
        let columns = line.chars().count();
        if comment && columns > MAX_COMMENT_LINE {
            found.push((at + 1, format!("{columns} columns")));
        }
    }
    found
}

/// Returns the names of tests that are too long.
fn long_names(text: &str) -> Vec<(usize, String)> {
    let mut is_test = false;
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim_start();
        is_test |= line == "#[test]";
        let function = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
        if let Some(name) = function.and_then(|rest| rest.split(['(', '<']).next()) {
            if is_test && name.chars().count() > MAX_TEST_NAME {
                found.push((at + 1, format!("{name} has {} characters", name.chars().count())));
            }
            is_test = false;
        }
    }
    found
}
