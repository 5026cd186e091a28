//! The fuzz targets on their seeds, as plain tests. What fuzzing has found is among the seeds, under the name of what was wrong.
//! The targets themselves, and how to let libFuzzer run them: `fuzz/` and `docs/fuzzing.md`.

// The C boundary is fuzzed as C calls it.
#[allow(unsafe_code)]
#[path = "../../fuzz/src/lib.rs"]
mod targets;

use std::path::Path;

fn run_seeds(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let mut seeds = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        // Named in the output of a test that fails.
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
