/* A C program that uses the library in every way, right and wrong, and checks the results.
 *
 *   harness [--slow] URL CA KEY ADMIN FOLDER
 *
 * URL is a sandbox's URL. CA is the file of its root certificate, or "-" for plain HTTP. ADMIN
 * is the URL of the sandbox's own routes (http://127.0.0.1:PORT). FOLDER is an empty folder for
 * journals. --slow is for an instrument that slows everything down: times are printed and not
 * checked, and the rounds are fewer. The program prints a line for each failed check and a
 * summary at the end. It exits with 0 when all checks hold. */
#define _GNU_SOURCE
#define __USE_MINGW_ANSI_STDIO 1
#include "engage_point_shop.h"
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#ifdef _WIN32
/* Names of Windows that collide with the names here. */
#define GUID windows_guid
#include <ws2tcpip.h>
#undef GUID
#undef TEXT
#define close_socket closesocket
#define DRIVE "C:"
#define printf_format __MINGW_PRINTF_FORMAT
#else
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>
#define close_socket close
#define DRIVE ""
#define printf_format printf
#endif

#define ASTRID "a0000000-0000-4000-8000-000000000001"
#define BJORN "a0000000-0000-4000-8000-000000000002"
#define LOAD "a0000000-0000-4000-8000-000000000003"
#define COFFEE "b0000000-0000-4000-8000-000000000001"
#define SUMMER_SALE "b0000000-0000-4000-8000-000000000004"
#define NOBODY "a0000000-0000-4000-8000-0000000000ff"
#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *url, *ca, *key, *admin, *folder;
static int slow;

/* ---- Checks ---- */

static atomic_int held, broken;

__attribute__((format(printf_format, 3, 4))) static int check_at(int line, int holds, const char *format, ...)
{
    if (holds) {
        held++;
        return 1;
    }
    va_list arguments;
    va_start(arguments, format);
    char text[4096];
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    printf("line %d: not so: %s\n", line, text);
    broken++;
    return 0;
}
#define CHECK(holds, ...) check_at(__LINE__, holds, __VA_ARGS__)

static double now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static void in_time(int line, double took, double limit, const char *what)
{
    printf("time: %s took %.1f ms\n", what, took);
    check_at(line, slow || took <= limit, "%s took %.1f ms, more than %.0f", what, took, limit);
}

/* Returns the text of a string member of a JSON object, "" if there is none. Escapes stay as
 * they are. */
static const char *text_of(const char *json, const char *name, char *into, size_t size)
{
    char start[80];
    snprintf(start, sizeof start, "\"%s\":\"", name);
    const char *at = json ? strstr(json, start) : NULL;
    size_t length = 0;
    if (at) {
        at += strlen(start);
        while (at[length] && !(at[length] == '"' && at[length - 1] != '\\'))
            length++;
    }
    if (length >= size)
        length = size - 1;
    memcpy(into, at ? at : "", length);
    into[length] = 0;
    return into;
}

static int times_in(const char *text, const char *wanted)
{
    int times = 0;
    for (const char *at = text; at && (at = strstr(at, wanted)); at += strlen(wanted))
        times++;
    return times;
}

static int is_guid(const char *text)
{
    for (int i = 0; i < 36; i++) {
        int dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text[i] != '-' : !text[i] || !strchr("0123456789abcdef", text[i]))
            return 0;
    }
    return 1;
}

/* Checks that hold for every result. */
static void sound(int line, const eps_buffer *out)
{
    if (check_at(line, out->data != NULL, "the buffer has bytes"))
        check_at(line, out->len > 0 && strlen(out->data) == out->len, "the response ends in a NUL at len");
}

static void dispose(int line, eps_buffer *out)
{
    eps_buffer_dispose(out);
    check_at(line, !out->data && !out->len && !out->reserved, "a disposed buffer is {NULL, 0, 0}");
}

/* Checks that the call returned this problem, and that its message contains every text of
 * `says`, separated by blanks. */
static void problem(int line, int32_t code, int32_t wanted, eps_buffer *out, const char *says, const char *what)
{
    static const char *const keys[] = {"code", "name", "outcome", "message", "httpStatus", "engageCode", "operationId",
                                       "purchaseId", "attempts", "retryAfterMs", "cause"};
    char text[1024], message[1024], words[256];
    check_at(line, code == wanted, "%s gives %s, not %s: %s", what, eps_code_name(code), eps_code_name(wanted),
             out->data ? out->data : "no response");
    sound(line, out);
    for (size_t i = 0; i < COUNT(keys); i++) {
        snprintf(text, sizeof text, "\"%s\":", keys[i]);
        check_at(line, out->data && strstr(out->data, text), "%s: the problem has \"%s\"", what, keys[i]);
    }
    snprintf(text, sizeof text, "\"code\":%d,", wanted);
    check_at(line, out->data && strstr(out->data, text), "%s: the problem has the same code", what);
    check_at(line, strcmp(text_of(out->data, "name", text, sizeof text), eps_code_name(wanted)) == 0, "%s: %s is its name", what, text);
    check_at(line, !out->data || !strstr(out->data, key), "%s: the problem does not hold the API key", what);
    text_of(out->data, "message", message, sizeof message);
    check_at(line, *message != 0, "%s: the problem has a message", what);
    snprintf(words, sizeof words, "%s", says);
    for (char *next = words, *word; (word = strtok_r(next, " ", &next));)
        check_at(line, strstr(message, word) != NULL, "%s: \"%s\" names %s", what, message, word);
    dispose(line, out);
}
#define PROBLEM(code, wanted, says, what) problem(__LINE__, code, wanted, &out, says, what)

static void good(int line, int32_t code, eps_buffer *out, const char *says, const char *what)
{
    check_at(line, code == EPS_OK, "%s works: %s %s", what, eps_code_name(code), out->data ? out->data : "");
    sound(line, out);
    check_at(line, out->data && strstr(out->data, says), "%s: %s holds %s", what, out->data ? out->data : "", says);
    dispose(line, out);
}
#define GOOD(code, says, what) good(__LINE__, code, &out, says, what)

/* ---- The sandbox's own routes ---- */

/* Sends a request to a route of the sandbox and returns the whole response. The caller frees it. */
static char *ask(const char *method, const char *path, const char *body)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    address.sin_port = htons((uint16_t)atoi(strrchr(admin, ':') + 1));
    int fd = (int)socket(AF_INET, SOCK_STREAM, 0);
    char request[1024];
    int length = snprintf(request, sizeof request,
                          "%s %s HTTP/1.1\r\nHost: sandbox\r\nConnection: close\r\nContent-Type: application/json\r\n"
                          "Content-Length: %zu\r\n\r\n%s",
                          method, path, strlen(body), body);
    size_t size = 0, room = 1 << 16;
    char *response = malloc(room);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) || send(fd, request, (size_t)length, 0) != length)
        perror("the sandbox"), exit(3);
    for (ssize_t got; (got = recv(fd, response + size, room - size - 1, 0)) > 0;) {
        size += (size_t)got;
        if (room - size < 4096)
            response = realloc(response, room *= 2);
    }
    response[size] = 0;
    close_socket(fd);
    if (strncmp(response, "HTTP/1.1 2", 10))
        printf("%s %s: %s\n", method, path, response), exit(3);
    return response;
}

static void send_admin(const char *method, const char *path, const char *body)
{
    free(ask(method, path, body));
}

static int count_at(const char *path, const char *wanted)
{
    char *response = ask("GET", path, "");
    int times = times_in(response, wanted);
    free(response);
    return times;
}

/* Arms a fault for every later request. */
static void fault(const char *operation, const char *effect)
{
    char body[256];
    snprintf(body, sizeof body, "{\"match\":{\"operation\":\"%s\",\"times\":0},\"effect\":{\"%s\":{}}}", operation, effect);
    send_admin("POST", "/_sandbox/faults", body);
}

/* Waits until the sandbox's request log has this many matching requests. */
static void await_requests(int wanted, const char *what)
{
    const struct timespec moment = {.tv_nsec = 2000000};
    double until = now_ms() + 20000;
    while (count_at("/_sandbox/requests", what) < wanted && now_ms() < until)
        nanosleep(&moment, NULL);
    CHECK(count_at("/_sandbox/requests", what) >= wanted, "the sandbox has %d requests with %s within 20 s", wanted, what);
}

/* ---- Clients ---- */

/* A request ends by itself only in the test that waits for it: a busy machine is slow. */
static int request_timeout_ms = 60000;

/* A configuration with `more` members, which begin with a comma. */
static const char *config_of(const char *base, const char *more)
{
    static _Thread_local char config[2048];
    char trust[600] = "";
    if (strcmp(ca, "-"))
        snprintf(trust, sizeof trust, ",\"caFile\":\"%s\",\"systemTrust\":false", ca);
    snprintf(config, sizeof config,
             "{\"baseUrl\":\"%s\",\"apiKey\":\"%s\",\"userAgent\":\"TestPOS/1.0\",\"requestTimeoutMs\":%d,"
             "\"retryScheduleMs\":[20,40,80],\"startupJitterMs\":0,\"waitMs\":60000%s%s}",
             base, key, request_timeout_ms, trust, more);
    return config;
}

static eps_client *opened(int line, const char *base, const char *more)
{
    eps_client *client = (eps_client *)&held;
    eps_buffer out;
    memset(&out, 0xA5, sizeof out);
    int32_t code = eps_client_open(EPS_ABI_VERSION, config_of(base, more), &client, &out);
    good(line, code, &out, "\"abi\":1", "a client");
    if (!check_at(line, client != NULL && (void *)client != (void *)&held, "a client is given"))
        exit(1);
    return client;
}
#define OPEN() opened(__LINE__, url, ",\"journal\":\"memory\"")

static void closed(int line, eps_client *client)
{
    check_at(line, eps_client_close(client) == EPS_OK, "a client closes");
}
#define CLOSE(client) closed(__LINE__, client)

/* ---- Wrong arguments ---- */

typedef int32_t (*plain_call)(eps_client *client, eps_buffer *out);

