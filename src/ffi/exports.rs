//! The exported functions, in the order of the header. Their comments are the header's
//! specification.
// One rule makes every call safe, and the header states it once: a pointer is NULL or valid for the
// time of the call.
#![allow(clippy::missing_safety_doc)]
// The comments are written for C: `[a]` and `<a>` are text there, and addresses stand bare.
#![allow(rustdoc::bare_urls, rustdoc::broken_intra_doc_links, rustdoc::invalid_html_tags)]

use super::boundary;
use super::buffer::eps_buffer;
use super::handle::{self, eps_client};
use super::host_function::{LogFunction, NotifyFunction, call_log, call_notify};
use super::{input, json};
use crate::client::Client;
use crate::client::Notify;
use crate::core::code::{self, C_MEANINGS, C_NAMES, Code};
use crate::core::error::{Error, Result};
use crate::core::id::{AssignmentId, ContactId, ItemId, OperationId};
use crate::log::{Level, Sink};
use std::ffi::{CString, c_char, c_void};

/// The version of this interface. It changes only when a program that was compiled against an older
/// header would no longer work.
pub const EPS_ABI_VERSION: u32 = 1;

/// A log function: receives one line of the log.
///
/// "level" is EPS_LOG_ERROR, EPS_LOG_WARN, EPS_LOG_INFO or EPS_LOG_DEBUG. "line" is a JSON object,
/// UTF-8, NUL-terminated, "len" bytes long; it is valid only during the call. The library calls the
/// function on a thread of its own, one line at a time. The function may call any function of this
/// library. A slow function delays no call: lines beyond 1024 that wait are dropped and counted.
/// The function must not throw an exception. One that ends its thread is not called again.
pub type eps_log_fn =
    Option<unsafe extern "C-unwind" fn(user: *mut c_void, level: i32, line: *const c_char, len: usize)>;

/// A notify function: receives one operation whose state has changed.
///
/// "json" is the operation object (see eps_get_operation), UTF-8, NUL-terminated, "len" bytes long;
/// it is valid only during the call. The library calls the function on a thread of its own, one
/// object at a time. The function may call any function of this library. A slow function delays no
/// call: beyond 1024 changes that wait, states in between are left out, and never the last one. The
/// function must not throw an exception. One that ends its thread is not called again.
pub type eps_notify_fn = Option<unsafe extern "C-unwind" fn(user: *mut c_void, json: *const c_char, len: usize)>;

/// Opens a client.
///
/// The call does not wait for the network: a till can open offline. The library makes a first
/// connection in the background ("preconnect"). From now on the library resolves the operations
/// that an earlier run left pending in the journal.
///
/// @param abi          EPS_ABI_VERSION, as compiled into the program.
/// @param config_json  The configuration, a JSON object. An unknown key and a repeated key are
///                     errors. Required keys:
///                     "baseUrl": "https://acme.voyado.com", or the address of a store relay.
///                     http:// is accepted for loopback addresses only. "echo:" is for the tests of
///                     a binding: see THE TESTS OF A BINDING.
///                     "userAgent": the POS and its version, "AcmePOS/1.5".
///                     Usual keys:
///                     "apiKey": the API key; absent when a relay adds it.
///                     "journalPath": a file on a local disk, which every operation needs. The path
///                     is absolute.
///                     "journal": "memory" in place of a file. Pending operations are lost when the
///                     process ends.
///                     Optional keys, with defaults:
///                     "waitMs" 10000: the longest wait of a call, 0 to 600000 ms. This call,
///                     eps_acknowledge, eps_acknowledge_reference, eps_resolve_review and
///                     eps_backup_journal wait at least 2 s for a disk that hangs.
///                     "requestTimeoutMs" 60000: the timeout of one request, 100 to 600000 ms.
///                     "caFile": a PEM file with root certificates, beside the system's.
///                     "systemTrust" true: whether the system's root certificates are used.
///                     "clientCertFile", "clientKeyFile": PEM files with the till's certificate and
///                     its key.
///                     "proxy": "http://user:password@host:port", or "none". Without it the
///                     environment's HTTPS_PROXY, ALL_PROXY and NO_PROXY apply, and on Windows
///                     the system's proxy where they name none. A proxy cannot be named with an
///                     http:// baseUrl.
///                     "preconnect" true: whether a connection is made on open.
///                     "maxResponseBytes" 8388608: the size limit of a response.
///                     "retryScheduleMs" [10000,30000,60000,300000]: the waits between status
///                     queries of a pending operation. The last wait repeats.
///                     "startupJitterMs" 300000: the time after an open within which the first
///                     status queries start.
///                     "resendLimitMs" 86400000: the age after which a purchase is not sent again.
///                     "retentionDays" 90: the time for which acknowledged records are kept, at
///                     least referenceWindowMs. A reference whose record is deleted is a new one.
///                     "tenant": whose operations the journal holds, by default the origin of
///                     baseUrl. Set it where baseUrl may change, for example to a relay's. The
///                     library neither queries nor sends the operations of another tenant.
///                     "historyLagMs" 600000: the longest delay, up to 86400000 ms, with which
///                     Engage's history shows a purchase.
///                     "referenceWindowMs" 43200000: the time after its acknowledgement in which a
///                     reference still means the same purchase; see REFERENCES.
///                     "idScope" "journal": purchase ids are random. "tenant": a purchase id is
///                     derived from tenant, reference, contact and item. Two tills, and a till that
///                     lost its journal, then cannot buy the same sale twice. References must never
///                     repeat within the tenant.
///                     "sealPath", "journalRole" "live", "journalRecovery" "refuse": the seal of
///                     the journal, and the ways out when a journal is a copy or incomplete.
///                     docs/configuration.md describes them.
///                     "language" "en": the language of "forCashier" and "forMember": "sv", "nb",
///                     "da", "fi", "de" or "en".
///                     "logFile", "logLevel" "info", "logFileBytes" 5242880, "logFiles" 5: the
///                     library's own log file, its level ("error", "warn", "info" or "debug"), the
///                     size at which it is begun anew, and the number of files.
///                     "apiMapping": an object with names in Engage's API that Voyado's public
///                     pages do not state. docs/configuration.md lists its keys.
/// @param client       Gets the client, or NULL. Unchanged if out is NULL. Close it by
///                     eps_client_close.
/// @param out          Gets `{"version": …, "abi": …}`, or the problem object. Required.
/// @return EPS_OK; EPS_NULL_ARGUMENT, EPS_BAD_UTF8; EPS_ABI_MISMATCH, EPS_BAD_CONFIG,
///         EPS_NO_CA_CERTIFICATES; EPS_FORKED; a code of the -6xx class if the journal cannot be
///         used.
///
/// Threads: any. Several clients may be open at once, also on one journal and in several processes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eps_client_open(
    abi: u32,
    config_json: *const c_char,
    client: *mut *mut eps_client,
    out: *mut eps_buffer,
) -> i32 {
    // SAFETY: by the header, the pointers are NULL or valid for the time of the call.
    unsafe {
        boundary::json("eps_client_open", out, || {
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
            Ok(format!("{{\"version\":\"{}\",\"abi\":{EPS_ABI_VERSION}}}", crate::version::VERSION).into_bytes())
        })
    }
}

