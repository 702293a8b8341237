/* qrgatectl status: the lanes of a site by what the broker keeps of them, or this machine's lane by its socket beside the
 * journal. */
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/broker_link.h"
#include "daemon/ctl/members.h"
#include "daemon/ctl/paint.h"
#include "daemon/health/status_socket.h"
#include "daemon/mqtt/messages.h"
#include "daemon/mqtt/json_read.h"
#include "daemon/settings/settings.h"

enum { STEP_TIMEOUT_MS = 10000, QUIET_MS = 250 /* after the last retained message */, LANES_MAX = 10000, CELL_BYTES = 128 };

enum { LOCAL = BROKER_OPTIONS, JSON };
static const struct ctl_option OPTIONS[] = {
    BROKER_OPTION_ROWS,
    [BROKER_LANE] = { "lane", "NAME", false, "this lane only" },
    [LOCAL] = { "local", NULL, false, "this machine's lane, by its socket beside the journal: also when the broker is gone" },
    [JSON] = { "json", NULL, false, "one JSON object a lane, on a line of its own" },
    { NULL, NULL, false, NULL },
};

struct lane_status {
    char name[TOPIC_LANE_BYTES];
    char availability[12]; /* "" = the broker keeps none */
    struct json_object *state, *info; /* NULL = none */
};

struct listing {
    struct ctl *ctl;
    struct broker broker;
    int count;
    struct lane_status *lanes; /* in the order of their names, once all are there */
};

/* ---- what the broker keeps --------------------------------------------------------------------------------------- */

static struct lane_status *find_lane(struct listing *listing, const char *name, size_t bytes)
{
    for (int i = 0; i < listing->count; i++)
        if (strlen(listing->lanes[i].name) == bytes && memcmp(listing->lanes[i].name, name, bytes) == 0)
            return &listing->lanes[i];
    if (bytes >= sizeof(listing->lanes->name) || listing->count == LANES_MAX)
        return NULL;
    if ((listing->count & (listing->count - 1)) == 0) { /* grows by doubling */
        const size_t room = listing->count > 0 ? 2 * (size_t)listing->count : 1;
        struct lane_status *more = realloc(listing->lanes, room * sizeof(*more));
        if (!more)
            return NULL;
        listing->lanes = more;
    }
    struct lane_status *lane = &listing->lanes[listing->count];
    *lane = (struct lane_status){ .state = NULL };
    memcpy(lane->name, name, bytes);
    if (!topic_name_valid(lane->name))
        return NULL;
    listing->count++;
    return lane;
}

static struct json_object *read_object(const char *text, size_t length_bytes)
{
    char why[COMMAND_MESSAGE_BYTES];
    int error;
    return json_read(text, length_bytes, BROKER_PAYLOAD_MAX_BYTES, &error, why, sizeof(why));
}

static void replace(struct json_object **object, const struct broker_message *message)
{
    struct json_object *fresh = read_object(message->payload, message->length_bytes);
    if (!fresh)
        return; /* not one of ours */
    json_read_free(*object);
    *object = fresh;
}

/* PREFIX/SITE/LANE/LEAF. */
static void keep(struct listing *listing, const struct broker_message *message)
{
    char prefix[TOPIC_BYTES];
    (void)snprintf(prefix, sizeof(prefix), "%s/%s/", listing->broker.mqtt.prefix, listing->broker.mqtt.site);
    if (strncmp(message->topic, prefix, strlen(prefix)) != 0 || message->length_bytes == 0)
        return; /* an empty one takes back what was retained */
    const char *name = message->topic + strlen(prefix), *leaf = strchr(name, '/');
    struct lane_status *lane = leaf ? find_lane(listing, name, (size_t)(leaf - name)) : NULL;
    if (!lane)
        return;
    if (strcmp(leaf, "/availability") == 0)
        (void)printable(message->payload, lane->availability, sizeof(lane->availability));
    else if (strcmp(leaf, "/state") == 0)
        replace(&lane->state, message);
    else if (strcmp(leaf, "/info") == 0)
        replace(&lane->info, message);
}

static int by_name(const void *left, const void *right)
{
    const struct lane_status *a = left, *b = right;
    return strcmp(a->name, b->name);
}

