/* A file of messages that a subscriber wrote down -> for each lane in it a journal that lives as long as the reading. A line is
 * a message, or a topic and a message (mosquitto_sub -v, or -F '%t %p'), or an object with both (mosquitto_sub -F %J). A
 * stranger's file: lengths first, bad lines are told and left out; an event that comes twice counts once. */
#include <errno.h>
#include <json-c/json_object.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/reading/reading.h"
#include "daemon/decision/time_text.h"
#include "daemon/journal/database.h"
#include "daemon/journal/event.h"
#include "daemon/mqtt/json_read.h"
#include "daemon/mqtt/topics.h"

enum { LINE_BYTES = 8192, BAD_LINES_SHOWN = 20 };

struct message {
    struct event event;
    char schema[32];
    int64_t at_s;
    int32_t at_part_us;
};

struct file {
    struct reading *reading;
    const char *path;
    sqlite3_stmt *inserts[READING_SOURCES_MAX], *others[READING_SOURCES_MAX];
    int64_t line, elsewhere; /* elsewhere: messages of other topics */
};

/* ---- one message ------------------------------------------------------------------------------------------------- */

static bool take_text(struct json_object *value, char *ret, size_t ret_bytes)
{
    size_t length;
    const char *text = json_read_text(value, &length);
    if (!text || length >= ret_bytes)
        return false;
    memcpy(ret, text, length + 1);
    return true;
}

#define TAKE(name, allowed, ...)                                                    \
    static const char *take_##name(void *userdata, struct json_object *value)       \
    {                                                                               \
        struct message *m = userdata;                                               \
        char text[64] = "";                                                         \
        (void)text; /* not all need it */                                           \
        return (__VA_ARGS__) ? NULL : (allowed);                                    \
    }
#define NAMED(convert) (take_text(value, text, sizeof(text)) && (convert))

TAKE(schema, "allowed are qrgate/passage/1 and qrgate/alarm/1", take_text(value, m->schema, sizeof(m->schema)))
TAKE(event_id, JSON_READ_HEX_ALLOWED, json_read_hex_id(value, m->event.event_id))
TAKE(seq, "allowed are whole numbers from 1 on", json_read_integer(value, &m->event.seq) && m->event.seq > 0)
TAKE(kind, "allowed are the kinds of the schema", NAMED(event_kind_from_name(text, &m->event.kind)))
TAKE(at, "allowed is a time such as 2026-01-31T08:30:00.000Z",
     take_text(value, text, sizeof(text)) && time_text_read(text, strlen(text), &m->at_s, &m->at_part_us))
TAKE(clock_trusted, "allowed are true and false", json_read_flag(value, &m->event.clock_trusted))
TAKE(reason, "allowed are the reasons of the schema", NAMED(reason_from_name(text, &m->event.reason)))
TAKE(status, "allowed are the statuses of the schema", NAMED(declaration_status_from_name(text, &m->event.status)))
TAKE(credential, "allowed are the credentials of the schema", NAMED(credential_kind_from_name(text, &m->event.credential)))
TAKE(person, JSON_READ_HEX_ALLOWED, json_read_hex_id(value, m->event.person))
TAKE(bound, JSON_READ_HEX_ALLOWED, json_read_hex_id(value, m->event.bound_event_id))
TAKE(detail, "allowed is a text of 95 bytes", take_text(value, m->event.detail, sizeof(m->event.detail)))
TAKE(verb, "allowed are the verbs of the schema", take_text(value, m->event.verb, sizeof(m->event.verb)))
TAKE(operator, "allowed is a name of 32 bytes", take_text(value, m->event.operator_name, sizeof(m->event.operator_name)))
TAKE(direction, "allowed are in and out", NAMED(direction_from_name(text, &m->event.direction)))
TAKE(alarm, "allowed are the alarms of the schema", take_text(value, m->event.alarm, sizeof(m->event.alarm)))

struct member {
    const char *name;
    const char *(*take)(void *message, struct json_object *value); /* NULL, or what is allowed */
};
enum { NEEDED = 6 }; /* the first of the table */
static const struct member MEMBERS[] = {
    { "event_id", take_event_id }, { "seq", take_seq },       { "kind", take_kind },
    { "at", take_at },             { "schema", take_schema }, { "clock_trusted", take_clock_trusted },
    { "reason", take_reason },     { "status", take_status }, { "credential", take_credential },
    { "person", take_person },     { "bound_event_id", take_bound }, { "detail", take_detail },
    { "verb", take_verb },         { "operator", take_operator },    { "direction", take_direction },
    { "alarm", take_alarm },
};

