/* Strict UTF-8 validation, used by every reader of text in daemon/credential. Pure; any thread. */
#include "daemon/credential/utf8.h"

/* Length of the character at `bytes` and its code point, or 0 when it is not valid UTF-8. */
static size_t next_character(const uint8_t *bytes, size_t length_bytes, uint32_t *ret_point)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000}; /* below it, the form is overlong */
    uint8_t first = bytes[0];
    size_t size = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;

    if (size == 0 || size > length_bytes)
        return 0;
    uint32_t point = size == 1 ? first : first & (0x7fu >> size);
    for (size_t i = 1; i < size; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (bytes[i] & 0x3fu);
    }
    if (point < least[size] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        return 0;
    *ret_point = point;
    return size;
}

static bool is_plain_point(uint32_t point)
{
    if (point < 0x20 || (point >= 0x7f && point <= 0x9f))
        return false; /* C0, DEL, C1 */
    if (point == 0x061c || point == 0x200e || point == 0x200f || (point >= 0x2028 && point <= 0x202e))
        return false; /* separators, direction marks, embeddings, overrides */
    return point < 0x2066 || point > 0x2069; /* direction isolates */
}

static bool check(const uint8_t *bytes, size_t length_bytes, bool plain)
{
    size_t at = 0;

    while (at < length_bytes) {
        uint32_t point;
        size_t size = next_character(bytes + at, length_bytes - at, &point);
        if (size == 0 || (plain && !is_plain_point(point)))
            return false;
        at += size;
    }
    return true;
}

bool utf8_valid(const uint8_t *bytes, size_t length_bytes)
{
    return check(bytes, length_bytes, false);
}

bool utf8_plain(const uint8_t *bytes, size_t length_bytes)
{
    return check(bytes, length_bytes, true);
}
