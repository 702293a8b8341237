/* qrgatectl token issue and token show: passes signed by an issuer, and what somebody else's pass says. */
#include "daemon/credential/token.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/credential/base45.h"
#include "daemon/credential/cose.h"
#include "daemon/credential/rotating.h"
#include "daemon/credential/subject.h"
#include "daemon/credential/utf8.h"
#include "daemon/ctl/pass.h"
#include "daemon/ctl/told_files.h"
#include "daemon/settings/key_file.h"
#include "daemon/settings/site_key.h"
#include "daemon/settings/trust_folder.h"

/* ---- what passes share ------------------------------------------------------------------------------------------- */

/* A word of the issuer's own must not look like a number of the register that it isn't. */
static bool is_own_word(const char *text)
{
    static const char *const forms[] = { "cccd:", "cmnd:", "bhyt:", "qid:", "badge:", "hc1:" };
    const size_t length = strlen(text);
    if (length == 0 || length >= CREDENTIAL_SUBJECT_BYTES)
        return false;
    for (size_t i = 0; i < length; i++)
        if (text[i] < '!' || text[i] > '~')
            return false;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
        if (strncmp(text, forms[i], strlen(forms[i])) == 0)
            return false;
    return true;
}

enum ctl_exit pass_subject(const struct ctl *ctl, const char *text, char ret_subject[CREDENTIAL_SUBJECT_BYTES])
{
    char buffer[80];
    if (subject_read(text, strlen(text), ret_subject))
        return CTL_OK;
    if (!is_own_word(text))
        return ctl_complain(ctl, CTL_USAGE, "token.subject", "value", printable(text, buffer, sizeof(buffer)),
                            "allowed", say(ctl->lang, "allowed.subject"), NULL);
    (void)strcpy(ret_subject, text); /* length checked above */
    return CTL_OK;
}

enum ctl_exit pass_valid(const struct ctl *ctl, const char *text, int64_t *ret_s)
{
    char buffer[80];
    if (parse_duration(text, ret_s))
        return CTL_OK;
    return ctl_complain(ctl, CTL_USAGE, "token.valid", "value", printable(text, buffer, sizeof(buffer)),
                        "allowed", say(ctl->lang, "allowed.valid"), NULL);
}

enum ctl_exit pass_put(const struct ctl *ctl, const char *out, const struct qr_card *card)
{
    enum qr_format format;
    bool to_stdout;
    char buffer[80];
    if (!out) {
        (void)puts(card->code);
        return CTL_OK;
    }
    if (!qr_format_from_name(out, &format, &to_stdout))
        return ctl_complain(ctl, CTL_USAGE, "option.wrong", "option", "out", "value", printable(out, buffer, sizeof(buffer)),
                            "allowed", QR_ALLOWED_OUT, NULL);
    if (to_stdout && format == QR_PNG && isatty(STDOUT_FILENO) == 1)
        return ctl_complain(ctl, CTL_USAGE, "token.png_terminal", NULL);
    const int error = to_stdout ? qr_card_print(card, format, stdout) : qr_card_write(card, format, out);
    if (error < 0)
        return ctl_complain(ctl, CTL_FAILED, "file.unwritable", "file", out, "why", strerror(-error), NULL);
    return CTL_OK;
}

const char *pass_local_time(const struct lang *lang, int64_t at_s, char buffer[PASS_TIME_BYTES])
{
    struct tm t;
    const time_t at = (time_t)at_s;
    char day[8], month[8], year[16], clock[8], zone[8];
    if (!localtime_r(&at, &t) || strftime(day, sizeof(day), "%d", &t) == 0 || strftime(month, sizeof(month), "%m", &t) == 0 ||
        strftime(year, sizeof(year), "%Y", &t) == 0 || strftime(clock, sizeof(clock), "%H:%M", &t) == 0 ||
        strftime(zone, sizeof(zone), "%z", &t) == 0) {
        (void)snprintf(buffer, PASS_TIME_BYTES, "%lld", (long long)at_s); /* a year with very many digits */
        return buffer;
    }
    return lang_format(lang, buffer, PASS_TIME_BYTES, "time.local", "day", day, "month", say_word(lang, "month", month),
                       "year", year, "clock", clock, "zone", zone, NULL);
}

