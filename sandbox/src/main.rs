//! The command line of the sandbox: starts and stops a sandbox, judges tills, or certifies a till.
//! A started sandbox prints one line for programs. Errors go to standard error.

mod commands;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use commands::{BAD_ARGUMENT, Failed};
use engage_sandbox::{Sandbox, Script, Seed};
use tokio::sync::oneshot;

/// An Engage Point Shop for tests and trials: a ledger, the documented semantics, and faults on
/// request.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    /// The address for HTTP, or the port on this computer; 0: a free port
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8600", value_parser = address)]
    http: SocketAddr,
    /// The address for HTTPS, or the port on this computer; 0: a free port
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8643", value_parser = address)]
    https: SocketAddr,
    /// An additional file for the root certificate [default: only in a temporary directory, removed
    /// on exit]
    #[arg(long, value_name = "PATH")]
    ca_out: Option<PathBuf>,
    /// The folder of the root certificate and its key [default: FILE-ca beside the state file]
    #[arg(long, value_name = "DIR")]
    ca_dir: Option<PathBuf>,
    /// The file of the stores, created if it does not exist [default: the stores end with the
    /// sandbox]
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// The members and items at the start, as JSON [default: the demo's]
    #[arg(long, value_name = "FILE")]
    seed: Option<PathBuf>,
    /// The script that is applied at the start, as JSON or YAML
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// The API key of requests; may be repeated, and each key has a store of its own
    #[arg(long, default_value = "demo-key", value_parser = api_key)]
    key: Vec<String>,
    /// The journal of the dashboard's till [default: in a temporary directory, removed on exit]
    #[arg(long, value_name = "FILE")]
    till_journal: Option<PathBuf>,
    /// Allow addresses that other computers can reach
    #[arg(long)]
    allow_non_loopback: bool,
    #[command(flatten)]
    printed: Printed,
    /// Stop when standard input is closed
    #[arg(long)]
    until_stdin_closes: bool,
}

/// The text at the start.
#[derive(Debug, clap::Args)]
struct Printed {
    /// Print the line at the start as JSON, with the configuration of a till
    #[arg(long, conflicts_with = "print_env")]
    json: bool,
    /// Print the lines at the start as environment variables of a shell
    #[arg(long)]
    print_env: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Certify(Box<commands::certify::Options>),
    VerifyCertificate(commands::certificate::Options),
    Judge(commands::judge::Options),
    #[command(flatten)]
    Control(commands::control::Command),
}

/// The http address of a sandbox that was started without options.
pub const DEFAULT_URL: &str = "http://127.0.0.1:8600";

/// Parses an address, or a port of this computer.
fn address(text: &str) -> Result<SocketAddr, String> {
    match text.parse::<u16>() {
        Ok(port) => Ok(SocketAddr::from(([127, 0, 0, 1], port))),
        Err(_) => text.parse().map_err(|_| "use an address such as 127.0.0.1:8600, or a port such as 8600".to_owned()),
    }
}

fn api_key(text: &str) -> Result<String, &'static str> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(text.to_owned())
    } else {
        Err("a key must be one or more visible ASCII characters")
    }
}

fn main() -> ExitCode {
    let command = Options::command().mut_subcommand("arm", |arm| arm.after_help(commands::control::effects()));
    let options = Options::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit());
    let result = match &options.command {
        None => serve(options).map(|()| 0),
        Some(Command::Certify(options)) => commands::certify::run(options),
        Some(Command::VerifyCertificate(options)) => commands::certificate::run(options),
        Some(Command::Judge(options)) => commands::judge::run(options).map(|pass| u8::from(!pass)),
        Some(Command::Control(command)) => commands::control::run(command).map(|()| 0),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err((code, message)) => {
            eprintln!("engage-sandbox: {message}");
            ExitCode::from(code)
        }
    }
}

