// Made by `cargo xtask header`; do not edit.

/** The results of a call. A newer library may return other numbers. */
export declare const Code: {
  /** Completed. A purchase: Engage has completed it. */
  readonly OK: 0;
  /** A required pointer is NULL; the message names the argument. */
  readonly NULL_ARGUMENT: -101;
  /** An argument is not valid UTF-8; the message names it and the byte. */
  readonly BAD_UTF8: -102;
  /** A required argument is empty; the message names it. */
  readonly EMPTY_ARGUMENT: -103;
  /** An identifier is not a GUID of the form 8-4-4-4-12; the message names it. */
  readonly NOT_A_GUID: -104;
  /** options_json is not a JSON object, or a key in it is unknown, of the wrong type or out
   *  of range; the message names the key. */
  readonly BAD_OPTIONS: -105;
  /** The pointer is not a client of this library. */
  readonly BAD_HANDLE: -106;
  /** The client is closed or being closed. */
  readonly CLOSED: -107;
  /** This till has used the purchase id for another contact or another item. Use a fresh id. */
  readonly PURCHASE_ID_CONFLICT: -108;
  /** The journal holds no operation of this id. */
  readonly UNKNOWN_OPERATION: -109;
  /** The operation cannot be acknowledged: its outcome is not known yet. */
  readonly STILL_PENDING: -110;
  /** The log level is none of EPS_LOG_OFF to EPS_LOG_DEBUG. */
  readonly BAD_LOG_LEVEL: -111;
  /** This reference and item already belong to another purchase id, or to a sale of another
   *  contact or tenant that is not acknowledged. */
  readonly REFERENCE_CONFLICT: -112;
  /** The key to find a contact by is none of email, mobilePhone, socialSecurityNumber,
   *  customKey and any. */
  readonly BAD_KEY: -113;
  /** The process was forked from one that had opened a client. Open the first client after
   *  the fork, or start a new program. */
  readonly FORKED: -116;
  /** Another redeem of this reward, for another reference or channel, is pending on this
   *  till. Wait for its outcome. */
  readonly REWARD_IN_USE: -114;
  /** The reference belongs to an operation that was acknowledged before referenceWindowMs.
   *  Put the date and the line into the reference, or leave the reference out and pass a
   *  purchase id of your own. */
  readonly REFERENCE_REUSED: -117;
  /** The operation is a redeem; only a purchase gives a reward. */
  readonly NOT_A_PURCHASE: -115;
  /** config_json is not a JSON object, or a key in it is missing, unknown, of the wrong type
   *  or out of range; the message names the key. */
  readonly BAD_CONFIG: -200;
  /** The program was compiled against the header of another ABI version. */
  readonly ABI_MISMATCH: -210;
  /** No certificate authority could be loaded from caFile or from the operating system. */
  readonly NO_CA_CERTIFICATES: -211;
  /** Engage responded with status 401: the API key is missing, wrong or revoked. Nothing was
   *  deducted. */
  readonly UNAUTHORIZED: -212;
  /** Engage responded with status 403: the API key may not do this. Nothing was deducted. */
  readonly FORBIDDEN: -213;
  /** InvalidSystemConfiguration: Engage itself is not set up for this; no retry cures it. */
  readonly SYSTEM_CONFIGURATION: -214;
  /** The proxy requires a user and a password, or rejects the configured ones. Nothing was
   *  sent. */
  readonly PROXY_LOGIN: -215;
  /** Engage has declined it; httpStatus and engageCode say more. Nothing was deducted. */
  readonly DECLINED: -300;
  /** PromotionAssignmentContactNotFound or ContactNotFound: there is no such contact. */
  readonly CONTACT_NOT_FOUND: -310;
  /** PromotionAssignmentPromotionNotFound: the promotion linked to the item was removed. */
  readonly PROMOTION_NOT_FOUND: -311;
  /** PromotionAssignmentPromotionExpired: the promotion linked to the item has ended. */
  readonly PROMOTION_EXPIRED: -312;
  /** 404: the item does not exist. */
  readonly ITEM_NOT_FOUND: -313;
  /** PointShopItemPurchaseFailed, or the purchase's status is Failed. */
  readonly PURCHASE_FAILED: -314;
  /** 422: not enough points, not eligible, or outside the item's window. */
  readonly PURCHASE_NOT_ALLOWED: -315;
  /** 400 without a code: for a purchase, its id belongs to another contact. */
  readonly INVALID_REQUEST: -316;
  /** InvalidContact: Engage does not accept the contact id. */
  readonly INVALID_CONTACT: -317;
  /** InvalidEmailAddress: Engage does not accept the e-mail address. */
  readonly INVALID_EMAIL: -318;
  /** InvalidPhoneNumber: Engage does not accept the phone number. */
  readonly INVALID_PHONE: -319;
  /** InvalidSocialSecurityNumber: Engage does not accept the number. */
  readonly INVALID_SOCIAL_SECURITY_NUMBER: -320;
  /** InvalidContactType: Engage does not know the contactType. */
  readonly INVALID_CONTACT_TYPE: -321;
  /** InvalidSearchQuery: Engage does not accept the search. */
  readonly INVALID_SEARCH: -322;
  /** MultipleMatches: more than one contact fits; use a key that is unique. */
  readonly MULTIPLE_MATCHES: -323;
  /** NotAValidRedemptionChannel: Engage does not know the channel. */
  readonly INVALID_CHANNEL: -324;
  /** InvalidPromotionIdNoData: Engage does not accept the assignment id. */
  readonly INVALID_REWARD: -325;
  /** PromotionNotFound, or 404: there is no such reward. A promotionId is no assignment id. */
  readonly REWARD_NOT_FOUND: -326;
  /** PromotionNotAssociatedWithContact: the reward is not this member's. */
  readonly REWARD_NOT_OF_CONTACT: -327;
  /** PromotionAlreadyRedeemed: the reward was used before, and not by this operation. */
  readonly ALREADY_REDEEMED: -328;
  /** PromotionNotValidForRedemptionChannel: the reward cannot be used on this channel. */
  readonly REWARD_NOT_FOR_CHANNEL: -329;
  /** No connection to the server could be made. */
  readonly OFFLINE: -411;
  /** The server's name could not be resolved. */
  readonly DNS_FAILED: -412;
  /** The TLS handshake failed; cause names the reason to its last link. */
  readonly TLS_FAILED: -413;
  /** The wait ended: a read has no response, or a purchase was withdrawn before anything was
   *  sent. */
  readonly TIMED_OUT: -414;
  /** eps_cancel: a read has no response, or a purchase was withdrawn before anything was
   *  sent. */
  readonly CANCELLED: -415;
  /** 429 to a read: too many requests with this API key; retryAfterMs says when to try again
   *  if Engage said so. */
  readonly RATE_LIMITED: -416;
  /** The response to a read is not Engage's JSON: a web page, cut off, or of another shape. */
  readonly INVALID_RESPONSE: -417;
  /** The response to a read is larger than maxResponseBytes. */
  readonly RESPONSE_TOO_LARGE: -418;
  /** The server responded to a read with a 5xx status, or with 408 or 425. */
  readonly SERVER_ERROR: -419;
  /** The connection ended before the response to a read was complete. */
  readonly CONNECTION_LOST: -420;
  /** The proxy does not connect to the server; the message has its status. Nothing was sent. */
  readonly PROXY_FAILED: -421;
  /** There was no memory for a response, a list or a thread. Nothing was sent. */
  readonly OUT_OF_MEMORY: -422;
  /** The outcome is not known yet; httpStatus and engageCode say more. */
  readonly PENDING: -500;
  /** The wait ended before Engage responded. The request goes on and its response is
   *  journaled. */
  readonly PENDING_WAIT_ENDED: -510;
  /** eps_cancel ended the wait. The request goes on and its response is journaled. */
  readonly PENDING_CANCELLED: -511;
  /** The connection ended after the request may have left and before its response came. */
  readonly PENDING_CONNECTION_LOST: -512;
  /** Engage is still processing it (PointShopItemPurchaseProcessingTimedOut, or status
   *  Processing). */
  readonly PENDING_PROCESSING: -513;
  /** The response is not Engage's (a web page, cut off, another shape), or this version does
   *  not know its status. */
  readonly PENDING_INVALID_RESPONSE: -514;
  /** A 5xx response: Engage, a gateway or a proxy failed, and the purchase may have been
   *  made. */
  readonly PENDING_SERVER_ERROR: -515;
  /** PromotionAssignmentError: an internal error of Engage, to be retried with the same id. */
  readonly PENDING_ASSIGNMENT_ERROR: -516;
  /** 429: too many requests with this API key. The library tries again by itself. */
  readonly PENDING_RATE_LIMITED: -517;
  /** The outcome could not be written to the journal. The library queries it again. */
  readonly PENDING_NOT_PERSISTED: -518;
  /** The client was closed during the wait. The operation is resolved after the next open. */
  readonly PENDING_CLOSED: -519;
  /** Older than resendLimitMs, and Engage does not show it: it is not sent again, and a
   *  person must decide. */
  readonly PENDING_NEEDS_REVIEW: -520;
  /** An earlier attempt may have been processed, and Engage now responds with 401 or 403.
   *  Have the administrator check the API key. */
  readonly PENDING_CREDENTIALS: -521;
  /** Engage shows a redeemed reward, or after a loss of records a purchase of the same item,
   *  and nothing proves whether it is of this operation. A person must decide. */
  readonly PENDING_AMBIGUOUS: -522;
  /** The operation is durable and is being sent. */
  readonly PENDING_SUBMITTED: -523;
  /** There was no memory for the response of an attempt. */
  readonly PENDING_OUT_OF_MEMORY: -524;
  /** The journal could not be read or written. Nothing was sent. */
  readonly JOURNAL: -600;
  /** The journal cannot be opened: no such folder, a folder in its place, no permission. */
  readonly JOURNAL_CANNOT_OPEN: -610;
  /** The disk that holds the journal is full. Nothing was sent. */
  readonly JOURNAL_FULL: -611;
  /** Another program holds the journal locked. Nothing was sent. */
  readonly JOURNAL_LOCKED: -612;
  /** The journal was written by a newer version of this library. It was left untouched. */
  readonly JOURNAL_NEWER: -613;
  /** The journal is damaged. It was left untouched. */
  readonly JOURNAL_DAMAGED: -614;
  /** The file at journalPath belongs to another program. It was left untouched. */
  readonly JOURNAL_FOREIGN: -615;
  /** The journal can be read but not written. Nothing was sent. */
  readonly JOURNAL_READ_ONLY: -616;
  /** Records are missing (a lost, damaged or older file). The message says since when, and
   *  the way out. */
  readonly JOURNAL_INCOMPLETE: -617;
  /** The journal is a copy; see journalRole. */
  readonly JOURNAL_COPY: -618;
  /** Another copy of this library in this process has the journal open. */
  readonly JOURNAL_SECOND_COPY: -619;
  /** The files on the disk are no longer the ones that are open. */
  readonly JOURNAL_REPLACED: -620;
  /** The file is not a regular file, is reached by a link, or belongs to or may be written by
   *  others. */
  readonly JOURNAL_UNSAFE: -621;
  /** The disk did not respond within the wait. */
  readonly JOURNAL_TIMED_OUT: -622;
  /** A fault of this library (a caught panic). If it was a purchase, its outcome is in the
   *  journal. Please report it. */
  readonly INTERNAL: -900;
};

