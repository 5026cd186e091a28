//! The exported functions, in the order of the header. Their comments are the header's specification.
// What makes a call safe is the same for all, and the header says it once: every pointer is NULL or valid for the time of the call.
#![allow(clippy::missing_safety_doc)]

use super::boundary;
use super::buffer::eps_buffer;
use super::handle::{self, eps_client};
use super::input;
use crate::Client;
use crate::core::code::{self, C_NAMES, Code};
use crate::core::domain::{AssignmentId, ContactId, ItemId, OperationId};
use crate::core::error::{Error, Result};
use crate::log::{Level, Sink};
use std::ffi::{CString, c_char, c_void};

/// The version of this interface. It changes only when a program compiled against an older header would not work any more.
pub const EPS_ABI_VERSION: u32 = 1;

/// Receives a line of the log: UTF-8 JSON, NUL-terminated, valid only during the call.
///
/// `level` is one of EPS_LOG_ERROR to EPS_LOG_DEBUG. It is called on a thread of the library's own, one line at a time; it may call
/// any function of this library. A slow one holds up no call: lines it cannot keep up with are dropped and counted.
/// It must not throw.
pub type eps_log_fn =
    Option<unsafe extern "C-unwind" fn(user: *mut c_void, level: i32, line: *const c_char, len: usize)>;

/// Opens a client.
///
/// Does not wait for the network: a till opens offline. A first connection is made in the background ("preconnect"), and what an
/// earlier run left pending in the journal is settled there from now on.
///
/// @param abi          EPS_ABI_VERSION, as compiled into the program.
/// @param config_json  The configuration, a JSON object. Required: "baseUrl" ("https://acme.voyado.com", or a store relay),
///                     "userAgent" (the POS and its version, "AcmePOS/1.5"). Usual: "apiKey" (left out when a relay adds it),
///                     "journalPath" (a file on a local disk, needed by everything that spends; or "journal": "memory", which
///                     forgets pending purchases with the process). Optional, with defaults: "waitMs" 10000, how long a call keeps
///                     the cashier, 0 to 600000; "requestTimeoutMs" 60000, how long a request may take, 100 to 600000; "caFile", PEM,
///                     trusted beside the system's authorities; "systemTrust" true, whether those are trusted; "clientCertFile" and
///                     "clientKeyFile", PEM, by which the till proves who it is; "proxy" "http://user:password@host:port", or "none";
///                     by default what HTTPS_PROXY, ALL_PROXY and NO_PROXY say; "preconnect" true, whether a connection is made on open;
///                     "maxResponseBytes" 8388608, a larger answer is an error; "retryScheduleMs" [10000,30000,60000,300000], the waits between looks at
///                     a pending purchase, the last repeats; "startupJitterMs" 30000, within which settling starts after an open;
///                     "resendLimitMs" 86400000, after which a purchase is not sent again but needs a person; "retentionDays" 90,
///                     how long acknowledged records are kept; "apiMapping", an object that overrides what this library assumes of Engage
///                     where its public pages are silent (the README has its keys). An unknown key is an error.
/// @param client       Gets the client, or NULL; untouched if out is NULL. Close it with eps_client_close.
/// @param out          Gets `{"version": …, "abi": …}`, or the problem object. Required.
/// @return EPS_OK; EPS_NULL_ARGUMENT, EPS_BAD_UTF8; EPS_ABI_MISMATCH, EPS_BAD_CONFIG, EPS_NO_CA_CERTIFICATES; a code of the -6xx band if the
///         journal cannot be used.
///
/// Threads: any. Several clients may be open at once, also on one journal, also in several processes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eps_client_open(
    abi: u32,
    config_json: *const c_char,
    client: *mut *mut eps_client,
    out: *mut eps_buffer,
) -> i32 {
    // SAFETY: by the header, the pointers are NULL or valid for the time of the call.
    unsafe {
        boundary::answer("eps_client_open", out, || {
            if client.is_null() {
                return Err(Error::new(Code::NullArgument, "client is NULL: it must point to an eps_client pointer"));
            }
            client.write(std::ptr::null_mut());
            if abi != EPS_ABI_VERSION {
                return Err(Error::new(
                    Code::AbiMismatch,
                    format!(
                        "the program was compiled for ABI version {abi}, this library has version {EPS_ABI_VERSION}"
                    ),
                ));
            }
            let config = input::required(config_json, "config_json")?;
            handle::prepare_process()?;
            let opened = Client::open(config)?;
            client.write(handle::add(opened));
            Ok(format!("{{\"version\":\"{}\",\"abi\":{EPS_ABI_VERSION}}}", crate::VERSION).into_bytes())
        })
    }
}

