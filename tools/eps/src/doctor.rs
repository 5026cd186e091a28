//! `doctor`: the library's checks, also where a till cannot start.

use crate::Result;
use crate::failure::{Exit, Failure};
use crate::fields::{parse, text};
use crate::output::{Colour, Output, Report};
use crate::progress::Progress;
use crate::table::wrapped;
use crate::till::Till;
use engage_point_shop::Client;
use serde_json::{Value, json};
use std::fmt::Write;
use std::io::ErrorKind;
use std::path::Path;

/// Runs the checks. A journal or a configuration that does not open is a failed check, and the
/// others are made all the same.
pub fn examine(till: &Till, wait_ms: u64, offline: bool) -> Result<Value> {
    let options = json!({ "waitMs": wait_ms, "offline": offline }).to_string();
    let (client, failure) = match till.writer() {
        Ok(client) => (client, None),
        Err(failure) => {
            // What does not open the journal may still reach Engage.
            let config = till.with(&json!({ "journalPath": null, "journal": null, "preconnect": false }));
            match Client::open(&config) {
                Ok(client) => (client, Some(failure)),
                Err(error) => return Ok(opened_nothing(&error.into())),
            }
        }
    };
    let mut result = parse(&client.check(Some(&options))?)?;
    if let Some(failure) = failure {
        let name = if failure.exit == Exit::Journal { "journal" } else { "configuration" };
        let path = till.values.get("journalPath").and_then(Value::as_str).map(Path::new);
        let is_new = name == "journal" && path.is_some_and(will_be_made);
        let shown = path.filter(|_| name == "journal");
        let found = if is_new { no_journal_yet(path) } else { not_opened(name, shown, &failure) };
        if let Some(checks) = result["checks"].as_array_mut() {
            checks.retain(|check| check["name"] != name);
            let of_the_journal = |check: &&mut Value| OF_THE_JOURNAL.contains(&text(check, "name"));
            for check in checks.iter_mut().filter(of_the_journal).filter(|_| !is_new) {
                *check = unknown(text(check, "name"));
            }
            checks.insert(0, found);
        }
        if !is_new {
            result["status"] = "fail".into();
        }
    }
    if let (Some(path), Some(checks)) = (till.values.get("logFile"), result["checks"].as_array_mut()) {
        checks.push(log_file(Path::new(path.as_str().unwrap_or_default())));
    }
    Ok(result)
}

/// Whether the POS makes the journal at its first start: there is none, and its folder is there.
fn will_be_made(path: &Path) -> bool {
    let is_missing = std::fs::symlink_metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound);
    is_missing && path.parent().is_some_and(Path::is_dir)
}

fn no_journal_yet(path: Option<&Path>) -> Value {
    let shown = path.unwrap_or(Path::new("")).display();
    json!({
        "name": "journal", "status": "ok", "sinceMs": null, "action": null,
        "message": format!("There is no journal yet. The POS makes {shown} at its first start, and must be able to write into its folder."),
    })
}

/// Returns the check of what did not open. The page of its code has the steps.
fn not_opened(name: &str, path: Option<&Path>, failure: &Failure) -> Value {
    let mut message = failure.message.clone();
    if let Some(path) = path.map(|path| path.display().to_string()).filter(|path| !message.contains(path.as_str())) {
        message = format!("{path}: {message}");
    }
    if let Some(last) = failure.cause.last().filter(|last| last.contains("os error")) {
        message = format!("{message} ({last})");
    }
    json!({ "name": name, "status": "fail", "sinceMs": null, "message": message, "action": corrects(name, failure) })
}

/// Returns who corrects the journal or the configuration, and the page with the steps.
fn corrects(name: &str, failure: &Failure) -> String {
    let code = failure.problem.as_ref().map(|problem| text(problem, "name")).filter(|code| !code.is_empty());
    let page = code.map_or_else(String::new, |code| format!(": docs/support/{code} has the steps"));
    let does = if name == "journal" { "makes the journal usable" } else { "corrects the configuration" };
    format!("The administrator {does}{page}.")
}

