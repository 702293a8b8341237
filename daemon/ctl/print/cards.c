/* qrgatectl cards: personal cards for people without a phone, twelve to a sheet of A4, from a list. */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/credential/token.h"
#include "daemon/credential/utf8.h"
#include "daemon/ctl/csv.h"
#include "daemon/ctl/pass.h"
#include "daemon/ctl/print/card.h"
#include "daemon/ctl/print/file.h"
#include "daemon/ctl/privacy/people_list.h"
#include "daemon/ctl/told_files.h"
#include "daemon/settings/key_file.h"

enum { COLUMNS = 3, ROWS = 4, PER_SHEET = COLUMNS * ROWS, CARDS_MAX = 20000, BAD_ROWS_SHOWN = 20, NOTE_MAX_BYTES = 181 };
static const double PAPER_WIDTH_MM = 210, PAPER_HEIGHT_MM = 297;

enum { OUT, KEY, VALID, STATUS };
static const struct ctl_option OPTIONS[] = {
    [OUT] = { "out", "FILE", true, "a file that ends in .pdf, or in .svg for a single sheet" },
    [KEY] = { "key", "SECRET_FILE", false, "the issuer's secret key: signs a pass for each row's subject" },
    [VALID] = { "valid", "TIME", false, "with --key: for how long from now" },
    [STATUS] = { "status", "STATUS", false, "with --key: of rows without one" },
    { NULL, NULL, false, NULL },
};

enum column { COLUMN_CODE, COLUMN_SUBJECT, COLUMN_NAME, COLUMN_NOTE, COLUMN_STATUS_, COLUMN_GROUP_, CARD_COLUMN_COUNT };
static const char *const COLUMN_NAMES[CARD_COLUMN_COUNT] = { "code", "subject", "name", "note", "status", "group" };

struct card {
    char code[TOKEN_TEXT_BYTES], name[CSV_FIELD_BYTES], note[CSV_FIELD_BYTES];
};

struct cards {
    struct ctl *ctl;
    int place[CARD_COLUMN_COUNT]; /* in a row; -1: not there */
    bool signs;
    struct key_file key;
    uint8_t signing_key[crypto_sign_SECRETKEYBYTES];
    int64_t valid_s;
    struct card *all;
    size_t count, room;
    int64_t bad;
    enum sheet_format format;
    unsigned missing_letter;
};

/* ---- the list ---------------------------------------------------------------------------------------------------- */

static const char *field(const struct cards *cards, const struct csv_row *row, enum column column)
{
    const int place = cards->place[column];
    return place >= 0 && place < row->count ? row->fields[place] : "";
}

static enum ctl_exit read_head(struct cards *cards, const struct csv_row *row)
{
    char buffer[80];
    for (int c = 0; c < CARD_COLUMN_COUNT; c++)
        cards->place[c] = -1;
    for (int i = 0; i < row->count; i++) {
        int column = 0;
        while (column < CARD_COLUMN_COUNT && strcmp(row->fields[i], COLUMN_NAMES[column]) != 0)
            column++;
        if (column == CARD_COLUMN_COUNT || cards->place[column] >= 0)
            return ctl_complain(cards->ctl, CTL_FAILED, "cards.column", "name",
                                printable(row->fields[i], buffer, sizeof(buffer)), NULL);
        cards->place[column] = i;
    }
    const enum column needed = cards->signs ? COLUMN_SUBJECT : COLUMN_CODE;
    return cards->place[needed] >= 0
               ? CTL_OK
               : ctl_complain(cards->ctl, CTL_FAILED, cards->signs ? "cards.no_subject" : "cards.no_code", NULL);
}

static bool is_plain(const char *text, size_t room)
{
    return strlen(text) < room && utf8_plain((const uint8_t *)text, strlen(text));
}