/// Closes a client.
///
/// Calls that are blocked on it return; requests under way are ended within two seconds and stay pending in the journal.
/// NULL, and a client that is closed already, are no-ops.
///
/// @return EPS_OK; EPS_BAD_HANDLE, EPS_FORKED.
///
/// Threads: any, also while other threads are in calls on this client.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eps_client_close(client: *mut eps_client) -> i32 {
    boundary::code("eps_client_close", || {
        if client.is_null() {
            return Ok(());
        }
        if let Some(client) = handle::remove(client)? {
            client.close();
        }
        Ok(())
    })
}

/// Makes every call that is now blocked on this client return within 50 ms: a read with EPS_CANCELLED, a purchase with
/// EPS_CANCELLED if it is proven that nothing was sent, else with EPS_PENDING_CANCELLED. Later calls are not touched.
///
/// @return EPS_OK; EPS_NULL_ARGUMENT, EPS_BAD_HANDLE, EPS_CLOSED.
///
/// Threads: any; made for being called while another thread waits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eps_cancel(client: *mut eps_client) -> i32 {
    boundary::code("eps_cancel", || handle::get(client)?.cancel())
}

/// Finds a member.
///
/// @param key           "email", "mobilePhone", "socialSecurityNumber", "customKey" (the member number or external id) or "any".
/// @param value         What to look for, as the member gave it: "+46701234567". It is sent to Engage and kept nowhere.
/// @param options_json  NULL, or an object with any of "contactType" (Engage's contact type), "waitMs".
/// @param out           Gets the contact's id, a JSON string with a GUID; or the problem object. Required.
/// @return EPS_OK; EPS_BAD_KEY or another code of the -1xx band; EPS_CONTACT_NOT_FOUND, EPS_MULTIPLE_MATCHES, EPS_INVALID_EMAIL,
///         EPS_INVALID_PHONE, EPS_INVALID_SOCIAL_SECURITY_NUMBER, EPS_INVALID_CONTACT_TYPE, EPS_INVALID_SEARCH; EPS_SYSTEM_CONFIGURATION,
///         EPS_UNAUTHORIZED, EPS_FORBIDDEN; a code of the -4xx band, after which the call may be made again.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eps_find_contact(
    client: *mut eps_client,
    key: *const c_char,
    value: *const c_char,
    options_json: *const c_char,
    out: *mut eps_buffer,
) -> i32 {
    // SAFETY: by the header, the pointers are NULL or valid for the time of the call.
    unsafe {
        boundary::answer("eps_find_contact", out, || {
            let client = handle::get(client)?;
            let (key, value) = (input::required(key, "key")?, input::required(value, "value")?);
            client.find_contact(key, value, input::optional(options_json, "options_json")?)
        })
    }
}

/// Lists a member's point accounts: how many points there are to spend.
///
/// @param contact_id    The member, a GUID.
/// @param options_json  NULL, or `{"waitMs": …}`.
/// @param out           Gets Engage's JSON array, each element as it came with at least "balance" (points, with decimals); or the
///                      problem object. Required.
/// @return As eps_list_items.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eps_list_points(
    client: *mut eps_client,
    contact_id: *const c_char,
    options_json: *const c_char,
    out: *mut eps_buffer,
) -> i32 {
    // SAFETY: by the header, the pointers are NULL or valid for the time of the call.
    unsafe {
        boundary::answer("eps_list_points", out, || {
            let client = handle::get(client)?;
            let contact = ContactId::parse(input::required(contact_id, "contact_id")?, "contact_id")?;
            client.list_points(contact, input::optional(options_json, "options_json")?)
        })
    }
}