/// Closes a client.
///
/// Calls that wait on the client return. Requests under way are ended within two seconds, or three
/// where the disk hangs; their operations stay pending in the journal. NULL and a client that is
/// closed already have no effect.
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

/// Cancels every call that waits on this client now. Each returns within 50 ms.
///
/// A read returns EPS_CANCELLED. An operation returns EPS_CANCELLED if nothing was sent, else
/// EPS_PENDING_CANCELLED. Later calls are not affected.
///
/// @return EPS_OK; EPS_NULL_ARGUMENT, EPS_BAD_HANDLE, EPS_CLOSED.
///
/// Threads: any. The call is made while another thread waits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eps_cancel(client: *mut eps_client) -> i32 {
    boundary::code("eps_cancel", || handle::get(client)?.cancel())
}

/// Cancels the call that was made with this "callId", and no other one: the other cashier's call
/// goes on. It returns within 50 ms, as after eps_cancel.
///
/// Several calls may have one name; all of them are cancelled. A call that has not entered the
/// library yet is not cancelled.
///
/// @param call_id  The name that the call was given.
/// @return EPS_OK, also when there is no such call; EPS_NULL_ARGUMENT, EPS_EMPTY_ARGUMENT,
///         EPS_BAD_UTF8; EPS_BAD_HANDLE, EPS_CLOSED.
///
/// Threads: any. The call is made while another thread waits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eps_cancel_call(client: *mut eps_client, call_id: *const c_char) -> i32 {
    // SAFETY: by the header, the pointer is NULL or valid for the time of the call.
    unsafe {
        boundary::code("eps_cancel_call", || {
            let client = handle::get(client)?;
            client.cancel_call(input::required(call_id, "call_id")?)
        })
    }
}

/// Finds a member.
///
/// @param key           "email", "mobilePhone", "socialSecurityNumber", "customKey" (the member
///                      number or external id) or "any".
/// @param value         The value to search for, as the member gave it: "+46701234567". It is sent
///                      to Engage and stored nowhere.
/// @param options_json  NULL, or an object with any of "contactType" (Engage's contact type),
///                      "waitMs", "callId".
/// @param out           Gets the contact's id, a JSON string with a GUID; or the problem object.
///                      Required.
/// @return EPS_OK; EPS_BAD_KEY or another code of the -1xx class; EPS_CONTACT_NOT_FOUND,
///         EPS_MULTIPLE_MATCHES, EPS_INVALID_EMAIL, EPS_INVALID_PHONE,
///         EPS_INVALID_SOCIAL_SECURITY_NUMBER, EPS_INVALID_CONTACT_TYPE, EPS_INVALID_SEARCH;
///         EPS_SYSTEM_CONFIGURATION, EPS_UNAUTHORIZED, EPS_FORBIDDEN; a code of the -4xx class,
///         after which the call may be repeated.
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
        boundary::of_client("eps_find_contact", client, &[key, value, options_json], out, |client| {
            let (key, value) = (input::required(key, "key")?, input::required(value, "value")?);
            client.find_contact(key, value, input::optional(options_json, "options_json")?)
        })
    }
}

/// Lists a member's point accounts with the points that the member can spend.
///
/// @param contact_id    The member, a GUID.
/// @param options_json  NULL, or an object with any of "waitMs": the longest wait of the call, 0 to
///                      600000 ms; "callId": the name of the call for eps_cancel_call.
/// @param out           Gets Engage's JSON array. Each element is passed on unchanged and has at
///                      least "balance" (points, with decimals). Or gets the problem object.
///                      Required.
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
        boundary::of_client("eps_list_points", client, &[contact_id, options_json], out, |client| {
            let contact = ContactId::parse(input::required(contact_id, "contact_id")?, "contact_id")?;
            client.list_points(contact, input::optional(options_json, "options_json")?)
        })
    }
}