static enum broker_result gather(struct listing *listing, struct broker_link *link)
{
    static const char *const leaves[] = { "availability", "state", "info" };
    struct broker_message *message;
    char topic[TOPIC_BYTES];
    enum broker_result result = BROKER_OK;
    for (size_t i = 0; i < sizeof(leaves) / sizeof(leaves[0]) && result == BROKER_OK; i++) {
        broker_topic(&listing->broker, listing->broker.mqtt.lane, leaves[i], topic);
        result = broker_subscribe(link, topic, 0, STEP_TIMEOUT_MS);
    }
    /* What is kept is sent at once; that it was all nobody says. */
    while (result == BROKER_OK) {
        result = broker_receive(link, QUIET_MS, &message);
        if (result == BROKER_OK && message->retained)
            keep(listing, message);
        free(message);
    }
    if (broker_dropped(link) > 0)
        (void)ctl_complain(listing->ctl, CTL_FAILED, "lanes.dropped", "count", LANG_N(broker_dropped(link)), NULL);
    if (listing->count > 0)
        qsort(listing->lanes, (size_t)listing->count, sizeof(*listing->lanes), by_name);
    return result == BROKER_TIME_OVER ? BROKER_OK : result;
}

static enum ctl_exit read_site(struct listing *listing)
{
    struct broker_link *link = NULL;
    char text[BROKER_TEXT_BYTES];
    enum ctl_exit result = broker_read_options(listing->ctl, false, &listing->broker);
    if (result != CTL_OK)
        return result;
    enum broker_result done = broker_open(&listing->broker, -1, STEP_TIMEOUT_MS, &link, text);
    if (done == BROKER_OK && (done = gather(listing, link)) != BROKER_OK)
        (void)snprintf(text, sizeof(text), "%s", broker_text(link));
    if (done != BROKER_OK)
        result = broker_complain(listing->ctl, &listing->broker, done, text);
    broker_close(link);
    return result;
}

/* ---- this machine's lane ----------------------------------------------------------------------------------------- */

static enum ctl_exit fail_local(const struct ctl *ctl, const char *lane, int error)
{
    const bool nobody = error == -ENOENT || error == -ECONNREFUSED;
    return ctl_complain(ctl, nobody ? CTL_SOME_BAD : CTL_FAILED, nobody ? "lanes.not_running" : "lanes.socket_failed", "lane", lane,
                        "why", error == -EACCES ? say(ctl->lang, "lanes.socket_rights") : strerror(-error), NULL);
}

static enum ctl_exit read_local(struct listing *listing)
{
    const char *path = listing->ctl->config ? listing->ctl->config : CTL_DEFAULT_CONFIG;
    char text[MESSAGE_BYTES + 1];
    struct settings *settings = calloc(1, sizeof(*settings));
    enum ctl_exit result = CTL_OK;
    if (!settings)
        return ctl_complain(listing->ctl, CTL_FAILED, "words.no_memory", NULL);
    if (settings_load(path, settings, stderr) != 0) {
        result = ctl_complain(listing->ctl, CTL_FAILED, "broker.config_bad", "file", path, NULL);
    } else {
        const char *journal = listing->ctl->database ? listing->ctl->database : settings->journal.path;
        const int length = status_socket_ask(journal, STEP_TIMEOUT_MS, text, sizeof(text));
        struct lane_status *lane = length >= 0 ? find_lane(listing, settings->lane, strlen(settings->lane)) : NULL;
        if (length < 0)
            result = fail_local(listing->ctl, settings->lane, length);
        else if (!lane || !(lane->state = read_object(text, (size_t)length)))
            result = fail_local(listing->ctl, settings->lane, -EIO);
        else
            (void)strcpy(lane->availability, "here");
    }
    free(settings);
    return result;
}

/* ---- to the reader ----------------------------------------------------------------------------------------------- */

static bool is_bad(const struct lane_status *lane)
{
    char text[32];
    return strcmp(lane->availability, "offline") == 0 || !lane->state || member_flag(lane->state, "out_of_order") ||
           strcmp(member_text(lane->state, "camera", text, sizeof(text)), "ok") != 0 ||
           strcmp(member_text(lane->state, "journal", text, sizeof(text)), "ok") != 0;
}

static void print_json(const struct lane_status *lane)
{
    struct json_object *object = json_object_new_object();
    if (!object)
        return;
    (void)json_object_object_add(object, "lane", json_object_new_string(lane->name));
    if (lane->availability[0])
        (void)json_object_object_add(object, "availability", json_object_new_string(lane->availability));
    if (lane->state)
        (void)json_object_object_add(object, "state", json_object_get(lane->state));
    if (lane->info)
        (void)json_object_object_add(object, "info", json_object_get(lane->info));
    (void)printf("%s\n", json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN));
    json_read_free(object);
}

