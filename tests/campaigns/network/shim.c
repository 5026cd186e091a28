/* Preloaded into the test: name resolution that hangs or returns chosen addresses, and sending
 * that hangs. Files in the folder EPS_SHIM control it, so that the test can change it at any
 * time:
 *   resolve     a FIFO: the look-up blocks until a writer has opened and closed it
 *   addresses   the addresses of "localhost", one a line, in this order
 *   send-PORT   while it exists, nothing can be sent to this port: the socket's buffer is "full" */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef int (*getaddrinfo_fn)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
typedef ssize_t (*send_fn)(int, const void *, size_t, int);

static int in_folder(char *path, size_t size, const char *name)
{
    const char *folder = getenv("EPS_SHIM");
    return folder && snprintf(path, size, "%s/%s", folder, name) < (int)size;
}

static void *next(const char *name)
{
    void *function = dlsym(RTLD_NEXT, name);
    if (!function)
        abort();
    return function;
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    getaddrinfo_fn real;
    char path[4096], line[128];
    *(void **)&real = next("getaddrinfo");
    if (!node || strcmp(node, "localhost") != 0)
        return real(node, service, hints, found);
    if (in_folder(path, sizeof path, "resolve")) {
        int gate = open(path, O_RDONLY);
        if (gate >= 0) {
            while (read(gate, line, sizeof line) > 0) {
            }
            close(gate);
        }
    }
    FILE *list = in_folder(path, sizeof path, "addresses") ? fopen(path, "r") : NULL;
    if (!list)
        return real(node, service, hints, found);
    struct addrinfo **end = found;
    int code = EAI_NONAME;
    while (fgets(line, sizeof line, list)) {
        line[strcspn(line, "\n")] = '\0';
        struct addrinfo numeric = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
        code = real(line, service, &numeric, end);
        if (code)
            break;
        while (*end)
            end = &(*end)->ai_next;
    }
    fclose(list);
    return code;
}

ssize_t send(int fd, const void *bytes, size_t length, int flags)
{
    send_fn real;
    char name[32], path[4096];
    struct sockaddr_storage peer;
    socklen_t size = sizeof peer;
    *(void **)&real = next("send");
    if (getpeername(fd, (struct sockaddr *)&peer, &size) == 0 && peer.ss_family == AF_INET) {
        snprintf(name, sizeof name, "send-%u", ntohs(((struct sockaddr_in *)&peer)->sin_port));
        if (in_folder(path, sizeof path, name) && access(path, F_OK) == 0) {
            errno = EAGAIN;
            return -1;
        }
    }
    return real(fd, bytes, length, flags);
}
