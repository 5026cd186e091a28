/* A POS on a computer whose Windows settings name a proxy. Argument: a file with root certificates.
 * The settings are put back at the end. */
#include <stdio.h>
#include <string.h>

#include "engage_point_shop.h"

#include <winsock2.h>
#include <windows.h>
#include <winhttp.h>

static const char *const place = "Software\\Microsoft\\Windows\\CurrentVersion\\Internet Settings\\Connections";
static const char *const value = "DefaultConnectionSettings";
static const char *authorities;
static int failed;

static void check(int holds, const char *what) {
    if (holds) return;
    fprintf(stderr, "not so: %s\n", what);
    failed = 1;
}

static size_t add(unsigned char *bytes, size_t at, const char *text) {
    DWORD length = (DWORD)strlen(text);

    memcpy(bytes + at, &length, sizeof length);
    memcpy(bytes + at + sizeof length, text, length);
    return at + sizeof length + length;
}

/* Sets the user's proxy, its exceptions and its script, as the dialog of Windows does. */
static void set_user(const char *servers, const char *exceptions, const char *script) {
    static const DWORD direct = 1, proxy = 2, has_script = 4;
    unsigned char bytes[1024] = {0x46};
    DWORD flags = direct | (*servers ? proxy : 0) | (*script ? has_script : 0);
    size_t at = 12;

    memcpy(bytes + 8, &flags, sizeof flags);
    at = add(bytes, at, servers);
    at = add(bytes, at, exceptions);
    at = add(bytes, at, script);
    check(RegSetKeyValueA(HKEY_CURRENT_USER, place, value, REG_BINARY, bytes, (DWORD)at + 32) == ERROR_SUCCESS,
          "the settings are written");
}

static void set_machine(wchar_t *servers) {
    WINHTTP_PROXY_INFO settings = {WINHTTP_ACCESS_TYPE_NO_PROXY, NULL, NULL};

    if (servers) {
        settings.dwAccessType = WINHTTP_ACCESS_TYPE_NAMED_PROXY;
        settings.lpszProxy = servers;
    }
    check(WinHttpSetDefaultProxyConfiguration(&settings), "the machine's settings are written");
}

static eps_client *opened(const char *preconnect_and_more) {
    char config[1200];
    eps_client *client;
    eps_buffer out;

    snprintf(config, sizeof config,
             "{\"baseUrl\": \"https://engage.invalid\", \"userAgent\": \"Host/1\", \"apiKey\": \"k\","
             " \"caFile\": \"%s\", \"systemTrust\": false, \"preconnect\": %s}", authorities,
             preconnect_and_more);
    if (eps_client_open(EPS_ABI_VERSION, config, &client, &out) != EPS_OK) {
        fprintf(stderr, "open: %s\n", out.data);
        failed = 1;
    }
    eps_buffer_dispose(&out);
    return client;
}

/* Whether requests take the way that this part of the message of eps_check names. */
static int goes(const char *way, const char *more) {
    eps_client *client = opened(more);
    eps_buffer out;
    int found;

    found = eps_check(client, "{\"offline\": true}", &out) == EPS_OK && strstr(out.data, way) != NULL;
    if (!found) fprintf(stderr, "%s: %s\n", way, out.data ? out.data : "");
    eps_buffer_dispose(&out);
    eps_client_close(client);
    return found;
}

/* The connection that is made on open reaches the proxy, which is this program. */
static void connects(SOCKET proxy) {
    static const char wanted[] = "CONNECT engage.invalid:443 HTTP/1.1\r\n";
    eps_client *client = opened("true");
    char line[sizeof wanted] = "";
    size_t at = 0;
    SOCKET socket = accept(proxy, NULL, NULL);

    while (at < sizeof wanted - 1) {
        int got = recv(socket, line + at, (int)(sizeof wanted - 1 - at), 0);
        if (got <= 0) break;
        at += (size_t)got;
    }
    check(strcmp(line, wanted) == 0, "the proxy is asked for a tunnel");
    closesocket(socket);
    eps_client_close(client);
}

int main(int argc, char **argv) {
    static const char straight[] = "no proxy is configured";
    struct sockaddr_in address;
    int length = sizeof address;
    char servers[64], named[64];
    SOCKET proxy;
    WSADATA wsa;

    if (argc != 2) return 2;
    authorities = argv[1];
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (WSAStartup(MAKEWORD(2, 2), &wsa) != 0) return 2;
    proxy = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(proxy, (struct sockaddr *)&address, sizeof address) != 0 || listen(proxy, 5) != 0) return 2;
    if (getsockname(proxy, (struct sockaddr *)&address, &length) != 0) return 2;
    snprintf(servers, sizeof servers, "http=other:80;https=127.0.0.1:%u", ntohs(address.sin_port));
    snprintf(named, sizeof named, "127.0.0.1:%u (Windows' settings)", ntohs(address.sin_port));

    set_user(servers, "", "");
    connects(proxy);
    check(goes(named, "false"), "the user's proxy is used");
    check(goes(straight, "false, \"proxy\": \"none\""), "the configuration wins");
    SetEnvironmentVariableA("HTTPS_PROXY", "http://127.0.0.1:1");
    /* The name of a variable has no case on Windows. */
    check(goes("127.0.0.1:1 (https_proxy)", "false"), "the environment wins");
    SetEnvironmentVariableA("HTTPS_PROXY", NULL);
    set_user(servers, "other;*.invalid", "");
    check(goes(straight, "false"), "the exceptions count");
    set_user("", "", "http://127.0.0.1:1/proxy.pac");
    check(goes(straight, "false"), "a script is not read");

    set_machine(L"machine.invalid:8080");
    check(goes("machine.invalid:8080 (Windows' settings)", "false"), "the machine's proxy is used");
    set_user(servers, "", "");
    check(goes(named, "false"), "the user's proxy wins");
    set_machine(NULL);
    RegDeleteKeyValueA(HKEY_CURRENT_USER, place, value);
    check(goes(straight, "false"), "no settings are no proxy");
    puts(failed ? "failed" : "proxied");
    return failed;
}