static int32_t find_contact(eps_client *client, eps_buffer *out) { return eps_find_contact(client, "any", "x", NULL, out); }
static int32_t list_points(eps_client *client, eps_buffer *out) { return eps_list_points(client, ASTRID, NULL, out); }
static int32_t list_items(eps_client *client, eps_buffer *out) { return eps_list_items(client, ASTRID, NULL, out); }
static int32_t purchase(eps_client *client, eps_buffer *out) { return eps_purchase(client, ASTRID, COFFEE, NULL, out); }
static int32_t list_purchases(eps_client *client, eps_buffer *out) { return eps_list_purchases(client, ASTRID, NULL, out); }
static int32_t list_rewards(eps_client *client, eps_buffer *out) { return eps_list_rewards(client, ASTRID, NULL, out); }
static int32_t find_reward(eps_client *client, eps_buffer *out) { return eps_find_reward(client, ASTRID, NULL, out); }
static int32_t redeem_reward(eps_client *client, eps_buffer *out) { return eps_redeem_reward(client, NULL, ASTRID, NULL, out); }
static int32_t list_unacknowledged(eps_client *client, eps_buffer *out) { return eps_list_unacknowledged(client, NULL, out); }
static int32_t list_operations(eps_client *client, eps_buffer *out) { return eps_list_operations(client, NULL, out); }
static int32_t resolve_review(eps_client *client, eps_buffer *out) { return eps_resolve_review(client, ASTRID, "completed", NULL, out); }
static int32_t acknowledge_reference(eps_client *client, eps_buffer *out) { return eps_acknowledge_reference(client, "receipt", NULL, out); }
static int32_t backup_journal(eps_client *client, eps_buffer *out) { return eps_backup_journal(client, "/copy.db", NULL, out); }
static int32_t get_operation(eps_client *client, eps_buffer *out) { return eps_get_operation(client, ASTRID, out); }
static int32_t resolve_pending(eps_client *client, eps_buffer *out) { return eps_resolve_pending(client, NULL, out); }
static int32_t acknowledge(eps_client *client, eps_buffer *out) { return eps_acknowledge(client, ASTRID, out); }
static int32_t check_all(eps_client *client, eps_buffer *out) { return eps_check(client, "{\"offline\": true}", out); }
static int32_t read_metrics(eps_client *client, eps_buffer *out) { return eps_read_metrics(client, out); }
static int32_t read_stats(eps_client *client, eps_buffer *out) { return eps_read_stats(client, out); }

/* Every function that takes a client and fills a buffer. */
static const struct { const char *name; plain_call call; } calls[] = {
    {"eps_find_contact", find_contact}, {"eps_list_points", list_points}, {"eps_list_items", list_items},
    {"eps_purchase", purchase}, {"eps_list_purchases", list_purchases}, {"eps_list_rewards", list_rewards},
    {"eps_find_reward", find_reward}, {"eps_redeem_reward", redeem_reward},
    {"eps_list_unacknowledged", list_unacknowledged}, {"eps_get_operation", get_operation}, {"eps_resolve_pending", resolve_pending},
    {"eps_acknowledge", acknowledge}, {"eps_read_stats", read_stats}, {"eps_list_operations", list_operations},
    {"eps_resolve_review", resolve_review}, {"eps_acknowledge_reference", acknowledge_reference},
    {"eps_backup_journal", backup_journal}, {"eps_check", check_all}, {"eps_read_metrics", read_metrics},
};

static void ignore_line(void *user, int32_t level, const char *line, size_t len)
{
    (void)user, (void)level, (void)line, (void)len;
}

static void ignore_change(void *user, const char *json, size_t len)
{
    (void)user, (void)json, (void)len;
}

/* Checks that every function rejects this client. */
static void every_call_rejects(eps_client *client, int32_t wanted)
{
    for (size_t i = 0; i < COUNT(calls); i++) {
        eps_buffer out;
        memset(&out, 0xA5, sizeof out);
        int32_t code = calls[i].call(client, &out);
        PROBLEM(code, wanted, "client", calls[i].name);
        CHECK(calls[i].call(client, NULL) == EPS_NULL_ARGUMENT, "%s without a buffer", calls[i].name);
    }
    CHECK(eps_cancel(client) == wanted, "eps_cancel gives %s", eps_code_name(wanted));
    CHECK(eps_cancel_call(client, "x") == wanted, "eps_cancel_call gives %s", eps_code_name(wanted));
    CHECK(eps_set_notify(client, ignore_change, NULL) == wanted, "eps_set_notify gives %s", eps_code_name(wanted));
    CHECK(eps_set_notify(client, NULL, NULL) == wanted, "eps_set_notify gives %s", eps_code_name(wanted));
    CHECK(eps_set_log(client, EPS_LOG_DEBUG, ignore_line, NULL) == wanted, "eps_set_log gives %s", eps_code_name(wanted));
    CHECK(eps_set_log(client, EPS_LOG_OFF, NULL, NULL) == wanted, "eps_set_log gives %s", eps_code_name(wanted));
}

static void null_and_closed_and_garbage_handles(void)
{
    eps_client *client = OPEN();
    for (size_t i = 0; i < COUNT(calls); i++)
        CHECK(calls[i].call(client, NULL) == EPS_NULL_ARGUMENT, "%s without a buffer", calls[i].name);
    CHECK(eps_new_id(NULL) == EPS_NULL_ARGUMENT, "eps_new_id without a buffer");
    every_call_rejects(NULL, EPS_NULL_ARGUMENT);
    CHECK(eps_client_close(NULL) == EPS_OK, "closing NULL is nothing");

    /* Addresses, and numbers that are no address. The library does not read the memory behind a
     * handle. */
    uint64_t something = 7;
    void *garbage[] = {&something, client == (void *)2 ? (void *)4 : (void *)2, (void *)64, (void *)4096, (void *)(uintptr_t)0xdeadbeef,
                       (void *)(UINTPTR_MAX - 1), (void *)UINTPTR_MAX, (char *)client + 1, (void *)ignore_line};
    for (size_t i = 0; i < COUNT(garbage); i++) {
        every_call_rejects(garbage[i], EPS_BAD_HANDLE);
        CHECK(eps_client_close(garbage[i]) == EPS_BAD_HANDLE, "garbage %zu cannot be closed", i);
    }
    CLOSE(client);
    every_call_rejects(client, EPS_CLOSED);
    CHECK(eps_client_close(client) == EPS_OK, "closing twice is nothing");
    CHECK(eps_client_close(client) == EPS_OK, "closing three times is nothing");

    eps_client *next = OPEN();
    CHECK(next != client, "a handle is not used again");
    every_call_rejects(client, EPS_CLOSED);
    CLOSE(next);
}

typedef int32_t (*text_call)(eps_client *client, const char *text, eps_buffer *out);

static int32_t find_key(eps_client *client, const char *text, eps_buffer *out) { return eps_find_contact(client, text, "x", NULL, out); }
static int32_t find_value(eps_client *client, const char *text, eps_buffer *out) { return eps_find_contact(client, "any", text, NULL, out); }
static int32_t find_options(eps_client *client, const char *text, eps_buffer *out) { return eps_find_contact(client, "any", "x", text, out); }
static int32_t points_contact(eps_client *client, const char *text, eps_buffer *out) { return eps_list_points(client, text, NULL, out); }
static int32_t points_options(eps_client *client, const char *text, eps_buffer *out) { return eps_list_points(client, ASTRID, text, out); }
static int32_t items_contact(eps_client *client, const char *text, eps_buffer *out) { return eps_list_items(client, text, NULL, out); }
static int32_t items_options(eps_client *client, const char *text, eps_buffer *out) { return eps_list_items(client, ASTRID, text, out); }
static int32_t purchase_contact(eps_client *client, const char *text, eps_buffer *out) { return eps_purchase(client, text, COFFEE, NULL, out); }
static int32_t purchase_item(eps_client *client, const char *text, eps_buffer *out) { return eps_purchase(client, ASTRID, text, NULL, out); }
static int32_t purchase_options(eps_client *client, const char *text, eps_buffer *out) { return eps_purchase(client, ASTRID, COFFEE, text, out); }
static int32_t purchases_contact(eps_client *client, const char *text, eps_buffer *out) { return eps_list_purchases(client, text, NULL, out); }
static int32_t purchases_options(eps_client *client, const char *text, eps_buffer *out) { return eps_list_purchases(client, ASTRID, text, out); }
static int32_t rewards_contact(eps_client *client, const char *text, eps_buffer *out) { return eps_list_rewards(client, text, NULL, out); }
static int32_t rewards_options(eps_client *client, const char *text, eps_buffer *out) { return eps_list_rewards(client, ASTRID, text, out); }
static int32_t reward_operation(eps_client *client, const char *text, eps_buffer *out) { return eps_find_reward(client, text, NULL, out); }
static int32_t reward_options(eps_client *client, const char *text, eps_buffer *out) { return eps_find_reward(client, ASTRID, text, out); }
static int32_t redeem_assignment(eps_client *client, const char *text, eps_buffer *out) { return eps_redeem_reward(client, ASTRID, text, NULL, out); }
static int32_t redeem_options(eps_client *client, const char *text, eps_buffer *out) { return eps_redeem_reward(client, ASTRID, ASTRID, text, out); }
static int32_t unacknowledged_options(eps_client *client, const char *text, eps_buffer *out) { return eps_list_unacknowledged(client, text, out); }
static int32_t operations_options(eps_client *client, const char *text, eps_buffer *out) { return eps_list_operations(client, text, out); }
static int32_t review_operation(eps_client *client, const char *text, eps_buffer *out) { return eps_resolve_review(client, text, "completed", NULL, out); }
static int32_t review_resolution(eps_client *client, const char *text, eps_buffer *out) { return eps_resolve_review(client, ASTRID, text, NULL, out); }
static int32_t review_options(eps_client *client, const char *text, eps_buffer *out) { return eps_resolve_review(client, ASTRID, "completed", text, out); }
static int32_t acknowledge_text(eps_client *client, const char *text, eps_buffer *out) { return eps_acknowledge_reference(client, text, NULL, out); }
static int32_t acknowledge_options(eps_client *client, const char *text, eps_buffer *out) { return eps_acknowledge_reference(client, "x", text, out); }
static int32_t backup_path(eps_client *client, const char *text, eps_buffer *out) { return eps_backup_journal(client, text, NULL, out); }
static int32_t backup_options(eps_client *client, const char *text, eps_buffer *out) { return eps_backup_journal(client, "/copy.db", text, out); }
static int32_t check_options(eps_client *client, const char *text, eps_buffer *out) { return eps_check(client, text, out); }
static int32_t resolve_options(eps_client *client, const char *text, eps_buffer *out) { return eps_resolve_pending(client, text, out); }

