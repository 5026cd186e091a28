//! Each target's package, run for real: installed into a clean place, a program built from it, and the C harness, against the sandbox.
//! Windows programs run under Wine and ARM64 ones under qemu; `docs/targets.md` has the results.

use crate::demo::Sandbox;
use crate::package::consumer::{self, Runner, fresh, run_by, use_installed};
use crate::package::target::{TARGETS, Target};
use crate::package::{self, NAME, VERSION, copy, dist, make, write};
use crate::run::{Result, cargo, output, root, run, target as target_folder};
use crate::setup::{self, Need, need};
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

const QEMU: &[Need] = &[need("qemu for programs of other processors", "qemu-user", &["qemu-aarch64", "--version"])];
const WINE64: &[Need] = &[
    need("Wine", "wine", &["sh", "-c", "command -v wine"]),
    need("Wine for 64 bits", "wine64", &["test", "-d", "/usr/lib/x86_64-linux-gnu/wine"]),
];
const DEBOOTSTRAP: &[Need] =
    &[need("debootstrap", "debootstrap", &["sh", "-c", "command -v debootstrap || test -x /usr/sbin/debootstrap"])];

/// One target, or each one, the NuGet package of all and `cargo cinstall` (`cargo-c`). `here` is this machine's package with the
/// library of the tests: quick.
pub fn run_targets(name: Option<&str>) -> Result {
    setup::install(&[setup::DEMO, setup::TEST, setup::PACKAGE, setup::CONSUMER])?;
    run(cargo().args(["build", "--workspace"]))?;
    match name {
        Some("here") => return consumer::try_debug(),
        Some("cargo-c") => return cargo_c(),
        _ => {}
    }
    let targets: Vec<&'static Target> = match name {
        Some(name) => vec![Target::named(name)?],
        None => TARGETS.iter().collect(),
    };
    match name {
        Some(_) => targets.iter().try_for_each(|target| package::package(target).map(drop))?,
        None => package::run_package("all")?,
    }
    for target in &targets {
        let began = Instant::now();
        test(target)?;
        println!("{}: passed in {:.0} s\n", target.name, began.elapsed().as_secs_f64());
    }
    if name.is_none() {
        nuget()?;
        cargo_c()?;
    }
    println!("targets: {} passed, 0 failed", targets.len());
    Ok(())
}

fn test(target: &'static Target) -> Result {
    let work = fresh(target.name)?;
    let stem = format!("{NAME}-{VERSION}-{}", target.name);
    if target.is_windows() {
        run(Command::new("unzip").arg("-q").arg(dist().join(format!("{stem}.zip"))).arg("-d").arg(&work))?;
    } else {
        run(Command::new("tar").arg("-xf").arg(dist().join(format!("{stem}.tar.gz"))).arg("-C").arg(&work))?;
    }
    let installed = work.join(&stem);
    let runner = runner(target, &work)?;
    use_installed(target, &installed, &work, &runner)?;
    harness(target, &installed, &work, &runner)?;
    if target.name == "linux-x64" {
        wheel(target, &work)?;
    }
    Ok(())
}

/// The C harness, compiled against the installed package.
fn harness(target: &Target, installed: &Path, work: &Path, runner: &Runner) -> Result {
    let folder = work.join("harness");
    make(&folder.join("journals"))?;
    let program = folder.join(if target.is_windows() { "harness.exe" } else { "harness" });
    let mut cc = Command::new(target.cc);
    cc.args(["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-pthread", "-I"]).arg(installed.join("include"));
    cc.arg(root().join("tests/abi/harness.c")).arg("-o").arg(&program);
    if target.is_windows() {
        cc.arg(installed.join("lib/libengage_point_shop.dll.a")).args(["-lws2_32", "-static"]);
        copy(&installed.join("bin/engage_point_shop.dll"), &folder.join("engage_point_shop.dll"))?;
        shim(target, &folder)?;
    } else {
        let lib = installed.join("lib");
        cc.arg("-L").arg(&lib).arg("-lengage_point_shop").arg(format!("-Wl,-rpath,{}", lib.display()));
    }
    run(&mut cc)?;
    let sandbox = Sandbox::start(&target_folder().join("debug/engage-sandbox"), work)?;
    let mut command = run_by(runner, &program);
    // An emulator is slow: times are told and not judged.
    command
        .arg("--slow")
        .arg(&sandbox.https)
        .arg(&sandbox.ca)
        .args([&sandbox.key, &sandbox.http])
        .arg(folder.join("journals"));
    let ended = command.current_dir(&folder).output().map_err(|error| format!("the harness: {error}"))?;
    let said = String::from_utf8_lossy(&ended.stdout);
    let last = said.lines().last().unwrap_or_default();
    println!("{}: {last}", target.name);
    if ended.status.success() && last.ends_with(" checks held, 0 did not") {
        return Ok(());
    }
    let wrong: Vec<&str> = said.lines().filter(|line| line.contains(": not so: ")).collect();
    Err(format!("the harness ended with {}\n{}", ended.status, wrong.join("\n")))
}

