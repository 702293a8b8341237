"""The road in: declarations, revocations and other lanes' passages, over brokers that are real, slow, strict or forgetful.

Mostly with publisher_driver and its journal in memory, which answers as slowly or badly as a test wants; at the end whole
lanes follow each other."""
import json
import pathlib
import re
import signal
import socket
import struct
import sys
import threading
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import gate  # noqa: E402
from scripted_broker import PUBLISH, Body, Gone, ScriptedBroker, packet, read_packet  # noqa: E402
from test_outbox import Driver, Listener, drive, mosquitto  # noqa: E402,F401  (two fixtures among them)

SESSION = ("--session-s", 3600)
BOTH = (*SESSION, "--declarations", "--follow")
INBOX_MAX = int(re.search(r"INBOX_MAX = (\d+)", (gate.ROOT / "daemon/mqtt/inbox.h").read_text()).group(1))


def declaration(number, **more):
    """Made up: cccd numbers of Quảng Ninh that nobody has."""
    return json.dumps({"schema": "qrgate/declaration/1", "subject": f"cccd:022099{number:06d}", "status": "green",
                       "declared_at": "2026-01-15T08:00:00+07:00", **more})


class Sender:
    """Publishes with QoS 1 over a connection of its own, and waits for each acknowledgement, a window at a time."""

    def __init__(self, port, name="sender"):
        self.sock = socket.create_connection(("127.0.0.1", port), 10)
        self.stream = self.sock.makefile("rb")
        self.sock.sendall(packet(1, b"\0\4MQTT\5\2\0\0\0" + struct.pack(">H", len(name)) + name.encode()))
        assert read_packet(self.stream)[0] == 2
        self.packet_id = self.unacked = 0

    def send(self, topic, payload, retain=False, wait=True):
        payload = payload if isinstance(payload, bytes) else payload.encode()
        self.packet_id = self.packet_id % 65535 + 1
        self.sock.sendall(packet(PUBLISH, struct.pack(">H", len(topic)) + topic.encode() +
                                 struct.pack(">H", self.packet_id) + b"\0" + payload, 2 | int(retain)))
        self.unacked += 1
        if wait or self.unacked >= 20:
            self.settle()

    def settle(self):
        while self.unacked:
            if read_packet(self.stream)[0] == 4:
                self.unacked -= 1

    def close(self):
        self.settle()
        self.sock.close()


class Output(threading.Thread):
    """What a driver prints, line by line, while it runs."""

    def __init__(self, driver):
        super().__init__(daemon=True)
        self.driver, self.lines = driver, []
        self.start()

    def run(self):
        for line in self.driver.process.stdout:
            self.lines.append(json.loads(line))

    def of(self, key):
        return [line[key] for line in list(self.lines) if key in line]

    def until(self, condition, seconds=30, what=""):
        return gate.wait_for(lambda: condition(self), seconds, f"{what}; got {self.lines[-5:]}")

    def stop(self, how=signal.SIGTERM):
        """The last line is the summary, if it could still be printed."""
        self.driver.process.send_signal(how)
        self.driver.process.wait(20)
        self.join(10)
        return self.lines[-1] if self.lines else None


@pytest.fixture
def listening(drive):  # noqa: F811
    def start(port, *options):
        return Output(drive(port, "--rows", 0, "--linger-ms", 100000, *options))
    return start


@pytest.fixture
def sender():
    opened = []

    def connect(port, name="sender"):
        opened.append(Sender(port, name))
        return opened[-1]
    yield connect
    for each in opened:
        each.sock.close()


