/* Declarations and revocations as lines of JSON: qrgatectl's export. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "daemon/decision/time_text.h"
#include "daemon/mqtt/inbound.h"

/* Every text written is of a closed set of characters that need no escape: that is what the readers above are for. */
struct line {
    char *text;
    size_t bytes, used;
    bool full;
};

static void put(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct line *line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int added = line->full ? -1 : vsnprintf(line->text + line->used, line->bytes - line->used, format, arguments);
    va_end(arguments);
    line->full = added < 0 || (size_t)added >= line->bytes - line->used;
    line->used += line->full ? 0 : (size_t)added;
}

static int end_line(struct line *line)
{
    put(line, "}");
    if (!line->full)
        return (int)line->used;
    if (line->bytes > 0)
        line->text[0] = '\0';
    return -EMSGSIZE;
}

static const char *symptom_by_number(int number)
{
    return symptom_name((enum symptom)number);
}

static const char *contact_by_number(int number)
{
    return contact_name((enum contact)number);
}

static void put_time(struct line *line, const char *name, int64_t at_s)
{
    char when[TIME_TEXT_BYTES];
    if (at_s == 0)
        return;
    if (time_text_in_range(at_s))
        put(line, ",\"%s\":\"%s\"", name, time_text_write(at_s, when));
    else
        put(line, ",\"%s\":%lld", name, (long long)at_s);
}

static void put_names(struct line *line, const char *member, const char *(*name)(int), int count, uint16_t bits)
{
    const char *between = "";
    put(line, ",\"%s\":[", member);
    for (int bit = 0; bit < count; bit++) {
        if (!(bits & 1u << bit))
            continue;
        put(line, "%s\"%s\"", between, name(bit));
        between = ",";
    }
    put(line, "]");
}

static void put_whose(struct line *line, const struct declared *declared)
{
    const char *between = "";
    if (declared->person[0] != '\0') {
        put(line, "{\"person\":\"%s\"", declared->person);
        return;
    }
    put(line, "{\"identities\":[");
    for (int i = 0; i < JOURNAL_IDENTITIES_MAX; i++) {
        if (declared->identities[i][0] == '\0')
            continue;
        put(line, "%s\"%s\"", between, declared->identities[i]);
        between = ",";
    }
    put(line, "]");
}

int inbound_declaration_write(const struct declared *declared, char *ret_text, size_t text_bytes)
{
    const struct declaration *declaration = &declared->declaration;
    const struct declaration_answers *answers = &declaration->answers;
    struct line line = { .text = ret_text, .bytes = text_bytes };
    put_whose(&line, declared);
    if (declaration->status != STATUS_NONE)
        put(&line, ",\"status\":\"%s\"", declaration_status_name(declaration->status));
    put_time(&line, "declared_at", declaration->declared_at_s);
    put_names(&line, "symptoms", symptom_by_number, SYMPTOM_COUNT, answers->symptoms);
    put_names(&line, "contacts", contact_by_number, CONTACT_COUNT, answers->contacts);
    put(&line, ",\"travelled\":%s", answers->travelled ? "true" : "false");
    put_time(&line, "symptoms_at", answers->symptoms_at_s);
    put_time(&line, "contact_at", answers->contact_at_s);
    put_time(&line, "travel_at", answers->travel_at_s);
    put(&line, ",\"by\":\"%s\"", declared_by_name(answers->by));
    if (declaration->group[0] != '\0')
        put(&line, ",\"group\":\"%s\"", declaration->group);
    return end_line(&line);
}

int inbound_revocation_write(const struct revocation *revocation, char *ret_text, size_t text_bytes)
{
    struct line line = { .text = ret_text, .bytes = text_bytes };
    put(&line, "{\"token_id\":\"");
    for (size_t i = 0; i < CREDENTIAL_TOKEN_ID_BYTES; i++)
        put(&line, "%02x", revocation->token_id[i]);
    put(&line, "\"");
    put_time(&line, "revoked_at", revocation->revoked_at_s);
    if (revocation->lifted)
        put(&line, ",\"lifted\":true");
    return end_line(&line);
}
