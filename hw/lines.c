/* Dispatch to the driver behind struct lines, the lines' names, and the finding of wires that both GPIO drivers share.
 * Called by main.c and hw/lines_*.c, in the main thread. */
#include "hw/lines_wiring.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- dispatch ---------------------------------------------------------------------------------------------------- */

int lines_set(struct lines *lines, enum line_out line, bool active)
{
    return (unsigned)line < LINE_OUT_COUNT ? lines->ops->set(lines, line, active) : -EINVAL;
}

int lines_get(struct lines *lines, enum line_in line, bool *ret_active)
{
    return (unsigned)line < LINE_IN_COUNT ? lines->ops->get(lines, line, ret_active) : -EINVAL;
}

int lines_fds(struct lines *lines, int ret_fds[LINES_FDS_MAX])
{
    return lines->ops->fds(lines, ret_fds);
}

int lines_read_edge(struct lines *lines, int fd, struct line_edge *ret_edge)
{
    return lines->ops->read_edge(lines, fd, ret_edge);
}

void lines_show(struct lines *lines, const char *text)
{
    if (lines->ops->show)
        lines->ops->show(lines, text);
}

const char *lines_describe(const struct lines *lines)
{
    return lines->description;
}

void lines_close(struct lines *lines)
{
    if (lines)
        lines->ops->close(lines);
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

static const char *const role_names[LINES_WIRED_MAX] = {
    [LINE_RELAY] = "relay",
    [LINE_RELAY_OUT] = "relay_out",
    [LINE_BUZZER] = "buzzer",
    [LINE_LAMP_GREEN] = "lamp_green",
    [LINE_LAMP_AMBER] = "lamp_amber",
    [LINE_LAMP_RED] = "lamp_red",
    [LINE_OUT_COUNT + LINE_BUTTON] = "button",
    [LINE_OUT_COUNT + LINE_ROTATION] = "rotation",
    [LINE_OUT_COUNT + LINE_FIRE] = "fire",
    [LINE_OUT_COUNT + LINE_TAMPER] = "tamper",
    [LINE_OUT_COUNT + LINE_GUARD] = "guard",
    [LINE_OUT_COUNT + LINE_SERVICE] = "service",
};

const char *line_role(size_t wired)
{
    return wired < LINES_WIRED_MAX ? role_names[wired] : "?";
}

const char *line_out_name(enum line_out line)
{
    return (unsigned)line < LINE_OUT_COUNT ? role_names[line] : "?";
}

const char *line_in_name(enum line_in line)
{
    return (unsigned)line < LINE_IN_COUNT ? role_names[LINE_OUT_COUNT + line] : "?";
}

int line_name_parse(const char *text, struct line_name *ret)
{
    *ret = (struct line_name){.form = LINE_UNWIRED};
    size_t length = strlen(text);
    if (length == 0)
        return 0;
    if (length >= sizeof ret->text)
        return -EINVAL;

    const char *colon = strrchr(text, ':');
    if (!colon || colon[1] == '\0' || strspn(colon + 1, "0123456789") != strlen(colon + 1)) {
        ret->form = LINE_BY_NAME;
        memcpy(ret->text, text, length + 1);
        return 0;
    }
    size_t chip_length = (size_t)(colon - text);
    errno = 0;
    unsigned long offset = strtoul(colon + 1, NULL, 10);
    if (chip_length == 0 || errno || offset > 65535)
        return -EINVAL;
    ret->form = LINE_BY_OFFSET;
    memcpy(ret->text, text, chip_length);
    ret->text[chip_length] = '\0';
    ret->offset = (unsigned)offset;
    return 0;
}

/* ---- finding ----------------------------------------------------------------------------------------------------- */

struct search {
    const struct line_chip_ops *chips;
    const struct line_name *wanted;
    char chip_name[LINE_CHIP_BYTES]; /* `wanted` by offset: the name a link of that name in the folder leads to */
    struct line_place found[2]; /* the second one only to name it in the refusal */
    int matches, chips_seen;
    char closed_path[LINE_CHIP_BYTES]; /* a chip we were not allowed to open */
    unsigned too_short_lines; /* the chip is there, the offset is not: how many lines it has */
    bool too_short;
};

static void note_place(struct search *search, const char *path, const struct line_chip *chip, unsigned offset)
{
    if (search->matches < 2) {
        struct line_place *place = &search->found[search->matches];
        (void)snprintf(place->path, sizeof place->path, "%s", path);
        (void)snprintf(place->chip, sizeof place->chip, "%s", chip->name);
        (void)snprintf(place->label, sizeof place->label, "%s", chip->label);
        place->offset = offset;
    }
    search->matches++;
}

static void search_chip(struct search *search, const char *path, const struct line_chip *chip)
{
    const struct line_name *wanted = search->wanted;
    if (wanted->form == LINE_BY_NAME) {
        for (unsigned offset = 0; offset < chip->lines; offset++)
            if (search->chips->line_is_named(chip, offset, wanted->text))
                note_place(search, path, chip, offset);
    } else if (strcmp(chip->label, wanted->text) == 0 || strcmp(chip->name, search->chip_name) == 0) {
        if (wanted->offset < chip->lines) {
            note_place(search, path, chip, wanted->offset);
        } else {
            search->too_short = true;
            search->too_short_lines = chip->lines;
        }
    }
}

/* Raspberry Pi OS keeps old chip names as links (gpiochip4 -> gpiochip0); a link is a second name, not a second chip.
 */
static void follow_link(struct search *search, const char *folder)
{
    char path[LINE_NAME_BYTES + LINE_CHIP_BYTES];
    (void)snprintf(search->chip_name, sizeof search->chip_name, "%s", search->wanted->text);
    if (strncmp(search->wanted->text, "gpiochip", 8) != 0 || strchr(search->wanted->text, '/') != NULL)
        return;
    (void)snprintf(path, sizeof path, "%s/%s", folder, search->wanted->text);
    char *real = realpath(path, NULL);
    if (!real)
        return;
    const char *base = strrchr(real, '/');
    (void)snprintf(search->chip_name, sizeof search->chip_name, "%s", base ? base + 1 : real);
    free(real);
}

static int search_folder(struct search *search, const char *folder)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return -errno;
    follow_link(search, folder);
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        char path[LINE_CHIP_BYTES];
        struct line_chip chip;
        if (strncmp(entry->d_name, "gpiochip", 8) != 0 || entry->d_type == DT_LNK)
            continue;
        int length = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (length < 0 || (size_t)length >= sizeof path)
            continue;
        search->chips_seen++;
        int error = search->chips->open(path, &chip);
        if (error == -EACCES || error == -EPERM)
            memcpy(search->closed_path, path, sizeof path);
        if (error < 0)
            continue; /* unplugged meanwhile, or not a chip */
        search_chip(search, path, &chip);
        search->chips->close(&chip);
    }
    (void)closedir(dir);
    return 0;
}