/// Lists the items that a member can buy now.
///
/// @param contact_id    The member, a GUID.
/// @param options_json  NULL, or an object with any of "waitMs": the longest wait of the call, 0 to
///                      600000 ms; "callId": the name of the call for eps_cancel_call.
/// @param out           Gets Engage's JSON array. Each element is passed on unchanged and has at
///                      least "id" (a GUID) and "cost" (points, a whole number). Or gets the
///                      problem object. Required.
/// @return EPS_OK; a code of the -1xx class; EPS_UNAUTHORIZED, EPS_FORBIDDEN; EPS_INVALID_CONTACT,
///         EPS_DECLINED; a code of the -4xx class, after which the call may be repeated.
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
        boundary::of_client("eps_list_items", client, &[contact_id, options_json], out, |client| {
            let contact = ContactId::parse(input::required(contact_id, "contact_id")?, "contact_id")?;
            client.list_items(contact, input::optional(options_json, "options_json")?)
        })
    }
}

/// Buys an item for points.
///
/// The intent is durable in the journal before anything is sent. At most one deduction is made for
/// an intent, whatever crashes and however often it is requested. When the wait ends first, the
/// call returns a pending code and the request goes on. The library journals its response, and
/// resolves the operation in the background if its outcome is still not known.
///
/// @param contact_id    The member, a GUID.
/// @param item_id       The item's "id" from eps_list_items, a GUID; not its promotionId.
/// @param options_json  NULL, or an object with any of:
///                      "reference": the POS's own name for the sale, a basket or receipt number.
///                      It has at most 200 bytes and no control characters. The journal keeps it,
///                      so it must not identify a person. The same reference, contact and item
///                      always mean the same purchase.
///                      "purchaseId": a GUID of the POS's own (eps_new_id), instead of a reference
///                      or in addition.
///                      "waitMs": the longest wait of the call, 0 to 600000 ms. A request that has
///                      not left by then is withdrawn and reported as not sent. A request that may
///                      have left goes on and is reported as pending.
///                      "submit": true returns EPS_PENDING_SUBMITTED as soon as the operation is
///                      durable, for a thread that must not wait; see CALLS THAT DO NOT BLOCK.
///                      "callId": the name of the call for eps_cancel_call, at most 64 bytes.
///                      "snapshotRewards": true lists the member's rewards before anything is sent,
///                      so that eps_find_reward can recognise a new reward. It is one more request
///                      within the wait, unless eps_list_rewards listed them within the last ten
///                      minutes. Without reference and purchaseId, a second press is the existing
///                      purchase of the same contact and item, while that is pending or completed,
///                      and not acknowledged. Acknowledge it before the member buys the item again.
/// @param out           Gets the operation object (see eps_get_operation) with "existing": whether
///                      the operation existed before this call. Or gets the problem object, with
///                      operationId. Required.
/// @return EPS_OK: bought. -3xx: declined, nothing was deducted. -4xx, -6xx, -1xx, -2xx: nothing
///         was sent. -5xx: pending; continue the sale, and read eps_list_unacknowledged later.
///         EPS_UNAUTHORIZED and EPS_FORBIDDEN are declined: nothing was deducted. Treat
///         EPS_INTERNAL as pending.
///
/// Threads: any. Presses at the same time, in several threads or processes on one journal, are one
/// purchase.
#[must_use = "the code is the outcome of the sale"]
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
        boundary::of_client("eps_purchase", client, &[contact_id, item_id, options_json], out, |client| {
            let contact = ContactId::parse(input::required(contact_id, "contact_id")?, "contact_id")?;
            let item = ItemId::parse(input::required(item_id, "item_id")?, "item_id")?;
            client.purchase(contact, item, input::optional(options_json, "options_json")?)
        })
    }
}

/// Lists a member's purchases: the full history at Engage, from all tills.
///
/// @param contact_id    The member, a GUID.
/// @param options_json  NULL, or an object with any of "waitMs": the longest wait of the call, 0 to
///                      600000 ms; "callId": the name of the call for eps_cancel_call.
/// @param out           Gets Engage's JSON array, unchanged; empty if there are no purchases. Or
///                      gets the problem object. Required.
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
        boundary::of_client("eps_list_purchases", client, &[contact_id, options_json], out, |client| {
            let contact = ContactId::parse(input::required(contact_id, "contact_id")?, "contact_id")?;
            client.list_purchases(contact, input::optional(options_json, "options_json")?)
        })
    }
}

/// Lists a member's rewards, which can be redeemed.
///
/// @param contact_id    The member, a GUID.
/// @param options_json  NULL, or an object with any of "channel" ("POS", the default, "ECOM" or
///                      "OTHER"), "waitMs", "callId".
/// @param out           Gets Engage's JSON array. Each element is passed on unchanged and has at
///                      least "id" (a GUID): the assignment, by which the reward is redeemed. Its
///                      "promotionId" is only the template. Or gets the problem object. Required.
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
        boundary::of_client("eps_list_rewards", client, &[contact_id, options_json], out, |client| {
            let contact = ContactId::parse(input::required(contact_id, "contact_id")?, "contact_id")?;
            client.list_rewards(contact, input::optional(options_json, "options_json")?)
        })
    }
}

