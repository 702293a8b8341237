/* One table of questions; what each allows is what flags and CSV allow, and beside that what is quicker to type:
 * numbers of the list for names, bare digits for a card's number. Called by qrgatectl declare. */
#include "daemon/ctl/form.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { ANSWER_BYTES = 256, ALLOWED_BYTES = 256 };
#define SEPARATORS " ,;"

struct form {
    const struct ctl *ctl;
    struct declared *declared;
    bool confirmed;
    sigset_t waiting; /* the signals held back while it waits for a key: all but SIGINT */
    char allowed[ALLOWED_BYTES]; /* for texts made on the spot */
};

/* NULL, or what is allowed. */
typedef const char *take_answer(struct form *form, const char *text);
struct question {
    const char *vietnamese, *english;
    const char *choices;  /* a line below the question, or NULL */
    const char *standard; /* what Enter means; NULL: an answer is needed */
    bool (*asked)(const struct declared *declared); /* NULL: always */
    take_answer *take;
};

/* ---- answers ----------------------------------------------------------------------------------------------------- */

/* Each word of `text` replaced by what `replace` makes of it, which may be the word itself. False: too long. */
static bool replace_words(const char *text, const char *(*replace)(const char *word, char *buffer, size_t buffer_bytes),
                          char ret[ANSWER_BYTES])
{
    size_t used = 0;
    ret[0] = '\0';
    for (text += strspn(text, SEPARATORS); *text; text += strspn(text, SEPARATORS)) {
        char word[ANSWER_BYTES], buffer[ANSWER_BYTES];
        const size_t length = strcspn(text, SEPARATORS);
        if (length >= sizeof(word))
            return false;
        memcpy(word, text, length);
        word[length] = '\0';
        const int added = snprintf(ret + used, ANSWER_BYTES - used, "%s%s", used > 0 ? " " : "",
                                   replace(word, buffer, sizeof(buffer)));
        if (added < 0 || (size_t)added >= ANSWER_BYTES - used)
            return false;
        used += (size_t)added;
        text += length;
    }
    return true;
}

/* The forms whose bare number can be told by its length. */
static const char *with_prefix(const char *word, char *buffer, size_t buffer_bytes)
{
    const size_t length = strlen(word);
    const bool digits = strspn(word, "0123456789") == length;
    const char *prefix = digits && length == 12 ? "cccd:"
                         : digits && length == 9 ? "cmnd:"
                         : (digits && length == 10) || (length == 15 && !strchr(word, ':')) ? "bhyt:"
                                                                                             : "";
    (void)snprintf(buffer, buffer_bytes, "%s%s", prefix, word);
    return buffer;
}

/* 1 to 9 -> the place in a list; else -1. */
static int place_in_list(const char *word, int count)
{
    return word[0] >= '1' && word[0] < '1' + count && word[1] == '\0' ? word[0] - '1' : -1;
}

static const char *symptom_of_place(const char *word, char *buffer, size_t buffer_bytes)
{
    const int place = place_in_list(word, SYMPTOM_COUNT);
    (void)snprintf(buffer, buffer_bytes, "%s", place < 0 ? word : symptom_name((enum symptom)place));
    return buffer;
}

static const char *contact_of_place(const char *word, char *buffer, size_t buffer_bytes)
{
    const int place = place_in_list(word, CONTACT_COUNT);
    (void)snprintf(buffer, buffer_bytes, "%s", place < 0 ? word : contact_name((enum contact)place));
    return buffer;
}

static const char *take_whose(struct form *form, const char *text)
{
    char numbers[ANSWER_BYTES];
    return replace_words(text, with_prefix, numbers) && parse_identities(numbers, form->declared->identities)
               ? NULL
               : ALLOWED_IDENTITIES;
}

static const char *take_symptoms(struct form *form, const char *text)
{
    char names[ANSWER_BYTES];
    return replace_words(text, symptom_of_place, names) &&
                   parse_symptoms(names, &form->declared->declaration.answers.symptoms)
               ? NULL
               : ALLOWED_SYMPTOMS;
}

static const char *take_contacts(struct form *form, const char *text)
{
    char names[ANSWER_BYTES];
    return replace_words(text, contact_of_place, names) &&
                   parse_contacts(names, &form->declared->declaration.answers.contacts)
               ? NULL
               : ALLOWED_CONTACTS;
}

