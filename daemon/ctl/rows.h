/* Rows of an import -> declarations and revocations: CSV by the names of its first line, and lines of JSON. No file
 * is opened and no database known here; a row's mistake is told, not printed. qrgatectl import, and its fuzzer. */
#ifndef CTL_ROWS_H
#define CTL_ROWS_H

#include "daemon/ctl/csv.h"
#include "daemon/ctl/ctl.h"
#include "daemon/mqtt/inbound.h"

enum row_kind { ROW_DECLARATION, ROW_REVOCATION };

/* In the order of export, too. */
enum declaration_column {
    COLUMN_SUBJECT, COLUMN_IDENTITIES, COLUMN_PERSON, COLUMN_STATUS, COLUMN_DECLARED_AT, COLUMN_SYMPTOMS, COLUMN_CONTACTS,
    COLUMN_TRAVELLED, COLUMN_SYMPTOMS_AT, COLUMN_CONTACT_AT, COLUMN_TRAVEL_AT, COLUMN_BY, COLUMN_GROUP, COLUMN_COUNT
};
enum revocation_column { COLUMN_TOKEN_ID, COLUMN_REVOKED_AT, COLUMN_LIFTED, REVOCATION_COLUMN_COUNT };

/* Where each column stands in a row. */
struct columns {
    enum row_kind kind;
    int place[COLUMN_COUNT]; /* -1 = not there */
    int count;
};

union row_value {
    struct declared declared;
    struct revocation revocation;
};

enum { ROW_ALLOWED_BYTES = 256, ROW_VALUE_BYTES = 64 };
struct row_mistake {
    const char *column;            /* NULL: the row as a whole */
    char value[ROW_VALUE_BYTES];   /* printable */
    char allowed[ROW_ALLOWED_BYTES];
};

/* The first line. False: *ret_name is the name that is unknown, comes twice, or (then "") what is needed is missing. */
bool columns_read(const struct csv_row *row, enum row_kind kind, struct columns *ret, const char **ret_name);
bool columns_row(const struct columns *columns, const struct csv_row *row, int64_t now_s, union row_value *ret,
                 struct row_mistake *ret_mistake);

/* A file of JSON lines; empty ones are skipped. */
struct lines {
    FILE *file;
    int64_t line;         /* the one that is read next, from 1 */
    int64_t began;        /* where the present one began */
    size_t length_bytes;  /* more than fits: too long, the rest was skipped */
    char text[INBOUND_MESSAGE_MAX_BYTES + 1];
};
void lines_init(struct lines *lines, FILE *file); /* skips a byte-order mark */
enum csv_result lines_read(struct lines *lines);  /* never CSV_BAD */
bool lines_row(const struct lines *lines, enum row_kind kind, int64_t now_s, union row_value *ret,
               struct row_mistake *ret_mistake);

#endif