/* Every argument that is a text. */
static const struct { const char *name; text_call call; const char *argument; enum { TEXT, GUID, OPTIONS } kind; } texts[] = {
    {"eps_find_contact", find_key, "key", TEXT}, {"eps_find_contact", find_value, "value", TEXT},
    {"eps_find_contact", find_options, "options_json", OPTIONS},
    {"eps_list_points", points_contact, "contact_id", GUID}, {"eps_list_points", points_options, "options_json", OPTIONS},
    {"eps_list_items", items_contact, "contact_id", GUID}, {"eps_list_items", items_options, "options_json", OPTIONS},
    {"eps_purchase", purchase_contact, "contact_id", GUID}, {"eps_purchase", purchase_item, "item_id", GUID},
    {"eps_purchase", purchase_options, "options_json", OPTIONS},
    {"eps_list_purchases", purchases_contact, "contact_id", GUID}, {"eps_list_purchases", purchases_options, "options_json", OPTIONS},
    {"eps_list_rewards", rewards_contact, "contact_id", GUID}, {"eps_list_rewards", rewards_options, "options_json", OPTIONS},
    {"eps_find_reward", reward_operation, "operation_id", GUID}, {"eps_find_reward", reward_options, "options_json", OPTIONS},
    {"eps_redeem_reward", redeem_assignment, "assignment_id", GUID}, {"eps_redeem_reward", redeem_options, "options_json", OPTIONS},
    {"eps_list_unacknowledged", unacknowledged_options, "options_json", OPTIONS}, {"eps_resolve_pending", resolve_options, "options_json", OPTIONS},
    {"eps_list_operations", operations_options, "options_json", OPTIONS}, {"eps_resolve_review", review_operation, "operation_id", GUID},
    {"eps_resolve_review", review_resolution, "resolution", TEXT}, {"eps_resolve_review", review_options, "options_json", OPTIONS},
    {"eps_acknowledge_reference", acknowledge_text, "reference", TEXT}, {"eps_acknowledge_reference", acknowledge_options, "options_json", OPTIONS},
    {"eps_backup_journal", backup_path, "path", TEXT}, {"eps_backup_journal", backup_options, "options_json", OPTIONS},
    {"eps_check", check_options, "options_json", OPTIONS},
    {"eps_get_operation", eps_get_operation, "operation_id", GUID}, {"eps_acknowledge", eps_acknowledge, "operation_id", GUID},
};

static const char *const not_utf8[] = {"\xff", "\xc3", "caf\xe9", "\xed\xa0\x80", "\xc0\xaf", "\xf4\x90\x80\x80", "{\"reference\":\"k\xf6p\"}"};
static const char *const not_guids[] = {
    " ", "x", "a0000000-0000-4000-8000-00000000000", "a0000000-0000-4000-8000-0000000000011", "a000000000004000800000000000001",
    "{a0000000-0000-4000-8000-000000000001}", "g0000000-0000-4000-8000-000000000001", "a0000000_0000_4000_8000_000000000001",
    "00000000-0000-0000-0000-000000000000", " a0000000-0000-4000-8000-00000000001", "a0000000-0000-4000-8000-00000000000\xc3\xa5",
    "a0000000-0000-4000-8000-000000000001\n"};
/* Options that no call takes, and the text that the error names beside the argument. */
static const char *const bad_options[][2] = {
    {"", ""}, {" ", ""}, {"[]", "object"}, {"null", "object"}, {"7", "object"}, {"\"waitMs\"", "object"}, {"{", ""}, {"{}}", ""},
    {"{waitMs:1}", ""}, {"{\"surprise\":1}", "surprise"}, {"{\"waitMs\":\"soon\"}", "waitMs"}, {"{\"waitMs\":-1}", "waitMs"},
    {"{\"waitMs\":600001}", "waitMs"}, {"{\"waitMs\":1.5}", "waitMs"}, {"{\"waitMs\":true}", "waitMs"}, {"{\"waitMs\":[1]}", "waitMs"},
    {"{\"waitMs\":1e99}", "waitMs"}, {"{\"waitms\":1}", "waitms"}, {"{\"waitMs\":18446744073709551616}", "waitMs"},
};

static void bad_texts(void)
{
    eps_client *client = OPEN();
    int requests = count_at("/_sandbox/requests", "\"seq\"");
    eps_buffer out;
    char what[200], says[100];
    for (size_t i = 0; i < COUNT(texts); i++) {
        const char *argument = texts[i].argument;
        snprintf(what, sizeof what, "%s, %s", texts[i].name, argument);
        for (size_t k = 0; k < COUNT(not_utf8); k++)
            PROBLEM(texts[i].call(client, not_utf8[k], &out), EPS_BAD_UTF8, argument, what);
        if (texts[i].kind != OPTIONS) {
            PROBLEM(texts[i].call(client, NULL, &out), EPS_NULL_ARGUMENT, argument, what);
            PROBLEM(texts[i].call(client, "", &out), EPS_EMPTY_ARGUMENT, argument, what);
        }
        for (size_t k = 0; texts[i].kind == GUID && k < COUNT(not_guids); k++)
            PROBLEM(texts[i].call(client, not_guids[k], &out), EPS_NOT_A_GUID, argument, what);
        for (size_t k = 0; texts[i].kind == OPTIONS && k < COUNT(bad_options); k++) {
            snprintf(says, sizeof says, "options_json %s", bad_options[k][1]);
            PROBLEM(texts[i].call(client, bad_options[k][0], &out), EPS_BAD_OPTIONS, says, what);
        }
    }
    PROBLEM(eps_find_contact(client, "shoeSize", "x", NULL, &out), EPS_BAD_KEY, "key", "an unknown key");
    PROBLEM(eps_find_contact(client, "any", "x", "{\"contactType\":1}", &out), EPS_BAD_OPTIONS, "contactType", "a contact type");
    PROBLEM(eps_list_rewards(client, ASTRID, "{\"channel\":\"TV\"}", &out), EPS_BAD_OPTIONS, "channel", "a channel");
    PROBLEM(redeem_options(client, "{\"channel\":\"TV\"}", &out), EPS_BAD_OPTIONS, "channel", "a channel");
    PROBLEM(redeem_options(client, "{\"reference\":\"\"}", &out), EPS_BAD_OPTIONS, "reference", "an empty reference");
    PROBLEM(eps_redeem_reward(client, "x", ASTRID, NULL, &out), EPS_NOT_A_GUID, "contact_id", "a contact that may be left out");
    PROBLEM(eps_redeem_reward(client, "", ASTRID, NULL, &out), EPS_EMPTY_ARGUMENT, "contact_id", "a contact that may be left out");
    PROBLEM(purchase_options(client, "{\"snapshotRewards\":1}", &out), EPS_BAD_OPTIONS, "snapshotRewards", "snapshotRewards");
    PROBLEM(purchase_options(client, "{\"reference\":5}", &out), EPS_BAD_OPTIONS, "reference", "a reference");
    PROBLEM(purchase_options(client, "{\"reference\":\"a\\u0000b\"}", &out), EPS_BAD_OPTIONS, "reference", "a reference with a NUL");
    PROBLEM(purchase_options(client, "{\"purchaseId\":5}", &out), EPS_BAD_OPTIONS, "purchaseId", "a purchase id");
    PROBLEM(purchase_options(client, "{\"purchaseId\":\"x\"}", &out), EPS_NOT_A_GUID, "purchaseId", "a purchase id");
    char reference[300];
    snprintf(reference, sizeof reference, "{\"reference\":\"%0201d\"}", 7);
    PROBLEM(purchase_options(client, reference, &out), EPS_BAD_OPTIONS, "reference", "a long reference");
    PROBLEM(unacknowledged_options(client, reference, &out), EPS_BAD_OPTIONS, "reference", "a long reference");
    PROBLEM(operations_options(client, reference, &out), EPS_BAD_OPTIONS, "reference", "a long reference");
    static const char *const lists[][2] = {
        {"{\"since\":\"today\"}", "since"}, {"{\"until\":-1}", "until"}, {"{\"outcome\":\"done\"}", "outcome"}, {"{\"outcome\":2}", "outcome"},
        {"{\"acknowledged\":1}", "acknowledged"}, {"{\"limit\":0}", "limit"}, {"{\"limit\":1001}", "limit"}, {"{\"after\":\"x\"}", "after"},
    };
    for (size_t i = 0; i < COUNT(lists); i++)
        PROBLEM(operations_options(client, lists[i][0], &out), EPS_BAD_OPTIONS, lists[i][1], "eps_list_operations");
    PROBLEM(review_resolution(client, "perhaps", &out), EPS_BAD_OPTIONS, "resolution", "eps_resolve_review");
    PROBLEM(review_options(client, "{\"by\":7}", &out), EPS_BAD_OPTIONS, "by", "eps_resolve_review");
    PROBLEM(review_options(client, "{\"note\":\"a\\nb\"}", &out), EPS_BAD_OPTIONS, "note", "eps_resolve_review");

    /* Deep and long texts must not exhaust the stack. */
    size_t deep = 1 << 20;
    char *nested = malloc(deep + 20);
    strcpy(nested, "{\"waitMs\":");
    memset(nested + 10, '[', deep);
    nested[10 + deep] = 0;
    PROBLEM(items_options(client, nested, &out), EPS_BAD_OPTIONS, "options_json", "a million brackets");
    PROBLEM(items_contact(client, nested, &out), EPS_NOT_A_GUID, "contact_id", "a million brackets");
    free(nested);
    CHECK(count_at("/_sandbox/requests", "\"seq\"") == requests, "nothing was sent for any of it");
    CLOSE(client);
}

