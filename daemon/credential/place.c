/* Recognises places' posters and SMART Health Cards, and refuses them by their right name. Called through
 * credential.c's table, on the journal thread in qrgated. */
#include "daemon/credential/place.h"

#include <string.h>

#include "daemon/credential/fields.h"
#include "daemon/credential/recogniser.h"

/* Of ASCII, whatever the locale. */
static uint8_t small(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte - 'A' + 'a') : byte;
}

/* `text` is in small letters. */
static bool begins(struct field field, const char *text)
{
    size_t length = strlen(text);

    if (field.length < length)
        return false;
    for (size_t i = 0; i < length; i++)
        if (small(field.bytes[i]) != (uint8_t)text[i])
            return false;
    return true;
}

static bool ends(struct field field, const char *text)
{
    size_t length = strlen(text);

    return field.length >= length && begins((struct field){field.bytes + field.length - length, length}, text);
}

static struct field behind(struct field field, size_t bytes)
{
    return (struct field){field.bytes + bytes, field.length - bytes};
}

static struct field host_of(struct field field)
{
    size_t length = 0;

    while (length < field.length && memchr("/:?#", field.bytes[length], 4) == NULL)
        length++;
    return (struct field){field.bytes, length};
}

/* The host itself or a name below it; never one that only ends alike. */
static bool is_host(struct field host, const char *name)
{
    size_t length = strlen(name);

    return ends(host, name) && (host.length == length || host.bytes[host.length - length - 1] == '.');
}

bool place_recognises(const uint8_t *text, size_t length_bytes)
{
    static const char *const schemes[] = {"https://", "http://"};
    static const char *const hosts[] = {"tokhaiyte.vn", "pccovid.gov.vn"};
    struct field link = {text, length_bytes};

    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        if (!begins(link, schemes[i]))
            continue;
        struct field host = host_of(behind(link, strlen(schemes[i])));
        for (size_t k = 0; k < sizeof hosts / sizeof hosts[0]; k++)
            if (is_host(host, hosts[k]))
                return true;
    }
    return false;
}

void place_read(const uint8_t *text, size_t length_bytes, const struct credential_trust *trust, struct credential *ret)
{
    (void)text, (void)length_bytes, (void)trust;
    credential_fail(ret, CREDENTIAL_FAULT_PLACE_CODE, "code: a place's poster; show a person's own code");
}

bool smart_health_card_recognises(const uint8_t *text, size_t length_bytes)
{
    return begins((struct field){text, length_bytes}, "shc:/");
}

void smart_health_card_read(const uint8_t *text, size_t length_bytes, const struct credential_trust *trust,
                            struct credential *ret)
{
    (void)text, (void)length_bytes, (void)trust;
    credential_fail(ret, CREDENTIAL_FAULT_UNSUPPORTED, "code: a SMART Health Card, which this gate does not read");
}
