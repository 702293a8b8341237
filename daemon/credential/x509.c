/* Document signers' certificates by OpenSSL 3. Used by settings/trust_folder.c at start-up and in qrgatectl. */
#include "daemon/credential/x509.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/credential/cose.h"

enum { DER_MAX_BYTES = 16384, OID_BYTES = 64, RSA_LEAST_BITS = 2048, RSA_MOST_BITS = 8 * COSE_SIGNATURE_MAX_BYTES };

static const char pem_begin[] = "-----BEGIN CERTIFICATE-----", pem_end[] = "-----END CERTIFICATE-----";

/* ---- bytes ---- */

/* Not OpenSSL's reader of PEM, which refuses long lines; and some lists are written on one. */
static const char *pem_to_der(const uint8_t *bytes, size_t length_bytes, uint8_t dst[DER_MAX_BYTES], size_t *ret_bytes)
{
    const char *begin = memmem(bytes, length_bytes, pem_begin, sizeof pem_begin - 1);

    if (begin == NULL)
        return "neither DER nor PEM with -----BEGIN CERTIFICATE-----; put the signer's X.509 certificate here";
    const char *text = begin + sizeof pem_begin - 1;
    size_t left_bytes = (size_t)((const char *)bytes + length_bytes - text);
    const char *end = memmem(text, left_bytes, pem_end, sizeof pem_end - 1);
    if (end == NULL)
        return "-----END CERTIFICATE----- is missing; the file was cut short: copy it again";
    if (sodium_base642bin(dst, DER_MAX_BYTES, text, (size_t)(end - text), " \t\r\n", ret_bytes, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0)
        return "not base64, or longer than 16384 bytes, between BEGIN and END; copy it again";
    return NULL;
}

static X509 *parse_der(const uint8_t *der, size_t length_bytes)
{
    const unsigned char *at = der;
    X509 *certificate = length_bytes <= DER_MAX_BYTES ? d2i_X509(NULL, &at, (long)length_bytes) : NULL;

    if (certificate != NULL && at != der + length_bytes) {
        X509_free(certificate);
        return NULL;
    }
    return certificate;
}

/* ---- fields ---- */

static const char *read_key(X509 *certificate, struct trust_certificate *ret)
{
    char group[32];
    size_t length;

    ret->key = X509_get_pubkey(certificate);
    if (ret->key == NULL)
        return "its public key can't be read; only EC on P-256 and RSA are allowed";
    if (EVP_PKEY_is_a(ret->key, "EC")) {
        ret->cose_alg = COSE_ALG_ES256;
        if (EVP_PKEY_get_group_name(ret->key, group, sizeof group, &length) != 1 || strcmp(group, "prime256v1") != 0)
            return "an EC key on another curve than P-256; the signer must use a certificate for ES256 or PS256";
        return NULL;
    }
    if (!EVP_PKEY_is_a(ret->key, "RSA") && !EVP_PKEY_is_a(ret->key, "RSA-PSS"))
        return "its public key is neither EC nor RSA; the signer must use a certificate for ES256 or PS256";
    ret->cose_alg = COSE_ALG_PS256;
    int bits = EVP_PKEY_get_bits(ret->key);
    return bits >= RSA_LEAST_BITS && bits <= RSA_MOST_BITS
               ? NULL : "an RSA key under 2048 or over 4096 bits; ask the signer for a newer certificate";
}

/* Two spellings are in the field: the first version of the specification had a zero too many. */
static unsigned usage_of(const ASN1_OBJECT *object)
{
    static const struct {
        const char *oid;
        unsigned usage;
    } usages[] = {
        {"1.3.6.1.4.1.1847.2021.1.1", TRUST_USAGE_TEST},
        {"1.3.6.1.4.1.1847.2021.1.2", TRUST_USAGE_VACCINATION},
        {"1.3.6.1.4.1.1847.2021.1.3", TRUST_USAGE_RECOVERY},
        {"1.3.6.1.4.1.0.1847.2021.1.1", TRUST_USAGE_TEST},
        {"1.3.6.1.4.1.0.1847.2021.1.2", TRUST_USAGE_VACCINATION},
        {"1.3.6.1.4.1.0.1847.2021.1.3", TRUST_USAGE_RECOVERY},
    };
    char oid[OID_BYTES];

    if (OBJ_obj2txt(oid, sizeof oid, object, 1) <= 0)
        return 0;
    for (size_t i = 0; i < sizeof usages / sizeof usages[0]; i++)
        if (strcmp(oid, usages[i].oid) == 0)
            return usages[i].usage;
    return 0;
}

/* None of these usages among them: not limited, as the EU's certificate governance says. An extension that can't be read,
 * or that is there twice, limits something unknown and is refused. */
static const char *read_usage(X509 *certificate, struct trust_certificate *ret)
{
    int critical;
    EXTENDED_KEY_USAGE *usages = X509_get_ext_d2i(certificate, NID_ext_key_usage, &critical, NULL);

    if (usages == NULL)
        return critical == -1 ? NULL : "its extended key usage can't be read; ask the signer for a sound certificate";
    for (int i = 0; i < sk_ASN1_OBJECT_num(usages); i++)
        ret->usage |= usage_of(sk_ASN1_OBJECT_value(usages, i));
    EXTENDED_KEY_USAGE_free(usages);
    return NULL;
}

static bool read_time(const ASN1_TIME *time, int64_t *ret_s)
{
    struct tm tm;

    if (time == NULL || ASN1_TIME_to_tm(time, &tm) != 1)
        return false;
    *ret_s = (int64_t)timegm(&tm);
    return true;
}

static bool read_country(const X509_NAME *name, char ret_country[3])
{
    int at = X509_NAME_get_index_by_NID(name, NID_countryName, -1);
    const ASN1_STRING *text = at < 0 ? NULL : X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
    const unsigned char *letters = text == NULL ? NULL : ASN1_STRING_get0_data(text);

    if (letters == NULL || ASN1_STRING_length(text) != 2)
        return false;
    for (int i = 0; i < 2; i++) {
        unsigned char capital = letters[i] & 0xdf;
        if (capital < 'A' || capital > 'Z')
            return false;
        ret_country[i] = (char)capital;
    }
    return true;
}

static const char *read_fields(X509 *certificate, struct trust_certificate *ret)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int digest_bytes;

    if (X509_digest(certificate, EVP_sha256(), digest, &digest_bytes) != 1 || digest_bytes < sizeof ret->kid)
        return "its SHA-256 can't be made; is there memory left?";
    memcpy(ret->kid, digest, sizeof ret->kid);
    if (!read_time(X509_get0_notBefore(certificate), &ret->not_before_s) ||
        !read_time(X509_get0_notAfter(certificate), &ret->not_after_s))
        return "its validity can't be read; ask the signer for a sound certificate";
    if (!read_country(X509_get_subject_name(certificate), ret->country) &&
        !read_country(X509_get_issuer_name(certificate), ret->country))
        memset(ret->country, 0, sizeof ret->country);
    const char *wrong = read_usage(certificate, ret);
    return wrong != NULL ? wrong : read_key(certificate, ret);
}

