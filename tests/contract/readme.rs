//! The documents' examples work.

use std::path::Path;
use std::process::Command;

#[test]
fn readme_c_program_compiles_links_and_runs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let code = readme.split("```c\n").nth(1).and_then(|rest| rest.split("```").next()).expect("README.md shows C");
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("readme.c");
    // The reader chooses the folder and the server. The test uses a temporary folder and an
    // unreachable host.
    let code = code
        .replace("/var/lib/acmepos", folder.path().to_str().unwrap())
        .replace("https://acme.voyado.com", "http://127.0.0.1:1");
    std::fs::write(&source, code).unwrap();
    // The library that cargo has built for this run, beside the test.
    let built = std::env::current_exe().unwrap().parent().unwrap().to_path_buf();
    let library = folder.path().join("libengage_point_shop.so.1");
    std::fs::copy(built.join("libengage_point_shop.so"), &library).unwrap();
    let program = folder.path().join("readme");
    let compiled = Command::new("cc")
        .args(["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", "-I"])
        .arg(root.join("include"))
        .arg(&source)
        .arg(&library)
        .arg(format!("-Wl,--disable-new-dtags,-rpath,{}", folder.path().display()))
        .arg("-o")
        .arg(&program)
        .status()
        .unwrap();
    assert!(compiled.success());
    let run = Command::new(&program).current_dir(folder.path()).output().unwrap();
    let said = String::from_utf8(run.stdout).unwrap();
    assert!(run.status.success(), "{said} {}", String::from_utf8_lossy(&run.stderr));
    assert!(said.starts_with("nothing was sent: try again\n"), "{said}");
    assert!(said.contains("EPS_OFFLINE"), "{said}");
}
