//! Follows `docs/certify-csharp.md` from the unpacked archive to a till that fails the
//! certification and one that passes. Where this machine is not a Windows, the commands get its
//! names: Mono runs the programs for Linux, and .NET Core those for Windows under Wine.

use super::machine::{dotnet, shim};
use super::pos::with_dotnet;
use crate::package::consumer::{Runner, run_by};
use crate::package::nuget::{BINDING, NETSTANDARD};
use crate::package::target::Target;
use crate::package::{NAME, VERSION, copy, make, write};
use crate::run::{Result, root, run};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Some scenarios without a power cut: enough for the naive till, which waits long in each. Wine
/// names no process of a connection, so that each power cut is void there.
const SOME: &[&str] = &["sale", "second-press", "two-sales", "response-lost", "server-error", "queue-goes-on"];

/// Follows the page. `installed` is the unpacked archive, `nuget` the binding's package.
pub fn follow(target: &Target, installed: &Path, nuget: &Path, work: &Path, runner: &Runner) -> Result {
    if !["linux-x64", "win-x64"].contains(&target.name) {
        return Ok(());
    }
    let folder = work.join("certificate");
    make(&folder)?;
    let archive = format!("{NAME}-{VERSION}-win-x64");
    run(Command::new("cp").arg("-r").arg(installed).arg(folder.join(&archive)))?;
    copy(nuget, &folder.join(BINDING.name()))?;
    let page = fs::read_to_string(root().join("docs/certify-csharp.md")).map_err(|error| error.to_string())?;
    let blocks = page.split("```bat\n").skip(1).filter_map(|block| block.split("```").next());
    let commands: Vec<String> = blocks.flat_map(str::lines).map(|line| line.replace('\\', "/")).collect();
    if commands.len() != 8 {
        return Err(format!("certify-csharp.md has {} commands instead of 8", commands.len()));
    }
    for command in &commands {
        let (program, rest) = command.split_once(' ').unwrap_or((command, ""));
        match program {
            "tar" if rest.contains(".zip") => {}
            "tar" => run(Command::new("unzip").args(["-q", &BINDING.name(), "-d", "till"]).current_dir(&folder))?,
            "mkdir" | "copy" => {
                let here = command.replace("copy", "cp").replace("net461", framework(target));
                run(Command::new("sh").args(["-c", &here]).current_dir(&folder))?;
            }
            "csc" => compile(target, rest, &folder)?,
            _ => certify(target, rest, &folder.join(program), &folder, runner)?,
        }
    }
    println!("{}: certify-csharp.md: the naive till fails, and the till in C# passes", target.name);
    Ok(())
}

fn framework(target: &Target) -> &'static str {
    if target.is_windows() { "netstandard2.0" } else { "net461" }
}

fn compile(target: &Target, arguments: &str, folder: &Path) -> Result {
    let mut mcs = Command::new("mcs");
    mcs.args(arguments.split(' ')).current_dir(folder);
    if target.is_windows() {
        mcs.arg(format!("-r:{NETSTANDARD}"));
        shim(target, &folder.join("till/runtimes/win-x64/native"))?;
        shim(target, &folder.join(format!("{NAME}-{VERSION}-win-x64/bin")))?;
        let settings = r#"{"runtimeOptions": {"framework": {"name": "Microsoft.NETCore.App", "version": "3.1.0"}}}"#;
        for name in ["naive", "till"] {
            write(&folder.join(format!("till/{name}.runtimeconfig.json")), settings)?;
        }
    }
    run(&mut mcs)
}

/// Runs a certification of the page, and checks its verdict.
fn certify(target: &Target, arguments: &str, program: &Path, folder: &Path, runner: &Runner) -> Result {
    let (options, till) = arguments.split_once(" -- ").ok_or("a certification has no till")?;
    let (name, placeholders) = till.split_once(' ').unwrap_or((till, ""));
    // An emulator is slow to start a program.
    let mut options: Vec<&str> = options.split(' ').chain(["--grace-ms", "120000", "--jobs", "4"]).collect();
    let naive = name.contains("naive");
    if naive || target.is_windows() {
        options.extend(SOME.iter().flat_map(|name| ["--only", name]));
    }
    let mut till = vec![folder.join(name).display().to_string()];
    let mut command = if target.is_windows() {
        let dotnet = with_dotnet(&dotnet(true)?, runner);
        // The sandbox starts the till inside of the same Wine.
        let inside = dotnet.before.iter().skip(runner.before.len()).cloned();
        till.splice(0..0, inside);
        run_by(&Runner { before: runner.before.clone(), settings: dotnet.settings }, program)
    } else {
        till.insert(0, "mono".into());
        Command::new(program.with_extension(""))
    };
    command.args(options).arg("--").args(till).args(placeholders.split(' ').filter(|part| !part.is_empty()));
    let ended = command.current_dir(folder).output().map_err(|error| format!("the certification: {error}"))?;
    let printed = String::from_utf8_lossy(&ended.stdout).replace('\r', "");
    let expected = match naive {
        true => "this till deducts twice when the cashier presses again for the same sale",
        false => " 0 failed, 0 void, 0 skipped",
    };
    if ended.status.code() == Some(i32::from(naive)) && printed.contains(expected) {
        return Ok(());
    }
    Err(format!("{}: {name}: {}\n{printed}{}", target.name, ended.status, String::from_utf8_lossy(&ended.stderr)))
}
