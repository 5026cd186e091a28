//! The page's HTML, made of what a store is now. Every text that is not written here goes through [`e`].

use std::collections::BTreeMap;
use std::fmt::Display;

use uuid::Uuid;

use super::{PRESETS, TARGETS};
use crate::clock::Time;
use crate::fault::{ArmedFault, Operation};
use crate::junit::escaped;
use crate::ledger::{Account, Assignment, Item, Purchase, Status};
use crate::log::{HIDDEN, Message, RequestEntry};
use crate::magic;
use crate::store::{State, Store};

/// How many requests and purchases are shown: the newest.
const SHOWN: usize = 100;

/// A text as it may stand in HTML.
fn e(text: &impl Display) -> String {
    escaped(&text.to_string())
}

/// A path with the store it is about.
pub(super) fn address(path: &str, store: &str) -> String {
    format!("{path}?store={}", form_urlencoded::byte_serialize(store.as_bytes()).collect::<String>())
}

/// The whole page.
pub(super) fn dashboard(store: &Store, stores: &[String]) -> String {
    let key = store.api_key();
    let parts = parts(store);
    let at = |path: &str| e(&address(path, key));
    let part = |id: &str| format!("<div id=\"{id}\">{}</div>", parts[id]);
    let list = |id: &str, label: &str| {
        format!(
            "<div id=\"{id}\" class=\"list\" tabindex=\"0\" role=\"region\" aria-label=\"{label}\">{}</div>",
            parts[id]
        )
    };
    let links: String = match stores {
        [_] => String::new(),
        _ => stores.iter().map(|other| store_link(other, other == key)).collect(),
    };
    format!(
        r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>engage-sandbox</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/_sandbox/dashboard/style.css">
<script src="/_sandbox/dashboard/script.js" defer></script>
</head>
<body class="page" data-parts="{parts_at}">
<header>
<h1>engage-sandbox</h1>
<p>Store <code>{store}</code></p>
<nav aria-label="Stores">{links}</nav>
<p id="status" role="status">{status}</p>
<form method="post" action="{reset_at}"><button class="plain">Start afresh</button></form>
</header>
<main>
<div class="column">
<section aria-labelledby="h-faults"><h2 id="h-faults">Faults</h2>
{armed}
<form method="post" action="{lift_at}"><button id="lift" class="main">Lift all faults</button></form>
<form method="post" action="{arm_at}">
<div class="row"><label for="times">Strike</label> <select id="times" name="times"><option value="1">the next</option><option value="0">every</option></select>
<select name="operation" aria-label="Which request">{targets}</select></div>
<fieldset><legend>It is done, but</legend><div class="buttons">{done}</div></fieldset>
<fieldset><legend>It is not done, and</legend><div class="buttons">{not_done}</div></fieldset></form></section>
<section aria-labelledby="h-clock"><h2 id="h-clock">Clock</h2>{clock}
<form method="post" action="{clock_at}" class="buttons">
<button name="ms" value="-86400000">1 day back</button><button name="ms" value="86400000">1 day on</button>
<button name="ms" value="3600000">1 hour on</button><button name="ms" value="0">The computer’s time</button></form></section>
<section aria-labelledby="h-judge"><h2 id="h-judge">The judge</h2>{verdict}
<details><summary>Judge a till</summary><form method="post" action="{judge_at}">
<label for="journal">What <code>eps_list_unacknowledged</code> answers, or operation objects</label>
<textarea id="journal" name="journal" rows="4" spellcheck="false"></textarea>
<div class="row"><label><input type="checkbox" name="resolved"> everything is settled</label>
<label><input type="checkbox" name="partial"> acknowledged ones are left out</label></div>
<button class="main">Judge</button></form></details></section>
</div>
<div class="column">
<section aria-labelledby="h-requests"><h2 id="h-requests">Requests</h2>{requests}
<p class="links"><a href="{har}">HAR</a> <a href="{sh}">curl</a> <a href="{ledger}">Ledger</a> <a href="{state}">State</a></p></section>
<section aria-labelledby="h-purchases"><h2 id="h-purchases">Purchases and rewards</h2>{purchases}</section>
<section aria-labelledby="h-members"><h2 id="h-members">Members</h2>{members}</section>
<section aria-labelledby="h-magic"><h2 id="h-magic">Magic values</h2>{magic}</section>
</div>
</main>
</body>
</html>
"#,
        parts_at = at("/_sandbox/dashboard/parts"),
        store = e(&key),
        status = parts["status"],
        reset_at = at("/_sandbox/dashboard/reset"),
        requests = list("requests", "Requests"),
        har = at("/_sandbox/requests.har"),
        sh = at("/_sandbox/requests.sh"),
        ledger = at("/_sandbox/ledger"),
        state = at("/_sandbox/state"),
        arm_at = at("/_sandbox/dashboard/arm"),
        targets = targets(),
        done = presets(true),
        not_done = presets(false),
        armed = part("armed"),
        lift_at = at("/_sandbox/dashboard/clear-faults"),
        purchases = list("purchases", "Purchases and rewards"),
        members = list("members", "Members"),
        clock = part("clock"),
        clock_at = at("/_sandbox/dashboard/clock"),
        verdict = part("verdict"),
        judge_at = at("/_sandbox/dashboard/judge"),
        magic = magic_values(),
    )
}

