//! Mistakes that the simulation must find (`tests/simulation/mutants.txt`), and faults that a named
//! test must find (`tests/faults.txt`).

use super::{VARIABLE, copy, read};
use crate::run::{Result, cargo, output, root, run, target};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

/// So long the simulation may look for one mistake, in seconds.
const LIMIT: &str = "60";

const OF_SIMULATION: &str = "tests/simulation/mutants.txt";
const OF_TESTS: &str = "tests/faults.txt";

/// A mistake: its name, what is wrong, and the file, the right and the wrong text of each change.
struct Mutant {
    name: String,
    text: String,
    /// The arguments of `cargo test`, the last of which names the test that must find it.
    test: Vec<String>,
    changes: Vec<(String, String, String)>,
}

fn parse(text: &str) -> Result<Vec<Mutant>> {
    let mut mutants: Vec<Mutant> = Vec::new();
    let (mut path, mut right) = (String::new(), String::new());
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some((name, text)) = line.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
            mutants.push(Mutant {
                name: name.to_owned(),
                text: text.to_owned(),
                test: Vec::new(),
                changes: Vec::new(),
            });
        } else if let (Some(test), Some(mutant)) = (line.strip_prefix("= "), mutants.last_mut()) {
            mutant.test = test.split(' ').map(str::to_owned).collect();
        } else if line.starts_with("src/") {
            line.clone_into(&mut path);
        } else if let Some(text) = line.strip_prefix("- ") {
            text.clone_into(&mut right);
        } else if let Some(text) = line.strip_prefix("+ ") {
            let number = mutants.len().checked_sub(1).ok_or("a change stands before the first name")?;
            let mutant = &mut mutants[number];
            let wrong = text.replace("MUTANT", &format!("crate::mutant::is({number})"));
            mutant.changes.push((path.clone(), right.clone(), wrong));
        }
    }
    Ok(mutants)
}

/// Returns the files that the mistakes change, with every mistake in them.
fn changed(mutants: &[Mutant]) -> Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    for mutant in mutants {
        for (path, right, wrong) in &mutant.changes {
            let text = match files.remove(path) {
                Some(text) => text,
                None => read(&root().join(path))?,
            };
            let found = text.matches(right.as_str()).count();
            if found != 1 {
                return Err(format!("mutant {}: {path} has its text {found} times: {right}", mutant.name));
            }
            files.insert(path.clone(), text.replace(right.as_str(), wrong));
        }
    }
    Ok(files)
}

/// Has the simulation look for each of its mistakes, and runs the tests of the faults. An error
/// names those that are not found.
pub fn run_all(filter: Option<&str>) -> Result {
    let missed = [run_simulation(filter)?, run_tests(filter)?].concat();
    if missed.is_empty() { Ok(()) } else { Err(format!("not found: {}", missed.join(", "))) }
}

/// Returns the chosen mistakes of a list with their numbers, and the copy of the sources that has
/// all of them.
fn chosen(list: &str, name: &str, filter: Option<&str>) -> Result<(Vec<(usize, Mutant)>, PathBuf)> {
    let mutants = parse(&read(&root().join(list))?)?;
    let source = folder().join(name);
    copy(&source, &changed(&mutants)?)?;
    let is_chosen = |(_, mutant): &(usize, Mutant)| filter.is_none_or(|filter| mutant.name.contains(filter));
    Ok((mutants.into_iter().enumerate().filter(is_chosen).collect(), source))
}

/// The builds with mistakes have a folder of their own.
fn folder() -> PathBuf {
    target().join("mutants")
}

fn run_simulation(filter: Option<&str>) -> Result<Vec<String>> {
    let (mutants, source) = chosen(OF_SIMULATION, "source", filter)?;
    let mut missed = Vec::new();
    if mutants.is_empty() {
        return Ok(missed);
    }
    let mut build = cargo();
    build.args(["build", "--profile", "simulation", "--features", "simulation", "--bin", "simulation"]);
    run(build.current_dir(&source).env("CARGO_TARGET_DIR", folder()))?;
    for (number, mutant) in mutants {
        let mut find = Command::new(folder().join("simulation/simulation"));
        let result = output(find.args(["find", LIMIT]).env(VARIABLE, number.to_string()))?;
        println!("campaign mutants: {} ({}): {}", mutant.name, mutant.text, result.trim_end());
        if !result.starts_with("found") {
            missed.push(mutant.name);
        }
    }
    Ok(missed)
}

fn run_tests(filter: Option<&str>) -> Result<Vec<String>> {
    let (mutants, source) = chosen(OF_TESTS, "faults", filter)?;
    let mut missed = Vec::new();
    for (number, mutant) in mutants {
        let Some((name, program)) = mutant.test.split_last() else { continue };
        let test = |number: &str| {
            let mut test = cargo();
            test.args(["test", "--package", "engage-point-shop", "--quiet"])
                .args(program)
                .args(["--", "--exact", name]);
            output(test.current_dir(&source).env("CARGO_TARGET_DIR", folder()).env(VARIABLE, number))
        };
        // Without the fault the test passes, so that it fails because of the fault.
        let passed = test("")?;
        if !passed.contains("1 passed") {
            return Err(format!("no test is named {name}"));
        }
        let found = test(&number.to_string()).is_err();
        let result = if found { "fails" } else { "passes" };
        println!("campaign faults: {} ({}): {name} {result}", mutant.name, mutant.text);
        if !found {
            missed.push(mutant.name);
        }
    }
    Ok(missed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_every_mutant_is_in_its_file_once() {
        for list in [OF_SIMULATION, OF_TESTS] {
            let mutants = parse(&read(&root().join(list)).unwrap()).unwrap();
            assert!(mutants.iter().all(|mutant| !mutant.changes.is_empty()));
            assert!(mutants.iter().all(|mutant| mutant.test.is_empty() == (list == OF_SIMULATION)));
            assert!(changed(&mutants).unwrap().len() > 5);
        }
    }
}
