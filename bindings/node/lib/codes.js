// Made by `cargo xtask header`; do not edit.

"use strict";

/** The results of a call. A newer library may return other numbers. */
exports.Code = Object.freeze({
  /** Completed. A purchase: Engage has completed it. */
  OK: 0,
  /** A required pointer is NULL; the message names the argument. */
  NULL_ARGUMENT: -101,
  /** An argument is not valid UTF-8; the message names it and the byte. */
  BAD_UTF8: -102,
  /** A required argument is empty; the message names it. */
  EMPTY_ARGUMENT: -103,
  /** An identifier is not a GUID of the form 8-4-4-4-12; the message names it. */
  NOT_A_GUID: -104,
  /** options_json is not a JSON object, or a key in it is unknown, of the wrong type or out
   *  of range; the message names the key. */
  BAD_OPTIONS: -105,
  /** The pointer is not a client of this library. */
  BAD_HANDLE: -106,
  /** The client is closed or being closed. */
  CLOSED: -107,
  /** This till has used the purchase id for another contact or another item. Use a fresh id. */
  PURCHASE_ID_CONFLICT: -108,
  /** The journal holds no operation of this id. */
  UNKNOWN_OPERATION: -109,
  /** The operation cannot be acknowledged: its outcome is not known yet. */
  STILL_PENDING: -110,
  /** The log level is none of EPS_LOG_OFF to EPS_LOG_DEBUG. */
  BAD_LOG_LEVEL: -111,
  /** This reference and item already belong to another purchase id, or to a sale of another
   *  contact or tenant that is not acknowledged. */
  REFERENCE_CONFLICT: -112,
  /** The key to find a contact by is none of email, mobilePhone, socialSecurityNumber,
   *  customKey and any. */
  BAD_KEY: -113,
  /** The process was forked from one that had opened a client. Open the first client after
   *  the fork, or start a new program. */
  FORKED: -116,
  /** Another redeem of this reward, for another reference or channel, is pending on this
   *  till. Wait for its outcome. */
  REWARD_IN_USE: -114,
  /** The reference belongs to an operation that was acknowledged before referenceWindowMs.
   *  Put the date and the line into the reference, or leave the reference out and pass a
   *  purchase id of your own. */
  REFERENCE_REUSED: -117,
  /** The operation is a redeem; only a purchase gives a reward. */
  NOT_A_PURCHASE: -115,
  /** config_json is not a JSON object, or a key in it is missing, unknown, of the wrong type
   *  or out of range; the message names the key. */
  BAD_CONFIG: -200,
  /** The program was compiled against the header of another ABI version. */
  ABI_MISMATCH: -210,
  /** No certificate authority could be loaded from caFile or from the operating system. */
  NO_CA_CERTIFICATES: -211,
  /** Engage responded with status 401: the API key is missing, wrong or revoked. Nothing was
   *  deducted. */
  UNAUTHORIZED: -212,
  /** Engage responded with status 403: the API key may not do this. Nothing was deducted. */
  FORBIDDEN: -213,
  /** InvalidSystemConfiguration: Engage itself is not set up for this; no retry cures it. */
  SYSTEM_CONFIGURATION: -214,
  /** The proxy requires a user and a password, or rejects the configured ones. Nothing was
   *  sent. */
  PROXY_LOGIN: -215,
  /** Engage has declined it; httpStatus and engageCode say more. Nothing was deducted. */
  DECLINED: -300,
  /** PromotionAssignmentContactNotFound or ContactNotFound: there is no such contact. */
  CONTACT_NOT_FOUND: -310,
  /** PromotionAssignmentPromotionNotFound: the promotion linked to the item was removed. */
  PROMOTION_NOT_FOUND: -311,
  /** PromotionAssignmentPromotionExpired: the promotion linked to the item has ended. */
  PROMOTION_EXPIRED: -312,
  /** 404: the item does not exist. */
  ITEM_NOT_FOUND: -313,
  /** PointShopItemPurchaseFailed, or the purchase's status is Failed. */
  PURCHASE_FAILED: -314,
  /** 422: not enough points, not eligible, or outside the item's window. */
  PURCHASE_NOT_ALLOWED: -315,
  /** 400 without a code: for a purchase, its id belongs to another contact. */
  INVALID_REQUEST: -316,
  /** InvalidContact: Engage does not accept the contact id. */
  INVALID_CONTACT: -317,
  /** InvalidEmailAddress: Engage does not accept the e-mail address. */
  INVALID_EMAIL: -318,
  /** InvalidPhoneNumber: Engage does not accept the phone number. */
  INVALID_PHONE: -319,
  /** InvalidSocialSecurityNumber: Engage does not accept the number. */
  INVALID_SOCIAL_SECURITY_NUMBER: -320,
  /** InvalidContactType: Engage does not know the contactType. */
  INVALID_CONTACT_TYPE: -321,
  /** InvalidSearchQuery: Engage does not accept the search. */
  INVALID_SEARCH: -322,
  /** MultipleMatches: more than one contact fits; use a key that is unique. */
  MULTIPLE_MATCHES: -323,
  /** NotAValidRedemptionChannel: Engage does not know the channel. */
  INVALID_CHANNEL: -324,
  /** InvalidPromotionIdNoData: Engage does not accept the assignment id. */
  INVALID_REWARD: -325,
  /** PromotionNotFound, or 404: there is no such reward. A promotionId is no assignment id. */
  REWARD_NOT_FOUND: -326,
  /** PromotionNotAssociatedWithContact: the reward is not this member's. */
  REWARD_NOT_OF_CONTACT: -327,
  /** PromotionAlreadyRedeemed: the reward was used before, and not by this operation. */
  ALREADY_REDEEMED: -328,
  /** PromotionNotValidForRedemptionChannel: the reward cannot be used on this channel. */
  REWARD_NOT_FOR_CHANNEL: -329,
  /** No connection to the server could be made. */
  OFFLINE: -411,
  /** The server's name could not be resolved. */
  DNS_FAILED: -412,
  /** The TLS handshake failed; cause names the reason to its last link. */
  TLS_FAILED: -413,
  /** The wait ended: a read has no response, or a purchase was withdrawn before anything was
   *  sent. */
  TIMED_OUT: -414,
  /** eps_cancel: a read has no response, or a purchase was withdrawn before anything was
   *  sent. */
  CANCELLED: -415,
  /** 429 to a read: too many requests with this API key; retryAfterMs says when to try again
   *  if Engage said so. */
  RATE_LIMITED: -416,
  /** The response to a read is not Engage's JSON: a web page, cut off, or of another shape. */
  INVALID_RESPONSE: -417,
  /** The response to a read is larger than maxResponseBytes. */
  RESPONSE_TOO_LARGE: -418,
  /** The server responded to a read with a 5xx status, or with 408 or 425. */
  SERVER_ERROR: -419,
  /** The connection ended before the response to a read was complete. */
  CONNECTION_LOST: -420,
  /** The proxy does not connect to the server; the message has its status. Nothing was sent. */
  PROXY_FAILED: -421,
  /** There was no memory for a response, a list or a thread. Nothing was sent. */
  OUT_OF_MEMORY: -422,
  /** The outcome is not known yet; httpStatus and engageCode say more. */
  PENDING: -500,
  /** The wait ended before Engage responded. The request goes on and its response is
   *  journaled. */
  PENDING_WAIT_ENDED: -510,
  /** eps_cancel ended the wait. The request goes on and its response is journaled. */
  PENDING_CANCELLED: -511,
  /** The connection ended after the request may have left and before its response came. */
  PENDING_CONNECTION_LOST: -512,
  /** Engage is still processing it (PointShopItemPurchaseProcessingTimedOut, or status
   *  Processing). */
  PENDING_PROCESSING: -513,
  /** The response is not Engage's (a web page, cut off, another shape), or this version does
   *  not know its status. */
  PENDING_INVALID_RESPONSE: -514,
  /** A 5xx response: Engage, a gateway or a proxy failed, and the purchase may have been
   *  made. */
  PENDING_SERVER_ERROR: -515,
  /** PromotionAssignmentError: an internal error of Engage, to be retried with the same id. */
  PENDING_ASSIGNMENT_ERROR: -516,
  /** 429: too many requests with this API key. The library tries again by itself. */
  PENDING_RATE_LIMITED: -517,
  /** The outcome could not be written to the journal. The library queries it again. */
  PENDING_NOT_PERSISTED: -518,
  /** The client was closed during the wait. The operation is resolved after the next open. */
  PENDING_CLOSED: -519,
  /** Older than resendLimitMs, and Engage does not show it: it is not sent again, and a
   *  person must decide. */
  PENDING_NEEDS_REVIEW: -520,
  /** An earlier attempt may have been processed, and Engage now responds with 401 or 403.
   *  Have the administrator check the API key. */
  PENDING_CREDENTIALS: -521,
  /** Engage shows a redeemed reward, or after a loss of records a purchase of the same item,
   *  and nothing proves whether it is of this operation. A person must decide. */
  PENDING_AMBIGUOUS: -522,
  /** The operation is durable and is being sent. */
  PENDING_SUBMITTED: -523,
  /** There was no memory for the response of an attempt. */
  PENDING_OUT_OF_MEMORY: -524,
  /** The journal could not be read or written. Nothing was sent. */
  JOURNAL: -600,
  /** The journal cannot be opened: no such folder, a folder in its place, no permission. */
  JOURNAL_CANNOT_OPEN: -610,
  /** The disk that holds the journal is full. Nothing was sent. */
  JOURNAL_FULL: -611,
  /** Another program holds the journal locked. Nothing was sent. */
  JOURNAL_LOCKED: -612,
  /** The journal was written by a newer version of this library. It was left untouched. */
  JOURNAL_NEWER: -613,
  /** The journal is damaged. It was left untouched. */
  JOURNAL_DAMAGED: -614,
  /** The file at journalPath belongs to another program. It was left untouched. */
  JOURNAL_FOREIGN: -615,
  /** The journal can be read but not written. Nothing was sent. */
  JOURNAL_READ_ONLY: -616,
  /** Records are missing (a lost, damaged or older file). The message says since when, and
   *  the way out. */
  JOURNAL_INCOMPLETE: -617,
  /** The journal is a copy; see journalRole. */
  JOURNAL_COPY: -618,
  /** Another copy of this library in this process has the journal open. */
  JOURNAL_SECOND_COPY: -619,
  /** The files on the disk are no longer the ones that are open. */
  JOURNAL_REPLACED: -620,
  /** The file is not a regular file, is reached by a link, or belongs to or may be written by
   *  others. */
  JOURNAL_UNSAFE: -621,
  /** The disk did not respond within the wait. */
  JOURNAL_TIMED_OUT: -622,
  /** A fault of this library (a caught panic). If it was a purchase, its outcome is in the
   *  journal. Please report it. */
  INTERNAL: -900,
});

