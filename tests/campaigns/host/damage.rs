//! A journal whose files were damaged, cut, lost or mixed with older ones between two starts.

use crate::fixture::{
    Files, Fixture, SUFFIXES, begin_sale_without_response, beside, buy, code_of_sale, files_of, write_files,
};
use crate::full;
use crate::random::Random;
use engage_point_shop::{Client, Code};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// The files of one journal at times of its life, as a kill or a close leaves them, and the
/// references that it holds.
struct Generation {
    name: &'static str,
    files: Files,
    references: Vec<String>,
}

/// Sells with one journal and keeps its files at each time.
fn generations(fixture: &Fixture) -> Vec<Generation> {
    let journal = fixture.place("life");
    let mut found = Vec::new();
    let mut references: Vec<String> = Vec::new();
    let sell = |client: &Client, reference: &str, references: &mut Vec<String>| {
        assert_eq!(code_of_sale(client, reference), Code::Ok, "{reference}");
        references.push(reference.to_owned());
    };
    let mut keep = |name, references: &[String]| {
        found.push(Generation { name, files: files_of(&journal), references: references.to_vec() });
    };
    let client = fixture.open(&journal).unwrap();
    for sale in 0..4 {
        sell(&client, &format!("first-{sale}"), &mut references);
    }
    keep("killed", &references);
    client.close();
    drop(client);
    keep("closed", &references);
    let client = fixture.open(&journal).unwrap();
    for sale in 0..4 {
        sell(&client, &format!("second-{sale}"), &mut references);
    }
    let operations: Value = serde_json::from_slice(&client.list_unacknowledged(None).unwrap()).unwrap();
    for operation in operations["operations"].as_array().unwrap().iter().take(3) {
        let id = operation["operationId"].as_str().unwrap();
        client.acknowledge(engage_point_shop::OperationId::parse(id, "operationId").unwrap()).unwrap();
    }
    keep("killed again", &references);
    // A purchase whose response is lost: only the journal knows that it may have been made.
    begin_sale_without_response(fixture, &client, "in-doubt");
    references.push("in-doubt".to_owned());
    keep("killed in doubt", &references);
    fixture.sandbox.clear_faults();
    client.close();
    found
}

/// What a case changes, in words, and the files that it leaves.
struct Case {
    what: String,
    files: Files,
    /// The references that the newest of these files held.
    references: Vec<String>,
}

fn flips(generation: &Generation, count: usize, random: &mut Random) -> Vec<Case> {
    let total: usize = generation.files.values().map(Vec::len).sum();
    let flip = |at: usize, bit: usize| {
        let (mut files, mut left) = (generation.files.clone(), at);
        for (suffix, content) in &mut files {
            if left < content.len() {
                content[left] ^= 1 << bit;
                return Case {
                    what: format!("{}: bit {bit} of byte {left} of journal.db{suffix}", generation.name),
                    files: files.clone(),
                    references: generation.references.clone(),
                };
            }
            left -= content.len();
        }
        unreachable!("{at} is behind the files")
    };
    (0..count).map(|_| flip(random.place(total), random.place(8))).collect()
}

/// Each file cut at lengths between nothing and all, and missing.
fn cuts(generation: &Generation, step: usize) -> Vec<Case> {
    let mut cases = Vec::new();
    for (suffix, content) in &generation.files {
        for length in (0..content.len()).step_by(step).chain([content.len() - 1]) {
            let mut files = generation.files.clone();
            files.insert(suffix, content[..length].to_vec());
            let what = format!("{}: journal.db{suffix} cut to {length} of {}", generation.name, content.len());
            cases.push(Case { what, files, references: generation.references.clone() });
        }
        let mut files = generation.files.clone();
        files.remove(suffix);
        let what = format!("{}: journal.db{suffix} missing", generation.name);
        cases.push(Case { what, files, references: generation.references.clone() });
    }
    cases
}

/// Every mixture of the files of two generations, each file from one of them or missing in it.
fn mixtures(generations: &[Generation]) -> Vec<Case> {
    let mut cases = Vec::new();
    for (at, older) in generations.iter().enumerate() {
        for newer in &generations[at + 1..] {
            for choice in 1..(1 << SUFFIXES.len()) - 1 {
                let from = |place: usize| if choice >> place & 1 == 1 { newer } else { older };
                let files: Files = SUFFIXES
                    .into_iter()
                    .enumerate()
                    .filter_map(|(place, suffix)| Some((suffix, from(place).files.get(suffix)?.clone())))
                    .collect();
                // A whole older generation: no file is left that shows it.
                if files == older.files {
                    continue;
                }
                let chosen: Vec<String> = SUFFIXES
                    .into_iter()
                    .enumerate()
                    .map(|(place, suffix)| format!("journal.db{suffix} of \"{}\"", from(place).name))
                    .collect();
                cases.push(Case { what: chosen.join(", "), files, references: newer.references.clone() });
            }
        }
    }
    cases
}

