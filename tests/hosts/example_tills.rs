//! The till of `examples/` in every language. The same sales end with the same exit code, the same
//! output for the cashier and the technician, and the same ledger.

use crate::languages::{ALL, Language};
use crate::support::{Store, id_of, unacknowledged};
use engage_sandbox::certify::{self, Plan, Resident, Sell, Template, Verdict};
use engage_sandbox::seed::demo;
use engage_sandbox::{Effect, Fault, FaultResponse, LedgerKind, Operation};
use serde_json::json;
use std::thread;
use std::time::Duration;
use uuid::Uuid;

/// The result of one run of a till.
#[derive(Debug, PartialEq, Eq)]
struct Run {
    chapter: &'static str,
    exit: Option<i32>,
    cashier: String,
    technician: String,
}

/// A till in one language with its own store.
struct Till {
    language: Language,
    store: Store,
    story: Vec<Run>,
}

impl Till {
    fn run(&mut self, chapter: &'static str, arguments: &[&str]) -> &Run {
        let output = self.language.program("till").args(arguments).output().unwrap();
        self.story.push(Run {
            chapter,
            exit: output.status.code(),
            cashier: normalised(&output.stdout),
            technician: normalised(&output.stderr),
        });
        self.story.last().unwrap()
    }

    /// Runs a sale with all needed arguments, and more. The last one of a repeated argument counts.
    fn sell(&mut self, chapter: &'static str, more: &[&str]) -> &Run {
        let (url, key) = (self.store.sandbox.https_url(), self.store.sandbox.api_key().to_owned());
        let (ca, journal) = (self.store.sandbox.ca_file().to_owned(), self.store.journal());
        let mut arguments = vec!["--url", &url, "--key", &key, "--ca", ca.to_str().unwrap()];
        arguments.extend(["--journal", journal.to_str().unwrap()]);
        arguments.extend(more);
        self.run(chapter, &arguments)
    }
}

/// Returns the text without new ids and times.
fn normalised(printed: &[u8]) -> String {
    let text = String::from_utf8(printed.to_vec()).expect("a till prints UTF-8");
    let word = |word: &str| {
        let bare = word.trim_end_matches([' ', '\n', '.', ':', ',', ')']);
        let name = match Uuid::parse_str(bare) {
            Ok(id) if !["a0000000", "b0000000"].iter().any(|known| id.to_string().starts_with(known)) => "<id>",
            Err(_) if bare.ends_with('Z') && bare.starts_with("20") && bare.contains('T') => "<time>",
            _ => bare,
        };
        format!("{name}{}", &word[bare.len()..])
    };
    text.split_inclusive([' ', '\n']).map(word).collect()
}

const CONTACT: &str = "a0000000-0000-4000-8000-000000000001";
const COFFEE: &str = "b0000000-0000-4000-8000-000000000001";
const PROMOTION_EXPIRED: &str = "b0000000-0000-4000-8000-000000000008";
const NO_MEMBER: &str = "==> No such member. Check the number or the e-mail address.\n    \
                         For the member: We cannot find your membership. Please check your details.\n";
/// A wrong key is not declined to a member.
const NOT_AVAILABLE: &str = "==> Not available now. Call support.\n    \
                             For the member: Points and rewards are not available right now.\n";
const REVIEW: &str = "    A person must decide. Compare the member's purchases and rewards in Engage with the receipt,\n    \
                      then store the decision: eps review <id>\n";
const NO_ITEM: &str = "b0000000-0000-4000-8000-0000000000ff";

