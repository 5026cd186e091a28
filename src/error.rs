//! The one error type: a code, what happened in words, and what is safe to print (invariant 10).
//! It is turned into the problem object of the C API; it never holds the key, a body of an answer, or free text from a server.

use crate::code::Code;
use crate::id::OperationId;
use serde::Serialize;
use std::fmt;

pub type Result<T> = std::result::Result<T, Error>;

/// Why a call did not succeed. Cheap to move: one pointer.
#[derive(Debug, Clone)]
pub struct Error(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    code: Code,
    message: String,
    detail: Detail,
    operation: Option<OperationId>,
    purchase: Option<OperationId>,
    cause: Vec<String>,
}

/// What is known beside the code; all of it may be absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Detail {
    /// The HTTP status that was answered.
    pub http_status: Option<u16>,
    /// Engage's own error code, when it looks like one.
    pub engage_code: Option<String>,
    /// How many requests this operation has made so far.
    pub attempts: u32,
    /// When trying again makes sense, in milliseconds from now.
    pub retry_after_ms: Option<u64>,
}

impl Error {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Error(Box::new(Inner {
            code,
            message: message.into(),
            detail: Detail::default(),
            operation: None,
            purchase: None,
            cause: Vec::new(),
        }))
    }

    /// An error whose words are those of its row in the table.
    pub fn of(code: Code) -> Self {
        Error::new(code, code.row().meaning)
    }

    #[must_use]
    pub fn with_detail(mut self, detail: Detail) -> Self {
        self.0.detail = detail;
        self
    }

    #[must_use]
    pub fn with_cause(mut self, cause: Vec<String>) -> Self {
        self.0.cause = cause;
        self
    }

    #[must_use]
    pub fn with_operation(mut self, operation: OperationId) -> Self {
        self.0.operation = Some(operation);
        self
    }

    /// Of an operation that is a purchase: the purchase's id.
    #[must_use]
    pub fn with_purchase(mut self, purchase: OperationId) -> Self {
        self.0.purchase = Some(purchase);
        self
    }

    pub fn code(&self) -> Code {
        self.0.code
    }

    pub fn message(&self) -> &str {
        &self.0.message
    }

    pub fn detail(&self) -> &Detail {
        &self.0.detail
    }

    pub fn cause(&self) -> &[String] {
        &self.0.cause
    }

    pub fn operation(&self) -> Option<OperationId> {
        self.0.operation
    }

    /// The problem object. Every key is always there; what is not known is null.
    pub fn to_json(&self) -> Vec<u8> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Problem<'a> {
            code: i32,
            name: &'static str,
            outcome: &'static str,
            message: &'a str,
            http_status: Option<u16>,
            engage_code: Option<&'a str>,
            operation_id: Option<OperationId>,
            purchase_id: Option<OperationId>,
            attempts: u32,
            retry_after_ms: Option<u64>,
            cause: &'a [String],
        }
        let row = self.0.code.row();
        let detail = &self.0.detail;
        let problem = Problem {
            code: self.0.code.number(),
            name: row.name,
            outcome: row.outcome.word(),
            message: &self.0.message,
            http_status: detail.http_status,
            engage_code: detail.engage_code.as_deref(),
            operation_id: self.0.operation,
            purchase_id: self.0.purchase,
            attempts: detail.attempts,
            retry_after_ms: detail.retry_after_ms,
            cause: &self.0.cause,
        };
        serde_json::to_vec(&problem).unwrap_or_default()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code.row().name, self.0.message)
    }
}

impl std::error::Error for Error {}

/// The texts of an error and of everything below it, outermost first.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if texts.last() != Some(&text) {
            texts.push(text);
        }
        next = error.source();
    }
    texts
}
