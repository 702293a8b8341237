/* Members of a stranger's JSON object, by name and type. Pure. */
#include "daemon/ctl/members.h"

#include <json-c/json.h>

#include "daemon/ctl/ctl.h"
#include "daemon/mqtt/json_read.h"

const char *member_text(struct json_object *object, const char *name, char *buffer, size_t bytes)
{
    struct json_object *value;
    const bool found = json_read_member_named(object, name, &value) && json_object_is_type(value, json_type_string);
    return printable(found ? json_object_get_string(value) : "", buffer, bytes);
}

bool member_number(struct json_object *object, const char *name, int64_t *ret)
{
    struct json_object *value;
    return json_read_member_named(object, name, &value) && json_read_integer(value, ret);
}

bool member_flag(struct json_object *object, const char *name)
{
    struct json_object *value;
    bool flag = false;
    return json_read_member_named(object, name, &value) && json_read_flag(value, &flag) && flag;
}

struct json_object *member_object(struct json_object *object, const char *name)
{
    struct json_object *value;
    return json_read_member_named(object, name, &value) && json_object_is_type(value, json_type_object) ? value : NULL;
}
