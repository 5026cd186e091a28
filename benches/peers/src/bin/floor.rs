//! The lower limit: a socket, rustls and a prepared request. The response is read to its end and
//! not parsed.

use engage_bench_peers::{ITEM, Order, What, fresh_id, measure, member};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

fn main() {
    let order = Order::read();
    let mut roots = RootCertStore::empty();
    roots.add(order.authority()).expect("an authority");
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let address = order.base.trim_start_matches("https://");
    let mut stream = TcpStream::connect(address).expect("the server listens");
    stream.set_nodelay(true).expect("a socket");
    let mut tls = ClientConnection::new(Arc::new(config), "localhost".try_into().expect("a name")).expect("a client");
    let mut tls = rustls::Stream::new(&mut tls, &mut stream);
    let head = format!(
        "Host: {address}\r\nAccept: application/json\r\nUser-Agent: Fixture/1.0\r\nContent-Type: application/json\r\napikey: key\r\n"
    );
    let list = |items| format!("GET /api/v3/point-shop-items?contactId={} HTTP/1.1\r\n{head}\r\n", member(items));
    let prepared = match order.what {
        What::Items(items) => list(items),
        _ => list(10),
    };
    let rewards = format!(
        "GET /api/v3/promotion-assignments?contactId={}&redemptionChannelType=POS HTTP/1.1\r\n{head}\r\n",
        member(10)
    );
    let post =
        |path: &str, body: &str| format!("POST {path} HTTP/1.1\r\n{head}Content-Length: {}\r\n\r\n{body}", body.len());
    let purchase = |number| {
        let body = format!(
            r#"{{"contactId":"{}","pointShopItemPurchaseId":"{}","pointShopItemId":"{ITEM}"}}"#,
            fresh_id(number + 500_000),
            fresh_id(number)
        );
        post("/api/v3/point-shop-items/purchase", &body)
    };
    let journal = matches!(order.what, What::DurablePurchase | What::Sale).then(preallocated);
    let record = |number: usize| {
        if let Some(journal) = &journal {
            let line = [b'r'; 400];
            journal.write_all_at(&line, (number % 1000 * line.len()) as u64).expect("written");
            journal.sync_data().expect("durable");
        }
    };
    let mut buffer = vec![0; 64 << 10];
    let mut ask = |request: &str| {
        tls.write_all(request.as_bytes()).expect("sent");
        let mut filled = 0;
        let mut whole = usize::MAX;
        while filled < whole {
            let bytes = tls.read(&mut buffer[filled % (32 << 10)..]).expect("a response");
            assert!(bytes > 0, "the connection ended");
            if whole == usize::MAX {
                let head = buffer[..bytes].windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
                let text = std::str::from_utf8(&buffer[..head]).expect("text");
                let (_, length) = text.split_once("Content-Length: ").expect("a length");
                whole = head + length.trim().parse::<usize>().expect("a number");
            }
            filled += bytes;
        }
    };
    measure(order.count, |number| match order.what {
        What::Items(_) => ask(&prepared),
        What::Purchase | What::DurablePurchase => {
            record(number);
            ask(&purchase(number));
        }
        What::Sale => {
            ask(&prepared);
            record(number);
            ask(&purchase(number));
            ask(&rewards);
            record(number);
            let path = format!("/api/v3/promotion-assignments/{}/redeem", fresh_id(number));
            ask(&post(&path, r#"{"redemptionChannelType":"POS"}"#));
            // The redeem's outcome, and the two acknowledgements.
            for _ in 0..3 {
                record(number);
            }
        }
    });
}

/// A file with allocated and written blocks, like the blocks of a reused write-ahead log.
fn preallocated() -> File {
    let path = std::env::var("EPS_BENCH_JOURNAL").expect("EPS_BENCH_JOURNAL");
    let file = File::create(path).expect("a journal");
    file.write_all_at(&[0; 400_000], 0).and_then(|()| file.sync_all()).expect("written");
    file
}