/* "now" stays 0, which is when it is declared. */
static const char *take_time(struct form *form, const char *text, int64_t *ret_s)
{
    *ret_s = 0;
    if (strcmp(text, "now") == 0)
        return NULL;
    if (!parse_time(text, ret_s))
        return ALLOWED_TIME;
    return *ret_s > form->ctl->now_s + CTL_FUTURE_TOLERATED_S
               ? format_future(form->ctl->now_s, form->allowed, sizeof(form->allowed))
               : NULL;
}

static const char *take_symptoms_at(struct form *form, const char *text)
{
    return take_time(form, text, &form->declared->declaration.answers.symptoms_at_s);
}

static const char *take_contact_at(struct form *form, const char *text)
{
    return take_time(form, text, &form->declared->declaration.answers.contact_at_s);
}

static const char *take_travel_at(struct form *form, const char *text)
{
    return take_time(form, text, &form->declared->declaration.answers.travel_at_s);
}

static const char *take_declared_at(struct form *form, const char *text)
{
    int64_t *at_s = &form->declared->declaration.declared_at_s;
    const char *allowed = take_time(form, text, at_s);
    if (!allowed && *at_s == 0)
        *at_s = form->ctl->now_s;
    return allowed;
}

static bool yes_or_no(const char *text, bool *ret)
{
    static const char *const words[2][4] = { { "n", "k", "không", "khong" }, { "y", "c", "có", "co" } };
    for (int yes = 0; yes <= 1; yes++)
        for (int i = 0; i < 4; i++)
            if (strcmp(text, words[yes][i]) == 0)
                return *ret = yes == 1, true;
    return parse_yes_no(text, ret);
}

static const char *take_travelled(struct form *form, const char *text)
{
    return yes_or_no(text, &form->declared->declaration.answers.travelled) ? NULL : "allowed are y, n; c, k";
}

static const char *take_status(struct form *form, const char *text)
{
    enum declaration_status *status = &form->declared->declaration.status;
    if (strcmp(text, "answers") == 0) {
        *status = STATUS_NONE;
        return NULL;
    }
    return parse_declared_status(text, status) ? NULL : ALLOWED_DECLARED_STATUS ", or answers";
}

static const char *take_by(struct form *form, const char *text)
{
    return declared_by_from_name(text, &form->declared->declaration.answers.by) ? NULL : ALLOWED_BY;
}

static const char *take_group(struct form *form, const char *text)
{
    form->declared->declaration.group[0] = '\0';
    if (strcmp(text, "none") == 0)
        return NULL;
    return parse_group(text, form->declared->declaration.group) ? NULL : ALLOWED_GROUP;
}

static const char *take_confirmed(struct form *form, const char *text)
{
    return yes_or_no(text, &form->confirmed) ? NULL : "allowed are y, n; c, k";
}

/* ---- questions --------------------------------------------------------------------------------------------------- */

static bool has_symptoms(const struct declared *declared)
{
    return declared->declaration.answers.symptoms != 0;
}

static bool has_contacts(const struct declared *declared)
{
    return declared->declaration.answers.contacts != 0;
}

static bool has_travelled(const struct declared *declared)
{
    return declared->declaration.answers.travelled;
}

#define LAST_VI "  Lần cuối khi nào"
#define LAST_EN "when last"
static const struct question QUESTIONS[] = {
    { "Số giấy tờ, các số cách nhau bằng dấu cách", "number, or numbers of one person",
      "CCCD 12 | CMND 9 | BHYT 10 or 15 | qid: | badge:", NULL, NULL, take_whose },
    { "Triệu chứng", "signs",
      "1 sốt/fever 2 ho/cough 3 khó thở/breathlessness 4 viêm phổi/pneumonia 5 đau họng/sore_throat "
      "6 mệt mỏi/tiredness",
      "none", NULL, take_symptoms },
    { LAST_VI, LAST_EN, NULL, "now", has_symptoms, take_symptoms_at },
    { "Tiếp xúc", "contacts",
      "1 người bệnh/patient 2 người từ nước có bệnh/sick_country 3 người có triệu chứng/symptoms", "none", NULL,
      take_contacts },
    { LAST_VI, LAST_EN, NULL, "now", has_contacts, take_contact_at },
    { "Có đi đến nơi khác (c/k)", "travelled (y/n)", NULL, "n", NULL, take_travelled },
    { LAST_VI, LAST_EN, NULL, "now", has_travelled, take_travel_at },
    { "Màu", "colour", "green yellow red white revoked; answers = theo câu trả lời/by the answers", "answers", NULL,
      take_status },
    { "Ai khai", "declared by", "self guard", "guard", NULL, take_by },
    { "Nhóm", "group", NULL, "none", NULL, take_group },
    { "Khai lúc", "declared at", NULL, "now", NULL, take_declared_at },
};
static const struct question CONFIRM = { "Ghi (c/k)", "write it (y/n)", NULL, "y", NULL, take_confirmed };

