/* A reload: which keys change while people pass and which need a restart, in which words; and that it is all or nothing. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "daemon/credential/rotating.h"
#include "daemon/settings/key_file.h"
#include "daemon/settings/keys.h"
#include "daemon/settings/settings.h"
#include "daemon/settings/site_key.h"

enum { TEXT_MAX = 4096 };

struct fixture {
    char folder[64];
    struct settings old, fresh;
    char *said, text[TEXT_MAX];
};

static FILE *listen_to(struct fixture *f, size_t *said_bytes)
{
    free(f->said);
    f->said = NULL;
    FILE *errors = open_memstream(&f->said, said_bytes);
    assert_non_null(errors);
    return errors;
}

static void add(struct fixture *f, const char *text)
{
    size_t used = strlen(f->text);
    (void)snprintf(f->text + used, sizeof f->text - used, "%s", text);
}

/* What each file has, and what stands in a group of it. */
static void add_usual(struct fixture *f, const char *group)
{
    char text[128];
    if (strcmp(group, "lines") == 0)
        (void)snprintf(text, sizeof text, "driver = \"sim\"; ");
    else if (strcmp(group, "journal") == 0)
        (void)snprintf(text, sizeof text, "site_key_file = \"%s/site.key\"; ", f->folder);
    else if (strcmp(group, "trust") == 0)
        (void)snprintf(text, sizeof text, "folder = \"%s\"; ", f->folder);
    else
        text[0] = '\0';
    add(f, text);
}

/* A whole file with the one key; value NULL: without it, or as it usually is. `beside` stands in the key's own group. */
static void write_file(struct fixture *f, const char *path, const char *value, const char *beside)
{
    static const struct {
        const char *path, *text;
    } usual[] = {{"site", "site = \"s\"; "}, {"lane", "lane = \"lane1\"; "}, {"direction", "direction = \"in\"; "}};
    static const char *const groups[] = {"lines", "journal", "trust"};
    char names[128], *name = names, *dot;
    int depth = 0;
    f->text[0] = '\0';
    (void)snprintf(names, sizeof names, "%s", path);
    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++)
        if (strcmp(path, usual[i].path) != 0 || (value == NULL && strcmp(path, "direction") != 0))
            add(f, usual[i].text);
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        size_t length = strlen(groups[i]);
        if (strncmp(path, groups[i], length) == 0 && path[length] == '.')
            continue;
        add(f, groups[i]);
        add(f, " = { ");
        add_usual(f, groups[i]);
        add(f, "}; ");
    }
    for (; (dot = strchr(name, '.')) != NULL; name = dot + 1, depth++) {
        *dot = '\0';
        add(f, name);
        add(f, " = { ");
        bool is_usual = strcmp(path, "lines.driver") == 0 || strcmp(path, "trust.folder") == 0;
        if (depth == 0 && (value == NULL || !is_usual))
            add_usual(f, name);
    }
    add(f, beside);
    if (value != NULL) {
        add(f, name);
        add(f, " = ");
        add(f, value);
        add(f, "; ");
    }
    for (; depth > 0; depth--)
        add(f, "}; ");
    assert_in_range(strlen(f->text), 1, sizeof f->text - 2);
}

static void read_into(struct fixture *f, struct settings *ret)
{
    size_t said_bytes = 0;
    FILE *errors = listen_to(f, &said_bytes);
    int r = settings_read("test.conf", f->text, strlen(f->text), ret, errors);
    assert_int_equal(fclose(errors), 0);
    if (r != 0)
        fail_msg("%s\n%s", f->text, f->said);
}

static void load_old_keys(struct fixture *f)
{
    size_t said_bytes = 0;
    settings_free_keys(&f->old);
    FILE *errors = listen_to(f, &said_bytes);
    assert_int_equal(settings_load_keys(&f->old, true, errors), 0);
    assert_int_equal(fclose(errors), 0);
}

