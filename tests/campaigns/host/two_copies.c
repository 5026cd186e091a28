/* Loads two copies of the library into one process and opens one journal with both:
 *   two_copies LIBRARY COPY CONFIG
 * Prints the codes of an open by each copy, of another open by the first one, and of an open by the
 * second one after the first one's clients were closed. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include "engage_point_shop.h"

typedef int32_t open_fn(uint32_t abi, const char *config, eps_client **client, eps_buffer *out);
typedef int32_t close_fn(eps_client *client);
typedef void dispose_fn(eps_buffer *buffer);

static int32_t open_with(void *library, const char *config, eps_client **client) {
    eps_buffer out;
    int32_t code = ((open_fn *)dlsym(library, "eps_client_open"))(EPS_ABI_VERSION, config, client, &out);
    ((dispose_fn *)dlsym(library, "eps_buffer_dispose"))(&out);
    return code;
}

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    void *one = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL), *two = dlopen(argv[2], RTLD_NOW | RTLD_LOCAL);
    if (!one || !two) {
        fprintf(stderr, "%s\n", dlerror());
        return 2;
    }
    eps_client *first = NULL, *second = NULL, *third = NULL;
    int32_t opened = open_with(one, argv[3], &first), rejected = open_with(two, argv[3], &second);
    int32_t beside = open_with(one, argv[3], &third);
    ((close_fn *)dlsym(one, "eps_client_close"))(first);
    ((close_fn *)dlsym(one, "eps_client_close"))(third);
    int32_t later = open_with(two, argv[3], &second);
    if (second) ((close_fn *)dlsym(two, "eps_client_close"))(second);
    printf("%d %d %d %d\n", opened, rejected, beside, later);
    return 0;
}