/// What a wheel promises: pip installs it without a compiler, and it buys.
fn wheel(target: &Target, work: &Path) -> Result {
    let venv = work.join("venv");
    run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    let wheel = dist().join(format!("engage_point_shop-{VERSION}-py3-none-{}.whl", target.wheel));
    let mut pip = Command::new(venv.join("bin/pip"));
    pip.args(["install", "--quiet", "--no-index", "--disable-pip-version-check"]).arg(wheel);
    run(pip.env("CC", "false").env("PATH", venv.join("bin")))?;
    let sandbox = Sandbox::start(&target_folder().join("debug/engage-sandbox"), work)?;
    let mut till = Command::new(venv.join("bin/python"));
    till.arg(root().join("examples/python/till.py")).args(till_arguments(&sandbox, &work.join("python.db")));
    bought(target, "the Python till with the wheel", &output(&mut till)?, &sandbox)
}

fn till_arguments(sandbox: &Sandbox, journal: &Path) -> Vec<String> {
    let (journal, ca) = (journal.display().to_string(), sandbox.ca.display().to_string());
    let words = ["--url", &sandbox.https, "--key", &sandbox.key, "--ca", &ca, "--journal", &journal, "--contact"];
    words.into_iter().chain(["a0000000-0000-4000-8000-000000000001"]).map(str::to_owned).collect()
}

fn bought(target: &Target, who: &str, said: &str, sandbox: &Sandbox) -> Result {
    let deductions = sandbox.ledger()?.iter().filter(|entry| entry["kind"] == "deduct").count();
    if deductions != 1 {
        return Err(format!("{who} made {deductions} deductions: {said}"));
    }
    println!("{}: {who} bought", target.name);
    Ok(())
}

/// The NuGet package, unpacked as NuGet does, and the C# till with it.
fn nuget() -> Result {
    let work = fresh("nuget")?;
    run(Command::new("unzip")
        .arg("-q")
        .arg(dist().join(format!("EngagePointShop.{VERSION}.nupkg")))
        .arg("-d")
        .arg(work.join("package")))?;
    // What a build puts beside a program.
    let program = work.join("program");
    make(&program)?;
    copy(&work.join("package/lib/netstandard2.0/EngagePointShop.dll"), &program.join("EngagePointShop.dll"))?;
    run(Command::new("cp").arg("-r").arg(work.join("package/runtimes")).arg(&program))?;
    let till = program.join("till.exe");
    let mut mcs = Command::new("mcs");
    mcs.args(["-langversion:7.2", "-warnaserror+"])
        .arg(format!("-r:{}", program.join("EngagePointShop.dll").display()));
    run(mcs.arg(format!("-out:{}", till.display())).arg(root().join("examples/csharp/till.cs")))?;
    let sandbox = Sandbox::start(&target_folder().join("debug/engage-sandbox"), &work)?;
    let said = output(Command::new("mono").arg(&till).args(till_arguments(&sandbox, &work.join("csharp.db"))))?;
    bought(&TARGETS[0], "the C# till with the NuGet package", &said, &sandbox)
}

const CARGO_C: &str = "0.10.24+cargo-0.98.0";

