/* qrgatectl look: the lane's own vision on pictures, for people who wonder why a card isn't read. */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "daemon/credential/utf8.h"
#include "daemon/ctl/ctl.h"
#include "daemon/ctl/annotation.h"
#include "daemon/settings/settings.h"
#include "hw/camera.h"
#include "hw/picture.h"

enum { LABEL_COLUMNS = 11 };
enum { JSON, LOOKS, ANNOTATE };
static const struct ctl_option OPTIONS[] = {
    [JSON] = { "json", NULL, false, "one JSON object a file, on a line of its own" },
    [LOOKS] = { "looks", "N", false, "at most N different looks at each picture, 1 to 8 (default 8)" },
    [ANNOTATE] = { "annotate", "DIR", false, "write FILE.look.png into DIR: the picture with what was found drawn in" },
    { NULL, NULL, false, NULL },
};
_Static_assert(READER_LOOKS == 8, "the help of --looks");

struct look {
    struct ctl *ctl;
    int looks;
    uint8_t *luma; /* CAMERA_SIDE_MAX_PX squared */
    struct picture_loader *loader;
    struct decoder *decoders[READER_DECODERS_MAX];
    struct reader *reader; /* for pictures up to width_px x height_px */
    int width_px, height_px;
    int files_read;
    const char *file; /* this one's name, and what was seen in it */
    struct decoder_picture picture;
    struct reader_result result;
};

static int64_t work_us(void *userdata)
{
    struct timespec now;
    (void)userdata;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now); /* as the eye's; can't fail with this clock */
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t total_us(const struct reader_result *result)
{
    int64_t sum = 0;
    for (int i = 0; i < READER_STAGE_COUNT; i++)
        sum += result->stage_us[i];
    return sum;
}

/* ---- as JSON ----------------------------------------------------------------------------------------------------- */

static void add(struct json_object *object, const char *key, struct json_object *value)
{
    (void)json_object_object_add(object, key, value); /* fails only without memory; the line then lacks a member */
}

static struct json_object *points(const int x[4], const int y[4])
{
    struct json_object *list = json_object_new_array();
    for (int i = 0; i < 4; i++) {
        struct json_object *point = json_object_new_array();
        (void)json_object_array_add(point, json_object_new_int(x[i])); /* as with add() */
        (void)json_object_array_add(point, json_object_new_int(y[i]));
        (void)json_object_array_add(list, point);
    }
    return list;
}

/* Bytes of the character at the beginning; 0: none that may stand on a screen as it is. */
static size_t character_bytes(const uint8_t *bytes, size_t length_bytes)
{
    const size_t size = bytes[0] < 0x80 ? 1 : bytes[0] < 0xe0 ? 2 : bytes[0] < 0xf0 ? 3 : 4;
    return size <= length_bytes && utf8_plain(bytes, size) ? size : 0;
}

/* Of characters that can't lie on a screen, and the controls below 0x20, which JSON escapes. */
static bool is_text(const uint8_t *bytes, size_t length_bytes)
{
    size_t at = 0, size = 1;
    while (at < length_bytes && size > 0) {
        size = bytes[at] < 0x20 ? 1 : character_bytes(bytes + at, length_bytes - at);
        at += size;
    }
    return size > 0;
}

/* "payload" is null where the bytes are no text; "payload_hex" is always all of them. */
static struct json_object *code_object(const struct reader_code *code)
{
    char hex[2 * DECODER_PAYLOAD_MAX_BYTES + 1];
    struct json_object *object = json_object_new_object();
    const struct decoder_code *raw = &code->code;
    add(object, "payload", is_text(raw->bytes, raw->length_bytes)
                               ? json_object_new_string_len((const char *)raw->bytes, (int)raw->length_bytes)
                               : NULL);
    add(object, "payload_hex", json_object_new_string(sodium_bin2hex(hex, sizeof(hex), raw->bytes, raw->length_bytes)));
    add(object, "corners", points(raw->corner_x, raw->corner_y));
    add(object, "look", json_object_new_int(code->look + 1));
    add(object, "how", json_object_new_string(code->how));
    return object;
}