/// Finds the reward that a completed purchase gave, for the receipt, the screen and a redeem.
///
/// "certainty" says how the reward was found. "explicit": the purchase names it.
/// "newSincePurchase": it is the only reward that was added since the rewards were listed before
/// the purchase, by eps_list_rewards or "snapshotRewards". "onlyCandidate": it is the only reward
/// of the item's promotion. Both leave out a reward that this till knows to be another purchase's,
/// or used before.
/// "ambiguous": several rewards are possible, or fewer are listed than this till has bought; a
/// person chooses from "candidates", or the POS calls again later. "none": there is no reward yet;
/// call again later. The library never guesses.
///
/// @param operation_id  A completed purchase.
/// @param options_json  NULL, or an object with any of "waitMs": the longest wait of the call, 0 to
///                      600000 ms; "callId": the name of the call for eps_cancel_call.
/// @param out           Gets a JSON object: "certainty"; "assignmentId", for eps_redeem_reward,
///                      null unless certain; "reward", Engage's object unchanged, or null;
///                      "receipt", null or an object with "title", "description", "barcode",
///                      "expiresOn",
///                      "instruction", "valueType", "value" as far as known; "candidates", Engage's
///                      objects. Or gets the problem object. Required.
/// @return EPS_OK; EPS_NOT_A_PURCHASE, EPS_UNKNOWN_OPERATION; the code of the purchase while it is
///         not completed; else as eps_list_rewards.
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
        boundary::of_client("eps_find_reward", client, &[operation_id, options_json], out, |client| {
            client.find_reward(operation(operation_id)?, input::optional(options_json, "options_json")?)
        })
    }
}

/// Redeems a reward on a receipt. Engage has no undo.
///
/// A redeem is journaled like a purchase: the intent is durable before anything is sent, the
/// request goes on when the wait ends, and the library resolves it in the background. Engage has no
/// idempotency key for a redeem, so the library queries the reward before it sends the redeem
/// again. Engage may report "already redeemed". The outcome is completed if a request of this
/// operation was under way at the time of that redeem. The outcome is declined if this operation
/// cannot have made it. Else the code is EPS_PENDING_AMBIGUOUS: the operation needs a manual
/// review, which eps_acknowledge ends.
///
/// @param contact_id    The member, a GUID; or NULL if there is none. With it, the library can
///                      query the outcome after a lost response.
/// @param assignment_id The reward's "id" from eps_list_rewards or "assignmentId" from
///                      eps_find_reward, a GUID; not a promotionId.
/// @param options_json  NULL, or an object with any of:
///                      "channel": "POS" (default), "ECOM" or "OTHER".
///                      "reference": the POS's own name for the sale. It has at most 200 bytes and
///                      no control characters, and must not identify a person. The same reference
///                      and reward always mean the same redeem.
///                      "submit", "callId": as for eps_purchase.
///                      "waitMs": the longest wait of the call, 0 to 600000 ms, as for
///                      eps_purchase. Without a reference, a second press is the existing redeem of
///                      the same reward and channel, while that is pending or completed, and not
///                      acknowledged.
/// @param out           Gets the operation object (see eps_get_operation) with "existing"; or the
///                      problem object, with operationId. Required.
/// @return EPS_OK: the reward is used. -3xx: declined, this call did not use it. -4xx, -6xx, -1xx,
///         -2xx: nothing was sent; EPS_REWARD_IN_USE while another redeem of the reward is pending.
///         -5xx: pending; read eps_list_unacknowledged later. EPS_UNAUTHORIZED and EPS_FORBIDDEN
///         are declined. Treat EPS_INTERNAL as pending.
///
/// Threads: any. Presses at the same time, in several threads or processes on one journal, are one
/// redeem.
#[must_use = "the code is the outcome of the sale"]
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
        boundary::of_client("eps_redeem_reward", client, &[contact_id, assignment_id, options_json], out, |client| {
            let contact = input::optional(contact_id, "contact_id")?;
            let contact = contact.map(|text| ContactId::parse(text, "contact_id")).transpose()?;
            let assignment = AssignmentId::parse(input::required(assignment_id, "assignment_id")?, "assignment_id")?;
            client.redeem_reward(contact, assignment, input::optional(options_json, "options_json")?)
        })
    }
}

/// Lists every operation that is pending, or whose outcome the POS has not acknowledged.
///
/// The POS calls it after a start and between sales. The call sends no request.
///
/// @param options_json  NULL, or `{"reference": …}`: only the operations of this reference, for
///                      example of one receipt.
/// @param out           Gets `{"operations": […]}`, the operation objects (see eps_get_operation),
///                      oldest first: in the order in which the journal recorded them; or the
///                      problem object. Required.
/// @return EPS_OK; a code of the -1xx or -6xx class; EPS_BAD_CONFIG without a journal.
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
        boundary::of_client("eps_list_unacknowledged", client, &[options_json], out, |client| {
            client.list_unacknowledged(input::optional(options_json, "options_json")?)
        })
    }
}

/// Lists the operations that the journal holds, also the acknowledged ones, page by page.
///
/// The list is for reports, exports and audits. The call sends no request. A till shows its cashier
/// eps_list_unacknowledged.
///
/// @param options_json  NULL, or an object with any of:
///                      "since", "until": the operations that were recorded from this time on, and
///                      before that time, in ms since 1970 UTC.
///                      "outcome": "completed", "declined", "pending" or "notSent".
///                      "acknowledged": true or false.
///                      "reference": the operations of this reference.
///                      "limit": the most operations of a page, 1 to 1000; the default is 100.
///                      "after": the "next" of the page before this one.
/// @param out           Gets `{"operations": […], "next": …}`: the operation objects (see
///                      eps_get_operation), oldest first: in the order in which the journal
///                      recorded them. One that was started again keeps its place. "next" is a
///                      string for the option "after" of the next call, or null behind the last
///                      page. A page may be empty. Or gets the problem object. Required.
/// @return EPS_OK; a code of the -1xx or -6xx class; EPS_BAD_CONFIG without a journal.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eps_list_operations(
    client: *mut eps_client,
    options_json: *const c_char,
    out: *mut eps_buffer,
) -> i32 {
    // SAFETY: by the header, the pointers are NULL or valid for the time of the call.
    unsafe {
        boundary::of_client("eps_list_operations", client, &[options_json], out, |client| {
            client.list_operations(input::optional(options_json, "options_json")?)
        })
    }
}

