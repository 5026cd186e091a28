//! A mistake of every operator of `core`, `engage`, `journal` and `config`, each run against the
//! tests that reach it. `tests/mutants-accepted.txt` has those that no test can find, with the
//! reason.

use super::source::{self, Mutant, Mutated};
use super::{VARIABLE, copy, read};
use crate::run::{Result, cargo, output, root, target};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

const FOLDERS: [&str; 4] = ["src/core", "src/engage", "src/journal", "src/config"];
/// A mistake that makes the tests run longer is found.
const LIMIT: Duration = Duration::from_secs(20);
/// Longer tests run alone, for a mistake that no shorter one finds.
const SHORT_TEST: Duration = Duration::from_secs(4);
/// Tests that are longer still take no part.
const LONGEST_TEST: Duration = Duration::from_secs(20);
/// So many tests run in one process: mostly one of the first finds the mistake.
const BATCH: usize = 16;
/// So many tests of a program run at most for a mistake. What they do not find counts as not found.
const MOST_TESTS: usize = 8 * BATCH;
/// So many mistakes run at once: most tests wait for a disk, a server or a clock.
const AT_ONCE: usize = 5;
/// Mistakes that no test can find. A line has the key of a mistake, and the line after it the
/// reason.
const ACCEPTED: &str = "tests/mutants-accepted.txt";
const REACHED: &str = "EPS_MUTANTS_REACHED";

/// What cargo builds, without and with the simulation.
const LIBRARIES: [&[&str]; 2] = [&["--lib"], &["--profile", "simulation", "--features", "simulation", "--lib"]];
/// The programs of the tests, in the order in which they run, and whether they are for `core` too,
/// whose decisions need no server and no disk.
const PROGRAMS: [(&[&str], bool); 3] = [
    (&["--lib"], true),
    (&["--profile", "simulation", "--features", "simulation", "--test", "simulation"], true),
    (&["--test", "contract", "--test", "disk", "--test", "host"], false),
];
const CORE: &str = "src/core/";

struct Test {
    program: PathBuf,
    for_core: bool,
    name: String,
    time: Duration,
    /// The numbers of the mistakes that it reaches.
    reached: BTreeSet<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Killed,
    Survived,
    NotReached,
}

/// How the mistakes are found that an error of the compiler comes from.
type Search = fn(&Build, &Value) -> Vec<usize>;

/// The copy of the sources that has the mistakes.
struct Build {
    folder: PathBuf,
    files: BTreeMap<String, Mutated>,
    left_out: BTreeSet<usize>,
}

impl Build {
    fn source(&self) -> PathBuf {
        self.folder.join("each")
    }

    fn cargo(&self, command: &str, arguments: &[&str]) -> Command {
        let mut cargo = cargo();
        cargo.args([command, "--package", "engage-point-shop", "--message-format", "json"]).args(arguments);
        cargo.current_dir(self.source()).env("CARGO_TARGET_DIR", &self.folder).stderr(Stdio::null());
        cargo
    }

    /// Makes the mistakes of the chosen files.
    fn mutate(&mut self, filter: Option<&str>) -> Result {
        let files = output(Command::new("git").arg("ls-files").args(FOLDERS).current_dir(root()))?;
        let mut next = 0;
        for path in files.lines().filter(|path| {
            !path.ends_with("/tests.rs")
                && !path.contains("/tests/")
                && filter.is_none_or(|filter| path.contains(filter))
        }) {
            let text = read(&root().join(path))?;
            let mutated =
                source::mutate(path, &text, next, &self.left_out).map_err(|error| format!("{path}: {error}"))?;
            next = mutated.next;
            self.files.insert(path.to_owned(), mutated);
        }
        let changed = self.files.iter().map(|(path, file)| (path.clone(), file.text.clone())).collect();
        copy(&self.source(), &changed)
    }

    /// Leaves out the mistakes that do not compile.
    fn leave_out(&mut self, filter: Option<&str>) -> Result {
        for arguments in LIBRARIES {
            loop {
                self.mutate(filter)?;
                let checked = self.cargo("check", arguments).output().map_err(|error| error.to_string())?;
                if checked.status.success() {
                    break;
                }
                let text = String::from_utf8_lossy(&checked.stdout).into_owned();
                let numbers = self.not_compiled(&text);
                if numbers.is_subset(&self.left_out) {
                    return Err(format!("the mistakes do not compile: {}", first_error(&text)));
                }
                self.left_out.extend(numbers);
            }
        }
        Ok(())
    }

