/*
 * A till that sells rewards for points, as a POS vendor would write it.
 *
 *   till --url URL --key KEY --journal FILE --contact GUID | --member KEY=VALUE
 *        [--ca FILE] [--item GUID] [--reference TEXT] [--wait MS] [--request-timeout MS]
 *        [--startup-jitter MS] [--shown FILE] [--no-redeem] [--serve]
 *
 * The program shows the sales that an earlier run left. Then it finds the member
 * (--member email=astrid@example.com), shows the points and the offers, and buys one offer.
 * It prints the reward, uses the reward on the receipt (unless --no-redeem) and acknowledges.
 * The same till exists in C++, C# and Python, and prints the same lines.
 * --shown adds a line to a file for each earlier purchase that the program shows.
 *
 * With --serve the program keeps running, as a POS does. It reads one sale a line from standard
 * input, {"contact", "item", "reference", "waitMs"}, and prints {"outcome"}.
 *
 * The exit code is the purchase's outcome: 0 completed, 10 declined, 11 pending, 12 not sent.
 * Wrong arguments end with 2. Any other failure ends with 1.
 *
 * Build it with cJSON (-lcjson), which the library does not need: a program may read a result
 * by eps_json_get. Every text that is passed to the library is UTF-8. A POS that uses another code
 * page converts its texts first.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef _WIN32
#include <unistd.h>
#endif

#include <cjson/cJSON.h>

#include "engage_point_shop.h"

enum { COMPLETED = 0, FAILED = 1, USAGE = 2, DECLINED = 10, PENDING = 11, NOT_SENT = 12 };

typedef struct {
    const char *url, *key, *ca, *journal, *contact, *member, *item, *reference, *shown;
    long wait_ms, request_timeout_ms, startup_jitter_ms; /* -1: the library's default */
    int no_redeem, serve;
} arguments;

/* --- Small helpers ---------------------------------------------------------------------------- */

/* Returns the text of a key, or "" if the key is absent or null. */
static const char *text_of(const cJSON *object, const char *key) {
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
    return text ? text : "";
}

