//! A server that sends one scripted response, byte for byte, and is a small correct Engage
//! otherwise. Its ledger is the set of processed purchase ids. A scripted response to a purchase
//! comes after the purchase is processed, unless it is a 400 or a 404.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// The bytes of a response, and the action after them.
#[derive(Clone)]
pub struct Scripted {
    pub bytes: Vec<u8>,
    pub then: Then,
}

#[derive(Clone)]
pub enum Then {
    Close,
    KeepOpen,
    /// Repeats the bytes until the client disconnects.
    Endless(Vec<u8>),
}

#[derive(Default)]
struct State {
    next: Option<Scripted>,
    /// The number of POSTs of each purchase id.
    posted: BTreeMap<String, usize>,
    taken: Vec<Value>,
}

pub struct ScriptedServer {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
}

pub const ITEMS: &str = r#"[{"id":"b0000000-0000-4000-8000-000000000001","cost":100,"name":"Kaffe"}]"#;

/// Returns Engage's response to a purchase.
pub fn purchase_json(id: &str, contact: &str, item: &str) -> Value {
    json!({ "id": "d0000000-0000-4000-8000-000000000001", "pointShopItemPurchaseId": id, "contactId": contact,
            "pointShopItemId": item, "status": "Completed" })
}

impl ScriptedServer {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::<Mutex<State>>::default();
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let state = shared.clone();
                // A client that disconnects is no failure.
                std::thread::spawn(move || stream.and_then(|stream| serve(&state, &stream)));
            }
        });
        Self { address, state }
    }

    /// Sends this scripted response to the next request.
    pub fn respond_next(&self, scripted: Scripted) {
        self.state.lock().unwrap().next = Some(scripted);
    }

    pub fn posts(&self, id: &str) -> usize {
        self.state.lock().unwrap().posted.get(id).copied().unwrap_or(0)
    }
}

fn serve(state: &Mutex<State>, stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    let mut out = stream;
    while let Some((line, body)) = request(&mut reader)? {
        let (response, scripted) = {
            let mut state = state.lock().unwrap();
            let scripted = state.next.take();
            let rejected = scripted.as_ref().is_some_and(|scripted| is_rejection(&scripted.bytes));
            (response(&mut state, &line, &body, !rejected), scripted)
        };
        let Some(scripted) = scripted else {
            out.write_all(&response)?;
            continue;
        };
        out.write_all(&scripted.bytes)?;
        match scripted.then {
            Then::KeepOpen => {}
            Then::Close => return Ok(()),
            Then::Endless(more) => loop {
                out.write_all(&more)?;
            },
        }
    }
    Ok(())
}

/// Reads the first line and the body of a request. `None`: the client has disconnected.
fn request(reader: &mut impl BufRead) -> std::io::Result<Option<(String, Vec<u8>)>> {
    let mut first = String::new();
    if reader.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(text) = line.strip_prefix("content-length:") {
            length = text.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some((first, body)))
}

/// Whether a scripted response says that the purchase is not processed, so that it is not.
fn is_rejection(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let status = ["HTTP/1.1 400", "HTTP/1.1 404 Not"].iter().any(|start| text.starts_with(start));
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body.trim_start_matches('\u{feff}'));
    status && (body.is_empty() || body.starts_with(['"', '{']))
}

fn response(state: &mut State, line: &str, body: &[u8], processed: bool) -> Vec<u8> {
    let ok = |body: &str| plain("200 OK", body);
    if line.starts_with("POST") {
        let order: Value = serde_json::from_slice(body).unwrap();
        let text = |name: &str| order[name].as_str().unwrap().to_owned();
        let id = text("pointShopItemPurchaseId");
        let purchase = purchase_json(&id, &text("contactId"), &text("pointShopItemId"));
        let posted = state.posted.entry(id).or_default();
        *posted += 1;
        if processed && !state.taken.contains(&purchase) {
            state.taken.push(purchase.clone());
        }
        ok(&purchase.to_string())
    } else if line.contains("purchases") {
        match state.taken.is_empty() {
            true => plain("404 Not Found", "{}"),
            false => ok(&Value::Array(state.taken.clone()).to_string()),
        }
    } else {
        ok(ITEMS)
    }
}

fn plain(status: &str, body: &str) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
    (head + body).into_bytes()
}
