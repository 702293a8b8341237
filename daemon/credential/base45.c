/* Base45 of RFC 9285: two bytes in three characters, a last single byte in two. Used by token.c, rotating.c
 * and dcc.c, and by qrgatectl. Pure; any thread. */
#include "daemon/credential/base45.h"

#include <errno.h>
#include <limits.h>

static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";

/* 0 to 44, or -1. */
static int value_of(char character)
{
    if (character >= '0' && character <= '9')
        return character - '0';
    if (character >= 'A' && character <= 'Z')
        return character - 'A' + 10;
    for (int value = 36; value < 45; value++)
        if (alphabet[value] == character)
            return value;
    return -1;
}

int base45_decode(const char *text, size_t text_bytes, uint8_t *dst, size_t dst_bytes)
{
    size_t used = 0;

    if (text_bytes % 3 == 1)
        return -EBADMSG;
    for (size_t at = 0; at < text_bytes; at += 3) {
        size_t characters = text_bytes - at < 3 ? 2 : 3;
        int low = value_of(text[at]), middle = value_of(text[at + 1]);
        int high = characters == 3 ? value_of(text[at + 2]) : 0;
        if (low < 0 || middle < 0 || high < 0)
            return -EBADMSG;
        int number = low + 45 * middle + 45 * 45 * high;
        if (number > (characters == 3 ? 0xffff : 0xff))
            return -EBADMSG;
        if (dst_bytes - used < characters - 1 || used > INT_MAX - 2)
            return -EMSGSIZE;
        if (characters == 3)
            dst[used++] = (uint8_t)(number >> 8);
        dst[used++] = (uint8_t)(number & 0xff);
    }
    return (int)used;
}

int base45_encode(const uint8_t *src, size_t src_bytes, char *dst, size_t dst_bytes)
{
    if (src_bytes > INT_MAX / 2)
        return -EMSGSIZE;
    size_t needed = src_bytes / 2 * 3 + src_bytes % 2 * 2;
    if (dst_bytes <= needed)
        return -EMSGSIZE;

    size_t used = 0;
    for (size_t at = 0; at < src_bytes; at += 2) {
        unsigned number = at + 1 < src_bytes ? (unsigned)src[at] << 8 | src[at + 1] : src[at];
        dst[used++] = alphabet[number % 45];
        dst[used++] = alphabet[number / 45 % 45];
        if (at + 1 < src_bytes)
            dst[used++] = alphabet[number / (45 * 45)];
    }
    dst[used] = '\0';
    return (int)used;
}
