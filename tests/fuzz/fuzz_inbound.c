/* Fuzzes the reader of MQTT messages and of JSON lines: each input as a declaration, a revocation and a passage. What
 * was taken must be well-formed, and the same again when written and read. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/credential/subject.h"
#include "daemon/credential/utf8.h"
#include "daemon/mqtt/inbound.h"

#define NOW_S INT64_C(1790000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds, const char *what)
{
    if (holds)
        return;
    (void)fprintf(stderr, "fuzz_inbound: broken: %s\n", what);
    abort();
}

struct heard {
    struct declared declared;
    char transaction[INBOUND_TRANSACTION_BYTES], why[INBOUND_WHY_BYTES];
};

static void check_why(int result, const char *why, size_t why_bytes)
{
    require(result == 0 || result == 1 || result == -EBADMSG, "result");
    require(memchr(why, '\0', why_bytes) != NULL, "why ends");
    require(utf8_plain((const uint8_t *)why, strlen(why)), "why is fit for a log");
    require((result < 0) == (why[0] != '\0'), "why with a refusal alone");
}

static void check_time(int64_t at_s, bool needed)
{
    require((at_s == 0 && !needed) || (at_s > 0 && at_s <= NOW_S + INBOUND_FUTURE_TOLERATED_S), "time");
}

static void check_declared(const struct declared *d)
{
    char subject[CREDENTIAL_SUBJECT_BYTES];
    require((d->person[0] != '\0') != (d->identities[0][0] != '\0'), "whose");
    require(d->person[0] == '\0' || strlen(d->person) == JOURNAL_ID_BYTES - 1, "person");
    for (int i = 0; i < JOURNAL_IDENTITIES_MAX; i++)
        require(d->identities[i][0] == '\0' || (subject_read(d->identities[i], strlen(d->identities[i]), subject) &&
                                                strcmp(subject, d->identities[i]) == 0), "number");
    require((unsigned)d->declaration.status < STATUS_COUNT && d->declaration.status != STATUS_EXPIRED, "status");
    require(d->declaration.answers.symptoms < 1u << SYMPTOM_COUNT, "symptoms");
    require(d->declaration.answers.contacts < 1u << CONTACT_COUNT, "contacts");
    require((unsigned)d->declaration.answers.by < DECLARED_BY_COUNT, "by");
    check_time(d->declaration.declared_at_s, true);
    check_time(d->declaration.answers.symptoms_at_s, false);
    check_time(d->declaration.answers.contact_at_s, false);
    check_time(d->declaration.answers.travel_at_s, false);
}

static void hear(const char *text, size_t length_bytes, struct heard *ret, int *ret_result)
{
    ret->why[0] = '\0';
    *ret_result = inbound_declaration(text, length_bytes, NOW_S, &ret->declared, ret->transaction, ret->why,
                                      sizeof ret->why);
}

static void fuzz_declaration(const char *text, size_t length_bytes)
{
    struct heard heard, again;
    char first[1024], second[1024];
    int result;
    hear(text, length_bytes, &heard, &result);
    check_why(result, heard.why, sizeof heard.why);
    require(strlen(heard.transaction) < sizeof heard.transaction, "transaction");
    if (result < 0) {
        require(heard.declared.person[0] == '\0' && heard.declared.identities[0][0] == '\0', "nothing of a refused one");
        return;
    }
    check_declared(&heard.declared);
    int length = inbound_declaration_write(&heard.declared, first, sizeof first);
    require(length > 0, "written");
    hear(first, (size_t)length, &again, &result);
    require(result == 0, "what was written is read");
    require(inbound_declaration_write(&again.declared, second, sizeof second) == length && strcmp(first, second) == 0,
            "the same again");
}

static void fuzz_revocation(const char *text, size_t length_bytes)
{
    struct revocation revocation;
    char transaction[INBOUND_TRANSACTION_BYTES], why[INBOUND_WHY_BYTES] = "", line[256];
    int result = inbound_revocation(text, length_bytes, NOW_S, &revocation, transaction, why, sizeof why);
    check_why(result, why, sizeof why);
    if (result < 0)
        return;
    check_time(revocation.revoked_at_s, true);
    int length = inbound_revocation_write(&revocation, line, sizeof line);
    require(length > 0 && inbound_revocation(line, (size_t)length, NOW_S, &revocation, transaction, why, sizeof why) == 0,
            "a revocation is written and read");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct followed_passage passage;
    char why[INBOUND_WHY_BYTES] = "";
    const char *text = (const char *)data;
    fuzz_declaration(text, size);
    fuzz_revocation(text, size);
    int result = inbound_passage(text, size, "lane2", &passage, why, sizeof why);
    check_why(result, why, sizeof why);
    require(result != 1 || (strlen(passage.event_id) == 32 && strlen(passage.person) == 32 &&
                            passage.direction != DIRECTION_NONE && passage.at_us > 0), "passage");
    return 0;
}
