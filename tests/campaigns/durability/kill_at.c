/* Kills a program at its N-th system call stop with SIGKILL to all its threads, from outside.
 *
 *   kill_at N MARKER PROGRAM ARGUMENTS...
 *
 * Counting starts when the program writes a line that begins with MARKER to its standard output.
 * Every system call of every thread is two points: before it, and after it before the thread
 * goes on. With N = 0 the program runs to its end. Standard error has "kill_at: killed at N
 * before|after <system call>". For a complete run it has "kill_at: N points", and with N = 0
 * before that each point, "kill_at: point N before|after <system call>". Exit: the program's own
 * code after a complete run, 137 when it was killed, 99 when tracing failed. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <linux/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 1024, TRACING_FAILED = 99, KILLED = 137 };

struct thread {
    pid_t id;
    long call;
};

static struct thread threads[THREADS];
static size_t thread_count;

static void fail(const char *what)
{
    fprintf(stderr, "kill_at: %s: %s\n", what, strerror(errno));
    exit(TRACING_FAILED);
}

static struct thread *thread_of(pid_t id)
{
    for (size_t at = 0; at < thread_count; at++) {
        if (threads[at].id == id) {
            return &threads[at];
        }
    }
    if (thread_count == THREADS) {
        fail("too many threads");
    }
    threads[thread_count] = (struct thread){id, -1};
    return &threads[thread_count++];
}

static const char *name_of(long call)
{
    static const struct { long call; const char *name; } names[] = {
        {SYS_read, "read"}, {SYS_write, "write"}, {SYS_openat, "openat"}, {SYS_close, "close"}, {SYS_lseek, "lseek"},
        {SYS_mmap, "mmap"}, {SYS_munmap, "munmap"}, {SYS_mprotect, "mprotect"}, {SYS_mremap, "mremap"}, {SYS_brk, "brk"},
        {SYS_madvise, "madvise"}, {SYS_pread64, "pread64"}, {SYS_pwrite64, "pwrite64"}, {SYS_pwritev, "pwritev"},
        {SYS_writev, "writev"}, {SYS_fsync, "fsync"}, {SYS_fdatasync, "fdatasync"}, {SYS_ftruncate, "ftruncate"},
        {SYS_fallocate, "fallocate"}, {SYS_fcntl, "fcntl"}, {SYS_fstat, "fstat"}, {SYS_newfstatat, "newfstatat"},
        {SYS_statx, "statx"}, {SYS_fchmod, "fchmod"}, {SYS_fchown, "fchown"}, {SYS_unlinkat, "unlinkat"},
        {SYS_getcwd, "getcwd"}, {SYS_getpid, "getpid"}, {SYS_geteuid, "geteuid"}, {SYS_getrandom, "getrandom"},
        {SYS_ioctl, "ioctl"}, {SYS_futex, "futex"}, {SYS_clone3, "clone3"}, {SYS_clone, "clone"}, {SYS_rseq, "rseq"},
        {SYS_set_robust_list, "set_robust_list"}, {SYS_sigaltstack, "sigaltstack"}, {SYS_prctl, "prctl"},
        {SYS_rt_sigprocmask, "rt_sigprocmask"}, {SYS_rt_sigaction, "rt_sigaction"}, {SYS_sched_getaffinity, "sched_getaffinity"},
        {SYS_gettid, "gettid"}, {SYS_sched_yield, "sched_yield"}, {SYS_clock_nanosleep, "clock_nanosleep"},
        {SYS_socket, "socket"}, {SYS_connect, "connect"}, {SYS_bind, "bind"}, {SYS_getsockname, "getsockname"},
        {SYS_getpeername, "getpeername"}, {SYS_getsockopt, "getsockopt"}, {SYS_setsockopt, "setsockopt"},
        {SYS_sendto, "sendto"}, {SYS_sendmsg, "sendmsg"}, {SYS_sendmmsg, "sendmmsg"}, {SYS_recvfrom, "recvfrom"},
        {SYS_recvmsg, "recvmsg"}, {SYS_shutdown, "shutdown"}, {SYS_ppoll, "ppoll"}, {SYS_getdents64, "getdents64"},
        {SYS_exit, "exit"}, {SYS_exit_group, "exit_group"}, {SYS_uname, "uname"}, {SYS_prlimit64, "prlimit64"},
#ifdef SYS_poll
        {SYS_poll, "poll"},
#endif
#ifdef SYS_unlink
        {SYS_unlink, "unlink"},
#endif
#ifdef SYS_stat
        {SYS_stat, "stat"},
#endif
#ifdef SYS_lstat
        {SYS_lstat, "lstat"},
#endif
#ifdef SYS_access
        {SYS_access, "access"},
#endif
#ifdef SYS_readlink
        {SYS_readlink, "readlink"},
#endif
    };
    static char number[24];
    for (size_t at = 0; at < sizeof names / sizeof *names; at++) {
        if (names[at].call == call) {
            return names[at].name;
        }
    }
    snprintf(number, sizeof number, "#%ld", call);
    return number;
}

/* Returns whether a thread is about to write a line that begins with the marker to standard
 * output. */
