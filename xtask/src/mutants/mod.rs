//! Mistakes in the library's own code, all in one build of a copy of the sources. An environment
//! variable chooses one.
//!
//! `named` has mistakes that the simulation must find. `source` makes a mistake of every operator,
//! number, guard, statement and body, and `each` runs the tests that reach it.

mod each;
mod named;
mod source;

pub use each::run as run_each;
pub use named::run_all as run_named;

use crate::run::{Result, output, root};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Gives the program the number of the chosen mistake.
const VARIABLE: &str = "EPS_MUTANT";

/// The module that chooses a mistake.
const SWITCH: &str = include_str!("switch.rs");

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Writes a file, unless it has the text: cargo builds again what is newer.
fn write(path: &Path, text: &[u8]) -> Result {
    if fs::read(path).is_ok_and(|before| before == text) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Copies the repository into a folder, with other text in some files.
fn copy(into: &Path, changed: &BTreeMap<String, String>) -> Result {
    let mut list = Command::new("git");
    list.args(["ls-files", "--cached", "--others", "--exclude-standard"]).current_dir(root());
    let files = output(&mut list)?;
    for file in files.lines().filter(|file| root().join(file).is_file()) {
        let bytes = match changed.get(file) {
            Some(text) => text.clone().into_bytes(),
            None => fs::read(root().join(file)).map_err(|error| format!("{file}: {error}"))?,
        };
        match file {
            "src/lib.rs" => write(&into.join(file), &[&bytes, SWITCH.as_bytes()].concat())?,
            _ => write(&into.join(file), &bytes)?,
        }
    }
    Ok(())
}
