/* X.509 files by OpenSSL. The line's thread, and --check-config. */
#include "daemon/mqtt/certificates.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/mqtt/credentials.h"

enum { DAY_S = 86400, DATE_BYTES = 16 };

/* OpenSSL would ask at the terminal. */
static int no_password(char *text, int text_bytes, int writing, void *userdata)
{
    (void)text, (void)text_bytes, (void)writing, (void)userdata;
    return -1;
}

static int64_t seconds_of(const ASN1_TIME *time)
{
    struct tm utc = {0};
    return ASN1_TIME_to_tm(time, &utc) == 1 ? (int64_t)timegm(&utc) : 0;
}

/* All certificates of a file: the soonest end, the latest beginning. The first is kept, if wanted. How many, or -EINVAL. */
static int read_certificates(BIO *file, int64_t *ret_ends_s, int64_t *ret_from_s, X509 **ret_first)
{
    int count = 0;
    X509 *certificate;
    while ((certificate = PEM_read_bio_X509(file, NULL, no_password, NULL)) != NULL) {
        int64_t ends_s = seconds_of(X509_get0_notAfter(certificate)), from_s = seconds_of(X509_get0_notBefore(certificate));
        if (count == 0 || ends_s < *ret_ends_s)
            *ret_ends_s = ends_s;
        if (count == 0 || from_s > *ret_from_s)
            *ret_from_s = from_s;
        if (count++ == 0 && ret_first != NULL)
            *ret_first = certificate;
        else
            X509_free(certificate);
    }
    /* The one complaint that says: no more. */
    const bool ended = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    return ended && count > 0 ? count : -EINVAL;
}

static int check_key(const char *key, const char *path, BIO *file, const X509 *certificate, char *why, size_t why_bytes)
{
    EVP_PKEY *private_key = PEM_read_bio_PrivateKey(file, NULL, no_password, NULL);
    const int reason = ERR_GET_REASON(ERR_peek_last_error());
    int r = -EINVAL;
    if (private_key == NULL && reason == PEM_R_BAD_PASSWORD_READ)
        (void)snprintf(why, why_bytes, "%s \"%s\": the key is under a password; write it without one (openssl pkey) into a file "
                       "of mode 600", key, path);
    else if (private_key == NULL)
        (void)snprintf(why, why_bytes, "%s \"%s\": no private key in PEM is in it; copy it again", key, path);
    else if (X509_check_private_key(certificate, private_key) != 1)
        (void)snprintf(why, why_bytes, "%s \"%s\": not the key of the certificate in mqtt.cert_file; put both of one renewal "
                       "there", key, path);
    else
        r = 0;
    EVP_PKEY_free(private_key);
    ERR_clear_error();
    return r;
}

/* Into a buffer that is wiped afterwards: some of it is a key. */
static BIO *open_file(const char *key, const char *path, enum credentials_file kind, char *buffer, char *why, size_t why_bytes)
{
    ssize_t length = credentials_read(key, path, kind, buffer, CERTIFICATES_FILE_MAX_BYTES, why, why_bytes);
    BIO *file = length < 0 ? NULL : BIO_new_mem_buf(buffer, (int)length);
    if (length >= 0 && file == NULL)
        (void)snprintf(why, why_bytes, "%s \"%s\": no memory", key, path);
    return file;
}

static int read_ca(const struct mqtt_settings *settings, char *buffer, struct certificates *ret, char *why, size_t why_bytes)
{
    BIO *file = open_file("mqtt.ca_file", settings->ca_file, CREDENTIALS_PUBLIC, buffer, why, why_bytes);
    int r = file == NULL ? -EACCES : read_certificates(file, &ret->ca_ends_s, &ret->ca_from_s, NULL);
    if (r == -EINVAL)
        (void)snprintf(why, why_bytes, "mqtt.ca_file \"%s\": no whole PEM certificates are in it; copy it again",
                       settings->ca_file);
    (void)BIO_free(file);
    return r < 0 ? r : 0;
}

static int read_client(const struct mqtt_settings *settings, char *buffer, struct certificates *ret, char *why,
                       size_t why_bytes)
{
    const bool apart = settings->key_file[0] != '\0';
    const char *key = apart ? "mqtt.key_file" : "mqtt.cert_file", *path = apart ? settings->key_file : settings->cert_file;
    X509 *first = NULL;
    BIO *file = open_file("mqtt.cert_file", settings->cert_file, apart ? CREDENTIALS_PUBLIC : CREDENTIALS_GROUP, buffer, why,
                          why_bytes);
    int r = file == NULL ? -EACCES : read_certificates(file, &ret->client_ends_s, &ret->client_from_s, &first);
    if (r == -EINVAL)
        (void)snprintf(why, why_bytes, "mqtt.cert_file \"%s\": no whole PEM certificates are in it; copy it again",
                       settings->cert_file);
    (void)BIO_free(file);
    if (r > 0) {
        file = open_file(key, path, CREDENTIALS_GROUP, buffer, why, why_bytes);
        r = file == NULL ? -EACCES : check_key(key, path, file, first, why, why_bytes);
        (void)BIO_free(file);
    }
    X509_free(first);
    return r;
}