/* Returns the number of a key, or 0 if the key is absent or null. */
static double number_of(const cJSON *object, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

/* Returns a copy of the first bytes of a text, to be freed; NULL when there is no memory. */
static char *copy_of(const char *text, size_t len) {
    char *copy = malloc(len + 1);
    if (copy) {
        memcpy(copy, text, len);
        copy[len] = '\0';
    }
    return copy;
}

/* Adds a text unless it is NULL. Returns 0 when there is no memory, because a request must not be
 * sent with a key missing. */
static int add_text(cJSON *object, const char *key, const char *text) {
    return !text || cJSON_AddStringToObject(object, key, text) != NULL;
}

/* Adds a number unless it is negative. Returns 0 when there is no memory. */
static int add_number(cJSON *object, const char *key, long number) {
    return number < 0 || cJSON_AddNumberToObject(object, key, (double)number) != NULL;
}

/* Prints an object and deletes it. Returns NULL if it is not complete. The caller frees the text
 * with cJSON_free. */
static char *print_json(cJSON *object, int complete) {
    char *json = complete ? cJSON_PrintUnformatted(object) : NULL;
    cJSON_Delete(object);
    if (!json) fputs("out of memory\n", stderr);
    return json;
}

/* Parses the JSON of a buffer and disposes of the buffer. Returns NULL if the text is not JSON,
 * which the library excludes. */
static cJSON *take(eps_buffer *buffer) {
    cJSON *json = buffer->data ? cJSON_ParseWithLength(buffer->data, buffer->len) : NULL;
    eps_buffer_dispose(buffer);
    return json;
}

/* Prints a problem for the technician: the name of the code, the message and every cause. */
static void show_problem(const char *step, int32_t code, const cJSON *problem) {
    const cJSON *cause;
    fprintf(stderr, "%s: %s (%d): %s\n", step, eps_code_name(code), (int)code, text_of(problem, "message"));
    cJSON_ArrayForEach(cause, cJSON_GetObjectItemCaseSensitive(problem, "cause")) {
        fprintf(stderr, "    because: %s\n", cJSON_IsString(cause) ? cause->valuestring : "?");
    }
    if (number_of(problem, "httpStatus") != 0) {
        const char *engage_code = text_of(problem, "engageCode");
        fprintf(stderr, "    HTTP status %.0f%s%s\n", number_of(problem, "httpStatus"), *engage_code ? " " : "", engage_code);
    }
}

/* Returns whether this is the one who acts on the code. */
static int acts(int32_t code, const char *action) {
    return strcmp(eps_code_action(code), action) == 0;
}

/* Prints the outcome for the cashier, and what the member is shown. The library has both texts for
 * every code, also a newer one; "language" in the configuration chooses their language. The action
 * says who acts: a fault of the program is nothing that a member should read about. */
static void show_cashier(int32_t code, const cJSON *object) {
    if (code == EPS_OK) {
        puts("==> The reward is bought.");
        return;
    }
    printf("==> %s\n", text_of(object, "forCashier"));
    if (!acts(code, "fixProgram")) printf("    For the member: %s\n", text_of(object, "forMember"));
}

/* Returns the exit code. The outcome says what happened to the points, also for a code that is
 * newer than this program. */
static int exit_code(int32_t code) {
    switch (eps_outcome(code)) {
        case EPS_OUTCOME_COMPLETED: return COMPLETED;
        case EPS_OUTCOME_DECLINED: return DECLINED;
        case EPS_OUTCOME_NOT_SENT: return NOT_SENT;
        default: return PENDING;
    }
}

/* --- The steps of a sale ---------------------------------------------------------------------- */

/* Returns the absolute path of the journal, to be freed. A relative path would be another journal
 * when the program is started in another folder. */
static char *absolute_path(const char *path) {
#ifdef _WIN32
    return _fullpath(NULL, path, 0);
#else
    char folder[4096], *absolute;
    if (path[0] == '/') return copy_of(path, strlen(path));
    if (!getcwd(folder, sizeof folder)) return NULL;
    absolute = malloc(strlen(folder) + strlen(path) + 2);
    if (absolute) sprintf(absolute, "%s/%s", folder, path);
    return absolute;
#endif
}

static eps_client *open_shop(const arguments *given) {
    eps_client *shop = NULL;
    eps_buffer buffer;
    int32_t code;
    cJSON *json, *config = cJSON_CreateObject();
    char *config_json, *journal = absolute_path(given->journal);

    config_json = print_json(config, journal && add_text(config, "baseUrl", given->url)
                                         && add_text(config, "userAgent", "ExampleTill/1.0")
                                         && add_text(config, "journalPath", journal)
                                         && add_text(config, "apiKey", given->key)
                                         && add_text(config, "caFile", given->ca)
                                         && add_number(config, "requestTimeoutMs", given->request_timeout_ms)
                                         && add_number(config, "startupJitterMs", given->startup_jitter_ms));
    free(journal);
    if (!config_json) return NULL;

    code = eps_client_open(EPS_ABI_VERSION, config_json, &shop, &buffer);
    cJSON_free(config_json);
    json = take(&buffer);
    if (code != EPS_OK) show_problem("cannot open the point shop", code, json);
    cJSON_Delete(json);
    return shop;
}

/* Acknowledges an outcome that the till has printed. If it fails, the operation is listed again at
 * the next start. */
static void acknowledge(eps_client *shop, const char *operation_id) {
    eps_buffer buffer;
    int32_t code = eps_acknowledge(shop, operation_id, &buffer);
    cJSON *json = take(&buffer);
    if (code != EPS_OK) show_problem("cannot acknowledge", code, json);
    cJSON_Delete(json);
}

/* Acknowledges a receipt that the till has printed, the purchase and its redeem in one step. While
 * one of them is pending, only the operation is acknowledged. */
static void acknowledge_receipt(eps_client *shop, const char *reference, const char *operation_id) {
    eps_buffer buffer;
    int32_t code = reference ? eps_acknowledge_reference(shop, reference, NULL, &buffer) : EPS_STILL_PENDING;
    cJSON *json;
    if (code == EPS_STILL_PENDING) {
        if (reference) eps_buffer_dispose(&buffer);
        acknowledge(shop, operation_id);
        return;
    }
    json = take(&buffer);
    if (code != EPS_OK) show_problem("cannot acknowledge", code, json);
    cJSON_Delete(json);
}

/* Returns the options of a call that spends: the receipt's number and the cashier's wait. With the
 * receipt's number, a second press is the same purchase and the same redeem, also after a restart.
 * */
static char *spending_options(const arguments *given, int snapshot_rewards) {
    cJSON *options = cJSON_CreateObject();
    int complete = options && add_text(options, "reference", given->reference) && add_number(options, "waitMs", given->wait_ms);
    if (snapshot_rewards) complete = complete && cJSON_AddTrueToObject(options, "snapshotRewards");
    return print_json(options, complete);
}

static void print_line(const char *label, const char *text) {
    if (*text) printf("    %s%s\n", label, text);
}

/* Finds the reward of a purchase and prints it for the member. Returns a copy of the assignment's
 * id, or NULL if the reward is not certain. */
static char *print_reward(eps_client *shop, const char *operation_id) {
    eps_buffer buffer;
    const cJSON *receipt;
    char *assignment = NULL;
    int32_t code = eps_find_reward(shop, operation_id, NULL, &buffer);
    cJSON *found = take(&buffer);
    const char *certainty = text_of(found, "certainty"), *id = text_of(found, "assignmentId");
    if (code != EPS_OK) {
        show_problem("cannot find the reward", code, found);
    } else if (*id) {
        receipt = cJSON_GetObjectItemCaseSensitive(found, "receipt");
        printf("Reward: %s\n", text_of(receipt, "title"));
        print_line("", text_of(receipt, "description"));
        print_line("Barcode: ", text_of(receipt, "barcode"));
        print_line("Valid until: ", text_of(receipt, "expiresOn"));
        print_line("Cashier: ", text_of(receipt, "instruction"));
        assignment = copy_of(id, strlen(id));
    } else {
        printf("The reward is not certain yet (%s). Check the member's list of rewards.\n", certainty);
    }
    cJSON_Delete(found);
    return assignment;
}

/* Uses the reward on this receipt. A redeem cannot be undone. */
static void redeem(eps_client *shop, const arguments *given, const char *contact, const char *assignment) {
    eps_buffer buffer;
    int32_t code;
    cJSON *json;
    char *options_json = spending_options(given, 0);
    if (!options_json) return;
    code = eps_redeem_reward(shop, contact, assignment, options_json, &buffer);
    cJSON_free(options_json);
    json = take(&buffer);
    switch (eps_outcome(code)) {
        case EPS_OUTCOME_COMPLETED: puts("==> The reward is used on this receipt."); break;
        case EPS_OUTCOME_DECLINED:
            if (acts(code, "tellMember")) puts("==> The reward cannot be used on this receipt.");
            else puts("==> Rewards cannot be used now. Call the administrator.");
            break;
        case EPS_OUTCOME_NOT_SENT: puts("==> The reward is not used. You may try again."); break;
        default:
            if (acts(code, "review")) puts("==> A person must check whether the reward is used. Let the sale go on.");
            else puts("==> The use of the reward is pending. Let the sale go on. The POS resolves it by itself.");
            break;
    }
    if (code != EPS_OK) show_problem("redeem", code, json);
    /* With a receipt's number, the whole receipt is acknowledged at its end. */
    if (!given->reference && exit_code(code) != PENDING && *text_of(json, "operationId")) {
        acknowledge(shop, text_of(json, "operationId"));
    }
    cJSON_Delete(json);
}

/* Adds a line for an earlier purchase to the file of --shown. */
static void note_shown(const arguments *given, const char *reference, const char *outcome) {
    FILE *file = given->shown ? fopen(given->shown, "a") : NULL;
    if (!file) return;
    fprintf(file, "%s\t%s\n", reference, outcome);
    fclose(file);
}

/* Shows an operation of an earlier run, and acknowledges it if its outcome is known. After a power
 * cut, this step gives the member the reward. */
static void show_earlier(eps_client *shop, const arguments *given, const cJSON *operation) {
    const char *id = text_of(operation, "operationId"), *outcome = text_of(operation, "outcome");
    printf("Earlier %s %s (%s): %s\n", text_of(operation, "kind"), id, text_of(operation, "reference"), outcome);
    if (strcmp(text_of(operation, "kind"), "purchase") == 0) {
        note_shown(given, text_of(operation, "reference"), outcome);
        /* The member uses it at the next visit. */
        if (strcmp(outcome, "completed") == 0) free(print_reward(shop, id));
    }
    /* It stays pending and listed until a person decides (eps_resolve_review, or eps review). */
    if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(operation, "needsReview"))) {
        puts("    A person must decide. Compare the member's purchases and rewards in Engage with the receipt,");
        printf("    then store the decision: eps review %s\n", id);
    }
    if (strcmp(outcome, "pending") != 0) acknowledge(shop, id);
}

