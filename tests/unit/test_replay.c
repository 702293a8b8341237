/* The replay camera and its picture files: order, timing, placing, and nothing but pictures. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <png.h>

#include <cmocka.h>

#include "hw/camera.h"
#include "hw/picture.h"
#include "tests/unit/qr_picture.h"

enum { WIDTH = 160, HEIGHT = 120, RATE_FPS = 50, FRAME_MS = 20 };

struct place {
    char folder[64];
    struct camera *camera;
};

static int setup(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    if (!place)
        return -1;
    strcpy(place->folder, "/tmp/test_replay.XXXXXX");
    *state = place;
    return mkdtemp(place->folder) ? 0 : -1;
}

static int teardown(void **state)
{
    struct place *place = *state;
    char command[128];
    camera_close(place->camera);
    snprintf(command, sizeof command, "rm -r '%s'", place->folder);
    const int result = system(command);
    free(place);
    return result;
}

static struct camera_replay_settings settings_of(const struct place *place)
{
    struct camera_replay_settings settings = {
        .width_px = WIDTH, .height_px = HEIGHT, .rate_fps = RATE_FPS, .hold_ms = 4 * FRAME_MS, .gap_ms = 2 * FRAME_MS};
    snprintf(settings.folder, sizeof settings.folder, "%s", place->folder);
    return settings;
}

static void open_camera(struct place *place, const struct camera_replay_settings *settings)
{
    char why[256] = "";
    assert_int_equal(camera_replay_open(settings, &place->camera, why, sizeof why), 0);
    assert_string_equal(why, "");
}

static void put(const struct place *place, const char *name, int width, int height, uint8_t level)
{
    struct qr_picture picture = qr_blank(width, height, width, level);
    qr_write_pgm(&picture, place->folder, name);
    free(picture.luma);
}

static void put_text(const struct place *place, const char *name, const char *text, size_t length)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", place->folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

/* The middle pixel of the next frame, or the negative errno. */
static int next_level(struct place *place)
{
    struct camera_frame frame;
    const int result = camera_next(place->camera, 1000, &frame);
    if (result < 0)
        return result;
    assert_int_equal(result, 1);
    assert_int_equal(frame.width_px, WIDTH);
    assert_int_equal(frame.height_px, HEIGHT);
    return frame.luma[HEIGHT / 2 * frame.stride_bytes + WIDTH / 2];
}

/* Skips equal frames and returns how many there were; *level becomes what comes behind them. */
static int run_of(struct place *place, int *level)
{
    const int first = *level;
    int count = 1;
    while ((*level = next_level(place)) == first && count < 100)
        count++;
    return count;
}

static void pictures_come_in_name_order_with_gaps(void **state)
{
    struct place *place = *state;
    put(place, "b.pgm", WIDTH, HEIGHT, 20);
    put(place, "a.pgm", WIDTH, HEIGHT, 10);
    put(place, "c.PGM", WIDTH, HEIGHT, 30);
    struct camera_replay_settings settings = settings_of(place);
    open_camera(place, &settings);

    int level = next_level(place);
    static const int levels[] = {10, 128, 20, 128, 30};
    for (int i = 0; i < 5; i++) {
        assert_int_equal(level, levels[i]);
        const int count = run_of(place, &level); /* a busy machine may drop frames, never add */
        assert_in_range(count, 1, i % 2 ? 2 : 4);
    }
    assert_int_equal(level, 128);
    assert_int_equal(run_of(place, &level), 100); /* nothing left: gray for ever */
}

static void loop_begins_again(void **state)
{
    struct place *place = *state;
    put(place, "a.pgm", WIDTH, HEIGHT, 10);
    put(place, "b.pgm", WIDTH, HEIGHT, 20);
    struct camera_replay_settings settings = settings_of(place);
    settings.loop = true;
    settings.gap_ms = 0;
    open_camera(place, &settings);
    int level = next_level(place);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(level, i % 2 ? 20 : 10);
        run_of(place, &level);
    }
}

