/* Another thread of the till that forks at the worst moment: preloaded into it. Each open of a
 * journal's file forks a child before it returns. The child prints "started PID" and ends with the
 * till's input. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static void fork_child(void) {
    char line[32];
    if (fork() != 0) return;
    int length = snprintf(line, sizeof line, "started %d\n", (int)getpid());
    if (write(1, line, length) != length) _exit(1);
    struct pollfd input = {0, 0, 0};
    while (poll(&input, 1, -1) < 0) {}
    _exit(0);
}

int open64(const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
    va_end(more);
    int opened = ((__typeof__(&open64))dlsym(RTLD_NEXT, "open64"))(path, flags, mode);
    if (opened >= 0 && strstr(path, "journal.db")) fork_child();
    return opened;
}
