/* The queue of incoming messages between Paho's receiving thread and the main thread. */
#include "daemon/mqtt/inbox.h"

#include <string.h>

int inbox_init(struct inbox *inbox)
{
    int r = -pthread_mutex_init(&inbox->lock, NULL);
    if (r < 0)
        return r;
    r = -pthread_cond_init(&inbox->room, NULL);
    if (r < 0)
        (void)pthread_mutex_destroy(&inbox->lock);
    inbox->first = inbox->count = 0;
    inbox->shut = false;
    return r;
}

/* Of a message as much as there is of it, not the whole place. */
static size_t kept_bytes(size_t length_bytes)
{
    return length_bytes < INBOX_TEXT_BYTES ? length_bytes : INBOX_TEXT_BYTES;
}

void inbox_put(struct inbox *inbox, const struct inbox_arrival *came, const void *text, size_t length_bytes)
{
    struct inbox_message *message;
    (void)pthread_mutex_lock(&inbox->lock);
    while (inbox->shut || inbox->count == INBOX_MAX)
        (void)pthread_cond_wait(&inbox->room, &inbox->lock);
    message = &inbox->messages[(inbox->first + inbox->count++) % INBOX_MAX];
    message->came = *came;
    message->length_bytes = length_bytes;
    if (length_bytes > 0)
        memcpy(message->text, text, kept_bytes(length_bytes));
    (void)pthread_mutex_unlock(&inbox->lock);
}

bool inbox_take(struct inbox *inbox, struct inbox_message *ret_message)
{
    bool found;
    (void)pthread_mutex_lock(&inbox->lock);
    found = inbox->count > 0;
    if (found) {
        const struct inbox_message *message = &inbox->messages[inbox->first];
        memcpy(ret_message, message, offsetof(struct inbox_message, text) + kept_bytes(message->length_bytes));
        inbox->first = (inbox->first + 1) % INBOX_MAX;
        inbox->count--;
        (void)pthread_cond_signal(&inbox->room);
    }
    (void)pthread_mutex_unlock(&inbox->lock);
    return found;
}

void inbox_shut(struct inbox *inbox)
{
    (void)pthread_mutex_lock(&inbox->lock);
    inbox->shut = true;
    (void)pthread_mutex_unlock(&inbox->lock);
}

int inbox_count(struct inbox *inbox)
{
    int count;
    (void)pthread_mutex_lock(&inbox->lock);
    count = inbox->count;
    (void)pthread_mutex_unlock(&inbox->lock);
    return count;
}

bool inbox_empty(struct inbox *inbox)
{
    return inbox_count(inbox) == 0;
}

void inbox_end(struct inbox *inbox)
{
    (void)pthread_cond_destroy(&inbox->room);
    (void)pthread_mutex_destroy(&inbox->lock);
}
