// A plug-in of a POS with a global client, which Windows destroys inside DllMain: under the loader
// lock after FreeLibrary, and after all other threads were ended when the process ends.
#include <cstdio>

#include "engage_point_shop.hpp"

#include <windows.h>

namespace {

volatile LONG lines = 0;

struct Shop {
    eps::Client client;

    // Runs under the loader lock. The header says that this client cannot be opened here.
    Shop() {
        char config[1024];
        if (GetEnvironmentVariableA("PLUGIN_CONFIG", config, sizeof config) > 0) {
            const eps::Result opened = client.open(config);
            print("opened", opened.code());
            std::fprintf(stderr, "%s\n", opened.json().data());
        }
    }

    ~Shop() { print("closed", client.close()); }

    // Without the C runtime's buffers, whose lock an ended thread may have held.
    static void print(const char *what, eps::Code code) {
        char text[64];
        const int length = std::snprintf(text, sizeof text, "%s: %s\n", what, eps::name(code).data());
        DWORD written;
        WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), text, static_cast<DWORD>(length), &written, nullptr);
    }
};

Shop shop;

} // namespace

extern "C" __declspec(dllexport) int plugin_open(const char *config) {
    const eps::Result opened = shop.client.open(config);
    if (!opened) {
        std::fprintf(stderr, "open: %s\n", opened.json().data());
        return 0;
    }
    const eps::Code set = shop.client.set_log(eps::Level::debug, [](eps::Level, std::string_view) {
        InterlockedIncrement(&lines);
    });
    return set == eps::Code::ok;
}

// Waits for the response of a server that never responds.
extern "C" __declspec(dllexport) int plugin_wait(void) {
    return shop.client.list_items("a0000000-0000-4000-8000-000000000001", R"({"waitMs": 600000})").outcome()
        == eps::Outcome::not_sent;
}

extern "C" __declspec(dllexport) long plugin_lines(void) { return InterlockedCompareExchange(&lines, 0, 0); }