class Results:
    """Collects PREFIX/SITE/+/result from a real broker."""

    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port), 5)
        self.stream = self.sock.makefile("rb")
        self.sock.sendall(packet(1, b"\0\4MQTT\5\2\0\0\0\0\7results"))
        read_packet(self.stream)
        topic = b"qrgate/test/+/result"
        self.sock.sendall(packet(8, b"\0\1\0" + struct.pack(">H", len(topic)) + topic + b"\1", 2))
        read_packet(self.stream)
        self.all = []
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            while True:
                kind, flags, data = read_packet(self.stream)
                if kind != PUBLISH:
                    continue
                body = Body(data)
                topic, packet_id = body.text(), body.take(2) if flags >> 1 & 3 else b""
                body.properties()
                self.all.append(dict(json.loads(body.rest()), retain=flags & 1, topic=topic))
                if packet_id:
                    self.sock.sendall(packet(4, packet_id))
        except (Gone, OSError, ValueError):
            pass

    def close(self):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.thread.join(5)
        self.sock.close()


@pytest.fixture
def results():
    opened = []

    def collect(port):
        opened.append(Results(port))
        return opened[-1]
    yield collect
    for each in opened:
        each.close()


def subscribed(broker, count=3):
    gate.wait_for(lambda: len(broker.received("subscribe")) >= count, 10, "subscriptions")


# ---- what is asked of the broker -----------------------------------------------------------------------------------------
def test_session_and_subscriptions_are_asked_for(listening):
    with ScriptedBroker({}) as broker:
        out = listening(broker.port, *BOTH)
        out.until(lambda o: o.of("shared") == [True], what="shared")
        subscribed(broker)
        out.stop()
        connect = broker.received("connect")[0]
        asked = broker.received("subscribe")
    assert not connect["clean_start"] and connect["session_expiry"] == 3600
    assert connect["receive_max"] == 1 and connect["packet_max"] == 1 << 20
    assert [a["topic"] for a in asked] == ["qrgate/test/declaration", "qrgate/test/revocation", "qrgate/test/+/passage"]
    assert all(a["qos"] == 1 and not a["no_local"] and a["retain_as_published"] and a["retain_handling"] == 2 for a in asked)


def test_what_isnt_configured_is_unsubscribed_from_a_session_that_was_kept(listening):
    with ScriptedBroker({"session_present": 1}) as broker:
        out = listening(broker.port, *SESSION, "--declarations")
        subscribed(broker, 2)
        gate.wait_for(lambda: len(broker.received("unsubscribe")) >= 3, 10, "unsubscribe")
        out.stop()
        assert [u["topic"] for u in broker.received("unsubscribe")] == ["qrgate/test/+/passage", "qrgate/test/lane1/request/+",
                                                                            "homeassistant/status"]
    assert out.of("shared") == []


@pytest.mark.parametrize("code", [0x87, 0x80, 0])
def test_a_refused_subscription_is_said_counted_and_presence_stays_own(listening, code):
    with ScriptedBroker({"suback_refuse": 1, "suback_code": code, "suback_for": "/passage"}) as broker:
        out = listening(broker.port, *BOTH)
        gate.wait_for(lambda: any(json.loads(s["payload"])["subscriptions_refused"] for s in broker.retained("state")), 10,
                      "the count")
        broker.send("qrgate/test/declaration", declaration(1, transaction_id="t"))
        gate.wait_for(broker.results, 10, "the others work")
        out.stop()
        state = json.loads(broker.retained("state")[-1]["payload"])
        assert broker.connections == 1
    assert state["subscriptions_refused"] == 1 and state["presence"] == "own"
    assert out.of("shared") == []
    errors = out.driver.process.stderr.read()
    assert errors.count("refuses the subscription") == 1 and '"qrgate/test/+/passage"' in errors


def test_a_suback_that_never_comes_makes_a_new_connection(listening):
    with ScriptedBroker({"suback_silent": 1}) as broker:
        out = listening(broker.port, *BOTH, "--ack-ms", 500)
        gate.wait_for(lambda: sum(s["connection"] == 2 for s in broker.received("subscribe")) == 3, 15, "asked again")
        out.until(lambda o: o.of("shared")[-1:] == [True], what="shared in the end")
        out.stop()
        assert broker.connections == 2


