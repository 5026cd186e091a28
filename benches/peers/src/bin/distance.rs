//! A proxy that puts the server far away. `distance PORT ONE_WAY_MS LOSS` listens on a port of its
//! own and prints it. The proxy delays each direction by ONE_WAY_MS. A connection is accepted at
//! once here. Therefore the client's first bytes are delayed by the round trip that connecting
//! takes over a real distance. LOSS segments of 1000 are lost: they and all behind them come a
//! time-out of retransmission later.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// The least time-out of a retransmission on Linux.
const RETRANSMISSION: Duration = Duration::from_millis(200);

/// A line to the server.
#[derive(Clone, Copy)]
struct Line {
    one_way: Duration,
    lost_of_1000: u64,
}

fn main() {
    let numbers: Vec<u64> = std::env::args().skip(1).map(|text| text.parse().expect("a number")).collect();
    let [server, one_way, lost_of_1000] = numbers.try_into().expect("distance PORT ONE_WAY_MS LOSS");
    let server = u16::try_from(server).expect("a port");
    let line = Line { one_way: Duration::from_millis(one_way), lost_of_1000 };
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    println!("{}", listener.local_addr().expect("bound").port());
    for client in listener.incoming().flatten() {
        let connected = Instant::now() + 2 * line.one_way;
        let server = TcpStream::connect(("127.0.0.1", server)).expect("the server listens");
        carry(&client, &server, connected, line);
        carry(&server, &client, connected, line);
    }
}

/// Forwards incoming bytes, at the earliest one way after their arrival and after `connected`.
fn carry(from: &TcpStream, to: &TcpStream, connected: Instant, line: Line) {
    // The same losses in every run.
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    let (mut from, mut to) = (from.try_clone().expect("a socket"), to.try_clone().expect("a socket"));
    to.set_nodelay(true).expect("a socket");
    let (sender, receiver) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(bytes @ 1..) = from.read(&mut buffer) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let lost = random % 1000 < line.lost_of_1000;
            let late = if lost { RETRANSMISSION } else { Duration::ZERO };
            let due = Instant::now().max(connected) + line.one_way + late;
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