static void bad_opens(void)
{
    eps_client *client;
    eps_buffer out;
    const char *fine = config_of(url, "");
#define REJECTED(abi, config, wanted, says) \
    do { \
        client = (eps_client *)&held; \
        memset(&out, 0xA5, sizeof out); \
        int32_t opening = eps_client_open(abi, config, &client, &out); \
        PROBLEM(opening, wanted, says, "eps_client_open"); \
        CHECK(client == NULL, "no client is given"); \
    } while (0)
    for (uint32_t abi = 0; abi < 5; abi++)
        if (abi != EPS_ABI_VERSION)
            REJECTED(abi, fine, EPS_ABI_MISMATCH, "ABI 1");
    REJECTED(UINT32_MAX, NULL, EPS_ABI_MISMATCH, "ABI 1");
    REJECTED(1, NULL, EPS_NULL_ARGUMENT, "config_json");
    REJECTED(1, "", EPS_EMPTY_ARGUMENT, "config_json");
    for (size_t i = 0; i < COUNT(not_utf8); i++)
        REJECTED(1, not_utf8[i], EPS_BAD_UTF8, "config_json");
    static const char *const no_objects[] = {" ", "[]", "null", "7", "{", "{}}", "{\"baseUrl\"}"};
    for (size_t i = 0; i < COUNT(no_objects); i++)
        REJECTED(1, no_objects[i], EPS_BAD_CONFIG, "config_json");
    REJECTED(1, "{}", EPS_BAD_CONFIG, "baseUrl");
    static const char *const members[][2] = {
        {",\"colour\":1", "colour"}, {",\"journal\":\"disk\"", "journal"}, {",\"journal\":\"memory\",\"journalPath\":\"x\"", "journal"},
        {",\"journalPath\":7", "journalPath"}, {",\"retentionDays\":0", "retentionDays"}, {",\"resendLimitMs\":-1", "resendLimitMs"},
        {",\"maxResponseBytes\":\"1\"", "maxResponseBytes"}, {",\"apiMapping\":[]", "apiMapping"}, {",\"apiMapping\":{\"x\":1}", "apiMapping x"},
    };
    for (size_t i = 0; i < COUNT(members); i++)
        REJECTED(1, config_of(url, members[i][0]), EPS_BAD_CONFIG, members[i][1]);
    REJECTED(1, config_of("gopher://x", ""), EPS_BAD_CONFIG, "baseUrl");
    REJECTED(1, config_of("http://acme.voyado.com", ""), EPS_BAD_CONFIG, "baseUrl");
    REJECTED(1, "{\"baseUrl\":\"https://localhost\",\"userAgent\":\"T/1\",\"systemTrust\":false}", EPS_NO_CA_CERTIFICATES, "");
    REJECTED(1, "{\"baseUrl\":\"https://localhost\",\"userAgent\":\"T/1\",\"systemTrust\":false,\"caFile\":\"/nowhere/ca.pem\"}", EPS_NO_CA_CERTIFICATES, "caFile");
    REJECTED(1, config_of(url, ",\"journalPath\":\"" DRIVE "/nowhere/at/all/points.db\""), EPS_JOURNAL_CANNOT_OPEN, "");

    int32_t code = eps_client_open(1, fine, NULL, &out);
    PROBLEM(code, EPS_NULL_ARGUMENT, "client", "eps_client_open");
    client = (eps_client *)&held;
    CHECK(eps_client_open(1, fine, &client, NULL) == EPS_NULL_ARGUMENT, "eps_client_open without a buffer");
    CHECK(client == NULL || client == (eps_client *)&held, "no client is given");
    CHECK(eps_client_open(1, NULL, NULL, NULL) == EPS_NULL_ARGUMENT, "eps_client_open with nothing");

    /* Without a journal, a call that spends names the missing setting. */
    client = opened(__LINE__, url, "");
    PROBLEM(purchase(client, &out), EPS_BAD_CONFIG, "journalPath", "a purchase without a journal");
    PROBLEM(list_unacknowledged(client, &out), EPS_BAD_CONFIG, "journalPath", "eps_list_unacknowledged without a journal");
    PROBLEM(get_operation(client, &out), EPS_BAD_CONFIG, "journalPath", "eps_get_operation without a journal");
    PROBLEM(resolve_pending(client, &out), EPS_BAD_CONFIG, "journalPath", "eps_resolve_pending without a journal");
    PROBLEM(acknowledge(client, &out), EPS_BAD_CONFIG, "journalPath", "eps_acknowledge without a journal");
    PROBLEM(list_operations(client, &out), EPS_BAD_CONFIG, "journalPath", "eps_list_operations without a journal");
    PROBLEM(resolve_review(client, &out), EPS_BAD_CONFIG, "journalPath", "eps_resolve_review without a journal");
    PROBLEM(acknowledge_reference(client, &out), EPS_BAD_CONFIG, "journalPath", "eps_acknowledge_reference without a journal");
    PROBLEM(backup_journal(client, &out), EPS_BAD_CONFIG, "journalPath", "eps_backup_journal without a journal");
    GOOD(read_stats(client, &out), "\"pending\":null", "eps_read_stats without a journal");
    GOOD(check_all(client, &out), "\"pendingPoints\":null", "eps_check without a journal");
    GOOD(read_metrics(client, &out), "# EOF\n", "eps_read_metrics without a journal");
    CLOSE(client);
}

/* ---- Small functions ---- */

/* A client for the tests of a binding returns what it was given. */
static void echoes(void)
{
    static const char config[] = "{\"baseUrl\":\"echo:\",\"userAgent\":\"TestPOS/1.0\"}";
    eps_client *client;
    eps_buffer out;
    int32_t code = eps_client_open(EPS_ABI_VERSION, config, &client, &out);
    GOOD(code, "\"abi\":1", "a client that echoes");
    for (size_t i = 0; i < COUNT(calls); i++) {
        char start[100];
        snprintf(start, sizeof start, "{\"function\":\"%s\",\"arguments\":[", calls[i].name);
        GOOD(calls[i].call(client, &out), start, calls[i].name);
    }
    GOOD(eps_redeem_reward(client, NULL, "\xc3\xa5\"", "", &out), "\"arguments\":[null,\"\xc3\xa5\\\"\",\"\"]}", "redeem");
    GOOD(eps_purchase(client, "contact", "item", "options", &out), "\"arguments\":[\"contact\",\"item\",\"options\"]}", "buy");
    PROBLEM(eps_purchase(client, "\xff", "x", NULL, &out), EPS_BAD_UTF8, "UTF-8", "a text that is not UTF-8");
    CLOSE(client);
    PROBLEM(eps_check(client, NULL, &out), EPS_CLOSED, "client", "a closed client");
    /* A till's own configuration is none. */
    client = (eps_client *)&held;
    code = eps_client_open(EPS_ABI_VERSION, config_of("echo:", ""), &client, &out);
    PROBLEM(code, EPS_BAD_CONFIG, "baseUrl echo: key", "a key");
    code = eps_client_open(EPS_ABI_VERSION, "{\"baseUrl\":\"echo:\",\"userAgent\":\"P/1\",\"journal\":\"memory\"}", &client, &out);
    PROBLEM(code, EPS_BAD_CONFIG, "baseUrl echo: journal", "a journal");
}

static void buffers_ids_and_versions(void)
{
    eps_buffer_dispose(NULL);
    eps_buffer never = {0};
    eps_buffer_dispose(&never);
    eps_buffer_dispose(&never);
    eps_buffer out;
    static char ids[2000][40];
    size_t wanted = slow ? 200 : 2000;
    for (size_t i = 0; i < wanted; i++) {
        int32_t code = eps_new_id(&out);
        if (!CHECK(code == EPS_OK && out.len == 38 && out.data[0] == '"' && out.data[37] == '"' && is_guid(out.data + 1), "an id is a GUID"))
            return;
        memcpy(ids[i], out.data, 38);
        eps_buffer_dispose(&out);
        eps_buffer_dispose(&out);
    }
    qsort(ids, wanted, sizeof *ids, (int (*)(const void *, const void *))strcmp);
    for (size_t i = 1; i < wanted; i++)
        CHECK(strcmp(ids[i - 1], ids[i]), "ids are unique");

    CHECK(eps_outcome(INT32_MIN) == EPS_OUTCOME_PENDING && eps_outcome(INT32_MAX) == EPS_OUTCOME_PENDING, "outcomes are total");
    CHECK(strcmp(eps_code_name(INT32_MIN), "EPS_UNKNOWN") == 0 && strcmp(eps_code_name(1), "EPS_UNKNOWN") == 0, "names are total");
    CHECK(eps_code_name(0) == eps_code_name(0) && strcmp(eps_code_name(0), "EPS_OK") == 0, "a name is static");
    CHECK(strcmp(eps_version(), EPS_VERSION) == 0, "the library is of the header's version");
    char version[40];
    snprintf(version, sizeof version, "%d.%d.%d", EPS_VERSION_MAJOR, EPS_VERSION_MINOR, EPS_VERSION_PATCH);
    CHECK(strcmp(version, EPS_VERSION) == 0, "the version's parts make the version");
    CHECK(eps_abi_version() == EPS_ABI_VERSION, "the library is of the header's ABI");
}

