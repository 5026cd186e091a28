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
fn any_answer_is_engages_or_a_code_and_never_spends_by_itself() {
    run_seeds("responses", targets::responses::run);
}

#[test]
fn any_configuration_is_read_or_complained_about() {
    run_seeds("configuration", targets::configuration::run);
}

#[test]
fn any_options_are_read_or_complained_about() {
    run_seeds("options", targets::options::run);
}

#[test]
fn any_journal_opens_or_is_left_as_it_was() {
    run_seeds("journal", targets::journal::run);
}

#[test]
fn any_calls_of_the_c_boundary_come_back_with_a_code() {
    run_seeds("boundary", targets::boundary::run);
}
