//! The scripted till of `till.c`, built once per test process against the public header and the
//! shared library of this build. [`TillCall`] is a call and its result, as far as the till lived to
//! print them.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// The till in a folder for compiled programs that lives as long as the test process.
static BUILT: LazyLock<PathBuf> = LazyLock::new(|| link("tests/support/till.c"));

/// Compiles a C file of the repository and links it with this build's shared library, in a folder
/// of its own.
pub fn link(source: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let name = Path::new(source).file_stem().unwrap();
    let folder = build_folder().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    // The library's own name, which the linked programs look up.
    let library = shared_library();
    let soname = folder.join("libengage_point_shop.so.1");
    replace(&soname, |fresh| std::os::unix::fs::symlink(&library, fresh).unwrap());
    let program = folder.join(name);
    replace(&program, |fresh| {
        compile(
            &root.join(source),
            fresh,
            &[
                "-I",
                root.join("include").to_str().unwrap(),
                library.to_str().unwrap(),
                // The rpath must win over LD_LIBRARY_PATH. Cargo sets LD_LIBRARY_PATH, and another
                // build of the library may lie there.
                &format!("-Wl,--disable-new-dtags,-rpath,{}", folder.display()),
                "-pthread",
            ],
        );
    });
    program
}

/// Returns the compiled till.
pub fn till() -> &'static Path {
    &BUILT
}

/// Returns a till with its configuration and its script.
pub fn run_till(config: &str, script: &[&str]) -> Command {
    let mut command = Command::new(till());
    command.arg(config).args(script);
    command
}

/// Runs a till to its end and returns its calls. Panics when its script was not completed.
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

/// Returns the folder for this test executable's own programs.
pub fn build_folder() -> PathBuf {
    let executable = std::env::current_exe().unwrap();
    let folder = executable.with_extension("programs");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Makes a file beside its place and moves it there, because test processes may build the same file
/// at once.
fn replace(place: &Path, make: impl FnOnce(&Path)) {
    let fresh = place.with_extension(format!("{}.new", std::process::id()));
    make(&fresh);
    std::fs::rename(fresh, place).unwrap();
}

/// Returns the library that was built with this test and lies beside it.
pub fn shared_library() -> PathBuf {
    let executable = std::env::current_exe().unwrap();
    let mut folders = executable.ancestors().skip(1);
    let found =
        folders.by_ref().take(2).map(|folder| folder.join("libengage_point_shop.so")).find(|path| path.exists());
    found.expect("libengage_point_shop.so lies beside the test executable or one folder up")
}

/// A call of a till.
#[derive(Debug, Clone)]
pub struct TillCall {
    /// The call as in the script: `purchase:CONTACT:ITEM:REFERENCE:WAITMS`.
    pub command: String,
    /// The code and the JSON. `None`: the till was killed before the call returned.
    pub result: Option<(i32, Value)>,
}

impl TillCall {
    /// Reads a till's standard output, complete or cut off anywhere.
    pub fn parse(output: &str) -> Vec<TillCall> {
        let mut calls: Vec<TillCall> = Vec::new();
        // The kill has cut off the text after the last line end.
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
            // With several threads in the same call, any of the calls will do.
            let call = calls.iter_mut().find(|call| call.command == command && call.result.is_none());
            call.unwrap_or_else(|| panic!("an END without its BEGIN: {line}")).result = Some((code, json));
        }
        calls
    }

    /// Returns the first part of the command.
    pub fn verb(&self) -> &str {
        self.argument(0)
    }

    /// Returns the n-th part of the command, "" if there is none.
    pub fn argument(&self, n: usize) -> &str {
        self.command.split(':').nth(n).unwrap_or_default()
    }

    /// Returns the code of the call.
    pub fn code(&self) -> Option<i32> {
        self.result.as_ref().map(|(code, _)| *code)
    }

    /// Returns a member of the call's JSON, null if there is none.
    pub fn json(&self, key: &str) -> &Value {
        self.result.as_ref().map_or(&Value::Null, |(_, json)| &json[key])
    }
}
