//! The seeds that once failed: each is kept as a plan, with its story in words, and is run for
//! ever.

use super::plan::Plan;
use super::scenario;
use super::state::Promise;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Orders of the threads in which each kept plan is run.
const ORDERS: u64 = 50;

/// A file of `tests/simulation/seeds`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// The fault that it has found, in words.
    pub fault: String,
    pub world: String,
    /// The number of the promise that broke.
    pub promise: String,
    /// The fault is still there.
    pub open: bool,
    /// The order of the threads that broke it.
    pub seed: u64,
    pub story: Vec<String>,
    pub plan: Plan,
}

impl Kept {
    /// Returns the first order of the threads in which any promise breaks, and how.
    fn broken(&self) -> Option<(u64, String)> {
        let orders = std::iter::once(self.seed).chain((0..ORDERS).map(|number| self.seed.wrapping_add(1 + number)));
        orders.into_iter().find_map(|seed| {
            let run = scenario::run(&self.plan, seed, false);
            let violation = run.violations.first()?;
            Some((seed, format!("{}: {}", violation.promise.text(), violation.text)))
        })
    }
}

/// A longer story is cut in its middle.
const LINES: usize = 45;

/// Returns a run in words: ids become names, and bodies are cut.
pub(crate) fn story(plan: &Plan, seed: u64) -> Vec<String> {
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    let trace = scenario::run(plan, seed, true).trace;
    let mut story: Vec<String> = trace.into_iter().map(|line| plain(&line, &mut names)).collect();
    if story.len() > LINES {
        let end = story.split_off(story.len() - 8);
        let left_out = story.len() - (LINES - 9);
        story.truncate(LINES - 9);
        story.push(format!("({left_out} lines are left out)"));
        story.extend(end);
    }
    story
}

fn is_id(text: &str) -> bool {
    text.len() == 36 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

fn plain(line: &str, names: &mut BTreeMap<String, String>) -> String {
    let mut text = String::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        if let Some(id) = rest.get(..36).filter(|id| is_id(id)) {
            let count = names.len() + 1;
            let fixed = |head: &str, name: &str| id.starts_with(head).then(|| name.to_owned());
            let name = fixed("a0000000", "(member)")
                .or_else(|| fixed("b0000000", "(item)"))
                .or_else(|| fixed("c0000000", "(promotion)"))
                .or_else(|| fixed("d", "(reward)").filter(|_| id.contains("-4000-8000-0000")))
                .or_else(|| fixed("e0000000", "(earlier)"));
            let name = name
                .unwrap_or_else(|| names.entry(id.to_owned()).or_insert_with(|| format!("operation {count}")).clone());
            text.push_str(&name);
            rest = &rest[36..];
        } else if let Some(first) = rest.chars().next() {
            text.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    if text.chars().count() > 150 { text.chars().take(147).chain("...".chars()).collect() } else { text }
}

fn files(folder: &Path) -> Result<Vec<std::path::PathBuf>, String> {
    let list = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut files: Vec<_> = list.filter_map(Result::ok).map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "json"));
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<Kept, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

pub(crate) fn write(path: &Path, kept: &Kept) -> Result<(), String> {
    let text = serde_json::to_string_pretty(kept).map_err(|error| error.to_string())? + "\n";
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Runs every kept plan of a folder. Returns the names of those that hold, and an error that names
/// each that is closed and breaks. `close`: a plan that holds is marked as closed.
pub fn run_kept(folder: &Path, close: bool) -> Result<Vec<String>, String> {
    let (mut held, mut broken) = (Vec::new(), Vec::new());
    for path in files(folder)? {
        let mut kept = read(&path)?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        match kept.broken() {
            None => {
                if close && kept.open {
                    kept.open = false;
                    write(&path, &kept)?;
                }
                let note = if kept.open { " (holds now; the file still has it open)" } else { "" };
                held.push(format!("{name}{note}"));
            }
            Some((seed, text)) if kept.open => println!("open: {name}, order {seed}: {text}"),
            Some((seed, text)) => broken.push(format!("{name}, order {seed}: {text}")),
        }
    }
    if broken.is_empty() { Ok(held) } else { Err(broken.join("\n")) }
}

/// Keeps a failing plan.
pub(crate) fn keep(
    path: &Path,
    world: &str,
    promise: Promise,
    fault: &str,
    plan: &Plan,
    seed: u64,
) -> Result<(), String> {
    let kept = Kept {
        fault: fault.to_owned(),
        world: world.to_owned(),
        promise: promise.number().to_owned(),
        open: true,
        seed,
        story: story(plan, seed),
        plan: plan.clone(),
    };
    write(path, &kept)
}
