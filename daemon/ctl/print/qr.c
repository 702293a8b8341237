/* Text -> modules, by libqrencode. */
#include "daemon/ctl/print/qr.h"

#include <errno.h>
#include <qrencode.h>
#include <string.h>

enum { TEXT_MAX_BYTES = 4296 /* of the largest code */ };

static const QRecLevel LEVELS[] = { [QR_LEVEL_L] = QR_ECLEVEL_L, [QR_LEVEL_M] = QR_ECLEVEL_M, [QR_LEVEL_Q] = QR_ECLEVEL_Q,
                                    [QR_LEVEL_H] = QR_ECLEVEL_H };

int qr_encode(const char *text, enum qr_level level, int least_version, struct qr *ret)
{
    static const char alphanumeric[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"; /* as Base45 is: a third shorter */
    const size_t length = strlen(text);
    const QRencodeMode mode = strspn(text, alphanumeric) == length ? QR_MODE_AN : QR_MODE_8;
    QRcode *code = NULL;
    *ret = (struct qr){ .side = 0 };
    QRinput *input = QRinput_new2(least_version, LEVELS[level]);
    if (!input)
        return -ENOMEM;
    errno = EMSGSIZE;
    if (length <= TEXT_MAX_BYTES && QRinput_append(input, mode, (int)length, (const unsigned char *)text) == 0)
        code = QRcode_encodeInput(input);
    QRinput_free(input);
    if (!code)
        return errno == ENOMEM ? -ENOMEM : -EMSGSIZE;
    *ret = (struct qr){ .code = code, .side = code->width };
    return 0;
}

void qr_free(struct qr *qr)
{
    if (qr->code)
        QRcode_free(qr->code);
    *qr = (struct qr){ .side = 0 };
}

bool qr_dark(const struct qr *qr, int x, int y)
{
    const QRcode *code = qr->code;
    return x >= 0 && y >= 0 && x < qr->side && y < qr->side && (code->data[y * qr->side + x] & 1) != 0;
}
