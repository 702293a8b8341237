/* Rows of several journals as one stream: a cursor over each, the earliest head next. */
#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/reading/reading.h"
#include "daemon/journal/database.h"
#include "daemon/journal/event.h"

#define BOUNDS "at_us >= ?3 AND at_us < ?4 AND (?5 IS NULL OR kind = ?5) AND (?6 IS NULL OR reason = ?6)"

enum order { FORWARD, BACKWARD, ORDER_COUNT };
static const char *const BY_SEQ[ORDER_COUNT] = {
    "SELECT " STORE_EVENT_COLUMNS " FROM event NOT INDEXED WHERE seq BETWEEN ?1 AND ?2 AND " BOUNDS " ORDER BY seq",
    "SELECT " STORE_EVENT_COLUMNS " FROM event NOT INDEXED WHERE seq BETWEEN ?1 AND ?2 AND " BOUNDS " ORDER BY seq DESC",
};
static const char *const BY_PERSON[ORDER_COUNT] = {
    "SELECT " STORE_EVENT_COLUMNS " FROM event INDEXED BY event_person WHERE person = ?1 AND person <> '' AND ?2 IS NULL "
    "AND " BOUNDS " ORDER BY seq",
    "SELECT " STORE_EVENT_COLUMNS " FROM event INDEXED BY event_person WHERE person = ?1 AND person <> '' AND ?2 IS NULL "
    "AND " BOUNDS " ORDER BY seq DESC",
};

/* One source; with a person one source and one of the person's hashes. */
struct cursor {
    const struct reading_source *source;
    sqlite3_stmt *statement;
    struct reading_range *ranges; /* NULL: by a person */
    int ranges_count, range;      /* the next one to begin, in the order's direction */
    struct stored_event row;      /* the head, when has_row */
    bool has_row;
};

struct stream {
    struct cursor *cursors;
    int count;
    enum order order;
};

static int bind_bounds(sqlite3_stmt *s, const struct reading_filter *filter)
{
    int code = sqlite3_bind_int64(s, 3, filter->from_us == 0 ? INT64_MIN : filter->from_us);
    code |= sqlite3_bind_int64(s, 4, filter->until_us == 0 ? INT64_MAX : filter->until_us);
    code |= filter->kind ? bind_text(s, 5, filter->kind) : sqlite3_bind_null(s, 5);
    code |= filter->reason ? bind_text(s, 6, filter->reason) : sqlite3_bind_null(s, 6);
    return code == SQLITE_OK ? 0 : -ENOMEM;
}

/* 1: the next range is begun; 0: there is none. */
static int begin_range(struct cursor *cursor, enum order order)
{
    if (!cursor->ranges || cursor->range == cursor->ranges_count)
        return 0;
    const int place = order == FORWARD ? cursor->range : cursor->ranges_count - 1 - cursor->range;
    const struct reading_range *range = &cursor->ranges[place];
    cursor->range++;
    (void)sqlite3_reset(cursor->statement); /* the step before said SQLITE_DONE, or there was none */
    return sqlite3_bind_int64(cursor->statement, 1, range->first_seq) == SQLITE_OK &&
                   sqlite3_bind_int64(cursor->statement, 2, range->last_seq) == SQLITE_OK
               ? 1
               : -ENOMEM;
}

static int next_row(struct cursor *cursor, enum order order)
{
    int code = sqlite3_step(cursor->statement);
    cursor->has_row = false;
    while (code == SQLITE_DONE) {
        const int begun = begin_range(cursor, order);
        if (begun <= 0)
            return begun;
        code = sqlite3_step(cursor->statement);
    }
    if (code != SQLITE_ROW)
        return database_error(code);
    cursor->has_row = true;
    return store_read_row(cursor->statement, &cursor->row);
}

static int open_cursor(struct cursor *cursor, const struct reading_filter *filter, const char *hash, enum order order)
{
    int error = database_error(sqlite3_prepare_v2(cursor->source->db, hash ? BY_PERSON[order] : BY_SEQ[order], -1,
                                                  &cursor->statement, NULL));
    if (error == 0)
        error = bind_bounds(cursor->statement, filter);
    if (error == 0 && hash)
        error = bind_text(cursor->statement, 1, hash) == SQLITE_OK ? 0 : -ENOMEM;
    if (error == 0 && !hash)
        error = reading_ranges(cursor->source, filter, false, &cursor->ranges, &cursor->ranges_count);
    if (error == 0 && !hash) {
        const int begun = begin_range(cursor, order);
        if (begun <= 0)
            return begun;
    }
    return error < 0 ? error : next_row(cursor, order);
}

static void close_stream(struct stream *stream)
{
    for (int i = 0; i < stream->count; i++) {
        (void)sqlite3_finalize(stream->cursors[i].statement); /* accepts NULL; repeats the code of step */
        free(stream->cursors[i].ranges);
    }
    free(stream->cursors);
}

static int open_stream(const struct reading *reading, const struct reading_filter *filter, enum order order,
                       struct stream *ret, const struct reading_source **ret_source)
{
    const int hashes = filter->person ? filter->person->count : 1;
    int error = 0;
    *ret = (struct stream){ .order = order };
    ret->cursors = calloc((size_t)reading->count * (size_t)hashes, sizeof(*ret->cursors));
    if (!ret->cursors)
        return -ENOMEM;
    for (int i = 0; i < reading->count && error == 0; i++) {
        if (filter->lane && strcmp(filter->lane, reading->sources[i].lane) != 0)
            continue;
        for (int k = 0; k < hashes && error == 0; k++) {
            struct cursor *cursor = &ret->cursors[ret->count++];
            cursor->source = *ret_source = &reading->sources[i];
            error = open_cursor(cursor, filter, filter->person ? filter->person->hashes[k] : NULL, order);
        }
    }
    return error;
}

