/* qrgate-safe: drives every output inactive and ends. systemd runs it after the daemon has stopped, however it stopped:
 * Raspberry Pi kernels keep an output's level when its owner dies. First what that daemon drove, as it has kept it, for a
 * mistake made in the configuration since must not leave a relay on; then what the configuration names besides.
 *
 * Inactive is what it is without power: a fail-secure arm is locked, a fail-safe one released. The lane's wiring is not asked:
 * it turns levels round only while the daemon lives. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/outputs.h"
#include "daemon/settings/settings.h"

/* Each on its own, the relays first: a lamp that can't be driven, or is missing, must not keep the relay on. No input is
 * touched. */
static int drive_inactive(const struct line_settings out[LINE_OUT_COUNT])
{
    int failed = 0;
    for (int i = 0; i < LINE_OUT_COUNT; i++) {
        struct lines_settings alone = {.consumer = "qrgate-safe"};
        struct lines *lines = NULL;
        char why[256] = "";
        alone.out[i] = out[i];
        if (lines_gpiod_open(&alone, &lines, why, sizeof why) == 0) { /* requests it inactive; not wired: nothing */
            lines_close(lines);
            continue;
        }
        (void)fprintf(stderr, "<2>qrgate-safe: %s\n", why);
        failed++;
    }
    return failed;
}

/* Of a line that both name the daemon's word counts: what is active is how it was wired then. */
static void leave_out(const struct line_settings done[LINE_OUT_COUNT], struct line_settings out[LINE_OUT_COUNT])
{
    for (int i = 0; i < LINE_OUT_COUNT; i++)
        for (int j = 0; j < LINE_OUT_COUNT; j++)
            if (strcmp(out[i].name, done[j].name) == 0)
                out[i].name[0] = '\0';
}

static int drive_all(const char *config)
{
    struct settings settings;
    struct line_settings kept[LINE_OUT_COUNT];
    const int r = outputs_kept(getenv("RUNTIME_DIRECTORY"), kept);
    int failed = drive_inactive(kept);
    if (r < 0 && r != -ENOENT) {
        (void)fprintf(stderr, "<2>qrgate-safe: what the gate drove can't be read (%s)\n", strerror(-r));
        failed++;
    }
    if (settings_load(config, &settings, stderr) == 0) {
        leave_out(kept, settings.lines.out);
        if (settings.lines_driver == SETTINGS_LINES_GPIOD) /* the panel is the daemon's own memory and went with it */
            failed += drive_inactive(settings.lines.out);
    } else if (r < 0) {
        failed++;
    } else {
        (void)fprintf(stderr, "<4>qrgate-safe: without the configuration: what the gate drove since its start\n");
    }
    return failed;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'}, {"help", no_argument, NULL, 'h'}, {0}};
    const char *config = "/etc/qrgate/qrgate.conf";
    int option;
    while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        if (option == 'c') {
            config = optarg;
        } else {
            (void)fprintf(option == 'h' ? stdout : stderr, "usage: qrgate-safe [--config FILE]\nDrives the relays, buzzer "
                          "and lamps inactive: those of the gate that ended, and those of the configuration.\n");
            return option == 'h' ? 0 : 2;
        }
    }
    return drive_all(config) == 0 ? 0 : 1;
}
