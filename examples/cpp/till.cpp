/*
 * A till that sells rewards for points, as a POS vendor would write it in C++. It is the till of
 * examples/c, which describes the options and the exit codes. JSON is read with nlohmann-json.
 */
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "engage_point_shop.hpp"

namespace {

using nlohmann::json;

enum { completed = 0, failed = 1, usage = 2, declined = 10, pending = 11, not_sent = 12 };

using Arguments = std::map<std::string, std::string>;

// --- Small helpers -------------------------------------------------------------------------------

/// Returns the JSON of a result, or of its problem. The library always gives JSON.
json read(const eps::Result &result) { return json::parse(result.json(), nullptr, false); }

/// Returns the text of a key, or "" if the key is absent or null.
std::string text_of(const json &object, const char *key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

/// Returns the number of a key, or 0 if the key is absent or null.
double number_of(const json &object, const char *key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_number() ? found->get<double>() : 0;
}

bool flag_of(const json &object, const char *key) { return object.value(key, json()) == true; }

/// Prints a problem for the technician: the name of the code, the message and every cause.
void show_problem(const char *step, const eps::Result &result) {
    const json problem = read(result);
    std::fprintf(stderr, "%s: %s (%d): %s\n", step, result.name().data(), static_cast<int>(result.code()),
                 text_of(problem, "message").c_str());
    for (const auto &cause : problem.value("cause", json::array())) {
        std::fprintf(stderr, "    because: %s\n", cause.get<std::string>().c_str());
    }
    if (number_of(problem, "httpStatus") != 0) {
        const std::string engage_code = text_of(problem, "engageCode");
        std::fprintf(stderr, "    HTTP status %.0f%s%s\n", number_of(problem, "httpStatus"), engage_code.empty() ? "" : " ",
                     engage_code.c_str());
    }
}

/// Prints the outcome for the cashier, and what the member is shown. The library has both texts for
/// every code, also a newer one; "language" in the configuration chooses their language. The action
/// says who acts: a fault of the program is nothing that a member should read about.
void show_cashier(const eps::Result &result) {
    if (result) {
        std::puts("==> The reward is bought.");
        return;
    }
    const json problem = read(result);
    std::printf("==> %s\n", text_of(problem, "forCashier").c_str());
    if (result.action() != eps::Action::fix_program) {
        std::printf("    For the member: %s\n", text_of(problem, "forMember").c_str());
    }
}

/// Returns the exit code. The outcome says what happened to the points, also for a code that is
/// newer than this program.
int exit_code(const eps::Result &result) {
    switch (result.outcome()) {
        case eps::Outcome::completed: return completed;
        case eps::Outcome::declined: return declined;
        case eps::Outcome::not_sent: return not_sent;
        case eps::Outcome::pending: break;
    }
    return pending;
}

// --- The steps of a sale -------------------------------------------------------------------------

eps::Result open_shop(eps::Client &shop, const Arguments &given) {
    // A relative path would be another journal when the program is started in another folder.
    const auto journal = std::filesystem::absolute(given.at("--journal")).string();
    json config = {{"baseUrl", given.at("--url")}, {"userAgent", "ExampleTill/1.0"}, {"journalPath", journal}};
    if (given.count("--key")) config["apiKey"] = given.at("--key");
    if (given.count("--ca")) config["caFile"] = given.at("--ca");
    if (given.count("--request-timeout")) config["requestTimeoutMs"] = std::stol(given.at("--request-timeout"));
    if (given.count("--startup-jitter")) config["startupJitterMs"] = std::stol(given.at("--startup-jitter"));
    auto opened = shop.open(config.dump());
    if (!opened) show_problem("cannot open the point shop", opened);
    return opened;
}

/// Acknowledges an outcome that the till has printed. If it fails, the operation is listed again at
/// the next start.
void acknowledge(const eps::Client &shop, const std::string &operation_id) {
    if (const auto acknowledged = shop.acknowledge(operation_id); !acknowledged) {
        show_problem("cannot acknowledge", acknowledged);
    }
}

/// Acknowledges a receipt that the till has printed, the purchase and its redeem in one step. While
/// one of them is pending, only the operation is acknowledged.
void acknowledge_receipt(const eps::Client &shop, const Arguments &given, const std::string &operation_id) {
    if (!given.count("--reference")) return acknowledge(shop, operation_id);
    const auto acknowledged = shop.acknowledge_reference(given.at("--reference"));
    if (acknowledged.code() == eps::Code::still_pending) return acknowledge(shop, operation_id);
    if (!acknowledged) show_problem("cannot acknowledge", acknowledged);
}

/// Returns the options of a call that spends: the receipt's number and the cashier's wait. With the
/// receipt's number, a second press is the same purchase and the same redeem, also after a restart.
json spending_options(const Arguments &given) {
    json options = json::object();
    if (given.count("--reference")) options["reference"] = given.at("--reference");
    if (given.count("--wait")) options["waitMs"] = std::stol(given.at("--wait"));
    return options;
}

void print_line(const char *label, const std::string &text) {
    if (!text.empty()) std::printf("    %s%s\n", label, text.c_str());
}

/// Finds the reward of a purchase and prints it for the member. Returns the assignment's id if the
/// reward is certain.
std::optional<std::string> print_reward(const eps::Client &shop, const std::string &operation_id) {
    const auto found = shop.find_reward(operation_id);
    if (!found) {
        show_problem("cannot find the reward", found);
        return {};
    }
    const json reward = read(found);
    const auto assignment = text_of(reward, "assignmentId");
    if (assignment.empty()) {
        std::printf("The reward is not certain yet (%s). Check the member's list of rewards.\n", text_of(reward, "certainty").c_str());
        return {};
    }
    const json &receipt = reward.at("receipt");
    std::printf("Reward: %s\n", text_of(receipt, "title").c_str());
    print_line("", text_of(receipt, "description"));
    print_line("Barcode: ", text_of(receipt, "barcode"));
    print_line("Valid until: ", text_of(receipt, "expiresOn"));
    print_line("Cashier: ", text_of(receipt, "instruction"));
    return assignment;
}

/// Uses the reward on this receipt. A redeem cannot be undone.
void redeem(const eps::Client &shop, const Arguments &given, const std::string &contact, const std::string &assignment) {
    const auto result = shop.redeem_reward(contact, assignment, spending_options(given).dump());
    switch (result.outcome()) {
        case eps::Outcome::completed: std::puts("==> The reward is used on this receipt."); break;
        case eps::Outcome::declined:
            if (result.action() == eps::Action::tell_member) std::puts("==> The reward cannot be used on this receipt.");
            else std::puts("==> Rewards cannot be used now. Call the administrator.");
            break;
        case eps::Outcome::not_sent: std::puts("==> The reward is not used. You may try again."); break;
        case eps::Outcome::pending:
            if (result.action() == eps::Action::review) std::puts("==> A person must check whether the reward is used. Let the sale go on.");
            else std::puts("==> The use of the reward is pending. Let the sale go on. The POS resolves it by itself.");
            break;
    }
    if (!result) show_problem("redeem", result);
    // With a receipt's number, the whole receipt is acknowledged at its end.
    const auto id = text_of(read(result), "operationId");
    if (!given.count("--reference") && result.outcome() != eps::Outcome::pending && !id.empty()) acknowledge(shop, id);
}

/// Adds a line for an earlier purchase to the file of --shown.
void note_shown(const Arguments &given, const json &operation) {
    if (!given.count("--shown")) return;
    std::ofstream(given.at("--shown"), std::ios::app) << text_of(operation, "reference") << '\t' << text_of(operation, "outcome") << '\n';
}

/// Shows an operation of an earlier run, and acknowledges it if its outcome is known. After a power
/// cut, this step gives the member the reward.
void show_earlier(const eps::Client &shop, const Arguments &given, const json &operation) {
    const auto id = text_of(operation, "operationId"), outcome = text_of(operation, "outcome");
    const auto kind = text_of(operation, "kind");
    std::printf("Earlier %s %s (%s): %s\n", kind.c_str(), id.c_str(), text_of(operation, "reference").c_str(), outcome.c_str());
    if (kind == "purchase") note_shown(given, operation);
    // The member uses it at the next visit.
    if (kind == "purchase" && outcome == "completed") print_reward(shop, id);
    // It stays pending and listed until a person has decided (resolve_review, or eps review).
    if (flag_of(operation, "needsReview")) {
        std::puts("    A person must decide. Compare the member's purchases and rewards in Engage with the receipt,");
        std::printf("    then store the decision: eps review %s\n", id.c_str());
    }
    if (outcome != "pending") acknowledge(shop, id);
}

/// Shows the operations of an earlier run and returns them. The library resolves those that are
/// pending.
json show_earlier_sales(const eps::Client &shop, const Arguments &given) {
    const auto listed = shop.list_unacknowledged();
    if (!listed) {
        show_problem("cannot list earlier sales", listed);
        return json::array();
    }
    const json operations = read(listed).at("operations");
    for (const auto &operation : operations) show_earlier(shop, given, operation);
    return operations;
}

/// Resolves the earlier sales that are still pending, after the sale. This program ends here, so
/// that the library has no time to resolve them in the background. A POS that keeps running needs
/// no such step, and no POS takes it at its start: all tills share the requests of one key.
void resolve_earlier_sales(const eps::Client &shop, const Arguments &given, const json &earlier) {
    bool resolved = false;
    for (const auto &operation : earlier) {
        if (text_of(operation, "outcome") != "pending" || flag_of(operation, "needsReview")) continue;
        if (!std::exchange(resolved, true)) {
            if (const auto result = shop.resolve_pending(R"({"waitMs": 5000})"); !result) {
                show_problem("cannot resolve earlier sales now", result);
            }
        }
        const auto now = shop.get_operation(text_of(operation, "operationId"));
        if (!now) {
            show_problem("cannot read an earlier sale", now);
            continue;
        }
        const json current = read(now);
        if (text_of(current, "outcome") != "pending" && current.at("acknowledgedAtMs").is_null()) show_earlier(shop, given, current);
    }
}

/// Finds the member by a key and a value, "email=astrid@example.com", and sets the contact's id.
eps::Result find_member(const eps::Client &shop, std::string_view member, std::string &contact) {
    const auto equals = member.find('=');
    auto found = shop.find_contact(member.substr(0, equals), member.substr(equals + 1));
    if (found) {
        contact = read(found).get<std::string>();
        std::printf("The member is %s.\n", contact.c_str());
        return found;
    }
    show_cashier(found);
    show_problem("cannot find the member", found);
    return found;
}

/// Returns the member's points, if they can be read.
std::optional<double> points_of(const eps::Client &shop, const std::string &contact) {
    const auto listed = shop.list_points(contact);
    if (!listed) {
        show_problem("cannot read the points", listed);
        return {};
    }
    double points = 0;
    for (const auto &account : read(listed)) points += number_of(account, "balance");
    return points;
}

/// Shows the offers and chooses the wanted one, else the first that the member can afford.
eps::Result choose_offer(const eps::Client &shop, const Arguments &given, const std::string &contact, double points,
                         std::optional<std::string> &chosen) {
    const auto wanted = given.find("--item");
    auto listed = shop.list_items(contact);
    if (!listed) {
        show_cashier(listed);
        show_problem("cannot list the offers", listed);
        return listed;
    }
    std::puts("Offers:");
    for (const auto &item : read(listed)) {
        const auto id = text_of(item, "id");
        const auto title = text_of(item.value("presentation", json::object()), "title");
        const double cost = number_of(item, "cost");
        if (!chosen && (wanted != given.end() ? id == wanted->second : cost <= points)) chosen = id;
        std::printf("  %6.0f points  %s\n", cost, title.empty() ? text_of(item, "name").c_str() : title.c_str());
    }
    if (!chosen) {
        std::puts(wanted != given.end() ? "The member is not offered this item." : "There is no offer the member can buy.");
    }
    return listed;
}

int buy(const eps::Client &shop, const Arguments &given, const std::string &contact, const std::string &item) {
    json options = spending_options(given);
    options["snapshotRewards"] = true; // With it, the new reward is distinguished from older ones.
    const auto result = shop.purchase(contact, item, options.dump());
    const json operation = read(result);
    show_cashier(result);
    if (result) {
        std::printf("Purchase %s for %.0f points%s\n", text_of(operation, "purchaseId").c_str(),
                    number_of(operation.at("purchase"), "cost"),
                    flag_of(operation, "existing") ? " (existing purchase: nothing was deducted again)" : "");
        const auto assignment = print_reward(shop, text_of(operation, "operationId"));
        if (assignment && !given.count("--no-redeem")) redeem(shop, given, contact, *assignment);
    } else {
        show_problem("purchase", result);
    }
    // The outcome is printed, so it is acknowledged. A pending operation is acknowledged when its
    // outcome is known.
    const auto id = text_of(operation, "operationId");
    if (result.outcome() != eps::Outcome::pending && !id.empty()) acknowledge_receipt(shop, given, id);
    return exit_code(result);
}

void show_purchases(const eps::Client &shop, const std::string &contact) {
    const auto listed = shop.list_purchases(contact);
    if (!listed) return show_problem("cannot list the purchases", listed);
    std::puts("Purchases:");
    for (const auto &purchase : read(listed)) {
        std::printf("  %6.0f points  %-10s %s\n", number_of(purchase, "cost"), text_of(purchase, "status").c_str(),
                    text_of(purchase, "createdOn").c_str());
    }
}

/// Returns the item that an earlier run bought on this receipt for the member. The second press
/// means that purchase, also when the offers cannot be read.
std::optional<std::string> item_of_receipt(const json &earlier, const Arguments &given, const std::string &contact) {
    for (const auto &operation : earlier) {
        const auto outcome = text_of(operation, "outcome"), item = text_of(operation, "itemId");
        if (given.count("--reference") && text_of(operation, "reference") == given.at("--reference")
            && text_of(operation, "contactId") == contact && !item.empty() && (outcome == "pending" || outcome == "completed")) {
            return item;
        }
    }
    return std::nullopt;
}

/// Makes one sale, from the member to the receipt.
int sell(const eps::Client &shop, const Arguments &given, const std::string &contact, const json &earlier) {
    auto points = points_of(shop, contact);
    if (points) std::printf("The member has %.0f points.\n", *points);
    std::optional<std::string> item = item_of_receipt(earlier, given, contact);
    if (!item) {
        if (const auto listed = choose_offer(shop, given, contact, points.value_or(-1), item); !listed) return exit_code(listed);
    }
    if (!item) return failed;
    const int result = buy(shop, given, contact, *item);
    show_purchases(shop, contact);
    points = points_of(shop, contact);
    if (points) std::printf("The member has %.0f points left.\n", *points);
    return result;
}

/// Finds the member, if the contact's id is not given, and makes the sale.
int sell_to_member(const eps::Client &shop, const Arguments &given, const json &earlier) {
    if (given.count("--contact")) return sell(shop, given, given.at("--contact"), earlier);
    std::string contact;
    const auto found = find_member(shop, given.at("--member"), contact);
    return found ? sell(shop, given, contact, earlier) : exit_code(found);
}

const char *outcome_name(int result) {
    switch (result) {
        case completed: return "completed";
        case declined: return "declined";
        case pending: return "pending";
        case not_sent: return "notSent";
        default: return "failed";
    }
}

/// Sells until standard input ends: one line with a sale, one line with its outcome. The library
/// resolves pending sales in the background, and the next sale shows them.
int serve(const eps::Client &shop, const Arguments &given) {
    for (std::string line; std::getline(std::cin, line);) {
        const json wanted = json::parse(line, nullptr, false);
        Arguments sale = given;
        sale["--item"] = text_of(wanted, "item");
        sale["--reference"] = text_of(wanted, "reference");
        sale["--wait"] = std::to_string(static_cast<long>(number_of(wanted, "waitMs")));
        const json earlier = show_earlier_sales(shop, given);
        const int result = sell(shop, sale, text_of(wanted, "contact"), earlier);
        std::printf("{\"outcome\": \"%s\"}\n", outcome_name(result));
    }
    return completed;
}

// --- The program ---------------------------------------------------------------------------------

std::optional<Arguments> read_arguments(int argc, char **argv) {
    const std::string_view known = 
        " --url --key --ca --journal --contact --member --item --reference --shown --wait --request-timeout --startup-jitter ";
    Arguments given;
    for (int at = 1; at < argc; at++) {
        const std::string option = argv[at];
        if (option == "--no-redeem" || option == "--serve") {
            given[option];
        } else {
            if (known.find(' ' + option + ' ') == known.npos || at + 1 == argc) return {};
            given[option] = argv[++at];
        }
    }
    const auto has = [&](const char *name) { return given.count(name) > 0; };
    for (const auto name : {"--wait", "--request-timeout", "--startup-jitter"}) {
        const auto &ms = has(name) ? given.at(name) : "0";
        if (ms.empty() || ms.size() > 9 || ms.find_first_not_of("0123456789") != ms.npos) return {};
    }
    if (has("--member") && given.at("--member").find('=') == std::string::npos) return {};
    if (!has("--url") || !has("--journal")) return {};
    if (!has("--serve") && has("--contact") == has("--member")) return {};
    return given;
}

} // namespace

int main(int argc, char **argv) {
    const auto given = read_arguments(argc, argv);
    if (!given) {
        std::fputs("usage: till --url URL --key KEY --journal FILE --contact GUID | --member KEY=VALUE"
                   " [--ca FILE] [--item GUID] [--reference TEXT] [--wait MS] [--request-timeout MS] [--startup-jitter MS]"
                   " [--shown FILE] [--no-redeem] [--serve]\n", stderr);
        return usage;
    }
    // The cashier reads each line at once and in order, also through a pipe.
    std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
    // Its destructor closes it. Pending purchases stay in the journal and are resolved after the
    // next start.
    eps::Client shop;
    if (!open_shop(shop, *given)) return failed;
    if (given->count("--serve")) return serve(shop, *given);
    const json earlier = show_earlier_sales(shop, *given);
    const int result = sell_to_member(shop, *given, earlier);
    resolve_earlier_sales(shop, *given, earlier);
    return result;
}
