//! A TCP proxy that breaks one connection at one byte: it forwards a number of bytes of one
//! direction and then cuts, resets or stalls. The proxy does not parse the bytes. A connection
//! without a plan passes unchanged.

use rustix::event::{PollFd, PollFlags, Timespec};
use socket2::{SockFilter, SockRef};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// `BPF_RET | BPF_K` with 0: the kernel drops each segment before TCP sees it.
const DROP_ALL: SockFilter = SockFilter::new(0x06, 0, 0, 0);
/// The interval at which a connection checks for an order.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };

/// The sender of the counted bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Client,
    Server,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The receiver gets a FIN, later bytes are dropped, and the other direction goes on.
    Cut,
    /// Both ends get an RST.
    Reset,
    /// The bytes are held until [`Proxy::release`], and the other direction goes on.
    Stall,
    /// No byte comes through any more, and none is acknowledged. The ends are not informed.
    Hole,
}

/// The break of one connection at byte `after` + 1 of one direction.
#[derive(Debug, Clone, Copy)]
pub struct Break {
    pub from: Side,
    pub after: usize,
    pub kind: Kind,
}

#[derive(Default)]
struct Link {
    plan: Option<Break>,
    /// The bytes from the client and from the server since the plan was made.
    seen: [Vec<u8>; 2],
    /// The order to end the connection now, in this direction.
    order: Option<Kind>,
    released: bool,
    ended: bool,
}

#[derive(Default)]
struct State {
    next: Option<Break>,
    links: Vec<Arc<Mutex<Link>>>,
    stopped: bool,
}

pub struct Proxy {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
    applied: Arc<AtomicBool>,
}

impl Proxy {
    pub fn start(upstream: SocketAddr) -> Self {
        Self::serve(TcpListener::bind("127.0.0.1:0").unwrap(), upstream)
    }

    /// Accepts the waiting and later connections of a listener.
    pub fn serve(listener: TcpListener, upstream: SocketAddr) -> Self {
        let address = listener.local_addr().unwrap();
        let state = Arc::<Mutex<State>>::default();
        let applied = Arc::<AtomicBool>::default();
        let (shared, strikes) = (state.clone(), applied.clone());
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { continue };
                let mut state = shared.lock().unwrap();
                if state.stopped {
                    return;
                }
                let link = Arc::new(Mutex::new(Link { plan: state.next.take(), ..Link::default() }));
                state.links.retain(|link| !link.lock().unwrap().ended);
                state.links.push(link.clone());
                drop(state);
                let strikes = strikes.clone();
                std::thread::spawn(move || {
                    if let Ok(server) = TcpStream::connect(upstream) {
                        let _ = carry(&link, &strikes, &client, &server);
                    }
                    link.lock().unwrap().ended = true;
                });
            }
        });
        Self { address, state, applied }
    }

    /// Breaks the next new connection.
    pub fn break_next(&self, plan: Break) {
        self.applied.store(false, Ordering::SeqCst);
        self.state.lock().unwrap().next = Some(plan);
    }

    /// Breaks the newest connection, counting from now.
    pub fn break_now(&self, plan: Break) {
        self.applied.store(false, Ordering::SeqCst);
        let link = self.newest();
        let mut link = link.lock().unwrap();
        (link.plan, link.seen) = (Some(plan), Default::default());
    }

    fn newest(&self) -> Arc<Mutex<Link>> {
        self.state.lock().unwrap().links.last().expect("no connection was made").clone()
    }

    /// Returns the bytes from the client and from the server on the newest planned connection since
    /// the plan.
    pub fn seen(&self) -> [Vec<u8>; 2] {
        self.newest().lock().unwrap().seen.clone()
    }

    /// Returns whether the last planned connection has broken.
    pub fn applied(&self) -> bool {
        self.applied.load(Ordering::SeqCst)
    }

    /// Returns the number of open connections.
    pub fn connections(&self) -> usize {
        self.state.lock().unwrap().links.iter().filter(|link| !link.lock().unwrap().ended).count()
    }

    /// Forwards stalled bytes, and breaks no more connections.
    pub fn release(&self) {
        let mut state = self.state.lock().unwrap();
        state.next = None;
        for link in &state.links {
            link.lock().unwrap().released = true;
        }
    }

    /// Ends every connection now, and returns when they have ended.
    pub fn end_all(&self, kind: Kind) {
        for link in &self.state.lock().unwrap().links {
            link.lock().unwrap().order = Some(kind);
        }
        self.drained();
    }

    /// Waits until every connection has ended by itself. After a second the others are cut.
    pub fn drained(&self) {
        let deadline = Instant::now() + Duration::from_secs(1);
        loop {
            let mut state = self.state.lock().unwrap();
            state.links.retain(|link| !link.lock().unwrap().ended);
            if state.links.is_empty() {
                return;
            }
            if Instant::now() > deadline {
                for link in &state.links {
                    link.lock().unwrap().order = Some(Kind::Cut);
                }
            }
            drop(state);
            std::thread::park_timeout(Duration::from_millis(2));
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let mut state = self.state.lock().unwrap();
        state.stopped = true;
        for link in &state.links {
            link.lock().unwrap().order = Some(Kind::Cut);
        }
        drop(state);
        // The listener's thread sees the flag when it accepts.
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_millis(100));
    }
}