/// Lists the items a member can buy now.
///
/// @param contact_id    The member, a GUID.
/// @param options_json  NULL, or `{"waitMs": …}`: how long the call may take, 0 to 600000 ms.
/// @param out           Gets Engage's JSON array as it came, each element with at least "id" (a GUID) and "cost" (points, a whole
///                      number); or the problem object. Required.
/// @return EPS_OK; a code of the -1xx band; EPS_UNAUTHORIZED, EPS_FORBIDDEN; EPS_INVALID_CONTACT, EPS_DECLINED; a code of the -4xx band,
///         after which the call may be made again.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eps_list_items(
    client: *mut eps_client,
    contact_id: *const c_char,
    options_json: *const c_char,
    out: *mut eps_buffer,
) -> i32 {
    // SAFETY: by the header, the pointers are NULL or valid for the time of the call.
    unsafe {
        boundary::answer("eps_list_items", out, || {
            let client = handle::get(client)?;
            let contact = ContactId::parse(input::required(contact_id, "contact_id")?, "contact_id")?;
            client.list_items(contact, input::optional(options_json, "options_json")?)
        })
    }
}

/// Buys an item for points.
///
/// The intent is durable in the journal before anything is sent. At most one deduction is made for it, whatever crashes and
/// however often it is asked for. The request is not tied to the call: when the wait ends first, the call returns *pending*, the
/// request goes on, its answer is journaled, and what stays unknown is settled in the background.
///
/// @param contact_id    The member, a GUID.
/// @param item_id       The item's "id" from eps_list_items, a GUID; not its promotionId.
/// @param options_json  NULL, or an object with any of:
///                      "reference": the POS's own name for the sale, a basket or receipt number (at most 200 bytes, no control
///                      characters; it is kept in the journal and must not identify a person). The same reference, contact and item
///                      always mean the same purchase.
///                      "purchaseId": a GUID of the POS's own (eps_new_id), as an alternative or in addition.
///                      "waitMs": how long the cashier waits, 0 to 600000 ms. A request that has not left by then is withdrawn
///                      and told as not sent; one that may have left goes on and is told as pending.
///                      "snapshotRewards": true lists the member's rewards before anything is sent (one more round trip, within the wait),
///                      unless eps_list_rewards did so within ten minutes: so eps_find_reward can tell a new reward from old ones.
///                      With neither reference nor purchaseId, a purchase of the same contact and item that is pending, or done and
///                      not yet acknowledged, is joined: a second press is not a second purchase. So acknowledge.
/// @param out           Gets the operation object (see eps_get_operation) with "existing" (whether it had been asked for before); or
///                      the problem object, with operationId. Required.
/// @return EPS_OK: bought. -3xx: refused, nothing was deducted. -4xx, -6xx, -1xx, -2xx: nothing was sent. -5xx: pending, let the sale
///         go on and look at eps_list_unacknowledged later. EPS_UNAUTHORIZED and EPS_FORBIDDEN are refusals: nothing was deducted.
///         EPS_INTERNAL is to be treated as pending.
///
/// Threads: any. Presses at the same instant, in several threads or processes on one journal, are one purchase.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eps_purchase(
    client: *mut eps_client,
    contact_id: *const c_char,
    item_id: *const c_char,
    options_json: *const c_char,
    out: *mut eps_buffer,
) -> i32 {
    // SAFETY: by the header, the pointers are NULL or valid for the time of the call.
    unsafe {
        boundary::answer("eps_purchase", out, || {
            let client = handle::get(client)?;
            let contact = ContactId::parse(input::required(contact_id, "contact_id")?, "contact_id")?;
            let item = ItemId::parse(input::required(item_id, "item_id")?, "item_id")?;
            client.purchase(contact, item, input::optional(options_json, "options_json")?)
        })
    }
}

