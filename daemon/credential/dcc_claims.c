/* The claims of a health certificate and the certificate in them: one table of members for each object of the EU's schema,
 * one reader for all of them. Used by dcc.c, on the journal thread in qrgated. */
#include "daemon/credential/dcc_claims.h"

#include <string.h>

#include "daemon/credential/cbor_read.h"
#include "daemon/credential/dcc_time.h"
#include "daemon/credential/utf8.h"

enum { CLAIM_EXP = 4, CLAIM_NBF = 5, CLAIM_IAT = 6, CLAIM_HCERT = -260, HCERT_EU_DCC_V1 = 1 };
enum { TAG_TIME_TEXT = 0, TAG_TIME_NUMBER = 1, TAG_DATE_TEXT = 1004 };
enum { TEXT_MAX_CHARACTERS = 80, DOSES_MAX = 1000, MEMBERS_MAX = 12, NESTED_DEPTH = 1 };
#define TIME_MAX_S INT64_C(253402300799) /* the end of the year 9999 */
#define MILLISECONDS_LEAST INT64_C(1500000000000) /* of the year 2017; as seconds it would be far in the future */

/* What the value of a member must be, and what is kept of it. */
enum form {
    FORM_TEXT,     /* kept, cut at the room; room 0: not kept */
    FORM_SHORT,    /* the same, at most 80 characters */
    FORM_COUNTRY,  /* kept when it is the usual two letters */
    FORM_NAME,     /* struct dcc_text */
    FORM_STANDARD, /* struct dcc_text of A-Z and '<' */
    FORM_VERSION,
    FORM_BIRTH,
    FORM_DATE,     /* int64_t */
    FORM_TIME,     /* int64_t */
    FORM_COUNT,    /* int */
    FORM_RESULT,   /* bool: detected */
    FORM_NAMES,    /* an object: struct dcc_names */
    FORM_ENTRIES,  /* an array of objects: struct health_certificate */
};

struct object;
struct member {
    char key[4];
    enum form form;
    bool required;
    size_t offset, room; /* in what the object is read into */
    const char *wrong;
    const struct object *entries;
};

struct object {
    const struct member *members;
    size_t count;
    const char *wrong; /* not an object at all */
    enum health_type type;
    unsigned usage;
};

struct walk {
    struct cbor_reader reader;
    struct dcc_claims *claims;
};

#define IN_HEALTH(field) offsetof(struct health_certificate, field), sizeof((struct health_certificate *)0)->field
#define IN_NAMES(field) offsetof(struct dcc_names, field), 0
#define NOT_KEPT 0, 0

static const struct member name_members[] = {
    {"fn", FORM_NAME, false, IN_NAMES(family), "nam.fn: plain text of at most 80 characters allowed", NULL},
    {"gn", FORM_NAME, false, IN_NAMES(given), "nam.gn: plain text of at most 80 characters allowed", NULL},
    {"fnt", FORM_STANDARD, false, IN_NAMES(standard_family), "nam.fnt: at most 80 of A-Z and < allowed", NULL},
    {"gnt", FORM_STANDARD, false, IN_NAMES(standard_given), "nam.gnt: at most 80 of A-Z and < allowed", NULL},
};

static const struct member vaccination_members[] = {
    {"tg", FORM_TEXT, true, IN_HEALTH(disease), "v.tg: the disease's code is required", NULL},
    {"vp", FORM_TEXT, true, NOT_KEPT, "v.vp: the vaccine's code is required", NULL},
    {"mp", FORM_TEXT, true, IN_HEALTH(product), "v.mp: the product's code is required", NULL},
    {"ma", FORM_TEXT, true, NOT_KEPT, "v.ma: the manufacturer's code is required", NULL},
    {"dn", FORM_COUNT, true, IN_HEALTH(dose), "v.dn: a whole number from 1 is required", NULL},
    {"sd", FORM_COUNT, true, IN_HEALTH(doses), "v.sd: a whole number from 1 is required", NULL},
    {"dt", FORM_DATE, true, IN_HEALTH(vaccinated_on_s), "v.dt: a date YYYY-MM-DD is required", NULL},
    {"co", FORM_COUNTRY, true, IN_HEALTH(country), "v.co: a country of capital letters is required", NULL},
    {"is", FORM_SHORT, true, NOT_KEPT, "v.is: an issuer of at most 80 characters is required", NULL},
    {"ci", FORM_SHORT, true, IN_HEALTH(certificate_id), "v.ci: an id of at most 80 characters is required", NULL},
};

