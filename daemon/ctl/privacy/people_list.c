/* Names are shown only to who may read them, and a list of them is the office's to guard. Called by inside, muster and
 * cards. */
#include "daemon/ctl/privacy/people_list.h"

#include <sys/stat.h>

void people_list_note(const struct ctl *ctl, FILE *file, const char *path)
{
    struct stat status;
    if (fstat(fileno(file), &status) < 0 || !S_ISREG(status.st_mode) || (status.st_mode & 07) == 0)
        return;
    lang_print(stderr, ctl->lang, "print.list_open", "file", path, NULL);
    (void)fputc('\n', stderr);
}
