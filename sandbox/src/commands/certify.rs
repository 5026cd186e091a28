//! `engage-sandbox certify`: runs the scenarios against a till, prints each result and writes the
//! reports.

use std::collections::BTreeSet;
use std::fs;
use std::io::{IsTerminal, stderr};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use clap::Args;
use clap::builder::RangedU64ValueParser;
use engage_sandbox::certify::{
    self, Plan, Programs, Progress, Report, Resident, ScenarioResult, Sell, StepEvent, Template, Till, TillFacts,
    Verdict,
};
use ring::digest::{SHA256, digest};
use serde_json::Value;

use super::{BAD_ARGUMENT, Failed, certificate, say, write};

/// Certify a till. Exit code 0: certified, 1: not certified, 2: invalid input, 3: certified with
/// exceptions
#[derive(Debug, Args)]
#[command(after_help = "\
These placeholders in COMMAND, and these environment variables, configure the till:
  {url} ENGAGE_URL              the URL of Engage
  {ca} ENGAGE_CA                the file with the root certificate
  {key} ENGAGE_KEY              the API key
  {contact} ENGAGE_CONTACT      the member, a GUID
  {item} ENGAGE_ITEM            the reward to buy, a GUID
  {reference} ENGAGE_REFERENCE  the receipt; the same receipt is the same sale
  {journal} ENGAGE_JOURNAL      a file for the till's journal, kept between its runs
  {wait} ENGAGE_WAIT_MS         the cashier's wait, in ms
  {export} ENGAGE_EXPORT        a file for the till's operations as JSON, which are judged too
  {shown} ENGAGE_SHOWN          a file; for each earlier sale that the till shows it adds RECEIPT, a tab, OUTCOME
  {port} ENGAGE_PORT            a free port of 127.0.0.1, for a resident till
  {pid} ENGAGE_PID              the id of the process of --start, for --kill and --sell
The till makes one sale and ends with an exit code: 0 completed, 10 declined, 11 pending, 12 not sent, 1 any other end.
OUTCOME is completed, declined, pending or notSent.

A resident till is started once and sells many times. --sell is a command with these exit codes, or the way of a SALE:
  http://…  POST SALE, and the response is {\"outcome\": OUTCOME}
  -         a line SALE to the till's standard input, and the till prints the line {\"outcome\": OUTCOME}
SALE is {\"contact\", \"item\", \"reference\", \"waitMs\"} as JSON.")]
pub struct Options {
    #[command(flatten)]
    till: TillOptions,
    #[command(flatten)]
    facts: FactOptions,
    /// The folder for index.html, report.json, junit.xml and an HTTP archive of each failed
    /// scenario
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// A secret key of the tool minisign: signs report.json
    #[arg(long, value_name = "KEY", requires = "report")]
    sign: Option<PathBuf>,
    /// The time that the till lets the cashier wait
    #[arg(long, value_name = "MS", default_value_t = 3000, value_parser = milliseconds())]
    wait_ms: u64,
    /// The additional time that a press may take: to start, to resolve earlier sales, to print
    #[arg(long, value_name = "MS", default_value_t = 10_000, value_parser = milliseconds())]
    grace_ms: u64,
    /// The time within which an operation must be resolved once the faults have ended
    #[arg(long, value_name = "MS", default_value_t = 150_000, value_parser = milliseconds())]
    resolve_timeout_ms: u64,
    /// The number of presses that may run at the same time
    #[arg(long, value_name = "N", default_value_t = 8)]
    jobs: usize,
    /// Run only the scenarios of this name, in which * is any text; may be repeated
    #[arg(long, value_name = "PATTERN")]
    only: Vec<String>,
    /// Run only the scenarios that have not passed in the last report of this folder
    #[arg(long, requires = "report", conflicts_with = "only")]
    rerun_failed: bool,
    /// Print each step as it happens [default: if standard error is a terminal]
    #[arg(long)]
    progress: bool,
    /// List the scenarios
    #[arg(long)]
    list: bool,
}

