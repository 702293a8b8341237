/* One row of an import, checked column by column. Called by qrgatectl import. */
#include "daemon/ctl/rows.h"

#include <string.h>

/* ---- the columns of CSV ------------------------------------------------------------------------------------------ */

struct row {
    int64_t now_s;
    union row_value *value;
    char *allowed; /* ROW_ALLOWED_BYTES, for texts made on the spot */
};

/* NULL, or what is allowed. */
typedef const char *take_field(struct row *row, const char *text);
struct column {
    const char *name;
    take_field *take;
};

static const char *take_time(struct row *row, const char *text, int64_t *ret_s)
{
    if (!parse_time(text, ret_s))
        return ALLOWED_TIME;
    return *ret_s > row->now_s + CTL_FUTURE_TOLERATED_S ? format_future(row->now_s, row->allowed, ROW_ALLOWED_BYTES)
                                                        : NULL;
}

static struct declaration_answers *answers(struct row *row)
{
    return &row->value->declared.declaration.answers;
}

static const char *take_subject(struct row *row, const char *text)
{
    return subject_read(text, strlen(text), row->value->declared.identities[0]) ? NULL : ALLOWED_SUBJECT;
}

static const char *take_identities(struct row *row, const char *text)
{
    return parse_identities(text, row->value->declared.identities) ? NULL : ALLOWED_IDENTITIES;
}

static const char *take_person(struct row *row, const char *text)
{
    return parse_person(text, row->value->declared.person) ? NULL : ALLOWED_PERSON;
}

static const char *take_status(struct row *row, const char *text)
{
    return parse_declared_status(text, &row->value->declared.declaration.status) ? NULL : ALLOWED_DECLARED_STATUS;
}

static const char *take_declared_at(struct row *row, const char *text)
{
    return take_time(row, text, &row->value->declared.declaration.declared_at_s);
}

static const char *take_symptoms(struct row *row, const char *text)
{
    return parse_symptoms(text, &answers(row)->symptoms) ? NULL : ALLOWED_SYMPTOMS;
}

static const char *take_contacts(struct row *row, const char *text)
{
    return parse_contacts(text, &answers(row)->contacts) ? NULL : ALLOWED_CONTACTS;
}

static const char *take_travelled(struct row *row, const char *text)
{
    return parse_yes_no(text, &answers(row)->travelled) ? NULL : ALLOWED_YES_NO;
}

static const char *take_symptoms_at(struct row *row, const char *text)
{
    return take_time(row, text, &answers(row)->symptoms_at_s);
}

static const char *take_contact_at(struct row *row, const char *text)
{
    return take_time(row, text, &answers(row)->contact_at_s);
}

static const char *take_travel_at(struct row *row, const char *text)
{
    return take_time(row, text, &answers(row)->travel_at_s);
}

static const char *take_by(struct row *row, const char *text)
{
    return declared_by_from_name(text, &answers(row)->by) ? NULL : ALLOWED_BY;
}

static const char *take_group(struct row *row, const char *text)
{
    return parse_group(text, row->value->declared.declaration.group) ? NULL : ALLOWED_GROUP;
}

static const char *take_token_id(struct row *row, const char *text)
{
    return parse_token_id(text, row->value->revocation.token_id) ? NULL : ALLOWED_TOKEN_ID;
}

static const char *take_revoked_at(struct row *row, const char *text)
{
    return take_time(row, text, &row->value->revocation.revoked_at_s);
}

static const char *take_lifted(struct row *row, const char *text)
{
    return parse_yes_no(text, &row->value->revocation.lifted) ? NULL : ALLOWED_YES_NO;
}

static const struct column DECLARATION_COLUMNS[COLUMN_COUNT] = {
    [COLUMN_SUBJECT] = { "subject", take_subject },
    [COLUMN_IDENTITIES] = { "identities", take_identities },
    [COLUMN_PERSON] = { "person", take_person },
    [COLUMN_STATUS] = { "status", take_status },
    [COLUMN_DECLARED_AT] = { "declared_at", take_declared_at },
    [COLUMN_SYMPTOMS] = { "symptoms", take_symptoms },
    [COLUMN_CONTACTS] = { "contacts", take_contacts },
    [COLUMN_TRAVELLED] = { "travelled", take_travelled },
    [COLUMN_SYMPTOMS_AT] = { "symptoms_at", take_symptoms_at },
    [COLUMN_CONTACT_AT] = { "contact_at", take_contact_at },
    [COLUMN_TRAVEL_AT] = { "travel_at", take_travel_at },
    [COLUMN_BY] = { "by", take_by },
    [COLUMN_GROUP] = { "group", take_group },
};
static const struct column REVOCATION_COLUMNS[REVOCATION_COLUMN_COUNT] = {
    [COLUMN_TOKEN_ID] = { "token_id", take_token_id },
    [COLUMN_REVOKED_AT] = { "revoked_at", take_revoked_at },
    [COLUMN_LIFTED] = { "lifted", take_lifted },
};

static const struct column *table_of(enum row_kind kind, int *ret_count)
{
    *ret_count = kind == ROW_DECLARATION ? (int)COLUMN_COUNT : (int)REVOCATION_COLUMN_COUNT;
    return kind == ROW_DECLARATION ? DECLARATION_COLUMNS : REVOCATION_COLUMNS;
}

