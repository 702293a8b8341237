/* qrgatectl poster: the place code for the door, with the place's name, on A4 or A5. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/credential/utf8.h"
#include "daemon/ctl/ctl.h"
#include "daemon/ctl/print/file.h"
#include "daemon/ctl/print/sheet.h"

#define LINK_BEFORE_ID "https://tokhaiyte.vn/?page=Group.checkin&groupId="
enum { ID_DIGITS = 24, TEXT_MAX_BYTES = 200, ASKED_MM = 150 };

enum { GROUP_ID, PLACE, ADDRESS, PAPER, LANGUAGE, OUT };
static const struct ctl_option OPTIONS[] = {
    [GROUP_ID] = { "group-id", "ID", true, "the place's number of its registration: 24 hex digits" },
    [PLACE] = { "place", "NAME", true, "the place's name, as people know it" },
    [ADDRESS] = { "address", "TEXT", false, "where it is" },
    [PAPER] = { "paper", "A4|A5", false, "default A4; an A5 sheet is too narrow for the 15 cm asked of the code: 12 cm then" },
    [LANGUAGE] = { "language", "NAME", false, "the poster's language (default vi)" },
    [OUT] = { "out", "FILE", true, "a file that ends in .pdf or .svg" },
    { NULL, NULL, false, NULL },
};

/* Where everything stands, in mm. Between the texts above and below there is room for the code and its margin. */
static const struct paper {
    const char *name;
    double width_mm, height_mm;
    double code_mm, code_top_mm;
    double margin_mm, band_mm;                 /* the black one with the title */
    double title_mm, place_mm, address_mm, step_mm, foot_mm; /* a line's height */
} PAPERS[] = {
    { "A4", 210, 297, ASKED_MM, 91, 12, 30, 17, 13, 7.5, 8.2, 5 },
    { "A5", 148, 210, 120, 60, 7, 19, 11, 8, 5, 4.1, 3.2 },
};
enum { PAPER_COUNT = sizeof(PAPERS) / sizeof(PAPERS[0]) };

struct poster {
    const struct lang *lang; /* the poster's */
    const char *group_id, *place, *address;
    const struct paper *paper;
    enum sheet_format format;
    struct qr qr;
    unsigned missing_letter;
};

/* ---- the picture ------------------------------------------------------------------------------------------------- */

static double quiet_of(const struct poster *poster)
{
    return QR_QUIET_MODULES * poster->paper->code_mm / poster->qr.side;
}

static void draw_above(struct sheet *sheet, const struct poster *poster)
{
    const struct paper *paper = poster->paper;
    struct sheet_text box = { .left_mm = paper->margin_mm, .width_mm = paper->width_mm - 2 * paper->margin_mm, .lines = 1,
                             .bold = true, .white = true };
    sheet_bar(sheet, 0, 0, paper->width_mm, paper->band_mm);
    box.height_mm = paper->title_mm;
    box.top_mm = (paper->band_mm - paper->title_mm) / 2;
    (void)sheet_text(sheet, &box, say(poster->lang, "poster.title"));
    struct sheet_text place = box, address = box;
    place.white = address.white = address.bold = false;
    place.lines = address.lines = 2;
    place.height_mm = paper->place_mm;
    address.height_mm = paper->address_mm;
    /* in the middle between the band and the code's margin */
    place.measured = address.measured = true;
    const double end_mm = paper->code_top_mm - quiet_of(poster);
    const double needed_mm = sheet_text(sheet, &place, poster->place) + sheet_text(sheet, &address, poster->address);
    place.measured = address.measured = false;
    place.top_mm = paper->band_mm + (end_mm - paper->band_mm - needed_mm) / 2;
    address.top_mm = place.top_mm + sheet_text(sheet, &place, poster->place);
    (void)sheet_text(sheet, &address, poster->address);
}

static void draw_below(struct sheet *sheet, const struct poster *poster)
{
    static const char *const steps[] = { "poster.step1", "poster.step2", "poster.step3" };
    const struct paper *paper = poster->paper;
    char foot[160];
    struct sheet_text box = { .left_mm = paper->margin_mm, .width_mm = paper->width_mm - 2 * paper->margin_mm, .lines = 1,
                             .top_mm = paper->code_top_mm + paper->code_mm + quiet_of(poster), .height_mm = paper->step_mm };
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++, box.top_mm += paper->step_mm)
        (void)sheet_text(sheet, &box, say(poster->lang, steps[i]));
    box.top_mm = paper->height_mm - paper->foot_mm - paper->margin_mm / 3;
    box.height_mm = paper->foot_mm;
    (void)sheet_text(sheet, &box, lang_format(poster->lang, foot, sizeof(foot), "poster.foot", "id", poster->group_id, NULL));
}

static int write_poster(FILE *out, void *userdata)
{
    struct poster *poster = userdata;
    const struct paper *paper = poster->paper;
    struct sheet sheet = { .out = NULL };
    const int error = sheet_open(&sheet, poster->format, out, paper->width_mm, paper->height_mm);
    if (error == 0) {
        draw_above(&sheet, poster);
        sheet_code(&sheet, &poster->qr, (paper->width_mm - paper->code_mm) / 2, paper->code_top_mm, paper->code_mm);
        draw_below(&sheet, poster);
    }
    poster->missing_letter = sheet.missing_letter;
    const int closed = sheet_close(&sheet);
    return error < 0 ? error : closed;
}

