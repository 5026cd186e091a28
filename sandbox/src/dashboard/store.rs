//! The page of the store's contents: purchases, rewards, members, the judge and the magic values.

use std::collections::BTreeMap;

use maud::{Markup, html};
use uuid::Uuid;

use super::page::{At, Parts, clock_time, counted, list, name, names, section, table};
use crate::clock::Time;
use crate::ledger::{Account, Assignment, Item, Purchase, Status};
use crate::magic;
use crate::store::{State, Store};

/// The most purchases that are shown, newest first.
const SHOWN: usize = 100;

/// Renders the page.
pub(super) fn page(at: At<'_>, parts: &Parts) -> Markup {
    html! {
        div.bar {
            h1 { "Store" }
            p.links {
                a href=(at.address("/_sandbox/ledger")) { "Ledger as JSON" } " "
                a href=(at.address("/_sandbox/state")) { "State as JSON" }
            }
        }
        div.columns {
            div.column {
                (section("purchases-section", "Purchases and rewards",
                    &list("purchases", "Purchases and rewards", &parts["purchases"])))
                (section("judge", "The judge", &judge_form(at, &parts["verdict"])))
            }
            div.column {
                (section("members-section", "Members", &list("members", "Members", &parts["members"])))
                (section("magic", "Magic values", &magic_values()))
            }
        }
    }
}

/// Renders the parts that change.
pub(super) fn parts(store: &Store) -> Parts {
    let state = &mut *store.state();
    let now = state.now();
    state.ledger.process_due(now);
    Parts::from([
        ("purchases", purchase_table(state, now)),
        ("members", members(state, now)),
        ("verdict", verdict(state)),
    ])
}

fn judge_form(at: At<'_>, verdict: &Markup) -> Markup {
    html! {
        div #verdict { (verdict) }
        details {
            summary { "Judge a till" }
            form method="post" action=(at.form("judge")) {
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
    let row = |magic: magic::Magic| {
        html! { tr { td { (magic.name) br; code { (magic.id) } } td { (with_codes(magic.happens)) } } }
    };
    let rows: Vec<Markup> = magic::all().into_iter().map(row).collect();
    html! {
        details {
            summary { "Members and items that always fail in the same way" }
            (table("Magic values", &["Member or item", "Effect"], &rows))
        }
    }
}

/// Renders a text whose codes are in backticks.
fn with_codes(text: &str) -> Markup {
    html! {
        @for (at, part) in text.split('`').enumerate() {
            @if at % 2 == 0 { (part) } @else { code { (part) } }
        }
    }
}

fn purchase_table(state: &mut State, now: Time) -> Markup {
    let names = names(state);
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
