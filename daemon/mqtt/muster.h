/* The muster list on its way out: when an emergency begins, who is inside is read from the journal page by page and published
 * before anything else. A pure state machine like outbox.h (time and randomness passed in, no allocation); the publisher
 * turns its crank in the main thread.
 *
 * A list is of one moment, and all its pages carry it. Whatever goes wrong on the way to the broker, the whole list begins
 * anew with what is known then: an old list helps nobody. Only when every page was acknowledged is it done with. */
#ifndef MQTT_MUSTER_H
#define MQTT_MUSTER_H

#include "daemon/mqtt/messages.h"
#include "daemon/mqtt/outbox.h"

enum { MUSTER_IN_FLIGHT_MAX = 8 };

struct muster_settings {
    int64_t ack_timeout_us, backoff_min_us, backoff_max_us;
};

struct muster {
    struct muster_settings settings;
    bool due;       /* asked for, and not wholly acknowledged */
    bool connected;
    bool asked;     /* the journal has a request … */
    bool stale;     /* … of a list that was begun anew meanwhile */
    bool has_page;  /* rows of `page` wait */
    bool read_all;  /* the last page was read */
    uint32_t run;   /* which list this is: answers of the broker to another are not looked at */
    int64_t at_us, last_at_us; /* Unix time: this list's, the one's before */
    int64_t inside; /* at its first page */
    int pages;      /* published */
    struct muster_page page;
    int rows_sent;  /* of page */
    char after_person[JOURNAL_ID_BYTES];
    int in_flight;
    int64_t waiting_since_us; /* in_flight > 0: the broker's last sign, or the first page's sending */
    int journal_failures, broker_failures; /* in a row */
    int64_t ask_at_us, send_at_us;
};

void muster_init(struct muster *muster, const struct muster_settings *settings);
/* An emergency began, now or again: a list of what is known from now on. */
void muster_ask(struct muster *muster);
void muster_connected(struct muster *muster);
void muster_disconnected(struct muster *muster);
/* True: *ret_request is what the journal is asked; again until muster_answer(). `unix_us`: the list's time, if it begins. */
bool muster_wants(struct muster *muster, int64_t now_us, int64_t unix_us, struct journal_request *ret_request);
/* False: the journal failed, for the first time in a row. */
bool muster_answer(struct muster *muster, const struct journal_answer *answer, int64_t now_us, uint32_t random);
/* True: *ret_page is to be published (its rows borrowed until the next call), with muster->run as its mark; then
 * muster_sent() with how many of its rows went, or muster_put_off(). */
bool muster_publish(const struct muster *muster, int64_t now_us, struct message_muster *ret_page);
void muster_sent(struct muster *muster, int rows, int64_t now_us);
void muster_put_off(struct muster *muster, int64_t now_us);
/* True: the list is done with, all of it. */
bool muster_acked(struct muster *muster, uint32_t run, enum outbox_ack ack, int64_t now_us, uint32_t random);
bool muster_stuck(const struct muster *muster, int64_t now_us); /* the broker owes an answer for too long */
/* When muster_wants() (if it may be asked), muster_publish() or muster_stuck() will have news; INT64_MAX: never. */
int64_t muster_deadline_us(const struct muster *muster, bool may_ask);

#endif
