//! One press of the cashier at a till, and a till program that keeps running between the presses.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::manual::Terminal;
use super::programs::{Programs, Running};
use super::till::{PLACEHOLDERS, ReportedOutcome, Resident, Sell, Template, Values};
use crate::http_client::Request;

/// The ports of resident tills lie below the ports that systems give to outgoing connections.
const FIRST_PORT: u16 = 20_000;
const PORTS: u16 = 10_000;

/// The time within which a till whose connection has closed ends.
const ENDS_WITHIN: Duration = Duration::from_secs(2);

/// The end of a press.
pub(super) struct Exit {
    pub reported: ReportedOutcome,
    pub took: Duration,
    /// The end of the till's output.
    pub printed: String,
}

/// A press that goes on.
pub(super) enum Press {
    /// A program that ends with the outcome.
    Program(Running),
    /// A request to a resident till.
    Call { began: Instant, outcome: Receiver<ReportedOutcome> },
    /// The person at the till sees the outcome.
    Cashier { began: Instant },
    /// The sale has its end, or the till has ended before.
    Ended(Exit),
}

impl Press {
    pub fn ended(reported: ReportedOutcome) -> Press {
        Press::Ended(Exit { reported, took: Duration::ZERO, printed: String::new() })
    }

    /// Returns whether the press has its end. A person does not say it in advance.
    pub fn is_over(&mut self) -> bool {
        match self {
            Press::Program(program) => program.ended().is_some(),
            Press::Call { outcome, .. } => {
                let reported = match outcome.try_recv() {
                    Ok(reported) => reported,
                    Err(TryRecvError::Disconnected) => ReportedOutcome::Other(-1),
                    Err(TryRecvError::Empty) => return false,
                };
                *self = Press::ended(reported);
                true
            }
            Press::Cashier { .. } => false,
            Press::Ended(_) => true,
        }
    }

    /// Waits until the press ends. Ends the press once it has lasted for `limit`.
    pub fn wait(self, limit: Duration, terminal: &Terminal) -> Exit {
        match self {
            Press::Program(mut program) => {
                let reported = program.wait(limit).map_or(ReportedOutcome::TimedOut, ReportedOutcome::of);
                let took = program.began().elapsed();
                program.kill();
                Exit { reported, took, printed: program.printed() }
            }
            Press::Call { began, outcome } => {
                let rest = limit.saturating_sub(began.elapsed());
                let reported = outcome.recv_timeout(rest).unwrap_or_else(|error| match error {
                    RecvTimeoutError::Timeout => ReportedOutcome::TimedOut,
                    RecvTimeoutError::Disconnected => ReportedOutcome::Other(-1),
                });
                Exit { reported, took: began.elapsed(), printed: String::new() }
            }
            Press::Cashier { began } => {
                let reported = terminal.ask_outcome();
                Exit { reported, took: began.elapsed(), printed: String::new() }
            }
            Press::Ended(exit) => exit,
        }
    }

    /// Ends the press of a till that is killed, like in a power cut.
    pub fn kill(self) -> Exit {
        let mut exit = Exit { reported: ReportedOutcome::Killed, took: Duration::ZERO, printed: String::new() };
        match self {
            Press::Program(mut program) => {
                // The program may have ended just before.
                exit.reported = program.ended().map_or(ReportedOutcome::Killed, ReportedOutcome::of);
                exit.took = program.began().elapsed();
                program.kill();
                exit.printed = program.printed();
            }
            Press::Call { began, .. } | Press::Cashier { began } => exit.took = began.elapsed(),
            Press::Ended(ended) => exit = ended,
        }
        exit
    }
}

/// The configuration of a till: the values of `{url}`, `{ca}`, `{key}` and `{journal}`.
pub(super) type Config = [String; 4];

/// A till program that runs.
pub(super) struct RunningTill {
    program: Running,
    pub config: Config,
    pub port: u16,
    lines: Option<Lines>,
}

/// The standard input of a till, and the presses whose outcome it has not printed.
struct Lines {
    stdin: ChildStdin,
    waiting: Arc<Mutex<VecDeque<Sender<ReportedOutcome>>>>,
    printed: Arc<Mutex<Vec<u8>>>,
    /// Disconnected once all that the till has printed is read.
    read: Receiver<()>,
}

