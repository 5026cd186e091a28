//! Whom the till trusts and how it proves who it is: what a handshake fails by is named to the last link, with what to do,
//! and a certificate that is out of its time is told from a clock that is wrong.

use crate::certificates::{Authority, Certificate, now};
use crate::support::{COFFEE, LOAD, Store, code_of};
use crate::tunnel::{ConnectProxy, Does};
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

/// A TLS server that gives every request the same answer and hangs up.
struct Server {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(config: ServerConfig, answer: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (config, heads) = (Arc::new(config), Arc::<Mutex<Vec<String>>>::default());
        let kept = heads.clone();
        std::thread::spawn(move || {
            // One after the other; a client that does not trust us is nothing to complain about.
            for stream in listener.incoming() {
                let _ = stream.and_then(|stream| serve(&config, stream, &answer, &kept));
            }
        });
        Self { address, heads }
    }

    fn url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }

    /// The heads of the requests it got.
    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

fn serve(
    config: &Arc<ServerConfig>,
    mut tcp: TcpStream,
    answer: &str,
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
    stream.get_mut().write_all(answer.as_bytes())?;
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

/// An empty list of items, from a server with a clock.
fn answer(date: Option<OffsetDateTime>) -> String {
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

/// A read and a purchase that must fail the same way, with nothing sent.
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
fn a_server_that_is_not_to_be_trusted_is_told_by_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let unknown = Server::start(config_of(&theirs.server("localhost")), answer(None));
    let error = failure(&till(&unknown.url(), &ours, folder.path(), &json!({})), Code::TlsFailed);
    says(&error, &["authority is not trusted here", "caFile"]);
    assert!(error.cause()[0].contains("UnknownIssuer"), "{:?}", error.cause());
    let impostor = Server::start(config_of(&Authority::new("ours").server("localhost")), answer(None));
    let error = failure(&till(&impostor.url(), &ours, folder.path(), &json!({})), Code::TlsFailed);
    says(&error, &["authority is not trusted here"]);
    let other = Server::start(config_of(&ours.server("engage.example")), answer(None));
    let error = failure(&till(&other.url(), &ours, folder.path(), &json!({})), Code::TlsFailed);
    says(&error, &["another server's", "baseUrl"]);
    assert!(error.cause()[0].contains("engage.example"), "the name it is for is there: {:?}", error.cause());
    let not_tls = crate::odd_server::OddServer::start();
    let url = format!("https://localhost:{}", not_tls.address.port());
    failure(&till(&url, &ours, folder.path(), &json!({})), Code::TlsFailed);
    assert!(
        unknown.heads().is_empty() && other.heads().is_empty(),
        "nothing was asked of a server that is not trusted"
    );
}

#[test]
fn an_expired_certificate_is_told_from_a_wrong_clock_by_the_servers_own() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("ours");
    let days = Duration::days;
    // Between which days around now it is valid, how far the server's clock is from the till's, and what is said.
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
        let server = Server::start(config_of(&authority.server_between("localhost", from, until)), answer(date));
        let error = failure(&till(&server.url(), &authority, folder.path(), &json!({})), Code::TlsFailed);
        says(&error, &[part, "the certificate is valid"]);
        // Asked for the time, and for nothing else, and without the key.
        let heads = server.heads();
        assert!(!heads.is_empty(), "the server was asked what time it is");
        for head in heads {
            assert!(head.starts_with("HEAD / HTTP/1.1\r\n") && !head.contains("the-key"), "{head}");
        }
    }
    // The question is asked of the very server: one that is not trusted at any time is not believed.
    let stranger = Authority::new("theirs").server_between("localhost", now() - days(40), now() - days(10));
    let server = Server::start(config_of(&stranger), answer(Some(now() - days(20))));
    let error = failure(&till(&server.url(), &authority, folder.path(), &json!({})), Code::TlsFailed);
    assert!(!error.message().contains("the server's clock"), "{error}");
    assert!(server.heads().is_empty());
}

#[test]
fn the_proxys_clock_serves_where_the_servers_cannot_be_had() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("ours");
    let future = authority.server_between("localhost", now() + Duration::days(10), now() + Duration::days(40));
    let server = Server::start(config_of(&future), answer(None));
    let proxy = ConnectProxy::start(server.address, Does::TunnelDated(http(now() + Duration::days(30))));
    let client = till(&server.url(), &authority, folder.path(), &json!({ "proxy": proxy.url() }));
    says(&failure(&client, Code::TlsFailed), &["30 days behind", "the proxy's clock says"]);
}

/// A server that wants to know who is asking.
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
    let server = Server::start(asking(&expired, &tills, folder.path()), answer(Some(now())));
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
fn a_till_proves_who_it_is_and_without_it_is_told_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, tills) = (Authority::new("ours"), Authority::new("tills"));
    let server = Server::start(asking(&authority.server("localhost"), &tills, folder.path()), answer(None));
    let identity = |of: &Authority| {
        let (certificate, key) = of.client("till 7").write(folder.path(), "till");
        json!({ "clientCertFile": certificate, "clientKeyFile": key })
    };
    let client = till(&server.url(), &authority, folder.path(), &identity(&tills));
    assert_eq!(client.list_items(LOAD, None).unwrap(), b"[]");
    // TLS 1.3 says so only when the till thinks that the handshake is over: a read fails, a purchase cannot be known.
    let client = till(&server.url(), &authority, folder.path(), &json!({}));
    let error = client.list_items(LOAD, None).unwrap_err();
    assert!(error.cause().concat().contains("clientCertFile"), "{error} {:?}", error.cause());
    let client = till(&server.url(), &authority, folder.path(), &identity(&authority));
    let error = client.list_items(LOAD, None).unwrap_err();
    assert!(error.cause().concat().contains("does not accept this till's certificate"), "{error} {:?}", error.cause());
}

#[test]
fn a_client_certificate_that_cannot_be_used_is_named_when_the_client_opens() {
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
    // What other programs write: CRLF, something before it, an old form.
    let sec1 = folder.path().join("sec1.key");
    let made = std::process::Command::new("openssl").arg("ec").arg("-in").arg(&key).arg("-out").arg(&sec1).output();
    assert!(made.expect("openssl is installed").status.success());
    for key in [file("crlf.key", &format!("Bag Attributes\r\n{}", pem.replace('\n', "\r\n"))), sec1] {
        let config = store.config(&json!({ "clientCertFile": certificate, "clientKeyFile": key }));
        assert!(Client::open(&config).is_ok(), "{}", key.display());
    }
}

#[test]
fn a_certificate_of_the_operating_systems_store_and_one_of_the_file_are_trusted_side_by_side() {
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
