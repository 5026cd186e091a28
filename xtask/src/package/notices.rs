//! The notices of a package: the licence of every crate in the library, and a bill of materials
//! (CycloneDX).
// cargo-cyclonedx 0.5.9 and cargo-about 0.9.3 were tried, and do not give the same content. For
// Linux x64 the library has 47 crates. cargo-cyclonedx lists 57 and cargo-about 52, with procedural
// macros; cargo-cyclonedx also lists crates that only other workspace members use. Neither lists
// SQLite and Rust's standard library. The output of cargo-cyclonedx holds local paths, the time and
// a random number, so that two packages of the same sources would differ. cargo-about prints only
// one licence of a dual-licensed crate.

use super::target::{Target, Toolchain};
use super::{VERSION, copy, make};
use crate::run::{Result, cargo, output, root};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A crate that is in the library.
struct Crate {
    name: String,
    version: String,
    licence: String,
    folder: PathBuf,
    checksum: Option<String>,
}

impl Crate {
    fn purl(&self) -> String {
        format!("pkg:cargo/{}@{}", self.name, self.version)
    }
}

/// Crates under MIT or Apache-2.0 that are published without a licence file. The text of Apache-2.0
/// names nobody, so that it is the one of this project.
const WITHOUT_FILE: &[&str] = &["maud"];

/// Writes the licences and the bill of materials of a target's library.
pub fn write(target: &Target, into: &Path) -> Result {
    make(into)?;
    for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
        copy(&root().join(licence), &into.join(licence))?;
    }
    write_of(super::NAME, target, into)
}

/// Writes the licences and the bill of materials of a target's program.
pub fn write_tool(name: &str, target: &Target, into: &Path) -> Result {
    make(into)?;
    write_of(name, target, into)
}

fn write_of(package: &str, target: &Target, into: &Path) -> Result {
    let crates = crates(package, target)?;
    let rustc = rustc(target)?;
    super::write(&into.join("THIRD-PARTY-LICENCES.txt"), licences(package, &crates, &rustc)?)?;
    let bill = serde_json::to_string_pretty(&bill(package, &crates, &rustc)?).map_err(|error| error.to_string())?;
    super::write(&into.join("sbom.cdx.json"), bill + "\n")
}

fn rustc(target: &Target) -> Result<String> {
    let rustc = if target.toolchain == Toolchain::Pinned { "rustc" } else { "/usr/bin/rustc" };
    let version = output(Command::new(rustc).arg("--version").current_dir(root()))?;
    Ok(version.split_whitespace().nth(1).unwrap_or_default().to_owned())
}

fn crates(package: &str, target: &Target) -> Result<Vec<Crate>> {
    let mut tree = cargo();
    tree.args(["tree", "--package", package, "--edges", "normal,no-proc-macro", "--locked", "--prefix", "none"]);
    let tree = output(tree.args(["--no-dedupe", "--format", "{p}", "--target", target.triple]))?;
    // `name v1.2.3`; a path dependency has its folder too.
    let inside: BTreeSet<(&str, &str)> = tree
        .lines()
        .filter_map(|line| {
            let mut columns = line.split_whitespace();
            Some((columns.next()?, columns.next()?.strip_prefix('v')?))
        })
        .filter(|(name, _)| *name != super::NAME && *name != package)
        .collect();
    let metadata = output(cargo().args(["metadata", "--format-version", "1", "--locked"]))?;
    let metadata: Value = serde_json::from_str(&metadata).map_err(|error| error.to_string())?;
    let packages = metadata["packages"].as_array().cloned().unwrap_or_default();
    let checksums = checksums()?;
    let text = |package: &Value, key: &str| package[key].as_str().unwrap_or_default().to_owned();
    let crates: Vec<Crate> = packages
        .iter()
        .map(|package| (text(package, "name"), text(package, "version"), package))
        .filter(|(name, version, _)| inside.contains(&(name.as_str(), version.as_str())))
        .map(|(name, version, package)| Crate {
            licence: text(package, "license").replace('/', " OR "),
            folder: Path::new(&text(package, "manifest_path")).parent().map(Path::to_owned).unwrap_or_default(),
            checksum: checksums.get(&format!("{name} {version}")).cloned(),
            name,
            version,
        })
        .collect();
    if crates.len() == inside.len() && crates.len() > 20 {
        Ok(crates)
    } else {
        Err(format!(
            "cargo tree lists {} crates of the library, and cargo metadata knows {} of them",
            inside.len(),
            crates.len()
        ))
    }
}