static bool comes_first(const struct cursor *a, const struct cursor *b, enum order order)
{
    const struct event *left = &a->row.event, *right = &b->row.event;
    const bool same_lane = a->source == b->source;
    const int64_t x = same_lane ? left->seq : left->at_us, y = same_lane ? right->seq : right->at_us;
    return order == FORWARD ? x < y : x > y;
}

static struct cursor *head_of(struct stream *stream)
{
    struct cursor *head = NULL;
    for (int i = 0; i < stream->count; i++)
        if (stream->cursors[i].has_row && (!head || comes_first(&stream->cursors[i], head, stream->order)))
            head = &stream->cursors[i];
    return head;
}

/* The newest were read backwards; what is kept is told forwards. */
struct kept {
    const struct reading_source *source;
    struct stored_event row;
};

static int tell_backwards(const struct kept *kept, int64_t count, reading_each *each, void *userdata)
{
    int result = 0;
    while (count > 0 && result == 0) {
        count--;
        result = each(kept[count].source, &kept[count].row, userdata);
    }
    return result;
}

static int keep(struct kept **kept, int64_t *count, int64_t *room, const struct cursor *head)
{
    if (*count == *room) {
        const int64_t more = *room > 0 ? 2 * *room : 128;
        struct kept *grown = realloc(*kept, (size_t)more * sizeof(*grown));
        if (!grown)
            return -ENOMEM;
        *kept = grown;
        *room = more;
    }
    (*kept)[(*count)++] = (struct kept){ head->source, head->row };
    return 0;
}

int reading_events(const struct reading *reading, const struct reading_filter *filter, int64_t newest,
                   const struct reading_source **ret_source, reading_each *each, void *userdata)
{
    struct stream stream;
    struct kept *kept = NULL;
    int64_t count = 0, room = 0;
    int result = open_stream(reading, filter, newest > 0 ? BACKWARD : FORWARD, &stream, ret_source);
    while (result == 0) {
        struct cursor *head = newest > 0 && count == newest ? NULL : head_of(&stream);
        if (!head)
            break;
        *ret_source = head->source;
        result = newest > 0 ? keep(&kept, &count, &room, head) : each(head->source, &head->row, userdata);
        if (result == 0)
            result = next_row(head, stream.order);
    }
    if (result == 0 && newest > 0)
        result = tell_backwards(kept, count, each, userdata);
    free(kept);
    close_stream(&stream);
    return result;
}

/* ---- passages ---------------------------------------------------------------------------------------------------- */

/* The cheap test first: kind stands near a row's beginning, ending at its end. */
static const char PASSAGES[] =
    "SELECT at_us, seq, direction, person FROM event NOT INDEXED WHERE seq BETWEEN ?1 AND ?2 AND at_us >= ?3 AND at_us < ?4 "
    "AND (kind = 'completed' OR (kind IN ('granted', 'override') AND ending = 0)) AND person <> '' ORDER BY seq";

static int passages_of(const struct reading_source *source, const struct reading_range *range, sqlite3_stmt *s,
                       reading_each_passage *each, void *userdata)
{
    struct reading_passage passage;
    int result = sqlite3_bind_int64(s, 1, range->first_seq) == SQLITE_OK &&
                         sqlite3_bind_int64(s, 2, range->last_seq) == SQLITE_OK
                     ? 0
                     : -ENOMEM;
    while (result == 0) {
        const int code = sqlite3_step(s);
        if (code != SQLITE_ROW) {
            result = database_error(code);
            break;
        }
        passage.at_us = sqlite3_column_int64(s, 0);
        passage.seq = sqlite3_column_int64(s, 1);
        if (!direction_from_name(column_name(s, 2), &passage.direction) ||
            column_text(s, 3, passage.person, sizeof(passage.person)) < 0)
            result = -EILSEQ;
        else
            result = each(source, &passage, userdata);
    }
    (void)sqlite3_reset(s); /* repeats the code of step */
    return result;
}

int reading_passages(const struct reading *reading, int64_t from_us, int64_t until_us,
                     const struct reading_source **ret_source, reading_each_passage *each, void *userdata)
{
    const struct reading_filter filter = { .from_us = from_us, .until_us = until_us };
    int result = 0;
    for (int i = 0; i < reading->count && result == 0; i++) {
        const struct reading_source *source = *ret_source = &reading->sources[i];
        struct reading_range *ranges;
        sqlite3_stmt *s = NULL;
        int count;
        result = reading_ranges(source, &filter, true, &ranges, &count);
        if (result == 0)
            result = database_error(sqlite3_prepare_v2(source->db, PASSAGES, -1, &s, NULL));
        if (result == 0 && (sqlite3_bind_int64(s, 3, from_us) != SQLITE_OK ||
                            sqlite3_bind_int64(s, 4, until_us) != SQLITE_OK))
            result = -ENOMEM;
        for (int k = 0; k < count && result == 0; k++)
            result = passages_of(source, &ranges[k], s, each, userdata);
        (void)sqlite3_finalize(s); /* accepts NULL; repeats the code of step */
        free(ranges);
    }
    return result;
}
