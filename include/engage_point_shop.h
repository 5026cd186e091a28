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
 *                              " \"userAgent\": \"AcmePOS/1.5\","
 *                              " \"journalPath\": \"/var/lib/acmepos/points.db\"}";
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
 * the same purchase. The same press is the same reference and item, or without a reference the same
 * contact and item.
 *
 * AT START. Open the client and call eps_list_unacknowledged. Show or store each final outcome,
 * then acknowledge it. The library already resolves the operations that are still pending. Do not
 * call eps_resolve_pending at every start: all tills of a chain share the requests of one API key.
 *
 * REFERENCES. Give each sale a reference, for example the number of the receipt. The same
 * reference, contact and item mean the same purchase.
 *   Two of one item on a receipt are two purchases: put a line number into the reference,
 *   "4711/1" and "4711/2".
 *   Receipt numbers that restart (each day, or with a new till) repeat a reference. Put the date
 *   and the till into the reference, "2026-03-01/till 3/4711". A repeated reference buys nothing:
 *   within "referenceWindowMs" after the acknowledgement the call returns the earlier purchase with
 *   "existing". Later the call returns EPS_REFERENCE_REUSED, and "operationId" of the problem
 *   object names the earlier operation.
 *   eps_acknowledge_reference acknowledges everything of one reference, for example a receipt's
 *   purchase and its redeem. eps_list_unacknowledged with "reference" lists it.
 *
 * MANUAL REVIEW. Engage may not show the outcome of a pending operation, for example after the
 * resend limit, or after the journal has lost records. The library then does not decide:
 * "needsReview" is true, and the code is EPS_PENDING_NEEDS_REVIEW or EPS_PENDING_AMBIGUOUS. A
 * person compares the member's purchases and rewards in Engage with the receipt, and the POS stores
 * the decision by eps_resolve_review.
 * eps_acknowledge alone states that a person has taken the operation over, without a decision.
 *
 * CODES. Every call that can fail returns an int32_t: EPS_OK (0) or a negative code. eps_outcome
 * returns the outcome of a code: what is known about the points. eps_code_action returns who acts:
 * the cashier, the administrator, the vendor of the POS or the library. eps_code_name and
 * eps_code_meaning return texts for people. Decide by the outcome and the action, not by single
 * codes: a newer library may return codes that the program does not know.
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
 *   "attempts": the attempts begun, also those that have not left;
 *   "retryAfterMs";
 *   "cause": an array of texts, outermost first;
 *   "forCashier", "forMember": what the cashier reads and what the member is shown, in the language
 *   of the configuration, at most 80 characters each.
 * A purchase or a redeem with the option "submit" that is pending has "operation" too, the
 * operation object.
 * No result holds the API key. A new version may add keys: ignore keys that the program does not
 * know. After a panic inside the library (EPS_INTERNAL) the buffer holds a problem object too. The
 * operation object, which describes one purchase or redeem, is specified at eps_get_operation.
 *
 * OWNERSHIP. Strings that are passed in belong to the caller; the library does not keep them. The
 * bytes of a buffer belong to the library until eps_buffer_dispose. A client belongs to the
 * library until eps_client_close. Static texts (eps_code_name, eps_code_action, eps_code_meaning,
 * eps_version) are never freed.
 *
 * TEXT. Every string is UTF-8 and NUL-terminated. A POS with another code page converts its
 * strings first: bytes that are not UTF-8 give EPS_BAD_UTF8. Identifiers are GUIDs of the form
 * 8-4-4-4-12, in upper or lower case. A program without a JSON library reads results with
 * eps_json_get and writes the texts of its options with eps_json_quote.
 * engage_point_shop.schema.json describes every JSON object that crosses this interface.
 *
 * UNITS. Times are milliseconds, costs are points (whole numbers), sizes are bytes.
 *
 * THREADS. Every function may be called from any thread at any time, on one client too. A call
 * blocks only its own thread. No call outlives its wait by more than 50 ms. One buffer belongs to
 * one thread at a time. The library has threads of its own: one for each purchase or redeem that is
 * in progress, 256 on a client at most, and a few more. Of the POS's functions, only those of
 * eps_set_log and eps_set_notify are called, each on a thread of the library of its own. A call
 * needs 64 KB of stack at most, a function of the POS has 2 MB. pthread_cancel does not act inside
 * of a call: the thread ends after the return. eps_cancel_call ends the call itself.
 *
 * CALLS THAT DO NOT BLOCK. A thread that must not wait, for example that of a user interface, sets
 * a function by eps_set_notify once. It calls eps_purchase or eps_redeem_reward with the option
 * "submit": true. The call returns as soon as the operation is durable: EPS_PENDING_SUBMITTED, or
 * the outcome of an operation that existed before. That takes some milliseconds, or at most
 * "waitMs" where the disk hangs or 256 requests of the client are in progress. The notify function
 * gets the operation again when its outcome is known, on a thread of the library. The function
 * hands the text to the user interface's own queue and returns. eps_cancel_call ends one call of
 * another thread, by the "callId" that the call was given.
 *
 * LIFETIMES. Clients may be closed in any order, twice, from any thread, by a finalizer too, and
 * while other threads are in calls on them. A call on a closed client gives EPS_CLOSED. A handle
 * is never given twice. A result outlives its client. A process may end with clients open: the
 * next open resolves the pending operations.
 *
 * UNLOADING. The library stays loaded until the process ends, because its threads may run after
 * the last client is closed. dlclose and FreeLibrary are allowed at any time and unload nothing:
 * the linker's option nodelete keeps the library on Linux, and eps_client_open pins the module on
 * Windows. Loading the library again gives the same one.
 *
 * WINDOWS' LOADER LOCK. Windows calls DllMain, and the constructors and destructors of a DLL's
 * global objects, under a lock that keeps new threads from beginning.
 *   Allowed there: eps_client_close, eps_set_log with NULL, and every function without a client.
 *   eps_client_close then returns within four seconds; the journal is closed after the lock.
 *   Not allowed: eps_client_open, and calls that spend. They end after their wait without a
 *   request: EPS_JOURNAL_TIMED_OUT, or not sent.
 *   At the end of the process Windows has ended all other threads before it calls DllMain. Every
 *   call that could wait then returns EPS_CLOSED at once, with an empty buffer. The journal is as
 *   after a power cut, and the next open resolves what is pending. A client in a global object of
 *   the program itself, and not of a DLL, is closed as usual.
 *
 * SIGNALS. The library's threads block every signal but those of a fault (SIGSEGV, SIGBUS, SIGFPE,
 * SIGILL, SIGTRAP, SIGSYS). The thread that calls the log function also leaves real-time signals,
 * SIGPWR, SIGXCPU, SIGPROF and SIGURG unblocked, which language runtimes use. The library sets no
 * signal handler.
 *
 * FORK. A child is forked from a process that had opened a client: every call that takes a client,
 * and eps_client_open, returns EPS_FORKED in the child. Open the first client after the fork, or
 * start a new program. fork() takes the journal's files from the child, so that a child that lives
 * longer than its till does not lock the journal. A child of the bare system call that starts no
 * program keeps their locks until it ends.
 *
 * CALLING CONVENTION. cdecl: on 32-bit Windows every function and every callback has EPS_CALL
 * (__cdecl). Declare a callback with EPS_CALL: "static void EPS_CALL line(void *user, …)".
 *
 * THE TESTS OF A BINDING. A client with the baseUrl "echo:" needs no server: each call that takes a
 * client and fills a buffer returns EPS_OK and what it was given, unchecked:
 * {"function": "eps_purchase", "arguments": [contact_id, item_id, options_json]}, null for NULL.
 * Such a client takes no "apiKey" and no journal, so that no till can run with it.
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

