//! The NuGet packages for .NET Framework 4.6.1 and netstandard 2.0: the C# binding with all native
//! libraries, and the sandbox with its programs.

use super::build::Built;
use super::target::Target;
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

/// A package: its id, the folder of its sources and its readme, and its native file.
pub struct Package {
    pub id: &'static str,
    folder: &'static str,
    description: &'static str,
    native: fn(&Built) -> (PathBuf, String),
    notices: fn(&Target, &Path) -> Result,
}

/// The C# binding.
pub const BINDING: Package = Package {
    id: "EngagePointShop",
    folder: "bindings/csharp",
    description: "Sell loyalty rewards for points at the till: a crash-safe client of the Voyado Engage Point Shop. \
                  Carries the native library for Windows x64 and x86, Linux x64 and ARM64.",
    native: |built| {
        let windows = built.target.is_windows();
        let name = if windows { "engage_point_shop.dll" } else { "libengage_point_shop.so" };
        (built.shared.clone(), name.to_owned())
    },
    notices: notices::write,
};

/// The sandbox for tests in C#.
pub const SANDBOX: Package = Package {
    id: "EngageSandbox",
    folder: "sandbox/csharp",
    description: "A simulated Voyado Engage Point Shop for the tests of a POS. \
                  Carries the program engage-sandbox for Windows x64 and x86, Linux x64 and ARM64.",
    native: |built| (built.program("engage-sandbox"), built.target.program("engage-sandbox")),
    notices: |target, into| notices::write_tool("engage-sandbox", target, into),
};

/// Writes both packages with these builds to a folder.
pub fn pack(built: &[Built], into: &Path) -> Result<Vec<PathBuf>> {
    [BINDING, SANDBOX].iter().map(|package| pack_one(package, built, into)).collect()
}

fn pack_one(package: &Package, built: &[Built], into: &Path) -> Result<PathBuf> {
    setup::install(&[setup::DEMO, setup::TEST, setup::PACKAGE, NEEDS])?;
    let id = package.id;
    let work = target_folder().join("package").join("nuget").join(id);
    let _ = fs::remove_dir_all(&work);
    let (framework, standard) = (work.join("lib/net461"), work.join("lib/netstandard2.0"));
    make(&framework)?;
    make(&standard)?;
    let (library, docs) = (format!("{id}.dll"), format!("{id}.xml"));
    // Compiled against the oldest framework, so that the binding needs no newer one.
    let documented = format!("-doc:{}", framework.join(&docs).display());
    let key = root().join("packaging/nuget/EngagePointShop.snk");
    let named = format!("-keyfile:{}", key.display());
    let options = ["-sdk:4.6.1-api", "-deterministic", &documented, &named];
    compile_from(package.folder, &framework.join(&library), &options)?;
    copy(&framework.join(&docs), &standard.join(&docs))?;
    let program = target_folder().join("package").join("netstandard.exe");
    let mut mcs = Command::new("mcs");
    mcs.args(["-warnaserror+", &format!("-r:{CECIL}"), &format!("-out:{}", program.display())]);
    run(mcs.arg(root().join("packaging/nuget/netstandard.cs")))?;
    let mut retarget = Command::new("mono");
    retarget.arg(program).arg(framework.join(&library)).arg(NETSTANDARD);
    run(retarget.arg(key).arg(standard.join(&library)))?;
    for folder in [&framework, &standard] {
        output(Command::new("sn").args(["-q", "-vf"]).arg(folder.join(&library)))?;
    }
    // .NET on Windows 7 is .NET Framework, whose program takes the library from the archive.
    for built in built.iter().filter(|built| !built.target.is_windows_7()) {
        let native = work.join("runtimes").join(built.target.name).join("native");
        make(&native)?;
        let (file, name) = (package.native)(built);
        copy(&file, &native.join(name))?;
        (package.notices)(built.target, &work.join("licences").join(built.target.name))?;
    }
    for (path, text) in [
        (format!("{id}.nuspec"), include_str!("../../../packaging/nuget/package.nuspec")),
        ("[Content_Types].xml".into(), include_str!("../../../packaging/nuget/content-types.xml")),
        ("_rels/.rels".into(), include_str!("../../../packaging/nuget/rels.xml")),
        (format!("build/net461/{id}.targets"), include_str!("../../../packaging/nuget/package.targets")),
    ] {
        let path = work.join(path);
        make(path.parent().unwrap_or(&work))?;
        let text = text.replace("@VERSION@", VERSION).replace("@ID@", id);
        write(&path, text.replace("@DESCRIPTION@", package.description))?;
    }
    copy(&root().join(package.folder).join("README.md"), &work.join("README.md"))?;
    copy(&root().join("LICENSE-MIT"), &work.join("LICENSE-MIT"))?;
    copy(&root().join("LICENSE-APACHE"), &work.join("LICENSE-APACHE"))?;
    let packed = into.join(package.name());
    zip(&work, ".", &packed)?;
    Ok(packed)
}

impl Package {
    pub fn name(&self) -> String {
        format!("{}.{VERSION}.nupkg", self.id)
    }

    /// Compiles the package's assembly.
    pub fn compile(&self, into: &Path, more: &[&str]) -> Result {
        compile_from(self.folder, into, more)
    }
}

fn compile_from(folder: &str, into: &Path, more: &[&str]) -> Result {
    let folder = root().join(folder);
    let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut sources: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    sources.retain(|path| path.extension().is_some_and(|end| end == "cs"));
    sources.sort();
    let mut mcs = Command::new("mcs");
    mcs.args(["-langversion:7.2", "-warnaserror+", "-target:library", "-optimize+"]).args(more);
    run(mcs.arg(format!("-out:{}", into.display())).args(sources))
}