/* `tc` was required once; the regulation's later text lets it be missing. */
static const struct member test_members[] = {
    {"tg", FORM_TEXT, true, IN_HEALTH(disease), "t.tg: the disease's code is required", NULL},
    {"tt", FORM_TEXT, true, IN_HEALTH(test_type), "t.tt: the test type's code is required", NULL},
    {"nm", FORM_SHORT, false, NOT_KEPT, "t.nm: text of at most 80 characters allowed", NULL},
    {"ma", FORM_TEXT, false, NOT_KEPT, "t.ma: text allowed", NULL},
    {"sc", FORM_TIME, true, IN_HEALTH(sampled_at_s), "t.sc: a time YYYY-MM-DDThh:mm:ssZ is required", NULL},
    {"tr", FORM_RESULT, true, IN_HEALTH(detected), "t.tr: 260415000 or 260373001 is required", NULL},
    {"tc", FORM_SHORT, false, NOT_KEPT, "t.tc: text of at most 80 characters allowed", NULL},
    {"co", FORM_COUNTRY, true, IN_HEALTH(country), "t.co: a country of capital letters is required", NULL},
    {"is", FORM_SHORT, true, NOT_KEPT, "t.is: an issuer of at most 80 characters is required", NULL},
    {"ci", FORM_SHORT, true, IN_HEALTH(certificate_id), "t.ci: an id of at most 80 characters is required", NULL},
};

static const struct member recovery_members[] = {
    {"tg", FORM_TEXT, true, IN_HEALTH(disease), "r.tg: the disease's code is required", NULL},
    {"fr", FORM_DATE, true, IN_HEALTH(first_positive_s), "r.fr: a date YYYY-MM-DD is required", NULL},
    {"df", FORM_DATE, true, IN_HEALTH(from_s), "r.df: a date YYYY-MM-DD is required", NULL},
    {"du", FORM_DATE, true, IN_HEALTH(until_s), "r.du: a date YYYY-MM-DD is required", NULL},
    {"co", FORM_COUNTRY, true, IN_HEALTH(country), "r.co: a country of capital letters is required", NULL},
    {"is", FORM_SHORT, true, NOT_KEPT, "r.is: an issuer of at most 80 characters is required", NULL},
    {"ci", FORM_SHORT, true, IN_HEALTH(certificate_id), "r.ci: an id of at most 80 characters is required", NULL},
};

#define MEMBERS(array) array, sizeof array / sizeof array[0]
static const struct object names_object = {MEMBERS(name_members), "nam: an object is required", HEALTH_NONE, 0};
static const struct object vaccination_object = {MEMBERS(vaccination_members), "v: an array of objects is required",
                                                 HEALTH_VACCINATION, TRUST_USAGE_VACCINATION};
static const struct object test_object = {MEMBERS(test_members), "t: an array of objects is required", HEALTH_TEST,
                                          TRUST_USAGE_TEST};
static const struct object recovery_object = {MEMBERS(recovery_members), "r: an array of objects is required",
                                              HEALTH_RECOVERY, TRUST_USAGE_RECOVERY};

