//! The packages of the bindings for Java, Node.js and Pascal, with all native libraries.

use super::build::Built;
use super::{NAME, VERSION, copy, make, notices, zip};
use crate::run::{Result, output, root, target as target_folder};
use crate::setup;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Writes the jar and its pom, the npm package and the archive of the Pascal unit to a folder.
pub fn pack(built: &[Built], into: &Path) -> Result<Vec<PathBuf>> {
    setup::install(&[setup::JAVA, setup::NODE, setup::PACKAGE])?;
    let work = target_folder().join("package").join("bindings");
    let _ = fs::remove_dir_all(&work);
    make(&work)?;
    make(into)?;
    // A program on Windows 7 takes the library from the archive.
    let built: Vec<&Built> = built.iter().filter(|built| !built.target.is_windows_7()).collect();
    let notices = work.join("THIRD-PARTY-LICENCES.txt");
    super::write(&notices, licences(&built, &work)?)?;
    let libraries = built.iter().map(|built| format!("--library={}={}", built.target.name, built.shared.display()));
    // `licences` has written each.
    let sboms = built.iter().map(|built| {
        let name = built.target.name;
        format!("--sbom={name}={}", work.join(name).join("sbom.cdx.json").display())
    });
    let with_all = |mut packer: Command| {
        packer.args(libraries.clone()).args(sboms.clone()).arg("--notices").arg(&notices).arg("--out").arg(into);
        output(&mut packer).map(|path| PathBuf::from(path.trim()))
    };
    let mut java = Command::new("python3");
    java.arg(root().join("bindings/java/build_jar.py")).args(["--jna", JNA]);
    let jar = with_all(java)?;
    let mut node = Command::new("node");
    node.arg(root().join("bindings/node/pack.js"));
    Ok(vec![jar.with_extension("pom"), jar, with_all(node)?, pascal(&work, into)?])
}

const JNA: &str = "/usr/share/java/jna.jar";

/// Returns the licences of each target's library, one target after another.
fn licences(built: &[&Built], work: &Path) -> Result<String> {
    let mut text = String::new();
    for built in built {
        let folder = work.join(built.target.name);
        notices::write(built.target, &folder)?;
        let path = folder.join("THIRD-PARTY-LICENCES.txt");
        let licences = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let _ = write!(text, "# The library of {}\n\n{licences}\n", built.target.name);
    }
    Ok(text)
}

/// The unit, its page and the licences. The native library is that of the target's archive.
fn pascal(work: &Path, into: &Path) -> Result<PathBuf> {
    let stem = format!("{NAME}-{VERSION}-pascal");
    let folder = work.join(&stem);
    make(&folder)?;
    for (from, to) in [
        ("bindings/pascal/engagepointshop.pas", "engagepointshop.pas"),
        ("docs/pascal.md", "README.md"),
        ("LICENSE-MIT", "LICENSE-MIT"),
        ("LICENSE-APACHE", "LICENSE-APACHE"),
    ] {
        copy(&root().join(from), &folder.join(to))?;
    }
    let package = into.join(format!("{stem}.zip"));
    zip(work, &stem, &package)?;
    Ok(package)
}
