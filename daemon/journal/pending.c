/* A ring with one outstanding head. Called by passage.c, main thread. */
#include "daemon/journal/pending.h"

#include <errno.h>

bool pending_add(struct pending *p, const struct event *event)
{
    if (p->count == PENDING_MAX) {
        p->dropped++;
        return false;
    }
    p->events[(p->first + p->count) % PENDING_MAX] = *event;
    p->count++;
    return true;
}

const struct event *pending_next(const struct pending *p, int64_t now_us)
{
    return p->count == 0 || p->offered || now_us < p->not_before_us ? NULL : &p->events[p->first];
}

void pending_offered(struct pending *p)
{
    p->offered = true;
}

void pending_answer(struct pending *p, int error, int64_t now_us)
{
    p->offered = false;
    if (error == -EEXIST || error == -EINVAL) { /* the same again would be refused again, and those behind it wait */
        p->refused++;
    } else if (error != 0) {
        p->not_before_us = now_us + (int64_t)PENDING_RETRY_MS * 1000;
        return;
    }
    p->first = (p->first + 1) % PENDING_MAX;
    p->count--;
}

int64_t pending_next_us(const struct pending *p)
{
    return p->count == 0 || p->offered ? INT64_MAX : p->not_before_us;
}