/* As main does it. */
static int reload(struct fixture *f)
{
    size_t said_bytes = 0;
    FILE *errors = listen_to(f, &said_bytes);
    int r = settings_load_keys(&f->fresh, false, errors);
    if (r == 0)
        r = settings_reload(&f->old, &f->fresh, errors);
    assert_int_equal(fclose(errors), 0);
    return r;
}

static void path_in(const struct fixture *f, const char *name, char ret_path[128])
{
    (void)snprintf(ret_path, 128, "%s/%s", f->folder, name);
}

static int setup(void **state)
{
    struct fixture *f = *state = calloc(1, sizeof *f);
    if (f == NULL)
        return 1;
    (void)snprintf(f->folder, sizeof f->folder, "/tmp/qrgate-reload-XXXXXX");
    return mkdtemp(f->folder) == NULL;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"site.key", "other.key", "k.pub", "more/k.pub"};
    char path[128];
    settings_free_keys(&f->old);
    settings_free_keys(&f->fresh);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        path_in(f, names[i], path);
        (void)unlink(path); /* not every test makes them */
    }
    path_in(f, "more", path);
    (void)rmdir(path);
    int r = rmdir(f->folder);
    free(f->said);
    free(f);
    return r;
}

/* ---- every key: its class ----------------------------------------------------------------------------------------------- */

/* said: NULL for a live key; otherwise what is said before " needs a restart". The value isn't the usual one. */
struct class {
    const char *path, *value, *said, *beside;
};
#define LIVE(path, value) {path, value, NULL, ""}
#define LIVE_BESIDE(path, value, beside) {path, value, NULL, beside}
#define RESTART(path, value, was) RESTART_BESIDE(path, value, was, "")
#define RESTART_BESIDE(path, value, was, beside) {path, value, "from " was " to " value, beside}
#define OUT(name) RESTART("lines." name ".line", "\"sim\"", "\"\""), RESTART("lines." name ".active_low", "true", "false")
#define IN(name, was_low, low, was_bias)                                                                               \
    RESTART("lines." name ".line", "\"sim\"", "\"\""), RESTART("lines." name ".bias", "\"pull-down\"", was_bias),    \
        RESTART("lines." name ".active_low", low, was_low)
#define SIGNAL(name)                                                                                                   \
    LIVE_BESIDE("signals." name ".tone_on_ms", "300", "tone_off_ms = 100; "),                                        \
        LIVE("signals." name ".tone_off_ms", "333"),                                                                 \
        LIVE_BESIDE("signals." name ".repeats", "7", "tone_off_ms = 100; "), LIVE("signals." name ".lamp", "\"none\""), \
        LIVE("signals." name ".lamp_ms", "777"), LIVE("signals." name ".blink_ms", "111")
#define CAUSE(name) /* silent and dark by default */                                                                   \
    LIVE_BESIDE("signals." name ".tone_on_ms", "300", "tone_off_ms = 100; repeats = 6; "),                            \
        LIVE("signals." name ".tone_off_ms", "333"), LIVE("signals." name ".repeats", "7"),                            \
        LIVE_BESIDE("signals." name ".lamp", "\"red\"", "lamp_ms = 100; "), LIVE("signals." name ".lamp_ms", "777"),   \
        LIVE("signals." name ".blink_ms", "111")