/// The till.
#[derive(Debug, Args)]
struct TillOptions {
    /// The command that starts a resident till and runs as long as it
    #[arg(long, value_name = "COMMAND", requires = "sell", conflicts_with = "manual")]
    start: Option<String>,
    /// The command that kills a resident till like a power cut [default: the process of --start
    /// and its children are killed]
    #[arg(long, value_name = "COMMAND", requires = "start")]
    kill: Option<String>,
    /// The http URL or the command that makes one sale at a resident till; -: its standard input
    #[arg(long, value_name = "URL|COMMAND", requires = "start", allow_hyphen_values = true)]
    sell: Option<String>,
    /// Lead a person at a real till through the scenarios, in the terminal
    #[arg(long)]
    manual: bool,
    /// The address that a real till connects to
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8443", requires = "manual")]
    manual_at: SocketAddr,
    /// The till program and its arguments
    #[arg(
        last = true,
        value_name = "COMMAND",
        required_unless_present_any = ["list", "start", "manual"],
        conflicts_with_all = ["start", "manual"]
    )]
    command: Vec<String>,
}

/// What the report says of the till.
#[derive(Debug, Args)]
struct FactOptions {
    /// The till's name for the report
    #[arg(long, value_name = "TEXT")]
    till_name: Option<String>,
    /// The till's version for the report
    #[arg(long, value_name = "TEXT")]
    till_version: Option<String>,
    /// The till's vendor for the report
    #[arg(long, value_name = "TEXT")]
    till_vendor: Option<String>,
    /// The library's file, whose SHA-256 is in the report
    #[arg(long, value_name = "FILE")]
    library: Option<PathBuf>,
    /// The library's version for the report
    #[arg(long, value_name = "TEXT")]
    library_version: Option<String>,
}

/// Accepts up to one hour.
fn milliseconds() -> RangedU64ValueParser {
    RangedU64ValueParser::new().range(0..=3_600_000)
}

fn bad(what: &dyn std::fmt::Display) -> Failed {
    (BAD_ARGUMENT, what.to_string())
}

/// Certifies, writes the reports, and returns the exit code.
pub fn run(options: &Options) -> Result<u8, Failed> {
    if options.list {
        for listed in certify::list() {
            say(&format!("{:28} {}", listed.name, listed.title));
        }
        return Ok(0);
    }
    let plan = plan(options)?;
    if let Some(folder) = &options.report {
        // An invalid folder or key is reported before the run of more than a minute, not after it.
        fs::create_dir_all(folder).map_err(|error| bad(&format!("--report {}: {error}", folder.display())))?;
    }
    let key = options.sign.as_deref().map(certificate::secret_key).transpose()?;
    let interrupted = stop_on_signal(&plan.programs)?;
    let report = certify::certify(&plan, &Printer::new(options));
    if plan.programs.is_stopped() {
        let _ = interrupted.join();
    }
    let report = report.map_err(|error| bad(&error))?;
    print_verdict(&report);
    if let Some(folder) = &options.report {
        let json = write_reports(folder, &report)?;
        if let Some(key) = &key {
            certificate::sign(key, &folder.join("report.json"), &json)?;
        }
    }
    Ok(exit_code(&report))
}

/// Returns the exit code of a report. A skipped scenario is an exception also among chosen ones.
fn exit_code(report: &Report) -> u8 {
    match report.verdict() {
        Verdict::NotCertified => 1,
        _ if report.count("skipped") > 0 => 3,
        _ => 0,
    }
}

