"""Operators' requests over a real broker: each verb, with auth acl and signed; each reason to refuse one; that nothing old is ever
carried out, over restarts and absences; and what the turnstile's wires do, seen at the simulated panel."""
import contextlib
import datetime
import json
import pathlib
import re
import sqlite3
import struct
import sys
import time
import uuid

import jsonschema
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import gate  # noqa: E402
from scripted_broker import PUBLISH, packet  # noqa: E402
from test_inbound import Sender  # noqa: E402

VERBS = ["open", "mode", "declare", "revoke", "reload", "report", "resend", "identify", "time"]
SCHEMA = {name: json.loads((gate.ROOT / "config" / "schemas" / f"{name}.json").read_text()) for name in ("request", "response")}
TIMES = "lane_timing = { pulse_ms = 200; pulse_gap_ms = 100; debounce_ms = 5; passage_wait_ms = 1000; }; "
TOKEN = "00112233445566778899aabbccddeeff"


def declaration(**more):
    """Made up: a cccd number of Quảng Ninh that nobody has."""
    return {"schema": "qrgate/declaration/1", "subject": "cccd:022199012345", "status": "green",
            "declared_at": "2026-01-15T08:00:00+07:00", **more}


# ---- COSE_Sign1, by an encoder of our own --------------------------------------------------------------------------------

def head(major, length):
    if length < 24:
        return bytes([major << 5 | length])
    return bytes([major << 5 | 24, length]) if length < 256 else struct.pack(">BH", major << 5 | 25, length)


def bstr(data):
    return head(2, len(data)) + data


class Key:
    def __init__(self, kid):
        self.kid, self.secret = kid, Ed25519PrivateKey.generate()
        self.public = self.secret.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()

    def sign(self, payload, kid=None):
        protected = b"\xa2\x01\x27\x04" + bstr((kid or self.kid).encode())
        signature = self.secret.sign(b"\x84\x6aSignature1" + bstr(protected) + b"\x40" + bstr(payload))
        return b"\xd2\x84" + bstr(protected) + b"\xa0" + bstr(payload) + bstr(signature)


# ---- the desk of an operator ---------------------------------------------------------------------------------------------

class Desk:
    """Asks and waits for the response; every response is held against its schema."""

    def __init__(self, broker, subscriber, lane, key=None):
        self.broker, self.subscriber, self.lane, self.key = broker, subscriber, lane, key
        self.sender = Sender(broker.port, f"desk{uuid.uuid4().hex[:8]}")

    def publish(self, verb, payload, retain=False, expiry_s=None, topic=None):
        topic = (topic or f"qrgate/demo/lane1/request/{verb}").encode()
        properties = b"" if expiry_s is None else b"\x02" + struct.pack(">I", expiry_s)
        self.sender.packet_id = self.sender.packet_id % 65535 + 1
        self.sender.sock.sendall(packet(PUBLISH, struct.pack(">H", len(topic)) + topic + struct.pack(">H", self.sender.packet_id) +
                                        bytes([len(properties)]) + properties + payload, 2 | int(retain)))
        self.sender.unacked += 1
        self.sender.settle()

    def body(self, verb, **members):
        body = {"transaction": uuid.uuid4().hex, "issued_at": int(time.time())}
        body.update({"lane": "demo/lane1", "verb": verb} if self.key else {"operator": "anna"})
        body.update(members)
        return {name: value for name, value in body.items() if value is not None}

    def ask(self, verb, retain=False, expiry_s=None, **members):
        body = self.body(verb, **members)
        payload = json.dumps(body, ensure_ascii=False).encode()
        self.publish(verb, self.key.sign(payload) if self.key else payload, retain, expiry_s)
        return self.response(body["transaction"])

    def responses(self, transaction=None):
        with self.subscriber.condition:
            return [(topic, body) for topic, body in self.subscriber.messages if "/response/" in topic and
                    (transaction is None or body.get("transaction") == transaction)]

    def response(self, transaction, count=1):
        topic, body = gate.wait_for(lambda: self.responses(transaction)[count - 1:], 20, f"a response to {transaction}")[0]
        jsonschema.validate(body, SCHEMA["response"])
        assert topic == f"qrgate/demo/lane1/response/{body['verb']}"
        return body

    def rows(self):
        return [json.loads(line) for line in self.lane.ctl("events", "--json").stdout.splitlines()]

    def row(self, response):
        return next(row for row in self.rows() if row["seq"] == response["seq"])

    def pulses(self):
        return self.lane.pulses()


