/* The catalogue: its rows are whole and agree with each other, its rules name fields that there are, its alarms are the program's;
 * and Home Assistant's message, which is made of it, fits for the longest names. That readers, writers, schemas, the manual and
 * real messages agree with it: tests/e2e/test_catalogue.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "daemon/mqtt/catalogue.h"
#include "daemon/mqtt/discovery.h"
#include "daemon/mqtt/messages.h"
#include "daemon/mqtt/schema.h"
#include "daemon/passage.h"

static const struct catalogue_field *field_of(const struct catalogue_group *group, const char *name)
{
    for (int i = 0; i < group->count; i++)
        if (strcmp(group->fields[i].name, name) == 0)
            return &group->fields[i];
    return NULL;
}

static void check_words(const struct catalogue_words *words)
{
    assert_true(words->name != NULL && words->to > words->from);
    for (int i = words->from; i < words->to; i++) {
        assert_true(strlen(words->name(i)) > 0 && strcmp(words->name(i), "?") != 0);
        for (int k = words->from; k < i; k++)
            assert_string_not_equal(words->name(i), words->name(k));
    }
}

/* Whatever the rules call required or speak of as a property is a field of the group. */
static void check_rules(const struct catalogue_group *group, struct json_object *rules, const char *under)
{
    if (json_object_is_type(rules, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(rules); i++) {
            struct json_object *item = json_object_array_get_idx(rules, i);
            if (strcmp(under, "required") == 0 || strcmp(under, "dependentRequired") == 0)
                assert_non_null(field_of(group, json_object_get_string(item)));
            else
                check_rules(group, item, under);
        }
    } else if (json_object_is_type(rules, json_type_object)) {
        json_object_object_foreach(rules, name, value)
        {
            const bool of_fields = strcmp(under, "properties") == 0 || strcmp(under, "dependentSchemas") == 0 ||
                                   strcmp(under, "dependentRequired") == 0;
            if (of_fields)
                assert_non_null(field_of(group, name));
            check_rules(group, value, of_fields && strcmp(under, "dependentRequired") == 0 ? under : of_fields ? "" : name);
        }
    }
}

static void check_group(const struct catalogue_group *group)
{
    assert_in_range(group->count, 1, 32);
    for (int i = 0; i < group->count; i++) {
        const struct catalogue_field *field = &group->fields[i];
        assert_non_null(field->name); /* a hole in a table by places */
        assert_ptr_equal(field_of(group, field->name), field);
        assert_in_range(field->form, FORM_NONE, FORM_COUNT - 1);
        if (field->kind == FIELD_WORD)
            check_words(&field->words);
        if (field->kind == FIELD_INTEGER || field->kind == FIELD_NUMBER || field->kind == FIELD_LIST)
            assert_true(field->least <= field->most && field->most > 0);
        if (field->kind == FIELD_LIST)
            assert_int_equal(field->inside->count, 1);
        if (field->inside != NULL)
            check_group(field->inside);
    }
    if (group->rules != NULL) {
        struct json_object *rules = json_tokener_parse(group->rules);
        assert_non_null(rules);
        check_rules(group, rules, "");
        assert_int_equal(json_object_put(rules), 1);
    }
}

static void rows_are_whole(void **state)
{
    (void)state;
    for (int i = 0; i < MESSAGE_COUNT; i++) {
        const struct catalogue_message *message = catalogue_message((enum message_name)i);
        char schema[64];
        (void)snprintf(schema, sizeof schema, "qrgate/%s/%d", message->name, message->version);
        assert_string_equal(message->schema, schema);
        assert_ptr_equal(catalogue_message_named(message->name), message);
        const struct catalogue_field *first = &message->group.fields[0];
        assert_int_equal(first->kind, FIELD_SCHEMA);
        check_group(&message->group);
    }
    assert_null(catalogue_message_named("nothing"));
}

static void each_message_has_one_topic(void **state)
{
    const struct catalogue_topic *topic;
    int of[MESSAGE_COUNT + 1] = {0};
    (void)state;
    for (int row = 0; (topic = catalogue_topic_row(row)) != NULL; row++) {
        of[topic->message]++;
        assert_int_equal(topic->qos, 1);
        assert_true(topic->is_in || topic->is_out);
        assert_true(topic->is_out || !topic->retained); /* nothing acts on retained messages */
        for (int before = 0; before < row; before++)
            assert_string_not_equal(catalogue_topic_row(before)->levels, topic->levels);
    }
    for (int i = 0; i < MESSAGE_COUNT; i++)
        assert_int_equal(of[i], 1);
    for (int i = 0; i < TOPIC_COUNT; i++)
        assert_true(catalogue_topic((enum topic)i)->is_out);
    for (int i = 0; i < INBOUND_TOPIC_COUNT; i++)
        assert_true(catalogue_inbound((enum inbound_topic)i)->is_in);
}

