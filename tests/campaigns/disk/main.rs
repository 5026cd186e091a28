//! The journal on a bad disk, through a power cut, at unusable paths, under a jumping clock, and
//! past its retention. A shim preloaded into the till fails or records file operations. The judge
//! compares the journal with the till's output.

mod fixture;
mod io_faults;
mod journal_paths;
mod power_cuts;
mod retention;
mod shim;

#[path = "../../support/journal_format.rs"]
mod journal_format;
#[allow(dead_code)]
#[path = "../../support/judge.rs"]
mod judge;
#[path = "../../support/random.rs"]
mod random;
#[allow(dead_code)]
#[path = "../../support/till.rs"]
mod till;

/// Returns whether every point is tried, and not only a sample.
fn full() -> bool {
    std::env::var("EPS_BUDGET").is_ok_and(|budget| budget == "full")
}
