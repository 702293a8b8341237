/* Who is inside, page by page from the journal to the broker. Pure; turned by the publisher in the main thread. */
#include "daemon/mqtt/muster.h"

#include <string.h>

#include "daemon/mqtt/backoff.h"

/* A line that is full for a moment is no failure, and lives may hang on the next page. */
enum { PUT_OFF_US = 50000 };

void muster_init(struct muster *muster, const struct muster_settings *settings)
{
    *muster = (struct muster){.settings = *settings};
}

static void begin(struct muster *muster)
{
    muster->run++;
    muster->stale = muster->asked;
    muster->has_page = muster->read_all = false;
    muster->pages = muster->rows_sent = muster->in_flight = 0;
    muster->after_person[0] = '\0';
    muster->ask_at_us = muster->send_at_us = 0;
}

void muster_ask(struct muster *muster)
{
    muster->due = true;
    muster->broker_failures = muster->journal_failures = 0;
    begin(muster);
}

void muster_connected(struct muster *muster)
{
    muster->connected = true;
    muster->broker_failures = 0;
    begin(muster);
}

void muster_disconnected(struct muster *muster)
{
    muster->connected = false;
    begin(muster);
}

static bool may_ask_journal(const struct muster *muster)
{
    return muster->due && muster->connected && !muster->has_page && !muster->read_all;
}

bool muster_wants(struct muster *muster, int64_t now_us, int64_t unix_us, struct journal_request *ret_request)
{
    if (!muster->asked && (!may_ask_journal(muster) || now_us < muster->ask_at_us))
        return false;
    if (!muster->asked && muster->pages == 0) {
        /* Two lists never have one time: by it a reader puts the pages together. */
        muster->at_us = unix_us / 1000 == muster->last_at_us / 1000 ? unix_us + 1000 : unix_us;
        muster->last_at_us = muster->at_us;
    }
    muster->asked = true;
    ret_request->op = JOURNAL_MUSTER;
    memcpy(ret_request->after_person, muster->after_person, sizeof ret_request->after_person);
    return true;
}

bool muster_answer(struct muster *muster, const struct journal_answer *answer, int64_t now_us, uint32_t random)
{
    const struct muster_settings *settings = &muster->settings;
    const struct muster_page *page = &answer->muster;
    const bool stale = muster->stale;
    if (!muster->asked || answer->op != JOURNAL_MUSTER)
        return true;
    muster->asked = muster->stale = false;
    if (stale)
        return true;
    if (answer->error != 0) {
        muster->journal_failures += muster->journal_failures < 30;
        muster->ask_at_us = now_us + backoff_us(muster->journal_failures, settings->backoff_min_us, settings->backoff_max_us,
                                                random);
        return muster->journal_failures > 1;
    }
    muster->journal_failures = 0;
    muster->page = *page;
    muster->has_page = true;
    muster->rows_sent = 0;
    muster->read_all = page->count < JOURNAL_MUSTER_MAX;
    if (muster->pages == 0)
        muster->inside = page->inside_count;
    if (page->count > 0)
        memcpy(muster->after_person, page->rows[page->count - 1].person, sizeof muster->after_person);
    return true;
}

bool muster_publish(const struct muster *muster, int64_t now_us, struct message_muster *ret_page)
{
    if (!muster->connected || !muster->has_page || muster->in_flight >= MUSTER_IN_FLIGHT_MAX || now_us < muster->send_at_us)
        return false;
    *ret_page = (struct message_muster){.at_us = muster->at_us,
                                        .page = muster->pages + 1,
                                        .last = muster->read_all,
                                        .inside = muster->inside,
                                        .rows = muster->page.rows + muster->rows_sent,
                                        .count = muster->page.count - muster->rows_sent};
    return true;
}

void muster_sent(struct muster *muster, int rows, int64_t now_us)
{
    if (muster->in_flight++ == 0)
        muster->waiting_since_us = now_us;
    muster->pages++;
    muster->rows_sent += rows;
    muster->has_page = muster->rows_sent < muster->page.count;
}

void muster_put_off(struct muster *muster, int64_t now_us)
{
    muster->send_at_us = now_us + PUT_OFF_US;
}

bool muster_acked(struct muster *muster, uint32_t run, enum outbox_ack ack, int64_t now_us, uint32_t random)
{
    const struct muster_settings *settings = &muster->settings;
    if (run != muster->run || muster->in_flight == 0)
        return false;
    if (ack != OUTBOX_ACK_OK) {
        muster->broker_failures += muster->broker_failures < 30;
        begin(muster);
        muster->ask_at_us = now_us + backoff_us(muster->broker_failures, settings->backoff_min_us, settings->backoff_max_us,
                                                random);
        return false;
    }
    muster->in_flight--;
    muster->waiting_since_us = now_us;
    if (muster->in_flight > 0 || muster->has_page || !muster->read_all)
        return false;
    muster->due = false;
    muster->broker_failures = 0;
    return true;
}

bool muster_stuck(const struct muster *muster, int64_t now_us)
{
    return muster->in_flight > 0 && now_us - muster->waiting_since_us >= muster->settings.ack_timeout_us;
}

int64_t muster_deadline_us(const struct muster *muster, bool may_ask)
{
    int64_t at_us = INT64_MAX;
    if (may_ask && !muster->asked && may_ask_journal(muster))
        at_us = muster->ask_at_us;
    if (muster->connected && muster->has_page && muster->in_flight < MUSTER_IN_FLIGHT_MAX && muster->send_at_us < at_us)
        at_us = muster->send_at_us;
    if (muster->in_flight > 0 && muster->waiting_since_us + muster->settings.ack_timeout_us < at_us)
        at_us = muster->waiting_since_us + muster->settings.ack_timeout_us;
    return at_us;
}