static void fields_are_found_by_path(void **state)
{
    (void)state;
    assert_string_equal(catalogue_field(MESSAGE_HEALTH, "frame_to_relay.p50_us")->name, "p50_us");
    assert_int_equal(catalogue_field(MESSAGE_STATE, "alarms")->kind, FIELD_LIST);
    assert_int_equal(catalogue_field(MESSAGE_REQUEST, "for_s")->most, 86400);
    assert_null(catalogue_field(MESSAGE_HEALTH, "frame_to_relay.p51_us"));
    assert_null(catalogue_field(MESSAGE_HEALTH, "at.p50_us"));
    assert_null(catalogue_field(MESSAGE_HEALTH, "eye."));
    assert_null(catalogue_field(MESSAGE_HEALTH, ""));
}

static void alarms_are_the_programs(void **state)
{
    static const char *const of_passage[PASSAGE_ALARM_COUNT] = {
        [ALARM_CAMERA_LOST] = "camera_lost", [ALARM_JOURNAL_FAILING] = "journal_failing", [ALARM_JOURNAL_FULL] = "journal_full",
        [ALARM_CERTIFICATE_EXPIRING] = "certificate_expiring"};
    (void)state;
    for (int i = 0; i < LANE_ALARM_COUNT; i++)
        assert_string_equal(catalogue_alarm_name(i), lane_alarm_name((enum lane_alarm)i));
    for (int i = 0; i < PASSAGE_ALARM_COUNT; i++)
        assert_string_equal(catalogue_alarm_name((int)ALARM_FIRST_OF_PASSAGE + i), of_passage[i]);
    assert_string_equal(catalogue_alarm_name(ALARM_OF_LANE), "lane");
    assert_string_equal(catalogue_alarm_name(ALARM_NAME_COUNT), "?");
    assert_string_equal(catalogue_alarm_name(-1), "?");
}

static void a_full_disk_is_told(void **state)
{
    FILE *full = fopen("/dev/full", "w");
    (void)state;
    assert_non_null(full);
    (void)setvbuf(full, NULL, _IONBF, 0);
    assert_int_equal(schema_write(catalogue_message(MESSAGE_HEALTH), full), -5 /* EIO */);
    (void)fclose(full);
}

/* ---- Home Assistant ---- */

static struct topics topics;

static struct discovery device(const char *prefix, const char *site, const char *lane, bool may_open)
{
    assert_int_equal(topics_init(&topics, prefix, site, lane), 0);
    return (struct discovery){.topics = &topics, .prefix = prefix, .site = site, .lane = lane, .version = "0.1.0", .may_open = may_open};
}

static void the_device_is_exact_where_it_is_said(void **state)
{
    struct discovery d = device("q", "s", "l", true);
    char text[MESSAGE_LONG_BYTES];
    (void)state;
    assert_true(discovery_write(&d, text, sizeof text) > 0);
    assert_non_null(strstr(text, "{\"dev\":{\"ids\":[\"q/s/l\"],\"name\":\"qrgate s l\",\"mf\":\"qrgate\",\"mdl\":\"gate\",\"sw\":\"0.1.0\"},"
                                 "\"o\":{\"name\":\"qrgate\",\"sw\":\"0.1.0\"},\"avty_t\":\"q/s/l/availability\",\"qos\":1,\"cmps\":{"));
    assert_non_null(strstr(text, "\"tamper\":{\"p\":\"binary_sensor\",\"name\":\"Cabinet\",\"uniq_id\":\"q/s/l/tamper\","
                                 "\"stat_t\":\"q/s/l/state\",\"val_tpl\":\"{{ 'ON' if 'tamper' in value_json.alarms else 'OFF' }}\","
                                 "\"dev_cla\":\"tamper\"}"));
    assert_non_null(strstr(text, "\"open\":{\"p\":\"button\",\"name\":\"Open once\",\"uniq_id\":\"q/s/l/open\","
                                 "\"cmd_t\":\"q/s/l/request/open\","));
    d.may_open = false;
    assert_true(discovery_write(&d, text, sizeof text) > 0);
    assert_non_null(strstr(text, "\"open\":{\"p\":\"button\"},"));
    assert_null(strstr(text, "request"));
}

static void the_device_fits_with_the_longest_names(void **state)
{
    static const char longest[] = "12345678901234567890123456789012";
    const struct discovery d = device(longest, longest, longest, true);
    char text[MESSAGE_LONG_BYTES], small[64];
    (void)state;
    const int length = discovery_write(&d, text, sizeof text);
    assert_in_range(length, MESSAGE_BYTES, sizeof text - 512);
    struct json_object *root = json_tokener_parse(text);
    assert_non_null(root);
    assert_int_equal(json_object_put(root), 1);
    assert_int_equal(discovery_write(&d, small, sizeof small), -90 /* EMSGSIZE */);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_whole),
        cmocka_unit_test(each_message_has_one_topic),
        cmocka_unit_test(fields_are_found_by_path),
        cmocka_unit_test(alarms_are_the_programs),
        cmocka_unit_test(a_full_disk_is_told),
        cmocka_unit_test(the_device_is_exact_where_it_is_said),
        cmocka_unit_test(the_device_fits_with_the_longest_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
