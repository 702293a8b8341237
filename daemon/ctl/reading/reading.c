/* Opens what is to be read, and finds persons in it. */
#include "daemon/ctl/reading/reading.h"

#include <errno.h>
#include <sqlite3.h>
#include <string.h>

#include "daemon/journal/database.h"
#include "daemon/journal/register.h"
#include "daemon/settings/settings.h"
#include "daemon/settings/site_key.h"

enum { PREFIX_MIN_CHARS = 4 };

/* ---- open and close ---------------------------------------------------------------------------------------------- */

static int read_text(sqlite3 *db, const char *sql, const char *parameter, char *ret, size_t ret_bytes)
{
    sqlite3_stmt *s = NULL;
    ret[0] = '\0';
    int error = database_error(sqlite3_prepare_v2(db, sql, -1, &s, NULL));
    if (error == 0 && parameter && bind_text(s, 1, parameter) != SQLITE_OK)
        error = -ENOMEM;
    if (error == 0) {
        const int code = sqlite3_step(s);
        error = code == SQLITE_ROW ? column_text(s, 0, ret, ret_bytes) : database_error(code);
    }
    (void)sqlite3_finalize(s); /* repeats the code of step */
    return error;
}

/* The newest quarter of an hour first: no walk over the rows. */
static int read_last_us(struct reading_source *source)
{
    static const char sql[] =
        "SELECT max(at_us) FROM event NOT INDEXED WHERE clock_trusted = 1 AND seq >= (SELECT min(first_seq) FROM tally "
        "WHERE clock_trusted = 1 AND quarter = (SELECT max(quarter) FROM tally WHERE clock_trusted = 1)) AND seq <= "
        "(SELECT max(last_seq) FROM tally WHERE clock_trusted = 1 AND quarter = (SELECT max(quarter) FROM tally WHERE "
        "clock_trusted = 1))";
    sqlite3_stmt *s = NULL;
    int code = sqlite3_prepare_v2(source->db, sql, -1, &s, NULL);
    if (code == SQLITE_OK && (code = sqlite3_step(s)) == SQLITE_ROW)
        source->last_us = sqlite3_column_int64(s, 0); /* NULL, when there is none, is 0 */
    (void)sqlite3_finalize(s);                        /* repeats the code of step */
    return database_error(code);
}

/* Journals of before the lane wrote its name have their file's: "/copies/gate-b.db" -> "gate-b". */
static void name_by_file(struct reading_source *source)
{
    const char *slash = strrchr(source->path, '/');
    const char *name = slash ? slash + 1 : source->path;
    const size_t length = strcspn(name, ".");
    (void)snprintf(source->lane, sizeof(source->lane), "%.*s", length < sizeof(source->lane) ? (int)length : 32, name);
}

/* `lane`: what the configuration calls it, or NULL. */
static enum ctl_exit open_journal(struct reading *reading, const char *path, const char *lane)
{
    char why[512] = "";
    struct reading_source *source = &reading->sources[reading->count];
    *source = (struct reading_source){ .db = NULL };
    (void)snprintf(source->path, sizeof(source->path), "%s", path); /* a longer path is refused by the next line */
    if (database_open_reading(path, &source->db, why, sizeof(why)) < 0)
        return ctl_complain(reading->ctl, CTL_FAILED, "words.failed", "why", why, NULL);
    reading->count++;
    int error = read_text(source->db, "SELECT value FROM about WHERE name = 'lane'", NULL, source->lane, sizeof(source->lane));
    if (error == 0)
        source->has_numbers = database_number(source->db, "SELECT EXISTS (SELECT 1 FROM identity)", &error) != 0;
    if (error < 0)
        return reading_fail(reading, source, error);
    if (source->lane[0] == '\0' && lane)
        (void)snprintf(source->lane, sizeof(source->lane), "%s", lane);
    if (source->lane[0] == '\0')
        name_by_file(source);
    for (int i = 0; i < reading->count - 1; i++)
        if (strcmp(reading->sources[i].lane, source->lane) == 0)
            return ctl_complain(reading->ctl, CTL_USAGE, "reading.same_lane", "one", reading->sources[i].path,
                                "other", path, "lane", source->lane, NULL);
    return CTL_OK;
}

