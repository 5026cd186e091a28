//! The report of a probe: no value of a member, and no key.

use super::findings::{Evidence, Finding, Verdict, findings, proposal};
use super::shape::{Response, fields, kind};
use crate::Result;
use crate::failure::{Exit, Failure};
use crate::output::{Colour, Output, Report};
use crate::table::{shortened, wrapped};
use serde_json::{Map, Value, json};
use std::fmt::Write;

/// Returns what a finding asks for.
fn advice(finding: &Finding) -> (String, Option<Colour>) {
    match &finding.verdict {
        Verdict::Same => ("same".into(), Some(Colour::Green)),
        Verdict::NotSeen => ("not seen".into(), Some(Colour::Dim)),
        Verdict::NotSupported => ("not supported by this version".into(), Some(Colour::Red)),
        Verdict::Set("historyLagMs", value) => (format!("set historyLagMs to {value}"), Some(Colour::Yellow)),
        Verdict::Set(key, value) => (format!("set apiMapping.{key} to {value}"), Some(Colour::Yellow)),
    }
}

fn exit(findings: &[Finding], surprise: Option<&String>) -> Exit {
    let any = |of: fn(&Verdict) -> bool| findings.iter().any(|finding| of(&finding.verdict));
    match () {
        () if surprise.is_some() || any(|verdict| *verdict == Verdict::NotSupported) => Exit::Usage,
        () if any(|verdict| matches!(verdict, Verdict::Set(..))) => Exit::Found,
        () => Exit::Fine,
    }
}

pub fn make(
    evidence: &Evidence,
    calls: &[(String, Response)],
    surprise: Option<&String>,
    defaults: &Value,
    secrets: &[String],
    output: Output,
) -> Result<Report> {
    let found = findings(evidence);
    let mapping = proposal(evidence, &found, defaults);
    let lag = found.iter().find_map(|finding| match &finding.verdict {
        Verdict::Set("historyLagMs", value) => Some(value.clone()),
        _ => None,
    });
    let mut settings = Map::from_iter([("apiMapping".to_owned(), mapping)]);
    settings.extend(lag.map(|lag| ("historyLagMs".to_owned(), lag)));
    let settings = Value::Object(settings);
    let text = format!(
        "Calls\n{}\nFindings\n{}{}\nFor the till's configuration:\n{settings:#}\n",
        calls.iter().map(call_text).collect::<String>(),
        found.iter().map(|finding| finding_text(finding, output)).collect::<String>(),
        surprise.map_or_else(String::new, |surprise| {
            format!("\n{}\n", output.paint(&wrapped(&format!("STOPPED: {surprise}."), 0), Some(Colour::Red)))
        }),
    );
    let exit = exit(&found, surprise);
    let json = json!({
        "calls": calls.iter().map(call_json).collect::<Vec<_>>(),
        "findings": found.iter().map(finding_json).collect::<Vec<_>>(),
        "stopped": surprise,
        "settings": settings,
    });
    let whole = format!("{text}{json}").to_ascii_lowercase();
    if secrets.iter().any(|secret| secret.len() > 4 && whole.contains(&secret.to_ascii_lowercase())) {
        return Err(Failure::new(Exit::Found, "the report would hold the key or the member; it was not printed"));
    }
    Ok(Report::new(exit, json, text))
}

fn call_text((name, response): &(String, Response)) -> String {
    let content = response.content_type.as_deref().unwrap_or("no content type");
    let date = if response.has_date { "" } else { ", no Date" };
    let mut text = format!(
        "  {name:<18} {}  {}, {}, {} ms{date}\n",
        response.status,
        shortened(content, 20),
        shortened(&kind(&response.body), 20),
        response.took_ms
    );
    for (path, types) in response.body.json().map(fields).unwrap_or_default() {
        let _ = writeln!(text, "      {:<36} {}", shortened(&path, 36), shortened(&types, 36));
    }
    text
}

fn call_json((name, response): &(String, Response)) -> Value {
    json!({
        "call": name, "status": response.status, "contentType": response.content_type, "date": response.has_date,
        "tookMs": response.took_ms, "kind": kind(&response.body),
        "fields": response.body.json().map(fields).unwrap_or_default(),
    })
}

fn finding_text(finding: &Finding, output: Output) -> String {
    let (advice, colour) = advice(finding);
    let line = format!("assumed {}; found {}", shortened(&finding.assumed, 60), shortened(&finding.found, 60));
    // The value to set stands whole at the end too.
    let advice = output.paint(&shortened(&advice, 74), colour);
    format!("  {}\n    {}\n    → {advice}\n", finding.subject, wrapped(&line, 4))
}

fn finding_json(finding: &Finding) -> Value {
    json!({
        "subject": finding.subject, "assumed": finding.assumed, "found": finding.found, "advice": advice(finding).0,
    })
}
