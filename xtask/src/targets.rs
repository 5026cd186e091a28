//! Tests each target's package: installs it into an empty folder, builds programs from it, and runs
//! them, the C harness and the POS programs of `examples/` against the sandbox.
//! Windows programs run under Wine, ARM64 programs under qemu. `docs/targets.md` has the results.

mod certificate;
mod languages;
mod machine;
mod pos;
mod tests_in;
mod tools;
mod windows;

use crate::demo::Sandbox;
use crate::package::artefact::check_shared;
use crate::package::consumer::{self, Runner, fresh, run_by, use_installed};
use crate::package::target::Target;
use crate::package::{self, NAME, VERSION, copy, dist, make, nuget};
use crate::run::{Result, cargo, output, root, run, target as target_folder};
use crate::setup;
use crate::static_library::{Binutils, functions};
use machine::{runner, shim};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Instant;

/// Tests one target; without a name, all targets, the NuGet package and `cargo cinstall`.
///
/// `here` tests this machine's package with the debug library, which takes seconds. `cargo-c`
/// tests `cargo cinstall`, `same-bytes` a second compilation. `java`, `node`, `pascal` and `other`
/// test the bindings of a language. `dashboard` tests the look of the sandbox's dashboard.
pub fn run_targets(name: Option<&str>) -> Result {
    setup::install(&[setup::DEMO, setup::TEST, setup::PACKAGE, setup::CONSUMER])?;
    run(cargo().args(["build", "--workspace"]))?;
    match name {
        Some("here") => return consumer::try_debug(),
        Some("cargo-c") => return cargo_c(),
        Some("same-bytes") => return same_bytes(),
        Some(name) if languages::try_named(name)? => return Ok(()),
        _ => {}
    }
    let packaged = match name {
        Some(name) => vec![package::package(Target::named(name)?)?],
        None => package::package_all()?,
    };
    let again = fresh("again")?;
    let nugets = nuget::pack(&packaged, &again)?;
    if name.is_none() {
        for package in &nugets {
            package::same_bytes(package, &dist())?;
        }
        for package in package::bindings::pack(&packaged, &again)? {
            package::same_bytes(&package, &dist())?;
        }
    }
    for built in &packaged {
        let began = Instant::now();
        package::packs_the_same(built, &dist(), &again)?;
        test(built.target, &again)?;
        println!("{}: passed in {:.0} s\n", built.target.name, began.elapsed().as_secs_f64());
    }
    if name.is_none() {
        languages::try_all()?;
        cargo_c()?;
        same_bytes()?;
    }
    println!("targets: {} passed, 0 failed", packaged.len());
    Ok(())
}

/// Checks that compiling the same sources again gives the same libraries, with each toolchain's
/// linker.
fn same_bytes() -> Result {
    ["linux-x64", "win-x64"].into_iter().try_for_each(|name| package::builds_the_same(Target::named(name)?))
}

/// Tests one target. `nuget` is the folder of the NuGet packages.
fn test(target: &'static Target, nuget: &Path) -> Result {
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
    tools::try_all(target, &installed, &work, &runner)?;
    harness(target, &installed, &work, &runner)?;
    if target.is_windows() {
        windows::try_all(target, &installed, &work, &runner)?;
    }
    // What the library does on Windows only is the same on each.
    if target.name == "win-x64" {
        unit_tests(target, &work, &runner)?;
    }
    // On linux-x64 the tests of the ABI cover panics.
    if target.name != "linux-x64" {
        panics(target, &work, &runner)?;
    }
    pos::try_all(target, &installed, &nuget.join(nuget::BINDING.name()), &work, &runner)?;
    tests_in::try_all(target, &nuget.join(nuget::SANDBOX.name()), &work, &runner)?;
    certificate::follow(target, &installed, &nuget.join(nuget::BINDING.name()), &work, &runner)
}

/// Compiles the C harness against the installed package, and runs it.
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
    // An emulator is slow: `--slow` reports times and does not judge them.
    command
        .arg("--slow")
        .arg(&sandbox.https)
        .arg(&sandbox.ca)
        .args([&sandbox.key, &sandbox.http])
        .arg(consumer::seen(target, &folder.join("journals")));
    let ended = command.current_dir(&folder).output().map_err(|error| format!("the harness: {error}"))?;
    let printed = String::from_utf8_lossy(&ended.stdout);
    let last = printed.lines().last().unwrap_or_default();
    println!("{}: {last}", target.name);
    if ended.status.success() && last.ends_with(" checks held, 0 did not") {
        return Ok(());
    }
    let wrong: Vec<&str> = printed.lines().filter(|line| line.contains(": not so: ")).collect();
    Err(format!("the harness ended with {}\n{}", ended.status, wrong.join("\n")))
}

