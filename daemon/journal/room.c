/* Counts pages, asks the disk, and keeps the reserve. Called by worker.c and purge.c (journal thread). */
#include "daemon/journal/room.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "daemon/journal/database.h"

enum {
    LOG_BYTES = 4 << 20,    /* the log is cut to it (journal_size_limit) unless another program keeps it from that */
    MARGIN_BYTES = 4 << 20, /* the reserve is made again only when so much is free beside it */
    ENOUGH_PAGES = 64,      /* free ones inside the file: a decision's rows fit, the file needn't grow */
    SENT_PERCENT = 85,      /* from here on acknowledged rows go: the alarm at 90 % then means that unsent ones pile up */
};

static const char *const SQL[ROOM_STATEMENT_COUNT] = {
    [ROOM_PAGES] = "PRAGMA page_count",
    [ROOM_FREE_PAGES] = "PRAGMA freelist_count",
};

static int number_of(sqlite3_stmt *statement, int64_t *ret)
{
    const int code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        *ret = sqlite3_column_int64(statement, 0);
    statement_end(statement);
    return code == SQLITE_ROW ? 0 : code == SQLITE_DONE ? -EIO : database_error(code);
}

static int read_page_bytes(sqlite3 *db, int64_t *ret)
{
    sqlite3_stmt *statement = NULL;
    int error = database_error(sqlite3_prepare_v2(db, "PRAGMA page_size", -1, &statement, NULL));
    if (error == 0)
        error = number_of(statement, ret);
    (void)sqlite3_finalize(statement); /* repeats the code of step */
    return error;
}

/* For the user that runs qrgate, not for the system's own reserve. */
static int read_disk_free(const struct room *room, int64_t *ret)
{
    struct statvfs disk;
    *ret = 0;
    if (statvfs(room->settings->path, &disk) < 0)
        return -errno;
    if (__builtin_mul_overflow((int64_t)disk.f_bavail, (int64_t)disk.f_frsize, ret))
        *ret = INT64_MAX / 4;
    return 0;
}

/* ---- the reserve ------------------------------------------------------------------------------------------------- */

static void name_reserve(const char *database, char *ret, size_t bytes)
{
    (void)snprintf(ret, bytes, "%s.reserve", database); /* the callers' buffers are longer than any path */
}

static bool fill(int fd)
{
    static const char zeros[65536];
    const int code = fallocate(fd, 0, 0, ROOM_RESERVE_BYTES) == 0 ? 0 : errno;
    if (code != EOPNOTSUPP)
        return code == 0;
    for (off_t at = 0; at < ROOM_RESERVE_BYTES; at += (off_t)sizeof(zeros))
        if (pwrite(fd, zeros, sizeof(zeros), at) != (ssize_t)sizeof(zeros))
            return false;
    return true;
}

void room_keep_reserve(struct room *room)
{
    struct stat status;
    int64_t free_bytes = 0;
    if (room->has_reserve)
        return;
    if (lstat(room->reserve_path, &status) == 0) { /* left by the run before */
        room->has_reserve = S_ISREG(status.st_mode) && status.st_blocks * INT64_C(512) >= ROOM_RESERVE_BYTES;
        if (room->has_reserve || unlink(room->reserve_path) < 0)
            return;
    }
    if (read_disk_free(room, &free_bytes) < 0 || free_bytes < ROOM_RESERVE_BYTES + MARGIN_BYTES)
        return;
    const int fd = open(room->reserve_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (fd < 0)
        return;
    room->has_reserve = fill(fd);
    if (!room->has_reserve)
        (void)unlink(room->reserve_path); /* a part of it would only be in the way */
    (void)close(fd); /* what it holds doesn't matter */
}

bool room_give_up_reserve(struct room *room)
{
    room->has_reserve = false;
    return unlink(room->reserve_path) == 0;
}

bool room_give_up_reserve_of(const char *database)
{
    char path[JOURNAL_PATH_BYTES + 8];
    name_reserve(database, path, sizeof(path));
    return unlink(path) == 0;
}

/* ---- the room ---------------------------------------------------------------------------------------------------- */

int room_open(sqlite3 *db, const struct journal_settings *settings, struct room *ret)
{
    ret->settings = settings;
    (void)snprintf(ret->log_path, sizeof(ret->log_path), "%s-wal", settings->path);
    name_reserve(settings->path, ret->reserve_path, sizeof(ret->reserve_path));
    int error = statements_prepare(db, SQL, ROOM_STATEMENT_COUNT, ret->statements);
    if (error == 0)
        error = read_page_bytes(db, &ret->page_bytes);
    if (error < 0)
        room_close(ret);
    else
        room_keep_reserve(ret);
    return error;
}

void room_close(struct room *room)
{
    statements_finalize(room->statements, ROOM_STATEMENT_COUNT);
    *room = (struct room){ 0 };
}

int room_measure(struct room *room, struct journal_room *ret, struct room_excess *ret_excess)
{
    const int64_t size_max_bytes = room->settings->size_max_bytes;
    struct stat log;
    int64_t pages = 0, free_pages = 0, disk_free = 0;
    int error = number_of(room->statements[ROOM_PAGES], &pages);
    if (error == 0)
        error = number_of(room->statements[ROOM_FREE_PAGES], &free_pages);
    if (error == 0)
        error = read_disk_free(room, &disk_free);
    if (error < 0)
        return error;
    const int64_t log_bytes = stat(room->log_path, &log) == 0 ? (int64_t)log.st_size : 0;
    const int64_t rows_bytes = (pages - free_pages) * room->page_bytes;
    const int64_t used_bytes = rows_bytes + log_bytes;
    const int64_t kept_bytes = room->has_reserve ? 0 : ROOM_RESERVE_BYTES; /* what comes free is the reserve's first */
    const int64_t disk_bytes = disk_free > kept_bytes ? disk_free - kept_bytes : 0;
    const int64_t could_bytes = used_bytes + free_pages * room->page_bytes + disk_bytes;
    const int64_t most_bytes = size_max_bytes > 0 && size_max_bytes < could_bytes ? size_max_bytes : could_bytes;
    ret->used_bytes = used_bytes;
    ret->most_bytes = most_bytes;
    ret->disk_free_bytes = disk_free;
    ret->percent = used_bytes >= most_bytes ? 100 : (int)(used_bytes * 100 / most_bytes);
    /* A log that another program's long reading keeps from being cut is no reason to purge, and would only grow by
     * it. */
    const int64_t counted_bytes = rows_bytes + (log_bytes < LOG_BYTES ? log_bytes : LOG_BYTES);
    ret_excess->sent_bytes = counted_bytes - most_bytes / 100 * SENT_PERCENT;
    ret_excess->unsent_bytes = size_max_bytes > 0 ? counted_bytes - size_max_bytes : 0;
    return 0;
}

int room_admit(struct room *room)
{
    int64_t free_bytes = 0, free_pages = 0;
    room_keep_reserve(room);
    if (room->has_reserve || read_disk_free(room, &free_bytes) < 0 ||
        free_bytes > ROOM_RESERVE_BYTES + MARGIN_BYTES / 4)
        return 0;
    const int error = number_of(room->statements[ROOM_FREE_PAGES], &free_pages);
    return error < 0 ? error : free_pages >= ENOUGH_PAGES ? 0 : -ENOSPC;
}
