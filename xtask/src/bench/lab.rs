//! The server, and runs of the peers against it.
//! Client and server share one core, so that a request's time is the work of both.

use super::prepare::Shipped;
use crate::run::Result;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Instant;

/// The core that client and server share.
const CORE: &str = "0";

pub struct Lab {
    pub folder: PathBuf,
    pub ca: PathBuf,
    /// The server's and the system's root certificates, like the default bundle of a client.
    pub bundle: PathBuf,
    pub base: String,
    /// The same server, 25 ms away.
    pub far: String,
    server: Server,
    _distance: Server,
}

fn line(built: &Shipped, server: u16, one_way_ms: u32, lost_of_1000: u32) -> Result<Server> {
    let numbers = [server.into(), one_way_ms, lost_of_1000].map(|number| number.to_string());
    Server::start(Command::new(built.peer("distance")).args(numbers))
}

/// A client program that the bench measures.
#[derive(Clone)]
pub struct Peer {
    pub name: &'static str,
    command: Vec<OsString>,
    environment: Vec<(&'static str, OsString)>,
}

impl Peer {
    pub fn new<T: Into<OsString>>(name: &'static str, command: impl IntoIterator<Item = T>) -> Self {
        Self { name, command: command.into_iter().map(Into::into).collect(), environment: Vec::new() }
    }

    /// Returns the same peer with one more environment variable.
    pub fn with(&self, name: &'static str, value: impl Into<OsString>) -> Self {
        let mut peer = self.clone();
        peer.environment.push((name, value.into()));
        peer
    }

    pub fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }
}

/// The measurements of one run.
#[derive(Clone, Copy)]
pub struct Sample {
    /// From the start of the process to its first response, ms.
    pub start_ms: f64,
    /// The first request, µs.
    pub first_us: f64,
    /// The resident memory after the first request, KB.
    pub resident_kb: f64,
    /// The median request, µs.
    pub p50_us: f64,
    /// The process's CPU time per request, µs.
    pub cpu_us: f64,
    /// The request that is slower than 99 % and 99.9 % of them, µs, where the peer says it.
    pub p99_us: f64,
    pub p999_us: f64,
}

/// The conditions of a run.
#[derive(Clone, Copy)]
pub struct How<'a> {
    pub base: &'a str,
    pub ca: &'a Path,
    /// Whether the peer runs on the server's core.
    pub pinned: bool,
}

