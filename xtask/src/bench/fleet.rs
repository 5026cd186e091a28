//! How the tills of a chain on one key recover, in virtual time: `eps simulate-fleet`, which runs
//! the library's own scheduler.

use super::lab::Lab;
use crate::run::{Result, cargo, output, root, run, target};
use serde_json::Value;
use std::process::Command;

const TILLS: [u32; 3] = [500, 5_000, 20_000];
const JITTERS: &str = "0,300000,1200000";
/// Pending purchases of each till, Engage's limit, and the seconds between two sales of a till.
const PENDING: &str = "3";
const RATE: &str = "200";
const SALE_EVERY: &str = "300";
/// The chain whose requests the page shows.
const DRAWN: u32 = 5_000;

/// One chain with one spread of its starts.
pub struct Fleet {
    pub tills: u32,
    pub jitter_ms: u64,
    pub requests: u64,
    pub peak: u64,
    pub rate_limited: u64,
    pub most_resolved_s: f64,
    pub sales: u64,
    pub sales_hit: u64,
}

/// Returns the chains, and the chart of one of them.
pub fn measure(lab: &Lab) -> Result<(Vec<Fleet>, String)> {
    run(cargo().args(["build", "--release", "--package", "eps", "--bin", "eps"]).current_dir(root()))?;
    let svg = lab.folder.join("fleet.svg");
    let mut fleets = Vec::new();
    for tills in TILLS {
        let mut eps = Command::new(target().join("release/eps"));
        eps.args(["simulate-fleet", "--json", "--pending", PENDING, "--rate", RATE, "--sale-every-s", SALE_EVERY]);
        eps.args(["--startup-jitter-ms", JITTERS, "--tills", &tills.to_string()]);
        if tills == DRAWN {
            eps.arg("--svg").arg(&svg);
        }
        let text = output(&mut eps)?;
        let report: Value = serde_json::from_str(&text).map_err(|error| format!("eps simulate-fleet: {error}"))?;
        fleets.extend(report["runs"].as_array().into_iter().flatten().map(|run| read(tills, run)));
    }
    let chart = std::fs::read_to_string(&svg).map_err(|error| format!("{}: {error}", svg.display()))?;
    Ok((fleets, chart))
}

fn read(tills: u32, run: &Value) -> Fleet {
    let number = |name: &str| run[name].as_u64().unwrap_or_default();
    Fleet {
        tills,
        jitter_ms: number("startupJitterMs"),
        requests: number("requests"),
        peak: number("peakRequestsPerSecond"),
        rate_limited: number("rateLimited"),
        most_resolved_s: run["99PercentResolvedMs"].as_f64().map_or(f64::NAN, |ms| ms / 1e3),
        sales: number("sales"),
        sales_hit: number("salesRateLimited"),
    }
}