/** The log levels. Each level includes the levels above it. */
export declare const LogLevel: {
  /** No lines. */
  readonly OFF: 0;
  /** Faults that need an administrator: the journal fails, the key is rejected. */
  readonly ERROR: 1;
  /** Reads and status queries that failed, log lines that were dropped. */
  readonly WARN: 2;
  /** Every attempt, and its outcome. */
  readonly INFO: 3;
  /** Every read and every request. */
  readonly DEBUG: 4;
};

/** Who acts on a code. An action that is newer than this binding is the administrator's. */
export declare const Action: {
  /** The POS goes on. */
  readonly CONTINUE: "continue";
  /** The cashier informs the member. */
  readonly TELL_MEMBER: "tellMember";
  /** The POS or the cashier may try again. */
  readonly RETRY: "retry";
  /** The administrator corrects the till, the network or the key. */
  readonly ADMINISTRATOR: "administrator";
  /** The vendor of the POS corrects the program. */
  readonly FIX_PROGRAM: "fixProgram";
  /** Nobody acts: the library resolves the operation. */
  readonly WAIT: "wait";
  /** A person decides about the operation. */
  readonly REVIEW: "review";
};
export type Action = "continue" | "tellMember" | "retry" | "administrator" | "fixProgram" | "wait" | "review";