/// Returns the last known state of an operation, for example for a second receipt.
///
/// The call sends no request.
///
/// @param operation_id  From a problem object, eps_purchase or eps_list_unacknowledged. The
///                      operation id of a purchase is its purchase id.
/// @param out           Gets the operation object; or the problem object. Required. A value that is
///                      not known, or that belongs to the other kind, is null. Times are in ms
///                      since 1970 UTC. The keys:
///                      "operationId"; "kind" ("purchase", "redeem"); "outcome" ("completed",
///                      "declined", "pending", "notSent"); "state", the state in the journal;
///                      "code", "name"; "action", as eps_code_action returns it;
///                      "forCashier" and "forMember", as in a problem object;
///                      "purchaseId", "contactId", "itemId"; "assignmentId", the reward that is
///                      redeemed, or that the purchase gave once eps_find_reward was certain;
///                      "channel", "reference";
///                      "attempts", those begun; "httpStatus", "engageCode"; "cause", an
///                      array of texts about the last failure, outermost first; "requestIds",
///                      Engage's own ids of the requests;
///                      "recordedAtMs", by Engage's clock where it is known, which states whole
///                      seconds: only a list has the exact order; "resolvedAtMs", the time at which
///                      the outcome became known, never before "recordedAtMs";
///                      "acknowledgedAtMs"; "expectedByMs", the time by which a pending operation
///                      has an outcome at the latest, where that is known;
///                      "lastQueryAtMs", "nextQueryAtMs", the last and the next status query;
///                      "lastCode", the code of the last attempt or query; "firstPendingCode", the
///                      code with which the operation became pending; "retryCount", the status
///                      queries that no caller waited for;
///                      "needsReview", whether a manual review is needed; "review", null or the
///                      result of eps_resolve_review: "resolution", "by", "note", "atMs";
///                      "tenant", whose operation it is; "foreign", whether it belongs to another
///                      tenant than the client's, which neither queries nor sends it;
///                      "writerVersion", the version of the library that wrote the record last;
///                      "purchase", Engage's purchase object unchanged, once completed; "reward",
///                      of a redeem: Engage's reward object unchanged, if Engage returned it. Both
///                      are null where the object is nested deeper than 128 levels, or has a number
///                      of more than 1,000 digits.
/// @return EPS_OK; EPS_UNKNOWN_OPERATION; a code of the -1xx or -6xx class; EPS_BAD_CONFIG without
///         a journal.
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
        boundary::of_client("eps_get_operation", client, &[operation_id], out, |client| {
            client.get_operation(operation(operation_id)?)
        })
    }
}

/// Queries the outcome of every pending operation now, instead of at its next scheduled query.
///
/// @param options_json  NULL, or an object with any of "waitMs": the longest wait of the call, 0 to
///                      600000 ms; "callId": the name of the call for eps_cancel_call.
/// @param out           Gets `{"resolved": n, "pending": n}`: the numbers of operations whose
///                      outcome became known, and that are still pending. Or gets the problem
///                      object. Required.
/// @return EPS_OK, also if some are still pending; EPS_CANCELLED; a code of the -1xx or -6xx class;
///         EPS_BAD_CONFIG without a journal.
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
        boundary::of_client("eps_resolve_pending", client, &[options_json], out, |client| {
            client.resolve_pending(input::optional(options_json, "options_json")?)
        })
    }
}

/// States that the POS has stored an operation's outcome (printed, or stored with the receipt).
///
/// Until then the library keeps the operation. Afterwards its record is kept for "retentionDays",
/// and eps_list_unacknowledged does not list it. For an operation with "needsReview", the call
/// states that a person has taken it over, without a resolution; see eps_resolve_review. One that
/// is pending for another tenant is EPS_STILL_PENDING until eps_resolve_review decides it. A second
/// call changes nothing.
///
/// @param operation_id  A GUID.
/// @param out           Gets the operation object; or the problem object. Required.
/// @return EPS_OK; EPS_UNKNOWN_OPERATION, EPS_STILL_PENDING; a code of the -1xx or -6xx class;
///         EPS_BAD_CONFIG without a journal.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eps_acknowledge(
    client: *mut eps_client,
    operation_id: *const c_char,
    out: *mut eps_buffer,
) -> i32 {
    // SAFETY: by the header, the pointers are NULL or valid for the time of the call.
    unsafe {
        boundary::of_client("eps_acknowledge", client, &[operation_id], out, |client| {
            client.acknowledge(operation(operation_id)?)
        })
    }
}

/// Stores the decision of a person about an operation in manual review, and acknowledges it.
///
/// The person compares the member's purchases and rewards in Engage with the receipt. The decision
/// becomes the operation's outcome and stays in its record. No status query follows, and after
/// "declined" the same sale buys again. The call sends no request.
///
/// @param operation_id  An operation with "needsReview".
/// @param resolution    "completed" (the member has the reward) or "declined" (nothing was
///                      deducted).
/// @param options_json  NULL, or an object with any of "by" (who decided) and "note" (why). Each
///                      has at most 200 bytes and no control characters. The journal keeps both.
/// @param out           Gets the operation object with "review". An operation that needs no review
///                      is returned as it is. Or gets the problem object. Required.
/// @return EPS_OK; EPS_UNKNOWN_OPERATION; EPS_STILL_PENDING for a pending operation that needs no
///         review; EPS_BAD_OPTIONS for another resolution; a code of the -1xx or -6xx class;
///         EPS_BAD_CONFIG without a journal.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eps_resolve_review(
    client: *mut eps_client,
    operation_id: *const c_char,
    resolution: *const c_char,
    options_json: *const c_char,
    out: *mut eps_buffer,
) -> i32 {
    // SAFETY: by the header, the pointers are NULL or valid for the time of the call.
    unsafe {
        boundary::of_client("eps_resolve_review", client, &[operation_id, resolution, options_json], out, |client| {
            let (id, resolution) = (operation(operation_id)?, input::required(resolution, "resolution")?);
            client.resolve_review(id, resolution, input::optional(options_json, "options_json")?)
        })
    }
}

