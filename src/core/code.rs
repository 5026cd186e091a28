//! The table of codes: each number of the C ABI with its name, outcome and meaning. The Rust enum,
//! the header's macros, the documentation and the bindings are made from it or checked against it.

/// What a code says about the points (invariant 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum Outcome {
    /// Engage has completed the operation.
    Completed = 0,
    /// Engage has declined the operation: nothing was deducted.
    Declined = 1,
    /// The outcome is not known yet. The library resolves it.
    Pending = 2,
    /// Nothing that spends has left the till. The POS may try again.
    NotSent = 3,
}

impl Outcome {
    /// Returns the name that the JSON uses.
    pub const fn name(self) -> &'static str {
        match self {
            Outcome::Completed => "completed",
            Outcome::Declined => "declined",
            Outcome::Pending => "pending",
            Outcome::NotSent => "notSent",
        }
    }
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The code.
    pub code: Code,
    /// Its name, as the header has it.
    pub name: &'static str,
    /// What it says about the points.
    pub outcome: Outcome,
    /// Its meaning in one or two sentences.
    pub meaning: &'static str,
}

/// Who acts on a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// The POS goes on.
    Continue,
    /// The cashier informs the member.
    TellMember,
    /// The POS or the cashier may try again.
    Retry,
    /// The administrator mends the till, the network or the key.
    Administrator,
    /// The POS's vendor mends the program.
    FixProgram,
    /// Nobody: the library resolves it.
    Wait,
    /// A person decides about the operation.
    Review,
}

impl Action {
    /// Returns the name that the C API uses.
    pub const fn name(self) -> &'static str {
        match self.c_name().to_str() {
            Ok(name) => name,
            Err(_) => panic!("a name is not UTF-8"),
        }
    }

    /// Returns the name as a C string, for `eps_code_action`.
    pub(crate) const fn c_name(self) -> &'static core::ffi::CStr {
        match self {
            Action::Continue => c"continue",
            Action::TellMember => c"tellMember",
            Action::Retry => c"retry",
            Action::Administrator => c"administrator",
            Action::FixProgram => c"fixProgram",
            Action::Wait => c"wait",
            Action::Review => c"review",
        }
    }
}

impl Row {
    /// Returns who acts on the code: its class says it, with few exceptions.
    pub fn action(&self) -> Action {
        match self.code {
            Code::Closed | Code::StillPending | Code::RewardInUse => Action::Retry,
            Code::PendingNeedsReview | Code::PendingAmbiguous => Action::Review,
            Code::PendingCredentials => Action::Administrator,
            code => action_of_class(code.number()),
        }
    }
}

