//! Server and client certificates. A failed handshake is reported with its cause and a remedy. An
//! expired certificate and a wrong clock are distinguished.

use crate::certificates::{Authority, Certificate, now};
use crate::connect_proxy::{ConnectProxy, Reaction};
use crate::support::{COFFEE, LOAD, Store, code_of};
use engage_point_shop::{Client, Code, Error};
use rustls::crypto::ring;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, Stream};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use time::{Duration, OffsetDateTime};

/// A TLS server that sends every client the same response and closes the connection.
struct Server {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(config: ServerConfig, response: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (config, heads) = (Arc::new(config), Arc::<Mutex<Vec<String>>>::default());
        let kept = heads.clone();
        std::thread::spawn(move || {
            // One connection after the other. A client that rejects the certificate is no failure.
            for stream in listener.incoming() {
                let _ = stream.and_then(|stream| serve(&config, stream, &response, &kept));
            }
        });
        Self { address, heads }
    }

    fn url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }

    /// Returns the heads of the requests that it got.
    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

fn serve(
    config: &Arc<ServerConfig>,
    mut tcp: TcpStream,
    response: &str,
    heads: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut tls = ServerConnection::new(config.clone()).unwrap();
    let mut stream = BufReader::new(Stream::new(&mut tls, &mut tcp));
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    heads.lock().unwrap().push(head);
    stream.get_mut().write_all(response.as_bytes())?;
    tls.send_close_notify();
    tls.complete_io(&mut tcp).map(drop)
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn config_of(certificate: &Certificate) -> ServerConfig {
    ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(rustls::DEFAULT_VERSIONS)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der.clone()], certificate.key_der())
        .unwrap()
}

/// Returns an empty list of items with a Date header.
fn response(date: Option<OffsetDateTime>) -> String {
    let date = date.map_or(String::new(), |date| format!("Date: {}\r\n", http(date)));
    format!("HTTP/1.1 200 OK\r\n{date}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n[]")
}

fn http(date: OffsetDateTime) -> String {
    let (weekday, month) = (date.weekday().to_string(), date.month().to_string());
    let time = format!("{:02}:{:02}:{:02}", date.hour(), date.minute(), date.second());
    format!("{}, {:02} {} {} {time} GMT", &weekday[..3], date.day(), &month[..3], date.year())
}

fn till(url: &str, authority: &Authority, folder: &Path, extra: &Value) -> Client {
    let mut config = json!({
        "baseUrl": url, "apiKey": "the-key", "userAgent": "TestPOS/1.0", "journal": "memory", "preconnect": false,
        "caFile": authority.write(folder, "ca.pem"), "systemTrust": false, "requestTimeoutMs": 5_000,
    });
    config.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    Client::open(&config.to_string()).unwrap()
}

/// Makes a read and a purchase that must fail the same way, with nothing sent.
fn failure(client: &Client, code: Code) -> Error {
    let bought = client.purchase(LOAD, COFFEE, None).unwrap_err();
    let read = client.list_items(LOAD, None).unwrap_err();
    assert_eq!((read.code(), bought.code()), (code, code), "{read} {:?}; {bought}", read.cause());
    assert_eq!(bought.cause().last(), read.cause().last());
    read
}

#[track_caller]
fn says(error: &Error, parts: &[&str]) {
    for part in parts {
        assert!(error.message().contains(part), "{error} {:?} lacks {part:?}", error.cause());
    }
}

#[test]
fn rejected_server_certificate_is_reported_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let unknown = Server::start(config_of(&theirs.server("localhost")), response(None));
    let error = failure(&till(&unknown.url(), &ours, folder.path(), &json!({})), Code::TlsFailed);
    says(&error, &["authority is not trusted here", "caFile"]);
    assert!(error.cause()[0].contains("UnknownIssuer"), "{:?}", error.cause());
    let other_server = Server::start(config_of(&Authority::new("ours").server("localhost")), response(None));
    let error = failure(&till(&other_server.url(), &ours, folder.path(), &json!({})), Code::TlsFailed);
    says(&error, &["authority is not trusted here"]);
    let other = Server::start(config_of(&ours.server("engage.example")), response(None));
    let error = failure(&till(&other.url(), &ours, folder.path(), &json!({})), Code::TlsFailed);
    says(&error, &["another server's", "baseUrl"]);
    assert!(error.cause()[0].contains("engage.example"), "the name it is for is there: {:?}", error.cause());
    let not_tls = crate::scripted_server::ScriptedServer::start();
    let url = format!("https://localhost:{}", not_tls.address.port());
    failure(&till(&url, &ours, folder.path(), &json!({})), Code::TlsFailed);
    assert!(
        unknown.heads().is_empty() && other.heads().is_empty(),
        "nothing was asked of a server that is not trusted"
    );
}