fn store_link(key: &str, here: bool) -> String {
    let current = if here { " aria-current=\"page\"" } else { "" };
    format!("<a href=\"{}\"{current}>{}</a> ", e(&address("/", key)), e(&key))
}

fn targets() -> String {
    let option = |target: &super::Target| format!("<option value=\"{}\">{}</option>", target.id, target.label);
    TARGETS.iter().map(option).collect()
}

fn presets(done: bool) -> String {
    let button = |preset: &super::Preset| {
        format!("<button id=\"arm-{id}\" name=\"fault\" value=\"{id}\">{}</button>", preset.label, id = preset.id)
    };
    PRESETS.iter().filter(|preset| preset.done == done).map(button).collect()
}

fn magic_values() -> String {
    let row = |magic: magic::Magic| {
        format!(
            "<tr><td>{}</td><td><code>{}</code></td><td>{}</td></tr>",
            e(&magic.name),
            e(&magic.id),
            e(&magic.happens)
        )
    };
    let rows: String = magic::all().into_iter().map(row).collect();
    let table = table("Magic values", &["Name", "Id", "What happens"], &rows);
    format!("<details><summary>Members and items to whom always the same happens</summary>{table}</details>")
}

/// The parts that change, by the id of the element they stand in.
pub(super) fn parts(store: &Store) -> BTreeMap<&'static str, String> {
    let state = &mut *store.state();
    let now = state.now();
    state.ledger.process_due(now);
    let processing =
        state.ledger.purchases(now).iter().filter(|purchase| purchase.status == Status::Processing).count();
    let faults = state.faults.armed().len();
    BTreeMap::from([
        (
            "status",
            format!(
                "{} · {}",
                counted(faults, "fault armed", "faults armed"),
                counted(processing, "purchase in progress", "purchases in progress")
            ),
        ),
        ("requests", requests(state)),
        ("armed", armed(state.faults.armed())),
        ("purchases", purchases(state, now)),
        ("members", members(state, now)),
        ("clock", clock(state, now)),
        ("verdict", verdict(state)),
    ])
}

fn counted(count: usize, one: &str, many: &str) -> String {
    match count {
        0 => format!("no {many}"),
        1 => format!("1 {one}"),
        _ => format!("{count} {many}"),
    }
}

fn table(caption: &str, heads: &[&str], rows: &str) -> String {
    if rows.is_empty() {
        return "<p class=\"quiet\">None yet.</p>".to_owned();
    }
    let head = |head: &&str| {
        let class = if matches!(*head, "Points" | "Took") { " class=\"number\"" } else { "" };
        format!("<th scope=\"col\"{class}>{head}</th>")
    };
    let heads: String = heads.iter().map(head).collect();
    format!("<table><caption>{caption}</caption><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>")
}

