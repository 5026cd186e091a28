/*
 * engage_point_shop.h: lets a POS sell loyalty rewards for points.
 *
 * `cargo xtask header` makes this file; do not edit it. This header is the specification of the
 * library. The library keeps every promise of this header.
 *
 * PURPOSE. A member buys rewards with loyalty points at the POS, through the Voyado Engage Point
 * Shop. The network drops, the power fails, or the cashier presses twice. The library loses no
 * purchase, deducts no purchase twice, and reports no purchase as declined that was not declined.
 * The library records each operation in a journal before the operation's first request. The
 * library then resolves the operation until its outcome is final.
 *
 * AN EXAMPLE.
 *
 *     #include <stdio.h>
 *     #include "engage_point_shop.h"
 *
 *     #define CONTACT "a0000000-0000-4000-8000-000000000001"
 *     #define ITEM "b0000000-0000-4000-8000-000000000001"
 *
 *     int main(void) {
 *         eps_client *client = NULL;
 *         eps_buffer out;
 *         const char *config = "{\"baseUrl\": \"https://acme.voyado.com\", \"apiKey\": \"secret\","
 *                              " \"userAgent\": \"AcmePOS/1.5\", \"journalPath\": \"/var/lib/acmepos/points.db\"}";
 *         const char *options = "{\"reference\": \"receipt 4711\", \"waitMs\": 8000}";
 *         int32_t code = eps_client_open(EPS_ABI_VERSION, config, &client, &out);
 *         if (code != EPS_OK) {
 *             fprintf(stderr, "%s: %s\n", eps_code_name(code), out.data ? out.data : "");
 *             eps_buffer_dispose(&out);
 *             return 1;
 *         }
 *         eps_buffer_dispose(&out);
 *         code = eps_list_items(client, CONTACT, NULL, &out);
 *         if (code == EPS_OK) puts(out.data);
 *         eps_buffer_dispose(&out);
 *         code = eps_purchase(client, CONTACT, ITEM, options, &out);
 *         switch (eps_outcome(code)) {
 *             case EPS_OUTCOME_COMPLETED: puts("completed"); break;
 *             case EPS_OUTCOME_DECLINED: puts("declined: nothing was deducted"); break;
 *             case EPS_OUTCOME_NOT_SENT: puts("nothing was sent: try again"); break;
 *             default: puts("pending: let the sale go on"); break;
 *         }
 *         eps_buffer_dispose(&out);
 *         return eps_client_close(client) == EPS_OK ? 0 : 1;
 *     }
 *
 * THE LIFE OF A PURCHASE. eps_purchase makes the intent durable, sends the purchase and waits at
 * most "waitMs". Completed, declined and not sent are final outcomes. Pending is a normal state,
 * not an error: the request goes on, and its response is journaled. The library resolves a pending
 * operation in the background, in this run or the next, without help from the POS. The POS learns
 * the outcome from eps_list_unacknowledged. The POS calls eps_acknowledge when the POS has stored
 * or printed an outcome. Until then the library keeps the operation, and the same press again is
 * the same purchase. The same press is the same reference, or without a reference the same contact
 * and item.
 *
 * AT START. Open the client and call eps_list_unacknowledged. Show or store each final outcome,
 * then acknowledge it. The library already resolves the operations that are still pending.
 *
 * CODES. Every call that can fail returns an int32_t: EPS_OK (0) or a negative code. The class of
 * a code says what the POS does next. eps_outcome returns the outcome of a code; eps_code_name
 * returns its name. Treat a code that the program does not know by eps_outcome.
 *
 * RESULTS. A call with a result takes an eps_buffer. On EPS_OK the buffer holds the result, else
 * the problem object of the same call. Both are UTF-8 JSON with a NUL behind. The problem object
 * always has these keys, null where no value is known:
 *   "code", "name";
 *   "outcome": "completed", "declined", "pending" or "notSent";
 *   "message": for people: the problem, and the remedy;
 *   "httpStatus";
 *   "engageCode": Engage's own error code;
 *   "operationId", "purchaseId": of the intent that the problem is about;
 *   "attempts": the requests made;
 *   "retryAfterMs";
 *   "cause": an array of texts, outermost first.
 * No result holds the API key. A new version may add keys: ignore keys that the program does not
 * know. After a panic inside the library (EPS_INTERNAL) the buffer holds a problem object too. The
 * operation object, which describes one purchase or redeem, is specified at eps_get_operation.
 *
 * OWNERSHIP. Strings that are passed in belong to the caller; the library does not keep them. The
 * bytes of a buffer belong to the library until eps_buffer_dispose. A client belongs to the
 * library until eps_client_close. Static texts (eps_code_name, eps_version) are never freed.
 *
 * TEXT. Every string is UTF-8 and NUL-terminated. A POS with another code page converts its
 * strings first: bytes that are not UTF-8 give EPS_BAD_UTF8. Identifiers are GUIDs of the form
 * 8-4-4-4-12, in upper or lower case.
 *
 * UNITS. Times are milliseconds, costs are points (whole numbers), sizes are bytes.
 *
 * THREADS. Every function may be called from any thread at any time, on one client too. A call
 * blocks only its own thread. No call outlives its wait by more than 50 ms. One buffer belongs to
 * one thread at a time. The library has threads of its own: at most 32, and a few short-lived
 * ones. On these threads only the function of eps_set_log is called.
 *
 * LIFETIMES. Clients may be closed in any order, twice, from any thread, by a finalizer too, and
 * while other threads are in calls on them. A call on a closed client gives EPS_CLOSED. A handle
 * is never given twice. A result outlives its client. A process may end with clients open: the
 * next open resolves the pending operations. On Linux the library is never unloaded, so dlclose is
 * harmless. On Windows, close every client before FreeLibrary.
 *
 * FORK. A child is forked from a process that had opened a client: every call that takes a client,
 * and eps_client_open, returns EPS_FORKED in the child. Open the first client after the fork, or
 * start a new program.
 *
 * COMPATIBILITY. No signature and no meaning ever changes: new behaviour is a new option or a new
 * function. The number of a code is never used again. Only fixed-width integers, size_t and
 * pointers cross this interface.
 */

