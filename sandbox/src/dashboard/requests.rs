//! The page of the requests: the list, which a script keeps up to date, and the panel of one
//! request.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};
use serde_json::{Value, json};
use uuid::Uuid;

use super::page::{At, Parts, clock_time, copy, counted, names};
use super::{controls, start};
use crate::active::operation_name;
use crate::app::App;
use crate::effects;
use crate::export::curl_line;
use crate::log::{HIDDEN, KeySeen, Message, RequestEntry};
use crate::store::Store;

/// The most requests that the page shows without its script, newest first.
const SHOWN: usize = 100;

type Names = BTreeMap<Uuid, String>;

/// Renders the page. `open` is the number of the request in the panel.
pub(super) fn page(at: At<'_>, store: &Store, app: &App, _parts: &Parts, open: Option<u64>) -> Markup {
    let panel = open.and_then(|seq| panel(at, store, seq));
    let newest: Vec<Value> = {
        let state = &mut *store.state();
        let names = names(state);
        state.log.entries().iter().rev().take(SHOWN).map(|entry| row(entry, &names)).collect()
    };
    let is_empty = newest.is_empty();
    html! {
        section.requests aria-labelledby="h-requests" {
            div.bar {
                h1 #h-requests { "Requests" }
                input #search type="search" placeholder="Search: path, member, status, fault, id …" aria-label="Search the requests";
                select #till aria-label="Till" { option value="" { "All tills" } }
                select #member aria-label="Member" { option value="" { "All members" } }
                label.check { input #problems type="checkbox"; "Problems only" }
                button #pause type="button" aria-pressed="false" { "Pause" }
                p.links {
                    a href=(at.address("/_sandbox/requests.har")) { "HAR" } " "
                    a href=(at.address("/_sandbox/requests.sh")) { "curl" } " "
                    a href="#controls" { "Faults" }
                }
            }
            div.log {
                div.request.head aria-hidden="true" {
                    @for column in ["Time", "Status", "Request", "Member", "Till", "Took"] {
                        span { (column) }
                    }
                }
                button #news type="button" hidden {}
                div #list {
                    ol { @for row in &newest { li { (row_link(at, row)) } } }
                }
                div #empty hidden[!is_empty] { (start::first_steps(at, app)) }
                p #none.quiet hidden { "No request matches." }
                p #count.quiet role="status" {}
            }
            template #row { li { (row_link(at, &json!({ "n": 0 }))) } }
        }
        (controls::controls(at, store))
        aside #panel aria-label="Request" hidden[panel.is_none()] { (panel.unwrap_or_default()) }
    }
}

/// Renders a row of the list. The script fills further rows in the same way.
fn row_link(at: At<'_>, row: &Value) -> Markup {
    let text = |name: &str| row[name].as_str().unwrap_or_default();
    html! {
        a.request href={ (at.address("/")) "&request=" (row["n"]) } data-n=(row["n"]) {
            span.time data-f="time" { (text("time")) }
            span data-f="status" class={ "badge " (text("class")) } { (text("status")) }
            b.what data-f="operation" { (text("operation")) }
            span.member data-f="member" { (text("member")) }
            span.till data-f="till" { (text("till")) }
            span.below {
                code.path data-f="path" { (text("path")) }
                span.note { span.fault data-f="fault" { (text("fault")) } " " span data-f="reason" { (text("reason")) } }
            }
            span.took data-f="took" { (text("took")) }
        }
    }
}

/// Returns a request of the list as JSON.
fn row(entry: &RequestEntry, names: &Names) -> Value {
    let (class, status) = status(entry);
    json!({
        "n": entry.seq,
        "time": clock_time(entry.time),
        "class": class,
        "status": status,
        "operation": title(entry),
        "path": format!("{} {}", entry.method, entry.path.split('?').next().unwrap_or_default()),
        "member": member(entry, names),
        "till": till(entry),
        "fault": entry.fault,
        "reason": entry.reason,
        "took": entry.took_ms.map(|ms| format!("{ms} ms")),
        "ids": [entry.purchase_id, entry.item_id, entry.assignment_id, entry.contact_id],
    })
}

