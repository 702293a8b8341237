/* qrgatectl, the admin's tool: what its subcommands share. A process of its own, one thread; it may run beside the
 * daemon. */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "daemon/credential/subject.h"
#include "daemon/ctl/lang.h"
#include "daemon/journal/journal.h"

struct sqlite3;
struct settings;

enum ctl_exit { CTL_OK = 0, CTL_FAILED = 1, CTL_USAGE = 2, CTL_SOME_BAD = 3, CTL_REFUSED = 4, CTL_NO_ANSWER = 5 };
enum { CTL_OPTIONS_MAX = 24, CTL_JOURNALS_MAX = 64 };
#define CTL_DEFAULT_CONFIG "/etc/qrgate/qrgate.conf"

struct ctl_option {
    const char *name;  /* without the dashes; NULL ends a table */
    const char *value; /* its name in the help; NULL = a switch */
    bool required;
    const char *help;
};

struct ctl {
    const struct ctl_command *command;
    const char *config, *database, *site_key; /* global options */
    const char *lang_wanted;                  /* --lang, or NULL */
    const struct lang *lang;                  /* the words of --lang, or of the environment; never NULL */
    const char *values[CTL_OPTIONS_MAX];      /* by the place in command->options; a switch: "" */
    const char *operand;                      /* the first; NULL when the command has none */
    char **operands;                          /* all of them; more than one only of a command whose operand ends in "..." */
    int operands_count;
    const char *journals[CTL_JOURNALS_MAX];   /* of the option "journal", which may come again and again */
    int journals_count;
    int64_t now_s;
};

struct ctl_command {
    const char *name;    /* one or two words */
    const char *operand; /* its name in the help, in [ ] when it may be left out, with "..." for several; or NULL */
    const char *summary;
    const char *details; /* or NULL */
    const struct ctl_option *options;
    enum ctl_exit (*run)(struct ctl *ctl);
};

/* A row each in qrgatectl.c. */
extern const struct ctl_command
    CTL_DECLARE, CTL_IMPORT, CTL_EXPORT, CTL_REVOKE,
    CTL_CODE_EXPLAIN,
    CTL_KEY_NEW, CTL_KEY_OPERATOR, CTL_KEY_SITE, CTL_KEY_LIST, CTL_KEY_TRUST, CTL_KEY_RETIRE, CTL_KEY_ROTATE,
    CTL_TOKEN_ISSUE, CTL_TOKEN_SHOW, CTL_TOKEN_PROVISION, CTL_TOKEN_ROTATE_DEMO,
    CTL_EVENTS, CTL_INSIDE, CTL_MUSTER, CTL_TRACE, CTL_REPORT_WEEK, CTL_VERIFY,
    CTL_EXPORT_PERSON, CTL_ERASE_PERSON, CTL_PRIVACY_CHECK,
    CTL_POSTER, CTL_CARDS,
    CTL_SEND, CTL_STATUS, CTL_WATCH,
    CTL_LOOK,
    CTL_SCHEMA, CTL_COMPLETION;
/* All of them, ended by NULL, and the options that each has: what the command line, --help and the shells' completion go by. */
extern const struct ctl_command *const CTL_COMMANDS[];
extern const struct ctl_option CTL_GLOBAL_OPTIONS[];

/* "qrgatectl COMMAND: " and the message in the user's language, to stderr, filled in as by lang_format():
 * ctl_complain(ctl, CTL_FAILED, "key", "name", value, NULL). Answers `code`, for return. */
#define ctl_complain(ctl, code, key, ...) ctl_complain_fills(ctl, code, key, LANG_FILLS(__VA_ARGS__))
enum ctl_exit ctl_complain_fills(const struct ctl *ctl, enum ctl_exit code, const char *key, const char *const fills[]);

/* By --database, else by the configuration. With `must_exist` a missing file is an error instead of a new database. On
 * failure the message is printed and *ret_db NULL. */
