/* qrgatectl watch: passages and alarms as they happen, one line each, until Ctrl-C. A lost connection is made again. */
#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "daemon/ctl/broker_link.h"
#include "daemon/ctl/members.h"
#include "daemon/ctl/paint.h"
#include "daemon/decision/time_text.h"
#include "daemon/mqtt/backoff.h"
#include "daemon/mqtt/json_read.h"

enum { STEP_TIMEOUT_MS = 10000, AGAIN_MIN_MS = 500, AGAIN_MAX_MS = 30000, SEEN_MAX = 512, CELL_BYTES = 160, ID_BYTES = 33 };

enum { JSON = BROKER_OPTIONS };
static const struct ctl_option OPTIONS[] = {
    BROKER_OPTION_ROWS,
    [BROKER_LANE] = { "lane", "NAME", false, "this lane only" },
    [JSON] = { "json", NULL, false, "each message as one JSON object on a line, with its lane" },
    { NULL, NULL, false, NULL },
};

struct watch {
    struct ctl *ctl;
    struct broker broker;
    int stop_fd;
    bool colour, was_connected, told_lost;
    int failures;
    int64_t shown_at_day; /* of the last line: a new day is told */
    int next;
    char seen[SEEN_MAX][ID_BYTES]; /* the same event may come twice */
};

/* ---- a line ------------------------------------------------------------------------------------------------------ */

/* How each kind is painted. */
static const struct {
    const char *kind;
    enum paint paint;
} paints[] = {
    { "granted", PAINT_GOOD },  { "override", PAINT_GOOD }, { "held", PAINT_CARE },        { "denied", PAINT_BAD },
    { "completed", PAINT_FAINT }, { "not_used", PAINT_FAINT }, { "interrupted", PAINT_CARE }, { "alarm_begin", PAINT_BAD },
    { "alarm_end", PAINT_GOOD }, { "start", PAINT_FAINT },   { "stop", PAINT_CARE },        { "command", PAINT_CARE },
};

static enum paint paint_of(const char *kind)
{
    for (size_t i = 0; i < sizeof(paints) / sizeof(paints[0]); i++)
        if (strcmp(paints[i].kind, kind) == 0)
            return paints[i].paint;
    return PAINT_NONE;
}

static bool is_seen(struct watch *watch, struct json_object *event)
{
    char id[ID_BYTES + 4];
    (void)member_text(event, "event_id", id, sizeof(id));
    if (strlen(id) != ID_BYTES - 1)
        return false;
    for (int i = 0; i < SEEN_MAX; i++)
        if (strcmp(watch->seen[i], id) == 0)
            return true;
    memcpy(watch->seen[watch->next], id, ID_BYTES);
    watch->next = (watch->next + 1) % SEEN_MAX;
    return false;
}

/* "08:30:00", by this machine's zone; a line of its own tells a new day. */
static void print_time(struct watch *watch, struct json_object *event)
{
    char text[40], local[48];
    int64_t at_s;
    struct tm parts;
    (void)member_text(event, "at", text, sizeof(text));
    if (!time_text_read(text, strlen(text), &at_s, NULL)) {
        (void)printf("%-8.8s", text);
        return;
    }
    (void)format_local(at_s, local);
    const time_t at = (time_t)at_s;
    const int64_t day = localtime_r(&at, &parts) ? (int64_t)parts.tm_year * 366 + parts.tm_yday : 0;
    if (day != watch->shown_at_day)
        (void)printf("%s--- %.10s ---%s\n", paint_code(watch->colour, PAINT_FAINT), local, paint_code(watch->colour, PAINT_NONE));
    watch->shown_at_day = day;
    (void)printf("%.8s", local + 11);
}

/* What else there is: the reason of a verdict, an alarm, an operator and what they asked. */
static void print_rest(const struct watch *watch, struct json_object *event)
{
    const struct lang *lang = watch->ctl->lang;
    char text[CELL_BYTES], who[CELL_BYTES], cell[CELL_BYTES * 2];
    const char *const words[][2] = { { "reason", "reason" }, { "alarm", "alarm" } };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (member_text(event, words[i][0], text, sizeof(text))[0] && strcmp(text, "none") != 0)
            (void)printf("  %s", say_word(lang, words[i][1], text));
    if (member_text(event, "person", text, sizeof(text))[0])
        (void)printf("  %.8s", text);
    if (member_text(event, "verb", text, sizeof(text))[0])
        (void)printf("  %s", lang_format(lang, cell, sizeof(cell), "watch.by", "verb", say_word(lang, "verb", text), "operator",
                                         member_text(event, "operator", who, sizeof(who)), NULL));
    if (member_text(event, "detail", text, sizeof(text))[0])
        (void)printf("  %s", text);
    if (member_flag(event, "historical"))
        (void)printf("  %s", say(lang, "watch.historical"));
}

