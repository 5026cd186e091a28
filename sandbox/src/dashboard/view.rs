//! The dashboard's HTML, rendered from the present state of a store. `maud` escapes every text.

use std::collections::BTreeMap;

use maud::{DOCTYPE, Markup, html};
use uuid::Uuid;

use super::{PRESETS, TARGETS};
use crate::clock::Time;
use crate::fault::{ArmedFault, Operation};
use crate::ledger::{Account, Assignment, Item, Purchase, Status};
use crate::log::{HIDDEN, Message, RequestEntry};
use crate::magic;
use crate::store::{State, Store};

/// The most requests and purchases that are shown, newest first.
const SHOWN: usize = 100;

/// Returns a path with the key of the store that it is about.
pub(super) fn address(path: &str, store: &str) -> String {
    format!("{path}?store={}", form_urlencoded::byte_serialize(store.as_bytes()).collect::<String>())
}

/// Renders the whole dashboard of a store. `stores` are the keys of all stores.
pub(super) fn dashboard(store: &Store, stores: &[String]) -> String {
    let key = store.api_key();
    let parts = parts(store);
    let at = |path: &str| address(path, key);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "engage-sandbox" }
                link rel="icon" href="data:,";
                link rel="stylesheet" href="/_sandbox/dashboard/style.css";
                script src="/_sandbox/dashboard/script.js" defer {}
            }
            body.dashboard data-parts=(at("/_sandbox/dashboard/parts")) {
                header {
                    h1 { "engage-sandbox" }
                    p { "Store " code { (key) } }
                    nav aria-label="Stores" { (store_links(key, stores)) }
                    p #status role="status" { (parts["status"]) }
                    form method="post" action=(at("/_sandbox/dashboard/reset")) {
                        button.plain { "Reset the store" }
                    }
                }
                main {
                    div.column {
                        (section("faults", "Faults", &faults(key, &parts["armed"])))
                        (section("clock", "Clock", &clock_form(key, &parts["clock"])))
                        (section("judge", "The judge", &judge_form(key, &parts["verdict"])))
                    }
                    div.column {
                        (section("requests", "Requests", &html! {
                            (list("requests", "Requests", &parts["requests"]))
                            p.links {
                                a href=(at("/_sandbox/requests.har")) { "HAR" } " "
                                a href=(at("/_sandbox/requests.sh")) { "curl" } " "
                                a href=(at("/_sandbox/ledger")) { "Ledger" } " "
                                a href=(at("/_sandbox/state")) { "State" }
                            }
                        }))
                        (section("purchases", "Purchases and rewards",
                            &list("purchases", "Purchases and rewards", &parts["purchases"])))
                        (section("members", "Members", &list("members", "Members", &parts["members"])))
                        (section("magic", "Magic values", &magic_values()))
                    }
                }
            }
        }
    };
    page.into_string()
}

fn store_links(key: &str, stores: &[String]) -> Markup {
    html! {
        @if stores.len() > 1 {
            @for other in stores {
                a href=(address("/", other)) aria-current=[(other == key).then_some("page")] { (other) } " "
            }
        }
    }
}

fn section(id: &str, title: &str, content: &Markup) -> Markup {
    let heading = format!("h-{id}");
    html! {
        section aria-labelledby=(heading) { h2 id=(heading) { (title) } (content) }
    }
}

fn list(id: &str, label: &str, content: &Markup) -> Markup {
    html! {
        div.list id=(id) tabindex="0" role="region" aria-label=(label) { (content) }
    }
}

fn faults(key: &str, armed: &Markup) -> Markup {
    html! {
        div #armed { (armed) }
        form method="post" action=(address("/_sandbox/dashboard/clear-faults", key)) {
            button.main #clear-faults { "Clear all faults" }
        }
        form method="post" action=(address("/_sandbox/dashboard/arm", key)) {
            div.row {
                label for="times" { "Apply to" } " "
                select #times name="times" {
                    option value="1" { "the next" }
                    option value="0" { "every" }
                }
                select name="operation" aria-label="Kind of request" {
                    @for target in &TARGETS { option value=(target.id) { (target.label) } }
                }
            }
            fieldset { legend { "Engage processes it, but" } div.buttons { (presets(true)) } }
            fieldset { legend { "Engage does not process it, and" } div.buttons { (presets(false)) } }
        }
    }
}

fn presets(processed: bool) -> Markup {
    html! {
        @for preset in PRESETS.iter().filter(|preset| preset.processed == processed) {
            button id={ "arm-" (preset.id) } name="fault" value=(preset.id) { (preset.label) }
        }
    }
}

fn clock_form(key: &str, clock: &Markup) -> Markup {
    html! {
        div #clock { (clock) }
        form.buttons method="post" action=(address("/_sandbox/dashboard/clock", key)) {
            button name="ms" value="-86400000" { "1 day back" }
            button name="ms" value="86400000" { "1 day forward" }
            button name="ms" value="3600000" { "1 hour forward" }
            button name="ms" value="0" { "The computer’s time" }
        }
    }
}