bool pass_code(const struct ctl *ctl, const char *operand, char ret_code[CREDENTIAL_PAYLOAD_MAX_BYTES + 2])
{
    const size_t room = CREDENTIAL_PAYLOAD_MAX_BYTES + 2;
    if (strcmp(operand, "-") != 0) {
        (void)snprintf(ret_code, room, "%s",
                       operand); /* one byte too many is kept, so that it is refused as too long */
        return true;
    }
    ret_code[0] = '\0';
    if (!fgets(ret_code, (int)room, stdin)) {
        (void)ctl_complain(ctl, CTL_FAILED, "token.no_input", "why_before", ferror(stdin) ? ": " : "",
                           "why", ferror(stdin) ? strerror(errno) : "", NULL);
        return false;
    }
    ret_code[strcspn(ret_code, "\r\n")] = '\0'; /* never a space: it is a digit of Base45 */
    return true;
}

/* ---- token issue ------------------------------------------------------------------------------------------------- */

enum { ISSUE_KEY, ISSUE_SUBJECT, ISSUE_STATUS, ISSUE_VALID, ISSUE_NAME, ISSUE_GROUP, ISSUE_OUT };
static const struct ctl_option ISSUE_OPTIONS[] = {
    [ISSUE_KEY] = { "key", "SECRET_FILE", true, "the issuer's secret key, made by `key new`" },
    [ISSUE_SUBJECT] = { "subject", "SUBJECT", true,
                        "whose: cccd:NUMBER, cmnd:, bhyt:, qid:, badge:, or a word of the issuer's own like staff:17" },
    [ISSUE_STATUS] = { "status", "STATUS", true, "green, yellow, red or white" },
    [ISSUE_VALID] = { "valid", "TIME", true, "for how long from now: 30m, 72h, 14d" },
    [ISSUE_NAME] = { "name", "NAME", false, "the person's name, shown to staff; makes the code larger" },
    [ISSUE_GROUP] = { "group", "GROUP", false, "whose schedule holds, as the gate's configuration calls it" },
    [ISSUE_OUT] = { "out", "FILE", false, "a picture (.svg, .pdf, .png, .txt) instead of the code's text" },
    { NULL, NULL, false, NULL },
};

static bool fits_plain(const char *text, size_t room_bytes)
{
    return strlen(text) < room_bytes && utf8_plain((const uint8_t *)text, strlen(text));
}

/* The claims that the options ask for; kid and issuer come from the key. */
static enum ctl_exit read_claims(struct ctl *ctl, struct token_claims *ret)
{
    const char *status = ctl->values[ISSUE_STATUS];
    const char *name = ctl->values[ISSUE_NAME] ? ctl->values[ISSUE_NAME] : "";
    const char *group = ctl->values[ISSUE_GROUP] ? ctl->values[ISSUE_GROUP] : "";
    int64_t valid_s = 0;
    char buffer[80];
    *ret = (struct token_claims){ 0 };
    enum ctl_exit result = pass_subject(ctl, ctl->values[ISSUE_SUBJECT], ret->subject);
    if (result != CTL_OK)
        return result;
    if (!parse_status(status, &ret->status))
        return ctl_complain(ctl, CTL_USAGE, "token.status", "value", printable(status, buffer, sizeof(buffer)),
                            "allowed", say(ctl->lang, "allowed.status"), NULL);
    result = pass_valid(ctl, ctl->values[ISSUE_VALID], &valid_s);
    if (result != CTL_OK)
        return result;
    if (!fits_plain(name, sizeof(ret->name)))
        return ctl_complain(ctl, CTL_USAGE, "token.name", "value", printable(name, buffer, sizeof(buffer)),
                            "most", LANG_N(CREDENTIAL_NAME_BYTES - 1), NULL);
    if (!fits_plain(group, sizeof(ret->group)))
        return ctl_complain(ctl, CTL_USAGE, "token.group", "value", printable(group, buffer, sizeof(buffer)),
                            "most", LANG_N(CREDENTIAL_GROUP_BYTES - 1), NULL);
    (void)strcpy(ret->name, name); /* lengths checked above */
    (void)strcpy(ret->group, group);
    ret->issued_at_s = ctl->now_s;
    ret->expires_at_s = ctl->now_s + valid_s;
    return CTL_OK;
}

