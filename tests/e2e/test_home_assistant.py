"""The lane as a device of Home Assistant: nothing of it unless switched on; keys as Home Assistant has published them
(tests/data/home_assistant_keys.json); each topic and field it names is the catalogue's; its templates, run by the same Jinja on
the real daemon's messages, give what the message says; its button opens; switched off, it is taken away."""
import datetime
import json
import re
import subprocess

import jinja2
import pytest

import gate
from test_catalogue import WIRED, paths, schema_of, topics
from test_commands import Key
from test_inbound import Sender

KEYS = json.loads((gate.ROOT / "tests" / "data" / "home_assistant_keys.json").read_text())
DISCOVERY = "homeassistant/device/qrgate_demo/lane1/config"
STATUS = KEYS["status"]["topic"]


@pytest.fixture
def heard(broker):
    heard = gate.Subscriber(broker.port, "#")
    yield heard
    heard.stop()


def devices(heard):
    with heard.condition:
        return [body for topic, body in heard.messages if topic == DISCOVERY]


def retained(broker):
    """What a Home Assistant that comes now gets: the retained message, or None."""
    done = subprocess.run(["mosquitto_sub", "-h", "127.0.0.1", "-p", str(broker.port), "-t", "homeassistant/#", "-t", "qrgate/demo/lane1/state",
                           "--retained-only", "-W", "1", "-F", r"%t\t%p"], capture_output=True, text=True, timeout=30).stdout
    rows = dict(line.split("\t", 1) for line in done.splitlines())
    assert "qrgate/demo/lane1/state" in rows, "the listener itself heard nothing"
    assert set(rows) <= {DISCOVERY, "qrgate/demo/lane1/state"}, rows
    return json.loads(rows[DISCOVERY]) if DISCOVERY in rows else None


def start(make_lane, heard, on=True, auth="acl", **settings):
    lane = make_lane(mqtt=f"home_assistant = {'true' if on else 'false'}; {settings.pop('mqtt', '')}", **settings)
    configure(lane, auth)
    lane.start()
    gate.wait_for(lambda: heard.last("lane1/state"), 20, "state")
    return lane


def configure(lane, auth, on=None):
    text = lane.config.read_text()
    if "commands =" not in text:
        text = re.sub(r"lines = \{.*?\};\n", lambda _: WIRED % lane.panel_input, text, count=1)
    text = re.sub(r'auth = "\w+"', f'auth = "{auth}"', text)
    if on is not None:
        text = re.sub(r"home_assistant = \w+", f"home_assistant = {'true' if on else 'false'}", text)
    lane.config.write_text(text)


def reload(lane, auth="acl", on=None):
    configure(lane, auth, on)
    before = lane.log().count("the new configuration counts")
    lane.process.send_signal(gate.signal.SIGHUP)
    gate.wait_for(lambda: lane.log().count("the new configuration counts") > before, 20, "reloaded")


# ---- keys --------------------------------------------------------------------------------------------------------------------

def spelt_out(message, short):
    return {short[key]: value for key, value in message.items()}


def check_part(message, allowed, required=()):
    assert set(message) <= set(allowed), set(message) - set(allowed)
    assert set(required) <= set(message), set(required) - set(message)


def check_component(component):
    platform = KEYS["platforms"][component["platform"]]
    check_part(component, platform["allowed"], KEYS["component"]["required"] + platform["required"])
    kind, unit = component.get("device_class"), component.get("unit_of_measurement")
    if component["platform"] == "sensor":
        assert kind is None or unit in KEYS["sensor_units"][kind], component
    else:
        assert kind is None or kind in KEYS["device_classes"][component["platform"]], component
    assert component.get("state_class") in [None, *KEYS["state_classes"]]
    assert component.get("entity_category") in [None, *KEYS["entity_categories"]]