    /// Returns the mistakes at which the compiler found errors. An error that no mistake is left at
    /// comes from one before it: of a value that is moved in one of two cases, for example.
    fn not_compiled(&self, messages: &str) -> BTreeSet<usize> {
        let mut numbers = BTreeSet::new();
        for message in errors(messages) {
            let spans = |of: &Value| of["spans"].as_array().cloned().unwrap_or_default();
            let (primary, other): (Vec<Value>, Vec<Value>) =
                spans(&message).into_iter().partition(|span| span["is_primary"] == true);
            let children = message["children"].as_array().cloned().unwrap_or_default();
            // A value that is moved in a loop has its mistakes in the notes.
            let noted: Vec<Value> = other.into_iter().chain(children.iter().flat_map(spans)).collect();
            let searches: [(&[Value], Search); 3] =
                [(&primary, Self::around), (&noted, Self::around), (&primary, Self::last_before)];
            let found = searches.into_iter().map(|(spans, search)| -> Vec<usize> {
                spans.iter().flat_map(|span| search(self, span)).filter(|number| self.is_new(*number)).collect()
            });
            numbers.extend(found.into_iter().find(|found| !found.is_empty()).unwrap_or_default());
        }
        numbers
    }

    fn is_new(&self, number: usize) -> bool {
        !self.left_out.contains(&number)
    }

    /// Returns the mistakes at the place of an error.
    fn around(&self, span: &Value) -> Vec<usize> {
        let Some((file, place)) = self.place(span) else { return Vec::new() };
        at(&file.places, &place)
    }

    /// Returns the last mistakes before the place of an error.
    fn last_before(&self, span: &Value) -> Vec<usize> {
        let Some((file, place)) = self.place(span) else { return Vec::new() };
        let before = file.places.iter().filter(|(range, _)| range.end <= place.start);
        let left = before.filter(|(_, numbers)| numbers.iter().any(|number| self.is_new(*number)));
        left.max_by_key(|(range, _)| range.end).map(|(_, numbers)| numbers.clone()).unwrap_or_default()
    }

    fn place(&self, span: &Value) -> Option<(&Mutated, Range<usize>)> {
        let offset = |key: &str| span[key].as_u64().and_then(|it| usize::try_from(it).ok());
        let file = self.files.get(span["file_name"].as_str()?)?;
        Some((file, offset("byte_start")?..offset("byte_end")?))
    }