/* A pass dated outside of the key's time is refused at every gate: better said here. */
static enum ctl_exit check_key_time(const struct ctl *ctl, const struct key_file *key)
{
    char when[32];
    if (key->from_s != 0 && ctl->now_s < key->from_s)
        return ctl_complain(ctl, CTL_FAILED, "token.key_too_early", "kid", key->kid,
                            "time", format_time(key->from_s, when), NULL);
    if (key->until_s != 0 && ctl->now_s > key->until_s)
        return ctl_complain(ctl, CTL_FAILED, "token.key_ended", "kid", key->kid,
                            "time", format_time(key->until_s, when), NULL);
    return CTL_OK;
}

static enum ctl_exit run_issue(struct ctl *ctl)
{
    struct token_claims claims;
    struct key_file key;
    uint8_t public_key[crypto_sign_PUBLICKEYBYTES], signing_key[crypto_sign_SECRETKEYBYTES];
    char text[TOKEN_TEXT_BYTES], local[PASS_TIME_BYTES], line[128];
    enum ctl_exit result = read_claims(ctl, &claims);
    if (result != CTL_OK)
        return result;
    if (told_key_read(ctl, ctl->values[ISSUE_KEY], true, &key) < 0)
        return ctl_complain(ctl, CTL_FAILED, "key.secret_bad", NULL);
    result = check_key_time(ctl, &key);
    /* a pass must name an issuer; a key written by hand may have none */
    (void)snprintf(claims.issuer, sizeof(claims.issuer), "%s", key.issuer[0] ? key.issuer : key.kid);
    (void)crypto_sign_seed_keypair(public_key, signing_key, key.key); /* can't fail */
    const int length = token_write(&claims, (const uint8_t *)key.kid, strlen(key.kid), signing_key, text, sizeof(text));
    sodium_memzero(&key, sizeof(key));
    sodium_memzero(signing_key, sizeof(signing_key));
    if (result != CTL_OK)
        return result;
    if (length < 0)
        return ctl_complain(ctl, CTL_FAILED, "token.unwritable", "why", strerror(-length), NULL);
    (void)lang_format(ctl->lang, line, sizeof(line), "token.until", "time", pass_local_time(ctl->lang, claims.expires_at_s, local),
                      NULL);
    const struct qr_card card = { .code = text, .title = claims.name, .line = line, .robust = true };
    return pass_put(ctl, ctl->values[ISSUE_OUT], &card);
}

const struct ctl_command CTL_TOKEN_ISSUE = {
    .name = "token issue",
    .summary = "Sign a pass (QG1:...), as text or as a QR code to print",
    .details =
        "Example: qrgatectl token issue --key office.key --subject cccd:022199012345 --status green --valid 72h \\\n"
        "           --name \"Thu Do\" --out card.svg\n"
        "SVG and PDF show name and validity too. Without --out the text is printed, for another program to draw.\n",
    .options = ISSUE_OPTIONS,
    .run = run_issue,
};

/* ---- token show -------------------------------------------------------------------------------------------------- */

enum { LABEL_COLUMNS = 10 };
enum { SHOW_TRUST };
static const struct ctl_option SHOW_OPTIONS[] = {
    [SHOW_TRUST] = { "trust", "DIR", false, "the folder of trusted keys (default: the configuration's)" },
    { NULL, NULL, false, NULL },
};

/* What signatures are held against. Nothing named and no configuration: nothing is trusted, which is said later. */
static enum ctl_exit load_trust(struct ctl *ctl, bool rotating, struct credential_trust *ret)
{
    char folder[PASS_PATH_BYTES];
    struct site_keys keys;
    enum ctl_exit result = CTL_OK;
    memset(ret, 0, sizeof(*ret));
    if (rotating && (ctl->site_key || ctl_has_config(ctl))) {
        result = ctl_load_site_keys(ctl, &keys);
        if (result == CTL_OK) {
            rotating_key_from_site_key(keys.current, ret->rotation_key);
            rotating_key_from_site_key(keys.old, ret->old_rotation_key);
            ret->has_rotation_key = true;
            ret->has_old_rotation_key = keys.has_old;
        }
        sodium_memzero(&keys, sizeof(keys));
    } else if (!rotating && (ctl->values[SHOW_TRUST] || ctl_has_config(ctl))) {
        result = pass_trust_folder(ctl, ctl->values[SHOW_TRUST], folder);
        if (result == CTL_OK && told_trust_load(ctl, folder, ret) < 0)
            result = ctl_complain(ctl, CTL_FAILED, "key.trusted_bad", "folder", folder, NULL);
    }
    ret->explain = true;
    return result;
}

