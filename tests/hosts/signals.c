/* A POS that reads SIGTERM by a signalfd. It blocks SIGTERM in its own thread, as signalfd asks
 * for, opens a client with a journal, presses a purchase, and gets SIGTERM while the library's
 * threads run. Arguments: the library's journal file. */
#define _GNU_SOURCE
#include <dirent.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "engage_point_shop.h"

static void check(int holds, const char *what) {
    if (holds) return;
    fprintf(stderr, "does not hold: %s\n", what);
    exit(1);
}

static void ignore_line(void *user, int32_t level, const char *line, size_t len) {
    (void)user, (void)level, (void)line, (void)len;
}

/* How many threads of this process have SIGTERM or SIGCHLD unblocked; `threads` gets how many
 * there are. */
static int open_threads(int *threads) {
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *task;
    int unblocked = 0;
    check(tasks != NULL, "the threads can be listed");
    for (*threads = 0; (task = readdir(tasks)) != NULL;) {
        char path[300], line[200];
        FILE *status;
        if (task->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "/proc/self/task/%s/status", task->d_name);
        if ((status = fopen(path, "r")) == NULL) continue;
        while (fgets(line, sizeof line, status) != NULL) {
            unsigned long long blocked;
            if (sscanf(line, "SigBlk: %llx", &blocked) != 1) continue;
            ++*threads;
            if (!(blocked >> (SIGTERM - 1) & 1)) unblocked++;
        }
        fclose(status);
    }
    closedir(tasks);
    return unblocked;
}

int main(int argc, char **argv) {
    struct signalfd_siginfo got;
    eps_client *shop = NULL;
    eps_buffer out;
    sigset_t terminate, before;
    char config[700];
    int descriptor, threads, times;
    int32_t code;

    check(argc == 2, "the argument is the journal");
    snprintf(config, sizeof config,
             "{\"baseUrl\": \"http://127.0.0.1:1\", \"userAgent\": \"Host/1\", \"journalPath\": \"%s\"}", argv[1]);
    /* The library's threads must block the signals themselves: SIGTERM is open in this thread as
     * they are spawned. */
    check(eps_client_open(EPS_ABI_VERSION, config, &shop, &out) == EPS_OK, "a client is opened");
    eps_buffer_dispose(&out);
    check(eps_set_log(shop, EPS_LOG_DEBUG, ignore_line, NULL) == EPS_OK, "a log function is set");
    code = eps_purchase(shop, "c0000000-0000-4000-8000-000000000001", "b0000000-0000-4000-8000-000000000001", NULL,
                        &out);
    check(eps_outcome(code) == EPS_OUTCOME_NOT_SENT, "nothing listens there");
    eps_buffer_dispose(&out);

    check(sigemptyset(&terminate) == 0 && sigaddset(&terminate, SIGTERM) == 0, "the set is made");
    check(pthread_sigmask(SIG_BLOCK, &terminate, &before) == 0, "the POS blocks SIGTERM");
    check(!sigismember(&before, SIGTERM), "it was open before: spawning gave the mask back");
    check((descriptor = signalfd(-1, &terminate, SFD_CLOEXEC)) >= 0, "the POS reads SIGTERM by a signalfd");
    check(open_threads(&threads) == 0 && threads > 1, "no thread of the library has SIGTERM open");
    for (times = 0; times < 20; times++) {
        check(kill(getpid(), SIGTERM) == 0, "SIGTERM is sent");
        check(read(descriptor, &got, sizeof got) == sizeof got && got.ssi_signo == SIGTERM, "the POS reads it");
    }
    check(eps_client_close(shop) == EPS_OK, "the client is closed");
    puts("alive");
    return 0;
}