/// One direction of a connection.
#[derive(Default)]
struct Direction {
    /// The sender has closed its side.
    ended: bool,
    swallow: bool,
    held: Option<Vec<u8>>,
}

/// Carries bytes both ways until both have ended. Dropping the streams closes them.
fn carry(link: &Mutex<Link>, strikes: &AtomicBool, client: &TcpStream, server: &TcpStream) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let ends = [client, server];
    let mut directions = [Direction::default(), Direction::default()];
    let mut buffer = vec![0; 64 << 10];
    while !(directions[0].ended && directions[1].ended) {
        let mut order = link.lock().unwrap();
        let (ordered, released) = (order.order.take(), order.released);
        drop(order);
        match ordered {
            Some(Kind::Reset) => return reset(&ends),
            Some(Kind::Hole) => swallow(link, client),
            Some(_) => return Ok(()),
            None => {}
        }
        for (at, direction) in directions.iter_mut().enumerate() {
            if released && let Some(held) = direction.held.take() {
                let mut to = ends[1 - at];
                to.write_all(&held)?;
                if direction.ended {
                    to.shutdown(Shutdown::Write)?;
                }
            }
        }
        let listened: Vec<usize> = (0..2).filter(|at| !directions[*at].ended).collect();
        let ready: Vec<usize> = {
            let mut fds: Vec<_> = listened.iter().map(|at| PollFd::new(ends[*at], PollFlags::IN)).collect();
            rustix::event::poll(&mut fds, Some(&TICK))?;
            listened.iter().zip(&fds).filter(|(_, fd)| !fd.revents().is_empty()).map(|(at, _)| *at).collect()
        };
        for at in ready {
            let (mut from, mut to, direction) = (ends[at], ends[1 - at], &mut directions[at]);
            let Ok(bytes) = from.read(&mut buffer) else { return reset(&ends) };
            let bytes = &buffer[..bytes];
            if bytes.is_empty() {
                direction.ended = true;
                if direction.held.is_none() {
                    let _ = to.shutdown(Shutdown::Write);
                }
            } else if let Some(held) = &mut direction.held {
                held.extend_from_slice(bytes);
            } else if !direction.swallow {
                let (passed, strike) = admit(&mut link.lock().unwrap(), strikes, at, bytes);
                if to.write_all(&bytes[..passed]).is_err() {
                    return reset(&ends);
                }
                match strike {
                    None => {}
                    Some(Kind::Cut) => {
                        direction.swallow = true;
                        let _ = to.shutdown(Shutdown::Write);
                    }
                    Some(Kind::Reset) => return reset(&ends),
                    Some(Kind::Stall) => direction.held = Some(bytes[passed..].to_vec()),
                    Some(Kind::Hole) => swallow(link, client),
                }
            }
        }
    }
    Ok(())
}

/// Returns how many of these bytes pass, and the break after them.
fn admit(link: &mut Link, strikes: &AtomicBool, at: usize, bytes: &[u8]) -> (usize, Option<Kind>) {
    let Some(plan) = link.plan else { return (bytes.len(), None) };
    let before = link.seen[at].len();
    link.seen[at].extend_from_slice(bytes);
    if plan.from as usize != at || link.seen[at].len() <= plan.after {
        return (bytes.len(), None);
    }
    strikes.store(true, Ordering::SeqCst);
    link.plan = None;
    (plan.after - before, Some(plan.kind))
}

/// Keeps a connection open that carries nothing, as long as the test's process lives.
fn swallow(link: &Mutex<Link>, client: &TcpStream) -> ! {
    SockRef::from(client).attach_filter(&[DROP_ALL]).unwrap();
    link.lock().unwrap().ended = true;
    loop {
        std::thread::park();
    }
}

/// Makes a close send an RST.
fn reset(ends: &[&TcpStream; 2]) -> std::io::Result<()> {
    for end in ends {
        SockRef::from(*end).set_linger(Some(Duration::ZERO))?;
    }
    Ok(())
}
