/* The configuration file -> one struct that is const afterwards. libconfig syntax; a table of keys in keys.c checks type
 * and range; unknown keys are errors; every message names file:line, the value and what is allowed. Start-up and reload. */
#ifndef SETTINGS_SETTINGS_H
#define SETTINGS_SETTINGS_H

#include <stdio.h>

#include "daemon/journal/journal.h"
#include "daemon/lane/lane.h"
#include "daemon/mqtt/client.h"
#include "daemon/mqtt/command.h"
#include "daemon/vision/eye.h"
#include "hw/lines.h"

enum { SETTINGS_FILE_MAX_BYTES = 65536 };
enum settings_lines { SETTINGS_LINES_GPIOD, SETTINGS_LINES_SIM };
enum settings_clock { SETTINGS_CLOCK_NTP, SETTINGS_CLOCK_ALWAYS };

/* What an order of 2021 counts as a site (dispatch 1803/UBND-VHTT). */
enum settings_place {
    SETTINGS_PLACE_OTHER, SETTINGS_PLACE_OFFICE, SETTINGS_PLACE_INDUSTRIAL_PARK, SETTINGS_PLACE_FACTORY, SETTINGS_PLACE_SCHOOL,
    SETTINGS_PLACE_HOSPITAL, SETTINGS_PLACE_STATION, SETTINGS_PLACE_SHOP, SETTINGS_PLACE_MARKET, SETTINGS_PLACE_RESTAURANT,
    SETTINGS_PLACE_LODGING, SETTINGS_PLACE_CULTURE_SPORTS, SETTINGS_PLACE_MEETING, SETTINGS_PLACE_WEDDING,
    SETTINGS_PLACE_FUNERAL, SETTINGS_PLACE_COUNT
};
const char *settings_place_name(enum settings_place place); /* "other", "office", … */

/* For qrgatectl's lists and reports; the lane itself doesn't ask. */
struct place_settings {
    int kind;           /* enum settings_place */
    char name[128];     /* as people know it; "" = the site's name */
    char address[192];
    char zone[48];      /* "Asia/Ho_Chi_Minh"; "" = the machine's */
    char language[16];  /* "vi"; "" = whatever --lang and LANG say */
};

struct settings {
    char site[33], lane[33];
    struct place_settings place;
    struct eye_settings eye;
    int lines_driver; /* enum settings_lines */
    struct lines_settings lines;
    struct lane_settings lane_settings; /* has_relay, has_sensor, two_directions: from what lines names */
    struct journal_settings journal; /* site_key and trust: settings_load_keys() */
    char site_key_file[256], trust_folder[256];
    int journal_deadline_ms; /* a decision later than this never opens */
    int hang_ms;             /* an eye silent for so long is replaced */
    int leave_ms;            /* a code not seen for so long has left the view */
    int clock_trust;         /* enum settings_clock */
    struct mqtt_settings mqtt;
    struct command_rules commands; /* operators: settings_load_keys() */
    char operators_folder[256];
};

/* 0, or -EINVAL after printing every mistake to `errors`, -errno when the file can't be read. Reads no key and no trust. */
int settings_load(const char *path, struct settings *ret, FILE *errors);
/* The same from memory, which needs no NUL at its end; `name` is what the messages call it. Whatever the text says, no other
 * file is opened. */
int settings_read(const char *name, const char *text, size_t length_bytes, struct settings *ret, FILE *errors);
/* The site key (made if it isn't there and `create`), the rotation key made from it, the trust folder, and with commands.auth =
 * "signed" the operators' keys. For the main
 * process and qrgatectl, never for the eye. 0 or negative errno, printed. */
int settings_load_keys(struct settings *settings, bool create, FILE *errors);
/* Wipes the keys and frees the certificates, whether or not settings_load_keys() got to them. After journal_close(), which
 * borrows the certificates. */
void settings_free_keys(struct settings *settings);
/* May `fresh` take the place of `old` while people pass? Both have their keys: settings_load_keys() reads the trust folder
 * anew. 0: every key that changed can; or -EPERM after naming every changed one that needs a restart, and then nothing of
 * fresh may be used. Changes neither. */
int settings_reload(const struct settings *old, const struct settings *fresh, FILE *errors);
/* The tables of keys with what each allows: `qrgated --keys`. */
void settings_print_keys(FILE *out);

#endif
