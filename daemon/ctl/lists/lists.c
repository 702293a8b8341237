/* JSON lines, and lanes that know less than the others. */
#include "daemon/ctl/lists/lists.h"

#include <string.h>

#include "daemon/credential/utf8.h"

/* How much of the text needs no escape. */
static size_t plain_bytes(const char *text, bool valid)
{
    size_t length = 0;
    for (const unsigned char *c = (const unsigned char *)text; *c; c++, length++)
        if (*c == '"' || *c == '\\' || *c < 0x20 || *c == 0x7f || (*c >= 0x80 && !valid))
            break;
    return length;
}

void lists_json_text(FILE *out, const char *name, const char *text)
{
    const bool valid = utf8_valid((const uint8_t *)text, strlen(text));
    (void)fprintf(out, ",\"%s\":\"", name);
    while (*text) {
        const size_t plain = plain_bytes(text, valid);
        (void)fwrite(text, 1, plain, out); /* a full disk is seen at the end, by ferror() */
        text += plain;
        if (*text == '"' || *text == '\\')
            (void)fprintf(out, "\\%c", *text++);
        else if (*text)
            (void)fprintf(out, "\\u%04x", (unsigned char)*text++);
    }
    (void)fputc('"', out);
}

const char *lists_time_us(int64_t at_us, char buffer[SITE_TIME_BYTES])
{
    char seconds[32];
    const int64_t us = (at_us % 1000000 + 1000000) % 1000000;
    (void)format_time((at_us - us) / 1000000, seconds);
    seconds[strcspn(seconds, "Z")] = '\0';
    (void)snprintf(buffer, SITE_TIME_BYTES, "%s.%06lldZ", seconds, (long long)us);
    return buffer;
}

int lists_tell_lanes(FILE *out, const struct reading *reading, const struct site *site, int64_t until_us)
{
    int told = 0;
    for (int i = 0; i < reading->count; i++) {
        const struct reading_source *source = &reading->sources[i];
        char when[SITE_TIME_BYTES], lane[JOURNAL_LANE_BYTES + 4];
        (void)printable(source->lane, lane, sizeof(lane));
        if (source->last_us == 0 && reading->count > 1)
            lang_print(out, site->lang, "reading.nothing", "lane", lane, NULL);
        else if (source->last_us < until_us && reading_is_behind(reading, source))
            lang_print(out, site->lang, "reading.behind", "lane", lane, "time", site_minute(site, source->last_us / 1000000, when), NULL);
        else
            continue;
        (void)fputc('\n', out);
        told++;
    }
    for (int i = 0; i < reading->count; i++) {
        char lane[JOURNAL_LANE_BYTES + 4];
        if (reading->sources[i].missing == 0)
            continue;
        lang_print(out, site->lang, "reading.gaps", "lane", printable(reading->sources[i].lane, lane, sizeof(lane)), "count",
                   LANG_N(reading->sources[i].missing), NULL);
        (void)fputc('\n', out);
        told++;
    }
    return told;
}