/* Shows the operations of an earlier run. Returns their list, to be deleted; the library resolves
 * those that are pending. */
static cJSON *show_earlier_sales(eps_client *shop, const arguments *given) {
    eps_buffer buffer;
    const cJSON *operation;
    int32_t code = eps_list_unacknowledged(shop, NULL, &buffer);
    cJSON *json = take(&buffer);
    if (code != EPS_OK) show_problem("cannot list earlier sales", code, json);
    cJSON_ArrayForEach(operation, cJSON_GetObjectItemCaseSensitive(json, "operations")) {
        show_earlier(shop, given, operation);
    }
    return json;
}

/* Resolves the earlier sales that are still pending, after the sale. This program ends here, so
 * that the library has no time to resolve them in the background. A POS that keeps running needs no
 * such step, and no POS takes it at its start: all tills share the requests of one key. */
static void resolve_earlier_sales(eps_client *shop, const arguments *given, const cJSON *earlier) {
    eps_buffer buffer;
    const cJSON *operation;
    cJSON *json;
    int32_t code;
    int resolved = 0;

    cJSON_ArrayForEach(operation, cJSON_GetObjectItemCaseSensitive(earlier, "operations")) {
        if (strcmp(text_of(operation, "outcome"), "pending") != 0 || cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(operation, "needsReview"))) {
            continue;
        }
        if (!resolved++) {
            code = eps_resolve_pending(shop, "{\"waitMs\": 5000}", &buffer);
            json = take(&buffer);
            if (code != EPS_OK) show_problem("cannot resolve earlier sales now", code, json);
            cJSON_Delete(json);
        }
        code = eps_get_operation(shop, text_of(operation, "operationId"), &buffer);
        json = take(&buffer);
        if (code != EPS_OK) {
            show_problem("cannot read an earlier sale", code, json);
        } else if (strcmp(text_of(json, "outcome"), "pending") != 0
                   && cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(json, "acknowledgedAtMs"))) {
            show_earlier(shop, given, json);
        }
        cJSON_Delete(json);
    }
}

