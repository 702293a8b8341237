/* CSV by RFC 4180: quoted fields, doubled quotes, CRLF or LF. A stranger's file: every length is bounded, and after a
 * mistake reading goes on at the next line. */
#ifndef CTL_CSV_H
#define CTL_CSV_H

#include <stdint.h>
#include <stdio.h>

enum { CSV_FIELDS_MAX = 16, CSV_FIELD_BYTES = 256 };
enum csv_result { CSV_ROW, CSV_BAD, CSV_END, CSV_FAILED };

struct csv {
    FILE *file;
    int64_t line; /* the one that is read next, from 1 */
};

struct csv_row {
    int64_t line; /* where it begins */
    int count;
    char fields[CSV_FIELDS_MAX][CSV_FIELD_BYTES];
    const char *mistake; /* CSV_BAD */
};

void csv_init(struct csv *csv, FILE *file);                     /* skips the byte-order mark that spreadsheets write */
enum csv_result csv_read(struct csv *csv, struct csv_row *ret); /* empty lines are skipped */

#endif
