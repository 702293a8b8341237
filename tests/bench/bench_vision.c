/* The measuring part of `make bench` for the vision: `bench_vision MODE [ARGUMENT]`, one line of tab-separated values a
 * result on standard output; bench_vision.py calls it and makes tables and plots. All readers look at each picture in
 * turn, in processor time. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hw/camera.h"
#include "hw/luma.h"
#include "hw/picture.h"
#include "tests/bench/bench_vision.h"

enum { PHOTO_SIDE_PX = 1280, LINE_BYTES = 4096, WALL_FRAMES = 16, COUNTED_FRAMES = 4, WARM_FRAMES = 20, WALL_LIMIT_S = 2 };

/* ---- photographs: paths on standard input ------------------------------------------------------------------------ */

/* The mean over the area that each new pixel covers; in place. */
static void shrink(uint8_t *luma, int *width_px, int *height_px)
{
    const int side = *width_px > *height_px ? *width_px : *height_px;
    if (side <= PHOTO_SIDE_PX)
        return;
    const int width = *width_px * PHOTO_SIDE_PX / side, height = *height_px * PHOTO_SIDE_PX / side;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            const int left = x * *width_px / width, right = (x + 1) * *width_px / width;
            const int top = y * *height_px / height, bottom = (y + 1) * *height_px / height;
            unsigned sum = 0;
            for (int row = top; row < bottom; row++)
                for (int column = left; column < right; column++)
                    sum += luma[(size_t)row * (size_t)*width_px + (size_t)column];
            luma[(size_t)y * (size_t)width + (size_t)x] = (uint8_t)(sum / (unsigned)((right - left) * (bottom - top)));
        }
    *width_px = width;
    *height_px = height;
}

static void print_texts(const struct peer_texts *texts)
{
    for (int i = 0; i < texts->count; i++) {
        (void)printf("%s", i > 0 ? "," : "\t");
        for (size_t at = texts->start[i]; at < texts->start[i + 1]; at++)
            (void)printf("%02x", texts->store[at]);
    }
    (void)printf(texts->count > 0 ? "\n" : "\t\n");
}

static void photo(struct bench *bench, const char *path, const struct decoder_picture *picture, int number)
{
    int64_t took[PEERS_MAX][ROUNDS_MAX];
    for (int round = 0; round < bench->rounds; round++)
        for (int i = 0; i < bench->count; i++) {
            const int which = (i + round + number) % bench->count;
            took[which][round] = bench_read(bench, which, picture);
        }
    for (int i = 0; i < bench->count; i++) {
        if (bench->peers[i].own_state)
            continue;                        /* single pictures are no view */
        (void)bench_read(bench, i, picture); /* once more for what it says; all rounds say the same */
        (void)printf("photo\t%s\t%s\t%d\t%d\t%lld", path, bench->peers[i].peer->name, picture->width_px,
                     picture->height_px, (long long)bench_median(took[i], bench->rounds));
        print_texts(&bench->texts);
    }
}

static int photos(struct bench *bench)
{
    char line[LINE_BYTES];
    const size_t bytes = (size_t)CAMERA_SIDE_MAX_PX * CAMERA_SIDE_MAX_PX;
    struct picture_loader *loader = picture_loader_new();
    uint8_t *luma = malloc(bytes);
    if (!loader || !luma)
        abort();
    for (int number = 0; fgets(line, sizeof line, stdin); number++) {
        int width = 0, height = 0;
        line[strcspn(line, "\n")] = '\0';
        const int error = picture_load(loader, AT_CURRENT_FOLDER, line, luma, bytes, &width, &height);
        if (error != 0) {
            (void)fprintf(stderr, "bench_vision: %s: %s\n", line, strerror(-error));
            continue;
        }
        shrink(luma, &width, &height);
        const struct decoder_picture picture = {luma, width, height, width, false};
        photo(bench, line, &picture, number);
    }
    free(luma);
    picture_loader_free(loader);
    return 0;
}

/* ---- empty views and walls --------------------------------------------------------------------------------------- */

/* Frames of a view in which everything has moved since the last one. */
static void empty_frame(struct bench *bench, enum render_ground ground, int number)
{
    struct render_scene scene = render_usual();
    scene.ground = ground;
    scene.seed = 100 + (uint64_t)number;
    render_frame(&scene, NULL, bench->room, bench->luma, NULL, NULL);
}

