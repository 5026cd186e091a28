//! The C++ header's own code, without the library.

use crate::tools::{include, root, run, stdout};
use std::process::Command;
use tempfile::TempDir;

#[test]
fn cpp_client_used_by_many_threads_has_no_data_race() {
    let folder = TempDir::new().unwrap();
    let program = folder.path().join("threads");
    let mut compiler = Command::new("c++");
    compiler.args(["-std=c++17", "-g", "-O1", "-fsanitize=thread", "-pthread", "-Wall", "-Wextra", "-Werror", "-I"]);
    run(compiler.arg(include()).arg(root().join("tests/abi/cpp_threads.cpp")).arg("-o").arg(&program));
    assert_eq!(stdout(&mut Command::new(program)), "no race\n");
}
