//! Results as JUnit XML, the format that CI systems read. The document is valid against the schemas
//! of Ant and of Jenkins.

use std::fmt::Write;
use std::time::Duration;

use crate::clock::Time;

/// The result of one test.
#[derive(Clone, Debug)]
pub struct TestCase {
    /// The name of the test.
    pub name: String,
    /// The duration.
    pub took: Duration,
    /// The end.
    pub end: TestEnd,
}

/// The end of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TestEnd {
    /// It passed.
    Passed,
    /// It failed, for these reasons.
    Failed(Vec<String>),
    /// It could not be carried out, for this reason.
    Error(String),
    /// It does not apply, for this reason.
    Skipped(String),
}

impl TestEnd {
    /// Returns the end of a test with these failures; empty: the test passed.
    pub fn of(failures: Vec<String>) -> TestEnd {
        if failures.is_empty() { TestEnd::Passed } else { TestEnd::Failed(failures) }
    }

    /// Returns the element of an end that is no success: its name, the type and the reasons.
    fn element(&self) -> Option<(&'static str, &'static str, String)> {
        match self {
            TestEnd::Passed => None,
            TestEnd::Failed(why) => Some(("failure", " type=\"failed\"", why.join("\n"))),
            TestEnd::Error(why) => Some(("error", " type=\"void\"", why.clone())),
            TestEnd::Skipped(why) => Some(("skipped", "", why.clone())),
        }
    }
}

/// Returns the XML of a suite that began at this time.
pub fn junit(suite: &str, began: Time, cases: &[TestCase]) -> String {
    let count = |name| cases.iter().filter(|case| case.end.element().is_some_and(|(of, ..)| of == name)).count();
    let took: Duration = cases.iter().map(|case| case.took).sum();
    // Ant's schema knows no fraction of a second in a date and no zone.
    let began = began.to_string();
    let timestamp = began.get(..19).unwrap_or(&began);
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"{}\" timestamp=\"{timestamp}\" hostname=\"localhost\" \
         tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{:.3}\">\n  <properties/>\n",
        escaped(suite),
        cases.len(),
        count("failure"),
        count("error"),
        count("skipped"),
        took.as_secs_f64()
    );
    for case in cases {
        let (name, class) = (escaped(&case.name), escaped(suite));
        let took = case.took.as_secs_f64();
        let _ = write!(xml, "  <testcase classname=\"{class}\" name=\"{name}\" time=\"{took:.3}\"");
        let Some((element, kind, why)) = case.end.element() else {
            xml.push_str("/>\n");
            continue;
        };
        let (first, all) = (escaped(why.lines().next().unwrap_or_default()), escaped(&why));
        let _ = writeln!(xml, ">\n    <{element}{kind} message=\"{first}\">{all}</{element}>\n  </testcase>");
    }
    xml + "  <system-out/>\n  <system-err/>\n</testsuite>\n"
}

/// Escapes a text for XML, in an attribute too. A character that XML does not allow becomes a
/// question mark.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\n' | '\t' => safe.push(character),
            _ if character.is_control() || matches!(character, '\u{fffe}' | '\u{ffff}') => safe.push('?'),
            _ => safe.push(character),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_with_markup_is_escaped() {
        let case = |name: &str, end| TestCase { name: name.to_owned(), took: Duration::from_millis(1500), end };
        let failed = ["</failure>\u{0}", "more"].map(str::to_owned).to_vec();
        let cases = [
            case("fine", TestEnd::of(Vec::new())),
            case("\"bad\"", TestEnd::of(failed)),
            case("other", TestEnd::Skipped("no <journal>".to_owned())),
            case("void", TestEnd::Error("no\nholder".to_owned())),
        ];
        let xml = junit("a & b", Time::default(), &cases);
        for part in [
            r#"<testsuite name="a &amp; b" timestamp="1970-01-01T00:00:00" hostname="localhost" tests="4" failures="1" errors="1" skipped="1" time="6.000">"#,
            r#"<testcase classname="a &amp; b" name="fine" time="1.500"/>"#,
            "name=\"&quot;bad&quot;\"",
            "&lt;/failure&gt;?\nmore</failure>",
            r#"<skipped message="no &lt;journal&gt;">no &lt;journal&gt;</skipped>"#,
            "<error type=\"void\" message=\"no\">no\nholder</error>",
        ] {
            assert!(xml.contains(part), "{part} is not in {xml}");
        }
    }
}