/* The birth date goes into the claims' own health, the entries are chosen among. */
static const struct member dcc_members[] = {
    {"ver", FORM_VERSION, true, NOT_KEPT, "ver: a version 1.2.3 is required", NULL},
    {"nam", FORM_NAMES, true, NOT_KEPT, "nam: an object is required", &names_object},
    {"dob", FORM_BIRTH, true, IN_HEALTH(birth_date), "dob: YYYY-MM-DD, YYYY-MM, YYYY or nothing is required", NULL},
    {"v", FORM_ENTRIES, false, NOT_KEPT, "v: an array of objects is required", &vaccination_object},
    {"t", FORM_ENTRIES, false, NOT_KEPT, "t: an array of objects is required", &test_object},
    {"r", FORM_ENTRIES, false, NOT_KEPT, "r: an array of objects is required", &recovery_object},
};
static const struct object dcc_object = {MEMBERS(dcc_members), "certificate: must be an object", HEALTH_NONE, 0};

_Static_assert(sizeof vaccination_members / sizeof vaccination_members[0] <= MEMBERS_MAX, "seen[] has room for each");
_Static_assert(sizeof test_members / sizeof test_members[0] <= MEMBERS_MAX, "seen[] has room for each");

/* The first thing wrong is the one told. */
static void note(struct walk *walk, const char *wrong)
{
    if (walk->claims->schema_wrong == NULL)
        walk->claims->schema_wrong = wrong;
}

/* ---- single values ---- */

/* A tag of RFC 8949 for times, and what it stands before. */
struct scalar {
    struct cbor_value value;
    bool tagged;
};

/* The next item whole: what is no scalar is skipped, and its kind tells. */
static int read_scalar(struct cbor_reader *reader, struct scalar *ret)
{
    struct cbor_reader before = *reader;

    ret->tagged = false;
    if (cbor_read_next(reader, &ret->value) < 0)
        return -1;
    uint64_t tag = ret->value.number;
    if (ret->value.kind == CBOR_READ_TAG && (tag == TAG_TIME_TEXT || tag == TAG_TIME_NUMBER || tag == TAG_DATE_TEXT)) {
        if (cbor_read_next(reader, &ret->value) < 0)
            return -1;
        ret->tagged = true;
    }
    if (ret->value.kind != CBOR_READ_TAG && ret->value.kind != CBOR_READ_ARRAY && ret->value.kind != CBOR_READ_MAP)
        return 0;
    *reader = before;
    return cbor_read_skip(reader, NESTED_DEPTH);
}

/* An integer or a float. Comparing before the cast keeps NaN, infinities and giants out of it. */
static bool whole_seconds(const struct cbor_value *value, int64_t *ret_s)
{
    int64_t seconds;

    if (value->kind == CBOR_READ_FLOAT) {
        if (!(value->real >= 1.0 && value->real <= (double)TIME_MAX_S))
            return false;
        *ret_s = (int64_t)value->real;
        return true;
    }
    if (!cbor_read_int64(value, &seconds) || seconds < 1 || seconds > TIME_MAX_S)
        return false;
    *ret_s = seconds;
    return true;
}

static size_t characters(const struct cbor_value *text)
{
    size_t count = 0;

    for (size_t i = 0; i < text->number; i++)
        count += (text->bytes[i] & 0xc0) != 0x80;
    return count;
}

/* Cut at the room, never inside a character. */
static bool keep_text(const struct cbor_value *text, char *dst, size_t room)
{
    size_t length = (size_t)text->number;

    if (room == 0)
        return true;
    if (!utf8_plain(text->bytes, length))
        return false;
    if (length >= room) {
        length = room - 1;
        while (length > 0 && (text->bytes[length] & 0xc0) == 0x80)
            length--;
    }
    memcpy(dst, text->bytes, length);
    dst[length] = '\0';
    return true;
}

/* No rule of ours looks at it, so one that an issuer left empty is no reason to refuse its holder. */
static bool keep_country(const struct cbor_value *text, char *dst, size_t room)
{
    bool has_letter = text->number == 0;

    for (size_t i = 0; i < text->number; i++)
        has_letter = has_letter || (text->bytes[i] >= 'A' && text->bytes[i] <= 'Z');
    return has_letter && (text->number >= room || keep_text(text, dst, room));
}

static bool is_standard(const struct cbor_value *text)
{
    for (size_t i = 0; i < text->number; i++)
        if (text->bytes[i] != '<' && (text->bytes[i] < 'A' || text->bytes[i] > 'Z'))
            return false;
    return true;
}