static const struct class classes[] = {
    RESTART("site", "\"t\"", "\"s\""),
    RESTART("lane", "\"lane2\"", "\"lane1\""),
    RESTART("direction", "\"out\"", "\"none\""),
    LIVE("place.kind", "\"factory\""), LIVE("place.name", "\"n\""), LIVE("place.address", "\"a\""),
    LIVE("place.zone", "\"Asia/Ho_Chi_Minh\""), LIVE("place.language", "\"vi\""),
    RESTART_BESIDE("camera.driver", "\"replay\"", "\"v4l2\"", "replay = { folder = \"/p\"; }; "),
    RESTART("camera.device", "\"/dev/video2\"", "\"/dev/video0\""),
    RESTART("camera.width_px", "640", "1280"),
    RESTART("camera.height_px", "480", "720"),
    RESTART("camera.rate_fps", "15", "30"),
    LIVE("camera.hang_ms", "1000"),
    LIVE("camera.leave_ms", "2000"),
    RESTART("camera.exposure", "\"code\"", "\"off\""),
    {"camera.controls", "{ brightness = 5; }", "from a list to a list", ""},
    {"vision.decoders", NULL, NULL, ""}, /* has a test of its own */
    RESTART("camera.replay.folder", "\"/p\"", "\"\""),
    RESTART("camera.replay.hold_ms", "10", "1500"),
    RESTART("camera.replay.gap_ms", "10", "1700"),
    RESTART("camera.replay.loop", "true", "false"),
    RESTART_BESIDE("lines.driver", "\"gpiod\"", "\"sim\"", "relay = { line = \"R\"; }; "),
    RESTART("lines.panel_input", "\"-\"", "\"\""),
    OUT("relay"),
    OUT("relay_out"),
    OUT("buzzer"),
    OUT("lamp_green"),
    OUT("lamp_amber"),
    OUT("lamp_red"),
    IN("button", "false", "true", "\"as-is\""),
    IN("rotation", "true", "false", "\"pull-up\""),
    RESTART("lines.fire.line", "\"sim\"", "\"\""),
    RESTART("lines.fire.active_low", "true", "false"),
    RESTART("lines.fire.bias", "\"as-is\"", "\"pull-up\""),
    IN("tamper", "false", "true", "\"pull-up\""),
    IN("guard", "true", "false", "\"pull-up\""),
    IN("service", "true", "false", "\"pull-up\""),
    LIVE("lane_timing.pulse_ms", "301"),
    LIVE("lane_timing.pulse_gap_ms", "301"),
    LIVE("lane_timing.debounce_ms", "31"),
    LIVE("lane_timing.button_binding_ms", "15001"),
    LIVE("lane_timing.passage_wait_ms", "5001"),
    LIVE("lane_timing.held_alarm_ms", "10001"),
    LIVE("lane_timing.tailgating_ms", "0"),
    LIVE("lane_timing.long_press_ms", "3001"),
    LIVE("lane_timing.stuck_ms", "30001"),
    LIVE("lane_timing.unreadable_ms", "3001"),
    LIVE("turnstile.relay", "\"level\""),
    RESTART("turnstile.wiring", "\"fail-safe\"", "\"fail-secure\""),
    LIVE("turnstile.hold_open_max_s", "0"),
    SIGNAL("open"),
    SIGNAL("hold"),
    SIGNAL("deny"),
    SIGNAL("expired"),
    SIGNAL("wrong_code"),
    SIGNAL("forged"),
    SIGNAL("failure"),
    SIGNAL("place_code"),
    SIGNAL("not_now"),
    SIGNAL("locked"),
    SIGNAL("wait"),
    SIGNAL("unreadable"),
    CAUSE("too_far"),
    CAUSE("too_near"),
    CAUSE("too_dark"),
    CAUSE("glare"),
    CAUSE("moving"),
    SIGNAL("identify"),
    SIGNAL("passing"),
    SIGNAL("hold_open"),
    SIGNAL("lock_down"),
    SIGNAL("out_of_order"),
    SIGNAL("alarm"),
    SIGNAL("emergency"),
    LIVE("policy.green", "\"deny\""),
    LIVE("policy.yellow", "\"deny\""),
    LIVE("policy.red", "\"hold\""),
    LIVE("policy.white", "\"deny\""),
    LIVE("policy.expired", "\"deny\""),
    LIVE("policy.none", "\"deny\""),
    LIVE("policy.clock_untrusted", "\"deny\""),
    LIVE("policy.clock_skew_s", "61"),
    LIVE("policy.exit", "\"judge\""),
    LIVE("policy.number_mismatch", "\"deny\""),
    LIVE("declaration.validity_s", "60"),
    LIVE("declaration.validity", "\"midnight\""),
    LIVE("declaration.symptom_window_days", "1"),
    LIVE("declaration.contact_window_days", "1"),
    LIVE("declaration.travel_window_days", "1"),
    LIVE("declaration.on.fever", "\"none\""),
    LIVE("declaration.on.cough", "\"none\""),
    LIVE("declaration.on.breathlessness", "\"none\""),
    LIVE("declaration.on.pneumonia", "\"none\""),
    LIVE("declaration.on.sore_throat", "\"none\""),
    LIVE("declaration.on.tiredness", "\"none\""),
    LIVE("declaration.on.contact_patient", "\"none\""),
    LIVE("declaration.on.contact_sick_country", "\"none\""),
    LIVE("declaration.on.contact_symptoms", "\"none\""),
    LIVE("declaration.on.travelled", "\"red\""),
    LIVE("certificate.accept", "false"),
    LIVE("certificate.products", "[ \"EU/1/20/1528\" ]"),
    LIVE("certificate.all_doses", "false"),
    LIVE("certificate.vaccination_from_days", "1"),
    LIVE("certificate.vaccination_until_days", "100"),
    LIVE("certificate.molecular_test_hours", "1"),
    LIVE("certificate.antigen_test_hours", "1"),
    LIVE("certificate.recovery_from_days", "1"),
    LIVE("certificate.recovery_until_days", "100"),
    LIVE("certificate.unmet", "\"deny\""),
    LIVE("schedule.outside", "\"deny\""),
    LIVE("schedule.holidays", "[ \"2026-02-17\" ]"),
    LIVE("schedule.rows", "( { group = \"night\"; } )"),
    LIVE("antipassback.seconds", "60"),
    LIVE("antipassback.time", "\"hold\""),
    LIVE("antipassback.presence", "\"hold\""),
    LIVE("occupancy.limit", "200"),
    LIVE("occupancy.full", "\"deny\""),
    LIVE("lock.refusals", "10"),
    LIVE("lock.seconds", "61"),
    LIVE("clock.trust", "\"always\""),
    RESTART("journal.path", "\"/tmp/other.db\"", "\"/var/lib/qrgate/journal.db\""),
    LIVE("journal.deadline_ms", "2000"),
    LIVE("journal.keep_days", "60"),
    LIVE("journal.register_days", "60"),
    {"journal.site_key_file", NULL, NULL, ""}, /* has a test of its own */
    LIVE("trust.folder", "\"/etc\""), /* a folder without keys */
    RESTART("mqtt.enabled", "false", "true"),
    RESTART("mqtt.host", "\"a\"", "\"localhost\""),
    RESTART("mqtt.port", "8883", "1883"),
    RESTART("mqtt.client_id", "\"me\"", "\"qrgate-s-lane1\""),
    RESTART("mqtt.username", "\"u\"", "\"\""),
    RESTART("mqtt.password_file", "\"/p\"", "\"\""),
    RESTART("mqtt.ca_file", "\"/c\"", "\"\""),
    RESTART_BESIDE("mqtt.cert_file", "\"/c\"", "\"\"", "ca_file = \"/ca\"; "),
    RESTART_BESIDE("mqtt.key_file", "\"/k\"", "\"\"", "ca_file = \"/ca\"; cert_file = \"/c\"; "),
    LIVE("mqtt.certificate_warn_days", "60"),
    RESTART("mqtt.protocol", "\"5\"", "\"auto\""),
    RESTART("mqtt.keepalive_s", "60", "30"),
    RESTART("mqtt.prefix", "\"gate\"", "\"qrgate\""),
    RESTART("mqtt.window", "10", "20"),
    RESTART("mqtt.session_expiry_s", "60", "2592000"),
    RESTART("mqtt.reconnect_min_ms", "2000", "1000"),
    RESTART("mqtt.reconnect_max_ms", "60000", "30000"),
    RESTART("mqtt.ack_timeout_ms", "10000", "20000"),
    RESTART("mqtt.follow", "false", "true"),
    RESTART("mqtt.declarations", "false", "true"), LIVE("mqtt.home_assistant", "true"),
    {"commands.auth", NULL, NULL, ""}, /* has a test of its own */
    LIVE("commands.verbs", "[ \"time\" ]"),
    LIVE("commands.operators", "\"/etc\""),
};
enum { CLASSES = sizeof classes / sizeof classes[0] };


