/*
 * engage_point_shop.hpp: engage_point_shop.h for C++17 and newer, without a library of its own.
 *
 * This layer adds types and ownership to the C API:
 * a client closes itself, a result frees its JSON, and a result cannot be ignored unnoticed.
 * The outcome is a type, texts are std::string_view, and the log function is a std::function.
 * engage_point_shop.h specifies each call: its arguments, its JSON and its codes.
 *
 *     eps::Client shop;
 *     if (eps::Result opened = shop.open(config_json); !opened) return show_problem(opened);
 *     eps::Result bought = shop.purchase(contact, item, R"({"reference": "receipt 4711"})");
 *     switch (bought.outcome()) {
 *         case eps::Outcome::completed: return print_receipt(bought.json());
 *         case eps::Outcome::declined:  return inform_member(bought.json());
 *         case eps::Outcome::pending:   return continue_the_sale();
 *         case eps::Outcome::not_sent:  return offer_another_try();
 *     }
 *
 * Nothing here throws, except std::bad_alloc if a text cannot be copied before a call.
 * The header compiles with -fno-exceptions.
 */
#ifndef ENGAGE_POINT_SHOP_HPP
#define ENGAGE_POINT_SHOP_HPP

// MSVC states the version in __cplusplus only with /Zc:__cplusplus.
#if __cplusplus < 201703L && (!defined(_MSVC_LANG) || _MSVC_LANG < 201703L)
#error engage_point_shop.hpp needs C++17: compile with -std=c++17 or /std:c++17, or use engage_point_shop.h
#else

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "engage_point_shop.h"

namespace eps {

// Codes: written by `cargo xtask header`.

/// The outcome of a code.
enum class Outcome : std::int32_t {
    /// Engage has completed the operation, or a read has succeeded.
    completed = EPS_OUTCOME_COMPLETED,
    /// Engage has declined the operation; nothing was deducted.
    declined = EPS_OUTCOME_DECLINED,
    /// The outcome is not known yet. Never treat it as failed.
    pending = EPS_OUTCOME_PENDING,
    /// No attempt has left the till, or a read failed. Try again.
    not_sent = EPS_OUTCOME_NOT_SENT,
};

/// The log levels. Each level includes the levels above it.
enum class Level : std::int32_t {
    /// No lines.
    off = EPS_LOG_OFF,
    /// Faults that need an administrator: the journal fails, the key is rejected.
    error = EPS_LOG_ERROR,
    /// Reads and status queries that failed, log lines that were dropped.
    warn = EPS_LOG_WARN,
    /// Every attempt, and its outcome.
    info = EPS_LOG_INFO,
    /// Every read and every request.
    debug = EPS_LOG_DEBUG,
};

/// The results of a call. A newer library may return other numbers.
enum class [[nodiscard]] Code : std::int32_t {

    // 0, completed: go on, then acknowledge.
    /// Completed. A purchase: Engage has completed it.
    ok = EPS_OK,

    // -1xx, the caller's mistake: fix the program.
    /// A required pointer is NULL; the message names the argument.
    null_argument = EPS_NULL_ARGUMENT,
    /// An argument is not valid UTF-8; the message names it and the byte.
    bad_utf8 = EPS_BAD_UTF8,
    /// A required argument is empty; the message names it.
    empty_argument = EPS_EMPTY_ARGUMENT,
    /// An identifier is not a GUID of the form 8-4-4-4-12; the message names it.
    not_a_guid = EPS_NOT_A_GUID,
    /// options_json is not a JSON object, or a key in it is unknown, of the wrong type or out of
    /// range; the message names the key.
    bad_options = EPS_BAD_OPTIONS,
    /// The pointer is not a client of this library.
    bad_handle = EPS_BAD_HANDLE,
    /// The client is closed or being closed.
    closed = EPS_CLOSED,
    /// This till has used the purchase id for another contact or another item. Use a fresh id.
    purchase_id_conflict = EPS_PURCHASE_ID_CONFLICT,
    /// The journal holds no operation of this id.
    unknown_operation = EPS_UNKNOWN_OPERATION,
    /// The operation cannot be acknowledged: its outcome is not known yet.
    still_pending = EPS_STILL_PENDING,
    /// The log level is none of EPS_LOG_OFF to EPS_LOG_DEBUG.
    bad_log_level = EPS_BAD_LOG_LEVEL,
    /// This reference and item already belong to another purchase id, or to a sale of another
    /// contact or tenant that is not acknowledged.
    reference_conflict = EPS_REFERENCE_CONFLICT,
    /// The key to find a contact by is none of email, mobilePhone, socialSecurityNumber, customKey
    /// and any.
    bad_key = EPS_BAD_KEY,
    /// The process was forked from one that had opened a client. Open the first client after the
    /// fork, or start a new program.
    forked = EPS_FORKED,
    /// Another redeem of this reward, for another reference or channel, is pending on this till.
    /// Wait for its outcome.
    reward_in_use = EPS_REWARD_IN_USE,
    /// The reference belongs to an operation that was acknowledged before referenceWindowMs. Put
    /// the date and the line into the reference, or leave the reference out and pass a purchase id
    /// of your own.
    reference_reused = EPS_REFERENCE_REUSED,
    /// The operation is a redeem; only a purchase gives a reward.
    not_a_purchase = EPS_NOT_A_PURCHASE,

