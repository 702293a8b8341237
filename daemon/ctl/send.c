/* qrgatectl send: an operator's request to a lane over MQTT, and the lane's answer. The lane's part: daemon/mqtt/command*.c,
 * daemon/operator.c. */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <pwd.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/ctl/broker_link.h"
#include "daemon/ctl/members.h"
#include "daemon/ctl/request.h"
#include "daemon/ctl/told_files.h"
#include "daemon/decision/time_text.h"
#include "daemon/mqtt/json_read.h"
#include "daemon/mqtt/json_write.h"

enum { STEP_TIMEOUT_MS = 10000, DEFAULT_TIMEOUT_S = 15, TIMEOUT_MAX_S = 600, OBJECT_BYTES = INBOUND_MESSAGE_MAX_BYTES + 1,
       PATH_BYTES = 2 * TOPIC_LANE_BYTES };

enum {
    KEY = BROKER_OPTIONS, OPERATOR, WHY, MODE, FOR, FROM_SEQ, SUBJECT, STATUS, DECLARATION, TOKEN, LIFT, TIMEOUT, JSON
};
static const struct ctl_option OPTIONS[] = {
    BROKER_OPTION_ROWS,
    [BROKER_LANE] = { "lane", "NAME", false, "the lane (default: the configuration's)" },
    [KEY] = { "key", "SECRET_FILE", false, "signs with an operator's key, made by `key operator`" },
    [OPERATOR] = { "operator", "NAME", false, "who asks (default: who is logged in); with --key it is the key's" },
    [WHY] = { "why", "TEXT", false, "the reason, for the journal; open and mode need one" },
    [MODE] = { "mode", "MODE", false, "mode: normal, hold_open or lock_down" },
    [FOR] = { "for", "TIME", false, "mode hold_open: for how long: 90s, 30m, 2h" },
    [FROM_SEQ] = { "from-seq", "N", false, "resend: the first event wanted" },
    [SUBJECT] = { "subject", "cccd:NUMBER", false, "declare: whose" },
    [STATUS] = { "status", "STATUS", false, "declare: green, yellow, red, white or revoked" },
    [DECLARATION] = { "declaration", "FILE", false, "declare: instead, a JSON object as on the topic declaration; - is stdin" },
    [TOKEN] = { "token-id", "ID", false, "revoke: the token, as `token show` prints it" },
    [LIFT] = { "lift", NULL, false, "revoke: takes the token off the list again" },
    [TIMEOUT] = { "timeout", "SECONDS", false, "for how long to wait for the answer (default 15)" },
    [JSON] = { "json", NULL, false, "the answer as one JSON object on a line" },
    { NULL, NULL, false, NULL },
};

struct sending {
    struct ctl *ctl;
    struct broker broker;
    struct request request;
    struct key_file secret;
    int timeout_ms;
    char transaction[33], lane_path[PATH_BYTES], operator_name[JOURNAL_OPERATOR_BYTES];
    char declaration[OBJECT_BYTES], revocation[OBJECT_BYTES];
    char json[COMMAND_REQUEST_MAX_BYTES + 1];
    uint8_t signed_bytes[REQUEST_SIGNED_MAX_BYTES];
    const void *bytes; /* what is sent */
    size_t length_bytes;
};

/* ---- options -> request ------------------------------------------------------------------------------------------ */

static enum ctl_exit fail_number(struct sending *sending, int option, const char *least, const char *most)
{
    char buffer[80];
    return ctl_complain(sending->ctl, CTL_USAGE, "option.number", "option", OPTIONS[option].name, "value",
                        printable(sending->ctl->values[option], buffer, sizeof(buffer)), "least", least, "most", most, NULL);
}

static bool read_number(const char *text, int64_t least, int64_t most, int64_t *ret)
{
    const size_t digits = strspn(text, "0123456789");
    *ret = digits > 0 && digits <= 15 && text[digits] == '\0' ? strtoll(text, NULL, 10) : -1;
    return *ret >= least && *ret <= most;
}

static enum ctl_exit take_numbers(struct sending *sending)
{
    const struct ctl *ctl = sending->ctl;
    int64_t timeout_s = DEFAULT_TIMEOUT_S;
    char buffer[80];
    if (ctl->values[TIMEOUT] && !read_number(ctl->values[TIMEOUT], 1, TIMEOUT_MAX_S, &timeout_s))
        return fail_number(sending, TIMEOUT, "1", "600");
    sending->timeout_ms = (int)timeout_s * 1000;
    if (ctl->values[FROM_SEQ] && !read_number(ctl->values[FROM_SEQ], 1, INT64_MAX, &sending->request.from_seq))
        return fail_number(sending, FROM_SEQ, "1", "999999999999999");
    if (ctl->values[FOR] && !parse_duration(ctl->values[FOR], &sending->request.for_s))
        return ctl_complain(ctl, CTL_USAGE, "option.duration", "option", "for", "value",
                            printable(ctl->values[FOR], buffer, sizeof(buffer)), NULL);
    return CTL_OK;
}