/// Runs the library's own unit tests on the target.
fn unit_tests(target: &Target, work: &Path, runner: &Runner) -> Result {
    let folder = work.join("unit-tests");
    make(&folder)?;
    let program = folder.join(target.program("unit-tests"));
    copy(&package::unit_tests(target)?, &program)?;
    shim(target, &folder)?;
    let mut command = run_by(runner, &program);
    let ended = command.current_dir(&folder).output().map_err(|error| format!("the unit tests: {error}"))?;
    let printed = String::from_utf8_lossy(&ended.stdout);
    let result = printed.lines().find_map(|line| line.strip_prefix("test result: ")).unwrap_or_default();
    println!("{}: unit tests: {result}", target.name);
    if ended.status.success() && result.starts_with("ok. ") && !result.starts_with("ok. 0 ") {
        Ok(())
    } else {
        Err(printed.into_owned())
    }
}

/// Checks that a panic in a function is an error of that call only. Unwinding differs between
/// targets.
fn panics(target: &Target, work: &Path, runner: &Runner) -> Result {
    let folder = work.join("panics");
    make(&folder)?;
    let library = package::with_faults(target)?;
    let name = if target.is_windows() { "engage_point_shop.dll" } else { "libengage_point_shop.so.1" };
    copy(&library, &folder.join(name))?;
    let program = folder.join(if target.is_windows() { "panics.exe" } else { "panics" });
    let mut cc = Command::new(target.cc);
    cc.args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-I"]).arg(root().join("include"));
    cc.arg(root().join("tests/abi/panics.c")).arg(folder.join(name)).arg("-o").arg(&program);
    if target.is_windows() {
        shim(target, &folder)?;
    } else {
        cc.arg(format!("-Wl,-rpath,{}", folder.display()));
    }
    run(&mut cc)?;
    let functions = functions()?;
    for function in &functions {
        let run_with = |panicking: &str| {
            let mut command = run_by(runner, &program);
            ended(command.arg(function).env("EPS_TEST_PANIC", panicking).current_dir(&folder))
        };
        let (panicked, normal) = (run_with(function)?, run_with("")?);
        let text = String::from_utf8_lossy(&panicked.stdout);
        if !panicked.status.success() {
            return Err(format!("{}: a panic in {function}: {}\n{text}", target.name, panicked.status));
        }
        if normal.status.success() && function != "eps_buffer_dispose" {
            return Err(format!("{}: the test of {function} also passes without a panic", target.name));
        }
    }
    println!("{}: a panic in each of {} functions was an error of that call only", target.name, functions.len());
    Ok(())
}

/// Runs a program to its end. Wine's server kills a process that still exists a second after its
/// end, as on a busy machine: its exit code is then lost, and it runs again.
fn ended(command: &mut Command) -> Result<Output> {
    const TRIES: usize = 5;
    let mut run = || command.output().map_err(|error| error.to_string());
    let mut last = run()?;
    for _ in 1..TRIES {
        if last.status.signal() != Some(9) {
            break;
        }
        last = run()?;
    }
    Ok(last)
}

const CARGO_C: &str = "0.10.24+cargo-0.98.0";

/// Tests `cargo cinstall`, which installs a build from source into a system.
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
        // The static library of cargo-c would export the inner symbols.
        "--library-type",
        "cdylib",
    ]);
    run(install.arg("--target-dir").arg(tools.join("target")).arg("--prefix").arg(&installed))?;
    check_shared("cargo cinstall", &installed.join("lib/libengage_point_shop.so.1"), Binutils { prefix: "" })?;
    let program = work.join("shop");
    let mut pkg_config = Command::new("pkg-config");
    pkg_config.env("PKG_CONFIG_LIBDIR", installed.join("lib/pkgconfig")).args([
        "--cflags",
        "--libs",
        "engage_point_shop",
    ]);
    let mut cc = Command::new("cc");
    cc.arg(root().join("tests/packages/shop.c"))
        .arg("-o")
        .arg(&program)
        .args(output(&mut pkg_config)?.split_whitespace());
    run(cc.arg(format!("-Wl,-rpath,{}", installed.join("lib").display())))?;
    let sandbox = Sandbox::start(&target_folder().join("debug/engage-sandbox"), &work)?;
    let mut shop = Command::new(program);
    shop.arg(&sandbox.https).arg(&sandbox.ca).arg(&sandbox.key).arg(work.join("points.db"));
    let printed = output(&mut shop)?;
    let bought = sandbox.ledger()?.iter().filter(|entry| entry["kind"] == "deduct").count();
    if bought != 1 {
        return Err(format!(
            "the program that uses cargo cinstall's library made {bought} purchases instead of 1: {printed}"
        ));
    }
    println!("cargo cinstall: a program with the installed library bought a reward");
    Ok(())
}