    /// Builds the programs of the tests, and returns those of a build.
    fn programs(&self, arguments: &[&str]) -> Result<Vec<PathBuf>> {
        let built =
            self.cargo("test", &[&["--no-run"], arguments].concat()).output().map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&built.stdout).into_owned();
        if !built.status.success() {
            return Err(format!("the tests do not compile with the mistakes: {}", first_error(&text)));
        }
        let messages = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let tests = messages.filter(|it| it["reason"] == "compiler-artifact" && it["profile"]["test"] == true);
        Ok(tests.filter_map(|it| it["executable"].as_str().map(PathBuf::from)).collect())
    }

    fn mutants(&self) -> impl Iterator<Item = &Mutant> {
        self.files.values().flat_map(|file| &file.mutants)
    }

    /// Runs all mistakes, some at once, and gives `each` what was found of one.
    fn run_all(&self, tests: &[Test], mut each: impl FnMut(&Mutant, Found)) {
        let mutants: Vec<&Mutant> = self.mutants().collect();
        let (next, (done, results)) = (AtomicUsize::new(0), mpsc::channel());
        thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                let (done, next, mutants) = (done.clone(), &next, &mutants);
                scope.spawn(move || {
                    while let Some(mutant) = mutants.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let _ = done.send((*mutant, self.run(mutant, tests)));
                    }
                });
            }
            drop(done);
            for (mutant, found) in &results {
                each(mutant, found);
            }
        });
    }

    /// Runs each test once, to learn which mistakes it reaches.
    fn tests(&self, programs: &[(PathBuf, bool)]) -> Result<Vec<Test>> {
        let record = self.folder.join("reached");
        let mut tests = Vec::new();
        for (program, for_core) in programs {
            let list = output(Command::new(program).args(["--list", "--format", "terse"]))?;
            for name in list.lines().filter_map(|line| line.strip_suffix(": test")) {
                let _ = fs::remove_file(&record);
                let began = Instant::now();
                let mut command = self.test(program, &[name]);
                let passed = passes(command.env(REACHED, &record), LONGEST_TEST);
                let time = began.elapsed();
                if !passed {
                    println!("takes no part: {name} ({:.1} s)", time.as_secs_f64());
                    continue;
                }
                let reached = fs::read_to_string(&record).unwrap_or_default();
                let reached = reached.lines().filter_map(|line| line.parse().ok()).collect();
                tests.push(Test {
                    program: program.clone(),
                    for_core: *for_core,
                    name: name.to_owned(),
                    time,
                    reached,
                });
            }
        }
        Ok(tests)
    }

    fn test(&self, program: &Path, names: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(names).arg("--exact").current_dir(self.source()).env("CARGO_MANIFEST_DIR", self.source());
        command
    }

    /// Runs the tests that reach a mistake, until one of them fails.
    fn run(&self, mutant: &Mutant, tests: &[Test]) -> Found {
        let number = mutant.number;
        let of_core = mutant.path.starts_with(CORE);
        let reaches = |test: &&Test| (test.for_core || !of_core) && test.reached.contains(&number);
        let reaching: Vec<&Test> = tests.iter().filter(reaches).collect();
        let (long, short): (Vec<&Test>, Vec<&Test>) = reaching.iter().partition(|test| test.time > SHORT_TEST);
        let mut of_program: BTreeMap<&Path, Vec<&Test>> = BTreeMap::new();
        for test in short {
            of_program.entry(&test.program).or_default().push(test);
        }
        for tests in of_program.values_mut() {
            // A test that reaches little is about what it reaches.
            tests.sort_by_key(|test| (test.reached.len(), test.time));
            tests.truncate(MOST_TESTS);
        }
        let batches = of_program.values().flat_map(|tests| tests.chunks(BATCH)).chain(long.chunks(1));
        let time = |batch: &[&Test]| batch.iter().map(|test| test.time).sum::<Duration>();
        let mut batches: Vec<&[&Test]> = batches.collect();
        batches.sort_by_key(|batch| time(batch));
        let finds = |batch: &[&Test]| {
            let names: Vec<&str> = batch.iter().map(|test| test.name.as_str()).collect();
            let mut command = self.test(&batch[0].program, &names);
            !passes(command.env(VARIABLE, number.to_string()), LIMIT.max(time(batch) * 4))
        };
        if batches.into_iter().any(finds) {
            return Found::Killed;
        }
        if reaching.is_empty() { Found::NotReached } else { Found::Survived }
    }
}

/// Returns the errors among the messages of cargo.
fn errors(messages: &str) -> impl Iterator<Item = Value> {
    let values = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let messages = values.filter(|it| it["reason"] == "compiler-message").map(|it| it["message"].clone());
    messages.filter(|it| it["level"] == "error")
}

fn first_error(messages: &str) -> String {
    errors(messages).next().and_then(|it| it["rendered"].as_str().map(str::to_owned)).unwrap_or_default()
}

/// Returns the mistakes of the least change around a place, or else of the changes in it.
fn at(places: &[(Range<usize>, Vec<usize>)], place: &Range<usize>) -> Vec<usize> {
    let around = places.iter().filter(|(range, _)| range.start <= place.start && place.end <= range.end);
    if let Some((_, numbers)) = around.min_by_key(|(range, _)| range.len()) {
        return numbers.clone();
    }
    let inside = places.iter().filter(|(range, _)| place.start <= range.start && range.end <= place.end);
    inside.flat_map(|(_, numbers)| numbers.clone()).collect()
}

/// Whether a program ends with success in time. What is left of it is ended.
fn passes(command: &mut Command, limit: Duration) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    let Ok(mut child) = command.spawn() else { return false };
    let group = child.id();
    let (ended, end) = mpsc::channel();
    let waits = thread::spawn(move || {
        let _ = ended.send(child.wait().is_ok_and(|status| status.success()));
    });
    let passed = end.recv_timeout(limit);
    if passed.is_err() {
        let _ = Command::new("kill").args(["-KILL", "--", &format!("-{group}")]).stderr(Stdio::null()).status();
    }
    let _ = waits.join();
    passed.unwrap_or(false)
}

/// Reads the mistakes that are accepted, with their reasons.
fn accepted(text: &str) -> Result<BTreeMap<&str, &str>> {
    let mut accepted = BTreeMap::new();
    let mut lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    while let Some(key) = lines.next() {
        let reason = lines.next().and_then(|line| line.strip_prefix("  ")).unwrap_or_default();
        if reason.is_empty() {
            return Err(format!("{ACCEPTED} has no reason for: {key}"));
        }
        accepted.insert(key, reason);
    }
    Ok(accepted)
}

