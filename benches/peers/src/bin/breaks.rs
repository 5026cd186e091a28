//! A proxy whose connections break on demand. `breaks PORT` listens on a port of its own and
//! prints it. A line on its input breaks the connections that are there then; later ones are whole:
//!
//! - `end`: the stream ends (FIN)
//! - `reset`: a reset while nothing is under way
//! - `reset-request`: a reset as the next request arrives
//! - `hole`: no segment arrives any more, in either direction, and no acknowledgement comes back

use socket2::{SockFilter, SockRef};
use std::io::{BufRead, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

/// How soon a break reaches a connection.
const TURN: Duration = Duration::from_millis(1);
/// `BPF_RET | BPF_K` with 0: the kernel drops each segment before TCP sees it.
const DROP_ALL: SockFilter = SockFilter::new(0x06, 0, 0, 0);

type Breaks = Arc<Mutex<Vec<Arc<Mutex<String>>>>>;

fn main() {
    let server: u16 = std::env::args().nth(1).and_then(|text| text.parse().ok()).expect("breaks PORT");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    println!("{}", listener.local_addr().expect("bound").port());
    let breaks = Breaks::default();
    let ordered = breaks.clone();
    thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            for each in ordered.lock().expect("no panic").iter() {
                each.lock().expect("no panic").clone_from(&line);
            }
            println!("{line}");
        }
    });
    for client in listener.incoming().flatten() {
        let server = TcpStream::connect(("127.0.0.1", server)).expect("the server listens");
        let how = Arc::new(Mutex::new(String::new()));
        breaks.lock().expect("no panic").push(how.clone());
        thread::spawn(move || carry(&client, &server, &how));
    }
}

/// Carries both directions until an end or a break. Dropping the sockets closes them.
fn carry(mut client: &TcpStream, mut server: &TcpStream, how: &Mutex<String>) {
    for side in [client, server] {
        side.set_read_timeout(Some(TURN)).expect("a socket");
        side.set_nodelay(true).expect("a socket");
    }
    let mut buffer = vec![0; 64 << 10];
    loop {
        let how = how.lock().expect("no panic").clone();
        match how.as_str() {
            "end" => {
                let _ = client.shutdown(Shutdown::Both);
                return;
            }
            "reset" => return reset(client),
            "hole" => {
                SockRef::from(client).attach_filter(&[DROP_ALL]).expect("a filter");
                loop {
                    thread::park();
                }
            }
            _ => {}
        }
        match client.read(&mut buffer) {
            Ok(0) => return,
            Ok(_) if how == "reset-request" => return reset(client),
            Ok(read) if server.write_all(&buffer[..read]).is_err() => return,
            Err(error) if !is_idle(&error) => return,
            _ => {}
        }
        match server.read(&mut buffer) {
            Ok(0) => return,
            Ok(read) if client.write_all(&buffer[..read]).is_err() => return,
            Err(error) if !is_idle(&error) => return,
            _ => {}
        }
    }
}

/// The close that follows sends a reset.
fn reset(client: &TcpStream) {
    let _ = SockRef::from(client).set_linger(Some(Duration::ZERO));
}

fn is_idle(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