/** The log levels. Each level includes the levels above it. */
exports.LogLevel = Object.freeze({
  /** No lines. */
  OFF: 0,
  /** Faults that need an administrator: the journal fails, the key is rejected. */
  ERROR: 1,
  /** Reads and status queries that failed, log lines that were dropped. */
  WARN: 2,
  /** Every attempt, and its outcome. */
  INFO: 3,
  /** Every read and every request. */
  DEBUG: 4,
});

/** The numbers of the outcomes. */
exports.Outcome = Object.freeze({
  /** Engage has completed the operation, or a read has succeeded. */
  COMPLETED: 0,
  /** Engage has declined the operation; nothing was deducted. */
  DECLINED: 1,
  /** The outcome is not known yet. Never treat it as failed. */
  PENDING: 2,
  /** No attempt has left the till, or a read failed. Try again. */
  NOT_SENT: 3,
});

/** Who acts on a code. An action that is newer than this binding is the administrator's. */
exports.Action = Object.freeze({
  /** The POS goes on. */
  CONTINUE: "continue",
  /** The cashier informs the member. */
  TELL_MEMBER: "tellMember",
  /** The POS or the cashier may try again. */
  RETRY: "retry",
  /** The administrator corrects the till, the network or the key. */
  ADMINISTRATOR: "administrator",
  /** The vendor of the POS corrects the program. */
  FIX_PROGRAM: "fixProgram",
  /** Nobody acts: the library resolves the operation. */
  WAIT: "wait",
  /** A person decides about the operation. */
  REVIEW: "review",
});

