"""Made by `cargo xtask header` from the library's table of codes; do not edit."""

from enum import Enum, IntEnum

ABI_VERSION = 1


class Outcome(IntEnum):
    """The outcome of a code."""

    COMPLETED = 0
    """Engage has completed the operation, or a read has succeeded."""
    DECLINED = 1
    """Engage has declined the operation; nothing was deducted."""
    PENDING = 2
    """The outcome is not known yet. Never treat it as failed."""
    NOT_SENT = 3
    """No attempt has left the till, or a read failed. Try again."""


class LogLevel(IntEnum):
    """The log levels. Each level includes the levels above it."""

    OFF = 0
    """No lines."""
    ERROR = 1
    """Faults that need an administrator: the journal fails, the key is rejected."""
    WARN = 2
    """Reads and status queries that failed, log lines that were dropped."""
    INFO = 3
    """Every attempt, and its outcome."""
    DEBUG = 4
    """Every read and every request."""


class Code(IntEnum):
    """The results of a call. A newer library may return other numbers."""


    # 0, completed: go on, then acknowledge.
    OK = 0
    """Completed. A purchase: Engage has completed it."""

    # -1xx, the caller's mistake: fix the program.
    NULL_ARGUMENT = -101
    """A required pointer is NULL; the message names the argument."""
    BAD_UTF8 = -102
    """An argument is not valid UTF-8; the message names it and the byte."""
    EMPTY_ARGUMENT = -103
    """A required argument is empty; the message names it."""
    NOT_A_GUID = -104
    """An identifier is not a GUID of the form 8-4-4-4-12; the message names it."""
    BAD_OPTIONS = -105
    """options_json is not a JSON object, or a key in it is unknown, of the wrong type or out of
    range; the message names the key."""
    BAD_HANDLE = -106
    """The pointer is not a client of this library."""
    CLOSED = -107
    """The client is closed or being closed."""
    PURCHASE_ID_CONFLICT = -108
    """This till has used the purchase id for another contact or another item. Use a fresh id."""
    UNKNOWN_OPERATION = -109
    """The journal holds no operation of this id."""
    STILL_PENDING = -110
    """The operation cannot be acknowledged: its outcome is not known yet."""
    BAD_LOG_LEVEL = -111
    """The log level is none of EPS_LOG_OFF to EPS_LOG_DEBUG."""
    REFERENCE_CONFLICT = -112
    """This reference and item already belong to another purchase id, or to a sale of another
    contact or tenant that is not acknowledged."""
    BAD_KEY = -113
    """The key to find a contact by is none of email, mobilePhone, socialSecurityNumber,
    customKey and any."""
    FORKED = -116
    """The process was forked from one that had opened a client. Open the first client after the
    fork, or start a new program."""
    REWARD_IN_USE = -114
    """Another redeem of this reward, for another reference or channel, is pending on this till.
    Wait for its outcome."""
    REFERENCE_REUSED = -117
    """The reference belongs to an operation that was acknowledged before referenceWindowMs. Put
    the date and the line into the reference, or leave the reference out and pass a purchase
    id of your own."""
    NOT_A_PURCHASE = -115
    """The operation is a redeem; only a purchase gives a reward."""

    # -2xx, configuration or credentials: call the administrator.
    BAD_CONFIG = -200
    """config_json is not a JSON object, or a key in it is missing, unknown, of the wrong type or
    out of range; the message names the key."""
    ABI_MISMATCH = -210
    """The program was compiled against the header of another ABI version."""
    NO_CA_CERTIFICATES = -211
    """No certificate authority could be loaded from caFile or from the operating system."""
    UNAUTHORIZED = -212
    """Engage responded with status 401: the API key is missing, wrong or revoked. Nothing was
    deducted."""
    FORBIDDEN = -213
    """Engage responded with status 403: the API key may not do this. Nothing was deducted."""
    SYSTEM_CONFIGURATION = -214
    """InvalidSystemConfiguration: Engage itself is not set up for this; no retry cures it."""
    PROXY_LOGIN = -215
    """The proxy requires a user and a password, or rejects the configured ones. Nothing was
    sent."""

    # -3xx, declined: nothing was deducted. Inform the member.
    DECLINED = -300
    """Engage has declined it; httpStatus and engageCode say more. Nothing was deducted."""
    CONTACT_NOT_FOUND = -310
    """PromotionAssignmentContactNotFound or ContactNotFound: there is no such contact."""
    PROMOTION_NOT_FOUND = -311
    """PromotionAssignmentPromotionNotFound: the promotion linked to the item was removed."""
    PROMOTION_EXPIRED = -312
    """PromotionAssignmentPromotionExpired: the promotion linked to the item has ended."""
    ITEM_NOT_FOUND = -313
    """404: the item does not exist."""
    PURCHASE_FAILED = -314
    """PointShopItemPurchaseFailed, or the purchase's status is Failed."""
    PURCHASE_NOT_ALLOWED = -315
    """422: not enough points, not eligible, or outside the item's window."""
    INVALID_REQUEST = -316
    """400 without a code: for a purchase, its id belongs to another contact."""
    INVALID_CONTACT = -317
    """InvalidContact: Engage does not accept the contact id."""
    INVALID_EMAIL = -318
    """InvalidEmailAddress: Engage does not accept the e-mail address."""
    INVALID_PHONE = -319
    """InvalidPhoneNumber: Engage does not accept the phone number."""
    INVALID_SOCIAL_SECURITY_NUMBER = -320
    """InvalidSocialSecurityNumber: Engage does not accept the number."""
    INVALID_CONTACT_TYPE = -321
    """InvalidContactType: Engage does not know the contactType."""
    INVALID_SEARCH = -322
    """InvalidSearchQuery: Engage does not accept the search."""
    MULTIPLE_MATCHES = -323
    """MultipleMatches: more than one contact fits; use a key that is unique."""
    INVALID_CHANNEL = -324
    """NotAValidRedemptionChannel: Engage does not know the channel."""
    INVALID_REWARD = -325
    """InvalidPromotionIdNoData: Engage does not accept the assignment id."""
    REWARD_NOT_FOUND = -326
    """PromotionNotFound, or 404: there is no such reward. A promotionId is no assignment id."""
    REWARD_NOT_OF_CONTACT = -327
    """PromotionNotAssociatedWithContact: the reward is not this member's."""
    ALREADY_REDEEMED = -328
    """PromotionAlreadyRedeemed: the reward was used before, and not by this operation."""
    REWARD_NOT_FOR_CHANNEL = -329
    """PromotionNotValidForRedemptionChannel: the reward cannot be used on this channel."""

    # -4xx, not sent, or a read that failed: try again.
    OFFLINE = -411
    """No connection to the server could be made."""
    DNS_FAILED = -412
    """The server's name could not be resolved."""
    TLS_FAILED = -413
    """The TLS handshake failed; cause names the reason to its last link."""
    TIMED_OUT = -414
    """The wait ended: a read has no response, or a purchase was withdrawn before anything was
    sent."""
    CANCELLED = -415
    """eps_cancel: a read has no response, or a purchase was withdrawn before anything was sent."""
    RATE_LIMITED = -416
    """429 to a read: too many requests with this API key; retryAfterMs says when to try again if
    Engage said so."""
    INVALID_RESPONSE = -417
    """The response to a read is not Engage's JSON: a web page, cut off, or of another shape."""
    RESPONSE_TOO_LARGE = -418
    """The response to a read is larger than maxResponseBytes."""
    SERVER_ERROR = -419
    """The server responded to a read with a 5xx status, or with 408 or 425."""
    CONNECTION_LOST = -420
    """The connection ended before the response to a read was complete."""
    PROXY_FAILED = -421
    """The proxy does not connect to the server; the message has its status. Nothing was sent."""
    OUT_OF_MEMORY = -422
    """There was no memory for a response, a list or a thread. Nothing was sent."""

    # -5xx, pending: the outcome is not known yet. Let the sale go on. The library resolves it.
    PENDING = -500
    """The outcome is not known yet; httpStatus and engageCode say more."""
    PENDING_WAIT_ENDED = -510
    """The wait ended before Engage responded. The request goes on and its response is journaled."""
    PENDING_CANCELLED = -511
    """eps_cancel ended the wait. The request goes on and its response is journaled."""
    PENDING_CONNECTION_LOST = -512
    """The connection ended after the request may have left and before its response came."""
    PENDING_PROCESSING = -513
    """Engage is still processing it (PointShopItemPurchaseProcessingTimedOut, or status
    Processing)."""
    PENDING_INVALID_RESPONSE = -514
    """The response is not Engage's (a web page, cut off, another shape), or this version does
    not know its status."""
    PENDING_SERVER_ERROR = -515
    """A 5xx response: Engage, a gateway or a proxy failed, and the purchase may have been made."""
    PENDING_ASSIGNMENT_ERROR = -516
    """PromotionAssignmentError: an internal error of Engage, to be retried with the same id."""
    PENDING_RATE_LIMITED = -517
    """429: too many requests with this API key. The library tries again by itself."""
    PENDING_NOT_PERSISTED = -518
    """The outcome could not be written to the journal. The library queries it again."""
    PENDING_CLOSED = -519
    """The client was closed during the wait. The operation is resolved after the next open."""
    PENDING_NEEDS_REVIEW = -520
    """Older than resendLimitMs, and Engage does not show it: it is not sent again, and a person
    must decide."""
    PENDING_CREDENTIALS = -521
    """An earlier attempt may have been processed, and Engage now responds with 401 or 403. Have
    the administrator check the API key."""
    PENDING_AMBIGUOUS = -522
    """Engage shows a redeemed reward, or after a loss of records a purchase of the same item,
    and nothing proves whether it is of this operation. A person must decide."""
    PENDING_SUBMITTED = -523
    """The operation is durable and is being sent."""
    PENDING_OUT_OF_MEMORY = -524
    """There was no memory for the response of an attempt."""

    # -6xx, the journal cannot be used: nothing was sent. Call the administrator.
    JOURNAL = -600
    """The journal could not be read or written. Nothing was sent."""
    JOURNAL_CANNOT_OPEN = -610
    """The journal cannot be opened: no such folder, a folder in its place, no permission."""
    JOURNAL_FULL = -611
    """The disk that holds the journal is full. Nothing was sent."""
    JOURNAL_LOCKED = -612
    """Another program holds the journal locked. Nothing was sent."""
    JOURNAL_NEWER = -613
    """The journal was written by a newer version of this library. It was left untouched."""
    JOURNAL_DAMAGED = -614
    """The journal is damaged. It was left untouched."""
    JOURNAL_FOREIGN = -615
    """The file at journalPath belongs to another program. It was left untouched."""
    JOURNAL_READ_ONLY = -616
    """The journal can be read but not written. Nothing was sent."""
    JOURNAL_INCOMPLETE = -617
    """Records are missing (a lost, damaged or older file). The message says since when, and the
    way out."""
    JOURNAL_COPY = -618
    """The journal is a copy; see journalRole."""
    JOURNAL_SECOND_COPY = -619
    """Another copy of this library in this process has the journal open."""
    JOURNAL_REPLACED = -620
    """The files on the disk are no longer the ones that are open."""
    JOURNAL_UNSAFE = -621
    """The file is not a regular file, is reached by a link, or belongs to or may be written by
    others."""
    JOURNAL_TIMED_OUT = -622
    """The disk did not respond within the wait."""

    # -9xx, a fault of the library: report it.
    INTERNAL = -900
    """A fault of this library (a caught panic). If it was a purchase, its outcome is in the
    journal. Please report it."""


class Action(str, Enum):
    """Who acts on a code. An action that is newer than this binding is the administrator's."""

    CONTINUE_ = "continue"
    """The POS goes on."""
    TELL_MEMBER = "tellMember"
    """The cashier informs the member."""
    RETRY = "retry"
    """The POS or the cashier may try again."""
    ADMINISTRATOR = "administrator"
    """The administrator corrects the till, the network or the key."""
    FIX_PROGRAM = "fixProgram"
    """The vendor of the POS corrects the program."""
    WAIT = "wait"
    """Nobody acts: the library resolves the operation."""
    REVIEW = "review"
    """A person decides about the operation."""
