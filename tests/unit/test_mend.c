/* The bytes of a code, and what its redundancy puts right, against codes of libqrencode. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/vision/mend.h"
#include "tests/unit/qr_picture.h"

enum { VERSIONS = 40, TEXT_BYTES = 40, SURE = 100 };

struct room {
    struct grid grid, whole;
    struct mend mend;
};

/* Each another text, so that all masks are met. */
static void take(struct room *room, int version, QRecLevel level, unsigned seed)
{
    unsigned char text[TEXT_BYTES];
    const int length = version == 1 ? 7 : version < 5 ? 14 : TEXT_BYTES;
    for (int i = 0; i < length; i++)
        text[i] = (unsigned char)(seed = seed * 1664525 + 1013904223) >> 1;
    QRcode *code = QRcode_encodeData(length, text, version, level);
    assert_non_null(code);
    assert_int_equal(code->width, 17 + 4 * version);
    struct grid *grid = &room->grid;
    grid->side_modules = code->width;
    qr_fixed_modules(code->width, grid->fixed);
    for (int i = 0; i < code->width * code->width; i++) {
        grid->dark[i] = code->data[i] & 1;
        grid->sure[i] = SURE;
    }
    QRcode_free(code);
    room->whole = *grid;
    mend_begin_look(&room->mend);
    mend_begin_code(&room->mend, grid);
}

static bool is_whole(const struct room *room)
{
    const int side = room->grid.side_modules;
    return memcmp(room->grid.dark, room->whole.dark, (size_t)side * (size_t)side) == 0;
}

static void every_size_has_its_bytes_where_the_standard_has_them(void **state)
{
    struct room *room = *state;
    unsigned masks = 0;
    for (int version = 1; version <= VERSIONS; version++)
        for (int level = QR_ECLEVEL_L; level <= QR_ECLEVEL_H; level++)
            for (unsigned seed = 0; seed < 3; seed++) {
                int format = 0;
                take(room, version, (QRecLevel)level, seed);
                assert_int_equal(grid_format_distance(&room->grid, &format), 0);
                masks |= 1u << (format & 7);
                assert_true(mend_try(&room->mend, &room->grid));
                assert_true(is_whole(room));
                /* One of them wrong: so it was looked at. */
                const int at = room->mend.words.module[8 * (room->mend.words.count - 1) + 7];
                room->grid.dark[at] ^= 1;
                mend_begin_code(&room->mend, &room->grid);
                assert_true(mend_try(&room->mend, &room->grid));
                assert_true(is_whole(room));
            }
    assert_int_equal(masks, 0xff);
}

static int setup(void **state)
{
    struct room *room = calloc(1, sizeof *room);
    if (!room)
        return -1;
    mend_begin(&room->mend);
    *state = room;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_has_its_bytes_where_the_standard_has_them),
    };
    return cmocka_run_group_tests_name("mend", tests, setup, teardown);
}
