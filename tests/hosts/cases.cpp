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
    {"get_operation", [](auto &shop, auto &a, auto &, auto) { return shop.get_operation(a); }},
    {"resolve_pending", [](auto &shop, auto &, auto &, auto options) { return shop.resolve_pending(options); }},
    {"acknowledge", [](auto &shop, auto &a, auto &, auto) { return shop.acknowledge(a); }},
    {"read_stats", [](auto &shop, auto &, auto &, auto) { return shop.read_stats(); }},
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

} // namespace

int main(int argc, char **argv) {
    if (argc != 3) return 1;
    std::stringstream text;
    text << std::ifstream(argv[1]).rdbuf();
    cJSON *cases = cJSON_Parse(text.str().c_str());
    const cJSON *each;
    int number = 0;
    cJSON_ArrayForEach(each, cases) {
        const cJSON *given = cJSON_GetObjectItem(each, "arguments"), *options = cJSON_GetObjectItem(each, "options");
        char *printed = options ? cJSON_PrintUnformatted(options) : nullptr;
        const auto make = calls.find(text_of(cJSON_GetObjectItem(each, "call")));
        if (make == calls.end()) return std::fprintf(stderr, "no such call\n"), 1;
        eps::Client shop;
        auto result = shop.open(std::string(R"({"baseUrl": ")") + argv[2] + R"(", "apiKey": "case-)" + std::to_string(number)
                                + R"(", "userAgent": "Cases/1", "journal": "memory"})");
        if (result) {
            result = make->second(shop, text_of(cJSON_GetArrayItem(given, 0)), text_of(cJSON_GetArrayItem(given, 1)),
                                  printed ? eps::Client::Options(printed) : eps::Client::Options());
        }
        std::printf("%d\t%s\t%s\t%s\n", number++, result.name().data(), word(result.outcome()),
                    std::string(result.json()).c_str());
        cJSON_free(printed);
    }
    cJSON_Delete(cases);
    return 0;
}
