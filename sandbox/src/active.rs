//! Everything of a store that differs from its start, in words. The dashboard's bar, the command
//! line and the route of the status use the same ones.

use std::fmt;
use std::sync::atomic::Ordering;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::api_mapping::ApiMapping;
use crate::clock::Clock;
use crate::effects::{CERTIFICATES, name_of};
use crate::fault::{ActiveChaos, ArmedFault, ChaosRate, Operation};
use crate::store::{Settings, Store};
use crate::tls::{Tls, TlsFault};
use crate::world::World;

/// Something active.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Active {
    /// The number of a fault, or the name of a setting.
    pub id: String,
    /// The name, such as `response-lost` or `world`.
    pub name: String,
    /// The requests that it applies to, or the value.
    pub extent: String,
    /// What has happened so far; empty: nothing is counted.
    pub count: String,
    /// Whether it disturbs requests. Otherwise it is a setting.
    pub disturbs: bool,
}

impl Active {
    fn new(id: &str, name: &str, extent: String) -> Active {
        Active { id: id.to_owned(), name: name.to_owned(), extent, count: String::new(), disturbs: false }
    }

    fn disturbing(id: &str, name: &str, extent: String) -> Active {
        Active { disturbs: true, ..Active::new(id, name, extent) }
    }

    /// Returns the extent and the count.
    pub fn details(&self) -> String {
        let count = self.count.as_str();
        if count.is_empty() { self.extent.clone() } else { format!("{}; {count}", self.extent) }
    }

    fn is_fault(&self) -> bool {
        self.id.bytes().all(|byte| byte.is_ascii_digit())
    }

    /// Returns whether `other` is the same one. The extent of a fault shrinks with each request.
    fn is_same(&self, other: &Active) -> bool {
        self.id == other.id && (self.is_fault() || (&self.name, &self.extent) == (&other.name, &other.extent))
    }
}

/// Formats it as a line for a person.
impl fmt::Display for Active {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.details())?;
        if self.is_fault() { write!(f, " (fault {})", self.id) } else { Ok(()) }
    }
}

/// What a reset has done, whatever was active.
pub const RESET: &str = "the store is reset";

/// What an undone reset has done.
pub const RESET_UNDONE: &str = "the reset is undone";

/// Returns what a command or a click has done and changed, one line each.
pub fn changes(done: Option<&str>, before: &[Active], after: &[Active]) -> Vec<String> {
    let only_in = |these: &'_ [Active], those: &[Active]| -> Vec<Active> {
        these.iter().filter(|one| those.iter().all(|other| !other.is_same(one))).cloned().collect()
    };
    let of_id = |all: &[Active], id: &str| all.iter().position(|one| one.id == id);
    let (ended, begun) = (only_in(before, after), only_in(after, before));
    let off = ended.iter().filter(|one| of_id(&begun, &one.id).is_none()).map(|one| match one.is_fault() {
        true => format!("off: {} (fault {})", one.name, one.id),
        false => format!("off: {} {}", one.name, one.extent),
    });
    let on = begun.iter().map(|one| match of_id(&ended, &one.id) {
        Some(at) => format!("{one}, in place of {}", ended[at].extent),
        None => one.to_string(),
    });
    let lines: Vec<String> = done.map(str::to_owned).into_iter().chain(off).chain(on).collect();
    if lines.is_empty() { vec!["nothing has changed".to_owned()] } else { lines }
}

/// Returns everything that is active.
pub(crate) fn active(store: &Store, tls: &Tls) -> Vec<Active> {
    let mut active: Vec<Active> = store.faults().iter().map(of_fault).collect();
    active.extend(store.chaos().as_ref().map(of_chaos));
    active.extend(tls.armed().into_iter().map(of_certificate));
    active.extend(of_settings(&store.settings(), &store.start_settings()));
    let clock = store.clock();
    if clock != Clock::default() {
        active.push(Active::new("clock", "clock", clock_text(clock)));
    }
    if let Some(set) = store.webhook() {
        let (delivered, failed) = (set.delivered.load(Ordering::Relaxed), set.failed.load(Ordering::Relaxed));
        let count = format!("{delivered} delivered, {failed} failed");
        active.push(Active { count, ..Active::new("webhook", "webhook", set.webhook.url.clone()) });
    }
    active
}

/// Returns the name of a kind of request.
pub(crate) fn operation_name(operation: Operation) -> String {
    json!(operation).as_str().unwrap_or_default().to_owned()
}

