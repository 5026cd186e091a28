// The lifetimes of clients, results and log functions in a C++ host. Arguments and output: see
// lifetimes.c.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <future>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "engage_point_shop.hpp"

namespace {

constexpr auto astrid = "a0000000-0000-4000-8000-000000000001";
constexpr auto coffee = "b0000000-0000-4000-8000-000000000001";
int held = 0;
char **given;

void check(bool holds, const char *what) {
    if (!holds) {
        std::fprintf(stderr, "does not hold: %s\n", what);
        std::exit(1);
    }
    held++;
}

std::string config(const char *journal) {
    return std::string(R"({"userAgent": "Host/1", "baseUrl": ")") + given[1] + R"(", "caFile": ")" + given[2]
           + R"(", "apiKey": ")" + given[3] + R"(", "journalPath": ")" + given[4] + "/" + journal + "\"}";
}

eps::Client open_shop() {
    eps::Client shop;
    const auto opened = shop.open(config("points.db"));
    check(static_cast<bool>(opened), "it opens");
    return shop;
}

/// Returns whether the library still has this client.
bool is_open(eps_client *client) {
    eps_buffer result;
    const auto code = eps_read_stats(client, &result);
    eps_buffer_dispose(&result);
    return code == EPS_OK;
}

void clients() {
    static_assert(!std::is_copy_constructible_v<eps::Client> && std::is_nothrow_move_constructible_v<eps::Client>);
    static_assert(!std::is_copy_constructible_v<eps::Result> && std::is_nothrow_move_assignable_v<eps::Result>);
    eps_client *first = nullptr;
    {
        auto shop = open_shop();
        first = shop.get();
        auto other = std::move(shop);
        check(other.get() == first && !shop.get(), "moved, not copied");
        check(shop.read_stats().code() == eps::Code::closed, "the one moved from is not open");
        check(shop.list_operations().code() == eps::Code::closed, "also for a list");
        check(shop.acknowledge_reference("x").code() == eps::Code::closed, "also for a receipt");
        check(shop.backup_journal("/copy.db").code() == eps::Code::closed, "also for a copy");
        check(shop.resolve_review("x", "completed").get("/name").json() == "EPS_CLOSED", "also for a review");
        check(shop.cancel() == eps::Code::closed && shop.cancel_call("x") == eps::Code::closed, "also to cancel");
        check(shop.set_log(eps::Level::info, [](eps::Level, std::string_view) {}) == eps::Code::closed, "also for a log");
        check(shop.set_notify([](std::string_view) {}) == eps::Code::closed, "also for changes");
        auto moved = eps::json_quote("x");
        const auto quoted = std::move(moved);
        check(quoted.json() == "\"x\"" && quoted.get("").json() == "x", "a result moves with its text");
        check(!moved && moved.outcome() == eps::Outcome::pending, "the one moved from says nothing about the points");
        check(moved.get("/name").json() == "EPS_INTERNAL", "and that it was moved");
        check(eps::json_get({}, "").code() == eps::Code::empty_argument, "an empty text has no value");
        auto next = open_shop();
        eps_client *second = next.get();
        other = std::move(next);
        check(!is_open(first) && is_open(second), "a client that is replaced is closed");
        first = second;
    }
    check(!is_open(first), "a client closes itself");
    auto shop = open_shop();
    auto points = shop.list_points(astrid);
    check(shop.close() == eps::Code::ok && shop.close() == eps::Code::ok, "twice");
    check(points && points.json().find("balance") != points.json().npos, "a result outlives its client");
    points = eps::new_id();
    check(points.json().size() == 38 && points.json().data()[38] == '\0', "a result that is replaced");
}

/// Calls with options and arguments that are no texts.
void absent() {
    auto shop = open_shop();
    const char *none = nullptr;
    check(static_cast<bool>(shop.list_items(astrid, nullptr)), "nullptr is no options");
    check(static_cast<bool>(shop.list_items(astrid, none)) && shop.list_items(astrid, {}), "nor is NULL");
    check(static_cast<bool>(shop.list_items(astrid, std::string(R"({"waitMs": 9000})"))), "a std::string is");
    check(shop.list_items(none).code() == eps::Code::null_argument, "a required text that is NULL is an error");
    check(shop.open(none).code() == eps::Code::null_argument, "also a configuration");
    check(shop.list_points(astrid).code() == eps::Code::closed, "and such an open leaves no client");
    check(eps::json_quote(none).code() == eps::Code::null_argument, "also without a client");
}

/// Closes clients while other threads call them, and sets functions meanwhile.
void closing() {
    for (int round = 0; round < 20; round++) {
        auto shop = open_shop();
        std::promise<void> begun;
        auto caller = std::async(std::launch::async, [&] {
            for (int call = 0;; call++) {
                const auto stats = shop.read_stats();
                if (!stats) return stats.code() == eps::Code::closed;
                if (call == 0) begun.set_value();
                (void)shop.set_notify([](std::string_view) {});
                (void)shop.set_log(eps::Level::debug, [](eps::Level, std::string_view) {});
            }
        });
        begun.get_future().wait();
        check(shop.close() == eps::Code::ok && caller.get(), "a close during calls");
    }
}

/// Whether this process has the journal open: its shared memory is mapped.
bool has_open(const char *journal) {
    std::stringstream maps;
    maps << std::ifstream("/proc/self/maps").rdbuf();
    return maps.str().find(std::string(journal) + "-shm") != std::string::npos;
}

/// Threads that open one object at once leave one client.
void opening() {
    eps::Client shop;
    std::vector<std::thread> threads;
    for (int number = 0; number < 4; number++) {
        threads.emplace_back([&] {
            for (int round = 0; round < 5; round++) (void)shop.open(config("opening.db")).code();
        });
    }
    for (auto &thread : threads) thread.join();
    check(shop.list_unacknowledged() && has_open("opening.db"), "one client is open");
    check(shop.close() == eps::Code::ok && !has_open("opening.db"), "and no other one");
}

/// A submitted purchase is reported to a function.
void submitting() {
    auto shop = open_shop();
    std::promise<std::string> completed;
    check(shop.set_notify([&, once = false](std::string_view operation) mutable {
        const auto id = eps::json_get(operation, "/operationId"), outcome = eps::json_get(operation, "/outcome");
        const auto reference = eps::json_get(operation, "/reference");
        if (outcome.json() != "completed" || reference.json() != "cpp submitted" || std::exchange(once, true)) return;
        completed.set_value(std::string(id.json()));
    }) == eps::Code::ok, "a notify function");
    const auto submitted = shop.purchase(astrid, coffee, R"({"reference": "cpp submitted", "submit": true})");
    const auto id = submitted.get(submitted ? "/operationId" : "/operation/operationId");
    check(submitted || submitted.code() == eps::Code::pending_submitted, "a submitted purchase is durable");
    check(completed.get_future().get() == id.json(), "and its outcome is reported");
    check(shop.set_notify({}) == eps::Code::ok, "the function is removed");
}

/// Destroyed after main, as a client in a global object is.
eps::Client global;

void texts() {
    auto shop = open_shop();
    using namespace std::string_view_literals;
    const auto cut = shop.find_contact("email"sv, "a\0b"sv);
    check(cut.code() == eps::Code::bad_utf8 && cut.outcome() == eps::Outcome::not_sent, "a NUL inside");
    check(cut.json().find("NUL") != cut.json().npos, "is reported");
    const std::string_view part = std::string_view("emailX").substr(0, 5);
    check(static_cast<bool>(shop.find_contact(part, "astrid@example.com")), "a text without a NUL behind");
}

void logs() {
    auto shop = open_shop();
    auto kept = std::make_shared<std::promise<std::string>>();
    std::weak_ptr<std::promise<std::string>> seen = kept;
    auto line = kept->get_future();
    check(shop.set_log(eps::Level::debug, [kept, reported = false](eps::Level, std::string_view text) mutable {
        if (text.find("points.listed") != text.npos && !std::exchange(reported, true)) kept->set_value(std::string(text));
        throw std::runtime_error("from a log function");
    }) == eps::Code::ok, "a log function");
    kept.reset();
    (void)shop.list_points(astrid).code();
    check(line.get().front() == '{', "gets lines");
    (void)shop.list_points(astrid).code();

    // A log function that runs when it is replaced keeps its captured state until it returns.
    std::promise<void> entered, leave, left;
    auto last = std::make_shared<std::string>("still there");
    std::weak_ptr<std::string> watched = last;
    check(shop.set_log(eps::Level::debug, [&, last, left_once = false](eps::Level, std::string_view) mutable {
        if (std::exchange(left_once, true)) return;
        entered.set_value();
        leave.get_future().wait();
        check(*last == "still there", "what a busy log function refers to");
        left.set_value();
    }) == eps::Code::ok, "is replaced");
    last.reset();
    check(seen.expired(), "and the one before is destroyed");
    (void)shop.list_points(astrid).code();
    entered.get_future().wait();
    check(shop.set_log(eps::Level::off, {}) == eps::Code::ok && !watched.expired(), "removed while it is busy");
    leave.set_value();
    left.get_future().wait();
    check(shop.set_log(static_cast<eps::Level>(9), [](eps::Level, std::string_view) {}) == eps::Code::bad_log_level, "no such level");

    auto at_close = std::make_shared<int>(1);
    std::weak_ptr<int> closed = at_close;
    check(shop.set_log(eps::Level::info, [at_close](eps::Level, std::string_view) {}) == eps::Code::ok, "another");
    at_close.reset();
    check(!closed.expired() && shop.close() == eps::Code::ok && closed.expired(), "is destroyed with its client");
}

} // namespace

int main(int argc, char **argv) {
    if (argc != 6) return 2;
    given = argv;
    clients();
    absent();
    closing();
    opening();
    submitting();
    texts();
    logs();
    global = open_shop();
    check(global.set_log(eps::Level::debug, [](eps::Level, std::string_view) {}) == eps::Code::ok, "a global client");
    std::printf("%d checks held\n", held);
}