/* The calling convention of every function and callback: cdecl, also in a program whose default is
 * another one (/Gz, -mrtd). A callback with another convention does not compile. */
#ifndef EPS_CALL
#if defined(_WIN32)
#define EPS_CALL __cdecl
#else
#define EPS_CALL
#endif
#endif

/* Marks a function that spends. Its code is the outcome, so that a compiler warns of a program that
 * ignores it. */
#ifndef EPS_MUST_CHECK
#if defined(__GNUC__)
#define EPS_MUST_CHECK __attribute__((warn_unused_result))
#elif defined(_MSC_VER)
#include <sal.h>
#define EPS_MUST_CHECK _Check_return_
#else
#define EPS_MUST_CHECK
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
/** Faults that need an administrator: the journal fails, the key is rejected. */
#define EPS_LOG_ERROR 1
/** Reads and status queries that failed, log lines that were dropped. */
#define EPS_LOG_WARN 2
/** Every attempt, and its outcome. */
#define EPS_LOG_INFO 3
/** Every read and every request. */
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
/** This reference and item already belong to another purchase id, or to a sale of another
 *  contact or tenant that is not acknowledged. */
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
 *  the date and the line into the reference, or leave the reference out and pass a purchase id
 *  of your own. */
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
/** There was no memory for a response, a list or a thread. Nothing was sent. */
#define EPS_OUT_OF_MEMORY (-422)

/* -5xx, pending: the outcome is not known yet. Let the sale go on. The library resolves it. */
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
/** Engage shows a redeemed reward, or after a loss of records a purchase of the same item, and
 *  nothing proves whether it is of this operation. A person must decide. */
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
/** The disk did not respond within the wait. */
#define EPS_JOURNAL_TIMED_OUT (-622)

/* -9xx, a fault of the library: report it. */
/** A fault of this library (a caught panic). If it was a purchase, its outcome is in the
 *  journal. Please report it. */
#define EPS_INTERNAL (-900)


/**
 * A client. Opaque: a program holds only a pointer to it, and must not read the memory behind it.
 */
typedef struct eps_client eps_client;

/**
 * The result of a call: UTF-8 JSON, NUL-terminated.
 *
 * The caller owns the struct. The library owns the bytes at `data` until `eps_buffer_dispose`. A
 * call that takes a buffer sets it to `{NULL, 0, 0}` first and does not read it, so it need not be
 * initialised. Dispose of a result before the struct is used for another call. The layout never
 * changes.
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
     * Reserved for the library: do not change it.
     */
    size_t reserved;
} eps_buffer;

/**
 * A log function: receives one line of the log.
 *
 * "level" is EPS_LOG_ERROR, EPS_LOG_WARN, EPS_LOG_INFO or EPS_LOG_DEBUG. "line" is a JSON object,
 * UTF-8, NUL-terminated, "len" bytes long; it is valid only during the call. The library calls the
 * function on a thread of its own, one line at a time. The function may call any function of this
 * library. A slow function delays no call: lines beyond 1024 that wait are dropped and counted.
 * The function must not throw an exception. One that ends its thread is not called again.
 */
typedef void (EPS_CALL *eps_log_fn)(void *user, int32_t level, const char *line, size_t len);

/**
 * A notify function: receives one operation whose state has changed.
 *
 * "json" is the operation object (see eps_get_operation), UTF-8, NUL-terminated, "len" bytes long;
 * it is valid only during the call. The library calls the function on a thread of its own, one
 * object at a time. The function may call any function of this library. A slow function delays no
 * call: beyond 1024 changes that wait, states in between are left out, and never the last one. The
 * function must not throw an exception. One that ends its thread is not called again.
 */
