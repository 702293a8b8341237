/* Who is inside: what the lanes' tables of presence say, of each person the newest passage that any lane knows. */
#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/lists/inside.h"
#include "daemon/journal/database.h"

static const char INSIDE[] = "SELECT presence.person, presence.at_us, presence.lane, coalesce(declaration.grp, '') FROM presence "
                             "INDEXED BY presence_inside LEFT JOIN declaration ON declaration.person = presence.person "
                             "WHERE presence.inside = 1";
/* Does another lane know something newer? Of two that say the same the first one tells. */
static const char NEWER[] = "SELECT 1 FROM presence WHERE person = ?1 AND inside IS NOT NULL AND at_us > ?2";
static const char SAME[] = "SELECT 1 FROM presence WHERE person = ?1 AND inside IS NOT NULL AND at_us >= ?2";

struct others {
    sqlite3_stmt *asks[READING_SOURCES_MAX];
};

static int open_others(const struct reading *reading, int except, struct others *ret)
{
    int error = 0;
    *ret = (struct others){ .asks = { NULL } };
    for (int i = 0; i < reading->count && error == 0; i++)
        if (i != except)
            error = database_error(sqlite3_prepare_v2(reading->sources[i].db, i < except ? SAME : NEWER, -1, &ret->asks[i],
                                                      NULL));
    return error;
}

static void close_others(struct others *others)
{
    for (int i = 0; i < READING_SOURCES_MAX; i++)
        (void)sqlite3_finalize(others->asks[i]); /* accepts NULL; repeats the code of step */
}

/* 1: another lane's word counts. */
static int is_outdated(const struct others *others, int count, const struct inside_person *person)
{
    for (int i = 0; i < count; i++) {
        sqlite3_stmt *s = others->asks[i];
        if (!s)
            continue;
        if (bind_text(s, 1, person->person) != SQLITE_OK || sqlite3_bind_int64(s, 2, person->since_us) != SQLITE_OK)
            return -ENOMEM;
        const int code = sqlite3_step(s);
        statement_end(s);
        if (code != SQLITE_DONE)
            return code == SQLITE_ROW ? 1 : database_error(code);
    }
    return 0;
}

static int keep(struct inside *inside, const struct inside_person *person)
{
    if (inside->count == inside->room) {
        const size_t room = inside->room > 0 ? 2 * inside->room : 1024;
        struct inside_person *more = room <= 2 * INSIDE_PERSONS_MAX ? realloc(inside->persons, room * sizeof(*more)) : NULL;
        if (!more)
            return -ENOMEM;
        inside->persons = more;
        inside->room = room;
    }
    inside->persons[inside->count++] = *person;
    return 0;
}

static int read_source(struct inside *inside, int place)
{
    struct reading *reading = &inside->reading;
    struct others others;
    sqlite3_stmt *s = NULL;
    int code = SQLITE_DONE;
    int error = open_others(reading, place, &others);
    if (error == 0)
        error = database_error(sqlite3_prepare_v2(reading->sources[place].db, INSIDE, -1, &s, NULL));
    while (error == 0 && (code = sqlite3_step(s)) == SQLITE_ROW) {
        struct inside_person person = { .since_us = sqlite3_column_int64(s, 1) };
        if (column_text(s, 0, person.person, sizeof(person.person)) < 0 ||
            column_text(s, 2, person.lane, sizeof(person.lane)) < 0 ||
            column_text(s, 3, person.group, sizeof(person.group)) < 0)
            error = -EILSEQ;
        const int outdated = error == 0 ? is_outdated(&others, reading->count, &person) : error;
        error = outdated < 0 ? outdated : 0;
        if (outdated == 0 && person.group[0] == '\0' && reading->count > 1)
            error = reading_group(reading, person.person, person.group);
        if (outdated == 0 && error == 0)
            error = keep(inside, &person);
    }
    if (error == 0)
        error = database_error(code);
    (void)sqlite3_finalize(s); /* accepts NULL; repeats the code of step */
    close_others(&others);
    return error;
}

/* By group, those without one last; then who is named, by name or number; then by the time they came in. */
static int for_the_reader(const void *left, const void *right)
{
    const struct inside_person *a = left, *b = right;
    if ((a->group[0] == '\0') != (b->group[0] == '\0'))
        return a->group[0] == '\0' ? 1 : -1;
    const int groups = strcmp(a->group, b->group);
    if (groups != 0)
        return groups;
    if (!a->entry != !b->entry)
        return a->entry ? -1 : 1;
    const int names = a->entry ? strcmp(a->entry->name, b->entry->name) : 0;
    const int subjects = a->entry ? strcmp(a->entry->subject, b->entry->subject) : 0;
    if (names != 0 || subjects != 0)
        return names != 0 ? names : subjects;
    if (a->since_us != b->since_us)
        return a->since_us < b->since_us ? -1 : 1;
    return strcmp(a->person, b->person);
}

static void finish(struct inside *inside)
{
    for (size_t i = 0; i < inside->count; i++) {
        inside->persons[i].entry = subjects_find(&inside->subjects, inside->persons[i].person);
        inside->named += inside->persons[i].entry != NULL;
    }
    if (inside->count > 0)
        qsort(inside->persons, inside->count, sizeof(*inside->persons), for_the_reader);
    for (size_t i = 0; i < inside->count; i += inside_group_size(inside, i))
        inside->groups += inside->persons[i].group[0] != '\0';
}

enum ctl_exit inside_read(struct ctl *ctl, const char *messages, const char *subjects, struct inside *ret)
{
    *ret = (struct inside){ .ctl = ctl };
    enum ctl_exit result = site_read(ctl, ctl->journals_count > 0 || messages, false, &ret->site);
    if (result == CTL_OK)
        result = reading_open(ctl, messages, &ret->reading);
    for (int i = 0; i < ret->reading.count && result == CTL_OK; i++) {
        const int error = read_source(ret, i);
        if (error < 0)
            result = reading_fail(&ret->reading, &ret->reading.sources[i], error);
    }
    if (result == CTL_OK)
        result = subjects_read(&ret->reading, subjects, &ret->subjects);
    if (result == CTL_OK)
        finish(ret);
    return result;
}

void inside_close(struct inside *inside)
{
    free(inside->persons);
    subjects_free(&inside->subjects);
    reading_close(&inside->reading);
    site_close(&inside->site);
}

size_t inside_group_size(const struct inside *inside, size_t first)
{
    size_t end = first + 1;
    while (end < inside->count && strcmp(inside->persons[end].group, inside->persons[first].group) == 0)
        end++;
    return end - first;
}

const char *inside_group_name(const struct inside *inside, size_t first)
{
    return inside->persons[first].group[0] ? inside->persons[first].group : say(inside->site.lang, "inside.no_group");
}

enum ctl_exit inside_result(const struct inside *inside)
{
    const struct subjects *subjects = &inside->subjects;
    if (subjects->listed && subjects->lines > 0 && inside->count > 0 && inside->named == 0)
        (void)fprintf(stderr, "%s\n", say(inside->site.lang, "inside.other_key"));
    return subjects->bad > 0 || inside->reading.bad_lines > 0 ? CTL_SOME_BAD : CTL_OK;
}