/// Runs the whole story with one till, and checks the output. The test compares the languages.
fn live(language: Language) -> Vec<Run> {
    let mut till = Till { language, store: Store::open(), story: Vec::new() };
    let deducted = |till: &Till, wanted: usize| {
        assert_eq!(till.store.deductions().len(), wanted, "{language:?}: deductions");
    };
    let member = ["--member", "email=astrid@example.com"];
    let coffee = |reference| ["--member", "email=astrid@example.com", "--item", COFFEE, "--reference", reference];

    let run = till.sell("a sale", &coffee("kvitto å 1"));
    assert_eq!(run.exit, Some(0), "{run:?}");
    assert!(
        run.cashier.contains("==> The reward is bought.\nPurchase <id> for 100 points\nReward: Free coffee\n"),
        "{run:?}"
    );
    assert!(run.cashier.contains("==> The reward is used on this receipt.\n"), "{run:?}");
    assert_eq!(run.technician, "");
    deducted(&till, 1);

    let run = till.sell("the same receipt again", &coffee("kvitto å 1"));
    assert!(run.exit == Some(0) && run.cashier.contains("(existing purchase: nothing was deducted again)"), "{run:?}");
    deducted(&till, 1);

    let run = till.sell("a member that there is not", &["--member", "customKey=4711"]);
    assert!(run.exit == Some(10) && run.cashier == NO_MEMBER, "{run:?}");

    let run = till.sell("an item whose promotion has ended", &["--contact", CONTACT, "--item", PROMOTION_EXPIRED]);
    assert_eq!(run.exit, Some(10), "{run:?}");
    assert!(run.technician.contains("HTTP status 400 PromotionAssignmentPromotionExpired"), "{run:?}");

    // The history fails too. Otherwise the library would resolve the purchase within the cashier's
    // wait.
    till.store.sandbox.arm(Fault::on(Operation::Purchase, Effect::ResetAfterCommit));
    till.store.sandbox.arm(Fault::on(Operation::Purchases, Effect::Status(FaultResponse::status(503))).times(0));
    let run =
        till.sell("the line is cut behind the purchase", &[&coffee("receipt 2")[..], &["--wait", "2000"]].concat());
    assert!(run.exit == Some(11) && run.cashier.contains("==> Not clear yet. Finish the sale;"), "{run:?}");
    till.store.sandbox.clear_faults();
    deducted(&till, 2);

    // The start only lists it. The end of this program resolves it.
    let run = till.sell("the next start", &["--contact", CONTACT, "--item", NO_ITEM]);
    assert!(run.cashier.starts_with("Earlier purchase <id> (receipt 2): pending\nThe member has"), "{run:?}");
    assert!(
        run.cashier.contains("item.\nEarlier purchase <id> (receipt 2): completed\nReward: Free coffee\n"),
        "{run:?}"
    );
    assert!(run.exit == Some(1) && run.cashier.contains("The member is not offered this item.\n"), "{run:?}");

    let run = till.sell("and the one after it", &["--contact", CONTACT, "--item", NO_ITEM]);
    assert!(!run.cashier.contains("Earlier"), "{run:?}");

    till.store.sandbox.arm(Fault::on(Operation::Purchase, Effect::StallAfterCommit));
    let run = till.sell("a cashier who does not wait", &[&coffee("receipt 3")[..], &["--wait", "2000"]].concat());
    assert!(run.exit == Some(11) && run.technician.contains("EPS_PENDING_WAIT_ENDED"), "{run:?}");
    till.store.sandbox.clear_faults();
    let run = till.sell("the same receipt after the restart", &coffee("receipt 3"));
    assert!(run.exit == Some(0) && run.cashier.contains("Earlier purchase <id> (receipt 3): pending\n"), "{run:?}");
    assert!(run.cashier.contains("(existing purchase: nothing was deducted again)"), "{run:?}");
    deducted(&till, 3);

    let run = till.sell("a reward to take home", &[&coffee("receipt 4")[..], &["--no-redeem"]].concat());
    assert!(run.exit == Some(0) && !run.cashier.contains("on this receipt"), "{run:?}");

    // The till's wait ends first. The next start shows the redeem's outcome.
    till.store.sandbox.arm(Fault::on(Operation::Redeem, Effect::StallAfterCommit));
    let run = till.sell("the line hangs behind the redeem", &[&coffee("receipt 5")[..], &["--wait", "2000"]].concat());
    assert!(run.exit == Some(0) && run.cashier.contains("==> The use of the reward is pending."), "{run:?}");
    till.store.sandbox.clear_faults();
    let run = till.sell("the start after it", &["--contact", CONTACT, "--item", NO_ITEM]);
    assert!(run.cashier.contains("Earlier redeem <id> (receipt 5): completed\n"), "{run:?}");
    deducted(&till, 5);

    till.store
        .sandbox
        .arm(Fault::on(Operation::Redeem, Effect::Status(FaultResponse::error(409, "PromotionAlreadyRedeemed"))));
    let run = till.sell("a reward that somebody else has used", &coffee("receipt 6"));
    assert!(run.exit == Some(0) && run.technician.contains("redeem: EPS_"), "{run:?}");

    let run = till.sell("a key that is wrong", &[&member[..], &["--key", "wrong"]].concat());
    assert!(run.exit == Some(10) && run.technician.contains("EPS_UNAUTHORIZED"), "{run:?}");
    assert!(run.cashier.contains(NOT_AVAILABLE), "{run:?}");

    let run = till.sell("nobody there", &["--contact", CONTACT, "--url", "https://127.0.0.1:1"]);
    assert!(run.exit == Some(12) && run.technician.contains("because:"), "{run:?}");

    let run = till.sell("a member who cannot afford it", &["--member", "email=bjorn@example.com", "--item", COFFEE]);
    assert_eq!(run.exit, Some(10), "{run:?}");

    a_review_is_shown_until_a_person_decides(&mut till);

    let run = till.sell("a URL that is none", &["--contact", CONTACT, "--url", "ftp://x"]);
    assert!(run.exit == Some(1) && run.technician.contains("EPS_BAD_CONFIG"), "{run:?}");
    for (chapter, arguments) in [
        ("no arguments", &[][..]),
        ("an option without its value", &["--url", "u", "--journal", "j", "--contact", CONTACT, "--item"]),
        ("an unknown option", &["--url", "u", "--journal", "j", "--contact", CONTACT, "--colour", "red"]),
        ("a wait that is no number", &["--url", "u", "--journal", "j", "--contact", CONTACT, "--wait", "5s"]),
        ("no request timeout", &["--url", "u", "--journal", "j", "--contact", CONTACT, "--request-timeout", "-1"]),
        ("a member without a key", &["--url", "u", "--journal", "j", "--member", "astrid"]),
        ("a member and a contact", &["--url", "u", "--journal", "j", "--member", "any=a", "--contact", CONTACT]),
    ] {
        let run = till.run(chapter, arguments);
        assert!(run.exit == Some(2) && run.technician.starts_with("usage: till --url URL"), "{run:?}");
    }

    let ledger = till.store.sandbox.ledger();
    let count = |kind| ledger.iter().filter(|entry| entry.kind == kind).count();
    assert_eq!((count(LedgerKind::Deduct), count(LedgerKind::Redeem)), (7, 3));
    assert_eq!(till.store.sandbox.balance(demo::ASTRID), Some(500));
    till.story
}

