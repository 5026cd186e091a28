//! The header: up to date, valid C and C++ under every supported standard, and with a working
//! example. The functions that read its declarations are here too.

use crate::tools::{Link, library, program, read, root, run, second_build, stdout};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

pub const HEADER: &str = "include/engage_point_shop.h";

/// Returns the header without its comments.
pub fn code() -> String {
    let text = read(HEADER);
    let mut code = String::new();
    let mut rest = text.as_str();
    while let Some((before, comment)) = rest.split_once("/*") {
        code.push_str(before);
        rest = comment.split_once("*/").expect("a comment that ends").1;
    }
    code.push_str(rest);
    code
}

/// The names of the declared functions.
pub fn functions() -> Vec<String> {
    let code = code();
    let plain: Vec<&str> = code.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let plain = plain.join("\n");
    let declarations = plain.split(';').filter(|text| text.contains("EPS_API"));
    let mut names: Vec<String> = declarations
        .map(|text| {
            let head = text[text.rfind("EPS_API").unwrap()..].split('(').next().unwrap();
            head.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap().to_owned()
        })
        .collect();
    names.sort();
    names
}

/// Every macro with its value.
pub fn macros() -> Vec<(String, String)> {
    let code = code();
    let defines = code.lines().filter_map(|line| line.trim_start().strip_prefix("#define "));
    defines
        .map(|define| {
            let (name, value) = define.split_once(' ').unwrap_or((define, ""));
            (name.split('(').next().unwrap().to_owned(), value.split("//").next().unwrap().trim().to_owned())
        })
        .collect()
}

#[test]
fn header_generated_again_is_unchanged() {
    run(Command::new(second_build().join("xtask")).args(["header", "--check"]));
}

#[test]
fn header_included_once_or_twice_compiles_without_warning() {
    let folder = TempDir::new().unwrap();
    let mut compiled = 0;
    for (compilers, extension, standards) in
        [(["gcc", "clang"], "c", ["c99", "c11"]), (["g++", "clang++"], "cpp", ["c++11", "c++17"])]
    {
        for compiler in compilers.into_iter().filter(|compiler| is_there(compiler)) {
            for (at, standard) in standards.into_iter().flat_map(|standard| [(1, standard), (2, standard)]) {
                let source = folder.path().join(format!("only.{extension}"));
                // A declaration is needed: a translation unit must not be empty.
                let text = "#include \"engage_point_shop.h\"\n".repeat(at) + "extern eps_client *shop;\n";
                std::fs::write(&source, text).unwrap();
                let mut command = Command::new(compiler);
                command.arg(format!("-std={standard}")).args(["-Wall", "-Wextra", "-pedantic", "-Werror"]);
                command.args(["-fsyntax-only", "-I"]).arg(root().join("include")).arg(&source);
                run(&mut command);
                compiled += 1;
            }
        }
    }
    assert!(compiled >= 8, "gcc and g++ are needed, only {compiled} compilations were made");
}

fn is_there(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    assert!(found || program.starts_with("clang"), "{program} is missing");
    found
}

#[test]
fn ignored_outcome_of_a_purchase_is_a_warning() {
    let folder = TempDir::new().unwrap();
    for (name, call) in
        [("eps_purchase", "(shop, id, id, NULL, out)"), ("eps_redeem_reward", "(shop, id, id, NULL, out)")]
    {
        for (compiler, extension) in [("gcc", "c"), ("clang", "c"), ("g++", "cpp"), ("clang++", "cpp")] {
            for (before, compiles) in [("return", true), ("", false)] {
                let source = folder.path().join(format!("spends.{extension}"));
                let text = format!(
                    "#include \"engage_point_shop.h\"\nint spend(eps_client *, const char *, eps_buffer *);\n\
                     int spend(eps_client *shop, const char *id, eps_buffer *out) {{ {before} {name}{call}; return 0; }}\n"
                );
                std::fs::write(&source, text).unwrap();
                let mut command = Command::new(compiler);
                command
                    .args(["-Wall", "-Werror", "-c", "-o", "/dev/null", "-I"])
                    .arg(root().join("include"))
                    .arg(&source);
                if is_there(compiler) {
                    assert_eq!(command.output().unwrap().status.success(), compiles, "{compiler}: {name}");
                }
            }
        }
    }
}

