/* qrgatectl import: a file of declarations or revocations into the register. Rows are read into memory first and
 * written in short transactions, so that neither a slow pipe nor a long file keeps the gate from deciding. */
#include <errno.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "daemon/ctl/progress.h"
#include "daemon/ctl/rows.h"
#include "daemon/journal/database.h"
#include "daemon/journal/register.h"
#include "daemon/settings/site_key.h"

enum { BATCH_ROWS = 10000, YIELD_MS = 10 };

enum { FORMAT, REVOCATIONS };
static const struct ctl_option OPTIONS[] = {
    [FORMAT] = { "format", "csv|jsonl", false, "default: by the file's name (.jsonl, .ndjson), else csv" },
    [REVOCATIONS] = { "revocations", NULL, false, "the file is a list of revoked tokens" },
    { NULL, NULL, false, NULL },
};

struct item {
    int64_t line;
    union row_value value;
};

struct import {
    struct ctl *ctl;
    const char *name; /* of the file, for messages */
    FILE *file;
    enum row_kind kind;
    bool jsonl;
    struct csv csv; /* csv, row, columns; or lines */
    struct csv_row row;
    struct columns columns;
    struct lines lines;
    sqlite3 *db;
    struct register_writer writer;
    struct item *batch;
    int batch_rows;
    int64_t taken, older, bad;
    struct progress progress;
};

/* ---- one row ----------------------------------------------------------------------------------------------------- */

/* `column` is NULL: the row as a whole. */
static void bad_row(struct import *import, int64_t line, const char *column, const char *value, const char *allowed)
{
    char told[LANG_TOLD_BYTES];
    allowed = lang_told(import->ctl->lang, told, sizeof(told), allowed);
    progress_clear(&import->progress);
    if (column)
        (void)fprintf(stderr, "%s:%lld: %s '%s': %s\n", import->name, (long long)line, column, value, allowed);
    else
        (void)fprintf(stderr, "%s:%lld: %s\n", import->name, (long long)line, allowed);
    import->bad++;
}

/* The next row of the file into the batch, or its mistake onto the screen. False: there is none; *ret_failed: reading
 * failed. */