/* Finds the member by a key and a value, "email=astrid@example.com". Copies the contact's id, or
 * sets NULL if there is none. */
static int32_t find_member(eps_client *shop, const char *member, char **contact) {
    const char *value = strchr(member, '=') + 1;
    char *key = copy_of(member, (size_t)(value - 1 - member));
    eps_buffer buffer;
    int32_t code;
    cJSON *json;

    *contact = NULL;
    if (!key) return EPS_OK;
    code = eps_find_contact(shop, key, value, NULL, &buffer);
    free(key);
    json = take(&buffer);
    if (code == EPS_OK) {
        const char *id = cJSON_GetStringValue(json);
        *contact = copy_of(id, strlen(id));
        printf("The member is %s.\n", id);
    } else {
        show_cashier(code, json);
        show_problem("cannot find the member", code, json);
    }
    cJSON_Delete(json);
    return code;
}

/* Returns the member's points, or -1 if they cannot be read. */
static double points_of(eps_client *shop, const char *contact) {
    eps_buffer buffer;
    const cJSON *account;
    double points = 0;
    int32_t code = eps_list_points(shop, contact, NULL, &buffer);
    cJSON *accounts = take(&buffer);
    if (code != EPS_OK) {
        show_problem("cannot read the points", code, accounts);
        points = -1;
    } else {
        cJSON_ArrayForEach(account, accounts) points += number_of(account, "balance");
    }
    cJSON_Delete(accounts);
    return points;
}

/* Shows the offers. Copies the id of the wanted offer, else of the first that the member can
 * afford; NULL if there is none. */
