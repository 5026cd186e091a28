//! The README's certification: every command runs as it stands there. The naive till fails, and the
//! till in C passes.

use crate::languages::Language;
use crate::support::Store;
use engage_sandbox::judge::{Case, Journal, judge};
use engage_sandbox::seed::demo;
use engage_sandbox::{LedgerEntry, journal_file};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Returns cargo's target folder: this test is in `debug/deps` of it.
fn target() -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned()
}

/// Returns the commands under a heading of the README, with continued lines merged.
fn commands(heading: &str) -> Vec<String> {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/certify.md")).unwrap();
    let section = readme.split(&format!("## {heading}\n")).nth(1).expect("the section is in the README");
    let block = section.split("```console\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let lines = block.replace("\\\n", " ");
    lines.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

#[test]
fn readme_certify_commands_fail_naive_and_pass_the_c_till() {
    let root = tempfile::tempdir().unwrap();
    let target = target().display().to_string();
    let path = format!("{}/bin:{}", root.path().display(), std::env::var("PATH").unwrap());
    let commands = commands("Certify a till");
    assert_eq!(commands.len(), 6, "{commands:#?}");
    for (at, command) in commands.iter().enumerate() {
        // Only the folders of the build and of the installation differ from the README.
        let command = command.replace("$PWD/target/", "target/").replace("target/", &format!("{target}/"));
        let command = match command.strip_prefix("cargo install") {
            Some(rest) => format!("cargo install --debug --offline --quiet --root {} {rest}", root.path().display()),
            None => command,
        };
        let output = Command::new("sh")
            .args(["-c", &command])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("PATH", &path)
            .env("CARGO_TARGET_DIR", &target)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        let fails = command.contains("naive");
        assert_eq!(output.status.code(), Some(i32::from(fails)), "{at}: {command}\n{said}");
        if fails {
            assert!(said.contains("receipt 4711: deducted 2 times; due: once"), "{said}");
            // A till without a memory fails at least a third of the scenarios.
            let failed = said.matches("\nfailed ").count();
            let passed = said.matches("\npassed ").count();
            assert!(failed * 3 >= failed + passed, "{failed} failed and {passed} passed:\n{said}");
        } else if command.contains("certify") {
            assert!(said.contains(" 0 failed, 0 void, 0 skipped"), "{said}");
            let report = std::fs::read_to_string(format!("{target}/certificate/index.html")).unwrap();
            assert!(report.contains("<h2>Certified</h2>"), "{said}");
        }
    }
}

#[test]
fn journal_of_the_library_is_judged_strictly() {
    let store = Store::open();
    let sell = |receipt: &str| {
        let (url, ca, journal) = (store.sandbox.https_url(), store.sandbox.ca_file().to_owned(), store.journal());
        let mut till = Language::C.program("till");
        till.args(["--url", &url, "--key", store.sandbox.api_key(), "--contact", &demo::ASTRID.to_string()]);
        till.args(["--item", &demo::COFFEE.to_string(), "--reference", receipt]);
        let output = till.arg("--ca").arg(ca).arg("--journal").arg(journal).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    };
    sell("receipt 1");
    sell("receipt 2");
    let journal = journal_file::read("till", &store.journal()).unwrap();
    // Two purchases and two redeems, all acknowledged.
    assert_eq!(journal.operations.len(), 4);
    assert!(journal.operations.iter().all(|operation| operation.acknowledged_at_ms.is_some()), "{journal:#?}");
    let ledger = store.sandbox.ledger();
    let verdict = |journal: &Journal, ledger: &[LedgerEntry]| {
        let journals = std::slice::from_ref(journal);
        judge(&Case { ledger, journals, resolved: true, partial: false, attempts: None })
    };
    assert!(verdict(&journal, &ledger).pass);
    let lost = Journal { operations: journal.operations[1..].to_vec(), ..journal.clone() };
    assert!(!verdict(&lost, &ledger).pass);
    assert!(!verdict(&journal, &[]).pass);
}
