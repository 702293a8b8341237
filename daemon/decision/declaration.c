/* What a declaration makes of a person: the worst of its colour and its answers, and whether it still counts. Called by
 * decide() in the journal thread, and by qrgatectl; the names by every reader and writer of declarations. Pure. */
#include "daemon/decision/declaration.h"

#include <string.h>

#include "daemon/decision/time_sums.h"

static const char *const symptom_names[SYMPTOM_COUNT] = {
    [SYMPTOM_FEVER] = "fever",         [SYMPTOM_COUGH] = "cough",
    [SYMPTOM_BREATHLESSNESS] = "breathlessness", [SYMPTOM_PNEUMONIA] = "pneumonia",
    [SYMPTOM_SORE_THROAT] = "sore_throat", [SYMPTOM_TIREDNESS] = "tiredness",
};
static const char *const contact_names[CONTACT_COUNT] = {
    [CONTACT_PATIENT] = "patient", [CONTACT_SICK_COUNTRY] = "sick_country", [CONTACT_SYMPTOMS] = "symptoms",
};
static const char *const declared_by_names[DECLARED_BY_COUNT] = {
    [DECLARED_BY_SELF] = "self", [DECLARED_BY_GUARD] = "guard",
};

/* ---- the status ---- */

/* What no enum has, from a damaged row or a forgotten setting, is as bad as red. */
static int rank(enum declaration_status status)
{
    static const int ranks[STATUS_COUNT] = {
        [STATUS_NONE] = 0, [STATUS_GREEN] = 1, [STATUS_WHITE] = 2, [STATUS_YELLOW] = 3,
        [STATUS_EXPIRED] = 4, [STATUS_RED] = 5, [STATUS_REVOKED] = 6,
    };
    return (unsigned)status < STATUS_COUNT ? ranks[status] : ranks[STATUS_RED];
}

bool declaration_status_worse(enum declaration_status a, enum declaration_status b)
{
    return rank(a) > rank(b);
}

static enum declaration_status worse(enum declaration_status a, enum declaration_status b)
{
    if ((unsigned)b >= STATUS_COUNT)
        b = STATUS_RED;
    return declaration_status_worse(b, a) ? b : a;
}

/* An answer without a time of its own was true when it was declared. */
static bool answer_counts(int64_t at_s, int64_t declared_at_s, int64_t window_s, int64_t now_s)
{
    return subtract_saturated(now_s, at_s != 0 ? at_s : declared_at_s) <= window_s;
}

static enum declaration_status worst_of(uint16_t bits, const enum declaration_status *on, int count)
{
    enum declaration_status status = STATUS_NONE;

    for (int i = 0; i < count; i++)
        if (bits & 1u << i)
            status = worse(status, on[i]);
    return status;
}

enum declaration_status declaration_derive(const struct declaration *declaration, const struct declaration_policy *policy,
                                           int64_t now_s)
{
    const struct declaration_answers *answers = &declaration->answers;
    int64_t declared_at_s = declaration->declared_at_s;

    if (!declaration->found)
        return STATUS_NONE;
    bool is_damaged = (unsigned)declaration->status >= STATUS_COUNT;
    enum declaration_status status = is_damaged ? STATUS_NONE : declaration->status;
    if (answer_counts(answers->symptoms_at_s, declared_at_s, policy->symptom_window_s, now_s))
        status = worse(status, worst_of(answers->symptoms, policy->on_symptom, SYMPTOM_COUNT));
    if (answer_counts(answers->contact_at_s, declared_at_s, policy->contact_window_s, now_s))
        status = worse(status, worst_of(answers->contacts, policy->on_contact, CONTACT_COUNT));
    if (answers->travelled && answer_counts(answers->travel_at_s, declared_at_s, policy->travel_window_s, now_s))
        status = worse(status, policy->on_travel);
    return status == STATUS_NONE && !is_damaged ? STATUS_GREEN : status;
}

bool declaration_valid(const struct declaration *declaration, const struct declaration_policy *policy,
                       const struct moment *moment)
{
    if (!declaration->found)
        return false;
    if (policy->since_midnight)
        return local_day(declaration->declared_at_s, moment->utc_offset_s) >= local_day(moment->now_s, moment->utc_offset_s);
    return add_saturated(declaration->declared_at_s, policy->validity_s) >= moment->now_s;
}

/* ---- names ---- */

const char *symptom_name(enum symptom symptom)
{
    return (unsigned)symptom < SYMPTOM_COUNT ? symptom_names[symptom] : "?";
}

const char *contact_name(enum contact contact)
{
    return (unsigned)contact < CONTACT_COUNT ? contact_names[contact] : "?";
}

const char *declared_by_name(enum declared_by by)
{
    return (unsigned)by < DECLARED_BY_COUNT ? declared_by_names[by] : "?";
}

/* The place of a name in a table; -1: it isn't there. */
static int index_of(const char *name, size_t length_bytes, const char *const *names, int count)
{
    for (int i = 0; i < count; i++)
        if (strlen(names[i]) == length_bytes && memcmp(names[i], name, length_bytes) == 0)
            return i;
    return -1;
}

static bool bits_from_names(const char *text, const char *const *names, int count, uint16_t *ret)
{
    static const char dividers[] = " \t,;";
    uint16_t bits = 0;

    for (text += strspn(text, dividers); *text != '\0'; text += strspn(text, dividers)) {
        size_t length_bytes = strcspn(text, dividers);
        int i = index_of(text, length_bytes, names, count);
        if (i < 0)
            return false;
        bits |= (uint16_t)(1u << i);
        text += length_bytes;
    }
    *ret = bits;
    return true;
}

bool symptoms_from_names(const char *names, uint16_t *ret)
{
    return bits_from_names(names, symptom_names, SYMPTOM_COUNT, ret);
}

bool contacts_from_names(const char *names, uint16_t *ret)
{
    return bits_from_names(names, contact_names, CONTACT_COUNT, ret);
}

bool declared_by_from_name(const char *name, enum declared_by *ret)
{
    int i = index_of(name, strlen(name), declared_by_names, DECLARED_BY_COUNT);

    if (i >= 0)
        *ret = (enum declared_by)i;
    return i >= 0;
}
