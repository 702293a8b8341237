/* qrgatectl inside: who is inside, by group and since when; and the list on paper that it shares with muster. Read-only, one
 * moment of each journal, beside a daemon that works. */
#include "daemon/ctl/lists/inside.h"

#include <string.h>

#include "daemon/mqtt/messages.h"

enum { JOURNAL, MESSAGES, SUBJECTS, JSON };
static const struct ctl_option OPTIONS[] = {
    [JOURNAL] = READING_JOURNAL_OPTION,
    [MESSAGES] = READING_MESSAGES_OPTION,
    [SUBJECTS] = SUBJECTS_OPTION,
    [JSON] = { "json", NULL, false, "one JSON object a person, on a line of its own" },
    { NULL, NULL, false, NULL },
};

static void print_json(const struct inside_person *person)
{
    char since[MESSAGE_TIME_BYTES];
    message_time(person->since_us, since);
    (void)printf("{\"person\":\"%s\"", person->person);
    lists_json_text(stdout, "since", since);
    (void)printf(",\"since_us\":%lld", (long long)person->since_us);
    lists_json_text(stdout, "lane", person->lane);
    if (person->group[0] != '\0')
        lists_json_text(stdout, "group", person->group);
    if (person->entry)
        lists_json_text(stdout, "subject", person->entry->subject);
    if (person->entry && person->entry->name[0] != '\0')
        lists_json_text(stdout, "name", person->entry->name);
    (void)printf("}\n");
}

/* ---- on paper: 80 columns ------------------------------------------------------------------------------------------- */

static void print_person(const struct inside *inside, size_t place)
{
    const struct inside_person *person = &inside->persons[place];
    char when[SITE_TIME_BYTES], lane[JOURNAL_LANE_BYTES + 4], padded[64];
    (void)printf("[ ] %5zu  %s  %s  %s", place + 1, site_time(person->since_us, false, when),
                 lang_pad(padded, sizeof(padded), printable(person->lane, lane, sizeof(lane)), 12), person->person);
    if (inside->subjects.listed)
        (void)printf("  %s%s%s", person->entry ? person->entry->subject : say(inside->site.lang, "inside.not_listed"),
                     person->entry && person->entry->name[0] ? "  " : "", person->entry ? person->entry->name : "");
    (void)printf("\n");
}

static void print_head(const struct inside *inside)
{
    const struct lang *lang = inside->site.lang;
    char when[SITE_TIME_BYTES], padded[4][64];
    if (inside->reading.count == 1 && inside->site.site[0] != '\0')
        lang_print(stdout, lang, "inside.head_lane", "place", site_title(&inside->site), "lane", inside->reading.sources[0].lane,
                   NULL);
    else if (inside->reading.count == 1)
        lang_print(stdout, lang, "inside.head_file", "file", inside->reading.sources[0].path, NULL);
    else
        lang_print(stdout, lang, "inside.head_lanes", "count", LANG_N(inside->reading.count), NULL);
    (void)printf("\n%s: ", site_time(inside->ctl->now_s * 1000000, true, when));
    lang_print(stdout, lang, "inside.count", "count", LANG_N(inside->count), NULL);
    (void)printf("\n\n%s  %s  %s  %s%s\n", lang_pad(padded[0], sizeof(padded[0]), say(lang, "inside.number"), -9),
                 lang_pad(padded[1], sizeof(padded[1]), say(lang, "inside.since"), 19),
                 lang_pad(padded[2], sizeof(padded[2]), say(lang, "inside.lane"), 12),
                 lang_pad(padded[3], sizeof(padded[3]), say(lang, "inside.person"), inside->subjects.listed ? 34 : 32),
                 inside->subjects.listed ? say(lang, "inside.subject") : "");
}

static void print_foot(const struct inside *inside)
{
    const struct lang *lang = inside->site.lang;
    (void)printf("\n");
    if (inside->subjects.listed)
        lang_print(stdout, lang, "inside.total_listed", "count", LANG_N(inside->count), "named", LANG_N(inside->named), "lines",
                   LANG_N(inside->subjects.lines), "others", LANG_N(inside->count - inside->named), NULL);
    else
        lang_print(stdout, lang, "inside.total", "count", LANG_N(inside->count), NULL);
    (void)printf("\n");
    (void)lists_tell_lanes(stdout, &inside->reading, &inside->site, INT64_MAX);
}

void inside_print(const struct inside *inside)
{
    print_head(inside);
    for (size_t first = 0; first < inside->count; first += inside_group_size(inside, first)) {
        const size_t size = inside_group_size(inside, first);
        if (inside->groups > 0) {
            (void)printf("\n");
            lang_print(stdout, inside->site.lang, "inside.group", "group", inside_group_name(inside, first), "count", LANG_N(size),
                       NULL);
            (void)printf("\n");
        }
        for (size_t i = first; i < first + size; i++)
            print_person(inside, i);
    }
    print_foot(inside);
}

static enum ctl_exit run(struct ctl *ctl)
{
    struct inside inside;
    enum ctl_exit result = inside_read(ctl, ctl->values[MESSAGES], ctl->values[SUBJECTS], &inside);
    if (result == CTL_OK && ctl->values[JSON])
        for (size_t i = 0; i < inside.count; i++)
            print_json(&inside.persons[i]);
    else if (result == CTL_OK)
        inside_print(&inside);
    if (result == CTL_OK && ctl->values[JSON])
        (void)lists_tell_lanes(stderr, &inside.reading, &inside.site, INT64_MAX);
    if (result == CTL_OK)
        result = inside_result(&inside);
    inside_close(&inside);
    return result;
}

const struct ctl_command CTL_INSIDE = {
    .name = "inside",
    .summary = "List who is inside, by group and since when",
    .details = "Columns: a box to tick, number, since when (time at the place), lane, the person's hash.\n"
               "Names aren't stored. To see who it is, give the office's list of employees:\n"
               "  qrgatectl inside --subjects staff.txt\n"
               "It is a text file with one number a line (cccd:022199012345, bhyt:, badge:, …), and behind a comma, if you\n"
               "like, the name; - is standard input. Numbers are hashed with the site key, and what is known is printed in\n"
               "the column SUBJECT, by name. The list is read and not kept.\n"
               "Inside is who came in by a lane of direction \"in\" and didn't leave by one of direction \"out\"; other lanes'\n"
               "passages count as far as this lane heard them by the broker. Who left by another door is still listed.\n"
               "With several journals the newest passage of each person counts, and a lane whose events end earlier than the\n"
               "others' is named. For the assembly point: qrgatectl muster.\n",
    .options = OPTIONS,
    .run = run,
};