typedef void (EPS_CALL *eps_notify_fn)(void *user, const char *json, size_t len);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Opens a client.
 *
 * The call does not wait for the network: a till can open offline. The library makes a first
 * connection in the background ("preconnect"). From now on the library resolves the operations
 * that an earlier run left pending in the journal.
 *
 * @param abi          EPS_ABI_VERSION, as compiled into the program.
 * @param config_json  The configuration, a JSON object. An unknown key and a repeated key are
 *                     errors. Required keys:
 *                     "baseUrl": "https://acme.voyado.com", or the address of a store relay.
 *                     http:// is accepted for loopback addresses only. "echo:" is for the tests of
 *                     a binding: see THE TESTS OF A BINDING.
 *                     "userAgent": the POS and its version, "AcmePOS/1.5".
 *                     Usual keys:
 *                     "apiKey": the API key; absent when a relay adds it.
 *                     "journalPath": a file on a local disk, which every operation needs. The path
 *                     is absolute.
 *                     "journal": "memory" in place of a file. Pending operations are lost when the
 *                     process ends.
 *                     Optional keys, with defaults:
 *                     "waitMs" 10000: the longest wait of a call, 0 to 600000 ms. This call,
 *                     eps_acknowledge, eps_acknowledge_reference, eps_resolve_review and
 *                     eps_backup_journal wait at least 2 s for a disk that hangs.
 *                     "requestTimeoutMs" 60000: the timeout of one request, 100 to 600000 ms.
 *                     "caFile": a PEM file with root certificates, beside the system's.
 *                     "systemTrust" true: whether the system's root certificates are used.
 *                     "clientCertFile", "clientKeyFile": PEM files with the till's certificate and
 *                     its key.
 *                     "proxy": "http://user:password@host:port", or "none". Without it the
 *                     environment's HTTPS_PROXY, ALL_PROXY and NO_PROXY apply, and on Windows
 *                     the system's proxy where they name none. A proxy cannot be named with an
 *                     http:// baseUrl.
 *                     "preconnect" true: whether a connection is made on open.
 *                     "maxResponseBytes" 8388608: the size limit of a response.
 *                     "retryScheduleMs" [10000,30000,60000,300000]: the waits between status
 *                     queries of a pending operation. The last wait repeats.
 *                     "startupJitterMs" 300000: the time after an open within which the first
 *                     status queries start.
 *                     "resendLimitMs" 86400000: the age after which a purchase is not sent again.
 *                     "retentionDays" 90: the time for which acknowledged records are kept, at
 *                     least referenceWindowMs. A reference whose record is deleted is a new one.
 *                     "tenant": whose operations the journal holds, by default the origin of
 *                     baseUrl. Set it where baseUrl may change, for example to a relay's. The
 *                     library neither queries nor sends the operations of another tenant.
 *                     "historyLagMs" 600000: the longest delay, up to 86400000 ms, with which
 *                     Engage's history shows a purchase.
 *                     "referenceWindowMs" 43200000: the time after its acknowledgement in which a
 *                     reference still means the same purchase; see REFERENCES.
 *                     "idScope" "journal": purchase ids are random. "tenant": a purchase id is
 *                     derived from tenant, reference, contact and item. Two tills, and a till that
 *                     lost its journal, then cannot buy the same sale twice. References must never
 *                     repeat within the tenant.
 *                     "sealPath", "journalRole" "live", "journalRecovery" "refuse": the seal of
 *                     the journal, and the ways out when a journal is a copy or incomplete.
 *                     docs/configuration.md describes them.
 *                     "language" "en": the language of "forCashier" and "forMember": "sv", "nb",
 *                     "da", "fi", "de" or "en".
 *                     "logFile", "logLevel" "info", "logFileBytes" 5242880, "logFiles" 5: the
 *                     library's own log file, its level ("error", "warn", "info" or "debug"), the
 *                     size at which it is begun anew, and the number of files.
 *                     "apiMapping": an object with names in Engage's API that Voyado's public
 *                     pages do not state. docs/configuration.md lists its keys.
 * @param client       Gets the client, or NULL. Unchanged if out is NULL. Close it by
 *                     eps_client_close.
 * @param out          Gets `{"version": …, "abi": …}`, or the problem object. Required.
 * @return EPS_OK; EPS_NULL_ARGUMENT, EPS_BAD_UTF8; EPS_ABI_MISMATCH, EPS_BAD_CONFIG,
 *         EPS_NO_CA_CERTIFICATES; EPS_FORKED; a code of the -6xx class if the journal cannot be
 *         used.
 *
 * Threads: any. Several clients may be open at once, also on one journal and in several processes.
 */
EPS_API int32_t EPS_CALL eps_client_open(uint32_t abi, const char *config_json, eps_client **client, eps_buffer *out);

/**
 * Closes a client.
 *
 * Calls that wait on the client return. Requests under way are ended within two seconds, or three
 * where the disk hangs; their operations stay pending in the journal. NULL and a client that is
 * closed already have no effect.
 *
 * @return EPS_OK; EPS_BAD_HANDLE, EPS_FORKED.
 *
 * Threads: any, also while other threads are in calls on this client.
 */
EPS_API int32_t EPS_CALL eps_client_close(eps_client *client);

/**
 * Cancels every call that waits on this client now. Each returns within 50 ms.
 *
 * A read returns EPS_CANCELLED. An operation returns EPS_CANCELLED if nothing was sent, else
 * EPS_PENDING_CANCELLED. Later calls are not affected.
 *
 * @return EPS_OK; EPS_NULL_ARGUMENT, EPS_BAD_HANDLE, EPS_CLOSED.
 *
 * Threads: any. The call is made while another thread waits.
 */
EPS_API int32_t EPS_CALL eps_cancel(eps_client *client);

/**
 * Cancels the call that was made with this "callId", and no other one: the other cashier's call
 * goes on. It returns within 50 ms, as after eps_cancel.
 *
 * Several calls may have one name; all of them are cancelled. A call that has not entered the
 * library yet is not cancelled.
 *
 * @param call_id  The name that the call was given.
 * @return EPS_OK, also when there is no such call; EPS_NULL_ARGUMENT, EPS_EMPTY_ARGUMENT,
 *         EPS_BAD_UTF8; EPS_BAD_HANDLE, EPS_CLOSED.
 *
 * Threads: any. The call is made while another thread waits.
 */
EPS_API int32_t EPS_CALL eps_cancel_call(eps_client *client, const char *call_id);

