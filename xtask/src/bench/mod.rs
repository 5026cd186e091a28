//! `cargo xtask bench`: measures the library and other HTTP clients in turn, in one run, with one
//! server. It prints the results and writes `docs/performance.md` and its charts. Only the
//! ratios hold on another machine.

// A float holds the counts of requests, bytes and panels exactly.
#![allow(clippy::cast_precision_loss)]

mod breaks;
mod chart;
mod day;
mod fleet;
mod gate;
mod goals;
mod journals;
mod lab;
mod large;
mod prepare;
mod report;
mod sale;
mod sizes;

use crate::run::Result;
use crate::setup;
use lab::Lab;

/// The tasks of every peer, and the requests of one run.
const CASES: [(&str, usize); 3] = [("items:10", 1000), ("items:500", 150), ("purchase", 1000)];

/// `runs`: the interleaved runs whose median is a figure.
pub fn run(quick: bool, runs: usize) -> Result {
    setup::install(&[setup::DEMO, setup::BENCH])?;
    let built = prepare::build()?;
    let lab = Lab::open(&built.shipped)?;
    let findings = report::Findings::gather(&lab, &built, if quick { 3 } else { runs }, quick)?;
    if quick {
        report::show(&findings);
        return Ok(());
    }
    report::write(&findings)
}

/// A part of the page.
#[derive(Clone, Copy, clap::ValueEnum)]
pub enum Part {
    Fleet,
    Breaks,
    Day,
    Sale,
    Large,
}

/// Measures and shows one part of the page.
pub fn run_part(part: Part, quick: bool) -> Result {
    setup::install(&[setup::DEMO, setup::BENCH])?;
    let shipped = prepare::shipped()?;
    let lab = Lab::open(&shipped)?;
    let rows = match part {
        Part::Fleet => report::fleet_table(&fleet::measure(&lab)?.0),
        Part::Breaks => report::breaks_table(&breaks::measure(&lab, &shipped, quick)?),
        Part::Day => report::day_table(&day::measure(&lab, &shipped, quick)?),
        Part::Sale => report::sale_table(&sale::measure(&lab, &prepare::build()?, quick)?),
        Part::Large => report::large_table(&large::measure(&lab, &prepare::build()?)?),
    };
    println!("{}", rows.join("\n"));
    Ok(())
}

/// Compares the instructions of some calls with the recorded ones, or records them.
pub fn run_gate(record: bool) -> Result {
    setup::install(&[setup::DEMO, setup::GATE])?;
    let shipped = prepare::shipped()?;
    gate::run(&Lab::open(&shipped)?, &shipped, record)
}

/// Returns the middle value.
fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn lowest(values: impl IntoIterator<Item = f64>) -> f64 {
    values.into_iter().fold(f64::INFINITY, f64::min)
}
