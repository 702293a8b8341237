/* qrgate-safe: drives every configured output inactive and ends. systemd runs it after the daemon has stopped, however it
 * stopped: Raspberry Pi kernels keep an output's level when its owner dies. Shares the configuration, touches nothing else. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "daemon/settings/settings.h"

int main(int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'}, {"help", no_argument, NULL, 'h'}, {0}};
    const char *config = "/etc/qrgate/qrgate.conf";
    struct settings settings;
    struct lines *lines = NULL;
    char why[256] = "";
    int option;
    while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        if (option == 'c') {
            config = optarg;
        } else {
            (void)fprintf(option == 'h' ? stdout : stderr, "usage: qrgate-safe [--config FILE]\nDrives the relay, buzzer "
                          "and lamps of the configuration inactive.\n");
            return option == 'h' ? 0 : 2;
        }
    }
    if (settings_load(config, &settings, stderr) != 0)
        return 1;
    if (settings.lines_driver == SETTINGS_LINES_SIM)
        return 0; /* the panel is the daemon's own memory and went with it */
    if (lines_gpiod_open(&settings.lines, &lines, why, sizeof why) != 0) { /* requests them inactive */
        (void)fprintf(stderr, "<2>qrgate-safe: %s\n", why);
        return 1;
    }
    lines_close(lines);
    return 0;
}