int certificates_read(const struct mqtt_settings *settings, struct certificates *ret, char *why, size_t why_bytes)
{
    char *buffer;
    int r = 0;
    *ret = (struct certificates){0};
    if (settings->ca_file[0] == '\0')
        return 0;
    buffer = malloc(CERTIFICATES_FILE_MAX_BYTES);
    if (buffer == NULL) {
        (void)snprintf(why, why_bytes, "mqtt: no memory");
        return -ENOMEM;
    }
    r = read_ca(settings, buffer, ret, why, why_bytes);
    if (r == 0 && settings->cert_file[0] != '\0')
        r = read_client(settings, buffer, ret, why, why_bytes);
    if (r < 0)
        *ret = (struct certificates){0};
    explicit_bzero(buffer, CERTIFICATES_FILE_MAX_BYTES);
    free(buffer);
    return r;
}

static void date_text(int64_t at_s, char ret_text[DATE_BYTES])
{
    const time_t at = (time_t)at_s;
    struct tm utc;
    if (gmtime_r(&at, &utc) == NULL || strftime(ret_text, DATE_BYTES, "%Y-%m-%d", &utc) == 0)
        ret_text[0] = '\0';
}

static void print_times(const char *key, const char *path, int64_t from_s, int64_t ends_s, int64_t now_s, int warn_days,
                        FILE *errors)
{
    char from[DATE_BYTES], ends[DATE_BYTES];
    date_text(from_s, from);
    date_text(ends_s, ends);
    if (ends_s <= now_s)
        (void)fprintf(errors, "%s \"%s\": expired on %s; put a new one in its place, the lane needs no restart\n", key, path, ends);
    else if (from_s > now_s)
        (void)fprintf(errors, "%s \"%s\": not valid before %s; is this machine's clock right?\n", key, path, from);
    else if (ends_s - now_s < (int64_t)warn_days * DAY_S)
        (void)fprintf(errors, "%s \"%s\": ends on %s; put a new one in its place, the lane needs no restart\n", key, path, ends);
}

int certificates_check(const struct mqtt_settings *settings, int64_t now_s, FILE *errors)
{
    struct certificates found;
    struct credentials credentials;
    char why[CREDENTIALS_WHY_BYTES] = "";
    int r = 0;
    if (!settings->enabled)
        return 0;
    if (certificates_read(settings, &found, why, sizeof why) < 0) {
        (void)fprintf(errors, "%s\n", why);
        r = -EINVAL;
    }
    if (found.ca_ends_s != 0)
        print_times("mqtt.ca_file", settings->ca_file, found.ca_from_s, found.ca_ends_s, now_s, settings->certificate_warn_days,
                    errors);
    if (found.client_ends_s != 0)
        print_times("mqtt.cert_file", settings->cert_file, found.client_from_s, found.client_ends_s, now_s,
                    settings->certificate_warn_days, errors);
    if (credentials_load(settings, "", &credentials, why, sizeof why) < 0) {
        (void)fprintf(errors, "%s\n", why);
        r = -EINVAL;
    }
    credentials_wipe(&credentials);
    return r;
}

int64_t certificates_days_left(int64_t ends_s, int64_t now_s)
{
    const int64_t left_s = ends_s - now_s;
    return left_s / DAY_S - (left_s % DAY_S < 0 ? 1 : 0);
}

bool certificates_end_soon(const struct certificates *certificates, int64_t now_s, int warn_days,
                           char ret_detail[CERTIFICATES_DETAIL_BYTES])
{
    const bool is_client = certificates->client_ends_s != 0 &&
                           (certificates->ca_ends_s == 0 || certificates->client_ends_s < certificates->ca_ends_s);
    const int64_t ends_s = is_client ? certificates->client_ends_s : certificates->ca_ends_s;
    char date[DATE_BYTES];
    date_text(ends_s, date);
    (void)snprintf(ret_detail, CERTIFICATES_DETAIL_BYTES, "%s %s on %s", is_client ? "mqtt.cert_file" : "mqtt.ca_file",
                   ends_s <= now_s ? "expired" : "ends", date);
    return ends_s != 0 && ends_s - now_s < (int64_t)warn_days * DAY_S;
}
