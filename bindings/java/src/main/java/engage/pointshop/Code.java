// Made by `cargo xtask header`; do not edit.

package engage.pointshop;

/** The results of a call. A newer library may return other numbers. */
public final class Code {
    private Code() {}

    // 0, completed: go on, then acknowledge.
    /** Completed. A purchase: Engage has completed it. */
    public static final int OK = 0;

    // -1xx, the caller's mistake: fix the program.
    /** A required pointer is NULL; the message names the argument. */
    public static final int NULL_ARGUMENT = -101;
    /** An argument is not valid UTF-8; the message names it and the byte. */
    public static final int BAD_UTF8 = -102;
    /** A required argument is empty; the message names it. */
    public static final int EMPTY_ARGUMENT = -103;
    /** An identifier is not a GUID of the form 8-4-4-4-12; the message names it. */
    public static final int NOT_A_GUID = -104;
    /** options_json is not a JSON object, or a key in it is unknown, of the wrong type or out
     *  of range; the message names the key. */
    public static final int BAD_OPTIONS = -105;
    /** The pointer is not a client of this library. */
    public static final int BAD_HANDLE = -106;
    /** The client is closed or being closed. */
    public static final int CLOSED = -107;
    /** This till has used the purchase id for another contact or another item. Use a fresh
     *  id. */
    public static final int PURCHASE_ID_CONFLICT = -108;
    /** The journal holds no operation of this id. */
    public static final int UNKNOWN_OPERATION = -109;
    /** The operation cannot be acknowledged: its outcome is not known yet. */
    public static final int STILL_PENDING = -110;
    /** The log level is none of EPS_LOG_OFF to EPS_LOG_DEBUG. */
    public static final int BAD_LOG_LEVEL = -111;
    /** This reference and item already belong to another purchase id, or to a sale of another
     *  contact or tenant that is not acknowledged. */
    public static final int REFERENCE_CONFLICT = -112;
    /** The key to find a contact by is none of email, mobilePhone, socialSecurityNumber,
     *  customKey and any. */
    public static final int BAD_KEY = -113;
    /** The process was forked from one that had opened a client. Open the first client after
     *  the fork, or start a new program. */
    public static final int FORKED = -116;
    /** Another redeem of this reward, for another reference or channel, is pending on this
     *  till. Wait for its outcome. */
    public static final int REWARD_IN_USE = -114;
    /** The reference belongs to an operation that was acknowledged before referenceWindowMs.
     *  Put the date and the line into the reference, or leave the reference out and pass a
     *  purchase id of your own. */
    public static final int REFERENCE_REUSED = -117;
    /** The operation is a redeem; only a purchase gives a reward. */
    public static final int NOT_A_PURCHASE = -115;

    // -2xx, configuration or credentials: call the administrator.
    /** config_json is not a JSON object, or a key in it is missing, unknown, of the wrong
     *  type or out of range; the message names the key. */
    public static final int BAD_CONFIG = -200;
    /** The program was compiled against the header of another ABI version. */
    public static final int ABI_MISMATCH = -210;
    /** No certificate authority could be loaded from caFile or from the operating system. */
    public static final int NO_CA_CERTIFICATES = -211;
    /** Engage responded with status 401: the API key is missing, wrong or revoked. Nothing
     *  was deducted. */
    public static final int UNAUTHORIZED = -212;
    /** Engage responded with status 403: the API key may not do this. Nothing was deducted. */
    public static final int FORBIDDEN = -213;
    /** InvalidSystemConfiguration: Engage itself is not set up for this; no retry cures it. */
    public static final int SYSTEM_CONFIGURATION = -214;
    /** The proxy requires a user and a password, or rejects the configured ones. Nothing was
     *  sent. */
    public static final int PROXY_LOGIN = -215;

