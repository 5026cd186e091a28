use super::*;
use crate::run::{output, run};
use std::process::Command;

const SOURCE: &str = r"
const LIMIT: u64 = 10;

fn decide(a: u64, b: u64, on: bool) -> bool {
    if !on && a < b { a + 1 > 3 } else { b.min(a) == LIMIT }
}

fn guarded(value: Option<u64>) -> u64 {
    let mut sum = 1;
    sum += 4;
    match value {
        Some(it) if it > 2 => sum,
        Some(it) if matches!(it, 2..=2) => 7,
        _ if value.is_none_or(|it| it == 0) => 8,
        _ => 9,
    }
}

fn chained(value: Option<u64>, on: bool) -> Option<u64> {
    if let Some(it) = value && on { Some(it) } else { None }
}

#[cfg(test)]
mod tests {
    fn left_alone() -> bool {
        1 < 2
    }
}
";

const MAIN: &str = r#"
fn main() {
    for a in 0..6 {
        for b in 0..6 {
            println!("{} {}", decide(a, b, false), decide(a, b, true));
        }
    }
    println!("{} {}", decide(9, 10, true), decide(10, 10, true));
    println!("{} {} {} {} {}", guarded(None), guarded(Some(0)), guarded(Some(1)), guarded(Some(2)), guarded(Some(3)));
    println!("{:?} {:?}", chained(Some(1), true), chained(Some(1), false));
}
"#;

#[test]
fn every_mistake_of_a_source_changes_what_it_does() {
    let mutated = mutate("src/a.rs", SOURCE, 0, &BTreeSet::new()).unwrap();
    let folder = crate::run::target().join("mutants-test");
    std::fs::create_dir_all(&folder).unwrap();
    let (source, program) = (folder.join("main.rs"), folder.join("main"));
    std::fs::write(&source, mutated.text + MAIN + super::super::SWITCH).unwrap();
    let mut rustc = Command::new("rustc");
    run(rustc.args(["--edition", "2024", "--cap-lints", "allow", "-o"]).arg(&program).arg(&source)).unwrap();
    let result = |number: &str| output(Command::new(&program).env(super::super::VARIABLE, number)).ok();
    let right = result("");
    let same = |mutant: &&Mutant| result(&mutant.number.to_string()) == right;
    let survivors: Vec<String> = mutated.mutants.iter().filter(same).map(Mutant::key).collect();
    assert_eq!(survivors, [""; 0]);
    let lines: BTreeSet<usize> = mutated.mutants.iter().map(|mutant| mutant.line).collect();
    assert!(lines.iter().all(|line| (4..24).contains(line)), "{lines:?}");
    for change in ["&& becomes ||", "< becomes <=", "== becomes !=", "+ becomes -", "min becomes max", "3 becomes 4"] {
        assert!(mutated.mutants.iter().any(|mutant| mutant.change == change), "{change}");
    }
}
