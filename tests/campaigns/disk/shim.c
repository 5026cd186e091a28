/* A bad disk, and a recorder of a good disk. Preloaded into a till, the shim stands between the
 * library and the C library's file functions. The shim touches only paths that start with
 * EPS_DISK_PREFIX. It also records standard output and sockets.
 *
 * EPS_DISK_FAIL=<n>:<EIO|ENOSPC|EROFS|EACCES|SHORT>:<once|ever>
 *     The n-th operation that can fail in this way fails ("ever": and every later one).
 *     SHORT writes half of the bytes.
 * EPS_DISK_FAIL=<n>:KILL:once
 *     SIGKILL before the n-th operation.
 * EPS_DISK_RECORD=<file>
 *     Every effect in order, one entry a line, some followed by bytes and a newline:
 *         create P | write P OFFSET LENGTH + bytes | truncate P LENGTH | sync P | unlink P
 *         rename P TO | folder P | output LENGTH + bytes (standard output)
 *         sent SOCKET LENGTH + bytes | got SOCKET LENGTH + bytes
 *         fault N OPERATION P | operations N (at exit)
 *         unknown FUNCTION P (a function that the shim cannot fail) */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILES 1024
#define EXPORT __attribute__((visibility("default")))

/* Returns the original function. It is resolved at each call: a till makes few calls, and there
 * is no state to get wrong. */
#define REAL(name, type) ((type)behind(#name))

typedef int (*open_fn)(const char *, int, ...);
typedef int (*openat_fn)(int, const char *, int, ...);
typedef int (*path_fn)(const char *);
typedef int (*path_int_fn)(const char *, int);
typedef int (*two_paths_fn)(const char *, const char *);
typedef int (*fd_fn)(int);
typedef int (*fd_off_fn)(int, off_t);
typedef int (*fcntl_fn)(int, int, ...);
typedef ssize_t (*pwrite_fn)(int, const void *, size_t, off_t);
typedef ssize_t (*pread_fn)(int, void *, size_t, off_t);
typedef ssize_t (*write_fn)(int, const void *, size_t);
typedef ssize_t (*read_fn)(int, void *, size_t);
typedef ssize_t (*send_fn)(int, const void *, size_t, int);
typedef ssize_t (*recv_fn)(int, void *, size_t, int);
typedef ssize_t (*iov_fn)(int, const struct iovec *, int);