static void json_values_and_texts(void)
{
    static const char json[] = "{\"a\":[{\"b\":\"x\\\"\\u00e5\"},500.00,null],\"m/n\":{\"~\":true}} trailing";
    static const char *const values[][2] = {{"/a/0/b", "x\"\xc3\xa5"}, {"/a/1", "500.00"}, {"/a/2", "null"},
                                            {"/a/0", "{\"b\":\"x\\\"\\u00e5\"}"}, {"/m~1n/~0", "true"}};
    static const char *const nothing[] = {"/x", "/a/3", "/a/-", "/a/00", "/a/0/b/0", "a", "/~"};
    eps_buffer from = {(char *)json, strlen(json) - strlen(" trailing"), 0}, out;
    for (size_t i = 0; i < COUNT(values); i++) {
        memset(&out, 0xA5, sizeof out);
        int32_t code = eps_json_get(&from, values[i][0], &out);
        CHECK(code == EPS_OK && strcmp(out.data, values[i][1]) == 0 && out.len == strlen(values[i][1]), "%s is %s", values[i][0], out.data);
        dispose(__LINE__, &out);
    }
    for (size_t i = 0; i < COUNT(nothing); i++)
        PROBLEM(eps_json_get(&from, nothing[i], &out), EPS_BAD_OPTIONS, "pointer", nothing[i]);
    CHECK(from.data == json && eps_json_get(&from, "", &from) == EPS_BAD_OPTIONS && from.data == json, "a buffer is not read into itself");
    PROBLEM(eps_json_get(NULL, "", &out), EPS_NULL_ARGUMENT, "buffer", "eps_json_get");
    PROBLEM(eps_json_get(&from, NULL, &out), EPS_NULL_ARGUMENT, "pointer", "eps_json_get");
    PROBLEM(eps_json_get(&from, "/\xff", &out), EPS_BAD_UTF8, "pointer", "eps_json_get");
    CHECK(eps_json_get(&from, "", NULL) == EPS_NULL_ARGUMENT && eps_json_get(NULL, NULL, NULL) == EPS_NULL_ARGUMENT, "a buffer for the value");
    static const eps_buffer empty[] = {{NULL, 0, 0}, {NULL, 7, 7}, {(char *)json, 0, 0}};
    for (size_t i = 0; i < COUNT(empty); i++)
        PROBLEM(eps_json_get(&empty[i], "/a", &out), EPS_EMPTY_ARGUMENT, "buffer", "an empty buffer");
    from.len++, from.len += strlen("trail");
    PROBLEM(eps_json_get(&from, "/a", &out), EPS_BAD_OPTIONS, "buffer", "more than one value");

    GOOD(eps_json_quote("1\", \"waitMs\": 1\\", &out), "\"1\\\", \\\"waitMs\\\": 1\\\\\"", "eps_json_quote");
    GOOD(eps_json_quote("", &out), "\"\"", "eps_json_quote of nothing");
    PROBLEM(eps_json_quote(NULL, &out), EPS_NULL_ARGUMENT, "text", "eps_json_quote");
    PROBLEM(eps_json_quote("caf\xe9", &out), EPS_BAD_UTF8, "text", "eps_json_quote");
    CHECK(eps_json_quote("x", NULL) == EPS_NULL_ARGUMENT, "eps_json_quote without a buffer");

    CHECK(strcmp(eps_code_action(EPS_OK), "continue") == 0 && strcmp(eps_code_action(EPS_UNAUTHORIZED), "administrator") == 0, "actions");
    CHECK(eps_code_action(INT32_MIN) && eps_code_action(INT32_MAX) && *eps_code_meaning(INT32_MIN), "actions and meanings are total");
    CHECK(eps_code_meaning(EPS_OFFLINE) == eps_code_meaning(EPS_OFFLINE) && strstr(eps_code_meaning(EPS_OFFLINE), "No connection"), "a meaning is static");
}

/* ---- The log function ---- */

/* The state that a test and its log function share. */
struct meeting {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    eps_client *client;
    pthread_t tester;
    int lines, reads, entered, inside, open, ok, left;
};

static void meet(struct meeting *meeting)
{
    *meeting = (struct meeting){.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .tester = pthread_self(), .ok = 1};
}

/* Waits until a counter has a value. Returns 0 if it has not after this many ms. */
static int await_value(struct meeting *meeting, const int *counter, int wanted, int ms)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L)
        until.tv_sec++, until.tv_nsec -= 1000000000L;
    pthread_mutex_lock(&meeting->lock);
    int waited = 0;
    while (*counter < wanted && !waited)
        waited = pthread_cond_timedwait(&meeting->changed, &meeting->lock, &until);
    int reached = *counter >= wanted;
    pthread_mutex_unlock(&meeting->lock);
    return reached;
}

static int value_of(struct meeting *meeting, const int *counter)
{
    pthread_mutex_lock(&meeting->lock);
    int value = *counter;
    pthread_mutex_unlock(&meeting->lock);
    return value;
}

static void set_value(struct meeting *meeting, int *counter, int value)
{
    pthread_mutex_lock(&meeting->lock);
    *counter = value;
    pthread_cond_broadcast(&meeting->changed);
    pthread_mutex_unlock(&meeting->lock);
}

/* Counts lines and checks each. */
static void count_line(void *user, int32_t level, const char *line, size_t len)
{
    struct meeting *meeting = user;
    pthread_mutex_lock(&meeting->lock);
    meeting->ok = meeting->ok && strlen(line) == len && line[0] == '{' && line[len - 1] == '}' && strstr(line, "\"event\":\"") &&
                  level >= EPS_LOG_ERROR && level <= EPS_LOG_DEBUG && !pthread_equal(pthread_self(), meeting->tester) &&
                  !strstr(line, key);
    meeting->lines++;
    /* The requests of a call have lines too. */
    meeting->reads += strstr(line, "\"event\":\"items.listed\"") != NULL;
    pthread_cond_broadcast(&meeting->changed);
    pthread_mutex_unlock(&meeting->lock);
}

/* Reports that it runs and blocks until it is released. */
static void stay_inside(void *user, int32_t level, const char *line, size_t len)
{
    struct meeting *meeting = user;
    count_line(user, level, line, len);
    pthread_mutex_lock(&meeting->lock);
    meeting->entered++;
    meeting->inside = 1;
    pthread_cond_broadcast(&meeting->changed);
    while (!meeting->open)
        pthread_cond_wait(&meeting->changed, &meeting->lock);
    meeting->inside = 0;
    pthread_mutex_unlock(&meeting->lock);
}

/* Calls every function of the library, and at last removes itself. */
static void call_back(void *user, int32_t level, const char *line, size_t len)
{
    struct meeting *meeting = user;
    eps_buffer out = {0};
    int good_calls = eps_read_stats(meeting->client, &out) == EPS_OK;
    eps_buffer_dispose(&out);
    good_calls += eps_new_id(&out) == EPS_OK;
    eps_buffer_dispose(&out);
    good_calls += eps_list_unacknowledged(meeting->client, NULL, &out) == EPS_OK;
    eps_buffer_dispose(&out);
    good_calls += eps_list_items(meeting->client, ASTRID, NULL, &out) == EPS_OK;
    eps_buffer_dispose(&out);
    good_calls += eps_set_log(meeting->client, EPS_LOG_DEBUG, call_back, user) == EPS_OK;
    good_calls += eps_cancel(meeting->client) == EPS_OK;
    good_calls += eps_set_log(meeting->client, EPS_LOG_OFF, NULL, NULL) == EPS_OK;
    pthread_mutex_lock(&meeting->lock);
    meeting->ok = meeting->ok && good_calls == 7;
    pthread_mutex_unlock(&meeting->lock);
    count_line(user, level, line, len);
}

/* Closes its own client. */
static void close_it(void *user, int32_t level, const char *line, size_t len)
{
    struct meeting *meeting = user;
    int closes = eps_client_close(meeting->client) == EPS_OK;
    pthread_mutex_lock(&meeting->lock);
    meeting->ok = meeting->ok && closes;
    pthread_mutex_unlock(&meeting->lock);
    count_line(user, level, line, len);
}

static void some_line(eps_client *client)
{
    eps_buffer out;
    GOOD(list_items(client, &out), COFFEE, "eps_list_items");
}

static void *removes_the_log(void *user)
{
    struct meeting *meeting = user;
    set_value(meeting, &meeting->left, 1);
    int32_t code = eps_set_log(meeting->client, EPS_LOG_OFF, NULL, NULL);
    CHECK(code == EPS_OK && !value_of(meeting, &meeting->inside), "eps_set_log waits for a function that is running");
    set_value(meeting, &meeting->left, 2);
    return NULL;
}

static void the_log(void)
{
    struct meeting first, second;
    eps_client *client = OPEN();
    const int32_t bad_levels[] = {-1, 5, INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < COUNT(bad_levels); i++) {
        CHECK(eps_set_log(client, bad_levels[i], count_line, NULL) == EPS_BAD_LOG_LEVEL, "%d is no level", bad_levels[i]);
        CHECK(eps_set_log(client, bad_levels[i], NULL, NULL) == EPS_BAD_LOG_LEVEL, "%d is no level", bad_levels[i]);
    }
    for (int32_t level = EPS_LOG_OFF; level <= EPS_LOG_DEBUG; level++)
        CHECK(eps_set_log(client, level, NULL, NULL) == EPS_OK, "%d is a level", level);

    /* Lines come on another thread. A read is a line of the level DEBUG. */
    meet(&first), meet(&second);
    CHECK(eps_set_log(client, EPS_LOG_DEBUG, count_line, &first) == EPS_OK, "a log function is set");
    some_line(client);
    CHECK(await_value(&first, &first.lines, 1, 5000), "a line comes");
    /* Replaced: the second function gets all later lines, the first none. */
    CHECK(eps_set_log(client, EPS_LOG_DEBUG, count_line, &second) == EPS_OK, "a log function is replaced");
    int lines = value_of(&first, &first.lines);
    some_line(client);
    CHECK(await_value(&second, &second.lines, 1, 5000), "a line comes");
    CHECK(value_of(&first, &first.lines) == lines, "a function that was replaced is not called");
    /* At the level ERROR a successful read is no line. The next read at DEBUG is the next line. */
    CHECK(eps_set_log(client, EPS_LOG_ERROR, count_line, &first) == EPS_OK, "a log function is set");
    some_line(client);
    CHECK(eps_set_log(client, EPS_LOG_OFF, NULL, NULL) == EPS_OK, "a log function is removed");
    lines = value_of(&second, &second.lines);
    some_line(client);
    meet(&first);
    CHECK(eps_set_log(client, EPS_LOG_DEBUG, count_line, &first) == EPS_OK, "a log function is set");
    some_line(client);
    CHECK(await_value(&first, &first.reads, 1, 5000) && value_of(&first, &first.reads) == 1, "one read is one line");
    CHECK(value_of(&second, &second.lines) == lines, "a function that was removed is not called");
    CHECK(first.ok && second.ok, "every line is JSON with its length, on a thread of the library's, without the key");

    /* Removing a log function waits for a running one. */
    meet(&first);
    first.client = client;
    CHECK(eps_set_log(client, EPS_LOG_DEBUG, stay_inside, &first) == EPS_OK, "a log function is set");
    some_line(client);
    CHECK(await_value(&first, &first.inside, 1, 5000), "a line comes");
    pthread_t remover;
    pthread_create(&remover, NULL, removes_the_log, &first);
    await_value(&first, &first.left, 1, 5000);
    CHECK(!await_value(&first, &first.left, 2, 100), "eps_set_log waits");
    set_value(&first, &first.open, 1);
    pthread_join(remover, NULL);

    /* A log function that never returns blocks no call, and eps_set_log for about a second only. */
    meet(&first);
    CHECK(eps_set_log(client, EPS_LOG_DEBUG, stay_inside, &first) == EPS_OK, "a log function is set");
    some_line(client);
    CHECK(await_value(&first, &first.inside, 1, 5000), "a line comes");
    some_line(client);
    double began = now_ms();
    CHECK(eps_set_log(client, EPS_LOG_OFF, NULL, NULL) == EPS_OK, "a function that hangs is removed");
    in_time(__LINE__, now_ms() - began, 1500, "removing a log function that hangs");
    lines = value_of(&first, &first.entered);
    set_value(&first, &first.open, 1);
    meet(&second);
    CHECK(eps_set_log(client, EPS_LOG_DEBUG, count_line, &second) == EPS_OK, "a log function is set");
    some_line(client);
    CHECK(await_value(&second, &second.lines, 1, 5000), "lines come again");
    CHECK(value_of(&first, &first.entered) == lines, "a function that was removed while it ran is not entered again");

    meet(&first);
    first.client = client;
    CHECK(eps_set_log(client, EPS_LOG_DEBUG, call_back, &first) == EPS_OK, "a log function is set");
    some_line(client);
    CHECK(await_value(&first, &first.lines, 1, 20000), "a function that calls back returns");
    CHECK(first.ok, "a log function may call the library");
    CLOSE(client);

    meet(&first);
    first.client = OPEN();
    CHECK(eps_set_log(first.client, EPS_LOG_DEBUG, close_it, &first) == EPS_OK, "a log function is set");
    some_line(first.client);
    CHECK(await_value(&first, &first.lines, 1, 20000) && first.ok, "a log function may close its own client");
    CHECK(eps_cancel(first.client) == EPS_CLOSED, "the client is closed then");
}

