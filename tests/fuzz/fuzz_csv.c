/* Fuzzes the reading side of qrgatectl import: each input as CSV and as JSON lines, of declarations and of
 * revocations. The tool's files aren't in libqrgate.a, so they are taken in whole. */
#include <time.h>

#include "daemon/ctl/csv.c"
#include "daemon/ctl/rows.c"
#include "daemon/ctl/values.c"

#define NOW_S INT64_C(1790000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A time without a zone is local time, whose rules the C library reads from a file once: before the wall of runner.c. */
__attribute__((constructor)) static void read_zone(void)
{
    if (setenv("TZ", "UTC0", 1) != 0)
        abort();
    tzset();
}

static void require(bool holds, const char *what)
{
    if (holds)
        return;
    (void)fprintf(stderr, "fuzz_csv: broken: %s\n", what);
    abort();
}

static void check(bool taken, enum row_kind kind, const union row_value *value, const struct row_mistake *mistake)
{
    char line[1024];
    if (taken && kind == ROW_DECLARATION)
        require(inbound_declaration_check(&value->declared, true) == NULL &&
                inbound_declaration_write(&value->declared, line, sizeof line) > 0, "a row taken is a declaration");
    else if (taken)
        require(inbound_revocation_write(&value->revocation, line, sizeof line) > 0, "a row taken is a revocation");
    else
        require(mistake->allowed[0] != '\0' && memchr(mistake->allowed, '\0', sizeof mistake->allowed) != NULL &&
                utf8_plain((const uint8_t *)mistake->value, strlen(mistake->value)), "a mistake is told");
}

static void fuzz_csv(FILE *file, enum row_kind kind)
{
    struct csv csv;
    struct csv_row row;
    struct columns columns;
    union row_value value;
    const char *name = "";
    csv_init(&csv, file);
    if (csv_read(&csv, &row) != CSV_ROW || !columns_read(&row, kind, &columns, &name))
        return;
    for (int64_t last = 0;; last = row.line) {
        struct row_mistake mistake = { .column = NULL };
        enum csv_result got = csv_read(&csv, &row);
        require(got != CSV_FAILED && (got == CSV_END || row.line > last), "lines go on");
        if (got == CSV_END)
            return;
        if (got == CSV_ROW)
            check(columns_row(&columns, &row, NOW_S, &value, &mistake), kind, &value, &mistake);
        else
            require(row.mistake != NULL, "a bad line has a mistake");
    }
}

static void fuzz_lines(FILE *file, enum row_kind kind)
{
    struct lines lines;
    union row_value value;
    lines_init(&lines, file);
    while (lines_read(&lines) == CSV_ROW) {
        struct row_mistake mistake = { .column = NULL, .value = "" };
        check(lines_row(&lines, kind, NOW_S, &value, &mistake), kind, &value, &mistake);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int way = 0; way < 4 && size > 0; way++) {
        FILE *file = fmemopen((void *)(uintptr_t)data, size, "r"); /* only read */
        require(file != NULL, "fmemopen");
        if (way < 2)
            fuzz_csv(file, way % 2 == 0 ? ROW_DECLARATION : ROW_REVOCATION);
        else
            fuzz_lines(file, way % 2 == 0 ? ROW_DECLARATION : ROW_REVOCATION);
        require(fclose(file) == 0, "fclose");
    }
    return 0;
}
