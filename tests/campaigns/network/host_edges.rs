//! The edges between the library and its host's network: names that resolve elsewhere, proxies that
//! would read the API key, and responses in a coding that was not requested.

use crate::name_resolution::Shim;
use crate::scripted_server::{Scripted, ScriptedServer, Then};
use crate::support::{COFFEE, LOAD, code_of};
use engage_point_shop::{Client, Code};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

fn client(base_url: &str, extra: &Value) -> Result<Client, engage_point_shop::Error> {
    let mut config = json!({
        "baseUrl": base_url, "apiKey": "the-key", "userAgent": "TestPOS/1.0", "journal": "memory", "preconnect": false,
        "requestTimeoutMs": 2_000,
    });
    config.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    Client::open(&config.to_string())
}

#[test]
fn localhost_that_resolves_elsewhere_gets_no_request() {
    let Some(shim) = Shim::inside("host_edges::localhost_that_resolves_elsewhere_gets_no_request") else { return };
    // An address for documentation (RFC 5737), which no machine has.
    shim.set_addresses(&["192.0.2.1".parse().unwrap()]);
    let elsewhere = client("http://localhost:8080", &json!({})).unwrap();
    let error = elsewhere.list_items(LOAD, None).unwrap_err();
    assert_eq!(error.code(), Code::DnsFailed, "{error} {:?}", error.cause());
    let cause = error.cause().concat();
    assert!(cause.contains("192.0.2.1") && cause.contains("https://"), "{cause}");
    let error = elsewhere.purchase(LOAD, COFFEE, None).unwrap_err();
    assert_eq!(error.code(), Code::DnsFailed, "{error} {:?}", error.cause());

    let server = ScriptedServer::start();
    shim.set_addresses(&["192.0.2.1".parse().unwrap(), "127.0.0.1".parse().unwrap()]);
    let here = client(&format!("http://localhost:{}", server.address.port()), &json!({})).unwrap();
    here.list_items(LOAD, None).unwrap();
}

#[test]
fn named_proxy_with_plain_http_is_rejected() {
    let opened = client("http://127.0.0.1:8080", &json!({ "proxy": "http://proxy.example:3128" }));
    let error = opened.err().unwrap();
    assert_eq!(error.code(), Code::BadConfig);
    assert!(error.message().contains("proxy") && error.message().contains("unencrypted"), "{error}");
}

#[test]
fn compressed_response_is_rejected_by_the_name_of_its_coding() {
    let server = ScriptedServer::start();
    let client = client(&format!("http://{}", server.address), &json!({})).unwrap();
    let compressed = |status: &str| {
        let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n");
        Scripted { bytes: (head + "Content-Length: 2\r\n\r\n[]").into_bytes(), then: Then::KeepOpen }
    };
    server.respond_next(compressed("200 OK"));
    let error = client.list_items(LOAD, None).unwrap_err();
    assert_eq!(error.code(), Code::InvalidResponse);
    assert!(error.message().contains("Content-Encoding gzip"), "{error}");
    // The server may have processed the purchase.
    server.respond_next(compressed("200 OK"));
    let error = client.purchase(LOAD, COFFEE, Some(r#"{"reference": "compressed"}"#)).err();
    assert!(error.is_none_or(|error| error.code() == Code::PendingInvalidResponse));
    // The status alone says enough.
    server.respond_next(compressed("429 Too Many Requests"));
    assert_eq!(code_of(client.list_items(LOAD, None)), Code::RateLimited);
}

#[test]
fn request_asks_for_no_coding() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = String::new();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap() > 0 {}
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]").unwrap();
        head.to_ascii_lowercase()
    });
    client(&url, &json!({})).unwrap().list_items(LOAD, None).unwrap();
    let head = server.join().unwrap();
    assert_eq!(head.matches("accept-encoding: identity\r\n").count(), 1, "{head}");
}
