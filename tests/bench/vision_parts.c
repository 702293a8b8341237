/* The parts that bench_vision.c is made of: readers opened and timed, the curves of the synthetic limits, frames a
 * second. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jpeglib.h>

#include "daemon/vision/grid.h"
#include "daemon/vision/qr_words.h"
#include "hw/luma.h"
#include "tests/bench/bench_vision.h"

enum { TRIALS_QUICK = 2, VALUES_MAX = 16, SPEED_FRAMES = 8, JPEG_QUALITY = 85, PAYLOAD_BYTES = 256, TOKEN_CHARS = 178, ECC_M = 1 };

/* Made up. */
static const char CITIZEN[] = "022199012345|100200300|Nguyễn Thị Bích Phượng|15081999|Nữ|Tổ 3, Khu 2, Phường Hà An, Quảng Yên, "
                              "Quảng Ninh|0108";
static const char CARD[] = "022199012345|100200300|Nguyen Thi Bich Phuong|15081999|Nu|Quang Yen, Quang Ninh|01082022";

/* ---- readers ----------------------------------------------------------------------------------------------------- */

static bool is_quick(const char *name)
{
    return (strncmp(name, "lane", 4) == 0 && strcmp(name, "lane, two looks") != 0) || strcmp(name, "ZBar QR only") == 0;
}

/* A reader that can't read an easy code is no reader: some OpenCVs are built without their decoder. */
static bool reads_easy(struct bench *bench, const struct peer *peer, void *self)
{
    struct render_matrix matrix;
    struct render_scene scene = render_usual();
    scene.ground = RENDER_FLAT;
    if (render_encode("EASY", 4, 0, 1, &matrix) < 0)
        abort();
    render_frame(&scene, &matrix, bench->room, bench->luma, NULL, NULL);
    peer->read(self, &bench->frame, &bench->texts);
    return bench->texts.count == 1 && bench->texts.start[1] == 4 && memcmp(bench->texts.store, "EASY", 4) == 0;
}

static void take_peer(struct bench *bench, int number)
{
    const struct peer *peer = peer_at(number);
    bench->absent[number] = peer->absent;
    if (!peer->absent && bench->quick && !is_quick(peer->name))
        bench->absent[number] = "left out of the quick run";
    if (bench->absent[number])
        return;
    void *self = peer->open();
    if (!self) {
        bench->absent[number] = "can't start here (WeChat's: QRG_WECHAT_MODELS names the folder of its network)";
    } else if (!reads_easy(bench, peer, self)) {
        bench->absent[number] = "reads not even an easy code (an OpenCV built without its decoder)";
        peer->close(self);
    } else {
        bench->peers[bench->count].peer = peer;
        bench->peers[bench->count].self = self;
        bench->peers[bench->count++].own_state = strcmp(peer->name, "lane, living view") == 0;
    }
}

struct bench *bench_new(bool quick, int rounds, bool alone)
{
    struct bench *bench = calloc(1, sizeof *bench);
    if (!bench)
        abort();
    bench->quick = quick;
    bench->rounds = quick || rounds < 1 ? 1 : rounds > ROUNDS_MAX ? ROUNDS_MAX : rounds;
    bench->room = malloc(sizeof *bench->room);
    bench->luma = malloc(BENCH_PIXELS);
    bench->darker = malloc(BENCH_PIXELS);
    if (!bench->room || !bench->luma || !bench->darker)
        abort();
    bench->frame = (struct decoder_picture){bench->luma, RENDER_WIDTH_PX, RENDER_HEIGHT_PX, RENDER_WIDTH_PX, false};
    for (int i = 0; !alone && i < peers_count() && i < PEERS_MAX; i++)
        take_peer(bench, i);
    return bench;
}

void bench_free(struct bench *bench)
{
    for (int i = 0; bench && i < bench->count; i++)
        bench->peers[i].peer->close(bench->peers[i].self);
    if (bench) {
        free(bench->room);
        free(bench->luma);
        free(bench->darker);
    }
    free(bench);
}

