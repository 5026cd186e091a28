//! What a command prints: text for people, or JSON.

use crate::failure::{Exit, Failure};
use serde_json::{Value, json};
use std::io::{IsTerminal, Write};

/// The result of a command.
#[derive(Debug)]
pub struct Report {
    pub exit: Exit,
    pub json: Value,
    pub text: String,
}

impl Report {
    pub fn new(exit: Exit, json: Value, text: impl Into<String>) -> Self {
        Self { exit, json, text: text.into() }
    }

    /// A command that has printed by itself.
    pub fn silent(exit: Exit) -> Self {
        Self::new(exit, Value::Null, "")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    Green,
    Yellow,
    Red,
    Dim,
}

/// How a command prints.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    json: bool,
    coloured: bool,
}

impl Output {
    pub fn new(json: bool) -> Self {
        let forbidden = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { json, coloured: !json && !forbidden && std::io::stdout().is_terminal() }
    }

    pub fn is_json(self) -> bool {
        self.json
    }

    /// Colours a text, on a terminal only.
    pub fn paint(self, text: &str, colour: Option<Colour>) -> String {
        let number = match colour.filter(|_| self.coloured) {
            None => return text.to_owned(),
            Some(Colour::Green) => 32,
            Some(Colour::Yellow) => 33,
            Some(Colour::Red) => 31,
            Some(Colour::Dim) => 2,
        };
        format!("\x1b[{number}m{text}\x1b[0m")
    }

    pub fn print(self, report: &Report) -> Exit {
        match (self.json, &report.json) {
            (true, Value::Null) | (false, _) => self.write(&report.text),
            (true, json) => self.write(&format!("{json:#}\n")),
        }
        report.exit
    }

    pub fn print_failure(self, failure: &Failure) -> Exit {
        if self.json {
            self.write(&format!("{:#}\n", json!({ "problem": failure.to_json() })));
        }
        eprintln!("eps: {}", failure.message);
        for cause in &failure.cause {
            eprintln!("     {cause}");
        }
        failure.exit
    }

    /// Writes to standard output. A reader that has left, as `head` does, is no error.
    #[allow(clippy::unused_self)] // Printing is the output's.
    pub fn write(self, text: &str) {
        let _ = std::io::stdout().write_all(text.as_bytes()).and_then(|()| std::io::stdout().flush());
    }
}