def test_presence_is_own_while_the_broker_is_away(listening):
    with ScriptedBroker({}) as broker:
        out = listening(broker.port, *BOTH)
        out.until(lambda o: o.of("shared") == [True], what="shared")
        broker.drop_all()
        out.until(lambda o: o.of("shared")[:3] == [True, False, True], what="own, and shared again")
        gate.wait_for(lambda: [json.loads(s["payload"])["presence"] for s in broker.retained("state")][-1] == "shared", 10,
                      "told")
        out.stop()
    assert "forgot the session" in out.driver.process.stderr.read()


# ---- what is taken and answered ------------------------------------------------------------------------------------------
def test_each_message_has_its_answer(listening):
    token = "ab" * 16
    with ScriptedBroker({}) as broker:
        out = listening(broker.port, *BOTH)
        subscribed(broker)
        where = "qrgate/test/declaration"
        broker.send(where, declaration(1, transaction_id="new"))
        broker.send(where, declaration(1, transaction_id="old", declared_at="2025-12-15T08:00:00+07:00"))
        broker.send(where, declaration(1))  # taken in silence
        broker.send(where, '{"transaction_id":"bad","status":"purple"}')
        broker.send(where, json.dumps({**json.loads(declaration(1, transaction_id="two")), "subject": None}))
        both = json.loads(declaration(1, transaction_id="both"))
        del both["subject"]
        broker.send(where, json.dumps({**both, "identities": ["cccd:022099000001", "bhyt:0123456789"]}))
        broker.send("qrgate/test/revocation", json.dumps({"schema": "qrgate/revocation/1", "transaction_id": "r",
                                                          "token_id": token, "revoked_at": "2026-01-15T08:00:00Z"}))
        broker.send("qrgate/test/revocation", "no JSON", qos=0)
        gate.wait_for(lambda: len(broker.results()) >= 7, 10, "seven results")
        gate.wait_for(lambda: out.of("revoked"), 10, "revoked")
        summary = out.stop()
        answers = broker.results()
        rows = [r for r in broker.received() if r["topic"].endswith("/result")]
    assert [(a["of"], a.get("transaction_id"), a["result"]) for a in answers] == [
        ("declaration", "new", "taken"), ("declaration", "old", "older"), ("declaration", "bad", "rejected"),
        ("declaration", "two", "rejected"), ("declaration", "both", "rejected"), ("revocation", "r", "taken"),
        ("revocation", None, "rejected")]
    assert "different people" in answers[4]["why"] and all(("why" in a) == (a["result"] == "rejected") for a in answers)
    assert all(r["topic"] == "qrgate/test/lane1/result" and r["qos"] == 1 and not r["retain"] for r in rows)
    assert out.of("revoked") == [0xab] and out.of("source")[:1] == ["mqtt"] and summary["settled"]
    errors = out.driver.process.stderr.read()
    assert errors.count("was rejected") == 1, "one line for a while of them"


def test_retained_own_and_foreign_topics_do_nothing(listening):
    with ScriptedBroker({}) as broker:
        out = listening(broker.port, *BOTH)
        subscribed(broker)
        broker.send("qrgate/test/declaration", declaration(1, transaction_id="retained"), retain=True)
        passage = json.dumps({"schema": "qrgate/passage/1", "event_id": "1" * 32, "kind": "granted", "person": "2" * 32,
                              "at": "2026-01-15T08:00:00.000Z", "direction": "in", "changes_presence": True})
        for topic in ("qrgate/test/lane1/passage", "qrgate/other/lane2/passage", "qrgate/test/lane2/state",
                      "qrgate/test/declarations", "x"):
            broker.send(topic, passage)
        last = broker.send("qrgate/test/declaration", declaration(2, transaction_id="live"))
        gate.wait_for(broker.results, 10, "the live one")
        gate.wait_for(lambda: any(a["packet_id"] == last for a in broker.received("puback")), 10, "acknowledged")
        gate.wait_for(lambda: any(json.loads(s["payload"])["retained_ignored"] for s in broker.retained("state")), 15, "counted")
        out.stop()
        assert [r["transaction_id"] for r in broker.results()] == ["live"]
    assert out.of("declared") == ["cccd:022099000002"] and out.of("followed") == []
    assert "retained" in out.driver.process.stderr.read()