static bool is_version(const struct cbor_value *text)
{
    size_t parts = 1, digits = 0;

    for (size_t i = 0; i < text->number; i++) {
        if (text->bytes[i] == '.' && digits > 0) {
            parts++;
            digits = 0;
        } else if (text->bytes[i] >= '0' && text->bytes[i] <= '9') {
            digits++;
        } else {
            return false;
        }
    }
    return parts == 3 && digits > 0;
}

static bool text_is(const struct cbor_value *text, const char *other)
{
    return text->number == strlen(other) && memcmp(text->bytes, other, (size_t)text->number) == 0;
}

static bool keep_result(const struct cbor_value *text, bool *ret_detected)
{
    *ret_detected = text_is(text, "260373001");
    return *ret_detected || text_is(text, "260415000");
}

static bool keep_slice(const struct cbor_value *text, struct dcc_text *ret)
{
    *ret = (struct dcc_text){text->bytes, (size_t)text->number};
    return true;
}

static bool keep_count(const struct cbor_value *value, int *ret)
{
    int64_t count;

    if (value->kind == CBOR_READ_FLOAT) { /* JSON knows one kind of number, and some issuers come from there */
        if (!(value->real >= 1.0 && value->real <= DOSES_MAX))
            return false;
        *ret = (int)value->real;
        return (double)*ret == value->real;
    }
    if (!cbor_read_int64(value, &count) || count < 1 || count > DOSES_MAX)
        return false;
    *ret = (int)count;
    return true;
}

/* The first issuers wrote a test's time as an integer of milliseconds; the schema never knew it. */
static bool keep_milliseconds(const struct cbor_value *value, int64_t *ret_s)
{
    int64_t milliseconds;

    if (!cbor_read_int64(value, &milliseconds) || milliseconds < MILLISECONDS_LEAST || milliseconds / 1000 > TIME_MAX_S)
        return false;
    *ret_s = milliseconds / 1000;
    return true;
}

static bool keep_time(const struct scalar *scalar, enum form form, int64_t *ret_s)
{
    const struct cbor_value *value = &scalar->value;

    if (value->kind == CBOR_READ_TEXT)
        return form == FORM_DATE ? dcc_date_read(value->bytes, (size_t)value->number, ret_s)
                                 : dcc_time_read(value->bytes, (size_t)value->number, ret_s);
    if (scalar->tagged)
        return whole_seconds(value, ret_s);
    return form == FORM_TIME && keep_milliseconds(value, ret_s);
}

static bool keep(const struct scalar *scalar, const struct member *member, void *object)
{
    const struct cbor_value *value = &scalar->value;
    void *dst = (char *)object + member->offset;
    bool is_short = value->kind == CBOR_READ_TEXT && !scalar->tagged && characters(value) <= TEXT_MAX_CHARACTERS;
    bool is_text = value->kind == CBOR_READ_TEXT && !scalar->tagged;

    switch (member->form) {
    case FORM_TEXT: return is_text && keep_text(value, dst, member->room);
    case FORM_SHORT: return is_short && keep_text(value, dst, member->room);
    case FORM_COUNTRY: return is_text && keep_country(value, dst, member->room);
    case FORM_VERSION: return is_text && is_version(value);
    case FORM_BIRTH:
        return is_text && dcc_birth_date_valid(value->bytes, (size_t)value->number) && keep_text(value, dst, member->room);
    case FORM_DATE: case FORM_TIME: return keep_time(scalar, member->form, dst);
    case FORM_COUNT: return keep_count(value, dst);
    case FORM_RESULT: return is_text && keep_result(value, dst);
    case FORM_NAME: return is_short && utf8_plain(value->bytes, (size_t)value->number) && keep_slice(value, dst);
    case FORM_STANDARD: return is_short && is_standard(value) && keep_slice(value, dst);
    case FORM_NAMES: case FORM_ENTRIES: break;
    }
    return false;
}