static struct json_object *file_object(const struct look *look)
{
    char name[ANNOTATION_PATH_BYTES];
    struct json_object *object = json_object_new_object();
    const bool plain = utf8_valid((const uint8_t *)look->file, strlen(look->file));
    add(object, "file", json_object_new_string(plain ? look->file : printable(look->file, name, sizeof(name))));
    return object;
}

static void put_line(struct json_object *object)
{
    const char *text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
    (void)printf("%s\n", text ? text : "{}"); /* main() asks whether all could be written */
    (void)json_object_put(object);
}

static void print_json(const struct look *look)
{
    const struct reader_result *result = &look->result;
    struct json_object *object = file_object(look), *codes = json_object_new_array();
    struct json_object *stages = json_object_new_object();
    add(object, "width_px", json_object_new_int(look->picture.width_px));
    add(object, "height_px", json_object_new_int(look->picture.height_px));
    add(object, "read", json_object_new_boolean(result->codes_count > 0));
    for (int i = 0; i < result->codes_count; i++)
        (void)json_object_array_add(codes, code_object(&result->codes[i])); /* as with add() */
    add(object, "codes", codes);
    add(object, "hint", json_object_new_string(reader_hint_name(result->hint)));
    add(object, "region", result->has_region ? points(result->region_x, result->region_y) : NULL);
    for (int i = 0; i < READER_STAGE_COUNT; i++)
        add(stages, reader_stage_name((enum reader_stage)i), json_object_new_int64(result->stage_us[i]));
    add(object, "stage_us", stages);
    add(object, "total_us", json_object_new_int64(total_us(result)));
    put_line(object);
}

/* ---- as text ----------------------------------------------------------------------------------------------------- */

/* Every byte can be told from it, and none can do anything to a terminal: text as it is, \\, \n, \r, \t, else \xNN. */
static void print_payload(const uint8_t *bytes, size_t length_bytes)
{
    static const char named[] = "\\\\\nn\rr\tt"; /* in pairs */
    for (size_t at = 0; at < length_bytes;) {
        const char *pair = bytes[at] != '\0' ? strchr(named, bytes[at]) : NULL;
        const size_t size = character_bytes(bytes + at, length_bytes - at);
        if (pair && (pair - named) % 2 == 0)
            (void)printf("\\%c", pair[1]);
        else if (size > 0)
            (void)fwrite(bytes + at, 1, size, stdout); /* main() asks whether all could be written */
        else
            (void)printf("\\x%02x", bytes[at]);
        at += size > 0 ? size : 1;
    }
    (void)fputc('\n', stdout);
}

static void print_label(const struct lang *lang, const char *key)
{
    char padded[64];
    (void)printf("  %s  ", lang_pad(padded, sizeof(padded), say(lang, key), LABEL_COLUMNS));
}

static void print_points(const struct lang *lang, const char *label, const int x[4], const int y[4])
{
    char padded[64];
    (void)printf("  %s", lang_pad(padded, sizeof(padded), say(lang, label), LABEL_COLUMNS));
    for (int i = 0; i < 4; i++)
        (void)printf("  %d,%d", x[i], y[i]);
    (void)fputc('\n', stdout);
}

static void print_codes(const struct lang *lang, const struct reader_result *result)
{
    for (int i = 0; i < result->codes_count; i++) {
        const struct reader_code *code = &result->codes[i];
        char how[64];
        print_label(lang, "look.payload");
        print_payload(code->code.bytes, code->code.length_bytes);
        print_points(lang, "look.corners", code->code.corner_x, code->code.corner_y);
        print_label(lang, "look.read_by");
        lang_print(stdout, lang, "look.how", "look", LANG_N(code->look + 1), "how", lang_told(lang, how, sizeof(how), code->how),
                   NULL);
    }
}

