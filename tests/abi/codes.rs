//! The codes as C sees them. Each name of the table has its number in the header, and the functions
//! agree with both.

use crate::header::macros;
use crate::tools::{Link, library, program, run};
use engage_point_shop::code::TABLE;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::Command;
use tempfile::TempDir;

/// The header's rule for a number outside the table: its class decides. Outside the classes the
/// outcome is pending.
const PROGRAM: &str = r#"
static int32_t by_class(int32_t code) {
    if (code <= -700 || code > -100) return EPS_OUTCOME_PENDING;
    switch (code / 100) {
        case -1: case -2: case -4: case -6: return EPS_OUTCOME_NOT_SENT;
        case -3: return EPS_OUTCOME_DECLINED;
        default: return EPS_OUTCOME_PENDING;
    }
}

static const char *action_by_class(int32_t code) {
    if (code == 0) return "continue";
    if (code <= -700 || code > -100) return "fixProgram";
    switch (code / 100) {
        case -2: case -6: return "administrator";
        case -3: return "tellMember";
        case -4: return "retry";
        case -5: return "wait";
        default: return "fixProgram";
    }
}

static int wrong(int32_t code) {
    int32_t outcome = by_class(code);
    const char *name = "EPS_UNKNOWN";
    const char *action = action_by_class(code), *meaning = "This version of the library has no code of this number.";
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].code == code)
            outcome = table[i].outcome, name = table[i].name, action = table[i].action, meaning = table[i].meaning;
    if (strcmp(eps_code_action(code), action) || strcmp(eps_code_meaning(code), meaning))
        return fprintf(stderr, "%d: %s, %s\n", code, eps_code_action(code), eps_code_meaning(code)), 1;
    if (eps_outcome(code) == outcome && strcmp(eps_code_name(code), name) == 0) return 0;
    fprintf(stderr, "%d is %s with outcome %d, not %s with %d\n", code, eps_code_name(code), eps_outcome(code), name, outcome);
    return 1;
}

int main(void) {
    int wrongs = wrong(INT32_MIN) + wrong(INT32_MIN + 1) + wrong(INT32_MAX);
    for (int32_t code = -70000; code <= 70000; code++) wrongs += wrong(code);
    return wrongs != 0;
}
"#;

#[test]
fn codes_in_table_header_and_functions_are_equal() {
    let macros: BTreeMap<String, String> = macros().into_iter().collect();
    let mut text = "#include \"engage_point_shop.h\"\n#include <stdio.h>\n#include <string.h>\n".to_owned();
    let mut rows = String::new();
    for row in TABLE {
        let number = row.code.number();
        let parenthesised = if number < 0 { format!("({number})") } else { number.to_string() };
        assert_eq!(macros.get(row.name), Some(&parenthesised), "{}", row.name);
        writeln!(text, "_Static_assert({} == {number}, \"{}\");", row.name, row.name).unwrap();
        let (outcome, action) = (row.outcome as i32, row.action().name());
        writeln!(rows, "    {{{number}, \"{}\", {outcome}, \"{action}\", {:?}}},", row.name, row.meaning).unwrap();
    }
    write!(
        text,
        "static const struct {{ int32_t code; const char *name; int32_t outcome; const char *action, *meaning; }} table[] = {{\n{rows}}};\n"
    )
    .unwrap();
    text.push_str(PROGRAM);

    let negative = macros.values().filter(|value| value.starts_with("(-")).count();
    assert_eq!(negative + 1, TABLE.len(), "the header has a code that is not in the table");

    let folder = TempDir::new().unwrap();
    let source = folder.path().join("codes.c");
    std::fs::write(&source, text).unwrap();
    let codes = program(&source, Link::Shared(&library("libengage_point_shop.so")), folder.path());
    run(&mut Command::new(codes));
}