/** What is known about the points. */
export type Outcome = "completed" | "declined" | "pending" | "notSent";

/** An object of Engage's own, unchanged. */
export type Engages = Record<string, any>;

/** The operation object: one purchase or redeem, as the journal holds it. A value that is not
 *  known, or that belongs to the other kind, is null. */
export interface Operation {
  /** For a purchase it is also the purchase id. */
  operationId: string;
  /** The kind of operation. */
  kind: "purchase" | "redeem";
  /** The outcome: what is known about the points. */
  outcome: Outcome;
  /** The state in the journal. */
  state: "recorded" | "inDoubt" | "completed" | "declined" | "notSent";
  /** The code of the outcome. */
  code: number;
  /** The name of a code. */
  name: string;
  /** Who acts on a code. */
  action: Action;
  /** Null for a redeem. */
  purchaseId: string | null;
  /** The member; null if no contact was given. */
  contactId: string | null;
  /** The bought item; null for a redeem. */
  itemId: string | null;
  /** The reward that is redeemed, or that the purchase gave once that is certain. */
  assignmentId: string | null;
  /** The channel of a redeem. */
  channel: "POS" | "ECOM" | "OTHER" | null;
  /** The POS's own name for the sale. */
  reference: string | null;
  /** The requests made. */
  attempts: number;
  /** The HTTP status of the last response. */
  httpStatus: number | null;
  /** Engage's own error code. */
  engageCode: string | null;
  /** Texts about the last failure, outermost first. */
  cause: string[];
  /** What the cashier reads, in the language of the configuration. */
  forCashier: string;
  /** What the member is shown, in the language of the configuration. */
  forMember: string;
  /** Engage's own ids of the requests. */
  requestIds: string[];
  /** Whether a manual review is needed. */
  needsReview: boolean;
  /** The decision of a person. */
  review: Review | null;
  /** The time at which the intent was recorded. */
  recordedAtMs: number;
  /** The time at which the outcome became known. */
  resolvedAtMs: number | null;
  /** The time at which the POS acknowledged the outcome. */
  acknowledgedAtMs: number | null;
  /** The time by which a pending operation has an outcome at the latest, where that is known. */
  expectedByMs: number | null;
  /** The last status query. */
  lastQueryAtMs: number | null;
  /** The next status query of a pending operation. */
  nextQueryAtMs: number | null;
  /** The code of the last attempt or status query. */
  lastCode: number | null;
  /** The code with which the operation became pending. */
  firstPendingCode: number | null;
  /** The status queries that no caller waited for. */
  retryCount: number;
  /** Whose operation it is. */
  tenant: string | null;
  /** Whether it belongs to another tenant than the client's. */
  foreign: boolean;
  /** The version of the library that wrote the record last. */
  writerVersion: string;
  /** Engage's purchase object, unchanged, once completed. */
  purchase: Engages | null;
  /** Engage's reward object of a redeem, unchanged, if Engage returned it. */
  reward: Engages | null;
  /** Only in a purchaseResult: whether the operation existed before the call. */
  existing?: boolean;
}

