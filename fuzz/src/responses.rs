//! A server's response: any bytes at all, or any body with a valid head. A list is a JSON array or
//! a failed read. A purchase is completed or declined only on Engage's statement.

use super::{check, client, contact, item};
use engage_point_shop::{AssignmentId, Client, OperationId, Outcome};
use serde_json::json;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, LazyLock, Mutex};

/// A server that sends the given response and closes the connection.
struct Server {
    port: u16,
    response: Arc<Mutex<Vec<u8>>>,
}

static SERVER: LazyLock<Server> = LazyLock::new(|| {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let response = Arc::<Mutex<Vec<u8>>>::default();
    let given = response.clone();
    std::thread::spawn(move || listener.incoming().flatten().for_each(|stream| drop(serve(stream, &given))));
    Server { port, response }
});

fn serve(mut stream: TcpStream, response: &Mutex<Vec<u8>>) -> std::io::Result<()> {
    // The library sends a request in one piece.
    let mut request = [0; 8 << 10];
    if stream.read(&mut request)? > 0 {
        let response = response.lock().unwrap().clone();
        stream.write_all(&response)?;
    }
    Ok(())
}

const STATUSES: [u16; 12] = [200, 200, 200, 201, 204, 400, 404, 409, 422, 429, 500, 503];

pub fn run(data: &[u8]) {
    let [which, form, rest @ ..] = data else { return };
    let response = if *form < 64 {
        rest.to_vec()
    } else {
        let status = STATUSES[usize::from(*form) % STATUSES.len()];
        let kind = if form % 2 == 0 { "application/json" } else { "text/html" };
        let head = format!("HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", rest.len());
        [head.as_bytes(), rest].concat()
    };
    *SERVER.response.lock().unwrap() = response;
    thread_local! {
        static READER: Client = client(SERVER.port, &json!({}));
    }
    READER.with(|reader| call(reader, *which, rest));
}

fn call(reader: &Client, which: u8, body: &[u8]) {
    let read = match which % 16 {
        0 => {
            return spend(body, |client| check(client.purchase(contact(), item(), None)).map_err(|error| error.code()));
        }
        1 => {
            let assignment = AssignmentId::parse("c0000000-0000-4000-8000-000000000001", "assignment").unwrap();
            return spend(body, |client| {
                check(client.redeem_reward(Some(contact()), assignment, None)).map_err(|error| error.code())
            });
        }
        2..5 => check(reader.find_contact("email", "a@example.com", None)).inspect(|id| assert!(id.is_string())),
        5 => check(reader.find_reward(OperationId::fresh(), None)),
        6..9 => check(reader.list_points(contact(), None)).inspect(|list| assert!(list.is_array())),
        9..12 => check(reader.list_rewards(contact(), None)).inspect(|list| assert!(list.is_array())),
        12..14 => check(reader.list_purchases(contact(), None)).inspect(|list| assert!(list.is_array())),
        _ => check(reader.list_items(contact(), None)).inspect(|list| assert!(list.is_array())),
    };
    if let Err(error) = read {
        assert_ne!(error.code().row().outcome, Outcome::Pending, "a read is never pending: {error}");
    }
}

/// A client of its own, so that no purchase is an existing one.
fn spend(body: &[u8], call: impl Fn(&Client) -> Result<serde_json::Value, engage_point_shop::Code>) {
    let client = client(SERVER.port, &json!({}));
    match call(&client) {
        Ok(operation) => {
            assert_eq!(operation["outcome"], "completed");
            assert!(!body.trim_ascii().starts_with(b"<"), "a web page has bought something");
        }
        Err(code) => assert_ne!(code.row().outcome, Outcome::Completed),
    }
    client.close();
}
