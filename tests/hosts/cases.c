/* Makes the call of each case (cases.json), after the calls of its "before". Prints
 * "number <TAB> code <TAB> outcome <TAB> JSON". Arguments: the cases, the base URL. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "engage_point_shop.h"

static int32_t make(eps_client *shop, const char *call, const char *const arguments[2], const char *options, eps_buffer *out) {
#define IS(name) (strcmp(call, name) == 0)
    if (IS("find_contact")) return eps_find_contact(shop, arguments[0], arguments[1], options, out);
    if (IS("list_points")) return eps_list_points(shop, arguments[0], options, out);
    if (IS("list_items")) return eps_list_items(shop, arguments[0], options, out);
    if (IS("purchase")) return eps_purchase(shop, arguments[0], arguments[1], options, out);
    if (IS("list_purchases")) return eps_list_purchases(shop, arguments[0], options, out);
    if (IS("list_rewards")) return eps_list_rewards(shop, arguments[0], options, out);
    if (IS("find_reward")) return eps_find_reward(shop, arguments[0], options, out);
    if (IS("redeem_reward")) return eps_redeem_reward(shop, arguments[0], arguments[1], options, out);
    if (IS("list_unacknowledged")) return eps_list_unacknowledged(shop, options, out);
    if (IS("list_operations")) return eps_list_operations(shop, options, out);
    if (IS("get_operation")) return eps_get_operation(shop, arguments[0], out);
    if (IS("resolve_pending")) return eps_resolve_pending(shop, options, out);
    if (IS("acknowledge")) return eps_acknowledge(shop, arguments[0], out);
    if (IS("resolve_review")) return eps_resolve_review(shop, arguments[0], arguments[1], options, out);
    if (IS("acknowledge_reference")) return eps_acknowledge_reference(shop, arguments[0], options, out);
    if (IS("backup_journal")) return eps_backup_journal(shop, arguments[0], options, out);
    if (IS("check")) return eps_check(shop, options, out);
    if (IS("read_metrics")) {
        eps_buffer text;
        int32_t code = eps_read_metrics(shop, &text);
        if (code != EPS_OK) {
            *out = text;
            return code;
        }
        code = eps_json_quote(text.data, out);
        eps_buffer_dispose(&text);
        return code;
    }
    if (IS("read_stats")) return eps_read_stats(shop, out);
    if (IS("code_action")) return eps_json_quote(eps_code_action(atoi(arguments[0])), out);
    if (IS("code_meaning")) return eps_json_quote(eps_code_meaning(atoi(arguments[0])), out);
    if (IS("json_quote")) return eps_json_quote(arguments[0], out);
    if (IS("json_get")) {
        const eps_buffer from = {(char *)arguments[0], strlen(arguments[0]), 0};
        eps_buffer value;
        int32_t code = eps_json_get(&from, arguments[1], &value);
        if (code == EPS_OK) {
            code = eps_json_quote(value.data, out);
            eps_buffer_dispose(&value);
        } else {
            *out = value;
        }
        return code;
    }
    fprintf(stderr, "no such call: %s\n", call);
    exit(1);
}

/* Makes the call of a case or of a step before it. */
static int32_t make_of(eps_client *shop, const cJSON *step, eps_buffer *out) {
    const cJSON *given = cJSON_GetObjectItem(step, "arguments"), *options = cJSON_GetObjectItem(step, "options");
    const char *arguments[2] = {cJSON_GetStringValue(cJSON_GetArrayItem(given, 0)),
                                cJSON_GetStringValue(cJSON_GetArrayItem(given, 1))};
    char *options_json = options ? cJSON_PrintUnformatted(options) : NULL;
    int32_t code = make(shop, cJSON_GetStringValue(cJSON_GetObjectItem(step, "call")), arguments, options_json, out);
    cJSON_free(options_json);
    return code;
}

static const char *outcome_of(int32_t code) {
    static const char *const names[] = {"completed", "declined", "pending", "notSent"};
    return names[eps_outcome(code)];
}

int main(int argc, char **argv) {
    static char text[1 << 20];
    const cJSON *each;
    cJSON *cases;
    FILE *file = argc == 3 ? fopen(argv[1], "rb") : NULL;
    int number = 0;

    if (!file) return 1;
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    cases = cJSON_Parse(text);
    cJSON_ArrayForEach(each, cases) {
        const cJSON *step;
        char config[512];
        eps_client *shop = NULL;
        eps_buffer result;
        int32_t code;

        snprintf(config, sizeof config, "{\"baseUrl\": \"%s\", \"apiKey\": \"case-%d\", \"userAgent\": \"Cases/1\", \"journal\": \"memory\"}",
                 argv[2], number);
        code = eps_client_open(EPS_ABI_VERSION, config, &shop, &result);
        if (code == EPS_OK) {
            eps_buffer_dispose(&result);
            cJSON_ArrayForEach(step, cJSON_GetObjectItem(each, "before")) {
                make_of(shop, step, &result);
                eps_buffer_dispose(&result);
            }
            code = make_of(shop, each, &result);
        }
        printf("%d\t%s\t%s\t%s\n", number++, eps_code_name(code), outcome_of(code), result.data);
        eps_buffer_dispose(&result);
        eps_client_close(shop);
    }
    cJSON_Delete(cases);
    return 0;
}