/* After eps_client_close, the program may free the memory of its log function. */
static void a_closed_client_logs_no_more(void)
{
    struct meeting meeting;
    meet(&meeting);
    eps_client *client = OPEN();
    CHECK(eps_set_log(client, EPS_LOG_DEBUG, stay_inside, &meeting) == EPS_OK, "a log function is set");
    for (int i = 0; i < 5; i++)
        some_line(client);
    CHECK(await_value(&meeting, &meeting.inside, 1, 5000), "a line comes");
    double began = now_ms();
    CLOSE(client);
    in_time(__LINE__, now_ms() - began, 2500, "closing a client whose log function hangs");
    int entered = value_of(&meeting, &meeting.entered);
    set_value(&meeting, &meeting.open, 1);
    CHECK(!await_value(&meeting, &meeting.entered, entered + 1, 200), "after eps_client_close the log function is not entered again");
    /* A running log function must return before the memory is freed. */
    await_value(&meeting, &meeting.lines, 5, slow ? 2000 : 200);
}

/* Removes itself at the line that reports dropped lines. */
static void leave_at_drops(void *user, int32_t level, const char *line, size_t len)
{
    struct meeting *meeting = user;
    if (strstr(line, "log.dropped")) {
        eps_set_log(meeting->client, EPS_LOG_OFF, NULL, NULL);
        set_value(meeting, &meeting->left, 1);
        return;
    }
    if (value_of(meeting, &meeting->left)) {
        set_value(meeting, &meeting->ok, 0);
        return;
    }
    stay_inside(user, level, line, len);
}

/* The line about dropped lines and the next line are two calls. The second must not come after
 * the first removed the function. */
static void a_log_function_that_removes_itself_is_not_entered_again(void)
{
    /* The rounds are fewer under an instrument, because dropping lines takes many lines. */
    if (slow)
        return;
    struct meeting meeting, next;
    meet(&meeting), meet(&next);
    eps_buffer out;
    eps_client *client = meeting.client = opened(__LINE__, "http://127.0.0.1:9", ",\"journal\":\"memory\"");
    CHECK(eps_set_log(client, EPS_LOG_DEBUG, leave_at_drops, &meeting) == EPS_OK, "a log function is set");
    eps_list_items(client, ASTRID, "{\"waitMs\":0}", &out);
    eps_buffer_dispose(&out);
    CHECK(await_value(&meeting, &meeting.inside, 1, 5000), "a line comes");
    for (int i = 0; i < 1100; i++) {
        eps_list_items(client, ASTRID, "{\"waitMs\":0}", &out);
        eps_buffer_dispose(&out);
    }
    set_value(&meeting, &meeting.open, 1);
    CHECK(await_value(&meeting, &meeting.left, 1, 20000), "dropped lines are reported");
    CHECK(eps_set_log(client, EPS_LOG_DEBUG, count_line, &next) == EPS_OK, "a log function is set");
    eps_list_items(client, ASTRID, "{\"waitMs\":0}", &out);
    eps_buffer_dispose(&out);
    CHECK(await_value(&next, &next.lines, 1, 5000), "lines come again");
    CHECK(value_of(&meeting, &meeting.ok), "a function that removed itself is not entered again");
    CLOSE(client);
}

/* ---- Buying ---- */

static void completed_declined_and_offline(void)
{
    eps_client *client = OPEN();
    eps_buffer out;
    char id[64];
    int deductions = count_at("/_sandbox/ledger", "\"deduct\"");
    int32_t code = eps_purchase(client, ASTRID, COFFEE, "{\"reference\":\"receipt 1\"}", &out);
    text_of(out.data, "operationId", id, sizeof id);
    CHECK(is_guid(id) && strstr(out.data, "\"existing\":false") && strstr(out.data, "\"outcome\":\"completed\""), "%s", out.data);
    GOOD(code, "\"name\":\"EPS_OK\"", "a purchase");
    code = eps_purchase(client, ASTRID, COFFEE, "{\"reference\":\"receipt 1\"}", &out);
    GOOD(code, "\"existing\":true", "the second press");
    CHECK(count_at("/_sandbox/ledger", "\"deduct\"") == deductions + 1, "two presses are one deduction");
    GOOD(eps_get_operation(client, id, &out), "\"attempts\":1", "eps_get_operation");
    GOOD(eps_list_unacknowledged(client, "{}", &out), id, "eps_list_unacknowledged");
    GOOD(eps_acknowledge(client, id, &out), id, "eps_acknowledge");
    GOOD(eps_acknowledge(client, id, &out), id, "eps_acknowledge again");
    GOOD(eps_list_unacknowledged(client, NULL, &out), "\"operations\":[]", "eps_list_unacknowledged");
    char options[100];
    snprintf(options, sizeof options, "{\"purchaseId\":\"%s\"}", id);
    PROBLEM(eps_purchase(client, BJORN, COFFEE, options, &out), EPS_PURCHASE_ID_CONFLICT, "", "another member's id");
    PROBLEM(eps_purchase(client, ASTRID, COFFEE, "{\"reference\":\"receipt 1\",\"purchaseId\":\"" NOBODY "\"}", &out), EPS_REFERENCE_CONFLICT,
            "", "another id for a receipt");
    PROBLEM(eps_get_operation(client, NOBODY, &out), EPS_UNKNOWN_OPERATION, "", "eps_get_operation");
    PROBLEM(eps_acknowledge(client, NOBODY, &out), EPS_UNKNOWN_OPERATION, "", "eps_acknowledge");

    code = eps_purchase(client, ASTRID, SUMMER_SALE, NULL, &out);
    text_of(out.data, "operationId", id, sizeof id);
    CHECK(is_guid(id) && strstr(out.data, "\"httpStatus\":422"), "%s", out.data);
    PROBLEM(code, EPS_PURCHASE_NOT_ALLOWED, "", "a purchase of an item that is not sold");
    GOOD(eps_get_operation(client, id, &out), "\"outcome\":\"declined\"", "eps_get_operation");
    PROBLEM(eps_list_items(client, NOBODY, NULL, &out), EPS_INVALID_CONTACT, "", "eps_list_items for an unknown contact");
    CHECK(count_at("/_sandbox/ledger", "\"deduct\"") == deductions + 1, "a refusal deducts nothing");

    GOOD(eps_find_contact(client, "email", "bjorn@example.com", NULL, &out), BJORN, "eps_find_contact");
    PROBLEM(eps_find_contact(client, "email", "nobody@example.com", NULL, &out), EPS_CONTACT_NOT_FOUND, "", "eps_find_contact");
    GOOD(eps_list_points(client, ASTRID, "{\"waitMs\":60000}", &out), "\"balance\"", "eps_list_points");
    GOOD(list_purchases(client, &out), "\"id\"", "eps_list_purchases");
    GOOD(eps_list_purchases(client, BJORN, NULL, &out), "[]", "eps_list_purchases of nothing");
    GOOD(eps_list_rewards(client, ASTRID, "{\"channel\":\"POS\"}", &out), "\"id\"", "eps_list_rewards");
    GOOD(read_stats(client, &out), "\"completed\":1", "eps_read_stats");

    CHECK(eps_purchase(client, LOAD, COFFEE, "{\"reference\":\"receipt 5\",\"snapshotRewards\":true}", &out) == EPS_OK, "eps_purchase");
    char purchase_id[64], assignment[64];
    text_of(out.data, "operationId", purchase_id, sizeof purchase_id);
    eps_buffer_dispose(&out);
    CHECK(eps_find_reward(client, purchase_id, NULL, &out) == EPS_OK, "eps_find_reward");
    text_of(out.data, "assignmentId", assignment, sizeof assignment);
    CHECK(is_guid(assignment) && strstr(out.data, "\"receipt\":{\"title\""), "%s", out.data);
    eps_buffer_dispose(&out);
    GOOD(eps_redeem_reward(client, LOAD, assignment, NULL, &out), "\"kind\":\"redeem\"", "eps_redeem_reward");
    GOOD(eps_redeem_reward(client, NULL, assignment, NULL, &out), "\"existing\":true", "eps_redeem_reward again");
    PROBLEM(eps_redeem_reward(client, NULL, assignment, "{\"reference\":\"another\"}", &out), EPS_ALREADY_REDEEMED, "", "a used reward");
    CHECK(count_at("/_sandbox/ledger", "\"redeem\"") == 1, "a reward is used once");
    CLOSE(client);

    /* A port without a server: bound and not listening, so that no other process takes it. */
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = (int)socket(AF_INET, SOCK_STREAM, 0);
    char nowhere[64];
    if (bind(fd, (struct sockaddr *)&address, size) || getsockname(fd, (struct sockaddr *)&address, &size))
        perror("a port"), exit(3);
    snprintf(nowhere, sizeof nowhere, "%s://127.0.0.1:%d", strcmp(ca, "-") ? "https" : "http", ntohs(address.sin_port));
    client = opened(__LINE__, nowhere, ",\"journal\":\"memory\"");
    PROBLEM(list_items(client, &out), EPS_OFFLINE, "", "eps_list_items offline");
    code = eps_purchase(client, ASTRID, COFFEE, "{\"waitMs\":300}", &out);
    text_of(out.data, "operationId", id, sizeof id);
    CHECK(eps_outcome(code) == EPS_OUTCOME_NOT_SENT, "an offline purchase is not sent: %s", out.data);
    PROBLEM(code, EPS_OFFLINE, "", "a purchase offline");
    GOOD(eps_get_operation(client, id, &out), "\"outcome\":\"notSent\"", "eps_get_operation");
    CLOSE(client);
    close_socket(fd);

    client = opened(__LINE__, url, ",\"journal\":\"memory\",\"apiMapping\":{\"keyHeader\":\"x-no-key\"}");
    PROBLEM(list_items(client, &out), EPS_UNAUTHORIZED, "", "eps_list_items without a key");
    PROBLEM(purchase(client, &out), EPS_UNAUTHORIZED, "", "a purchase without a key");
    CLOSE(client);
}

