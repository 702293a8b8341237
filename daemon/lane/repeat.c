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

/* The clock of each code stands still in between. */
void repeat_watched(struct repeat *repeat, int64_t taken_at_us, int usual_ms)
{
    const int64_t blind_us = taken_at_us - repeat->watched_at_us - (int64_t)usual_ms * 1000;
    if (taken_at_us <= repeat->watched_at_us)
        return;
    for (size_t i = 0; i < REPEAT_CODES_MAX && repeat->watched_at_us != 0 && blind_us > 0; i++)
        if (repeat->codes[i].seen_at_us != 0)
            repeat->codes[i].seen_at_us += blind_us;
    repeat->watched_at_us = taken_at_us;
}

void repeat_forget(struct repeat *repeat, const uint8_t digest[REPEAT_DIGEST_BYTES])
{
    for (size_t i = 0; i < REPEAT_CODES_MAX; i++)
        if (memcmp(repeat->codes[i].digest, digest, REPEAT_DIGEST_BYTES) == 0)
            repeat->codes[i].seen_at_us = 0;
}
