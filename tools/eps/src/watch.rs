//! `watch`: each change of an operation as it happens, also another process's. The journal is read
//! again and again, because only the till's own process gets the library's notifications.

use crate::cli::Watch;
use crate::failure::Exit;
use crate::fields::{parse, shown, text};
use crate::operations::{all, unacknowledged, word};
use crate::output::{Output, Report};
use crate::till::Till;
use crate::{Result, times};
use engage_point_shop::{Client, OperationId};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

/// What a person sees of an operation.
type Shown = (String, i64, bool);

/// The changes since the last read.
#[derive(Debug, Default)]
struct Known {
    operations: BTreeMap<String, Shown>,
}

impl Known {
    /// Notes an operation. Returns whether it has changed.
    fn is_news(&mut self, operation: &Value) -> bool {
        let shown = (
            word(operation).0,
            operation["code"].as_i64().unwrap_or_default(),
            !operation["acknowledgedAtMs"].is_null(),
        );
        let id = text(operation, "operationId").to_owned();
        self.operations.insert(id, shown.clone()) != Some(shown)
    }
}

pub fn run(till: &Till, watch: &Watch, output: Output) -> Result<Report> {
    let mut known = Known::default();
    let mut since = times::now_ms();
    let client = till.reader()?;
    for operation in unacknowledged(&client)? {
        known.is_news(&operation);
        print(&operation, output);
        since = since.min(operation["recordedAtMs"].as_u64().unwrap_or(since));
    }
    drop(client);
    let (mut left, mut failure) = (watch.count, None);
    while left != Some(0) {
        thread::sleep(Duration::from_millis(watch.every_ms));
        // Opened anew: a till that closes its journal, or begins to use it, changes its files.
        let operations = match till.reader().and_then(|client| changed(&client, &known, since)) {
            Ok(operations) => operations,
            Err(error) => {
                // It may be usable again the next time; the same failure is reported once.
                if failure.as_ref() != Some(&error.message) {
                    eprintln!("eps: {}", error.message);
                }
                failure = Some(error.message);
                continue;
            }
        };
        failure = None;
        for operation in operations {
            if left != Some(0) && known.is_news(&operation) {
                print(&operation, output);
                left = left.map(|left| left - 1);
            }
        }
    }
    Ok(Report::silent(Exit::Fine))
}

/// Returns the operations that may have changed: those that are not acknowledged, those that were
/// recorded since, and those that were not acknowledged at the last read.
fn changed(client: &Client, known: &Known, since: u64) -> Result<Vec<Value>> {
    let mut operations: BTreeMap<String, Value> = BTreeMap::new();
    let recent = all(client, &json!({ "since": since }))?;
    for operation in recent.into_iter().chain(unacknowledged(client)?) {
        operations.insert(text(&operation, "operationId").to_owned(), operation);
    }
    for (id, _) in
        known.operations.iter().filter(|(id, shown)| !shown.2 && !operations.contains_key(*id)).collect::<Vec<_>>()
    {
        if let Ok(id) = OperationId::parse(id, "id")
            && let Ok(operation) = client.get_operation(id)
        {
            let operation = parse(&operation)?;
            operations.insert(text(&operation, "operationId").to_owned(), operation);
        }
    }
    Ok(operations.into_values().collect())
}

fn print(operation: &Value, output: Output) {
    if output.is_json() {
        return output.write(&format!("{operation}\n"));
    }
    let (word, colour) = word(operation);
    let acknowledged = if operation["acknowledgedAtMs"].is_null() { "" } else { "  acknowledged" };
    output.write(&format!(
        "{}  {}  {}  {}{acknowledged}\n",
        times::text(times::now_ms()).split(' ').nth(1).unwrap_or_default(),
        shown(&operation["operationId"]),
        output.paint(&word, colour),
        shown(&operation["name"])
    ));
}