/// Returns the class and the text of a request's status.
fn status(entry: &RequestEntry) -> (&'static str, String) {
    match entry.status {
        None => ("failed", "none".to_owned()),
        Some(status @ 200..=299) => ("passed", status.to_string()),
        Some(status @ 500..) => ("failed", status.to_string()),
        Some(status) => ("skipped", status.to_string()),
    }
}

fn title(entry: &RequestEntry) -> String {
    entry.operation.map_or_else(|| "unknown".to_owned(), operation_name)
}

fn member(entry: &RequestEntry, names: &Names) -> Option<String> {
    entry.contact_id.map(|id| names.get(&id).cloned().unwrap_or_else(|| id.to_string()))
}

/// Returns the till: its program, and its address if that is another computer's.
fn till(entry: &RequestEntry) -> String {
    let program = entry.user_agent.as_deref().unwrap_or_default().split(' ').next().unwrap_or_default();
    match entry.peer.map(|peer| peer.ip()).filter(|ip| !ip.is_loopback()) {
        Some(ip) => format!("{program} {ip}"),
        None => program.to_owned(),
    }
}

/// Returns the requests after one, and those of `open`, as JSON: all of them if the log has another
/// era.
pub(super) fn log(store: &Store, after: u64, era: &str, open: &BTreeSet<u64>) -> Value {
    let state = &mut *store.state();
    let names = names(state);
    let now = state.log.era().to_string();
    let after = if era == now { after } else { 0 };
    let entries = state.log.entries().iter();
    let wanted = entries.filter(|entry| entry.seq > after || open.contains(&entry.seq));
    json!({ "era": now, "rows": wanted.map(|entry| row(entry, &names)).collect::<Value>() })
}

/// Renders the panel of a request.
pub(super) fn panel(at: At<'_>, store: &Store, seq: u64) -> Option<Markup> {
    let state = &mut *store.state();
    let names = names(state);
    let keys = state.api_mapping.key_headers();
    let place = state.log.entries().iter().position(|entry| entry.seq == seq)?;
    let entry = &state.log.entries()[place];
    let earlier = state.log.entries().iter().take(place).rev().find(|earlier| till(earlier) == till(entry));
    let (class, status) = status(entry);
    Some(html! {
        header.panel-head {
            h2 #panel-title tabindex="-1" { span class={ "badge " (class) } { (status) } " " (title(entry)) }
            p.actions {
                button.small #newer type="button" aria-label="Newer request" title="Newer (k)" { "↑" }
                button.small #older type="button" aria-label="Older request" title="Older (j)" { "↓" }
                a.button.small #close href=(at.address("/")) { "Close" }
            }
        }
        p.line { code { (entry.method) " " (entry.path) } }
        (struck(entry))
        p.actions {
            (copy("curl-line", "Copy as curl"))
            (replay(entry, keys[0]))
        }
        pre #curl-line.quiet-line tabindex="0" { (curl_line(entry, &keys)) }
        (facts(entry, &names, earlier))
        (message("Request", "request", &entry.request))
        @if entry.status.is_some() { (message("Response", "response", &entry.response)) }
    })
}

/// Renders the fault that was applied, and the reason of a refusal.
fn struck(entry: &RequestEntry) -> Markup {
    let known = entry.fault.and_then(effects::named);
    html! {
        @if let Some(fault) = entry.fault {
            p.notice.failed {
                b { "Fault " (fault) }
                @if let Some(known) = known {
                    ": " (if known.processed { "Engage processed it, and " } else { "Engage did not process it, and " }) (known.what) "."
                }
            }
        }
        @if let Some(reason) = &entry.reason { p.notice.skipped { b { "Reason: " } (reason) } }
        @if entry.status.is_none() && entry.fault.is_none() { p.notice.skipped { "No response yet." } }
    }
}