#ifndef ENGAGE_POINT_SHOP_H
#define ENGAGE_POINT_SHOP_H

#include <stddef.h>
#include <stdint.h>

/* How the functions are imported. Define EPS_STATIC when you link the static library on Windows. */
#ifndef EPS_API
#if defined(_WIN32) && !defined(EPS_STATIC)
#define EPS_API __declspec(dllimport)
#else
#define EPS_API
#endif
#endif

/* The version of this header. eps_version() returns the library's. */
#define EPS_VERSION "0.1.0"
#define EPS_VERSION_MAJOR 0
#define EPS_VERSION_MINOR 1
#define EPS_VERSION_PATCH 0

/* The version of this interface, an argument of eps_client_open. The number changes only when
 * programs that were compiled against an older header stop working. */
#define EPS_ABI_VERSION 1u

/* The outcomes: the values of eps_outcome. */
/** Engage has completed the operation, or a read has succeeded. */
#define EPS_OUTCOME_COMPLETED 0
/** Engage has declined the operation; nothing was deducted. */
#define EPS_OUTCOME_DECLINED 1
/** The outcome is not known yet. Never treat it as failed. */
#define EPS_OUTCOME_PENDING 2
/** No attempt has left the till, or a read failed. Try again. */
#define EPS_OUTCOME_NOT_SENT 3

/* The log levels of eps_set_log. Each level includes the levels above it. */
/** No lines. */
#define EPS_LOG_OFF 0
/** Faults that need an administrator: the journal fails. */
#define EPS_LOG_ERROR 1
/** Reads that failed, log lines that were dropped. */
#define EPS_LOG_WARN 2
/** Every attempt, and its outcome. */
#define EPS_LOG_INFO 3
/** Every read. */
#define EPS_LOG_DEBUG 4

/* Codes. The class of a code says what the POS does next. A number is never used again. */

/* 0, completed: go on, then acknowledge. */
/** Completed. A purchase: Engage has completed it. */
#define EPS_OK 0

/* -1xx, the caller's mistake: fix the program. */
/** A required pointer is NULL; the message names the argument. */
#define EPS_NULL_ARGUMENT (-101)
/** An argument is not valid UTF-8; the message names it and the byte. */
#define EPS_BAD_UTF8 (-102)
/** A required argument is empty; the message names it. */
#define EPS_EMPTY_ARGUMENT (-103)
/** An identifier is not a GUID of the form 8-4-4-4-12; the message names it. */
#define EPS_NOT_A_GUID (-104)
/** options_json is not a JSON object, or a key in it is unknown, of the wrong type or out of
 *  range; the message names the key. */
#define EPS_BAD_OPTIONS (-105)
/** The pointer is not a client of this library. */
#define EPS_BAD_HANDLE (-106)
/** The client is closed or being closed. */
#define EPS_CLOSED (-107)
/** This till has used the purchase id for another contact or another item. Use a fresh id. */
#define EPS_PURCHASE_ID_CONFLICT (-108)
/** The journal holds no operation of this id. */
#define EPS_UNKNOWN_OPERATION (-109)
/** The operation cannot be acknowledged: its outcome is not known yet. */
#define EPS_STILL_PENDING (-110)
/** The log level is none of EPS_LOG_OFF to EPS_LOG_DEBUG. */
#define EPS_BAD_LOG_LEVEL (-111)
/** This reference, contact and item already belong to another purchase id. */
#define EPS_REFERENCE_CONFLICT (-112)
/** The key to find a contact by is none of email, mobilePhone, socialSecurityNumber, customKey
 *  and any. */
#define EPS_BAD_KEY (-113)
/** The process was forked from one that had opened a client. Open the first client after the
 *  fork, or start a new program. */
#define EPS_FORKED (-116)
/** Another redeem of this reward, for another reference or channel, is pending on this till.
 *  Wait for its outcome. */
#define EPS_REWARD_IN_USE (-114)
/** The reference belongs to an operation that was acknowledged before referenceWindowMs. Put
 *  the date and the line into the reference, or pass a purchase id of your own. */
