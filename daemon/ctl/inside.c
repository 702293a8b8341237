/* qrgatectl inside: who is inside, as a list for paper: for the assembly point, when the broker or the office's screen is
 * gone. Read-only in effect, one moment of the database, beside a daemon that works. */
#include <errno.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/ctl/ctl.h"
#include "daemon/journal/database.h"
#include "daemon/journal/presence.h"
#include "daemon/journal/register.h"
#include "daemon/mqtt/json_write.h"
#include "daemon/mqtt/messages.h"
#include "daemon/settings/settings.h"
#include "daemon/settings/site_key.h"

enum { NAME_BYTES = 96, LINE_BYTES = 512, BAD_LINES_SHOWN = 20, JSON_BYTES = 2048, INSIDE_MAX = 1000000 };

enum { JSON, SUBJECTS };
static const struct ctl_option OPTIONS[] = {
    [JSON] = { "json", NULL, false, "one JSON object a person, on a line of its own" },
    [SUBJECTS] = { "subjects", "FILE", false, "a list of numbers (and names) to print beside those who are inside" },
    { NULL, NULL, false, NULL },
};

struct person {
    struct muster_row row;
    char subject[CREDENTIAL_SUBJECT_BYTES], name[NAME_BYTES]; /* of the list; "" = not on it */
};

struct inside {
    struct ctl *ctl;
    sqlite3 *db;
    struct presence_table presence;
    struct register_writer numbers; /* which number is whose */
    struct person *persons;         /* in the order of the hash, until they are sorted for the reader */
    size_t count, room;
    int64_t subjects, bad;
    char site[33], lane[33];
};

static enum ctl_exit fail_read(const struct inside *inside, int error)
{
    return ctl_fail(inside->ctl, CTL_FAILED, "who is inside can't be read: %s",
                    error == -EILSEQ   ? "a row holds a value that qrgate never wrote"
                    : error == -ENOMEM ? "no memory"
                    : error == -E2BIG  ? "more people than this tool lists"
                                       : sqlite3_errmsg(inside->db));
}

/* ---- from the database ------------------------------------------------------------------------------------------- */

static int keep_page(struct inside *inside, const struct muster_page *page)
{
    if (inside->count + JOURNAL_MUSTER_MAX > inside->room) {
        const size_t room = inside->room > 0 ? 2 * inside->room : 1024;
        struct person *more = room <= INSIDE_MAX ? realloc(inside->persons, room * sizeof(*more)) : NULL;
        if (!more)
            return room <= INSIDE_MAX ? -ENOMEM : -E2BIG;
        inside->persons = more;
        inside->room = room;
    }
    for (int i = 0; i < page->count; i++)
        inside->persons[inside->count++] = (struct person){ .row = page->rows[i] };
    return 0;
}

static int read_persons(struct inside *inside)
{
    struct muster_page page = { .count = JOURNAL_MUSTER_MAX };
    char after[JOURNAL_ID_BYTES] = "";
    int error = presence_open(inside->db, &inside->presence);
    while (error == 0 && page.count == JOURNAL_MUSTER_MAX) {
        error = presence_muster(&inside->presence, after, &page);
        if (error == 0)
            error = keep_page(inside, &page);
        if (error == 0 && page.count > 0)
            memcpy(after, page.rows[page.count - 1].person, sizeof(after));
    }
    return error;
}

/* ---- from the office's list -------------------------------------------------------------------------------------- */

static int by_hash(const void *left, const void *right)
{
    const struct person *a = left, *b = right;
    return strcmp(a->row.person, b->row.person);
}

/* "cccd:022199012345", or with a name behind a comma, semicolon or tab; empty lines and those with '#' are skipped. */
static int take_line(struct inside *inside, char *line)
{
    char subject[CREDENTIAL_SUBJECT_BYTES];
    struct person key = { .subject = "" };
    line += strspn(line, " \t");
    if (line[0] == '\0' || line[0] == '#')
        return 0;
    const size_t field = strcspn(line, ",;\t");
    size_t length = field;
    while (length > 0 && line[length - 1] == ' ')
        length--;
    if (!subject_read(line, length, subject))
        return -EINVAL;
    const char *name = line + field + (line[field] != '\0');
    inside->subjects++;
    const int error = register_of_subject(&inside->numbers, subject, key.row.person);
    if (error < 0)
        return -EIO;
    struct person *found = inside->count > 0
                               ? bsearch(&key, inside->persons, inside->count, sizeof(*found), by_hash) : NULL;
    if (found && found->subject[0] == '\0') { /* another of their numbers is the same person */
        memcpy(found->subject, subject, sizeof(found->subject));
        (void)printable(name + strspn(name, " \t"), found->name, sizeof(found->name));
    }
    return 0;
}

static void tell_bad(struct inside *inside, const char *file, int64_t number, const char *line, bool too_long)
{
    char buffer[64];
    if (inside->bad++ < BAD_LINES_SHOWN)
        (void)fprintf(stderr, "%s:%lld: '%s': %s\n", file, (long long)number, printable(line, buffer, sizeof(buffer)),
                      too_long ? "the line is too long" : ALLOWED_SUBJECT);
    else if (inside->bad == BAD_LINES_SHOWN + 1)
        (void)fprintf(stderr, "%s: more bad lines follow\n", file);
}