/**
 * Finds a member.
 *
 * @param key           "email", "mobilePhone", "socialSecurityNumber", "customKey" (the member
 *                      number or external id) or "any".
 * @param value         The value to search for, as the member gave it: "+46701234567". It is sent
 *                      to Engage and stored nowhere.
 * @param options_json  NULL, or an object with any of "contactType" (Engage's contact type),
 *                      "waitMs", "callId".
 * @param out           Gets the contact's id, a JSON string with a GUID; or the problem object.
 *                      Required.
 * @return EPS_OK; EPS_BAD_KEY or another code of the -1xx class; EPS_CONTACT_NOT_FOUND,
 *         EPS_MULTIPLE_MATCHES, EPS_INVALID_EMAIL, EPS_INVALID_PHONE,
 *         EPS_INVALID_SOCIAL_SECURITY_NUMBER, EPS_INVALID_CONTACT_TYPE, EPS_INVALID_SEARCH;
 *         EPS_SYSTEM_CONFIGURATION, EPS_UNAUTHORIZED, EPS_FORBIDDEN; a code of the -4xx class,
 *         after which the call may be repeated.
 *
 * Threads: any.
 */
EPS_API
int32_t EPS_CALL eps_find_contact(eps_client *client,
                         const char *key,
                         const char *value,
                         const char *options_json,
                         eps_buffer *out);

/**
 * Lists a member's point accounts with the points that the member can spend.
 *
 * @param contact_id    The member, a GUID.
 * @param options_json  NULL, or an object with any of "waitMs": the longest wait of the call, 0 to
 *                      600000 ms; "callId": the name of the call for eps_cancel_call.
 * @param out           Gets Engage's JSON array. Each element is passed on unchanged and has at
 *                      least "balance" (points, with decimals). Or gets the problem object.
 *                      Required.
 * @return As eps_list_items.
 *
 * Threads: any.
 */
EPS_API int32_t EPS_CALL eps_list_points(eps_client *client, const char *contact_id, const char *options_json, eps_buffer *out);

/**
 * Lists the items that a member can buy now.
 *
 * @param contact_id    The member, a GUID.
 * @param options_json  NULL, or an object with any of "waitMs": the longest wait of the call, 0 to
 *                      600000 ms; "callId": the name of the call for eps_cancel_call.
 * @param out           Gets Engage's JSON array. Each element is passed on unchanged and has at
 *                      least "id" (a GUID) and "cost" (points, a whole number). Or gets the
 *                      problem object. Required.
 * @return EPS_OK; a code of the -1xx class; EPS_UNAUTHORIZED, EPS_FORBIDDEN; EPS_INVALID_CONTACT,
 *         EPS_DECLINED; a code of the -4xx class, after which the call may be repeated.
 *
 * Threads: any.
 */
EPS_API int32_t EPS_CALL eps_list_items(eps_client *client, const char *contact_id, const char *options_json, eps_buffer *out);

/**
 * Buys an item for points.
 *
 * The intent is durable in the journal before anything is sent. At most one deduction is made for
 * an intent, whatever crashes and however often it is requested. When the wait ends first, the
 * call returns a pending code and the request goes on. The library journals its response, and
 * resolves the operation in the background if its outcome is still not known.
 *
 * @param contact_id    The member, a GUID.
 * @param item_id       The item's "id" from eps_list_items, a GUID; not its promotionId.
 * @param options_json  NULL, or an object with any of:
 *                      "reference": the POS's own name for the sale, a basket or receipt number.
 *                      It has at most 200 bytes and no control characters. The journal keeps it,
 *                      so it must not identify a person. The same reference, contact and item
 *                      always mean the same purchase.
 *                      "purchaseId": a GUID of the POS's own (eps_new_id), instead of a reference
 *                      or in addition.
 *                      "waitMs": the longest wait of the call, 0 to 600000 ms. A request that has
 *                      not left by then is withdrawn and reported as not sent. A request that may
 *                      have left goes on and is reported as pending.
 *                      "submit": true returns EPS_PENDING_SUBMITTED as soon as the operation is
 *                      durable, for a thread that must not wait; see CALLS THAT DO NOT BLOCK.
 *                      "callId": the name of the call for eps_cancel_call, at most 64 bytes.
 *                      "snapshotRewards": true lists the member's rewards before anything is sent,
 *                      so that eps_find_reward can recognise a new reward. It is one more request
 *                      within the wait, unless eps_list_rewards listed them within the last ten
 *                      minutes. Without reference and purchaseId, a second press is the existing
 *                      purchase of the same contact and item, while that is pending or completed,
 *                      and not acknowledged. Acknowledge it before the member buys the item again.
 * @param out           Gets the operation object (see eps_get_operation) with "existing": whether
 *                      the operation existed before this call. Or gets the problem object, with
 *                      operationId. Required.
 * @return EPS_OK: bought. -3xx: declined, nothing was deducted. -4xx, -6xx, -1xx, -2xx: nothing
 *         was sent. -5xx: pending; continue the sale, and read eps_list_unacknowledged later.
 *         EPS_UNAUTHORIZED and EPS_FORBIDDEN are declined: nothing was deducted. Treat
 *         EPS_INTERNAL as pending.
 *
 * Threads: any. Presses at the same time, in several threads or processes on one journal, are one
 * purchase.
 */
EPS_API
EPS_MUST_CHECK
int32_t EPS_CALL eps_purchase(eps_client *client,
                     const char *contact_id,
                     const char *item_id,
                     const char *options_json,
                     eps_buffer *out);

/**
 * Lists a member's purchases: the full history at Engage, from all tills.
 *
 * @param contact_id    The member, a GUID.
 * @param options_json  NULL, or an object with any of "waitMs": the longest wait of the call, 0 to
 *                      600000 ms; "callId": the name of the call for eps_cancel_call.
 * @param out           Gets Engage's JSON array, unchanged; empty if there are no purchases. Or
 *                      gets the problem object. Required.
 * @return As eps_list_items.
 *
 * Threads: any.
 */
EPS_API
int32_t EPS_CALL eps_list_purchases(eps_client *client,
                           const char *contact_id,
                           const char *options_json,
                           eps_buffer *out);

/**
 * Lists a member's rewards, which can be redeemed.
 *
 * @param contact_id    The member, a GUID.
 * @param options_json  NULL, or an object with any of "channel" ("POS", the default, "ECOM" or
 *                      "OTHER"), "waitMs", "callId".
 * @param out           Gets Engage's JSON array. Each element is passed on unchanged and has at
 *                      least "id" (a GUID): the assignment, by which the reward is redeemed. Its
 *                      "promotionId" is only the template. Or gets the problem object. Required.
 * @return As eps_list_items.
 *
 * Threads: any.
 */