/* ---- the command ------------------------------------------------------------------------------------------------- */

static bool is_plain(const char *text)
{
    return strlen(text) <= TEXT_MAX_BYTES && utf8_plain((const uint8_t *)text, strlen(text)) && text[strspn(text, " ")] != '\0';
}

static enum ctl_exit take_values(const struct ctl *ctl, struct poster *ret, char ret_id[ID_DIGITS + 1])
{
    const char *id = ctl->values[GROUP_ID], *paper = ctl->values[PAPER] ? ctl->values[PAPER] : PAPERS[0].name;
    const char *dot = strrchr(ctl->values[OUT], '.');
    char buffer[80];
    if (strlen(id) != ID_DIGITS || strspn(id, "0123456789abcdefABCDEF") != ID_DIGITS)
        return ctl_complain(ctl, CTL_USAGE, "poster.group_id", "value", printable(id, buffer, sizeof(buffer)), NULL);
    for (int i = 0; i <= ID_DIGITS; i++) /* the platform writes them small */
        ret_id[i] = (char)(id[i] >= 'A' && id[i] <= 'F' ? id[i] - 'A' + 'a' : id[i]);
    ret->group_id = ret_id;
    ret->place = ctl->values[PLACE];
    ret->address = ctl->values[ADDRESS] ? ctl->values[ADDRESS] : "";
    if (!is_plain(ret->place) || (ret->address[0] != '\0' && !is_plain(ret->address)))
        return ctl_complain(ctl, CTL_USAGE, "poster.text", "most", LANG_N(TEXT_MAX_BYTES), NULL);
    for (int i = 0; i < PAPER_COUNT && !ret->paper; i++)
        ret->paper = strcmp(paper, PAPERS[i].name) == 0 ? &PAPERS[i] : NULL;
    if (!ret->paper)
        return ctl_complain(ctl, CTL_USAGE, "poster.paper", "value", printable(paper, buffer, sizeof(buffer)), NULL);
    if (!dot || (strcmp(dot, ".pdf") != 0 && strcmp(dot, ".svg") != 0))
        return ctl_complain(ctl, CTL_USAGE, "print.out", "value", printable(ctl->values[OUT], buffer, sizeof(buffer)), NULL);
    ret->format = strcmp(dot, ".pdf") == 0 ? SHEET_PDF : SHEET_SVG;
    return CTL_OK;
}

static enum ctl_exit tell(const struct ctl *ctl, const struct poster *poster)
{
    char letter[16], mm[LANG_NUMBER_BYTES];
    lang_print(stdout, ctl->lang, "poster.made", "file", ctl->values[OUT], "paper", poster->paper->name, "mm",
               lang_number(mm, (int64_t)poster->paper->code_mm), NULL);
    (void)putchar('\n');
    if (poster->paper->code_mm < ASKED_MM)
        (void)fprintf(stderr, "%s\n", say(ctl->lang, "poster.small"));
    if (poster->missing_letter == 0)
        return CTL_OK;
    (void)snprintf(letter, sizeof(letter), "U+%04X", poster->missing_letter);
    lang_print(stderr, ctl->lang, "print.letter", "letter", letter, NULL);
    (void)fputc('\n', stderr);
    return CTL_SOME_BAD;
}

static enum ctl_exit run(struct ctl *ctl)
{
    struct poster poster = { .paper = NULL };
    struct lang *lang = NULL;
    char id[ID_DIGITS + 1], link[sizeof(LINK_BEFORE_ID) + ID_DIGITS];
    enum ctl_exit result = take_values(ctl, &poster, id);
    if (result != CTL_OK)
        return result;
    if (lang_open(ctl->values[LANGUAGE] ? ctl->values[LANGUAGE] : "vi", &lang, stderr) < 0) /* said already */
        return CTL_USAGE;
    poster.lang = lang;
    (void)snprintf(link, sizeof(link), LINK_BEFORE_ID "%s", id);
    int error = qr_encode(link, QR_LEVEL_Q, 0, &poster.qr); /* a door is a rough place */
    if (error == 0)
        error = print_file(ctl->values[OUT], write_poster, &poster);
    result = error == 0 ? tell(ctl, &poster)
                        : ctl_complain(ctl, CTL_FAILED, "file.unwritable", "file", ctl->values[OUT], "why", strerror(-error),
                                       NULL);
    qr_free(&poster.qr);
    lang_close(lang);
    return result;
}

const struct ctl_command CTL_POSTER = {
    .name = "poster",
    .summary = "Make the place code for the door, to be printed",
    .details = "A place registers with the platform and is given a number; people scan its code when they come in and go out.\n"
               "The code is 15 x 15 cm on A4, as is asked. Print at 100 % (\"actual size\"). An A5 sheet is 14.8 cm wide:\n"
               "it takes a code of 12 cm, good for a table, and a warning says so.\n"
               "Example: qrgatectl poster --group-id 0123456789abcdef01234567 --place \"Nhà máy Thử Nghiệm\" --out poster.pdf\n",
    .options = OPTIONS,
    .run = run,
};
