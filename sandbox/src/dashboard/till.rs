//! The page of the till: a sale with the library itself, the journal's state beside it, and what
//! Engage has seen.

use maud::{Markup, html};
use serde_json::Value;

use super::controls;
use super::page::{At, Parts, Tab, clock_time, counted, list, names, section};
use crate::active::operation_name;
use crate::barcode;
use crate::clock::Time;
use crate::ledger::Account;
use crate::store::Store;
use crate::till::{Member, Receipt, Sale, Screen, title_of};

/// The width of a receipt, in characters.
const COLUMNS: usize = 42;

/// The requests and the operations that are shown, newest first.
const SHOWN: usize = 12;

/// Renders the page.
pub(super) fn page(at: At<'_>, store: &Store, parts: &Parts) -> Markup {
    html! {
        h1.hidden { "Till" }
        div.sale {
            (section("find", "Member", &find(at, store)))
            div #offers { (parts["offers"]) }
        }
        div #outcome role="region" aria-label="Sale" { (parts["outcome"]) }
        div.journal-side {
            (section("journal-section", "The till's journal", &html! {
                (list("journal", "The till's journal", &parts["journal"]))
                form.row method="post" action=(at.form("till-restart")) { button.small #restart { "Restart the till" } }
            }))
            (section("seen", "What Engage saw", &list("saw", "What Engage saw", &parts["saw"])))
        }
        (controls::controls(at, store))
    }
}

/// Renders the parts that change.
pub(super) fn parts(store: &Store, screen: Result<Screen, String>) -> Parts {
    let at = At { key: store.api_key(), tab: Tab::Till };
    let (screen, failed) = match screen {
        Ok(screen) => (screen, None),
        Err(why) => (Screen::default(), Some(why)),
    };
    let closed = failed.or_else(|| screen.closed.clone());
    Parts::from([
        ("offers", offers(at, store, &screen)),
        ("outcome", outcome(at, &screen)),
        ("journal", journal(at, &screen, closed.as_deref())),
        ("saw", saw(at, store)),
    ])
}

fn find(at: At<'_>, store: &Store) -> Markup {
    let state = &mut *store.state();
    let now = state.now();
    // The magic members have faults of their own.
    let usual: Vec<Account> =
        state.ledger.accounts(now).filter(|account| account.member.faults.is_empty()).take(4).cloned().collect();
    html! {
        form.row method="post" action=(at.form("till-find")) {
            input #find-member name="member" required autocomplete="off" spellcheck="false"
                placeholder="E-mail, phone, card" aria-label="Member: e-mail, phone number, or the scanned card";
            button.main #find-button { "Find" }
        }
        form.row method="post" action=(at.form("till-find")) {
            @for (name, key) in usual.iter().filter_map(|account| Some((&account.member.name, account.member.custom_key.as_ref()?))) {
                button.small id={ "member-" (key) } name="member" value=(key) { (name) }
            }
        }
    }
}

fn offers(at: At<'_>, store: &Store, screen: &Screen) -> Markup {
    if let Some(problem) = &screen.session.problem {
        return html! { div.notice.failed role="alert" { b { (text(problem, "forCashier")) } p { (text(problem, "message")) } } };
    }
    let Some(member) = &screen.session.member else {
        return html! { p.quiet { "Find a member to see the offers. Every call goes through the library to the sandbox." } };
    };
    let name = names(&mut store.state()).get(&member.contact.uuid()).cloned().unwrap_or_default();
    html! {
        h2 { (name) span.points { (points(member)) } }
        form.offers method="post" action=(at.form("till-buy")) {
            @for offer in &member.offers { (offer_card(offer, member)) }
        }
    }
}

fn points(member: &Member) -> String {
    member.points.map_or_else(|| "points unknown".to_owned(), |points| format!("{points:.0} points"))
}

fn offer_card(offer: &Value, member: &Member) -> Markup {
    let (id, cost) = (text(offer, "id"), offer["cost"].as_f64().unwrap_or_default());
    let presentation = &offer["presentation"];
    // A picture of the sandbox has the address of the till's connection.
    let picture = presentation["imageUrl"].as_str().and_then(|url| url.find("/_sandbox/").map(|at| &url[at..]));
    let title = title_of(offer);
    let description = presentation["description"].as_str().filter(|description| *description != title);
    let short = member.points.is_some_and(|points| points < cost);
    html! {
        button.offer id={ "buy-" (id) } name="item" value=(id) {
            @if let Some(picture) = picture {
                img src=(picture) alt="" width="48" height="48";
            } @else {
                span.initial aria-hidden="true" { (title.chars().next().unwrap_or(' ')) }
            }
            span { b { (title) } @if let Some(description) = description { small { (description) } } }
            span.cost.short[short] { (cost) " p" }
        }
    }
}

fn outcome(at: At<'_>, screen: &Screen) -> Markup {
    let session = &screen.session;
    html! {
        @if let Some(sale) = &session.sale { (sale_state(at, sale, &screen.journal)) }
        @if let Some(receipt) = &session.receipt { (receipt_paper(at, receipt, session.sale.as_ref())) }
        (pending_explained(session.sale.is_none() && session.receipt.is_none()))
    }
}

/// Explains a pending sale, step by step. It is open until the first sale.
fn pending_explained(is_open: bool) -> Markup {
    html! {
        details.hint #pending-explained open[is_open] {
            summary { h2 { "What pending means, in two minutes" } }
            p { "Pending: the points may be deducted or not, and the till does not know yet. It finds out by itself. Let the customer go, and do not sell the reward again." }
            ol.steps {
                li { "Find Astrid, and buy the free coffee: " b { "completed" } ", the receipt is printed." }
                li { "Arm " b { "response-lost" } " for the next purchase, and buy again: the connection breaks after Engage has deducted. The library asks Engage, and the sale is " b { "completed" } " within the cashier's wait of 3 s." }
                li { "Arm " b { "no-response" } " for the next purchase, and buy again: after 3 s the sale is " b { "pending" } ". The journal resolves it by itself." }
                li { "Buy the expired promotion: Engage rejects it, and the sale is " b { "declined" } ". Nothing was deducted." }
            }
        }
    }
}

