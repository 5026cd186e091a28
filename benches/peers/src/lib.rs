//! The protocol of a peer, the same in every language. `PEER BASE CA WHAT COUNT` makes its first
//! request and prints `first US`. The peer then waits for a line and makes 20 requests to warm up.
//! It makes `COUNT` measured requests and prints `p50 US cpu US`.

use std::io::{BufRead, Write};
use std::time::Instant;

pub const ITEM: &str = "b0000000-0000-4000-8000-000000000001";
const WARM_UP: usize = 20;

/// The kind of request that a peer makes.
pub struct Order {
    pub base: String,
    pub ca: String,
    pub what: What,
    pub count: usize,
}

#[derive(Clone, Copy)]
pub enum What {
    /// A list of this many items.
    Items(u32),
    Purchase,
    /// A purchase, and one line appended to a file and made durable before it.
    DurablePurchase,
    /// A list, a durable purchase, the list of rewards and a durable redeem. The redeem's outcome
    /// and both acknowledgements are durable too.
    Sale,
}

impl Order {
    /// From the command line.
    pub fn read() -> Self {
        let words: Vec<String> = std::env::args().skip(1).collect();
        let [base, ca, what, count] = words.try_into().expect("PEER BASE CA WHAT COUNT");
        let what = match what.split_once(':') {
            Some(("items", number)) => What::Items(number.parse().expect("items:NUMBER")),
            None if what == "purchase" => What::Purchase,
            None if what == "durable" => What::DurablePurchase,
            None if what == "sale" => What::Sale,
            _ => panic!("WHAT is items:NUMBER, purchase, durable or sale"),
        };
        Self { base, ca, what, count: count.parse().expect("COUNT is a number") }
    }

    /// The root certificate, DER.
    pub fn authority(&self) -> rustls::pki_types::CertificateDer<'static> {
        use rustls::pki_types::pem::PemObject;
        rustls::pki_types::CertificateDer::from_pem_file(&self.ca).expect("CA is a PEM file")
    }
}

/// The member whose list has this many items.
pub fn member(items: u32) -> String {
    format!("a0000000-0000-4000-8000-{items:012}")
}

/// Returns ids that differ. The ids need not be hard to guess.
pub fn fresh_id(number: usize) -> String {
    static PROCESS: std::sync::LazyLock<u32> = std::sync::LazyLock::new(std::process::id);
    format!("{:08x}-{:04x}-4000-8000-{number:012x}", *PROCESS, number & 0xffff)
}

/// Makes the requests. `one` gets the number of its request.
pub fn measure(count: usize, mut one: impl FnMut(usize)) {
    let mut out = std::io::stdout();
    let began = Instant::now();
    one(0);
    writeln!(out, "first {}", began.elapsed().as_micros()).and_then(|()| out.flush()).expect("stdout");
    std::io::stdin().lock().read_line(&mut String::new()).expect("stdin");
    for number in 1..=WARM_UP {
        one(number);
    }
    let pause = std::env::var("EPS_BENCH_PAUSE_US").ok().and_then(|text| text.parse().ok());
    let pause = pause.map(std::time::Duration::from_micros);
    let cpu = cpu_us();
    let mut took: Vec<f64> = (0..count)
        .map(|number| {
            if let Some(pause) = pause {
                std::thread::sleep(pause);
            }
            let began = Instant::now();
            one(WARM_UP + 1 + number);
            began.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    let cpu = (cpu_us() - cpu) / count as f64;
    took.sort_by(f64::total_cmp);
    let part = |per_mille: usize| took[count * per_mille / 1000];
    writeln!(out, "p50 {:.1} cpu {cpu:.1} p99 {:.1} p999 {:.1}", part(500), part(990), part(999)).expect("stdout");
}

fn cpu_us() -> f64 {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    spent.tv_sec as f64 * 1e6 + spent.tv_nsec as f64 / 1e3
}