/** The result of eps_list_operations. */
export interface OperationPage {
  /** Oldest first; a page may be empty. */
  operations: Operation[];
  /** The option "after" of the next call; null behind the last page. */
  next: string | null;
}

/** The decision of a person about an operation in manual review. */
export interface Review {
  /** The decision. */
  resolution: "completed" | "declined";
  /** The person who decided. */
  by: string | null;
  /** The reason. */
  note: string | null;
  /** The time of the decision, in ms since 1970 UTC. */
  atMs: number;
}

/** The result of eps_find_reward. */
export interface FoundReward {
  /** How the reward was found. */
  certainty: "explicit" | "newSincePurchase" | "onlyCandidate" | "ambiguous" | "none";
  /** For eps_redeem_reward; null unless certain. */
  assignmentId: string | null;
  /** Engage's object, unchanged. */
  reward: Engages | null;
  receipt: Receipt | null;
  /** Engage's objects, from which a person chooses. */
  candidates: Engages[];
}

/** The texts of a reward for a receipt and a screen. A value that is not known is null. */
export interface Receipt {
  title: string | null;
  description: string | null;
  /** The text of the barcode. */
  barcode: string | null;
  /** In Engage's format. */
  expiresOn: string | null;
  /** For the cashier. */
  instruction: string | null;
  /** The type of the value. */
  valueType: string | null;
  /** The value, in Engage's format. */
  value: unknown;
}

/** The result of eps_resolve_pending. */
export interface Resolution {
  /** The operations whose outcome became known. */
  resolved: number;
  /** The operations that are still pending. */
  pending: number;
}

/** The result of eps_backup_journal. */
export interface JournalCopy {
  /** The path of the copy, as it was given. */
  path: string;
  /** The size of the copy. */
  bytes: number;
  /** The operations in the copy. */
  operations: number;
}

