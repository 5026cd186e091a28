//! Runs all measurements, and writes `docs/performance.md` and its charts.

use super::breaks::{self, Break};
use super::chart::{self, Bar, Panel};
use super::day::{self, Day};
use super::fleet::{self, Fleet};
use super::goals::Goal;
use super::journals::{self, Records};
use super::lab::{How, Lab, Peer, Sample};
use super::large::{self, Large};
use super::prepare::Built;
use super::sale::{self, Sales};
use super::sizes::{self, Sizes};
use super::{CASES, lowest, median};
use crate::run::{Result, output, root};
use std::fmt::Write;
use std::fs;
use std::process::Command;

/// The report's text. A line `<!-- name -->` is replaced by the table of this name.
const TEMPLATE: &str = include_str!("report.md");
const ROUND_TRIP_MS: f64 = 50.0;
const ITEMS: [u32; 8] = [1, 10, 50, 100, 500, 1000, 2000, 5000];
const RECORDS: [u32; 5] = [0, 1_000, 10_000, 100_000, 1_000_000];
const THREADS: [u32; 7] = [1, 2, 4, 8, 16, 32, 64];

/// A peer and its runs.
type Runs = (&'static str, Vec<Sample>);
type Curve = Vec<(f64, f64)>;
/// A peer, its task, and its system calls per request by name.
type Calls = (&'static str, &'static str, Vec<(String, f64)>);

pub struct Findings {
    /// Each case's name, and the runs of every peer.
    cases: Vec<(&'static str, Vec<Runs>)>,
    calls: Vec<Calls>,
    durable: Vec<Runs>,
    /// The syncs of a durable purchase, those after its result included.
    syncs: f64,
    /// A durable purchase with pauses, as at a till.
    paused: Vec<Runs>,
    sales: Vec<Sales>,
    trips: Vec<(&'static str, f64)>,
    cold: Vec<Runs>,
    resident: Vec<Runs>,
    opening: [f64; 2],
    breaks: Vec<Break>,
    day: Day,
    large: Vec<Large>,
    fleets: Vec<Fleet>,
    fleet_chart: String,
    items: Vec<(String, Curve)>,
    records: Curve,
    /// The same in CPU time, which does not depend on the disk.
    records_cpu: Curve,
    threads: Vec<(String, Curve)>,
    sizes: Sizes,
    versions: Vec<(&'static str, String)>,
    checksum: String,
    runs: usize,
    load: [String; 2],
}

impl Findings {
    pub fn gather(lab: &Lab, built: &Built, runs: usize, quick: bool) -> Result<Self> {
        let load_before = load();
        let (shop, curl, floor) = (built.shipped.shop(), built.curl(), built.floor());
        let few = runs.div_ceil(3);

        let mut cases = Vec::new();
        for (task, count) in CASES {
            let peers: Vec<Peer> = built.peers().into_iter().filter(|peer| is_for(peer, task)).collect();
            println!("{task}: {} peers, {runs} runs each", peers.len());
            let samples = lab.near().rounds(&peers, task, count, runs)?;
            let samples: Vec<Runs> = peers.iter().map(|peer| peer.name).zip(samples).collect();
            for (name, samples) in &samples {
                println!("  {name:36} {:9.1} µs", p50(samples));
            }
            cases.push((task, samples));
        }

        println!("system calls");
        let mut calls = Vec::new();
        for peer in [&floor, &shop, &curl] {
            for task in ["items:10", "purchase"] {
                calls.push((peer.name, task, lab.calls(peer, task)?));
            }
        }
        let on_disk = shop.with("EPS_BENCH_JOURNAL", lab.folder.join("traced.db"));
        let on_disk_calls = lab.calls(&on_disk, "purchase")?;
        let syncs = on_disk_calls.iter().filter(|(name, _)| name.contains("sync")).map(|(_, each)| each).sum();
        calls.push((shop.name, "durable purchase", on_disk_calls));

        println!("a durable purchase");
        let path = journals::make(lab, &shop, Records::Acknowledged, 0)?;
        let durable_peers = [
            floor.with("EPS_BENCH_JOURNAL", lab.folder.join("append")).named("floor + append + fdatasync"),
            shop.with("EPS_BENCH_JOURNAL", &path),
        ];
        let mut samples = vec![Vec::new(), Vec::new()];
        for _ in 0..runs {
            samples[0].push(lab.near().run(&durable_peers[0], "durable", 300)?);
            samples[1].push(lab.near().run(&durable_peers[1], "purchase", 300)?);
        }
        let durable = durable_peers.iter().map(|peer| peer.name).zip(samples).collect();

        let paused_peers = durable_peers.clone().map(|peer| peer.with("EPS_BENCH_PAUSE_US", "15000"));
        let mut samples = vec![Vec::new(), Vec::new()];
        for _ in 0..few {
            samples[0].push(lab.near().run(&paused_peers[0], "durable", 100)?);
            samples[1].push(lab.near().run(&paused_peers[1], "purchase", 100)?);
        }
        let paused = paused_peers.iter().map(|peer| peer.name).zip(samples).collect();

        println!("a whole sale");
        let sales = sale::measure(lab, built, quick)?;

        println!("round trips of {ROUND_TRIP_MS} ms");
        let far = How { base: &lab.far, ca: &lab.ca, pinned: false };
        let round_trips = |peer: &Peer, task: &str| -> Result<f64> {
            let samples = (0..few.max(3)).map(|_| far.run(peer, task, 1)).collect::<Result<Vec<_>>>()?;
            // The lowest value: the delays of a busy machine are no round trips.
            Ok(lowest(samples.iter().map(|sample| sample.first_us / 1e3 / ROUND_TRIP_MS)))
        };
        let trips = vec![
            ("list, cold", round_trips(&shop, "items:10")?),
            ("purchase, cold", round_trips(&shop, "purchase")?),
            ("purchase after a list", round_trips(&shop.with("EPS_BENCH_AFTER", "items:10"), "purchase")?),
            ("libcurl + cJSON: list, cold", round_trips(&curl, "items:10")?),
        ];

        println!("cold start");
        let cold_peers = [
            (shop.with("EPS_BENCH_SYSTEM", "1").named("this library, the system's root certificates"), &lab.ca),
            (shop.clone().named("this library, one root certificate"), &lab.ca),
            (curl.clone().named("libcurl, the system's bundle"), &lab.bundle),
            (curl.clone().named("libcurl, one root certificate"), &lab.ca),
        ];
        let mut cold: Vec<Runs> = cold_peers.iter().map(|(peer, _)| (peer.name, Vec::new())).collect();
        for _ in 0..runs {
            for (at, (peer, ca)) in cold_peers.iter().enumerate() {
                let how = How { base: &lab.base, ca, pinned: false };
                cold[at].1.push(how.run(peer, "items:10", 1)?);
            }
        }

        println!("memory");
        let path = journals::make(lab, &shop, Records::Acknowledged, 0)?;
        let resident = [shop.with("EPS_BENCH_JOURNAL", &path).named("this library, its journal open"), curl.clone()];
        let samples = lab.anywhere().rounds(&resident, "items:10", 1, few)?;
        let resident = resident.iter().map(|peer| peer.name).zip(samples).collect();

        println!("growth: items");
        let mut items = Vec::new();
        for peer in [&shop, &curl, &floor] {
            let mut curve = Vec::new();
            for number in ITEMS {
                let count = (30_000 / number).clamp(20, 500) as usize;
                let samples = lab.near().rounds(std::slice::from_ref(peer), &format!("items:{number}"), count, few)?;
                curve.push((number.into(), p50(&samples[0])));
            }
            items.push((peer.name.to_owned(), curve));
        }

        println!("growth: threads");
        let mut threads = Vec::new();
        for peer in [&shop, &curl] {
            let mut curve = Vec::new();
            for number in THREADS {
                let peer = peer.with("EPS_BENCH_THREADS", number.to_string());
                let samples = lab.anywhere().rounds(&[peer], "items:10", 4_000 / number.max(4) as usize, few)?;
                curve.push((number.into(), median(samples[0].iter().map(|sample| sample.cpu_us))));
            }
            threads.push((peer.name.to_owned(), curve));
        }

        println!("growth: records");
        let mut grown = Vec::new();
        for number in RECORDS {
            grown.push((number, journals::make(lab, &shop, Records::Acknowledged, number)?));
        }
        let mut samples = vec![Vec::new(); grown.len()];
        for _ in 0..runs {
            for (at, (_, path)) in grown.iter().enumerate() {
                samples[at].push(lab.near().run(&shop.with("EPS_BENCH_JOURNAL", path), "purchase", 200)?);
            }
        }
        let curve = |figure: fn(&[Sample]) -> f64| -> Curve {
            grown.iter().zip(&samples).map(|((number, _), samples)| ((*number).into(), figure(samples))).collect()
        };
        let (records, records_cpu) = (curve(p50), curve(cpu));
        for (_, path) in &grown {
            journals::discard(path);
        }

        println!("opening");
        let opening = {
            let empty = journals::make(lab, &shop, Records::Pending, 0)?;
            let mut took = [Vec::new(), Vec::new()];
            for _ in 0..few {
                let full = journals::make(lab, &shop, Records::Pending, 10_000)?;
                took[0].push(lab.anywhere().run(&shop.with("EPS_BENCH_JOURNAL", &empty), "items:10", 1)?.start_ms);
                took[1].push(lab.anywhere().run(&shop.with("EPS_BENCH_JOURNAL", &full), "items:10", 1)?.start_ms);
            }
            took.map(median)
        };

        println!("broken connections");
        let breaks = breaks::measure(lab, &built.shipped, quick)?;

        println!("a store server's day");
        let day = day::measure(lab, &built.shipped, quick)?;

        println!("what is large");
        let large = large::measure(lab, built)?;

        println!("a chain of tills");
        let (fleets, fleet_chart) = fleet::measure(lab)?;

        println!("size");
        let sizes = sizes::measure(&built.shipped.library, &built.named)?;
        Ok(Self {
            cases,
            calls,
            durable,
            paused,
            sales,
            syncs,
            trips,
            cold,
            resident,
            opening,
            breaks,
            day,
            large,
            fleets,
            fleet_chart,
            items,
            records,
            records_cpu,
            threads,
            sizes,
            versions: built.versions.clone(),
            runs,
            checksum: built.shipped.checksum.clone(),
            load: [load_before, load()],
        })
    }

    fn of(&self, task: &str, peer: &str) -> &[Sample] {
        let case = self.cases.iter().find(|(name, _)| *name == task);
        let runs = case.and_then(|(_, peers)| peers.iter().find(|(name, _)| *name == peer));
        runs.map_or(&[], |(_, samples)| samples)
    }

    /// Returns the library's median time divided by another peer's.
    fn ratio(&self, task: &str, peer: &str) -> f64 {
        p50(self.of(task, SHOP)) / p50(self.of(task, peer))
    }

    fn goals(&self) -> Vec<Goal> {
        let of_list = |peer| cpu(self.of("items:10", peer));
        // On a busy disk the wait for it hides all else. The lowest value is that of an idle disk.
        let at_rest = |at: usize| lowest(self.durable[at].1.iter().map(|sample| sample.p50_us));
        let trip = |at: usize| self.trips[at].1;
        let start = |at: usize| median(self.cold[at].1.iter().map(|sample| sample.start_ms));
        let threads =
            |at: usize| self.threads[at].1.iter().find(|(x, _)| (*x - 32.0).abs() < 0.5).map_or(f64::NAN, |(_, y)| *y);
        let calls = self.calls.iter().find(|(peer, task, _)| *peer == SHOP && *task == "items:10");
        let calls = calls.map_or(f64::NAN, |(_, _, calls)| calls.iter().map(|(_, each)| each).sum());
        let ratio = |measure, limit, measured| Goal { measure, limit, measured, unit: "", digits: 2 };
        let first_record = self.records.first().map_or(f64::NAN, |(_, y)| *y);
        let last_record = self.records.last().map_or(f64::NAN, |(_, y)| *y);
        let of = |measure, limit, measured, unit, digits| Goal { measure, limit, measured, unit, digits };
        let paused = |at: usize| lowest(self.paused[at].1.iter().map(|sample| sample.p50_us));
        let durable_calls = self.calls.iter().find(|(_, task, _)| *task == "durable purchase");
        let durable_calls = durable_calls.map_or(f64::NAN, |(_, _, calls)| calls.iter().map(|(_, each)| each).sum());
        let sale = |part: fn(&Sample) -> f64| {
            let of = |peer| self.sales.get(1).and_then(|sales| sales.of(peer)).map_or(f64::NAN, part);
            of(SHOP) / of(FLOOR)
        };
        let broken = |what: &str| {
            let found = self.breaks.iter().find(|it| it.what.contains(what));
            found.map_or(f64::NAN, |it| it.completed_ms / 1e3)
        };
        let chain = |tills: u32| self.fleets.iter().find(|it| it.tills == tills && it.jitter_ms == 300_000);
        let limited = |part: fn(&Fleet) -> f64, tills| chain(tills).map_or(f64::NAN, part);
        vec![
            ratio("list of 10, against libcurl + cJSON", 0.50, self.ratio("items:10", CURL)),
            ratio("the same against the floor", 1.3, self.ratio("items:10", FLOOR)),
            of("list of 500, against libcurl + cJSON", 0.135, self.ratio("items:500", CURL), "", 3),
            ratio("CPU per list of 10, against libcurl + cJSON", 0.36, of_list(SHOP) / of_list(CURL)),
            ratio("durable purchase, against the floor + append + fdatasync, in a loop", 1.45, at_rest(1) / at_rest(0)),
            ratio("the same with pauses of 15 ms, as at a till", 1.40, paused(1) / paused(0)),
            of("syncs of a purchase: one before it is sent, none on the caller's way after", 1.0, self.syncs, "", 1),
            of("system calls of a durable purchase", 20.0, durable_calls, "", 1),
            of("purchase over a 50 ms round trip, after a list", 1.05, trip(2), "round trips", 2),
            of("purchase over a 50 ms round trip, cold", 3.05, trip(1), "round trips", 2),
            ratio("a whole sale, 40 ms, 1 % lost, a busy disk, against the floor: p50", 1.05, sale(|it| it.p50_us)),
            ratio("the same: the slowest of 1000", 1.10, sale(|it| it.p999_us)),
            ratio(
                "cold start to the first response, against libcurl with the system's bundle",
                0.10,
                start(0) / start(2),
            ),
            of("system calls per warm read", 3.0, calls, "", 1),
            ratio(
                "CPU per list of 10 at 32 threads on one client, against libcurl with 32 handles",
                0.60,
                threads(0) / threads(1),
            ),
            of("the shared library, Linux x64", 2.85, self.sizes.file as f64 / 1e6, "MB", 2),
            of(
                "resident memory of a C program after one call, its journal open",
                5.5,
                median(self.resident[0].1.iter().map(|sample| sample.resident_kb)) / 1e3,
                "MB",
                1,
            ),
            ratio("durable purchase with 1,000,000 records, against none", 1.05, last_record / first_record),
            of(
                "opening with 10,000 pending records until the first response, minus opening with none",
                20.0,
                self.opening[1] - self.opening[0],
                "ms",
                0,
            ),
            of("a reset as the request arrives: press to completed", 1.0, broken("request arrives"), "s", 2),
            of("a black hole of 3 s: press to completed", 15.0, broken("for 3 s"), "s", 1),
            of("5,000 tills restart at once: responses 429", 0.0, limited(|it| it.rate_limited as f64, 5_000), "", 0),
            of("the same: 99 % resolved", 300.0, limited(|it| it.most_resolved_s, 5_000), "s", 0),
            of(
                "20,000 tills restart at once: requests that get a 429",
                1.0,
                limited(|it| it.rate_limited as f64 * 100.0 / it.requests as f64, 20_000),
                "%",
                1,
            ),
            of(
                "the same: sales that get a 429",
                1.0,
                limited(|it| it.sales_hit as f64 * 100.0 / it.sales as f64, 20_000),
                "%",
                1,
            ),
        ]
    }
}

const SHOP: &str = "this library";
const CURL: &str = "libcurl + cJSON (C)";
const FLOOR: &str = "floor: socket + rustls";

/// Returns whether a peer runs a task. Only lists are read with cJSON.
fn is_for(peer: &Peer, task: &str) -> bool {
    task != "purchase" || !peer.name.contains("read with cJSON")
}

fn p50(samples: &[Sample]) -> f64 {
    median(samples.iter().map(|sample| sample.p50_us))
}

fn cpu(samples: &[Sample]) -> f64 {
    median(samples.iter().map(|sample| sample.cpu_us))
}

/// Returns the load average of the last minute.
fn load() -> String {
    fs::read_to_string("/proc/loadavg").unwrap_or_default().split(' ').next().unwrap_or_default().to_owned()
}

pub fn write(findings: &Findings) -> Result {
    let mut text = String::new();
    for line in TEMPLATE.lines() {
        let name = line.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->"));
        match name.map(|name| (name, table(findings, name))) {
            Some((name, None)) => return Err(format!("report.md has a line for {name}, but there is no such table")),
            Some((_, Some(table))) => text.push_str(&table),
            None => text.push_str(line),
        }
        text.push('\n');
    }
    let docs = root().join("docs");
    fs::write(docs.join("performance.md"), &text).map_err(|error| error.to_string())?;
    fs::write(docs.join("growth.svg"), chart::draw(&panels(findings))).map_err(|error| error.to_string())?;
    fs::write(docs.join("fleet.svg"), &findings.fleet_chart).map_err(|error| error.to_string())?;
    fs::write(docs.join("sale.svg"), sale_chart(&findings.sales)).map_err(|error| error.to_string())?;
    show(findings);
    println!("written: docs/performance.md, docs/growth.svg, docs/fleet.svg, docs/sale.svg");
    Ok(())
}

/// Prints all tables.
pub fn show(findings: &Findings) {
    let names = TEMPLATE.lines().filter_map(|line| line.strip_prefix("<!-- ")?.strip_suffix(" -->"));
    for table in names.filter_map(|name| table(findings, name)) {
        println!("\n{table}");
    }
}

fn panels(findings: &Findings) -> [Panel; 3] {
    [
        Panel { title: "A list of items", across: "items", up: "µs", lines: findings.items.clone() },
        Panel {
            title: "A durable purchase",
            across: "records in the journal",
            up: "µs",
            lines: vec![(SHOP.to_owned(), findings.records.clone())],
        },
        Panel { title: "CPU time per list of 10", across: "threads", up: "µs", lines: findings.threads.clone() },
    ]
}

fn table(findings: &Findings, name: &str) -> Option<String> {
    let mut rows: Vec<String> = Vec::new();
    match name {
        "machine" => {
            let versions: Vec<_> =
                findings.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
            rows.push(format!("- command: `cargo xtask bench`, {} interleaved runs per figure", findings.runs));
            rows.push(format!(
                "- date: {}",
                output(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"])).ok()?.trim()
            ));
            rows.push(format!("- library: the package's for linux-x64, SHA-256 {}", findings.checksum));
            rows.push(format!("- machine: {}", machine()));
            rows.push(format!(
                "- load average at the start and at the end: {} and {}",
                findings.load[0], findings.load[1]
            ));
            rows.push(format!("- peers: {}", versions.join(", ")));
        }
        "goals" => {
            rows.push("| Measure | Goal | Measured | |".into());
            rows.push("|---|---:|---:|---|".into());
            rows.extend(findings.goals().iter().map(Goal::row));
        }
        "peers" => {
            for (task, peers) in &findings.cases {
                let title = match *task {
                    "items:10" => "A list of 10 items (4.9 KB)",
                    "items:500" => "A list of 500 items (245 KB)",
                    _ => "A purchase (this library: its journal in memory)",
                };
                rows.push(format!("**{title}**\n"));
                rows.push("| | lowest, µs | median, µs | to libcurl + cJSON | CPU of the client, µs |".into());
                rows.push("|---|---:|---:|---:|---:|".into());
                for (peer, samples) in peers {
                    rows.push(format!(
                        "| {peer} | {:.1} | {:.1} | {:.2} | {:.1} |",
                        lowest(samples.iter().map(|sample| sample.p50_us)),
                        p50(samples),
                        p50(samples) / p50(findings.of(task, CURL)),
                        median(samples.iter().map(|sample| sample.cpu_us)),
                    ));
                }
                rows.push(String::new());
            }
        }
        "durable" => {
            rows.push("| | lowest, µs | median, µs | CPU of the client, µs |".into());
            rows.push("|---|---:|---:|---:|".into());
            for (pauses, runs) in [("", &findings.durable), (", 15 ms pauses", &findings.paused)] {
                for (peer, samples) in runs {
                    let low = lowest(samples.iter().map(|sample| sample.p50_us));
                    rows.push(format!("| {peer}{pauses} | {low:.0} | {:.0} | {:.0} |", p50(samples), cpu(samples)));
                }
            }
        }
        "sale" => rows.extend(sale_table(&findings.sales)),
        "large" => rows.extend(large_table(&findings.large)),
        "breaks" => rows.extend(breaks_table(&findings.breaks)),
        "day" => rows.extend(day_table(&findings.day)),
        "fleet" => rows.extend(fleet_table(&findings.fleets)),
        "calls" => {
            rows.push("| | request | calls | which |".into());
            rows.push("|---|---|---:|---|".into());
            for (peer, task, calls) in &findings.calls {
                let total: f64 = calls.iter().map(|(_, each)| each).sum();
                let which: Vec<_> = calls.iter().map(|(name, each)| format!("{name} {each:.1}")).collect();
                rows.push(format!("| {peer} | {task} | {total:.1} | {} |", which.join(", ")));
            }
        }
        "trips" => {
            rows.push("| | round trips |".into());
            rows.push("|---|---:|".into());
            rows.extend(findings.trips.iter().map(|(name, trips)| format!("| {name} | {trips:.2} |")));
        }
        "cold" => {
            rows.push("| Start of the process to its first response | lowest, ms | median, ms |".into());
            rows.push("|---|---:|---:|".into());
            for (peer, samples) in &findings.cold {
                let starts = || samples.iter().map(|sample| sample.start_ms);
                rows.push(format!("| {peer} | {:.1} | {:.1} |", lowest(starts()), median(starts())));
            }
            rows.push(String::new());
            rows.push("| Resident memory after it | MB |".into());
            rows.push("|---|---:|".into());
            for (peer, samples) in &findings.resident {
                rows.push(format!("| {peer} | {:.1} |", median(samples.iter().map(|sample| sample.resident_kb)) / 1e3));
            }
        }
        "growth" => {
            rows.push(
                "| Items in the list | ".to_owned() + &join(&findings.items[0].1, |(x, _)| format!("{x}")) + " |",
            );
            rows.push("|---|".to_owned() + &"---:|".repeat(findings.items[0].1.len()));
            for (peer, curve) in &findings.items {
                rows.push(format!("| {peer}, µs | {} |", join(curve, |(_, y)| format!("{y:.0}"))));
            }
            rows.push(String::new());
            rows.push(
                "| Records in the journal | ".to_owned() + &join(&findings.records, |(x, _)| format!("{x}")) + " |",
            );
            rows.push("|---|".to_owned() + &"---:|".repeat(findings.records.len()));
            rows.push(format!("| durable purchase, µs | {} |", join(&findings.records, |(_, y)| format!("{y:.0}"))));
            rows.push(format!("| its CPU, µs | {} |", join(&findings.records_cpu, |(_, y)| format!("{y:.0}"))));
            rows.push(String::new());
            rows.push("| Threads | ".to_owned() + &join(&findings.threads[0].1, |(x, _)| format!("{x}")) + " |");
            rows.push("|---|".to_owned() + &"---:|".repeat(findings.threads[0].1.len()));
            for (peer, curve) in &findings.threads {
                rows.push(format!("| {peer}, CPU µs per request | {} |", join(curve, |(_, y)| format!("{y:.0}"))));
            }
        }
        "sizes" => {
            let sizes = &findings.sizes;
            rows.push("| | KB | share |".into());
            rows.push("|---|---:|---:|".into());
            let rest = ("unwinding tables, relocations, texts", sizes.rest);
            for (owner, size) in sizes.owners.iter().copied().chain([rest]) {
                rows.push(format!("| {owner} | {} | {:.0} % |", size / 1000, size as f64 * 100.0 / sizes.file as f64));
            }
            rows.push(format!("| the file | {} | |", sizes.file / 1000));
        }
        _ => return None,
    }
    let mut text = String::new();
    for row in rows {
        let _ = writeln!(text, "{row}");
    }
    Some(text.trim_end().to_owned())
}

pub fn breaks_table(breaks: &[Break]) -> Vec<String> {
    let mut rows = vec!["| What happens to the connection | press → completed |".to_owned(), "|---|---:|".to_owned()];
    rows.extend(breaks.iter().map(|it| format!("| {} | {:.2} s |", it.what, it.completed_ms / 1e3)));
    rows
}

pub fn sale_table(sales: &[Sales]) -> Vec<String> {
    let mut rows = vec![
        "| Round trip, lost segments, sales | | p50, ms | p99, ms | slowest of 1000, ms |".to_owned(),
        "|---|---|---:|---:|---:|".to_owned(),
    ];
    for line in sales {
        let (lost, count) = (f64::from(line.lost_of_1000) / 10.0, line.count);
        for (peer, sample) in &line.peers {
            let ms = [sample.p50_us, sample.p99_us, sample.p999_us].map(|us| format!("{:.1}", us / 1e3));
            rows.push(format!("| {} ms, {lost} %, {count} | {peer} | {} |", line.round_trip_ms, ms.join(" | ")));
        }
    }
    rows
}

/// Draws the sales on the second line.
fn sale_chart(sales: &[Sales]) -> String {
    let Some(line) = sales.get(1) else { return String::new() };
    let bar = |(peer, sample): &(&str, Sample)| -> Bar {
        let name = match *peer {
            FLOOR => "the least with a record on the disk".to_owned(),
            SHOP => SHOP.to_owned(),
            other => format!("{other}, no record"),
        };
        (name, [sample.p50_us / 1e6, sample.p99_us / 1e6])
    };
    let bars: Vec<Bar> = line.peers.iter().map(bar).collect();
    let title = format!(
        "How long a sale for points takes, {} ms away from Engage, {} % of the segments lost",
        line.round_trip_ms,
        f64::from(line.lost_of_1000) / 10.0
    );
    chart::draw_bars(&title, ["half of all sales take at most", "99 of 100 sales take at most"], &bars, "s")
}

pub fn large_table(large: &[Large]) -> Vec<String> {
    let heads = "| | start to the first response, ms | each next one, ms | resident, MB |";
    let mut rows = vec![heads.to_owned(), "|---|---:|---:|---:|".to_owned()];
    rows.extend(large.iter().map(|(what, it)| {
        format!("| {what} | {:.0} | {:.2} | {:.1} |", it.start_ms, it.p50_us / 1e3, it.resident_kb / 1e3)
    }));
    rows
}

pub fn day_table(day: &Day) -> Vec<String> {
    let mut rows = vec![
        format!("| {} purchases, 64 threads | resident, MB | descriptors | threads |", day.operations),
        "|---|---:|---:|---:|".to_owned(),
    ];
    let names = ["the first quarter, at most", "the second", "the third", "the last"];
    let parts = names.iter().zip(&day.quarters);
    for (name, it) in std::iter::once((&"after the first purchase", &day.start)).chain(parts) {
        rows.push(format!("| {name} | {:.1} | {} | {} |", it.resident_mb, it.descriptors, it.threads));
    }
    rows
}

pub fn fleet_table(fleets: &[Fleet]) -> Vec<String> {
    let heads =
        "| Tills | `startupJitterMs` | requests | most in a second | with 429 | 99 % resolved | sales with 429 |";
    let mut rows = vec![heads.to_owned(), "|---:|---:|---:|---:|---:|---:|---:|".to_owned()];
    rows.extend(fleets.iter().map(|it| {
        format!(
            "| {} | {} | {} | {} | {} | {:.0} s | {} of {} |",
            it.tills, it.jitter_ms, it.requests, it.peak, it.rate_limited, it.most_resolved_s, it.sales_hit, it.sales
        )
    }));
    rows
}

fn join(curve: &[(f64, f64)], show: impl Fn(&(f64, f64)) -> String) -> String {
    curve.iter().map(show).collect::<Vec<_>>().join(" | ")
}

/// Returns the processor, its cores and the system.
fn machine() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("a processor without a model name", |(_, name)| name);
    let cores = cpus.lines().filter(|line| line.starts_with("processor")).count();
    let system = output(Command::new("uname").args(["-s", "-r"])).unwrap_or_default();
    format!("{model}, {cores} cores, shared with other work; {}", system.trim())
}
