//! The vendor's till program: a command line with placeholders. The program is started, awaited,
//! and killed like in a power cut.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The placeholders and their environment variables.
pub const PLACEHOLDERS: [(&str, &str); 9] = [
    ("{url}", "ENGAGE_URL"),
    ("{ca}", "ENGAGE_CA"),
    ("{key}", "ENGAGE_KEY"),
    ("{contact}", "ENGAGE_CONTACT"),
    ("{item}", "ENGAGE_ITEM"),
    ("{reference}", "ENGAGE_REFERENCE"),
    ("{journal}", "ENGAGE_JOURNAL"),
    ("{wait}", "ENGAGE_WAIT_MS"),
    ("{export}", "ENGAGE_EXPORT"),
];

/// A command line with placeholders.
#[derive(Clone, Debug)]
pub struct Template(Vec<String>);

/// The reason why a command line is invalid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadTemplate(String);

impl fmt::Display for BadTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Template {
    /// Returns the template of a program and its arguments.
    pub fn new(arguments: Vec<String>) -> Result<Template, BadTemplate> {
        if arguments.first().is_none_or(String::is_empty) {
            return Err(BadTemplate("the till program is missing. Add -- COMMAND".to_owned()));
        }
        for argument in &arguments {
            for part in argument.split('{').skip(1) {
                let Some((name, _)) = part.split_once('}') else { continue };
                let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase());
                let placeholder = format!("{{{name}}}");
                if is_name && PLACEHOLDERS.iter().all(|(known, _)| *known != placeholder) {
                    let known: Vec<&str> = PLACEHOLDERS.iter().map(|(known, _)| *known).collect();
                    return Err(BadTemplate(format!(
                        "the placeholder {placeholder} is unknown. Use one of {}",
                        known.join(", ")
                    )));
                }
            }
        }
        Ok(Template(arguments))
    }

    /// Returns whether the command line has this placeholder.
    pub(super) fn mentions(&self, placeholder: &str) -> bool {
        self.0.iter().any(|argument| argument.contains(placeholder))
    }

    /// Returns the program's name.
    pub(super) fn program(&self) -> &str {
        &self.0[0]
    }

    /// Starts the program. A file receives its output.
    pub(super) fn start(&self, values: &[String; 9], output: &Path) -> io::Result<Running> {
        let filled = |argument: &String| {
            PLACEHOLDERS
                .iter()
                .zip(values)
                .fold(argument.clone(), |argument, ((name, _), value)| argument.replace(name, value))
        };
        let mut command = Command::new(filled(&self.0[0]));
        command.args(self.0[1..].iter().map(filled));
        command.envs(PLACEHOLDERS.iter().map(|(_, variable)| variable).zip(values));
        let file = File::create(output)?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        // The process group makes it possible to kill the program's children too.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        Ok(Running { child: command.spawn()?, began: Instant::now(), output: output.to_owned() })
    }
}

/// Formats the command line with spaces.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

/// A running program. Dropping it kills it.
pub(super) struct Running {
    child: Child,
    began: Instant,
    output: PathBuf,
}

impl Running {
    /// Waits until the program ends. Kills the program once it has run for `limit`.
    pub fn wait(mut self, limit: Duration) -> Exit {
        let reported = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break ReportedOutcome::of(status),
                Ok(None) if self.began.elapsed() < limit => thread::sleep(Duration::from_millis(5)),
                _ => break ReportedOutcome::TimedOut,
            }
        };
        self.ended(reported)
    }

    /// Kills the program, like in a power cut.
    pub fn kill(mut self) -> Exit {
        // The program may have ended just before.
        let reported = self.child.try_wait().ok().flatten().map_or(ReportedOutcome::Killed, ReportedOutcome::of);
        self.ended(reported)
    }

    fn ended(mut self, reported: ReportedOutcome) -> Exit {
        let took = self.began.elapsed();
        self.end();
        let printed = fs::read(&self.output).unwrap_or_default();
        let tail = &printed[printed.len().saturating_sub(4096)..];
        Exit { reported, took, printed: String::from_utf8_lossy(tail).trim_end().to_owned() }
    }

    fn end(&mut self) {
        #[cfg(unix)]
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// The end of a program.
pub(super) struct Exit {
    pub reported: ReportedOutcome,
    pub took: Duration,
    /// The end of the program's output.
    pub printed: String,
}

/// The outcome that a press reports to the cashier: the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportedOutcome {
    /// Exit code 0.
    Completed,
    /// Exit code 10.
    Declined,
    /// Exit code 11.
    Pending,
    /// Exit code 12.
    NotSent,
    /// Any other exit code; -1: an end without one, such as a crash.
    Other(i32),
    /// The program was killed, like in a power cut.
    Killed,
    /// The program did not end in time.
    TimedOut,
}

impl ReportedOutcome {
    fn of(status: ExitStatus) -> ReportedOutcome {
        match status.code() {
            Some(0) => ReportedOutcome::Completed,
            Some(10) => ReportedOutcome::Declined,
            Some(11) => ReportedOutcome::Pending,
            Some(12) => ReportedOutcome::NotSent,
            code => ReportedOutcome::Other(code.unwrap_or(-1)),
        }
    }
}

impl fmt::Display for ReportedOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReportedOutcome::Completed => f.write_str("completed (0)"),
            ReportedOutcome::Declined => f.write_str("declined (10)"),
            ReportedOutcome::Pending => f.write_str("pending (11)"),
            ReportedOutcome::NotSent => f.write_str("not sent (12)"),
            ReportedOutcome::Other(-1) => f.write_str("no outcome: it crashed"),
            ReportedOutcome::Other(code) => write!(f, "exit code {code}"),
            ReportedOutcome::Killed => f.write_str("no outcome: it was killed"),
            ReportedOutcome::TimedOut => f.write_str("no outcome in time"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_with_an_unknown_placeholder_is_rejected() {
        let template =
            |arguments: &[&str]| Template::new(arguments.iter().map(|&argument| argument.to_owned()).collect());
        assert!(template(&["till", "--url={url}", "{\"json\": 1}", "${HOME}", "{}"]).is_ok());
        let rejected = |arguments: &[&str]| template(arguments).unwrap_err().to_string();
        assert!(
            rejected(&["till", "{member}"]).starts_with("the placeholder {member} is unknown. Use one of {url}, {ca},")
        );
        assert_eq!(rejected(&[]), "the till program is missing. Add -- COMMAND");
    }
}
