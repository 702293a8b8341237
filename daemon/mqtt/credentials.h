/* Who the lane is to its broker: user name and password, from files that nobody else may read. Read by the line's thread at
 * each attempt to connect, so that a new password needs no restart; and by `qrgated --check-config`. */
#ifndef MQTT_CREDENTIALS_H
#define MQTT_CREDENTIALS_H

#include <sys/types.h>

#include "daemon/mqtt/client.h"

enum { CREDENTIALS_PASSWORD_BYTES = 160, CREDENTIALS_WHY_BYTES = 384 };

struct credentials {
    char username[64], password[CREDENTIALS_PASSWORD_BYTES]; /* "" = none */
};

/* mqtt.username and the first line of mqtt.password_file; where one is unset, that of `folder`/mqtt-username and
 * `folder`/mqtt-password, if there is one: `folder` is systemd's, of its LoadCredential=; "" = none. 0; or negative errno with
 * `why`, which names key, file and remedy, and *ret is empty. */
int credentials_load(const struct mqtt_settings *settings, const char *folder, struct credentials *ret, char *why,
                     size_t why_bytes);
void credentials_wipe(struct credentials *credentials);

/* Who may have a file. Others' writing counts as reading: who can change a certificate can be the broker. */
enum credentials_file {
    CREDENTIALS_PUBLIC,
    CREDENTIALS_OWN,     /* 0600 or less; ours or root's */
    CREDENTIALS_GROUP,   /* 0640 or less; ours or root's */
    CREDENTIALS_SYSTEMD, /* systemd gives us its files by an access list, which shows as the group's right */
    CREDENTIALS_FILE_COUNT
};
/* The length, at most ret_bytes. What is judged is the file that was opened, at the end of whatever symbolic links; only plain
 * files are read, and nothing waits for a FIFO's writer. `key` is what `why` calls it. */
ssize_t credentials_read(const char *key, const char *path, enum credentials_file kind, char *ret, size_t ret_bytes, char *why,
                         size_t why_bytes);

#endif
