/* A program with its own SQLite and a second Rust library beside this one. Each works on its
 * own.
 *
 *   coexistence JOURNAL
 *
 * Needs the library with `fault-injection`, and EPS_TEST_PANIC=eps_new_id. */
#include "engage_point_shop.h"
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

int other_catches_a_panic(void);

static int failed;

static void check(int holds, const char *what)
{
    if (!holds)
        printf("not so: %s\n", what), failed = 1;
}

/* The same file, read with the program's SQLite: the library under test wrote it with its own. */
static void read_the_journal(const char *path)
{
    sqlite3 *database = NULL;
    sqlite3_stmt *rows = NULL;
    check(sqlite3_open_v2(path, &database, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK, "the program's SQLite opens the journal");
    check(sqlite3_prepare_v2(database, "SELECT count(*), sqlite_version() FROM operation", -1, &rows, NULL) == SQLITE_OK, "it knows the table");
    check(sqlite3_step(rows) == SQLITE_ROW && sqlite3_column_int(rows, 0) == 1, "it finds the purchase");
    check(strcmp((const char *)sqlite3_column_text(rows, 1), SQLITE_VERSION) == 0, "the program has the SQLite it was compiled for");
    printf("the program's SQLite is %s\n", sqlite3_libversion());
    sqlite3_finalize(rows);
    sqlite3_close(database);
}

static void panic_in_each(void)
{
    eps_buffer out;
    check(other_catches_a_panic() == 1, "the other library catches its panic");
    check(eps_new_id(&out) == EPS_INTERNAL, "this library catches its panic");
    eps_buffer_dispose(&out);
}

int main(int argc, char **argv)
{
    const char *journal = argc > 1 ? argv[1] : "points.db";
    char config[1024];
    eps_client *shop = NULL;
    eps_buffer out;
    panic_in_each();
    /* No server listens there: the purchase is journaled and not sent. */
    snprintf(config, sizeof config, "{\"baseUrl\":\"http://127.0.0.1:9\",\"userAgent\":\"TestPOS/1.0\",\"journalPath\":\"%s\"}", journal);
    check(eps_client_open(EPS_ABI_VERSION, config, &shop, &out) == EPS_OK, "a client opens");
    eps_buffer_dispose(&out);
    int32_t code = eps_purchase(shop, "a0000000-0000-4000-8000-000000000001", "b0000000-0000-4000-8000-000000000001", NULL, &out);
    check(code == EPS_OFFLINE, "a purchase offline");
    eps_buffer_dispose(&out);
    read_the_journal(journal);
    panic_in_each();
    check(eps_list_unacknowledged(shop, NULL, &out) == EPS_OK, "the client goes on");
    eps_buffer_dispose(&out);
    check(eps_client_close(shop) == EPS_OK, "the client closes");
    puts(failed ? "coexistence: failed" : "coexistence: ok");
    return failed;
}
