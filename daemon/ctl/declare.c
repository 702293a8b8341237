/* qrgatectl declare: one declaration into the register. */
#include <errno.h>
#include <sodium.h>
#include <sqlite3.h>
#include <string.h>

#include "daemon/ctl/ctl.h"
#include "daemon/journal/register.h"

enum { SUBJECT, STATUS, AT };
static const struct ctl_option OPTIONS[] = {
    [SUBJECT] = { "subject", "cccd:NUMBER", true, "whose: cccd: and the 12 digits of the citizen card" },
    [STATUS] = { "status", "STATUS", true, "green, yellow or red" },
    [AT] = { "at", "TIME", false,
             "when it was declared (default: now); ISO 8601, without a zone local time; or Unix seconds" },
    { NULL, NULL, false, NULL },
};

static enum ctl_exit run(struct ctl *ctl)
{
    enum declaration_status status;
    int64_t at_s = ctl->now_s;
    uint8_t site_key[32];
    char person[JOURNAL_ID_BYTES], buffer[80], when[32];
    struct sqlite3 *db = NULL;
    bool taken;

    if (!parse_subject(ctl->values[SUBJECT]))
        return ctl_fail(ctl, CTL_USAGE, "--subject '%s': " ALLOWED_SUBJECT,
                        printable(ctl->values[SUBJECT], buffer, sizeof(buffer)));
    if (!parse_status(ctl->values[STATUS], &status))
        return ctl_fail(ctl, CTL_USAGE, "--status '%s': " ALLOWED_STATUS,
                        printable(ctl->values[STATUS], buffer, sizeof(buffer)));
    if (ctl->values[AT] && !parse_time(ctl->values[AT], &at_s))
        return ctl_fail(ctl, CTL_USAGE, "--at '%s': " ALLOWED_TIME, printable(ctl->values[AT], buffer, sizeof(buffer)));
    if (at_s > ctl->now_s + CTL_FUTURE_TOLERATED_S)
        return ctl_fail(ctl, CTL_USAGE, "--at '%s': is in the future; mend it, or this machine's clock (now %s)",
                        printable(ctl->values[AT], buffer, sizeof(buffer)), format_time(ctl->now_s, when));

    enum ctl_exit result = ctl_load_site_key(ctl, site_key);
    if (result != CTL_OK)
        return result;
    register_person(site_key, ctl->values[SUBJECT], person);
    sodium_memzero(site_key, sizeof(site_key));
    result = ctl_open_database(ctl, false, &db);
    if (result != CTL_OK)
        return result;
    const int error = register_declare(db, person, status, at_s, &taken);
    if (error < 0)
        result = ctl_fail(ctl, CTL_FAILED, "the register can't be written: %s%s", strerror(-error),
                          error == -EBUSY ? "; another program holds it: try again" : "");
    else if (!taken)
        result = ctl_fail(ctl, CTL_FAILED, "the register has a newer declaration of this person; nothing was changed");
    else
        (void)printf("declared %s at %s\n", declaration_status_name(status), format_time(at_s, when));
    (void)sqlite3_close(db); /* no statement is left: can't be busy */
    return result;
}

const struct ctl_command CTL_DECLARE = {
    .name = "declare",
    .summary = "Write one person's declaration into the register",
    .details = "Only the keyed hash of the number is kept. An older declaration never overwrites a newer one.\n"
               "Example: qrgatectl declare --subject cccd:022199012345 --status green\n",
    .options = OPTIONS,
    .run = run,
};