/** The result of eps_read_stats. The counters begin with the open. */
export interface Stats {
  /** The version of the library. */
  version: string;
  /** The reads made for a caller. */
  reads: number;
  /** The attempts of purchases. */
  purchasesSent: number;
  /** The attempts of redeems. */
  redeemsSent: number;
  /** The status queries. */
  statusQueries: number;
  /** The operations that became completed. */
  completed: number;
  /** The operations that became declined. */
  declined: number;
  /** The operations that became not sent. */
  notSent: number;
  /** The pending operations in the journal; null without a journal. */
  pending: number | null;
  /** The final and unacknowledged operations in the journal; null without a journal. */
  unacknowledged: number | null;
}

/** The result of eps_check. */
export interface HealthReport {
  /** The worst status. */
  status: "ok" | "warn" | "fail";
  /** The checks. */
  checks: HealthCheck[];
  /** The points of the pending purchases as far as they are known; null without a journal. */
  pendingPoints: number | null;
}

/** One check of eps_check. */
export interface HealthCheck {
  /** The name. A newer version may add names. */
  name: "version" | "journal" | "owner" | "whole" | "tenant" | "disk" | "pending" | "review" | "unacknowledged" | "proxy" | "clientCertificate" | "name" | "connect" | "tls" | "certificate" | "key" | "rateLimit" | "clock" | "lastContact";
  /** A check that was not done in time is unknown. */
  status: "ok" | "warn" | "fail" | "unknown";
  /** For people: what was found. */
  message: string;
  /** For people: who does what. */
  action: string | null;
  /** Since when, where that is known. */
  sinceMs: number | null;
}

/** The problem object of a call that did not return EPS_OK. A value that is not known is
 *  null. */
export interface Problem {
  /** A code: 0 or a negative number. */
  code: number;
  /** The name of a code. */
  name: string;
  /** The outcome: what is known about the points. */
  outcome: Outcome;
  /** For people: the problem and the remedy. */
  message: string;
  /** The HTTP status of the last response. */
  httpStatus: number | null;
  /** Engage's own error code. */
  engageCode: string | null;
  /** The operation that the problem is about. */
  operationId: string | null;
  /** Its purchase id, if it is a purchase. */
  purchaseId: string | null;
  /** The requests made. */
  attempts: number;
  /** The time to wait before another try, in ms. */
  retryAfterMs: number | null;
  /** The causes, outermost first. */
  cause: string[];
  /** What the cashier reads, in the language of the configuration. */
  forCashier: string;
  /** What the member is shown, in the language of the configuration. */
  forMember: string;
  /** Only of a purchase or a redeem with the option submit: the operation. */
  operation?: Operation;
}

/** The configuration of eps_client_open. The default applies to a null. */
export interface Config {
  /** The tenant's URL, or the address of a store relay. */
  baseUrl: string;
  /** The POS and its version. */
  userAgent: string;
  /** The API key; absent when a relay adds it. */
  apiKey?: string | null;
  apiMapping?: Record<string, unknown> | null;
  /** A PEM file with root certificates, beside the system's. */
  caFile?: string | null;
  /** A PEM file with the till's certificate. */
  clientCertFile?: string | null;
  /** A PEM file with the key of clientCertFile. */
  clientKeyFile?: string | null;
  /** The longest delay with which Engage's history shows a purchase. */
  historyLagMs?: number | null;
  /** Whether a purchase id is random, or derived from tenant, reference, contact and item. */
  idScope?: "journal" | "tenant" | null;
  /** In place of a file: pending operations are lost when the process ends. */
  journal?: "memory" | null;
  /** The absolute path of the journal's file, on a local disk. */
  journalPath?: string | null;
  /** How a journal that has lost records is opened. */
  journalRecovery?: "refuse" | "accept" | null;
  /** How a journal that is a copy is opened. */
  journalRole?: "live" | "copy" | "takeOver" | null;
  /** The language of forCashier and forMember. */
  language?: "en" | "sv" | "nb" | "da" | "fi" | "de" | null;
  /** The absolute path of the library's own log file. */
  logFile?: string | null;
  /** The size at which logFile is renamed and begun anew. */
  logFileBytes?: number | null;
  /** The number of log files, the newest one included. */
  logFiles?: number | null;
  /** The level of the lines in logFile. */
  logLevel?: "info" | "error" | "warn" | "debug" | null;
  /** The size limit of a response. */
  maxResponseBytes?: number | null;
  /** Whether a connection is made on open. */
  preconnect?: boolean | null;
  /** A proxy, or "none"; absent for the environment's. */
  proxy?: string | null;
  /** How long after its acknowledgement a reference still means the same purchase. */
  referenceWindowMs?: number | null;
  /** The timeout of one request. */
  requestTimeoutMs?: number | null;
  /** The age after which a purchase is not sent again. */
  resendLimitMs?: number | null;
  /** The time for which acknowledged records are kept, in days. */
  retentionDays?: number | null;
  /** The waits between status queries of a pending operation. The last one repeats. */
  retryScheduleMs?: number[] | null;
  /** The path of the journal's seal; absent for the journal's path and "-seal". */
  sealPath?: string | null;
  /** The time after an open within which the first status queries start. */
  startupJitterMs?: number | null;
  /** Whether the system's root certificates are used. */
  systemTrust?: boolean | null;
  /** Whose operations the journal holds; absent for the origin of baseUrl. At most 200 bytes. */
  tenant?: string | null;
  /** The longest wait of a call. */
  waitMs?: number | null;
}

