//! The static library as it is shipped, in a program with a SQLite of another version and a second
//! Rust library. None affects the others, and a panic in each Rust library is caught in that
//! library.

use crate::tools::{program_from, root, run, second_build, stdout};
use std::process::Command;
use tempfile::TempDir;

#[test]
fn static_library_beside_other_sqlite_and_rust_works() {
    let folder = TempDir::new().unwrap();
    let (shop, other) = (folder.path().join("libengage_point_shop.a"), folder.path().join("libother.a"));
    let built = second_build();
    run(Command::new(built.join("xtask")).arg("static-library").args([&built.join("libengage_point_shop.a"), &shop]));
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--edition=2024", "--crate-type=staticlib", "-o"]).arg(&other);
    run(rustc.arg(root().join("tests/abi/other_library.rs")));

    let orders = [[&shop, &other], [&other, &shop]];
    for (at, order) in orders.into_iter().enumerate() {
        let place = folder.path().join(at.to_string());
        std::fs::create_dir(&place).unwrap();
        let mut libraries: Vec<_> = order.iter().map(|path| path.display().to_string()).collect();
        libraries.push("-l:libsqlite3.a".into());
        let program = program_from(&root().join("tests/abi/coexistence.c"), &place, &libraries);
        let said = stdout(Command::new(program).arg(place.join("points.db")).env("EPS_TEST_PANIC", "eps_new_id"));
        println!("{said}");
        assert!(said.ends_with("coexistence: ok\n"), "{said}");
    }
}