def test_a_retained_declaration_is_ignored_by_a_real_brokers_lane(listening, mosquitto, sender, results):  # noqa: F811
    mosquitto()
    messages = sender(mosquitto.port)
    messages.send("qrgate/test/declaration", declaration(1, transaction_id="old"), retain=True)
    answers, out = results(mosquitto.port), listening(mosquitto.port, *BOTH)
    out.until(lambda o: o.of("shared") == [True], what="shared")
    messages.send("qrgate/test/declaration", declaration(2, transaction_id="live but retained"), retain=True)
    messages.send("qrgate/test/declaration", declaration(3, transaction_id="live"))
    gate.wait_for(lambda: answers.all, 10, "an answer")
    assert out.stop()["settled"]
    assert [a["transaction_id"] for a in answers.all] == ["live"] and out.of("declared") == ["cccd:022099000003"]


def test_a_failing_journal_is_asked_again_in_order(listening):
    with ScriptedBroker({}) as broker:
        out = listening(broker.port, *BOTH, "--fail", 6)
        subscribed(broker)
        for number in range(5):
            broker.send("qrgate/test/declaration", declaration(number, transaction_id=f"t{number}"))
        gate.wait_for(lambda: len(broker.results()) == 5, 20, "all taken in the end")
        out.stop()
        assert [r["transaction_id"] for r in broker.results()] == [f"t{i}" for i in range(5)]
    assert out.of("declared") == [f"cccd:022099{i:06d}" for i in range(5)]


def test_results_survive_a_lost_connection(listening):
    with ScriptedBroker({"drop_before_puback": 2}) as broker:
        out = listening(broker.port, *BOTH)
        subscribed(broker)
        broker.send("qrgate/test/declaration", declaration(1, transaction_id="once"))
        gate.wait_for(lambda: len(broker.results()) == 3, 20, "sent until acknowledged")
        out.stop()
        assert {r["transaction_id"] for r in broker.results()} == {"once"}
    assert out.of("declared") == ["cccd:022099000001"]


# ---- floods --------------------------------------------------------------------------------------------------------------
def test_a_full_inbox_makes_the_broker_wait_and_loses_nothing(listening):
    count = 4 * INBOX_MAX
    with ScriptedBroker({}) as broker:
        out = listening(broker.port, *BOTH, "--answer-ms", 30)
        subscribed(broker)
        for number in range(count):
            broker.send("qrgate/test/declaration", declaration(number))
        out.until(lambda o: len(o.of("declared")) >= 5, what="some")
        taken, acknowledged = len(out.of("declared")), len(broker.received("puback"))
        # One is being put, one is held by the intake; a few are taken between the two looks.
        assert acknowledged <= taken + INBOX_MAX + 10 and acknowledged < count
        summary = out.stop()
        acknowledged = len(broker.received("puback"))
    assert summary["settled"] and summary["close_us"] < 2_600_000
    assert summary["slowest_call_us"] < 500_000, "the main thread waited"
    declared = out.of("declared")
    assert declared == [f"cccd:022099{i:06d}" for i in range(len(declared))]
    assert len(declared) == acknowledged < count, "what was acknowledged is in the journal, and nothing else"