static void test_every_key_has_a_class(void **state)
{
    struct settings_table table = settings_keys();
    (void)state;
    assert_int_equal(table.count, CLASSES);
    for (size_t i = 0; i < table.count; i++) {
        size_t k = 0;
        while (k < CLASSES && strcmp(classes[k].path, table.keys[i].path) != 0)
            k++;
        if (k == CLASSES)
            fail_msg("%s isn't in classes[]", table.keys[i].path);
    }
    struct settings_table rows = settings_row_keys();
    for (size_t i = 0; i < rows.count; i++)
        assert_int_equal(rows.keys[i].change, KEY_LIVE); /* as schedule.rows itself */
}

static bool differs(const struct fixture *f, const char *path)
{
    struct settings_table table = settings_keys();
    for (size_t i = 0; i < table.count; i++)
        if (strcmp(table.keys[i].path, path) == 0)
            return memcmp((const char *)&f->old + table.keys[i].offset, (const char *)&f->fresh + table.keys[i].offset,
                          table.keys[i].bytes) != 0;
    return false;
}

/* The lane itself must agree: what is applied live, it takes. */
static void require_lane_takes(const struct fixture *f, const char *path)
{
    const struct lane_at_start start = {0};
    struct lane lane;
    lane_init(&lane, &f->old.lane_settings, &start, 1000000);
    if (!lane_reconfigure(&lane, &f->fresh.lane_settings))
        fail_msg("%s is live, and the lane doesn't take it", path);
}

