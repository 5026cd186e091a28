/* One call of the C API while the network hangs, and the time until it returns after its end is
 * due.
 *
 *   timed_call CONFIG CONTACT ITEM purchase|items WAITMS|cancel|close
 *
 * Prints `{"code": …, "over": …, "ending": …}` (milliseconds) when the call returns, and reads a
 * line from standard input. Unless the client is closed, it then buys once more with a long
 * wait. Exit 0 when all of that worked. */
#define _GNU_SOURCE
#include "engage_point_shop.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static eps_client *shop;
static const char *contact, *item, *kind;
static char options[64];
static int32_t code;
static double returned;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

static void *call(void *unused)
{
    eps_buffer out = {0};
    code = strcmp(kind, "items") == 0 ? eps_list_items(shop, contact, options, &out)
                                      : eps_purchase(shop, contact, item, options, &out);
    returned = now();
    eps_buffer_dispose(&out);
    return unused;
}

/* Returns whether the library has the call. Only from then on can the call be cancelled. */
static int under_way(void)
{
    eps_buffer out = {0};
    int known = eps_read_stats(shop, &out) == EPS_OK &&
                (strstr(out.data, "\"reads\":1") || strstr(out.data, "\"pending\":1"));
    eps_buffer_dispose(&out);
    return known;
}

int main(int argc, char **argv)
{
    eps_buffer out = {0};
    pthread_t caller;
    if (argc != 6)
        return 2;
    contact = argv[2], item = argv[3], kind = argv[4];
    const char *end = argv[5];
    int cancels = strcmp(end, "cancel") == 0, closes = strcmp(end, "close") == 0;
    snprintf(options, sizeof options, "{\"waitMs\":%s}", cancels || closes ? "60000" : end);
    if (eps_client_open(EPS_ABI_VERSION, argv[1], &shop, &out) != EPS_OK) {
        fprintf(stderr, "%s\n", out.data);
        return 3;
    }
    eps_buffer_dispose(&out);

    double due = now(), ended = due;
    if (pthread_create(&caller, NULL, call, NULL) != 0)
        return 4;
    if (cancels || closes) {
        while (!under_way()) {
            struct timespec moment = {.tv_nsec = 1000000};
            nanosleep(&moment, NULL);
        }
        due = now();
        if ((cancels ? eps_cancel(shop) : eps_client_close(shop)) != EPS_OK)
            return 5;
        ended = now();
    } else {
        due += atof(end);
        ended = due;
    }
    pthread_join(caller, NULL);
    printf("{\"code\": %d, \"over\": %.1f, \"ending\": %.1f}\n", code, returned - due, ended - due);
    fflush(stdout);

    getchar();
    if (!closes) {
        /* The purchase has its own id. Without one it would be the existing purchase. */
        char fresh[128];
        if (eps_new_id(&out) != EPS_OK)
            return 6;
        snprintf(fresh, sizeof fresh, "{\"purchaseId\":%s}", out.data);
        eps_buffer_dispose(&out);
        int32_t bought = eps_purchase(shop, contact, item, fresh, &out);
        if (bought != EPS_OK) {
            fprintf(stderr, "%s\n", out.data);
            return 7;
        }
        eps_buffer_dispose(&out);
        eps_client_close(shop);
    }
    return 0;
}
