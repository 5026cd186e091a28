/* A disk that can be frozen, as a snapshot of a virtual machine or `fsfreeze` does it: preloaded
 * into a till. While the file that FREEZE names exists, no write to a file, no sync and no open for
 * writing returns. FREEZE_BELOW names the only folder that is frozen. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static int is_below(const char *path) {
    const char *folder = getenv("FREEZE_BELOW");
    return !folder || strncmp(path, folder, strlen(folder)) == 0;
}

static void wait_for_thaw(void) {
    const char *flag = getenv("FREEZE");
    struct timespec moment = {0, 2000000};
    while (flag && access(flag, F_OK) == 0) nanosleep(&moment, NULL);
}

static void wait_while_frozen(int file) {
    char name[64], path[4096];
    struct stat about;
    if (fstat(file, &about) != 0 || !S_ISREG(about.st_mode)) return;
    snprintf(name, sizeof name, "/proc/self/fd/%d", file);
    ssize_t length = readlink(name, path, sizeof path - 1);
    path[length > 0 ? length : 0] = 0;
    if (is_below(path)) wait_for_thaw();
}

/* The system's function of this name. */
#define SYSTEM(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t at) {
    wait_while_frozen(file);
    return SYSTEM(pwrite64)(file, bytes, count, at);
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t at) {
    wait_while_frozen(file);
    return SYSTEM(pwrite)(file, bytes, count, at);
}

ssize_t write(int file, const void *bytes, size_t count) {
    wait_while_frozen(file);
    return SYSTEM(write)(file, bytes, count);
}

int fdatasync(int file) {
    wait_while_frozen(file);
    return SYSTEM(fdatasync)(file);
}

int fsync(int file) {
    wait_while_frozen(file);
    return SYSTEM(fsync)(file);
}

int ftruncate64(int file, off64_t length) {
    wait_while_frozen(file);
    return SYSTEM(ftruncate64)(file, length);
}

static mode_t before_open(const char *path, int flags, va_list more) {
    /* Without FREEZE_BELOW the flag itself is opened for writing. */
    if ((flags & O_ACCMODE) != O_RDONLY && getenv("FREEZE_BELOW") && is_below(path)) wait_for_thaw();
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
}

int open64(const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    mode_t mode = before_open(path, flags, more);
    va_end(more);
    return SYSTEM(open64)(path, flags, mode);
}

int open(const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    mode_t mode = before_open(path, flags, more);
    va_end(more);
    return SYSTEM(open)(path, flags, mode);
}
