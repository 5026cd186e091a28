//! Hides the inner symbols of a static library: a program may link its own SQLite and Rust as well.

use crate::abi;
use crate::run::{Result, output, root, run};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// A target's binutils, by the prefix of their names.
#[derive(Clone, Copy)]
pub struct Binutils {
    pub prefix: &'static str,
}

impl Binutils {
    pub fn tool(self, name: &str) -> Command {
        Command::new(format!("{}{name}", self.prefix))
    }
}

/// Returns the functions that the header declares.
pub fn functions() -> Result<BTreeSet<String>> {
    let header = root().join("include/engage_point_shop.h");
    fs::read_to_string(&header)
        .map(|text| abi::functions(&text))
        .map_err(|error| format!("{}: {error}", header.display()))
}

/// Writes a library with the code of `archive` that the header's functions need. All other
/// symbols become local.
pub fn close(archive: &Path, into: &Path, tools: Binutils) -> Result {
    let functions = functions()?;
    let object = into.with_extension("o");
    // The linker must dissolve section groups. Else two Rust libraries in one program share the
    // unwinding tables of a group under local names, and the first panic ends the program.
    let mut link = tools.tool("ld");
    link.args(["-r", "--force-group-allocation", "--gc-sections"]);
    link.args(functions.iter().map(|function| format!("--undefined={function}")));
    run(link.arg(archive).arg("-o").arg(&object))?;
    let mut hide = tools.tool("objcopy");
    hide.args(functions.iter().map(|function| format!("--keep-global-symbol={function}")));
    // Unneeded symbols must go: else weak references to functions that an older system lacks
    // become strong.
    hide.args(["--strip-unneeded", "--remove-section=.llvmbc", "--remove-section=.llvmcmd"]);
    run(hide.arg(&object))?;
    let _ = fs::remove_file(into);
    run(tools.tool("ar").args(["rcsD"]).arg(into).arg(&object))?;
    fs::remove_file(&object).map_err(|error| error.to_string())?;
    let visible = visible(into, tools)?;
    if visible == functions {
        Ok(())
    } else {
        Err(format!("{} exports {visible:?} instead of {functions:?}", into.display()))
    }
}

/// Returns the symbols that a program can link to.
pub fn visible(archive: &Path, tools: Binutils) -> Result<BTreeSet<String>> {
    let symbols = output(tools.tool("readelf").args(["--syms", "--wide"]).arg(archive))?;
    let defined = symbols.lines().filter_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        match columns.as_slice() {
            [_, _, _, _, "GLOBAL" | "WEAK", _, section, name] if *section != "UND" => Some((*name).to_owned()),
            _ => None,
        }
    });
    Ok(defined.collect())
}
