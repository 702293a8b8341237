/* Nothing that was deleted stays behind in the database file. SQLite's secure_delete overwrites what it deletes, but when
 * it moves rows from one page to another it leaves copies in the pages' unused gaps, and what is then deleted isn't
 * looked for there. So each page is tidied on its way from the log into the file. Internal to journal/; on the thread
 * of the connection, in qrgated and in qrgatectl. */
#ifndef JOURNAL_TIDY_H
#define JOURNAL_TIDY_H

#include <stddef.h>
#include <stdint.h>

struct sqlite3;

/* Of a connection in the write-ahead mode, once. The file must have no auto_vacuum, whose maps of pages look like rows'
 * pages: -ENOTSUP. It ends by itself when the file is closed. */
int tidy_attach(struct sqlite3 *db);

/* Zeroes the gap between a page's pointers and its cells; a page of any other kind is left alone. `at_start`: the file's
 * first page. Pure. */
void tidy_page(uint8_t *page, size_t page_bytes, int at_start);

#endif
