/* A POS with a plug-in that has a global client and a log function.
 * Arguments: the plug-in, a folder for the journal, and what happens:
 *   unload  the plug-in is loaded, opened and unloaded 20 times;
 *   exit    main returns while calls of the plug-in wait;
 *   open    the plug-in's client is opened under the loader lock. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <winsock2.h>
#include <windows.h>

typedef int (*open_fn)(const char *);
typedef int (*wait_fn)(void);
typedef long (*lines_fn)(void);

static char config[1024];
static HMODULE module;
static SOCKET server;

static void check(int holds, const char *what) {
    if (holds) return;
    fprintf(stderr, "does not hold: %s (error %lu)\n", what, GetLastError());
    exit(1);
}

/* By way of void *: the compiler warns of a cast from one type of function to another. */
#define FIND(name, function) (*(void **)&(function) = (void *)GetProcAddress(module, name))

/* A server that takes connections and never responds. */
static int listening(void) {
    WSADATA data;
    struct sockaddr_in at;
    int size = sizeof at;

    memset(&at, 0, sizeof at);
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    check(WSAStartup(MAKEWORD(2, 2), &data) == 0, "there are sockets");
    server = socket(AF_INET, SOCK_STREAM, 0);
    check(server != INVALID_SOCKET && bind(server, (struct sockaddr *)&at, size) == 0, "a port is bound");
    check(listen(server, 16) == 0 && getsockname(server, (struct sockaddr *)&at, &size) == 0, "it listens");
    return ntohs(at.sin_port);
}

static void load(const char *plugin) {
    open_fn open_plugin;

    module = LoadLibraryA(plugin);
    check(module != NULL, "the plug-in is loaded");
    FIND("plugin_open", open_plugin);
    check(open_plugin(config), "its client is opened");
}

static DWORD WINAPI waits(void *unused) {
    wait_fn wait;

    (void)unused;
    FIND("plugin_wait", wait);
    wait();
    return 0;
}

int main(int argc, char **argv) {
    char *at, folder[512];
    int cycle, port;

    check(argc == 4, "the arguments are the plug-in, a folder and the case");
    port = listening();
    check(GetFullPathNameA(argv[2], sizeof folder, folder, NULL) > 0, "the folder has a full path");
    for (at = folder; *at; at++) {
        if (*at == '\\') *at = '/';
    }
    snprintf(config, sizeof config,
             "{\"baseUrl\": \"http://127.0.0.1:%d\", \"userAgent\": \"Host/1\", \"preconnect\": false,"
             " \"waitMs\": 500, \"journalPath\": \"%s/plugin.db\"}", port, folder);
    if (strcmp(argv[3], "open") == 0) {
        check(SetEnvironmentVariableA("PLUGIN_CONFIG", config), "the plug-in gets its configuration");
        module = LoadLibraryA(argv[1]);
        check(module != NULL, "the plug-in is loaded");
        return 0;
    }
    if (strcmp(argv[3], "unload") == 0) {
        for (cycle = 0; cycle < 20; cycle++) {
            load(argv[1]);
            check(FreeLibrary(module), "the plug-in is unloaded");
            check(GetModuleHandleA("engage_point_shop.dll") != NULL, "the library stays");
        }
        puts("unloaded");
        return 0;
    }
    load(argv[1]);
    for (cycle = 0; cycle < 4; cycle++) {
        SOCKET taken;
        char byte;

        check(CreateThread(NULL, 0, waits, NULL, 0, NULL) != NULL, "a thread is started");
        /* The first byte of the request: the call is inside the library now. */
        do {
            taken = accept(server, NULL, NULL);
        } while (taken != INVALID_SOCKET && recv(taken, &byte, 1, 0) != 1);
        check(taken != INVALID_SOCKET, "a connection is made");
    }
    puts("returns");
    fflush(stdout);
    return 0;
}