@pytest.fixture
def make_desk(make_lane, broker, subscriber):
    desks = []

    def make(auth="acl", more="", start=True, **settings):
        key = None
        commands = f'auth = "{auth}"; {more}'
        lane = make_lane(extra="", **settings)
        if auth == "signed":
            key = Key("anna1")
            operators = lane.folder / "operators"
            operators.mkdir()
            (operators / "anna.pub").write_text(f"kid: anna1\ned25519: {key.public}\noperator: anna\nverbs: all\n")
            commands += f' operators = "{operators}";'
        with open(lane.config, "a") as config:
            config.write(TIMES + f"commands = {{ {commands} }};\n")
        if start:
            lane.start()
            ready(lane, subscriber)
        desks.append(Desk(broker, subscriber, lane, key))
        return desks[-1]
    yield make
    for desk in desks:
        desk.sender.close()


def ready(lane, subscriber, count=1):
    """Connected, and subscribed: `state` comes after the retained ones, the subscriptions were asked for before."""
    gate.wait_for(lambda: lane.log().count("mqtt: connected") >= count, 20, "connected")
    gate.wait_for(lambda: subscriber.last("/state"), 20, "state")


# ---- each verb -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("auth", ["acl", "signed"])
def test_each_verb_is_journalled_with_who_and_why_and_done(auth, make_desk, subscriber):
    desk = make_desk(auth)

    def good(verb, **members):
        response = desk.ask(verb, **members)
        assert response["status"] == "ok" and "error" not in response, response
        row = desk.row(response)
        assert (row["kind"], row["operator"], row["verb"]) == ("override" if verb == "open" else "command", "anna", verb), row
        assert row["event_id"] == response["event_id"]
        if "why" in members:
            assert row["detail"].endswith(members["why"])
        return response, row

    response, row = good("open", why="giao hàng ban đêm")
    assert row["reason"] == "operator" and not row.get("person") and not row.get("bound_event_id") and response["mode"] == "normal"
    gate.wait_for(lambda: desk.pulses() == 1 and not desk.lane.relay_on(), 10, "one pulse")
    assert any(f"display override operator {response['event_id']}" in line for line in desk.lane.panel.all)
    response, row = good("mode", mode="hold_open", for_s=600, why="fire drill")
    assert response["mode"] == "hold_open" and row["detail"] == "hold_open: fire drill"
    gate.wait_for(desk.lane.relay_on, 10, "held open")
    assert good("mode", mode="normal", why="over")[0]["mode"] == "normal"
    gate.wait_for(lambda: not desk.lane.relay_on(), 10, "closed")
    assert good("mode", mode="lock_down", why="a fight")[0]["mode"] == "lock_down"
    assert good("mode", mode="normal", why="over")[0]["mode"] == "normal"
    good("declare", declaration=declaration(), why="by phone")
    assert "022199012345" not in desk.lane.log()
    good("revoke", revocation={"token_id": TOKEN, "revoked_at": int(time.time())})
    assert TOKEN in desk.lane.ctl("export", "--revocations").stdout
    known = len([topic for topic, _ in subscriber.messages if topic.endswith("/info")])
    assert good("report")[0]["health"]["schema"] == "qrgate/health/1"
    gate.wait_for(lambda: len([t for t, _ in subscriber.messages if t.endswith("/info")]) > known, 10, "info again")
    good("reload")
    response, _ = good("time")
    assert response["clock"]["trusted"] and abs(response["clock"]["monotonic_us"] / 1e6 - time.monotonic()) < 60
    buzzes = sum(" buzzer on" in line for line in desk.lane.panel.all)
    good("identify")
    gate.wait_for(lambda: sum(" buzzer on" in line for line in desk.lane.panel.all) >= buzzes + 3, 10, "tones")
    response, _ = good("resend", from_seq=1)
    assert (response["from"], response["to"]) == (1, response["seq"])
    first = desk.rows()[0]["event_id"]
    gate.wait_for(lambda: sum(e["event_id"] == first for e in subscriber.events()) == 2, 10, "the first event once more")


