/* qrgatectl key operator: the pair of keys with which an operator signs requests to lanes (send --key). */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "daemon/credential/utf8.h"
#include "daemon/ctl/pass.h"
#include "daemon/settings/operators.h"

enum { LINES_BYTES = 256 };

enum { KID, NAME, VERBS, OUT, PUBLIC };
static const struct ctl_option OPTIONS[] = {
    [KID] = { "kid", "ID", true, "the key's name in each request: 1 to 16 of A-Z a-z 0-9 . _ -" },
    [NAME] = { "name", "NAME", true, "the operator, as the journal is to say it: up to 32 bytes" },
    [VERBS] = { "verbs", "LIST", true, "what the key may ask for: all, or open,mode,…" },
    [OUT] = { "out", "SECRET_FILE", true, "the secret key, for the operator alone (mode 0600); or a folder for both: ID.key and ID.pub" },
    [PUBLIC] = { "public", "PUB_FILE", false, "the public key, for the lanes' folder commands.operators (NAME.pub)" },
    { NULL, NULL, false, NULL },
};

static bool verbs_valid(const char *list)
{
    for (const char *at = list; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        char word[TOPIC_LANE_BYTES];
        enum command_verb verb;
        const int length = snprintf(word, sizeof(word), "%.*s", (int)strcspn(at, ","), at);
        if (length < 0 || (size_t)length >= sizeof(word) || (strcmp(word, "all") != 0 && !command_verb_from_name(word, &verb)))
            return false;
    }
    return true;
}

static enum ctl_exit read_options(const struct ctl *ctl, struct key_file *ret)
{
    const char *kid = ctl->values[KID], *name = ctl->values[NAME];
    const size_t length = strlen(name);
    char buffer[80];
    if (!key_file_kid_valid(kid))
        return ctl_complain(ctl, CTL_USAGE, "key.kid", "value", printable(kid, buffer, sizeof(buffer)), NULL);
    if (length >= JOURNAL_OPERATOR_BYTES || name[0] == ' ' || !utf8_plain((const uint8_t *)name, length))
        return ctl_complain(ctl, CTL_USAGE, "key.operator_name", "value", printable(name, buffer, sizeof(buffer)), NULL);
    if (!verbs_valid(ctl->values[VERBS]))
        return ctl_complain(ctl, CTL_USAGE, "key.verbs", "value", printable(ctl->values[VERBS], buffer, sizeof(buffer)), NULL);
    (void)strcpy(ret->kid, kid); /* lengths checked above */
    (void)strcpy(ret->issuer, name);
    return CTL_OK;
}

/* What an operator's public key says beside an issuer's; then the lane's own reader is asked. */
static int add_lines(const struct ctl *ctl, const char *path)
{
    char lines[LINES_BYTES];
    struct command_operator operator;
    const int length = snprintf(lines, sizeof(lines), "operator: %s\nverbs: %s\n", ctl->values[NAME], ctl->values[VERBS]);
    const int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    int error = 0;
    if (fd < 0)
        return -errno;
    if (length < 0 || (size_t)length >= sizeof(lines))
        error = -EMSGSIZE;
    else if (write(fd, lines, (size_t)length) != length || fsync(fd) < 0)
        error = errno != 0 ? -errno : -EIO;
    if (close(fd) < 0 && error == 0)
        error = -errno;
    return error == 0 ? operator_file_read(path, &operator, stderr) : error;
}

static enum ctl_exit run(struct ctl *ctl)
{
    struct key_file secret = { 0 }, public;
    uint8_t signing_key[crypto_sign_SECRETKEYBYTES];
    char secret_path[PASS_PATH_BYTES], public_path[PASS_PATH_BYTES];
    enum ctl_exit result = read_options(ctl, &secret);
    if (result == CTL_OK)
        result = pass_pair_paths(ctl, secret.kid, ctl->values[OUT], ctl->values[PUBLIC], secret_path, public_path);
    if (result != CTL_OK)
        return result;
    public = secret;
    randombytes_buf(secret.key, sizeof(secret.key));
    (void)crypto_sign_seed_keypair(public.key, signing_key, secret.key); /* can't fail */
    result = pass_write_pair(ctl, &secret, &public, secret_path, public_path);
    sodium_memzero(&secret, sizeof(secret));
    sodium_memzero(signing_key, sizeof(signing_key));
    if (result != CTL_OK)
        return result;
    const int error = add_lines(ctl, public_path);
    if (error < 0) {
        (void)unlink(secret_path); /* just made; half a pair is of no use */
        (void)unlink(public_path);
        return pass_fail_write(ctl, public_path, error);
    }
    lang_print(stdout, ctl->lang, "key.operator_made", "secret", secret_path, "public", public_path, NULL);
    (void)putchar('\n');
    return CTL_OK;
}

const struct ctl_command CTL_KEY_OPERATOR = {
    .name = "key operator",
    .summary = "Make an operator's pair of keys (Ed25519), to sign requests to lanes",
    .details = "Example: qrgatectl key operator --kid anna1 --name \"Chị Anna\" --verbs open,mode --out anna.key --public anna.pub\n"
               "Copy the public file into the folder commands.operators of each lane, and reload it. A lane with commands.auth =\n"
               "\"signed\" then carries out what `qrgatectl send --key anna.key` asks, and journals the name.\n",
    .options = OPTIONS,
    .run = run,
};
