//! The generated files of the Java binding: codes, raw declarations, and the types of the results,
//! as classes for Java 8 and as records for Java 16 and newer.

use super::bindings::{ACTION, CODES, Entry, codes, levels, outcomes, snake};
use super::functions::Function;
use super::schema::{Field, RESULTS, Schema, Type, named};
use super::{ACTIONS, wrapped};
use engage_point_shop::ffi::EPS_ABI_VERSION;
use std::fmt::Write;

const MADE: &str = "// Made by `cargo xtask header`; do not edit.\n\npackage engage.pointshop;\n\n";
const FOLDER: &str = "bindings/java/src/main/java/engage/pointshop";
const RECORDS: &str = "bindings/java/src/main/java16/engage/pointshop";

/// Returns each generated file's path and text.
pub fn files(functions: &[Function], schema: &Schema) -> Vec<(String, String)> {
    let mut files = vec![
        ("Native", native(functions)),
        ("Code", numbers("Code", CODES, &codes())),
        ("LogLevel", numbers("LogLevel", "The log levels. Each level includes the levels above it.", &levels())),
        ("Outcome", outcome()),
        ("Action", action()),
        ("Config", settings("Config", &schema.meaning("configuration"), &schema.fields("configuration"))),
        ("Options", settings("Options", OPTIONS, &schema.options().into_values().collect::<Vec<_>>())),
    ];
    let classes = RESULTS.iter().map(|(of, name)| (*name, class(name, &schema.meaning(of), &schema.fields(of))));
    files.extend(classes);
    let mut files: Vec<_> =
        files.into_iter().map(|(name, text)| (format!("{FOLDER}/{name}.java"), format!("{MADE}{text}"))).collect();
    files.extend(RESULTS.iter().map(|(of, name)| {
        let text = record(name, &schema.meaning(of), &schema.fields(of));
        (format!("{RECORDS}/{name}.java"), format!("{MADE}{text}"))
    }));
    files
}

const OPTIONS: &str =
    "The options of a call. engage_point_shop.h lists those of each function; another one is an error.";

/// Returns the functions of the C API. JNA finds each by its name.
fn native(functions: &[Function]) -> String {
    let mut text = format!(
        "import com.sun.jna.Callback;\nimport com.sun.jna.Library;\nimport com.sun.jna.Pointer;\n\n\
         {}interface Native extends Library {{\n    int ABI_VERSION = {EPS_ABI_VERSION};\n\n    \
         /** The eps_log_fn of the C API. The length has the size of a pointer. */\n    \
         interface LogFunction extends Callback {{\n        void invoke(Pointer user, int level, Pointer line, Pointer length);\n    }}\n\n    \
         /** The eps_notify_fn of the C API. */\n    \
         interface NotifyFunction extends Callback {{\n        void invoke(Pointer user, Pointer json, Pointer length);\n    }}\n",
        doc(0, "The functions of engage_point_shop.h. A text is UTF-8 with a NUL behind. A buffer is {@link Buffer}.")
    );
    for function in functions {
        let returns = match function.returns.as_str() {
            "const char *" => "Pointer",
            "void" => "void",
            _ => "int",
        };
        let arguments: Vec<String> =
            function.arguments.iter().map(|(of, name)| format!("{} {name}", raw(of))).collect();
        let _ = write!(text, "\n    {returns} {}({});\n", function.name, arguments.join(", "));
    }
    text + "}\n"
}

fn raw(of: &str) -> &'static str {
    match of {
        "int32_t" | "uint32_t" => "int",
        "const char *" => "byte[]",
        "eps_log_fn" => "LogFunction",
        "eps_notify_fn" => "NotifyFunction",
        _ => "Pointer",
    }
}

/// Returns a class of constants: a newer library may return other numbers.
fn numbers(name: &str, meaning: &str, entries: &[Entry]) -> String {
    let mut text = format!("/** {meaning} */\npublic final class {name} {{\n    private {name}() {{}}\n");
    for entry in entries {
        if let Some(class) = entry.class {
            let _ = write!(text, "\n    // {class}\n");
        }
        let _ =
            writeln!(text, "{}    public static final int {} = {};", doc(4, entry.meaning), entry.short, entry.number);
    }
    text + "}\n"
}

fn outcome() -> String {
    let mut text = "/** The outcome of a code. */\npublic enum Outcome {\n".to_owned();
    for entry in outcomes() {
        let _ = writeln!(text, "{}    {}({}),", doc(4, entry.meaning), entry.short, entry.number);
    }
    text + "    ;\n\n    private final int number;\n\n    Outcome(int number) {\n        this.number = number;\n    }\n\n    \
            static Outcome of(int number) {\n        for (Outcome outcome : values()) {\n            if (outcome.number == number) {\n                \
            return outcome;\n            }\n        }\n        return PENDING;\n    }\n\n    \
            static Outcome named(String name) {\n        for (Outcome outcome : values()) {\n            \
            if (outcome.name().replace(\"_\", \"\").equalsIgnoreCase(name)) {\n                return outcome;\n            }\n        }\n        \
            return PENDING;\n    }\n}\n"
}

fn action() -> String {
    let mut text = format!("/** {ACTION} */\npublic enum Action {{\n");
    for (action, meaning) in ACTIONS {
        let name = snake(action.name()).trim_end_matches('_').to_ascii_uppercase();
        let _ = writeln!(text, "{}    {name}(\"{}\"),", doc(4, meaning), action.name());
    }
    text + "    ;\n\n    private final String text;\n\n    Action(String text) {\n        this.text = text;\n    }\n\n    \
            static Action named(String text) {\n        for (Action action : values()) {\n            \
            if (action.text.equals(text)) {\n                return action;\n            }\n        }\n        \
            return ADMINISTRATOR;\n    }\n}\n"
}

