//! The vendor's till: a program that makes one sale, a program that keeps running, or a person at a
//! real till.

use std::fmt;
use std::process::{Command, ExitStatus};

use crate::nearest::did_you_mean;

/// The placeholders and their environment variables.
pub const PLACEHOLDERS: [(&str, &str); 12] = [
    ("{url}", "ENGAGE_URL"),
    ("{ca}", "ENGAGE_CA"),
    ("{key}", "ENGAGE_KEY"),
    ("{contact}", "ENGAGE_CONTACT"),
    ("{item}", "ENGAGE_ITEM"),
    ("{reference}", "ENGAGE_REFERENCE"),
    ("{journal}", "ENGAGE_JOURNAL"),
    ("{wait}", "ENGAGE_WAIT_MS"),
    ("{export}", "ENGAGE_EXPORT"),
    ("{shown}", "ENGAGE_SHOWN"),
    ("{port}", "ENGAGE_PORT"),
    ("{pid}", "ENGAGE_PID"),
];

/// The values of the placeholders, in their order.
pub(super) type Values = [String; PLACEHOLDERS.len()];

/// The till to certify.
#[derive(Clone, Debug)]
pub enum Till {
    /// A program that makes one sale and ends.
    OneShot(Template),
    /// A program that keeps running.
    Resident(Resident),
    /// A real till and a person, who is asked in the terminal.
    Manual,
}

/// A till program that keeps running.
#[derive(Clone, Debug)]
pub struct Resident {
    /// Starts the till. The command runs as long as the till.
    pub start: Template,
    /// Kills the till like a power cut. `None`: the started program is killed with its children.
    pub kill: Option<Template>,
    /// Makes one sale.
    pub sell: Sell,
}

/// The way in which a resident till makes a sale.
#[derive(Clone, Debug)]
pub enum Sell {
    /// A POST request to this URL, which may have placeholders.
    Http(Template),
    /// A command with the exit code of the outcome.
    Command(Template),
    /// A line to the till's standard input. The till prints a line with the outcome.
    Lines,
}

impl From<Template> for Till {
    fn from(template: Template) -> Till {
        Till::OneShot(template)
    }
}

impl Till {
    /// Returns whether the till's command line has this placeholder.
    pub(super) fn mentions(&self, placeholder: &str) -> bool {
        match self {
            Till::OneShot(template) => template.mentions(placeholder),
            Till::Resident(till) => {
                let sale = till.sell.template();
                till.start.mentions(placeholder) || sale.is_some_and(|sale| sale.mentions(placeholder))
            }
            Till::Manual => false,
        }
    }

    /// Returns the name of the program.
    pub(super) fn program(&self) -> &str {
        match self {
            Till::OneShot(template) => template.program(),
            Till::Resident(till) => till.start.program(),
            Till::Manual => "",
        }
    }

    /// Returns the mode as text.
    pub(super) fn mode(&self) -> &'static str {
        match self {
            Till::OneShot(_) => "one program a sale",
            Till::Resident(_) => "a resident program",
            Till::Manual => "a person at the till",
        }
    }
}

impl Sell {
    /// Returns lines for `-`, an HTTP request for an `http` URL, and otherwise a command.
    pub fn new(text: &str) -> Result<Sell, BadTemplate> {
        if text == "-" {
            return Ok(Sell::Lines);
        }
        let template = Template::of_line(text)?;
        let is_url = text.starts_with("http://");
        Ok(if is_url { Sell::Http(template) } else { Sell::Command(template) })
    }

    fn template(&self) -> Option<&Template> {
        match self {
            Sell::Http(template) | Sell::Command(template) => Some(template),
            Sell::Lines => None,
        }
    }
}