/* 1; 0: of another topic; or -EBADMSG. Members that aren't in the table are ignored: messages may grow. */
static int take_message(struct json_object *object, struct message *ret, char *why, size_t why_bytes)
{
    char shown[48];
    struct json_object *value;
    int error = 0;
    *ret = (struct message){ .event = { .reason = REASON_NONE, .credential = CREDENTIAL_UNSUPPORTED } };
    for (int i = 0; i < (int)(sizeof(MEMBERS) / sizeof(MEMBERS[0])) && error == 0; i++) {
        const bool there = json_read_member_named(object, MEMBERS[i].name, &value);
        const char *allowed = there ? MEMBERS[i].take(ret, value) : NULL;
        if (!there && i < NEEDED)
            error = json_read_refuse(why, why_bytes, "'%s' is missing", MEMBERS[i].name);
        else if (allowed)
            error = json_read_refuse(why, why_bytes, "%s %s: %s", MEMBERS[i].name,
                                     printable(json_object_to_json_string(value), shown, sizeof(shown)), allowed);
    }
    if (error == 0 && strcmp(ret->schema, "qrgate/passage/1") != 0 && strcmp(ret->schema, "qrgate/alarm/1") != 0)
        return 0; /* of another topic */
    ret->event.at_us = ret->at_s * 1000000 + ret->at_part_us;
    return error < 0 ? error : 1;
}

/* ---- one line ---------------------------------------------------------------------------------------------------- */

/* "qrgate/SITE/LANE/passage" -> "LANE"; false: another topic. */
static bool lane_of_topic(const char *topic, size_t length, char ret[JOURNAL_LANE_BYTES])
{
    const char *parts[8];
    int count = 0;
    parts[count++] = topic;
    for (const char *c = topic; c < topic + length && count < 8; c++)
        if (*c == '/')
            parts[count++] = c + 1;
    if (count < 4)
        return false;
    const char *leaf = parts[count - 1], *lane = parts[count - 2];
    const size_t leaf_bytes = (size_t)(topic + length - leaf), lane_bytes = (size_t)(leaf - 1 - lane);
    const bool ours = (leaf_bytes == 7 && memcmp(leaf, "passage", 7) == 0) || (leaf_bytes == 5 && memcmp(leaf, "alarm", 5) == 0);
    if (!ours || lane_bytes == 0 || lane_bytes >= JOURNAL_LANE_BYTES)
        return false;
    (void)snprintf(ret, JOURNAL_LANE_BYTES, "%.*s", (int)lane_bytes, lane);
    return topic_name_valid(ret);
}

/* 1: a message of a lane; 0: of another topic; -EBADMSG: `why`. */
static int take_line(const char *line, size_t length, struct message *ret, char ret_lane[JOURNAL_LANE_BYTES], char *why,
                     size_t why_bytes)
{
    const size_t topic = line[0] == '{' ? 0 : strcspn(line, " \t");
    ret_lane[0] = '\0';
    if (topic > 0 && !lane_of_topic(line, topic, ret_lane))
        return memchr(line, '/', topic) ? 0 : json_read_refuse(why, why_bytes, "not a message");
    const char *brace = line + topic + strspn(line + topic, " \t");
    const size_t before = (size_t)(brace - line);
    int error;
    struct json_object *object = json_read(brace, length - before, LINE_BYTES, &error, why, why_bytes), *inner = object;
    struct json_object *value, *unwrapped = NULL;
    size_t text_bytes;
    if (!object)
        return error;
    int result = 1;
    if (json_read_member_named(object, "topic", &value)) {
        const char *text = json_read_text(value, &text_bytes);
        result = text && lane_of_topic(text, text_bytes, ret_lane);
        if (result == 1 && !json_read_member_named(object, "payload", &inner))
            result = json_read_refuse(why, why_bytes, "'payload' is missing");
        const char *payload = result == 1 ? json_read_text(inner, &text_bytes) : NULL;
        if (payload) {
            inner = unwrapped = json_read(payload, text_bytes, LINE_BYTES, &error, why, why_bytes);
            result = unwrapped ? 1 : error;
        }
    }
    if (result == 1 && !json_object_is_type(inner, json_type_object))
        result = json_read_refuse(why, why_bytes, "'payload': not an object");
    if (result == 1)
        result = take_message(inner, ret, why, why_bytes);
    json_read_free(unwrapped);
    json_read_free(object);
    return result;
}

/* ---- into the lanes' tables --------------------------------------------------------------------------------------- */