/// Opens a journal and presses its sales again. Returns the code of the open.
fn survive(fixture: &Fixture, place: &str, case: &Case) -> Result<Code, String> {
    let journal = fixture.place(place);
    write_files(&journal, &case.files);
    let before = fixture.deductions();
    let code = match fixture.open(&journal) {
        Ok(client) => {
            let listed: Value = serde_json::from_slice(&client.list_operations(None).unwrap()).unwrap();
            let known = |reference: &&String| {
                listed["operations"].as_array().is_some_and(|all| all.iter().any(|one| one["reference"] == **reference))
            };
            let lost: Vec<&String> = case.references.iter().filter(|reference| !known(reference)).collect();
            if !lost.is_empty() {
                return Err(format!("{}: opens as if it were whole, without {lost:?}", case.what));
            }
            for reference in &case.references {
                let _ = buy(&client, reference);
            }
            client.close();
            Code::Ok
        }
        Err(error) if error.message().is_empty() => return Err(format!("{}: no message", case.what)),
        Err(error) if !(-699..=-600).contains(&error.code().number()) => {
            return Err(format!("{}: {error}", case.what));
        }
        Err(error) => error.code(),
    };
    match fixture.deductions() - before {
        0 => Ok(code),
        more => Err(format!("{}: {more} sales were deducted again", case.what)),
    }
}

#[test]
fn damaged_cut_lost_or_mixed_files_are_reported() {
    let seed = std::env::var("EPS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(14);
    let fixture = Fixture::new();
    let generations = generations(&fixture);
    let whole = |generation: &Generation| Case {
        what: generation.name.to_owned(),
        files: generation.files.clone(),
        references: generation.references.clone(),
    };
    for generation in &generations {
        assert_eq!(survive(&fixture, "whole", &whole(generation)), Ok(Code::Ok), "an ordinary crash");
    }
    let (flip_count, step) = if full() { (2_500, 97) } else { (25, 6_007) };
    let mut random = Random::new(seed);
    let mut cases = mixtures(&generations);
    for generation in &generations {
        cases.extend(flips(generation, flip_count, &mut random));
        cases.extend(cuts(generation, step));
    }
    let began = Instant::now();
    let next = AtomicUsize::new(0);
    let results: Mutex<(BTreeMap<&str, usize>, Vec<String>)> = Mutex::default();
    std::thread::scope(|scope| {
        for place in 0..4 {
            // Each thread has a sandbox of its own, where all of the sales were made.
            let (cases, next, results) = (&cases, &next, &results);
            let fixture = &fixture;
            scope.spawn(move || {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = survive(fixture, &format!("place-{place}"), case);
                    let mut results = results.lock().unwrap();
                    match result {
                        Ok(code) => *results.0.entry(code.row().name).or_default() += 1,
                        Err(violation) => results.1.push(violation),
                    }
                }
            });
        }
    });
    let (codes, violations) = results.into_inner().unwrap();
    println!(
        "campaign damage: {} points tried, {} violations, {codes:?}, seed {seed} ({:.1} s)",
        cases.len(),
        violations.len(),
        began.elapsed().as_secs_f32()
    );
    assert!(violations.is_empty(), "{}", violations[..violations.len().min(10)].join("\n"));
}

/// Damage, the code of the rejected open, and the records that may be left.
type Damage<'a> = (&'a str, &'a dyn Fn(&mut Files), Code, RangeInclusive<usize>);

#[test]
fn accepted_loss_opens_with_what_is_left() {
    let fixture = Fixture::new();
    let generations = generations(&fixture);
    // A wait that no machine is too slow for.
    let accept = json!({ "journalRecovery": "accept", "waitMs": 60_000 });
    let newest = generations.last().unwrap();
    let listed = |client: &Client| -> usize {
        let all: Value = serde_json::from_slice(&client.list_operations(None).unwrap()).unwrap();
        all["operations"].as_array().unwrap().len()
    };
    let is_listed = |client: &Client, reference: &str| {
        let options = json!({ "reference": reference }).to_string();
        let found: Value = serde_json::from_slice(&client.list_operations(Some(&options)).unwrap()).unwrap();
        !found["operations"].as_array().unwrap().is_empty()
    };
    let cases: [Damage<'_>; 5] = [
        ("no log", &|files| drop(files.remove("-wal")), Code::JournalIncomplete, 4..=8),
        ("no journal", &|files| drop(files.remove("")), Code::JournalIncomplete, 0..=9),
        ("no seal", &|files| drop(files.remove("-seal")), Code::JournalIncomplete, 9..=9),
        ("its first bytes", &|files| files.get_mut("").unwrap()[..16].fill(0), Code::JournalDamaged, 0..=0),
        ("its schema", &|files| files.get_mut("").unwrap()[100..900].fill(7), Code::JournalDamaged, 0..=9),
    ];
    for (what, change, code, left) in cases {
        let journal = fixture.place(&what.replace(' ', "-"));
        let mut files = newest.files.clone();
        if what.starts_with("its") {
            files.remove("-wal");
        }
        change(&mut files);
        write_files(&journal, &files);
        let error = fixture.open(&journal).map(drop).unwrap_err();
        assert_eq!(error.code(), code, "{what}: {error}");
        assert!(error.message().contains("journalRecovery"), "{what}: {error}");
        let client = fixture.open_with(&journal, &accept).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(left.contains(&listed(&client)), "{what}: {} records are left", listed(&client));
        let known: Vec<bool> = newest.references.iter().map(|reference| is_listed(&client, reference)).collect();
        let sold = fixture.deductions();
        for (reference, is_known) in newest.references.iter().zip(&known) {
            let code = code_of_sale(&client, reference);
            let expected = if *is_known { Code::Ok } else { Code::PendingAmbiguous };
            assert_eq!(code, expected, "{what}: {reference}");
        }
        assert_eq!(fixture.deductions(), sold, "{what}: an earlier sale was deducted again");
        // The same member may have bought the same item under a reference that was lost.
        let more = code_of_sale(&client, &format!("after {what}"));
        let expected = if known.contains(&false) { Code::PendingAmbiguous } else { Code::Ok };
        assert_eq!(more, expected, "{what}");
        client.close();
        drop(client);
        // Once is enough.
        let client = fixture.open(&journal).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(listed(&client) > 0);
        client.close();
    }
}

