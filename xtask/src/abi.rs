//! The records of the C ABI: every symbol with its first version, and each version's header and
//! types. `record` writes the records at a release. `check` compares the current library and
//! header with them.

use crate::run::{Result, cargo, output, root, run, target};
use crate::setup;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const VERSION: &str = env!("CARGO_PKG_VERSION");
const HEADER: &str = "include/engage_point_shop.h";
const SYMBOLS: &str = "abi/symbols.txt";

/// Writes the current header and types, and the new symbols. It may be repeated until the release.
pub fn record() -> Result {
    setup::install(&[setup::TEST])?;
    let header = read(HEADER)?;
    let mut symbols = symbols()?;
    for function in functions(&header) {
        symbols.entry(function).or_insert_with(|| VERSION.to_owned());
    }
    let lines: Vec<String> = symbols.iter().map(|(name, since)| format!("{name} {since}\n")).collect();
    for (path, text) in [
        (SYMBOLS.to_owned(), lines.concat()),
        (format!("abi/engage_point_shop-{VERSION}.h"), header),
        (format!("abi/engage_point_shop-{VERSION}.abi"), types(&with_types()?)?),
    ] {
        fs::write(root().join(&path), text).map_err(|error| format!("{path}: {error}"))?;
        println!("wrote {path}");
    }
    check(None)
}

/// Checks the current library and header against all records. `library` has debug information.
pub fn check(library: Option<&Path>) -> Result {
    setup::install(&[setup::TEST])?;
    let header = read(HEADER)?;
    let recorded = symbols()?;
    let (names, declared) = (recorded.keys().cloned().collect::<BTreeSet<_>>(), functions(&header));
    let removed: Vec<_> = names.difference(&declared).cloned().collect();
    let added: Vec<_> = declared.difference(&names).cloned().collect();
    if !removed.is_empty() {
        return Err(format!("{HEADER} no longer declares {}, which {SYMBOLS} records", removed.join(", ")));
    }
    if !added.is_empty() {
        return Err(format!("{SYMBOLS} lacks {}. Run `cargo xtask abi record`.", added.join(", ")));
    }

    let headers = recorded_files("h")?;
    let macros = macros(&header);
    for (version, path) in &headers {
        for (name, value) in self::macros(&read(path)?) {
            let kept = name.starts_with("EPS_VERSION") || macros.get(&name) == Some(&value);
            if !kept {
                let now = macros.get(&name).map_or("not defined", String::as_str);
                return Err(format!("{name} was {value} in version {version} and is {now} now"));
            }
        }
    }

    let library = library.map_or_else(with_types, |path| Ok(path.to_owned()))?;
    let work = target().join("abi");
    fs::create_dir_all(&work).map_err(|error| error.to_string())?;
    let current = work.join(format!("{}.abi", std::process::id()));
    fs::write(&current, types(&library)?).map_err(|error| error.to_string())?;
    let dumps = recorded_files("abi")?;
    for (_, dump) in &dumps {
        // Functions may be added. Any other difference breaks existing programs.
        run(Command::new("abidiff").arg("--no-added-syms").arg(root().join(dump)).arg(&current))?;
    }
    let _ = fs::remove_file(current);
    println!("abi: {} functions, {} headers and {} dumps of types kept", names.len(), headers.len(), dumps.len());
    Ok(())
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(root().join(path)).map_err(|error| format!("{path}: {error}"))
}

/// Returns the recorded symbols, each with its first version.
fn symbols() -> Result<BTreeMap<String, String>> {
    let text = if root().join(SYMBOLS).exists() { read(SYMBOLS)? } else { String::new() };
    let line = |line: &str| {
        let (name, since) = line.split_once(' ').ok_or_else(|| format!("{SYMBOLS}: `{line}` is not `name version`"))?;
        Ok((name.to_owned(), since.to_owned()))
    };
    text.lines().map(line).collect()
}

/// Returns the recorded files by version.
fn recorded_files(extension: &str) -> Result<Vec<(String, String)>> {
    let entries = fs::read_dir(root().join("abi")).map_err(|error| format!("abi: {error}"))?;
    let mut files = Vec::new();
    for entry in entries {
        let name = entry.map_err(|error| error.to_string())?.file_name().to_string_lossy().into_owned();
        let version =
            name.strip_prefix("engage_point_shop-").and_then(|rest| rest.strip_suffix(extension)?.strip_suffix('.'));
        if let Some(version) = version {
            files.push((version.to_owned(), format!("abi/{name}")));
        }
    }
    files.sort();
    if files.is_empty() { Err("abi/ has no records. Run `cargo xtask abi record`.".into()) } else { Ok(files) }
}

/// Returns the functions that a header declares.
pub fn functions(header: &str) -> BTreeSet<String> {
    let names = header.split("EPS_API").skip(1).filter_map(|text| {
        let head = text.split('(').next()?;
        head.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next()
    });
    names.filter(|name| name.starts_with("eps_")).map(str::to_owned).collect()
}

/// Returns the macros of a header that have a value.
fn macros(header: &str) -> BTreeMap<String, String> {
    let defines = header.lines().filter_map(|line| line.strip_prefix("#define ")?.split_once(' '));
    let ours = defines.filter(|(name, _)| name.starts_with("EPS_") && *name != "EPS_API");
    ours.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
}

