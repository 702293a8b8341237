/* qrgatectl import: a CSV of declarations into the register. Rows are read into memory first and written in short
 * transactions, so that neither a slow pipe nor a long file keeps the gate from deciding. */
#include <errno.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/ctl/csv.h"
#include "daemon/ctl/ctl.h"
#include "daemon/journal/database.h"
#include "daemon/journal/register.h"

enum { BATCH_ROWS = 10000, PROGRESS_ROWS = 2000, BAR_WIDTH = 40, YIELD_MS = 10 };
enum column { SUBJECT, STATUS, DECLARED_AT, COLUMN_COUNT };
static const char *const COLUMNS[COLUMN_COUNT] = { "subject", "status", "declared_at" };
static const struct ctl_option OPTIONS[] = { { NULL, NULL, false, NULL } };

struct declared {
    char person[JOURNAL_ID_BYTES];
    enum declaration_status status;
    int64_t at_s;
};

struct import {
    struct ctl *ctl;
    const char *name; /* of the file, for messages */
    struct csv csv;
    struct csv_row row;
    int place[COLUMN_COUNT]; /* of each column in a row */
    uint8_t site_key[32];
    sqlite3 *db;
    sqlite3_stmt *declare;
    struct declared *batch;
    int batch_rows;
    int64_t taken, older, bad;
    off_t size_bytes; /* 0 = unknown */
    bool progress;
};

/* ---- progress, only on a terminal -------------------------------------------------------------------------------- */

static void clear_progress(const struct import *import)
{
    if (import->progress)
        (void)fprintf(stderr, "\r\033[K");
}

static void show_progress(const struct import *import)
{
    const int64_t rows = import->taken + import->older + import->bad + import->batch_rows;
    if (!import->progress || rows % PROGRESS_ROWS != 0)
        return;
    const off_t at = import->size_bytes > 0 ? ftello(import->csv.file) : -1;
    if (at < 0) {
        (void)fprintf(stderr, "\r%lld rows", (long long)rows);
        return;
    }
    const int percent = (int)(at >= import->size_bytes ? 100 : at * 100 / import->size_bytes);
    const int filled = percent * BAR_WIDTH / 100;
    (void)fprintf(stderr, "\r[%.*s%.*s] %3d%% %lld rows", filled, "########################################",
                  BAR_WIDTH - filled, "                                        ", percent, (long long)rows);
}

/* ---- one row ----------------------------------------------------------------------------------------------------- */

static void bad_row(struct import *import, const char *field, const char *value, const char *allowed)
{
    char buffer[80];
    clear_progress(import);
    if (field)
        (void)fprintf(stderr, "%s:%lld: %s '%s': %s\n", import->name, (long long)import->row.line, field,
                      printable(value, buffer, sizeof(buffer)), allowed);
    else
        (void)fprintf(stderr, "%s:%lld: %s\n", import->name, (long long)import->row.line, allowed);
    import->bad++;
}

