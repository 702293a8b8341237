/* qrgatectl key rotate: a new site key, with an overlap; and its end, at which the old one is destroyed. */
#include <errno.h>
#include <sodium.h>
#include <sqlite3.h>
#include <string.h>

#include "daemon/ctl/ctl.h"
#include "daemon/decision/time_text.h"
#include "daemon/journal/database.h"
#include "daemon/journal/site_key_change.h"
#include "daemon/settings/site_key.h"

enum { PATH_BYTES = 1024 };
#define DEFAULT_OVERLAP "30d"

enum { OVERLAP, FINISH, DUE, EARLY };
static const struct ctl_option OPTIONS[] = {
    [OVERLAP] = { "overlap", "TIME", false, "how long numbers are known under both keys (default " DEFAULT_OVERLAP ")" },
    [FINISH] = { "finish", NULL, false, "end the change: destroy the old key, and what only it leads to" },
    [DUE] = { "due", NULL, false, "with --finish: say nothing and do nothing while the overlap lasts; for a timer" },
    [EARLY] = { "early", NULL, false, "with --finish: before the overlap is over" },
    { NULL, NULL, false, NULL },
};

/* ---- the beginning ----------------------------------------------------------------------------------------------- */

static enum ctl_exit begin(struct ctl *ctl, const char *path, struct site_keys *keys)
{
    const char *overlap = ctl->values[OVERLAP] ? ctl->values[OVERLAP] : DEFAULT_OVERLAP;
    char id[SITE_KEY_ID_BYTES], old_id[SITE_KEY_ID_BYTES], when[TIME_TEXT_BYTES], why[512] = "", buffer[80];
    int64_t overlap_s;
    if (keys->has_old)
        return ctl_complain(ctl, CTL_FAILED, "rotate.under_way", "file", path,
                            "time", time_text_write(keys->old_until_s, when), NULL);
    if (!parse_duration(overlap, &overlap_s))
        return ctl_complain(ctl, CTL_USAGE, "rotate.overlap", "value", printable(overlap, buffer, sizeof(buffer)),
                            "allowed", say(ctl->lang, "allowed.valid"), NULL);
    memcpy(keys->old, keys->current, sizeof(keys->old));
    randombytes_buf(keys->current, sizeof(keys->current));
    keys->has_old = true;
    keys->old_until_s = ctl->now_s + overlap_s;
    const int replaced = site_keys_replace(path, keys, why, sizeof(why));
    if (replaced != 0) /* 1: the change has begun all the same */
        (void)ctl_complain(ctl, CTL_FAILED, "words.failed", "why", why, NULL);
    if (replaced < 0)
        return CTL_FAILED;
    site_key_id(keys->current, id);
    site_key_id(keys->old, old_id);
    lang_print(stdout, ctl->lang, "rotate.begun", "id", id, "old", old_id, "until", time_text_write(keys->old_until_s, when),
               "path", path, NULL);
    (void)putchar('\n');
    return CTL_OK;
}

/* ---- the end ----------------------------------------------------------------------------------------------------- */

/* A database that was never opened under the new key has everything under the old one: nothing of it may be destroyed. */
static enum ctl_exit check_adopted(const struct ctl *ctl, sqlite3 *db, const struct site_keys *keys)
{
    char id[SITE_KEY_ID_BYTES], sql[120];
    int error = 0;
    site_key_id(keys->current, id);
    (void)snprintf(sql, sizeof(sql), "SELECT EXISTS (SELECT 1 FROM site_key WHERE key_id = '%s')", id);
    const int64_t adopted = database_number(db, sql, &error);
    if (error < 0)
        return ctl_complain(ctl, CTL_FAILED, "database.unreadable", "why", sqlite3_errmsg(db), NULL);
    return adopted == 1 ? CTL_OK
                        : ctl_complain(ctl, CTL_FAILED, "rotate.not_adopted", NULL);
}

