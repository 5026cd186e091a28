//! `list`, `show`, `resolve` and `review`: the operations of the journal.

use crate::cli::{List, Review};
use crate::failure::{Exit, exit_of};
use crate::fields::{parse, shown, text};
use crate::output::{Colour, Output, Report};
use crate::progress::Progress;
use crate::table::{Table, wrapped};
use crate::till::Till;
use crate::{Result, times};
use engage_point_shop::{Client, Code, OperationId};
use serde_json::{Value, json};
use std::fmt::Write;

/// Returns every operation of the journal, oldest first.
pub fn all(client: &Client, filter: &Value) -> Result<Vec<Value>> {
    let mut operations = Vec::new();
    let mut options = filter.clone();
    options["limit"] = json!(1_000);
    loop {
        let page = parse(&client.list_operations(Some(&options.to_string()))?)?;
        operations.extend(page["operations"].as_array().cloned().unwrap_or_default());
        match page["next"].as_str() {
            None => return Ok(operations),
            Some(next) => options["after"] = next.into(),
        }
    }
}

pub fn unacknowledged(client: &Client) -> Result<Vec<Value>> {
    let mut list = parse(&client.list_unacknowledged(None)?)?;
    Ok(list["operations"].as_array_mut().map(std::mem::take).unwrap_or_default())
}

pub fn is_pending(operation: &Value) -> bool {
    operation["outcome"] == "pending"
}

pub fn needs_review(operation: &Value) -> bool {
    operation["needsReview"] == true && operation["acknowledgedAtMs"].is_null()
}

/// Returns the exit code of a list: review before pending.
fn exit(operations: &[Value]) -> Exit {
    if operations.iter().any(needs_review) {
        return Exit::Review;
    }
    if operations.iter().any(is_pending) { Exit::Found } else { Exit::Fine }
}

/// Returns the word for an operation's state, and its colour.
pub fn word(operation: &Value) -> (String, Option<Colour>) {
    if needs_review(operation) {
        return ("review".into(), Some(Colour::Red));
    }
    let word = text(operation, "outcome");
    let colour = match word {
        "completed" => Colour::Green,
        "pending" => Colour::Yellow,
        _ => Colour::Dim,
    };
    (word.to_owned(), Some(colour))
}

pub fn list(till: &Till, which: List, output: Output) -> Result<Report> {
    let client = till.reader()?;
    let operations: Vec<Value> = match which {
        List { all: true, .. } => all(&client, &json!({}))?,
        List { pending: true, .. } => unacknowledged(&client)?.into_iter().filter(is_pending).collect(),
        List { review: true, .. } => unacknowledged(&client)?.into_iter().filter(needs_review).collect(),
        _ => unacknowledged(&client)?,
    };
    Ok(report(&operations, output))
}

fn report(operations: &[Value], output: Output) -> Report {
    let mut table = Table::new(3, &["RECORDED (UTC)", "OUTCOME", "OPERATION", "REFERENCE"]);
    for operation in operations {
        let (word, colour) = word(operation);
        let recorded = times::of(&operation["recordedAtMs"]);
        let cells = [recorded, word, shown(&operation["operationId"]), shown(&operation["reference"])];
        table.push(cells, colour);
    }
    let count = match operations.len() {
        0 => "No operation.\n".to_owned(),
        1 => format!("{}1 operation\n", table.render(output)),
        count => format!("{}{count} operations\n", table.render(output)),
    };
    Report::new(exit(operations), json!({ "operations": operations }), count)
}

fn id(text: &str) -> Result<OperationId> {
    let id = OperationId::parse(text, "ID");
    Ok(id.map_err(engage_point_shop::Error::from)?)
}

pub fn show(till: &Till, id_text: &str, output: Output) -> Result<Report> {
    let operation = parse(&till.reader()?.get_operation(id(id_text)?)?)?;
    let line = time_line(&operation);
    let mut text = describe(&operation, output);
    text.push_str("\nTime line (UTC)\n");
    for (at, event) in &line {
        let _ = writeln!(text, "  {}  {}", times::text(*at), wrapped(event, 23));
    }
    let events: Vec<Value> = line.into_iter().map(|(at, event)| json!({ "atMs": at, "event": event })).collect();
    let exit = exit(std::slice::from_ref(&operation));
    Ok(Report::new(exit, json!({ "operation": operation, "timeLine": events }), text))
}