static enum ctl_exit open_own(struct reading *reading)
{
    struct settings settings;
    const char *path = reading->ctl->database, *lane = NULL;
    if (!path) {
        if (ctl_load_settings(reading->ctl, &settings) != CTL_OK)
            return CTL_FAILED; /* said */
        path = settings.journal.path;
        lane = settings.lane;
    }
    const enum ctl_exit result = open_journal(reading, path, lane);
    if (result != CTL_OK && reading->count == 0)
        (void)fprintf(stderr, "%s\n", say(reading->ctl->lang, "reading.name_journal"));
    return result;
}

enum ctl_exit reading_open(struct ctl *ctl, const char *messages, struct reading *ret)
{
    enum ctl_exit result = CTL_OK;
    *ret = (struct reading){ .ctl = ctl };
    if (messages && ctl->journals_count > 0)
        return ctl_complain(ctl, CTL_USAGE, "reading.not_together", NULL);
    if (messages)
        result = reading_open_messages(ret, messages);
    else if (ctl->journals_count == 0)
        result = open_own(ret);
    for (int i = 0; i < ctl->journals_count && result == CTL_OK; i++)
        result = open_journal(ret, ctl->journals[i], NULL);
    for (int i = 0; i < ret->count && result == CTL_OK; i++) {
        const int error = read_last_us(&ret->sources[i]);
        if (error < 0)
            result = reading_fail(ret, &ret->sources[i], error);
        else if (ret->sources[i].last_us > ret->last_us)
            ret->last_us = ret->sources[i].last_us;
    }
    return result;
}

void reading_close(struct reading *reading)
{
    for (int i = 0; i < reading->count; i++) {
        (void)sqlite3_finalize(reading->sources[i].resolve); /* all accept NULL and repeat the code of step */
        (void)sqlite3_finalize(reading->sources[i].unmoved);
        (void)sqlite3_finalize(reading->sources[i].group);
        (void)sqlite3_close(reading->sources[i].db); /* no statement is left, and what was begun only read */
    }
    reading->count = 0;
}

enum ctl_exit reading_fail(const struct reading *reading, const struct reading_source *source, int error)
{
    const char *path = source ? source->path : say(reading->ctl->lang, "reading.the_journal");
    if (error == -EILSEQ)
        return ctl_complain(reading->ctl, CTL_FAILED, "reading.foreign_row", "file", path, NULL);
    if (error == -ENOMEM)
        return ctl_complain(reading->ctl, CTL_FAILED, "reading.no_memory", "file", path, NULL);
    if (ferror(stdout))
        return ctl_complain(reading->ctl, CTL_FAILED, "reading.output_failed", NULL);
    if (error == -EBADMSG)
        return ctl_complain(reading->ctl, CTL_FAILED, "reading.damaged", "file", path,
                            "why", source ? sqlite3_errmsg(source->db) : "", NULL);
    return ctl_complain(reading->ctl, CTL_FAILED, "file.unreadable", "file", path,
                        "why", source && source->db ? sqlite3_errmsg(source->db) : strerror(-error), NULL);
}

bool reading_is_behind(const struct reading *reading, const struct reading_source *source)
{
    return reading->last_us - source->last_us > READING_BEHIND_US;
}

/* ---- who --------------------------------------------------------------------------------------------------------- */

