//! A store server's day: 100,000 purchases of 64 threads on one client. Memory, descriptors and
//! threads must not grow.

use super::lab::{How, Lab};
use super::prepare::Shipped;
use crate::run::Result;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

const THREADS: usize = 64;
const OPERATIONS: usize = 100_000;

/// What a process has at a moment.
#[derive(Clone, Copy, Default)]
pub struct Use {
    pub resident_mb: f64,
    pub descriptors: usize,
    pub threads: usize,
}

/// The use at the start, and the highest in each quarter of the run.
pub struct Day {
    pub operations: usize,
    pub start: Use,
    pub quarters: [Use; 4],
}

pub fn measure(lab: &Lab, built: &Shipped, quick: bool) -> Result<Day> {
    let operations = if quick { OPERATIONS / 50 } else { OPERATIONS };
    let shop = built
        .shop()
        .with("EPS_BENCH_JOURNAL", lab.folder.join("day.db"))
        .with("EPS_BENCH_THREADS", THREADS.to_string());
    let how = How { base: &lab.base, ca: &lab.ca, pinned: false };
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let mut watch = None;
        how.run_after(&shop, "purchase", operations / THREADS, |process| {
            let ended = &ended;
            watch = Some((used(process), scope.spawn(move || watched(process, ended))));
            Ok(())
        })?;
        ended.store(true, Ordering::Relaxed);
        let (start, watch) = watch.ok_or("the run did not begin")?;
        let seen = watch.join().map_err(|_| "the watch panicked")?;
        Ok(Day { operations, start, quarters: quarters(&seen) })
    })
}

/// Reads the use of a process until the run has ended.
fn watched(process: u32, ended: &AtomicBool) -> Vec<Use> {
    let mut seen = Vec::new();
    while !ended.load(Ordering::Relaxed) {
        seen.push(used(process));
        thread::sleep(Duration::from_millis(100));
    }
    // The process may have ended during the last ones.
    seen.retain(|each| each.threads > THREADS);
    seen
}

fn quarters(seen: &[Use]) -> [Use; 4] {
    let length = seen.len().div_ceil(4).max(1);
    let mut parts = seen.chunks(length);
    [(); 4].map(|()| {
        parts.next().unwrap_or_default().iter().fold(Use::default(), |most, each| Use {
            resident_mb: most.resident_mb.max(each.resident_mb),
            descriptors: most.descriptors.max(each.descriptors),
            threads: most.threads.max(each.threads),
        })
    })
}

fn used(process: u32) -> Use {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let number = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.split_whitespace().next().and_then(|it| it.parse().ok()).unwrap_or(0_u32)
    };
    Use {
        resident_mb: f64::from(number("VmRSS:")) / 1e3,
        descriptors: fs::read_dir(format!("/proc/{process}/fd")).map_or(0, Iterator::count),
        threads: number("Threads:") as usize,
    }
}
