/* The library through its C ABI. EPS_BENCH_JOURNAL names the journal (default: in memory).
 * EPS_BENCH_PARSE also reads the lists with cJSON. EPS_BENCH_SYSTEM adds the system's root
 * certificates to CA. EPS_BENCH_AFTER is created before the first request. */
#include <engage_point_shop.h>

#include "list.h"

static eps_client *shop;

static void *begin(const order *order) {
    (void)order;
    return shop;
}

static void one(const order *order, void *own, long number) {
    char contact[64], purchase[37], options[80];
    eps_buffer result;
    int32_t code;
    if (order->items >= 0) {
        snprintf(contact, sizeof contact, "a0000000-0000-4000-8000-%012ld", order->items);
        code = eps_list_items(own, contact, NULL, &result);
    } else {
        fresh_id(contact, number + 500000);
        fresh_id(purchase, number);
        snprintf(options, sizeof options, "{\"purchaseId\":\"%s\"}", purchase);
        code = eps_purchase(own, contact, ITEM, options, &result);
    }
    if (code != EPS_OK) fail("no result", result.data);
    if (order->items >= 0 && getenv("EPS_BENCH_PARSE")) read_items(result.data, result.len, order->items);
    eps_buffer_dispose(&result);
}

int main(int argc, char **argv) {
    order order = read_order(argc, argv), before = order;
    const char *journal = getenv("EPS_BENCH_JOURNAL"), *after = getenv("EPS_BENCH_AFTER");
    char config[1024];
    eps_buffer result;
    double began;
    snprintf(config, sizeof config,
             "{\"baseUrl\":\"%s\",\"apiKey\":\"key\",\"userAgent\":\"Fixture/1.0\",\"caFile\":\"%s\",\"systemTrust\":%s,\"%s\":\"%s\"}",
             order.base, order.ca, getenv("EPS_BENCH_SYSTEM") ? "true" : "false", journal ? "journalPath" : "journal",
             journal ? journal : "memory");
    began = clock_us(CLOCK_MONOTONIC);
    if (eps_client_open(EPS_ABI_VERSION, config, &shop, &result) != EPS_OK) fail("not opened", result.data);
    eps_buffer_dispose(&result);
    printf("open %.0f\n", clock_us(CLOCK_MONOTONIC) - began);
    if (after) {
        before.items = items_of(after);
        one(&before, shop, 999999);
    }
    measure(&order, begin(&order), begin, one);
    return eps_client_close(shop) == EPS_OK ? 0 : 1;
}
