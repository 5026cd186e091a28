//! The till of `examples/`, in every language: the same sales end with the same exit code, tell the cashier and the technician the same,
//! and leave the same ledger.

use crate::languages::{ALL, Language};
use crate::support::Store;
use engage_sandbox::certify::{Plan, Template, certify};
use engage_sandbox::seed::demo;
use engage_sandbox::{Effect, Fault, FaultResponse, LedgerKind, Operation};
use std::thread;
use std::time::Duration;
use uuid::Uuid;

/// What came of one run of a till.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    chapter: &'static str,
    exit: Option<i32>,
    cashier: String,
    technician: String,
}

/// A till in one language with its own store.
struct Till {
    language: Language,
    store: Store,
    story: Vec<Told>,
}

impl Till {
    fn run(&mut self, chapter: &'static str, arguments: &[&str]) -> &Told {
        let output = self.language.program("till").args(arguments).output().unwrap();
        self.story.push(Told {
            chapter,
            exit: output.status.code(),
            cashier: normalised(&output.stdout),
            technician: normalised(&output.stderr),
        });
        self.story.last().unwrap()
    }

    /// A run with everything that it needs, and more; a later argument is the one that counts.
    fn sell(&mut self, chapter: &'static str, more: &[&str]) -> &Told {
        let (url, key) = (self.store.sandbox.https_url(), self.store.sandbox.api_key().to_owned());
        let (ca, journal) = (self.store.sandbox.ca_file().to_owned(), self.store.journal());
        let mut arguments = vec!["--url", &url, "--key", &key, "--ca", ca.to_str().unwrap()];
        arguments.extend(["--journal", journal.to_str().unwrap()]);
        arguments.extend(more);
        self.run(chapter, &arguments)
    }
}

/// Without what is new each time: ids that are made, and times.
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
const NO_ITEM: &str = "b0000000-0000-4000-8000-0000000000ff";

/// Everything that happens to one till. What it tells is checked here once; that all tell the same, by the test.
fn live(language: Language) -> Vec<Told> {
    let mut till = Till { language, store: Store::open(), story: Vec::new() };
    let deducted = |till: &Till, wanted: usize| {
        assert_eq!(till.store.deductions().len(), wanted, "{language:?}: deductions");
    };
    let member = ["--member", "email=astrid@example.com"];
    let coffee = |reference| ["--member", "email=astrid@example.com", "--item", COFFEE, "--reference", reference];

    let told = till.sell("a sale", &coffee("kvitto å 1"));
    assert_eq!(told.exit, Some(0), "{told:?}");
    assert!(
        told.cashier.contains("==> The reward is bought.\nPurchase <id> for 100 points\nReward: Free coffee\n"),
        "{told:?}"
    );
    assert!(told.cashier.contains("==> The reward is used on this receipt.\n"), "{told:?}");
    assert_eq!(told.technician, "");
    deducted(&till, 1);

    let told = till.sell("the same receipt again", &coffee("kvitto å 1"));
    assert!(
        told.exit == Some(0) && told.cashier.contains("(existing purchase: nothing was deducted again)"),
        "{told:?}"
    );
    deducted(&till, 1);

    let told = till.sell("a member that there is not", &["--member", "customKey=4711"]);
    assert!(told.exit == Some(10) && told.cashier == "==> There is no such member.\n", "{told:?}");

    let told = till.sell("an item whose promotion has ended", &["--contact", CONTACT, "--item", PROMOTION_EXPIRED]);
    assert_eq!(told.exit, Some(10), "{told:?}");
    assert!(told.technician.contains("HTTP status 400 PromotionAssignmentPromotionExpired"), "{told:?}");

    // Nor can it be looked up, else the library finds out within the cashier's wait.
    till.store.sandbox.arm(Fault::on(Operation::Purchase, Effect::ResetAfterCommit));
    till.store.sandbox.arm(Fault::on(Operation::Purchases, Effect::Status(FaultResponse::status(503))).times(0));
    let told =
        till.sell("the line is cut behind the purchase", &[&coffee("receipt 2")[..], &["--wait", "2000"]].concat());
    assert!(told.exit == Some(11) && told.cashier.contains("==> The purchase is pending."), "{told:?}");
    till.store.sandbox.clear_faults();
    deducted(&till, 2);

    let told = till.sell("the next start", &["--contact", CONTACT, "--item", NO_ITEM]);
    assert!(told.cashier.contains("Earlier purchase <id> (receipt 2): completed\nReward: Free coffee\n"), "{told:?}");
    assert!(told.exit == Some(1) && told.cashier.contains("The member is not offered this item.\n"), "{told:?}");

    let told = till.sell("and the one after it", &["--contact", CONTACT, "--item", NO_ITEM]);
    assert!(!told.cashier.contains("Earlier"), "{told:?}");

    till.store.sandbox.arm(Fault::on(Operation::Purchase, Effect::StallAfterCommit));
    let told = till.sell("a cashier who does not wait", &[&coffee("receipt 3")[..], &["--wait", "2000"]].concat());
    assert!(told.exit == Some(11) && told.technician.contains("EPS_PENDING_WAIT_ENDED"), "{told:?}");
    till.store.sandbox.clear_faults();
    let told = till.sell("the same receipt after the restart", &coffee("receipt 3"));
    assert!(
        told.exit == Some(0) && told.cashier.contains("Earlier purchase <id> (receipt 3): completed\n"),
        "{told:?}"
    );
    deducted(&till, 3);

    let told = till.sell("a reward to take home", &[&coffee("receipt 4")[..], &["--no-redeem"]].concat());
    assert!(told.exit == Some(0) && !told.cashier.contains("on this receipt"), "{told:?}");

    // The till is told that its wait has ended; what it used is known at the next start.
    till.store.sandbox.arm(Fault::on(Operation::Redeem, Effect::StallAfterCommit));
    let told = till.sell("the line hangs behind the redeem", &[&coffee("receipt 5")[..], &["--wait", "2000"]].concat());
    assert!(told.exit == Some(0) && told.cashier.contains("==> The use of the reward is pending."), "{told:?}");
    till.store.sandbox.clear_faults();
    let told = till.sell("the start after it", &["--contact", CONTACT, "--item", NO_ITEM]);
    assert!(told.cashier.contains("Earlier redeem <id> (receipt 5): completed\n"), "{told:?}");
    deducted(&till, 5);

    till.store
        .sandbox
        .arm(Fault::on(Operation::Redeem, Effect::Status(FaultResponse::error(409, "PromotionAlreadyRedeemed"))));
    let told = till.sell("a reward that somebody else has used", &coffee("receipt 6"));
    assert!(told.exit == Some(0) && told.technician.contains("redeem: EPS_"), "{told:?}");

    let told = till.sell("a key that is wrong", &[&member[..], &["--key", "wrong"]].concat());
    assert!(told.exit == Some(10) && told.technician.contains("EPS_UNAUTHORIZED"), "{told:?}");

    let told = till.sell("nobody there", &["--contact", CONTACT, "--url", "https://127.0.0.1:1"]);
    assert!(told.exit == Some(12) && told.technician.contains("because:"), "{told:?}");

    let told = till.sell("a member who cannot afford it", &["--member", "email=bjorn@example.com", "--item", COFFEE]);
    assert_eq!(told.exit, Some(10), "{told:?}");

    let told = till.sell("a URL that is none", &["--contact", CONTACT, "--url", "ftp://x"]);
    assert!(told.exit == Some(1) && told.technician.contains("EPS_BAD_CONFIG"), "{told:?}");
    for (chapter, arguments) in [
        ("no arguments", &[][..]),
        ("an option without its value", &["--url", "u", "--journal", "j", "--contact", CONTACT, "--item"]),
        ("an unknown option", &["--url", "u", "--journal", "j", "--contact", CONTACT, "--colour", "red"]),
        ("a wait that is no number", &["--url", "u", "--journal", "j", "--contact", CONTACT, "--wait", "5s"]),
        ("no request timeout", &["--url", "u", "--journal", "j", "--contact", CONTACT, "--request-timeout", "-1"]),
        ("a member without a key", &["--url", "u", "--journal", "j", "--member", "astrid"]),
        ("a member and a contact", &["--url", "u", "--journal", "j", "--member", "any=a", "--contact", CONTACT]),
    ] {
        let told = till.run(chapter, arguments);
        assert!(told.exit == Some(2) && told.technician.starts_with("usage: till --url URL"), "{told:?}");
    }

    let ledger = till.store.sandbox.ledger();
    let count = |kind| ledger.iter().filter(|entry| entry.kind == kind).count();
    assert_eq!((count(LedgerKind::Deduct), count(LedgerKind::Redeem)), (6, 3));
    assert_eq!(till.store.sandbox.balance(demo::ASTRID), Some(600));
    till.story
}