static int32_t choose_offer(eps_client *shop, const arguments *given, const char *contact, double points, char **chosen) {
    eps_buffer buffer;
    const cJSON *item;
    int32_t code = eps_list_items(shop, contact, NULL, &buffer);
    cJSON *items = take(&buffer);
    *chosen = NULL;
    if (code != EPS_OK) {
        show_cashier(code, items);
        show_problem("cannot list the offers", code, items);
        cJSON_Delete(items);
        return code;
    }
    puts("Offers:");
    cJSON_ArrayForEach(item, items) {
        const char *title = text_of(cJSON_GetObjectItemCaseSensitive(item, "presentation"), "title");
        double cost = number_of(item, "cost");
        int wanted = given->item ? strcmp(given->item, text_of(item, "id")) == 0 : cost <= points;
        if (wanted && !*chosen) {
            const char *id = text_of(item, "id");
            *chosen = copy_of(id, strlen(id));
        }
        printf("  %6.0f points  %s\n", cost, *title ? title : text_of(item, "name"));
    }
    cJSON_Delete(items);
    if (!*chosen) puts(given->item ? "The member is not offered this item." : "There is no offer the member can buy.");
    return code;
}

static int buy(eps_client *shop, const arguments *given, const char *contact, const char *item) {
    eps_buffer buffer;
    int32_t code;
    cJSON *json;
    char *options_json = spending_options(given, 1);
    if (!options_json) return FAILED;

    code = eps_purchase(shop, contact, item, options_json, &buffer);
    cJSON_free(options_json);
    json = take(&buffer);
    show_cashier(code, json);
    if (code == EPS_OK) {
        const cJSON *purchase = cJSON_GetObjectItemCaseSensitive(json, "purchase");
        char *assignment;
        int existing = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(json, "existing"));
        printf("Purchase %s for %.0f points%s\n", text_of(json, "purchaseId"), number_of(purchase, "cost"),
               existing ? " (existing purchase: nothing was deducted again)" : "");
        assignment = print_reward(shop, text_of(json, "operationId"));
        if (assignment && !given->no_redeem) redeem(shop, given, contact, assignment);
        free(assignment);
    } else {
        show_problem("purchase", code, json);
    }
    /* The outcome is printed, so it is acknowledged. A pending operation is acknowledged when its
     * outcome is known. */
    if (exit_code(code) != PENDING && *text_of(json, "operationId")) {
        acknowledge_receipt(shop, given->reference, text_of(json, "operationId"));
    }
    cJSON_Delete(json);
    return exit_code(code);
}

static void show_purchases(eps_client *shop, const char *contact) {
    eps_buffer buffer;
    const cJSON *purchase;
    int32_t code = eps_list_purchases(shop, contact, NULL, &buffer);
    cJSON *purchases = take(&buffer);
    if (code != EPS_OK) {
        show_problem("cannot list the purchases", code, purchases);
    } else {
        puts("Purchases:");
        cJSON_ArrayForEach(purchase, purchases) {
            printf("  %6.0f points  %-10s %s\n", number_of(purchase, "cost"), text_of(purchase, "status"),
                   text_of(purchase, "createdOn"));
        }
    }
    cJSON_Delete(purchases);
}

/* Returns the item that an earlier run bought on this receipt for the member, to be freed; NULL if
 * there is none. The second press means that purchase, also when the offers cannot be read. */
static char *item_of_receipt(const cJSON *earlier, const arguments *given, const char *contact) {
    const cJSON *operation;
    cJSON_ArrayForEach(operation, cJSON_GetObjectItemCaseSensitive(earlier, "operations")) {
        const char *outcome = text_of(operation, "outcome"), *item = text_of(operation, "itemId");
        if (given->reference && strcmp(text_of(operation, "reference"), given->reference) == 0
            && strcmp(text_of(operation, "contactId"), contact) == 0 && *item
            && (strcmp(outcome, "pending") == 0 || strcmp(outcome, "completed") == 0)) {
            return copy_of(item, strlen(item));
        }
    }
    return NULL;
}

/* Makes one sale, from the member to the receipt. */
static int sell(eps_client *shop, const arguments *given, const char *contact, const cJSON *earlier) {
    double points = points_of(shop, contact);
    char *item = item_of_receipt(earlier, given, contact);
    int result = FAILED;

    if (points >= 0) printf("The member has %.0f points.\n", points);
    if (!item) {
        int32_t code = choose_offer(shop, given, contact, points, &item);
        if (code != EPS_OK) return exit_code(code);
    }
    if (item) {
        result = buy(shop, given, contact, item);
        free(item);
        show_purchases(shop, contact);
        points = points_of(shop, contact);
        if (points >= 0) printf("The member has %.0f points left.\n", points);
    }
    return result;
}