/// Returns a class whose methods set one key each.
fn settings(name: &str, meaning: &str, fields: &[Field]) -> String {
    let mut text =
        format!("import java.util.Map;\n\n{}public final class {name} extends Settings<{name}> {{\n", doc(0, meaning));
    for field in fields {
        let of = match &field.of {
            Type::Flag => "boolean",
            Type::Whole => "long",
            Type::List(_) => "long...",
            Type::Object(_) => "Map<String, Object>",
            _ => "String",
        };
        let _ = write!(
            text,
            "\n{}    public {name} {key}({of} value) {{\n        return set(\"{key}\", value);\n    }}\n",
            doc(4, &field.meaning),
            key = field.name,
        );
    }
    let text = text + "}\n";
    if text.contains("Map<") { text } else { text.replace("import java.util.Map;\n\n", "") }
}

/// Returns a result's type for Java 8: the accessors of the record.
fn class(name: &str, meaning: &str, fields: &[Field]) -> String {
    let mut text = imports(fields) + &doc(0, meaning);
    let _ = write!(
        text,
        "public final class {name} {{\n    private final Map<String, Object> json;\n\n    \
         {name}(Map<String, Object> json) {{\n        this.json = json;\n    }}\n"
    );
    for field in fields {
        let _ = write!(
            text,
            "\n{}    public {} {key}() {{\n        return {};\n    }}\n",
            doc(4, &field.meaning),
            java(field),
            read(field),
            key = field.name,
        );
    }
    text + "\n    /** The whole object, with the keys that are newer than this binding. */\n    \
            public Map<String, Object> json() {\n        return json;\n    }\n\n    \
            @Override\n    public String toString() {\n        return Json.write(json);\n    }\n}\n"
}

/// Returns a result's type as a record.
fn record(name: &str, meaning: &str, fields: &[Field]) -> String {
    let mut text = imports(fields) + &doc(0, meaning);
    let components: Vec<String> = fields
        .iter()
        .map(|field| format!("{}        {} {}", doc(8, &field.meaning), java(field), field.name))
        .collect();
    let values: Vec<String> = fields.iter().map(|field| format!("            {}", read(field))).collect();
    let _ = write!(
        text,
        "public record {name}(\n{},\n        /** The whole object, with the keys that are newer than this binding. */\n        \
         Map<String, Object> json) {{\n    {name}(Map<String, Object> json) {{\n        this(\n{},\n            json);\n    }}\n\n    \
         @Override\n    public String toString() {{\n        return Json.write(json);\n    }}\n}}\n",
        components.join(",\n"),
        values.join(",\n"),
    );
    text
}

fn imports(fields: &[Field]) -> String {
    let list =
        if fields.iter().any(|field| matches!(field.of, Type::List(_))) { "import java.util.List;\n" } else { "" };
    format!("{list}import java.util.Map;\n\n")
}

fn java(field: &Field) -> String {
    let boxed = field.null || field.optional;
    match &field.of {
        Type::Text | Type::OneOf(_) => "String".to_owned(),
        Type::Flag => if boxed { "Boolean" } else { "boolean" }.to_owned(),
        Type::Whole => if boxed { "Long" } else { "long" }.to_owned(),
        Type::Code => if boxed { "Integer" } else { "int" }.to_owned(),
        Type::Outcome => "Outcome".to_owned(),
        Type::Action => "Action".to_owned(),
        Type::Whatever => "Object".to_owned(),
        Type::Engages => "Map<String, Object>".to_owned(),
        Type::Object(name) => named(name).to_owned(),
        Type::List(of) => format!("List<{}>", element(of)),
    }
}

fn element(of: &Type) -> String {
    match of {
        Type::Text | Type::OneOf(_) => "String".to_owned(),
        Type::Object(name) => named(name).to_owned(),
        _ => "Map<String, Object>".to_owned(),
    }
}

fn read(field: &Field) -> String {
    let key = format!("json, \"{}\"", field.name);
    match &field.of {
        Type::Text | Type::OneOf(_) => format!("Json.text({key})"),
        Type::Flag => format!("Json.flag({key})"),
        Type::Whole => format!("Json.whole({key})"),
        Type::Code => format!("Json.code({key})"),
        Type::Outcome => format!("Outcome.named(Json.text({key}))"),
        Type::Action => format!("Action.named(Json.text({key}))"),
        Type::Whatever => format!("json.get(\"{}\")", field.name),
        Type::Engages => format!("Json.object({key})"),
        Type::Object(name) => format!("Json.made({key}, {}::new)", named(name)),
        Type::List(of) => match &**of {
            Type::Text | Type::OneOf(_) => format!("Json.texts({key})"),
            Type::Object(name) => format!("Json.list({key}, {}::new)", named(name)),
            _ => format!("Json.list({key}, each -> each)"),
        },
    }
}

fn doc(indent: usize, meaning: &str) -> String {
    let space = " ".repeat(indent);
    if meaning.is_empty() {
        return String::new();
    }
    let meaning = meaning.replace('&', "&amp;").replace('<', "&lt;").replace("*/", "* /");
    format!("{space}/** {} */\n", wrapped(&meaning, 90 - indent).join(&format!("\n{space} *  ")))
}
