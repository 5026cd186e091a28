//! A load test: measures the requests a second and the memory of a sandbox. It starts the sandbox's
//! binary and sends a till's requests over keep-alive connections. It prints a line every five
//! seconds and one at the end.
//!
//! Usage: `target/release/examples/load target/release/engage-sandbox SECONDS [--state FILE]
//! [--buy]`; see the README.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use engage_sandbox::seed::demo::{COFFEE, LOAD};
use uuid::Uuid;

const CONNECTIONS: usize = 32;
const USAGE: &str = "load SANDBOX SECONDS [--state FILE] [--buy]";

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(binary), Some(Ok(seconds))) = (arguments.next(), arguments.next().map(|text| text.parse::<u64>())) else {
        return Err(io::Error::other(USAGE));
    };
    let (mut state, mut buy) = (None, false);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--state" => state = arguments.next(),
            "--buy" => buy = true,
            _ => return Err(io::Error::other(USAGE)),
        }
    }
    let sandbox = Sandbox::start(&binary, state.as_deref())?;
    ask(&mut TcpStream::connect(&sandbox.address)?, "POST", "/_sandbox/limits", "{\"requestsPerSecond\":null}")?;
    let member = format!("{{\"contactId\":\"{}\",\"points\":{}}}", Uuid::nil(), u32::MAX);
    ask(&mut TcpStream::connect(&sandbox.address)?, "POST", "/_sandbox/members", &member)?;

    let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let slowest = Arc::new(Mutex::new(Vec::new()));
    let threads: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let (stop, count, slowest) = (Arc::clone(&stop), Arc::clone(&count), Arc::clone(&slowest));
            let address = sandbox.address.clone();
            thread::spawn(move || -> io::Result<()> {
                let mut stream = TcpStream::connect(address)?;
                let mut took = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    for (method, path, body) in sale(buy) {
                        let began = Instant::now();
                        ask(&mut stream, method, &path, &body)?;
                        took.push(u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX));
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                }
                slowest.lock().expect("no thread has panicked").extend(took);
                Ok(())
            })
        })
        .collect();

    let began = Instant::now();
    println!("{:>6} {:>12} {:>12}", "s", "requests/s", "memory/MB");
    for _ in 0..seconds.div_ceil(5) {
        let (before, since) = (count.load(Ordering::Relaxed), Instant::now());
        thread::sleep(Duration::from_secs(5));
        let rate =
            (count.load(Ordering::Relaxed) - before) * 1000 / u64::try_from(since.elapsed().as_millis()).unwrap_or(1);
        println!("{:>6} {rate:>12} {:>12}", began.elapsed().as_secs(), sandbox.memory_mb());
    }
    stop.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.join().expect("no thread has panicked")?;
    }
    let total = count.load(Ordering::Relaxed);
    let mut took = slowest.lock().expect("no thread has panicked").clone();
    took.sort_unstable();
    let percentile = |percent: usize| took.get(took.len() * percent / 100).copied().unwrap_or_default();
    let rate = total * 1000 / u64::try_from(began.elapsed().as_millis()).unwrap_or(1);
    println!("{total} requests, {rate} a second, median {} us, 99 % within {} us", percentile(50), percentile(99));
    Ok(())
}

/// Returns the requests of a sale: mostly reads, and a purchase that is new if `buy` is set.
fn sale(buy: bool) -> [(&'static str, String, String); 5] {
    let purchase = if buy { Uuid::new_v4() } else { COFFEE };
    let contact = Uuid::nil();
    let order = format!(
        "{{\"contactId\":\"{contact}\",\"pointShopItemPurchaseId\":\"{purchase}\",\"pointShopItemId\":\"{COFFEE}\"}}"
    );
    let get = |route: &str| ("GET", format!("/api/v3/{route}"), String::new());
    [
        get("contacts/id?customKey=1003"),
        get(&format!("point-accounts?contactId={contact}")),
        get(&format!("point-shop-items?contactId={LOAD}")),
        ("POST", "/api/v3/point-shop-items/purchase".to_owned(), order),
        get(&format!("point-accounts?contactId={LOAD}")),
    ]
}

/// Sends a request and reads its response, which must have a status of 2xx.
fn ask(stream: &mut TcpStream, method: &str, path: &str, body: &str) -> io::Result<()> {
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\napikey: demo-key\r\nUser-Agent: Load/1.0\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes())?;
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    while !head.ends_with("\r\n\r\n") {
        let start = head.len();
        if reader.read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(value) = head[start..].strip_prefix("content-length: ") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    io::copy(&mut reader.by_ref().take(length), &mut io::sink())?;
    if head.starts_with("HTTP/1.1 2") { Ok(()) } else { Err(io::Error::other(format!("{method} {path}: {head}"))) }
}

/// The sandbox's process. Dropping it kills it.
struct Sandbox {
    process: Child,
    address: String,
}

impl Sandbox {
    fn start(binary: &str, state: Option<&str>) -> io::Result<Sandbox> {
        let mut command = Command::new(binary);
        command
            .args(["--http", "0", "--https", "0", "--until-stdin-closes"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        if let Some(file) = state {
            command.args(["--state", file]);
        }
        let began = Instant::now();
        let mut process = command.spawn()?;
        let mut line = String::new();
        if let Some(out) = process.stdout.as_mut() {
            BufReader::new(out).read_line(&mut line)?;
        }
        println!("started in {} ms", began.elapsed().as_millis());
        let address = line.split_whitespace().find_map(|part| part.strip_prefix("http=http://")).map(str::to_owned);
        let address = address.ok_or_else(|| io::Error::other("the sandbox did not start"))?;
        Ok(Sandbox { process, address })
    }

    /// Returns the process's memory in MB, where the system has `/proc`.
    fn memory_mb(&self) -> String {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap_or_default();
        let kb = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kb.map_or_else(|| "?".to_owned(), |kb| (kb / 1024).to_string())
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