impl How<'_> {
    fn command(self, peer: &Peer, task: &str, count: usize, before: &[&str]) -> Command {
        let pin: &[&str] = if self.pinned { &["taskset", "-c", CORE] } else { &[] };
        let mut parts = pin.iter().chain(before).map(OsString::from).chain(peer.command.iter().cloned());
        let mut command = Command::new(parts.next().unwrap_or_default());
        command.args(parts).arg(self.base).arg(self.ca).arg(task).arg(count.to_string());
        // The shell's proxy and certificate settings must not reach the peers.
        let kept = ["PATH", "HOME"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
        command
            .env_clear()
            .envs(kept)
            .envs(peer.environment.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        command
    }

    pub fn run(self, peer: &Peer, task: &str, count: usize) -> Result<Sample> {
        self.run_after(peer, task, count, |_| Ok(()))
    }

    /// Runs a peer, and does something with the process between its first request and the others.
    pub fn run_after(
        self,
        peer: &Peer,
        task: &str,
        count: usize,
        between: impl FnOnce(u32) -> Result,
    ) -> Result<Sample> {
        let failed = |why: &str| format!("{} ({task}): {why}", peer.name);
        let began = Instant::now();
        let mut process = self.command(peer, task, count, &[]).spawn().map_err(|error| failed(&error.to_string()))?;
        let mut lines = BufReader::new(process.stdout.take().ok_or("no output")?).lines();
        let mut number = |name: &str| -> Result<Vec<f64>> {
            loop {
                let line = lines.next().and_then(std::result::Result::ok).ok_or_else(|| failed("ended too early"))?;
                if line.starts_with(name) {
                    return Ok(line.split(' ').filter_map(|part| part.parse().ok()).collect());
                }
            }
        };
        let first_us = number("first ")?[0];
        let start_ms = began.elapsed().as_secs_f64() * 1e3;
        let resident_kb = resident_kb(process.id()).ok_or_else(|| failed("ended before its memory was read"))?;
        between(process.id())?;
        process.stdin.take().ok_or("no input")?.write_all(b"go\n").map_err(|error| failed(&error.to_string()))?;
        let measured = number("p50 ")?;
        let status = process.wait().map_err(|error| failed(&error.to_string()))?;
        match (status.success(), measured.as_slice()) {
            (true, &[p50_us, cpu_us, ref tail @ ..]) => {
                let tail = |at: usize| tail.get(at).copied().unwrap_or(f64::NAN);
                Ok(Sample { start_ms, first_us, resident_kb, p50_us, cpu_us, p99_us: tail(0), p999_us: tail(1) })
            }
            _ => Err(failed(&status.to_string())),
        }
    }

    /// Runs several peers in turn; returns the samples of each.
    pub fn rounds(self, peers: &[Peer], task: &str, count: usize, runs: usize) -> Result<Vec<Vec<Sample>>> {
        let mut samples = vec![Vec::with_capacity(runs); peers.len()];
        for round in 0..runs {
            // Each round begins with another peer, so that no peer always follows the same one on
            // a warm core.
            for at in 0..peers.len() {
                let at = (at + round) % peers.len();
                samples[at].push(self.run(&peers[at], task, count)?);
            }
        }
        Ok(samples)
    }
}

impl Lab {
    pub fn open(built: &Shipped) -> Result<Self> {
        let folder = built.folder.join("lab");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let ca = folder.join("ca.pem");
        let mut server = Command::new("taskset");
        server.args(["-c", CORE]).arg(built.peer("server")).arg(&ca);
        let server = Server::start(&mut server)?;
        let distance = line(built, server.port, 25, 0)?;
        let bundle = folder.join("bundle.pem");
        let system = fs::read_to_string("/etc/ssl/certs/ca-certificates.crt").map_err(|error| error.to_string())?;
        let own = fs::read_to_string(&ca).map_err(|error| error.to_string())?;
        fs::write(&bundle, system + &own).map_err(|error| error.to_string())?;
        Ok(Self {
            base: format!("https://localhost:{}", server.port),
            far: format!("https://localhost:{}", distance.port),
            folder,
            ca,
            bundle,
            server,
            _distance: distance,
        })
    }

    /// Puts the same server at the end of a line. Returns the line, and the address there.
    pub fn line(&self, built: &Shipped, one_way_ms: u32, lost_of_1000: u32) -> Result<(Server, String)> {
        let line = line(built, self.server.port, one_way_ms, lost_of_1000)?;
        let base = format!("https://localhost:{}", line.port);
        Ok((line, base))
    }

    /// Puts a proxy before the same server whose connections break on demand.
    pub fn breaks(&self, built: &Shipped) -> Result<(Server, String)> {
        let proxy = Server::start(Command::new(built.peer("breaks")).arg(self.server.port.to_string()))?;
        let base = format!("https://localhost:{}", proxy.port);
        Ok((proxy, base))
    }

    /// Returns the conditions on the server's core.
    pub fn near(&self) -> How<'_> {
        How { base: &self.base, ca: &self.ca, pinned: true }
    }

    /// Returns the conditions on any core.
    pub fn anywhere(&self) -> How<'_> {
        How { pinned: false, ..self.near() }
    }

    /// Runs a peer under another program, which writes into `written`. Returns what it wrote.
    fn under(&self, program: &[&str], written: &Path, peer: &Peer, task: &str, requests: usize) -> Result<String> {
        let name = program.first().copied().unwrap_or_default();
        let mut process =
            self.near().command(peer, task, requests, program).spawn().map_err(|error| format!("{name}: {error}"))?;
        process.stdin.take().ok_or("no input")?.write_all(b"go\n").map_err(|error| error.to_string())?;
        let output = process.wait_with_output().map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(format!("{} under {name}: {}", peer.name, output.status));
        }
        fs::read_to_string(written).map_err(|error| error.to_string())
    }

    /// Returns the system calls per request by name: the difference of a long and a short run
    /// under strace.
    pub fn calls(&self, peer: &Peer, task: &str) -> Result<Vec<(String, f64)>> {
        let table = self.folder.join("strace");
        let strace = ["strace", "-f", "-c", "-o", &table.to_string_lossy()].map(str::to_owned);
        let strace: Vec<&str> = strace.iter().map(String::as_str).collect();
        let count = |requests| Ok::<_, String>(parse_strace(&self.under(&strace, &table, peer, task, requests)?));
        let (short, long) = (count(SHORT)?, count(LONG)?);
        let mut calls: Vec<(String, f64)> = long
            .into_iter()
            .map(|(name, many)| {
                let few = short.iter().find(|(other, _)| *other == name).map_or(0.0, |(_, few)| *few);
                (name, (many - few) / (LONG - SHORT) as f64)
            })
            .filter(|(_, each)| *each >= 0.05)
            .collect();
        calls.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        Ok(calls)
    }

    /// Returns the client's instructions per request: the difference of a long and a short run
    /// under callgrind, whose processor has the same features on every machine.
    pub fn instructions(&self, peer: &Peer, task: &str) -> Result<f64> {
        let log = self.folder.join("callgrind");
        let log_file = format!("--log-file={}", log.display());
        let valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", &log_file];
        let count = |requests| -> Result<f64> {
            let text = self.under(&valgrind, &log, peer, task, requests)?;
            let total = text.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
            total.ok_or_else(|| format!("callgrind counted nothing: {text}"))
        };
        Ok((count(LONG)? - count(SHORT)?) / (LONG - SHORT) as f64)
    }
}

/// The requests of a short and a long run.
const SHORT: usize = 100;
const LONG: usize = 300;

/// Reads rows of `% time  seconds  usecs/call  calls  [errors]  name`.
fn parse_strace(table: &str) -> Vec<(String, f64)> {
    let rows = table.lines().filter_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let calls = columns.get(3)?.parse().ok()?;
        Some(((*columns.last()?).to_owned(), calls))
    });
    rows.filter(|(name, _)| name != "total").collect()
}

/// Returns a process's `VmRSS`.
fn resident_kb(process: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.split_whitespace().next()?.parse().ok()
}

/// A process that prints its port. Dropping it ends the process.
pub struct Server {
    process: Child,
    lines: BufReader<ChildStdout>,
    port: u16,
}

impl Server {
    pub fn start(command: &mut Command) -> Result<Self> {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("the server: {error}"))?;
        let lines = BufReader::new(process.stdout.take().ok_or("no output")?);
        let mut server = Self { process, lines, port: 0 };
        server.port = server.line()?.parse().map_err(|_| "the server printed no port".to_owned())?;
        Ok(server)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.lines.read_line(&mut line).map_err(|error| error.to_string())?;
        Ok(line.trim().to_owned())
    }

    /// Sends a line to the process, which repeats it once it has obeyed.
    pub fn order(&mut self, line: &str) -> Result {
        let input = self.process.stdin.as_mut().ok_or("no input")?;
        writeln!(input, "{line}").map_err(|error| error.to_string())?;
        self.line().map(drop)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
