//! `bundle`: what support needs, in one file.

use crate::cli::Bundle;
use crate::failure::{Exit, Failure};
use crate::fields::parse;
use crate::operations::all;
use crate::output::Report;
use crate::progress::Progress;
use crate::redact::Redactor;
use crate::till::Till;
use crate::{Result, doctor, journal, times};
use engage_point_shop::{Client, VERSION};
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// How much of a log's end is packed, in bytes and in lines.
const LOG_BYTES: u64 = 1 << 20;
const LOG_LINES: usize = 2_000;
/// The operations that are packed: the newest.
const OPERATIONS: usize = 2_000;

/// The longest wait of the checks.
const DOCTOR_WAIT_MS: u64 = 10_000;

/// The schema of the objects in the bundle.
const SCHEMA: &str = include_str!("../../../include/engage_point_shop.schema.json");

/// The environment's proxies, whose logins a log may have.
const PROXIES: [&str; 6] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "http_proxy", "HTTP_PROXY"];

/// A file of the bundle: name, what it is, content.
type Member = (&'static str, &'static str, String);

pub fn run(till: &Till, bundle: &Bundle) -> Result<Report> {
    let progress = Progress::start("collecting");
    let mut key = [0; 32];
    SystemRandom::new().fill(&mut key).map_err(|_| Failure::new(Exit::Found, "the system has no random numbers"))?;
    let mut redactor = Redactor::new(&key, bundle.with_ids);
    redactor.learn_config(&till.values);
    for line in secret_lines(till) {
        redactor.learn_secret(&line);
    }
    for name in PROXIES {
        redactor.learn_login(&std::env::var(name).unwrap_or_default());
    }
    let operations = till.reader().and_then(|client| all(&client, &json!({})));
    for operation in operations.iter().flatten() {
        redactor.learn_operation(operation);
    }
    let members = members(till, bundle, &redactor, operations);
    // The schema is the same for everybody.
    let leak = members.iter().find(|(_, _, content)| *content != SCHEMA && redactor.leaks(content));
    if let Some((name, ..)) = leak {
        return Err(Failure::new(Exit::Found, format!("{name} would hold a secret; no bundle was made")));
    }
    let bytes = pack(&members).map_err(|error| Failure::of_file(&bundle.out, &error))?;
    journal::create(&bundle.out, &bytes)?;
    drop(progress);
    let listed = members.iter().map(|(name, what, content)| format!("  {name:<16} {:>8}  {what}\n", content.len()));
    let text = format!(
        "{} holds:\n{}Not in it: the key, logins, Engage's data about members{}.\n",
        bundle.out.display(),
        listed.collect::<String>(),
        if bundle.with_ids { "" } else { ".\nContact ids and references are hashed" }
    );
    let files =
        members.iter().map(|(name, what, content)| json!({ "name": name, "what": what, "bytes": content.len() }));
    Ok(Report::new(Exit::Fine, json!({ "path": bundle.out, "files": files.collect::<Vec<_>>() }), text))
}

/// Returns the lines of the till's private key.
fn secret_lines(till: &Till) -> Vec<String> {
    let path = till.values.get("clientKeyFile").and_then(Value::as_str);
    let pem = path.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
    pem.lines().filter(|line| line.len() >= 16 && !line.starts_with('-')).map(str::to_owned).collect()
}

fn members(till: &Till, bundle: &Bundle, redactor: &Redactor, operations: Result<Vec<Value>>) -> Vec<Member> {
    // What fails is a finding too.
    let or_problem = |result: Result<Value>| result.unwrap_or_else(|failure| json!({ "problem": failure.to_json() }));
    let text = |value: Value| redactor.text(&format!("{value:#}\n"));
    let about = json!({
        "made": times::text(times::now_ms()), "version": VERSION, "system": std::env::consts::OS,
        "machine": std::env::consts::ARCH, "withIds": bundle.with_ids,
    });
    let journal = till.journal_config().and_then(|config| parse(&Client::check_journal(&config)?));
    let (list, counts) = match operations {
        Ok(operations) => {
            let newest = &operations[operations.len().saturating_sub(OPERATIONS)..];
            let list: Vec<Value> = newest.iter().map(|operation| redactor.operation(operation)).collect();
            (json!({ "operations": list }), journal::count(&operations, times::now_ms()))
        }
        Err(failure) => (json!({ "problem": failure.to_json() }), Value::Null),
    };
    let mut members = vec![
        ("about.json", "versions and system", text(about)),
        ("doctor.json", "the checks of eps doctor", text(or_problem(doctor::examine(till, DOCTOR_WAIT_MS, false)))),
        ("journal.json", "the journal's state", text(or_problem(journal))),
        ("operations.json", "the newest operations", text(list)),
        ("statistics.json", "counts of the journal", text(counts)),
        ("config.json", "the configuration", text(redactor.config(&till.values))),
        ("schema.json", "the schema of the objects", SCHEMA.to_owned()),
    ];
    let named = bundle.log.clone().or_else(|| till.values.get("logFile")?.as_str().map(Into::into));
    if let Some(path) = named {
        // Support needs the rest of the bundle most where there is no log.
        let log = last_lines(&path).unwrap_or_else(|error| format!("The log cannot be read: {error}"));
        members.push(("log.txt", "the log's last lines", redacted_lines(&log, redactor)));
    }
    members
}

fn last_lines(path: &Path) -> std::io::Result<String> {
    // To open a pipe could wait for ever.
    if !std::fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("it is not a file"));
    }
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(LOG_BYTES).read_to_end(&mut bytes)?;
    // No secret is found in a text of another encoding, such as the UTF-16 of Windows.
    if bytes.contains(&0) {
        return Err(std::io::Error::other("it is not UTF-8 text"));
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    Ok(lines[lines.len().saturating_sub(LOG_LINES)..].join("\n"))
}

/// Returns the lines of a log without secrets. A PEM block is left out.
fn redacted_lines(log: &str, redactor: &Redactor) -> String {
    let mut in_pem = false;
    let mut kept = String::new();
    for line in log.lines() {
        in_pem |= line.contains("-----BEGIN");
        if !in_pem {
            kept.push_str(&redactor.text(line));
            kept.push('\n');
        }
        in_pem &= !line.contains("-----END");
    }
    kept
}

fn pack(members: &[Member]) -> zip::result::ZipResult<Vec<u8>> {
    let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, _, content) in members {
        zip.start_file(*name, options)?;
        zip.write_all(content.as_bytes())?;
    }
    Ok(zip.finish()?.into_inner())
}
