/* A person's number as text, checked by a table of forms. Called by qrgatectl and by the reader of MQTT messages. */
#include "daemon/credential/subject.h"

#include <string.h>

#define DIGITS "0123456789"
#define WORD DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_.-"

static const struct form {
    const char *prefix, *characters;
    size_t least, most;
} FORMS[] = {
    { "cccd:", DIGITS, 12, 12 },
    { "cmnd:", DIGITS, 9, 9 },
    { "bhyt:", DIGITS, 10, 10 },
    { "qid:", DIGITS, 1, 18 },
    { "badge:", WORD, 1, 32 },
    { "hc1:", DIGITS "abcdef", 32, 32 },
};
enum { FORM_COUNT = sizeof(FORMS) / sizeof(FORMS[0]), BHYT_OLD_CHARS = 15, BHYT_LETTERS = 2, BHYT_CHARS = 10 };

static bool consists_of(const char *text, size_t length_bytes, const char *characters)
{
    for (size_t i = 0; i < length_bytes; i++)
        if (text[i] == '\0' || !strchr(characters, text[i]))
            return false;
    return true;
}

/* "DN4012345678901": two letters of the group, a digit of the benefit, two of the province, ten of the person. */
static bool is_old_bhyt(const char *text, size_t length_bytes)
{
    return length_bytes == BHYT_OLD_CHARS && consists_of(text, BHYT_LETTERS, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") &&
           consists_of(text + BHYT_LETTERS, length_bytes - BHYT_LETTERS, DIGITS);
}

bool subject_read(const char *text, size_t length_bytes, char ret_subject[CREDENTIAL_SUBJECT_BYTES])
{
    ret_subject[0] = '\0';
    for (int i = 0; i < FORM_COUNT; i++) {
        const struct form *form = &FORMS[i];
        const size_t prefix_bytes = strlen(form->prefix);
        if (length_bytes <= prefix_bytes || memcmp(text, form->prefix, prefix_bytes) != 0)
            continue;
        const char *number = text + prefix_bytes;
        size_t number_bytes = length_bytes - prefix_bytes;
        if (strcmp(form->prefix, "bhyt:") == 0 && is_old_bhyt(number, number_bytes)) {
            number += BHYT_OLD_CHARS - BHYT_CHARS;
            number_bytes = BHYT_CHARS;
        }
        if (number_bytes < form->least || number_bytes > form->most ||
            !consists_of(number, number_bytes, form->characters))
            return false;
        memcpy(ret_subject, form->prefix, prefix_bytes);
        memcpy(ret_subject + prefix_bytes, number, number_bytes);
        ret_subject[prefix_bytes + number_bytes] = '\0';
        return true;
    }
    return false;
}