def device(message):
    """With keys spelt out, checked: root, and the components that are more than a platform, which is how one is taken away."""
    short = KEYS["short"]
    root = spelt_out(message, short["root_and_components"])
    check_part(root, KEYS["root"]["allowed"], KEYS["root"]["required"])
    about, origin = spelt_out(root["device"], short["device"]), spelt_out(root["origin"], short["origin"])
    check_part(about, KEYS["device"]["allowed"])
    assert any(about.get(key) for key in KEYS["device"]["one_of"])
    check_part(origin, KEYS["origin"]["allowed"], KEYS["origin"]["required"])
    components = {name: spelt_out(component, short["root_and_components"]) for name, component in root["components"].items()}
    kept = {name: component for name, component in components.items() if set(component) != {"platform"}}
    for component in kept.values():
        check_component(component)
    assert len({component["unique_id"] for component in kept.values()}) == len(kept)
    assert len({component["name"] for component in kept.values()}) == len(kept)
    return root, kept


# ---- templates -----------------------------------------------------------------------------------------------------------------

JINJA = jinja2.Environment(undefined=jinja2.StrictUndefined)  # Home Assistant warns of what is undefined: here it is an error
JINJA.globals["now"] = lambda: datetime.datetime.now(datetime.timezone(datetime.timedelta(hours=7)))


def render(component, message):
    return JINJA.from_string(component["value_template"]).render(value_json=message, value=json.dumps(message))


def fields_named(template):
    return set(re.findall(r"value_json\.([a-z0-9_.]+)", template))


def value_at(message, path):
    for name in path.split("."):
        message = message.get(name, {}) if isinstance(message, dict) else {}
    return None if message == {} else message


# ---- off, on, again ----------------------------------------------------------------------------------------------------------------

def test_nothing_of_it_unless_switched_on(make_lane, broker, heard):
    lane = start(make_lane, heard, on=False)
    gate.wait_for(lambda: heard.last("lane1/health"), 20, "health")
    sender = Sender(broker.port)
    sender.send(STATUS, "online")
    lane.press()
    heard.wait(lambda e: e["kind"] == "override")  # what was to come after the status has come
    assert lane.stop() == 0
    assert [topic for topic, _ in heard.messages if topic.startswith("homeassistant/")] == [STATUS]
    sender.close()


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_published_retained_and_again_when_home_assistant_starts(protocol, make_lane, broker, heard):
    lane = start(make_lane, heard, mqtt=f'protocol = "{protocol}";')
    gate.wait_for(lambda: len(devices(heard)) == 1, 20, "the device")
    assert retained(broker) == devices(heard)[0]
    sender = Sender(broker.port)
    for wrong in ("offline", "Online", "online ", "", '"online"'):
        sender.send(STATUS, wrong)
    sender.send(STATUS, "online")
    gate.wait_for(lambda: len(devices(heard)) == 2, 20, "the device again")
    sender.send(STATUS, "online", retain=True)  # as a user of Home Assistant may have it
    gate.wait_for(lambda: len(devices(heard)) == 3, 20, "and again")
    assert devices(heard)[0] == devices(heard)[1] == devices(heard)[2]
    state = heard.last("lane1/state")
    assert state["retained_ignored"] == 0 and "rejected" not in lane.log() and "retained was ignored" not in lane.log()
    assert lane.stop() == 0
    assert len(devices(heard)) == 3, "once for each online, and for nothing else"
    sender.close()


def test_a_broker_that_forgot_it_gets_it_with_the_next_connection(make_lane, broker, heard):
    start(make_lane, heard, mqtt="reconnect_max_ms = 200; reconnect_min_ms = 50;")
    gate.wait_for(lambda: len(devices(heard)) == 1, 20, "the device")
    broker.stop()
    for kept in broker.folder.glob("mosquitto.db"):
        kept.unlink()
    broker.start()
    gate.wait_for(lambda: len(devices(heard)) == 2, 30, "the device again")
    assert retained(broker) == devices(heard)[0]


