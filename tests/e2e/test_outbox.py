"""The outbox against brokers that fail: whatever the broker does, every event arrives, in order, under its own id.

The publisher runs in publisher_driver with a journal in memory (the whole daemon with its journal is test_gate.py's)."""
import collections
import json
import pathlib
import re
import socket
import subprocess
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from scripted_broker import PUBLISH, Body, Gone, ScriptedBroker, packet, read_packet  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROWS = 60
HISTORY = 15  # of a window of 20: what is of before the connection leaves room for live rows


class Driver:
    def __init__(self, build, port, *options):
        self.process = subprocess.Popen(
            [build / "publisher_driver", "--port", str(port), "--rows", str(ROWS), "--seconds", "40", *map(str, options)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def finish(self, expected=0, seconds=60):
        """Marked seqs and the last line, a summary."""
        try:
            out, self.errors = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.stop()
            raise
        lines = [json.loads(line) for line in out.splitlines()]
        assert self.process.returncode == expected, self.errors
        return [line["marked"] for line in lines if "marked" in line], lines[-1]

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


@pytest.fixture
def drive(build):
    drivers = []

    def start(port, *options):
        drivers.append(Driver(build, port, *options))
        return drivers[-1]
    yield start
    for driver in drivers:
        driver.stop()


def check_rows(rows, count=ROWS):
    """Every seq, each under one id, never an id for two events, one content over all resends, in order of first sending."""
    contents, ids = collections.defaultdict(set), collections.defaultdict(set)
    first, connection = [], {}
    for row in rows:
        event = row["event"]
        contents[event["event_id"]].add(json.dumps({**event, "historical": None, "topic": row["topic"]}, sort_keys=True))
        ids[event["seq"]].add(event["event_id"])
        if len(contents[event["event_id"]]) == 1 and event["seq"] not in first:
            first.append(event["seq"])
        connection.setdefault(row["connection"], []).append(event["seq"])
        assert row["qos"] == 1
    assert first == list(range(1, count + 1))
    assert all(len(c) == 1 for c in contents.values()) and all(len(i) == 1 for i in ids.values())
    assert len(contents) == count
    return connection


def run(drive, script, *options):
    with ScriptedBroker(script) as broker:
        marked, summary = drive(broker.port, *options).finish()
        assert sorted(marked) == list(range(1, ROWS + 1)) and summary["unsent"] == 0
        connections = check_rows(broker.rows())
        check_greeting(broker)
        assert summary["turns"] < 40000, "spins"
        return broker, connections, summary


def check_greeting(broker):
    """The will, a clean start, `online` first on each connection that was accepted, `offline` at the end."""
    for connect in broker.received("connect"):
        assert connect["clean_start"] and not {"session_expiry", "receive_max", "packet_max"} & set(connect)
        assert connect["will"] == "offline" and connect["will_retain"] and connect["will_qos"] == 1
        assert connect["will_topic"] == "qrgate/test/lane1/availability"
        mine = [r for r in broker.received() if r["connection"] == connect["connection"]]
        assert not mine or (mine[0]["topic"] == connect["will_topic"] and mine[0]["payload"] == "online" and mine[0]["retain"])
    assert [r["payload"] for r in broker.retained("availability")][-1] == "offline"
    assert broker.received("disconnect")[-1]["reason"] == 0


def test_a_good_broker_gets_each_event_once(drive):
    broker, connections, summary = run(drive, {})
    assert connections == {1: list(range(1, ROWS + 1))}
    assert summary["close_us"] < 2_500_000


def test_link_dropped_before_the_puback(drive):
    _, connections, _ = run(drive, {"drop_before_puback": 4, "drop_after": 3})
    assert len(connections) == 5
    for seqs in connections.values():
        assert seqs == list(range(seqs[0], seqs[0] + len(seqs))), "sent again, but not in order"


def test_whole_window_lost_unacknowledged(drive):
    _, connections, _ = run(drive, {"withhold": HISTORY - 1, "drop_after": HISTORY - 1, "drop_before_puback": 1})
    assert connections[1] == list(range(1, HISTORY + 1)) and connections[2][:HISTORY] == connections[1]


@pytest.mark.parametrize("code", [0x80, 0x87, 0x97, 0x99])
def test_refused_rows_are_sent_again_without_spinning(drive, code):
    broker, connections, _ = run(drive, {"refuse": 8, "refuse_code": code})
    assert len(connections) == 1
    assert len(broker.rows()) == ROWS + 8
    # What wasn't sent before the refusal waits until the refused is through.
    seqs = connections[1]
    assert seqs.index(HISTORY + 1) > max(i for i, seq in enumerate(seqs) if seq <= 8)


def test_a_broker_that_always_refuses_is_tried_ever_more_rarely(drive):
    with ScriptedBroker({"refuse": 10**6}) as broker:
        driver = drive(broker.port, "--seconds", "4")
        marked, summary = driver.finish(expected=1)
        assert marked == [] and summary["unsent"] == ROWS
        rows = [row["event"]["seq"] for row in broker.rows()]
    assert HISTORY < len(rows) < 120 and set(rows[HISTORY:]) == {1}  # 200 ms cap in the driver, 30 s in the daemon
    assert driver.errors.count("refuses") == 1


def test_withheld_puback_makes_a_new_connection(drive):
    broker, connections, _ = run(drive, {"withhold": 3}, "--ack-ms", 800)
    assert len(connections) == 2 and connections[2][:3] == [1, 2, 3]


def test_connack_refused_and_silent(drive):
    broker, _, _ = run(drive, {"connack_refuse": 3, "connack_silent": 1})
    assert len(broker.received("connect")) == 5


def test_disconnect_from_the_broker(drive):
    _, connections, _ = run(drive, {"disconnect": 2})
    assert len(connections) == 3


@pytest.mark.parametrize("script, options", [({}, ()), ({"disconnect_after": 2}, ("--window", 1))], ids=["busy", "idle"])
def test_the_brokers_goodbye_is_told(drive, script, options):
    """What it says when two lanes have one client_id."""
    with ScriptedBroker({"disconnect": 1, "disconnect_code": 0x8E, **script}) as broker:
        driver = drive(broker.port, *options)
        driver.finish()
        assert re.search(r"(?i)connection lost: session taken over \(0x8e\), the broker disconnected", driver.errors), driver.errors


def test_garbage_from_the_broker(drive):
    _, connections, _ = run(drive, {"garbage": 2})
    assert len(connections) >= 2


@pytest.mark.parametrize("maximum", [1, 2])
def test_receive_maximum_is_kept(drive, maximum):
    broker, _, _ = run(drive, {"receive_maximum": maximum, "puback_delay_ms": 2})
    assert broker.unacked_peak <= maximum


def test_window_of_one(drive):
    _, connections, _ = run(drive, {"drop_before_puback": 2}, "--window", 1)
    assert len(connections) == 3


def test_refused_retained_doesnt_stop_the_rows(drive):
    broker, _, _ = run(drive, {"refuse_retained": 3})
    assert broker.connections == 1 and len(broker.rows()) == ROWS


def test_broker_absent_at_start_and_gone_in_between(drive):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    driver = drive(port, "--row-every-ms", 50)
    time.sleep(1)
    with ScriptedBroker({}, port) as first:
        deadline = time.monotonic() + 15
        while len(first.rows()) < 20 and time.monotonic() < deadline:
            time.sleep(0.05)
    time.sleep(0.5)
    with ScriptedBroker({}, port) as second:
        marked, _ = driver.finish()
        seen = {row["event"]["seq"] for row in first.rows() + second.rows()}
    assert seen == set(range(1, ROWS + 1)) and sorted(marked) == list(range(1, ROWS + 1))


def test_stopping_while_connecting_to_nobody_is_quick(drive):
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # takes the connection, never answers
        driver = drive(deaf.getsockname()[1], "--seconds", "1")
        _, summary = driver.finish(expected=1)
    assert summary["close_us"] < 3_500_000 and summary["turns"] < 2000


def test_state_is_retained_told_when_changed_and_on_each_connection(drive):
    with ScriptedBroker({"drop_before_puback": 1, "drop_after": 10}) as broker:
        drive(broker.port, "--linger-ms", 1500).finish()
        state, info = broker.retained("state"), broker.retained("info")
    assert {r["connection"] for r in state} == {1, 2} == {r["connection"] for r in info}
    assert len(state) < 12, "once a second at most"
    assert json.loads(state[-1]["payload"])["broker_connects"] == 2


# ---- a real broker -------------------------------------------------------------------------------------------------------
@pytest.fixture
def mosquitto(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    started = []

    def start(*lines):
        config = tmp_path / "mosquitto.conf"
        config.write_text("\n".join([f"listener {port} 127.0.0.1", "allow_anonymous true", "persistence false",
                                     "max_queued_messages 0", *lines, ""]))
        started.append(subprocess.Popen(["/usr/sbin/mosquitto", "-c", config], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL))
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return started[-1]
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("mosquitto doesn't listen")
    start.port = port
    yield start
    for process in started:
        process.terminate()
        process.wait(10)


class Listener:
    """Everything under qrgate/# that a real broker passes on, by a subscription of our own: as many as are there, or
    (follow()) for as long as it takes."""

    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port), 5)
        self.stream = self.sock.makefile("rb")
        self.sock.sendall(packet(1, b"\0\4MQTT\5\2\0\0\0\0\4test"))
        read_packet(self.stream)
        self.sock.sendall(packet(8, b"\0\1\0\0\x08qrgate/#\1", 2))
        read_packet(self.stream)
        self.messages, self.events = [], []

    def follow(self, done, seconds=120):
        """Until done(events): passages and alarms, each with when it arrived, in this machine's CLOCK_MONOTONIC."""
        until = time.monotonic() + seconds
        while not done(self.events):
            self.sock.settimeout(max(until - time.monotonic(), 0.001))
            self.take(*read_packet(self.stream))
        return self.events

    def take(self, kind, flags, data):
        if kind != PUBLISH:
            return
        body = Body(data)
        topic, packet_id = body.text(), body.take(2) if flags >> 1 & 3 else b""
        body.properties()
        self.messages.append((topic, body.rest().decode()))
        if packet_id:
            self.sock.sendall(packet(4, packet_id))
        if topic.endswith(("/passage", "/alarm")):
            self.events.append({**json.loads(self.messages[-1][1]), "arrived_us": time.monotonic_ns() // 1000})

    def read(self, seconds=0.5):
        self.sock.settimeout(seconds)
        try:
            while True:
                self.take(*read_packet(self.stream))
        except (Gone, OSError):
            pass
        self.sock.close()
        return self.messages


def test_mosquitto_gets_everything(drive, mosquitto):
    mosquitto()
    listener = Listener(mosquitto.port)
    marked, summary = drive(mosquitto.port).finish()
    messages = listener.read()
    events = [json.loads(text) for topic, text in messages if topic.endswith(("/passage", "/alarm"))]
    assert [event["seq"] for event in events] == list(range(1, ROWS + 1)) and len(marked) == ROWS
    availability = [text for topic, text in messages if topic.endswith("/availability")]
    assert availability == ["online", "offline"]
    assert summary["close_us"] < 2_500_000


def test_mosquitto_publishes_the_will_when_the_lane_is_killed(drive, mosquitto):
    mosquitto()
    listener = Listener(mosquitto.port)
    driver = drive(mosquitto.port, "--linger-ms", 60000)
    deadline = time.monotonic() + 10
    marks = 0
    while marks < ROWS and time.monotonic() < deadline:
        marks += "marked" in driver.process.stdout.readline()
    driver.process.kill()
    driver.process.wait()
    assert [text for topic, text in listener.read(2) if topic.endswith("/availability")] == ["online", "offline"]


def test_mosquitto_restarted_in_between(drive, mosquitto):
    broker = mosquitto()
    driver = drive(mosquitto.port, "--row-every-ms", 30)
    time.sleep(0.7)
    broker.terminate()
    broker.wait(10)
    time.sleep(0.3)
    mosquitto()
    marked, _ = driver.finish()
    assert sorted(marked) == list(range(1, ROWS + 1))


# ---- a backlog, in a real journal ----------------------------------------------------------------------------------------
def split(events):
    """Live and historical ones, each in the order of arrival."""
    return [e for e in events if "historical" not in e], [e for e in events if e.get("historical")]


def in_order_and_unique(events):
    seqs, ids = [e["seq"] for e in events], {e["event_id"] for e in events}
    assert seqs == sorted(set(seqs)) and len(ids) == len(seqs)
    return seqs


def drain(drive, mosquitto, tmp_path, backlog, live, every_ms):
    """The events as they arrived, and the driver's summary."""
    mosquitto()
    listener = Listener(mosquitto.port)
    driver = drive(mosquitto.port, "--journal", tmp_path / "journal.db", "--backlog", backlog, "--rows", live, "--row-every-ms",
                   every_ms, "--seconds", 200)
    listener.follow(lambda events: len(events) >= backlog + live)
    _, summary = driver.finish()
    assert summary["unsent"] == 0 and summary["settled"]
    listener.read()
    return listener.events, summary


def share_that_came_first(event, old):
    """1: the event was the last of all, as in a queue."""
    left = [e["arrived_us"] for e in old if e["arrived_us"] > event["monotonic_us"]]
    return sum(at < event["arrived_us"] for at in left) / len(left)


@pytest.mark.parametrize("backlog,live,every_ms", [(20000, 60, 15), pytest.param(100000, 300, 30, marks=pytest.mark.long)])
def test_a_live_event_never_waits_behind_the_backlog(drive, mosquitto, tmp_path, backlog, live, every_ms):
    events, summary = drain(drive, mosquitto, tmp_path, backlog, live, every_ms)
    new, old = split(events)
    seqs = in_order_and_unique(old)
    assert seqs[:backlog] == list(range(1, backlog + 1)) and in_order_and_unique(new)[-1] == backlog + live
    assert sorted(seqs + [e["seq"] for e in new]) == list(range(1, backlog + live + 1)), "each once, in one of the two"
    assert len(new) > live / 2, "most came after the connection stood"
    drained_us = old[backlog - 1]["arrived_us"]
    between = sorted(e["arrived_us"] - e["monotonic_us"] for e in new if e["arrived_us"] < drained_us)
    assert len(between) > 10, "the backlog was too short to be overtaken"
    whole_us = drained_us - old[0]["arrived_us"]
    print(f"{backlog} in {whole_us / 1e6:.1f} s, {backlog / whole_us * 1e6:.0f} events/s; {len(between)} live ones beside, us: "
          f"p50 {between[len(between) // 2]}, p99 {between[len(between) * 99 // 100]}, max {between[-1]}; {summary}")
    # Not by the clock of a busy machine, but by what stood behind: how much of the backlog that was left at the commit came first.
    passed = sorted(share_that_came_first(event, old[:backlog]) for event in new if event["arrived_us"] < drained_us)
    assert passed[len(passed) // 2] < 0.1 and passed[len(passed) * 9 // 10] < 0.5 and passed[-1] < 1


def test_what_an_earlier_run_left_is_historical_and_the_rest_is_live(drive, mosquitto, tmp_path):
    journal = tmp_path / "journal.db"
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # takes the connection, never answers
        port = deaf.getsockname()[1]
        _, summary = drive(port, "--journal", journal, "--rows", 20, "--row-every-ms", 10, "--seconds", 2).finish(expected=1)
    assert summary["unsent"] == 20
    mosquitto()
    listener = Listener(mosquitto.port)
    drive(mosquitto.port, "--journal", journal, "--rows", 30, "--row-every-ms", 50).finish()
    new, old = split(listener.follow(lambda events: len(events) >= 50))
    assert in_order_and_unique(old)[:20] == list(range(1, 21))
    assert in_order_and_unique(new) == list(range(51 - len(new), 51)) and len(new) > 20


def test_resent_events_are_the_same_and_historical(drive, mosquitto, tmp_path):
    mosquitto()
    listener = Listener(mosquitto.port)
    driver = drive(mosquitto.port, "--journal", tmp_path / "journal.db", "--rows", 40, "--row-every-ms", 5, "--resend", 11,
                   "--linger-ms", 60000)
    events = listener.follow(lambda events: len(events) >= 70)
    driver.process.terminate()
    out = driver.process.communicate(timeout=30)[0]
    assert '{"resent_until":40}' in out
    first, again = events[:40], events[40:]
    assert [e["seq"] for e in again] == list(range(11, 41)) and all(e["historical"] for e in again)
    same = ("historical", "arrived_us")
    assert [{k: v for k, v in e.items() if k not in same} for e in again] == \
        [{k: v for k, v in e.items() if k not in same} for e in sorted(first, key=lambda e: e["seq"])[10:]]


def test_an_orderly_end_leaves_no_acknowledged_row_unmarked(drive, mosquitto, tmp_path):
    """What comes twice is what was under way when the lane was stopped: the window at the most."""
    backlog, journal = 3000, tmp_path / "journal.db"
    mosquitto()
    listener = Listener(mosquitto.port)
    driver = drive(mosquitto.port, "--journal", journal, "--backlog", backlog, "--rows", 0)
    listener.follow(lambda events: len(events) > 300)
    driver.process.terminate()
    out = driver.process.communicate(timeout=30)[0]
    summary = json.loads(out.splitlines()[-1])
    assert summary["settled"] and 0 < summary["unsent"] < backlog
    drive(mosquitto.port, "--journal", journal, "--rows", 0).finish()
    events = listener.follow(lambda events: {e["seq"] for e in events} == set(range(1, backlog + 1)))
    assert len(events) - backlog <= 20
    assert len({e["event_id"] for e in events}) == backlog


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


@pytest.mark.parametrize("name,host,trusted", [("localhost", "localhost", True), ("127.0.0.1", "127.0.0.1", True),
                                               ("other.invalid", "localhost", False), ("stranger", "localhost", False)])
def test_tls_checks_certificate_and_name(drive, mosquitto, tmp_path, name, host, trusted):
    alternative = f"IP:{name}" if name[0].isdigit() else f"DNS:{'localhost' if name == 'stranger' else name}"
    for ca in ("ca", "other"):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={ca}", "-days", 2,
                "-keyout", tmp_path / f"{ca}.key", "-out", tmp_path / f"{ca}.pem")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=broker",
            "-addext", f"subjectAltName={alternative}", "-keyout", tmp_path / "key.pem", "-out", tmp_path / "request.pem")
    openssl("x509", "-req", "-in", tmp_path / "request.pem", "-CA", tmp_path / "ca.pem", "-CAkey", tmp_path / "ca.key",
            "-CAcreateserial", "-days", 2, "-copy_extensions", "copy", "-out", tmp_path / "cert.pem")
    for file in tmp_path.glob("*.pem"):
        file.chmod(0o644)
    tmp_path.chmod(0o755)
    mosquitto(f"certfile {tmp_path}/cert.pem", f"keyfile {tmp_path}/key.pem", "user root")
    ca_file = tmp_path / ("other.pem" if name == "stranger" else "ca.pem")
    driver = drive(mosquitto.port, "--host", host, "--ca-file", ca_file, "--seconds", "20" if trusted else "4")
    marked, _ = driver.finish(expected=0 if trusted else 1)
    assert len(marked) == (ROWS if trusted else 0)
    assert ("connected" in driver.errors) == trusted


def test_password(drive, tmp_path):
    (tmp_path / "password").touch(0o600)
    (tmp_path / "password").write_text("open sesame\n")
    with ScriptedBroker({}) as broker:
        drive(broker.port, "--username", "lane1", "--password-file", tmp_path / "password").finish()
        connect = broker.received("connect")[0]
    assert connect["username"] == "lane1" and connect["password_bytes"] == len("open sesame")
    failing = drive(broker.port, "--password-file", tmp_path / "nothing", "--seconds", 1)
    failing.finish(expected=1)
    assert "nothing" in failing.errors
