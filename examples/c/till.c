/*
 * A till that sells rewards for points: what a POS vendor would write.
 *
 *   till --url URL --key KEY --contact GUID --journal FILE [--ca FILE] [--item GUID] [--reference TEXT] [--wait MS]
 *
 * It looks at what an earlier run left, shows the member's points and offers, buys one, shows what came of it, and acknowledges.
 * Exit code: 0 bought, 10 refused, 11 pending, 12 not sent, 1 anything else, 2 wrong arguments.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "engage_point_shop.h"

enum { BOUGHT = 0, FAILED = 1, USAGE = 2, REFUSED = 10, PENDING = 11, NOT_SENT = 12 };

typedef struct {
    const char *url, *key, *ca, *journal, *contact, *item, *reference;
    long wait_ms;
} arguments;

/* --- Small helpers ------------------------------------------------------------------------------------------------ */

/* The text of a key, or "" where it is absent or null. */
static const char *text_of(const cJSON *object, const char *key) {
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
    return text ? text : "";
}

static double number_of(const cJSON *object, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

/* Parses an answer and gives its memory back. NULL if it is not JSON, which the library promises it is. */
static cJSON *take(eps_buffer *answer) {
    cJSON *json = answer->data ? cJSON_ParseWithLength(answer->data, answer->len) : NULL;
    eps_buffer_dispose(answer);
    return json;
}

/* Tells the technician what is wrong: the code's name, the message, and every link of the cause. */
static void show_problem(const char *what, int32_t code, const cJSON *problem) {
    const cJSON *cause;
    fprintf(stderr, "%s: %s (%d): %s\n", what, eps_code_name(code), (int)code, text_of(problem, "message"));
    cJSON_ArrayForEach(cause, cJSON_GetObjectItemCaseSensitive(problem, "cause")) {
        fprintf(stderr, "    because: %s\n", cJSON_IsString(cause) ? cause->valuestring : "?");
    }
    if (number_of(problem, "httpStatus") != 0) {
        fprintf(stderr, "    HTTP status %.0f %s\n", number_of(problem, "httpStatus"), text_of(problem, "engageCode"));
    }
}

/* Tells the cashier what a code means for the sale. */
static int tell_cashier(int32_t code) {
    switch (eps_outcome(code)) {
        case EPS_OUTCOME_DONE:
            puts("==> The reward is bought.");
            return BOUGHT;
        case EPS_OUTCOME_REFUSED:
            puts("==> The purchase was refused. No points were deducted.");
            return REFUSED;
        case EPS_OUTCOME_NOT_SENT:
            if (code <= -600) {
                puts("==> The till cannot keep its journal. Nothing was sent. Call the administrator.");
            } else if (code <= -400) {
                puts("==> Nothing was sent. You may try again.");
            } else {
                puts("==> The till is not set up right. Nothing was sent. Call the administrator.");
            }
            return NOT_SENT;
        default: /* EPS_OUTCOME_PENDING */
            puts("==> Not known yet. Let the sale go on; the till finds out by itself.");
            return PENDING;
    }
}

/* --- The steps of a sale ------------------------------------------------------------------------------------------ */

static eps_client *open_shop(const arguments *given) {
    eps_client *shop = NULL;
    eps_buffer answer;
    int32_t code;
    cJSON *json, *config = cJSON_CreateObject();
    char *config_json;

    cJSON_AddStringToObject(config, "baseUrl", given->url);
    cJSON_AddStringToObject(config, "userAgent", "ExampleTill/1.0");
    cJSON_AddStringToObject(config, "journalPath", given->journal);
    if (given->key) cJSON_AddStringToObject(config, "apiKey", given->key);
    if (given->ca) cJSON_AddStringToObject(config, "caFile", given->ca);
    config_json = cJSON_PrintUnformatted(config);
    cJSON_Delete(config);
    if (!config_json) return NULL;

    code = eps_client_open(EPS_ABI_VERSION, config_json, &shop, &answer);
    free(config_json);
    json = take(&answer);
    if (code != EPS_OK) show_problem("cannot open the point shop", code, json);
    cJSON_Delete(json);
    return shop;
}

/* Says that the till has noted an outcome. Should it fail, the operation simply shows up again at the next start. */
static void acknowledge(eps_client *shop, const char *operation_id) {
    eps_buffer answer;
    int32_t code = eps_acknowledge(shop, operation_id, &answer);
    cJSON *json = take(&answer);
    if (code != EPS_OK) show_problem("cannot acknowledge", code, json);
    cJSON_Delete(json);
}

/* What an earlier run left: shown, and acknowledged where the outcome is known. This is how a power cut ends well. */
static void finish_earlier_sales(eps_client *shop) {
    eps_buffer answer;
    const cJSON *operation;
    cJSON *json;
    int32_t code = eps_settle(shop, "{\"waitMs\": 5000}", &answer);
    eps_buffer_dispose(&answer);
    if (code != EPS_OK) puts("Earlier sales could not be looked up now; they are settled in the background.");

    code = eps_list_unsettled(shop, NULL, &answer);
    json = take(&answer);
    if (code != EPS_OK) show_problem("cannot list earlier sales", code, json);
    cJSON_ArrayForEach(operation, cJSON_GetObjectItemCaseSensitive(json, "operations")) {
        const char *outcome = text_of(operation, "outcome");
        printf("Earlier sale %s (%s): %s\n", text_of(operation, "operationId"), text_of(operation, "reference"), outcome);
        if (strcmp(outcome, "pending") != 0) acknowledge(shop, text_of(operation, "operationId"));
    }
    cJSON_Delete(json);
}

/* The member's points, or -1 if they cannot be told. */
static double points_of(eps_client *shop, const char *contact) {
    eps_buffer answer;
    const cJSON *account;
    double points = 0;
    int32_t code = eps_list_points(shop, contact, NULL, &answer);
    cJSON *accounts = take(&answer);
    if (code != EPS_OK) {
        show_problem("cannot read the points", code, accounts);
        points = -1;
    } else {
        cJSON_ArrayForEach(account, accounts) points += number_of(account, "balance");
    }
    cJSON_Delete(accounts);
    return points;
}

/* Shows the offers and gives a copy of the id of the wanted one, else of the first the member can afford. NULL if there is none. */
static char *choose_offer(eps_client *shop, const arguments *given, double points) {
    eps_buffer answer;
    const cJSON *item;
    char *chosen = NULL;
    int32_t code = eps_list_items(shop, given->contact, NULL, &answer);
    cJSON *items = take(&answer);
    if (code != EPS_OK) {
        show_problem("cannot list the offers", code, items);
        cJSON_Delete(items);
        return NULL;
    }
    puts("Offers:");
    cJSON_ArrayForEach(item, items) {
        const char *title = text_of(cJSON_GetObjectItemCaseSensitive(item, "presentation"), "title");
        double cost = number_of(item, "cost");
        int wanted = given->item ? strcmp(given->item, text_of(item, "id")) == 0 : cost <= points;
        if (wanted && !chosen) {
            const char *id = text_of(item, "id");
            chosen = malloc(strlen(id) + 1);
            if (chosen) strcpy(chosen, id);
        }
        printf("  %6.0f points  %s\n", cost, *title ? title : text_of(item, "name"));
    }
    cJSON_Delete(items);
    if (!chosen) puts("There is no offer the member can buy.");
    return chosen;
}

static int buy(eps_client *shop, const arguments *given, const char *item) {
    eps_buffer answer;
    int32_t code;
    int result;
    cJSON *json, *options = cJSON_CreateObject();
    char *options_json;

    /* The receipt's number: the same receipt pressed twice is one purchase, also after a restart. */
    if (given->reference) cJSON_AddStringToObject(options, "reference", given->reference);
    if (given->wait_ms >= 0) cJSON_AddNumberToObject(options, "waitMs", (double)given->wait_ms);
    options_json = cJSON_PrintUnformatted(options);
    cJSON_Delete(options);
    if (!options_json) return FAILED;

    code = eps_purchase(shop, given->contact, item, options_json, &answer);
    free(options_json);
    json = take(&answer);
    result = tell_cashier(code);
    if (code == EPS_OK) {
        printf("Purchase %s%s\n", text_of(json, "purchaseId"),
               cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(json, "joined")) ? " (asked for before: bought once)" : "");
    } else {
        show_problem("purchase", code, json);
    }
    /* Noted: printed above. A pending one is noted when its outcome is known. */
    if (result != PENDING && *text_of(json, "operationId")) acknowledge(shop, text_of(json, "operationId"));
    cJSON_Delete(json);
    return result;
}