fn of_fault(armed: &ArmedFault) -> Active {
    let on = &armed.fault.on;
    let kind = match on.operation {
        Operation::Any => String::new(),
        named => format!("{} ", operation_name(named)),
    };
    let left = u64::from(on.times).saturating_sub(armed.applied);
    let requests = match (on.times, left) {
        (0, _) => format!("every {kind}request"),
        (_, 1) => format!("next {kind}request"),
        (_, left) => format!("next {left} {kind}requests"),
    };
    let only = if on.contact_id.is_some() || on.item_id.is_some() { " of one member or item" } else { "" };
    let is_counted = on.times == 0 && armed.applied > 0;
    let count = if is_counted { format!("{} so far", armed.applied) } else { String::new() };
    let name = name_of(&armed.fault.effect);
    Active { count, ..Active::disturbing(&armed.id.to_string(), name, format!("{requests}{only}")) }
}

fn of_chaos(active: &ActiveChaos) -> Active {
    let part = |ChaosRate { rate, operation, effect }: &ChaosRate| {
        let of = match operation {
            Operation::Any => "all".to_owned(),
            named => format!("the {}", operation_name(*named)),
        };
        format!("{} % of {of} requests get {}", (rate * 100_000.0).round() / 1000.0, name_of(effect))
    };
    let parts: Vec<String> = active.chaos.rates.iter().map(part).collect();
    let extent = if parts.is_empty() { "no request".to_owned() } else { parts.join(", ") };
    let count = format!("{} of {} requests hit so far", active.applied, active.seen);
    Active { count, ..Active::disturbing("chaos", "chaos", extent) }
}

fn of_certificate(fault: TlsFault) -> Active {
    let name = CERTIFICATES.iter().find(|(_, certificate, _)| *certificate == fault.certificate);
    let extent = match fault.connections {
        0 => "every connection".to_owned(),
        1 => "next connection".to_owned(),
        more => format!("next {more} connections"),
    };
    Active::disturbing("certificates", name.map_or("certificate", |(name, ..)| name), extent)
}

fn of_settings(settings: &Settings, start: &Settings) -> Vec<Active> {
    let mut active = Vec::new();
    if settings.requests_per_second != start.requests_per_second {
        let limit = settings.requests_per_second.map_or_else(|| "off".to_owned(), |limit| format!("{limit}/s"));
        active.push(Active::new("limit", "limit", limit));
    }
    if settings.redeem_gives_up_after_ms != start.redeem_gives_up_after_ms {
        let extent = format!("a redeem ends after {} ms", settings.redeem_gives_up_after_ms);
        active.push(Active::new("redeem-limit", "limit", extent));
    }
    if settings.world != World::default() {
        let world = settings.world.name().map_or_else(|| changed_names(&settings.world, &start.world), str::to_owned);
        active.push(Active::new("world", "world", world));
    }
    if settings.api_mapping != start.api_mapping {
        let changed = changed_names::<ApiMapping>(&settings.api_mapping, &start.api_mapping);
        active.push(Active::new("api-mapping", "API mapping", changed));
    }
    active
}

/// Returns the members that differ from the start, and their values.
fn changed_names<T: Serialize>(now: &T, start: &T) -> String {
    let (now, start) = (json!(now), json!(start));
    let changed = now.as_object().into_iter().flatten().filter(|(name, value)| start[name.as_str()] != **value);
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    };
    changed.map(|(name, new)| format!("{name} {}", text(new))).collect::<Vec<_>>().join(", ")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_names_what_it_replaces_and_ends() {
        let world = |name: &str| Active::new("world", "world", name.to_owned());
        let fault = |id, extent: &str| Active::disturbing(id, "slow", extent.to_owned());
        let webhook =
            |count: &str| Active { count: count.to_owned(), ..Active::new("webhook", "webhook", "u".to_owned()) };
        for (before, after, expected) in [
            (vec![], vec![world("a")], "world: a"),
            (vec![world("a")], vec![world("b")], "world: b, in place of a"),
            (vec![world("a")], vec![], "off: world a"),
            (vec![fault("1", "next 2 requests")], vec![fault("1", "next request")], "nothing has changed"),
            (vec![fault("1", "next request")], vec![], "off: slow (fault 1)"),
            (vec![webhook("1 delivered")], vec![webhook("2 delivered")], "nothing has changed"),
        ] {
            assert_eq!(changes(None, &before, &after).join("\n"), expected);
        }
        assert_eq!(changes(Some(RESET), &[world("a")], &[]), [RESET, "off: world a"]);
        assert_eq!(changes(Some(RESET), &[], &[]), [RESET]);
    }
}