static void expect_restart(const struct fixture *f, const struct class *class, int r)
{
    char said[512];
    bool is_in_client_id = strcmp(class->path, "site") == 0 || strcmp(class->path, "lane") == 0;
    (void)snprintf(said, sizeof said, "%s: %s needs a restart: systemctl restart qrgated@lane1\n", class->path, class->said);
    assert_int_equal(r, -EPERM);
    if (is_in_client_id) /* follows from it */
        assert_memory_equal(f->said, said, strlen(said));
    else
        assert_string_equal(f->said, said);
}

static void test_what_each_key_does(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < CLASSES; i++) {
        const struct class *class = &classes[i];
        if (class->value == NULL)
            continue;
        settings_free_keys(&f->old);
        write_file(f, class->path, NULL, class->beside);
        read_into(f, &f->old);
        write_file(f, class->path, class->value, class->beside);
        read_into(f, &f->fresh);
        if (!differs(f, class->path))
            fail_msg("%s = %s changes nothing", class->path, class->value);
        load_old_keys(f);
        int r = reload(f);
        if (class->said != NULL) {
            expect_restart(f, class, r);
        } else {
            if (r != 0)
                fail_msg("%s isn't live: %s", class->path, f->said);
            assert_string_equal(f->said, "");
            require_lane_takes(f, class->path);
        }
        settings_free_keys(&f->fresh);
    }
}

/* Whatever is built in: without the second decoder a file has no other list. */
static void test_other_decoders_need_a_restart(void **state)
{
    struct fixture *f = *state;
    write_file(f, "vision.decoders", "[ \"zbar\" ]", "");
    read_into(f, &f->old);
    read_into(f, &f->fresh);
    load_old_keys(f);
    assert_int_equal(reload(f), 0);
    f->fresh.eye.decoders = (struct eye_decoders){.count = 2, .kinds = {DECODER_ZBAR, DECODER_ZXING}};
    assert_int_equal(reload(f), -EPERM);
    assert_string_equal(f->said, "vision.decoders: from a list to a list needs a restart: systemctl restart qrgated@lane1\n");
    settings_free_keys(&f->fresh);
}