static void wake(int signal_number)
{
    (void)signal_number; /* it is enough that reading ends */
}

/* One byte from the terminal. False: the input ended, or Ctrl-C, which is let in only here: else one that comes between two
 * looks would be lost. */
static bool read_byte(const struct form *form, char *ret)
{
    struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
    return ppoll(&input, 1, NULL, &form->waiting) == 1 && read(STDIN_FILENO, ret, 1) == 1;
}

/* One line without its end and without spaces around it. False: the input ended. A line too long is read to its end and
 * given as "?", which nothing allows. */
static bool read_answer(const struct form *form, char ret[ANSWER_BYTES])
{
    size_t used = 0;
    char c;
    while (true) {
        if (!read_byte(form, &c))
            return false;
        if (c == '\n')
            break;
        if (used < ANSWER_BYTES && (used > 0 || c != ' '))
            ret[used++] = c;
    }
    if (used == ANSWER_BYTES) {
        ret[0] = '?';
        used = 1;
    }
    while (used > 0 && (ret[used - 1] == ' ' || ret[used - 1] == '\r'))
        used--;
    ret[used] = '\0';
    return true;
}

static bool ask(struct form *form, const struct question *question)
{
    char answer[ANSWER_BYTES], shown[80];
    for (;;) {
        if (question->choices)
            (void)printf("  %s\n", question->choices);
        (void)printf("%s / %s", question->vietnamese, question->english);
        if (question->standard)
            (void)printf(" [%s]", question->standard);
        (void)printf(": ");
        if (fflush(stdout) != 0 || !read_answer(form, answer))
            return false;
        if (answer[0] == '\0' && !question->standard)
            continue;
        const char *allowed = question->take(form, answer[0] != '\0' ? answer : question->standard);
        if (!allowed)
            return true;
        (void)printf("  '%s': %s\n", printable(answer, shown, sizeof(shown)), allowed);
    }
}

/* Ctrl-C ends the reading instead of the program, so that the end is told. */
static bool ask_all(struct form *form, const struct question *questions, size_t count)
{
    struct sigaction old_action = { .sa_handler = SIG_DFL }, action = { .sa_handler = wake };
    sigset_t interrupt, old_mask;
    if (sigemptyset(&interrupt) < 0 || sigaddset(&interrupt, SIGINT) < 0 || sigemptyset(&action.sa_mask) < 0 ||
        sigprocmask(SIG_BLOCK, &interrupt, &old_mask) < 0)
        return false;
    bool answered = sigaction(SIGINT, &action, &old_action) == 0;
    form->waiting = old_mask;
    (void)sigdelset(&form->waiting, SIGINT); /* a number that exists */
    for (size_t i = 0; i < count && answered; i++)
        if (!questions[i].asked || questions[i].asked(form->declared))
            answered = ask(form, &questions[i]);
    (void)sigaction(SIGINT, &old_action, NULL); /* both were taken before */
    (void)sigprocmask(SIG_SETMASK, &old_mask, NULL);
    if (!answered)
        (void)printf("\n");
    return answered;
}

bool form_ask(const struct ctl *ctl, struct declared *ret)
{
    struct form form = { .ctl = ctl, .declared = ret };
    return ask_all(&form, QUESTIONS, sizeof(QUESTIONS) / sizeof(QUESTIONS[0]));
}

bool form_confirm(const struct ctl *ctl)
{
    struct form form = { .ctl = ctl };
    return ask_all(&form, &CONFIRM, 1) && form.confirmed;
}
