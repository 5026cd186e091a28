//! The command line of the sandbox: starts and stops a sandbox, judges tills, or certifies a till.
//! A started sandbox prints one line for programs. Errors go to standard error.

mod commands;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

use clap::{Parser, Subcommand};
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
    /// The address for HTTP
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    http: SocketAddr,
    /// The address for HTTPS
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
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
    /// Allow addresses that other computers can reach
    #[arg(long)]
    allow_non_loopback: bool,
    /// Stop when standard input is closed
    #[arg(long)]
    until_stdin_closes: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Certify(Box<commands::certify::Options>),
    VerifyCertificate(commands::certificate::Options),
    Judge(commands::judge::Options),
}

fn api_key(text: &str) -> Result<String, &'static str> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(text.to_owned())
    } else {
        Err("a key must be one or more visible ASCII characters")
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    let result = match &options.command {
        None => serve(options).map(|()| 0),
        Some(Command::Certify(options)) => commands::certify::run(options),
        Some(Command::VerifyCertificate(options)) => commands::certificate::run(options),
        Some(Command::Judge(options)) => commands::judge::run(options).map(|pass| u8::from(!pass)),
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
    if let Some(path) = &options.ca_out {
        builder = builder.ca_out(path);
    }

    let failed = |error: io::Error| (1, error.to_string());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    runtime
        .block_on(async {
            // The signal handlers are set before the line is printed, because its reader may stop
            // the sandbox at once.
            let stop = stop_requested(options.until_stdin_closes)?;
            let sandbox = builder.try_start()?;
            let mut out = io::stdout();
            writeln!(
                out,
                "engage-sandbox ready http={} https={} ca={} key={}",
                sandbox.http_url(),
                sandbox.https_url(),
                sandbox.ca_file().display(),
                sandbox.api_key()
            )?;
            out.flush()?;
            stop.await;
            Ok(())
        })
        .map_err(failed)
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