/// Acknowledges all operations of a reference, or none: a whole receipt in one step.
///
/// While one of them is pending, in manual review or for another tenant too, the call changes
/// nothing. A second call changes nothing. A reference without an operation gives an empty list.
///
/// @param reference     The reference of eps_purchase and eps_redeem_reward.
/// @param options_json  NULL, or `{}`: there are no options yet.
/// @param out           Gets `{"operations": […]}`, the operation objects of the reference (see
///                      eps_get_operation), in the order in which the journal recorded them; or
///                      the problem object, whose "operationId" is the first operation that is
///                      pending. Required.
/// @return EPS_OK; EPS_STILL_PENDING; a code of the -1xx or -6xx class; EPS_BAD_CONFIG without a
///         journal.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eps_acknowledge_reference(
    client: *mut eps_client,
    reference: *const c_char,
    options_json: *const c_char,
    out: *mut eps_buffer,
) -> i32 {
    // SAFETY: by the header, the pointers are NULL or valid for the time of the call.
    unsafe {
        boundary::of_client("eps_acknowledge_reference", client, &[reference, options_json], out, |client| {
            let reference = input::required(reference, "reference")?;
            client.acknowledge_reference(reference, input::optional(options_json, "options_json")?)
        })
    }
}

/// Copies the journal into one new file, while it is in use: the copy for a backup.
///
/// The copy is whole and durable when the call returns EPS_OK, and is marked as a copy. A client
/// opens it only with "journalRole" "copy", to read it, or "takeOver", to sell with it in place of
/// a lost journal; see docs/configuration.md. Two tills never run from one journal unnoticed.
///
/// The longest wait is that of the configuration's "waitMs", and 2 s at least. The copy of a call
/// that ends earlier is deleted. Other calls do not wait for the copy.
///
/// @param path          The absolute path of the new file. No file is overwritten.
/// @param options_json  NULL, or `{}`: there are no options yet.
/// @param out           Gets `{"path": …, "bytes": n, "operations": n}`: the path as given, the
///                      size of the copy and the number of operations in it. Or gets the problem
///                      object. Required.
/// @return EPS_OK; EPS_JOURNAL_CANNOT_OPEN if the path is not absolute, if the file exists or if it
///         cannot be made; EPS_JOURNAL_TIMED_OUT, EPS_JOURNAL_FULL, EPS_JOURNAL_DAMAGED;
///         EPS_JOURNAL_COPY if the journal is a copy itself; EPS_CANCELLED; another code of the
///         -1xx or -6xx class; EPS_BAD_CONFIG without a journal and with a journal in memory.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eps_backup_journal(
    client: *mut eps_client,
    path: *const c_char,
    options_json: *const c_char,
    out: *mut eps_buffer,
) -> i32 {
    // SAFETY: by the header, the pointers are NULL or valid for the time of the call.
    unsafe {
        boundary::of_client("eps_backup_journal", client, &[path, options_json], out, |client| {
            let path = input::required(path, "path")?;
            client.backup_journal(path, input::optional(options_json, "options_json")?)
        })
    }
}

/// Reads the counters since the open and the counts of the journal, for the POS's own monitoring.
///
/// @param out  Gets a JSON object: "version", "reads", "purchasesSent", "redeemsSent",
///             "statusQueries", "completed", "declined", "notSent", "pending", "unacknowledged".
///             The last two are null without a journal. Or gets the problem object. Required.
/// @return EPS_OK; EPS_NULL_ARGUMENT, EPS_BAD_HANDLE, EPS_CLOSED.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eps_read_stats(client: *mut eps_client, out: *mut eps_buffer) -> i32 {
    // SAFETY: by the header, the pointers are NULL or valid for the time of the call.
    unsafe { boundary::of_client("eps_read_stats", client, &[], out, Client::read_stats) }
}

/// Checks everything that a sale needs, and says what to do about what is wrong.
///
/// The checks that ask no server come first. "journal" makes a real durable write. "key" makes one
/// read that spends nothing. A check that is not done within the wait is "unknown", never "ok". A
/// step of the connection that has not ended is "fail", if the wait was 3 s or longer. The call
/// changes no operation.
///
/// @param options_json  NULL, or an object with any of:
///                      "offline" false: whether only the checks are made that ask no server.
///                      "waitMs": the longest wait of this call.
///                      "callId": see eps_cancel_call.
/// @param out           Gets `{"status": "ok"|"warn"|"fail", "checks": [{"name", "status",
///                      "message", "action", "sinceMs"}], "pendingPoints": n}`. The status of a
///                      check may also be "unknown". "message" says what was found. "action" is
///                      one sentence: who does what; null where there is nothing to do. "sinceMs"
///                      is null where the time is not known. "pendingPoints" are the points of
///                      the pending purchases as far as they are known, or null without a journal.
///                      The names are "version", "journal" (writable and durable), "owner" (the
///                      files are those that are open), "whole" (no record is missing), "tenant",
///                      "disk" (free space), "pending" (the oldest), "review", "unacknowledged",
///                      "proxy", "clientCertificate", "name" (resolution), "connect", "tls",
///                      "certificate" (the chain's validity), "key", "rateLimit", "clock",
///                      "lastContact". A newer version may add names. Or gets the problem object.
///                      Required.
/// @return EPS_OK, also when a check fails; EPS_CANCELLED; a code of the -1xx class.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eps_check(client: *mut eps_client, options_json: *const c_char, out: *mut eps_buffer) -> i32 {
    // SAFETY: by the header, the pointers are NULL or valid for the time of the call.
    unsafe {
        boundary::of_client("eps_check", client, &[options_json], out, |client| {
            client.check(input::optional(options_json, "options_json")?)
        })
    }
}

