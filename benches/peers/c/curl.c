/* A typical till in C: libcurl with a reused handle, and cJSON. It has no journal. */
#include <curl/curl.h>

#include "list.h"

#define MEMBERS "a0000000-0000-4000-8000-"
#define ITEMS_OF_A_SALE 10L

typedef struct {
    CURL *curl;
    struct curl_slist *headers;
    char *body;
    size_t length, capacity;
} client;

static size_t append(char *bytes, size_t size, size_t count, void *to) {
    client *my = to;
    if (my->length + size * count > my->capacity) {
        my->capacity = 2 * (my->length + size * count);
        my->body = realloc(my->body, my->capacity);
    }
    memcpy(my->body + my->length, bytes, size * count);
    my->length += size * count;
    return size * count;
}

static void *begin(const order *order) {
    client *my = calloc(1, sizeof *my);
    my->curl = curl_easy_init();
    my->headers = curl_slist_append(my->headers, "Content-Type: application/json");
    my->headers = curl_slist_append(my->headers, "Accept: application/json");
    my->headers = curl_slist_append(my->headers, "apikey: key");
    curl_easy_setopt(my->curl, CURLOPT_HTTPHEADER, my->headers);
    curl_easy_setopt(my->curl, CURLOPT_USERAGENT, "Fixture/1.0");
    curl_easy_setopt(my->curl, CURLOPT_CAINFO, order->ca);
    curl_easy_setopt(my->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(my->curl, CURLOPT_TIMEOUT, 60L);
    curl_easy_setopt(my->curl, CURLOPT_WRITEFUNCTION, append);
    curl_easy_setopt(my->curl, CURLOPT_WRITEDATA, my);
    return my;
}

/* Makes a GET, or a POST where there is a body. */
static void ask(client *my, const char *url, const char *body) {
    long status = 0;
    CURLcode code;
    my->length = 0;
    if (body) curl_easy_setopt(my->curl, CURLOPT_POSTFIELDS, body);
    else curl_easy_setopt(my->curl, CURLOPT_HTTPGET, 1L);
    curl_easy_setopt(my->curl, CURLOPT_URL, url);
    code = curl_easy_perform(my->curl);
    curl_easy_getinfo(my->curl, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK || status != 200) fail("no response", curl_easy_strerror(code));
}

static void list(const order *order, client *my, long items) {
    char url[256];
    snprintf(url, sizeof url, "%s/api/v3/point-shop-items?contactId=" MEMBERS "%012ld", order->base, items);
    ask(my, url, NULL);
    read_items(my->body, my->length, items);
}

static void purchase(const order *order, client *my, long number) {
    char url[256], body[256], contact[37], id[37];
    cJSON *response;
    const char *word;
    snprintf(url, sizeof url, "%s/api/v3/point-shop-items/purchase", order->base);
    fresh_id(contact, number + 500000);
    fresh_id(id, number);
    snprintf(body, sizeof body,
             "{\"contactId\":\"%s\",\"pointShopItemPurchaseId\":\"%s\",\"pointShopItemId\":\"" ITEM "\"}", contact, id);
    ask(my, url, body);
    response = cJSON_ParseWithLength(my->body, my->length);
    word = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(response, "status"));
    if (!word || strcmp(word, "Completed") != 0) fail("not completed", word);
    cJSON_Delete(response);
}

/* Reads the list of rewards and redeems the first one. */
static void redeem(const order *order, client *my) {
    char url[256];
    cJSON *rewards, *response;
    const char *id;
    snprintf(url, sizeof url, "%s/api/v3/promotion-assignments?contactId=" MEMBERS "%012ld&redemptionChannelType=POS",
             order->base, ITEMS_OF_A_SALE);
    ask(my, url, NULL);
    rewards = cJSON_ParseWithLength(my->body, my->length);
    id = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(rewards, 0), "id"));
    if (!id) fail("no reward", NULL);
    snprintf(url, sizeof url, "%s/api/v3/promotion-assignments/%s/redeem", order->base, id);
    cJSON_Delete(rewards);
    ask(my, url, "{\"redemptionChannelType\":\"POS\"}");
    response = cJSON_ParseWithLength(my->body, my->length);
    if (!cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(response, "redeemed"))) fail("not redeemed", NULL);
    cJSON_Delete(response);
}

static void one(const order *order, void *own, long number) {
    if (order->items >= 0) {
        list(order, own, order->items);
    } else if (strcmp(order->what, "sale") == 0) {
        list(order, own, ITEMS_OF_A_SALE);
        purchase(order, own, number);
        redeem(order, own);
    } else {
        purchase(order, own, number);
    }
}

int main(int argc, char **argv) {
    order order = read_order(argc, argv);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    measure(&order, begin(&order), begin, one);
    return 0;
}
