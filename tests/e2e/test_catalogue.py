"""The one table of topics, messages and fields (daemon/mqtt/catalogue*.c) held against all that goes by it: the JSON Schemas are
what it makes, what the program writes and reads is what it says, the manual page is made of it; and for each schema messages
that are valid and messages that aren't (tests/data/messages), which the lane takes and refuses too; and the real daemon's."""
import collections
import json
import re
import subprocess
import sys

import jsonschema
import pytest

import gate
from test_inbound import Sender

SCHEMAS, MESSAGES = gate.ROOT / "config" / "schemas", gate.ROOT / "tests" / "data" / "messages"
NAMES = sorted(path.stem for path in SCHEMAS.iterdir())
STRICT = {"declaration", "revocation", "request"}  # refused where they say more than they may
EXAMPLES = {name: json.loads((MESSAGES / f"{name}.json").read_text()) for name in NAMES}


def schema_of(name):
    return json.loads((SCHEMAS / f"{name}.json").read_text())


def validator(name):
    return jsonschema.Draft202012Validator(schema_of(name))


def topics(build):
    lines = subprocess.run([build / "qrgatectl", "schema"], check=True, capture_output=True, text=True).stdout.splitlines()
    names = lines[0].lower().split("\t")
    return [dict(zip(names, line.split("\t"), strict=True)) for line in lines[1:]]


def closed(schema):
    """Stricter than consumers are told to be: nothing is allowed that isn't in the schema."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {name: closed(value) for name, value in schema.items()}
    if schema.get("type") == "object" and "properties" in schema:
        schema["additionalProperties"] = False
    return schema


def paths(schema, before=""):
    """Every field, with the objects and lists it is in: eye.frames, persons[].lane."""
    for name, field in schema.get("properties", {}).items():
        yield before + name
        yield from paths(field, f"{before}{name}.")
        yield from paths(field.get("items", {}), f"{before}{name}[].")


NAMED = {"libraries", "last_week", "entries_by_status", "exits_by_status", "undirected_by_status", "denied_by_reason", "held_by_reason",
         "alarms_by_name"}  # objects under whose names stands the same; a test below holds this list against the schemas


def said(message, before=""):
    for name, value in {key: {} if key in NAMED else value for key, value in message.items()}.items():
        yield before + name
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict):
                yield from said(item, f"{before}{name}{'[]' if isinstance(value, list) else ''}.")


def test_topics_as_json_are_those_of_the_list(build):
    lines = subprocess.run([build / "qrgatectl", "schema", "--json"], check=True, capture_output=True, text=True).stdout.splitlines()
    ways = {"in": (True, False), "out": (False, True), "both": (True, True)}
    wanted = []
    for row in topics(build):
        into, out = ways[row["way"]]
        topic = {"name": row["name"], "topic": row["topic"], "in": into, "out": out, "qos": int(row["qos"]),
                 "retained": row["retained"] == "yes", "schema": row["schema"], "what": row["what"]}
        wanted.append({key: value for key, value in topic.items() if value != "-"})
    assert [json.loads(line) for line in lines] == wanted and len(wanted) >= len(NAMES)
    assert any("name" not in topic for topic in wanted) and any(topic["in"] for topic in wanted)


# ---- schemas and the page are what the table makes -------------------------------------------------------------------------

@pytest.mark.parametrize("name", NAMES)
def test_the_schema_is_made_of_the_table(name, build):
    made = subprocess.run([build / "qrgatectl", "schema", name], check=True, capture_output=True).stdout
    assert made == (SCHEMAS / f"{name}.json").read_bytes(), "make schemas"
    jsonschema.Draft202012Validator.check_schema(json.loads(made))


def test_every_message_has_a_schema_and_says_which(build):
    rows = topics(build)
    assert sorted(row["name"] for row in rows if row["name"] != "-") == NAMES
    assert {row["topic"].split("/")[-1] for row in rows if row["name"] == "-"} == {"availability", "config", "status"}
    for row in rows:
        if row["name"] == "-":
            continue
        schema = schema_of(row["name"])
        assert schema["title"] == row["schema"] == schema["properties"]["schema"]["const"]
        assert schema["description"].startswith(f"{row['topic']}, QoS {row['qos']}, "
                                                f"{'retained' if row['retained'] == 'yes' else 'not retained'}: ")
        assert row["way"] == "in" or "schema" in schema["required"], "each message that goes out carries it"
        assert (schema.get("additionalProperties") is False) == (row["name"] in STRICT)


def test_named_objects_are_those_of_the_schemas():
    assert {name for schema in map(schema_of, NAMES) for name, field in schema["properties"].items()
            if "additionalProperties" in field} == NAMED


def test_places_are_the_configurations(build):
    keys = subprocess.run([build / "qrgated", "--keys"], check=True, capture_output=True, text=True).stdout
    assert re.search(r"^place\.kind\s+(\S+)$", keys, re.M)[1].split("|") == schema_of("report")["properties"]["kind"]["enum"]


def test_an_unknown_name_is_a_clear_error(build):
    done = subprocess.run([build / "qrgatectl", "schema", "nothing"], capture_output=True, text=True)
    assert done.returncode == 2 and "'nothing'" in done.stderr and "qrgatectl schema" in done.stderr and done.stdout == ""


def test_the_manual_page_is_made_of_the_table(build):
    made = subprocess.run([sys.executable, gate.ROOT / "config" / "man" / "qrgate-messages.py", build / "qrgatectl"], check=True,
                          capture_output=True).stdout
    assert made == (gate.ROOT / "config" / "man" / "qrgate-messages.7").read_bytes(), "make schemas"


# ---- what is written ---------------------------------------------------------------------------------------------------------

def test_what_is_written_is_what_the_table_says(build):
    """Every writer's messages: a field that is in only one of writer and table is found."""
    validators = {name: jsonschema.Draft202012Validator(closed(schema_of(name))) for name in NAMES}
    out = subprocess.run([build / "publisher_driver", "--messages"], check=True, capture_output=True, text=True).stdout
    seen, words = collections.defaultdict(set), collections.defaultdict(set)
    for line in out.splitlines():
        name, text = line.split(" ", 1)
        message = json.loads(text)
        validators[name].validate(message)
        seen[name] |= set(said(message))
        for field, value in message.items():
            words[name, field] |= {value} if isinstance(value, str) else set()
    # An export needs neither; requests are the office's to write, and qrgatectl send's.
    never = {"declaration": {"schema", "transaction_id", "subject"}, "revocation": {"schema", "transaction_id"}}
    for name in set(NAMES) - {"request", "report"}:  # the report's writer is qrgatectl: test_report.py
        written = {path for path in seen[name] if not (name == "response" and path.startswith("health."))}
        assert written == set(paths(schema_of(name))) - never.get(name, set()), name
    for name, field in (("passage", "kind"), ("alarm", "kind"), ("passage", "reason"), ("passage", "status"), ("response", "error")):
        assert words[name, field] == set(schema_of(name)["properties"][field]["enum"]), field


