/* The smallest program that buys: it is built from an installed package.
 *
 *   shop URL CA KEY JOURNAL
 *
 * CA is a PEM file. Prints "bought with VERSION" and exits with 0. */
#include <engage_point_shop.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    char config[2048];
    eps_client *shop = NULL;
    eps_buffer out;
    int32_t code;
    if (argc != 5) return 2;
    snprintf(config, sizeof config,
             "{\"baseUrl\": \"%s\", \"caFile\": \"%s\", \"systemTrust\": false, \"apiKey\": \"%s\", \"journalPath\": \"%s\","
             " \"userAgent\": \"TestPOS/1.0\", \"waitMs\": 30000}",
             argv[1], argv[2], argv[3], argv[4]);
    code = eps_client_open(EPS_ABI_VERSION, config, &shop, &out);
    if (code == EPS_OK) {
        eps_buffer_dispose(&out);
        code = eps_purchase(shop, "a0000000-0000-4000-8000-000000000001", "b0000000-0000-4000-8000-000000000001", NULL, &out);
    }
    if (code != EPS_OK) {
        printf("%s: %s\n", eps_code_name(code), out.data ? out.data : "");
    } else if (strcmp(eps_version(), EPS_VERSION) != 0) {
        printf("the header is of %s and the library of %s\n", EPS_VERSION, eps_version());
        code = EPS_INTERNAL;
    } else {
        printf("bought with %s\n", eps_version());
    }
    eps_buffer_dispose(&out);
    return eps_client_close(shop) == EPS_OK && code == EPS_OK ? 0 : 1;
}
