/* A program whose default is another calling convention (-mrtd). It uses the C library only: MinGW
 * does not link Windows' own functions so. With OTHER_CALLBACK it must not compile. */
#include <stdio.h>
#include <string.h>

#include "engage_point_shop.h"

#ifdef OTHER_CALLBACK
#define CALLBACK_CALL
#else
#define CALLBACK_CALL EPS_CALL
#endif

static int lines;

static void CALLBACK_CALL count(void *user, int32_t level, const char *line, size_t len) {
    (void)level;
    if (strlen(line) == len) ++*(int *)user;
}

int __cdecl main(void) {
    static const char contact[] = "a0000000-0000-4000-8000-000000000001";
    static const char offline[] = "{\"baseUrl\": \"http://127.0.0.1:1\", \"userAgent\": \"Host/1\", \"journal\": \"memory\","
                                  " \"preconnect\": false, \"waitMs\": 5000}";
    eps_client *client = NULL;
    eps_buffer out;
    int right = 0;

    if (eps_client_open(EPS_ABI_VERSION, "{\"baseUrl\": \"echo:\", \"userAgent\": \"Host/1\"}", &client, &out) != EPS_OK) {
        fprintf(stderr, "not opened: %s\n", out.data);
        return 1;
    }
    eps_buffer_dispose(&out);
    /* A stack that moves with each call would end in the guard page, or return elsewhere. */
    for (int i = 0; i < 200000; i++) {
        right += eps_list_items(client, contact, NULL, &out) == EPS_OK && out.data && strstr(out.data, contact);
        eps_buffer_dispose(&out);
    }
    if (eps_client_close(client) != EPS_OK) return 1;
    /* The other way: the library calls. Nobody listens at this address. */
    if (eps_client_open(EPS_ABI_VERSION, offline, &client, &out) != EPS_OK) {
        fprintf(stderr, "not opened: %s\n", out.data);
        return 1;
    }
    eps_buffer_dispose(&out);
    if (eps_set_log(client, EPS_LOG_DEBUG, count, &lines) != EPS_OK) return 1;
    for (int i = 0; i < 20; i++) {
        eps_list_items(client, contact, NULL, &out);
        eps_buffer_dispose(&out);
    }
    if (eps_client_close(client) != EPS_OK) return 1;
    printf("called%s%s\n", right == 200000 ? "" : ", with wrong results", lines > 0 ? "" : ", without a line");
    return 0;
}