/* ---- objects ---- */

static const struct member *find_member(const struct object *object, const struct cbor_value *key)
{
    for (size_t i = 0; i < object->count; i++)
        if (key->kind == CBOR_READ_TEXT && text_is(key, object->members[i].key))
            return &object->members[i];
    return NULL;
}

static int read_entries(struct walk *walk, const struct member *member);
static int read_object(struct walk *walk, const struct object *object, void *ret);

/* `*ret_present` stays as it was for a null where nothing is required: some issuers write so what isn't there. */
static int read_member(struct walk *walk, const struct member *member, void *object, bool *ret_present)
{
    struct scalar scalar;

    if (member->form == FORM_NAMES || member->form == FORM_ENTRIES) {
        *ret_present = true;
        return member->form == FORM_NAMES ? read_object(walk, member->entries, &walk->claims->names)
                                          : read_entries(walk, member);
    }
    if (read_scalar(&walk->reader, &scalar) < 0)
        return -1;
    bool is_null = scalar.value.kind == CBOR_READ_SIMPLE && scalar.value.number >= CBOR_READ_NULL;
    if (is_null && !member->required)
        return 0;
    *ret_present = true;
    if (!keep(&scalar, member, object))
        note(walk, member->wrong);
    return 0;
}

/* 0, or -1 for bytes that are no CBOR we read; what the schema doesn't allow is only noted. */
static int read_object(struct walk *walk, const struct object *object, void *ret)
{
    struct cbor_reader before = walk->reader;
    bool seen[MEMBERS_MAX] = {false};
    struct cbor_value map, key;
    struct cbor_keys keys;

    keys.count = 0;
    if (cbor_read_next(&walk->reader, &map) < 0)
        return -1;
    if (map.kind != CBOR_READ_MAP) {
        note(walk, object->wrong);
        walk->reader = before;
        return cbor_read_skip(&walk->reader, NESTED_DEPTH);
    }
    for (uint64_t i = 0; cbor_read_more(&walk->reader, &map, i); i++) {
        if (cbor_read_key(&walk->reader, &keys, &key) < 0)
            return -1;
        const struct member *member = find_member(object, &key);
        int error = member == NULL ? cbor_read_skip(&walk->reader, NESTED_DEPTH)
                                   : read_member(walk, member, ret, &seen[member - object->members]);
        if (error < 0)
            return -1;
    }
    for (size_t i = 0; i < object->count; i++)
        if (object->members[i].required && !seen[i])
            note(walk, object->members[i].wrong);
    return 0;
}

static int64_t entry_time(const struct health_certificate *entry)
{
    return entry->type == HEALTH_VACCINATION ? entry->vaccinated_on_s
           : entry->type == HEALTH_TEST      ? entry->sampled_at_s
                                             : entry->first_positive_s;
}

/* Of several entries the newest counts. An empty array or null is as if it were not there. */
static int read_entries(struct walk *walk, const struct member *member)
{
    struct health_certificate *newest = &walk->claims->health;
    const struct object *object = member->entries;
    struct cbor_reader before = walk->reader;
    struct cbor_value array;

    if (cbor_read_next(&walk->reader, &array) < 0)
        return -1;
    if (array.kind == CBOR_READ_SIMPLE && array.number >= CBOR_READ_NULL)
        return 0;
    if (array.kind != CBOR_READ_ARRAY) {
        note(walk, member->wrong);
        walk->reader = before;
        return cbor_read_skip(&walk->reader, NESTED_DEPTH);
    }
    for (uint64_t i = 0; cbor_read_more(&walk->reader, &array, i); i++) {
        struct health_certificate entry = {.type = object->type};
        if (read_object(walk, object, &entry) < 0)
            return -1;
        walk->claims->kinds |= object->usage;
        if (newest->type != HEALTH_NONE && entry_time(&entry) <= entry_time(newest))
            continue;
        memcpy(entry.birth_date, newest->birth_date, sizeof entry.birth_date);
        *newest = entry;
    }
    return 0;
}

