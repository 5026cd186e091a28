//! A whole sale at a till: the list, a purchase, its reward, the redeem, and both are acknowledged;
//! over a line with a round trip and with losses, while another process keeps the disk busy.

use super::lab::{How, Lab, Sample};
use super::prepare::Built;
use crate::run::Result;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// The round trip in ms, the segments of 1000 that are lost, and the measured sales.
const LINES: [(u32, u32, usize); 3] = [(20, 0, 300), (40, 10, 1000), (100, 20, 200)];

/// One line, and the sales of the floor and of the library on it.
pub struct Sales {
    pub round_trip_ms: u32,
    pub lost_of_1000: u32,
    pub count: usize,
    pub floor: Sample,
    pub shop: Sample,
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

/// Both sell at the same time, each on a line of its own with the same losses.
fn on(lab: &Lab, built: &Built, (round_trip_ms, lost_of_1000, count): (u32, u32, usize), quick: bool) -> Result<Sales> {
    let count = if quick { 20 } else { count };
    let peers = [built.floor(), built.shipped.shop()];
    let [floor, shop] = thread::scope(|scope| {
        let runs = peers.map(|peer| {
            scope.spawn(move || -> Result<Sample> {
                let (_line, base) = lab.line(&built.shipped, round_trip_ms / 2, lost_of_1000)?;
                let name = format!("sale-{}-{round_trip_ms}-{lost_of_1000}", peer.name.len());
                let peer = peer.with("EPS_BENCH_JOURNAL", lab.folder.join(name)).with("EPS_BENCH_PAUSE_US", "15000");
                How { base: &base, ca: &lab.ca, pinned: false }.run(&peer, "sale", count)
            })
        });
        runs.map(|run| run.join().unwrap_or_else(|_| Err("a run panicked".to_owned())))
    });
    let (floor, shop) = (floor?, shop?);
    println!(
        "  {round_trip_ms} ms, {} % lost: {:.1} ms, floor {:.1} ms",
        f64::from(lost_of_1000) / 10.0,
        shop.p50_us / 1e3,
        floor.p50_us / 1e3
    );
    Ok(Sales { round_trip_ms, lost_of_1000, count, floor, shop })
}

/// Writes and syncs until the end, as another program on the till does.
fn keep_busy(path: &Path, ended: &AtomicBool) {
    let Ok(file) = File::create(path) else { return };
    while !ended.load(Ordering::Relaxed) {
        let _ = file.write_all_at(&[0; 4096], 0).and_then(|()| file.sync_data());
    }
}
