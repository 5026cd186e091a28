/* A purchase from a window's thread, which never waits: the Win32 recipe of docs/gui.md.
 *
 *   win32 URL CA KEY JOURNAL
 *
 * CA is a PEM file, JOURNAL an absolute path. The window here has no surface; a POS has one of its
 * own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engage_point_shop.h"

#include <windows.h>

#define WM_BUY (WM_APP + 1)
#define WM_OPERATION (WM_APP + 2)

static eps_client *shop;
static int exit_code = 1;

/* Returns one value of a result, to be freed; NULL if there is none. */
static char *value_of(const char *json, const char *pointer) {
    eps_buffer from, out;
    char *value = NULL;

    from.data = (char *)json;
    from.len = strlen(json);
    from.reserved = 0;
    if (eps_json_get(&from, pointer, &out) == EPS_OK) value = _strdup(out.data);
    eps_buffer_dispose(&out);
    return value;
}

/* On a thread of the library: hands a copy to the window's queue and returns. */
static void EPS_CALL changed(void *window, const char *json, size_t len) {
    char *copy = malloc(len + 1);

    if (!copy) return;
    memcpy(copy, json, len + 1);
    if (!PostMessageW((HWND)window, WM_OPERATION, 0, (LPARAM)copy)) free(copy);
}

/* On the window's thread. */
static void show(const char *json) {
    char *outcome = value_of(json, "/outcome"), *reference = value_of(json, "/reference");
    char *acknowledged = value_of(json, "/acknowledgedAtMs");

    /* The acknowledgement is a change too. */
    if (outcome && reference && acknowledged && strcmp(reference, "receipt 4711") == 0 && strcmp(acknowledged, "null") == 0) {
        printf("%s\n", outcome);
        if (strcmp(outcome, "pending") != 0) {
            eps_buffer out;

            eps_acknowledge_reference(shop, reference, NULL, &out);
            eps_buffer_dispose(&out);
            exit_code = strcmp(outcome, "completed") != 0;
            PostQuitMessage(0);
        }
    }
    free(outcome);
    free(reference);
    free(acknowledged);
}

static LRESULT CALLBACK window_procedure(HWND window, UINT message, WPARAM first, LPARAM second) {
    eps_buffer out;
    int32_t code;

    switch (message) {
        case WM_BUY:
            /* Returns as soon as the purchase is durable. What follows comes to `changed`. */
            code = eps_purchase(shop, "a0000000-0000-4000-8000-000000000001", "b0000000-0000-4000-8000-000000000001",
                                "{\"reference\": \"receipt 4711\", \"submit\": true}", &out);
            if (eps_outcome(code) == EPS_OUTCOME_NOT_SENT) {
                printf("%s\n", out.data);
                PostQuitMessage(0);
            }
            eps_buffer_dispose(&out);
            return 0;
        case WM_OPERATION:
            show((char *)second);
            free((void *)second);
            return 0;
        default: return DefWindowProcW(window, message, first, second);
    }
}

int main(int argc, char **argv) {
    WNDCLASSW description;
    HWND window;
    MSG message;
    eps_buffer out;
    char config[2048];

    if (argc != 5) return 2;
    snprintf(config, sizeof config,
             "{\"baseUrl\": \"%s\", \"caFile\": \"%s\", \"systemTrust\": false, \"apiKey\": \"%s\", \"journalPath\": \"%s\","
             " \"userAgent\": \"TestPOS/1.0\"}",
             argv[1], argv[2], argv[3], argv[4]);
    if (eps_client_open(EPS_ABI_VERSION, config, &shop, &out) != EPS_OK) {
        fprintf(stderr, "%s\n", out.data ? out.data : "");
        eps_buffer_dispose(&out);
        return 1;
    }
    eps_buffer_dispose(&out);
    memset(&description, 0, sizeof description);
    description.lpfnWndProc = window_procedure;
    description.hInstance = GetModuleHandleW(NULL);
    description.lpszClassName = L"till";
    if (!RegisterClassW(&description)) return 3;
    window = CreateWindowExW(0, L"till", L"", 0, 0, 0, 0, 0, HWND_MESSAGE, NULL, description.hInstance, NULL);
    if (!window || eps_set_notify(shop, changed, window) != EPS_OK) return 3;
    PostMessageW(window, WM_BUY, 0, 0);
    while (GetMessageW(&message, NULL, 0, 0) > 0) DispatchMessageW(&message);
    /* First the function, then the window. */
    eps_set_notify(shop, NULL, NULL);
    DestroyWindow(window);
    return eps_client_close(shop) == EPS_OK ? exit_code : 1;
}