# ---- valid and invalid ones ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", NAMES)
def test_valid_and_invalid_messages(name):
    check, examples = validator(name), EXAMPLES[name]
    assert len(examples["valid"]) >= 2 and len(examples["invalid"]) >= 2
    for message in examples["valid"]:
        check.validate(message)
    assert set().union(*(set(said(message)) for message in examples["valid"])) >= set(paths(schema_of(name))), "a field never shown"
    for example in examples["invalid"]:
        errors = [error for error in check.iter_errors(example["message"])]
        deep = [inner.message for error in errors for inner in [error, *(error.context or [])]]
        assert errors and any(re.search(example["why"], text) for text in deep), (example["why"], deep)
        # One thing is wrong with it, so that it shows what it says it shows.
        assert len(errors) == 1, deep


def resolve(schema, field):
    return {**schema.get("$defs", {}).get(field.get("$ref", "").split("/")[-1], {}), **field}


WRONG_KIND = {"string": 7, "integer": "7", "number": "7", "boolean": "true", "object": [], "array": {}}


def changed(schema, message):
    """(what was done, the message) for each field of it: another kind, beyond a bound, a word nobody knows, a field too many."""
    for name, value in message.items():
        field = resolve(schema, schema["properties"][name])
        if "type" in field:
            yield f"{name} of another kind", {**message, name: WRONG_KIND[field["type"]]}
        if "enum" in field or "const" in field:
            yield f"{name} nobody knows", {**message, name: "nobody knows"}
        if "minimum" in field:
            yield f"{name} too small", {**message, name: field["minimum"] - 1}
        if "maximum" in field:
            yield f"{name} too large", {**message, name: field["maximum"] + 1}
        if "maxLength" in field:
            yield f"{name} too long", {**message, name: "a" * (field["maxLength"] + 1)}
        if "pattern" in field or "minLength" in field:
            yield f"{name} empty", {**message, name: ""}
    for name in schema.get("required", []):
        yield f"{name} missing", {key: value for key, value in message.items() if key != name}


@pytest.mark.parametrize("name", NAMES)
def test_a_changed_message_is_found(name):
    check, schema, count = validator(name), schema_of(name), 0
    for message in EXAMPLES[name]["valid"]:
        for what, wrong in changed(schema, message):
            assert not check.is_valid(wrong), what
            count += 1
        assert check.is_valid({**message, "colour": "green"}) == (name not in STRICT)
    assert count > 10


