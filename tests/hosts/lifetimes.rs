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
                let store = Store::open();
                // Every request for Björn stalls.
                for operation in [Operation::Items, Operation::Purchase] {
                    store.sandbox.arm(Fault::on(operation, Effect::StallBeforeCommit).contact(demo::BJORN).times(0));
                }
                let host = language.program("lifetimes");
                // A host that hangs must not block the tests.
                let mut program = Command::new("timeout");
                program.args(["--kill-after=5", "120"]).arg(host.get_program()).args(host.get_args());
                program.arg(store.sandbox.https_url()).arg(store.sandbox.ca_file()).arg(store.sandbox.api_key());
                let output = program.arg(store.folder.path()).arg(store.sandbox.http_url()).output().unwrap();
                let text = said(&output);
                // A program that ends early without a summary has not passed.
                assert!(
                    output.status.success() && text.contains(" checks held\n"),
                    "{language:?}: {}\n{text}",
                    output.status
                );
                println!("lifetimes: {language:?}: {}", text.lines().last().unwrap());
            });
        }
    });
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