/// Formats the command lines.
impl fmt::Display for Till {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Till::OneShot(template) => template.fmt(f),
            Till::Resident(Resident { start, kill, sell }) => {
                write!(f, "--start '{start}'")?;
                if let Some(kill) = kill {
                    write!(f, " --kill '{kill}'")?;
                }
                match sell.template() {
                    Some(sale) => write!(f, " --sell '{sale}'"),
                    None => f.write_str(" --sell -"),
                }
            }
            Till::Manual => f.write_str("--manual"),
        }
    }
}

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
                    let meant = did_you_mean(&placeholder, known.iter().copied());
                    let known = known.join(", ");
                    return Err(BadTemplate(format!(
                        "the placeholder {placeholder} is unknown. {meant}Use one of {known}"
                    )));
                }
            }
        }
        Ok(Template(arguments))
    }

    /// Splits a command line at spaces. A part in double or single quotes may have spaces.
    pub fn of_line(line: &str) -> Result<Template, BadTemplate> {
        let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
        for character in line.chars() {
            match (character, quote) {
                (end, Some(begin)) if end == begin => quote = None,
                ('"' | '\'', None) => {
                    quote = Some(character);
                    word.get_or_insert_default();
                }
                (' ' | '\t' | '\n', None) => words.extend(word.take()),
                _ => word.get_or_insert_default().push(character),
            }
        }
        if quote.is_some() {
            return Err(BadTemplate(format!("a quote is not closed in: {line}")));
        }
        words.extend(word);
        Template::new(words)
    }

    /// Returns whether the command line has this placeholder.
    pub(super) fn mentions(&self, placeholder: &str) -> bool {
        self.0.iter().any(|argument| argument.contains(placeholder))
    }

    /// Returns the program's name.
    pub(super) fn program(&self) -> &str {
        &self.0[0]
    }

    /// Returns the first word with its values.
    pub(super) fn first(&self, values: &Values) -> String {
        filled(&self.0[0], values)
    }

    /// Returns the command with the values of its placeholders.
    pub(super) fn command(&self, values: &Values) -> Command {
        let mut command = Command::new(self.first(values));
        command.args(self.0[1..].iter().map(|argument| filled(argument, values)));
        command.envs(PLACEHOLDERS.iter().map(|(_, variable)| variable).zip(values));
        command
    }
}

fn filled(argument: &str, values: &Values) -> String {
    let pairs = PLACEHOLDERS.iter().zip(values);
    pairs.fold(argument.to_owned(), |argument, ((name, _), value)| argument.replace(name, value))
}

/// Formats the command line with spaces.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

/// The outcome that a press reports to the cashier: the exit code, or the word of a response.
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
    pub(super) fn of(status: ExitStatus) -> ReportedOutcome {
        match status.code() {
            Some(0) => ReportedOutcome::Completed,
            Some(10) => ReportedOutcome::Declined,
            Some(11) => ReportedOutcome::Pending,
            Some(12) => ReportedOutcome::NotSent,
            code => ReportedOutcome::Other(code.unwrap_or(-1)),
        }
    }

    /// Returns the outcome of this name, as the C API writes it.
    pub(super) fn of_name(name: &str) -> Option<ReportedOutcome> {
        match name {
            "completed" => Some(ReportedOutcome::Completed),
            "declined" => Some(ReportedOutcome::Declined),
            "pending" => Some(ReportedOutcome::Pending),
            "notSent" => Some(ReportedOutcome::NotSent),
            _ => None,
        }
    }
}

impl fmt::Display for ReportedOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReportedOutcome::Completed => f.write_str("completed"),
            ReportedOutcome::Declined => f.write_str("declined"),
            ReportedOutcome::Pending => f.write_str("pending"),
            ReportedOutcome::NotSent => f.write_str("not sent"),
            ReportedOutcome::Other(-1) => f.write_str("no outcome: it crashed"),
            ReportedOutcome::Other(code) => write!(f, "exit code {code}, which is no outcome"),
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

    #[test]
    fn a_line_is_split_at_spaces_outside_quotes() {
        let split = |line| Template::of_line(line).map(|template| template.0).map_err(|bad| bad.to_string());
        assert_eq!(
            split(r#"till  serve "a b" 'c "d"' e\f ''"#).unwrap(),
            ["till", "serve", "a b", "c \"d\"", r"e\f", ""]
        );
        assert_eq!(split("till 'open").unwrap_err(), "a quote is not closed in: till 'open");
        assert_eq!(split(" ").unwrap_err(), "the till program is missing. Add -- COMMAND");
    }
}