EPS_API int32_t EPS_CALL eps_list_rewards(eps_client *client, const char *contact_id, const char *options_json, eps_buffer *out);

/**
 * Finds the reward that a completed purchase gave, for the receipt, the screen and a redeem.
 *
 * "certainty" says how the reward was found. "explicit": the purchase names it.
 * "newSincePurchase": it is the only reward that was added since the rewards were listed before
 * the purchase, by eps_list_rewards or "snapshotRewards". "onlyCandidate": it is the only reward
 * of the item's promotion. Both leave out a reward that this till knows to be another purchase's,
 * or used before.
 * "ambiguous": several rewards are possible, or fewer are listed than this till has bought; a
 * person chooses from "candidates", or the POS calls again later. "none": there is no reward yet;
 * call again later. The library never guesses.
 *
 * @param operation_id  A completed purchase.
 * @param options_json  NULL, or an object with any of "waitMs": the longest wait of the call, 0 to
 *                      600000 ms; "callId": the name of the call for eps_cancel_call.
 * @param out           Gets a JSON object: "certainty"; "assignmentId", for eps_redeem_reward,
 *                      null unless certain; "reward", Engage's object unchanged, or null;
 *                      "receipt", null or an object with "title", "description", "barcode",
 *                      "expiresOn",
 *                      "instruction", "valueType", "value" as far as known; "candidates", Engage's
 *                      objects. Or gets the problem object. Required.
 * @return EPS_OK; EPS_NOT_A_PURCHASE, EPS_UNKNOWN_OPERATION; the code of the purchase while it is
 *         not completed; else as eps_list_rewards.
 *
 * Threads: any.
 */
EPS_API
int32_t EPS_CALL eps_find_reward(eps_client *client,
                        const char *operation_id,
                        const char *options_json,
                        eps_buffer *out);

/**
 * Redeems a reward on a receipt. Engage has no undo.
 *
 * A redeem is journaled like a purchase: the intent is durable before anything is sent, the
 * request goes on when the wait ends, and the library resolves it in the background. Engage has no
 * idempotency key for a redeem, so the library queries the reward before it sends the redeem
 * again. Engage may report "already redeemed". The outcome is completed if a request of this
 * operation was under way at the time of that redeem. The outcome is declined if this operation
 * cannot have made it. Else the code is EPS_PENDING_AMBIGUOUS: the operation needs a manual
 * review, which eps_acknowledge ends.
 *
 * @param contact_id    The member, a GUID; or NULL if there is none. With it, the library can
 *                      query the outcome after a lost response.
 * @param assignment_id The reward's "id" from eps_list_rewards or "assignmentId" from
 *                      eps_find_reward, a GUID; not a promotionId.
 * @param options_json  NULL, or an object with any of:
 *                      "channel": "POS" (default), "ECOM" or "OTHER".
 *                      "reference": the POS's own name for the sale. It has at most 200 bytes and
 *                      no control characters, and must not identify a person. The same reference
 *                      and reward always mean the same redeem.
 *                      "submit", "callId": as for eps_purchase.
 *                      "waitMs": the longest wait of the call, 0 to 600000 ms, as for
 *                      eps_purchase. Without a reference, a second press is the existing redeem of
 *                      the same reward and channel, while that is pending or completed, and not
 *                      acknowledged.
 * @param out           Gets the operation object (see eps_get_operation) with "existing"; or the
 *                      problem object, with operationId. Required.
 * @return EPS_OK: the reward is used. -3xx: declined, this call did not use it. -4xx, -6xx, -1xx,
 *         -2xx: nothing was sent; EPS_REWARD_IN_USE while another redeem of the reward is pending.
 *         -5xx: pending; read eps_list_unacknowledged later. EPS_UNAUTHORIZED and EPS_FORBIDDEN
 *         are declined. Treat EPS_INTERNAL as pending.
 *
 * Threads: any. Presses at the same time, in several threads or processes on one journal, are one
 * redeem.
 */
EPS_API
EPS_MUST_CHECK
int32_t EPS_CALL eps_redeem_reward(eps_client *client,
                          const char *contact_id,
                          const char *assignment_id,
                          const char *options_json,
                          eps_buffer *out);

/**
 * Lists every operation that is pending, or whose outcome the POS has not acknowledged.
 *
 * The POS calls it after a start and between sales. The call sends no request.
 *
 * @param options_json  NULL, or `{"reference": …}`: only the operations of this reference, for
 *                      example of one receipt.
 * @param out           Gets `{"operations": […]}`, the operation objects (see eps_get_operation),
 *                      oldest first: in the order in which the journal recorded them; or the
 *                      problem object. Required.
 * @return EPS_OK; a code of the -1xx or -6xx class; EPS_BAD_CONFIG without a journal.
 *
 * Threads: any.
 */
EPS_API int32_t EPS_CALL eps_list_unacknowledged(eps_client *client, const char *options_json, eps_buffer *out);

/**
 * Lists the operations that the journal holds, also the acknowledged ones, page by page.
 *
 * The list is for reports, exports and audits. The call sends no request. A till shows its cashier
 * eps_list_unacknowledged.
 *
 * @param options_json  NULL, or an object with any of:
 *                      "since", "until": the operations that were recorded from this time on, and
 *                      before that time, in ms since 1970 UTC.
 *                      "outcome": "completed", "declined", "pending" or "notSent".
 *                      "acknowledged": true or false.
 *                      "reference": the operations of this reference.
 *                      "limit": the most operations of a page, 1 to 1000; the default is 100.
 *                      "after": the "next" of the page before this one.
 * @param out           Gets `{"operations": […], "next": …}`: the operation objects (see
 *                      eps_get_operation), oldest first: in the order in which the journal
 *                      recorded them. One that was started again keeps its place. "next" is a
 *                      string for the option "after" of the next call, or null behind the last
 *                      page. A page may be empty. Or gets the problem object. Required.
 * @return EPS_OK; a code of the -1xx or -6xx class; EPS_BAD_CONFIG without a journal.
 *
 * Threads: any.
 */
