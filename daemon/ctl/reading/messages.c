/* A file of messages that a subscriber wrote down -> for each lane in it a journal that lives as long as the reading. A
 * stranger's file: lengths first, bad lines are told and left out; an event that comes twice counts once. */
#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/reading/message_line.h"
#include "daemon/ctl/reading/reading.h"
#include "daemon/journal/database.h"
#include "daemon/journal/event.h"

enum { BAD_LINES_SHOWN = 20 };

struct file {
    struct reading *reading;
    const char *path;
    sqlite3_stmt *inserts[READING_SOURCES_MAX], *others[READING_SOURCES_MAX];
    int64_t line, elsewhere; /* elsewhere: messages of other topics */
};

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

static int keep(struct file *file, const struct event *event, const char *lane)
{
    struct reading_source *source;
    int64_t there = 0;
    const int place = find_source(file, lane, &source);
    if (place < 0)
        return place;
    int error = run_insert(file->inserts[place], event);
    if (error == 0 && sqlite3_changes(source->db) == 0)
        error = count_events(source->db, event->event_id, &there);
    else
        there = 1;
    return error < 0 || there > 0 ? error : run_insert(file->others[place], event);
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
    const struct lang *lang = file->reading->ctl->lang;
    char told[LANG_TOLD_BYTES];
    if (file->reading->bad_lines++ < BAD_LINES_SHOWN)
        (void)fprintf(stderr, "%s:%lld: %s\n", file->path, (long long)file->line, lang_told(lang, told, sizeof(told), why));
    else if (file->reading->bad_lines == BAD_LINES_SHOWN + 1)
        lang_print(stderr, lang, "reading.more_bad", "file", file->path, NULL);
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

static int refuse_long(char *why, size_t why_bytes)
{
    (void)snprintf(why, why_bytes, "the line is too long");
    return -EBADMSG;
}

static int read_lines(struct file *file, FILE *in)
{
    char line[MESSAGE_LINE_BYTES], lane[JOURNAL_LANE_BYTES], why[192];
    int error = 0;
    while (error == 0 && fgets(line, sizeof(line), in)) {
        struct event event;
        size_t length;
        const bool fits = end_line(in, line, &length);
        file->line++;
        if (length == 0)
            continue;
        const int result = fits ? message_line_read(line, length, &event, lane, why, sizeof(why))
                                : refuse_long(why, sizeof(why));
        if (result == 1)
            error = keep(file, &event, lane[0] ? lane : "messages");
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
        return ctl_complain(reading->ctl, CTL_FAILED, "reading.messages_unreadable", "file", path,
                            "why", strerror(errno), NULL);
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
        return ctl_complain(reading->ctl, CTL_FAILED, "reading.too_many_lanes", "file", path,
                            "most", LANG_N(READING_SOURCES_MAX), NULL);
    if (error < 0)
        return ctl_complain(reading->ctl, CTL_FAILED, "reading.messages_unreadable", "file", path,
                            "why", strerror(-error), NULL);
    if (reading->count == 0 && (file.line > 0 || reading->bad_lines > 0))
        return ctl_complain(reading->ctl, CTL_FAILED, "reading.no_messages", "file", path,
                            "lines", LANG_N(file.line), NULL);
    return CTL_OK;
}