static void print_text(const struct look *look)
{
    char name[ANNOTATION_PATH_BYTES];
    const struct reader_result *result = &look->result;
    const struct lang *lang = look->ctl->lang;
    const char *hint = reader_hint_name(result->hint != READER_HINT_NONE ? result->hint : READER_HINT_UNREADABLE);
    (void)printf("%s: %d x %d px, ", printable(look->file, name, sizeof(name)), look->picture.width_px,
                 look->picture.height_px);
    if (result->codes_count > 0)
        (void)puts(say(lang, result->codes_count == 1 ? "look.read" : "look.several"));
    else if (result->hint != READER_HINT_NONE || result->has_region)
        lang_print(stdout, lang, "look.not_read", "hint", say_word(lang, "hint", hint), NULL);
    else
        (void)puts(say(lang, "look.nothing"));
    print_codes(lang, result);
    if (result->codes_count == 0 && result->has_region)
        print_points(lang, "look.seen_at", result->region_x, result->region_y);
    if (result->codes_count == 0) {
        print_label(lang, "look.what_to_do");
        (void)puts(say_word(lang, "hint_remedy", reader_hint_name(result->hint)));
    }
    print_label(lang, "look.time");
    (void)printf("%.2f ms:", (double)total_us(result) / 1000);
    for (int i = 0; i < READER_STAGE_COUNT; i++)
        (void)printf("%s %s %.2f", i > 0 ? "," : "", say_word(lang, "stage", reader_stage_name((enum reader_stage)i)),
                     (double)result->stage_us[i] / 1000);
    (void)fputc('\n', stdout);
}

/* ---- one file ---------------------------------------------------------------------------------------------------- */

/* In English for JSON, which is the same in every language; lang_told() has it for people. */
static void say_unreadable(const struct look *look, int error)
{
    char name[ANNOTATION_PATH_BYTES], why[160] = "no PNG, JPEG or PGM (P5) picture, or a broken one; save it as PNG";
    struct stat status;
    if (error == -E2BIG)
        (void)snprintf(why, sizeof(why), "larger than %d px on a side, or a file of %d MB and more; make it smaller",
                       CAMERA_SIDE_MAX_PX, PICTURE_FILE_MAX_BYTES / 1024 / 1024);
    else if (stat(look->file, &status) == 0 && S_ISDIR(status.st_mode))
        (void)snprintf(why, sizeof(why), "a folder; name the pictures in it");
    else if (error != -EBADMSG)
        (void)snprintf(why, sizeof(why), "%s; give the name of a picture that you may read", strerror(-error));
    (void)ctl_complain(look->ctl, CTL_FAILED, "look.unreadable", "file", printable(look->file, name, sizeof(name)),
                       "why", why, NULL);
    if (look->ctl->values[JSON]) {
        struct json_object *object = file_object(look);
        add(object, "read", json_object_new_boolean(false));
        add(object, "error", json_object_new_string(why));
        put_line(object);
    }
}

/* The reader is made for the largest picture so far. */
static int fit_reader(struct look *look, int width_px, int height_px)
{
    if (look->reader && width_px <= look->width_px && height_px <= look->height_px)
        return 0;
    reader_free(look->reader);
    look->reader = NULL;
    look->width_px = width_px > look->width_px ? width_px : look->width_px;
    look->height_px = height_px > look->height_px ? height_px : look->height_px;
    struct reader_settings settings = { .width_max_px = look->width_px,
                                        .height_max_px = look->height_px,
                                        .clock_us = work_us };
    memcpy(settings.decoders, look->decoders, sizeof(settings.decoders));
    return reader_new(&settings, &look->reader);
}

static bool was_before(const struct look *look, int number)
{
    for (int i = 0; i < number; i++)
        if (strcmp(annotation_base_name(look->ctl->operands[i]), annotation_base_name(look->file)) == 0)
            return true;
    return false;
}

static enum ctl_exit annotate(const struct look *look, int number)
{
    char path[ANNOTATION_PATH_BYTES];
    const char *folder = look->ctl->values[ANNOTATE];
    if (was_before(look, number))
        return ctl_complain(look->ctl, CTL_FAILED, "look.drawn_already", "file", look->file, NULL);
    const int error = annotation_draw(folder, look->file, &look->picture, &look->result, path);
    if (error != 0)
        return ctl_complain(look->ctl, CTL_FAILED, "look.not_drawn", "file", path, "why", strerror(-error), NULL);
    return CTL_OK;
}

