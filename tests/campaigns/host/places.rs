//! Where a journal may not lie, and whose it is.

use crate::fixture::{Fixture, begin_sale_without_response, beside, code_of_sale};
use crate::till;
use engage_point_shop::{Client, Code, OperationId};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// A place, how it is made, and a part of the message.
type Place<'a> = (&'a str, &'a dyn Fn(&Path), &'a str);

#[test]
fn file_that_is_not_ours_alone_is_rejected_at_once() {
    let fixture = Fixture::new();
    let mode = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    let cases: [Place<'_>; 6] = [
        ("pipe", &|path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success()), "pipe"),
        ("link", &|path| std::os::unix::fs::symlink(path.with_file_name("other"), path).unwrap(), "symbolic link"),
        (
            "two-names",
            &|path| {
                std::fs::write(path, "").unwrap();
                std::fs::hard_link(path, path.with_file_name("other")).unwrap();
            },
            "second name",
        ),
        (
            "writable",
            &|path| {
                std::fs::write(path, "").unwrap();
                mode(path, 0o666);
            },
            "mode 666",
        ),
        ("folder-of-all", &|path| mode(path.parent().unwrap(), 0o777), "every user"),
        ("link-for-the-log", &|path| std::os::unix::fs::symlink("/etc/passwd", beside(path, "-wal")).unwrap(), "link"),
    ];
    for (name, make, says) in cases {
        let journal = fixture.place(name);
        make(&journal);
        let began = Instant::now();
        let error = fixture.open(&journal).map(drop).unwrap_err();
        assert_eq!(error.code(), Code::JournalUnsafe, "{name}: {error}");
        assert!(error.message().contains(says), "{name}: {error}");
        assert!(began.elapsed() < Duration::from_secs(1), "{name}");
        assert!(!journal.with_file_name("other").exists() || name == "two-names");
    }
    for device in ["/dev/null", "/dev/zero", "/dev/full"] {
        assert_eq!(fixture.open(Path::new(device)).map(drop).unwrap_err().code(), Code::JournalUnsafe, "{device}");
    }
}

#[test]
fn pending_purchase_of_another_tenant_is_listed_and_never_sent() {
    let (ours, theirs) = (Fixture::new(), Fixture::new());
    let journal = ours.place("shared");
    let client = ours.open_with(&journal, &json!({ "requestTimeoutMs": 300 })).unwrap();
    begin_sale_without_response(&ours, &client, "R1");
    client.close();
    drop(client);
    let client = theirs.open(&journal).unwrap();
    std::thread::park_timeout(Duration::from_millis(600));
    let resolved: Value = serde_json::from_slice(&client.resolve_pending(None).unwrap()).unwrap();
    assert_eq!(resolved, json!({ "resolved": 0, "pending": 0 }));
    let listed: Value = serde_json::from_slice(&client.list_unacknowledged(None).unwrap()).unwrap();
    assert_eq!(listed["operations"][0]["outcome"], "pending");
    assert_eq!(code_of_sale(&client, "R1"), Code::ReferenceConflict, "it may be the same sale");
    assert_eq!(theirs.sandbox.requests().len(), 0);
    assert_eq!(code_of_sale(&client, "R2"), Code::Ok);
    let id = OperationId::parse(listed["operations"][0]["operationId"].as_str().unwrap(), "id").unwrap();
    // It must not be forgotten while nobody knows its outcome.
    assert_eq!(client.acknowledge(id).unwrap_err().code(), Code::StillPending);
    let of_receipt = client.acknowledge_reference("R1", None);
    assert_eq!(of_receipt.unwrap_err().code(), Code::StillPending);
    client.resolve_review(id, "completed", Some(r#"{"by":"Kim"}"#)).unwrap();
    assert_eq!(code_of_sale(&client, "R1"), Code::Ok, "a person has decided it");
    client.close();
}

#[test]
fn second_copy_of_the_library_is_rejected() {
    let fixture = Fixture::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = till::build_folder().join("two_copies");
    let include = root.join("include");
    let source = root.join("tests/campaigns/host/two_copies.c");
    till::compile(&source, &program, &["-I", include.to_str().unwrap(), "-ldl"]);
    let library = till::shared_library();
    let copy = fixture.folder().join("copy.so");
    std::fs::copy(&library, &copy).unwrap();
    let config = fixture.config(&fixture.place("copies"), &json!({}));
    let output = Command::new(program).args([library, copy]).arg(config).output().unwrap();
    let codes = String::from_utf8_lossy(&output.stdout).into_owned();
    let rejected = Code::JournalSecondCopy.number();
    assert_eq!(codes, format!("0 {rejected} 0 0\n"), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn clients_of_one_journal_agree_on_one_seal() {
    let fixture = Fixture::new();
    let journal = fixture.place("two");
    let seal = fixture.folder().join("seal");
    let first = fixture.open_with(&journal, &json!({ "sealPath": seal })).unwrap();
    assert_eq!(fixture.open(&journal).map(drop).unwrap_err().code(), Code::BadConfig);
    let second = fixture.open_with(&journal, &json!({ "sealPath": seal })).unwrap();
    assert_eq!(code_of_sale(&first, "R1"), Code::Ok);
    assert_eq!(code_of_sale(&second, "R1"), Code::Ok);
    assert_eq!(fixture.deductions(), 1);
    for client in [first, second] {
        Client::close(&client);
    }
    assert!(seal.exists() && !beside(&journal, "-seal").exists());
}
