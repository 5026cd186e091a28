//! The generated files of the Node.js binding: codes, prototypes and types.

use super::bindings::{ACTION, CODES, Entry, OWN_TEXTS, codes, levels, outcomes, own_texts, snake};
use super::functions::Function;
use super::schema::{Field, RESULTS, Schema, Type, named};
use super::{ACTIONS, wrapped};
use engage_point_shop::ffi::EPS_ABI_VERSION;
use std::fmt::Write;

const FOLDER: &str = "bindings/node/lib";
const MADE: &str = "// Made by `cargo xtask header`; do not edit.\n\n";
const LEVELS: &str = "The log levels. Each level includes the levels above it.";

/// Returns each generated file's path and text.
pub fn files(functions: &[Function], schema: &Schema) -> Vec<(String, String)> {
    [("functions.js", prototypes(functions)), ("codes.js", tables()), ("types.d.ts", types(schema))]
        .map(|(name, text)| (format!("{FOLDER}/{name}"), format!("{MADE}{text}")))
        .into()
}

fn prototypes(functions: &[Function]) -> String {
    let mut text = format!(
        "\"use strict\";\n\nexports.ABI_VERSION = {EPS_ABI_VERSION};\n\n/** The functions of engage_point_shop.h, as koffi reads them. */\n"
    );
    text.push_str("exports.PROTOTYPES = [\n");
    for function in functions {
        // A handle is a number to JavaScript, and a function's `user` is a number of the binding's.
        let prototype = function.prototype().replace("eps_client **client", "_Out_ uintptr_t *client");
        let prototype =
            prototype.replace("eps_client *client", "uintptr_t client").replace("void *user", "uintptr_t user");
        let out =
            prototype.replace("const eps_buffer *", "eps_buffer *").replace("eps_buffer *out", "_Out_ eps_buffer *out");
        let callback = out.replace("eps_log_fn fn", "eps_log_fn *fn").replace("eps_notify_fn fn", "eps_notify_fn *fn");
        let disposed = callback.replace("eps_buffer_dispose(eps_buffer *", "eps_buffer_dispose(_Inout_ eps_buffer *");
        let _ = writeln!(text, "  \"{disposed}\",");
    }
    text + "];\n"
}

fn tables() -> String {
    let mut text = "\"use strict\";\n".to_owned();
    let mut table = |comment: &str, name: &str, entries: &[Entry]| {
        let _ = write!(text, "\n/** {comment} */\nexports.{name} = Object.freeze({{\n");
        for entry in entries {
            let _ = writeln!(text, "{}  {}: {},", doc(2, entry.meaning), entry.short, entry.number);
        }
        text.push_str("});\n");
    };
    table(CODES, "Code", &codes());
    table(LEVELS, "LogLevel", &levels());
    table("The numbers of the outcomes.", "Outcome", &outcomes());
    let _ = write!(text, "\n/** {ACTION} */\nexports.Action = Object.freeze({{\n");
    for (action, meaning) in ACTIONS {
        let _ = writeln!(text, "{}  {}: \"{}\",", doc(2, meaning), constant(action.name()), action.name());
    }
    let _ = write!(text, "}});\n\n{}exports.TEXTS = Object.freeze({{\n", doc(0, OWN_TEXTS));
    for (language, texts) in own_texts() {
        let _ = writeln!(text, "  {language}: [\n    \"{}\",\n  ],", texts.join("\",\n    \""));
    }
    text + "});\n"
}

fn types(schema: &Schema) -> String {
    let mut text = String::new();
    for (comment, name, entries) in [(CODES, "Code", codes()), (LEVELS, "LogLevel", levels())] {
        let _ = write!(text, "/** {comment} */\nexport declare const {name}: {{\n");
        for entry in entries {
            let _ = writeln!(text, "{}  readonly {}: {};", doc(2, entry.meaning), entry.short, entry.number);
        }
        text.push_str("};\n\n");
    }
    let _ = write!(text, "/** {ACTION} */\nexport declare const Action: {{\n");
    let mut names = Vec::new();
    for (action, meaning) in ACTIONS {
        let _ = writeln!(text, "{}  readonly {}: \"{}\";", doc(2, meaning), constant(action.name()), action.name());
        names.push(format!("\"{}\"", action.name()));
    }
    let _ = write!(text, "}};\nexport type Action = {};\n\n", names.join(" | "));
    text.push_str("/** What is known about the points. */\nexport type Outcome = \"completed\" | \"declined\" | \"pending\" | \"notSent\";\n");
    text.push_str("\n/** An object of Engage's own, unchanged. */\nexport type Engages = Record<string, any>;\n");
    let mut objects: Vec<(String, String)> =
        RESULTS.iter().map(|(of, name)| ((*of).to_owned(), (*name).to_owned())).collect();
    objects.push(("configuration".to_owned(), "Config".to_owned()));
    objects.extend(schema.option_objects().into_iter().map(|of| {
        let (first, rest) = of.split_at(1);
        let name = first.to_ascii_uppercase() + rest;
        (of, name)
    }));
    for (of, name) in objects {
        let _ = write!(text, "\n{}export interface {name} {{\n", doc(0, &schema.meaning(&of)));
        for field in schema.fields(&of) {
            let _ = writeln!(text, "{}  {}", doc(2, &field.meaning), member(&field));
        }
        text.push_str("}\n");
    }
    text
}

fn member(field: &Field) -> String {
    let optional = if field.optional { "?" } else { "" };
    let null = if field.null { " | null" } else { "" };
    format!("{}{optional}: {}{null};", field.name, typescript(&field.of))
}

fn typescript(of: &Type) -> String {
    match of {
        Type::Text => "string".to_owned(),
        Type::OneOf(texts) => texts.iter().map(|text| format!("\"{text}\"")).collect::<Vec<_>>().join(" | "),
        Type::Flag => "boolean".to_owned(),
        Type::Whole | Type::Code => "number".to_owned(),
        Type::Outcome => "Outcome".to_owned(),
        Type::Action => "Action".to_owned(),
        Type::Whatever => "unknown".to_owned(),
        Type::Engages => "Engages".to_owned(),
        Type::Object(name) if named(name) == "object" => "Record<string, unknown>".to_owned(),
        Type::Object(name) => named(name).to_owned(),
        Type::List(of) => format!("{}[]", typescript(of)),
    }
}

fn constant(name: &str) -> String {
    snake(name).trim_end_matches('_').to_ascii_uppercase()
}

fn doc(indent: usize, meaning: &str) -> String {
    let space = " ".repeat(indent);
    if meaning.is_empty() {
        return String::new();
    }
    format!("{space}/** {} */\n", wrapped(meaning, 90 - indent).join(&format!("\n{space} *  ")))
}
