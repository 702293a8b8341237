/* CSV by RFC 4180, one character at a time. Called by qrgatectl import. */
#include "daemon/ctl/csv.h"

#include <stdbool.h>

enum state { AT_FIELD, IN_PLAIN, IN_QUOTES, AFTER_QUOTE, IN_MISTAKE };

struct reading {
    struct csv_row *row;
    enum state state;
    int used; /* bytes of the present field */
};

void csv_init(struct csv *csv, FILE *file)
{
    *csv = (struct csv){ .file = file, .line = 1 };
    const int first = getc(file);
    if (first != 0xEF) {
        if (first != EOF)
            (void)ungetc(first, file); /* one is always allowed */
        return;
    }
    if (getc(file) == 0xBB)
        (void)getc(file);
}

/* A line end, whichever kind, as '\n'. */
static int next_char(struct csv *csv)
{
    int c = getc_unlocked(csv->file);
    if (c == '\r') {
        c = getc_unlocked(csv->file);
        if (c != '\n' && c != EOF)
            (void)ungetc(c, csv->file);
        c = '\n';
    }
    if (c == '\n')
        csv->line++;
    return c;
}

static void mistake(struct reading *reading, const char *what)
{
    reading->row->mistake = what;
    reading->state = IN_MISTAKE;
}

static void end_field(struct reading *reading)
{
    struct csv_row *row = reading->row;
    row->fields[row->count++][reading->used] = '\0';
    reading->used = 0;
    reading->state = AT_FIELD;
}

static void add_char(struct reading *reading, int c)
{
    struct csv_row *row = reading->row;
    if (c == '\0')
        mistake(reading, "a NUL byte; save the file as UTF-8 text");
    else if (reading->used + 1 < CSV_FIELD_BYTES)
        row->fields[row->count][reading->used++] = (char)c;
    else
        mistake(reading, reading->state == IN_QUOTES ? "a quoted field without its closing quote, or too long"
                                                     : "a field is longer than 255 bytes");
}

/* A character that doesn't end the row. */
static void take_char(struct reading *reading, int c)
{
    switch (reading->state) {
    case AT_FIELD:
        if (c == '"') {
            reading->state = IN_QUOTES;
            return;
        }
        reading->state = IN_PLAIN; /* fall through */
        __attribute__((fallthrough));
    case IN_PLAIN:
    case AFTER_QUOTE:
        if (c == ',') {
            if (reading->row->count + 1 < CSV_FIELDS_MAX)
                end_field(reading);
            else
                mistake(reading, "too many fields");
        } else if (reading->state == AFTER_QUOTE) {
            if (c == '"') {
                reading->state = IN_QUOTES;
                add_char(reading, c);
            } else {
                mistake(reading, "text after a closing quote; a quote inside quotes is written twice");
            }
        } else if (c == '"') {
            mistake(reading, "a quote inside a field that doesn't begin with one");
        } else {
            add_char(reading, c);
        }
        return;
    case IN_QUOTES:
        if (c == '"')
            reading->state = AFTER_QUOTE;
        else
            add_char(reading, c);
        return;
    case IN_MISTAKE: return; /* until the line ends */
    }
}

enum csv_result csv_read(struct csv *csv, struct csv_row *ret)
{
    struct reading reading = { .row = ret };
    int c;
    do { /* empty lines */
        ret->line = csv->line;
        c = next_char(csv);
    } while (c == '\n');
    if (c == EOF)
        return ferror(csv->file) ? CSV_FAILED : CSV_END;
    ret->count = 0;
    ret->mistake = NULL;
    while (c != EOF && (c != '\n' || reading.state == IN_QUOTES)) {
        take_char(&reading, c);
        if (c == '\n' && reading.state == IN_MISTAKE)
            break; /* the field grew too long at this very line end */
        c = next_char(csv);
    }
    if (c == EOF && ferror(csv->file))
        return CSV_FAILED;
    if (reading.state == IN_QUOTES)
        mistake(&reading, "a quoted field without its closing quote");
    if (reading.state == IN_MISTAKE)
        return CSV_BAD;
    end_field(&reading);
    return CSV_ROW;
}