# ---- what is read --------------------------------------------------------------------------------------------------------------

def imports(lane, name, message):
    (lane.folder / "one.jsonl").write_text(json.dumps(message, ensure_ascii=False) + "\n")
    done = lane.ctl("import", *(["--revocations"] if name == "revocation" else []), lane.folder / "one.jsonl", check=False)
    assert done.returncode in (0, 3), done.stderr
    return done.returncode == 0


@pytest.mark.parametrize("name", ["declaration", "revocation"])
def test_the_reader_takes_what_is_valid_and_nothing_else(name, make_lane):
    """The same reader as the lane's, by file."""
    lane, schema = make_lane(), schema_of(name)
    for message in EXAMPLES[name]["valid"]:
        assert imports(lane, name, message), message
        for what, wrong in changed(schema, message):
            assert not imports(lane, name, wrong), what
    for example in EXAMPLES[name]["invalid"]:
        assert not imports(lane, name, example["message"]), example["why"]


# ---- the real daemon -------------------------------------------------------------------------------------------------------------

WIRED = ('lines = { driver = "sim"; panel_input = "%s"; fire = { line = "sim"; }; tamper = { line = "sim"; }; button = { line = "sim"; };'
         ' relay = { line = "sim"; }; buzzer = { line = "sim"; }; };\nlane_timing = { debounce_ms = 5; pulse_ms = 200; };\n'
         'commands = { auth = "acl"; };\n')


def test_the_daemon_says_and_takes_what_is_valid(make_lane, broker, subscriber):
    """One message or more of every schema, from the real daemon, or taken by it."""
    lane = make_lane()
    lane.config.write_text(re.sub(r"lines = \{.*?\};\n", lambda _: WIRED % lane.panel_input, lane.config.read_text(), count=1))
    lane.start()
    gate.wait_for(lambda: subscriber.last("/health") and subscriber.last("/chain_head"), 30, "health and the chain's head")
    sender = Sender(broker.port, "desk")
    valid = EXAMPLES["request"]["valid"]
    fresh = [{**message, "transaction": f"t{number}", "issued_at": int(gate.time.time())} for number, message in enumerate(valid)]
    for message in fresh:
        sender.send(f"qrgate/demo/lane1/request/{message['verb']}", json.dumps(message))
    wrong = [{**example["message"], "issued_at": int(gate.time.time()), "operator": example["message"]["operator"]}
             for example in EXAMPLES["request"]["invalid"]]
    for number, message in enumerate(wrong):
        message.update({"transaction": f"w{number}"} if "transaction" in message else {})
        sender.send(f"qrgate/demo/lane1/request/{message['verb']}", json.dumps(message))
    sender.send("qrgate/demo/declaration", json.dumps({**EXAMPLES["declaration"]["valid"][0], "transaction_id": "d1"}))
    sender.send("qrgate/demo/revocation", json.dumps({**EXAMPLES["revocation"]["valid"][0], "transaction_id": "r1"}))
    sender.send("qrgate/demo/declaration", json.dumps({**EXAMPLES["declaration"]["invalid"][3]["message"], "transaction_id": "d2"}))
    lane.press()
    lane.panel_say("activate tamper")
    gate.wait_for(lambda: "tamper" in (subscriber.last("/state") or {}).get("alarms", []), 20, "state with the alarm")
    lane.panel_say("release tamper")
    lane.panel_say("activate fire")
    gate.wait_for(lambda: subscriber.last("/muster"), 20, "muster")
    gate.wait_for(lambda: "emergency_release" in subscriber.last("/state")["alarms"], 20, "state in the emergency")

    def of(leaf):
        with subscriber.condition:
            return [body for topic, body in subscriber.messages if f"/{leaf}" in topic and "/request/" not in topic]
    gate.wait_for(lambda: len(of("response")) >= len(fresh) + len(wrong), 20, "responses")
    gate.wait_for(lambda: len(of("lane1/result")) >= 3, 20, "results")
    assert lane.stop() == 0
    responses = {body.get("transaction"): body for body in of("response")}
    assert all(responses[message["transaction"]]["status"] == "ok" for message in fresh), responses
    assert all(responses[message.get("transaction")]["error"] == "malformed" for message in wrong), responses
    assert {body["transaction_id"]: body["result"] for body in of("lane1/result")} == {"d1": "taken", "r1": "taken", "d2": "rejected"}
    for name in ("passage", "alarm", "muster", "health", "chain_head", "state", "info", "result", "response"):
        came = of(name if name == "response" else f"lane1/{name}")
        assert came, name
        for message in came:
            jsonschema.Draft202012Validator(closed(schema_of(name))).validate(message)
            assert message["schema"] == f"qrgate/{name}/1"
    sender.close()
