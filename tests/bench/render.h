/* Made-up camera frames with a QR code in them: what the unit tests of the vision and `make bench` look at.
 * Deterministic: the same scene and seed give the same bytes. Everything is in the caller's buffers; only
 * render_encode() lets libqrencode allocate. */
#ifndef TESTS_BENCH_RENDER_H
#define TESTS_BENCH_RENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RENDER_WIDTH_PX = 1280, RENDER_HEIGHT_PX = 720, RENDER_MODULES_MAX = 177 };

/* The modules of a code, 1 is dark; row by row. */
struct render_matrix {
    int side_modules;
    uint8_t dark[RENDER_MODULES_MAX * RENDER_MODULES_MAX];
};
/* version 0 = the smallest that holds it; ecc as in <qrencode.h>: 0 L, 1 M, 2 Q, 3 H. 0, or -EMSGSIZE when it doesn't
 * fit. */
int render_encode(const void *payload, size_t length_bytes, int version, int ecc, struct render_matrix *ret_matrix);

enum render_ground {
    RENDER_FLAT,    /* a wall: one level and a sensor's noise of sigma 2 */
    RENDER_SCENE,   /* light that falls off, and large shapes */
    RENDER_TEXTURE, /* busy at every scale: gravel, leaves, cloth */
    RENDER_GROUND_COUNT
};
const char *render_ground_name(enum render_ground ground);

/* How the code is seen. Start from render_usual() and change what matters. */
struct render_scene {
    enum render_ground ground;
    double module_px;             /* where the code's middle is */
    double centre_x, centre_y;    /* of the code, in px from the frame's top left */
    double rotation_deg;          /* in the code's own plane, clockwise */
    double tilt_deg;              /* out of the frame's plane, seen by a lens of TILT_FOCAL_PX; at most 80 */
    double tilt_axis_deg;         /* the line it is tilted about: 0 is horizontal */
    double brightness;            /* gray level half-way between dark and light modules */
    double contrast;              /* gray levels between dark and light modules */
    double blur_sigma_px;         /* of the whole frame */
    double motion_px, motion_deg; /* way of the code during the exposure, and its direction */
    double noise_sigma;           /* gray levels, of every pixel */
    double glare_radius;          /* of the code's side: where a blob that adds 255 levels has faded to a seventh */
    double glare_x, glare_y; /* where the blob is, in sides of the code from its middle */
    double moire_depth;    /* 0 … 1: of a screen's stripes of colour, seen by a sensor that fills half of its pixels */
    double moire_pitch_px; /* one screen pixel, in px of the frame */
    bool inverted;         /* light modules on dark */
    bool no_quiet_zone;    /* the background begins where the modules end */
    uint64_t seed;
};
/* Upright in the middle, modules of 4 px, levels 40 and 210, on RENDER_SCENE; nothing wrong with it. */
struct render_scene render_usual(void);

/* Room to work in, about 7 MB. The content means nothing between calls. */
struct render_room {
    float light[RENDER_WIDTH_PX * RENDER_HEIGHT_PX], other[RENDER_WIDTH_PX * RENDER_HEIGHT_PX];
};
/* Fills luma (RENDER_WIDTH_PX x RENDER_HEIGHT_PX, rows packed). Without a matrix (NULL): the empty view. ret_corner_*
 * (may be NULL): the code's outer corners in px, from the top left one clockwise as the code is printed. */
void render_frame(const struct render_scene *scene, const struct render_matrix *matrix, struct render_room *room,
                  uint8_t *luma, double ret_corner_x[4], double ret_corner_y[4]);

/* Pictures that make a decoder work for nothing. */
struct render_wall {
    const char *name;
    enum { WALL_FINDERS, WALL_CODES, WALL_CHECKER, WALL_STRIPES, WALL_RINGS, WALL_CROSSED, WALL_NOISE } kind;
    double module_px;
    int gap_modules; /* between tiles */
    double rotation_deg;
    bool inverted;
    int code_modules; /* of WALL_CODES; 0: 29 */
};
int render_walls_count(void);
const struct render_wall *render_wall_at(int index); /* 0 … render_walls_count() - 1 */
void render_wall(const struct render_wall *wall, uint8_t *luma);

/* 0 … 2^64-1, a pure function of its argument (splitmix64). */
uint64_t render_hash(uint64_t value);
/* Of 64 random bits: a number that is near enough to normal, mean 0, variance 1. */
double render_normal(uint64_t bits);
/* The background alone; render_frame() calls it. */
void render_ground(enum render_ground ground, uint64_t seed, float *ret_light);

#endif