/// Lists a member's purchases: the full history at Engage, made by any till.
///
/// @param contact_id    The member, a GUID.
/// @param options_json  NULL, or `{"waitMs": …}`.
/// @param out           Gets Engage's JSON array as it came, empty if there are none; or the problem object. Required.
/// @return As eps_list_items.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eps_list_purchases(
    client: *mut eps_client,
    contact_id: *const c_char,
    options_json: *const c_char,
    out: *mut eps_buffer,
) -> i32 {
    // SAFETY: by the header, the pointers are NULL or valid for the time of the call.
    unsafe {
        boundary::answer("eps_list_purchases", out, || {
            let client = handle::get(client)?;
            let contact = ContactId::parse(input::required(contact_id, "contact_id")?, "contact_id")?;
            client.list_purchases(contact, input::optional(options_json, "options_json")?)
        })
    }
}

/// Lists a member's rewards: what the purchases brought, ready to be redeemed.
///
/// @param contact_id    The member, a GUID.
/// @param options_json  NULL, or an object with any of "channel" ("POS", the default, "ECOM" or "OTHER"), "waitMs".
/// @param out           Gets Engage's JSON array, each element as it came with at least "id" (a GUID, the assignment's: what is
///                      redeemed; its "promotionId" is only the template); or the problem object. Required.
/// @return As eps_list_items.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eps_list_rewards(
    client: *mut eps_client,
    contact_id: *const c_char,
    options_json: *const c_char,
    out: *mut eps_buffer,
) -> i32 {
    // SAFETY: by the header, the pointers are NULL or valid for the time of the call.
    unsafe {
        boundary::answer("eps_list_rewards", out, || {
            let client = handle::get(client)?;
            let contact = ContactId::parse(input::required(contact_id, "contact_id")?, "contact_id")?;
            client.list_rewards(contact, input::optional(options_json, "options_json")?)
        })
    }
}

/// Tells which reward a completed purchase gave: the one to print, to show and to redeem.
///
/// Engage may name it in the purchase ("explicit"). Else the member's rewards are compared with those seen before the purchase by
/// eps_list_rewards or "snapshotRewards": "newSincePurchase" is the only one that came since; "onlyCandidate" is the only one of the item's promotion. Both leave
/// out rewards that this till knows to be from another purchase, or used before. What is not certain is never guessed: "ambiguous"
/// lists the candidates for a person to choose from, "none" says that there is none yet; ask again.
///
/// @param operation_id  A purchase that is done.
/// @param options_json  NULL, or `{"waitMs": …}`: how long the call may take, 0 to 600000 ms.
/// @param out           Gets a JSON object: "certainty" ("explicit", "newSincePurchase", "onlyCandidate", "ambiguous", "none"), "assignmentId" (for
///                      eps_redeem_reward; null unless certain), "reward" (Engage's object as it came, or null), "receipt" (null, or
///                      "title", "description", "barcode", "expiresOn", "instruction", "valueType", "value" as far as known),
///                      "candidates" (Engage's objects); or the problem object. Required.
/// @return EPS_OK; EPS_NOT_A_PURCHASE, EPS_UNKNOWN_OPERATION; the code of the purchase while that is not done; else as eps_list_rewards.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eps_find_reward(
    client: *mut eps_client,
    operation_id: *const c_char,
    options_json: *const c_char,
    out: *mut eps_buffer,
) -> i32 {
    // SAFETY: by the header, the pointers are NULL or valid for the time of the call.
    unsafe {
        boundary::answer("eps_find_reward", out, || {
            handle::get(client)?.find_reward(operation(operation_id)?, input::optional(options_json, "options_json")?)
        })
    }
}

