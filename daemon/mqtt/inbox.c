/* The queue of incoming messages between the line's thread and the main thread. */
#include "daemon/mqtt/inbox.h"

#include <string.h>

int inbox_init(struct inbox *inbox)
{
    inbox->first = inbox->count = 0;
    inbox->door = INBOX_OPEN;
    return -pthread_mutex_init(&inbox->lock, NULL);
}

/* Of a message as much as there is of it, not the whole place. */
static size_t kept_bytes(size_t length_bytes)
{
    return length_bytes < INBOX_TEXT_BYTES ? length_bytes : INBOX_TEXT_BYTES;
}

bool inbox_put(struct inbox *inbox, const struct inbox_arrival *came, const void *text, size_t length_bytes)
{
    bool has_room;
    (void)pthread_mutex_lock(&inbox->lock);
    has_room = inbox->count < INBOX_MAX;
    if (has_room) {
        struct inbox_message *message = &inbox->messages[(inbox->first + inbox->count++) % INBOX_MAX];
        message->came = *came;
        message->length_bytes = length_bytes;
        if (length_bytes > 0)
            memcpy(message->text, text, kept_bytes(length_bytes));
    }
    (void)pthread_mutex_unlock(&inbox->lock);
    return has_room;
}

static bool is_at(struct inbox *inbox, enum inbox_door door)
{
    bool is;
    (void)pthread_mutex_lock(&inbox->lock);
    is = inbox->door == door;
    (void)pthread_mutex_unlock(&inbox->lock);
    return is;
}

bool inbox_is_open(struct inbox *inbox)
{
    return is_at(inbox, INBOX_OPEN);
}

bool inbox_is_closing(struct inbox *inbox)
{
    return is_at(inbox, INBOX_CLOSING);
}

bool inbox_take(struct inbox *inbox, struct inbox_message *ret_message, bool *ret_was_full)
{
    bool found;
    (void)pthread_mutex_lock(&inbox->lock);
    found = inbox->count > 0;
    *ret_was_full = inbox->count == INBOX_MAX;
    if (found) {
        const struct inbox_message *message = &inbox->messages[inbox->first];
        memcpy(ret_message, message, offsetof(struct inbox_message, text) + kept_bytes(message->length_bytes));
        inbox->first = (inbox->first + 1) % INBOX_MAX;
        inbox->count--;
    }
    (void)pthread_mutex_unlock(&inbox->lock);
    return found;
}

/* From one door to the next, never back. */
static void move_door(struct inbox *inbox, enum inbox_door from, enum inbox_door to)
{
    (void)pthread_mutex_lock(&inbox->lock);
    if (inbox->door == from)
        inbox->door = to;
    (void)pthread_mutex_unlock(&inbox->lock);
}

void inbox_close(struct inbox *inbox)
{
    move_door(inbox, INBOX_OPEN, INBOX_CLOSING);
}

void inbox_drained(struct inbox *inbox)
{
    move_door(inbox, INBOX_CLOSING, INBOX_DRAINED);
}

void inbox_deafen(struct inbox *inbox)
{
    (void)pthread_mutex_lock(&inbox->lock);
    inbox->door = INBOX_DEAF;
    (void)pthread_mutex_unlock(&inbox->lock);
}

bool inbox_settled(struct inbox *inbox)
{
    bool settled;
    (void)pthread_mutex_lock(&inbox->lock);
    settled = inbox->count == 0 && (inbox->door == INBOX_DRAINED || inbox->door == INBOX_DEAF);
    (void)pthread_mutex_unlock(&inbox->lock);
    return settled;
}

int inbox_count(struct inbox *inbox)
{
    int count;
    (void)pthread_mutex_lock(&inbox->lock);
    count = inbox->count;
    (void)pthread_mutex_unlock(&inbox->lock);
    return count;
}

void inbox_end(struct inbox *inbox)
{
    (void)pthread_mutex_destroy(&inbox->lock);
}