static void print_label(const struct lang *lang, const char *key)
{
    char padded[64];
    (void)printf("%s ", lang_pad(padded, sizeof(padded), say(lang, key), LABEL_COLUMNS));
}

static void show_text(const struct lang *lang, const char *label, const char *text)
{
    char buffer[160];
    if (text[0] == '\0')
        return;
    print_label(lang, label);
    (void)puts(printable(text, buffer, sizeof(buffer)));
}

static void show_time(const struct lang *lang, const char *label, int64_t at_s, const char *remark)
{
    char when[32], local[PASS_TIME_BYTES];
    if (at_s == 0)
        return;
    print_label(lang, label);
    (void)printf("%s (%s%s)\n", format_time(at_s, when), pass_local_time(lang, at_s, local), remark);
}

/* The kid is only for people: credential_read() has no use for it once the key is found. */
static void show_key(const struct lang *lang, const char *code, const struct credential_trust *trust)
{
    uint8_t bytes[TOKEN_TEXT_BYTES];
    char kid[CREDENTIAL_KID_MAX_BYTES + 1] = "", shown[80], issuer[80];
    struct cose_message message;
    const int length = base45_decode(code + 4, strlen(code + 4), bytes, sizeof(bytes));
    if (length < 0 || cose_read(bytes, (size_t)length, COSE_SIGN1, &message) != NULL || message.kid_bytes == 0 ||
        message.kid_bytes >= sizeof(kid))
        return;
    memcpy(kid, message.kid, message.kid_bytes);
    const char *trusted = "token.key_not_trusted", *of = "";
    for (size_t i = 0; i < trust->count; i++)
        if (trust->keys[i].kid_bytes == message.kid_bytes && memcmp(trust->keys[i].kid, kid, message.kid_bytes) == 0) {
            of = trust->keys[i].issuer;
            trusted = of[0] ? "token.key_trusted_of" : "token.key_trusted";
        }
    print_label(lang, "token.key");
    if (of[0])
        lang_print(stdout, lang, "token.key_trusted_of", "kid", printable(kid, shown, sizeof(shown)), "issuer",
                   printable(of, issuer, sizeof(issuer)), NULL);
    else
        (void)printf("%s (%s)\n", printable(kid, shown, sizeof(shown)), say(lang, trusted));
}

static void show_id(const struct lang *lang, const uint8_t id[CREDENTIAL_TOKEN_ID_BYTES])
{
    char hex[2 * CREDENTIAL_TOKEN_ID_BYTES + 1];
    print_label(lang, "token.id");
    lang_print(stdout, lang, "token.id_for", "id", sodium_bin2hex(hex, sizeof(hex), id, CREDENTIAL_TOKEN_ID_BYTES), NULL);
}

static void show_expiry(const struct ctl *ctl, int64_t expires_at_s)
{
    show_time(ctl->lang, "token.expires", expires_at_s, expires_at_s <= ctl->now_s ? say(ctl->lang, "token.expired") : "");
}

