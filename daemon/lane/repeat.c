/* Which codes are in view now; the oldest sighting gives way. Called from the main thread. */
#include "daemon/lane/repeat.h"

#include <string.h>

bool repeat_is_new(struct repeat *repeat, const uint8_t digest[REPEAT_DIGEST_BYTES], int64_t now_us, int leave_ms)
{
    size_t place = 0;
    for (size_t i = 0; i < REPEAT_CODES_MAX; i++) {
        if (repeat->codes[i].seen_at_us != 0 && memcmp(repeat->codes[i].digest, digest, REPEAT_DIGEST_BYTES) == 0) {
            bool gone = now_us - repeat->codes[i].seen_at_us > (int64_t)leave_ms * 1000;
            repeat->codes[i].seen_at_us = now_us;
            return gone;
        }
        if (repeat->codes[i].seen_at_us < repeat->codes[place].seen_at_us)
            place = i;
    }
    memcpy(repeat->codes[place].digest, digest, REPEAT_DIGEST_BYTES);
    repeat->codes[place].seen_at_us = now_us;
    return true;
}

void repeat_forget(struct repeat *repeat, const uint8_t digest[REPEAT_DIGEST_BYTES])
{
    for (size_t i = 0; i < REPEAT_CODES_MAX; i++)
        if (memcmp(repeat->codes[i].digest, digest, REPEAT_DIGEST_BYTES) == 0)
            repeat->codes[i].seen_at_us = 0;
}