EPS_API int32_t EPS_CALL eps_list_operations(eps_client *client, const char *options_json, eps_buffer *out);

/**
 * Returns the last known state of an operation, for example for a second receipt.
 *
 * The call sends no request.
 *
 * @param operation_id  From a problem object, eps_purchase or eps_list_unacknowledged. The
 *                      operation id of a purchase is its purchase id.
 * @param out           Gets the operation object; or the problem object. Required. A value that is
 *                      not known, or that belongs to the other kind, is null. Times are in ms
 *                      since 1970 UTC. The keys:
 *                      "operationId"; "kind" ("purchase", "redeem"); "outcome" ("completed",
 *                      "declined", "pending", "notSent"); "state", the state in the journal;
 *                      "code", "name"; "action", as eps_code_action returns it;
 *                      "forCashier" and "forMember", as in a problem object;
 *                      "purchaseId", "contactId", "itemId"; "assignmentId", the reward that is
 *                      redeemed, or that the purchase gave once eps_find_reward was certain;
 *                      "channel", "reference";
 *                      "attempts", those begun; "httpStatus", "engageCode"; "cause", an
 *                      array of texts about the last failure, outermost first; "requestIds",
 *                      Engage's own ids of the requests;
 *                      "recordedAtMs", by Engage's clock where it is known, which states whole
 *                      seconds: only a list has the exact order; "resolvedAtMs", the time at which
 *                      the outcome became known, never before "recordedAtMs";
 *                      "acknowledgedAtMs"; "expectedByMs", the time by which a pending operation
 *                      has an outcome at the latest, where that is known;
 *                      "lastQueryAtMs", "nextQueryAtMs", the last and the next status query;
 *                      "lastCode", the code of the last attempt or query; "firstPendingCode", the
 *                      code with which the operation became pending; "retryCount", the status
 *                      queries that no caller waited for;
 *                      "needsReview", whether a manual review is needed; "review", null or the
 *                      result of eps_resolve_review: "resolution", "by", "note", "atMs";
 *                      "tenant", whose operation it is; "foreign", whether it belongs to another
 *                      tenant than the client's, which neither queries nor sends it;
 *                      "writerVersion", the version of the library that wrote the record last;
 *                      "purchase", Engage's purchase object unchanged, once completed; "reward",
 *                      of a redeem: Engage's reward object unchanged, if Engage returned it. Both
 *                      are null where the object is nested deeper than 128 levels, or has a number
 *                      of more than 1,000 digits.
 * @return EPS_OK; EPS_UNKNOWN_OPERATION; a code of the -1xx or -6xx class; EPS_BAD_CONFIG without
 *         a journal.
 *
 * Threads: any.
 */
EPS_API int32_t EPS_CALL eps_get_operation(eps_client *client, const char *operation_id, eps_buffer *out);

/**
 * Queries the outcome of every pending operation now, instead of at its next scheduled query.
 *
 * @param options_json  NULL, or an object with any of "waitMs": the longest wait of the call, 0 to
 *                      600000 ms; "callId": the name of the call for eps_cancel_call.
 * @param out           Gets `{"resolved": n, "pending": n}`: the numbers of operations whose
 *                      outcome became known, and that are still pending. Or gets the problem
 *                      object. Required.
 * @return EPS_OK, also if some are still pending; EPS_CANCELLED; a code of the -1xx or -6xx class;
 *         EPS_BAD_CONFIG without a journal.
 *
 * Threads: any.
 */
EPS_API int32_t EPS_CALL eps_resolve_pending(eps_client *client, const char *options_json, eps_buffer *out);

/**
 * States that the POS has stored an operation's outcome (printed, or stored with the receipt).
 *
 * Until then the library keeps the operation. Afterwards its record is kept for "retentionDays",
 * and eps_list_unacknowledged does not list it. For an operation with "needsReview", the call
 * states that a person has taken it over, without a resolution; see eps_resolve_review. One that
 * is pending for another tenant is EPS_STILL_PENDING until eps_resolve_review decides it. A second
 * call changes nothing.
 *
 * @param operation_id  A GUID.
 * @param out           Gets the operation object; or the problem object. Required.
 * @return EPS_OK; EPS_UNKNOWN_OPERATION, EPS_STILL_PENDING; a code of the -1xx or -6xx class;
 *         EPS_BAD_CONFIG without a journal.
 *
 * Threads: any.
 */
EPS_API int32_t EPS_CALL eps_acknowledge(eps_client *client, const char *operation_id, eps_buffer *out);

/**
 * Stores the decision of a person about an operation in manual review, and acknowledges it.
 *
 * The person compares the member's purchases and rewards in Engage with the receipt. The decision
 * becomes the operation's outcome and stays in its record. No status query follows, and after
 * "declined" the same sale buys again. The call sends no request.
 *
 * @param operation_id  An operation with "needsReview".
 * @param resolution    "completed" (the member has the reward) or "declined" (nothing was
 *                      deducted).
 * @param options_json  NULL, or an object with any of "by" (who decided) and "note" (why). Each
 *                      has at most 200 bytes and no control characters. The journal keeps both.
 * @param out           Gets the operation object with "review". An operation that needs no review
 *                      is returned as it is. Or gets the problem object. Required.
 * @return EPS_OK; EPS_UNKNOWN_OPERATION; EPS_STILL_PENDING for a pending operation that needs no
 *         review; EPS_BAD_OPTIONS for another resolution; a code of the -1xx or -6xx class;
 *         EPS_BAD_CONFIG without a journal.
 *
 * Threads: any.
 */
EPS_API
int32_t EPS_CALL eps_resolve_review(eps_client *client,
                           const char *operation_id,
                           const char *resolution,
                           const char *options_json,
                           eps_buffer *out);

