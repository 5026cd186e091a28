//! Why a command could not do its work, and the exit codes.

use engage_point_shop::{Code, Error};
use serde_json::{Value, json};
use std::fmt::Display;

/// The exit codes. A script decides by them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    Fine = 0,
    Found = 1,
    Usage = 2,
    Network = 3,
    Credentials = 4,
    Journal = 5,
    Review = 6,
}

#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    pub message: String,
    pub cause: Vec<String>,
    /// The problem object, if the library made one.
    pub problem: Option<Value>,
}

impl Failure {
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), cause: Vec::new(), problem: None }
    }

    /// A file that the command reads or writes.
    pub fn of_file(path: &std::path::Path, error: &dyn Display) -> Self {
        Self::new(Exit::Usage, format!("{}: {error}", path.display()))
    }

    pub fn to_json(&self) -> Value {
        self.problem.clone().unwrap_or_else(|| json!({ "message": self.message, "cause": self.cause }))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            exit: exit_of(error.code()),
            message: error.to_string(),
            cause: error.cause().to_vec(),
            problem: serde_json::from_slice(&error.to_json()).ok(),
        }
    }
}

/// Returns the exit code of a code of the library.
pub fn exit_of(code: Code) -> Exit {
    match (code, code.number()) {
        (Code::Ok, _) => Exit::Fine,
        (Code::Unauthorized | Code::Forbidden | Code::PendingCredentials, _) => Exit::Credentials,
        (Code::PendingNeedsReview | Code::PendingAmbiguous, _) => Exit::Review,
        (Code::StillPending, _) => Exit::Found,
        (_, -199..=-100) | (Code::BadConfig, _) => Exit::Usage,
        (_, -299..=-200 | -499..=-400) => Exit::Network,
        (_, -699..=-600) => Exit::Journal,
        _ => Exit::Found,
    }
}
