/* A scripted till for the campaigns: it makes the given calls and prints an event before and
 * after each.
 *
 *   till CONFIG_JSON COMMAND...
 *
 *   purchase:CONTACT:ITEM:REFERENCE:WAITMS    named:CONTACT:ITEM:PURCHASEID:WAITMS
 *   rewards:CONTACT    redeem:CONTACT:ASSIGNMENT:REFERENCE:WAITMS    items:CONTACT
 *   resolve:WAITMS    list    get:ID    ack:ID    ackall    stats    new-id    cancel    close
 *   reopen
 *   wait-stdin           waits for a line (or the end) of standard input
 *   stdin                makes the lines of standard input as commands, up to its end
 *   loop:N               makes the rest of the commands N times, 0: without end
 *   threads:N:COMMAND    makes the command in N threads at the same instant
 *
 * An empty REFERENCE or WAITMS is left out. A "#" in an argument becomes the number of the
 * loop's round. Each event is one line, written at once: "BEGIN <command>" before the call, "END
 * <command> <code> <json>" after it. The first command is "open". Exit: 0 for a complete script,
 * whatever the codes. 2 for an invalid script. 3 when open failed. */
#define _GNU_SOURCE
#include "engage_point_shop.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ARGUMENTS = 8 };

static eps_client *client;
static const char *config;
static unsigned long round_number;

static void fail(const char *what, const char *which)
{
    fprintf(stderr, "till: %s: %s\n", what, which);
    exit(2);
}

static void *room(size_t bytes)
{
    void *memory = malloc(bytes);
    if (memory == NULL) {
        fail("no memory", "malloc");
    }
    return memory;
}

/* One write per line: a killed till leaves complete lines, and threads do not mix their lines. */
static void say(const char *event, const char *command, const eps_buffer *result, const int32_t *code)
{
    size_t length = strlen(command) + 64 + (result != NULL ? result->len : 0);
    char *line = room(length);
    int used = snprintf(line, length, "%s %s", event, command);
    if (code != NULL) {
        used += snprintf(line + used, length - (size_t)used, " %d ", (int)*code);
    }
    if (result != NULL && result->data != NULL) {
        for (size_t at = 0; at < result->len; at++) {
            char byte = result->data[at];
            line[used++] = (char)(byte == '\n' || byte == '\r' ? ' ' : byte);
        }
    }
    line[used++] = '\n';
    for (int done = 0; done < used;) {
        ssize_t written = write(STDOUT_FILENO, line + done, (size_t)(used - done));
        if (written <= 0) {
            exit(0); /* Nobody listens any more. */
        }
        done += (int)written;
    }
    free(line);
}

static int32_t open_client(eps_buffer *out)
{
    return eps_client_open(EPS_ABI_VERSION, config, &client, out);
}

/* Writes the options of a purchase: its name ("reference" or "purchaseId") and the wait, each if
 * given. */
static const char *options_of(char *to, size_t size, const char *key, const char *name, const char *wait)
{
    int used = snprintf(to, size, "{");
    if (name[0] != '\0') {
        used += snprintf(to + used, size - (size_t)used, "\"%s\":\"%s\"", key, name);
    }
    if (wait[0] != '\0') {
        used += snprintf(to + used, size - (size_t)used, "%s\"waitMs\":%s", used > 1 ? "," : "", wait);
    }
    snprintf(to + used, size - (size_t)used, "}");
    return to;
}

/* Makes one call and returns its code. */
static int32_t call(const char *command, eps_buffer *out)
{
    char text[1024], options[1024];
    const char *given[ARGUMENTS] = {"", "", "", "", "", "", "", ""};
    if (strlen(command) >= sizeof text) {
        fail("too long", command);
    }
    char *rest = strcpy(text, command);
    for (int at = 0; at < ARGUMENTS && rest != NULL; at++) {
        given[at] = strsep(&rest, ":");
    }
    const char *verb = given[0];
    if (strcmp(verb, "purchase") == 0) {
        options_of(options, sizeof options, "reference", given[3], given[4]);
        return eps_purchase(client, given[1], given[2], options, out);
    }
    if (strcmp(verb, "named") == 0) {
        options_of(options, sizeof options, "purchaseId", given[3], given[4]);
        return eps_purchase(client, given[1], given[2], options, out);
    }
    if (strcmp(verb, "redeem") == 0) {
        options_of(options, sizeof options, "reference", given[3], given[4]);
        return eps_redeem_reward(client, given[1][0] != '\0' ? given[1] : NULL, given[2], options, out);
    }
    if (strcmp(verb, "rewards") == 0) return eps_list_rewards(client, given[1], NULL, out);
    if (strcmp(verb, "resolve") == 0) {
        options_of(options, sizeof options, "", "", given[1]);
        return eps_resolve_pending(client, options, out);
    }
    if (strcmp(verb, "items") == 0) return eps_list_items(client, given[1], NULL, out);
    if (strcmp(verb, "list") == 0) return eps_list_unacknowledged(client, NULL, out);
    if (strcmp(verb, "get") == 0) return eps_get_operation(client, given[1], out);
    if (strcmp(verb, "ack") == 0) return eps_acknowledge(client, given[1], out);
    if (strcmp(verb, "stats") == 0) return eps_read_stats(client, out);
    if (strcmp(verb, "new-id") == 0) return eps_new_id(out);
    if (strcmp(verb, "cancel") == 0) return eps_cancel(client);
    if (strcmp(verb, "open") == 0 || strcmp(verb, "reopen") == 0) {
        eps_client_close(client);
        client = NULL;
        return open_client(out);
    }
    if (strcmp(verb, "close") == 0) {
        eps_client *closing = client;
        client = NULL;
        return eps_client_close(closing);
    }
    fail("no such command", command);
    return 0;
}

