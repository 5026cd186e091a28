//! Everything that is active, and the buttons that switch it on and off. The names are those of the
//! command line.

use maud::{Markup, html};

use super::page::{At, Tab, section};
use crate::active::{Active, operation_name};
use crate::effects::{CERTIFICATES, NAMED};
use crate::fault::Operation;
use crate::store::Store;
use crate::tls::Tls;
use crate::world::World;

/// The kinds of request that a fault applies to.
pub(super) const OPERATIONS: [Operation; 8] = [
    Operation::Purchase,
    Operation::Purchases,
    Operation::Redeem,
    Operation::Rewards,
    Operation::Items,
    Operation::Contacts,
    Operation::Points,
    Operation::Any,
];

/// Renders everything that is active, each with its own switch-off.
pub(super) fn active(store: &Store, tls: &Tls) -> Markup {
    // The forms of this part return to the requests without the script.
    let at = At { key: store.api_key(), tab: Tab::Requests };
    let active = crate::active::active(store, tls);
    html! {
        @if active.is_empty() {
            p.quiet { "Nothing is active: Engage behaves as documented." }
        }
        @for one in &active {
            @let (action, field) = switch_off(one);
            form.chip.(if one.disturbs { "trouble" } else { "setting" }) method="post" action=(at.form(action)) {
                @if let Some((name, value)) = field { input type="hidden" name=(name) value=(value); }
                span { b { (one.name) } " " (one.details()) }
                button id={ "off-" (one.id) } aria-label={ "Switch off " (one.name) " " (one.extent) } title="Switch off" { "×" }
            }
        }
        @if active.iter().filter(|one| one.disturbs && one.id != "certificates").count() > 1 {
            form method="post" action=(at.form("clear")) { button.small #clear-all { "clear all faults" } }
        }
        @if store.can_undo_reset() {
            form.chip.done method="post" action=(at.form("undo-reset")) {
                span { "The store was reset." }
                button #undo-reset { "Undo" }
            }
        }
    }
}

/// Returns the form that switches it off, and the form's field.
fn switch_off(active: &Active) -> (&'static str, Option<(&'static str, &str)>) {
    match &*active.id {
        "chaos" => ("chaos", None),
        "certificates" => ("clear-certificates", None),
        "limit" => ("limit", Some(("rate", "start"))),
        "redeem-limit" => ("limit", Some(("redeem", "start"))),
        "world" => ("world", Some(("name", "documented"))),
        "api-mapping" => ("api-mapping", None),
        "clock" => ("clock", Some(("change", "now"))),
        "webhook" => ("webhook", None),
        fault => ("clear", Some(("id", fault))),
    }
}

/// Renders the store's time.
pub(super) fn clock_now(store: &Store) -> Markup {
    let now = store.clock().now().to_string();
    html! { time { (now[..10]) " " b { (now[11..19]) } " UTC" } }
}

/// Renders the buttons that arm faults and change the settings.
pub(super) fn controls(at: At<'_>, store: &Store) -> Markup {
    html! {
        div #controls.controls tabindex="0" role="region" aria-label="Faults and settings" {
            (section("faults", "Faults", &faults(at)))
            (section("certificates", "Certificates", &certificates(at)))
            (section("clock-form", "Clock", &clock(at)))
            (section("limit", "Limit", &limit(at)))
            (section("world", "World", &world(at, store)))
        }
    }
}

fn faults(at: At<'_>) -> Markup {
    html! {
        form method="post" action=(at.form("arm")) {
            div.row {
                label for="times" { "Apply to" }
                select #times name="times" {
                    option value="1" { "the next" }
                    option value="2" { "the next 2" }
                    option value="3" { "the next 3" }
                    option value="0" { "every" }
                }
                select #operation name="operation" aria-label="Kind of request" {
                    @for operation in OPERATIONS.map(operation_name) { option value=(operation) { (operation) @if operation == "any" { " request" } } }
                }
            }
            @for (processed, legend) in [(true, "Engage processes it, and"), (false, "Engage does not process it, and")] {
                fieldset {
                    legend { (legend) }
                    div.effects {
                        @for effect in NAMED.iter().filter(|effect| effect.processed == processed) {
                            button id={ "arm-" (effect.name) } name="fault" value=(effect.name) {
                                b { (effect.name) } small { (effect.what) }
                            }
                        }
                    }
                }
            }
        }
        form method="post" action=(at.form("clear")) { button.main #clear-faults { "clear all faults" } }
    }
}

fn certificates(at: At<'_>) -> Markup {
    html! {
        p.quiet { "The next TLS connection gets a certificate that no till should accept. Other connections stay open." }
        form.effects method="post" action=(at.form("certificate")) {
            @for (name, _, what) in CERTIFICATES {
                button id={ "arm-" (name) } name="certificate" value=(name) { b { (name) } small { (what) } }
            }
        }
    }
}

fn clock(at: At<'_>) -> Markup {
    html! {
        form.buttons method="post" action=(at.form("clock")) {
            @for change in ["-1d", "+1h", "+1d", "freeze", "run", "now"] {
                button id={ "clock" (change) } name="change" value=(change) { (change) }
            }
        }
    }
}

fn limit(at: At<'_>) -> Markup {
    html! {
        form.buttons method="post" action=(at.form("limit")) {
            @for rate in ["1/s", "10/s", "off"] {
                button id={ "limit-" (rate) } name="rate" value=(rate) { (rate) }
            }
        }
    }
}

fn world(at: At<'_>, store: &Store) -> Markup {
    let now = store.settings().world;
    html! {
        form.row method="post" action=(at.form("world")) {
            select #world name="name" aria-label="World" {
                @for (name, what, world) in World::NAMED {
                    option value=(name) selected[world == now] { (name) ": " (what) }
                }
            }
            button #set-world { "Set" }
        }
    }
}
