/* Opens, creates and migrates the file that holds journal and register. Called at start-up by the journal (journal.c)
 * and by qrgatectl, on the caller's thread. Every refusal names the file and says what to do. */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/journal/database.h"
#include "daemon/journal/register.h"
#include "daemon/journal/tidy.h"

enum { APPLICATION_ID = 0x51524754 /* "QRGT" in the file's header */, BUSY_STEP_MS = 2 };

/* MIGRATIONS[n] leads from schema version n to n + 1. Never edit one that was released: append. Enums are stored by
 * name, so that a value put in the middle of an enum can't change the meaning of old rows. */
/* Of a passage the status it was let in with: a `completed` has that of the grant or override it is bound to, an
 * override that of the refusal it answered. */
#define TALLY_STATUS(row)                                                                                             \
    "CASE WHEN " row ".kind IN ('completed', 'override') THEN coalesce((SELECT CASE bound.kind WHEN 'override' THEN " \
    "coalesce((SELECT asked.status FROM event AS asked WHERE asked.event_id = bound.bound_event_id), bound.status) "  \
    "ELSE bound.status END FROM event AS bound WHERE bound.event_id = " row ".bound_event_id), " row ".status) "      \
    "ELSE " row ".status END"
/* Somebody went through: at a lane with a sensor a `completed`, without one a grant or override that no end took back. */
#define TALLY_PASSAGE(row)            \
    "(" row ".kind = 'completed' OR " \
    "(" row ".kind IN ('granted', 'override') AND " row ".ending = 0))"

#define TALLY_COUNT                                                                                              \
    "INSERT INTO tally SELECT event.at_us / 900000000, event.kind, event.reason, " TALLY_STATUS("event") ", "          \
    "event.direction, event.clock_trusted, count(*), sum(" TALLY_PASSAGE("event") "), min(event.seq), "               \
    "max(event.seq) FROM event GROUP BY 1, 2, 3, 4, 5, 6;"

