//! Certification of tills that keep running: a power cut counts only if the killed process held the
//! connection, and a person at a real till is led through the scenarios.
#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use engage_sandbox::http_client::Request;

const TILL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sandbox/resident_till.py");
const CUT: &str = "power-cut-response-due";

fn certify(arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_engage-sandbox"));
    let output = command.args(["certify", "--resolve-timeout-ms", "2000"]).args(arguments).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), said)
}

/// A process that ends with the test.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_cut_that_kills_only_the_adapter_is_void() {
    let mut till = Ends(Command::new("python3").args([TILL, "0"]).stdout(Stdio::piped()).spawn().unwrap());
    let mut port = String::new();
    BufReader::new(till.0.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let (code, said) = certify(&["--only", "sale", "--only", CUT, "--", "python3", TILL, port.trim(), "--line"]);
    assert!(code == 1 && said.contains("Not certified: 1 passed, 0 failed, 1 void, 0 skipped"), "{said}");
    let reason = format!("the power was not cut: process {} (python3) held the connection to Engage", till.0.id());
    assert!(said.contains(&reason) && said.contains("with --start, --kill and --sell"), "{said}");
}

#[test]
fn a_resident_till_without_a_journal_loses_the_purchase() {
    let start = format!("python3 {TILL} {{port}}");
    let line = format!("python3 {TILL} {{port}} --line");
    for sell in ["http://127.0.0.1:{port}/sell", &line] {
        let (code, said) = certify(&["--only", "sale", "--only", CUT, "--start", &start, "--sell", sell]);
        assert!(code == 1 && said.contains("Not certified: 1 passed, 1 failed, 0 void, 0 skipped"), "{said}");
        assert!(said.contains("this till loses a purchase when the power is cut after the deduction"), "{said}");
    }
}

#[test]
fn a_kill_command_that_kills_nothing_is_void() {
    let start = format!("python3 {TILL} {{port}}");
    let resident = ["--start", &start, "--sell", "http://127.0.0.1:{port}/sell", "--only", CUT, "--kill"];
    for (kill, reason) in [
        ("true", "the power was not cut: process"),
        ("sh -c 'exit 3'", "the till could not be killed: the kill command ended with exit status: 3"),
        ("sh -c 'kill -KILL {pid}'", "this till loses a purchase when the power is cut"),
    ] {
        let (code, said) = certify(&[&resident[..], &[kill]].concat());
        assert!(code == 1 && said.contains(reason), "{kill}: {said}");
    }
}

#[test]
fn a_till_that_ends_at_its_start_is_reported() {
    let ended = "the till's command ended with exit code 1 and has sent no request to Engage";
    for (start, sell) in
        [("sh -c 'echo usage; exit 1' {port}", "http://127.0.0.1:{port}"), ("sh -c 'echo usage; exit 1'", "-")]
    {
        let (code, said) = certify(&["--start", start, "--sell", sell]);
        assert!(code == 2 && said.contains(ended) && said.ends_with("Its output:\nusage\n"), "{said}");
    }
}

/// A person at a real till.
struct Person {
    certify: Ends,
    typed: ChildStdin,
    shown: ChildStdout,
}

impl Person {
    fn certifies(only: &str) -> Person {
        let mut command = Command::new(env!("CARGO_BIN_EXE_engage-sandbox"));
        command.args(["certify", "--manual", "--manual-at", "127.0.0.1:0", "--only", only]);
        let mut certify = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (typed, shown) = (certify.stdin.take().unwrap(), certify.stdout.take().unwrap());
        Person { certify: Ends(certify), typed, shown }
    }

    /// Reads the terminal up to a text.
    fn reads(&mut self, until: &str) -> String {
        let mut text = Vec::new();
        while !text.ends_with(until.as_bytes()) {
            let mut byte = [0];
            assert_eq!(self.shown.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&text));
            text.push(byte[0]);
        }
        String::from_utf8(text).unwrap()
    }

    fn types(&mut self, line: &str) {
        writeln!(self.typed, "{line}").unwrap();
    }

    fn ends(mut self) -> (i32, String) {
        let mut rest = String::new();
        self.shown.read_to_string(&mut rest).unwrap();
        (self.certify.0.wait().unwrap().code().unwrap(), rest)
    }
}