static int32_t make(const char *command)
{
    eps_buffer out = {NULL, 0, 0};
    say("BEGIN", command, NULL, NULL);
    int32_t code = call(command, &out);
    say("END", command, &out, &code);
    eps_buffer_dispose(&out);
    return code;
}

/* Acknowledges every operation with a known outcome, each as an "ack:ID" of its own. Only the
 * operation objects' own keys are read. They come before Engage's "purchase", which is skipped
 * by searching for the next object's first key. */
static void acknowledge_all(void)
{
    eps_buffer out = {NULL, 0, 0};
    if (eps_list_unacknowledged(client, NULL, &out) == EPS_OK) {
        const char *next = strstr(out.data, "{\"operationId\":\"");
        while (next != NULL) {
            const char *id = next + strlen("{\"operationId\":\"");
            next = strstr(id, "{\"operationId\":\"");
            const char *outcome = strstr(id, "\"outcome\":\"");
            if (outcome != NULL && strncmp(outcome + strlen("\"outcome\":\""), "pending", 7) != 0) {
                char command[64];
                snprintf(command, sizeof command, "ack:%.36s", id);
                make(command);
            }
        }
    }
    eps_buffer_dispose(&out);
}

struct press {
    const char *command;
    pthread_barrier_t *together;
};

static void *press(void *given)
{
    struct press *self = given;
    pthread_barrier_wait(self->together);
    make(self->command);
    return NULL;
}

static void in_threads(unsigned count, const char *command)
{
    pthread_barrier_t together;
    pthread_t threads[64];
    struct press shared = {command, &together};
    if (count == 0 || count > 64 || pthread_barrier_init(&together, NULL, count) != 0) {
        fail("no such number of threads", command);
    }
    for (unsigned at = 0; at < count; at++) {
        if (pthread_create(&threads[at], NULL, press, &shared) != 0) {
            fail("no thread", command);
        }
    }
    for (unsigned at = 0; at < count; at++) {
        pthread_join(threads[at], NULL);
    }
    pthread_barrier_destroy(&together);
}

/* Reads a line byte by byte, so that nothing of the next one is consumed. Returns false at the
 * end. */
static int read_line(char *line, size_t size)
{
    size_t used = 0;
    char byte;
    while (read(STDIN_FILENO, &byte, 1) == 1) {
        if (byte == '\n') {
            line[used] = '\0';
            return 1;
        }
        if (used + 1 == size) {
            fail("too long a line on", "stdin");
        }
        line[used++] = byte;
    }
    line[used] = '\0';
    return used > 0;
}

/* Returns the command with each "#" replaced by the number of the round. */
static char *this_round(const char *command)
{
    size_t marks = 0;
    for (const char *at = command; *at != '\0'; at++) {
        marks += *at == '#';
    }
    char *made = room(strlen(command) + 20 * marks + 1), *to = made;
    for (const char *at = command; *at != '\0'; at++) {
        if (*at == '#') {
            to += sprintf(to, "%lu", round_number);
        } else {
            *to++ = *at;
        }
    }
    *to = '\0';
    return made;
}

static void run(char **commands, int count)
{
    for (int at = 0; at < count; at++) {
        char line[1024], *command = this_round(commands[at]);
        if (strncmp(command, "loop:", 5) == 0) {
            unsigned long rounds = strtoul(command + 5, NULL, 10);
            for (round_number = 1; rounds == 0 || round_number <= rounds; round_number++) {
                run(commands + at + 1, count - at - 1);
            }
            at = count;
        } else if (strncmp(command, "threads:", 8) == 0) {
            char *inner;
            unsigned long threads = strtoul(command + 8, &inner, 10);
            in_threads((unsigned)threads, *inner == ':' ? inner + 1 : inner);
        } else if (strcmp(command, "wait-stdin") == 0) {
            say("BEGIN", command, NULL, NULL); /* It is there and waits. */
            read_line(line, sizeof line);
        } else if (strcmp(command, "stdin") == 0) {
            while (read_line(line, sizeof line)) {
                char *one = line;
                run(&one, 1);
            }
        } else if (strcmp(command, "ackall") == 0) {
            acknowledge_all();
        } else {
            make(command);
        }
        free(command);
    }
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fail("usage", "till CONFIG_JSON COMMAND...");
    }
    config = argv[1];
    if (argc > 2 && strcmp(argv[2], "wait-stdin") == 0) {
        /* Before the open, for tills that must open at the same instant. */
        char line[16];
        say("BEGIN", argv[2], NULL, NULL);
        read_line(line, sizeof line);
        argv++, argc--;
    }
    if (make("open") != EPS_OK) {
        return 3;
    }
    run(argv + 2, argc - 2);
    return 0;
}