    // -2xx, configuration or credentials: call the administrator.
    /// config_json is not a JSON object, or a key in it is missing, unknown, of the wrong type or
    /// out of range; the message names the key.
    bad_config = EPS_BAD_CONFIG,
    /// The program was compiled against the header of another ABI version.
    abi_mismatch = EPS_ABI_MISMATCH,
    /// No certificate authority could be loaded from caFile or from the operating system.
    no_ca_certificates = EPS_NO_CA_CERTIFICATES,
    /// Engage responded with status 401: the API key is missing, wrong or revoked. Nothing was
    /// deducted.
    unauthorized = EPS_UNAUTHORIZED,
    /// Engage responded with status 403: the API key may not do this. Nothing was deducted.
    forbidden = EPS_FORBIDDEN,
    /// InvalidSystemConfiguration: Engage itself is not set up for this; no retry cures it.
    system_configuration = EPS_SYSTEM_CONFIGURATION,
    /// The proxy requires a user and a password, or rejects the configured ones. Nothing was sent.
    proxy_login = EPS_PROXY_LOGIN,

    // -3xx, declined: nothing was deducted. Inform the member.
    /// Engage has declined it; httpStatus and engageCode say more. Nothing was deducted.
    declined = EPS_DECLINED,
    /// PromotionAssignmentContactNotFound or ContactNotFound: there is no such contact.
    contact_not_found = EPS_CONTACT_NOT_FOUND,
    /// PromotionAssignmentPromotionNotFound: the promotion linked to the item was removed.
    promotion_not_found = EPS_PROMOTION_NOT_FOUND,
    /// PromotionAssignmentPromotionExpired: the promotion linked to the item has ended.
    promotion_expired = EPS_PROMOTION_EXPIRED,
    /// 404: the item does not exist.
    item_not_found = EPS_ITEM_NOT_FOUND,
    /// PointShopItemPurchaseFailed, or the purchase's status is Failed.
    purchase_failed = EPS_PURCHASE_FAILED,
    /// 422: not enough points, not eligible, or outside the item's window.
    purchase_not_allowed = EPS_PURCHASE_NOT_ALLOWED,
    /// 400 without a code: for a purchase, its id belongs to another contact.
    invalid_request = EPS_INVALID_REQUEST,
    /// InvalidContact: Engage does not accept the contact id.
    invalid_contact = EPS_INVALID_CONTACT,
    /// InvalidEmailAddress: Engage does not accept the e-mail address.
    invalid_email = EPS_INVALID_EMAIL,
    /// InvalidPhoneNumber: Engage does not accept the phone number.
    invalid_phone = EPS_INVALID_PHONE,
    /// InvalidSocialSecurityNumber: Engage does not accept the number.
    invalid_social_security_number = EPS_INVALID_SOCIAL_SECURITY_NUMBER,
    /// InvalidContactType: Engage does not know the contactType.
    invalid_contact_type = EPS_INVALID_CONTACT_TYPE,
    /// InvalidSearchQuery: Engage does not accept the search.
    invalid_search = EPS_INVALID_SEARCH,
    /// MultipleMatches: more than one contact fits; use a key that is unique.
    multiple_matches = EPS_MULTIPLE_MATCHES,
    /// NotAValidRedemptionChannel: Engage does not know the channel.
    invalid_channel = EPS_INVALID_CHANNEL,
    /// InvalidPromotionIdNoData: Engage does not accept the assignment id.
    invalid_reward = EPS_INVALID_REWARD,
    /// PromotionNotFound, or 404: there is no such reward. A promotionId is no assignment id.
    reward_not_found = EPS_REWARD_NOT_FOUND,
    /// PromotionNotAssociatedWithContact: the reward is not this member's.
    reward_not_of_contact = EPS_REWARD_NOT_OF_CONTACT,
    /// PromotionAlreadyRedeemed: the reward was used before, and not by this operation.
    already_redeemed = EPS_ALREADY_REDEEMED,
    /// PromotionNotValidForRedemptionChannel: the reward cannot be used on this channel.
    reward_not_for_channel = EPS_REWARD_NOT_FOR_CHANNEL,

