//! The gate against a slower library: the instructions of six calls, which hardly differ from run
//! to run, against the ones that were recorded.

use super::lab::{Lab, Peer};
use super::lowest;
use super::prepare::Shipped;
use crate::run::{Result, root};
use std::fmt::Write;
use std::fs;

/// The recorded instructions, a line each.
const RECORD: &str = "benches/instructions.txt";
/// A call may need more instructions than recorded by this part.
const TOLERANCE: f64 = 0.03;
/// The runs of which the lowest counts: threads that wait for each other repeat some instructions.
const RUNS: usize = 3;

pub fn run(lab: &Lab, shipped: &Shipped, record: bool) -> Result {
    let path = root().join(RECORD);
    let recorded = fs::read_to_string(&path).unwrap_or_default();
    let (mut lines, mut slower) = (String::new(), Vec::new());
    for (name, task, peer) in calls(lab, shipped) {
        let counts = (0..RUNS).map(|_| lab.instructions(&peer, task)).collect::<Result<Vec<_>>>()?;
        let count = lowest(counts);
        let before = recorded_count(&recorded, name);
        let change =
            before.map_or_else(|| "new".to_owned(), |before| format!("{:+.1} %", (count / before - 1.0) * 100.0));
        println!("{name}: {count:.0} instructions ({change})");
        let _ = writeln!(lines, "{name}: {count:.0}");
        if before.is_none_or(|before| count > before * (1.0 + TOLERANCE)) {
            slower.push(name);
        }
    }
    match (record, slower.is_empty()) {
        (true, _) => fs::write(&path, lines).map_err(|error| format!("{RECORD}: {error}")),
        (false, true) => Ok(()),
        (false, false) => Err(format!(
            "more than {:.0} % over {RECORD}: {}. If the change is worth it, record it: cargo xtask bench --record",
            TOLERANCE * 100.0,
            slower.join(", ")
        )),
    }
}

fn calls(lab: &Lab, shipped: &Shipped) -> [(&'static str, &'static str, Peer); 6] {
    let shop = shipped.shop();
    let on_disk = |name| shop.with("EPS_BENCH_JOURNAL", lab.folder.join(name));
    [
        ("list of 10", "items:10", shop.clone()),
        ("list of 500", "items:500", shop.clone()),
        ("purchase, journal in memory", "purchase", shop.clone()),
        ("durable purchase", "purchase", on_disk("purchases.db")),
        ("durable redeem", "redeem", on_disk("redeems.db")),
        ("operation read from the disk", "operation", on_disk("operations.db")),
    ]
}

fn recorded_count(recorded: &str, name: &str) -> Option<f64> {
    recorded.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_count_is_found_by_its_whole_name() {
        let recorded = "list of 10: 5\nlist of 500: 7\n";
        assert_eq!(recorded_count(recorded, "list of 500"), Some(7.0));
        assert_eq!(recorded_count(recorded, "list"), None);
    }
}
