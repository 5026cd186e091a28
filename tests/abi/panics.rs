//! A panic inside any export. The caller gets a code, a problem object and a library that keeps
//! working. Nothing is printed. The list of exports comes from the header, so that a new export is
//! always covered.

use crate::header::functions;
use crate::tools::{Link, program, root, said, second_build};
use std::process::Command;
use tempfile::TempDir;

#[test]
fn export_that_panics_returns_an_error_and_works_again() {
    let folder = TempDir::new().unwrap();
    let library = second_build().join("libengage_point_shop.so");
    let panics = program(&root().join("tests/abi/panics.c"), Link::Shared(&library), folder.path());
    let run = |function: &str, panicking: &str| {
        Command::new(&panics).arg(function).env("EPS_TEST_PANIC", panicking).output().unwrap()
    };
    let functions = functions();
    let mut wrong = Vec::new();
    for function in &functions {
        let output = run(function, function);
        if !output.status.success() || !output.stderr.is_empty() {
            wrong.push(format!("{function}: {}\n{}", output.status, said(&output)));
        }
        // Without the panic the same program fails, except for the function that does nothing here.
        let without_panic = run(function, "");
        assert!(!without_panic.status.success() || function == "eps_buffer_dispose", "{function} need not panic");
    }
    assert!(wrong.is_empty(), "of {} functions, {} broke:\n{}", functions.len(), wrong.len(), wrong.join("\n"));
    println!("panics: {} functions, 0 broke", functions.len());
}