    // -4xx, not sent, or a read that failed: try again.
    /// No connection to the server could be made.
    offline = EPS_OFFLINE,
    /// The server's name could not be resolved.
    dns_failed = EPS_DNS_FAILED,
    /// The TLS handshake failed; cause names the reason to its last link.
    tls_failed = EPS_TLS_FAILED,
    /// The wait ended: a read has no response, or a purchase was withdrawn before anything was
    /// sent.
    timed_out = EPS_TIMED_OUT,
    /// eps_cancel: a read has no response, or a purchase was withdrawn before anything was sent.
    cancelled = EPS_CANCELLED,
    /// 429 to a read: too many requests with this API key; retryAfterMs says when to try again if
    /// Engage said so.
    rate_limited = EPS_RATE_LIMITED,
    /// The response to a read is not Engage's JSON: a web page, cut off, or of another shape.
    invalid_response = EPS_INVALID_RESPONSE,
    /// The response to a read is larger than maxResponseBytes.
    response_too_large = EPS_RESPONSE_TOO_LARGE,
    /// The server responded to a read with a 5xx status, or with 408 or 425.
    server_error = EPS_SERVER_ERROR,
    /// The connection ended before the response to a read was complete.
    connection_lost = EPS_CONNECTION_LOST,
    /// The proxy does not connect to the server; the message has its status. Nothing was sent.
    proxy_failed = EPS_PROXY_FAILED,
    /// There was no memory for a response, a list or a thread. Nothing was sent.
    out_of_memory = EPS_OUT_OF_MEMORY,

    // -5xx, pending: the outcome is not known yet. Let the sale go on. The library resolves it.
    /// The outcome is not known yet; httpStatus and engageCode say more.
    pending = EPS_PENDING,
    /// The wait ended before Engage responded. The request goes on and its response is journaled.
    pending_wait_ended = EPS_PENDING_WAIT_ENDED,
    /// eps_cancel ended the wait. The request goes on and its response is journaled.
    pending_cancelled = EPS_PENDING_CANCELLED,
    /// The connection ended after the request may have left and before its response came.
    pending_connection_lost = EPS_PENDING_CONNECTION_LOST,
    /// Engage is still processing it (PointShopItemPurchaseProcessingTimedOut, or status
    /// Processing).
    pending_processing = EPS_PENDING_PROCESSING,
    /// The response is not Engage's (a web page, cut off, another shape), or this version does not
    /// know its status.
    pending_invalid_response = EPS_PENDING_INVALID_RESPONSE,
    /// A 5xx response: Engage, a gateway or a proxy failed, and the purchase may have been made.
    pending_server_error = EPS_PENDING_SERVER_ERROR,
    /// PromotionAssignmentError: an internal error of Engage, to be retried with the same id.
    pending_assignment_error = EPS_PENDING_ASSIGNMENT_ERROR,
    /// 429: too many requests with this API key. The library tries again by itself.
    pending_rate_limited = EPS_PENDING_RATE_LIMITED,
    /// The outcome could not be written to the journal. The library queries it again.
    pending_not_persisted = EPS_PENDING_NOT_PERSISTED,
    /// The client was closed during the wait. The operation is resolved after the next open.
    pending_closed = EPS_PENDING_CLOSED,
    /// Older than resendLimitMs, and Engage does not show it: it is not sent again, and a person
    /// must decide.
    pending_needs_review = EPS_PENDING_NEEDS_REVIEW,
    /// An earlier attempt may have been processed, and Engage now responds with 401 or 403. Have
    /// the administrator check the API key.
    pending_credentials = EPS_PENDING_CREDENTIALS,
    /// Engage shows a redeemed reward, or after a loss of records a purchase of the same item, and
    /// nothing proves whether it is of this operation. A person must decide.
    pending_ambiguous = EPS_PENDING_AMBIGUOUS,
    /// The operation is durable and is being sent.
    pending_submitted = EPS_PENDING_SUBMITTED,
    /// There was no memory for the response of an attempt.
    pending_out_of_memory = EPS_PENDING_OUT_OF_MEMORY,