#[test]
fn expired_certificate_and_wrong_clock_have_different_codes() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("ours");
    let days = Duration::days;
    // The first and last day of validity relative to today, the server's clock relative to the
    // till's, and the message.
    let rows = [
        // The server's time is before the library was built, so it proves nothing.
        (-40, -10, Some(-20), "10 days after that"),
        (10, 40, Some(20), "the till's clock seems to be 20 days behind"),
        (-40, -10, Some(0), "The server's operator must renew the certificate"),
        (-40, -10, None, "10 days after that"),
    ];
    for (from, until, clock, part) in rows {
        let (from, until) = (now() + days(from), now() + days(until));
        let date = clock.map(|clock| now() + days(clock) + Duration::seconds(i64::from(clock < 0)));
        let server = Server::start(config_of(&authority.server_between("localhost", from, until)), response(date));
        let error = failure(&till(&server.url(), &authority, folder.path(), &json!({})), Code::TlsFailed);
        says(&error, &[part, "the certificate is valid"]);
        // Only one request for the time, without the key.
        let heads = server.heads();
        assert!(!heads.is_empty(), "the server was asked what time it is");
        for head in heads {
            assert!(head.starts_with("HEAD / HTTP/1.1\r\n") && !head.contains("the-key"), "{head}");
        }
    }
    // The server itself is asked for the time. A server whose certificate is invalid at any time is
    // not believed.
    let unknown = Authority::new("theirs").server_between("localhost", now() - days(40), now() - days(10));
    let server = Server::start(config_of(&unknown), response(Some(now() - days(20))));
    let error = failure(&till(&server.url(), &authority, folder.path(), &json!({})), Code::TlsFailed);
    assert!(!error.message().contains("the server's clock"), "{error}");
    assert!(server.heads().is_empty());
}

#[test]
fn proxy_clock_is_used_without_a_server_clock() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("ours");
    let future = authority.server_between("localhost", now() + Duration::days(10), now() + Duration::days(40));
    let server = Server::start(config_of(&future), response(None));
    let proxy = ConnectProxy::start(server.address, Reaction::TunnelDated(http(now() + Duration::days(30))));
    let client = till(&server.url(), &authority, folder.path(), &json!({ "proxy": proxy.url() }));
    says(&failure(&client, Code::TlsFailed), &["30 days behind", "the proxy's clock says"]);
}

/// A server that requires a client certificate.
fn asking(server: &Certificate, clients: &Authority, folder: &Path) -> ServerConfig {
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(clients.write(folder, "clients.pem")).unwrap()).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider()).build().unwrap();
    ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(rustls::DEFAULT_VERSIONS)
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![server.der.clone()], server.key_der())
        .unwrap()
}

#[test]
fn time_request_presents_no_client_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, tills) = (Authority::new("ours"), Authority::new("tills"));
    let expired = authority.server_between("localhost", now() - Duration::days(40), now() - Duration::days(10));
    let server = Server::start(asking(&expired, &tills, folder.path()), response(Some(now())));
    let (certificate, key) = tills.client("till 7").write(folder.path(), "till");
    let identity = json!({ "clientCertFile": certificate, "clientKeyFile": key });
    let error = failure(&till(&server.url(), &authority, folder.path(), &identity), Code::TlsFailed);
    says(&error, &["10 days after that"]);
    assert!(server.heads().is_empty(), "the server requires a certificate, and it got none");
}

#[test]
fn byte_order_mark_in_pem_files_is_accepted() {
    let store = Store::open();
    let folder = tempfile::tempdir().unwrap();
    let with_bom = |path: &Path, name: &str| {
        let mut text = b"\xEF\xBB\xBF".to_vec();
        text.extend(std::fs::read(path).unwrap());
        std::fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name)
    };
    let (certificate, key) = Authority::new("ours").client("till 7").write(folder.path(), "till");
    let config = store.config(&json!({
        "caFile": with_bom(Path::new(&store.sandbox.ca_file()), "ca-bom.pem"),
        "clientCertFile": with_bom(Path::new(&certificate), "till-bom.crt"),
        "clientKeyFile": with_bom(Path::new(&key), "till-bom.key"),
    }));
    Client::open(&config).unwrap().list_items(LOAD, None).unwrap();
}