/* NULL, or the key of what is wrong with the row. */
static const char *sign(const struct cards *cards, const struct csv_row *row, struct card *ret)
{
    const struct ctl *ctl = cards->ctl;
    const char *status = field(cards, row, COLUMN_STATUS_), *subject = field(cards, row, COLUMN_SUBJECT);
    const char *group = field(cards, row, COLUMN_GROUP_);
    struct token_claims claims = { .issued_at_s = ctl->now_s, .expires_at_s = ctl->now_s + cards->valid_s };
    if (status[0] == '\0')
        status = ctl->values[STATUS] ? ctl->values[STATUS] : "";
    if (!subject_read(subject, strlen(subject), claims.subject))
        return "cards.bad_subject";
    if (!parse_status(status, &claims.status))
        return "cards.bad_status";
    if (!is_plain(group, sizeof(claims.group)))
        return "cards.bad_group";
    (void)strcpy(claims.group, group); /* length checked */
    (void)snprintf(claims.issuer, sizeof(claims.issuer), "%s", cards->key.issuer[0] ? cards->key.issuer : cards->key.kid);
    const int length = token_write(&claims, (const uint8_t *)cards->key.kid, strlen(cards->key.kid), cards->signing_key,
                                   ret->code, sizeof(ret->code));
    return length < 0 ? "cards.unwritable" : NULL;
}

/* Below the name: the list's note, and of a pass signed here its last day. */
static void write_note(const struct cards *cards, const char *note, struct card *ret)
{
    const time_t at = (time_t)(cards->ctl->now_s + cards->valid_s);
    char day[16], until[64];
    struct tm parts;
    (void)snprintf(ret->note, sizeof(ret->note), "%s", note); /* fits: a field each */
    if (!cards->signs || !localtime_r(&at, &parts) || strftime(day, sizeof(day), "%d/%m/%Y", &parts) == 0)
        return;
    (void)lang_format(cards->ctl->lang, until, sizeof(until), "cards.until", "day", day, NULL);
    (void)snprintf(ret->note, sizeof(ret->note), "%.180s%s%s", note, note[0] ? " · " : "", until);
}

static const char *take_row(const struct cards *cards, const struct csv_row *row, struct card *ret)
{
    const char *code = field(cards, row, COLUMN_CODE), *name = field(cards, row, COLUMN_NAME);
    const char *note = field(cards, row, COLUMN_NOTE);
    struct qr qr;
    *ret = (struct card){ .code = "" };
    if (!is_plain(name, sizeof(ret->name)) || !is_plain(note, NOTE_MAX_BYTES))
        return "cards.bad_text";
    (void)strcpy(ret->name, name);
    write_note(cards, note, ret);
    const char *wrong = cards->signs ? sign(cards, row, ret) : NULL;
    if (wrong)
        return wrong;
    if (!cards->signs && (code[0] == '\0' || strlen(code) >= sizeof(ret->code)))
        return "cards.bad_code";
    if (!cards->signs)
        (void)strcpy(ret->code, code); /* length checked */
    if (qr_encode(ret->code, QR_LEVEL_M, CARD_LEAST_VERSION, &qr) < 0)
        return "cards.long_code";
    qr_free(&qr);
    return NULL;
}

static int keep(struct cards *cards, const struct card *card)
{
    if (cards->count == cards->room) {
        const size_t room = cards->room > 0 ? 2 * cards->room : 64;
        struct card *more = room <= CARDS_MAX * 2 ? realloc(cards->all, room * sizeof(*more)) : NULL;
        if (!more)
            return -ENOMEM;
        cards->all = more;
        cards->room = room;
    }
    cards->all[cards->count++] = *card;
    return 0;
}

static void tell_bad(struct cards *cards, int64_t line, const char *wrong)
{
    if (cards->bad++ < BAD_ROWS_SHOWN)
        (void)fprintf(stderr, "%s:%lld: %s\n", cards->ctl->operand, (long long)line, say(cards->ctl->lang, wrong));
}

