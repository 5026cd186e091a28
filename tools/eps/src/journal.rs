//! `export`, `backup`, `journal check`, `journal compact` and `stats`: the journal as a whole.

use crate::failure::{Exit, Failure};
use crate::fields::{parse, shown, text};
use crate::operations::{all, is_pending, needs_review};
use crate::output::{Colour, Output, Report};
use crate::progress::Progress;
use crate::table::{Table, wrapped};
use crate::till::Till;
use crate::{Result, times};
use engage_point_shop::Client;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::Write as _;
use std::path::Path;

pub fn export(till: &Till, out: Option<&Path>) -> Result<Report> {
    let operations = all(&till.reader()?, &json!({}))?;
    let export = json!({ "operations": operations });
    let text = format!("{export:#}\n");
    let Some(path) = out else { return Ok(Report::new(Exit::Fine, export, text)) };
    create(path, text.as_bytes())?;
    let found = json!({ "path": path, "operations": operations.len() });
    Ok(Report::new(Exit::Fine, found, format!("{} operations are in {}\n", operations.len(), path.display())))
}

/// Writes a new file, which only this user may read. One that exists is left as it is, and none is
/// left that is not whole.
pub fn create(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut options = std::fs::OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let failed = |error: std::io::Error| Failure::of_file(path, &error);
    let mut file = options.write(true).create_new(true).open(path).map_err(failed)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    drop(file);
    written.map_err(|error| {
        let _ = std::fs::remove_file(path);
        failed(error)
    })
}

pub fn backup(till: &Till, path: &Path) -> Result<Report> {
    let path = std::path::absolute(path).map_err(|error| Failure::of_file(path, &error))?;
    let name = path.to_str().ok_or_else(|| Failure::of_file(&path, &"the path is not UTF-8"))?;
    let client = till.writer()?;
    let _progress = Progress::start("copying the journal");
    let copy = parse(&client.backup_journal(name, None)?)?;
    let text = format!("{} operations, {} bytes are in {name}\n", copy["operations"], copy["bytes"]);
    Ok(Report::new(Exit::Fine, copy, text))
}

pub fn check(till: &Till, output: Output) -> Result<Report> {
    let config = till.journal_config()?;
    let progress = Progress::start("reading the journal");
    let state = parse(&Client::check_journal(&config)?)?;
    drop(progress);
    let (word, colour) = if state["whole"] == true { ("whole", Colour::Green) } else { ("NOT WHOLE", Colour::Red) };
    let mut text = format!("The journal is {}.\n", output.paint(word, Some(colour)));
    if let Some(fault) = state["fault"].as_str() {
        let _ = writeln!(text, "{}", wrapped(fault, 0));
    }
    let open = if state["isClosed"] == true { "closed" } else { "in use, or its last program was ended" };
    let _ = writeln!(
        text,
        "{} records, {} damaged\n{} bytes, write-ahead log {} bytes\nlast write {} UTC; {open}",
        state["records"],
        state["damaged"],
        state["bytes"],
        state["walBytes"],
        times::of(&state["writtenAtMs"])
    );
    if state["isCopy"] == true {
        text.push_str("it is a copy: see journalRole\n");
    }
    if !state["incompleteBeforeMs"].is_null() {
        let _ = writeln!(text, "a loss of records was accepted at {} UTC", times::of(&state["incompleteBeforeMs"]));
    }
    Ok(Report::new(if state["whole"] == true { Exit::Fine } else { Exit::Journal }, state, text))
}

pub fn compact(till: &Till) -> Result<Report> {
    let client = till.writer()?;
    let _progress = Progress::start("compacting the journal");
    let sizes = parse(&client.compact_journal()?)?;
    let text = format!("{} bytes before, {} bytes now\n", sizes["bytesBefore"], sizes["bytesAfter"]);
    Ok(Report::new(Exit::Fine, sizes, text))
}

/// Counts the operations of a journal.
pub fn count(operations: &[Value], now: u64) -> Value {
    let number = |of: &dyn Fn(&Value) -> bool| operations.iter().filter(|operation| of(operation)).count();
    let mut by_code: BTreeMap<String, u64> = BTreeMap::new();
    for operation in operations {
        *by_code.entry(text(operation, "name").to_owned()).or_default() += 1;
    }
    let oldest = |of: &dyn Fn(&Value) -> bool| {
        let recorded = operations.iter().filter(|operation| of(operation)).filter_map(|it| it["recordedAtMs"].as_u64());
        recorded.min().map(|at| now.saturating_sub(at))
    };
    let waits = |operation: &Value| operation["acknowledgedAtMs"].is_null() && !is_pending(operation);
    json!({
        "operations": operations.len(),
        "completed": number(&|it| it["outcome"] == "completed"),
        "declined": number(&|it| it["outcome"] == "declined"),
        "notSent": number(&|it| it["outcome"] == "notSent"),
        "pending": number(&is_pending),
        "review": number(&needs_review),
        "unacknowledged": number(&waits),
        "oldestPendingMs": oldest(&is_pending),
        "oldestUnacknowledgedMs": oldest(&waits),
        "byCode": by_code,
    })
}

pub fn stats(till: &Till, metrics: bool, output: Output) -> Result<Report> {
    if metrics {
        let text = till.reader()?.read_metrics()?;
        let text = String::from_utf8_lossy(&text).into_owned();
        return Ok(Report::new(Exit::Fine, json!({ "openMetrics": text }), text));
    }
    let counts = count(&all(&till.reader()?, &json!({}))?, times::now_ms());
    let mut table = Table::new(0, &["OPERATIONS", "COUNT", "OLDEST"]);
    let names = [
        ("completed", "completed", ""),
        ("declined", "declined", ""),
        ("notSent", "not sent", ""),
        ("pending", "pending", "oldestPendingMs"),
        ("review", "in manual review", ""),
        ("unacknowledged", "not acknowledged", "oldestUnacknowledgedMs"),
        ("operations", "all", ""),
    ];
    for (key, name, oldest) in names {
        let age = counts[oldest].as_u64().map_or_else(String::new, times::span);
        table.push([name.into(), counts[key].to_string(), age], None);
    }
    let mut codes = Table::new(0, &["CODE", "COUNT"]);
    for (name, number) in counts["byCode"].as_object().into_iter().flatten() {
        codes.push([name.clone(), shown(number)], None);
    }
    let text = format!("{}\n{}", table.render(output), codes.render(output));
    Ok(Report::new(Exit::Fine, counts, text))
}
