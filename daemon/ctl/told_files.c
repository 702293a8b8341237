/* What the daemon's readers of keys tell in English, line by line, in the user's language. */
#include "daemon/ctl/told_files.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/settings/trust_folder.h"

struct listener {
    FILE *file;
    char *text;
    size_t bytes;
};

static FILE *listen_begin(struct listener *listener)
{
    *listener = (struct listener){ .text = NULL };
    listener->file = open_memstream(&listener->text, &listener->bytes);
    return listener->file ? listener->file : stderr; /* without memory better in English than not at all */
}

static void listen_end(const struct ctl *ctl, struct listener *listener)
{
    char told[LANG_TOLD_BYTES];
    char *rest = NULL;
    if (!listener->file)
        return;
    if (fclose(listener->file) == 0)
        for (char *line = strtok_r(listener->text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
            (void)fprintf(stderr, "%s\n", lang_told(ctl->lang, told, sizeof(told), line));
    free(listener->text);
}

int told_key_read(const struct ctl *ctl, const char *path, bool secret, struct key_file *ret)
{
    struct listener listener;
    const int error = key_file_read(path, secret, ret, listen_begin(&listener));
    listen_end(ctl, &listener);
    return error;
}

int told_trust_load(const struct ctl *ctl, const char *folder, struct credential_trust *ret)
{
    struct listener listener;
    const int error = trust_folder_load(folder, ret, listen_begin(&listener));
    listen_end(ctl, &listener);
    return error;
}
