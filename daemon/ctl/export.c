/* qrgatectl export: the register as a file that import takes. Persons are the keyed hashes; a file appears whole or
 * not at all. Read-only in effect. */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/ctl/ctl.h"
#include "daemon/ctl/progress.h"
#include "daemon/decision/time_text.h"
#include "daemon/journal/register.h"
#include "daemon/mqtt/inbound.h"
#include "daemon/settings/folder_sync.h"

enum { LINE_BYTES = 1024, PATH_BYTES = 1024 };

enum { FORMAT, OUT, REVOCATIONS };
static const struct ctl_option OPTIONS[] = {
    [FORMAT] = { "format", "csv|jsonl", false, "default csv" },
    [OUT] = { "out", "FILE", false, "default: standard output; a file that is there is replaced when all is written" },
    [REVOCATIONS] = { "revocations", NULL, false, "the list of revoked tokens instead of the declarations" },
    { NULL, NULL, false, NULL },
};

struct export {
    struct ctl *ctl;
    bool jsonl;
    FILE *out;
    char temporary[PATH_BYTES]; /* "" = none */
    int64_t rows;
    struct progress progress;
};

/* ---- rows -------------------------------------------------------------------------------------------------------- */

static const char *time_or_nothing(int64_t at_s, char buffer[TIME_TEXT_BYTES])
{
    return at_s == 0 ? "" : time_text_write(at_s, buffer);
}

/* Names in one field, separated by spaces. */
static const char *join_names(const char *(*name)(int), int count, uint16_t bits, char *buffer, size_t buffer_bytes)
{
    size_t used = 0;
    buffer[0] = '\0';
    for (int bit = 0; bit < count; bit++) {
        if (!(bits & 1u << bit) || used >= buffer_bytes)
            continue;
        const int added = snprintf(buffer + used, buffer_bytes - used, "%s%s", used > 0 ? " " : "", name(bit));
        used += added > 0 ? (size_t)added : 0;
    }
    return buffer;
}

static const char *symptom_by_number(int number)
{
    return symptom_name((enum symptom)number);
}

static const char *contact_by_number(int number)
{
    return contact_name((enum contact)number);
}

static int end_row(struct export *export)
{
    export->rows++;
    if (progress_due(&export->progress, export->rows))
        progress_show(&export->progress, export->rows, export->rows);
    return ferror(export->out) ? -EIO : 0;
}

static void write_csv(FILE *out, const struct declared *declared)
{
    const struct declaration *declaration = &declared->declaration;
    const struct declaration_answers *answers = &declaration->answers;
    char times[4][TIME_TEXT_BYTES], symptoms[128], contacts[64];
    /* No field needs quotes: each is of a closed set of characters, the group too. */
    (void)fprintf(out, "%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s\n", declared->person,
                  declaration->status == STATUS_NONE ? "" : declaration_status_name(declaration->status),
                  time_text_write(declaration->declared_at_s, times[0]),
                  join_names(symptom_by_number, SYMPTOM_COUNT, answers->symptoms, symptoms, sizeof(symptoms)),
                  join_names(contact_by_number, CONTACT_COUNT, answers->contacts, contacts, sizeof(contacts)),
                  answers->travelled ? "yes" : "no", time_or_nothing(answers->symptoms_at_s, times[1]),
                  time_or_nothing(answers->contact_at_s, times[2]), time_or_nothing(answers->travel_at_s, times[3]),
                  declared_by_name(answers->by), declaration->group);
}

static int write_declaration(const char *person, const struct declaration *declaration, const char *source,
                             void *userdata)
{
    struct export *export = userdata;
    struct declared declared = { .declaration = *declaration };
    char line[LINE_BYTES];
    (void)source;
    if (declaration->group[0] != '\0' && !inbound_group_valid(declaration->group, strlen(declaration->group)))
        return -EILSEQ;
    (void)snprintf(declared.person, sizeof(declared.person), "%s", person);
    if (!export->jsonl) {
        write_csv(export->out, &declared);
        return end_row(export);
    }
    const int length = inbound_declaration_write(&declared, line, sizeof(line));
    if (length < 0)
        return length;
    (void)fprintf(export->out, "%s\n", line);
    return end_row(export);
}

