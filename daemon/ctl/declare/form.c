/* One table of questions, in the order of the form; the words are the tables' of languages. */
#include "daemon/ctl/declare/form.h"

#include <sodium.h>
#include <string.h>

#include "daemon/ctl/declare/more.h"

enum step_kind { STEP_NUMBER, STEP_TRAVELLED, STEP_SYMPTOM, STEP_CONTACT };
static const struct step {
    const char *key;
    enum step_kind kind;
    unsigned bit;
} STEPS[] = {
    { "form.number", STEP_NUMBER, 0 },
    { "form.travelled", STEP_TRAVELLED, 0 },
    { "form.fever", STEP_SYMPTOM, SYMPTOM_FEVER },
    { "form.cough", STEP_SYMPTOM, SYMPTOM_COUGH },
    { "form.breathlessness", STEP_SYMPTOM, SYMPTOM_BREATHLESSNESS },
    { "form.pneumonia", STEP_SYMPTOM, SYMPTOM_PNEUMONIA },
    { "form.sore_throat", STEP_SYMPTOM, SYMPTOM_SORE_THROAT },
    { "form.tiredness", STEP_SYMPTOM, SYMPTOM_TIREDNESS },
    { "form.patient", STEP_CONTACT, CONTACT_PATIENT },
    { "form.sick_country", STEP_CONTACT, CONTACT_SICK_COUNTRY },
    { "form.symptoms", STEP_CONTACT, CONTACT_SYMPTOMS },
};
enum { STEP_COUNT = sizeof(STEPS) / sizeof(STEPS[0]) };
_Static_assert((int)STEP_COUNT == 2 + (int)SYMPTOM_COUNT + (int)CONTACT_COUNT, "a question for each");

/* What became of a question. */
enum turn { TURN_ON, TURN_BACK, TURN_AGAIN, TURN_ENDED };

static const char *words(const struct form *form, const char *key)
{
    return say(form->ctl->lang, key);
}

static bool is_one_of(const struct form *form, const char *key, int pressed)
{
    return pressed > ' ' && pressed < 0x80 && strchr(words(form, key), pressed) != NULL;
}

/* ---- questions --------------------------------------------------------------------------------------------------- */

static enum turn ask_number(struct form *form)
{
    (void)printf("%s ", words(form, "form.number"));
    const int key = terminal_line(&form->terminal, form->numbers, sizeof(form->numbers));
    if (key != KEY_ENTER)
        return key == KEY_ENDED ? TURN_ENDED : TURN_AGAIN; /* there is nothing before it */
    if (more_take_numbers(form->numbers, form->declared))
        return TURN_ON;
    (void)printf("  %s\n", words(form, "form.number_allowed"));
    return TURN_AGAIN;
}

static void set_bit(uint16_t *bits, unsigned bit, bool on)
{
    *bits = (uint16_t)(on ? *bits | 1u << bit : *bits & ~(1u << bit));
}

static void take_answer(struct form *form, const struct step *step, bool yes)
{
    struct declaration_answers *answers = &form->declared->declaration.answers;
    if (step->kind == STEP_TRAVELLED)
        answers->travelled = yes;
    else
        set_bit(step->kind == STEP_SYMPTOM ? &answers->symptoms : &answers->contacts, step->bit, yes);
}

/* Yes and no by one key; any other asks again without a new line. */
static enum turn ask_yes_no(struct form *form, const struct step *step)
{
    (void)printf("%2d/%d  %s [%s] ", form->step, STEP_COUNT - 1, words(form, step->key), words(form, "form.keys"));
    for (;;) {
        (void)fflush(stdout); /* an error shows at the end */
        const int key = terminal_key(&form->terminal);
        const bool yes = is_one_of(form, "form.yes_keys", key);
        if (key == KEY_ENDED)
            return TURN_ENDED;
        if (key == KEY_BACK) {
            (void)printf("%s\n", words(form, "form.back"));
            return TURN_BACK;
        }
        if (yes || is_one_of(form, "form.no_keys", key)) {
            take_answer(form, step, yes);
            (void)printf("%s\n", words(form, yes ? "form.yes" : "form.no"));
            return TURN_ON;
        }
    }
}