def test_a_journal_that_fails_for_longer_than_the_line_waits_loses_nothing(drive, mosquitto, sender):  # noqa: F811
    """The inbox is full meanwhile, so Paho reads little, and the connection is given up and made again."""
    mosquitto()
    count = 3 * INBOX_MAX
    out = Output(drive(mosquitto.port, *BOTH, "--rows", 30, "--row-every-ms", 50, "--fail", 70, "--ack-ms", 400, "--seconds", 60,
                       "--linger-ms", 100000))
    out.until(lambda o: o.of("shared") == [True], what="shared")
    messages = sender(mosquitto.port)
    for number in range(count):
        messages.send("qrgate/test/declaration", declaration(number))
    out.until(lambda o: len(set(o.of("declared"))) == count and len(o.of("marked")) == 30, 45, "everything")
    summary = out.stop()
    assert summary["settled"] and summary["unsent"] == 0 and summary["slowest_call_us"] < 500_000
    assert "connecting anew" in out.driver.process.stderr.read()


def test_a_journal_that_takes_nothing_in_silences_nobody(drive, mosquitto, sender):  # noqa: F811
    """A full disk in a fire: what comes in is held up, what goes out isn't, and the connection stands."""
    mosquitto()
    out = Output(drive(mosquitto.port, *BOTH, "--rows", 60, "--row-every-ms", 100, "--fail", 1000000, "--keepalive", 1,
                       "--seconds", 60, "--linger-ms", 100000))
    out.until(lambda o: o.of("shared") == [True], what="shared")
    messages = sender(mosquitto.port)
    for number in range(2 * INBOX_MAX):
        messages.send("qrgate/test/declaration", declaration(number))
    out.until(lambda o: len(o.of("marked")) == 60, 15, "every row, for four times the keep-alive's patience")
    out.driver.process.kill()
    errors = out.driver.process.stderr.read()
    assert out.of("declared") == [] and errors.count("connected") == 1 and "lost" not in errors, errors


def test_a_line_that_is_overfull_begins_anew_and_loses_nothing(drive, mosquitto, sender):  # noqa: F811
    """The journal fails until the line reads nothing more: what goes out then goes out at the beginning of each connection."""
    mosquitto()
    count = 10 * INBOX_MAX
    out = Output(drive(mosquitto.port, *BOTH, "--rows", 30, "--row-every-ms", 1000, "--fail", 200, "--keepalive", 1, "--seconds", 120,
                       "--linger-ms", 100000))
    out.until(lambda o: o.of("shared") == [True], what="shared")
    listener, messages = Listener(mosquitto.port), sender(mosquitto.port)
    for number in range(count):
        messages.send("qrgate/test/declaration", declaration(number))

    def connections():
        return sum(topic.endswith("/availability") and text == "online" for topic, text in listener.messages)

    listener.follow(lambda _: connections() >= 4, 60)  # one is retained
    out.until(lambda o: len(set(o.of("declared"))) == count, 60, "every declaration")
    assert out.stop()["settled"]
    assert list(dict.fromkeys(out.of("declared"))) == [f"cccd:022099{i:06d}" for i in range(count)]
    assert "the journal takes nothing in" in out.driver.process.stderr.read()


def test_a_broker_that_sends_nothing_is_noticed_by_ones_own_passages(drive):  # noqa: F811
    with ScriptedBroker({}) as broker:  # it doesn't pass on what it gets
        out = Output(drive(broker.port, *BOTH, "--rows", 12, "--row-every-ms", 100, "--ack-ms", 400, "--linger-ms", 100000))
        gate.wait_for(lambda: len(broker.received("subscribe")) == 6, 15, "a new connection")
        gate.wait_for(lambda: len(broker.rows()) >= 12, 15, "every row")
        assert out.of("shared") == [True, False], "subscribed again, but nothing was heard"
        broker.send("qrgate/test/lane1/passage", "{}")  # at last
        out.until(lambda o: o.of("shared") == [True, False, True], what="heard")
        out.stop()
    assert out.driver.process.stderr.read().count("not even this lane's own passages") >= 1


