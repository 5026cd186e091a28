//! `engage-sandbox judge`: checks the exports of tills against the ledger of a running sandbox or
//! of a file.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use engage_sandbox::LedgerEntry;
use engage_sandbox::clock::Clock;
use engage_sandbox::http_client::Request;
use engage_sandbox::journal_file;
use engage_sandbox::judge::{Case, Journal, RuleResult, Verdict, judge, ledger_from_json};
use engage_sandbox::junit::{TestCase, TestEnd, junit};

use super::{BAD_ARGUMENT, Failed, write};

/// Judge tills: check their operations against the ledger. Exit code 0: pass, 1: fail, 2: invalid
/// input
#[derive(Debug, Args)]
pub struct Options {
    /// The ledger: http://HOST:PORT of a running sandbox, or a file with the JSON of GET
    /// /_sandbox/ledger
    #[arg(long, value_name = "URL|FILE")]
    ledger: String,
    /// The key of the store, if the sandbox has several
    #[arg(long, value_name = "KEY")]
    store: Option<String>,
    /// A till's journal file, or its export: the JSON of `eps_list_operations` or
    /// `eps_list_unacknowledged`, or one operation object a line
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    journal: Vec<PathBuf>,
    /// The faults have ended and every till has resolved its operations: none may be pending
    #[arg(long)]
    resolved: bool,
    /// The exports leave operations out, such as acknowledged ones
    #[arg(long)]
    partial: bool,
    /// The file for the verdict as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// The file for the verdict as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Judges, writes the reports, and returns whether every rule holds.
pub fn run(options: &Options) -> Result<bool, Failed> {
    let ledger = read_ledger(options)?;
    let journals = options.journal.iter().map(|path| read_journal(path)).collect::<Result<Vec<_>, _>>()?;
    let Options { resolved, partial, .. } = *options;
    let verdict = judge(&Case { ledger: &ledger, journals: &journals, resolved, partial, attempts: None });
    print!("{}", summary(&verdict));
    if let Some(path) = &options.junit {
        let case = |rule: &RuleResult| TestCase {
            name: format!("{}: {}", rule.name, rule.promise),
            took: Duration::ZERO,
            end: TestEnd::of(rule.violations.clone()),
        };
        let cases: Vec<TestCase> = verdict.rules.iter().map(case).collect();
        write(path, &junit("engage-sandbox judge", Clock::default().now(), &cases))?;
    }
    if let Some(path) = &options.json {
        write(path, &format!("{:#}\n", serde_json::json!(verdict)))?;
    }
    Ok(verdict.pass)
}

fn summary(verdict: &Verdict) -> String {
    let found = verdict.found;
    let head = format!(
        "{}: {} operations ({} pending), {} deductions, {} redeemed rewards\n",
        if verdict.pass { "pass" } else { "FAIL" },
        found.operations,
        found.pending,
        found.deductions,
        found.redeemed
    );
    let reasons = verdict.reasons().map(|(rule, why)| format!("  {rule}: {why}\n"));
    [head].into_iter().chain(reasons).collect()
}

fn read_journal(path: &Path) -> Result<Journal, Failed> {
    let bad = |what: &dyn std::fmt::Display| (BAD_ARGUMENT, format!("--journal {}: {what}", path.display()));
    let json = fs::read(path).map_err(|error| bad(&error))?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    if journal_file::is_database(&json) {
        return journal_file::read(&name, path).map_err(|error| bad(&error));
    }
    Journal::from_json(&name, &json).map_err(|error| bad(&error))
}

fn read_ledger(options: &Options) -> Result<Vec<LedgerEntry>, Failed> {
    let bad = |what: &dyn std::fmt::Display| (BAD_ARGUMENT, format!("--ledger {}: {what}", options.ledger));
    if options.ledger.starts_with("https:") {
        return Err(bad(&"https is not supported. Use the sandbox's http address"));
    }
    let json = match options.ledger.strip_prefix("http://") {
        Some(address) => ask(address, options.store.as_deref()).map_err(|error| bad(&error))?,
        None => fs::read(&options.ledger).map_err(|error| bad(&error))?,
    };
    ledger_from_json(&json).map_err(|error| bad(&error))
}

/// Requests the ledger of a sandbox.
fn ask(address: &str, store: Option<&str>) -> Result<Vec<u8>, String> {
    let (address, path) = match address.split_once('/') {
        Some((address, path)) if !path.is_empty() => (address, format!("/{path}")),
        _ => (address.trim_end_matches('/'), "/_sandbox/ledger".to_owned()),
    };
    let headers = store.map(|key| format!("x-sandbox-store: {key}\r\n")).unwrap_or_default();
    let url = format!("http://{address}{path}");
    let request = Request { method: "GET", url: &url, headers: &headers, body: "", timeout: None };
    let response = request.send().map_err(|error| error.to_string())?;
    match response.status {
        200 => Ok(response.body),
        status => Err(format!("{path} returned status {status}")),
    }
}
