/* qrgatectl declare: one declaration into the register, by flags or by answering the form. */
#include <errno.h>
#include <sodium.h>
#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

#include "daemon/ctl/ctl.h"
#include "daemon/ctl/declare/form.h"
#include "daemon/journal/database.h"
#include "daemon/journal/register.h"
#include "daemon/mqtt/inbound.h"
#include "daemon/settings/settings.h"
#include "daemon/settings/site_key.h"

enum { SUBJECT, STATUS, SYMPTOMS, CONTACTS, TRAVELLED, SYMPTOMS_AT, CONTACT_AT, TRAVEL_AT, AT, BY, GROUP, OPTION_COUNT };
static const struct ctl_option OPTIONS[] = {
    [SUBJECT] = { "subject", "cccd:NUMBER", false, "whose; up to four numbers of one person, with commas between" },
    [STATUS] = { "status", "STATUS", false, "green, yellow, red, white or revoked; may be left out with answers" },
    [SYMPTOMS] = { "symptoms", "LIST", false,
                   "fever,cough,breathlessness,pneumonia,sore_throat,tiredness; none: asked, all no" },
    [CONTACTS] = { "contact", "LIST", false, "with patient,sick_country,symptoms; none: asked, all no" },
    [TRAVELLED] = { "travelled", NULL, false, "was in other places" },
    [SYMPTOMS_AT] = { "symptoms-at", "TIME", false, "when the signs were last there (default: when declared)" },
    [CONTACT_AT] = { "contact-at", "TIME", false, "when the contact last was" },
    [TRAVEL_AT] = { "travel-at", "TIME", false, "when the journey ended" },
    [AT] = { "at", "TIME", false,
             "when it was declared (default: now); ISO 8601, without a zone local time; or Unix seconds" },
    [BY] = { "by", "self|guard", false, "who answered (default guard)" },
    [GROUP] = { "group", "NAME", false, "the person's group, for schedules" },
    { NULL, NULL, false, NULL },
};
_Static_assert((int)OPTION_COUNT <= (int)CTL_OPTIONS_MAX, "ctl->values has room for all");

/* ---- by flags ---------------------------------------------------------------------------------------------------- */

struct flags {
    struct ctl *ctl;
    struct declared *declared;
    char allowed[128]; /* for texts made on the spot */
};

/* NULL, or what is allowed. */
typedef const char *take_flag(struct flags *flags, const char *text);

static struct declaration_answers *answers(struct flags *flags)
{
    return &flags->declared->declaration.answers;
}

static const char *take_time(struct flags *flags, const char *text, int64_t *ret_s)
{
    if (!parse_time(text, ret_s))
        return ALLOWED_TIME;
    return *ret_s > flags->ctl->now_s + CTL_FUTURE_TOLERATED_S
               ? format_future(flags->ctl->now_s, flags->allowed, sizeof(flags->allowed))
               : NULL;
}

static const char *take_subject(struct flags *flags, const char *text)
{
    return parse_identities(text, flags->declared->identities) ? NULL : ALLOWED_IDENTITIES;
}

static const char *take_status(struct flags *flags, const char *text)
{
    return parse_declared_status(text, &flags->declared->declaration.status) ? NULL : ALLOWED_DECLARED_STATUS;
}

static const char *take_symptoms(struct flags *flags, const char *text)
{
    return parse_symptoms(text, &answers(flags)->symptoms) ? NULL : ALLOWED_SYMPTOMS;
}

static const char *take_contacts(struct flags *flags, const char *text)
{
    return parse_contacts(text, &answers(flags)->contacts) ? NULL : ALLOWED_CONTACTS;
}

static const char *take_travelled(struct flags *flags, const char *text)
{
    (void)text;
    answers(flags)->travelled = true;
    return NULL;
}

static const char *take_symptoms_at(struct flags *flags, const char *text)
{
    return take_time(flags, text, &answers(flags)->symptoms_at_s);
}

static const char *take_contact_at(struct flags *flags, const char *text)
{
    return take_time(flags, text, &answers(flags)->contact_at_s);
}