def test_what_is_larger_than_was_allowed_stops_nothing_for_long(drive, mosquitto, sender, results):  # noqa: F811
    """mosquitto 2.0.11 sends nothing more on a connection after such a message."""
    mosquitto()
    answers, messages = results(mosquitto.port), sender(mosquitto.port)
    out = Output(drive(mosquitto.port, *BOTH, "--rows", 60, "--row-every-ms", 100, "--ack-ms", 400, "--linger-ms", 100000))
    out.until(lambda o: o.of("shared") == [True], what="shared")
    for number, size in enumerate((65000, 1_000_000, 1_100_000)):
        messages.send("qrgate/test/declaration", b"x" * size)
        messages.send("qrgate/test/declaration", declaration(number, transaction_id=f"t{number}"))
    gate.wait_for(lambda: len(answers.all) >= 5, 15, "answers")
    assert out.stop()["settled"]
    assert [a.get("transaction_id", a.get("why")) for a in answers.all] == [
        "65000 bytes; allowed are 2048", "t0", "1000000 bytes; allowed are 2048", "t1", "t2"]


HOSTILE = [b"", b"null", b"[]", b'"x"', b"{", b"[" * 2000, b'{"a":' * 300, b"\xff\xfe\xfd", b"\0" * 64, b"x" * 2048, b"y" * 2049,
           b"z" * 60000, b"{}", b'{"status":"green"}', b'{"subject":"cccd:022099000001","subject":"cccd:022099000002"}',
           b'{"schema":"qrgate/declaration/9"}', declaration(1, status="purple").encode(), declaration(1, extra=1).encode(),
           declaration(1, declared_at="9999-12-31T23:59:59Z").encode(), declaration(1, declared_at=10**400).encode(),
           declaration(1, group="'; DROP TABLE declaration;--").encode(), declaration(1, subject="cccd:%n%s%x").encode(),
           declaration(1, transaction_id="../../etc/passwd").encode()]


def test_a_flood_with_hostile_ones_between_is_answered_and_starves_nobody(drive, mosquitto, sender, results):  # noqa: F811
    good, rows = 2000, 100
    mosquitto("max_queued_messages 100000")
    answers, messages = results(mosquitto.port), sender(mosquitto.port)
    out = Output(drive(mosquitto.port, *BOTH, "--rows", rows, "--row-every-ms", 10, "--answer-ms", 1, "--seconds", 120,
                       "--linger-ms", 100000))
    out.until(lambda o: o.of("shared") == [True], what="shared")
    hostile = 0
    for number in range(good):
        messages.send("qrgate/test/declaration", declaration(number, transaction_id=f"t{number}"), wait=False)
        if number % 10 == 0:
            messages.send("qrgate/test/declaration", HOSTILE[hostile % len(HOSTILE)], wait=False)
            hostile += 1
    messages.settle()
    gate.wait_for(lambda: len(answers.all) >= good + hostile, 60, "every answer")
    summary = out.stop()
    assert summary["settled"] and summary["unsent"] == 0
    taken = [a["transaction_id"] for a in answers.all if a["result"] == "taken"]
    assert taken == [f"t{i}" for i in range(good)]
    rejected = [a for a in answers.all if a["result"] == "rejected"]
    assert len(rejected) == hostile and all(0 < len(a["why"]) < 192 for a in rejected)
    assert len(out.of("declared")) == good
    order = ["marked" if "marked" in line else "declared" for line in out.lines if {"marked", "declared"} & set(line)]
    assert order.index("marked") < good / 2 and len(order) - order[::-1].index("marked") < len(order), "rows starve"
    assert "declared" in order[order.index("marked"):len(order) - order[::-1].index("marked")], "declarations starve"
    assert summary["slowest_call_us"] < 500_000