static const char *const MIGRATIONS[] = {
    "CREATE TABLE event ("
    "  seq INTEGER PRIMARY KEY,"
    "  event_id TEXT NOT NULL UNIQUE,"
    "  kind TEXT NOT NULL,"
    "  at_us INTEGER NOT NULL,"
    "  monotonic_us INTEGER NOT NULL,"
    "  clock_trusted INTEGER NOT NULL CHECK (clock_trusted IN (0, 1)),"
    "  reason TEXT NOT NULL,"
    "  status TEXT NOT NULL,"
    "  credential TEXT NOT NULL,"
    "  person TEXT," /* NULL together with salt: erased */
    "  salt BLOB,"
    "  person_commitment BLOB NOT NULL," /* SHA-256(salt || person): what the chain holds of a person */
    "  bound_event_id TEXT NOT NULL,"
    "  alarm TEXT NOT NULL,"
    "  detail TEXT NOT NULL,"
    "  prev_hash BLOB NOT NULL,"
    "  hash BLOB NOT NULL,"
    "  sent INTEGER NOT NULL DEFAULT 0 CHECK (sent IN (0, 1))"
    ") STRICT;"
    "CREATE INDEX event_unsent ON event(seq) WHERE sent = 0;"
    "CREATE INDEX event_person ON event(person) WHERE person <> '';"
    "CREATE TABLE declaration ("
    "  person TEXT PRIMARY KEY,"
    "  status TEXT NOT NULL,"
    "  declared_at_s INTEGER NOT NULL,"
    "  source TEXT NOT NULL"
    ") STRICT, WITHOUT ROWID;",

    /* form: of the chain's hash (chain.h); rows from before have the first */
    "ALTER TABLE event ADD COLUMN direction TEXT NOT NULL DEFAULT 'none';"
    "ALTER TABLE event ADD COLUMN scope TEXT NOT NULL DEFAULT 'none';"
    "ALTER TABLE event ADD COLUMN form INTEGER NOT NULL DEFAULT 1;"
    "ALTER TABLE declaration ADD COLUMN symptoms TEXT NOT NULL DEFAULT '';" /* names, by commas */
    "ALTER TABLE declaration ADD COLUMN contacts TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE declaration ADD COLUMN travelled INTEGER NOT NULL DEFAULT 0 CHECK (travelled IN (0, 1));"
    "ALTER TABLE declaration ADD COLUMN symptoms_at_s INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE declaration ADD COLUMN contact_at_s INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE declaration ADD COLUMN travel_at_s INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE declaration ADD COLUMN declared_by TEXT NOT NULL DEFAULT 'self';"
    "ALTER TABLE declaration ADD COLUMN grp TEXT NOT NULL DEFAULT '';"
    /* has rows in identity: instead of an index there, which would cost an import a third of its time */
    "ALTER TABLE declaration ADD COLUMN has_numbers INTEGER NOT NULL DEFAULT 0 CHECK (has_numbers IN (0, 1));"
    /* The hashes of a person's other numbers. A `person` here has a declaration, and is never an `identity`. */
    "CREATE TABLE identity (identity TEXT PRIMARY KEY, person TEXT NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE revocation ("
    "  token_id BLOB PRIMARY KEY,"
    "  revoked_at_s INTEGER NOT NULL,"
    "  lifted INTEGER NOT NULL CHECK (lifted IN (0, 1)),"
    "  source TEXT NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE rotating (token_id BLOB PRIMARY KEY, last_step INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE presence ("
    "  person TEXT PRIMARY KEY,"
    "  inside INTEGER CHECK (inside IN (0, 1))," /* NULL: only that they passed is known */
    "  at_us INTEGER NOT NULL,"                  /* of the passage that made it so */
    "  lane TEXT NOT NULL,"
    "  event_id TEXT NOT NULL,"
    "  own_at_us INTEGER NOT NULL,"      /* last passage at this lane, 0 = none … */
    "  own_direction TEXT NOT NULL,"     /* … and the direction the lane had then */
    /* before event_id: should it turn out that nobody went through */
    "  was_inside INTEGER CHECK (was_inside IN (0, 1)),"
    "  was_at_us INTEGER NOT NULL,"
    "  was_own_at_us INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX presence_inside ON presence(person) WHERE inside = 1;",

    /* enum store_ending; what a start has to end must be found without a walk over a year of rows */
    ("ALTER TABLE event ADD COLUMN ending INTEGER NOT NULL DEFAULT 0 CHECK (ending IN (0, 1, 2));"
     "CREATE INDEX event_open ON event(seq) WHERE ending = 1;"),

    /* operators' commands, and what became of rows that were purged */
    ("ALTER TABLE event ADD COLUMN verb TEXT NOT NULL DEFAULT '';"
     "ALTER TABLE event ADD COLUMN operator_name TEXT NOT NULL DEFAULT '';"
     "CREATE TABLE seen (" /* transactions of commands: none is carried out twice */
     "  transaction_id TEXT PRIMARY KEY,"
     "  at_us INTEGER NOT NULL," /* 0: not known yet, the clock wasn't trusted */
     "  seq INTEGER NOT NULL"    /* of its event */
     ") STRICT, WITHOUT ROWID;"
     "CREATE INDEX seen_at ON seen(at_us);"
     "CREATE TABLE purged (" /* purged.h: ranges of rows, no two of them side by side */
     "  first_seq INTEGER PRIMARY KEY,"
     "  last_seq INTEGER NOT NULL,"
     "  unsent_rows INTEGER NOT NULL," /* of them: that no broker had */
     "  prev_hash BLOB NOT NULL,"      /* the first row's */
     "  hash BLOB NOT NULL,"           /* the last row's */
     "  seal BLOB NOT NULL"
     ") STRICT;"),

    /* whose rotating token was shown: so that one person can be exported and erased. Those from before grow old. */
    ("ALTER TABLE rotating ADD COLUMN person TEXT NOT NULL DEFAULT '';"
     /* the site key that hashes are made with, by its id; and those still there that were made with the one before it */
     "CREATE TABLE site_key (key_id TEXT PRIMARY KEY, since_us INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
     /* moved: its number was shown since, and what was under it is under the new key's hash */
     "CREATE TABLE old_hash (hash TEXT PRIMARY KEY, moved INTEGER NOT NULL DEFAULT 0 CHECK (moved IN (0, 1))) "
     "STRICT, WITHOUT ROWID;"),

    /* What happened in each quarter of an hour: the weekly report's figures, and, by first_seq and last_seq, the way from
     * a time to its rows: an index on at_us would cost each event a row of its own. Kept by triggers, so in the event's
     * transaction whoever inserts it. Outlives rows that are purged; names no person. */
    ("CREATE TABLE tally ("
     "  quarter INTEGER NOT NULL," /* at_us / 900 s; each zone's offset is a multiple of that */
     "  kind TEXT NOT NULL,"
     "  reason TEXT NOT NULL,"
     "  status TEXT NOT NULL,"
     "  direction TEXT NOT NULL,"
     "  clock_trusted INTEGER NOT NULL CHECK (clock_trusted IN (0, 1)),"
     "  events INTEGER NOT NULL,"
     "  passages INTEGER NOT NULL,"
     "  first_seq INTEGER NOT NULL," /* all of its rows are between these two */
     "  last_seq INTEGER NOT NULL,"
     "  PRIMARY KEY (quarter, kind, reason, status, direction, clock_trusted)"
     ") STRICT, WITHOUT ROWID;"
     TALLY_COUNT
     "CREATE TRIGGER tally_event AFTER INSERT ON event BEGIN"
     "  INSERT INTO tally VALUES (new.at_us / 900000000, new.kind, new.reason, " TALLY_STATUS("new") ", new.direction, "
     "  new.clock_trusted, 1, " TALLY_PASSAGE("new") ", new.seq, new.seq) ON CONFLICT DO UPDATE SET events = events + 1, "
     "  passages = passages + excluded.passages, first_seq = min(first_seq, excluded.first_seq), "
     "  last_seq = max(last_seq, excluded.last_seq);"
     "END;"
     "CREATE TRIGGER tally_ending AFTER UPDATE OF ending ON event WHEN old.ending = 0 AND new.ending <> 0 AND "
     "new.kind IN ('granted', 'override') BEGIN"
     "  UPDATE tally SET passages = passages - 1 WHERE quarter = new.at_us / 900000000 AND kind = new.kind AND "
     "  reason = new.reason AND status = " TALLY_STATUS("new") " AND direction = new.direction AND "
     "  clock_trusted = new.clock_trusted;"
     "END;"
     /* Whose journal it is: a copy in the office says it by itself. */
     "CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;"),
};
_Static_assert(sizeof(MIGRATIONS) / sizeof(MIGRATIONS[0]) == JOURNAL_SCHEMA_VERSION, "one migration for each version");

