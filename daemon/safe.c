/* qrgate-safe: drives every configured output inactive and ends. systemd runs it after the daemon has stopped, however it
 * stopped: Raspberry Pi kernels keep an output's level when its owner dies. Shares the configuration, touches nothing else.
 *
 * Inactive is what it is without power: a fail-secure arm is locked, a fail-safe one released. The lane's wiring is not asked:
 * it turns levels round only while the daemon lives. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "daemon/settings/settings.h"

/* Each on its own, the relays first: a lamp that can't be driven, or is missing, must not keep the relay on. No input is
 * touched. */
static int drive_inactive(const struct settings *settings)
{
    int failed = 0;
    for (int out = 0; out < LINE_OUT_COUNT; out++) {
        struct lines_settings alone = settings->lines;
        struct lines *lines = NULL;
        char why[256] = "";
        memset(alone.out, 0, sizeof alone.out);
        memset(alone.in, 0, sizeof alone.in);
        alone.out[out] = settings->lines.out[out];
        if (lines_gpiod_open(&alone, &lines, why, sizeof why) == 0) { /* requests it inactive; not wired: nothing */
            lines_close(lines);
            continue;
        }
        (void)fprintf(stderr, "<2>qrgate-safe: %s\n", why);
        failed++;
    }
    return failed;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'}, {"help", no_argument, NULL, 'h'}, {0}};
    const char *config = "/etc/qrgate/qrgate.conf";
    struct settings settings;
    int option;
    while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        if (option == 'c') {
            config = optarg;
        } else {
            (void)fprintf(option == 'h' ? stdout : stderr, "usage: qrgate-safe [--config FILE]\nDrives the relays, buzzer "
                          "and lamps of the configuration inactive.\n");
            return option == 'h' ? 0 : 2;
        }
    }
    if (settings_load(config, &settings, stderr) != 0)
        return 1;
    if (settings.lines_driver == SETTINGS_LINES_SIM)
        return 0; /* the panel is the daemon's own memory and went with it */
    return drive_inactive(&settings) == 0 ? 0 : 1;
}
