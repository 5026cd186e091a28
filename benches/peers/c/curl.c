/* A typical till in C: libcurl with a reused handle, and cJSON. It has no journal. */
#include <curl/curl.h>

#include "list.h"

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

static void one(const order *order, void *own, long number) {
    client *my = own;
    char url[256], body[256], contact[37], purchase[37];
    long status = 0;
    CURLcode code;
    my->length = 0;
    if (order->items >= 0) {
        snprintf(url, sizeof url, "%s/api/v3/point-shop-items?contactId=a0000000-0000-4000-8000-%012ld", order->base,
                 order->items);
    } else {
        snprintf(url, sizeof url, "%s/api/v3/point-shop-items/purchase", order->base);
        fresh_id(contact, number + 500000);
        fresh_id(purchase, number);
        snprintf(body, sizeof body,
                 "{\"contactId\":\"%s\",\"pointShopItemPurchaseId\":\"%s\",\"pointShopItemId\":\"" ITEM "\"}", contact,
                 purchase);
        curl_easy_setopt(my->curl, CURLOPT_POSTFIELDS, body);
    }
    curl_easy_setopt(my->curl, CURLOPT_URL, url);
    code = curl_easy_perform(my->curl);
    curl_easy_getinfo(my->curl, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK || status != 200) fail("no response", curl_easy_strerror(code));
    if (order->items >= 0) {
        read_items(my->body, my->length, order->items);
    } else {
        cJSON *response = cJSON_ParseWithLength(my->body, my->length);
        const char *word = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(response, "status"));
        if (!word || strcmp(word, "Completed") != 0) fail("not completed", word);
        cJSON_Delete(response);
    }
}

int main(int argc, char **argv) {
    order order = read_order(argc, argv);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    measure(&order, begin(&order), begin, one);
    return 0;
}
