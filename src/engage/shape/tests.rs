//! Lists in every wrapping, and fields in every type.

use super::*;
use crate::engage::purchases::tests::response;

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}

#[test]
fn field_is_read_by_any_of_its_names_in_any_case_and_depth() {
    let text =
        raw(r#"{"Name":"a","empty":"","none":null,"number":7.50,"minus":-3,"deep":{"Inner":{"x":"y"}},"a.b":"dotted",
            "yes":true,"no":"No","one":1,"zero":0,"odd":"maybe","id":"00000000-0000-4000-8000-000000000009"}"#);
    let object = Object::read(&text).unwrap();
    let shown = |names: &[&str]| (object.text(names), object.digits(names));
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(shown(&["name"]), (some("a"), some("a")));
    assert_eq!(shown(&["empty", "none", "Name"]), (some("a"), some("a")));
    assert_eq!(shown(&["number"]), (None, some("7.50")));
    assert_eq!(shown(&["minus"]), (None, some("-3")));
    assert_eq!(shown(&["deep.inner.x"]), (some("y"), some("y")));
    assert_eq!(shown(&["a.b"]), (some("dotted"), some("dotted")));
    assert_eq!(shown(&["deep", "missing", "deep.missing"]), (None, None));
    let flags = ["yes", "no", "one", "zero", "odd", "missing"].map(|name| object.flag(&[name]));
    assert_eq!(flags, [Some(true), Some(false), Some(true), Some(false), None, None]);
    assert_eq!(object.guid(&["name", "id"]), Uuid::try_parse("00000000-0000-4000-8000-000000000009").ok());
    assert!(Object::read(&raw("[]")).is_none());
}

