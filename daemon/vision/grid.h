/* The modules of a fitted code: their gray levels, which are dark, how well the fixed ones are as they must be, and a clean drawing
 * of it all for a decoder. Pure; called by look.c with a fit of fit.c. */
#ifndef VISION_GRID_H
#define VISION_GRID_H

#include "daemon/vision/fit.h"

enum { GRID_MODULES_MAX = QR_SIDE_MAX * QR_SIDE_MAX, GRID_QUIET_MODULES = 2, GRID_PICTURE_MODULE_PX = 2,
       GRID_IN_GLARE = -1 };

struct grid {
    int side_modules;
    int lightest;                    /* of all levels */
    int16_t level[GRID_MODULES_MAX]; /* as if dark on light, x IMAGE_STEPS_PER_LEVEL */
    uint8_t dark[GRID_MODULES_MAX];  /* decided; 0 or 1 */
    uint16_t sure[GRID_MODULES_MAX]; /* by how much, x IMAGE_STEPS_PER_LEVEL; 0: it may as well be the other */
    uint8_t fixed[GRID_MODULES_MAX]; /* enum qr_module */
    int32_t sums[(QR_SIDE_MAX + 1) * (QR_SIDE_MAX + 1)]; /* scratch */
};

/* What light and dark are told by. */
struct grid_rule {
    int reach_modules; /* of the local mean around each module; 0: the whole code's */
    int sharpen;       /* eighths of a module's difference from its four neighbours that are added: undoes blur;
                          GRID_IN_GLARE: none, but where light is saturated, what is a little less is dark */
};

void grid_sample(const struct pyramid *pyramid, const struct fit *fit, struct grid *ret_grid);
bool grid_has_glare(const struct grid *grid); /* without, GRID_IN_GLARE tells nothing new */
void grid_decide(struct grid *grid, const struct grid_rule *rule);
/* Part of the finders' modules that came out as they must, 0 … 1. */
float grid_finder_match(const struct grid *grid);
int grid_format_distance(const struct grid *grid, int *ret_format); /* bits, of the better of the two copies */
void grid_set_format(struct grid *grid, int format);
uint64_t grid_hash(const struct grid *grid); /* of what was decided: to tell repetitions */
int grid_picture_side_px(const struct grid *grid, int module_px);
/* Draws the code with its quiet zone, side x side pixels; fixed modules as they should be, whatever was seen. */
void grid_draw(const struct grid *grid, int module_px, uint8_t *dst);

#endif
