/* A text as the modules of a QR code: the one place that knows libqrencode. For what draws codes, in qrgatectl. */
#ifndef CTL_PRINT_QR_H
#define CTL_PRINT_QR_H

#include <stdbool.h>

enum { QR_QUIET_MODULES = 4 /* the standard's margin, on each side */ };

/* How much may be dirty or torn: about 7, 15, 25 and 30 % of the code. */
enum qr_level { QR_LEVEL_L, QR_LEVEL_M, QR_LEVEL_Q, QR_LEVEL_H };

struct qr {
    void *code; /* the library's */
    int side;   /* in modules, without the margin */
};

/* The smallest code from version `least` on (0: any) that holds it. 0; -EMSGSIZE: none does; -ENOMEM. */
int qr_encode(const char *text, enum qr_level level, int least_version, struct qr *ret);
void qr_free(struct qr *qr); /* accepts a zeroed one */
/* Outside of the code it is light. */
bool qr_dark(const struct qr *qr, int x, int y);

#endif
