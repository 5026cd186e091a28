//! The programs of a package on each target: a till buys from the package's sandbox, and `eps`
//! checks that till.

use super::machine::shim;
use crate::demo::Sandbox;
use crate::package::consumer::{Runner, run_by, seen};
use crate::package::target::{TOOLS, Target};
use crate::package::{VERSION, copy, make, write};
use crate::run::{Result, output, target as target_folder};
use serde_json::json;
use std::path::Path;
use std::process::Command;

/// Runs the programs. `installed` is the unpacked archive, from which `work` has a till.
pub fn try_all(target: &Target, installed: &Path, work: &Path, runner: &Runner) -> Result {
    let folder = work.join("tools");
    make(&folder)?;
    shim(target, &folder)?;
    for (tool, _) in TOOLS {
        let file = target.program(tool);
        copy(&installed.join("bin").join(&file), &folder.join(&file))?;
    }
    let eps = |arguments: &[&str]| {
        let mut command = run_by(runner, &folder.join(target.program("eps")));
        output(command.args(arguments).current_dir(&folder)).map(|printed| printed.replace('\r', ""))
    };
    let here = output(Command::new(target_folder().join("debug/eps")).arg("codes"))?;
    if eps(&["codes"])? != here {
        return Err(format!("{}: eps prints other codes than on this machine", target.name));
    }
    let ca = seen(target, &folder.join("ca.pem"));
    let sandbox = Sandbox::start_by(run_by(runner, &folder.join(target.program("engage-sandbox"))), &ca)?;
    let journal = seen(target, &folder.join("points.db")).display().to_string();
    let till = work.join("cmake").join(target.program("shop-shared"));
    let mut till = run_by(runner, &till);
    till.args([&*sandbox.https, &*sandbox.ca.display().to_string(), &*sandbox.key, &*journal]);
    let printed = output(till.current_dir(work))?;
    let bought = sandbox.ledger()?.iter().filter(|entry| entry["kind"] == "deduct").count();
    if bought != 1 || !printed.contains(&format!("bought with {VERSION}")) {
        return Err(format!("{}: the till bought {bought} times at the package's sandbox: {printed}", target.name));
    }
    let config = json!({
        "baseUrl": sandbox.https, "apiKey": sandbox.key, "caFile": sandbox.ca,
        "userAgent": "AcmePOS/1.5", "journalPath": journal,
    });
    write(&folder.join("till.json"), config.to_string())?;
    let checks = eps(&["--config", "till.json", "doctor"])?;
    let missing = ["journal", "tls", "certificate", "key"]
        .into_iter()
        .find(|check| !checks.lines().any(|line| line.split_whitespace().take(2).eq(["ok", *check])));
    match missing {
        None => {
            println!("{}: a till bought at the package's sandbox, and the package's eps finds no fault", target.name);
            Ok(())
        }
        Some(check) => Err(format!("{}: eps doctor does not find that {check} is ok:\n{checks}", target.name)),
    }
}