/// Renders the outcome of the sale: the result of the press, and the journal's state if it differs.
fn sale_state(at: At<'_>, sale: &Sale, journal: &[Value]) -> Markup {
    let id = &sale.result["operationId"];
    let operation = journal.iter().find(|operation| operation["operationId"] == *id);
    let outcome = text(operation.unwrap_or(&sale.result), "outcome");
    let shown = operation.unwrap_or(&sale.result);
    let cashier = text(shown, "forCashier");
    let was_pending = sale.result["outcome"] == "pending";
    html! {
        div.outcome.(class_of(outcome)) {
            p.quiet { (sale.title) " · receipt " (sale.reference) }
            h2 #sale-outcome { (outcome_name(outcome)) @if was_pending && outcome != "pending" { ", after it was pending" } }
            @if !cashier.is_empty() { p { b { "Cashier: " } (cashier) } }
            @if !text(shown, "forMember").is_empty() && outcome != "completed" { p { b { "Member: " } (text(shown, "forMember")) } }
            @if outcome != "completed" && !text(&sale.result, "message").is_empty() { p.quiet { code { (text(&sale.result, "name")) } ": " (text(&sale.result, "message")) } }
            @if outcome == "pending" { (next_query(shown)) }
            div.row {
                @if matches!(outcome, "pending" | "notSent") {
                    form method="post" action=(at.form("till-press-again")) { button #press-again { "Press the same sale again" } }
                }
                @if outcome == "completed" && is_open(shown) { (print_button(at, text(shown, "operationId"))) }
            }
            @if let Some(redeem) = &sale.redeem {
                p #redeem-outcome { b { "Use of the reward: " } (outcome_name(text(redeem, "outcome"))) }
            }
        }
    }
}

fn next_query(operation: &Value) -> Markup {
    html! {
        p.quiet {
            (effort(operation)) " so far. Engage is asked again by itself. Let the sale go on."
        }
    }
}

fn print_button(at: At<'_>, operation: &str) -> Markup {
    html! {
        form method="post" action=(at.form("till-print")) {
            input type="hidden" name="operation" value=(operation);
            button.small id={ "print-" (operation) } { "Print and acknowledge" }
        }
    }
}

fn receipt_paper(at: At<'_>, receipt: &Receipt, sale: Option<&Sale>) -> Markup {
    let code = receipt.reward["receipt"]["barcode"].as_str();
    let is_certain = receipt.reward["assignmentId"].is_string();
    let is_current = sale.is_some_and(|sale| receipt.operation["reference"] == sale.reference.as_str());
    html! {
        div.paper {
            pre #receipt tabindex="0" { (receipt_text(receipt)) }
            @if let Some(code) = code {
                @if let Some(drawing) = barcode::draw(code) { (drawing) }
                p.digits { (code) }
            }
        }
        @if is_certain && is_current && sale.is_some_and(|sale| sale.redeem.is_none()) {
            form method="post" action=(at.form("till-redeem")) { button #redeem { "Use the reward on this receipt" } }
        }
    }
}

/// Returns the text of a receipt.
fn receipt_text(receipt: &Receipt) -> String {
    let (operation, reward) = (&receipt.operation, &receipt.reward["receipt"]);
    let time = Time::from_millis(operation["resolvedAtMs"].as_i64().unwrap_or_default()).to_string();
    let rule = "-".repeat(COLUMNS);
    let cost = operation["purchase"]["cost"].as_f64().map(|cost| format!("-{cost:.0} p")).unwrap_or_default();
    let mut lines = vec![
        centred("THE SANDBOX SHOP"),
        rule.clone(),
        two_ends(text(operation, "reference"), &format!("{} {}", &time[..10], &time[11..19])),
        String::new(),
    ];
    lines.push(two_ends(&receipt.title, &cost));
    if let Some(points) = receipt.points {
        lines.push(two_ends("Points left", &format!("{points:.0} p")));
    }
    lines.push(rule);
    if reward.is_null() {
        let certainty = receipt.reward["certainty"].as_str().unwrap_or("unknown");
        lines.extend(wrapped(&format!("The reward is not certain yet ({certainty}). See the member's rewards.")));
    } else {
        lines.push(centred("YOUR REWARD"));
        lines.extend(wrapped(text(reward, "description")));
        if let Some(value) = value_text(&reward["value"]) {
            lines.push(two_ends("Value", &value));
        }
        if let Some(date) = reward["expiresOn"].as_str() {
            lines.push(two_ends("Valid until", date.get(..10).unwrap_or(date)));
        }
        lines.extend(wrapped(text(reward, "instruction")));
    }
    lines.join("\n")
}

fn value_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(format!("{number} %")),
        Value::Object(_) => Some(format!("{} {}", value["amount"], text(value, "currency"))),
        _ => None,
    }
}

