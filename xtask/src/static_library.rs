//! Makes the inside of a static library invisible: a program that links it may bring a SQLite and a Rust of its own.

use crate::abi;
use crate::run::{Result, output, root, run};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The binutils of a target.
#[derive(Clone, Copy)]
pub struct Binutils {
    pub prefix: &'static str,
}

impl Binutils {
    pub fn tool(self, name: &str) -> Command {
        Command::new(format!("{}{name}", self.prefix))
    }
}

/// What the header declares.
pub fn functions() -> Result<BTreeSet<String>> {
    let header = root().join("include/engage_point_shop.h");
    fs::read_to_string(&header)
        .map(|text| abi::functions(&text))
        .map_err(|error| format!("{}: {error}", header.display()))
}

/// Writes to `into` what the functions of the header need of `archive`, with all other symbols local.
pub fn close(archive: &Path, into: &Path, tools: Binutils) -> Result {
    let functions = functions()?;
    let object = into.with_extension("o");
    // Section groups are dissolved first. Else two Rust libraries in one program share a group's unwinding tables under local names,
    // and the first panic ends the program.
    let mut link = tools.tool("ld");
    link.args(["-r", "--force-group-allocation", "--gc-sections"]);
    link.args(functions.iter().map(|function| format!("--undefined={function}")));
    run(link.arg(archive).arg("-o").arg(&object))?;
    let mut hide = tools.tool("objcopy");
    hide.args(functions.iter().map(|function| format!("--keep-global-symbol={function}")));
    // What is not needed any more goes too: else references that were weak, to what an older system lacks, come back as strong ones.
    hide.args(["--strip-unneeded", "--remove-section=.llvmbc", "--remove-section=.llvmcmd"]);
    run(hide.arg(&object))?;
    let _ = fs::remove_file(into);
    run(tools.tool("ar").args(["rcsD"]).arg(into).arg(&object))?;
    fs::remove_file(&object).map_err(|error| error.to_string())?;
    let visible = visible(into, tools)?;
    if visible == functions { Ok(()) } else { Err(format!("{} shows {visible:?}", into.display())) }
}

/// The symbols that a program linked with it can see.
pub fn visible(archive: &Path, tools: Binutils) -> Result<BTreeSet<String>> {
    let symbols = output(tools.tool("readelf").args(["--syms", "--wide"]).arg(archive))?;
    let defined = symbols.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [_, _, _, _, "GLOBAL" | "WEAK", _, section, name] if *section != "UND" => Some((*name).to_owned()),
            _ => None,
        }
    });
    Ok(defined.collect())
}