#[test]
fn missing_client_certificate_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, tills) = (Authority::new("ours"), Authority::new("tills"));
    let server = Server::start(asking(&authority.server("localhost"), &tills, folder.path()), response(None));
    let identity = |of: &Authority| {
        let (certificate, key) = of.client("till 7").write(folder.path(), "till");
        json!({ "clientCertFile": certificate, "clientKeyFile": key })
    };
    let client = till(&server.url(), &authority, folder.path(), &identity(&tills));
    assert_eq!(client.list_items(LOAD, None).unwrap(), b"[]");
    // TLS 1.3 reports it only after the till has finished the handshake. A read fails, a purchase
    // is in doubt.
    let client = till(&server.url(), &authority, folder.path(), &json!({}));
    let error = client.list_items(LOAD, None).unwrap_err();
    assert!(error.cause().concat().contains("clientCertFile"), "{error} {:?}", error.cause());
    let client = till(&server.url(), &authority, folder.path(), &identity(&authority));
    let error = client.list_items(LOAD, None).unwrap_err();
    assert!(error.cause().concat().contains("does not accept this till's certificate"), "{error} {:?}", error.cause());
}

#[test]
fn unusable_client_certificate_is_named_at_open() {
    let store = Store::open();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let authority = Authority::new("ours");
    let (certificate, key) = authority.client("till 7").write(folder.path(), "till");
    let (_, other) = authority.client("till 8").write(folder.path(), "other");
    let pem = std::fs::read_to_string(&key).unwrap();
    let rows = [
        (file("none.crt", ""), key.clone(), ["clientCertFile", "holds no certificate"]),
        (folder.path().join("absent.crt"), key.clone(), ["clientCertFile", "cannot be read"]),
        (certificate.clone(), folder.path().join("absent.key"), ["clientKeyFile", "cannot be read"]),
        (certificate.clone(), certificate.clone(), ["clientKeyFile", "holds no private key"]),
        (certificate.clone(), other, ["clientKeyFile", "does not belong to the first certificate"]),
        (certificate.clone(), file("cut.key", &pem[..60]), ["clientKeyFile", "cut off"]),
        (certificate.clone(), file("damaged.key", &pem.replace('M', "*")), ["clientKeyFile", "damaged"]),
        (certificate.clone(), file("wrong.key", &pem.replacen("MIG", "AAA", 1)), ["clientKeyFile", "PKCS#8"]),
        (
            certificate.clone(),
            file("locked.key", &pem.replace("BEGIN ", "BEGIN ENCRYPTED ")),
            ["clientKeyFile", "encrypted"],
        ),
    ];
    for (certificate, key, parts) in rows {
        let config = store.config(&json!({ "clientCertFile": certificate, "clientKeyFile": key }));
        let error = Client::open(&config).err().unwrap();
        assert_eq!(error.code(), Code::BadConfig, "{error}");
        says(&error, &parts);
    }
    // The formats of other programs: CRLF, text before the certificate, an old form.
    let sec1 = folder.path().join("sec1.key");
    let made = std::process::Command::new("openssl").arg("ec").arg("-in").arg(&key).arg("-out").arg(&sec1).output();
    assert!(made.expect("openssl is installed").status.success());
    for key in [file("crlf.key", &format!("Bag Attributes\r\n{}", pem.replace('\n', "\r\n"))), sec1] {
        let config = store.config(&json!({ "clientCertFile": certificate, "clientKeyFile": key }));
        assert!(Client::open(&config).is_ok(), "{}", key.display());
    }
}

#[test]
fn system_and_file_certificates_are_both_accepted() {
    let store = Store::open();
    let with = |system: bool, file: bool| {
        let file = file.then(|| store.sandbox.ca_file());
        Client::open(&store.config(&json!({ "systemTrust": system, "caFile": file })))
    };
    with(true, true).unwrap().list_items(LOAD, None).unwrap();
    let error = with(true, false).and_then(|client| client.list_items(LOAD, None));
    assert!(matches!(code_of(error), Code::TlsFailed | Code::NoCaCertificates), "the system does not know the sandbox");
    assert_eq!(with(false, false).err().unwrap().code(), Code::NoCaCertificates);
}

/// Root certificates are read once a process, so that this test has one of its own.
#[test]
fn certificates_of_the_system_are_accepted() {
    const CONFIG: &str = "EPS_CONFIG_OF_THE_SYSTEM";
    if let Ok(config) = std::env::var(CONFIG) {
        Client::open(&config).unwrap().list_items(LOAD, None).unwrap();
        return;
    }
    let store = Store::open();
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", "server_certificates::certificates_of_the_system_are_accepted"]);
    again.env(CONFIG, store.config(&json!({ "systemTrust": true, "caFile": null })));
    let output = again.env("SSL_CERT_FILE", store.sandbox.ca_file()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}
