//! Certification: a till with mistakes fails for the expected reasons, invalid input is rejected,
//! and the reports are complete. The library's tests certify the example in C, which passes.

use std::fs;
use std::process::Command;

use engage_sandbox::certify;
use serde_json::Value;

fn certify(arguments: &[&str], till: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_engage-sandbox"));
    command.arg("certify").args(arguments);
    if !till.is_empty() {
        command.arg("--").args(till);
    }
    let output = command.output().unwrap();
    let reported = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), reported)
}

fn naive() -> [&'static str; 2] {
    ["sh", concat!(env!("CARGO_MANIFEST_DIR"), "/examples/naive-till.sh")]
}

#[test]
fn a_naive_till_fails_for_the_expected_reasons() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join("report").join(name);
    let scenarios = ["sale", "second-press", "two-presses-at-once", "response-lost", "offline-start", "no-response"];
    let report = path("").display().to_string();
    let mut arguments = vec!["--report", &report, "--wait-ms", "100", "--grace-ms", "5000"];
    arguments.extend(["--resolve-timeout-ms", "5000"]);
    arguments.extend(scenarios.iter().flat_map(|name| ["--only", *name]));
    let (code, reported) = certify(&arguments, &naive());
    assert_eq!(code, 1, "{reported}");
    assert!(reported.contains("Not certified: 1 passed, 5 failed, 0 void, 0 skipped"), "{reported}");

    let json: Value = serde_json::from_str(&fs::read_to_string(path("report.json")).unwrap()).unwrap();
    assert_eq!((&json["verdict"], &json["passed"], &json["failed"]), (&"notCertified".into(), &1.into(), &5.into()));
    let schema: Value = serde_json::from_str(include_str!("../../certificate.schema.json")).unwrap();
    let schema = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    let errors: Vec<String> = schema.iter_errors(&json).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    let reasons = |name: &str| {
        let scenario = json["scenarios"].as_array().unwrap().iter().find(|scenario| scenario["name"] == name).unwrap();
        scenario["reasons"].to_string()
    };
    assert_eq!(reasons("sale"), "[]");
    for (scenario, reason) in [
        ("second-press", "receipt 4711: deducted 2 times; due: once"),
        ("second-press", "1 sale was sent with 2 purchase ids"),
        ("two-presses-at-once", "due: once"),
        ("response-lost", "the till reports declined, and the points were deducted"),
        ("response-lost", "other sales the till has never asked Engage: the member may have paid points"),
        ("offline-start", "the till reports declined; nothing was sent"),
        ("no-response", "the till still runs after 5.1 s"),
    ] {
        assert!(reasons(scenario).contains(reason), "{scenario}: {} has not: {reason}", reasons(scenario));
    }
    let junit = fs::read_to_string(path("junit.xml")).unwrap();
    assert!(
        junit.contains(r#"tests="6" failures="5""#) && junit.contains("second-press: The cashier presses again"),
        "{junit}"
    );
    let page = fs::read_to_string(path("index.html")).unwrap();
    assert!(page.contains("<h2>Not certified</h2>") && page.contains("receipt 4711: deducted 2 times"), "{page}");
    assert!(
        page.contains("The member may pay twice if one of these fails <span class=\"quiet\">0 of 2 passed"),
        "{page}"
    );
    // Without a certificate there is no validity.
    assert!(!page.contains("Valid until") && json["validUntil"].is_null(), "{page}");
    assert!(page.contains("<p>1 of 6 scenarios passed, 5 failed.</p>") && !page.contains("0 void"), "{page}");
    assert!(!page.contains("<script") && !page.contains("http://") && !page.contains("demo-key"), "{page}");
    // The risk is named in words at the top, and each failed scenario has its requests.
    let risk = "deducts twice when the cashier presses again for the same sale";
    assert!(page.split("In each scenario").next().unwrap().contains(risk) && reported.contains(risk), "{page}");
    let har: Value = serde_json::from_str(&fs::read_to_string(path("second-press.har")).unwrap()).unwrap();
    assert!(har["log"]["entries"].as_array().unwrap().len() >= 2 && !path("sale.har").exists(), "{har}");
    // Only what failed runs again.
    let (code, reported) = certify(
        &["--report", &report, "--rerun-failed", "--wait-ms", "100", "--resolve-timeout-ms", "0"],
        &sh("exit 12"),
    );
    assert!(code == 1 && reported.contains("second-press") && !reported.contains(" sale "), "{reported}");
}

