/* Fuzzes a language's table, and what is filled into its texts: a file of a stranger's, found by --lang. */
#include <stdlib.h>

#include "daemon/credential/utf8.h"
#include "daemon/ctl/lang.c"
#include "daemon/ctl/lang_english.c"
#include "daemon/ctl/lang_table.c"
#include "daemon/ctl/lang_told.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds, const char *what)
{
    if (holds)
        return;
    (void)fprintf(stderr, "fuzz_lang: broken: %s\n", what);
    abort();
}

/* Nothing but lines' ends that a terminal would act on. */
static bool is_plain(const char *text)
{
    for (size_t length; *text; text += length + (text[length] == '\n')) {
        length = strcspn(text, "\n");
        const char *tab = memchr(text, '\t', length);
        if (!tab && !utf8_plain((const uint8_t *)text, length))
            return false;
    }
    return true;
}

static void check_row(const struct lang *lang, const struct lang_row *row)
{
    char small[24], cell[64];
    const char *english = lang_table_find(&lang->english, row->key);
    require(english || strncmp(row->key, "help.", 5) == 0, "a key is one of English");
    require(say(lang, row->key) == row->text && is_plain(row->text), "a text is found and plain");
    (void)lang_format(lang, small, sizeof small, row->key, "n", "\xe1\xba\xbf\xe1\xba\xbf", "lane", "{n}", NULL);
    require(strlen(small) < sizeof small && is_plain(small), "a text is cut between letters");
    const char *told = lang_told(lang, small, sizeof small, english ? english : row->text);
    require(told == small && strlen(small) < sizeof small && is_plain(small), "a told text is cut between letters");
    (void)lang_pad(cell, sizeof cell, row->text, 12);
    require(strlen(cell) < sizeof cell, "a cell keeps its bounds");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lang *lang;
    char *said = NULL;
    size_t said_bytes;
    int mistakes;
    FILE *errors = open_memstream(&said, &said_bytes);
    require(errors != NULL, "a stream");
    const int error = lang_read("fuzz.lang", (const char *)data, size, &lang, &mistakes, errors);
    require(fclose(errors) == 0, "a stream ends");
    require((error == 0) == (lang != NULL) && (mistakes > 0) == (said_bytes > 0 && error == 0), "what is wrong is told");
    if (lang)
        for (int i = 0; i < lang->own.count; i++)
            check_row(lang, &lang->own.rows[i]);
    lang_close(lang);
    free(said);
    return 0;
}
