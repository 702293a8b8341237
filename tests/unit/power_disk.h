/* A disk for tests: a VFS under SQLite that keeps a list of everything that reaches it, lets a write fail for want of
 * space, and makes from any place in the list what a power cut there may have left.
 *
 * The model: a write counts once its file is synced; before, each may be there, be missing, or be there by its first half;
 * a file's making or removal counts once its folder is synced. That is SQLite's own assumption of any file system. */
#ifndef UNIT_POWER_DISK_H
#define UNIT_POWER_DISK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <pthread.h>
#include <sqlite3.h>

/* ---- the disk ---------------------------------------------------------------------------------------------------- */

enum { THE_DATABASE, THE_JOURNAL, THE_LOG, FILES_COUNT, NO_FILE = -1, PIECES_MAX = 16384, SECTOR_BYTES = 512 };
static const char *const ENDINGS[FILES_COUNT] = { "", "-journal", "-wal" };

enum piece_kind { PIECE_MADE, PIECE_WRITTEN, PIECE_CUT, PIECE_REMOVED, PIECE_SYNCED, PIECE_SYNCED_WITH_FOLDER };
struct piece {
    enum piece_kind kind;
    int file;
    size_t at, length; /* CUT: at is the new size */
    uint8_t *bytes;
};

struct image {
    bool exists;
    uint8_t *bytes;
    size_t size, room;
};

struct disk_switches {
    bool recording;
    int writes, fail_at; /* the write that is the first to fail, from 1; 0 = none */
    bool fail_for_good, failed;
};

/* One disk for the process, as SQLite's VFS is one. The journal's thread writes, the test's looks on. */
static struct {
    pthread_mutex_t mutex;
    sqlite3_vfs *real;
    struct disk_switches is;
    struct piece pieces[PIECES_MAX];
    int count;
} disk = { .mutex = PTHREAD_MUTEX_INITIALIZER };

struct disk_file {
    sqlite3_file base;
    int file;
    bool syncs_folder; /* SQLite's own VFS does, with the first sync of a new log or journal */
    sqlite3_file *real;
};

static void note(enum piece_kind kind, int file, size_t at, const void *bytes, size_t length)
{
    (void)pthread_mutex_lock(&disk.mutex);
    if (disk.is.recording && file != NO_FILE) {
        if (disk.count == PIECES_MAX)
            abort();
        struct piece *piece = &disk.pieces[disk.count++];
        *piece = (struct piece){ .kind = kind, .file = file, .at = at, .length = length };
        if (length > 0) {
            piece->bytes = malloc(length);
            if (!piece->bytes)
                abort();
            memcpy(piece->bytes, bytes, length);
        }
    }
    (void)pthread_mutex_unlock(&disk.mutex);
}

static int file_of(const char *name)
{
    if (!name)
        return NO_FILE;
    for (int file = FILES_COUNT - 1; file >= 0; file--) {
        const size_t length = strlen(name), ending = strlen(ENDINGS[file]);
        if (length >= ending && strcmp(name + length - ending, ENDINGS[file]) == 0)
            return file;
    }
    return NO_FILE;
}

static bool write_fails(void)
{
    (void)pthread_mutex_lock(&disk.mutex);
    const int number = ++disk.is.writes;
    const bool reached = disk.is.fail_for_good ? number >= disk.is.fail_at : number == disk.is.fail_at;
    const bool fails = disk.is.fail_at > 0 && reached;
    disk.is.failed = disk.is.failed || fails;
    (void)pthread_mutex_unlock(&disk.mutex);
    return fails;
}

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((struct disk_file *)file)->real;
}

static int disk_close(sqlite3_file *file)
{
    return real_of(file)->pMethods->xClose(real_of(file));
}

static int disk_read(sqlite3_file *file, void *bytes, int length, sqlite3_int64 at)
{
    return real_of(file)->pMethods->xRead(real_of(file), bytes, length, at);
}

static int disk_write(sqlite3_file *file, const void *bytes, int length, sqlite3_int64 at)
{
    const bool fails = write_fails();
    const int written = fails ? length / 2 : length; /* a full disk takes what still fits */
    note(PIECE_WRITTEN, ((struct disk_file *)file)->file, (size_t)at, bytes, (size_t)written);
    const int code = real_of(file)->pMethods->xWrite(real_of(file), bytes, written, at);
    return fails ? SQLITE_FULL : code;
}

static int disk_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    note(PIECE_CUT, ((struct disk_file *)file)->file, (size_t)size, NULL, 0);
    return real_of(file)->pMethods->xTruncate(real_of(file), size);
}

