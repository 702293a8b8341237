/* qrgatectl revoke: one token onto the list of those that no longer open, or off it again. */
#include <errno.h>
#include <sodium.h>
#include <sqlite3.h>
#include <string.h>

#include "daemon/credential/token.h"
#include "daemon/ctl/ctl.h"
#include "daemon/journal/database.h"
#include "daemon/journal/register.h"

#define ALLOWED_OPERAND ALLOWED_TOKEN_ID ", or the token itself, from QG1: on"

enum { LIFT, AT };
static const struct ctl_option OPTIONS[] = {
    [LIFT] = { "lift", NULL, false, "takes the token off the list again" },
    [AT] = { "at", "TIME", false,
             "since when (default: now); ISO 8601, without a zone local time; or Unix seconds. A newer entry wins" },
    { NULL, NULL, false, NULL },
};

/* The id of a code is made of its own bytes: no key is needed for it, so a token of a lost or retired key can be
 * revoked. */
static enum ctl_exit read_id_of_code(struct ctl *ctl, const char *code, uint8_t ret_id[CREDENTIAL_TOKEN_ID_BYTES])
{
    static const uint8_t none[CREDENTIAL_TOKEN_ID_BYTES];
    const struct credential_trust trust = { .explain = true };
    struct credential credential;
    credential_read((const uint8_t *)code, strlen(code), &trust, &credential);
    memcpy(ret_id, credential.token_id, CREDENTIAL_TOKEN_ID_BYTES);
    const bool found = memcmp(ret_id, none, sizeof(none)) != 0;
    char detail[sizeof(credential.detail)];
    memcpy(detail, credential.detail, sizeof(detail));
    sodium_memzero(&credential, sizeof(credential)); /* a name and a number */
    if (found)
        return CTL_OK;
    return ctl_complain(ctl, CTL_FAILED, "revoke.no_token", "why", detail[0] ? detail : say(ctl->lang, "revoke.no_id"), NULL);
}

static enum ctl_exit read_operand(struct ctl *ctl, struct revocation *ret)
{
    const bool from_stdin = strcmp(ctl->operand, "-") == 0;
    const char *text = ctl->operand;
    char line[TOKEN_TEXT_BYTES + 2] = "", buffer[80];
    if (from_stdin && !fgets(line, sizeof(line), stdin))
        return ctl_complain(ctl, CTL_FAILED, "revoke.no_line", "allowed", say(ctl->lang, "allowed.token"), NULL);
    if (from_stdin) {
        line[strcspn(line, "\r\n")] = '\0';
        text = line;
    }
    enum ctl_exit result = CTL_OK;
    if (strncmp(text, "QG1:", 4) == 0)
        result = read_id_of_code(ctl, text, ret->token_id);
    else if (!parse_token_id(text, ret->token_id))
        result = ctl_complain(ctl, from_stdin ? CTL_FAILED : CTL_USAGE, "revoke.operand",
                              "value", printable(text, buffer, sizeof(buffer)), "allowed", say(ctl->lang,
                              "allowed.token"), NULL);
    sodium_memzero(line, sizeof(line));
    return result;
}

static enum ctl_exit read_time(struct ctl *ctl, int64_t *ret_s)
{
    const char *text = ctl->values[AT];
    char buffer[80], future[128];
    *ret_s = ctl->now_s;
    if (text && !parse_time(text, ret_s))
        return ctl_complain(ctl, CTL_USAGE, "option.at", "value", printable(text, buffer, sizeof(buffer)),
                            "allowed", say(ctl->lang, "allowed.time"), NULL);
    if (*ret_s > ctl->now_s + CTL_FUTURE_TOLERATED_S)
        return ctl_complain(ctl, CTL_USAGE, "option.at", "value", printable(text, buffer, sizeof(buffer)),
                            "allowed", format_future(ctl->now_s, future, sizeof(future)), NULL);
    return CTL_OK;
}

static enum ctl_exit write_revocation(struct ctl *ctl, const struct revocation *revocation)
{
    static const uint8_t no_key[32]; /* revocations are kept by the token's own id */
    struct register_writer writer = { .db = NULL };
    sqlite3 *db = NULL;
    bool taken = false;
    enum ctl_exit result = ctl_open_database(ctl, false, &db);
    if (result != CTL_OK)
        return result;
    int error = register_writer_open(db, no_key, &writer);
    if (error == 0)
        error = database_run(db, "BEGIN IMMEDIATE");
    if (error == 0)
        error = register_revoke(&writer, revocation, &taken);
    if (error == 0)
        error = database_run(db, "COMMIT");
    if (error < 0)
        result = ctl_complain(ctl, CTL_FAILED, "register.unwritable_now", "why", strerror(-error),
                              "remedy", error == -EBUSY ? say(ctl->lang, "fix.busy") : "", NULL);
    else if (!taken)
        result = ctl_complain(ctl, CTL_FAILED, "revoke.newer", NULL);
    if (!sqlite3_get_autocommit(db))
        (void)database_run(db, "ROLLBACK"); /* the first error is the one to tell */
    register_writer_close(&writer);
    (void)sqlite3_close(db); /* no statement is left */
    return result;
}

static enum ctl_exit run(struct ctl *ctl)
{
    struct revocation revocation = { .lifted = ctl->values[LIFT] != NULL, .source = "manual" };
    char hex[2 * CREDENTIAL_TOKEN_ID_BYTES + 1], when[32];
    enum ctl_exit result = read_operand(ctl, &revocation);
    if (result == CTL_OK)
        result = read_time(ctl, &revocation.revoked_at_s);
    if (result == CTL_OK)
        result = write_revocation(ctl, &revocation);
    if (result == CTL_OK)
        lang_print(stdout, ctl->lang, revocation.lifted ? "revoke.lifted" : "revoke.done", "token",
                   sodium_bin2hex(hex, sizeof(hex), revocation.token_id, CREDENTIAL_TOKEN_ID_BYTES), "time",
                   format_time(revocation.revoked_at_s, when), NULL);
    return result;
}

const struct ctl_command CTL_REVOKE = {
    .name = "revoke",
    .operand = "TOKEN_ID|CODE",
    .summary = "Put a token onto the list of those that no longer open",
    .details = "TOKEN_ID is what `qrgatectl token show` prints; CODE is the token's text, QG1:... in single quotes, or -\n"
               "to read it from standard input (it then stands in no history). A lane denies a revoked token whatever its\n"
               "status. `qrgatectl import --revocations` takes many.\n",
    .options = OPTIONS,
    .run = run,
};
