/* The keys that hold lists: vaccine products, holidays, the rows of the schedule, the verbs of requests, decoders, a camera's
 * controls. Called by walk.c. Start-up and reload. */
#include <stdlib.h>
#include <string.h>

#include "daemon/credential/utf8.h"
#include "daemon/decision/decision.h"
#include "daemon/mqtt/command.h"
#include "daemon/settings/keys.h"
#include "daemon/vision/eye.h"

/* A row as it is written. */
struct row_text {
    char group[CREDENTIAL_GROUP_BYTES], days[64], from[16], to[16];
    bool on_holidays;
};

#define AT(member) offsetof(struct row_text, member), sizeof(((struct row_text *)NULL)->member)

struct settings_table settings_row_keys(void)
{
    static const struct settings_key keys[] = {
        {"schedule.rows.group", KEY_TEXT, KEY_LIVE, AT(group), 0, 0, 1, NULL, NULL},
        {"schedule.rows.days", KEY_TEXT, KEY_LIVE, AT(days), 0, 0, 1, NULL, NULL},
        {"schedule.rows.from", KEY_TEXT, KEY_LIVE, AT(from), 0, 0, 1, NULL, NULL},
        {"schedule.rows.to", KEY_TEXT, KEY_LIVE, AT(to), 0, 0, 1, NULL, NULL},
        {"schedule.rows.on_holidays", KEY_FLAG, KEY_LIVE, AT(on_holidays), 0, 0, 1, NULL, NULL},
    };
    return (struct settings_table){keys, sizeof keys / sizeof keys[0]};
}

/* How many elements to read: 0 after a mistake about the list itself. */
static int list_length(struct settings_walk *walk, const struct settings_key *key, const config_setting_t *setting, int most)
{
    int type = config_setting_type(setting), line = (int)config_setting_source_line(setting);
    char value[SETTINGS_VALUE_BYTES];
    settings_value_text(setting, value, sizeof value);
    if (type != CONFIG_TYPE_ARRAY && type != CONFIG_TYPE_LIST) {
        settings_mistake(walk, line, "%s = %s: allowed is %s", key->path, value, key->allowed);
        return 0;
    }
    if (config_setting_length(setting) > most) {
        settings_mistake(walk, line, "%s: %d entries; allowed are up to %d: leave out what is over", key->path,
                         config_setting_length(setting), most);
        return 0;
    }
    return config_setting_length(setting);
}

static const char *element_text(const config_setting_t *list, int i, int *ret_line)
{
    const config_setting_t *element = config_setting_get_elem(list, (unsigned)i);
    *ret_line = (int)config_setting_source_line(element);
    return config_setting_type(element) == CONFIG_TYPE_STRING ? config_setting_get_string(element) : NULL;
}

/* The entry's number too, for libconfig gives a text before the list's end the line of that end. */
static void bad_element(struct settings_walk *walk, const struct settings_key *key, const config_setting_t *list, int i,
                        const char *allowed)
{
    char value[SETTINGS_VALUE_BYTES];
    int line;
    (void)element_text(list, i, &line);
    settings_value_text(config_setting_get_elem(list, (unsigned)i), value, sizeof value);
    settings_mistake(walk, line, "%s: entry %d, %s: allowed is %s", key->path, i + 1, value, allowed);
}

void settings_take_products(struct settings_walk *walk, const struct settings_key *key, const config_setting_t *setting,
                            void *place)
{
    struct health_policy *health = place;
    int count = list_length(walk, key, setting, HEALTH_PRODUCTS_MAX), line;
    for (int i = 0; i < count; i++) {
        const char *text = element_text(setting, i, &line);
        if (text == NULL || text[0] == '\0' || strlen(text) >= sizeof health->products[0] ||
            !utf8_plain((const uint8_t *)text, strlen(text)))
            bad_element(walk, key, setting, i, "a product's code in quotes of 1 to 39 bytes, like \"EU/1/20/1528\"");
        else
            (void)snprintf(health->products[health->products_count++], sizeof health->products[0], "%s", text);
    }
}