static void show_purchases(eps_client *shop, const char *contact) {
    eps_buffer answer;
    const cJSON *purchase;
    int32_t code = eps_list_purchases(shop, contact, NULL, &answer);
    cJSON *purchases = take(&answer);
    if (code != EPS_OK) show_problem("cannot list the purchases", code, purchases);
    puts("Purchases:");
    if (code == EPS_OK) {
        cJSON_ArrayForEach(purchase, purchases) {
            printf("  %6.0f points  %-10s %s\n", number_of(purchase, "cost"), text_of(purchase, "status"),
                   text_of(purchase, "createdOn"));
        }
    }
    cJSON_Delete(purchases);
}

/* --- The program -------------------------------------------------------------------------------------------------- */

static int read_arguments(int argc, char **argv, arguments *given) {
    const struct { const char *name; const char **value; } known[] = {
        {"--url", &given->url},   {"--key", &given->key},         {"--ca", &given->ca},
        {"--item", &given->item}, {"--journal", &given->journal}, {"--contact", &given->contact},
        {"--reference", &given->reference},
    };
    int at;
    for (at = 1; at + 1 < argc; at += 2) {
        size_t option, count = sizeof known / sizeof known[0];
        char *end;
        for (option = 0; option < count && strcmp(argv[at], known[option].name) != 0; option++) {}
        if (option < count) {
            *known[option].value = argv[at + 1];
        } else if (strcmp(argv[at], "--wait") == 0) {
            given->wait_ms = strtol(argv[at + 1], &end, 10);
            if (end == argv[at + 1] || *end != '\0' || given->wait_ms < 0) return 0;
        } else {
            return 0;
        }
    }
    return at == argc && given->url && given->journal && given->contact;
}

int main(int argc, char **argv) {
    arguments given = {NULL, NULL, NULL, NULL, NULL, NULL, NULL, -1};
    eps_client *shop;
    double points;
    char *item;
    int result = FAILED;

    if (!read_arguments(argc, argv, &given)) {
        fprintf(stderr, "usage: %s --url URL --key KEY --contact GUID --journal FILE"
                        " [--ca FILE] [--item GUID] [--reference TEXT] [--wait MS]\n", argc > 0 ? argv[0] : "till");
        return USAGE;
    }
    /* A pipe or a console: what the cashier reads comes at once and in order. */
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    shop = open_shop(&given);
    if (!shop) return FAILED;

    finish_earlier_sales(shop);
    points = points_of(shop, given.contact);
    if (points >= 0) printf("The member has %.0f points.\n", points);
    item = choose_offer(shop, &given, points);
    if (item) {
        result = buy(shop, &given, item);
        free(item);
        show_purchases(shop, given.contact);
        points = points_of(shop, given.contact);
        if (points >= 0) printf("The member has %.0f points left.\n", points);
    }
    eps_client_close(shop);
    return result;
}