int64_t bench_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now); /* can't fail with this clock */
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

int64_t bench_read(struct bench *bench, int which, const struct decoder_picture *picture)
{
    const int64_t begin = bench_now_ns();
    bench->peers[which].peer->read(bench->peers[which].self, picture, &bench->texts);
    return (bench_now_ns() - begin + 500) / 1000;
}

static int compare(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

int64_t bench_median(int64_t *values, int count)
{
    qsort(values, (size_t)count, sizeof values[0], compare);
    return values[count / 2];
}

/* ---- curves ------------------------------------------------------------------------------------------------------ */

static double uniform(uint64_t key, double from, double to)
{
    return from + (to - from) * (double)(render_hash(key) >> 11) / 9007199254740992.0;
}

static void set_module(struct render_scene *s, double v) { s->module_px = v; }
static void set_rotation(struct render_scene *s, double v) { s->rotation_deg = v; }
static void set_tilt(struct render_scene *s, double v) { s->tilt_deg = v; }
static void set_blur(struct render_scene *s, double v) { s->blur_sigma_px = v; }
static void set_contrast(struct render_scene *s, double v) { s->contrast = v; }
static void set_noise(struct render_scene *s, double v) { s->noise_sigma = v; }
static void set_glare(struct render_scene *s, double v) { s->glare_radius = v; }
static void set_inverted(struct render_scene *s, double v) { s->inverted = v > 0; }
static void set_moire(struct render_scene *s, double v) { s->moire_depth = v; }
static void set_motion(struct render_scene *s, double v) { s->motion_px = v; }
static void set_brightness(struct render_scene *s, double v)
{
    s->brightness = v;
    s->contrast = 1.3 * v; /* as light gets less */
}

struct knob {
    const char *name; /* with its unit */
    void (*set)(struct render_scene *scene, double value);
    double module_px;
    int count;
    double values[VALUES_MAX];
    int quick[2]; /* the values of the quick run, by their places: an easy one first */
};
static const struct knob KNOBS[] = {
    {"module, px", set_module, 4, 10, {1.25, 1.4, 1.5, 1.6, 1.75, 2, 2.25, 2.5, 3, 4}, {9, 6}},
    {"rotation, degrees", set_rotation, 4, 13, {0, 7.5, 15, 22.5, 30, 37.5, 45, 60, 90, 135, 180, 225, 300}, {0, 6}},
    {"tilt, degrees", set_tilt, 5, 13, {0, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65}, {1, 7}},
    {"blur, sigma px", set_blur, 4, 11, {0, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.25, 2.5, 3}, {1, 5}},
    {"contrast, gray levels", set_contrast, 4, 9, {8, 12, 16, 20, 24, 32, 48, 80, 160}, {8, 5}},
    {"noise, sigma gray levels", set_noise, 4, 9, {0, 5, 10, 15, 20, 30, 40, 50, 60}, {1, 3}},
    {"glare, radius / side", set_glare, 6, 9, {0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1}, {0, 2}},
    {"inverted", set_inverted, 4, 2, {0, 1}, {0, 1}},
    {"moire, depth", set_moire, 6, 7, {0, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8}, {0, 2}},
    {"motion, px", set_motion, 5, 8, {0, 2, 3, 4, 5, 6, 8, 10}, {0, 2}},
    {"brightness, gray levels", set_brightness, 4, 8, {4, 6, 8, 12, 20, 40, 80, 120}, {7, 4}},
};

/* What one trial differs by from the next; the knob's own value comes afterwards. */
static struct render_scene trial_scene(const struct knob *knob, int trial)
{
    const uint64_t key = 1000 * (uint64_t)trial;
    struct render_scene scene = render_usual();
    scene.ground = trial % 2 == 0 ? RENDER_SCENE : RENDER_FLAT;
    scene.module_px = knob->module_px;
    scene.centre_x += uniform(key + 1, -150, 150);
    scene.centre_y += uniform(key + 2, -60, 60);
    scene.rotation_deg = uniform(key + 3, -180, 180);
    scene.tilt_axis_deg = uniform(key + 4, 0, 180);
    scene.glare_x = uniform(key + 5, -0.15, 0.15);
    scene.glare_y = uniform(key + 6, -0.15, 0.15);
    scene.motion_deg = uniform(key + 7, 0, 180);
    scene.moire_pitch_px = uniform(key + 8, 1.02, 1.4);
    scene.blur_sigma_px = 0.5; /* no lens is perfect */
    scene.noise_sigma = 2;
    scene.seed = key + 9;
    return scene;
}

/* What a gate is shown: an address, a citizen's card (150 bytes, 49 modules), a site's token (178 letters, 45 modules); another
 * text each time. */
static size_t trial_payload(int trial, char payload[PAYLOAD_BYTES])
{
    static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ$%*+-./:";
    if (trial % 3 == 0)
        return (size_t)snprintf(payload, PAYLOAD_BYTES, "https://gate.example/declaration/%08d", trial);
    if (trial % 3 == 1)
        return (size_t)snprintf(payload, PAYLOAD_BYTES, "%s%04d", CITIZEN, trial);
    size_t length = (size_t)snprintf(payload, PAYLOAD_BYTES, "QG1:");
    for (; length < TOKEN_CHARS; length++)
        payload[length] = letters[render_hash((uint64_t)trial * 1000 + length) % (sizeof letters - 1)];
    return length;
}

/* zbarimg reads what ZBar's default reads. */
static bool is_repeated(const struct bench *bench, int which)
{
    return strcmp(bench->peers[which].peer->name, "zbarimg's way") == 0;
}

static void curve_point(struct bench *bench, const struct knob *knob, double value, int trials)
{
    int read[PEERS_MAX] = {0}, wrong[PEERS_MAX] = {0};
    int64_t took[PEERS_MAX][ROUNDS_MAX];
    for (int trial = 0; trial < trials; trial++) {
        char payload[PAYLOAD_BYTES];
        struct render_matrix matrix;
        struct render_scene scene = trial_scene(knob, trial);
        const size_t length = trial_payload(trial, payload);
        knob->set(&scene, value);
        if (render_encode(payload, length, 0, ECC_M, &matrix) < 0)
            abort();
        render_frame(&scene, &matrix, bench->room, bench->luma, NULL, NULL);
        for (int i = 0; i < bench->count; i++) {
            bool right = false, other = false;
            if (is_repeated(bench, i))
                continue;
            took[i][trial] = bench_read(bench, i, &bench->frame);
            for (int t = 0; t < bench->texts.count; t++) {
                const size_t start = bench->texts.start[t];
                const bool same = bench->texts.start[t + 1] - start == length &&
                                  memcmp(bench->texts.store + start, payload, length) == 0;
                right = right || same;
                other = other || !same;
            }
            read[i] += right;
            wrong[i] += other;
        }
    }
    for (int i = 0; i < bench->count; i++)
        if (!is_repeated(bench, i))
            (void)printf("curve\t%s\t%g\t%s\t%d\t%d\t%d\t%lld\n", knob->name, value, bench->peers[i].peer->name, trials,
                         read[i], wrong[i], (long long)bench_median(took[i], trials));
}

/* ---- what a glare leaves ----------------------------------------------------------------------------------------- */

struct glare_room {
    struct grid grid;
    struct qr_words words;
};

/* Where even a dark module is as light as can be; render.c adds the blob to the light of the code. */
static bool is_saturated(const struct render_scene *scene, int side, int row, int column)
{
    const double turn = scene->rotation_deg * M_PI / 180, x = (column + 0.5) / side - 0.5, y = (row + 0.5) / side - 0.5;
    const double dx = x * cos(turn) - y * sin(turn) - scene->glare_x, dy = x * sin(turn) + y * cos(turn) - scene->glare_y;
    const double squared = (dx * dx + dy * dy) / (scene->glare_radius * scene->glare_radius);
    return scene->glare_radius > 0 && scene->brightness - scene->contrast / 2 + 255 * exp(-2 * squared) >= 254;
}

/* Can what is lost be told from what is left? By no decoder that doesn't guess, where a block has lost more bytes than it has
 * parity. */
static bool is_possible(struct glare_room *room, const struct render_scene *scene, const struct render_matrix *matrix)
{
    const int side = matrix->side_modules;
    int format = 0;
    room->grid.side_modules = side;
    memcpy(room->grid.dark, matrix->dark, (size_t)side * (size_t)side);
    qr_fixed_modules(side, room->grid.fixed);
    qr_words_place(side, room->grid.fixed, &room->words);
    (void)grid_format_distance(&room->grid, &format);
    qr_words_divide(&room->words, format);
    for (int block = 0; block < room->words.blocks; block++) {
        int lost = 0;
        for (int i = 0; i < qr_block_words(&room->words, block); i++) {
            bool whole = true;
            for (int bit = 0; bit < 8; bit++) {
                const int at = room->words.module[8 * qr_word_of(&room->words, block, i) + bit];
                whole = whole && !is_saturated(scene, side, at / side, at % side);
            }
            lost += !whole;
        }
        if (lost > room->words.parity)
            return false;
    }
    return true;
}

static void glare_limits(const struct knob *knob, int trials)
{
    struct glare_room *room = malloc(sizeof *room);
    if (!room)
        abort();
    for (int v = 0; v < knob->count; v++) {
        int possible = 0;
        for (int trial = 0; trial < trials; trial++) {
            char payload[PAYLOAD_BYTES];
            struct render_matrix matrix;
            struct render_scene scene = trial_scene(knob, trial);
            knob->set(&scene, knob->values[v]);
            if (render_encode(payload, trial_payload(trial, payload), 0, ECC_M, &matrix) < 0)
                abort();
            possible += is_possible(room, &scene, &matrix);
        }
        (void)printf("limit\t%s\t%g\t%d\t%d\n", knob->name, knob->values[v], trials, possible);
    }
    free(room);
}

int bench_curves(struct bench *bench)
{
    for (size_t k = 0; k < sizeof KNOBS / sizeof *KNOBS; k++) {
        const int values = bench->quick ? 2 : KNOBS[k].count;
        for (int v = 0; v < values; v++)
            curve_point(bench, &KNOBS[k], KNOBS[k].values[bench->quick ? KNOBS[k].quick[v] : v],
                        bench->quick ? TRIALS_QUICK : bench->rounds);
        if (KNOBS[k].set == set_glare && !bench->quick)
            glare_limits(&KNOBS[k], bench->rounds);
        (void)fflush(stdout); /* main's reader sees progress; a failure shows at the end */
    }
    return 0;
}

/* ---- frames a second --------------------------------------------------------------------------------------------- */

void bench_code_frame(struct bench *bench, int number)
{
    struct render_matrix matrix;
    struct render_scene scene = render_usual();
    scene.seed = 100;
    scene.module_px = 4 + number % 3;
    scene.centre_x += uniform((uint64_t)number, -300, 300);
    scene.centre_y += uniform((uint64_t)number + 50, -120, 120);
    scene.rotation_deg = uniform((uint64_t)number + 70, -30, 30);
    scene.tilt_deg = uniform((uint64_t)number + 90, 0, 20);
    scene.blur_sigma_px = 0.6;
    scene.noise_sigma = 2;
    if (render_encode(CARD, sizeof CARD - 1, 0, 0, &matrix) < 0)
        abort();
    render_frame(&scene, &matrix, bench->room, bench->luma, NULL, NULL);
}

/* As a webcam sends it: YCbCr 4:2:2, though all gray. */
unsigned long bench_compress(const uint8_t *luma, uint8_t *jpeg)
{
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr errors;
    static const uint8_t gray = 128;
    unsigned long bytes = BENCH_JPEG_BYTES;
    uint8_t row[3 * RENDER_WIDTH_PX];
    c.err = jpeg_std_error(&errors); /* ends the program on failure */
    jpeg_create_compress(&c);
    jpeg_mem_dest(&c, &jpeg, &bytes);
    c.image_width = RENDER_WIDTH_PX;
    c.image_height = RENDER_HEIGHT_PX;
    c.input_components = 3;
    c.in_color_space = JCS_YCbCr;
    jpeg_set_defaults(&c);
    jpeg_set_quality(&c, JPEG_QUALITY, TRUE);
    c.comp_info[0].h_samp_factor = 2;
    c.comp_info[0].v_samp_factor = 1;
    jpeg_start_compress(&c, TRUE);
    for (int y = 0; y < RENDER_HEIGHT_PX; y++) {
        JSAMPROW rows[1] = {row};
        for (int x = 0; x < RENDER_WIDTH_PX; x++) {
            row[3 * x] = luma[y * RENDER_WIDTH_PX + x];
            row[3 * x + 1] = row[3 * x + 2] = gray;
        }
        (void)jpeg_write_scanlines(&c, rows, 1); /* takes the one row it is given */
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    return bytes;
}

static int64_t one_frame_ns(struct bench *bench, int which, struct luma_jpeg *decoder, const uint8_t *jpeg,
                            size_t jpeg_bytes)
{
    const struct peer *peer = bench->peers[which].peer;
    const int64_t begin = bench_now_ns();
    if (peer->read_jpeg) {
        peer->read_jpeg(bench->peers[which].self, jpeg, jpeg_bytes, &bench->texts);
    } else {
        int width = 0, height = 0;
        if (luma_from_jpeg(decoder, jpeg, jpeg_bytes, bench->luma, BENCH_PIXELS, &width, &height) < 0)
            abort();
        peer->read(bench->peers[which].self, &bench->frame, &bench->texts);
    }
    return bench_now_ns() - begin;
}

/* A camera's JPEG in, payload out. "moving": empty, and all of it has moved since the last frame; "still": nothing has;
 * "code": a card that moves about. */
int bench_speed(struct bench *bench)
{
    static const char *const cases[] = {"moving", "still", "code"};
    struct luma_jpeg *decoder = luma_jpeg_new();
    uint8_t *jpeg = malloc((size_t)SPEED_FRAMES * BENCH_JPEG_BYTES);
    unsigned long bytes[SPEED_FRAMES];
    if (!decoder || !jpeg)
        abort();
    for (int kind = 0; kind < 3; kind++) {
        int64_t spent[PEERS_MAX] = {0};
        int read[PEERS_MAX] = {0}, frames = 0;
        for (int f = 0; f < SPEED_FRAMES; f++) {
            struct render_scene scene = render_usual();
            scene.seed = 100 + (kind == 0 ? (uint64_t)f : 0);
            if (kind == 2)
                bench_code_frame(bench, f);
            else
                render_frame(&scene, NULL, bench->room, bench->luma, NULL, NULL);
            bytes[f] = bench_compress(bench->luma, jpeg + (size_t)f * BENCH_JPEG_BYTES);
        }
        for (int round = 0; round <= bench->rounds; round++)
            for (int f = 0; f < SPEED_FRAMES; f++)
                for (int i = 0; i < bench->count; i++) {
                    const int64_t took = one_frame_ns(bench, i, decoder, jpeg + (size_t)f * BENCH_JPEG_BYTES, bytes[f]);
                    if (round == 0)
                        continue; /* warm */
                    spent[i] += took;
                    read[i] += bench->texts.count > 0;
                    frames += i == 0;
                }
        for (int i = 0; i < bench->count; i++)
            (void)printf("speed\t%s\t%s\t%.1f\t%d\t%d\n", cases[kind], bench->peers[i].peer->name,
                         frames * 1e9 / (double)spent[i], read[i], frames);
    }
    free(jpeg);
    luma_jpeg_free(decoder);
    return 0;
}