def test_an_opening_from_afar_ends_as_any_other(make_desk, subscriber):
    desk = make_desk(start=False)
    text = desk.lane.config.read_text()
    desk.lane.config.write_text(text.replace('lines = { driver = "sim";', 'lines = { driver = "sim"; relay = { line = "sim"; }; '
                                             'rotation = { line = "sim"; };'))
    desk.lane.start()
    ready(desk.lane, subscriber)
    response = desk.ask("open", why="x")
    gate.wait_for(lambda: desk.pulses() == 1, 10, "the pulse")
    desk.lane.turn(0.1)
    done = subscriber.wait(lambda e: e["kind"] == "completed")
    assert done["bound_event_id"] == response["event_id"]
    response = desk.ask("open", why="y")
    unused = subscriber.wait(lambda e: e["kind"] == "not_used")
    assert unused["bound_event_id"] == response["event_id"] and unused["seq"] > response["seq"]


def test_held_open_for_a_time_ends_by_itself(make_desk, subscriber):
    desk = make_desk()

    def state():
        return (subscriber.last("/state") or {}).get("mode")
    assert desk.ask("mode", mode="hold_open", for_s=2, why="a stretcher")["mode"] == "hold_open"
    gate.wait_for(lambda: desk.lane.relay_on() and state() == "hold_open", 10, "held open")
    ended = subscriber.wait(lambda e: e["kind"] == "alarm_end" and e["alarm"] == "hold_open")
    begun = subscriber.wait(lambda e: e["kind"] == "alarm_begin" and e["alarm"] == "hold_open")
    assert ended["monotonic_us"] - begun["monotonic_us"] >= 2_000_000
    gate.wait_for(lambda: not desk.lane.relay_on() and state() == "normal", 10, "closed by itself")
    assert desk.ask("mode", mode="hold_open", for_s=600, why="the same")["mode"] == "hold_open"
    desk.lane.stop()
    desk.lane.start()
    ready(desk.lane, subscriber, 2)
    gate.wait_for(lambda: state() == "normal", 10, "nobody's order of yesterday opens a gate that starts")
    assert not desk.lane.relay_on()


def test_the_time_from_frame_to_relay_is_of_a_grants_own_edge(make_desk, subscriber):
    """A grant while the lane is held open moves no relay; the press that does, long after, is not its edge."""
    desk = make_desk()
    cards = {number: f"0220990{number:05d}||Người Thử|30121999|Nam|Xã Hai|01082024" for number in (1, 2)}

    def granted(number):
        desk.lane.declare(f"cccd:{cards[number][:12]}", "green")
        desk.lane.add(cards[number])
        gate.wait_for(lambda: len([kind for kind, _ in desk.lane.displayed() if kind == "granted"]) == number, 20, "a grant")

    desk.ask("mode", mode="hold_open", for_s=600, why="x")
    gate.wait_for(desk.lane.relay_on, 10, "held open")
    granted(1)
    desk.ask("mode", mode="normal", why="x")
    gate.wait_for(lambda: not desk.lane.relay_on(), 10, "closed")
    desk.lane.press()
    gate.wait_for(lambda: desk.pulses() == 2 and not desk.lane.relay_on(), 10, "the press")
    granted(2)
    gate.wait_for(lambda: desk.pulses() == 3, 10, "the second grant's edge")
    assert desk.lane.stop() == 0
    assert "frame to relay: 1 grants" in desk.lane.log()


