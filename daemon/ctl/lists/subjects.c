/* The office's list: "cccd:022199012345", or with a name behind a comma, semicolon or tab; empty lines and those with '#' are
 * skipped. Numbers are hashed with the site key and held against the registers that are read. */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/lists/lists.h"
#include "daemon/ctl/privacy/people_list.h"
#include "daemon/settings/site_key.h"

enum { LINE_BYTES = 512, BAD_LINES_SHOWN = 20, ENTRIES_MAX = 4000000 };

struct list {
    struct reading *reading;
    struct subjects *subjects;
    struct site_keys keys;
};

static int by_person(const void *left, const void *right)
{
    const struct subjects_entry *a = left, *b = right;
    return strcmp(a->person, b->person);
}

static int add(struct subjects *subjects, const struct subjects_entry *entry)
{
    if (subjects->count == subjects->room) {
        const size_t room = subjects->room > 0 ? 2 * subjects->room : 256;
        struct subjects_entry *more = room <= ENTRIES_MAX ? malloc(room * sizeof(*more)) : NULL;
        if (!more)
            return -ENOMEM;
        if (subjects->entries) { /* realloc would leave names behind */
            memcpy(more, subjects->entries, subjects->count * sizeof(*more));
            sodium_memzero(subjects->entries, subjects->count * sizeof(*more));
            free(subjects->entries);
        }
        subjects->entries = more;
        subjects->room = room;
    }
    subjects->entries[subjects->count++] = *entry;
    return 0;
}

static int take_line(struct list *list, char *line)
{
    struct subjects_entry entry = { .name = "" };
    line += strspn(line, " \t");
    if (line[0] == '\0' || line[0] == '#')
        return 0;
    const size_t field = strcspn(line, ",;\t");
    size_t length = field;
    while (length > 0 && line[length - 1] == ' ')
        length--;
    if (!subject_read(line, length, entry.subject))
        return -EINVAL;
    const char *name = line + field + (line[field] != '\0');
    (void)printable(name + strspn(name, " \t"), entry.name, sizeof(entry.name));
    list->subjects->lines++;
    const int error = reading_of_subject(list->reading, &list->keys, entry.subject, entry.person);
    return error < 0 ? -EIO : add(list->subjects, &entry);
}

/* Of several lines about one person the first one counts. */
static void sort(struct subjects *subjects)
{
    size_t kept = 0;
    if (subjects->count == 0)
        return;
    qsort(subjects->entries, subjects->count, sizeof(*subjects->entries), by_person); /* glibc's is a merge sort: stable */
    for (size_t i = 1; i < subjects->count; i++)
        if (strcmp(subjects->entries[i].person, subjects->entries[kept].person) != 0)
            subjects->entries[++kept] = subjects->entries[i];
    subjects->count = kept + 1;
}

static void tell_bad(struct list *list, const char *file, int64_t number, const char *line, bool too_long)
{
    const struct lang *lang = list->reading->ctl->lang;
    char buffer[64];
    if (list->subjects->bad++ < BAD_LINES_SHOWN)
        (void)fprintf(stderr, "%s:%lld: '%s': %s\n", file, (long long)number, printable(line, buffer, sizeof(buffer)),
                      say(lang, too_long ? "subjects.too_long" : "allowed.subject"));
    else if (list->subjects->bad == BAD_LINES_SHOWN + 1)
        lang_print(stderr, lang, "reading.more_bad", "file", file, NULL);
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

static enum ctl_exit read_file(struct list *list, const char *path)
{
    const struct ctl *ctl = list->reading->ctl;
    const bool from_stdin = strcmp(path, "-") == 0;
    FILE *file = from_stdin ? stdin : fopen(path, "re");
    char line[LINE_BYTES];
    enum ctl_exit result = CTL_OK;
    if (!file)
        return ctl_complain(ctl, CTL_FAILED, "subjects.unreadable", "file", path, "why", strerror(errno), NULL);
    people_list_note(ctl, file, path);
    for (int64_t number = 1; result == CTL_OK && fgets(line, sizeof(line), file); number++) {
        const bool mark = number == 1 && strncmp(line, "\xef\xbb\xbf", 3) == 0; /* spreadsheets write it */
        const bool fits = end_line(file, line);
        const int error = fits ? take_line(list, line + (mark ? 3 : 0)) : -EINVAL;
        if (error == -EINVAL)
            tell_bad(list, from_stdin ? "stdin" : path, number, line, !fits);
        else if (error < 0)
            result = ctl_complain(ctl, CTL_FAILED, "subjects.failed", "file", path,
                                  "why", say(ctl->lang, error == -ENOMEM ? "words.no_memory" : "why.register"), NULL);
    }
    if (result == CTL_OK && ferror(file))
        result = ctl_complain(ctl, CTL_FAILED, "subjects.unreadable", "file", path, "why", strerror(errno), NULL);
    if (!from_stdin)
        (void)fclose(file); /* only read */
    sodium_memzero(line, sizeof(line));
    return result;
}

enum ctl_exit subjects_read(struct reading *reading, const char *path, struct subjects *ret)
{
    struct list list = { .reading = reading, .subjects = ret };
    *ret = (struct subjects){ .listed = path != NULL };
    if (!path)
        return CTL_OK;
    enum ctl_exit result = ctl_load_site_keys(reading->ctl, &list.keys);
    if (result == CTL_OK)
        result = read_file(&list, path);
    sodium_memzero(&list.keys, sizeof(list.keys));
    sort(ret);
    return result;
}

void subjects_free(struct subjects *subjects)
{
    if (subjects->entries)
        sodium_memzero(subjects->entries, subjects->room * sizeof(*subjects->entries));
    free(subjects->entries);
    *subjects = (struct subjects){ .entries = NULL };
}

const struct subjects_entry *subjects_find(const struct subjects *subjects, const char *person)
{
    struct subjects_entry key;
    if (subjects->count == 0)
        return NULL;
    (void)snprintf(key.person, sizeof(key.person), "%s", person);
    return bsearch(&key, subjects->entries, subjects->count, sizeof(key), by_person);
}