fn judge_form(key: &str, verdict: &Markup) -> Markup {
    html! {
        div #verdict { (verdict) }
        details {
            summary { "Judge a till" }
            form method="post" action=(address("/_sandbox/dashboard/judge", key)) {
                label for="journal" { "The JSON of " code { "eps_list_unacknowledged" } ", or operation objects" }
                textarea #journal name="journal" rows="4" spellcheck="false" {}
                div.row {
                    label { input type="checkbox" name="resolved"; " every operation is resolved" }
                    label { input type="checkbox" name="partial"; " acknowledged operations are left out" }
                }
                button.main { "Judge" }
            }
        }
    }
}

fn magic_values() -> Markup {
    let rows: Vec<Markup> = magic::all()
        .into_iter()
        .map(|magic| html! { tr { td { (magic.name) } td { code { (magic.id) } } td { (magic.happens) } } })
        .collect();
    html! {
        details {
            summary { "Members and items that always fail in the same way" }
            (table("Magic values", &["Name", "Id", "Effect"], &rows))
        }
    }
}

/// Renders the parts that change, by the id of the element that contains each.
pub(super) fn parts(store: &Store) -> BTreeMap<&'static str, Markup> {
    let state = &mut *store.state();
    let now = state.now();
    state.ledger.process_due(now);
    let purchases = state.ledger.purchases(now).iter();
    let processing = purchases.filter(|purchase| purchase.status == Status::Processing).count();
    let faults = state.faults.armed().len();
    let status = html! {
        (counted(faults, "fault armed", "faults armed")) " · "
        (counted(processing, "purchase in progress", "purchases in progress"))
    };
    BTreeMap::from([
        ("status", status),
        ("requests", requests(state)),
        ("armed", armed(state.faults.armed())),
        ("purchases", purchase_table(state, now)),
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

fn table(caption: &str, heads: &[&str], rows: &[Markup]) -> Markup {
    let is_number = |head: &str| matches!(head, "Points" | "Took");
    html! {
        @if rows.is_empty() {
            p.quiet { "None yet." }
        } @else {
            table {
                caption { (caption) }
                thead {
                    tr {
                        @for head in heads { th scope="col" class=[is_number(head).then_some("number")] { (head) } }
                    }
                }
                tbody { @for row in rows { (row) } }
            }
        }
    }
}

fn requests(state: &mut State) -> Markup {
    let now = state.now();
    let names = names(state, now);
    let entries = state.log.entries().iter().rev().take(SHOWN);
    let rows: Vec<Markup> = entries.map(|entry| request(entry, &names)).collect();
    table("Requests, newest first", &["Time", "Request", "Member", "Status", "Took", "Fault"], &rows)
}

fn request(entry: &RequestEntry, names: &BTreeMap<Uuid, String>) -> Markup {
    let member = entry.contact_id.map(|id| names.get(&id).cloned().unwrap_or_else(|| id.to_string()));
    let (class, status) = match entry.status {
        None => ("failed", "none".to_owned()),
        Some(status @ 200..=299) => ("passed", status.to_string()),
        Some(status) => ("skipped", status.to_string()),
    };
    let title = entry
        .operation
        .map_or_else(|| format!("{} {}", entry.method, entry.path), |operation| label(operation).to_owned());
    html! {
        tr {
            td { (clock_time(entry.time)) }
            td {
                details id={ "r" (entry.seq) } {
                    summary id={ "s" (entry.seq) } { (title) }
                    pre { (exchange(entry)) }
                }
            }
            td { (member.unwrap_or_default()) }
            td { span class={ "badge " (class) } { (status) } }
            td.number { (entry.took_ms.map(|ms| format!("{ms} ms")).unwrap_or_default()) }
            td { (entry.fault.map(spaced).unwrap_or_default()) }
        }
    }
}

/// Returns a request and its response as HTTP text.
fn exchange(entry: &RequestEntry) -> String {
    let status = entry.status.map_or_else(|| "no response".to_owned(), |status| format!("HTTP/1.1 {status}"));
    let (request, response) = (message(&entry.request), message(&entry.response));
    format!("{} {}\n{request}\n\n{status}\n{response}", entry.method, entry.path)
}

fn message(message: &Message) -> String {
    let headers = message.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        format!("{name}: {}\n", if value == HIDDEN { "(hidden)" } else { &*value })
    });
    headers.collect::<String>() + &String::from_utf8_lossy(&message.body)
}

fn label(operation: Operation) -> &'static str {
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

/// Turns `resetBeforeCommit` into `reset before commit`.
fn spaced(name: &str) -> String {
    let spaced = name.chars().flat_map(|letter| {
        let space = letter.is_uppercase().then_some(' ');
        space.into_iter().chain(letter.to_lowercase())
    });
    spaced.collect()
}

