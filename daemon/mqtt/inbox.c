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

void inbox_put(struct inbox *inbox, enum inbound_topic topic, const char lane[TOPIC_LANE_BYTES], const void *text,
               size_t length_bytes)
{
    struct inbox_message *message;
    (void)pthread_mutex_lock(&inbox->lock);
    while (inbox->shut || inbox->count == INBOX_MAX)
        (void)pthread_cond_wait(&inbox->room, &inbox->lock);
    message = &inbox->messages[(inbox->first + inbox->count++) % INBOX_MAX];
    message->topic = topic;
    memcpy(message->lane, lane, sizeof message->lane);
    message->length_bytes = length_bytes;
    if (length_bytes > 0)
        memcpy(message->text, text, length_bytes < sizeof message->text ? length_bytes : sizeof message->text);
    (void)pthread_mutex_unlock(&inbox->lock);
}

bool inbox_take(struct inbox *inbox, struct inbox_message *ret_message)
{
    bool found;
    (void)pthread_mutex_lock(&inbox->lock);
    found = inbox->count > 0;
    if (found) {
        *ret_message = inbox->messages[inbox->first];
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

bool inbox_empty(struct inbox *inbox)
{
    bool empty;
    (void)pthread_mutex_lock(&inbox->lock);
    empty = inbox->count == 0;
    (void)pthread_mutex_unlock(&inbox->lock);
    return empty;
}

void inbox_end(struct inbox *inbox)
{
    (void)pthread_cond_destroy(&inbox->room);
    (void)pthread_mutex_destroy(&inbox->lock);
}
