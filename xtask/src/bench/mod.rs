//! `cargo xtask bench`: the project and what a vendor would write instead, in turn, in one run, on the same server.
//! It prints what it finds and writes `docs/performance.md` and `docs/growth.svg`; only the ratios carry over to another machine.

// Counts of requests, bytes and panels: a float holds them.
#![allow(clippy::cast_precision_loss)]

mod chart;
mod goals;
mod journals;
mod lab;
mod prepare;
mod report;
mod sizes;

use crate::run::Result;
use crate::setup;
use lab::Lab;

/// How many interleaved runs a figure is the median of.
const RUNS: usize = 15;

/// What is measured of every peer: what is asked for, and how often in a run.
const CASES: [(&str, usize); 3] = [("items:10", 1000), ("items:500", 150), ("purchase", 1000)];

pub fn run(quick: bool) -> Result {
    setup::install(&[setup::DEMO, setup::BENCH])?;
    let built = prepare::build()?;
    let lab = Lab::open(&built)?;
    let findings = report::Findings::gather(&lab, &built, if quick { 3 } else { RUNS })?;
    if quick {
        report::show(&findings);
        return Ok(());
    }
    report::write(&findings)
}

/// The middle value.
fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn lowest(values: impl IntoIterator<Item = f64>) -> f64 {
    values.into_iter().fold(f64::INFINITY, f64::min)
}