    // -3xx, declined: nothing was deducted. Inform the member.
    /** Engage has declined it; httpStatus and engageCode say more. Nothing was deducted. */
    public static final int DECLINED = -300;
    /** PromotionAssignmentContactNotFound or ContactNotFound: there is no such contact. */
    public static final int CONTACT_NOT_FOUND = -310;
    /** PromotionAssignmentPromotionNotFound: the promotion linked to the item was removed. */
    public static final int PROMOTION_NOT_FOUND = -311;
    /** PromotionAssignmentPromotionExpired: the promotion linked to the item has ended. */
    public static final int PROMOTION_EXPIRED = -312;
    /** 404: the item does not exist. */
    public static final int ITEM_NOT_FOUND = -313;
    /** PointShopItemPurchaseFailed, or the purchase's status is Failed. */
    public static final int PURCHASE_FAILED = -314;
    /** 422: not enough points, not eligible, or outside the item's window. */
    public static final int PURCHASE_NOT_ALLOWED = -315;
    /** 400 without a code: for a purchase, its id belongs to another contact. */
    public static final int INVALID_REQUEST = -316;
    /** InvalidContact: Engage does not accept the contact id. */
    public static final int INVALID_CONTACT = -317;
    /** InvalidEmailAddress: Engage does not accept the e-mail address. */
    public static final int INVALID_EMAIL = -318;
    /** InvalidPhoneNumber: Engage does not accept the phone number. */
    public static final int INVALID_PHONE = -319;
    /** InvalidSocialSecurityNumber: Engage does not accept the number. */
    public static final int INVALID_SOCIAL_SECURITY_NUMBER = -320;
    /** InvalidContactType: Engage does not know the contactType. */
    public static final int INVALID_CONTACT_TYPE = -321;
    /** InvalidSearchQuery: Engage does not accept the search. */
    public static final int INVALID_SEARCH = -322;
    /** MultipleMatches: more than one contact fits; use a key that is unique. */
    public static final int MULTIPLE_MATCHES = -323;
    /** NotAValidRedemptionChannel: Engage does not know the channel. */
    public static final int INVALID_CHANNEL = -324;
    /** InvalidPromotionIdNoData: Engage does not accept the assignment id. */
    public static final int INVALID_REWARD = -325;
    /** PromotionNotFound, or 404: there is no such reward. A promotionId is no assignment id. */
    public static final int REWARD_NOT_FOUND = -326;
    /** PromotionNotAssociatedWithContact: the reward is not this member's. */
    public static final int REWARD_NOT_OF_CONTACT = -327;
    /** PromotionAlreadyRedeemed: the reward was used before, and not by this operation. */
    public static final int ALREADY_REDEEMED = -328;
    /** PromotionNotValidForRedemptionChannel: the reward cannot be used on this channel. */
    public static final int REWARD_NOT_FOR_CHANNEL = -329;

    // -4xx, not sent, or a read that failed: try again.
    /** No connection to the server could be made. */
    public static final int OFFLINE = -411;
    /** The server's name could not be resolved. */
    public static final int DNS_FAILED = -412;
    /** The TLS handshake failed; cause names the reason to its last link. */
    public static final int TLS_FAILED = -413;
    /** The wait ended: a read has no response, or a purchase was withdrawn before anything
     *  was sent. */
    public static final int TIMED_OUT = -414;
    /** eps_cancel: a read has no response, or a purchase was withdrawn before anything was
     *  sent. */
    public static final int CANCELLED = -415;
    /** 429 to a read: too many requests with this API key; retryAfterMs says when to try
     *  again if Engage said so. */
    public static final int RATE_LIMITED = -416;
    /** The response to a read is not Engage's JSON: a web page, cut off, or of another shape. */
    public static final int INVALID_RESPONSE = -417;
    /** The response to a read is larger than maxResponseBytes. */
    public static final int RESPONSE_TOO_LARGE = -418;
    /** The server responded to a read with a 5xx status, or with 408 or 425. */
    public static final int SERVER_ERROR = -419;
    /** The connection ended before the response to a read was complete. */
    public static final int CONNECTION_LOST = -420;
    /** The proxy does not connect to the server; the message has its status. Nothing was
     *  sent. */
    public static final int PROXY_FAILED = -421;
    /** There was no memory for a response, a list or a thread. Nothing was sent. */
    public static final int OUT_OF_MEMORY = -422;