#define EPS_REFERENCE_REUSED (-117)
/** The operation is a redeem; only a purchase gives a reward. */
#define EPS_NOT_A_PURCHASE (-115)

/* -2xx, configuration or credentials: call the administrator. */
/** config_json is not a JSON object, or a key in it is missing, unknown, of the wrong type or
 *  out of range; the message names the key. */
#define EPS_BAD_CONFIG (-200)
/** The program was compiled against the header of another ABI version. */
#define EPS_ABI_MISMATCH (-210)
/** No certificate authority could be loaded from caFile or from the operating system. */
#define EPS_NO_CA_CERTIFICATES (-211)
/** Engage responded with status 401: the API key is missing, wrong or revoked. Nothing was
 *  deducted. */
#define EPS_UNAUTHORIZED (-212)
/** Engage responded with status 403: the API key may not do this. Nothing was deducted. */
#define EPS_FORBIDDEN (-213)
/** InvalidSystemConfiguration: Engage itself is not set up for this; no retry cures it. */
#define EPS_SYSTEM_CONFIGURATION (-214)
/** The proxy requires a user and a password, or rejects the configured ones. Nothing was sent. */
#define EPS_PROXY_LOGIN (-215)

/* -3xx, declined: nothing was deducted. Inform the member. */
/** Engage has declined it; httpStatus and engageCode say more. Nothing was deducted. */
#define EPS_DECLINED (-300)
/** PromotionAssignmentContactNotFound or ContactNotFound: there is no such contact. */
#define EPS_CONTACT_NOT_FOUND (-310)
/** PromotionAssignmentPromotionNotFound: the promotion linked to the item was removed. */
#define EPS_PROMOTION_NOT_FOUND (-311)
/** PromotionAssignmentPromotionExpired: the promotion linked to the item has ended. */
#define EPS_PROMOTION_EXPIRED (-312)
/** 404: the item does not exist. */
#define EPS_ITEM_NOT_FOUND (-313)
/** PointShopItemPurchaseFailed, or the purchase's status is Failed. */
#define EPS_PURCHASE_FAILED (-314)
/** 422: not enough points, not eligible, or outside the item's window. */
#define EPS_PURCHASE_NOT_ALLOWED (-315)
/** 400 without a code: for a purchase, its id belongs to another contact. */
#define EPS_INVALID_REQUEST (-316)
/** InvalidContact: Engage does not accept the contact id. */
#define EPS_INVALID_CONTACT (-317)
/** InvalidEmailAddress: Engage does not accept the e-mail address. */
#define EPS_INVALID_EMAIL (-318)
/** InvalidPhoneNumber: Engage does not accept the phone number. */
#define EPS_INVALID_PHONE (-319)
/** InvalidSocialSecurityNumber: Engage does not accept the number. */
#define EPS_INVALID_SOCIAL_SECURITY_NUMBER (-320)
/** InvalidContactType: Engage does not know the contactType. */
#define EPS_INVALID_CONTACT_TYPE (-321)
/** InvalidSearchQuery: Engage does not accept the search. */
#define EPS_INVALID_SEARCH (-322)
/** MultipleMatches: more than one contact fits; use a key that is unique. */
#define EPS_MULTIPLE_MATCHES (-323)
/** NotAValidRedemptionChannel: Engage does not know the channel. */
#define EPS_INVALID_CHANNEL (-324)
/** InvalidPromotionIdNoData: Engage does not accept the assignment id. */
#define EPS_INVALID_REWARD (-325)
/** PromotionNotFound, or 404: there is no such reward. A promotionId is no assignment id. */
#define EPS_REWARD_NOT_FOUND (-326)
/** PromotionNotAssociatedWithContact: the reward is not this member's. */
#define EPS_REWARD_NOT_OF_CONTACT (-327)
/** PromotionAlreadyRedeemed: the reward was used before, and not by this operation. */
#define EPS_ALREADY_REDEEMED (-328)
/** PromotionNotValidForRedemptionChannel: the reward cannot be used on this channel. */
#define EPS_REWARD_NOT_FOR_CHANNEL (-329)

/* -4xx, not sent, or a read that failed: try again. */
/** No connection to the server could be made. */
#define EPS_OFFLINE (-411)
/** The server's name could not be resolved. */
#define EPS_DNS_FAILED (-412)
/** The TLS handshake failed; cause names the reason to its last link. */
#define EPS_TLS_FAILED (-413)
/** The wait ended: a read has no response, or a purchase was withdrawn before anything was
 *  sent. */
#define EPS_TIMED_OUT (-414)
/** eps_cancel: a read has no response, or a purchase was withdrawn before anything was sent. */
#define EPS_CANCELLED (-415)
/** 429 to a read: too many requests with this API key; retryAfterMs says when to try again if
 *  Engage said so. */
