//! Mistakes that the simulation must find. The file `tests/simulation/mutants.txt` has them.

use super::{VARIABLE, copy, read};
use crate::run::{Result, cargo, output, root, run, target};
use std::collections::BTreeMap;
use std::process::Command;

/// So long the simulation may look for one mistake, in seconds.
const LIMIT: &str = "60";

/// A mistake: its name, what is wrong, and the file, the right and the wrong text of each change.
struct Mutant {
    name: String,
    text: String,
    changes: Vec<(String, String, String)>,
}

fn parse(text: &str) -> Result<Vec<Mutant>> {
    let mut mutants: Vec<Mutant> = Vec::new();
    let (mut path, mut right) = (String::new(), String::new());
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some((name, text)) = line.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
            mutants.push(Mutant { name: name.to_owned(), text: text.to_owned(), changes: Vec::new() });
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

/// Builds the mistakes and has the simulation look for each. An error names those that it does not
/// find any more.
pub fn run_all(filter: Option<&str>) -> Result {
    let mutants = parse(&read(&root().join("tests/simulation/mutants.txt"))?)?;
    let folder = target().join("mutants");
    let source = folder.join("source");
    copy(&source, &changed(&mutants)?)?;
    let mut build = cargo();
    build.args(["build", "--profile", "simulation", "--features", "simulation", "--bin", "simulation"]);
    // Their own folder: the simulation that has no mistakes stays where it is.
    run(build.current_dir(&source).env("CARGO_TARGET_DIR", &folder))?;
    let program = folder.join("simulation/simulation");
    let chosen = |(_, mutant): &(usize, &Mutant)| filter.is_none_or(|filter| mutant.name.contains(filter));
    let mut missed = Vec::new();
    for (number, mutant) in mutants.iter().enumerate().filter(chosen) {
        let mut find = Command::new(&program);
        let result = output(find.args(["find", LIMIT]).env(VARIABLE, number.to_string()))?;
        println!("campaign mutants: {} ({}): {}", mutant.name, mutant.text, result.trim_end());
        if !result.starts_with("found") {
            missed.push(mutant.name.as_str());
        }
    }
    if missed.is_empty() { Ok(()) } else { Err(format!("the simulation does not find: {}", missed.join(", "))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_every_mutant_is_in_its_file_once() {
        let mutants = parse(&read(&root().join("tests/simulation/mutants.txt")).unwrap()).unwrap();
        assert!(mutants.len() > 20);
        for mutant in mutants {
            assert!(!mutant.changes.is_empty(), "{}", mutant.name);
            for (path, right, _) in &mutant.changes {
                let found = read(&root().join(path)).unwrap().matches(right.as_str()).count();
                assert_eq!(found, 1, "{}: {path}: {right}", mutant.name);
            }
        }
    }
}