/* Not a real one: it would be most of the test's time, and power is not cut here. */
static int disk_sync(sqlite3_file *file, int flags)
{
    struct disk_file *one = (struct disk_file *)file;
    (void)flags;
    note(one->syncs_folder ? PIECE_SYNCED_WITH_FOLDER : PIECE_SYNCED, one->file, 0, NULL, 0);
    one->syncs_folder = false;
    return SQLITE_OK;
}

static int disk_size(sqlite3_file *file, sqlite3_int64 *ret)
{
    return real_of(file)->pMethods->xFileSize(real_of(file), ret);
}

static int disk_lock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int disk_unlock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int disk_check_lock(sqlite3_file *file, int *ret)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), ret);
}

static int disk_control(sqlite3_file *file, int op, void *argument)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), op, argument);
}

static int disk_sector_size(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int disk_device(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int disk_shm_map(sqlite3_file *file, int page, int bytes, int extend, void volatile **ret)
{
    return real_of(file)->pMethods->xShmMap(real_of(file), page, bytes, extend, ret);
}

static int disk_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    return real_of(file)->pMethods->xShmLock(real_of(file), offset, count, flags);
}

static void disk_shm_barrier(sqlite3_file *file)
{
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int disk_shm_unmap(sqlite3_file *file, int remove)
{
    return real_of(file)->pMethods->xShmUnmap(real_of(file), remove);
}

static const sqlite3_io_methods METHODS = {
    .iVersion = 2, /* no memory mapping of the database: every write is seen */
    .xClose = disk_close, .xRead = disk_read, .xWrite = disk_write, .xTruncate = disk_truncate, .xSync = disk_sync,
    .xFileSize = disk_size, .xLock = disk_lock, .xUnlock = disk_unlock, .xCheckReservedLock = disk_check_lock,
    .xFileControl = disk_control, .xSectorSize = disk_sector_size, .xDeviceCharacteristics = disk_device,
    .xShmMap = disk_shm_map, .xShmLock = disk_shm_lock, .xShmBarrier = disk_shm_barrier, .xShmUnmap = disk_shm_unmap,
};

static int disk_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
    struct disk_file *one = (struct disk_file *)file;
    const int ours = flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL) ? file_of(name) : NO_FILE;
    const bool is_new = ours > THE_DATABASE && access(name, F_OK) != 0;
    (void)vfs;
    *one = (struct disk_file){ .file = ours, .real = (sqlite3_file *)(one + 1) };
    const int code = disk.real->xOpen(disk.real, name, one->real, flags, ret_flags);
    if (code != SQLITE_OK)
        return code;
    one->syncs_folder = ours > THE_DATABASE && (flags & SQLITE_OPEN_CREATE);
    one->base.pMethods = &METHODS;
    if (is_new)
        note(PIECE_MADE, ours, 0, NULL, 0);
    return code;
}

static int disk_delete(sqlite3_vfs *vfs, const char *name, int with_folder)
{
    (void)vfs, (void)with_folder; /* never: the model is the weaker one */
    note(PIECE_REMOVED, file_of(name), 0, NULL, 0);
    return disk.real->xDelete(disk.real, name, 0);
}

static void disk_register(void)
{
    static sqlite3_vfs vfs;
    if (disk.real)
        return;
    disk.real = sqlite3_vfs_find(NULL);
    assert_non_null(disk.real);
    vfs = *disk.real;
    vfs.zName = "powercut";
    vfs.szOsFile = (int)sizeof(struct disk_file) + disk.real->szOsFile;
    vfs.xOpen = disk_open;
    vfs.xDelete = disk_delete;
    assert_int_equal(sqlite3_vfs_register(&vfs, 1), SQLITE_OK);
}

static void forget_pieces(void)
{
    for (int i = 0; i < disk.count; i++)
        free(disk.pieces[i].bytes);
    disk.count = 0;
    disk.is = (struct disk_switches){ 0 };
}

static int pieces_so_far(void)
{
    (void)pthread_mutex_lock(&disk.mutex);
    const int count = disk.count;
    (void)pthread_mutex_unlock(&disk.mutex);
    return count;
}

/* ---- what a power cut leaves ------------------------------------------------------------------------------------- */

static void set_size(struct image *image, size_t size)
{
    if (size > image->room) {
        image->room = size + 65536;
        image->bytes = realloc(image->bytes, image->room);
        assert_non_null(image->bytes);
    }
    if (size > image->size)
        memset(image->bytes + image->size, 0, size - image->size);
    image->size = size;
}