/* --- The program ------------------------------------------------------------------------------ */

/* Returns a number of milliseconds, or -1 if the text is not a number. */
static long milliseconds(const char *text) {
    char *end;
    long number = strtol(text, &end, 10);
    return end == text || *end != '\0' ? -1 : number;
}

static int read_arguments(int argc, char **argv, arguments *given) {
    const struct { const char *name; const char **value; } known[] = {
        {"--url", &given->url},         {"--key", &given->key},       {"--ca", &given->ca},
        {"--journal", &given->journal}, {"--contact", &given->contact}, {"--member", &given->member},
        {"--item", &given->item},       {"--reference", &given->reference}, {"--shown", &given->shown},
    };
    const struct { const char *name; long *value; } times[] = {
        {"--wait", &given->wait_ms},
        {"--request-timeout", &given->request_timeout_ms},
        {"--startup-jitter", &given->startup_jitter_ms},
    };
    int at;
    for (at = 1; at < argc; at++) {
        size_t option, count = sizeof known / sizeof known[0], time, time_count = sizeof times / sizeof times[0];
        if (strcmp(argv[at], "--no-redeem") == 0 || strcmp(argv[at], "--serve") == 0) {
            *(argv[at][2] == 'n' ? &given->no_redeem : &given->serve) = 1;
            continue;
        }
        for (option = 0; option < count && strcmp(argv[at], known[option].name) != 0; option++) {}
        for (time = 0; time < time_count && strcmp(argv[at], times[time].name) != 0; time++) {}
        if (at + 1 == argc) return 0;
        if (option < count) *known[option].value = argv[++at];
        else if (time == time_count || (*times[time].value = milliseconds(argv[++at])) < 0) return 0;
    }
    if (given->member && !strchr(given->member, '=')) return 0;
    return given->url && given->journal && (given->serve || !given->contact == !!given->member);
}

static const char *outcome_name(int result) {
    switch (result) {
        case COMPLETED: return "completed";
        case DECLINED: return "declined";
        case PENDING: return "pending";
        case NOT_SENT: return "notSent";
        default: return "failed";
    }
}

/* Sells until standard input ends. The library resolves pending sales in the background, and the
 * next sale shows them. */
static int serve(eps_client *shop, const arguments *given) {
    char line[4096];
    while (fgets(line, sizeof line, stdin)) {
        cJSON *wanted = cJSON_Parse(line), *earlier = show_earlier_sales(shop, given);
        arguments sale = *given;
        int result = FAILED;
        sale.item = text_of(wanted, "item");
        sale.reference = text_of(wanted, "reference");
        sale.wait_ms = (long)number_of(wanted, "waitMs");
        if (wanted) result = sell(shop, &sale, text_of(wanted, "contact"), earlier);
        printf("{\"outcome\": \"%s\"}\n", outcome_name(result));
        cJSON_Delete(earlier);
        cJSON_Delete(wanted);
    }
    return COMPLETED;
}

int main(int argc, char **argv) {
    arguments given = {NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, -1, -1, -1, 0, 0};
    eps_client *shop;
    cJSON *earlier;
    int result = FAILED;

    if (!read_arguments(argc, argv, &given)) {
        fputs("usage: till --url URL --key KEY --journal FILE --contact GUID | --member KEY=VALUE"
              " [--ca FILE] [--item GUID] [--reference TEXT] [--wait MS] [--request-timeout MS] [--startup-jitter MS]"
              " [--shown FILE] [--no-redeem] [--serve]\n", stderr);
        return USAGE;
    }
    /* The cashier reads each line at once and in order, also through a pipe. */
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    shop = open_shop(&given);
    if (!shop) return FAILED;

    if (given.serve) {
        result = serve(shop, &given);
        eps_client_close(shop);
        return result;
    }
    earlier = show_earlier_sales(shop, &given);
    if (given.member) {
        char *contact;
        int32_t code = find_member(shop, given.member, &contact);
        if (code != EPS_OK) result = exit_code(code);
        else if (contact) result = sell(shop, &given, contact, earlier);
        free(contact);
    } else {
        result = sell(shop, &given, given.contact, earlier);
    }
    resolve_earlier_sales(shop, &given, earlier);
    cJSON_Delete(earlier);
    /* Pending purchases stay in the journal and are resolved after the next start. */
    eps_client_close(shop);
    return result;
}
