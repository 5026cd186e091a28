//! Everything that is active, and the buttons that switch it on and off. The names are those of the
//! command line.

use std::sync::atomic::Ordering;

use maud::{Markup, html};
use serde_json::{Value, json};

use super::page::{At, Tab, section};
use crate::api_mapping::ApiMapping;
use crate::clock::Clock;
use crate::effects::{CERTIFICATES, NAMED, name_of};
use crate::fault::{ArmedFault, Operation};
use crate::store::{Settings, Store};
use crate::tls::{Tls, TlsFault};
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

/// Returns the name of a kind of request.
pub(super) fn operation_name(operation: Operation) -> String {
    json!(operation).as_str().unwrap_or_default().to_owned()
}

/// Something active: its name, its extent, and the form that switches it off.
struct Active {
    id: String,
    class: &'static str,
    name: String,
    extent: String,
    action: &'static str,
    /// The fields of the form.
    fields: Vec<(&'static str, String)>,
}

impl Active {
    fn new(id: &str, name: &str, extent: String, action: &'static str, fields: &[(&'static str, &str)]) -> Active {
        let fields = fields.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Active { id: id.to_owned(), class: "setting", name: name.to_owned(), extent, action, fields }
    }
}

/// Renders everything that is active, each with its own switch-off.
pub(super) fn active(store: &Store, tls: &Tls) -> Markup {
    // The forms of this part return to the requests without the script.
    let at = At { key: store.api_key(), tab: Tab::Requests };
    let active = all_active(store, tls);
    html! {
        @if active.is_empty() {
            p.quiet { "Nothing is active: Engage behaves as documented." }
        }
        @for one in &active {
            form.chip.(one.class) method="post" action=(at.form(one.action)) {
                @for (name, value) in &one.fields { input type="hidden" name=(name) value=(value); }
                span { b { (one.name) } " " (one.extent) }
                button id={ "off-" (one.id) } aria-label={ "Switch off " (one.name) " " (one.extent) } title="Switch off" { "×" }
            }
        }
        @if active.iter().filter(|one| one.class == "trouble").count() > 1 {
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

fn all_active(store: &Store, tls: &Tls) -> Vec<Active> {
    let mut active: Vec<Active> = store.faults().iter().map(active_fault).collect();
    if let Some(chaos) = store.chaos() {
        let rates: f64 = chaos.chaos.rates.iter().map(|rate| rate.rate).sum();
        let extent = format!("{:.0} % of the requests, {} so far", rates * 100.0, chaos.applied);
        active.push(Active { class: "trouble", ..Active::new("chaos", "chaos", extent, "chaos", &[]) });
    }
    for (name, extent) in tls.armed().into_iter().map(active_certificate) {
        active
            .push(Active { class: "trouble", ..Active::new("certificates", name, extent, "clear-certificates", &[]) });
    }
    active.extend(active_settings(&store.settings(), &store.start_settings()));
    let clock = store.clock();
    if clock != Clock::default() {
        active.push(Active::new("clock", "clock", clock_text(clock), "clock", &[("change", "now")]));
    }
    if let Some(set) = store.webhook() {
        let (delivered, failed) = (set.delivered.load(Ordering::Relaxed), set.failed.load(Ordering::Relaxed));
        let extent = format!("{}, {delivered} delivered, {failed} failed", set.webhook.url);
        active.push(Active::new("webhook", "webhook", extent, "webhook", &[]));
    }
    active
}

fn active_fault(armed: &ArmedFault) -> Active {
    let on = &armed.fault.on;
    let operation = match on.operation {
        Operation::Any => "request".to_owned(),
        named => operation_name(named),
    };
    let left = u64::from(on.times).saturating_sub(armed.applied);
    let times = match (on.times, left) {
        (0, _) => format!("every {operation}, {} so far", armed.applied),
        (_, 1) => format!("next {operation}"),
        (_, left) => format!("next {left} {operation}"),
    };
    let only = if on.contact_id.is_some() || on.item_id.is_some() { " of one member or item" } else { "" };
    Active {
        class: "trouble",
        fields: vec![("id", armed.id.to_string())],
        ..Active::new(&armed.id.to_string(), name_of(&armed.fault.effect), format!("{times}{only}"), "clear", &[])
    }
}

fn active_certificate(fault: TlsFault) -> (&'static str, String) {
    let name = CERTIFICATES.iter().find(|(_, certificate, _)| *certificate == fault.certificate);
    let extent = match fault.connections {
        0 => "every connection".to_owned(),
        1 => "next connection".to_owned(),
        more => format!("next {more} connections"),
    };
    (name.map_or("certificate", |(name, ..)| name), extent)
}

fn active_settings(settings: &Settings, start: &Settings) -> Vec<Active> {
    let mut active = Vec::new();
    if settings.requests_per_second != start.requests_per_second {
        active.push(Active::new("limit", "limit", limit_text(settings), "limit", &[("rate", "start")]));
    }
    if settings.redeem_gives_up_after_ms != start.redeem_gives_up_after_ms {
        let extent = format!("a redeem ends after {} ms", settings.redeem_gives_up_after_ms);
        active.push(Active::new("redeem-limit", "limit", extent, "limit", &[("redeem", "start")]));
    }
    if settings.world != World::default() {
        let world = settings.world.name().map_or_else(|| json!(settings.world).to_string(), str::to_owned);
        active.push(Active::new("world", "world", world, "world", &[("name", "documented")]));
    }
    if settings.api_mapping != start.api_mapping {
        let changed = changed_names(&settings.api_mapping, &start.api_mapping);
        active.push(Active::new("api-mapping", "API mapping", changed, "api-mapping", &[]));
    }
    active
}

fn changed_names(mapping: &ApiMapping, start: &ApiMapping) -> String {
    let (mapping, start) = (json!(mapping), json!(start));
    let changed = mapping.as_object().into_iter().flatten().filter(|(name, value)| start[name.as_str()] != **value);
    let value = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    changed.map(|(name, new)| format!("{name} {}", value(new))).collect::<Vec<_>>().join(", ")
}

fn limit_text(settings: &Settings) -> String {
    settings.requests_per_second.map_or_else(|| "off".to_owned(), |limit| format!("{limit}/s"))
}

/// Returns the difference of a clock from the computer's.
fn clock_text(clock: Clock) -> String {
    if clock.is_frozen() {
        return format!("frozen at {}", &clock.now().to_string()[..19].replace('T', " "));
    }
    let seconds = (clock.offset_ms() + 500).div_euclid(1000);
    match seconds.abs() {
        0 => "now".to_owned(),
        away => {
            let sign = if seconds > 0 { '+' } else { '-' };
            let units = [("d", away / 86400), ("h", away / 3600 % 24), ("m", away / 60 % 60), ("s", away % 60)];
            let shown = units.into_iter().filter(|(_, number)| *number > 0);
            sign.to_string() + &shown.map(|(unit, number)| format!("{number}{unit}")).collect::<Vec<_>>().join(" ")
        }
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
