/* What main knows of MQTT: the journal's rows go out, retained state beside them. Owns client, outbox and topics; main
 * thread only. main.c's part: watch publisher_fd(), call publisher_dispatch() at it and at publisher_deadline_us(), and
 * carry requests and answers between it and the journal. */
#ifndef MQTT_PUBLISHER_H
#define MQTT_PUBLISHER_H

#include "daemon/journal/journal.h"
#include "daemon/mqtt/client.h"
#include "daemon/mqtt/messages.h"

struct publisher;

/* With settings->enabled false everything below does nothing. Block signals and call before any time that counts. An
 * absent broker is no error. */
int publisher_open(const struct mqtt_settings *settings, struct publisher **ret_publisher, char *why, size_t why_bytes);
int publisher_fd(const struct publisher *publisher);
void publisher_dispatch(struct publisher *publisher, int64_t now_us);
int64_t publisher_deadline_us(const struct publisher *publisher); /* CLOCK_MONOTONIC; INT64_MAX: none */
/* True: op and after_seq of *ret_request are what the journal is asked (the tag is the caller's). The same again until
 * publisher_answer(), so a request that the journal had no room for is simply tried later. */
bool publisher_wants(struct publisher *publisher, struct journal_request *ret_request);
void publisher_answer(struct publisher *publisher, const struct journal_answer *answer);
void publisher_row_committed(struct publisher *publisher);
/* Published when something in it changed, at most once a second, and after each connection. */
void publisher_state(struct publisher *publisher, const struct lane_state *state);
/* More for the retained `info` than version, site, lane and Paho, which are known: lines, libraries (appended). */
void publisher_info(struct publisher *publisher, const struct lane_info *more);
int64_t publisher_unsent_rows(const struct publisher *publisher); /* as of the journal's last answer */
void publisher_close(struct publisher *publisher); /* says "offline"; at most 2 s; NULL is accepted */

#endif