/* False: the line is longer than the buffer; the rest of it was skipped. */
static bool end_line(FILE *file, char *line)
{
    char *end = line + strlen(line);
    const bool whole = end > line && end[-1] == '\n';
    int c = whole ? '\n' : getc(file);
    const bool fits = whole || c == EOF;
    while (c != '\n' && c != EOF)
        c = getc(file);
    while (end > line && (end[-1] == '\n' || end[-1] == '\r'))
        *--end = '\0';
    return fits;
}

static enum ctl_exit match_list(struct inside *inside)
{
    const char *path = inside->ctl->values[SUBJECTS];
    const bool from_stdin = strcmp(path, "-") == 0;
    FILE *file = from_stdin ? stdin : fopen(path, "re");
    char line[LINE_BYTES];
    enum ctl_exit result = CTL_OK;
    if (!file)
        return ctl_fail(inside->ctl, CTL_FAILED, "--subjects %s: can't be read: %s", path, strerror(errno));
    for (int64_t number = 1; result == CTL_OK && fgets(line, sizeof(line), file); number++) {
        const bool mark = number == 1 && strncmp(line, "\xef\xbb\xbf", 3) == 0; /* spreadsheets write it */
        const bool fits = end_line(file, line);
        const int error = fits ? take_line(inside, line + (mark ? 3 : 0)) : -EINVAL;
        if (error == -EINVAL)
            tell_bad(inside, from_stdin ? "stdin" : path, number, line, !fits);
        else if (error < 0)
            result = fail_read(inside, error);
    }
    if (result == CTL_OK && ferror(file))
        result = ctl_fail(inside->ctl, CTL_FAILED, "--subjects %s: can't be read: %s", path, strerror(errno));
    if (!from_stdin)
        (void)fclose(file); /* only read */
    sodium_memzero(line, sizeof(line));
    return result;
}

/* ---- to the reader ----------------------------------------------------------------------------------------------- */

/* Who is named first, by name or number; then by the time they came in. */
static int for_the_reader(const void *left, const void *right)
{
    const struct person *a = left, *b = right;
    if ((a->subject[0] == '\0') != (b->subject[0] == '\0'))
        return a->subject[0] == '\0' ? 1 : -1;
    const int names = strcmp(a->name, b->name), subjects = strcmp(a->subject, b->subject);
    if (names != 0 || subjects != 0)
        return names != 0 ? names : subjects;
    if (a->row.since_us != b->row.since_us)
        return a->row.since_us < b->row.since_us ? -1 : 1;
    return by_hash(a, b);
}

/* "2026-01-31 08:30:00 +0700" */
static const char *local_time(int64_t at_s, char buffer[48])
{
    struct tm parts;
    const time_t at = (time_t)at_s;
    if (!localtime_r(&at, &parts) || strftime(buffer, 48, "%Y-%m-%d %H:%M:%S %z", &parts) == 0)
        (void)snprintf(buffer, 48, "%lld", (long long)at_s); /* a year with five digits */
    return buffer;
}

static int print_json(const struct person *person)
{
    char text[JSON_BYTES], since[MESSAGE_TIME_BYTES];
    struct json json;
    message_time(person->row.since_us, since);
    json_begin(&json, text, sizeof(text));
    json_text(&json, "person", person->row.person, sizeof(person->row.person));
    json_text(&json, "since", since, sizeof(since));
    json_integer(&json, "since_us", person->row.since_us);
    json_text(&json, "lane", person->row.lane, sizeof(person->row.lane));
    if (person->subject[0] != '\0')
        json_text(&json, "subject", person->subject, sizeof(person->subject));
    if (person->name[0] != '\0')
        json_text(&json, "name", person->name, sizeof(person->name));
    const int length = json_end(&json);
    if (length < 0)
        return length;
    (void)printf("%s\n", text);
    return 0;
}

static void print_plain(const struct inside *inside, size_t place)
{
    const struct person *person = &inside->persons[place];
    char when[48], lane[JOURNAL_LANE_BYTES + 4];
    const int64_t us = person->row.since_us;
    const bool listed = inside->ctl->values[SUBJECTS] != NULL;
    (void)printf("[ ] %5zu  %.19s  %-12s  %s", place + 1,
                 local_time(us >= 0 ? us / 1000000 : (us - 999999) / 1000000, when),
                 printable(person->row.lane, lane, sizeof(lane)), person->row.person);
    if (listed)
        (void)printf("  %s%s%s", person->subject[0] ? person->subject : "not on the list", person->name[0] ? "  " : "",
                     person->name);
    (void)printf("\n");
}

