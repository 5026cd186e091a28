//! The store relay of `packaging/relay` in a real nginx, between the library and the sandbox, with
//! TLS on both sides. The till has no key. nginx's own responses, when the server behind it is dead
//! or slow, are tested too.

use crate::alone;
use crate::certificates::Authority;
use crate::nginx::{Nginx, free_port};
use crate::support::{ASTRID, COFFEE, LOAD, Store, buy, eventually, id_of, parse, resolved};
use engage_point_shop::{Client, Code, OperationId, Outcome};
use engage_sandbox::{Effect, Fault, KeySeen, LedgerKind, Operation};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// A store whose tills have no key.
struct RelayStore {
    store: Store,
    relay: Nginx,
    authority: Authority,
    tills: Authority,
}

/// Returns the relay's configuration as it is shipped, with the placeholders filled in.
fn filled_in(folder: &Path, port: u16, upstream: &str, changes: &[(&str, &str)]) -> String {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/relay/engage-relay.conf");
    let mut text = std::fs::read_to_string(shipped).unwrap();
    let here = folder.display().to_string();
    let port = format!("listen 127.0.0.1:{port} ssl;");
    let upstream = format!("server {upstream};");
    let ca = folder.join("engage-ca.pem").display().to_string();
    let to_fill_in = [
        ("listen 8443 ssl;", port.as_str()),
        ("server acme.voyado.com:443;", &upstream),
        ("set $engage_tenant acme.voyado.com;", "set $engage_tenant localhost;"),
        ("server_name relay.store.example;", "server_name localhost;"),
        ("/etc/ssl/certs/ca-certificates.crt", &ca),
        ("/etc/nginx/engage-relay", &here),
        ("/var/log/nginx", &here),
    ];
    for (shipped, ours) in to_fill_in.iter().chain(changes) {
        assert!(text.contains(shipped), "the shipped configuration has no {shipped:?}");
        text = text.replace(shipped, ours);
    }
    text
}

impl RelayStore {
    fn open() -> Self {
        Self::with(Store::open(), &[])
    }

    fn with(store: Store, changes: &[(&str, &str)]) -> Self {
        let upstream = store.sandbox.https_url().replace("https://localhost", "127.0.0.1");
        Self::before(store, &upstream, changes)
    }

    fn before(store: Store, upstream: &str, changes: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (authority, tills) = (Authority::new("relays"), Authority::new("tills"));
        authority.server("localhost").write(folder.path(), "relay");
        tills.write(folder.path(), "tills-ca.crt");
        std::fs::copy(store.sandbox.ca_file(), folder.path().join("engage-ca.pem")).unwrap();
        let key = format!("proxy_set_header apikey \"{}\";\n", store.sandbox.api_key());
        std::fs::write(folder.path().join("key.conf"), key).unwrap();
        let port = free_port();
        let config = filled_in(folder.path(), port, upstream, changes);
        Self { store, relay: Nginx::start(folder, port, &config), authority, tills }
    }

    /// Returns a till with a certificate of this root.
    fn till(&self, identity: Option<&Authority>) -> Client {
        let folder = self.store.folder.path();
        let files: Option<(PathBuf, PathBuf)> = identity.map(|tills| tills.client("till 7").write(folder, "till"));
        let (certificate, key) = files.unzip();
        self.store.client_with(&json!({
            "baseUrl": format!("https://localhost:{}", self.relay.port), "apiKey": null, "requestTimeoutMs": 5_000,
            "caFile": self.authority.write(folder, "relay-ca.crt"), "clientCertFile": certificate, "clientKeyFile": key,
        }))
    }

    fn logs(&self) -> String {
        ["engage-relay.log", "engage-relay.error.log", "stderr"]
            .map(|file| std::fs::read_to_string(self.relay.folder().join(file)).unwrap())
            .concat()
    }
}

#[test]
fn till_without_key_sells_through_the_relay() {
    let shop = RelayStore::open();
    let till = shop.till(Some(&shop.tills));
    till.list_items(ASTRID, None).unwrap();
    till.find_contact("email", "astrid@example.com", None).unwrap();
    till.find_contact("mobilePhone", "+46701234567", None).unwrap();
    let operation = buy(&till, ASTRID, COFFEE, &json!({})).unwrap();
    assert_eq!(operation["outcome"], "completed");
    let requests = shop.store.sandbox.requests();
    assert_eq!(requests.len(), 4);
    for request in &requests {
        assert_eq!((request.key, request.status), (KeySeen::Right, Some(200)), "{request:?}");
        assert_eq!(request.user_agent.as_deref(), Some("TestPOS/1.0"));
        assert_eq!(request.connection, requests[0].connection, "the relay keeps its connection to Engage");
    }
    // nginx writes the line after the response.
    let logs = eventually("nginx logs the purchase", || {
        let line = "\"CN=till 7\" POST /api/v3/point-shop-items/purchase 200 upstream=200";
        Some(shop.logs()).filter(|logs| logs.contains(line))
    });
    for secret in [shop.store.sandbox.api_key(), "astrid", "46701234567", "%2B46"] {
        assert!(!logs.contains(secret), "{secret} is in the relay's log: {logs}");
    }
}