enum ctl_exit ctl_open_database(struct ctl *ctl, bool must_exist, struct sqlite3 **ret_db);
enum ctl_exit ctl_load_site_key(struct ctl *ctl, uint8_t ret_key[32]);
/* --config, or one where it is by default. One that can't be read is there: loading it then says so. */
bool ctl_has_config(const struct ctl *ctl);
/* The configuration; what is wrong with it is printed. */
enum ctl_exit ctl_load_settings(const struct ctl *ctl, struct settings *ret);
/* With the one before it, while the key is being replaced: for look-ups. */
struct site_keys;
enum ctl_exit ctl_load_site_keys(struct ctl *ctl, struct site_keys *ret);
/* Where it is: --site-key, else the configuration's. */
enum ctl_exit ctl_site_key_path(struct ctl *ctl, char *ret_path, size_t path_bytes);

/* Values from command lines and CSV fields; false: not allowed (the texts say what is). Pure but for the time zone. */
#define ALLOWED_SUBJECT SUBJECT_ALLOWED
#define ALLOWED_IDENTITIES "allowed are 1 to 4 numbers of one person; " SUBJECT_ALLOWED
#define ALLOWED_PERSON "allowed are the 32 hex digits of a person's hash, lower case"
#define ALLOWED_STATUS "allowed are green, yellow, red, white"
#define ALLOWED_DECLARED_STATUS "allowed are green, yellow, red, white, revoked"
#define ALLOWED_TIME "allowed is 2026-01-31T08:30 with seconds and zone (Z, +07:00) if you like, or Unix seconds"
#define ALLOWED_TIME_OR_DAY                                                                                       \
    "allowed is 2026-01-31, or with a time, 2026-01-31T08:30, seconds and zone (Z, +07:00) if you like, or Unix seconds"
#define ALLOWED_VALID "allowed is a number with s, m, h or d, from 1m to 366d: 72h"
#define ALLOWED_SYMPTOMS "allowed are fever, cough, breathlessness, pneumonia, sore_throat, tiredness, or none"
#define ALLOWED_CONTACTS "allowed are patient, sick_country, symptoms, or none"
#define ALLOWED_YES_NO "allowed are yes, no, true, false, 1, 0"
#define ALLOWED_BY "allowed are self, guard"
#define ALLOWED_GROUP "allowed are 1 to 32 bytes of letters, digits, _ . - and spaces between them"
#define ALLOWED_TOKEN_ID "allowed are the 32 hex digits of a token's id, lower case"
enum { CTL_FUTURE_TOLERATED_S = 300 };
bool parse_subject(const char *text);
/* Separated by spaces, commas or semicolons. The rest of ret is "". */
bool parse_identities(const char *text, char ret[JOURNAL_IDENTITIES_MAX][CREDENTIAL_SUBJECT_BYTES]);
bool parse_person(const char *text, char ret[JOURNAL_ID_BYTES]);
bool parse_status(const char *text, enum declaration_status *ret);
bool parse_declared_status(const char *text, enum declaration_status *ret); /* revoked too */
bool parse_time(const char *text, int64_t *ret_s);
bool parse_time_or_day(const char *text, int64_t *ret_s); /* a day: its midnight; for questions, where a day is no ambiguity */
bool parse_duration(const char *text, int64_t *ret_s);
bool parse_symptoms(const char *text, uint16_t *ret);
bool parse_contacts(const char *text, uint16_t *ret);
bool parse_yes_no(const char *text, bool *ret);
bool parse_group(const char *text, char ret[CREDENTIAL_GROUP_BYTES]);
bool parse_token_id(const char *text, uint8_t ret[CREDENTIAL_TOKEN_ID_BYTES]); /* not all zeros */
/* "is in the future; …" with what this machine's clock says. */
const char *format_future(int64_t now_s, char *buffer, size_t buffer_bytes);

/* A stranger's text for a terminal: control characters and what isn't UTF-8 become '?', long ones are cut. */
const char *printable(const char *text, char *buffer, size_t buffer_bytes);
/* "2026-01-31T08:30:00Z"; needs 32 bytes. */
const char *format_time(int64_t at_s, char buffer[32]);
/* "2026-01-31 08:30:00 +0700", by the zone of this machine (TZ); needs 48 bytes. */
const char *format_local(int64_t at_s, char buffer[48]);

#endif