/// Builds the shared library with the types of its functions in its debug information.
fn with_types() -> Result<PathBuf> {
    let folder = target().join("abi");
    let mut build = cargo();
    build
        .args(["rustc", "--package", "engage-point-shop", "--lib", "--crate-type", "cdylib", "--target-dir"])
        .arg(&folder);
    run(build.args(["--config", FULL_DEBUG]))?;
    Ok(folder.join("debug/libengage_point_shop.so"))
}

/// Without debug information `abidiff` compares only names.
pub const FULL_DEBUG: &str = r#"profile.dev.package.engage-point-shop.debug="full""#;

/// Returns the types of a library's exported functions, without its inner types.
fn types(library: &Path) -> Result<String> {
    let mut abidw = Command::new("abidw");
    abidw.args(["--no-comp-dir-path", "--no-show-locs", "--no-corpus-path", "--no-elf-needed"]).arg(library);
    reduced(&output(&mut abidw)?)
}

/// Reduces a dump to the types that the header's functions reach, with new numbers.
///
/// The dump holds the types of all parts of the library. The reduced text changes only with the
/// interface.
fn reduced(dump: &str) -> Result<String> {
    let lines: Vec<&str> = dump.lines().collect();
    let mut types = BTreeMap::new();
    let mut functions = BTreeMap::new();
    for (at, line) in lines.iter().enumerate() {
        if let Some(symbol) = attribute(line, "elf-symbol-id").filter(|symbol| symbol.starts_with("eps_")) {
            functions.insert(symbol, element(&lines[at..]));
        } else if let Some(id) = attribute(line, "id").filter(|_| !line.contains("<subrange")) {
            types.entry(id).or_insert_with(|| element(&lines[at..]));
        }
    }
    if functions.is_empty() {
        return Err(
            "the library has no debug information of its functions; build it with full debug information".into()
        );
    }
    let corpus = lines.iter().position(|line| line.contains("<abi-instr")).ok_or("the dump has no types")?;
    let mut text = lines[..corpus].join("\n") + "\n  <abi-instr address-size='64' path='ffi' language='LANG_C99'>\n";
    let mut seen = BTreeSet::new();
    let mut queue: VecDeque<&[&str]> = functions.into_values().collect();
    let mut printed = Vec::new();
    while let Some(element) = queue.pop_front() {
        printed.extend(element.iter().map(|line| format!("    {}\n", line.trim_start())));
        let reached = element.iter().filter_map(|line| attribute(line, "type-id"));
        queue.extend(reached.filter(|id| seen.insert(*id)).filter_map(|id| types.get(id).copied()));
    }
    text.push_str(&renumbered(&printed.concat()));
    text.push_str("  </abi-instr>\n</abi-corpus>\n");
    Ok(text)
}

/// Returns the XML element that begins with the first line.
fn element<'a>(lines: &'a [&'a str]) -> &'a [&'a str] {
    let first = lines[0];
    if first.ends_with("/>") {
        return &lines[..1];
    }
    let indent = first.len() - first.trim_start().len();
    let ends = |line: &&str| line.len() - line.trim_start().len() == indent && line.trim_start().starts_with("</");
    let last = lines.iter().position(ends).unwrap_or(0);
    &lines[..=last]
}

fn attribute<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(&format!(" {name}='"))?;
    rest.split_once('\'').map(|(value, _)| value)
}

fn renumbered(text: &str) -> String {
    const ID: &str = "'type-id-";
    let mut numbers = BTreeMap::new();
    let mut parts = text.split(ID);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (old, rest) = part.split_once('\'').unwrap_or((part, ""));
        let next = numbers.len() + 1;
        let _ = write!(out, "{ID}{}'{rest}", numbers.entry(old).or_insert(next));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reduced_dump_keeps_only_the_reached_types() {
        let dump = "<abi-corpus version='2.1'>\n  <elf-function-symbols>\n  </elf-function-symbols>\n  <abi-instr path='a.rs'>\n    \
            <type-decl name='u8' id='type-id-7'/>\n    <class-decl name='secret' id='type-id-8'>\n      <member type-id='type-id-7'/>\n    </class-decl>\n    \
            <pointer-type-def type-id='type-id-7' id='type-id-9'/>\n    \
            <function-decl name='eps_x' elf-symbol-id='eps_x'>\n      <parameter type-id='type-id-9'/>\n      <return type-id='type-id-7'/>\n    </function-decl>\n  \
            </abi-instr>\n</abi-corpus>\n";
        let reduced = reduced(dump).unwrap();
        assert!(!reduced.contains("secret") && !reduced.contains("a.rs"), "{reduced}");
        assert!(
            reduced.contains("<parameter type-id='type-id-1'/>") && reduced.contains("<return type-id='type-id-2'/>"),
            "{reduced}"
        );
        assert!(reduced.contains("<pointer-type-def type-id='type-id-2' id='type-id-1'/>"), "{reduced}");
        assert!(super::reduced("<abi-corpus>\n</abi-corpus>\n").is_err());
    }

    #[test]
    fn header_functions_and_macros_are_read() {
        let header =
            "#define EPS_OK 0\n#define EPS_API\nEPS_API int32_t eps_a(int x);\nEPS_API\nconst char *eps_b(void);\n";
        assert_eq!(functions(header).into_iter().collect::<Vec<_>>(), ["eps_a", "eps_b"]);
        assert_eq!(macros(header).into_iter().collect::<Vec<_>>(), [("EPS_OK".to_owned(), "0".to_owned())]);
    }
}