/* The kinds of faults that an operation can have. */
enum { LOOKS = 1, READS = 2, LOCKS = 4, OPENS = 8, WRITES = 16, SYNCS = 32, REMOVES = 64 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *paths[FILES]; /* of the open files of ours */
static const char *prefix;
static int record = -1;
static long fail_at, operations;
static int fail_errno, fail_short, fail_kill, fail_ever, fail_kinds;

static void *behind(const char *name) {
    void *function = dlsym(RTLD_NEXT, name);
    if (!function) abort();
    return function;
}

/* Ends the program at an error of the shim itself. Otherwise the test would judge another run. */
static void give_up(const char *why) {
    static const char says[] = "disk shim: ";
    syscall(SYS_write, 2, says, sizeof says - 1);
    syscall(SYS_write, 2, why, strlen(why));
    syscall(SYS_write, 2, "\n", 1);
    _exit(99);
}

static void note(const void *bytes, size_t length, const char *format, ...) {
    if (record < 0) return;
    char line[PATH_MAX + 128];
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (written < 0 || (size_t)written >= sizeof line) give_up("a line of the record is too long");
    struct iovec parts[3] = {{line, (size_t)written}, {(void *)bytes, length}, {"\n", bytes ? 1 : 0}};
    long whole = written + (long)length + (bytes ? 1 : 0);
    if (syscall(SYS_writev, record, parts, 3) != whole) give_up("the record cannot be written");
}

__attribute__((constructor)) static void begin(void) {
    prefix = getenv("EPS_DISK_PREFIX");
    const char *to = getenv("EPS_DISK_RECORD");
    if (to) record = (int)syscall(SYS_openat, AT_FDCWD, to, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (to && record < 0) give_up("EPS_DISK_RECORD cannot be opened");
    const char *fail = getenv("EPS_DISK_FAIL");
    if (!fail) return;
    char what[16], how[16];
    if (sscanf(fail, "%ld:%15[A-Z]:%15[a-z]", &fail_at, what, how) != 3) give_up("EPS_DISK_FAIL is not <n>:<errno>:<once|ever>");
    static const struct { const char *name; int number, kinds; } troubles[] = {
        {"EIO", EIO, LOOKS | READS | OPENS | WRITES | SYNCS | REMOVES},
        {"ENOSPC", ENOSPC, OPENS | WRITES | SYNCS},
        {"EROFS", EROFS, OPENS | WRITES | SYNCS | REMOVES},
        {"EACCES", EACCES, LOOKS | OPENS | LOCKS | REMOVES},
        {"SHORT", ENOSPC, WRITES},
        {"KILL", EINTR, LOOKS | READS | LOCKS | OPENS | WRITES | SYNCS | REMOVES},
    };
    for (size_t at = 0; at < sizeof troubles / sizeof *troubles; at++)
        if (!strcmp(what, troubles[at].name)) {
            fail_errno = troubles[at].number;
            fail_kinds = troubles[at].kinds;
            fail_short = !strcmp(what, "SHORT");
            fail_kill = !strcmp(what, "KILL");
        }
    fail_ever = !strcmp(how, "ever");
    if (!fail_errno || (!fail_ever && strcmp(how, "once"))) give_up("EPS_DISK_FAIL names an unknown errno or time");
}

__attribute__((destructor)) static void end(void) { note(NULL, 0, "operations %ld\n", operations); }

static int ours(const char *path) { return prefix && path && !strncmp(path, prefix, strlen(prefix)); }

static const char *path_of(int fd) { return fd >= 0 && fd < FILES ? paths[fd] : NULL; }

/* Counts an operation on a recorded path. Returns true when it must fail, with errno set. The
 * lock is held. */
static int fails(int kind, const char *name, const char *path) {
    if (!(fail_kinds & kind) && fail_at) return 0;
    operations++;
    if (!fail_at || operations < fail_at || (operations > fail_at && !fail_ever)) return 0;
    note(NULL, 0, "fault %ld %s %s\n", operations, name, path);
    if (fail_kill) syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
    errno = fail_errno;
    return 1;
}

/* Makes `call` under the lock, so that the record's order is the order of the effects. */
#define ON(path, kind, name, failed, call, effect)                \
    do {                                                          \
        pthread_mutex_lock(&lock);                                \
        __typeof__(call) result_;                                 \
        if (fails(kind, name, path)) {                            \
            result_ = (failed);                                   \
        } else {                                                  \
            result_ = (call);                                     \
            int errno_ = errno;                                   \
            if (result_ >= 0) { effect; }                         \
            errno = errno_;                                       \
        }                                                         \
        int errno_ = errno;                                       \
        pthread_mutex_unlock(&lock);                              \
        errno = errno_;                                           \
        return result_;                                           \
    } while (0)

static int opened(int fd, const char *path, int existed) {
    if (fd >= FILES) give_up("too many open files");
    free(paths[fd]);
    paths[fd] = strdup(path);
    if (!existed) note(NULL, 0, "create %s\n", path);
    return fd;
}

static int is_there(const char *path) { return syscall(SYS_faccessat, AT_FDCWD, path, F_OK) == 0; }

static int open_ours(const char *name, const char *path, int flags, mode_t mode) {
    int existed = is_there(path);
    /* A file that is only read opens on a read-only disk too. An existing file opens on a full
     * disk. */
    int creates = (flags & O_CREAT) && !existed;
    int kind = creates || ((flags & O_ACCMODE) != O_RDONLY && fail_errno != ENOSPC) ? OPENS : LOOKS;
    ON(path, kind, name, -1, REAL(open, open_fn)(path, flags, mode), {
        opened(result_, path, existed);
        if (flags & O_TRUNC && existed) note(NULL, 0, "truncate %s 0\n", path);
    });
}

#define MODE(flags, mode)                          \
    mode_t mode = 0;                               \
    if (flags & (O_CREAT | O_TMPFILE)) {           \
        va_list arguments;                         \
        va_start(arguments, flags);                \
        mode = (mode_t)va_arg(arguments, int);     \
        va_end(arguments);                         \
    }

#define OPEN(name)                                                          \
    EXPORT int name(const char *path, int flags, ...) {                     \
        MODE(flags, mode)                                                   \
        if (ours(path)) return open_ours(#name, path, flags, mode);         \
        return REAL(name, open_fn)(path, flags, mode);                      \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                        \
    EXPORT int name(int folder, const char *path, int flags, ...) {         \
        MODE(flags, mode)                                                   \
        if (ours(path)) return open_ours(#name, path, flags, mode);         \
        return REAL(name, openat_fn)(folder, path, flags, mode);            \
    }
OPENAT(openat)
OPENAT(openat64)

EXPORT int close(int fd) {
    pthread_mutex_lock(&lock);
    if (path_of(fd)) {
        free(paths[fd]);
        paths[fd] = NULL;
    }
    pthread_mutex_unlock(&lock);
    return REAL(close, fd_fn)(fd);
}

static size_t part_of(size_t length) { return fail_short ? length / 2 : 0; }

/* A write that fails in part leaves its part on the disk. */
static ssize_t write_ours(const char *name, int fd, const void *bytes, size_t length, off_t offset) {
    const char *path = path_of(fd);
    pthread_mutex_lock(&lock);
    int errno_ = 0, failed = fails(WRITES, name, path);
    ssize_t result;
    if (failed) errno_ = errno;
    size_t asked = failed ? part_of(length) : length;
    if (failed && asked == 0) {
        result = -1;
    } else {
        result = REAL(pwrite, pwrite_fn)(fd, bytes, asked, offset);
        errno_ = errno;
        if (result > 0) note(bytes, (size_t)result, "write %s %lld %zd\n", path, (long long)offset, result);
    }
    pthread_mutex_unlock(&lock);
    errno = errno_;
    return result;
}

#define PWRITE(name)                                                                \
    EXPORT ssize_t name(int fd, const void *bytes, size_t length, off_t offset) {   \
        if (path_of(fd)) return write_ours(#name, fd, bytes, length, offset);       \
        return REAL(name, pwrite_fn)(fd, bytes, length, offset);                    \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

#define PREAD(name)                                                                                 \
    EXPORT ssize_t name(int fd, void *bytes, size_t length, off_t offset) {                         \
        const char *path = path_of(fd);                                                             \
        if (!path) return REAL(name, pread_fn)(fd, bytes, length, offset);                          \
        ON(path, READS, #name, (ssize_t)-1, REAL(name, pread_fn)(fd, bytes, length, offset), {});   \
    }
PREAD(pread)
PREAD(pread64)

static int is_socket(int fd) {
    struct stat about;
    return syscall(SYS_fstat, fd, &about) == 0 && S_ISSOCK(about.st_mode);
}

EXPORT ssize_t write(int fd, const void *bytes, size_t length) {
    if (path_of(fd)) {
        off_t at = lseek(fd, 0, SEEK_CUR);
        ssize_t written = write_ours("write", fd, bytes, length, at);
        if (written > 0) lseek(fd, written, SEEK_CUR);
        return written;
    }
    if (fd == STDOUT_FILENO) {
        pthread_mutex_lock(&lock);
        note(bytes, length, "output %zu\n", length);
        pthread_mutex_unlock(&lock);
    } else if (is_socket(fd)) {
        pthread_mutex_lock(&lock);
        note(bytes, length, "sent %d %zu\n", fd, length);
        pthread_mutex_unlock(&lock);
    }
    return REAL(write, write_fn)(fd, bytes, length);
}

EXPORT ssize_t read(int fd, void *bytes, size_t length) {
    const char *path = path_of(fd);
    if (!path) return REAL(read, read_fn)(fd, bytes, length);
    ON(path, READS, "read", (ssize_t)-1, REAL(read, read_fn)(fd, bytes, length), {});
}

/* The library's sockets never block. Therefore they may be recorded under the lock. */
EXPORT ssize_t send(int fd, const void *bytes, size_t length, int flags) {
    pthread_mutex_lock(&lock);
    ssize_t sent = REAL(send, send_fn)(fd, bytes, length, flags | MSG_DONTWAIT);
    int errno_ = errno;
    if (sent > 0) note(bytes, (size_t)sent, "sent %d %zd\n", fd, sent);
    pthread_mutex_unlock(&lock);
    errno = errno_;
    return sent;
}

EXPORT ssize_t recv(int fd, void *bytes, size_t length, int flags) {
    pthread_mutex_lock(&lock);
    ssize_t got = REAL(recv, recv_fn)(fd, bytes, length, flags | MSG_DONTWAIT);
    int errno_ = errno;
    if (got > 0 && !(flags & MSG_PEEK)) note(bytes, (size_t)got, "got %d %zd\n", fd, got);
    pthread_mutex_unlock(&lock);
    errno = errno_;
    return got;
}

static void unknown(const char *name, int fd) {
    if (path_of(fd)) {
        note(NULL, 0, "unknown %s %s\n", name, path_of(fd));
        give_up("the library uses a file function the shim does not know");
    }
}

EXPORT ssize_t writev(int fd, const struct iovec *parts, int count) {
    unknown("writev", fd);
    if (is_socket(fd)) give_up("the library sends with writev, which the shim does not note");
    return REAL(writev, iov_fn)(fd, parts, count);
}

EXPORT ssize_t readv(int fd, const struct iovec *parts, int count) {
    unknown("readv", fd);
    return REAL(readv, iov_fn)(fd, parts, count);
}

#define TRUNCATE(name)                                                      \
    EXPORT int name(int fd, off_t length) {                                 \
        const char *path = path_of(fd);                                     \
        if (!path) return REAL(name, fd_off_fn)(fd, length);                \
        ON(path, WRITES, #name, -1, REAL(name, fd_off_fn)(fd, length),      \
           note(NULL, 0, "truncate %s %lld\n", path, (long long)length));   \
    }
TRUNCATE(ftruncate)
TRUNCATE(ftruncate64)

static int is_folder(int fd) {
    struct stat about;
    return syscall(SYS_fstat, fd, &about) == 0 && S_ISDIR(about.st_mode);
}

#define SYNC(name)                                                          \
    EXPORT int name(int fd) {                                               \
        const char *path = path_of(fd);                                     \
        if (!path) return REAL(name, fd_fn)(fd);                            \
        ON(path, SYNCS, #name, -1, REAL(name, fd_fn)(fd),                   \
           note(NULL, 0, "%s %s\n", is_folder(fd) ? "folder" : "sync", path)); \
    }
SYNC(fsync)
SYNC(fdatasync)

EXPORT int unlink(const char *path) {
    if (!ours(path)) return REAL(unlink, path_fn)(path);
    ON(path, REMOVES, "unlink", -1, REAL(unlink, path_fn)(path), note(NULL, 0, "unlink %s\n", path));
}

/* An open file keeps its descriptor and gets the new path. */
static void renamed(const char *from, const char *to) {
    for (size_t fd = 0; fd < FILES; fd++)
        if (paths[fd] && !strcmp(paths[fd], from)) {
            free(paths[fd]);
            paths[fd] = strdup(to);
        }
    note(NULL, 0, "rename %s %s\n", from, to);
}

/* A rename adds a folder's entry, which a full disk may prevent, and removes one. */
EXPORT int rename(const char *from, const char *to) {
    if (!ours(from) && !ours(to)) return REAL(rename, two_paths_fn)(from, to);
    if (!ours(from) || !ours(to)) give_up("the library moves a file into the journal's folder or out of it");
    ON(from, OPENS | REMOVES, "rename", -1, REAL(rename, two_paths_fn)(from, to), renamed(from, to));
}

EXPORT int access(const char *path, int mode) {
    if (!ours(path)) return REAL(access, path_int_fn)(path, mode);
    ON(path, LOOKS, "access", -1, REAL(access, path_int_fn)(path, mode), {});
}

/* Locks are fcntl's: SQLite's belong to the process, the library's to an open file. Querying a lock
 * never fails with EACCES, taking a lock does. Releasing one never fails on a local disk. */
#define FCNTL(name)                                                                     \
    EXPORT int name(int fd, int command, ...) {                                         \
        va_list arguments;                                                              \
        va_start(arguments, command);                                                   \
        void *argument = va_arg(arguments, void *);                                     \
        va_end(arguments);                                                              \
        const char *path = path_of(fd);                                                 \
        int locks = command == F_SETLK || command == F_SETLKW || command == F_GETLK     \
            || command == F_OFD_SETLK;                                                  \
        if (locks && ((struct flock *)argument)->l_type == F_UNLCK) locks = 0;          \
        int kind = command == F_GETLK ? READS : LOCKS;                                  \
        if (!path || !locks) return REAL(name, fcntl_fn)(fd, command, argument);        \
        ON(path, kind, #name, -1, REAL(name, fcntl_fn)(fd, command, argument), {});    \
    }
FCNTL(fcntl)
FCNTL(fcntl64)

#define STAT(name, of)                                                                                  \
    EXPORT int name(const char *path, struct of *about) {                                               \
        if (!ours(path)) return REAL(name, int (*)(const char *, struct of *))(path, about);            \
        ON(path, LOOKS, #name, -1, REAL(name, int (*)(const char *, struct of *))(path, about), {});    \
    }
STAT(stat, stat)
STAT(lstat, stat)
STAT(stat64, stat64)
STAT(lstat64, stat64)

#define FSTAT(name, of)                                                                     \
    EXPORT int name(int fd, struct of *about) {                                             \
        const char *path = path_of(fd);                                                     \
        if (!path) return REAL(name, int (*)(int, struct of *))(fd, about);                 \
        ON(path, LOOKS, #name, -1, REAL(name, int (*)(int, struct of *))(fd, about), {});   \
    }
FSTAT(fstat, stat)
FSTAT(fstat64, stat64)

/* Rust asks by this for the state of a path and of an open file. */
EXPORT int statx(int folder, const char *path, int flags, unsigned mask, struct statx *about) {
    typedef int (*statx_fn)(int, const char *, int, unsigned, struct statx *);
    /* Rust passes NULL to find out whether the kernel knows the call. */
    const char *const volatile given = path;
    if (!given) return REAL(statx, statx_fn)(folder, path, flags, mask, about);
    const char *of = *path ? (ours(path) ? path : NULL) : path_of(folder);
    if (!of) return REAL(statx, statx_fn)(folder, path, flags, mask, about);
    ON(of, LOOKS, "statx", -1, REAL(statx, statx_fn)(folder, path, flags, mask, about), {});
}

EXPORT int fchmod(int fd, mode_t mode) {
    const char *path = path_of(fd);
    if (!path) return REAL(fchmod, int (*)(int, mode_t))(fd, mode);
    ON(path, LOOKS, "fchmod", -1, REAL(fchmod, int (*)(int, mode_t))(fd, mode), {});
}

EXPORT int fchown(int fd, uid_t user, gid_t group) {
    const char *path = path_of(fd);
    if (!path) return REAL(fchown, int (*)(int, uid_t, gid_t))(fd, user, group);
    ON(path, LOOKS, "fchown", -1, REAL(fchown, int (*)(int, uid_t, gid_t))(fd, user, group), {});
}

/* Not covered: mmap64 of the -shm (made again after a crash), statx (std reads the journal's path),
 * lseek64, readlink, getcwd, geteuid, utimes, mkdir and rmdir (SQLite's dot-file locks, not used),
 * opendir, readdir64 and closedir (the certificates' folder), realpath, dlopen. */
