/* Fuzzes the configuration's reader: settings_read(), with libconfig behind it. Whatever the text says: no other file is
 * opened, what is refused is said in lines that a terminal may show, and what is taken is a policy decide() may be given.
 * Built and run by run.sh. */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/credential/utf8.h"
#include "daemon/settings/keys.h"
#include "daemon/settings/settings.h"

enum { SAID_MAX_BYTES = 32768, BLOCKS = 1 << 14 /* a power of two */, PROBES = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
FILE *fopen(const char *path, const char *mode);
int __lsan_is_turned_off(void);
int __sanitizer_install_malloc_and_free_hooks(void (*allocated)(const volatile void *, size_t),
                                              void (*freed)(const volatile void *));

static bool reading; /* settings_read() is under way */

static void require(bool holds, const char *what)
{
    if (holds)
        return;
    (void)fprintf(stderr, "fuzz_settings: broken: %s\n", what);
    abort();
}

/* Stands before the C library's, for libconfig too: how it would open what an @include names. */
FILE *fopen(const char *path, const char *mode)
{
    FILE *(*real)(const char *, const char *);
    void *symbol = dlsym(RTLD_NEXT, "fopen");

    require(!reading, "a file was opened");
    require(symbol != NULL, "dlsym");
    memcpy(&real, &symbol, sizeof real);
    return real(path, mode);
}

/* Leaks are looked for here and not by LeakSanitizer: libconfig 1.5 leaks a text that stands before a syntax error (once, at
 * a start that fails), and would have it run after nearly every input, ten a second. */
int __lsan_is_turned_off(void)
{
    return 1;
}

static void *blocks[BLOCKS]; /* allocated by settings_read() and not yet freed: each near the place its address gives */
static size_t blocks_count;

static size_t place_of(const volatile void *block)
{
    return (size_t)((uintptr_t)block / 16 * 0x9e3779b97f4a7c15u >> 32);
}

static void **find(const volatile void *block, const volatile void *what)
{
    for (size_t i = 0; i < PROBES; i++) {
        void **slot = &blocks[(place_of(block) + i) % BLOCKS];
        if (*slot == what)
            return slot;
    }
    return NULL;
}

static void allocated(const volatile void *block, size_t bytes)
{
    (void)bytes;
    if (!reading || block == NULL)
        return;
    void **slot = find(block, NULL);
    if (slot == NULL)
        return; /* its places are all taken: not counted, not freed */
    *slot = (void *)(uintptr_t)block;
    blocks_count++;
}

static void freed(const volatile void *block)
{
    void **slot = reading && block != NULL ? find(block, block) : NULL;
    if (slot == NULL)
        return;
    *slot = NULL;
    blocks_count--;
}

/* How many blocks were left behind; frees them, so that a long run doesn't fill the memory. */
static size_t take_leaks(void)
{
    size_t count = blocks_count;
    for (size_t i = 0; i < BLOCKS && blocks_count > 0; i++) {
        void *block = blocks[i];
        blocks[i] = NULL;
        blocks_count -= block != NULL;
        free(block);
    }
    return count;
}

static bool is_in(int64_t number, int64_t lowest, int64_t highest)
{
    return number >= lowest && number <= highest;
}

static void check_schedule(const struct schedule *schedule)
{
    require(schedule->count <= SCHEDULE_ROWS_MAX && schedule->holidays_count <= HOLIDAYS_MAX, "schedule's counts");
    for (size_t i = 0; i < schedule->count; i++) {
        const struct schedule_row *row = &schedule->rows[i];
        require(memchr(row->group, 0, sizeof row->group) != NULL && row->group[0] != '\0', "a row's group");
        require(row->days != 0 && row->days < 0x80, "a row's days");
        require(is_in(row->from_min, 0, 1439) && is_in(row->to_min, 0, 1440), "a row's times");
    }
    for (size_t i = 1; i < schedule->holidays_count; i++)
        require(schedule->holidays[i - 1] < schedule->holidays[i], "holidays sorted, each once");
}

static void check_policy(const struct policy *policy)
{
    const struct declaration_policy *declaration = &policy->declaration;
    for (int status = 0; status < STATUS_COUNT; status++)
        require((unsigned)policy->by_status[status] < VERDICT_ACTION_COUNT, "by_status");
    require(policy->by_status[STATUS_REVOKED] == VERDICT_DENY, "revoked stays shut");
    require(is_in(declaration->validity_s, 60, 366 * 86400), "validity");
    require(is_in(declaration->symptom_window_s, 86400, 60 * 86400) && is_in(declaration->contact_window_s, 86400, 60 * 86400) &&
                is_in(declaration->travel_window_s, 86400, 60 * 86400),
            "windows");
    for (int i = 0; i < SYMPTOM_COUNT; i++)
        require((unsigned)declaration->on_symptom[i] <= STATUS_RED, "on_symptom");
    for (int i = 0; i < CONTACT_COUNT; i++)
        require((unsigned)declaration->on_contact[i] <= STATUS_RED, "on_contact");
    require((unsigned)declaration->on_travel <= STATUS_RED, "on_travel");
    require(policy->health.products_count <= HEALTH_PRODUCTS_MAX, "products");
    require(is_in(policy->health.unmet, VERDICT_HOLD, VERDICT_DENY) &&
                is_in(policy->outside_schedule, VERDICT_HOLD, VERDICT_DENY) &&
                is_in(policy->occupancy_full, VERDICT_HOLD, VERDICT_DENY),
            "what never opens");
    require((unsigned)policy->antipassback_time < VERDICT_ACTION_COUNT &&
                (unsigned)policy->antipassback_presence < VERDICT_ACTION_COUNT &&
                (unsigned)policy->number_mismatch < VERDICT_ACTION_COUNT,
            "actions");
    require((unsigned)policy->direction < DIRECTION_COUNT, "direction");
    require(policy->direction != DIRECTION_NONE ||
                (policy->antipassback_presence == VERDICT_OPEN && policy->occupancy_limit == 0),
            "presence without a direction");
    require((unsigned)policy->clock_untrusted <= CLOCK_POLICY_OPEN_IF_SIGNATURE_VALID, "clock_untrusted");
    require(is_in(policy->antipassback_s, 0, 86400) && is_in(policy->occupancy_limit, 0, 1000000) &&
                is_in(policy->refusals_lock, 0, 100) && is_in(policy->refusals_lock_s, 1, 3600) &&
                is_in(policy->clock_skew_s, 0, 3600),
            "numbers");
    check_schedule(&policy->schedule);
}

static void check_taken(const struct settings *s)
{
    static const struct settings none;
    require(s->site[0] != '\0' && s->lane[0] != '\0' && strcmp(s->lane, s->journal.lane) == 0, "names");
    require(s->mqtt.client_id[0] != '\0', "client_id");
    require(is_in(s->mqtt.port, 1, 65535) && is_in(s->mqtt.session_expiry_s, 60, 31536000), "mqtt");
    require(is_in(s->eye.v4l2.width_px, 160, 1920) && s->eye.replay.width_px == s->eye.v4l2.width_px, "camera");
    require(memcmp(&s->journal.trust, &none.journal.trust, sizeof none.journal.trust) == 0 &&
                memcmp(s->journal.site_key, none.journal.site_key, sizeof none.journal.site_key) == 0,
            "no key from a configuration");
    check_policy(&s->journal.policy);
}

/* Lines that name the file, and nothing that would move a terminal's cursor. */
static void check_said(const char *said, size_t length)
{
    require(length > 0 && length <= SAID_MAX_BYTES && said[length - 1] == '\n', "something was said, and not too much");
    for (const char *line = said; *line != '\0';) {
        size_t bytes = strcspn(line, "\n");
        require(strncmp(line, "fuzz.conf:", 10) == 0, "the file is named");
        require(utf8_plain((const uint8_t *)line, bytes), "plain text");
        line += bytes + 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char said[SAID_MAX_BYTES + 2], buffer[BUFSIZ]; /* a stream that allocates nothing while we count */
    static bool hooked;
    struct settings settings;
    FILE *errors = fmemopen(said, sizeof said, "w");

    require(errors != NULL && setvbuf(errors, buffer, _IOFBF, sizeof buffer) == 0, "fmemopen");
    require(hooked || __sanitizer_install_malloc_and_free_hooks(allocated, freed) > 0, "hooks");
    hooked = true;
    said[0] = '\0';
    reading = true;
    int r = settings_read("fuzz.conf", (const char *)data, size, &settings, errors);
    reading = false;
    size_t leaks = take_leaks();
    require(fclose(errors) == 0, "fclose");
    require(r == 0 || r == -EINVAL, "result");
    require(leaks == 0 || strstr(said, "libconfig syntax is") != NULL, "a leak, and not libconfig's");
    if (r == 0) {
        require(said[0] == '\0', "silence");
        check_taken(&settings);
    } else {
        check_said(said, strlen(said));
    }
    return 0;
}
