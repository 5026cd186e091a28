//! A proxy that puts the server 25 ms away. `distance PORT` listens on a port of its own and prints
//! it. The proxy delays each direction by 25 ms. A connection is accepted at once here. Therefore
//! the client's first bytes are delayed by the round trip that connecting takes over a real
//! distance.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

const ONE_WAY: Duration = Duration::from_millis(25);

fn main() {
    let server: u16 = std::env::args().nth(1).and_then(|port| port.parse().ok()).expect("distance PORT");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    println!("{}", listener.local_addr().expect("bound").port());
    for client in listener.incoming().flatten() {
        let connected = Instant::now() + 2 * ONE_WAY;
        let server = TcpStream::connect(("127.0.0.1", server)).expect("the server listens");
        carry(&client, &server, connected);
        carry(&server, &client, connected);
    }
}

/// Forwards incoming bytes, at the earliest `ONE_WAY` after their arrival and after `connected`.
fn carry(from: &TcpStream, to: &TcpStream, connected: Instant) {
    let (mut from, mut to) = (from.try_clone().expect("a socket"), to.try_clone().expect("a socket"));
    to.set_nodelay(true).expect("a socket");
    let (sender, receiver) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(bytes @ 1..) = from.read(&mut buffer) {
            let due = Instant::now().max(connected) + ONE_WAY;
            if sender.send((due, buffer[..bytes].to_vec())).is_err() {
                return;
            }
        }
    });
    thread::spawn(move || {
        for (due, bytes) in receiver {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                return;
            }
        }
        // The end of the stream travels the same distance.
        let _ = to.shutdown(Shutdown::Write);
    });
}
