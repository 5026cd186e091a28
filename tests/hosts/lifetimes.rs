//! Closing in any order, finalizers, forgotten clients, several clients, unloading, forking, the
//! end of the process, and a missing or wrong library. Each language has its own program
//! (`lifetimes.*`), which these tests run.

use crate::languages::{ALL, Language, built, mono};
use crate::support::Store;
use crate::tools::{library, root, run, said, stdout};
use engage_sandbox::seed::demo;
use engage_sandbox::{Effect, Fault, Operation};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

#[test]
fn hosts_close_forget_and_fork_as_the_header_states() {
    run_lifetimes(&ALL);
}

/// Runs the program of each language.
pub fn run_lifetimes(languages: &[Language]) {
    thread::scope(|scope| {
        for language in languages {
            scope.spawn(move || {
                let text = run_program(&language.program("lifetimes"));
                println!("lifetimes: {language:?}: {}", text.lines().last().unwrap());
            });
        }
    });
}

/// Runs a program of lifetimes, and returns what it printed.
fn run_program(host: &Command) -> String {
    let store = Store::open();
    // Every request for Björn stalls.
    for operation in [Operation::Items, Operation::Purchase] {
        store.sandbox.arm(Fault::on(operation, Effect::StallBeforeCommit).contact(demo::BJORN).times(0));
    }
    // A host that hangs must not block the tests.
    let mut program = Command::new("timeout");
    program.args(["--kill-after=5", "120"]).arg(host.get_program()).args(host.get_args());
    program.envs(host.get_envs().filter_map(|(name, value)| Some((name, value?))));
    program.arg(store.sandbox.https_url()).arg(store.sandbox.ca_file()).arg(store.sandbox.api_key());
    let output = program.arg(store.folder.path()).arg(store.sandbox.http_url()).output().unwrap();
    let text = said(&output);
    // A program that ends early without a summary has not passed.
    assert!(output.status.success() && text.contains(" checks held\n"), "{host:?}: {}\n{text}", output.status);
    text
}

#[test]
fn cpp_under_thread_sanitizer_with_the_pages_line_has_no_race() {
    let page = fs::read_to_string(root().join("docs/integrate.md")).unwrap();
    let line = page.split('`').find(|word| word.starts_with("called_from_lib:")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    fs::write(place("suppressions"), format!("{line}\n")).unwrap();
    fs::copy(library("libengage_point_shop.so"), place("libengage_point_shop.so.1")).unwrap();
    let mut compiler = Command::new("c++");
    compiler.args(["-std=c++17", "-g", "-O1", "-fsanitize=thread", "-pthread", "-Wl,-rpath,$ORIGIN", "-I"]);
    compiler.arg(root().join("include")).arg(root().join("tests/hosts/lifetimes.cpp"));
    run(compiler.arg(place("libengage_point_shop.so.1")).arg("-o").arg(place("lifetimes")));
    // With a report, the program's exit code is another one.
    let suppressions = format!("suppressions={}", place("suppressions").display());
    run_program(Command::new(place("lifetimes")).env("TSAN_OPTIONS", suppressions));
}

#[test]
fn library_unloaded_with_open_client_stays_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let unload = folder.path().join("unload");
    let mut cc = Command::new("cc");
    cc.args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-I"]).arg(root().join("include"));
    run(cc.arg(root().join("tests/hosts/unload.c")).arg("-o").arg(&unload).arg("-ldl"));
    assert_eq!(stdout(Command::new(unload).arg(library("libengage_point_shop.so"))), "unloaded\n");
}

/// Puts wrong libraries of every kind where a binding looks for it, and checks that `load` names
/// the fault.
pub fn wrong_libraries_are_named(place: &Path, load: impl Fn() -> String) {
    let name = place.file_name().unwrap().to_str().unwrap();
    let _ = fs::remove_file(place);
    let missing = load();
    assert!(missing.contains(name) && missing.contains("64-bit"), "missing: {missing}");

    let source = place.with_extension("c");
    for (code, wanted) in [
        ("unsigned eps_abi_version(void) { return 2; }", "has ABI version 2"),
        ("unsigned eps_abi_version(void) { return 1; }", "has no eps_"),
        ("unsigned other(void) { return 1; }", "eps_abi_version"),
    ] {
        fs::write(&source, code).unwrap();
        run(Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(place).arg(&source));
        let message = load();
        assert!(message.replace("function ", "").contains(wanted) && message.contains(name), "{wanted}: {message}");
    }

    // For a 32-bit build the loader reads the header first.
    let mut bytes = fs::read(place).unwrap();
    bytes[4] = 1;
    fs::write(place, bytes).unwrap();
    let other = load();
    assert!(other.contains("ELFCLASS32") && other.contains("64-bit"), "{other}");
}

