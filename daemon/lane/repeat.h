/* A code is acted on once and then ignored until it has left the view: a rule per code, never a lock of the lane. Pure. */
#ifndef LANE_REPEAT_H
#define LANE_REPEAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { REPEAT_CODES_MAX = 16, REPEAT_DIGEST_BYTES = 32 };

struct repeat {
    struct {
        uint8_t digest[REPEAT_DIGEST_BYTES];
        int64_t seen_at_us; /* 0: free */
    } codes[REPEAT_CODES_MAX];
    int64_t watched_at_us; /* when the last picture was taken, whatever it showed; 0: none yet */
};

/* True when this code (its digest) is new in the view. Each call counts as a sighting. */
bool repeat_is_new(struct repeat *repeat, const uint8_t digest[REPEAT_DIGEST_BYTES], int64_t now_us, int leave_ms);
/* A picture was taken at this time. While none is, for longer than usual_ms, no code leaves the view: nobody looks. */
void repeat_watched(struct repeat *repeat, int64_t taken_at_us, int usual_ms);
/* Forgets a code, so that its next sighting is new: it was seen but couldn't be acted on. */
void repeat_forget(struct repeat *repeat, const uint8_t digest[REPEAT_DIGEST_BYTES]);

#endif