static enum ctl_exit read_rows(struct cards *cards, struct csv *csv, struct csv_row *row)
{
    enum csv_result got = csv_read(csv, row);
    struct card card;
    if (got != CSV_ROW)
        return ctl_complain(cards->ctl, CTL_FAILED, "cards.no_head", "file", cards->ctl->operand, NULL);
    const enum ctl_exit result = read_head(cards, row);
    if (result != CTL_OK)
        return result;
    while ((got = csv_read(csv, row)) == CSV_ROW || got == CSV_BAD) {
        const char *wrong = got == CSV_BAD ? row->mistake : take_row(cards, row, &card);
        if (wrong)
            tell_bad(cards, row->line, wrong);
        else if (cards->count == CARDS_MAX || keep(cards, &card) < 0)
            return ctl_complain(cards->ctl, CTL_FAILED, "cards.too_many", "file", cards->ctl->operand, "most",
                                LANG_N(CARDS_MAX), NULL);
    }
    sodium_memzero(&card, sizeof(card));
    if (got == CSV_FAILED)
        return ctl_complain(cards->ctl, CTL_FAILED, "file.unreadable", "file", cards->ctl->operand, "why", strerror(EIO), NULL);
    return cards->count > 0 ? CTL_OK : ctl_complain(cards->ctl, CTL_FAILED, "cards.none", "file", cards->ctl->operand, NULL);
}

static enum ctl_exit read_list(struct cards *cards)
{
    const char *path = cards->ctl->operand;
    const bool from_stdin = strcmp(path, "-") == 0;
    FILE *file = from_stdin ? stdin : fopen(path, "re");
    struct csv_row *row = malloc(sizeof(*row));
    struct csv csv;
    enum ctl_exit result = CTL_FAILED;
    if (!file) {
        (void)ctl_complain(cards->ctl, CTL_FAILED, "file.unreadable", "file", path, "why", strerror(errno), NULL);
    } else if (!row) {
        (void)ctl_complain(cards->ctl, CTL_FAILED, "words.no_memory", NULL);
    } else {
        people_list_note(cards->ctl, file, path);
        csv_init(&csv, file);
        result = read_rows(cards, &csv, row);
    }
    if (file && !from_stdin)
        (void)fclose(file); /* only read */
    if (row)
        sodium_memzero(row, sizeof(*row));
    free(row);
    return result;
}

/* ---- the sheets -------------------------------------------------------------------------------------------------- */

static void draw_cuts(struct sheet *sheet, double left_mm, double top_mm)
{
    for (int i = 0; i <= COLUMNS; i++)
        sheet_line(sheet, left_mm + i * CARD_WIDTH_MM, top_mm, left_mm + i * CARD_WIDTH_MM, top_mm + ROWS * CARD_HEIGHT_MM);
    for (int i = 0; i <= ROWS; i++)
        sheet_line(sheet, left_mm, top_mm + i * CARD_HEIGHT_MM, left_mm + COLUMNS * CARD_WIDTH_MM, top_mm + i * CARD_HEIGHT_MM);
}

static int write_sheets(FILE *out, void *userdata)
{
    struct cards *cards = userdata;
    const double left_mm = (PAPER_WIDTH_MM - COLUMNS * CARD_WIDTH_MM) / 2, top_mm = (PAPER_HEIGHT_MM - ROWS * CARD_HEIGHT_MM) / 2;
    struct sheet sheet = { .out = NULL };
    int error = sheet_open(&sheet, cards->format, out, PAPER_WIDTH_MM, PAPER_HEIGHT_MM);
    for (size_t i = 0; i < cards->count && error == 0; i++) {
        const int place = (int)(i % PER_SHEET);
        struct qr qr;
        if (place == 0 && i > 0)
            sheet_next(&sheet);
        if (place == 0)
            draw_cuts(&sheet, left_mm, top_mm);
        error = qr_encode(cards->all[i].code, QR_LEVEL_M, CARD_LEAST_VERSION, &qr);
        if (error < 0)
            break;
        card_draw(&sheet, &qr, left_mm + place % COLUMNS * CARD_WIDTH_MM, top_mm + place / COLUMNS * CARD_HEIGHT_MM,
                  cards->all[i].name, cards->all[i].note);
        qr_free(&qr);
    }
    cards->missing_letter = sheet.missing_letter;
    const int closed = sheet_close(&sheet);
    return error < 0 ? error : closed;
}

/* ---- the command ------------------------------------------------------------------------------------------------- */

