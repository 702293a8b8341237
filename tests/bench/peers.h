/* The readers that `make bench` compares, each behind the same two calls. Used by bench_vision.c; one thread. */
#ifndef TESTS_BENCH_PEERS_H
#define TESTS_BENCH_PEERS_H

#include <stddef.h>
#include <stdint.h>

#include "hw/decoder.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { PEER_TEXTS_MAX = 64, PEER_STORE_BYTES = 65536 };

/* What was read in a picture: the bytes of text i are store[start[i]] … store[start[i + 1] - 1]. What doesn't fit is
 * left out. */
struct peer_texts {
    int count;
    size_t start[PEER_TEXTS_MAX + 1];
    uint8_t store[PEER_STORE_BYTES];
};
void peer_texts_clear(struct peer_texts *texts);
void peer_texts_add(struct peer_texts *texts, const void *bytes, size_t length_bytes);

struct peer {
    const char *name;
    void *(*open)(void); /* NULL: no memory, or not usable here */
    void (*read)(void *self, const struct decoder_picture *picture, struct peer_texts *ret_texts); /* rows packed */
    void (*close)(void *self);
    const char *absent; /* why it isn't there, then the others are NULL */
    /* MJPEG in, payload out, where that isn't a gray picture and read(); may be NULL. */
    void (*read_jpeg)(void *self, const uint8_t *jpeg, size_t jpeg_bytes, struct peer_texts *ret_texts);
};
int peers_count(void);
const struct peer *peer_at(int index);           /* 0 … peers_count() - 1; the lane's own come first */
const struct peer *peer_named(const char *name); /* or NULL */

/* Of peer_zxing.cpp and peer_opencv.cpp, where they are built. */
extern const struct peer peer_zxing, peer_zxing_fast, peer_opencv, peer_wechat, peer_wechat_plain;

#ifdef __cplusplus
}
#endif
#endif