/* A statement that is asked again and again: prepared once. One text, "" when there is no row. */
static int ask(sqlite3 *db, sqlite3_stmt **statement, const char *sql, const char *parameter, char *ret, size_t ret_bytes)
{
    int error = *statement ? 0 : database_error(sqlite3_prepare_v2(db, sql, -1, statement, NULL));
    ret[0] = '\0';
    if (error == 0 && bind_text(*statement, 1, parameter) != SQLITE_OK)
        error = -ENOMEM;
    if (error == 0) {
        const int code = sqlite3_step(*statement);
        error = code == SQLITE_ROW ? column_text(*statement, 0, ret, ret_bytes) : database_error(code);
        statement_end(*statement);
    }
    return error;
}

int reading_resolve(struct reading *reading, const char *hash, char ret_person[JOURNAL_ID_BYTES])
{
    char person[JOURNAL_ID_BYTES] = "";
    int error = 0;
    for (int i = 0; i < reading->count && error == 0 && person[0] == '\0'; i++)
        if (reading->sources[i].has_numbers)
            error = ask(reading->sources[i].db, &reading->sources[i].resolve, "SELECT person FROM identity WHERE identity = ?1",
                        hash, person, sizeof(person));
    (void)snprintf(ret_person, JOURNAL_ID_BYTES, "%s", person[0] ? person : hash);
    return error;
}

int reading_of_subject(struct reading *reading, const struct site_keys *keys, const char *subject, char ret_person[JOURNAL_ID_BYTES])
{
    char hash[JOURNAL_ID_BYTES], old[JOURNAL_ID_BYTES], found[JOURNAL_ID_BYTES] = "";
    int error = 0;
    register_person(keys->current, subject, hash);
    if (keys->has_old) /* whose number wasn't shown since the key was changed is still known by the old one */
        register_person(keys->old, subject, old);
    for (int i = 0; i < reading->count && keys->has_old && error == 0 && found[0] == '\0'; i++)
        error = ask(reading->sources[i].db, &reading->sources[i].unmoved, "SELECT hash FROM old_hash WHERE hash = ?1 AND moved = 0",
                    old, found, sizeof(found));
    return error < 0 ? error : reading_resolve(reading, found[0] ? found : hash, ret_person);
}

int reading_group(struct reading *reading, const char *person, char ret_group[CREDENTIAL_GROUP_BYTES])
{
    int error = 0;
    ret_group[0] = '\0';
    for (int i = 0; i < reading->count && error == 0 && ret_group[0] == '\0'; i++)
        error = ask(reading->sources[i].db, &reading->sources[i].group, "SELECT grp FROM declaration WHERE person = ?1", person,
                    ret_group, CREDENTIAL_GROUP_BYTES);
    return error;
}

static bool has_hash(const struct reading_person *person, const char *hash)
{
    int i = 0;
    while (i < person->count && strcmp(person->hashes[i], hash) != 0)
        i++;
    return i < person->count;
}

static int add_hash(struct reading_person *person, const char *hash)
{
    if (has_hash(person, hash))
        return 0;
    if (person->count == READING_HASHES_MAX)
        return -E2BIG;
    (void)snprintf(person->hashes[person->count++], JOURNAL_ID_BYTES, "%s", hash);
    return 0;
}

/* Whoever is known by a hash between the two, which are the same or a prefix and its end; as the persons they lead to. */
static int find_between(struct reading *reading, const struct reading_source *source, const char *from, const char *to,
                        struct reading_person *ret)
{
    static const char *const sql[] = {
        "SELECT DISTINCT person FROM event INDEXED BY event_person WHERE person <> '' AND person >= ?1 AND person < ?2 LIMIT 17",
        "SELECT person FROM presence WHERE person >= ?1 AND person < ?2 LIMIT 17",
        "SELECT person FROM declaration WHERE person >= ?1 AND person < ?2 LIMIT 17",
        "SELECT identity FROM identity WHERE identity >= ?1 AND identity < ?2 LIMIT 17",
    };
    int error = 0;
    for (size_t i = 0; i < sizeof(sql) / sizeof(sql[0]) && error == 0; i++) {
        char hash[JOURNAL_ID_BYTES], person[JOURNAL_ID_BYTES];
        sqlite3_stmt *s = NULL;
        int code = SQLITE_DONE;
        error = database_error(sqlite3_prepare_v2(source->db, sql[i], -1, &s, NULL));
        if (error == 0 && (bind_text(s, 1, from) != SQLITE_OK || bind_text(s, 2, to) != SQLITE_OK))
            error = -ENOMEM;
        while (error == 0 && (code = sqlite3_step(s)) == SQLITE_ROW) {
            error = column_text(s, 0, hash, sizeof(hash));
            if (error == 0)
                error = reading_resolve(reading, hash, person);
            if (error == 0)
                error = add_hash(ret, person);
        }
        if (error == 0)
            error = database_error(code);
        (void)sqlite3_finalize(s); /* repeats the code of step */
    }
    return error;
}

