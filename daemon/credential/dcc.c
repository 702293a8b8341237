/* EU-format health certificates "HC1:": the envelope taken off layer by layer, the signer found and asked. In credential.c's
 * table, on the journal thread in qrgated. */
#include "daemon/credential/dcc.h"

#include <sodium.h>
#include <string.h>
#include <zlib.h>

#include "daemon/credential/base45.h"
#include "daemon/credential/cose.h"
#include "daemon/credential/dcc_claims.h"
#include "daemon/credential/recogniser.h"

static const char prefix[] = "HC1:";
enum {
    PREFIX_BYTES = sizeof prefix - 1,
    PACKED_MAX_BYTES = CREDENTIAL_PAYLOAD_MAX_BYTES / 3 * 2 + 2,
    INFLATE_ARENA_BYTES = 48 * 1024, /* zlib's state, and its window of 32 KiB for a stream that is cut short */
    SIGNERS_TRIED_MAX = 64,          /* 20 ms of ECDSA on a Pi 4; a lane must not be kept busier by one code */
    SUBJECT_HASH_BYTES = 16,
    NAME_SOURCE_BYTES = 2 * 4 * 80 + 2,
};

bool dcc_recognises(const uint8_t *text, size_t length_bytes)
{
    return length_bytes >= PREFIX_BYTES && memcmp(text, prefix, PREFIX_BYTES) == 0;
}

/* ---- zlib ---- */

/* What zlib allocates comes out of here, and goes with the stack. */
struct arena {
    size_t used;
    _Alignas(max_align_t) uint8_t bytes[INFLATE_ARENA_BYTES];
};

static voidpf arena_alloc(voidpf opaque, uInt items, uInt size)
{
    const size_t unit = _Alignof(max_align_t);
    struct arena *arena = opaque;
    size_t left = sizeof arena->bytes - arena->used;

    if (size != 0 && items > left / size)
        return NULL;
    size_t wanted = ((size_t)items * size + unit - 1) / unit * unit;
    if (wanted > left)
        return NULL;
    arena->used += wanted;
    return arena->bytes + arena->used - wanted;
}

static void arena_free(voidpf opaque, voidpf address)
{
    (void)opaque;
    (void)address;
}

/* NULL, or what is wrong. */
static const char *inflate_all(const uint8_t *packed, size_t packed_bytes, uint8_t dst[DCC_INFLATED_MAX_BYTES],
                               size_t *ret_bytes)
{
    struct arena arena;
    z_stream stream = {.zalloc = arena_alloc, .zfree = arena_free, .opaque = &arena, .avail_in = (uInt)packed_bytes,
                       .avail_out = DCC_INFLATED_MAX_BYTES, .next_out = dst};

    arena.used = 0;
    stream.next_in = (z_const Bytef *)packed;
    if (inflateInit(&stream) != Z_OK)
        return "zlib: can't be started here";
    int result = inflate(&stream, Z_FINISH);
    size_t inflated_bytes = DCC_INFLATED_MAX_BYTES - stream.avail_out;
    bool at_end = stream.avail_in == 0;
    (void)inflateEnd(&stream); /* frees nothing: it is all in the arena */
    if (result == Z_STREAM_END && at_end) {
        *ret_bytes = inflated_bytes;
        return NULL;
    }
    if (result == Z_STREAM_END)
        return "zlib: bytes after its end";
    return inflated_bytes == DCC_INFLATED_MAX_BYTES ? "zlib: inflates to more than the 32768 bytes allowed"
                                                    : "zlib: broken, cut short, or not compressed";
}

/* ---- who signed ---- */

struct signer {
    const struct trust_certificate *certificate; /* NULL: none */
    bool may_sign, verified;
};

