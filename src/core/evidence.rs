//! What an HTTP response, or its absence, proves about an operation.

use super::code::Code;
use super::domain::Millis;
use super::error::Detail;

/// What an attempt or a status query has proven.
#[derive(Debug, Clone)]
pub(crate) enum Evidence {
    /// Engage has completed the operation.
    Completed {
        /// Engage's own JSON: the purchase or the reward. Empty where the response had no body.
        response: String,
    },
    /// Engage has declined the attempt.
    Declined(Reason),
    /// Bytes of the request may have left, and nothing else is proven.
    InDoubt(Reason),
    /// No byte of the request has left the till.
    NotSent(Reason),
    /// A status query: the history does not hold the purchase, or the reward is not redeemed.
    Absent,
    /// A status query of a redeem: nothing is proven, because the reward is not in the list.
    Unseen,
    /// The reward is redeemed, by this till or by somebody else.
    Redeemed(Redemption),
}

/// A reward that is redeemed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Redemption {
    /// The reward as Engage sent it, if a status query has read it.
    pub reward: Option<String>,
    /// The time of the redeem, by Engage's clock.
    pub on: Option<Millis>,
    /// The response's status and code.
    pub detail: Detail,
}

/// Why an operation is not completed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reason {
    /// The code that the caller gets.
    pub code: Code,
    /// The response's status and code, if there was one.
    pub detail: Detail,
    /// The failure in text, outermost first.
    pub cause: Vec<String>,
}

impl Evidence {
    /// Returns the code that a log line shows.
    pub fn code(&self) -> Code {
        match self {
            Evidence::Completed { .. } => Code::Ok,
            Evidence::Declined(reason) | Evidence::InDoubt(reason) | Evidence::NotSent(reason) => reason.code,
            Evidence::Absent | Evidence::Unseen => Code::Pending,
            Evidence::Redeemed(_) => Code::AlreadyRedeemed,
        }
    }
}

impl Reason {
    /// Makes a reason that has a code only.
    pub fn of(code: Code) -> Self {
        Self { code, detail: Detail::default(), cause: Vec::new() }
    }
}
