//! The project's commands: `cargo xtask --help` lists them.

mod abi;
mod audit;
mod bench;
mod commits;
mod demo;
mod docs;
mod fuzz;
mod header;
mod mutants;
mod package;
mod run;
mod setup;
mod static_library;
mod targets;
mod test;

use clap::{Parser, Subcommand};
use std::env;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{self, ExitCode};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's commands", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Builds everything, and a POS in C buys a reward from the sandbox over HTTPS
    Demo,
    /// Runs all tests, as CI does
    Test {
        /// Tests only this target's package: linux-x64, linux-arm64, win-x64, win-x86, win7-x64,
        /// win7-x86, here, cargo-c; or only these bindings: java, node, pascal, other; or that a
        /// second compilation makes the same bytes: same-bytes; or the look of the dashboard:
        /// dashboard
        #[arg(long)]
        target: Option<String>,
        /// Tests every target's package
        #[arg(long, conflicts_with = "target")]
        all_targets: bool,
    },
    /// Runs the crash, network, disk and simulation campaigns in full, and prints their coverage
    Torture {
        /// Runs only the tests whose name contains this, or only `simulation`, `mutants` or
        /// `mistakes`
        filter: Option<String>,
        /// Of `mutants`: only those whose name contains this
        mutant: Option<String>,
    },
    /// Makes a mistake of every operator of core, engage, journal and config, and runs the tests
    /// that reach it
    Mutants {
        /// Only the files whose path contains this
        filter: Option<String>,
        /// Only the unit tests, which take microseconds
        #[arg(long)]
        unit: bool,
    },
    /// Checks licences, bans, sources and advisories of the dependencies, and the documentation
    Audit {
        /// Fails if the advisory database cannot be reached
        #[arg(long)]
        advisories: bool,
    },
    /// Checks the messages of the commits since a base
    Commits {
        /// A revision: the commits after it are checked
        #[arg(long, default_value = "origin/main")]
        base: String,
    },
    /// Makes the documents into a site below the target folder, which works without a network
    Docs,
    /// Fuzzes the library under libFuzzer
    Fuzz {
        /// Fuzzes only this target: responses, boundary, configuration, journal or options
        target: Option<String>,
        /// The time that each target runs, in seconds
        #[arg(long, default_value_t = 60)]
        seconds: u32,
    },
    /// Writes include/engage_point_shop.h, the bindings' codes and the table of codes
    Header {
        /// Writes nothing, and fails if a file is not up to date
        #[arg(long)]
        check: bool,
    },
    /// Makes the packages in dist/: archives, wheels, and with `all` the NuGet package, the jar,
    /// the npm package and the Pascal unit
    Package {
        /// linux-x64, linux-arm64, win-x64, win-x86, win7-x64, win7-x86, or all
        target: String,
    },
    /// Makes the shipped form of a static library: only the header's functions are visible
    StaticLibrary {
        /// The static library that cargo built
        archive: PathBuf,
        /// The file to write
        into: PathBuf,
    },
    /// Records the C ABI, or checks it against the records
    Abi {
        #[command(subcommand)]
        command: Abi,
    },
    /// Measures the library against other HTTP clients, and writes docs/performance.md
    Bench {
        /// Only measures one part, and shows it
        #[arg(value_enum, conflicts_with_all = ["gate", "record"])]
        part: Option<bench::Part>,
        /// Makes a few runs instead of many, and writes nothing
        #[arg(long)]
        quick: bool,
        /// The interleaved runs whose median is a figure
        #[arg(long, default_value_t = 15)]
        runs: usize,
        /// Only compares the instructions of six calls with benches/instructions.txt
        #[arg(long, conflicts_with = "quick")]
        gate: bool,
        /// Only writes benches/instructions.txt
        #[arg(long, conflicts_with_all = ["quick", "gate"])]
        record: bool,
    },
}

#[derive(Subcommand)]
enum Abi {
    /// Writes the current header, types and new symbols to abi/: once a release
    Record,
    /// Checks the current library and header against the records
    Check {
        /// A library that was built with full debug information [default: builds one]
        #[arg(long)]
        library: Option<PathBuf>,
    },
}

/// Starts this program again without cargo's folders in the loader's path.
///
/// `cargo run` adds its folders, which may hold another build of the library than the one a test
/// names. The loader reads the path only when a process starts.
fn restart_without_cargo_libraries() {
    const PATH: &str = "LD_LIBRARY_PATH";
    let Some(path) = env::var_os(PATH) else { return };
    let (cargos, others): (Vec<_>, Vec<_>) =
        env::split_paths(&path).partition(|folder| folder.starts_with(run::target()));
    if let (false, Ok(others), Ok(program)) = (cargos.is_empty(), env::join_paths(others), env::current_exe()) {
        let error = process::Command::new(program).args(env::args_os().skip(1)).env(PATH, others).exec();
        eprintln!("this program could not be restarted without cargo's folders in {PATH}: {error}");
    }
}

fn main() -> ExitCode {
    restart_without_cargo_libraries();
    let result = match Arguments::parse().command {
        Command::Demo => demo::run_demo(),
        Command::Test { target: None, all_targets: false } => test::run_all(),
        Command::Test { target, .. } => targets::run_targets(target.as_deref()),
        Command::Torture { filter, mutant } => test::torture(filter.as_deref(), mutant.as_deref()),
        Command::Mutants { filter, unit } => mutants::run_each(filter.as_deref(), unit),
        Command::Audit { advisories } => audit::run_audit(advisories),
        Command::Commits { base } => commits::check(&base),
        Command::Docs => docs::run_docs(),
        Command::Fuzz { target, seconds } => fuzz::run_targets(target.as_deref(), seconds),
        Command::Header { check } => header::run(check),
        Command::Package { target } => package::run_package(&target),
        Command::StaticLibrary { archive, into } => {
            static_library::close(&archive, &into, static_library::Binutils { prefix: "" })
        }
        Command::Bench { part: Some(part), quick, .. } => bench::run_part(part, quick),
        Command::Bench { gate: false, record: false, quick, runs, .. } => bench::run(quick, runs),
        Command::Bench { record, .. } => bench::run_gate(record),
        Command::Abi { command: Abi::Record } => abi::record(),
        Command::Abi { command: Abi::Check { library } } => abi::check(library.as_deref()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("\nfailed: {message}");
            ExitCode::FAILURE
        }
    }
}