#define EPS_RATE_LIMITED (-416)
/** The response to a read is not Engage's JSON: a web page, cut off, or of another shape. */
#define EPS_INVALID_RESPONSE (-417)
/** The response to a read is larger than maxResponseBytes. */
#define EPS_RESPONSE_TOO_LARGE (-418)
/** The server responded to a read with a 5xx status, or with 408 or 425. */
#define EPS_SERVER_ERROR (-419)
/** The connection ended before the response to a read was complete. */
#define EPS_CONNECTION_LOST (-420)
/** The proxy does not connect to the server; the message has its status. Nothing was sent. */
#define EPS_PROXY_FAILED (-421)
/** There was no memory for a response or a list. Nothing was sent. */
#define EPS_OUT_OF_MEMORY (-422)

/* -5xx, pending: the journal holds the operation. Let the sale go on. */
/** The outcome is not known yet; httpStatus and engageCode say more. */
#define EPS_PENDING (-500)
/** The wait ended before Engage responded. The request goes on and its response is journaled. */
#define EPS_PENDING_WAIT_ENDED (-510)
/** eps_cancel ended the wait. The request goes on and its response is journaled. */
#define EPS_PENDING_CANCELLED (-511)
/** The connection ended after the request may have left and before its response came. */
#define EPS_PENDING_CONNECTION_LOST (-512)
/** Engage is still processing it (PointShopItemPurchaseProcessingTimedOut, or status
 *  Processing). */
#define EPS_PENDING_PROCESSING (-513)
/** The response is not Engage's (a web page, cut off, another shape), or this version does not
 *  know its status. */
#define EPS_PENDING_INVALID_RESPONSE (-514)
/** A 5xx response: Engage, a gateway or a proxy failed, and the purchase may have been made. */
#define EPS_PENDING_SERVER_ERROR (-515)
/** PromotionAssignmentError: an internal error of Engage, to be retried with the same id. */
#define EPS_PENDING_ASSIGNMENT_ERROR (-516)
/** 429: too many requests with this API key. The library tries again by itself. */
#define EPS_PENDING_RATE_LIMITED (-517)
/** The outcome could not be written to the journal. The library queries it again. */
#define EPS_PENDING_NOT_PERSISTED (-518)
/** The client was closed during the wait. The operation is resolved after the next open. */
#define EPS_PENDING_CLOSED (-519)
/** Older than resendLimitMs, and Engage does not show it: it is not sent again, and a person
 *  must decide. */
#define EPS_PENDING_NEEDS_REVIEW (-520)
/** An earlier attempt may have been processed, and Engage now responds with 401 or 403. Have
 *  the administrator check the API key. */
#define EPS_PENDING_CREDENTIALS (-521)
/** The reward is redeemed or gone, and nothing proves whether by this operation or by somebody
 *  else. A person must decide. */
#define EPS_PENDING_AMBIGUOUS (-522)
/** The operation is durable and is being sent. */
#define EPS_PENDING_SUBMITTED (-523)
/** There was no memory for the response of an attempt. */
#define EPS_PENDING_OUT_OF_MEMORY (-524)

/* -6xx, the journal cannot be used: nothing was sent. Call the administrator. */
/** The journal could not be read or written. Nothing was sent. */
#define EPS_JOURNAL (-600)
/** The journal cannot be opened: no such folder, a folder in its place, no permission. */
#define EPS_JOURNAL_CANNOT_OPEN (-610)
/** The disk that holds the journal is full. Nothing was sent. */
#define EPS_JOURNAL_FULL (-611)
/** Another program holds the journal locked. Nothing was sent. */
#define EPS_JOURNAL_LOCKED (-612)
/** The journal was written by a newer version of this library. It was left untouched. */
#define EPS_JOURNAL_NEWER (-613)
/** The journal is damaged. It was left untouched. */
#define EPS_JOURNAL_DAMAGED (-614)
/** The file at journalPath belongs to another program. It was left untouched. */
#define EPS_JOURNAL_FOREIGN (-615)
/** The journal can be read but not written. Nothing was sent. */
#define EPS_JOURNAL_READ_ONLY (-616)
/** Records are missing (a lost, damaged or older file). The message says since when, and the
 *  way out. */
#define EPS_JOURNAL_INCOMPLETE (-617)
/** The journal is a copy; see journalRole. */
#define EPS_JOURNAL_COPY (-618)
/** Another copy of this library in this process has the journal open. */
#define EPS_JOURNAL_SECOND_COPY (-619)
/** The files on the disk are no longer the ones that are open. */
#define EPS_JOURNAL_REPLACED (-620)
/** The file is not a regular file, is reached by a link, or belongs to or may be written by
 *  others. */
#define EPS_JOURNAL_UNSAFE (-621)
/** The disk did not answer within the wait. */
#define EPS_JOURNAL_TIMED_OUT (-622)

/* -9xx, a fault of the library: report it. */
/** A fault of this library (a caught panic). If it was a purchase, its outcome is in the
 *  journal. Please report it. */
#define EPS_INTERNAL (-900)


/**
 * A client. Opaque: only a pointer to it is ever held, and it points to nothing the program could read.
 */
typedef struct eps_client eps_client;

/**
 * What a call answers: UTF-8 JSON, NUL-terminated.
 *
 * The caller owns the struct, the library owns what `data` points to until `eps_buffer_dispose`. A call that takes a buffer
 * sets it to `{NULL, 0, 0}` first, without reading it, so it need not be initialised; dispose of an answer before the struct is
 * used for another call. The layout never changes.
 */