/// Returns a till that runs a shell script.
fn sh(script: &str) -> [&str; 3] {
    ["sh", "-c", script]
}

/// A till that reaches Engage and then reports something false.
const GET_AND_0: &str = "curl -sk $ENGAGE_URL/api; exit 0";
const GET_AND_3: &str = "curl -sk $ENGAGE_URL/api; exit 3";
/// A till that asks for the history, which is empty, and never sends the purchase.
const ASK_AND_11: &str = "curl -sk -A Till/1.0 -H \"apikey: $ENGAGE_KEY\" -H 'Content-Type: application/json' \
                          $ENGAGE_URL/api/v3/point-shop-item-purchases?contactId=a0000000-0000-4000-8000-000000000001; \
                          exit 11";
const GET_AND_CRASH: &str = "curl -sk $ENGAGE_URL/api; kill -SEGV $$";

#[test]
fn a_wrong_command_line_is_noticed_before_the_scenarios() {
    for (script, how) in [
        ("echo usage: till --url URL; exit 64", "with exit code 64"),
        ("echo usage: till --url URL", "with exit code 0"),
        ("echo usage: till --url URL >&2; exit 1", "with exit code 1"),
        ("echo usage: till --url URL; kill -SEGV $$", "without an exit code"),
    ] {
        let (code, reported) = certify(&[], &sh(script));
        let expected = format!(
            "engage-sandbox: the till's command ended {how} and has sent no request to Engage. Check the command \
             line: sh -c {script}\nIts output:\nusage: till --url URL\n"
        );
        assert_eq!((code, reported), (2, expected), "{script}");
    }
    let (code, reported) = certify(&[], &sh("exit 64"));
    assert!(code == 2 && reported.ends_with("It has printed nothing\n"), "{reported}");
}

#[test]
fn a_till_with_false_reports_fails() {
    let only = |name| ["--only", name, "--resolve-timeout-ms", "0"];
    for (script, scenario, reason) in [
        (GET_AND_0, "sale", "the till reports completed, and nothing was deducted"),
        (GET_AND_3, "sale", "the till reports exit code 3, which is no outcome; nothing failed"),
        (GET_AND_CRASH, "sale", "the till reports no outcome: it crashed"),
        ("exit 11", "response-lost", "receipt 4711: after 1 other sale the till has never asked Engage"),
        (ASK_AND_11, "response-lost", "the purchase is not resolved, although the till has asked Engage"),
        ("exit 12", "response-lost", "not resolved within 0 s after the end of the faults"),
        ("exit 10", "response-lost", "the till reports declined; the purchase is in doubt"),
        (
            "echo '{\"operationId\": 1}' > \"$ENGAGE_EXPORT\"; exit 12",
            "sale",
            "the till's export is invalid: line 1: operationId",
        ),
        (
            "id=10000000-0000-4000-8000-000000000001; echo \"{\\\"operationId\\\": \\\"$id\\\", \\\"outcome\\\": \\\"completed\\\"}\" > {export}; exit 12",
            "sale",
            "the till's export: completed-is-deducted",
        ),
        (
            "curl -sk \"$ENGAGE_URL/api/v3/point-shop-items?contactId={contact}\" -A ''; exit 12",
            "wrong-authority",
            "sent the API key to a server",
        ),
        (
            "curl -sk \"$ENGAGE_URL/api/v3/point-shop-items?contactId={contact}\" -A ''; exit 12",
            "sale",
            "a request has no User-Agent header",
        ),
        (
            "curl -sk \"$ENGAGE_URL/api/v3/point-shop-items?contactId={contact}\"; exit 12",
            "sale",
            "a request has no Content-Type",
        ),
        (
            "curl -sk \"$ENGAGE_URL/api/v3/point-shop-items?contactId={contact}\"; exit 12",
            "sale",
            "a request has no API key",
        ),
    ] {
        let (code, reported) = certify(&only(scenario), &sh(script));
        assert!(code == 1 && reported.contains(reason), "{script}: {code} {reported} has not: {reason}");
    }
}

