/* The queue between the line's thread and the main thread. */
#include "daemon/mqtt/ring.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

int ring_init(struct ring *ring)
{
    int r = -pthread_mutex_init(&ring->lock, NULL);
    if (r < 0)
        return r;
    ring->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (ring->fd < 0) {
        r = -errno;
        (void)pthread_mutex_destroy(&ring->lock);
        return r;
    }
    ring->first = ring->count = 0;
    ring->overrun = false;
    return 0;
}

void ring_put(struct ring *ring, const struct ring_entry *entry)
{
    const uint64_t one = 1;
    (void)pthread_mutex_lock(&ring->lock);
    if (ring->count == MQTT_RING_MAX) {
        ring->overrun = true;
    } else {
        ring->entries[(ring->first + ring->count) % MQTT_RING_MAX] = *entry;
        ring->count++;
    }
    /* Under the lock, so that ring_take() can't reset the counter between the entry and its announcement. It can't block:
     * the counter is reset long before 2^64. */
    if (write(ring->fd, &one, sizeof one) < 0)
        ring->overrun = true;
    (void)pthread_mutex_unlock(&ring->lock);
}

void ring_wake(struct ring *ring)
{
    const uint64_t one = 1;
    (void)pthread_mutex_lock(&ring->lock);
    if (write(ring->fd, &one, sizeof one) < 0)
        ring->overrun = true;
    (void)pthread_mutex_unlock(&ring->lock);
}

bool ring_take(struct ring *ring, struct ring_entry *ret_entry, bool *ret_overrun)
{
    uint64_t announced;
    bool found = false;
    (void)pthread_mutex_lock(&ring->lock);
    *ret_overrun = ring->overrun;
    ring->overrun = false;
    if (ring->count > 0) {
        *ret_entry = ring->entries[ring->first];
        ring->first = (ring->first + 1) % MQTT_RING_MAX;
        ring->count--;
        found = true;
    } else if (read(ring->fd, &announced, sizeof announced) < 0 && errno != EAGAIN) {
        *ret_overrun = true;
    }
    (void)pthread_mutex_unlock(&ring->lock);
    return found;
}

void ring_end(struct ring *ring)
{
    (void)close(ring->fd);
    (void)pthread_mutex_destroy(&ring->lock);
}
