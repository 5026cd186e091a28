//! Makes the packages that a POS vendor installs: an archive and a Python wheel for each target,
//! one NuGet package, one jar, one npm package and the Pascal unit. An archive holds the library,
//! headers, CMake and pkg-config files, licences and a bill of materials. The needs and the exports
//! of each library are checked on the library itself.

pub mod artefact;
pub mod bindings;
mod build;
pub mod consumer;
mod deb;
mod layout;
mod notices;
pub mod nuget;
mod page;
pub mod target;

pub use build::{Built, build, builds_the_same, from_debug, unit_tests, with_faults, with_symbols, zig};

use crate::run::{Result, output, root, run, target as target_folder};
use crate::setup;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use target::{TARGETS, TOOLS, Target};

pub const VERSION: &str = env!("CARGO_PKG_VERSION");
pub const NAME: &str = "engage-point-shop";

/// Returns the folder of the packages.
pub fn dist() -> PathBuf {
    root().join("dist")
}

/// Packages one target, or all targets and the packages of the bindings.
pub fn run_package(name: &str) -> Result {
    if name == "all" { package_all().map(drop) } else { package(Target::named(name)?).map(drop) }
}

pub fn package_all() -> Result<Vec<Built>> {
    let _ = fs::remove_dir_all(dist());
    let built: Vec<Built> = TARGETS.iter().map(package).collect::<Result<_>>()?;
    let mut packages = nuget::pack(&built, &dist())?;
    packages.extend(bindings::pack(&built, &dist())?);
    packages.push(python_sources(&dist())?);
    for package in &packages {
        println!("packaged {}", shown(package)?);
    }
    checksums()?;
    Ok(built)
}

/// Builds a target, and writes its archive and its wheel to `dist`.
pub fn package(target: &'static Target) -> Result<Built> {
    setup::install(&[setup::DEMO, setup::TEST, setup::PACKAGE, target.needs])?;
    let built = build(target)?;
    artefact::check(&built)?;
    for package in pack(&built, &dist())? {
        println!("packaged {}", shown(&package)?);
    }
    if let Some(symbols) = &built.symbols {
        let kept = dist().join(format!("{NAME}-{VERSION}-{}.debug", target.name));
        copy(symbols, &kept)?;
        println!("kept {}", shown(&kept)?);
    }
    Ok(built)
}

/// Writes the archive, the Debian packages and the wheel of a build. The same files give the same
/// bytes.
pub fn pack(built: &Built, into: &Path) -> Result<Vec<PathBuf>> {
    make(into)?;
    let target = built.target;
    let stem = format!("{NAME}-{VERSION}-{}", target.name);
    let work = target_folder().join("package").join("trees");
    let tree = work.join(&stem);
    layout::tree(built, &tree)?;
    notices::write(target, &tree)?;
    for (tool, _) in TOOLS {
        notices::write_tool(tool, target, &tree.join("share").join(tool))?;
    }
    let mut packages = vec![archive(&work, &stem, target.is_windows(), into)?];
    packages.extend(deb::pack(built, &tree, into)?);
    if let Some(platform) = target.wheel {
        let mut wheel = Command::new("python3");
        wheel.arg(root().join("bindings/python/build_wheel.py")).args(["--platform", platform]);
        wheel.arg("--notices").arg(tree.join("THIRD-PARTY-LICENCES.txt"));
        let wheel = output(wheel.arg("--library").arg(&built.shared).arg("--out").arg(into))?;
        packages.push(wheel.trim().into());
        let mut wheel = Command::new("python3");
        wheel.arg(root().join("sandbox/python/build_sandbox_wheel.py")).args(["--platform", platform]);
        wheel.arg("--notices").arg(tree.join("share/engage-sandbox/THIRD-PARTY-LICENCES.txt"));
        let wheel = output(wheel.arg("--program").arg(built.program("engage-sandbox")).arg("--out").arg(into))?;
        packages.push(wheel.trim().into());
    }
    Ok(packages)
}

/// Writes Python's source distribution, which names what a platform without a wheel needs.
pub fn python_sources(into: &Path) -> Result<PathBuf> {
    let mut python = Command::new("python3");
    python.arg("-B").arg(root().join("bindings/python/backend.py")).arg(into);
    output(&mut python).map(|path| path.trim().into())
}

/// Checks that packing the same files again gives the same bytes.
pub fn packs_the_same(built: &Built, packed: &Path, again: &Path) -> Result {
    for package in pack(built, again)? {
        same_bytes(&package, packed)?;
    }
    Ok(())
}

pub fn same_bytes(package: &Path, packed: &Path) -> Result {
    let before = packed.join(package.file_name().unwrap_or_default());
    match (fs::read(package), fs::read(&before)) {
        (Ok(now), Ok(before)) if now == before => Ok(()),
        _ => Err(format!("{} and {} differ, though they hold the same files", package.display(), before.display())),
    }
}

fn shown(path: &Path) -> Result<String> {
    let bytes = fs::metadata(path).map_err(|error| format!("{}: {error}", path.display()))?.len();
    Ok(format!("{} ({} KB)", path.strip_prefix(root()).unwrap_or(path).display(), bytes / 1000))
}

pub fn make(folder: &Path) -> Result {
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))
}

pub fn copy(from: &Path, to: &Path) -> Result {
    fs::copy(from, to).map(drop).map_err(|error| format!("{} to {}: {error}", from.display(), to.display()))
}

pub fn write(path: &Path, text: impl AsRef<[u8]>) -> Result {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Packs a folder into a `.tar.gz` or `.zip` file.
fn archive(work: &Path, stem: &str, zipped: bool, into: &Path) -> Result<PathBuf> {
    if zipped {
        let archive = into.join(format!("{stem}.zip"));
        zip(work, stem, &archive)?;
        return Ok(archive);
    }
    let archive = into.join(format!("{stem}.tar.gz"));
    let mut tar = Command::new("tar");
    tar.args([
        "--sort=name",
        "--owner=0",
        "--group=0",
        "--numeric-owner",
        "--mode=a+rX,go-w",
        "--mtime=@0",
        "--use-compress-program=gzip -9n",
    ]);
    run(tar.arg("-cf").arg(&archive).arg("-C").arg(work).arg(stem))?;
    Ok(archive)
}

fn zip(folder: &Path, content: &str, archive: &Path) -> Result {
    let _ = fs::remove_file(archive);
    // A zip file cannot hold a time before 1980.
    run(Command::new("find").arg(folder.join(content)).args([
        "-exec",
        "touch",
        "-d",
        "1980-01-02T00:00:00Z",
        "{}",
        "+",
    ]))?;
    let mut zip = Command::new("sh");
    zip.args(["-c", r#"find "$1" -type f | LC_ALL=C sort | zip -q -9 -X "$0" -@"#]).arg(archive).arg(content);
    run(zip.env("TZ", "UTC").current_dir(folder))
}

/// Writes `SHA256SUMS` beside the packages.
fn checksums() -> Result {
    let sums = output(Command::new("sh").args(["-c", "LC_ALL=C sha256sum -- *.*"]).current_dir(dist()))?;
    write(&dist().join("SHA256SUMS"), &sums)?;
    print!("{sums}");
    Ok(())
}