static enum ctl_exit finish_database(struct ctl *ctl, const struct site_keys *keys, int64_t *ret_rows)
{
    sqlite3 *db = NULL;
    enum ctl_exit result = ctl_open_database(ctl, true, &db);
    if (result == CTL_OK)
        result = check_adopted(ctl, db, keys);
    if (result == CTL_OK) {
        const int error = site_key_finish(db, ret_rows);
        if (error < 0)
            result = ctl_complain(ctl, CTL_FAILED, "database.unwritable", "why", sqlite3_errmsg(db),
                                  "remedy", error == -EBUSY ? say(ctl->lang, "fix.busy") : "", NULL);
        else if (database_wipe_log(db, true) < 0)
            (void)fprintf(stderr, "%s\n", say(ctl->lang, "rotate.log_kept"));
    }
    (void)sqlite3_close(db); /* accepts NULL; no statement is left */
    return result;
}

static enum ctl_exit finish(struct ctl *ctl, const char *path, struct site_keys *keys)
{
    char old_id[SITE_KEY_ID_BYTES], when[TIME_TEXT_BYTES], why[512] = "";
    int64_t rows = 0;
    if (ctl->values[DUE] && (!keys->has_old || keys->old_until_s > ctl->now_s))
        return CTL_OK;
    if (!keys->has_old)
        return ctl_complain(ctl, CTL_FAILED, "rotate.none", "file", path, NULL);
    if (keys->old_until_s > ctl->now_s && !ctl->values[EARLY])
        return ctl_complain(ctl, CTL_FAILED, "rotate.too_early", "time", time_text_write(keys->old_until_s, when),
                            NULL);
    const enum ctl_exit result = finish_database(ctl, keys, &rows);
    if (result != CTL_OK)
        return result;
    site_key_id(keys->old, old_id);
    keys->has_old = false;
    if (site_keys_replace(path, keys, why, sizeof(why)) != 0) /* 1: not destroyed, then */
        return ctl_complain(ctl, CTL_FAILED, "words.failed", "why", why, NULL);
    lang_print(stdout, ctl->lang, "rotate.finished", "old", old_id, "rows", LANG_N(rows), NULL);
    (void)putchar('\n');
    return CTL_OK;
}

static enum ctl_exit run(struct ctl *ctl)
{
    char path[PATH_BYTES], why[512] = "";
    struct site_keys keys;
    enum ctl_exit result = ctl_site_key_path(ctl, path, sizeof(path));
    if (result != CTL_OK)
        return result;
    if (!ctl->values[FINISH] && (ctl->values[DUE] || ctl->values[EARLY]))
        return ctl_complain(ctl, CTL_USAGE, "rotate.with_finish", NULL);
    if (site_keys_load(path, &keys, why, sizeof(why)) < 0)
        return ctl_complain(ctl, CTL_FAILED, "words.failed", "why", why, NULL);
    result = ctl->values[FINISH] ? finish(ctl, path, &keys) : begin(ctl, path, &keys);
    sodium_memzero(&keys, sizeof(keys));
    return result;
}

const struct ctl_command CTL_KEY_ROTATE = {
    .name = "key rotate",
    .summary = "Replace the site key, which turns identity numbers into hashes",
    .details = "Makes a new key in the site key's file; the old one stays beside it for the overlap. Copy the file to the site's\n"
               "other lanes, then restart each: systemctl restart qrgated@LANE. In the overlap a number is looked up under both\n"
               "keys, and what is known of it moves to the new one when it is shown. Then, on each lane: key rotate --finish,\n"
               "which qrgate-retention@LANE.timer also does. It destroys the old key, deletes the declarations of who showed\n"
               "nothing meanwhile, and leaves the old events' hashes, which nobody can trace to a number any more.\n"
               "Rotating passes of the old key open in the overlap only: provision the phones anew.\n",
    .options = OPTIONS,
    .run = run,
};