/// Renders the button that sends the request again from the browser, with the same ids.
fn replay(entry: &RequestEntry, key_header: &str) -> Markup {
    let body = String::from_utf8_lossy(&entry.request.body);
    let is_hidden =
        entry.path.contains(HIDDEN) || body.contains(HIDDEN) || entry.request.body.len() < entry.request.size;
    html! {
        @if is_hidden {
            span.quiet { "No replay: the log has hidden a value of this request." }
        } @else {
            button.small #replay type="button" data-method=(entry.method) data-path=(entry.path) data-body=(body)
                data-header=(key_header) { "Replay" }
        }
    }
}

fn facts(entry: &RequestEntry, names: &Names, earlier: Option<&RequestEntry>) -> Markup {
    let time = entry.time.to_string();
    let key = match entry.key {
        KeySeen::Right => "right",
        KeySeen::Wrong => "wrong",
        KeySeen::Missing => "missing",
    };
    let took = entry.took_ms.map_or_else(|| "no response".to_owned(), |ms| format!("{ms} ms"));
    let since = earlier.map(|earlier| {
        let ms = entry.time.millis() - earlier.time.millis();
        format!(", {ms} ms after the till's request {}", earlier.seq)
    });
    let id = |id: Option<Uuid>| id.map(|id| id.to_string()).unwrap_or_default();
    let rows = [
        ("Arrived", format!("{} {} UTC{}", &time[..10], &time[11..23], since.unwrap_or_default())),
        ("Took", took),
        (
            "Till",
            format!("{}, connection {}", entry.user_agent.as_deref().unwrap_or("no User-Agent"), entry.connection),
        ),
        ("Key", key.to_owned()),
        ("Member", member(entry, names).unwrap_or_default()),
        ("Purchase id", id(entry.purchase_id)),
        ("Item", id(entry.item_id)),
        ("Reward", id(entry.assignment_id)),
    ];
    html! {
        dl.facts { @for (name, value) in rows.iter().filter(|(_, value)| !value.is_empty()) { dt { (name) } dd { (value) } } }
    }
}

fn message(title: &str, id: &str, message: &Message) -> Markup {
    let kept = String::from_utf8_lossy(&message.body);
    let json: Option<Value> = serde_json::from_str(&kept).ok();
    html! {
        h3 { (title) }
        @if !message.headers.is_empty() {
            details open {
                summary { (counted(message.headers.len(), "header", "headers")) }
                dl.headers {
                    @for (name, value) in &message.headers {
                        @let value = String::from_utf8_lossy(value.as_bytes());
                        dt { (name.as_str()) } dd { (if value == HIDDEN { "(hidden)" } else { &*value }) }
                    }
                }
            }
        }
        @if message.size == 0 {
            p.quiet { "No body." }
        } @else {
            p.actions.quiet {
                (message.size) " bytes"
                @if message.body.is_empty() { ", no longer kept" }
                @else if message.size > Message::LIMIT { ", of which " (message.body.len()) " are kept" }
                @if !message.body.is_empty() { " " (copy(&format!("{id}-body"), "Copy")) }
            }
            @if !message.body.is_empty() {
                pre.body id={ (id) "-body" } tabindex="0" {
                    @match &json { Some(json) => (pretty(json, 0)), None => (kept) }
                }
            }
        }
    }
}

/// Renders JSON with indents, and its names and values marked.
fn pretty(json: &Value, depth: usize) -> Markup {
    let (inner, outer) = ("  ".repeat(depth + 1), "  ".repeat(depth));
    html! {
        @match json {
            Value::Object(object) if !object.is_empty() => {
                "{\n"
                @for (at, (name, value)) in object.iter().enumerate() {
                    (inner) span.k { (Value::from(name.as_str())) } ": " (pretty(value, depth + 1))
                    @if at + 1 < object.len() { "," } "\n"
                }
                (outer) "}"
            }
            Value::Array(list) if !list.is_empty() => {
                "[\n"
                @for (at, value) in list.iter().enumerate() {
                    (inner) (pretty(value, depth + 1)) @if at + 1 < list.len() { "," } "\n"
                }
                (outer) "]"
            }
            Value::String(_) => span.s { (json) },
            other => span.v { (other) },
        }
    }
}