void settings_take_verbs(struct settings_walk *walk, const struct settings_key *key, const config_setting_t *setting, void *place)
{
    unsigned verbs = 0;
    int count = list_length(walk, key, setting, COMMAND_VERB_COUNT), line;
    for (int i = 0; i < count; i++) {
        const char *text = element_text(setting, i, &line);
        enum command_verb verb;
        if (text == NULL || !command_verb_from_name(text, &verb) || (verbs & 1u << verb) != 0)
            bad_element(walk, key, setting, i, "each once: open, mode, declare, revoke, reload, report, resend, identify, time");
        else
            verbs |= 1u << verb;
    }
    memcpy(place, &verbs, sizeof verbs);
}

static int compare_days(const void *a, const void *b)
{
    int32_t left = *(const int32_t *)a, right = *(const int32_t *)b;
    return (left > right) - (left < right);
}

void settings_take_holidays(struct settings_walk *walk, const struct settings_key *key, const config_setting_t *setting,
                            void *place)
{
    struct schedule *schedule = place;
    int count = list_length(walk, key, setting, HOLIDAYS_MAX), line;
    for (int i = 0; i < count; i++) {
        const char *text = element_text(setting, i, &line);
        int32_t day;
        bool twice = false;
        if (text == NULL || !schedule_date_from_text(text, &day)) {
            bad_element(walk, key, setting, i, "a day in quotes as YYYY-MM-DD, like \"2026-02-17\"");
            continue;
        }
        for (size_t k = 0; k < schedule->holidays_count; k++)
            twice |= schedule->holidays[k] == day;
        if (twice)
            bad_element(walk, key, setting, i, "each day once; this one stands there already");
        else
            schedule->holidays[schedule->holidays_count++] = day;
    }
    qsort(schedule->holidays, schedule->holidays_count, sizeof schedule->holidays[0], compare_days);
}

static bool is_group_name(const char *text)
{
    size_t length = strlen(text);
    return strcmp(text, "*") == 0 ||
           (length > 0 && strchr(text, '*') == NULL && text[0] != ' ' && text[length - 1] != ' ');
}

static void bad_cell(struct settings_walk *walk, const config_setting_t *row, const char *name, const char *text,
                     const char *allowed)
{
    const config_setting_t *cell = config_setting_get_member(row, name); /* not there: its default is good */
    settings_mistake(walk, (int)config_setting_source_line(cell != NULL ? cell : row), "schedule.rows.%s = \"%s\": allowed is %s",
                     name, text, allowed);
}

static void take_row(struct settings_walk *walk, const config_setting_t *setting, struct schedule *schedule)
{
    struct row_text text = {.group = "*", .days = "daily", .from = "00:00", .to = "24:00"};
    struct schedule_row *row = &schedule->rows[schedule->count];
    struct settings_table table = settings_row_keys();
    int before = walk->mistakes;
    settings_walk_group(walk, &table, setting, "schedule.rows", &text);
    if (walk->mistakes != before)
        return;
    if (!is_group_name(text.group))
        bad_cell(walk, setting, "group", text.group,
                 "\"*\", or a group's name of 1 to 32 bytes without * and without spaces at its ends");
    if (!schedule_days_from_text(text.days, &row->days))
        bad_cell(walk, setting, "days", text.days, "days like \"mon-fri\", \"sat,sun\", \"mon,wed-fri\" or \"daily\"");
    if (!schedule_minutes_from_text(text.from, &row->from_min) || row->from_min >= 24 * 60)
        bad_cell(walk, setting, "from", text.from, "a time from \"00:00\" to \"23:59\"");
    if (!schedule_minutes_from_text(text.to, &row->to_min))
        bad_cell(walk, setting, "to", text.to, "a time from \"00:00\" to \"24:00\"");
    (void)snprintf(row->group, sizeof row->group, "%s", text.group);
    row->on_holidays = text.on_holidays;
    schedule->count++;
}

void settings_take_rows(struct settings_walk *walk, const struct settings_key *key, const config_setting_t *setting, void *place)
{
    struct schedule *schedule = place;
    int count = list_length(walk, key, setting, SCHEDULE_ROWS_MAX);
    for (int i = 0; i < count; i++) {
        const config_setting_t *row = config_setting_get_elem(setting, (unsigned)i);
        if (config_setting_is_group(row))
            take_row(walk, row, schedule);
        else
            bad_element(walk, key, setting, i, "a row { group = \"*\"; days = \"mon-fri\"; from = \"06:00\"; to = \"22:00\"; }");
    }
}