#[test]
fn trigger_of_another_program_is_reported() {
    let fixture = Fixture::new();
    let journal = fixture.place("trigger");
    let client = fixture.open(&journal).unwrap();
    assert_eq!(code_of_sale(&client, "R1"), Code::Ok);
    client.close();
    drop(client);
    let foreign = rusqlite::Connection::open(&journal).unwrap();
    let trigger =
        "CREATE TRIGGER \"a\"\"b\" AFTER INSERT ON operation BEGIN DELETE FROM operation WHERE id = new.id; END";
    foreign.execute_batch(trigger).unwrap();
    drop(foreign);
    let error = fixture.open(&journal).map(drop).unwrap_err();
    assert_eq!(error.code(), Code::JournalDamaged, "{error}");
    assert!(error.message().contains("trigger"), "{error}");
    let client = fixture.open_with(&journal, &json!({ "journalRecovery": "accept", "waitMs": 60_000 })).unwrap();
    assert_eq!(code_of_sale(&client, "R2"), Code::Ok);
    client.close();
    drop(client);
    let client = fixture.open(&journal).unwrap();
    assert_eq!([code_of_sale(&client, "R1"), code_of_sale(&client, "R2")], [Code::Ok, Code::Ok]);
    assert_eq!(fixture.deductions(), 2);
    client.close();
}

/// A backup that a kill has ended leaves such a file.
#[test]
fn nothing_to_take_over_is_no_empty_journal() {
    let fixture = Fixture::new();
    let journal = fixture.place("nothing");
    let take_over = || {
        let opened = fixture.open_with(&journal, &json!({ "journalRole": "takeOver" }));
        opened.map(|client| client.close()).unwrap_err().code()
    };
    assert_eq!(take_over(), Code::JournalCannotOpen);
    assert!(!journal.exists(), "nothing is made");
    std::fs::write(&journal, "").unwrap();
    assert_eq!(take_over(), Code::JournalCannotOpen);
    fixture.open(&journal).unwrap().close();
}

#[test]
fn closed_journal_is_one_file_and_its_copy_is_noticed() {
    let fixture = Fixture::new();
    let generations = generations(&fixture);
    let closed = &generations[1];
    assert_eq!(closed.files.keys().copied().collect::<Vec<_>>(), ["", "-seal"]);
    let journal = fixture.place("copied");
    let mut files = closed.files.clone();
    files.remove("-seal");
    write_files(&journal, &files);
    let error = fixture.open(&journal).map(drop).unwrap_err();
    assert_eq!(error.code(), Code::JournalCopy, "{error}");
    assert!(!beside(&journal, "-seal").exists() && !beside(&journal, "-wal").exists());
    let reader = fixture.open_with(&journal, &json!({ "journalRole": "copy" })).unwrap();
    let all: Value = serde_json::from_slice(&reader.list_operations(None).unwrap()).unwrap();
    assert_eq!(all["operations"].as_array().unwrap().len(), closed.references.len());
    assert_eq!(code_of_sale(&reader, "new"), Code::JournalCopy);
    reader.close();
    assert!(!beside(&journal, "-seal").exists() && !beside(&journal, "-wal").exists());
    let client = fixture.open_with(&journal, &json!({ "journalRole": "takeOver" })).unwrap();
    // The original has sold the same item to the same member since, and this may be that sale.
    assert_eq!(code_of_sale(&client, "new"), Code::PendingAmbiguous);
    client.close();
    drop(client);
    fixture.open(&journal).unwrap().close();
}
