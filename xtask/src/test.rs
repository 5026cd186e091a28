//! All tests, one step after the other; what CI runs. And the campaigns in full.

use crate::run::{Result, cargo, root, run, target};
use crate::{demo, header, package, setup};
use std::process::Command;
use std::time::Instant;

type Step = (&'static str, fn() -> Result);

const STEPS: &[Step] = &[
    ("what the machine needs", || setup::install(&[setup::DEMO, setup::TEST])),
    ("format", || run(cargo().args(["fmt", "--all", "--check"]))),
    ("lints", || run(cargo().args(["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]))),
    ("the header and the README's table are up to date", || header::run(true)),
    ("the types of the Python binding and its till", python_types),
    // The examples of the tests link the library as cargo builds it.
    ("build", || run(cargo().args(["build", "--workspace"]))),
    ("tests", || run(cargo().args(["test", "--workspace"]))),
    ("the package, installed and built from", package::consumer::try_debug),
    ("the demo", demo::run_demo),
];

pub fn run_all() -> Result {
    for (at, (what, step)) in STEPS.iter().enumerate() {
        println!("== {}/{} {what}", at + 1, STEPS.len());
        let began = Instant::now();
        if let Err(error) = step() {
            println!("== {what}: failed after {:.1} s", began.elapsed().as_secs_f64());
            println!("steps: {at} passed, 1 failed, {} not run", STEPS.len() - at - 1);
            return Err(format!("{what}: {error}"));
        }
        println!("== {what}: passed in {:.1} s\n", began.elapsed().as_secs_f64());
    }
    println!("steps: {} passed, 0 failed", STEPS.len());
    Ok(())
}

const MYPY: &str = "mypy==2.4.1";

/// What an editor tells a vendor's programmer is so.
fn python_types() -> Result {
    let venv = target().join("mypy");
    if !venv.join("bin/mypy").exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
        run(Command::new(venv.join("bin/pip")).args(["install", "--quiet", "--disable-pip-version-check", MYPY]))?;
    }
    let mut mypy = Command::new(venv.join("bin/mypy"));
    mypy.args(["--strict", "--no-error-summary", "--cache-dir"]).arg(venv.join("cache"));
    mypy.args(["engage_point_shop", "build_wheel.py", "../../examples/python/till.py"]);
    run(mypy.current_dir(root().join("bindings/python")))
}

/// The campaigns, with the whole budget. The lines that count begin with `campaign` or `model`.
pub fn torture(filter: Option<&str>) -> Result {
    setup::install(&[setup::DEMO, setup::TEST])?;
    run(cargo().args(["build", "--workspace"]))?;
    let campaigns: &[&[&str]] =
        &[&["--lib", "model"], &["--test", "network"], &["--test", "disk"], &["--test", "durability"]];
    for campaign in campaigns {
        let mut command = cargo();
        command.args(["test", "--package", "engage-point-shop"]).args(*campaign).env("EPS_BUDGET", "full");
        command.args(filter).args(["--", "--nocapture", "--test-threads=1"]);
        run(&mut command)?;
    }
    Ok(())
}