/// Uses a reward on a receipt. There is no undo at Engage.
///
/// Journaled like a purchase: the intent is durable before anything is sent, the request goes on when the wait ends, and what stays
/// unknown is settled in the background, by looking at the reward first. Engage knows no idempotency for it. "Already redeemed" is *done*
/// when a request of this operation was at work at the time at which Engage says it was redeemed, *refused* when that cannot have been
/// this operation, and EPS_PENDING_AMBIGUOUS where nothing tells: then a person must look, and eps_acknowledge hands it over.
///
/// @param contact_id    The member, a GUID; or NULL if there is none. With it, what became of a lost answer can be looked up.
/// @param assignment_id The reward's "id" from eps_list_rewards or "assignmentId" from eps_find_reward, a GUID; not a promotionId.
/// @param options_json  NULL, or an object with any of:
///                      "channel": "POS" (default), "ECOM" or "OTHER".
///                      "reference": the POS's own name for the sale (at most 200 bytes, no control characters, must not identify a
///                      person). The same reference and reward always mean the same redeem.
///                      "waitMs": how long the cashier waits, 0 to 600000 ms. As for eps_purchase.
///                      Without a reference, a redeem of the same reward and channel that is pending, or done and not yet acknowledged,
///                      is joined: a second press is not a second redeem.
/// @param out           Gets the operation object (see eps_get_operation) with "existing"; or the problem object, with operationId.
///                      Required.
/// @return EPS_OK: the reward is used. -3xx: refused, it was not used by this. -4xx, -6xx, -1xx, -2xx: nothing was sent; EPS_REWARD_IN_USE
///         while another redeem of the reward is pending. -5xx: pending, look at eps_list_unacknowledged later. EPS_UNAUTHORIZED and
///         EPS_FORBIDDEN are refusals. EPS_INTERNAL is to be treated as pending.
///
/// Threads: any. Presses at the same instant, in several threads or processes on one journal, are one redeem.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eps_redeem_reward(
    client: *mut eps_client,
    contact_id: *const c_char,
    assignment_id: *const c_char,
    options_json: *const c_char,
    out: *mut eps_buffer,
) -> i32 {
    // SAFETY: by the header, the pointers are NULL or valid for the time of the call.
    unsafe {
        boundary::answer("eps_redeem_reward", out, || {
            let client = handle::get(client)?;
            let contact = input::optional(contact_id, "contact_id")?;
            let contact = contact.map(|text| ContactId::parse(text, "contact_id")).transpose()?;
            let assignment = AssignmentId::parse(input::required(assignment_id, "assignment_id")?, "assignment_id")?;
            client.redeem_reward(contact, assignment, input::optional(options_json, "options_json")?)
        })
    }
}

/// Lists what the POS still has to look at: every operation that is pending, or whose outcome it has not acknowledged.
/// Made for being called after a start and between sales. Does not touch the network.
///
/// @param options_json  NULL, or `{}`: there are no options yet.
/// @param out           Gets `{"operations": […]}`, the operation objects, oldest first; or the problem object. Required.
/// @return EPS_OK; a code of the -1xx or -6xx band; EPS_BAD_CONFIG without a journal.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eps_list_unacknowledged(
    client: *mut eps_client,
    options_json: *const c_char,
    out: *mut eps_buffer,
) -> i32 {
    // SAFETY: by the header, the pointers are NULL or valid for the time of the call.
    unsafe {
        boundary::answer("eps_list_unacknowledged", out, || {
            handle::get(client)?.list_unacknowledged(input::optional(options_json, "options_json")?)
        })
    }
}