const char *x509_read(const uint8_t *bytes, size_t length_bytes, struct trust_certificate *ret)
{
    uint8_t der[DER_MAX_BYTES];
    size_t der_bytes = length_bytes;

    memset(ret, 0, sizeof *ret);
    /* DER begins with a sequence of more than 127 bytes: a '0', but then no ASCII. */
    bool is_pem = length_bytes < 2 || bytes[0] != 0x30 || bytes[1] < 0x80;
    const char *wrong = is_pem ? pem_to_der(bytes, length_bytes, der, &der_bytes) : NULL;
    if (wrong != NULL)
        return wrong;
    X509 *certificate = parse_der(is_pem ? der : bytes, der_bytes);
    wrong = certificate == NULL ? "not one X.509 certificate; a chain or a trust list doesn't belong in one block"
                                : read_fields(certificate, ret);
    X509_free(certificate);
    if (wrong != NULL) {
        EVP_PKEY_free(ret->key);
        memset(ret, 0, sizeof *ret);
    }
    ERR_clear_error(); /* what was wrong is said in our words */
    return wrong;
}

/* ---- many ---- */

static int by_kid(const void *a, const void *b)
{
    const struct trust_certificate *one = a, *other = b;

    return memcmp(one->kid, other->kid, sizeof one->kid);
}

void x509_sort(struct certificate_trust *trust)
{
    if (trust->count > 1)
        qsort(trust->certificates, trust->count, sizeof *trust->certificates, by_kid);
}

void x509_free(struct certificate_trust *trust)
{
    for (size_t i = 0; i < trust->count; i++)
        EVP_PKEY_free(trust->certificates[i].key);
    free(trust->certificates);
    *trust = (struct certificate_trust){.count = 0};
}