impl Lines {
    fn of(stdin: ChildStdin, stdout: ChildStdout) -> Lines {
        let (waiting, printed) = (Arc::new(Mutex::new(VecDeque::new())), Arc::new(Mutex::new(Vec::new())));
        let (reading, read) = channel();
        let lines = Lines { stdin, waiting: Arc::clone(&waiting), printed: Arc::clone(&printed), read };
        thread::spawn(move || {
            let _reading: Sender<()> = reading;
            for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
                let outcome = serde_json::from_slice(&line).ok().and_then(|json| outcome_in(&json));
                lock(&printed).extend([&line[..], b"\n"].concat());
                if let Some((outcome, press)) = outcome.and_then(|outcome| Some((outcome, lock(&waiting).pop_front()?)))
                {
                    let _: Result<(), _> = Sender::send(&press, outcome);
                }
            }
            // The till has ended: it prints no further outcome.
            lock(&waiting).clear();
        });
        lines
    }

    fn sell(&mut self, values: &Values) -> Press {
        let (send, outcome) = channel();
        lock(&self.waiting).push_back(send);
        if writeln!(self.stdin, "{}", sale(values)).and_then(|()| self.stdin.flush()).is_err() {
            lock(&self.waiting).clear();
        }
        Press::Call { began: Instant::now(), outcome }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RunningTill {
    /// Starts a till, and waits until its port accepts connections if the command line has one.
    /// Returns the end of a till that has ended instead.
    pub fn start(
        till: &Resident,
        programs: &Arc<Programs>,
        values: &mut Values,
        config: Config,
        output: &Path,
        limit: Duration,
    ) -> io::Result<Result<RunningTill, Exit>> {
        let port = free_port();
        set(values, "{port}", port.to_string());
        let mut command = till.start.command(values);
        let (mut program, lines) = if let Sell::Lines = till.sell {
            let (program, stdin, stdout) = programs.start_lines(&mut command, output)?;
            (program, Some(Lines::of(stdin, stdout)))
        } else {
            (programs.start(&mut command, output)?, None)
        };
        let at = SocketAddr::from(([127, 0, 0, 1], port));
        while till.start.mentions("{port}") && TcpStream::connect(at).is_err() {
            let took = program.began().elapsed();
            let late = (took > limit).then_some(ReportedOutcome::TimedOut);
            if let Some(reported) = program.ended().map(ReportedOutcome::of).or(late) {
                return Ok(Err(Exit { reported, took, printed: program.printed() }));
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(Ok(RunningTill { program, config, port, lines }))
    }

    /// Starts a sale.
    pub fn sell(
        &mut self,
        way: &Sell,
        programs: &Arc<Programs>,
        values: &Values,
        output: &Path,
        limit: Duration,
    ) -> io::Result<Press> {
        match (way, &mut self.lines) {
            (Sell::Command(template), _) => Ok(Press::Program(programs.start(&mut template.command(values), output)?)),
            (Sell::Http(template), _) => Ok(call(template.first(values), sale(values).to_string(), limit)),
            (Sell::Lines, Some(lines)) => Ok(lines.sell(values)),
            (Sell::Lines, None) => Ok(Press::ended(ReportedOutcome::Killed)),
        }
    }

    /// Returns the outcome of a till that has ended.
    pub fn has_ended(&mut self) -> Option<ReportedOutcome> {
        self.program.ended().map(ReportedOutcome::of)
    }

    /// Returns the outcome of a till that ends now, once its output is read.
    pub fn ends(&mut self) -> Option<ReportedOutcome> {
        let status = self.program.wait(self.program.began().elapsed() + ENDS_WITHIN)?;
        if let Some(lines) = &self.lines {
            // A child of the till may keep the output open.
            let _ = lines.read.recv_timeout(ENDS_WITHIN);
        }
        Some(ReportedOutcome::of(status))
    }

    pub fn id(&self) -> u32 {
        self.program.id()
    }

    /// Kills the till: by the vendor's command, or with all that was started.
    pub fn kill(&mut self, command: Option<(&Template, &Values)>, output: &Path, limit: Duration) -> io::Result<()> {
        let Some((kill, values)) = command else {
            self.program.kill();
            return Ok(());
        };
        let programs = self.program.programs();
        let killed = programs.start(&mut kill.command(values), output)?.wait(limit);
        match killed {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(io::Error::other(format!("the kill command ended with {status}"))),
            None => Err(io::Error::other("the kill command did not end in time")),
        }
    }

    /// Returns the end of the output since the last call.
    pub fn printed(&mut self) -> String {
        let mut printed = self.program.printed();
        if let Some(lines) = &self.lines {
            let new = std::mem::take(&mut *lock(&lines.printed));
            printed.push_str(String::from_utf8_lossy(&new[new.len().saturating_sub(4096)..]).trim_end());
        }
        printed
    }
}

/// Starts a request that makes a sale.
fn call(url: String, body: String, limit: Duration) -> Press {
    let (send, outcome) = channel();
    thread::spawn(move || {
        let request = Request { method: "POST", url: &url, headers: "", body: &body, timeout: Some(limit) };
        // Without a response, the channel closes.
        if let Ok(response) = request.send() {
            let json = serde_json::from_slice(&response.body).unwrap_or_default();
            let _ = send.send(outcome_in(&json).unwrap_or(ReportedOutcome::Other(1)));
        }
    });
    Press::Call { began: Instant::now(), outcome }
}

/// Returns the outcome that a till has sent or printed.
fn outcome_in(json: &Value) -> Option<ReportedOutcome> {
    let name = json.get("outcome")?.as_str()?;
    Some(ReportedOutcome::of_name(name).unwrap_or(ReportedOutcome::Other(1)))
}

/// Returns the body of the request that makes a sale.
fn sale(values: &Values) -> Value {
    json!({
        "contact": value(values, "{contact}"),
        "item": value(values, "{item}"),
        "reference": value(values, "{reference}"),
        "waitMs": value(values, "{wait}").parse::<u64>().unwrap_or_default(),
    })
}

/// Sets the value of a placeholder.
pub(super) fn set(values: &mut Values, name: &str, to: String) {
    if let Some(at) = PLACEHOLDERS.iter().position(|(known, _)| *known == name) {
        values[at] = to;
    }
}

/// Returns the value of a placeholder.
pub(super) fn value<'a>(values: &'a Values, name: &str) -> &'a str {
    PLACEHOLDERS.iter().position(|(known, _)| *known == name).map_or("", |at| &values[at])
}

/// Returns a port of 127.0.0.1 that is free now. No other scenario gets it.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Two certifications at the same time begin at different ports.
    let first = u16::try_from(std::process::id() % u32::from(PORTS)).unwrap_or_default();
    loop {
        let next = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add(first) % PORTS;
        if TcpListener::bind(("127.0.0.1", FIRST_PORT + next)).is_ok() {
            return FIRST_PORT + next;
        }
    }
}
