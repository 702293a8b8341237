/* The operand of commands about one person. */
#include "daemon/ctl/privacy/person.h"

#include <errno.h>
#include <sodium.h>
#include <sqlite3.h>
#include <string.h>

#include "daemon/journal/person.h"
#include "daemon/journal/register.h"
#include "daemon/settings/site_key.h"

enum { OPERAND_BYTES = 128 };

static enum ctl_exit read_operand(const struct ctl *ctl, char ret_text[OPERAND_BYTES])
{
    if (strcmp(ctl->operand, "-") != 0) {
        (void)snprintf(ret_text, OPERAND_BYTES, "%s", ctl->operand); /* one cut short is none that is allowed */
        return CTL_OK;
    }
    if (!fgets(ret_text, OPERAND_BYTES, stdin))
        return ctl_complain(ctl, CTL_FAILED, "privacy.no_input", NULL);
    ret_text[strcspn(ret_text, "\r\n")] = '\0';
    return CTL_OK;
}

/* Without the hash that is stored nowhere, and without one that leads to the same person. */
static int keep_known(sqlite3 *db, struct privacy_person *person)
{
    struct person_rows rows;
    int error = 0, kept = 0;
    for (int i = 0; i < person->count && error == 0; i++) {
        const int same = kept > 0 ? person_same(db, person->hashes[0], person->hashes[i]) : 0;
        error = same < 0 ? same : person_count(db, person->hashes[i], &rows);
        if (error == 0 && same == 0 && rows.events + rows.presence + rows.declarations + rows.numbers + rows.tokens > 0)
            memmove(person->hashes[kept++], person->hashes[i], JOURNAL_ID_BYTES);
    }
    person->count = kept;
    return error;
}

enum ctl_exit privacy_person(struct ctl *ctl, sqlite3 *db, struct privacy_person *ret)
{
    char text[OPERAND_BYTES], subject[CREDENTIAL_SUBJECT_BYTES];
    struct site_keys keys;
    enum ctl_exit result = read_operand(ctl, text);
    *ret = (struct privacy_person){ .count = 1 };
    if (result != CTL_OK)
        return result;
    if (!parse_person(text, ret->hashes[0])) {
        if (!subject_read(text, strlen(text), subject))
            return ctl_complain(ctl, CTL_USAGE, "privacy.person", "allowed", ALLOWED_SUBJECT, NULL);
        result = ctl_load_site_keys(ctl, &keys);
        if (result != CTL_OK)
            return result;
        register_person(keys.current, subject, ret->hashes[0]);
        if (keys.has_old)
            register_person(keys.old, subject, ret->hashes[ret->count++]);
        sodium_memzero(&keys, sizeof(keys));
    }
    sodium_memzero(text, sizeof(text));
    sodium_memzero(subject, sizeof(subject));
    return keep_known(db, ret) < 0 ? ctl_complain(ctl, CTL_FAILED, "database.unreadable", "why", sqlite3_errmsg(db),
                                                  NULL) : CTL_OK;
}

enum ctl_exit privacy_nobody(const struct ctl *ctl)
{
    return ctl_complain(ctl, CTL_FAILED, "privacy.nobody", NULL);
}