/* ---- all or nothing ---------------------------------------------------------------------------------------------------- */

#define FILE_PATHS "journal = { site_key_file = \"%s/site.key\"; %s}; trust = { folder = \"%s%s\"; };\n"
#define USUAL "site = \"s\"; lane = \"lane1\"; lines = { driver = \"sim\"; };\n"

static void read_whole(struct fixture *f, const char *rest, const char *in_journal, const char *trust, struct settings *ret)
{
    (void)snprintf(f->text, sizeof f->text, FILE_PATHS "%s", f->folder, in_journal, f->folder, trust, rest);
    read_into(f, ret);
}

static void begin(struct fixture *f)
{
    read_whole(f, USUAL, "", "", &f->old);
    load_old_keys(f);
}

static void test_nothing_changed(void **state)
{
    struct fixture *f = *state;
    begin(f);
    /* Written out or left to its default is the same. */
    read_whole(f, USUAL "mqtt = { host = \"localhost\"; client_id = \"qrgate-s-lane1\"; port = 1883; };", "", "", &f->fresh);
    assert_int_equal(reload(f), 0);
    assert_string_equal(f->said, "");
    assert_memory_equal(f->fresh.journal.site_key, f->old.journal.site_key, sizeof f->old.journal.site_key);
    assert_memory_equal(f->fresh.journal.trust.rotation_key, f->old.journal.trust.rotation_key, ROTATING_KEY_BYTES);
}

/* Every one is named, the live ones beside them are not, and nothing is half done. */
static void test_one_refusal_refuses_all(void **state)
{
    struct fixture *f = *state;
    begin(f);
    struct settings before = f->old;
    read_whole(f, "site = \"s\"; lane = \"lane1\"; direction = \"in\"; policy = { white = \"open\"; };"
                  "lane_timing = { pulse_ms = 500; };"
                  "lines = { driver = \"sim\"; relay = { line = \"GPIO18\"; }; fire = { line = \"GPIO6\"; }; };"
                  "schedule = { rows = ( { } ); }; mqtt = { port = 8883; };", "deadline_ms = 500; ", "", &f->fresh);
    assert_int_equal(reload(f), -EPERM);
    assert_string_equal(f->said,
                        "direction: from \"none\" to \"in\" needs a restart: systemctl restart qrgated@lane1\n"
                        "lines.relay.line: from \"\" to \"GPIO18\" needs a restart: systemctl restart qrgated@lane1\n"
                        "lines.fire.line: from \"\" to \"GPIO6\" needs a restart: systemctl restart qrgated@lane1\n"
                        "mqtt.port: from 1883 to 8883 needs a restart: systemctl restart qrgated@lane1\n");
    assert_memory_equal(&f->old, &before, sizeof before);
}

static void test_the_longest_value_is_named_whole(void **state)
{
    struct fixture *f = *state;
    char device[512], wanted[700];
    begin(f);
    size_t most = sizeof f->old.journal.path - 1;
    (void)snprintf(device, sizeof device, "path = \"/%0*d\"; ", (int)most - 1, 7);
    read_whole(f, USUAL, device, "", &f->fresh);
    (void)snprintf(wanted, sizeof wanted, "journal.path: from \"/var/lib/qrgate/journal.db\" to \"/%0*d\" needs a restart: "
                                          "systemctl restart qrgated@lane1\n", (int)most - 1, 7);
    assert_int_equal(reload(f), -EPERM);
    assert_string_equal(f->said, wanted);
}

/* ---- keys -------------------------------------------------------------------------------------------------------------- */

