/* qrgatectl erase-person: forgets one person. A transaction on a connection of its own, beside a daemon that works: the
 * database's lock keeps the two apart for the milliseconds that it takes, it works with the daemon down as well, and no
 * new way leads into the daemon. What the daemon has in memory of the person is at most the rows it is just publishing. */
#include <errno.h>
#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

#include "daemon/ctl/privacy/person.h"
#include "daemon/journal/database.h"
#include "daemon/journal/person.h"

enum { WIPE_TRIES = 5 /* of DATABASE_BUSY_MS each */ };

enum { YES, JSON };
static const struct ctl_option OPTIONS[] = {
    [YES] = { "yes", NULL, false, "don't ask" },
    [JSON] = { "json", NULL, false, "one JSON object" },
    { NULL, NULL, false, NULL },
};

static int count_all(sqlite3 *db, const struct privacy_person *person, bool erase, struct person_rows *ret)
{
    struct person_rows rows;
    int error = 0;
    *ret = (struct person_rows){ 0 };
    for (int i = 0; i < person->count && error == 0; i++) {
        error = erase ? person_erase(db, person->hashes[i], &rows) : person_count(db, person->hashes[i], &rows);
        if (error < 0)
            break;
        ret->events += rows.events;
        ret->unsent_events += rows.unsent_events;
        ret->presence += rows.presence;
        ret->declarations += rows.declarations;
        ret->numbers += rows.numbers;
        ret->tokens += rows.tokens;
    }
    return error;
}

static void print_rows(const struct ctl *ctl, const char *key, const struct person_rows *rows)
{
    char text[LANG_TEXT_MAX_BYTES];
    (void)puts(lang_format(ctl->lang, text, sizeof(text), key, "events", LANG_N(rows->events), "unsent",
                           LANG_N(rows->unsent_events), "declarations", LANG_N(rows->declarations), "numbers",
                           LANG_N(rows->numbers), "presence", LANG_N(rows->presence), "tokens", LANG_N(rows->tokens), NULL));
}

/* Nothing is erased by a slip of the finger: on a terminal it asks, elsewhere it wants --yes. */
static enum ctl_exit confirm(const struct ctl *ctl, sqlite3 *db, const struct privacy_person *person)
{
    struct person_rows rows;
    char answer[16] = "";
    if (ctl->values[YES])
        return CTL_OK;
    if (isatty(STDIN_FILENO) != 1)
        return ctl_complain(ctl, CTL_USAGE, "privacy.yes_needed", NULL);
    if (count_all(db, person, false, &rows) < 0)
        return ctl_complain(ctl, CTL_FAILED, "database.unreadable", "why", sqlite3_errmsg(db), NULL);
    print_rows(ctl, "privacy.erase.found", &rows);
    (void)printf("%s ", say(ctl->lang, "privacy.erase.confirm"));
    if (fflush(stdout) != 0 || !fgets(answer, sizeof(answer), stdin))
        answer[0] = '\0';
    answer[strcspn(answer, "\r\n")] = '\0';
    return strcmp(answer, say(ctl->lang, "privacy.erase.word")) == 0
               ? CTL_OK
               : ctl_complain(ctl, CTL_FAILED, "privacy.erase.kept", NULL);
}

static bool wipe_log(sqlite3 *db)
{
    int error = -EBUSY;
    for (int i = 0; i < WIPE_TRIES && error == -EBUSY; i++)
        error = database_wipe_log(db, true);
    return error == 0;
}

static enum ctl_exit tell(const struct ctl *ctl, const struct person_rows *rows, bool wiped)
{
    if (ctl->values[JSON])
        (void)printf("{\"erased\":{\"events\":%lld,\"unsent_events\":%lld,\"declarations\":%lld,\"numbers\":%lld,"
                     "\"presence\":%lld,\"rotating_tokens\":%lld},\"log_wiped\":%s}\n",
                     (long long)rows->events, (long long)rows->unsent_events, (long long)rows->declarations,
                     (long long)rows->numbers, (long long)rows->presence, (long long)rows->tokens, wiped ? "true" : "false");
    else
        print_rows(ctl, "privacy.erase.done", rows);
    if (!wiped)
        return ctl_complain(ctl, CTL_SOME_BAD, "privacy.erase.log_kept", NULL);
    if (!ctl->values[JSON])
        (void)puts(say(ctl->lang, "privacy.erase.elsewhere"));
    return CTL_OK;
}

static enum ctl_exit erase(struct ctl *ctl, sqlite3 *db)
{
    struct privacy_person person;
    struct person_rows rows;
    enum ctl_exit result = privacy_person(ctl, db, &person);
    if (result != CTL_OK)
        return result;
    if (person.count == 0) { /* an earlier run may have met a reader */
        return wipe_log(db) ? privacy_nobody(ctl) : ctl_complain(ctl, CTL_SOME_BAD, "privacy.erase.log_kept", NULL);
    }
    result = confirm(ctl, db, &person);
    if (result != CTL_OK)
        return result;
    const int error = count_all(db, &person, true, &rows);
    if (error < 0)
        return ctl_complain(ctl, CTL_FAILED, "privacy.not_erased", "why", error == -EINVAL ? say(ctl->lang,
                            "privacy.no_person") : sqlite3_errmsg(db), "remedy", error == -EBUSY ? say(ctl->lang,
                            "fix.busy") : "", NULL);
    return tell(ctl, &rows, wipe_log(db));
}

static enum ctl_exit run(struct ctl *ctl)
{
    sqlite3 *db = NULL;
    enum ctl_exit result = ctl_open_database(ctl, true, &db);
    if (result == CTL_OK)
        result = erase(ctl, db);
    (void)sqlite3_close(db); /* accepts NULL; no statement is left */
    return result;
}

const struct ctl_command CTL_ERASE_PERSON = {
    .name = "erase-person",
    .operand = "PERSON",
    .summary = "Forget one person: whatever this lane stores about them",
    .details = PRIVACY_PERSON_HELP
    "Journal rows keep their place in the hash chain, without the person: verify still passes. Declaration, bound numbers,\n"
    "presence and the steps of rotating passes go. The bytes are overwritten, in the database and in its log.\n"
    "The lane may be working. Events that it is publishing at this moment may still go out. What subscribers and the site's\n"
    "other lanes keep is theirs to erase: run it on each lane. Exit status 3: erased, but another program that reads the\n"
    "journal keeps the log from being cut; end it and run this again.\n",
    .options = OPTIONS,
    .run = run,
};
