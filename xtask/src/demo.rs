//! The main use, end to end: a POS in C buys a reward from the sandbox over HTTPS.
//! The POS is compiled against the public header and linked with the shared library.
//! The sandbox's ledger proves the deduction.

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
    step(1, "install the missing tools");
    setup::install(&[setup::DEMO])?;

    step(2, "build the library and the sandbox");
    run(cargo().args(["build", "--workspace"]))?;
    let built = target().join("debug");

    step(3, "compile the POS with the public header and the shared library");
    let work = fresh_folder()?;
    let pos = compile_pos(&work, &built)?;

    step(4, "start the sandbox with TLS");
    let sandbox = Sandbox::start(&built.join("engage-sandbox"), &work)?;
    println!("      {} (root certificate: {})", sandbox.https, shown(&sandbox.ca));

    step(5, "the POS buys a reward");
    let before = sandbox.balance()?;
    let purchase = sell(&pos, &sandbox, &work)?;
    sandbox.deducted_once(&purchase, before)?;

    step(6, "the cashier presses again for the same sale");
    let again = sell(&pos, &sandbox, &work)?;
    if again != purchase {
        return Err(format!("the second press made another purchase: {again} instead of {purchase}"));
    }

    step(7, "the sandbox's ledger");
    for entry in sandbox.ledger()? {
        println!("      {entry}");
    }
    let after = sandbox.deducted_once(&purchase, before)?;
    drop(sandbox);
    let _ = fs::remove_dir_all(&work);
    println!(
        "\nThe POS bought a reward over HTTPS. Pressed twice, deducted once: {before} points before, {after} after."
    );
    Ok(())
}

fn step(number: u8, name: &str) {
    println!("[{number}/7] {name}");
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// Makes a folder for this run only, below cargo's.
fn fresh_folder() -> Result<PathBuf> {
    let folder = target().join("demo").join(std::process::id().to_string());
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(folder)
}

fn compile_pos(work: &Path, built: &Path) -> Result<PathBuf> {
    let pos = work.join("pos");
    let library = work.join("lib");
    fs::create_dir_all(&library).map_err(|error| error.to_string())?;
    // Like an installed package: the loader uses the numbered name, the linker the other.
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
    cc.arg(&pos).arg("-L").arg(&library).arg("-lengage_point_shop").arg(format!("-Wl,-rpath,{}", library.display()));
    run(cc.args(cjson.split_whitespace()))?;
    Ok(pos)
}

/// Makes the POS sell, and returns the purchase id that the POS printed.
fn sell(pos: &Path, sandbox: &Sandbox, work: &Path) -> Result<String> {
    let mut command = Command::new(pos);
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
    id.map(str::to_owned).ok_or_else(|| "the POS printed no purchase".to_owned())
}

/// The sandbox's process. Dropping it ends the process.
pub struct Sandbox {
    process: Child,
    pub http: String,
    pub https: String,
    pub ca: PathBuf,
    pub key: String,
}

impl Sandbox {
    pub fn start(program: &Path, work: &Path) -> Result<Self> {
        Self::start_by(Command::new(program), &work.join("sandbox-ca.pem"))
    }

    /// Starts a sandbox by a command, which writes its root certificate to `ca`.
    pub fn start_by(mut command: Command, ca: &Path) -> Result<Self> {
        let mut process = command
            // The process of the command may be an emulator's, whose end does not end the sandbox.
            .args(["--until-stdin-closes", "--http", "0", "--https", "0", "--ca-out"])
            .arg(ca)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("the sandbox could not be started: {error}"))?;
        let mut line = String::new();
        if let Some(stdout) = process.stdout.take() {
            // The line stays empty if the sandbox ends before it is ready.
            let _ = BufReader::new(stdout).read_line(&mut line);
        }
        let value = |name: &str| {
            let value = line.split_whitespace().find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
            value.map(str::to_owned).ok_or_else(|| format!("the sandbox printed {line:?} instead of its addresses"))
        };
        // Constructed before the values are read, so that an error ends the process.
        let mut sandbox =
            Self { process, http: String::new(), https: String::new(), ca: PathBuf::new(), key: String::new() };
        sandbox.http = value("http")?;
        sandbox.https = value("https")?;
        sandbox.ca = value("ca")?.into();
        sandbox.key = value("key")?;
        Ok(sandbox)
    }

    /// Reads JSON from the sandbox's own interface.
    fn get(&self, path: &str) -> Result<Value> {
        let address = self.http.trim_start_matches("http://");
        let request = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(address)?;
            write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
            let mut response = String::new();
            stream.read_to_string(&mut response)?;
            Ok(response)
        };
        let response = request().map_err(|error| format!("{path}: {error}"))?;
        let body = response.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        serde_json::from_str(body).map_err(|error| format!("{path}: the response {response:?} is no JSON: {error}"))
    }

    pub fn ledger(&self) -> Result<Vec<Value>> {
        match self.get("/_sandbox/ledger")? {
            Value::Array(entries) => Ok(entries),
            other => Err(format!("the ledger is not a list: {other}")),
        }
    }

    /// Checks that only this purchase was deducted from the balance `before`; returns the present
    /// balance.
    fn deducted_once(&self, purchase: &str, before: i64) -> Result<i64> {
        let ledger = self.ledger()?;
        let deducted: Vec<&Value> = ledger.iter().filter(|entry| entry["kind"] == "deduct").collect();
        let after = self.balance()?;
        match deducted.as_slice() {
            [entry] if entry["purchaseId"] == purchase && entry["points"] == COST && before - after == COST => {
                Ok(after)
            }
            _ => Err(format!(
                "expected one deduction of {COST} points for {purchase}; the balance went from {before} to {after} by {}",
                serde_json::json!(deducted)
            )),
        }
    }

    /// Returns the member's points.
    fn balance(&self) -> Result<i64> {
        let state = self.get("/_sandbox/state")?;
        let members = state["members"].as_array().ok_or("the sandbox lists no members")?;
        let member = members.iter().find(|member| member["contactId"] == MEMBER);
        member
            .and_then(|member| member["balance"].as_i64())
            .ok_or_else(|| format!("the sandbox's state has no balance of {MEMBER}"))
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}
