/* Names normalised and made comparable, as name.h says. Used by credential.c and the readers; on the journal thread in
 * qrgated. */
#include "daemon/credential/name.h"

#include <string.h>
#include <utf8proc.h>

#include "daemon/credential/credential.h"

/* No character of NFC has more than three times its bytes when taken apart (Hangul: 3 and 9). Longer would not fit, and
 * the time that utf8proc takes to sort marks grows with the square of it. */
enum { SOURCE_MAX_BYTES = 3 * CREDENTIAL_NAME_BYTES, ONE_APART_MAX = 32 /* compatibility forms: 18 at most */ };

static bool is_ascii(const uint8_t *bytes, size_t length_bytes)
{
    for (size_t i = 0; i < length_bytes; i++)
        if (bytes[i] >= 0x80)
            return false;
    return true;
}

/* Bytes written, 0 when it doesn't fit whole with a NUL behind it. */
static size_t put_point(utf8proc_int32_t point, char *dst, size_t room_bytes)
{
    utf8proc_uint8_t bytes[4];
    utf8proc_ssize_t length = utf8proc_encode_char(point, bytes);

    if (length <= 0 || (size_t)length >= room_bytes)
        return 0;
    memcpy(dst, bytes, (size_t)length);
    return (size_t)length;
}

bool name_normalise(const uint8_t *bytes, size_t length_bytes, char *dst, size_t dst_bytes, bool *ret_changed)
{
    const utf8proc_option_t nfc = UTF8PROC_STABLE | UTF8PROC_COMPOSE;
    utf8proc_int32_t points[SOURCE_MAX_BYTES];
    size_t used = 0;

    *ret_changed = false;
    if (dst_bytes == 0 || length_bytes > SOURCE_MAX_BYTES)
        return false;
    if (is_ascii(bytes, length_bytes)) {
        if (length_bytes >= dst_bytes)
            return false;
        if (length_bytes > 0)
            memcpy(dst, bytes, length_bytes);
        dst[length_bytes] = '\0';
        return true;
    }
    utf8proc_ssize_t count = utf8proc_decompose(bytes, (utf8proc_ssize_t)length_bytes, points, SOURCE_MAX_BYTES, nfc);
    if (count < 0 || count > SOURCE_MAX_BYTES)
        return false;
    count = utf8proc_normalize_utf32(points, count, nfc);
    for (utf8proc_ssize_t i = 0; i < count; i++) {
        size_t written = put_point(points[i], dst + used, dst_bytes - used);
        if (written == 0)
            return false;
        used += written;
    }
    dst[used] = '\0';
    *ret_changed = used != length_bytes || memcmp(dst, bytes, used) != 0;
    return count >= 0;
}

/* ---- comparing ---- */

/* What doesn't come apart by Unicode's own tables, by its capital: letters with a stroke, ligatures, and the signs that
 * keyboards put for apostrophe and hyphen. Eth and the African D look like the Vietnamese one and are typed for it. */
static const struct {
    utf8proc_int32_t capital;
    const char *written;
} by_hand[] = {
    {0x00c6, "AE"}, {0x00d0, "D"}, {0x00d8, "O"}, {0x00de, "TH"}, {0x00df, "SS"}, {0x0110, "D"}, {0x0126, "H"},
    {0x0131, "I"}, {0x0141, "L"}, {0x014a, "N"}, {0x0152, "OE"}, {0x0166, "T"}, {0x0189, "D"}, {0x02bc, "'"},
    {0x1e9e, "SS"}, {0x2010, "-"}, {0x2013, "-"}, {0x2018, "'"}, {0x2019, "'"},
};

struct comparing {
    char *dst;
    size_t used, room;
    bool space_due, full;
};

static void put(struct comparing *to, utf8proc_int32_t point)
{
    size_t before = to->used;

    if (to->space_due && to->used > 0) {
        size_t written = put_point(' ', to->dst + to->used, to->room - to->used);
        to->full = to->full || written == 0;
        to->used += written;
    }
    size_t written = to->full ? 0 : put_point(point, to->dst + to->used, to->room - to->used);
    if (written == 0) {
        to->full = true;
        to->used = before; /* no space without what it parts */
        return;
    }
    to->used += written;
    to->space_due = false;
}

/* A character that came apart already. */
static void put_part(struct comparing *to, utf8proc_int32_t point)
{
    utf8proc_category_t category = utf8proc_category(point);

    if (category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_ME || category == UTF8PROC_CATEGORY_CF)
        return;
    if (category == UTF8PROC_CATEGORY_ZS) {
        to->space_due = true;
        return;
    }
    utf8proc_int32_t capital = utf8proc_toupper(point);
    for (size_t i = 0; i < sizeof by_hand / sizeof by_hand[0]; i++) {
        if (by_hand[i].capital != capital)
            continue;
        for (const char *at = by_hand[i].written; *at != '\0'; at++)
            put(to, *at);
        return;
    }
    put(to, capital);
}

static void put_ascii(struct comparing *to, uint8_t byte)
{
    if (byte == ' ')
        to->space_due = true;
    else
        put(to, byte >= 'a' && byte <= 'z' ? byte - 'a' + 'A' : byte);
}

void name_compare_form(const char *name, char *dst, size_t dst_bytes)
{
    const utf8proc_option_t apart = UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_STABLE;
    const utf8proc_uint8_t *at = (const utf8proc_uint8_t *)name, *end = at + strlen(name);
    struct comparing to = {.dst = dst, .room = dst_bytes};

    if (dst_bytes == 0)
        return;
    while (at < end && !to.full) {
        utf8proc_int32_t point, parts[ONE_APART_MAX];
        if (*at < 0x80) {
            put_ascii(&to, *at++);
            continue;
        }
        utf8proc_ssize_t length = utf8proc_iterate(at, end - at, &point);
        if (length <= 0)
            break; /* not UTF-8, against the contract */
        at += length;
        utf8proc_ssize_t count = utf8proc_decompose_char(point, parts, ONE_APART_MAX, apart, NULL);
        for (utf8proc_ssize_t i = 0; i < count && i < ONE_APART_MAX; i++)
            put_part(&to, parts[i]);
    }
    memset(dst + to.used, 0, dst_bytes - to.used);
}
