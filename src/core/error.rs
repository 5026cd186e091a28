//! The one error type: a code, a message, and details that are safe to print (invariant 10). It
//! becomes the problem object of the C API. It never holds the key, the body of a response, or free
//! text from a server.

use super::code::Code;
use super::id::{InvalidId, OperationId};
use std::fmt;

/// The result of a call of this library.
pub type Result<T> = std::result::Result<T, Error>;

/// The error of a call. It is one pointer, so it is cheap to move.
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
    object: Option<String>,
}

/// Details of an error. All of them may be absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Detail {
    /// The HTTP status of the response.
    pub http_status: Option<u16>,
    /// Engage's own error code, if the response had one.
    pub engage_code: Option<String>,
    /// Number of requests of this operation so far.
    pub attempts: u32,
    /// When a retry makes sense, in ms from now.
    pub retry_after_ms: Option<u64>,
}

impl Error {
    /// Makes an error with a message.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Error(Box::new(Inner {
            code,
            message: message.into(),
            detail: Detail::default(),
            operation: None,
            purchase: None,
            cause: Vec::new(),
            object: None,
        }))
    }

    /// Makes an error with the message of its code's row in the table.
    pub fn of(code: Code) -> Self {
        Error::new(code, code.row().meaning)
    }

    /// Returns the error of a call for which no thread could be started.
    pub fn without_thread(cause: &impl fmt::Display) -> Self {
        Error::new(Code::OutOfMemory, "no thread could be started").with_cause(vec![cause.to_string()])
    }

    /// Sets the details.
    #[must_use]
    pub fn with_detail(mut self, detail: Detail) -> Self {
        self.0.detail = detail;
        self
    }

    /// Sets the cause, outermost first.
    #[must_use]
    pub fn with_cause(mut self, cause: Vec<String>) -> Self {
        self.0.cause = cause;
        self
    }

    /// Sets the operation.
    #[must_use]
    pub fn with_operation(mut self, operation: OperationId) -> Self {
        self.0.operation = Some(operation);
        self
    }

    /// Sets the purchase's id.
    #[must_use]
    pub fn with_purchase(mut self, purchase: OperationId) -> Self {
        self.0.purchase = Some(purchase);
        self
    }

    /// Sets the operation object, JSON: a submitted operation is pending, and is returned too.
    #[must_use]
    pub(crate) fn with_object(mut self, object: Vec<u8>) -> Self {
        self.0.object = String::from_utf8(object).ok();
        self
    }

    /// Returns the operation object, JSON, if there is one.
    pub(crate) fn object(&self) -> Option<&str> {
        self.0.object.as_deref()
    }

    /// Returns the code.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// Returns the message: what is wrong and what to do.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns the details.
    pub fn detail(&self) -> &Detail {
        &self.0.detail
    }

    /// Returns the cause, outermost first.
    pub fn cause(&self) -> &[String] {
        &self.0.cause
    }

    /// Returns the operation's id, if the error is about one.
    pub fn operation(&self) -> Option<OperationId> {
        self.0.operation
    }

    /// Returns the purchase's id, if the error is about a purchase.
    pub fn purchase(&self) -> Option<OperationId> {
        self.0.purchase
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code.row().name, self.0.message)
    }
}

impl std::error::Error for Error {}

impl From<InvalidId> for Error {
    fn from(invalid: InvalidId) -> Self {
        Error::new(invalid.code, invalid.message)
    }
}

/// Returns the texts of an error and of its sources, outermost first.
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use uuid::Uuid;

    #[test]
    fn error_has_everything_that_it_was_given() {
        let [operation, purchase] = [1, 2].map(|id| OperationId::from_uuid(Uuid::from_u128(id)));
        let detail = Detail { http_status: Some(503), ..Detail::default() };
        let error = Error::of(Code::ServerError)
            .with_detail(detail.clone())
            .with_cause(vec!["cause".into()])
            .with_operation(operation)
            .with_purchase(purchase)
            .with_object(b"{}".to_vec());
        assert_eq!((error.detail(), error.cause()), (&detail, &["cause".to_owned()][..]));
        assert_eq!(
            (error.operation(), error.purchase(), error.object()),
            (Some(operation), Some(purchase), Some("{}"))
        );
        assert_eq!(error.to_string(), format!("EPS_SERVER_ERROR: {}", Code::ServerError.row().meaning));
    }

    #[test]
    fn chain_names_each_source_once() {
        #[derive(Debug)]
        struct Layer(&'static str, Option<Box<dyn std::error::Error>>);
        impl fmt::Display for Layer {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.0)
            }
        }
        impl std::error::Error for Layer {
            fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
                self.1.as_deref()
            }
        }
        let inner = Layer("closed", Some(Box::new(io::Error::other("reset"))));
        let error = Layer("failed", Some(Box::new(Layer("closed", Some(Box::new(inner))))));
        assert_eq!(chain(&error), ["failed", "closed", "reset"]);
    }
}