/// Returns the checksum of every crate, from Cargo.lock.
fn checksums() -> Result<BTreeMap<String, String>> {
    let lock = fs::read_to_string(root().join("Cargo.lock")).map_err(|error| format!("Cargo.lock: {error}"))?;
    let value = |package: &str, key: &str| {
        package
            .lines()
            .find_map(|line| Some(line.strip_prefix(key)?.strip_prefix(" = \"")?.trim_end_matches('"').to_owned()))
    };
    let packages = lock.split("[[package]]").skip(1);
    let pairs = packages.filter_map(|package| {
        Some((format!("{} {}", value(package, "name")?, value(package, "version")?), value(package, "checksum")?))
    });
    Ok(pairs.collect())
}

fn licences(package: &str, crates: &[Crate], rustc: &str) -> Result<String> {
    let mut text = format!(
        "{package} {VERSION} contains the code of these projects, under these licences.\n\n\
         Rust's standard library {rustc} (MIT OR Apache-2.0): the texts are those of LICENSE-MIT and LICENSE-APACHE,\n\
         copyright the Rust project's contributors.\n\
         SQLite (blessing): its authors have dedicated it to the public domain.\n"
    );
    for package in crates {
        let _ = writeln!(text, "{} {} ({})", package.name, package.version, package.licence);
    }
    // Many crates have the same text, which is printed once.
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in crates {
        let mut files = licence_files(&package.folder)?;
        if files.is_empty() && WITHOUT_FILE.contains(&&*package.name) && package.licence.contains("Apache-2.0") {
            files.push(root().join("LICENSE-APACHE"));
        }
        if files.is_empty() {
            return Err(format!(
                "The crate {} {} has no licence file. Add its text to the notices by hand.",
                package.name, package.version
            ));
        }
        for file in files {
            let licence = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            texts.entry(licence).or_default().push(format!("{} {} {name}", package.name, package.version));
        }
    }
    let mut printed: Vec<_> = texts.into_iter().map(|(licence, crates)| (crates, licence)).collect();
    printed.sort();
    for (crates, licence) in printed {
        let _ = write!(text, "\n{}\n{}\n\n{}\n", "=".repeat(100), crates.join("\n"), licence.trim_end());
    }
    Ok(text)
}

fn licence_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    files.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        ["licen", "copying", "unlicense", "notice"].iter().any(|begin| name.starts_with(begin))
    });
    files.sort();
    Ok(files)
}

fn bill(package: &str, crates: &[Crate], rustc: &str) -> Result<Value> {
    let component = |package: &Crate| {
        let mut component = json!({
            "type": "library", "bom-ref": package.purl(), "name": package.name, "version": package.version, "purl": package.purl(),
            "licenses": [{ "expression": package.licence }],
        });
        if let Some(checksum) = &package.checksum {
            component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
        }
        component
    };
    let mut components: Vec<Value> = crates.iter().map(component).collect();
    let sqlite = sqlite(crates)?;
    components.push(json!({
        "type": "library", "bom-ref": "sqlite", "name": "sqlite", "version": sqlite, "purl": format!("pkg:generic/sqlite@{sqlite}"),
        "licenses": [{ "license": { "id": "blessing" } }],
    }));
    components.push(json!({
        "type": "library", "bom-ref": "rust-std", "name": "rust-std", "version": rustc, "purl": format!("pkg:generic/rust-std@{rustc}"),
        "licenses": [{ "expression": "MIT OR Apache-2.0" }],
    }));
    let references: Vec<Value> = components.iter().map(|component| component["bom-ref"].clone()).collect();
    let ours = format!("pkg:cargo/{package}@{VERSION}");
    Ok(json!({
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": { "component": {
            "type": "library", "bom-ref": ours, "name": package, "version": VERSION, "purl": ours,
            "licenses": [{ "expression": "MIT OR Apache-2.0" }],
        } },
        "components": components,
        "dependencies": [{ "ref": ours, "dependsOn": references }],
    }))
}

/// Returns the version of the bundled SQLite, from its header.
fn sqlite(crates: &[Crate]) -> Result<String> {
    let holder = crates
        .iter()
        .find(|package| package.name == "libsqlite3-sys")
        .ok_or("the library has no crate libsqlite3-sys, which bundles SQLite")?;
    let header = holder.folder.join("sqlite3/sqlite3.h");
    let header = fs::read_to_string(&header).map_err(|error| format!("{}: {error}", header.display()))?;
    let line = header.lines().find_map(|line| line.strip_prefix("#define SQLITE_VERSION "));
    Ok(line.ok_or("SQLite's header has no SQLITE_VERSION")?.trim().trim_matches('"').to_owned())
}
