/* A trace as text, CSV and JSON lines. */
#include <string.h>

#include "daemon/ctl/page.h"
#include "daemon/ctl/trace/trace.h"

enum { MINUTE_US = 60000000, TEXT_SECOND_MAX = 200 };

static const char *via_of(const struct trace *trace, const struct sweep_person *person)
{
    return person->via == SWEEP_NOBODY ? "" : trace->sweep.persons[person->via].hash;
}

/* ---- text --------------------------------------------------------------------------------------------------------- */

static void print_contact(const struct trace *trace, const struct trace_contact *contact)
{
    const struct sweep_person *person = contact->person;
    const struct lang *lang = trace->site.lang;
    char when[2][SITE_TIME_BYTES], how[64], lane[64];
    (void)printf("%d  %s  %s  %s  %s %s", person->degree, person->hash, site_time(person->first_us, false, when[0]),
                 site_time(person->last_us, false, when[1]),
                 lang_pad(how, sizeof(how), say_word(lang, "trace_how", trace_how(person)), 14),
                 lang_pad(lane, sizeof(lane), trace_lane(trace, person->lane), 12));
    if (person->degree == 1)
        (void)printf(" %5d %6lld", person->gate_meetings, (long long)(person->together_us / MINUTE_US));
    else
        (void)printf("     - %.8s", via_of(trace, person));
    if (contact->group[0])
        (void)printf("  %s", contact->group);
    if (contact->entry)
        (void)printf("  %s  %s", contact->entry->subject, contact->entry->name);
    (void)printf("\n");
}

void trace_print_text(const struct trace *trace)
{
    const struct lang *lang = trace->site.lang;
    char from[SITE_TIME_BYTES], until[SITE_TIME_BYTES];
    lang_print(stdout, lang, "trace.head", "person", trace->who.hashes[0], "from", site_time(trace->bounds.from_us, true, from),
               "until", site_time(trace->bounds.until_us, true, until), NULL);
    (void)printf("\n");
    lang_print(stdout, lang, "trace.counts", "passages", LANG_N(trace->passages), "first", LANG_N(trace->first_degree), "second",
               LANG_N(trace->count - trace->first_degree), NULL);
    (void)printf("\n");
    if (trace->count > 0)
        (void)printf("\n%s\n", say(lang, "trace.columns"));
    for (size_t i = 0; i < trace->count; i++) {
        if (i == trace->first_degree + TEXT_SECOND_MAX) {
            lang_print(stdout, lang, "trace.more", "count", LANG_N(trace->count - i), NULL);
            (void)printf("\n");
            break;
        }
        print_contact(trace, &trace->contacts[i]);
    }
    (void)lists_tell_lanes(stdout, &trace->reading, &trace->site, trace->bounds.until_us);
}

/* ---- CSV ---------------------------------------------------------------------------------------------------------- */

static const char *iso_time(int64_t at_us, char buffer[SITE_TIME_BYTES])
{
    char offset[SITE_DATE_BYTES];
    (void)site_time(at_us, false, buffer);
    buffer[10] = 'T';
    (void)strcat(buffer, site_offset(at_us / 1000000, offset));
    return buffer;
}

void trace_print_csv(const struct trace *trace)
{
    (void)printf("degree,person,how,first,last,gate_meetings,minutes_together,lane,via,group,subject,name\n");
    for (size_t i = 0; i < trace->count; i++) {
        const struct trace_contact *contact = &trace->contacts[i];
        const struct sweep_person *person = contact->person;
        char when[SITE_TIME_BYTES];
        (void)printf("%d,%s,%s,%s,", person->degree, person->hash, trace_how(person), iso_time(person->first_us, when));
        (void)printf("%s,", iso_time(person->last_us, when));
        if (person->degree == 1)
            (void)printf("%d,%lld,", person->gate_meetings, (long long)(person->together_us / MINUTE_US));
        else
            (void)printf(",,");
        csv_field(stdout, trace_lane(trace, person->lane));
        (void)printf(",%s,", via_of(trace, person));
        csv_field(stdout, contact->group);
        (void)printf(",%s,", contact->entry ? contact->entry->subject : "");
        csv_field(stdout, contact->entry ? contact->entry->name : "");
        (void)printf("\n");
    }
}

/* ---- JSON --------------------------------------------------------------------------------------------------------- */

static void print_time(const char *name, int64_t at_us)
{
    char when[SITE_TIME_BYTES];
    lists_json_text(stdout, name, lists_time_us(at_us, when));
}

void trace_print_json(const struct trace *trace)
{
    (void)printf("{\"degree\":0,\"person\":\"%s\",\"passages\":%zu", trace->who.hashes[0], trace->passages);
    print_time("from", trace->bounds.from_us);
    print_time("until", trace->bounds.until_us);
    (void)printf(",\"window_s\":%lld,\"first_degree\":%zu,\"second_degree\":%zu}\n",
                 (long long)(trace->bounds.window_us / 1000000), trace->first_degree, trace->count - trace->first_degree);
    for (size_t i = 0; i < trace->count; i++) {
        const struct trace_contact *contact = &trace->contacts[i];
        const struct sweep_person *person = contact->person;
        (void)printf("{\"degree\":%d,\"person\":\"%s\",\"at_gate\":%s,\"inside\":%s", person->degree, person->hash,
                     person->at_gate ? "true" : "false", person->inside ? "true" : "false");
        print_time("first", person->first_us);
        print_time("last", person->last_us);
        if (person->degree == 1)
            (void)printf(",\"gate_meetings\":%d,\"together_s\":%lld", person->gate_meetings,
                         (long long)(person->together_us / 1000000));
        if (person->lane >= 0)
            lists_json_text(stdout, "lane", trace_lane(trace, person->lane));
        if (person->via != SWEEP_NOBODY)
            lists_json_text(stdout, "via", via_of(trace, person));
        if (contact->group[0])
            lists_json_text(stdout, "group", contact->group);
        if (contact->entry)
            lists_json_text(stdout, "subject", contact->entry->subject);
        if (contact->entry && contact->entry->name[0])
            lists_json_text(stdout, "name", contact->entry->name);
        (void)printf("}\n");
    }
}