#[test]
fn csharp_names_a_missing_or_wrong_library() {
    let folder = tempfile::tempdir().unwrap();
    for file in ["lifetimes.exe", "EngagePointShop.dll"] {
        fs::copy(built().join("csharp").join(file), folder.path().join(file)).unwrap();
    }
    wrong_libraries_are_named(&folder.path().join("libengage_point_shop.so"), || {
        // Without cargo's folders: the README's commands may have put a library there.
        let output = mono(&folder.path().join("lifetimes.exe")).env_remove("LD_LIBRARY_PATH").output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{}", said(&output));
        said(&output)
    });
    // The folders for several processors come before the folder for a single one.
    let x64 = folder.path().join("x64");
    fs::create_dir(&x64).unwrap();
    fs::copy(library("libengage_point_shop.so"), x64.join("libengage_point_shop.so")).unwrap();
    assert_eq!(stdout(&mut mono(&folder.path().join("lifetimes.exe"))), format!("{}\n", engage_point_shop::VERSION));
}

#[test]
fn python_self_test_of_the_installed_package_passes() {
    let mut python = Command::new(built().join("venv/bin/python"));
    let printed = stdout(python.args(["-m", "engage_point_shop"]).current_dir("/"));
    assert!(printed.ends_with("engage_point_shop works\n"), "{printed}");
}

/// The interpreter ends the thread of a function that still runs.
#[test]
fn python_ends_while_functions_of_the_pos_run() {
    let script = r#"
import threading, time
from engage_point_shop import Client, LogLevel
shop = Client({"baseUrl": "http://127.0.0.1:9", "userAgent": "Py/1", "journal": "memory", "preconnect": False})
runs = threading.Event()
def log(level, line):
    runs.set()
    while True:
        time.sleep(0.001)
shop.set_log(LogLevel.DEBUG, log)
try:
    shop.list_items("a0000000-0000-4000-8000-000000000001", wait_ms=0)
except Exception:
    pass
runs.wait()
"#;
    let mut python = Command::new(built().join("venv/bin/python"));
    assert_eq!(stdout(python.args(["-c", script]).current_dir("/")), "");
}

#[test]
fn python_public_names_have_docstrings() {
    let script = r#"
import inspect, engage_point_shop as package
for name in package.__all__:
    value = getattr(package, name)
    members = vars(value).values() if inspect.isclass(value) else []
    for each in [value, *members]:
        if not (inspect.isclass(each) or inspect.isfunction(each)) or not each.__module__.startswith(package.__name__):
            continue
        if not each.__doc__ and not each.__name__.startswith("_"):
            print(name, each)
"#;
    let mut python = Command::new(built().join("venv/bin/python"));
    assert_eq!(stdout(python.args(["-c", script]).current_dir("/")), "");
}

#[test]
fn python_names_a_missing_or_wrong_library() {
    let folder = tempfile::tempdir().unwrap();
    let package = folder.path().join("engage_point_shop");
    fs::create_dir(&package).unwrap();
    for entry in fs::read_dir(root().join("bindings/python/engage_point_shop")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::copy(&path, package.join(path.file_name().unwrap())).unwrap();
        }
    }
    wrong_libraries_are_named(&package.join("libengage_point_shop.so"), || {
        let output = Command::new("python3")
            .args(["-B", "-c", "import engage_point_shop"])
            .current_dir(&folder)
            .env_remove("LD_LIBRARY_PATH")
            .output()
            .unwrap();
        let text = said(&output);
        assert!(!output.status.success() && text.contains("LibraryError: "), "{text}");
        text.rsplit("LibraryError: ").next().unwrap().to_owned()
    });
}