fn serve(options: Options) -> Result<(), Failed> {
    for address in [options.http, options.https] {
        if !address.ip().is_loopback() && !options.allow_non_loopback {
            let message =
                format!("other computers can reach {address}. Use a loopback address, or add --allow-non-loopback");
            return Err((BAD_ARGUMENT, message));
        }
        if !address.ip().is_loopback() {
            eprintln!(
                "engage-sandbox: other computers can reach {address}, and everybody who can may change the sandbox"
            );
        }
    }
    let mut builder = Sandbox::builder().http(options.http).https(options.https);
    if let Some((first, more)) = options.key.split_first() {
        builder = more.iter().fold(builder.key(first), |builder, key| builder.another_key(key));
    }
    if let Some(path) = options.seed {
        let bad = |what: &dyn std::fmt::Display| (BAD_ARGUMENT, format!("--seed {}: {what}", path.display()));
        let json = std::fs::read_to_string(&path).map_err(|error| bad(&error))?;
        builder = builder.seed(Seed::from_json(&json).map_err(|error| bad(&error))?);
    }
    if let Some(path) = options.script {
        let bad = |what: &dyn std::fmt::Display| (BAD_ARGUMENT, format!("--script {}: {what}", path.display()));
        let text = std::fs::read_to_string(&path).map_err(|error| bad(&error))?;
        builder = builder.script(Script::parse(&text).map_err(|error| bad(&error))?);
    }
    if let Some(path) = &options.state {
        builder = builder.state_file(path);
    }
    if let Some(path) = &options.ca_dir {
        builder = builder.ca_dir(path);
    }
    if let Some(path) = &options.till_journal {
        builder = builder.till_journal(&std::path::absolute(path).map_err(|error| (BAD_ARGUMENT, error.to_string()))?);
    }
    if let Some(path) = &options.ca_out {
        builder = builder.ca_out(path);
    }

    let format = match (options.printed.json, options.printed.print_env) {
        (true, _) => Format::Json,
        (_, true) => Format::Environment,
        _ => Format::Line,
    };
    let failed = |error: io::Error| (1, error.to_string());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    runtime
        .block_on(async {
            // The signal handlers are set before the line is printed, because its reader may stop
            // the sandbox at once.
            let stop = stop_requested(options.until_stdin_closes)?;
            let sandbox = builder.try_start()?;
            let mut out = io::stdout();
            writeln!(out, "{}", started(&sandbox, format))?;
            out.flush()?;
            stop.await;
            Ok(())
        })
        .map_err(failed)
}

/// The format of the text that a started sandbox prints.
#[derive(Clone, Copy)]
enum Format {
    Line,
    Json,
    Environment,
}

/// Returns the text that a started sandbox prints.
fn started(sandbox: &Sandbox, format: Format) -> String {
    let (http, https, key) = (sandbox.http_url(), sandbox.https_url(), sandbox.api_key());
    let ca = sandbox.ca_file().display().to_string();
    let till = serde_json::json!({
        "baseUrl": https,
        "apiKey": key,
        "caFile": ca,
        "userAgent": "MyTill/1.0",
        "journalPath": std::path::absolute("journal.db").unwrap_or_default(),
    });
    match format {
        Format::Line => format!("engage-sandbox ready http={http} https={https} ca={ca} key={key}"),
        Format::Json => {
            serde_json::json!({ "http": http, "https": https, "ca": ca, "key": key, "till": till }).to_string()
        }
        Format::Environment => {
            let till = till.to_string();
            let values = [
                ("ENGAGE_SANDBOX", &http),
                ("ENGAGE_URL", &https),
                ("ENGAGE_CA", &ca),
                ("ENGAGE_KEY", &key.to_owned()),
                ("ENGAGE_CONFIG", &till),
            ];
            let line = |(name, value): (&str, &String)| format!("export {name}='{}'", value.replace('\'', r"'\''"));
            values.map(line).join("\n")
        }
    }
}

/// Returns a future that ends at a signal to stop or, on request, at the end of standard input.
fn stop_requested(watch_stdin: bool) -> io::Result<impl Future<Output = ()>> {
    let mut sigint = signals::signal_int()?;
    let mut sigterm = signals::signal_term()?;
    let (closed, stdin_closed) = oneshot::channel();
    if watch_stdin {
        thread::spawn(move || {
            let _ = io::copy(&mut io::stdin(), &mut io::sink());
            let _ = closed.send(());
        });
    }
    Ok(async move {
        tokio::select! {
            _ = sigint.recv() => {}
            _ = sigterm.recv() => {}
            Ok(()) = stdin_closed => {}
        }
    })
}

#[cfg(unix)]
mod signals {
    use std::io;
    use tokio::signal::unix::{Signal, SignalKind, signal};

    pub fn signal_int() -> io::Result<Signal> {
        signal(SignalKind::interrupt())
    }

    pub fn signal_term() -> io::Result<Signal> {
        signal(SignalKind::terminate())
    }
}

#[cfg(windows)]
mod signals {
    use std::io;
    use tokio::signal::windows::{CtrlBreak, CtrlC, ctrl_break, ctrl_c};

    pub fn signal_int() -> io::Result<CtrlC> {
        ctrl_c()
    }

    pub fn signal_term() -> io::Result<CtrlBreak> {
        ctrl_break()
    }
}
