/* Lines: names, the finding of a wire among chips, the simulated panel; and the same table of cases over the ops with
 * real GPIO when the lab's gpio-sim is there (QRG_TEST_GPIO=folder of its sim_gpioN entries; lines named QRG_…, see
 * open_gpio). */
#include "hw/lines_wiring.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- names ------------------------------------------------------------------------------------------------------- */

static void names_are_split_into_chip_and_offset(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int result;
        enum line_name_form form;
        const char *name;
        unsigned offset;
    } cases[] = {
        {"", 0, LINE_UNWIRED, "", 0},
        {"GPIO17", 0, LINE_BY_NAME, "GPIO17", 0},
        {"QRG RELAY", 0, LINE_BY_NAME, "QRG RELAY", 0},
        {"gpiochip0:17", 0, LINE_BY_OFFSET, "gpiochip0", 17},
        {"pinctrl-bcm2711:0", 0, LINE_BY_OFFSET, "pinctrl-bcm2711", 0},
        {"0000:00:1f.0:5", 0, LINE_BY_OFFSET, "0000:00:1f.0", 5},
        {"PMIC:IRQ", 0, LINE_BY_NAME, "PMIC:IRQ", 0},
        {"PMIC:", 0, LINE_BY_NAME, "PMIC:", 0},
        {"PMIC:-1", 0, LINE_BY_NAME, "PMIC:-1", 0},
        {":5", -EINVAL, LINE_UNWIRED, "", 0},
        {"gpiochip0:65536", -EINVAL, LINE_UNWIRED, "", 0},
        {"gpiochip0:99999999999999999999999", -EINVAL, LINE_UNWIRED, "", 0},
        {"0123456789012345678901234567890123456789012345678901234567890123", -EINVAL, LINE_UNWIRED, "", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct line_name name;
        assert_int_equal(line_name_parse(cases[i].text, &name), cases[i].result);
        assert_int_equal(name.form, cases[i].form);
        assert_string_equal(name.text, cases[i].name);
        assert_int_equal(name.offset, cases[i].offset);
    }
}

static void every_line_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (size_t i = 0; i < LINES_WIRED_MAX; i++)
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(line_role(i), line_role(j));
    static const char *const outputs[] = {"relay", "relay_out", "buzzer", "lamp_green", "lamp_amber", "lamp_red"};
    static const char *const inputs[] = {"button", "rotation", "fire", "tamper", "guard", "service"};
    assert_int_equal(sizeof outputs / sizeof *outputs, LINE_OUT_COUNT);
    assert_int_equal(sizeof inputs / sizeof *inputs, LINE_IN_COUNT);
    for (int i = 0; i < LINE_OUT_COUNT; i++)
        assert_string_equal(line_out_name((enum line_out)i), outputs[i]);
    for (int i = 0; i < LINE_IN_COUNT; i++)
        assert_string_equal(line_in_name((enum line_in)i), inputs[i]);
    assert_string_equal(line_out_name(LINE_OUT_COUNT), "?");
    assert_string_equal(line_in_name(LINE_IN_COUNT), "?");
}

static void a_wall_clock_stamp_of_an_old_kernel_becomes_the_time_of_reading(void **state)
{
    (void)state;
    assert_int_equal(line_stamp_us(5000000, 6000), 5000);
    assert_int_equal(line_stamp_us(1790000000000000000u, 6000), 6000);
}

/* ---- finding, with chips that don't exist ------------------------------------------------------------------------ */

struct fake_chip {
    const char *name, *label, *lines[3];
    int error;
};

static const struct fake_chip fake_chips[] = {
    {"gpiochip0", "pinctrl", {"GPIO0", "GPIO1", "BOTH"}, 0}, {"gpiochip1", "expander", {"BOTH", "", "TWICE"}, 0},
    {"gpiochip2", "expander", {"", "TWICE", "LAST"}, 0},     {"gpiochip3", "gone", {"", "", ""}, -ENXIO},
    {"gpiochip7", "secret", {"GPIO1", "", ""}, -EACCES},
};

static int fake_open(const char *path, struct line_chip *ret_chip)
{
    const char *base = strrchr(path, '/') + 1;
    for (size_t i = 0; i < sizeof fake_chips / sizeof fake_chips[0]; i++) {
        const struct fake_chip *chip = &fake_chips[i];
        if (strcmp(chip->name, base) != 0)
            continue;
        *ret_chip = (struct line_chip){(void *)chip, chip->name, chip->label, 3};
        return chip->error;
    }
    return -ENOTTY;
}

static bool fake_line_is_named(const struct line_chip *chip, unsigned offset, const char *name)
{
    const struct fake_chip *fake = chip->handle;
    return strcmp(fake->lines[offset], name) == 0;
}

static void fake_close(struct line_chip *chip)
{
    (void)chip;
}