static const char *take_travel_at(struct flags *flags, const char *text)
{
    return take_time(flags, text, &answers(flags)->travel_at_s);
}

static const char *take_at(struct flags *flags, const char *text)
{
    return take_time(flags, text, &flags->declared->declaration.declared_at_s);
}

static const char *take_by(struct flags *flags, const char *text)
{
    return declared_by_from_name(text, &answers(flags)->by) ? NULL : ALLOWED_BY;
}

static const char *take_group(struct flags *flags, const char *text)
{
    return parse_group(text, flags->declared->declaration.group) ? NULL : ALLOWED_GROUP;
}

static enum ctl_exit take_flags(struct ctl *ctl, struct declared *ret)
{
    static take_flag *const takers[OPTION_COUNT] = {
        [SUBJECT] = take_subject,         [STATUS] = take_status,       [SYMPTOMS] = take_symptoms,
        [CONTACTS] = take_contacts,       [TRAVELLED] = take_travelled, [SYMPTOMS_AT] = take_symptoms_at,
        [CONTACT_AT] = take_contact_at,   [TRAVEL_AT] = take_travel_at, [AT] = take_at,
        [BY] = take_by,                   [GROUP] = take_group,
    };
    struct flags flags = { .ctl = ctl, .declared = ret };
    char buffer[80];
    if (!ctl->values[SUBJECT])
        return ctl_complain(ctl, CTL_USAGE, "declare.subject_missing", NULL);
    for (int i = 0; i < OPTION_COUNT; i++) {
        const char *allowed = ctl->values[i] ? takers[i](&flags, ctl->values[i]) : NULL;
        if (allowed)
            return ctl_complain(ctl, CTL_USAGE, "option.wrong", "option", OPTIONS[i].name,
                                "value", printable(ctl->values[i], buffer, sizeof(buffer)), "allowed", allowed, NULL);
    }
    const bool answered = ctl->values[SYMPTOMS] || ctl->values[CONTACTS] || ctl->values[TRAVELLED];
    const char *wrong = inbound_declaration_check(ret, answered);
    return wrong ? ctl_complain(ctl, CTL_USAGE, "declare.wrong", "why", wrong, NULL) : CTL_OK;
}

/* ---- on a terminal ----------------------------------------------------------------------------------------------- */

/* ---- by the form ------------------------------------------------------------------------------------------------- */

/* The site's policy, which is configuration: without one nothing can be said. */
struct policy_of_site {
    struct ctl *ctl;
    bool known;
    struct declaration_policy policy;
};

static const char *status_by_policy(const struct declared *declared, void *userdata)
{
    const struct policy_of_site *site = userdata;
    if (!site->known)
        return say(site->ctl->lang, "form.status_unknown");
    return say_word(site->ctl->lang, "status",
                    declaration_status_name(declaration_derive(&declared->declaration, &site->policy, site->ctl->now_s)));
}

static enum ctl_exit read_policy(struct policy_of_site *site)
{
    struct ctl *ctl = site->ctl;
    const char *path = ctl->config ? ctl->config : CTL_DEFAULT_CONFIG;
    struct settings settings;
    if (!ctl_has_config(ctl))
        return CTL_OK;
    if (settings_load(path, &settings, stderr) != 0)
        return ctl_complain(ctl, CTL_FAILED, "declare.config_bad", "file", path, NULL);
    site->policy = settings.journal.policy.declaration;
    site->known = true;
    return CTL_OK;
}

