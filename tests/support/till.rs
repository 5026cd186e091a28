//! The scripted till of `till.c`: built once per test process against the public header and the shared library just built.
//! [`Told`] is what its caller had been told, as far as it lived to say so.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// A folder for compiled programs that lives as long as the test process needs it, and the till in it.
static BUILT: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = build_folder().join("till");
    std::fs::create_dir_all(&folder).unwrap();
    // The library's own name, as the programs that link it look for it.
    let library = shared_library();
    let soname = folder.join("libengage_point_shop.so.1");
    replace(&soname, |fresh| std::os::unix::fs::symlink(&library, fresh).unwrap());
    let till = folder.join("till");
    replace(&till, |fresh| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        compile(
            &root.join("tests/support/till.c"),
            fresh,
            &[
                "-I",
                root.join("include").to_str().unwrap(),
                library.to_str().unwrap(),
                // Before LD_LIBRARY_PATH, which cargo sets and where another build of the library may lie.
                &format!("-Wl,--disable-new-dtags,-rpath,{}", folder.display()),
                "-pthread",
            ],
        );
    });
    till
});

/// The till, compiled.
pub fn till() -> &'static Path {
    &BUILT
}

/// A till with its configuration and its script.
pub fn run_till(config: &str, script: &[&str]) -> Command {
    let mut command = Command::new(till());
    command.arg(config).args(script);
    command
}

/// Runs a till to its end and gives what it told. Panics when it did not run its script through.
pub fn run_script(config: &str, script: &[&str]) -> Vec<TillCall> {
    let output = run_till(config, script).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{:?}: {text}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    TillCall::parse(&text)
}

/// Compiles one C file, with every warning an error.
pub fn compile(source: &Path, program: &Path, more: &[&str]) {
    let output = Command::new("cc")
        .args(["-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-o"])
        .args([program, source])
        .args(more)
        .output()
        .expect("cc is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Where this test executable's own programs go.
pub fn build_folder() -> PathBuf {
    let executable = std::env::current_exe().unwrap();
    let folder = executable.with_extension("programs");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Makes a file beside its place and moves it there: test processes may build the same thing at once.
fn replace(place: &Path, make: impl FnOnce(&Path)) {
    let fresh = place.with_extension(format!("{}.new", std::process::id()));
    make(&fresh);
    std::fs::rename(fresh, place).unwrap();
}

/// The library that was built with this test, which lies beside it.
fn shared_library() -> PathBuf {
    let executable = std::env::current_exe().unwrap();
    let mut folders = executable.ancestors().skip(1);
    let found =
        folders.by_ref().take(2).map(|folder| folder.join("libengage_point_shop.so")).find(|path| path.exists());
    found.expect("libengage_point_shop.so lies beside the test executable or one folder up")
}

/// A call a till made.
#[derive(Debug, Clone)]
pub struct TillCall {
    /// As in the script: `purchase:CONTACT:ITEM:REFERENCE:WAITMS`.
    pub command: String,
    /// The code and the JSON; None: the till did not live to tell.
    pub result: Option<(i32, Value)>,
}

impl TillCall {
    /// Reads a till's standard output, whole or cut off anywhere.
    pub fn parse(output: &str) -> Vec<TillCall> {
        let mut calls: Vec<TillCall> = Vec::new();
        // What stands behind the last line's end was cut off by the kill.
        let whole = output.rfind('\n').map_or("", |end| &output[..end]);
        for line in whole.lines() {
            let (event, rest) = line.split_once(' ').unwrap_or_else(|| panic!("not an event: {line}"));
            let mut words = rest.splitn(3, ' ');
            let command = words.next().unwrap_or_default().to_owned();
            if event == "BEGIN" {
                calls.push(TillCall { command, result: None });
                continue;
            }
            assert_eq!(event, "END", "not an event: {line}");
            let code = words.next().and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("no code: {line}"));
            let json = match words.next().unwrap_or_default().trim() {
                "" => Value::Null,
                json => serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {line}")),
            };
            // Of several threads in the same call, it does not matter which.
            let call = calls.iter_mut().find(|call| call.command == command && call.result.is_none());
            call.unwrap_or_else(|| panic!("an END without its BEGIN: {line}")).result = Some((code, json));
        }
        calls
    }

    /// The first word of the command.
    pub fn verb(&self) -> &str {
        self.argument(0)
    }

    /// The n-th part of the command; "" if there is none.
    pub fn argument(&self, n: usize) -> &str {
        self.command.split(':').nth(n).unwrap_or_default()
    }

    /// The code it was answered with.
    pub fn code(&self) -> Option<i32> {
        self.result.as_ref().map(|(code, _)| *code)
    }

    /// A member of the JSON it was answered with; null if there is none.
    pub fn json(&self, key: &str) -> &Value {
        self.result.as_ref().map_or(&Value::Null, |(_, json)| &json[key])
    }
}
