/* Makes each call while the disk is frozen (freeze.c):
 *   frozen CONFIG PATIENT_CONFIG FREEZE MEMBER ITEM
 * Both configurations have the same journal. The wait of the second one is longer than any test, so
 * that only a call's own `waitMs` ends its calls. Prints the name and the code of each call as it
 * returns. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "engage_point_shop.h"

#define SHORT "{\"waitMs\":200}"

static void show(const char *name, int32_t code, eps_buffer *out) {
    printf("%s %d\n", name, code);
    fflush(stdout);
    eps_buffer_dispose(out);
}

static eps_client *open_or_end(const char *config) {
    eps_client *client;
    eps_buffer out;
    if (eps_client_open(EPS_ABI_VERSION, config, &client, &out) != EPS_OK) {
        fprintf(stderr, "not opened: %s\n", out.data);
        exit(2);
    }
    eps_buffer_dispose(&out);
    return client;
}

int main(int argc, char **argv) {
    if (argc != 6) return 2;
    const char *member = argv[4], *item = argv[5];
    eps_client *impatient = open_or_end(argv[1]), *patient = open_or_end(argv[2]), *third;
    eps_buffer out, text;
    char id[37], gift[37], name[64];
    if (eps_purchase(patient, member, item, "{\"reference\":\"receipt 1\"}", &out) != EPS_OK) return 3;
    eps_json_get(&out, "/operationId", &text);
    snprintf(id, sizeof id, "%s", text.data);
    eps_buffer_dispose(&text);
    eps_buffer_dispose(&out);
    if (eps_list_rewards(patient, member, NULL, &out) != EPS_OK) return 4;
    eps_json_get(&out, "/0/id", &text);
    snprintf(gift, sizeof gift, "%s", text.data);
    eps_buffer_dispose(&text);
    eps_buffer_dispose(&out);

    FILE *freeze = fopen(argv[3], "w");
    if (!freeze) return 5;
    fclose(freeze);
    /* Twice: the first write to the disk may hold what later calls need. */
    for (int round = 1; round <= 2; round++) {
#define CALL(function, ...) do { \
        snprintf(name, sizeof name, "%s/%d", #function, round); \
        int32_t code = eps_##function(__VA_ARGS__, &out); \
        show(name, code, &out); \
    } while (0)
        CALL(find_reward, patient, id, SHORT);
        CALL(purchase, patient, member, item, round == 1 ? "{\"reference\":\"receipt 2\",\"waitMs\":200}" : "{\"reference\":\"receipt 3\",\"waitMs\":200}");
        CALL(redeem_reward, patient, member, gift, SHORT);
        CALL(find_reward, patient, id, SHORT);
        CALL(resolve_pending, patient, SHORT);
        CALL(resolve_pending, patient, "{\"waitMs\":0}");
        CALL(list_items, patient, member, SHORT);
        CALL(list_rewards, patient, member, SHORT);
        CALL(check, patient, SHORT);
        CALL(get_operation, impatient, id);
        CALL(list_unacknowledged, impatient, NULL);
        CALL(list_operations, impatient, NULL);
        CALL(acknowledge, impatient, id);
        CALL(acknowledge_reference, impatient, "receipt 1", NULL);
        CALL(read_stats, impatient);
        CALL(read_metrics, impatient);
    }
    int32_t opened = eps_client_open(EPS_ABI_VERSION, argv[1], &third, &out);
    show("client_open/1", opened, &out);
    if (opened == EPS_OK) eps_client_close(third);
    printf("client_close/1 %d\n", eps_client_close(impatient));
    printf("client_close/2 %d\n", eps_client_close(patient));
    fflush(stdout);
    return 0;
}