fn plan(options: &Options) -> Result<Plan, Failed> {
    let facts = &options.facts;
    let checksum = |path: &PathBuf| {
        let bytes = fs::read(path).map_err(|error| bad(&format!("--library {}: {error}", path.display())))?;
        let sha256 = hex(digest(&SHA256, &bytes).as_ref());
        Ok((path.file_name().unwrap_or_default().to_string_lossy().into_owned(), sha256))
    };
    Ok(Plan {
        facts: TillFacts {
            name: facts.till_name.clone(),
            version: facts.till_version.clone(),
            vendor: facts.till_vendor.clone(),
            library_version: facts.library_version.clone(),
            library_checksum: facts.library.as_ref().map(checksum).transpose()?,
        },
        wait: Duration::from_millis(options.wait_ms),
        grace: Duration::from_millis(options.grace_ms),
        resolve_timeout: Duration::from_millis(options.resolve_timeout_ms),
        jobs: options.jobs,
        only: if options.rerun_failed { not_passed(options)? } else { options.only.clone() },
        manual_at: options.till.manual_at,
        ..Plan::new(till(&options.till)?)
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

fn till(options: &TillOptions) -> Result<Till, Failed> {
    let line = |name: &str, text: &str| Template::of_line(text).map_err(|error| bad(&format!("--{name}: {error}")));
    Ok(match (&options.start, &options.sell) {
        (Some(start), Some(sell)) => Till::Resident(Resident {
            start: line("start", start)?,
            kill: options.kill.as_deref().map(|kill| line("kill", kill)).transpose()?,
            sell: Sell::new(sell).map_err(|error| bad(&format!("--sell: {error}")))?,
        }),
        _ if options.manual => Till::Manual,
        _ => Till::OneShot(Template::new(options.command.clone()).map_err(|error| bad(&error))?),
    })
}

/// Returns the scenarios of the last report that have not passed.
fn not_passed(options: &Options) -> Result<Vec<String>, Failed> {
    let file = options.report.clone().unwrap_or_default().join("report.json");
    let wrong = |why: &dyn std::fmt::Display| bad(&format!("--rerun-failed: {}: {why}", file.display()));
    let text = fs::read_to_string(&file).map_err(|error| wrong(&error))?;
    let json: Value = serde_json::from_str(&text).map_err(|error| wrong(&error))?;
    let scenarios = json["scenarios"].as_array().into_iter().flatten();
    let failed = scenarios.filter(|scenario| scenario["result"] == "failed" || scenario["result"] == "void");
    let names: Vec<String> = failed.filter_map(|scenario| Some(scenario["name"].as_str()?.to_owned())).collect();
    if names.is_empty() { Err(wrong(&"no scenario has failed")) } else { Ok(names) }
}

/// Stops the programs when the user interrupts, and ends this program.
fn stop_on_signal(programs: &Arc<Programs>) -> Result<JoinHandle<()>, Failed> {
    let programs = Arc::clone(programs);
    let failed = |error: std::io::Error| (1, error.to_string());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let stop = {
        let _inside = runtime.enter();
        crate::stop_requested(false).map_err(failed)?
    };
    Ok(std::thread::spawn(move || {
        runtime.block_on(stop);
        programs.stop();
        std::process::exit(130);
    }))
}

/// Prints the progress and the results.
struct Printer {
    steps: bool,
    running: Mutex<BTreeSet<&'static str>>,
}

impl Printer {
    fn new(options: &Options) -> Printer {
        let steps = options.progress || (stderr().is_terminal() && !options.till.manual);
        Printer { steps, running: Mutex::default() }
    }
}

impl Progress for Printer {
    fn step(&self, event: StepEvent<'_>) {
        if self.steps {
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            running.insert(event.scenario);
            eprintln!("running  {:28} {} ({} run)", event.scenario, event.what, running.len());
        }
    }

    /// Prints one line for the scenario and one for each reason.
    fn scenario(&self, result: &ScenarioResult) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(result.name);
        let head = format!("{:8} {:28} {:5.1} s", result.label(), result.name, result.took.as_secs_f64());
        let risks = result.risks().into_iter().map(|risk| format!("this till {risk}"));
        let reasons = result.reasons().into_iter().map(str::to_owned);
        let lines: Vec<String> = [head].into_iter().chain(risks).chain(reasons).collect();
        // One call prints all lines, so that other scenarios do not print between them.
        say(&lines.join("\n         "));
    }
}

fn print_verdict(report: &Report) {
    say(&format!("{}: {}, in {:.0} s", report.verdict().text(), report.counts(), report.took.as_secs_f64()));
    for result in report.with("skipped") {
        say(&format!("not covered: {}: {}", result.name, result.reasons().join("; ")));
    }
}

/// Writes the reports, and returns the JSON.
fn write_reports(folder: &Path, report: &Report) -> Result<String, Failed> {
    let json = format!("{:#}\n", report.json());
    write(&folder.join("index.html"), &report.html())?;
    write(&folder.join("report.json"), &json)?;
    write(&folder.join("junit.xml"), &report.junit())?;
    for result in &report.scenarios {
        if let (Some(file), Some(har)) = (result.har_file(), &result.har) {
            write(&folder.join(file), &har.to_string())?;
        }
    }
    say(&format!("report: {}", folder.join("index.html").display()));
    Ok(json)
}
