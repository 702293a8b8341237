/* The claims of a health certificate and the certificate in them: one table of members for each object of the EU's schema,
 * one reader for all of them. Used by dcc.c, on the journal thread in qrgated. */
#include "daemon/credential/dcc_claims.h"

#include <string.h>

#include "daemon/credential/cbor_read.h"
#include "daemon/credential/dcc_value.h"

enum { CLAIM_EXP = 4, CLAIM_NBF = 5, CLAIM_IAT = 6, CLAIM_HCERT = -260, HCERT_EU_DCC_V1 = 1 };
enum { MEMBERS_MAX = 12 };

struct object;
struct member {
    char key[4];
    enum dcc_form form;
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
    {"fn", DCC_FORM_NAME, false, IN_NAMES(family), "nam.fn: plain text of at most 80 characters allowed", NULL},
    {"gn", DCC_FORM_NAME, false, IN_NAMES(given), "nam.gn: plain text of at most 80 characters allowed", NULL},
    {"fnt", DCC_FORM_STANDARD, false, IN_NAMES(standard_family), "nam.fnt: at most 80 of A-Z and < allowed", NULL},
    {"gnt", DCC_FORM_STANDARD, false, IN_NAMES(standard_given), "nam.gnt: at most 80 of A-Z and < allowed", NULL},
};

static const struct member vaccination_members[] = {
    {"tg", DCC_FORM_TEXT, true, IN_HEALTH(disease), "v.tg: the disease's code is required", NULL},
    {"vp", DCC_FORM_TEXT, true, NOT_KEPT, "v.vp: the vaccine's code is required", NULL},
    {"mp", DCC_FORM_TEXT, true, IN_HEALTH(product), "v.mp: the product's code is required", NULL},
    {"ma", DCC_FORM_TEXT, true, NOT_KEPT, "v.ma: the manufacturer's code is required", NULL},
    {"dn", DCC_FORM_COUNT, true, IN_HEALTH(dose), "v.dn: a whole number from 1 is required", NULL},
    {"sd", DCC_FORM_COUNT, true, IN_HEALTH(doses), "v.sd: a whole number from 1 is required", NULL},
    {"dt", DCC_FORM_DATE, true, IN_HEALTH(vaccinated_on_s), "v.dt: a date YYYY-MM-DD is required", NULL},
    {"co", DCC_FORM_COUNTRY, true, IN_HEALTH(country), "v.co: a country of capital letters is required", NULL},
    {"is", DCC_FORM_SHORT, true, NOT_KEPT, "v.is: an issuer of at most 80 characters is required", NULL},
    {"ci", DCC_FORM_SHORT, true, IN_HEALTH(certificate_id), "v.ci: an id of at most 80 characters is required", NULL},
};

/* `tc` was required once; the regulation's later text lets it be missing. */
static const struct member test_members[] = {
    {"tg", DCC_FORM_TEXT, true, IN_HEALTH(disease), "t.tg: the disease's code is required", NULL},
    {"tt", DCC_FORM_TEXT, true, IN_HEALTH(test_type), "t.tt: the test type's code is required", NULL},
    {"nm", DCC_FORM_SHORT, false, NOT_KEPT, "t.nm: text of at most 80 characters allowed", NULL},
    {"ma", DCC_FORM_TEXT, false, NOT_KEPT, "t.ma: text allowed", NULL},
    {"sc", DCC_FORM_TIME, true, IN_HEALTH(sampled_at_s), "t.sc: a time YYYY-MM-DDThh:mm:ssZ is required", NULL},
    {"tr", DCC_FORM_RESULT, true, IN_HEALTH(detected), "t.tr: 260415000 or 260373001 is required", NULL},
    {"tc", DCC_FORM_SHORT, false, NOT_KEPT, "t.tc: text of at most 80 characters allowed", NULL},
    {"co", DCC_FORM_COUNTRY, true, IN_HEALTH(country), "t.co: a country of capital letters is required", NULL},
    {"is", DCC_FORM_SHORT, true, NOT_KEPT, "t.is: an issuer of at most 80 characters is required", NULL},
    {"ci", DCC_FORM_SHORT, true, IN_HEALTH(certificate_id), "t.ci: an id of at most 80 characters is required", NULL},
};