static enum ctl_exit take_values(struct cards *cards)
{
    const struct ctl *ctl = cards->ctl;
    const char *dot = strrchr(ctl->values[OUT], '.');
    uint8_t public_key[crypto_sign_PUBLICKEYBYTES];
    char buffer[80];
    if (!dot || (strcmp(dot, ".pdf") != 0 && strcmp(dot, ".svg") != 0))
        return ctl_complain(ctl, CTL_USAGE, "print.out", "value", printable(ctl->values[OUT], buffer, sizeof(buffer)), NULL);
    cards->format = strcmp(dot, ".pdf") == 0 ? SHEET_PDF : SHEET_SVG;
    cards->signs = ctl->values[KEY] != NULL;
    if (!cards->signs)
        return ctl->values[VALID] || ctl->values[STATUS] ? ctl_complain(ctl, CTL_USAGE, "cards.key_missing", NULL) : CTL_OK;
    if (!ctl->values[VALID])
        return ctl_complain(ctl, CTL_USAGE, "cards.valid_missing", NULL);
    const enum ctl_exit result = pass_valid(ctl, ctl->values[VALID], &cards->valid_s);
    if (result != CTL_OK)
        return result;
    if (told_key_read(ctl, ctl->values[KEY], true, &cards->key) < 0)
        return ctl_complain(ctl, CTL_FAILED, "key.secret_bad", NULL);
    (void)crypto_sign_seed_keypair(public_key, cards->signing_key, cards->key.key); /* can't fail */
    return CTL_OK;
}

static enum ctl_exit tell(const struct cards *cards)
{
    const struct lang *lang = cards->ctl->lang;
    const int64_t sheets = (int64_t)(cards->count + PER_SHEET - 1) / PER_SHEET;
    char letter[16];
    lang_print(stdout, lang, "cards.made", "cards", LANG_N(cards->count), "sheets", LANG_N(sheets), "file",
               cards->ctl->values[OUT], "bad", LANG_N(cards->bad), NULL);
    (void)putchar('\n');
    if (cards->missing_letter != 0) {
        (void)snprintf(letter, sizeof(letter), "U+%04X", cards->missing_letter);
        lang_print(stderr, lang, "print.letter", "letter", letter, NULL);
        (void)fputc('\n', stderr);
    }
    return cards->bad > 0 || cards->missing_letter != 0 ? CTL_SOME_BAD : CTL_OK;
}

static enum ctl_exit run(struct ctl *ctl)
{
    struct cards cards = { .ctl = ctl };
    enum ctl_exit result = take_values(&cards);
    if (result == CTL_OK)
        result = read_list(&cards);
    if (result == CTL_OK && cards.format == SHEET_SVG && cards.count > PER_SHEET)
        result = ctl_complain(ctl, CTL_USAGE, "cards.one_sheet", "most", LANG_N(PER_SHEET), "cards", LANG_N(cards.count), NULL);
    if (result == CTL_OK) {
        const int error = print_file(ctl->values[OUT], write_sheets, &cards);
        result = error == 0 ? tell(&cards)
                            : ctl_complain(ctl, CTL_FAILED, "file.unwritable", "file", ctl->values[OUT], "why", strerror(-error),
                                           NULL);
    }
    sodium_memzero(&cards.key, sizeof(cards.key));
    sodium_memzero(cards.signing_key, sizeof(cards.signing_key));
    if (cards.all)
        sodium_memzero(cards.all, cards.room * sizeof(*cards.all)); /* names, and codes that open */
    free(cards.all);
    return result;
}

const struct ctl_command CTL_CARDS = {
    .name = "cards",
    .operand = "FILE",
    .summary = "Make sheets of personal cards, for people without a phone",
    .details = "FILE is CSV; - is standard input. Its first line names the columns: code, the text of each code (a personal code, a\n"
               "pass), and name and note, printed below. Or, with --key, subject instead of code: a pass is signed for each\n"
               "(columns status and group as token issue has them). A code is 5 x 5 cm, twelve to an A4 sheet: print at 100 %.\n"
               "Bad rows are listed and left out; exit status 3.\n"
               "Example: qrgatectl cards people.csv --key office.key --valid 14d --status green --out cards.pdf\n",
    .options = OPTIONS,
    .run = run,
};