/// A purchase and a redeem get lost, and the till is off for longer than the resend limit. Only a
/// person can decide, and no start of the till takes that from the list.
fn a_review_is_shown_until_a_person_decides(till: &mut Till) {
    const DAYS: i64 = 3 * 24 * 60 * 60 * 1000;
    let coffee = |reference| ["--contact", CONTACT, "--item", COFFEE, "--reference", reference, "--wait", "2000"];
    till.store.sandbox.arm(Fault::on(Operation::Redeem, Effect::StallBeforeCommit));
    let run = till.sell("a redeem that gets lost", &coffee("receipt 7"));
    assert!(run.exit == Some(0) && run.cashier.contains("==> The use of the reward is pending."), "{run:?}");
    till.store.sandbox.arm(Fault::on(Operation::Purchase, Effect::StallBeforeCommit));
    let run = till.sell("a purchase that gets lost", &coffee("receipt 8"));
    assert_eq!(run.exit, Some(11), "{run:?}");
    till.store.sandbox.clear_faults();
    till.store.sandbox.set_clock_offset(DAYS);

    // The end of this program resolves what it can.
    let nothing = ["--contact", CONTACT, "--item", NO_ITEM];
    let run = till.sell("the start days later", &nothing);
    assert!(run.cashier.contains("Earlier purchase <id> (receipt 8): pending\n"), "{run:?}");
    for chapter in ["a review is needed", "a review is still needed"] {
        let run = till.sell(chapter, &nothing);
        for earlier in ["redeem <id> (receipt 7)", "purchase <id> (receipt 8)"] {
            assert!(run.cashier.contains(&format!("Earlier {earlier}: pending\n{REVIEW}")), "{run:?}");
        }
    }

    // Within the window in which the reference means the same receipt.
    till.store.sandbox.set_clock_offset(0);
    let run = till.sell("the receipt under review", &coffee("receipt 7"));
    assert!(run.exit == Some(0) && run.cashier.contains("==> A person must check whether the reward"), "{run:?}");

    let client = till.store.client_with(&json!({ "journalPath": till.store.journal(), "tenant": null }));
    let left = unacknowledged(&client);
    assert_eq!(left.len(), 2, "{:?}: an acknowledged receipt keeps its review", till.language);
    for operation in left {
        client.resolve_review(id_of(&operation), "declined", None).unwrap();
    }
    client.close();
    let run = till.sell("a person has decided", &nothing);
    assert!(!run.cashier.contains("Earlier"), "{run:?}");
}

