/* A declaration's row and back, and the check of what is to become one: it was filled from the network. Pure but for
 * reading SQLite's columns. Called by the journal thread and by qrgatectl. */
#include "daemon/journal/register_row.h"

#include <errno.h>
#include <sqlite3.h>
#include <string.h>

#include "daemon/journal/database.h"

#define TIME_MAX_S INT64_C(253402300799) /* the end of the year 9999: no sum of two can overflow */

static void add_name(char ret[REGISTER_NAMES_BYTES], const char *name)
{
    const size_t used = strlen(ret), length = strlen(name);
    if (used + length + 2 > REGISTER_NAMES_BYTES)
        return; /* all names together are shorter: see the test */
    if (used > 0)
        ret[used] = ',';
    memcpy(ret + used + (used > 0), name, length + 1);
}

void register_symptom_names(uint16_t symptoms, char ret[REGISTER_NAMES_BYTES])
{
    ret[0] = '\0';
    for (int i = 0; i < SYMPTOM_COUNT; i++)
        if (symptoms & 1u << i)
            add_name(ret, symptom_name((enum symptom)i));
}

void register_contact_names(uint16_t contacts, char ret[REGISTER_NAMES_BYTES])
{
    ret[0] = '\0';
    for (int i = 0; i < CONTACT_COUNT; i++)
        if (contacts & 1u << i)
            add_name(ret, contact_name((enum contact)i));
}

int register_row_read(sqlite3_stmt *s, int first, struct declaration *ret)
{
    struct declaration row = { .found = true, .declared_at_s = sqlite3_column_int64(s, first + 1) };
    row.answers.travelled = sqlite3_column_int(s, first + 4) != 0;
    row.answers.symptoms_at_s = sqlite3_column_int64(s, first + 5);
    row.answers.contact_at_s = sqlite3_column_int64(s, first + 6);
    row.answers.travel_at_s = sqlite3_column_int64(s, first + 7);
    *ret = (struct declaration){ .status = STATUS_NONE };
    if (!declaration_status_from_name(column_name(s, first), &row.status) ||
        !symptoms_from_names(column_name(s, first + 2), &row.answers.symptoms) ||
        !contacts_from_names(column_name(s, first + 3), &row.answers.contacts) ||
        !declared_by_from_name(column_name(s, first + 8), &row.answers.by) ||
        column_text(s, first + 9, row.group, sizeof(row.group)) < 0)
        return -EILSEQ;
    *ret = row;
    return 0;
}

static bool ended(const char *text, size_t bytes)
{
    return memchr(text, '\0', bytes) != NULL;
}

static bool time_valid(int64_t at_s)
{
    return at_s >= 0 && at_s <= TIME_MAX_S;
}

bool person_valid(const char person[JOURNAL_ID_BYTES])
{
    return ended(person, JOURNAL_ID_BYTES) && strspn(person, "0123456789abcdef") == JOURNAL_ID_BYTES - 1;
}

bool declared_valid(const struct declared *declared)
{
    const struct declaration *d = &declared->declaration;
    const struct declaration_answers *answers = &d->answers;
    bool any = declared->person[0] != '\0';
    if (any && !person_valid(declared->person))
        return false;
    for (int i = 0; i < JOURNAL_IDENTITIES_MAX; i++) {
        if (!ended(declared->identities[i], sizeof(declared->identities[i])))
            return false;
        any = any || declared->identities[i][0] != '\0';
    }
    /* "expired" is the passing of time: nobody can declare it. */
    return any && (unsigned)d->status < STATUS_COUNT && d->status != STATUS_EXPIRED && time_valid(d->declared_at_s) &&
           answers->symptoms < 1u << SYMPTOM_COUNT && answers->contacts < 1u << CONTACT_COUNT &&
           time_valid(answers->symptoms_at_s) && time_valid(answers->contact_at_s) &&
           time_valid(answers->travel_at_s) && (unsigned)answers->by < DECLARED_BY_COUNT &&
           ended(d->group, sizeof(d->group)) && ended(declared->source, sizeof(declared->source));
}

bool revocation_valid(const struct revocation *revocation)
{
    static const uint8_t none[CREDENTIAL_TOKEN_ID_BYTES];
    return memcmp(revocation->token_id, none, sizeof(none)) != 0 && time_valid(revocation->revoked_at_s) &&
           ended(revocation->source, sizeof(revocation->source));
}
