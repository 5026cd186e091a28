/* Opens a client without a network, and closes it. */
#include <stdio.h>
#include "engage_point_shop.h"

int main(void) {
    const char *config = "{\"baseUrl\": \"http://127.0.0.1:1\", \"userAgent\": \"Test/1\", \"journal\": \"memory\"}";
    eps_client *shop = NULL;
    eps_buffer out;
    int32_t code = eps_client_open(EPS_ABI_VERSION, config, &shop, &out);
    eps_buffer_dispose(&out);
    if (code != EPS_OK || eps_client_close(shop) != EPS_OK) return 1;
    printf("engage-point-shop %s works\n", eps_version());
    return 0;
}
