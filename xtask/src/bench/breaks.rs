//! How long a press takes that meets a broken connection.

use super::lab::{How, Lab};
use super::prepare::Shipped;
use crate::run::Result;
use std::thread;
use std::time::Duration;

/// What happens to the connection, in words and as the proxy's order, and for how many seconds
/// before the press.
const BREAKS: [(&str, &str, u64); 6] = [
    ("the server ends it (FIN) while it is idle", "end", 1),
    ("a reset while it is idle", "reset", 1),
    ("a reset as the request arrives", "reset-request", 1),
    ("a black hole for 3 s", "hole", 3),
    ("a black hole for 55 s", "hole", 55),
    ("a black hole for 10 min", "hole", 600),
];

/// A break, and the time from the press until the purchase is completed.
pub struct Break {
    pub what: &'static str,
    pub completed_ms: f64,
}

/// All breaks at the same time; most of it is waiting.
pub fn measure(lab: &Lab, built: &Shipped, quick: bool) -> Result<Vec<Break>> {
    let breaks = BREAKS.iter().filter(|(_, _, seconds)| !quick || *seconds < 10);
    thread::scope(|scope| {
        let runs: Vec<_> = breaks.map(|each| scope.spawn(move || one(lab, built, *each))).collect();
        runs.into_iter().map(|run| run.join().unwrap_or_else(|_| Err("a run panicked".to_owned()))).collect()
    })
}

fn one(lab: &Lab, built: &Shipped, (what, order, seconds): (&'static str, &str, u64)) -> Result<Break> {
    let (mut proxy, base) = lab.breaks(built)?;
    let how = How { base: &base, ca: &lab.ca, pinned: false };
    let journal = lab.folder.join(format!("{order}-{seconds}.db"));
    let sample = how.run_after(&built.shop().with("EPS_BENCH_JOURNAL", journal), "press", 1, |_| {
        proxy.order(order)?;
        // This is the idle time of the table.
        thread::sleep(Duration::from_secs(seconds));
        Ok(())
    })?;
    Ok(Break { what, completed_ms: sample.p50_us / 1e3 })
}
