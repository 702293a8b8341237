/* A declaration's row, for the register's two readers. Internal to journal/. */
#ifndef JOURNAL_REGISTER_ROW_H
#define JOURNAL_REGISTER_ROW_H

#include "daemon/journal/journal.h"

struct sqlite3_stmt;

#define REGISTER_ROW_COLUMNS \
    "status, declared_at_s, symptoms, contacts, travelled, symptoms_at_s, contact_at_s, travel_at_s, declared_by, grp"
enum { REGISTER_ROW_COLUMN_COUNT = 10, REGISTER_NAMES_BYTES = 128 };

/* The current row of a statement whose columns from `first` on are these. 0, or -EILSEQ: not a row of ours: better no
 * decision than a guess. */
int register_row_read(struct sqlite3_stmt *statement, int first, struct declaration *ret);
/* Bits as names, by commas, as symptoms_from_names() reads them. */
void register_symptom_names(uint16_t symptoms, char ret[REGISTER_NAMES_BYTES]);
void register_contact_names(uint16_t contacts, char ret[REGISTER_NAMES_BYTES]);
bool declared_valid(const struct declared *declared);
bool revocation_valid(const struct revocation *revocation);
/* A person's hash: exactly 32 digits of lower-case hex, and its end. */
bool person_valid(const char person[JOURNAL_ID_BYTES]);

#endif
