/* A till that wipes its own secrets: it gets one command a line, and overwrites the line before
 * it responds.
 *
 *   secrets < lines
 *
 * A line is hexadecimal, so that no secret stands in it as it is. Decoded it is a command and
 * its arguments, each ended by 0x1f: open CONFIG, find KEY VALUE, items CONTACT, purchase
 * CONTACT ITEM OPTIONS, close, dump FILE. Each result is "CODE JSON" on standard output. The
 * library's log goes to standard error. `dump` writes all memory of this process that a core
 * dump could contain. */
#define _GNU_SOURCE
#include "engage_point_shop.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char line[1 << 16];
static eps_client *shop;

static void log_line(void *user, int32_t level, const char *text, size_t len)
{
    (void)user, (void)level;
    dprintf(2, "%.*s\n", (int)len, text);
}

/* Reads a line of hexadecimal and decodes it in place. Returns 0 at the end. */
static int read_line(void)
{
    size_t length = 0;
    for (;;) {
        unsigned byte = 0;
        for (int half = 0; half < 2; half++) {
            char digit;
            if (read(0, &digit, 1) != 1)
                return 0;
            if (digit == '\n') {
                line[length] = '\0';
                return 1;
            }
            byte = byte * 16 + (unsigned)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
        }
        if (length + 1 < sizeof line)
            line[length++] = byte == 0x1f ? '\0' : (char)byte;
    }
}

/* Writes every mapping that can be read and written to a file. */
static int dump(const char *path)
{
    char buffer[4096], *maps = NULL;
    size_t size = 0;
    FILE *list = fopen("/proc/self/maps", "r");
    int memory = open("/proc/self/mem", O_RDONLY), file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (!list || memory < 0 || file < 0)
        return 1;
    while (getline(&maps, &size, list) > 0) {
        unsigned long from, to;
        char access[5];
        if (sscanf(maps, "%lx-%lx %4s", &from, &to, access) != 3 || strncmp(access, "rw", 2) != 0)
            continue;
        for (; from < to; from += sizeof buffer) {
            ssize_t got = pread(memory, buffer, sizeof buffer, (off_t)from);
            if (got > 0 && write(file, buffer, (size_t)got) != got)
                return 1;
        }
    }
    fclose(list), close(memory), close(file);
    return 0;
}

int main(void)
{
    while (read_line()) {
        const char *verb = line, *one = verb + strlen(verb) + 1, *two = one + strlen(one) + 1;
        eps_buffer out = {0};
        int32_t code = -1;
        if (strcmp(verb, "open") == 0) {
            code = eps_client_open(EPS_ABI_VERSION, one, &shop, &out);
            if (code == EPS_OK)
                eps_set_log(shop, EPS_LOG_DEBUG, log_line, NULL);
        } else if (strcmp(verb, "find") == 0) {
            code = eps_find_contact(shop, one, two, NULL, &out);
        } else if (strcmp(verb, "items") == 0) {
            code = eps_list_items(shop, one, NULL, &out);
        } else if (strcmp(verb, "purchase") == 0) {
            code = eps_purchase(shop, one, two, two + strlen(two) + 1, &out);
        } else if (strcmp(verb, "close") == 0) {
            code = eps_client_close(shop);
            shop = NULL;
        } else if (strcmp(verb, "dump") == 0) {
            code = dump(one);
        }
        explicit_bzero(line, sizeof line);
        printf("%d %s\n", code, out.data ? out.data : "");
        fflush(stdout);
        eps_buffer_dispose(&out);
    }
    return 0;
}