/**
 * Acknowledges all operations of a reference, or none: a whole receipt in one step.
 *
 * While one of them is pending, in manual review or for another tenant too, the call changes
 * nothing. A second call changes nothing. A reference without an operation gives an empty list.
 *
 * @param reference     The reference of eps_purchase and eps_redeem_reward.
 * @param options_json  NULL, or `{}`: there are no options yet.
 * @param out           Gets `{"operations": […]}`, the operation objects of the reference (see
 *                      eps_get_operation), in the order in which the journal recorded them; or
 *                      the problem object, whose "operationId" is the first operation that is
 *                      pending. Required.
 * @return EPS_OK; EPS_STILL_PENDING; a code of the -1xx or -6xx class; EPS_BAD_CONFIG without a
 *         journal.
 *
 * Threads: any.
 */
EPS_API
int32_t EPS_CALL eps_acknowledge_reference(eps_client *client,
                                  const char *reference,
                                  const char *options_json,
                                  eps_buffer *out);

/**
 * Copies the journal into one new file, while it is in use: the copy for a backup.
 *
 * The copy is whole and durable when the call returns EPS_OK, and is marked as a copy. A client
 * opens it only with "journalRole" "copy", to read it, or "takeOver", to sell with it in place of
 * a lost journal; see docs/configuration.md. Two tills never run from one journal unnoticed.
 *
 * The longest wait is that of the configuration's "waitMs", and 2 s at least. The copy of a call
 * that ends earlier is deleted. Other calls do not wait for the copy.
 *
 * @param path          The absolute path of the new file. No file is overwritten.
 * @param options_json  NULL, or `{}`: there are no options yet.
 * @param out           Gets `{"path": …, "bytes": n, "operations": n}`: the path as given, the
 *                      size of the copy and the number of operations in it. Or gets the problem
 *                      object. Required.
 * @return EPS_OK; EPS_JOURNAL_CANNOT_OPEN if the path is not absolute, if the file exists or if it
 *         cannot be made; EPS_JOURNAL_TIMED_OUT, EPS_JOURNAL_FULL, EPS_JOURNAL_DAMAGED;
 *         EPS_JOURNAL_COPY if the journal is a copy itself; EPS_CANCELLED; another code of the
 *         -1xx or -6xx class; EPS_BAD_CONFIG without a journal and with a journal in memory.
 *
 * Threads: any.
 */
EPS_API int32_t EPS_CALL eps_backup_journal(eps_client *client, const char *path, const char *options_json, eps_buffer *out);

/**
 * Reads the counters since the open and the counts of the journal, for the POS's own monitoring.
 *
 * @param out  Gets a JSON object: "version", "reads", "purchasesSent", "redeemsSent",
 *             "statusQueries", "completed", "declined", "notSent", "pending", "unacknowledged".
 *             The last two are null without a journal. Or gets the problem object. Required.
 * @return EPS_OK; EPS_NULL_ARGUMENT, EPS_BAD_HANDLE, EPS_CLOSED.
 *
 * Threads: any.
 */
EPS_API int32_t EPS_CALL eps_read_stats(eps_client *client, eps_buffer *out);

/**
 * Checks everything that a sale needs, and says what to do about what is wrong.
 *
 * The checks that ask no server come first. "journal" makes a real durable write. "key" makes one
 * read that spends nothing. A check that is not done within the wait is "unknown", never "ok". A
 * step of the connection that has not ended is "fail", if the wait was 3 s or longer. The call
 * changes no operation.
 *
 * @param options_json  NULL, or an object with any of:
 *                      "offline" false: whether only the checks are made that ask no server.
 *                      "waitMs": the longest wait of this call.
 *                      "callId": see eps_cancel_call.
 * @param out           Gets `{"status": "ok"|"warn"|"fail", "checks": [{"name", "status",
 *                      "message", "action", "sinceMs"}], "pendingPoints": n}`. The status of a
 *                      check may also be "unknown". "message" says what was found. "action" is
 *                      one sentence: who does what; null where there is nothing to do. "sinceMs"
 *                      is null where the time is not known. "pendingPoints" are the points of
 *                      the pending purchases as far as they are known, or null without a journal.
 *                      The names are "version", "journal" (writable and durable), "owner" (the
 *                      files are those that are open), "whole" (no record is missing), "tenant",
 *                      "disk" (free space), "pending" (the oldest), "review", "unacknowledged",
 *                      "proxy", "clientCertificate", "name" (resolution), "connect", "tls",
 *                      "certificate" (the chain's validity), "key", "rateLimit", "clock",
 *                      "lastContact". A newer version may add names. Or gets the problem object.
 *                      Required.
 * @return EPS_OK, also when a check fails; EPS_CANCELLED; a code of the -1xx class.
 *
 * Threads: any.
 */
EPS_API int32_t EPS_CALL eps_check(eps_client *client, const char *options_json, eps_buffer *out);

/**
 * Reads the metrics of this client and its journal, for a monitoring system: OpenMetrics text.
 *
 * The counters begin with the open. packaging/monitoring has alert rules and a dashboard for them.
 * The call sends no request.
 *
 * @param out  Gets the text, which is not JSON and ends with "# EOF". The POS serves it as
 *             "application/openmetrics-text; version=1.0.0; charset=utf-8", or writes it into a
 *             file for a collector. Or gets the problem object. Required.
 * @return EPS_OK; EPS_NULL_ARGUMENT, EPS_BAD_HANDLE, EPS_CLOSED.
 *
 * Threads: any.
 */
EPS_API int32_t EPS_CALL eps_read_metrics(eps_client *client, eps_buffer *out);

/**
 * Sets or removes this client's log function.
 *
 * docs/log-events.md lists the events and their fields. The configuration's "logFile" writes the
 * lines into a file without a function.
 *
 * @param level  EPS_LOG_OFF, EPS_LOG_ERROR, EPS_LOG_WARN, EPS_LOG_INFO or EPS_LOG_DEBUG: the
 *               function receives lines up to this level.
 * @param fn     The function, or NULL to remove it. After the return the old function is not
 *               called again. The call waits for a function that is running, at most one second,
 *               unless the function itself makes the call.
 * @param user   Passed to the function. The library does not read it.
 * @return EPS_OK; EPS_BAD_LOG_LEVEL; EPS_NULL_ARGUMENT, EPS_BAD_HANDLE, EPS_CLOSED.
 *
 * Threads: any. No line holds the API key. No line holds a value that identifies a person, except
 * the contact's id.
 */