#[test]
fn the_till_tells_the_same_story_in_every_language() {
    let stories: Vec<Vec<Told>> = thread::scope(|scope| {
        let tills = ALL.map(|language| scope.spawn(move || live(language)));
        tills.into_iter().map(|till| till.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    });
    for (language, story) in ALL.iter().zip(&stories) {
        assert_eq!(story.len(), stories[0].len());
        for (told, of_c) in story.iter().zip(&stories[0]) {
            assert_eq!(told, of_c, "{language:?}");
        }
    }
    println!("stories: {} chapters in {} languages", stories[0].len(), stories.len());
}

/// The till in C is certified in the README's words (`tests/vendor/certify.rs`).
#[test]
fn the_till_is_certified_in_every_other_language() {
    let certified = |language: Language| {
        let program = language.program("till");
        let words = std::iter::once(program.get_program()).chain(program.get_args());
        let mut words: Vec<String> = words.map(|word| word.to_str().unwrap().to_owned()).collect();
        words.extend(
            "--url {url} --ca {ca} --key {key} --contact {contact} --item {item}".split(' ').map(str::to_owned),
        );
        words.extend("--reference {reference} --journal {journal} --wait {wait}".split(' ').map(str::to_owned));
        // So long a request that is never answered is in doubt; the library's default makes a certification a minute longer.
        words.extend(["--request-timeout", "3000"].map(str::to_owned));
        // Three are certified at once, and a runtime starts slowly.
        let plan = Plan { grace: Duration::from_secs(60), ..Plan::new(Template::new(words).unwrap()) };
        let report = certify(&plan, &|_| {}).unwrap();
        let failed: Vec<_> = report.scenarios.iter().filter(|played| played.label() != "passed").collect();
        assert!(report.complete && failed.is_empty(), "{language:?}: {failed:#?}");
        println!("certified: {language:?}, {} scenarios", report.count("passed"));
    };
    thread::scope(|scope| {
        ALL.iter().filter(|language| **language != Language::C).for_each(|language| {
            scope.spawn(|| certified(*language));
        });
    });
}