/// Tells the last known state of an operation, for example to print a receipt again. Does not touch the network.
///
/// @param operation_id  From a problem object, eps_purchase or eps_list_unacknowledged. For a purchase it is the purchase id.
/// @param out           Gets the operation object: "operationId", "kind" ("purchase", "redeem"), "outcome" ("completed", "declined", "pending", "notSent"),
///                      "state", "code", "name", "purchaseId", "contactId", "itemId", "assignmentId" (the reward that is
///                      redeemed, or that the purchase gave once eps_find_reward was certain), "channel", "reference", "attempts" (requests made),
///                      "httpStatus", "engageCode", "needsReview", "recordedAtMs", "resolvedAtMs", "acknowledgedAtMs" (ms since 1970 UTC),
///                      "purchase" (Engage's purchase object as it came, once done), "reward" (of a redeem: Engage's reward object as it
///                      came, if it was seen); what is not known, or is the other kind's, is null. Or the problem
///                      object. Required.
/// @return EPS_OK; EPS_UNKNOWN_OPERATION; a code of the -1xx or -6xx band; EPS_BAD_CONFIG without a journal.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eps_get_operation(
    client: *mut eps_client,
    operation_id: *const c_char,
    out: *mut eps_buffer,
) -> i32 {
    // SAFETY: by the header, the pointers are NULL or valid for the time of the call.
    unsafe {
        boundary::answer("eps_get_operation", out, || handle::get(client)?.get_operation(operation(operation_id)?))
    }
}

/// Tries now to learn every pending outcome, instead of at the next time of the background's schedule.
///
/// @param options_json  NULL, or `{"waitMs": …}`: how long the call may take, 0 to 600000 ms.
/// @param out           Gets `{"resolved": n, "pending": n}`: how many became known, and how many are pending still; or the problem
///                      object. Required.
/// @return EPS_OK, also if some are pending still; EPS_CANCELLED; a code of the -1xx or -6xx band; EPS_BAD_CONFIG without a journal.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eps_resolve_pending(
    client: *mut eps_client,
    options_json: *const c_char,
    out: *mut eps_buffer,
) -> i32 {
    // SAFETY: by the header, the pointers are NULL or valid for the time of the call.
    unsafe {
        boundary::answer("eps_resolve_pending", out, || {
            handle::get(client)?.resolve_pending(input::optional(options_json, "options_json")?)
        })
    }
}

/// Says that the POS has noted an operation's outcome (printed, stored with the receipt). Until then nothing is forgotten;
/// afterwards the record is kept for "retentionDays" and eps_list_unacknowledged does not show it any more. An operation that
/// needs a person ("needsReview") is handed over by it. Acknowledging twice is as good as once.
///
/// @param operation_id  A GUID.
/// @param out           Gets the operation object; or the problem object. Required.
/// @return EPS_OK; EPS_UNKNOWN_OPERATION, EPS_STILL_PENDING; a code of the -1xx or -6xx band; EPS_BAD_CONFIG without a journal.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eps_acknowledge(
    client: *mut eps_client,
    operation_id: *const c_char,
    out: *mut eps_buffer,
) -> i32 {
    // SAFETY: by the header, the pointers are NULL or valid for the time of the call.
    unsafe { boundary::answer("eps_acknowledge", out, || handle::get(client)?.acknowledge(operation(operation_id)?)) }
}

/// Reads counters since open and what the journal holds now, for the POS's own monitoring.
///
/// @param out  Gets a JSON object: "version", "reads", "purchasesSent", "redeemsSent", "statusQueries", "completed", "declined", "notSent", "pending",
///             "unacknowledged" (the last two null without a journal); or the problem object. Required.
/// @return EPS_OK; EPS_NULL_ARGUMENT, EPS_BAD_HANDLE, EPS_CLOSED.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eps_read_stats(client: *mut eps_client, out: *mut eps_buffer) -> i32 {
    // SAFETY: by the header, the pointers are NULL or valid for the time of the call.
    unsafe { boundary::answer("eps_read_stats", out, || handle::get(client)?.read_stats()) }
}