/// Reads the metrics of this client and its journal, for a monitoring system: OpenMetrics text.
///
/// The counters begin with the open. packaging/monitoring has alert rules and a dashboard for them.
/// The call sends no request.
///
/// @param out  Gets the text, which is not JSON and ends with "# EOF". The POS serves it as
///             "application/openmetrics-text; version=1.0.0; charset=utf-8", or writes it into a
///             file for a collector. Or gets the problem object. Required.
/// @return EPS_OK; EPS_NULL_ARGUMENT, EPS_BAD_HANDLE, EPS_CLOSED.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eps_read_metrics(client: *mut eps_client, out: *mut eps_buffer) -> i32 {
    // SAFETY: by the header, the pointers are NULL or valid for the time of the call.
    unsafe { boundary::of_client("eps_read_metrics", client, &[], out, Client::read_metrics) }
}

/// Sets or removes this client's log function.
///
/// docs/log-events.md lists the events and their fields. The configuration's "logFile" writes the
/// lines into a file without a function.
///
/// @param level  EPS_LOG_OFF, EPS_LOG_ERROR, EPS_LOG_WARN, EPS_LOG_INFO or EPS_LOG_DEBUG: the
///               function receives lines up to this level.
/// @param fn     The function, or NULL to remove it. After the return the old function is not
///               called again. The call waits for a function that is running, at most one second,
///               unless the function itself makes the call.
/// @param user   Passed to the function. The library does not read it.
/// @return EPS_OK; EPS_BAD_LOG_LEVEL; EPS_NULL_ARGUMENT, EPS_BAD_HANDLE, EPS_CLOSED.
///
/// Threads: any. No line holds the API key. No line holds a value that identifies a person, except
/// the contact's id.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eps_set_log(client: *mut eps_client, level: i32, r#fn: eps_log_fn, user: *mut c_void) -> i32 {
    boundary::code("eps_set_log", || {
        let client = handle::get(client)?;
        let level = Level::from_number(level).ok_or_else(|| Error::of(Code::BadLogLevel))?;
        client.set_log(level, r#fn.map(|function| sink(function, user)))
    })
}

/// Sets or removes the function that gets each change of an operation.
///
/// The function gets the operation object when an operation is recorded, when its outcome or its
/// code changes, and when it is acknowledged; also hours later, when the library has resolved it in
/// the background. The changes of one operation come in order. The function first gets every
/// operation that is not acknowledged: what changed since the last run. An operation may come
/// twice, and comes again after the next start until eps_acknowledge. Changes that another process
/// makes are not given.
///
/// @param fn    The function, or NULL to remove it. After the return the old function is not called
///              again. The call waits for a function that is running, at most one second, unless
///              the function itself makes the call.
/// @param user  Passed to the function. The library does not read it.
/// @return EPS_OK; EPS_BAD_CONFIG without a journal; EPS_NULL_ARGUMENT, EPS_BAD_HANDLE, EPS_CLOSED.
///
/// Threads: any. The function is called on a thread of the library, never on a caller's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eps_set_notify(client: *mut eps_client, r#fn: eps_notify_fn, user: *mut c_void) -> i32 {
    boundary::code("eps_set_notify", || handle::get(client)?.set_notify(r#fn.map(|function| notify(function, user))))
}

/// Makes a new purchase id, for a POS that stores the id before it calls eps_purchase.
///
/// @param out  Gets a JSON string: a random GUID in quotes; or the problem object. Required.
/// @return EPS_OK, or EPS_NULL_ARGUMENT.
///
/// Threads: any. No client is needed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eps_new_id(out: *mut eps_buffer) -> i32 {
    // SAFETY: by the header, the pointer is NULL or valid for the time of the call.
    unsafe { boundary::json("eps_new_id", out, || Ok(format!("\"{}\"", OperationId::fresh()).into_bytes())) }
}

/// Frees a buffer's memory and sets the struct to `{NULL, 0, 0}`. NULL and a second call have no
/// effect.
///
/// Threads: any. One buffer must not be disposed of by two threads at once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eps_buffer_dispose(buffer: *mut eps_buffer) {
    boundary::value("eps_buffer_dispose", (), || {
        if !buffer.is_null() {
            // SAFETY: by the header, a call has filled the buffer or it is `{NULL, 0, 0}`, and no
            // other thread uses it now.
            unsafe { buffer.replace(eps_buffer::EMPTY).free() };
        }
    });
}

/// Returns the outcome of a code: EPS_OUTCOME_COMPLETED, EPS_OUTCOME_DECLINED, EPS_OUTCOME_PENDING
/// or EPS_OUTCOME_NOT_SENT.
///
/// Every number has an outcome. A code of a newer version has the outcome of its class. A number
/// outside of the classes is pending, which never claims too much.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn eps_outcome(code: i32) -> i32 {
    boundary::value("eps_outcome", code::Outcome::Pending as i32, || code::outcome(code) as i32)
}