    // -5xx, pending: the outcome is not known yet. Let the sale go on. The library resolves it.
    /** The outcome is not known yet; httpStatus and engageCode say more. */
    public static final int PENDING = -500;
    /** The wait ended before Engage responded. The request goes on and its response is
     *  journaled. */
    public static final int PENDING_WAIT_ENDED = -510;
    /** eps_cancel ended the wait. The request goes on and its response is journaled. */
    public static final int PENDING_CANCELLED = -511;
    /** The connection ended after the request may have left and before its response came. */
    public static final int PENDING_CONNECTION_LOST = -512;
    /** Engage is still processing it (PointShopItemPurchaseProcessingTimedOut, or status
     *  Processing). */
    public static final int PENDING_PROCESSING = -513;
    /** The response is not Engage's (a web page, cut off, another shape), or this version
     *  does not know its status. */
    public static final int PENDING_INVALID_RESPONSE = -514;
    /** A 5xx response: Engage, a gateway or a proxy failed, and the purchase may have been
     *  made. */
    public static final int PENDING_SERVER_ERROR = -515;
    /** PromotionAssignmentError: an internal error of Engage, to be retried with the same id. */
    public static final int PENDING_ASSIGNMENT_ERROR = -516;
    /** 429: too many requests with this API key. The library tries again by itself. */
    public static final int PENDING_RATE_LIMITED = -517;
    /** The outcome could not be written to the journal. The library queries it again. */
    public static final int PENDING_NOT_PERSISTED = -518;
    /** The client was closed during the wait. The operation is resolved after the next open. */
    public static final int PENDING_CLOSED = -519;
    /** Older than resendLimitMs, and Engage does not show it: it is not sent again, and a
     *  person must decide. */
    public static final int PENDING_NEEDS_REVIEW = -520;
    /** An earlier attempt may have been processed, and Engage now responds with 401 or 403.
     *  Have the administrator check the API key. */
    public static final int PENDING_CREDENTIALS = -521;
    /** Engage shows a redeemed reward, or after a loss of records a purchase of the same
     *  item, and nothing proves whether it is of this operation. A person must decide. */
    public static final int PENDING_AMBIGUOUS = -522;
    /** The operation is durable and is being sent. */
    public static final int PENDING_SUBMITTED = -523;
    /** There was no memory for the response of an attempt. */
    public static final int PENDING_OUT_OF_MEMORY = -524;

    // -6xx, the journal cannot be used: nothing was sent. Call the administrator.
    /** The journal could not be read or written. Nothing was sent. */
    public static final int JOURNAL = -600;
    /** The journal cannot be opened: no such folder, a folder in its place, no permission. */
    public static final int JOURNAL_CANNOT_OPEN = -610;
    /** The disk that holds the journal is full. Nothing was sent. */
    public static final int JOURNAL_FULL = -611;
    /** Another program holds the journal locked. Nothing was sent. */
    public static final int JOURNAL_LOCKED = -612;
    /** The journal was written by a newer version of this library. It was left untouched. */
    public static final int JOURNAL_NEWER = -613;
    /** The journal is damaged. It was left untouched. */
    public static final int JOURNAL_DAMAGED = -614;
    /** The file at journalPath belongs to another program. It was left untouched. */
    public static final int JOURNAL_FOREIGN = -615;
    /** The journal can be read but not written. Nothing was sent. */
    public static final int JOURNAL_READ_ONLY = -616;
    /** Records are missing (a lost, damaged or older file). The message says since when, and
     *  the way out. */
    public static final int JOURNAL_INCOMPLETE = -617;
    /** The journal is a copy; see journalRole. */
    public static final int JOURNAL_COPY = -618;
    /** Another copy of this library in this process has the journal open. */
    public static final int JOURNAL_SECOND_COPY = -619;
    /** The files on the disk are no longer the ones that are open. */
    public static final int JOURNAL_REPLACED = -620;
    /** The file is not a regular file, is reached by a link, or belongs to or may be written
     *  by others. */
    public static final int JOURNAL_UNSAFE = -621;
    /** The disk did not respond within the wait. */
    public static final int JOURNAL_TIMED_OUT = -622;

    // -9xx, a fault of the library: report it.
    /** A fault of this library (a caught panic). If it was a purchase, its outcome is in the
     *  journal. Please report it. */
    public static final int INTERNAL = -900;
}
