//! The sandbox certifies the POS programs of `examples/` with the packages, on each target.
//! The program in C runs on all targets, those in C#, Python and Pascal where a runtime exists.

use super::machine::{cjson, dotnet, pascal_for_windows, python_for_windows, shim};
use crate::package::consumer::{Runner, run_by};
use crate::package::nuget::NETSTANDARD;
use crate::package::target::Target;
use crate::package::{VERSION, copy, dist, make, write, zig};
use crate::run::{Result, output, root, run, target as target_folder};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Certifies all programs of a target. `installed` is the unpacked archive, `nuget` the NuGet
/// package.
pub fn try_all(target: &Target, installed: &Path, nuget: &Path, work: &Path, runner: &Runner) -> Result {
    c(target, installed, work, runner)?;
    match target.name {
        "linux-x64" => {
            python(target, work)?;
            let here = Runner { before: vec!["mono".into()], settings: Vec::new() };
            csharp(target, nuget, "net461", work, &here)?;
            csharp(target, nuget, "netstandard2.0", work, &with_dotnet(&dotnet(false)?, &Runner::default()))
        }
        "win-x64" => {
            pascal_on_windows(target, installed, work, runner)?;
            python_on_windows(target, work, runner)?;
            csharp(target, nuget, "netstandard2.0", work, &with_dotnet(&dotnet(true)?, runner))
        }
        _ => Ok(()),
    }
}

/// Certifies the POS in C with the installed package.
fn c(target: &Target, installed: &Path, work: &Path, runner: &Runner) -> Result {
    let folder = work.join("pos");
    make(&folder)?;
    let (program, sources) = (folder.join(if target.is_windows() { "pos.exe" } else { "pos" }), cjson()?);
    let mut cc = Command::new(target.cc);
    cc.args(["-std=c99", "-O1", "-Wall", "-Wextra", "-I"]).arg(installed.join("include")).arg("-I").arg(&sources);
    cc.arg(root().join("examples/c/till.c")).arg(sources.join("cjson/cJSON.c")).arg("-o").arg(&program);
    if target.is_windows() {
        cc.arg(installed.join("lib/libengage_point_shop.dll.a"));
        copy(&installed.join("bin/engage_point_shop.dll"), &folder.join("engage_point_shop.dll"))?;
        shim(target, &folder)?;
    } else {
        let lib = installed.join("lib");
        cc.arg("-L").arg(&lib).args(["-lengage_point_shop", "-lm"]).arg(format!("-Wl,-rpath,{}", lib.display()));
    }
    run(&mut cc)?;
    certified(target, "the POS in C", &run_by(runner, &program), work)
}

/// Certifies the POS in Pascal with the unit, and the library of the archive beside it.
fn pascal_on_windows(target: &Target, installed: &Path, work: &Path, runner: &Runner) -> Result {
    let folder = work.join("pascal");
    make(&folder)?;
    let mut compiler = pascal_for_windows()?;
    compiler.arg(format!("-Fu{}", root().join("bindings/pascal").display())).arg("-FU.").arg("-FE.");
    output(compiler.arg(root().join("examples/pascal/till.pas")).current_dir(&folder))?;
    copy(&installed.join("bin/engage_point_shop.dll"), &folder.join("engage_point_shop.dll"))?;
    shim(target, &folder)?;
    certified(target, "the POS in Pascal", &run_by(runner, &folder.join("till.exe")), work)
}

/// Certifies the POS in Python. pip must install the wheel without a compiler.
fn python(target: &Target, work: &Path) -> Result {
    let venv = work.join("venv");
    run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    let mut pip = Command::new(venv.join("bin/pip"));
    pip.args(["install", "--quiet", "--no-index", "--disable-pip-version-check"]).arg(wheel(target));
    run(pip.env("CC", "false").env("PATH", venv.join("bin")))?;
    let mut pos = Command::new(venv.join("bin/python"));
    pos.arg(root().join("examples/python/till.py"));
    certified(target, "the POS in Python with the wheel", &pos, work)
}