/// Returns a code's name, "EPS_OK"; "EPS_UNKNOWN" for a number without a code. The text is static
/// and must not be freed.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn eps_code_name(code: i32) -> *const c_char {
    boundary::value("eps_code_name", c"EPS_INTERNAL".as_ptr(), || {
        C_NAMES.iter().find(|(number, _)| *number == code).map_or(c"EPS_UNKNOWN".as_ptr(), |(_, name)| name.as_ptr())
    })
}

/// Returns who acts on a code. The text is static and must not be freed.
///
/// "continue": the POS goes on. "tellMember": the cashier informs the member. "retry": the POS or
/// the cashier may try again. "administrator": the administrator corrects the till, the network or
/// the key. "fixProgram": the vendor of the POS corrects the program. "wait": nobody acts, because
/// the library resolves the operation. "review": a person decides; see MANUAL REVIEW.
///
/// Every number has an action. A code of a newer version has the action of its class. The action
/// does not replace the outcome: EPS_UNAUTHORIZED is declined, and its action is "administrator". A
/// cashier then reads "not available now", not "declined". A newer version may return another text:
/// treat it as "administrator".
///
/// Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn eps_code_action(code: i32) -> *const c_char {
    boundary::value("eps_code_action", c"fixProgram".as_ptr(), || code::action(code).c_name().as_ptr())
}

/// Returns a code's meaning in one or two English sentences, as in this header. For a number
/// without a code it is a sentence that says so. The text is static and must not be freed.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn eps_code_meaning(code: i32) -> *const c_char {
    boundary::value("eps_code_meaning", c"A fault of this library (a caught panic).".as_ptr(), || {
        let known = C_MEANINGS.iter().find(|(number, _)| *number == code);
        known.map_or(c"This version of the library has no code of this number.".as_ptr(), |(_, text)| text.as_ptr())
    })
}

/// Returns one value of a JSON text, for a program without a JSON library.
///
/// A string is returned without its quotes and escapes. Any other value is returned as JSON,
/// exactly as it stands in the text: `500.00`, `true`, `null`, an array, an object.
///
/// @param buffer   The result of a call, or the program's own {data, len} with JSON. It is not
///                 changed.
/// @param pointer  A JSON Pointer (RFC 6901): "/operationId", "/operations/0/outcome"; "" is the
///                 whole value. In a key, "~1" is a slash and "~0" is a tilde.
/// @param out      Gets the value; or the problem object. Required. It must be another buffer than
///                 "buffer": the same one gives EPS_BAD_OPTIONS and stays unchanged. A string may
///                 have a NUL inside: "len" counts all its bytes.
/// @return EPS_OK; EPS_BAD_OPTIONS if there is no such value, the pointer is malformed or the
///         buffer does not hold JSON; EPS_EMPTY_ARGUMENT for a buffer without bytes;
///         EPS_NULL_ARGUMENT, EPS_BAD_UTF8.
///
/// Threads: any. No client is needed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eps_json_get(buffer: *const eps_buffer, pointer: *const c_char, out: *mut eps_buffer) -> i32 {
    // SAFETY: by the header, the pointers are NULL or valid for the time of the call.
    unsafe {
        boundary::json_from("eps_json_get", buffer, out, |bytes| json::get(bytes, input::present(pointer, "pointer")?))
    }
}

/// Writes a text as a JSON string with its quotes, for a program that writes its own options_json.
///
/// A quoted text cannot add a key to the options: `{"reference": ` and the result and `}`.
///
/// @param text  UTF-8; it may be empty.
/// @param out   Gets the JSON string; or the problem object. Required.
/// @return EPS_OK; EPS_NULL_ARGUMENT, EPS_BAD_UTF8.
///
/// Threads: any. No client is needed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eps_json_quote(text: *const c_char, out: *mut eps_buffer) -> i32 {
    // SAFETY: by the header, the pointers are NULL or valid for the time of the call.
    unsafe { boundary::json("eps_json_quote", out, || Ok(json::quote(input::present(text, "text")?))) }
}

/// Returns the library's version, "1.2.3". The text is static and must not be freed.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn eps_version() -> *const c_char {
    boundary::value("eps_version", c"".as_ptr(), || concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast())
}

/// Returns the ABI version of the library, to compare with EPS_ABI_VERSION.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn eps_abi_version() -> u32 {
    boundary::value("eps_abi_version", 0, || EPS_ABI_VERSION)
}

/// Reads a required operation id.
///
/// # Safety
/// `text` is NULL or a NUL-terminated string.
unsafe fn operation(text: *const c_char) -> Result<OperationId> {
    // SAFETY: the same promise.
    Ok(OperationId::parse(unsafe { input::required(text, "operation_id") }?, "operation_id")?)
}

/// The pointer that the POS gets back with each call of its function.
struct User(*mut c_void);
// SAFETY: by the header, the function is called on another thread. The library never reads the
// memory behind the pointer.
unsafe impl Send for User {}

/// Makes a sink of a C function.
fn sink(function: LogFunction, user: *mut c_void) -> Sink {
    let user = User(user);
    Box::new(move |level, line| {
        let user = &user;
        if let Ok(text) = CString::new(line) {
            // SAFETY: the caller's function is valid until it is removed, and the line until the
            // return.
            unsafe { call_log(user.0, level as i32, text.as_ptr(), line.len(), function) };
        }
    })
}

/// Makes a notify function of a C function.
fn notify(function: NotifyFunction, user: *mut c_void) -> Notify {
    let user = User(user);
    Box::new(move |json| {
        let user = &user;
        if let Ok(text) = CString::new(json) {
            // SAFETY: the caller's function is valid until it is removed, and the text until the
            // return.
            unsafe { call_notify(user.0, text.as_ptr(), json.len(), function) };
        }
    })
}