static bool take_row(struct import *import, bool *ret_failed)
{
    struct item *item = &import->batch[import->batch_rows];
    struct row_mistake mistake;
    const enum csv_result got = import->jsonl ? lines_read(&import->lines) : csv_read(&import->csv, &import->row);
    *ret_failed = got == CSV_FAILED;
    if (got == CSV_FAILED || got == CSV_END)
        return false;
    item->line = import->jsonl ? import->lines.began : import->row.line;
    if (got == CSV_BAD)
        bad_row(import, item->line, NULL, "", import->row.mistake);
    else if (import->jsonl ? lines_row(&import->lines, import->kind, import->ctl->now_s, &item->value, &mistake)
                           : columns_row(&import->columns, &import->row, import->ctl->now_s, &item->value, &mistake))
        import->batch_rows++;
    else
        bad_row(import, item->line, mistake.column, mistake.value, mistake.allowed);
    return true;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

/* 0, also for a row that is told and left out; or negative errno. */
static int write_item(struct import *import, const struct item *item, int64_t *taken, int64_t *older)
{
    bool one = false;
    const int error = import->kind == ROW_DECLARATION
                          ? register_write(&import->writer, &item->value.declared, &one)
                          : register_revoke(&import->writer, &item->value.revocation, &one);
    if (error == -EEXIST)
        bad_row(import, item->line, NULL, "", say(import->ctl->lang, "import.conflict"));
    else if (error == -EINVAL)
        bad_row(import, item->line, NULL, "", say(import->ctl->lang, "import.not_taken"));
    else if (error < 0)
        return error;
    else if (one)
        (*taken)++;
    else
        (*older)++;
    return 0;
}

static enum ctl_exit write_batch(struct import *import)
{
    int64_t taken = 0, older = 0;
    int error = database_run(import->db, "BEGIN IMMEDIATE");
    for (int i = 0; i < import->batch_rows && error == 0; i++)
        error = write_item(import, &import->batch[i], &taken, &older);
    if (error == 0)
        error = database_run(import->db, "COMMIT");
    if (error < 0) {
        if (!sqlite3_get_autocommit(import->db))
            (void)database_run(import->db, "ROLLBACK"); /* the first error is the one to tell */
        progress_clear(&import->progress);
        return ctl_complain(import->ctl, CTL_FAILED, "import.failed",
                            "why", error == -EBUSY ? say(import->ctl->lang, "why.busy") : strerror(-error),
                            "rows", LANG_N(import->taken), NULL);
    }
    import->taken += taken;
    import->older += older;
    import->batch_rows = 0;
    return CTL_OK;
}

static void show_progress(const struct import *import)
{
    const int64_t rows = import->taken + import->older + import->bad + import->batch_rows;
    if (progress_due(&import->progress, rows))
        progress_show(&import->progress, import->progress.total > 0 ? (int64_t)ftello(import->file) : -1, rows);
}

static enum ctl_exit import_rows(struct import *import)
{
    const struct timespec yield = { .tv_nsec = YIELD_MS * 1000000L };
    enum ctl_exit result = CTL_OK;
    bool failed = false;
    while (result == CTL_OK && take_row(import, &failed)) {
        show_progress(import);
        if (import->batch_rows == BATCH_ROWS) {
            result = write_batch(import);
            (void)nanosleep(&yield, NULL); /* the gate's turn; database.c's wait is made for it */
        }
    }
    if (failed)
        result = ctl_complain(import->ctl, CTL_FAILED, "file.unreadable", "file", import->name,
                              "why", strerror(errno), NULL);
    if (result == CTL_OK && import->batch_rows > 0)
        result = write_batch(import);
    progress_clear(&import->progress);
    return result;
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

static enum ctl_exit fail_header(struct import *import, const char *name)
{
    char buffer[80];
    (void)printable(name, buffer, sizeof(buffer));
    if (strchr(name, ';') || strchr(name, '\t'))
        return ctl_complain(import->ctl, CTL_FAILED, "import.no_commas", "file", import->name, "value", buffer, NULL);
    if (import->kind == ROW_REVOCATION)
        return ctl_complain(import->ctl, CTL_FAILED, "import.head_revocations", "file", import->name,
                            "value", buffer, NULL);
    return ctl_complain(import->ctl, CTL_FAILED, "import.head", "file", import->name, "value", buffer, NULL);
}

static enum ctl_exit begin_reading(struct import *import)
{
    const char *name = "";
    if (import->jsonl) {
        lines_init(&import->lines, import->file);
        return CTL_OK;
    }
    csv_init(&import->csv, import->file);
    const enum csv_result got = csv_read(&import->csv, &import->row);
    if (got == CSV_FAILED)
        return ctl_complain(import->ctl, CTL_FAILED, "file.unreadable", "file", import->name, "why", strerror(errno),
                            NULL);
    if (got != CSV_ROW || !columns_read(&import->row, import->kind, &import->columns, &name))
        return fail_header(import, name);
    return CTL_OK;
}

static bool ends_with(const char *text, const char *end)
{
    const size_t length = strlen(text), end_length = strlen(end);
    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

static enum ctl_exit choose_format(struct import *import)
{
    const char *format = import->ctl->values[FORMAT];
    char buffer[80];
    if (format && strcmp(format, "csv") != 0 && strcmp(format, "jsonl") != 0)
        return ctl_complain(import->ctl, CTL_USAGE, "option.format",
                            "value", printable(format, buffer, sizeof(buffer)), NULL);
    import->jsonl = format ? strcmp(format, "jsonl") == 0
                           : ends_with(import->ctl->operand, ".jsonl") || ends_with(import->ctl->operand, ".ndjson");
    return CTL_OK;
}

static enum ctl_exit open_file(struct import *import)
{
    struct ctl *ctl = import->ctl;
    struct stat status;
    const bool from_stdin = strcmp(ctl->operand, "-") == 0;
    import->file = from_stdin ? stdin : fopen(ctl->operand, "re");
    if (!import->file)
        return ctl_complain(ctl, CTL_FAILED, "file.unreadable", "file", ctl->operand, "why", strerror(errno), NULL);
    import->name = from_stdin ? "stdin" : ctl->operand;
    const bool sized = fstat(fileno(import->file), &status) == 0 && S_ISREG(status.st_mode);
    progress_init(&import->progress, ctl->lang, sized ? (int64_t)status.st_size : 0);
    return CTL_OK;
}

static enum ctl_exit open_register(struct import *import)
{
    struct ctl *ctl = import->ctl;
    struct site_keys keys = { .has_old = false }; /* revocations need none */
    enum ctl_exit result = import->kind == ROW_DECLARATION ? ctl_load_site_keys(ctl, &keys) : CTL_OK;
    if (result == CTL_OK)
        result = ctl_open_database(ctl, false, &import->db);
    int error = result == CTL_OK ? database_tune_import(import->db) : 0;
    if (result == CTL_OK && error == 0)
        error = register_writer_open(import->db, keys.current, &import->writer);
    if (error == 0)
        register_writer_old_key(&import->writer, keys.has_old ? keys.old : NULL);
    sodium_memzero(&keys, sizeof(keys));
    if (result != CTL_OK)
        return result;
    if (error < 0)
        return ctl_complain(ctl, CTL_FAILED, "register.unwritable", "why", sqlite3_errmsg(import->db), NULL);
    import->batch = calloc(BATCH_ROWS, sizeof(*import->batch));
    if (!import->batch)
        return ctl_complain(ctl, CTL_FAILED, "import.no_memory", "rows", LANG_N(BATCH_ROWS), NULL);
    return CTL_OK;
}

static enum ctl_exit tell(const struct import *import)
{
    const bool declarations = import->kind == ROW_DECLARATION;
    const struct lang *lang = import->ctl->lang;
    lang_print(stdout, lang, declarations ? "import.rows_taken" : "import.revocations_taken", "rows", LANG_N(import->taken), NULL);
    if (import->older > 0)
        lang_print(stdout, lang, declarations ? "import.rows_older" : "import.revocations_older", "rows", LANG_N(import->older), NULL);
    if (import->bad > 0)
        lang_print(stdout, lang, "import.bad", "rows", LANG_N(import->bad), NULL);
    (void)printf("\n");
    return import->bad > 0 ? CTL_SOME_BAD : CTL_OK;
}

static enum ctl_exit run(struct ctl *ctl)
{
    struct import import = { .ctl = ctl, .kind = ctl->values[REVOCATIONS] ? ROW_REVOCATION : ROW_DECLARATION };
    enum ctl_exit result = choose_format(&import);
    if (result == CTL_OK)
        result = open_file(&import);
    if (result == CTL_OK)
        result = open_register(&import);
    if (result == CTL_OK)
        result = begin_reading(&import);
    if (result == CTL_OK)
        result = import_rows(&import);
    if (result == CTL_OK)
        result = tell(&import);
    free(import.batch);
    register_writer_close(&import.writer);
    (void)sqlite3_close(import.db); /* accepts NULL; no statement is left */
    if (import.file && import.file != stdin)
        (void)fclose(import.file); /* only read */
    sodium_memzero(&import, sizeof(import));
    return result;
}

const struct ctl_command CTL_IMPORT = {
    .name = "import",
    .operand = "FILE",
    .summary = "Write declarations, or revoked tokens, from a file into the register",
    .details =
        "FILE is UTF-8: CSV with commas, whose first line names its columns in any order, or JSON lines as in\n"
        "declaration.json and revocation.json of the schemas. `-` reads standard input.\n"
        "  subject      one number: cccd: and the 12 digits of the citizen card, cmnd: and 9, bhyt: and 10 digits or the\n"
        "               card's 15 characters, qid:, badge:, hc1:; only its keyed hash is kept\n"
        "  identities   instead: up to four numbers of one person, separated by spaces\n"
        "  person       instead: the hash, as export writes it\n"
        "  declared_at  ISO 8601 (without a zone: local time) or Unix seconds\n"
        "  status       green, yellow, red, white or revoked; may be empty where questions are answered:\n"
        "  symptoms     fever, cough, breathlessness, pneumonia, sore_throat, tiredness, separated by spaces; or none\n"
        "  contacts     patient, sick_country, symptoms, separated by spaces; or none\n"
        "  travelled    yes or no\n"
        "  symptoms_at, contact_at, travel_at   when last; empty = when declared\n"
        "  by, group    self or guard; the group for schedules\n"
        "With --revocations: token_id, revoked_at and, if you like, lifted (yes or no).\n"
        "Good rows are taken, bad ones are listed as FILE:LINE: and left out; an older entry never overwrites a newer\n"
        "one, so the same file may be imported twice. The gate may go on working meanwhile.\n",
    .options = OPTIONS,
    .run = run,
};
