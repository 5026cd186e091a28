//! A person at a real till is led through the scenarios, in the terminal and on the dashboard of
//! the scenario's sandbox. A choice counts wherever it is made first.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::press::Config;
use super::till::ReportedOutcome;

/// The person's terminal, and what its reader knows already.
#[derive(Debug, Default)]
pub(crate) struct Terminal {
    state: Mutex<State>,
    chosen: Condvar,
}

#[derive(Debug, Default)]
struct State {
    config: Option<Config>,
    dashboard: String,
    guide: Guide,
    /// The number of questions.
    asked: u64,
    /// The choices that were typed or clicked and not taken yet.
    choices: VecDeque<String>,
    reads: bool,
    skip: bool,
    closed: bool,
}

/// What the dashboard shows of the certification.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guide {
    /// The scenario, and its number of how many.
    pub scenario: String,
    /// What the person is to do, line by line.
    pub steps: Vec<String>,
    pub question: Option<Question>,
}

/// A question, and the choices: what is typed, and what it means.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    /// A choice to an earlier question does not count.
    pub number: u64,
    pub text: String,
    pub choices: &'static [(&'static str, &'static str)],
}

/// The choices to the question for the outcome.
const OUTCOMES: [(&str, &str); 6] = [
    ("c", "completed"),
    ("d", "declined"),
    ("p", "pending"),
    ("n", "not sent"),
    ("o", "other"),
    ("s", "skip the scenario"),
];

impl Terminal {
    /// Begins a scenario.
    pub fn begin(&self, name: &str, title: &str, number: usize, of: usize) {
        println!("\n== {name}: {title}");
        let mut state = self.state();
        state.guide.scenario = format!("{number} of {of}: {title}");
        state.guide.steps.clear();
    }

    /// Names the dashboard, if its address has changed.
    pub fn show_dashboard(&self, url: &str) {
        let mut state = self.state();
        if state.dashboard != url {
            println!("The same on the dashboard: {url}");
            url.clone_into(&mut state.dashboard);
        }
    }

    /// Instructs the person what to do.
    pub fn instruct(&self, lines: &[String]) {
        println!("{}", lines.join("\n"));
        self.state().guide.steps = lines.to_vec();
    }

    /// Shows the till's configuration, if it has changed.
    pub fn configure(&self, config: &Config) {
        let mut state = self.state();
        if state.config.as_ref() == Some(config) {
            return;
        }
        state.config = Some(config.clone());
        drop(state);
        let [url, ca, key, _] = config;
        self.instruct(&[
            "Configure the till, and start it again:".to_owned(),
            format!("  URL              {url}"),
            format!("  root certificate {ca}"),
            format!("  API key          {key}"),
        ]);
        self.confirm("Press Enter when the till is ready.");
    }

    /// Asks for the outcome that the cashier has seen.
    pub fn ask_outcome(&self) -> ReportedOutcome {
        loop {
            let listed: Vec<String> = OUTCOMES.iter().map(|(typed, means)| format!("{typed} {means}")).collect();
            let choice = self.ask("What did the cashier see?", &format!(" {}:", listed.join(", ")), &OUTCOMES);
            match choice.as_deref().map(str::trim) {
                Some("c") => return ReportedOutcome::Completed,
                Some("d") => return ReportedOutcome::Declined,
                Some("p") => return ReportedOutcome::Pending,
                Some("n") => return ReportedOutcome::NotSent,
                Some("o") => return ReportedOutcome::Other(1),
                Some("s") => {
                    self.state().skip = true;
                    return ReportedOutcome::Killed;
                }
                Some(_) => {}
                None => return ReportedOutcome::Killed,
            }
        }
    }

    /// Waits until the person has done something.
    pub fn confirm(&self, what: &str) {
        let _ = self.ask(what, "", &[("", "Done")]);
    }

    /// Returns whether the person has left the scenario out. The next scenario begins anew.
    pub fn take_skip(&self) -> bool {
        std::mem::take(&mut self.state().skip)
    }

    /// Returns whether the person has left this scenario out.
    pub fn skips(&self) -> bool {
        self.state().skip
    }

    /// Returns whether nobody reads the terminal any more.
    pub fn is_closed(&self) -> bool {
        self.state().closed
    }

    /// Returns what the dashboard shows.
    pub fn guide(&self) -> Guide {
        self.state().guide.clone()
    }

    /// Takes a choice from the dashboard. Returns whether it is one to the present question.
    pub fn choice(&self, number: u64, choice: &str) -> bool {
        let mut state = self.state();
        let question = state.guide.question.take_if(|question| {
            question.number == number && question.choices.iter().any(|(typed, _)| *typed == choice)
        });
        if question.is_some() {
            println!("{choice}");
            state.choices.push_back(choice.to_owned());
            self.chosen.notify_all();
        }
        question.is_some()
    }

    /// Asks, and waits for the choice. `hint` is printed only. `None`: the terminal was closed.
    fn ask(&self, question: &str, hint: &str, choices: &'static [(&'static str, &'static str)]) -> Option<String> {
        let mut state = self.state();
        state.asked += 1;
        state.guide.question = Some(Question { number: state.asked, text: question.to_owned(), choices });
        print!("{question}{hint} ");
        let _ = io::stdout().flush();
        let waits = |state: &mut State| state.choices.is_empty() && !state.closed;
        state = self.chosen.wait_while(state, waits).unwrap_or_else(PoisonError::into_inner);
        state.guide.question = None;
        state.choices.pop_front()
    }

    /// Reads the terminal in a thread of its own, once.
    pub fn read(self: &Arc<Terminal>) {
        if std::mem::replace(&mut self.state().reads, true) {
            return;
        }
        let terminal = Arc::clone(self);
        thread::spawn(move || {
            loop {
                let mut line = String::new();
                let ended = io::stdin().read_line(&mut line).unwrap_or(0) == 0;
                let mut state = terminal.state();
                if ended {
                    state.closed = true;
                } else {
                    state.choices.push_back(line);
                }
                terminal.chosen.notify_all();
                if ended {
                    return;
                }
            }
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
