//! Runs the fuzz targets of `fuzz/` under libFuzzer with the address sanitizer.
//! `RUSTC_BOOTSTRAP` lets the pinned toolchain accept the flags of a nightly one, for this build
//! only.

use crate::run::{Result, cargo, output, root, run, target};
use crate::setup;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGETS: [&str; 5] = ["responses", "boundary", "configuration", "journal", "options"];

/// The compiler flags of libFuzzer: counters at every edge, and the compared values.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Zsanitizer=address -Ccodegen-units=4";

pub fn run_targets(only: Option<&str>, seconds: u32) -> Result {
    let targets: Vec<&str> = TARGETS.into_iter().filter(|name| only.is_none_or(|only| only == *name)).collect();
    if targets.is_empty() {
        return Err(format!("There is no such fuzz target. Choose one of {}.", TARGETS.join(", ")));
    }
    setup::install(&[setup::DEMO, setup::TEST])?;
    let programs = build()?;
    for name in targets {
        println!("== {name}, {seconds} s");
        fuzz(&programs.join(name), name, seconds)?;
    }
    Ok(())
}

/// Builds the targets and returns their folder.
fn build() -> Result<PathBuf> {
    let version = output(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("`rustc -vV` printed no host")?;
    let folder = target().join("fuzz");
    let mut build = cargo();
    build.current_dir(root().join("fuzz")).env("CARGO_TARGET_DIR", &folder);
    build.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", FLAGS);
    // With a named target, cargo compiles build scripts without the flags.
    run(build.args(["build", "--release", "--bins", "--target", host]))?;
    Ok(folder.join(host).join("release"))
}

fn fuzz(program: &Path, name: &str, seconds: u32) -> Result {
    let folder = target().join("fuzz");
    let (corpus, artifacts) = (folder.join("corpus").join(name), folder.join("artifacts").join(name));
    for folder in [&corpus, &artifacts] {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    let mut fuzzer = Command::new(program);
    // libFuzzer writes new inputs to the first folder only.
    fuzzer
        .arg(&corpus)
        .arg(root().join("fuzz/seeds").join(name))
        .arg(format!("-artifact_prefix={}/", artifacts.display()));
    fuzzer.args(["-timeout=20", "-rss_limit_mb=4096", "-print_final_stats=1", "-detect_leaks=0"]);
    run(fuzzer.arg(format!("-max_total_time={seconds}")))
}