fn centred(text: &str) -> String {
    format!("{text:^COLUMNS$}").trim_end().to_owned()
}

/// Returns a line with a text at each end. The left one is cut where it is too long.
fn two_ends(left: &str, right: &str) -> String {
    let width = COLUMNS.saturating_sub(right.chars().count() + 1);
    let left: String = left.chars().take(width).collect();
    format!("{left:width$} {right}")
}

/// Returns a text in lines of the receipt's width.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let word: String = word.chars().take(COLUMNS).collect();
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= COLUMNS => {
                line.push(' ');
                line.push_str(&word);
            }
            _ => lines.push(word),
        }
    }
    lines
}

fn journal(at: At<'_>, screen: &Screen, closed: Option<&str>) -> Markup {
    let path = text(&screen.config, "journalPath");
    let is_shown = |operation: &Value| {
        screen.session.sale.as_ref().is_some_and(|sale| sale.result["operationId"] == operation["operationId"])
    };
    html! {
        @if let Some(why) = closed { p.notice.failed { (why) } }
        @if screen.journal.is_empty() { p.quiet { "Empty. A sale is recorded here before its first request leaves." } }
        @else {
            ul.operations {
                @for operation in screen.journal.iter().take(SHOWN) {
                    li {
                        span class={ "badge " (class_of(text(operation, "outcome"))) } { (outcome_name(text(operation, "outcome"))) }
                        span {
                            b { (text(operation, "reference")) } " " (text(operation, "kind"))
                            small {
                                (effort(operation)) ", "
                                @if !is_open(operation) { "acknowledged" } @else if operation["outcome"] == "pending" { "being resolved" } @else { "not acknowledged" }
                            }
                        }
                        @if operation["outcome"] == "completed" && is_open(operation) && !is_shown(operation) {
                            (print_button(at, text(operation, "operationId")))
                        }
                    }
                }
            }
        }
        @if !path.is_empty() { p.quiet.path { code { (path) } } }
    }
}

/// Renders the newest requests of the till.
fn saw(at: At<'_>, store: &Store) -> Markup {
    let state = store.state();
    let entries = state.log.entries().iter().rev().take(SHOWN);
    html! {
        ul.operations {
            @for entry in entries {
                @let status = entry.status.map_or_else(|| "none".to_owned(), |status| status.to_string());
                @let class = match entry.status { Some(200..=299) => "passed", Some(..500) => "skipped", _ => "failed" };
                li {
                    span class={ "badge " (class) } { (status) }
                    a href={ (at.address("/")) "&request=" (entry.seq) } {
                        (clock_time(entry.time)) " " (entry.operation.map_or_else(|| entry.path.clone(), operation_name))
                    }
                    @if let Some(fault) = entry.fault { span.fault { (fault) } }
                }
            }
        }
    }
}

/// Returns the number of attempts and of status queries.
fn effort(operation: &Value) -> String {
    let number =
        |name: &str| operation[name].as_u64().and_then(|number| usize::try_from(number).ok()).unwrap_or_default();
    let queries = number("retryCount");
    let attempts = counted(number("attempts"), "attempt", "attempts");
    if queries == 0 { attempts } else { format!("{attempts}, {}", counted(queries, "status query", "status queries")) }
}

fn is_open(operation: &Value) -> bool {
    operation["acknowledgedAtMs"].is_null()
}

fn class_of(outcome: &str) -> &'static str {
    match outcome {
        "completed" => "passed",
        "pending" => "skipped",
        "declined" => "failed",
        _ => "plain",
    }
}

fn outcome_name(outcome: &str) -> &str {
    match outcome {
        "notSent" => "not sent",
        "" => "failed",
        other => other,
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_of_a_receipt_fits() {
        let long = "ett mycket långt ord och Nyårsaftonsfirandebiljettsförsäljningskassan i mitten";
        let lines = wrapped(long);
        assert!(lines.len() > 2 && lines.iter().all(|line| line.chars().count() <= COLUMNS), "{lines:?}");
        assert_eq!(two_ends(long, "-100 p").chars().count(), COLUMNS);
        assert_eq!(two_ends("Å", "1 p"), format!("Å{}1 p", " ".repeat(38)));
        assert_eq!(centred("AB"), format!("{}AB", " ".repeat(20)));
    }
}
