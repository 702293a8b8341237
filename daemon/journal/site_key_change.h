/* The site key and its change, as the database knows it: which key its hashes are made with, and which hashes are still
 * there of the key before. How it goes, and what it does and doesn't do, is written down in qrgate-rules(7).
 * site_key_adopt(): the journal, at each start; site_key_finish(): qrgatectl, and the journal at a start without the old
 * key. */
#ifndef JOURNAL_SITE_KEY_CHANGE_H
#define JOURNAL_SITE_KEY_CHANGE_H

#include "daemon/journal/journal.h"

struct sqlite3;

enum { SITE_KEY_ID_BYTES = 17 };
/* Which key, without giving it away: 16 hex digits of SHA-256("qrgate site key id 1" || key). */
void site_key_id(const uint8_t site_key[32], char ret_id[SITE_KEY_ID_BYTES]);

/* A key that the database hasn't seen: where it is known by the old one, all its hashes are listed as old and the purged
 * ranges sealed anew. `old` NULL: the overlap is over, and what is left of it goes. A transaction of its own. */
int site_key_adopt(struct sqlite3 *db, const uint8_t current[32], const uint8_t *old, int64_t now_us);
/* All that only the old key's hashes lead to: declarations, presence, bound numbers. Events keep the hash, which nobody can
 * make from a number any more once the key is gone. *ret_rows went. A transaction of its own. */
int site_key_finish(struct sqlite3 *db, int64_t *ret_rows);

#endif