#define INSERT(how, seq)                                                                                                 \
    how " INTO event (seq, event_id, kind, at_us, monotonic_us, clock_trusted, reason, status, credential, person, salt, " \
        "person_commitment, bound_event_id, alarm, detail, prev_hash, hash, sent, direction, scope, form, verb, "         \
        "operator_name) SELECT " seq ", ?2, ?3, ?4, 0, ?5, ?6, ?7, ?8, ?9, zeroblob(16), zeroblob(32), ?10, ?11, ?12, "    \
        "zeroblob(32), zeroblob(32), 1, ?13, 'none', 3, ?14, ?15 WHERE NOT EXISTS (SELECT 1 FROM event WHERE event_id = ?2)"
/* A lane that has lost its journal begins again at 1: those rows get numbers that no journal comes to. */
#define ANOTHER_SEQ "(SELECT max(seq, 1099511627776) + 1 FROM event ORDER BY seq DESC LIMIT 1)"

static int find_source(struct file *file, const char *lane, struct reading_source **ret)
{
    struct reading *reading = file->reading;
    int i = 0;
    while (i < reading->count && strcmp(reading->sources[i].lane, lane) != 0)
        i++;
    *ret = &reading->sources[i];
    if (i < reading->count)
        return i;
    if (i == READING_SOURCES_MAX)
        return -E2BIG;
    **ret = (struct reading_source){ .from_messages = true };
    (void)snprintf((*ret)->lane, sizeof((*ret)->lane), "%s", lane);
    (void)snprintf((*ret)->path, sizeof((*ret)->path), "%s", file->path);
    int error = database_open_scratch(&(*ret)->db);
    reading->count++;
    if (error == 0)
        error = database_error(sqlite3_prepare_v2((*ret)->db, INSERT("INSERT OR IGNORE", "?1"), -1, &file->inserts[i], NULL));
    if (error == 0)
        error = database_error(sqlite3_prepare_v2((*ret)->db, INSERT("INSERT", ANOTHER_SEQ), -1, &file->others[i], NULL));
    return error < 0 ? error : i;
}

static int run_insert(sqlite3_stmt *s, const struct event *event)
{
    int code = sqlite3_bind_int64(s, 1, event->seq);
    code = code == SQLITE_RANGE ? SQLITE_OK : code; /* ANOTHER_SEQ doesn't ask */
    code |= bind_text(s, 2, event->event_id);
    code |= bind_text(s, 3, event_kind_name(event->kind));
    code |= sqlite3_bind_int64(s, 4, event->at_us);
    code |= sqlite3_bind_int(s, 5, event->clock_trusted ? 1 : 0);
    code |= bind_text(s, 6, reason_name(event->reason));
    code |= bind_text(s, 7, declaration_status_name(event->status));
    code |= bind_text(s, 8, credential_kind_name(event->credential));
    code |= bind_text(s, 9, event->person);
    code |= bind_text(s, 10, event->bound_event_id);
    code |= bind_text(s, 11, event->alarm);
    code |= bind_text(s, 12, event->detail);
    code |= bind_text(s, 13, direction_name(event->direction));
    code |= bind_text(s, 14, event->verb);
    code |= bind_text(s, 15, event->operator_name);
    return code == SQLITE_OK ? statement_run(s) : -ENOMEM;
}

static int count_events(sqlite3 *db, const char *event_id, int64_t *ret)
{
    sqlite3_stmt *s = NULL;
    int error = database_error(sqlite3_prepare_v2(db, "SELECT count(*) FROM event WHERE event_id = ?1", -1, &s, NULL));
    if (error == 0)
        error = bind_text(s, 1, event_id) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW ? 0 : -EIO;
    *ret = error == 0 ? sqlite3_column_int64(s, 0) : 0;
    (void)sqlite3_finalize(s); /* repeats the code of step */
    return error;
}

static int keep(struct file *file, const struct message *message, const char *lane)
{
    struct reading_source *source;
    int64_t there = 0;
    const int place = find_source(file, lane, &source);
    if (place < 0)
        return place;
    int error = run_insert(file->inserts[place], &message->event);
    if (error == 0 && sqlite3_changes(source->db) == 0)
        error = count_events(source->db, message->event.event_id, &there);
    else
        there = 1;
    return error < 0 || there > 0 ? error : run_insert(file->others[place], &message->event);
}

/* ---- the whole file ---------------------------------------------------------------------------------------------- */

/* What the lanes' own tables would say: which grants were passages, who is inside, how much of each there was. A lane tells of
 * completed passages when it has a sensor. */
