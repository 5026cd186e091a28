//! Mistakes in the library's own code, which the simulation must find. The file
//! `tests/simulation/mutants.txt` has them.
//! All of them are in one build, of a copy of the sources, and an environment variable chooses one.

use crate::run::{Result, cargo, output, root, run, target};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// So long the simulation may look for one mistake, in seconds.
const LIMIT: &str = "60";

/// Names the chosen mistake to the program.
const VARIABLE: &str = "EPS_MUTANT";

const CHOICE: &str = "
/// Whether a mistake is chosen.
pub(crate) fn is_mutant(name: &str) -> bool {
    static CHOSEN: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    CHOSEN.get_or_init(|| std::env::var(\"EPS_MUTANT\").unwrap_or_default()) == name
}
";

/// A mistake: its name, what is wrong, and the file, the right and the wrong text of each change.
struct Mutant {
    name: String,
    text: String,
    changes: Vec<(PathBuf, String, String)>,
}

fn parse(text: &str) -> Result<Vec<Mutant>> {
    let mut mutants: Vec<Mutant> = Vec::new();
    let (mut path, mut right) = (PathBuf::new(), String::new());
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some((name, text)) = line.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
            mutants.push(Mutant { name: name.to_owned(), text: text.to_owned(), changes: Vec::new() });
        } else if line.starts_with("src/") {
            path = PathBuf::from(line);
        } else if let Some(text) = line.strip_prefix("- ") {
            text.clone_into(&mut right);
        } else if let Some(text) = line.strip_prefix("+ ") {
            let mutant = mutants.last_mut().ok_or("a change stands before the first name")?;
            let wrong = text.replace("MUTANT", &format!("crate::is_mutant(\"{}\")", mutant.name));
            mutant.changes.push((path.clone(), right.clone(), wrong));
        }
    }
    Ok(mutants)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(path: &Path, text: &str) -> Result {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Copies the sources, with every mistake in them.
fn copy(into: &Path, mutants: &[Mutant]) -> Result {
    let mut list = Command::new("git");
    list.args(["ls-files", "--cached", "--others", "--exclude-standard"]).current_dir(root());
    let files = output(&mut list)?;
    for file in files.lines().filter(|file| root().join(file).is_file()) {
        let to = into.join(file);
        let folder = to.parent().unwrap_or(into);
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        fs::copy(root().join(file), &to).map_err(|error| format!("{file}: {error}"))?;
    }
    for mutant in mutants {
        for (path, right, wrong) in &mutant.changes {
            let (path, name) = (into.join(path), &mutant.name);
            let text = read(&path)?;
            let found = text.matches(right.as_str()).count();
            if found != 1 {
                return Err(format!("mutant {name}: {} has its text {found} times: {right}", path.display()));
            }
            write(&path, &text.replace(right.as_str(), wrong))?;
        }
    }
    let main = into.join("src/lib.rs");
    write(&main, &(read(&main)? + CHOICE))
}

/// Builds the mistakes and has the simulation look for each. An error names those that it does not
/// find any more.
pub fn run_all(filter: Option<&str>) -> Result {
    let mutants = parse(&read(&root().join("tests/simulation/mutants.txt"))?)?;
    let folder = target().join("mutants");
    let source = folder.join("source");
    let _ = fs::remove_dir_all(&source);
    copy(&source, &mutants)?;
    let mut build = cargo();
    build.args(["build", "--profile", "simulation", "--features", "simulation", "--bin", "simulation"]);
    // Their own folder: the simulation that has no mistakes stays where it is.
    run(build.current_dir(&source).env("CARGO_TARGET_DIR", &folder))?;
    let program = folder.join("simulation/simulation");
    let chosen = |mutant: &&Mutant| filter.is_none_or(|filter| mutant.name.contains(filter));
    let mut missed = Vec::new();
    for mutant in mutants.iter().filter(chosen) {
        let mut find = Command::new(&program);
        let result = output(find.args(["find", LIMIT]).env(VARIABLE, &mutant.name))?;
        println!("campaign mutants: {} ({}): {}", mutant.name, mutant.text, result.trim_end());
        if !result.starts_with("found") && !mutant.text.starts_with("(open)") {
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
                assert_eq!(found, 1, "{}: {}: {right}", mutant.name, path.display());
            }
        }
    }
}