/** What the cashier reads and what the member is shown of a problem that the binding reports
 *  itself, in each language. It was interrupted; it is not available; it is not clear yet. */
exports.TEXTS = Object.freeze({
  en: [
    "This was interrupted. Try again.",
    "This was interrupted. We will try again.",
    "Not available now. Call support.",
    "Points and rewards are not available right now.",
    "Not clear yet. Finish the sale, and call support.",
    "Your request takes a little longer. You will see it in your points.",
  ],
  sv: [
    "Det avbröts. Försök igen.",
    "Det avbröts. Vi försöker igen.",
    "Går inte just nu. Ring supporten.",
    "Poäng och förmåner är inte tillgängliga just nu.",
    "Inte klart än. Slutför köpet och ring supporten.",
    "Ditt köp tar lite längre tid. Du ser det bland dina poäng.",
  ],
  nb: [
    "Det ble avbrutt. Prøv igjen.",
    "Det ble avbrutt. Vi prøver igjen.",
    "Ikke tilgjengelig nå. Ring brukerstøtte.",
    "Poeng og fordeler er ikke tilgjengelige akkurat nå.",
    "Ikke klart ennå. Fullfør salget og ring brukerstøtte.",
    "Kjøpet ditt tar litt lengre tid. Du ser det blant poengene dine.",
  ],
  da: [
    "Det blev afbrudt. Prøv igen.",
    "Det blev afbrudt. Vi prøver igen.",
    "Ikke muligt lige nu. Ring til support.",
    "Point og fordele er ikke tilgængelige lige nu.",
    "Ikke klart endnu. Afslut salget, og ring til support.",
    "Dit køb tager lidt længere tid. Du kan se det blandt dine point.",
  ],
  fi: [
    "Tämä keskeytyi. Yritä uudelleen.",
    "Tämä keskeytyi. Yritämme uudelleen.",
    "Ei käytettävissä juuri nyt. Soita tukeen.",
    "Pisteet ja edut eivät ole juuri nyt käytettävissä.",
    "Ei vielä selvillä. Vie myynti loppuun ja soita tukeen.",
    "Ostosi kestää hieman kauemmin. Näet sen pisteissäsi.",
  ],
  de: [
    "Das wurde unterbrochen. Noch einmal versuchen.",
    "Das wurde unterbrochen. Wir versuchen es noch einmal.",
    "Zurzeit nicht möglich. Den Support anrufen.",
    "Punkte und Prämien sind zurzeit nicht verfügbar.",
    "Noch unklar. Verkauf abschließen und den Support anrufen.",
    "Ihr Kauf dauert etwas länger. Sie sehen ihn bei Ihren Punkten.",
  ],
});