static void write_key(const struct fixture *f, const char *name, bool is_good)
{
    static const uint8_t seed[32] = {1, 2, 3};
    struct key_file key = {.kid = "k1", .issuer = "made up"};
    uint8_t secret[64];
    char path[128];
    path_in(f, name, path);
    assert_int_equal(crypto_sign_seed_keypair(key.key, secret, seed), 0);
    if (is_good) {
        assert_int_equal(key_file_write(path, false, &key), 0);
        return;
    }
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs("kid: k1\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void test_the_trust_folder_is_read_anew(void **state)
{
    struct fixture *f = *state;
    begin(f);
    assert_int_equal(f->old.journal.trust.count, 0);
    write_key(f, "k.pub", true);
    read_whole(f, USUAL, "", "", &f->fresh);
    assert_int_equal(reload(f), 0);
    assert_int_equal(f->fresh.journal.trust.count, 1);
    assert_int_equal(f->old.journal.trust.count, 0);
}

static void test_another_trust_folder(void **state)
{
    struct fixture *f = *state;
    char path[128];
    begin(f);
    path_in(f, "more", path);
    assert_int_equal(mkdir(path, 0700), 0);
    write_key(f, "more/k.pub", true);
    read_whole(f, USUAL, "", "/more", &f->fresh);
    assert_int_equal(reload(f), 0);
    assert_int_equal(f->fresh.journal.trust.count, 1);
}

static void test_a_bad_key_in_the_trust_folder_refuses_all(void **state)
{
    struct fixture *f = *state;
    begin(f);
    write_key(f, "k.pub", false);
    read_whole(f, USUAL, "", "", &f->fresh);
    assert_int_equal(reload(f), -EINVAL);
    assert_non_null(strstr(f->said, "k.pub:1: the line `ed25519: …` is missing"));
    assert_int_equal(f->fresh.journal.trust.count, 0);
    read_whole(f, USUAL, "", "/nowhere", &f->fresh);
    assert_int_equal(reload(f), -ENOENT);
    assert_non_null(strstr(f->said, "/nowhere"));
}

/* All that is on record hangs on it. */
static void test_another_site_key_needs_a_restart(void **state)
{
    struct fixture *f = *state;
    char path[128], wanted[512], why[128] = "";
    begin(f);
    path_in(f, "site.key", path);
    assert_int_equal(unlink(path), 0);
    read_whole(f, USUAL, "", "", &f->fresh);
    assert_int_equal(reload(f), -ENOENT);
    assert_int_equal(access(path, F_OK), -1); /* and none is made */
    assert_int_equal(site_key_create(path, why, sizeof why), 0);
    assert_int_equal(reload(f), -EPERM);
    (void)snprintf(wanted, sizeof wanted, "journal.site_key_file: another key in %s needs a restart: systemctl restart "
                                          "qrgated@lane1\n", path);
    assert_string_equal(f->said, wanted);
    settings_free_keys(&f->fresh);

    /* Another file: said once, whatever is in it. */
    read_whole(f, USUAL, "", "", &f->fresh);
    path_in(f, "other.key", f->fresh.site_key_file);
    assert_int_equal(site_key_create(f->fresh.site_key_file, why, sizeof why), 0);
    (void)snprintf(wanted, sizeof wanted, "journal.site_key_file: from \"%s\" to \"%s\" needs a restart: systemctl restart "
                                          "qrgated@lane1\n", path, f->fresh.site_key_file);
    assert_int_equal(reload(f), -EPERM);
    assert_string_equal(f->said, wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_key_has_a_class),
        cmocka_unit_test_setup_teardown(test_what_each_key_does, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_decoders_need_a_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_changed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_refusal_refuses_all, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_longest_value_is_named_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_trust_folder_is_read_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(test_another_trust_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_bad_key_in_the_trust_folder_refuses_all, setup, teardown),
        cmocka_unit_test_setup_teardown(test_another_site_key_needs_a_restart, setup, teardown),
    };
    return cmocka_run_group_tests_name("reload", tests, NULL, NULL);
}
