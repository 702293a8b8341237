/* The hash chain: a row's hash, and the walk that checks them all. Called by the journal thread (one row) and qrgatectl
 * verify. */
#include "daemon/journal/chain.h"

#include <errno.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/journal/store.h"

_Static_assert(CHAIN_HASH_BYTES == crypto_hash_sha256_BYTES, "SHA-256");

/* libsodium's SHA-256 functions can't fail; their int is for symmetry with others. */
static void add_field(crypto_hash_sha256_state *state, const void *bytes, size_t length_bytes)
{
    const uint8_t length[4] = { (uint8_t)(length_bytes >> 24), (uint8_t)(length_bytes >> 16),
                                (uint8_t)(length_bytes >> 8), (uint8_t)length_bytes };
    (void)crypto_hash_sha256_update(state, length, sizeof(length));
    (void)crypto_hash_sha256_update(state, bytes, length_bytes);
}

static void add_text(crypto_hash_sha256_state *state, const char *text)
{
    add_field(state, text, strlen(text));
}

static void add_number(crypto_hash_sha256_state *state, int64_t number)
{
    const uint64_t bits = (uint64_t)number;
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(bits >> (56 - 8 * i));
    add_field(state, bytes, sizeof(bytes));
}

void chain_commit_person(const uint8_t salt[CHAIN_SALT_BYTES], const char *person, uint8_t ret[CHAIN_HASH_BYTES])
{
    crypto_hash_sha256_state state;
    (void)crypto_hash_sha256_init(&state);
    (void)crypto_hash_sha256_update(&state, salt, CHAIN_SALT_BYTES);
    (void)crypto_hash_sha256_update(&state, (const uint8_t *)person, strlen(person));
    (void)crypto_hash_sha256_final(&state, ret);
}

void chain_hash(const struct event *event, int form, const uint8_t person_commitment[CHAIN_HASH_BYTES],
                const uint8_t previous[CHAIN_HASH_BYTES], uint8_t ret[CHAIN_HASH_BYTES])
{
    crypto_hash_sha256_state state;
    (void)crypto_hash_sha256_init(&state);
    add_text(&state, form == CHAIN_FORM_FIRST ? "qrgate event 1" : "qrgate event 2");
    add_field(&state, previous, CHAIN_HASH_BYTES);
    add_number(&state, event->seq);
    add_text(&state, event->event_id);
    add_text(&state, event_kind_name(event->kind));
    add_number(&state, event->at_us);
    add_number(&state, event->monotonic_us);
    add_number(&state, event->clock_trusted ? 1 : 0);
    add_text(&state, reason_name(event->reason));
    add_text(&state, declaration_status_name(event->status));
    add_text(&state, credential_kind_name(event->credential));
    add_field(&state, person_commitment, CHAIN_HASH_BYTES);
    add_text(&state, event->bound_event_id);
    add_text(&state, event->alarm);
    add_text(&state, event->detail);
    if (form != CHAIN_FORM_FIRST) {
        add_text(&state, direction_name(event->direction));
        add_text(&state, presence_scope_name(event->scope));
    }
    (void)crypto_hash_sha256_final(&state, ret);
}

static int broken(struct chain_report *report, int64_t seq, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static int broken(struct chain_report *report, int64_t seq, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(report->why, sizeof(report->why), format, arguments);
    va_end(arguments);
    report->broken_seq = seq;
    return 1; /* ends the walk */
}

static int check_row(const struct stored_event *row, void *userdata)
{
    struct chain_report *report = userdata;
    const int64_t expected = report->rows + 1;
    uint8_t hash[CHAIN_HASH_BYTES];

    if (row->event.seq != expected)
        return broken(report, expected, "row is missing; the next one there is %lld", (long long)row->event.seq);
    if (memcmp(row->previous_hash, report->last_hash, sizeof(hash)) != 0)
        return broken(report, expected, "the hash of the row before isn't the one this row was chained to");
    if (!row->erased) {
        chain_commit_person(row->salt, row->event.person, hash);
        if (memcmp(hash, row->person_commitment, sizeof(hash)) != 0)
            return broken(report, expected, "person was changed");
    }
    if (row->form == CHAIN_FORM_FIRST && /* its hash says nothing of these */
        (row->event.direction != DIRECTION_NONE || row->event.scope != PRESENCE_SCOPE_NONE))
        return broken(report, expected, "direction or scope was added to a row that had none");
    chain_hash(&row->event, row->form, row->person_commitment, row->previous_hash, hash);
    if (memcmp(hash, row->hash, sizeof(hash)) != 0)
        return broken(report, expected, "the row was changed after it was written");
    memcpy(report->last_hash, hash, sizeof(hash));
    report->rows++;
    report->erased += row->erased;
    return 0;
}

int chain_verify(struct sqlite3 *db, struct chain_report *ret_report)
{
    *ret_report = (struct chain_report){ 0 };
    const int error = store_walk(db, 0, check_row, ret_report);
    if (error == -EILSEQ) { /* a row that this program can't have written */
        (void)broken(ret_report, ret_report->rows + 1, "row has a value that is none of those allowed");
        return 0;
    }
    return error < 0 ? error : 0;
}