def test_switched_off_and_on_by_a_reload(make_lane, broker, heard):
    lane = start(make_lane, heard)
    gate.wait_for(lambda: len(devices(heard)) == 1, 20, "the device")
    reload(lane, on=False)
    gate.wait_for(lambda: len(devices(heard)) == 2, 20, "the empty message")
    assert devices(heard)[1] == "" and retained(broker) is None
    sender = Sender(broker.port)
    sender.send(STATUS, "online")
    reload(lane, on=True)
    gate.wait_for(lambda: len(devices(heard)) == 3, 20, "the device again")
    assert devices(heard)[2] == devices(heard)[0] == retained(broker)
    sender.send(STATUS, "online")
    gate.wait_for(lambda: len(devices(heard)) == 4, 20, "and when Home Assistant starts")
    assert lane.stop() == 0 and len(devices(heard)) == 4
    sender.close()


# ---- what is in it -------------------------------------------------------------------------------------------------------------------

ASKED = {"event": {"passage"}, "button": {"open"}, "binary_sensor": {"tamper", "fire", "held"},
         "sensor": {"frames", "reads", "relay_p50", "relay_p99", "unsent", "temperature", "journal", "disk_free", "certificate", "ca"}}


def test_keys_topics_and_fields(make_lane, build, broker, heard):
    start(make_lane, heard)
    root, components = device(gate.wait_for(lambda: devices(heard), 20, "the device")[0])
    assert re.match(KEYS["topic"], DISCOVERY)
    for platform, names in ASKED.items():
        assert names <= {name for name, component in components.items() if component["platform"] == platform}
    rows = {row["topic"].replace("PREFIX/SITE/LANE", "qrgate/demo/lane1"): row for row in topics(build)}
    assert root["availability_topic"] in rows and rows[root["availability_topic"]]["retained"] == "yes"
    for name, component in components.items():
        if component["platform"] == "button":
            continue
        row = rows[component["state_topic"]]
        known = set(paths(schema_of(row["name"])))
        assert fields_named(component["value_template"]) and fields_named(component["value_template"]) <= known, name
    assert components["passage"]["event_types"] == schema_of("passage")["properties"]["kind"]["enum"]
    for name in ("tamper", "fire", "held", "out_of_order"):
        word = re.search(r"'(\w+)' in value_json", components[name]["value_template"])[1]
        assert word in schema_of("state")["properties"]["alarms"]["items"]["enum"]
    request = JINJA.from_string(components["open"]["command_template"]).render()
    assert set(json.loads(request)) <= set(schema_of("request")["properties"])
    assert components["open"]["command_topic"] == "qrgate/demo/lane1/request/open" and components["open"]["retain"] is False


def test_entities_follow_the_lane(make_lane, broker, heard):
    lane = start(make_lane, heard)
    _, components = device(gate.wait_for(lambda: devices(heard), 20, "the device")[0])

    def shows(name):
        return render(components[name], heard.last(components[name]["state_topic"].removeprefix("qrgate/demo/")))
    gate.wait_for(lambda: heard.last("lane1/health"), 30, "health")
    health = heard.last("lane1/health")
    for name, component in components.items():
        if component.get("state_topic", "").endswith("/health") and component["platform"] == "sensor":
            path, = fields_named(component["value_template"])
            value = value_at(health, path)
            told = None if value is None else round(value / 1000, 1) if path.endswith("_us") else value
            assert shows(name) == str(told), name
    assert shows("frames") != "None" and shows("disk_free") != "None" and shows("certificate") == "None"
    assert shows("clock") == ("OFF" if health["clock"]["synchronised"] else "ON")
    assert [shows(name) for name in ("tamper", "fire", "held", "out_of_order", "mode")] == ["OFF"] * 4 + ["normal"]
    lane.panel_say("activate tamper")
    gate.wait_for(lambda: shows("tamper") == "ON", 20, "tamper")
    lane.panel_say("release tamper")
    gate.wait_for(lambda: shows("tamper") == "OFF", 20, "tamper ends")
    lane.press()
    passage = heard.wait(lambda e: e["kind"] == "override")
    event = json.loads(render(components["passage"], passage))
    assert event == {"event_type": "override", "reason": "button", "status": passage["status"], "seq": passage["seq"], "direction": ""}
    assert event["event_type"] in components["passage"]["event_types"]
    assert render(components["passage"], {**passage, "historical": True}) == "", "an outage's events trigger nothing"
    lane.panel_say("activate fire")
    gate.wait_for(lambda: shows("fire") == "ON" and shows("mode") == "emergency", 20, "fire")


