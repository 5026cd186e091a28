//! The main job, end to end: a till written in C, compiled against the public header and linked with the shared library,
//! buys a reward from the sandbox over HTTPS, and the sandbox's ledger is the witness.

use crate::run::{Result, cargo, output, root, run, target};
use crate::setup;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The member and the item of the sandbox's demo store.
const MEMBER: &str = "a0000000-0000-4000-8000-000000000001";
const ITEM: &str = "b0000000-0000-4000-8000-000000000001";
const COST: i64 = 100;

pub fn run_demo() -> Result {
    step(1, "what the machine needs");
    setup::install(&[setup::DEMO])?;

    step(2, "the library and the sandbox");
    run(cargo().args(["build", "--workspace"]))?;
    let built = target().join("debug");

    step(3, "the till, against the public header and the shared library");
    let work = fresh_folder()?;
    let till = compile_till(&work, &built)?;

    step(4, "the sandbox, over TLS");
    let sandbox = Sandbox::start(&built.join("engage-sandbox"), &work)?;
    println!("      {} (its authority: {})", sandbox.https, shown(&sandbox.ca));

    step(5, "the till buys a reward");
    let before = sandbox.balance()?;
    let purchase = sell(&till, &sandbox, &work)?;
    sandbox.deducted_once(&purchase, before)?;

    step(6, "the cashier presses the same sale again");
    let again = sell(&till, &sandbox, &work)?;
    if again != purchase {
        return Err(format!("the second press became another purchase, {again} beside {purchase}"));
    }

    step(7, "the ledger's word");
    for entry in sandbox.ledger()? {
        println!("      {entry}");
    }
    let after = sandbox.deducted_once(&purchase, before)?;
    drop(sandbox);
    let _ = fs::remove_dir_all(&work);
    println!(
        "\nThe till bought a reward over HTTPS. Pressed twice, deducted once: {before} points before, {after} after."
    );
    Ok(())
}

fn step(number: u8, what: &str) {
    println!("[{number}/7] {what}");
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// A folder for this run alone, below cargo's.
fn fresh_folder() -> Result<PathBuf> {
    let folder = target().join("demo").join(std::process::id().to_string());
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(folder)
}

fn compile_till(work: &Path, built: &Path) -> Result<PathBuf> {
    let till = work.join("till");
    let library = work.join("lib");
    fs::create_dir_all(&library).map_err(|error| error.to_string())?;
    // Installed as a package would: the library under its own name, and a link without the number for the linker.
    for name in ["libengage_point_shop.so.1", "libengage_point_shop.so"] {
        fs::copy(built.join("libengage_point_shop.so"), library.join(name))
            .map_err(|error| format!("{name}: {error}"))?;
    }
    let cjson = output(Command::new("pkg-config").args(["--cflags", "--libs", "libcjson"]))?;
    let mut cc = Command::new("cc");
    cc.current_dir(root()).args([
        "-std=c99",
        "-Wall",
        "-Wextra",
        "-pedantic",
        "-Werror",
        "-Iinclude",
        "examples/c/till.c",
        "-o",
    ]);
    cc.arg(&till).arg("-L").arg(&library).arg("-lengage_point_shop").arg(format!("-Wl,-rpath,{}", library.display()));
    run(cc.args(cjson.split_whitespace()))?;
    Ok(till)
}

/// Lets the till sell, and gives the purchase's id as the till printed it.
fn sell(till: &Path, sandbox: &Sandbox, work: &Path) -> Result<String> {
    let mut command = Command::new(till);
    command.args(["--url", &sandbox.https, "--key", &sandbox.key, "--contact", MEMBER, "--item", ITEM]);
    command
        .args(["--reference", "receipt 4711"])
        .arg("--ca")
        .arg(&sandbox.ca)
        .arg("--journal")
        .arg(work.join("points.db"));
    let printed = output(&mut command)?;
    for line in printed.lines() {
        println!("      {line}");
    }
    let id = printed.lines().find_map(|line| line.strip_prefix("Purchase ")?.split_whitespace().next());
    id.map(str::to_owned).ok_or_else(|| "the till printed no purchase".to_owned())
}

/// The sandbox's process; ended when dropped.
pub struct Sandbox {
    process: Child,
    pub http: String,
    pub https: String,
    pub ca: PathBuf,
    pub key: String,
}

impl Sandbox {
    pub fn start(program: &Path, work: &Path) -> Result<Self> {
        let mut process = Command::new(program)
            .arg("--ca-out")
            .arg(work.join("sandbox-ca.pem"))
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("the sandbox could not be started: {error}"))?;
        let mut line = String::new();
        if let Some(stdout) = process.stdout.take() {
            // A sandbox that ends before it is ready leaves the line empty.
            let _ = BufReader::new(stdout).read_line(&mut line);
        }
        let said = |name: &str| {
            let value = line.split_whitespace().find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
            value.map(str::to_owned).ok_or_else(|| format!("the sandbox did not say that it is ready: {line:?}"))
        };
        // Made first, so that the process is ended whatever is missing.
        let mut sandbox =
            Self { process, http: String::new(), https: String::new(), ca: PathBuf::new(), key: String::new() };
        sandbox.http = said("http")?;
        sandbox.https = said("https")?;
        sandbox.ca = said("ca")?.into();
        sandbox.key = said("key")?;
        Ok(sandbox)
    }

    /// Asks the sandbox's own interface.
    fn get(&self, path: &str) -> Result<Value> {
        let address = self.http.trim_start_matches("http://");
        let ask = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(address)?;
            write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        let answer = ask().map_err(|error| format!("{path}: {error}"))?;
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        serde_json::from_str(body).map_err(|error| format!("{path} answered {answer:?}: {error}"))
    }

    pub fn ledger(&self) -> Result<Vec<Value>> {
        match self.get("/_sandbox/ledger")? {
            Value::Array(entries) => Ok(entries),
            other => Err(format!("the ledger is not a list: {other}")),
        }
    }

    /// Makes sure that the purchase, and nothing else, was deducted since the balance was `before`; gives the balance now.
    fn deducted_once(&self, purchase: &str, before: i64) -> Result<i64> {
        let ledger = self.ledger()?;
        let deducted: Vec<&Value> = ledger.iter().filter(|entry| entry["kind"] == "deduct").collect();
        let after = self.balance()?;
        match deducted.as_slice() {
            [entry] if entry["purchaseId"] == purchase && entry["points"] == COST && before - after == COST => {
                Ok(after)
            }
            _ => Err(format!(
                "one deduction of {COST} points for {purchase} was due; the balance went from {before} to {after} by {}",
                serde_json::json!(deducted)
            )),
        }
    }

    /// The member's points.
    fn balance(&self) -> Result<i64> {
        let state = self.get("/_sandbox/state")?;
        let members = state["members"].as_array().ok_or("the sandbox lists no members")?;
        let member = members.iter().find(|member| member["contactId"] == MEMBER);
        member
            .and_then(|member| member["balance"].as_i64())
            .ok_or_else(|| format!("the sandbox does not tell the balance of {MEMBER}"))
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