static bool has_needed(const struct columns *columns)
{
    const int *place = columns->place;
    if (columns->kind == ROW_REVOCATION)
        return place[COLUMN_TOKEN_ID] >= 0 && place[COLUMN_REVOKED_AT] >= 0;
    return place[COLUMN_DECLARED_AT] >= 0 &&
           (place[COLUMN_SUBJECT] >= 0 || place[COLUMN_IDENTITIES] >= 0 || place[COLUMN_PERSON] >= 0) &&
           (place[COLUMN_STATUS] >= 0 || place[COLUMN_SYMPTOMS] >= 0 || place[COLUMN_CONTACTS] >= 0 ||
            place[COLUMN_TRAVELLED] >= 0);
}

bool columns_read(const struct csv_row *row, enum row_kind kind, struct columns *ret, const char **ret_name)
{
    int count;
    const struct column *table = table_of(kind, &count);
    *ret = (struct columns){ .kind = kind, .count = row->count };
    for (int i = 0; i < COLUMN_COUNT; i++)
        ret->place[i] = -1;
    for (int place = 0; place < row->count; place++) {
        int i = 0;
        while (i < count && strcmp(row->fields[place], table[i].name) != 0)
            i++;
        *ret_name = row->fields[place];
        if (i == count || ret->place[i] >= 0)
            return false;
        ret->place[i] = place;
    }
    *ret_name = "";
    return has_needed(ret);
}

static bool fail_row(struct row_mistake *mistake, const char *column, const char *value, const char *allowed)
{
    mistake->column = column;
    (void)printable(value, mistake->value, sizeof(mistake->value));
    if (allowed != mistake->allowed)
        (void)snprintf(mistake->allowed, sizeof(mistake->allowed), "%s", allowed);
    return false;
}

static void clear_value(enum row_kind kind, union row_value *value)
{
    if (kind == ROW_DECLARATION)
        value->declared = (struct declared){ .declaration.found = true, .source = "import" };
    else
        value->revocation = (struct revocation){ .source = "import" };
}

static const char *check_whole(const struct columns *columns, const unsigned filled, const union row_value *value)
{
    const unsigned whose = 1u << COLUMN_SUBJECT | 1u << COLUMN_IDENTITIES | 1u << COLUMN_PERSON;
    const unsigned answered = 1u << COLUMN_SYMPTOMS | 1u << COLUMN_CONTACTS | 1u << COLUMN_TRAVELLED;
    const unsigned named = filled & whose;
    if (columns->kind == ROW_REVOCATION)
        return !(filled & 1u << COLUMN_TOKEN_ID)     ? "token_id is missing"
               : !(filled & 1u << COLUMN_REVOKED_AT) ? "revoked_at is missing"
                                                     : NULL;
    if (named & (named - 1)) /* more than one */
        return "whose: allowed is one of subject, identities, person";
    return inbound_declaration_check(&value->declared, filled & answered);
}

bool columns_row(const struct columns *columns, const struct csv_row *row, int64_t now_s, union row_value *ret,
                 struct row_mistake *ret_mistake)
{
    struct row taking = { .now_s = now_s, .value = ret, .allowed = ret_mistake->allowed };
    unsigned filled = 0;
    int count;
    const struct column *table = table_of(columns->kind, &count);
    if (row->count != columns->count) {
        (void)snprintf(ret_mistake->allowed, ROW_ALLOWED_BYTES,
                       "%d field%s: allowed are the %d of the first line, separated by commas", row->count,
                       row->count == 1 ? "" : "s", columns->count);
        return fail_row(ret_mistake, NULL, "", ret_mistake->allowed);
    }
    clear_value(columns->kind, ret);
    for (int i = 0; i < count; i++) {
        const char *text = columns->place[i] < 0 ? "" : row->fields[columns->place[i]];
        if (text[0] == '\0')
            continue;
        const char *allowed = table[i].take(&taking, text);
        if (allowed)
            return fail_row(ret_mistake, table[i].name, text, allowed);
        filled |= 1u << i;
    }
    const char *wrong = check_whole(columns, filled, ret);
    return wrong ? fail_row(ret_mistake, NULL, "", wrong) : true;
}

/* ---- lines of JSON ----------------------------------------------------------------------------------------------- */

void lines_init(struct lines *lines, FILE *file)
{
    struct csv csv;
    csv_init(&csv, file);
    lines->file = file;
    lines->line = 1;
    lines->length_bytes = 0;
}

enum csv_result lines_read(struct lines *lines)
{
    bool blank = true;
    int c = EOF;
    while (blank) {
        lines->length_bytes = 0;
        lines->began = lines->line;
        while ((c = getc_unlocked(lines->file)) != EOF && c != '\n') {
            if (lines->length_bytes < sizeof(lines->text))
                lines->text[lines->length_bytes++] = (char)c;
            blank = blank && (c == ' ' || c == '\t' || c == '\r');
        }
        lines->line += c == '\n';
        if (c == EOF)
            break;
    }
    if (c == EOF && ferror(lines->file))
        return CSV_FAILED;
    return blank ? CSV_END : CSV_ROW;
}

bool lines_row(const struct lines *lines, enum row_kind kind, int64_t now_s, union row_value *ret,
               struct row_mistake *ret_mistake)
{
    char transaction[INBOUND_TRANSACTION_BYTES];
    const int error = kind == ROW_DECLARATION
                          ? inbound_declaration(lines->text, lines->length_bytes, now_s, &ret->declared, transaction,
                                                ret_mistake->allowed, ROW_ALLOWED_BYTES)
                          : inbound_revocation(lines->text, lines->length_bytes, now_s, &ret->revocation, transaction,
                                               ret_mistake->allowed, ROW_ALLOWED_BYTES);
    if (error < 0)
        return fail_row(ret_mistake, NULL, "", ret_mistake->allowed);
    if (kind == ROW_DECLARATION)
        (void)strcpy(ret->declared.source, "import");
    else
        (void)strcpy(ret->revocation.source, "import");
    return true;
}
