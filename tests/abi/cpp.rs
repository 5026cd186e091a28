//! The C++ header's own code, without the library.

use crate::tools::{include, read, root, run, said, stdout};
use engage_point_shop::code::TABLE;
use engage_point_shop::texts_in_english;
use serde_json::Value;
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

#[test]
fn cpp_older_than_17_is_one_clear_error() {
    let folder = TempDir::new().unwrap();
    let source = folder.path().join("old.cpp");
    std::fs::write(&source, "#include \"engage_point_shop.hpp\"\n").unwrap();
    for standard in ["-std=c++11", "-std=c++14", "-std=c++17"] {
        let mut compiler = Command::new("c++");
        compiler.args([standard, "-fsyntax-only", "-I"]).arg(include()).arg(&source);
        let output = compiler.output().unwrap();
        let text = said(&output);
        let is_new = standard == "-std=c++17";
        assert_eq!(output.status.success(), is_new, "{standard}: {text}");
        assert_eq!(text.matches("error:").count(), usize::from(!is_new), "{standard}: {text}");
        assert!(is_new || text.contains("needs C++17"), "{standard}: {text}");
    }
}

#[test]
fn cpp_own_problems_have_the_librarys_texts() {
    let header = read("include/engage_point_shop.hpp");
    let parts = header.split("inline constexpr const char *").skip(1).map(|part| part.split(';').next().unwrap());
    let mut checked = 0;
    for part in parts {
        let text: String = part.split("R\"(").skip(1).map(|piece| piece.split(")\"").next().unwrap()).collect();
        let problem: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let row = TABLE.iter().find(|row| row.name == problem["name"]).unwrap();
        let (cashier, member) = texts_in_english(row.code);
        assert_eq!(problem["code"], row.code.number());
        assert_eq!(problem["outcome"], row.outcome.name());
        assert_eq!((&problem["forCashier"], &problem["forMember"]), (&cashier.into(), &member.into()), "{}", row.name);
        checked += 1;
    }
    assert_eq!(checked, 3);
}
