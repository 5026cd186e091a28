// The cases in C++, without exceptions: see cases.c.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include <cjson/cJSON.h>

#include "engage_point_shop.hpp"

namespace {

std::string text_of(const cJSON *item) { return cJSON_IsString(item) ? item->valuestring : ""; }

eps::Code code_of(const std::string &number) { return static_cast<eps::Code>(std::atoi(number.c_str())); }

const char *word(eps::Action action) {
    switch (action) {
        case eps::Action::continue_: return "continue";
        case eps::Action::tell_member: return "tellMember";
        case eps::Action::retry: return "retry";
        case eps::Action::administrator: return "administrator";
        case eps::Action::fix_program: return "fixProgram";
        case eps::Action::wait: return "wait";
        case eps::Action::review: return "review";
    }
    return "?";
}

using Make = eps::Result (*)(const eps::Client &, const std::string &, const std::string &, eps::Client::Options);

const std::map<std::string, Make> calls = {
    {"find_contact", [](auto &shop, auto &a, auto &b, auto options) { return shop.find_contact(a, b, options); }},
    {"list_points", [](auto &shop, auto &a, auto &, auto options) { return shop.list_points(a, options); }},
    {"list_items", [](auto &shop, auto &a, auto &, auto options) { return shop.list_items(a, options); }},
    {"purchase", [](auto &shop, auto &a, auto &b, auto options) { return shop.purchase(a, b, options); }},
    {"list_purchases", [](auto &shop, auto &a, auto &, auto options) { return shop.list_purchases(a, options); }},
    {"list_rewards", [](auto &shop, auto &a, auto &, auto options) { return shop.list_rewards(a, options); }},
    {"find_reward", [](auto &shop, auto &a, auto &, auto options) { return shop.find_reward(a, options); }},
    {"redeem_reward", [](auto &shop, auto &a, auto &b, auto options) {
         return shop.redeem_reward(a.empty() ? eps::Client::Options() : a, b, options);
     }},
    {"list_unacknowledged", [](auto &shop, auto &, auto &, auto options) { return shop.list_unacknowledged(options); }},
    {"list_operations", [](auto &shop, auto &, auto &, auto options) { return shop.list_operations(options); }},
    {"get_operation", [](auto &shop, auto &a, auto &, auto) { return shop.get_operation(a); }},
    {"resolve_pending", [](auto &shop, auto &, auto &, auto options) { return shop.resolve_pending(options); }},
    {"acknowledge", [](auto &shop, auto &a, auto &, auto) { return shop.acknowledge(a); }},
    {"resolve_review", [](auto &shop, auto &a, auto &b, auto options) { return shop.resolve_review(a, b, options); }},
    {"acknowledge_reference", [](auto &shop, auto &a, auto &, auto options) { return shop.acknowledge_reference(a, options); }},
    {"backup_journal", [](auto &shop, auto &a, auto &, auto options) { return shop.backup_journal(a, options); }},
    {"check", [](auto &shop, auto &, auto &, auto options) { return shop.check(options); }},
    {"read_metrics", [](auto &shop, auto &, auto &, auto) {
         auto text = shop.read_metrics();
         return text ? eps::json_quote(text.json()) : std::move(text);
     }},
    {"read_stats", [](auto &shop, auto &, auto &, auto) { return shop.read_stats(); }},
    {"code_action", [](auto &, auto &a, auto &, auto) { return eps::json_quote(word(eps::action(code_of(a)))); }},
    {"code_meaning", [](auto &, auto &a, auto &, auto) { return eps::json_quote(eps::meaning(code_of(a))); }},
    {"json_get", [](auto &, auto &a, auto &b, auto) {
         auto value = eps::json_get(a, b);
         return value ? eps::json_quote(value.json()) : std::move(value);
     }},
    {"json_quote", [](auto &, auto &a, auto &, auto) { return eps::json_quote(a); }},
};

const char *word(eps::Outcome outcome) {
    switch (outcome) {
        case eps::Outcome::completed: return "completed";
        case eps::Outcome::declined: return "declined";
        case eps::Outcome::pending: return "pending";
        case eps::Outcome::not_sent: return "notSent";
    }
    return "?";
}

/// Makes the call of a case or of a step before it.
eps::Result make_of(const eps::Client &shop, const cJSON *step) {
    const cJSON *given = cJSON_GetObjectItem(step, "arguments"), *options = cJSON_GetObjectItem(step, "options");
    char *printed = options ? cJSON_PrintUnformatted(options) : nullptr;
    const auto make = calls.find(text_of(cJSON_GetObjectItem(step, "call")));
    if (make == calls.end()) std::fprintf(stderr, "no such call\n"), std::exit(1);
    auto result = make->second(shop, text_of(cJSON_GetArrayItem(given, 0)), text_of(cJSON_GetArrayItem(given, 1)),
                               printed ? eps::Client::Options(printed) : eps::Client::Options());
    cJSON_free(printed);
    return result;
}

} // namespace

int main(int argc, char **argv) {
    if (argc != 3) return 1;
    std::stringstream text;
    text << std::ifstream(argv[1]).rdbuf();
    cJSON *cases = cJSON_Parse(text.str().c_str());
    const cJSON *each;
    int number = 0;
    cJSON_ArrayForEach(each, cases) {
        const cJSON *step;
        eps::Client shop;
        auto result = shop.open(std::string(R"({"baseUrl": ")") + argv[2] + R"(", "apiKey": "case-)" + std::to_string(number)
                                + R"(", "userAgent": "Cases/1", "journal": "memory"})");
        if (result) {
            cJSON_ArrayForEach(step, cJSON_GetObjectItem(each, "before")) (void)make_of(shop, step);
            result = make_of(shop, each);
        }
        std::printf("%d\t%s\t%s\t%s\n", number++, result.name().data(), word(result.outcome()),
                    std::string(result.json()).c_str());
    }
    cJSON_Delete(cases);
    return 0;
}
