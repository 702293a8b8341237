/* The list of revoked tokens, part of the register. Called by the journal thread and by qrgatectl. */
#include <errno.h>
#include <sqlite3.h>

#include "daemon/journal/database.h"
#include "daemon/journal/register.h"
#include "daemon/journal/register_row.h"

int register_revoke(struct register_writer *writer, const struct revocation *revocation, bool *ret_taken)
{
    sqlite3_stmt *s = writer->statements[REGISTER_REVOKE];
    *ret_taken = false;
    if (!revocation_valid(revocation))
        return -EINVAL;
    if (sqlite3_bind_blob(s, 1, revocation->token_id, sizeof(revocation->token_id), SQLITE_STATIC) != SQLITE_OK ||
        sqlite3_bind_int64(s, 2, revocation->revoked_at_s) != SQLITE_OK ||
        sqlite3_bind_int(s, 3, revocation->lifted ? 1 : 0) != SQLITE_OK ||
        bind_text(s, 4, revocation->source) != SQLITE_OK)
        return -ENOMEM;
    const int error = statement_run(s);
    *ret_taken = error == 0 && sqlite3_changes(writer->db) > 0;
    return error;
}

int register_is_revoked(struct register_writer *writer, const uint8_t token_id[CREDENTIAL_TOKEN_ID_BYTES], bool *ret)
{
    sqlite3_stmt *s = writer->statements[REGISTER_REVOKED];
    *ret = false;
    if (sqlite3_bind_blob(s, 1, token_id, CREDENTIAL_TOKEN_ID_BYTES, SQLITE_STATIC) != SQLITE_OK)
        return -ENOMEM;
    const int code = sqlite3_step(s);
    statement_end(s);
    *ret = code == SQLITE_ROW;
    return database_error(code);
}
