/* A host that loads the library at run time, unloads it with a client open, and loads it again, 20
 * times. Argument: the library. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>

#include "engage_point_shop.h"

#ifdef _WIN32
#include <windows.h>
typedef HMODULE module_t;
#define LOAD(path) LoadLibraryA(path)
#define LOADED(path) GetModuleHandleA(path)
#define UNLOAD(module) FreeLibrary(module)
#define PAUSE() Sleep(20)
/* By way of void *: the compiler warns of a cast from one type of function to another. */
#define FIND(module, name, function) (*(void **)&(function) = (void *)GetProcAddress(module, name))
#else
#include <dlfcn.h>
#include <unistd.h>
typedef void *module_t;
#define LOAD(path) dlopen(path, RTLD_NOW | RTLD_LOCAL)
#define LOADED(path) dlopen(path, RTLD_NOW | RTLD_NOLOAD)
#define UNLOAD(module) (dlclose(module) == 0)
#define PAUSE() usleep(20000)
/* As POSIX asks for it: a pointer to data is not one to a function. */
#define FIND(module, name, function) (*(void **)&(function) = dlsym(module, name))
#endif

typedef int32_t (*open_fn)(uint32_t, const char *, eps_client **, eps_buffer *);
typedef int32_t (*stats_fn)(eps_client *, eps_buffer *);
typedef int32_t (*close_fn)(eps_client *);
typedef int32_t (*log_fn)(eps_client *, int32_t, eps_log_fn, void *);
typedef void (*dispose_fn)(eps_buffer *);

static void check(int holds, const char *what) {
    if (holds) return;
    fprintf(stderr, "does not hold: %s\n", what);
    exit(1);
}

/* Slow, so that the thread that calls it runs on after the unload. */
static void slow_log(void *user, int32_t level, const char *line, size_t len) {
    (void)user, (void)level, (void)line, (void)len;
    PAUSE();
}

int main(int argc, char **argv) {
    /* The connection that is made in the background is rejected: nothing listens on port 1. */
    const char *config = "{\"baseUrl\": \"http://127.0.0.1:1\", \"userAgent\": \"Host/1\", \"journal\": \"memory\"}";
    open_fn first = NULL;
    int cycle;

    check(argc == 2, "the argument is the library");
    for (cycle = 0; cycle < 20; cycle++) {
        module_t module = LOAD(argv[1]);
        open_fn open_client;
        stats_fn stats;
        close_fn close_client;
        log_fn set_log;
        dispose_fn dispose;
        eps_client *shop = NULL;
        eps_buffer result;

        check(module != NULL, "the library is loaded");
        FIND(module, "eps_client_open", open_client);
        FIND(module, "eps_read_stats", stats);
        FIND(module, "eps_client_close", close_client);
        FIND(module, "eps_set_log", set_log);
        FIND(module, "eps_buffer_dispose", dispose);
        check(first == NULL || first == open_client, "loading it again is the same library");
        first = open_client;
        check(open_client(EPS_ABI_VERSION, config, &shop, &result) == EPS_OK, "a client is opened");
        dispose(&result);
        check(set_log(shop, EPS_LOG_DEBUG, slow_log, NULL) == EPS_OK, "a log function is set");

        check(UNLOAD(module), "the host lets go of the library");
        check(LOADED(argv[1]) != NULL, "which stays, for its threads");
        check(stats(shop, &result) == EPS_OK, "so the client still works");
        dispose(&result);
        check(close_client(shop) == EPS_OK, "it is closed");
        /* Balances LOADED on Linux; on Windows the module is not counted any more, and it stays
         * pinned. */
        (void)UNLOAD(module);
        PAUSE();
    }
    puts("unloaded");
    return 0;
}