macro_rules! codes {
    ($($variant:ident = $number:literal, $name:literal, $outcome:ident, $meaning:literal;)*) => {
        /// A numeric result of the C ABI. Numbers are explicit and never used again.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(i32)]
        pub enum Code { $(#[doc = $meaning] $variant = $number,)* }

        /// All codes, in the order of the classes.
        pub const TABLE: &[Row] = &[
            $(Row { code: Code::$variant, name: $name, outcome: Outcome::$outcome, meaning: $meaning },)*
        ];

        /// The names as C strings, for `eps_code_name`.
        pub(crate) const C_NAMES: &[(i32, &core::ffi::CStr)] = &[$(($number, c_string(concat!($name, "\0"))),)*];

        /// The meanings as C strings, for `eps_code_meaning`.
        pub(crate) const C_MEANINGS: &[(i32, &core::ffi::CStr)] = &[$(($number, c_string(concat!($meaning, "\0"))),)*];
    };
}

/// Returns a text that ends in its only NUL as a C string.
const fn c_string(text: &'static str) -> &'static core::ffi::CStr {
    match core::ffi::CStr::from_bytes_with_nul(text.as_bytes()) {
        Ok(text) => text,
        Err(_) => panic!("a text of the table holds a NUL"),
    }
}

codes! {
    Ok = 0, "EPS_OK", Completed, "Completed. A purchase: Engage has completed it.";

    NullArgument = -101, "EPS_NULL_ARGUMENT", NotSent, "A required pointer is NULL; the message names the argument.";
    BadUtf8 = -102, "EPS_BAD_UTF8", NotSent, "An argument is not valid UTF-8; the message names it and the byte.";
    EmptyArgument = -103, "EPS_EMPTY_ARGUMENT", NotSent, "A required argument is empty; the message names it.";
    NotAGuid = -104, "EPS_NOT_A_GUID", NotSent, "An identifier is not a GUID of the form 8-4-4-4-12; the message names it.";
    BadOptions = -105, "EPS_BAD_OPTIONS", NotSent, "options_json is not a JSON object, or a key in it is unknown, of the wrong type or out of range; the message names the key.";
    BadHandle = -106, "EPS_BAD_HANDLE", NotSent, "The pointer is not a client of this library.";
    Closed = -107, "EPS_CLOSED", NotSent, "The client is closed or being closed.";
    PurchaseIdConflict = -108, "EPS_PURCHASE_ID_CONFLICT", NotSent, "This till has used the purchase id for another contact or another item. Use a fresh id.";
    UnknownOperation = -109, "EPS_UNKNOWN_OPERATION", NotSent, "The journal holds no operation of this id.";
    StillPending = -110, "EPS_STILL_PENDING", NotSent, "The operation cannot be acknowledged: its outcome is not known yet.";
    BadLogLevel = -111, "EPS_BAD_LOG_LEVEL", NotSent, "The log level is none of EPS_LOG_OFF to EPS_LOG_DEBUG.";
    ReferenceConflict = -112, "EPS_REFERENCE_CONFLICT", NotSent, "This reference and item already belong to another purchase id, or to a sale of another contact or tenant that is not acknowledged.";
    BadKey = -113, "EPS_BAD_KEY", NotSent, "The key to find a contact by is none of email, mobilePhone, socialSecurityNumber, customKey and any.";
    Forked = -116, "EPS_FORKED", NotSent, "The process was forked from one that had opened a client. Open the first client after the fork, or start a new program.";

    RewardInUse = -114, "EPS_REWARD_IN_USE", NotSent, "Another redeem of this reward, for another reference or channel, is pending on this till. Wait for its outcome.";
    ReferenceReused = -117, "EPS_REFERENCE_REUSED", NotSent, "The reference belongs to an operation that was acknowledged before referenceWindowMs. Put the date and the line into the reference, or leave the reference out and pass a purchase id of your own.";
    NotAPurchase = -115, "EPS_NOT_A_PURCHASE", NotSent, "The operation is a redeem; only a purchase gives a reward.";

    BadConfig = -200, "EPS_BAD_CONFIG", NotSent, "config_json is not a JSON object, or a key in it is missing, unknown, of the wrong type or out of range; the message names the key.";
    AbiMismatch = -210, "EPS_ABI_MISMATCH", NotSent, "The program was compiled against the header of another ABI version.";
    NoCaCertificates = -211, "EPS_NO_CA_CERTIFICATES", NotSent, "No certificate authority could be loaded from caFile or from the operating system.";
    Unauthorized = -212, "EPS_UNAUTHORIZED", Declined, "Engage responded with status 401: the API key is missing, wrong or revoked. Nothing was deducted.";
    Forbidden = -213, "EPS_FORBIDDEN", Declined, "Engage responded with status 403: the API key may not do this. Nothing was deducted.";
    SystemConfiguration = -214, "EPS_SYSTEM_CONFIGURATION", Declined, "InvalidSystemConfiguration: Engage itself is not set up for this; no retry cures it.";
    ProxyLogin = -215, "EPS_PROXY_LOGIN", NotSent, "The proxy requires a user and a password, or rejects the configured ones. Nothing was sent.";

    Declined = -300, "EPS_DECLINED", Declined, "Engage has declined it; httpStatus and engageCode say more. Nothing was deducted.";
    ContactNotFound = -310, "EPS_CONTACT_NOT_FOUND", Declined, "PromotionAssignmentContactNotFound or ContactNotFound: there is no such contact.";
    PromotionNotFound = -311, "EPS_PROMOTION_NOT_FOUND", Declined, "PromotionAssignmentPromotionNotFound: the promotion linked to the item was removed.";
    PromotionExpired = -312, "EPS_PROMOTION_EXPIRED", Declined, "PromotionAssignmentPromotionExpired: the promotion linked to the item has ended.";
    ItemNotFound = -313, "EPS_ITEM_NOT_FOUND", Declined, "404: the item does not exist.";
    PurchaseFailed = -314, "EPS_PURCHASE_FAILED", Declined, "PointShopItemPurchaseFailed, or the purchase's status is Failed.";
    PurchaseNotAllowed = -315, "EPS_PURCHASE_NOT_ALLOWED", Declined, "422: not enough points, not eligible, or outside the item's window.";
    InvalidRequest = -316, "EPS_INVALID_REQUEST", Declined, "400 without a code: for a purchase, its id belongs to another contact.";
    InvalidContact = -317, "EPS_INVALID_CONTACT", Declined, "InvalidContact: Engage does not accept the contact id.";
    InvalidEmail = -318, "EPS_INVALID_EMAIL", Declined, "InvalidEmailAddress: Engage does not accept the e-mail address.";
    InvalidPhone = -319, "EPS_INVALID_PHONE", Declined, "InvalidPhoneNumber: Engage does not accept the phone number.";
    InvalidSocialSecurityNumber = -320, "EPS_INVALID_SOCIAL_SECURITY_NUMBER", Declined, "InvalidSocialSecurityNumber: Engage does not accept the number.";
    InvalidContactType = -321, "EPS_INVALID_CONTACT_TYPE", Declined, "InvalidContactType: Engage does not know the contactType.";
    InvalidSearch = -322, "EPS_INVALID_SEARCH", Declined, "InvalidSearchQuery: Engage does not accept the search.";
    MultipleMatches = -323, "EPS_MULTIPLE_MATCHES", Declined, "MultipleMatches: more than one contact fits; use a key that is unique.";
    InvalidChannel = -324, "EPS_INVALID_CHANNEL", Declined, "NotAValidRedemptionChannel: Engage does not know the channel.";
    InvalidReward = -325, "EPS_INVALID_REWARD", Declined, "InvalidPromotionIdNoData: Engage does not accept the assignment id.";
    RewardNotFound = -326, "EPS_REWARD_NOT_FOUND", Declined, "PromotionNotFound, or 404: there is no such reward. A promotionId is no assignment id.";
    RewardNotOfContact = -327, "EPS_REWARD_NOT_OF_CONTACT", Declined, "PromotionNotAssociatedWithContact: the reward is not this member's.";
    AlreadyRedeemed = -328, "EPS_ALREADY_REDEEMED", Declined, "PromotionAlreadyRedeemed: the reward was used before, and not by this operation.";
    RewardNotForChannel = -329, "EPS_REWARD_NOT_FOR_CHANNEL", Declined, "PromotionNotValidForRedemptionChannel: the reward cannot be used on this channel.";

    Offline = -411, "EPS_OFFLINE", NotSent, "No connection to the server could be made.";
    DnsFailed = -412, "EPS_DNS_FAILED", NotSent, "The server's name could not be resolved.";
    TlsFailed = -413, "EPS_TLS_FAILED", NotSent, "The TLS handshake failed; cause names the reason to its last link.";
    TimedOut = -414, "EPS_TIMED_OUT", NotSent, "The wait ended: a read has no response, or a purchase was withdrawn before anything was sent.";
    Cancelled = -415, "EPS_CANCELLED", NotSent, "eps_cancel: a read has no response, or a purchase was withdrawn before anything was sent.";
    RateLimited = -416, "EPS_RATE_LIMITED", NotSent, "429 to a read: too many requests with this API key; retryAfterMs says when to try again if Engage said so.";
    InvalidResponse = -417, "EPS_INVALID_RESPONSE", NotSent, "The response to a read is not Engage's JSON: a web page, cut off, or of another shape.";
    ResponseTooLarge = -418, "EPS_RESPONSE_TOO_LARGE", NotSent, "The response to a read is larger than maxResponseBytes.";
    ServerError = -419, "EPS_SERVER_ERROR", NotSent, "The server responded to a read with a 5xx status, or with 408 or 425.";
    ConnectionLost = -420, "EPS_CONNECTION_LOST", NotSent, "The connection ended before the response to a read was complete.";
    ProxyFailed = -421, "EPS_PROXY_FAILED", NotSent, "The proxy does not connect to the server; the message has its status. Nothing was sent.";

    OutOfMemory = -422, "EPS_OUT_OF_MEMORY", NotSent, "There was no memory for a response, a list or a thread. Nothing was sent.";

    Pending = -500, "EPS_PENDING", Pending, "The outcome is not known yet; httpStatus and engageCode say more.";
    PendingWaitEnded = -510, "EPS_PENDING_WAIT_ENDED", Pending, "The wait ended before Engage responded. The request goes on and its response is journaled.";
    PendingCancelled = -511, "EPS_PENDING_CANCELLED", Pending, "eps_cancel ended the wait. The request goes on and its response is journaled.";
    PendingConnectionLost = -512, "EPS_PENDING_CONNECTION_LOST", Pending, "The connection ended after the request may have left and before its response came.";
    PendingProcessing = -513, "EPS_PENDING_PROCESSING", Pending, "Engage is still processing it (PointShopItemPurchaseProcessingTimedOut, or status Processing).";
    PendingInvalidResponse = -514, "EPS_PENDING_INVALID_RESPONSE", Pending, "The response is not Engage's (a web page, cut off, another shape), or this version does not know its status.";
    PendingServerError = -515, "EPS_PENDING_SERVER_ERROR", Pending, "A 5xx response: Engage, a gateway or a proxy failed, and the purchase may have been made.";
    PendingAssignmentError = -516, "EPS_PENDING_ASSIGNMENT_ERROR", Pending, "PromotionAssignmentError: an internal error of Engage, to be retried with the same id.";
    PendingRateLimited = -517, "EPS_PENDING_RATE_LIMITED", Pending, "429: too many requests with this API key. The library tries again by itself.";
    PendingNotPersisted = -518, "EPS_PENDING_NOT_PERSISTED", Pending, "The outcome could not be written to the journal. The library queries it again.";
    PendingClosed = -519, "EPS_PENDING_CLOSED", Pending, "The client was closed during the wait. The operation is resolved after the next open.";
    PendingNeedsReview = -520, "EPS_PENDING_NEEDS_REVIEW", Pending, "Older than resendLimitMs, and Engage does not show it: it is not sent again, and a person must decide.";
    PendingCredentials = -521, "EPS_PENDING_CREDENTIALS", Pending, "An earlier attempt may have been processed, and Engage now responds with 401 or 403. Have the administrator check the API key.";
    PendingAmbiguous = -522, "EPS_PENDING_AMBIGUOUS", Pending, "Engage shows a redeemed reward, or after a loss of records a purchase of the same item, and nothing proves whether it is of this operation. A person must decide.";
    PendingSubmitted = -523, "EPS_PENDING_SUBMITTED", Pending, "The operation is durable and is being sent.";
    PendingOutOfMemory = -524, "EPS_PENDING_OUT_OF_MEMORY", Pending, "There was no memory for the response of an attempt.";

    Journal = -600, "EPS_JOURNAL", NotSent, "The journal could not be read or written. Nothing was sent.";
    JournalCannotOpen = -610, "EPS_JOURNAL_CANNOT_OPEN", NotSent, "The journal cannot be opened: no such folder, a folder in its place, no permission.";
    JournalFull = -611, "EPS_JOURNAL_FULL", NotSent, "The disk that holds the journal is full. Nothing was sent.";
    JournalLocked = -612, "EPS_JOURNAL_LOCKED", NotSent, "Another program holds the journal locked. Nothing was sent.";
    JournalNewer = -613, "EPS_JOURNAL_NEWER", NotSent, "The journal was written by a newer version of this library. It was left untouched.";
    JournalDamaged = -614, "EPS_JOURNAL_DAMAGED", NotSent, "The journal is damaged. It was left untouched.";
    JournalForeign = -615, "EPS_JOURNAL_FOREIGN", NotSent, "The file at journalPath belongs to another program. It was left untouched.";
    JournalReadOnly = -616, "EPS_JOURNAL_READ_ONLY", NotSent, "The journal can be read but not written. Nothing was sent.";
    JournalIncomplete = -617, "EPS_JOURNAL_INCOMPLETE", NotSent, "Records are missing (a lost, damaged or older file). The message says since when, and the way out.";
    JournalCopy = -618, "EPS_JOURNAL_COPY", NotSent, "The journal is a copy; see journalRole.";
    JournalSecondCopy = -619, "EPS_JOURNAL_SECOND_COPY", NotSent, "Another copy of this library in this process has the journal open.";
    JournalReplaced = -620, "EPS_JOURNAL_REPLACED", NotSent, "The files on the disk are no longer the ones that are open.";
    JournalUnsafe = -621, "EPS_JOURNAL_UNSAFE", NotSent, "The file is not a regular file, is reached by a link, or belongs to or may be written by others.";
    JournalTimedOut = -622, "EPS_JOURNAL_TIMED_OUT", NotSent, "The disk did not respond within the wait.";

    Internal = -900, "EPS_INTERNAL", Pending, "A fault of this library (a caught panic). If it was a purchase, its outcome is in the journal. Please report it.";
}

impl Code {
    /// Returns the row of this code.
    pub fn row(self) -> &'static Row {
        TABLE.iter().find(|row| row.code == self).expect("every code has its row: one macro makes both")
    }

    /// Returns the code of a number, if the table has it.
    pub fn from_number(number: i32) -> Option<Code> {
        TABLE.iter().find(|row| row.code as i32 == number).map(|row| row.code)
    }

    /// Returns the number that crosses the ABI.
    pub const fn number(self) -> i32 {
        self as i32
    }
}

/// Returns what any number says about the points. A number that this version does not know has the
/// outcome of its class. A number outside of all classes is *pending*, which is never wrong.
pub fn outcome(number: i32) -> Outcome {
    if let Some(code) = Code::from_number(number) {
        return code.row().outcome;
    }
    match number {
        -299..=-100 | -499..=-400 | -699..=-600 => Outcome::NotSent,
        -399..=-300 => Outcome::Declined,
        _ => Outcome::Pending,
    }
}

/// Returns who acts on any number. A number that this version does not know has the action of its
/// class. A number outside of all classes is a fault to report.
pub fn action(number: i32) -> Action {
    Code::from_number(number).map_or_else(|| action_of_class(number), |code| code.row().action())
}

fn action_of_class(number: i32) -> Action {
    match number {
        0 => Action::Continue,
        -299..=-200 | -699..=-600 => Action::Administrator,
        -399..=-300 => Action::TellMember,
        -499..=-400 => Action::Retry,
        -599..=-500 => Action::Wait,
        // The caller's mistakes (-1xx), and faults of the library.
        _ => Action::FixProgram,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_has_unique_rows_and_one_outcome_a_class() {
        for (at, row) in TABLE.iter().enumerate() {
            for other in &TABLE[at + 1..] {
                assert_ne!(row.code.number(), other.code.number(), "{} and {}", row.name, other.name);
                assert_ne!(row.name, other.name);
            }
            let allowed: &[Outcome] = match row.code.number() {
                0 => &[Outcome::Completed],
                -199..=-100 | -499..=-400 | -699..=-600 => &[Outcome::NotSent],
                -299..=-200 => &[Outcome::NotSent, Outcome::Declined],
                -399..=-300 => &[Outcome::Declined],
                -599..=-500 | -999..=-900 => &[Outcome::Pending],
                other => panic!("{other} is in no class"),
            };
            assert!(allowed.contains(&row.outcome), "{}", row.name);
        }
    }

    #[test]
    fn outcome_of_unknown_number_is_that_of_its_class() {
        for number in [i32::MIN, -1000, -599, -999, -1, 1, 200, i32::MAX] {
            assert_eq!(outcome(number), Outcome::Pending, "{number}");
        }
        assert_eq!(outcome(-399), Outcome::Declined);
        assert_eq!(outcome(-499), Outcome::NotSent);
    }
}