#[test]
fn header_example_compiles_and_runs() {
    let text = read(HEADER);
    let example = text.split_once(" * AN EXAMPLE.\n").expect("the header has an example").1;
    let lines = example.lines().skip(1).take_while(|line| *line == " *" || line.starts_with(" *     "));
    let lines: Vec<&str> = lines.map(|line| line.get(7..).unwrap_or_default()).collect();
    let example = lines.join("\n") + "\n";
    assert!(example.contains("int main(void)") && example.trim_end().ends_with('}'), "{example}");

    // The example compiles unchanged. It runs with a host that no resolver knows, so that no
    // request leaves the machine, and with a journal in a temporary folder.
    let journal = TempDir::new().unwrap();
    let nowhere = example
        .replace("acme.voyado.com", "acme.voyado.invalid")
        .replace("/var/lib/acmepos", journal.path().to_str().unwrap());
    assert!(!nowhere.contains("voyado.com") && !nowhere.contains("/var/lib"), "{nowhere}");
    let library = library("libengage_point_shop.so");
    for (text, runs) in [(&example, false), (&nowhere, true)] {
        let folder = TempDir::new().unwrap();
        let text = match runs {
            true => &text.replace("/var/lib/acmepos/", &format!("{}/", folder.path().display())),
            false => text,
        };
        let source = folder.path().join("example.c");
        std::fs::write(&source, text).unwrap();
        let shop = program(&source, Link::Shared(&library), folder.path());
        if runs {
            let said = stdout(Command::new(shop).current_dir(folder.path()));
            assert_eq!(said, "nothing was sent: try again\n");
        }
    }
}

#[test]
fn header_macros_have_the_prefix() {
    let macros = macros();
    assert!(macros.len() > 60, "{macros:?}");
    for (name, _) in macros {
        let guard = name == "ENGAGE_POINT_SHOP_H";
        assert!(guard || name.starts_with("EPS_") || name.starts_with("eps_"), "{name}");
    }
}

#[test]
fn buffer_layout_is_fixed() {
    let folder = TempDir::new().unwrap();
    let asserts = [
        "sizeof(eps_buffer) == 3 * sizeof(void *)",
        "offsetof(eps_buffer, data) == 0",
        "offsetof(eps_buffer, len) == sizeof(void *)",
        "offsetof(eps_buffer, reserved) == 2 * sizeof(void *)",
        "sizeof(((eps_buffer *)0)->len) == sizeof(void *)",
        "sizeof(((eps_buffer *)0)->reserved) == sizeof(void *)",
        "_Generic(((eps_buffer *)0)->data, char *: 1, default: 0)",
        "_Generic((eps_outcome), int32_t (*)(int32_t): 1, default: 0)",
    ];
    assert!(holds(folder.path(), &asserts));
    // A false assertion must fail.
    assert!(!holds(folder.path(), &["offsetof(eps_buffer, len) == 0"]));
}

fn holds(folder: &Path, asserts: &[&str]) -> bool {
    let source = folder.join("layout.c");
    let asserts: Vec<String> = asserts.iter().map(|text| format!("_Static_assert({text}, \"layout\");\n")).collect();
    std::fs::write(&source, format!("#include \"engage_point_shop.h\"\n{}", asserts.concat())).unwrap();
    let mut cc = Command::new("cc");
    cc.args(["-std=c11", "-fsyntax-only", "-I"]).arg(root().join("include")).arg(&source);
    cc.output().unwrap().status.success()
}