def test_what_the_lane_refuses_is_on_no_row(make_desk):
    desk = make_desk()
    assert desk.ask("mode", mode="lock_down", why="x")["status"] == "ok"
    rows = len(desk.rows())
    response = desk.ask("open", why="please")
    assert (response["status"], response["error"], response["mode"]) == ("refused", "refused", "lock_down")
    assert "lock_down" in response["message"] and "seq" not in response
    response = desk.ask("mode", mode="hold_open", for_s=60, why="please")
    assert response["error"] == "refused"
    assert desk.ask("mode", mode="normal", why="x")["status"] == "ok"
    response = desk.ask("mode", mode="hold_open", for_s=3601, why="please")
    assert response["error"] == "refused" and "allowed are 1 to 3600 (turnstile.hold_open_max_s)" in response["message"]
    kinds = [(row["kind"], row.get("verb")) for row in desk.rows()[rows:]]
    assert kinds.count(("command", "mode")) == 1 and ("override", "open") not in kinds
    assert desk.pulses() == 0


def test_a_reload_says_what_is_wrong_with_the_file(make_desk):
    desk = make_desk()
    good = desk.lane.config.read_text()
    desk.lane.config.write_text(good + "lock = { refusals = 101; };\nmqtt2 = { };\n")
    response = desk.ask("reload")
    assert (response["status"], response["error"]) == ("failed", "failed")
    assert "lock.refusals = 101: allowed is a whole number from 0 to 100" in response["message"]
    assert "mqtt2: unknown key" in response["message"] and "lock.refusals = 101" in desk.lane.log()
    desk.lane.config.write_text(good.replace('auth = "acl"', 'auth = "acl"; verbs = [ "reload", "time" ]'))
    undone = next(row for row in desk.rows() if row["kind"] == "command" and row["seq"] > response["seq"])
    assert (undone["verb"], undone["operator"], undone["bound_event_id"]) == ("reload", "anna", response["event_id"])
    assert undone["detail"].startswith("not done: ")
    assert desk.ask("reload")["status"] == "ok"
    assert desk.ask("open", why="x")["error"] == "no_rights"
    assert desk.ask("time")["status"] == "ok"
    assert desk.pulses() == 0


def test_declarations_by_request_say_what_became_of_them(make_desk):
    desk = make_desk()
    assert "message" not in desk.ask("declare", declaration=declaration())
    response = desk.ask("declare", declaration=declaration(declared_at="2026-01-14T08:00:00+07:00"))
    assert response["status"] == "ok" and "as new or newer" in response["message"]
    assert desk.ask("declare", declaration=declaration(subject="cccd:022199099999", identities=None))["error"] == "malformed"
    assert desk.ask("declare", declaration=declaration(status="blue"))["error"] == "malformed"


# ---- what is refused -----------------------------------------------------------------------------------------------------

def test_each_refusal_is_answered_and_opens_nothing(make_desk, subscriber):
    desk = make_desk(more='verbs = [ "open", "mode", "time" ];')
    now = int(time.time())
    open_ = {"why": "x"}
    for expected, answer in {
        "stale": desk.ask("open", **open_, issued_at=now - 60),
        "from_the_future": desk.ask("open", **open_, issued_at=now + 3600),
        "undated": desk.ask("open", **open_, issued_at=None),
        "retained": desk.ask("open", **open_, retain=True),
        "malformed": desk.ask("open", **open_, force=True),
        "no_rights": desk.ask("reload"),
        "other_lane": desk.ask("open", **open_, lane="demo/lane2"),
        "unknown_verb": desk.ask("dance"),
    }.items():
        assert (answer["status"], answer["error"]) == ("refused", expected), answer
        assert answer["message"] and "seq" not in answer
    assert desk.ask("open", **open_, issued_at=None, expiry_s=3600)["error"] == "undated"
    desk.publish("open", b"{" + b" " * 16384)
    gate.wait_for(lambda: [b for _, b in desk.responses() if b.get("error") == "too_large"], 10, "too large")
    desk.publish("", b"{}", topic="qrgate/demo/lane1/request/bá của")
    gate.wait_for(lambda: [t for t, b in desk.responses() if t.endswith("/unknown") and "transaction" not in b], 10, "unknown")
    assert {topic.rsplit("/", 1)[1] for topic, _ in desk.responses()} <= {*VERBS, "unknown"}
    assert desk.pulses() == 0 and not [row for row in desk.rows() if row["kind"] in ("command", "override")]
    assert desk.lane.log().count("a request was refused") == 1  # one line for all of them
    assert desk.ask("open", **open_)["status"] == "ok"


