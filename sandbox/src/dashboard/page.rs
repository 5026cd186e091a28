//! The frame of every page: the tabs, the stores, the reset and the bar of everything active.

use std::collections::BTreeMap;

use maud::{DOCTYPE, Markup, html};
use uuid::Uuid;

use crate::app::App;
use crate::clock::Time;
use crate::ledger::Account;
use crate::store::{State, Store};

/// The parts of a page that change, by the id of the element that contains each.
pub(super) type Parts = BTreeMap<&'static str, Markup>;

/// A page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tab {
    Requests,
    Till,
    Store,
    Start,
}

impl Tab {
    const ALL: [(Tab, &'static str, &'static str, &'static str); 4] = [
        (Tab::Requests, "requests", "Requests", "/"),
        (Tab::Till, "till", "Till", "/_sandbox/dashboard/till"),
        (Tab::Store, "store", "Store", "/_sandbox/dashboard/store"),
        (Tab::Start, "start", "Start", "/_sandbox/dashboard/start"),
    ];

    /// Returns the page with this name; without one the requests.
    pub fn named(name: &str) -> Tab {
        Tab::ALL.iter().find(|(_, known, ..)| *known == name).map_or(Tab::Requests, |(tab, ..)| *tab)
    }

    fn row(self) -> (&'static str, &'static str, &'static str) {
        let row = Tab::ALL.iter().find(|(tab, ..)| *tab == self);
        row.map_or(("", "", ""), |(_, name, title, path)| (name, title, path))
    }

    pub fn path(self) -> &'static str {
        self.row().2
    }
}

/// A page of a store.
#[derive(Clone, Copy, Debug)]
pub(super) struct At<'a> {
    pub key: &'a str,
    pub tab: Tab,
}

impl At<'_> {
    /// Returns a path with the store's key.
    pub fn address(self, path: &str) -> String {
        format!("{path}?store={}", form_urlencoded::byte_serialize(self.key.as_bytes()).collect::<String>())
    }

    /// Returns the address of a form. The form returns to this page.
    pub fn form(self, action: &str) -> String {
        format!("{}&page={}", self.address(&format!("/_sandbox/dashboard/{action}")), self.tab.row().0)
    }
}

/// Renders a page.
pub(super) fn shell(at: At<'_>, app: &App, parts: &Parts, content: &Markup) -> Markup {
    let (name, title, _) = at.tab.row();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · engage-sandbox" }
                link rel="icon" href="data:,";
                link rel="stylesheet" href="/_sandbox/dashboard/style.css";
                script src="/_sandbox/dashboard/script.js" defer {}
            }
            body.dashboard.{ "page-" (name) } data-parts=(at.form("parts")) data-key=(at.key) {
                header {
                    p.brand { "engage-sandbox" }
                    nav.tabs aria-label="Pages" {
                        @for (tab, _, title, path) in Tab::ALL {
                            a href=(at.address(path)) aria-current=[(tab == at.tab).then_some("page")] { (title) }
                        }
                    }
                    (stores(at, app))
                    div #clock.clock { (parts["clock"]) }
                    button.plain popovertarget="reset" { "Reset…" }
                }
                div #active.active role="region" aria-label="Active" { (parts["active"]) }
                div #guide role="region" aria-label="Certification" { (parts["guide"]) }
                p #toast role="status" {}
                main { (content) }
                (reset(at))
            }
        }
    }
}

/// Renders what a person at a real till is to do for a certification.
pub(super) fn guide(app: &App, store: &Store) -> Markup {
    let Some(guide) = app.guide.get().map(|terminal| terminal.guide()) else { return html! {} };
    let at = At { key: store.api_key(), tab: Tab::Requests };
    html! {
        p { b { "Certification, scenario " (guide.scenario) } }
        @if let [first, rest @ ..] = &guide.steps[..] {
            p { (first) }
            @if !rest.is_empty() { pre #steps tabindex="0" { (rest.join("\n")) } }
        }
        @if let Some(question) = &guide.question {
            form method="post" action=(at.form("guide")) {
                input type="hidden" name="question" value=(question.number);
                p #question { (question.text.replace("Press Enter", "Click")) }
                div.row {
                    @for (typed, means) in question.choices {
                        button id={ "choice-" (typed) } name="choice" value=(typed) { (means) }
                    }
                }
            }
        } @else {
            p.quiet { "Waiting for the till." }
        }
    }
}

fn stores(at: At<'_>, app: &App) -> Markup {
    let keys: Vec<String> = app.stores().iter().map(|store| store.api_key().to_owned()).collect();
    html! {
        @if keys.len() > 1 {
            nav.stores aria-label="Stores" {
                @for key in &keys {
                    @let other = At { key, ..at };
                    a href=(other.address(at.tab.path())) aria-current=[(key == at.key).then_some("page")] { (key) }
                }
            }
        } @else {
            p.stores { "Store " code { (at.key) } }
        }
    }
}

fn reset(at: At<'_>) -> Markup {
    html! {
        div #reset popover role="dialog" aria-labelledby="reset-title" {
            h2 #reset-title { "Reset the store " code { (at.key) } "?" }
            p {
                "Members, items and points return to the start. Purchases, the request log, faults, settings and the \
                 webhook are removed. You can undo it until the next reset. Armed certificates stay: they are those \
                 of all stores."
            }
            form.row method="post" action=(at.form("reset")) {
                button.danger #reset-now autofocus { "Reset" }
                button type="button" popovertarget="reset" popovertargetaction="hide" { "Cancel" }
            }
        }
    }
}

/// Renders a section with a heading.
pub(super) fn section(id: &str, title: &str, content: &Markup) -> Markup {
    let heading = format!("h-{id}");
    html! {
        section.(id) aria-labelledby=(heading) { h2 id=(heading) { (title) } (content) }
    }
}

/// Renders a button that copies the text of an element.
pub(super) fn copy(of: &str, label: &str) -> Markup {
    html! { button.small type="button" data-copy=(of) { (label) } }
}

pub(super) fn table(caption: &str, heads: &[&str], rows: &[Markup]) -> Markup {
    let is_number = |head: &str| matches!(head, "Points");
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

/// Renders a list that scrolls by itself.
pub(super) fn list(id: &str, label: &str, content: &Markup) -> Markup {
    html! {
        div.list id=(id) tabindex="0" role="group" aria-label=(label) { (content) }
    }
}

pub(super) fn counted(count: usize, one: &str, many: &str) -> String {
    match count {
        0 => format!("no {many}"),
        1 => format!("1 {one}"),
        _ => format!("{count} {many}"),
    }
}

/// Returns the names of the members.
pub(super) fn names(state: &mut State) -> BTreeMap<Uuid, String> {
    let now = state.now();
    state.ledger.accounts(now).map(|account| (account.member.contact_id, name(account))).collect()
}

pub(super) fn name(account: &Account) -> String {
    match &*account.member.name {
        "" => account.member.contact_id.to_string(),
        name => name.to_owned(),
    }
}

/// Returns the time of day.
pub(super) fn clock_time(time: Time) -> String {
    time.to_string()[11..19].to_owned()
}
