//! Markers in every secret input of a till, through every flow and failure. No marker may be in an
//! error, a log line, the journal's files or the memory of a core dump after close (invariant 10).

use crate::certificates::{Authority, Certificate};
use crate::connect_proxy::{ConnectProxy, Reaction, upstream};
use crate::nginx::free_port;
use crate::support::{ASTRID, COFFEE, Store, code_of};
use crate::{alone, till};
use engage_point_shop::{Client, OperationId};
use engage_sandbox::{Effect, Fault, FaultResponse, Operation, Sandbox};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const KEY: &str = "marker-api-key-5f1d3b97";
const PASSWORD: &str = "marker-password-82c40e61";
const EMAIL: &str = "marker.mail.c93a17@example.com";
const PHONE: &str = "+46709318264075";
const NUMBER: &str = "19121212-6430918";
const CUSTOM: &str = "marker-member-e0b7d254";

/// Returns the forms of a secret in use: as it is, in a URL, as a proxy's login.
fn markers(client: &Certificate) -> Vec<(&'static str, Vec<u8>)> {
    let mut markers: Vec<(&str, Vec<u8>)> = [
        ("the key", KEY),
        ("the proxy's password", PASSWORD),
        // "till:marker-password-82c40e61"
        ("the proxy's login", "dGlsbDptYXJrZXItcGFzc3dvcmQtODJjNDBlNjE="),
        ("the e-mail", "marker.mail.c93a17"),
        ("the phone number", "46709318264075"),
        ("the social security number", "19121212-6430918"),
        ("the custom key", CUSTOM),
    ]
    .map(|(what, text)| (what, text.as_bytes().to_vec()))
    .into();
    let pem = client.key.serialize_pem();
    markers.push(("the client key's PEM", pem.lines().nth(1).unwrap().as_bytes()[20..60].to_vec()));
    // PKCS#8 of P-256: the private number begins at byte 36.
    markers.push(("the client key", client.key.serialize_der()[36..68].to_vec()));
    markers
}