#[test]
fn success_is_denied_by_a_field_of_its_own_only() {
    for (text, denied) in [
        (r"{}", false),
        ("[]", true),
        (r#"{"error":null,"errors":[],"fault":{},"exception":"","errorCode":false}"#, false),
        (r#"{"error":"x"}"#, true),
        (r#"{"errors":["x"]}"#, true),
        (r#"{"ErrorCode":"x"}"#, true),
        (r#"{"fault":{"a":1}}"#, true),
        (r#"{"exception":"x"}"#, true),
        (r#"{"success":true,"ok":"true"}"#, false),
        (r#"{"success":false}"#, true),
        (r#"{"succeeded":0}"#, true),
        (r#"{"isSuccess":"false"}"#, true),
        (r#"{"ok":"no"}"#, true),
        (r#"{"status":"Completed","result":"ok"}"#, false),
        (r#"{"status":"FAILED"}"#, true),
        (r#"{"result":"rejected"}"#, true),
        (r#"{"outcome":"denied"}"#, true),
    ] {
        assert_eq!(denies_success(&raw(text)), denied, "{text}");
    }
}

const FIELDS: &[Field] = &[("id", Kind::Guid), ("cost", Kind::Natural)];

#[test]
fn field_that_contradicts_itself_counts_as_absent() {
    let text = raw(r#"{"a":1,"A":2,"b":3,"B":3,"c":{"d":1,"d":2},"e":null,"E":4}"#);
    let object = Object::read(&text).unwrap();
    assert_eq!(object.one::<u8>(&["a"]), None);
    assert_eq!(object.one::<u8>(&["b"]), Some(3));
    assert_eq!(object.one::<u8>(&["c.d"]), None);
    assert_eq!(object.one::<u8>(&["e"]), None);
    for text in [
        r#"{"success":true,"success":false}"#,
        r#"{"error":{"a":1},"Error":null}"#,
        r#"{"status":"ok","status":"error"}"#,
    ] {
        assert!(denies_success(&raw(text)), "{text}");
    }
}

#[test]
fn list_leaves_out_what_is_not_understood() {
    let id = Uuid::from_u128(9);
    let element = |cost: &str| format!(r#"{{"id":"{id}","cost":{cost}}}"#);
    let checked = |body: &str| {
        let (list, skipped) = check_list(response(200, body), "items", FIELDS, || None)?;
        Ok::<_, Error>((String::from_utf8(list).unwrap(), skipped))
    };
    let good = format!("[{}]", element("5"));
    assert_eq!(checked(&good).unwrap(), (good.clone(), 0));
    assert_eq!(checked(&format!("\u{feff}{good}")).unwrap(), (good.clone(), 0));
    let float = format!("[{}]", element("500.0"));
    assert_eq!(checked(&float).unwrap(), (float.clone(), 0), "a number counts by its value");
    assert_eq!(checked(&format!("[null,{},7]", element("5"))).unwrap(), (good, 2));
    assert_eq!(checked("[]").unwrap(), ("[]".into(), 0));
    for (body, message) in [
        (
            format!("[{}]", element("-1")),
            "no element of the items has the documented fields, each once and in its documented type",
        ),
        (
            format!("[{}]", element("0.5")),
            "no element of the items has the documented fields, each once and in its documented type",
        ),
        (
            "[\n{}\n]".to_owned(),
            "no element of the items has the documented fields, each once and in its documented type",
        ),
        ("[".to_owned(), "the items end too early (line 1, column 1)"),
        ("[\n\n x]".to_owned(), "(line 3, column 2)"),
        (String::new(), "the response is empty"),
        ("<html>".to_owned(), "the response is a web page"),
    ] {
        let error = checked(&body).unwrap_err();
        assert!(error.message().contains(message), "{body}: {}", error.message());
        assert_eq!((error.code(), error.detail().http_status), (Code::InvalidResponse, Some(200)));
    }
    let not_utf8 = Response { body: vec![b'[', 0xFF], ..response(200, "") };
    assert!(check_list(not_utf8, "items", FIELDS, || None).unwrap_err().message().contains("not UTF-8"));
}

#[test]
fn list_and_object_are_read_up_to_a_number_of_parts() {
    let ones = |count: usize| format!("[{}]", vec!["1"; count].join(","));
    let read = |body: &str| elements(&response(200, body), &ApiMapping::default()).map(|list| list.elements.len());
    assert_eq!(read(&ones(MOST)), Some(MOST));
    assert_eq!(read(&ones(MOST + 1)), None);
    assert_eq!(read(&format!(r#"{{"items":{}}}"#, ones(MOST + 1))), None);
    let error = check_list(response(200, &ones(MOST + 1)), "items", FIELDS, || None).unwrap_err();
    assert!(error.message().contains("the items have too many elements"), "{error}");
    let fields = |count: usize| raw(&format!("{{{}}}", vec![r#""a":1"#; count].join(",")));
    assert!(Object::read(&fields(MOST)).is_some() && Object::read(&fields(MOST + 1)).is_none());
}

#[test]
fn list_is_not_read_to_its_end_after_the_calls_end() {
    let list = format!("[{}]", vec!["1"; 1_000].join(","));
    for (reason, code) in [(EndReason::TimedOut, Code::TimedOut), (EndReason::Cancelled, Code::Cancelled)] {
        let asked = std::cell::Cell::new(0);
        let end_reason = || {
            asked.set(asked.get() + 1);
            (asked.get() == 3).then_some(reason)
        };
        assert_eq!(check_list(response(200, &list), "items", FIELDS, end_reason).unwrap_err().code(), code);
        assert_eq!(asked.get(), 3);
    }
}

#[test]
fn guid_in_quotes_is_passed_on() {
    let id = format!("\"{}\"", Uuid::from_u128(9));
    let checked = |body: &str| check_guid(response(200, body), "contact's id").map(|it| String::from_utf8(it).unwrap());
    assert_eq!(checked(&format!("\u{feff}{id}")).unwrap(), id);
    for body in ["\"x\"", "7", ""] {
        assert!(checked(body).unwrap_err().message().contains("the contact's id is not a GUID in quotes"), "{body}");
    }
}

#[test]
fn list_is_complete_unless_it_may_be_a_page() {
    let mapping = ApiMapping::default();
    let ones = |count: usize| format!("[{}]", vec!["1"; count].join(","));
    for (body, expected) in [
        (ones(0), Some((0, true))),
        (ones(1), Some((1, true))),
        (ones(100), Some((100, false))),
        (ones(101), Some((101, true))),
        (ones(200), Some((200, false))),
        (format!(" {{\"items\":{}}}", ones(2)), Some((2, true))),
        (format!("{{\"DATA\":{}}}", ones(2)), Some((2, true))),
        (format!("{{\"items\":{}}}", ones(100)), Some((100, false))),
        (format!("{{\"items\":{},\"totalCount\":2,\"count\":2,\"offset\":0}}", ones(2)), Some((2, true))),
        (format!("{{\"items\":{},\"totalCount\":100}}", ones(100)), Some((100, true))),
        (format!("{{\"items\":{},\"totalCount\":3}}", ones(2)), Some((2, false))),
        (format!("{{\"items\":{},\"totalCount\":1}}", ones(2)), Some((2, true))),
        (format!("{{\"items\":{},\"offset\":2}}", ones(2)), Some((2, false))),
        (format!("{{\"items\":{},\"totalCount\":null}}", ones(2)), Some((2, false))),
        (format!("{{\"items\":{},\"totalCount\":-1}}", ones(2)), Some((2, false))),
        (format!("{{\"items\":{},\"totalCount\":2,\"totalCount\":1}}", ones(1)), Some((1, false))),
        (format!("{{\"items\":{},\"nextPage\":null}}", ones(2)), Some((2, false))),
        (format!("{{\"items\":{},\"data\":[]}}", ones(2)), Some((2, false))),
        ("{\"rows\":[]}".into(), None),
        ("7".into(), None),
        ("[".into(), None),
    ] {
        let found = elements(&response(200, &body), &mapping).map(|list| (list.elements.len(), list.complete));
        let start = &body[..body.len().min(40)];
        assert_eq!(found, expected, "{start}");
    }
}

#[test]
fn list_is_not_complete_where_the_headers_say_so() {
    let mapping = ApiMapping::default();
    let whole = Extent::default();
    for (extent, expected) in [
        (whole, true),
        (Extent { is_cached: true, ..whole }, false),
        (Extent { has_next: true, ..whole }, false),
        (Extent { total: Some(3), ..whole }, false),
        (Extent { total: Some(2), ..whole }, true),
    ] {
        for body in ["[1,2]", r#"{"items":[1,2]}"#, r#"{"items":[1,2],"totalCount":2}"#] {
            let response = Response { extent, ..response(200, body) };
            let list = elements(&response, &mapping).unwrap();
            assert_eq!(list.complete, expected, "{extent:?} {body}");
        }
    }
}

#[test]
fn envelope_around_a_list_is_removed() {
    let mapping = ApiMapping::default();
    for (body, expected) in [
        ("{\"items\":[1]}", "[1]"),
        (" {\"data\":[2]}", "[2]"),
        ("[3]", "[3]"),
        ("{\"rows\":[4]}", "{\"rows\":[4]}"),
        ("{", "{"),
    ] {
        let unwrapped = without_envelope(response(200, body), &mapping);
        assert_eq!(String::from_utf8(unwrapped.body).unwrap(), expected);
    }
}

const GOOD: &str = r#"{"id":"b0000000-0000-4000-8000-000000000001","cost":5}"#;

fn skipped(list: &str) -> std::result::Result<usize, String> {
    assert!(!list_check::is_list(list, FIELDS), "{list}");
    match read_list(list, "items", FIELDS, || None) {
        Ok(skipped) => Ok(skipped.map_or(0, |(_, skipped)| skipped)),
        Err(ReadEnd::Bad(says)) => Err(says),
        Err(ReadEnd::Over(reason)) => panic!("{reason:?}"),
    }
}

#[test]
fn list_is_read_by_the_meaning_of_its_names() {
    for (list, expected) in [
        (format!("[{}]", GOOD.replace("id", "\\u0069d")), 0),
        (format!("[{}]", GOOD.replace('5', "500.0")), 0),
        (format!("[{}]", GOOD.replace('-', "")), 0),
        (format!("[{GOOD},7]"), 1),
        (format!("[{GOOD},{}]", GOOD.replace('5', "5,\"cost\":6")), 1),
        (format!("[{GOOD},{}]", GOOD.replace('5', "5,\"\\u0063ost\":6")), 1),
        (format!("[{GOOD},{}]", GOOD.replace('5', "5,\"Cost\":5")), 1),
        (format!("[{GOOD},{}]", GOOD.replace('5', &format!("5,\"a\":{}{}", "[".repeat(200), "]".repeat(200)))), 1),
        (format!("[{}]", GOOD.replace('5', &format!("5,\"a\":{}{}", "[".repeat(100), "]".repeat(100)))), 0),
    ] {
        assert_eq!(skipped(&list), Ok(expected), "{list}");
    }
}

#[test]
fn list_that_is_not_read_is_named_with_its_place() {
    for (list, says) in [
        ("", "the items end too early (line 1, column 0)"),
        ("{}", "the items are not a JSON array (line 1, column 0)"),
        ("[\n{\"a\":1},\n", "the items end too early (line 3, column 0)"),
        ("[{\"a\":\n1x}]", "the items are not JSON (line 2, column 2)"),
        ("[{\"a\":1}]", "no element of the items has the documented fields"),
    ] {
        assert!(skipped(list).unwrap_err().starts_with(says), "{list}: {}", skipped(list).unwrap_err());
    }
}

/// Texts that several changes of a good list give. EPS_LIST_TEXTS sets their number.
#[test]
fn recognised_list_is_one_that_serde_accepts() {
    const PARTS: &[&str] = &[
        "\"",
        "\\",
        "\\\"",
        "\\u0041",
        "\\ud800",
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        " ",
        "\n",
        "\u{1}",
        "\u{1f}",
        "0",
        "-",
        "1e9",
        "e",
        ".",
        "true",
        "null",
        "nul",
        "é",
        "\"cost\":1,",
        "\"Cost\":2,",
        "\"id\":",
        "{}",
        "[]",
        "\\\\",
    ];
    let number = std::env::var("EPS_LIST_TEXTS").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let list = format!(r#" [{GOOD}, {{"text":"a \"b\" \u00e5","more":[1.5,{{"x":null}}],{}]"#, &GOOD[1..]);
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    let mut below = |limit: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % limit as u64).unwrap()
    };
    let mut recognised = 0_u32;
    for _ in 0..number {
        let mut text = list.clone();
        for _ in 0..=below(3) {
            let at = below(text.len());
            let to = (at + below(3)).min(text.len());
            if text.is_char_boundary(at) && text.is_char_boundary(to) {
                text.replace_range(at..to, PARTS[below(PARTS.len())]);
            }
        }
        if list_check::is_list(&text, FIELDS) {
            recognised += 1;
            assert_eq!(read_list(&text, "items", FIELDS, || None), Ok(None), "{text}");
        }
    }
    assert!(recognised > 0);
}
