//! A whole sale at a till: the list, a purchase, its reward, the redeem, and both are acknowledged;
//! over a line with a round trip and with losses, while another process keeps the disk busy.
//! The peers without a journal make the four requests only.

use super::lab::{How, Lab, Peer, Sample};
use super::prepare::Built;
use crate::run::Result;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// The round trip in ms, the segments of 1000 that are lost, and the measured sales.
const LINES: [(u32, u32, usize); 3] = [(20, 0, 300), (40, 10, 1000), (100, 20, 200)];

/// One line, and the sales of each peer on it.
pub struct Sales {
    pub round_trip_ms: u32,
    pub lost_of_1000: u32,
    pub count: usize,
    pub peers: Vec<(&'static str, Sample)>,
}

impl Sales {
    pub fn of(&self, peer: &str) -> Option<&Sample> {
        self.peers.iter().find(|(name, _)| *name == peer).map(|(_, sample)| sample)
    }
}

pub fn measure(lab: &Lab, built: &Built, quick: bool) -> Result<Vec<Sales>> {
    let ended = AtomicBool::new(false);
    let busy = lab.folder.join("busy");
    thread::scope(|scope| {
        scope.spawn(|| keep_busy(&busy, &ended));
        let lines = LINES.iter().map(|line| on(lab, built, *line, quick)).collect();
        ended.store(true, Ordering::Relaxed);
        lines
    })
}

/// The floor and the library sell at the same time, each on a line of its own with the same losses;
/// then the others.
fn on(lab: &Lab, built: &Built, line: (u32, u32, usize), quick: bool) -> Result<Sales> {
    let (round_trip_ms, lost_of_1000, count) = (line.0, line.1, if quick { 20 } else { line.2 });
    let [floor, shop, others @ ..] = built.sellers();
    let mut peers = together(lab, built, [floor, shop].into(), (round_trip_ms, lost_of_1000, count))?;
    peers.extend(together(lab, built, others.into(), (round_trip_ms, lost_of_1000, count))?);
    for (name, sample) in &peers {
        let lost = f64::from(lost_of_1000) / 10.0;
        println!("  {round_trip_ms} ms, {lost} % lost: {:.1} ms, {name}", sample.p50_us / 1e3);
    }
    Ok(Sales { round_trip_ms, lost_of_1000, count, peers })
}

fn together(
    lab: &Lab,
    built: &Built,
    peers: Vec<Peer>,
    (round_trip_ms, lost_of_1000, count): (u32, u32, usize),
) -> Result<Vec<(&'static str, Sample)>> {
    thread::scope(|scope| {
        let runs = peers.into_iter().map(|peer| {
            scope.spawn(move || -> Result<(&'static str, Sample)> {
                let (_line, base) = lab.line(&built.shipped, round_trip_ms / 2, lost_of_1000)?;
                let name = format!("sale-{}-{round_trip_ms}-{lost_of_1000}", peer.name.len());
                let on_line = peer.with("EPS_BENCH_JOURNAL", lab.folder.join(name)).with("EPS_BENCH_PAUSE_US", "15000");
                let sample = How { base: &base, ca: &lab.ca, pinned: false }.run(&on_line, "sale", count)?;
                Ok((peer.name, sample))
            })
        });
        // All begin before the first is waited for.
        let runs: Vec<_> = runs.collect();
        runs.into_iter().map(|run| run.join().unwrap_or_else(|_| Err("a run panicked".to_owned()))).collect()
    })
}

/// Writes and syncs until the end, as another program on the till does.
fn keep_busy(path: &Path, ended: &AtomicBool) {
    let Ok(file) = File::create(path) else { return };
    while !ended.load(Ordering::Relaxed) {
        let _ = file.write_all_at(&[0; 4096], 0).and_then(|()| file.sync_data());
    }
}