/// Returns a purchase at the till, as the terminal asks for it.
fn purchase(configuration: &str, wanted: &str) -> Command {
    let value = |label: &str| {
        let line = configuration.lines().find(|line| line.trim_start().starts_with(label)).unwrap();
        line.trim_start()[label.len()..].trim().to_owned()
    };
    let id = |label: &str| {
        let line = wanted.lines().find(|line| line.trim_start().starts_with(label)).unwrap();
        line.rsplit_once('(').unwrap().1.trim_end_matches(')').to_owned()
    };
    let purchase_id = "10000000-0000-4000-8000-000000000001";
    let (contact, item) = (id("member"), id("reward"));
    let body =
        format!(r#"{{"contactId":"{contact}","pointShopItemPurchaseId":"{purchase_id}","pointShopItemId":"{item}"}}"#);
    let mut curl = Command::new("curl");
    curl.args(["-s", "--cacert", &value("root certificate"), "-H", &format!("apikey: {}", value("API key"))]);
    curl.args(["-H", "content-type: application/json", "-d", &body]);
    curl.arg(format!("{}/api/v3/point-shop-items/purchase", value("URL"))).stdout(Stdio::null());
    curl
}

#[test]
fn a_person_at_a_real_till_is_led_through_a_scenario() {
    let mut person = Person::certifies("sale");
    let configuration = person.reads("Press Enter when the till is ready. ");
    person.types("");
    let wanted = person.reads("s skip the scenario: ");
    assert!(wanted.contains("Sell on receipt 4711-sale:\n  reward Free coffee (b0"), "{wanted}");
    assert!(purchase(&configuration, &wanted).status().unwrap().success());
    person.types("x");
    person.reads("s skip the scenario: ");
    person.types("c");
    let (code, rest) = person.ends();
    assert!(code == 0 && rest.contains("1 passed, 0 failed"), "{rest}");
}

#[test]
fn a_person_is_led_on_the_dashboard() {
    let mut person = Person::certifies("sale");
    let started = person.reads("Press Enter when the till is ready. ");
    let dashboard = started.lines().find_map(|line| line.strip_prefix("The same on the dashboard: ")).unwrap();
    let send = |method: &str, path: &str, body: &str| {
        let url = format!("{dashboard}{path}");
        let response = Request { method, url: &url, headers: "", body, timeout: None }.send().unwrap();
        (response.status, String::from_utf8(response.body).unwrap())
    };
    let number = |page: &str| {
        let (_, rest) = page.split_once(r#"name="question" value=""#).unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let (_, page) = send("GET", "/", "");
    assert!(page.contains("scenario 1 of 1: ") && page.contains("Configure the till"), "{page}");
    let first = number(&page);
    assert_eq!(send("POST", "/_sandbox/dashboard/guide", &format!("question={first}&choice=")).0, 303);
    let wanted = person.reads("s skip the scenario: ");
    let (_, page) = send("GET", "/", "");
    assert!(page.contains("Sell on receipt 4711-sale:") && page.contains("What did the cashier see?"), "{page}");
    // An choice to an earlier question, and one that is none.
    let chosen = |choice: &str| send("POST", "/_sandbox/dashboard/guide", choice).0;
    assert_eq!(chosen(&format!("question={first}&choice=c")), 409);
    assert_eq!(chosen(&format!("question={}&choice=x", number(&page))), 409);
    assert!(purchase(&started, &wanted).status().unwrap().success());
    assert_eq!(chosen(&format!("question={}&choice=c", number(&page))), 303);
    let (code, rest) = person.ends();
    assert!(code == 0 && rest.contains("1 passed, 0 failed"), "{rest}");
}

#[test]
fn a_false_report_of_a_person_fails_by_the_ledger() {
    let mut person = Person::certifies("sale");
    person.reads("Press Enter when the till is ready. ");
    person.types("");
    person.reads("s skip the scenario: ");
    person.types("c");
    let (code, rest) = person.ends();
    assert!(code == 1 && rest.contains("the till reports completed, and nothing was deducted"), "{rest}");
}

#[test]
fn a_person_cuts_the_power_when_asked() {
    for (kills, expected) in [(true, "the till sent no such"), (false, "the power was not cut: process")] {
        let mut person = Person::certifies(CUT);
        let configuration = person.reads("Press Enter when the till is ready. ");
        person.types("");
        let wanted =
            person.reads("receipt 4711-power-cut-response-due:\n") + &person.reads("1)\n") + &person.reads(")\n");
        let mut till = Ends(purchase(&configuration, &wanted).spawn().unwrap());
        person.reads("Press Enter when it is off. ");
        if kills {
            till.0.kill().unwrap();
            till.0.wait().unwrap();
        }
        person.types("");
        person.reads("Press Enter when it is ready. ");
        person.types("");
        if kills {
            // The next customer is served, and this person goes home.
            person.reads("s skip the scenario: ");
            person.types("s");
        }
        let (code, rest) = person.ends();
        if kills {
            assert!(code == 3 && rest.contains("the person at the till has left it out"), "{rest}");
        } else {
            assert!(code == 1 && rest.contains(expected), "{rest}");
        }
    }
}

#[test]
fn a_closed_terminal_ends_the_certification() {
    let person = Person::certifies("*");
    drop(person.typed);
    let mut certify = person.certify;
    assert_eq!(certify.0.wait().unwrap().code(), Some(2));
}
