//! The fuzz targets on their seeds, as plain tests. Findings of fuzzing are seeds, named after the
//! fault. The targets are in `fuzz/`. `docs/fuzzing.md` says how libFuzzer runs them.

// The C boundary is fuzzed through C pointers.
#[allow(unsafe_code)]
#[path = "../../fuzz/src/lib.rs"]
mod targets;

use std::path::Path;

fn run_seeds(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let mut seeds = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        // The output of a failed test names the seed.
        println!("{}", path.display());
        run(&std::fs::read(&path).unwrap());
        seeds += 1;
    }
    assert!(seeds > 2, "{} has {seeds} seeds", folder.display());
}

#[test]
fn response_seeds_give_json_or_a_code() {
    run_seeds("responses", targets::responses::run);
}

#[test]
fn configuration_seeds_are_accepted_or_rejected() {
    run_seeds("configuration", targets::configuration::run);
}

#[test]
fn options_seeds_are_accepted_or_rejected() {
    run_seeds("options", targets::options::run);
}

#[test]
fn journal_seeds_open_or_stay_unchanged() {
    run_seeds("journal", targets::journal::run);
}

#[test]
fn boundary_seeds_return_a_code() {
    run_seeds("boundary", targets::boundary::run);
}
