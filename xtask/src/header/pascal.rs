//! The generated part of the Pascal unit: codes and raw declarations.

use super::bindings::{codes, levels, outcomes};
use super::functions::Function;
use super::wrapped;
use engage_point_shop::ffi::EPS_ABI_VERSION;
use std::fmt::Write;

/// Returns the constants, and the variables that hold the functions.
pub fn declarations(functions: &[Function]) -> String {
    let mut text = format!(
        "const\n  // The C API's EPS_ABI_VERSION, which is a function's name here.\n  EPS_ABI = {EPS_ABI_VERSION};\n"
    );
    for (comment, entries) in [
        ("The outcomes: the values of eps_outcome.", outcomes()),
        ("The log levels. Each level includes the levels above it.", levels()),
        ("Codes. The class of a code says what the POS does next.", codes()),
    ] {
        let _ = write!(text, "\n  // {comment}\n");
        for entry in entries {
            if let Some(class) = entry.class {
                let _ = write!(text, "\n  // {class}\n");
            }
            let meaning = wrapped(entry.meaning, 92).join("\n  /// ");
            let _ = writeln!(text, "  /// {meaning}\n  {} = {};", entry.macro_name, entry.number);
        }
    }
    text.push_str("\nvar\n  // The functions of engage_point_shop.h. LoadEps finds them.\n");
    for function in functions {
        let arguments: Vec<String> = function.arguments.iter().map(|(of, name)| argument(of, name)).collect();
        let arguments = if arguments.is_empty() { String::new() } else { format!("({})", arguments.join("; ")) };
        let _ = match pascal(&function.returns) {
            "" => writeln!(text, "  {}: procedure{arguments}; cdecl;", function.name),
            returns => writeln!(text, "  {}: function{arguments}: {returns}; cdecl;", function.name),
        };
    }
    text
}

/// Returns the statements that find the functions.
pub fn searches(functions: &[Function]) -> String {
    functions.iter().flat_map(|function| ["  Find('", &function.name, "', @@", &function.name, ");\n"]).collect()
}

fn argument(of: &str, name: &str) -> String {
    // Words of the language.
    let name = match name {
        "out" => "output",
        "pointer" => "path",
        other => other,
    };
    match of {
        "eps_client **" => format!("out {name}: PEpsClient"),
        "eps_buffer *" if name == "output" => format!("out {name}: TEpsBuffer"),
        // A constant record would be passed by value.
        "eps_buffer *" | "const eps_buffer *" => format!("var {name}: TEpsBuffer"),
        _ => format!("{name}: {}", pascal(of)),
    }
}

fn pascal(of: &str) -> &'static str {
    match of {
        "int32_t" => "Int32",
        "uint32_t" => "UInt32",
        "const char *" => "PAnsiChar",
        "eps_client *" => "PEpsClient",
        "eps_log_fn" => "TEpsLogFunction",
        "eps_notify_fn" => "TEpsNotifyFunction",
        "void" => "",
        _ => "Pointer",
    }
}
