/* A declaration of health as the form asks it, and the status that follows from it by the site's policy. Pure. Source: the
 * form of tokhaiyte.vn of 2022. */
#ifndef DECISION_DECLARATION_H
#define DECISION_DECLARATION_H

#include "daemon/credential/credential.h"

/* Bits of declaration_answers.symptoms and their names in CSV, JSON and configuration. */
enum symptom { SYMPTOM_FEVER, SYMPTOM_COUGH, SYMPTOM_BREATHLESSNESS, SYMPTOM_PNEUMONIA, SYMPTOM_SORE_THROAT, SYMPTOM_TIREDNESS,
               SYMPTOM_COUNT };
/* With whom there was contact: a patient, somebody from a country with the disease, somebody with its signs. */
enum contact { CONTACT_PATIENT, CONTACT_SICK_COUNTRY, CONTACT_SYMPTOMS, CONTACT_COUNT };
enum declared_by { DECLARED_BY_SELF, DECLARED_BY_GUARD, DECLARED_BY_COUNT };

/* What was answered with yes, and when it last was so (Unix time; 0 = at the time of declaring). */
struct declaration_answers {
    uint16_t symptoms, contacts;
    bool travelled;
    int64_t symptoms_at_s, contact_at_s, travel_at_s;
    enum declared_by by;
};

/* The register's answer for one person. */
struct declaration {
    bool found;
    enum declaration_status status; /* the colour declared: green, yellow, red, white, revoked; NONE = the answers alone */
    int64_t declared_at_s;
    struct declaration_answers answers;
    char group[CREDENTIAL_GROUP_BYTES]; /* for schedules; "" = none */
};

/* What each answer makes of a person: a status, of which the worst counts; STATUS_NONE: the answer changes nothing. An
 * answer counts while its time is no longer ago than its window. */
struct declaration_policy {
    int64_t validity_s;
    bool since_midnight; /* good until the next local midnight, whatever validity_s says */
    int64_t symptom_window_s, contact_window_s, travel_window_s;
    enum declaration_status on_symptom[SYMPTOM_COUNT], on_contact[CONTACT_COUNT], on_travel;
};

/* Time as the caller knows it. */
struct moment {
    int64_t now_s;        /* Unix time */
    int32_t utc_offset_s; /* local time's, at now_s */
    bool clock_trusted;
};

/* The status by colour and answers, the worst of both: revoked, red, yellow, white, green. Without a colour and without a
 * yes that counts: green (every question was answered no). Validity doesn't enter. Not found: STATUS_NONE. */
enum declaration_status declaration_derive(const struct declaration *declaration, const struct declaration_policy *policy,
                                           int64_t now_s);
bool declaration_valid(const struct declaration *declaration, const struct declaration_policy *policy,
                       const struct moment *moment);
bool declaration_status_worse(enum declaration_status a, enum declaration_status b);

const char *symptom_name(enum symptom symptom); /* "fever", "sore_throat", … */
const char *contact_name(enum contact contact); /* "patient", "sick_country", "symptoms" */
const char *declared_by_name(enum declared_by by); /* "self", "guard" */
/* A list of names separated by spaces, commas or semicolons -> bits. "" = 0. False: an unknown name. */
bool symptoms_from_names(const char *names, uint16_t *ret);
bool contacts_from_names(const char *names, uint16_t *ret);
bool declared_by_from_name(const char *name, enum declared_by *ret);

#endif