fn requests(state: &mut State) -> String {
    let now = state.now();
    let names: BTreeMap<Uuid, String> =
        state.ledger.accounts(now).map(|account| (account.member.contact_id, name(account))).collect();
    let entries = state.log.entries().iter().rev().take(SHOWN);
    let rows: String = entries.map(|entry| request(entry, &names)).collect();
    table("Requests, the newest first", &["Time", "What", "Member", "Answer", "Took", "Fault"], &rows)
}

fn request(entry: &RequestEntry, names: &BTreeMap<Uuid, String>) -> String {
    let member = entry.contact_id.map(|id| names.get(&id).cloned().unwrap_or_else(|| id.to_string()));
    let (class, answer) = match entry.status {
        None => ("failed", "none".to_owned()),
        Some(status @ 200..=299) => ("passed", status.to_string()),
        Some(status) => ("skipped", status.to_string()),
    };
    format!(
        "<tr><td>{time}</td><td><details id=\"r{seq}\"><summary id=\"s{seq}\">{what}</summary><pre>{sent}</pre></details></td><td>{member}</td>\
         <td><span class=\"badge {class}\">{answer}</span></td><td class=\"number\">{took}</td><td>{fault}</td></tr>",
        time = clock_time(entry.time),
        seq = entry.seq,
        what = entry
            .operation
            .map_or_else(|| e(&format!("{} {}", entry.method, entry.path)), |operation| words(operation).to_owned()),
        sent = e(&exchange(entry)),
        member = e(&member.unwrap_or_default()),
        took = entry.took_ms.map(|ms| format!("{ms} ms")).unwrap_or_default(),
        fault = entry.fault.map(spaced).unwrap_or_default(),
    )
}

/// A request and its answer, as they came over the wire.
fn exchange(entry: &RequestEntry) -> String {
    let status = entry.status.map_or_else(|| "no response".to_owned(), |status| format!("HTTP/1.1 {status}"));
    let (sent, got) = (message(&entry.request), message(&entry.response));
    format!("{} {}\n{sent}\n\n{status}\n{got}", entry.method, entry.path)
}

fn message(message: &Message) -> String {
    let headers = message.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        format!("{name}: {}\n", if value == HIDDEN { "(hidden)" } else { &*value })
    });
    headers.collect::<String>() + &String::from_utf8_lossy(&message.body)
}

fn words(operation: Operation) -> &'static str {
    match operation {
        Operation::Items => "Items",
        Operation::Purchase => "Purchase",
        Operation::Purchases => "History",
        Operation::Rewards => "Rewards",
        Operation::Redeem => "Redeem",
        Operation::Contacts => "Search",
        Operation::Points => "Points",
        Operation::Any => "Any request",
    }
}

/// `resetBeforeCommit` as people read it.
fn spaced(name: &str) -> String {
    let spaced = name.chars().flat_map(|letter| {
        let space = letter.is_uppercase().then_some(' ');
        space.into_iter().chain(letter.to_lowercase())
    });
    spaced.collect()
}

fn armed(faults: &[ArmedFault]) -> String {
    if faults.is_empty() {
        return "<p class=\"quiet\">No fault is armed.</p>".to_owned();
    }
    let line = |armed: &ArmedFault| {
        let times = if armed.fault.on.times == 0 { "every".to_owned() } else { format!("{} ×", armed.fault.on.times) };
        let effect = spaced(armed.fault.effect.name());
        let what = words(armed.fault.on.operation);
        format!("<li><b>{what}</b>, {times}: {effect} <span class=\"quiet\">struck {} ×</span></li>", armed.struck)
    };
    format!("<ul class=\"armed\">{}</ul>", faults.iter().map(line).collect::<String>())
}