static int explain_missing(const struct search *search, const char *folder, const char *name, char *why,
                           size_t why_bytes)
{
    const struct line_name *wanted = search->wanted;
    if (search->closed_path[0]) {
        (void)snprintf(why, why_bytes,
                       "line '%s': no permission to open %s; add the user to the group that owns it (gpio)", name,
                       search->closed_path);
        return -EACCES;
    }
    if (search->too_short)
        (void)snprintf(why, why_bytes, "line '%s': chip '%s' has only %u lines, 0 to %u", name, wanted->text,
                       search->too_short_lines, search->too_short_lines ? search->too_short_lines - 1 : 0);
    else if (search->chips_seen == 0)
        (void)snprintf(why, why_bytes, "line '%s': there is no GPIO chip (%s/gpiochip*); is its driver loaded?", name,
                       folder);
    else if (wanted->form == LINE_BY_OFFSET)
        (void)snprintf(why, why_bytes, "line '%s': no GPIO chip has the label or name '%s'; gpiodetect lists them",
                       name, wanted->text);
    else
        (void)snprintf(why, why_bytes,
                       "line '%s': no GPIO line bears this name; gpioinfo lists them, CHIP:OFFSET works too", name);
    return -ENOENT;
}

int line_find(const struct line_chip_ops *chips, const char *folder, const char *line_name,
              struct line_place *ret_place, char *why, size_t why_bytes)
{
    struct line_name wanted;
    if (line_name_parse(line_name, &wanted) < 0 || wanted.form == LINE_UNWIRED) {
        (void)snprintf(why, why_bytes, "line '%s' is neither a line's name (GPIO17) nor CHIP:OFFSET (gpiochip0:17)",
                       line_name);
        return -EINVAL;
    }
    struct search search = {.chips = chips, .wanted = &wanted};
    int error = search_folder(&search, folder);
    if (error < 0) {
        (void)snprintf(why, why_bytes, "line '%s': cannot list %s: %s", line_name, folder, strerror(-error));
        return error;
    }
    if (search.matches == 0)
        return explain_missing(&search, folder, line_name, why, why_bytes);
    if (search.matches > 1) {
        (void)snprintf(why, why_bytes, "line '%s' is ambiguous: %s:%u (%s) and %s:%u (%s); write CHIP:OFFSET",
                       line_name, search.found[0].chip, search.found[0].offset, search.found[0].label,
                       search.found[1].chip, search.found[1].offset, search.found[1].label);
        return -ENOTUNIQ;
    }
    if (wanted.form == LINE_BY_NAME && search.closed_path[0]) {
        /* The chip we may not open could bear the name as well: driving the wrong wire is worse than not starting. */
        (void)snprintf(why, why_bytes,
                       "line '%s': is on %s:%u, but %s may not be opened to see that it is the only one; "
                       "give the user its group, or write %s:%u",
                       line_name, search.found[0].chip, search.found[0].offset, search.closed_path,
                       search.found[0].chip, search.found[0].offset);
        return -EACCES;
    }
    *ret_place = search.found[0];
    return 0;
}