static enum turn ask_step(struct form *form)
{
    const struct step *step = &STEPS[form->step];
    const enum turn turn = step->kind == STEP_NUMBER ? ask_number(form) : ask_yes_no(form, step);
    form->step += turn == TURN_ON ? 1 : turn == TURN_BACK ? -1 : 0;
    return turn;
}

/* ---- summary ----------------------------------------------------------------------------------------------------- */

static bool answered_yes(const struct form *form, const struct step *step)
{
    const struct declaration_answers *answers = &form->declared->declaration.answers;
    return step->kind == STEP_TRAVELLED ? answers->travelled
           : step->kind == STEP_SYMPTOM ? (answers->symptoms & 1u << step->bit) != 0
           : step->kind == STEP_CONTACT ? (answers->contacts & 1u << step->bit) != 0
                                        : false;
}

static void print_summary(const struct form *form, const char *status)
{
    bool any = false;
    char shown[sizeof(form->numbers)];
    (void)printf("\n%s %s\n", words(form, "form.summary"), printable(form->numbers, shown, sizeof(shown)));
    for (int i = 0; i < STEP_COUNT; i++) {
        if (!answered_yes(form, &STEPS[i]))
            continue;
        (void)printf("  %s %s\n", words(form, STEPS[i].key), words(form, "form.yes"));
        any = true;
    }
    if (!any)
        (void)printf("  %s\n", words(form, "form.all_no"));
    if (status[0] != '\0')
        (void)printf("  %s %s\n", words(form, "form.status"), status);
    (void)printf("%s ", words(form, "form.write"));
}

/* TURN_ON: *ret is how it ends. */
static enum turn confirm(struct form *form, const char *status, enum form_end *ret)
{
    print_summary(form, status);
    for (;;) {
        (void)fflush(stdout); /* an error shows at the end */
        const int key = terminal_key(&form->terminal);
        const bool yes = key == KEY_ENTER || is_one_of(form, "form.yes_keys", key);
        if (key == KEY_ENDED)
            return TURN_ENDED;
        if (key == KEY_BACK || is_one_of(form, "form.more_keys", key)) {
            (void)putchar('\n');
            return key == KEY_BACK ? TURN_BACK : TURN_AGAIN;
        }
        if (yes || is_one_of(form, "form.no_keys", key)) {
            (void)printf("%s\n", words(form, yes ? "form.yes" : "form.no"));
            *ret = yes ? FORM_WRITE : FORM_NOT_WRITTEN;
            return TURN_ON;
        }
    }
}

/* ---- the form ---------------------------------------------------------------------------------------------------- */

static enum form_end ask_all(struct form *form, form_status *status, void *userdata)
{
    enum form_end end = FORM_ENDED;
    (void)printf("%s\n", words(form, "form.help"));
    for (;;) {
        while (form->step < STEP_COUNT)
            if (ask_step(form) == TURN_ENDED)
                return FORM_ENDED;
        const enum turn turn = confirm(form, status(form->declared, userdata), &end);
        if (turn == TURN_ON || turn == TURN_ENDED)
            return turn == TURN_ON ? end : FORM_ENDED;
        if (turn == TURN_BACK)
            form->step--;
        else if (!more_ask(form->ctl, form->declared, &form->terminal))
            return FORM_ENDED;
    }
}

enum form_end form_run(const struct ctl *ctl, struct declared *ret, form_status *status, void *userdata)
{
    struct form form = { .ctl = ctl, .declared = ret };
    if (terminal_begin(&form.terminal) < 0)
        return FORM_FAILED;
    const enum form_end end = ask_all(&form, status, userdata);
    terminal_end(&form.terminal);
    if (end == FORM_ENDED)
        (void)printf("\n");
    sodium_memzero(form.numbers, sizeof(form.numbers));
    return end;
}