def test_retained_ones_are_refused_also_when_the_lane_comes_back(make_desk, subscriber):
    desk = make_desk()
    assert desk.ask("open", why="x", retain=True)["error"] == "retained"
    desk.lane.stop()
    desk.lane.start()
    ready(desk.lane, subscriber, 2)
    assert desk.ask("time")["status"] == "ok"
    assert desk.pulses() == 0


def test_only_signed_ones_count_where_auth_is_signed(make_desk):
    desk = make_desk("signed")
    stranger = Key("carl1")

    def send(key, kid=None, verb="open", topic_verb="open", **members):
        body = desk.body(verb, why="x", **members)
        desk.publish(topic_verb, key.sign(json.dumps(body).encode(), kid))
        return desk.response(body["transaction"])["error"]

    body = desk.body("open", why="x", operator="anna")
    desk.publish("open", json.dumps(body).encode())
    assert desk.response(body["transaction"])["error"] == "not_signed"
    assert send(stranger) == "key_unknown"
    assert send(stranger, "anna1") == "signature_invalid"
    assert send(desk.key, lane="demo/lane2") == "other_lane"
    assert send(desk.key, lane=None) == "malformed"
    assert send(desk.key, issued_at=None) == "undated"
    assert send(desk.key, issued_at=int(time.time()) - 60) == "stale"
    assert send(desk.key, operator="ben") == "no_rights"
    assert send(desk.key, verb="identify", topic_verb="open") == "malformed"  # signed for another verb
    operators = desk.lane.folder / "operators"
    (operators / "anna.pub").write_text((operators / "anna.pub").read_text().replace("verbs: all", "verbs: time reload"))
    assert desk.ask("reload")["status"] == "ok"  # the folder is read again
    assert desk.ask("open", why="x")["error"] == "no_rights"
    assert desk.ask("time")["status"] == "ok"
    (operators / "anna.pub").write_text("kid: anna1\n")
    response = desk.ask("reload")
    assert response["error"] == "failed" and "anna.pub:1: the line `ed25519: …` is missing" in response["message"]
    assert desk.pulses() == 0


@pytest.mark.parametrize("auth", ["acl", "signed"])
def test_a_transaction_counts_once_over_a_restart(auth, make_desk, subscriber):
    desk = make_desk(auth)
    body = desk.body("open", why="x")
    payload = json.dumps(body).encode()
    payload = desk.key.sign(payload) if desk.key else payload
    desk.publish("open", payload)
    assert desk.response(body["transaction"])["status"] == "ok"
    gate.wait_for(lambda: desk.pulses() == 1, 10, "the pulse")
    desk.publish("open", payload)
    assert desk.response(body["transaction"], 2)["error"] == "repeated"
    desk.lane.stop()
    desk.lane.start()
    ready(desk.lane, subscriber, 2)
    if time.time() - body["issued_at"] < 9:  # else it is too old, which the next assertion takes too
        desk.publish("open", payload)
        assert desk.response(body["transaction"], 3)["error"] in ("repeated", "stale")
    fresh = {**body, "issued_at": int(time.time())}
    payload = json.dumps(fresh).encode()
    desk.publish("open", desk.key.sign(payload) if desk.key else payload)
    gate.wait_for(lambda: [b for _, b in desk.responses(body["transaction"]) if b.get("error") == "repeated"][1:], 20, "repeated")
    assert desk.pulses() == 0  # since the restart
    assert sum(row["kind"] == "override" for row in desk.rows()) == 1


def test_what_waited_for_an_hour_at_the_broker_is_refused(make_desk, subscriber):
    """The lane was away; the broker kept the request in its session, and delivers what is left of an hour's expiry."""
    desk = make_desk()
    desk.lane.stop()
    dated, undated = desk.body("open", why="x", issued_at=int(time.time()) - 3600), desk.body("open", why="x", issued_at=None)
    desk.publish("open", json.dumps(dated).encode())
    desk.publish("open", json.dumps(undated).encode(), expiry_s=8)
    desk.lane.start()
    assert desk.response(dated["transaction"])["error"] == "stale"
    response = desk.response(undated["transaction"])
    assert response["error"] == "undated" and "waited at the broker" in response["message"]
    assert desk.pulses() == 0 and not [row for row in desk.rows() if row["kind"] == "override"]