static const struct line_chip_ops fake_ops = {fake_open, fake_line_is_named, fake_close};

/* A folder like /dev: `count` of the fake chips, and gpiochip4 as a second name of gpiochip0. */
static void make_folder(char folder[64], const char *const *chips)
{
    (void)snprintf(folder, 64, "/tmp/test_lines.XXXXXX");
    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; chips[i]; i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s/%s", folder, chips[i]);
        if (strcmp(chips[i], "gpiochip4") == 0) {
            assert_int_equal(symlink("gpiochip0", path), 0);
        } else {
            int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
            assert_true(fd >= 0);
            assert_int_equal(close(fd), 0);
        }
    }
}

static void remove_folder(const char *folder, const char *const *chips)
{
    for (size_t i = 0; chips[i]; i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s/%s", folder, chips[i]);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(rmdir(folder), 0);
}

static void a_line_is_found_only_where_it_is_the_only_one(void **state)
{
    (void)state;
    static const char *const open_chips[] = {"gpiochip0", "gpiochip1", "gpiochip2", "gpiochip3", "gpiochip4", NULL};
    static const char *const with_closed[] = {"gpiochip0", "gpiochip7", NULL};
    static const char *const none[] = {NULL};
    static const struct {
        const char *const *chips;
        const char *name;
        int result;
        const char *place_or_why[2]; /* the place as CHIP:OFFSET, or what the refusal must say */
    } cases[] = {
        {open_chips, "GPIO1", 0, {"gpiochip0:1", ""}},
        {open_chips, "LAST", 0, {"gpiochip2:2", ""}},
        {open_chips, "pinctrl:2", 0, {"gpiochip0:2", ""}},
        {open_chips, "gpiochip1:0", 0, {"gpiochip1:0", ""}},
        {open_chips, "gpiochip4:1", 0, {"gpiochip0:1", ""}},
        {open_chips, "BOTH", -ENOTUNIQ, {"gpiochip0:2 (pinctrl)", "gpiochip1:0 (expander)"}},
        {open_chips, "TWICE", -ENOTUNIQ, {"gpiochip1:2 (expander)", "gpiochip2:1 (expander)"}},
        {open_chips, "expander:1", -ENOTUNIQ, {"gpiochip1:1", "gpiochip2:1"}},
        {open_chips, "GPIO99", -ENOENT, {"GPIO99", "gpioinfo"}},
        {open_chips, "pinctrl:3", -ENOENT, {"only 3 lines", "0 to 2"}},
        {open_chips, "nosuch:1", -ENOENT, {"'nosuch'", "gpiodetect"}},
        {open_chips, "pinctrl:99999", -EINVAL, {"pinctrl:99999", "CHIP:OFFSET"}},
        {with_closed, "GPIO0", -EACCES, {"gpiochip0:0", "gpiochip7"}},
        {with_closed, "pinctrl:1", 0, {"gpiochip0:1", ""}},
        {with_closed, "secret:1", -EACCES, {"/gpiochip7", "group"}},
        {none, "GPIO1", -ENOENT, {"no GPIO chip", "driver"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char folder[64], why[256] = "", place_text[128];
        struct line_place place = {.path = ""};
        make_folder(folder, cases[i].chips);
        int result = line_find(&fake_ops, folder, cases[i].name, &place, why, sizeof why);
        remove_folder(folder, cases[i].chips);
        if (result != cases[i].result)
            fail_msg("%s: %d, %s", cases[i].name, result, why);
        (void)snprintf(place_text, sizeof place_text, "%s:%u", place.chip, place.offset);
        /* the two places of an ambiguous name come in the folder's order */
        for (int word = 0; word < 2; word++)
            if (!strstr(result == 0 ? place_text : why, cases[i].place_or_why[word]))
                fail_msg("%s: no '%s' in '%s'", cases[i].name, cases[i].place_or_why[word],
                         result == 0 ? place_text : why);
    }
}

static void a_refusal_names_the_wire_and_the_remedy(void **state)
{
    (void)state;
    const struct line_place place = {"/dev/gpiochip0", "gpiochip0", "pinctrl", 17};
    char why[256];
    line_refused(-EBUSY, "relay", "GPIO17", &place, "w1-gpio", why, sizeof why);
    assert_non_null(strstr(why, "relay: line 'GPIO17' (gpiochip0:17) is held by 'w1-gpio'"));
    line_refused(-EBUSY, "relay", "GPIO17", &place, NULL, why, sizeof why);
    assert_non_null(strstr(why, "the kernel"));
    line_refused(-EPERM, "relay", "GPIO17", &place, NULL, why, sizeof why);
    assert_non_null(strstr(why, "/dev/gpiochip0; add the user to the group"));
    line_refused(-ENOTSUP, "relay", "GPIO17", &place, NULL, why, sizeof why);
    assert_non_null(strstr(why, "bias"));
}

/* ---- the same cases for every driver ----------------------------------------------------------------------------- */

/* A driver with a hand on its buttons and an eye on its lamps. */
struct rig {
    struct lines *lines;
    void (*press)(struct rig *rig, enum line_in line, bool pressed);
    bool (*is_on)(struct rig *rig, enum line_out line); /* what is seen outside, electrically active */
    int panel_fd, fifo_fd; /* sim */
    bool seen[LINE_OUT_COUNT];
    char fifo[64], folder[160]; /* sim; gpio */
};

static void write_text(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static bool read_panel_line(int fd, char *line, size_t line_bytes)
{
    size_t used = 0;
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    while (used + 1 < line_bytes && poll(&waiting, 1, 0) == 1 && read(fd, line + used, 1) == 1)
        if (line[used++] == '\n')
            break;
    line[used] = '\0';
    return used > 0;
}

static void sim_press(struct rig *rig, enum line_in line, bool pressed)
{
    char text[64];
    (void)snprintf(text, sizeof text, "%s %s\n", pressed ? "activate" : "release", line_in_name(line));
    write_text(rig->fifo_fd, text);
}

static bool sim_is_on(struct rig *rig, enum line_out line)
{
    char text[256], name[64], state[64];
    long long at_us;
    while (read_panel_line(rig->panel_fd, text, sizeof text))
        for (int i = 0; i < LINE_OUT_COUNT; i++)
            if (sscanf(text, "panel t_us=%lld %63s %63s", &at_us, name, state) == 3 &&
                strcmp(name, line_out_name((enum line_out)i)) == 0)
                rig->seen[i] = strcmp(state, "on") == 0;
    return rig->seen[line];
}

static void open_sim(struct rig *rig)
{
    int pipe_fds[2];
    char why[256] = "";
    struct lines_settings settings = {.consumer = "test"};
    *rig = (struct rig){.press = sim_press, .is_on = sim_is_on};
    (void)snprintf(rig->fifo, sizeof rig->fifo, "/tmp/test_lines.%ld.fifo", (long)getpid());
    (void)snprintf(settings.panel_input, sizeof settings.panel_input, "%s", rig->fifo);
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    rig->panel_fd = pipe_fds[0];
    if (lines_sim_open(&settings, pipe_fds[1], &rig->lines, why, sizeof why) != 0)
        fail_msg("%s", why);
    rig->fifo_fd = open(rig->fifo, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(rig->fifo_fd >= 0);
}

/* gpio-sim: which wire of the chip each role has. The buzzer and the button are active low. */
static const struct {
    int offset;
    const char *name;
} gpio_wires[LINES_WIRED_MAX] = {
    [LINE_RELAY] = {0, "QRG_RELAY"},
    [LINE_BUZZER] = {1, "QRG_BUZZER"},
    [LINE_LAMP_GREEN] = {2, "QRG_GREEN"},
    [LINE_LAMP_AMBER] = {3, "QRG_AMBER"},
    [LINE_LAMP_RED] = {4, "QRG_RED"},
    [LINE_OUT_COUNT + LINE_BUTTON] = {5, "QRG_BUTTON"},
    [LINE_OUT_COUNT + LINE_ROTATION] = {6, "QRG_ROTATION"},
    [LINE_OUT_COUNT + LINE_FIRE] = {7, "QRG_FIRE"},
    [LINE_OUT_COUNT + LINE_TAMPER] = {8, "QRG_TAMPER"},
    [LINE_RELAY_OUT] = {9, "QRG_RELAY_OUT"},
    [LINE_OUT_COUNT + LINE_GUARD] = {10, "QRG_GUARD"},
    [LINE_OUT_COUNT + LINE_SERVICE] = {11, "QRG_SERVICE"},
};

static void gpio_file(const struct rig *rig, int wired, const char *entry, char *path, size_t path_bytes)
{
    (void)snprintf(path, path_bytes, "%s/sim_gpio%d/%s", rig->folder, gpio_wires[wired].offset, entry);
}

static void gpio_pull(const struct rig *rig, int wired, bool up)
{
    char path[192];
    gpio_file(rig, wired, "pull", path, sizeof path);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    write_text(fd, up ? "pull-up" : "pull-down");
    assert_int_equal(close(fd), 0);
}

static void gpio_press(struct rig *rig, enum line_in line, bool pressed)
{
    gpio_pull(rig, LINE_OUT_COUNT + (int)line, pressed != (line == LINE_BUTTON));
    usleep(20000); /* the edge goes through the kernel's interrupt thread */
}

static bool gpio_is_on(struct rig *rig, enum line_out line)
{
    char path[192], value = 0;
    gpio_file(rig, (int)line, "value", path, sizeof path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(read(fd, &value, 1), 1);
    assert_int_equal(close(fd), 0);
    return (value == '1') != (line == LINE_BUZZER);
}

static void gpio_settings(struct lines_settings *settings)
{
    *settings = (struct lines_settings){.consumer = "test_lines"};
    for (int i = 0; i < LINE_OUT_COUNT; i++)
        (void)snprintf(settings->out[i].name, LINE_NAME_BYTES, "%s", gpio_wires[i].name);
    for (int i = 0; i < LINE_IN_COUNT; i++)
        (void)snprintf(settings->in[i].name, LINE_NAME_BYTES, "%s", gpio_wires[LINE_OUT_COUNT + i].name);
    settings->out[LINE_BUZZER].active_low = true;
    settings->in[LINE_BUTTON].active_low = true;
    settings->in[LINE_BUTTON].bias = LINE_BIAS_PULL_UP;
    for (int i = LINE_ROTATION; i < LINE_IN_COUNT; i++)
        settings->in[i].bias = LINE_BIAS_PULL_DOWN;
}

static void open_gpio(struct rig *rig)
{
    char why[256] = "";
    struct lines_settings settings;
    *rig = (struct rig){.press = gpio_press, .is_on = gpio_is_on, .panel_fd = -1, .fifo_fd = -1};
    (void)snprintf(rig->folder, sizeof rig->folder, "%s", getenv("QRG_TEST_GPIO"));
    gpio_settings(&settings);
    gpio_pull(rig, LINE_BUZZER, true); /* the board's resistor, which holds the wire when nobody drives it */
    if (lines_gpiod_open(&settings, &rig->lines, why, sizeof why) != 0)
        fail_msg("%s", why);
}

static void close_rig(struct rig *rig)
{
    lines_close(rig->lines);
    for (int i = 0; i < LINE_OUT_COUNT; i++)
        assert_false(rig->is_on(rig, (enum line_out)i)); /* whatever the case left on */
    if (rig->fifo[0]) {
        assert_int_equal(close(rig->panel_fd) | close(rig->fifo_fd) | unlink(rig->fifo), 0);
    }
}

/* Waits for an edge as the main loop does. 1: *ret_edge; 0: none came. */
static int next_edge(struct rig *rig, int timeout_ms, struct line_edge *ret_edge)
{
    int fds[LINES_FDS_MAX];
    struct pollfd waiting[LINES_FDS_MAX];
    int count = lines_fds(rig->lines, fds);
    assert_in_range(count, 1, LINES_FDS_MAX);
    for (int i = 0; i < count; i++)
        waiting[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
    if (poll(waiting, (nfds_t)count, timeout_ms) == 0)
        return 0;
    for (int i = 0; i < count; i++)
        if (waiting[i].revents)
            return lines_read_edge(rig->lines, fds[i], ret_edge);
    return 0;
}

static void outputs_begin_off_and_follow_the_program(struct rig *rig)
{
    for (int line = 0; line < LINE_OUT_COUNT; line++)
        assert_false(rig->is_on(rig, (enum line_out)line));
    for (int line = 0; line < LINE_OUT_COUNT; line++) {
        assert_int_equal(lines_set(rig->lines, (enum line_out)line, true), 0);
        for (int other = 0; other < LINE_OUT_COUNT; other++)
            assert_int_equal(rig->is_on(rig, (enum line_out)other), other == line);
        assert_int_equal(lines_set(rig->lines, (enum line_out)line, false), 0);
        assert_false(rig->is_on(rig, (enum line_out)line));
    }
    assert_int_equal(lines_set(rig->lines, LINE_OUT_COUNT, true), -EINVAL);
}

static void an_output_left_on_is_off_after_close(struct rig *rig)
{
    for (int line = 0; line < LINE_OUT_COUNT; line++)
        assert_int_equal(lines_set(rig->lines, (enum line_out)line, true), 0);
    assert_true(rig->is_on(rig, LINE_RELAY)); /* close_rig() looks again */
}

static void each_press_and_release_is_one_edge_with_its_time(struct rig *rig)
{
    for (int line = 0; line < LINE_IN_COUNT; line++) {
        for (int pressed = 1; pressed >= 0; pressed--) {
            struct line_edge edge;
            bool active = !pressed;
            int64_t before_us = lines_now_us();
            rig->press(rig, (enum line_in)line, pressed);
            assert_int_equal(next_edge(rig, 1000, &edge), 1);
            assert_int_equal(edge.line, line);
            assert_int_equal(edge.active, pressed);
            assert_in_range(edge.at_us, before_us, lines_now_us());
            assert_int_equal(lines_get(rig->lines, (enum line_in)line, &active), 0);
            assert_int_equal(active, pressed);
            assert_int_equal(next_edge(rig, 0, &edge), 0);
        }
    }
}

static void edges_wait_in_order_until_they_are_read(struct rig *rig)
{
    struct line_edge edge;
    for (int i = 0; i < 4; i++) {
        rig->press(rig, LINE_BUTTON, true);
        rig->press(rig, LINE_BUTTON, false);
    }
    int64_t last_us = 0;
    for (int i = 0; i < 8; i++) {
        assert_int_equal(next_edge(rig, 1000, &edge), 1);
        assert_int_equal(edge.active, i % 2 == 0);
        assert_true(edge.at_us >= last_us);
        last_us = edge.at_us;
    }
    assert_int_equal(next_edge(rig, 0, &edge), 0);
}

/* A bouncing contact gives more edges than the kernel keeps while the program is held up (16 for libgpiod 1.6, which then
 * loses the newest): a button that was released must not count as held for ever. */
static void after_all_edges_were_read_the_last_one_told_the_level(struct rig *rig)
{
    enum { FLIPS = 41 };
    int fds[LINES_FDS_MAX];
    for (int pressed = 1; pressed >= 0; pressed--) { /* how it begins and ends */
        struct line_edge edge, last = {.line = LINE_IN_COUNT};
        bool active = !pressed;
        for (int flip = 0; flip < FLIPS; flip++)
            rig->press(rig, LINE_BUTTON, pressed == (flip % 2 == 0));
        assert_int_equal(next_edge(rig, 1000, &edge), 1);
        for (int i = 0; i < lines_fds(rig->lines, fds); i++)
            while (lines_read_edge(rig->lines, fds[i], &edge) == 1) /* as the main loop does, until none waits */
                last = edge;
        assert_int_equal(lines_get(rig->lines, LINE_BUTTON, &active), 0);
        assert_int_equal(active, pressed);
        assert_int_equal(last.line, LINE_BUTTON);
        assert_int_equal(last.active, active);
    }
}

static void reading_without_an_edge_does_not_wait(struct rig *rig)
{
    int fds[LINES_FDS_MAX];
    struct line_edge edge;
    int count = lines_fds(rig->lines, fds);
    for (int i = 0; i < count; i++)
        assert_int_equal(lines_read_edge(rig->lines, fds[i], &edge), 0);
    assert_int_equal(lines_read_edge(rig->lines, 9999, &edge), -EBADF);
}

static void (*const ops_cases[])(struct rig *rig) = {
    outputs_begin_off_and_follow_the_program,
    an_output_left_on_is_off_after_close,
    each_press_and_release_is_one_edge_with_its_time,
    edges_wait_in_order_until_they_are_read,
    after_all_edges_were_read_the_last_one_told_the_level,
    reading_without_an_edge_does_not_wait,
};

static void the_simulated_panel_keeps_the_contract(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ops_cases / sizeof ops_cases[0]; i++) {
        struct rig rig;
        open_sim(&rig);
        ops_cases[i](&rig);
        close_rig(&rig);
    }
}

static void real_gpio_keeps_the_contract(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ops_cases / sizeof ops_cases[0]; i++) {
        struct rig rig;
        open_gpio(&rig);
        ops_cases[i](&rig);
        close_rig(&rig);
    }
}

/* The lab has a second chip with lines TWIN, TWIN and HOG, the last held by the kernel as "lab-hog". */
static void real_gpio_refuses_what_it_must(void **state)
{
    (void)state;
    static const struct {
        const char *relay, *buzzer;
        int result;
        const char *why;
    } cases[] = {
        {"TWIN", "", -ENOTUNIQ, "ambiguous"},
        {"HOG", "", -EBUSY, "held by 'lab-hog'"},
        {"QRG_NONE", "", -ENOENT, "QRG_NONE"},
        {"nochip:1", "", -ENOENT, "'nochip'"},
        {"QRG_RELAY", "QRG_RELAY", -EINVAL, "relay and buzzer are the same wire"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char why[256] = "";
        struct lines *lines = NULL;
        struct lines_settings settings = {.consumer = "test_lines"};
        (void)snprintf(settings.out[LINE_RELAY].name, LINE_NAME_BYTES, "%s", cases[i].relay);
        (void)snprintf(settings.out[LINE_BUZZER].name, LINE_NAME_BYTES, "%s", cases[i].buzzer);
        int result = lines_gpiod_open(&settings, &lines, why, sizeof why);
        if (result != cases[i].result || !strstr(why, cases[i].why))
            fail_msg("%s: %d, '%s'", cases[i].relay, result, why);
        print_message("    %s\n", why);
    }
}

/* Found by name, a line that we hold ourselves is busy: two lanes must not share a relay. */
static void real_gpio_names_the_holder_of_a_busy_line(void **state)
{
    (void)state;
    struct rig rig;
    char why[256] = "";
    struct lines *second = NULL;
    struct lines_settings settings;
    open_gpio(&rig);
    gpio_settings(&settings);
    assert_int_equal(lines_gpiod_open(&settings, &second, why, sizeof why), -EBUSY);
    assert_non_null(strstr(why, "held by 'test_lines'"));
    assert_non_null(strstr(lines_describe(rig.lines), "relay=QRG_RELAY@gpiochip"));
    close_rig(&rig);
}

/* ---- the simulated panel alone ----------------------------------------------------------------------------------- */

static void nothing_said_to_the_panel_is_lost(void **state)
{
    (void)state;
    struct rig rig;
    struct line_edge edge;
    char text[1024], flood[600];
    open_sim(&rig);
    memset(flood, 'x', sizeof flood - 1);
    flood[sizeof flood - 1] = '\0';
    write_text(rig.fifo_fd, "open sesame\n\r\n");
    write_text(rig.fifo_fd, "press button");
    write_text(rig.fifo_fd, "\r\n");
    write_text(rig.fifo_fd, flood);
    write_text(rig.fifo_fd, "\npress tamper\n\x1b[2J\xff' press\n");
    assert_int_equal(write(rig.fifo_fd, "press fire\0x\n", 13), 13);
    write_text(rig.fifo_fd, "press button\nrelease button");

    assert_int_equal(next_edge(&rig, 0, &edge), 1);
    assert_true(edge.line == LINE_BUTTON && edge.active);
    assert_int_equal(next_edge(&rig, 0, &edge), 1);
    assert_true(edge.line == LINE_TAMPER && edge.active);
    assert_int_equal(next_edge(&rig, 0, &edge), 0); /* the release has no newline yet */
    write_text(rig.fifo_fd, "\n");
    assert_int_equal(next_edge(&rig, 0, &edge), 1);
    assert_true(edge.line == LINE_BUTTON && !edge.active);

    assert_true(read_panel_line(rig.panel_fd, text, sizeof text));
    assert_non_null(strstr(text, " error unknown input 'open sesame'; try: press button\n"));
    assert_true(read_panel_line(rig.panel_fd, text, sizeof text));
    assert_non_null(strstr(text, "xxxx...'; try: press button\n"));
    assert_true(read_panel_line(rig.panel_fd, text, sizeof text));
    assert_non_null(strstr(text, "unknown input '\\x1b[2J\\xff' press'; try"));
    assert_true(read_panel_line(rig.panel_fd, text, sizeof text));
    assert_non_null(strstr(text, "unknown input 'press fire\\x00x'"));
    assert_true(read_panel_line(rig.panel_fd, text, sizeof text));
    assert_non_null(strstr(text, " error button is already pressed\n"));
    close_rig(&rig);
}

static void the_panel_shows_text_but_no_controls(void **state)
{
    (void)state;
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {"Mời vào, Nguyễn Thị Bích Phượng", "Mời vào, Nguyễn Thị Bích Phượng"},
        {"a\nb\x1b]0;x\x07", "a\\x0ab\\x1b]0;x\\x07"},
        {"back\\slash", "back\\x5cslash"},
        {"\xc0\xaf \xed\xa0\x80 \xf5 \xe1\xbb", "\\xc0\\xaf \\xed\\xa0\\x80 \\xf5 \\xe1\\xbb"},
        {"\xc2\x9b"
         "2J \xe2\x80\xae"
         "abc",
         "\\xc2\\x9b2J \\xe2\\x80\\xae"
         "abc"},
    };
    struct rig rig;
    open_sim(&rig);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[1024], wanted[512];
        lines_show(rig.lines, cases[i].text);
        assert_true(read_panel_line(rig.panel_fd, text, sizeof text));
        (void)snprintf(wanted, sizeof wanted, " display %s\n", cases[i].shown);
        assert_non_null(strstr(text, wanted));
    }
    char huge[8000], text[4096];
    memset(huge, '\x01', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    lines_show(rig.lines, huge);
    assert_true(read_panel_line(rig.panel_fd, text, sizeof text));
    assert_non_null(strstr(text, "\\x01...\n"));
    close_rig(&rig);
}

static void the_panel_prints_changes_only(void **state)
{
    (void)state;
    struct rig rig;
    char text[256];
    open_sim(&rig);
    assert_int_equal(lines_set(rig.lines, LINE_RELAY, false), 0);
    assert_int_equal(lines_set(rig.lines, LINE_RELAY, true), 0);
    assert_int_equal(lines_set(rig.lines, LINE_RELAY, true), 0);
    assert_true(read_panel_line(rig.panel_fd, text, sizeof text));
    assert_int_equal(strncmp(text, "panel t_us=", 11), 0);
    assert_non_null(strstr(text, " relay on\n"));
    assert_false(read_panel_line(rig.panel_fd, text, sizeof text));
    close_rig(&rig);
}

static void a_recorded_file_is_played_to_its_end_and_then_silent(void **state)
{
    (void)state;
    char path[] = "/tmp/test_lines.XXXXXX", why[256] = "";
    struct lines_settings settings = {.consumer = "test"};
    struct rig rig = {.panel_fd = -1};
    struct line_edge edge;
    int file = mkstemp(path);
    assert_true(file >= 0);
    write_text(file, "press button\nrelease button"); /* the last line without its newline */
    (void)snprintf(settings.panel_input, sizeof settings.panel_input, "%s", path);
    assert_int_equal(lines_sim_open(&settings, STDERR_FILENO, &rig.lines, why, sizeof why), 0);
    assert_int_equal(next_edge(&rig, 0, &edge), 1);
    assert_true(edge.active);
    assert_int_equal(next_edge(&rig, 0, &edge), 1);
    assert_false(edge.active);
    assert_int_equal(next_edge(&rig, 0, &edge), 0);
    int fds[LINES_FDS_MAX];
    struct pollfd waiting = {.events = POLLIN};
    assert_int_equal(lines_fds(rig.lines, fds), 1);
    waiting.fd = fds[0];
    assert_int_equal(poll(&waiting, 1, 0), 0); /* no busy loop after the end */
    lines_close(rig.lines);
    assert_int_equal(close(file) | unlink(path), 0);
}

static void a_panel_without_input_or_with_a_bad_one_says_so(void **state)
{
    (void)state;
    char why[256] = "";
    int fds[LINES_FDS_MAX];
    struct lines *lines = NULL;
    struct lines_settings settings = {.consumer = "test"};
    assert_int_equal(lines_sim_open(&settings, STDERR_FILENO, &lines, why, sizeof why), 0);
    assert_int_equal(lines_fds(lines, fds), 0);
    lines_close(lines);
    (void)snprintf(settings.panel_input, sizeof settings.panel_input, "/nonexistent/panel");
    assert_int_equal(lines_sim_open(&settings, STDERR_FILENO, &lines, why, sizeof why), -ENOENT);
    assert_non_null(strstr(why, "panel_input '/nonexistent/panel': No such file"));
    (void)snprintf(settings.panel_input, sizeof settings.panel_input, "/tmp");
    assert_int_equal(lines_sim_open(&settings, STDERR_FILENO, &lines, why, sizeof why), -EISDIR);
    lines_close(NULL);
}

/* ---- each line on its own ---- */

static void one_output_is_seen_under_its_name(enum line_out line, const char *name)
{
    static const char *const states[] = {"off", "on"};
    struct rig rig;
    open_sim(&rig);
    for (int on = 1; on >= 0; on--) {
        char text[256], wanted[64];
        assert_int_equal(lines_set(rig.lines, line, on), 0);
        assert_true(read_panel_line(rig.panel_fd, text, sizeof text));
        (void)snprintf(wanted, sizeof wanted, " %s %s\n", name, states[on]);
        assert_non_null(strstr(text, wanted));
        assert_false(read_panel_line(rig.panel_fd, text, sizeof text));
    }
    close_rig(&rig);
}

static void the_relay_out_is_a_wire_of_its_own(void **state)
{
    (void)state;
    one_output_is_seen_under_its_name(LINE_RELAY_OUT, "relay_out");
    one_output_is_seen_under_its_name(LINE_RELAY, "relay");
}

/* Both words move it, `release` brings it back, a level it has already is said and gives no edge; no other input moves. */
static void one_input_follows_its_name(enum line_in line, const char *name)
{
    static const char *const verbs[] = {"activate", "press"}, *const already[] = {"active", "pressed"};
    struct rig rig;
    open_sim(&rig);
    for (int i = 0; i < 2; i++) {
        char text[256], said[64];
        struct line_edge edge;
        bool active = false;
        (void)snprintf(text, sizeof text, "%s %s\n%s %s\nrelease %s\n", verbs[i], name, verbs[i], name, name);
        write_text(rig.fifo_fd, text);
        assert_int_equal(next_edge(&rig, 1000, &edge), 1);
        assert_true(edge.line == line && edge.active);
        for (int other = 0; other < LINE_IN_COUNT; other++) {
            assert_int_equal(lines_get(rig.lines, (enum line_in)other, &active), 0);
            assert_int_equal(active, other == (int)line);
        }
        assert_int_equal(next_edge(&rig, 1000, &edge), 1);
        assert_true(edge.line == line && !edge.active);
        assert_int_equal(next_edge(&rig, 0, &edge), 0);
        assert_true(read_panel_line(rig.panel_fd, text, sizeof text));
        (void)snprintf(said, sizeof said, " error %s is already %s\n", name, already[i]);
        assert_non_null(strstr(text, said));
    }
    close_rig(&rig);
}

static void the_guards_key_is_an_input(void **state)
{
    (void)state;
    one_input_follows_its_name(LINE_GUARD, "guard");
}

static void the_service_switch_is_an_input(void **state)
{
    (void)state;
    one_input_follows_its_name(LINE_SERVICE, "service");
}

static void every_other_input_follows_its_name_too(void **state)
{
    (void)state;
    for (int line = 0; line < LINE_IN_COUNT; line++)
        one_input_follows_its_name((enum line_in)line, line_in_name((enum line_in)line));
}

/* What was so before the program began: told by lines_get() and by no edge. */
static void levels_at_start_are_there_without_an_edge(void **state)
{
    (void)state;
    char why[256] = "", text[1024], path[64];
    struct lines_settings settings = {.consumer = "test"};
    struct line_edge edge;
    int pipe_fds[2];
    struct rig rig = {.is_on = sim_is_on};
    (void)snprintf(path, sizeof path, "/tmp/test_lines.%ld.start", (long)getpid());
    (void)snprintf(settings.panel_input, sizeof settings.panel_input, "%s", path);
    assert_int_equal(mkfifo(path, 0600), 0);
    int fifo = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fifo >= 0);
    write_text(fifo, "initially fire\r\n\ninitially nonsense\ninitially guard\npress button\ninitially tamper\n");
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    rig.panel_fd = pipe_fds[0];
    assert_int_equal(lines_sim_open(&settings, pipe_fds[1], &rig.lines, why, sizeof why), 0);
    for (int line = 0; line < LINE_IN_COUNT; line++) {
        bool active = false;
        assert_int_equal(lines_get(rig.lines, (enum line_in)line, &active), 0);
        assert_int_equal(active, line == LINE_FIRE || line == LINE_GUARD);
    }
    assert_int_equal(next_edge(&rig, 1000, &edge), 1);
    assert_true(edge.line == LINE_BUTTON && edge.active);
    assert_int_equal(next_edge(&rig, 0, &edge), 0);
    bool tampered = true;
    assert_int_equal(lines_get(rig.lines, LINE_TAMPER, &tampered), 0);
    assert_false(tampered); /* too late to be initial */
    assert_true(read_panel_line(rig.panel_fd, text, sizeof text));
    assert_non_null(strstr(text, "unknown input 'initially nonsense'"));
    assert_true(read_panel_line(rig.panel_fd, text, sizeof text));
    assert_non_null(strstr(text, "unknown input 'initially tamper'"));
    write_text(fifo, "release fire\n");
    assert_int_equal(next_edge(&rig, 1000, &edge), 1);
    assert_true(edge.line == LINE_FIRE && !edge.active);
    lines_close(rig.lines);
    assert_int_equal(close(fifo) | close(pipe_fds[0]) | close(pipe_fds[1]) | unlink(path), 0);
}

static void the_panels_fifo_is_private(void **state)
{
    (void)state;
    struct rig rig;
    struct stat status;
    open_sim(&rig);
    assert_int_equal(stat(rig.fifo, &status), 0);
    assert_true(S_ISFIFO(status.st_mode));
    assert_int_equal(status.st_mode & 077, 0);
    close_rig(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_split_into_chip_and_offset),
        cmocka_unit_test(every_line_has_a_name_of_its_own),
        cmocka_unit_test(a_wall_clock_stamp_of_an_old_kernel_becomes_the_time_of_reading),
        cmocka_unit_test(a_line_is_found_only_where_it_is_the_only_one),
        cmocka_unit_test(a_refusal_names_the_wire_and_the_remedy),
        cmocka_unit_test(the_simulated_panel_keeps_the_contract),
        cmocka_unit_test(nothing_said_to_the_panel_is_lost),
        cmocka_unit_test(the_panel_shows_text_but_no_controls),
        cmocka_unit_test(the_panel_prints_changes_only),
        cmocka_unit_test(a_recorded_file_is_played_to_its_end_and_then_silent),
        cmocka_unit_test(a_panel_without_input_or_with_a_bad_one_says_so),
        cmocka_unit_test(the_relay_out_is_a_wire_of_its_own),
        cmocka_unit_test(the_guards_key_is_an_input),
        cmocka_unit_test(the_service_switch_is_an_input),
        cmocka_unit_test(every_other_input_follows_its_name_too),
        cmocka_unit_test(levels_at_start_are_there_without_an_edge),
        cmocka_unit_test(the_panels_fifo_is_private),
    };
    /* Where the lab gives a simulated chip, the real driver is held to the same contract. */
    const struct CMUnitTest on_a_chip[] = {
        cmocka_unit_test(real_gpio_keeps_the_contract),
        cmocka_unit_test(real_gpio_refuses_what_it_must),
        cmocka_unit_test(real_gpio_names_the_holder_of_a_busy_line),
    };
    int failed = cmocka_run_group_tests_name("lines", tests, NULL, NULL);
    if (getenv("QRG_TEST_GPIO"))
        failed += cmocka_run_group_tests_name("lines_gpio", on_a_chip, NULL, NULL);
    return failed;
}
