/* Measures recognising, parsing and verifying: bench_codes TRUST_FOLDER SITE_KEY_FILE LABEL=FILE…, each file one code as the
 * camera gave it. Prints the median of several rounds in microseconds. Run by `make bench`; judges nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/credential/credential.h"
#include "daemon/credential/rotating.h"
#include "daemon/settings/site_key.h"
#include "daemon/settings/trust_folder.h"

enum { ROUNDS = 15, READS = 400 };

static int64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static double median_us(const uint8_t *payload, size_t length, const struct credential_trust *trust, struct credential *ret)
{
    int64_t rounds[ROUNDS];
    for (int r = 0; r < ROUNDS; r++) {
        const int64_t begin = now_ns();
        for (int i = 0; i < READS; i++)
            credential_read(payload, length, trust, ret);
        rounds[r] = (now_ns() - begin) / READS;
    }
    qsort(rounds, ROUNDS, sizeof rounds[0], compare);
    return (double)rounds[ROUNDS / 2] / 1000;
}

/* Twice: with the keys, and without any, which is recognising and parsing alone. */
static int measure(const char *label, const char *path, const struct credential_trust *trust)
{
    uint8_t payload[CREDENTIAL_PAYLOAD_MAX_BYTES];
    struct credential credential;
    FILE *file = fopen(path, "rbe");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    size_t length = fread(payload, 1, sizeof payload, file);
    (void)fclose(file);
    double parse_us = median_us(payload, length, NULL, &credential);
    double whole_us = median_us(payload, length, trust, &credential);
    (void)printf("%-22s parse %8.2f us", label, parse_us);
    if (credential.is_signed)
        (void)printf("   verify %8.2f us", whole_us);
    (void)printf("   (%s, %s)\n", credential_kind_name(credential.kind), credential_fault_name(credential.fault));
    return 0;
}

int main(int argc, char **argv)
{
    struct credential_trust trust;
    uint8_t site_key[SITE_KEY_BYTES];
    char why[256];
    int r = 0;
    if (argc < 4) {
        (void)fprintf(stderr, "usage: bench_codes TRUST_FOLDER SITE_KEY_FILE LABEL=FILE...\n");
        return 2;
    }
    if (trust_folder_load(argv[1], &trust, stderr) != 0)
        return 1;
    if (site_key_load(argv[2], site_key, why, sizeof why) != 0) {
        (void)fprintf(stderr, "%s\n", why);
        return 1;
    }
    rotating_key_from_site_key(site_key, trust.rotation_key);
    trust.has_rotation_key = true;
    for (int i = 3; i < argc && r == 0; i++) {
        char *equals = strchr(argv[i], '=');
        if (equals == NULL)
            return 2;
        *equals = '\0';
        r = measure(argv[i], equals + 1, &trust);
    }
    trust_folder_free(&trust);
    return r;
}
