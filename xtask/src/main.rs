//! The project's commands: `cargo xtask demo | test | torture | header | abi | package | bench`.

mod abi;
mod bench;
mod demo;
mod fuzz;
mod header;
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
    /// Builds everything and lets a till written in C buy a reward from the sandbox over HTTPS
    Demo,
    /// Runs all tests: what CI runs
    Test {
        /// Only this target's package, run for real: linux-x64, linux-arm64, win-x64, win-x86; or here, cargo-c
        #[arg(long)]
        target: Option<String>,
        /// Every target's package, run for real
        #[arg(long, conflicts_with = "target")]
        all_targets: bool,
    },
    /// Runs the crash, network, disk and model campaigns in full, and prints what they covered
    Torture {
        /// Only the campaigns whose test has this in its name
        filter: Option<String>,
    },
    /// Fuzzes the library under libFuzzer
    Fuzz {
        /// Only this target: answers, boundary, configuration, journal or options
        target: Option<String>,
        /// How long each target runs
        #[arg(long, default_value_t = 60)]
        seconds: u32,
    },
    /// Writes include/engage_point_shop.h and the README's table of codes
    Header {
        /// Writes nothing, and fails if something would change
        #[arg(long)]
        check: bool,
    },
    /// Makes what is shipped, in dist/: archives, wheels and the NuGet package
    Package {
        /// linux-x64, linux-arm64, win-x64, win-x86, or all
        target: String,
    },
    /// Makes a static library as it is shipped: only the header's functions are visible
    StaticLibrary {
        /// As cargo built it
        archive: PathBuf,
        into: PathBuf,
    },
    /// Keeps the interface that programs were compiled against
    Abi {
        #[command(subcommand)]
        command: Abi,
    },
    /// Measures the library against what a vendor would write instead, and writes docs/performance.md
    Bench {
        /// A few runs instead of many, and nothing written: to see whether a change helps
        #[arg(long)]
        quick: bool,
    },
}

#[derive(Subcommand)]
enum Abi {
    /// Writes today's header, types and new symbols to abi/: once a release
    Record,
    /// Holds today's library and header against what was recorded
    Check {
        /// The library, built with full debug information; else it is built
        #[arg(long)]
        library: Option<PathBuf>,
    },
}

/// `cargo run` puts its own folders on the loader's path, and in them another build of the library may lie than the one we name.
/// Only a fresh start gets rid of them.
fn forget_cargos_libraries() {
    const PATH: &str = "LD_LIBRARY_PATH";
    let Some(path) = env::var_os(PATH) else { return };
    let (ours, others): (Vec<_>, Vec<_>) =
        env::split_paths(&path).partition(|folder| folder.starts_with(run::target()));
    if let (false, Ok(others), Ok(program)) = (ours.is_empty(), env::join_paths(others), env::current_exe()) {
        let error = process::Command::new(program).args(env::args_os().skip(1)).env(PATH, others).exec();
        eprintln!("{error}: going on with {PATH} as it is");
    }
}

fn main() -> ExitCode {
    forget_cargos_libraries();
    let result = match Arguments::parse().command {
        Command::Demo => demo::run_demo(),
        Command::Test { target: None, all_targets: false } => test::run_all(),
        Command::Test { target, .. } => targets::run_targets(target.as_deref()),
        Command::Torture { filter } => test::torture(filter.as_deref()),
        Command::Fuzz { target, seconds } => fuzz::run_targets(target.as_deref(), seconds),
        Command::Header { check } => header::run(check),
        Command::Package { target } => package::run_package(&target),
        Command::StaticLibrary { archive, into } => {
            static_library::close(&archive, &into, static_library::Binutils { prefix: "" })
        }
        Command::Bench { quick } => bench::run(quick),
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