/* A file that is no picture is no reason to end; anything else is. */
static enum ctl_exit look_at(struct look *look, int number)
{
    int width = 0, height = 0;
    look->file = look->ctl->operands[number];
    int error = picture_load(look->loader, AT_FDCWD, look->file, look->luma,
                             (size_t)CAMERA_SIDE_MAX_PX * CAMERA_SIDE_MAX_PX, &width, &height);
    if (error != 0) {
        say_unreadable(look, error);
        return CTL_OK;
    }
    look->picture = (struct decoder_picture){ look->luma, width, height, width, false };
    look->result = (struct reader_result){ 0 };
    error = fit_reader(look, width, height);
    if (error == 0)
        error = reader_picture(look->reader, &look->picture, look->looks, &look->result);
    if (error != 0)
        return ctl_complain(look->ctl, CTL_FAILED, "look.gave_up", "file", look->file, "why", strerror(-error), NULL);
    look->files_read += look->result.codes_count > 0;
    if (look->ctl->values[JSON])
        print_json(look);
    else
        print_text(look);
    return look->ctl->values[ANNOTATE] ? annotate(look, number) : CTL_OK;
}

/* ---- all --------------------------------------------------------------------------------------------------------- */

static enum ctl_exit check_options(struct look *look)
{
    const char *looks = look->ctl->values[LOOKS], *folder = look->ctl->values[ANNOTATE];
    char word[80];
    struct stat status;
    look->looks = READER_LOOKS;
    if (looks) {
        if (strlen(looks) != 1 || looks[0] < '1' || looks[0] > '0' + READER_LOOKS)
            return ctl_complain(look->ctl, CTL_USAGE, "look.looks", "value", printable(looks, word, sizeof(word)),
                                "most", LANG_N(READER_LOOKS), NULL);
        look->looks = looks[0] - '0';
    }
    if (folder && (stat(folder, &status) < 0 || !S_ISDIR(status.st_mode)))
        return ctl_complain(look->ctl, CTL_USAGE, "look.no_folder", "value", printable(folder, word, sizeof(word)), NULL);
    return CTL_OK;
}

/* The decoders of --config, else the usual one. */
static enum ctl_exit make_decoders(struct look *look)
{
    struct settings settings;
    struct eye_decoders wanted = { .count = 1, .kinds = { DECODER_ZBAR } };
    if (look->ctl->config) {
        if (settings_load(look->ctl->config, &settings, stderr) != 0)
            return ctl_complain(look->ctl, CTL_FAILED, "look.config_bad", "file", look->ctl->config, NULL);
        wanted = settings.eye.decoders;
    }
    for (int i = 0; i < wanted.count && i < READER_DECODERS_MAX; i++) {
        look->decoders[i] = decoder_new(wanted.kinds[i]);
        if (!look->decoders[i])
            return ctl_complain(look->ctl, CTL_FAILED, "look.no_decoder", "decoder", decoder_name(wanted.kinds[i]), NULL);
    }
    return CTL_OK;
}

static void clean_up(struct look *look)
{
    reader_free(look->reader);
    for (int i = 0; i < READER_DECODERS_MAX; i++)
        decoder_free(look->decoders[i]);
    picture_loader_free(look->loader);
    free(look->luma);
}

static enum ctl_exit run_look(struct ctl *ctl)
{
    struct look look = { .ctl = ctl };
    enum ctl_exit result = check_options(&look);
    if (result == CTL_OK)
        result = make_decoders(&look);
    if (result == CTL_OK) {
        look.luma = malloc((size_t)CAMERA_SIDE_MAX_PX * CAMERA_SIDE_MAX_PX);
        look.loader = picture_loader_new();
        if (!look.luma || !look.loader)
            result = ctl_complain(ctl, CTL_FAILED, "words.no_memory", NULL);
    }
    for (int i = 0; result == CTL_OK && i < ctl->operands_count; i++)
        result = look_at(&look, i);
    if (result == CTL_OK && look.files_read == 0)
        result = CTL_FAILED;
    clean_up(&look);
    return result;
}

const struct ctl_command CTL_LOOK = {
    .name = "look",
    .operand = "FILE...",
    .summary = "Read codes in pictures (PNG, JPEG, PGM) as the lane's camera would, and say why not",
    .details = "Pictures may have 4096 px on a side. The decoders are those of --config where it is given, else ZBar.\n"
               "Exit status 0: a code was read in at least one of them.\n",
    .options = OPTIONS,
    .run = run_look,
};