def test_a_clock_that_nobody_trusts(make_desk, subscriber):
    desk = make_desk(clock="ntp")
    if gate.wait_for(lambda: subscriber.last("/state"), 10, "state")["clock_trusted"]:
        pytest.skip("the kernel says that this machine's clock is synchronised")
    response = desk.ask("open", why="x")
    assert response["error"] == "clock_untrusted" and not response["clock_trusted"]

    def ask_after_a_silence():
        time.sleep(1)  # which shows that nothing waits at the broker
        return desk.ask("time", issued_at=None, expiry_s=9)

    gate.wait_for(lambda: ask_after_a_silence()["status"] == "ok", 30, "by its expiry")
    assert desk.pulses() == 0


def test_a_flood_is_answered_busy_and_the_gate_works_on(make_desk, subscriber):
    desk = make_desk()
    bodies = [desk.body("time") for _ in range(400)]
    for body in bodies:
        topic = b"qrgate/demo/lane1/request/time"
        desk.sender.packet_id += 1
        desk.sender.sock.sendall(packet(PUBLISH, struct.pack(">H", len(topic)) + topic + struct.pack(">H", desk.sender.packet_id) +
                                        b"\0" + json.dumps(body).encode(), 2))
        desk.sender.unacked += 1
    desk.sender.settle()
    desk.lane.press()
    subscriber.wait(lambda e: e["kind"] == "override" and e["reason"] == "button", what="the guard's button")
    # In a flood an answer for which there is no place is left out, and the sender asks again.
    asked = []

    def answered():
        body = desk.body("time")
        desk.publish("time", json.dumps(body).encode())
        asked.append(body["transaction"])
        try:
            return gate.wait_for(lambda: [b for t in asked for _, b in desk.responses(t)], 5, "an answer")
        except TimeoutError:
            return None
    response = gate.wait_for(answered, 30, "an answer after the flood")[0]
    assert response["status"] == "ok" or response["error"] in ("busy", "stale")
    answers = [b for _, b in desk.responses()]
    done = [b for b in answers if b["status"] == "ok"]
    assert done and len({b["seq"] for b in done}) == len(done)
    assert {b.get("error") for b in answers} <= {None, "busy", "stale"}
    assert desk.lane.log().count("command: time by anna") < len(done) + 1


