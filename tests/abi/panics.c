/* Makes the exported function that EPS_TEST_PANIC names panic. Checks the result of that call
 * and of the next call.
 *
 *   panics FUNCTION
 *
 * Needs the library with `fault-injection`. Exit 0: as promised. Exit 1: not as promised,
 * standard output says how. Exit 2: there is no such function here. */
#include "engage_point_shop.h"
#include <stdio.h>
#include <string.h>

#define SOMEBODY "a0000000-0000-4000-8000-000000000001"
#define SOMETHING "b0000000-0000-4000-8000-000000000001"

static const char config[] = "{\"baseUrl\":\"http://127.0.0.1:9\",\"userAgent\":\"TestPOS/1.0\",\"journal\":\"memory\"}";
static eps_client *shop;
static eps_buffer out;
static int failed;

static void check(int holds, const char *what)
{
    if (!holds) {
        printf("not so: %s\n", what);
        failed = 1;
    }
}

/* Checks a call that fills a buffer. */
static void responses(int32_t code)
{
    check(code == -900, "it returns EPS_INTERNAL");
    check(out.data && strstr(out.data, "\"code\":-900") && strstr(out.data, "\"name\":\"EPS_INTERNAL\""),
          "the buffer holds the problem object");
    check(out.data && strstr(out.data, "\"outcome\":\"pending\"") && strstr(out.data, "\"message\":\""),
          "the problem object has an outcome and a message");
    eps_buffer_dispose(&out);
}

static void open_shop(void)
{
    check(eps_client_open(EPS_ABI_VERSION, config, &shop, &out) == EPS_OK, "a client opens");
    eps_buffer_dispose(&out);
}

static void log_line(void *user, int32_t level, const char *line, size_t len)
{
    (void)user, (void)level, (void)line, (void)len;
}

static void notify(void *user, const char *json, size_t len)
{
    (void)user, (void)json, (void)len;
}

int main(int argc, char **argv)
{
    const char *name = argc == 2 ? argv[1] : "";
    int known = 1;
#define IS(function) (strcmp(name, #function) == 0)
    if (!IS(eps_client_open))
        open_shop();
    if (IS(eps_client_open)) {
        responses(eps_client_open(EPS_ABI_VERSION, config, &shop, &out));
        check(shop == NULL, "no client is given");
    } else if (IS(eps_client_close))
        check(eps_client_close(shop) == -900, "it returns EPS_INTERNAL");
    else if (IS(eps_cancel))
        check(eps_cancel(shop) == -900, "it returns EPS_INTERNAL");
    else if (IS(eps_cancel_call))
        check(eps_cancel_call(shop, "x") == -900, "it returns EPS_INTERNAL");
    else if (IS(eps_find_contact))
        responses(eps_find_contact(shop, "any", "x", NULL, &out));
    else if (IS(eps_list_points))
        responses(eps_list_points(shop, SOMEBODY, NULL, &out));
    else if (IS(eps_list_items))
        responses(eps_list_items(shop, SOMEBODY, NULL, &out));
    else if (IS(eps_purchase))
        responses(eps_purchase(shop, SOMEBODY, SOMETHING, NULL, &out));
    else if (IS(eps_list_purchases))
        responses(eps_list_purchases(shop, SOMEBODY, NULL, &out));
    else if (IS(eps_list_rewards))
        responses(eps_list_rewards(shop, SOMEBODY, NULL, &out));
    else if (IS(eps_find_reward))
        responses(eps_find_reward(shop, SOMETHING, NULL, &out));
    else if (IS(eps_redeem_reward))
        responses(eps_redeem_reward(shop, SOMEBODY, SOMETHING, NULL, &out));
    else if (IS(eps_list_unacknowledged))
        responses(eps_list_unacknowledged(shop, NULL, &out));
    else if (IS(eps_list_operations))
        responses(eps_list_operations(shop, NULL, &out));
    else if (IS(eps_get_operation))
        responses(eps_get_operation(shop, SOMETHING, &out));
    else if (IS(eps_resolve_pending))
        responses(eps_resolve_pending(shop, NULL, &out));
    else if (IS(eps_acknowledge))
        responses(eps_acknowledge(shop, SOMETHING, &out));
    else if (IS(eps_resolve_review))
        responses(eps_resolve_review(shop, SOMETHING, "completed", NULL, &out));
    else if (IS(eps_acknowledge_reference))
        responses(eps_acknowledge_reference(shop, "receipt 1", NULL, &out));
    else if (IS(eps_backup_journal))
        responses(eps_backup_journal(shop, "/copy.db", NULL, &out));
    else if (IS(eps_check))
        responses(eps_check(shop, NULL, &out));
    else if (IS(eps_read_metrics))
        responses(eps_read_metrics(shop, &out));
    else if (IS(eps_read_stats))
        responses(eps_read_stats(shop, &out));
    else if (IS(eps_set_log))
        check(eps_set_log(shop, EPS_LOG_DEBUG, log_line, NULL) == -900, "it returns EPS_INTERNAL");
    else if (IS(eps_set_notify))
        check(eps_set_notify(shop, notify, NULL) == -900, "it returns EPS_INTERNAL");
    else if (IS(eps_new_id))
        responses(eps_new_id(&out));
    else if (IS(eps_buffer_dispose)) {
        eps_buffer empty = {0};
        eps_buffer_dispose(&empty);
        check(empty.data == NULL && empty.len == 0 && empty.reserved == 0, "an empty buffer stays empty");
    } else if (IS(eps_outcome))
        check(eps_outcome(EPS_OK) == EPS_OUTCOME_PENDING, "it says pending, which is never wrong");
    else if (IS(eps_code_name))
        check(strcmp(eps_code_name(EPS_OK), "EPS_INTERNAL") == 0, "it gives a text that says so");
    else if (IS(eps_code_action))
        check(strcmp(eps_code_action(EPS_OK), "fixProgram") == 0, "it gives the action of EPS_INTERNAL");
    else if (IS(eps_code_meaning))
        check(strstr(eps_code_meaning(EPS_OK), "a caught panic") != NULL, "it gives a text that says so");
    else if (IS(eps_json_get)) {
        eps_buffer from = {(char *)"7", 1, 0};
        responses(eps_json_get(&from, "", &out));
    } else if (IS(eps_json_quote))
        responses(eps_json_quote("x", &out));
    else if (IS(eps_version))
        check(strcmp(eps_version(), "") == 0, "it gives an empty text");
    else if (IS(eps_abi_version))
        check(eps_abi_version() == 0, "it gives a version that no program has");
    else
        known = 0;

    /* The library keeps working: the open client works, and new clients work. */
    out = (eps_buffer){0};
    if (!IS(eps_client_open) && !IS(eps_read_stats))
        check(eps_read_stats(shop, &out) == EPS_OK && out.data && strstr(out.data, "\"reads\":"), "the client still responses");
    eps_buffer_dispose(&out);
    if (!IS(eps_abi_version))
        check(eps_abi_version() == EPS_ABI_VERSION, "another function works");
    if (!IS(eps_client_close) && !IS(eps_client_open))
        check(eps_client_close(shop) == EPS_OK, "the client can be closed");
    return known ? failed : 2;
}