int database_error(int sqlite_code)
{
    switch (sqlite_code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE: return 0;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return -EBUSY;
    case SQLITE_FULL: return -ENOSPC;
    case SQLITE_READONLY: return -EROFS;
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH: return -EACCES;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return -EBADMSG;
    case SQLITE_CONSTRAINT: return -EEXIST;
    case SQLITE_NOMEM: return -ENOMEM;
    case SQLITE_TOOBIG: return -EMSGSIZE;
    case SQLITE_INTERRUPT: return -EINTR;
    default: return -EIO;
    }
}

int database_run(sqlite3 *db, const char *sql)
{
    return database_error(sqlite3_exec(db, sql, NULL, NULL, NULL));
}

static int say(int error, char *why, size_t why_bytes, const char *format, ...) __attribute__((format(printf, 4, 5)));
static int say(int error, char *why, size_t why_bytes, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(why, why_bytes, format, arguments); /* a cut message is still a message */
    va_end(arguments);
    return error;
}

/* Why SQLite could not, in words an admin can act upon. */
static int say_failed(sqlite3 *db, const char *path, int error, char *why, size_t why_bytes)
{
    switch (error) {
    case -EBUSY:
        return say(error, why, why_bytes, "%s: another program keeps the database locked; end it, then try again",
                   path);
    case -ENOSPC: return say(error, why, why_bytes, "%s: no space left on the disk; free some", path);
    case -EBADMSG:
        return say(error, why, why_bytes,
                   "%s: is damaged or not a SQLite database (%s); move it away, a new one will be made", path,
                   sqlite3_errmsg(db));
    case -EROFS:
    case -EACCES:
        return say(error, why, why_bytes,
                   "%s: can't be written (%s); its folder and files must belong to the user that runs "
                   "qrgate, on a file system mounted for writing",
                   path, sqlite3_errmsg(db));
    default: return say(error, why, why_bytes, "%s: %s (%s)", path, sqlite3_errmsg(db), strerror(-error));
    }
}

