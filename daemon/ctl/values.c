/* Values of command lines and CSV fields, checked; and texts made fit for a terminal. qrgatectl only. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/credential/utf8.h"
#include "daemon/ctl/ctl.h"
#include "daemon/decision/time_text.h"
#include "daemon/mqtt/inbound.h"

#define SEPARATORS " ,;"
#define HEX_DIGITS "0123456789abcdef"

bool parse_subject(const char *text)
{
    char subject[CREDENTIAL_SUBJECT_BYTES];
    return subject_read(text, strlen(text), subject);
}

bool parse_identities(const char *text, char ret[JOURNAL_IDENTITIES_MAX][CREDENTIAL_SUBJECT_BYTES])
{
    char subject[CREDENTIAL_SUBJECT_BYTES];
    int count = 0;
    memset(ret, 0, JOURNAL_IDENTITIES_MAX * sizeof(ret[0]));
    for (text += strspn(text, SEPARATORS); *text; text += strspn(text, SEPARATORS)) {
        const size_t length = strcspn(text, SEPARATORS);
        int same = 0;
        if (!subject_read(text, length, subject))
            return false;
        while (same < count && strcmp(ret[same], subject) != 0)
            same++;
        if (same == JOURNAL_IDENTITIES_MAX)
            return false;
        (void)strcpy(ret[same], subject); /* the same number twice is one */
        count += same == count;
        text += length;
    }
    return count > 0;
}

bool parse_person(const char *text, char ret[JOURNAL_ID_BYTES])
{
    const size_t length = strlen(text);
    if (length != JOURNAL_ID_BYTES - 1 || strspn(text, HEX_DIGITS) != length)
        return false;
    (void)strcpy(ret, text);
    return true;
}

bool parse_status(const char *text, enum declaration_status *ret)
{
    /* "none", "expired", "revoked" are names too, but not something a person declares */
    return declaration_status_from_name(text, ret) &&
           (*ret == STATUS_GREEN || *ret == STATUS_YELLOW || *ret == STATUS_RED || *ret == STATUS_WHITE);
}

bool parse_declared_status(const char *text, enum declaration_status *ret)
{
    return declaration_status_from_name(text, ret) && *ret != STATUS_NONE && *ret != STATUS_EXPIRED;
}

bool parse_time(const char *text, int64_t *ret_s)
{
    struct tm local_clock;
    bool local;
    int64_t at_s;
    if (!time_text_read_typed(text, strlen(text), &at_s, &local))
        return false;
    if (local) {
        const time_t as_utc = (time_t)at_s;
        if (!gmtime_r(&as_utc, &local_clock))
            return false;
        local_clock.tm_isdst = -1;
        at_s = (int64_t)mktime(&local_clock);
    }
    *ret_s = at_s;
    return time_text_in_range(at_s);
}

bool parse_time_or_day(const char *text, int64_t *ret_s)
{
    char whole[sizeof("2026-01-31T00:00")];
    if (strlen(text) != strlen("2026-01-31") || !strchr(text, '-'))
        return parse_time(text, ret_s);
    (void)snprintf(whole, sizeof(whole), "%sT00:00", text);
    return parse_time(whole, ret_s);
}

bool parse_duration(const char *text, int64_t *ret_s)
{
    const size_t digits = strspn(text, "0123456789");
    if (digits < 1 || digits > 8 || text[digits] == '\0' || text[digits + 1] != '\0')
        return false;
    int64_t unit_s;
    switch (text[digits]) {
    case 's': unit_s = 1; break;
    case 'm': unit_s = 60; break;
    case 'h': unit_s = 3600; break;
    case 'd': unit_s = 86400; break;
    default: return false;
    }
    *ret_s = strtoll(text, NULL, 10) * unit_s;
    return *ret_s >= 60 && *ret_s <= 366LL * 86400;
}

static bool is_none(const char *text)
{
    return strcmp(text, "none") == 0;
}

bool parse_symptoms(const char *text, uint16_t *ret)
{
    *ret = 0;
    return is_none(text) || symptoms_from_names(text, ret);
}

bool parse_contacts(const char *text, uint16_t *ret)
{
    *ret = 0;
    return is_none(text) || contacts_from_names(text, ret);
}

bool parse_yes_no(const char *text, bool *ret)
{
    static const char *const words[2][3] = { { "no", "false", "0" }, { "yes", "true", "1" } };
    for (int yes = 0; yes <= 1; yes++) {
        for (int i = 0; i < 3; i++) {
            if (strcmp(text, words[yes][i]) == 0) {
                *ret = yes == 1;
                return true;
            }
        }
    }
    return false;
}

bool parse_group(const char *text, char ret[CREDENTIAL_GROUP_BYTES])
{
    const size_t length = strlen(text);
    if (!inbound_group_valid(text, length))
        return false;
    (void)strcpy(ret, text);
    return true;
}

bool parse_token_id(const char *text, uint8_t ret[CREDENTIAL_TOKEN_ID_BYTES])
{
    static const uint8_t none[CREDENTIAL_TOKEN_ID_BYTES];
    const size_t length = strlen(text);
    if (length != 2 * CREDENTIAL_TOKEN_ID_BYTES || strspn(text, HEX_DIGITS) != length)
        return false;
    for (size_t i = 0; i < length; i++) {
        const int digit = text[i] <= '9' ? text[i] - '0' : text[i] - 'a' + 10;
        ret[i / 2] = (uint8_t)(i % 2 == 0 ? digit << 4 : ret[i / 2] | digit);
    }
    return memcmp(ret, none, sizeof(none)) != 0;
}

const char *format_future(int64_t now_s, char *buffer, size_t buffer_bytes)
{
    char when[32];
    (void)snprintf(buffer, buffer_bytes, "is in the future; mend it, or this machine's clock (now %s)",
                   format_time(now_s, when));
    return buffer;
}

const char *printable(const char *text, char *buffer, size_t buffer_bytes)
{
    const size_t length = strlen(text);
    const bool plain = utf8_plain((const uint8_t *)text, length);
    size_t used = 0;
    while (used < length && used + 4 < buffer_bytes) { /* room for "..." */
        const unsigned char c = (unsigned char)text[used];
        buffer[used] = !plain && (c < 0x20 || c >= 0x7f) ? '?' : (char)c;
        used++;
    }
    if (used < length) {
        while (plain && used > 0 && ((unsigned char)text[used] & 0xc0) == 0x80) /* not in the middle of a character */
            used--;
        memcpy(buffer + used, "...", 3);
        used += 3;
    }
    buffer[used] = '\0';
    return buffer;
}

const char *format_time(int64_t at_s, char buffer[32])
{
    struct tm parts;
    const time_t at = (time_t)at_s;
    if (!gmtime_r(&at, &parts) || strftime(buffer, 32, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        (void)snprintf(buffer, 32, "%lld", (long long)at_s); /* a year with five digits */
    return buffer;
}

const char *format_local(int64_t at_s, char buffer[48])
{
    struct tm parts;
    const time_t at = (time_t)at_s;
    if (!localtime_r(&at, &parts) || strftime(buffer, 48, "%Y-%m-%d %H:%M:%S %z", &parts) == 0)
        (void)snprintf(buffer, 48, "%lld", (long long)at_s); /* a year with five digits */
    return buffer;
}
