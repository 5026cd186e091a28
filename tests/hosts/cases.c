/* Makes the call of each case (cases.json) and prints "number <TAB> code <TAB> outcome <TAB>
 * JSON". Arguments: the cases, the base URL. */
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
    if (IS("get_operation")) return eps_get_operation(shop, arguments[0], out);
    if (IS("resolve_pending")) return eps_resolve_pending(shop, options, out);
    if (IS("acknowledge")) return eps_acknowledge(shop, arguments[0], out);
    if (IS("read_stats")) return eps_read_stats(shop, out);
    fprintf(stderr, "no such call: %s\n", call);
    exit(1);
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
        const cJSON *given = cJSON_GetObjectItem(each, "arguments"), *options = cJSON_GetObjectItem(each, "options");
        const char *arguments[2] = {cJSON_GetStringValue(cJSON_GetArrayItem(given, 0)),
                                    cJSON_GetStringValue(cJSON_GetArrayItem(given, 1))};
        char config[512], *options_json = options ? cJSON_PrintUnformatted(options) : NULL;
        eps_client *shop = NULL;
        eps_buffer result;
        int32_t code;

        snprintf(config, sizeof config, "{\"baseUrl\": \"%s\", \"apiKey\": \"case-%d\", \"userAgent\": \"Cases/1\", \"journal\": \"memory\"}",
                 argv[2], number);
        code = eps_client_open(EPS_ABI_VERSION, config, &shop, &result);
        if (code == EPS_OK) {
            eps_buffer_dispose(&result);
            code = make(shop, cJSON_GetStringValue(cJSON_GetObjectItem(each, "call")), arguments, options_json, &result);
        }
        printf("%d\t%s\t%s\t%s\n", number++, eps_code_name(code), outcome_of(code), result.data);
        eps_buffer_dispose(&result);
        eps_client_close(shop);
        cJSON_free(options_json);
    }
    cJSON_Delete(cases);
    return 0;
}
