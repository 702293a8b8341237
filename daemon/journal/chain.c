/* The hash chain: a row's hash, and the walk that checks them all. Called by the journal thread (one row) and qrgatectl
 * verify. */
#include "daemon/journal/chain.h"

#include <errno.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/journal/database.h"
#include "daemon/journal/purged.h"
#include "daemon/journal/store.h"

_Static_assert(CHAIN_HASH_BYTES == crypto_hash_sha256_BYTES, "SHA-256");

enum { CHAIN_FORM_DIRECTION = 2, CHAIN_FORM_OPERATOR = 3 }; /* the first with these fields */
static const char *const NAMES[] = { "qrgate event 1", "qrgate event 2", "qrgate event 3" };
_Static_assert(sizeof(NAMES) / sizeof(NAMES[0]) == CHAIN_FORM, "one name for each form");

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
    add_text(&state, NAMES[form - CHAIN_FORM_FIRST]);
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
    if (form >= CHAIN_FORM_DIRECTION) {
        add_text(&state, direction_name(event->direction));
        add_text(&state, presence_scope_name(event->scope));
    }
    if (form >= CHAIN_FORM_OPERATOR) {
        add_text(&state, event->verb);
        add_text(&state, event->operator_name);
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

/* Where a walk along rows and ranges is. */
struct walk {
    struct chain_report *report;
    const uint8_t *key; /* the seals'; NULL: unchecked */
    sqlite3_stmt *ranges;
    struct purged_range range; /* the next one, when has_range */
    bool has_range;
    int64_t expected_seq;
    const struct journal_head *heads; /* those not come to yet */
    size_t head_count;
};

/* The row or range's end that the walk has come to: the heads up to there. 0; 1: broken. */
static int pass_heads(struct walk *walk, int64_t seq, const uint8_t hash[CHAIN_HASH_BYTES])
{
    struct chain_report *report = walk->report;
    for (; walk->head_count > 0 && walk->heads->seq <= seq; walk->heads++, walk->head_count--) {
        if (walk->heads->seq < seq)
            report->heads_purged++;
        else if (memcmp(walk->heads->hash, hash, CHAIN_HASH_BYTES) == 0)
            report->heads_held++;
        else
            return broken(report, seq, "another row was there when its hash was published: the journal was written anew");
    }
    return 0;
}

static int next_range(struct walk *walk)
{
    const int found = purged_next(walk->ranges, &walk->range);
    walk->has_range = found == 1;
    return found < 0 ? found : 0;
}

/* What is wrong with the range that the walk has come to; NULL: nothing. */
static const char *range_fault(const struct walk *walk)
{
    const struct purged_range *range = &walk->range;
    return range->first_seq < walk->expected_seq ? "rows that are there are said to be purged"
           : range->last_seq < range->first_seq || range->unsent_rows < 0 ||
                   range->unsent_rows > range->last_seq - range->first_seq + 1
               ? "a range of purged rows makes no sense"
           : memcmp(range->previous_hash, walk->report->last_hash, CHAIN_HASH_BYTES) != 0
               ? "the hash of the row before isn't the one the purged rows were chained to"
           : walk->key && !purged_seal_good(walk->key, range)
               ? "rows are missing; they are said to be purged, but not under this site key's seal"
               : NULL;
}

/* Over the ranges up to the next row that must be there. 0; 1: broken; negative errno. */
static int pass_ranges(struct walk *walk)
{
    struct chain_report *report = walk->report;
    int result = 0;
    while (result == 0 && walk->has_range && walk->range.first_seq <= walk->expected_seq) {
        const char *fault = range_fault(walk);
        if (fault)
            return broken(report, walk->expected_seq, "%s", fault);
        report->purged_rows += walk->range.last_seq - walk->range.first_seq + 1;
        report->purged_unsent_rows += walk->range.unsent_rows;
        report->purged_ranges++;
        memcpy(report->last_hash, walk->range.hash, CHAIN_HASH_BYTES);
        walk->expected_seq = walk->range.last_seq + 1;
        result = pass_heads(walk, walk->range.last_seq, walk->range.hash);
        if (result == 0)
            result = next_range(walk);
    }
    return result;
}

/* Of the fields that its hash says nothing of. */
static const char *form_fault(const struct stored_event *row)
{
    const struct event *event = &row->event;
    return row->form < CHAIN_FORM_DIRECTION &&
                   (event->direction != DIRECTION_NONE || event->scope != PRESENCE_SCOPE_NONE)
               ? "direction or scope was added to a row that had none"
           : row->form < CHAIN_FORM_OPERATOR && (event->verb[0] != '\0' || event->operator_name[0] != '\0')
               ? "verb or operator was added to a row that had none"
               : NULL;
}

static int check_row(const struct stored_event *row, void *userdata)
{
    struct walk *walk = userdata;
    struct chain_report *report = walk->report;
    uint8_t hash[CHAIN_HASH_BYTES];
    const int passed = pass_ranges(walk);
    const int64_t expected = walk->expected_seq;

    if (passed != 0)
        return passed;
    if (row->event.seq != expected)
        return broken(report, expected, "row is missing; the next one there is %lld", (long long)row->event.seq);
    if (memcmp(row->previous_hash, report->last_hash, sizeof(hash)) != 0)
        return broken(report, expected, "the hash of the row before isn't the one this row was chained to");
    if (!row->erased) {
        chain_commit_person(row->salt, row->event.person, hash);
        if (memcmp(hash, row->person_commitment, sizeof(hash)) != 0)
            return broken(report, expected, "person was changed");
    }
    const char *fault = form_fault(row);
    if (fault)
        return broken(report, expected, "%s", fault);
    chain_hash(&row->event, row->form, row->person_commitment, row->previous_hash, hash);
    if (memcmp(hash, row->hash, sizeof(hash)) != 0)
        return broken(report, expected, "the row was changed after it was written");
    memcpy(report->last_hash, hash, sizeof(hash));
    walk->expected_seq++;
    report->rows++;
    report->erased += row->erased;
    return pass_heads(walk, row->event.seq, hash);
}

/* Rows and ranges as they were at one moment: the daemon may be purging. */
static int verify(sqlite3 *db, struct walk *walk)
{
    int result = purged_walk(db, &walk->ranges);
    if (result == 0)
        result = next_range(walk);
    if (result == 0)
        result = store_walk(db, 0, check_row, walk);
    if (result == -EILSEQ) /* a row or a range that this program can't have written */
        return broken(walk->report, walk->expected_seq, "row has a value that is none of those allowed");
    if (result == 0 && walk->has_range) {
        result = pass_ranges(walk);
        if (result == 0) /* it is never purged */
            result = broken(walk->report, walk->expected_seq, "the newest row is missing");
    }
    if (result == 0 && walk->head_count > 0)
        result = broken(walk->report, walk->expected_seq, "the newest rows were cut off: row %lld was published",
                        (long long)walk->heads[walk->head_count - 1].seq);
    return result;
}

int chain_read_head(sqlite3_stmt *statement, struct journal_head *ret)
{
    const int code = sqlite3_step(statement);
    const int result = code == SQLITE_ROW ? column_blob(statement, 1, ret->hash, sizeof(ret->hash)) : database_error(code);
    ret->seq = code == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    statement_end(statement);
    return result < 0 ? result : code == SQLITE_ROW ? 1 : 0;
}

int chain_verify(sqlite3 *db, const uint8_t site_key[32], struct chain_report *ret_report)
{
    return chain_verify_heads(db, site_key, NULL, 0, ret_report);
}

int chain_verify_heads(sqlite3 *db, const uint8_t site_key[32], const struct journal_head *heads, size_t count,
                       struct chain_report *ret_report)
{
    uint8_t key[CHAIN_HASH_BYTES];
    struct walk walk = { .report = ret_report, .key = site_key ? key : NULL, .expected_seq = 1,
                         .heads = heads, .head_count = count };
    for (size_t i = 0; i < count; i++)
        if (heads[i].seq < 1 || (i > 0 && heads[i].seq < heads[i - 1].seq))
            return -EINVAL;
    const bool alone = sqlite3_get_autocommit(db) != 0;
    *ret_report = (struct chain_report){ 0 };
    if (site_key)
        purged_key(site_key, key);
    int result = alone ? database_run(db, "BEGIN") : 0;
    if (result == 0)
        result = verify(db, &walk);
    (void)sqlite3_finalize(walk.ranges); /* accepts NULL; repeats the code of step */
    if (alone && !sqlite3_get_autocommit(db))
        (void)database_run(db, "COMMIT"); /* ends a reading: nothing can be lost */
    sodium_memzero(key, sizeof(key));
    return result < 0 ? result : 0;
}
