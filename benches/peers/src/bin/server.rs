//! The server of the bench: TLS, keep-alive, prepared responses, one thread per connection. The
//! server does as little as possible, because its time is part of every figure. The sandbox's
//! ledger and faults would hide the differences.
//! `server CA` writes its root certificate to CA and prints its port.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

fn main() {
    let ca = std::env::args().nth(1).expect("server CA");
    let tls = Arc::new(identity(&ca));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    println!("{}", listener.local_addr().expect("bound").port());
    let responses = Arc::new(Mutex::new(HashMap::new()));
    for stream in listener.incoming().flatten() {
        let (tls, responses) = (tls.clone(), responses.clone());
        // A client that disconnects is no failure.
        std::thread::spawn(move || serve(stream, tls, &responses));
    }
}

/// Makes a root certificate, writes it to `ca`, and makes a certificate for this server.
fn identity(ca: &str) -> ServerConfig {
    let mut params = CertificateParams::new([]).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, "engage bench");
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("signed");
    std::fs::write(ca, authority.pem()).expect("CA can be written");
    let key = KeyPair::generate().expect("a key");
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let leaf = CertificateParams::new(names).expect("names").signed_by(&key, &authority).expect("signed");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut tls = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .expect("a pair");
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    tls
}

fn serve(mut stream: TcpStream, tls: Arc<ServerConfig>, responses: &Mutex<HashMap<usize, Arc<Vec<u8>>>>) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut connection = ServerConnection::new(tls).ok()?;
    connection.set_buffer_limit(None);
    let mut tls = rustls::Stream::new(&mut connection, &mut stream);
    let mut request = Vec::new();
    let mut buffer = [0; 16 << 10];
    // Copies of this connection: a request takes no lock.
    let mut known: HashMap<usize, Arc<Vec<u8>>> = HashMap::new();
    loop {
        let Some(length) = request_length(&request) else {
            match tls.read(&mut buffer).ok()? {
                0 => return None,
                bytes => request.extend_from_slice(&buffer[..bytes]),
            }
            continue;
        };
        if request.starts_with(b"POST") {
            let request = String::from_utf8_lossy(&request[..length]);
            let response = if request.contains("/redeem ") { redeemed(&request) } else { purchased(&request) };
            tls.write_all(&response).ok()?;
        } else if request.starts_with(b"GET /api/v3/promotion-assignments") {
            tls.write_all(&reward()).ok()?;
        } else if request.starts_with(b"GET /api/v3/point-shop-item-purchases") {
            // Engage's own history, so that an empty one counts.
            tls.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]").ok()?;
        } else {
            let line = request.split(|byte| *byte == b' ').nth(1)?;
            let items = std::str::from_utf8(&line[line.len().checked_sub(12)?..]).ok()?.parse().ok()?;
            let response = known.entry(items).or_insert_with(|| {
                let mut responses = responses.lock().expect("nobody panics");
                responses.entry(items).or_insert_with(|| Arc::new(list(items))).clone()
            });
            tls.write_all(response).ok()?;
        }
        tls.flush().ok()?;
        request.drain(..length);
    }
}

/// Returns the head and the body of the first request, once the request is complete.
fn request_length(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..head]).ok()?.to_ascii_lowercase();
    let body = text
        .split_once("content-length: ")
        .map_or(0, |(_, rest)| rest.split("\r\n").next().and_then(|number| number.parse().ok()).unwrap_or(0));
    (bytes.len() >= head + body).then_some(head + body)
}

/// A list of items, about 490 bytes each, as Engage documents them.
fn list(items: usize) -> Vec<u8> {
    let items: Vec<String> = (1..=items)
        .map(|number| {
            format!(
                r#"{{"id":"b0000000-0000-4000-8000-{number:012}","name":"Reward {number}","cost":{},"pointDefinitionId":1,"promotionId":"c0000000-0000-4000-8000-{number:012}","validFrom":"2026-03-20T13:53:08.003Z","validTo":"2027-03-20T13:53:08.003Z","presentation":{{"title":"Reward number {number}","description":"A cup of coffee of your choice, or tea, in any of our shops, on every day of the week.","imageUrl":"https://images.example.com/rewards/{number}/large.png","link":"https://www.example.com/club/rewards/{number}"}}}}"#,
                number * 50
            )
        })
        .collect();
    response(&format!("[{}]", items.join(",")))
}

/// A completed purchase with the ids of the request.
fn purchased(request: &str) -> Vec<u8> {
    // The GUID after a name, whatever characters are between the two.
    let of = |name: &str| {
        let (_, rest) = request.split_once(name).unwrap_or_default();
        rest.split('"').nth(2).unwrap_or_default()
    };
    response(&format!(
        r#"{{"id":"d0000000-0000-4000-8000-000000000001","pointShopItemPurchaseId":"{}","contactId":"{}","pointShopItemId":"{}","status":"Completed","cost":100,"promotionId":"c0000000-0000-4000-8000-000000000001","createdOn":"2026-03-20T13:53:08.003Z"}}"#,
        of("pointShopItemPurchaseId"),
        of("contactId"),
        of("pointShopItemId")
    ))
}

/// A list with one reward of the first item, another one each time.
fn reward() -> Vec<u8> {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let number = LAST.fetch_add(1, Ordering::Relaxed);
    response(&format!(
        r#"[{{"id":"e0000000-0000-4000-8000-{number:012}","promotionId":"c0000000-0000-4000-8000-000000000001","name":"Reward 1","redeemed":false,"expiresOn":"2027-03-20T13:53:08.003Z"}}]"#
    ))
}

/// A used reward with the id of the request's path.
fn redeemed(request: &str) -> Vec<u8> {
    let id = request.split("/redeem ").next().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
    response(&format!(r#"{{"id":"{id}","redeemed":true,"redeemedOn":"2026-03-20T13:53:08.003Z"}}"#))
}

fn response(body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
