/* qrgatectl key new, key site and token issue: an issuer's keys, the site key, and passes signed with them. */
#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "daemon/credential/token.h"
#include "daemon/credential/utf8.h"
#include "daemon/ctl/ctl.h"
#include "daemon/settings/key_file.h"
#include "daemon/settings/site_key.h"

/* ---- key new ----------------------------------------------------------------------------------------------------- */

enum { NEW_KID, NEW_OUT, NEW_PUBLIC, NEW_ISSUER };
static const struct ctl_option NEW_OPTIONS[] = {
    [NEW_KID] = { "kid", "ID", true, "the key's name in each pass: 1 to 16 of A-Z a-z 0-9 . _ -" },
    [NEW_OUT] = { "out", "SECRET_FILE", true, "the secret key, for the issuer alone (mode 0600)" },
    [NEW_PUBLIC] = { "public", "PUB_FILE", true, "the public key, for the gate's folder of trust (NAME.pub)" },
    [NEW_ISSUER] = { "issuer", "NAME", false, "who issues; stands in each pass, up to 63 bytes (default: the kid)" },
    { NULL, NULL, false, NULL },
};

static enum ctl_exit fail_write(const struct ctl *ctl, const char *path, int error)
{
    return ctl_fail(ctl, CTL_FAILED, "%s: can't be made: %s%s", path, strerror(-error),
                    error == -EEXIST ? "; keys are never overwritten: take another name, or move the file away" : "");
}

static enum ctl_exit run_new(struct ctl *ctl)
{
    const char *kid = ctl->values[NEW_KID], *issuer = ctl->values[NEW_ISSUER] ? ctl->values[NEW_ISSUER] : kid;
    struct key_file secret = { 0 }, public = { 0 };
    uint8_t signing_key[crypto_sign_SECRETKEYBYTES];
    char buffer[80];
    if (!key_file_kid_valid(kid))
        return ctl_fail(ctl, CTL_USAGE, "--kid '%s': allowed are 1 to 16 of A-Z a-z 0-9 . _ -",
                        printable(kid, buffer, sizeof(buffer)));
    if (!key_file_issuer_valid(issuer))
        return ctl_fail(ctl, CTL_USAGE, "--issuer '%s': allowed is UTF-8 text of up to 63 bytes",
                        printable(issuer, buffer, sizeof(buffer)));

    randombytes_buf(secret.key, sizeof(secret.key));
    (void)crypto_sign_seed_keypair(public.key, signing_key, secret.key); /* can't fail */
    (void)strcpy(secret.kid, kid);                                       /* lengths checked above */
    (void)strcpy(secret.issuer, issuer);
    (void)strcpy(public.kid, kid);
    (void)strcpy(public.issuer, issuer);
    enum ctl_exit result = CTL_OK;
    int error = key_file_write(ctl->values[NEW_OUT], true, &secret);
    if (error < 0) {
        result = fail_write(ctl, ctl->values[NEW_OUT], error);
    } else {
        error = key_file_write(ctl->values[NEW_PUBLIC], false, &public);
        if (error < 0) {
            (void)unlink(ctl->values[NEW_OUT]); /* just made; half a pair is of no use */
            result = fail_write(ctl, ctl->values[NEW_PUBLIC], error);
        }
    }
    sodium_memzero(&secret, sizeof(secret));
    sodium_memzero(signing_key, sizeof(signing_key));
    if (result == CTL_OK)
        (void)printf("secret key: %s (keep it; whoever has it can sign passes)\npublic key: %s (goes to the gate's "
                     "trust folder)\n",
                     ctl->values[NEW_OUT], ctl->values[NEW_PUBLIC]);
    return result;
}

const struct ctl_command CTL_KEY_NEW = {
    .name = "key new",
    .summary = "Make an issuer's pair of signing keys (Ed25519)",
    .details =
        "Example: qrgatectl key new --kid office-2026 --issuer \"Ward 3\" --out office.key --public office-2026.pub\n",
    .options = NEW_OPTIONS,
    .run = run_new,
};

/* ---- key site ---------------------------------------------------------------------------------------------------- */

enum { SITE_OUT };
static const struct ctl_option SITE_OPTIONS[] = {
    [SITE_OUT] = { "out", "FILE", true, "the new file (mode 0600)" },
    { NULL, NULL, false, NULL },
};

static enum ctl_exit run_site(struct ctl *ctl)
{
    char why[512] = "";
    if (site_key_create(ctl->values[SITE_OUT], why, sizeof(why)) < 0)
        return ctl_fail(ctl, CTL_FAILED, "%s", why);
    (void)printf("site key: %s (the user that runs qrgate must be able to read it; keep a copy in a safe place)\n",
                 ctl->values[SITE_OUT]);
    return CTL_OK;
}

const struct ctl_command CTL_KEY_SITE = {
    .name = "key site",
    .summary = "Make a new site key, which turns identity numbers into keyed hashes",
    .details = "Only needed to fill a register before the daemon's first start, which makes one otherwise. All lanes "
               "of a site\n"
               "share it. With another key the register matches nobody.\n",
    .options = SITE_OPTIONS,
    .run = run_site,
};