/// Counts of a folder or a file.
#[derive(Default, Clone, Copy)]
struct Counts {
    killed: usize,
    survived: usize,
    not_reached: usize,
    accepted: usize,
}

impl Counts {
    fn line(self, name: &str) -> String {
        let all = self.killed + self.survived + self.not_reached + self.accepted;
        #[allow(clippy::cast_precision_loss)] // For people.
        let of = |count: usize| count as f64 * 100.0 / all.max(1) as f64;
        format!(
            "{name:<32} {all:>5} mutants, {:>5} killed ({:.1} %), {:>4} survived, {:>4} not reached, {:>4} accepted",
            self.killed,
            of(self.killed),
            self.survived,
            self.not_reached,
            self.accepted,
        )
    }
}

/// Runs every mistake against the tests that reach it. With a filter: those of the files whose path
/// contains it. `unit`: against the unit tests only.
pub fn run(filter: Option<&str>, unit: bool) -> Result {
    let began = Instant::now();
    let mut build = Build { folder: target().join("mutants"), files: BTreeMap::new(), left_out: BTreeSet::new() };
    build.leave_out(filter)?;
    let mut programs = Vec::new();
    let only_core = build.files.keys().all(|path| path.starts_with(CORE));
    let chosen = PROGRAMS.iter().take(if unit { 1 } else { PROGRAMS.len() });
    for (arguments, for_core) in chosen.filter(|(_, for_core)| *for_core || !only_core) {
        programs.extend(build.programs(arguments)?.into_iter().map(|program| (program, *for_core)));
    }
    println!("built after {:.0} s; {} mistakes do not compile", began.elapsed().as_secs_f64(), build.left_out.len());
    let tests = build.tests(&programs)?;
    println!("{} tests after {:.0} s", tests.len(), began.elapsed().as_secs_f64());
    let text = fs::read_to_string(root().join(ACCEPTED)).unwrap_or_default();
    let accepted = accepted(&text)?;
    let mut counts: BTreeMap<String, Counts> = BTreeMap::new();
    let (mut left, mut keys) = (Vec::new(), BTreeSet::new());
    build.run_all(&tests, |mutant, found| {
        let key = mutant.key();
        let is_accepted = found != Found::Killed && accepted.contains_key(key.as_str());
        if found != Found::Killed {
            keys.insert(key.clone());
            let how = if found == Found::Survived { "survives" } else { "is not reached" };
            if !is_accepted {
                println!("{how}: {}:{}: {key}", mutant.path, mutant.line);
                left.push(key);
            }
        }
        let folder = mutant.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for name in [folder, &mutant.path] {
            let counts = counts.entry(name.to_owned()).or_default();
            match found {
                _ if is_accepted => counts.accepted += 1,
                Found::Killed => counts.killed += 1,
                Found::Survived => counts.survived += 1,
                Found::NotReached => counts.not_reached += 1,
            }
        }
    });
    for (name, counts) in &counts {
        println!("campaign mutants: {}", counts.line(name));
    }
    println!("campaign mutants: {:.0} s", began.elapsed().as_secs_f64());
    report(&build, &counts, &accepted, &keys)
}

/// An error names what falls short: a mistake of `core` that is not accepted, another folder below
/// 90 %, an accepted mistake that is found.
fn report(
    build: &Build,
    counts: &BTreeMap<String, Counts>,
    accepted: &BTreeMap<&str, &str>,
    keys: &BTreeSet<String>,
) -> Result {
    let mut short = Vec::new();
    for (name, counts) in counts.iter().filter(|(name, _)| FOLDERS.contains(&name.as_str())) {
        let found = counts.killed + counts.accepted;
        let lost = counts.survived + counts.not_reached;
        if (name == "src/core" && lost > 0) || found * 10 < (found + lost) * 9 {
            short.push(format!("{name}: {lost} of {} are not found", found + lost));
        }
    }
    let chosen = |key: &&&str| build.files.keys().any(|path| key.starts_with(path.as_str()));
    for key in accepted.keys().filter(chosen).filter(|key| !keys.contains(**key)) {
        short.push(format!("{ACCEPTED} has a mistake that is found, or is not there: {key}"));
    }
    if short.is_empty() { Ok(()) } else { Err(short.join("\n")) }
}