static void empty_folder_is_gray_and_keeps_the_rate(void **state)
{
    struct place *place = *state;
    struct camera_replay_settings settings = settings_of(place);
    settings.loop = true;
    open_camera(place, &settings);

    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    for (int i = 0; i <= 20; i++)
        assert_int_equal(next_level(place), 128);
    clock_gettime(CLOCK_MONOTONIC, &after);
    const long ms = (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000;
    assert_true(ms >= 20 * FRAME_MS - 1);
}

static void later_names_are_shown_when_they_come(void **state)
{
    struct place *place = *state;
    struct camera_replay_settings settings = settings_of(place);
    put(place, "5.pgm", WIDTH, HEIGHT, 50);
    open_camera(place, &settings);
    int level = next_level(place);
    run_of(place, &level);
    assert_int_equal(level, 128);

    put(place, "4.pgm", WIDTH, HEIGHT, 40); /* sorts before the one shown: never */
    put(place, "6.pgm", WIDTH, HEIGHT, 60);
    run_of(place, &level);
    assert_int_equal(level, 60);
    run_of(place, &level);
    assert_int_equal(level, 128);
    assert_int_equal(run_of(place, &level), 100);
}

static void late_callers_get_the_newest_and_lose_no_picture(void **state)
{
    struct place *place = *state;
    put(place, "a.pgm", WIDTH, HEIGHT, 10);
    put(place, "b.pgm", WIDTH, HEIGHT, 20);
    struct camera_replay_settings settings = settings_of(place);
    settings.gap_ms = 0;
    open_camera(place, &settings);

    struct camera_frame frame;
    uint64_t last_number = 0;
    int64_t last_us = 0;
    for (int i = 0; i < 2; i++) {
        usleep(300 * 1000);
        assert_int_equal(camera_next(place->camera, 0, &frame), 1);
        assert_int_equal(frame.luma[0], i ? 20 : 10);
        assert_true(frame.number >= last_number + 14 && frame.captured_at_us >= last_us + 290000);
        last_number = frame.number;
        last_us = frame.captured_at_us;
    }
}

static void timeout_is_kept(void **state)
{
    struct place *place = *state;
    struct camera_replay_settings settings = settings_of(place);
    settings.rate_fps = 1;
    open_camera(place, &settings);
    struct camera_frame frame = {.number = 77};
    assert_int_equal(camera_next(place->camera, 10, &frame), 1);
    frame.number = 77;
    assert_int_equal(camera_next(place->camera, 10, &frame), 0);
    assert_int_equal(frame.number, 77);
}

static void broken_pictures_are_broken_frames(void **state)
{
    struct place *place = *state;
    put_text(place, "a.png", "not a picture", 13);
    put_text(place, "b.jpg", "\xFF\xD8\xFF\xE0", 4);
    put_text(place, "c.pgm", "P5 10 10 255\nshort", 18);
    put_text(place, "d.pgm", "", 0);
    put_text(place, "e.pgm", "P5 5000 1 255\n", 14);
    char path[128];
    snprintf(path, sizeof path, "%s/f.pgm", place->folder);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/g.pgm", place->folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    put(place, "h.pgm", WIDTH, HEIGHT, 80);
    struct camera_replay_settings settings = settings_of(place);
    open_camera(place, &settings);

    int broken = 0, level;
    while ((level = next_level(place)) != 80) {
        assert_true(level == -EBADMSG || level == 128);
        broken += level == -EBADMSG;
    }
    assert_int_equal(broken, 7);
}

static void other_names_are_ignored(void **state)
{
    struct place *place = *state;
    put(place, ".hidden.pgm", WIDTH, HEIGHT, 10);
    put(place, "notes.txt", WIDTH, HEIGHT, 20);
    put(place, "pgm", WIDTH, HEIGHT, 20);
    put(place, "x.pgm.part", WIDTH, HEIGHT, 20);
    struct camera_replay_settings settings = settings_of(place);
    open_camera(place, &settings);
    for (int i = 0; i < 10; i++)
        assert_int_equal(next_level(place), 128);
}

static void small_pictures_stand_in_the_middle(void **state)
{
    struct place *place = *state;
    put(place, "a.pgm", 20, 10, 250);
    struct camera_replay_settings settings = settings_of(place);
    open_camera(place, &settings);
    struct camera_frame frame;
    assert_int_equal(camera_next(place->camera, 1000, &frame), 1);
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            const bool inside = x >= 70 && x < 90 && y >= 55 && y < 65;
            assert_int_equal(frame.luma[y * frame.stride_bytes + x], inside ? 250 : 128);
        }
}

/* Left half black, right half white, 3.2 times too wide: the average keeps the border where it is. */
static void large_pictures_are_scaled_down(void **state)
{
    struct place *place = *state;
    struct qr_picture picture = qr_blank(512, 128, 512, 0);
    for (int y = 0; y < 128; y++)
        memset(picture.luma + y * 512 + 256, 200, 256);
    qr_write_pgm(&picture, place->folder, "a.pgm");
    free(picture.luma);
    put(place, "b.pgm", 100, 4096, 60);

    struct camera_replay_settings settings = settings_of(place);
    settings.gap_ms = 0;
    open_camera(place, &settings);
    struct camera_frame frame;
    assert_int_equal(camera_next(place->camera, 1000, &frame), 1);
    const uint8_t *row = frame.luma + HEIGHT / 2 * frame.stride_bytes; /* 160 x 40 in the middle */
    assert_int_equal(row[0], 0);
    assert_int_equal(row[79], 0);
    assert_int_equal(row[80], 200);
    assert_int_equal(row[159], 200);
    assert_int_equal(frame.luma[39 * frame.stride_bytes], 128);
    assert_int_equal(frame.luma[40 * frame.stride_bytes], 0);
    assert_int_equal(frame.luma[80 * frame.stride_bytes], 128);

    do
        assert_int_equal(camera_next(place->camera, 1000, &frame), 1);
    while (frame.luma[80] == 128); /* now 2 x 120 in the middle */
    assert_int_equal(frame.luma[79], 60);
    assert_int_equal(frame.luma[80], 60);
    assert_int_equal(frame.luma[78], 128);
    assert_int_equal(frame.luma[81], 128);
}

