/* The readers of unsigned cards, each on every input, also on those the recognisers would not give it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/credential/bhyt.h"
#include "daemon/credential/cccd.h"
#include "daemon/credential/personal_1405.h"
#include "daemon/credential/place.h"
#include "daemon/credential/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds, const char *what)
{
    if (holds)
        return;
    (void)fprintf(stderr, "fuzz_cards: broken: %s\n", what);
    abort();
}

static void text_ends(const char *text, size_t room)
{
    const char *end = memchr(text, 0, room);
    require(end != NULL && utf8_plain((const uint8_t *)text, (size_t)(end - text)), "a text that isn't plain");
}

static void check(const struct credential *credential)
{
    text_ends(credential->subject, sizeof credential->subject);
    text_ends(credential->name, sizeof credential->name);
    text_ends(credential->detail, sizeof credential->detail);
    for (int i = 0; i < CREDENTIAL_ALIASES_MAX; i++)
        text_ends(credential->aliases[i], sizeof credential->aliases[i]);
    require(!credential->is_signed && !credential->has_status, "a card that vouches for itself");
    require((credential->fault == CREDENTIAL_OK) == (credential->detail[0] == '\0'), "detail");
    require(credential->fault == CREDENTIAL_OK || credential->subject[0] == '\0', "a subject with a fault");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct {
        enum credential_kind kind;
        bool (*recognises)(const uint8_t *text, size_t length_bytes);
        void (*read)(const uint8_t *text, size_t length_bytes, const struct credential_trust *trust, struct credential *ret);
    } readers[] = {
        {CREDENTIAL_CCCD, cccd_recognises, cccd_read},
        {CREDENTIAL_PERSONAL_CODE, personal_1405_recognises, personal_1405_read},
        {CREDENTIAL_BHYT, bhyt_recognises, bhyt_read},
        {CREDENTIAL_PLACE_CODE, place_recognises, place_read},
        {CREDENTIAL_SMART_HEALTH_CARD, smart_health_card_recognises, smart_health_card_read},
    };
    if (size == 0 || size > CREDENTIAL_PAYLOAD_MAX_BYTES)
        return 0;
    for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++) {
        struct credential credential = {.kind = readers[i].kind};
        (void)readers[i].recognises(data, size);
        readers[i].read(data, size, NULL, &credential);
        require(credential.kind == readers[i].kind, "another kind");
        check(&credential);
    }
    return 0;
}