#[test]
fn client_without_certificate_is_rejected_by_the_relay() {
    let shop = RelayStore::open();
    for identity in [None, Some(&shop.authority)] {
        let till = shop.till(identity);
        let read = till.list_items(LOAD, None).unwrap_err();
        let bought = till.purchase(LOAD, COFFEE, None).unwrap_err();
        for error in [read, bought] {
            assert_eq!(error.code(), Code::Forbidden, "{error} {:?}", error.cause());
            assert_eq!(error.detail().engage_code.as_deref(), Some("RelayCertificateRequired"));
        }
    }
    assert!(shop.store.sandbox.requests().is_empty());
}

#[test]
fn tills_of_one_relay_stay_below_the_request_rate() {
    let _alone = alone();
    let shop = RelayStore::open();
    let till = shop.till(Some(&shop.tills));
    // Enough at once that the queue is too short for all, also when they start slowly.
    let listed = |_| match till.list_items(LOAD, None) {
        Ok(_) => (Code::Ok, None),
        Err(error) => (error.code(), error.detail().retry_after_ms),
    };
    let codes: Vec<(Code, Option<u64>)> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..100).map(|_| scope.spawn(|| (0..3).map(listed).collect::<Vec<_>>())).collect();
        calls.into_iter().flat_map(|calls| calls.join().unwrap()).collect()
    });
    let limited: Vec<_> = codes.iter().filter(|(code, _)| *code != Code::Ok).collect();
    assert!(
        !limited.is_empty() && limited.iter().all(|result| **result == (Code::RateLimited, Some(1_000))),
        "{codes:?}"
    );
    let requests = shop.store.sandbox.requests();
    assert_eq!(requests.len(), codes.len() - limited.len(), "what is beyond the rate has not reached Engage");
    // Delays of the machine only slow the requests down, except for the delay of the first request.
    let (first, last) = (requests[0].time.millis(), requests.last().unwrap().time.millis());
    let allowed = (last - first) * 50 / 1_000 + 10;
    let passed = i64::try_from(requests.len()).unwrap();
    assert!(passed <= allowed, "{passed} requests within {} ms", last - first);
}

#[test]
fn relay_repeats_a_list_and_never_a_purchase() {
    let shop = RelayStore::open();
    let till = shop.till(Some(&shop.tills));
    // The relay's connection to Engage is open, and dies with the next request.
    till.list_items(LOAD, None).unwrap();
    shop.store.sandbox.arm(Fault::on(Operation::Items, Effect::ResetBeforeCommit));
    till.list_items(LOAD, None).unwrap();
    assert_eq!(shop.store.sandbox.requests().len(), 3, "once more, on a fresh one");
    for effect in [Effect::ResetBeforeCommit, Effect::ResetAfterCommit] {
        let id = OperationId::fresh();
        till.list_items(LOAD, None).unwrap();
        let before = shop.store.posts();
        shop.store.sandbox.arm(Fault::on(Operation::Purchase, effect.clone()));
        let code =
            buy(&till, LOAD, COFFEE, &json!({ "purchaseId": id })).map_or_else(|error| error.code(), |_| Code::Ok);
        assert_ne!(code.row().outcome, Outcome::Declined, "{effect:?}: {code:?}");
        let operation = resolved(&till, id);
        assert_eq!(operation["outcome"], "completed");
        let attempts = usize::try_from(operation["attempts"].as_u64().unwrap()).unwrap();
        assert_eq!(shop.store.posts() - before, attempts, "{effect:?}: every POST is one of the till's");
        let deducted =
            |entry: &&engage_sandbox::LedgerEntry| entry.kind == LedgerKind::Deduct && entry.purchase_id == id.uuid();
        assert_eq!(shop.store.sandbox.ledger().iter().filter(deducted).count(), 1, "{effect:?}");
    }
}

#[test]
fn gateway_with_dead_server_is_named_and_loses_no_purchase() {
    let closed = format!("127.0.0.1:{}", free_port());
    let shop = RelayStore::before(Store::open(), &closed, &[]);
    let till = shop.till(Some(&shop.tills));
    let error = till.find_contact("email", "astrid@example.com", None).unwrap_err();
    assert_eq!((error.code(), error.detail().http_status), (Code::ServerError, Some(502)));
    assert!(error.message().contains("a web page with status 502"), "{error}");
    let bought = buy(&till, LOAD, COFFEE, &json!({ "waitMs": 300 })).unwrap_err();
    assert_eq!(bought.code().row().outcome, Outcome::Pending, "{bought}");
    assert!(!shop.logs().contains("astrid"), "{}", shop.logs());

    let slow = RelayStore::with(Store::open(), &[("proxy_read_timeout    70s;", "proxy_read_timeout 300ms;")]);
    let till = slow.till(Some(&slow.tills));
    slow.store.sandbox.arm(Fault::on(Operation::Any, Effect::Delay { ms: 1_500 }).times(2));
    let error = till.list_items(LOAD, None).unwrap_err();
    assert_eq!((error.code(), error.detail().http_status), (Code::ServerError, Some(504)), "{error}");
    let operation: Value = match buy(&till, LOAD, COFFEE, &json!({})) {
        Ok(operation) => operation,
        Err(error) => resolved(&till, error.operation().unwrap()),
    };
    assert_eq!(operation["outcome"], "completed");
    assert_eq!(slow.store.deductions(), [id_of(&operation).uuid()], "slow is not lost");
    assert!(parse(&till.list_unacknowledged(None).unwrap())["operations"][0]["outcome"] == "completed");
}
