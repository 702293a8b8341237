/* What main knows of MQTT: the journal's rows go out, retained state and muster lists beside them; declarations, revocations and other lanes'
 * passages come in. Owns client, outbox, intake and topics; main thread only. main.c's part: watch publisher_fd(), call
 * publisher_dispatch() at it and at publisher_deadline_us(), and carry requests and answers between it and the journal.
 *
 * The broker holds a message for delivered once it is in memory here (inbox.h), before the journal has it. What a crash takes
 * away in between, INBOX_MAX messages and what the line holds, nobody has answered: the sender's certainty is the result message. */
#ifndef MQTT_PUBLISHER_H
#define MQTT_PUBLISHER_H

#include "daemon/journal/journal.h"
#include "daemon/mqtt/client.h"
#include "daemon/mqtt/commands.h"
#include "daemon/mqtt/messages.h"

struct publisher;

/* With settings->enabled false everything below does nothing. Block signals and call before any time that counts. An
 * absent broker is no error. */
int publisher_open(const struct mqtt_settings *settings, struct publisher **ret_publisher, char *why, size_t why_bytes);
int publisher_fd(const struct publisher *publisher);
void publisher_dispatch(struct publisher *publisher, int64_t now_us);
int64_t publisher_deadline_us(const struct publisher *publisher); /* CLOCK_MONOTONIC; INT64_MAX: none */
/* True: *ret_request (zeroed by the caller but for the payload) is what the journal is asked; the tag is the caller's. The same
 * again until publisher_answer(), so a request that the journal had no room for is simply tried later. One at a time: a muster
 * list's first, else by turns for what goes out and what comes in, so that neither starves the other. */
bool publisher_wants(struct publisher *publisher, struct journal_request *ret_request);
void publisher_answer(struct publisher *publisher, const struct journal_answer *answer);
/* Rows up to `seq` are in the journal; 0 or an older one says nothing. Said before the first dispatch, it tells apart what
 * earlier runs left, which is historical. */
void publisher_row_committed(struct publisher *publisher, int64_t seq);
/* All rows from `from_seq` on that are in the journal now, once more, as historical; live ones don't wait. Returns the last of
 * them, 0 = there is none. Not remembered beyond a restart. */
int64_t publisher_resend(struct publisher *publisher, int64_t from_seq);
/* What requests are held against, copied; those that wait are refused. Before that none is taken. */
void publisher_command_rules(struct publisher *publisher, const struct command_rules *rules);
/* mqtt.home_assistant, which may change while the lane is at work. Switched off, the device is taken away again. */
void publisher_home_assistant(struct publisher *publisher, bool on);
/* True: *ret is an operator's command to be carried out, and publisher_command_done() is to be told how it ended; until then there
 * is no other. */
bool publisher_command(struct publisher *publisher, struct command *ret);
void publisher_command_done(struct publisher *publisher, const struct command_outcome *outcome);
/* An emergency begins: who is inside goes out before all else, now or, as it is then, when the broker is back. */
void publisher_muster(struct publisher *publisher);
/* Published when something in it changed, at most once a second, and after each connection. */
void publisher_state(struct publisher *publisher, const struct lane_state *state);
/* As it would be published now, also without a broker: the length; 0: nothing is known yet; or -EMSGSIZE. */
int publisher_state_text(const struct publisher *publisher, char ret_text[MESSAGE_BYTES]);
void publisher_report(struct publisher *publisher); /* all of that again, now */
/* More for the retained `info` than version, site, lane and Paho, which are known: lines, libraries (appended). */
void publisher_info(struct publisher *publisher, const struct lane_info *more);
void publisher_chain_head(struct publisher *publisher, const struct lane_chain_head *head); /* now, or when the broker is back */
/* To be published now, or when the broker is back; adds what the publisher itself knows (unsent rows, inbox, acknowledgements). */
void publisher_health(struct publisher *publisher, const struct lane_health *health);
bool publisher_health_asked(struct publisher *publisher); /* true once after a publisher_report(): a fresh one is wanted */
/* The TLS files as they were when last looked at; zeros: none, or not yet. publisher_inspect(): look again, in another thread. */
struct certificates publisher_certificates(const struct publisher *publisher);
void publisher_inspect(struct publisher *publisher);
/* Rows that no broker acknowledged yet, as any answer of the journal's tells: also while there is no broker to ask for. */
void publisher_counted(struct publisher *publisher, int64_t unsent_rows);
int64_t publisher_unsent_rows(const struct publisher *publisher); /* as of the journal's last answer */
/* Connected, and the other lanes' passages are heard: subscribed to, and nothing speaks against it. */
bool publisher_connected(const struct publisher *publisher);
/* For the end: takes nothing more from the broker, and is true once the journal has all that was taken, and knows of every
 * row that the broker acknowledged. Call until then, carrying requests and answers on. */
bool publisher_settle(struct publisher *publisher);
void publisher_close(struct publisher *publisher); /* says "offline"; at most 2 s; NULL is accepted */
/* Only after journal_close(): the journal's thread may still have a batch of rows in its hands. NULL is accepted. */
void publisher_free(struct publisher *publisher);

#endif