static const int columns[] = { 16, 12, 22, 10, 10, 10, 10, 10 };
enum { COLUMNS = sizeof(columns) / sizeof(columns[0]), AVAILABILITY_COLUMN = 1 };

static void print_row(const char *const cells[COLUMNS], bool colour, enum paint paint)
{
    char buffer[CELL_BYTES];
    for (int i = 0; i < COLUMNS; i++) {
        const bool painted = paint != PAINT_NONE && i == AVAILABILITY_COLUMN;
        (void)printf("%s%s%s%s", painted ? paint_code(colour, paint) : "",
                     i == COLUMNS - 1 ? cells[i] : lang_pad(buffer, sizeof(buffer), cells[i], columns[i]),
                     painted ? paint_code(colour, PAINT_NONE) : "", i == COLUMNS - 1 ? "\n" : "  ");
    }
}

static void print_lane(const struct lang *lang, const struct lane_status *lane, bool colour)
{
    char mode[32], camera[32], journal[32], version[64], unsent[LANG_NUMBER_BYTES] = "-";
    const char *cells[COLUMNS] = { lane->name, say_word(lang, "lane", lane->availability[0] ? lane->availability : "unknown"),
                                   "-", "-", "-", "-", unsent, "-" };
    int64_t number;
    if (lane->state) {
        cells[2] = say_word(lang, "mode", member_text(lane->state, "mode", mode, sizeof(mode)));
        cells[3] = say_word(lang, "lane", member_text(lane->state, "camera", camera, sizeof(camera)));
        cells[4] = say(lang, member_flag(lane->state, "clock_trusted") ? "lane.ok" : "lane.untrusted");
        cells[5] = say_word(lang, "lane", member_text(lane->state, "journal", journal, sizeof(journal)));
        cells[7] = member_text(lane->state, "version", version, sizeof(version));
        if (member_number(lane->state, "outbox_unsent", &number))
            (void)lang_number(unsent, number);
    }
    print_row(cells, colour, is_bad(lane) ? PAINT_BAD : PAINT_GOOD);
}

static enum ctl_exit print_all(const struct listing *listing)
{
    const struct lang *lang = listing->ctl->lang;
    const bool json = listing->ctl->values[JSON] != NULL;
    const char *const heads[COLUMNS] = { say(lang, "lanes.lane"), say(lang, "lanes.availability"), say(lang, "lanes.mode"),
                                         say(lang, "lanes.camera"), say(lang, "lanes.clock"), say(lang, "lanes.journal"),
                                         say(lang, "lanes.unsent"), say(lang, "lanes.version") };
    bool bad = false;
    if (!json && listing->count > 0)
        print_row(heads, false, PAINT_NONE);
    for (int i = 0; i < listing->count; i++) {
        if (json)
            print_json(&listing->lanes[i]);
        else
            print_lane(lang, &listing->lanes[i], paint_wanted());
        bad = bad || is_bad(&listing->lanes[i]);
    }
    return bad ? CTL_SOME_BAD : CTL_OK;
}

static enum ctl_exit run(struct ctl *ctl)
{
    struct listing listing = { .ctl = ctl };
    enum ctl_exit result = ctl->values[LOCAL] ? read_local(&listing) : read_site(&listing);
    if (result == CTL_OK && listing.count == 0)
        result = ctl_complain(ctl, CTL_SOME_BAD, "lanes.nobody", "site", listing.broker.mqtt.site, NULL);
    else if (result == CTL_OK)
        result = print_all(&listing);
    for (int i = 0; i < listing.count; i++) {
        json_read_free(listing.lanes[i].state);
        json_read_free(listing.lanes[i].info);
    }
    free(listing.lanes);
    return result;
}

const struct ctl_command CTL_STATUS = {
    .name = "status",
    .summary = "Show how the lanes of the site are",
    .details = "By what the broker keeps of each lane (its retained state, info and availability); a lane that is offline is shown as it\n"
               "last was. With --local this machine's lane says it itself, also when the broker is gone.\n"
               "Columns: lane, online or not, mode, camera, clock, journal, events not yet at the broker, version.\n"
               "A lane that is offline, out of order, or without camera or journal makes the exit status 3.\n",
    .options = OPTIONS,
    .run = run,
};
