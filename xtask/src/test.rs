//! All tests, one step after another, as CI runs them; and the campaigns in full.

use crate::run::{Result, cargo, root, run, target};
use crate::{demo, header, mutants, package, setup};
use std::process::Command;
use std::time::Instant;

type Step = (&'static str, fn() -> Result);

const STEPS: &[Step] = &[
    ("install the missing tools", || setup::install(&[setup::DEMO, setup::TEST])),
    ("check the format", || run(cargo().args(["fmt", "--all", "--check"]))),
    ("run the lints", || {
        run(cargo().args(["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]))
    }),
    ("check the generated files", || header::run(true)),
    ("check the types of the Python binding and its POS", python_types),
    // The test programs in other languages link the library that `cargo build` makes.
    ("build", || run(cargo().args(["build", "--workspace"]))),
    ("run the tests", || run(cargo().args(["test", "--workspace"]))),
    ("run the simulation", || run(&mut simulation())),
    ("install the package and build from it", package::consumer::try_debug),
    ("run the demo", demo::run_demo),
];

pub fn run_all() -> Result {
    for (at, (name, step)) in STEPS.iter().enumerate() {
        println!("== {}/{} {name}", at + 1, STEPS.len());
        let began = Instant::now();
        if let Err(error) = step() {
            println!("== {name}: failed after {:.1} s", began.elapsed().as_secs_f64());
            println!("steps: {at} passed, 1 failed, {} not run", STEPS.len() - at - 1);
            return Err(format!("{name}: {error}"));
        }
        println!("== {name}: passed in {:.1} s\n", began.elapsed().as_secs_f64());
    }
    println!("steps: {} passed, 0 failed", STEPS.len());
    Ok(())
}

const MYPY: &str = "mypy==2.4.1";

/// Checks the type annotations that editors show to a POS vendor.
fn python_types() -> Result {
    let venv = target().join("mypy");
    if !venv.join("bin/mypy").exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
        run(Command::new(venv.join("bin/pip")).args(["install", "--quiet", "--disable-pip-version-check", MYPY]))?;
    }
    let mut mypy = Command::new(venv.join("bin/mypy"));
    mypy.args(["--strict", "--no-error-summary", "--cache-dir"]).arg(venv.join("cache"));
    mypy.args(["engage_point_shop", "build_wheel.py", "../../examples/python/till.py"]);
    run(mypy.current_dir(root().join("bindings/python")))?;
    let mut mypy = Command::new(venv.join("bin/mypy"));
    mypy.args(["--strict", "--no-error-summary", "--cache-dir"]).arg(venv.join("cache"));
    // The fixture's file needs pytest, and is tested with it.
    mypy.args(["engage_sandbox/__init__.py", "engage_sandbox/__main__.py", "build_sandbox_wheel.py"]);
    mypy.env("MYPYPATH", root().join("bindings/python"));
    run(mypy.current_dir(root().join("sandbox/python")))
}

/// The simulation's tests, optimised: they run some hundred thousand steps.
fn simulation() -> Command {
    let mut command = cargo();
    command.args(["test", "--package", "engage-point-shop", "--profile", "simulation", "--features", "simulation"]);
    command.args(["--test", "simulation"]);
    command
}

/// Runs the campaigns with the full budget, the simulation for a hundred million steps, and the
/// mistakes that the simulation must find. The lines of their results begin with `campaign`.
pub fn torture(filter: Option<&str>, mutant: Option<&str>) -> Result {
    match filter {
        Some("simulation") => return simulate(),
        Some("mutants") => return mutants::run_named(mutant),
        Some("mistakes") => return mistakes(),
        _ => {}
    }
    setup::install(&[setup::DEMO, setup::TEST])?;
    run(cargo().args(["build", "--workspace"]))?;
    let campaigns: &[&[&str]] =
        &[&["--test", "network"], &["--test", "disk"], &["--test", "host"], &["--test", "durability"]];
    for campaign in campaigns {
        let mut command = cargo();
        command.args(["test", "--package", "engage-point-shop"]).args(*campaign).env("EPS_BUDGET", "full");
        command.args(filter).args(["--", "--nocapture", "--test-threads=1"]);
        run(&mut command)?;
    }
    if filter.is_some() {
        return Ok(());
    }
    mistakes()?;
    simulate()?;
    mutants::run_named(None)
}

/// Certifies the till in C with each mistake of the list, which the certification must find.
fn mistakes() -> Result {
    setup::install(&[setup::TEST])?;
    let mut command = cargo();
    command.args(["test", "--package", "engage-point-shop", "--test", "hosts", "mutated_tills"]);
    run(command.env("EPS_BUDGET", "full").args(["--", "--nocapture"]))
}

fn simulate() -> Result {
    let mut campaign = cargo();
    campaign.args(["run", "--package", "engage-point-shop", "--profile", "simulation", "--features", "simulation"]);
    run(campaign.args(["--bin", "simulation", "--", "campaign", "100000000"]))
}