static void copy_image(struct image *to, const struct image *from)
{
    to->exists = from->exists;
    set_size(to, from->size);
    if (from->size > 0)
        memcpy(to->bytes, from->bytes, from->size);
}

static size_t torn_length(size_t length)
{
    return length > SECTOR_BYTES ? length / 2 / SECTOR_BYTES * SECTOR_BYTES : length / 2;
}

static void apply(struct image *image, const struct piece *piece, bool torn)
{
    const size_t length = torn ? torn_length(piece->length) : piece->length;
    switch (piece->kind) {
    case PIECE_MADE: image->exists = true; image->size = 0; break;
    case PIECE_REMOVED: image->exists = false; image->size = 0; break;
    case PIECE_CUT: set_size(image, piece->at); break;
    case PIECE_WRITTEN:
        if (length == 0)
            break;
        if (piece->at + length > image->size)
            set_size(image, piece->at + length);
        memcpy(image->bytes + piece->at, piece->bytes, length);
        break;
    case PIECE_SYNCED:
    case PIECE_SYNCED_WITH_FOLDER: break;
    }
}

/* What is safe, and the pieces that are not yet, in their order. */
struct platter {
    struct image files[FILES_COUNT];
    int loose[PIECES_MAX];
    int loose_count;
};

/* What of the loose ones came through. */
enum fate { FATE_ALL, FATE_NONE, FATE_LAST_TORN, FATE_LAST_ONLY, FATE_SOME, FATE_OTHERS, FATE_COUNT };
static const char *const FATES[FATE_COUNT] = { "all", "none", "last torn", "last only", "some", "others" };

static uint32_t draw(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static void made_or_removed_for_good(struct platter *platter)
{
    int kept = 0;
    for (int i = 0; i < platter->loose_count; i++) {
        const struct piece *piece = &disk.pieces[platter->loose[i]];
        if (piece->kind != PIECE_MADE && piece->kind != PIECE_REMOVED) {
            platter->loose[kept++] = platter->loose[i];
            continue;
        }
        apply(&platter->files[piece->file], piece, false);
        int others = 0; /* what was written before went with the file that was removed */
        for (int k = 0; k < kept; k++)
            if (disk.pieces[platter->loose[k]].file != piece->file)
                platter->loose[others++] = platter->loose[k];
        kept = others;
    }
    platter->loose_count = kept;
}

static void settle(struct platter *platter, int file)
{
    int kept = 0;
    for (int i = 0; i < platter->loose_count; i++) {
        const struct piece *piece = &disk.pieces[platter->loose[i]];
        if (piece->file == file)
            apply(&platter->files[file], piece, false);
        else
            platter->loose[kept++] = platter->loose[i];
    }
    platter->loose_count = kept;
}

static void turn(struct platter *platter, int number)
{
    const struct piece *piece = &disk.pieces[number];
    if (piece->kind == PIECE_SYNCED_WITH_FOLDER)
        made_or_removed_for_good(platter);
    if (piece->kind == PIECE_SYNCED || piece->kind == PIECE_SYNCED_WITH_FOLDER)
        settle(platter, piece->file);
    else
        platter->loose[platter->loose_count++] = number;
}

/* Which of the loose pieces are there. A file that wasn't made holds nothing; one that wasn't removed is the old one. */
static void cut(const struct platter *platter, enum fate fate, uint32_t seed, struct image ret[FILES_COUNT])
{
    bool lost[FILES_COUNT] = { false };
    uint32_t state = seed * 2654435761u + 1;
    for (int file = 0; file < FILES_COUNT; file++)
        copy_image(&ret[file], &platter->files[file]);
    for (int i = 0; i < platter->loose_count && fate != FATE_NONE; i++) {
        const struct piece *piece = &disk.pieces[platter->loose[i]];
        const bool last = i == platter->loose_count - 1;
        const uint32_t drawn = draw(&state) % 8;
        const bool some = fate == FATE_SOME || fate == FATE_OTHERS;
        const bool there = fate == FATE_ALL || fate == FATE_LAST_TORN || last || (some && drawn < 5);
        const bool torn = (fate == FATE_LAST_TORN && last) || (some && drawn == 0);
        const bool of_folder = piece->kind == PIECE_MADE || piece->kind == PIECE_REMOVED;
        lost[piece->file] = lost[piece->file] || (of_folder && !there);
        if (there && !lost[piece->file])
            apply(&ret[piece->file], piece, torn && piece->kind == PIECE_WRITTEN);
    }
}

#endif
