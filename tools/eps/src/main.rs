//! `eps`: the tool of those who connect a tenant and of those who are called at night. It goes
//! through the same library as the tills, with the till's own configuration, and is safe beside a
//! running till: a command that reads writes nothing.

mod bundle;
mod cli;
mod codes;
mod compare;
mod doctor;
mod engage;
mod failure;
mod fields;
mod fleet;
mod fleet_chart;
mod journal;
mod operations;
mod output;
mod probe;
mod progress;
mod redact;
mod table;
mod till;
mod times;
mod watch;

use clap::Parser;
use cli::{Command, JournalCommand, Options};
use failure::{Exit, Failure};
use output::{Output, Report};
use std::process::ExitCode;
use till::Till;

type Result<T> = std::result::Result<T, Failure>;

fn main() -> ExitCode {
    let options = Options::parse();
    let output = Output::new(options.json);
    let exit = match run(&options, output) {
        Ok(report) => output.print(&report),
        Err(failure) => output.print_failure(&failure),
    };
    ExitCode::from(exit as u8)
}

fn run(options: &Options, output: Output) -> Result<Report> {
    let till = || Till::read(options.config.as_deref());
    match &options.command {
        Command::Doctor { wait_ms, offline } => doctor::run(&till()?, *wait_ms, *offline, output),
        Command::List(list) => operations::list(&till()?, *list, output),
        Command::Show { id } => operations::show(&till()?, id, output),
        Command::Resolve { id, wait_ms } => operations::resolve(&till()?, id.as_deref(), *wait_ms, output),
        Command::Review(review) => operations::review(&till()?, review, output),
        Command::History { contact } => engage::history(&till()?, contact, output),
        Command::Rewards { contact } => engage::rewards(&till()?, contact, output),
        Command::Export { out } => journal::export(&till()?, out.as_deref()),
        Command::Backup { path } => journal::backup(&till()?, path),
        Command::Journal { command: JournalCommand::Check } => journal::check(&till()?, output),
        Command::Journal { command: JournalCommand::Compact } => journal::compact(&till()?),
        Command::Stats { metrics } => journal::stats(&till()?, *metrics, output),
        Command::Watch(watch) => watch::run(&till()?, watch, output),
        Command::Codes { code } => codes::run(code.as_deref(), output),
        Command::Bundle(bundle) => bundle::run(&till()?, bundle),
        Command::Probe(probe) => probe::run(&till()?, probe, output),
        Command::SimulateFleet(fleet) => fleet::run(options.config.as_deref(), fleet, output),
        Command::Completions { shell } => {
            cli::print_completions(*shell);
            Ok(Report::silent(Exit::Fine))
        }
    }
}