static int read_certificate(struct walk *walk)
{
    struct dcc_claims *claims = walk->claims;

    if (read_object(walk, &dcc_object, &claims->health) < 0)
        return -1;
    if (claims->names.standard_family.length_bytes == 0 && claims->names.standard_given.length_bytes == 0)
        note(walk, "nam: one of fnt and gnt is required");
    if (claims->kinds == 0)
        note(walk, "certificate: one of v, t and r is required");
    else if ((claims->kinds & (claims->kinds - 1)) != 0)
        note(walk, "certificate: only one of v, t and r is allowed");
    return 0;
}

/* ---- claims ---- */

struct claims_found {
    bool exp, iat, certificate;
    int64_t not_before_s;
};

static const char *read_hcert(struct walk *walk, struct claims_found *found)
{
    static const char wrong[] = "claim -260: not the CBOR allowed, or more than 32 members in an object";
    struct cbor_value map, key;
    struct cbor_keys keys;
    int64_t label;

    keys.count = 0;
    if (cbor_read_next(&walk->reader, &map) < 0 || map.kind != CBOR_READ_MAP)
        return "claim -260: must be a CBOR map";
    for (uint64_t i = 0; cbor_read_more(&walk->reader, &map, i); i++) {
        if (cbor_read_key(&walk->reader, &keys, &key) < 0)
            return wrong;
        bool is_ours = cbor_read_int64(&key, &label) && label == HCERT_EU_DCC_V1;
        if ((is_ours ? read_certificate(walk) : cbor_read_skip(&walk->reader, NESTED_DEPTH)) < 0)
            return wrong;
        found->certificate = found->certificate || is_ours;
    }
    return NULL;
}

static const char *read_claim(struct walk *walk, const struct cbor_value *key, struct claims_found *found)
{
    struct cbor_value value;
    int64_t label, *time_s;

    if (!cbor_read_int64(key, &label))
        label = 0; /* a text key: none of ours */
    switch (label) {
    case CLAIM_EXP: time_s = &walk->claims->expires_at_s, found->exp = true; break;
    case CLAIM_IAT: time_s = &walk->claims->issued_at_s, found->iat = true; break;
    case CLAIM_NBF: time_s = &found->not_before_s; break;
    case CLAIM_HCERT: return read_hcert(walk, found);
    default: return cbor_read_skip(&walk->reader, NESTED_DEPTH) < 0 ? "claims: a value is not the CBOR allowed" : NULL;
    }
    if (cbor_read_next(&walk->reader, &value) < 0 || !whole_seconds(&value, time_s))
        return "claims exp, iat, nbf: seconds from 1 to 253402300799 allowed, integer or float";
    return NULL;
}

const char *dcc_claims_read(const uint8_t *payload, size_t length_bytes, struct dcc_claims *ret)
{
    struct walk walk = {.reader = {.bytes = payload, .length_bytes = length_bytes, .allow_indefinite = true},
                        .claims = ret};
    struct claims_found found = {.not_before_s = 0};
    struct cbor_value map, key;
    struct cbor_keys keys;

    *ret = (struct dcc_claims){.kinds = 0};
    keys.count = 0;
    if (cbor_read_next(&walk.reader, &map) < 0 || map.kind != CBOR_READ_MAP)
        return "claims: must be a CBOR map";
    for (uint64_t i = 0; cbor_read_more(&walk.reader, &map, i); i++) {
        if (cbor_read_key(&walk.reader, &keys, &key) < 0)
            return "claims: keys must be integers or text, each once, 32 at most";
        const char *wrong = read_claim(&walk, &key, &found);
        if (wrong != NULL)
            return wrong;
    }
    if (!cbor_read_ended(&walk.reader))
        return "claims: bytes after their end";
    if (!found.exp || !found.iat || !found.certificate)
        return "claims: exp, iat and -260 with a certificate under key 1 are all required";
    if (found.not_before_s > ret->issued_at_s)
        ret->issued_at_s = found.not_before_s;
    return NULL;
}
