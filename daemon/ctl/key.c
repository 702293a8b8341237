/* qrgatectl key new and key site: an issuer's pair of keys, and the site key. */
#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/ctl/pass.h"
#include "daemon/settings/key_file.h"
#include "daemon/settings/site_key.h"

#define DEFAULT_KEY_VALID "365d"

/* ---- key new ----------------------------------------------------------------------------------------------------- */

enum { NEW_KID, NEW_OUT, NEW_PUBLIC, NEW_ISSUER, NEW_VALID };
static const struct ctl_option NEW_OPTIONS[] = {
    [NEW_KID] = { "kid", "ID", true, "the key's name in each pass: 1 to 16 of A-Z a-z 0-9 . _ -" },
    [NEW_OUT] = { "out", "SECRET_FILE", true,
                  "the secret key, for the issuer alone (mode 0600); or a folder for both: ID.key and ID.pub" },
    [NEW_PUBLIC] = { "public", "PUB_FILE", false, "the public key, for the gate's folder of trust (NAME.pub)" },
    [NEW_ISSUER] = { "issuer", "NAME", false, "who issues; stands in each pass, up to 63 bytes (default: the kid)" },
    [NEW_VALID] = { "valid", "TIME", false, "for how long from now it may sign (default " DEFAULT_KEY_VALID ")" },
    { NULL, NULL, false, NULL },
};

enum ctl_exit pass_fail_write(const struct ctl *ctl, const char *path, int error)
{
    return ctl_complain(ctl, CTL_FAILED, "key.not_made", "file", path, "why", strerror(-error),
                        "remedy", error == -EEXIST ? say(ctl->lang, "fix.key_exists") : "",
                        NULL);
}

enum ctl_exit pass_pair_paths(const struct ctl *ctl, const char *kid, const char *out, const char *pub,
                              char secret[PASS_PATH_BYTES], char public[PASS_PATH_BYTES])
{
    struct stat status;
    const bool is_folder = stat(out, &status) == 0 && S_ISDIR(status.st_mode);
    if (!is_folder && !pub)
        return ctl_complain(ctl, CTL_USAGE, "key.public_missing", "file", out, NULL);
    int error = is_folder ? pass_join(out, kid, ".key", secret)
                          : -(snprintf(secret, PASS_PATH_BYTES, "%s", out) >= PASS_PATH_BYTES);
    if (error == 0)
        error = pub ? -(snprintf(public, PASS_PATH_BYTES, "%s", pub) >= PASS_PATH_BYTES)
                    : pass_join(out, kid, ".pub", public);
    return error == 0 ? CTL_OK : ctl_complain(ctl, CTL_USAGE, "key.path_too_long", NULL);
}

static enum ctl_exit new_names(const struct ctl *ctl, struct key_file *ret)
{
    const char *kid = ctl->values[NEW_KID], *issuer = ctl->values[NEW_ISSUER] ? ctl->values[NEW_ISSUER] : kid;
    int64_t valid_s;
    char buffer[80];
    if (!key_file_kid_valid(kid))
        return ctl_complain(ctl, CTL_USAGE, "key.kid", "value", printable(kid, buffer, sizeof(buffer)), NULL);
    if (!key_file_issuer_valid(issuer))
        return ctl_complain(ctl, CTL_USAGE, "key.issuer", "value", printable(issuer, buffer, sizeof(buffer)), NULL);
    const enum ctl_exit result =
        pass_valid(ctl, ctl->values[NEW_VALID] ? ctl->values[NEW_VALID] : DEFAULT_KEY_VALID, &valid_s);
    if (result != CTL_OK)
        return result;
    (void)strcpy(ret->kid, kid); /* lengths checked above */
    (void)strcpy(ret->issuer, issuer);
    ret->from_s = ctl->now_s;
    ret->until_s = ctl->now_s + valid_s;
    return CTL_OK;
}

enum ctl_exit pass_write_pair(const struct ctl *ctl, const struct key_file *secret, const struct key_file *public,
                              const char *secret_path, const char *public_path)
{
    int error = key_file_write(secret_path, true, secret);
    if (error < 0)
        return pass_fail_write(ctl, secret_path, error);
    error = key_file_write(public_path, false, public);
    if (error < 0) {
        (void)unlink(secret_path); /* just made; half a pair is of no use */
        return pass_fail_write(ctl, public_path, error);
    }
    return CTL_OK;
}

static enum ctl_exit run_new(struct ctl *ctl)
{
    struct key_file secret = { 0 }, public;
    uint8_t signing_key[crypto_sign_SECRETKEYBYTES];
    char secret_path[PASS_PATH_BYTES], public_path[PASS_PATH_BYTES], when[32];
    enum ctl_exit result = new_names(ctl, &secret);
    if (result == CTL_OK)
        result = pass_pair_paths(ctl, secret.kid, ctl->values[NEW_OUT], ctl->values[NEW_PUBLIC], secret_path, public_path);
    if (result != CTL_OK)
        return result;
    public = secret;
    randombytes_buf(secret.key, sizeof(secret.key));
    (void)crypto_sign_seed_keypair(public.key, signing_key, secret.key); /* can't fail */
    result = pass_write_pair(ctl, &secret, &public, secret_path, public_path);
    sodium_memzero(&secret, sizeof(secret));
    sodium_memzero(signing_key, sizeof(signing_key));
    if (result == CTL_OK)
        lang_print(stdout, ctl->lang, "key.made", "secret", secret_path, "public", public_path,
                   "until", format_time(public.until_s, when), NULL);
    return result;
}

const struct ctl_command CTL_KEY_NEW = {
    .name = "key new",
    .summary = "Make an issuer's pair of signing keys (Ed25519)",
    .details =
        "Example: qrgatectl key new --kid office-2026 --issuer \"Ward 3\" --out office.key --public office-2026.pub\n"
        "A gate accepts what the key signs while it is valid. Make the next one a while before: two may overlap.\n",
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
        return ctl_complain(ctl, CTL_FAILED, "words.failed", "why", why, NULL);
    lang_print(stdout, ctl->lang, "key.site_made", "file", ctl->values[SITE_OUT], NULL);
    return CTL_OK;
}

const struct ctl_command CTL_KEY_SITE = {
    .name = "key site",
    .summary = "Make a new site key, which turns identity numbers into keyed hashes",
    .details = "Only needed to fill a register before the daemon's first start, which makes one otherwise. All lanes "
               "of a site\n"
               "share it. With another key the register matches nobody, and no rotating pass is good any more.\n",
    .options = SITE_OPTIONS,
    .run = run_site,
};