/* Who is at the keyboard; who became root by sudo is still themselves. */
static void find_operator(char ret_name[JOURNAL_OPERATOR_BYTES])
{
    const char *name = geteuid() == 0 ? getenv("SUDO_USER") : NULL;
    const struct passwd *user = name ? NULL : getpwuid(getuid());
    name = name ? name : user ? user->pw_name : "";
    (void)snprintf(ret_name, JOURNAL_OPERATOR_BYTES, "%.*s", JOURNAL_OPERATOR_BYTES - 1, name);
}

static enum ctl_exit take_operator(struct sending *sending)
{
    const struct ctl *ctl = sending->ctl;
    const bool own_lane = strcmp(sending->broker.mqtt.site, sending->broker.config_site) == 0 &&
                          strcmp(sending->broker.mqtt.lane, sending->broker.config_lane) == 0;
    if (ctl->values[KEY] && told_key_read(ctl, ctl->values[KEY], true, &sending->secret) < 0)
        return CTL_FAILED; /* said */
    if (own_lane && sending->broker.auth == COMMAND_AUTH_OFF)
        return ctl_complain(ctl, CTL_FAILED, "send.commands_off", "lane", sending->lane_path, NULL);
    if (own_lane && sending->broker.auth == COMMAND_AUTH_SIGNED && !ctl->values[KEY])
        return ctl_complain(ctl, CTL_USAGE, "send.key_missing", "lane", sending->lane_path, NULL);
    if (own_lane && sending->broker.auth == COMMAND_AUTH_ACL && ctl->values[KEY])
        return ctl_complain(ctl, CTL_USAGE, "send.key_not_wanted", "lane", sending->lane_path, NULL);
    sending->request.operator_name = ctl->values[OPERATOR];
    if (!ctl->values[OPERATOR] && !ctl->values[KEY]) {
        find_operator(sending->operator_name);
        sending->request.operator_name = sending->operator_name;
    }
    return CTL_OK;
}

static enum ctl_exit read_object(struct sending *sending, const char *path)
{
    const bool from_stdin = strcmp(path, "-") == 0;
    const int fd = from_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    size_t used = 0;
    ssize_t more = fd < 0 ? -1 : 1;
    char shown[120];
    while (more > 0 && used < sizeof(sending->declaration)) {
        more = read(fd, sending->declaration + used, sizeof(sending->declaration) - used);
        used += more > 0 ? (size_t)more : 0;
    }
    const int error = errno;
    if (fd >= 0 && !from_stdin)
        (void)close(fd); /* only read */
    if (more < 0)
        return ctl_complain(sending->ctl, CTL_FAILED, "file.unreadable", "file", printable(path, shown, sizeof(shown)), "why",
                            strerror(error), NULL);
    if (used >= sizeof(sending->declaration))
        return ctl_complain(sending->ctl, CTL_FAILED, "file.too_large", "file", printable(path, shown, sizeof(shown)), "most",
                            LANG_N(sizeof(sending->declaration) - 1), NULL);
    sending->declaration[used] = '\0';
    sending->request.declaration = sending->declaration;
    return CTL_OK;
}

static enum ctl_exit take_declaration(struct sending *sending)
{
    const struct ctl *ctl = sending->ctl;
    struct json json;
    if (ctl->values[DECLARATION] && (ctl->values[SUBJECT] || ctl->values[STATUS]))
        return ctl_complain(ctl, CTL_USAGE, "send.declaration_twice", NULL);
    if (ctl->values[DECLARATION])
        return read_object(sending, ctl->values[DECLARATION]);
    if (!ctl->values[SUBJECT] && !ctl->values[STATUS])
        return CTL_OK;
    json_begin(&json, sending->declaration, sizeof(sending->declaration));
    if (ctl->values[SUBJECT])
        json_text(&json, "subject", ctl->values[SUBJECT], strlen(ctl->values[SUBJECT]));
    if (ctl->values[STATUS])
        json_text(&json, "status", ctl->values[STATUS], strlen(ctl->values[STATUS]));
    json_integer(&json, "declared_at", ctl->now_s);
    json_text(&json, "by", "guard", strlen("guard"));
    if (json_end(&json) < 0)
        return ctl_complain(ctl, CTL_USAGE, "option.too_long", "option", "subject", "most", "71", NULL);
    sending->request.declaration = sending->declaration;
    return CTL_OK;
}