/* Even steps instead of SQLite's growing ones (up to 100 ms): a gate's decision must get its turn in the few
 * milliseconds that an import leaves between two of its transactions. */
static int wait_busy(void *unused, int tries)
{
    (void)unused;
    const struct timespec step = { .tv_nsec = BUSY_STEP_MS * 1000000L };
    if (tries >= DATABASE_BUSY_MS / BUSY_STEP_MS)
        return 0;
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &step, NULL); /* woken early: only asks sooner */
    return 1;
}

/* An import meets a million hashes in no order: with a small cache each row would be a read and, at each commit, half the
 * table a write. A longer log lets many commits share one copying into the file. */
int database_tune_import(sqlite3 *db)
{
    return database_run(db, "PRAGMA cache_size = -131072; PRAGMA wal_autocheckpoint = 65536;");
}

int64_t database_number(sqlite3 *db, const char *sql, int *error)
{
    sqlite3_stmt *statement = NULL;
    int64_t number = 0;
    int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (code == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW)
        number = sqlite3_column_int64(statement, 0);
    *error = database_error(code);
    (void)sqlite3_finalize(statement); /* repeats the code of step */
    return number;
}

/* With a narrow mode: SQLite would make it readable for everybody. Made by root, it is given to the folder's owner, so that
 * qrgatectl run before the daemon's first start doesn't lock the daemon out. */
int database_create(const char *path, char *why, size_t why_bytes)
{
    char folder[JOURNAL_PATH_BYTES];
    struct stat status;
    if (strlen(path) >= sizeof(folder))
        return say(-ENAMETOOLONG, why, why_bytes, "%s: the path is longer than %d bytes; take a shorter one", path,
                   JOURNAL_PATH_BYTES - 1);
    (void)strcpy(folder, path);
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder ? 1 : 0] = '\0';
    else
        (void)strcpy(folder, ".");

    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (fd >= 0) {
        const bool given = geteuid() != 0 || stat(folder, &status) < 0 || fchown(fd, status.st_uid, status.st_gid) == 0;
        (void)close(fd); /* nothing was written */
        return given ? 0 : say(-EACCES, why, why_bytes, "%s: can't be given to its folder's owner", path);
    }
    switch (errno) {
    case EEXIST: break;
    case ENOENT:
    case ENOTDIR:
        return say(-ENOENT, why, why_bytes, "%s: there is no folder %s; make it, or name another in journal.path", path,
                   folder);
    case ENOSPC:
    case EDQUOT: return say(-ENOSPC, why, why_bytes, "%s: no space left on the disk; free some", path);
    default:
        return say(-errno, why, why_bytes,
                   "%s: can't be made (%s); the folder %s must be writable for the user that runs qrgate", path,
                   strerror(errno), folder);
    }
    /* Never open(2) a file that exists: closing it would drop the locks of another connection in this process. */
    if (faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) < 0)
        return say(-errno, why, why_bytes, "%s: can't be written (%s); it must belong to the user that runs qrgate",
                   path, strerror(errno));
    return 0;
}

