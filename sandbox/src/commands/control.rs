//! Commands that change a running sandbox: arm and clear faults, set the clock, the limit and the
//! world, show what is active, and follow the requests.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::thread;
use std::time::Duration;

use clap::{Args, Subcommand};
use engage_sandbox::active::{Active, RESET, RESET_UNDONE, changes};
use engage_sandbox::effects::{CERTIFICATES, NAMED, named};
use engage_sandbox::http_client::Request;
use engage_sandbox::nearest::did_you_mean;
use engage_sandbox::{ClockChange, World};
use serde_json::{Value, json};

use super::{BAD_ARGUMENT, Failed, say};

/// A running sandbox.
#[derive(Debug, Args)]
pub struct At {
    /// The http address of the sandbox
    #[arg(long, value_name = "URL", env = "ENGAGE_SANDBOX", default_value = crate::DEFAULT_URL)]
    at: String,
    /// The key of the store, if the sandbox has several
    #[arg(long, value_name = "KEY")]
    store: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Arm a fault: `arm purchase response-lost --times 2`
    Arm(Arm),
    /// Give the next connections of all stores a certificate that no till should accept; off: the
    /// right one again
    Certificate {
        #[command(flatten)]
        at: At,
        #[arg(value_parser = certificates())]
        name: String,
        /// The number of connections that get it; 0: all
        #[arg(long, value_name = "N", default_value_t = 1)]
        connections: u32,
    },
    /// Disarm fault N, or all faults and chaos
    Clear {
        #[command(flatten)]
        at: At,
        /// The number of the fault
        #[arg(value_name = "N")]
        id: Option<u64>,
    },
    /// Show everything that is active, in the words of the dashboard
    Status {
        #[command(flatten)]
        at: At,
        /// Print it as JSON, with all settings
        #[arg(long)]
        json: bool,
    },
    /// Change the clock: `+1d`, `-90m`, a time such as 2030-01-01T00:00:00Z, `freeze`, `run`, `now`
    Clock {
        #[command(flatten)]
        at: At,
        #[arg(allow_hyphen_values = true)]
        change: String,
    },
    /// Restore the seed and the default settings; certificates stay, because they are those of all
    /// stores
    Reset(At),
    /// Restore the state before the last reset
    UndoReset(At),
    /// Limit the requests of the key: `10/s` or `off`
    Limit {
        #[command(flatten)]
        at: At,
        rate: String,
    },
    /// Change the undocumented behaviour: documented, late-history, paged-history, id-checked-last,
    /// id-bound-to-item
    World {
        #[command(flatten)]
        at: At,
        #[arg(value_parser = World::NAMED.map(|(name, ..)| name))]
        name: String,
    },
    /// Print each request as it arrives, with the reason of each 4xx and 5xx
    Tail(At),
    /// Open the dashboard in the browser
    Open(At),
}

#[derive(Debug, Args)]
pub struct Arm {
    #[command(flatten)]
    at: At,
    /// items, purchase, purchases, rewards, redeem, contacts, points or any
    operation: String,
    /// The effect; see the list below. Or an effect as JSON: '{"delay": {"ms": 200}}'
    effect: String,
    /// The number of requests that the fault applies to; 0: all
    #[arg(long, value_name = "N", default_value_t = 1)]
    times: u32,
    /// The first matching request that the fault applies to
    #[arg(long, value_name = "N", default_value_t = 1)]
    nth: u32,
    /// Only requests about this member
    #[arg(long, value_name = "GUID")]
    contact: Option<String>,
    /// Only purchases of this item
    #[arg(long, value_name = "GUID")]
    item: Option<String>,
}

/// Returns the list of the effects for the help.
pub fn effects() -> String {
    NAMED.iter().fold("Effects:\n".to_owned(), |mut text, effect| {
        let processed = if effect.processed { "processed" } else { "not processed" };
        let _ = writeln!(text, "  {:20} {processed}, and {}", effect.name, effect.what);
        text
    })
}

