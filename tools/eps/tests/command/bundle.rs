//! `bundle`: no secret that lies anywhere at the till is in any of its files.

use super::support::{COFFEE, GATEWAY_ERROR, LOAD, Store, buy, item};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

fn members(path: &Path) -> BTreeMap<String, String> {
    let mut zip = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
    let mut members = BTreeMap::new();
    for at in 0..zip.len() {
        let (mut file, mut text) = (zip.by_index(at).unwrap(), String::new());
        file.read_to_string(&mut text).unwrap();
        members.insert(file.name().to_owned(), text);
    }
    members
}

const SECRETS: [&str; 9] = [
    "planted-api-key",
    "proxy-user",
    "proxy-password",
    "PlantedPrivateKeyLine0123456789",
    "a0000000-0000-4000-8000-000000000003",
    "A0000000-0000-4000-8000-000000000003",
    "receipt-of-eva",
    "eva@example.com",
    "+46701234567",
];

#[test]
fn planted_secrets_are_in_no_file_of_the_bundle() {
    let store = Store::open();
    let till = store.till();
    let id = buy(&till, COFFEE, "receipt-of-eva");
    store.buy_pending(item(GATEWAY_ERROR), "receipt-of-eva-2", &json!({}), 17);
    let key_path = store.path("planted-key-path.pem");
    let key = "-----BEGIN PRIVATE KEY-----\nPlantedPrivateKeyLine0123456789\n-----END PRIVATE KEY-----\n";
    std::fs::write(&key_path, key).unwrap();
    store.write_config(&json!({
        "apiKey": "planted-api-key", "proxy": "http://proxy-user:proxy-password@127.0.0.1:9",
        "clientKeyFile": key_path, "clientCertFile": key_path,
        "apiMapping": { "itemsPath": "/api/v3/point-shop-items?contactId={contactId}&code=planted-api-key" },
    }));
    let mut log: Vec<String> = SECRETS.iter().map(|secret| format!(r#"{{"event":"x","text":"{secret}"}}"#)).collect();
    log.push(key.to_owned());
    log.push(format!("{{\"event\":\"last\",\"operationId\":\"{id}\",\"contactId\":\"{LOAD}\"}}"));
    std::fs::write(store.path("till.log"), log.join("\n")).unwrap();
    let (out, log) = (store.path("bundle.zip"), store.path("till.log"));
    let run = store.eps(&["bundle", "-o", out.to_str().unwrap(), "--log", log.to_str().unwrap()]).ends(0);
    let members = members(&out);
    let names = ["about", "config", "doctor", "journal", "operations", "schema", "statistics"];
    let expected: Vec<String> = names.iter().map(|name| format!("{name}.json")).chain(["log.txt".into()]).collect();
    let mut expected = expected;
    expected.sort();
    assert_eq!(members.keys().cloned().collect::<Vec<_>>(), expected);
    let raw = std::fs::read(&out).unwrap();
    for secret in SECRETS.iter().copied().chain(["planted-key-path", "BEGIN PRIVATE"]) {
        for (name, text) in &members {
            assert!(!text.contains(secret), "{secret} is in {name}:\n{text}");
        }
        assert!(!raw.windows(secret.len()).any(|bytes| bytes == secret.as_bytes()), "{secret}");
    }
    for name in members.keys() {
        assert!(run.out.contains(name.as_str()), "{}", run.out);
    }
    // What support needs is there.
    assert!(members["operations.json"].contains(&id) && members["log.txt"].contains(&id));
    assert!(members["operations.json"].contains("contact-") && members["operations.json"].contains("reference-"));
    assert!(members["config.json"].contains("127.0.0.1:9") && members["config.json"].contains("TestPOS/1.0"));
    let statistics: Value = serde_json::from_str(&members["statistics.json"]).unwrap();
    assert_eq!(statistics["operations"], 2);
    store.eps(&["bundle", "-o", out.to_str().unwrap()]).ends(2).says(&["exists"]);
}

#[test]
fn bundle_with_ids_keeps_ids_and_no_secret() {
    let store = Store::open();
    let till = store.till();
    buy(&till, COFFEE, "receipt-of-eva");
    let out = store.path("bundle.zip");
    store.eps(&["bundle", "--with-ids", "-o", out.to_str().unwrap()]).ends(0);
    let members = members(&out);
    assert!(members["operations.json"].contains(&LOAD.to_string()));
    assert!(members["operations.json"].contains("receipt-of-eva"));
    assert!(members.values().all(|text| !text.contains(store.sandbox.api_key())));
}

#[test]
fn bundle_of_a_broken_till_says_what_is_broken() {
    let store = Store::open();
    store.write_config(&json!({ "baseUrl": "http://127.0.0.1:1", "caFile": null }));
    std::fs::write(store.path("journal.db"), vec![7; 4096]).unwrap();
    let out = store.path("bundle.zip");
    store.eps(&["bundle", "-o", out.to_str().unwrap()]).ends(0);
    let members = members(&out);
    assert!(members["operations.json"].contains("EPS_JOURNAL"), "{}", members["operations.json"]);
    assert!(members["doctor.json"].contains("\"fail\""));
}

#[test]
fn dates_and_times_of_a_log_are_kept() {
    let store = Store::open();
    store.till().close();
    let log = store.path("till.log");
    let lines = r#"{"time":"2026-11-25T14:03:59.123Z","event":"request","ms":17}
2026-11-25 14:03:59 the POS started, the member 19640823-3234 and 196408233234 came"#;
    std::fs::write(&log, lines).unwrap();
    let out = store.path("bundle.zip");
    store.eps(&["bundle", "-o", out.to_str().unwrap(), "--log", log.to_str().unwrap()]).ends(0);
    let kept = &members(&out)["log.txt"];
    assert!(kept.contains("2026-11-25T14:03:59.123Z") && kept.contains("\n2026-11-25 14:03:59 the"), "{kept}");
    assert!(!kept.contains("3234"), "{kept}");
}

#[cfg(unix)]
#[test]
fn bundle_is_private_and_none_is_left_by_a_full_disk() {
    use std::os::unix::fs::PermissionsExt;
    let store = Store::open();
    store.till().close();
    let out = store.path("bundle.zip");
    // No file may grow beyond a block: what a full disk does.
    let mut full = std::process::Command::new("sh");
    full.args(["-c", r#"trap '' XFSZ; ulimit -f 8; exec "$@""#, "sh", env!("CARGO_BIN_EXE_eps")]);
    full.arg("--config").arg(store.path("till.json")).args(["bundle", "-o"]).arg(&out);
    let ended = full.output().unwrap();
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    assert!(!out.exists(), "a part of a bundle is left");
    store.eps(&["bundle", "-o", out.to_str().unwrap()]).ends(0);
    assert_eq!(std::fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);
}
