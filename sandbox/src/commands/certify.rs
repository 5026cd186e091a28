//! `engage-sandbox certify`: runs the scenarios against a till program, prints each result and
//! writes the reports.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::RangedU64ValueParser;
use engage_sandbox::certify::{self, Plan, Report, ScenarioResult, Template};

use super::{BAD_ARGUMENT, Failed, write};

/// Certify a till program. Exit code 0: every scenario passed, 1: one failed, 2: invalid input
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
The till makes one sale and ends with an exit code: 0 completed, 10 declined, 11 pending, 12 not sent, 1 any other end.")]
pub struct Options {
    /// The folder for index.html, report.json and junit.xml
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
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
    /// Run only this scenario; may be repeated
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// List the scenarios
    #[arg(long)]
    list: bool,
    /// The till program and its arguments
    #[arg(last = true, value_name = "COMMAND", required_unless_present = "list")]
    command: Vec<String>,
}

/// Accepts up to one hour.
fn milliseconds() -> RangedU64ValueParser {
    RangedU64ValueParser::new().range(0..=3_600_000)
}

/// Certifies, writes the reports, and returns whether the till passes.
pub fn run(options: &Options) -> Result<bool, Failed> {
    if options.list {
        for (name, title) in certify::list() {
            println!("{name:26} {title}");
        }
        return Ok(true);
    }
    let bad = |what: &dyn std::fmt::Display| (BAD_ARGUMENT, what.to_string());
    if let Some(folder) = &options.report {
        // An invalid folder is reported before the run of more than a minute, not after it.
        std::fs::create_dir_all(folder).map_err(|error| bad(&format!("--report {}: {error}", folder.display())))?;
    }
    let plan = Plan {
        till: Template::new(options.command.clone()).map_err(|error| bad(&error))?,
        wait: Duration::from_millis(options.wait_ms),
        grace: Duration::from_millis(options.grace_ms),
        resolve_timeout: Duration::from_millis(options.resolve_timeout_ms),
        jobs: options.jobs,
        only: options.only.clone(),
    };
    let report = certify::certify(&plan, &print_result).map_err(|error| bad(&error))?;
    println!(
        "{}: {} passed, {} failed, {} skipped, in {:.0} s",
        report.verdict(),
        report.count("passed"),
        report.count("failed"),
        report.count("skipped"),
        report.took.as_secs_f64()
    );
    if let Some(folder) = &options.report {
        write_reports(folder, &report)?;
    }
    Ok(report.pass())
}

/// Prints one line for the scenario and one for each reason.
fn print_result(result: &ScenarioResult) {
    let head = format!("{:8} {:26} {:5.1} s", result.label(), result.name, result.took.as_secs_f64());
    let lines: Vec<&str> = [&*head].into_iter().chain(result.reasons().iter().map(String::as_str)).collect();
    // One call prints all lines, so that other scenarios do not print between them.
    println!("{}", lines.join("\n         "));
}

fn write_reports(folder: &std::path::Path, report: &Report) -> Result<(), Failed> {
    write(&folder.join("index.html"), &report.html())?;
    write(&folder.join("report.json"), &format!("{:#}\n", report.json()))?;
    write(&folder.join("junit.xml"), &report.junit())?;
    println!("report: {}", folder.join("index.html").display());
    Ok(())
}
