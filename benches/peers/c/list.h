/* Reads each item's id, title and cost, as a till does with a list. */
#ifndef LIST_H
#define LIST_H

#include <cjson/cJSON.h>

#include "meter.h"

static void read_items(const char *json, size_t length, long expected) {
    cJSON *list = cJSON_ParseWithLength(json, length), *item;
    long found = 0;
    cJSON_ArrayForEach(item, list) {
        const cJSON *presentation = cJSON_GetObjectItemCaseSensitive(item, "presentation");
        const char *id = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "id"));
        const char *title = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(presentation, "title"));
        const cJSON *cost = cJSON_GetObjectItemCaseSensitive(item, "cost");
        found += id && title && cJSON_IsNumber(cost);
    }
    if (found != expected) fail("not the items that were due", json);
    cJSON_Delete(list);
}

#endif
