/* The file's own write function, with a look at each page before it. SQLite's file handle is asked for by its documented
 * file control; of its table of functions two are replaced, write and close, all others stay what they are. */
#include "daemon/journal/tidy.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/journal/database.h"

/* https://www.sqlite.org/fileformat2.html: section 1.3 and 1.6 */
enum { FILE_HEADER_BYTES = 100, PAGE_MIN_BYTES = 512, PAGE_MAX_BYTES = 65536, LEAF_HEADER_BYTES = 8,
       INTERIOR_HEADER_BYTES = 12, METHODS_VERSION = 3 /* of sqlite3_io_methods, up to 1, 2 or 3 */ };
enum page_kind { INTERIOR_INDEX = 2, INTERIOR_TABLE = 5, LEAF_INDEX = 10, LEAF_TABLE = 13 };

struct tidy {
    sqlite3_io_methods methods; /* first: the file's pMethods leads here */
    const sqlite3_io_methods *inner;
    uint8_t page[PAGE_MAX_BYTES];
};

static size_t number16(const uint8_t *bytes)
{
    return (size_t)bytes[0] << 8 | bytes[1];
}

void tidy_page(uint8_t *page, size_t page_bytes, int at_start)
{
    const size_t start = at_start ? FILE_HEADER_BYTES : 0;
    const uint8_t *header = page + start;
    const bool interior = header[0] == INTERIOR_INDEX || header[0] == INTERIOR_TABLE;
    if (!interior && header[0] != LEAF_INDEX && header[0] != LEAF_TABLE)
        return; /* a free page, which secure_delete has zeroed, or a long row's rest, which has no gap */
    const size_t pointers = start + (interior ? INTERIOR_HEADER_BYTES : LEAF_HEADER_BYTES);
    const size_t gap = pointers + 2 * number16(header + 3);
    const size_t cells = number16(header + 5) > 0 ? number16(header + 5) : PAGE_MAX_BYTES;
    if (gap < cells && cells <= page_bytes)
        memset(page + gap, 0, cells - gap);
}

static struct tidy *tidy_of(sqlite3_file *file)
{
    return (struct tidy *)(uintptr_t)file->pMethods; /* ours, made in tidy_attach() */
}

static int write_tidied(sqlite3_file *file, const void *bytes, int length, sqlite3_int64 offset)
{
    struct tidy *tidy = tidy_of(file);
    const bool whole = length >= PAGE_MIN_BYTES && length <= PAGE_MAX_BYTES && (length & (length - 1)) == 0 &&
                       offset % length == 0;
    if (!whole)
        return tidy->inner->xWrite(file, bytes, length, offset);
    memcpy(tidy->page, bytes, (size_t)length);
    tidy_page(tidy->page, (size_t)length, offset == 0);
    return tidy->inner->xWrite(file, tidy->page, length, offset);
}

static int close_tidied(sqlite3_file *file)
{
    struct tidy *tidy = tidy_of(file);
    file->pMethods = tidy->inner;
    free(tidy);
    return file->pMethods->xClose(file);
}

/* As many functions as both this program and the library in use know of. */
static void copy_methods(const sqlite3_io_methods *from, sqlite3_io_methods *ret)
{
    static const size_t bytes[] = { offsetof(sqlite3_io_methods, xShmMap), offsetof(sqlite3_io_methods, xFetch),
                                    sizeof(sqlite3_io_methods) };
    const int version = from->iVersion < METHODS_VERSION ? from->iVersion : METHODS_VERSION;
    memcpy(ret, from, bytes[version - 1]);
    ret->iVersion = version;
}

int tidy_attach(sqlite3 *db)
{
    sqlite3_file *file = NULL;
    int error = 0;
    const int64_t auto_vacuum = database_number(db, "PRAGMA auto_vacuum", &error);
    if (error < 0)
        return error;
    if (auto_vacuum != 0)
        return -ENOTSUP;
    error = database_error(sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file));
    if (error < 0 || !file || !file->pMethods)
        return error < 0 ? error : -EIO;
    struct tidy *tidy = calloc(1, sizeof(*tidy));
    if (!tidy)
        return -ENOMEM;
    tidy->inner = file->pMethods;
    copy_methods(file->pMethods, &tidy->methods);
    tidy->methods.xWrite = write_tidied;
    tidy->methods.xClose = close_tidied;
    file->pMethods = &tidy->methods;
    return 0;
}