    // -6xx, the journal cannot be used: nothing was sent. Call the administrator.
    /// The journal could not be read or written. Nothing was sent.
    journal = EPS_JOURNAL,
    /// The journal cannot be opened: no such folder, a folder in its place, no permission.
    journal_cannot_open = EPS_JOURNAL_CANNOT_OPEN,
    /// The disk that holds the journal is full. Nothing was sent.
    journal_full = EPS_JOURNAL_FULL,
    /// Another program holds the journal locked. Nothing was sent.
    journal_locked = EPS_JOURNAL_LOCKED,
    /// The journal was written by a newer version of this library. It was left untouched.
    journal_newer = EPS_JOURNAL_NEWER,
    /// The journal is damaged. It was left untouched.
    journal_damaged = EPS_JOURNAL_DAMAGED,
    /// The file at journalPath belongs to another program. It was left untouched.
    journal_foreign = EPS_JOURNAL_FOREIGN,
    /// The journal can be read but not written. Nothing was sent.
    journal_read_only = EPS_JOURNAL_READ_ONLY,
    /// Records are missing (a lost, damaged or older file). The message says since when, and the
    /// way out.
    journal_incomplete = EPS_JOURNAL_INCOMPLETE,
    /// The journal is a copy; see journalRole.
    journal_copy = EPS_JOURNAL_COPY,
    /// Another copy of this library in this process has the journal open.
    journal_second_copy = EPS_JOURNAL_SECOND_COPY,
    /// The files on the disk are no longer the ones that are open.
    journal_replaced = EPS_JOURNAL_REPLACED,
    /// The file is not a regular file, is reached by a link, or belongs to or may be written by
    /// others.
    journal_unsafe = EPS_JOURNAL_UNSAFE,
    /// The disk did not respond within the wait.
    journal_timed_out = EPS_JOURNAL_TIMED_OUT,

    // -9xx, a fault of the library: report it.
    /// A fault of this library (a caught panic). If it was a purchase, its outcome is in the
    /// journal. Please report it.
    internal = EPS_INTERNAL,
};

/// Who acts on a code. An action that is newer than this binding is the administrator's.
enum class Action : std::int32_t {
    /// The POS goes on.
    continue_,
    /// The cashier informs the member.
    tell_member,
    /// The POS or the cashier may try again.
    retry,
    /// The administrator corrects the till, the network or the key.
    administrator,
    /// The vendor of the POS corrects the program.
    fix_program,
    /// Nobody acts: the library resolves the operation.
    wait,
    /// A person decides about the operation.
    review,
};

namespace detail {

/// The actions by their names.
inline constexpr std::pair<std::string_view, Action> actions[] = {
    {"continue", Action::continue_},
    {"tellMember", Action::tell_member},
    {"retry", Action::retry},
    {"administrator", Action::administrator},
    {"fixProgram", Action::fix_program},
    {"wait", Action::wait},
    {"review", Action::review},
};

} // namespace detail

// End of codes.

/// Returns the outcome of a code, also of a code that is newer than this header.
inline Outcome outcome(Code code) noexcept {
    return static_cast<Outcome>(eps_outcome(static_cast<std::int32_t>(code)));
}

/// Returns the name of a code, "EPS_OK".
inline std::string_view name(Code code) noexcept { return eps_code_name(static_cast<std::int32_t>(code)); }

/// Returns the meaning of a code in one or two English sentences.
inline std::string_view meaning(Code code) noexcept { return eps_code_meaning(static_cast<std::int32_t>(code)); }

/// Returns who acts on a code, also on a code that is newer than this header.
inline Action action(Code code) noexcept {
    const std::string_view name = eps_code_action(static_cast<std::int32_t>(code));
    for (const auto &known : detail::actions) {
        if (known.first == name) return known.second;
    }
    return Action::administrator;
}

/// Returns the library's version, "1.2.3".
inline std::string_view version() noexcept { return eps_version(); }

/// A text for a call. NULL, nullptr and std::nullopt are no text: an absent option, or an error for
/// a required argument.
class Argument {
public:
    /// No text.
    Argument() noexcept = default;
    /// No text.
    Argument(std::nullptr_t) noexcept {}
    /// No text.
    Argument(std::nullopt_t) noexcept {}
    /// A C string, or no text for NULL.
    Argument(const char *text) : text_(text ? std::optional<std::string_view>(text) : std::nullopt) {}
    /// A text that may be absent.
    Argument(std::optional<std::string_view> text) noexcept : text_(text) {}
    /// A std::string, a std::string_view, or what converts to one.
    template <typename Text, typename = std::enable_if_t<std::is_convertible_v<const Text &, std::string_view>
                                                         && !std::is_convertible_v<const Text &, const char *>>>
    Argument(const Text &text) : text_(std::string_view(text)) {}

