//! Results as JUnit XML, the format that CI systems read.

use std::fmt::Write;
use std::time::Duration;

/// The result of one test.
#[derive(Clone, Debug)]
pub struct TestCase {
    /// The name of the test.
    pub name: String,
    /// The duration.
    pub took: Duration,
    /// The failures; empty: the test passed.
    pub failures: Vec<String>,
}

/// Returns the XML of a suite.
pub fn junit(suite: &str, cases: &[TestCase]) -> String {
    let failed = cases.iter().filter(|case| !case.failures.is_empty()).count();
    let took: Duration = cases.iter().map(|case| case.took).sum();
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"{}\" tests=\"{}\" failures=\"{failed}\" errors=\"0\" time=\"{:.3}\">\n",
        escaped(suite),
        cases.len(),
        took.as_secs_f64()
    );
    for case in cases {
        let (name, class) = (escaped(&case.name), escaped(suite));
        let _ =
            write!(xml, "  <testcase classname=\"{class}\" name=\"{name}\" time=\"{:.3}\"", case.took.as_secs_f64());
        let Some(first) = case.failures.first() else {
            xml.push_str("/>\n");
            continue;
        };
        let (first, all) = (escaped(first), escaped(&case.failures.join("\n")));
        let _ = writeln!(xml, ">\n    <failure message=\"{first}\">{all}</failure>\n  </testcase>");
    }
    xml + "</testsuite>\n"
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
        let case = |name: &str, failures: &[&str]| TestCase {
            name: name.to_owned(),
            took: Duration::from_millis(1500),
            failures: failures.iter().map(|&why| why.to_owned()).collect(),
        };
        let xml = junit("a & b", &[case("fine", &[]), case("\"bad\"", &["</failure>\u{0}", "more"])]);
        assert!(
            xml.contains(r#"<testsuite name="a &amp; b" tests="2" failures="1" errors="0" time="3.000">"#),
            "{xml}"
        );
        assert!(xml.contains(r#"<testcase classname="a &amp; b" name="fine" time="1.500"/>"#), "{xml}");
        assert!(xml.contains("name=\"&quot;bad&quot;\"") && xml.contains("&lt;/failure&gt;?\nmore</failure>"), "{xml}");
    }
}