static void print_plain(struct watch *watch, const char *lane, struct json_object *event)
{
    const struct lang *lang = watch->ctl->lang;
    char kind[32], direction[16], status[16], cells[4][CELL_BYTES];
    (void)member_text(event, "kind", kind, sizeof(kind));
    (void)member_text(event, "direction", direction, sizeof(direction));
    (void)member_text(event, "status", status, sizeof(status));
    const enum paint paint = member_flag(event, "historical") ? PAINT_FAINT : paint_of(kind);
    const bool painted = watch->colour && paint != PAINT_NONE;
    print_time(watch, event);
    (void)printf("%c %s  %s%s%s  %s  %s", json_object_object_get_ex(event, "clock_trusted", NULL) && !member_flag(event, "clock_trusted") ? '?' : ' ',
                 lang_pad(cells[0], CELL_BYTES, lane, 12), painted ? paint_code(true, paint) : "",
                 lang_pad(cells[1], CELL_BYTES, say_word(lang, "kind", kind), 15), painted ? paint_code(true, PAINT_NONE) : "",
                 lang_pad(cells[2], CELL_BYTES, direction[0] ? say_word(lang, "direction", direction) : "", 4),
                 lang_pad(cells[3], CELL_BYTES, status[0] && strcmp(status, "none") != 0 ? say_word(lang, "status", status) : "-", 10));
    print_rest(watch, event);
    (void)putchar('\n');
}

static void print_json(const char *lane, struct json_object *event)
{
    (void)json_object_object_add(event, "lane", json_object_new_string(lane));
    (void)printf("%s\n", json_object_to_json_string_ext(event, JSON_C_TO_STRING_PLAIN));
}

/* PREFIX/SITE/LANE/passage or alarm. */
static void show(struct watch *watch, const struct broker_message *message)
{
    char prefix[TOPIC_BYTES], lane[TOPIC_LANE_BYTES] = "", why[COMMAND_MESSAGE_BYTES];
    int error;
    (void)snprintf(prefix, sizeof(prefix), "%s/%s/", watch->broker.mqtt.prefix, watch->broker.mqtt.site);
    const size_t before = strlen(prefix);
    const size_t length = strncmp(message->topic, prefix, before) == 0 ? strcspn(message->topic + before, "/") : 0;
    if (message->retained || length == 0 || length >= sizeof(lane))
        return;
    memcpy(lane, message->topic + before, length);
    struct json_object *event = topic_name_valid(lane) ? json_read(message->payload, message->length_bytes, BROKER_PAYLOAD_MAX_BYTES,
                                                                   &error, why, sizeof(why))
                                                       : NULL;
    if (!event)
        return; /* not a lane's */
    if (!is_seen(watch, event)) {
        if (watch->ctl->values[JSON])
            print_json(lane, event);
        else
            print_plain(watch, lane, event);
        (void)fflush(stdout); /* looked at by ferror() */
    }
    json_read_free(event);
}

/* ---- the connection, again and again ----------------------------------------------------------------------------- */

static enum broker_result subscribe(struct watch *watch, struct broker_link *link)
{
    char topic[TOPIC_BYTES];
    broker_topic(&watch->broker, watch->broker.mqtt.lane, "passage", topic);
    enum broker_result result = broker_subscribe(link, topic, 1, STEP_TIMEOUT_MS);
    broker_topic(&watch->broker, watch->broker.mqtt.lane, "alarm", topic);
    return result == BROKER_OK ? broker_subscribe(link, topic, 1, STEP_TIMEOUT_MS) : result;
}

static void tell(const struct watch *watch, const char *key, const char *value)
{
    lang_print(stderr, watch->ctl->lang, key, "what", value, NULL);
    (void)fputc('\n', stderr);
}