static enum ctl_exit take_revocation(struct sending *sending)
{
    const struct ctl *ctl = sending->ctl;
    struct json json;
    if (!ctl->values[TOKEN] && !ctl->values[LIFT])
        return CTL_OK;
    json_begin(&json, sending->revocation, sizeof(sending->revocation));
    if (ctl->values[TOKEN])
        json_text(&json, "token_id", ctl->values[TOKEN], strlen(ctl->values[TOKEN]));
    json_integer(&json, "revoked_at", ctl->now_s);
    if (ctl->values[LIFT])
        json_flag(&json, "lifted", true);
    if (json_end(&json) < 0)
        return ctl_complain(ctl, CTL_USAGE, "option.too_long", "option", "token-id", "most", "32", NULL);
    sending->request.revocation = sending->revocation;
    return CTL_OK;
}

static enum ctl_exit take_verb(struct sending *sending)
{
    enum command_verb verb;
    char buffer[80];
    if (!command_verb_from_name(sending->ctl->operand, &verb))
        return ctl_complain(sending->ctl, CTL_USAGE, "send.verb_unknown", "verb",
                            printable(sending->ctl->operand, buffer, sizeof(buffer)), NULL);
    sending->request.verb = command_verb_name(verb);
    if (sending->broker.mqtt.lane[0] == '\0')
        return ctl_complain(sending->ctl, CTL_USAGE, "broker.name_missing", "option", "lane", NULL);
    (void)snprintf(sending->lane_path, sizeof(sending->lane_path), "%.32s/%.32s", sending->broker.mqtt.site,
                   sending->broker.mqtt.lane);
    sending->request.lane_path = sending->lane_path;
    sending->request.why = sending->ctl->values[WHY];
    sending->request.mode = sending->ctl->values[MODE];
    return CTL_OK;
}

/* As late as possible: a request grows old in ten seconds. */
static enum ctl_exit write_request(struct sending *sending)
{
    struct request *request = &sending->request;
    const struct key_file *secret = sending->ctl->values[KEY] ? &sending->secret : NULL;
    struct timespec now;
    uint8_t random[16];
    char why[COMMAND_MESSAGE_BYTES], shown[COMMAND_MESSAGE_BYTES];
    randombytes_buf(random, sizeof(random));
    request->transaction = sodium_bin2hex(sending->transaction, sizeof(sending->transaction), random, sizeof(random));
    (void)clock_gettime(CLOCK_REALTIME, &now); /* can't fail with this clock */
    request->issued_at_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
    int length = request_write(request, sending->json, sizeof(sending->json));
    sending->bytes = sending->json;
    if (length >= 0 && secret) {
        length = request_sign(secret, sending->json, (size_t)length, sending->signed_bytes, sizeof(sending->signed_bytes));
        sending->bytes = sending->signed_bytes;
    }
    if (length < 0)
        return ctl_complain(sending->ctl, CTL_USAGE, "send.too_large", "most", LANG_N(COMMAND_REQUEST_MAX_BYTES), NULL);
    sending->length_bytes = (size_t)length;
    if (request_check(request, secret, sending->bytes, sending->length_bytes, why) != COMMAND_OK)
        return ctl_complain(sending->ctl, CTL_USAGE, "send.mistake", "why", printable(why, shown, sizeof(shown)), NULL);
    return CTL_OK;
}

static enum ctl_exit read_request(struct sending *sending)
{
    enum ctl_exit result = broker_read_options(sending->ctl, true, &sending->broker);
    if (result == CTL_OK)
        result = take_verb(sending);
    if (result == CTL_OK)
        result = take_numbers(sending);
    if (result == CTL_OK)
        result = take_operator(sending);
    if (result == CTL_OK)
        result = take_declaration(sending);
    if (result == CTL_OK)
        result = take_revocation(sending);
    return result == CTL_OK ? write_request(sending) : result; /* what is wrong with it is said before anybody is called */
}

/* ---- the answer -------------------------------------------------------------------------------------------------- */

static void print_clock(const struct sending *sending, struct json_object *response)
{
    const struct lang *lang = sending->ctl->lang;
    struct json_object *clock = member_object(response, "clock");
    char text[48], local[48];
    int64_t at_s;
    if (!clock)
        return;
    (void)member_text(clock, "at", text, sizeof(text));
    lang_print(stdout, lang, "send.clock", "time",
               time_text_read(text, strlen(text), &at_s, NULL) ? format_local(at_s, local) : text, "trust",
               say(lang, member_flag(clock, "trusted") ? "clock.trusted" : "clock.untrusted"), NULL);
    (void)putchar('\n');
}

