//! `docs/eps.md`: each command in it works, and prints what the page shows. Times, numbers and
//! spaces may differ. With EPS_DOCS=write the page gets the present output.

use super::support::{COFFEE, GATEWAY_ERROR, LOAD, Run, Store, command, eventually, item};
use serde_json::json;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Two purchases of the last minutes, and one in manual review.
fn scene() -> Store {
    let store = Store::open();
    let soon = json!({ "resendLimitMs": 0, "requestTimeoutMs": 1_000 });
    let till = store.till_with(&soon);
    store.buy_pending(item(0x3b), "receipt 3", &soon, 3);
    eventually("the purchase is in review", || {
        let _ = till.resolve_pending(Some(r#"{"waitMs":1000}"#));
        (store.eps(&["list", "--review"]).code == 6).then_some(())
    });
    let options = json!({ "reference": "receipt 1", "purchaseId": "d0000000-0000-4000-8000-000000000001" });
    till.purchase(LOAD, COFFEE, Some(&options.to_string())).unwrap();
    store.buy_pending(item(GATEWAY_ERROR), "receipt 2", &json!({}), 2);
    till.close();
    store.write_config(&json!({ "historyLagMs": null }));
    store
}

/// Splits a command line; double quotes hold an argument together.
fn arguments(line: &str) -> Vec<String> {
    let mut arguments = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ' ' if !quoted => arguments.push(String::new()),
            c => arguments.last_mut().unwrap().push(c),
        }
    }
    arguments
}

/// Returns what must be the same: digits and spaces may differ. Of the checks, whose results depend
/// on the machine, only the names count.
fn normal(command: &str, text: &str) -> Vec<String> {
    let line = |line: &str| {
        let digits: String = line.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        let mut short = digits;
        while short.contains("00") {
            short = short.replace("00", "0");
        }
        short.split_whitespace().collect::<Vec<_>>().join(" ").replace("0 min 0 s", "0 s")
    };
    // The till may have queried once before it ended.
    let is_kept = |line: &&str| !line.is_empty() && !line.contains("status query");
    let lines = text.lines().map(str::trim_end).filter(is_kept);
    match command.contains("doctor") {
        false => lines.map(line).collect(),
        true => lines
            .filter(|line| !line.starts_with(' '))
            .filter_map(|line| line.split_whitespace().nth(1).map(str::to_owned))
            .collect(),
    }
}

/// Returns all pages of the documents.
fn pages(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let files = files.into_iter().filter(|path| path.extension().is_some_and(|end| end == "md"));
    files.chain(folders.iter().flat_map(|folder| pages(folder))).collect()
}

#[test]
fn every_command_that_a_page_names_is_understood() {
    let mut commands = 0;
    for page in pages(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")) {
        let text = std::fs::read_to_string(&page).unwrap();
        // Commands in a sentence, and lines of blocks.
        for line in text.split(['`', '\n']).map(|line| line.trim_start_matches("$ ")) {
            let Some(line) = line.trim().strip_prefix("eps ") else { continue };
            let line = line.split(" > ").next().unwrap_or_default();
            let arguments = arguments(&line.replace(['[', ']'], ""));
            let arguments = arguments.iter().map(String::as_str).chain(["--help"]);
            let output = command(&arguments.collect::<Vec<_>>()).output().unwrap();
            assert!(
                output.status.success(),
                "{}: eps {line}\n{}",
                page.display(),
                String::from_utf8_lossy(&output.stderr)
            );
            commands += 1;
        }
    }
    assert!(commands > 60, "{commands} commands");
}

#[test]
fn every_command_of_the_page_prints_what_it_shows() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/eps.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let store = scene();
    let (mut written, mut commands, mut differs) = (String::new(), 0, String::new());
    for (at, block) in page.split("```").enumerate() {
        if at > 0 {
            written.push_str("```");
        }
        let Some(console) = block.strip_prefix("console\n").filter(|_| at % 2 == 1) else {
            written.push_str(block);
            continue;
        };
        written.push_str("console\n");
        for example in console.split("$ eps ").skip(1) {
            let (line, shown) = example.split_once('\n').unwrap_or((example, ""));
            let arguments = arguments(line);
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let run: Run = command(&arguments).current_dir(store.folder.path()).output().unwrap().into();
            assert!(run.err.is_empty(), "{line}: {}", run.err);
            commands += 1;
            let out = run.out.replace(&store.folder.path().display().to_string(), "/var/lib/acmepos");
            let (ours, theirs) = (normal(line, &out), normal(line, shown));
            if ours != theirs {
                let _ = writeln!(differs, "{line}\nprints\n{out}\nand the page shows\n{shown}");
            }
            let _ = write!(written, "$ eps {line}\n{}\n", out.trim_end());
        }
    }
    if std::env::var_os("EPS_DOCS").is_some_and(|value| value == "write") {
        std::fs::write(&path, written).unwrap();
        return;
    }
    assert!(commands >= 16, "{commands} commands");
    assert!(differs.is_empty(), "{differs}");
}
