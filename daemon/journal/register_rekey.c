/* What is known of a number under the site's old key, moved to its hash under the present one the moment the number is
 * shown in clear. The old hash becomes one of the person's numbers, so that what other lanes still call by it finds its
 * person; site_key_finish() ends that. Called by register.c. */
#include <errno.h>
#include <string.h>

#include "daemon/journal/register_parts.h"

void register_writer_old_key(struct register_writer *writer, const uint8_t *old_site_key)
{
    writer->has_old_key = old_site_key != NULL;
    memset(writer->old_site_key, 0, sizeof(writer->old_site_key));
    if (old_site_key)
        memcpy(writer->old_site_key, old_site_key, sizeof(writer->old_site_key));
}

int register_unmoved(struct register_writer *writer, const char *subject, char hash[JOURNAL_ID_BYTES])
{
    char old[JOURNAL_ID_BYTES];
    register_person(writer->old_site_key, subject, old);
    const int found = register_exists(writer->statements[REGISTER_OLD_HASH], old);
    if (found == 1)
        memcpy(hash, old, sizeof(old));
    return found;
}

/* A person of the old key is called by the new hash from now on. */
static int rename_person(struct register_writer *writer, const char *old, const char *hash)
{
    const int declared = register_exists(writer->statements[REGISTER_FIND], old);
    const int has_numbers = register_exists(writer->statements[REGISTER_HAS_NUMBERS], old);
    int error = declared < 0 ? declared : has_numbers < 0 ? has_numbers : 0;
    if (error == 0 && has_numbers == 1)
        error = register_run(writer->statements[REGISTER_MOVE_NUMBERS], old, hash);
    if (error == 0)
        error = register_bind(writer, old, declared == 1, hash);
    return error < 0 ? error : register_run(writer->statements[REGISTER_SET_HAS_NUMBERS], hash, NULL);
}

/* The new hash is one more number of who has moved already, by another of their numbers. */
static int bind_new(struct register_writer *writer, const char *hash, const char *person)
{
    const int declared = register_exists(writer->statements[REGISTER_FIND], hash);
    const int error = declared < 0 ? declared : register_bind(writer, hash, declared == 1, person);
    return error < 0 ? error : register_run(writer->statements[REGISTER_SET_HAS_NUMBERS], person, NULL);
}

int register_rekey(struct register_writer *writer, const char *subject, const char *hash)
{
    char old[JOURNAL_ID_BYTES], person[JOURNAL_ID_BYTES], present[JOURNAL_ID_BYTES];
    const int unmoved = register_unmoved(writer, subject, old);
    if (unmoved <= 0)
        return unmoved;
    int error = register_resolve(writer, old, person);
    if (error == 0)
        error = register_resolve(writer, hash, present); /* made known under it meanwhile, perhaps */
    const int of_old_key = error == 0 ? register_exists(writer->statements[REGISTER_OLD_HASH], person) : error;
    if (of_old_key == 1)
        error = rename_person(writer, person, present);
    else if (of_old_key == 0 && strcmp(person, present) != 0)
        error = strcmp(hash, present) == 0 ? bind_new(writer, hash, person) : 0;
    else if (of_old_key < 0)
        error = of_old_key;
    return error < 0 ? error : register_run(writer->statements[REGISTER_OLD_MOVED], old, NULL);
}
