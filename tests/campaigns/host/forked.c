/* A till with children that live on:
 *   forked CONFIG FREEZE MEMBER ITEM
 * Sells, forks a child, freezes the disk (freeze.c), presses a sale whose record is then under way,
 * and forks another child after a line of input. Prints "started PID" for each child, and "all
 * started". A child ends with the input. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>
#include "engage_point_shop.h"

#define DESCRIPTORS 256

static eps_client *client;

static void check(int holds, const char *what) {
    if (!holds) {
        fprintf(stderr, "does not hold: %s\n", what);
        exit(2);
    }
}

static int32_t buy(char **argv, const char *options) {
    eps_buffer out;
    int32_t code = eps_purchase(client, argv[3], argv[4], options, &out);
    eps_buffer_dispose(&out);
    return code;
}

/* Forks a child that uses the library in vain and waits for the end of the input. */
static void start_child(char **argv) {
    int started[2];
    char sign = 0;
    check(pipe(started) == 0, "a pipe");
    pid_t child = fork();
    check(child >= 0, "fork");
    if (child > 0) {
        check(read(started[0], &sign, 1) == 1, "the start of a child");
        close(started[0]);
        close(started[1]);
        return;
    }
    check(buy(argv, NULL) == EPS_FORKED, "a call in a child");
    check(eps_client_close(client) == EPS_FORKED, "a close in a child");
    printf("started %d\n", (int)getpid());
    fflush(stdout);
    check(write(started[1], &sign, 1) == 1, "the start of a child");
    struct pollfd input = {0, 0, 0};
    while (poll(&input, 1, -1) < 0) {}
    exit(0);
}

static int is_zero(int descriptor) {
    struct stat about;
    return fstat(descriptor, &about) == 0 && S_ISCHR(about.st_mode) && about.st_rdev == makedev(1, 5);
}

/* A daemon closes what it has inherited and opens files of its own, at the same numbers. They are
 * still there after its own children and the calls of finalizers. */
static void use_the_numbers_again(void) {
    int status = -1;
    pid_t child = fork(), grandchild;
    if (child == 0) {
        for (int each = 3; each < DESCRIPTORS; each++) close(each);
        while (open("/dev/zero", O_RDWR) < DESCRIPTORS - 1) {}
        eps_client_close(client);
        grandchild = fork();
        int kept = 0;
        for (int each = 3; each < DESCRIPTORS; each++) kept += is_zero(each);
        check(kept == DESCRIPTORS - 3, "the files of a child stay its own");
        if (grandchild > 0) waitpid(grandchild, &status, 0);
        exit(grandchild != 0 && status != 0);
    }
    waitpid(child, &status, 0);
    check(status == 0, "a child with files of its own");
}

int main(int argc, char **argv) {
    if (argc != 5) return 2;
    int known[DESCRIPTORS];
    for (int each = 0; each < DESCRIPTORS; each++) known[each] = fcntl(each, F_GETFD) >= 0;
    eps_buffer out;
    check(eps_client_open(EPS_ABI_VERSION, argv[1], &client, &out) == EPS_OK, "an open");
    eps_buffer_dispose(&out);
    check(buy(argv, "{\"reference\":\"receipt 1\"}") == EPS_OK, "a sale");
    int opened = 0;
    for (int each = 0; each < DESCRIPTORS; each++) {
        int flags = fcntl(each, F_GETFD);
        if (flags < 0 || known[each]) continue;
        opened++;
        check(flags & FD_CLOEXEC, "no program that is started has a file of the library");
    }
    check(opened >= 4, "the library has files");
    use_the_numbers_again();
    start_child(argv);
    FILE *freeze = fopen(argv[2], "w");
    check(freeze != NULL, "the freeze");
    fclose(freeze);
    check(buy(argv, "{\"reference\":\"receipt 2\",\"waitMs\":50}") != EPS_OK, "a sale on a frozen disk");
    char line;
    if (read(0, &line, 1) != 1) return 0;
    start_child(argv);
    puts("all started");
    fflush(stdout);
    return read(0, &line, 1) == 1;
}