def test_the_button_opens_once(make_lane, broker, heard):
    lane = start(make_lane, heard)
    _, components = device(gate.wait_for(lambda: devices(heard), 20, "the device")[0])
    button, sender = components["open"], Sender(broker.port)
    template = JINJA.from_string(button["command_template"])
    pressed = [template.render(), template.render()]
    assert pressed[0] != pressed[1]
    for text in (pressed[0], pressed[0], pressed[1]):  # the second is the first one once more
        sender.send(button["command_topic"], text)

    def responses():
        with heard.condition:
            return [body for topic, body in heard.messages if topic == "qrgate/demo/lane1/response/open"]
    gate.wait_for(lambda: len(responses()) == 3, 20, "responses")
    assert [body.get("error", "ok") for body in sorted(responses(), key=lambda body: body["at"])].count("ok") == 2
    assert sum(body.get("error") == "repeated" for body in responses()) == 1
    opened = heard.wait(lambda e: e.get("verb") == "open")
    assert opened["operator"] == "home-assistant" and opened["detail"] == "pressed in Home Assistant" and opened["reason"] == "operator"
    assert lane.stop() == 0
    sender.close()


@pytest.mark.parametrize("auth,verbs", [("off", ""), ("signed", ""), ("acl", ' verbs = [ "report" ];')])
def test_no_button_where_it_could_not_open(auth, verbs, make_lane, broker, heard):
    lane = make_lane(mqtt="home_assistant = true;")
    (lane.folder / "operators").mkdir()
    (lane.folder / "operators" / "anna.pub").write_text(f"kid: anna1\ned25519: {Key('anna1').public}\noperator: anna\nverbs: all\n")
    configure(lane, auth)
    text = lane.config.read_text().replace(f'auth = "{auth}";', f'auth = "{auth}";{verbs} operators = "{lane.folder}/operators";')
    lane.config.write_text(text)
    lane.start()
    message = gate.wait_for(lambda: devices(heard), 20, "the device")[0]
    _, components = device(message)
    assert "open" not in components and message["cmps"]["open"] == {"p": "button"} and "request" not in json.dumps(message)


def test_a_button_goes_with_the_right_to_open(make_lane, broker, heard):
    lane = start(make_lane, heard, auth="acl")
    first = gate.wait_for(lambda: devices(heard), 20, "the device")[0]
    reload(lane, auth="off")
    second = gate.wait_for(lambda: devices(heard)[1:], 20, "the device without it")[0]
    assert "open" in device(first)[1] and "open" not in device(second)[1]
    assert retained(broker) == second


class Refusing(gate.Broker):
    """Lets nobody write under homeassistant/."""

    def start(self):
        (self.folder / "acl").write_text("topic readwrite qrgate/#\ntopic read homeassistant/#\n")
        (self.folder / "acl").chmod(0o600)
        conf = self.folder / "mosquitto.conf"
        conf.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\nuser root\nacl_file {self.folder}/acl\n")
        self.process = subprocess.Popen(["mosquitto", "-c", conf], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        gate.wait_for(self.answers, 10, "mosquitto listens")


def test_a_broker_that_refuses_it_is_told_once_and_stops_nothing_else(make_lane, tmp_path):
    (tmp_path / "refusing").mkdir()
    broker = Refusing(tmp_path / "refusing")
    heard = gate.Subscriber(broker.port, "#")
    try:
        lane = start(make_lane, heard, port=broker.port)
        gate.wait_for(lambda: "let this client write" in lane.log(), 20, "the complaint")
        lane.press()
        heard.wait(lambda e: e["kind"] == "override")
        assert lane.stop() == 0
        assert lane.log().count(f'let this client write "{DISCOVERY}"') == 1 and lane.log().count("mqtt: connected") == 1
    finally:
        heard.stop()
        broker.stop()