    /// Returns the text, if there is one.
    const std::optional<std::string_view> &text() const noexcept { return text_; }

private:
    std::optional<std::string_view> text_;
};

namespace detail {

// The problem objects of calls that this layer does not make.
inline constexpr const char *nul_inside =
    R"({"code":-102,"name":"EPS_BAD_UTF8","outcome":"notSent","message":"An argument has a NUL character inside. Remove the character.",)"
    R"("httpStatus":null,"engageCode":null,"operationId":null,"purchaseId":null,"attempts":0,"retryAfterMs":null,"cause":[],)"
    R"("forCashier":"Not available now. Call support.","forMember":"Points and rewards are not available right now."})";
inline constexpr const char *not_open =
    R"({"code":-107,"name":"EPS_CLOSED","outcome":"notSent","message":"The client is not open. Call open().",)"
    R"("httpStatus":null,"engageCode":null,"operationId":null,"purchaseId":null,"attempts":0,"retryAfterMs":null,"cause":[],)"
    R"("forCashier":"This was interrupted. Try again.","forMember":"This was interrupted. We will try again."})";
inline constexpr const char *moved_from =
    R"({"code":-900,"name":"EPS_INTERNAL","outcome":"pending","message":"This result was moved. Use the object that it was moved to.",)"
    R"("httpStatus":null,"engageCode":null,"operationId":null,"purchaseId":null,"attempts":0,"retryAfterMs":null,"cause":[],)"
    R"("forCashier":"Not clear yet. Finish the sale, and call support.","forMember":"Your request takes a little longer. You will see it in your points."})";

} // namespace detail

/// The result of a call: its code, and its JSON or the problem object. A result owns that text.
class [[nodiscard]] Result {
public:
    /// Takes over the text of another result. The other one then has the code internal: it says
    /// nothing about the points.
    Result(Result &&other) noexcept
        : buffer_(std::exchange(other.buffer_, eps_buffer{})), code_(std::exchange(other.code_, Code::internal)),
          problem_(std::exchange(other.problem_, detail::moved_from)) {}
    /// Frees this result's text and takes over the text of another result.
    Result &operator=(Result &&other) noexcept {
        Result taken(std::move(other));
        std::swap(code_, taken.code_);
        std::swap(buffer_, taken.buffer_);
        std::swap(problem_, taken.problem_);
        return *this;
    }
    /// A result has one owner and is not copied.
    Result(const Result &) = delete;
    /// A result has one owner and is not copied.
    Result &operator=(const Result &) = delete;
    /// Frees the text.
    ~Result() { eps_buffer_dispose(&buffer_); }

    /// Returns the code of the call.
    Code code() const noexcept { return code_; }
    /// Returns what the code says about the points.
    Outcome outcome() const noexcept { return eps::outcome(code_); }
    /// Returns who acts on the code.
    Action action() const noexcept { return eps::action(code_); }
    /// Returns the name of the code, "EPS_OK".
    std::string_view name() const noexcept { return eps::name(code_); }
    /// Returns whether the call is completed. False does not mean that it failed: see outcome().
    explicit operator bool() const noexcept { return code_ == Code::ok; }
    /// Returns the JSON of a completed call, else the problem object. The UTF-8 text lives as long
    /// as this result.
    std::string_view json() const noexcept {
        return buffer_.data ? std::string_view(buffer_.data, buffer_.len) : std::string_view(problem_);
    }
    /// Returns one value of json() by a JSON Pointer, "/operationId": see json_get().
    Result get(Argument pointer) const;

private:
    friend class Client;
    friend Result new_id() noexcept;
    friend Result json_get(std::string_view json, Argument pointer);
    friend Result json_quote(Argument text);

