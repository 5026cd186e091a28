/* The library through its C ABI: items:NUMBER, purchase, redeem,
 * operation, sale, or press: a purchase after a break, pressed until it is completed.
 * EPS_BENCH_JOURNAL names the journal (default: in memory). EPS_BENCH_PARSE also reads the lists
 * with cJSON. EPS_BENCH_SYSTEM adds the system's root certificates to CA. EPS_BENCH_AFTER is
 * created before the first request. */
#include <engage_point_shop.h>

#include "list.h"

static eps_client *shop;

static void must(int32_t code, const eps_buffer *result) {
    if (code != EPS_OK) fail("no result", result->data);
}

/* A whole sale: the list, a purchase, its reward, the redeem, and both are acknowledged. */
static void sale(eps_client *own, long number) {
    const char *contact = "a0000000-0000-4000-8000-000000000010";
    char id[37], options[80], operation[37];
    eps_buffer result, text;
    must(eps_list_items(own, contact, NULL, &result), &result);
    eps_buffer_dispose(&result);
    fresh_id(id, number);
    snprintf(options, sizeof options, "{\"purchaseId\":\"%s\"}", id);
    must(eps_purchase(own, contact, ITEM, options, &result), &result);
    eps_buffer_dispose(&result);
    must(eps_find_reward(own, id, NULL, &result), &result);
    must(eps_json_get(&result, "/assignmentId", &text), &result);
    eps_buffer_dispose(&result);
    must(eps_redeem_reward(own, contact, text.data, NULL, &result), &result);
    eps_buffer_dispose(&text);
    must(eps_json_get(&result, "/operationId", &text), &result);
    snprintf(operation, sizeof operation, "%s", text.data);
    eps_buffer_dispose(&text);
    eps_buffer_dispose(&result);
    must(eps_acknowledge(own, id, &result), &result);
    eps_buffer_dispose(&result);
    must(eps_acknowledge(own, operation, &result), &result);
    eps_buffer_dispose(&result);
}

static void *begin(const order *order) {
    (void)order;
    return shop;
}

static void one(const order *order, void *own, long number) {
    static char purchased[37];
    char contact[64], id[37], options[80];
    eps_buffer result;
    int32_t code;
    if (strcmp(order->what, "sale") == 0) {
        sale(own, number);
        return;
    }
    if (order->items >= 0) {
        snprintf(contact, sizeof contact, "a0000000-0000-4000-8000-%012ld", order->items);
        code = eps_list_items(own, contact, NULL, &result);
    } else if (strcmp(order->what, "operation") == 0 && purchased[0]) {
        code = eps_get_operation(own, purchased, &result);
    } else if (strcmp(order->what, "redeem") == 0) {
        fresh_id(id, number);
        /* Without the member no list of rewards is read before. */
        code = eps_redeem_reward(own, NULL, id, NULL, &result);
    } else {
        fresh_id(contact, number + 500000);
        fresh_id(id, number);
        snprintf(options, sizeof options, "{\"purchaseId\":\"%s\"}", id);
        code = eps_purchase(own, contact, ITEM, options, &result);
        if (!purchased[0]) memcpy(purchased, id, sizeof id);
    }
    must(code, &result);
    if (order->items >= 0 && getenv("EPS_BENCH_PARSE")) read_items(result.data, result.len, order->items);
    eps_buffer_dispose(&result);
}

/* Makes a purchase, and after the break, which the input announces, one more. */
static void press(const order *order) {
    char id[37], options[80], line[16];
    eps_buffer result;
    double began = clock_us(CLOCK_MONOTONIC);
    int32_t code;
    one(order, shop, 0);
    printf("first %.0f\n", clock_us(CLOCK_MONOTONIC) - began);
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin)) exit(0);
    fresh_id(id, 1);
    snprintf(options, sizeof options, "{\"purchaseId\":\"%s\"}", id);
    began = clock_us(CLOCK_MONOTONIC);
    do {
        code = eps_purchase(shop, "a0000000-0000-4000-8000-000000000010", ITEM, options, &result);
        eps_buffer_dispose(&result);
    } while (code <= -500 && code > -600);
    if (code != EPS_OK) fail("not completed", NULL);
    printf("p50 %.1f cpu 0\n", clock_us(CLOCK_MONOTONIC) - began);
}

int main(int argc, char **argv) {
    order order = read_order(argc, argv), before = order;
    const char *journal = getenv("EPS_BENCH_JOURNAL"), *after = getenv("EPS_BENCH_AFTER");
    char config[1024];
    eps_buffer result;
    double began;
    snprintf(config, sizeof config,
             "{\"baseUrl\":\"%s\",\"apiKey\":\"key\",\"userAgent\":\"Fixture/1.0\",\"waitMs\":600000,\"caFile\":\"%s\",\"systemTrust\":%s,\"%s\":\"%s\"}",
             order.base, order.ca, getenv("EPS_BENCH_SYSTEM") ? "true" : "false", journal ? "journalPath" : "journal",
             journal ? journal : "memory");
    began = clock_us(CLOCK_MONOTONIC);
    if (eps_client_open(EPS_ABI_VERSION, config, &shop, &result) != EPS_OK) fail("not opened", result.data);
    eps_buffer_dispose(&result);
    printf("open %.0f\n", clock_us(CLOCK_MONOTONIC) - began);
    if (after) {
        before.what = after;
        before.items = items_of(after);
        one(&before, shop, 999999);
    }
    if (strcmp(order.what, "press") == 0) press(&order);
    else measure(&order, begin(&order), begin, one);
    return eps_client_close(shop) == EPS_OK ? 0 : 1;
}
