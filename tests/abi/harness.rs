//! Runs the C harness against a sandbox: with the shared library, with the static library, and
//! under valgrind.

use crate::tools::{Link, include, library, program_with, root, said};
use engage_sandbox::Sandbox;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// Compiles the harness against the header in `include` and runs it to its end. `before` is the
/// command that the harness runs under.
pub fn run_harness(link: Link, include: &Path, before: &[&str], more: &[&str], encrypted: bool) {
    let folder = TempDir::new().unwrap();
    let harness = program_with(&root().join("tests/abi/harness.c"), link, include, folder.path());
    let sandbox = Sandbox::builder().requests_per_second(None).start();
    let mut command = match before {
        [] => Command::new(&harness),
        [first, rest @ ..] => {
            let mut command = Command::new(first);
            command.args(rest).arg(&harness);
            command
        }
    };
    command.args(more);
    if encrypted {
        command.arg(sandbox.https_url()).arg(sandbox.ca_file());
    } else {
        command.args([&sandbox.http_url(), "-"]);
    }
    command.arg(sandbox.api_key()).arg(sandbox.http_url()).arg(folder.path());
    let output = command.output().unwrap();
    let text = said(&output);
    assert!(output.status.success(), "{}\n{text}", output.status);
    // A harness that exits early without a summary has not passed.
    assert!(text.contains(" checks held, 0 did not\n"), "{text}");
    for line in text.lines().filter(|line| line.starts_with("time: ") || line.starts_with("harness: ")) {
        println!("{line}");
    }
}

#[test]
fn c_harness_with_shared_library_passes() {
    run_harness(Link::Shared(&library("libengage_point_shop.so")), &include(), &[], &[], true);
}

#[test]
fn c_harness_with_static_library_passes() {
    run_harness(Link::Static(&library("libengage_point_shop.a")), &include(), &[], &[], true);
}

#[test]
fn c_harness_under_valgrind_reports_no_memory_error() {
    let suppressions = format!("--suppressions={}", root().join("tests/abi/valgrind.supp").display());
    let valgrind = [
        "valgrind",
        "--quiet",
        "--error-exitcode=9",
        "--leak-check=full",
        "--errors-for-leak-kinds=definite,indirect",
        "--show-leak-kinds=definite,indirect",
        "--fair-sched=yes",
        &suppressions,
    ];
    run_harness(Link::Shared(&library("libengage_point_shop.so")), &include(), &valgrind, &["--slow"], true);
}
