//! Makes what a POS vendor installs, for each target: an archive with the library, headers, CMake and pkg-config files, licences and a
//! bill of materials; Python wheels; one NuGet package. What an artefact may need and show is asserted on the artefact itself.

mod artefact;
mod build;
pub mod consumer;
mod layout;
mod notices;
mod page;
pub mod target;

use build::{Built, build, from_debug};

use crate::run::{Result, output, root, run, target as target_folder};
use crate::setup;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use target::{TARGETS, Target};

pub const VERSION: &str = env!("CARGO_PKG_VERSION");
pub const NAME: &str = "engage-point-shop";

/// Where the packages go.
pub fn dist() -> PathBuf {
    root().join("dist")
}

/// Packages one target, or all and the NuGet package of all.
pub fn run_package(name: &str) -> Result {
    if name != "all" {
        return package(Target::named(name)?).map(drop);
    }
    let _ = fs::remove_dir_all(dist());
    let built: Vec<Built> = TARGETS.iter().map(package).collect::<Result<_>>()?;
    nuget(&built)?;
    checksums()
}

/// The archive and the wheel of a target, in `dist`.
pub fn package(target: &'static Target) -> Result<Built> {
    setup::install(&[setup::DEMO, setup::TEST, setup::PACKAGE, target.needs])?;
    let built = build(target)?;
    artefact::check(&built)?;
    make(&dist())?;
    let stem = format!("{NAME}-{VERSION}-{}", target.name);
    let work = target_folder().join("package").join("trees");
    let tree = work.join(&stem);
    layout::tree(&built, &tree)?;
    notices::write(target, &tree)?;
    let archive = archive(&work, &stem, target.is_windows())?;
    println!("packaged {}", shown(&archive)?);
    let mut wheel = Command::new("python3");
    wheel.arg(root().join("bindings/python/build_wheel.py")).args(["--platform", target.wheel]);
    let wheel = output(wheel.arg("--library").arg(&built.shared).arg("--out").arg(dist()))?;
    println!("packaged {}", shown(Path::new(wheel.trim()))?);
    Ok(built)
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

/// Packs a folder. The same files make the same bytes.
fn archive(work: &Path, stem: &str, zipped: bool) -> Result<PathBuf> {
    if zipped {
        let archive = dist().join(format!("{stem}.zip"));
        zip(work, stem, &archive)?;
        return Ok(archive);
    }
    let archive = dist().join(format!("{stem}.tar.gz"));
    let mut tar = Command::new("tar");
    tar.args([
        "--sort=name",
        "--owner=0",
        "--group=0",
        "--numeric-owner",
        "--mtime=@0",
        "--use-compress-program=gzip -9n",
    ]);
    run(tar.arg("-cf").arg(&archive).arg("-C").arg(work).arg(stem))?;
    Ok(archive)
}

fn zip(folder: &Path, what: &str, archive: &Path) -> Result {
    let _ = fs::remove_file(archive);
    // A zip file knows no time before 1980.
    run(Command::new("find").arg(folder.join(what)).args(["-exec", "touch", "-d", "1980-01-02T00:00:00Z", "{}", "+"]))?;
    let mut zip = Command::new("sh");
    zip.args(["-c", r#"find "$1" -type f | LC_ALL=C sort | zip -q -9 -X "$0" -@"#]).arg(archive).arg(what);
    run(zip.env("TZ", "UTC").current_dir(folder))
}

/// The C# binding and every native library, where .NET looks for them.
fn nuget(built: &[Built]) -> Result {
    let work = target_folder().join("package").join("nuget");
    let _ = fs::remove_dir_all(&work);
    let library = work.join("lib/netstandard2.0");
    make(&library)?;
    compile_binding(&library.join("EngagePointShop.dll"))?;
    for built in built {
        let native = work.join("runtimes").join(built.target.name).join("native");
        make(&native)?;
        let name = if built.target.is_windows() { "engage_point_shop.dll" } else { "libengage_point_shop.so" };
        copy(&built.shared, &native.join(name))?;
        notices::write(built.target, &work.join("licences").join(built.target.name))?;
    }
    for (path, text) in [
        ("EngagePointShop.nuspec", include_str!("../../packaging/nuget/EngagePointShop.nuspec")),
        ("[Content_Types].xml", include_str!("../../packaging/nuget/content-types.xml")),
        ("_rels/.rels", include_str!("../../packaging/nuget/rels.xml")),
        ("build/net461/EngagePointShop.targets", include_str!("../../packaging/nuget/EngagePointShop.targets")),
    ] {
        let path = work.join(path);
        make(path.parent().unwrap_or(&work))?;
        write(&path, text.replace("@VERSION@", VERSION))?;
    }
    copy(&root().join("LICENSE-MIT"), &work.join("LICENSE-MIT"))?;
    copy(&root().join("LICENSE-APACHE"), &work.join("LICENSE-APACHE"))?;
    let package = dist().join(format!("EngagePointShop.{VERSION}.nupkg"));
    zip(&work, ".", &package)?;
    println!("packaged {}", shown(&package)?);
    Ok(())
}

/// Compiles the C# binding.
pub fn compile_binding(into: &Path) -> Result {
    let folder = root().join("bindings/csharp");
    let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut sources: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    sources.retain(|path| path.extension().is_some_and(|end| end == "cs"));
    sources.sort();
    let mut mcs = Command::new("mcs");
    mcs.args(["-langversion:7.2", "-warnaserror+", "-target:library", "-optimize+"]);
    run(mcs.arg(format!("-out:{}", into.display())).args(sources))
}

/// `SHA256SUMS` beside the packages.
fn checksums() -> Result {
    let sums = output(Command::new("sh").args(["-c", "LC_ALL=C sha256sum -- *.*"]).current_dir(dist()))?;
    write(&dist().join("SHA256SUMS"), &sums)?;
    print!("{sums}");
    Ok(())
}