/* The other hashes of ret->hashes[0]. */
static int find_others(const struct reading *reading, struct reading_person *ret)
{
    int error = 0;
    for (int i = 0; i < reading->count && error == 0; i++) {
        char hash[JOURNAL_ID_BYTES];
        sqlite3_stmt *s = NULL;
        int code = SQLITE_DONE;
        error = database_error(sqlite3_prepare_v2(reading->sources[i].db, "SELECT identity FROM identity WHERE person = ?1", -1,
                                                  &s, NULL));
        if (error == 0 && bind_text(s, 1, ret->hashes[0]) != SQLITE_OK)
            error = -ENOMEM;
        while (error == 0 && (code = sqlite3_step(s)) == SQLITE_ROW) {
            error = column_text(s, 0, hash, sizeof(hash));
            if (error == 0)
                error = add_hash(ret, hash);
        }
        if (error == 0)
            error = database_error(code);
        (void)sqlite3_finalize(s); /* repeats the code of step */
    }
    return error;
}

enum ctl_exit reading_find_person(struct reading *reading, const char *text, struct reading_person *ret)
{
    char from[JOURNAL_ID_BYTES] = "", to[JOURNAL_ID_BYTES + 1], buffer[80];
    const size_t length = strlen(text);
    struct ctl *ctl = reading->ctl;
    *ret = (struct reading_person){ .count = 0 };
    if (parse_subject(text)) {
        struct site_keys keys;
        if (ctl_load_site_keys(ctl, &keys) != CTL_OK)
            return CTL_FAILED; /* said */
        const int error = reading_of_subject(reading, &keys, text, from);
        explicit_bzero(&keys, sizeof(keys));
        if (error < 0)
            return reading_fail(reading, &reading->sources[0], error);
    } else if (length >= PREFIX_MIN_CHARS && length < sizeof(from) && strspn(text, "0123456789abcdef") == length) {
        (void)strcpy(from, text);
    } else {
        return ctl_complain(ctl, CTL_USAGE, "reading.person", "value", printable(text, buffer, sizeof(buffer)),
                            "allowed", say(ctl->lang, "allowed.person"), NULL);
    }
    (void)snprintf(to, sizeof(to), "%sg", from); /* after every hash that begins so, before any other */
    int error = 0;
    for (int i = 0; i < reading->count && error == 0; i++) {
        error = find_between(reading, &reading->sources[i], from, to, ret);
        if (error < 0 && error != -E2BIG)
            return reading_fail(reading, &reading->sources[i], error);
    }
    if (ret->count > 1)
        return ctl_complain(ctl, CTL_USAGE, error == -E2BIG ? "reading.more_persons" : "reading.many_persons", "value", text,
                            "count", LANG_N(ret->count), NULL);
    if (ret->count == 0)
        return ctl_complain(ctl, CTL_FAILED, "reading.nobody", "value", printable(text, buffer, sizeof(buffer)),
                            "hint", from == text || parse_subject(text) ? say(ctl->lang, "reading.right_number")
                                                            : say(ctl->lang,
                            "reading.right_journal"), NULL);
    error = find_others(reading, ret);
    return error < 0 ? reading_fail(reading, &reading->sources[0], error) : CTL_OK;
}