typedef struct {
    /**
     * The first byte, or NULL.
     */
    char *data;
    /**
     * Bytes before the terminating NUL.
     */
    size_t len;
    /**
     * The library's own; do not touch.
     */
    size_t reserved;
} eps_buffer;

/**
 * Receives a line of the log: UTF-8 JSON, NUL-terminated, valid only during the call.
 *
 * `level` is one of EPS_LOG_ERROR to EPS_LOG_DEBUG. It is called on a thread of the library's own, one line at a time; it may call
 * any function of this library. A slow one holds up no call: lines it cannot keep up with are dropped and counted.
 * It must not throw.
 */
typedef void (*eps_log_fn)(void *user, int32_t level, const char *line, size_t len);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Opens a client.
 *
 * Does not wait for the network: a till opens offline. A first connection is made in the background ("preconnect"), and what an
 * earlier run left pending in the journal is settled there from now on.
 *
 * @param abi          EPS_ABI_VERSION, as compiled into the program.
 * @param config_json  The configuration, a JSON object. Required: "baseUrl" ("https://acme.voyado.com", or a store relay),
 *                     "userAgent" (the POS and its version, "AcmePOS/1.5"). Usual: "apiKey" (left out when a relay adds it),
 *                     "journalPath" (a file on a local disk, needed by everything that spends; or "journal": "memory", which
 *                     forgets pending purchases with the process). Optional, with defaults: "waitMs" 10000, how long a call keeps
 *                     the cashier, 0 to 600000; "requestTimeoutMs" 60000, how long a request may take, 100 to 600000; "caFile", PEM,
 *                     trusted beside the system's authorities; "systemTrust" true, whether those are trusted; "clientCertFile" and
 *                     "clientKeyFile", PEM, by which the till proves who it is; "proxy" "http://user:password@host:port", or "none";
 *                     by default what HTTPS_PROXY, ALL_PROXY and NO_PROXY say; "preconnect" true, whether a connection is made on open;
 *                     "maxResponseBytes" 8388608, a larger answer is an error; "retryScheduleMs" [10000,30000,60000,300000], the waits between looks at
 *                     a pending purchase, the last repeats; "startupJitterMs" 30000, within which settling starts after an open;
 *                     "resendLimitMs" 86400000, after which a purchase is not sent again but needs a person; "retentionDays" 90,
 *                     how long acknowledged records are kept; "apiMapping", an object that overrides what this library assumes of Engage
 *                     where its public pages are silent (the README has its keys). An unknown key is an error.
 * @param client       Gets the client, or NULL; untouched if out is NULL. Close it with eps_client_close.
 * @param out          Gets `{"version": …, "abi": …}`, or the problem object. Required.
 * @return EPS_OK; EPS_NULL_ARGUMENT, EPS_BAD_UTF8; EPS_ABI_MISMATCH, EPS_BAD_CONFIG, EPS_NO_CA_CERTIFICATES; a code of the -6xx band if the
 *         journal cannot be used.
 *
 * Threads: any. Several clients may be open at once, also on one journal, also in several processes.
 */
EPS_API
int32_t eps_client_open(uint32_t abi,
                        const char *config_json,
                        eps_client **client,
                        eps_buffer *out);

/**
 * Closes a client.
 *
 * Calls that are blocked on it return; requests under way are ended within two seconds and stay pending in the journal.
 * NULL, and a client that is closed already, are no-ops.
 *
 * @return EPS_OK; EPS_BAD_HANDLE, EPS_FORKED.
 *
 * Threads: any, also while other threads are in calls on this client.
 */
EPS_API int32_t eps_client_close(eps_client *client);

/**
 * Makes every call that is now blocked on this client return within 50 ms: a read with EPS_CANCELLED, a purchase with
 * EPS_CANCELLED if it is proven that nothing was sent, else with EPS_PENDING_CANCELLED. Later calls are not touched.
 *
 * @return EPS_OK; EPS_NULL_ARGUMENT, EPS_BAD_HANDLE, EPS_CLOSED.
 *
 * Threads: any; made for being called while another thread waits.
 */
EPS_API int32_t eps_cancel(eps_client *client);

/**
 * Finds a member.
 *
 * @param key           "email", "mobilePhone", "socialSecurityNumber", "customKey" (the member number or external id) or "any".
 * @param value         What to look for, as the member gave it: "+46701234567". It is sent to Engage and kept nowhere.
 * @param options_json  NULL, or an object with any of "contactType" (Engage's contact type), "waitMs".
 * @param out           Gets the contact's id, a JSON string with a GUID; or the problem object. Required.
 * @return EPS_OK; EPS_BAD_KEY or another code of the -1xx band; EPS_CONTACT_NOT_FOUND, EPS_MULTIPLE_MATCHES, EPS_INVALID_EMAIL,
 *         EPS_INVALID_PHONE, EPS_INVALID_SOCIAL_SECURITY_NUMBER, EPS_INVALID_CONTACT_TYPE, EPS_INVALID_SEARCH; EPS_SYSTEM_CONFIGURATION,
 *         EPS_UNAUTHORIZED, EPS_FORBIDDEN; a code of the -4xx band, after which the call may be made again.
 *
 * Threads: any.
 */