/// Sets this client's log function, or removes it.
///
/// @param level  EPS_LOG_OFF, EPS_LOG_ERROR, EPS_LOG_WARN, EPS_LOG_INFO or EPS_LOG_DEBUG: lines up to this level are given.
/// @param fn     The function, or NULL to remove it. When this call returns, the old function is not entered again; one that is
///               running is waited for, at most one second, unless it is the caller itself.
/// @param user   Passed on to the function; the library never looks at it.
/// @return EPS_OK; EPS_BAD_LOG_LEVEL; EPS_NULL_ARGUMENT, EPS_BAD_HANDLE, EPS_CLOSED.
///
/// Threads: any. No line holds the API key or anything that identifies a person beside the contact's id.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eps_set_log(client: *mut eps_client, level: i32, r#fn: eps_log_fn, user: *mut c_void) -> i32 {
    boundary::code("eps_set_log", || {
        let client = handle::get(client)?;
        let level = Level::from_number(level).ok_or_else(|| Error::of(Code::BadLogLevel))?;
        client.set_log(level, r#fn.map(|function| sink(function, user)))
    })
}

/// Makes a fresh purchase id, for a POS that wants to store it before it calls eps_purchase.
///
/// @param out  Gets a JSON string: a random GUID in quotes; or the problem object. Required.
/// @return EPS_OK, or EPS_NULL_ARGUMENT.
///
/// Threads: any. Needs no client.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eps_new_id(out: *mut eps_buffer) -> i32 {
    // SAFETY: by the header, the pointer is NULL or valid for the time of the call.
    unsafe { boundary::answer("eps_new_id", out, || Ok(format!("\"{}\"", OperationId::fresh()).into_bytes())) }
}

/// Gives an answer's memory back and sets the struct to `{NULL, 0, 0}`. NULL and a second call are no-ops.
///
/// Threads: any; not one buffer from two at once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eps_buffer_dispose(buffer: *mut eps_buffer) {
    boundary::value("eps_buffer_dispose", (), || {
        if !buffer.is_null() {
            // SAFETY: by the header, a buffer that a call has filled in or that is `{NULL, 0, 0}`, used by nobody else now.
            unsafe { buffer.replace(eps_buffer::EMPTY).free() };
        }
    });
}

/// Tells what a code says about the points: EPS_OUTCOME_COMPLETED, _REFUSED, _PENDING or _NOT_SENT.
///
/// Total: a code of a newer version is judged by its band, and a number outside the bands is pending, which is never wrong.
/// Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn eps_outcome(code: i32) -> i32 {
    boundary::value("eps_outcome", code::Outcome::Pending as i32, || code::outcome(code) as i32)
}

/// Tells a code's name, "EPS_OK"; for a number that is none, "EPS_UNKNOWN". Static: never to be freed.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn eps_code_name(code: i32) -> *const c_char {
    boundary::value("eps_code_name", c"EPS_INTERNAL".as_ptr(), || {
        C_NAMES.iter().find(|(number, _)| *number == code).map_or(c"EPS_UNKNOWN".as_ptr(), |(_, name)| name.as_ptr())
    })
}

/// Tells the library's version, "1.2.3". Static: never to be freed.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn eps_version() -> *const c_char {
    boundary::value("eps_version", c"".as_ptr(), || concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast())
}

/// Tells the ABI version the library was built with; compare it with EPS_ABI_VERSION.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn eps_abi_version() -> u32 {
    boundary::value("eps_abi_version", 0, || EPS_ABI_VERSION)
}

/// A required operation id.
///
/// # Safety
/// `text` is NULL or a NUL-terminated string.
unsafe fn operation(text: *const c_char) -> Result<OperationId> {
    // SAFETY: the same promise.
    OperationId::parse(unsafe { input::required(text, "operation_id") }?, "operation_id")
}

/// Makes a sink of a C function.
fn sink(function: unsafe extern "C-unwind" fn(*mut c_void, i32, *const c_char, usize), user: *mut c_void) -> Sink {
    struct User(*mut c_void);
    // SAFETY: the header tells the caller that the function is called on another thread; the library itself never looks behind it.
    unsafe impl Send for User {}
    let user = User(user);
    Box::new(move |level, line| {
        let user = &user;
        if let Ok(text) = CString::new(line) {
            // SAFETY: the function is the caller's, alive until it is removed; the line lives through the call.
            unsafe { function(user.0, level as i32, text.as_ptr(), line.len()) };
        }
    })
}
