//! A person at a real till is led through the scenarios in the terminal.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use super::press::Config;
use super::till::ReportedOutcome;

/// The terminal, and what its reader knows already.
#[derive(Default)]
pub(super) struct Terminal(Mutex<State>);

#[derive(Default)]
struct State {
    config: Option<Config>,
    skip: bool,
    closed: bool,
}

impl Terminal {
    /// Shows the till's configuration, if it has changed.
    pub fn configure(&self, config: &Config) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.config.as_ref() == Some(config) {
            return;
        }
        let [url, ca, key, _] = config;
        println!(
            "Configure the till, and start it again:\n  URL              {url}\n  root certificate {ca}\n  API key          {key}"
        );
        state.config = Some(config.clone());
        drop(state);
        self.confirm("Press Enter when the till is ready.");
    }

    /// Asks for the outcome that the cashier has seen.
    pub fn ask_outcome(&self) -> ReportedOutcome {
        loop {
            let typed = self.ask("What did the cashier see? c completed, d declined, p pending, n not sent, o other, s skip the scenario:");
            match typed.as_deref().map(str::trim) {
                Some("c") => return ReportedOutcome::Completed,
                Some("d") => return ReportedOutcome::Declined,
                Some("p") => return ReportedOutcome::Pending,
                Some("n") => return ReportedOutcome::NotSent,
                Some("o") => return ReportedOutcome::Other(1),
                Some("s") => {
                    self.0.lock().unwrap_or_else(PoisonError::into_inner).skip = true;
                    return ReportedOutcome::Killed;
                }
                Some(_) => {}
                None => return ReportedOutcome::Killed,
            }
        }
    }

    /// Waits until the person has done something.
    pub fn confirm(&self, what: &str) {
        let _ = self.ask(what);
    }

    /// Returns whether the person has left the scenario out. The next scenario begins anew.
    pub fn take_skip(&self) -> bool {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).skip)
    }

    /// Returns whether the person has left this scenario out.
    pub fn skips(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).skip
    }

    /// Returns whether nobody reads the terminal any more.
    pub fn is_closed(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).closed
    }

    fn ask(&self, question: &str) -> Option<String> {
        print!("{question} ");
        let _ = io::stdout().flush();
        let mut line = String::new();
        let read = io::stdin().read_line(&mut line).unwrap_or(0);
        if read == 0 {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
            return None;
        }
        Some(line)
    }
}