#[test]
fn example_till_prints_the_same_in_every_language() {
    run_stories(&ALL);
}

/// Runs the story in each language, and compares it with the first one's.
pub fn run_stories(languages: &[Language]) {
    let stories: Vec<Vec<Run>> = thread::scope(|scope| {
        let tills: Vec<_> = languages.iter().map(|language| scope.spawn(|| live(*language))).collect();
        tills.into_iter().map(|till| till.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    });
    for (language, story) in languages.iter().zip(&stories) {
        assert_eq!(story.len(), stories[0].len());
        for (run, of_c) in story.iter().zip(&stories[0]) {
            assert_eq!(run, of_c, "{language:?}");
        }
    }
    println!("stories: {} chapters in {} languages", stories[0].len(), stories.len());
}

/// Returns the till's command line for a certification: the options of every sale and more.
fn command_line(language: Language, more: &str) -> Vec<String> {
    let program = language.program("till");
    let words = std::iter::once(program.get_program()).chain(program.get_args());
    let mut words: Vec<String> = words.map(|word| word.to_str().unwrap().to_owned()).collect();
    // A request without a response is in doubt for the request's timeout. The library's default
    // would make a certification a minute longer.
    let options = "--url {url} --ca {ca} --key {key} --journal {journal} --shown {shown} --request-timeout 3000";
    words.extend(format!("{options} {more}").split_whitespace().map(str::to_owned));
    words
}

fn is_certified(language: Language, till: certify::Till) {
    // Several are certified at once, and a runtime starts slowly.
    let plan = Plan { grace: Duration::from_secs(60), ..Plan::new(till) };
    let report = certify::certify(&plan, &()).unwrap();
    let failed: Vec<_> = report.scenarios.iter().filter(|played| played.label() != "passed").collect();
    assert_eq!(report.verdict(), Verdict::Certified, "{language:?}: {failed:#?}");
    println!("certified: {language:?}, {} scenarios, {}", report.count("passed"), report.command);
}

/// The till in C is certified with the README's commands (`certify.rs`).
#[test]
fn example_till_is_certified_in_every_language() {
    thread::scope(|scope| {
        for language in ALL.into_iter().filter(|language| *language != Language::C) {
            scope.spawn(move || certify_till(language));
        }
    });
}

/// Runs every scenario of the sandbox against a till.
pub fn certify_till(language: Language) {
    let sale = "--contact {contact} --item {item} --reference {reference} --wait {wait}";
    is_certified(language, Template::new(command_line(language, sale)).unwrap().into());
}

/// The till keeps running, is killed at each power cut, and resolves in the background.
#[test]
fn resident_example_till_is_certified_in_every_language() {
    thread::scope(|scope| {
        for language in ALL {
            scope.spawn(move || certify_resident_till(language));
        }
    });
}

/// Runs every scenario against a till that keeps running.
pub fn certify_resident_till(language: Language) {
    let start = Template::new(command_line(language, "--startup-jitter 0 --serve")).unwrap();
    is_certified(language, certify::Till::Resident(Resident { start, kill: None, sell: Sell::Lines }));
}