    /// Makes the call, which fills the buffer.
    template <typename Call>
    explicit Result(Call &&call) noexcept : code_(static_cast<Code>(call(&buffer_))) {}
    /// A call that was not made, because an argument was wrong.
    Result(Code code, const char *problem) noexcept : code_(code), problem_(problem) {}

    // Declared before the code, because the call that returns the code fills the buffer.
    eps_buffer buffer_{};
    Code code_;
    const char *problem_ = "";
};

/// Makes a new purchase id. The result is a JSON string.
inline Result new_id() noexcept {
    return Result([](eps_buffer *out) { return eps_new_id(out); });
}

/// Receives one line of the log, UTF-8 JSON, on a thread of the library. An exception that the
/// function throws is dropped.
using LogFunction = std::function<void(Level level, std::string_view line)>;

/// Receives one operation object whose state has changed, UTF-8 JSON, on a thread of the library.
/// An exception that the function throws is dropped.
using NotifyFunction = std::function<void(std::string_view operation)>;

namespace detail {

/// A text with a NUL at its end, as C needs it. A NUL inside would shorten the text unnoticed.
class Text {
public:
    Text(const Argument &argument)
        : copy_(argument.text().value_or(std::string_view())), whole_(copy_.find('\0') == copy_.npos),
          absent_(!argument.text()) {}

    const char *c_str() const noexcept { return absent_ ? nullptr : copy_.c_str(); }
    bool whole() const noexcept { return whole_; }

private:
    std::string copy_;
    bool whole_;
    bool absent_;
};

/// The functions in use, by number. The library holds a number, not an address. A late call for a
/// removed function therefore finds no function instead of freed memory. This map is never
/// destroyed, because calls may arrive until the process ends.
template <typename Function>
class Functions {
public:
    static Functions &all() {
        static auto *functions = new Functions;
        return *functions;
    }

    std::uintptr_t add(Function function) {
        auto shared = std::make_shared<Function>(std::move(function));
        std::lock_guard<std::mutex> lock(mutex_);
        functions_.emplace(++last_number_, std::move(shared));
        return last_number_;
    }

    void remove(std::uintptr_t number) noexcept {
        // Destroyed outside the lock, because its destructor may run any code.
        std::shared_ptr<Function> last;
        std::lock_guard<std::mutex> lock(mutex_);
        if (auto found = functions_.find(number); found != functions_.end()) {
            last = std::move(found->second);
            functions_.erase(found);
        }
    }

    /// Calls a function, if it is still in use.
    template <typename... Values>
    static void call(void *number, const Values &...values) noexcept {
        const auto function = all().find(reinterpret_cast<std::uintptr_t>(number));
        if (!function) return;
#if defined(__cpp_exceptions)
        try {
            (*function)(values...);
        } catch (...) {
        }
#else
        (*function)(values...);
#endif
    }

private:
    std::shared_ptr<Function> find(std::uintptr_t number) {
        std::lock_guard<std::mutex> lock(mutex_);
        const auto found = functions_.find(number);
        return found == functions_.end() ? nullptr : found->second;
    }

    std::mutex mutex_;
    std::map<std::uintptr_t, std::shared_ptr<Function>> functions_;
    std::uintptr_t last_number_ = 0;
};

inline void EPS_CALL log(void *number, std::int32_t level, const char *line, std::size_t len) noexcept {
    Functions<LogFunction>::call(number, static_cast<Level>(level), std::string_view(line, len));
}

inline void EPS_CALL notify(void *number, const char *json, std::size_t len) noexcept {
    Functions<NotifyFunction>::call(number, std::string_view(json, len));
}

} // namespace detail

/// Returns one value of a JSON text by a JSON Pointer, "/operationId", for a program without a JSON
/// library. A string is unquoted, any other value is JSON. Without the value: bad_options.
inline Result json_get(std::string_view json, Argument pointer) {
    const detail::Text copy(pointer);
    if (!copy.whole()) return Result(Code::bad_utf8, detail::nul_inside);
    // The library does not change the text.
    const eps_buffer from{const_cast<char *>(json.data()), json.size(), 0};
    return Result([&](eps_buffer *out) { return eps_json_get(&from, copy.c_str(), out); });
}

inline Result Result::get(Argument pointer) const { return json_get(json(), pointer); }

/// Writes a text as a JSON string, for a program that writes its own options.
inline Result json_quote(Argument text) {
    const detail::Text copy(text);
    if (!copy.whole()) return Result(Code::bad_utf8, detail::nul_inside);
    return Result([&](eps_buffer *out) { return eps_json_quote(copy.c_str(), out); });
}

/// A client of one Engage tenant, which its destructor closes. Any thread may make calls at any
/// time. Only one thread may move or destroy a client.
class Client {
public:
    /// A JSON object; absent for the defaults.
    using Options = Argument;

