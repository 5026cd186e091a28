// The C++ header's own code under ThreadSanitizer: many threads use, close and open one client over
// a stub of the C functions. The library itself is not linked, because ThreadSanitizer does not
// know its locks.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "engage_point_shop.hpp"

namespace {

std::atomic<std::uintptr_t> last_client{0};
std::atomic<std::uintptr_t> closed_clients{0};
/// How many opens wait for each other.
std::atomic<int> awaited{0};
std::atomic<eps_log_fn> log_function{nullptr};
std::atomic<void *> log_user{nullptr};
std::atomic<eps_notify_fn> notify_function{nullptr};
std::atomic<void *> notify_user{nullptr};

std::int32_t give(eps_buffer *out, const char *text) {
    out->len = std::strlen(text);
    out->data = static_cast<char *>(std::malloc(out->len + 1));
    out->reserved = 0;
    std::memcpy(out->data, text, out->len + 1);
    return EPS_OK;
}

} // namespace

extern "C" {

std::int32_t eps_client_open(std::uint32_t, const char *, eps_client **client, eps_buffer *out) {
    if (awaited > 0) {
        awaited--;
        while (awaited > 0) std::this_thread::yield();
    }
    *client = reinterpret_cast<eps_client *>(++last_client * 2 + 1);
    return give(out, "{}");
}
std::int32_t eps_client_close(eps_client *client) {
    if (client) closed_clients++;
    return EPS_OK;
}
std::int32_t eps_cancel(eps_client *) { return EPS_OK; }
std::int32_t eps_cancel_call(eps_client *, const char *) { return EPS_OK; }
std::int32_t eps_read_stats(eps_client *, eps_buffer *out) {
    // As the library does: the functions are called while other threads replace them.
    if (const auto function = log_function.load()) function(log_user, EPS_LOG_INFO, "{}", 2);
    if (const auto function = notify_function.load()) function(notify_user, "{}", 2);
    return give(out, "{}");
}
std::int32_t eps_set_log(eps_client *, std::int32_t, eps_log_fn function, void *user) {
    log_function = function;
    log_user = user;
    return EPS_OK;
}
std::int32_t eps_set_notify(eps_client *, eps_notify_fn function, void *user) {
    notify_function = function;
    notify_user = user;
    return EPS_OK;
}
void eps_buffer_dispose(eps_buffer *buffer) {
    std::free(buffer->data);
    *buffer = eps_buffer{};
}
const char *eps_code_name(std::int32_t) { return "EPS_OK"; }
const char *eps_code_meaning(std::int32_t) { return "Completed."; }
const char *eps_code_action(std::int32_t) { return "continue"; }
std::int32_t eps_outcome(std::int32_t) { return EPS_OUTCOME_COMPLETED; }

} // extern "C"

int main() {
    eps::Client shop;
    std::atomic<long> lines{0};
    std::vector<std::thread> threads;
    for (int number = 0; number < 4; number++) {
        threads.emplace_back([&, number] {
            for (int round = 0; round < 500; round++) {
                switch ((round + number) % 5) {
                    case 0: (void)shop.open("{}").code(); break;
                    case 1: (void)shop.close(); break;
                    case 2: (void)shop.set_log(eps::Level::info, [&](eps::Level, std::string_view) { lines++; }); break;
                    case 3: (void)shop.set_notify([&](std::string_view) { lines++; }); break;
                    default: (void)shop.cancel_call("x");
                }
                const auto stats = shop.read_stats();
                (void)stats.json().size();
            }
        });
    }
    for (auto &thread : threads) thread.join();
    threads.clear();
    awaited = 2;
    for (int number = 0; number < 2; number++) threads.emplace_back([&] { (void)shop.open("{}").code(); });
    for (auto &thread : threads) thread.join();
    (void)shop.close();
    std::puts(closed_clients == last_client ? "no race" : "a client is left open");
}