/// `cargo cinstall`, for those who build it themselves and install it into their system.
fn cargo_c() -> Result {
    let tools = target_folder().join("cargo-c");
    if !tools.join("bin/cargo-cinstall").exists() {
        run(cargo().args(["install", "--quiet", "cargo-c", "--version", CARGO_C, "--locked", "--root"]).arg(&tools))?;
    }
    let work = fresh("cargo-c")?;
    let installed = work.join("usr");
    let mut install = Command::new(tools.join("bin/cargo-cinstall"));
    install.current_dir(root()).args([
        "cinstall",
        "--package",
        "engage-point-shop",
        "--release",
        "--locked",
        "--libdir",
        "lib",
    ]);
    run(install.arg("--target-dir").arg(tools.join("target")).arg("--prefix").arg(&installed))?;
    let program = work.join("shop");
    let mut ask = Command::new("pkg-config");
    ask.env("PKG_CONFIG_LIBDIR", installed.join("lib/pkgconfig")).args(["--cflags", "--libs", "engage_point_shop"]);
    let mut cc = Command::new("cc");
    cc.arg(root().join("tests/packages/shop.c")).arg("-o").arg(&program).args(output(&mut ask)?.split_whitespace());
    run(cc.arg(format!("-Wl,-rpath,{}", installed.join("lib").display())))?;
    let sandbox = Sandbox::start(&target_folder().join("debug/engage-sandbox"), &work)?;
    let mut shop = Command::new(program);
    shop.arg(&sandbox.https).arg(&sandbox.ca).arg(&sandbox.key).arg(work.join("points.db"));
    bought(&TARGETS[0], "a program with what cargo cinstall installed", &output(&mut shop)?, &sandbox)
}

/// How programs of a target run here. Every run ends in time: an emulator that hangs must not hang us.
fn runner(target: &Target, work: &Path) -> Result<Runner> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let quiet =
        [("WINEDEBUG", "-all"), ("WINEDLLOVERRIDES", "mscoree,mshtml=")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    match target.name {
        "linux-arm64" => {
            setup::install(&[QEMU])?;
            // The cross compiler's loader with its own libraries, also where other ARM64 ones are installed.
            let library_path = "LD_LIBRARY_PATH=/usr/aarch64-linux-gnu/lib";
            let before = words(&["timeout", "600", "qemu-aarch64", "-L", "/usr/aarch64-linux-gnu", "-E", library_path]);
            Ok(Runner { before, settings: Vec::new() })
        }
        "win-x64" => {
            setup::install(&[WINE64])?;
            let prefix = ("WINEPREFIX".to_owned(), target_folder().join("wine").display().to_string());
            shim(target, &work.join("cmake"))?;
            Ok(Runner {
                before: words(&["timeout", "600", "wine"]),
                settings: quiet.into_iter().chain([prefix]).collect(),
            })
        }
        "win-x86" => {
            let system = wine32()?;
            shim(target, &work.join("cmake"))?;
            // A system of its own in a folder, with the work folder at its own place in it.
            let script = r#"set -e
                mount -t proc proc "$1/proc"; mkdir -p "$1$2"; mount --bind "$2" "$1$2"
                system=$1; work=$2; shift 2
                exec chroot "$system" sh -c 'cd "$0"; exec wine "$@"' "$(pwd)" "$@""#;
            let (system, work) = (system.display().to_string(), work.display().to_string());
            let before = words(&["timeout", "600", "unshare", "--mount", "sh", "-c", script, "sh", &system, &work]);
            let own = [("HOME", "/root"), ("WINEPREFIX", "/wine")].map(|(a, b)| (a.to_owned(), b.to_owned()));
            Ok(Runner { before, settings: quiet.into_iter().chain(own).collect() })
        }
        _ => Ok(Runner { before: Vec::new(), settings: Vec::new() }),
    }
}

/// A 32-bit Debian with Wine in a folder: nothing of it is installed on this machine.
fn wine32() -> Result<PathBuf> {
    setup::install(&[DEBOOTSTRAP])?;
    let system = target_folder().join("wine32");
    let done = system.join("complete");
    if !done.exists() {
        let _ = std::fs::remove_dir_all(&system);
        println!("installing a 32-bit Wine into {}", system.display());
        let mut debootstrap = Command::new("debootstrap");
        debootstrap.env("PATH", format!("{}:/usr/sbin:/sbin", env::var("PATH").unwrap_or_default()));
        debootstrap.args(["--arch=i386", "--variant=minbase", "--include=wine,wine32", "bookworm"]).arg(&system);
        output(&mut debootstrap)?;
        write(&system.join("etc/hosts"), "127.0.0.1 localhost\n")?;
        write(&done, "")?;
    }
    Ok(system)
}

/// Wine 8 lacks a system library of Windows: a stand-in goes beside the program.
fn shim(target: &Target, folder: &Path) -> Result {
    make(folder)?;
    let mut cc = Command::new(target.cc);
    cc.args(["-shared", "-O1", "-Wl,--kill-at", "-o"]).arg(folder.join("bcryptprimitives.dll"));
    run(cc.arg(root().join("tests/targets/bcryptprimitives.c")).arg("-ladvapi32"))
}