/* ---- the eye's ---------------------------------------------------------------------------------------------------- */

static void bad_decoder(struct settings_walk *walk, const struct settings_key *key, const config_setting_t *list, int i)
{
    char allowed[160] = "";
    for (enum decoder_kind kind = DECODER_ZBAR; kind < DECODER_KINDS; kind++)
        if (decoder_is_built_in(kind))
            (void)snprintf(allowed + strlen(allowed), sizeof allowed - strlen(allowed), "%s\"%s\"", allowed[0] ? ", " : "",
                           decoder_name(kind));
    if (!decoder_is_built_in(DECODER_ZXING))
        (void)snprintf(allowed + strlen(allowed), sizeof allowed - strlen(allowed),
                       " (zxing isn't built in: that needs libzxing-dev 2.3 or later when qrgate is built)");
    bad_element(walk, key, list, i, allowed);
}

void settings_take_decoders(struct settings_walk *walk, const struct settings_key *key, const config_setting_t *setting,
                            void *place)
{
    struct eye_decoders decoders = {0};
    int before = walk->mistakes, count = list_length(walk, key, setting, DECODER_KINDS), line;
    for (int i = 0; i < count; i++) {
        const char *text = element_text(setting, i, &line);
        enum decoder_kind kind = DECODER_ZBAR;
        while (kind < DECODER_KINDS && (text == NULL || strcmp(text, decoder_name(kind)) != 0))
            kind++;
        bool twice = decoders.count > 0 && decoders.kinds[0] == kind;
        if (!decoder_is_built_in(kind))
            bad_decoder(walk, key, setting, i);
        else if (twice)
            bad_element(walk, key, setting, i, "each decoder once; this one stands there already");
        else
            decoders.kinds[decoders.count++] = kind;
    }
    if (walk->mistakes == before && decoders.count == 0)
        settings_mistake(walk, (int)config_setting_source_line(setting), "%s: no entry; allowed is %s", key->path, key->allowed);
    if (walk->mistakes == before)
        memcpy(place, &decoders, sizeof decoders);
}

static bool is_control_name(const char *text)
{
    return strlen(text) < CAMERA_CONTROL_NAME_BYTES && text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

/* Which controls there are, only the camera knows: it is asked at open. */
void settings_take_controls(struct settings_walk *walk, const struct settings_key *key, const config_setting_t *setting,
                            void *place)
{
    struct camera_controls *controls = place;
    char value[SETTINGS_VALUE_BYTES];
    settings_value_text(setting, value, sizeof value);
    if (!config_setting_is_group(setting) || config_setting_length(setting) > CAMERA_CONTROLS_MAX) {
        settings_mistake(walk, (int)config_setting_source_line(setting), "%s = %s: allowed is %s", key->path, value, key->allowed);
        return;
    }
    for (int i = 0; i < config_setting_length(setting); i++) {
        const config_setting_t *control = config_setting_get_elem(setting, (unsigned)i);
        const char *name = config_setting_name(control);
        int type = config_setting_type(control), line = (int)config_setting_source_line(control);
        int64_t number = config_setting_get_int64(control);
        settings_value_text(control, value, sizeof value);
        if (!is_control_name(name))
            settings_mistake(walk, line, "%s: \"%.40s\" is no control's name: allowed are 1 to %d small letters, digits and _, as "
                                         "`v4l2-ctl --list-ctrls` shows them", key->path, name, CAMERA_CONTROL_NAME_BYTES - 1);
        else if ((type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64) || number < INT32_MIN || number > INT32_MAX)
            settings_mistake(walk, line, "%s.%s = %s: allowed is a whole number", key->path, name, value);
        else {
            (void)snprintf(controls->list[controls->count].name, sizeof controls->list[0].name, "%s", name);
            controls->list[controls->count++].value = (int32_t)number;
        }
    }
}