static void take_row(struct import *import)
{
    struct declared *next = &import->batch[import->batch_rows];
    char allowed[128], when[32];
    if (import->row.count != COLUMN_COUNT) {
        (void)snprintf(allowed, sizeof(allowed), "%d field%s: allowed are the 3 of the first line, separated by commas",
                       import->row.count, import->row.count == 1 ? "" : "s");
        bad_row(import, NULL, "", allowed);
        return;
    }
    const char *subject = import->row.fields[import->place[SUBJECT]];
    const char *status = import->row.fields[import->place[STATUS]];
    const char *at = import->row.fields[import->place[DECLARED_AT]];
    if (!parse_subject(subject)) {
        bad_row(import, COLUMNS[SUBJECT], subject, ALLOWED_SUBJECT);
    } else if (!parse_status(status, &next->status)) {
        bad_row(import, COLUMNS[STATUS], status, ALLOWED_STATUS);
    } else if (!parse_time(at, &next->at_s)) {
        bad_row(import, COLUMNS[DECLARED_AT], at, ALLOWED_TIME);
    } else if (next->at_s > import->ctl->now_s + CTL_FUTURE_TOLERATED_S) {
        (void)snprintf(allowed, sizeof(allowed), "is in the future; mend it, or this machine's clock (now %s)",
                       format_time(import->ctl->now_s, when));
        bad_row(import, COLUMNS[DECLARED_AT], at, allowed);
    } else {
        register_person(import->site_key, subject, next->person);
        import->batch_rows++;
    }
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

static enum ctl_exit fail_header(struct import *import, const char *name)
{
    char buffer[80];
    if (strchr(name, ';') || strchr(name, '\t'))
        return ctl_fail(import->ctl, CTL_FAILED,
                        "%s:1: '%s': fields must be separated by commas; save it as CSV with commas", import->name,
                        printable(name, buffer, sizeof(buffer)));
    return ctl_fail(import->ctl, CTL_FAILED,
                    "%s:1: '%s': the first line must be subject,status,declared_at and nothing else "
                    "(names are never kept: take such columns out)",
                    import->name, printable(name, buffer, sizeof(buffer)));
}

static enum ctl_exit read_header(struct import *import)
{
    const enum csv_result got = csv_read(&import->csv, &import->row);
    if (got == CSV_FAILED)
        return ctl_fail(import->ctl, CTL_FAILED, "%s: can't be read: %s", import->name, strerror(errno));
    if (got != CSV_ROW)
        return fail_header(import, "");
    for (int column = 0; column < COLUMN_COUNT; column++)
        import->place[column] = -1;
    for (int place = 0; place < import->row.count; place++) {
        int column = 0;
        while (column < COLUMN_COUNT && strcmp(import->row.fields[place], COLUMNS[column]) != 0)
            column++;
        if (column == COLUMN_COUNT || import->place[column] >= 0)
            return fail_header(import, import->row.fields[place]);
        import->place[column] = place;
    }
    return import->row.count == COLUMN_COUNT ? CTL_OK : fail_header(import, import->row.fields[0]);
}

static enum ctl_exit write_batch(struct import *import)
{
    int64_t taken = 0;
    bool one;
    int error = database_run(import->db, "BEGIN IMMEDIATE");
    for (int i = 0; i < import->batch_rows && error == 0; i++) {
        const struct declared *row = &import->batch[i];
        error = register_declare_with(import->declare, row->person, row->status, row->at_s, "import", &one);
        taken += one;
    }
    if (error == 0)
        error = database_run(import->db, "COMMIT");
    if (error < 0) {
        if (!sqlite3_get_autocommit(import->db))
            (void)database_run(import->db, "ROLLBACK"); /* the first error is the one to tell */
        clear_progress(import);
        return ctl_fail(import->ctl, CTL_FAILED,
                        "the register can't be written: %s; %lld rows before stay: mend the cause and import "
                        "the file again",
                        error == -EBUSY ? "another program holds it" : strerror(-error), (long long)import->taken);
    }
    import->taken += taken;
    import->older += import->batch_rows - taken;
    import->batch_rows = 0;
    return CTL_OK;
}

static enum ctl_exit import_rows(struct import *import)
{
    const struct timespec yield = { .tv_nsec = YIELD_MS * 1000000L };
    enum ctl_exit result = read_header(import);
    while (result == CTL_OK) {
        const enum csv_result got = csv_read(&import->csv, &import->row);
        if (got == CSV_FAILED)
            result = ctl_fail(import->ctl, CTL_FAILED, "%s: can't be read: %s", import->name, strerror(errno));
        if (got == CSV_FAILED || got == CSV_END)
            break;
        if (got == CSV_BAD)
            bad_row(import, NULL, "", import->row.mistake);
        else
            take_row(import);
        show_progress(import);
        if (import->batch_rows == BATCH_ROWS) {
            result = write_batch(import);
            (void)nanosleep(&yield, NULL); /* the gate's turn; database.c's wait is made for it */
        }
    }
    if (result == CTL_OK && import->batch_rows > 0)
        result = write_batch(import);
    clear_progress(import);
    return result;
}

static enum ctl_exit open_import(struct import *import)
{
    struct ctl *ctl = import->ctl;
    struct stat status;
    const bool from_stdin = strcmp(ctl->operand, "-") == 0;
    FILE *file = from_stdin ? stdin : fopen(ctl->operand, "re");
    if (!file)
        return ctl_fail(ctl, CTL_FAILED, "%s: can't be read: %s", ctl->operand, strerror(errno));
    import->name = from_stdin ? "stdin" : ctl->operand;
    import->csv.file = file;
    import->progress = isatty(STDERR_FILENO) == 1;
    if (fstat(fileno(file), &status) == 0 && S_ISREG(status.st_mode))
        import->size_bytes = status.st_size;

    enum ctl_exit result = ctl_load_site_key(ctl, import->site_key);
    if (result == CTL_OK)
        result = ctl_open_database(ctl, false, &import->db);
    if (result != CTL_OK)
        return result;
    if (sqlite3_prepare_v2(import->db, REGISTER_DECLARE_SQL, -1, &import->declare, NULL) != SQLITE_OK)
        return ctl_fail(ctl, CTL_FAILED, "the register can't be written: %s", sqlite3_errmsg(import->db));
    import->batch = calloc(BATCH_ROWS, sizeof(*import->batch));
    if (!import->batch)
        return ctl_fail(ctl, CTL_FAILED, "no memory for %d rows", BATCH_ROWS);
    csv_init(&import->csv, file);
    return CTL_OK;
}

static enum ctl_exit run(struct ctl *ctl)
{
    struct import import = { .ctl = ctl };
    enum ctl_exit result = open_import(&import);
    if (result == CTL_OK)
        result = import_rows(&import);
    if (result == CTL_OK) {
        (void)printf("%lld rows taken", (long long)import.taken);
        if (import.older > 0)
            (void)printf(", %lld left out because the register has a newer declaration", (long long)import.older);
        if (import.bad > 0)
            (void)printf(", %lld bad", (long long)import.bad);
        (void)printf("\n");
        result = import.bad > 0 ? CTL_SOME_BAD : CTL_OK;
    }
    free(import.batch);
    (void)sqlite3_finalize(import.declare); /* repeats an old code */
    (void)sqlite3_close(import.db);         /* accepts NULL; no statement is left */
    if (import.csv.file && import.csv.file != stdin)
        (void)fclose(import.csv.file); /* only read */
    sodium_memzero(&import, sizeof(import));
    return result;
}

const struct ctl_command CTL_IMPORT = {
    .name = "import",
    .operand = "FILE.csv",
    .summary = "Write declarations from a CSV file into the register",
    .details =
        "FILE.csv is UTF-8 with commas; its first line is subject,status,declared_at. `-` reads standard input.\n"
        "  subject      cccd: and the 12 digits of the citizen card; only its keyed hash is kept\n"
        "  status       green, yellow or red\n"
        "  declared_at  ISO 8601 (without a zone: local time) or Unix seconds\n"
        "Good rows are taken, bad ones are listed as FILE:LINE: and left out; an older declaration never overwrites a\n"
        "newer one, so the same file may be imported twice. The gate may go on working meanwhile.\n",
    .options = OPTIONS,
    .run = run,
};
