/* The form of a declaration, asked on a terminal by a guard who has a queue before them: a number, then one key for each
 * question; backspace goes back. qrgatectl declare. */
#ifndef CTL_DECLARE_FORM_H
#define CTL_DECLARE_FORM_H

#include "daemon/ctl/ctl.h"
#include "daemon/ctl/declare/terminal.h"

struct form {
    const struct ctl *ctl;
    struct declared *declared;
    struct terminal terminal;
    int step;          /* the question that comes next */
    char numbers[160]; /* as they were typed */
};

enum form_end { FORM_WRITE, FORM_NOT_WRITTEN, FORM_ENDED /* end of file, Ctrl-C */, FORM_FAILED /* no such terminal */ };

/* "Status" as the site's policy makes it of the answers, for the summary; "" = not known here. */
typedef const char *form_status(const struct declared *declared, void *userdata);

/* All of it: questions, summary, and whether to write. */
enum form_end form_run(const struct ctl *ctl, struct declared *ret, form_status *status, void *userdata);

#endif