/** The options of eps_check. */
export interface CheckOptions {
  /** The name of the call for eps_cancel_call. At most 64 bytes. */
  callId?: string | null;
  /** Whether only the checks are made that ask no server. */
  offline?: boolean | null;
  /** The longest wait of the call, in ms. */
  waitMs?: number | null;
}

/** The options of eps_find_contact. */
export interface ContactOptions {
  /** The name of the call for eps_cancel_call. At most 64 bytes. */
  callId?: string | null;
  /** Engage's contact type. */
  contactType?: string | null;
  /** The longest wait of the call, in ms. */
  waitMs?: number | null;
}

/** The options of eps_list_operations. */
export interface OperationsOptions {
  /** Only the acknowledged operations, or only the others. */
  acknowledged?: boolean | null;
  /** The "next" of the page before this one. */
  after?: string | null;
  /** The most operations of a page. */
  limit?: number | null;
  /** Only this outcome. */
  outcome?: "completed" | "declined" | "pending" | "notSent" | null;
  /** Only the operations of this reference. At most 200 bytes. */
  reference?: string | null;
  /** Recorded from this time on, in ms since 1970 UTC. */
  since?: number | null;
  /** Recorded before this time, in ms since 1970 UTC. */
  until?: number | null;
}

/** The options of eps_purchase. */
export interface PurchaseOptions {
  /** The name of the call for eps_cancel_call. At most 64 bytes. */
  callId?: string | null;
  /** An identifier of the form 8-4-4-4-12, in upper or lower case. */
  purchaseId?: string | null;
  /** The POS's own name for the sale. At most 200 bytes. */
  reference?: string | null;
  /** Whether the member's rewards are listed first. */
  snapshotRewards?: boolean | null;
  /** Whether the call returns as soon as the operation is durable. */
  submit?: boolean | null;
  /** The longest wait of the call, in ms. */
  waitMs?: number | null;
}

/** The options of eps_redeem_reward. */
export interface RedeemOptions {
  /** The name of the call for eps_cancel_call. At most 64 bytes. */
  callId?: string | null;
  /** The channel of the redeem. */
  channel?: "POS" | "ECOM" | "OTHER" | null;
  /** The POS's own name for the sale. At most 200 bytes. */
  reference?: string | null;
  /** Whether the call returns as soon as the operation is durable. */
  submit?: boolean | null;
  /** The longest wait of the call, in ms. */
  waitMs?: number | null;
}

/** The options of eps_resolve_review. */
export interface ReviewOptions {
  /** The person who decided. At most 200 bytes. */
  by?: string | null;
  /** The reason. At most 200 bytes. */
  note?: string | null;
}

/** The options of eps_list_rewards. */
export interface RewardOptions {
  /** The name of the call for eps_cancel_call. At most 64 bytes. */
  callId?: string | null;
  /** The channel of the redeem. */
  channel?: "POS" | "ECOM" | "OTHER" | null;
  /** The longest wait of the call, in ms. */
  waitMs?: number | null;
}

/** The options of eps_list_unacknowledged. */
export interface UnacknowledgedOptions {
  /** Only the operations of this reference. At most 200 bytes. */
  reference?: string | null;
}

/** The options of a call that only waits. */
export interface WaitOptions {
  /** The name of the call for eps_cancel_call. At most 64 bytes. */
  callId?: string | null;
  /** The longest wait of the call, in ms. */
  waitMs?: number | null;
}