/* The first that is not before `kid`. */
static size_t lower_bound(const struct certificate_trust *trust, const uint8_t kid[TRUST_CERTIFICATE_KID_BYTES])
{
    size_t low = 0, high = trust->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memcmp(trust->certificates[middle].kid, kid, TRUST_CERTIFICATE_KID_BYTES) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Verified before permitted before merely of that kid. */
static int rank(const struct signer *signer)
{
    return signer->certificate == NULL ? 0 : 1 + signer->may_sign + 2 * signer->verified;
}

/* A kid is 8 bytes of a hash: several certificates may share one, so each is tried. One that no certificate has means an
 * unknown key, though another's key might verify: the EU's public test data says so, in which a wrong kid in the protected
 * header beside a right signature must be refused. Without any kid whichever key verifies is the signer. */
static struct signer find_signer(const struct certificate_trust *trust, const struct cose_message *message,
                                 const uint8_t *signed_bytes, size_t signed_length, unsigned kinds)
{
    bool any = message->kid_bytes == 0;
    struct signer best = {.certificate = NULL};

    if (trust == NULL || (!any && message->kid_bytes != TRUST_CERTIFICATE_KID_BYTES))
        return best;
    size_t tried = 0;
    for (size_t i = any ? 0 : lower_bound(trust, message->kid); i < trust->count && tried < SIGNERS_TRIED_MAX; i++) {
        const struct trust_certificate *certificate = &trust->certificates[i];
        if (!any && memcmp(certificate->kid, message->kid, TRUST_CERTIFICATE_KID_BYTES) != 0)
            break;
        if (any && certificate->cose_alg != message->alg)
            continue;
        tried++;
        struct signer one = {.certificate = certificate};
        one.may_sign = certificate->usage == 0 || (kinds & ~certificate->usage) == 0;
        one.verified = cose_verify_openssl(signed_bytes, signed_length, message, certificate->key,
                                           certificate->cose_alg);
        if (any && !one.verified)
            continue;
        if (rank(&one) > rank(&best))
            best = one;
        if (best.verified && best.may_sign)
            break;
    }
    return best;
}

/* In the order of faults: key before usage before signature. */
static void check_signer(const struct signer *signer, const struct cose_message *message, unsigned kinds,
                         struct credential *ret)
{
    if (signer->certificate == NULL) {
        const char *unknown = message->kid_bytes == 0 ? "header kid: missing, and no trusted certificate's key fits"
                                                      : "header kid: no such certificate in the trust folder";
        credential_mark_fault(ret, CHECK_KEY, CREDENTIAL_FAULT_KEY_UNKNOWN, unknown);
        return;
    }
    ret->checks[CHECK_KEY] = CHECK_PASSED;
    ret->key_from_s = signer->certificate->not_before_s;
    ret->key_until_s = signer->certificate->not_after_s;
    if (!signer->may_sign)
        credential_mark_fault(ret, CHECK_KEY_USAGE, CREDENTIAL_FAULT_KEY_NOT_VALID,
                              "key usage: the signer's certificate is not for this kind (test, vaccination, recovery)");
    else if (kinds != 0)
        ret->checks[CHECK_KEY_USAGE] = CHECK_PASSED;
    if (!signer->verified) {
        credential_mark_fault(ret, CHECK_SIGNATURE, CREDENTIAL_FAULT_SIGNATURE, "signature: does not hold");
        return;
    }
    ret->checks[CHECK_SIGNATURE] = CHECK_PASSED;
    ret->is_signed = true;
}

/* ---- fields ---- */

static size_t put_text(struct dcc_text text, char *dst, size_t dst_bytes, size_t used)
{
    size_t length = text.length_bytes < dst_bytes - used ? text.length_bytes : dst_bytes - used;

    if (length > 0)
        memcpy(dst + used, text.bytes, length);
    return used + length;
}

/* "Given Family"; where neither is written out, the standardised ones. A name too long for the room is cut. */
static void fill_name(const struct dcc_names *names, struct credential *ret)
{
    bool plain = names->given.length_bytes + names->family.length_bytes > 0;
    struct dcc_text first = plain ? names->given : names->standard_given;
    struct dcc_text last = plain ? names->family : names->standard_family;
    char name[NAME_SOURCE_BYTES];
    size_t length = put_text(first, name, sizeof name, 0);

    if (first.length_bytes > 0 && last.length_bytes > 0)
        name[length++] = ' ';
    length = put_text(last, name, sizeof name, length);
    for (size_t i = 0; !plain && i < length; i++)
        if (name[i] == '<')
            name[i] = ' ';
    /* Normalising may make it longer or shorter, so the length that fits is found by trying. */
    while (!credential_take_name(ret, (const uint8_t *)name, length) && length > 0) {
        length -= length / 8 + 1;
        while (length > 0 && ((unsigned char)name[length] & 0xc0) == 0x80)
            length--;
    }
}

static void fill_subject(const struct dcc_claims *claims, struct credential *ret)
{
    const char *birth_date = claims->health.birth_date;
    const uint8_t separator = '<';
    uint8_t digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_state state;
    struct dcc_text family = claims->names.standard_family, given = claims->names.standard_given;

    /* None of these can fail. */
    (void)crypto_hash_sha256_init(&state);
    (void)crypto_hash_sha256_update(&state, family.bytes, family.length_bytes);
    (void)crypto_hash_sha256_update(&state, &separator, 1);
    (void)crypto_hash_sha256_update(&state, given.bytes, given.length_bytes);
    (void)crypto_hash_sha256_update(&state, &separator, 1);
    (void)crypto_hash_sha256_update(&state, (const uint8_t *)birth_date, strlen(birth_date));
    (void)crypto_hash_sha256_final(&state, digest);
    memcpy(ret->subject, "hc1:", 4);
    (void)sodium_bin2hex(ret->subject + 4, sizeof ret->subject - 4, digest, SUBJECT_HASH_BYTES);
}

static void fill(const struct dcc_claims *claims, const uint8_t *signed_bytes, size_t signed_length,
                 struct credential *ret)
{
    uint8_t digest[crypto_hash_sha256_BYTES];

    ret->health = claims->health;
    ret->issued_at_s = claims->issued_at_s;
    ret->expires_at_s = claims->expires_at_s;
    fill_name(&claims->names, ret);
    fill_subject(claims, ret);
    (void)crypto_hash_sha256(digest, signed_bytes, signed_length); /* cannot fail: always 0 */
    memcpy(ret->token_id, digest, sizeof ret->token_id);
}

/* ---- layer by layer ---- */

static const char *read_message(const uint8_t *bytes, size_t length_bytes, struct cose_message *ret)
{
    const char *wrong = cose_read(bytes, length_bytes, COSE_SIGN1, ret);

    if (wrong == NULL && ret->alg != COSE_ALG_ES256 && ret->alg != COSE_ALG_PS256)
        return "header alg: only -7 (ES256) and -37 (PS256) are allowed";
    return wrong;
}

/* What the message says and who signed it. A broken certificate is refused without any of the costly arithmetic, unless
 * somebody asks how the other checks end. */
static void read_signed(const struct cose_message *message, const struct credential_trust *trust,
                        struct credential *ret)
{
    uint8_t signed_bytes[COSE_TO_BE_SIGNED_MAX_BYTES];
    struct dcc_claims claims;
    const char *wrong = dcc_claims_read(message->payload, message->payload_bytes, &claims);

    if (wrong != NULL) {
        credential_fail_check(ret, CHECK_CLAIMS, CREDENTIAL_FAULT_MALFORMED, wrong);
        return;
    }
    ret->checks[CHECK_CLAIMS] = CHECK_PASSED;
    ret->checks[CHECK_SCHEMA] = CHECK_PASSED;
    if (claims.schema_wrong != NULL) {
        credential_fail_check(ret, CHECK_SCHEMA, CREDENTIAL_FAULT_MALFORMED, claims.schema_wrong);
        if (trust == NULL || !trust->explain)
            return;
    }
    int signed_length = cose_to_be_signed(message, signed_bytes, sizeof signed_bytes);
    if (signed_length < 0) {
        credential_fail_check(ret, CHECK_COSE, CREDENTIAL_FAULT_MALFORMED, "message: 32768 bytes at most are allowed");
        return;
    }
    struct signer signer = find_signer(trust == NULL ? NULL : trust->certificates, message, signed_bytes,
                                       (size_t)signed_length, claims.kinds);
    check_signer(&signer, message, claims.kinds, ret);
    if (claims.schema_wrong == NULL)
        fill(&claims, signed_bytes, (size_t)signed_length, ret);
}

void dcc_read(const uint8_t *text, size_t length_bytes, const struct credential_trust *trust, struct credential *ret)
{
    uint8_t packed[PACKED_MAX_BYTES], inflated[DCC_INFLATED_MAX_BYTES];
    struct cose_message message;
    size_t inflated_bytes;
    int packed_bytes = base45_decode((const char *)text + PREFIX_BYTES, length_bytes - PREFIX_BYTES, packed,
                                     sizeof packed);

    if (packed_bytes <= 0) {
        credential_fail_check(ret, CHECK_BASE45, CREDENTIAL_FAULT_MALFORMED,
                              "text: only Base45 of RFC 9285 is allowed after HC1:");
        return;
    }
    ret->checks[CHECK_BASE45] = CHECK_PASSED;
    const char *wrong = inflate_all(packed, (size_t)packed_bytes, inflated, &inflated_bytes);
    if (wrong != NULL) {
        credential_fail_check(ret, CHECK_ZLIB, CREDENTIAL_FAULT_MALFORMED, wrong);
        return;
    }
    ret->checks[CHECK_ZLIB] = CHECK_PASSED;
    wrong = read_message(inflated, inflated_bytes, &message);
    if (wrong != NULL) {
        credential_fail_check(ret, CHECK_COSE, CREDENTIAL_FAULT_MALFORMED, wrong);
        return;
    }
    ret->checks[CHECK_COSE] = CHECK_PASSED;
    read_signed(&message, trust, ret);
}