    /// Makes a client that is not open.
    Client() noexcept = default;
    /// Takes over the open client of another object, which is then not open.
    Client(Client &&other) noexcept
        : client_(other.client_.exchange(nullptr)), log_(other.log_.exchange(0)), notify_(other.notify_.exchange(0)) {}
    /// Closes this client and takes over the open client of another object.
    Client &operator=(Client &&other) noexcept {
        if (this == &other) return *this;
        (void)close();
        client_ = other.client_.exchange(nullptr);
        log_ = other.log_.exchange(0);
        notify_ = other.notify_.exchange(0);
        return *this;
    }
    /// A client has one owner and is not copied.
    Client(const Client &) = delete;
    /// A client has one owner and is not copied.
    Client &operator=(const Client &) = delete;
    /// Closes the client.
    ~Client() { (void)close(); }

    /// Opens the client with a configuration, a JSON object. An open client is closed first.
    Result open(Argument config_json) {
        (void)close();
        return checked([&](eps_buffer *out, const char *config) {
            eps_client *opened = nullptr;
            const auto code = eps_client_open(EPS_ABI_VERSION, config, &opened, out);
            // Another thread may have opened one meanwhile.
            (void)eps_client_close(client_.exchange(opened));
            return code;
        }, config_json);
    }

    /// Ends every call, also in other threads, and closes the client. A second close does nothing.
    Code close() noexcept {
        const auto code = static_cast<Code>(eps_client_close(client_.exchange(nullptr)));
        detail::Functions<LogFunction>::all().remove(log_.exchange(0));
        detail::Functions<NotifyFunction>::all().remove(notify_.exchange(0));
        return code;
    }

    /// Returns the client of the C API, which this object still owns. Another thread may use it
    /// while this object is closing.
    eps_client *get() const noexcept { return client_; }

    /// Ends the wait of every call on this client. Each call returns its true outcome.
    Code cancel() const noexcept {
        eps_client *const client = client_;
        return client ? static_cast<Code>(eps_cancel(client)) : Code::closed;
    }

    /// Ends the wait of the calls that were made with this "callId", and of no other call.
    Code cancel_call(Argument call_id) const {
        return coded([](eps_client *client, const char *id) { return eps_cancel_call(client, id); }, call_id);
    }

    /// Finds the id of a member by a key, such as "email", and its value.
    Result find_contact(Argument key, Argument value, Options options = {}) const {
        return call(eps_find_contact, key, value, options);
    }
    /// Lists a member's point accounts.
    Result list_points(Argument contact_id, Options options = {}) const {
        return call(eps_list_points, contact_id, options);
    }
    /// Lists the items that a member can buy.
    Result list_items(Argument contact_id, Options options = {}) const {
        return call(eps_list_items, contact_id, options);
    }
    /// Buys an item for points. The intent is recorded in the journal before anything is sent.
    Result purchase(Argument contact_id, Argument item_id, Options options = {}) const {
        return call(eps_purchase, contact_id, item_id, options);
    }
    /// Lists a member's purchases in Engage.
    Result list_purchases(Argument contact_id, Options options = {}) const {
        return call(eps_list_purchases, contact_id, options);
    }
    /// Lists a member's rewards.
    Result list_rewards(Argument contact_id, Options options = {}) const {
        return call(eps_list_rewards, contact_id, options);
    }
    /// Finds the reward that a completed purchase gave.
    Result find_reward(Argument operation_id, Options options = {}) const {
        return call(eps_find_reward, operation_id, options);
    }
    /// Uses a reward on a receipt. A redeem cannot be undone. `contact_id` may be std::nullopt.
    Result redeem_reward(Options contact_id, Argument assignment_id, Options options = {}) const {
        return call(eps_redeem_reward, contact_id, assignment_id, options);
    }
    /// Lists the operations that are pending, or final and not acknowledged.
    Result list_unacknowledged(Options options = {}) const { return call(eps_list_unacknowledged, options); }
    /// Lists the operations of the journal, also the acknowledged ones, page by page.
    Result list_operations(Options options = {}) const { return call(eps_list_operations, options); }
    /// Returns the last known state of an operation.
    Result get_operation(Argument operation_id) const { return call(eps_get_operation, operation_id); }
    /// Resolves the pending operations now, instead of at their next scheduled time.
    Result resolve_pending(Options options = {}) const { return call(eps_resolve_pending, options); }
    /// Acknowledges that the POS has stored the outcome of an operation.
    Result acknowledge(Argument operation_id) const { return call(eps_acknowledge, operation_id); }
    /// Stores the decision of a person about an operation in manual review, and acknowledges it.
    /// `resolution` is "completed" or "declined".
    Result resolve_review(Argument operation_id, Argument resolution, Options options = {}) const {
        return call(eps_resolve_review, operation_id, resolution, options);
    }
    /// Acknowledges all operations of a reference, or none.
    Result acknowledge_reference(Argument reference, Options options = {}) const {
        return call(eps_acknowledge_reference, reference, options);
    }
    /// Copies the journal into one new file, while it is in use. The copy is marked as one.
    Result backup_journal(std::string_view path, Options options = {}) const {
        return call(eps_backup_journal, path, options);
    }
    /// Returns the counters since open, and the numbers of records in the journal.
    Result read_stats() const { return call(eps_read_stats); }
    /// Checks everything that a sale needs, and says what to do about what is wrong.
    Result check(Options options = {}) const { return call(eps_check, options); }
    /// Returns the metrics of this client and its journal: OpenMetrics text, which is not JSON.
    Result read_metrics() const { return call(eps_read_metrics); }