/// A till in Python that asks Engage about a pending sale before it ends.
fn early(more: &[&'static str]) -> Vec<&'static str> {
    let till = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sandbox/early_till.py");
    [&["python3", till, "{journal}", "{shown}"], more].concat()
}

#[test]
fn a_till_that_finds_out_before_it_ends_passes() {
    let scenarios = ["processing", "processing-fails", "late-response", "declined-later-is-shown"];
    let mut arguments = vec!["--wait-ms", "100"];
    arguments.extend(scenarios.iter().flat_map(|name| ["--only", *name]));
    let (code, reported) = certify(&arguments, &early(&[]));
    assert!(code == 0 && reported.contains("4 passed, 0 failed, 0 void, 0 skipped"), "{reported}");
}

#[test]
fn a_till_that_finds_out_early_and_forgets_fails() {
    let arguments = ["--only", "processing", "--wait-ms", "100", "--resolve-timeout-ms", "2000"];
    let (code, reported) = certify(&arguments, &early(&["--forgets"]));
    let reason = "the till asked Engage before it ended, and has not shown the outcome since. Write it to {shown}";
    assert!(code == 1 && reported.contains(reason), "{reported}");
}

#[test]
fn a_power_cut_kills_the_tills_children_too() {
    // If only the outer shell were killed, the inner one would go on until its purchase completes.
    let inner = format!("until sh {}; do :; done", naive()[1]);
    // After the restart the till waits up to three seconds for such a purchase.
    let wait = "[ ! -e {journal} ] || seq 30 | while read n; do curl -sk {url}/_sandbox/ledger | grep -q deduct && break; done";
    let script = format!("{wait}; touch {{journal}}; sh -c '{inner}'; exit 11");
    let (_, reported) = certify(&["--only", "power-cut-before-sending", "--resolve-timeout-ms", "0"], &sh(&script));
    assert!(reported.contains("1 sale was sent with 2 purchase ids") && !reported.contains("2 times"), "{reported}");
}

#[test]
fn invalid_certify_arguments_are_rejected_with_the_reason() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let no_report = folder.path().display().to_string();
    let in_a_file = file.path().join("report").display().to_string();
    for (arguments, till, why) in [
        (vec![], vec![], "COMMAND"),
        (vec![], vec!["till", "{member}"], "the placeholder {member} is unknown. Use one of {url}, {ca}, {key}"),
        (
            vec![],
            vec!["till", "{referense}"],
            "the placeholder {referense} is unknown. Did you mean {reference}? Use one of",
        ),
        (
            vec!["--only", "second-pres"],
            vec!["till"],
            "the scenario second-pres does not exist. Did you mean second-press? See",
        ),
        (vec!["--only", "tea-*"], vec!["till"], "the scenario tea-* does not exist. See --list"),
        (vec!["--start", "till"], vec![], "--sell"),
        (vec!["--start", "till", "--sell", "-"], vec!["till"], "cannot be used with"),
        (vec!["--start", "till {member}", "--sell", "-"], vec![], "--start: the placeholder {member} is unknown"),
        (vec!["--report", &no_report, "--rerun-failed"], vec!["till"], "--rerun-failed"),
        (vec!["--report", &no_report, "--sign", "no-such-key"], vec!["till"], "--sign no-such-key"),
        (vec!["--only", "tea-time"], vec!["till"], "the scenario tea-time does not exist. See --list"),
        (vec![], vec!["./no-such-till"], "the till cannot be started: ./no-such-till: No such file"),
        (vec!["--report", &in_a_file], vec!["till"], "--report"),
        (vec!["--resolve-timeout-ms", "3600001"], vec!["till"], "3600001 is not in 0..=3600000"),
    ] {
        let (code, reported) = certify(&arguments, &till);
        assert!(code == 2 && reported.contains(why), "{arguments:?} {till:?}: {code} {reported} has not: {why}");
    }
    let (code, reported) = certify(&["--list"], &[]);
    assert_eq!((code, reported.lines().count()), (0, certify::list().count()));
    // A subset of the scenarios is no certificate.
    let (code, reported) = certify(&["--only", "wrong-auth*"], &["sh", "-c", "exit 12"]);
    assert!(code == 0 && reported.contains("Passed, in the chosen scenarios: 1 passed"), "{code} {reported}");
    assert!(certify::list().count() >= 15);
}

#[test]
fn a_skipped_scenario_is_no_passed_one() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().display().to_string();
    let only = ["--only", "journal-unwritable", "--only", "wrong-authority", "--report", &report];
    let (code, reported) = certify(&only, &sh("exit 12"));
    assert!(code == 3 && reported.contains("1 passed, 0 failed, 0 void, 1 skipped"), "{code} {reported}");
    assert!(
        reported.contains("not covered: journal-unwritable: the till's command line has no {journal}"),
        "{reported}"
    );
    let junit = fs::read_to_string(folder.path().join("junit.xml")).unwrap();
    assert!(junit.contains(r#"failures="0" errors="0" skipped="1""#), "{junit}");
    assert!(junit.contains(r#"<skipped message="the till&#39;s command line has no {journal}">"#), "{junit}");
    let page = fs::read_to_string(folder.path().join("index.html")).unwrap();
    assert!(page.split("In each scenario").next().unwrap().contains("Not covered: these scenarios"), "{page}");
}

#[test]
fn a_signed_certificate_is_verified() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let pair = minisign::KeyPair::generate_unencrypted_keypair().unwrap();
    let other = minisign::KeyPair::generate_unencrypted_keypair().unwrap();
    fs::write(path("key"), pair.sk.to_box(None).unwrap().into_string()).unwrap();
    fs::write(path("key.pub"), pair.pk.to_box().unwrap().into_string()).unwrap();
    let named = ["--till-name", "Kassa", "--till-version", "1.2", "--till-vendor", "Acme", "--library-version", "0.1"];
    let (library, report, key) = (path("key.pub"), path("report"), path("key"));
    let files = ["--library", &library, "--report", &report, "--sign", &key, "--only", "wrong-authority"];
    let (code, reported) = certify(&[&named[..], &files].concat(), &sh("exit 12"));
    assert_eq!(code, 0, "{reported}");
    let file = path("report/report.json");
    let json: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!((&json["till"]["name"], &json["till"]["vendor"]), (&"Kassa".into(), &"Acme".into()));
    assert_eq!(json["library"]["sha256"].as_str().unwrap().len(), 64);
    let page = fs::read_to_string(path("report/index.html")).unwrap();
    assert!(page.contains("<dd>Kassa</dd>") && !page.contains("Valid until"), "{page}");

    let verify = |key: &str| {
        let arguments = ["verify-certificate", &file, "--public-key", key];
        let output = Command::new(env!("CARGO_BIN_EXE_engage-sandbox")).args(arguments).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    // The signature is right, and one scenario is no certificate.
    for key in [path("key.pub"), pair.pk.to_base64()] {
        let (code, said) = verify(&key);
        assert!(code == 1 && said.contains("not valid: the till is not certified\ntill: Kassa 1.2 by Acme"), "{said}");
        assert!(!said.contains("valid until"), "{said}");
    }
    let (code, said) = verify(&other.pk.to_base64());
    assert!(code == 1 && said.contains("the signature is not the signer's"), "{said}");
    let resign = |json: &str| {
        fs::write(&file, json).unwrap();
        let signed = minisign::sign(None, &pair.sk, std::io::Cursor::new(json), None, None).unwrap();
        fs::write(format!("{file}.minisig"), signed.into_string()).unwrap();
    };
    let certified = json.to_string().replace("passedChosen", "certified");
    let certified = certified.replace(r#""validUntil":null"#, r#""validUntil":"2099-01-01T00:00:00Z""#);
    fs::write(&file, &certified).unwrap();
    assert_eq!(verify(&path("key.pub")).0, 1, "changed after the signature");
    resign(&certified);
    let (code, said) = verify(&path("key.pub"));
    assert!(code == 0 && said.starts_with("valid: certified\n"), "{said}");
}

#[cfg(unix)]
#[test]
fn an_interrupted_certification_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (temporary, ids) = (folder.path().join("tmp"), folder.path().join("ids"));
    fs::create_dir(&temporary).unwrap();
    // The first run is the trial before the scenarios.
    let tried = folder.path().join("tried").display().to_string();
    let script = format!("mkdir {tried} && exit 12; tail -f /dev/null & echo $$ $! >> {}; wait", ids.display());
    let mut command = Command::new(env!("CARGO_BIN_EXE_engage-sandbox"));
    command
        .args(["certify", "--only", "sale", "--only", "wrong-key", "--", "sh", "-c", &script])
        .env("TMPDIR", &temporary);
    let mut certify = command.stdout(std::process::Stdio::null()).spawn().unwrap();
    let started = || fs::read_to_string(&ids).unwrap_or_default().lines().count() == 2;
    while !started() {
        std::thread::yield_now();
    }
    let interrupt = |id: &str| Command::new("kill").args(["-INT", id]).status().unwrap();
    assert!(interrupt(&certify.id().to_string()).success());
    assert_eq!(certify.wait().unwrap().code(), Some(130));
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
    for id in fs::read_to_string(&ids).unwrap().split_whitespace() {
        // It is killed, and the system may still be at it.
        let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
        let state = || fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        while !state().is_empty() && !state().contains(") Z ") {
            assert!(std::time::Instant::now() < until, "{}", state());
            std::thread::yield_now();
        }
    }
}