static int configure(sqlite3 *db, const char *path, char *why, size_t why_bytes)
{
    sqlite3_stmt *statement = NULL;
    int error, code = sqlite3_prepare_v2(db, "PRAGMA journal_mode = WAL", -1, &statement, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    const char *mode = code == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
    const bool wal = mode && strcmp(mode, "wal") == 0;
    error = database_error(code);
    (void)sqlite3_finalize(statement);
    if (error < 0)
        return say_failed(db, path, error, why, why_bytes);
    if (!wal)
        return say(-ENOTSUP, why, why_bytes,
                   "%s: this file system can't hold a write-ahead log; put the database on a local disk", path);
    /* FULL: a commit that was answered survives a power cut. secure_delete: what is erased is overwritten. temp_store:
     * rows that are sorted leave no file behind. */
    error = database_run(db, "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;"
                             "PRAGMA temp_store = MEMORY;"
                             "PRAGMA journal_size_limit = 4194304; PRAGMA trusted_schema = OFF;");
    if (error == 0)
        error = tidy_attach(db);
    if (error == -ENOTSUP)
        return say(error, why, why_bytes, "%s: was made with auto_vacuum, which qrgate never does; VACUUM it without", path);
    return error < 0 ? say_failed(db, path, error, why, why_bytes) : 0;
}

int database_wipe_log(sqlite3 *db, bool wait)
{
    if (!wait)
        (void)sqlite3_busy_handler(db, NULL, NULL); /* both can't fail on an open connection */
    const int code = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    if (!wait)
        (void)sqlite3_busy_handler(db, wait_busy, NULL);
    return database_error(code);
}

static int check_version(sqlite3 *db, const char *path, int64_t *ret_version, char *why, size_t why_bytes)
{
    int error;
    *ret_version = database_number(db, "PRAGMA user_version", &error);
    const int64_t application = error < 0 ? 0 : database_number(db, "PRAGMA application_id", &error);
    const int64_t tables = error < 0 ? 0 : database_number(db, "SELECT count(*) FROM sqlite_schema", &error);
    if (error < 0)
        return say_failed(db, path, error, why, why_bytes);
    const bool empty = *ret_version == 0 && application == 0 && tables == 0;
    if (!empty && application != APPLICATION_ID)
        return say(-EPROTO, why, why_bytes,
                   "%s: is a SQLite database of another program; name another file in journal.path", path);
    if (*ret_version < 0 || *ret_version > JOURNAL_SCHEMA_VERSION)
        return say(-EPROTO, why, why_bytes,
                   "%s: schema version %lld, but this program knows up to %d; install the newer qrgate "
                   "that wrote it, or move the file away to begin a new one",
                   path, (long long)*ret_version, JOURNAL_SCHEMA_VERSION);
    return 0;
}

static int migrate(sqlite3 *db, const char *path, char *why, size_t why_bytes)
{
    char pragmas[96];
    int64_t version;
    int error = check_version(db, path, &version, why, why_bytes);
    if (error < 0 || version == JOURNAL_SCHEMA_VERSION)
        return error;
    error = database_run(db, "BEGIN IMMEDIATE");
    if (error < 0)
        return say_failed(db, path, error, why, why_bytes);
    error = check_version(db, path, &version, why, why_bytes); /* another process may have been quicker */
    if (error < 0)
        goto undo;
    for (; error == 0 && version < JOURNAL_SCHEMA_VERSION; version++)
        error = database_run(db, MIGRATIONS[version]);
    (void)snprintf(pragmas, sizeof(pragmas), "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
                   APPLICATION_ID, JOURNAL_SCHEMA_VERSION);
    if (error == 0)
        error = database_run(db, pragmas);
    if (error == 0)
        return 0;
    error = say_failed(db, path, error, why, why_bytes);
undo:
    if (!sqlite3_get_autocommit(db))
        (void)database_run(db, "ROLLBACK"); /* the first error is the one to tell */
    return error;
}

int database_open(const char *path, sqlite3 **ret_db, char *why, size_t why_bytes)
{
    sqlite3 *db = NULL;
    *ret_db = NULL;
    int error = database_create(path, why, why_bytes);
    if (error < 0)
        return error;
    int code = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (!db)
        return say(-ENOMEM, why, why_bytes, "%s: no memory to open it", path);
    if (code == SQLITE_OK)
        code = sqlite3_busy_handler(db, wait_busy, NULL);
    if (code != SQLITE_OK) {
        error = say_failed(db, path, database_error(code), why, why_bytes);
    } else if (sqlite3_db_readonly(db, "main") != 0) { /* SQLite falls back to reading without a word */
        error = say(-EACCES, why, why_bytes, "%s: can't be written; it must belong to the user that runs qrgate", path);
    } else {
        /* The version first: a foreign or newer file isn't touched. */
        int64_t version;
        error = check_version(db, path, &version, why, why_bytes);
        if (error == 0)
            error = configure(db, path, why, why_bytes);
        if (error == 0)
            error = migrate(db, path, why, why_bytes);
    }
    if (error == 0)
        *ret_db = db;
    else
        (void)sqlite3_close(db);
    return error;
}

/* ---- for readers ------------------------------------------------------------------------------------------------- */

static int open_reading(const char *path, bool immutable, sqlite3 **ret_db)
{
    char uri[3 * JOURNAL_PATH_BYTES + 32];
    size_t used = (size_t)snprintf(uri, sizeof(uri), "file:");
    for (const char *c = path; *c && used + 4 < sizeof(uri); c++) /* '?', '#' and '%' mean something in a URI */
        used += (size_t)snprintf(uri + used, sizeof(uri) - used, strchr("?#%", *c) ? "%%%02x" : "%c", *c);
    if (immutable && used + sizeof("?immutable=1") <= sizeof(uri))
        (void)strcpy(uri + used, "?immutable=1");
    const int code = sqlite3_open_v2(uri, ret_db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX |
                                                      SQLITE_OPEN_EXRESCODE, NULL);
    int error = *ret_db ? database_error(code) : -ENOMEM;
    if (error == 0)
        error = database_error(sqlite3_busy_handler(*ret_db, wait_busy, NULL));
    if (error == 0)
        error = database_run(*ret_db, "PRAGMA trusted_schema = OFF; BEGIN; SELECT count(*) FROM sqlite_schema");
    return error;
}

int database_open_reading(const char *path, sqlite3 **ret_db, char *why, size_t why_bytes)
{
    sqlite3 *db = NULL;
    char log[JOURNAL_PATH_BYTES + 8];
    int64_t version = 0;
    *ret_db = NULL;
    if (strlen(path) >= JOURNAL_PATH_BYTES)
        return say(-ENAMETOOLONG, why, why_bytes, "%s: the path is longer than %d bytes; take a shorter one", path,
                   JOURNAL_PATH_BYTES - 1);
    if (access(path, R_OK) < 0)
        return say(-errno, why, why_bytes, "%s: can't be read: %s", path, strerror(errno));
    int error = open_reading(path, false, &db);
    (void)snprintf(log, sizeof(log), "%s-wal", path);
    if ((error == -EACCES || error == -EROFS) && access(log, F_OK) < 0) { /* nobody writes it: no log to be mended first */
        (void)sqlite3_close(db);
        db = NULL;
        error = open_reading(path, true, &db);
    }
    if (!db)
        return say(-ENOMEM, why, why_bytes, "%s: no memory to open it", path);
    if (error == -EBADMSG)
        error = say(error, why, why_bytes, "%s: is damaged or not a SQLite database (%s); take another copy", path,
                    sqlite3_errmsg(db));
    else if (error < 0)
        error = say(error, why, why_bytes, "%s: can't be read (%s)", path, sqlite3_errmsg(db));
    else
        error = check_version(db, path, &version, why, why_bytes);
    if (error == 0 && version == 0)
        error = say(-EPROTO, why, why_bytes, "%s: is empty: no qrgate has written it yet", path);
    else if (error == 0 && version < JOURNAL_SCHEMA_VERSION)
        error = say(-EPROTO, why, why_bytes,
                    "%s: was written by an older qrgate (schema version %lld, this one reads %d); let the new one open it "
                    "once: qrgatectl verify --database %s",
                    path, (long long)version, JOURNAL_SCHEMA_VERSION, path);
    if (error == 0)
        *ret_db = db;
    else
        (void)sqlite3_close(db);
    return error;
}

int database_open_scratch(sqlite3 **ret_db)
{
    int error = database_error(sqlite3_open_v2("", ret_db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
                                                               SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL));
    for (int version = 0; version < JOURNAL_SCHEMA_VERSION && error == 0; version++)
        error = database_run(*ret_db, MIGRATIONS[version]);
    if (error == 0)
        error = database_run(*ret_db, "DROP TRIGGER tally_event; DROP TRIGGER tally_ending; PRAGMA synchronous = OFF; BEGIN");
    return error;
}

int database_count_tally(sqlite3 *db)
{
    return database_run(db, "DELETE FROM tally; " TALLY_COUNT);
}
