#!/usr/bin/python3
"""Makes qrgate-messages.7 from the program's own table: `make schemas` runs it, a test compares. Its argument is qrgatectl."""
import json
import subprocess
import sys

HEAD = r""".\" Made by qrgate-messages.py from daemon/mqtt/catalogue*.c: `make schemas`. Don't edit.
.nr HY 0
.TH QRGATE\-MESSAGES 7 2026-11-28 "qrgate" "qrgate manual"
.ad l
.SH NAME
qrgate\-messages \- every MQTT topic, message and field
.SH DESCRIPTION
What a lane says and hears. The same table makes the JSON Schemas in
.I /usr/local/share/qrgate/schemas
(also:
.B qrgatectl schema
.IR NAME );
.BR qrgate\-rules (7)
has examples, and says when each comes.
Each message names its schema with its version in the field schema; a field may be added within a version, none is changed or
taken away.
PREFIX is mqtt.prefix, SITE and LANE the lane's names, VERB what an operator asks for."""
TAIL = r""".SH "SEE ALSO"
.BR qrgate\-rules (7),
.BR qrgate.conf (5),
.BR qrgatectl (8),
.BR qrgated (8)"""
ROFF = {"\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti"}
KINDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false", "object": "object", "array": "list"}


def roff(text):
    return "".join(ROFF.get(c, c if ord(c) < 128 else f"\\[u{ord(c):04X}]") for c in text)


def entry(tag, more, text):
    yield from [".TP", f".BR {roff(tag)} \" {roff(more)}\"" if more else f".B {roff(tag)}"]
    yield f"\\&{roff(text)}" if text else "\\&"  # a line that begins with a dot would be a request


def run(*words):
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def bounds(field):
    low, high = field.get("minimum"), field.get("maximum")
    return f" {low} to {high}" if low is not None and high is not None else f" from {low}" if low is not None else ""


def kind_of(field):
    if "$ref" in field:
        return field["$ref"].split("/")[-1] + (f", at most {field['maxLength']}" if "maxLength" in field else "")
    if "enum" in field or "const" in field:
        return "true" if field.get("const") is True else "word"
    if field["type"] == "array":
        most = field.get("maxItems")
        return "list" if most is None else f"list of {most}" if field.get("minItems") == most else f"list of up to {most}"
    if field["type"] == "string" and "maxLength" in field:
        return f"text, at most {field['maxLength']}"
    return KINDS[field["type"]] + bounds(field)


def words_of(field):
    field = field.get("items", field)
    words = field.get("enum", [field["const"]] if isinstance(field.get("const"), str) else [])
    return ", ".join(words)


def meaning_of(field):
    words, text = words_of(field), field.get("description", "")
    item = kind_of(field["items"]) if field.get("type") == "array" and "$ref" in field.get("items", {}) else ""
    return " ".join(part for part in (f"{words}." if words else "", f"Each a {item}." if item else "", text) if part)


def rows(schema, before=""):
    for name, field in schema["properties"].items():
        yield before + name, name in schema.get("required", []), field
        inner = field.get("items", field)
        if "properties" in inner:
            yield from rows(inner, f"{before}{name}{'[]' if 'items' in field else ''}.")


def topics_list(lines):
    yield from [".SH TOPICS", "All at QoS 1."]
    for _, topic, way, qos, retained, schema, what in lines:
        assert qos == "1"
        told = {"in": "to the lane", "out": "from the lane", "both": "from a lane, to the others"}[way]
        yield from entry(topic, f" ({told}{', retained' if retained == 'yes' else ''})",
                         what[0].upper() + what[1:] + "." + (f" Schema {schema}." if schema != "-" else ""))


def forms(schemas):
    found = {name: form for schema in schemas for name, form in schema.get("$defs", {}).items()}
    yield ".SH FORMS"
    yield "What the fields below call by one word."
    for name, form in sorted(found.items()):
        yield from entry(name, "", form["description"])


def message(name, schema):
    yield f".SS {roff(name)}"
    topic, text = schema["description"].split(": ", 1)
    yield from [f".B {roff(topic.split(',')[0])}", ".br", roff(text[0].upper() + text[1:])]
    for path, required, field in rows(schema):
        yield from entry(path, f"  {kind_of(field)}{'' if required else ' (may be left out)'}", meaning_of(field))


def main():
    ctl = sys.argv[1]
    lines = [line.split("\t") for line in run(ctl, "schema").splitlines()[1:]]
    schemas = {line[0]: json.loads(run(ctl, "schema", line[0])) for line in lines if line[0] != "-"}
    out = [HEAD, *topics_list(lines), *forms(schemas.values()), ".SH MESSAGES"]
    for name, schema in schemas.items():
        out += message(name, schema)
    sys.stdout.write("\n".join([*out, TAIL]) + "\n")


if __name__ == "__main__":
    main()