static void print_head(const struct inside *inside)
{
    char when[48];
    if (inside->site[0] != '\0')
        (void)printf("Who is inside: site %s, by what lane %s knows\n", inside->site, inside->lane);
    else
        (void)printf("Who is inside, by what %s knows\n", inside->ctl->database);
    (void)printf("%s: %zu inside\n\n", local_time(inside->ctl->now_s, when), inside->count);
    (void)printf("       NO  SINCE                LANE          PERSON%s\n",
                 inside->ctl->values[SUBJECTS] ? "                            SUBJECT" : "");
}

static void print_foot(const struct inside *inside)
{
    size_t named = 0;
    while (named < inside->count && inside->persons[named].subject[0] != '\0')
        named++;
    (void)printf("\nTotal: %zu inside", inside->count);
    if (inside->ctl->values[SUBJECTS])
        (void)printf("; %zu of them on the list of %lld numbers, %zu not", named, (long long)inside->subjects,
                     inside->count - named);
    (void)printf(".\n");
    if (inside->ctl->values[SUBJECTS] && inside->subjects > 0 && inside->count > 0 && named == 0)
        (void)fprintf(stderr, "nobody on the list is inside: is this the site key that the gate uses?\n");
}

static enum ctl_exit print_list(struct inside *inside)
{
    int error = 0;
    if (inside->count > 0)
        qsort(inside->persons, inside->count, sizeof(*inside->persons), for_the_reader);
    if (!inside->ctl->values[JSON])
        print_head(inside);
    for (size_t i = 0; i < inside->count && error == 0; i++) {
        if (inside->ctl->values[JSON])
            error = print_json(&inside->persons[i]);
        else
            print_plain(inside, i);
    }
    if (error == 0 && !inside->ctl->values[JSON])
        print_foot(inside);
    return error < 0 ? fail_read(inside, -EILSEQ) : inside->bad > 0 ? CTL_SOME_BAD : CTL_OK;
}

/* With --database alone the configuration isn't asked, and the site has no name. */
static enum ctl_exit read_names(struct inside *inside)
{
    struct settings settings;
    const char *config = inside->ctl->config ? inside->ctl->config : CTL_DEFAULT_CONFIG;
    if (inside->ctl->database)
        return CTL_OK;
    if (settings_load(config, &settings, stderr) != 0)
        return CTL_FAILED; /* said */
    memcpy(inside->site, settings.site, sizeof(inside->site));
    memcpy(inside->lane, settings.lane, sizeof(inside->lane));
    return CTL_OK;
}

static enum ctl_exit read_all(struct inside *inside)
{
    struct site_keys keys = { .has_old = false };
    const bool listed = inside->ctl->values[SUBJECTS] != NULL;
    enum ctl_exit result = listed ? ctl_load_site_keys(inside->ctl, &keys) : CTL_OK;
    int error = 0;
    if (result == CTL_OK && listed)
        error = register_writer_open(inside->db, keys.current, &inside->numbers);
    if (error == 0 && keys.has_old)
        register_writer_old_key(&inside->numbers, keys.old);
    sodium_memzero(&keys, sizeof(keys));
    if (result != CTL_OK)
        return result;
    /* One moment: nobody walks through the list while it is read. The daemon isn't held up by a reader. */
    if (error == 0)
        error = database_run(inside->db, "BEGIN");
    if (error == 0)
        error = read_persons(inside);
    if (error < 0)
        return fail_read(inside, error);
    return listed ? match_list(inside) : CTL_OK;
}

static enum ctl_exit run(struct ctl *ctl)
{
    struct inside inside = { .ctl = ctl };
    enum ctl_exit result = ctl_open_database(ctl, true, &inside.db);
    if (result == CTL_OK)
        result = read_names(&inside);
    if (result == CTL_OK)
        result = read_all(&inside);
    if (result == CTL_OK)
        result = print_list(&inside);
    presence_close(&inside.presence);
    register_writer_close(&inside.numbers);
    (void)sqlite3_close(inside.db); /* accepts NULL; no statement is left, and what was begun only read */
    if (inside.persons)
        sodium_memzero(inside.persons, inside.room * sizeof(*inside.persons));
    free(inside.persons);
    sodium_memzero(&inside.numbers, sizeof(inside.numbers));
    return result;
}

const struct ctl_command CTL_INSIDE = {
    .name = "inside",
    .summary = "List who is inside, ready for paper",
    .details = "Columns: a box to tick, number, since when (local time), lane, the person's hash.\n"
               "Names aren't stored. To see who it is, give the office's list of employees:\n"
               "  qrgatectl inside --subjects staff.txt\n"
               "It is a text file with one number a line (cccd:022199012345, bhyt:, badge:, …), and behind a comma, if you\n"
               "like, the name; - is standard input. Numbers are hashed with the site key, and what is known is printed in\n"
               "the column SUBJECT, by name. The list is read and not kept.\n"
               "Inside is who came in by a lane of direction \"in\" and didn't leave by one of direction \"out\"; other lanes'\n"
               "passages count as far as this lane heard them by the broker. Who left by another door is still listed.\n"
               "For a drill, and for the day: qrgatectl inside --subjects staff.txt | lp\n",
    .options = OPTIONS,
    .run = run,
};
