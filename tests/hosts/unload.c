/* A host that loads the library at run time, unloads it with a client open, and loads it again.
 * Argument: the library. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "engage_point_shop.h"

typedef int32_t (*open_fn)(uint32_t, const char *, eps_client **, eps_buffer *);
typedef int32_t (*stats_fn)(eps_client *, eps_buffer *);
typedef int32_t (*close_fn)(eps_client *);
typedef void (*dispose_fn)(eps_buffer *);

/* As POSIX asks for it: a pointer to data is not one to a function. */
#define FIND(module, name, function) (*(void **)&(function) = dlsym(module, name))

static void check(int holds, const char *what) {
    if (holds) return;
    fprintf(stderr, "does not hold: %s\n", what);
    exit(1);
}

int main(int argc, char **argv) {
    const char *config = "{\"baseUrl\": \"http://127.0.0.1:1\", \"userAgent\": \"Host/1\", \"journal\": \"memory\"}";
    void *module = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    open_fn open_client, again;
    stats_fn stats;
    close_fn close_client;
    dispose_fn dispose;
    eps_client *shop = NULL;
    eps_buffer result;

    check(module != NULL, "the library is loaded");
    FIND(module, "eps_client_open", open_client);
    FIND(module, "eps_read_stats", stats);
    FIND(module, "eps_client_close", close_client);
    FIND(module, "eps_buffer_dispose", dispose);
    check(open_client(EPS_ABI_VERSION, config, &shop, &result) == EPS_OK, "a client is opened");
    dispose(&result);

    check(dlclose(module) == 0, "the host lets go of the library");
    check((module = dlopen(argv[1], RTLD_NOW | RTLD_NOLOAD)) != NULL, "which stays, for its threads");
    check(stats(shop, &result) == EPS_OK, "so the client still works");
    dispose(&result);
    FIND(module, "eps_client_open", again);
    check(again == open_client, "loading it again is the same library");
    check(close_client(shop) == EPS_OK && dlclose(module) == 0, "and both are closed");
    puts("unloaded");
    return 0;
}