/// Carries out a command.
pub fn run(command: &Command) -> Result<(), Failed> {
    match command {
        Command::Arm(arm) => arm_fault(arm),
        Command::Certificate { at, name, connections } => certificate(at, name, *connections),
        Command::Clear { at, id: None } => at.change("DELETE", "/_sandbox/faults", None).map(drop),
        Command::Clear { at, id: Some(id) } => at.change("DELETE", &format!("/_sandbox/faults/{id}"), None).map(drop),
        Command::Status { at, json } => at.status(*json),
        Command::Clock { at, change } => {
            let now = at.send("POST", "/_sandbox/clock", Some(&clock(change)?))?;
            say(&now["now"].as_str().unwrap_or_default());
            Ok(())
        }
        Command::Reset(at) => {
            for left in at.does(Some(RESET), "POST", "/_sandbox/reset", None)? {
                say(&format!("still active: {left}"));
            }
            Ok(())
        }
        Command::UndoReset(at) => at.does(Some(RESET_UNDONE), "POST", "/_sandbox/undo-reset", None).map(drop),
        Command::Limit { at, rate } => {
            at.change("POST", "/_sandbox/limits", Some(&json!({ "requestsPerSecond": limit(rate)? }))).map(drop)
        }
        Command::World { at, name } => at.change("POST", "/_sandbox/world", Some(&json!(World::named(name)))).map(drop),
        Command::Tail(at) => at.tail(),
        Command::Open(at) => open(&at.at),
    }
}

/// Returns the names of the certificates, and `off`.
fn certificates() -> Vec<&'static str> {
    CERTIFICATES.iter().map(|(name, ..)| *name).chain(["off"]).collect()
}

fn certificate(at: &At, name: &str, connections: u32) -> Result<(), Failed> {
    let certificate = CERTIFICATES.iter().find(|(known, ..)| *known == name);
    match certificate {
        Some((_, certificate, _)) => {
            let fault = json!({ "certificate": certificate, "connections": connections });
            at.change("POST", "/_sandbox/tls", Some(&fault)).map(drop)
        }
        None => at.change("DELETE", "/_sandbox/tls", None).map(drop),
    }
}

fn arm_fault(arm: &Arm) -> Result<(), Failed> {
    let effect: Value = match named(&arm.effect) {
        Some(named) => json!(named.effect()),
        None => serde_json::from_str(&arm.effect).map_err(|_| {
            let names: Vec<&str> = NAMED.iter().map(|named| named.name).collect();
            let meant = did_you_mean(&arm.effect, names.iter().copied());
            bad(&format!("the effect {} is unknown. {meant}Use one of {}, or JSON", arm.effect, names.join(", ")))
        })?,
    };
    let mut on = json!({ "operation": arm.operation, "times": arm.times, "nth": arm.nth });
    for (name, value) in [("contactId", &arm.contact), ("itemId", &arm.item)] {
        if let Some(value) = value {
            on[name] = value.as_str().into();
        }
    }
    let armed = arm.at.send("POST", "/_sandbox/faults", Some(&json!({ "match": on, "effect": effect })))?;
    say(&format!("fault {} is armed", armed["id"]));
    Ok(())
}

/// Returns the change of the clock that a text means.
fn clock(change: &str) -> Result<Value, Failed> {
    let parsed = change.parse::<ClockChange>();
    let wrong = || bad(&format!("the clock cannot be set to {change}. Use +1d, -90m, a time, freeze, run or now"));
    parsed.map(|change| json!(change)).map_err(|()| wrong())
}

fn limit(rate: &str) -> Result<Option<u32>, Failed> {
    if rate == "off" {
        return Ok(None);
    }
    let number = rate.strip_suffix("/s").unwrap_or(rate).parse();
    number.map(Some).map_err(|_| bad(&format!("the limit {rate} is not a number of requests such as 10/s, or off")))
}

fn bad(what: &str) -> Failed {
    (BAD_ARGUMENT, what.to_owned())
}

impl At {
    /// Sends a request to the sandbox, and returns the JSON of the response.
    fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, Failed> {
        let at = self.at.trim_end_matches('/');
        let url = if at.contains("://") { format!("{at}{path}") } else { format!("http://{at}{path}") };
        let headers = self.store.as_ref().map(|key| format!("x-sandbox-store: {key}\r\n")).unwrap_or_default();
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = Request { method, url: &url, headers: &headers, body: &body, timeout: None };
        let response = request
            .send()
            .map_err(|error| (1, format!("no sandbox runs at {}: {error}. Start one, or add --at URL", self.at)))?;
        let json: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        if (200..300).contains(&response.status) {
            return Ok(json);
        }
        let error = json["error"].as_str().unwrap_or("the sandbox rejected the command");
        // The error of a value that could not be parsed does not name its field.
        let field = json["field"].as_str().filter(|field| !error.contains(*field));
        Err(bad(&field.map_or_else(|| error.to_owned(), |field| format!("{field}: {error}"))))
    }

