/* A trace as a page for the health office. */
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/page.h"
#include "daemon/ctl/trace/trace.h"

enum { MINUTE_US = 60000000 };

static void tile(size_t number, const char *text)
{
    (void)printf("<div class=\"tile\"><b>%zu</b>", number);
    page_text(stdout, text);
    (void)printf("</div>");
}

/* "NAME, cccd:…" by the office's list, and the hash. */
static void print_who(const struct trace *trace, const char *hash, const struct subjects_entry *entry)
{
    char cut[16];
    (void)snprintf(cut, sizeof(cut), "%.12s", hash);
    if (entry && entry->name[0])
        page_element(stdout, "b", NULL, entry->name);
    if (entry)
        (void)printf("%s%s<br>", entry->name[0] ? ", " : "", entry->subject);
    else if (trace->subjects.listed)
        (void)printf("<span class=\"muted\">%s</span><br>", say(trace->site.lang, "inside.not_listed"));
    (void)printf("<code>%s</code>", cut);
}

static void print_table(const struct trace *trace, size_t begin, size_t end, bool first)
{
    static const char *const keys[][7] = {
        { "trace.person", "trace.group", "trace.how", "trace.first_met", "trace.last_met", "trace.at_gate", "trace.together" },
        { "trace.person", "trace.group", "trace.how", "trace.first_met", "trace.last_met", "trace.lane", "trace.via" },
    };
    const struct lang *lang = trace->site.lang;
    (void)printf("<table><thead><tr><th class=\"n\">%s</th>", say(lang, "inside.number"));
    for (int i = 0; i < 7; i++)
        page_element(stdout, "th", first && i > 4 ? "n" : NULL, say(lang, keys[!first][i]));
    (void)printf("</tr></thead><tbody>\n");
    for (size_t i = begin; i < end; i++) {
        const struct trace_contact *contact = &trace->contacts[i];
        const struct sweep_person *person = contact->person;
        char when[SITE_TIME_BYTES];
        (void)printf("<tr><td class=\"n\">%zu</td><td class=\"who\">", i - begin + 1);
        print_who(trace, person->hash, contact->entry);
        (void)printf("</td>");
        page_element(stdout, "td", NULL, contact->group);
        page_element(stdout, "td", NULL, say_word(lang, "trace_how", trace_how(person)));
        page_element(stdout, "td", "t", site_minute(&trace->site, person->first_us / 1000000, when));
        page_element(stdout, "td", "t", site_minute(&trace->site, person->last_us / 1000000, when));
        if (first) {
            (void)printf("<td class=\"n\">%d</td><td class=\"n\">%lld</td>", person->gate_meetings,
                         (long long)(person->together_us / MINUTE_US));
        } else {
            page_element(stdout, "td", NULL, trace_lane(trace, person->lane));
            (void)printf("<td><code>%.12s</code></td>", person->via == SWEEP_NOBODY ? "" : trace->sweep.persons[person->via].hash);
        }
        (void)printf("</tr>\n");
    }
    (void)printf("</tbody></table>\n");
}

static void print_passages(const struct trace *trace)
{
    const struct lang *lang = trace->site.lang;
    page_element(stdout, "h2", NULL, say(lang, "trace.passages_head"));
    (void)printf("<table><thead><tr>");
    page_element(stdout, "th", NULL, say(lang, "trace.time"));
    page_element(stdout, "th", NULL, say(lang, "trace.lane"));
    page_element(stdout, "th", NULL, say(lang, "trace.direction"));
    (void)printf("</tr></thead><tbody>\n");
    for (size_t i = 0; i < trace->sweep.passages_count; i++) {
        const struct sweep_passage *passage = &trace->sweep.passages[i];
        char when[SITE_TIME_BYTES];
        if (passage->person != trace->traced || passage->at_us < trace->bounds.from_us)
            continue;
        (void)printf("<tr>");
        page_element(stdout, "td", "t", site_minute(&trace->site, passage->at_us / 1000000, when));
        page_element(stdout, "td", NULL, trace_lane(trace, passage->lane));
        page_element(stdout, "td", NULL, say_word(lang, "direction", direction_name((enum direction)passage->direction)));
        (void)printf("</tr>\n");
    }
    (void)printf("</tbody></table>\n");
}

static void print_note(const struct trace *trace)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *note = open_memstream(&text, &bytes);
    if (!note)
        return;
    const int told = lists_tell_lanes(note, &trace->reading, &trace->site, trace->bounds.until_us);
    if (fclose(note) == 0 && told > 0)
        page_element(stdout, "div", "note", text);
    free(text);
}

void trace_print_page(const struct trace *trace)
{
    const struct lang *lang = trace->site.lang;
    const size_t second = trace->count - trace->first_degree;
    char text[512], from[SITE_TIME_BYTES], until[SITE_TIME_BYTES];
    size_t at_gate = 0;
    for (size_t i = 0; i < trace->first_degree; i++)
        at_gate += trace->contacts[i].person->at_gate;
    page_begin(stdout, lang, say(lang, "trace.title"));
    (void)printf("<header>");
    page_element(stdout, "h1", NULL, say(lang, "trace.title"));
    (void)printf("<p>");
    page_text(stdout, site_title(&trace->site));
    (void)printf("%s", trace->site.address[0] ? " · " : "");
    page_text(stdout, trace->site.address);
    (void)printf("</p><p>");
    print_who(trace, trace->who.hashes[0], subjects_find(&trace->subjects, trace->who.hashes[0]));
    (void)printf("</p>");
    page_element(stdout, "p", "muted",
                 lang_format(lang, text, sizeof(text), "trace.period", "from",
                             site_minute(&trace->site, trace->bounds.from_us / 1000000, from), "until",
                             site_minute(&trace->site, trace->bounds.until_us / 1000000, until), "window",
                             LANG_N(trace->bounds.window_us / MINUTE_US), NULL));
    (void)printf("</header>\n<div class=\"tiles\">");
    tile(trace->passages, say(lang, "trace.tile_passages"));
    tile(at_gate, say(lang, "trace.tile_gate"));
    tile(trace->first_degree, say(lang, "trace.tile_first"));
    tile(second, say(lang, "trace.tile_second"));
    (void)printf("</div>\n");
    print_note(trace);
    if (trace->passages > 0)
        print_passages(trace);
    page_element(stdout, "h2", NULL, say(lang, "trace.first_head"));
    if (trace->first_degree > 0)
        print_table(trace, 0, trace->first_degree, true);
    else
        page_element(stdout, "p", NULL, say(lang, "trace.nobody"));
    if (second > 0) {
        page_element(stdout, "h2", NULL, say(lang, "trace.second_head"));
        print_table(trace, trace->first_degree, trace->count, false);
    }
    page_element(stdout, "footer", "small muted", say(lang, "trace.remark"));
    page_end(stdout);
}
