/* One client's disk hangs, another one's does not:
 *   frozen_beside CONFIG OTHER_CONFIG THIRD_CONFIG FREEZE MEMBER ITEM
 * Prints the name and the code of each call as it returns. */
#include <stdio.h>
#include "engage_point_shop.h"

static void show(const char *name, int32_t code) {
    printf("%s %d\n", name, code);
    fflush(stdout);
}

static int32_t open_with(const char *config, eps_client **client) {
    eps_buffer out;
    int32_t code = eps_client_open(EPS_ABI_VERSION, config, client, &out);
    eps_buffer_dispose(&out);
    return code;
}

int main(int argc, char **argv) {
    if (argc != 7) return 2;
    eps_client *sound = NULL, *stuck = NULL, *third = NULL;
    eps_buffer out;
    show("open", open_with(argv[1], &sound));
    FILE *freeze = fopen(argv[4], "w");
    if (!freeze) return 3;
    fclose(freeze);
    show("open-frozen", open_with(argv[2], &stuck));
    show("open-third", open_with(argv[3], &third));
    show("purchase", eps_purchase(sound, argv[5], argv[6], "{\"reference\":\"receipt 1\"}", &out));
    eps_buffer_dispose(&out);
    if (third) show("close-third", eps_client_close(third));
    show("close", eps_client_close(sound));
    return 0;
}