static int empty(struct bench *bench)
{
    int64_t took[PEERS_MAX][ROUNDS_MAX];
    for (int ground = 0; ground < RENDER_GROUND_COUNT; ground++) {
        int read[PEERS_MAX] = {0};
        for (int round = 0; round < bench->rounds; round++) {
            empty_frame(bench, (enum render_ground)ground, round);
            for (int i = 0; i < bench->count; i++) {
                took[i][round] = bench_read(bench, i, &bench->frame);
                read[i] += bench->texts.count;
            }
        }
        for (int i = 0; i < bench->count; i++)
            (void)printf("empty\t%s\t%s\t%lld\t%d\n", render_ground_name((enum render_ground)ground),
                         bench->peers[i].peer->name, (long long)bench_median(took[i], bench->rounds), read[i]);
    }
    /* the same frame again and again: what a gate before the decoder is for */
    for (int i = 0; i < bench->count; i++) {
        for (int round = 0; round < (bench->peers[i].own_state ? WARM_FRAMES : 1); round++)
            (void)bench_read(bench, i, &bench->frame);
        for (int round = 0; round < bench->rounds; round++)
            took[i][round] = bench_read(bench, i, &bench->frame);
        (void)printf("empty\tstill\t%s\t%lld\t0\n", bench->peers[i].peer->name,
                     (long long)bench_median(took[i], bench->rounds));
    }
    return 0;
}

/* Every second frame is darker, so that no gate stops it, and the living view goes through its whole plan. The
 * costliest frame counts, of several rounds the middle one; the mean of all frames beside it. */
static int64_t wall_costs(struct bench *bench, int which, int64_t *ret_mean_us)
{
    int64_t worst[ROUNDS_MAX], sum = 0;
    const int frames = bench->peers[which].own_state ? WALL_FRAMES : 2;
    for (int round = 0; round < bench->rounds; round++) {
        worst[round] = 0;
        for (int f = 0; f < frames; f++) {
            const struct decoder_picture picture = {f % 2 == 0 ? bench->luma : bench->darker, RENDER_WIDTH_PX,
                                                    RENDER_HEIGHT_PX, RENDER_WIDTH_PX, false};
            const int64_t took = bench_read(bench, which, &picture);
            sum += took;
            if (took > worst[round])
                worst[round] = took;
        }
    }
    *ret_mean_us = sum / (bench->rounds * frames);
    return bench_median(worst, bench->rounds);
}

/* Some readers don't come to an end in reasonable time: each first tries a wall in a process that is ended then. */
static bool ends_in_time(struct bench *bench, int which)
{
    const pid_t child = fork();
    int status = 0;
    if (child == 0) {
        const struct rlimit limit = {WALL_LIMIT_S, WALL_LIMIT_S};
        if (setrlimit(RLIMIT_CPU, &limit) == 0)
            (void)bench_read(bench, which, &bench->frame);
        _exit(0);
    }
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status);
}

static int walls(struct bench *bench)
{
    for (int w = 0; w < render_walls_count(); w += bench->quick ? 9 : 1) {
        render_wall(render_wall_at(w), bench->luma);
        for (size_t i = 0; i < BENCH_PIXELS; i++)
            bench->darker[i] = bench->luma[i] - 8; /* walls have no level below 20 */
        for (int i = 0; i < bench->count; i++) {
            int64_t mean = WALL_LIMIT_S * INT64_C(1000000), worst = mean;
            if (ends_in_time(bench, i))
                worst = wall_costs(bench, i, &mean);
            (void)printf("wall\t%s\t%s\t%lld\t%lld\n", render_wall_at(w)->name, bench->peers[i].peer->name,
                         (long long)worst, (long long)mean);
        }
    }
    return 0;
}

/* ---- instructions: frames are made by `frames CASE`, and `count READER still|moving` takes them under callgrind
 * ----------- */

static int write_frames(struct bench *bench, const char *what)
{
    for (int number = 0; number <= COUNTED_FRAMES; number++) {
        bool known = false;
        for (int ground = 0; ground < RENDER_GROUND_COUNT; ground++)
            if (strcmp(what, render_ground_name((enum render_ground)ground)) == 0) {
                empty_frame(bench, (enum render_ground)ground, number);
                known = true;
            }
        if (strcmp(what, "code") == 0) {
            bench_code_frame(bench, number);
            known = true;
        }
        if (!known || fwrite(bench->luma, 1, BENCH_PIXELS, stdout) != BENCH_PIXELS)
            return 2;
    }
    return 0;
}

