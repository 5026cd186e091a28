//! The NuGet package: the C# binding for .NET Framework 4.6.1 and netstandard 2.0, and all native
//! libraries.

use super::build::Built;
use super::{VERSION, copy, make, notices, write, zip};
use crate::run::{Result, output, root, run, target as target_folder};
use crate::setup::{self, Need, need};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub const NETSTANDARD: &str = "/usr/lib/mono/4.7.2-api/Facades/netstandard.dll";
const CECIL: &str = "/usr/lib/mono/gac/Mono.Cecil/0.11.0.0__0738eb9f132ed756/Mono.Cecil.dll";

const NEEDS: &[Need] = &[need(
    "the reference assemblies of .NET Framework 4.6.1 and netstandard, and Cecil",
    "mono-devel",
    &["test", "-e", "/usr/lib/mono/4.6.1-api/mscorlib.dll", "-a", "-e", NETSTANDARD, "-a", "-e", CECIL],
)];

/// Writes the package with these native libraries to a folder.
pub fn pack(built: &[Built], into: &Path) -> Result<PathBuf> {
    setup::install(&[setup::DEMO, setup::TEST, setup::PACKAGE, NEEDS])?;
    let work = target_folder().join("package").join("nuget");
    let _ = fs::remove_dir_all(&work);
    let (framework, standard) = (work.join("lib/net461"), work.join("lib/netstandard2.0"));
    make(&framework)?;
    make(&standard)?;
    // Compiled against the oldest framework, so that the binding needs no newer one.
    let docs = framework.join("EngagePointShop.xml");
    let documented = format!("-doc:{}", docs.display());
    let key = root().join("packaging/nuget/EngagePointShop.snk");
    let named = format!("-keyfile:{}", key.display());
    compile(&framework.join("EngagePointShop.dll"), &["-sdk:4.6.1-api", "-deterministic", &documented, &named])?;
    copy(&docs, &standard.join("EngagePointShop.xml"))?;
    let program = target_folder().join("package").join("netstandard.exe");
    let mut mcs = Command::new("mcs");
    mcs.args(["-warnaserror+", &format!("-r:{CECIL}"), &format!("-out:{}", program.display())]);
    run(mcs.arg(root().join("packaging/nuget/netstandard.cs")))?;
    let mut retarget = Command::new("mono");
    retarget.arg(program).arg(framework.join("EngagePointShop.dll")).arg(NETSTANDARD);
    run(retarget.arg(key).arg(standard.join("EngagePointShop.dll")))?;
    for folder in [&framework, &standard] {
        output(Command::new("sn").args(["-q", "-vf"]).arg(folder.join("EngagePointShop.dll")))?;
    }
    // .NET on Windows 7 is .NET Framework, whose program takes the library from the archive.
    for built in built.iter().filter(|built| !built.target.is_windows_7()) {
        let native = work.join("runtimes").join(built.target.name).join("native");
        make(&native)?;
        let name = if built.target.is_windows() { "engage_point_shop.dll" } else { "libengage_point_shop.so" };
        copy(&built.shared, &native.join(name))?;
        notices::write(built.target, &work.join("licences").join(built.target.name))?;
    }
    for (path, text) in [
        ("EngagePointShop.nuspec", include_str!("../../../packaging/nuget/EngagePointShop.nuspec")),
        ("[Content_Types].xml", include_str!("../../../packaging/nuget/content-types.xml")),
        ("_rels/.rels", include_str!("../../../packaging/nuget/rels.xml")),
        ("build/net461/EngagePointShop.targets", include_str!("../../../packaging/nuget/EngagePointShop.targets")),
    ] {
        let path = work.join(path);
        make(path.parent().unwrap_or(&work))?;
        write(&path, text.replace("@VERSION@", VERSION))?;
    }
    copy(&root().join("bindings/csharp/README.md"), &work.join("README.md"))?;
    copy(&root().join("LICENSE-MIT"), &work.join("LICENSE-MIT"))?;
    copy(&root().join("LICENSE-APACHE"), &work.join("LICENSE-APACHE"))?;
    let package = into.join(name());
    zip(&work, ".", &package)?;
    Ok(package)
}

pub fn name() -> String {
    format!("EngagePointShop.{VERSION}.nupkg")
}

/// Compiles the C# binding.
pub fn compile(into: &Path, more: &[&str]) -> Result {
    let folder = root().join("bindings/csharp");
    let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut sources: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    sources.retain(|path| path.extension().is_some_and(|end| end == "cs"));
    sources.sort();
    let mut mcs = Command::new("mcs");
    mcs.args(["-langversion:7.2", "-warnaserror+", "-target:library", "-optimize+"]).args(more);
    run(mcs.arg(format!("-out:{}", into.display())).args(sources))
}
