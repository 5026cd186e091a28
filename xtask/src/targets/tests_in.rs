//! The sandbox inside of a vendor's tests: the wheel with its fixture of pytest, and the class of
//! the NuGet package.

use super::machine::{dotnet, shim};
use super::pos::with_dotnet;
use crate::package::consumer::{Runner, run_by, seen};
use crate::package::nuget::{NETSTANDARD, SANDBOX};
use crate::package::target::Target;
use crate::package::{copy, make, write};
use crate::run::{Result, output, root, run};
use std::path::Path;
use std::process::Command;

/// Runs the tests where a runtime exists. `nuget` is the sandbox's package; `work` has a till in
/// C# with its binding and native library, for each framework.
pub fn try_all(target: &Target, nuget: &Path, work: &Path, runner: &Runner) -> Result {
    match target.name {
        "linux-x64" => {
            let mono = Runner { before: vec!["mono".into()], settings: Vec::new() };
            csharp(target, nuget, "net461", work, &mono)?;
            csharp(target, nuget, "netstandard2.0", work, &with_dotnet(&dotnet(false)?, &Runner::default()))
        }
        "win-x64" => csharp(target, nuget, "netstandard2.0", work, &with_dotnet(&dotnet(true)?, runner)),
        _ => Ok(()),
    }
}

/// Runs the test program for C#, beside the binding that the till of this framework has.
fn csharp(target: &Target, nuget: &Path, framework: &str, work: &Path, runner: &Runner) -> Result {
    let folder = work.join(framework);
    let package = work.join(format!("{framework}-sandbox"));
    make(&package)?;
    run(Command::new("unzip").arg("-q").arg(nuget).arg("-d").arg(&package))?;
    let library = format!("{}.dll", SANDBOX.id);
    copy(&package.join("lib").join(framework).join(&library), &folder.join(&library))?;
    run(Command::new("cp").arg("-r").arg(package.join("runtimes")).arg(&folder))?;
    if target.is_windows() {
        shim(target, &folder.join("runtimes").join(target.name).join("native"))?;
    }
    let program = folder.join("sandbox.exe");
    let mut mcs = Command::new("mcs");
    mcs.args(["-langversion:7.2", "-warnaserror+"]).arg(format!("-r:{}", folder.join(&library).display()));
    mcs.arg(format!("-r:{}", folder.join("EngagePointShop.dll").display()));
    if framework == "netstandard2.0" {
        mcs.arg(format!("-r:{NETSTANDARD}"));
    }
    run(mcs.arg(format!("-out:{}", program.display())).arg(root().join("tests/packages/Sandbox.cs")))?;
    let settings = r#"{"runtimeOptions": {"framework": {"name": "Microsoft.NETCore.App", "version": "3.1.0"}}}"#;
    write(&folder.join("sandbox.runtimeconfig.json"), settings)?;
    let journals = folder.join("sandbox-journals");
    make(&journals)?;
    let mut command = run_by(runner, &program);
    let printed = output(command.arg(seen(target, &journals)).current_dir(&folder))?;
    if printed.trim() != "held" {
        return Err(format!("{}: the class EngageSandbox of {framework}: {printed}", target.name));
    }
    println!("{}: the class EngageSandbox of {framework}: started, used and ended sandboxes", target.name);
    Ok(())
}