static enum broker_result follow(struct watch *watch, struct broker_link *link)
{
    char site[TOPIC_BYTES];
    struct broker_message *message;
    int64_t dropped = 0;
    enum broker_result result = subscribe(watch, link);
    if (result != BROKER_OK)
        return result;
    (void)snprintf(site, sizeof(site), "%s/%s", watch->broker.mqtt.site, watch->broker.mqtt.lane[0] ? watch->broker.mqtt.lane : "*");
    tell(watch, "watch.connected", site);
    watch->failures = 0;
    watch->was_connected = true;
    watch->told_lost = false;
    while (result == BROKER_OK && !ferror(stdout)) {
        result = broker_receive(link, -1, &message);
        if (result == BROKER_OK)
            show(watch, message);
        free(message);
        if (broker_dropped(link) > dropped) {
            char number[LANG_NUMBER_BYTES];
            tell(watch, "watch.dropped", lang_number(number, broker_dropped(link) - dropped));
            dropped = broker_dropped(link);
        }
    }
    return result;
}

/* False: stopped meanwhile. */
static bool wait_before_again(struct watch *watch)
{
    struct pollfd stop = { .fd = watch->stop_fd, .events = POLLIN };
    const int64_t wait_us = backoff_us(++watch->failures, (int64_t)AGAIN_MIN_MS * 1000, (int64_t)AGAIN_MAX_MS * 1000,
                                       randombytes_random());
    return poll(&stop, 1, (int)(wait_us / 1000)) == 0;
}

static enum ctl_exit watch_on(struct watch *watch)
{
    struct broker_link *link = NULL;
    char text[BROKER_TEXT_BYTES];
    for (;;) {
        enum broker_result result = broker_open(&watch->broker, watch->stop_fd, STEP_TIMEOUT_MS, &link, text);
        if (result == BROKER_OK) {
            result = follow(watch, link);
            (void)snprintf(text, sizeof(text), "%s", broker_text(link));
            broker_close(link);
        }
        if (result == BROKER_STOPPED || ferror(stdout))
            return CTL_OK;
        if (!watch->was_connected || result == BROKER_NO_RIGHTS) /* trying again wouldn't mend it */
            return broker_complain(watch->ctl, &watch->broker, result, text);
        if (!watch->told_lost)
            tell(watch, "watch.again", text[0] ? text : say(watch->ctl->lang, "watch.lost"));
        watch->told_lost = true;
        if (!wait_before_again(watch))
            return CTL_OK;
    }
}

static enum ctl_exit run(struct ctl *ctl)
{
    struct watch *watch = calloc(1, sizeof(*watch));
    sigset_t stops;
    enum ctl_exit result = watch ? CTL_OK : ctl_complain(ctl, CTL_FAILED, "words.no_memory", NULL);
    if (result == CTL_OK) {
        *watch = (struct watch){ .ctl = ctl, .stop_fd = -1, .colour = paint_wanted() };
        result = broker_read_options(ctl, false, &watch->broker);
    }
    (void)sigemptyset(&stops);
    (void)sigaddset(&stops, SIGINT);
    (void)sigaddset(&stops, SIGTERM);
    if (result == CTL_OK) {
        /* Before any thread of Paho's, which inherit it: so one of the two ends a step that waits. */
        watch->stop_fd = sigprocmask(SIG_BLOCK, &stops, NULL) < 0 ? -1 : signalfd(-1, &stops, SFD_CLOEXEC);
        if (watch->stop_fd < 0)
            result = ctl_complain(ctl, CTL_FAILED, "words.failed", "why", strerror(errno), NULL);
    }
    if (result == CTL_OK)
        result = watch_on(watch);
    if (watch && watch->stop_fd >= 0)
        (void)close(watch->stop_fd); /* a signal in it did its work */
    free(watch);
    return result;
}

const struct ctl_command CTL_WATCH = {
    .name = "watch",
    .summary = "Show passages and alarms as they happen, until Ctrl-C",
    .details = "Columns: time (of this machine's zone; ? = the lane's clock wasn't trusted), lane, what happened, direction, status of the\n"
               "declaration, reason or alarm, person's hash (first 8), an operator's command, detail. Colour on a terminal only (NO_COLOR\n"
               "turns it off). What a lane sends after an outage is marked. A lost connection is made again; what happened meanwhile isn't\n"
               "shown: the journal has it (qrgatectl events). Ends with 0 at SIGINT and SIGTERM.\n",
    .options = OPTIONS,
    .run = run,
};