static int write_revocation(const struct revocation *revocation, void *userdata)
{
    struct export *export = userdata;
    char line[LINE_BYTES], when[TIME_TEXT_BYTES];
    if (!export->jsonl) {
        for (size_t i = 0; i < CREDENTIAL_TOKEN_ID_BYTES; i++)
            (void)fprintf(export->out, "%02x", revocation->token_id[i]);
        (void)fprintf(export->out, ",%s,%s\n", time_text_write(revocation->revoked_at_s, when),
                      revocation->lifted ? "yes" : "no");
        return end_row(export);
    }
    const int length = inbound_revocation_write(revocation, line, sizeof(line));
    if (length < 0)
        return length;
    (void)fprintf(export->out, "%s\n", line);
    return end_row(export);
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

static enum ctl_exit open_out(struct export *export)
{
    const char *path = export->ctl->values[OUT];
    export->out = stdout;
    if (!path)
        return CTL_OK;
    const int length = snprintf(export->temporary, sizeof(export->temporary), "%s.XXXXXX", path);
    const bool fits = length > 0 && (size_t)length < sizeof(export->temporary);
    const int fd = fits ? mkostemp(export->temporary, O_CLOEXEC) : -1; /* 0600: what it holds is nobody's business */
    export->out = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (export->out)
        return CTL_OK;
    const int error = fits ? errno : ENAMETOOLONG;
    if (fd >= 0)
        (void)close(fd);
    else
        export->temporary[0] = '\0'; /* nothing was made */
    return ctl_complain(export->ctl, CTL_FAILED, "out.not_made", "file", path, "why", strerror(error), NULL);
}

static enum ctl_exit finish_out(struct export *export)
{
    const char *path = export->ctl->values[OUT];
    int error = fflush(export->out) != 0 ? -errno : 0;
    if (!path)
        return error < 0 ? ctl_complain(export->ctl, CTL_FAILED, "main.output_failed", "why", strerror(-error), NULL) : CTL_OK;
    if (error == 0 && fsync(fileno(export->out)) < 0)
        error = -errno;
    if (fclose(export->out) != 0 && error == 0)
        error = -errno;
    export->out = NULL;
    if (error == 0 && rename(export->temporary, path) < 0)
        error = -errno;
    if (error == 0) {
        export->temporary[0] = '\0';
        error = folder_sync(path);
    }
    return error < 0 ? ctl_complain(export->ctl, CTL_FAILED, "out.not_written", "file", path,
                                    "why", strerror(-error), NULL) : CTL_OK;
}

static void drop_out(struct export *export)
{
    if (export->out && export->out != stdout)
        (void)fclose(export->out); /* thrown away */
    if (export->temporary[0] != '\0')
        (void)unlink(export->temporary);
}

static enum ctl_exit write_rows(struct export *export, sqlite3 *db)
{
    const bool revocations = export->ctl->values[REVOCATIONS] != NULL;
    int64_t total = 0;
    int error = revocations ? 0 : register_count(db, &total);
    progress_init(&export->progress, export->ctl->lang, total);
    if (export->out == stdout && isatty(STDOUT_FILENO) == 1)
        export->progress.on = false; /* the rows themselves are to be seen there */
    if (!export->jsonl)
        (void)fprintf(export->out, "%s\n",
                      revocations ? "token_id,revoked_at,lifted"
                                  : "person,status,declared_at,symptoms,contacts,travelled,symptoms_at,contact_at,"
                                    "travel_at,by,group");
    if (error == 0)
        error = revocations ? register_walk_revocations(db, write_revocation, export)
                            : register_walk(db, write_declaration, export);
    progress_clear(&export->progress);
    if (error == 0)
        return CTL_OK;
    if (ferror(export->out))
        return ctl_complain(export->ctl, CTL_FAILED, "main.output_failed", "why", strerror(errno), NULL);
    return ctl_complain(export->ctl, CTL_FAILED, "register.unreadable",
                        "why", error == -EILSEQ ? say(export->ctl->lang, "why.foreign_row") : sqlite3_errmsg(db),
                        NULL);
}

static enum ctl_exit run(struct ctl *ctl)
{
    struct export export = { .ctl = ctl };
    const char *format = ctl->values[FORMAT] ? ctl->values[FORMAT] : "csv";
    sqlite3 *db = NULL;
    char buffer[80];
    if (strcmp(format, "csv") != 0 && strcmp(format, "jsonl") != 0)
        return ctl_complain(ctl, CTL_USAGE, "option.format", "value", printable(format, buffer, sizeof(buffer)), NULL);
    export.jsonl = strcmp(format, "jsonl") == 0;
    enum ctl_exit result = ctl_open_database(ctl, true, &db);
    if (result == CTL_OK)
        result = open_out(&export);
    if (result == CTL_OK)
        result = write_rows(&export, db);
    if (result == CTL_OK)
        result = finish_out(&export);
    drop_out(&export);
    (void)sqlite3_close(db); /* accepts NULL; no statement is left */
    if (result == CTL_OK && ctl->values[OUT])
        lang_print(stdout, ctl->lang, "export.done", "rows", LANG_N(export.rows), NULL);
    return result;
}

const struct ctl_command CTL_EXPORT = {
    .name = "export",
    .summary = "Write the register's declarations, or the revoked tokens, to a file that import takes",
    .details = "Persons are keyed hashes: only a register with the same site key knows them again.\n"
               "Example: qrgatectl export --format jsonl --out declarations.jsonl\n",
    .options = OPTIONS,
    .run = run,
};