/// The checks of an open journal.
const OF_THE_JOURNAL: [&str; 7] = ["owner", "whole", "tenant", "disk", "pending", "review", "unacknowledged"];

/// Returns a check of a journal that did not open.
fn unknown(name: &str) -> Value {
    json!({
        "name": name, "status": "unknown", "message": "This was not done: the journal did not open.",
        "action": "The administrator acts on the first check.", "sinceMs": null,
    })
}

/// Checks whether the till can write its log, without making the file. A sale works without it.
fn log_file(path: &Path) -> Value {
    let parent = path.parent().map(std::fs::metadata);
    let fault = match std::fs::metadata(path) {
        Ok(about) if !about.is_file() => Some("is not a regular file".to_owned()),
        Ok(about) if about.permissions().readonly() => Some("is read-only".to_owned()),
        Ok(_) => None,
        Err(error) if error.kind() != ErrorKind::NotFound => Some(format!("cannot be read: {error}")),
        Err(_) if parent.is_some_and(|folder| folder.is_ok_and(|about| about.is_dir())) => None,
        Err(_) => Some("has no folder".to_owned()),
    };
    let action = "The administrator corrects logFile, and restarts the POS.";
    json!({
        "name": "logFile", "status": if fault.is_some() { "fail" } else { "ok" }, "sinceMs": null,
        "message": format!("The log file {} {}.", path.display(), fault.as_deref().unwrap_or("can be written")),
        "action": fault.as_ref().map(|_| action),
    })
}

/// The result where no client opens: a root certificate is missing, or a client certificate.
fn opened_nothing(failure: &Failure) -> Value {
    json!({ "status": "fail", "pendingPoints": null, "checks": [{
        "name": "configuration", "status": "fail", "message": failure.message,
        "action": corrects("configuration", failure), "sinceMs": null,
    }] })
}

/// Returns the exit code of a check that is not in order.
fn exit_of(name: &str) -> Exit {
    match name {
        "configuration" => Exit::Usage,
        "name" | "connect" | "proxy" | "tls" | "certificate" | "clientCertificate" => Exit::Network,
        "key" => Exit::Credentials,
        "journal" | "disk" | "whole" | "owner" | "tenant" => Exit::Journal,
        "review" => Exit::Review,
        _ => Exit::Found,
    }
}

/// The first failed check decides, else the first warning.
fn exit(checks: &[Value]) -> Exit {
    let first = |status: &str| checks.iter().find(|check| check["status"] == status);
    let found = first("fail").or_else(|| first("warn")).or_else(|| first("unknown"));
    found.map_or(Exit::Fine, |check| exit_of(text(check, "name")))
}

pub fn run(till: &Till, wait_ms: u64, offline: bool, output: Output) -> Result<Report> {
    let progress = Progress::start("checking");
    let result = examine(till, wait_ms, offline)?;
    drop(progress);
    let checks = result["checks"].as_array().cloned().unwrap_or_default();
    let mut report = String::new();
    for (at, check) in checks.iter().enumerate() {
        let status = text(check, "status");
        let colour = match status {
            "ok" => Colour::Green,
            "fail" => Colour::Red,
            _ => Colour::Yellow,
        };
        let padded = output.paint(&format!("{status:<7}"), Some(colour));
        let _ = writeln!(report, "{padded}  {:<18}{}", text(check, "name"), wrapped(text(check, "message"), 27));
        // Checks that follow one another with the same action show it once.
        let is_last = checks.get(at + 1).is_none_or(|next| next["action"] != check["action"]);
        if let Some(action) = check["action"].as_str().filter(|_| is_last) {
            let _ = writeln!(report, "{:27}→ {}", "", wrapped(action, 29));
        }
    }
    if let Some(points) = result["pendingPoints"].as_u64().filter(|points| *points > 0) {
        let _ = writeln!(report, "\n{points} points are pending.");
    }
    Ok(Report::new(exit(&checks), result, report))
}