static void show_fields(const struct ctl *ctl, const struct credential *c)
{
    const struct lang *lang = ctl->lang;
    char remark[96] = "";
    show_text(lang, "token.subject_label", c->subject);
    show_text(lang, "token.name_label", c->name);
    show_text(lang, "token.group_label", c->group);
    show_text(lang, "token.status_label", c->has_status           ? say_word(lang, "status", declaration_status_name(c->status))
                                          : c->subject[0] != '\0' ? say(lang, "token.no_status")
                                                                  : "");
    show_time(lang, "token.issued", c->issued_at_s, "");
    show_expiry(ctl, c->expires_at_s);
    if (c->rotation_step != 0) {
        const long long steps = (long long)(ctl->now_s / ROTATING_STEP_S - c->rotation_step);
        (void)lang_format(lang, remark, sizeof(remark), "token.step", "step", LANG_N(c->rotation_step), "steps", LANG_N(steps), NULL);
        show_time(lang, "token.shown", c->rotation_step * ROTATING_STEP_S, remark);
    }
    if (sodium_is_zero(c->token_id, sizeof(c->token_id)) == 0)
        show_id(lang, c->token_id);
}

static enum ctl_exit show_signature(const struct lang *lang, const struct credential *c, bool checked)
{
    print_label(lang, "token.signature");
    if (c->fault == CREDENTIAL_OK)
        (void)puts(say(lang, "token.holds"));
    else if (!checked && c->fault == CREDENTIAL_FAULT_KEY_UNKNOWN)
        (void)puts(say(lang, "token.not_checked"));
    else
        lang_print(stdout, lang, "token.refused", "fault", credential_fault_name(c->fault), "why", c->detail, NULL);
    return c->fault == CREDENTIAL_OK ? CTL_OK : CTL_SOME_BAD;
}

static enum ctl_exit show_provision(struct ctl *ctl, const char *code)
{
    struct rotating_holder holder;
    uint8_t id[CREDENTIAL_TOKEN_ID_BYTES];
    if (rotating_provision_read(code, &holder) < 0)
        return ctl_complain(ctl, CTL_FAILED, "token.provision_broken", NULL);
    show_text(ctl->lang, "token.kind", say(ctl->lang, "token.provisioning"));
    show_text(ctl->lang, "token.subject_label", holder.subject);
    show_expiry(ctl, holder.expires_at_s);
    rotating_token_id(&holder, id);
    show_id(ctl->lang, id);
    sodium_memzero(&holder, sizeof(holder));
    return CTL_OK;
}

static enum ctl_exit run_show(struct ctl *ctl)
{
    char code[CREDENTIAL_PAYLOAD_MAX_BYTES + 2];
    struct credential_trust trust;
    struct credential c;
    if (!pass_code(ctl, ctl->operand, code))
        return CTL_FAILED;
    if (strncmp(code, "QGS1:", 5) == 0)
        return show_provision(ctl, code);
    const bool rotating = rotating_recognises((const uint8_t *)code, strlen(code));
    if (!rotating && !token_recognises((const uint8_t *)code, strlen(code)))
        return ctl_complain(ctl, CTL_FAILED, "token.none", NULL);
    enum ctl_exit result = load_trust(ctl, rotating, &trust);
    if (result != CTL_OK)
        goto end;
    credential_read((const uint8_t *)code, strlen(code), &trust, &c);
    if (c.fault == CREDENTIAL_FAULT_MALFORMED || c.fault == CREDENTIAL_FAULT_UNSUPPORTED) {
        result = ctl_complain(ctl, CTL_FAILED, "token.broken", "why", c.detail, NULL);
        goto end;
    }
    show_text(ctl->lang, "token.kind", say_word(ctl->lang, "token_kind", credential_kind_name(c.kind)));
    if (!rotating)
        show_key(ctl->lang, code, &trust);
    show_fields(ctl, &c);
    result = show_signature(ctl->lang, &c, rotating ? trust.has_rotation_key : ctl->values[SHOW_TRUST] || ctl_has_config(ctl));
end:
    sodium_memzero(trust.rotation_key, sizeof(trust.rotation_key));
    sodium_memzero(trust.old_rotation_key, sizeof(trust.old_rotation_key));
    trust_folder_free(&trust);
    return result;
}

const struct ctl_command CTL_TOKEN_SHOW = {
    .name = "token show",
    .operand = "CODE",
    .summary = "Say what a pass (QG1:...) holds, and whether its signature is trusted here",
    .details = "CODE is the text of the QR; - reads it from standard input (better: it then stands in no history).\n"
               "Exit status 3: the signature isn't trusted. A rotating pass is checked with the site key.\n",
    .options = SHOW_OPTIONS,
    .run = run_show,
};
