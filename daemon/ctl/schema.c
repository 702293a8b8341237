/* qrgatectl schema: the table of topics, or the JSON Schema of one message, from the catalogue that the lane itself goes by. */
#include <string.h>

#include "daemon/ctl/ctl.h"
#include "daemon/mqtt/catalogue.h"
#include "daemon/mqtt/json_write.h"
#include "daemon/mqtt/schema.h"

enum { JSON, JSON_BYTES = 4096 };
static const struct ctl_option OPTIONS[] = {
    [JSON] = {"json", NULL, false, "the list of topics as one JSON object a topic, on a line of its own"},
    {NULL, NULL, false, NULL},
};

/* Fixed columns, tabs between them: for people, and for programs that make documents of it. */
static void list_topics(void)
{
    const struct catalogue_topic *topic;
    (void)printf("NAME\tTOPIC\tWAY\tQOS\tRETAINED\tSCHEMA\tWHAT\n");
    for (int row = 0; (topic = catalogue_topic_row(row)) != NULL; row++) {
        const struct catalogue_message *message = topic->message != MESSAGE_COUNT ? catalogue_message(topic->message) : NULL;
        (void)printf("%s\t%s\t%s\t%d\t%s\t%s\t%s\n", message != NULL ? message->name : "-", topic->levels,
                     topic->is_in && topic->is_out ? "both" : topic->is_in ? "in" : "out", topic->qos,
                     topic->retained ? "yes" : "no", message != NULL ? message->schema : "-", topic->what);
    }
}

static void list_topics_json(void)
{
    const struct catalogue_topic *topic;
    for (int row = 0; (topic = catalogue_topic_row(row)) != NULL; row++) {
        const struct catalogue_message *message = topic->message != MESSAGE_COUNT ? catalogue_message(topic->message) : NULL;
        char text[JSON_BYTES];
        struct json json;
        json_begin(&json, text, sizeof text);
        if (message != NULL)
            json_text(&json, "name", message->name, SIZE_MAX);
        json_text(&json, "topic", topic->levels, SIZE_MAX);
        json_flag(&json, "in", topic->is_in);
        json_flag(&json, "out", topic->is_out);
        json_integer(&json, "qos", topic->qos);
        json_flag(&json, "retained", topic->retained);
        if (message != NULL)
            json_text(&json, "schema", message->schema, SIZE_MAX);
        json_text(&json, "what", topic->what, SIZE_MAX);
        if (json_end(&json) >= 0) /* our own texts fit */
            (void)printf("%s\n", text);
    }
}

static enum ctl_exit run_schema(struct ctl *ctl)
{
    const struct catalogue_message *message = ctl->operand != NULL ? catalogue_message_named(ctl->operand) : NULL;
    char buffer[80];
    if (ctl->operand == NULL) {
        (ctl->values[JSON] != NULL ? list_topics_json : list_topics)();
        return CTL_OK;
    }
    if (message == NULL)
        return ctl_complain(ctl, CTL_USAGE, "schema.unknown",
                            "value", printable(ctl->operand, buffer, sizeof(buffer)), NULL);
    const int r = schema_write(message, stdout);
    return r < 0 ? ctl_complain(ctl, CTL_FAILED, "main.output_failed", "why", strerror(-r), NULL) : CTL_OK;
}

const struct ctl_command CTL_SCHEMA = {
    "schema", "[NAME]", "List the MQTT topics, or print the JSON Schema of a message",
    "  Without NAME: a line for each topic, with tabs between name, topic, way (in: to the lane), QoS, retained, schema, meaning.\n"
    "  With NAME: that message's JSON Schema. See qrgate-messages(7).\n",
    OPTIONS, run_schema};