/* ---- token issue ------------------------------------------------------------------------------------------------- */

enum { ISSUE_KEY, ISSUE_SUBJECT, ISSUE_STATUS, ISSUE_VALID, ISSUE_NAME };
static const struct ctl_option ISSUE_OPTIONS[] = {
    [ISSUE_KEY] = { "key", "SECRET_FILE", true, "the issuer's secret key, made by `key new`" },
    [ISSUE_SUBJECT] = { "subject", "SUBJECT", true,
                        "whose: cccd: and 12 digits, or a word of the issuer's own like staff:17" },
    [ISSUE_STATUS] = { "status", "STATUS", true, "green, yellow or red" },
    [ISSUE_VALID] = { "valid", "TIME", true, "for how long from now: 30m, 72h, 14d" },
    [ISSUE_NAME] = { "name", "NAME", false, "the person's name, shown to staff; makes the code larger" },
    { NULL, NULL, false, NULL },
};

static bool token_subject_valid(const char *subject)
{
    const size_t length = strlen(subject);
    if (length == 0 || length >= CREDENTIAL_SUBJECT_BYTES)
        return false;
    for (size_t i = 0; i < length; i++)
        if (subject[i] < '!' || subject[i] > '~')
            return false;
    return strncmp(subject, "cccd:", 5) != 0 || parse_subject(subject);
}

/* The claims that the options ask for; kid and issuer come from the key. */
static enum ctl_exit read_claims(struct ctl *ctl, struct token_claims *ret)
{
    const char *subject = ctl->values[ISSUE_SUBJECT], *status = ctl->values[ISSUE_STATUS],
               *valid = ctl->values[ISSUE_VALID];
    const char *name = ctl->values[ISSUE_NAME] ? ctl->values[ISSUE_NAME] : "";
    int64_t valid_s;
    char buffer[80];
    *ret = (struct token_claims){ 0 };
    if (!token_subject_valid(subject))
        return ctl_fail(ctl, CTL_USAGE,
                        "--subject '%s': " ALLOWED_SUBJECT ", or up to 71 printable ASCII characters without spaces",
                        printable(subject, buffer, sizeof(buffer)));
    if (!parse_status(status, &ret->status))
        return ctl_fail(ctl, CTL_USAGE, "--status '%s': " ALLOWED_STATUS, printable(status, buffer, sizeof(buffer)));
    if (!parse_duration(valid, &valid_s))
        return ctl_fail(ctl, CTL_USAGE, "--valid '%s': " ALLOWED_VALID, printable(valid, buffer, sizeof(buffer)));
    if (strlen(name) >= CREDENTIAL_NAME_BYTES || !utf8_plain((const uint8_t *)name, strlen(name)))
        return ctl_fail(ctl, CTL_USAGE, "--name '%s': allowed is UTF-8 text of up to %d bytes",
                        printable(name, buffer, sizeof(buffer)), CREDENTIAL_NAME_BYTES - 1);
    (void)strcpy(ret->subject, subject); /* lengths checked above */
    (void)strcpy(ret->name, name);
    ret->issued_at_s = ctl->now_s;
    ret->expires_at_s = ctl->now_s + valid_s;
    return CTL_OK;
}

static enum ctl_exit run_issue(struct ctl *ctl)
{
    struct token_claims claims;
    struct key_file key;
    uint8_t public_key[crypto_sign_PUBLICKEYBYTES], signing_key[crypto_sign_SECRETKEYBYTES];
    char text[TOKEN_TEXT_BYTES];
    enum ctl_exit result = read_claims(ctl, &claims);
    if (result != CTL_OK)
        return result;
    if (key_file_read(ctl->values[ISSUE_KEY], true, &key, stderr) < 0)
        return ctl_fail(ctl, CTL_FAILED, "the secret key can't be used (see above)");
    /* a pass must name an issuer; a key written by hand may have none */
    (void)snprintf(claims.issuer, sizeof(claims.issuer), "%s", key.issuer[0] ? key.issuer : key.kid);
    (void)crypto_sign_seed_keypair(public_key, signing_key, key.key); /* can't fail */
    const int length = token_write(&claims, (const uint8_t *)key.kid, strlen(key.kid), signing_key, text, sizeof(text));
    sodium_memzero(&key, sizeof(key));
    sodium_memzero(signing_key, sizeof(signing_key));
    if (length < 0)
        result = ctl_fail(ctl, CTL_FAILED, "the pass can't be written: %s", strerror(-length));
    else
        (void)printf("%s\n", text);
    return result;
}

const struct ctl_command CTL_TOKEN_ISSUE = {
    .name = "token issue",
    .summary = "Sign a pass (QG1:...) and print its text, to be shown as a QR code",
    .details =
        "Example: qrgatectl token issue --key office.key --subject cccd:022199012345 --status green --valid 72h \\\n"
        "           | qrencode -o pass.png\n",
    .options = ISSUE_OPTIONS,
    .run = run_issue,
};
