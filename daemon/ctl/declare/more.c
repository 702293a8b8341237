/* One table of questions; what each allows is what flags and CSV allow. */
#include "daemon/ctl/declare/more.h"

#include <string.h>

enum { ANSWER_BYTES = 256, ALLOWED_BYTES = 256 };
#define SEPARATORS " ,;"

struct more {
    const struct ctl *ctl;
    struct declared *declared;
    char allowed[ALLOWED_BYTES]; /* for texts made on the spot */
};

/* NULL, or what is allowed. "" is what Enter alone means. */
typedef const char *take_answer(struct more *more, const char *text);
struct question {
    const char *key;
    bool (*asked)(const struct declared *declared); /* NULL: always */
    take_answer *take;
};

/* ---- numbers ----------------------------------------------------------------------------------------------------- */

/* The forms whose bare number can be told by its length. */
static const char *prefix_of(const char *word, size_t length)
{
    const bool digits = strspn(word, "0123456789") >= length;
    return digits && length == 12 ? "cccd:"
           : digits && length == 9 ? "cmnd:"
           : (digits && length == 10) || (length == 15 && !memchr(word, ':', length)) ? "bhyt:"
                                                                                       : "";
}

bool more_take_numbers(const char *text, struct declared *ret)
{
    char numbers[ANSWER_BYTES] = "";
    size_t used = 0;
    for (text += strspn(text, SEPARATORS); *text; text += strspn(text, SEPARATORS)) {
        const size_t length = strcspn(text, SEPARATORS);
        const int added = snprintf(numbers + used, sizeof(numbers) - used, "%s%s%.*s", used > 0 ? " " : "",
                                   prefix_of(text, length), (int)length, text);
        if (added < 0 || (size_t)added >= sizeof(numbers) - used)
            return false;
        used += (size_t)added;
        text += length;
    }
    return parse_identities(numbers, ret->identities);
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

/* Nothing typed stays 0, which is when it is declared. */
static const char *take_time(struct more *more, const char *text, int64_t *ret_s)
{
    *ret_s = 0;
    if (text[0] == '\0')
        return NULL;
    if (!parse_time(text, ret_s))
        return ALLOWED_TIME;
    return *ret_s > more->ctl->now_s + CTL_FUTURE_TOLERATED_S
               ? format_future(more->ctl->now_s, more->allowed, sizeof(more->allowed))
               : NULL;
}

static const char *take_symptoms_at(struct more *more, const char *text)
{
    return take_time(more, text, &more->declared->declaration.answers.symptoms_at_s);
}

static const char *take_contact_at(struct more *more, const char *text)
{
    return take_time(more, text, &more->declared->declaration.answers.contact_at_s);
}

static const char *take_travel_at(struct more *more, const char *text)
{
    return take_time(more, text, &more->declared->declaration.answers.travel_at_s);
}

static const char *take_declared_at(struct more *more, const char *text)
{
    int64_t *at_s = &more->declared->declaration.declared_at_s;
    const char *allowed = take_time(more, text, at_s);
    if (!allowed && *at_s == 0)
        *at_s = more->ctl->now_s;
    return allowed;
}

static const char *take_status(struct more *more, const char *text)
{
    enum declaration_status *status = &more->declared->declaration.status;
    *status = STATUS_NONE;
    return text[0] == '\0' || parse_declared_status(text, status) ? NULL : ALLOWED_DECLARED_STATUS;
}

static const char *take_by(struct more *more, const char *text)
{
    enum declared_by *by = &more->declared->declaration.answers.by;
    *by = DECLARED_BY_GUARD;
    return text[0] == '\0' || declared_by_from_name(text, by) ? NULL : ALLOWED_BY;
}

static const char *take_group(struct more *more, const char *text)
{
    more->declared->declaration.group[0] = '\0';
    return text[0] == '\0' || parse_group(text, more->declared->declaration.group) ? NULL : ALLOWED_GROUP;
}

/* ---- questions --------------------------------------------------------------------------------------------------- */

static bool has_symptoms(const struct declared *declared)
{
    return declared->declaration.answers.symptoms != 0;
}

static bool has_contacts(const struct declared *declared)
{
    return declared->declaration.answers.contacts != 0;
}

static bool has_travelled(const struct declared *declared)
{
    return declared->declaration.answers.travelled;
}

static const struct question QUESTIONS[] = {
    { "form.symptoms_at", has_symptoms, take_symptoms_at },
    { "form.contact_at", has_contacts, take_contact_at },
    { "form.travel_at", has_travelled, take_travel_at },
    { "form.colour", NULL, take_status },
    { "form.by", NULL, take_by },
    { "form.group", NULL, take_group },
    { "form.declared_at", NULL, take_declared_at },
};

bool more_ask(const struct ctl *ctl, struct declared *declared, struct terminal *terminal)
{
    struct more more = { .ctl = ctl, .declared = declared };
    char answer[ANSWER_BYTES], shown[80];
    for (size_t i = 0; i < sizeof(QUESTIONS) / sizeof(QUESTIONS[0]); i++) {
        const char *allowed = QUESTIONS[i].asked && !QUESTIONS[i].asked(declared) ? NULL : "";
        while (allowed) {
            (void)printf("%s ", say(ctl->lang, QUESTIONS[i].key));
            const int key = terminal_line(terminal, answer, sizeof(answer));
            if (key == KEY_ENDED)
                return false;
            allowed = QUESTIONS[i].take(&more, key == KEY_BACK ? "" : answer);
            if (key == KEY_BACK)
                (void)putchar('\n');
            if (allowed)
                (void)printf("  '%s': %s\n", printable(answer, shown, sizeof(shown)), allowed);
        }
    }
    return true;
}
