/* What the parts of the vision's bench share: the readers, opened, and room for a frame. */
#ifndef TESTS_BENCH_VISION_H
#define TESTS_BENCH_VISION_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>

#include "tests/bench/peers.h"
#include "tests/bench/render.h"

enum { PEERS_MAX = 16, ROUNDS_MAX = 64, AT_CURRENT_FOLDER = AT_FDCWD, BENCH_JPEG_BYTES = 1 << 20 };
#define BENCH_PIXELS ((size_t)RENDER_WIDTH_PX * RENDER_HEIGHT_PX)

struct bench {
    bool quick; /* few values, and our own readers and plain ZBar only */
    int rounds, count;
    struct {
        const struct peer *peer;
        void *self;
        bool own_state; /* looks at frames in their order: must not be asked twice about one */
    } peers[PEERS_MAX];
    const char *absent[PEERS_MAX]; /* by the number of peer_at(): why, or NULL */
    struct peer_texts texts;       /* of the last bench_read() */
    struct render_room *room;
    uint8_t *luma, *darker;
    struct decoder_picture frame; /* of luma */
};

/* Ends the program when there is no memory. `alone`: opens no readers. */
struct bench *bench_new(bool quick, int rounds, bool alone);
void bench_free(struct bench *bench); /* accepts NULL */
int64_t bench_now_ns(void);           /* processor time of this process */
int64_t bench_read(struct bench *bench, int which, const struct decoder_picture *picture); /* microseconds */
int64_t bench_median(int64_t *values, int count);                                          /* sorts them */
/* Frame `number` of somebody who holds a card: another place each time. */
void bench_code_frame(struct bench *bench, int number);

/* The frame as a webcam's JPEG, of at most BENCH_JPEG_BYTES; how many bytes. */
unsigned long bench_compress(const uint8_t *luma, uint8_t *jpeg);

int bench_curves(struct bench *bench);
int bench_speed(struct bench *bench);

#endif
