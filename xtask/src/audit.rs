//! Checks the dependencies (cargo-deny, with the rules of `deny.toml`) and the library's
//! documentation.

use crate::run::{Result, cargo, output, root, run, target};
use std::path::{Path, PathBuf};
use std::process::Command;

const CARGO_DENY: &str = "0.20.2";

/// Runs all checks. With `advisories` an unreachable advisory database is an error.
pub fn run_audit(advisories: bool) -> Result {
    let deny = cargo_deny()?;
    run(check(&deny).args(["licenses", "bans", "sources"]))?;
    let checked = check_advisories(&deny)?;
    check_documentation()?;
    match (checked, advisories) {
        (Ok(()), _) => println!("audit: licences, bans, sources, advisories and documentation passed"),
        (Err(reason), false) => {
            println!("audit: licences, bans, sources and documentation passed");
            println!("audit: ADVISORIES AND YANKED VERSIONS WERE NOT CHECKED: {reason}");
        }
        (Err(reason), true) => return Err(format!("Advisories were not checked: {reason}")),
    }
    Ok(())
}

/// Returns the program cargo-deny; installs it below the target folder if it is missing.
fn cargo_deny() -> Result<PathBuf> {
    let folder = target().join("cargo-deny");
    let program = folder.join("bin/cargo-deny");
    let version = output(Command::new(&program).arg("--version")).unwrap_or_default();
    if version.trim().ends_with(CARGO_DENY) {
        return Ok(program);
    }
    println!("installing cargo-deny {CARGO_DENY} into {}", folder.display());
    let mut install = cargo();
    install.args(["install", "--quiet", "--locked", "cargo-deny", "--version", CARGO_DENY, "--root"]).arg(&folder);
    run(&mut install).map_err(|error| {
        format!(
            "cargo-deny could not be installed: {error}. Run `cargo install --locked cargo-deny --version {CARGO_DENY} --root {}`.",
            folder.display()
        )
    })?;
    Ok(program)
}

/// Returns a command `cargo-deny check`, without the names of the checks.
fn check(deny: &Path) -> Command {
    let mut command = Command::new(deny);
    command.current_dir(root()).args(["--workspace", "--log-level", "error", "check"]);
    command
}

/// Checks security advisories and yanked versions. The inner error is the reason why no check was
/// made.
fn check_advisories(deny: &Path) -> Result<Result> {
    let mut fetch = Command::new(deny);
    if let Err(error) = output(fetch.current_dir(root()).args(["fetch", "db"])) {
        let reason = error.trim().lines().last().unwrap_or_default().to_owned();
        return Ok(Err(format!("the advisory database could not be fetched ({reason})")));
    }
    run(check(deny).arg("advisories")).map(Ok)
}

/// Builds the documentation of the workspace. A warning of rustdoc is an error.
fn check_documentation() -> Result {
    run(cargo().args(["doc", "--workspace", "--no-deps", "--quiet"]).env("RUSTDOCFLAGS", "-D warnings"))
}