fn armed(faults: &[ArmedFault]) -> Markup {
    let times = |armed: &ArmedFault| match armed.fault.on.times {
        0 => "every".to_owned(),
        times => format!("{times} ×"),
    };
    html! {
        @if faults.is_empty() {
            p.quiet { "No fault is armed." }
        } @else {
            ul.armed {
                @for armed in faults {
                    li {
                        b { (label(armed.fault.on.operation)) } ", " (times(armed)) ": "
                        (spaced(armed.fault.effect.name())) " "
                        span.quiet { "applied " (armed.applied) " ×" }
                    }
                }
            }
        }
    }
}

fn purchase_table(state: &mut State, now: Time) -> Markup {
    let names = names(state, now);
    let assignments: BTreeMap<Uuid, Assignment> =
        state.ledger.assignments(now).iter().map(|assignment| (assignment.purchase_id, assignment.clone())).collect();
    let newest: Vec<Purchase> = state.ledger.purchases(now).iter().rev().take(SHOWN).cloned().collect();
    let items = state.ledger.items();
    let rows: Vec<Markup> = newest.iter().map(|purchase| purchase_row(purchase, &names, &assignments, items)).collect();
    table("Purchases, newest first", &["Time", "Member", "Item", "Points", "Purchase", "Reward"], &rows)
}

fn purchase_row(
    purchase: &Purchase,
    names: &BTreeMap<Uuid, String>,
    assignments: &BTreeMap<Uuid, Assignment>,
    items: &[Item],
) -> Markup {
    let (class, status) = match purchase.status {
        Status::Processing => ("skipped", "Processing"),
        Status::Completed => ("passed", "Completed"),
        Status::Failed => ("failed", "Failed"),
    };
    let reward = assignments.get(&purchase.purchase_id).map(|assignment| match assignment.redeemed_on {
        None => "ready".to_owned(),
        Some(time) => format!("redeemed {}", clock_time(time)),
    });
    html! {
        tr {
            td { (clock_time(purchase.created_on)) }
            td { (names.get(&purchase.contact_id).map_or("", String::as_str)) }
            td title=(purchase.purchase_id) {
                (items.iter().find(|item| item.id == purchase.item_id).map_or("", |item| &item.name))
            }
            td.number { (purchase.cost) }
            td { span class={ "badge " (class) } { (status) } }
            td { (reward.unwrap_or_default()) }
        }
    }
}

fn members(state: &mut State, now: Time) -> Markup {
    let row = |account: &Account| {
        html! {
            tr {
                td { (name(account)) br; code { (account.member.contact_id) } }
                td.number {
                    (account.balance)
                    @if account.held > 0 { " " span.quiet { "(" (account.held) " held)" } }
                }
            }
        }
    };
    let rows: Vec<Markup> = state.ledger.accounts(now).map(row).collect();
    table("Members and their points", &["Member", "Points"], &rows)
}

fn names(state: &mut State, now: Time) -> BTreeMap<Uuid, String> {
    state.ledger.accounts(now).map(|account| (account.member.contact_id, name(account))).collect()
}

fn name(account: &Account) -> String {
    match &*account.member.name {
        "" => account.member.contact_id.to_string(),
        name => name.to_owned(),
    }
}

fn clock(state: &State, now: Time) -> Markup {
    let text = now.to_string();
    let offset = state.clock.offset_ms() / 1000;
    let difference = match (state.clock.is_frozen(), offset.abs()) {
        (true, _) => "frozen".to_owned(),
        (false, 0) => "the computer’s".to_owned(),
        (false, seconds) => {
            let direction = if offset > 0 { "ahead" } else { "behind" };
            format!("{} d {} h {} min {direction}", seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60)
        }
    };
    html! {
        p { b { (text[..10]) " " (text[11..19]) } " UTC " span.quiet { (difference) } }
    }
}

fn verdict(state: &State) -> Markup {
    let Some((time, verdict)) = &state.verdict else {
        return html! { p.quiet { "No till was judged yet." } };
    };
    let at = clock_time(*time);
    match verdict {
        Err(why) => html! { p { span.badge.failed { "invalid" } " " (at) ": " (why) } },
        Ok(verdict) => {
            let (class, result) = if verdict.pass { ("passed", "pass") } else { ("failed", "fail") };
            let found = verdict.found;
            html! {
                p {
                    span class={ "badge " (class) } { (result) } " " (at) ": "
                    (counted(found.operations, "operation", "operations")) ", " (found.pending) " pending; "
                    (counted(found.deductions, "deduction", "deductions"))
                }
                ul.reasons { @for (rule, why) in verdict.reasons() { li { (rule) ": " (why) } } }
            }
        }
    }
}

/// Returns the time of day.
fn clock_time(time: Time) -> String {
    time.to_string()[11..19].to_owned()
}