EPS_API int32_t EPS_CALL eps_set_log(eps_client *client, int32_t level, eps_log_fn fn, void *user);

/**
 * Sets or removes the function that gets each change of an operation.
 *
 * The function gets the operation object when an operation is recorded, when its outcome or its
 * code changes, and when it is acknowledged; also hours later, when the library has resolved it in
 * the background. The changes of one operation come in order. The function first gets every
 * operation that is not acknowledged: what changed since the last run. An operation may come
 * twice, and comes again after the next start until eps_acknowledge. Changes that another process
 * makes are not given.
 *
 * @param fn    The function, or NULL to remove it. After the return the old function is not called
 *              again. The call waits for a function that is running, at most one second, unless
 *              the function itself makes the call.
 * @param user  Passed to the function. The library does not read it.
 * @return EPS_OK; EPS_BAD_CONFIG without a journal; EPS_NULL_ARGUMENT, EPS_BAD_HANDLE, EPS_CLOSED.
 *
 * Threads: any. The function is called on a thread of the library, never on a caller's.
 */
EPS_API int32_t EPS_CALL eps_set_notify(eps_client *client, eps_notify_fn fn, void *user);

/**
 * Makes a new purchase id, for a POS that stores the id before it calls eps_purchase.
 *
 * @param out  Gets a JSON string: a random GUID in quotes; or the problem object. Required.
 * @return EPS_OK, or EPS_NULL_ARGUMENT.
 *
 * Threads: any. No client is needed.
 */
EPS_API int32_t EPS_CALL eps_new_id(eps_buffer *out);

/**
 * Frees a buffer's memory and sets the struct to `{NULL, 0, 0}`. NULL and a second call have no
 * effect.
 *
 * Threads: any. One buffer must not be disposed of by two threads at once.
 */
EPS_API void EPS_CALL eps_buffer_dispose(eps_buffer *buffer);

/**
 * Returns the outcome of a code: EPS_OUTCOME_COMPLETED, EPS_OUTCOME_DECLINED, EPS_OUTCOME_PENDING
 * or EPS_OUTCOME_NOT_SENT.
 *
 * Every number has an outcome. A code of a newer version has the outcome of its class. A number
 * outside of the classes is pending, which never claims too much.
 *
 * Threads: any.
 */
EPS_API int32_t EPS_CALL eps_outcome(int32_t code);

/**
 * Returns a code's name, "EPS_OK"; "EPS_UNKNOWN" for a number without a code. The text is static
 * and must not be freed.
 *
 * Threads: any.
 */
EPS_API const char *EPS_CALL eps_code_name(int32_t code);

/**
 * Returns who acts on a code. The text is static and must not be freed.
 *
 * "continue": the POS goes on. "tellMember": the cashier informs the member. "retry": the POS or
 * the cashier may try again. "administrator": the administrator corrects the till, the network or
 * the key. "fixProgram": the vendor of the POS corrects the program. "wait": nobody acts, because
 * the library resolves the operation. "review": a person decides; see MANUAL REVIEW.
 *
 * Every number has an action. A code of a newer version has the action of its class. The action
 * does not replace the outcome: EPS_UNAUTHORIZED is declined, and its action is "administrator". A
 * cashier then reads "not available now", not "declined". A newer version may return another text:
 * treat it as "administrator".
 *
 * Threads: any.
 */
EPS_API const char *EPS_CALL eps_code_action(int32_t code);

/**
 * Returns a code's meaning in one or two English sentences, as in this header. For a number
 * without a code it is a sentence that says so. The text is static and must not be freed.
 *
 * Threads: any.
 */
EPS_API const char *EPS_CALL eps_code_meaning(int32_t code);

/**
 * Returns one value of a JSON text, for a program without a JSON library.
 *
 * A string is returned without its quotes and escapes. Any other value is returned as JSON,
 * exactly as it stands in the text: `500.00`, `true`, `null`, an array, an object.
 *
 * @param buffer   The result of a call, or the program's own {data, len} with JSON. It is not
 *                 changed.
 * @param pointer  A JSON Pointer (RFC 6901): "/operationId", "/operations/0/outcome"; "" is the
 *                 whole value. In a key, "~1" is a slash and "~0" is a tilde.
 * @param out      Gets the value; or the problem object. Required. It must be another buffer than
 *                 "buffer": the same one gives EPS_BAD_OPTIONS and stays unchanged. A string may
 *                 have a NUL inside: "len" counts all its bytes.
 * @return EPS_OK; EPS_BAD_OPTIONS if there is no such value, the pointer is malformed or the
 *         buffer does not hold JSON; EPS_EMPTY_ARGUMENT for a buffer without bytes;
 *         EPS_NULL_ARGUMENT, EPS_BAD_UTF8.
 *
 * Threads: any. No client is needed.
 */
EPS_API int32_t EPS_CALL eps_json_get(const eps_buffer *buffer, const char *pointer, eps_buffer *out);

/**
 * Writes a text as a JSON string with its quotes, for a program that writes its own options_json.
 *
 * A quoted text cannot add a key to the options: `{"reference": ` and the result and `}`.
 *
 * @param text  UTF-8; it may be empty.
 * @param out   Gets the JSON string; or the problem object. Required.
 * @return EPS_OK; EPS_NULL_ARGUMENT, EPS_BAD_UTF8.
 *
 * Threads: any. No client is needed.
 */
EPS_API int32_t EPS_CALL eps_json_quote(const char *text, eps_buffer *out);

/**
 * Returns the library's version, "1.2.3". The text is static and must not be freed.
 *
 * Threads: any.
 */
EPS_API const char *EPS_CALL eps_version(void);

/**
 * Returns the ABI version of the library, to compare with EPS_ABI_VERSION.
 *
 * Threads: any.
 */
EPS_API uint32_t EPS_CALL eps_abi_version(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* ENGAGE_POINT_SHOP_H */
