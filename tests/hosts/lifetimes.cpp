// The lifetimes of clients, results and log functions in a C++ host. Arguments and output: see
// lifetimes.c.
#include <cstdio>
#include <cstdlib>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "engage_point_shop.hpp"

namespace {

constexpr auto astrid = "a0000000-0000-4000-8000-000000000001";
int held = 0;
char **given;

void check(bool holds, const char *what) {
    if (!holds) {
        std::fprintf(stderr, "does not hold: %s\n", what);
        std::exit(1);
    }
    held++;
}

eps::Client open_shop() {
    eps::Client shop;
    const auto opened = shop.open(std::string(R"({"userAgent": "Host/1", "baseUrl": ")") + given[1] + R"(", "caFile": ")" + given[2]
                                  + R"(", "apiKey": ")" + given[3] + R"(", "journalPath": ")" + given[4] + R"(/points.db"})");
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
        check(shop.read_stats().code() == eps::Code::null_argument, "the one moved from is none");
        check(shop.list_operations().code() == eps::Code::null_argument, "also for a list");
        check(shop.acknowledge_reference("x").code() == eps::Code::null_argument, "also for a receipt");
        check(shop.backup_journal("/copy.db").code() == eps::Code::null_argument, "also for a copy");
        check(shop.resolve_review("x", "completed").get("/name").json() == "EPS_NULL_ARGUMENT", "also for a review");
        auto moved = eps::json_quote("x");
        const auto quoted = std::move(moved);
        check(quoted.json() == "\"x\"" && quoted.get("").json() == "x", "a result moves with its text");
        check(moved.get("").code() == eps::Code::empty_argument, "the one moved from has none");
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
    texts();
    logs();
    std::printf("%d checks held\n", held);
}
