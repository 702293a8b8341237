/* qrgatectl muster: who is inside, as a list to print at a fire and to tick at the assembly point. Read-only. */
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/lists/inside.h"
#include "daemon/ctl/page.h"

enum { JOURNAL, MESSAGES, SUBJECTS, FORMAT };
static const struct ctl_option OPTIONS[] = {
    [JOURNAL] = READING_JOURNAL_OPTION,
    [MESSAGES] = READING_MESSAGES_OPTION,
    [SUBJECTS] = SUBJECTS_OPTION,
    [FORMAT] = { "format", "text|html", false, "text for lp (default), or a page for a browser and its printer" },
    { NULL, NULL, false, NULL },
};

static void cell(const char *class_name, const char *text)
{
    page_element(stdout, "td", class_name, text);
}

static void print_row(const struct inside *inside, size_t place)
{
    const struct inside_person *person = &inside->persons[place];
    char when[SITE_TIME_BYTES], number[24], hash[16], lane[JOURNAL_LANE_BYTES + 4];
    (void)snprintf(number, sizeof(number), "%zu", place + 1);
    (void)snprintf(hash, sizeof(hash), "%.8s", person->person);
    (void)printf("<tr><td><span class=\"box\"></span></td>");
    cell("n", number);
    if (inside->subjects.listed) {
        cell(NULL, person->entry && person->entry->name[0] ? person->entry->name
                   : person->entry                         ? ""
                                                           : say(inside->site.lang, "inside.not_listed"));
        cell("t", person->entry ? person->entry->subject : "");
    }
    cell("t", site_minute(&inside->site, person->since_us / 1000000, when));
    cell(NULL, printable(person->lane, lane, sizeof(lane)));
    (void)printf("<td><code>");
    page_text(stdout, hash);
    (void)printf("</code></td></tr>\n");
}

static void print_group(const struct inside *inside, size_t first, size_t size)
{
    static const char *const keys[] = { "muster.here", "inside.number", "muster.name", "inside.subject", "inside.since",
                                        "inside.lane", "inside.person" };
    const struct lang *lang = inside->site.lang;
    char text[256];
    if (inside->groups > 0)
        page_element(stdout, "h2", NULL, lang_format(lang, text, sizeof(text), "inside.group", "group",
                                                     inside_group_name(inside, first), "count", LANG_N(size), NULL));
    (void)printf("<table><thead><tr>");
    for (int i = 0; i < 7; i++)
        if (inside->subjects.listed || (i != 2 && i != 3))
            page_element(stdout, "th", i == 1 ? "n" : NULL, say(lang, keys[i]));
    (void)printf("</tr></thead><tbody>\n");
    for (size_t i = first; i < first + size; i++)
        print_row(inside, i);
    (void)printf("</tbody></table>\n");
}

static void print_note(const struct inside *inside)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *note = open_memstream(&text, &bytes);
    if (!note)
        return;
    const int told = lists_tell_lanes(note, &inside->reading, &inside->site, INT64_MAX);
    if (fclose(note) == 0 && told > 0)
        page_element(stdout, "div", "note", text);
    free(text);
}

static void print_page(const struct inside *inside)
{
    const struct lang *lang = inside->site.lang;
    char when[SITE_TIME_BYTES], text[256];
    page_begin(stdout, lang, say(lang, "muster.title"));
    (void)printf("<header>");
    page_element(stdout, "h1", NULL, say(lang, "muster.title"));
    (void)printf("<p>");
    page_text(stdout, site_title(&inside->site));
    (void)printf("%s", inside->site.address[0] ? " · " : "");
    page_text(stdout, inside->site.address);
    (void)printf("</p>");
    page_element(stdout, "p", "muted",
                 lang_format(lang, text, sizeof(text), "muster.as_of", "time", site_time(inside->ctl->now_s * 1000000, true, when),
                             NULL));
    (void)printf("</header>\n");
    page_element(stdout, "h1", NULL, lang_format(lang, text, sizeof(text), "inside.count", "count", LANG_N(inside->count), NULL));
    print_note(inside);
    for (size_t first = 0; first < inside->count; first += inside_group_size(inside, first))
        print_group(inside, first, inside_group_size(inside, first));
    (void)printf("<div class=\"sign\"><div>");
    page_text(stdout, say(lang, "muster.counted"));
    (void)printf("</div><div>");
    page_text(stdout, say(lang, "muster.checked"));
    (void)printf("</div></div>\n<footer class=\"small muted\">");
    page_text(stdout, say(lang, "muster.remark"));
    (void)printf("</footer>\n");
    page_end(stdout);
}

static enum ctl_exit run(struct ctl *ctl)
{
    struct inside inside;
    char buffer[80];
    const char *format = ctl->values[FORMAT];
    if (format && strcmp(format, "text") != 0 && strcmp(format, "html") != 0)
        return ctl_complain(ctl, CTL_USAGE, "muster.format", "value", printable(format, buffer, sizeof(buffer)), NULL);
    enum ctl_exit result = inside_read(ctl, ctl->values[MESSAGES], ctl->values[SUBJECTS], &inside);
    if (result == CTL_OK && format && strcmp(format, "html") == 0) {
        print_page(&inside);
    } else if (result == CTL_OK) {
        (void)printf("%s\n", say(inside.site.lang, "muster.title"));
        inside_print(&inside);
        (void)printf("\n%s ______________________   %s ______________________\n", say(inside.site.lang, "muster.counted"),
                     say(inside.site.lang, "muster.checked"));
    }
    if (result == CTL_OK)
        result = inside_result(&inside);
    inside_close(&inside);
    return result;
}

const struct ctl_command CTL_MUSTER = {
    .name = "muster",
    .summary = "Print who is inside, for the assembly point",
    .details = "The list of qrgatectl inside with a box for each person, a count and a place to sign: at a fire, and for the drill.\n"
               "  qrgatectl muster --subjects staff.txt | lp\n"
               "  qrgatectl muster --subjects staff.txt --format html > muster.html\n"
               "A fire also sends the list by the broker, on PREFIX/SITE/LANE/muster, so the office can print without asking.\n",
    .options = OPTIONS,
    .run = run,
};