/// Certifies the POS in Python with the embeddable Python for Windows, which has no pip.
fn python_on_windows(target: &Target, work: &Path, runner: &Runner) -> Result {
    let folder = work.join("python");
    run(Command::new("cp").arg("-r").arg(python_for_windows()?).arg(&folder))?;
    let site = folder.join("site");
    let mut pip = Command::new(zig()?.join("pip"));
    pip.args(["install", "--quiet", "--no-index", "--no-deps", "--disable-pip-version-check"]);
    pip.args(["--only-binary=:all:", "--platform", target.wheel.unwrap_or_default(), "--target"]).arg(&site);
    run(pip.arg(wheel(target)))?;
    write(&folder.join("python311._pth"), "python311.zip\n.\nsite\n")?;
    shim(target, &site.join("engage_point_shop"))?;
    // Under Wine this Python starts only with a pipe as its output.
    let piped = ["bash", "-o", "pipefail", "-c", r#""$@" 2>&1 | cat"#, "bash"].map(str::to_owned);
    let before = piped.into_iter().chain(runner.before.iter().cloned()).collect();
    let mut pos = run_by(&Runner { before, settings: runner.settings.clone() }, &folder.join("python.exe"));
    pos.arg(root().join("examples/python/till.py"));
    certified(target, "the POS in Python with the wheel", &pos, work)
}

fn wheel(target: &Target) -> PathBuf {
    dist().join(format!("engage_point_shop-{VERSION}-py3-none-{}.whl", target.wheel.unwrap_or_default()))
}

/// Certifies the POS in C# with the NuGet package, laid out like a build. `framework` names the
/// assembly.
fn csharp(target: &Target, nuget: &Path, framework: &str, work: &Path, runner: &Runner) -> Result {
    let program = work.join(framework);
    let unpacked = program.join("package");
    make(&program)?;
    run(Command::new("unzip").arg("-q").arg(nuget).arg("-d").arg(&unpacked))?;
    let binding = program.join("EngagePointShop.dll");
    copy(&unpacked.join("lib").join(framework).join("EngagePointShop.dll"), &binding)?;
    run(Command::new("cp").arg("-r").arg(unpacked.join("runtimes")).arg(&program))?;
    if target.is_windows() {
        shim(target, &program.join("runtimes").join(target.name).join("native"))?;
    }
    let compile = |source: &str, name: &str, folder: &Path| -> Result<PathBuf> {
        let program = folder.join(format!("{name}.exe"));
        let mut mcs = Command::new("mcs");
        mcs.args(["-langversion:7.2", "-warnaserror+"]).arg(format!("-r:{}", binding.display()));
        if framework == "netstandard2.0" {
            mcs.arg(format!("-r:{NETSTANDARD}"));
        }
        run(mcs.arg(format!("-out:{}", program.display())).arg(root().join(source)))?;
        let settings = r#"{"runtimeOptions": {"framework": {"name": "Microsoft.NETCore.App", "version": "3.1.0"}}}"#;
        write(&folder.join(format!("{name}.runtimeconfig.json")), settings)?;
        Ok(program)
    };
    // Without the native library the program gets a LibraryException, and ends with 3.
    let alone = work.join(format!("{framework}-alone"));
    make(&alone)?;
    copy(&binding, &alone.join("EngagePointShop.dll"))?;
    let lonely = compile("tests/hosts/lifetimes.cs", "lonely", &alone)?;
    let ended = run_by(runner, &lonely).current_dir(&alone).output().map_err(|error| error.to_string())?;
    let printed = String::from_utf8_lossy(&ended.stdout);
    if ended.status.code() != Some(3) || !printed.contains("is missing or not for this process") {
        let errors = String::from_utf8_lossy(&ended.stderr);
        return Err(format!("{}: {framework} without its library: {}\n{printed}{errors}", target.name, ended.status));
    }
    let pos = compile("examples/csharp/till.cs", "pos", &program)?;
    let mut command = run_by(runner, &pos);
    command.current_dir(&program);
    certified(target, &format!("the POS in C# with the NuGet package's {framework} assembly"), &command, work)
}

/// Returns a runner that starts assemblies with .NET.
pub fn with_dotnet(dotnet: &Path, runner: &Runner) -> Runner {
    let command = [&*dotnet.display().to_string(), "exec"].map(str::to_owned);
    // Without ICU, which not every system has.
    let invariant = ("DOTNET_SYSTEM_GLOBALIZATION_INVARIANT".to_owned(), "1".to_owned());
    Runner {
        before: runner.before.iter().cloned().chain(command).collect(),
        settings: runner.settings.iter().cloned().chain([invariant]).collect(),
    }
}

/// Runs all scenarios of the sandbox against a POS: one process a sale, and on Windows x64 also a
/// process that keeps running. The other targets leave that to the tests of the hosts.
fn certified(target: &Target, name: &str, pos: &Command, work: &Path) -> Result {
    let words: Vec<_> = std::iter::once(pos.get_program()).chain(pos.get_args()).collect();
    let own = "--url {url} --ca {ca} --key {key} --journal {journal} --shown {shown} --request-timeout 3000";
    let sale = "--contact {contact} --item {item} --reference {reference} --wait {wait}";
    let mut once = certify(pos, work);
    once.arg("--").args(&words).args(own.split(' ')).args(sale.split(' '));
    passed(target, name, &mut once)?;
    if target.name != "win-x64" {
        return Ok(());
    }
    let quoted = words.iter().map(|word| format!("'{}'", word.display())).collect::<Vec<_>>().join(" ");
    let start = format!("{quoted} {own} --startup-jitter 0 --serve");
    passed(target, &format!("{name}, running"), certify(pos, work).args(["--sell", "-", "--start", &start]))
}

/// Returns a certification without its till.
fn certify(pos: &Command, work: &Path) -> Command {
    let mut certify = Command::new(target_folder().join("debug/engage-sandbox"));
    // An emulator is slow. A program in a chroot sees only the work folder.
    certify.args(["certify", "--grace-ms", "120000", "--jobs", "4"]).env("TMPDIR", work);
    certify.current_dir(pos.get_current_dir().unwrap_or(work));
    certify.envs(pos.get_envs().filter_map(|(name, value)| Some((name, value?))));
    certify
}

fn passed(target: &Target, name: &str, certify: &mut Command) -> Result {
    let ended = certify.output().map_err(|error| format!("the certification: {error}"))?;
    let printed = String::from_utf8_lossy(&ended.stdout);
    let summary = printed.lines().last().unwrap_or_default();
    if !ended.status.success() || !summary.contains(" 0 failed, 0 void, 0 skipped") {
        return Err(format!("{}: {name}: {printed}{}", target.name, String::from_utf8_lossy(&ended.stderr)));
    }
    println!("{}: {name}: {summary}", target.name);
    Ok(())
}