static const struct member recovery_members[] = {
    {"tg", DCC_FORM_TEXT, true, IN_HEALTH(disease), "r.tg: the disease's code is required", NULL},
    {"fr", DCC_FORM_DATE, true, IN_HEALTH(first_positive_s), "r.fr: a date YYYY-MM-DD is required", NULL},
    {"df", DCC_FORM_DATE, true, IN_HEALTH(from_s), "r.df: a date YYYY-MM-DD is required", NULL},
    {"du", DCC_FORM_DATE, true, IN_HEALTH(until_s), "r.du: a date YYYY-MM-DD is required", NULL},
    {"co", DCC_FORM_COUNTRY, true, IN_HEALTH(country), "r.co: a country of capital letters is required", NULL},
    {"is", DCC_FORM_SHORT, true, NOT_KEPT, "r.is: an issuer of at most 80 characters is required", NULL},
    {"ci", DCC_FORM_SHORT, true, IN_HEALTH(certificate_id), "r.ci: an id of at most 80 characters is required", NULL},
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
    {"ver", DCC_FORM_VERSION, true, NOT_KEPT, "ver: a version 1.2.3 is required", NULL},
    {"nam", DCC_FORM_NAMES, true, NOT_KEPT, "nam: an object is required", &names_object},
    {"dob", DCC_FORM_BIRTH, true, IN_HEALTH(birth_date), "dob: YYYY-MM-DD, YYYY-MM, YYYY or nothing is required", NULL},
    {"v", DCC_FORM_ENTRIES, false, NOT_KEPT, "v: an array of objects is required", &vaccination_object},
    {"t", DCC_FORM_ENTRIES, false, NOT_KEPT, "t: an array of objects is required", &test_object},
    {"r", DCC_FORM_ENTRIES, false, NOT_KEPT, "r: an array of objects is required", &recovery_object},
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

/* ---- objects ---- */

static const struct member *find_member(const struct object *object, const struct cbor_value *key)
{
    for (size_t i = 0; i < object->count; i++)
        if (key->kind == CBOR_READ_TEXT && dcc_text_is(key, object->members[i].key))
            return &object->members[i];
    return NULL;
}

static int read_entries(struct walk *walk, const struct member *member);
static int read_object(struct walk *walk, const struct object *object, void *ret);

/* `*ret_present` stays as it was for a null where nothing is required: some issuers write so what isn't there. */
static int read_member(struct walk *walk, const struct member *member, void *object, bool *ret_present)
{
    struct dcc_scalar scalar;

    if (member->form == DCC_FORM_NAMES || member->form == DCC_FORM_ENTRIES) {
        *ret_present = true;
        return member->form == DCC_FORM_NAMES ? read_object(walk, member->entries, &walk->claims->names)
                                          : read_entries(walk, member);
    }
    if (dcc_scalar_read(&walk->reader, &scalar) < 0)
        return -1;
    bool is_null = scalar.value.kind == CBOR_READ_SIMPLE && scalar.value.number >= CBOR_READ_NULL;
    if (is_null && !member->required)
        return 0;
    *ret_present = true;
    if (!dcc_value_keep(&scalar, member->form, (char *)object + member->offset, member->room))
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
        return cbor_read_skip(&walk->reader, DCC_NESTED_DEPTH);
    }
    for (uint64_t i = 0; cbor_read_more(&walk->reader, &map, i); i++) {
        if (cbor_read_key(&walk->reader, &keys, &key) < 0)
            return -1;
        const struct member *member = find_member(object, &key);
        int error = member == NULL ? cbor_read_skip(&walk->reader, DCC_NESTED_DEPTH)
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
        return cbor_read_skip(&walk->reader, DCC_NESTED_DEPTH);
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
        if ((is_ours ? read_certificate(walk) : cbor_read_skip(&walk->reader, DCC_NESTED_DEPTH)) < 0)
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
    default: return cbor_read_skip(&walk->reader, DCC_NESTED_DEPTH) < 0 ? "claims: a value is not the CBOR allowed" : NULL;
    }
    if (cbor_read_next(&walk->reader, &value) < 0 || !dcc_seconds_read(&value, time_s))
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
