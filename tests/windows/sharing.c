/* A POS whose journal is held by another program without sharing, as virus scanners and backups do.
 * Argument: an empty folder. The case "leave" opens a journal and ends like a crash. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engage_point_shop.h"

#include <windows.h>

static char folder[512];
static int failed;

static void check(int holds, const char *file, DWORD share, const char *what) {
    if (holds) return;
    fprintf(stderr, "\"%s\", shared %lu: not so: %s\n", file, share, what);
    failed = 1;
}

static int32_t open_journal(int number, eps_client **client, eps_buffer *out) {
    char config[1024];

    snprintf(config, sizeof config,
             "{\"baseUrl\": \"http://127.0.0.1:1\", \"userAgent\": \"Host/1\", \"preconnect\": false,"
             " \"journalPath\": \"%s/points-%d.db\"}", folder, number);
    return eps_client_open(EPS_ABI_VERSION, config, client, out);
}

/* Leaves a journal with its write-ahead log and index, as a crash does. */
static void leave(const char *program, int number) {
    char command[1200];
    STARTUPINFOA start;
    PROCESS_INFORMATION child;

    memset(&start, 0, sizeof start);
    start.cb = sizeof start;
    snprintf(command, sizeof command, "\"%s\" \"%s\" leave %d", program, folder, number);
    if (!CreateProcessA(NULL, command, NULL, NULL, TRUE, 0, NULL, NULL, &start, &child)) exit(2);
    WaitForSingleObject(child.hProcess, INFINITE);
    CloseHandle(child.hThread);
    CloseHandle(child.hProcess);
}

/* A device's name is no file in any folder. */
static void devices(void) {
    static const char *const places[] = {"\"journalPath\": \"%s/COM1.db\"", "\"journalPath\": \"%s/nul\"",
                                         "\"journalPath\": \"%s/a.db\", \"sealPath\": \"%s/LPT1.seal\""};
    size_t at;

    for (at = 0; at < sizeof places / sizeof *places; at++) {
        char place[1200], config[1400];
        eps_client *client;
        eps_buffer out;

        snprintf(place, sizeof place, places[at], folder, folder);
        snprintf(config, sizeof config, "{\"baseUrl\": \"http://127.0.0.1:1\", \"userAgent\": \"Host/1\", %s}", place);
        check(eps_client_open(EPS_ABI_VERSION, config, &client, &out) == EPS_JOURNAL_UNSAFE, place, 0,
              "a device is no journal and no seal");
        eps_buffer_dispose(&out);
        eps_client_close(client);
    }
}

static HANDLE held;
static volatile LONG is_over;
static char journal[600];

/* Gives the file back as soon as the library has the journal open, in the middle of its open. */
static DWORD WINAPI give_back(void *unused) {
    (void)unused;
    while (!is_over) {
        HANDLE opened = CreateFileA(journal, GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);
        if (opened == INVALID_HANDLE_VALUE && GetLastError() == ERROR_SHARING_VIOLATION) break;
        if (opened != INVALID_HANDLE_VALUE) CloseHandle(opened);
        SwitchToThread();
    }
    CloseHandle(held);
    return 0;
}

int main(int argc, char **argv) {
    static const char *const files[] = {"", "-wal", "-shm", "-seal"};
    /* Nobody else may open it; others may read it, so that SQLite goes on reading only. */
    static const DWORD shares[] = {0, FILE_SHARE_READ};
    size_t at, mode;
    int number = 0;
    char *letter;

    if (argc < 2) return 2;
    if (GetFullPathNameA(argv[1], sizeof folder, folder, NULL) == 0) return 2;
    for (letter = folder; *letter; letter++) {
        if (*letter == '\\') *letter = '/';
    }
    if (argc == 4) {
        eps_client *client;
        eps_buffer out;
        if (open_journal(atoi(argv[3]), &client, &out) != EPS_OK) {
            fprintf(stderr, "leave: %s\n", out.data);
            TerminateProcess(GetCurrentProcess(), 1);
        }
        TerminateProcess(GetCurrentProcess(), 0);
    }
    for (at = 0; at < sizeof files / sizeof *files; at++) {
        for (mode = 0; mode < sizeof shares / sizeof *shares; mode++) {
            char file[700], name[700];
            eps_client *client = NULL;
            eps_buffer out;
            int32_t code;
            HANDLE thread = NULL;

            leave(argv[0], ++number);
            snprintf(journal, sizeof journal, "%s/points-%d.db", folder, number);
            snprintf(file, sizeof file, "%s%s", journal, files[at]);
            snprintf(name, sizeof name, "points-%d.db%s", number, files[at]);
            held = CreateFileA(file, GENERIC_READ, shares[mode], NULL, OPEN_EXISTING, 0, NULL);
            check(held != INVALID_HANDLE_VALUE, files[at], shares[mode], "the file exists");

            code = open_journal(number, &client, &out);
            fprintf(stderr, "%s: %s\n", eps_code_name(code), out.data ? out.data : "");
            check(code == EPS_JOURNAL_LOCKED, files[at], shares[mode], "the code is EPS_JOURNAL_LOCKED");
            check(out.data && strstr(out.data, name), files[at], shares[mode], "the message names the file");
            eps_buffer_dispose(&out);
            eps_client_close(client);

            is_over = 0;
            if (*files[at] == '\0') {
                CloseHandle(held);
            } else {
                thread = CreateThread(NULL, 0, give_back, NULL, 0, NULL);
            }
            code = open_journal(number, &client, &out);
            if (code != EPS_OK) fprintf(stderr, "%s: %s\n", eps_code_name(code), out.data ? out.data : "");
            check(code == EPS_OK, files[at], shares[mode], "the journal opens when the file is given back");
            eps_buffer_dispose(&out);
            is_over = 1;
            if (thread) WaitForSingleObject(thread, INFINITE);
            eps_client_close(client);
            snprintf(file, sizeof file, "%s-wal", journal);
            check(GetFileAttributesA(file) == INVALID_FILE_ATTRIBUTES, files[at], shares[mode],
                  "no write-ahead log is left at rest");
        }
    }
    devices();
    puts(failed ? "failed" : "shared");
    return failed;
}