EPS_API
int32_t eps_find_contact(eps_client *client,
                         const char *key,
                         const char *value,
                         const char *options_json,
                         eps_buffer *out);

/**
 * Lists a member's point accounts: how many points there are to spend.
 *
 * @param contact_id    The member, a GUID.
 * @param options_json  NULL, or `{"waitMs": …}`.
 * @param out           Gets Engage's JSON array, each element as it came with at least "balance" (points, with decimals); or the
 *                      problem object. Required.
 * @return As eps_list_items.
 *
 * Threads: any.
 */
EPS_API
int32_t eps_list_points(eps_client *client,
                        const char *contact_id,
                        const char *options_json,
                        eps_buffer *out);

/**
 * Lists the items a member can buy now.
 *
 * @param contact_id    The member, a GUID.
 * @param options_json  NULL, or `{"waitMs": …}`: how long the call may take, 0 to 600000 ms.
 * @param out           Gets Engage's JSON array as it came, each element with at least "id" (a GUID) and "cost" (points, a whole
 *                      number); or the problem object. Required.
 * @return EPS_OK; a code of the -1xx band; EPS_UNAUTHORIZED, EPS_FORBIDDEN; EPS_INVALID_CONTACT, EPS_DECLINED; a code of the -4xx band,
 *         after which the call may be made again.
 *
 * Threads: any.
 */
EPS_API
int32_t eps_list_items(eps_client *client,
                       const char *contact_id,
                       const char *options_json,
                       eps_buffer *out);

/**
 * Buys an item for points.
 *
 * The intent is durable in the journal before anything is sent. At most one deduction is made for it, whatever crashes and
 * however often it is asked for. The request is not tied to the call: when the wait ends first, the call returns *pending*, the
 * request goes on, its answer is journaled, and what stays unknown is settled in the background.
 *
 * @param contact_id    The member, a GUID.
 * @param item_id       The item's "id" from eps_list_items, a GUID; not its promotionId.
 * @param options_json  NULL, or an object with any of:
 *                      "reference": the POS's own name for the sale, a basket or receipt number (at most 200 bytes, no control
 *                      characters; it is kept in the journal and must not identify a person). The same reference, contact and item
 *                      always mean the same purchase.
 *                      "purchaseId": a GUID of the POS's own (eps_new_id), as an alternative or in addition.
 *                      "waitMs": how long the cashier waits, 0 to 600000 ms. A request that has not left by then is withdrawn
 *                      and told as not sent; one that may have left goes on and is told as pending.
 *                      "snapshotRewards": true lists the member's rewards before anything is sent (one more round trip, within the wait),
 *                      unless eps_list_rewards did so within ten minutes: so eps_find_reward can tell a new reward from old ones.
 *                      With neither reference nor purchaseId, a purchase of the same contact and item that is pending, or done and
 *                      not yet acknowledged, is joined: a second press is not a second purchase. So acknowledge.
 * @param out           Gets the operation object (see eps_get_operation) with "existing" (whether it had been asked for before); or
 *                      the problem object, with operationId. Required.
 * @return EPS_OK: bought. -3xx: refused, nothing was deducted. -4xx, -6xx, -1xx, -2xx: nothing was sent. -5xx: pending, let the sale
 *         go on and look at eps_list_unacknowledged later. EPS_UNAUTHORIZED and EPS_FORBIDDEN are refusals: nothing was deducted.
 *         EPS_INTERNAL is to be treated as pending.
 *
 * Threads: any. Presses at the same instant, in several threads or processes on one journal, are one purchase.
 */
EPS_API
int32_t eps_purchase(eps_client *client,
                     const char *contact_id,
                     const char *item_id,
                     const char *options_json,
                     eps_buffer *out);

/**
 * Lists a member's purchases: the full history at Engage, made by any till.
 *
 * @param contact_id    The member, a GUID.
 * @param options_json  NULL, or `{"waitMs": …}`.
 * @param out           Gets Engage's JSON array as it came, empty if there are none; or the problem object. Required.
 * @return As eps_list_items.
 *
 * Threads: any.
 */
EPS_API
int32_t eps_list_purchases(eps_client *client,
                           const char *contact_id,
                           const char *options_json,
                           eps_buffer *out);

/**
 * Lists a member's rewards: what the purchases brought, ready to be redeemed.
 *
 * @param contact_id    The member, a GUID.
 * @param options_json  NULL, or an object with any of "channel" ("POS", the default, "ECOM" or "OTHER"), "waitMs".
 * @param out           Gets Engage's JSON array, each element as it came with at least "id" (a GUID, the assignment's: what is
 *                      redeemed; its "promotionId" is only the template); or the problem object. Required.
 * @return As eps_list_items.
 *
 * Threads: any.
 */