struct jpeg_case {
    struct luma_jpeg *decoder;
    const uint8_t *bytes;
    size_t size;
};

/* callgrind counts what happens in here. */
__attribute__((noinline)) void bench_counted(struct bench *bench, const struct peer *peer, void *self);
__attribute__((noinline)) void bench_counted(struct bench *bench, const struct peer *peer, void *self)
{
    peer->read(self, &bench->frame, &bench->texts);
}

/* The camera's JPEG as the lane takes it: gray only. */
static void jpeg_read(void *self, const struct decoder_picture *picture, struct peer_texts *ret_texts)
{
    static uint8_t luma[BENCH_PIXELS];
    const struct jpeg_case *jpeg = self;
    int width = 0, height = 0;
    (void)picture;
    peer_texts_clear(ret_texts);
    if (luma_from_jpeg(jpeg->decoder, jpeg->bytes, jpeg->size, luma, sizeof luma, &width, &height) < 0)
        abort();
}

static int count_jpeg(struct bench *bench)
{
    static uint8_t bytes[BENCH_JPEG_BYTES];
    const struct peer peer = {.name = "JPEG to gray", .read = jpeg_read};
    struct jpeg_case jpeg = {luma_jpeg_new(), bytes, 0};
    if (!jpeg.decoder)
        return 1;
    for (int frame = 0; frame <= COUNTED_FRAMES; frame++) {
        if (fread(bench->luma, 1, BENCH_PIXELS, stdin) != BENCH_PIXELS)
            return 1;
        jpeg.size = bench_compress(bench->luma, bytes);
        if (frame > 0)
            bench_counted(bench, &peer, &jpeg);
    }
    luma_jpeg_free(jpeg.decoder);
    return 0;
}

/* The first frame is for warming up; "still": it stays, and is looked at until a reader with a memory has made up its
 * mind. */
static int count(struct bench *bench, const char *name, bool still)
{
    if (strcmp(name, "JPEG to gray") == 0)
        return count_jpeg(bench);
    const struct peer *peer = peer_named(name);
    void *self = peer && !peer->absent ? peer->open() : NULL;
    if (!self || fread(bench->luma, 1, BENCH_PIXELS, stdin) != BENCH_PIXELS)
        return 1;
    for (int frame = 0; frame < (still && strncmp(name, "lane", 4) == 0 ? WARM_FRAMES : 1); frame++)
        peer->read(self, &bench->frame, &bench->texts);
    for (int frame = 0; frame < COUNTED_FRAMES; frame++) {
        if (!still && fread(bench->luma, 1, BENCH_PIXELS, stdin) != BENCH_PIXELS)
            return 1;
        bench_counted(bench, peer, self);
    }
    peer->close(self);
    return 0;
}

/* ---- all --------------------------------------------------------------------------------------------------------- */

static int list(struct bench *bench)
{
    for (int i = 0; i < peers_count(); i++)
        (void)printf("peer\t%s\t%s\n", peer_at(i)->name, bench->absent[i] ? bench->absent[i] : "");
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *mode;
        int (*run)(struct bench *bench);
    } modes[] = {{"peers", list},  {"photos", photos},       {"empty", empty},
                 {"walls", walls}, {"curves", bench_curves}, {"speed", bench_speed}};
    const bool alone = argc >= 2 && (strcmp(argv[1], "count") == 0 || strcmp(argv[1], "frames") == 0);
    struct bench *bench = argc >= 3 ? bench_new(strcmp(argv[2], "quick") == 0, atoi(argv[2]), alone) : NULL;
    int status = 2;
    if (bench && argc == 4 && strcmp(argv[1], "frames") == 0)
        status = write_frames(bench, argv[3]);
    if (bench && argc == 5 && strcmp(argv[1], "count") == 0)
        status = count(bench, argv[3], strcmp(argv[4], "still") == 0);
    for (size_t i = 0; bench && argc == 3 && i < sizeof modes / sizeof *modes; i++)
        if (strcmp(argv[1], modes[i].mode) == 0)
            status = modes[i].run(bench);
    if (status == 2)
        (void)fprintf(stderr, "usage: bench_vision peers|photos|empty|walls|curves|speed ROUNDS|quick\n"
                              "       bench_vision frames 1 flat|scene|texture|code\n"
                              "       bench_vision count 1 READER still|moving\n");
    bench_free(bench);
    return status;
}