static int writes_marker(pid_t id, const struct ptrace_syscall_info *info, const char *marker)
{
    char text[64];
    size_t length = strlen(marker);
    if (info->entry.nr != SYS_write || info->entry.args[0] != STDOUT_FILENO || info->entry.args[2] < length
        || length > sizeof text) {
        return 0;
    }
    struct iovec here = {text, length}, there = {(void *)(uintptr_t)info->entry.args[1], length};
    return process_vm_readv(id, &here, 1, &there, 1, 0) == (ssize_t)length && memcmp(text, marker, length) == 0;
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: kill_at N MARKER PROGRAM ARGUMENTS...\n");
        return 2;
    }
    unsigned long victim = strtoul(argv[1], NULL, 10), points = 0;
    const char *marker = argv[2];
    int counting = 0, killed = 0, code = TRACING_FAILED;

    pid_t program = fork();
    if (program < 0) {
        fail("fork");
    }
    if (program == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        execv(argv[3], argv + 3);
        _exit(127);
    }
    int status;
    if (waitpid(program, &status, 0) != program || !WIFSTOPPED(status)) {
        fail("the program did not start");
    }
    long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK
        | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
    if (ptrace(PTRACE_SETOPTIONS, program, NULL, options) != 0 || ptrace(PTRACE_SYSCALL, program, NULL, 0) != 0) {
        fail("ptrace");
    }
    for (;;) {
        pid_t id = waitpid(-1, &status, __WALL);
        if (id < 0) {
            break; /* All threads have ended. */
        }
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            if (id == program && !killed) {
                code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            }
            continue;
        }
        int deliver = 0;
        if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
            struct ptrace_syscall_info info;
            struct thread *thread = thread_of(id);
            int before = 0;
            if (ptrace(PTRACE_GET_SYSCALL_INFO, id, sizeof info, &info) > 0) {
                before = info.op == PTRACE_SYSCALL_INFO_ENTRY;
                if (before) {
                    thread->call = (long)info.entry.nr;
                    counting = counting || writes_marker(id, &info, marker);
                }
            }
            if (counting && !killed) {
                points++;
                killed = points == victim;
                if (killed && kill(program, SIGKILL) != 0) {
                    fail("kill");
                }
                if (killed || victim == 0) {
                    fprintf(stderr, "kill_at: %s %lu %s %s\n", killed ? "killed at" : "point", points,
                            before ? "before" : "after", name_of(thread->call));
                }
            }
        } else if (status >> 16 == 0 && WSTOPSIG(status) != SIGSTOP && WSTOPSIG(status) != SIGTRAP) {
            deliver = WSTOPSIG(status);
        }
        if (!killed) {
            ptrace(PTRACE_SYSCALL, id, NULL, deliver);
        }
    }
    if (!killed) {
        fprintf(stderr, "kill_at: %lu points\n", points);
    }
    return killed ? KILLED : code;
}
