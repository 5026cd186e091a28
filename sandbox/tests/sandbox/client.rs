//! A small till: blocking HTTP/1.1 over TLS that exposes the bytes of a response.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use engage_sandbox::Sandbox;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};
use uuid::Uuid;

/// One connection to a sandbox.
pub struct Connection(StreamOwned<ClientConnection, TcpStream>);

/// A complete response.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Response {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    /// Returns the status and Engage's error code, if the body has one.
    pub fn outcome(&self) -> (u16, Option<String>) {
        (self.status, self.json()["errorCode"].as_str().map(str::to_owned))
    }
}

impl Connection {
    pub fn open(sandbox: &Sandbox) -> Connection {
        let tls = connection(sandbox.ca_pem());
        let tcp = TcpStream::connect(sandbox.https_url().strip_prefix("https://").unwrap()).unwrap();
        tcp.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Connection(StreamOwned::new(tls, tcp))
    }

    pub fn send(&mut self, raw: &str) {
        self.0.write_all(raw.as_bytes()).unwrap();
        self.0.flush().unwrap();
    }

    /// Reads one response, up to its Content-Length.
    pub fn response(&mut self) -> io::Result<Response> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        self.0.read_exact(&mut body)?;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Ok(Response { status, head, body: String::from_utf8_lossy(&body).into_owned() })
    }

    /// Reads to the end of the connection, and returns the bytes and the kind of end.
    pub fn rest(&mut self) -> (String, io::Result<usize>) {
        let mut bytes = Vec::new();
        let ended = self.0.read_to_end(&mut bytes);
        (String::from_utf8_lossy(&bytes).into_owned(), ended)
    }

    pub fn try_get(&mut self, path: &str) -> io::Result<Response> {
        self.send(&request("GET", path, ""));
        self.response()
    }

    pub fn get(&mut self, path: &str) -> Response {
        self.try_get(path).unwrap()
    }

    pub fn post(&mut self, path: &str, body: &Value) -> Response {
        self.send(&request("POST", path, &body.to_string()));
        self.response().unwrap()
    }

    pub fn buy(&mut self, contact: Uuid, purchase_id: Uuid, item: Uuid) -> Response {
        self.send(&purchase(contact, purchase_id, item));
        self.response().unwrap()
    }
}

fn connection(ca_pem: &str) -> ClientConnection {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap()
}

/// Connects, and returns the mistake of the certificate, or `accepted`.
pub fn handshake(https_url: &str, ca_pem: &str) -> Result<(), rustls::Error> {
    let mut tcp = TcpStream::connect(https_url.strip_prefix("https://").unwrap()).unwrap();
    let mut tls = connection(ca_pem);
    tls.complete_io(&mut tcp).map(|_| ()).map_err(|error| {
        error.into_inner().expect("TLS has something to say").downcast().map(|error| *error).expect("by rustls")
    })
}

/// Returns a purchase request as bytes.
pub fn purchase(contact: Uuid, purchase_id: Uuid, item: Uuid) -> String {
    let body = json!({ "contactId": contact, "pointShopItemPurchaseId": purchase_id, "pointShopItemId": item });
    request("POST", "/api/v3/point-shop-items/purchase", &body.to_string())
}

/// Returns a request with the headers that Engage requires, as bytes.
pub fn request(method: &str, path: &str, body: &str) -> String {
    with_headers(method, path, "apikey: demo-key\r\nUser-Agent: Test/1.0\r\nContent-Type: application/json\r\n", body)
}

/// Returns a request with only these headers, as bytes.
pub fn with_headers(method: &str, path: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {length}\r\n\r\n{body}")
}
