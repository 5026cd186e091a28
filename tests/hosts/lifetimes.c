/* The lifetimes of clients in a C host, and of the process. Arguments: URL, root
 * certificate, key, folder, the sandbox's own URL. Prints "N checks held" at the end. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engage_point_shop.h"

#define ASTRID "a0000000-0000-4000-8000-000000000001"
#define COFFEE "b0000000-0000-4000-8000-000000000001"

static char **given;
static int held;

static void check(int holds, const char *what) {
    if (!holds) {
        fprintf(stderr, "does not hold: %s\n", what);
        exit(1);
    }
    held++;
}

static int32_t open_shop(eps_client **shop) {
    char config[2048];
    eps_buffer result;
    int32_t code;
    snprintf(config, sizeof config,
             "{\"baseUrl\": \"%s\", \"caFile\": \"%s\", \"apiKey\": \"%s\", \"userAgent\": \"Host/1\", \"journalPath\": \"%s/points.db\"}",
             given[1], given[2], given[3], given[4]);
    code = eps_client_open(EPS_ABI_VERSION, config, shop, &result);
    eps_buffer_dispose(&result);
    return code;
}

static int32_t points(eps_client *shop) {
    eps_buffer result;
    int32_t code = eps_list_points(shop, ASTRID, NULL, &result);
    eps_buffer_dispose(&result);
    return code;
}

static int32_t buy(eps_client *shop, const char *options) {
    eps_buffer result;
    int32_t code = eps_purchase(shop, ASTRID, COFFEE, options, &result);
    eps_buffer_dispose(&result);
    return code;
}

static void close_in_any_order(void) {
    eps_client *first = NULL, *second = NULL, *third = NULL;
    eps_buffer result;
    check(open_shop(&first) == EPS_OK && open_shop(&second) == EPS_OK, "two clients on one journal");
    check(first != second, "two clients are two");
    check(buy(first, "{\"reference\": \"c 1\"}") == EPS_OK, "one buys");
    check(eps_client_close(first) == EPS_OK, "the older is closed first");
    check(points(second) == EPS_OK && buy(second, "{\"reference\": \"c 2\"}") == EPS_OK, "the other goes on");
    check(points(first) == EPS_CLOSED, "a closed client returns EPS_CLOSED");
    check(eps_client_close(first) == EPS_OK && eps_client_close(first) == EPS_OK, "closing again, as a finalizer may");
    check(open_shop(&third) == EPS_OK && third != first, "a handle is not given twice");
    check(eps_list_points(third, ASTRID, NULL, &result) == EPS_OK, "a result");
    check(eps_client_close(second) == EPS_OK && eps_client_close(third) == EPS_OK, "and the rest");
    check(result.data[result.len] == '\0' && strstr(result.data, "balance") != NULL, "a result outlives its client");
    eps_buffer_dispose(&result);
    check(eps_client_close(NULL) == EPS_OK, "none is closed");
    check(eps_client_close((eps_client *)&result) == EPS_BAD_HANDLE, "a pointer that is no client is rejected");
}

/* Runs a check in a forked child, which must end within ten seconds. */
static int in_a_child(void (*child)(eps_client *), eps_client *shop) {
    int status = -1;
    pid_t pid;
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        alarm(10);
        child(shop);
        exit(0); /* With everything that a process does at its end. */
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void use_what_the_parent_has(eps_client *shop) {
    eps_client *own = NULL;
    check(points(shop) == EPS_FORKED, "a read");
    check(buy(shop, "{\"reference\": \"c 3\"}") == EPS_FORKED, "a purchase");
    check(eps_cancel(shop) == EPS_FORKED, "a cancel");
    check(open_shop(&own) == EPS_FORKED && own == NULL, "a client of its own");
    check(eps_client_close(shop) == EPS_FORKED, "closing");
    check(strcmp(eps_code_name(EPS_FORKED), "EPS_FORKED") == 0, "what needs no client");
}

static void use_a_client_of_its_own(eps_client *none) {
    eps_client *own = NULL;
    (void)none;
    check(open_shop(&own) == EPS_OK && buy(own, "{\"reference\": \"c 4\"}") == EPS_OK, "a child before the first client");
    check(eps_client_close(own) == EPS_OK, "and its close");
}

static void fork_before_and_after(void) {
    eps_client *shop = NULL;
    check(in_a_child(use_a_client_of_its_own, NULL), "a child that is forked before the first client opens its own");
    check(open_shop(&shop) == EPS_OK && points(shop) == EPS_OK, "a client");
    check(in_a_child(use_what_the_parent_has, shop), "a child that is forked after it gets an error from every call");
    check(points(shop) == EPS_OK && buy(shop, "{\"reference\": \"c 3\"}") == EPS_OK, "the parent has not noticed");
    check(eps_client_close(shop) == EPS_OK, "and closes");
}

int main(int argc, char **argv) {
    if (argc != 6) return 2;
    given = argv;
    fork_before_and_after();
    close_in_any_order();
    printf("%d checks held\n", held);
    return 0;
}