    /// Sends a request that changes the sandbox, prints the changes, and returns everything active.
    fn change(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Vec<Active>, Failed> {
        self.does(None, method, path, body)
    }

    /// The same, and prints first what was done, whatever was active.
    fn does(&self, what: Option<&str>, method: &str, path: &str, body: Option<&Value>) -> Result<Vec<Active>, Failed> {
        let before = active(&self.send("GET", "/_sandbox/status", None)?);
        self.send(method, path, body)?;
        let after = active(&self.send("GET", "/_sandbox/status", None)?);
        for line in changes(what, &before, &after) {
            say(&line);
        }
        Ok(after)
    }

    fn status(&self, json: bool) -> Result<(), Failed> {
        let status = self.send("GET", "/_sandbox/status", None)?;
        if json {
            say(&format!("{status:#}"));
            return Ok(());
        }
        let active = active(&status);
        if active.is_empty() {
            say(&"Nothing is active: Engage behaves as documented.");
        }
        for one in active {
            say(&one);
        }
        if status["canUndoReset"] == true {
            say(&"The store was reset. The command undo-reset restores it.");
        }
        Ok(())
    }

    /// Prints the requests until the sandbox ends.
    fn tail(&self) -> Result<(), Failed> {
        let mut after = self.last_request()?;
        let mut open: Vec<u64> = Vec::new();
        loop {
            let first = open.first().map_or(after, |first| first - 1);
            let requests = self.send("GET", &format!("/_sandbox/requests?after={first}"), None)?;
            for request in requests.as_array().into_iter().flatten() {
                let seq = request["seq"].as_u64().unwrap_or_default();
                let is_new = seq > after;
                let responded = request["status"].is_number() || !request["fault"].is_null();
                if responded && (is_new || open.contains(&seq)) {
                    open.retain(|one| *one != seq);
                    // The reader, such as a pager, may end.
                    if writeln!(io::stdout(), "{}", line(request)).is_err() {
                        return Ok(());
                    }
                } else if !responded && is_new {
                    open.push(seq);
                }
                after = after.max(seq);
            }
            thread::sleep(Duration::from_millis(200));
        }
    }

    fn last_request(&self) -> Result<u64, Failed> {
        let requests = self.send("GET", "/_sandbox/requests", None)?;
        Ok(requests.as_array().and_then(|all| all.last()).and_then(|last| last["seq"].as_u64()).unwrap_or_default())
    }
}

/// Returns everything active of a status.
fn active(status: &Value) -> Vec<Active> {
    serde_json::from_value(status["active"].clone()).unwrap_or_default()
}

/// Returns a request of the log as one line.
fn line(request: &Value) -> String {
    let text = |name: &str| request[name].as_str().unwrap_or_default().to_owned();
    let status = request["status"].as_u64().map_or_else(|| "no response".to_owned(), |status| status.to_string());
    let mut line = format!("{} {} {} {status}", text("time"), text("method"), text("path"));
    if let Some(ms) = request["tookMs"].as_u64() {
        let _ = write!(line, " in {ms} ms");
    }
    for (label, name) in [("fault", "fault"), ("reason", "reason")] {
        if let Some(value) = request[name].as_str() {
            let _ = write!(line, ", {label}: {value}");
        }
    }
    line
}

/// Opens the dashboard.
fn open(url: &str) -> Result<(), Failed> {
    say(&url);
    let (program, arguments): (&str, &[&str]) = match std::env::consts::OS {
        "windows" => ("cmd", &["/C", "start", ""]),
        "macos" => ("open", &[]),
        _ => ("xdg-open", &[]),
    };
    let opened = std::process::Command::new(program).args(arguments).arg(url).status();
    match opened {
        Ok(status) if status.success() => Ok(()),
        _ => Err((1, "no browser can be opened. Open the address above".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_a_change_of_the_clock() {
        for (text, change) in [
            ("+1d", json!({ "advanceMs": 86_400_000 })),
            ("-90m", json!({ "advanceMs": -5_400_000 })),
            ("+2h", json!({ "advanceMs": 7_200_000 })),
            ("freeze", json!({ "frozen": true })),
            ("now", json!({ "offsetMs": 0, "frozen": false })),
            ("2030-01-01T00:00:00Z", json!({ "set": "2030-01-01T00:00:00.000Z" })),
        ] {
            assert_eq!(clock(text).unwrap(), change, "{text}");
        }
        for wrong in ["+d", "+1", "+1w", "-", "+9223372036854775807d", "+é"] {
            assert_eq!(clock(wrong).unwrap_err().0, BAD_ARGUMENT, "{wrong}");
        }
    }

    #[test]
    fn a_limit_is_a_rate_or_off() {
        assert_eq!(limit("10/s").unwrap(), Some(10));
        assert_eq!(limit("10").unwrap(), Some(10));
        assert_eq!(limit("off").unwrap(), None);
        assert!(limit("fast").is_err());
    }
}