/* "Not sent" is a statement about the sale. A press with a short wait on an existing purchase
 * must not get it. */
static void a_press_with_a_short_wait_is_never_not_sent(void)
{
    static const char *const options[] = {"{\"reference\":\"receipt 3\"}", "{\"reference\":\"receipt 3\",\"waitMs\":0}"};
    eps_client *client = OPEN();
    eps_buffer out;
    GOOD(eps_purchase(client, LOAD, COFFEE, options[0], &out), "\"outcome\":\"completed\"", "a purchase");
    int not_sent = 0, presses = slow ? 20 : 200;
    for (int i = 0; i < presses; i++) {
        not_sent += eps_outcome(eps_purchase(client, LOAD, COFFEE, options[1], &out)) == EPS_OUTCOME_NOT_SENT;
        eps_buffer_dispose(&out);
    }
    CHECK(not_sent == 0, "of %d presses with a short wait of a completed purchase, %d reported not sent", presses, not_sent);
    CLOSE(client);
}

/* ---- Calls that are blocked ---- */

struct blocked {
    eps_client *client;
    plain_call call;
    const char *name;
    int32_t code;
    int wanted;
    double back;
    eps_buffer out;
    pthread_t thread;
};

static void *blocks(void *of)
{
    struct blocked *blocked = of;
    blocked->code = blocked->call(blocked->client, &blocked->out);
    blocked->back = now_ms();
    return NULL;
}

/* Several calls wait for a server that never responds, until `end` ends them all. */
static void blocked_calls(eps_client *client, const char *effect, int32_t (*end)(eps_client *), int32_t read_code, int32_t purchase_code,
                          double limit, const char *what)
{
    struct blocked all[] = {
        {.client = client, .call = list_items, .name = "eps_list_items", .wanted = read_code},
        {.client = client, .call = list_rewards, .name = "eps_list_rewards", .wanted = read_code},
        {.client = client, .call = find_contact, .name = "eps_find_contact", .wanted = read_code},
        {.client = client, .call = purchase, .name = "eps_purchase", .wanted = purchase_code},
    };
    fault("any", effect);
    int seen = count_at("/_sandbox/requests", "\"no response\"");
    for (size_t i = 0; i < COUNT(all); i++)
        pthread_create(&all[i].thread, NULL, blocks, &all[i]);
    await_requests(seen + (int)COUNT(all), "\"no response\"");
    double began = now_ms(), worst = 0;
    CHECK(end(client) == EPS_OK, "%s works while calls are blocked", what);
    double returned = now_ms() - began;
    for (size_t i = 0; i < COUNT(all); i++) {
        pthread_join(all[i].thread, NULL);
        if (all[i].back - began > worst)
            worst = all[i].back - began;
        problem(__LINE__, all[i].code, all[i].wanted, &all[i].out, "", all[i].name);
    }
    char label[100];
    snprintf(label, sizeof label, "%s: the last of %zu blocked calls", what, COUNT(all));
    in_time(__LINE__, worst, 250, label);
    in_time(__LINE__, returned, limit, what);
    send_admin("DELETE", "/_sandbox/faults", "");
}

static void cancelled_and_closed_while_blocked(void)
{
    eps_client *client = OPEN();
    blocked_calls(client, "stallBeforeCommit", eps_cancel, EPS_CANCELLED, EPS_PENDING_CANCELLED, 250, "eps_cancel");
    some_line(client);
    CLOSE(client);

    client = OPEN();
    blocked_calls(client, "stallAfterCommit", eps_client_close, EPS_CLOSED, EPS_PENDING_CLOSED, 2250, "eps_client_close");
    every_call_rejects(client, EPS_CLOSED);
}

/* ---- Threads of the POS that end ---- */

#ifndef _WIN32
/* A log function that ends its thread. Language runtimes do so at the end of the program. */
static void end_by_line(void *user, int32_t level, const char *line, size_t len)
{
    struct meeting *meeting = user;
    (void)level, (void)line, (void)len;
    set_value(meeting, &meeting->entered, 1);
    pthread_exit(NULL);
}

/* A notify function that ends its thread. */
static void end_by_operation(void *user, const char *json, size_t len)
{
    end_by_line(user, EPS_LOG_INFO, json, len);
}

/* A call of a thread that is cancelled meanwhile. */
static void *blocks_and_ends(void *of)
{
    blocks(of);
    pthread_testcancel();
    return NULL;
}

/* A cancelled thread ends after its call, which has its result. */
static void a_cancelled_thread_ends_after_its_call(void)
{
    eps_client *client = OPEN();
    struct blocked all[] = {
        {.client = client, .call = list_items, .name = "eps_list_items", .wanted = EPS_CANCELLED},
        {.client = client, .call = purchase, .name = "eps_purchase", .wanted = EPS_PENDING_CANCELLED},
    };
    fault("any", "stallBeforeCommit");
    int seen = count_at("/_sandbox/requests", "\"no response\"");
    for (size_t i = 0; i < COUNT(all); i++)
        pthread_create(&all[i].thread, NULL, blocks_and_ends, &all[i]);
    await_requests(seen + (int)COUNT(all), "\"no response\"");
    for (size_t i = 0; i < COUNT(all); i++)
        pthread_cancel(all[i].thread);
    CHECK(eps_cancel(client) == EPS_OK, "calls of cancelled threads are ended");
    for (size_t i = 0; i < COUNT(all); i++) {
        void *result = NULL;
        pthread_join(all[i].thread, &result);
        CHECK(result == PTHREAD_CANCELED, "%s: its thread is cancelled", all[i].name);
        problem(__LINE__, all[i].code, all[i].wanted, &all[i].out, "", all[i].name);
    }
    send_admin("DELETE", "/_sandbox/faults", "");
    some_line(client);
    CLOSE(client);
}

static void a_function_may_end_its_thread(void)
{
    /* The thread's memory is lost, which an instrument reports. */
    if (slow)
        return;
    struct meeting line, operation;
    meet(&line), meet(&operation);
    eps_client *client = OPEN();
    CHECK(eps_set_log(client, EPS_LOG_DEBUG, end_by_line, &line) == EPS_OK, "a log function is set");
    CHECK(eps_set_notify(client, end_by_operation, &operation) == EPS_OK, "a notify function is set");
    eps_buffer out;
    GOOD(purchase(client, &out), "completed", "eps_purchase");
    CHECK(await_value(&line, &line.entered, 1, 60000), "the log function has ended its thread");
    CHECK(await_value(&operation, &operation.entered, 1, 60000), "the notify function has ended its thread");
    some_line(client);
    CLOSE(client);
}
#endif

/* ---- A journal in a file ---- */

