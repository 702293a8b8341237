/* The register of declarations: look-up and upsert by the person's hash. Called by the journal thread and by qrgatectl.
 */
#include "daemon/journal/register.h"

#include <errno.h>
#include <sodium.h>
#include <sqlite3.h>
#include <string.h>

#include "daemon/journal/database.h"

void register_person(const uint8_t site_key[32], const char *subject, char ret_person[JOURNAL_ID_BYTES])
{
    uint8_t mac[crypto_auth_hmacsha256_BYTES];
    _Static_assert(crypto_auth_hmacsha256_KEYBYTES == 32, "the site key is the HMAC's key");
    (void)crypto_auth_hmacsha256(mac, (const uint8_t *)subject, strlen(subject), site_key); /* can't fail */
    (void)sodium_bin2hex(ret_person, JOURNAL_ID_BYTES, mac, (JOURNAL_ID_BYTES - 1) / 2);
    sodium_memzero(mac, sizeof(mac));
}

int register_declare_with(sqlite3_stmt *declare, const char *person, enum declaration_status status,
                          int64_t declared_at_s, const char *source, bool *ret_taken)
{
    *ret_taken = false;
    /* "none" is the absence of a row and "expired" the passing of time: neither can be declared. */
    if (person[0] == '\0' ||
        (status != STATUS_GREEN && status != STATUS_YELLOW && status != STATUS_RED && status != STATUS_REVOKED))
        return -EINVAL;
    if (sqlite3_bind_text(declare, 1, person, -1, SQLITE_STATIC) != SQLITE_OK ||
        sqlite3_bind_text(declare, 2, declaration_status_name(status), -1, SQLITE_STATIC) != SQLITE_OK ||
        sqlite3_bind_int64(declare, 3, declared_at_s) != SQLITE_OK ||
        sqlite3_bind_text(declare, 4, source, -1, SQLITE_STATIC) != SQLITE_OK)
        return -ENOMEM;
    const int code = sqlite3_step(declare);
    (void)sqlite3_reset(declare); /* repeats the code of step */
    (void)sqlite3_clear_bindings(declare);
    if (code == SQLITE_DONE)
        *ret_taken = sqlite3_changes(sqlite3_db_handle(declare)) > 0;
    return database_error(code);
}

int register_find_with(sqlite3_stmt *find, const char *person, struct declaration *ret)
{
    *ret = (struct declaration){ .status = STATUS_NONE };
    if (sqlite3_bind_text(find, 1, person, -1, SQLITE_STATIC) != SQLITE_OK)
        return -ENOMEM;
    const int code = sqlite3_step(find);
    int error = database_error(code);
    if (code == SQLITE_ROW) {
        const char *status = (const char *)sqlite3_column_text(find, 0);
        if (status && declaration_status_from_name(status, &ret->status)) {
            ret->declared_at_s = sqlite3_column_int64(find, 1);
            ret->found = true;
        } else {
            error = -EILSEQ; /* not a row of ours: better no decision than a guess */
        }
    }
    (void)sqlite3_reset(find);
    (void)sqlite3_clear_bindings(find);
    return error;
}

int register_declare(sqlite3 *db, const char *person, enum declaration_status status, int64_t declared_at_s,
                     bool *ret_taken)
{
    sqlite3_stmt *statement = NULL;
    *ret_taken = false;
    int error = database_error(sqlite3_prepare_v2(db, REGISTER_DECLARE_SQL, -1, &statement, NULL));
    if (error == 0)
        error = register_declare_with(statement, person, status, declared_at_s, "manual", ret_taken);
    (void)sqlite3_finalize(statement);
    return error;
}

int register_find(sqlite3 *db, const char *person, struct declaration *ret)
{
    sqlite3_stmt *statement = NULL;
    *ret = (struct declaration){ .status = STATUS_NONE };
    int error = database_error(sqlite3_prepare_v2(db, REGISTER_FIND_SQL, -1, &statement, NULL));
    if (error == 0)
        error = register_find_with(statement, person, ret);
    (void)sqlite3_finalize(statement);
    return error;
}