EPS_API
int32_t eps_list_rewards(eps_client *client,
                         const char *contact_id,
                         const char *options_json,
                         eps_buffer *out);

/**
 * Tells which reward a completed purchase gave: the one to print, to show and to redeem.
 *
 * Engage may name it in the purchase ("explicit"). Else the member's rewards are compared with those seen before the purchase by
 * eps_list_rewards or "snapshotRewards": "newSincePurchase" is the only one that came since; "onlyCandidate" is the only one of the item's promotion. Both leave
 * out rewards that this till knows to be from another purchase, or used before. What is not certain is never guessed: "ambiguous"
 * lists the candidates for a person to choose from, "none" says that there is none yet; ask again.
 *
 * @param operation_id  A purchase that is done.
 * @param options_json  NULL, or `{"waitMs": …}`: how long the call may take, 0 to 600000 ms.
 * @param out           Gets a JSON object: "certainty" ("explicit", "newSincePurchase", "onlyCandidate", "ambiguous", "none"), "assignmentId" (for
 *                      eps_redeem_reward; null unless certain), "reward" (Engage's object as it came, or null), "receipt" (null, or
 *                      "title", "description", "barcode", "expiresOn", "instruction", "valueType", "value" as far as known),
 *                      "candidates" (Engage's objects); or the problem object. Required.
 * @return EPS_OK; EPS_NOT_A_PURCHASE, EPS_UNKNOWN_OPERATION; the code of the purchase while that is not done; else as eps_list_rewards.
 *
 * Threads: any.
 */
EPS_API
int32_t eps_find_reward(eps_client *client,
                        const char *operation_id,
                        const char *options_json,
                        eps_buffer *out);

/**
 * Uses a reward on a receipt. There is no undo at Engage.
 *
 * Journaled like a purchase: the intent is durable before anything is sent, the request goes on when the wait ends, and what stays
 * unknown is settled in the background, by looking at the reward first. Engage knows no idempotency for it. "Already redeemed" is *done*
 * when a request of this operation was at work at the time at which Engage says it was redeemed, *refused* when that cannot have been
 * this operation, and EPS_PENDING_AMBIGUOUS where nothing tells: then a person must look, and eps_acknowledge hands it over.
 *
 * @param contact_id    The member, a GUID; or NULL if there is none. With it, what became of a lost answer can be looked up.
 * @param assignment_id The reward's "id" from eps_list_rewards or "assignmentId" from eps_find_reward, a GUID; not a promotionId.
 * @param options_json  NULL, or an object with any of:
 *                      "channel": "POS" (default), "ECOM" or "OTHER".
 *                      "reference": the POS's own name for the sale (at most 200 bytes, no control characters, must not identify a
 *                      person). The same reference and reward always mean the same redeem.
 *                      "waitMs": how long the cashier waits, 0 to 600000 ms. As for eps_purchase.
 *                      Without a reference, a redeem of the same reward and channel that is pending, or done and not yet acknowledged,
 *                      is joined: a second press is not a second redeem.
 * @param out           Gets the operation object (see eps_get_operation) with "existing"; or the problem object, with operationId.
 *                      Required.
 * @return EPS_OK: the reward is used. -3xx: refused, it was not used by this. -4xx, -6xx, -1xx, -2xx: nothing was sent; EPS_REWARD_IN_USE
 *         while another redeem of the reward is pending. -5xx: pending, look at eps_list_unacknowledged later. EPS_UNAUTHORIZED and
 *         EPS_FORBIDDEN are refusals. EPS_INTERNAL is to be treated as pending.
 *
 * Threads: any. Presses at the same instant, in several threads or processes on one journal, are one redeem.
 */
EPS_API
int32_t eps_redeem_reward(eps_client *client,
                          const char *contact_id,
                          const char *assignment_id,
                          const char *options_json,
                          eps_buffer *out);

/**
 * Lists what the POS still has to look at: every operation that is pending, or whose outcome it has not acknowledged.
 * Made for being called after a start and between sales. Does not touch the network.
 *
 * @param options_json  NULL, or `{}`: there are no options yet.
 * @param out           Gets `{"operations": […]}`, the operation objects, oldest first; or the problem object. Required.
 * @return EPS_OK; a code of the -1xx or -6xx band; EPS_BAD_CONFIG without a journal.
 *
 * Threads: any.
 */
EPS_API
int32_t eps_list_unacknowledged(eps_client *client,
                                const char *options_json,
                                eps_buffer *out);

/**
 * Tells the last known state of an operation, for example to print a receipt again. Does not touch the network.
 *
 * @param operation_id  From a problem object, eps_purchase or eps_list_unacknowledged. For a purchase it is the purchase id.
 * @param out           Gets the operation object: "operationId", "kind" ("purchase", "redeem"), "outcome" ("completed", "declined", "pending", "notSent"),
 *                      "state", "code", "name", "purchaseId", "contactId", "itemId", "assignmentId" (the reward that is
 *                      redeemed, or that the purchase gave once eps_find_reward was certain), "channel", "reference", "attempts" (requests made),
 *                      "httpStatus", "engageCode", "needsReview", "recordedAtMs", "resolvedAtMs", "acknowledgedAtMs" (ms since 1970 UTC),
 *                      "purchase" (Engage's purchase object as it came, once done), "reward" (of a redeem: Engage's reward object as it
 *                      came, if it was seen); what is not known, or is the other kind's, is null. Or the problem
 *                      object. Required.
 * @return EPS_OK; EPS_UNKNOWN_OPERATION; a code of the -1xx or -6xx band; EPS_BAD_CONFIG without a journal.
 *
 * Threads: any.
 */