static enum ctl_exit ask(struct ctl *ctl, struct declared *ret)
{
    struct policy_of_site site = { .ctl = ctl };
    const enum ctl_exit result = read_policy(&site); /* before somebody has answered everything */
    if (result != CTL_OK)
        return result;
    switch (form_run(ctl, ret, status_by_policy, &site)) {
    case FORM_WRITE: break;
    case FORM_NOT_WRITTEN: return ctl_complain(ctl, CTL_FAILED, "form.not_written", NULL);
    case FORM_ENDED: return ctl_complain(ctl, CTL_FAILED, "form.not_finished", NULL);
    case FORM_FAILED: return ctl_complain(ctl, CTL_FAILED, "declare.terminal", NULL);
    }
    const char *wrong = inbound_declaration_check(ret, true);
    return wrong ? ctl_complain(ctl, CTL_FAILED, "declare.not_written", "why", wrong, NULL) : CTL_OK;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static enum ctl_exit fail_write(struct ctl *ctl, int error)
{
    if (error == -EEXIST)
        return ctl_complain(ctl, CTL_FAILED, "declare.conflict", NULL);
    return ctl_complain(ctl, CTL_FAILED, "register.unwritable_now", "why", strerror(-error),
                        "remedy", error == -EBUSY ? say(ctl->lang, "fix.busy") : "", NULL);
}

static enum ctl_exit write_declaration(struct ctl *ctl, const struct declared *declared)
{
    struct register_writer writer = { .db = NULL };
    struct site_keys keys;
    sqlite3 *db = NULL;
    bool taken = false;
    enum ctl_exit result = ctl_load_site_keys(ctl, &keys);
    if (result == CTL_OK)
        result = ctl_open_database(ctl, false, &db);
    if (result == CTL_OK) {
        int error = register_writer_open(db, keys.current, &writer);
        if (error == 0)
            register_writer_old_key(&writer, keys.has_old ? keys.old : NULL);
        if (error == 0)
            error = database_run(db, "BEGIN IMMEDIATE");
        if (error == 0)
            error = register_write(&writer, declared, &taken);
        if (error == 0)
            error = database_run(db, "COMMIT"); /* also when it is older: its numbers were bound */
        if (error < 0)
            result = fail_write(ctl, error);
        else if (!taken)
            result = ctl_complain(ctl, CTL_FAILED, "declare.newer", NULL);
        if (!sqlite3_get_autocommit(db))
            (void)database_run(db, "ROLLBACK"); /* the first error is the one to tell */
    }
    sodium_memzero(&keys, sizeof(keys));
    register_writer_close(&writer);
    (void)sqlite3_close(db); /* accepts NULL; no statement is left */
    return result;
}

static bool has_flags(const struct ctl *ctl)
{
    for (int i = 0; i < OPTION_COUNT; i++)
        if (ctl->values[i])
            return true;
    return false;
}

static enum ctl_exit run(struct ctl *ctl)
{
    struct declared declared = {
        .declaration = { .found = true, .status = STATUS_NONE, .declared_at_s = ctl->now_s, .answers.by = DECLARED_BY_GUARD },
        .source = "manual",
    };
    char when[32];
    const bool by_form = !has_flags(ctl) && isatty(STDIN_FILENO) == 1;
    enum ctl_exit result = by_form ? ask(ctl, &declared) : take_flags(ctl, &declared);
    if (result == CTL_OK)
        result = write_declaration(ctl, &declared);
    if (result == CTL_OK)
        lang_print(stdout, ctl->lang, "declare.done",
                   "status", declared.declaration.status == STATUS_NONE
                                 ? say(ctl->lang, "declare.by_answers")
                                 : say_word(ctl->lang, "status", declaration_status_name(declared.declaration.status)),
                   "time", format_time(declared.declaration.declared_at_s, when), NULL);
    sodium_memzero(&declared, sizeof(declared));
    return result;
}

const struct ctl_command CTL_DECLARE = {
    .name = "declare",
    .summary = "Write one person's declaration into the register",
    .details = "Without options, on a terminal, it asks the form's questions: the number, then one key each (backspace goes back).\n"
               "In Vietnamese: qrgatectl --lang vi declare. Only keyed hashes of the numbers\n"
               "are kept. An older declaration never overwrites a newer one. Numbers: cccd: and 12 digits, cmnd: and 9, bhyt:\n"
               "and 10 digits or the card's 15 characters, qid: and 1 to 18 digits, badge:, hc1:.\n"
               "Examples: qrgatectl declare --subject cccd:022199012345 --status green\n"
               "          qrgatectl declare --subject cccd:022199012345,bhyt:2201234567 --symptoms fever,cough\n",
    .options = OPTIONS,
    .run = run,
};