def test_the_relay_waits_for_the_journal_and_a_late_row_opens_nothing(make_desk, subscriber):
    """Another program has the database's lock: longer than a decision may take, then released."""
    desk = make_desk()
    lock = sqlite3.connect(desk.lane.journal, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    response = desk.ask("open", why="x")
    assert (response["status"], response["error"]) == ("failed", "failed") and "seq" not in response
    lock.execute("COMMIT")
    lock.close()
    gate.wait_for(lambda: desk.ask("time")["status"] == "ok", 20, "the journal is back")
    for row in [row for row in desk.rows() if row["kind"] == "override"]:  # it came late, or not at all
        subscriber.wait(lambda e: e["kind"] == "not_used" and e["bound_event_id"] == row["event_id"])
    assert desk.pulses() == 0


def test_what_grew_old_at_the_journal_is_not_carried_out(make_desk, subscriber):
    """Just before it is carried out it is looked at once more: a moment of its ten seconds was left when the journal got it. On a
    busy machine it may be too old before that, or the journal gives up: tried again, until a row was too late."""
    desk = make_desk()

    def attempt(left_s, held_s):
        with contextlib.closing(sqlite3.connect(desk.lane.journal, isolation_level=None)) as lock:
            lock.execute("BEGIN IMMEDIATE")
            issued_at = datetime.datetime.fromtimestamp(time.time() - 10 + left_s, datetime.timezone.utc)
            body = desk.body("open", why="x", issued_at=issued_at.isoformat())
            desk.publish("open", json.dumps(body).encode())
            time.sleep(held_s)  # the time that makes it old
            lock.execute("COMMIT")
        return desk.response(body["transaction"])

    for number in range(20):
        response = attempt(0.1 + 0.01 * number, 0.2 + 0.01 * number)
        assert response["error"] in ("stale", "failed")
        if "seq" in response:
            break
    assert response["error"] == "stale" and desk.row(response)["kind"] == "override"
    for row in [row for row in desk.rows() if row["kind"] == "override"]:
        subscriber.wait(lambda e: e["kind"] == "not_used" and e["bound_event_id"] == row["event_id"])
    assert desk.pulses() == 0


def test_what_a_stop_undoes_has_a_row_that_says_so_and_a_response(make_desk, subscriber):
    """Told to stop while the journal has a command's row: it gets on the disk, and isn't carried out. Where the journal thread
    was at work on something else, or gave up, there is no row: tried again."""
    desk = make_desk()

    def tries():
        """Of the journal's thread to get the lock: it sleeps between two of them."""
        tasks = pathlib.Path(f"/proc/{desk.lane.process.pid}/task").iterdir()
        thread = next(task for task in tasks if (task / "comm").read_text() == "journal\n")
        return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)$", (thread / "status").read_text(), re.M)[1])

    def attempt():
        body = desk.body("open", why="x")
        with contextlib.closing(sqlite3.connect(desk.lane.journal, isolation_level=None)) as lock:
            lock.execute("BEGIN IMMEDIATE")
            before = tries()
            desk.publish("open", json.dumps(body).encode())
            gate.wait_for(lambda: tries() > before + 20, 20, "the journal at work")
            desk.lane.process.terminate()
            gate.wait_for(lambda: desk.lane.eye_pid() is None, 20, "the stop")
            lock.execute("COMMIT")
        assert desk.lane.process.wait(20) == 0 and desk.pulses() == 0
        return body["transaction"]

    for number in range(10):
        transaction = attempt()
        rows = [row for row in desk.rows() if row["kind"] == "override"]
        if rows:
            break
        desk.lane.start()
        ready(desk.lane, subscriber, number + 2)
    undone = next(row for row in desk.rows() if row["kind"] == "not_used")
    assert (undone["bound_event_id"], undone["detail"]) == (rows[0]["event_id"], "the gate stopped")
    response = desk.response(transaction)
    assert (response["status"], response["error"]) == ("failed", "failed") and response["event_id"] == rows[0]["event_id"]


def test_off_is_the_default_and_nothing_is_listened_to(make_desk, subscriber):
    desk = make_desk("off")
    body = desk.body("open", why="x")
    desk.publish("open", json.dumps(body).encode())
    desk.lane.press()  # something that surely comes after it
    subscriber.wait(lambda e: e["kind"] == "override" and e["reason"] == "button")
    assert not desk.responses() and desk.pulses() == 1


# ---- schemas -------------------------------------------------------------------------------------------------------------

def test_request_schema_agrees_with_the_lane(make_desk):
    desk = make_desk()
    base = {"transaction": "t", "operator": "anna", "issued_at": int(time.time())}
    for good in ({**base}, {**base, "why": "x", "mode": "hold_open", "for_s": 5}, {**base, "from_seq": 1}):
        jsonschema.validate(good, SCHEMA["request"])
    for bad in ({**base, "extra": 1}, {**base, "transaction": "a b"}, {**base, "why": "x", "mode": "hold_open"},
                {**base, "why": "x", "mode": "normal", "for_s": 5}, {**base, "from_seq": 0}, {"operator": "anna"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(bad, SCHEMA["request"])
        verb = "mode" if "mode" in bad else "resend" if "from_seq" in bad else "time"
        count = len(desk.responses())
        desk.publish(verb, json.dumps(bad).encode())
        gate.wait_for(lambda: len(desk.responses()) > count, 10, "a response")
        assert desk.responses()[-1][1]["error"] == "malformed"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"schema": "qrgate/response/1", "verb": "open", "status": "refused", "at": "2026-01-01T00:00:00.000Z",
                             "clock_trusted": True}, SCHEMA["response"])
    source = (gate.ROOT / "daemon" / "mqtt" / "command.c").read_text()
    names = re.findall(r'\[COMMAND_\w+\] = "([a-z_]+)"', source)
    assert names == VERBS + SCHEMA["response"]["properties"]["error"]["enum"]