static void a_purchase_outlives_its_client(void)
{
    char more[600], id[64] = "", options[64];
    eps_buffer out = {0};
    snprintf(more, sizeof more, ",\"journalPath\":\"%s/points.db\"", folder);
    int deductions = count_at("/_sandbox/ledger", "\"deduct\"");
    request_timeout_ms = slow ? 5000 : 1000;
    eps_client *client = opened(__LINE__, url, more);
    int seen = count_at("/_sandbox/requests", "\"no response\"");
    fault("any", "stallAfterCommit");
    /* On a busy machine a wait may end before the request has left: the sale is pressed again. */
    int32_t code;
    int wait = slow ? 1000 : 300;
    do {
        snprintf(options, sizeof options, "{\"reference\":\"receipt 2\",\"waitMs\":%d}", wait);
        eps_buffer_dispose(&out);
        code = eps_purchase(client, LOAD, COFFEE, options, &out);
        wait += 200;
    } while (eps_outcome(code) == EPS_OUTCOME_NOT_SENT && wait < (slow ? 5000 : 1000));
    text_of(out.data, "operationId", id, sizeof id);
    CHECK(is_guid(id) && eps_outcome(code) == EPS_OUTCOME_PENDING, "%s", out.data);
    PROBLEM(code, EPS_PENDING_WAIT_ENDED, "", "a purchase without a response");
    await_requests(seen + 1, "\"no response\"");
    PROBLEM(eps_acknowledge(client, id, &out), EPS_STILL_PENDING, "", "eps_acknowledge");
    PROBLEM(eps_acknowledge_reference(client, "receipt 2", NULL, &out), EPS_STILL_PENDING, "", "eps_acknowledge_reference");
    PROBLEM(eps_resolve_review(client, id, "completed", NULL, &out), EPS_STILL_PENDING, "", "eps_resolve_review");
    CLOSE(client);

    client = opened(__LINE__, url, more);
    int32_t listed = list_unacknowledged(client, &out);
    CHECK(out.data && times_in(out.data, "\"operationId\"") == 1 && strstr(out.data, "\"outcome\":\"pending\""), "%s", out.data);
    GOOD(listed, id, "eps_list_unacknowledged after a start");
    /* Two clients on one journal, one of them offline, and the repeated press on the other. */
    eps_client *other = opened(__LINE__, "http://127.0.0.1:9", more);
    GOOD(list_unacknowledged(other, &out), id, "eps_list_unacknowledged on another client of the journal");
    CLOSE(other);
    request_timeout_ms = 60000;
    send_admin("DELETE", "/_sandbox/faults", "");
    GOOD(eps_resolve_pending(client, "{\"waitMs\":30000}", &out), "\"pending\":0", "eps_resolve_pending");
    GOOD(eps_get_operation(client, id, &out), "\"outcome\":\"completed\"", "eps_get_operation");
    GOOD(eps_purchase(client, LOAD, COFFEE, "{\"reference\":\"receipt 2\"}", &out), "\"existing\":true", "the press again");
    GOOD(eps_list_unacknowledged(client, "{\"reference\":\"receipt 2\"}", &out), id, "eps_list_unacknowledged of a receipt");
    GOOD(eps_list_unacknowledged(client, "{\"reference\":\"receipt\"}", &out), "\"operations\":[]", "eps_list_unacknowledged of no receipt");
    GOOD(eps_resolve_review(client, id, "declined", NULL, &out), "\"outcome\":\"completed\"", "eps_resolve_review of a known outcome");
    GOOD(acknowledge_reference(client, &out), "\"operations\":[]", "eps_acknowledge_reference of no receipt");
    GOOD(eps_acknowledge_reference(client, "receipt 2", NULL, &out), "\"acknowledgedAtMs\":1", "eps_acknowledge_reference");
    GOOD(eps_acknowledge_reference(client, "receipt 2", "{}", &out), "\"acknowledgedAtMs\":1", "eps_acknowledge_reference again");
    GOOD(eps_acknowledge(client, id, &out), "\"acknowledgedAtMs\":1", "eps_acknowledge");
    GOOD(eps_list_operations(client, "{\"acknowledged\":true,\"outcome\":\"completed\",\"limit\":1}", &out), id, "eps_list_operations");
    GOOD(list_unacknowledged(client, &out), "\"operations\":[]", "eps_list_unacknowledged");

    /* A copy of the journal, while it is in use. */
    char copy[500];
    snprintf(copy, sizeof copy, "%s/copy.db", folder);
    GOOD(eps_backup_journal(client, copy, "{}", &out), "\"operations\":1}", "eps_backup_journal");
    PROBLEM(eps_backup_journal(client, copy, NULL, &out), EPS_JOURNAL_CANNOT_OPEN, "exists", "eps_backup_journal on a file");
    PROBLEM(eps_backup_journal(client, "copy.db", NULL, &out), EPS_JOURNAL_CANNOT_OPEN, "absolute", "eps_backup_journal");
    CLOSE(client);
    CHECK(count_at("/_sandbox/ledger", "\"deduct\"") == deductions + 1, "it was deducted once");
    snprintf(more, sizeof more, ",\"journalPath\":\"%s\"", copy);
    int32_t opened_as_live = eps_client_open(EPS_ABI_VERSION, config_of(url, more), &client, &out);
    PROBLEM(opened_as_live, EPS_JOURNAL_COPY, "journalRole", "the copy as the live journal");
    snprintf(more, sizeof more, ",\"journalPath\":\"%s\",\"journalRole\":\"copy\"", copy);
    client = opened(__LINE__, url, more);
    GOOD(eps_list_operations(client, NULL, &out), id, "eps_list_operations of the copy");
    PROBLEM(eps_purchase(client, LOAD, COFFEE, NULL, &out), EPS_JOURNAL_COPY, "", "a purchase with the copy");
    PROBLEM(eps_backup_journal(client, copy, NULL, &out), EPS_JOURNAL_COPY, "", "a copy of the copy");
    CLOSE(client);
}

/* A journal that the disk has damaged is moved aside, and a new one takes its place. */
static void a_damaged_journal_is_rebuilt(void)
{
    char path[500], more[600];
    static const char damage[4096];
    eps_buffer out;
    snprintf(path, sizeof path, "%s/damaged.db", folder);
    snprintf(more, sizeof more, ",\"journalPath\":\"%s\"", path);
    eps_client *client = opened(__LINE__, url, more);
    GOOD(eps_purchase(client, LOAD, COFFEE, "{\"reference\":\"before\"}", &out), "\"outcome\":\"completed\"", "a purchase");
    CLOSE(client);
    FILE *file = fopen(path, "r+b");
    CHECK(file && fwrite(damage, sizeof damage, 1, file) == 1, "the journal is damaged");
    if (file)
        fclose(file);
    int32_t code = eps_client_open(EPS_ABI_VERSION, config_of(url, more), &client, &out);
    PROBLEM(code, EPS_JOURNAL_DAMAGED, "journalRecovery", "a damaged journal");
    strcat(more, ",\"journalRecovery\":\"accept\"");
    client = opened(__LINE__, url, more);
    GOOD(list_unacknowledged(client, &out), "\"operations\":[]", "eps_list_unacknowledged of the new journal");
    CLOSE(client);
}

/* ---- Many at once ---- */

static eps_client *shared;
static int rounds;

static void *everything(void *number)
{
    int me = (int)(intptr_t)number;
    static struct meeting listeners[32];
    meet(&listeners[me]);
    eps_buffer out;
    char options[100];
    for (int round = 0; round < rounds; round++) {
        GOOD(list_items(shared, &out), COFFEE, "eps_list_items");
        snprintf(options, sizeof options, "{\"reference\":\"thread %d round %d\"}", me, round);
        GOOD(eps_purchase(shared, LOAD, COFFEE, options, &out), "\"outcome\":\"completed\"", "a purchase of one thread's own");
        snprintf(options, sizeof options, "{\"reference\":\"everybody's %d\"}", round);
        GOOD(eps_purchase(shared, LOAD, COFFEE, options, &out), "\"outcome\":\"completed\"", "a purchase of all threads");
        CHECK(eps_set_log(shared, me % 5, me % 3 ? count_line : NULL, &listeners[me]) == EPS_OK, "eps_set_log");
        GOOD(eps_new_id(&out), "-", "eps_new_id");
        GOOD(read_stats(shared, &out), "\"reads\"", "eps_read_stats");
        GOOD(list_unacknowledged(shared, &out), "\"operations\"", "eps_list_unacknowledged");
        PROBLEM(eps_get_operation(shared, NOBODY, &out), EPS_UNKNOWN_OPERATION, "", "eps_get_operation");
    }
    return NULL;
}

static void many_threads_on_one_client(void)
{
    char more[600];
    snprintf(more, sizeof more, ",\"journalPath\":\"%s/threads.db\"", folder);
    shared = opened(__LINE__, url, more);
    rounds = slow ? 1 : 3;
    int deductions = count_at("/_sandbox/ledger", "\"deduct\"");
    pthread_t threads[32];
    size_t many = slow ? 8 : COUNT(threads);
    for (size_t i = 0; i < many; i++)
        pthread_create(&threads[i], NULL, everything, (void *)i);
    for (size_t i = 0; i < many; i++)
        pthread_join(threads[i], NULL);
    CLOSE(shared);
    int bought = count_at("/_sandbox/ledger", "\"deduct\"") - deductions;
    int own = rounds * (int)many;
    CHECK(bought == own + rounds, "%d deductions for %d purchases of their own and %d of all", bought, own, rounds);
}

static void *closes(void *client)
{
    CHECK(eps_client_close(client) == EPS_OK, "a close of many");
    return NULL;
}

static void *opens_and_closes(void *unused)
{
    for (int i = 0; i < (slow ? 2 : 10); i++) {
        eps_client *client = OPEN();
        eps_buffer out;
        GOOD(list_unacknowledged(client, &out), "[]", "eps_list_unacknowledged");
        CLOSE(client);
    }
    return unused;
}

static void two_clients_and_many_closes(void)
{
    eps_client *one = OPEN(), *two = OPEN();
    CHECK(one != two, "two clients are two handles");
    CLOSE(one);
    some_line(two);
    pthread_t threads[8];
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_create(&threads[i], NULL, closes, two);
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_create(&threads[i], NULL, opens_and_closes, NULL);
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_join(threads[i], NULL);
}

int main(int argc, char **argv)
{
    static const struct { const char *name; void (*run)(void); } parts[] = {
        {"handles", null_and_closed_and_garbage_handles},
        {"texts", bad_texts},
        {"opens", bad_opens},
        {"echo", echoes},
        {"small", buffers_ids_and_versions},
        {"json", json_values_and_texts},
        {"log", the_log},
        {"log-closed", a_closed_client_logs_no_more},
        {"log-removed", a_log_function_that_removes_itself_is_not_entered_again},
        {"buying", completed_declined_and_offline},
        {"short wait", a_press_with_a_short_wait_is_never_not_sent},
        {"blocked", cancelled_and_closed_while_blocked},
#ifndef _WIN32
        {"cancelled thread", a_cancelled_thread_ends_after_its_call},
        {"ended thread", a_function_may_end_its_thread},
#endif
        {"journal", a_purchase_outlives_its_client},
        {"damaged", a_damaged_journal_is_rebuilt},
        {"threads", many_threads_on_one_client},
        {"clients", two_clients_and_many_closes},
    };
#ifdef _WIN32
    WSADATA started;
    WSAStartup(MAKEWORD(2, 2), &started);
    setvbuf(stdout, NULL, _IONBF, 0);
#else
    setvbuf(stdout, NULL, _IOLBF, 0);
#endif
    slow = argc > 1 && strcmp(argv[1], "--slow") == 0;
    argv += slow, argc -= slow;
    if (argc < 6)
        return fprintf(stderr, "harness [--slow] URL CA KEY ADMIN FOLDER [PART]\n"), 2;
    url = argv[1], ca = argv[2], key = argv[3], admin = argv[4], folder = argv[5];
    for (size_t i = 0; i < COUNT(parts); i++) {
        if (argc > 6 && strcmp(argv[6], parts[i].name))
            continue;
        double began = now_ms();
        parts[i].run();
        printf("part %s: %.0f ms\n", parts[i].name, now_ms() - began);
    }
    printf("harness: %d checks held, %d did not\n", held, broken);
    return broken != 0;
}
