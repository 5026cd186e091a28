//! Paths, and the programs that the tests run: compilers, binutils and cargo.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};
use tempfile::TempDir;

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns the folder of the profile, where cargo puts the libraries that it built with this test.
pub fn profile() -> PathBuf {
    let executable = std::env::current_exe().unwrap();
    executable.ancestors().nth(2).unwrap().to_owned()
}

/// Returns a library of this profile, built together with the test.
pub fn library(name: &str) -> PathBuf {
    let places = [profile().join(name), profile().join("deps").join(name)];
    // A link in the profile's folder belongs to the last `cargo build`, which may be older than
    // this test.
    let newest = places.into_iter().filter_map(|path| Some((path.metadata().ok()?.modified().ok()?, path))).max();
    newest.unwrap_or_else(|| panic!("{name} is not beside the test executable")).1
}

/// Runs a program, which must succeed.
#[track_caller]
pub fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}\n{}", output.status, said(&output));
    output
}

/// Returns the text that a program printed, on both channels.
pub fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

pub fn stdout(command: &mut Command) -> String {
    String::from_utf8(run(command).stdout).unwrap()
}

/// How a C program is linked with the library.
#[derive(Clone, Copy)]
pub enum Link<'a> {
    Shared(&'a Path),
    Static(&'a Path),
}

/// Returns the folder of the current header.
pub fn include() -> PathBuf {
    root().join("include")
}

/// Compiles a C program against the current header and links it.
pub fn program(source: &Path, link: Link, folder: &Path) -> PathBuf {
    program_with(source, link, &include(), folder)
}

/// Compiles a C program against the current header and links it with more arguments.
pub fn program_from(source: &Path, folder: &Path, libraries: &[String]) -> PathBuf {
    let program = folder.join(source.file_stem().unwrap());
    let mut cc = compiler(&include());
    run(cc.arg(source).arg("-o").arg(&program).args(libraries).args(native_libraries()));
    program
}

fn compiler(include: &Path) -> Command {
    let mut cc = Command::new("cc");
    cc.args(["-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-pthread", "-I"]).arg(include);
    cc
}

/// Compiles a C program against the header in `include` and links it. The program's folder gets the
/// links that the loader needs.
pub fn program_with(source: &Path, link: Link, include: &Path, folder: &Path) -> PathBuf {
    let program = folder.join(source.file_stem().unwrap());
    let mut cc = compiler(include);
    cc.arg(source).arg("-o").arg(&program);
    match link {
        Link::Shared(library) => {
            std::os::unix::fs::symlink(library, folder.join("libengage_point_shop.so.1")).unwrap();
            // The rpath must win over LD_LIBRARY_PATH. Cargo sets LD_LIBRARY_PATH, and another
            // build of the library may lie there.
            cc.arg(library).arg(format!("-Wl,--disable-new-dtags,-rpath,{}", folder.display()));
        }
        Link::Static(library) => {
            cc.arg(library).args(native_libraries());
        }
    }
    run(&mut cc);
    program
}

/// Returns the system libraries that a static Rust library needs, as the compiler states them.
pub fn native_libraries() -> Vec<String> {
    let folder = TempDir::new().unwrap();
    let empty = folder.path().join("empty.rs");
    std::fs::write(&empty, "").unwrap();
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--crate-type", "staticlib", "--print", "native-static-libs", "--out-dir"]).arg(folder.path());
    let output = said(&run(rustc.arg(&empty)));
    let line = output.lines().find_map(|line| line.split_once("native-static-libs:")).expect(&output).1;
    line.split_whitespace().map(str::to_owned).collect()
}

/// Builds the library with `fault-injection` and the type information of its functions, and the
/// tasks. The target folder is separate, so that no cargo process waits for another. The build
/// happens at most once per process.
pub fn second_build() -> PathBuf {
    static BUILT: Mutex<Option<PathBuf>> = Mutex::new(None);
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(folder) = &*built {
        return folder.clone();
    }
    let target = profile().parent().unwrap().join("fault-injection");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root()).args(["build", "--quiet", "--package", "engage-point-shop", "--package", "xtask"]);
    cargo.args(["--config", r#"profile.dev.package.engage-point-shop.debug="full""#]);
    cargo.args(["--features", "engage-point-shop/fault-injection", "--target-dir"]).arg(&target);
    run(&mut cargo);
    built.insert(target.join("debug")).clone()
}