fn purchases(state: &mut State, now: Time) -> String {
    let names: BTreeMap<Uuid, String> =
        state.ledger.accounts(now).map(|account| (account.member.contact_id, name(account))).collect();
    let assignments: BTreeMap<Uuid, Assignment> =
        state.ledger.assignments(now).iter().map(|assignment| (assignment.purchase_id, assignment.clone())).collect();
    let bought: Vec<Purchase> = state.ledger.purchases(now).iter().rev().take(SHOWN).cloned().collect();
    let items = state.ledger.items();
    let rows: String = bought.iter().map(|purchase| bought_row(purchase, &names, &assignments, items)).collect();
    table("Purchases, the newest first", &["Time", "Member", "Item", "Points", "Purchase", "Reward"], &rows)
}

fn bought_row(
    purchase: &Purchase,
    names: &BTreeMap<Uuid, String>,
    assignments: &BTreeMap<Uuid, Assignment>,
    items: &[Item],
) -> String {
    let (class, status) = match purchase.status {
        Status::Processing => ("skipped", "Processing"),
        Status::Completed => ("passed", "Completed"),
        Status::Failed => ("failed", "Failed"),
    };
    let reward = assignments.get(&purchase.purchase_id).map(|assignment| match assignment.redeemed_on {
        None => "ready".to_owned(),
        Some(time) => format!("used {}", clock_time(time)),
    });
    let item = items.iter().find(|item| item.id == purchase.item_id).map_or("", |item| &item.name);
    format!(
        "<tr><td>{}</td><td>{}</td><td title=\"{id}\">{}</td><td class=\"number\">{}</td>\
         <td><span class=\"badge {class}\">{status}</span></td><td>{}</td></tr>",
        clock_time(purchase.created_on),
        e(&names.get(&purchase.contact_id).map_or("", String::as_str)),
        e(&item),
        purchase.cost,
        reward.unwrap_or_default(),
        id = purchase.purchase_id,
    )
}

fn members(state: &mut State, now: Time) -> String {
    let row = |account: &Account| {
        let held = if account.held > 0 {
            format!(" <span class=\"quiet\">({} held)</span>", account.held)
        } else {
            String::new()
        };
        let (name, id) = (e(&name(account)), account.member.contact_id);
        format!("<tr><td>{name}<br><code>{id}</code></td><td class=\"number\">{}{held}</td></tr>", account.balance)
    };
    let rows: String = state.ledger.accounts(now).map(row).collect();
    table("Members and their points", &["Member", "Points"], &rows)
}

fn name(account: &Account) -> String {
    match &*account.member.name {
        "" => account.member.contact_id.to_string(),
        name => name.to_owned(),
    }
}

fn clock(state: &State, now: Time) -> String {
    let text = now.to_string();
    let offset = state.clock.offset_ms() / 1000;
    let how = match (state.clock.is_frozen(), offset.abs()) {
        (true, _) => "it stands".to_owned(),
        (false, 0) => "the computer’s".to_owned(),
        (false, seconds) => {
            let way = if offset > 0 { "ahead" } else { "behind" };
            format!("{} d {} h {} min {way}", seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60)
        }
    };
    format!("<p><b>{} {}</b> UTC <span class=\"quiet\">{how}</span></p>", &text[..10], &text[11..19])
}

fn verdict(state: &State) -> String {
    let Some((time, verdict)) = &state.verdict else {
        return "<p class=\"quiet\">No till was judged yet.</p>".to_owned();
    };
    let at = clock_time(*time);
    match verdict {
        Err(why) => format!("<p><span class=\"badge failed\">unread</span> {at}: {}</p>", e(why)),
        Ok(verdict) => {
            let (class, word) = if verdict.pass { ("passed", "pass") } else { ("failed", "fail") };
            let reasons = verdict.reasons().map(|(rule, why)| format!("<li>{}: {}</li>", e(&rule), e(&why)));
            let found = verdict.found;
            format!(
                "<p><span class=\"badge {class}\">{word}</span> {at}: {}, {} pending; {}</p><ul class=\"reasons\">{}</ul>",
                counted(found.operations, "operation", "operations"),
                found.pending,
                counted(found.deductions, "deduction", "deductions"),
                reasons.collect::<String>()
            )
        }
    }
}

/// The time of day.
fn clock_time(time: Time) -> String {
    time.to_string()[11..19].to_owned()
}
