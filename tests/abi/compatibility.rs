//! The promises to programs that are already in use. `abi/` holds the header, the types and the
//! symbols of every recorded version.

use crate::harness::run_harness;
use crate::tools::{Link, library, root, run, second_build};
use std::process::Command;
use tempfile::TempDir;

#[test]
fn recorded_symbols_numbers_and_types_are_kept() {
    let built = second_build();
    let mut check = Command::new(built.join("xtask"));
    run(check.args(["abi", "check", "--library"]).arg(built.join("libengage_point_shop.so")));
}

#[test]
fn program_of_recorded_header_runs_with_current_library() {
    let recorded = std::fs::read_dir(root().join("abi")).unwrap().map(|entry| entry.unwrap().path());
    let headers: Vec<_> = recorded.filter(|path| path.extension().is_some_and(|end| end == "h")).collect();
    assert!(!headers.is_empty(), "abi/ holds no header; run `cargo xtask abi record`");
    for header in headers {
        let include = TempDir::new().unwrap();
        std::fs::copy(&header, include.path().join("engage_point_shop.h")).unwrap();
        run_harness(Link::Shared(&library("libengage_point_shop.so")), include.path(), &[], &[], false);
    }
}