# ---- a lane that was away ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_what_was_declared_meanwhile_arrives_after_reconnect(listening, mosquitto, sender, how):  # noqa: F811
    mosquitto()
    messages, out = sender(mosquitto.port), listening(mosquitto.port, *BOTH)
    out.until(lambda o: o.of("shared") == [True], what="shared")
    messages.send("qrgate/test/declaration", declaration(0))
    out.until(lambda o: o.of("declared"), what="one while it is there")
    out.stop(how)
    for number in range(1, 51):
        messages.send("qrgate/test/declaration", declaration(number))
    again = listening(mosquitto.port, *BOTH)
    again.until(lambda o: len(o.of("declared")) == 50, what="the rest")
    assert again.stop()["settled"]
    assert again.of("declared") == [f"cccd:022099{i:06d}" for i in range(1, 51)]
    assert "forgot" not in again.driver.process.stderr.read()


@pytest.mark.parametrize("how,missing", [(signal.SIGTERM, 0), (signal.SIGKILL, INBOX_MAX + 2)])
def test_stopped_in_a_flood_the_broker_keeps_the_rest(listening, mosquitto, sender, how, missing):  # noqa: F811
    count = 300
    mosquitto("max_queued_messages 1000")
    messages, out = sender(mosquitto.port), listening(mosquitto.port, *BOTH, "--answer-ms", 10)
    out.until(lambda o: o.of("shared") == [True], what="shared")
    for number in range(count):
        messages.send("qrgate/test/declaration", declaration(number), wait=False)
    messages.settle()
    out.until(lambda o: len(o.of("declared")) >= 20, what="some")
    out.stop(how)
    first = len(out.of("declared"))
    assert first < count
    again = listening(mosquitto.port, *BOTH)
    everything = {f"cccd:022099{i:06d}" for i in range(count)}
    again.until(lambda o: f"cccd:022099{count - 1:06d}" in o.of("declared"), what="the last")
    assert again.stop()["settled"]
    lost = everything - set(out.of("declared")) - set(again.of("declared"))
    assert len(lost) <= missing, "more than the inbox holds"


def test_rows_and_session_together(drive, mosquitto, sender):  # noqa: F811
    """The outbox's at-least-once holds on connections that resume a session."""
    broker = mosquitto()
    listener = Listener(mosquitto.port)
    out = Output(drive(mosquitto.port, *BOTH, "--row-every-ms", 20))
    out.until(lambda o: len(o.of("marked")) >= 20, what="some rows")
    messages = sender(mosquitto.port)
    takeover = Sender(mosquitto.port, "qrgate-test-driver")  # the broker throws the lane out: MQTT allows one of a name
    takeover.sock.close()
    messages.send("qrgate/test/declaration", declaration(1))
    out.until(lambda o: "settled" in o.lines[-1], what="the end")
    assert out.driver.process.wait(10) == 0 and broker.poll() is None
    events = [json.loads(text) for topic, text in listener.read() if topic.endswith(("/passage", "/alarm"))]
    assert sorted({event["seq"] for event in events}) == list(range(1, 61)) == sorted(out.of("marked"))
    assert len({event["event_id"] for event in events}) == 60


# ---- lanes that follow each other ----------------------------------------------------------------------------------------
def test_two_lanes_follow_each_others_passages(drive, mosquitto):  # noqa: F811
    mosquitto()
    listener = Listener(mosquitto.port)
    lanes = {}
    for name in ("lane1", "lane2"):
        lanes[name] = Output(drive(mosquitto.port, "--lane", name, *BOTH, "--row-every-ms", 30, "--linger-ms", 100000))
        lanes[name].until(lambda o: o.of("shared") == [True], what="shared")
    for out in lanes.values():
        out.until(lambda o: len(o.of("marked")) == 60, what="all rows")
    published = {name: {} for name in lanes}
    for topic, text in listener.read():
        if topic.endswith("/passage"):
            event = json.loads(text)
            if event.get("changes_presence"):
                published[topic.split("/")[2]][event["event_id"]] = (event["direction"], event["person"])
    # lane1 began before lane2 listened, so only what lane2 published is whole.
    lanes["lane1"].until(lambda o: len(o.of("followed")) >= len(published["lane2"]), what="followed")
    for out in lanes.values():
        assert out.stop()["settled"]
    followed = {line["followed"]: (line["direction"], line["person"]) for line in lanes["lane1"].lines if "followed" in line}
    assert followed == published["lane2"] != {}
    assert {line["lane"] for line in lanes["lane1"].lines if "followed" in line} == {"lane2"}
    late = {line["followed"]: (line["direction"], line["person"]) for line in lanes["lane2"].lines if "followed" in line}
    assert late and late.items() <= published["lane1"].items()