fn found<'a>(markers: &'a [(&'static str, Vec<u8>)], bytes: &[u8]) -> Vec<&'a str> {
    let holds = |marker: &[u8]| memchr::memmem::find(bytes, marker).is_some();
    markers.iter().filter(|(_, marker)| holds(marker)).map(|(what, _)| *what).collect()
}

/// The C program of `secrets.c`.
struct Till {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// All of its output.
    output_text: String,
}

impl Till {
    fn start() -> Self {
        let program = compiled();
        let mut process =
            Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (input, output) = (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()));
        Self { process, input, output, output_text: String::new() }
    }

    /// Sends a command and returns the code.
    fn send(&mut self, words: &[&str]) -> i32 {
        let mut line = String::new();
        for byte in words.join("\x1f").bytes() {
            write!(line, "{byte:02x}").unwrap();
        }
        writeln!(self.input, "{line}").unwrap();
        let at = self.output_text.len();
        self.output.read_line(&mut self.output_text).unwrap();
        let response = &self.output_text[at..];
        response.split(' ').next().and_then(|code| code.trim().parse().ok()).unwrap_or_else(|| panic!("{response:?}"))
    }

    fn memory(&mut self, folder: &Path) -> Vec<u8> {
        let file = folder.join("memory");
        assert_eq!(self.send(&["dump", file.to_str().unwrap()]), 0);
        std::fs::read(file).unwrap()
    }

    /// Ends the program, and returns its output and its log.
    fn end(mut self) -> String {
        drop(self.input);
        // Two clients may write lines at the same time, one within the other's.
        let mut log = Vec::new();
        self.process.stderr.take().unwrap().read_to_end(&mut log).unwrap();
        let log = String::from_utf8_lossy(&log);
        assert!(self.process.wait().unwrap().success());
        assert!(
            log.contains("\"event\":\"request\"") && log.contains("purchase.sent"),
            "a log that says nothing: {log}"
        );
        self.output_text + &log
    }
}

fn compiled() -> PathBuf {
    let libraries = till::till().parent().unwrap();
    let program = till::build_folder().join("secrets");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let include = format!("-I{}", root.join("include").display());
    let library = libraries.join("libengage_point_shop.so.1").display().to_string();
    let rpath = format!("-Wl,--disable-new-dtags,-rpath,{}", libraries.display());
    till::compile(&root.join("tests/campaigns/network/secrets.c"), &program, &[&include, &library, &rpath]);
    program
}

/// Makes every call of a till, whatever the results are, and returns the codes.
fn use_all(till: &mut Till) -> Vec<i32> {
    let (contact, item) = (ASTRID.to_string(), COFFEE.to_string());
    let mut codes = Vec::new();
    for (key, value) in [
        ("email", EMAIL),
        ("mobilePhone", PHONE),
        ("socialSecurityNumber", NUMBER),
        ("customKey", CUSTOM),
        ("any", EMAIL),
    ] {
        codes.push(till.send(&["find", key, value]));
    }
    codes.push(till.send(&["items", &contact]));
    let options = json!({ "purchaseId": OperationId::fresh(), "waitMs": 100 }).to_string();
    codes.push(till.send(&["purchase", &contact, &item, &options]));
    codes
}

#[test]
fn secrets_after_close_are_in_no_output_file_or_memory() {
    let _alone = alone();
    let store = Store { sandbox: Sandbox::builder().key(KEY).start(), folder: tempfile::tempdir().unwrap() };
    let proxy = ConnectProxy::start(upstream(&store), Reaction::Tunnel);
    let identity = Authority::new("tills").client("till 7");
    let (certificate, key) = identity.write(store.folder.path(), "till");
    let markers = markers(&identity);
    let config = |more: Value| {
        let mut extra = json!({
            "journalPath": store.journal(), "proxy": format!("http://till:{PASSWORD}@{}", proxy.address),
            "clientCertFile": certificate, "clientKeyFile": key, "retryScheduleMs": [86_400_000], "preconnect": true,
        });
        extra.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        store.config(&extra)
    };
    let mut till = Till::start();
    // The regular flow: no contact is found, and the coffee is bought.
    assert_eq!(till.send(&["open", &config(json!({}))]), 0);
    let codes = use_all(&mut till);
    assert!(codes[..5].iter().all(|code| (-399..=-300).contains(code)) && codes[5..] == [0, 0], "{codes:?}");
    // The memory of an open client must hold the key. This proves that the search works.
    let memory = till.memory(store.folder.path());
    assert!(found(&markers, &memory).contains(&"the key"), "the dump does not show what is in memory");
    till.send(&["close"]);
    // Error responses, and invalid responses.
    let html = Effect::Html;
    for effect in [
        html,
        Effect::ResetBeforeCommit,
        Effect::ResetAfterCommit,
        Effect::Truncate { bytes: 30 },
        Effect::Status(FaultResponse::error(401, "Unauthorized")),
        Effect::Status(FaultResponse::status(429)),
        Effect::Status(FaultResponse::status(503)),
        Effect::StallBeforeCommit,
    ] {
        assert_eq!(till.send(&["open", &config(json!({ "requestTimeoutMs": 300 }))]), 0);
        store.sandbox.arm(Fault::on(Operation::Any, effect.clone()).times(0));
        let codes = use_all(&mut till);
        assert!(codes.iter().all(|code| *code < 0), "{effect:?}: {codes:?}");
        store.sandbox.clear_faults();
        till.send(&["close"]);
    }
    // Unreachable servers, and missing root certificates.
    let nowhere = format!("127.0.0.1:{}", free_port());
    for more in [
        json!({ "proxy": format!("http://till:{PASSWORD}@{nowhere}") }),
        json!({ "proxy": format!("http://till:{PASSWORD}@no-such-proxy.invalid") }),
        json!({ "proxy": "none", "baseUrl": format!("https://{nowhere}") }),
        json!({ "systemTrust": true, "caFile": certificate }),
    ] {
        assert_eq!(till.send(&["open", &config(more.clone())]), 0, "{more}");
        assert!(use_all(&mut till).iter().all(|code| *code < 0), "{more}");
        till.send(&["close"]);
    }
    for response in ["HTTP/1.1 407 No\r\n\r\n", "HTTP/1.1 403 No\r\n\r\n", "no\r\n\r\n", ""] {
        proxy.set(Reaction::Respond(response));
        assert_eq!(till.send(&["open", &config(json!({}))]), 0);
        assert!(use_all(&mut till).iter().all(|code| *code < 0), "{response:?}");
        till.send(&["close"]);
    }
    // Invalid configurations, each with the secrets in it.
    let other = Authority::new("tills").client("till 8").write(store.folder.path(), "other").1;
    let good = config(json!({}));
    for broken in [
        config(json!({ "waitMs": "soon" })),
        config(json!({ "baseUrl": "ftp://nowhere" })),
        config(json!({ "userAgent": null })),
        config(json!({ "clientKeyFile": other })),
        config(json!({ "journalPath": "/no/such/folder/journal.db" })),
        config(json!({ "proxy": format!("socks5://till:{PASSWORD}@{nowhere}") })),
        config(json!({ "proxy": format!("http://till:{PASSWORD}%@{nowhere}") })),
        config(json!({ "unknown": KEY })),
        good.replace("\"apiKey\"", "\"apikey\""),
        good[..good.len() - 1].to_owned(),
        good.clone() + "x",
        format!("\"{KEY}\""),
    ] {
        let code = till.send(&["open", &broken]);
        assert!((-299..=-200).contains(&code) || code == -610, "{code}: {broken}");
    }
    let memory = till.memory(store.folder.path());
    let output_text = till.end();
    assert_eq!(found(&markers, output_text.as_bytes()), [""; 0], "in an error or a log line: {output_text}");
    for file in ["journal.db", "journal.db-wal", "journal.db-shm"] {
        let bytes = std::fs::read(store.folder.path().join(file)).unwrap_or_default();
        assert_eq!(found(&markers, &bytes), [""; 0], "in {file}");
    }
    assert_eq!(found(&markers, &memory), [""; 0], "in the memory of a closed client");
    assert!(memory.len() > 1 << 20, "a dump of {} bytes", memory.len());
}

#[test]
fn search_key_echoed_by_the_server_is_not_passed_on() {
    let store = Store::open();
    let client: Client = store.client();
    for (status, content_type) in
        [(400, "application/json"), (404, "text/html"), (500, "text/plain"), (200, "application/json")]
    {
        let body = format!("{{\"errorCode\":\"{EMAIL}\",\"message\":\"{EMAIL} or {KEY} is not known\"}}");
        let response = FaultResponse {
            body: Some(body),
            content_type: Some(content_type.into()),
            ..FaultResponse::status(status)
        };
        store.sandbox.arm(Fault::on(Operation::Contacts, Effect::Status(response)));
        let error = client.find_contact("email", EMAIL, None).unwrap_err();
        let output_text = String::from_utf8(error.to_json()).unwrap();
        assert!(!output_text.contains("marker"), "{output_text}");
        let _ = code_of::<()>(Err(error));
    }
}