static const char COMPLETE[] =
    "UPDATE event SET ending = 2 WHERE kind IN ('granted', 'override') AND (EXISTS (SELECT 1 FROM event WHERE kind = "
    "'completed') OR event_id IN (SELECT bound_event_id FROM event WHERE kind IN ('not_used', 'interrupted')));"
    "INSERT INTO presence SELECT person, direction = 'in', max(at_us), (SELECT value FROM about WHERE name = 'lane'), event_id, "
    "at_us, direction, NULL, 0, 0 FROM event WHERE (kind = 'completed' OR (kind IN ('granted', 'override') AND ending = 0)) AND "
    "person <> '' AND direction <> 'none' GROUP BY person;";

static int complete(struct reading_source *source)
{
    static const char *const lane = "INSERT INTO about VALUES ('lane', ?1)";
    sqlite3_stmt *s = NULL;
    int error = database_error(sqlite3_prepare_v2(source->db, lane, -1, &s, NULL));
    if (error == 0)
        error = bind_text(s, 1, source->lane) == SQLITE_OK ? statement_run(s) : -ENOMEM;
    (void)sqlite3_finalize(s); /* repeats the code of step */
    if (error == 0)
        error = database_run(source->db, COMPLETE);
    if (error == 0)
        error = database_count_tally(source->db);
    s = NULL;
    if (error == 0)
        error = database_error(sqlite3_prepare_v2(source->db, "SELECT max(seq) - min(seq) + 1 - count(*) FROM event WHERE seq < "
                                                  "1099511627776", -1, &s, NULL));
    if (error == 0 && sqlite3_step(s) == SQLITE_ROW)
        source->missing = sqlite3_column_int64(s, 0);
    (void)sqlite3_finalize(s); /* repeats the code of step */
    return error;
}

static void tell_bad(struct file *file, const char *why)
{
    if (file->reading->bad_lines++ < BAD_LINES_SHOWN)
        (void)fprintf(stderr, "%s:%lld: %s\n", file->path, (long long)file->line, why);
    else if (file->reading->bad_lines == BAD_LINES_SHOWN + 1)
        (void)fprintf(stderr, "%s: more bad lines follow\n", file->path);
}

/* False: the line is longer than the buffer; the rest of it was skipped. */
static bool end_line(FILE *in, char *line, size_t *ret_length)
{
    size_t length = strlen(line);
    const bool whole = length > 0 && line[length - 1] == '\n';
    int c = whole ? '\n' : getc(in);
    const bool fits = whole || c == EOF;
    while (c != '\n' && c != EOF)
        c = getc(in);
    while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r'))
        line[--length] = '\0';
    *ret_length = length;
    return fits;
}

static int read_lines(struct file *file, FILE *in)
{
    char line[LINE_BYTES], lane[JOURNAL_LANE_BYTES], why[192];
    int error = 0;
    while (error == 0 && fgets(line, sizeof(line), in)) {
        struct message message;
        size_t length;
        const bool fits = end_line(in, line, &length);
        file->line++;
        if (length == 0)
            continue;
        const int result = fits ? take_line(line, length, &message, lane, why, sizeof(why))
                                : json_read_refuse(why, sizeof(why), "the line is too long");
        if (result == 1)
            error = keep(file, &message, lane[0] ? lane : "messages");
        else if (result == -EBADMSG)
            tell_bad(file, why);
        else if (result < 0)
            error = result;
        else
            file->elsewhere++;
    }
    return error < 0 ? error : ferror(in) ? -EIO : 0;
}

enum ctl_exit reading_open_messages(struct reading *reading, const char *path)
{
    const bool from_stdin = strcmp(path, "-") == 0;
    struct file file = { .reading = reading, .path = from_stdin ? "stdin" : path };
    FILE *in = from_stdin ? stdin : fopen(path, "re");
    if (!in)
        return ctl_fail(reading->ctl, CTL_FAILED, "--messages %s: can't be read: %s", path, strerror(errno));
    int error = read_lines(&file, in);
    if (!from_stdin)
        (void)fclose(in); /* only read */
    for (int i = 0; i < reading->count; i++) {
        (void)sqlite3_finalize(file.inserts[i]); /* both accept NULL and repeat the code of step */
        (void)sqlite3_finalize(file.others[i]);
    }
    for (int i = 0; i < reading->count && error == 0; i++)
        error = complete(&reading->sources[i]);
    if (error == -E2BIG)
        return ctl_fail(reading->ctl, CTL_FAILED, "--messages %s: of more lanes than %d", path, READING_SOURCES_MAX);
    if (error < 0)
        return ctl_fail(reading->ctl, CTL_FAILED, "--messages %s: can't be read: %s", path, strerror(-error));
    if (reading->count == 0 && (file.line > 0 || reading->bad_lines > 0))
        return ctl_fail(reading->ctl, CTL_FAILED, "--messages %s: not one passage or alarm message in %lld lines", path,
                        (long long)file.line);
    return CTL_OK;
}
