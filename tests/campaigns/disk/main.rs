//! The journal on a bad disk and through a power cut, at strange places, under a clock that jumps, and past its time.
//! A shim preloaded into the till fails or records its file operations; the judge holds what is left against what was told.

mod fixture;
mod io_faults;
mod journal_paths;
mod power_cuts;
mod retention;
mod shim;

#[allow(dead_code)]
#[path = "../../support/judge.rs"]
mod judge;
#[allow(dead_code)]
#[path = "../../support/till.rs"]
mod till;

/// Whether every point is to be tried, and not only a sample.
fn full() -> bool {
    std::env::var("EPS_BUDGET").is_ok_and(|budget| budget == "full")
}