static const struct line_settings *setting_of(const struct lines_settings *settings, size_t wired)
{
    return wired < LINE_OUT_COUNT ? &settings->out[wired] : &settings->in[wired - LINE_OUT_COUNT];
}

int lines_find_all(const struct line_chip_ops *chips, const struct lines_settings *settings,
                   struct line_place ret_places[LINES_WIRED_MAX], char *description, size_t description_bytes,
                   char *why, size_t why_bytes)
{
    size_t used = 0;
    description[0] = '\0';
    for (size_t i = 0; i < LINES_WIRED_MAX; i++) {
        const char *name = setting_of(settings, i)->name;
        struct line_place *place = &ret_places[i];
        *place = (struct line_place){.path = ""};
        if (name[0] == '\0')
            continue;
        int error = line_find(chips, "/dev", name, place, why, why_bytes);
        if (error < 0)
            return error;
        for (size_t j = 0; j < i; j++) {
            if (strcmp(ret_places[j].path, place->path) != 0 || ret_places[j].offset != place->offset)
                continue;
            (void)snprintf(why, why_bytes, "%s and %s are the same wire, %s:%u; give each its own line", line_role(j),
                           line_role(i), place->chip, place->offset);
            return -EINVAL;
        }
        int length = snprintf(description + used, description_bytes - used, "%s%s=%s@%s:%u", used ? " " : "",
                              line_role(i), name, place->chip, place->offset);
        if (length > 0 && (size_t)length < description_bytes - used)
            used += (size_t)length;
        else
            description[used] = '\0'; /* for the log only: leave out what doesn't fit */
    }
    return 0;
}

void line_refused(int error, const char *role, const char *name, const struct line_place *place, const char *consumer,
                  char *why, size_t why_bytes)
{
    if (error == -EBUSY)
        (void)snprintf(why, why_bytes, "%s: line '%s' (%s:%u) is held by '%s'; stop that, or choose another line", role,
                       name, place->chip, place->offset, consumer && consumer[0] ? consumer : "the kernel");
    else if (error == -EACCES || error == -EPERM)
        (void)snprintf(why, why_bytes,
                       "%s: no permission to use line '%s' on %s; add the user to the group that owns it (gpio)", role,
                       name, place->path);
    else
        (void)snprintf(why, why_bytes,
                       "%s: line '%s' (%s:%u) cannot be used: %s; can the chip do this direction and bias?", role, name,
                       place->chip, place->offset, strerror(-error));
}

/* ---- edges ------------------------------------------------------------------------------------------------------- */

int line_untold_edge(struct lines *lines, enum line_in line, bool *told, struct line_edge *ret_edge)
{
    bool active = false;
    const int error = lines_get(lines, line, &active);
    if (error < 0)
        return error;
    if (active == *told)
        return 0;
    *told = active;
    *ret_edge = (struct line_edge){.line = line, .active = active, .at_us = lines_now_us()};
    return 1;
}

/* ---- time -------------------------------------------------------------------------------------------------------- */

int64_t lines_now_us(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now) < 0)
        return 0; /* cannot happen: the clock always exists */
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t line_stamp_us(uint64_t kernel_ns, int64_t now_us)
{
    enum { TOLERANCE_US = 1000 };
    int64_t stamp_us = (int64_t)(kernel_ns / 1000);
    return stamp_us > now_us + TOLERANCE_US ? now_us : stamp_us;
}