EPS_API
int32_t eps_get_operation(eps_client *client,
                          const char *operation_id,
                          eps_buffer *out);

/**
 * Tries now to learn every pending outcome, instead of at the next time of the background's schedule.
 *
 * @param options_json  NULL, or `{"waitMs": …}`: how long the call may take, 0 to 600000 ms.
 * @param out           Gets `{"resolved": n, "pending": n}`: how many became known, and how many are pending still; or the problem
 *                      object. Required.
 * @return EPS_OK, also if some are pending still; EPS_CANCELLED; a code of the -1xx or -6xx band; EPS_BAD_CONFIG without a journal.
 *
 * Threads: any.
 */
EPS_API
int32_t eps_resolve_pending(eps_client *client,
                            const char *options_json,
                            eps_buffer *out);

/**
 * Says that the POS has noted an operation's outcome (printed, stored with the receipt). Until then nothing is forgotten;
 * afterwards the record is kept for "retentionDays" and eps_list_unacknowledged does not show it any more. An operation that
 * needs a person ("needsReview") is handed over by it. Acknowledging twice is as good as once.
 *
 * @param operation_id  A GUID.
 * @param out           Gets the operation object; or the problem object. Required.
 * @return EPS_OK; EPS_UNKNOWN_OPERATION, EPS_STILL_PENDING; a code of the -1xx or -6xx band; EPS_BAD_CONFIG without a journal.
 *
 * Threads: any.
 */
EPS_API
int32_t eps_acknowledge(eps_client *client,
                        const char *operation_id,
                        eps_buffer *out);

/**
 * Reads counters since open and what the journal holds now, for the POS's own monitoring.
 *
 * @param out  Gets a JSON object: "version", "reads", "purchasesSent", "redeemsSent", "statusQueries", "completed", "declined", "notSent", "pending",
 *             "unacknowledged" (the last two null without a journal); or the problem object. Required.
 * @return EPS_OK; EPS_NULL_ARGUMENT, EPS_BAD_HANDLE, EPS_CLOSED.
 *
 * Threads: any.
 */
EPS_API
int32_t eps_read_stats(eps_client *client,
                       eps_buffer *out);

/**
 * Sets this client's log function, or removes it.
 *
 * @param level  EPS_LOG_OFF, EPS_LOG_ERROR, EPS_LOG_WARN, EPS_LOG_INFO or EPS_LOG_DEBUG: lines up to this level are given.
 * @param fn     The function, or NULL to remove it. When this call returns, the old function is not entered again; one that is
 *               running is waited for, at most one second, unless it is the caller itself.
 * @param user   Passed on to the function; the library never looks at it.
 * @return EPS_OK; EPS_BAD_LOG_LEVEL; EPS_NULL_ARGUMENT, EPS_BAD_HANDLE, EPS_CLOSED.
 *
 * Threads: any. No line holds the API key or anything that identifies a person beside the contact's id.
 */
EPS_API
int32_t eps_set_log(eps_client *client,
                    int32_t level,
                    eps_log_fn fn,
                    void *user);

/**
 * Makes a fresh purchase id, for a POS that wants to store it before it calls eps_purchase.
 *
 * @param out  Gets a JSON string: a random GUID in quotes; or the problem object. Required.
 * @return EPS_OK, or EPS_NULL_ARGUMENT.
 *
 * Threads: any. Needs no client.
 */
EPS_API int32_t eps_new_id(eps_buffer *out);

/**
 * Gives an answer's memory back and sets the struct to `{NULL, 0, 0}`. NULL and a second call are no-ops.
 *
 * Threads: any; not one buffer from two at once.
 */
EPS_API void eps_buffer_dispose(eps_buffer *buffer);

/**
 * Tells what a code says about the points: EPS_OUTCOME_COMPLETED, _REFUSED, _PENDING or _NOT_SENT.
 *
 * Total: a code of a newer version is judged by its band, and a number outside the bands is pending, which is never wrong.
 * Threads: any.
 */
EPS_API
int32_t eps_outcome(int32_t code);

/**
 * Tells a code's name, "EPS_OK"; for a number that is none, "EPS_UNKNOWN". Static: never to be freed.
 *
 * Threads: any.
 */
EPS_API const char *eps_code_name(int32_t code);

/**
 * Tells the library's version, "1.2.3". Static: never to be freed.
 *
 * Threads: any.
 */
EPS_API const char *eps_version(void);

/**
 * Tells the ABI version the library was built with; compare it with EPS_ABI_VERSION.
 *
 * Threads: any.
 */
EPS_API uint32_t eps_abi_version(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* ENGAGE_POINT_SHOP_H */