static void print_health(const struct sending *sending, struct json_object *response)
{
    struct json_object *health = member_object(response, "health"), *queues = health ? member_object(health, "queues") : NULL;
    int64_t unsent = 0, uptime_s = 0;
    if (!health)
        return;
    (void)member_number(health, "uptime_s", &uptime_s);
    if (queues)
        (void)member_number(queues, "unsent_rows", &unsent);
    lang_print(stdout, sending->ctl->lang, "send.health", "hours", LANG_N(uptime_s / 3600), "unsent", LANG_N(unsent), NULL);
    (void)putchar('\n');
}

static void print_done(const struct sending *sending, struct json_object *response)
{
    const struct lang *lang = sending->ctl->lang;
    char text[COMMAND_MESSAGE_BYTES];
    int64_t from, to, seq;
    lang_print(stdout, lang, "send.done", "lane", sending->lane_path, "verb", say_word(lang, "verb", sending->request.verb), NULL);
    (void)putchar('\n');
    if (member_text(response, "mode", text, sizeof(text))[0]) {
        lang_print(stdout, lang, "send.mode", "mode", say_word(lang, "mode", text), NULL);
        (void)putchar('\n');
    }
    if (member_number(response, "from", &from) && member_number(response, "to", &to)) {
        lang_print(stdout, lang, "send.again", "from", LANG_N(from), "to", LANG_N(to), NULL);
        (void)putchar('\n');
    }
    print_clock(sending, response);
    print_health(sending, response);
    if (member_text(response, "message", text, sizeof(text))[0])
        (void)printf("  %s\n", text);
    if (member_number(response, "seq", &seq)) {
        lang_print(stdout, lang, "send.row", "seq", LANG_N(seq), NULL);
        (void)putchar('\n');
    }
}

static enum ctl_exit tell(const struct sending *sending, struct json_object *response)
{
    const struct lang *lang = sending->ctl->lang;
    char status[16], error[32], message[COMMAND_MESSAGE_BYTES * 4];
    (void)member_text(response, "status", status, sizeof(status));
    (void)member_text(response, "error", error, sizeof(error));
    (void)member_text(response, "message", message, sizeof(message));
    if (sending->ctl->values[JSON])
        (void)printf("%s\n", json_object_to_json_string_ext(response, JSON_C_TO_STRING_PLAIN));
    if (strcmp(status, "ok") == 0) {
        if (!sending->ctl->values[JSON])
            print_done(sending, response);
        return CTL_OK;
    }
    const bool refused = strcmp(status, "refused") == 0;
    return ctl_complain(sending->ctl, refused ? CTL_REFUSED : CTL_FAILED, refused ? "send.refused" : "send.failed", "lane",
                        sending->lane_path, "error", say_word(lang, "error", error), "message", message, NULL);
}

/* The response to our transaction, or NULL: another's, or no response at all. */
static struct json_object *read_response(const struct sending *sending, const struct broker_message *message)
{
    char prefix[TOPIC_BYTES], why[COMMAND_MESSAGE_BYTES], transaction[JOURNAL_TRANSACTION_BYTES];
    int error;
    broker_topic(&sending->broker, sending->broker.mqtt.lane, "response/", prefix);
    if (message->retained || strncmp(message->topic, prefix, strlen(prefix)) != 0)
        return NULL;
    struct json_object *response =
        json_read(message->payload, message->length_bytes, BROKER_PAYLOAD_MAX_BYTES, &error, why, sizeof(why));
    if (response && strcmp(member_text(response, "transaction", transaction, sizeof(transaction)), sending->transaction) != 0) {
        json_read_free(response);
        response = NULL;
    }
    return response;
}

/* ---- over the wire ----------------------------------------------------------------------------------------------- */

/* What the retained availability says of the lane; what there is comes before the answer to the next subscription. */
static enum availability { NEVER_HEARD, ONLINE, OFFLINE } find_availability(const struct sending *sending, struct broker_link *link)
{
    struct broker_message *message;
    char topic[TOPIC_BYTES];
    enum availability found = NEVER_HEARD;
    broker_topic(&sending->broker, sending->broker.mqtt.lane, "availability", topic);
    while (broker_receive(link, 0, &message) == BROKER_OK) {
        if (strcmp(message->topic, topic) == 0)
            found = strcmp(message->payload, "offline") == 0 ? OFFLINE : ONLINE;
        free(message);
    }
    return found;
}

