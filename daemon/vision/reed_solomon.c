/* Reed-Solomon with erasures: Berlekamp and Massey's search begun with what is erased, Chien's for the places, Forney's
 * formula for the values. Pure; called by mend.c. */
#include "daemon/vision/reed_solomon.h"

#include <string.h>

enum { FIELD = 255, POLYNOMIAL = 0x11d, TERMS = RS_PARITY_MAX + 1 };

void rs_field_begin(struct rs_field *field)
{
    uint8_t value = 1;
    field->log[0] = 0; /* there is none; nobody asks */
    for (int i = 0; i < FIELD; i++) {
        field->power[i] = field->power[i + FIELD] = value;
        field->log[value] = (uint8_t)i;
        value = (uint8_t)(value << 1 ^ (value & 0x80 ? POLYNOMIAL : 0));
    }
}

static uint8_t product(const struct rs_field *field, uint8_t a, uint8_t b)
{
    return a != 0 && b != 0 ? field->power[field->log[a] + field->log[b]] : 0;
}

static uint8_t quotient(const struct rs_field *field, uint8_t a, uint8_t b)
{
    return a != 0 ? field->power[field->log[a] + FIELD - field->log[b]] : 0;
}

bool rs_syndromes(const struct rs_field *field, const uint8_t *words, int count, int parity, uint8_t ret_syndromes[RS_PARITY_MAX])
{
    uint8_t any = 0;
    for (int i = 0; i < parity; i++) {
        uint8_t sum = 0;
        for (int k = 0; k < count; k++)
            sum = (uint8_t)(words[k] ^ (sum != 0 ? field->power[field->log[sum] + i] : 0));
        ret_syndromes[i] = sum;
        any |= sum;
    }
    return any != 0;
}

/* Which elements are wrong: `locator` is zero at their inverses. */
static int locate(const struct rs_field *field, const uint8_t *syndromes, int count, int parity, const uint8_t *erased,
                  int erased_count, uint8_t locator[TERMS])
{
    uint8_t other[TERMS], next[TERMS];
    memset(locator, 0, TERMS);
    locator[0] = 1;
    for (int i = 0; i < erased_count; i++) {
        const uint8_t element = field->power[count - 1 - erased[i]];
        for (int k = i + 1; k > 0; k--)
            locator[k] ^= product(field, element, locator[k - 1]);
    }
    memcpy(other, locator, TERMS);
    int length = erased_count;
    for (int round = erased_count + 1; round <= parity; round++) {
        uint8_t off = 0;
        for (int k = 0; k < round && k <= length; k++)
            off ^= product(field, locator[k], syndromes[round - 1 - k]);
        memmove(other + 1, other, TERMS - 1);
        other[0] = 0;
        if (off == 0)
            continue;
        for (int k = 0; k < TERMS; k++)
            next[k] = (uint8_t)(locator[k] ^ product(field, off, other[k]));
        if (2 * length <= round + erased_count - 1) {
            length = round + erased_count - length;
            for (int k = 0; k < TERMS; k++)
                other[k] = quotient(field, locator[k], off);
        }
        memcpy(locator, next, TERMS);
    }
    int degree = 0;
    for (int k = 0; k < TERMS; k++)
        degree = locator[k] != 0 ? k : degree;
    return degree;
}

/* The value of a polynomial at 2^-exponent; `step` 2 and a first term of 1 make it the derivative's, times 2^-exponent. */
static uint8_t value_at(const struct rs_field *field, const uint8_t *terms, int first, int step, int exponent)
{
    uint8_t sum = 0;
    for (int k = first; k < TERMS; k += step)
        if (terms[k] != 0)
            sum ^= field->power[(field->log[terms[k]] + (FIELD - exponent) * k) % FIELD];
    return sum;
}

bool rs_correct(const struct rs_field *field, const uint8_t syndromes[RS_PARITY_MAX], uint8_t *words, int count, int parity,
                const uint8_t *erased, int erased_count, int errors_max)
{
    uint8_t locator[TERMS], evaluator[TERMS] = {0}, places[RS_PARITY_MAX], changes[RS_PARITY_MAX];
    const int degree = locate(field, syndromes, count, parity, erased, erased_count, locator);
    if (degree == 0 || degree > erased_count + errors_max || degree > parity)
        return false;
    int found = 0;
    for (int i = 0; i < count && found < degree; i++)
        if (value_at(field, locator, 0, 1, count - 1 - i) == 0)
            places[found++] = (uint8_t)i;
    if (found < degree) /* some would lie outside: it is another code's fault */
        return false;
    for (int i = 0; i < degree; i++)
        for (int k = 0; k <= i; k++)
            evaluator[i] ^= product(field, locator[k], syndromes[i - k]);
    for (int i = 0; i < degree; i++) {
        const int exponent = count - 1 - places[i];
        const uint8_t slope = value_at(field, locator, 1, 2, exponent);
        if (slope == 0)
            return false;
        changes[i] = quotient(field, value_at(field, evaluator, 0, 1, exponent), slope);
    }
    for (int i = 0; i < degree; i++)
        words[places[i]] ^= changes[i];
    return true;
}