    /// Sets the log function; an empty function removes it. The function lives until it is replaced
    /// or the client is closed, and until a line in progress ends.
    Code set_log(Level level, LogFunction function) {
        return set(log_, std::move(function), [&](eps_client *client, bool is_set, void *number) {
            return eps_set_log(client, static_cast<std::int32_t>(level), is_set ? detail::log : nullptr, number);
        });
    }

    /// Sets the function that gets each change of an operation; an empty function removes it. It
    /// lives as long as a log function.
    Code set_notify(NotifyFunction function) {
        return set(notify_, std::move(function), [&](eps_client *client, bool is_set, void *number) {
            return eps_set_notify(client, is_set ? detail::notify : nullptr, number);
        });
    }

private:
    /// Calls a function of the C API on this client.
    template <typename Function, typename... Texts>
    Result call(Function *function, const Texts &...texts) const {
        eps_client *const client = client_;
        if (!client) return Result(Code::closed, detail::not_open);
        return checked([&](eps_buffer *out, auto... arguments) { return function(client, arguments..., out); }, texts...);
    }

    /// Calls a function without a buffer on this client.
    template <typename Function>
    Code coded(Function &&function, const Argument &text) const {
        const detail::Text copy(text);
        if (!copy.whole()) return Code::bad_utf8;
        eps_client *const client = client_;
        return client ? static_cast<Code>(function(client, copy.c_str())) : Code::closed;
    }

    /// Calls with each text as C needs it. The call is not made if a text has a NUL inside.
    template <typename Function, typename... Texts>
    static Result checked(Function &&function, const Texts &...texts) {
        const auto made = [&](const auto &...copies) {
            if (!(copies.whole() && ...)) return Result(Code::bad_utf8, detail::nul_inside);
            return Result([&](eps_buffer *out) { return function(out, copies.c_str()...); });
        };
        return made(detail::Text(texts)...);
    }

    /// Sets or removes a function of the POS by its number.
    template <typename Function, typename Set>
    Code set(std::atomic<std::uintptr_t> &used, Function function, Set &&set_by) {
        auto &functions = detail::Functions<Function>::all();
        eps_client *const client = client_;
        if (!client) return Code::closed;
        const bool is_set = static_cast<bool>(function);
        const auto number = is_set ? functions.add(std::move(function)) : 0;
        const auto code = static_cast<Code>(set_by(client, is_set, reinterpret_cast<void *>(number)));
        // The unused function: the previous one, or the new one after an error.
        functions.remove(code == Code::ok ? used.exchange(number) : number);
        // Closed by another thread meanwhile: that close did not know this function.
        if (client_ != client) functions.remove(used.exchange(0));
        return code;
    }

    std::atomic<eps_client *> client_{nullptr};
    std::atomic<std::uintptr_t> log_{0};
    std::atomic<std::uintptr_t> notify_{0};
};

} // namespace eps

#endif // C++17

#endif // ENGAGE_POINT_SHOP_HPP