static enum ctl_exit wait_response(const struct sending *sending, struct broker_link *link, enum availability lane)
{
    const int64_t until_s = (int64_t)time(NULL) + sending->timeout_ms / 1000 + 1; /* many others' answers don't make it longer */
    struct broker_message *message;
    enum broker_result result = BROKER_OK;
    while (result == BROKER_OK && (int64_t)time(NULL) <= until_s) {
        result = broker_receive(link, sending->timeout_ms, &message);
        struct json_object *response = result == BROKER_OK ? read_response(sending, message) : NULL;
        free(message);
        if (response) {
            const enum ctl_exit told = tell(sending, response);
            json_read_free(response);
            return told;
        }
    }
    if (result == BROKER_OK || result == BROKER_TIME_OVER)
        return ctl_complain(sending->ctl, CTL_NO_ANSWER, lane == NEVER_HEARD ? "send.nobody" : "send.no_answer", "lane",
                            sending->lane_path, "seconds", LANG_N(sending->timeout_ms / 1000), NULL);
    return broker_complain(sending->ctl, &sending->broker, result, broker_text(link));
}

static enum ctl_exit talk(struct sending *sending, struct broker_link *link)
{
    char topic[TOPIC_BYTES], leaf[24];
    broker_topic(&sending->broker, sending->broker.mqtt.lane, "availability", topic);
    enum broker_result result = broker_subscribe(link, topic, 1, STEP_TIMEOUT_MS);
    broker_topic(&sending->broker, sending->broker.mqtt.lane, "response/+", topic);
    if (result == BROKER_OK || result == BROKER_NO_RIGHTS) /* it is only asked to be helpful */
        result = broker_subscribe(link, topic, 1, STEP_TIMEOUT_MS);
    if (result != BROKER_OK)
        return broker_complain(sending->ctl, &sending->broker, result, broker_text(link));
    const enum availability lane = find_availability(sending, link);
    if (lane == OFFLINE)
        return ctl_complain(sending->ctl, CTL_NO_ANSWER, "send.offline", "lane", sending->lane_path, NULL);
    const enum ctl_exit written = write_request(sending);
    if (written != CTL_OK)
        return written;
    (void)snprintf(leaf, sizeof(leaf), "request/%s", sending->request.verb);
    broker_topic(&sending->broker, sending->broker.mqtt.lane, leaf, topic);
    result = broker_publish(link, topic, sending->bytes, sending->length_bytes, false, COMMAND_AGE_MAX_S, STEP_TIMEOUT_MS);
    return result == BROKER_OK ? wait_response(sending, link, lane)
                               : broker_complain(sending->ctl, &sending->broker, result, broker_text(link));
}

static enum ctl_exit run(struct ctl *ctl)
{
    struct sending *sending = calloc(1, sizeof(*sending));
    struct broker_link *link = NULL;
    char text[BROKER_TEXT_BYTES];
    if (!sending)
        return ctl_complain(ctl, CTL_FAILED, "words.no_memory", NULL);
    sending->ctl = ctl;
    enum ctl_exit result = read_request(sending);
    if (result == CTL_OK) {
        const enum broker_result opened = broker_open(&sending->broker, -1, STEP_TIMEOUT_MS, &link, text);
        result = opened == BROKER_OK ? talk(sending, link) : broker_complain(ctl, &sending->broker, opened, text);
    }
    broker_close(link);
    sodium_memzero(sending, sizeof(*sending)); /* a key, and a person's number */
    free(sending);
    return result;
}

const struct ctl_command CTL_SEND = {
    .name = "send",
    .operand = "VERB",
    .summary = "Ask something of a lane over MQTT, and wait for its answer",
    .details = "VERB is open, mode, declare, revoke, reload, report, resend, identify or time. The lane must take commands\n"
               "(commands.auth = acl or signed in its configuration); it journals who asked and why before it does anything.\n"
               "The broker is the lane's own, as its configuration says, unless --host names one; what a lane may not do there\n"
               "(send requests, with the shipped access list) an operator's --username or --cert may.\n"
               "Examples: qrgatectl send open --why \"delivery at night\"\n"
               "          qrgatectl send mode --mode hold_open --for 30m --why \"fire drill\" --lane lane2\n"
               "          qrgatectl send revoke --token-id 00112233445566778899aabbccddeeff --key anna.key --host broker --ca ca.pem \\\n"
               "              --site quangyen --lane lane1 --username anna --password-file anna.password\n",
    .options = OPTIONS,
    .run = run,
};