/// Returns the fields of an operation, one a line.
fn describe(operation: &Value, output: Output) -> String {
    let (word, colour) = word(operation);
    let code = operation["code"].as_i64().and_then(|code| i32::try_from(code).ok()).and_then(Code::from_number);
    let outcome = format!("{} ({} {})", output.paint(&word, colour), text(operation, "name"), operation["code"]);
    let mut lines = vec![
        ("Operation", shown(&operation["operationId"])),
        ("Kind", shown(&operation["kind"])),
        ("Outcome", outcome),
        ("Meaning", code.map_or("", |code| code.row().meaning).to_owned()),
        ("Who acts", crate::codes::who(action(operation)).to_owned()),
    ];
    let optional = [
        ("Contact", "contactId"),
        ("Item", "itemId"),
        ("Reward", "assignmentId"),
        ("Reference", "reference"),
        ("Tenant", "tenant"),
        ("HTTP status", "httpStatus"),
        ("Engage code", "engageCode"),
        ("Attempts", "attempts"),
        ("Queries", "retryCount"),
    ];
    let filled = optional.into_iter().filter(|(_, key)| !operation[*key].is_null());
    lines.extend(filled.map(|(name, key)| (name, shown(&operation[key]))));
    let strings = |key: &str| operation[key].as_array().cloned().unwrap_or_default();
    lines.extend(strings("cause").iter().map(|cause| ("Cause", shown(cause))));
    lines.extend(strings("requestIds").iter().map(|id| ("Request id", shown(id))));
    lines.iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "{name:<12} {}", wrapped(value, 13));
        text
    })
}

/// Returns who acts: on an operation in review a person, whatever its code says.
fn action(operation: &Value) -> &str {
    if operation["needsReview"] == true { "review" } else { text(operation, "action") }
}

/// Returns what the record knows of an operation's life, in order.
fn time_line(operation: &Value) -> Vec<(u64, String)> {
    let mut line = Vec::new();
    let mut push = |key: &str, event: String| line.extend(operation[key].as_u64().map(|at| (at, event)));
    let name = |code: &Value| {
        let code = code.as_i64().and_then(|code| i32::try_from(code).ok()).and_then(Code::from_number);
        code.map_or_else(|| "no result".to_owned(), |code| code.row().name.to_owned())
    };
    push("recordedAtMs", "recorded; the first attempt follows".into());
    if let Some(attempts) = operation["attempts"].as_u64().filter(|attempts| *attempts > 1) {
        push("recordedAtMs", format!("{attempts} attempts since, each with the same id"));
    }
    let queries = operation["retryCount"].as_u64().unwrap_or_default();
    push(
        "lastQueryAtMs",
        format!("last status query, after {queries} in the background: {}", name(&operation["lastCode"])),
    );
    push("resolvedAtMs", format!("{} ({})", text(operation, "outcome"), text(operation, "name")));
    push("acknowledgedAtMs", "acknowledged by the POS".into());
    push("nextQueryAtMs", "next status query is due".into());
    push("expectedByMs", "an outcome can be expected by now at the latest".into());
    let review = &operation["review"];
    if let Some(at) = review["atMs"].as_u64() {
        let (by, note) = (shown(&review["by"]), shown(&review["note"]));
        line.push((at, format!("reviewed as {} by {by}: {note}", text(review, "resolution"))));
    }
    line.sort_by_key(|(at, _)| *at);
    line
}

pub fn resolve(till: &Till, id_text: Option<&str>, wait_ms: u64, output: Output) -> Result<Report> {
    let only = id_text.map(id).transpose()?;
    let client = till.writer()?;
    let before: Vec<Value> = match only {
        Some(only) => vec![parse(&client.get_operation(only)?)?],
        None => unacknowledged(&client)?.into_iter().filter(is_pending).collect(),
    };
    let options = json!({ "waitMs": wait_ms }).to_string();
    let progress = Progress::start("asking Engage");
    match only {
        Some(only) => client.resolve_operation(only, Some(&options))?,
        None => client.resolve_pending(Some(&options))?,
    };
    drop(progress);
    let now = before.iter().map(|operation| parse(&client.get_operation(id(text(operation, "operationId"))?)?));
    let now = now.collect::<Result<Vec<Value>>>()?;
    let mut report = report(&now, output);
    // The reason why one is still pending decides who acts.
    let codes = now.iter().filter(|operation| is_pending(operation)).filter_map(|operation| {
        let code = operation["lastCode"].as_i64().or(operation["code"].as_i64())?;
        Code::from_number(i32::try_from(code).ok()?)
    });
    if report.exit == Exit::Found
        && let Some(exit) = codes.map(pending_exit).find(|exit| *exit != Exit::Found)
    {
        report.exit = exit;
    }
    Ok(report)
}

/// Returns the exit code that says why an operation is still pending.
fn pending_exit(code: Code) -> Exit {
    match code {
        Code::PendingConnectionLost => Exit::Network,
        code => exit_of(code),
    }
}

pub fn review(till: &Till, review: &Review, output: Output) -> Result<Report> {
    let client = till.writer()?;
    let resolution = if review.completed { "completed" } else { "declined" };
    let options = json!({ "by": review.by, "note": review.note }).to_string();
    let operation = parse(&client.resolve_review(id(&review.id)?, resolution, Some(&options))?)?;
    let text = describe(&operation, output);
    // One whose outcome was known before stays as it was.
    let exit = if operation["review"]["resolution"] == resolution { Exit::Fine } else { Exit::Found };
    Ok(Report::new(exit, json!({ "operation": operation }), text))
}
