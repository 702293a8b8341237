/* Words for people: what qrgatectl says, from tables of "key = text" (config/lang/NAME.lang, installed to share/qrgate/lang), so that
 * another language is one more file. English is built in, and stands in for whatever a table lacks. One thread; pure but for
 * lang_open() and lang_print().
 *
 * A table is UTF-8 of at most LANG_FILE_MAX_BYTES:
 *   # a remark
 *   inside.total = {count} people are inside.
 *   send.help = A long text goes on
 *     in lines that begin with a space; \n ends a line of the output, \\ is a backslash.
 *     \n  Behind a \n, spaces stay.
 * A key is lower-case words (a-z 0-9 _ -) with dots between. What is to be filled in stands in braces, by name: never a printf
 * format, so that a table from a stranger can do no harm, and each language may choose the order. A text whose names aren't those
 * of the English one is not used. Keys help.… stand in no English table, for that English is the program's (help.c). tests/lang.py holds the tables against the program. */
#ifndef CTL_LANG_H
#define CTL_LANG_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { LANG_FILE_MAX_BYTES = 262144, LANG_KEYS_MAX = 2048, LANG_KEY_MAX_BYTES = 64, LANG_TEXT_MAX_BYTES = 4096,
       LANG_NUMBER_BYTES = 24, LANG_TOLD_BYTES = 1024 };

struct lang;

/* `wanted` is --lang: a language's name ("vi"), or a table's path (with a '/'), or NULL: what LC_ALL, LC_MESSAGES or LANG say,
 * English where there is no table for it. 0; or -ENOENT (no such table), -EINVAL (no name of a language; a file that is no table),
 * -ENOMEM, -errno, told to `errors`. A table with some bad lines is used without them; each is told to `errors` as file:line. */
int lang_open(const char *wanted, struct lang **ret, FILE *errors);
/* The same from memory. *ret_mistakes: lines that can't be used, told to `errors`. For tests. */
int lang_read(const char *name, const char *text, size_t length_bytes, struct lang **ret, int *ret_mistakes, FILE *errors);
void lang_close(struct lang *lang); /* accepts NULL */

const char *lang_name(const struct lang *lang);           /* "en", "vi" */
const char *say(const struct lang *lang, const char *key); /* never NULL; the key itself when nobody knows it */
/* The text of FAMILY.NAME for a stable name of the program ("reason", "status_green"); the name itself when there is none, so that
 * a new name is never hidden. Families and their names: tests/lang.py. */
const char *say_word(const struct lang *lang, const char *family, const char *name);

/* The language's own text, else `otherwise`: for texts whose English is the program's, as help has it (keys help.…). */
const char *say_or(const struct lang *lang, const char *key, const char *otherwise);

/* What another part of the program made, in English there ("a second kid; one is allowed"): in the language, where rows told.… have
 * it; else as it is. Not for JSON. Answers `text` or `buffer`. */
const char *lang_told(const struct lang *lang, char *buffer, size_t bytes, const char *text);

/* The text with each {name} replaced: lang_format(lang, buffer, sizeof buffer, "inside.total", "count", LANG_N(12), NULL). A text
 * that is too long is cut between two letters. Answers `buffer`. Values are printed as they are, but for {why},
 * {allowed} and {message}, which go through lang_told(); what comes from strangers goes through printable() first. */
#define lang_format(lang, buffer, bytes, key, ...) lang_format_fills(lang, buffer, bytes, key, LANG_FILLS(__VA_ARGS__))
/* The same, to a file, without a bound and without a line's end. */
#define lang_print(out, lang, key, ...) lang_print_fills(out, lang, key, LANG_FILLS(__VA_ARGS__))

/* What the two are made of: an array of names and values by turns, NULL behind the last. */
#define LANG_FILLS(...) (const char *const[]){ __VA_ARGS__, NULL }
const char *lang_format_fills(const struct lang *lang, char *buffer, size_t bytes, const char *key, const char *const fills[]);
void lang_print_fills(FILE *out, const struct lang *lang, const char *key, const char *const fills[]);
/* A number as a value; lives as long as the block it stands in. */
#define LANG_N(number) lang_number((char[LANG_NUMBER_BYTES]){ 0 }, (int64_t)(number))
const char *lang_number(char buffer[LANG_NUMBER_BYTES], int64_t number);

/* `text` in that many columns of a screen, filled with spaces or cut with "…": printf's %-12s counts bytes, and a Vietnamese letter
 * has up to three. Negative: to the right. Answers `buffer`. */
const char *lang_pad(char *buffer, size_t bytes, const char *text, int columns);
int lang_columns(const char *text);

#endif