def make_pair(tmp_path, build, port):
    """A lane in and a lane out of one site, with one site key."""
    pair = []
    for name, direction in (("gate-in", "in"), ("gate-out", "out")):
        lane = gate.Lane(tmp_path / name, build, port, lane=name,
                         extra=f'direction = "{direction}"; antipassback = {{ presence = "deny"; }};\n'
                               'policy = { exit = "judge"; };')
        if pair:
            (lane.folder / "site.key").write_text((pair[0].folder / "site.key").read_text())
        pair.append(lane)
    return pair


def test_whole_lanes_know_who_is_inside(tmp_path, build, broker, subscriber):
    card = "022199012345||Trần Thị Thử|15081999|Nữ|Phường Thử Nghiệm, Quảng Ninh|01082022"
    enter, leave = make_pair(tmp_path, build, broker.port)

    def verdicts(direction):
        with subscriber.condition:
            return [body for topic, body in subscriber.messages if topic.endswith("/passage") and
                    body.get("direction") == direction and body["kind"] in ("granted", "held", "denied")]

    def show(lane, direction):
        before = len(verdicts(direction))
        lane.add(card)
        gate.wait_for(lambda: len(verdicts(direction)) > before, 20, f"a verdict at the lane {direction}")
        return verdicts(direction)[before]

    def state(name, key):
        return (subscriber.last(f"{name}/state") or {}).get(key)

    try:
        for lane in (enter, leave):
            lane.start()
        for name in ("gate-in", "gate-out"):
            gate.wait_for(lambda name=name: state(name, "presence") == "shared", 15, "shared")
        # Declared to the site: both lanes take it.
        sender = Sender(broker.port)
        sender.send("qrgate/demo/declaration", json.dumps(
            {"schema": "qrgate/declaration/1", "transaction_id": "d1", "subject": "cccd:022199012345", "status": "green",
             "declared_at": int(time.time()) - 60}))
        sender.close()
        for name in ("gate-in", "gate-out"):
            gate.wait_for(lambda name=name: (subscriber.last(f"{name}/result") or {}).get("result") == "taken", 15, "taken")
        entered = show(enter, "in")
        assert (entered["kind"], entered["presence"], entered["changes_presence"]) == ("granted", "shared", True)
        twice = show(enter, "in")
        assert (twice["kind"], twice["reason"]) == ("denied", "antipassback_presence") and "changes_presence" not in twice
        gate.wait_for(lambda: state("gate-out", "passages_followed") == 1, 20, "followed")
        left = show(leave, "out")
        assert left["kind"] == "granted" and left["person"] == entered["person"]
        gate.wait_for(lambda: state("gate-in", "passages_followed") == 1, 20, "followed")
        assert show(enter, "in")["kind"] == "granted", "by its own knowledge alone it would be in twice"
        # Cut off, each lane goes by what it knows, and says so.
        broker.stop()
        gate.wait_for(lambda: "connection lost" in enter.log(), 20, "noticed")
        enter.add(card)
        gate.wait_for(lambda: enter.displayed()[-1][0] == "denied", 20, "denied")
        broker.start()
        gate.wait_for(lambda: len(verdicts("in")) == 4, 40, "told when the broker is back")
        assert verdicts("in")[3]["presence"] == "own"
    finally:
        for lane in (enter, leave):
            lane.stop()