static void png_and_pgm_variants_load(void **state)
{
    struct place *place = *state;
    char path[128];
    const uint8_t pixels[] = {0, 100, 200, 255, 50, 150};
    png_image image = {.version = PNG_IMAGE_VERSION, .width = 3, .height = 2, .format = PNG_FORMAT_GRAY};
    snprintf(path, sizeof path, "%s/a.png", place->folder);
    assert_true(png_image_write_to_file(&image, path, 0, pixels, 0, NULL));
    static const char commented[] = "P5 # one\n#two\n 3\t2 # three\n15\n\0\1\2\3\4\17";
    put_text(place, "b.pgm", commented, sizeof commented - 1);

    const int fd = open(place->folder, O_RDONLY | O_DIRECTORY);
    struct picture_loader *loader = picture_loader_new();
    assert_true(fd >= 0 && loader);
    uint8_t luma[6];
    int width = 0, height = 0;
    assert_int_equal(picture_load(loader, fd, "a.png", luma, sizeof luma, &width, &height), 0);
    assert_true(width == 3 && height == 2);
    assert_memory_equal(luma, pixels, sizeof pixels);
    assert_int_equal(picture_load(loader, fd, "a.png", luma, 5, &width, &height), -E2BIG);

    const uint8_t stretched[] = {0, 17, 34, 51, 68, 255};
    assert_int_equal(picture_load(loader, fd, "b.pgm", luma, sizeof luma, &width, &height), 0);
    assert_memory_equal(luma, stretched, sizeof stretched);
    assert_int_equal(picture_load(loader, fd, "b.pgm", luma, 5, &width, &height), -E2BIG);
    assert_int_equal(picture_load(loader, fd, "none.pgm", luma, 6, &width, &height), -ENOENT);

    static const char *const bad[] = {
        "P5",
        "P5 3",
        "P5 3 2",
        "P5 3 2 0\n000000",
        "P5 3 2 256\n000000",
        "P5 -3 2 255\n000000",
        "P5 3 2 255#000000",
        "P5 0 2 255\n000000",
        "P6 3 2 255\n000000",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put_text(place, "c.pgm", bad[i], strlen(bad[i]));
        assert_int_equal(picture_load(loader, fd, "c.pgm", luma, sizeof luma, &width, &height), -EBADMSG);
    }
    picture_loader_free(loader);
    picture_loader_free(NULL);
    close(fd);
}

static void refusals_say_why(void **state)
{
    struct place *place = *state;
    struct camera_replay_settings settings = settings_of(place);
    struct camera *camera = NULL;
    char why[256] = "";
    strcat(settings.folder, "/none");
    assert_int_equal(camera_replay_open(&settings, &camera, why, sizeof why), -ENOENT);
    assert_non_null(strstr(why, settings.folder));
    assert_non_null(strstr(why, "create it"));

    settings = settings_of(place);
    settings.rate_fps = 0;
    assert_int_equal(camera_replay_open(&settings, &camera, why, sizeof why), -EINVAL);
    settings = settings_of(place);
    settings.width_px = CAMERA_SIDE_MAX_PX + 1;
    assert_int_equal(camera_replay_open(&settings, &camera, why, sizeof why), -EINVAL);
    assert_null(camera);
}

/* What can be said of the real camera without one. */
static void no_camera_says_why(void **state)
{
    (void)state;
    static const struct {
        const char *device, *says;
    } cases[] = {{"/dev/v4l/by-id/none", "plug it in"}, {"/dev/null", "/dev/null"}, {"/tmp", "/tmp"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct camera_v4l2_settings settings = {.width_px = 640, .height_px = 480, .rate_fps = 30};
        snprintf(settings.device, sizeof settings.device, "%s", cases[i].device);
        struct camera *camera = NULL;
        char why[256] = "";
        assert_true(camera_v4l2_open(&settings, &camera, why, sizeof why) < 0);
        assert_null(camera);
        assert_non_null(strstr(why, cases[i].says));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pictures_come_in_name_order_with_gaps, setup, teardown),
        cmocka_unit_test_setup_teardown(loop_begins_again, setup, teardown),
        cmocka_unit_test_setup_teardown(empty_folder_is_gray_and_keeps_the_rate, setup, teardown),
        cmocka_unit_test_setup_teardown(later_names_are_shown_when_they_come, setup, teardown),
        cmocka_unit_test_setup_teardown(late_callers_get_the_newest_and_lose_no_picture, setup, teardown),
        cmocka_unit_test_setup_teardown(timeout_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(broken_pictures_are_broken_frames, setup, teardown),
        cmocka_unit_test_setup_teardown(other_names_are_ignored, setup, teardown),
        cmocka_unit_test_setup_teardown(small_pictures_stand_in_the_middle, setup, teardown),
        cmocka_unit_test_setup_teardown(large_pictures_are_scaled_down, setup, teardown),
        cmocka_unit_test_setup_teardown(png_and_pgm_variants_load, setup, teardown),
        cmocka_unit_test_setup_teardown(refusals_say_why, setup, teardown),
        cmocka_unit_test(no_camera_says_why),
    };
    return cmocka_run_group_tests_name("replay", tests, NULL, NULL);
}
